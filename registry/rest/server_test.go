package rest_test

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/prinzbox/prinzbox/artifacts"
	"github.com/prinzbox/prinzbox/registry"
	"github.com/prinzbox/prinzbox/registry/rest"
	"github.com/prinzbox/prinzbox/registry/sqldb"
)

func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// tickingClock starts now and moves a millisecond with every look, so that "later" is later.
func tickingClock() func() time.Time {
	start := time.Now()
	var ticks atomic.Int64
	return func() time.Time { return start.Add(time.Duration(ticks.Add(1)) * time.Millisecond) }
}

// backend is the API over a real store and real artifacts in a temporary folder.
type backend struct {
	store   *registry.Store
	db      *sqldb.DB
	handler http.Handler
	files   *files
}

func newBackend(t testing.TB, durability sqldb.Durability) *backend {
	t.Helper()
	gin.SetMode(gin.ReleaseMode)
	dir := t.TempDir()
	db, err := sqldb.Open(t.Context(), filepath.Join(dir, "prinzbox.db"), durability)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	store, err := registry.Open(t.Context(), registry.Config{DB: db, Clock: tickingClock(), NewID: newID, ArtifactRoot: "mlflow-artifacts:"})
	if err != nil {
		t.Fatal(err)
	}
	f := &files{
		locator: &artifacts.Locator{Proxy: artifacts.NewDirRepo(filepath.Join(dir, "artifacts"), false)},
		server: artifacts.NewFileServer(artifacts.ProxyConfig{WriteError: func(w http.ResponseWriter, status int, code, message string) {
			rest.WriteErrorStatus(w, status, registry.Code(code), message)
		}}),
	}
	r := gin.New()
	r.UseRawPath, r.UnescapePathValues, r.RedirectTrailingSlash, r.HandleMethodNotAllowed = true, true, false, true
	rest.New(rest.Config{Store: store, Artifacts: f, Log: slog.New(slog.NewTextHandler(logWriter{t}, nil)), Version: "3.17.2", MaxBody: 64 << 20}).Mount(r)
	proxy := artifacts.NewProxy(f.locator.Proxy, artifacts.ProxyConfig{})
	r.Any("/api/2.0/mlflow-artifacts/*path", gin.WrapH(http.StripPrefix("/api/2.0/mlflow-artifacts", proxy)))
	r.NoMethod(func(c *gin.Context) {
		rest.WriteErrorStatus(c.Writer, http.StatusMethodNotAllowed, registry.EndpointNotFound, "Method "+c.Request.Method+" is not allowed for "+c.Request.URL.Path)
	})
	r.NoRoute(func(c *gin.Context) { rest.NotFound(c.Writer, c.Request) })
	return &backend{store, db, r, f}
}

// logWriter shows the server's log with the test; an internal error logged is worth reading.
type logWriter struct{ t testing.TB }

func (w logWriter) Write(b []byte) (int, error) {
	w.t.Log(string(b))
	return len(b), nil
}

func (b *backend) start(t testing.TB) string {
	t.Helper()
	srv := httptest.NewServer(b.handler)
	t.Cleanup(srv.Close)
	return srv.URL
}

// seedExperimentIDs moves the counter of experiment ids to firstExperiment.
func (b *backend) seedExperimentIDs(t testing.TB) {
	t.Helper()
	err := b.db.Write(t.Context(), func(tx sqldb.Querier) error {
		_, err := tx.ExecContext(t.Context(), `INSERT INTO experiments (eid, name, artifact_location, creation_time, last_update_time) VALUES (?, 'first', 'mlflow-artifacts:/first', 1, 1)`, firstExperiment)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// files is the artifacts side of the API, as the composed program has it.
type files struct {
	locator *artifacts.Locator
	server  *artifacts.FileServer
}

func asRegistryError(err error) error {
	var foreign *artifacts.ForeignURIError
	switch {
	case errors.As(err, &foreign):
		return registry.Invalidf("%s", foreign.Error())
	case errors.Is(err, artifacts.ErrInvalidPath):
		return registry.Invalidf("Invalid path")
	}
	return err
}

func (f *files) List(ctx context.Context, location, p string) ([]rest.File, error) {
	repo, base, err := f.locator.Locate(location)
	if err != nil {
		return nil, asRegistryError(err)
	}
	infos, err := repo.List(ctx, path.Join(base, p))
	out := make([]rest.File, len(infos))
	for i, info := range infos {
		out[i] = rest.File{Path: path.Join(p, info.Name), IsDir: info.IsDir, Size: info.Size}
	}
	return out, asRegistryError(err)
}

func (f *files) Serve(w http.ResponseWriter, r *http.Request, location, p string) {
	repo, base, err := f.locator.Locate(location)
	if err != nil {
		rest.WriteError(w, asRegistryError(err))
		return
	}
	f.server.ServeFile(w, r, repo, path.Join(base, p))
}

func (f *files) Put(ctx context.Context, location, p string, r io.Reader, size int64) error {
	repo, base, err := f.locator.Locate(location)
	if err != nil {
		return asRegistryError(err)
	}
	return asRegistryError(repo.Put(ctx, path.Join(base, p), r, size))
}

func (f *files) Delete(ctx context.Context, location string) error {
	repo, base, err := f.locator.Locate(location)
	if err != nil {
		return asRegistryError(err)
	}
	return asRegistryError(repo.Delete(ctx, base))
}

func (f *files) CleanPath(p string) (string, error) {
	clean, err := artifacts.CleanPath(p)
	return clean, asRegistryError(err)
}

// call sends one request and reads the answer.
func call(t testing.TB, r request, base string) (status int, contentType string, body []byte) {
	t.Helper()
	var payload io.Reader
	if r.body != "" {
		payload = newReader(r.body)
	}
	req, err := http.NewRequestWithContext(t.Context(), r.method, base+r.path, payload)
	if err != nil {
		t.Fatal(err)
	}
	if r.body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for _, h := range r.headers {
		req.Header.Set(h[0], h[1])
		if h[1] == "" {
			req.Header.Del(h[0])
		}
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	body, err = io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header.Get("Content-Type"), body
}
