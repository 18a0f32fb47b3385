package prinzbox_test

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
)

// minio-go puts, gets and lists, up to 64 MiB in parts; the artifact proxy gives the same bytes.
func TestMinioGo(t *testing.T) {
	t.Parallel()
	env := shared(t)
	s3 := s3Client(t, env.Ready())
	ctx := t.Context()
	var seed [32]byte
	data := make([]byte, 64<<20)
	_, _ = rand.NewChaCha8(seed).Read(data) // never fails
	for key, size := range map[string]int{"minio-go/empty": 0, "minio-go/a b/é+%.bin": 5000, "minio-go/large": len(data)} {
		want := data[:size]
		put, err := s3.PutObject(ctx, "mlflow", key, bytes.NewReader(want), int64(size), minio.PutObjectOptions{PartSize: 16 << 20, ContentType: "text/x-test"})
		if err != nil {
			t.Fatalf("%s: %v", key, err)
		}
		o, err := s3.GetObject(ctx, "mlflow", key, minio.GetObjectOptions{})
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(o)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes of %d came back, %v", key, len(got), size, err)
		}
		if stat, err := o.Stat(); err != nil || stat.ETag != put.ETag || stat.ContentType != "text/x-test" {
			t.Errorf("%s: %+v, %v", key, stat, err)
		}
		proxied := call(t, "GET", env.TrackingURI()+"/api/2.0/mlflow-artifacts/artifacts/"+(&url.URL{Path: key}).EscapedPath(), "")
		if proxied.status != 200 || proxied.body != string(want) {
			t.Errorf("%s through the proxy: %d, %d bytes of %d", key, proxied.status, len(proxied.body), size)
		}
	}
	var keys []string
	for o := range s3.ListObjects(ctx, "mlflow", minio.ListObjectsOptions{Prefix: "minio-go/", Recursive: true}) {
		if o.Err != nil {
			t.Fatal(o.Err)
		}
		keys = append(keys, o.Key)
	}
	if want := []string{"minio-go/a b/é+%.bin", "minio-go/empty", "minio-go/large"}; !slices.Equal(keys, want) {
		t.Errorf("listed %q, want %q", keys, want)
	}
	signed, err := s3.PresignedGetObject(ctx, "mlflow", "minio-go/a b/é+%.bin", time.Minute, nil)
	if err != nil {
		t.Fatal(err)
	}
	if a := call(t, "GET", signed.String(), ""); a.status != 200 || a.body != string(data[:5000]) {
		t.Errorf("presigned: %d %.200s", a.status, a.body)
	}
	expired, err := s3.PresignedGetObject(ctx, "mlflow", "minio-go/empty", time.Second, nil)
	if err != nil {
		t.Fatal(err)
	}
	r := env.Ready()
	r.SecretKey = "wrong"
	if _, err := s3Client(t, r).StatObject(ctx, "mlflow", "minio-go/empty", minio.StatObjectOptions{}); minio.ToErrorResponse(err).StatusCode != 403 {
		t.Errorf("wrong secret: %v", err)
	}
	if err := s3.RemoveObject(ctx, "mlflow", "minio-go/large", minio.RemoveObjectOptions{}); err != nil {
		t.Error(err)
	}
	time.Sleep(2100 * time.Millisecond)
	if a := call(t, "GET", expired.String(), ""); a.status != 403 {
		t.Errorf("expired address: %d %.200s", a.status, a.body)
	} else {
		checkS3Error(t, "expired address", a, 403, "AccessDenied")
	}
}
