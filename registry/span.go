package registry

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/prinzbox/prinzbox/registry/pyjson"
)

// Span attributes that the store gives a meaning.
const (
	attrRequestID     = "mlflow.traceRequestId"
	attrInputs        = "mlflow.spanInputs"
	attrOutputs       = "mlflow.spanOutputs"
	attrSpanType      = "mlflow.spanType"
	attrTokenUsage    = "mlflow.chat.tokenUsage"
	attrCost          = "mlflow.llm.cost"
	attrModel         = "mlflow.llm.model"
	attrProvider      = "mlflow.llm.provider"
	attrTools         = "mlflow.chat.tools"
	attrTraceTag      = "mlflow.traceTag."
	attrSession       = "session.id"
	attrConversation  = "gen_ai.conversation.id"
	attrUser          = "user.id"
	spanTypeUnknown   = "UNKNOWN"
	traceIDPrefix     = "tr-"
	resourceSDKPrefix = "telemetry.sdk."
)

// SpanAttribute is a named value, as the JSON text that pyjson writes.
type SpanAttribute struct{ Key, JSON string }

// SpanEvent is something that happened during a span. Time is nanoseconds since 1970.
type SpanEvent struct {
	Name       string
	Time       int64
	Attributes []SpanAttribute
}

// SpanLink points to another span.
type SpanLink struct {
	TraceID, SpanID []byte
	Attributes      []SpanAttribute
}

// SpanStatus is OpenTelemetry's status of a span.
type SpanStatus string

// Span states.
const (
	SpanUnset SpanStatus = "UNSET"
	SpanOK    SpanStatus = "OK"
	SpanError SpanStatus = "ERROR"
)

// NewSpan is a span as it arrives by OpenTelemetry's protocol. Ids are bytes, 16 for traces and 8 for spans; times are nanoseconds since 1970,
// End 0 means that it still goes on. Resource are the attributes of what produced it.
type NewSpan struct {
	TraceID, SpanID, ParentID []byte
	Name                      string
	Start, End                int64
	Attributes                []SpanAttribute
	Events                    []SpanEvent
	Links                     []SpanLink
	Status                    SpanStatus
	StatusMessage             string
	Resource                  []SpanAttribute
}

// span is a NewSpan made ready to be stored.
type span struct {
	traceID, id, parent string // hex; parent is empty for a root
	typ                 string
	attributes          attributes
	content             string
	*NewSpan
}

// attributes are a span's attributes in their order, each key once.
type attributes struct {
	list  []SpanAttribute
	index map[string]int
}

func newAttributes(in []SpanAttribute) attributes {
	a := attributes{list: make([]SpanAttribute, 0, len(in)+4), index: make(map[string]int, len(in)+4)}
	for _, kv := range in {
		a.set(kv.Key, kv.JSON)
	}
	return a
}

func (a *attributes) set(key, text string) {
	if i, ok := a.index[key]; ok {
		a.list[i].JSON = text
		return
	}
	a.index[key] = len(a.list)
	a.list = append(a.list, SpanAttribute{key, text})
}

func (a *attributes) has(key string) bool {
	_, ok := a.index[key]
	return ok
}

// get gives the JSON text of an attribute, "" when there is none.
func (a *attributes) get(key string) string {
	if i, ok := a.index[key]; ok {
		return a.list[i].JSON
	}
	return ""
}

// text gives an attribute as a text: what a JSON string holds, anything else as JSON.
func (a *attributes) text(key string) string { return plain(a.get(key)) }

func plain(jsonText string) string {
	var s string
	if strings.HasPrefix(jsonText, `"`) && json.Unmarshal([]byte(jsonText), &s) == nil {
		return s
	}
	return jsonText
}

// unwrapped takes one layer off a text that was JSON before it became an attribute, as MLflow's own clients send inputs; numbers and booleans
// stay, since "1" is a text.
func unwrapped(jsonText string) string {
	if len(jsonText) < 4 || jsonText[0] != '"' {
		return jsonText
	}
	inner := plain(jsonText)
	trimmed := strings.TrimLeft(inner, " \t\r\n")
	if trimmed == "" || strings.IndexByte(`{["`, trimmed[0]) < 0 || !json.Valid([]byte(inner)) {
		return jsonText
	}
	return inner
}

// id gives bytes as hex of a fixed width, and whether they fit.
func fixedHex(raw []byte, width int) (string, bool) {
	for len(raw) > width && raw[0] == 0 {
		raw = raw[1:]
	}
	if len(raw) == 0 || len(raw) > width {
		return "", false
	}
	return strings.Repeat("00", width-len(raw)) + hex.EncodeToString(raw), true
}

// prepareSpan completes a span: ids, MLflow's own attributes, and what the conventions of other tools say in other words.
func prepareSpan(n *NewSpan) (*span, error) {
	s := &span{NewSpan: n}
	var ok, fits bool
	if s.traceID, ok = fixedHex(n.TraceID, 16); !ok {
		return nil, Invalidf("Span '%s' has no usable trace id: it must be 1 to 16 bytes.", n.Name)
	}
	if s.id, fits = fixedHex(n.SpanID, 8); !fits {
		return nil, Invalidf("Span '%s' has no usable span id: it must be 1 to 8 bytes.", n.Name)
	}
	s.traceID = traceIDPrefix + s.traceID
	if len(n.ParentID) > 0 {
		if s.parent, fits = fixedHex(n.ParentID, 8); !fits {
			return nil, Invalidf("Span '%s' has no usable parent span id: it must be 1 to 8 bytes.", n.Name)
		}
	}
	s.attributes = newAttributes(n.Attributes)
	s.attributes.set(attrRequestID, string(pyjson.AppendString(nil, s.traceID)))
	for i, a := range s.attributes.list {
		s.attributes.list[i].JSON = unwrapped(a.JSON)
	}
	translate(&s.attributes)
	s.typ = s.attributes.text(attrSpanType)
	s.content = string(s.appendContent(nil))
	return s, nil
}

func appendBase64Hex(b []byte, hexText string) []byte {
	raw, _ := hex.DecodeString(hexText) // our own text
	b = append(b, '"')
	b = base64.StdEncoding.AppendEncode(b, raw)
	return append(b, '"')
}

// statusNames are the names of OpenTelemetry's protocol.
var statusNames = map[SpanStatus]string{SpanUnset: "STATUS_CODE_UNSET", SpanOK: "STATUS_CODE_OK", SpanError: "STATUS_CODE_ERROR"}

// appendContent writes the span as MLflow stores it; its attributes are texts that hold JSON.
func (s *span) appendContent(b []byte) []byte {
	b = append(b, `{"trace_id": `...)
	b = appendBase64Hex(b, strings.TrimPrefix(s.traceID, traceIDPrefix))
	b = appendBase64Hex(append(b, `, "span_id": `...), s.id)
	b = append(b, `, "parent_span_id": `...)
	if s.parent == "" {
		b = append(b, "null"...)
	} else {
		b = appendBase64Hex(b, s.parent)
	}
	b = pyjson.AppendString(append(b, `, "name": `...), s.Name)
	b = strconv.AppendInt(append(b, `, "start_time_unix_nano": `...), s.Start, 10)
	b = append(b, `, "end_time_unix_nano": `...)
	if s.End == 0 {
		b = append(b, "null"...)
	} else {
		b = strconv.AppendInt(b, s.End, 10)
	}
	b = append(b, `, "events": [`...)
	for i, e := range s.Events {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = pyjson.AppendString(append(b, `{"name": `...), e.Name)
		b = strconv.AppendInt(append(b, `, "time_unix_nano": `...), e.Time, 10)
		b = appendObject(append(b, `, "attributes": `...), e.Attributes, false)
		b = append(b, '}')
	}
	b = append(append(append(b, `], "status": {"code": "`...), statusNames[s.Status]...), `", "message": `...)
	b = pyjson.AppendString(b, s.StatusMessage)
	b = appendObject(append(b, `}, "attributes": `...), s.attributes.list, true)
	b = append(b, `, "links": [`...)
	n := 0
	for _, l := range s.Links {
		trace, ok := fixedHex(l.TraceID, 16)
		id, fits := fixedHex(l.SpanID, 8)
		if !ok || !fits { // some tools send ids that are none; the link is of no use then
			continue
		}
		if n++; n > 1 {
			b = append(b, ", "...)
		}
		b = append(append(append(append(b, `{"trace_id": "tr-`...), trace...), `", "span_id": "`...), id...)
		b = append(b, `", "attributes": `...)
		if len(l.Attributes) == 0 {
			b = append(b, "null"...)
		} else {
			b = appendObject(b, l.Attributes, false)
		}
		b = append(b, '}')
	}
	return append(b, "]}"...)
}

// appendObject writes attributes as a JSON object, their values as they are or as texts.
func appendObject(b []byte, list []SpanAttribute, texts bool) []byte {
	b = append(b, '{')
	for i, a := range list {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = append(pyjson.AppendString(b, a.Key), ": "...)
		if texts {
			b = pyjson.AppendString(b, a.JSON)
		} else {
			b = append(b, a.JSON...)
		}
	}
	return append(b, '}')
}
