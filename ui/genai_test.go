package ui_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/prinzbox/prinzbox/registry"
)

// newSpan is a span of a test's trace; ids are one byte, repeated.
func newSpan(trace, id, parent byte, name, kind string, start, end time.Duration, attributes ...string) registry.NewSpan {
	ids := func(b byte, n int) []byte { return []byte(strings.Repeat(string(rune(b)), n)) }
	s := registry.NewSpan{
		TraceID: ids(trace, 16), SpanID: ids(id, 8), Name: name, Start: now.Add(start).UnixNano(), End: now.Add(end).UnixNano(), Status: registry.SpanOK,
		Attributes: []registry.SpanAttribute{{Key: "mlflow.spanType", JSON: jsonText(kind)}},
	}
	if parent != 0 {
		s.ParentID = ids(parent, 8)
	}
	for i := 0; i < len(attributes); i += 2 {
		s.Attributes = append(s.Attributes, registry.SpanAttribute{Key: attributes[i], JSON: attributes[i+1]})
	}
	return s
}

func jsonText(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // a test's own value
	}
	return string(b)
}

func traceID(b byte) string { return "tr-" + strings.Repeat(fmt.Sprintf("%02x", b), 16) }

// genai fills an experiment with a trace of an application, one that failed, a prompt with two versions, a dataset and a logged model.
func genai(h *house) (experiment, run, model, dataset string) {
	h.t.Helper()
	ctx := h.t.Context()
	experiment = must[string](h.t)(h.store.CreateExperiment(ctx, registry.NewExperiment{Name: "Support bot"}))
	run = h.run(experiment, "bot", now, registry.Batch{})
	m := must[registry.LoggedModel](h.t)(h.store.CreateLoggedModel(ctx, registry.NewLoggedModel{
		ExperimentID: experiment, Name: "bot-model", ModelType: "agent", SourceRunID: run, Params: []registry.KeyValue{{Key: "temperature", Value: "0.1"}},
	}))
	model = m.Info.ModelID
	must[registry.LoggedModel](h.t)(h.store.FinalizeLoggedModel(ctx, model, 2))
	h.register("bot", "", run)
	h.do(h.store.SetLoggedModelTags(ctx, model, []registry.KeyValue{{Key: registry.TagModelVersions, Value: `[{"name":"bot","version":1},{"name":"bot","version":1}]`}}))
	h.do(h.store.LogBatch(ctx, run, registry.Batch{Metrics: []registry.Metric{
		{Key: "accuracy", Value: 0.7, Timestamp: 1, ModelID: model, DatasetName: "questions", DatasetDigest: "d1"},
		{Key: "accuracy", Value: 0.9, Timestamp: 2, ModelID: model, DatasetName: "questions", DatasetDigest: "d1"},
		{Key: "accuracy", Value: 0.5, Timestamp: 1, ModelID: model, DatasetName: "harder", DatasetDigest: "d2"},
	}}))
	h.do(h.store.LogInputs(ctx, run, []registry.DatasetInput{{
		Dataset: registry.Dataset{Name: "questions", Digest: "d1", SourceType: "local", Source: "{}"}, Tags: []registry.KeyValue{{Key: registry.TagDataContext, Value: "evaluation"}},
	}}, nil))
	h.files[m.Info.ArtifactURI+"/MLmodel"] = "flavors:\n  python_function:\n    python_version: 3.11.9\n"

	const ms = time.Millisecond
	boom := newSpan('A', 'd', 'b', "look up", "TOOL", 30*ms, 32*ms, "mlflow.spanInputs", jsonText(map[string]string{"word": hostile}))
	boom.Status, boom.StatusMessage = registry.SpanError, "ValueError: "+hostile
	boom.Events = []registry.SpanEvent{{Name: "exception", Time: now.Add(31 * ms).UnixNano(), Attributes: []registry.SpanAttribute{
		{Key: "exception.type", JSON: `"ValueError"`}, {Key: "exception.message", JSON: jsonText(hostile)}, {Key: "exception.stacktrace", JSON: jsonText("Traceback " + hostile)},
	}}, {Name: "retried", Time: now.Add(32 * ms).UnixNano(), Attributes: []registry.SpanAttribute{{Key: "times", JSON: "3"}}}}
	must[[]string](h.t)(h.store.LogSpans(ctx, experiment, []registry.NewSpan{
		newSpan('A', 'a', 0, "answer", "AGENT", 0, 200*ms, "mlflow.spanInputs", `{"question":"How is wine aged?", "where": "K\u00f6ln"}`, "mlflow.spanOutputs", `"In oak."`),
		newSpan('A', 'b', 'a', "retrieve "+hostile, "RETRIEVER", 10*ms, 60*ms),
		boom,
		newSpan('A', 'c', 'a', "think", "CHAT_MODEL", 60*ms, 190*ms, "mlflow.spanInputs", jsonText(map[string]any{"messages": []any{
			map[string]any{"role": "system", "content": "You know " + hostile}, map[string]any{"role": "user", "content": "How is wine aged?"},
		}}), "mlflow.spanOutputs", `{"choices":[{"message":{"role":"assistant","content":"In oak."}}]}`, "mlflow.chat.tokenUsage", `{"input_tokens":120,"output_tokens":30,"total_tokens":150}`),
	}))
	took := registry.Duration(200)
	preview := `{"question": "How is wine aged?"}`
	must[registry.TraceInfo](h.t)(h.store.StartTrace(ctx, registry.TraceInfo{
		TraceID: traceID('A'), Location: at(experiment), RequestTime: registry.Timestamp(now.UnixMilli()), ExecutionDuration: &took, State: registry.TraceOK, RequestPreview: &preview,
		Tags:     map[string]string{registry.TagTraceName: "answer", "team": hostile},
		Metadata: map[string]string{registry.MetaSourceRun: run, registry.MetaModelID: model, registry.MetaSession: "s-1", registry.MetaTokenUsage: `{"input_tokens":120,"output_tokens":30,"total_tokens":150}`},
	}))
	rationale := "Right, " + hostile
	for _, a := range []registry.Assessment{
		{Name: "correct", Feedback: &registry.Feedback{Value: json.RawMessage("true")}, Rationale: &rationale, Source: registry.AssessmentSource{Type: "HUMAN", ID: "ada"}},
		{Name: "expected", Expectation: &registry.Expectation{Value: json.RawMessage(`"In oak barrels."`)}, Source: registry.AssessmentSource{Type: "HUMAN", ID: "ada"}},
		{Name: "grounded", Feedback: &registry.Feedback{Error: &registry.AssessmentError{Code: "TIMEOUT", Message: "no answer"}}, Source: registry.AssessmentSource{Type: "LLM_JUDGE"}},
	} {
		a.TraceID = traceID('A')
		must[registry.Assessment](h.t)(h.store.CreateAssessment(ctx, a))
	}
	must[registry.TraceInfo](h.t)(h.store.StartTrace(ctx, registry.TraceInfo{
		TraceID: "tr-failed", Location: at(experiment), RequestTime: registry.Timestamp(now.UnixMilli() - 1000), State: registry.TraceError, Tags: map[string]string{registry.TagTraceName: "broken"},
	}))

	prompt := []registry.KeyValue{{Key: registry.TagIsPrompt, Value: "true"}}
	must[registry.RegisteredModel](h.t)(h.store.CreateRegisteredModel(ctx, registry.NewRegisteredModel{Name: "helper", Tags: prompt}))
	for i, text := range []string{"Answer {{question}} kindly.\nBe short.\n" + hostile, "Answer {{ question }} kindly, {{name}}.\nBe short.\n" + hostile + "\nName sources."} {
		must[registry.ModelVersion](h.t)(h.store.CreateModelVersion(ctx, registry.NewModelVersion{
			Name: "helper", Source: "dummy-source", Description: fmt.Sprint("change ", i+1),
			Tags: append([]registry.KeyValue{{Key: "mlflow.prompt.text", Value: text}, {Key: "_mlflow_prompt_type", Value: "text"}}, prompt...),
		}))
	}
	h.do(h.store.SetAlias(ctx, "helper", "production", "2"))
	must[registry.RegisteredModel](h.t)(h.store.CreateRegisteredModel(ctx, registry.NewRegisteredModel{Name: "chatty", Tags: prompt}))
	must[registry.ModelVersion](h.t)(h.store.CreateModelVersion(ctx, registry.NewModelVersion{
		Name: "chatty", Source: "dummy-source",
		Tags: append([]registry.KeyValue{{Key: "mlflow.prompt.text", Value: jsonText([]map[string]string{{"role": "system", "content": "Be {{mood}}."}})}, {Key: "_mlflow_prompt_type", Value: "chat"}}, prompt...),
	}))
	h.do(h.store.LinkPrompts(ctx, traceID('A'), []registry.PromptVersion{{Name: "helper", Version: "2"}}))

	d := must[registry.EvaluationDataset](h.t)(h.store.CreateEvaluationDataset(ctx, registry.NewEvaluationDataset{Name: "wine-questions", Tags: jsonText(map[string]string{"by": hostile}), ExperimentIDs: []string{experiment}}))
	var records []map[string]any
	for i := range 60 {
		records = append(records, map[string]any{"inputs": map[string]any{"question": fmt.Sprint("question ", i, " ", hostile)}, "expectations": map[string]any{"answer": "In oak."}})
	}
	records[0]["source"] = map[string]any{"source_type": "TRACE", "source_data": map[string]any{"trace_id": traceID('A')}}
	if _, _, err := h.store.UpsertRecords(ctx, d.ID, jsonText(records)); err != nil {
		h.t.Fatal(err)
	}
	return experiment, run, model, d.ID
}

func at(experiment string) registry.TraceLocation {
	return registry.TraceLocation{Type: "MLFLOW_EXPERIMENT", Experiment: registry.TraceExperiment{ExperimentID: experiment}}
}

var noMarkup = []string{"<img", "<script>alert"}

func TestTraces(t *testing.T) {
	h := newHouse(t)
	if _, page := h.get("/traces"); !strings.Contains(page, "@mlflow.trace") || !strings.Contains(page, h.server.URL) {
		t.Error("an empty list does not teach")
	}
	experiment, run, model, _ := genai(h)
	for path, want := range map[string]struct{ has, lacks []string }{
		"/traces":                                {[]string{`href="/traces/` + traceID('A'), "answer", "broken", "200 ms", ">150<", "correct: true", "Session s-1", `href="/experiments/` + experiment + `/traces"`, "2 traces"}, noMarkup},
		"/experiments/" + experiment + "/traces": {[]string{"answer", "broken", `aria-label="Of this experiment"`}, noMarkup},
		"/experiments/0/traces":                  {[]string{"No traces here yet"}, []string{"answer</a>"}},
		"/traces?filter=" + url.QueryEscape("trace.status = 'ERROR'"):                   {[]string{"broken"}, []string{"answer</a>"}},
		"/traces?filter=" + url.QueryEscape("prompt = 'helper/2'"):                      {[]string{"answer"}, []string{"broken</a>"}},
		"/traces?filter=" + url.QueryEscape("span.type = 'RETRIEVER'"):                  {[]string{"answer"}, []string{"broken</a>"}},
		"/traces?filter=" + url.QueryEscape("feedback.correct = 'true'"):                {[]string{"answer"}, []string{"broken</a>"}},
		"/traces?filter=" + url.QueryEscape("trace.name = 'none'"):                      {[]string{"No trace matches"}, nil},
		"/traces?order_by=" + url.QueryEscape("attributes.timestamp_ms ASC") + "&max=1": {[]string{"broken", "Next page"}, []string{"answer</a>"}},
	} {
		status, page := h.get(path)
		if status != 200 {
			t.Errorf("%s: status %d", path, status)
		}
		holds(t, path, page, want.has, want.lacks)
	}
	_, page := h.get("/traces/" + traceID('A'))
	holds(t, "trace", page, []string{`href="/runs/` + run, `href="/logged-models/` + model, "150 tokens", "Right, &lt;", "In oak barrels.", "TIMEOUT: no answer"}, noMarkup)
	_, page = h.get("/runs/" + run)
	holds(t, "run", page, []string{"What it traced"}, nil)
	for path, want := range map[string]string{"/traces?filter=span.colour+%3D+%27x%27": "Invalid span attribute", "/traces?filter=foo": "Invalid clause", "/traces?order_by=colour+ASC": "Invalid", "/traces?page_token=x": "token"} {
		if status, page := h.get(path); status != 400 || !strings.Contains(page, `role="alert"`) || !strings.Contains(page, want) {
			t.Errorf("%s: status %d", path, status)
		}
	}
	if status, _ := h.get("/traces/none"); status != 404 {
		t.Errorf("no trace: %d", status)
	}
}

func TestWaterfall(t *testing.T) {
	h := newHouse(t)
	genai(h)
	path := "/traces/" + traceID('A')
	_, page := h.get(path)
	// The order of the tree: answer, retrieve, look up (below it), think.
	last := -1
	for _, id := range []string{"a", "b", "d", "c"} {
		at := strings.Index(page, `id="s-`+span(id)+`"`)
		if at <= last {
			t.Errorf("span %s is out of order", id)
		}
		last = at
	}
	holds(t, "waterfall", page, []string{
		`class="in in0"`, `class="in in1"`, `class="in in2"`,
		`<rect class="s5" x="0.0" y="1" width="1000.0"`, `<rect class="s1" x="50.0" y="1" width="250.0"`, `<rect class="failed" x="150.0" y="1" width="10.0"`, `<rect class="s2" x="300.0" y="1" width="650.0"`,
		"In oak.", "{&#34;question&#34;:&#34;How is wine aged?&#34;,&#34;where&#34;:&#34;Köln&#34;}",
	}, append(noMarkup, "style="))
	_, page = h.get(path + "?span=" + url.QueryEscape(span("d")))
	holds(t, "failed span", page, []string{"ValueError: &lt;script&gt;", "Traceback &lt;script&gt;", "Event retried", "Began after 30.0 ms, took 2.0 ms"}, noMarkup)
	_, page = h.get(path + "?span=" + url.QueryEscape(span("c")))
	holds(t, "chat", page, []string{`class="turn mine"`, "You know &lt;script&gt;", "assistant", "Tokens of this span", ">120<"}, noMarkup)
	_, page = h.get(path + "?span=none&from=-7")
	holds(t, "no such span", page, []string{`aria-label="Span answer"`}, nil)
	if _, page = h.get("/traces/tr-failed"); !strings.Contains(page, "spans have not been uploaded") {
		t.Error("a trace without spans does not say so")
	}
}

// span is the id of a test's span as the store writes it.
func span(id string) string {
	var out string
	raw := jsonText([]byte(strings.Repeat(id, 8)))
	if err := json.Unmarshal([]byte(raw), &out); err != nil {
		panic(err)
	}
	return out
}

// Spans of 2.x clients lie in a file; what arrives broken is shown as far as it goes.
func TestUploadedSpans(t *testing.T) {
	h := newHouse(t)
	ctx := t.Context()
	var old []map[string]any
	for i := range 700 {
		s := map[string]any{
			"name": fmt.Sprint("step ", i), "context": map[string]any{"span_id": fmt.Sprint("id", i), "trace_id": "t"}, "parent_id": nil, "start_time": now.UnixNano() + int64(i), "end_time": now.UnixNano() + int64(i) + 5e6,
			"status_code": "OK", "attributes": map[string]any{"mlflow.spanType": `"CHAIN"`, "mlflow.spanInputs": `{"i": 1}`},
		}
		if i > 0 {
			s["parent_id"] = "id0"
		}
		old = append(old, s)
	}
	old[699]["status_code"], old[699]["events"] = "ERROR", []map[string]any{{"name": "exception", "timestamp": now.UnixNano(), "attributes": map[string]any{"exception.type": "KeyError"}}}
	info := must[registry.TraceInfo](t)(h.store.StartTraceV2(ctx, registry.NewTraceV2{ExperimentID: "0", Timestamp: now.UnixMilli()}))
	file := info.Tags[registry.TagArtifactLocation] + "/traces.json"
	h.files[file] = jsonText(map[string]any{"spans": old})
	_, page := h.get("/traces/" + info.TraceID)
	holds(t, "first page", page, []string{"step 0<", "step 299<", "Spans 1 to 300 of 700", "from=300"}, []string{"step 300<"})
	_, page = h.get("/traces/" + info.TraceID + "?span=id699")
	holds(t, "last span", page, []string{"step 699<", "Spans 601 to 700 of 700", "KeyError"}, []string{"step 0<"})
	for text, want := range map[string]string{
		`{"spans": "no"}`: "cannot be read", `{`: "cannot be read", `{"spans": []}`: "No span has arrived", `null`: "No span has arrived",
		`{"spans":[{"span_id":"a","parent_span_id":"b","name":"one","start_time_unix_nano":"9"},{"span_id":"b","parent_span_id":"a","name":"two","end_time_unix_nano":{}}]}`: "goes on",
		`{"spans":[{"span_id":"a","parent_span_id":"a","name":"self","attributes":{"mlflow.spanType":7,"mlflow.spanInputs":"not json {"},"events":[{"name":"e"}]}]}`:         "not json {",
	} {
		h.files[file] = text
		if status, page := h.get("/traces/" + info.TraceID); status != 200 || !strings.Contains(page, want) {
			t.Errorf("%s: status %d, no %s", text, status, want)
		}
	}
}

func TestPrompts(t *testing.T) {
	h := newHouse(t)
	if _, page := h.get("/prompts"); !strings.Contains(page, "mlflow.genai.register_prompt") {
		t.Error("an empty list does not teach")
	}
	genai(h)
	for path, want := range map[string]struct{ has, lacks []string }{
		"/prompts":                              {[]string{`href="/prompts/helper"`, "production → 2", "2 prompts"}, []string{`href="/prompts/bot"`}},
		"/prompts?filter=name+%3D+%27chatty%27": {[]string{`href="/prompts/chatty"`}, []string{`href="/prompts/helper"`}},
		"/prompts/helper":                       {[]string{"Version 2", "Name sources.", ">question</span>", ">name</span>", "prompt.format(question=&#34;…&#34;, name=&#34;…&#34;)", "prompt+%3D+%27helper%2F2%27"}, noMarkup},
		"/prompts/helper?version=1":             {[]string{`<h2 id="text">Version 1</h2>`}, append([]string{"Name sources."}, noMarkup...)},
		"/prompts/helper?version=2&with=1":      {[]string{"<mark>, {{name}}</mark>", "<ins>Name sources.</ins>", "<span>Be short.</span>", "Version 1 → 2"}, noMarkup},
		"/prompts/helper?version=1&with=2":      {[]string{"<del>Name sources.</del>"}, noMarkup},
		"/prompts/chatty":                       {[]string{"Be {{mood}}.", "system", "mood"}, nil},
	} {
		status, page := h.get(path)
		if status != 200 {
			t.Errorf("%s: status %d", path, status)
		}
		holds(t, path, page, want.has, want.lacks)
	}
	for path, want := range map[string]int{"/prompts/none": 404, "/prompts/helper?version=9": 404, "/prompts/helper?version=1&with=9": 404, "/prompts/helper?version=x": 400, "/prompts?filter=colour": 400} {
		if status, _ := h.get(path); status != want {
			t.Errorf("%s: status %d, want %d", path, status, want)
		}
	}
	if _, list := h.get("/palette.json"); !strings.Contains(list, `{"kind":"Prompt","name":"helper","url":"/prompts/helper"}`) {
		t.Errorf("the palette does not lead to prompts: %s", list)
	}
	if resp := h.ask("/prompts/bot"); resp.Request.URL.Path != "/models/bot" {
		t.Errorf("a model's name leads to %s", resp.Request.URL)
	}
}

func TestDatasets(t *testing.T) {
	h := newHouse(t)
	if _, page := h.get("/datasets"); !strings.Contains(page, "create_dataset(") || !strings.Contains(page, "mlflow.log_input(") {
		t.Error("empty lists do not teach")
	}
	experiment, _, _, id := genai(h)
	_, page := h.get("/datasets")
	holds(t, "list", page, []string{`href="/datasets/` + id, ">60<", "questions", "evaluation", "/experiments/" + experiment + "?filter=dataset.digest+%3D+%27d1%27"}, noMarkup)
	if status, page := h.get("/experiments/" + experiment + "?filter=dataset.digest+%3D+%27d1%27"); status != 200 || !strings.Contains(page, ">bot</a>") {
		t.Errorf("the runs that read it are not found: %d", status)
	}
	_, page = h.get("/datasets/" + id)
	holds(t, "records", page, []string{"60 records", "Experiment Support bot", "question", "In oak.", "Next page", "by: &lt;script&gt;"}, noMarkup)
	if n := strings.Count(page, "<pre tabindex"); n != 100 {
		t.Errorf("%d values on the first page, want 100", n)
	}
	_, rest, _ := strings.Cut(page, `href="/datasets/`+id+`?page_token=`)
	token, _, _ := strings.Cut(rest, `"`)
	_, second := h.get("/datasets/" + id + "?page_token=" + token)
	if n := strings.Count(second, "<pre tabindex"); n != 20 {
		t.Errorf("%d values on the second page, want 20", n)
	}
	if !strings.Contains(page+second, `href="/traces/`+traceID('A')) {
		t.Error("no way from the record to its trace")
	}
	for path, want := range map[string]int{"/datasets/none": 404, "/datasets/" + id + "?page_token=x": 400, "/datasets?filter=colour": 400} {
		if status, _ := h.get(path); status != want {
			t.Errorf("%s: status %d, want %d", path, status, want)
		}
	}
}

func TestLoggedModels(t *testing.T) {
	h := newHouse(t)
	if _, page := h.get("/experiments/0/models"); !strings.Contains(page, "mlflow.pyfunc.log_model(") {
		t.Error("an empty list does not teach")
	}
	experiment, run, model, _ := genai(h)
	for path, want := range map[string]struct{ has, lacks []string }{
		"/experiments/" + experiment + "/models":                                  {[]string{`href="/logged-models/` + model, ">0.9<", "bot 1", "Ready"}, []string{"bot 1</a> <a class=\"tag\""}},
		"/experiments/" + experiment + "/models?order_by=metrics.accuracy+DESC":   {[]string{"bot-model"}, nil},
		"/experiments/" + experiment + "/models?filter=metrics.accuracy+%3E+0.95": {[]string{"No logged model matches"}, nil},
		"/logged-models/" + model:                                                 {[]string{`href="/runs/` + run, `href="/models/bot/versions/1"`, ">0.9<", "questions d1", ">0.5<", "harder d2", "temperature", "models:/" + model, "MLmodel"}, noMarkup},
		"/logged-models/" + model + "?path=&file=MLmodel":                         {[]string{"3.11.9"}, nil},
	} {
		status, page := h.get(path)
		if status != 200 {
			t.Errorf("%s: status %d", path, status)
		}
		holds(t, path, page, want.has, want.lacks)
	}
	if resp := h.ask("/logged-models/" + model + "/zip"); resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "application/zip" {
		t.Errorf("zip: %d %v", resp.StatusCode, resp.Header)
	}
	h.do(h.store.DeleteLoggedModel(t.Context(), model))
	if status, page := h.get("/logged-models/" + model); status != 200 || !strings.Contains(page, `<span class="tag">deleted</span>`) {
		t.Errorf("deleted: %d", status)
	}
	for path, want := range map[string]int{
		"/logged-models/none": 404, "/logged-models/none/zip": 404, "/experiments/99/models": 404, "/experiments/" + experiment + "/models?filter=colour": 400,
		"/experiments/" + experiment + "/models?order_by=colour": 400,
	} {
		if status, _ := h.get(path); status != want {
			t.Errorf("%s: status %d, want %d", path, status, want)
		}
	}
}
