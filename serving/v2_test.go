package serving_test

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/prinzbox/prinzbox/serving"
	"github.com/prinzbox/prinzbox/serving/frame"
)

// v2Models are the models that MLServer was asked for (testdata/record_v2.py).
var v2Models = []string{"regressor", "classifier", "labels", "probabilities", "two", "tensor", "unsigned", "unnamed", "mixed"}

func v2Catalog() catalog {
	c := catalog{}
	for _, name := range v2Models {
		c[name] = versions(name, "v2/"+name)
	}
	return c
}

// TestV2Recorded asks what MLServer was asked, and compares the answers. Where MLServer failed (500), a user's
// mistake must be a 4xx, or 501, that says what is wrong.
func TestV2Recorded(t *testing.T) {
	text, err := os.ReadFile("testdata/v2/answers.json")
	if err != nil {
		t.Fatal(err)
	}
	var recorded []struct {
		Method, Path string
		Body         json.RawMessage
		Status       int
		Type         *string
		Answer       string
	}
	if err := json.Unmarshal(text, &recorded); err != nil {
		t.Fatal(err)
	}
	if len(recorded) < 90 {
		t.Fatalf("%d requests", len(recorded))
	}
	_, url := serve(t, serving.Config{Catalog: v2Catalog(), Objects: &folder{root: "testdata"}})
	uuid := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)
	failed := 0
	for _, c := range recorded {
		body := string(c.Body)
		var plain string
		if json.Unmarshal(c.Body, &plain) == nil {
			body = plain
		}
		if body == "null" {
			body = ""
		}
		request, err := http.NewRequest(c.Method, url+c.Path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", "application/json")
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		show := func(why string) {
			t.Errorf("%s: %s %s %s\n got %d %s\nwant %d %s", why, c.Method, c.Path, body, answer.StatusCode, got, c.Status, c.Answer)
		}
		var g, w any
		// MLServer hands the model bytes, which are no category that it knows; here they are refused.
		refused := strings.Contains(body, "base64")
		if c.Status == 500 || refused {
			failed++
			m, _ := g.(map[string]any)
			if json.Unmarshal(got, &m) != nil || answer.StatusCode != map[bool]int{false: 400, true: 501}[refused] || m["error"] == nil || m["error"] == "" {
				show("an error")
			}
			continue
		}
		if answer.StatusCode != c.Status || c.Type != nil && answer.Header.Get("Content-Type") != *c.Type {
			show("status or type")
			continue
		}
		if c.Answer == "" {
			if len(got) > 0 {
				show("body")
			}
			continue
		}
		if json.Unmarshal(got, &g) != nil || json.Unmarshal([]byte(c.Answer), &w) != nil {
			show("no JSON")
			continue
		}
		gm, _ := g.(map[string]any)
		wm, _ := w.(map[string]any)
		if c.Path == "/v2" { // its own name and version
			if gm["name"] != "prinzbox" || gm["extensions"] == nil {
				show("server")
			}
			continue
		}
		if id, ok := wm["id"].(string); ok && uuid.MatchString(id) {
			if id, _ := gm["id"].(string); !uuid.MatchString(id) {
				show("id")
			}
			gm["id"] = id
		}
		if strings.Contains(c.Answer, "json_invalid") { // where and why is the parser's own
			for _, m := range []map[string]any{gm, wm} {
				d := m["detail"].([]any)[0].(map[string]any)
				delete(d, "loc")
				delete(d, "ctx")
			}
		}
		if !near(w, g, 1e-9) {
			show("answer")
		}
	}
	if failed == 0 || failed > 35 {
		t.Errorf("%d requests failed in MLServer", failed)
	}
}

// TestV2Messages holds the messages where MLServer's log had MLflow's and its answer had none.
func TestV2Messages(t *testing.T) {
	_, url := serve(t, serving.Config{Catalog: v2Catalog(), Objects: &folder{root: "testdata"}})
	for _, c := range []struct {
		model, body string
		status      int
		message     string
	}{
		{"regressor", `{"inputs":[{"name":"a","shape":[1],"datatype":"FP64","data":[1]}]}`, 400, "Error: Model is missing inputs ['b']."},
		{"regressor", `{"inputs":[{"name":"a","shape":[1],"datatype":"INT64","data":[5]},{"name":"b","shape":[1],"datatype":"FP64","data":[1]}]}`, 400, "Incompatible input types for column a. Can not safely convert int64 to float64."},
		{"regressor", `{"inputs":[{"name":"a","shape":[1],"datatype":"BYTES","data":["x"]},{"name":"b","shape":[1],"datatype":"FP64","data":[1]}]}`, 400, "Can not safely convert str to float64."},
		{"regressor", `{"inputs":[{"name":"a","shape":[2],"datatype":"FP64","data":[1]},{"name":"b","shape":[1],"datatype":"FP64","data":[1]}]}`, 400, "Input 'a': cannot reshape array of size 1 into shape (2,)"},
		{"regressor", `{"inputs":[{"name":"a","shape":[2],"datatype":"FP64","data":[[1],[2,3]]}]}`, 400, "different lengths"},
		{"regressor", `{"inputs":[{"name":"a","shape":[1],"datatype":"FP64","data":[1]},{"name":"a","shape":[1],"datatype":"FP64","data":[1]}]}`, 400, "Input 'a' comes twice"},
		{"regressor", `{"inputs":[{"name":"a","shape":[1],"datatype":"FP64","data":["x"]}]}`, 400, "Input 'a' is no FP64: could not convert string to float: 'x'"},
		{"regressor", `{"inputs":[{"name":"a","shape":[4294967296,4294967296],"datatype":"FP64","data":[1]}]}`, 400, "cannot reshape"},
		{"mixed", `{"inputs":[{"name":"i","shape":[1],"datatype":"INT8","data":[300]}]}`, 400, "Python integer 300 out of bounds for int8"},
		{"mixed", `{"inputs":[{"name":"s","shape":[1],"datatype":"BYTES","data":["eA=="],"parameters":{"content_type":"base64"}}]}`, 501, "content type base64"},
		{"tensor", `{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[1,2]}]}`, 400, "dtype of input float32 does not match expected dtype float64"},
		{"tensor", `{"inputs":[{"name":"x","shape":[1,3],"datatype":"FP64","data":[1,2,3]}]}`, 400, "Shape of input (1, 3) does not match expected shape (-1, 2)."},
		{"unsigned", `{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP64","data":[1,2]}]}`, 400, `send the request parameter {"content_type": "pd"}`},
		{"classifier", `{"parameters":{"n":"four"},"inputs":[{"name":"a","shape":[1],"datatype":"FP64","data":[1]},{"name":"b","shape":[1],"datatype":"FP64","data":[1]}]}`, 400, "Invalid parameters found"},
	} {
		status, _, answer := post(t, url+"/v2/models/"+c.model+"/infer", "application/json", c.body)
		var e struct{ Error string }
		if err := json.Unmarshal([]byte(answer), &e); err != nil || status != c.status || !strings.Contains(e.Error, c.message) {
			t.Errorf("%s %s: %d %s, want %d %s", c.model, c.body, status, answer, c.status, c.message)
		}
	}
}

// TestV2Stub gives answers of all shapes the protocol's forms.
func TestV2Stub(t *testing.T) {
	for text, want := range map[string]string{
		`{"answer": 1.5}`:                                    `{"content_type":"np"},"outputs":[{"name":"output-1","shape":[2,1],"datatype":"FP64","parameters":{"content_type":"np"},"data":[1.5,1.5]}]}`,
		`{"answer": "ü\""}`:                                  `{"content_type":"np"},"outputs":[{"name":"output-1","shape":[2,1],"datatype":"BYTES","parameters":{"content_type":"np"},"data":["ü\"","ü\""]}]}`,
		`{"answers": [true, false]}`:                         `{"content_type":"np"},"outputs":[{"name":"output-1","shape":[2,1],"datatype":"BOOL","parameters":{"content_type":"np"},"data":[true,false]}]}`,
		`{"answer": [1, 2, 3]}`:                              `{"content_type":"np"},"outputs":[{"name":"output-1","shape":[2,3],"datatype":"INT64","parameters":{"content_type":"np"},"data":[1,2,3,1,2,3]}]}`,
		`{"answer": {"y": 1.0, "label": "a"}}`:               `{"content_type":"pd"},"outputs":[{"name":"y","shape":[2,1],"datatype":"FP64","data":[1.0,1.0]},{"name":"label","shape":[2,1],"datatype":"BYTES","parameters":{"content_type":"str"},"data":["a","a"]}]}`,
		`{"answer": {"y": {"a": 1}}}`:                        `{"content_type":"pd"},"outputs":[{"name":"y","shape":[2,1],"datatype":"BYTES","parameters":{"content_type":"pd_json"},"data":["{\"a\":1}","{\"a\":1}"]}]}`,
		`{"answer": NaN}`:                                    `it is not understood`,
		`{"predictions": "all"}`:                             `no list of rows`,
		`{"answers": [1, [2]]}`:                              `different shapes`,
		`{"answers": [1, "a"]}`:                              `mixes types`,
		`{"error": {"status": 429, "message": "slow down"}}`: `{"error":"slow down"}`,
		`{"answer": 1, "outputs": [{"type": "integer"}]}`:    `"datatype":"INT32"`,
		`{"answer": 1.0, "outputs": [{"type": "float"}]}`:    `"datatype":"FP32"`,
	} {
		r := &registered{versions: map[string][]serving.Version{"m": {stub("m", 1, text)}}}
		_, url := serve(t, serving.Config{Catalog: r})
		_, _, answer := post(t, url+"/v2/models/m/infer", "application/json", `{"id":"x","parameters":{"content_type":"np"},"inputs":[{"name":"a","shape":[2],"datatype":"FP64","data":[1,2]}]}`)
		if !strings.Contains(answer, want) {
			t.Errorf("%s:\n got %s\nwant %s", text, answer, want)
		}
	}
}

// FuzzInference feeds bodies to the V2 decoder: no panic, and what is decoded makes a table or an error.
func FuzzInference(f *testing.F) {
	f.Add([]byte(`{"id":"x","parameters":{"content_type":"pd","n":1},"inputs":[{"name":"a","shape":[2,1],"datatype":"FP64","data":[[1],[2.5]]}]}`))
	f.Add([]byte(`{"inputs":[{"name":"a","shape":[2,2],"datatype":"INT8","data":[1,2,3,4],"parameters":{"content_type":"np"}}],"parameters":{"content_type":"np"}}`))
	f.Add([]byte(`{"inputs":[{"name":"s","shape":[1],"datatype":"BYTES","data":["x"]},{"name":"b","shape":[1],"datatype":"BOOL","data":true}]}`))
	f.Add([]byte(`{"inputs":[{"name":"a","shape":[-1,99999999999],"datatype":"UINT64","data":[[],[[]]]}]}`))
	schema, err := frame.ParseSchema(`[{"name":"a","type":"double"},{"name":"b","type":"boolean","required":false},{"name":"s","type":"string","required":false}]`)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		request, err := frame.DecodeInference(data)
		if err != nil {
			return
		}
		for _, s := range []*frame.Schema{nil, schema} {
			table, err := request.Table(s)
			if err != nil {
				continue
			}
			for i := range table.Columns {
				if n := table.Columns[i].Len(); n != table.Rows {
					t.Fatalf("column %d has %d values of %d rows", i, n, table.Rows)
				}
			}
			if text, err := request.AppendSplit(nil, s); err == nil {
				if _, err := frame.DecodeValue(text); err != nil {
					t.Fatalf("%s: %v", text, err)
				}
			}
		}
	})
}
