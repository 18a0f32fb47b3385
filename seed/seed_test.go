package seed

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prinzbox/prinzbox/registry"
	"github.com/prinzbox/prinzbox/registry/sqldb"
)

// environment is a real store in a temporary directory and a map for the artifacts, whose owner another package is.
type environment struct {
	Config
	mu      sync.Mutex
	objects map[string][]byte
	said    []string
}

func newEnvironment(t testing.TB) *environment {
	t.Helper()
	db, err := sqldb.Open(t.Context(), filepath.Join(t.TempDir(), "test.db"), sqldb.DurabilityOff)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	ids := 0
	now := time.UnixMilli(1_700_000_000_000)
	e := &environment{objects: map[string][]byte{}}
	clock := func() time.Time {
		e.mu.Lock()
		defer e.mu.Unlock()
		now = now.Add(time.Millisecond)
		return now
	}
	store, err := registry.Open(t.Context(), registry.Config{
		DB: db, Clock: clock, ArtifactRoot: "mlflow-artifacts:/",
		NewID: func() string { ids++; return fmt.Sprintf("%032x", ids) },
	})
	if err != nil {
		t.Fatal(err)
	}
	e.Config = Config{
		Store: store, Clock: clock,
		Put: func(_ context.Context, uri string, data []byte) error {
			e.mu.Lock()
			defer e.mu.Unlock()
			e.objects[uri] = data
			return nil
		},
		Progress: func(m string) { e.said = append(e.said, m) },
	}
	return e
}

func (e *environment) mustRun(t *testing.T) {
	t.Helper()
	names, err := Run(t.Context(), e.Config)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{WineName1, WineName2, FraudName}; !slices.Equal(names, want) {
		t.Errorf("seeded %q, want %q", names, want)
	}
}

func TestRunRegistersAllThree(t *testing.T) {
	e := newEnvironment(t)
	e.mustRun(t)
	if len(e.said) != 3 {
		t.Errorf("progress %q, want one message for each model", e.said)
	}
	wantMetrics := [][]string{{"mae", "r2", "rmse"}, {"mae", "r2", "rmse"}, {"accuracy", "f1_score", "log_loss", "precision", "recall", "roc_auc"}}
	wantData := []string{"winequality-red", "winequality-red", "payments"}
	for i, name := range []string{WineName1, WineName2, FraudName} {
		n := fmt.Sprint(i + 1)
		experiment, err := e.Store.ExperimentByName(t.Context(), "Test experiment "+n)
		if err != nil {
			t.Fatal(err)
		}
		if experiment.ID != n || experiment.ArtifactLocation != "s3://mlflow/"+n {
			t.Errorf("experiment %s at %s, want %s at s3://mlflow/%s", experiment.ID, experiment.ArtifactLocation, n, n)
		}
		model, err := e.Store.RegisteredModel(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		if model.Description == nil || *model.Description == "" {
			t.Errorf("%s has no description", name)
		}
		if want := []registry.Alias{{Alias: "champion", Version: "1"}}; !slices.Equal(model.Aliases, want) {
			t.Errorf("%s has aliases %v, want %v", name, model.Aliases, want)
		}
		if len(model.LatestVersions) != 1 {
			t.Fatalf("%s has versions %v, want one", name, model.LatestVersions)
		}
		v := model.LatestVersions[0]
		run, err := e.Store.Run(t.Context(), v.RunID)
		if err != nil {
			t.Fatal(err)
		}
		if want := "s3://mlflow/" + n + "/" + v.RunID + "/artifacts/model"; v.Source != want || v.Status != "READY" || v.Version != "1" {
			t.Errorf("%s has version %+v, want READY version 1 at %s", name, v, want)
		}
		if run.Info.Status != registry.RunFinished || run.Info.EndTime == nil || run.Info.UserID == "" || run.Info.ExperimentID != n {
			t.Errorf("%s has run %+v", name, run.Info)
		}
		if data := run.Inputs.DatasetInputs; len(data) != 1 || data[0].Dataset.Name != wantData[i] || data[0].Tags[0].Value != "training" || len(data[0].Dataset.Digest) != 8 ||
			!strings.Contains(*data[0].Dataset.Schema, `{"mlflow_colspec":[{"name":"`) || !strings.Contains(*data[0].Dataset.Profile, `"num_rows":`) {
			t.Errorf("%s was trained on %+v", name, data)
		}
		var metrics []string
		for _, m := range run.Data.Metrics {
			metrics = append(metrics, m.Key)
		}
		if !slices.Equal(metrics, wantMetrics[i]) {
			t.Errorf("%s has metrics %q, want %q", name, metrics, wantMetrics[i])
		}
		for _, key := range []string{registry.TagSourceName, registry.TagSourceType, registry.TagUser, registry.TagRunName, registry.TagModelHistory} {
			if !slices.ContainsFunc(run.Data.Tags, func(t registry.KeyValue) bool { return t.Key == key && t.Value != "" }) {
				t.Errorf("%s: its run has no tag %s", name, key)
			}
		}
		for _, file := range []string{"MLmodel", "model.pkl", "conda.yaml", "python_env.yaml", "requirements.txt", "input_example.json", "serving_input_example.json"} {
			if len(e.objects[v.Source+"/"+file]) == 0 {
				t.Errorf("%s: no artifact %s", name, file)
			}
		}
		if text := string(e.objects[v.Source+"/MLmodel"]); !strings.Contains(text, "run_id: "+v.RunID) {
			t.Errorf("%s: MLmodel names another run:\n%s", name, text)
		}
	}
	if len(e.objects) != 21 {
		t.Errorf("%d artifacts, want 21", len(e.objects))
	}
}

func TestRunAgainChangesNothing(t *testing.T) {
	e := newEnvironment(t)
	e.mustRun(t)
	before, err := e.Store.RegisteredModel(t.Context(), WineName1)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Store.DeleteAlias(t.Context(), WineName1, Alias); err != nil {
		t.Fatal(err)
	}
	e.Put = func(_ context.Context, uri string, _ []byte) error {
		return errors.New("nothing is to be stored: " + uri)
	}
	e.FraudData = failingReader{}
	e.said = nil
	e.mustRun(t)
	after, err := e.Store.RegisteredModel(t.Context(), WineName1)
	if err != nil {
		t.Fatal(err)
	}
	if after.LastUpdated != before.LastUpdated || len(after.Aliases) != 0 || len(e.said) != 0 {
		t.Errorf("a second seed changed %+v to %+v and said %q", before, after, e.said)
	}
}

type failingReader struct{}

func (failingReader) Read([]byte) (int, error) { return 0, errors.New("not to be read") }

// A seed that dies after any number of stored files is finished by the next one, to the same end.
func TestRunFinishesWhatWasCutShort(t *testing.T) {
	whole := newEnvironment(t)
	whole.mustRun(t)
	for _, survive := range []int{0, 5, 13, 20} {
		e := newEnvironment(t)
		put := e.Put
		var mu sync.Mutex
		stored := 0
		e.Put = func(ctx context.Context, uri string, data []byte) error {
			mu.Lock()
			defer mu.Unlock()
			if stored++; stored > survive {
				return errors.New("killed")
			}
			return put(ctx, uri, data)
		}
		if _, err := Run(t.Context(), e.Config); err == nil {
			t.Fatalf("seed succeeded although only %d files could be stored", survive)
		}
		e.Put = put
		e.mustRun(t)
		if !maps.EqualFunc(e.objects, whole.objects, slices.Equal) {
			t.Errorf("cut after %d files: the artifacts differ from those of one go", survive)
		}
		for _, name := range []string{WineName1, WineName2, FraudName} {
			m, err := e.Store.RegisteredModel(t.Context(), name)
			if err != nil {
				t.Fatal(err)
			}
			if len(m.LatestVersions) != 1 || m.LatestVersions[0].Version != "1" || len(m.Aliases) != 1 {
				t.Errorf("cut after %d files: %s became %+v", survive, name, m)
			}
		}
	}
}

// A process can also die between two steps in the store; undoing the later steps by hand gives the same states.
func TestRunFinishesRegistration(t *testing.T) {
	for name, undo := range map[string]func(context.Context, *registry.Store) error{
		"no alias": func(ctx context.Context, s *registry.Store) error { return s.DeleteAlias(ctx, FraudName, Alias) },
		"no version": func(ctx context.Context, s *registry.Store) error {
			return s.DeleteModelVersion(ctx, FraudName, "1")
		},
		"no model": func(ctx context.Context, s *registry.Store) error { return s.DeleteRegisteredModel(ctx, FraudName) },
		"deleted run": func(ctx context.Context, s *registry.Store) error {
			return errors.Join(s.DeleteRegisteredModel(ctx, FraudName), s.DeleteRun(ctx, runID(FraudName)))
		},
		"deleted experiment": func(ctx context.Context, s *registry.Store) error {
			return errors.Join(s.DeleteRegisteredModel(ctx, FraudName), s.DeleteExperiment(ctx, "3"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEnvironment(t)
			e.mustRun(t)
			if err := e.Store.DeleteTag(t.Context(), runID(FraudName), tagComplete); err != nil {
				t.Fatal(err)
			}
			if err := undo(t.Context(), e.Store); err != nil {
				t.Fatal(err)
			}
			e.mustRun(t)
			m, err := e.Store.RegisteredModel(t.Context(), FraudName)
			if err != nil {
				t.Fatal(err)
			}
			if len(m.LatestVersions) != 1 || len(m.Aliases) != 1 || m.Aliases[0].Version != m.LatestVersions[0].Version {
				t.Errorf("left as %+v", m)
			}
			run, err := e.Store.Run(t.Context(), runID(FraudName))
			if err != nil {
				t.Fatal(err)
			}
			if run.Info.LifecycleStage != registry.StageActive || !complete(run) {
				t.Errorf("run left as %+v", run.Info)
			}
		})
	}
}

func TestRunLeavesUsersModelAlone(t *testing.T) {
	e := newEnvironment(t)
	if _, err := e.Store.CreateRegisteredModel(t.Context(), registry.NewRegisteredModel{Name: WineName2}); err != nil {
		t.Fatal(err)
	}
	e.mustRun(t)
	m, err := e.Store.RegisteredModel(t.Context(), WineName2)
	if err != nil {
		t.Fatal(err)
	}
	if len(m.LatestVersions) != 0 || m.Description != nil {
		t.Errorf("the user's model became %+v", m)
	}
}

func TestRunTrainsOnUsersPayments(t *testing.T) {
	var table strings.Builder
	payments := MadePayments()[:4000]
	if err := WriteBankSim(&table, payments); err != nil {
		t.Fatal(err)
	}
	e := newEnvironment(t)
	e.FraudData = strings.NewReader(table.String())
	e.mustRun(t)
	run, err := e.Store.Run(t.Context(), runID(FraudName))
	if err != nil {
		t.Fatal(err)
	}
	if want := (registry.KeyValue{Key: "training_rows", Value: "3000"}); !slices.Contains(run.Data.Params, want) {
		t.Errorf("params %v lack %v", run.Data.Params, want)
	}

	// The model is deleted and the next start is without the user's table: a run's params cannot change.
	if err := e.Store.DeleteRegisteredModel(t.Context(), FraudName); err != nil {
		t.Fatal(err)
	}
	e.FraudData = nil
	if _, err := Run(t.Context(), e.Config); err == nil || !strings.Contains(err.Error(), "trained on other data") {
		t.Errorf("error %v, want one that says that the data is another", err)
	}
}

func TestRunTellsWhatIsWrongWithUsersPayments(t *testing.T) {
	e := newEnvironment(t)
	e.FraudData = strings.NewReader("age,gender\n")
	_, err := Run(t.Context(), e.Config)
	if err == nil || !strings.Contains(err.Error(), `no column "category"`) {
		t.Errorf("error %v, want one that names the column", err)
	}
}

// The same bytes on every machine: a change here is a change of the models that users see, and must be meant.
func TestModelsAreBitIdentical(t *testing.T) {
	want := map[string]string{WineName1: "8786efe85f851527", WineName2: "2b55cd14c2575848", FraudName: "94fd8e232e14b137"}
	got := map[string]string{}
	for _, s := range (&Config{}).samples() {
		first, err := s.train()
		if err != nil {
			t.Fatal(err)
		}
		second, err := s.train()
		if err != nil {
			t.Fatal(err)
		}
		if !maps.EqualFunc(first.Files, second.Files, slices.Equal) || !maps.Equal(first.Metrics, second.Metrics) || !maps.Equal(first.Tags, second.Tags) {
			t.Errorf("%s: trained twice, with two results", s.name)
		}
		hash := sha256.New()
		for _, name := range slices.Sorted(maps.Keys(first.Files)) {
			_, _ = fmt.Fprintf(hash, "%s %d\n", name, len(first.Files[name]))
			hash.Write(first.Files[name])
		}
		got[s.name] = hex.EncodeToString(hash.Sum(nil)[:8])
	}
	if !maps.Equal(got, want) {
		t.Errorf("digests of the model directories: %v, want %v", got, want)
	}
}

func BenchmarkRun(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		e := newEnvironment(b)
		b.StartTimer()
		if _, err := Run(b.Context(), e.Config); err != nil {
			b.Fatal(err)
		}
	}
}

// TestChosen makes one sample of other synthetic data than the usual.
func TestChosen(t *testing.T) {
	usual, other, again := MadePayments(), madePayments(7), madePayments(7)
	if !slices.Equal(other, again) || slices.Equal(usual, other) {
		t.Error("the same number should give the same payments, another one others")
	}
	cfg := Config{Models: []string{FraudName, "nobody"}}
	if _, err := Run(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), `no sample "nobody"`) {
		t.Errorf("error %v", err)
	}
}
