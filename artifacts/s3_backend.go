package artifacts

import (
	"encoding/xml"
	"errors"
	"io"
	"maps"
	"net/http"
	"strings"
	"time"

	"github.com/johannesboyne/gofakes3"
)

// call is gofakes3's view of the store.
var (
	_ gofakes3.Backend = (*call)(nil)
)

// fail remembers an error in full and gives gofakes3 the little it needs.
func (c *call) fail(err error) error {
	if err == nil {
		return nil
	}
	c.err = err
	if e, ok := errors.AsType[*Error](err); ok {
		return gofakes3.ErrorMessage(gofakes3.ErrorCode(e.Code), e.Message)
	}
	return gofakes3.ErrInternal
}

func contentTime(t time.Time) gofakes3.ContentTime { return gofakes3.NewContentTime(t) }

// ListBuckets implements gofakes3.Backend.
func (c *call) ListBuckets() ([]gofakes3.BucketInfo, error) {
	buckets, err := c.store.ListBuckets(c.ctx)
	prefix := ""
	if p := c.query["prefix"]; len(p) > 0 {
		prefix = p[0]
	}
	list := make([]gofakes3.BucketInfo, 0, len(buckets))
	for _, b := range buckets {
		if strings.HasPrefix(b.Name, prefix) {
			list = append(list, gofakes3.BucketInfo{Name: b.Name, CreationDate: contentTime(b.Created)})
		}
	}
	return list, c.fail(err)
}

// ListBucket implements gofakes3.Backend. Our own handler serves listings; this is complete all the same.
func (c *call) ListBucket(name string, prefix *gofakes3.Prefix, page gofakes3.ListBucketPage) (*gofakes3.ObjectList, error) {
	o := ListOptions{Max: 1000, After: page.Marker}
	if page.MaxKeys > 0 {
		o.Max = int(page.MaxKeys)
	}
	if prefix != nil {
		o.Prefix, o.Delimiter = prefix.Prefix, prefix.Delimiter
	}
	p, err := c.store.List(c.ctx, name, o)
	if err != nil {
		return nil, c.fail(err)
	}
	list := gofakes3.NewObjectList()
	for _, info := range p.Objects {
		list.Add(&gofakes3.Content{Key: info.Key, LastModified: contentTime(info.Modified), ETag: `"` + info.ETag + `"`, Size: info.Size})
	}
	for _, prefix := range p.Prefixes {
		list.AddPrefix(prefix)
	}
	if list.IsTruncated = p.Truncated; p.Truncated {
		list.NextMarker = p.Last
	}
	return list, nil
}

// createBucket serves CreateBucket: gofakes3 would refuse names that S3 allows. As on AWS, creating one's own bucket again is fine in
// us-east-1 only.
func (c *call) createBucket() error {
	document, err := c.body.readDocument()
	if err != nil {
		return err
	}
	if len(document) > 0 {
		var configuration struct {
			XMLName xml.Name `xml:"CreateBucketConfiguration"`
		}
		if err := unmarshalXML(document, &configuration); err != nil {
			return err
		}
	}
	if err := c.CreateBucket(c.bucket); err != nil {
		return c.err
	}
	c.w.Header().Set("Location", "/"+c.bucket)
	return nil
}

// CreateBucket implements gofakes3.Backend.
func (c *call) CreateBucket(name string) error {
	err := c.store.CreateBucket(c.ctx, name, c.server.region == "us-east-1")
	if acl, _ := aclOf(c.headers); err == nil && acl != "" {
		err = c.store.SetBucketACL(c.ctx, name, acl)
	}
	return c.fail(err)
}

// BucketExists implements gofakes3.Backend. For objects the answer is left to the operation itself, which
// looks at the bucket in the same statement or transaction.
func (c *call) BucketExists(name string) (bool, error) {
	if c.key != "" {
		return true, nil
	}
	ok, err := c.store.BucketExists(c.ctx, name)
	if err == nil && !ok {
		c.err = noSuchBucket(name)
	}
	return ok, c.fail(err)
}

// DeleteBucket implements gofakes3.Backend.
func (c *call) DeleteBucket(name string) error { return c.fail(c.store.DeleteBucket(c.ctx, name)) }

// ForceDeleteBucket implements gofakes3.Backend. The guard removes the header that would call it.
func (c *call) ForceDeleteBucket(name string) error {
	if err := c.store.DeletePrefix(c.ctx, name, ""); err != nil {
		return c.fail(err)
	}
	return c.DeleteBucket(name)
}

// withKey calls fn with the key, and again without its leading slashes if there is no such object: the MinIO Java client 8.0.0
// puts a slash before every key, where other clients stored the object without. Who may read the one may not always read the other.
func (c *call) withKey(bucket, key, version string, fn func(key string) error) error {
	err := fn(key)
	if bare := strings.TrimLeft(key, "/"); bare != key && bare != "" && (isCode(err, codeNoSuchKey) || isCode(err, codeNoSuchVersion)) {
		if c.mayRead(bucket, bare, version) && fn(bare) == nil {
			return nil
		}
	}
	return err
}

// GetObject implements gofakes3.Backend. Our own handler serves reads; this is complete all the same.
func (c *call) GetObject(bucket, key string, asked *gofakes3.ObjectRangeRequest) (*gofakes3.Object, error) {
	r, err := c.store.Open(c.ctx, bucket, key)
	if err != nil {
		return nil, c.fail(err)
	}
	o := stockObject(r.ObjectInfo, r)
	if o.Range, err = asked.Range(o.Size); err == nil && o.Range != nil {
		_, err = r.Seek(o.Range.Start, io.SeekStart)
		o.Contents = &part{io.LimitedReader{R: r.source, N: o.Range.Length}, r}
	}
	if err != nil {
		_ = r.Close()
		return nil, err
	}
	return o, nil
}

// part is a range of an object.
type part struct {
	io.LimitedReader
	io.Closer
}

// HeadObject implements gofakes3.Backend. Our own handler serves reads; this is complete all the same.
func (c *call) HeadObject(bucket, key string) (*gofakes3.Object, error) {
	info, err := c.store.Stat(c.ctx, bucket, key)
	if err != nil {
		return nil, c.fail(err)
	}
	return stockObject(info, http.NoBody), nil
}

// stockObject describes an object to gofakes3.
func stockObject(info ObjectInfo, contents io.ReadCloser) *gofakes3.Object {
	o := &gofakes3.Object{Name: info.Key, Size: info.Size, Contents: contents, Metadata: map[string]string{"Last-Modified": info.Modified.Format(http.TimeFormat)}}
	maps.Copy(o.Metadata, info.Headers)
	return o
}

// DeleteObject implements gofakes3.Backend. Our own handler serves deletes; this is complete all the same.
func (c *call) DeleteObject(bucket, key string) (gofakes3.ObjectDeleteResult, error) {
	return gofakes3.ObjectDeleteResult{}, c.fail(c.store.Delete(c.ctx, bucket, key))
}

// DeleteMulti implements gofakes3.Backend. Our own handler serves deletes; this is complete all the same.
func (c *call) DeleteMulti(bucket string, keys ...string) (gofakes3.MultiDeleteResult, error) {
	var result gofakes3.MultiDeleteResult
	if err := c.store.Delete(c.ctx, bucket, keys...); err != nil {
		return result, c.fail(err)
	}
	for _, key := range keys {
		result.Deleted = append(result.Deleted, gofakes3.ObjectID{Key: key})
	}
	return result, nil
}

// PutObject implements gofakes3.Backend. Our own handler serves writes; this is complete all the same.
func (c *call) PutObject(bucket, key string, _ map[string]string, body io.Reader, size int64, _ *gofakes3.PutConditions) (gofakes3.PutObjectResult, error) {
	_, err := c.store.Put(c.ctx, bucket, key, body, PutOptions{Expect: Expect{Size: size}})
	return gofakes3.PutObjectResult{}, c.fail(err)
}

// CopyObject implements gofakes3.Backend. Our own handler serves copies; this is complete all the same.
func (c *call) CopyObject(srcBucket, srcKey, dstBucket, dstKey string, _ map[string]string) (gofakes3.CopyObjectResult, error) {
	info, _, err := c.store.Copy(c.ctx, srcBucket, srcKey, dstBucket, dstKey, CopyOptions{})
	return gofakes3.CopyObjectResult{ETag: `"` + info.ETag + `"`, LastModified: contentTime(info.Modified)}, c.fail(err)
}
