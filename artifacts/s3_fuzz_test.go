package artifacts

import (
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

// No form passes without the secret, none panics, and what is read of one is bounded.
func FuzzPostForm(f *testing.F) {
	policy := base64.StdEncoding.EncodeToString([]byte(`{"expiration":"2099-01-01T00:00:00Z","conditions":[["eq","$key","a"],["content-length-range",0,1],{"bucket":"mlflow"}]}`))
	field := func(name, value string) string {
		return "--b\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + value + "\r\n"
	}
	const file = "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\ndata\r\n--b--\r\n"
	f.Add(field("key", "up/${filename}")+field("policy", policy)+field("AWSAccessKeyId", "k")+field("signature", "AAAA")+file, "multipart/form-data; boundary=b")
	f.Add(field("key", "a")+field("policy", policy)+field("x-amz-algorithm", "AWS4-HMAC-SHA256")+field("x-amz-credential", "k/20260101/r/s3/aws4_request")+
		field("x-amz-date", "20260101T000000Z")+field("x-amz-signature", "00")+field("x-amz-meta-a", "1")+field("tagging", "<Tagging><TagSet/></Tagging>")+file, "multipart/form-data; boundary=b")
	f.Fuzz(func(t *testing.T, body, contentType string) {
		r := httptest.NewRequest(http.MethodPost, "/mlflow", strings.NewReader(body))
		r.Header.Set("Content-Type", contentType)
		parts, err := r.MultipartReader()
		if err != nil {
			return
		}
		form, err := readForm(parts)
		if err != nil {
			if !isUserError(err) {
				t.Errorf("%v", err)
			}
			return
		}
		size := 0
		for name, value := range form.fields {
			size += len(name) + len(value)
		}
		if size > maxFormFields+len(form.fields)*len(body) { // a file name may stand in each field
			t.Errorf("%d bytes of fields", size)
		}
		id, err := form.authenticate(func(string) (string, bool) { return "unguessable 7f1c", true })
		if err == nil && (!id.anonymous() || form.fields["policy"] != "") {
			t.Errorf("let in: %q", body)
		}
		if p, err := parsePostPolicy(form.fields["policy"]); err == nil {
			_ = p.check(form.fields, "mlflow", time.Unix(0, 0)) // must not panic
		} else if !isUserError(err) {
			t.Errorf("%v", err)
		}
		if _, err := form.headers(); err != nil && !isUserError(err) {
			t.Errorf("%v", err)
		}
		if n, _ := io.Copy(io.Discard, &rangeReader{r: form.file, max: 10}); n > 10 {
			t.Errorf("%d bytes of 10", n)
		}
	})
}

func isUserError(err error) bool {
	e, ok := err.(*Error) //nolint:errorlint // the parsers return it as it is
	return ok && e.HTTPStatus() < 500
}

// A CORS configuration that is taken has no rule that lets in what it does not name; no document panics.
func FuzzCORS(f *testing.F) {
	f.Add([]byte(`<CORSConfiguration><CORSRule><AllowedOrigin>https://*.example.com</AllowedOrigin><AllowedMethod>PUT</AllowedMethod>
		<AllowedHeader>*</AllowedHeader><ExposeHeader>ETag</ExposeHeader><MaxAgeSeconds>300</MaxAgeSeconds></CORSRule></CORSConfiguration>`), "https://a.example.com", "x-amz-meta-a")
	f.Fuzz(func(t *testing.T, document []byte, origin, header string) {
		rules, err := parseCORS(document)
		if err != nil {
			if !isUserError(err) {
				t.Errorf("%v", err)
			}
			return
		}
		for _, r := range rules {
			if r.takes(origin, "PATCH", nil) {
				t.Errorf("PATCH by %s", document)
			}
			if r.takes(origin, "PUT", []string{strings.ToLower(header)}) && len(r.AllowedHeaders) == 0 {
				t.Errorf("header %q by %s", header, document)
			}
			h := http.Header{}
			r.write(h, origin)
			if h.Get("Access-Control-Allow-Origin") == "*" && !slices.Contains(r.AllowedOrigins, "*") && origin != "*" {
				t.Errorf("everybody by %s", document)
			}
		}
	})
}

// An ACL that is taken is a canned one, and a header lets in only whom it names.
func FuzzACL(f *testing.F) {
	f.Add([]byte(`<AccessControlPolicy><Owner><ID>fe7272ea58be830e56fe1663b10fafef</ID></Owner><AccessControlList><Grant><Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="Group"><URI>http://acs.amazonaws.com/groups/global/AllUsers</URI></Grantee><Permission>READ</Permission></Grant></AccessControlList></AccessControlPolicy>`), `uri="http://acs.amazonaws.com/groups/global/AllUsers"`)
	f.Fuzz(func(t *testing.T, document []byte, header string) {
		acl, err := parseACL(document)
		if err != nil && !isUserError(err) && !isCode(err, codeNotImplemented) {
			t.Errorf("%v", err)
		}
		if again, cerr := cannedACL(acl); err == nil && (cerr != nil || again != acl) {
			t.Errorf("%q of %s", acl, document)
		}
		acl, err = aclOf(http.Header{"X-Amz-Grant-Read": {header}})
		if err == nil && acl != "" && !strings.Contains(header, "Users") {
			t.Errorf("%q of %s", acl, header)
		}
	})
}
