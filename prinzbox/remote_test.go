package prinzbox_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/prinzbox/prinzbox/artifacts"
	"github.com/prinzbox/prinzbox/prinzbox"
)

// withRemote keeps an environment's artifacts in another one's bucket.
func withRemote(other *prinzbox.Env, bucket string) func(*prinzbox.Config) {
	return func(c *prinzbox.Config) {
		c.ArtifactsDestination = "s3://" + bucket + "/some/where"
		c.Remote = prinzbox.RemoteS3{Endpoint: other.S3Endpoint(), AccessKey: other.Ready().AccessKey, SecretKey: other.Ready().SecretKey}
	}
}

// bareEnv is an environment without samples.
func bareEnv(t testing.TB, options ...func(*prinzbox.Config)) *prinzbox.Env {
	t.Helper()
	return prinzbox.Start(t, append([]func(*prinzbox.Config){func(c *prinzbox.Config) { c.Seed = false }}, options...)...)
}

// With artifacts in another S3 store, all that works on the own store works: the proxy, get-artifact, lists, parts by URL, scoring, GUI, gc.
func TestRemoteStore(t *testing.T) {
	t.Parallel()
	other := bareEnv(t)
	ctx := t.Context()
	if err := other.Objects().CreateBucket(ctx, "archive", false); err != nil {
		t.Fatal(err)
	}
	env := prinzbox.Start(t, withRemote(other, "archive"))
	api := env.TrackingURI() + "/api/2.0/"
	exp, run := newRun(t, env, "remote")
	below := exp + "/" + run + "/artifacts"
	files := map[string]string{"a.txt": "hello", "deep/er/größe 5% + x.bin": string(bytes.Repeat([]byte("0123456789abcdef"), 1<<20+1)), "empty": ""}
	for name, body := range files {
		if a := call(t, "PUT", api+"mlflow-artifacts/artifacts/"+below+"/"+escape(name), body); a.status != 200 {
			t.Fatalf("put %s: %d %s", name, a.status, a.body)
		}
		info, err := other.Objects().Stat(ctx, "archive", "some/where/"+below+"/"+name)
		if err != nil || info.Size != int64(len(body)) {
			t.Errorf("%s at the other store: %+v, %v", name, info, err)
		}
		for _, url := range []string{
			api + "mlflow-artifacts/artifacts/" + below + "/" + escape(name), env.TrackingURI() + "/get-artifact?run_id=" + run + "&path=" + escape(name),
		} {
			if a := call(t, "GET", url, ""); a.status != 200 || a.body != body {
				t.Errorf("GET %s: %d, %d bytes", url, a.status, len(a.body))
			}
		}
	}
	if page, err := env.Objects().List(ctx, "mlflow", artifacts.ListOptions{Prefix: exp + "/", Max: 10}); err != nil || len(page.Objects) != 0 {
		t.Errorf("in the own store: %v, %v", page.Objects, err)
	}
	a := call(t, "GET", api+"mlflow/artifacts/list?run_id="+run, "")
	if a.status != 200 || !strings.Contains(a.body, `"a.txt"`) || !strings.Contains(a.body, `"deep"`) {
		t.Errorf("list: %d %s", a.status, a.body)
	}
	if a := call(t, "GET", env.TrackingURI()+"/get-artifact?run_id="+run+"&path="+escape("deep/er/größe 5% + x.bin"), "", "Range", "bytes=16-31"); a.status != 206 || a.body != "0123456789abcdef" {
		t.Errorf("range: %d %.100s", a.status, a.body)
	}

	// A client moves parts straight to the other store.
	var made struct {
		ID    string                 `json:"upload_id"`
		Parts []struct{ URL string } `json:"credentials"`
	}
	a = call(t, "POST", api+"mlflow-artifacts/mpu/create/"+below, `{"path": "parts.bin", "num_parts": 1}`)
	if err := json.Unmarshal([]byte(a.body), &made); err != nil || len(made.Parts) != 1 || !strings.HasPrefix(made.Parts[0].URL, other.S3Endpoint()) {
		t.Fatalf("mpu/create: %d %s", a.status, a.body)
	}
	part := call(t, "PUT", made.Parts[0].URL, "in parts")
	a = call(t, "POST", api+"mlflow-artifacts/mpu/complete/"+below, fmt.Sprintf(`{"path": "parts.bin", "upload_id": %q, "parts": [{"part_number": 1, "etag": %q}]}`, made.ID, part.header.Get("ETag")))
	if got := call(t, "GET", api+"mlflow-artifacts/artifacts/"+below+"/parts.bin", ""); a.status != 200 || got.body != "in parts" {
		t.Errorf("mpu: %d %s, then %d %s", a.status, a.body, got.status, got.body)
	}
	a = call(t, "GET", api+"mlflow-artifacts/presigned/"+below+"/parts.bin", "")
	var signed struct{ URL string }
	if err := json.Unmarshal([]byte(a.body), &signed); err != nil || call(t, "GET", signed.URL, "").body != "in parts" {
		t.Errorf("presigned: %d %s", a.status, a.body)
	}

	// Scoring reads a model there.
	version, err := env.Store().ModelVersion(ctx, "MLF-ElasticnetWineModel-2", "1")
	if err != nil {
		t.Fatal(err)
	}
	_, key, _ := strings.Cut(version.Source, "s3://mlflow/")
	for _, name := range []string{"MLmodel", "model.pkl"} {
		r, err := env.Objects().Open(ctx, "mlflow", key+"/"+name)
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		_ = r.Close()
		if a := call(t, "PUT", api+"mlflow-artifacts/artifacts/"+below+"/model/"+name, string(data)); a.status != 200 || err != nil {
			t.Fatal(a, err)
		}
	}
	call(t, "POST", api+"mlflow/registered-models/create", `{"name": "far"}`)
	call(t, "POST", api+"mlflow/model-versions/create", fmt.Sprintf(`{"name": "far", "run_id": %q, "source": "mlflow-artifacts:/%s/model"}`, run, below))
	far := call(t, "POST", env.TrackingURI()+"/far/invocations", wineBody("0.415"))
	near := call(t, "POST", env.TrackingURI()+"/MLF-ElasticnetWineModel-2/invocations", wineBody("0.415"))
	if far.status != 200 || far.body != near.body {
		t.Errorf("scored %d %s, want %s", far.status, far.body, near.body)
	}
	if a := call(t, "GET", env.TrackingURI()+"/runs/"+run+"?path=&file=a.txt", ""); a.status != 200 || !strings.Contains(a.body, "hello") {
		t.Errorf("GUI: %d %.200s", a.status, a.body)
	}

	if a := call(t, "GET", env.TrackingURI()+"/", ""); a.status != 200 || !strings.Contains(a.body, "Another S3 store") || !strings.Contains(a.body, other.S3Endpoint()) {
		t.Errorf("the page of the environment: %d", a.status)
	}

	if a := call(t, "DELETE", api+"mlflow-artifacts/artifacts/"+below+"/deep", ""); a.status != 200 {
		t.Errorf("delete: %d %s", a.status, a.body)
	}
	if a := call(t, "GET", api+"mlflow/artifacts/list?run_id="+run, ""); strings.Contains(a.body, "deep") {
		t.Errorf("after the delete: %s", a.body)
	}
}

func escape(p string) string {
	parts := strings.Split(p, "/")
	for i := range parts {
		parts[i] = strings.ReplaceAll(url.PathEscape(parts[i]), "+", "%2B")
	}
	return strings.Join(parts, "/")
}

// Runs whose artifacts lie on another S3 store, or behind another server's artifact proxy, list and download.
func TestLocationsElsewhere(t *testing.T) {
	t.Parallel()
	other := bareEnv(t)
	ctx := t.Context()
	if err := other.Objects().CreateBucket(ctx, "foreign", false); err != nil {
		t.Fatal(err)
	}
	host := strings.TrimPrefix(other.TrackingURI(), "http://")
	env := bareEnv(t, func(c *prinzbox.Config) {
		withRemote(other, "")(c)
		c.ArtifactsDestination = ""
		c.ArtifactHosts = []string{host}
	})
	closed := bareEnv(t)
	for _, c := range []struct{ location, bucket, key string }{
		{"s3://foreign/x", "foreign", "x"},
		{"s3://mlflow/own", "", "own"},
		{other.TrackingURI() + "/api/2.0/mlflow-artifacts/artifacts/x", "mlflow", "x"},
		{"mlflow-artifacts://" + host + "/y", "mlflow", "y"},
	} {
		var made struct {
			ID  string `json:"experiment_id"`
			Run struct {
				Info struct {
					ID  string `json:"run_id"`
					URI string `json:"artifact_uri"`
				} `json:"info"`
			} `json:"run"`
		}
		for i, e := range []*prinzbox.Env{closed, env} {
			if i == 0 && c.bucket == "mlflow" {
				a := call(t, "POST", e.TrackingURI()+"/api/2.0/mlflow/experiments/create", `{"name": "x", "artifact_location": "`+c.location+`"}`)
				if a.status != 400 || !strings.Contains(a.body, "addresses a host") {
					t.Errorf("%s where it is not allowed: %d %s", c.location, a.status, a.body)
				}
				continue
			}
			for _, step := range []string{`experiments/create {"name": "` + c.location + `", "artifact_location": "` + c.location + `"}`, `runs/create {"experiment_id": "%s"}`} {
				path, body, _ := strings.Cut(step, " ")
				if i := strings.Index(body, "%s"); i > 0 {
					body = fmt.Sprintf(body, made.ID)
				}
				a := call(t, "POST", e.TrackingURI()+"/api/2.0/mlflow/"+path, body)
				if err := json.Unmarshal([]byte(a.body), &made); err != nil || a.status != 200 {
					t.Fatalf("%s: %d %s %v", step, a.status, a.body, err)
				}
			}
			key := c.key + "/" + made.Run.Info.ID + "/artifacts/d/f.txt"
			store, bucket := other.Objects(), c.bucket
			if bucket == "" {
				store, bucket = e.Objects(), "mlflow"
			}
			if _, err := store.Put(ctx, bucket, key, strings.NewReader(c.location), artifacts.PutOptions{Expect: artifacts.Expect{Size: -1}}); err != nil {
				t.Fatal(err)
			}
			list := call(t, "GET", e.TrackingURI()+"/api/2.0/mlflow/artifacts/list?path=d&run_id="+made.Run.Info.ID, "")
			got := call(t, "GET", e.TrackingURI()+"/get-artifact?path=d/f.txt&run_id="+made.Run.Info.ID, "")
			switch {
			case i == 1 || c.bucket == "":
				if list.status != 200 || !strings.Contains(list.body, `"d/f.txt"`) || got.status != 200 || got.body != c.location {
					t.Errorf("%s: list %d %s; get %d %s", c.location, list.status, list.body, got.status, got.body)
				}
			case c.bucket == "foreign":
				if got.status != 404 {
					t.Errorf("%s without another store: get %d %s", c.location, got.status, got.body)
				}
			}
		}
	}
}

// What cannot work is told at start, in one line.
func TestRemoteStoreRefused(t *testing.T) {
	t.Parallel()
	other := bareEnv(t)
	for name, c := range map[string]struct {
		change func(*prinzbox.Config)
		want   string
	}{
		"no bucket":  {withRemote(other, "none"), "There is no bucket none"},
		"wrong keys": {func(c *prinzbox.Config) { withRemote(other, "mlflow")(c); c.Remote.SecretKey = "wrong" }, "check its keys"},
		"nobody":     {func(c *prinzbox.Config) { withRemote(other, "mlflow")(c); c.Remote.Endpoint = "http://127.0.0.1:1" }, "cannot be reached"},
		"no URL":     {func(c *prinzbox.Config) { c.Remote.Endpoint = "minio:9000" }, "write http://HOST:PORT"},
		"keys alone": {func(c *prinzbox.Config) { c.Remote.AccessKey = "a" }, "need --s3-endpoint"},
		"a wildcard": {func(c *prinzbox.Config) { c.ArtifactHosts = []string{"*"} }, "--allow-artifact-hosts"},
	} {
		var config prinzbox.Config
		c.change(&config)
		env, err := prinzbox.Open(context.WithoutCancel(t.Context()), config)
		if err == nil {
			_ = env.Close()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for want, args := range map[string][]string{
		"write http://HOST:PORT":  {"--s3-endpoint", "x"},
		"need --s3-endpoint":      {"--s3-endpoint-access-key", "x"},
		"write HOST, HOST:PORT":   {"--allow-artifact-hosts", "a/b"},
		"an access key needs":     {"--s3-endpoint", "http://x", "--s3-endpoint-access-key", "x"},
		"is this server's own":    {"--s3-endpoint", "http://localhost:39471", "--s3-port", "39471", "--port", "0", "--static-port", "0", "--ephemeral", "--no-seed"},
		"no bucket: write s3://B": {"--artifacts-destination", "s3://", "--s3-endpoint", "http://x"},
	} {
		if code, _, stderr := runCommand(t, nil, append([]string{"serve"}, args...)...); code == 0 || !strings.Contains(stderr, want) {
			t.Errorf("%v: %d %s", args, code, stderr)
		}
	}
}

// The other store's outage is a 503 that says so, never a hang or an empty answer.
func TestRemoteStoreGone(t *testing.T) {
	t.Parallel()
	other, err := prinzbox.Open(context.WithoutCancel(t.Context()), prinzbox.Config{})
	if err != nil {
		t.Fatal(err)
	}
	env := bareEnv(t, withRemote(other, "mlflow"))
	_, run := newRun(t, env, "gone")
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ method, path string }{
		{"GET", "/api/2.0/mlflow/artifacts/list?run_id=" + run},
		{"GET", "/get-artifact?path=x&run_id=" + run},
		{"PUT", "/api/2.0/mlflow-artifacts/artifacts/x"},
		{"GET", "/api/2.0/mlflow-artifacts/artifacts/x"},
	} {
		a := call(t, c.method, env.TrackingURI()+c.path, "")
		if a.status != http.StatusServiceUnavailable || !strings.Contains(a.body, "cannot be reached") || !strings.Contains(a.body, "TEMPORARILY_UNAVAILABLE") {
			t.Errorf("%s %s: %d %s", c.method, c.path, a.status, a.body)
		}
	}
}
