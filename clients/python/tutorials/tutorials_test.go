// Package tutorials_test does the work of MLflow's public quickstarts and tutorials, as far as they need no network, with unmodified clients.
package tutorials_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/prinzbox/prinzbox/clients/venv"
	"github.com/prinzbox/prinzbox/prinzbox"
)

// Each script follows the documented calls of one tutorial and asserts what comes of them. All pass against MLflow's own server too. With 2.22.5
// run those in which the client's calls differ most from those of 3.x.
func TestTutorials(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: real clients take minutes")
	}
	t.Parallel()
	for mlflow, scripts := range map[string][]string{
		"3.17.2": {
			"quickstart", "first_model", "tuning", "registry", "evaluate", "tracing", "artifacts", "prompts", "genai", "cli", "autolog", "otel",
		},
		"2.22.5": {"quickstart", "registry", "evaluate", "tracing"},
	} {
		t.Run(mlflow, func(t *testing.T) {
			t.Parallel()
			python := venv.Python(t, mlflow)
			// An activated environment: a project's command is "python …".
			path := "PATH=" + filepath.Dir(python) + string(os.PathListSeparator) + os.Getenv("PATH")
			env := prinzbox.Start(t) // one for all, as a user's server is
			for _, name := range scripts {
				t.Run(name, func(t *testing.T) {
					venv.Script(t, python, "testdata/"+name+".py", env, "MPLBACKEND=agg", path)
				})
			}
		})
	}
}
