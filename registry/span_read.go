package registry

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"math"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/prinzbox/prinzbox/registry/pyjson"
)

// Trace is MLflow's Trace message. Spans are in OpenTelemetry's JSON shape, the root first, then by start; nil when they were not asked for.
type Trace struct {
	Info  TraceInfo         `json:"trace_info"`
	Spans []json.RawMessage `json:"spans,omitempty"`
}

// SpansHere tells whether a trace's spans are in this store, not in a file that its client uploaded.
func (t *TraceInfo) SpansHere() bool { return t.Tags[TagSpansLocation] == spansHere }

// Trace gives a trace with its spans. Unless partial is set, a trace of which spans are still to come (by the number that its client told)
// is RESOURCE_DOES_NOT_EXIST, as is one whose spans are not in this store.
func (s *Store) Trace(ctx context.Context, id string, partial bool) (Trace, error) {
	q := s.db.Read()
	row, err := scanTrace(q.QueryRowContext(ctx, "SELECT "+traceColumns+" FROM traces t WHERE t.trace_id = ?", id))
	if errors.Is(err, sql.ErrNoRows) {
		return Trace{}, NotFoundf("Trace with ID %s is not found.", id)
	} else if err != nil {
		return Trace{}, err
	}
	traces, err := loadSpans(ctx, q, []traceRow{row})
	if err != nil {
		return Trace{}, err
	}
	t := traces[0]
	switch {
	case !t.Info.SpansHere():
		return t, NotFoundf("Trace data not stored in tracking store")
	case !partial && !t.complete():
		return t, NotFoundf("Trace with ID %s is not fully exported yet, please try again later.", id)
	}
	return t, nil
}

// Traces gives the complete traces among some ids, with spans, in the order asked for.
func (s *Store) Traces(ctx context.Context, ids, experimentIDs []string) ([]Trace, error) {
	q := s.db.Read()
	rows, err := traceRows(ctx, q, ids, experimentIDs)
	if err != nil {
		return nil, err
	}
	all, err := loadSpans(ctx, q, rows)
	if err != nil {
		return nil, err
	}
	out := all[:0]
	for _, t := range all {
		if t.Info.SpansHere() && t.complete() {
			out = append(out, t)
		}
	}
	return out, nil
}

// complete tells whether as many spans are here as the client said it has.
func (t *Trace) complete() bool {
	var stats struct {
		Spans int `json:"num_spans"`
	}
	if text := t.Info.Metadata[MetaSizeStats]; text != "" && json.Unmarshal([]byte(text), &stats) != nil {
		stats.Spans = 0 // the client's text is none we know
	}
	return len(t.Spans) > 0 && len(t.Spans) >= stats.Spans
}

func loadSpans(ctx context.Context, q querier, rows []traceRow) ([]Trace, error) {
	infos, err := loadTraces(ctx, q, rows)
	if err != nil {
		return nil, err
	}
	out := make([]Trace, len(infos))
	index := make(map[int64]*Trace, len(rows))
	tids := make([]any, len(rows))
	for i, r := range rows {
		out[i].Info = infos[i]
		index[r.tid], tids[i] = &out[i], r.tid
	}
	return out, inChunks(tids, func(in string, args []any) error {
		_, err := queryRows(ctx, q, func(rows *sql.Rows) (struct{}, error) {
			var tid int64
			var content []byte
			if err := rows.Scan(&tid, &content); err != nil {
				return struct{}{}, err
			}
			wire, err := wireSpan(content)
			t := index[tid]
			t.Spans = append(t.Spans, wire)
			return struct{}{}, err
		}, "SELECT tid, content FROM spans WHERE tid IN "+in+" ORDER BY tid, parent_span_id IS NOT NULL, start_time_ns, sid", args...)
		return err
	})
}

// SpansFile gives the spans of a trace as the file traces.json that MLflow's clients and its UI read. SpansHere of the returned info tells
// whether there are any; without, the file is where the client uploaded it.
func (s *Store) SpansFile(ctx context.Context, id string) (TraceInfo, []byte, error) {
	q := s.db.Read()
	row, err := scanTrace(q.QueryRowContext(ctx, "SELECT "+traceColumns+" FROM traces t WHERE t.trace_id = ?", id))
	if errors.Is(err, sql.ErrNoRows) {
		return TraceInfo{}, nil, NotFoundf("Trace with ID %s is not found.", id)
	} else if err != nil {
		return TraceInfo{}, nil, err
	}
	infos, err := loadTraces(ctx, q, []traceRow{row})
	if err != nil {
		return TraceInfo{}, nil, err
	}
	spans, err := queryRows(ctx, q, func(rows *sql.Rows) (text []byte, err error) {
		err = rows.Scan(&text)
		return text, err
	}, "SELECT content FROM spans WHERE tid = ? ORDER BY parent_span_id IS NOT NULL, start_time_ns, sid", row.tid)
	file := []byte(`{"spans":[`)
	for i, text := range spans {
		if i > 0 {
			file = append(file, ',')
		}
		file = append(file, text...)
	}
	return infos[0], append(file, "]}"...), err
}

// storedSpan reads what appendContent wrote. Attributes keep their order.
type storedSpan struct {
	TraceID  string          `json:"trace_id"`
	SpanID   string          `json:"span_id"`
	ParentID *string         `json:"parent_span_id"`
	Name     string          `json:"name"`
	Start    json.RawMessage `json:"start_time_unix_nano"`
	End      json.RawMessage `json:"end_time_unix_nano"`
	Events   []struct {
		Name       string          `json:"name"`
		Time       json.RawMessage `json:"time_unix_nano"`
		Attributes json.RawMessage `json:"attributes"`
	} `json:"events"`
	Status struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	} `json:"status"`
	Attributes json.RawMessage `json:"attributes"`
	Links      []struct {
		TraceID    string          `json:"trace_id"`
		SpanID     string          `json:"span_id"`
		Attributes json.RawMessage `json:"attributes"`
	} `json:"links"`
}

// wireSpan turns a stored span into OpenTelemetry's JSON shape, with protobuf's field names and base64 ids.
func wireSpan(content []byte) (json.RawMessage, error) {
	var s storedSpan
	if err := json.Unmarshal(content, &s); err != nil {
		return nil, err
	}
	text := func(b []byte, name, value string) []byte {
		b = append(append(append(b, `"`...), name...), `":`...)
		return pyjson.AppendString(b, value)
	}
	b := text([]byte{'{'}, "trace_id", s.TraceID)
	b = text(append(b, ','), "span_id", s.SpanID)
	if s.ParentID != nil {
		b = text(append(b, ','), "parent_span_id", *s.ParentID)
	}
	b = text(append(b, ','), "name", s.Name)
	b = append(append(b, `,"start_time_unix_nano":`...), s.Start...)
	if string(s.End) != "null" {
		b = append(append(b, `,"end_time_unix_nano":`...), s.End...)
	}
	var err error
	if b, err = appendAttributes(b, s.Attributes, true); err != nil {
		return nil, err
	}
	for i, e := range s.Events {
		if i == 0 {
			b = append(b, `,"events":[`...)
		} else {
			b = append(b, ',')
		}
		b = append(append(append(b, `{"time_unix_nano":`...), e.Time...), ',')
		b = text(b, "name", e.Name)
		if b, err = appendAttributes(b, e.Attributes, false); err != nil {
			return nil, err
		}
		b = append(b, '}')
		if i == len(s.Events)-1 {
			b = append(b, ']')
		}
	}
	for i, l := range s.Links {
		if i == 0 {
			b = append(b, `,"links":[`...)
		} else {
			b = append(b, ',')
		}
		b = appendBase64Hex(append(b, `{"trace_id":`...), l.TraceID[min(len(traceIDPrefix), len(l.TraceID)):])
		b = appendBase64Hex(append(b, `,"span_id":`...), l.SpanID)
		if b, err = appendAttributes(b, l.Attributes, false); err != nil {
			return nil, err
		}
		b = append(b, '}')
		if i == len(s.Links)-1 {
			b = append(b, ']')
		}
	}
	b = append(b, `,"status":{`...)
	if s.Status.Message != "" {
		b = append(text(b, "message", s.Status.Message), ',')
	}
	if s.Status.Code != statusNames[SpanUnset] {
		b = text(b, "code", s.Status.Code)
	} else if b[len(b)-1] == ',' {
		b = b[:len(b)-1]
	}
	return append(b, "}}"...), nil
}

// appendAttributes writes ,"attributes":[…] from a JSON object, whose values are JSON texts when texts is set.
func appendAttributes(b []byte, object json.RawMessage, texts bool) ([]byte, error) {
	if len(object) == 0 || string(object) == "null" || string(object) == "{}" {
		return b, nil
	}
	dec := pyjson.NewDecoder(object)
	if _, err := dec.ReadToken(); err != nil {
		return b, err
	}
	b = append(b, `,"attributes":[`...)
	for first := true; dec.PeekKind() != '}'; first = false {
		if !first {
			b = append(b, ',')
		}
		key, err := dec.ReadToken()
		if err != nil {
			return b, err
		}
		b = pyjson.AppendString(append(b, `{"key":`...), key.String())
		value := dec
		raw := ""
		if texts {
			tok, err := dec.ReadToken()
			if err != nil {
				return b, err
			}
			raw = tok.String()
			if !jsontext.Value(raw).IsValid() { // Python's NaN, Infinity: no JSON
				f, err := strconv.ParseFloat(raw, 64)
				if err != nil {
					b = append(pyjson.AppendString(append(b, `,"value":{"string_value":`...), raw), "}}"...)
					continue
				}
				b = append(append(append(b, `,"value":{"double_value":"`...), pyjson.AppendFloat(nil, f)...), `"}}`...)
				continue
			}
			value = pyjson.NewDecoder([]byte(raw))
		}
		if value.PeekKind() == 'n' {
			if _, err := value.ReadToken(); err != nil {
				return b, err
			}
			b = append(b, '}')
			continue
		}
		if b, err = appendAnyValue(append(b, `,"value":`...), value, 0); err != nil {
			return b, err
		}
		b = append(b, '}')
	}
	return append(b, ']'), nil
}

// maxWireDepth is how deep lists and objects are written as such. Each level takes three on the wire, and readers of JSON have limits.
const maxWireDepth = 1000

// appendAnyValue writes the next JSON value as OpenTelemetry's AnyValue; null is an empty one. What lies too deep is a text.
func appendAnyValue(b []byte, dec *jsontext.Decoder, depth int) ([]byte, error) {
	if kind := dec.PeekKind(); depth >= maxWireDepth && (kind == '{' || kind == '[') {
		raw, err := dec.ReadValue()
		return append(pyjson.AppendString(append(b, `{"string_value":`...), string(raw)), '}'), err
	}
	tok, err := dec.ReadToken()
	if err != nil {
		return b, err
	}
	switch tok.Kind() {
	case '"':
		b = pyjson.AppendString(append(b, `{"string_value":`...), tok.String())
	case 't', 'f':
		b = append(append(b, `{"bool_value":`...), tok.String()...)
	case '0':
		text := tok.String()
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			b = strconv.AppendInt(append(b, `{"int_value":`...), n, 10)
			break
		}
		f, err := strconv.ParseFloat(text, 64)
		if err != nil && !math.IsInf(f, 0) {
			return b, err
		}
		b = append(b, `{"double_value":`...)
		if math.IsInf(f, 0) {
			b = append(append(append(b, '"'), pyjson.AppendFloat(nil, f)...), '"')
		} else {
			b = pyjson.AppendFloat(b, f)
		}
	case '{', '[':
		name, end := `{"kvlist_value":{`, jsontext.Kind('}')
		if tok.Kind() == '[' {
			name, end = `{"array_value":{`, ']'
		}
		b = append(b, name...)
		first := true
		for ; dec.PeekKind() != end; first = false {
			if first {
				b = append(b, `"values":[`...)
			} else {
				b = append(b, ',')
			}
			if end == '}' {
				key, err := dec.ReadToken()
				if err != nil {
					return b, err
				}
				b = append(pyjson.AppendString(append(b, `{"key":`...), key.String()), `,"value":`...)
			}
			if b, err = appendAnyValue(b, dec, depth+1); err != nil {
				return b, err
			}
			if end == '}' {
				b = append(b, '}')
			}
		}
		if !first {
			b = append(b, ']')
		}
		b = append(b, '}')
		if _, err := dec.ReadToken(); err != nil {
			return b, err
		}
	default:
		b = append(b, '{')
	}
	return append(b, '}'), nil
}
