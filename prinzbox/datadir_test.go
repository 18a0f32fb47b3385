package prinzbox_test

import (
	"database/sql"
	"encoding/json"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	_ "modernc.org/sqlite"

	"github.com/prinzbox/prinzbox/prinzbox"
)

// state is what a client sees of the sample models: versions with their runs and, by key, the bytes of their files.
func state(t *testing.T, r prinzbox.Ready) string {
	t.Helper()
	out := map[string]any{}
	versions := call(t, "GET", r.TrackingURI+"/api/2.0/mlflow/model-versions/search?max_results=100", "")
	out["versions"] = versions.body
	out["experiments"] = call(t, "GET", r.TrackingURI+"/api/2.0/mlflow/experiments/search?max_results=100", "").body
	var list struct {
		Versions []struct {
			Name   string `json:"name"`
			Source string `json:"source"`
		} `json:"model_versions"`
	}
	if err := json.Unmarshal([]byte(versions.body), &list); err != nil || len(list.Versions) != len(sampleModels) {
		t.Fatalf("%d versions, want one of each model: %s (%v)", len(list.Versions), versions.body, err)
	}
	for _, v := range list.Versions {
		for _, file := range []string{"MLmodel", "model.pkl", "requirements.txt"} {
			path := strings.TrimPrefix(v.Source, "s3://mlflow/") + "/" + file
			a := call(t, "GET", r.TrackingURI+"/api/2.0/mlflow-artifacts/artifacts/"+path, "")
			if a.status != 200 {
				t.Errorf("%s: %d %s", path, a.status, a.body)
			}
			out[path] = []byte(a.body)
		}
	}
	text, err := json.Marshal(out)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// A second start on a seeded folder finds everything and adds nothing.
func TestRestartIsIdempotent(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "made", "at start")
	args := append([]string{"serve", "--data", data}, freePorts...)
	var first string
	for i := range 3 {
		p := serve(t, nil, args...)
		if p.ready.DataDir == nil || *p.ready.DataDir != data || !slices.Equal(p.ready.Seeded, sampleModels) {
			t.Errorf("ready line %s", p.line)
		}
		now := state(t, p.ready)
		if first == "" {
			first = now
		}
		if now != first {
			t.Errorf("start %d:\n%s\nstart 1:\n%s", i+1, now, first)
		}
		if a := call(t, "POST", p.ready.TrackingURI+"/MLF-ElasticnetWineModel-1/invocations", wineBody("0.415")); a.body != "[4.6280747990022935]" {
			t.Errorf("start %d: %d %s", i+1, a.status, a.body)
		}
		if i == 1 {
			p.kill(t) // the third start follows a kill -9
		} else if code, _ := p.stop(t, syscall.SIGTERM); code != 0 {
			t.Errorf("exit code %d: %s", code, p.stderr.String())
		}
	}
}

func TestNoSeed(t *testing.T) {
	t.Parallel()
	p := serve(t, nil, append([]string{"serve", "--no-seed", "--ephemeral"}, freePorts...)...)
	if !strings.Contains(p.line, `"seeded":[]`) {
		t.Errorf("ready line %s", p.line)
	}
	if a := call(t, "GET", p.ready.TrackingURI+"/api/2.0/preview/mlflow/registered-models/list", ""); a.status != 200 || strings.Contains(a.body, "MLF-") {
		t.Errorf("models: %d %s", a.status, a.body)
	}
}

func TestDataFolderIsRefused(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	args := append([]string{"serve", "--no-seed", "--data", data}, freePorts...)
	p := serve(t, nil, args...)
	refused := func(what string, words ...string) {
		t.Helper()
		code, stdout, stderr := runCommand(t, nil, args...)
		if code != 1 || stdout != "" || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%s: exit code %d, stdout %q, stderr %q", what, code, stdout, stderr)
		}
		for _, word := range append(words, data, "--data") {
			if !strings.Contains(stderr, word) {
				t.Errorf("%s: stderr %q does not say %q", what, stderr, word)
			}
		}
	}
	refused("in use", "in use by another prinzbox", p.ready.TrackingURI)
	if a := call(t, "GET", p.ready.TrackingURI+"/health", ""); a.status != 200 {
		t.Errorf("the first process: %d", a.status)
	}
	if code, _ := p.stop(t, syscall.SIGTERM); code != 0 {
		t.Fatalf("exit code %d", code)
	}

	db, err := sql.Open("sqlite", filepath.Join(data, "prinzbox.db"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("UPDATE schema_versions SET version = version + 1000"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	refused("of a newer version", "newer version")

	if err := os.WriteFile(filepath.Join(data, "prinzbox.db"), []byte(strings.Repeat("no database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	refused("damaged")

	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	data = file
	args = append([]string{"serve", "--no-seed", "--data", data}, freePorts...)
	refused("a file")
}

// The flags that must always work together, and where each artifact then lies.
func TestArtifactsDestination(t *testing.T) {
	t.Parallel()
	data, files := t.TempDir(), filepath.Join(t.TempDir(), "artifacts")
	p := serve(t, nil, append([]string{"serve", "--host", "127.0.0.1", "--data", data, "--artifacts-destination", files}, freePorts...)...)
	uri := p.ready.TrackingURI
	a := call(t, "PUT", uri+"/api/2.0/mlflow-artifacts/artifacts/7/sub/file.txt", "hello", "Content-Type", "text/plain")
	if text, err := os.ReadFile(filepath.Join(files, "7", "sub", "file.txt")); a.status != 200 || err != nil || string(text) != "hello" {
		t.Errorf("put: %d %s; on disk %q, %v", a.status, a.body, text, err)
	}
	if a := call(t, "GET", uri+"/api/2.0/mlflow-artifacts/artifacts/7/sub/file.txt", ""); a.status != 200 || a.body != "hello" {
		t.Errorf("get: %d %s", a.status, a.body)
	}

	// The files of a sample, copied to the destination, score from there.
	experiment, run := newRunAt(t, uri, "copied")
	folder := experiment + "/" + run + "/artifacts/model"
	var version struct {
		Version struct{ Source string } `json:"model_version"`
	}
	a = call(t, "GET", uri+"/api/2.0/mlflow/model-versions/get?name=MLF-ElasticnetWineModel-1&version=1", "")
	if err := json.Unmarshal([]byte(a.body), &version); err != nil {
		t.Fatal(err)
	}
	at := strings.TrimPrefix(version.Version.Source, "s3://mlflow/")
	for _, file := range []string{"MLmodel", "model.pkl"} {
		a, err := minioJavaOf(p.ready).get(t.Context(), "/mlflow/"+at+"/"+file, "/mlflow/"+at+"/"+file, "")
		if err != nil || a.status != 200 {
			t.Fatalf("%s: %d %v", file, a.status, err)
		}
		if put := call(t, "PUT", uri+"/api/2.0/mlflow-artifacts/artifacts/"+folder+"/"+file, a.body); put.status != 200 {
			t.Fatalf("%s: %d %s", file, put.status, put.body)
		}
	}
	for _, step := range []struct{ path, body string }{
		{"registered-models/create", `{"name": "copied"}`},
		{"model-versions/create", `{"name": "copied", "run_id": "` + run + `", "source": "mlflow-artifacts:/` + folder + `"}`},
	} {
		if a := call(t, "POST", uri+"/api/2.0/mlflow/"+step.path, step.body); a.status != 200 {
			t.Fatalf("%s: %d %s", step.path, a.status, a.body)
		}
	}
	if a := call(t, "POST", uri+"/copied/invocations", wineBody("0.415")); a.body != "[4.6280747990022935]" {
		t.Errorf("scoring from the folder: %d %s", a.status, a.body)
	}
	var onDisk []string
	if err := fs.WalkDir(os.DirFS(files), ".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			onDisk = append(onDisk, path)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	want := []string{folder + "/MLmodel", folder + "/model.pkl", "7/sub/file.txt"}
	slices.Sort(want)
	slices.Sort(onDisk)
	if !slices.Equal(onDisk, want) {
		t.Errorf("on disk %q, want %q", onDisk, want)
	}
}

func TestDefaultArtifactRoot(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	for root, want := range map[string]string{"s3://mlflow": "s3://mlflow/", "s3://other/below": "s3://other/below/", folder: folder + "/"} {
		// The whole line of flags.
		p := serve(t, nil, append([]string{
			"serve", "--host", "127.0.0.1", "--data", t.TempDir(), "--default-artifact-root", root, "--artifacts-destination", t.TempDir(), "--no-seed",
		}, freePorts...)...)
		experiment, run := newRunAt(t, p.ready.TrackingURI, "rooted")
		var got struct {
			Run struct {
				Info struct {
					ArtifactURI string `json:"artifact_uri"`
				} `json:"info"`
			} `json:"run"`
		}
		a := call(t, "GET", p.ready.TrackingURI+"/api/2.0/mlflow/runs/get?run_id="+run, "")
		if err := json.Unmarshal([]byte(a.body), &got); err != nil {
			t.Fatal(err)
		}
		at := got.Run.Info.ArtifactURI
		if at != want+experiment+"/"+run+"/artifacts" {
			t.Errorf("root %s: artifacts at %s", root, at)
		}
		if root == folder {
			if err := os.MkdirAll(at, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(at, "file.txt"), []byte("hello"), 0o644); err != nil {
				t.Fatal(err)
			}
			a := call(t, "GET", p.ready.TrackingURI+"/api/2.0/mlflow/artifacts/list?"+url.Values{"run_id": {run}}.Encode(), "")
			if a.status != 200 || !strings.Contains(a.body, `"file.txt"`) {
				t.Errorf("list of a local root: %d %s", a.status, a.body)
			}
			a = call(t, "GET", p.ready.TrackingURI+"/get-artifact?path=file.txt&run_id="+run, "")
			if a.status != 200 || a.body != "hello" {
				t.Errorf("get-artifact of a local root: %d %s", a.status, a.body)
			}
		}
	}
}

func TestWrongDestinations(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range map[string][]string{
		"other host": {"--artifacts-destination", "ftp://host/path"},
		"a file":     {"--artifacts-destination", file},
	} {
		code, stdout, stderr := runCommand(t, nil, slices.Concat([]string{"serve", "--ephemeral"}, freePorts, args)...)
		if code != 1 || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, args[0]) {
			t.Errorf("%q: exit code %d, stdout %q, stderr %q", args, code, stdout, stderr)
		}
	}
}
