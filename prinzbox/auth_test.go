package prinzbox_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/prinzbox/prinzbox/prinzbox"
)

const (
	adminPassword = "correct-horse-1"
	userPassword  = "a-long-password"
)

func withAuth(c *prinzbox.Config) {
	c.Auth = prinzbox.Auth{AppName: prinzbox.BasicAuth, AdminPassword: adminPassword}
	c.Seed = false
}

// asker sends requests as some user: "", NAME or NAME:PASSWORD.
type asker struct {
	t   testing.TB
	url string
}

func (a asker) ask(who, method, path string, body any) (*http.Response, string) {
	a.t.Helper()
	var r io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			a.t.Fatal(err)
		}
		r = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(a.t.Context(), method, a.url+path, r)
	if err != nil {
		a.t.Fatal(err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if who != "" {
		name, password, given := strings.Cut(who, ":")
		if !given {
			password = map[bool]string{true: adminPassword, false: userPassword}[name == "admin"]
		}
		req.SetBasicAuth(name, password)
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		a.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	return resp, string(text)
}

// must asks and expects a status; it gives a field of the answer by its path.
func (a asker) must(status int, who, method, path string, body any, field ...string) string {
	a.t.Helper()
	resp, text := a.ask(who, method, path, body)
	if resp.StatusCode != status {
		a.t.Fatalf("%s %s %s: status %d, want %d: %s", who, method, path, resp.StatusCode, status, text)
	}
	if field == nil {
		return text
	}
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		a.t.Fatal(err)
	}
	for _, name := range field {
		v = v.(map[string]any)[name]
	}
	return fmt.Sprint(v)
}

func readJSON(t *testing.T, file string, v any) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "auth", file))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, v); err != nil {
		t.Fatal(err)
	}
}

// The same questions as testdata/auth/record.py asked MLflow's own server.
func TestAuthAnswersAsMLflow(t *testing.T) {
	var steps []struct {
		As, Method, Path string
		Body             any
		Query            map[string]any
		Save             map[string]string
	}
	var golden []struct {
		Status    int
		Body      any
		Challenge string
	}
	readJSON(t, "steps.json", &steps)
	readJSON(t, "golden.json", &golden)
	if len(steps) != len(golden) || len(steps) < 150 {
		t.Fatalf("%d steps, %d answers", len(steps), len(golden))
	}
	env := prinzbox.Start(t, withAuth)
	a := asker{t, env.TrackingURI()}
	known := map[string]any{}
	var fill func(v any) any
	fill = func(v any) any {
		switch v := v.(type) {
		case string:
			if name, ok := strings.CutPrefix(v, "$"); ok {
				return known[name]
			}
		case map[string]any:
			out := map[string]any{}
			for k, x := range v {
				out[k] = fill(x)
			}
			return out
		case []any:
			out := make([]any, len(v))
			for i, x := range v {
				out[i] = fill(x)
			}
			return out
		}
		return v
	}
	for i, s := range steps {
		query := url.Values{}
		for k, v := range s.Query {
			query.Set(k, fmt.Sprint(fill(v)))
		}
		path := s.Path
		if len(query) > 0 {
			path += "?" + query.Encode()
		}
		resp, text := a.ask(s.As, s.Method, path, fill(s.Body))
		what := fmt.Sprintf("step %d, %s %s %s %v", i, s.As, s.Method, path, s.Body)
		want := golden[i]
		if resp.StatusCode != want.Status {
			t.Errorf("%s: status %d, want %d: %s", what, resp.StatusCode, want.Status, text)
		}
		if got := resp.Header.Get("WWW-Authenticate"); got != want.Challenge {
			t.Errorf("%s: WWW-Authenticate %q, want %q", what, got, want.Challenge)
		}
		var body any = text
		if json.Valid([]byte(text)) {
			if err := json.Unmarshal([]byte(text), &body); err != nil {
				t.Fatal(err)
			}
		}
		if want.Body != nil && !reflect.DeepEqual(withoutTail(body), withoutTail(want.Body)) {
			t.Errorf("%s:\n got %v\nwant %v", what, body, want.Body)
		}
		for name, path := range s.Save {
			v := body
			for part := range strings.SplitSeq(path, ".") {
				v, _ = v.(map[string]any)[part]
			}
			known[name] = v
		}
	}
}

// withoutTail cuts off what an answer cites of SQLAlchemy's errors.
func withoutTail(v any) any {
	if m, ok := v.(map[string]any); ok {
		if text, ok := m["message"].(string); ok {
			m["message"], _, _ = strings.Cut(text, " Error: ")
		}
	}
	return v
}

func twoUsers(t *testing.T, options ...func(*prinzbox.Config)) (*prinzbox.Env, asker) {
	t.Helper()
	env := prinzbox.Start(t, append([]func(*prinzbox.Config){withAuth}, options...)...)
	a := asker{t, env.TrackingURI()}
	for _, name := range []string{"alice", "bob"} {
		a.must(200, "admin", "POST", "/api/2.0/mlflow/users/create", map[string]string{"username": name, "password": userPassword})
	}
	return env, a
}

func (a asker) deny(who, kind, id string) {
	a.t.Helper()
	a.must(200, "admin", "POST", "/api/3.0/mlflow/users/permissions/grant",
		map[string]string{"username": who, "resource_type": kind, "resource_id": id, "permission": "DENY"})
}

func (a asker) experiment(who, name string) string {
	a.t.Helper()
	return a.must(200, who, "POST", "/api/2.0/mlflow/experiments/create", map[string]string{"name": name}, "experiment_id")
}

// Pages of lists are full, whatever is left out of them.
func TestAuthListsAreFull(t *testing.T) {
	_, a := twoUsers(t)
	for i := range 12 {
		name := fmt.Sprintf("e%02d", i)
		id := a.experiment("alice", name)
		a.must(200, "alice", "POST", "/api/2.0/mlflow/registered-models/create", map[string]string{"name": name})
		if i%3 == 0 {
			a.deny("bob", "experiment", id)
			a.deny("bob", "registered_model", name)
		}
	}
	count := func(who, path, list string) (names []string) {
		token := ""
		for {
			text := a.must(200, who, "GET", path+"&page_token="+url.QueryEscape(token), nil)
			var page map[string]any
			if err := json.Unmarshal([]byte(text), &page); err != nil {
				t.Fatal(err)
			}
			items, _ := page[list].([]any)
			token, _ = page["next_page_token"].(string)
			if token != "" && len(items) != 3 {
				t.Errorf("%s %s: a page of %d before the last", who, path, len(items))
			}
			for _, item := range items {
				names = append(names, item.(map[string]any)["name"].(string))
			}
			if token == "" {
				return names
			}
		}
	}
	for _, c := range []struct {
		path, list string
		all, some  int
	}{
		{"/api/2.0/mlflow/experiments/search?max_results=3", "experiments", 13, 9},
		{"/api/2.0/mlflow/registered-models/search?max_results=3", "registered_models", 12, 8},
	} {
		if got := count("alice", c.path, c.list); len(got) != c.all {
			t.Errorf("alice sees %d of %s: %v", len(got), c.list, got)
		}
		got := count("bob", c.path, c.list)
		if len(got) != c.some {
			t.Errorf("bob sees %d of %s: %v", len(got), c.list, got)
		}
		for _, name := range got {
			if name == "e00" || name == "e03" || name == "e06" || name == "e09" {
				t.Errorf("bob sees %s", name)
			}
		}
	}
}

// What is not REST is under the same users: artifacts, scoring, GUI, S3, GraphQL, spans.
func TestAuthEverywhere(t *testing.T) {
	env, a := twoUsers(t, func(c *prinzbox.Config) { c.Seed = true })
	eid := a.experiment("alice", "hers")
	run := a.must(200, "alice", "POST", "/api/2.0/mlflow/runs/create", map[string]string{"experiment_id": eid}, "run", "info", "run_id")
	file := "/api/2.0/mlflow-artifacts/artifacts/" + eid + "/" + run + "/artifacts/x.txt"
	a.must(200, "alice", "PUT", file, "hello")
	a.must(403, "bob", "PUT", file, "mine")
	a.must(403, "bob", "DELETE", file, nil)
	a.must(200, "bob", "GET", file, nil)
	key := a.must(200, "bob", "GET", "/api/2.0/prinzbox/s3-key", nil, "secret_key")
	if again := a.must(200, "bob", "GET", "/api/2.0/prinzbox/s3-key", nil, "secret_key"); again != key {
		t.Errorf("another key: %s, %s", key, again)
	}
	a.must(403, "bob", "GET", "/api/2.0/prinzbox/s3-key?username=alice", nil)
	client := func(access, secret string) *minio.Client {
		c, err := minio.New(strings.TrimPrefix(env.S3Endpoint(), "http://"), &minio.Options{Creds: credentials.NewStaticV4(access, secret, ""), Region: "us-east-1"})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	object := eid + "/" + run + "/artifacts/x.txt"
	s3 := func(c *minio.Client) string {
		_, err := c.StatObject(t.Context(), prinzbox.DefaultBucket, object, minio.StatObjectOptions{})
		return minio.ToErrorResponse(err).Code
	}
	bob := client("bob", key)
	if code := s3(bob); code != "" {
		t.Errorf("bob may read, and S3 says %s", code)
	}
	if _, err := bob.PutObject(t.Context(), prinzbox.DefaultBucket, object, strings.NewReader("x"), 1, minio.PutObjectOptions{}); minio.ToErrorResponse(err).Code != "AccessDenied" {
		t.Errorf("bob writes by S3: %v", err)
	}
	if code := s3(client("bob", userPassword)); code == "" {
		t.Error("the password opens S3")
	}

	const model = "MLF-FraudDetection-3"
	pages := []string{"/experiments/" + eid, "/runs/" + run, "/models/" + model, "/models/" + model + "/versions/1"}
	for _, p := range append(pages, "/", "/experiments", "/models", "/palette.json") {
		a.must(401, "", "GET", p, nil)
		if text := a.must(200, "bob", "GET", p, nil); strings.Contains(text, prinzbox.DefaultSecretKey) {
			t.Errorf("%s shows bob the environment's secret", p)
		}
	}
	for _, open := range []string{"/health", "/version", "/api/3.0/mlflow/server-info"} {
		a.must(200, "", "GET", open, nil)
	}
	a.must(401, "", "POST", "/"+model+"/invocations", map[string]any{})
	a.must(400, "bob", "POST", "/"+model+"/invocations", map[string]any{})

	a.deny("bob", "experiment", eid)
	a.deny("bob", "registered_model", model)
	for _, p := range pages {
		a.must(403, "bob", "GET", p, nil)
	}
	for _, p := range []string{"/" + model, "/model/" + model, "/model/" + model + "/1"} {
		a.must(403, "bob", "POST", p+"/invocations", map[string]any{})
		a.must(403, "bob", "GET", p+"/ping", nil)
	}
	for _, p := range []string{
		file, strings.Replace(file, eid+"/", "%3"+eid+"/", 1), "/api/2.0/mlflow-artifacts/artifacts?path=" + eid,
		"/get-artifact?path=x.txt&run_id=" + run, "/get-artifact?path=x.txt&run_uuid=" + run,
		"/model-versions/get-artifact?path=MLmodel&version=1&name=" + model,
		"/api/2.0/mlflow/experiments/get?experiment_id=0" + eid, "/api/2.0/mlflow/experiments/get?experiment_id=%2B" + eid,
		"/api/2.0/preview/mlflow/experiments/get?experiment_id=" + eid, "/ajax-api/2.0/mlflow/experiments/get?experimentId=" + eid + "&experiment_id=" + eid,
	} {
		if resp, text := a.ask("bob", "GET", p, nil); resp.StatusCode != 403 && resp.StatusCode != 400 {
			t.Errorf("bob gets %s: %d %.80s", p, resp.StatusCode, text)
		}
	}
	if code := s3(bob); code != "AccessDenied" {
		t.Errorf("S3 says %q to bob, who is denied", code)
	}
	for _, location := range []string{"mlflow-artifacts:/" + eid, "s3://" + prinzbox.DefaultBucket + "/" + eid + "/x"} {
		a.must(403, "bob", "POST", "/api/2.0/mlflow/experiments/create", map[string]string{"name": "steal", "artifact_location": location})
	}
	for _, p := range []string{"/experiments", "/", "/palette.json"} {
		if text := a.must(200, "bob", "GET", p, nil); strings.Contains(text, "hers") {
			t.Errorf("%s shows bob what he may not see", p)
		}
	}
	query := map[string]any{"query": fmt.Sprintf(`{mlflowGetRun(input: {runId: %q}) {run {info {runId}}}}`, run)}
	if text := a.must(200, "bob", "POST", "/graphql", query); strings.Contains(text, run) {
		t.Errorf("GraphQL shows bob the run: %s", text)
	}
	if text := a.must(200, "alice", "POST", "/graphql", query); !strings.Contains(text, run) {
		t.Errorf("GraphQL hides alice's run: %s", text)
	}
}

// An admin's password that is made up is told once, and only its hash is kept.
func TestAuthMadeUpPassword(t *testing.T) {
	dir := t.TempDir()
	open := func() prinzbox.Ready {
		env, err := prinzbox.Open(t.Context(), prinzbox.Config{Data: dir, Auth: prinzbox.Auth{AppName: prinzbox.BasicAuth, AdminUsername: "root"}})
		if err != nil {
			t.Fatal(err)
		}
		r := env.Ready()
		if r.TrackingPassword != "" {
			asker{t, env.TrackingURI()}.must(200, "root:"+r.TrackingPassword, "GET", "/api/2.0/mlflow/users/current", nil)
		}
		if err := env.Close(); err != nil {
			t.Fatal(err)
		}
		return r
	}
	first := open()
	if len(first.TrackingPassword) < 12 || first.TrackingUsername != "root" {
		t.Fatalf("ready: %q, %q", first.TrackingUsername, first.TrackingPassword)
	}
	if again := open(); again.TrackingPassword != "" {
		t.Error("told a second time")
	}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if bytes.Contains(text, []byte(first.TrackingPassword)) {
			t.Errorf("%s holds the password", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestAuthBadSettings(t *testing.T) {
	for _, c := range []struct {
		auth prinzbox.Auth
		want string
	}{
		{prinzbox.Auth{AppName: "oauth"}, "--app-name oauth"},
		{prinzbox.Auth{AppName: prinzbox.BasicAuth, AdminPassword: "short"}, "at least 12 characters"},
		{prinzbox.Auth{AppName: prinzbox.BasicAuth, AdminUsername: "a:b"}, "colon"},
		{prinzbox.Auth{AppName: prinzbox.BasicAuth, DefaultPermission: "DENY"}, "--default-permission DENY"},
		{prinzbox.Auth{AdminPassword: adminPassword}, "--app-name basic-auth"},
	} {
		env, err := prinzbox.Open(t.Context(), prinzbox.Config{Auth: c.auth})
		if err == nil {
			_ = env.Close()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.auth, err, c.want)
		}
	}
}

// The open environment beside one that asks for a password with each request.
func BenchmarkAuthLogMetric(b *testing.B) {
	for name, auth := range map[string]prinzbox.Auth{"open": {}, "basic-auth": {AppName: prinzbox.BasicAuth, AdminPassword: adminPassword}} {
		b.Run(name, func(b *testing.B) {
			env := prinzbox.Start(b, func(c *prinzbox.Config) { c.Seed, c.Durability, c.Auth = false, "normal", auth })
			a := asker{b, env.TrackingURI()}
			who := ""
			if auth.AppName != "" {
				who = "alice"
				a.must(200, "admin", "POST", "/api/2.0/mlflow/users/create", map[string]string{"username": who, "password": userPassword})
			}
			eid := a.experiment(who, "bench")
			run := a.must(200, who, "POST", "/api/2.0/mlflow/runs/create", map[string]string{"experiment_id": eid}, "run", "info", "run_id")
			measure(b, func(i int) error {
				a.must(200, who, "POST", "/api/2.0/mlflow/runs/log-metric",
					map[string]any{"run_id": run, "key": "loss", "value": 0.5, "timestamp": 1700000000000, "step": i})
				return nil
			})
		})
	}
}
