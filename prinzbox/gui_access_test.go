package prinzbox_test

import (
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/prinzbox/prinzbox/prinzbox"
)

// The pages of traces, logged models, datasets, prompts and buckets show a user what MLflow's calls and his S3 key would.
func TestPagesUnderUsers(t *testing.T) {
	t.Parallel()
	_, a := twoUsers(t)
	eid := a.experiment("alice", "hers alone")
	run := a.must(200, "alice", "POST", "/api/2.0/mlflow/runs/create", map[string]string{"experiment_id": eid}, "run", "info", "run_id")
	a.must(200, "alice", "PUT", "/api/2.0/mlflow-artifacts/artifacts/"+eid+"/"+run+"/artifacts/hidden.txt", "hello")
	model := a.must(200, "alice", "POST", "/api/2.0/mlflow/logged-models", map[string]any{"experiment_id": eid, "name": "hidden-model"}, "model", "info", "model_id")
	a.must(200, "alice", "POST", "/api/3.0/mlflow/traces", map[string]any{"trace": map[string]any{"trace_info": map[string]any{
		"trace_id": "tr-hidden", "trace_location": map[string]any{"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": map[string]any{"experiment_id": eid}},
		"request_time": "2026-01-01T00:00:00Z", "state": "OK", "tags": map[string]string{"mlflow.traceName": "hidden-trace"},
	}}})
	dataset := a.must(200, "alice", "POST", "/api/3.0/mlflow/datasets/create", map[string]any{"name": "hidden-dataset", "experiment_ids": []string{eid}}, "dataset", "dataset_id")
	a.must(200, "alice", "POST", "/api/2.0/mlflow/registered-models/create", map[string]any{
		"name": "hidden-prompt", "tags": []map[string]string{{"key": "mlflow.prompt.is_prompt", "value": "true"}},
	})
	key := eid + "/" + run + "/artifacts/hidden.txt"
	object := "/s3/" + prinzbox.DefaultBucket + "/object?" + url.Values{"key": {key}}.Encode()
	pages := []string{
		"/experiments/" + eid + "/traces", "/experiments/" + eid + "/models", "/traces/tr-hidden", "/logged-models/" + model, "/datasets/" + dataset, "/prompts/hidden-prompt",
		object, "/s3/" + prinzbox.DefaultBucket + "?prefix=" + eid + "/" + run + "/",
	}
	for _, p := range pages {
		a.must(401, "", "GET", p, nil)
		a.must(200, "alice", "GET", p, nil)
		a.must(200, "bob", "GET", p, nil)
	}
	link := regexp.MustCompile(`<pre id="link"[^>]*>([^<]+)`)
	if text := a.must(200, "bob", "GET", object+"&link=1h", nil); !link.MatchString(text) {
		t.Error("bob, who may read it, gets no link")
	}
	form := url.Values{"key": {key}}.Encode()
	if resp, _ := a.ask("bob", "POST", "/s3/"+prinzbox.DefaultBucket+"/delete?"+form, nil); resp.StatusCode != 403 {
		t.Errorf("bob, who may only read, deletes: %d", resp.StatusCode)
	}
	if resp, _ := a.ask("bob", "POST", "/s3", nil); resp.StatusCode != 403 {
		t.Errorf("bob makes buckets: %d", resp.StatusCode)
	}
	a.deny("bob", "experiment", eid)
	a.deny("bob", "prompt", "hidden-prompt")
	for _, p := range append(pages, object+"&link=1h", "/s3/"+prinzbox.DefaultBucket+"/file?"+form, "/s3/"+prinzbox.DefaultBucket+"/view?"+form+".png", "/s3/"+prinzbox.DefaultBucket,
		"/logged-models/"+model+"/zip", "/logged-models/"+model+"/view?path=x.png") {
		a.must(403, "bob", "GET", p, nil)
	}
	for _, p := range []string{"/traces", "/datasets", "/prompts", "/s3"} {
		if text := a.must(200, "bob", "GET", p, nil); strings.Contains(text, "hidden-") || strings.Contains(text, "hers alone") || strings.Contains(text, prinzbox.DefaultSecretKey) {
			t.Errorf("%s shows bob what he may not see", p)
		}
		if text := a.must(200, "alice", "GET", p, nil); p != "/s3" && !strings.Contains(text, "hidden-") {
			t.Errorf("%s hides from alice what is hers", p)
		}
	}
}
