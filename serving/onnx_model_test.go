package serving_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestONNXAsMLflowSavesIt serves the model directories that MLflow 3.17.2 saved of ONNX models and compares status, error code and predictions with those of
// its scoring server (testdata/make_onnx_served.py).
func TestONNXAsMLflowSavesIt(t *testing.T) {
	objects := &folder{root: unzip(t, "testdata/onnx-mlflow-3.17.2.zip")}
	text, err := os.ReadFile(filepath.Join(objects.root, "cases.json"))
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Model, Request, Answer string
		Status                 int
	}
	if err := json.Unmarshal(text, &cases); err != nil || len(cases) < 15 {
		t.Fatal(len(cases), err)
	}
	c := catalog{}
	for _, m := range cases {
		c[m.Model] = versions(m.Model, m.Model)
	}
	server, url := start(t, c, objects, 0)
	for _, m := range cases {
		status, _, body := post(t, url+"/"+m.Model+"/invocations", "application/json", m.Request)
		var got, want map[string]any
		if err := json.Unmarshal([]byte(body), &got); err != nil {
			t.Errorf("%s %s: %s", m.Model, m.Request, body)
			continue
		}
		if err := json.Unmarshal([]byte(m.Answer), &want); err != nil {
			t.Fatal(err)
		}
		if status != m.Status || got["error_code"] != want["error_code"] || !near(got["predictions"], want["predictions"], 1e-6) {
			t.Errorf("%s %s:\n%d %s\nwant %d %s", m.Model, m.Request, status, body, m.Status, m.Answer)
		}
		// What the model itself says of bad data stands in the stack trace.
		if reason, ok := want["stack_trace"].(string); ok && !strings.Contains(reason, lastWords(got["stack_trace"])) {
			t.Errorf("%s %s: the trace ends %v, MLflow's\n%s", m.Model, m.Request, got["stack_trace"], reason)
		}
	}
	info, err := server.Describe(t.Context(), "mlp", "")
	if err != nil || !info.Native || info.Flavor != "onnx" {
		t.Errorf("described as %+v, %v", info, err)
	}
}

// lastWords is the first line of a trace's message, without the exception's name.
func lastWords(trace any) string {
	text, _ := trace.(string)
	_, message, _ := strings.Cut(text, ": ")
	message, _, _ = strings.Cut(message, "\n")
	return message
}

// TestONNXRefused names what the engine does not do.
func TestONNXRefused(t *testing.T) {
	objects := &folder{root: unzip(t, "testdata/onnx-mlflow-3.17.2.zip")}
	path := filepath.Join(objects.root, "columns", "model.onnx")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(string(data), "\x22\x03Mul", "\x22\x03Zzz", 1)
	if changed == string(data) {
		t.Fatal("the model has no Mul")
	}
	if err := os.WriteFile(path, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	_, url := start(t, catalog{"columns": versions("columns", "columns")}, objects, 0)
	status, _, body := post(t, url+"/columns/invocations", "application/json", `{"dataframe_split": {"columns": ["a", "b", "n"], "data": [[1, 2, 3]]}}`)
	if status != 501 || !strings.Contains(body, "the operator Zzz") {
		t.Errorf("%d %s", status, body)
	}
}
