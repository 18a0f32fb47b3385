package calls

import (
	"bytes"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Bounds of a page of calls.
const (
	DefaultLimit = 100
	MaxLimit     = 10_000
)

// Query chooses calls; what is empty chooses all. In Operation, Path, Key, Model, Bucket and Client a * stands for anything, slashes too, and
// Contains looks into path, query and bodies, whatever the case.
type Query struct {
	Kinds     []Kind
	Operation string
	Method    string
	Path      string
	Model     string
	Version   string
	Bucket    string
	Key       string
	Client    string
	RequestID string
	Contains  string
	// MinStatus and MaxStatus bound the status, both included.
	MinStatus, MaxStatus int
	// Since and Until bound the time at which a call came: from Since on, before Until.
	Since, Until time.Time
	// MinMS is the least duration in milliseconds.
	MinMS float64
	// Faulty chooses the calls that a fault rule changed.
	Faulty bool

	// After and Before bound the number, both left out, for paging.
	After, Before int64
	// Limit is how many Find gives at most; 0 means [DefaultLimit]. Oldest gives the oldest ones first instead of the newest.
	Limit  int
	Oldest bool
}

// Matches tells whether a call is one of those that the query chooses, paging aside.
func (q *Query) Matches(c *Call) bool {
	switch {
	case len(q.Kinds) > 0 && !slices.Contains(q.Kinds, c.Kind),
		q.Method != "" && !strings.EqualFold(q.Method, c.Method),
		q.MinStatus != 0 && c.Status < q.MinStatus,
		q.MaxStatus != 0 && c.Status > q.MaxStatus,
		q.RequestID != "" && q.RequestID != c.RequestID,
		q.Version != "" && q.Version != c.Version,
		!q.Since.IsZero() && c.Time.Before(q.Since),
		!q.Until.IsZero() && !c.Time.Before(q.Until),
		c.DurationMS < q.MinMS,
		q.Faulty && c.Fault == "",
		q.Operation != "" && !Glob(q.Operation, c.Operation),
		q.Path != "" && !Glob(q.Path, c.Path),
		q.Model != "" && !Glob(q.Model, c.Model),
		q.Bucket != "" && !Glob(q.Bucket, c.Bucket),
		q.Key != "" && !Glob(q.Key, c.Key),
		q.Client != "" && !Glob(q.Client, c.Client):
		return false
	}
	return q.Contains == "" || contains(c, q.Contains)
}

func contains(c *Call, text string) bool {
	text = strings.ToLower(text)
	in := func(b []byte) bool { return len(b) >= len(text) && bytes.Contains(bytes.ToLower(b), []byte(text)) }
	return in([]byte(c.Path)) || in([]byte(c.Query)) || in([]byte(c.Key)) || in(c.RequestBody) || in(c.ResponseBody)
}

// Glob tells whether a text is as a pattern says, in which * stands for anything, nothing too.
func Glob(pattern, text string) bool {
	star, mark, p, t := -1, 0, 0, 0
	for t < len(text) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, t
			p++
		case p < len(pattern) && pattern[p] == text[t]:
			p++
			t++
		case star >= 0: // the last star takes one more
			mark++
			p, t = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// Page is a part of the calls that a query chooses.
type Page struct {
	Calls []Call `json:"calls"`
	// Total counts all that match, but for the bounds After and Before.
	Total int `json:"total"`
	// Next continues: as Before where the newest come first, as After where the oldest do; 0 at the end.
	Next int64 `json:"next,omitempty"`
}

// Find gives the calls that a query chooses.
func (l *Log) Find(q Query) Page {
	limit := q.Limit
	if limit <= 0 {
		limit = DefaultLimit
	}
	limit = min(limit, MaxLimit)
	all := l.calls(0)
	if !q.Oldest {
		slices.Reverse(all)
	}
	page := Page{Calls: []Call{}}
	for _, c := range all {
		if !q.Matches(c) {
			continue
		}
		page.Total++
		switch {
		case q.After != 0 && c.Number <= q.After, q.Before != 0 && c.Number >= q.Before:
		case len(page.Calls) < limit:
			page.Calls = append(page.Calls, *c)
		case page.Next == 0:
			page.Next = page.Calls[limit-1].Number
		}
	}
	return page
}

// Count counts the calls that a query chooses.
func (l *Log) Count(q Query) int {
	n := 0
	for _, c := range l.calls(q.After) {
		if (q.Before == 0 || c.Number < q.Before) && q.Matches(c) {
			n++
		}
	}
	return n
}

// Keys lists the S3 keys, as BUCKET/KEY, of the calls that a query chooses, each once, in order.
func (l *Log) Keys(q Query) []string {
	seen := map[string]bool{}
	keys := []string{}
	for _, c := range l.calls(q.After) {
		if c.Kind != S3 || c.Key == "" || !q.Matches(c) {
			continue
		}
		if key := c.Bucket + "/" + c.Key; !seen[key] {
			seen[key] = true
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// Parameters are the names of a query's parameters, as [ParseQuery] reads them.
func Parameters() []string {
	return []string{
		"kind", "operation", "method", "path", "model", "version", "bucket", "key", "client", "request_id", "contains", "status", "since", "until",
		"min_ms", "faulty", "after", "before", "limit", "order",
	}
}

// ParseQuery reads a query from the parameters of a URL. The error names the parameter and what it takes.
func ParseQuery(v url.Values) (q Query, err error) {
	for name, values := range v {
		if !slices.Contains(Parameters(), name) {
			return q, fmt.Errorf("parameter %.40q: there are %s", name, strings.Join(Parameters(), ", "))
		}
		if len(values) > 1 && name != "kind" {
			return q, fmt.Errorf("parameter %s: give it once", name)
		}
	}
	q = Query{
		Operation: v.Get("operation"), Method: v.Get("method"), Path: v.Get("path"), Model: v.Get("model"), Version: v.Get("version"), Bucket: v.Get("bucket"),
		Key: v.Get("key"), Client: v.Get("client"), RequestID: v.Get("request_id"), Contains: v.Get("contains"),
	}
	for _, text := range v["kind"] {
		for kind := range strings.SplitSeq(text, ",") {
			if kind == "" {
				continue
			}
			if !slices.Contains(Kinds(), Kind(kind)) {
				return q, fmt.Errorf("kind %.40q: use mlflow, s3, scoring, static, gui or control", kind)
			}
			q.Kinds = append(q.Kinds, Kind(kind))
		}
	}
	if q.MinStatus, q.MaxStatus, err = parseStatus(v.Get("status")); err != nil {
		return q, err
	}
	for name, to := range map[string]*time.Time{"since": &q.Since, "until": &q.Until} {
		if *to, err = parseTime(name, v.Get(name)); err != nil {
			return q, err
		}
	}
	for name, to := range map[string]*int64{"after": &q.After, "before": &q.Before} {
		if text := v.Get(name); text != "" {
			if *to, err = strconv.ParseInt(text, 10, 64); err != nil || *to < 0 {
				return q, fmt.Errorf("%s %.40q: give the number of a call", name, text)
			}
		}
	}
	if text := v.Get("min_ms"); text != "" {
		if q.MinMS, err = strconv.ParseFloat(text, 64); err != nil || !(q.MinMS >= 0) {
			return q, fmt.Errorf("min_ms %.40q: give milliseconds", text)
		}
	}
	if text := v.Get("limit"); text != "" {
		if q.Limit, err = strconv.Atoi(text); err != nil || q.Limit < 1 || q.Limit > MaxLimit {
			return q, fmt.Errorf("limit %.40q: give a number from 1 to %d", text, MaxLimit)
		}
	}
	switch text := v.Get("faulty"); text {
	case "", "false":
	case "true":
		q.Faulty = true
	default:
		return q, fmt.Errorf("faulty %.40q: use true or false", text)
	}
	switch text := v.Get("order"); text {
	case "", "newest":
	case "oldest":
		q.Oldest = true
	default:
		return q, fmt.Errorf("order %.40q: use newest or oldest", text)
	}
	return q, nil
}

// parseStatus reads 404, 4xx or 400-499.
func parseStatus(text string) (low, high int, err error) {
	if text == "" {
		return 0, 0, nil
	}
	bad := fmt.Errorf("status %.40q: write one as 404, a class as 4xx, or a range as 400-499", text)
	if class, ok := strings.CutSuffix(strings.ToLower(text), "xx"); ok {
		n, err := strconv.Atoi(class)
		if err != nil || n < 1 || n > 5 {
			return 0, 0, bad
		}
		return n * 100, n*100 + 99, nil
	}
	from, to, isRange := strings.Cut(text, "-")
	if !isRange {
		to = from
	}
	low, err1 := strconv.Atoi(from)
	high, err2 := strconv.Atoi(to)
	if err1 != nil || err2 != nil || low < 100 || high > 999 || low > high {
		return 0, 0, bad
	}
	return low, high, nil
}

// parseTime reads RFC 3339, or milliseconds since 1970.
func parseTime(name, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if ms, err := strconv.ParseInt(text, 10, 64); err == nil {
		return time.UnixMilli(ms), nil
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return t, fmt.Errorf("%s %.40q: write a time as 2026-01-02T15:04:05Z, or milliseconds since 1970", name, text)
	}
	return t, nil
}
