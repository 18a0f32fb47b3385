package rest

import (
	"context"
	"strings"

	"github.com/prinzbox/prinzbox/registry"
)

// authTable holds the calls about users, roles and permissions; they are served where passwords are asked for.
var authTable = []entry{
	{method: "POST", version: "2.0", path: "/mlflow/users/create", op: rpc((*API).createUser)},
	{method: "GET", version: "2.0", path: "/mlflow/users/get", op: rpc((*API).getUser)},
	{method: "GET", version: "2.0", path: "/mlflow/users/current", op: rpc((*API).currentUser)},
	{method: "GET", version: "2.0", path: "/mlflow/users/list", op: rpc((*API).listUsers)},
	{method: "PATCH", version: "2.0", path: "/mlflow/users/update-password", op: do((*API).updatePassword)},
	{method: "PATCH", version: "2.0", path: "/mlflow/users/update-admin", op: do((*API).updateAdmin)},
	{method: "DELETE", version: "2.0", path: "/mlflow/users/delete", op: do((*API).deleteUser)},

	{method: "GET", version: "3.0", path: "/mlflow/users/current/permissions", op: rpc((*API).currentPermissions)},
	{method: "GET", version: "3.0", path: "/mlflow/users/permissions/list", op: rpc((*API).listPermissions)},
	{method: "POST", version: "3.0", path: "/mlflow/users/permissions/grant", op: do((*API).grantPermission)},
	{method: "POST", version: "3.0", path: "/mlflow/users/permissions/revoke", op: do((*API).revokePermission)},
	{method: "GET", version: "3.0", path: "/mlflow/users/permissions/get", op: rpc((*API).getPermission)},
	{method: "GET", version: "3.0", path: "/mlflow/users/roles/list", op: rpc((*API).listUserRoles)},

	{method: "POST", version: "3.0", path: "/mlflow/roles/create", op: rpc((*API).createRole)},
	{method: "GET", version: "3.0", path: "/mlflow/roles/get", op: rpc((*API).getRole)},
	{method: "GET", version: "3.0", path: "/mlflow/roles/list", op: rpc((*API).listRoles)},
	{method: "PATCH", version: "3.0", path: "/mlflow/roles/update", op: rpc((*API).updateRole)},
	{method: "DELETE", version: "3.0", path: "/mlflow/roles/delete", op: do((*API).deleteRole)},
	{method: "POST", version: "3.0", path: "/mlflow/roles/assign", op: rpc((*API).assignRole)},
	{method: "DELETE", version: "3.0", path: "/mlflow/roles/unassign", op: do((*API).unassignRole)},
	{method: "POST", version: "3.0", path: "/mlflow/roles/permissions/add", op: rpc((*API).addRolePermission)},
	{method: "DELETE", version: "3.0", path: "/mlflow/roles/permissions/remove", op: do((*API).removeRolePermission)},
	{method: "GET", version: "3.0", path: "/mlflow/roles/permissions/list", op: rpc((*API).listRolePermissions)},
	{method: "PATCH", version: "3.0", path: "/mlflow/roles/permissions/update", op: rpc((*API).updateRolePermission)},
	{method: "GET", version: "3.0", path: "/mlflow/roles/users/list", op: rpc((*API).listRoleUsers)},

	// prinzbox's own: the key with which the asking user reaches the S3 store.
	{method: "GET", version: "2.0", path: "/prinzbox/s3-key", op: rpc((*API).getS3Key)},
	{method: "POST", version: "2.0", path: "/prinzbox/s3-key", op: rpc((*API).renewS3Key)},
}

// authRules are the rules of authTable.
var authRules = map[string]rule{
	"POST 2.0 /mlflow/users/create":           workspaceManager,
	"GET 2.0 /mlflow/users/get":               himself,
	"GET 2.0 /mlflow/users/current":           open,
	"GET 2.0 /mlflow/users/list":              open,
	"PATCH 2.0 /mlflow/users/update-password": himself,
	"PATCH 2.0 /mlflow/users/update-admin":    adminOnly,
	"DELETE 2.0 /mlflow/users/delete":         adminOnly,

	"GET 3.0 /mlflow/users/current/permissions": open,
	"GET 3.0 /mlflow/users/permissions/list":    himselfOrManager,
	"POST 3.0 /mlflow/users/permissions/grant":  managesResource,
	"POST 3.0 /mlflow/users/permissions/revoke": managesResource,
	"GET 3.0 /mlflow/users/permissions/get":     himselfOrManager,
	"GET 3.0 /mlflow/users/roles/list":          himselfOrManager,

	"POST 3.0 /mlflow/roles/create":               managesRole,
	"GET 3.0 /mlflow/roles/get":                   seesRole,
	"GET 3.0 /mlflow/roles/list":                  seesRoles,
	"PATCH 3.0 /mlflow/roles/update":              managesRole,
	"DELETE 3.0 /mlflow/roles/delete":             managesRole,
	"POST 3.0 /mlflow/roles/assign":               managesRole,
	"DELETE 3.0 /mlflow/roles/unassign":           managesRole,
	"POST 3.0 /mlflow/roles/permissions/add":      managesRole,
	"DELETE 3.0 /mlflow/roles/permissions/remove": managesRole,
	"GET 3.0 /mlflow/roles/permissions/list":      seesRole,
	"PATCH 3.0 /mlflow/roles/permissions/update":  managesRole,
	"GET 3.0 /mlflow/roles/users/list":            managesRole,

	"GET 2.0 /prinzbox/s3-key":  open,
	"POST 2.0 /prinzbox/s3-key": open,
}

// served are the rows that this API answers.
func served(users bool) []entry {
	if !users {
		return table
	}
	return append(append([]entry{}, table...), authTable...)
}

// theWorkspace is the one workspace there is.
const theWorkspace = "default"

func allow(ok bool) error {
	if ok {
		return nil
	}
	return errDenied
}

func workspaceManager(p *permit) error { return allow(p.who.ManagesWorkspace()) }

func himself(p *permit) error { return allow(p.text("username") == p.who.User.Username) }

func himselfOrManager(p *permit) error {
	if himself(p) == nil {
		return nil
	}
	if !p.who.ManagesWorkspace() {
		return errDenied
	}
	_, err := p.api.User(p.ctx, p.text("username"))
	return hidden(err)
}

// managesRole: whoever manages the workspace may change its roles; other workspaces' roles are for admins.
func managesRole(p *permit) error {
	if !p.who.ManagesWorkspace() {
		return errDenied
	}
	return p.roleIsHere()
}

// seesRole: whoever has a role in the workspace may see its roles.
func seesRole(p *permit) error {
	if err := p.hasRole(); err != nil {
		return err
	}
	return p.roleIsHere()
}

func seesRoles(p *permit) error {
	r, ok := p.req.(*rolesRequest)
	if !ok || len(r.Workspaces) == 0 {
		return errDenied
	}
	for _, w := range r.Workspaces {
		if w != theWorkspace {
			return errDenied
		}
	}
	return p.hasRole()
}

func (p *permit) hasRole() error {
	roles, err := p.api.UserRoles(p.ctx, p.who.User.ID)
	if err != nil {
		return err
	}
	for _, r := range roles {
		if r.Workspace == theWorkspace {
			return nil
		}
	}
	return errDenied
}

// roleIsHere checks that the request is about a role of the workspace.
func (p *permit) roleIsHere() error {
	var id int64
	switch r := p.req.(type) {
	case *createRoleRequest:
		return allow(r.Workspace == theWorkspace)
	case *rolePermissionID:
		id = *r.ID
	case *updateRolePermissionRequest:
		id = *r.ID
	default:
		f := p.field("role_id")
		if !f.IsValid() {
			return errDenied
		}
		role, err := p.api.Role(p.ctx, f.Elem().Int()) // a required *int64, as the binder has checked
		if err != nil {
			return hidden(err)
		}
		return allow(role.Workspace == theWorkspace)
	}
	grant, err := p.api.RolePermission(p.ctx, id)
	if err != nil {
		return hidden(err)
	}
	role, err := p.api.Role(p.ctx, grant.RoleID)
	if err != nil {
		return hidden(err)
	}
	return allow(role.Workspace == theWorkspace)
}

// managesResource: who manages a resource may give and take permissions on it; those on a whole type are for the workspace's managers.
func managesResource(p *permit) error {
	resource, id := p.text("resource_type"), p.text("resource_id")
	level, err := effective(p.who, resource, id)
	if err != nil {
		return err
	}
	if id == registry.AnyResource {
		return workspaceManager(p)
	}
	return allow(level.Can(registry.ActionManage))
}

// effective resolves a user's level on a resource as users/permissions/get tells it.
func effective(who *registry.Access, resource, id string) (registry.Permission, error) {
	if err := registry.ValidateResource(resource, id); err != nil {
		return "", err
	}
	return who.PermissionOfGrants(resource, id), nil
}

type userResponse struct {
	User registry.User `json:"user"`
}

type createUserRequest struct {
	Username *string `json:"username"`
	Password *string `json:"password"`
}

func (a *API) createUser(ctx context.Context, r *createUserRequest) (userResponse, error) {
	switch {
	case r.Username == nil:
		return userResponse{}, missingValue("username")
	case r.Password == nil:
		return userResponse{}, missingValue("password")
	case *r.Username == "" || *r.Password == "":
		return userResponse{}, textError("Username and password cannot be empty.")
	}
	u, err := a.CreateUser(ctx, *r.Username, *r.Password, false)
	return userResponse{u}, err
}

type username struct {
	Username string `json:"username" req:"true"`
}

func (a *API) getUser(ctx context.Context, r *username) (userResponse, error) {
	u, err := a.User(ctx, r.Username)
	return userResponse{u}, err
}

type currentUserResponse struct {
	User      registry.User `json:"user"`
	BasicAuth bool          `json:"is_basic_auth"`
}

func (a *API) currentUser(ctx context.Context, _ *struct{}) (currentUserResponse, error) {
	return currentUserResponse{registry.AccessOf(ctx).User, true}, nil
}

type userWithRoles struct {
	registry.User
	Roles []registry.Role `json:"roles"`
}

type usersResponse struct {
	Users []userWithRoles `json:"users"`
}

// listUsers shows everybody the names, and the roles to whom they concern.
func (a *API) listUsers(ctx context.Context, _ *struct{}) (usersResponse, error) {
	users, err := a.Users(ctx)
	out := usersResponse{make([]userWithRoles, len(users))}
	for i, u := range users {
		var roles []registry.Role
		if err == nil {
			roles, err = a.rolesFor(ctx, u)
		}
		out.Users[i] = userWithRoles{u, roles}
	}
	return out, err
}

// rolesFor lists what the asking user may know of another's roles.
func (a *API) rolesFor(ctx context.Context, u registry.User) ([]registry.Role, error) {
	roles, err := a.UserRoles(ctx, u.ID)
	who := registry.AccessOf(ctx)
	if err != nil || who.User.IsAdmin || who.User.ID == u.ID {
		return roles, err
	}
	seen := []registry.Role{}
	for _, r := range roles {
		if who.ManagesWorkspace() && r.Workspace == theWorkspace {
			seen = append(seen, r)
		}
	}
	return seen, nil
}

type updatePasswordRequest struct {
	Username string `json:"username" req:"true"`
	Password string `json:"password" req:"true"`
	Current  string `json:"current_password"`
}

// updatePassword: who changes his own password shows the old one, so that a page left open is not enough.
func (a *API) updatePassword(ctx context.Context, r *updatePasswordRequest) error {
	if r.Username == registry.AccessOf(ctx).User.Username {
		if r.Current == "" {
			return registry.Invalidf("Current password is required when changing your own password.")
		}
		ok, err := a.PasswordMatches(ctx, r.Username, r.Current)
		switch {
		case err != nil:
			return err
		case !ok:
			return registry.Invalidf("Current password does not match.")
		case r.Password == r.Current:
			return registry.Invalidf("New password must differ from the current password.")
		}
	}
	return a.SetPassword(ctx, r.Username, r.Password)
}

type updateAdminRequest struct {
	Username string `json:"username" req:"true"`
	IsAdmin  *bool  `json:"is_admin" req:"true"`
}

func (a *API) updateAdmin(ctx context.Context, r *updateAdminRequest) error {
	return a.SetAdmin(ctx, r.Username, *r.IsAdmin)
}

func (a *API) deleteUser(ctx context.Context, r *username) error {
	if r.Username == registry.AccessOf(ctx).User.Username {
		return registry.Errorf(registry.BadRequest, "Users cannot delete their own account. Ask another admin to delete this user instead.")
	}
	return a.DeleteUser(ctx, r.Username)
}

type grantRow struct {
	RoleID     int64  `json:"role_id"`
	RoleName   string `json:"role_name"`
	Workspace  string `json:"workspace"`
	Type       string `json:"resource_type"`
	Pattern    string `json:"resource_pattern"`
	Permission string `json:"permission"`
}

type permissionsResponse struct {
	IsAdmin     bool       `json:"is_admin"`
	Permissions []grantRow `json:"permissions"`
}

func (a *API) permissionsOf(ctx context.Context, u registry.User) (permissionsResponse, error) {
	roles, err := a.rolesFor(ctx, u)
	out := permissionsResponse{u.IsAdmin, []grantRow{}}
	for _, r := range roles {
		for _, p := range r.Permissions {
			out.Permissions = append(out.Permissions, grantRow{r.ID, r.Name, r.Workspace, p.Type, p.Pattern, p.Permission})
		}
	}
	return out, err
}

func (a *API) currentPermissions(ctx context.Context, _ *struct{}) (permissionsResponse, error) {
	return a.permissionsOf(ctx, registry.AccessOf(ctx).User)
}

func (a *API) listPermissions(ctx context.Context, r *username) (permissionsResponse, error) {
	u, err := a.User(ctx, r.Username)
	if err != nil {
		return permissionsResponse{}, err
	}
	return a.permissionsOf(ctx, u)
}

type grantRequest struct {
	Username   string `json:"username" req:"true"`
	Type       string `json:"resource_type" req:"true"`
	ID         string `json:"resource_id" req:"true"`
	Permission string `json:"permission" req:"true"`
}

func (a *API) grantPermission(ctx context.Context, r *grantRequest) error {
	return a.GrantUser(ctx, r.Username, r.Type, r.ID, r.Permission)
}

type resourceRequest struct {
	Username string `json:"username" req:"true"`
	Type     string `json:"resource_type" req:"true"`
	ID       string `json:"resource_id" req:"true"`
}

func (a *API) revokePermission(ctx context.Context, r *resourceRequest) error {
	return a.RevokeUser(ctx, r.Username, r.Type, r.ID)
}

type permissionResponse struct {
	Allowed    bool                `json:"allowed"`
	Permission registry.Permission `json:"permission"`
}

// getPermission tells what is in force; allowed means USE or more.
func (a *API) getPermission(ctx context.Context, r *resourceRequest) (permissionResponse, error) {
	who, err := a.cfg.Auth.Access(ctx, r.Username)
	if err != nil {
		return permissionResponse{}, err
	}
	level, err := effective(who, r.Type, r.ID)
	return permissionResponse{level.Can(registry.ActionUse), level}, err
}

type s3KeyRequest struct {
	Username string `json:"username"`
}

type s3KeyResponse struct {
	AccessKey string `json:"access_key"`
	SecretKey string `json:"secret_key"`
}

func (a *API) getS3Key(ctx context.Context, r *s3KeyRequest) (s3KeyResponse, error) {
	return a.s3Key(ctx, r, false)
}

func (a *API) renewS3Key(ctx context.Context, r *s3KeyRequest) (s3KeyResponse, error) {
	return a.s3Key(ctx, r, true)
}

func (a *API) s3Key(ctx context.Context, r *s3KeyRequest, renew bool) (s3KeyResponse, error) {
	who, name := registry.AccessOf(ctx).User, r.Username
	if name == "" {
		name = who.Username
	}
	if name != who.Username && !who.IsAdmin {
		return s3KeyResponse{}, errDenied
	}
	secret, err := a.S3Secret(ctx, name, renew)
	return s3KeyResponse{name, secret}, err
}

func blank(s string) bool { return strings.TrimSpace(s) == "" }
