package prinzbox

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prinzbox/prinzbox/artifacts"
	"github.com/prinzbox/prinzbox/registry"
)

// upkeep is an environment in a folder, with a namespace beside it, and commands for both.
type upkeep struct {
	*testing.T
	env  *Env
	data string
}

func newUpkeep(t *testing.T) *upkeep {
	t.Helper()
	data := t.TempDir()
	return &upkeep{t, Start(t, func(c *Config) { c.Data, c.Seed = data, false }), data}
}

// deleted makes a run with a file of 64 KiB, and deletes the run.
func (u *upkeep) deleted(s *space) string {
	u.Helper()
	r, err := s.Store().CreateRun(u.Context(), registry.NewRun{ExperimentID: "0"})
	if err != nil {
		u.Fatal(err)
	}
	if err := s.world().files.put(u.Context(), r.Info.ArtifactURI+"/a.bin", bytes.NewReader(make([]byte, 64<<10)), 64<<10); err != nil {
		u.Fatal(err)
	}
	if err := s.Store().DeleteRun(u.Context(), r.Info.RunID); err != nil {
		u.Fatal(err)
	}
	return r.Info.RunID
}

func (u *upkeep) cli(want int, args ...string) string {
	u.Helper()
	var stdout, stderr bytes.Buffer
	if code := run(u.Context(), args, strings.NewReader(""), &stdout, &stderr); code != want {
		u.Errorf("%v: exit code %d, not %d: %s%s", args, code, want, &stdout, &stderr)
	}
	return stdout.String() + stderr.String()
}

// post calls an operation of the control API.
func (u *upkeep) post(s *space, path, body string, want int, out any) {
	u.Helper()
	resp, err := http.Post(s.TrackingURI()+ControlPrefix+path, "application/json", strings.NewReader(body))
	if err != nil {
		u.Fatal(err)
	}
	defer resp.Body.Close()
	var text bytes.Buffer
	if _, err := text.ReadFrom(resp.Body); err != nil || resp.StatusCode != want {
		u.Fatalf("%s %s: %d %s %v", path, body, resp.StatusCode, &text, err)
	}
	if err := json.Unmarshal(text.Bytes(), out); err != nil {
		u.Fatal(err)
	}
}

// gc is one operation, by the API, by commands and in Go, here and in a namespace; neither sees the other's.
func TestGCOfARunningEnvironment(t *testing.T) {
	t.Parallel()
	u := newUpkeep(t)
	ns, err := u.env.Namespace(t.Context(), "beside")
	if err != nil {
		t.Fatal(err)
	}
	defer ns.Close()
	here, there := u.deleted(u.env.space), u.deleted(ns.space)
	type collected struct {
		Runs, Experiments int
		Removed           []struct{ Kind, ID string }
	}
	var got collected
	u.post(u.env.space, "/gc", `{"older_than": "1d"}`, 200, &got)
	if got.Runs != 0 || got.Removed == nil || len(got.Removed) != 0 {
		t.Errorf("of yesterday: %+v", got)
	}
	u.post(u.env.space, "/gc", `{"run_ids": []}`, 200, &got)
	if got.Runs != 0 {
		t.Errorf("none chosen: %+v", got)
	}
	if u.post(u.env.space, "/gc", `{"dry_run": true}`, 200, &got); got.Runs != 1 || got.Removed[0].ID != here {
		t.Errorf("dry: %+v", got)
	}
	if said, want := u.cli(0, "gc", "--data", u.data, "--dry-run"), "Run with ID "+here+" would be permanently deleted.\n"; said != want {
		t.Errorf("the command says %q, not %q", said, want)
	}
	for body, says := range map[string]string{
		`{"older_than": "old"}`: "older_than: could not parse", `{"run_ids": ["` + there + `"]}`: "There is no run", `{"older": "1d"}`: "older_than", `{"older_than": "99999999d"}`: "a hundred years",
	} {
		var refused struct{ Message string }
		status := 400
		if strings.Contains(body, there) {
			status = 404
		}
		if u.post(u.env.space, "/gc", body, status, &refused); !strings.Contains(refused.Message, says) {
			t.Errorf("%s: %s", body, refused.Message)
		}
	}
	u.post(ns.space, "/gc", ``, 200, &got)
	if got.Runs != 1 || len(got.Removed) != 1 || got.Removed[0].ID != there || got.Removed[0].Kind != "run" {
		t.Errorf("the namespace's: %+v", got)
	}
	if _, err := u.env.Store().Run(t.Context(), here); err != nil {
		t.Errorf("the environment's own run: %v", err)
	}
	// The folder's environment runs: it does the work.
	if said, want := u.cli(0, "gc", "--data", u.data), "Run with ID "+here+" has been permanently deleted.\n"; said != want {
		t.Errorf("the command says %q, not %q", said, want)
	}
	there = u.deleted(ns.space)
	got = collected{}
	if err := json.Unmarshal([]byte(u.cli(0, "gc", "--data", u.data, "--namespace", "beside", "-o", "json")), &got); err != nil || got.Runs != 1 || got.Removed[0].ID != there {
		t.Errorf("%+v %v", got, err)
	}
	there = u.deleted(ns.space)
	if said := u.cli(0, "gc", "--url", ns.TrackingURI(), "--run-ids", there); !strings.Contains(said, there) {
		t.Error(said)
	}
	if said := u.cli(1, "gc", "--url", ns.TrackingURI(), "--run-ids", there); !strings.Contains(said, "There is no run") {
		t.Error(said)
	}
	u.cli(2, "gc", "--data", u.data, "--older-than", "old")
	if said := u.cli(1, "gc", "--data", t.TempDir(), "--namespace", "beside"); !strings.Contains(said, "only a running environment has namespaces") {
		t.Error(said)
	}
}

func TestVerifyOfARunningEnvironment(t *testing.T) {
	t.Parallel()
	u := newUpkeep(t)
	ns, err := u.env.Namespace(t.Context(), "beside")
	if err != nil {
		t.Fatal(err)
	}
	defer ns.Close()
	u.deleted(ns.space)
	type verified struct {
		OK       bool
		Contents int
		Bytes    int64
		Damaged  int
		Damage   []artifacts.Damage
	}
	var got verified
	if u.post(u.env.space, "/verify", "", 200, &got); !got.OK || got.Contents != 0 || got.Damage == nil {
		t.Errorf("empty: %+v", got)
	}
	if u.post(ns.space, "/verify", "", 200, &got); !got.OK || got.Contents != 1 || got.Bytes != 64<<10 {
		t.Errorf("the namespace: %+v", got)
	}
	if said := u.cli(0, "verify", "--data", u.data, "--namespace", "beside"); !strings.Contains(said, "1 contents, 64.0 KiB: all as they were stored") {
		t.Error(said)
	}
	err = filepath.WalkDir(ns.world().dir, func(path string, d fs.DirEntry, err error) error {
		if info, statErr := os.Stat(path); err != nil || statErr != nil || d.IsDir() || info.Size() != 64<<10 {
			return err
		}
		return os.WriteFile(path, bytes.Repeat([]byte{1}, 64<<10), 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
	if u.post(ns.space, "/verify", "", 200, &got); got.OK || got.Damaged != 1 || len(got.Damage) != 1 || !strings.HasSuffix(got.Damage[0].Objects[0].Key, "/a.bin") {
		t.Errorf("damaged: %+v", got)
	}
	found := 0
	if report, err := ns.Verify(t.Context(), func(artifacts.Damage) { found++ }); err != nil || report.Damaged != 1 || found != 1 {
		t.Errorf("in Go: %+v, %d, %v", report, found, err)
	}
	if said := u.cli(1, "verify", "--url", ns.TrackingURI()); !strings.Contains(said, "the bytes are not those that were stored") || !strings.Contains(said, "1 damaged") {
		t.Error(said)
	}
	if said := u.cli(1, "verify", "--url", ns.TrackingURI(), "--json"); json.Unmarshal([]byte(said), &got) != nil || got.OK {
		t.Error(said)
	}
	if said := u.cli(0, "verify", "--data", u.data, "-o", "json"); !strings.Contains(said, `"ok":true`) {
		t.Error(said)
	}
}

// The list of stubs has what answers, and nothing else.
func TestStubList(t *testing.T) {
	t.Parallel()
	u := newUpkeep(t)
	if _, err := u.env.Store().CreateRegisteredModel(t.Context(), registry.NewRegisteredModel{Name: "plain"}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		u.cli(0, "stub", "price", "--answer", "9.5", "--data", u.data)
	}
	said := u.cli(0, "stub", "--list", "--data", u.data)
	if !strings.Contains(said, "price") || !strings.Contains(said, `{"answer":9.5}`) || strings.Contains(said, "plain") || strings.Count(said, "\n") != 3 {
		t.Error(said)
	}
	if said := u.cli(0, "stub", "price", "--answer", "1", "--data", u.data, "--namespace", "other"); !strings.Contains(said, "Version 1 of price answers at "+u.env.TrackingURI()+"/ns/other/price/invocations") {
		t.Error(said)
	}
}

// Commands go where they are told, then where MLflow's clients go, then to the folder that is the default.
func TestCommandsFindTheEnvironment(t *testing.T) {
	u, other := newUpkeep(t), Start(t, func(c *Config) { c.Seed = false })
	status := func(want string, args ...string) {
		t.Helper()
		if said := u.cli(0, append([]string{"status"}, args...)...); !strings.Contains(said, want) {
			t.Errorf("%v: %s", args, said)
		}
	}
	status(u.env.TrackingURI(), "--data", u.data)
	t.Setenv("MLFLOW_TRACKING_URI", other.TrackingURI())
	status(other.TrackingURI())
	status(u.env.TrackingURI(), "--data", u.data)
	status(u.env.TrackingURI(), "--url", u.env.TrackingURI()+"/")
	t.Setenv("MLFLOW_TRACKING_TOKEN", "ns:left")
	status("/ns/left")
	t.Setenv("MLFLOW_TRACKING_TOKEN", "")
	t.Setenv("PRINZBOX_DATA", u.data)
	status(u.env.TrackingURI())
	t.Setenv("PRINZBOX_URL", other.TrackingURI())
	status(other.TrackingURI())
	t.Setenv("PRINZBOX_URL", "")
	t.Setenv("PRINZBOX_DATA", t.TempDir())
	if said := u.cli(1, "status"); !strings.Contains(said, "nothing runs in") {
		t.Error(said)
	}
	t.Setenv("PRINZBOX_DATA", "")
	t.Setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
	if said := u.cli(1, "status"); !strings.Contains(said, "that MLFLOW_TRACKING_URI names does not answer") {
		t.Error(said)
	}
	t.Setenv("MLFLOW_TRACKING_URI", "sqlite:///m.db")
	t.Chdir(t.TempDir())
	if said := u.cli(1, "status"); !strings.Contains(said, "nothing runs in") {
		t.Error(said)
	}
	if said := u.cli(2, "status", "--url", "localhost:5000"); !strings.Contains(said, "http://HOST:PORT") {
		t.Error(said)
	}
}
