package prinzbox_test

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prinzbox/prinzbox/prinzbox"
)

// With artifacts in a folder, a version answers once its files are there, and anew when they are replaced, though the store
// hears of neither.
func TestScoringFollowsFilesInAFolder(t *testing.T) {
	dir := t.TempDir()
	env, err := prinzbox.Open(context.WithoutCancel(t.Context()), prinzbox.Config{Seed: true, ArtifactsDestination: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer env.Close() //nolint:errcheck // nothing is kept
	api := env.TrackingURI() + "/api/2.0/mlflow"
	call := func(url, body string) string {
		t.Helper()
		resp, err := http.Post(url, "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	between := func(text, from, to string) string {
		_, text, _ = strings.Cut(text, from)
		text, _, _ = strings.Cut(text, to)
		return text
	}
	experiment := between(call(api+"/experiments/create", `{"name":"folder"}`), `"experiment_id":"`, `"`)
	run := call(api+"/runs/create", `{"experiment_id":"`+experiment+`"}`)
	id, root := between(run, `"run_id":"`, `"`), between(run, `"artifact_uri":"`, `"`)
	call(api+"/registered-models/create", `{"name":"late"}`)
	call(api+"/model-versions/create", `{"name":"late","run_id":"`+id+`","source":"`+root+`/model"}`)
	score := func(want string) {
		t.Helper()
		got := call(env.TrackingURI()+"/late/invocations", `{"columns":["fixed acidity","volatile acidity","citric acid","residual sugar","chlorides","free sulfur dioxide",
			"total sulfur dioxide","density","pH","sulphates","alcohol"],"data":[[0.415,0.415,0.415,0.415,0.415,0.415,0.415,0.415,0.415,0.415,0.415]]}`)
		if !strings.Contains(got, want) {
			t.Errorf("got %.200s, want %s", got, want)
		}
	}
	place := func(model string) {
		t.Helper()
		m, err := env.Store().ModelVersion(t.Context(), model, "1")
		if err != nil {
			t.Fatal(err)
		}
		_, key, _ := strings.Cut(m.Source, "s3://mlflow/")
		target := filepath.Join(dir, experiment, id, "artifacts", "model")
		if err := os.MkdirAll(target, 0o700); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"MLmodel", "model.pkl"} {
			r, err := env.Objects().Open(t.Context(), "mlflow", key+"/"+name)
			if err != nil {
				t.Fatal(err)
			}
			data, err := io.ReadAll(r)
			_ = r.Close()
			if err == nil {
				err = os.WriteFile(filepath.Join(target, name), data, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	score("RESOURCE_DOES_NOT_EXIST")
	place("MLF-ElasticnetWineModel-2")
	score("5.")
	place("MLF-ElasticnetWineModel-1")
	score("4.6280747990022")
}

// The samples have their own bucket, also when the default one has another name.
func TestSeedWithAnotherBucket(t *testing.T) {
	env, err := prinzbox.Open(context.WithoutCancel(t.Context()), prinzbox.Config{Seed: true, Bucket: "other"})
	if err != nil {
		t.Fatal(err)
	}
	defer env.Close() //nolint:errcheck // nothing is kept
	if len(env.Ready().Seeded) != 3 {
		t.Errorf("seeded %v", env.Ready().Seeded)
	}
}
