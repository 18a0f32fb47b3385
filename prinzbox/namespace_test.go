package prinzbox_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prinzbox/prinzbox/prinzbox"
)

// namespaceRequest sends a request with another Host header where host is given; pairs are headers.
func namespaceRequest(t testing.TB, method, address, host, body string, header ...string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if host != "" {
		req.Host = host
	}
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	a, err := do(req)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// Every sign leads to its namespace, and only there.
func TestNamespaceOfRequest(t *testing.T) {
	t.Parallel()
	env := prinzbox.Start(t)
	main, static := env.TrackingURI(), env.StaticURL()
	u, err := url.Parse(main)
	if err != nil {
		t.Fatal(err)
	}
	const create, search = "/api/2.0/mlflow/registered-models/create", "/api/2.0/mlflow/registered-models/search"
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte("ns:e"))
	for name, sign := range map[string]struct {
		prefix, host string
		header       []string
	}{
		"a": {header: []string{"X-Prinzbox-Namespace", "a"}},
		"b": {host: "b.ns.localhost:" + u.Port()},
		"c": {prefix: "/ns/c"},
		"d": {header: []string{"Authorization", "Bearer ns:d"}},
		"e": {header: []string{"Authorization", basic}},
		"f": {prefix: "/ns/f", host: "F.ns.127.0.0.1:" + u.Port(), header: []string{"Authorization", "Bearer ns:f", "X-Prinzbox-Namespace", "f"}},
	} {
		if a := namespaceRequest(t, "POST", main+sign.prefix+create, sign.host, `{"name": "only-`+name+`"}`, sign.header...); a.status != 200 {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
		if a := namespaceRequest(t, "GET", main+sign.prefix+search, sign.host, "", sign.header...); strings.Count(a.body, "only-") == 0 || strings.Contains(strings.ReplaceAll(a.body, "only-"+name, ""), "only-") {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
		if a := namespaceRequest(t, "POST", main+sign.prefix+"/MLF-FraudDetection-3/invocations", sign.host, fraudBody("F", "800.0"), sign.header...); a.body != "[1]" {
			t.Errorf("%s: scoring: %d %s", name, a.status, a.body)
		}
		if a := namespaceRequest(t, "GET", static+sign.prefix+"/static/int", "", "", sign.header...); a.body != "42\n" {
			t.Errorf("%s: static: %d %s", name, a.status, a.body)
		}
	}
	if got := models(t, main); strings.Contains(got, "only-") {
		t.Errorf("the environment's own models: %s", got)
	}
	list := env.Namespaces()
	if len(list) != 6 || list[0].Name != "a" || !list[0].Awake || list[0].TrackingURI != main+"/ns/a" {
		t.Errorf("namespaces: %+v", list)
	}
	for name, sign := range map[string]struct {
		path, want string
		header     []string
	}{
		"two of them":  {"/ns/a" + search, "must agree", []string{"X-Prinzbox-Namespace", "b"}},
		"a bad name":   {search, "lower-case", []string{"X-Prinzbox-Namespace", "../a"}},
		"a bad token":  {search, "lower-case", []string{"Authorization", "Bearer ns:"}},
		"a long name":  {search, "63", []string{"X-Prinzbox-Namespace", strings.Repeat("a", 64)}},
		"a bad letter": {search, "lower-case", []string{"X-Prinzbox-Namespace", "Ab"}},
	} {
		if a := namespaceRequest(t, "GET", main+sign.path, "", "", sign.header...); name != "a bad token" && a.status != 400 || name != "a bad token" && !strings.Contains(a.body, sign.want) {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	if a := namespaceRequest(t, "GET", env.S3Endpoint()+"/mlflow", "", "", "X-Prinzbox-Namespace", "A"); a.status != 400 || !strings.Contains(a.body, "<Code>InvalidRequest</Code>") {
		t.Errorf("S3, a bad name: %d %s", a.status, a.body)
	}
	if len(env.Namespaces()) != 6 {
		t.Errorf("a bad request made a namespace: %+v", env.Namespaces())
	}
	// Pages have links from the root, so a browser is led to the host.
	a := namespaceRequest(t, "GET", main+"/ns/a/models?x=y", "", "", "Accept", "text/html,*/*")
	if want := "http://a.ns.localhost:" + u.Port() + "/models?x=y"; a.status != 307 || a.header.Get("Location") != want {
		t.Errorf("a browser: %d %s", a.status, a.header.Get("Location"))
	}
	if a := namespaceRequest(t, "GET", main+"/models", "a.ns.localhost:"+u.Port(), "", "Accept", "text/html"); a.status != 200 || !strings.Contains(a.body, "only-a") || strings.Contains(a.body, "only-b") {
		t.Errorf("the page: %d", a.status)
	}
	if a := namespaceRequest(t, "GET", main+"/models", "a.ns.evil.example:"+u.Port(), "", "Accept", "text/html"); a.status != 403 {
		t.Errorf("a foreign host: %d", a.status)
	}
}

// S3 clients have an access key, or a host.
func TestNamespaceOfS3(t *testing.T) {
	t.Parallel()
	env := prinzbox.Start(t)
	one, two := namespace(t, env, "one"), namespace(t, env, "two")
	if key := one.Ready().AccessKey; key != "mlflow-key.ns.one" {
		t.Errorf("access key %s", key)
	}
	putArtifact(t, one.TrackingURI(), "x.bin", "1")
	putArtifact(t, two.TrackingURI(), "x.bin", "2")
	for _, c := range []struct {
		ready prinzbox.Ready
		want  string
	}{{one.Ready(), "1"}, {two.Ready(), "2"}} {
		a, err := minioJavaOf(c.ready).get(t.Context(), "/mlflow/x.bin", "/mlflow/x.bin", "")
		if err != nil || a.status != 200 || a.body[:1] != c.want {
			t.Errorf("%s: %d %.300s %v", c.ready.AccessKey, a.status, a.body, err)
		}
	}
	if a, err := minioJavaOf(env.Ready()).get(t.Context(), "/mlflow/x.bin", "/mlflow/x.bin", ""); err != nil || a.status != 404 {
		t.Errorf("the environment's own: %d %v", a.status, err)
	}
	// A URL that one signs leads there again, and nowhere else.
	a := call(t, "POST", one.TrackingURI()+"/api/2.0/mlflow-artifacts/mpu/create/big.bin", `{"path": "big.bin", "num_parts": 1}`)
	if a.status != 200 || !strings.Contains(a.body, "ns.one") {
		t.Fatalf("%d %s", a.status, a.body)
	}
	_, signed, _ := strings.Cut(a.body, `"url": "`)
	if signed == "" {
		_, signed, _ = strings.Cut(a.body, `"url":"`)
	}
	signed, _, _ = strings.Cut(signed, `"`)
	signed = strings.ReplaceAll(signed, `\u0026`, "&")
	if a := call(t, "PUT", signed, "part", "Content-Type", ""); a.status != 200 {
		t.Errorf("presigned part: %d %s", a.status, a.body)
	}
	if a := call(t, "PUT", strings.ReplaceAll(signed, "ns.one", "ns.two"), "part", "Content-Type", ""); a.status < 400 {
		t.Errorf("the URL of another namespace: %d", a.status)
	}
}

func namespace(t testing.TB, env *prinzbox.Env, name string) *prinzbox.Namespace {
	t.Helper()
	ns, err := env.Namespace(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(ns.Close)
	return ns
}

// A namespace that nobody asks for is closed, and is as it was when somebody does; deleted, it is gone. With a data folder it outlives the process.
func TestNamespaceLife(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	config := prinzbox.Config{Data: data, Seed: true, Durability: "off", NamespaceIdle: 30 * time.Millisecond, MaxNamespaces: 3}
	env, err := prinzbox.Open(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	ns, err := env.Namespace(t.Context(), "kept")
	if err != nil {
		t.Fatal(err)
	}
	createModel(t, ns.TrackingURI(), "mine")
	putArtifact(t, ns.TrackingURI(), "x.bin", "1")
	uri := ns.TrackingURI()
	asleep := func() bool { return !env.Namespaces()[0].Awake }
	time.Sleep(150 * time.Millisecond)
	if asleep() {
		t.Error("it sleeps although somebody holds it")
	}
	ns.Close()
	for range 3 {
		eventually(t, "it sleeps", asleep)
		if got := artifact(t, uri, "x.bin"); got != "1" {
			t.Errorf("artifact %q", got)
		}
		if got := models(t, uri); !strings.HasSuffix(got, "mine") {
			t.Errorf("models: %s", got)
		}
	}
	if err := env.Close(); err != nil {
		t.Fatal(err)
	}
	if env, err = prinzbox.Open(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := env.Close(); err != nil {
			t.Error(err)
		}
	}()
	uri = env.TrackingURI() + "/ns/kept"
	if got := models(t, uri); !strings.HasSuffix(got, "mine") {
		t.Errorf("models after a restart: %s", got)
	}
	namespace(t, env, "two")
	namespace(t, env, "three")
	if _, err := env.Namespace(t.Context(), "four"); err == nil || !strings.Contains(err.Error(), "--max-namespaces") {
		t.Errorf("one too many: %v", err)
	}
	for range 2 {
		if was, err := env.DeleteNamespace("kept"); err != nil || !was {
			t.Errorf("delete: %v %v", was, err)
		}
		if got := models(t, uri); strings.Contains(got, "mine") {
			t.Errorf("models after the deletion: %s", got)
		}
	}
	if was, err := env.DeleteNamespace("kept"); err != nil || !was {
		t.Errorf("delete: %v %v", was, err)
	}
	if was, err := env.DeleteNamespace("kept"); err != nil || was {
		t.Errorf("delete what is not there: %v %v", was, err)
	}
	eventually(t, "the folder goes", func() bool {
		_, err := os.Stat(filepath.Join(data, "namespaces", "kept"))
		return errors.Is(err, os.ErrNotExist)
	})
}

// However many are asked for at once, there are never more open than may be: none of these is held.
func TestNamespacesAwake(t *testing.T) {
	t.Parallel()
	env := prinzbox.Start(t, func(c *prinzbox.Config) { c.NamespaceIdle = time.Hour })
	const many, most = 288, 256
	awake := func() (n int) {
		for _, ns := range env.Namespaces() {
			if ns.Awake {
				n++
			}
		}
		return n
	}
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for j := i; j < many; j += 8 {
				if a, err := try(t, "GET", env.TrackingURI()+fmt.Sprintf("/ns/n%d/api/2.0/mlflow/experiments/get?experiment_id=0", j), ""); err != nil || a.status != http.StatusOK {
					t.Errorf("%d: %d %s %v", j, a.status, a.body, err)
				}
				if n := awake(); n > most {
					t.Errorf("%d are awake", n)
				}
			}
		})
	}
	group.Wait()
	if n := awake(); len(env.Namespaces()) != many || n < most-8 {
		t.Errorf("%d, of which %d are awake", len(env.Namespaces()), n)
	}
}

// eventually waits for at most ten seconds.
func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it never happens that " + what)
		}
	}
}

func TestNamespacesOff(t *testing.T) {
	t.Parallel()
	off := false
	env := prinzbox.Start(t, func(c *prinzbox.Config) { c.Namespaces = &off })
	if a := call(t, "GET", env.TrackingURI()+"/api/2.0/mlflow/registered-models/search", "", "X-Prinzbox-Namespace", "a"); a.status != 400 || !strings.Contains(a.body, "--namespaces") {
		t.Errorf("header: %d %s", a.status, a.body)
	}
	if a := call(t, "GET", env.TrackingURI()+"/ns/a/api/2.0/mlflow/registered-models/search", ""); a.status != 404 {
		t.Errorf("path: %d", a.status)
	}
	if a := call(t, "GET", env.TrackingURI()+"/api/2.0/mlflow/registered-models/search", "", "Authorization", "Bearer ns:a"); a.status != 200 {
		t.Errorf("a token is what it was: %d", a.status)
	}
	on := true
	if _, err := prinzbox.Open(t.Context(), prinzbox.Config{Namespaces: &on, ArtifactsDestination: t.TempDir()}); err == nil || !strings.Contains(err.Error(), "--namespaces") {
		t.Errorf("with files elsewhere: %v", err)
	}
}

// Each namespace has snapshots and resets of its own.
func TestNamespaceReset(t *testing.T) {
	t.Parallel()
	env := prinzbox.Start(t)
	one, two := env.ForTest(t), env.ForTest(t)
	for _, ns := range []*prinzbox.Namespace{one, two} {
		createModel(t, ns.TrackingURI(), "of-"+ns.Name())
	}
	if err := one.Snapshot(t.Context(), "s"); err != nil {
		t.Fatal(err)
	}
	if err := one.Reset(t.Context(), prinzbox.Empty); err != nil {
		t.Fatal(err)
	}
	if got := models(t, one.TrackingURI()); got != "" {
		t.Errorf("reset: %s", got)
	}
	if got := models(t, two.TrackingURI()); !strings.Contains(got, two.Name()) || strings.Contains(got, one.Name()) {
		t.Errorf("the other one: %s", got)
	}
	if err := two.Restore(t.Context(), "s"); err == nil {
		t.Error("the snapshot of another one was restored")
	}
	if err := one.Restore(t.Context(), "s"); err != nil || !strings.Contains(models(t, one.TrackingURI()), one.Name()) {
		t.Errorf("restored: %v", err)
	}
}

// Tests that know nothing of each other share one process. It runs for a second, or for as long as PRINZBOX_STRESS says ("1m").
func TestNamespacesInParallel(t *testing.T) {
	t.Parallel()
	life := time.Second
	if text := os.Getenv("PRINZBOX_STRESS"); text != "" {
		var err error
		if life, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
	}
	env := prinzbox.Start(t, func(c *prinzbox.Config) { c.NamespaceIdle = 200 * time.Millisecond })
	end := time.Now().Add(life)
	workers := 200
	if raceDetector { // it makes everything ten times slower
		workers = 50
	}
	var group sync.WaitGroup
	rounds := make([]int, workers)
	for i := range workers {
		group.Go(func() {
			for round := 0; round == 0 || time.Now().Before(end); round++ {
				if err := isolated(t, env, fmt.Sprintf("w%d-%d", i, round)); err != nil {
					t.Errorf("worker %d, round %d: %v", i, round, err)
					return
				}
				rounds[i]++
			}
		})
	}
	group.Wait()
	sum := 0
	for _, n := range rounds {
		sum += n
	}
	t.Logf("%d isolated tests in %v", sum, life)
	if left := env.Namespaces(); len(left) > 0 {
		t.Errorf("%d namespaces are left", len(left))
	}
}

// isolated is what a small test does: it makes things of the names that all others use too, and looks for what is not its own.
func isolated(t *testing.T, env *prinzbox.Env, name string) (err error) {
	ns, err := env.Namespace(context.Background(), name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ns.Delete()) }()
	uri := ns.TrackingURI()
	send := func(method, path, body, want string) error {
		a, err := try(t, method, uri+path, body)
		if err == nil && (a.status != 200 || !strings.Contains(a.body, want)) {
			err = fmt.Errorf("%s %s: %d %.300s, want %s", method, path, a.status, a.body, want)
		}
		return err
	}
	for _, step := range []struct{ method, path, body, want string }{
		{"POST", "/api/2.0/mlflow/experiments/create", `{"name": "mine", "tags": [{"key": "of", "value": "` + name + `"}]}`, `"4"`},
		{"POST", "/api/2.0/mlflow/runs/create", `{"experiment_id": "4", "run_name": "` + name + `"}`, name},
		{"PUT", "/api/2.0/mlflow-artifacts/artifacts/4/x.txt", name, ""},
		{"GET", "/api/2.0/mlflow-artifacts/artifacts/4/x.txt", "", name},
		{"POST", "/api/2.0/mlflow/registered-models/create", `{"name": "mine"}`, "mine"},
		{"GET", "/api/2.0/mlflow/experiments/get-by-name?experiment_name=mine", "", name},
	} {
		if err := send(step.method, step.path, step.body, step.want); err != nil {
			return err
		}
	}
	a, err := try(t, "POST", uri+"/api/2.0/mlflow/runs/search", `{"experiment_ids": ["4"]}`)
	if err == nil && strings.Count(a.body, `"run_id"`) != 1 {
		err = fmt.Errorf("runs: %d %s", a.status, a.body)
	}
	if err != nil {
		return err
	}
	if err := ns.Reset(context.Background(), prinzbox.Seeded); err != nil {
		return err
	}
	if a, err = try(t, "GET", uri+"/api/2.0/mlflow/experiments/get-by-name?experiment_name=mine", ""); err != nil || a.status != 404 {
		return fmt.Errorf("after the reset: %d %.300s %w", a.status, a.body, err)
	}
	return nil
}

func BenchmarkNamespace(b *testing.B) {
	env := prinzbox.Start(b, func(c *prinzbox.Config) { c.MaxNamespaces = 1 << 20 })
	b.Run("create", func(b *testing.B) {
		var made []*prinzbox.Namespace
		measure(b, func(i int) error {
			ns, err := env.Namespace(b.Context(), fmt.Sprintf("c%d-%d", b.N, i+100))
			if err == nil {
				made = append(made, ns)
			}
			return err
		})
		for _, ns := range made {
			if err := ns.Delete(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("memory", func(b *testing.B) {
		const many = 200
		debug.FreeOSMemory()
		before := resident(os.Getpid())
		for i := range many {
			a := call(b, "GET", env.TrackingURI()+fmt.Sprintf("/ns/m%d/api/2.0/mlflow/registered-models/search", i), "")
			if a.status != 200 {
				b.Fatal(a.status, a.body)
			}
		}
		debug.FreeOSMemory()
		b.ReportMetric((resident(os.Getpid())-before)/many, "MiB/awake")
		for _, ns := range env.Namespaces() {
			if _, err := env.DeleteNamespace(ns.Name); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("request", func(b *testing.B) {
		b.Run("own", func(b *testing.B) { measure(b, requests(b, "GET", env.TrackingURI()+"/health", nil, "OK")) })
		b.Run("namespace", func(b *testing.B) { measure(b, requests(b, "GET", env.TrackingURI()+"/ns/a/health", nil, "OK")) })
	})
}
