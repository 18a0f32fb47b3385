package prinzbox_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/prinzbox/prinzbox/prinzbox"
	"github.com/prinzbox/prinzbox/registry"
)

// models gives the names of the registered models, as a client sees them.
func models(t testing.TB, uri string) string {
	t.Helper()
	a := call(t, "GET", uri+"/api/2.0/mlflow/registered-models/search", "")
	if a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	var found struct {
		Models []struct{ Name string } `json:"registered_models"`
	}
	if err := json.Unmarshal([]byte(a.body), &found); err != nil {
		t.Fatal(err)
	}
	names := make([]string, 0, len(found.Models))
	for _, m := range found.Models {
		names = append(names, m.Name)
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

func createModel(t testing.TB, uri, name string) {
	t.Helper()
	if a := call(t, "POST", uri+"/api/2.0/mlflow/registered-models/create", `{"name": "`+name+`"}`); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
}

// putArtifact stores a file through the artifact proxy; it is larger than what lies in rows.
func putArtifact(t testing.TB, uri, path, text string) {
	t.Helper()
	a := call(t, "PUT", uri+"/api/2.0/mlflow-artifacts/artifacts/"+path, strings.Repeat(text, 10_000), "Content-Type", "application/octet-stream")
	if a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
}

func artifact(t testing.TB, uri, path string) string {
	t.Helper()
	a := call(t, "GET", uri+"/api/2.0/mlflow-artifacts/artifacts/"+path, "")
	if a.status == 404 {
		return ""
	}
	if a.status != 200 || len(a.body) == 0 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	return a.body[:len(a.body)/10_000]
}

func TestReset(t *testing.T) {
	t.Parallel()
	env := prinzbox.Start(t)
	uri := env.TrackingURI()
	seeded := models(t, uri)
	if strings.Count(seeded, "MLF-") != 3 {
		t.Fatalf("models: %s", seeded)
	}
	for round := range 3 {
		createModel(t, uri, "mine")
		putArtifact(t, uri, "mine.bin", "m")
		before := env.Store()
		if err := env.Reset(t.Context(), prinzbox.Seeded); err != nil {
			t.Fatal(err)
		}
		if got := models(t, uri); got != seeded {
			t.Errorf("round %d: after a reset to seeded: %s", round, got)
		}
		if got := artifact(t, uri, "mine.bin"); got != "" {
			t.Errorf("an artifact outlived the reset: %q", got)
		}
		if a := call(t, "POST", uri+"/MLF-FraudDetection-3/invocations", fraudBody("F", "800.0")); a.body != "[1]" {
			t.Errorf("scoring: %d %s", a.status, a.body)
		}
		if before == env.Store() {
			t.Error("the store is that of before")
		}
		createModel(t, uri, "mine")
		if err := env.Reset(t.Context(), prinzbox.Empty); err != nil {
			t.Fatal(err)
		}
		if got := models(t, uri); got != "" {
			t.Errorf("after a reset to empty: %s", got)
		}
		if got := env.Ready().Seeded; len(got) != 0 {
			t.Errorf("ready line of an empty environment: %v", got)
		}
		putArtifact(t, uri, "a.bin", "a") // the bucket is there
	}
	if err := env.Reset(t.Context(), "half"); err == nil || !strings.Contains(err.Error(), "use seeded or empty") {
		t.Errorf("unknown state: %v", err)
	}
}

func TestSnapshotAndRestore(t *testing.T) {
	t.Parallel()
	env := prinzbox.Start(t)
	uri, ctx := env.TrackingURI(), t.Context()
	createModel(t, uri, "first")
	putArtifact(t, uri, "first.bin", "1")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(env.Snapshot(ctx, "one"))
	want := models(t, uri)
	for range 2 {
		createModel(t, uri, "second")
		putArtifact(t, uri, "second.bin", "2")
		putArtifact(t, uri, "first.bin", "x")
		must(env.Snapshot(ctx, "two"))
		must(env.Restore(ctx, "one"))
		if got := models(t, uri); got != want {
			t.Errorf("models after restoring one: %s, want %s", got, want)
		}
		if a, b := artifact(t, uri, "first.bin"), artifact(t, uri, "second.bin"); a != "1" || b != "" {
			t.Errorf("artifacts after restoring one: %q %q", a, b)
		}
		must(env.Restore(ctx, "two"))
		if got := models(t, uri); got != want+" second" {
			t.Errorf("models after restoring two: %s", got)
		}
		if a, b := artifact(t, uri, "first.bin"), artifact(t, uri, "second.bin"); a != "x" || b != "2" {
			t.Errorf("artifacts after restoring two: %q %q", a, b)
		}
		// What the environment does to its files is not done to the snapshot's.
		if a := call(t, "DELETE", uri+"/api/2.0/mlflow-artifacts/artifacts/first.bin", ""); a.status != 200 {
			t.Fatalf("%d %s", a.status, a.body)
		}
		must(env.Reset(ctx, prinzbox.Seeded))
		must(env.Restore(ctx, "one"))
		if a := artifact(t, uri, "first.bin"); a != "1" {
			t.Errorf("artifact of snapshot one: %q", a)
		}
	}
	list, err := env.Snapshots()
	if err != nil || len(list) != 2 || list[0].Name != "one" || list[1].Name != "two" || list[0].Bytes == 0 || list[0].Created == 0 {
		t.Errorf("snapshots: %+v %v", list, err)
	}
	must(env.DeleteSnapshot("one"))
	var missing *prinzbox.NoSnapshotError
	if err := env.Restore(ctx, "one"); !errors.As(err, &missing) || !strings.Contains(err.Error(), "there are: two") {
		t.Errorf("restoring a deleted snapshot: %v", err)
	}
	if err := env.DeleteSnapshot("one"); !errors.As(err, &missing) {
		t.Errorf("deleting it again: %v", err)
	}
	for _, name := range []string{"", "../x", "A", "a/b", "-a", strings.Repeat("a", 64)} {
		if err := env.Snapshot(ctx, name); err == nil {
			t.Errorf("snapshot %q", name)
		}
		if err := env.Restore(ctx, name); name != "" && !errors.As(err, &missing) {
			t.Errorf("restore %q: %v", name, err)
		}
	}
	if got := models(t, uri); got != want {
		t.Errorf("a restore that failed changed the models: %s", got)
	}
}

// What a reset or a restore leaves is there after a restart, and nothing else.
func TestResetIsKept(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	open := func() *prinzbox.Env {
		t.Helper()
		env, err := prinzbox.Open(t.Context(), prinzbox.Config{Data: data, Durability: "full"})
		if err != nil {
			t.Fatal(err)
		}
		return env
	}
	env := open()
	createModel(t, env.TrackingURI(), "first")
	putArtifact(t, env.TrackingURI(), "first.bin", "1")
	if err := env.Snapshot(t.Context(), "one"); err != nil {
		t.Fatal(err)
	}
	if err := env.Reset(t.Context(), prinzbox.Empty); err != nil {
		t.Fatal(err)
	}
	createModel(t, env.TrackingURI(), "second")
	if err := env.Close(); err != nil {
		t.Fatal(err)
	}
	// As if killed in the middle of the next reset, and of a snapshot.
	for _, dir := range []string{"worlds/0123", "snapshots/one~99.tmp"} {
		if err := os.MkdirAll(filepath.Join(data, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(data, "prinzbox.db"), []byte("left over"), 0o600); err != nil {
		t.Fatal(err)
	}
	env = open()
	if got := models(t, env.TrackingURI()); got != "second" {
		t.Errorf("after a restart: %s", got)
	}
	left, err := filepath.Glob(filepath.Join(data, "*", "*"))
	if err != nil || len(left) != 2 {
		t.Errorf("files: %v %v", left, err)
	}
	if _, err := os.Stat(filepath.Join(data, "prinzbox.db")); err == nil {
		t.Error("the first database is still there")
	}
	if err := env.Restore(t.Context(), "one"); err != nil {
		t.Fatal(err)
	}
	if err := env.Close(); err != nil {
		t.Fatal(err)
	}
	env = open()
	if got := models(t, env.TrackingURI()); got != "first" {
		t.Errorf("after a restore and a restart: %s", got)
	}
	if got := artifact(t, env.TrackingURI(), "first.bin"); got != "1" {
		t.Errorf("artifact after a restore and a restart: %q", got)
	}
	if err := env.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(data, "current"), []byte("../../etc\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := prinzbox.Open(t.Context(), prinzbox.Config{Data: data}); err == nil || !strings.Contains(err.Error(), "current") {
		t.Errorf("a pointer to elsewhere: %v", err)
	}
}

// A request that has begun ends in the state in which it began; the next one is in the new state.
func TestResetLetsRequestsEnd(t *testing.T) {
	t.Parallel()
	env := prinzbox.Start(t)
	r, w := io.Pipe()
	req, err := http.NewRequestWithContext(t.Context(), "PUT", env.TrackingURI()+"/api/2.0/mlflow-artifacts/artifacts/slow.bin", r)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan answer, 1)
	go func() {
		a, err := do(req)
		if err != nil {
			t.Error(err)
		}
		done <- a
	}()
	// More than the system's buffers hold: somebody reads it.
	if _, err := w.Write(bytes.Repeat([]byte("a"), 32<<20)); err != nil {
		t.Fatal(err)
	}
	if err := env.Reset(t.Context(), prinzbox.Empty); err != nil {
		t.Fatal(err)
	}
	if got := models(t, env.TrackingURI()); got != "" {
		t.Errorf("models: %s", got)
	}
	if _, err := w.Write(bytes.Repeat([]byte("b"), 1<<20)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if a := <-done; a.status != 200 {
		t.Errorf("the upload: %d %s", a.status, a.body)
	}
	if a := call(t, "GET", env.TrackingURI()+"/api/2.0/mlflow-artifacts/artifacts/slow.bin", ""); a.status != 404 {
		t.Errorf("the upload is in the new state: %d", a.status)
	}
}

// While clients write and read at full speed, resets, snapshots and restores neither fail nor make a request fail, and never show a mixture: the
// model "b" is only ever there together with "a".
func TestResetUnderLoad(t *testing.T) {
	t.Parallel()
	env := prinzbox.Start(t, func(c *prinzbox.Config) { c.Seed = false })
	ctx, stop := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	var requests atomic.Int64
	for range 4 {
		clients.Go(func() {
			for ctx.Err() == nil {
				for _, name := range []string{"a", "b"} {
					a, err := try(t, "POST", env.TrackingURI()+"/api/2.0/mlflow/registered-models/create", `{"name": "`+name+`"}`)
					if err != nil || a.status != 200 && !strings.Contains(a.body, string(registry.ResourceAlreadyExists)) {
						t.Errorf("create %s: %d %s %v", name, a.status, a.body, err)
					}
				}
				if a, err := try(t, "GET", env.TrackingURI()+"/api/2.0/mlflow/registered-models/search", ""); err != nil || a.status != 200 {
					t.Errorf("search: %d %s %v", a.status, a.body, err)
				}
				requests.Add(3)
			}
		})
	}
	for i := range 40 {
		if err := env.Snapshot(ctx, fmt.Sprint("s", i%3)); err != nil {
			t.Error(err)
		}
		if err := env.Restore(ctx, fmt.Sprint("s", i/2%3)); err != nil && i > 6 {
			t.Error(err)
		}
		if err := env.Reset(ctx, prinzbox.Empty); err != nil {
			t.Error(err)
		}
	}
	stop()
	clients.Wait()
	if requests.Load() < 40 {
		t.Errorf("%d requests", requests.Load())
	}
}

func TestResetNeedsTheAdmin(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	auth := prinzbox.Auth{AppName: prinzbox.BasicAuth}
	env := prinzbox.Start(t, func(c *prinzbox.Config) { c.Data, c.Seed, c.Auth = data, false, auth })
	r := env.Ready()
	user := func() answer {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), "GET", env.TrackingURI()+"/api/2.0/mlflow/experiments/get?experiment_id=0", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.SetBasicAuth(r.TrackingUsername, r.TrackingPassword)
		a, err := do(req)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	for range 2 { // a password that was made up stays
		if a := user(); a.status != 200 {
			t.Errorf("%d %s", a.status, a.body)
		}
		if err := env.Reset(t.Context(), prinzbox.Seeded); err != nil {
			t.Fatal(err)
		}
	}
	if err := env.Close(); err != nil {
		t.Fatal(err)
	}
	env = prinzbox.Start(t, func(c *prinzbox.Config) { c.Data, c.Auth = data, auth })
	if err := env.Reset(t.Context(), prinzbox.Seeded); err == nil || !strings.Contains(err.Error(), "--admin-password") {
		t.Errorf("a reset without the admin's password: %v", err)
	}
	if a := call(t, "GET", env.TrackingURI()+"/ns/new/api/2.0/mlflow/experiments/get?experiment_id=0", ""); a.status != 400 || !strings.Contains(a.body, "--admin-password") {
		t.Errorf("a namespace without the admin's password: %d %s", a.status, a.body)
	}
	if a := user(); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func BenchmarkReset(b *testing.B) {
	env := prinzbox.Start(b)
	measure(b, func(int) error { return env.Reset(b.Context(), prinzbox.Seeded) })
}

func BenchmarkRestore(b *testing.B) {
	env := prinzbox.Start(b)
	if err := env.Snapshot(b.Context(), "seeded"); err != nil {
		b.Fatal(err)
	}
	measure(b, func(int) error { return env.Restore(b.Context(), "seeded") })
}

func BenchmarkSnapshot(b *testing.B) {
	env := prinzbox.Start(b)
	measure(b, func(int) error { return env.Snapshot(b.Context(), "seeded") })
}

// The first start of a process makes the image of the samples, which the others lay down.
func BenchmarkStartInProcess(b *testing.B) {
	open := func(int) error {
		env, err := prinzbox.Open(b.Context(), prinzbox.Config{Seed: true})
		if err != nil {
			return err
		}
		return env.Close()
	}
	begin := time.Now()
	if err := open(0); err != nil {
		b.Fatal(err)
	}
	first := time.Since(begin)
	measure(b, open)
	b.ReportMetric(float64(first.Nanoseconds()), "first-ns")
}

// Many environments, resets, snapshots and namespaces, one after the other, leave no goroutine, no file and no descriptor. Not parallel: it
// counts those of the process.
func TestManyStartsLeaveNothing(t *testing.T) {
	client.CloseIdleConnections()
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	once := func() {
		env, err := prinzbox.Open(t.Context(), prinzbox.Config{Seed: true})
		if err != nil {
			t.Fatal(err)
		}
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		ns, err := env.Namespace(t.Context(), "one")
		must(err)
		createModel(t, ns.TrackingURI(), "mine")
		must(env.Snapshot(t.Context(), "s"))
		must(env.Reset(t.Context(), prinzbox.Empty))
		must(env.Restore(t.Context(), "s"))
		must(ns.Export(t.Context(), io.Discard))
		must(ns.Delete())
		client.CloseIdleConnections()
		must(env.Close())
	}
	once()
	before, files := goleak.IgnoreCurrent(), openFiles()
	begin := time.Now()
	const many = 20
	for range many {
		once()
	}
	t.Logf("%v each", time.Since(begin)/many)
	goleak.VerifyNone(t, before)
	if now := openFiles(); now > files+5 { // other tests come and go
		t.Errorf("%d open files, %d before", now, files)
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
		t.Errorf("left in the temporary folder: %v, %v", left, err)
	}
}

// openFiles counts the descriptors of this process, where the system tells them.
func openFiles() int {
	entries, _ := os.ReadDir("/proc/self/fd")
	return len(entries)
}
