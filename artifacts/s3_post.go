package artifacts

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
	"time"
)

const (
	// maxFormFields is the most that the fields before the file may take, in bytes, as on AWS.
	maxFormFields = 20 << 10
	// maxFormParts bounds the number of fields: each costs more than its bytes.
	maxFormParts = 256
	// maxPostFile is the greatest file of a form, as on AWS.
	maxPostFile = 5 << 30
)

// postForm is a browser's upload: fields, and a file that comes last.
type postForm struct {
	// fields by their names in lower case, with ${filename} filled in.
	fields map[string]string
	file   io.Reader
}

func malformedForm(err error) error {
	var e *Error
	switch {
	case errors.As(err, &e):
		return e
	case errors.Is(err, io.ErrUnexpectedEOF):
		return &Error{codeIncompleteBody, "The body ended before the end of the form."}
	}
	return &Error{"MalformedPOSTRequest", "The body of your POST request is not well-formed multipart/form-data."}
}

// readForm reads the fields up to the file. What follows the file is never read.
func readForm(parts *multipart.Reader) (*postForm, error) {
	f := &postForm{fields: map[string]string{}}
	size := 0
	for n := 0; ; n++ {
		p, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			return nil, &Error{codeInvalidArgument, "POST requires exactly one file upload per request."}
		}
		if err != nil {
			return nil, malformedForm(err)
		}
		name := strings.ToLower(p.FormName())
		if name == "file" {
			for field, value := range f.fields {
				f.fields[field] = strings.ReplaceAll(value, "${filename}", p.FileName())
			}
			f.file = p
			return f, nil
		}
		value, err := io.ReadAll(io.LimitReader(p, maxFormFields+1))
		if err != nil {
			return nil, malformedForm(err)
		}
		if size += len(name) + len(value); size > maxFormFields || n >= maxFormParts {
			return nil, &Error{"MaxPostPreDataLengthExceeded", "Your POST request fields preceding the upload file were too large."}
		}
		switch _, twice := f.fields[name]; {
		case name == "":
			return nil, malformedForm(errors.New("a part without name"))
		case twice:
			return nil, &Error{codeInvalidArgument, "The form has more than one field " + name + "."}
		case strings.ContainsAny(string(value), "\r\n") && name != "policy" && name != "tagging":
			return nil, &Error{codeInvalidArgument, "The form field " + name + " holds a line break."}
		}
		f.fields[name] = string(value)
	}
}

// isForm tells a browser's upload from the other POSTs to a bucket.
func (c *call) isForm() bool {
	h := c.r.Header
	return c.r.Method == http.MethodPost && c.bucket != "" && c.key == "" && len(c.query) == 0 && h.Get("Authorization") == "" &&
		strings.HasPrefix(strings.ToLower(h.Get("Content-Type")), "multipart/form-data")
}

// postObject serves a browser's upload: who may do it is said by the policy document in the form, which carries the signature.
func (c *call) postObject() error {
	parts, err := c.r.MultipartReader()
	if err != nil {
		return malformedForm(err)
	}
	if c.form, err = readForm(parts); err != nil {
		return err
	}
	fields := c.form.fields
	if c.key = fields["key"]; c.key == "" {
		return &Error{codeInvalidArgument, "Bucket POST must contain a field named 'key'.  If it is specified, please check the order of the fields."}
	}
	if c.id, err = c.form.authenticate(c.server.keys); err != nil {
		return err
	}
	minimum, maximum := int64(0), int64(maxPostFile)
	if !c.id.anonymous() {
		p, err := parsePostPolicy(fields["policy"])
		if err != nil {
			return err
		}
		if err := p.check(fields, c.bucket, time.Now()); err != nil {
			return err
		}
		minimum, maximum = p.minSize, min(p.maxSize, maximum)
	}
	headers, err := c.form.headers()
	if err != nil {
		return err
	}
	for _, name := range []string{"User-Agent", "Referer"} {
		headers[name] = c.r.Header[name]
	}
	r := *c.r
	r.Header = headers
	c.r, c.headers = &r, headers
	op := operation{method: http.MethodPut, scope: onObject, payload: true}
	if err := c.authorize(op); err != nil {
		return err
	}
	if err := c.checkHeaders(); err != nil {
		return err
	}
	c.body = body{Reader: &rangeReader{r: c.form.file, min: minimum, max: maximum}, Expect: Expect{Size: -1}}
	if c.body.MD5, err = contentMD5(headers); err != nil {
		return err
	}
	if c.body.Checksum, c.body.ChecksumValue, err = declaredChecksum(headers); err != nil {
		return err
	}
	if err := c.putObject(); err != nil {
		return err
	}
	return c.answerForm(fields)
}

// headers gives the request headers that stand in the form.
func (f *postForm) headers() (http.Header, error) {
	h := http.Header{}
	for name, value := range f.fields {
		switch {
		case name == "acl":
			name = aclHeader
		case name == "tagging":
			tags, err := formTags(value)
			if err != nil {
				return nil, err
			}
			name, value = "X-Amz-Tagging", tags
		case slices.Contains([]string{"content-type", "cache-control", "content-disposition", "content-encoding", "content-language", "content-md5", "expires"}, name):
		case strings.HasPrefix(name, "x-amz-meta-"), strings.HasPrefix(name, "x-amz-checksum-"), strings.HasPrefix(name, "x-amz-server-side-encryption"),
			strings.HasPrefix(name, "x-amz-object-lock-"), strings.HasPrefix(name, "x-amz-grant-"),
			name == "x-amz-storage-class", name == "x-amz-website-redirect-location", name == "x-amz-sdk-checksum-algorithm":
		default:
			continue
		}
		h.Set(textproto.CanonicalMIMEHeaderKey(name), value)
	}
	return h, nil
}

// formTags turns a form's Tagging document into what the header x-amz-tagging holds.
func formTags(document string) (string, error) {
	var doc struct {
		XMLName xml.Name                      `xml:"Tagging"`
		Tags    []struct{ Key, Value string } `xml:"TagSet>Tag"`
	}
	if err := unmarshalXML([]byte(document), &doc); err != nil {
		return "", err
	}
	tags := url.Values{}
	for _, t := range doc.Tags {
		tags.Add(t.Key, t.Value)
	}
	return tags.Encode(), nil
}

// answerForm answers as the form asks for: a redirect, or a status.
func (c *call) answerForm(fields map[string]string) error {
	h := c.w.Header()
	etag := `"` + c.info.ETag + `"`
	target := fields["success_action_redirect"]
	if target == "" {
		target = fields["redirect"]
	}
	// One that is no address of the web counts as none, as on AWS.
	if u, err := url.Parse(target); err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" {
		q := u.Query()
		q.Set("bucket", c.bucket)
		q.Set("key", c.key)
		q.Set("etag", etag)
		u.RawQuery = q.Encode()
		h.Set("Location", u.String())
		c.w.(*reply).send(http.StatusSeeOther)
		return nil
	}
	at := c.location()
	h.Set("Location", at)
	switch fields["success_action_status"] {
	case "200":
		c.w.WriteHeader(http.StatusOK)
	case "201":
		doc, err := xml.Marshal(struct {
			XMLName                     xml.Name `xml:"PostResponse"`
			Location, Bucket, Key, ETag string
		}{Location: at, Bucket: c.bucket, Key: c.key, ETag: etag})
		if err != nil {
			return err
		}
		h.Set("Content-Type", "application/xml")
		c.w.WriteHeader(http.StatusCreated)
		_, err = c.w.Write(append([]byte(xml.Header), doc...))
		return err
	default:
		c.w.WriteHeader(http.StatusNoContent)
	}
	return nil
}

// send answers with a status that is neither an error nor plain success.
func (p *reply) send(status int) {
	p.decorate()
	p.sent = true
	p.w.WriteHeader(status)
}

// rangeReader fails when it gives less or more bytes than allowed.
type rangeReader struct {
	r           io.Reader
	n, min, max int64
}

func (r *rangeReader) Read(b []byte) (int, error) {
	n, err := r.r.Read(b)
	r.n += int64(n)
	switch {
	case r.n > r.max:
		return 0, &Error{codeEntityTooLarge, fmt.Sprintf("Your proposed upload exceeds the maximum allowed size of %d bytes", r.max)}
	case errors.Is(err, io.EOF) && r.n < r.min:
		return 0, &Error{codeEntityTooSmall, fmt.Sprintf("Your proposed upload is smaller than the minimum allowed size of %d bytes", r.min)}
	}
	return n, err
}

// sortedFields gives names in order, so that messages are always the same.
func sortedFields(fields map[string]string) []string { return slices.Sorted(maps.Keys(fields)) }
