package artifacts_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prinzbox/prinzbox/artifacts"
)

// repos are all kinds, each empty.
func repos(t *testing.T) map[string]artifacts.Repo {
	return map[string]artifacts.Repo{
		"remote":    newRemote(t, newS3(t).url).Repo("mlflow", "a/b"),
		"http":      otherProxy(t, artifacts.NewBucketRepo(newStore(t), "mlflow", "")),
		"bucket":    artifacts.NewBucketRepo(newStore(t), "mlflow", ""),
		"prefix":    artifacts.NewBucketRepo(newStore(t), "mlflow", "a/b"),
		"directory": artifacts.NewDirRepo(filepath.Join(t.TempDir(), "new"), true),
	}
}

func TestProxy(t *testing.T) {
	for name, repo := range repos(t) {
		t.Run(name, func(t *testing.T) {
			srv := httptest.NewServer(artifacts.NewProxy(repo, artifacts.ProxyConfig{}))
			t.Cleanup(srv.Close)
			for i, c := range []struct {
				method, target, body string
				headers              string // Name: value
				status               int
				want                 string // body; with ~ in front, a part of it
				header               string // Name: value of the answer
			}{
				{"GET", "/artifacts", "", "", 200, "{}\n", ""},
				{"PUT", "/artifacts/1/run/artifacts/b.txt", "hello", "", 200, "", ""},
				{"PUT", "/artifacts/1/run/artifacts/m/model.pkl", "xyz", "", 200, "", ""},
				{"PUT", "/artifacts/1/run/artifacts/empty", "", "", 200, "", ""},
				{"PUT", "/artifacts/1/run/artifacts/", "x", "", 400, `~{"detail":"Artifact path must include a filename (cannot end with '/')."}`, ""},
				{"GET", "/artifacts/1/run/artifacts/b.txt", "", "", 200, "hello", "Content-Type: text/plain"},
				{"GET", "/artifacts/1/run/artifacts/b.txt", "", "", 200, "hello", "Content-Disposition: attachment; filename=b.txt"},
				{"GET", "/artifacts/1/run/artifacts/b.txt", "", "", 200, "hello", "X-Content-Type-Options: nosniff"},
				{"GET", "/artifacts/1/run/artifacts/b.txt", "", "", 200, "hello", "Accept-Ranges: bytes"},
				{"HEAD", "/artifacts/1/run/artifacts/b.txt", "", "", 200, "", "Content-Length: 5"},
				{"GET", "/artifacts/1/run/artifacts/b.txt", "", "Range: bytes=1-2", 206, "el", "Content-Range: bytes 1-2/5"},
				{"GET", "/artifacts/1//run/./artifacts/b.txt", "", "", 200, "hello", ""},
				{"GET", "/artifacts/1%2Frun%252Fartifacts/b.txt", "", "", 200, "hello", ""},
				{"GET", "/artifacts/1/run/artifacts/m/model.pkl", "", "", 200, "xyz", "Content-Type: application/octet-stream"},
				{"GET", "/artifacts/1/run/none", "", "", 404, `~No such artifact: '1/run/none'`, ""},
				{"GET", "/artifacts/1/run/artifacts", "", "", 400, `~{"detail":"Artifact path refers to a directory, not a file: '1/run/artifacts'"}`, ""},
				{
					"GET", "/artifacts?path=1/run/artifacts", "", "", 200,
					`{"files":[{"path":"b.txt","is_dir":false,"file_size":5},{"path":"empty","is_dir":false},{"path":"m","is_dir":true}]}` + "\n", "",
				},
				{"GET", "/artifacts?path=1/run/artifacts/", "", "", 200, `~"b.txt"`, ""},
				{"GET", "/artifacts?path=1/run/artifacts/b.txt", "", "", 200, "{}\n", ""},
				{"GET", "/artifacts?path=none", "", "", 200, "{}\n", ""},
				{"GET", "/artifacts?path=..", "", "", 400, "~Invalid path", ""},
				{"GET", "/artifacts/%2e%2e/x", "", "", 400, "~INVALID_PARAMETER_VALUE", ""},
				{"PUT", "/artifacts/%252e%252e%252fx", "x", "", 400, "~Invalid path", ""},
				{"DELETE", "/artifacts/..%2Fx", "", "", 400, "~Invalid path", ""},
				{"PUT", "/artifacts/%2Fetc%2Fx", "x", "", 400, "~Invalid path", ""},
				{"PUT", "/artifacts/d/%E6%97%A5.txt", "x", "", 200, "", ""},
				{"GET", "/artifacts/d/%E6%97%A5.txt", "", "", 200, "x", "Content-Disposition: attachment; filename=.txt; filename*=UTF-8''%E6%97%A5.txt"},
				{"GET", "/artifacts?path=d", "", "", 200, `{"files":[{"path":"日.txt","is_dir":false,"file_size":1}]}` + "\n", ""},
				{"PUT", "/artifacts/1/run/artifacts/b.txt", "again", "", 200, "", ""},
				{"GET", "/artifacts/1/run/artifacts/b.txt", "", "", 200, "again", ""},
				{"DELETE", "/artifacts/1/run/artifacts/m", "", "", 200, "{}\n", ""},
				{"GET", "/artifacts/1/run/artifacts/m/model.pkl", "", "", 404, "~RESOURCE_DOES_NOT_EXIST", ""},
				{"DELETE", "/artifacts/1/run/artifacts/none", "", "", 200, "{}\n", ""},
				{"DELETE", "/artifacts/1/run/artifacts/b.txt", "", "", 200, "{}\n", ""},
				{"GET", "/artifacts?path=1/run/artifacts", "", "", 200, `{"files":[{"path":"empty","is_dir":false}]}` + "\n", ""},
				{"POST", "/mpu/create/1/run", "{}", "", 501, "~Multipart upload is not supported for the current artifact repository", ""},
				{"GET", "/presigned/1/run/x", "", "", 501, "~Multipart download is not supported for the current artifact repository", ""},
				{"POST", "/artifacts/x", "", "", 405, "~detail", ""},
				{"GET", "/nonsense", "", "", 404, "~ENDPOINT_NOT_FOUND", ""},
			} {
				if name == "remote" && c.status == 501 {
					continue // TestRemoteMultipart
				}
				r, err := http.NewRequest(c.method, srv.URL+c.target, strings.NewReader(c.body))
				if err != nil {
					t.Fatal(err)
				}
				if k, v, ok := strings.Cut(c.headers, ": "); ok {
					r.Header.Set(k, v)
				}
				res, err := http.DefaultClient.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				b, err := io.ReadAll(res.Body)
				if err != nil {
					t.Fatal(err)
				}
				_ = res.Body.Close()
				part, isPart := strings.CutPrefix(c.want, "~")
				if res.StatusCode != c.status || isPart && !strings.Contains(string(b), part) || !isPart && string(b) != c.want {
					t.Errorf("%d %s %s: %d %s; want %d %s", i, c.method, c.target, res.StatusCode, b, c.status, c.want)
				}
				if k, v, ok := strings.Cut(c.header, ": "); ok && res.Header.Get(k) != v {
					t.Errorf("%d %s %s: %s: %q, want %q", i, c.method, c.target, k, res.Header.Get(k), v)
				}
			}
		})
	}
}

// An upload to the proxy that breaks off leaves the file that was there, and nothing else.
func TestRepoInterrupted(t *testing.T) {
	for name, repo := range repos(t) {
		ctx := t.Context()
		if err := repo.Put(ctx, "d/f", strings.NewReader("old"), 3); err != nil {
			t.Fatal(name, err)
		}
		if err := repo.Put(ctx, "d/f", &broken{500_000, io.ErrUnexpectedEOF}, 1_000_000); err == nil {
			t.Error(name, "half a file was stored")
		}
		if err := repo.Put(ctx, "d/f", strings.NewReader("new"), 4); err == nil {
			t.Error(name, "a short file was stored")
		}
		if err := repo.Put(ctx, "", strings.NewReader("x"), 1); !errors.Is(err, artifacts.ErrInvalidPath) {
			t.Error(name, err)
		}
		if err := repo.Put(ctx, "d/big", strings.NewReader(strings.Repeat("x", 100_000)), -1); err != nil {
			t.Error(name, err)
		}
		f, err := repo.Open(ctx, "d/f")
		if err != nil {
			t.Fatal(name, err)
		}
		if b, err := io.ReadAll(f); err != nil || string(b) != "old" || f.Size != 3 {
			t.Error(name, string(b), err)
		}
		_ = f.Close()
		root, err := repo.List(ctx, "")
		if err != nil || len(root) != 1 || root[0].Name != "d" || !root[0].IsDir {
			t.Error(name, root, err)
		}
		if err := repo.Delete(ctx, ""); err != nil {
			t.Error(name, err)
		}
		if root, err := repo.List(ctx, ""); err != nil || len(root) != 0 {
			t.Error(name, root, err)
		}
	}
}

// Files of a DirRepo lie where their paths say; links that lead out are not followed, nor are their targets written or deleted.
func TestDirRepo(t *testing.T) {
	ctx := t.Context()
	base := t.TempDir()
	dir, outside := filepath.Join(base, "in"), filepath.Join(base, "out")
	repo := artifacts.NewDirRepo(dir, false)
	if err := repo.Put(ctx, "1/run/f", strings.NewReader("v"), 1); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "1", "run", "f")); err != nil || string(b) != "v" {
		t.Errorf("%q, %v", b, err)
	}
	if err := os.MkdirAll(outside, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(outside, "secret"), []byte("s"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(dir, "link")); err != nil {
		t.Skip("no symbolic links here:", err)
	}
	if _, err := repo.Open(ctx, "link/secret"); !errors.Is(err, artifacts.ErrInvalidPath) {
		t.Errorf("open through a link: %v", err)
	}
	if err := repo.Put(ctx, "link/new", strings.NewReader("x"), 1); !errors.Is(err, artifacts.ErrInvalidPath) {
		t.Errorf("put through a link: %v", err)
	}
	if files, err := repo.List(ctx, "link"); len(files) != 0 || err != nil && !errors.Is(err, artifacts.ErrInvalidPath) {
		t.Errorf("list through a link: %v, %v", files, err)
	}
	if err := repo.Delete(ctx, "link"); err != nil {
		t.Errorf("delete a link: %v", err)
	}
	if _, err := os.Stat(filepath.Join(outside, "secret")); err != nil {
		t.Errorf("the link's target was deleted: %v", err)
	}
	if err := repo.Put(ctx, "1/run/f/below", strings.NewReader("x"), 1); !errors.Is(err, artifacts.ErrInvalidPath) {
		t.Errorf("below a file: %v", err)
	}
	if err := repo.Put(ctx, "1/run", strings.NewReader("x"), 1); !errors.Is(err, artifacts.ErrInvalidPath) {
		t.Errorf("in place of a directory: %v", err)
	}
	if err := repo.Put(ctx, strings.Repeat("n", 300), strings.NewReader("x"), 1); !errors.Is(err, artifacts.ErrInvalidPath) {
		t.Errorf("a name too long: %v", err)
	}
	if err := repo.Put(ctx, ".prinzbox-tmp/x", strings.NewReader("x"), 1); !errors.Is(err, artifacts.ErrInvalidPath) {
		t.Errorf("reserved: %v", err)
	}
}

func TestLocator(t *testing.T) {
	s := newStore(t)
	ctx := context.Background()
	put(t, s, "1/run/artifacts/f", []byte("v"))
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "f"), []byte("v"), 0o600); err != nil {
		t.Fatal(err)
	}
	l := &artifacts.Locator{
		Store: s, Proxy: artifacts.NewBucketRepo(s, "mlflow", ""),
		OwnHost:    func(host string) bool { return host == "here:5000" },
		AllowLocal: func(p string) bool { return strings.HasPrefix(p, dir) },
	}
	for _, uri := range []string{
		"s3://mlflow/1/run/artifacts", "s3://mlflow/1/run/artifacts/", "mlflow-artifacts:/1/run/artifacts", "mlflow-artifacts:///1/run/artifacts",
		"mlflow-artifacts://here:5000/1/run/artifacts", "http://here:5000/api/2.0/mlflow-artifacts/artifacts/1/run/artifacts",
		"https://here:5000/ajax-api/2.0/mlflow-artifacts/artifacts/1/run/artifacts", dir, "file://" + dir, "file:" + dir, (&url.URL{Scheme: "file", Path: dir}).String(),
	} {
		repo, base, err := l.Locate(uri)
		if err != nil {
			t.Errorf("%s: %v", uri, err)
			continue
		}
		f, err := repo.Open(ctx, strings.TrimPrefix(base+"/f", "/"))
		if err != nil {
			t.Errorf("%s: %v", uri, err)
			continue
		}
		_ = f.Close()
	}
	for uri, want := range map[string]string{
		"mlflow-artifacts://there:5000/1": "another server", "http://there/x": "artifact proxy", "http://here:5000/other": "artifact proxy",
		"gs://b/x": "scheme gs", "dbfs:/x": "scheme dbfs", "runs:/x/y": "scheme runs", "relative/path": "neither", "": "neither", "s3:///x": "names no bucket",
		"/etc": "not served", "file:///etc": "not served", "file://there/etc": "another machine",
	} {
		_, _, err := l.Locate(uri)
		var foreign *artifacts.ForeignURIError
		if !errors.As(err, &foreign) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", uri, err)
		}
	}
	if _, _, err := l.Locate("s3://mlflow/a/../../b"); !errors.Is(err, artifacts.ErrInvalidPath) {
		t.Error(err)
	}
}

func TestContentType(t *testing.T) {
	for name, want := range map[string]string{
		"a.txt": "text/plain", "MLmodel": "text/plain", "a/b.YAML": "text/plain", "x.json": "text/plain", "x.md": "text/plain", "x.pkl": "application/octet-stream",
		"x.onnx": "application/octet-stream", "Dockerfile": "application/octet-stream", "x.png": "image/png", "x.html": "text/html", "MLproject": "application/octet-stream", "": "application/octet-stream",
	} {
		if got := artifacts.ContentType(name); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	for name, want := range map[string]string{
		"b.txt": "attachment; filename=b.txt", "a b.txt": `attachment; filename="a b.txt"`, "dog%step%100.png": "attachment; filename=dog%step%100.png", "it's.txt": "attachment; filename=it's.txt", `q".txt`: `attachment; filename="q\".txt"`,
		"日": "attachment; filename=download; filename*=UTF-8''%E6%97%A5", "a\r\nX: y": `attachment; filename="aX: y"`,
	} {
		if got := artifacts.ContentDisposition(name); got != want {
			t.Errorf("%q: %s, want %s", name, got, want)
		}
	}
}
