package artifacts

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/johannesboyne/gofakes3"

	"github.com/prinzbox/prinzbox/registry/sqldb"
)

// Stock gofakes3 works on the store as its backend, although our own handlers stand before most of it.
func TestBackendOfStock(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	db, err := sqldb.Open(ctx, filepath.Join(dir, "x.db"), sqldb.DurabilityNormal)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if err := db.Migrate(ctx, "artifacts", Migrations()); err != nil {
		t.Fatal(err)
	}
	store, err := Open(ctx, Config{DB: db, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	server := NewS3(store, S3Config{}).(*s3Server)
	stock := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := &call{server: server, store: store, ctx: r.Context(), w: w, r: r, headers: r.Header}
		_, c.key, _ = strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		gofakes3.New(c).Server().ServeHTTP(w, r)
	}))
	t.Cleanup(stock.Close)
	for _, step := range []struct {
		method, path, span, body string
		status                   int
		want                     string
	}{
		{"PUT", "/bucket", "", "", 200, ""},
		{"PUT", "/bucket/k", "", "hello", 200, ""},
		{"GET", "/bucket/k", "", "", 200, "hello"},
		{"GET", "/bucket/k", "bytes=1-2", "", 206, "el"},
		{"GET", "/bucket/k", "bytes=9-", "", 416, "InvalidRange"},
		{"HEAD", "/bucket/k", "", "", 200, ""},
		{"GET", "/bucket/none", "", "", 404, "NoSuchKey"},
		{"HEAD", "/bucket/none", "", "", 404, ""},
		{"GET", "/bucket", "", "", 200, "<Key>k</Key>"},
		{"GET", "/", "", "", 200, "<Name>bucket</Name>"},
		{"DELETE", "/bucket", "", "", 409, "BucketNotEmpty"},
		{"DELETE", "/bucket/k", "", "", 204, ""},
		{"DELETE", "/bucket", "", "", 204, ""},
	} {
		req, err := http.NewRequestWithContext(ctx, step.method, stock.URL+step.path, strings.NewReader(step.body))
		if err != nil {
			t.Fatal(err)
		}
		if step.span != "" {
			req.Header.Set("Range", step.span)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || resp.StatusCode != step.status || !strings.Contains(string(text), step.want) {
			t.Errorf("%s %s %s: %d %s (%v), want %d with %q", step.method, step.path, step.span, resp.StatusCode, text, err, step.status, step.want)
		}
	}
}
