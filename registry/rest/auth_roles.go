package rest

import (
	"context"
	"slices"

	"github.com/prinzbox/prinzbox/registry"
)

type roleResponse struct {
	Role registry.Role `json:"role"`
}

type createRoleRequest struct {
	Name        *string `json:"name"`
	Workspace   string  `json:"workspace" req:"true"`
	Description *string `json:"description"`
}

func (a *API) createRole(ctx context.Context, r *createRoleRequest) (roleResponse, error) {
	if r.Name == nil {
		return roleResponse{}, missingValue("name")
	}
	role, err := a.CreateRole(ctx, *r.Name, r.Workspace, r.Description)
	return roleResponse{role}, err
}

type roleID struct {
	ID *int64 `json:"role_id" req:"true"`
}

func (a *API) getRole(ctx context.Context, r *roleID) (roleResponse, error) {
	role, err := a.Role(ctx, *r.ID)
	return roleResponse{role}, err
}

type rolesRequest struct {
	Workspaces []string `json:"workspace"`
}

type rolesResponse struct {
	Roles []registry.Role `json:"roles"`
}

func (a *API) listRoles(ctx context.Context, r *rolesRequest) (rolesResponse, error) {
	if slices.ContainsFunc(r.Workspaces, blank) {
		return rolesResponse{}, registry.Invalidf("Parameter 'workspace' must be a non-empty string when provided.")
	}
	roles, err := a.Roles(ctx, r.Workspaces)
	return rolesResponse{roles}, err
}

type updateRoleRequest struct {
	ID          *int64  `json:"role_id" req:"true"`
	Name        *string `json:"name"`
	Description *string `json:"description"`
}

func (a *API) updateRole(ctx context.Context, r *updateRoleRequest) (roleResponse, error) {
	role, err := a.UpdateRole(ctx, *r.ID, r.Name, r.Description)
	return roleResponse{role}, err
}

func (a *API) deleteRole(ctx context.Context, r *roleID) error { return a.DeleteRole(ctx, *r.ID) }

type assignRequest struct {
	Username string `json:"username" req:"true"`
	ID       *int64 `json:"role_id" req:"true"`
}

type assignResponse struct {
	Assignment registry.RoleAssignment `json:"assignment"`
}

func (a *API) assignRole(ctx context.Context, r *assignRequest) (assignResponse, error) {
	assignment, err := a.AssignRole(ctx, r.Username, *r.ID)
	return assignResponse{assignment}, err
}

func (a *API) unassignRole(ctx context.Context, r *assignRequest) error {
	return a.UnassignRole(ctx, r.Username, *r.ID)
}

type addRolePermissionRequest struct {
	ID         *int64 `json:"role_id" req:"true"`
	Type       string `json:"resource_type" req:"true"`
	Pattern    string `json:"resource_pattern" req:"true"`
	Permission string `json:"permission" req:"true"`
}

type rolePermissionResponse struct {
	Permission registry.RolePermission `json:"role_permission"`
}

func (a *API) addRolePermission(ctx context.Context, r *addRolePermissionRequest) (rolePermissionResponse, error) {
	p, err := a.AddRolePermission(ctx, *r.ID, r.Type, r.Pattern, r.Permission)
	return rolePermissionResponse{p}, err
}

type rolePermissionID struct {
	ID *int64 `json:"role_permission_id" req:"true"`
}

func (a *API) removeRolePermission(ctx context.Context, r *rolePermissionID) error {
	return a.RemoveRolePermission(ctx, *r.ID)
}

type rolePermissionsResponse struct {
	Permissions []registry.RolePermission `json:"role_permissions"`
}

func (a *API) listRolePermissions(ctx context.Context, r *roleID) (rolePermissionsResponse, error) {
	list, err := a.RolePermissions(ctx, *r.ID)
	return rolePermissionsResponse{list}, err
}

type updateRolePermissionRequest struct {
	ID         *int64 `json:"role_permission_id" req:"true"`
	Permission string `json:"permission" req:"true"`
}

func (a *API) updateRolePermission(ctx context.Context, r *updateRolePermissionRequest) (rolePermissionResponse, error) {
	p, err := a.UpdateRolePermission(ctx, *r.ID, r.Permission)
	return rolePermissionResponse{p}, err
}

type assignmentsResponse struct {
	Assignments []registry.RoleAssignment `json:"assignments"`
}

func (a *API) listRoleUsers(ctx context.Context, r *roleID) (assignmentsResponse, error) {
	list, err := a.RoleUsers(ctx, *r.ID)
	return assignmentsResponse{list}, err
}

func (a *API) listUserRoles(ctx context.Context, r *username) (rolesResponse, error) {
	u, err := a.User(ctx, r.Username)
	if err != nil {
		return rolesResponse{}, err
	}
	roles, err := a.rolesFor(ctx, u)
	return rolesResponse{roles}, err
}
