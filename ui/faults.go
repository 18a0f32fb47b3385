package ui

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/prinzbox/prinzbox/registry"
)

// faultRule is a fault as the API tells it and takes it.
type faultRule struct {
	ID    string `json:"id,omitempty"`
	Match struct {
		Kind      string `json:"kind,omitempty"`
		Method    string `json:"method,omitempty"`
		Path      string `json:"path,omitempty"`
		Operation string `json:"operation,omitempty"`
		Model     string `json:"model,omitempty"`
		Bucket    string `json:"bucket,omitempty"`
		Key       string `json:"key,omitempty"`
		Client    string `json:"client,omitempty"`
	} `json:"match"`
	When struct {
		First       int64   `json:"first,omitempty"`
		Nth         int64   `json:"nth,omitempty"`
		Every       int64   `json:"every,omitempty"`
		Skip        int64   `json:"skip,omitempty"`
		Probability float64 `json:"probability,omitempty"`
	} `json:"when"`
	Latency   *faultLatency `json:"latency,omitempty"`
	RateLimit *faultRate    `json:"rate_limit,omitempty"`
	Error     *faultError   `json:"error,omitempty"`
	Reset     bool          `json:"reset,omitempty"`
	Body      *faultBody    `json:"body,omitempty"`
	Matched   int64         `json:"matched,omitempty"`
	Fired     int64         `json:"fired,omitempty"`
}

type faultLatency struct {
	Kind     string  `json:"kind,omitempty"`
	MS       float64 `json:"ms,omitempty"`
	MinMS    float64 `json:"min_ms,omitempty"`
	MaxMS    float64 `json:"max_ms,omitempty"`
	MeanMS   float64 `json:"mean_ms,omitempty"`
	StdDevMS float64 `json:"stddev_ms,omitempty"`
	MedianMS float64 `json:"median_ms,omitempty"`
	Sigma    float64 `json:"sigma,omitempty"`
}

type faultRate struct {
	Calls  int     `json:"calls"`
	PerMS  float64 `json:"per_ms"`
	Status int     `json:"status,omitempty"`
}

type faultBody struct {
	BytesPerSecond int64  `json:"bytes_per_second,omitempty"`
	TruncateAfter  *int64 `json:"truncate_after,omitempty"`
}

type faultError struct {
	Status      int    `json:"status,omitempty"`
	Code        string `json:"code,omitempty"`
	Message     string `json:"message,omitempty"`
	RetryAfterS int    `json:"retry_after_s,omitempty"`
}

func plain(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }

// matches words which calls a rule is for.
func (f faultRule) matches() string {
	m, out := f.Match, []string{}
	for _, p := range [][2]string{{"", m.Kind}, {"", m.Method}, {"", m.Operation}, {"path ", m.Path}, {"model ", m.Model}, {"bucket ", m.Bucket}, {"key ", m.Key}, {"client ", m.Client}} {
		if p[1] != "" {
			out = append(out, p[0]+p[1])
		}
	}
	if len(out) == 0 {
		return "all calls"
	}
	return strings.Join(out, ", ")
}

// happens words what a rule does.
func (f faultRule) happens() string {
	var out []string
	if l := f.Latency; l != nil {
		switch l.Kind {
		case "uniform":
			out = append(out, plain(l.MinMS)+" to "+plain(l.MaxMS)+" ms late")
		case "normal":
			out = append(out, plain(l.MeanMS)+" ± "+plain(l.StdDevMS)+" ms late")
		case "lognormal":
			out = append(out, "about "+plain(l.MedianMS)+" ms late (log-normal, σ "+plain(l.Sigma)+")")
		default:
			out = append(out, plain(l.MS)+" ms late")
		}
	}
	if l := f.RateLimit; l != nil {
		out = append(out, strconv.Itoa(l.Calls)+" calls in "+plain(l.PerMS)+" ms at most")
	}
	if e := f.Error; e != nil {
		text := "error"
		if e.Status != 0 {
			text += " " + strconv.Itoa(e.Status)
		}
		if e.Code != "" {
			text += " " + e.Code
		}
		out = append(out, text)
	}
	if f.Reset {
		out = append(out, "connection broken")
	}
	if b := f.Body; b != nil {
		if b.BytesPerSecond != 0 {
			out = append(out, bytesText(b.BytesPerSecond)+" a second")
		}
		if b.TruncateAfter != nil {
			out = append(out, "cut after "+countText(int(*b.TruncateAfter), "byte", false))
		}
	}
	return strings.Join(out, ", ")
}

// moments words on which of the calls a rule fires.
func (f faultRule) moments() string {
	w, out := f.When, []string{}
	if w.Skip > 0 {
		out = append(out, "not the first "+itoa64(w.Skip))
	}
	if w.First > 0 {
		out = append(out, "the first "+itoa64(w.First))
	}
	if w.Nth > 0 {
		out = append(out, "number "+itoa64(w.Nth)+" only")
	}
	if w.Every > 0 {
		out = append(out, "each "+ordinal(w.Every))
	}
	if w.Probability > 0 {
		out = append(out, plain(w.Probability*100)+" %")
	}
	if len(out) == 0 {
		return "always"
	}
	return strings.Join(out, ", ")
}

// ordinal is a number's place: 1st, 2nd, 3rd, 4th, 11th, 21st.
func ordinal(n int64) string {
	end := "th"
	if tens := n % 100 / 10; tens != 1 {
		switch n % 10 {
		case 1:
			end = "st"
		case 2:
			end = "nd"
		case 3:
			end = "rd"
		}
	}
	return itoa64(n) + end
}

// faultField is a field of the form of a new fault.
type faultField struct{ name, label, hint, value string }

// faultGroups are the fields of the form: which calls, what happens, when.
func faultGroups(q url.Values) []faultGroup {
	field := func(name, label, hint string) faultField {
		return faultField{name: name, label: label, hint: hint, value: q.Get(name)}
	}
	return []faultGroup{
		{"Which calls", []faultField{
			field("operation", "Operation", "runs/* or GetObject"), field("path", "Path", "*/search"), field("model", "Model scored", "MLF-*"),
			field("bucket", "Bucket", "mlflow"), field("key", "Key", "*.json"),
		}},
		{"What happens", []faultField{
			field("latency_ms", "Late by (ms)", "500"), field("stddev_ms", "± (ms)", "0"), field("error", "Error status", "503"), field("code", "Error code", "chosen by status"), field("retry_after_s", "Retry-After (s)", "none"),
			field("bytes_per_second", "Bytes a second", "no limit"), field("truncate_after", "Cut after (bytes)", "never"), field("rate_calls", "Calls at most", "no limit"), field("rate_ms", "… in (ms)", "1000"),
		}},
		{"When", []faultField{
			field("percent", "Of the calls (%)", "100"), field("nth", "Only number", "any"), field("every", "Each n-th", "1"), field("first", "Only the first", "all"), field("skip", "Not the first", "0"),
		}},
	}
}

type faultGroup struct {
	title  string
	fields []faultField
}

// faultKinds are what a form may make fail. These pages are not among them: they must stay in reach.
var faultKinds = [][2]string{{"mlflow", "MLflow"}, {"scoring", "Scoring"}, {"s3", "S3"}, {"static", "Static values"}}

// parseFault reads the form of a new fault; the API judges what it says.
func parseFault(q url.Values) (f faultRule, err error) {
	number := func(name string) (n float64) {
		s := strings.TrimSpace(q.Get(name))
		if s == "" || err != nil {
			return 0
		}
		n, bad := strconv.ParseFloat(s, 64)
		if bad != nil || n < 0 || n > 1e15 {
			err = registry.Invalidf("%s: %.40q is no number from 0 on.", name, s)
		}
		return n
	}
	whole := func(name string) int64 {
		n := number(name)
		if err == nil && n != float64(int64(n)) {
			err = registry.Invalidf("%s: %.40q is no whole number.", name, q.Get(name))
		}
		return int64(n)
	}
	given := func(names ...string) bool {
		for _, n := range names {
			if strings.TrimSpace(q.Get(n)) != "" {
				return true
			}
		}
		return false
	}
	m := &f.Match
	m.Kind, m.Method = q.Get("kind"), q.Get("method")
	for to, name := range map[*string]string{&m.Operation: "operation", &m.Path: "path", &m.Model: "model", &m.Bucket: "bucket", &m.Key: "key"} {
		*to = strings.TrimSpace(q.Get(name))
	}
	known := false
	for _, k := range faultKinds {
		known = known || m.Kind == k[0]
	}
	if !known {
		return f, registry.Invalidf("kind: %.40q: choose mlflow, scoring, s3 or static; these pages must stay in reach.", m.Kind)
	}
	w := &f.When
	w.Nth, w.Every, w.First, w.Skip, w.Probability = whole("nth"), whole("every"), whole("first"), whole("skip"), number("percent")/100
	if given("latency_ms", "stddev_ms") {
		ms, dev := number("latency_ms"), number("stddev_ms")
		f.Latency = &faultLatency{MS: ms}
		if dev > 0 {
			f.Latency = &faultLatency{Kind: "normal", MeanMS: ms, StdDevMS: dev}
		}
	}
	if given("error", "code", "retry_after_s") {
		f.Error = &faultError{Status: int(whole("error")), Code: strings.TrimSpace(q.Get("code")), RetryAfterS: int(whole("retry_after_s"))}
	}
	f.Reset = q.Get("reset") != ""
	if given("bytes_per_second", "truncate_after") {
		f.Body = &faultBody{BytesPerSecond: whole("bytes_per_second")}
		if n := whole("truncate_after"); given("truncate_after") {
			f.Body.TruncateAfter = &n
		}
	}
	if given("rate_calls", "rate_ms") {
		f.RateLimit = &faultRate{Calls: int(whole("rate_calls")), PerMS: number("rate_ms")}
		if !given("rate_ms") {
			f.RateLimit.PerMS = 1000
		}
	}
	return f, err
}

// faultsView is the page of faults.
type faultsView struct {
	rules   []faultRule
	form    url.Values
	problem string
	done    string
}

// faultExamples fill in the form.
var faultExamples = []struct{ text, query string }{
	{"Scoring is half a second late", "kind=scoring&latency_ms=500"},
	{"One in ten predictions fails", "kind=scoring&error=503&percent=10"},
	{"S3 says SlowDown to each third call", "kind=s3&error=503&every=3"},
	{"The first run cannot be made", "kind=mlflow&operation=runs/create&error=500&first=1"},
	{"Downloads break off", "kind=s3&operation=GetObject&truncate_after=100"},
}

// faults lists the rules, above a form for a new one that the address may fill in.
func (u *UI) faults(r *http.Request) (view, error) {
	return u.faultsPage(r, faultsView{form: r.URL.Query()})
}

func (u *UI) faultsPage(r *http.Request, v faultsView) (view, error) {
	var list struct {
		Faults []faultRule `json:"faults"`
	}
	if err := u.command(r, http.MethodGet, apiPrefix+"/faults", nil, &list); err != nil {
		return view{}, err
	}
	v.rules = list.Faults
	switch r.URL.Query().Get("done") {
	case "added":
		v.done = "The fault is at work."
	case "removed":
		v.done = "Removed."
	}
	out := view{title: "Faults", section: "faults", scripts: []string{"swap.js"}, body: faultsPage(v)}
	if v.problem != "" {
		out.status = http.StatusBadRequest
	}
	return out, nil
}

// changeFaults adds a rule, removes one, or all.
func (u *UI) changeFaults(r *http.Request) (view, error) {
	r.Body = http.MaxBytesReader(nil, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		return view{}, registry.Invalidf("The form could not be read: %v.", err)
	}
	form, done := r.PostForm, "removed"
	var err error
	switch do := form.Get("do"); do {
	case "remove":
		err = u.command(r, http.MethodDelete, apiPrefix+"/faults/"+url.PathEscape(form.Get("id")), nil, nil)
	case "clear":
		err = u.command(r, http.MethodDelete, apiPrefix+"/faults", nil, nil)
	case "add":
		done = "added"
		var f faultRule
		if f, err = parseFault(form); err == nil {
			err = u.command(r, http.MethodPost, apiPrefix+"/faults", f, nil)
		}
		if message, ok := isUserError(err); ok {
			return u.faultsPage(r, faultsView{form: form, problem: message})
		}
	default:
		err = registry.Invalidf("do: %.40q: use add, remove or clear.", do)
	}
	if err != nil {
		return view{}, err
	}
	return view{location: "/faults?done=" + done}, nil
}
