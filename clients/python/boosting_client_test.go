package python_test

import (
	"testing"

	"github.com/prinzbox/prinzbox/clients/venv"
	"github.com/prinzbox/prinzbox/prinzbox"
)

// XGBoost and LightGBM models that MLflow's client logs and registers answer at once what mlflow.pyfunc answers, without a Python at the server.
func TestBoostingModels(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: real clients take a minute")
	}
	t.Parallel()
	env := prinzbox.Start(t, func(c *prinzbox.Config) { c.Seed = false })
	venv.Script(t, venv.Python(t, "boosting-3.17.2"), "testdata/boosting.py", env)
}
