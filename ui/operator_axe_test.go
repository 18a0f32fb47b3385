package ui_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/prinzbox/prinzbox/prinzbox"
	"github.com/prinzbox/prinzbox/prinzbox/faults"
	"github.com/prinzbox/prinzbox/registry"
	"github.com/prinzbox/prinzbox/serving"
)

// TestAxeOperator is TestAxe for the pages of calls, faults and administration, which need a whole environment.
func TestAxeOperator(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: a browser takes a while")
	}
	source := axeSource(t)
	env := prinzbox.Start(t)
	if _, err := env.Faults().Add(faults.Rule{Match: faults.Match{Kind: "mlflow", Operation: "runs/get"}, Error: &faults.Error{Status: 503}}); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/api/2.0/mlflow/experiments/search?max_results=1", "/api/2.0/mlflow/runs/get?run_id=1"} {
		r := must[*http.Request](t)(http.NewRequestWithContext(t.Context(), http.MethodGet, env.TrackingURI()+path, nil))
		if err := must[*http.Response](t)(http.DefaultClient.Do(r)).Body.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := env.Snapshot(t.Context(), "one"); err != nil {
		t.Fatal(err)
	}
	run := must[registry.Run](t)(env.Store().CreateRun(t.Context(), registry.NewRun{ExperimentID: "0"}))
	if err := env.Store().DeleteRun(t.Context(), run.Info.RunID); err != nil {
		t.Fatal(err)
	}
	must[string](t)(env.Stub(t.Context(), "price", serving.Stub{Answer: json.RawMessage("1")}))
	if err := env.Store().SetRegisteredModelTag(t.Context(), "price", registry.KeyValue{Key: serving.TagCurrent, Value: "9"}); err != nil { // which is not there
		t.Fatal(err)
	}
	must[*prinzbox.Namespace](t)(env.Namespace(t.Context(), "left")).Close()
	env.IDs().Seed(1)
	b := openBrowser(t)
	for _, theme := range []string{"light", "dark"} {
		b.system(theme)
		for _, path := range []string{"/calls", "/calls?status=none", "/calls?contains=nowhere", "/calls/1", "/calls/2", "/faults", "/admin", "/admin/confirm?do=restore&name=one", "/admin/confirm?do=gc"} {
			b.open(env.TrackingURI() + path)
			axe(b, source, path+" ("+theme+")")
		}
		b.open(env.TrackingURI() + "/admin")
		b.text(`document.querySelector("form:has([value=verify]) button").click()`)
		b.until(`document.querySelector(".done") && document.readyState === "complete"`)
		axe(b, source, "verified ("+theme+")")
	}
}
