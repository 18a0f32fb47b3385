package artifacts_test

import (
	"bytes"
	"io"
	"testing"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// The real minio-go client, with signed chunks and with trailers: what it puts is what comes back.
func TestMinioClient(t *testing.T) {
	for name, trailing := range map[string]bool{"chunks": false, "trailers": true} {
		t.Run(name, func(t *testing.T) {
			s := newS3(t)
			client, err := minio.New(s.host, &minio.Options{
				Creds: credentials.NewStaticV4(accessKey, secretKey, ""), TrailingHeaders: trailing,
			})
			if err != nil {
				t.Fatal(err)
			}
			ctx := t.Context()
			if ok, err := client.BucketExists(ctx, "mlflow"); !ok || err != nil {
				t.Fatal(ok, err)
			}
			if err := client.MakeBucket(ctx, "other", minio.MakeBucketOptions{}); err != nil {
				t.Fatal(err)
			}
			for _, size := range []int{0, 1, 4096, 4097, 100_000, 64 << 20} {
				data := noise(size, 7)
				put, err := client.PutObject(ctx, "mlflow", "a b/é+%.bin", bytes.NewReader(data), int64(size),
					minio.PutObjectOptions{PartSize: 16 << 20, ContentType: "x/y", UserMetadata: map[string]string{"colour": "red"}})
				if err != nil {
					t.Fatalf("put %d: %v", size, err)
				}
				o, err := client.GetObject(ctx, "mlflow", "a b/é+%.bin", minio.GetObjectOptions{})
				if err != nil {
					t.Fatal(err)
				}
				got, err := io.ReadAll(o)
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(got, data) {
					t.Fatalf("size %d: %d other bytes came back", size, len(got))
				}
				stat, err := o.Stat()
				if err != nil || stat.ETag != put.ETag || stat.ContentType != "x/y" || stat.UserMetadata["Colour"] != "red" {
					t.Errorf("size %d: stat %+v, put %+v, %v", size, stat, put, err)
				}
			}
			// Server-side copy of parts.
			_, err = client.ComposeObject(ctx, minio.CopyDestOptions{Bucket: "other", Object: "joined"},
				minio.CopySrcOptions{Bucket: "mlflow", Object: "a b/é+%.bin", MatchRange: true, Start: 0, End: 6<<20 - 1},
				minio.CopySrcOptions{Bucket: "mlflow", Object: "a b/é+%.bin", MatchRange: true, Start: 6 << 20, End: 7<<20 - 1})
			if err != nil {
				t.Fatal(err)
			}
			o, err := client.GetObject(ctx, "other", "joined", minio.GetObjectOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(o); err != nil || !bytes.Equal(got, noise(64<<20, 7)[:7<<20]) {
				t.Errorf("composed: %d bytes, %v", len(got), err)
			}
			for range 3 {
				if _, err := client.PutObject(ctx, "mlflow", "z", bytes.NewReader(nil), 0, minio.PutObjectOptions{}); err != nil {
					t.Fatal(err)
				}
			}
			var names []string
			for o := range client.ListObjects(ctx, "mlflow", minio.ListObjectsOptions{}) {
				names = append(names, o.Key)
			}
			if len(names) != 2 || names[0] != "a b/" && names[1] != "a b/" {
				t.Errorf("list: %q", names)
			}
			gone := make(chan minio.ObjectInfo, 2)
			gone <- minio.ObjectInfo{Key: "z"}
			gone <- minio.ObjectInfo{Key: "a b/é+%.bin"}
			close(gone)
			for e := range client.RemoveObjects(ctx, "mlflow", gone, minio.RemoveObjectsOptions{}) {
				t.Error(e)
			}
			if err := client.RemoveBucket(ctx, "mlflow"); err != nil {
				t.Error(err)
			}
			if err := client.RemoveBucket(ctx, "other"); minio.ToErrorResponse(err).Code != "BucketNotEmpty" {
				t.Error(err)
			}
		})
	}
}
