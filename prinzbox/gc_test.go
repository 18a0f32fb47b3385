package prinzbox

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prinzbox/prinzbox/registry"
)

func TestParseAge(t *testing.T) {
	for text, want := range map[string]time.Duration{"": 0, "8h": 8 * time.Hour, "2d8h5m20s": 56*time.Hour + 5*time.Minute + 20*time.Second, "1.5m": 90 * time.Second} {
		if got, err := parseAge(text); err != nil || got != want {
			t.Errorf("%q: %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"x", "5", "1h2d", "1..2h", "-1d"} {
		if got, err := parseAge(text); err == nil {
			t.Errorf("%q passed as %v", text, got)
		}
	}
}

// gc takes what is deleted, artifacts included, and nothing else.
func TestGC(t *testing.T) {
	now := time.UnixMilli(1_700_000_000_000)
	env := Start(t, func(c *Config) { c.Seed = false; c.Clock = func() time.Time { return now } })
	ctx, store := t.Context(), env.Store()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	gone, err := store.CreateExperiment(ctx, registry.NewExperiment{Name: "gone"})
	must(err)
	run := func(experiment string) registry.Run {
		t.Helper()
		r, err := store.CreateRun(ctx, registry.NewRun{ExperimentID: experiment})
		must(err)
		must(store.LogParam(ctx, r.Info.RunID, registry.KeyValue{Key: "p", Value: "1"}))
		must(env.world().files.put(ctx, r.Info.ArtifactURI+"/a.txt", strings.NewReader("a"), 1))
		return r
	}
	kept, old, fresh, inside := run("0"), run("0"), run("0"), run(gone)
	must(store.DeleteRun(ctx, old.Info.RunID))
	now = now.Add(time.Hour)
	must(store.DeleteRun(ctx, fresh.Info.RunID))
	must(store.DeleteExperiment(ctx, gone))

	collect := func(o registry.GCOptions) (string, error) {
		var names []string
		err := env.GC(ctx, o, func(g registry.Garbage) { names = append(names, g.Kind+" "+g.ID) })
		return strings.Join(names, ", "), err
	}
	if _, err := collect(registry.GCOptions{RunIDs: []string{kept.Info.RunID}}); !registry.IsCode(err, registry.InvalidParameterValue) {
		t.Errorf("an active run: %v", err)
	}
	if _, err := collect(registry.GCOptions{RunIDs: []string{"nope"}}); !registry.IsCode(err, registry.ResourceDoesNotExist) {
		t.Errorf("an unknown run: %v", err)
	}
	if got, err := collect(registry.GCOptions{OlderThan: (30 * time.Minute).Milliseconds()}); err != nil || got != "run "+old.Info.RunID {
		t.Errorf("older than 30 minutes: %q, %v", got, err)
	}
	want := "run " + fresh.Info.RunID + ", run " + inside.Info.RunID + ", experiment " + gone
	if got, err := collect(registry.GCOptions{}); err != nil || got != want {
		t.Errorf("the rest: %q, %v; want %q", got, err, want)
	}
	for _, r := range []registry.Run{old, fresh, inside} {
		if _, err := store.Run(ctx, r.Info.RunID); !registry.IsCode(err, registry.ResourceDoesNotExist) {
			t.Errorf("run %s: %v", r.Info.RunID, err)
		}
		if files, err := env.world().files.list(ctx, r.Info.ArtifactURI, ""); err != nil || len(files) > 0 {
			t.Errorf("artifacts of %s: %v, %v", r.Info.RunID, files, err)
		}
	}
	if files, err := env.world().files.list(ctx, kept.Info.ArtifactURI, ""); err != nil || len(files) != 1 {
		t.Errorf("artifacts of the kept run: %v, %v", files, err)
	}
	if again, err := store.CreateExperiment(ctx, registry.NewExperiment{Name: "gone"}); err != nil {
		t.Errorf("the name is not free again: %s, %v", again, err)
	}
}

// The file traces.json that a 2.x client uploads goes with its trace, and with its experiment under gc; a tag that points elsewhere leads nowhere.
func TestTraceFilesGo(t *testing.T) {
	env := Start(t, func(c *Config) { c.Seed = false })
	ctx, store := t.Context(), env.Store()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	experiment, err := store.CreateExperiment(ctx, registry.NewExperiment{Name: "traced"})
	must(err)
	start := func() (id, location string) {
		t.Helper()
		info, err := store.StartTraceV2(ctx, registry.NewTraceV2{ExperimentID: experiment, Timestamp: 1})
		must(err)
		location = info.Tags[registry.TagArtifactLocation]
		must(env.world().files.put(ctx, location+"/traces.json", strings.NewReader("{}"), 2))
		return info.TraceID, location
	}
	has := func(location string) bool {
		t.Helper()
		files, err := env.world().files.list(ctx, location, "")
		must(err)
		return len(files) == 1
	}
	kept, keptAt := start()
	gone, goneAt := start()
	must(store.SetTraceTag(ctx, gone, registry.KeyValue{Key: registry.TagArtifactLocation, Value: keptAt}))
	body := `{"experiment_id": "` + experiment + `", "request_ids": ["` + gone + `"]}`
	resp, err := http.Post(env.TrackingURI()+"/api/2.0/mlflow/traces/delete-traces", "application/json", strings.NewReader(body))
	must(err)
	answer, err := io.ReadAll(resp.Body)
	must(errors.Join(err, resp.Body.Close()))
	if resp.StatusCode != http.StatusOK || !strings.Contains(string(answer), `"traces_deleted":1`) {
		t.Fatalf("delete-traces: %d %s", resp.StatusCode, answer)
	}
	if has(goneAt) || !has(keptAt) {
		t.Errorf("after the deletion of one: files of the deleted trace %v, of %s %v", has(goneAt), kept, has(keptAt))
	}
	must(store.DeleteExperiment(ctx, experiment))
	must(env.GC(ctx, registry.GCOptions{}, func(registry.Garbage) {}))
	if has(keptAt) {
		t.Error("gc left the files of an experiment's trace")
	}
}
