package artifacts

import (
	"context"
	"encoding/xml"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/johannesboyne/gofakes3"
)

// s3Namespace is the namespace of S3's XML.
const s3Namespace = "http://s3.amazonaws.com/doc/2006-03-01/"

// S3Config is what the S3 server needs beside the store.
type S3Config struct {
	// Keys gives the secret of an access key.
	Keys func(accessKey string) (secret string, ok bool)
	// Allow tells whether the owner of an access key may act on a key, on a bucket (key is then the prefix of a list, or empty), or on the
	// service (no bucket). nil allows everything. A bucket's policy and ACLs may allow more, and its policy may deny what this allows.
	Allow func(ctx context.Context, accessKey string, do S3Action, bucket, key string) bool
	// Region is told to clients that ask; requests signed for any region are accepted. It defaults to us-east-1.
	Region string
	// Origins tells whether a web page may send what it likes: origin is where the page came from, host where the request went, ruled that the
	// bucket has CORS rules of its own, none of which took the request. nil lets in no page but by a bucket's rules.
	Origins func(origin, host string, ruled bool) bool
	// Clock is the time that policies are told; it defaults to the store's.
	Clock func() time.Time
	// Hosts are the names, without port, below which a bucket can stand: with "localhost", a request to mlflow.localhost is for
	// the bucket mlflow.
	Hosts []string
	// Log defaults to no log.
	Log *slog.Logger
}

// s3Server is the guard in front of gofakes3: it authenticates the request as it was sent, refuses what is not served, decodes and
// verifies the body, and only then lets a handler see it.
type s3Server struct {
	store  *Store
	keys   func(string) (string, bool)
	allow  func(ctx context.Context, accessKey string, do S3Action, bucket, key string) bool
	region string
	hosts  []string
	// origins may be nil.
	origins func(origin, host string, ruled bool) bool
	clock   func() time.Time
	log     *slog.Logger
}

// NewS3 makes the S3 server over a store. It must get requests with the path as the client sent it: no router that cleans
// paths may stand before it. Signatures are checked against the real time, whatever the store's clock says.
func NewS3(store *Store, c S3Config) http.Handler {
	s := &s3Server{store: store, keys: c.Keys, allow: c.Allow, region: c.Region, hosts: c.Hosts, origins: c.Origins, clock: c.Clock, log: c.Log}
	if s.clock == nil {
		s.clock = store.clock
	}
	if s.region == "" {
		s.region = "us-east-1"
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	return s
}

// call is one request on its way. It is also the backend that gofakes3 sees: one for each request, since the Backend
// interface has no context and no way to say more than gofakes3 knows of.
type call struct {
	server *s3Server
	store  *Store
	ctx    context.Context
	w      http.ResponseWriter // the reply
	r      *http.Request
	// requestID is told in the answer and the log.
	requestID string
	// headers are the request's as sent; gofakes3 gets fewer.
	headers http.Header

	// id is who asks; form is a browser's upload, else nil.
	id   identity
	form *postForm

	// page is the origin of the web page that asks, if pageRule lets it see the answer.
	page     string
	pageRule corsRule

	bucket, key string
	// version is the versionId that was asked for, or empty; partNumber that of a GET or HEAD, or 0.
	version    string
	partNumber int
	// hostBucket is the bucket that the host named; empty for path style.
	hostBucket string
	query      map[string][]string
	body       body
	read       readConditions
	write      Conditions
	span       *span

	// info is the object that the answer is about, once known.
	info *ObjectInfo
	// part is the part of it that was asked for, if one was.
	part *Part
	// err is what went wrong in the backend, in more detail than gofakes3's errors can say.
	err error
}

func (s *s3Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/minio/health/") && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
		switch r.URL.Path {
		case "/minio/health/live", "/minio/health/ready", "/minio/health/cluster":
			w.WriteHeader(http.StatusOK) // what MinIO's users probe
			return
		}
	}
	if r.ContentLength == 0 && strings.EqualFold(r.Header.Get("Expect"), "100-continue") {
		// Go asks for a body only when there is one; awscli waits for the 100 all the same.
		w.WriteHeader(http.StatusContinue)
	}
	c := &call{server: s, store: s.store, ctx: r.Context(), r: r, headers: r.Header, requestID: strings.ToUpper(s.store.newID()[:16])}
	reply := &reply{w: w, call: c}
	c.w = reply
	if err := c.serve(); err != nil {
		c.err = err
		reply.WriteHeader(http.StatusInternalServerError) // finish finds the real status
	}
	reply.finish()
}

func (c *call) serve() error {
	query := c.r.URL.Query()
	c.query = query
	c.locate()
	if c.r.Method == http.MethodOptions {
		return c.preflight()
	}
	c.shareWithPage()
	if c.isForm() {
		return c.postObject()
	}
	var err error
	if c.id, err = authenticate(c.r, query, c.hostBucket, c.server.keys); err != nil {
		return err
	}
	op, err := c.operation()
	if err != nil {
		if c.id.anonymous() {
			return c.accessDenied() // nobody is told what is served here
		}
		return err
	}
	c.version = query.Get("versionId")
	if err := c.authorize(op); err != nil {
		return err
	}
	if len(c.key) > maxKeySize {
		return keyTooLong(c.key)
	}
	if err := c.checkHeaders(); err != nil {
		return err
	}
	if number := query.Get("partNumber"); number != "" && (c.r.Method == http.MethodGet || c.r.Method == http.MethodHead) {
		if c.headers.Get("Range") != "" {
			return &Error{codeInvalidRequest, "Cannot specify both Range header and partNumber query parameter"}
		}
		c.partNumber, _ = strconv.Atoi(number) // checked with the query
	}
	if err := c.openBody(c.id, op); err != nil {
		return err
	}
	if err := c.takeConditions(); err != nil {
		return err
	}
	if op.serve != nil {
		return op.serve(c)
	}
	return c.delegate()
}

// locate finds bucket and key in path and host. Slashes are kept as they came.
func (c *call) locate() {
	path := strings.TrimPrefix(c.r.URL.Path, "/")
	host := c.r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.ToLower(host)
	for _, base := range c.server.hosts {
		if bucket, ok := strings.CutSuffix(host, "."+strings.ToLower(base)); ok && bucket != "" && !slices.Contains(c.server.hosts, host) {
			c.bucket, c.hostBucket, c.key = bucket, bucket, path
			return
		}
	}
	c.bucket, c.key, _ = strings.Cut(path, "/")
}

// delegate hands the request to gofakes3, stripped of all that the guard has dealt with.
func (c *call) delegate() error {
	r := c.r.Clone(c.ctx)
	r.URL.Path, r.URL.RawPath = "/"+c.bucket, ""
	if c.key != "" {
		r.URL.Path += "/" + c.key
	}
	for name := range r.Header {
		if strings.HasPrefix(name, "X-Amz-") || strings.HasPrefix(name, "X-Minio-") {
			delete(r.Header, name)
		}
	}
	for _, name := range []string{"Content-Md5", "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "Range"} {
		delete(r.Header, name)
	}
	c.r = r
	if err := c.body.give(r); err != nil {
		return err
	}
	gofakes3.New(c, gofakes3.WithTimeSkewLimit(0), gofakes3.WithMetadataSizeLimit(0), gofakes3.WithIntegrityCheck(false),
		gofakes3.WithTimeSource(clock{c.store.clock})).Server().ServeHTTP(c.w, r)
	return nil
}

// clock is the store's clock as gofakes3 wants it.
type clock struct{ now func() time.Time }

func (c clock) Now() time.Time                  { return c.now() }
func (c clock) Since(t time.Time) time.Duration { return c.now().Sub(t) }

// writeXML answers 200 with a document.
func (c *call) writeXML(doc any) error {
	b, err := xml.Marshal(doc)
	if err != nil {
		return err
	}
	c.w.Header().Set("Content-Type", "application/xml")
	_, err = c.w.Write(append([]byte(xml.Header), b...))
	return err
}

// errorXML is S3's error document.
type errorXML struct {
	XMLName    xml.Name `xml:"Error"`
	Code       string
	Message    string
	BucketName string `xml:",omitempty"`
	Key        string `xml:",omitempty"`
	VersionID  string `xml:"VersionId,omitempty"`
	// Condition is the header that did not hold.
	Condition        string `xml:",omitempty"`
	RangeRequested   string `xml:",omitempty"`
	ActualObjectSize *int64 // in bytes, beside RangeRequested
	Resource         string
	RequestID        string `xml:"RequestId"`
	HostID           string `xml:"HostId"`
}

// writeError answers with an error. The details of one that is not the client's fault go to the log.
func (c *call) writeError(w http.ResponseWriter, err error) {
	var e *Error
	if !errors.As(err, &e) {
		if c.ctx.Err() == nil {
			c.server.log.Error("s3: request failed", "request_id", c.requestID, "method", c.r.Method, "bucket", c.bucket, "key", c.key, "error", err)
		}
		e = &Error{codeInternal, "Internal error; the server's log has the details."}
	}
	h := w.Header()
	h.Set("X-Amz-Request-Id", c.requestID)
	if e.Code == codeNotModified {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	for _, name := range []string{"Etag", "Last-Modified", "Content-Length", "Content-Range"} {
		h.Del(name)
	}
	if met, ok := errors.AsType[*markerError](err); ok {
		h.Set("X-Amz-Delete-Marker", "true")
		c.tellVersion(met.marker.Version)
		if e.Code == codeMethodNotAllowed {
			h.Set("Allow", http.MethodDelete)
			h.Set("Last-Modified", met.marker.Modified.Format(http.TimeFormat))
		}
	}
	h.Set("Content-Type", "application/xml")
	if c.r.Method == http.MethodHead {
		w.WriteHeader(e.HTTPStatus())
		return
	}
	resource := "/" + c.bucket
	if c.key != "" {
		resource += "/" + c.key
	}
	doc := errorXML{Code: e.Code, Message: e.Message, Resource: resource, RequestID: c.requestID, HostID: "prinzbox"}
	switch e.Code {
	case codeNoSuchBucket:
		doc.BucketName = c.bucket
	case codeNoSuchVersion:
		doc.Key, doc.VersionID = c.key, c.version
	case codeNoSuchKey:
		doc.Key = c.key
	}
	if more, ok := errors.AsType[*refusal](err); ok {
		if doc.Condition, doc.RangeRequested = more.condition, more.asked; more.asked != "" {
			doc.ActualObjectSize = &more.size
		}
	}
	b, err := xml.Marshal(doc)
	if err != nil {
		b = nil // xml.Marshal replaces what XML cannot hold; it cannot fail on strings
	}
	w.WriteHeader(e.HTTPStatus())
	_, _ = w.Write(append([]byte(xml.Header), b...))
}
