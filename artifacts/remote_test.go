package artifacts_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/prinzbox/prinzbox/artifacts"
)

// newRemote reaches the S3 server at a URL with the right keys.
func newRemote(t testing.TB, endpoint string) *artifacts.Remote {
	t.Helper()
	r, err := artifacts.NewRemote(artifacts.RemoteConfig{Endpoint: endpoint, AccessKey: accessKey, SecretKey: secretKey})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// otherProxy serves a repository as another MLflow server does, and gives the repository that reads it there.
func otherProxy(t testing.TB, repo artifacts.Repo) artifacts.Repo {
	t.Helper()
	prefix := "/below/api/2.0/mlflow-artifacts"
	srv := httptest.NewServer(http.StripPrefix(prefix, artifacts.NewProxy(repo, artifacts.ProxyConfig{})))
	t.Cleanup(srv.Close)
	found, _ := locate(t, []string{strings.TrimPrefix(srv.URL, "http://")}, srv.URL+prefix+"/artifacts")
	return found
}

func locate(t testing.TB, allowed []string, uri string) (artifacts.Repo, string) {
	t.Helper()
	p, err := artifacts.NewProxies(allowed, nil)
	if err != nil {
		t.Fatal(err)
	}
	repo, base, err := (&artifacts.Locator{Proxies: p}).Locate(uri)
	if err != nil {
		t.Fatal(err)
	}
	return repo, base
}

func readAll(t testing.TB, repo artifacts.Repo, p string) ([]byte, error) {
	t.Helper()
	f, err := repo.Open(t.Context(), p)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // only read
	return io.ReadAll(f)
}

// Bodies of every size, announced or not, arrive whole, in one request or in parts, and are read from anywhere.
func TestRemoteSizes(t *testing.T) {
	s := newS3(t)
	repo := newRemote(t, s.url).Repo("mlflow", "p")
	large := noise(40<<20+7, 3)
	for _, size := range []int{0, 1, 5 << 10, 16<<20 - 1, 16 << 20, 16<<20 + 1, len(large)} {
		for _, announced := range []bool{true, false} {
			name, want, n := fmt.Sprintf("%d %v.bin", size, announced), large[:size], int64(-1)
			if announced {
				n = int64(size)
			}
			if err := repo.Put(t.Context(), name, onlyReader{bytes.NewReader(want)}, n); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			got, err := readAll(t, repo, name)
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s: %d bytes, %v", name, len(got), err)
			}
			info, err := s.store.Stat(t.Context(), "mlflow", "p/"+name)
			if err != nil || info.Size != int64(size) || info.Headers["Content-Type"] != "application/octet-stream" {
				t.Errorf("%s: stored as %+v, %v", name, info, err)
			}
		}
	}
	f, err := repo.Open(t.Context(), fmt.Sprintf("%d true.bin", len(large)))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // only read
	for _, at := range []int{0, 17 << 20, 3, len(large) - 4} {
		if _, err := f.Seek(int64(at), io.SeekStart); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 4)
		if _, err := io.ReadFull(f, b); err != nil || !bytes.Equal(b, large[at:at+4]) {
			t.Errorf("at %d: %x, %v; want %x", at, b, err, large[at:at+4])
		}
	}
	if n, err := f.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %d, %v", n, err)
	}
}

// uploads is what an S3 server lists of uploads under way.
func uploads(s *s3Test) string {
	s.Helper()
	return s.want(http.StatusOK, "ListMultipartUploadsResult", "GET", "/mlflow?uploads", nil).body
}

// Over TLS, the client sends bodies unsigned; sizes and parts are the same.
func TestRemoteTLS(t *testing.T) {
	store := newStore(t)
	srv := httptest.NewTLSServer(artifacts.NewS3(store, artifacts.S3Config{Keys: keys}))
	t.Cleanup(srv.Close)
	remote, err := artifacts.NewRemote(artifacts.RemoteConfig{Endpoint: srv.URL, AccessKey: accessKey, SecretKey: secretKey, Transport: srv.Client().Transport})
	if err != nil {
		t.Fatal(err)
	}
	repo := remote.Repo("mlflow", "")
	for _, size := range []int{0, 1000, 20 << 20} {
		want := noise(size, 1)
		for _, announced := range []int64{int64(size), -1} {
			if err := repo.Put(t.Context(), "d/f", onlyReader{bytes.NewReader(want)}, announced); err != nil {
				t.Fatal(err)
			}
			if got, err := readAll(t, repo, "d/f"); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%d: %d bytes, %v", size, len(got), err)
			}
		}
	}
	if err := repo.Delete(t.Context(), "d"); err != nil {
		t.Error(err)
	}
	if files, err := repo.List(t.Context(), ""); err != nil || len(files) != 0 {
		t.Errorf("after the delete: %v, %v", files, err)
	}
}

// onlyReader hides what else a reader can do.
type onlyReader struct{ io.Reader }

// A body that breaks off leaves nothing, whether or not its size was announced, and no parts.
func TestRemoteBrokenBody(t *testing.T) {
	s := newS3(t)
	repo := newRemote(t, s.url).Repo("mlflow", "")
	for i, c := range []struct {
		have, size int
		end        error
	}{
		{100, 200, io.ErrUnexpectedEOF},
		{100, -1, io.ErrUnexpectedEOF},
		{20 << 20, 40 << 20, io.ErrUnexpectedEOF},
		{20 << 20, -1, io.ErrUnexpectedEOF},
		{32 << 20, -1, io.ErrUnexpectedEOF},
		{100, 200, io.EOF},
		{20 << 20, 40 << 20, io.EOF},
		{20 << 20, -1, errors.New("gone")},
	} {
		err := repo.Put(t.Context(), "f", &broken{c.have, c.end}, int64(c.size))
		if err == nil {
			t.Errorf("%d: half a file was stored", i)
		}
		var e *artifacts.Error
		if (!errors.As(err, &e) || e.Code != "IncompleteBody") && (errors.Is(c.end, io.EOF) || errors.Is(c.end, io.ErrUnexpectedEOF)) {
			t.Errorf("%d: %v", i, err)
		}
		if files, err := repo.List(t.Context(), ""); err != nil || len(files) != 0 {
			t.Errorf("%d: left %v, %v", i, files, err)
		}
		if text := uploads(s); strings.Contains(text, "UploadId>") {
			t.Errorf("%d: uploads left: %s", i, text)
		}
	}
}

// A client is sent to the other store by URLs that its own keys sign.
func TestRemoteMultipart(t *testing.T) {
	s := newS3(t)
	repo := newRemote(t, s.url).Repo("mlflow", "a")
	srv := httptest.NewServer(artifacts.NewProxy(repo, artifacts.ProxyConfig{}))
	t.Cleanup(srv.Close)
	m := multipartTest{s, srv.URL}
	again := map[string]int{"complete": 200, "abort": 404}
	for _, end := range []string{"complete", "abort"} {
		c := m.create("1/run", "f.bin", 2)
		data := []string{string(noise(5<<20, 1)), "the end"}
		var parts []map[string]any
		for i, cred := range c.Credentials {
			status, text, header := m.plain("PUT", cred.URL, data[i])
			if status != 200 {
				t.Fatalf("part %d: %d %s", i, status, text)
			}
			parts = append(parts, map[string]any{"part_number": i + 1, "etag": header.Get("ETag")})
		}
		body, _ := json.Marshal(map[string]any{"path": "f.bin", "upload_id": c.UploadID, "parts": parts})
		if status, text, _ := m.plain("POST", m.proxy+"/mpu/"+end+"/1/run", string(body)); status != 200 {
			t.Fatalf("%s: %d %s", end, status, text)
		}
		if status, text, _ := m.plain("POST", m.proxy+"/mpu/"+end+"/1/run", string(body)); status != again[end] {
			t.Errorf("%s again: %d %s", end, status, text)
		}
		_, text, _ := m.plain("GET", m.proxy+"/presigned/1/run/f.bin", "")
		var got struct {
			URL  string `json:"url"`
			Size int    `json:"file_size"`
		}
		if err := json.Unmarshal([]byte(text), &got); err != nil || got.Size != len(data[0])+len(data[1]) {
			t.Fatalf("presigned: %s", text)
		}
		status, text, _ := m.plain("GET", got.URL, "")
		if status != 200 || text != data[0]+data[1] {
			t.Errorf("by URL: %d, %d bytes", status, len(text))
		}
	}
	if text := uploads(s); strings.Contains(text, "UploadId>") {
		t.Errorf("uploads left: %s", text)
	}
	// Clients get no URLs of a store that they cannot reach.
	r, _ := http.NewRequest("GET", "http://example.org:5000/", nil)
	if artifacts.CanPresign(r, repo, true) {
		t.Error("a client elsewhere was sent to this machine's loopback")
	}
	public, err := artifacts.NewRemote(artifacts.RemoteConfig{Endpoint: s.url, PublicEndpoint: "https://s3.example.org", AccessKey: "a", SecretKey: "b"})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := artifacts.PresignUpload(t.Context(), artifacts.Signer{}, public.Repo("bkt", "p"), "f g", 60e9); err != nil ||
		!strings.HasPrefix(got.URL, "https://s3.example.org/bkt/p/f%20g?") || !artifacts.CanPresign(r, public.Repo("bkt", ""), false) {
		t.Errorf("%+v, %v", got, err)
	}
}

// What the other store says is told with what to do about it.
func TestRemoteErrors(t *testing.T) {
	s := newS3(t)
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	failing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }))
	t.Cleanup(failing.Close)
	wrong, err := artifacts.NewRemote(artifacts.RemoteConfig{Endpoint: s.url, AccessKey: accessKey, SecretKey: "wrong"})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		remote *artifacts.Remote
		bucket string
		status int
		want   string
	}{
		"no bucket":   {newRemote(t, s.url), "other", 404, "There is no bucket other at " + s.url},
		"wrong keys":  {wrong, "mlflow", 403, "check its keys"},
		"nobody":      {newRemote(t, gone.URL), "mlflow", 503, "cannot be reached"},
		"failing":     {newRemote(t, failing.URL), "mlflow", 503, "failed"},
		"a bad name":  {newRemote(t, s.url), "x", 400, "Bucket name"},
		"fine":        {newRemote(t, s.url), "mlflow", 200, ""},
		"not our S3 ": {newRemote(t, newProxyURL(t)), "mlflow", 404, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := httptest.NewServer(artifacts.NewProxy(c.remote.Repo(c.bucket, ""), artifacts.ProxyConfig{}))
			defer srv.Close()
			resp, err := http.Get(srv.URL + "/artifacts?path=d")
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			b, _ := io.ReadAll(resp.Body)
			if resp.StatusCode != c.status || !strings.Contains(string(b), c.want) {
				t.Errorf("list: %d %s", resp.StatusCode, b)
			}
			if err := c.remote.Check(t.Context(), c.bucket); (err == nil) != (c.status == 200) || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("check: %v", err)
			}
		})
	}
	for _, endpoint := range []string{"", "minio:9000", "ftp://x", "http://", "http://x/path", "http://u:p@x", "http://x?y"} {
		if _, err := artifacts.NewRemote(artifacts.RemoteConfig{Endpoint: endpoint}); err == nil {
			t.Errorf("endpoint %q was taken", endpoint)
		}
	}
	if _, err := artifacts.NewRemote(artifacts.RemoteConfig{Endpoint: "http://x", AccessKey: "a"}); err == nil {
		t.Error("half a pair of keys was taken")
	}
}

func newProxyURL(t *testing.T) string {
	srv := httptest.NewServer(artifacts.NewProxy(artifacts.NewBucketRepo(newStore(t), "mlflow", ""), artifacts.ProxyConfig{}))
	t.Cleanup(srv.Close)
	return srv.URL
}

// breaking is a server that cuts every answer after some bytes.
type breaking struct {
	http.Handler
	after int
	cuts  atomic.Int64
	limit int64
}

type cutWriter struct {
	http.ResponseWriter
	left int
}

func (w *cutWriter) Write(p []byte) (int, error) {
	if len(p) > w.left {
		_, _ = w.ResponseWriter.Write(p[:w.left])
		_ = http.NewResponseController(w.ResponseWriter).Flush()
		panic(http.ErrAbortHandler)
	}
	w.left -= len(p)
	return w.ResponseWriter.Write(p)
}

func (b *breaking) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet && b.cuts.Add(1) <= b.limit {
		w = &cutWriter{w, b.after}
	}
	b.Handler.ServeHTTP(w, r)
}

// A download that breaks off is taken up where it was; a file that is replaced meanwhile is never mixed with its successor.
func TestRemoteResume(t *testing.T) {
	data, next := noise(3<<20, 1), noise(3<<20, 2)
	store := newStore(t)
	put(t, store, "f", data)
	s3 := &breaking{Handler: artifacts.NewS3(store, artifacts.S3Config{Keys: keys}), after: 1 << 20, limit: 2}
	prefix := "/api/2.0/mlflow-artifacts"
	proxy := &breaking{Handler: http.StripPrefix(prefix, artifacts.NewProxy(artifacts.NewBucketRepo(store, "mlflow", ""), artifacts.ProxyConfig{})), after: 1 << 20, limit: 2}
	s3URL, proxyURL := httptest.NewServer(s3), httptest.NewServer(proxy)
	t.Cleanup(s3URL.Close)
	t.Cleanup(proxyURL.Close)
	host := strings.TrimPrefix(proxyURL.URL, "http://")
	other, _ := locate(t, []string{host}, "mlflow-artifacts://"+host+"/")
	for name, c := range map[string]struct {
		repo artifacts.Repo
		cuts *breaking
	}{"s3": {newRemote(t, s3URL.URL).Repo("mlflow", ""), s3}, "http": {other, proxy}} {
		put(t, store, "f", data)
		got, err := readAll(t, c.repo, "f")
		if err != nil || !bytes.Equal(got, data) || c.cuts.cuts.Load() < 3 {
			t.Errorf("%s: %d bytes after %d requests, %v", name, len(got), c.cuts.cuts.Load(), err)
		}
		c.cuts.cuts.Store(0)
		f, err := c.repo.Open(t.Context(), "f")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(f, make([]byte, 1<<19)); err != nil {
			t.Fatal(err)
		}
		put(t, store, "f", next)
		rest, err := io.ReadAll(f)
		if err == nil || len(rest) >= len(data)-1<<19 || md5.Sum(rest) != md5.Sum(data[1<<19:1<<19+len(rest)]) {
			t.Errorf("%s: read on after the file was replaced: %d bytes, %v", name, len(rest), err)
		}
		_ = f.Close()
	}
}

// Other servers are spoken to only if the owner allows it, and only as what they say they are.
func TestForeignProxies(t *testing.T) {
	ctx := t.Context()
	store := newStore(t)
	put(t, store, "d/f", []byte("value"))
	prefix := "/api/2.0/mlflow-artifacts"
	srv := httptest.NewServer(http.StripPrefix(prefix, artifacts.NewProxy(artifacts.NewBucketRepo(store, "mlflow", ""), artifacts.ProxyConfig{})))
	t.Cleanup(srv.Close)
	host := strings.TrimPrefix(srv.URL, "http://")
	for _, allowed := range []string{host, srv.URL} {
		for _, uri := range []string{srv.URL + prefix + "/artifacts/d", srv.URL + "/ajax-api/2.0/mlflow-artifacts/artifacts/d", "mlflow-artifacts://" + host + "/d"} {
			repo, base := locate(t, []string{allowed}, uri)
			b, err := readAll(t, repo, base+"/f")
			if ajax := strings.Contains(uri, "ajax"); ajax != errors.Is(err, artifacts.ErrNotFound) || !ajax && string(b) != "value" {
				t.Errorf("%s: %s, %v", uri, b, err)
			}
		}
	}
	var foreign *artifacts.ForeignURIError
	for _, allowed := range [][]string{nil, {"other"}, {"https://" + host}, {"127.0.0.1"}} {
		p, err := artifacts.NewProxies(allowed, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = (&artifacts.Locator{Proxies: p}).Locate(srv.URL + prefix + "/artifacts/d")
		if !errors.As(err, &foreign) || !strings.Contains(err.Error(), "--allow-artifact-hosts "+host) {
			t.Errorf("with %v allowed: %v", allowed, err)
		}
	}
	all, err := artifacts.NewProxies(nil, []string{"http", "mlflow-artifacts"})
	if err != nil {
		t.Fatal(err)
	}
	for uri, want := range map[string]bool{srv.URL: true, "mlflow-artifacts://" + host + "/d": true, "https://" + host: false, "ftp://x": false, "mlflow-artifacts:/d": false, ":": false} {
		if all.Allows(uri) != want {
			t.Errorf("with two schemes allowed, %s: %v", uri, !want)
		}
	}
	if _, _, err := (&artifacts.Locator{}).Locate(srv.URL + prefix + "/artifacts/d"); !errors.As(err, &foreign) {
		t.Errorf("with nothing allowed: %v", err)
	}
	for _, host := range []string{"", "*", "*.example.org", "ftp://x", "http://", "x/path", "http://u@x", "a b"} {
		if _, err := artifacts.NewProxies([]string{host}, nil); err == nil {
			t.Errorf("host %q was taken", host)
		}
	}

	// Servers that are not what they should be.
	secret := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("secret")) }))
	t.Cleanup(secret.Close)
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		want    string
	}{
		"redirect": {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, secret.URL, http.StatusFound) }, "redirects are not followed"},
		"no JSON":  {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) }, "does not answer as"},
		"password": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(401) }, "401"},
		"down":     {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(502) }, "502"},
	} {
		bad := httptest.NewServer(c.handler)
		t.Cleanup(bad.Close)
		repo, _ := locate(t, []string{bad.URL}, bad.URL+prefix+"/artifacts")
		if _, err := repo.List(ctx, "d"); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: list: %v", name, err)
		}
		if name != "no JSON" {
			if _, err := repo.Open(ctx, "f"); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: open: %v", name, err)
			}
		}
	}
	evil := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"files": [{"path": "../../etc", "is_dir": true}, {"path": ".."}, {"path": ""}, {"path": "/"}, {"path": "a/b/c", "file_size": 1}]}`))
	}))
	t.Cleanup(evil.Close)
	repo, _ := locate(t, []string{evil.URL}, evil.URL+prefix+"/artifacts")
	if files, err := repo.List(ctx, ""); err != nil || fmt.Sprint(files) != "[{c false 1} {etc true 0}]" {
		t.Errorf("hostile names: %v, %v", files, err)
	}

	// A server that knows neither HEAD nor ranges nor lengths.
	old := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method != http.MethodGet:
			w.WriteHeader(405)
		case strings.HasSuffix(r.URL.Path, "/artifacts"):
			_, _ = w.Write([]byte(`{"files": [{"path": "d/f", "is_dir": false, "file_size": 10}, {"path": "d/sub", "is_dir": true}]}`))
		default:
			_, _ = w.Write([]byte("01234"))
			_ = http.NewResponseController(w).Flush()
			_, _ = w.Write([]byte("56789 and more than it said"))
		}
	}))
	t.Cleanup(old.Close)
	repo, _ = locate(t, []string{old.URL}, old.URL+prefix+"/artifacts")
	f, err := repo.Open(ctx, "d/f")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Seek(7, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(f); err != nil || string(b) != "789" {
		t.Errorf("old server: %q, %v", b, err)
	}
	_ = f.Close()
	if _, err := repo.Open(ctx, "d/sub"); !errors.Is(err, artifacts.ErrIsDirectory) {
		t.Errorf("old server: a directory: %v", err)
	}
	if _, err := repo.Open(ctx, "d/none"); !errors.Is(err, artifacts.ErrNotFound) {
		t.Errorf("old server: a missing file: %v", err)
	}
}

// With another S3 store, buckets of the own store stay there.
func TestLocatorRemote(t *testing.T) {
	other := newS3(t)
	if err := other.store.CreateBucket(t.Context(), "foreign", false); err != nil {
		t.Fatal(err)
	}
	own := newStore(t)
	put(t, own, "f", []byte("own"))
	put(t, other.store, "f", []byte("not this"))
	if _, err := other.store.Put(t.Context(), "foreign", "f", strings.NewReader("foreign"), artifacts.PutOptions{Expect: artifacts.Expect{Size: -1}}); err != nil {
		t.Fatal(err)
	}
	l := &artifacts.Locator{Store: own, Remote: newRemote(t, other.url)}
	for uri, want := range map[string]string{"s3://mlflow": "own", "s3://foreign": "foreign"} {
		repo, _, err := l.Locate(uri)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := readAll(t, repo, "f"); string(b) != want {
			t.Errorf("%s: %s, %v", uri, b, err)
		}
	}
	for _, scheme := range []string{"gs", "wasbs", "abfss", "hdfs", "dbfs"} {
		_, _, err := l.Locate((&url.URL{Scheme: scheme, Host: "x", Path: "/y"}).String())
		var foreign *artifacts.ForeignURIError
		if !errors.As(err, &foreign) || !strings.Contains(err.Error(), "copy the files to S3") {
			t.Errorf("%s: %v", scheme, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.Remote.Check(ctx, "foreign"); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// Whatever a client calls a location, no host is spoken to that is not allowed, and nothing but the own stores is opened.
func FuzzLocate(f *testing.F) {
	for _, uri := range []string{
		"s3://mlflow/1/run", "s3:///x", "s3://b:80/../x", "mlflow-artifacts:/1", "mlflow-artifacts://here:5000/1", "mlflow-artifacts://there/1", "http://there/api/2.0/mlflow-artifacts/artifacts/x",
		"https://u:p@allowed/below/api/2.0/mlflow-artifacts/artifacts/../x", "http://allowed@there/api/2.0/mlflow-artifacts/artifacts", "http://there#@allowed/2.0/mlflow-artifacts/artifacts",
		"http://[::1]:80/api/2.0/mlflow-artifacts/artifacts", "file:///etc/passwd", "/etc", "gs://b", "%zz", "", "http:///2.0/mlflow-artifacts/artifacts", "HTTP://THERE/2.0/mlflow-artifacts/artifacts",
	} {
		f.Add(uri)
	}
	store := newStore(f)
	p, err := artifacts.NewProxies([]string{"allowed", "https://secure:8443"}, nil)
	if err != nil {
		f.Fatal(err)
	}
	l := &artifacts.Locator{
		Store: store, Proxy: artifacts.NewBucketRepo(store, "mlflow", ""), Remote: newRemote(f, "http://127.0.0.1:1"), Proxies: p,
		OwnHost: func(host string) bool { return host == "here:5000" },
	}
	f.Fuzz(func(t *testing.T, uri string) {
		repo, p, err := l.Locate(uri)
		if err != nil {
			return
		}
		if clean := strings.Trim(p, "/"); clean != p || strings.HasPrefix("/"+p+"/", "/../") || strings.Contains("/"+p+"/", "/../") {
			t.Errorf("%q: the path %q", uri, p)
		}
		switch repo.(type) {
		case *artifacts.HTTPRepo:
			u, err := url.Parse(uri)
			if err != nil || !strings.EqualFold(u.Hostname(), "allowed") && (!strings.EqualFold(u.Host, "secure:8443") || u.Scheme == "http") {
				t.Errorf("%q is taken for an allowed host", uri)
			}
		case *artifacts.BucketRepo, *artifacts.RemoteRepo:
		default:
			t.Errorf("%q: %T", uri, repo)
		}
	})
}
