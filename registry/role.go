package registry

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
)

// Role is MLflow's Role: grants that its users share.
type Role struct {
	ID          int64            `json:"id"`
	Name        string           `json:"name"`
	Workspace   string           `json:"workspace"`
	Description *string          `json:"description"` // null when there is none
	Permissions []RolePermission `json:"permissions"`
}

// RolePermission is one grant. Pattern is a resource's id or name, or *.
type RolePermission struct {
	ID         int64  `json:"id"`
	RoleID     int64  `json:"role_id"`
	Type       string `json:"resource_type"`
	Pattern    string `json:"resource_pattern"`
	Permission string `json:"permission"`
}

// RoleAssignment says that a user has a role.
type RoleAssignment struct {
	ID     int64 `json:"id"`
	UserID int64 `json:"user_id"`
	RoleID int64 `json:"role_id"`
}

// ownRolePrefix is reserved for the roles that hold the grants of single users.
const ownRolePrefix = "__user_"

func ownRole(uid int64) string { return fmt.Sprintf("%s%d__", ownRolePrefix, uid) }

func validateRoleName(name string) error {
	switch {
	case strings.TrimSpace(name) == "":
		return Invalidf("Role name cannot be empty.")
	case strings.HasPrefix(name, ownRolePrefix):
		return Invalidf("Role name '%s' uses the reserved '__user_' prefix, which is held for the per-user permission representation. Choose a different name.", name)
	}
	return nil
}

// writeGrants is Write for everything that decides who may do what.
func (s *Store) writeGrants(ctx context.Context, fn func(tx querier) error) error {
	defer s.grants.Add(1)
	return s.db.Write(ctx, fn)
}

// CreateRole makes a role without grants.
func (s *Store) CreateRole(ctx context.Context, name, workspace string, description *string) (Role, error) {
	if err := validateRoleName(name); err != nil {
		return Role{}, err
	}
	if strings.TrimSpace(workspace) == "" {
		return Role{}, Invalidf("Workspace cannot be empty.")
	}
	r := Role{Name: name, Workspace: workspace, Description: description, Permissions: []RolePermission{}}
	err := s.writeGrants(ctx, func(tx querier) error {
		if taken, err := roleTaken(ctx, tx, workspace, name, 0); err != nil {
			return err
		} else if taken {
			return Errorf(ResourceAlreadyExists, "Role (name=%s, workspace=%s) already exists. Error: role names are unique in a workspace.", name, workspace)
		}
		return tx.QueryRowContext(ctx, "INSERT INTO roles (name, workspace, description) VALUES (?, ?, ?) RETURNING role_id", name, workspace, description).Scan(&r.ID)
	})
	return r, err
}

func roleTaken(ctx context.Context, q querier, workspace, name string, but int64) (taken bool, err error) {
	err = q.QueryRowContext(ctx, "SELECT count(*) > 0 FROM roles WHERE workspace = ? AND name = ? AND role_id <> ?", workspace, name, but).Scan(&taken)
	return taken, err
}

func noRole(id int64) error { return NotFoundf("Role with id=%d not found", id) }

// Role gives one role with its grants.
func (s *Store) Role(ctx context.Context, id int64) (Role, error) {
	roles, err := s.rolesWhere(ctx, "r.role_id = ?", id)
	if err == nil && len(roles) == 0 {
		err = noRole(id)
	}
	if err != nil {
		return Role{}, err
	}
	return roles[0], nil
}

// Roles lists the roles of some workspaces; none named means all.
func (s *Store) Roles(ctx context.Context, workspaces []string) ([]Role, error) {
	if workspaces == nil {
		return s.rolesWhere(ctx, "TRUE")
	}
	return s.rolesWhere(ctx, "r.workspace "+inList, jsonTexts(workspaces))
}

// UserRoles lists the roles of a user, his own included.
func (s *Store) UserRoles(ctx context.Context, uid int64) ([]Role, error) {
	return s.rolesWhere(ctx, "EXISTS (SELECT 1 FROM user_roles a WHERE a.role_id = r.role_id AND a.uid = ?)", uid)
}

func (s *Store) rolesWhere(ctx context.Context, where string, args ...any) ([]Role, error) {
	q := s.db.Read()
	roles, err := queryRows(ctx, q, func(rows *sql.Rows) (r Role, err error) {
		err = rows.Scan(&r.ID, &r.Name, &r.Workspace, &r.Description)
		return r, err
	}, "SELECT r.role_id, r.name, r.workspace, r.description FROM roles r WHERE "+where+" ORDER BY r.role_id", args...)
	if err != nil {
		return nil, err
	}
	for i := range roles {
		if roles[i].Permissions, err = rolePermissions(ctx, q, roles[i].ID); err != nil {
			return nil, err
		}
	}
	if roles == nil {
		roles = []Role{}
	}
	return roles, nil
}

const rolePermissionColumns = "SELECT pid, role_id, resource_type, resource_pattern, permission FROM role_permissions WHERE "

func scanRolePermission(row interface{ Scan(...any) error }) (p RolePermission, err error) {
	err = row.Scan(&p.ID, &p.RoleID, &p.Type, &p.Pattern, &p.Permission)
	return p, err
}

func rolePermissions(ctx context.Context, q querier, role int64) ([]RolePermission, error) {
	out, err := queryRows(ctx, q, func(rows *sql.Rows) (RolePermission, error) { return scanRolePermission(rows) }, rolePermissionColumns+"role_id = ? ORDER BY pid", role)
	if out == nil {
		out = []RolePermission{}
	}
	return out, err
}

// UpdateRole changes what is given.
func (s *Store) UpdateRole(ctx context.Context, id int64, name, description *string) (Role, error) {
	if name == nil && description == nil {
		return Role{}, Invalidf("At least one of 'name' or 'description' must be provided to update a role.")
	}
	if name != nil {
		if err := validateRoleName(*name); err != nil {
			return Role{}, err
		}
	}
	err := s.writeRole(ctx, id, func(tx querier, workspace string) error {
		if name != nil {
			if taken, err := roleTaken(ctx, tx, workspace, *name, id); err != nil {
				return err
			} else if taken {
				return Errorf(ResourceAlreadyExists, "Role with name=%s already exists in workspace=%s", *name, workspace)
			}
		}
		_, err := tx.ExecContext(ctx, "UPDATE roles SET name = coalesce(?, name), description = coalesce(?, description) WHERE role_id = ?", name, description, id)
		return err
	})
	if err != nil {
		return Role{}, err
	}
	return s.Role(ctx, id)
}

// DeleteRole removes a role with its grants.
func (s *Store) DeleteRole(ctx context.Context, id int64) error {
	return s.writeRole(ctx, id, func(tx querier, _ string) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM roles WHERE role_id = ?", id)
		return err
	})
}

func (s *Store) writeRole(ctx context.Context, id int64, fn func(tx querier, workspace string) error) error {
	return s.writeGrants(ctx, func(tx querier) error {
		var workspace string
		err := tx.QueryRowContext(ctx, "SELECT workspace FROM roles WHERE role_id = ?", id).Scan(&workspace)
		if errors.Is(err, sql.ErrNoRows) {
			return noRole(id)
		} else if err != nil {
			return err
		}
		return fn(tx, workspace)
	})
}

// AddRolePermission grants a level to a role. RESOURCE_ALREADY_EXISTS when it has one on the same pattern.
func (s *Store) AddRolePermission(ctx context.Context, role int64, resource, pattern, permission string) (RolePermission, error) {
	if err := validateGrant(permission, resource); err != nil {
		return RolePermission{}, err
	}
	if err := validatePattern(pattern, resource); err != nil {
		return RolePermission{}, err
	}
	var p RolePermission
	err := s.writeRole(ctx, role, func(tx querier, _ string) (err error) {
		p, err = insertGrant(ctx, tx, role, resource, pattern, permission)
		if errors.Is(err, sql.ErrNoRows) {
			err = Errorf(ResourceAlreadyExists, "Role permission (role_id=%d, resource_type=%s, resource_pattern=%s) already exists. Error: change it with roles/permissions/update.", role, resource, pattern)
		}
		return err
	})
	return p, err
}

// insertGrant adds a grant; sql.ErrNoRows when there is one.
func insertGrant(ctx context.Context, tx querier, role int64, resource, pattern, permission string) (RolePermission, error) {
	if resource == OnExperiment {
		pattern = canonicalID(pattern)
	}
	return scanRolePermission(tx.QueryRowContext(ctx, `INSERT INTO role_permissions (role_id, resource_type, resource_pattern, permission) VALUES (?, ?, ?, ?)
		ON CONFLICT DO NOTHING RETURNING pid, role_id, resource_type, resource_pattern, permission`, role, resource, pattern, permission))
}

// RolePermission gives one grant.
func (s *Store) RolePermission(ctx context.Context, id int64) (RolePermission, error) {
	return rolePermission(ctx, s.db.Read(), id)
}

func rolePermission(ctx context.Context, q querier, id int64) (RolePermission, error) {
	p, err := scanRolePermission(q.QueryRowContext(ctx, rolePermissionColumns+"pid = ?", id))
	if errors.Is(err, sql.ErrNoRows) {
		err = NotFoundf("Role permission with id=%d not found", id)
	}
	return p, err
}

// RemoveRolePermission takes a grant away.
func (s *Store) RemoveRolePermission(ctx context.Context, id int64) error {
	return s.writeGrants(ctx, func(tx querier) error {
		if _, err := rolePermission(ctx, tx, id); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "DELETE FROM role_permissions WHERE pid = ?", id)
		return err
	})
}

// UpdateRolePermission changes the level of a grant.
func (s *Store) UpdateRolePermission(ctx context.Context, id int64, permission string) (p RolePermission, err error) {
	err = s.writeGrants(ctx, func(tx querier) (err error) {
		if p, err = rolePermission(ctx, tx, id); err != nil {
			return err
		}
		if err := validateGrant(permission, p.Type); err != nil {
			return err
		}
		p.Permission = permission
		_, err = tx.ExecContext(ctx, "UPDATE role_permissions SET permission = ? WHERE pid = ?", permission, id)
		return err
	})
	return p, err
}

// RolePermissions lists the grants of a role.
func (s *Store) RolePermissions(ctx context.Context, role int64) ([]RolePermission, error) {
	r, err := s.Role(ctx, role)
	return r.Permissions, err
}

// AssignRole gives a user a role.
func (s *Store) AssignRole(ctx context.Context, username string, role int64) (a RoleAssignment, err error) {
	a.RoleID = role
	err = s.writeGrants(ctx, func(tx querier) error {
		u, err := userNamed(ctx, tx, username)
		if err != nil {
			return err
		}
		var owner sql.NullInt64
		err = tx.QueryRowContext(ctx, "SELECT uid FROM roles WHERE role_id = ?", role).Scan(&owner)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return noRole(role)
		case err != nil:
			return err
		case owner.Valid && owner.Int64 != u.ID:
			return Invalidf("Role %d holds the permissions of one user and cannot be given to another. Make a role with roles/create.", role)
		}
		a.UserID = u.ID
		err = tx.QueryRowContext(ctx, "INSERT INTO user_roles (uid, role_id) VALUES (?, ?) ON CONFLICT DO NOTHING RETURNING aid", u.ID, role).Scan(&a.ID)
		if errors.Is(err, sql.ErrNoRows) {
			err = Errorf(ResourceAlreadyExists, "User role assignment (user_id=%d, role_id=%d) already exists", u.ID, role)
		}
		return err
	})
	return a, err
}

// UnassignRole takes a role from a user.
func (s *Store) UnassignRole(ctx context.Context, username string, role int64) error {
	return s.writeGrants(ctx, func(tx querier) error {
		u, err := userNamed(ctx, tx, username)
		if err != nil {
			return err
		}
		ok, err := affected(tx.ExecContext(ctx, "DELETE FROM user_roles WHERE uid = ? AND role_id = ?", u.ID, role))
		if err == nil && !ok {
			err = NotFoundf("User role assignment (user_id=%d, role_id=%d) not found", u.ID, role)
		}
		return err
	})
}

// RoleUsers lists who has a role.
func (s *Store) RoleUsers(ctx context.Context, role int64) ([]RoleAssignment, error) {
	if _, err := s.Role(ctx, role); err != nil {
		return nil, err
	}
	out, err := queryRows(ctx, s.db.Read(), func(rows *sql.Rows) (a RoleAssignment, err error) {
		err = rows.Scan(&a.ID, &a.UserID, &a.RoleID)
		return a, err
	}, "SELECT aid, uid, role_id FROM user_roles WHERE role_id = ? ORDER BY aid", role)
	if out == nil {
		out = []RoleAssignment{}
	}
	return out, err
}

const noWorkspaceGrants = "resource_type 'workspace' is not supported by the per-user permission convenience APIs. Use set_workspace_permission / delete_workspace_permission for workspace-wide grants."

// GrantUser gives one user a level on a resource. RESOURCE_ALREADY_EXISTS when he has one there.
func (s *Store) GrantUser(ctx context.Context, username, resource, pattern, permission string) error {
	if resource == OnWorkspace {
		return Invalidf(noWorkspaceGrants)
	}
	if err := validatePattern(pattern, resource); err != nil {
		return err
	}
	if err := validateGrant(permission, resource); err != nil {
		return err
	}
	return s.writeGrants(ctx, func(tx querier) error {
		u, err := userNamed(ctx, tx, username)
		if err != nil {
			return err
		}
		role, err := roleOf(ctx, tx, u.ID)
		if err != nil {
			return err
		}
		_, err = insertGrant(ctx, tx, role, resource, pattern, permission)
		if errors.Is(err, sql.ErrNoRows) {
			err = Errorf(ResourceAlreadyExists, "Permission for user=%s on resource_type=%s, resource_id=%s already exists.", username, resource, pattern)
		}
		return err
	})
}

// RevokeUser takes one user's own grant on a resource away; grants of his roles stay.
func (s *Store) RevokeUser(ctx context.Context, username, resource, pattern string) error {
	if resource == OnWorkspace {
		return Invalidf(noWorkspaceGrants)
	}
	if err := validateResourceType(resource); err != nil {
		return err
	}
	id := pattern
	if resource == OnExperiment {
		id = canonicalID(pattern)
	}
	return s.writeGrants(ctx, func(tx querier) error {
		u, err := userNamed(ctx, tx, username)
		if err != nil {
			return err
		}
		ok, err := affected(tx.ExecContext(ctx, `DELETE FROM role_permissions WHERE resource_type = ? AND resource_pattern = ?
			AND role_id IN (SELECT role_id FROM roles WHERE uid = ?)`, resource, id, u.ID))
		if err == nil && !ok {
			err = NotFoundf("Permission for user=%s on resource_type=%s, resource_id=%s not found.", username, resource, pattern)
		}
		return err
	})
}

// roleOf is the user's own role, made when it is not there.
func roleOf(ctx context.Context, tx querier, uid int64) (role int64, err error) {
	err = tx.QueryRowContext(ctx, "SELECT role_id FROM roles WHERE uid = ?", uid).Scan(&role)
	if !errors.Is(err, sql.ErrNoRows) {
		return role, err
	}
	if err := tx.QueryRowContext(ctx, "INSERT INTO roles (name, workspace, uid) VALUES (?, ?, ?) RETURNING role_id", ownRole(uid), defaultWorkspace, uid).Scan(&role); err != nil {
		return 0, err
	}
	_, err = tx.ExecContext(ctx, "INSERT INTO user_roles (uid, role_id) VALUES (?, ?)", uid, role)
	return role, err
}

// own makes the asking user the manager of what he creates. The caller is in a write.
func (s *Store) own(ctx context.Context, tx querier, resource, id string) error {
	a := AccessOf(ctx)
	if a == nil {
		return nil
	}
	var there int
	if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM users WHERE uid = ?", a.User.ID).Scan(&there); err != nil || there == 0 {
		return err // deleted while the request was under way
	}
	role, err := roleOf(ctx, tx, a.User.ID)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO role_permissions (role_id, resource_type, resource_pattern, permission) VALUES (?, ?, ?, 'MANAGE')
		ON CONFLICT (role_id, resource_type, resource_pattern) DO UPDATE SET permission = excluded.permission`, role, resource, id)
	return err
}

// disown removes the grants of single users on a resource that is deleted, so that a later one of the same name starts without. Roles that
// admins made keep theirs, as in MLflow.
func disown(ctx context.Context, tx querier, id string, resources ...string) error {
	for _, resource := range resources {
		if _, err := tx.ExecContext(ctx, `DELETE FROM role_permissions WHERE resource_type = ? AND resource_pattern = ?
			AND role_id IN (SELECT role_id FROM roles WHERE uid IS NOT NULL)`, resource, id); err != nil {
			return err
		}
	}
	return nil
}

// renameGrants moves the grants of single users along with a model or prompt.
func renameGrants(ctx context.Context, tx querier, from, to string) error {
	if from == to {
		return nil
	}
	if err := disown(ctx, tx, to, OnModel, OnPrompt); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `UPDATE role_permissions SET resource_pattern = ? WHERE resource_type IN ('registered_model', 'prompt') AND resource_pattern = ?
		AND role_id IN (SELECT role_id FROM roles WHERE uid IS NOT NULL)`, to, from)
	return err
}
