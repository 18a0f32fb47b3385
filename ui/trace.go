package ui

import (
	"context"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/a-h/templ"

	"github.com/prinzbox/prinzbox/registry"
)

const (
	// spansOnPage is how many spans one page draws.
	spansOnPage = 300
	// maxSpansFile bounds the file in which a 2.x client keeps the spans of a trace.
	maxSpansFile = 64 << 20
	// valueBytes is how much of an input or output is shown.
	valueBytes = 64 << 10
)

// traceView is a trace with its spans, one of which is open.
type traceView struct {
	info       registry.TraceInfo
	line       traceLine
	experiment registry.Experiment
	spans      []spanLine
	total      int
	before     templ.SafeURL // pages of spans
	after      templ.SafeURL
	shown      string
	problem    string
	open       *openSpan
	tokens     []keyValue
	cost       []keyValue
	said       []assessmentLine
	tags       []keyValue
	metadata   []keyValue
	system     []keyValue
	runID      string
	run        string
	model      *modelUse
	stored     templ.SafeURL
}

// spanLine is one line of the waterfall.
type spanLine struct {
	spanNode
	lane lane
	open bool
	url  templ.SafeURL
}

// openSpan is the span whose details are shown.
type openSpan struct {
	spanNode
	offset          string
	inputs, outputs *spanValue
	usage           []keyValue
	attributes      []keyValue
	events          []spanEvent
	said            []assessmentLine
}

// spanValue is what went into a span or came out of it.
type spanValue struct {
	id, text string
	chat     []message
	cut      bool
	size     int
}

type spanEvent struct {
	name, at   string
	kind, text string // of an exception
	stack      string
	attributes []keyValue
}

func (u *UI) trace(r *http.Request) (view, error) {
	ctx, q := r.Context(), r.URL.Query()
	info, file, err := u.cfg.Store.SpansFile(ctx, r.PathValue("id"))
	if err != nil {
		return view{}, err
	}
	if !mayIn(ctx, registry.OnTrace, info.Location.Experiment.ExperimentID, registry.ActionRead) {
		return view{}, denied()
	}
	v := traceView{info: info, line: u.traceLine(info), tokens: tokenUsage(info.Metadata[registry.MetaTokenUsage]), cost: costs(info.Metadata[registry.MetaCost])}
	if v.experiment, err = u.cfg.Store.Experiment(ctx, v.line.experimentID); err != nil {
		return view{}, err
	}
	for _, a := range info.Assessments {
		v.said = append(v.said, u.assessmentLine(a))
	}
	if err := u.traceLinks(ctx, &v); err != nil {
		return view{}, err
	}
	v.sortTags()
	var nodes []spanNode
	if !info.SpansHere() {
		file, err = u.uploadedSpans(ctx, info)
	}
	if err == nil {
		nodes, err = readSpans(file)
	}
	if err != nil {
		v.problem = u.problemOf(err)
	}
	v.total = len(nodes)
	v.draw(nodes, q)
	return view{title: v.line.name, section: "traces", scripts: []string{"swap.js"}, body: tracePage(v)}, nil
}

// uploadedSpans reads the spans of a 2.x client, which are a file beside the trace.
func (u *UI) uploadedSpans(ctx context.Context, info registry.TraceInfo) ([]byte, error) {
	location := info.Tags[registry.TagArtifactLocation]
	if u.cfg.Artifacts == nil || location == "" {
		return nil, registry.NotFoundf("The trace's spans have not been uploaded.")
	}
	body, _, err := u.cfg.Artifacts.Open(ctx, location, "traces.json")
	if registry.IsCode(err, registry.ResourceDoesNotExist) {
		return nil, registry.NotFoundf("The trace's spans have not been uploaded: there is no traces.json in %s.", location)
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = body.Close() }() // it was only read
	return io.ReadAll(io.LimitReader(body, maxSpansFile))
}

// traceLinks finds the run and the logged model of a trace.
func (u *UI) traceLinks(ctx context.Context, v *traceView) error {
	v.stored = u.storedAt(v.info.Tags[registry.TagArtifactLocation], true)
	if v.info.SpansHere() {
		v.stored = ""
	}
	if v.runID = v.info.Metadata[registry.MetaSourceRun]; v.runID != "" {
		run, err := u.cfg.Store.Run(ctx, v.runID)
		switch {
		case registry.IsCode(err, registry.ResourceDoesNotExist): // gone
			v.runID = ""
		case err != nil:
			return err
		case may(ctx, run.Info.ExperimentID, registry.ActionRead):
			v.run = run.Info.RunName
		default:
			v.runID = ""
		}
	}
	if id := v.info.Metadata[registry.MetaModelID]; id != "" {
		m, err := u.readLoggedModel(ctx, id)
		if err == nil {
			v.model = &modelUse{id: id, name: m.Info.Name}
		} else if !registry.IsCode(err, registry.ResourceDoesNotExist) && !registry.IsCode(err, registry.PermissionDenied) {
			return err
		}
	}
	return nil
}

// sortTags parts what users have set from what MLflow keeps for itself.
func (v *traceView) sortTags() {
	for _, k := range slices.Sorted(maps.Keys(v.info.Tags)) {
		if !strings.HasPrefix(k, "mlflow.") {
			v.tags = append(v.tags, keyValue{Key: k, Value: v.info.Tags[k]})
		} else {
			v.system = append(v.system, keyValue{Key: k, Value: v.info.Tags[k]})
		}
	}
	for _, k := range slices.Sorted(maps.Keys(v.info.Metadata)) {
		if !strings.HasPrefix(k, "mlflow.") {
			v.metadata = append(v.metadata, keyValue{Key: k, Value: v.info.Metadata[k]})
		} else {
			v.system = append(v.system, keyValue{Key: k, Value: v.info.Metadata[k]})
		}
	}
}

// draw places one page of spans, and opens one of them: the one that is asked for, or the first.
func (v *traceView) draw(nodes []spanNode, q url.Values) {
	if len(nodes) == 0 {
		return
	}
	from, to := nodes[0].start, nodes[0].start
	opened := 0
	for i, n := range nodes {
		from, to = min(from, n.start), max(to, n.start, n.end)
		if n.id == q.Get("span") {
			opened = i
		}
	}
	first, _ := strconv.Atoi(q.Get("from"))
	if !q.Has("from") {
		first = opened - opened%spansOnPage
	}
	first = max(0, min(first, len(nodes)-1))
	last := min(len(nodes), first+spansOnPage)
	at := func(first int, span string) templ.SafeURL {
		f := ""
		if first > 0 {
			f = strconv.Itoa(first)
		}
		return traceURL(v.info.TraceID) + query("span", span, "from", f)
	}
	for i, n := range nodes[first:last] {
		v.spans = append(v.spans, spanLine{spanNode: n, lane: laneOf(n, from, to), open: first+i == opened, url: at(first, n.id) + "#span"})
	}
	if last-first < len(nodes) {
		v.shown = "Spans " + strconv.Itoa(first+1) + " to " + strconv.Itoa(last) + " of " + strconv.Itoa(len(nodes))
	}
	if first > 0 {
		v.before = at(max(0, first-spansOnPage), "")
	}
	if last < len(nodes) {
		v.after = at(last, "")
	}
	v.open = newOpenSpan(nodes[opened], from)
	for _, a := range v.said {
		if a.span == v.open.id {
			v.open.said = append(v.open.said, a)
		}
	}
}

func newOpenSpan(n spanNode, from int64) *openSpan {
	s := &openSpan{spanNode: n, offset: preciseSpan(nanoseconds(n.start - from))}
	s.inputs = newSpanValue("span-inputs", n.attributes[attrInputs])
	s.outputs = newSpanValue("span-outputs", n.attributes[attrOutputs])
	s.usage = tokenUsage(string(attribute(n.attributes[attrUsage])))
	for _, key := range slices.Sorted(maps.Keys(n.attributes)) {
		switch key {
		case attrInputs, attrOutputs, attrKind, attrUsage, attrTraceID:
		default:
			s.attributes = append(s.attributes, keyValue{Key: key, Value: shorten(attributeText(n.attributes[key]), 4000)})
		}
	}
	for _, e := range n.events {
		if e.Time == 0 {
			e.Time = e.OldTime
		}
		event := spanEvent{name: e.Name, at: "after " + preciseSpan(nanoseconds(int64(e.Time)-n.start))}
		for _, key := range slices.Sorted(maps.Keys(e.Attributes)) {
			value := attributeText(e.Attributes[key])
			switch key {
			case "exception.type":
				event.kind = value
			case "exception.message":
				event.text = value
			case "exception.stacktrace":
				event.stack = shorten(value, valueBytes)
			default:
				event.attributes = append(event.attributes, keyValue{Key: key, Value: shorten(value, 4000)})
			}
		}
		s.events = append(s.events, event)
	}
	return s
}

func newSpanValue(id string, raw []byte) *spanValue {
	if len(raw) == 0 || string(raw) == "null" {
		return nil
	}
	value := attribute(raw)
	v := &spanValue{id: id, text: plainJSON(value), size: len(value), chat: conversation(value)}
	if len(v.text) > valueBytes {
		v.text, v.cut = string(wholeCharacters([]byte(v.text[:valueBytes]))), true
	}
	return v
}
