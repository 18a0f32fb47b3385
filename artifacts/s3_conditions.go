package artifacts

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// readConditions are those of GET and HEAD.
type readConditions struct {
	Conditions
	// checksums asks for the object's checksum in the answer.
	checksums bool
}

// takeConditions reads the conditions and the range from the headers; gofakes3 knows only some of them.
func (c *call) takeConditions() error {
	h := c.r.Header
	switch c.r.Method {
	case http.MethodGet, http.MethodHead:
		c.read.Conditions = conditionsOf(h, "")
		c.read.checksums = strings.EqualFold(h.Get("X-Amz-Checksum-Mode"), "ENABLED")
		c.span = parseSpan(h.Get("Range"))
	default:
		c.write = Conditions{IfMatch: h.Get("If-Match"), IfNoneMatch: h.Get("If-None-Match")}
		if c.write.IfNoneMatch != "" && c.write.IfNoneMatch != "*" { // S3 does not have it either
			return &Error{codeNotImplemented, "A write with If-None-Match takes * only."}
		}
	}
	return nil
}

// conditionsOf reads the conditions from headers with a prefix, as x-amz-copy-source-.
func conditionsOf(h http.Header, prefix string) Conditions {
	c := Conditions{IfMatch: h.Get(prefix + "If-Match"), IfNoneMatch: h.Get(prefix + "If-None-Match")}
	c.IfModifiedSince, _ = http.ParseTime(h.Get(prefix + "If-Modified-Since")) // one that cannot be read does not count
	c.IfUnmodifiedSince, _ = http.ParseTime(h.Get(prefix + "If-Unmodified-Since"))
	return c
}

// span is a Range header of one range: first to last, or the last bytes when first is -1; last is -1 for the end.
type span struct{ first, last int64 }

// parseSpan reads a Range header. One that is malformed or has several ranges is ignored, as HTTP allows: the whole
// object is sent.
func parseSpan(header string) *span {
	text, ok := strings.CutPrefix(header, "bytes=")
	if !ok {
		return nil
	}
	from, to, ok := strings.Cut(text, "-")
	if !ok || !digits(from) || !digits(to) {
		return nil
	}
	s := &span{-1, -1}
	var err error
	if from != "" {
		if s.first, err = strconv.ParseInt(from, 10, 64); err != nil {
			return nil
		}
	}
	if to != "" {
		if s.last, err = strconv.ParseInt(to, 10, 64); err != nil {
			return nil
		}
	}
	if s.first < 0 && s.last < 0 || s.last >= 0 && s.last < s.first {
		return nil
	}
	return s
}

func digits(s string) bool { return strings.Trim(s, "0123456789") == "" }

func (s *span) String() string {
	switch {
	case s.first < 0:
		return fmt.Sprintf("bytes=-%d", s.last)
	case s.last < 0:
		return fmt.Sprintf("bytes=%d-", s.first)
	}
	return fmt.Sprintf("bytes=%d-%d", s.first, s.last)
}

// of gives start and length within an object's size, or InvalidRange.
func (s *span) of(size int64) (start, length int64, err error) {
	start, end := s.first, size // end is exclusive
	switch {
	case start < 0:
		start = max(size-s.last, 0)
	case s.last >= 0 && s.last < size:
		end = s.last + 1
	}
	if start >= size {
		return 0, 0, &refusal{err: &Error{codeInvalidRange, fmt.Sprintf("The requested range cannot be satisfied: the object has %d bytes.", size)}, asked: s.String(), size: size}
	}
	return start, end - start, nil
}
