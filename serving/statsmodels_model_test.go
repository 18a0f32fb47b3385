package serving_test

import (
	"encoding/json"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prinzbox/prinzbox/registry"
	"github.com/prinzbox/prinzbox/serving"
)

// TestStatsmodelsAsMLflowSavesIt serves the model directories that MLflow saved of statsmodels 0.12 to 0.15,
// and compares the answers with those of MLflow's scoring server (testdata/make_statsmodels.py).
func TestStatsmodelsAsMLflowSavesIt(t *testing.T) {
	refused := map[string]string{
		"ols_formula": "formula", "logit_formula": "formula", "negative_binomial": "NegativeBinomial", "glm_nbinom_link": "the link", "mnlogit": "MNLogit", "mixed": "MixedLM", "gee": "is not read",
		"arima": "is not", "glm_exposure": "params of type pandas",
	}
	constants := strings.NewReplacer("NaN", "null", "-Infinity", "null", "Infinity", "null") // as the script writes them
	paths, err := filepath.Glob("testdata/sm-*.zip")
	if err != nil || len(paths) != 3 {
		t.Fatalf("fixtures: %v %v", paths, err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".zip"), func(t *testing.T) {
			cases, objects, server, url := serveFixture(t, path, 300)
			for _, m := range cases {
				reason := refused[m.Model]
				if m.Model == "glm_exposure" && strings.Contains(path, "0.15") { // an array there
					reason = ""
				}
				if reason != "" {
					_, err := serving.Load(t.Context(), objects, m.Model)
					if b := registry.Body(err); b.Code != registry.NotImplemented || !strings.Contains(b.Message, reason) {
						t.Errorf("%s: %v, want a reason with %q", m.Model, err, reason)
					}
					continue
				}
				status, _, body := post(t, url+"/"+m.Model+"/invocations", "application/json", string(m.Body))
				// Before 2.6 MLflow answered 500 for data that does not fit the signature.
				if status != min(m.Status, http.StatusBadRequest) {
					t.Errorf("%s: %s\n%d %s, want %d %v %s", m.Model, m.Body, status, body, m.Status, m.Answer, m.Error)
					continue
				}
				if status != http.StatusOK {
					continue
				}
				var answer any
				if err := json.Unmarshal([]byte(constants.Replace(body)), &answer); err != nil || !near(answer, m.Answer, 1e-9) {
					t.Errorf("%s: %s\nanswers\n%v, want\n%v %v", m.Model, m.Body, body, m.Answer, err)
				}
				info, err := server.Describe(t.Context(), m.Model, "")
				if err != nil || !info.Native || info.Estimator != m.Class || info.Flavor != "statsmodels" {
					t.Errorf("%s is described as %s %s (native %v): %v", m.Model, info.Flavor, info.Estimator, info.Native, err)
				}
			}
		})
	}
}
