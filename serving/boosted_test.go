package serving_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prinzbox/prinzbox/registry"
	"github.com/prinzbox/prinzbox/serving"
)

const boostedMLmodel = `flavors:
  python_function:
    loader_module: mlflow.sklearn
    predict_fn: %s
  sklearn:
    pickled_model: %s
    serialization_format: %s
`

// boosted lays a model directory of a file in a folder of fixtures.
func boosted(t *testing.T, root, file, fn string) string {
	t.Helper()
	dir := fmt.Sprintf("%s-%s", file, fn)
	if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(filepath.Join(root, file), filepath.Join(root, dir, file)); err != nil {
		t.Fatal(err)
	}
	format := filepath.Ext(file)[1:]
	if err := os.WriteFile(filepath.Join(root, dir, "MLmodel"), fmt.Appendf(nil, boostedMLmodel, fn, file, format), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestBoosted scores estimators of XGBoost and LightGBM inside those of scikit-learn as Python does (testdata/make_boosted.py).
func TestBoosted(t *testing.T) {
	for _, release := range []string{"1.2.2", "1.9.1"} {
		t.Run(release, func(t *testing.T) {
			root := unzip(t, "testdata/boosted-"+release+".zip")
			text, err := os.ReadFile(filepath.Join(root, "cases.json"))
			if err != nil {
				t.Fatal(err)
			}
			var cases []struct {
				Name, Fn, Class string
				Formats         []string
				Body            json.RawMessage
				Expected        any
			}
			if err := json.Unmarshal(text, &cases); err != nil || len(cases) < 70 {
				t.Fatal(len(cases), err)
			}
			c, objects := catalog{}, &folder{root: root}
			server := serving.New(serving.Config{Catalog: c, Objects: objects})
			defer server.Close() //nolint:errcheck // nothing waits
			for _, want := range cases {
				for _, format := range want.Formats {
					dir := boosted(t, root, want.Name+"."+format, want.Fn)
					c[dir] = versions(dir, dir)
					body, status := server.Score(t.Context(), dir, "", want.Body, "application/json")
					var answer struct{ Predictions any }
					if err := json.Unmarshal(body, &answer); err != nil || status != 200 {
						t.Errorf("%s: %d %.400s", dir, status, body)
						continue
					}
					if !near(answer.Predictions, want.Expected, 1e-6) {
						t.Errorf("%s answers\n%.600v, want\n%.600v", dir, answer.Predictions, want.Expected)
					}
					if info, err := server.Describe(t.Context(), dir, ""); err != nil || !info.Native || info.Estimator != want.Class {
						t.Errorf("%s is described as %s (native %v): %v", dir, info.Estimator, info.Native, err)
					}
				}
			}
		})
	}
}

// TestBoostedRefused holds what estimators inside others are refused for: loading never guesses.
func TestBoostedRefused(t *testing.T) {
	root := unzip(t, "testdata/boosted-1.2.2.zip")
	read := func(file string) string {
		text, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	for name, c := range map[string]struct {
		file, fn string
		change   [2]string
		contains string
	}{
		"method":         {"xgb_scaled.pickle", "decision_function", [2]string{}, "has no decision_function"},
		"no class":       {"xgb_scaled.pickle", "predict", [2]string{"XGBRegressor", "XGBRegressoR"}, "XGBRegressoR is not supported"},
		"sparse unknown": {"refused_function.pickle", "predict", [2]string{}, "whether it gets one from the steps before it is not known"},
		"no booster":     {"lgb_scaled.pickle", "predict", [2]string{"tree\nversion=v3", "tree\nversion=v9"}, "version=v9"},
	} {
		t.Run(name, func(t *testing.T) {
			changed := read(c.file)
			if c.change[0] != "" {
				if changed = strings.ReplaceAll(changed, c.change[0], c.change[1]); changed == read(c.file) {
					t.Fatalf("%s has no %q", c.file, c.change[0])
				}
			}
			file := "changed-" + strings.ReplaceAll(name, " ", "-") + ".pickle"
			if err := os.WriteFile(filepath.Join(root, file), []byte(changed), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := serving.Load(t.Context(), &folder{root: root}, boosted(t, root, file, c.fn))
			if b := registry.Body(err); err == nil || b.Code != registry.NotImplemented || !strings.Contains(b.Message, c.contains) {
				t.Errorf("%v, want NOT_IMPLEMENTED with %q", err, c.contains)
			}
		})
	}
}
