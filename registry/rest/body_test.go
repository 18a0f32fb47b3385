package rest_test

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prinzbox/prinzbox/registry"
	"github.com/prinzbox/prinzbox/registry/sqldb"
)

// A run's arrays are written even when empty: 1.x clients insist on them (contract/behaviours.md, section 13). The conformance test leaves empty arrays out of
// account, since MLflow does not write them.
func TestRunDataArraysAreAlwaysThere(t *testing.T) {
	b := newBackend(t, sqldb.DurabilityOff)
	run, err := b.store.CreateRun(t.Context(), registry.NewRun{ExperimentID: "0"})
	if err != nil {
		t.Fatal(err)
	}
	for path, at := range map[string]string{"mlflow/runs/get?run_id=" + run.Info.RunID: "run", "mlflow/runs/search": "runs"} {
		method, body := "GET", ""
		if at == "runs" {
			method, body = "POST", `{"experiment_ids":["0"]}`
		}
		text := string(b.do(t, method, path, body))
		for _, want := range []string{`"metrics":[]`, `"params":[]`, `"tags":[{`} {
			if !strings.Contains(text, want) {
				t.Errorf("%s: no %s in %s", path, want, text)
			}
		}
	}
}

// FuzzBody: no body makes a call panic or answer 5xx, and every answer is JSON.
func FuzzBody(f *testing.F) {
	posts := []string{
		"experiments/create", "experiments/search", "experiments/update", "experiments/set-experiment-tag", "runs/create", "runs/update", "runs/search", "runs/log-metric",
		"runs/log-parameter", "runs/log-batch", "runs/log-model", "runs/log-inputs", "runs/outputs", "runs/set-tag", "logged-models", "logged-models/search",
		"registered-models/create", "registered-models/rename", "registered-models/alias", "registered-models/get-latest-versions", "model-versions/create",
		"model-versions/transition-stage", "model-versions/set-tag",
	}
	for _, body := range []string{
		`{}`, `[]`, `null`, `"{\"name\":\"x\"}"`, `{"name":"x","tags":[{"key":"k","value":"v"}]}`, `{"name":5,"experiment_id":[]}`, `{"run_id":"a","metrics":[{"key":"m","value":"NaN","timestamp":1e3}]}`,
		`{"experiment_ids":["0"],"filter":"metrics.m > 1","order_by":["x"],"max_results":1e9}`, `{"run_id":"a","run_id":"b","runId":"c"}`, `{"a":`, "\xff\xfe", `{"name":"\ud800"}`,
		`{"experiment_id":"0","run_name":"` + strings.Repeat("x", 300) + `"}`, `{"run_id":"x","datasets":[{"dataset":{"name":"n"}},null,5]}`, strings.Repeat(`[`, 200), `{"status":99,"value":1e999}`,
		`{"run_id":"x","model_json":"{\"flavors\":5}"}`, `{"name":"m","source":"file://[::1","version":"1"}`, `{"name":"m","source":"models:/@","version":1.0}`,
	} {
		for i := range posts {
			f.Add(uint8(i), body)
		}
	}
	b := newBackend(f, sqldb.DurabilityOff)
	f.Fuzz(func(t *testing.T, which uint8, body string) {
		path := "/api/2.0/mlflow/" + posts[int(which)%len(posts)]
		r := httptest.NewRequestWithContext(t.Context(), "POST", path, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		b.handler.ServeHTTP(w, r)
		if w.Code >= 500 {
			t.Errorf("%s %q: %d %s", path, body, w.Code, w.Body)
		}
		if !json.Valid(w.Body.Bytes()) {
			t.Errorf("%s %q: no JSON: %s", path, body, w.Body)
		}
	})
}
