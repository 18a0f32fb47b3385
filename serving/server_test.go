package serving_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/prinzbox/prinzbox/registry"
	"github.com/prinzbox/prinzbox/serving"
)

// folder serves model directories below a folder of the disk; a URI is a path in it.
type folder struct {
	root       string
	generation atomic.Uint64
	opens      atomic.Int64
}

func (f *folder) Open(_ context.Context, uri, path string) (io.ReadCloser, int64, error) {
	f.opens.Add(1)
	r, err := os.Open(filepath.Join(f.root, uri, path))
	if err != nil {
		return nil, 0, registry.NotFoundf("No such artifact: '%s'", path)
	}
	info, err := r.Stat()
	if err != nil {
		return nil, 0, err
	}
	return r, info.Size(), nil
}

func (f *folder) ETag(_ context.Context, uri, path string) (string, error) {
	info, err := os.Stat(filepath.Join(f.root, uri, path))
	if err != nil {
		return "", registry.NotFoundf("No such artifact: '%s'", path)
	}
	return fmt.Sprint(info.Size(), info.ModTime().UnixNano()), nil
}

func (f *folder) Generation() uint64 { return f.generation.Load() }

// catalog holds versions by name; version numbers count from 1, the last is current.
type catalog map[string][]serving.Version

func (c catalog) Resolve(_ context.Context, name, selector string) (serving.Version, error) {
	versions, ok := c[name]
	if !ok {
		return serving.Version{}, registry.NotFoundf("Registered Model with name=%s not found", name)
	}
	if selector == "" || selector == name || strings.EqualFold(selector, "production") || selector == "champion" {
		return versions[len(versions)-1], nil
	}
	n, err := strconv.Atoi(selector)
	if err != nil || n < 1 || n > len(versions) {
		return serving.Version{}, registry.NotFoundf("Model Version (name=%s, version=%s) not found", name, selector)
	}
	return versions[n-1], nil
}

func (c catalog) Tags(_ context.Context, name string) (map[string]string, error) {
	if _, ok := c[name]; !ok {
		return nil, registry.NotFoundf("Registered Model with name=%s not found", name)
	}
	return nil, nil
}

func start(t testing.TB, c catalog, objects serving.Objects, maxBody int64) (*serving.Server, string) {
	t.Helper()
	s := serving.New(serving.Config{Catalog: c, Objects: objects, MaxBody: maxBody})
	h := httptest.NewServer(s)
	t.Cleanup(h.Close)
	return s, h.URL
}

func versions(name string, sources ...string) []serving.Version {
	var out []serving.Version
	for i, s := range sources {
		out = append(out, serving.Version{Name: name, Number: strconv.Itoa(i + 1), Source: s})
	}
	return out
}

func post(t testing.TB, url, contentType, body string) (int, string, string) {
	t.Helper()
	r, err := http.Post(url, contentType, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, r.Header.Get("Content-Type"), string(text)
}

// TestRecorded compares answers with those that MLflow's own server gave (testdata/record_answers.py).
func TestRecorded(t *testing.T) {
	text, err := os.ReadFile("testdata/served/elasticnet.json")
	if err != nil {
		t.Fatal(err)
	}
	var recorded []struct {
		RequestType string `json:"request_type"`
		Request     string
		Status      int
		Type        string
		Answer      string
	}
	if err := json.Unmarshal(text, &recorded); err != nil {
		t.Fatal(err)
	}
	_, url := start(t, catalog{"m": versions("m", "elasticnet")}, &folder{root: "testdata/served"}, 0)
	for i, want := range recorded {
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			status, kind, answer := post(t, url+"/m/invocations", want.RequestType, want.Request)
			if status != want.Status || kind != want.Type {
				t.Errorf("%s %q:\n  got %d %s, want %d %s", want.RequestType, want.Request, status, kind, want.Status, want.Type)
			}
			if got := normal(answer); got != normal(want.Answer) {
				t.Errorf("%s %q:\n got %s\nwant %s", want.RequestType, want.Request, got, normal(want.Answer))
			}
		})
	}
}

// normal makes answers comparable: no stack trace, and the Python set of names, whose order changes from
// process to process, in one order.
func normal(answer string) string {
	const names = "{'dataframe_split', 'dataframe_records', 'instances', 'inputs'}"
	var v map[string]any
	if json.Unmarshal([]byte(answer), &v) != nil || v["error_code"] == nil {
		return answer
	}
	delete(v, "stack_trace")
	m := v["message"].(string)
	if at := strings.Index(m, "one of the input fields {"); at >= 0 {
		at += len("one of the input fields ")
		end := at + strings.IndexByte(m[at:], '}') + 1
		m = m[:at] + names + m[end:]
	}
	v["message"] = m
	text, _ := json.MarshalIndent(v, "", " ")
	return string(text)
}

// TestLegacy holds the dialect of MLflow 1.x: a bare array without blanks, and 1.x's messages.
func TestLegacy(t *testing.T) {
	_, url := start(t, catalog{"m": versions("m", "elasticnet")}, &folder{root: "testdata/served"}, 0)
	const parse = "Failed to parse input as a Pandas DataFrame. Ensure that the input is a valid JSON-formatted Pandas DataFrame with the `%[1]s` orient produced using the `pandas.DataFrame.to_json(..., orient='%[1]s')` method. Error: '"
	for _, c := range []struct {
		kind, body string
		status     int
		answer     string
	}{
		{"application/json", `{"columns":["a","b"],"data":[[1.5,2],[3,4]]}`, 200, `[1.5079643981235227,2.9840712037529546]`},
		{"application/json", `{"columns":["b","a"],"index":[0],"data":[[2,1.5]]}`, 200, `[1.5079643981235227]`},
		{"application/json", `[{"a":1.5,"b":2}]`, 200, `[1.5079643981235227]`},
		{"application/json; format=pandas-split", `{"columns":["a","b"],"data":[[1.5,2]]}`, 200, `[1.5079643981235227]`},
		{"application/json; format=pandas-records", `[{"a":1.5,"b":2}]`, 200, `[1.5079643981235227]`},
		{"application/json-numpy-split", `{"columns":["a","b"],"index":[0],"data":[[1.5,2]]}`, 200, `[1.5079643981235227]`},
		{"application/json", `{"columns":["a"],"data":[[1.5]]}`, 400, "Model is missing inputs ['b']."},
		{"application/json", `{"columns":["a","c"],"data":[[1.5,1]]}`, 400, "Model is missing inputs ['b']. Note that there were extra inputs: ['c']."},
		{"application/json", `{"columns":["a"],"data":[[1.5,1]]}`, 400, fmt.Sprintf(parse, "split") + "1 columns passed, passed data had 2 columns'"},
		{"application/json", `{"columns":["a","b"]}`, 400, fmt.Sprintf(parse, "split") + "the field 'data' is missing'"},
	} {
		status, kind, answer := post(t, url+"/m/invocations", c.kind, c.body)
		if status != 200 {
			var e registry.ErrorBody
			if err := json.Unmarshal([]byte(answer), &e); err != nil || e.Code != registry.BadRequest {
				t.Errorf("%s: %s", c.body, answer)
			}
			answer = e.Message
		}
		if status != c.status || kind != "application/json" || answer != c.answer {
			t.Errorf("%s %s:\n got %d %s %s\nwant %d %s", c.kind, c.body, status, kind, answer, c.status, c.answer)
		}
	}
}

func TestRoutes(t *testing.T) {
	c := catalog{"m": versions("m", "elasticnet"), "my model/ü": versions("my model/ü", "elasticnet"), "model": versions("model", "elasticnet"), "broken": versions("broken", "none")}
	s, url := start(t, c, &folder{root: "testdata/served"}, 0)
	const body = `{"columns":["a","b"],"data":[[1.5,2]]}`
	for _, r := range []struct {
		method, path string
		status       int
		contains     string
		match        bool
	}{
		{"POST", "/m/invocations", 200, "[1.5079643981235227]", true},
		{"POST", "/model/m/invocations", 200, "[1.5079643981235227]", true},
		{"POST", "/model/m/1/invocations", 200, "[1.5079643981235227]", true},
		{"POST", "/model/m/m/invocations", 200, "[1.5079643981235227]", true},
		{"POST", "/model/m/PRODUCTION/invocations", 200, "[1.5079643981235227]", true},
		{"POST", "/model/m/champion/invocations", 200, "[1.5079643981235227]", true},
		{"POST", "/my%20model%2F%C3%BC/invocations", 200, "[1.5079643981235227]", true},
		{"POST", "/model/invocations", 200, "[1.5079643981235227]", true},
		{"POST", "/model/m/2/invocations", 404, "RESOURCE_DOES_NOT_EXIST", true},
		{"POST", "/model/x/invocations", 404, "Registered Model with name=x not found", true},
		{"POST", "/broken/invocations", 404, "No such artifact: 'MLmodel'", true},
		{"GET", "/broken/ping", 404, "No such artifact", true},
		{"GET", "/m/invocations", 405, `{"detail":"Method Not Allowed"}`, true},
		{"POST", "/m/ping", 405, `{"detail":"Method Not Allowed"}`, true},
		{"GET", "/m/ping", 200, "\n", true},
		{"GET", "/model/m/health", 200, "\n", true},
		{"GET", "/model/m/1/version", 200, "3.17.2", true},
		{"GET", "/x/version", 404, "RESOURCE_DOES_NOT_EXIST", true},
		{"GET", "/m/other", 404, `{"detail":"Not Found"}`, false},
		{"GET", "/version", 404, `{"detail":"Not Found"}`, false},
		{"GET", "/api/version", 404, `{"detail":"Not Found"}`, false},
		{"GET", "/model/m/1/2/ping", 404, `{"detail":"Not Found"}`, false},
	} {
		request, err := http.NewRequest(r.method, url+r.path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", "application/json")
		if s.Match(request) != r.match {
			t.Errorf("%s: Match is %v", r.path, !r.match)
		}
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(answer.Body)
		answer.Body.Close()
		if answer.StatusCode != r.status || !strings.Contains(string(text), r.contains) {
			t.Errorf("%s %s: %d %s, want %d %s", r.method, r.path, answer.StatusCode, text, r.status, r.contains)
		}
	}
}

func TestBodyLimit(t *testing.T) {
	_, url := start(t, catalog{"m": versions("m", "elasticnet")}, &folder{root: "testdata/served"}, 100)
	for _, body := range []io.Reader{strings.NewReader(strings.Repeat(" ", 101)), io.MultiReader(strings.NewReader(strings.Repeat(" ", 200)))} {
		r, err := http.Post(url+"/m/invocations", "application/json", body)
		if err != nil {
			t.Fatal(err)
		}
		var e registry.ErrorBody
		err = json.NewDecoder(r.Body).Decode(&e)
		r.Body.Close()
		if r.StatusCode != http.StatusRequestEntityTooLarge || err != nil || e.Code != registry.InvalidParameterValue || !strings.Contains(e.Message, "100 bytes") {
			t.Errorf("%d %+v %v", r.StatusCode, e, err)
		}
	}
}

func TestDescribeAndScore(t *testing.T) {
	s, _ := start(t, catalog{"m": versions("m", "elasticnet"), "gone": versions("gone", "none")}, &folder{root: "testdata/served"}, 0)
	ctx := context.Background()
	info, err := s.Describe(ctx, "m", "")
	if err != nil || !info.Native || info.Flavor != "sklearn" || info.Estimator != "ElasticNet" || len(info.Signature.Inputs.Fields) != 2 || info.Version.Number != "1" {
		t.Errorf("%+v %v", info, err)
	}
	var example map[string]any
	if err := json.Unmarshal(info.InputExample, &example); err != nil || !reflect.DeepEqual(example["columns"], []any{"a", "b"}) {
		t.Errorf("input example %s", info.InputExample)
	}
	if info, err = s.Describe(ctx, "gone", ""); err != nil || info.Native || !strings.Contains(info.Problem, "MLmodel") {
		t.Errorf("%+v %v", info, err)
	}
	if _, err = s.Describe(ctx, "x", ""); !registry.IsCode(err, registry.ResourceDoesNotExist) {
		t.Errorf("%v", err)
	}
	body, status := s.Score(ctx, "m", "1", []byte(`{"inputs":{"a":1.5,"b":2}}`), "application/json")
	if status != 200 || string(body) != `{"predictions": [1.5079643981235227]}` {
		t.Errorf("%d %s", status, body)
	}
}
