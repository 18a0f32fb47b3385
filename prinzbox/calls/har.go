package calls

import (
	"net/url"
	"strings"
	"time"
)

// HAR is a HTTP Archive, version 1.2 (http://www.softwareishard.com/blog/har-12-spec/), which browsers' tools and proxies open.
type HAR struct {
	Log harLog `json:"log"`
}

type harLog struct {
	Version string     `json:"version"`
	Creator harCreator `json:"creator"`
	Entries []harEntry `json:"entries"`
}

type harCreator struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

type harEntry struct {
	Started  string      `json:"startedDateTime"`
	Time     float64     `json:"time"`
	Request  harRequest  `json:"request"`
	Response harResponse `json:"response"`
	Cache    struct{}    `json:"cache"`
	Timings  harTimings  `json:"timings"`
	Comment  string      `json:"comment,omitempty"`
	Number   int64       `json:"_number"`
	Kind     Kind        `json:"_kind"`
	Op       string      `json:"_operation,omitempty"`
}

type harPair struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type harRequest struct {
	Method      string    `json:"method"`
	URL         string    `json:"url"`
	HTTPVersion string    `json:"httpVersion"`
	Cookies     []harPair `json:"cookies"`
	Headers     []harPair `json:"headers"`
	QueryString []harPair `json:"queryString"`
	PostData    *harPost  `json:"postData,omitempty"`
	HeadersSize int       `json:"headersSize"`
	BodySize    int64     `json:"bodySize"`
}

type harPost struct {
	MimeType string    `json:"mimeType"`
	Params   []harPair `json:"params"`
	Text     string    `json:"text"`
	Comment  string    `json:"comment,omitempty"`
}

type harResponse struct {
	Status      int        `json:"status"`
	StatusText  string     `json:"statusText"`
	HTTPVersion string     `json:"httpVersion"`
	Cookies     []harPair  `json:"cookies"`
	Headers     []harPair  `json:"headers"`
	Content     harContent `json:"content"`
	RedirectURL string     `json:"redirectURL"`
	HeadersSize int        `json:"headersSize"`
	BodySize    int64      `json:"bodySize"`
}

type harContent struct {
	Size     int64  `json:"size"`
	MimeType string `json:"mimeType"`
	Text     string `json:"text,omitempty"`
	Comment  string `json:"comment,omitempty"`
}

type harTimings struct {
	Send    float64 `json:"send"`
	Wait    float64 `json:"wait"`
	Receive float64 `json:"receive"`
}

// NewHAR makes an archive of calls, in their order. Version is the program's.
func NewHAR(version string, list []Call) HAR {
	h := HAR{harLog{Version: "1.2", Creator: harCreator{"prinzbox", version}, Entries: make([]harEntry, 0, len(list))}}
	for i := range list {
		h.Log.Entries = append(h.Log.Entries, newHAREntry(&list[i]))
	}
	return h
}

func newHAREntry(c *Call) harEntry {
	const cut = "cut: the request log keeps so much"
	e := harEntry{
		Started: c.Time.UTC().Format(time.RFC3339Nano), Time: c.DurationMS, Timings: harTimings{Wait: c.DurationMS}, Number: c.Number, Kind: c.Kind, Op: c.Operation,
		Request: harRequest{
			Method: c.Method, URL: c.Scheme + "://" + c.Host + c.target(), HTTPVersion: c.Proto, Cookies: []harPair{}, Headers: []harPair{}, QueryString: []harPair{},
			HeadersSize: -1, BodySize: c.RequestBytes,
		},
		Response: harResponse{
			Status: c.Status, HTTPVersion: c.Proto, Cookies: []harPair{}, Headers: []harPair{{"X-Request-Id", c.RequestID}}, HeadersSize: -1, BodySize: c.ResponseBytes,
			Content: harContent{Size: c.ResponseBytes, MimeType: c.ResponseType, Text: string(c.ResponseBody)},
		},
	}
	if c.Fault != "" {
		e.Comment = "changed by fault rules: " + c.Fault
	}
	add := func(name, value string) {
		if value != "" {
			e.Request.Headers = append(e.Request.Headers, harPair{name, value})
		}
	}
	add("User-Agent", c.Client)
	add("Content-Type", c.RequestType)
	if c.Authorization != "" {
		add("Authorization", c.Authorization+" "+Secret)
	}
	for _, header := range c.Headers {
		add(header.Name, header.Value)
	}
	for item := range strings.SplitSeq(c.Query, "&") {
		if item == "" {
			continue
		}
		name, value, _ := strings.Cut(item, "=")
		e.Request.QueryString = append(e.Request.QueryString, harPair{unquery(name), unquery(value)})
	}
	if len(c.RequestBody) > 0 {
		e.Request.PostData = &harPost{MimeType: c.RequestType, Params: []harPair{}, Text: string(c.RequestBody)}
		if c.RequestBodyCut {
			e.Request.PostData.Comment = cut
		}
	}
	if c.ResponseType != "" {
		e.Response.Headers = append(e.Response.Headers, harPair{"Content-Type", c.ResponseType})
	}
	if c.ResponseBodyCut {
		e.Response.Content.Comment = cut
	}
	return e
}

func unquery(text string) string {
	if plain, err := url.QueryUnescape(text); err == nil {
		return plain
	}
	return text
}
