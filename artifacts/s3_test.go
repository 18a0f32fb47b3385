package artifacts_test

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7/pkg/signer"
)

func TestS3Access(t *testing.T) {
	s := newS3(t)
	s.want(200, "", "PUT", "/mlflow/k", []byte("secret"))
	now := time.Now().UTC()
	get := func(headers ...string) *http.Request { return s.request("GET", "/mlflow/k", nil, headers...) }
	raw := func(url string) *http.Request {
		r, err := http.NewRequest("GET", url, nil)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	late := sign(get())
	stale := get()
	stale.Header.Set("X-Amz-Date", now.Add(-time.Hour).Format("20060102T150405Z"))
	tampered := sign(get())
	tampered.URL.Path, tampered.URL.RawPath = "/mlflow/other", ""
	verb := sign(get())
	verb.Method = "DELETE"
	query := sign(get())
	query.URL.RawQuery = "versionId=null"
	date := sign(get())
	date.Header.Set("X-Amz-Date", now.Add(-time.Minute).Format("20060102T150405Z"))
	extra := sign(get())
	extra.Header.Set("X-Amz-Copy-Source", "/mlflow/k")
	payload := s.request("PUT", "/mlflow/k", []byte("forged"), "X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
	payload = sign(payload)
	payload.Header.Set("X-Amz-Content-Sha256", strings.Repeat("0", 64))
	tooLong, unknown := presign(s, "GET", "k", now, 8*24*time.Hour), presign(s, "GET", "k", now, time.Hour)
	for _, c := range []struct {
		name   string
		r      *http.Request
		status int
		code   string
	}{
		{"right", late, 200, "secret"},
		{"no signature", get(), 403, "AccessDenied"},
		{"wrong secret", signer.SignV4(*get(), accessKey, "wrong", "", "us-east-1"), 403, "SignatureDoesNotMatch"},
		{"wrong key", signer.SignV4(*get(), "nobody", secretKey, "", "us-east-1"), 403, "InvalidAccessKeyId"},
		{"another region", signer.SignV4(*get(), accessKey, secretKey, "", "eu-west-1"), 200, "secret"},
		{"tampered path", tampered, 403, "SignatureDoesNotMatch"},
		{"tampered method", verb, 403, "SignatureDoesNotMatch"},
		{"tampered query", query, 403, "SignatureDoesNotMatch"},
		{"tampered date", date, 403, "SignatureDoesNotMatch"},
		{"unsigned amz header", extra, 403, "AccessDenied"},
		{"tampered payload hash", payload, 403, "SignatureDoesNotMatch"},
		{"malformed", get("Authorization", "AWS4-HMAC-SHA256 Credential=x"), 400, "AuthorizationHeaderMalformed"},
		{"other scheme", get("Authorization", "Bearer x"), 400, "AWS4-HMAC-SHA256"},
		{"presigned", raw(presign(s, "GET", "k", now, time.Minute)), 200, "secret"},
		{"presigned expired", raw(presign(s, "GET", "k", now.Add(-time.Hour), time.Minute)), 403, "expired"},
		{"presigned for later", raw(presign(s, "GET", "k", now.Add(time.Hour), time.Minute)), 403, "AccessDenied"},
		{"presigned too long", raw(tooLong), 400, "AuthorizationQueryParametersError"},
		{"presigned tampered", raw(strings.Replace(unknown, "/k?", "/l?", 1)), 403, "SignatureDoesNotMatch"},
		{"presigned longer life", raw(strings.Replace(unknown, "Expires=3600", "Expires=7200", 1)), 403, "SignatureDoesNotMatch"},
		{"presigned other method", raw(presign(s, "PUT", "k", now, time.Minute)), 403, "SignatureDoesNotMatch"},
	} {
		a := s.send(c.r)
		if a.status != c.status || !strings.Contains(a.body, c.code) {
			t.Errorf("%s: %d %s; want %d %s", c.name, a.status, a.body, c.status, c.code)
		}
		if c.status != 200 {
			var e struct{ Code, Message, RequestID, Resource string }
			if err := xml.Unmarshal([]byte(strings.ReplaceAll(a.body, "RequestId", "RequestID")), &e); err != nil || e.RequestID == "" || e.Message == "" {
				t.Errorf("%s: %v in %s", c.name, err, a.body)
			}
			if got := a.header.Get("Content-Type"); got != "application/xml" {
				t.Errorf("%s: content type %s", c.name, got)
			}
		}
	}
	// A stale request, signed rightly for its time.
	stale = signAt(stale, now.Add(-time.Hour))
	if a := s.send(stale); a.status != 403 || !strings.Contains(a.body, "RequestTimeTooSkewed") {
		t.Errorf("stale: %+v", a)
	}
	s.want(200, "secret", "GET", "/mlflow/k", nil)
	r, _ := http.NewRequest("GET", s.url+"/minio/health/live", nil)
	if a := s.send(r); a.status != 200 {
		t.Errorf("health: %+v", a)
	}
}

// The MinIO Java client 8.0.0 asks for the location, then for the key with a slash before it. No router may clean that.
func TestS3JavaClientPath(t *testing.T) {
	s := newS3(t)
	s.want(200, "", "PUT", "/mlflow/1/run/artifacts/model/MLmodel", []byte("flavors:"))
	a := s.want(200, "LocationConstraint", "GET", "/mlflow?location=", nil)
	if !strings.Contains(a.body, `xmlns="http://s3.amazonaws.com/doc/2006-03-01/"`) {
		t.Error(a.body)
	}
	s.want(200, "flavors:", "GET", "/mlflow//1/run/artifacts/model/MLmodel", nil, "Content-Md5", "1B2M2Y8AsgTpgAmY7PhCfg==")
	s.want(200, "", "HEAD", "/mlflow//1/run/artifacts/model/MLmodel", nil)
	s.want(404, "NoSuchKey", "GET", "/mlflow//1/run/other", nil)
	// A key that really begins with a slash is another object, and found first.
	s.want(200, "", "PUT", "/mlflow//1/run/artifacts/model/MLmodel", []byte("slash"))
	s.want(200, "slash", "GET", "/mlflow//1/run/artifacts/model/MLmodel", nil)
	s.want(200, "flavors:", "GET", "/mlflow/1/run/artifacts/model/MLmodel", nil)
}

// What is not served must change nothing.
func TestS3NotImplemented(t *testing.T) {
	s := newS3(t)
	s.want(200, "", "PUT", "/mlflow/k", []byte("v"))
	s.want(200, "", "PUT", "/empty", nil)
	for _, target := range []string{
		"PUT /mlflow/k?retention", "GET /mlflow/k?retention", "PUT /mlflow/k?legal-hold", "GET /mlflow/k?torrent", "PUT /mlflow/k?attributes",
		"POST /mlflow/k?restore", "POST /mlflow/k?select&select-type=2", "DELETE /empty?lifecycle",
		"POST /mlflow", "POST /mlflow/k", "PUT /mlflow/k?nonsense=1", "PUT /mlflow/k?uploads", "GET /mlflow?versions&nonsense=1", "PUT /mlflow?versions",
		"PUT /mlflow?lifecycle", "PUT /mlflow?website", "DELETE /empty?website", "PUT /mlflow?encryption", "DELETE /empty?encryption", "PUT /mlflow?object-lock",
		"PUT /mlflow?replication", "PUT /mlflow?publicAccessBlock", "PUT /mlflow?logging", "PUT /mlflow?notification", "PUT /mlflow?requestPayment",
		"PUT /mlflow?accelerate", "GET /mlflow?inventory", "GET /mlflow?metrics", "GET /mlflow?analytics", "PUT /mlflow/k?partNumber=1",
	} {
		method, path, _ := strings.Cut(target, " ")
		a := s.want(501, "NotImplemented", method, path, []byte("<x/>"))
		if a.header.Get("Content-Type") != "application/xml" {
			t.Errorf("%s: %s", target, a.header.Get("Content-Type"))
		}
	}
	for _, header := range []string{"X-Amz-Storage-Class: GLACIER", "X-Amz-Server-Side-Encryption: aws:kms", "X-Amz-Acl: aws-exec-read", "X-Amz-Object-Lock-Mode: GOVERNANCE", `X-Amz-Grant-Read: id="x"`} {
		name, value, _ := strings.Cut(header, ": ")
		s.want(501, "NotImplemented", "PUT", "/mlflow/k", []byte("w"), name, value)
	}
	s.want(501, "NotImplemented", "DELETE", "/mlflow/k", nil, "X-Amz-If-Match-Size", "1")
	s.want(405, "MethodNotAllowed", "PATCH", "/mlflow/k", nil)
	s.want(400, "InvalidArgument", "DELETE", "/mlflow/k?versionId=abc", nil)
	s.want(200, "v", "GET", "/mlflow/k", nil)
	s.want(200, "", "HEAD", "/empty", nil)
}

func TestS3Objects(t *testing.T) {
	s := newS3(t)
	const etag = `"900150983cd24fb0d6963f7d28e17f72"` // md5 of abc
	a := s.want(200, "", "PUT", "/mlflow/k", []byte("abc"), "X-Amz-Meta-Colour", "red", "Content-Type", "text/x", "Cache-Control", "no-cache", "X-Amz-Checksum-Crc32", "NSRBwg==")
	if a.header.Get("ETag") != etag {
		t.Errorf("ETag %s", a.header.Get("ETag"))
	}
	a = s.want(200, "abc", "GET", "/mlflow/k", nil)
	for name, want := range map[string]string{
		"ETag": etag, "Content-Type": "text/x", "Cache-Control": "no-cache", "Content-Length": "3", "Accept-Ranges": "bytes",
		"X-Amz-Checksum-Crc32": "", "X-Amz-Content-Sha256": "", "X-Amz-Date": "", "Access-Control-Allow-Origin": "", "X-Amz-Meta-Colour": "red",
	} {
		if got := a.header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if a.header.Get("X-Amz-Request-Id") == "" || a.header.Get("Last-Modified") == "" {
		t.Error(a.header)
	}
	a = s.want(200, "abc", "GET", "/mlflow/k", nil, "X-Amz-Checksum-Mode", "ENABLED")
	if a.header.Get("X-Amz-Checksum-Crc32") != "NSRBwg==" {
		t.Error(a.header)
	}
	a = s.want(206, "b", "GET", "/mlflow/k", nil, "X-Amz-Checksum-Mode", "ENABLED", "Range", "bytes=1-1")
	if a.header.Get("X-Amz-Checksum-Crc32") != "" {
		t.Error("a range has the whole object's checksum")
	}
	for _, c := range []struct {
		header string
		status int
		body   string
		crange string
	}{
		{"bytes=0-0", 206, "a", "bytes 0-0/3"},
		{"bytes=1-", 206, "bc", "bytes 1-2/3"},
		{"bytes=-2", 206, "bc", "bytes 1-2/3"},
		{"bytes=-9", 206, "abc", "bytes 0-2/3"},
		{"bytes=1-99", 206, "bc", "bytes 1-2/3"},
		{"bytes=3-", 416, "InvalidRange", ""},
		{"bytes=-0", 416, "InvalidRange", ""},
		{"bytes=1-9223372036854775807", 206, "bc", "bytes 1-2/3"},
		{"bytes=2-1", 200, "abc", ""},
		{"lines=1-2", 200, "abc", ""},
		{"bytes=0-0,2-2", 200, "abc", ""},
		{"bytes=x-", 200, "abc", ""},
	} {
		a := s.want(c.status, c.body, "GET", "/mlflow/k", nil, "Range", c.header)
		h := s.want(c.status, "", "HEAD", "/mlflow/k", nil, "Range", c.header)
		if c.status < 300 && (a.body != c.body || a.header.Get("Content-Range") != c.crange || h.header.Get("Content-Range") != c.crange) {
			t.Errorf("%s: %q %q, HEAD %q", c.header, a.body, a.header.Get("Content-Range"), h.header.Get("Content-Range"))
		}
	}
	past, future := time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat), time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)
	for _, c := range []struct {
		status  int
		headers []string
	}{
		{200, []string{"If-Match", etag}},
		{412, []string{"If-Match", `"x"`}},
		{200, []string{"If-Match", "*"}},
		{200, []string{"If-Match", `"x", ` + etag}},
		{304, []string{"If-None-Match", etag}},
		{200, []string{"If-None-Match", `"x"`}},
		{304, []string{"If-None-Match", "*"}},
		{304, []string{"If-Modified-Since", future}},
		{200, []string{"If-Modified-Since", past}},
		{200, []string{"If-Modified-Since", "rubbish"}},
		{412, []string{"If-Unmodified-Since", past}},
		{200, []string{"If-Unmodified-Since", future}},
		{200, []string{"If-Match", etag, "If-Unmodified-Since", past}},
		{200, []string{"If-None-Match", `"x"`, "If-Modified-Since", future}},
	} {
		for _, method := range []string{"GET", "HEAD"} {
			a := s.want(c.status, "", method, "/mlflow/k", nil, c.headers...)
			if c.status == 304 && (a.header.Get("ETag") != etag || a.body != "") {
				t.Errorf("304: %v %q", a.header, a.body)
			}
		}
	}
	// Overwriting replaces the metadata, it does not merge it.
	s.want(200, "", "PUT", "/mlflow/k", []byte("new"), "X-Amz-Meta-Size", "1", "Content-Encoding", "aws-chunked,br")
	a = s.want(200, "new", "GET", "/mlflow/k", nil)
	if a.header.Get("X-Amz-Meta-Colour") != "" || a.header.Get("Cache-Control") != "" || a.header.Get("Content-Type") != "binary/octet-stream" ||
		a.header.Get("X-Amz-Meta-Size") != "1" || a.header.Get("Content-Encoding") != "br" {
		t.Error(a.header)
	}
	s.want(412, "PreconditionFailed", "PUT", "/mlflow/k", []byte("x"), "If-None-Match", "*")
	s.want(412, "PreconditionFailed", "PUT", "/mlflow/k", []byte("x"), "If-Match", etag)
	s.want(404, "NoSuchKey", "PUT", "/mlflow/none", []byte("x"), "If-Match", etag)
	s.want(200, "", "PUT", "/mlflow/k2", []byte("x"), "If-None-Match", "*")
	s.want(200, "new", "GET", "/mlflow/k?response-content-type=text/y", nil)
	s.want(204, "", "DELETE", "/mlflow/k", nil)
	s.want(204, "", "DELETE", "/mlflow/k", nil)
	s.want(404, "NoSuchKey", "GET", "/mlflow/k", nil)
	s.want(404, "", "HEAD", "/mlflow/k", nil)
	s.want(404, "NoSuchBucket", "GET", "/nowhere/k", nil)
	s.want(404, "NoSuchBucket", "PUT", "/nowhere/k", []byte("x"))
	s.want(404, "NoSuchBucket", "DELETE", "/nowhere/k", nil)
	s.want(404, "NoSuchBucket", "GET", "/nowhere", nil)
	s.want(404, "", "HEAD", "/nowhere", nil)
	s.want(400, "KeyTooLongError", "PUT", "/mlflow/"+strings.Repeat("k", 1025), []byte("x"))
	s.want(400, "MetadataTooLarge", "PUT", "/mlflow/k", []byte("x"), "X-Amz-Meta-A", strings.Repeat("m", 2100))
	s.want(200, "DeleteResult", "POST", "/mlflow?delete", []byte("<Delete><Object><Key>k2</Key></Object><Object><Key>none</Key></Object></Delete>"))
	s.want(404, "NoSuchKey", "GET", "/mlflow/k2", nil)
	s.want(400, "MalformedXML", "POST", "/mlflow?delete", []byte("<Delete>"))
}

func TestS3Verification(t *testing.T) {
	s := newS3(t)
	s.want(200, "", "PUT", "/mlflow/k", []byte("old"))
	wrongHash := sign(s.request("PUT", "/mlflow/k", []byte("new"), "X-Amz-Content-Sha256", strings.Repeat("0", 64)))
	if a := s.send(wrongHash); a.status != 400 || !strings.Contains(a.body, "XAmzContentSHA256Mismatch") {
		t.Errorf("%+v", a)
	}
	for _, c := range []struct{ name, value, code string }{
		{"Content-Md5", "1B2M2Y8AsgTpgAmY7PhCfg==", "BadDigest"},
		{"Content-Md5", "x", "InvalidDigest"},
		{"Content-Md5", "", "InvalidDigest"},
		{"X-Amz-Checksum-Crc32", "NSRBwg==", "BadDigest"},
		{"X-Amz-Checksum-Crc32c", "NSRBwg==", "BadDigest"},
		{"X-Amz-Checksum-Sha1", "NSRBwg==", "InvalidRequest"},
		{"X-Amz-Checksum-Crc64nvme", "AAAAAAAAAAA=", "BadDigest"},
		{"X-Amz-Checksum-Sha256", "x", "InvalidRequest"},
		{"X-Amz-Content-Sha256", "rubbish", "InvalidArgument"},
		{"X-Amz-Content-Sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "MissingContentLength"},
	} {
		a := s.do("PUT", "/mlflow/k", []byte("new"), c.name, c.value)
		if a.status < 400 || a.status > 499 || !strings.Contains(a.body, c.code) {
			t.Errorf("%s %s: %d %s", c.name, c.value, a.status, a.body)
		}
	}
	s.want(200, "old", "GET", "/mlflow/k", nil)
	// Known answers for "123456789".
	for name, value := range map[string]string{
		"crc32": "y/Q5Jg==", "crc32c": "4waSgw==", "crc64nvme": "rosUhgp5mIg=", "sha1": "98O8HYCOBHMq32eZZczDTKeuNEE=",
		"sha256": "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU=",
	} {
		s.do("PUT", "/mlflow/"+name, []byte("123456789"), "X-Amz-Sdk-Checksum-Algorithm", strings.ToUpper(name))
		a := s.want(200, "123456789", "GET", "/mlflow/"+name, nil, "X-Amz-Checksum-Mode", "ENABLED")
		if got := a.header.Get("X-Amz-Checksum-" + name); got != value {
			t.Errorf("%s: %s, want %s", name, got, value)
		}
	}
}

var times = regexp.MustCompile(`<(CreationDate|LastModified|Initiated)>([^<]*)<`)

// MinIO Java 8.0.0 wants exactly three digits of the fraction, in all documents.
func TestS3Times(t *testing.T) {
	s := newS3(t)
	s.want(200, "", "PUT", "/mlflow/k", []byte("v"))
	id := between(s.want(200, "UploadId", "POST", "/mlflow/u?uploads", nil).body, "<UploadId>", "<")
	s.want(200, "", "PUT", "/mlflow/u?partNumber=1&uploadId="+id, []byte("p"))
	seen := 0
	for _, a := range []answer{
		s.want(200, "", "GET", "/", nil), s.want(200, "", "GET", "/mlflow?list-type=2", nil), s.want(200, "", "GET", "/mlflow", nil),
		s.want(200, "", "GET", "/mlflow?uploads", nil), s.want(200, "", "GET", "/mlflow/u?uploadId="+id, nil),
		s.want(200, "", "PUT", "/mlflow/c", nil, "X-Amz-Copy-Source", "/mlflow/k"),
	} {
		for _, m := range times.FindAllStringSubmatch(a.body, -1) {
			seen++
			if !regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$`).MatchString(m[2]) {
				t.Errorf("%s: %s", m[1], m[2])
			}
		}
	}
	if seen < 6 {
		t.Errorf("only %d times seen", seen)
	}
}

func between(s, from, to string) string {
	_, s, _ = strings.Cut(s, from)
	s, _, _ = strings.Cut(s, to)
	return s
}

func TestS3Multipart(t *testing.T) {
	s := newS3(t)
	part1, part2 := noise(5<<20, 1), noise(100, 2)
	id := between(s.want(200, "UploadId", "POST", "/mlflow/big?uploads", nil, "X-Amz-Meta-A", "b", "Content-Type", "x/y").body, "<UploadId>", "<")
	target := "/mlflow/big?uploadId=" + id
	etags := []string{}
	for i, body := range [][]byte{part1, part2} {
		a := s.want(200, "", "PUT", fmt.Sprintf("%s&partNumber=%d", target, i+1), body)
		etags = append(etags, a.header.Get("ETag"))
	}
	s.want(200, "", "PUT", target+"&partNumber=3", nil) // an empty part is allowed
	s.want(400, "InvalidArgument", "PUT", "/mlflow/big?partNumber=10001&uploadId="+id, []byte("x"))
	s.want(404, "NoSuchUpload", "PUT", "/mlflow/other?partNumber=1&uploadId="+id, []byte("x"))
	s.want(404, "NoSuchUpload", "PUT", "/mlflow/big?partNumber=1&uploadId=0", []byte("x"))
	s.want(404, "NoSuchKey", "GET", "/mlflow/big", nil)
	s.want(200, id, "GET", "/mlflow?uploads", nil)
	a := s.want(200, "<Size>5242880</Size>", "GET", target, nil)
	if strings.Count(a.body, "<Part>") != 3 {
		t.Error(a.body)
	}
	complete := func(parts ...string) []byte {
		var b strings.Builder
		for _, p := range parts {
			n, etag, _ := strings.Cut(p, " ")
			fmt.Fprintf(&b, "<Part><PartNumber>%s</PartNumber><ETag>%s</ETag></Part>", n, etag)
		}
		return []byte("<CompleteMultipartUpload>" + b.String() + "</CompleteMultipartUpload>")
	}
	s.want(400, "InvalidPartOrder", "POST", target, complete("2 "+etags[1], "1 "+etags[0]))
	s.want(400, "InvalidPart", "POST", target, complete("1 "+etags[1]))
	s.want(400, "InvalidPart", "POST", target, complete("7 "+etags[1]))
	s.want(400, "MalformedXML", "POST", target, complete())
	s.want(400, "MalformedXML", "POST", target, []byte("rubbish"))
	empty := s.do("PUT", target+"&partNumber=3", nil).header.Get("ETag")
	s.want(400, "EntityTooSmall", "POST", target, complete("2 "+etags[1], "3 "+empty))
	a = s.want(200, "CompleteMultipartUploadResult", "POST", target, complete("1 "+etags[0], "2 "+etags[1]))
	etag := strings.ReplaceAll(between(a.body, "<ETag>", "<"), "&#34;", `"`)
	if !strings.HasSuffix(etag, `-2"`) {
		t.Errorf("ETag %s", etag)
	}
	whole := append(bytes.Clone(part1), part2...)
	a = s.want(200, "", "GET", "/mlflow/big", nil, "If-Match", etag)
	if a.body != string(whole) || a.header.Get("ETag") != etag || a.header.Get("X-Amz-Meta-A") != "b" || a.header.Get("Content-Type") != "x/y" {
		t.Errorf("%d bytes, %v", len(a.body), a.header)
	}
	a = s.want(206, "", "GET", "/mlflow/big", nil, "Range", "bytes=5242870-5242890")
	if a.body != string(whole[5242870:5242891]) {
		t.Error("range over the seam of two parts")
	}
	s.want(404, "NoSuchUpload", "POST", target, complete("1 "+etags[0]))
	// Part copy of a range, then abort.
	id = between(s.want(200, "UploadId", "POST", "/mlflow/copy?uploads", nil).body, "<UploadId>", "<")
	target = "/mlflow/copy?uploadId=" + id
	s.want(200, "CopyPartResult", "PUT", target+"&partNumber=1", nil, "X-Amz-Copy-Source", "mlflow/big", "X-Amz-Copy-Source-Range", "bytes=5242875-5242884")
	s.want(400, "InvalidArgument", "PUT", target+"&partNumber=1", nil, "X-Amz-Copy-Source", "mlflow/big", "X-Amz-Copy-Source-Range", "bytes=0-9999999")
	s.want(200, "<Size>10</Size>", "GET", target, nil)
	s.want(409, "BucketNotEmpty", "DELETE", "/mlflow", nil)
	s.want(204, "", "DELETE", target, nil)
	s.want(404, "NoSuchUpload", "GET", target, nil)
}

func TestS3Copy(t *testing.T) {
	s := newS3(t)
	s.want(200, "", "PUT", "/mlflow/a%20b", []byte("v"), "X-Amz-Meta-A", "1", "Content-Type", "x/y")
	s.want(200, "CopyObjectResult", "PUT", "/mlflow/c", nil, "X-Amz-Copy-Source", "/mlflow/a%20b")
	if a := s.want(200, "v", "GET", "/mlflow/c", nil); a.header.Get("X-Amz-Meta-A") != "1" || a.header.Get("Content-Type") != "x/y" {
		t.Error(a.header)
	}
	s.want(200, "", "PUT", "/mlflow/d", nil, "X-Amz-Copy-Source", "mlflow%2Fa%20b", "X-Amz-Metadata-Directive", "REPLACE", "X-Amz-Meta-B", "2")
	if a := s.want(200, "v", "GET", "/mlflow/d", nil); a.header.Get("X-Amz-Meta-A") != "" || a.header.Get("X-Amz-Meta-B") != "2" || a.header.Get("Content-Type") != "binary/octet-stream" {
		t.Error(a.header)
	}
	s.want(400, "InvalidRequest", "PUT", "/mlflow/c", nil, "X-Amz-Copy-Source", "/mlflow/c")
	s.want(200, "", "PUT", "/mlflow/c", nil, "X-Amz-Copy-Source", "/mlflow/c", "X-Amz-Metadata-Directive", "REPLACE")
	s.want(404, "NoSuchKey", "PUT", "/mlflow/c", nil, "X-Amz-Copy-Source", "/mlflow/none")
	s.want(404, "NoSuchBucket", "PUT", "/mlflow/c", nil, "X-Amz-Copy-Source", "/nowhere/none")
	s.want(400, "InvalidArgument", "PUT", "/mlflow/c", nil, "X-Amz-Copy-Source", "nothing")
	s.want(412, "PreconditionFailed", "PUT", "/mlflow/c", nil, "X-Amz-Copy-Source", "/mlflow/d", "X-Amz-Copy-Source-If-Match", `"x"`)
	s.want(412, "PreconditionFailed", "PUT", "/mlflow/c", nil, "X-Amz-Copy-Source", "/mlflow/d", "X-Amz-Copy-Source-If-None-Match", "*")
	s.want(412, "PreconditionFailed", "PUT", "/mlflow/c", nil, "X-Amz-Copy-Source", "/mlflow/d", "If-None-Match", "*")
	s.want(204, "", "DELETE", "/mlflow/a%20b", nil)
	s.want(200, "v", "GET", "/mlflow/c", nil)
}

func TestS3Buckets(t *testing.T) {
	s := newS3(t)
	s.want(200, "", "PUT", "/second", nil)
	s.want(200, "", "PUT", "/second", nil) // as AWS in us-east-1
	s.want(400, "InvalidBucketName", "PUT", "/No_Good", nil)
	s.want(200, "<Name>second</Name>", "GET", "/", nil)
	s.want(200, "", "PUT", "/second/k", []byte("v"))
	s.want(409, "BucketNotEmpty", "DELETE", "/second", nil)
	s.want(409, "BucketNotEmpty", "DELETE", "/second", nil, "X-Minio-Force-Delete", "true")
	s.want(200, "v", "GET", "/second/k", nil)
	s.want(200, "FULL_CONTROL", "GET", "/second/k?acl", nil)
	s.want(204, "", "DELETE", "/second/k", nil)
	s.want(204, "", "DELETE", "/second", nil)
	s.want(404, "NoSuchBucket", "DELETE", "/second", nil)
	// Virtual-host style.
	r := s.request("PUT", "/k", []byte("virtual"))
	r.Host = "mlflow.localhost:9000"
	if a := s.send(sign(r)); a.status != 200 {
		t.Errorf("%+v", a)
	}
	s.want(200, "virtual", "GET", "/mlflow/k", nil)
}
