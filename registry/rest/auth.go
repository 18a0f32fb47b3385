package rest

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/prinzbox/prinzbox/registry"
)

// errDenied is answered with 403 and MLflow's text.
var errDenied = errors.New("permission denied")

// textError is a 400 in plain text, which few of MLflow's calls answer.
type textError string

func (e textError) Error() string { return string(e) }

// WriteUnauthenticated asks for user name and password as MLflow's basic-auth app does.
func WriteUnauthenticated(w http.ResponseWriter) {
	w.Header().Set("WWW-Authenticate", `Basic realm="mlflow"`)
	writeText(w, http.StatusUnauthorized, "You are not authenticated. Please see "+
		"https://www.mlflow.org/docs/latest/auth/index.html#authenticating-to-mlflow on how to authenticate.")
}

// WriteDenied refuses a user what he may not do, in MLflow's words.
func WriteDenied(w http.ResponseWriter) { writeText(w, http.StatusForbidden, "Permission denied") }

func writeText(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text)) // a client that went away
}

// rule says what a call needs: nil when it is allowed, errDenied when it is not, another error when the call itself is wrong.
type rule func(p *permit) error

// permit is one call that is to be judged.
type permit struct {
	*registry.Auth
	api *API
	ctx context.Context //nolint:containedctx // lives as long as one request
	who *registry.Access
	// req is the bound request, a pointer to a struct; nil when the rule is asked before anything is bound.
	req any
	// param gives a variable of the path, query one of the query.
	param, query func(string) string
	header       http.Header
}

// text gives a field of the request by its name on the wire; p1, p2 … are the variables of the path.
func (p *permit) text(name string) string {
	if len(name) == 2 && name[0] == 'p' && name[1] >= '1' && name[1] <= '9' {
		return p.param(name)
	}
	if p.req == nil {
		return p.query(name)
	}
	f := p.field(name)
	for f.IsValid() && f.Kind() == reflect.Pointer {
		f = f.Elem()
	}
	if !f.IsValid() || f.Kind() != reflect.String {
		return ""
	}
	return f.String()
}

func (p *permit) field(name string) reflect.Value {
	v := reflect.ValueOf(p.req).Elem()
	plan := planOf(v.Type())
	if n, ok := plan.names[name]; ok {
		return v.Field(plan.fields[n].index)
	}
	return reflect.Value{}
}

// texts gives a field that is a list.
func (p *permit) texts(name string) []string {
	f := p.field(name)
	if f.IsValid() && f.Kind() == reflect.Pointer {
		f = f.Elem()
	}
	if !f.IsValid() {
		return nil
	}
	list, _ := reflect.TypeAssert[[]string](f)
	return list
}

// demand allows the call if all needs are met.
func (p *permit) demand(needs ...registry.Need) error {
	if p.who.Allows(needs...) {
		return nil
	}
	return errDenied
}

// hidden turns "no such thing" into a refusal, so that ids cannot be guessed by the difference.
func hidden(err error) error {
	if registry.IsCode(err, registry.ResourceDoesNotExist) {
		return errDenied
	}
	return err
}

// judge asks the rule of a call. It is nil for environments that ask nobody for passwords, and for admins.
func (a *API) judge(r rule, p permit) error {
	p.who = registry.AccessOf(p.ctx)
	if p.who == nil {
		return errDenied // nobody may pass that was not asked for his password
	}
	if p.who.User.IsAdmin {
		return nil
	}
	if r == nil {
		return errDenied // what nobody thought of is forbidden
	}
	p.Auth, p.api = a.cfg.Auth, a
	return r(&p)
}

const ruleKey = "prinzbox.rule"

// allowed judges a call whose request is bound, and answers it if it is refused.
func (a *API) allowed(c *gin.Context, req any) bool {
	if a.cfg.Auth == nil {
		return true
	}
	r, _ := c.Value(ruleKey).(rule)
	return a.pass(c, r, req)
}

func (a *API) pass(c *gin.Context, r rule, req any) bool {
	err := a.judge(r, permit{ctx: c.Request.Context(), req: req, param: c.Param, query: c.Query, header: c.Request.Header})
	if err != nil {
		a.fail(c, err)
	}
	return err == nil
}

// guarded puts an operation's rule before it. Operations made by rpc ask it themselves once their request is bound; of the others those in
// asksEarly are asked for here, with what stands in path and query, and the rest call permitted.
func guarded(e entry) operation {
	key := e.key()
	r, early := ruleOf(key), asksEarly[key]
	return func(a *API, c *gin.Context, legacy bool) {
		if a.cfg.Auth != nil {
			c.Set(ruleKey, r)
			if early && !a.pass(c, r, nil) {
				return
			}
		}
		e.op(a, c, legacy)
	}
}

func ruleOf(key string) rule {
	if r, ok := rules[key]; ok {
		return r
	}
	return authRules[key]
}

// key is a row's key in rules.
func (e entry) key() string { return e.method + " " + e.version + " " + e.path }

// before is guarded for routes outside the table.
func before(r rule, handle func(*API, *gin.Context)) func(*API, *gin.Context) {
	return func(a *API, c *gin.Context) {
		if a.cfg.Auth == nil || a.pass(c, r, nil) {
			handle(a, c)
		}
	}
}

// permitted judges a bound request by the rule of a row: for GraphQL, and for operations that bind by themselves.
func (a *API) permitted(ctx context.Context, key string, req any) error {
	if a.cfg.Auth == nil {
		return nil
	}
	none := func(string) string { return "" }
	return a.judge(ruleOf(key), permit{ctx: ctx, req: req, param: none, query: none})
}

// graphQLRules are the calls that the root fields stand for.
var graphQLRules = map[string]string{
	"mlflowGetExperiment":                "GET 2.0 /mlflow/experiments/get",
	"mlflowGetMetricHistoryBulkInterval": "GET 2.0 /mlflow/metrics/get-history-bulk-interval",
	"mlflowGetRun":                       "GET 2.0 /mlflow/runs/get",
	"mlflowListArtifacts":                "GET 2.0 /mlflow/artifacts/list",
	"mlflowSearchModelVersions":          "GET 2.0 /mlflow/model-versions/search",
	"mlflowSearchRuns":                   "POST 2.0 /mlflow/runs/search",
	"mlflowSearchDatasets":               "POST 2.0 /mlflow/experiments/search-datasets",
}

// Judgement for what is not REST: scoring, GUI, artifacts by path and by S3.

// MayScore tells whether a user may use a model.
func MayScore(ctx context.Context, auth *registry.Auth, name string) (bool, error) {
	kind, err := auth.KindOfModel(ctx, name)
	if registry.IsCode(err, registry.ResourceDoesNotExist) {
		return true, nil // the answer says that there is none, as registered-models/get does
	}
	who := registry.AccessOf(ctx)
	return err == nil && who != nil && who.Allows(need(kind, name, registry.ActionRead), need(versionsOf(kind), "", registry.NotDenied)), err
}

// MayReadExperiment and MayReadRun tell whether a user may see the page of one.
func MayReadExperiment(ctx context.Context, id string) bool {
	who := registry.AccessOf(ctx)
	return who != nil && who.Allows(need(registry.OnExperiment, id, registry.ActionRead))
}

// MayReadRun tells whether a user may see a run; one that is not there is refused too.
func MayReadRun(ctx context.Context, auth *registry.Auth, id string) (bool, error) {
	who := registry.AccessOf(ctx)
	if who == nil || who.Admin() {
		return who != nil, nil
	}
	eid, err := auth.ExperimentOfRun(ctx, id)
	if err := hidden(err); err != nil {
		return false, ignoreDenied(err)
	}
	return who.Allows(child(registry.OnRun, eid, registry.ActionRead)...), nil
}

func ignoreDenied(err error) error {
	if errors.Is(err, errDenied) {
		return nil
	}
	return err
}

// MayTouchArtifact tells whether a user may act on a path below the artifact root, "<experiment id>/<run id>/artifacts/…": it belongs to the
// run, logged model or trace that the path names, else to the experiment. Deleting takes the whole tree and needs MANAGE on all that is
// below. A path that names no experiment is judged by the default permission. clean is as artifacts.CleanPath gives it.
func MayTouchArtifact(who *registry.Access, clean string, action registry.Action) bool {
	if who == nil {
		return false
	}
	parts := strings.Split(clean, "/")
	eid := parts[0]
	if eid == "" || strings.Trim(eid, "0123456789") != "" {
		return who.Admin() || who.PermissionOfGrants(registry.OnExperiment, "").Can(action)
	}
	var tiers []string
	recursive := action == registry.ActionManage
	switch {
	case len(parts) == 1 && recursive:
		tiers = []string{registry.OnRun, registry.OnTrace, registry.OnLoggedModel}
	case len(parts) == 1:
	case parts[1] == "models":
		tiers = []string{registry.OnLoggedModel}
	case parts[1] == "traces":
		tiers = []string{registry.OnTrace}
	case recursive, len(parts) > 2 && parts[2] == "artifacts", isRunID(parts[1]):
		tiers = []string{registry.OnRun}
	}
	if tiers == nil {
		return who.Allows(need(registry.OnExperiment, eid, action))
	}
	for _, tier := range tiers {
		if !who.Allows(child(tier, eid, action)...) {
			return false
		}
	}
	return true
}

func isRunID(s string) bool { return len(s) == 32 && strings.Trim(s, "0123456789abcdef") == "" }
