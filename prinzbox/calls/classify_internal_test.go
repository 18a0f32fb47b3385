package calls

import (
	"net/http/httptest"
	"strings"
	"testing"
)

func TestClassify(t *testing.T) {
	for _, c := range []struct {
		on                                     Listener
		method, target                         string
		kind                                   Kind
		operation, model, version, bucket, key string
		host                                   string
	}{
		{OnMain, "POST", "/api/2.0/mlflow/runs/create", MLflow, "runs/create", "", "", "", "", ""},
		{OnMain, "POST", "/ajax-api/2.0/mlflow/runs/create", MLflow, "runs/create", "", "", "", "", ""},
		{OnMain, "GET", "/api/2.0/preview/mlflow/experiments/list", MLflow, "experiments/list", "", "", "", "", ""},
		{OnMain, "GET", "/api/3.0/mlflow/traces/tr-1", MLflow, "traces/tr-1", "", "", "", "", ""},
		{OnMain, "PUT", "/api/2.0/mlflow-artifacts/artifacts/1/a%20b/f.txt", MLflow, "artifacts/upload", "", "", "", "1/a b/f.txt", ""},
		{OnMain, "GET", "/api/2.0/mlflow-artifacts/artifacts/1/f", MLflow, "artifacts/download", "", "", "", "1/f", ""},
		{OnMain, "GET", "/api/2.0/mlflow-artifacts/artifacts?path=1", MLflow, "artifacts/list", "", "", "", "", ""},
		{OnMain, "DELETE", "/api/2.0/mlflow-artifacts/artifacts/1/f", MLflow, "artifacts/delete", "", "", "", "1/f", ""},
		{OnMain, "POST", "/api/2.0/mlflow-artifacts/mpu/create/1/f", MLflow, "artifacts/mpu", "", "", "", "1/f", ""},
		{OnMain, "GET", "/get-artifact?path=x", MLflow, "get-artifact", "", "", "", "", ""},
		{OnMain, "GET", "/health", MLflow, "health", "", "", "", "", ""},
		{OnMain, "POST", "/v1/traces", MLflow, "v1/traces", "", "", "", "", ""},
		{OnMain, "GET", "/api/prinzbox/calls", Control, "calls", "", "", "", "", ""},
		{OnMain, "POST", "/invocations", GUI, "", "", "", "", "", ""},
		{OnMain, "POST", "/wine/invocations", Scoring, "invocations", "wine", "", "", "", ""},
		{OnMain, "POST", "/model/a%2Fb/invocations", Scoring, "invocations", "a/b", "", "", "", ""},
		{OnMain, "POST", "/model/wine/champion/invocations", Scoring, "invocations", "wine", "champion", "", "", ""},
		{OnMain, "GET", "/models/health", GUI, "", "", "", "", "", ""},
		{OnMain, "GET", "/wine/ping", Scoring, "ping", "wine", "", "", "", ""},
		{OnMain, "POST", "/v2/models/wine/versions/3/infer", Scoring, "infer", "wine", "3", "", "", ""},
		{OnMain, "GET", "/v2/models/wine", Scoring, "metadata", "wine", "", "", "", ""},
		{OnMain, "GET", "/v2/health/live", Scoring, "v2", "", "", "", "", ""},
		{OnMain, "GET", "/experiments/1", GUI, "", "", "", "", "", ""},
		{OnStatic, "GET", "/static/int", Static, "static/int", "", "", "", "", ""},
		{OnS3, "GET", "/", S3, "ListBuckets", "", "", "", "", ""},
		{OnS3, "PUT", "/b", S3, "CreateBucket", "", "", "b", "", ""},
		{OnS3, "HEAD", "/b", S3, "HeadBucket", "", "", "b", "", ""},
		{OnS3, "DELETE", "/b", S3, "DeleteBucket", "", "", "b", "", ""},
		{OnS3, "GET", "/b?list-type=2&prefix=x", S3, "ListObjectsV2", "", "", "b", "", ""},
		{OnS3, "GET", "/b/?prefix=x", S3, "ListObjects", "", "", "b", "", ""},
		{OnS3, "GET", "/b?versions", S3, "ListObjectVersions", "", "", "b", "", ""},
		{OnS3, "GET", "/b?uploads", S3, "ListMultipartUploads", "", "", "b", "", ""},
		{OnS3, "GET", "/b?location", S3, "GetBucketLocation", "", "", "b", "", ""},
		{OnS3, "PUT", "/b?policy", S3, "PutBucketPolicy", "", "", "b", "", ""},
		{OnS3, "POST", "/b?delete", S3, "DeleteObjects", "", "", "b", "", ""},
		{OnS3, "POST", "/b", S3, "PostObject", "", "", "b", "", ""},
		{OnS3, "GET", "/b/k/a%2Bb", S3, "GetObject", "", "", "b", "k/a+b", ""},
		{OnS3, "PUT", "/b/k", S3, "PutObject", "", "", "b", "k", ""},
		{OnS3, "HEAD", "/b/k", S3, "HeadObject", "", "", "b", "k", ""},
		{OnS3, "DELETE", "/b/k", S3, "DeleteObject", "", "", "b", "k", ""},
		{OnS3, "GET", "/b/k?tagging", S3, "GetObjectTagging", "", "", "b", "k", ""},
		{OnS3, "POST", "/b/k?uploads", S3, "CreateMultipartUpload", "", "", "b", "k", ""},
		{OnS3, "PUT", "/b/k?partNumber=1&uploadId=u", S3, "UploadPart", "", "", "b", "k", ""},
		{OnS3, "POST", "/b/k?uploadId=u", S3, "CompleteMultipartUpload", "", "", "b", "k", ""},
		{OnS3, "DELETE", "/b/k?uploadId=u", S3, "AbortMultipartUpload", "", "", "b", "k", ""},
		{OnS3, "GET", "/b/k?uploadId=u", S3, "ListParts", "", "", "b", "k", ""},
		{OnS3, "GET", "/k/l", S3, "GetObject", "", "", "b", "k/l", "b.localhost:9000"},
		{OnS3, "GET", "/b//k", S3, "GetObject", "", "", "b", "/k", "localhost:9000"},
	} {
		r := httptest.NewRequest(c.method, c.target, nil)
		if c.host != "" {
			r.Host = c.host
		}
		got := Call{Path: r.URL.EscapedPath()}
		got.classify(c.on, r, []string{"localhost"})
		if got.Kind != c.kind || got.Operation != c.operation || got.Model != c.model || got.Version != c.version || got.Bucket != c.bucket || got.Key != c.key {
			t.Errorf("%s %s: %s %q model %q version %q bucket %q key %q", c.method, c.target, got.Kind, got.Operation, got.Model, got.Version, got.Bucket, got.Key)
		}
	}
}

func TestRedaction(t *testing.T) {
	for _, c := range []struct{ mediaType, in, want string }{
		{"application/json", `{"a": "password"}`, `{"a": "password"}`},
		{"application/json", `{"username":"u","password":"p\"q","n":1}`, `{"username":"u","password":"$SECRET","n":1}`},
		{"application/json", `{"new_password" : 12, "x": 1}`, `{"new_password" : "$SECRET", "x": 1}`},
		{"application/json", `{"secret_value": {"api_key": ["a,b", {"c": "}"}]}, "x": 1}`, `{"secret_value": "$SECRET", "x": 1}`},
		{"application/json", `{"pass\u0077ord": "geheim"}`, `{"pass\u0077ord": "$SECRET"}`},
		{"application/json", `{"x": 1, "password": "cut he`, `{"x": 1, "password": "$SECRET"`},
		{"application/json", `{"secret": null, "page_token": "t"}`, `{"secret": null, "page_token": "t"}`},
		{"application/json", `{"AWS_SECRET_ACCESS_KEY":"abc"}`, `{"AWS_SECRET_ACCESS_KEY":"$SECRET"}`},
		{"application/json", `{"url":"http://h/b/k?X-Amz-Credential=AK%2F1&X-Amz-Signature=ab12&x=1"}`, `{"url":"http://h/b/k?X-Amz-Credential=$SECRET&X-Amz-Signature=$SECRET&x=1"}`},
		{"application/json", `{"url":"http://h/?X-Amz-Signature=ab12\u0026x=1"}`, `{"url":"http://h/?X-Amz-Signature=$SECRET\u0026x=1"}`},
		{"application/json", `{"note":"the KNOWN-ONE here"}`, `{"note":"the $SECRET here"}`},
		{"application/x-www-form-urlencoded", `user=u&pass%77ord=geheim&a=b`, `user=u&pass%77ord=$SECRET&a=b`},
		{"application/xml", `<A><SecretAccessKey>abc</SecretAccessKey></A>`, `<A><SecretAccessKey>$SECRET</SecretAccessKey></A>`},
		{"text/plain", `"password": "x"`, `"password": "$SECRET"`},
		{"application/json", `"`, `"`},
		{"application/json", `{"password":`, `{"password":`},
	} {
		if got := string(redactBody([]byte(c.in), c.mediaType, [][]byte{[]byte("KNOWN-ONE")})); got != c.want {
			t.Errorf("%s\n  became %s\n  not    %s", c.in, got, c.want)
		}
	}
	for in, want := range map[string]string{
		"": "", "a=b": "a=b", "X-Amz-Signature=1&X-Amz-Date=2&X-Amz-Credential=3&X-Amz-Security-Token=4": "X-Amz-Signature=$SECRET&X-Amz-Date=2&X-Amz-Credential=$SECRET&X-Amz-Security-Token=$SECRET",
		"AWSAccessKeyId=a&Signature=b&Expires=1": "AWSAccessKeyId=$SECRET&Signature=$SECRET&Expires=1", "X-Amz-Si%67nature=1": "X-Amz-Si%67nature=$SECRET", "%zz&password=x": "%zz&password=$SECRET",
	} {
		if got := redactQuery(in); got != want {
			t.Errorf("%s became %s", in, got)
		}
	}
}

// FuzzRedact holds that no password in a JSON text comes through, whatever stands around it, and that nothing panics.
func FuzzRedact(f *testing.F) {
	for _, s := range []string{"", `{"a":`, `[{"x":"`, `"\`, `{"secret":[`} {
		f.Add(s, "application/json")
	}
	f.Fuzz(func(t *testing.T, around, mediaType string) {
		redactBody([]byte(around), mediaType, nil)
		redactQuery(around)
		got := redactBody([]byte(`{"password":"hunter22-is-it",`+around), "application/json", nil)
		if strings.Contains(string(got), "hunter22-is-it") && !strings.Contains(around, "hunter22-is-it") {
			t.Errorf("%q: %s", around, got)
		}
	})
}
