package prinzbox_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/minio/minio-go/v7/pkg/signer"

	"github.com/prinzbox/prinzbox/prinzbox"
)

// trusting is a client that trusts what the environment's bundle holds.
func trusting(t *testing.T, env *prinzbox.Env) *http.Client {
	t.Helper()
	text, err := os.ReadFile(env.Ready().CABundle)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		t.Fatal("the bundle holds no certificate")
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, DisableCompression: true, ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 30 * time.Second}
}

func get(t *testing.T, c *http.Client, address string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	return send(t, c, r)
}

func send(t *testing.T, c *http.Client, r *http.Request) answer {
	t.Helper()
	resp, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, string(text)}
}

// Everything is https with a certificate of its own, and clients that trust its root reach it by name and by address.
func TestSelfSigned(t *testing.T) {
	t.Parallel()
	env := prinzbox.Start(t, func(c *prinzbox.Config) { c.TLS.SelfSigned, c.Seed = true, false })
	r := env.Ready()
	for name, address := range map[string]string{"MLflow": r.TrackingURI, "GUI": r.GUIURL, "S3": r.S3Endpoint, "static": r.StaticURL} {
		if !strings.HasPrefix(address, "https://127.0.0.1:") {
			t.Errorf("%s: %s", name, address)
		}
	}
	vars := map[string]string{}
	for _, v := range r.Env() {
		vars[v.Name] = v.Value
	}
	for _, name := range []string{"AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "MLFLOW_TRACKING_SERVER_CERT_PATH"} {
		if vars[name] != r.CABundle || r.CABundle == "" {
			t.Errorf("%s=%s", name, vars[name])
		}
	}
	if info, err := os.Stat(filepath.Join(filepath.Dir(r.CABundle), "key.pem")); err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("the key: %v %v", info, err)
	}
	c := trusting(t, env)
	byName := strings.Replace(r.TrackingURI, "127.0.0.1", "localhost", 1)
	for _, address := range []string{r.TrackingURI + "/health", byName + "/health", r.StaticURL + "/static/int", r.S3Endpoint + "/minio/health/live"} {
		if a := get(t, c, address); a.status != 200 {
			t.Errorf("%s: %+v", address, a)
		}
	}
	if _, err := client.Get(r.TrackingURI + "/health"); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("a client that does not trust it: %v", err)
	}
	if a := call(t, "GET", strings.Replace(r.TrackingURI, "https:", "http:", 1)+"/health", ""); a.status != 400 {
		t.Errorf("plain http: %+v", a)
	}
	// minio-go, with trailers over TLS.
	s3, err := minio.New(strings.TrimPrefix(r.S3Endpoint, "https://"), &minio.Options{
		Creds: credentials.NewStaticV4(r.AccessKey, r.SecretKey, ""), Secure: true, Transport: c.Transport, TrailingHeaders: true, Region: r.Region,
	})
	if err != nil {
		t.Fatal(err)
	}
	data := bytes.Repeat([]byte("0123456789abcdef"), 1<<20) // 16 MiB, in parts
	if _, err := s3.PutObject(t.Context(), r.Bucket, "tls", bytes.NewReader(data), int64(len(data)), minio.PutObjectOptions{PartSize: 5 << 20}); err != nil {
		t.Fatal(err)
	}
	o, err := s3.GetObject(t.Context(), r.Bucket, "tls", minio.GetObjectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(o); err != nil || !bytes.Equal(got, data) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	// What boto3 sends over TLS: chunks with a trailer, and no Content-Length. crc32 of "hello" is 3610a686.
	put, err := http.NewRequestWithContext(t.Context(), http.MethodPut, r.S3Endpoint+"/"+r.Bucket+"/chunked", io.MultiReader(strings.NewReader("5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n")))
	if err != nil {
		t.Fatal(err)
	}
	put.Header.Set("X-Amz-Content-Sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER")
	put.Header.Set("X-Amz-Decoded-Content-Length", "5")
	put.Header.Set("X-Amz-Trailer", "x-amz-checksum-crc32")
	put.Header.Set("Content-Encoding", "aws-chunked")
	if a := send(t, c, signer.SignV4(*put, r.AccessKey, r.SecretKey, "", r.Region)); a.status != 200 {
		t.Errorf("chunked: %+v", a)
	}
	u, err := s3.PresignedGetObject(t.Context(), r.Bucket, "chunked", time.Minute, nil)
	if err != nil {
		t.Fatal(err)
	}
	if a := get(t, c, u.String()); a.status != 200 || a.body != "hello" {
		t.Errorf("presigned: %+v", a)
	}
	// The server's own presigned URLs are https too.
	a := get(t, c, r.TrackingURI+"/api/2.0/mlflow-artifacts/presigned/chunked")
	if a.status == 200 && !strings.Contains(a.body, r.S3Endpoint) {
		t.Errorf("%+v", a)
	}
	// A policy can ask for it.
	if err := env.Objects().SetBucketPolicy(t.Context(), r.Bucket, `{"Statement":{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::`+r.Bucket+`/chunked",
		"Condition":{"Bool":{"aws:SecureTransport":"true"},"NumericGreaterThanEquals":{"s3:TlsVersion":"1.2"}}}}`); err != nil {
		t.Fatal(err)
	}
	if a := get(t, c, r.S3Endpoint+"/"+r.Bucket+"/chunked"); a.status != 200 || a.body != "hello" {
		t.Errorf("by policy: %+v", a)
	}
}

// The certificate stays as long as it serves, so that clients trust it after a restart, and can be brought along.
func TestCertificateIsKept(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	open := func(change func(*prinzbox.Config)) *prinzbox.Env {
		c := prinzbox.Config{Data: dir, TLS: prinzbox.TLS{SelfSigned: true}, Durability: "off"}
		change(&c)
		env, err := prinzbox.Open(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		return env
	}
	root := func() string {
		text, err := os.ReadFile(filepath.Join(dir, "tls", "ca.pem"))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	env := open(func(*prinzbox.Config) {})
	first := root()
	if err := env.Close(); err != nil {
		t.Fatal(err)
	}
	env = open(func(*prinzbox.Config) {})
	if root() != first {
		t.Error("the certificate was made anew for nothing")
	}
	if err := env.Close(); err != nil {
		t.Fatal(err)
	}
	env = open(func(c *prinzbox.Config) {
		c.S3PublicURL, c.AllowedHosts = "https://s3.example.test", []string{"box.example.test:5000", "*"}
	})
	if root() == first {
		t.Error("the certificate is not for the new names")
	}
	c := trusting(t, env)
	c.Transport.(*http.Transport).TLSClientConfig.ServerName = "bucket.s3.example.test"
	if a := get(t, c, env.TrackingURI()+"/health"); a.status != 200 {
		t.Errorf("%+v", a)
	}
	if err := env.Close(); err != nil {
		t.Fatal(err)
	}
	// As files of one's own.
	tlsDir := filepath.Join(dir, "tls")
	own := prinzbox.Start(t, func(c *prinzbox.Config) {
		c.Seed, c.TLS = false, prinzbox.TLS{CertFile: filepath.Join(tlsDir, "cert.pem"), KeyFile: filepath.Join(tlsDir, "key.pem")}
	})
	if own.Ready().CABundle != "" {
		t.Errorf("a bundle for a certificate that was brought: %s", own.Ready().CABundle)
	}
	if a := get(t, c, own.TrackingURI()+"/health"); a.status != 200 {
		t.Errorf("%+v", a)
	}
	for text, bad := range map[string]prinzbox.TLS{
		"belong together": {CertFile: "x"}, "use one of them": {SelfSigned: true, CertFile: "x", KeyFile: "y"}, "--tls-cert": {CertFile: filepath.Join(tlsDir, "none.pem"), KeyFile: "y"},
	} {
		if env, err := prinzbox.Open(t.Context(), prinzbox.Config{TLS: bad}); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%+v: %v", bad, err)
			if env != nil {
				_ = env.Close()
			}
		}
	}
}

// Further keys do what they are for, and their secrets are shown to nobody.
func TestS3Keys(t *testing.T) {
	t.Parallel()
	env := prinzbox.Start(t, func(c *prinzbox.Config) {
		c.Seed = false
		c.S3Keys = []prinzbox.S3Key{{AccessKey: "writer", Secret: "writer-secret"}, {AccessKey: "reader", Secret: "reader-secret", ReadOnly: true}}
	})
	r := env.Ready()
	as := func(access, secret string) *minio.Client {
		r.AccessKey, r.SecretKey = access, secret
		return s3Client(t, r)
	}
	put := func(c *minio.Client) error {
		_, err := c.PutObject(t.Context(), r.Bucket, "keys", strings.NewReader("x"), 1, minio.PutObjectOptions{})
		return err
	}
	if err := put(as("writer", "writer-secret")); err != nil {
		t.Error(err)
	}
	reader := as("reader", "reader-secret")
	if _, err := reader.StatObject(t.Context(), r.Bucket, "keys", minio.StatObjectOptions{}); err != nil {
		t.Error(err)
	}
	for name, err := range map[string]error{
		"put": put(reader), "delete": reader.RemoveObject(t.Context(), r.Bucket, "keys", minio.RemoveObjectOptions{}), "bucket": reader.MakeBucket(t.Context(), "other", minio.MakeBucketOptions{}),
		"policy": reader.SetBucketPolicy(t.Context(), r.Bucket, `{"Statement":{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::`+r.Bucket+`/*"}}`),
		"secret": put(as("writer", "reader-secret")), "nobody": put(as("nobody", "writer-secret")),
	} {
		if minio.ToErrorResponse(err).StatusCode != 403 {
			t.Errorf("%s: %v", name, err)
		}
	}
	if keys := env.S3Keys(); len(keys) != 3 || keys[0].AccessKey != prinzbox.DefaultAccessKey || keys[1].AccessKey != "reader" || !keys[1].ReadOnly || keys[2].Secret != "writer-secret" {
		t.Errorf("%v", keys)
	}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("keys", "one", env.S3Keys()[1])
	for _, text := range []string{log.String(), fmt.Sprint(env.S3Keys()), fmt.Sprintf("%+v %#v", env.S3Keys(), env.S3Keys())} {
		if strings.Contains(text, "secret") || !strings.Contains(text, "reader") {
			t.Error(text)
		}
	}
	for text, want := range map[string]string{"a": "ACCESS:SECRET", "ab:12345678": "3 characters", "abc:1234567": "8 characters", "a/bc:12345678": "slash", "abc:1234567:ro": "8 characters"} {
		if _, err := prinzbox.ParseS3Key(text); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "1234567") {
			t.Errorf("%s: %v", text, err)
		}
	}
	if k, err := prinzbox.ParseS3Key("abc:1234:5678:ro"); err != nil || k.Secret != "1234:5678" || !k.ReadOnly {
		t.Errorf("%#v %v", k, err)
	}
	for _, twice := range []string{"twice", prinzbox.DefaultAccessKey} {
		k := prinzbox.S3Key{AccessKey: twice, Secret: "12345678"}
		if env, err := prinzbox.Open(t.Context(), prinzbox.Config{S3Keys: []prinzbox.S3Key{k, k}}); err == nil || !strings.Contains(err.Error(), "two keys") {
			t.Errorf("%s: %v", twice, err)
			if env != nil {
				_ = env.Close()
			}
		}
	}
}

// A page of an allowed origin can put to a presigned address; another's browser is told that it may not.
func TestPresignedPutFromPage(t *testing.T) {
	t.Parallel()
	env := prinzbox.Start(t, func(c *prinzbox.Config) { c.Seed, c.AllowedOrigins = false, []string{"https://app.example.test"} })
	r := env.Ready()
	u, err := s3Client(t, r).PresignedPutObject(t.Context(), r.Bucket, "page", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	main, err := url.Parse(r.TrackingURI)
	if err != nil {
		t.Fatal(err)
	}
	check := func(origin string, allowed bool) {
		t.Helper()
		status, want := 200, origin
		if !allowed {
			status, want = 403, ""
		}
		a := call(t, "OPTIONS", u.String(), "", "Origin", origin, "Access-Control-Request-Method", "PUT", "Access-Control-Request-Headers", "content-type")
		if a.status != status || a.header.Get("Access-Control-Allow-Origin") != want {
			t.Errorf("preflight from %s: %+v", origin, a)
		}
		a = call(t, "PUT", u.String(), "data", "Origin", origin)
		if a.status != 200 || a.header.Get("Access-Control-Allow-Origin") != want {
			t.Errorf("put from %s: %+v", origin, a)
		}
	}
	check("https://app.example.test", true)
	check("http://localhost:3000", true)
	check("http://"+main.Host, true)
	check("https://elsewhere.example.test", false)
	check("null", false)
	// A bucket's rules say more, and less.
	if err := env.Objects().SetBucketCORS(t.Context(), r.Bucket, `<CORSConfiguration><CORSRule><AllowedOrigin>https://elsewhere.example.test</AllowedOrigin>
		<AllowedMethod>PUT</AllowedMethod><AllowedHeader>*</AllowedHeader></CORSRule></CORSConfiguration>`); err != nil {
		t.Fatal(err)
	}
	check("https://elsewhere.example.test", true)
	check("https://app.example.test", true)
	check("http://"+main.Host, true)
	check("http://localhost:3000", false)
}

// The commands take the flags, pass the addresses and the file to trust on, and never repeat a secret.
func TestKeysAndTLSFlags(t *testing.T) {
	needShell(t)
	t.Parallel()
	code, stdout, stderr := runCommand(t, []string{"PRINZBOX_S3_KEY=one:one-secret two:two-secret:ro"}, "exec", "--no-seed", "--tls", "self-signed", "--",
		"sh", "-c", `echo "$MLFLOW_TRACKING_URI $AWS_ENDPOINT_URL_S3 $PRINZBOX_STATIC_URL"; test -s "$AWS_CA_BUNDLE" && echo "$REQUESTS_CA_BUNDLE" && echo "$MLFLOW_TRACKING_SERVER_CERT_PATH"`)
	if lines := strings.Split(stdout, "\n"); code != 0 || strings.Count(lines[0], "https://127.0.0.1:") != 3 || len(lines) != 4 || lines[1] == "" || lines[1] != lines[2] {
		t.Errorf("exit code %d, stdout %q, stderr %q", code, stdout, stderr)
	}
	data := t.TempDir()
	code, stdout, _ = runCommand(t, nil, "env", "--data", data, "--tls", "self-signed")
	if code != 0 || !strings.Contains(stdout, "MLFLOW_TRACKING_URI=https://127.0.0.1:5000\n") || !strings.Contains(stdout, "AWS_CA_BUNDLE="+filepath.Join(data, "tls", "ca-bundle.pem")+"\n") {
		t.Errorf("env: %d %q", code, stdout)
	}
	for _, tc := range []struct {
		env, args []string
		say       string
	}{
		{args: []string{"--tls", "on"}, say: "--tls on: use self-signed"},
		{args: []string{"--tls-cert", "x"}, say: "belong together"},
		{args: []string{"--tls", "self-signed", "--tls-cert", "x", "--tls-key", "y"}, say: "use one of them"},
		{args: []string{"--s3-key", "verysecret"}, say: "write ACCESS:SECRET"},
		{args: []string{"--s3-key", "a:verysecret"}, say: "3 characters"},
		{args: []string{"--s3-key", "mlflow-key:verysecret"}, say: "two keys"},
		{args: []string{"--s3-key", "abc:verysecret", "--s3-key", "abc:verysecret:ro"}, say: "two keys"},
		{args: []string{"--s3-key", ""}, say: "write ACCESS:SECRET"},
		{env: []string{"PRINZBOX_S3_KEY=verysecret"}, say: "write ACCESS:SECRET"},
	} {
		code, stdout, stderr := runCommand(t, tc.env, append([]string{"serve", "--ephemeral"}, tc.args...)...)
		if code != 2 || stdout != "" || !strings.Contains(stderr, tc.say) || strings.Contains(stderr, "verysecret") {
			t.Errorf("%q %q: exit code %d, stderr %q", tc.env, tc.args, code, stderr)
		}
	}
}
