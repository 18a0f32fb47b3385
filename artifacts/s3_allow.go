package artifacts

import (
	"net/http"
	"net/url"
	"strings"
)

// S3Action is what a request does.
type S3Action int

const (
	// S3List lists buckets, or the objects or uploads of a bucket.
	S3List S3Action = iota
	// S3Read reads an object or asks whether a bucket is there.
	S3Read
	// S3Write stores an object, or a part of one.
	S3Write
	// S3Delete removes an object or ends an upload.
	S3Delete
	// S3Manage makes and removes buckets, and removes many objects with one request.
	S3Manage
)

// authorize asks whether the owner of the key may do what the request asks for.
func (c *call) authorize(id identity) error {
	allow := c.server.allow
	if allow == nil {
		return nil
	}
	do, key := S3Write, c.key
	switch c.r.Method {
	case http.MethodGet, http.MethodHead:
		if do = S3Read; c.key == "" && c.r.Method == http.MethodGet && (c.bucket == "" || !c.asksOfBucket()) {
			do, key = S3List, url.Values(c.query).Get("prefix")
		}
	case http.MethodDelete:
		do = S3Delete
	}
	if c.key == "" && do >= S3Write {
		do = S3Manage
	}
	ok := allow(c.ctx, id.accessKey, do, c.bucket, key)
	if source := c.r.Header.Get("X-Amz-Copy-Source"); ok && source != "" {
		text, _, _ := strings.Cut(source, "?versionId=")
		text, err := url.PathUnescape(text)
		bucket, key, _ := strings.Cut(strings.TrimPrefix(text, "/"), "/")
		ok = err == nil && allow(c.ctx, id.accessKey, S3Read, bucket, key)
	}
	if !ok {
		return &Error{codeAccessDenied, "Access Denied"}
	}
	return nil
}

// asksOfBucket tells a question about a bucket from a list of what is in it.
func (c *call) asksOfBucket() bool {
	for _, name := range []string{"location", "versioning", "acl"} {
		if _, ok := c.query[name]; ok {
			return true
		}
	}
	return false
}
