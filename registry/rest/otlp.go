package rest

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"math"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"
	commonpb "go.opentelemetry.io/proto/slim/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/slim/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/prinzbox/prinzbox/registry"
	"github.com/prinzbox/prinzbox/registry/pyjson"
)

// detailError is an error in the shape of the framework that serves this one route in MLflow: {"detail": …}.
type detailError struct {
	status int
	detail any
}

func (e *detailError) Error() string {
	text, _ := e.detail.(string)
	return text
}

func detailf(status int, detail string) error { return &detailError{status, detail} }

const (
	protobufType     = "application/x-protobuf"
	experimentHeader = "X-Mlflow-Experiment-Id"
	runHeader        = "X-Mlflow-Run-Id"
)

// exportTraces takes spans by OTLP/HTTP, as protobuf or JSON. All are stored or none (contract/endpoints.md, section 9).
func (a *API) exportTraces(c *gin.Context) {
	err := a.storeSpans(c.Request)
	var detail *detailError
	switch {
	case err == nil:
		c.Writer.Header().Set("Content-Type", protobufType)
		c.Writer.WriteHeader(http.StatusOK)
	case errors.As(err, &detail):
		writeJSON(c.Writer, detail.status, map[string]any{"detail": detail.detail})
	case errors.Is(err, errTooLarge):
		c.Header("Connection", "close")
		writeJSON(c.Writer, http.StatusRequestEntityTooLarge, map[string]any{"detail": "The body is larger than this server takes; export smaller batches."})
	default:
		a.fail(c, err)
	}
}

func (a *API) storeSpans(r *http.Request) error {
	experiment := r.Header.Get(experimentHeader)
	if len(r.Header.Values(experimentHeader)) == 0 {
		return &detailError{http.StatusUnprocessableEntity, []map[string]any{{
			"type": "missing", "loc": []string{"header", strings.ToLower(experimentHeader)}, "msg": "Field required", "input": nil,
		}}}
	}
	header := r.Header.Get("Content-Type")
	media, _, err := mime.ParseMediaType(header)
	if err != nil || media != protobufType && media != "application/json" {
		if header == "" {
			header = "None"
		}
		return detailf(http.StatusBadRequest, "Invalid Content-Type: "+header+". Expected: application/x-protobuf or application/json")
	}
	body, err := readBody(r, a.cfg.MaxBody)
	if err != nil {
		return err
	}
	if body, err = decompress(body, r.Header.Get("Content-Encoding"), a.cfg.MaxBody); err != nil {
		return err
	}
	spans, err := decodeSpans(body, media == "application/json")
	if err != nil {
		return err
	}
	rooted, err := a.LogSpans(r.Context(), experiment, spans)
	if err != nil {
		return err
	}
	run := r.Header.Get(runHeader)
	for len(rooted) > 0 && run != "" {
		n := min(len(rooted), registry.MaxTraceLinks)
		if err := a.LinkTracesToRun(r.Context(), rooted[:n], run); err != nil {
			a.cfg.Log.Error("link exported traces to their run", "run", run, "error", err)
			break // the spans are stored; the client must not send them again
		}
		rooted = rooted[n:]
	}
	return nil
}

// decompress undoes a Content-Encoding. The limit holds for what comes out, too.
func decompress(body []byte, encoding string, limit int64) ([]byte, error) {
	var open func() (io.ReadCloser, error)
	switch encoding = strings.ToLower(encoding); encoding {
	case "":
		return body, nil
	case "gzip":
		open = func() (io.ReadCloser, error) { return gzip.NewReader(bytes.NewReader(body)) }
	case "deflate":
		open = func() (io.ReadCloser, error) { return zlib.NewReader(bytes.NewReader(body)) }
	default:
		return nil, detailf(http.StatusBadRequest, "Unsupported Content-Encoding: "+encoding)
	}
	out, err := inflate(open, limit)
	if err != nil && encoding == "deflate" && !errors.Is(err, errTooLarge) { // some clients send it without zlib's frame
		out, err = inflate(func() (io.ReadCloser, error) { return flate.NewReader(bytes.NewReader(body)), nil }, limit)
	}
	if err != nil && !errors.Is(err, errTooLarge) {
		return nil, detailf(http.StatusBadRequest, "Failed to decompress "+encoding+" payload")
	}
	return out, err
}

func inflate(open func() (io.ReadCloser, error), limit int64) ([]byte, error) {
	r, err := open()
	if err != nil {
		return nil, err
	}
	out, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err = errors.Join(err, r.Close()); err != nil {
		return nil, err
	}
	if int64(len(out)) > limit {
		return nil, errTooLarge
	}
	return out, nil
}

// decodeSpans reads an ExportTraceServiceRequest. TracesData is the same on the wire, without the services.
func decodeSpans(body []byte, isJSON bool) ([]registry.NewSpan, error) {
	var data tracepb.TracesData
	var err error
	if isJSON {
		if body, err = base64IDs(body); err == nil {
			err = protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(body, &data)
		}
	} else {
		err = proto.Unmarshal(body, &data)
	}
	switch {
	case err != nil:
		return nil, detailf(http.StatusBadRequest, "Invalid OpenTelemetry format")
	case len(data.GetResourceSpans()) == 0:
		return nil, detailf(http.StatusBadRequest, "Invalid OpenTelemetry format - no spans found")
	}
	var out []registry.NewSpan
	for _, rs := range data.GetResourceSpans() {
		resource := spanAttributes(rs.GetResource().GetAttributes(), false)
		for _, ss := range rs.GetScopeSpans() {
			for _, s := range ss.GetSpans() {
				switch {
				case len(s.GetTraceId()) == 0 || len(s.GetSpanId()) == 0:
					return nil, detailf(http.StatusUnprocessableEntity, "Cannot convert OpenTelemetry span to MLflow span")
				case len(s.GetTraceId()) > 16 || len(s.GetSpanId()) > 8 || len(s.GetParentSpanId()) > 8:
					return nil, detailf(http.StatusUnprocessableEntity, "Failed to log OpenTelemetry spans")
				}
				lists := [][]*commonpb.KeyValue{rs.GetResource().GetAttributes(), s.GetAttributes()}
				for _, e := range s.GetEvents() {
					lists = append(lists, e.GetAttributes())
				}
				for _, l := range s.GetLinks() {
					lists = append(lists, l.GetAttributes())
				}
				if slices.ContainsFunc(lists, tooDeep) {
					return nil, detailf(http.StatusUnprocessableEntity, "Cannot convert OpenTelemetry span to MLflow span")
				}
				out = append(out, newSpan(s, resource))
			}
		}
	}
	return out, nil
}

// maxAttributeDepth is how deep lists and objects of an attribute may nest; the store's JSON functions have a limit of 1000.
const maxAttributeDepth = 200

func tooDeep(list []*commonpb.KeyValue) bool {
	var deep func(v *commonpb.AnyValue, depth int) bool
	deep = func(v *commonpb.AnyValue, depth int) bool {
		if depth > maxAttributeDepth {
			return true
		}
		for _, item := range v.GetArrayValue().GetValues() {
			if deep(item, depth+1) {
				return true
			}
		}
		for _, kv := range v.GetKvlistValue().GetValues() {
			if deep(kv.GetValue(), depth+1) {
				return true
			}
		}
		return false
	}
	return slices.ContainsFunc(list, func(kv *commonpb.KeyValue) bool { return deep(kv.GetValue(), 0) })
}

func newSpan(s *tracepb.Span, resource []registry.SpanAttribute) registry.NewSpan {
	n := registry.NewSpan{
		TraceID: s.GetTraceId(), SpanID: s.GetSpanId(), ParentID: s.GetParentSpanId(), Name: s.GetName(),
		Start: nanoseconds(s.GetStartTimeUnixNano()), End: nanoseconds(s.GetEndTimeUnixNano()),
		Attributes: spanAttributes(s.GetAttributes(), false), Resource: resource, Status: registry.SpanUnset, StatusMessage: s.GetStatus().GetMessage(),
	}
	switch s.GetStatus().GetCode() {
	case tracepb.Status_STATUS_CODE_OK:
		n.Status = registry.SpanOK
	case tracepb.Status_STATUS_CODE_ERROR:
		n.Status = registry.SpanError
	}
	for _, e := range s.GetEvents() {
		n.Events = append(n.Events, registry.SpanEvent{Name: e.GetName(), Time: nanoseconds(e.GetTimeUnixNano()), Attributes: spanAttributes(e.GetAttributes(), true)})
	}
	for _, l := range s.GetLinks() {
		n.Links = append(n.Links, registry.SpanLink{TraceID: l.GetTraceId(), SpanID: l.GetSpanId(), Attributes: spanAttributes(l.GetAttributes(), true)})
	}
	return n
}

// nanoseconds keeps a time within what the store holds; the year 2262 is far off.
func nanoseconds(t uint64) int64 { return int64(min(t, math.MaxInt64)) } //nolint:gosec // bounded

// spanAttributes writes values as JSON texts; strict ones are JSON also when they hold NaN.
func spanAttributes(list []*commonpb.KeyValue, strict bool) []registry.SpanAttribute {
	out := make([]registry.SpanAttribute, 0, len(list))
	for _, kv := range list {
		out = append(out, registry.SpanAttribute{Key: kv.GetKey(), JSON: string(appendAny(nil, kv.GetValue(), strict))})
	}
	return out
}

func appendAny(b []byte, v *commonpb.AnyValue, strict bool) []byte {
	switch x := v.GetValue().(type) {
	case *commonpb.AnyValue_StringValue:
		return pyjson.AppendString(b, x.StringValue)
	case *commonpb.AnyValue_BoolValue:
		if x.BoolValue {
			return append(b, "true"...)
		}
		return append(b, "false"...)
	case *commonpb.AnyValue_IntValue:
		return strconv.AppendInt(b, x.IntValue, 10)
	case *commonpb.AnyValue_DoubleValue:
		if strict && (math.IsNaN(x.DoubleValue) || math.IsInf(x.DoubleValue, 0)) {
			return pyjson.AppendString(b, string(pyjson.AppendFloat(nil, x.DoubleValue)))
		}
		return pyjson.AppendFloat(b, x.DoubleValue)
	case *commonpb.AnyValue_BytesValue:
		return pyjson.AppendBytes(b, x.BytesValue)
	case *commonpb.AnyValue_ArrayValue:
		b = append(b, '[')
		for i, item := range x.ArrayValue.GetValues() {
			if i > 0 {
				b = append(b, ", "...)
			}
			b = appendAny(b, item, strict)
		}
		return append(b, ']')
	case *commonpb.AnyValue_KvlistValue:
		b = append(b, '{')
		for i, kv := range x.KvlistValue.GetValues() {
			if i > 0 {
				b = append(b, ", "...)
			}
			b = append(pyjson.AppendString(b, kv.GetKey()), ": "...)
			b = appendAny(b, kv.GetValue(), strict)
		}
		return append(b, '}')
	}
	return append(b, "null"...)
}

// base64IDs rewrites the ids of a JSON export, which are hex, as base64, which is what protobuf's JSON has for bytes.
func base64IDs(body []byte) ([]byte, error) {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	var root map[string]any
	if err := dec.Decode(&root); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the JSON object")
	}
	var failed error
	fix := func(object map[string]any, names ...string) {
		for _, name := range names {
			text, ok := object[name].(string)
			if !ok || text == "" {
				continue
			}
			raw, err := hex.DecodeString(text)
			if err != nil {
				failed = err
			}
			object[name] = base64.StdEncoding.EncodeToString(raw)
		}
	}
	each := func(object map[string]any, fn func(map[string]any), names ...string) {
		for _, name := range names {
			items, _ := object[name].([]any)
			for _, item := range items {
				if inner, ok := item.(map[string]any); ok {
					fn(inner)
				}
			}
		}
	}
	each(root, func(rs map[string]any) {
		each(rs, func(ss map[string]any) {
			each(ss, func(span map[string]any) {
				fix(span, "traceId", "spanId", "parentSpanId", "trace_id", "span_id", "parent_span_id")
				each(span, func(link map[string]any) { fix(link, "traceId", "spanId", "trace_id", "span_id") }, "links")
			}, "spans")
		}, "scopeSpans", "scope_spans")
	}, "resourceSpans", "resource_spans")
	if failed != nil {
		return nil, failed
	}
	return json.Marshal(root)
}
