// Package s3clients_test runs the S3 clients that people use, unmodified, against prinzbox, over http and https.
package s3clients_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/prinzbox/prinzbox/clients/venv"
	"github.com/prinzbox/prinzbox/prinzbox"
)

// all is what every client can do that has all of S3; others tell less.
const all = "put, get, metadata, ranges, multipart, copy, list, tagging, presigned, delete, batch delete, bucket"

// eachScheme runs a test against an environment over http, and one over https with a certificate of its own.
func eachScheme(t *testing.T, run func(t *testing.T, env *prinzbox.Env)) {
	if testing.Short() {
		t.Skip("-short: real clients take a minute")
	}
	for _, scheme := range []string{"http", "https"} {
		t.Run(scheme, func(t *testing.T) {
			run(t, prinzbox.Start(t, func(c *prinzbox.Config) {
				c.Seed = false
				c.TLS.SelfSigned = scheme == "https"
				if c.TLS.SelfSigned {
					c.Data = t.TempDir() // where the certificate is
				}
			}))
		})
	}
}

// proved fails unless a client has proved just what it should.
func proved(t *testing.T, got, want string) {
	t.Helper()
	have, must := strings.Split(strings.TrimSpace(got), "\n"), strings.Split(want, ", ")
	slices.Sort(have)
	slices.Sort(must)
	if !slices.Equal(have, must) {
		t.Errorf("proved %q, want %q", have, must)
	}
}

// TestPythonClients runs those that come from PyPI.
func TestPythonClients(t *testing.T) {
	eachScheme(t, func(t *testing.T, env *prinzbox.Env) {
		for _, c := range []struct{ name, packages, proves string }{
			{"boto3", "3.17.2", all + ", checksums, versions, refusals"},
			{"mlflow", "3.17.2", "put, get, list, multipart, batch delete"},
			{"pyarrow", "3.17.2", "put, get, metadata, ranges, multipart, copy, list, parquet, delete, batch delete, bucket"},
			{"minio", "s3-clients", all + ", policy, versions"},
			{"s3fs", "s3-clients", all},
			{"awscli", "s3-clients", all + ", sync, refusals"},
			{"rclone", "s3-clients", strings.ReplaceAll(all, ", tagging", "") + ", sync"},
			{"duckdb", "s3-clients", "put, get, ranges, list, multipart"},
		} {
			t.Run(c.name, func(t *testing.T) {
				out := venv.Script(t, venv.Python(t, c.packages), "testdata/"+c.name+"_client.py", env, "S3_BUCKET=matrix-"+c.name, "PYTHONDONTWRITEBYTECODE=1")
				if !t.Failed() {
					proved(t, string(out), c.proves)
				}
			})
		}
	})
}
