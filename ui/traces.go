package ui

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/a-h/templ"

	"github.com/prinzbox/prinzbox/registry"
)

// traceRoutes are the pages of traces.
func (u *UI) traceRoutes(mux *http.ServeMux) {
	for pattern, p := range map[string]page{
		"GET /traces":                  u.traces,
		"GET /traces/{id}":             u.trace,
		"GET /experiments/{id}/traces": u.tracesOfExperiment,
	} {
		mux.HandleFunc(pattern, u.show(p))
	}
}

// maxExperiments is how many experiments a list over all of them looks at.
const maxExperiments = 5000

// readable are the active experiments that the user may read, by id.
func (u *UI) readable(ctx context.Context) (ids []string, names map[string]string, err error) {
	found, err := u.cfg.Store.SearchExperiments(ctx, registry.Query{MaxResults: maxExperiments, View: registry.ViewActiveOnly})
	if err != nil {
		return nil, nil, err
	}
	names = make(map[string]string, len(found.Items))
	for _, e := range found.Items {
		ids = append(ids, e.ID)
		names[e.ID] = e.Name
	}
	return ids, names, nil
}

// tracesView is a list of traces: of one experiment, or, without one, of all.
type tracesView struct {
	experiment *registry.Experiment
	list       listing
	rows       []traceLine
	hints      []string
	example    string
}

// traceLine is one row of a list of traces.
type traceLine struct {
	id, name, status, took, tokens string
	experiment, experimentID       string
	request, response              string
	started                        moment
	session                        string
	assessments                    []assessmentLine
}

func (u *UI) traces(r *http.Request) (view, error) {
	ids, names, err := u.readable(r.Context())
	if err != nil {
		return view{}, err
	}
	return u.listTraces(r, nil, ids, names)
}

func (u *UI) tracesOfExperiment(r *http.Request) (view, error) {
	e, err := u.cfg.Store.Experiment(r.Context(), r.PathValue("id"))
	if err != nil {
		return view{}, err
	}
	return u.listTraces(r, &e, []string{e.ID}, map[string]string{e.ID: e.Name})
}

func (u *UI) listTraces(r *http.Request, e *registry.Experiment, ids []string, names map[string]string) (view, error) {
	var allowed []string
	for _, id := range ids {
		if mayIn(r.Context(), registry.OnTrace, id, registry.ActionRead) {
			allowed = append(allowed, id)
		}
	}
	l := parseListing(r)
	l.max = min(l.max, registry.MaxTracePage)
	q := registry.TraceQuery{ExperimentIDs: allowed, Filter: l.filter, MaxResults: l.max, PageToken: l.token}
	if l.order != "" {
		q.OrderBy = []string{l.order}
	}
	found, err := u.cfg.Store.SearchTraces(r.Context(), q)
	status, err := inPlace(&l, err)
	if err != nil {
		return view{}, err
	}
	l.next = found.NextPageToken
	v := tracesView{experiment: e, list: l}
	for _, t := range found.Items {
		line := u.traceLine(t)
		line.experiment = names[line.experimentID]
		v.rows = append(v.rows, line)
	}
	v.hints = traceHints(v.rows)
	v.list.words = traceWords(v.rows)
	name := "First traces"
	if e != nil {
		name = e.Name
	}
	v.example = "import mlflow\n\nmlflow.set_tracking_uri(" + quote(u.cfg.Environment().TrackingURI) + ")\nmlflow.set_experiment(" + quote(name) + ")\n\n\n" +
		"@mlflow.trace(span_type=\"RETRIEVER\")\ndef search(question):\n    return [\"Oak barrels let a little air in.\"]\n\n\n" +
		"@mlflow.trace(span_type=\"CHAIN\")\ndef answer(question):\n    return {\"answer\": search(question)[0]}\n\n\nanswer(\"How is wine aged?\")\n"
	title, section := "Traces", "traces"
	if e != nil {
		title, section = "Traces of "+e.Name, "experiments"
	}
	return view{title: title, section: section, status: status, scripts: []string{"swap.js", "complete.js"}, body: tracesPage(v)}, nil
}

func (u *UI) traceLine(t registry.TraceInfo) traceLine {
	line := traceLine{
		id: t.TraceID, name: traceName(t), status: t.State, experimentID: t.Location.Experiment.ExperimentID, started: u.when(int64(t.RequestTime)),
		request: shorten(text(t.RequestPreview), 160), response: shorten(text(t.ResponsePreview), 160), session: t.Metadata[registry.MetaSession],
	}
	if t.ExecutionDuration != nil {
		line.took = span(time.Duration(*t.ExecutionDuration) * time.Millisecond)
	}
	for _, u := range tokenUsage(t.Metadata[registry.MetaTokenUsage]) {
		if u.Key == "Total" {
			line.tokens = u.Value
		}
	}
	for _, a := range t.Assessments {
		if a.Valid {
			line.assessments = append(line.assessments, u.assessmentLine(a))
		}
	}
	return line
}

// traceName is what a trace is called; one without a name goes by its id.
func traceName(t registry.TraceInfo) string {
	if name := t.Tags[registry.TagTraceName]; name != "" {
		return name
	}
	return t.TraceID
}

// tokenUsage reads the metadata that holds the counts of tokens; a text that is none has none.
func tokenUsage(text string) (out []keyValue) {
	var counts map[string]json.Number
	if text == "" || json.Unmarshal([]byte(text), &counts) != nil {
		return nil
	}
	for _, k := range []struct{ key, name string }{
		{"input_tokens", "Input"},
		{"output_tokens", "Output"},
		{"cache_read_input_tokens", "Read from cache"},
		{"cache_creation_input_tokens", "Written to cache"},
		{"total_tokens", "Total"},
	} {
		if n, ok := counts[k.key]; ok {
			out = append(out, keyValue{Key: k.name, Value: n.String()})
		}
	}
	return out
}

// traceHints are filters that would find something on this page, to teach the language.
func traceHints(rows []traceLine) (out []string) {
	for _, t := range rows {
		if t.status == registry.TraceError {
			out = append(out, "trace.status = 'ERROR'")
			break
		}
	}
	if len(rows) > 0 {
		out = append(out, "trace.execution_time_ms > 100")
		if name := rows[0].name; !strings.Contains(name, "'") && len(name) <= 40 {
			out = append(out, "trace.name = '"+name+"'")
		}
		out = append(out, "span.type = 'LLM'")
	}
	return out
}

// traceWords complete the filter of traces. What the page does not show, such as the names of spans, has no values.
func traceWords(rows []traceLine) *listWords {
	w := newListWords([]string{"trace.status", "trace.name", "trace.run_id", "trace.text", "span.name", "span.type", "span.status"},
		[]string{"trace.timestamp_ms", "trace.execution_time_ms", "trace.end_time_ms"})
	for _, s := range []string{registry.TraceOK, registry.TraceError, registry.TraceInProgress} {
		w.value("trace.status", s)
	}
	for _, s := range []string{"AGENT", "CHAIN", "CHAT_MODEL", "EMBEDDING", "LLM", "PARSER", "RERANKER", "RETRIEVER", "TOOL", "UNKNOWN"} {
		w.value("span.type", s)
	}
	for _, t := range rows {
		w.value("trace.name", t.name)
		for _, a := range t.assessments {
			name := strings.ToLower(a.kind) + "." + a.name
			if a.kind != "Issue" && plainKey.MatchString(a.name) && !slices.Contains(w.Names, name) {
				w.Names = append(w.Names, name)
			}
		}
	}
	return w
}

// assessmentLine is what somebody says of a trace, in words.
type assessmentLine struct {
	name, value, kind, source, rationale, span string
	problem                                    string
	made                                       moment
	valid, good, bad                           bool
}

func (u *UI) assessmentLine(a registry.Assessment) assessmentLine {
	line := assessmentLine{
		name: a.Name, source: strings.ToLower(strings.ReplaceAll(a.Source.Type, "_", " ")), rationale: text(a.Rationale), span: a.SpanID, valid: a.Valid,
		made: u.when(int64(a.CreateTime)),
	}
	if a.Source.ID != "" {
		line.source = a.Source.ID + " (" + line.source + ")"
	}
	switch {
	case a.Feedback != nil:
		line.kind, line.value = "Feedback", plainJSON(a.Feedback.Value)
		switch strings.ToLower(line.value) {
		case "true", "yes":
			line.good = true
		case "false", "no":
			line.bad = true
		}
		if e := a.Feedback.Error; e != nil {
			line.bad, line.problem = true, strings.TrimSuffix(e.Code+": "+e.Message, ": ")
		}
	case a.Expectation != nil:
		line.kind, line.value = "Expectation", plainJSON(a.Expectation.Value)
		if s := a.Expectation.Serialized; s != nil {
			line.value = indent([]byte(s.Value))
		}
	case a.Issue != nil:
		line.kind, line.value = "Issue", a.Issue.Name
	}
	return line
}

// plainJSON shows a JSON value: a string without its quotes, anything else laid out.
func plainJSON(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil && len(raw) > 0 && raw[0] == '"' {
		return s
	}
	return readable(raw)
}

// tracesOfRun is the list of a run's traces, or "" when it has none that the user may read.
func (u *UI) tracesOfRun(ctx context.Context, run registry.RunInfo) (templ.SafeURL, error) {
	id, ok := filterText(run.RunID)
	if !ok || !mayIn(ctx, registry.OnTrace, run.ExperimentID, registry.ActionRead) {
		return "", nil
	}
	filter := "attributes.run_id = " + id
	found, err := u.cfg.Store.SearchTraces(ctx, registry.TraceQuery{ExperimentIDs: []string{run.ExperimentID}, Filter: filter, MaxResults: 1})
	if err != nil || len(found.Items) == 0 {
		return "", err
	}
	return tracesURL(run.ExperimentID) + query("filter", filter), nil
}

// tracesURL is the address of the experiment's list, or of all traces.
func tracesURL(experimentID string) templ.SafeURL {
	if experimentID == "" {
		return "/traces"
	}
	return experimentURL(experimentID) + "/traces"
}
