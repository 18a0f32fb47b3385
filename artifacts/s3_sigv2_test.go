package artifacts_test

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7/pkg/signer"
)

// presignV2 makes the query of a URL as botocore's HmacV1QueryAuth does: resource is what is signed, target what is sent.
func presignV2(secret, method, target, resource string, expires time.Time, headers string) string {
	h := hmac.New(sha1.New, []byte(secret))
	_, _ = fmt.Fprintf(h, "%s\n\n\n%d\n%s%s", method, expires.Unix(), headers, resource)
	separator := "?"
	if strings.Contains(target, "?") {
		separator = "&"
	}
	return fmt.Sprintf("%s%sAWSAccessKeyId=%s&Signature=%s&Expires=%d", target, separator, accessKey,
		url.QueryEscape(base64.StdEncoding.EncodeToString(h.Sum(nil))), expires.Unix())
}

// The example of AWS's "Signing and authenticating REST requests", so that the signing in these tests is not our own reading alone.
func TestPresignV2KnownAnswer(t *testing.T) {
	got := presignV2("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "GET", "/photos/puppy.jpg", "/johnsmith/photos/puppy.jpg", time.Unix(1175139620, 0), "")
	if !strings.Contains(got, url.QueryEscape("NpgCjnDzrM+WFzoENXmpNDUsSn8=")) {
		t.Error(got)
	}
}

func TestS3SignatureV2(t *testing.T) {
	s := newS3(t)
	s.want(200, "", "PUT", "/mlflow/a%20b+c/k%C3%A9", []byte("secret"), "Content-Type", "text/x")
	soon, past := time.Now().Add(time.Minute), time.Now().Add(-time.Minute)
	const key = "/mlflow/a%20b+c/k%C3%A9"
	plain := presignV2(secretKey, "GET", key, key, soon, "")
	for _, c := range []struct {
		name, method, target, host string
		headers                    []string
		status                     int
		text                       string
	}{
		{"get", "GET", plain, "", nil, 200, "secret"},
		{"list", "GET", presignV2(secretKey, "GET", "/mlflow?prefix=a", "/mlflow", soon, ""), "", nil, 200, "a b+c"},
		{"version", "GET", presignV2(secretKey, "GET", key+"?versionId=null", key+"?versionId=null", soon, ""), "", nil, 200, "secret"},
		{"override", "GET", presignV2(secretKey, "GET", key+"?response-content-type=a%2Fb%20c", key+"?response-content-type=a/b c", soon, ""), "", nil, 200, "secret"},
		{"override added", "GET", plain + "&response-content-type=x", "", nil, 403, "SignatureDoesNotMatch"},
		{"location", "GET", presignV2(secretKey, "GET", "/mlflow?location", "/mlflow?location", soon, ""), "", nil, 200, "LocationConstraint"},
		{"subresource added", "GET", plain + "&acl", "", nil, 403, "SignatureDoesNotMatch"},
		{"subresource that is not signed", "GET", presignV2(secretKey, "GET", "/mlflow", "/mlflow", soon, "") + "&policyStatus", "", nil, 400, "s3v4"},
		{"host style", "GET", presignV2(secretKey, "GET", strings.TrimPrefix(key, "/mlflow"), key, soon, ""), "mlflow.localhost:9000", nil, 200, "secret"},
		{"host style of another bucket", "GET", presignV2(secretKey, "GET", strings.TrimPrefix(key, "/mlflow"), key, soon, ""), "other.localhost:9000", nil, 403, "SignatureDoesNotMatch"},
		{"amz header", "GET", presignV2(secretKey, "GET", key, key, soon, "x-amz-checksum-mode:ENABLED\n"), "", []string{"X-Amz-Checksum-Mode", "ENABLED"}, 200, "secret"},
		{"amz header added", "GET", plain, "", []string{"X-Amz-Checksum-Mode", "ENABLED"}, 403, "SignatureDoesNotMatch"},
		{"content type added", "GET", plain, "", []string{"Content-Type", "x"}, 403, "SignatureDoesNotMatch"},
		{"expired", "GET", presignV2(secretKey, "GET", key, key, past, ""), "", nil, 403, "Request has expired"},
		{"longer life", "GET", strings.Replace(plain, "Expires=", "Expires=9", 1), "", nil, 403, "SignatureDoesNotMatch"},
		{"other method", "DELETE", plain, "", nil, 403, "SignatureDoesNotMatch"},
		{"other key", "GET", strings.Replace(plain, "/k%C3", "/l%C3", 1), "", nil, 403, "SignatureDoesNotMatch"},
		{"wrong secret", "GET", presignV2("wrong", "GET", key, key, soon, ""), "", nil, 403, "SignatureDoesNotMatch"},
		{"unknown key", "GET", strings.Replace(plain, accessKey, "nobody", 1), "", nil, 403, "InvalidAccessKeyId"},
		{"no signature", "GET", key + "?AWSAccessKeyId=" + accessKey, "", nil, 403, "requires the Signature"},
		{"rubbish", "GET", key + "?AWSAccessKeyId=mlflow-key&Signature=%00&Expires=x", "", nil, 403, "Invalid date"},
		{"header without date", "GET", key, "", []string{"Authorization", "AWS mlflow-key:abc="}, 403, "Date"},
		{"header of another form", "GET", key, "", []string{"Authorization", "AWS abc"}, 400, "Version 4"},
		{"copy of another object", "PUT", presignV2(secretKey, "PUT", "/mlflow/new", "/mlflow/new", soon, ""), "", []string{"X-Amz-Copy-Source", key}, 403, "SignatureDoesNotMatch"},
	} {
		r := s.request(c.method, c.target, nil, c.headers...)
		r.Header.Del("X-Amz-Content-Sha256")
		if r.Host = c.host; c.host == "" {
			r.Host = s.host
		}
		if a := s.send(r); a.status != c.status || !strings.Contains(a.body, c.text) {
			t.Errorf("%s: %d %s; want %d %s", c.name, a.status, a.body, c.status, c.text)
		}
	}
	// botocore puts what it signed as headers into the query.
	for _, headers := range [][]string{{"Content-Type", "text/q", "X-Amz-Meta-A", "1"}, nil, {"X-Amz-Meta-A", "2"}} {
		h := hmac.New(sha1.New, []byte(secretKey))
		_, _ = fmt.Fprintf(h, "PUT\n\ntext/q\n%d\nx-amz-meta-a:1\n/mlflow/lifted", soon.Unix()) // a hash takes all
		r := s.request("PUT", fmt.Sprintf("/mlflow/lifted?content-type=text%%2Fq&x-amz-meta-a=1&AWSAccessKeyId=%s&Expires=%d&Signature=%s", accessKey, soon.Unix(),
			url.QueryEscape(base64.StdEncoding.EncodeToString(h.Sum(nil)))), []byte("lifted"), headers...)
		r.Header.Del("X-Amz-Content-Sha256")
		want := 200
		if len(headers) == 2 {
			want = 403
		}
		if a := s.send(r); a.status != want {
			t.Errorf("%q: %+v", headers, a)
		}
	}
	if a := s.want(200, "lifted", "GET", "/mlflow/lifted", nil); a.header.Get("Content-Type") != "text/q" || a.header.Get("X-Amz-Meta-A") != "1" {
		t.Error(a.header)
	}
	// PUT, with a type that the signature covers, and the whole body.
	put := s.request("PUT", presignV2(secretKey, "PUT", "/mlflow/new", "/mlflow/new", soon, ""), []byte("put"))
	put.Header.Del("X-Amz-Content-Sha256")
	if a := s.send(put); a.status != 200 {
		t.Errorf("put: %+v", a)
	}
	s.want(200, "put", "GET", "/mlflow/new", nil)
	// The header form, by another implementation.
	r := s.request("PUT", "/mlflow/head", []byte("header"), "Content-Type", "text/plain", "X-Amz-Meta-B", "b  b", "X-Amz-Meta-A", "a")
	r.Header.Del("X-Amz-Content-Sha256")
	if a := s.send(signer.SignV2(*r, accessKey, secretKey, false)); a.status != 200 {
		t.Errorf("header: %+v", a)
	}
	old := s.request("GET", "/mlflow/head", nil)
	old.Header.Del("X-Amz-Content-Sha256")
	old.Header.Set("Date", time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat))
	if a := s.send(signer.SignV2(*old, accessKey, secretKey, false)); a.status != 403 || !strings.Contains(a.body, "RequestTimeTooSkewed") {
		t.Errorf("stale: %+v", a)
	}
	s.want(200, "header", "GET", "/mlflow/head", nil)
}
