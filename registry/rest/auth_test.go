package rest_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/prinzbox/prinzbox/registry"
	"github.com/prinzbox/prinzbox/registry/rest"
	"github.com/prinzbox/prinzbox/registry/sqldb"
)

// Whoever has no permission at all gets nothing from any call of MLflow's, but for the few that show nothing of anybody.
func TestWithoutPermissionNothing(t *testing.T) {
	b := newBackend(t, sqldb.DurabilityOff)
	auth := registry.NewAuth(b.store, registry.NoPermissions)
	if _, err := b.store.CreateUser(t.Context(), "mallory", "a-long-password", false); err != nil {
		t.Fatal(err)
	}
	engine := gin.New()
	rest.New(rest.Config{Store: b.store, Auth: auth, Artifacts: nil, MaxBody: 1 << 20, Version: "3.17.2"}).Mount(engine)

	eid, err := b.store.CreateExperiment(t.Context(), registry.NewExperiment{Name: "secret-experiment"})
	if err != nil {
		t.Fatal(err)
	}
	run, err := b.store.CreateRun(t.Context(), registry.NewRun{ExperimentID: eid, Name: "secret-run"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.store.CreateRegisteredModel(t.Context(), registry.NewRegisteredModel{Name: "secret-model"}); err != nil {
		t.Fatal(err)
	}
	fields := map[string]any{
		"experiment_id": eid, "experiment_ids": []string{eid}, "experiment_name": "secret-experiment", "new_name": "x",
		"run_id": run.Info.RunID, "run_uuid": run.Info.RunID, "run_ids": []string{run.Info.RunID},
		"key": "k", "value": "1", "timestamp": 1, "timestamp_ms": 1, "metric_key": "m", "model_json": `{"a": 1}`, "path": "p",
		"models":   []map[string]any{{"model_id": "m-1"}},
		"model_id": "m-1", "status": "READY", "name": "secret-model", "version": "1", "stage": "Production", "alias": "a", "source": "s3://b/k",
		"serialized_scorer": "{}", "trace_id": "tr-1", "request_id": "tr-1", "trace_ids": []string{"tr-1"}, "filter": "", "filter_string1": "a", "filter_string2": "a",
		"view_type": "TRACES", "metric_name": "trace_count", "aggregations": []map[string]any{{"aggregation_type": "COUNT"}},
		"locations": []map[string]any{{"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": map[string]any{"experiment_id": eid}}},
		"trace": map[string]any{"trace_info": map[string]any{"trace_id": "tr-1", "trace_location": map[string]any{
			"type":              "MLFLOW_EXPERIMENT",
			"mlflow_experiment": map[string]any{"experiment_id": eid},
		}}},
		"assessment": map[string]any{"assessment_name": "a"}, "update_mask": "rationale", "prompt_versions": []map[string]any{{"name": "p", "version": "1"}},
		"max_timestamp_millis": 1, "max_results": 10, "tags": "{}", "records": "[]", "scorer_ids": []string{"1"},
		"url": "https://example.com", "events": []map[string]any{{"entity": "MODEL_VERSION", "action": "CREATED"}},
		"prompt_template": "a", "prompt_parameters": []map[string]any{{"key": "a", "value": "b"}}, "model_route": "r", "model_input": "i", "mlflow_version": "3",
	}
	// Fields that mean another thing, or another type, in some calls.
	other := map[string]map[string]any{
		"/mlflow/logged-models/": {"tags": []map[string]any{{"key": "a", "value": "b"}}},
		"/registered-models/":    {"tags": nil}, "/model-versions/": {"tags": nil}, "/runs/create": {"tags": nil}, "/log-batch": {"tags": nil},
		"/experiments/create": {"tags": nil, "name": "hers"}, "/logged-models": {"tags": nil}, "POST 2.0 /mlflow/traces": {"tags": nil}, "PATCH 2.0 /mlflow/traces": {"tags": nil, "status": "OK"},
		"/runs/update": {"status": "FINISHED"}, "/scorers/": {"version": 1}, "/webhooks": {"status": "ACTIVE"}, "/experiments/search": {"view_type": "ALL"},
		"/registered-models/create": {"tags": nil, "name": "other"}, "/traces/search": {"filter": ""},
		"/artifacts/presigned-upload-url": {"model_id": nil}, "/runs/log-metric": {"model_id": nil}, "/presigned": {"model_id": nil},
	}
	open := map[string]bool{}
	for _, call := range []string{
		"POST 2.0 /mlflow/experiments/create", "POST 2.0 /mlflow/registered-models/create", // what one makes is one's own
		"POST 2.0 /mlflow/experiments/search", "GET 2.0 /mlflow/experiments/search", "POST 2.0 /mlflow/runs/search", "POST 2.0 /mlflow/logged-models/search",
		"GET 2.0 /mlflow/registered-models/search", "GET 2.0 /mlflow/model-versions/search", "GET 3.0 /mlflow/server-info",
		"GET 3.0 /mlflow/gateway/secrets/list", "GET 3.0 /mlflow/gateway/endpoints/list", "GET 3.0 /mlflow/gateway/endpoints/bindings/list",
		"GET 3.0 /mlflow/gateway/model-definitions/list", "GET 3.0 /mlflow/gateway/budgets/list", "GET 3.0 /mlflow/gateway/budgets/windows",
		"POST 3.0 /mlflow/issues/search",
	} {
		open[call] = true
	}
	text, err := os.ReadFile("testdata/endpoints.txt")
	if err != nil {
		t.Fatal(err)
	}
	asked := 0
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if strings.HasPrefix(line, "#") || len(f) < 4 {
			continue
		}
		method, version, path := f[1], f[2], f[3]
		call := method + " " + version + " " + path
		body := map[string]any{}
		maps.Copy(body, fields)
		for part, changes := range other {
			if strings.Contains(call, part) {
				maps.Copy(body, changes)
			}
		}
		target := "/api/" + version + path
		for strings.Contains(target, "{") {
			i, j := strings.Index(target, "{"), strings.Index(target, "}")
			target = target[:i] + "x" + target[j+1:]
		}
		var req *http.Request
		if method == "GET" {
			query := url.Values{}
			for k, v := range body {
				switch v := v.(type) {
				case string:
					query.Set(k, v)
				case []string:
					query[k] = v
				case int:
					query.Set(k, strconv.Itoa(v))
				}
			}
			req = httptest.NewRequest(method, target+"?"+query.Encode(), nil)
		} else {
			encoded, err := json.Marshal(body)
			if err != nil {
				t.Fatal(err)
			}
			req = httptest.NewRequest(method, target, strings.NewReader(string(encoded)))
			req.Header.Set("Content-Type", "application/json")
		}
		access, err := auth.Access(t.Context(), "mallory")
		if err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		engine.ServeHTTP(w, req.WithContext(registry.WithAccess(t.Context(), access)))
		answer := w.Body.String()
		switch {
		case w.Code == http.StatusNotImplemented, w.Code == http.StatusNotFound && strings.Contains(answer, "page not found"), strings.Contains(path, "mlflow-artifacts"):
			// not served, or served elsewhere
		case open[call]:
			asked++
			if w.Code >= 400 || strings.Contains(answer, "secret-") {
				t.Errorf("%s: %d %.200s", call, w.Code, answer)
			}
		case w.Code != http.StatusForbidden:
			asked++
			t.Errorf("%s: %d %.200s", call, w.Code, answer)
		default:
			asked++
		}
	}
	if asked < 90 {
		t.Errorf("only %d calls asked", asked)
	}
	// Without any user in the context nothing is answered either: whoever mounts the API must ask first.
	w := httptest.NewRecorder()
	engine.ServeHTTP(w, httptest.NewRequest("GET", "/api/2.0/mlflow/experiments/get?experiment_id="+eid, nil))
	if w.Code != http.StatusForbidden {
		t.Errorf("nobody: %d", w.Code)
	}
}

// Grants fold as MLflow's do.
func TestFold(t *testing.T) {
	b := newBackend(t, sqldb.DurabilityOff)
	ctx := t.Context()
	const read, edit = registry.PermissionRead, registry.PermissionEdit
	for i, c := range []struct {
		standard registry.Permission
		grants   string // type=pattern=level …
		need     registry.Need
		want     bool
	}{
		{read, "", registry.Need{Type: "experiment", ID: "1", Action: registry.ActionRead}, true},
		{read, "", registry.Need{Type: "experiment", ID: "1", Action: registry.ActionUpdate}, false},
		{registry.NoPermissions, "", registry.Need{Type: "experiment", ID: "1", Action: registry.ActionRead}, false},
		{read, "experiment=1=EDIT", registry.Need{Type: "experiment", ID: "1", Action: registry.ActionUpdate}, true},
		{read, "experiment=1=EDIT", registry.Need{Type: "experiment", ID: "01", Action: registry.ActionUpdate}, true},
		{read, "experiment=1=DENY", registry.Need{Type: "experiment", ID: "001", Action: registry.ActionRead}, false},
		{read, "experiment=1=EDIT", registry.Need{Type: "experiment", ID: "1", Action: registry.ActionDelete}, false},
		{read, "experiment=1=EDIT experiment=*=DENY", registry.Need{Type: "experiment", ID: "1", Action: registry.ActionRead}, false},
		{read, "experiment=1=DENY experiment=*=MANAGE", registry.Need{Type: "experiment", ID: "1", Action: registry.ActionRead}, false},
		{read, "experiment=1=DENY experiment=*=MANAGE", registry.Need{Type: "experiment", ID: "2", Action: registry.ActionDelete}, true},
		{registry.NoPermissions, "experiment=1=READ", registry.Need{Type: "experiment", ID: "1", Action: registry.ActionRead}, true},
		{edit, "experiment=1=READ", registry.Need{Type: "experiment", ID: "1", Action: registry.ActionUpdate}, true}, // never below the default
		{read, "experiment=1=MANAGE run=*=READ", registry.Need{Type: "run", Action: registry.ActionUpdate, Else: []registry.Need{{Type: "experiment", ID: "1", Action: registry.ActionUpdate}}}, false},
		{read, "run=*=MANAGE", registry.Need{Type: "run", Action: registry.ActionDelete, Else: []registry.Need{{Type: "experiment", ID: "1", Action: registry.ActionDelete}}}, true},
		{read, "", registry.Need{Type: "run", Action: registry.NotDenied}, true},
		{read, "run=*=DENY", registry.Need{Type: "run", Action: registry.NotDenied}, false},
		{read, "workspace=*=MANAGE experiment=1=DENY", registry.Need{Type: "experiment", ID: "1", Action: registry.ActionDelete}, true},
	} {
		name := fmt.Sprint("user", i)
		if _, err := b.store.CreateUser(ctx, name, "a-long-password", false); err != nil {
			t.Fatal(err)
		}
		role, err := b.store.CreateRole(ctx, name, "default", nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.store.AssignRole(ctx, name, role.ID); err != nil {
			t.Fatal(err)
		}
		for grant := range strings.FieldsSeq(c.grants) {
			g := strings.Split(grant, "=")
			if _, err := b.store.AddRolePermission(ctx, role.ID, g[0], g[1], g[2]); err != nil {
				t.Fatal(err)
			}
		}
		access, err := registry.NewAuth(b.store, c.standard).Access(ctx, name)
		if err != nil {
			t.Fatal(err)
		}
		if got := access.Allows(c.need); got != c.want {
			t.Errorf("default %s, grants %q, need %+v: %v", c.standard, c.grants, c.need, got)
		}
	}
}
