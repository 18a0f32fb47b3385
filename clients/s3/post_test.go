package s3_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"mime/multipart"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/minio/minio-go/v7/pkg/signer"
)

// postCase is a browser's upload: the form is signed over the policy unless it says otherwise.
type postCase struct {
	name string
	// conditions are those of the policy, as JSON; the bucket's is always there. Empty means that fields is signed as it is.
	conditions string
	// fields come in this order before the file; {b} is the bucket.
	fields [][2]string
	file   string // its bytes
	// change may do something to the form: "v2" signs with Version 2; "unsigned", "expired", "wrongsecret",
	// "nofile", "otherbucket"; "policylater" changes the policy after it is signed; "open" lets everybody write to the bucket.
	change string
	want   string // as a script's: status and code
	// then is a script about what must be so afterwards.
	then string
}

func postCases() []postCase {
	key := [][2]string{{"key", "k"}}
	anyKey := `["starts-with", "$key", ""]`
	return []postCase{
		{name: "An upload", conditions: anyKey, fields: key, file: "hello", want: "204", then: "GET ~/k\n200\n=hello"},
		{name: "Version 2", conditions: anyKey, fields: key, file: "hello", change: "v2", want: "204", then: "GET ~/k\n200\n=hello"},
		{name: "An empty file", conditions: anyKey, fields: key, want: "204", then: "GET ~/k\n200\n="},
		{name: "The key is an exact match", conditions: `{"key": "k"}`, fields: key, file: "hello", want: "204"},
		{name: "The key is another than allowed", conditions: `{"key": "other"}`, fields: key, file: "hello", want: "403 AccessDenied", then: "HEAD ~/k\n404"},
		{name: "The key below a prefix", conditions: `["starts-with", "$key", "user/"]`, fields: [][2]string{{"key", "user/k"}}, file: "hello", want: "204", then: "GET ~/user/k\n200\n=hello"},
		{name: "The key outside of the prefix", conditions: `["starts-with", "$key", "user/"]`, fields: key, file: "hello", want: "403 AccessDenied", then: "HEAD ~/k\n404"},
		{name: "${filename} in the key", conditions: anyKey, fields: [][2]string{{"key", "up/${filename}"}}, file: "hello", want: "204", then: "GET ~/up/a%20file.txt\n200\n=hello"},
		{name: "Content-Type as a field", conditions: anyKey + `, ["starts-with", "$Content-Type", "text/"]`, fields: append(key, [2]string{"Content-Type", "text/x-form"}), file: "hello", want: "204", then: "HEAD ~/k\n200\nContent-Type: text/x-form"},
		{name: "Metadata as a field", conditions: anyKey + `, {"x-amz-meta-a": "1"}`, fields: append(key, [2]string{"x-amz-meta-a", "1"}), file: "hello", want: "204", then: "HEAD ~/k\n200\nx-amz-meta-a: 1"},
		{name: "A field that the policy does not name", conditions: anyKey, fields: append(key, [2]string{"x-amz-meta-a", "1"}), file: "hello", want: "403 AccessDenied", then: "HEAD ~/k\n404"},
		{name: "x-ignore- fields need no condition", conditions: anyKey, fields: append(key, [2]string{"x-ignore-a", "1"}), file: "hello", want: "204"},
		{name: "A condition without its field", conditions: anyKey + `, {"x-amz-meta-a": "1"}`, fields: key, file: "hello", want: "403 AccessDenied"},
		{name: "acl as a field", conditions: anyKey + `, {"acl": "public-read"}`, fields: append(key, [2]string{"acl", "public-read"}), file: "hello", want: "204", then: "GET ~/k as nobody\n200\n=hello"},
		{name: "success_action_status 201", conditions: anyKey + `, {"success_action_status": "201"}`, fields: append(key, [2]string{"success_action_status", "201"}), file: "hello", want: "201"},
		{name: "success_action_status 200", conditions: anyKey + `, {"success_action_status": "200"}`, fields: append(key, [2]string{"success_action_status", "200"}), file: "hello", want: "200"},
		{name: "success_action_status that is none", conditions: anyKey + `, {"success_action_status": "999"}`, fields: append(key, [2]string{"success_action_status", "999"}), file: "hello", want: "204"},
		{name: "success_action_redirect", conditions: anyKey + `, {"success_action_redirect": "http://example.com/done"}`, fields: append(key, [2]string{"success_action_redirect", "http://example.com/done"}), file: "hello", want: "303", then: "GET ~/k\n200\n=hello"},
		{name: "content-length-range that holds", conditions: anyKey + `, ["content-length-range", 1, 5]`, fields: key, file: "hello", want: "204"},
		{name: "A file that is too large", conditions: anyKey + `, ["content-length-range", 1, 4]`, fields: key, file: "hello", want: "400 EntityTooLarge", then: "HEAD ~/k\n404"},
		{name: "A file that is too small", conditions: anyKey + `, ["content-length-range", 6, 10]`, fields: key, file: "hello", want: "400 EntityTooSmall", then: "HEAD ~/k\n404"},
		{name: "Without key", conditions: anyKey, file: "hello", want: "400 InvalidArgument"},
		{name: "Without file", conditions: anyKey, fields: key, change: "nofile", want: "400 InvalidArgument"},
		{name: "Without policy", conditions: anyKey, fields: key, file: "hello", change: "unsigned", want: "403 AccessDenied", then: "HEAD ~/k\n404"},
		{name: "A wrong secret", conditions: anyKey, fields: key, file: "hello", change: "wrongsecret", want: "403 SignatureDoesNotMatch", then: "HEAD ~/k\n404"},
		{name: "An expired policy", conditions: anyKey, fields: key, file: "hello", change: "expired", want: "403 AccessDenied", then: "HEAD ~/k\n404"},
		{name: "A policy changed after signing", conditions: anyKey, fields: key, file: "hello", change: "policylater", want: "403 SignatureDoesNotMatch", then: "HEAD ~/k\n404"},
		{name: "A policy for another bucket", conditions: anyKey, fields: key, file: "hello", change: "otherbucket", want: "403 AccessDenied", then: "HEAD ~/k\n404"},
		{name: "Bytes of every kind", conditions: anyKey, fields: key, file: "\x00\r\n--\r\n\xff", want: "204", then: "GET ~/k\n200\n=\"\\x00\\r\\n--\\r\\n\\xff\""},
		{name: "A wrong checksum", conditions: anyKey + `, {"x-amz-checksum-crc32": "OncRQw=="}`, fields: append(key, [2]string{"x-amz-checksum-crc32", "OncRQw=="}), file: "hello", want: "400 BadDigest", then: "HEAD ~/k\n404"},
		{name: "A bucket that everybody writes to needs no policy", conditions: anyKey, fields: key, file: "hello", change: "open unsigned", want: "204", then: "GET ~/k\n200\n=hello"},
		{name: "Fields above 20 KiB", conditions: anyKey, fields: append(key, [2]string{"x-ignore-a", strings.Repeat("x", 30<<10)}), file: "hello", want: "400 MaxPostPreDataLengthExceeded"},
	}
}

func (r *scriptRun) post(c postCase) {
	t := r.t
	t.Helper()
	bucket, expires, secret := r.bucket, time.Now().Add(time.Hour), secretKey
	if strings.Contains(c.change, "otherbucket") {
		bucket = "another-bucket"
	}
	if strings.Contains(c.change, "expired") {
		expires = time.Now().Add(-time.Minute)
	}
	if strings.Contains(c.change, "wrongsecret") {
		secret = "wrong"
	}
	if strings.Contains(c.change, "open") {
		r.script("PUT ~?acl\nx-amz-acl: public-read-write\n200")
	}
	now := time.Now().UTC()
	scope := now.Format("20060102") + "/" + region + "/s3/aws4_request"
	text := fmt.Sprintf(`{"expiration": %q, "conditions": [{"bucket": %q}, %s`, expires.UTC().Format(time.RFC3339), bucket, c.conditions)
	signature := [][2]string{}
	if strings.Contains(c.change, "v2") {
		policy := base64.StdEncoding.EncodeToString([]byte(text + "]}"))
		signature = [][2]string{{"AWSAccessKeyId", accessKey}, {"policy", policy}, {"signature", signer.PostPresignSignatureV2(policy, secret)}}
	} else if !strings.Contains(c.change, "unsigned") {
		text += fmt.Sprintf(`, {"x-amz-algorithm": "AWS4-HMAC-SHA256"}, {"x-amz-credential": "%s/%s"}, {"x-amz-date": %q}]}`, accessKey, scope, now.Format("20060102T150405Z"))
		policy := base64.StdEncoding.EncodeToString([]byte(text))
		sum := signer.PostPresignSignatureV4(policy, now, secret, region)
		if strings.Contains(c.change, "policylater") {
			policy = base64.StdEncoding.EncodeToString([]byte(text + " "))
		}
		signature = [][2]string{
			{"policy", policy},
			{"x-amz-algorithm", "AWS4-HMAC-SHA256"},
			{"x-amz-credential", accessKey + "/" + scope},
			{"x-amz-date", now.Format("20060102T150405Z")},
			{"x-amz-signature", sum},
		}
	}
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	for _, f := range append(slices.Clip(c.fields), signature...) {
		if err := w.WriteField(f[0], r.fill(f[1])); err != nil {
			t.Fatal(err)
		}
	}
	if !strings.Contains(c.change, "nofile") {
		part, err := w.CreateFormFile("file", "a file.txt")
		if err == nil {
			_, err = part.Write([]byte(c.file))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	resp, body := r.send(t, request{method: http.MethodPost, target: "/" + r.bucket, who: "nobody", header: http.Header{"Content-Type": {w.FormDataContentType()}}, body: form.Bytes()})
	status, code, _ := strings.Cut(c.want, " ")
	if strconv.Itoa(resp.StatusCode) != status || code != "" && strings.Join(elements(body, "Code"), "") != code {
		t.Fatalf("want %s, got %d %v\n%.500s", c.want, resp.StatusCode, resp.Header, body)
	}
	switch status {
	case "303":
		at, err := resp.Location()
		if err != nil {
			t.Fatal(err)
		}
		q := at.Query()
		if at.Host+at.Path != "example.com/done" || q.Get("bucket") != r.bucket || q.Get("key") != "k" || q.Get("etag") != `"5d41402abc4b2a76b9719d911017c592"` {
			t.Errorf("redirected to %s", at)
		}
	case "201":
		for path, want := range map[string]string{"Bucket": r.bucket, "Key": "k", "ETag": `"5d41402abc4b2a76b9719d911017c592"`} {
			if got := strings.Join(elements(body, path), ""); got != want {
				t.Errorf("%s is %q, want %q", path, got, want)
			}
		}
	}
	if c.then != "" {
		r.script(c.then)
	}
}
