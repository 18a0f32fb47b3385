package ui

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/prinzbox/prinzbox/registry"
)

// FuzzSpans reads what a client has uploaded as the spans of a trace: each span stands once, no deeper than one below the span before it.
func FuzzSpans(f *testing.F) {
	for _, seed := range []string{
		`{"spans":[{"span_id":"a","parent_span_id":null,"name":"root","start_time_unix_nano":5,"end_time_unix_nano":"9","attributes":{"mlflow.spanInputs":"{\"messages\":[{\"role\":\"user\",\"content\":[1]}]}"}}]}`,
		`{"spans":[{"context":{"span_id":"a"},"parent_id":"b","start_time":-1,"end_time":9223372036854775807,"status_code":"ERROR","events":[{"attributes":{"exception.type":{}}}]},{"context":{"span_id":"b"},"parent_id":"a"}]}`,
		`{"spans":[{"span_id":"a"},{"span_id":"a","parent_span_id":"a"},{}]}`, `{"spans":null}`, `[]`, `{"spans":[{"span_id":"a","parent_span_id":"b"},{"span_id":"b","parent_span_id":"c"},{"span_id":"c","parent_span_id":"b"}]}`,
		`{"spans":[{"attributes":{"mlflow.chat.tokenUsage":"{\"input_tokens\":1e999}","mlflow.spanType":"\"x\""},"links":[{}]}]}`,
	} {
		f.Add([]byte(seed), "a")
	}
	f.Fuzz(func(t *testing.T, file []byte, open string) {
		nodes, err := readSpans(file)
		if err != nil {
			return
		}
		var doc struct{ Spans []json.RawMessage }
		if err := json.Unmarshal(file, &doc); err != nil || len(doc.Spans) != len(nodes) {
			t.Fatalf("%d spans of %d (%v)", len(nodes), len(doc.Spans), err)
		}
		for i, n := range nodes {
			if n.depth < 0 || i == 0 && n.depth != 0 || i > 0 && n.depth > nodes[i-1].depth+1 {
				t.Fatalf("span %d lies %d deep", i, n.depth)
			}
		}
		v := traceView{info: registry.TraceInfo{TraceID: "t"}, said: []assessmentLine{{span: open}}}
		v.draw(nodes, url.Values{"span": {open}})
		if len(nodes) > 0 && (v.open == nil || len(v.spans) != min(len(nodes), len(v.spans)) || len(v.spans) == 0) {
			t.Fatalf("%d of %d spans are drawn", len(v.spans), len(nodes))
		}
		for _, s := range v.spans {
			if strings.ContainsAny(s.lane.x+s.lane.width, "-NI") {
				t.Fatalf("span %s is drawn at %s, %s wide", s.id, s.lane.x, s.lane.width)
			}
		}
	})
}

// FuzzDiff holds that a difference tells both texts: without what came it is the one, without what went the other.
func FuzzDiff(f *testing.F) {
	f.Add("a\nb\nc", "a\nc\nd")
	f.Add("Answer {{x}} kindly.", "Answer {{x}}, kindly and briefly.")
	f.Add("", "\n")
	f.Add("\xff ü\xff\xff!", "ü \xff")
	f.Fuzz(func(t *testing.T, a, b string) {
		var old, fresh []string
		for _, l := range diffLines(a, b) {
			text := ""
			for _, p := range l.parts {
				text += p.text
			}
			if l.mark != '+' {
				old = append(old, text)
			}
			if l.mark != '-' {
				fresh = append(fresh, text)
			}
		}
		if got := strings.Join(old, "\n"); got != a {
			t.Errorf("without what came it is %q, want %q", got, a)
		}
		if got := strings.Join(fresh, "\n"); got != b {
			t.Errorf("without what went it is %q, want %q", got, b)
		}
	})
}

func TestDiffOfLongTexts(t *testing.T) {
	a, b := strings.Repeat("a\n", 5000), strings.Repeat("b\n", 5000)
	if n := len(diffLines(a, b)); n != 10_001 {
		t.Errorf("%d lines, want all of both and the empty last one", n)
	}
}

// FuzzReadable lays JSON out: what comes out means what went in, and what is no JSON stays as it is.
func FuzzReadable(f *testing.F) {
	f.Add([]byte(`{"where":"K\u00f6ln","n":1.50,"deep":[[1],{"a":null}],"long":"` + strings.Repeat("x", 120) + `"}`))
	f.Add([]byte(`{"a":1,"a":2}`))
	f.Add([]byte("\"\xff\""))
	f.Add([]byte(`NaN`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		text := readable(raw)
		if !json.Valid(raw) {
			return
		}
		var was, is any
		if err := json.Unmarshal(raw, &was); err != nil {
			return // a number that Go cannot hold
		}
		if err := json.Unmarshal([]byte(text), &is); err != nil {
			t.Fatalf("%q became %q: %v", raw, text, err)
		}
		one, err1 := json.Marshal(was)
		two, err2 := json.Marshal(is)
		if err1 != nil || err2 != nil || string(one) != string(two) {
			t.Errorf("%q became %q", raw, text)
		}
	})
}
