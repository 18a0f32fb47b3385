package rest_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/prinzbox/prinzbox/registry/sqldb"
)

// fieldNames are names that requests have fields of, so that a value of the wrong type meets a field.
var fieldNames = strings.Fields(`action actions aliases alias allow_deleted allow_partial archive_existing_versions artifact_file_path artifact_directory_path
	artifact_location artifact_path assessment assessment_name create_time created_by dataset dataset_id dataset_ids datasets description digest end_step
	end_time end_time_ms entity events execution_duration execution_time_ms expectation experiment_id experiment_ids feedback filter filter_string gateway_path
	inputs json_data key locations max_results max_timestamp_millis max_traces metadata metric_key metric_name metrics model_id model_input model_json
	model_route model_type models mlflow_version name new_name new_value order_by outputs overrides page_token params path prompt_parameters prompt_template
	prompts query operationName variables rationale records request_id request_ids request_metadata request_time role_id run_id run_ids run_link run_name
	run_uuid run_view_type schema scorer_id scorer_ids secret serialized_scorer source source_run_id source_type span_id stage stages start_step start_time
	state status step tags timestamp timestamp_ms trace trace_id trace_ids trace_info trace_location update_mask url user_id value version view_type`)

// wrongValues are JSON values that most fields are not made for.
var wrongValues = []string{
	`null`, `true`, `-1`, `1.5`, `1e999`, `9223372036854775808`, `""`, `"\u0000"`, `"\ud800"`, `"%00../..%2f"`, `"é' OR 1=1 --"`, `[]`, `{}`, `[null]`, `[[[]]]`,
	`[5]`, `[{}]`, `[{"key":5}]`, `{"a":{"b":[null]}}`, `"` + strings.Repeat("x", 70_000) + `"`,
}

// wrongBodies are bodies as a whole.
func wrongBodies() []string {
	bodies := []string{
		``, ` `, `null`, `5`, `"x"`, `"{"`, `[1]`, `{`, `{"a"`, `{"a":`, `{"a":1}}`, `{"a":1,}`, `nonsense`, "\xff\xfe\x00", "\x1f\x8b\x08\x00", `<xml/>`, `a=b&c=d`, `NaN`,
		`{"name":NaN}`, strings.Repeat(`[`, 100_000), strings.Repeat(`{"a":`, 100_000), `{"a":` + strings.Repeat(`[`, 20_000) + strings.Repeat(`]`, 20_000) + `}`,
	}
	for _, value := range wrongValues {
		members := make([]string, len(fieldNames))
		for i, name := range fieldNames {
			members[i] = fmt.Sprintf("%q:%s", name, value)
		}
		bodies = append(bodies, "{"+strings.Join(members, ",")+"}")
	}
	return bodies
}

// plausible is a request that most calls get some way with, so that one wrong field is met behind the right ones.
var plausible = map[string]string{
	"name": `"n"`, "experiment_id": `"0"`, "experiment_ids": `["0"]`, "run_id": `"r"`, "key": `"k"`, "value": `"1"`, "timestamp": `1`, "version": `"1"`, "source": `"s3://b/k"`,
	"alias": `"a"`, "stage": `"Production"`, "new_name": `"m"`, "metric_key": `"k"`, "model_id": `"m-1"`, "trace_ids": `["tr-1"]`, "locations": `[]`, "url": `"https://8.8.8.8/"`,
	"events": `[{"entity":"MODEL_VERSION","action":"CREATED"}]`, "tags": `[{"key":"k","value":"v"}]`, "metrics": `[{"key":"k","value":1,"timestamp":1}]`, "max_results": `5`,
}

func plausibleBody(field, value string) string {
	members := map[string]json.RawMessage{}
	for k, v := range plausible {
		members[k] = json.RawMessage(v)
	}
	delete(members, field)
	text, _ := json.Marshal(members) // they are JSON
	return fmt.Sprintf("{%q:%s,%s", field, value, text[1:])
}

// No request, however it is malformed, makes any route answer 5xx (but the 501 of what is not served), panic or take long; errors are JSON that says what is wrong.
func TestNoRouteFailsOnBadRequests(t *testing.T) {
	b := newBackend(t, sqldb.DurabilityOff)
	engine := b.handler.(*gin.Engine)
	bodies := wrongBodies()
	var squeezed bytes.Buffer
	z := gzip.NewWriter(&squeezed)
	_, _ = z.Write(bytes.Repeat([]byte(" "), 1<<20))
	_ = z.Close()

	asked := 0
	ask := func(method, target, contentType, encoding, body string) {
		t.Helper()
		asked++
		r := httptest.NewRequestWithContext(t.Context(), method, "/", strings.NewReader(body))
		path, query, _ := strings.Cut(target, "?")
		raw, err := url.PathUnescape(path)
		if err != nil {
			t.Fatal(err)
		}
		r.URL.Path, r.URL.RawPath, r.URL.RawQuery = raw, path, query
		if contentType != "" {
			r.Header.Set("Content-Type", contentType)
		}
		if encoding != "" {
			r.Header.Set("Content-Encoding", encoding)
		}
		w := httptest.NewRecorder()
		start := time.Now()
		engine.ServeHTTP(w, r)
		what := func() string {
			return fmt.Sprintf("%s %.200s %s %s %.300q", method, target, contentType, encoding, body)
		}
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("%s: took %v", what(), took)
		}
		if w.Code >= 500 && w.Code != http.StatusNotImplemented {
			t.Errorf("%s: %d %s", what(), w.Code, w.Body)
		}
		if w.Code < 400 || method == http.MethodHead {
			return
		}
		var e struct {
			Code    string `json:"error_code"`
			Message string `json:"message"`
			Detail  any    `json:"detail"`
		}
		if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil || (e.Code == "" || e.Message == "") && e.Detail == nil {
			t.Errorf("%s: %d, an error without a message: %s", what(), w.Code, w.Body)
		}
	}

	routes := engine.Routes()
	slices.SortFunc(routes, func(a, b gin.RouteInfo) int { return strings.Compare(a.Path+a.Method, b.Path+b.Method) })
	seen := map[string]bool{}
	for _, route := range routes {
		if call := route.Method + strings.NewReplacer("/ajax-api/", "/api/", "/preview", "").Replace(route.Path); seen[call] {
			continue
		} else {
			seen[call] = true
		}
		fill := func(value string) string {
			parts := strings.Split(route.Path, "/")
			for i, p := range parts {
				if strings.HasPrefix(p, ":") || strings.HasPrefix(p, "*") {
					parts[i] = value
				}
			}
			return strings.Join(parts, "/")
		}
		path := fill("x")
		if strings.ContainsAny(route.Path, ":*") {
			for _, value := range []string{"", ".", "..", "%2e%2e%2f", "%252e", "%00", "%ff", "%F0%9F%98%80", "a%2Fb", "a%20b", "0", "-1", "1e9", "null", "'%22%60%3B", strings.Repeat("y", 5000)} {
				ask(route.Method, fill(value), "application/json", "", plausibleBody("nothing", "1"))
			}
		}
		for _, method := range []string{http.MethodHead, http.MethodOptions, http.MethodPut, http.MethodPatch, http.MethodDelete, "PROPFIND"} {
			if method != route.Method {
				ask(method, path, "application/json", "", "{}")
			}
		}
		ask(route.Method, path+"/", "application/json", "", "{}")
		ask(route.Method, "/"+path, "application/json", "", "{}")
		if route.Method == http.MethodGet {
			for _, query := range []string{"a=%zz", "%00=%00", "a;b", "&&&=", "max_results=", strings.Repeat("run_id=x&", 3000), "filter=" + strings.Repeat("(", 5000)} {
				ask(route.Method, path+"?"+query, "", "", "")
			}
			for _, value := range []string{"", "-1", "1e999", "9223372036854775808", "%00", "%ff", "..%2F..", "null", "[]", "true", "'", strings.Repeat("z", 5000)} {
				ask(route.Method, path+"?"+strings.Join(fieldNames, "="+value+"&")+"="+value, "", "", "")
			}
			ask(route.Method, path, "application/json", "", `{"name":5}`)
			continue
		}
		for _, body := range bodies {
			ask(route.Method, path, "application/json", "", body)
		}
		for _, contentType := range []string{"", "text/plain", "application/json; charset=utf-16", "application/json;;", "multipart/form-data; boundary=x", "application/x-protobuf", "\x01"} {
			ask(route.Method, path, contentType, "", plausibleBody("nothing", "1"))
		}
		for _, encoding := range []string{"gzip", "deflate", "br", "nonsense"} {
			ask(route.Method, path, "application/json", encoding, squeezed.String())
			ask(route.Method, path, "application/json", encoding, "{}")
		}
		if testing.Short() {
			continue
		}
		for _, name := range fieldNames {
			ask(route.Method, path, "application/json", "", plausibleBody(name, `{"a":[1]}`))
		}
	}
	t.Logf("%d requests to %d routes", asked, len(seen))
	if len(seen) < 150 {
		t.Errorf("%d routes asked: the table has more", len(seen))
	}
}
