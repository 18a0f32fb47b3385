package s3_test

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// pageKeys are keys that a listing can get wrong: prefixes of one another, delimiters at both ends and side by side, bytes above ASCII.
var pageKeys = strings.Fields("a a/ a/b a/b/c a/b/d a/c a0 a// a//b ab ab/c abc b b/ b/c/ b/c/d b/c/e b/c/f c/d/e c/d/f d- d-/x d/x d0 z/z/z/z /x /y/z // ä ä/ö ä/ü 世/界 世/間 \U0001faa3/x zz")

// pageCases walk through listings of one set of keys, page by page, with the AWS SDK, and compare all that comes with what must come.
func pageCases() []conformanceCase {
	var cases []conformanceCase
	for _, prefix := range []string{"", "a", "a/", "a/b", "b/c/", "ä", "none"} {
		for _, delimiter := range []string{"", "/", "b", "//", "/c"} {
			for _, size := range []int32{1, 2, 3, 1000} {
				name := fmt.Sprintf("prefix %q, delimiter %q, %d a page", prefix, delimiter, size)
				cases = append(cases, conformanceCase{name, func(r *scriptRun) { r.walkPages(prefix, delimiter, size) }})
			}
		}
	}
	return cases
}

// rolled is what a listing must hold: keys and common prefixes, each in the order of bytes.
func rolled(prefix, delimiter string) (keys, prefixes []string) {
	all := slices.Clone(pageKeys)
	slices.Sort(all)
	for _, key := range all {
		rest, ok := strings.CutPrefix(key, prefix)
		if !ok {
			continue
		}
		if i := strings.Index(rest, delimiter); delimiter != "" && i >= 0 {
			if p := prefix + rest[:i+len(delimiter)]; !slices.Contains(prefixes, p) {
				prefixes = append(prefixes, p)
			}
			continue
		}
		keys = append(keys, key)
	}
	return keys, prefixes
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// listing gathers pages.
type listing struct {
	keys, prefixes []string
	pages          int
}

// add takes one page and checks that it is full unless it is the last.
func (l *listing) add(r *scriptRun, api string, keys []string, prefixes []types.CommonPrefix, size int32, more bool) {
	r.t.Helper()
	if n := len(keys) + len(prefixes); n > int(size) || more && n < int(size) {
		r.t.Errorf("%s: page %d has %d of %d, and there are more: %t", api, l.pages, n, size, more)
	}
	l.keys = append(l.keys, keys...)
	for _, p := range prefixes {
		l.prefixes = append(l.prefixes, aws.ToString(p.Prefix))
	}
	if l.pages++; l.pages > 200 {
		r.t.Fatalf("%s: no end", api)
	}
}

func (l *listing) check(r *scriptRun, api, prefix, delimiter string, size int32) {
	r.t.Helper()
	keys, prefixes := rolled(prefix, delimiter)
	if !slices.Equal(l.keys, keys) || !slices.Equal(l.prefixes, prefixes) {
		r.t.Errorf("%s: got\n%q\n%q\nwant\n%q\n%q", api, l.keys, l.prefixes, keys, prefixes)
	}
	if want := max(1, (len(keys)+len(prefixes)+int(size)-1)/int(size)); l.pages != want {
		r.t.Errorf("%s: %d pages, want %d", api, l.pages, want)
	}
}

func (s *server) sdk() *s3.Client {
	return s3.New(s3.Options{
		BaseEndpoint: &s.endpoint, Region: region, UsePathStyle: true, HTTPClient: s.http,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: accessKey, SecretAccessKey: secretKey}, nil
		}),
	})
}

// pagesBucket makes the bucket that all these cases read, once.
func (s *server) pagesBucket(r *scriptRun) string {
	s.pages.Do(func() {
		for _, key := range pageKeys {
			if _, err := s.sdk().PutObject(r.t.Context(), &s3.PutObjectInput{Bucket: &r.bucket, Key: &key, Body: strings.NewReader(key)}); err != nil {
				r.t.Fatalf("%q: %v", key, err)
			}
		}
		s.pagesName = r.bucket
	})
	return s.pagesName
}

func (r *scriptRun) walkPages(prefix, delimiter string, size int32) {
	t, c := r.t, r.sdk()
	bucket := r.pagesBucket(r)
	var v1, v2, versions listing

	one := &s3.ListObjectsInput{Bucket: &bucket, Prefix: optional(prefix), Delimiter: optional(delimiter), MaxKeys: &size}
	for {
		page, err := c.ListObjects(t.Context(), one)
		if err != nil {
			t.Fatal(err)
		}
		var keys []string
		for _, o := range page.Contents {
			keys = append(keys, aws.ToString(o.Key))
		}
		v1.add(r, "ListObjects", keys, page.CommonPrefixes, size, aws.ToBool(page.IsTruncated))
		if !aws.ToBool(page.IsTruncated) {
			break
		}
		if one.Marker = page.NextMarker; delimiter == "" { // then AWS gives none, and the last key counts
			one.Marker = &keys[len(keys)-1]
		}
	}
	v1.check(r, "ListObjects", prefix, delimiter, size)

	two := s3.NewListObjectsV2Paginator(c, &s3.ListObjectsV2Input{Bucket: &bucket, Prefix: optional(prefix), Delimiter: optional(delimiter), MaxKeys: &size})
	for two.HasMorePages() {
		page, err := two.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var keys []string
		for _, o := range page.Contents {
			keys = append(keys, aws.ToString(o.Key))
		}
		if n := int(aws.ToInt32(page.KeyCount)); n != len(keys)+len(page.CommonPrefixes) {
			t.Errorf("KeyCount %d of %d and %d", n, len(keys), len(page.CommonPrefixes))
		}
		v2.add(r, "ListObjectsV2", keys, page.CommonPrefixes, size, aws.ToBool(page.IsTruncated))
	}
	v2.check(r, "ListObjectsV2", prefix, delimiter, size)

	three := s3.NewListObjectVersionsPaginator(c, &s3.ListObjectVersionsInput{Bucket: &bucket, Prefix: optional(prefix), Delimiter: optional(delimiter), MaxKeys: &size})
	for three.HasMorePages() {
		page, err := three.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var keys []string
		for _, o := range page.Versions {
			keys = append(keys, aws.ToString(o.Key))
		}
		versions.add(r, "ListObjectVersions", keys, page.CommonPrefixes, size, aws.ToBool(page.IsTruncated))
	}
	versions.check(r, "ListObjectVersions", prefix, delimiter, size)
}
