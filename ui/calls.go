package ui

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"

	"github.com/prinzbox/prinzbox/registry"
)

// call is a call of the request log, as the API tells it.
type call struct {
	Number     int64     `json:"number"`
	RequestID  string    `json:"request_id"`
	Time       time.Time `json:"time"`
	DurationMS float64   `json:"duration_ms"`

	Kind      string `json:"kind"`
	Operation string `json:"operation"`
	Model     string `json:"model"`
	Version   string `json:"version"`
	Bucket    string `json:"bucket"`
	Key       string `json:"key"`

	Method   string `json:"method"`
	Scheme   string `json:"scheme"`
	Host     string `json:"host"`
	Path     string `json:"path"`
	Query    string `json:"query"`
	Protocol string `json:"protocol"`
	Status   int    `json:"status"`

	Fault         string `json:"fault"`
	Client        string `json:"client"`
	Authorization string `json:"authorization"`
	Remote        string `json:"remote"`
	Headers       []struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	} `json:"headers"`

	RequestType     string `json:"request_type"`
	ResponseType    string `json:"response_type"`
	RequestBytes    int64  `json:"request_bytes"`
	ResponseBytes   int64  `json:"response_bytes"`
	RequestBody     string `json:"request_body"`
	ResponseBody    string `json:"response_body"`
	RequestBodyCut  bool   `json:"request_body_cut"`
	ResponseBodyCut bool   `json:"response_body_cut"`
}

func callURL(number int64) templ.SafeURL { return templ.SafeURL("/calls/" + itoa64(number)) }

// took words a duration with as much of it as matters.
func (c call) took() string {
	switch ms := c.DurationMS; {
	case ms < 10:
		return strconv.FormatFloat(ms, 'f', 2, 64) + " ms"
	case ms < 1000:
		return strconv.FormatFloat(ms, 'f', 0, 64) + " ms"
	default:
		return strconv.FormatFloat(ms/1000, 'f', 2, 64) + " s"
	}
}

func (c call) statusText() string {
	if c.Status == 0 {
		return "none"
	}
	return itoa(c.Status)
}

func (c call) statusClass() string {
	switch {
	case c.Status == 0 || c.Status >= 400:
		return "status-bad"
	case c.Status >= 300:
		return "status-idle"
	}
	return "status-good"
}

// at is the time of day, with milliseconds; whole the whole time.
func (c call) at() string    { return c.Time.UTC().Format("15:04:05.000") }
func (c call) whole() string { return c.Time.UTC().Format("2006-01-02 15:04:05.000 UTC") }

// target is the path with its query.
func (c call) target() string {
	if c.Query != "" {
		return c.Path + "?" + c.Query
	}
	return c.Path
}

// faultURL is the form of a new fault for calls like this one.
func (c call) faultURL() templ.SafeURL {
	path := ""
	if c.Operation == "" {
		path = c.Path
	}
	return "/faults" + query("kind", c.Kind, "method", c.Method, "operation", c.Operation, "path", path, "model", c.Model, "bucket", c.Bucket) + "#new"
}

// canFault tells whether a form may make calls like this one fail: the pages themselves must stay in reach.
func (c call) canFault() bool { return c.Kind != "gui" && c.Kind != "control" }

// message is one direction of a call.
type callMessage struct {
	title, media, text string
	bytes              int64
	cut                bool
}

func (c call) messages() []callMessage {
	return []callMessage{
		{"Request", c.RequestType, readable([]byte(c.RequestBody)), c.RequestBytes, c.RequestBodyCut},
		{"Answer", c.ResponseType, readable([]byte(c.ResponseBody)), c.ResponseBytes, c.ResponseBodyCut},
	}
}

// callFilter is what the address of the log chooses.
type callFilter struct {
	kind, method, status, operation, path, contains, slow string
	faulty                                                bool
	before                                                string
}

// callKinds are the choices of the filter: what clients ask for is shown, what these pages themselves ask for only on demand.
var callKinds = [][2]string{
	{"", "All clients"}, {"mlflow", "MLflow"}, {"s3", "S3"}, {"scoring", "Scoring"}, {"static", "Static values"}, {"gui", "These pages"}, {"all", "Everything"},
}

const clientKinds = "mlflow,s3,scoring,static"

func parseCallFilter(q url.Values) callFilter {
	return callFilter{
		kind: q.Get("kind"), method: q.Get("method"), status: strings.TrimSpace(q.Get("status")), operation: strings.TrimSpace(q.Get("operation")), path: strings.TrimSpace(q.Get("path")),
		contains: q.Get("contains"), slow: strings.TrimSpace(q.Get("min_ms")), faulty: q.Get("faulty") != "", before: q.Get("before"),
	}
}

// api is the filter as a query of the API. Its patterns are whole paths; a user may write a part of one.
func (f callFilter) api() url.Values {
	q := url.Values{}
	kind := f.kind
	switch kind {
	case "":
		kind = clientKinds
	case "all":
		kind = ""
	}
	part := func(s string) string {
		if s != "" && !strings.Contains(s, "*") {
			return "*" + s + "*"
		}
		return s
	}
	for name, value := range map[string]string{
		"kind": kind, "method": f.method, "status": f.status, "operation": part(f.operation), "path": part(f.path), "contains": f.contains, "min_ms": f.slow, "before": f.before,
	} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if f.faulty {
		q.Set("faulty", "true")
	}
	return q
}

// query is the filter behind an address of these pages, before a number.
func (f callFilter) query(before string) templ.SafeURL {
	faulty := ""
	if f.faulty {
		faulty = "true"
	}
	return query("kind", f.kind, "method", f.method, "status", f.status, "operation", f.operation, "path", f.path, "contains", f.contains, "min_ms", f.slow, "faulty", faulty, "before", before)
}

// any tells whether the filter chooses at all.
func (f callFilter) any() bool { f.before = ""; return f != callFilter{} }

// live tells whether the page can follow: not where it would see itself, and not in the past.
func (f callFilter) live() bool { return f.before == "" && f.kind != "gui" && f.kind != "all" }

// callsView is a page of the log.
type callsView struct {
	callFilter
	list    []call
	total   int
	next    string
	last    int64
	problem string
	stats   callStats
	origin  string
	done    string
}

// callStats are the figures of the log.
type callStats struct {
	Kept       int   `json:"kept"`
	Bytes      int64 `json:"bytes"`
	Total      int64 `json:"total"`
	Dropped    int64 `json:"dropped"`
	Pages      int   `json:"pages"`
	MaxEntries int   `json:"max_entries"`
	MaxBytes   int64 `json:"max_bytes"`
	MaxBody    int   `json:"max_body"`
}

// calls shows the newest calls that the filter chooses.
func (u *UI) calls(r *http.Request) (view, error) {
	v := callsView{callFilter: parseCallFilter(r.URL.Query()), origin: u.cfg.Environment().TrackingURI}
	if r.URL.Query().Get("cleared") != "" {
		v.done = "The log is empty. Numbers go on."
	}
	var found struct {
		Calls []call `json:"calls"`
		Total int    `json:"total"`
		Next  int64  `json:"next"`
	}
	status := 0
	if err := u.command(r, http.MethodGet, apiPrefix+"/calls?"+v.api().Encode(), nil, &found); err != nil {
		message, ok := isUserError(err)
		if !ok {
			return view{}, err
		}
		v.problem, status = message, http.StatusBadRequest
	}
	v.list, v.total = found.Calls, found.Total
	if found.Next != 0 {
		v.next = itoa64(found.Next)
	}
	if len(v.list) > 0 {
		v.last = v.list[0].Number
	}
	if err := u.command(r, http.MethodGet, apiPrefix+"/calls/stats", nil, &v.stats); err != nil {
		return view{}, err
	}
	return view{title: "Calls", section: "calls", status: status, scripts: []string{"swap.js", "calls.js"}, body: callsPage(v)}, nil
}

// clearCalls forgets all calls.
func (u *UI) clearCalls(r *http.Request) (view, error) {
	if err := u.command(r, http.MethodDelete, apiPrefix+"/calls", nil, nil); err != nil {
		return view{}, err
	}
	return view{location: "/calls?cleared=1"}, nil
}

// callView is a call, with what came when it was sent again.
type callView struct {
	call
	curl     string
	replayed *replayed
	problem  string
}

// replayed is what came of a call that was sent again.
type replayed struct {
	Was    int    `json:"was"`
	Status int    `json:"status"`
	Same   bool   `json:"same"`
	Body   string `json:"body"`
}

func (u *UI) oneCall(r *http.Request) (v callView, err error) {
	number, err := strconv.ParseInt(r.PathValue("number"), 10, 64)
	if err != nil {
		return v, registry.NotFoundf("There is no call %.40q: calls have numbers.", r.PathValue("number"))
	}
	if err = u.command(r, http.MethodGet, apiPrefix+"/calls/"+itoa64(number), nil, &v.call); err != nil {
		return v, err
	}
	return v, u.command(r, http.MethodGet, apiPrefix+"/calls/curl"+string(query("after", itoa64(number-1), "before", itoa64(number+1), "order", "oldest")), nil, &v.curl)
}

// call shows one call.
func (u *UI) call(r *http.Request) (view, error) {
	v, err := u.oneCall(r)
	return v.view(), err
}

func (v callView) view() view {
	return view{title: "Call " + itoa64(v.Number), section: "calls", body: callPage(v)}
}

// replayCall sends a call again and shows both answers.
func (u *UI) replayCall(r *http.Request) (view, error) {
	v, err := u.oneCall(r)
	if err != nil {
		return view{}, err
	}
	var got replayed
	err = u.command(r, http.MethodPost, apiPrefix+"/calls/"+itoa64(v.Number)+"/replay", nil, &got)
	switch message, ok := isUserError(err); {
	case err == nil:
		v.replayed = &got
	case ok:
		v.problem = message
	default:
		return view{}, err
	}
	out := v.view()
	if v.problem != "" {
		out.status = http.StatusBadRequest
	}
	return out, nil
}
