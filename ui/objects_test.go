package ui_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prinzbox/prinzbox/artifacts"
	"github.com/prinzbox/prinzbox/registry"
	"github.com/prinzbox/prinzbox/registry/sqldb"
	"github.com/prinzbox/prinzbox/ui"
)

// storehouse is a house with an S3 store behind its pages.
type storehouse struct {
	*house
	objects *artifacts.Store
	// refuse is an action that nobody may do.
	refuse atomic.Int64
}

func newStorehouse(t testing.TB) *storehouse {
	t.Helper()
	return stock(newHouse(t))
}

// stock puts an S3 store with the bucket mlflow behind the pages of a house.
func stock(h *house) *storehouse {
	t := h.t
	t.Helper()
	s := &storehouse{house: h}
	s.refuse.Store(-1)
	ctx := context.Background()
	db := must[*sqldb.DB](t)(sqldb.Open(ctx, filepath.Join(t.TempDir(), "objects.db"), sqldb.DurabilityOff))
	s.do(db.Migrate(ctx, "artifacts", artifacts.Migrations()))
	s.objects = must[*artifacts.Store](t)(artifacts.Open(ctx, artifacts.Config{DB: db, Dir: t.TempDir(), Clock: func() time.Time { return now.Add(-time.Hour) }}))
	t.Cleanup(func() {
		if err := s.objects.Close(); err != nil {
			t.Error(err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	s.do(s.objects.CreateBucket(ctx, "mlflow", false))
	s.pages.Store(ui.New(ui.Config{
		Store: s.store, Scoring: s.model, Artifacts: s.files, Environment: s.environment, Clock: func() time.Time { return now },
		Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
		Objects: &ui.Objects{
			Store: s.objects, Allow: func(_ context.Context, do artifacts.S3Action, _, _ string) bool { return int64(do) != s.refuse.Load() },
			Presign: func(_ *http.Request, bucket, key, version string, life time.Duration) (string, error) {
				if bucket == "far" {
					return "", registry.Invalidf("Start prinzbox with --s3-public-url.")
				}
				q := url.Values{}
				if version != "" {
					q.Set("versionId", version)
				}
				return artifacts.Presign(artifacts.PresignOptions{
					Method: http.MethodGet, Endpoint: "http://127.0.0.1:9000", Bucket: bucket, Key: key, AccessKey: "a", Secret: "b", Expires: life, Now: now, Query: q,
				})
			},
		},
	}))
	return s
}

func (s *storehouse) put(bucket, key, content string) artifacts.ObjectInfo {
	s.t.Helper()
	return must[artifacts.ObjectInfo](s.t)(s.objects.Put(context.Background(), bucket, key, strings.NewReader(content), artifacts.PutOptions{
		Expect: artifacts.Expect{Size: int64(len(content))}, Headers: map[string]string{"Content-Type": artifacts.ContentType(key)},
	}))
}

// holds fails unless a page has all of some texts and none of others.
func holds(t testing.TB, where, page string, has, lacks []string) {
	t.Helper()
	for _, want := range has {
		if !strings.Contains(page, want) {
			t.Errorf("%s: no %s", where, want)
		}
	}
	for _, not := range lacks {
		if strings.Contains(page, not) {
			t.Errorf("%s holds %s", where, not)
		}
	}
}

func TestBuckets(t *testing.T) {
	s := newStorehouse(t)
	status, page := s.get("/s3")
	if status != 200 {
		t.Fatal(status)
	}
	holds(t, "buckets", page, []string{`href="/s3/mlflow"`, "AWS_ENDPOINT_URL=http://127.0.0.1:9000", `aws_secret_access_key=&#34;mlflow-secret&#34;`}, nil)
	if status, page := s.post("/s3", "name=made-here"); status != 200 || !strings.Contains(page, "<h1>made-here</h1>") {
		t.Errorf("made: %d", status)
	}
	for name, want := range map[string]string{"made-here": "already", "A": "not valid", "": "not valid"} {
		if status, page := s.post("/s3", "name="+name); status != 400 && status != 409 || !strings.Contains(page, want) {
			t.Errorf("bucket %q: %d %s", name, status, page)
		}
	}
	s.refuse.Store(int64(artifacts.S3Manage))
	if _, page := s.get("/s3"); strings.Contains(page, "Make a bucket") {
		t.Error("the form shows to who may not make buckets")
	}
	if status, _ := s.post("/s3", "name=another"); status != http.StatusForbidden {
		t.Errorf("made without permission: %d", status)
	}
}

func TestKeysOfABucket(t *testing.T) {
	s := newStorehouse(t)
	for i := range 250 {
		s.put("mlflow", fmt.Sprintf("many/k%03d", i), "x")
	}
	for _, key := range []string{"a//b", "/lead", "dots/../x", hostile + "/" + hostile, "plus+and space&.txt", "ü/ö"} {
		s.put("mlflow", key, "x")
	}
	status, page := s.get("/s3/mlflow")
	if status != 200 {
		t.Fatal(status)
	}
	holds(t, "top", page, []string{`href="/s3/mlflow?prefix=many%2F"`, `href="/s3/mlflow?prefix=%2F"`, `href="/s3/mlflow/object?key=plus%2Band+space%26.txt"`}, []string{"<img", "<script>alert"})
	for _, prefix := range []string{"a/", "/", "dots/", "dots/../", hostile + "/", "ü/"} {
		if status, page := s.get("/s3/mlflow?" + url.Values{"prefix": {prefix}}.Encode()); status != 200 || strings.Contains(page, "No key begins") || strings.Contains(page, "<img") {
			t.Errorf("%q: %d", prefix, status)
		}
	}
	seen := 0
	for path, pages := "/s3/mlflow?prefix=many/", 0; path != ""; pages++ {
		_, page := s.get(path)
		seen += strings.Count(page, `<th scope="row"><a href="/s3/mlflow/object`)
		_, rest, more := strings.Cut(page, `" rel="next"`)
		if path = ""; more {
			before := page[:len(page)-len(rest)-len(`" rel="next"`)]
			path = strings.ReplaceAll(before[strings.LastIndex(before, `href="`)+6:], "&amp;", "&")
		}
		if pages > 3 {
			t.Fatal("the pages do not end")
		}
	}
	if seen != 250 {
		t.Errorf("%d keys on all pages, want 250", seen)
	}
	_, page = s.get("/s3/mlflow?prefix=many/k24")
	holds(t, "part of a name", page, []string{"k240", "10 names"}, []string{"k239"})
	if _, page := s.get("/s3/mlflow?prefix=none"); !strings.Contains(page, "No key begins") {
		t.Error("an empty prefix says nothing")
	}
	if status, page := s.get("/s3/nowhere"); status != 404 || !strings.Contains(page, "bucket") {
		t.Errorf("no bucket: %d", status)
	}
	s.refuse.Store(int64(artifacts.S3List))
	if status, _ := s.get("/s3/mlflow"); status != http.StatusForbidden {
		t.Errorf("refused: %d", status)
	}
}

func TestObjectPage(t *testing.T) {
	s := newStorehouse(t)
	key := "data/" + hostile + ".csv"
	info := must[artifacts.ObjectInfo](t)(s.objects.Put(t.Context(), "mlflow", key, strings.NewReader("a,b\n1,"+hostile+"\n"), artifacts.PutOptions{
		Expect: artifacts.Expect{Size: -1, Checksum: "sha256"}, Headers: map[string]string{"Content-Type": "text/csv", "Cache-Control": "no-store"},
		Metadata: map[string]string{"made-by": hostile}, Tags: []artifacts.Tag{{Key: "colour", Value: hostile}},
	}))
	query := url.Values{"key": {key}}
	path := "/s3/mlflow/object?" + query.Encode()
	status, page := s.get(path + "&link=1h")
	if status != 200 {
		t.Fatal(status, page)
	}
	holds(t, "object", page, []string{info.ETag, "text/csv", "no-store", "made-by", "colour", "sha256 ", `<th scope="col" class="num">a</th>`, "X-Amz-Signature=", "X-Amz-Expires=3600"},
		[]string{"<img", "<script>alert", `<h2 id="versions">`})
	if status, page := s.get(path + "&link=9y"); status != 200 || !strings.Contains(page, "1h, 1d or 7d") {
		t.Errorf("link of no life: %d", status)
	}
	form := url.Values{"key": {key}, "do": {"untag"}, "tag": {"colour"}}
	if status, page := s.post("/s3/mlflow/object", form.Encode()); status != 200 || strings.Contains(page, "Remove the tag colour") {
		t.Errorf("untag: %d", status)
	}
	form = url.Values{"key": {key}, "do": {"tag"}, "tag": {"size"}, "value": {"small"}}
	if status, page := s.post("/s3/mlflow/object", form.Encode()); status != 200 || !strings.Contains(page, "small") {
		t.Errorf("tag: %d", status)
	}
	for form, want := range map[string]int{
		"do=burn&key=" + url.QueryEscape(key): 400, "do=tag&tag=x&key=none": 404,
		"do=tag&key=" + url.QueryEscape(key) + "&tag=" + strings.Repeat("x", 200): 400,
	} {
		if status, _ := s.post("/s3/mlflow/object", form); status != want {
			t.Errorf("%s: status %d, want %d", form, status, want)
		}
	}
	resp := s.ask("/s3/mlflow/file?" + query.Encode())
	if d := resp.Header.Get("Content-Disposition"); resp.StatusCode != 200 || !strings.HasPrefix(d, "attachment") || resp.Header.Get("Content-Type") != "application/octet-stream" {
		t.Errorf("download: %d %v", resp.StatusCode, resp.Header)
	}
	s.put("mlflow", "page.html", "<script>alert(1)</script>")
	if resp := s.ask("/s3/mlflow/view?key=page.html"); resp.StatusCode != 200 || !strings.HasPrefix(resp.Header.Get("Content-Security-Policy"), "sandbox allow-scripts; default-src 'none'") {
		t.Errorf("in place: %d %v", resp.StatusCode, resp.Header)
	}
	for path, want := range map[string]int{
		"/s3/mlflow/object?key=none": 404, "/s3/mlflow/object": 404, "/s3/mlflow/file?key=none": 404, "/s3/mlflow/view?key=none.png": 404, "/s3/none/object?key=x": 404,
		"/s3/mlflow/view?" + query.Encode(): 400, path + "&version=nonsense": 400,
	} {
		if status, page := s.get(path); status != want {
			t.Errorf("%s: status %d, want %d: %s", path, status, want, page)
		}
	}
	s.refuse.Store(int64(artifacts.S3Read))
	for _, path := range []string{path, "/s3/mlflow/file?" + query.Encode(), "/s3/mlflow/view?key=page.html"} {
		if status, _ := s.get(path); status != http.StatusForbidden {
			t.Errorf("%s without permission: %d", path, status)
		}
	}
}

func TestVersionsOfAnObject(t *testing.T) {
	s := newStorehouse(t)
	s.do(s.objects.SetBucketVersioning(t.Context(), "mlflow", artifacts.VersioningEnabled))
	first := s.put("mlflow", "v.txt", "the first")
	second := s.put("mlflow", "v.txt", "the second")
	s.put("mlflow", "v.txt.other", "another key")
	_, page := s.get("/s3/mlflow/object?key=v.txt")
	holds(t, "current", page, []string{"the second", "version=" + first.Version, second.Version}, []string{"another key", "v.txt.other"})
	_, page = s.get("/s3/mlflow/object?key=v.txt&version=" + first.Version)
	holds(t, "first", page, []string{"the first"}, []string{"the second"})
	if _, page := s.get("/s3/mlflow/delete?key=v.txt"); !strings.Contains(page, "keeps versions") {
		t.Error("it is not said that versions are kept")
	}
	if status, page := s.post("/s3/mlflow/delete", "key=v.txt"); status != 200 || !strings.Contains(page, "1 key deleted.") {
		t.Errorf("delete: %d", status)
	}
	status, page := s.get("/s3/mlflow/object?key=v.txt")
	holds(t, "deleted", page, []string{"delete marker", first.Version, second.Version}, []string{"Download</a>"})
	if status != 200 {
		t.Errorf("deleted: %d", status)
	}
	if status, _ := s.post("/s3/mlflow/delete", "key=v.txt&version="+second.Version); status != 200 {
		t.Errorf("delete a version: %d", status)
	}
	if _, err := s.objects.StatVersion(t.Context(), "mlflow", "v.txt", second.Version); err == nil {
		t.Error("the version is still there")
	}
}

// upload posts files as a browser's form does.
func (s *storehouse) upload(path string, files map[string]string) (int, string) {
	s.t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for name, content := range files {
		head := textproto.MIMEHeader{}
		head.Set("Content-Disposition", `form-data; name="file"; filename="`+name+`"`)
		head.Set("Content-Type", "application/octet-stream")
		part := must[interface{ Write([]byte) (int, error) }](s.t)(form.CreatePart(head))
		must[int](s.t)(part.Write([]byte(content)))
	}
	s.do(form.Close())
	r := must[*http.Request](s.t)(http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.server.URL+path, &body))
	r.Header.Set("Content-Type", form.FormDataContentType())
	return s.send(r)
}

func TestUploadAndDelete(t *testing.T) {
	s := newStorehouse(t)
	status, page := s.upload("/s3/mlflow/upload?prefix=in/box/", map[string]string{"a b.txt": "one", `C:\\dir\\<b>.json`: "{}", "../../up.txt": "three", "": "no file"})
	if status != 200 || !strings.Contains(page, "3 files stored.") {
		t.Errorf("upload: %d %s", status, page)
	}
	for key, media := range map[string]string{"in/box/a b.txt": "text/plain", "in/box/<b>.json": "text/plain", "in/box/up.txt": "text/plain"} {
		info := must[artifacts.ObjectInfo](t)(s.objects.Stat(t.Context(), "mlflow", key))
		if got := info.Headers["Content-Type"]; !strings.HasPrefix(got, media) {
			t.Errorf("%s is %s, want %s", key, got, media)
		}
	}
	for path, want := range map[string]int{"/s3/none/upload": 404, "/s3/mlflow/upload?prefix=" + strings.Repeat("x/", 600): 400} {
		if status, page := s.upload(path, map[string]string{"x": "y"}); status != want {
			t.Errorf("%s: status %d, want %d: %s", path, status, want, page)
		}
	}
	if status, page := s.upload("/s3/mlflow/upload", nil); status != 400 || !strings.Contains(page, "choose at least one file") {
		t.Errorf("no file: %d", status)
	}
	if status, _ := s.post("/s3/mlflow/upload", "file=x"); status != 400 {
		t.Errorf("no multipart form: %d", status)
	}
	if status, _ := s.post("/s3/mlflow/delete", "prefix=in/", "Sec-Fetch-Site", "cross-site"); status != http.StatusForbidden {
		t.Errorf("a form of another site: %d", status)
	}
	s.put("mlflow", "in-side", "stays")
	status, page = s.get("/s3/mlflow/delete?prefix=in/")
	holds(t, "confirm", page, []string{"Delete 3 keys?", "in/box/a b.txt", "in/box/&lt;b&gt;.json"}, []string{"in-side", "<b>"})
	if status != 200 {
		t.Errorf("confirm: %d", status)
	}
	s.refuse.Store(int64(artifacts.S3Manage))
	if status, _ := s.post("/s3/mlflow/delete", "prefix=in/"); status != http.StatusForbidden {
		t.Errorf("delete without permission: %d", status)
	}
	s.refuse.Store(-1)
	if status, page := s.post("/s3/mlflow/delete", "prefix=in/"); status != 200 || !strings.Contains(page, "3 keys deleted.") {
		t.Errorf("delete: %d %s", status, page)
	}
	if status, page := s.get("/s3/mlflow/delete"); status != 400 || !strings.Contains(page, "not empty") {
		t.Errorf("a bucket with keys: %d", status)
	}
	if status, _ := s.post("/s3/mlflow/delete", "key=in-side"); status != 200 {
		t.Errorf("the last key: %d", status)
	}
	if status, page := s.post("/s3/mlflow/delete", ""); status != 200 || strings.Contains(page, `href="/s3/mlflow"`) {
		t.Errorf("the bucket: %d", status)
	}
}

// A key leads back to what it belongs to, but only where that says so itself.
func TestOwnersOfKeys(t *testing.T) {
	s := newStorehouse(t)
	ctx := t.Context()
	experiment := must[string](t)(s.store.CreateExperiment(ctx, registry.NewExperiment{Name: "owners " + hostile}))
	run := s.run(experiment, "a run", now, registry.Batch{})
	s.register("named", "", run)
	m := must[registry.LoggedModel](t)(s.store.CreateLoggedModel(ctx, registry.NewLoggedModel{ExperimentID: experiment, Name: "logged", SourceRunID: run}))
	s.do(s.store.SetLoggedModelTags(ctx, m.Info.ModelID, []registry.KeyValue{{Key: registry.TagModelVersions, Value: `[{"name":"named","version":1}]`}}))
	must[registry.RegisteredModel](t)(s.store.CreateRegisteredModel(ctx, registry.NewRegisteredModel{Name: "imported"}))
	must[registry.ModelVersion](t)(s.store.CreateModelVersion(ctx, registry.NewModelVersion{Name: "imported", Source: "s3://mlflow/elsewhere/model"}))
	at := experiment + "/" + run + "/artifacts/"
	inModel := experiment + "/models/" + m.Info.ModelID + "/artifacts/MLmodel"
	for key, want := range map[string][]string{
		at + "plot.txt":                {"/experiments/" + experiment, "/runs/" + run},
		at + "model/MLmodel":           {"/experiments/" + experiment, "/runs/" + run, "/models/named/versions/1"},
		inModel:                        {"/experiments/" + experiment, "/logged-models/" + m.Info.ModelID, "/models/named/versions/1"},
		"elsewhere/model/MLmodel":      {"/models/imported/versions/1"},
		"copy/" + at + "plot.txt":      nil,
		"it's/free.txt":                nil,
		strings.Repeat("9", 19) + "/x": nil,
	} {
		s.put("mlflow", key, "x")
		_, page := s.get("/s3/mlflow/object?" + url.Values{"key": {key}}.Encode())
		_, head, _ := strings.Cut(page, `class="head"`)
		head, _, _ = strings.Cut(head, `class="act"`)
		_, list, _ := strings.Cut(head, `class="owners"`)
		var got []string
		for _, m := range regexpHref.FindAllStringSubmatch(list, -1) {
			got = append(got, m[1])
		}
		if strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("%s belongs to %v, want %v", key, got, want)
		}
	}
	_, page := s.get("/s3/mlflow?prefix=" + experiment + "/")
	holds(t, "folder", page, []string{"Run a run", "Model named 1"}, []string{"<img"})
}

var regexpHref = regexp.MustCompile(`href="([^"]+)"`)

// shelve stores what a person would look at: files of a run, all kinds of previews, versions, metadata.
func (s *storehouse) shelve(experiment, run string) {
	s.t.Helper()
	at := experiment + "/" + run + "/artifacts/"
	s.put("mlflow", at+"model/MLmodel", "flavors:\n  python_function:\n    python_version: 3.11.9\n")
	s.put("mlflow", at+"plots/residuals.png", "\x89PNG\r\n\x1a\n")
	for i := range 130 {
		s.put("mlflow", fmt.Sprintf("batch/part-%03d.csv", i), "question,answer\nHow is wine aged?,In oak.\n")
	}
	s.do(s.objects.CreateBucket(context.Background(), "keeps-versions", false))
	s.do(s.objects.SetBucketVersioning(context.Background(), "keeps-versions", artifacts.VersioningEnabled))
	s.put("keeps-versions", "notes.md", "# First\n")
	must[artifacts.ObjectInfo](s.t)(s.objects.Put(context.Background(), "keeps-versions", "notes.md", strings.NewReader("# Second\n\nWith *more* to say.\n"), artifacts.PutOptions{
		Expect: artifacts.Expect{Size: -1, Checksum: "crc32c"}, Headers: map[string]string{"Content-Type": "text/markdown"},
		Metadata: map[string]string{"made-by": "ada"}, Tags: []artifacts.Tag{{Key: "colour", Value: "red"}},
	}))
}
