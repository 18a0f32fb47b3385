package java_test

import (
	"testing"

	"github.com/prinzbox/prinzbox/prinzbox"
)

// MinIO's Java client, the release that Prinz uses and the newest, does what the clients in clients/s3clients do, over http and https.
func TestMinIOJavaMatrix(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: real clients take a minute")
	}
	for _, scheme := range []string{"http", "https"} {
		t.Run(scheme, func(t *testing.T) {
			env := prinzbox.Start(t, func(c *prinzbox.Config) {
				c.Seed = false
				c.TLS.SelfSigned = scheme == "https"
				if c.TLS.SelfSigned {
					c.Data = t.TempDir() // where the certificate is
				}
			})
			var trust []string
			if bundle := env.Ready().CABundle; bundle != "" {
				trust = []string{"SSL_CERT_FILE=" + bundle} // where MinIO's client looks
			}
			t.Run("8.0.0", func(t *testing.T) { run(t, "minio-8.0.0", "S3Release8", env, append(trust, "S3_BUCKET=matrix-8")...) })
			t.Run("9.0.4", func(t *testing.T) { run(t, "minio-9.0.4", "S3Release9", env, append(trust, "S3_BUCKET=matrix-9")...) })
		})
	}
}
