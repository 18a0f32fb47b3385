package registry

import (
	"context"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Permission is a level of access as MLflow 3.17.2 names it.
type Permission string

// The levels. Each includes those before it; DENY wins over every other grant on the same resource. NO_PERMISSIONS can only be the default
// of an environment, never granted.
const (
	NoPermissions  Permission = "NO_PERMISSIONS"
	PermissionRead Permission = "READ"
	PermissionUse  Permission = "USE"
	PermissionEdit Permission = "EDIT"
	Manage         Permission = "MANAGE"
	Deny           Permission = "DENY"
)

var permissionRank = map[Permission]int{Deny: -1, NoPermissions: 0, PermissionRead: 1, PermissionUse: 2, PermissionEdit: 3, Manage: 4}

// ParsePermission checks the name of a level.
func ParsePermission(name string) (Permission, error) {
	if _, ok := permissionRank[Permission(name)]; !ok {
		return "", Invalidf("Invalid permission '%s'. Valid permissions are: ('READ', 'USE', 'EDIT', 'MANAGE', 'NO_PERMISSIONS', 'DENY')", name)
	}
	return Permission(name), nil
}

func higher(a, b Permission) Permission {
	if permissionRank[a] >= permissionRank[b] {
		return a
	}
	return b
}

// Action is what an operation does with a resource.
type Action int

// The actions.
const (
	// NotDenied asks only that no grant denies the resource.
	NotDenied Action = iota
	ActionRead
	ActionUse
	ActionUpdate
	ActionDelete
	ActionManage
)

// Can tells whether a level includes an action.
func (p Permission) Can(a Action) bool {
	switch a {
	case NotDenied:
		return p != Deny
	case ActionRead:
		return permissionRank[p] >= permissionRank[PermissionRead]
	case ActionUse:
		return permissionRank[p] >= permissionRank[PermissionUse]
	case ActionUpdate:
		return permissionRank[p] >= permissionRank[PermissionEdit]
	}
	return p == Manage
}

// The types of resources that permissions are granted on. Those without an id below ("grain" in MLflow's words) take grants on all of them
// only, written *.
const (
	OnWorkspace    = "workspace"
	OnExperiment   = "experiment"
	OnModel        = "registered_model"
	OnPrompt       = "prompt"
	OnScorer       = "scorer" // "<experiment id>/<name, percent-encoded>"; see [ScorerResource]
	OnRun          = "run"
	OnTrace        = "trace"
	OnAssessment   = "assessment"
	OnLoggedModel  = "logged_model"
	OnReviewQueue  = "review_queue"
	OnModelVersion = "registered_model_version"
	OnPromptVer    = "prompt_version"
	OnScorerVer    = "scorer_version"
)

// resourceTypes tells of each type whether grants may name one resource. The gateway's and MCP's types can be granted, though nothing of
// theirs is here, so that scripts that set up roles run.
var resourceTypes = map[string]bool{
	OnWorkspace: false, OnExperiment: true, OnModel: true, OnPrompt: true, OnScorer: true,
	"gateway_secret": true, "gateway_endpoint": true, "gateway_model_definition": true, "mcp_server": true,
	OnRun: false, OnTrace: false, OnAssessment: false, OnLoggedModel: false, OnReviewQueue: false,
	OnModelVersion: false, OnPromptVer: false, OnScorerVer: false, "mcp_server_version": false,
}

// AnyResource is the pattern that stands for all resources of a type.
const AnyResource = "*"

func validateResourceType(resource string) error {
	if _, ok := resourceTypes[resource]; ok {
		return nil
	}
	names := make([]string, 0, len(resourceTypes))
	for name := range resourceTypes {
		names = append(names, "'"+name+"'")
	}
	slices.Sort(names)
	return Invalidf("Invalid resource type '%s'. Valid resource types are: (%s)", resource, strings.Join(names, ", "))
}

// validateGrant checks that a level may be granted on a type.
func validateGrant(permission, resource string) error {
	if _, err := ParsePermission(permission); err != nil {
		return err
	}
	if err := validateResourceType(resource); err != nil {
		return err
	}
	p := Permission(permission)
	switch {
	case resource == OnWorkspace && p != PermissionUse && p != Manage:
		return Invalidf("Invalid permission '%s' for resource_type='workspace'. Workspace-wide grants accept only: ('MANAGE', 'USE').", permission)
	case p == NoPermissions:
		return Invalidf("Invalid permission '%s' for resource_type='%s'. Resource-level grants accept only: ('DENY', 'EDIT', 'MANAGE', 'READ', 'USE').", permission, resource)
	}
	return nil
}

// ValidateResource checks a resource of which a user's level is asked.
func ValidateResource(resource, id string) error {
	if resource == OnWorkspace {
		return Invalidf(noWorkspaceGrants)
	}
	if err := validateResourceType(resource); err != nil || id == AnyResource {
		return err
	}
	switch {
	case !resourceTypes[resource] || resource == OnPrompt: // prompts by name are left out in MLflow, too
		return Invalidf("resource_type '%s' is not supported by the per-user permission convenience APIs.", resource)
	case resource == OnScorer && !strings.Contains(id, "/"):
		return Invalidf("Invalid scorer resource_id. Expected '<experiment_id>/<scorer_name>'.")
	}
	return nil
}

func validatePattern(pattern, resource string) error {
	if err := validateResourceType(resource); err != nil {
		return err
	}
	if pattern != AnyResource && !resourceTypes[resource] {
		return Invalidf("Invalid resource_pattern '%s' for resource_type='%s'. This resource type supports only wildcard ('*') grants.", pattern, resource)
	}
	return nil
}

// ScorerResource is the id of a scorer in grants.
func ScorerResource(experimentID, name string) string {
	return experimentID + "/" + strings.ReplaceAll(url.QueryEscape(name), "+", "%20")
}

// Need is one thing that an operation needs: an action on a resource. An empty ID is the whole type. Who has no grant on the resource is
// judged by the first of Else that he has a grant on, and if there is none by the environment's default permission.
type Need struct {
	Type, ID string
	Action   Action
	Else     []Need
}

// Access is what one user may do, as his grants stood when it was made. It does not change.
type Access struct {
	User User
	hash string
	// grants hold the folded levels by type and pattern.
	grants   map[string]map[string]Permission
	standard Permission
}

// Admin tells whether nothing is forbidden: to admins, and to those who manage the workspace.
func (a *Access) Admin() bool {
	return a.User.IsAdmin || a.ManagesWorkspace()
}

// ManagesWorkspace tells whether the user may manage roles and see users without being an admin.
func (a *Access) ManagesWorkspace() bool { return a.grants[OnWorkspace][AnyResource] == Manage }

// granted folds the grants on a resource and on its whole type; no grant is "".
func (a *Access) granted(resource, id string) Permission {
	if resource == OnExperiment {
		id = canonicalID(id)
	}
	byPattern := a.grants[resource]
	all := byPattern[AnyResource]
	if id == "" || id == AnyResource {
		return all
	}
	one := byPattern[id]
	switch {
	case one == "" || all == Deny:
		return all
	case all == "" || one == Deny:
		return one
	}
	return higher(one, all)
}

// level raises a grant to the environment's default.
func (a *Access) level(p Permission) Permission {
	if p == Deny {
		return p
	}
	return higher(p, a.standard)
}

// Permission is the level in force on a resource.
func (a *Access) Permission(resource, id string) Permission {
	if a.Admin() {
		return Manage
	}
	return a.PermissionOfGrants(resource, id)
}

// PermissionOfGrants is Permission without regard to whether the user is an admin: what users/permissions/get tells.
func (a *Access) PermissionOfGrants(resource, id string) Permission {
	if a.ManagesWorkspace() {
		return Manage
	}
	if p := a.granted(resource, id); p != "" {
		return a.level(p)
	}
	return a.standard
}

// Allows tells whether all needs are met.
func (a *Access) Allows(needs ...Need) bool {
	if a.Admin() {
		return true
	}
	for _, n := range needs {
		p, action := a.granted(n.Type, n.ID), n.Action
		for i := 0; p == "" && i < len(n.Else); i++ {
			action = n.Else[i].Action
			p = a.granted(n.Else[i].Type, n.Else[i].ID)
		}
		if p == "" {
			p = a.standard
		} else {
			p = a.level(p)
		}
		if !p.Can(action) {
			return false
		}
	}
	return true
}

// Visible is which resources of a type a list may show: all but those of Except, or, with Nothing, only those.
type Visible struct {
	Nothing bool
	Except  []string
}

// Visible is what a list of a type may show the user. A grant on the workspace stands in for one on a resource.
func (a *Access) Visible(resource string, also ...Need) Visible {
	if a.Admin() {
		return Visible{}
	}
	if !a.Allows(also...) {
		return Visible{Nothing: true}
	}
	all := a.granted(resource, AnyResource)
	if all == Deny {
		return Visible{Nothing: true}
	}
	v := Visible{Nothing: all == "" && a.grants[OnWorkspace][AnyResource] == "" && !a.standard.Can(ActionRead)}
	for pattern, p := range a.grants[resource] {
		if pattern != AnyResource && (p == Deny) != v.Nothing {
			v.Except = append(v.Except, pattern)
		}
	}
	slices.Sort(v.Except)
	return v
}

// Shows tells whether a list shows a resource.
func (v Visible) Shows(id string) bool { return slices.Contains(v.Except, id) == v.Nothing }

// accessKey is the key of the Access in a context.
type accessKey struct{}

// WithAccess makes a context for what a user asks for: the store's searches show only what he may read, and what he creates is his.
func WithAccess(ctx context.Context, a *Access) context.Context {
	return context.WithValue(ctx, accessKey{}, a)
}

// AccessOf is the access that a context was made with; nil when nobody is asked for passwords.
func AccessOf(ctx context.Context) *Access {
	a, _ := ctx.Value(accessKey{}).(*Access)
	return a
}

// within is the condition that a column holds what may be shown; "" when that is everything. value is how a text becomes what the column holds.
func (v Visible) within(column, value string) (cond string, args []any) {
	if !v.Nothing && len(v.Except) == 0 {
		return "", nil
	}
	not := "NOT "
	if v.Nothing {
		not = ""
	}
	return column + " " + not + "IN (SELECT " + value + " FROM " + elements + ")", []any{jsonTexts(v.Except)}
}

// readableExperiments restricts a search to the experiments that the asking user may read.
func (sel *selection) readableExperiments(ctx context.Context, column string) {
	if a := AccessOf(ctx); a != nil {
		cond, args := a.Visible(OnExperiment).within(column, "CAST(value AS INTEGER)")
		sel.and(cond, args...)
	}
}

// readableModels restricts a search of registered models m, or of their versions, to the models and prompts that the asking user may read.
// versions are the needs that concern versions: of models, of prompts.
func (sel *selection) readableModels(ctx context.Context, versions ...Need) {
	a := AccessOf(ctx)
	if a == nil {
		return
	}
	const isPrompt = "EXISTS (SELECT 1 FROM registered_model_tags p WHERE p.mid = m.mid AND p.key = '" + TagIsPrompt + "' AND lower(p.value) = 'true')"
	for i, kind := range []string{OnModel, OnPrompt} {
		var also []Need
		if versions != nil {
			also = versions[i : i+1]
		}
		other := []string{isPrompt, "NOT " + isPrompt}[i]
		if cond, args := a.Visible(kind, also...).within("m.name", "value"); cond != "" {
			sel.and("("+other+" OR "+cond+")", args...)
		}
	}
}

// readableExperiments leaves those experiments out that the asking user may not read, or all if what is looked for in them is denied.
func readableExperiments(ctx context.Context, ids []string, also ...Need) []string {
	a := AccessOf(ctx)
	if a == nil || a.Admin() {
		return ids
	}
	v := a.Visible(OnExperiment, also...)
	out := make([]string, 0, len(ids))
	for _, id := range ids {
		if v.Shows(canonicalID(id)) {
			out = append(out, id)
		}
	}
	return out
}

// readableScorers leaves out what the asking user may not read.
func readableScorers(ctx context.Context, list []Scorer) []Scorer {
	a := AccessOf(ctx)
	if a == nil || a.Admin() {
		return list
	}
	experiments, scorers := a.Visible(OnExperiment, Need{Type: OnScorerVer}), a.Visible(OnScorer)
	return slices.DeleteFunc(list, func(c Scorer) bool {
		eid := strconv.FormatInt(c.ExperimentID, 10)
		return !experiments.Shows(eid) || !scorers.Shows(ScorerResource(eid, c.Name))
	})
}
