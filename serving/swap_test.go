package serving_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

const mlmodel = `flavors:
  python_function: {loader_module: mlflow.sklearn, model_path: model.pkl, predict_fn: FN}
  sklearn: {pickled_model: model.pkl, serialization_format: cloudpickle, sklearn_version: 1.2.2}
signature:
  inputs: 'INPUTS'
  outputs: '[{"type": "integer"}]'
`

// directory writes a model directory from a fixture of testdata/sklearn-1.2.2.
func directory(t testing.TB, root, name, fixture, inputs string) {
	t.Helper()
	text, err := os.ReadFile("testdata/sklearn-1.2.2/" + fixture)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(root, name), 0o755); err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(root, name, "model.pkl"), string(text))
	put(t, filepath.Join(root, name, "MLmodel"), strings.NewReplacer("INPUTS", inputs, "FN", "predict").Replace(mlmodel))
}

// put replaces a file in one step, as the artifact store does.
func put(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path+".new", []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

const fraudInputs = `[{"name": "age", "type": "string"}, {"name": "gender", "type": "string"}, {"name": "category", "type": "string"}, {"name": "amount", "type": "double"}]`

// TestPrinzFraud sends the very body of Prinz's fraud sample.
func TestPrinzFraud(t *testing.T) {
	root := t.TempDir()
	directory(t, root, "fraud", "fraud.pkl", fraudInputs)
	_, url := start(t, catalog{"MLF-FraudDetection-3": versions("MLF-FraudDetection-3", "fraud")}, &folder{root: root}, 0)
	for body, want := range map[string]string{
		`{"columns":["age","gender","category","amount"],"data":[["4","F","es_transportation",800.0]]}`:                                                         "[1]",
		`{"columns":["age","gender","category","amount"],"data":[["4","F","es_transportation",42.42]]}`:                                                         "[0]",
		`{"columns":["age","gender","category","amount"],"data":[["4","M","es_transportation",24]]}`:                                                            "[0]",
		`{"columns":["age","gender","category","amount"],"data":[[4,null,"never seen",null]]}`:                                                                  "[0]",
		`{"dataframe_records":[{"amount":800,"age":"4","gender":"F","category":"es_transportation"},{"amount":1,"age":"4","gender":"F","category":"es_food"}]}`: `{"predictions": [1, 0]}`,
	} {
		status, _, answer := post(t, url+"/MLF-FraudDetection-3/invocations", "application/json", body)
		if status != 200 || answer != want {
			t.Errorf("%s: %d %s, want %s", body, status, answer, want)
		}
	}
}

// TestSwap replaces a model under load: each answer is of one or the other model, none fails, and the new
// one answers as soon as the store says that something changed. One change costs one load.
func TestSwap(t *testing.T) {
	root := t.TempDir()
	objects := &folder{root: root}
	inputs := `[{"name": "a", "type": "double"}, {"name": "b", "type": "double"}, {"name": "c", "type": "double"}]`
	directory(t, root, "m", "impute_mean.pkl", inputs)
	_, url := start(t, catalog{"m": versions("m", "m")}, objects, 0)
	const body = `{"columns":["a","b","c"],"data":[[null,2,null]]}`
	_, _, before := post(t, url+"/m/invocations", "application/json", body)
	var wg sync.WaitGroup
	answers := make([]map[string]int, 4)
	for i := range answers {
		answers[i] = map[string]int{}
		wg.Go(func() {
			for range 150 {
				status, _, answer := post(t, url+"/m/invocations", "application/json", body)
				if status != 200 {
					t.Errorf("%d %s", status, answer)
				}
				answers[i][answer]++
			}
		})
	}
	text, err := os.ReadFile("testdata/sklearn-1.2.2/impute_constant.pkl")
	if err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(root, "m", "model.pkl"), string(text))
	objects.generation.Add(1)
	_, _, after := post(t, url+"/m/invocations", "application/json", body)
	wg.Wait()
	if before == after {
		t.Fatalf("the new model is not served: %s", after)
	}
	for _, m := range answers {
		for answer := range m {
			if answer != before && answer != after {
				t.Errorf("answer %s, want %s or %s", answer, before, after)
			}
		}
	}
	if n := objects.opens.Load(); n != 4 {
		t.Errorf("%d files were opened for two loads of two files", n)
	}
	// A change elsewhere in the store costs a look at the etags, not a load.
	objects.generation.Add(1)
	if _, _, again := post(t, url+"/m/invocations", "application/json", body); again != after {
		t.Errorf("got %s, want %s", again, after)
	}
	if n := objects.opens.Load(); n != 4 {
		t.Errorf("%d files were opened, want 4", n)
	}
}

// TestUnsupported holds that what has no engine is a 501 that names it, and broken files a 400.
func TestUnsupported(t *testing.T) {
	root := t.TempDir()
	objects := &folder{root: root}
	for name, c := range map[string]struct {
		change func(dir string)
		status int
		reason string
	}{
		"estimator": {func(dir string) { directory(t, root, filepath.Base(dir), "refuse_no_predict.pkl", "[]") }, 501, "StandardScaler has no predict"},
		"predict_fn": {func(dir string) {
			put(t, dir+"/MLmodel", strings.NewReplacer("INPUTS", "[]", "FN", "score").Replace(mlmodel))
		}, 501, "predict_fn score"},
		"flavor": {func(dir string) { put(t, dir+"/MLmodel", "flavors:\n  pytorch: {}\n  python_function: {}\n") }, 501, "python_function, pytorch"},
		"type": {func(dir string) {
			put(t, dir+"/MLmodel", strings.NewReplacer("INPUTS", `[{"name":"w","type":"array","items":{"type":"long"}}]`, "FN", "predict").Replace(mlmodel))
		}, 501, "Input w of the model's signature has type array"},
		"yaml":      {func(dir string) { put(t, dir+"/MLmodel", "flavors: [") }, 400, "MLmodel"},
		"no flavor": {func(dir string) { put(t, dir+"/MLmodel", "{}") }, 400, "no flavors"},
		"aliases": {func(dir string) {
			bomb := "a: &a [x,x,x,x,x,x,x,x,x]\n"
			for c := 'b'; c < 'k'; c++ {
				p := string(c - 1)
				bomb += string(c) + ": &" + string(c) + " [*" + p + strings.Repeat(",*"+p, 8) + "]\n"
			}
			put(t, dir+"/MLmodel", bomb+"flavors: {sklearn: {pickled_model: *j}}\n")
		}, 400, ""},
		"pickle": {func(dir string) { put(t, dir+"/model.pkl", "\x80\x04]q\x00h\x00a.") }, 400, "contains itself"},
		"signature": {func(dir string) {
			put(t, dir+"/MLmodel", strings.NewReplacer("INPUTS", `{`, "FN", "predict").Replace(mlmodel))
		}, 400, "signature (inputs)"},
		"outside": {func(dir string) {
			put(t, dir+"/MLmodel", "flavors:\n  sklearn: {pickled_model: ../../secret}\n")
		}, 400, "outside its directory"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := strings.ReplaceAll(name, " ", "_")
			directory(t, root, dir, "elasticnet.pkl", "[]")
			c.change(filepath.Join(root, dir))
			_, url := start(t, catalog{"m": versions("m", dir)}, objects, 0)
			status, kind, answer := post(t, url+"/m/invocations", "application/json", "{}")
			if status != c.status || kind != "application/json" || !strings.Contains(answer, c.reason) {
				t.Errorf("%d %s %s, want %d %s", status, kind, answer, c.status, c.reason)
			}
		})
	}
}
