package artifacts

import (
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
	_ gofakes3.Backend          = (*call)(nil)
	_ gofakes3.MultipartBackend = (*call)(nil)
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

// CreateBucket implements gofakes3.Backend. As on AWS, creating one's own bucket again is fine in us-east-1 only.
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
// puts a slash before every key, where other clients stored the object without.
func (c *call) withKey(key string, fn func(key string) error) error {
	err := fn(key)
	if bare := strings.TrimLeft(key, "/"); bare != key && bare != "" && isCode(err, codeNoSuchKey) {
		if fn(bare) == nil {
			return nil
		}
	}
	return err
}

// GetObject implements gofakes3.Backend.
func (c *call) GetObject(bucket, key string, _ *gofakes3.ObjectRangeRequest) (*gofakes3.Object, error) {
	var r *ObjectReader
	err := c.withKey(key, func(key string) (err error) {
		r, err = c.store.Open(c.ctx, bucket, key)
		return err
	})
	if err != nil {
		return nil, c.fail(err)
	}
	o, err := c.object(&r.ObjectInfo)
	if err == nil && o.Range != nil {
		_, err = r.Seek(o.Range.Start, io.SeekStart)
	}
	if err != nil {
		_ = r.Close()
		return nil, c.fail(err)
	}
	o.Contents = r
	if o.Range != nil {
		o.Contents = &part{io.LimitedReader{R: r.source, N: o.Range.Length}, r}
	}
	return o, nil
}

// part is a range of an object.
type part struct {
	io.LimitedReader
	io.Closer
}

// WriteTo hands io.Copy the limited file itself, so that the kernel can send it.
func (p *part) WriteTo(w io.Writer) (int64, error) { return io.Copy(w, &p.LimitedReader) }

// HeadObject implements gofakes3.Backend.
func (c *call) HeadObject(bucket, key string) (*gofakes3.Object, error) {
	var info ObjectInfo
	err := c.withKey(key, func(key string) (err error) {
		info, err = c.store.Stat(c.ctx, bucket, key)
		return err
	})
	if err != nil {
		return nil, c.fail(err)
	}
	o, err := c.object(&info)
	if err != nil {
		return nil, c.fail(err)
	}
	if o.Range != nil {
		// gofakes3 computes a HEAD's range itself, and refuses a suffix longer than the object.
		c.r.Header.Set("Range", (&span{o.Range.Start, o.Range.Start + o.Range.Length - 1}).String())
	}
	o.Contents = http.NoBody
	return o, nil
}

// object checks the conditions and describes an object to gofakes3.
func (c *call) object(info *ObjectInfo) (*gofakes3.Object, error) {
	c.info = info
	if err := c.read.check(*info); err != nil {
		return nil, err
	}
	o := &gofakes3.Object{Name: info.Key, Size: info.Size, Metadata: map[string]string{
		"Last-Modified": info.Modified.Format(http.TimeFormat),
		"Content-Type":  "binary/octet-stream",
	}}
	maps.Copy(o.Metadata, info.Headers)
	if c.span != nil {
		start, length, err := c.span.of(info.Size)
		if err != nil {
			c.info = nil
			return nil, err
		}
		o.Range = &gofakes3.ObjectRange{Start: start, Length: length}
	}
	return o, nil
}

// DeleteObject implements gofakes3.Backend.
func (c *call) DeleteObject(bucket, key string) (gofakes3.ObjectDeleteResult, error) {
	return gofakes3.ObjectDeleteResult{}, c.fail(c.store.Delete(c.ctx, bucket, key))
}

// DeleteMulti implements gofakes3.Backend.
func (c *call) DeleteMulti(bucket string, keys ...string) (gofakes3.MultiDeleteResult, error) {
	var result gofakes3.MultiDeleteResult
	if len(keys) == 0 || len(keys) > 1000 {
		return result, c.fail(&Error{codeMalformedXML, "A delete request names 1 to 1000 keys."})
	}
	permitted := keys[:0:0]
	for _, key := range keys {
		if err := c.mayDelete(key, ""); err == nil {
			permitted = append(permitted, key)
		} else if isCode(err, codeAccessDenied) {
			result.Error = append(result.Error, gofakes3.ErrorResult{Key: key, Code: codeAccessDenied, Message: "Access Denied"})
		} else {
			return result, c.fail(err)
		}
	}
	if err := c.store.Delete(c.ctx, bucket, permitted...); err != nil {
		return result, c.fail(err)
	}
	for _, key := range permitted {
		result.Deleted = append(result.Deleted, gofakes3.ObjectID{Key: key})
	}
	return result, nil
}

// PutObject implements gofakes3.Backend. The body is read from the call, not from gofakes3's reader, which would hash it once more.
func (c *call) PutObject(bucket, key string, _ map[string]string, _ io.Reader, _ int64, _ *gofakes3.PutConditions) (gofakes3.PutObjectResult, error) {
	headers, metadata := storedHeaders(c.headers)
	info, err := c.store.Put(c.ctx, bucket, key, c.body, PutOptions{
		Expect: c.body.Expect, Conditions: c.write, Headers: headers, Metadata: metadata,
	})
	if err == nil {
		c.info = &info
	}
	return gofakes3.PutObjectResult{}, c.fail(err)
}

// CopyObject implements gofakes3.Backend. Our own handler serves copies; this is complete all the same.
func (c *call) CopyObject(srcBucket, srcKey, dstBucket, dstKey string, _ map[string]string) (gofakes3.CopyObjectResult, error) {
	info, err := c.store.Copy(c.ctx, srcBucket, srcKey, dstBucket, dstKey, CopyOptions{})
	return gofakes3.CopyObjectResult{ETag: `"` + info.ETag + `"`, LastModified: contentTime(info.Modified)}, c.fail(err)
}

// CreateMultipartUpload implements gofakes3.MultipartBackend.
func (c *call) CreateMultipartUpload(bucket, key string, _ map[string]string) (gofakes3.UploadID, error) {
	o := UploadOptions{
		Checksum:   checksumName(c.headers.Get("X-Amz-Checksum-Algorithm")),
		FullObject: strings.EqualFold(c.headers.Get("X-Amz-Checksum-Type"), "FULL_OBJECT"),
	}
	o.Headers, o.Metadata = storedHeaders(c.headers)
	id, err := c.store.CreateUpload(c.ctx, bucket, key, o)
	return gofakes3.UploadID(id), c.fail(err)
}

// UploadPart implements gofakes3.MultipartBackend.
func (c *call) UploadPart(bucket, key string, id gofakes3.UploadID, number int, _ int64, _ io.Reader) (string, error) {
	p, err := c.store.PutPart(c.ctx, bucket, key, string(id), number, c.body, c.body.Expect)
	if err == nil {
		c.info = &ObjectInfo{ETag: p.ETag, ChecksumType: p.ChecksumType, Checksum: p.Checksum}
	}
	return `"` + p.ETag + `"`, c.fail(err)
}

// ListMultipartUploads implements gofakes3.MultipartBackend.
func (c *call) ListMultipartUploads(bucket string, marker *gofakes3.UploadListMarker, prefix gofakes3.Prefix, limit int64) (*gofakes3.ListMultipartUploadsResult, error) {
	result := &gofakes3.ListMultipartUploadsResult{Bucket: bucket, Prefix: prefix.Prefix, MaxUploads: limit}
	if marker != nil {
		result.KeyMarker, result.UploadIDMarker = marker.Object, marker.UploadID
	}
	uploads, truncated, err := c.store.ListUploads(c.ctx, bucket, prefix.Prefix, result.KeyMarker, string(result.UploadIDMarker), int(limit))
	if err != nil {
		return nil, c.fail(err)
	}
	for _, u := range uploads {
		result.Uploads = append(result.Uploads, gofakes3.ListMultipartUploadItem{
			Key: u.Key, UploadID: gofakes3.UploadID(u.ID), Initiated: contentTime(u.Started),
		})
	}
	if result.IsTruncated = truncated; truncated {
		last := uploads[len(uploads)-1]
		result.NextKeyMarker, result.NextUploadIDMarker = last.Key, gofakes3.UploadID(last.ID)
	}
	return result, nil
}

// ListParts implements gofakes3.MultipartBackend.
func (c *call) ListParts(bucket, key string, id gofakes3.UploadID, marker int, limit int64) (*gofakes3.ListMultipartUploadPartsResult, error) {
	parts, truncated, err := c.store.ListParts(c.ctx, bucket, key, string(id), marker, int(limit))
	if err != nil {
		return nil, c.fail(err)
	}
	result := &gofakes3.ListMultipartUploadPartsResult{
		Bucket: bucket, Key: key, UploadID: id, PartNumberMarker: marker, MaxParts: limit, IsTruncated: truncated,
	}
	for _, p := range parts {
		result.Parts = append(result.Parts, gofakes3.ListMultipartUploadPartItem{
			PartNumber: p.Number, LastModified: contentTime(p.Modified), ETag: `"` + p.ETag + `"`, Size: p.Size,
		})
		result.NextPartNumberMarker = p.Number
	}
	return result, nil
}

// AbortMultipartUpload implements gofakes3.MultipartBackend.
func (c *call) AbortMultipartUpload(bucket, key string, id gofakes3.UploadID) error {
	return c.fail(c.store.AbortUpload(c.ctx, bucket, key, string(id)))
}

// CompleteMultipartUpload implements gofakes3.MultipartBackend.
func (c *call) CompleteMultipartUpload(bucket, key string, id gofakes3.UploadID, in *gofakes3.CompleteMultipartUploadRequest) (gofakes3.VersionID, string, error) {
	parts := make([]PartInfo, len(in.Parts))
	for i, p := range in.Parts {
		parts[i] = PartInfo{Number: p.PartNumber, ETag: p.ETag}
	}
	o := CompleteOptions{Conditions: c.write, ChecksumType: strings.ToUpper(c.headers.Get("X-Amz-Checksum-Type"))}
	if _, value, err := declaredChecksum(c.headers); err != nil {
		return "", "", c.fail(err)
	} else if value != nil {
		o.Checksum = value()
	}
	info, err := c.store.CompleteUpload(c.ctx, bucket, key, string(id), parts, o)
	if err == nil {
		c.info = &info
	}
	return "", `"` + info.ETag + `"`, c.fail(err)
}

// storedHeaders picks from a request what is kept with an object.
func storedHeaders(h http.Header) (headers, metadata map[string]string) {
	headers, metadata = map[string]string{}, map[string]string{}
	for _, name := range []string{"Content-Type", "Content-Disposition", "Content-Language", "Cache-Control", "Expires"} {
		if v := h.Get(name); v != "" {
			headers[name] = v
		}
	}
	// aws-chunked is how the body travelled, not what it is.
	var encodings []string
	for e := range strings.SplitSeq(strings.Join(h.Values("Content-Encoding"), ","), ",") {
		if e = strings.TrimSpace(e); e != "" && !strings.EqualFold(e, "aws-chunked") {
			encodings = append(encodings, e)
		}
	}
	if len(encodings) > 0 {
		headers["Content-Encoding"] = strings.Join(encodings, ",")
	}
	if acl, err := aclOf(h); err == nil && acl != "" { // checkHeaders has refused wrong ones
		headers[aclHeader] = acl
	}
	for name, values := range h {
		if rest, ok := strings.CutPrefix(name, "X-Amz-Meta-"); ok {
			metadata[strings.ToLower(rest)] = strings.Join(values, ",")
		}
	}
	return headers, metadata
}
