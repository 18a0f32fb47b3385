package python_test

import (
	"testing"

	"github.com/prinzbox/prinzbox/clients/venv"
	"github.com/prinzbox/prinzbox/prinzbox"
)

// TestMultipartClient: MLflow's client moves large artifacts in parts straight to the S3 server where it is told that it can, and through the
// proxy where it cannot, without being set up for either.
func TestMultipartClient(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: real clients take a minute")
	}
	t.Parallel()
	python := venv.Python(t, "3.17.2")
	small := []string{
		"MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE=1000", "MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE=5242880",
		"MLFLOW_MULTIPART_DOWNLOAD_MINIMUM_FILE_SIZE=1000", "MLFLOW_MULTIPART_DOWNLOAD_CHUNK_SIZE=5242880",
	}
	bucket := prinzbox.Start(t, func(c *prinzbox.Config) { c.Seed = false })
	folder := prinzbox.Start(t, func(c *prinzbox.Config) { c.Seed, c.ArtifactsDestination = false, t.TempDir() })
	venv.Script(t, python, "testdata/large_artifacts.py", bucket, append(small, "MULTIPART=yes")...)
	venv.Script(t, python, "testdata/large_artifacts.py", folder, append(small, "MULTIPART=no")...)
	// Told to try all the same, it falls back.
	venv.Script(t, python, "testdata/large_artifacts.py", folder, append(small, "MULTIPART=no", "MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD=true", "MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD=true")...)
}
