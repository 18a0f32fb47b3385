package serving_test

import (
	"archive/zip"
	"encoding/json"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prinzbox/prinzbox/registry"
	"github.com/prinzbox/prinzbox/serving"
)

// TestBoostingAsMLflowSavesIt serves the model directories that MLflow 1.30, 2.22 and 3.17 saved of
// XGBoost and LightGBM models, and compares the answers with those of mlflow.pyfunc
// (testdata/make_boosting_served.py).
func TestBoostingAsMLflowSavesIt(t *testing.T) {
	paths, err := filepath.Glob("testdata/boosting-mlflow-*.zip")
	if err != nil || len(paths) != 3 {
		t.Fatalf("fixtures: %v %v", paths, err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".zip"), func(t *testing.T) {
			cases, _, server, url := serveFixture(t, path, 9)
			for _, m := range cases {
				status, _, body := post(t, url+"/"+m.Model+"/invocations", "application/json", string(m.Body))
				var answer struct{ Predictions any }
				if err := json.Unmarshal([]byte(body), &answer); err != nil || status != http.StatusOK {
					t.Errorf("%s: %d %s", m.Model, status, body)
					continue
				}
				if !near(answer.Predictions, m.Predictions, 1e-6) {
					t.Errorf("%s answers\n%v, want\n%v", m.Model, answer.Predictions, m.Predictions)
				}
				info, err := server.Describe(t.Context(), m.Model, "")
				if err != nil || !info.Native || info.Estimator != m.Class || !strings.HasPrefix(m.Model, info.Flavor[:1]) {
					t.Errorf("%s is described as %s %s (native %v): %v", m.Model, info.Flavor, info.Estimator, info.Native, err)
				}
			}
		})
	}
}

// servedCase is a request to a model, and MLflow's answer or what its model predicts.
type servedCase struct {
	Model, Class        string
	Body                json.RawMessage
	Predictions, Answer any
	Status              int
	Error               string
}

// serveFixture serves the model directories of a zip, which holds at least so many cases.
func serveFixture(t *testing.T, path string, least int) ([]servedCase, *folder, *serving.Server, string) {
	t.Helper()
	objects := &folder{root: unzip(t, path)}
	text, err := os.ReadFile(filepath.Join(objects.root, "cases.json"))
	if err != nil {
		t.Fatal(err)
	}
	var cases []servedCase
	if err := json.Unmarshal(text, &cases); err != nil || len(cases) < least {
		t.Fatal(len(cases), err)
	}
	c := catalog{}
	for _, m := range cases {
		c[m.Model] = versions(m.Model, m.Model)
	}
	server, url := start(t, c, objects, 0)
	return cases, objects, server, url
}

// near compares decoded JSON: text exactly, numbers to a tolerance of their size.
func near(got, want any, tolerance float64) bool {
	switch want := want.(type) {
	case map[string]any:
		object, ok := got.(map[string]any)
		if !ok || len(object) != len(want) {
			return false
		}
		for k, v := range want {
			if other, ok := object[k]; !ok || !near(other, v, tolerance) {
				return false
			}
		}
		return true
	case []any:
		list, ok := got.([]any)
		if !ok || len(list) != len(want) {
			return false
		}
		for i := range want {
			if !near(list[i], want[i], tolerance) {
				return false
			}
		}
		return true
	case float64:
		number, ok := got.(float64)
		return ok && math.Abs(number-want) <= tolerance*math.Max(1, math.Abs(want))
	}
	return got == want
}

func unzip(t testing.TB, path string) string {
	t.Helper()
	r, err := zip.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }() // only read
	root := t.TempDir()
	if err := os.CopyFS(root, r); err != nil {
		t.Fatal(err)
	}
	return root
}

// TestBoostingRefused holds the reasons for which a boosting model does not load.
func TestBoostingRefused(t *testing.T) {
	root := unzip(t, "testdata/boosting-mlflow-3.17.2.zip")
	for name, c := range map[string]struct {
		model    string
		change   [2]string
		code     registry.Code
		contains string
	}{
		"catboost": {"xgb_booster", [2]string{"mlflow.xgboost", "mlflow.catboost"}, registry.NotImplemented, "mlflow.catboost"},
		"class":    {"xgb_booster", [2]string{"model_class: xgboost.core.Booster", "model_class: mine.Booster"}, registry.NotImplemented, "mine.Booster"},
		"missing":  {"xgb_booster", [2]string{"data: model.ubj", "data: other.ubj"}, registry.ResourceDoesNotExist, "other.ubj"},
		"outside":  {"xgb_booster", [2]string{"data: model.ubj", "data: ../xgb_booster/model.ubj"}, registry.InvalidParameterValue, "data is"},
		"no model": {"xgb_booster", [2]string{"data: model.ubj", "data: MLmodel"}, registry.InvalidParameterValue, "cannot be read"},
		"params": {
			"xgb_booster",
			[2]string{"params: null", `params: '[{"name": "output_margin", "type": "boolean", "default": false, "shape": null}]'`},
			registry.NotImplemented, "output_margin",
		},
		"proba": {"sklearn_xgb", [2]string{"predict_fn: predict", "predict_fn: decision_function"}, registry.NotImplemented, "has no decision_function"},
		"skops": {"lgb_classifier", [2]string{"serialization_format: skops", "serialization_format: other"}, registry.NotImplemented, "serialization_format other"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(root, c.model, "MLmodel")
			good, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			changed := strings.ReplaceAll(string(good), c.change[0], c.change[1])
			if changed == string(good) {
				t.Fatalf("the MLmodel file has no %q:\n%s", c.change[0], good)
			}
			if err := os.WriteFile(path, []byte(changed), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err = serving.Load(t.Context(), &folder{root: root}, c.model)
			if err := os.WriteFile(path, good, 0o600); err != nil {
				t.Fatal(err)
			}
			if b := registry.Body(err); err == nil || b.Code != c.code || !strings.Contains(b.Message, c.contains) {
				t.Errorf("%v, want %s with %q", err, c.code, c.contains)
			}
		})
	}
}
