package artifacts

import (
	"bytes"
	"encoding/xml"
	"io"
	"net/http"
	"strconv"
)

// reply is the response writer that handlers and gofakes3 see. It gives an answer about an object the headers that gofakes3
// cannot express, and replaces gofakes3's errors by complete ones.
type reply struct {
	w    http.ResponseWriter
	call *call
	// sent is set once the status line is out.
	sent bool
	// failed collects an error document of gofakes3's in body.
	failed bool
	body   bytes.Buffer
}

func (p *reply) Header() http.Header { return p.w.Header() }

func (p *reply) WriteHeader(status int) {
	if p.sent {
		if status >= 300 {
			// The answer broke off in its middle: the client must see that, not an error text among the data.
			panic(http.ErrAbortHandler)
		}
		return
	}
	if status >= 300 {
		p.failed = true
		return
	}
	p.decorate()
	p.sent = true
	p.w.WriteHeader(status)
}

func (p *reply) Write(b []byte) (int, error) {
	if p.failed {
		return p.body.Write(b)
	}
	if !p.sent {
		// gofakes3 sets the type of its documents too late.
		if p.Header().Get("Content-Type") == "" && bytes.HasPrefix(b, []byte("<?xml")) {
			p.Header().Set("Content-Type", "application/xml")
		}
		p.WriteHeader(http.StatusOK)
	}
	return p.w.Write(b)
}

// ReadFrom lets the kernel send a file.
func (p *reply) ReadFrom(src io.Reader) (int64, error) {
	if !p.sent && !p.failed {
		p.WriteHeader(http.StatusOK)
	}
	if p.failed {
		return p.body.ReadFrom(src)
	}
	return io.Copy(p.w, src)
}

// finish sends what is still owed: the headers of an answer without a body, or the error.
func (p *reply) finish() {
	if p.sent {
		return
	}
	if !p.failed {
		p.WriteHeader(http.StatusOK)
		return
	}
	err := p.call.hideMissing(p.call.err)
	if err == nil {
		var doc struct{ Code, Message string }
		if xml.Unmarshal(p.body.Bytes(), &doc) == nil && doc.Code != "" {
			if doc.Message == "" || doc.Message == doc.Code {
				doc.Message = "The request was refused: " + doc.Code
			}
			err = &Error{doc.Code, doc.Message}
		} else {
			err = &Error{codeInvalidRequest, "The request was refused."}
		}
	}
	p.sent = true
	p.clean()
	if isCode(err, codeNotModified) {
		p.objectHeaders()
	}
	p.call.writeError(p.w, err)
}

// decorate sets the headers of a good answer.
func (p *reply) decorate() {
	p.clean()
	p.Header().Set("X-Amz-Request-Id", p.call.requestID)
	p.objectHeaders()
	if c := p.call; c.r.Method == http.MethodHead && c.key == "" && c.bucket != "" {
		p.Header().Set("X-Amz-Bucket-Region", c.server.region)
	}
}

// clean removes headers of gofakes3's that are not true here.
func (p *reply) clean() {
	h := p.Header()
	for _, name := range []string{"Access-Control-Allow-Origin", "X-Amz-Id-2", aclHeader} {
		h.Del(name)
	}
	if p.call.page != "" {
		p.call.pageRule.write(h, p.call.page)
	}
	h.Set("Server", "prinzbox")
}

func (p *reply) objectHeaders() {
	c, h := p.call, p.Header()
	if c.info == nil {
		return
	}
	h.Set("ETag", `"`+c.info.ETag+`"`)
	c.tellVersion(c.info.Version)
	if c.r.Method != http.MethodGet && c.r.Method != http.MethodHead {
		p.checksumHeader(*c.info)
		return
	}
	h.Set("Last-Modified", c.info.Modified.Format(http.TimeFormat))
	for k, v := range c.info.Metadata {
		// The name as it was stored: SDKs show users what they read here.
		h["x-amz-meta-"+k] = []string{v}
	}
	if c.info.StorageClass != "" { // S3 does not name STANDARD
		h.Set("X-Amz-Storage-Class", c.info.StorageClass)
	}
	if n := len(c.info.Tags); n > 0 {
		h.Set("X-Amz-Tagging-Count", strconv.Itoa(n))
	}
	switch {
	case !c.read.checksums:
	case c.part != nil:
		p.checksumHeader(ObjectInfo{ChecksumType: c.part.ChecksumType, Checksum: c.part.Checksum})
	case c.span == nil:
		p.checksumHeader(*c.info)
	}
}

// checksumHeader tells a checksum. That of one part says nothing of how the object's is made.
func (p *reply) checksumHeader(info ObjectInfo) {
	if _, kind := info.checksumKind(); kind != "" {
		p.Header().Set(checksumHeader+info.ChecksumType, info.Checksum)
		if info.Version != "" {
			p.Header().Set("X-Amz-Checksum-Type", kind)
		}
	}
}
