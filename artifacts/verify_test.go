package artifacts_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prinzbox/prinzbox/artifacts"
	"github.com/prinzbox/prinzbox/registry/sqldb"
)

// rotten is a store whose bytes can be spoilt.
type rotten struct {
	testing.TB
	dir   string
	db    *sqldb.DB
	store *artifacts.Store
	log   bytes.Buffer
}

func newRotten(t testing.TB) *rotten {
	r := &rotten{TB: t, dir: t.TempDir()}
	r.db = openDB(t, r.dir)
	r.open()
	if err := r.store.CreateBucket(context.Background(), "mlflow", false); err != nil {
		t.Fatal(err)
	}
	return r
}

// open opens the store, as after a start.
func (r *rotten) open() {
	r.Helper()
	if r.store != nil {
		_ = r.store.Close()
	}
	var err error
	r.store, err = artifacts.Open(context.Background(), artifacts.Config{
		DB: r.db, Dir: r.dir, MinPartSize: 1, Log: slog.New(slog.NewTextHandler(&r.log, nil)),
	})
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() { _ = r.store.Close() })
}

// file is the blob file of an object, or of its first part.
func (r *rotten) file(key string) string {
	r.Helper()
	var name string
	err := r.db.Read().QueryRowContext(context.Background(), `SELECT COALESCE(c.file, p.file) FROM artifact_objects o JOIN artifact_contents c ON c.id = o.content
		LEFT JOIN artifact_segments s ON s.joined = c.id AND s.seq = 0 LEFT JOIN artifact_contents p ON p.id = s.content WHERE o.key = ?`, []byte(key)).Scan(&name)
	if err != nil {
		r.Fatal(key, err)
	}
	return filepath.Join(r.dir, "blobs", name[len(name)-2:], name)
}

// spoil changes one bit of a file and gives a function that puts it right. The file's time stays if it is kept.
func (r *rotten) spoil(file string, at int64, keepTime bool) (restore func()) {
	r.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		r.Fatal(err)
	}
	info, err := os.Stat(file)
	if err != nil {
		r.Fatal(err)
	}
	write := func(b []byte, keep bool) {
		if err := os.WriteFile(file, b, 0o600); err != nil {
			r.Fatal(err)
		}
		if keep {
			if err := os.Chtimes(file, time.Time{}, info.ModTime()); err != nil {
				r.Fatal(err)
			}
		}
	}
	bad := bytes.Clone(data)
	bad[at] ^= 1
	write(bad, keepTime)
	return func() { write(data, true) }
}

func (r *rotten) exec(query string) error {
	return r.db.Write(context.Background(), func(tx sqldb.Querier) error {
		_, err := tx.ExecContext(context.Background(), query)
		return err
	})
}

func (r *rotten) multipart(key string, parts ...[]byte) {
	r.Helper()
	ctx := context.Background()
	id, err := r.store.CreateUpload(ctx, "mlflow", key, artifacts.UploadOptions{})
	if err != nil {
		r.Fatal(err)
	}
	var named []artifacts.PartInfo
	for i, data := range parts {
		p, err := r.store.PutPart(ctx, "mlflow", key, id, i+1, bytes.NewReader(data), artifacts.Expect{Size: int64(len(data))})
		if err != nil {
			r.Fatal(err)
		}
		named = append(named, p)
	}
	if _, err := r.store.CompleteUpload(ctx, "mlflow", key, id, named, artifacts.CompleteOptions{}); err != nil {
		r.Fatal(err)
	}
}

// Whoever reads damaged bytes from first to last gets an error or a connection that is cut, never a quiet wrong answer.
func TestDamageIsNotServed(t *testing.T) {
	r := newRotten(t)
	put(t, r.store, "inline", []byte("a few bytes"))
	put(t, r.store, "small", noise(100_000, 1))
	put(t, r.store, "large", noise(3<<20, 2))
	put(t, r.store, "good", noise(3<<20, 3))
	r.multipart("parts", noise(600_000, 4), noise(700_000, 5), []byte("end"))
	serve := func() (s *s3Test, proxy string) {
		s3 := httptest.NewServer(artifacts.NewS3(r.store, artifacts.S3Config{Keys: keys}))
		t.Cleanup(s3.Close)
		p := httptest.NewServer(artifacts.NewProxy(artifacts.NewBucketRepo(r.store, "mlflow", ""), artifacts.ProxyConfig{}))
		t.Cleanup(p.Close)
		return &s3Test{TB: t, store: r.store, url: s3.URL, host: strings.TrimPrefix(s3.URL, "http://")}, p.URL
	}
	s, proxy := serve()
	// get gives what a client sees: a whole answer, or none.
	get := func(req *http.Request) ([]byte, bool) {
		t.Helper()
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			return nil, false
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		return b, err == nil && resp.StatusCode == http.StatusOK
	}
	served := func(key string) (bodies [][]byte) {
		t.Helper()
		for _, target := range []*http.Request{sign(s.request("GET", "/mlflow/"+key, nil)), request(t, proxy+"/artifacts/"+key)} {
			if b, ok := get(target); ok {
				bodies = append(bodies, b)
			}
		}
		return bodies
	}
	want := map[string][]byte{}
	for _, key := range []string{"inline", "small", "large", "parts", "good"} {
		bodies := served(key)
		if len(bodies) != 2 {
			t.Fatalf("%s: %d answers", key, len(bodies))
		}
		want[key] = bodies[0]
	}
	if err := r.exec("UPDATE artifact_contents SET data = CAST('a FEW bytes' AS BLOB) WHERE data = CAST('a few bytes' AS BLOB)"); err != nil {
		t.Fatal(err)
	}
	for _, restart := range []bool{false, true} {
		var restore []func()
		for key, at := range map[string]int64{"small": 0, "large": 3<<20 - 1, "parts": 300_000} {
			restore = append(restore, r.spoil(r.file(key), at, restart)) // after a start, damage that shows in nothing but the bytes
		}
		put(t, r.store, "other", nil) // what was remembered of rows is forgotten
		if restart {
			r.open()
			s, proxy = serve()
		}
		r.log.Reset()
		for _, key := range []string{"inline", "small", "large", "parts"} {
			if bodies := served(key); len(bodies) != 0 {
				t.Errorf("restart %v: %s was served %d times, as it was: %v", restart, key, len(bodies), bytes.Equal(bodies[0], want[key]))
			}
		}
		if got := strings.Count(r.log.String(), "damaged"); got < 4 {
			t.Errorf("restart %v: logged\n%s", restart, r.log.String())
		}
		if bodies := served("good"); len(bodies) != 2 || !bytes.Equal(bodies[0], want["good"]) || !bytes.Equal(bodies[1], want["good"]) {
			t.Errorf("restart %v: the others: %d answers", restart, len(bodies))
		}
		for _, f := range restore {
			f()
		}
		r.open()
		s, proxy = serve()
		for _, key := range []string{"small", "large", "parts"} {
			if bodies := served(key); len(bodies) != 2 || !bytes.Equal(bodies[0], want[key]) || !bytes.Equal(bodies[1], want[key]) {
				t.Errorf("restart %v: %s, put right: %d answers", restart, key, len(bodies))
			}
		}
	}
	// A range tells nothing of the whole; it is served.
	req := sign(s.request("GET", "/mlflow/large", nil, "Range", "bytes=1000-1999"))
	if a := s.send(req); a.status != http.StatusPartialContent || a.body != string(want["large"][1000:2000]) {
		t.Errorf("range: %d", a.status)
	}
	// A file of another length is known at once.
	if err := os.Truncate(r.file("large"), 1000); err != nil {
		t.Fatal(err)
	}
	s.want(http.StatusInternalServerError, "damaged", "GET", "/mlflow/large", nil)
}

func request(t *testing.T, url string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestVerify(t *testing.T) {
	r := newRotten(t)
	ctx := t.Context()
	put(t, r.store, "inline", []byte("a few bytes"))
	put(t, r.store, "file", noise(100_000, 1))
	put(t, r.store, "short", noise(100_000, 2))
	put(t, r.store, "lost", noise(100_000, 3))
	put(t, r.store, "good", noise(1<<20, 4))
	if _, _, err := r.store.Copy(ctx, "mlflow", "file", "mlflow", "copy of file", artifacts.CopyOptions{}); err != nil {
		t.Fatal(err)
	}
	r.multipart("parts", noise(600_000, 5), noise(700_000, 6))
	id, err := r.store.CreateUpload(ctx, "mlflow", "under way", artifacts.UploadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.store.PutPart(ctx, "mlflow", "under way", id, 7, bytes.NewReader(noise(200_000, 7)), artifacts.Expect{Size: -1}); err != nil {
		t.Fatal(err)
	}
	verify := func() (artifacts.VerifyReport, []string) {
		t.Helper()
		var found []string
		last := int64(-1)
		report, err := artifacts.Verify(ctx, artifacts.VerifyConfig{
			DB: r.db.Read(), Dir: r.dir,
			Found: func(d artifacts.Damage) {
				text := d.Problem + ":"
				for _, o := range d.Objects {
					text += fmt.Sprintf(" %s/%s %d", o.Bucket, o.Key, o.Part)
				}
				found = append(found, text)
			},
			Progress: func(read, total int64) {
				if read < last || read > total {
					t.Errorf("progress: %d of %d after %d", read, total, last)
				}
				last = read
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(found)
		return report, found
	}
	total := int64(11 + 300_000 + 1<<20 + 1_300_000 + 200_000)
	if report, found := verify(); report != (artifacts.VerifyReport{Contents: 8, Bytes: total}) || found != nil {
		t.Fatalf("%+v, %v", report, found)
	}
	r.spoil(r.file("file"), 50_000, true)
	r.spoil(r.file("parts"), 0, true)
	if err := os.Truncate(r.file("short"), 99_999); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(r.file("lost")); err != nil {
		t.Fatal(err)
	}
	if err := r.exec("UPDATE artifact_contents SET data = CAST('a FEW bytes' AS BLOB) WHERE size = 11"); err != nil {
		t.Fatal(err)
	}
	if err := r.exec("UPDATE artifact_parts SET size = size + 1"); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-time.Hour)
	for _, name := range []string{"tmp/0123-old", "blobs/00/0123-4500", "blobs/00/young00"} {
		file := filepath.Join(r.dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, make([]byte, 500), 0o600); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(name, "young") {
			if err := os.Chtimes(file, old, old); err != nil {
				t.Fatal(err)
			}
		}
	}
	report, found := verify()
	if report.Damaged != 6 || report.Orphans != 2 || report.OrphanBytes != 1000 || report.Contents != 8 {
		t.Errorf("%+v", report)
	}
	want := []string{
		"the bytes are not those that were stored: mlflow/copy of file 0 mlflow/file 0",
		"the bytes are not those that were stored: mlflow/parts 0",
		"the bytes in the database are not those that were stored: mlflow/inline 0",
		"the database holds not all of it: mlflow/under way 7",
		"the file has 99999 bytes where 100000 were stored: mlflow/short 0",
		"the file is missing: mlflow/lost 0",
	}
	if !slices.Equal(found, want) {
		t.Errorf("found\n%s\nwant\n%s", strings.Join(found, "\n"), strings.Join(want, "\n"))
	}
	// What is deleted is not missed.
	if err := r.store.Delete(ctx, "mlflow", "lost", "file", "copy of file", "short", "parts", "inline"); err != nil {
		t.Fatal(err)
	}
	if report, found := verify(); report.Damaged != 1 {
		t.Errorf("after deleting: %+v, %v", report, found)
	}
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := artifacts.Verify(ctx, artifacts.VerifyConfig{DB: r.db.Read(), Dir: r.dir}); err == nil {
		t.Error("a cancelled verification was taken for a finished one")
	}
}

// BenchmarkFirstRead64MiB is a file that is hashed on its way; BenchmarkProxy64MiB has what comes after.
func BenchmarkFirstRead64MiB(b *testing.B) {
	r := newRotten(b)
	put(b, r.store, "f", noise(64<<20, 1))
	b.SetBytes(64 << 20)
	for b.Loop() {
		b.StopTimer()
		r.open()
		srv := httptest.NewServer(artifacts.NewS3(r.store, artifacts.S3Config{Keys: keys}))
		s := &s3Test{TB: b, store: r.store, url: srv.URL}
		req := sign(s.request("GET", "/mlflow/f", nil))
		b.StartTimer()
		exchange(b, req)
		b.StopTimer()
		srv.Close()
		b.StartTimer()
	}
}
