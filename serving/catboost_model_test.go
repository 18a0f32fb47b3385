package serving_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/prinzbox/prinzbox/registry"
	"github.com/prinzbox/prinzbox/serving"
)

// TestCatBoostAsMLflowSavesIt serves the model directories that MLflow 1.30 and 3.17 saved of CatBoost models,
// and compares the answers with those of mlflow.pyfunc (testdata/make_catboost_served.py).
func TestCatBoostAsMLflowSavesIt(t *testing.T) {
	refused := map[string]string{"json": "save_format", "statistics": "statistics of categorical features", "sklearn_pipeline": "CatBoostRegressor"}
	for _, release := range []string{"1.30.1", "3.17.2"} {
		t.Run(release, func(t *testing.T) {
			cases, objects, server, url := serveFixture(t, "testdata/cbm-mlflow-"+release+".zip", 16)
			for _, m := range cases {
				status, _, body := post(t, url+"/"+m.Model+"/invocations", "application/json", string(m.Body))
				if reason := refused[m.Model]; reason != "" {
					_, err := serving.Load(t.Context(), objects, m.Model)
					if b := registry.Body(err); b.Code != registry.NotImplemented || !strings.Contains(b.Message, reason) {
						t.Errorf("%s: %v, want a reason with %q", m.Model, err, reason)
					}
					continue
				}
				var answer struct{ Predictions any }
				if err := json.Unmarshal([]byte(body), &answer); err != nil || status != http.StatusOK {
					t.Errorf("%s: %d %s", m.Model, status, body)
					continue
				}
				if !near(answer.Predictions, m.Predictions, 1e-9) {
					t.Errorf("%s answers\n%v, want\n%v", m.Model, answer.Predictions, m.Predictions)
				}
				info, err := server.Describe(t.Context(), m.Model, "")
				if err != nil || !info.Native || info.Estimator != m.Class || (info.Flavor == "sklearn") != strings.HasPrefix(m.Model, "sklearn") {
					t.Errorf("%s is described as %s %s (native %v): %v", m.Model, info.Flavor, info.Estimator, info.Native, err)
				}
			}
		})
	}
}
