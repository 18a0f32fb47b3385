package artifacts_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"io"
	"maps"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// form writes multipart/form-data: name, value pairs and then the file.
func form(t testing.TB, filename string, file []byte, fields ...string) (body []byte, contentType string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for i := 0; i+1 < len(fields); i += 2 {
		if err := w.WriteField(fields[i], fields[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	if file != nil {
		p, err := w.CreateFormFile("file", filename)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = p.Write(file) // into memory
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), w.FormDataContentType()
}

// signForm signs a policy document as Version 2 does, and gives the fields.
func signForm(policy string) []string {
	encoded := base64.StdEncoding.EncodeToString([]byte(policy))
	h := hmac.New(sha1.New, []byte(secretKey))
	_, _ = h.Write([]byte(encoded)) // a hash takes all
	return []string{"AWSAccessKeyId", accessKey, "policy", encoded, "signature", base64.StdEncoding.EncodeToString(h.Sum(nil))}
}

func (s *s3Test) post(file []byte, fields ...string) answer {
	s.Helper()
	body, contentType := form(s, "päge 1.txt", file, fields...)
	r := s.request("POST", "/mlflow", body, "Content-Type", contentType)
	r.Header.Del("X-Amz-Content-Sha256")
	return s.send(r)
}

func TestS3PostForm(t *testing.T) {
	s := newS3(t)
	soon := time.Now().Add(time.Minute).UTC().Format(time.RFC3339)
	policy := func(conditions string) string {
		return fmt.Sprintf(`{"expiration": %q, "conditions": [{"bucket": "mlflow"}%s]}`, soon, conditions)
	}
	const up = `, ["starts-with", "$key", "up/"]`
	for _, c := range []struct {
		name, policy string
		fields       []string
		status       int
		text         string
	}{
		{"good", policy(up), []string{"key", "up/a"}, 204, ""},
		{"filename", policy(up), []string{"key", "up/${filename}"}, 204, ""},
		{"names of fields in any case", policy(up + `, {"Content-Type": "text/x"}`), []string{"KEY", "up/a", "content-type", "text/x"}, 204, ""},
		{"key of another prefix", policy(up), []string{"key", "down/a"}, 403, "Policy Condition failed: [&#34;starts-with&#34;,&#34;$key&#34;,&#34;up/&#34;]"},
		{"key that is not equal", policy(`, {"key": "up/b"}`), []string{"key", "up/a"}, 403, "Policy Condition failed"},
		{"another bucket", strings.Replace(policy(up), "mlflow", "other", 1), []string{"key", "up/a"}, 403, "Policy Condition failed"},
		{"field that the signer did not think of", policy(up), []string{"key", "up/a", "acl", "public-read"}, 403, "Extra input fields: acl"},
		{"field that he did not care for", policy(up), []string{"key", "up/a", "x-ignore-me", "x"}, 204, ""},
		{"metadata", policy(up + `, ["starts-with", "$x-amz-meta-a", ""]`), []string{"key", "up/a", "x-amz-meta-a", "1"}, 204, ""},
		{"expired", strings.Replace(policy(up), soon, "2020-01-01T00:00:00.000Z", 1), []string{"key", "up/a"}, 403, "Policy expired"},
		{"too large", policy(up + `, ["content-length-range", 0, 3]`), []string{"key", "up/c"}, 400, "EntityTooLarge"},
		{"too small", policy(up + `, ["content-length-range", 5, 9]`), []string{"key", "up/c"}, 400, "EntityTooSmall"},
		{"just right", policy(up + `, ["content-length-range", 4, 4]`), []string{"key", "up/a"}, 204, ""},
		{"no key", policy(up), nil, 400, "field named &#39;key&#39;"},
		{"no expiration", `{"conditions": []}`, []string{"key", "up/c"}, 400, "missing expiration"},
		{"no conditions", `{"expiration": "` + soon + `"}`, []string{"key", "up/c"}, 400, "missing conditions"},
		{"unknown condition", policy(`, ["ends-with", "$key", "a"]`), []string{"key", "up/c"}, 400, "Invalid Condition"},
		{"unknown element", strings.Replace(policy(up), `"conditions"`, `"more": 1, "conditions"`, 1), []string{"key", "up/c"}, 400, "InvalidPolicyDocument"},
		{"list of types", policy(up + `, ["starts-with", "$Content-Type", "image/"]`), []string{"key", "up/c", "Content-Type", "image/a,text/b"}, 403, "Policy Condition failed"},
		{"status 200", policy(up + `, {"success_action_status": "200"}`), []string{"key", "up/a", "success_action_status", "200"}, 200, ""},
		{"status 201", policy(up + `, {"success_action_status": "201"}`), []string{"key", "up/a", "success_action_status", "201"}, 201, "<Key>up/a</Key><ETag>&#34;8d777f385d3dfec8815d20f7496026dc&#34;</ETag>"},
		{"another status", policy(up + `, {"success_action_status": "302"}`), []string{"key", "up/a", "success_action_status", "302"}, 204, ""},
		{"wrong checksum", policy(up + `, ["starts-with", "$x-amz-checksum-crc32", ""]`), []string{"key", "up/c", "x-amz-checksum-crc32", "NSRBwg=="}, 400, "BadDigest"},
		{"key too long", policy(`, ["starts-with", "$key", ""]`), []string{"key", strings.Repeat("k", 1025)}, 400, "KeyTooLongError"},
		{"fields too large", policy(up), []string{"key", "up/c", "x-ignore-a", strings.Repeat("x", 21<<10)}, 400, "MaxPostPreDataLengthExceeded"},
		{"a field twice", policy(up), []string{"key", "up/c", "Key", "up/d"}, 400, "more than one field key"},
		{"line break", policy(up + `, ["starts-with", "$x-amz-meta-a", ""]`), []string{"key", "up/c", "x-amz-meta-a", "a\r\nb: c"}, 400, "line break"},
	} {
		a := s.post([]byte("data"), append(signForm(c.policy), c.fields...)...)
		if a.status != c.status || !strings.Contains(a.body, c.text) {
			t.Errorf("%s: %d %s; want %d %s", c.name, a.status, a.body, c.status, c.text)
		}
		if c.status < 300 && (a.header.Get("ETag") != `"8d777f385d3dfec8815d20f7496026dc"` || a.header.Get("Location") == "") {
			t.Errorf("%s: %v", c.name, a.header)
		}
	}
	s.want(404, "NoSuchKey", "GET", "/mlflow/up/c", nil)
	s.want(404, "NoSuchKey", "GET", "/mlflow/down/a", nil)
	s.want(200, "data", "GET", "/mlflow/up/p%C3%A4ge%201.txt", nil)
	// Headers and metadata are stored.
	s.post([]byte("page"), append(signForm(policy(up+`, {"acl": "public-read"}, {"Content-Type": "text/x"}, {"x-amz-meta-a": "1"}, {"Cache-Control": "no-cache"}`)),
		"key", "up/h", "acl", "public-read", "Content-Type", "text/x", "x-amz-meta-a", "1", "Cache-Control", "no-cache")...)
	h := s.anonymous(200, "page", "GET", "/mlflow/up/h", nil).header
	if h.Get("Content-Type") != "text/x" || h.Get("X-Amz-Meta-A") != "1" || h.Get("Cache-Control") != "no-cache" {
		t.Error(h)
	}
	// The redirect says what was stored.
	a := s.post([]byte("data"), append(signForm(policy(up+`, ["starts-with", "$success_action_redirect", ""]`)), "key", "up/a b", "success_action_redirect", "http://localhost/done?x=1")...)
	if a.status != 303 || a.header.Get("Location") != "http://localhost/done?bucket=mlflow&etag=%228d777f385d3dfec8815d20f7496026dc%22&key=up%2Fa+b&x=1" {
		t.Errorf("%+v", a)
	}
	// Forged, unsigned, incomplete.
	signed := signForm(policy(up))
	forged := append(append([]string{}, signForm(policy(""))[:4]...), "signature", signed[5], "key", "c")
	if a := s.post([]byte("x"), forged...); a.status != 403 || !strings.Contains(a.body, "SignatureDoesNotMatch") {
		t.Errorf("forged: %+v", a)
	}
	if a := s.post([]byte("x"), append([]string{"AWSAccessKeyId", "nobody"}, append(signed[2:], "key", "c")...)...); a.status != 403 || !strings.Contains(a.body, "InvalidAccessKeyId") {
		t.Errorf("unknown key: %+v", a)
	}
	if a := s.post([]byte("x"), "key", "c"); a.status != 403 || !strings.Contains(a.body, "AccessDenied") {
		t.Errorf("unsigned: %+v", a)
	}
	if a := s.post([]byte("x"), "key", "c", "AWSAccessKeyId", accessKey, "signature", "x"); a.status != 400 || !strings.Contains(a.body, "field named &#39;policy&#39;") {
		t.Errorf("no policy: %+v", a)
	}
	if a := s.post([]byte("x"), "key", "c", "policy", "e30="); a.status != 400 || !strings.Contains(a.body, "field named &#39;x-amz-algorithm&#39;") {
		t.Errorf("no signature: %+v", a)
	}
	if a := s.post(nil, append(signForm(policy(up)), "key", "up/c")...); a.status != 400 || !strings.Contains(a.body, "exactly one file") {
		t.Errorf("no file: %+v", a)
	}
	for name, cut := range map[string]int{"in a field": 200, "in the file": 50} {
		body, contentType := form(t, "f", bytes.Repeat([]byte("x"), 1000), append(signForm(policy(up)), "key", "up/c")...)
		if name == "in a field" {
			body = body[:cut]
		} else {
			body = body[:len(body)-cut]
		}
		r := s.request("POST", "/mlflow", body, "Content-Type", contentType)
		if a := s.send(r); a.status != 400 {
			t.Errorf("cut off %s: %+v", name, a)
		}
	}
	s.want(404, "NoSuchKey", "GET", "/mlflow/up/c", nil)
	s.want(404, "NoSuchKey", "GET", "/mlflow/c", nil)
	// A bucket that everybody may write to takes forms without a policy.
	s.want(200, "", "PUT", "/mlflow?acl", nil, "X-Amz-Acl", "public-read-write")
	if a := s.post([]byte("open"), "key", "c"); a.status != 204 {
		t.Errorf("open: %+v", a)
	}
	s.want(200, "open", "GET", "/mlflow/c", nil)
	if a := s.post([]byte("open"), "key", "d", "acl", "public-read"); a.status != 403 {
		t.Errorf("open with ACL: %+v", a)
	}
}

// The form that minio-go signs, with Version 4, in path style.
func TestS3PostFormV4(t *testing.T) {
	s := newS3(t)
	client, err := minio.New(s.host, &minio.Options{Creds: credentials.NewStaticV4(accessKey, secretKey, ""), Region: "us-east-1"})
	if err != nil {
		t.Fatal(err)
	}
	p := minio.NewPostPolicy()
	for _, err := range []error{p.SetBucket("mlflow"), p.SetKeyStartsWith("up/"), p.SetExpires(time.Now().Add(time.Minute)), p.SetContentLengthRange(1, 8<<20), p.SetContentType("x/y"), p.SetUserMetadata("a", "1")} {
		if err != nil {
			t.Fatal(err)
		}
	}
	u, signed, err := client.PresignedPostPolicy(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	data := noise(7<<20, 3)
	send := func(change func(fields map[string]string)) answer {
		fields := map[string]string{}
		maps.Copy(fields, signed)
		fields["key"] = "up/file"
		change(fields)
		var pairs []string
		for k, v := range fields {
			pairs = append(pairs, k, v)
		}
		body, contentType := form(t, "f", data, pairs...)
		// A pipe has no length: a form that is streamed is not known beforehand.
		r, err := http.NewRequest("POST", u.String(), io.MultiReader(bytes.NewReader(body)))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", contentType)
		return s.send(r)
	}
	if a := send(func(map[string]string) {}); a.status != 204 {
		t.Fatalf("%+v", a)
	}
	a := s.want(200, "", "GET", "/mlflow/up/file", nil)
	if a.body != string(data) || a.header.Get("Content-Type") != "x/y" || a.header.Get("X-Amz-Meta-A") != "1" {
		t.Errorf("%d bytes, %v", len(a.body), a.header)
	}
	for name, change := range map[string]func(map[string]string){
		"signature": func(f map[string]string) { f["x-amz-signature"] = strings.Repeat("0", 64) },
		"date":      func(f map[string]string) { f["x-amz-date"] = "20200101T000000Z" },
		"scope":     func(f map[string]string) { f["x-amz-credential"] = accessKey },
		"algorithm": func(f map[string]string) { f["x-amz-algorithm"] = "NONE" },
		"policy":    func(f map[string]string) { f["policy"] = "e30=" },
	} {
		if a := send(change); a.status != 403 && a.status != 400 {
			t.Errorf("another %s: %+v", name, a)
		}
	}
}
