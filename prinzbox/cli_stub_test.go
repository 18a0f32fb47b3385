package prinzbox_test

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prinzbox/prinzbox/prinzbox"
)

// The command registers stubs in a running environment, which then answer as told.
func TestStubCommand(t *testing.T) {
	t.Parallel()
	uri := prinzbox.Start(t).TrackingURI()
	dir := t.TempDir()
	file := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	prices := file("prices.csv", "country,size,price\nDE,1,9.5\nAT,2,11\n")
	mlmodel := file("MLmodel", "flavors: {}\nsignature:\n  inputs: '[{\"name\": \"size\", \"type\": \"long\"}]'\n  outputs: null\n")
	const rows = `{"dataframe_records": [{"country": "DE", "size": 1}, {"country": "AT", "size": 2}]}`
	for _, c := range []struct {
		name   string
		args   []string
		status int
		answer string
	}{
		{"answer", []string{"--answer", "1.5"}, 200, `{"predictions": [1.5, 1.5]}`},
		{"text", []string{"--answer", `"yes"`, "--latency", "1ms-2ms"}, 200, `{"predictions": ["yes", "yes"]}`},
		{"turns", []string{"--answers", `[1, {"a": 2}]`, "--latency", "2ms+-1ms", "--seed", "7"}, 200, `{"predictions": [1, {"a": 2}]}`},
		{"whole", []string{"--predictions", `{"all": 1}`}, 200, `{"predictions": {"all": 1}}`},
		{"csv", []string{"--csv", prices}, 200, `{"predictions": [9.5, 11.0]}`},
		{"csv-key", []string{"--csv", prices, "--key", "country"}, 200, `"price": 9.5`},
		{"csv-default", []string{"--csv", file("one.csv", "country,price\nDE,9\n"), "--default", `"none"`}, 200, `{"predictions": [9, "none"]}`},
		{"formula", []string{"--expression", "size * 2 if country == 'DE' else 0", "--signature", file("sig.json", `{"inputs": [{"name": "country", "type": "string"}, {"name": "size", "type": "long"}]}`)}, 200, `{"predictions": [2, 0]}`},
		{"formulas", []string{"--expression", "double=size*2", "--expression", "half = size / 2"}, 200, `"double": 2`},
		{"mlmodel", []string{"--answer", "true", "--signature", mlmodel}, 200, `{"predictions": [true, true]}`},
		{"error", []string{"--error", "503", "--error-message", "come back later"}, 503, "come back later"},
		{"rate", []string{"--answer", "1", "--error", "429", "--error-rate", "0.000001", "--error-code", "REQUEST_LIMIT_EXCEEDED"}, 200, `{"predictions": [1, 1]}`},
		{"a name/with % signs", []string{"--answer", "3"}, 200, `{"predictions": [3, 3]}`},
	} {
		name := "stub-command-" + c.name
		if strings.Contains(c.name, "/") {
			name = strings.ReplaceAll(name, "/", "|") // MLflow has no slash in names
		}
		code, stdout, stderr := runCommand(t, []string{"MLFLOW_TRACKING_URI=" + uri}, append([]string{"stub", name}, c.args...)...)
		_, at, ok := strings.Cut(strings.TrimSpace(stdout), " answers at ")
		if code != 0 || !ok || !strings.HasPrefix(stdout, "Version 1 of "+name) {
			t.Errorf("%s: exit code %d: %s%s", c.name, code, stdout, stderr)
			continue
		}
		resp, err := http.Post(at, "application/json", strings.NewReader(rows))
		if err != nil {
			t.Fatal(err)
		}
		if text := readAll(t, resp); resp.StatusCode != c.status || !strings.Contains(text, c.answer) {
			t.Errorf("%s: %d %s, want %d with %s", c.name, resp.StatusCode, text, c.status, c.answer)
		}
	}
	// Again: another version. The signature of the MLmodel file counts.
	if code, stdout, stderr := runCommand(t, nil, "stub", "stub-command-mlmodel", "--tracking-uri", uri, "--answer", "2", "--signature", mlmodel, "--latency", "60ms"); code != 0 || !strings.HasPrefix(stdout, "Version 2 of ") {
		t.Errorf("%d %s%s", code, stdout, stderr)
	}
	began := time.Now()
	resp, err := http.Post(uri+"/stub-command-mlmodel/invocations", "application/json", strings.NewReader(`{"dataframe_records": [{"country": "DE"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	if text := readAll(t, resp); resp.StatusCode != 400 || !strings.Contains(text, "missing inputs ['size']") || time.Since(began) < 60*time.Millisecond {
		t.Errorf("%d %s after %v", resp.StatusCode, text, time.Since(began))
	}
}

// A mistake is told in one line that names the flag; nothing is registered.
func TestStubCommandMistakes(t *testing.T) {
	t.Parallel()
	uri := shared(t).TrackingURI()
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{nil, 2, "prinzbox stub NAME"},
		{[]string{"m", "n"}, 2, "one model"},
		{[]string{"m"}, 2, "none of answer, answers, predictions, lookup, expression and error"},
		{[]string{"m", "--answer", "yes"}, 2, `'"yes"'`},
		{[]string{"m", "--answer", "1", "--expression", "a"}, 2, "answer and expression"},
		{[]string{"m", "--answers", "1"}, 2, "--answers"},
		{[]string{"m", "--expression", "a +"}, 2, "expression"},
		{[]string{"m", "--expression", "a", "--expression", "b"}, 2, "NAME=FORMULA"},
		{[]string{"m", "--csv", "/no/such/file"}, 2, "--csv"},
		{[]string{"m", "--answer", "1", "--key", "a"}, 2, "--csv FILE"},
		{[]string{"m", "--error", "200"}, 2, "status"},
		{[]string{"m", "--answer", "1", "--error-rate", "0.5"}, 2, "--error STATUS"},
		{[]string{"m", "--answer", "1", "--latency", "soon"}, 2, "--latency soon"},
		{[]string{"m", "--answer", "1", "--latency", "9ms-1ms"}, 2, "max is less than min"},
		{[]string{"m", "--answer", "1", "--signature", "[1]"}, 2, "inputs"},
		{[]string{"m", "--answer", "1", "--signature", "{}"}, 2, "none of inputs, outputs and params"},
		{[]string{"m", "--answer", "1", "--signature", "/no/such/file"}, 2, "--signature"},
		{[]string{"a/b", "--answer", "1"}, 1, "INVALID_PARAMETER_VALUE"},
		{[]string{"m", "--answer", "1", "--tracking-uri", "sqlite:///m.db"}, 2, "write http://HOST:PORT"},
		{[]string{"m", "--answer", "1", "--tracking-uri", "http://127.0.0.1:1"}, 1, "127.0.0.1:1"},
		{[]string{"m", "--answer", "1", "--data", t.TempDir()}, 1, "nothing runs in"},
	} {
		code, stdout, stderr := runCommand(t, []string{"MLFLOW_TRACKING_URI=" + uri}, append([]string{"stub"}, c.args...)...)
		if code != c.code || stdout != "" || !strings.Contains(stderr, c.says) {
			t.Errorf("%q: exit code %d, %q; want %d with %q", c.args, code, stderr, c.code, c.says)
		}
	}
}

// With --data the environment that runs there is found.
func TestStubCommandFindsTheEnvironment(t *testing.T) {
	t.Parallel()
	env := prinzbox.Start(t)
	code, stdout, stderr := runCommand(t, nil, "stub", "stub-command-data", "--data", *env.Ready().DataDir, "--answer", "1")
	if code != 0 || !strings.Contains(stdout, env.TrackingURI()+"/stub-command-data/invocations") {
		t.Errorf("%d %s%s", code, stdout, stderr)
	}
}

// readAll reads an answer to its end.
func readAll(t *testing.T, r *http.Response) string {
	t.Helper()
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
