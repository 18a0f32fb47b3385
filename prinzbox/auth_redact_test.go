package prinzbox_test

import (
	"strings"
	"testing"
)

// What a user may see does not name what he is denied; everybody else sees it.
func TestAuthRedacts(t *testing.T) {
	_, a := twoUsers(t)
	eid := a.experiment("alice", "hers")
	run := a.must(200, "alice", "POST", "/api/2.0/mlflow/runs/create", map[string]string{"experiment_id": eid}, "run", "info", "run_id")
	model := a.must(200, "alice", "POST", "/api/2.0/mlflow/logged-models", map[string]string{"experiment_id": eid, "name": "lm", "source_run_id": run}, "model", "info", "model_id")
	a.must(200, "alice", "POST", "/api/2.0/mlflow/runs/outputs", map[string]any{"run_id": run, "models": []any{map[string]any{"model_id": model, "step": 1}}})
	a.must(200, "alice", "POST", "/api/2.0/mlflow/runs/log-metric", map[string]any{"run_id": run, "key": "auc", "value": 0.5, "timestamp": 1, "model_id": model})
	a.must(200, "alice", "POST", "/api/2.0/mlflow/registered-models/create", map[string]string{"name": "m"})
	a.must(200, "alice", "POST", "/api/2.0/mlflow/model-versions/create", map[string]string{"name": "m", "source": "s3://mlflow/x", "run_id": run, "run_link": "https://example.com/" + run})
	a.must(200, "alice", "POST", "/api/3.0/mlflow/traces", map[string]any{"trace": map[string]any{"trace_info": map[string]any{
		"trace_id": "tr-1", "request_time": "2026-01-01T00:00:00Z", "state": "OK", "trace_metadata": map[string]string{"mlflow.sourceRun": run, "mlflow.modelId": model, "other": "stays"},
		"trace_location": map[string]any{"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": map[string]string{"experiment_id": eid}},
	}}})
	calls := []struct {
		denied, method, path string
		body                 any
		hides, keeps         string
	}{
		{"run", "GET", "/api/2.0/mlflow/model-versions/get?name=m&version=1", nil, run, "s3://mlflow/x"},
		{"run", "GET", "/api/2.0/mlflow/model-versions/search", nil, run, "s3://mlflow/x"},
		{"run", "GET", "/api/2.0/mlflow/registered-models/get?name=m", nil, run, "s3://mlflow/x"},
		{"run", "GET", "/api/2.0/mlflow/registered-models/search", nil, run, "s3://mlflow/x"},
		{"run", "POST", "/graphql", map[string]string{"query": `{mlflowSearchModelVersions(input: {}) {modelVersions {source runId}}}`}, run, "s3://mlflow/x"},
		{"run", "GET", "/api/2.0/mlflow/logged-models/" + model, nil, run, "auc"},
		{"run", "POST", "/api/2.0/mlflow/logged-models/search", map[string]any{"experiment_ids": []string{eid}}, run, "auc"},
		{"run", "GET", "/api/3.0/mlflow/traces/tr-1", nil, run, "stays"},
		{"run", "POST", "/api/3.0/mlflow/traces/search", map[string]any{"locations": []any{map[string]any{"mlflow_experiment": map[string]string{"experiment_id": eid}}}}, run, "stays"},
		{"run", "GET", "/api/2.0/mlflow/traces/tr-1/info", nil, run, "stays"},
		{"logged_model", "GET", "/api/2.0/mlflow/runs/get?run_id=" + run, nil, model, "auc"},
		{"logged_model", "POST", "/api/2.0/mlflow/runs/search", map[string]any{"experiment_ids": []string{eid}}, model, "auc"},
		{"logged_model", "GET", "/api/2.0/mlflow/metrics/get-history?metric_key=auc&run_id=" + run, nil, model, "auc"},
		{"logged_model", "GET", "/api/3.0/mlflow/traces/tr-1", nil, model, "stays"},
		{"registered_model_version", "GET", "/api/2.0/mlflow/registered-models/get?name=m", nil, "s3://mlflow/x", `"m"`},
		{"registered_model_version", "GET", "/api/2.0/mlflow/registered-models/search", nil, "s3://mlflow/x", `"m"`},
	}
	open := map[int]bool{}
	for i, c := range calls {
		text := a.must(200, "bob", c.method, c.path, c.body)
		open[i] = strings.Contains(text, c.hides)
		if !strings.Contains(text, c.keeps) {
			t.Errorf("%s %s: %s", c.method, c.path, text)
		}
	}
	shown := 0
	for _, yes := range open {
		if yes {
			shown++
		}
	}
	if shown != len(calls)-1 { // get-history never tells of models
		t.Errorf("without a DENY %d of %d answers name the other: %v", shown, len(calls), open)
	}
	for _, kind := range []string{"run", "logged_model", "registered_model_version"} {
		a.deny("bob", kind, "*")
		for _, c := range calls {
			if c.denied != kind {
				continue
			}
			text := a.must(200, "bob", c.method, c.path, c.body)
			if strings.Contains(text, c.hides) || !strings.Contains(text, c.keeps) {
				t.Errorf("DENY on %s: %s %s: %s", kind, c.method, c.path, text)
			}
			if text := a.must(200, "alice", c.method, c.path, c.body); !strings.Contains(text, c.keeps) {
				t.Errorf("alice: %s", text)
			}
		}
		if kind == "run" {
			a.must(403, "bob", "GET", "/api/2.0/mlflow/model-versions/search?filter=run_id%3D%27x%27", nil)
			a.must(403, "bob", "POST", "/api/2.0/mlflow/logged-models/search", map[string]any{"experiment_ids": []string{eid}, "filter": "source_run_id = 'x'"})
		}
		a.must(200, "admin", "POST", "/api/3.0/mlflow/users/permissions/revoke", map[string]string{"username": "bob", "resource_type": kind, "resource_id": "*"})
	}
}
