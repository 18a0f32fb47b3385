package prinzbox_test

import (
	"encoding/json"
	"encoding/xml"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/prinzbox/prinzbox/prinzbox"
)

// badRequest is a user's mistake and the answer that it must get.
type badRequest struct {
	name, method, path, body string
	status                   int
	code                     string // error_code, or S3's Code
	says                     string // what the message must name
	header                   []string
}

// check compares an answer with the error that it should be, in MLflow's shape.
func (r badRequest) check(t *testing.T, a answer) {
	t.Helper()
	var e struct {
		Code    string `json:"error_code"`
		Message string `json:"message"`
	}
	if err := json.Unmarshal([]byte(a.body), &e); err != nil || !strings.HasPrefix(a.header.Get("Content-Type"), "application/json") {
		t.Errorf("%s: %d %q %.300s: no JSON (%v)", r.name, a.status, a.header.Get("Content-Type"), a.body, err)
		return
	}
	if a.status != r.status || e.Code != r.code || !strings.Contains(e.Message, r.says) || e.Message == "" {
		t.Errorf("%s: %d %s %q; want %d %s and a message with %q", r.name, a.status, e.Code, e.Message, r.status, r.code, r.says)
	}
}

func TestBadMLflowRequests(t *testing.T) {
	t.Parallel()
	const (
		api     = "/api/2.0/mlflow/"
		invalid = "INVALID_PARAMETER_VALUE"
		missing = "RESOURCE_DOES_NOT_EXIST"
	)
	env := shared(t)
	_, run := newRun(t, env, "bad-input")
	none := strings.Repeat("0", 32)
	for _, tc := range []badRequest{
		{name: "unknown route", method: "GET", path: api + "no/such/call", status: 404, code: "ENDPOINT_NOT_FOUND", says: "no/such/call"},
		{name: "unknown route, other prefix", method: "POST", path: "/ajax-api/2.0/nothing", body: "{}", status: 404, code: "ENDPOINT_NOT_FOUND", says: "nothing"},
		{name: "wrong method", method: "DELETE", path: api + "runs/create", status: 405, code: "ENDPOINT_NOT_FOUND", says: "DELETE"},
		{name: "unknown run", method: "GET", path: api + "runs/get?run_id=" + none, status: 404, code: missing, says: none},
		{name: "no run", method: "GET", path: api + "runs/get", status: 400, code: invalid, says: "run_id"},
		{name: "unknown experiment", method: "GET", path: api + "experiments/get?experiment_id=999999", status: 404, code: missing, says: "999999"},
		{name: "experiment that is no number", method: "GET", path: api + "experiments/get?experiment_id=abc", status: 400, code: invalid, says: "abc"},
		{name: "unknown model", method: "GET", path: api + "registered-models/get?name=nobody", status: 404, code: missing, says: "nobody"},
		{name: "unknown version", method: "GET", path: api + "model-versions/get?name=MLF-FraudDetection-3&version=99", status: 404, code: missing, says: "99"},
		{name: "version that is no number", method: "GET", path: api + "model-versions/get?name=MLF-FraudDetection-3&version=x", status: 400, code: invalid, says: "version"},
		{name: "unknown alias", method: "GET", path: api + "registered-models/alias?name=MLF-FraudDetection-3&alias=nobody", status: 400, code: invalid, says: "nobody"},
		{name: "model that exists", method: "POST", path: api + "registered-models/create", body: `{"name": "MLF-FraudDetection-3"}`, status: 400, code: "RESOURCE_ALREADY_EXISTS", says: "MLF-FraudDetection-3"},
		{name: "malformed JSON", method: "POST", path: api + "runs/log-metric", body: `{"run_id": `, status: 400},
		{name: "no JSON", method: "POST", path: api + "runs/log-metric", body: `nonsense`, status: 400},
		{name: "a list", method: "POST", path: api + "runs/log-metric", body: `[1]`, status: 400},
		{name: "wrong type", method: "POST", path: api + "runs/log-metric", body: `{"run_id": ["x"], "key": "k", "value": 1, "timestamp": 1}`, status: 400, code: invalid, says: "run_id"},
		{name: "text for a number", method: "POST", path: api + "runs/log-metric", body: `{"run_id": "` + run + `", "key": "k", "value": "much", "timestamp": 1}`, status: 400, code: invalid, says: "value"},
		{name: "missing field", method: "POST", path: api + "runs/log-metric", body: `{"run_id": "` + run + `", "value": 1, "timestamp": 1}`, status: 400, code: invalid, says: "key"},
		{name: "unknown run in a write", method: "POST", path: api + "runs/log-metric", body: `{"run_id": "` + none + `", "key": "k", "value": 1, "timestamp": 1}`, status: 404, code: missing, says: none},
		{name: "bad filter", method: "POST", path: api + "runs/search", body: `{"experiment_ids": ["0"], "filter": "metrics.x >>> 1"}`, status: 400, code: invalid, says: ""},
		{name: "too many results", method: "POST", path: api + "runs/search", body: `{"experiment_ids": ["0"], "max_results": 1000000}`, status: 400, code: invalid, says: "max_results"},
		{name: "bad page token", method: "POST", path: api + "runs/search", body: `{"experiment_ids": ["0"], "page_token": "???"}`, status: 400, code: invalid, says: "token"},
		{name: "unknown stage", method: "POST", path: api + "model-versions/transition-stage", body: `{"name": "MLF-FraudDetection-3", "version": "1", "stage": "Moon", "archive_existing_versions": false}`, status: 400, code: invalid, says: "Moon"},
		{name: "oversized body", method: "POST", path: api + "runs/log-batch", body: `{"run_id": "` + strings.Repeat("x", 33<<20) + `"}`, status: 413},
		{name: "artifacts of nobody", method: "GET", path: api + "artifacts/list?run_id=" + none, status: 404, code: missing, says: none},
		{name: "artifacts outside", method: "GET", path: api + "artifacts/list?run_id=" + run + "&path=../..", status: 400, code: invalid, says: "path"},
		{name: "proxy file that is not there", method: "GET", path: "/api/2.0/mlflow-artifacts/artifacts/no/such/file", status: 404, code: missing},
		{name: "proxy path outside", method: "GET", path: "/api/2.0/mlflow-artifacts/artifacts/a/..%2f..%2fsecret", status: 400, code: invalid, says: "path"},
		{name: "not served yet", method: "POST", path: "/api/2.0/mlflow/gateway-proxy", body: "{}", status: 404},
	} {
		a := call(t, tc.method, env.TrackingURI()+tc.path, tc.body, tc.header...)
		if a.status >= 500 || tc.code == "" {
			if a.status != tc.status {
				t.Errorf("%s: %d %.300s, want %d", tc.name, a.status, a.body, tc.status)
			}
			var e struct {
				Code string `json:"error_code"`
			}
			if err := json.Unmarshal([]byte(a.body), &e); err != nil || e.Code == "" {
				t.Errorf("%s: %.300s is not MLflow's error shape", tc.name, a.body)
			}
			continue
		}
		tc.check(t, a)
	}
}

func TestBadScoringRequests(t *testing.T) {
	t.Parallel()
	env := shared(t)
	const model = "/MLF-ElasticnetWineModel-1/invocations"
	row := wineBody("0.5")
	for _, tc := range []badRequest{
		{name: "unknown model", method: "POST", path: "/nobody/invocations", body: row, status: 404, code: "RESOURCE_DOES_NOT_EXIST", says: "nobody"},
		{name: "unknown model, long route", method: "POST", path: "/model/nobody/1/invocations", body: row, status: 404, code: "RESOURCE_DOES_NOT_EXIST", says: "nobody"},
		{name: "unknown version", method: "POST", path: "/model/MLF-ElasticnetWineModel-1/99/invocations", body: row, status: 404, code: "RESOURCE_DOES_NOT_EXIST", says: "99"},
		{name: "unknown alias", method: "POST", path: "/model/MLF-ElasticnetWineModel-1/nobody/invocations", body: row, status: 404, code: "RESOURCE_DOES_NOT_EXIST", says: "nobody"},
		{name: "missing column", method: "POST", path: model, body: `{"dataframe_split": {"columns": ["alcohol"], "data": [[1.0]]}}`, status: 400, code: "INVALID_PARAMETER_VALUE", says: "fixed acidity"},
		{name: "unknown column", method: "POST", path: model, body: `{"dataframe_records": [{"alcool": 1.0}]}`, status: 400, code: "INVALID_PARAMETER_VALUE", says: "alcool"},
		{name: "malformed JSON", method: "POST", path: model, body: `{"dataframe_split": `, status: 400, code: "BAD_REQUEST", says: "JSON"},
		{name: "none of the forms", method: "POST", path: model, body: `{"rows": []}`, status: 400, code: "BAD_REQUEST", says: "dataframe_split"},
		{name: "ragged rows", method: "POST", path: model, body: `{"dataframe_split": {"columns": ["a"], "data": [[1, 2]]}}`, status: 400, code: "BAD_REQUEST", says: "column"},
		{name: "text for a number", method: "POST", path: model, body: strings.Replace(row, "0.5", `"much"`, 1), status: 400, code: "BAD_REQUEST", says: "much"},
		{name: "no body", method: "POST", path: model, status: 400, code: "BAD_REQUEST"},
	} {
		tc.check(t, call(t, tc.method, env.TrackingURI()+tc.path, tc.body, tc.header...))
	}
	for name, tc := range map[string]struct {
		method, body, contentType string
		status                    int
	}{
		"wrong method":    {"GET", "", "", 405},
		"wrong type":      {"POST", "<a/>", "text/xml", 415},
		"oversized":       {"POST", `{"dataframe_split": "` + strings.Repeat("x", 65<<20) + `"}`, "application/json", 413},
		"deep":            {"POST", strings.Repeat("[", 1<<20), "application/json", 400},
		"deep in a frame": {"POST", `{"inputs": ` + strings.Repeat(`{"a":`, 1<<18) + "1" + strings.Repeat("}", 1<<18) + "}", "application/json", 400},
	} {
		a := call(t, tc.method, env.TrackingURI()+model, tc.body, "Content-Type", tc.contentType)
		if a.status != tc.status || a.body == "" {
			t.Errorf("%s: %d %.300s, want %d", name, a.status, a.body, tc.status)
		}
	}
}

func TestBadS3Requests(t *testing.T) {
	t.Parallel()
	env := shared(t)
	r := env.Ready()
	m := minioJavaOf(r)
	for name, tc := range map[string]struct {
		method, target string
		header         []string
		status         int
		code           string
	}{
		"no credentials":           {"GET", "/mlflow/1", nil, 403, "AccessDenied"},
		"no credentials, bucket":   {"GET", "/mlflow", nil, 403, "AccessDenied"},
		"no credentials, write":    {"PUT", "/mlflow/1", nil, 403, "AccessDenied"},
		"no credentials, delete":   {"DELETE", "/mlflow/1", nil, 403, "AccessDenied"},
		"garbage for a signature":  {"GET", "/mlflow/1", []string{"Authorization", "AWS4-HMAC-SHA256 nonsense"}, 400, "AuthorizationHeaderMalformed"},
		"old signature":            {"GET", "/mlflow/1", []string{"Authorization", "AWS key:signature"}, 403, "AccessDenied"},
		"query without its fields": {"GET", "/mlflow/1?X-Amz-Signature=1", nil, 400, "AuthorizationQueryParametersError"},
	} {
		a := call(t, tc.method, r.S3Endpoint+tc.target, "", tc.header...)
		checkS3Error(t, name, a, tc.status, tc.code)
	}
	for name, tc := range map[string]struct {
		path, query string
		status      int
		code        string
	}{
		"unknown bucket":      {"/nobody/1", "", 404, "NoSuchBucket"},
		"unknown key":         {"/mlflow/no/such/key", "", 404, "NoSuchKey"},
		"unknown subresource": {"/mlflow/1", "nonsense=", 501, "NotImplemented"},
		"impossible list":     {"/mlflow", "list-type=2&max-keys=many", 400, "InvalidArgument"},
	} {
		a, err := m.get(t.Context(), tc.path, tc.path, tc.query)
		if err != nil {
			t.Fatal(err)
		}
		if name == "unknown subresource" && a.status == 404 {
			continue // S3 ignores what it does not know on an object
		}
		checkS3Error(t, name, a, tc.status, tc.code)
	}
}

func checkS3Error(t *testing.T, name string, a answer, status int, code string) {
	t.Helper()
	var e struct {
		XMLName       xml.Name `xml:"Error"`
		Code, Message string
	}
	if err := xml.Unmarshal([]byte(a.body), &e); err != nil || a.status != status || e.Code != code || e.Message == "" || a.header.Get("Content-Type") != "application/xml" {
		t.Errorf("%s: %d %q %.400s (%v); want %d %s", name, a.status, a.header.Get("Content-Type"), a.body, err, status, code)
	}
}

// FuzzRequests sends bodies of all kinds everywhere: whatever a client sends, it is never the server's fault.
func FuzzRequests(f *testing.F) {
	env := prinzbox.Start(f)
	routes := []struct{ method, path string }{
		{"POST", "/MLF-ElasticnetWineModel-1/invocations"},
		{"POST", "/model/MLF-FraudDetection-3/champion/invocations"},
		{"POST", "/api/2.0/mlflow/runs/search"},
		{"POST", "/api/2.0/mlflow/runs/log-batch"},
		{"POST", "/api/2.0/mlflow/runs/log-metric"},
		{"POST", "/api/2.0/mlflow/runs/log-inputs"},
		{"POST", "/api/2.0/mlflow/runs/create"},
		{"POST", "/api/2.0/mlflow/experiments/search"},
		{"POST", "/api/2.0/mlflow/model-versions/create"},
		{"POST", "/api/2.0/mlflow/logged-models/search"},
		{"PATCH", "/api/2.0/mlflow/registered-models/update"},
		{"GET", "/api/2.0/mlflow/registered-models/search?filter="},
		{"GET", "/api/2.0/mlflow/model-versions/search?filter="},
		{"GET", "/api/2.0/mlflow/artifacts/list?run_id="},
		{"GET", "/api/2.0/mlflow-artifacts/artifacts/"},
		{"PUT", "/api/2.0/mlflow-artifacts/artifacts/x/"},
		{"GET", "/"},
	}
	for i := range routes {
		for _, body := range []string{
			"", "{}", "[]", "null", `{"run_id": null}`, `{"filter": "metrics.a > 1", "experiment_ids": ["0"], "order_by": ["params.x DESC"]}`,
			`{"run_id": "x", "metrics": [{"key": "k", "value": 1e999, "timestamp": -1, "step": 1.5}]}`, `{"name": "\u0000", "source": "s3://mlflow/../x"}`,
			wineBody("1e308"), fraudBody("F", "null"), `{"dataframe_records": [{"age": {}}]}`, "\xff\xfe", "../../..", "name LIKE '%' AND 1",
			`{"inputs": [[[1]]], "params": {"x": []}}`,
		} {
			f.Add(uint8(i), []byte(body))
		}
	}
	f.Fuzz(func(t *testing.T, route uint8, body []byte) {
		to := routes[int(route)%len(routes)]
		target, text := env.TrackingURI()+to.path, string(body)
		if to.method == http.MethodGet || to.method == http.MethodPut {
			target += url.QueryEscape(text)
		}
		if to.method == http.MethodGet {
			text = ""
		}
		a := call(t, to.method, target, text)
		if a.status >= 500 && a.status != http.StatusNotImplemented {
			t.Errorf("%s %s %q: %d %s", to.method, target, body, a.status, a.body)
		}
	})
}
