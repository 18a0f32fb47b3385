package ui

import (
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prinzbox/prinzbox/registry"
)

// wireSpan is a span as traces.json holds it: as 3.x clients and this server write it, or with the names of 2.x clients.
type wireSpan struct {
	SpanID   string  `json:"span_id"`
	ParentID *string `json:"parent_span_id"`
	Name     string  `json:"name"`
	Start    nanos   `json:"start_time_unix_nano"`
	End      nanos   `json:"end_time_unix_nano"`
	Status   struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	} `json:"status"`
	Attributes map[string]json.RawMessage `json:"attributes"`
	Events     []wireEvent                `json:"events"`
	Links      []struct {
		TraceID string `json:"trace_id"`
		SpanID  string `json:"span_id"`
	} `json:"links"`

	OldContext struct {
		SpanID string `json:"span_id"`
	} `json:"context"`
	OldParent  *string `json:"parent_id"`
	OldStart   nanos   `json:"start_time"`
	OldEnd     nanos   `json:"end_time"`
	OldStatus  string  `json:"status_code"`
	OldMessage string  `json:"status_message"`
}

type wireEvent struct {
	Name       string                     `json:"name"`
	Time       nanos                      `json:"time_unix_nano"`
	OldTime    nanos                      `json:"timestamp"`
	Attributes map[string]json.RawMessage `json:"attributes"`
}

// nanos is a time in nanoseconds since 1970, written as a number or as a text. Anything else is no time.
type nanos int64

// UnmarshalJSON implements json.Unmarshaler.
func (n *nanos) UnmarshalJSON(b []byte) error {
	i, err := strconv.ParseInt(strings.Trim(string(b), `"`), 10, 64)
	if err == nil {
		*n = nanos(i)
	}
	return nil
}

// spanNode is a span in its place: below its parent, depth levels from the top.
type spanNode struct {
	id, parent, name, kind string
	depth                  int
	start, end             int64 // nanoseconds since 1970; end 0 means that it goes on
	failed                 bool
	message                string
	attributes             map[string]json.RawMessage
	events                 []wireEvent
	links                  []string
}

// Attributes of spans that have a place of their own on the page.
const (
	attrInputs   = "mlflow.spanInputs"
	attrOutputs  = "mlflow.spanOutputs"
	attrKind     = "mlflow.spanType"
	attrUsage    = "mlflow.chat.tokenUsage"
	attrTraceID  = "mlflow.traceRequestId"
	attrModel    = "mlflow.llm.model"
	maxSpanDepth = 12
)

// readSpans reads traces.json and puts the spans in the order of the tree: each below its parent, by start. Spans whose parent is not there,
// or who are their own ancestors, stand at the top.
func readSpans(file []byte) ([]spanNode, error) {
	var doc struct {
		Spans []wireSpan `json:"spans"`
	}
	if err := json.Unmarshal(file, &doc); err != nil {
		return nil, registry.Invalidf("The trace's spans cannot be read: %v", err)
	}
	nodes := make([]spanNode, len(doc.Spans))
	for i, s := range doc.Spans {
		nodes[i] = newSpanNode(s)
	}
	slices.SortStableFunc(nodes, func(a, b spanNode) int { return cmp.Compare(a.start, b.start) })
	known := make(map[string]int, len(nodes))
	for i, n := range nodes {
		known[n.id] = i
	}
	children := map[string][]int{}
	var roots []int
	for i, n := range nodes {
		if _, ok := known[n.parent]; n.parent == "" || !ok || n.parent == n.id {
			roots = append(roots, i)
		} else {
			children[n.parent] = append(children[n.parent], i)
		}
	}
	out := make([]spanNode, 0, len(nodes))
	placed := make([]bool, len(nodes))
	place := func(root int) {
		type step struct{ i, depth int }
		for todo := []step{{root, 0}}; len(todo) > 0; {
			at := todo[len(todo)-1]
			todo = todo[:len(todo)-1]
			if placed[at.i] {
				continue
			}
			placed[at.i] = true
			n := nodes[at.i]
			n.depth = at.depth
			out = append(out, n)
			below := children[n.id]
			for _, i := range slices.Backward(below) {
				todo = append(todo, step{i, at.depth + 1})
			}
		}
	}
	for _, i := range roots {
		place(i)
	}
	for i := range nodes { // what is left are circles
		place(i)
	}
	return out, nil
}

func newSpanNode(s wireSpan) spanNode {
	first := func(a, b string) string {
		if a != "" {
			return a
		}
		return b
	}
	n := spanNode{
		id: first(s.SpanID, s.OldContext.SpanID), parent: first(text(s.ParentID), text(s.OldParent)), name: s.Name, start: int64(s.Start), end: int64(s.End),
		message: first(s.Status.Message, s.OldMessage), attributes: s.Attributes, events: s.Events,
	}
	if n.start == 0 {
		n.start, n.end = int64(s.OldStart), int64(s.OldEnd)
	}
	n.failed = strings.HasSuffix(first(s.Status.Code, s.OldStatus), "ERROR")
	n.kind = attributeText(s.Attributes[attrKind])
	if n.kind == "UNKNOWN" {
		n.kind = ""
	}
	for _, l := range s.Links {
		n.links = append(n.links, l.TraceID)
	}
	return n
}

// attribute is the JSON behind an attribute. MLflow keeps values as JSON texts; others keep them as they are.
func attribute(raw json.RawMessage) json.RawMessage {
	var inner string
	if len(raw) == 0 || json.Unmarshal(raw, &inner) != nil {
		return raw
	}
	if json.Valid([]byte(inner)) {
		return json.RawMessage(inner)
	}
	return raw
}

func attributeText(raw json.RawMessage) string { return plainJSON(attribute(raw)) }

// took is how long a span lasted, exactly.
func (n spanNode) took() string {
	if n.end < n.start || n.end == 0 {
		return "goes on"
	}
	return preciseSpan(time.Duration(n.end - n.start))
}

// preciseSpan is span with a decimal below 100 ms.
func preciseSpan(d time.Duration) string {
	if d < 100*time.Millisecond {
		return strconv.FormatFloat(float64(d.Microseconds())/1000, 'f', 1, 64) + " ms"
	}
	return span(d)
}

// colour is the class by which spans of a kind are drawn alike.
func (n spanNode) colour() string {
	if n.failed {
		return "failed"
	}
	switch n.kind {
	case "LLM", "CHAT_MODEL":
		return "s2"
	case "RETRIEVER", "RERANKER", "MEMORY":
		return "s1"
	case "TOOL", "TASK":
		return "s4"
	case "AGENT", "WORKFLOW":
		return "s5"
	case "EMBEDDING", "PARSER":
		return "s6"
	case "GUARDRAIL", "EVALUATOR":
		return "s3"
	}
	return "s0"
}

// lane is a span on a line of 1000 units.
type lane struct{ x, width string }

// laneOf places a span in the time of its trace.
func laneOf(n spanNode, from, to int64) lane {
	const line, least = 1000.0, 3.0
	whole := float64(max(1, to-from))
	end := n.end
	if end < n.start || end == 0 {
		end = to // it goes on
	}
	x := min(float64(n.start-from)/whole*line, line-least)
	width := max(least, min(float64(end-n.start)/whole*line, line-x))
	return lane{strconv.FormatFloat(x, 'f', 1, 64), strconv.FormatFloat(width, 'f', 1, 64)}
}

// message is one turn of a conversation.
type message struct{ role, content string }

// conversation reads a chat: a list of messages, an object that has one, or the choices of an answer. Anything else is none.
func conversation(raw json.RawMessage) []message {
	type turn struct {
		Role    string          `json:"role"`
		Content json.RawMessage `json:"content"`
		Calls   json.RawMessage `json:"tool_calls"`
	}
	var turns []turn
	if json.Unmarshal(raw, &turns) != nil {
		var chat struct {
			Messages []turn `json:"messages"`
			Choices  []struct {
				Message turn `json:"message"`
			} `json:"choices"`
		}
		turns = nil
		if json.Unmarshal(raw, &chat) != nil {
			return nil
		}
		turns = chat.Messages
		for _, c := range chat.Choices {
			turns = append(turns, c.Message)
		}
	}
	var out []message
	for _, t := range turns {
		if t.Role == "" {
			return nil
		}
		content := ""
		if len(t.Content) > 0 && string(t.Content) != "null" {
			content = plainJSON(t.Content)
		}
		if len(t.Calls) > 0 && string(t.Calls) != "null" {
			content = strings.TrimPrefix(content+"\n"+readable(t.Calls), "\n")
		}
		out = append(out, message{t.Role, content})
	}
	return out
}

func nanoseconds(n int64) time.Duration { return time.Duration(max(0, n)) }

// costs reads the metadata that holds what a trace has cost, in dollars; a text that is none has none.
func costs(text string) (out []keyValue) {
	var dollars map[string]float64
	if text == "" || json.Unmarshal([]byte(text), &dollars) != nil {
		return nil
	}
	for _, k := range []struct{ key, name string }{{"input_cost", "Input"}, {"output_cost", "Output"}, {"total_cost", "Total"}} {
		if d, ok := dollars[k.key]; ok {
			out = append(out, keyValue{Key: k.name, Value: "$" + strconv.FormatFloat(d, 'g', 4, 64)})
		}
	}
	return out
}
