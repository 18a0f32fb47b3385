package python_test

import (
	"testing"

	"github.com/prinzbox/prinzbox/clients/venv"
	"github.com/prinzbox/prinzbox/prinzbox"
)

// The unmodified MLflow clients of three generations do their daily work.
func TestMLflowClients(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: real clients take a minute")
	}
	t.Parallel()
	for _, mlflow := range []string{"3.17.2", "2.22.5", "1.30.1"} {
		t.Run(mlflow, func(t *testing.T) {
			t.Parallel()
			python := venv.Python(t, mlflow)
			proxied := prinzbox.Start(t)
			direct := prinzbox.Start(t, func(c *prinzbox.Config) {
				c.Seed = false
				c.DefaultArtifactRoot = "s3://mlflow"
			})
			for name, run := range map[string]func(*testing.T){
				"tracking": func(t *testing.T) {
					venv.Script(t, python, "testdata/tracking.py", proxied, "ARTIFACT_SCHEME=mlflow-artifacts")
				},
				"models":  func(t *testing.T) { venv.Script(t, python, "testdata/models.py", proxied) },
				"samples": func(t *testing.T) { venv.Script(t, python, "testdata/samples.py", proxied) },
				// Prinz's own arrangement: the client itself talks to S3.
				"tracking with S3": func(t *testing.T) { venv.Script(t, python, "testdata/tracking.py", direct, "ARTIFACT_SCHEME=s3") },
				"models with S3":   func(t *testing.T) { venv.Script(t, python, "testdata/models.py", direct) },
			} {
				t.Run(name, run)
			}
		})
	}
}

// boto3 stores and reads; what it stored is what the artifact proxy gives, and the other way round.
func TestBoto3(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: real clients take a minute")
	}
	t.Parallel()
	venv.Script(t, venv.Python(t, "3.17.2"), "testdata/objects.py", prinzbox.Start(t))
}
