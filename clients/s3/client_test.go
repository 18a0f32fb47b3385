package s3_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsv4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/minio/minio-go/v7/pkg/s3utils"
	"github.com/minio/minio-go/v7/pkg/signer"

	"github.com/prinzbox/prinzbox/prinzbox"
)

// The keys of the server under test.
const (
	accessKey, secretKey = "mlflow-key", "mlflow-secret"
	readerKey, readerPw  = "reader-key", "reader-secret"
	region               = "us-east-1"
)

// server is one environment for all cases; each has buckets of its own.
type server struct {
	endpoint, host string
	http           *http.Client
	buckets        atomic.Int64
	pages          sync.Once
	pagesName      string
}

func startServer(t *testing.T) *server {
	t.Helper()
	env := prinzbox.Start(t, func(c *prinzbox.Config) {
		c.Seed = false
		c.S3Keys = []prinzbox.S3Key{{AccessKey: readerKey, Secret: readerPw, ReadOnly: true}}
	})
	s := &server{endpoint: env.Ready().S3Endpoint, http: &http.Client{
		Timeout:       time.Minute,
		Transport:     &http.Transport{MaxIdleConnsPerHost: 16, DisableCompression: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	s.host = strings.TrimPrefix(s.endpoint, "http://")
	t.Cleanup(s.http.CloseIdleConnections)
	return s
}

// fixture is what a case works with: a bucket of its own.
type fixture struct {
	*server
	bucket string
}

// fixture makes a fresh bucket.
func (s *server) fixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{s, fmt.Sprintf("case-%04d", s.buckets.Add(1))}
	if resp, body := f.send(t, request{method: http.MethodPut, target: "/" + f.bucket}); resp.StatusCode != http.StatusOK {
		t.Fatalf("no bucket: %d %s", resp.StatusCode, body)
	}
	return f
}

// variables are what {name} stands for when a script begins.
func (f *fixture) variables() map[string]string {
	const object = "<Object><Key>k</Key></Object>"
	return map[string]string{
		"b": f.bucket, "host": f.host,
		"kib2": strings.Repeat("m", 2047), "c128": strings.Repeat("c", 128), "u128": strings.Repeat("ü", 128), "k1021": strings.Repeat("k", 1021), "k1023": strings.Repeat("k", 1023),
		"o1000": strings.Repeat(object, 1000), "o1001": strings.Repeat(object, 1001),
	}
}

// request is a request to be signed and sent.
type request struct {
	method string
	// target is path and query as they go over the wire.
	target string
	// who signs, and how: empty for the owner's Signature Version 4 in headers; see sign.
	who    string
	header http.Header
	body   []byte
}

// send signs and sends a request and reads the answer.
func (s *server) send(t *testing.T, q request) (*http.Response, []byte) {
	t.Helper()
	req := s.sign(t, q)
	resp, err := s.http.Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", q.method, q.target, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", q.method, q.target, err)
	}
	return resp, body
}

// whoWords are the words of [request.who], which may be combined.
const whoWords = "reader nobody stranger wrongsecret v2 presigned unsigned host late early tampered nolength"

// sign makes a signed request.
//
//	reader                  the read-only key
//	nobody                  no signature
//	stranger, wrongsecret   a key that is not known, a wrong secret
//	v2, presigned           Version 2; in the query
//	expires:SECONDS         how long a presigned URL lives; 900 is the default
//	unsigned                the payload is not hashed
//	host                    virtual-host style, below localhost
//	late, early             signed an hour ago, in an hour
//	tampered                signed over another path
//	nolength                no Content-Length: the body is sent chunked
func (s *server) sign(t *testing.T, q request) *http.Request {
	t.Helper()
	words := map[string]bool{}
	expires := int64(900)
	for word := range strings.FieldsSeq(q.who) {
		if text, ok := strings.CutPrefix(word, "expires:"); ok {
			var err error
			if expires, err = strconv.ParseInt(text, 10, 64); err != nil {
				t.Fatal(err)
			}
		} else if !slices.Contains(strings.Fields(whoWords), word) {
			t.Fatalf("who is %q?", word)
		}
		words[word] = true
	}
	wirePath, wireQuery, _ := strings.Cut(q.target, "?")
	host := s.host
	if words["host"] {
		var bucket string
		bucket, wirePath, _ = strings.Cut(strings.TrimPrefix(wirePath, "/"), "/")
		_, port, _ := strings.Cut(s.host, ":")
		host, wirePath = bucket+".localhost:"+port, "/"+wirePath
	}
	path, err := url.PathUnescape(wirePath)
	if err != nil {
		t.Fatal(err)
	}
	var body io.Reader = bytes.NewReader(q.body)
	switch {
	case words["nolength"]:
		body = struct{ io.Reader }{body}
	case len(q.body) == 0:
		body = nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, q.method, s.endpoint, body)
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range q.header {
		if name == "Host" {
			host = values[0]
		} else if values[0] != "!" {
			req.Header[name] = values
		}
	}
	// Signed is the path in the one encoding that counts; what goes over the wire may be spelled otherwise.
	signedPath := path
	if words["tampered"] {
		signedPath += "x"
	}
	req.URL = &url.URL{Scheme: "http", Host: host, Path: signedPath, RawPath: s3utils.EncodePath(signedPath), RawQuery: wireQuery}
	req.Host = host
	key, secret := accessKey, secretKey
	switch {
	case words["reader"]:
		key, secret = readerKey, readerPw
	case words["stranger"]:
		key = "stranger"
	}
	if words["wrongsecret"] {
		secret = "wrong"
	}
	at := time.Now().UTC()
	switch {
	case words["late"]:
		at = at.Add(-time.Hour)
	case words["early"]:
		at = at.Add(time.Hour)
	}
	switch {
	case words["nobody"]:
	case words["v2"] && words["presigned"]:
		req = signer.PreSignV2(*req, key, secret, expires+int64(time.Until(at).Seconds()), words["host"])
		wireQuery = req.URL.RawQuery
	case words["v2"]:
		req = signer.SignV2(*req, key, secret, words["host"])
	default:
		wireQuery = s.signV4(t, req, q.body, key, secret, at, expires, words)
	}
	for name, values := range q.header { // "!" takes away what the signer added
		if values[0] == "!" {
			req.Header.Del(name)
		}
	}
	req.URL = &url.URL{Scheme: "http", Host: s.host, Opaque: wirePath, RawQuery: wireQuery}
	return req
}

// signV4 signs with the AWS SDK's signer, and gives the query to send.
func (s *server) signV4(t *testing.T, req *http.Request, body []byte, key, secret string, at time.Time, expires int64, words map[string]bool) string {
	t.Helper()
	sum := sha256.Sum256(body)
	payload := hex.EncodeToString(sum[:])
	if words["unsigned"] || words["presigned"] {
		payload = "UNSIGNED-PAYLOAD"
	}
	if given := req.Header.Get("X-Amz-Content-Sha256"); given != "" {
		payload = given
	} else if !words["presigned"] {
		req.Header.Set("X-Amz-Content-Sha256", payload)
	}
	v4 := awsv4.NewSigner(func(o *awsv4.SignerOptions) { o.DisableURIPathEscaping, o.DisableHeaderHoisting = true, true })
	who := aws.Credentials{AccessKeyID: key, SecretAccessKey: secret}
	query := req.URL.RawQuery
	if !words["presigned"] {
		if err := v4.SignHTTP(req.Context(), who, req, payload, "s3", region, at); err != nil {
			t.Fatal(err)
		}
		return query
	}
	q := req.URL.Query()
	q.Set("X-Amz-Expires", strconv.FormatInt(expires, 10))
	req.URL.RawQuery = q.Encode()
	signed, _, err := v4.PresignHTTP(req.Context(), who, req, payload, "s3", region, at)
	if err != nil {
		t.Fatal(err)
	}
	_, query, _ = strings.Cut(signed, "?")
	return query
}
