package artifacts

import (
	"encoding/xml"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// maxCORS is the greatest CORS configuration in bytes, maxCORSRules the most rules, as on AWS.
const (
	maxCORS      = 64 << 10
	maxCORSRules = 100
)

// corsRule is one rule of a bucket's CORS configuration: which pages may send what to it.
type corsRule struct {
	ID             string   `xml:",omitempty"`
	AllowedHeaders []string `xml:"AllowedHeader"`
	AllowedMethods []string `xml:"AllowedMethod"`
	AllowedOrigins []string `xml:"AllowedOrigin"`
	ExposeHeaders  []string `xml:"ExposeHeader"`
	MaxAgeSeconds  *int     `xml:",omitempty"`
}

// parseCORS reads and checks a CORSConfiguration. Errors: MalformedXML, InvalidRequest.
func parseCORS(document []byte) ([]corsRule, error) {
	if len(document) > maxCORS {
		return nil, &Error{codeEntityTooLarge, fmt.Sprintf("The CORS configuration has %d bytes; %d are allowed.", len(document), maxCORS)}
	}
	var doc struct {
		XMLName xml.Name   `xml:"CORSConfiguration"`
		Rules   []corsRule `xml:"CORSRule"`
	}
	if err := unmarshalXML(document, &doc); err != nil {
		return nil, err
	}
	invalid := func(format string, args ...any) error {
		return &Error{codeInvalidRequest, fmt.Sprintf(format, args...)}
	}
	if len(doc.Rules) == 0 || len(doc.Rules) > maxCORSRules {
		return nil, &Error{codeMalformedXML, fmt.Sprintf("A CORS configuration has 1 to %d CORSRule elements, not %d.", maxCORSRules, len(doc.Rules))}
	}
	for _, r := range doc.Rules {
		switch {
		case len(r.AllowedMethods) == 0:
			return nil, &Error{codeMalformedXML, "A CORSRule needs an AllowedMethod."}
		case len(r.AllowedOrigins) == 0:
			return nil, &Error{codeMalformedXML, "A CORSRule needs an AllowedOrigin."}
		case len(r.ID) > 255:
			return nil, invalid("The ID of a CORSRule has at most 255 characters.")
		case r.MaxAgeSeconds != nil && *r.MaxAgeSeconds < 0:
			return nil, invalid("MaxAgeSeconds must not be negative: %d", *r.MaxAgeSeconds)
		}
		for _, m := range r.AllowedMethods {
			switch m {
			case http.MethodGet, http.MethodPut, http.MethodPost, http.MethodDelete, http.MethodHead:
			default:
				return nil, invalid("Found unsupported HTTP method in CORS config. Unsupported method is %s", m)
			}
		}
		for _, o := range r.AllowedOrigins {
			if strings.Count(o, "*") > 1 {
				return nil, invalid("AllowedOrigin %q can not have more than one wildcard.", o)
			}
		}
		for _, h := range r.AllowedHeaders {
			if strings.Count(h, "*") > 1 {
				return nil, invalid("AllowedHeader %q can not have more than one wildcard.", h)
			}
		}
		for _, h := range r.ExposeHeaders {
			if strings.Contains(h, "*") {
				return nil, invalid("ExposeHeader %q contains wildcard. We currently do not support wildcard for ExposeHeader.", h)
			}
			if strings.Trim(strings.ToLower(h), "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" || h == "" {
				return nil, invalid("ExposeHeader %q is no header name.", h)
			}
		}
	}
	return doc.Rules, nil
}

// wildcard compares with a pattern that has at most one *.
func wildcard(pattern, text string) bool {
	before, after, ok := strings.Cut(pattern, "*")
	if !ok {
		return pattern == text
	}
	return len(text) >= len(before)+len(after) && strings.HasPrefix(text, before) && strings.HasSuffix(text, after)
}

// takes tells whether the rule lets a page of the origin send a method with headers (in lower case).
func (r corsRule) takes(origin, method string, headers []string) bool {
	if !slices.Contains(r.AllowedMethods, method) || !slices.ContainsFunc(r.AllowedOrigins, func(o string) bool { return wildcard(o, origin) }) {
		return false
	}
	for _, h := range headers {
		if !slices.ContainsFunc(r.AllowedHeaders, func(p string) bool { return wildcard(strings.ToLower(p), h) }) {
			return false
		}
	}
	return true
}

// environmentRule is the rule for pages that the server's own setting of allowed origins lets in, where a bucket has no rules.
var environmentRule = corsRule{
	AllowedHeaders: []string{"*"},
	AllowedMethods: []string{"GET", "PUT", "POST", "DELETE", "HEAD"},
	ExposeHeaders: []string{
		"ETag", "Content-Length", "Content-Range", "Content-Disposition", "Last-Modified", "x-amz-request-id", "x-amz-version-id",
		"x-amz-delete-marker", "x-amz-checksum-crc32", "x-amz-checksum-crc32c", "x-amz-checksum-crc64nvme", "x-amz-checksum-sha1", "x-amz-checksum-sha256",
	},
}

// corsRuleFor finds the first rule that takes a request of a page.
func (c *call) corsRuleFor(origin, method string, headers []string) (rule corsRule, enabled, ok bool, err error) {
	settings := &bucketSettings{}
	if c.bucket != "" {
		if settings, err = c.store.settingsOf(c.ctx, c.bucket); err != nil {
			return rule, false, false, err
		}
	}
	for _, r := range settings.cors {
		if r.takes(origin, method, headers) {
			return r, true, true, nil
		}
	}
	enabled = len(settings.cors) > 0
	if c.server.origins != nil && c.server.origins(origin, c.r.Host, enabled) {
		rule = environmentRule
		rule.AllowedOrigins = []string{origin}
		return rule, true, rule.takes(origin, method, headers), nil
	}
	return rule, enabled, false, nil
}

// preflight answers the question that a browser asks before it sends a page's request.
func (c *call) preflight() error {
	h := c.r.Header
	origin, method := h.Get("Origin"), h.Get("Access-Control-Request-Method")
	if origin == "" {
		return &Error{"BadRequest", "Insufficient information. Origin request header needed."}
	}
	if method == "" {
		return &Error{"BadRequest", "Invalid Access-Control-Request-Method: null"}
	}
	var headers []string
	for name := range strings.SplitSeq(strings.Join(h.Values("Access-Control-Request-Headers"), ","), ",") {
		if name = strings.ToLower(strings.TrimSpace(name)); name != "" {
			headers = append(headers, name)
		}
	}
	rule, enabled, ok, err := c.corsRuleFor(origin, method, headers)
	switch {
	case err != nil:
		return err
	case !enabled:
		return &Error{"AccessForbidden", "CORSResponse: CORS is not enabled for this bucket."}
	case !ok:
		return &Error{"AccessForbidden", "CORSResponse: This CORS request is not allowed. This is usually because the evalution of Origin, request " +
			"method / Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the resource's CORS spec."}
	}
	c.page, c.pageRule = origin, rule
	if len(headers) > 0 {
		c.w.Header().Set("Access-Control-Allow-Headers", strings.Join(headers, ", "))
	}
	c.w.WriteHeader(http.StatusOK)
	return nil
}

// shareWithPage finds the rule whose headers a real answer to a page gets. An error gets them as well: else the page could not read it.
func (c *call) shareWithPage() {
	origin := c.r.Header.Get("Origin")
	if origin == "" {
		return
	}
	if rule, _, ok, err := c.corsRuleFor(origin, c.r.Method, nil); err == nil && ok {
		c.page, c.pageRule = origin, rule
	}
}

// write sets the headers that say what the rule allows.
func (r corsRule) write(h http.Header, origin string) {
	if slices.Contains(r.AllowedOrigins, "*") {
		h.Set("Access-Control-Allow-Origin", "*")
	} else {
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Access-Control-Allow-Credentials", "true")
	}
	h.Set("Access-Control-Allow-Methods", strings.Join(r.AllowedMethods, ", "))
	if len(r.ExposeHeaders) > 0 {
		h.Set("Access-Control-Expose-Headers", strings.Join(r.ExposeHeaders, ", "))
	}
	if r.MaxAgeSeconds != nil {
		h.Set("Access-Control-Max-Age", strconv.Itoa(*r.MaxAgeSeconds))
	}
	h.Set("Vary", "Origin, Access-Control-Request-Headers, Access-Control-Request-Method")
}
