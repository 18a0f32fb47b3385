package artifacts_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7/pkg/signer"

	"github.com/prinzbox/prinzbox/artifacts"
	"github.com/prinzbox/prinzbox/registry/sqldb"
)

const (
	accessKey = "mlflow-key"
	secretKey = "mlflow-secret"
)

func openDB(t testing.TB, dir string) *sqldb.DB {
	t.Helper()
	db, err := sqldb.Open(context.Background(), filepath.Join(dir, "x.db"), sqldb.DurabilityNormal)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if err := db.Migrate(context.Background(), "artifacts", artifacts.Migrations()); err != nil {
		t.Fatal(err)
	}
	return db
}

func openStore(t testing.TB, db *sqldb.DB, dir string) *artifacts.Store {
	t.Helper()
	s, err := artifacts.Open(context.Background(), artifacts.Config{DB: db, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// newStore opens a store with the bucket mlflow in a temporary directory.
func newStore(t testing.TB) *artifacts.Store {
	t.Helper()
	dir := t.TempDir()
	s := openStore(t, openDB(t, dir), dir)
	if err := s.CreateBucket(context.Background(), "mlflow", false); err != nil {
		t.Fatal(err)
	}
	return s
}

func keys(key string) (string, bool) { return secretKey, key == accessKey }

// s3Test is an S3 server over a real store, and what signs requests to it.
type s3Test struct {
	testing.TB
	store *artifacts.Store
	url   string
	host  string
}

func newS3(t testing.TB) *s3Test {
	t.Helper()
	store := newStore(t)
	srv := httptest.NewServer(artifacts.NewS3(store, artifacts.S3Config{Keys: keys, Hosts: []string{"localhost"}}))
	t.Cleanup(srv.Close)
	return &s3Test{t, store, srv.URL, strings.TrimPrefix(srv.URL, "http://")}
}

// answer is a response with its body read.
type answer struct {
	status int
	header http.Header
	body   string
}

// request makes an unsigned request; the target is path and query as they go over the wire. Headers are name, value pairs.
func (s *s3Test) request(method, target string, body []byte, headers ...string) *http.Request {
	s.Helper()
	r, err := http.NewRequest(method, s.url, bytes.NewReader(body))
	if err != nil {
		s.Fatal(err)
	}
	path, query, _ := strings.Cut(target, "?")
	r.URL.RawPath = path
	if r.URL.Path, err = url.PathUnescape(path); err != nil {
		s.Fatal(err)
	}
	r.URL.RawQuery = query
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header[http.CanonicalHeaderKey(headers[i])] = append(r.Header[http.CanonicalHeaderKey(headers[i])], headers[i+1])
	}
	if r.Header.Get("X-Amz-Content-Sha256") == "" {
		sum := sha256.Sum256(body)
		r.Header.Set("X-Amz-Content-Sha256", hex.EncodeToString(sum[:]))
	}
	return r
}

func sign(r *http.Request) *http.Request {
	return signer.SignV4(*r, accessKey, secretKey, "", "us-east-1")
}

func (s *s3Test) send(r *http.Request) answer {
	s.Helper()
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		s.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		s.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, string(b)}
}

// do sends a signed request.
func (s *s3Test) do(method, target string, body []byte, headers ...string) answer {
	s.Helper()
	return s.send(sign(s.request(method, target, body, headers...)))
}

// want sends a signed request and checks the status, and what the body contains.
func (s *s3Test) want(status int, text, method, target string, body []byte, headers ...string) answer {
	s.Helper()
	a := s.do(method, target, body, headers...)
	if a.status != status || !strings.Contains(a.body, text) {
		s.Errorf("%s %s: %d %s\nwant %d with %q", method, target, a.status, a.body, status, text)
	}
	return a
}

// noise gives n bytes that look random and are always the same.
func noise(n int, seed byte) []byte {
	b := make([]byte, n)
	x := uint32(seed)*2654435761 + 1
	for i := range b {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		b[i] = byte(x)
	}
	return b
}

func presign(s *s3Test, method, key string, now time.Time, expires time.Duration) string {
	u, err := artifacts.Presign(artifacts.PresignOptions{
		Method: method, Endpoint: s.url, Bucket: "mlflow", Key: key,
		AccessKey: accessKey, Secret: secretKey, Now: now, Expires: expires,
	})
	if err != nil {
		s.Fatal(err)
	}
	return u
}

// signAt signs a GET without body for a time.
func signAt(r *http.Request, at time.Time) *http.Request {
	date := at.UTC().Format("20060102T150405Z")
	scope := date[:8] + "/us-east-1/s3/aws4_request"
	hash := r.Header.Get("X-Amz-Content-Sha256")
	r.Header.Set("X-Amz-Date", date)
	canonical := r.Method + "\n" + r.URL.EscapedPath() + "\n\nhost:" + r.URL.Host + "\nx-amz-content-sha256:" + hash + "\nx-amz-date:" + date +
		"\n\nhost;x-amz-content-sha256;x-amz-date\n" + hash
	sum := sha256.Sum256([]byte(canonical))
	key := []byte("AWS4" + secretKey)
	for _, part := range append(strings.Split(scope, "/"), "AWS4-HMAC-SHA256\n"+date+"\n"+scope+"\n"+hex.EncodeToString(sum[:])) {
		h := hmac.New(sha256.New, key)
		h.Write([]byte(part))
		key = h.Sum(nil)
	}
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+accessKey+"/"+scope+
		", SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature="+hex.EncodeToString(key))
	return r
}
