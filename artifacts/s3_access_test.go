package artifacts_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7/pkg/signer"

	"github.com/prinzbox/prinzbox/artifacts"
)

// anonymous sends a request without a signature.
func (s *s3Test) anonymous(status int, text, method, target string, body []byte, headers ...string) answer {
	s.Helper()
	a := s.send(s.request(method, target, body, headers...))
	if a.status != status || !strings.Contains(a.body, text) {
		s.Errorf("anonymous %s %s: %d %s\nwant %d with %q", method, target, a.status, a.body, status, text)
	}
	return a
}

func TestS3BucketPolicy(t *testing.T) {
	s := newS3(t)
	s.want(200, "", "PUT", "/mlflow/pub/k", []byte("v"))
	s.want(200, "", "PUT", "/mlflow/k", []byte("w"))
	s.anonymous(403, "AccessDenied", "GET", "/mlflow/pub/k", nil)
	s.want(404, "NoSuchBucketPolicy", "GET", "/mlflow?policy", nil)
	s.want(404, "NoSuchBucketPolicy", "GET", "/mlflow?policyStatus", nil)
	s.want(404, "NoSuchBucket", "GET", "/nowhere?policy", nil)
	s.want(404, "NoSuchBucket", "PUT", "/nowhere?policy", []byte(`{"Statement":{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::nowhere/*"}}`))
	s.want(404, "NoSuchBucket", "DELETE", "/nowhere?policy", nil)
	s.want(400, "MissingRequestBody", "PUT", "/mlflow?policy", nil)
	s.want(400, "s3:ExistingObjectTag", "PUT", "/mlflow?policy", []byte(`{"Statement":{"Effect":"Deny","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::mlflow/*",
		"Condition":{"StringEquals":{"s3:ExistingObjectTag/x":"y"}}}}`))
	s.anonymous(403, "AccessDenied", "PUT", "/mlflow?policy", []byte(`{}`))
	policy := `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Principal":"*","Action":["s3:GetObject","s3:PutObject","s3:DeleteObject"],"Resource":"arn:aws:s3:::mlflow/pub/*"},
		{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":["arn:aws:s3:::mlflow/pub/sealed*"]},
		{"Effect":"Allow","Principal":"*","Action":"s3:ListBucket","Resource":"arn:aws:s3:::mlflow","Condition":{"StringLike":{"s3:prefix":"pub/*"},"IpAddress":{"aws:SourceIp":"127.0.0.0/8"}}}]}`
	s.want(200, "", "PUT", "/mlflow/pub/sealed", []byte("sealed"))
	s.want(204, "", "PUT", "/mlflow?policy", []byte(policy))
	if a := s.want(200, "", "GET", "/mlflow?policy", nil); a.body != policy || a.header.Get("Content-Type") != "application/json" {
		t.Errorf("%+v", a)
	}
	s.want(200, "<IsPublic>true</IsPublic>", "GET", "/mlflow?policyStatus", nil)
	s.anonymous(200, "v", "GET", "/mlflow/pub/k", nil)
	s.anonymous(200, "", "HEAD", "/mlflow/pub/k", nil)
	s.anonymous(400, "anonymous GET", "GET", "/mlflow/pub/k?response-content-type=x", nil)
	s.anonymous(403, "AccessDenied", "GET", "/mlflow/k", nil)
	s.anonymous(403, "AccessDenied", "GET", "/mlflow/pub/k?acl", nil)
	s.anonymous(403, "AccessDenied", "GET", "/mlflow", nil)
	s.anonymous(200, "pub/k", "GET", "/mlflow?list-type=2&prefix=pub/", nil)
	s.anonymous(403, "AccessDenied", "GET", "/mlflow?list-type=2&prefix=other&prefix=pub/", nil)
	s.anonymous(403, "AccessDenied", "GET", "/", nil)
	s.anonymous(403, "AccessDenied", "GET", "/mlflow?policy", nil)
	s.anonymous(200, "", "PUT", "/mlflow/pub/new", []byte("new"))
	s.want(200, "new", "GET", "/mlflow/pub/new", nil)
	s.anonymous(403, "AccessDenied", "PUT", "/mlflow/pub/copy", nil, "X-Amz-Copy-Source", "/mlflow/k")
	s.anonymous(403, "AccessDenied", "PUT", "/mlflow/pub/open", []byte("x"), "X-Amz-Acl", "public-read")
	s.anonymous(200, "CopyObjectResult", "PUT", "/mlflow/pub/copy", nil, "X-Amz-Copy-Source", "/mlflow/pub/k")
	// A Deny binds the owner too, but not in the policy itself.
	s.want(403, "AccessDenied", "GET", "/mlflow/pub/sealed", nil)
	s.want(403, "AccessDenied", "PUT", "/mlflow/c", nil, "X-Amz-Copy-Source", "/mlflow/pub/sealed")
	a := s.anonymous(200, "<Key>pub/new</Key>", "POST", "/mlflow?delete", []byte("<Delete><Object><Key>k</Key></Object><Object><Key>pub/new</Key></Object><Object><Key>pub/sealed</Key></Object></Delete>"))
	if strings.Count(a.body, "AccessDenied") != 2 {
		t.Error(a.body)
	}
	s.want(404, "NoSuchKey", "GET", "/mlflow/pub/new", nil)
	s.want(200, "w", "GET", "/mlflow/k", nil)
	s.want(204, "", "PUT", "/mlflow?policy", []byte(`{"Statement":{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":["arn:aws:s3:::mlflow","arn:aws:s3:::mlflow/*"]}}`))
	s.want(403, "AccessDenied", "GET", "/mlflow/k", nil)
	s.want(403, "AccessDenied", "GET", "/mlflow", nil)
	s.want(200, "Deny", "GET", "/mlflow?policy", nil)
	s.want(204, "", "DELETE", "/mlflow?policy", nil)
	s.want(200, "w", "GET", "/mlflow/k", nil)
	s.anonymous(403, "AccessDenied", "GET", "/mlflow/pub/k", nil)
	// The policy goes with its bucket.
	s.want(200, "", "PUT", "/second", nil)
	s.want(204, "", "PUT", "/second?policy", []byte(`{"Statement":{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":["arn:aws:s3:::second","arn:aws:s3:::second/*"]}}`))
	s.anonymous(200, "ListBucketResult", "GET", "/second", nil)
	s.anonymous(404, "NoSuchKey", "GET", "/second/none", nil)
	s.want(204, "", "DELETE", "/second", nil)
	s.want(200, "", "PUT", "/second", nil)
	s.anonymous(403, "AccessDenied", "GET", "/second", nil)
	s.want(404, "NoSuchBucketPolicy", "GET", "/second?policy", nil)
}

// Who may read some objects does not learn which others exist.
func TestS3MissingObjectIsHidden(t *testing.T) {
	s := newS3(t)
	s.want(204, "", "PUT", "/mlflow?policy", []byte(`{"Statement":{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::mlflow/*"}}`))
	s.anonymous(403, "AccessDenied", "GET", "/mlflow/none", nil)
	s.anonymous(403, "", "HEAD", "/mlflow/none", nil)
	s.want(404, "NoSuchKey", "GET", "/mlflow/none", nil)
	s.want(204, "", "PUT", "/mlflow?policy", []byte(`{"Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::mlflow/*"},
		{"Effect":"Allow","Principal":"*","Action":"s3:ListBucket","Resource":"arn:aws:s3:::mlflow"}]}`))
	s.anonymous(404, "NoSuchKey", "GET", "/mlflow/none", nil)
}

// Keys have rights of their own; a policy gives and takes beside them.
func TestS3PolicyOfKeys(t *testing.T) {
	store := newStore(t)
	secrets := map[string]string{accessKey: secretKey, "reader": "reader-secret", "nobody": "nobody-secret"}
	handler := artifacts.NewS3(store, artifacts.S3Config{
		Keys: func(key string) (string, bool) { secret, ok := secrets[key]; return secret, ok },
		Allow: func(_ context.Context, key string, do artifacts.S3Action, _, _ string) bool {
			return key == accessKey || key == "reader" && do <= artifacts.S3Read
		},
	})
	srv := httptest.NewServer(handler)
	t.Cleanup(srv.Close)
	s := &s3Test{t, store, srv.URL, strings.TrimPrefix(srv.URL, "http://")}
	as := func(key string, status int, method, target string, body []byte, headers ...string) answer {
		t.Helper()
		a := s.send(signer.SignV4(*s.request(method, target, body, headers...), key, secrets[key], "", "us-east-1"))
		if a.status != status {
			t.Errorf("%s %s %s: %d %s, want %d", key, method, target, a.status, a.body, status)
		}
		return a
	}
	as(accessKey, 200, "PUT", "/mlflow/a/k", []byte("v"))
	as("reader", 200, "GET", "/mlflow/a/k", nil)
	as("reader", 200, "GET", "/mlflow?list-type=2", nil)
	as("reader", 200, "GET", "/", nil)
	as("reader", 404, "GET", "/mlflow?policy", nil)
	for _, refused := range []string{
		"PUT /mlflow/a/k", "DELETE /mlflow/a/k", "POST /mlflow/a/k?uploads", "PUT /new", "DELETE /mlflow", "PUT /mlflow?policy", "DELETE /mlflow?policy",
		"PUT /mlflow?acl", "PUT /mlflow/a/k?acl", "PUT /mlflow?cors", "POST /mlflow?delete",
	} {
		method, target, _ := strings.Cut(refused, " ")
		as("reader", 403, method, target, []byte("<x/>"))
		as("nobody", 403, method, target, []byte("<x/>"))
	}
	as("nobody", 403, "GET", "/mlflow/a/k", nil)
	as(accessKey, 204, "PUT", "/mlflow?policy", []byte(`{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:user/nobody"},"Action":["s3:GetObject","s3:PutObject"],"Resource":"arn:aws:s3:::mlflow/${aws:username}/*"},
		{"Effect":"Deny","Principal":{"AWS":"reader"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::mlflow/nobody/*"}]}`))
	as("nobody", 200, "PUT", "/mlflow/nobody/k", []byte("mine"))
	as("nobody", 200, "GET", "/mlflow/nobody/k", nil)
	as("nobody", 403, "GET", "/mlflow/a/k", nil)
	as("nobody", 403, "GET", "/mlflow/nobody/none", nil) // whether it exists is not said
	as("reader", 403, "GET", "/mlflow/nobody/k", nil)
	as("reader", 200, "GET", "/mlflow/a/k", nil)
	as("reader", 404, "GET", "/mlflow/a/none", nil)
	as(accessKey, 200, "GET", "/mlflow/nobody/k", nil)
}

func TestS3ACL(t *testing.T) {
	s := newS3(t)
	acl := func(target string) answer { return s.want(200, "FULL_CONTROL", "GET", target+"?acl", nil) }
	s.want(200, "", "PUT", "/mlflow/private", []byte("v"))
	s.want(200, "", "PUT", "/mlflow/public", []byte("v"), "X-Amz-Acl", "public-read")
	s.want(200, "", "PUT", "/mlflow/keys", []byte("v"), "X-Amz-Acl", "authenticated-read")
	s.want(200, "", "PUT", "/mlflow/grant", []byte("v"), "X-Amz-Grant-Read", `uri="http://acs.amazonaws.com/groups/global/AllUsers"`)
	s.want(200, "", "PUT", "/mlflow/owner", []byte("v"), "X-Amz-Acl", "bucket-owner-full-control")
	for key, status := range map[string]int{"private": 403, "public": 200, "keys": 403, "grant": 200, "owner": 403, "none": 403} {
		a := s.anonymous(status, "", "GET", "/mlflow/"+key, nil)
		if a.header.Get("X-Amz-Acl") != "" {
			t.Errorf("%s: the ACL is among the headers", key)
		}
		if key != "none" && strings.Contains(acl("/mlflow/"+key).body, "AllUsers</URI>") != (status == 200) {
			t.Errorf("%s: %s", key, acl("/mlflow/"+key).body)
		}
	}
	// The ACL is the object's: it does not outlive it, and a copy begins without.
	s.want(200, "", "PUT", "/mlflow/public", []byte("w"))
	s.anonymous(403, "AccessDenied", "GET", "/mlflow/public", nil)
	s.want(200, "", "PUT", "/mlflow/copy", nil, "X-Amz-Copy-Source", "/mlflow/grant")
	s.anonymous(403, "AccessDenied", "GET", "/mlflow/copy", nil)
	s.want(200, "", "PUT", "/mlflow/copy", nil, "X-Amz-Copy-Source", "/mlflow/grant", "X-Amz-Acl", "public-read")
	s.anonymous(200, "v", "GET", "/mlflow/copy", nil)
	id := between(s.want(200, "UploadId", "POST", "/mlflow/parts?uploads", nil, "X-Amz-Acl", "public-read").body, "<UploadId>", "<")
	etag := s.want(200, "", "PUT", "/mlflow/parts?partNumber=1&uploadId="+id, []byte("parts")).header.Get("ETag")
	s.want(200, "", "POST", "/mlflow/parts?uploadId="+id, []byte("<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>"+etag+"</ETag></Part></CompleteMultipartUpload>"))
	s.anonymous(200, "parts", "GET", "/mlflow/parts", nil)
	// PUT ?acl, by header and by document, changes nothing else.
	before := s.want(200, "v", "GET", "/mlflow/private", nil).header
	s.want(200, "", "PUT", "/mlflow/private?acl", nil, "X-Amz-Acl", "public-read")
	after := s.anonymous(200, "v", "GET", "/mlflow/private", nil).header
	if before.Get("ETag") != after.Get("ETag") || before.Get("Last-Modified") != after.Get("Last-Modified") || before.Get("Content-Type") != after.Get("Content-Type") {
		t.Errorf("%v became %v", before, after)
	}
	document := acl("/mlflow/private").body
	s.want(200, "", "PUT", "/mlflow/private?acl", nil, "X-Amz-Acl", "private")
	s.anonymous(403, "AccessDenied", "GET", "/mlflow/private", nil)
	s.want(200, "", "PUT", "/mlflow/private?acl", []byte(document)) // what was given out is taken back
	s.anonymous(200, "v", "GET", "/mlflow/private", nil)
	s.want(501, "NotImplemented", "PUT", "/mlflow/private?acl", []byte(strings.Replace(document, "<Permission>READ<", "<Permission>READ_ACP<", 1)))
	s.want(501, "NotImplemented", "PUT", "/mlflow/private?acl", nil, "X-Amz-Acl", "aws-exec-read")
	s.want(400, "InvalidArgument", "PUT", "/mlflow/private?acl", nil, "X-Amz-Acl", "everybody")
	s.want(400, "InvalidArgument", "PUT", "/mlflow/new", []byte("v"), "X-Amz-Acl", "everybody")
	s.want(400, "InvalidRequest", "PUT", "/mlflow/new", []byte("v"), "X-Amz-Acl", "private", "X-Amz-Grant-Read", "id=x")
	s.want(400, "MalformedACLError", "PUT", "/mlflow/private?acl", []byte(strings.Replace(document, "<Permission>READ<", "<Permission>SEE<", 1)))
	s.want(400, "MalformedXML", "PUT", "/mlflow/private?acl", []byte("<AccessControlPolicy>"))
	s.want(400, "MissingSecurityHeader", "PUT", "/mlflow/private?acl", nil)
	s.want(400, "UnexpectedContent", "PUT", "/mlflow/private?acl", []byte(document), "X-Amz-Acl", "private")
	s.want(404, "NoSuchKey", "PUT", "/mlflow/none?acl", nil, "X-Amz-Acl", "private")
	s.want(404, "NoSuchKey", "GET", "/mlflow/none?acl", nil)
	s.want(404, "NoSuchBucket", "GET", "/nowhere?acl", nil)
	s.want(404, "NoSuchBucket", "PUT", "/nowhere?acl", nil, "X-Amz-Acl", "private")
	s.anonymous(200, "v", "GET", "/mlflow/private", nil)
	// Each version has its own.
	s.want(200, "", "PUT", "/mlflow?versioning", []byte("<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"))
	first := s.want(200, "", "PUT", "/mlflow/version", []byte("first"), "X-Amz-Acl", "public-read").header.Get("X-Amz-Version-Id")
	s.want(200, "", "PUT", "/mlflow/version", []byte("second"))
	s.anonymous(403, "AccessDenied", "GET", "/mlflow/version", nil)
	s.anonymous(200, "first", "GET", "/mlflow/version?versionId="+first, nil)
	s.anonymous(403, "AccessDenied", "GET", "/mlflow/version?versionId="+strings.Repeat("0", 32), nil)
	s.want(200, "", "PUT", "/mlflow/version?acl&versionId="+first, nil, "X-Amz-Acl", "private")
	s.anonymous(403, "AccessDenied", "GET", "/mlflow/version?versionId="+first, nil)
	s.want(200, "second", "GET", "/mlflow/version", nil)
	// Of a bucket.
	s.anonymous(403, "AccessDenied", "GET", "/mlflow", nil)
	s.want(200, "", "PUT", "/mlflow?acl", nil, "X-Amz-Acl", "public-read")
	acl("/mlflow")
	s.anonymous(200, "<Key>copy</Key>", "GET", "/mlflow", nil)
	s.anonymous(200, "", "HEAD", "/mlflow", nil)
	s.anonymous(404, "NoSuchKey", "GET", "/mlflow/none", nil)
	s.anonymous(403, "AccessDenied", "GET", "/mlflow/keys", nil)
	s.anonymous(403, "AccessDenied", "PUT", "/mlflow/new", []byte("v"))
	s.want(200, "", "PUT", "/wide", nil, "X-Amz-Acl", "public-read-write")
	s.anonymous(200, "", "PUT", "/wide/new", []byte("v"))
	s.anonymous(403, "AccessDenied", "PUT", "/wide/new2", []byte("v"), "X-Amz-Acl", "public-read")
	s.anonymous(403, "AccessDenied", "PUT", "/wide?acl", nil, "X-Amz-Acl", "private")
	s.anonymous(403, "AccessDenied", "GET", "/wide/new", nil)
	s.anonymous(204, "", "DELETE", "/wide/new", nil)
	s.anonymous(403, "AccessDenied", "DELETE", "/wide", nil)
}

const corsDocument = `<CORSConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
<CORSRule><AllowedOrigin>https://*.example.com</AllowedOrigin><AllowedMethod>PUT</AllowedMethod><AllowedMethod>GET</AllowedMethod>
<AllowedHeader>content-*</AllowedHeader><AllowedHeader>X-Amz-Meta-A</AllowedHeader><ExposeHeader>ETag</ExposeHeader><MaxAgeSeconds>300</MaxAgeSeconds></CORSRule>
<CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod></CORSRule></CORSConfiguration>`

func TestS3CORS(t *testing.T) {
	store := newStore(t)
	srv := httptest.NewServer(artifacts.NewS3(store, artifacts.S3Config{Keys: keys, Origins: func(origin, _ string, ruled bool) bool {
		return origin == "https://own.example.org" && !ruled
	}}))
	t.Cleanup(srv.Close)
	s := &s3Test{t, store, srv.URL, strings.TrimPrefix(srv.URL, "http://")}
	ask := func(origin, method, headers string) answer {
		r := s.request("OPTIONS", "/mlflow/k", nil, "Origin", origin, "Access-Control-Request-Method", method)
		if headers != "" {
			r.Header.Set("Access-Control-Request-Headers", headers)
		}
		return s.send(r)
	}
	s.anonymous(400, "Origin request header needed", "OPTIONS", "/mlflow/k", nil)
	s.anonymous(400, "Invalid Access-Control-Request-Method", "OPTIONS", "/mlflow/k", nil, "Origin", "https://a.example.com")
	if a := ask("https://a.example.com", "PUT", ""); a.status != 403 || !strings.Contains(a.body, "CORSResponse: CORS is not enabled for this bucket.") {
		t.Errorf("%+v", a)
	}
	if a := ask("https://own.example.org", "PUT", "x-amz-meta-b"); a.status != 200 || a.header.Get("Access-Control-Allow-Origin") != "https://own.example.org" || a.header.Get("Access-Control-Allow-Headers") != "x-amz-meta-b" {
		t.Errorf("the environment's own page: %+v", a)
	}
	s.want(404, "NoSuchCORSConfiguration", "GET", "/mlflow?cors", nil)
	s.want(200, "", "PUT", "/mlflow?cors", []byte(corsDocument))
	s.want(200, "<MaxAgeSeconds>300<", "GET", "/mlflow?cors", nil)
	for _, c := range []struct {
		origin, method, headers string
		status                  int
		allowOrigin, allowed    string
	}{
		{"https://a.example.com", "PUT", "", 200, "https://a.example.com", "PUT, GET"},
		{"https://a.example.com", "PUT", "Content-Type, x-amz-meta-a", 200, "https://a.example.com", "PUT, GET"},
		{"https://a.example.com", "PUT", "x-amz-meta-b", 403, "", ""},
		{"https://a.example.com", "DELETE", "", 403, "", ""},
		{"https://example.com", "PUT", "", 403, "", ""},
		{"http://a.example.com", "PUT", "", 403, "", ""},
		{"null", "GET", "", 200, "*", "GET"},
		{"https://else.org", "GET", "", 200, "*", "GET"},
		{"https://own.example.org", "PUT", "", 403, "", ""}, // the bucket's rules alone count now
	} {
		a := ask(c.origin, c.method, c.headers)
		h := a.header
		if a.status != c.status || h.Get("Access-Control-Allow-Origin") != c.allowOrigin || h.Get("Access-Control-Allow-Methods") != c.allowed {
			t.Errorf("%+v: %+v", c, a)
		}
		if c.status == 403 {
			if !strings.Contains(a.body, "CORSResponse: This CORS request is not allowed.") {
				t.Error(a.body)
			}
			continue
		}
		if h.Get("Access-Control-Allow-Headers") != strings.ToLower(c.headers) || !strings.Contains(h.Get("Vary"), "Origin") {
			t.Errorf("%+v: %v", c, h)
		}
		if first := c.allowOrigin != "*"; (h.Get("Access-Control-Allow-Credentials") == "true") != first || (h.Get("Access-Control-Max-Age") == "300") != first || (h.Get("Access-Control-Expose-Headers") == "ETag") != first {
			t.Errorf("%+v: %v", c, h)
		}
	}
	// Real requests: the answer is shared, or not; the request is served all the same, as its signature has it.
	u := presign(s, "PUT", "k", time.Now(), time.Minute)
	put := func(origin string) answer {
		r, err := http.NewRequest("PUT", u, strings.NewReader("page"))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Origin", origin)
		return s.send(r)
	}
	if a := put("https://a.example.com"); a.status != 200 || a.header.Get("Access-Control-Allow-Origin") != "https://a.example.com" || a.header.Get("Access-Control-Expose-Headers") != "ETag" {
		t.Errorf("%+v", a)
	}
	if a := put("https://else.org"); a.status != 200 || a.header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("%+v", a)
	}
	for target, status := range map[string]int{"/mlflow/k": 200, "/mlflow/none": 404, "/mlflow?list-type=2": 200} {
		if a := s.want(status, "", "GET", target, nil, "Origin", "https://else.org"); a.header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s: %v", target, a.header)
		}
	}
	if a := s.want(200, "page", "GET", "/mlflow/k", nil); a.header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("without an origin: %v", a.header)
	}
	s.want(204, "", "DELETE", "/mlflow?cors", nil)
	s.want(404, "NoSuchCORSConfiguration", "GET", "/mlflow?cors", nil)
	rule := func(inner string) []byte {
		return []byte("<CORSConfiguration><CORSRule>" + inner + "</CORSRule></CORSConfiguration>")
	}
	const origin, method = "<AllowedOrigin>*</AllowedOrigin>", "<AllowedMethod>GET</AllowedMethod>"
	for text, document := range map[string][]byte{
		"1 to 100":             []byte("<CORSConfiguration/>"),
		"MalformedXML":         []byte("<CORSConfiguration>"),
		"needs an AllowedMet":  rule(origin),
		"needs an AllowedOri":  rule(method),
		"Unsupported method":   rule(origin + "<AllowedMethod>PATCH</AllowedMethod>"),
		"more than one wild":   rule(method + "<AllowedOrigin>http://*.*</AllowedOrigin>"),
		"AllowedHeader":        rule(method + origin + "<AllowedHeader>*-*</AllowedHeader>"),
		"contains wildcard":    rule(method + origin + "<ExposeHeader>x-*</ExposeHeader>"),
		"no header name":       rule(method + origin + "<ExposeHeader>a: b</ExposeHeader>"),
		"not be negative":      rule(method + origin + "<MaxAgeSeconds>-1</MaxAgeSeconds>"),
		"at most 255":          rule(method + origin + "<ID>" + strings.Repeat("x", 256) + "</ID>"),
		"not well-formed or d": rule(method + origin + "<MaxAgeSeconds>x</MaxAgeSeconds>"),
	} {
		s.want(400, text, "PUT", "/mlflow?cors", document)
	}
	s.want(404, "NoSuchBucket", "PUT", "/nowhere?cors", []byte(corsDocument))
}

// Each condition key has the value that AWS gives it; %s stands for the condition.
func TestS3PolicyConditions(t *testing.T) {
	s := newS3(t)
	s.want(200, "", "PUT", "/mlflow/k", []byte("v"))
	now := time.Now()
	v4, v2 := presign(s, "GET", "k", now, time.Minute), s.url+presignV2(secretKey, "GET", "/mlflow/k", "/mlflow/k", now.Add(time.Minute), "")
	plain := func(headers ...string) *http.Request { return s.request("GET", "/mlflow/k", nil, headers...) }
	at := func(url string) *http.Request {
		r, err := http.NewRequest("GET", url, nil)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	list := func(query string) *http.Request { return s.request("GET", "/mlflow?"+query, nil) }
	put := func(headers ...string) *http.Request { return s.request("PUT", "/mlflow/new", []byte("v"), headers...) }
	for _, c := range []struct {
		condition string
		denied    *http.Request // one that the condition is about
		served    *http.Request // and one that it is not about
	}{
		{`"StringEquals":{"s3:authType":"REST-QUERY-STRING"}`, at(v4), sign(plain())},
		{`"StringEquals":{"s3:authType":"REST-QUERY-STRING"}`, at(v2), sign(plain())},
		{`"StringEquals":{"s3:authType":"REST-HEADER"}`, sign(plain()), at(v4)},
		{`"StringEquals":{"s3:signatureversion":"AWS"}`, at(v2), at(v4)},
		{`"StringEquals":{"s3:signatureversion":"AWS4-HMAC-SHA256"}`, at(v4), at(v2)},
		{`"NumericGreaterThan":{"s3:signatureAge":"30000"}`, at(presign(s, "GET", "k", now.Add(-40*time.Second), time.Minute)), at(v4)},
		{`"StringEquals":{"aws:username":"mlflow-key"}`, sign(plain()), sign(s.request("GET", "/", nil))},
		{`"StringLike":{"aws:UserAgent":"bad*"}`, sign(plain("User-Agent", "bad/1")), sign(plain("User-Agent", "good"))},
		{`"StringLike":{"aws:Referer":"http://bad/*"}`, sign(plain("Referer", "http://bad/x")), sign(plain("Referer", "http://good/"))},
		{`"IpAddress":{"aws:SourceIp":"127.0.0.1"}`, sign(plain()), sign(s.request("GET", "/", nil))},
		{`"Bool":{"aws:SecureTransport":"false"}`, sign(plain()), sign(s.request("GET", "/", nil))},
		{`"Null":{"s3:TlsVersion":"true"}`, sign(plain()), sign(s.request("GET", "/", nil))},
		{`"DateGreaterThan":{"aws:CurrentTime":"2020-01-01T00:00:00Z"},"NumericGreaterThan":{"aws:EpochTime":"1577836800"}`, sign(plain()), sign(s.request("GET", "/", nil))},
		{`"StringEquals":{"s3:prefix":"a/"}`, sign(list("list-type=2&prefix=a%2F")), sign(list("list-type=2"))},
		{`"StringEquals":{"s3:delimiter":"/"}`, sign(list("delimiter=%2F")), sign(list("prefix=a"))},
		{`"NumericGreaterThan":{"s3:max-keys":"10"}`, sign(list("max-keys=11")), sign(list("max-keys=10"))},
		{`"StringEquals":{"s3:VersionId":"null"}`, sign(s.request("GET", "/mlflow/k?versionId=null", nil)), sign(plain())},
		{`"StringEquals":{"s3:x-amz-acl":"public-read"}`, sign(put("X-Amz-Acl", "public-read")), sign(put())},
		{`"StringLike":{"s3:x-amz-copy-source":"*mlflow/k"}`, sign(s.request("PUT", "/mlflow/new", nil, "X-Amz-Copy-Source", "/mlflow/k")), sign(put())},
		{`"StringEquals":{"s3:x-amz-content-sha256":"UNSIGNED-PAYLOAD"}`, sign(put("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")), sign(put())},
		{`"Null":{"s3:if-none-match":"true"}`, sign(put()), sign(s.request("PUT", "/mlflow/fresh", nil, "If-None-Match", "*"))},
	} {
		err := s.store.SetBucketPolicy(t.Context(), "mlflow", `{"Statement":{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":["arn:aws:s3:::mlflow","arn:aws:s3:::mlflow/*"],"Condition":{`+c.condition+`}}}`)
		if err != nil {
			t.Errorf("%s: %v", c.condition, err)
			continue
		}
		if a := s.send(c.denied); a.status != 403 || !strings.Contains(a.body, "AccessDenied") {
			t.Errorf("%s: should be denied: %+v", c.condition, a)
		}
		if a := s.send(c.served); a.status != 200 {
			t.Errorf("%s: should be served: %+v", c.condition, a)
		}
	}
	// A form is of a kind of its own.
	if err := s.store.SetBucketPolicy(t.Context(), "mlflow", `{"Statement":{"Effect":"Deny","Principal":"*","Action":"s3:PutObject","Resource":"arn:aws:s3:::mlflow/*","Condition":{"StringNotEquals":{"s3:authType":"POST"}}}}`); err != nil {
		t.Fatal(err)
	}
	if a := s.send(sign(put())); a.status != 403 {
		t.Errorf("%+v", a)
	}
	fields := signForm(`{"expiration":"2099-01-01T00:00:00Z","conditions":[{"key":"form"}]}`)
	if a := s.post([]byte("x"), append(fields, "key", "form")...); a.status != 204 {
		t.Errorf("form: %+v", a)
	}
}

// A slash before the key, as the MinIO Java client 8.0.0 sends it, leads to the same object and past no rule.
func TestS3PolicyBehindSlash(t *testing.T) {
	s := newS3(t)
	s.want(200, "", "PUT", "/mlflow/open/k", []byte("open"))
	s.want(200, "", "PUT", "/mlflow/sealed/k", []byte("sealed"))
	s.want(204, "", "PUT", "/mlflow?policy", []byte(`{"Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":["arn:aws:s3:::mlflow","arn:aws:s3:::mlflow/*"]},
		{"Effect":"Deny","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::mlflow/sealed/*"}]}`))
	for _, slashes := range []string{"/", "//", "%2F"} {
		s.anonymous(200, "open", "GET", "/mlflow/"+slashes+"open/k", nil)
		s.anonymous(404, "NoSuchKey", "GET", "/mlflow/"+slashes+"sealed/k", nil)
		s.anonymous(404, "", "HEAD", "/mlflow/"+slashes+"sealed/k", nil)
		s.want(404, "NoSuchKey", "GET", "/mlflow/"+slashes+"sealed/k", nil)
		s.anonymous(404, "NoSuchKey", "PUT", "/mlflow/copy", nil, "X-Amz-Copy-Source", "/mlflow/"+slashes+"sealed/k")
	}
}
