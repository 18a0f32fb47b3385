package s3clients_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/minio/minio-go/v7/pkg/tags"

	"github.com/prinzbox/prinzbox/prinzbox"
)

// What the Go clients put: the same as the scripts' common.py.
const (
	odd  = "d/a b+%é&='.bin" // a name that needs care
	part = 8 << 20
)

var small = []byte("hello, store")

// TestGoClients runs those that are Go modules.
func TestGoClients(t *testing.T) {
	eachScheme(t, func(t *testing.T, env *prinzbox.Env) {
		for _, c := range []struct {
			name, proves string
			run          func(g *goClient)
		}{
			{"minio-go", all + ", versions, refusals", func(g *goClient) { minioGo(g, false) }},
			{"minio-go-trailers", all + ", versions, refusals", func(g *goClient) { minioGo(g, true) }},
			{"aws-sdk-go-v2", all + ", checksums, versions, refusals", awsSDK},
		} {
			t.Run(c.name, func(t *testing.T) {
				large := make([]byte, 2*part+7)
				_, _ = rand.NewChaCha8([32]byte{7}).Read(large) // it never fails
				g := &goClient{T: t, ctx: t.Context(), ready: env.Ready(), bucket: "matrix-" + c.name, large: large}
				g.trust()
				c.run(g)
				proved(t, strings.Join(g.proved, "\n"), c.proves)
			})
		}
	})
}

// goClient is what a client is tried with.
type goClient struct {
	*testing.T
	ctx       context.Context
	ready     prinzbox.Ready
	transport *http.Transport
	bucket    string
	large     []byte
	proved    []string
}

// trust makes a transport that trusts the environment's certificate, if it has one.
func (g *goClient) trust() {
	g.transport = &http.Transport{MaxIdleConnsPerHost: 8, DisableCompression: true}
	g.Cleanup(g.transport.CloseIdleConnections)
	if g.ready.CABundle == "" {
		return
	}
	pem, err := os.ReadFile(g.ready.CABundle)
	g.must(err)
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		g.Fatalf("no certificate in %s", g.ready.CABundle)
	}
	g.transport.TLSClientConfig = &tls.Config{RootCAs: roots}
}

func (g *goClient) done(what ...string) { g.proved = append(g.proved, what...) }

func (g *goClient) must(err error) {
	g.Helper()
	if err != nil {
		g.Fatal(err)
	}
}

// same fails unless a reader gives just these bytes.
func (g *goClient) same(what string, r io.Reader, want []byte) {
	g.Helper()
	got, err := io.ReadAll(r)
	if c, ok := r.(io.Closer); ok {
		_ = c.Close() // all of it was read
	}
	if err != nil || !bytes.Equal(got, want) {
		g.Fatalf("%s: %d bytes, want %d (%v)", what, len(got), len(want), err)
	}
}

func (g *goClient) equal(what string, got, want any) {
	g.Helper()
	if a, b := fmt.Sprintf("%q", got), fmt.Sprintf("%q", want); a != b {
		g.Fatalf("%s: %s, want %s", what, a, b)
	}
}

// fetch sends a plain request, as a browser or curl would.
func (g *goClient) fetch(method, url string, body []byte, want int) []byte {
	g.Helper()
	req, err := http.NewRequestWithContext(g.ctx, method, url, bytes.NewReader(body))
	g.must(err)
	resp, err := (&http.Client{Transport: g.transport}).Do(req)
	g.must(err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	g.must(err)
	if resp.StatusCode != want {
		g.Fatalf("%s by URL: %d %s, want %d", method, resp.StatusCode, text, want)
	}
	return text
}

// listed are the keys that the clients list, and the common prefixes below list/.
func listed() (keys, prefixes []string) {
	for i := range 25 {
		keys = append(keys, fmt.Sprintf("list/%d/%02d", i/5, i))
	}
	for i := range 5 {
		prefixes = append(prefixes, fmt.Sprintf("list/%d/", i))
	}
	return keys, prefixes
}

// minioGo is MinIO's client, which signs each chunk of a body over http; with trailers it sends checksums behind them.
func minioGo(g *goClient, trailers bool) {
	at, err := url.Parse(g.ready.S3Endpoint)
	g.must(err)
	connect := func(secret string) *minio.Client {
		c, err := minio.New(at.Host, &minio.Options{
			Creds: credentials.NewStaticV4(g.ready.AccessKey, secret, ""), Secure: at.Scheme == "https", Transport: g.transport,
			TrailingHeaders: trailers, MaxRetries: 1,
		})
		g.must(err)
		return c
	}
	c, ctx, bucket := connect(g.ready.SecretKey), g.ctx, g.bucket
	g.must(c.MakeBucket(ctx, bucket, minio.MakeBucketOptions{}))
	read := func(what, key string, o minio.GetObjectOptions, want []byte) {
		g.Helper()
		r, err := c.GetObject(ctx, bucket, key, o)
		g.must(err)
		g.same(what, r, want)
	}
	store := func(key string, data []byte, o minio.PutObjectOptions) minio.UploadInfo {
		g.Helper()
		info, err := c.PutObject(ctx, bucket, key, bytes.NewReader(data), int64(len(data)), o)
		g.must(err)
		return info
	}
	store(odd, small, minio.PutObjectOptions{ContentType: "text/x", UserMetadata: map[string]string{"colour": "red"}})
	read("get", odd, minio.GetObjectOptions{}, small)
	g.done("put", "get")
	stat, err := c.StatObject(ctx, bucket, odd, minio.StatObjectOptions{})
	g.must(err)
	g.equal("metadata", []string{stat.ContentType, stat.UserMetadata["Colour"]}, []string{"text/x", "red"})
	g.done("metadata")
	var ranged minio.GetObjectOptions
	g.must(ranged.SetRange(7, 11))
	read("range", odd, ranged, []byte("store"))
	g.done("ranges")
	store("large", g.large, minio.PutObjectOptions{PartSize: part})
	read("multipart", "large", minio.GetObjectOptions{}, g.large)
	g.done("multipart")
	_, err = c.CopyObject(ctx, minio.CopyDestOptions{Bucket: bucket, Object: "copied"}, minio.CopySrcOptions{Bucket: bucket, Object: odd})
	g.must(err)
	read("copy", "copied", minio.GetObjectOptions{}, small)
	source := minio.CopySrcOptions{Bucket: bucket, Object: "large", MatchRange: true, End: part - 1}
	rest := minio.CopySrcOptions{Bucket: bucket, Object: "large", MatchRange: true, Start: part, End: int64(len(g.large)) - 1}
	_, err = c.ComposeObject(ctx, minio.CopyDestOptions{Bucket: bucket, Object: "composed"}, source, rest)
	g.must(err)
	read("compose", "composed", minio.GetObjectOptions{}, g.large)
	g.done("copy")
	keys, prefixes := listed()
	for _, key := range keys {
		store(key, nil, minio.PutObjectOptions{})
	}
	names := func(o minio.ListObjectsOptions) (names []string) {
		o.MaxKeys = 7
		for object := range c.ListObjectsIter(ctx, bucket, o) {
			g.must(object.Err)
			names = append(names, object.Key)
		}
		return names
	}
	for _, v1 := range []bool{true, false} {
		g.equal("list", names(minio.ListObjectsOptions{Prefix: "list/", Recursive: true, UseV1: v1}), keys)
		g.equal("list of folders", names(minio.ListObjectsOptions{Prefix: "list/", UseV1: v1}), prefixes)
	}
	g.done("list")
	set, err := tags.NewTags(map[string]string{"a": "1 2"}, true)
	g.must(err)
	g.must(c.PutObjectTagging(ctx, bucket, odd, set, minio.PutObjectTaggingOptions{}))
	got, err := c.GetObjectTagging(ctx, bucket, odd, minio.GetObjectTaggingOptions{})
	g.must(err)
	g.equal("tags", got.ToMap(), map[string]string{"a": "1 2"})
	g.must(c.RemoveObjectTagging(ctx, bucket, odd, minio.RemoveObjectTaggingOptions{}))
	read("get after tagging", odd, minio.GetObjectOptions{}, small)
	g.done("tagging")
	link, err := c.PresignedGetObject(ctx, bucket, odd, time.Minute, nil)
	g.must(err)
	g.equal("by URL", g.fetch("GET", link.String(), nil, 200), small)
	link, err = c.PresignedPutObject(ctx, bucket, "by url", time.Minute)
	g.must(err)
	g.fetch("PUT", link.String(), small, 200)
	read("put by URL", "by url", minio.GetObjectOptions{}, small)
	g.done("presigned")
	g.must(c.RemoveObject(ctx, bucket, odd, minio.RemoveObjectOptions{}))
	_, err = c.StatObject(ctx, bucket, odd, minio.StatObjectOptions{})
	g.equal("after delete", minio.ToErrorResponse(err).Code, "NoSuchKey")
	g.done("delete")
	batch := func(o minio.ListObjectsOptions) {
		gone, err := c.RemoveObjectsWithIter(ctx, bucket, c.ListObjectsIter(ctx, bucket, o), minio.RemoveObjectsOptions{})
		g.must(err)
		for r := range gone {
			g.must(r.Err)
		}
	}
	batch(minio.ListObjectsOptions{Prefix: "list/", Recursive: true})
	g.equal("after batch delete", names(minio.ListObjectsOptions{Prefix: "list/", Recursive: true}), []string(nil))
	g.done("batch delete")
	g.must(c.EnableVersioning(ctx, bucket))
	one := store("v", []byte("1"), minio.PutObjectOptions{})
	store("v", []byte("2"), minio.PutObjectOptions{})
	g.must(c.RemoveObject(ctx, bucket, "v", minio.RemoveObjectOptions{}))
	read("first version", "v", minio.GetObjectOptions{VersionID: one.VersionID}, []byte("1"))
	g.done("versions")
	_, err = connect("wrong").ListBuckets(ctx)
	g.equal("wrong secret", minio.ToErrorResponse(err).Code, "SignatureDoesNotMatch")
	g.done("refusals")
	batch(minio.ListObjectsOptions{Recursive: true, WithVersions: true})
	g.must(c.RemoveBucket(ctx, bucket))
	g.done("bucket")
}

// awsSDK is AWS's own client in its default configuration: over https it sends its checksum in a trailer of an unsigned body.
func awsSDK(g *goClient) {
	connect := func(secret string) *s3.Client {
		return s3.New(s3.Options{
			BaseEndpoint: &g.ready.S3Endpoint, Region: g.ready.Region, UsePathStyle: true, HTTPClient: &http.Client{Transport: g.transport}, RetryMaxAttempts: 1,
			Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
				return aws.Credentials{AccessKeyID: g.ready.AccessKey, SecretAccessKey: secret}, nil
			}),
		})
	}
	c, ctx, bucket := connect(g.ready.SecretKey), g.ctx, &g.bucket
	_, err := c.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: bucket})
	g.must(err)
	store := func(in *s3.PutObjectInput, data []byte) *s3.PutObjectOutput {
		g.Helper()
		in.Bucket, in.Body = bucket, bytes.NewReader(data)
		out, err := c.PutObject(ctx, in)
		g.must(err)
		return out
	}
	read := func(what string, in *s3.GetObjectInput, want []byte) *s3.GetObjectOutput {
		g.Helper()
		in.Bucket = bucket
		out, err := c.GetObject(ctx, in)
		g.must(err)
		g.same(what, out.Body, want)
		return out
	}
	key := aws.String(odd)
	store(&s3.PutObjectInput{Key: key, ContentType: aws.String("text/x"), Metadata: map[string]string{"colour": "red"}}, small)
	got := read("get", &s3.GetObjectInput{Key: key}, small)
	g.done("put", "get")
	g.equal("metadata", []string{*got.ContentType, got.Metadata["colour"]}, []string{"text/x", "red"})
	g.done("metadata")
	read("range", &s3.GetObjectInput{Key: key, Range: aws.String("bytes=7-11")}, []byte("store"))
	g.done("ranges")
	for _, algorithm := range types.ChecksumAlgorithmCrc32.Values() {
		if !slices.Contains([]types.ChecksumAlgorithm{"CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"}, algorithm) {
			continue // younger ones
		}
		store(&s3.PutObjectInput{Key: aws.String("sums/" + string(algorithm)), ChecksumAlgorithm: algorithm}, small)
		out, err := c.HeadObject(ctx, &s3.HeadObjectInput{Bucket: bucket, Key: aws.String("sums/" + string(algorithm)), ChecksumMode: types.ChecksumModeEnabled})
		g.must(err)
		sums := map[types.ChecksumAlgorithm]*string{
			"CRC32": out.ChecksumCRC32, "CRC32C": out.ChecksumCRC32C, "CRC64NVME": out.ChecksumCRC64NVME, "SHA1": out.ChecksumSHA1, "SHA256": out.ChecksumSHA256,
		}
		if aws.ToString(sums[algorithm]) == "" {
			g.Fatalf("no %s", algorithm)
		}
	}
	g.done("checksums")

	inParts := func(name string, upload func(id *string, number int32, from, to int) types.CompletedPart) {
		made, err := c.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: bucket, Key: &name})
		g.must(err)
		var parts []types.CompletedPart
		for from := 0; from < len(g.large); from += part {
			parts = append(parts, upload(made.UploadId, int32(len(parts)+1), from, min(from+part, len(g.large))))
		}
		list, err := c.ListParts(ctx, &s3.ListPartsInput{Bucket: bucket, Key: &name, UploadId: made.UploadId})
		g.must(err)
		g.equal("parts", len(list.Parts), len(parts))
		_, err = c.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
			Bucket: bucket, Key: &name, UploadId: made.UploadId, MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
		})
		g.must(err)
		read(name, &s3.GetObjectInput{Key: &name}, g.large)
	}
	inParts("large", func(id *string, number int32, from, to int) types.CompletedPart {
		out, err := c.UploadPart(ctx, &s3.UploadPartInput{Bucket: bucket, Key: aws.String("large"), UploadId: id, PartNumber: &number, Body: bytes.NewReader(g.large[from:to])})
		g.must(err)
		return types.CompletedPart{PartNumber: &number, ETag: out.ETag, ChecksumCRC32: out.ChecksumCRC32}
	})
	g.done("multipart")
	source := func(key string) *string { return aws.String(*bucket + "/" + url.PathEscape(key)) }
	_, err = c.CopyObject(ctx, &s3.CopyObjectInput{Bucket: bucket, Key: aws.String("copied"), CopySource: source(odd)})
	g.must(err)
	read("copy", &s3.GetObjectInput{Key: aws.String("copied")}, small)
	inParts("copy of large", func(id *string, number int32, from, to int) types.CompletedPart {
		out, err := c.UploadPartCopy(ctx, &s3.UploadPartCopyInput{
			Bucket: bucket, Key: aws.String("copy of large"), UploadId: id, PartNumber: &number,
			CopySource: source("large"), CopySourceRange: aws.String(fmt.Sprintf("bytes=%d-%d", from, to-1)),
		})
		g.must(err)
		return types.CompletedPart{PartNumber: &number, ETag: out.CopyPartResult.ETag}
	})
	g.done("copy")

	keys, prefixes := listed()
	for _, key := range keys {
		store(&s3.PutObjectInput{Key: &key}, nil)
	}
	var got2, folders []string
	for pages := s3.NewListObjectsV2Paginator(c, &s3.ListObjectsV2Input{Bucket: bucket, Prefix: aws.String("list/"), MaxKeys: aws.Int32(7)}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		g.must(err)
		for _, o := range page.Contents {
			got2 = append(got2, *o.Key)
		}
	}
	g.equal("list", got2, keys)
	for pages := s3.NewListObjectsV2Paginator(c, &s3.ListObjectsV2Input{Bucket: bucket, Prefix: aws.String("list/"), Delimiter: aws.String("/"), MaxKeys: aws.Int32(2)}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		g.must(err)
		for _, p := range page.CommonPrefixes {
			folders = append(folders, *p.Prefix)
		}
	}
	g.equal("list of folders", folders, prefixes)
	var got1 []string
	for marker := ""; ; {
		page, err := c.ListObjects(ctx, &s3.ListObjectsInput{Bucket: bucket, Prefix: aws.String("list/"), Marker: &marker, MaxKeys: aws.Int32(7)})
		g.must(err)
		for _, o := range page.Contents {
			got1 = append(got1, *o.Key)
			marker = *o.Key
		}
		if !aws.ToBool(page.IsTruncated) {
			break
		}
	}
	g.equal("list, version 1", got1, keys)
	g.done("list")

	_, err = c.PutObjectTagging(ctx, &s3.PutObjectTaggingInput{Bucket: bucket, Key: key, Tagging: &types.Tagging{TagSet: []types.Tag{{Key: aws.String("a"), Value: aws.String("1 2")}}}})
	g.must(err)
	tagged, err := c.GetObjectTagging(ctx, &s3.GetObjectTaggingInput{Bucket: bucket, Key: key})
	g.must(err)
	if len(tagged.TagSet) != 1 || *tagged.TagSet[0].Key != "a" || *tagged.TagSet[0].Value != "1 2" {
		g.Fatalf("tags: %+v", tagged.TagSet)
	}
	_, err = c.DeleteObjectTagging(ctx, &s3.DeleteObjectTaggingInput{Bucket: bucket, Key: key})
	g.must(err)
	read("get after tagging", &s3.GetObjectInput{Key: key}, small)
	g.done("tagging")
	presigner := s3.NewPresignClient(c)
	link, err := presigner.PresignGetObject(ctx, &s3.GetObjectInput{Bucket: bucket, Key: key})
	g.must(err)
	g.equal("by URL", g.fetch("GET", link.URL, nil, 200), small)
	g.fetch("GET", strings.Replace(link.URL, "X-Amz-Signature=", "X-Amz-Signature=0", 1), nil, 403)
	link, err = presigner.PresignPutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: aws.String("by url")})
	g.must(err)
	g.fetch("PUT", link.URL, small, 200)
	read("put by URL", &s3.GetObjectInput{Key: aws.String("by url")}, small)
	g.done("presigned")

	_, err = c.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: bucket, Key: key})
	g.must(err)
	_, err = c.GetObject(ctx, &s3.GetObjectInput{Bucket: bucket, Key: key})
	if _, ok := errors.AsType[*types.NoSuchKey](err); !ok {
		g.Fatalf("after delete: %v", err)
	}
	g.done("delete")
	batch := func(ids []types.ObjectIdentifier) {
		g.Helper()
		out, err := c.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: bucket, Delete: &types.Delete{Objects: ids}})
		g.must(err)
		if len(out.Deleted) != len(ids) || len(out.Errors) > 0 {
			g.Fatalf("batch delete: %d of %d, %v", len(out.Deleted), len(ids), out.Errors)
		}
	}
	var ids []types.ObjectIdentifier
	for _, key := range keys {
		ids = append(ids, types.ObjectIdentifier{Key: &key})
	}
	batch(ids)
	g.done("batch delete")
	_, err = c.PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{Bucket: bucket, VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled}})
	g.must(err)
	one := store(&s3.PutObjectInput{Key: aws.String("v")}, []byte("1"))
	store(&s3.PutObjectInput{Key: aws.String("v")}, []byte("2"))
	marker, err := c.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: bucket, Key: aws.String("v")})
	g.must(err)
	g.equal("delete marker", aws.ToBool(marker.DeleteMarker), true)
	read("first version", &s3.GetObjectInput{Key: aws.String("v"), VersionId: one.VersionId}, []byte("1"))
	g.done("versions")
	if _, err := connect("wrong").ListBuckets(ctx, &s3.ListBucketsInput{}); err == nil || !strings.Contains(err.Error(), "SignatureDoesNotMatch") {
		g.Fatalf("wrong secret: %v", err)
	}
	g.done("refusals")
	left, err := c.ListObjectVersions(ctx, &s3.ListObjectVersionsInput{Bucket: bucket})
	g.must(err)
	ids = nil
	for _, v := range left.Versions {
		ids = append(ids, types.ObjectIdentifier{Key: v.Key, VersionId: v.VersionId})
	}
	for _, m := range left.DeleteMarkers {
		ids = append(ids, types.ObjectIdentifier{Key: m.Key, VersionId: m.VersionId})
	}
	batch(ids)
	_, err = c.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: bucket})
	g.must(err)
	g.done("bucket")
}
