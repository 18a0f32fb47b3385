package artifacts

import (
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// S3Action is what a request does.
type S3Action int

const (
	// S3List lists buckets, or the objects or uploads of a bucket.
	S3List S3Action = iota
	// S3Read reads an object or asks about a bucket.
	S3Read
	// S3Write stores an object, or a part of one.
	S3Write
	// S3Delete removes an object or ends an upload.
	S3Delete
	// S3Manage makes and removes buckets and says who may do what, and removes many objects with one request.
	S3Manage
)

// want is one thing that a request asks for.
type want struct {
	do          S3Action
	action      string // in lower case without "s3:"
	bucket, key string
	version     string // of the object, if one is named
}

// reading is the wish to read an object, or a version of it.
func reading(bucket, key, version string) want {
	if version != "" {
		return want{S3Read, "getobjectversion", bucket, key, version}
	}
	return want{S3Read, "getobject", bucket, key, ""}
}

// wants lists what the operation asks for: more than one thing for a copy, and for headers that are operations of their own.
func (c *call) wants(op operation) []want {
	query := url.Values(c.query)
	version := query.Get("versionId")
	first := want{S3Write, actionOf(op, version != ""), c.bucket, c.key, version}
	switch op.method {
	case http.MethodGet, http.MethodHead:
		first.do = S3Read
		if op.method == http.MethodGet && (op.scope == onService || op.scope == onBucket && bucketResources[op.resource] == "") {
			first.do, first.key = S3List, query.Get("prefix")
		}
	case http.MethodDelete:
		first.do = S3Delete
	}
	if first.do >= S3Write && (c.key == "" || op.resource == "acl") {
		first.do = S3Manage
	}
	list := []want{first}
	if op.scope == onObject && op.resource == "attributes" {
		list = append(list, reading(c.bucket, c.key, version))
	}
	h := c.r.Header
	if source := h.Get("X-Amz-Copy-Source"); source != "" && op.copy {
		text, version, _ := strings.Cut(source, "?versionId=")
		if plain, err := url.PathUnescape(text); err == nil { // else the copy itself says what is wrong
			text = plain
		}
		bucket, key, _ := strings.Cut(strings.TrimPrefix(text, "/"), "/")
		list = append(list, reading(bucket, key, version))
	}
	if op.scope == onObject && op.resource == "" && op.method == http.MethodPut || op.resource == "uploads" && op.method == http.MethodPost {
		if acl := h.Get("X-Amz-Acl"); acl != "" && acl != aclPrivate || grantHeader(h) {
			do := S3Manage
			if acl == "bucket-owner-full-control" || acl == "bucket-owner-read" {
				do = S3Write // lets in nobody
			}
			list = append(list, want{do, "putobjectacl", c.bucket, c.key, ""})
		}
		if h.Get("X-Amz-Tagging") != "" {
			list = append(list, want{S3Write, "putobjecttagging", c.bucket, c.key, ""})
		}
	}
	return list
}

// authorize refuses what the caller may not do. An explicit Deny of the bucket's policy counts first; then any of the key's own rights,
// the policy, and the ACLs may let in.
func (c *call) authorize(op operation) error {
	if err := c.id.checkV2(op); err != nil {
		return err
	}
	if op.scope == onBucket && op.resource == "delete" {
		return c.authorizeBatch()
	}
	for _, w := range c.wants(op) {
		ok, err := c.permitted(w)
		if err != nil {
			return err
		}
		if !ok {
			return c.accessDenied()
		}
	}
	if c.id.anonymous() && (c.r.Method == http.MethodGet || c.r.Method == http.MethodHead) {
		for name := range c.query {
			if containsField(responseParams, name) {
				return &Error{codeInvalidRequest, "Request specific response headers cannot be used for anonymous GET requests."}
			}
		}
	}
	return nil
}

// authorizeBatch lets through a request to delete many objects: each key is judged once the list of them is read ([call.mayDelete]).
// Only for whom no key would be allowed, the list is not read at all.
func (c *call) authorizeBatch() error {
	settings, err := c.store.settingsOf(c.ctx, c.bucket)
	if err != nil {
		return err
	}
	if settings.policy != nil || settings.acl == aclPublicReadWrite || !c.id.anonymous() && c.identityAllows(want{S3Manage, "", c.bucket, "", ""}) {
		return nil
	}
	return c.accessDenied()
}

// mayDelete judges one key of a request to delete many. Errors: AccessDenied.
func (c *call) mayDelete(key, version string) error {
	action := "deleteobject"
	if version != "" {
		action = "deleteobjectversion"
	}
	// Keys that may not manage may not delete many at a time, whatever they may do one by one, unless the policy says so.
	ok, err := c.permitted(want{S3Manage, action, c.bucket, key, version})
	if err == nil && !ok {
		err = c.accessDenied()
	}
	return err
}

// mayRead tells whether the caller may read an object under another name than the one he asked for.
func (c *call) mayRead(bucket, key, version string) bool {
	ok, err := c.permitted(reading(bucket, key, version))
	return ok && err == nil
}

func (c *call) accessDenied() error {
	if c.id.anonymous() {
		return &Error{codeAccessDenied, "Access Denied: the request carries no signature. Set the access key and the secret key."}
	}
	return &Error{codeAccessDenied, "Access Denied"}
}

// identityAllows asks for the key's own rights.
func (c *call) identityAllows(w want) bool {
	return c.server.allow == nil || c.server.allow(c.ctx, c.id.accessKey, w.do, w.bucket, w.key)
}

// permitted judges one thing that is asked for.
func (c *call) permitted(w want) (bool, error) {
	settings := &bucketSettings{}
	if w.bucket != "" {
		var err error
		if settings, err = c.store.settingsOf(c.ctx, w.bucket); err != nil {
			return false, err
		}
	}
	own := !c.id.anonymous() && c.identityAllows(w)
	if settings.policy != nil {
		resource := w.bucket
		if policyActions[w.action] == onObject {
			resource += "/" + w.key
		}
		switch settings.policy.judge(policyRequest{c.id.accessKey, w.action, resource, c.conditionValue}) {
		case denied:
			// As on AWS, who owns the bucket cannot lock himself out of its policy.
			return own && strings.HasSuffix(w.action, "bucketpolicy"), nil
		case allowed:
			return true, nil
		case notMentioned:
		}
	}
	if own || w.bucket == "" {
		return own, nil
	}
	return c.aclAllows(settings, w)
}

// conditionValue gives the condition keys of policies.
func (c *call) conditionValue(key string) (string, bool) {
	some := func(s string) (string, bool) { return s, s != "" }
	query := func(name string) (string, bool) {
		values, ok := c.query[name]
		if !ok {
			return "", false
		}
		return values[0], true
	}
	switch key {
	case "aws:sourceip":
		host, _, err := net.SplitHostPort(c.r.RemoteAddr)
		return host, err == nil
	case "aws:securetransport":
		return strconv.FormatBool(c.r.TLS != nil), true
	case "aws:username", "aws:userid":
		return some(c.id.accessKey)
	case "aws:useragent":
		return some(c.headers.Get("User-Agent"))
	case "aws:referer":
		return some(c.headers.Get("Referer"))
	case "aws:currenttime":
		return c.server.clock().UTC().Format(time.RFC3339), true
	case "aws:epochtime":
		return strconv.FormatInt(c.server.clock().Unix(), 10), true
	case "s3:prefix", "s3:delimiter", "s3:max-keys":
		return query(strings.TrimPrefix(key, "s3:"))
	case "s3:versionid":
		return query("versionId")
	case "s3:authtype":
		switch {
		case c.form != nil && !c.id.anonymous():
			return "POST", true
		case c.id.presigned:
			return "REST-QUERY-STRING", true
		}
		return "REST-HEADER", !c.id.anonymous()
	case "s3:signatureversion":
		return map[int]string{2: "AWS", 4: "AWS4-HMAC-SHA256"}[c.id.version], !c.id.anonymous()
	case "s3:signatureage":
		t, err := time.Parse("20060102T150405Z", c.id.date)
		return strconv.FormatInt(c.server.clock().Sub(t).Milliseconds(), 10), err == nil && c.id.presigned
	case "s3:tlsversion":
		if c.r.TLS == nil {
			return "", false
		}
		return map[uint16]string{0x301: "1.0", 0x302: "1.1", 0x303: "1.2", 0x304: "1.3"}[c.r.TLS.Version], true
	}
	if name, ok := strings.CutPrefix(key, "s3:"); ok {
		return some(c.headers.Get(name)) // x-amz-…, if-match, if-none-match
	}
	return "", false
}

// hideMissing answers "access denied" for an object that is not there, to whom its bucket's list is closed: else whoever may read some
// objects could find out which others exist.
func (c *call) hideMissing(err error) error {
	if !isCode(err, codeNoSuchKey) && !isCode(err, codeNoSuchVersion) || c.r.Method != http.MethodGet && c.r.Method != http.MethodHead {
		return err
	}
	if !c.id.anonymous() && c.identityAllows(reading(c.bucket, c.key, "")) {
		return err
	}
	if ok, perr := c.permitted(want{S3List, "listbucket", c.bucket, c.key, ""}); perr != nil || !ok {
		return c.accessDenied()
	}
	return err
}
