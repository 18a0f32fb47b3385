package rest_test

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	commonpb "go.opentelemetry.io/proto/slim/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/slim/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/prinzbox/prinzbox/registry"
	"github.com/prinzbox/prinzbox/registry/sqldb"
)

func traceBytes(n int) []byte { return []byte(fmt.Sprintf("trace-%010d", n)) }

func text(s string) *commonpb.AnyValue {
	return &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: s}}
}

// export is a request with one root span and children for each trace.
func export(t testing.TB, first, traces, children int) []byte {
	t.Helper()
	ss := &tracepb.ScopeSpans{}
	for i := range traces {
		root := []byte("rootspan")
		for c := range children + 1 {
			s := &tracepb.Span{
				TraceId: traceBytes(first + i), SpanId: root, Name: "root", StartTimeUnixNano: 1_700_000_000_000_000_000, EndTimeUnixNano: 1_700_000_001_000_000_000,
				Attributes: []*commonpb.KeyValue{{Key: "mlflow.spanInputs", Value: text(`{"question": "what?"}`)}, {Key: "model", Value: text("m")}},
			}
			if c > 0 {
				s.ParentSpanId, s.SpanId, s.Name = root, []byte(fmt.Sprintf("kid%05d", c)), "child"
			}
			ss.Spans = append(ss.Spans, s)
		}
	}
	body, err := proto.Marshal(&tracepb.TracesData{ResourceSpans: []*tracepb.ResourceSpans{{ScopeSpans: []*tracepb.ScopeSpans{ss}}}})
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func (b *backend) export(body []byte, encoding string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, "/v1/traces", bytes.NewReader(body))
	r.Header.Set("Content-Type", "application/x-protobuf")
	r.Header.Set("X-Mlflow-Experiment-Id", "0")
	if encoding != "" {
		r.Header.Set("Content-Encoding", encoding)
	}
	w := httptest.NewRecorder()
	b.handler.ServeHTTP(w, r)
	return w
}

func compressed(t testing.TB, body []byte, open func(io.Writer) io.WriteCloser) []byte {
	t.Helper()
	var out bytes.Buffer
	w := open(&out)
	if _, err := w.Write(body); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func gzipped(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) }

// Protobuf, whichever way it is compressed, stores every span of every trace.
func TestExportProtobuf(t *testing.T) {
	b := newBackend(t, sqldb.DurabilityOff)
	raw := func(w io.Writer) io.WriteCloser {
		fw, err := flate.NewWriter(w, flate.DefaultCompression)
		if err != nil {
			t.Fatal(err)
		}
		return fw
	}
	for i, c := range []struct {
		name, encoding string
		open           func(io.Writer) io.WriteCloser
	}{
		{"plain", "", nil},
		{"gzip", "gzip", gzipped},
		{"upper case", "GZIP", gzipped},
		{"deflate", "deflate", func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) }},
		{"deflate without its frame", "deflate", raw},
	} {
		t.Run(c.name, func(t *testing.T) {
			body := export(t, 10*i, 3, 2)
			if c.open != nil {
				body = compressed(t, body, c.open)
			}
			w := b.export(body, c.encoding)
			if w.Code != http.StatusOK || w.Body.Len() != 0 || w.Header().Get("Content-Type") != "application/x-protobuf" {
				t.Fatalf("got %d %q %s", w.Code, w.Header().Get("Content-Type"), w.Body)
			}
			for n := 10 * i; n < 10*i+3; n++ {
				trace, err := b.store.Trace(t.Context(), fmt.Sprintf("tr-%x", traceBytes(n)), false)
				if err != nil {
					t.Fatal(err)
				}
				if len(trace.Spans) != 3 || trace.Info.State != registry.TraceOK || *trace.Info.RequestPreview != `{"question": "what?"}` {
					t.Errorf("trace %d: %d spans, %+v", n, len(trace.Spans), trace.Info)
				}
				var root struct {
					Name   string  `json:"name"`
					Parent *string `json:"parent_span_id"`
				}
				if err := json.Unmarshal(trace.Spans[0], &root); err != nil || root.Name != "root" || root.Parent != nil {
					t.Errorf("the first span is %s (%v)", trace.Spans[0], err)
				}
			}
		})
	}
}

// A small body that unpacks to a large one is refused, and so is a large one.
func TestExportLimits(t *testing.T) {
	b := newBackend(t, sqldb.DurabilityOff)
	large := make([]byte, 65<<20)
	for name, w := range map[string]*httptest.ResponseRecorder{
		"large": b.export(large, ""), "unpacks to a large one": b.export(compressed(t, large, gzipped), "gzip"),
	} {
		if w.Code != http.StatusRequestEntityTooLarge || !strings.Contains(w.Body.String(), `"detail"`) {
			t.Errorf("%s: got %d %s", name, w.Code, w.Body)
		}
	}
}

// Attributes that nest too deep are refused; texts that do are given back, as texts from some depth on.
func TestExportDepth(t *testing.T) {
	b := newBackend(t, sqldb.DurabilityOff)
	nested := text("x")
	for range 2000 {
		nested = &commonpb.AnyValue{Value: &commonpb.AnyValue_ArrayValue{ArrayValue: &commonpb.ArrayValue{Values: []*commonpb.AnyValue{nested}}}}
	}
	inText := text(strings.Repeat("[", 9000) + strings.Repeat("]", 9000))
	for _, c := range []struct {
		value *commonpb.AnyValue
		want  int
	}{{nested, http.StatusUnprocessableEntity}, {inText, http.StatusOK}} {
		span := &tracepb.Span{TraceId: traceBytes(1), SpanId: []byte("rootspan"), StartTimeUnixNano: 1, Attributes: []*commonpb.KeyValue{{Key: "deep", Value: c.value}}}
		body, err := proto.Marshal(&tracepb.TracesData{ResourceSpans: []*tracepb.ResourceSpans{{ScopeSpans: []*tracepb.ScopeSpans{{Spans: []*tracepb.Span{span}}}}}})
		if err != nil {
			t.Fatal(err)
		}
		if w := b.export(body, ""); w.Code != c.want {
			t.Errorf("got %d %s, want %d", w.Code, w.Body, c.want)
		}
	}
	trace, err := b.store.Trace(t.Context(), fmt.Sprintf("tr-%x", traceBytes(1)), true)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := json.Marshal(trace); err != nil {
		t.Fatal(err)
	}
	page, err := b.store.SearchTraces(t.Context(), registry.TraceQuery{ExperimentIDs: []string{"0"}, Filter: "span.attributes.deep != 'x'", MaxResults: 1})
	if err != nil || len(page.Items) != 1 {
		t.Fatalf("found %d, %v", len(page.Items), err)
	}
}

// The client exports spans beside the call that starts the trace: whatever comes first, nothing is lost.
func TestExportBesideStart(t *testing.T) {
	b := newBackend(t, sqldb.DurabilityOff)
	const traces = 20
	var wg sync.WaitGroup
	for n := range traces {
		id := fmt.Sprintf("tr-%x", traceBytes(n))
		wg.Go(func() {
			if w := b.export(export(t, n, 1, 4), ""); w.Code != http.StatusOK {
				t.Errorf("export: %d %s", w.Code, w.Body)
			}
		})
		wg.Go(func() {
			info := registry.TraceInfo{TraceID: id, State: registry.TraceOK, RequestTime: 1_600_000_000_000, Tags: map[string]string{"k": "v"}}
			info.Location.Experiment.ExperimentID = "0"
			if _, err := b.store.StartTrace(t.Context(), info); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for n := range traces {
		trace, err := b.store.Trace(t.Context(), fmt.Sprintf("tr-%x", traceBytes(n)), false)
		if err != nil {
			t.Fatal(err)
		}
		if len(trace.Spans) != 5 || trace.Info.Tags["k"] != "v" || trace.Info.RequestTime != 1_600_000_000_000 {
			t.Errorf("trace %d: %d spans, %+v", n, len(trace.Spans), trace.Info)
		}
	}
}

// No body makes the server fail, and what it takes it can give back.
func FuzzExport(f *testing.F) {
	f.Add(export(f, 1, 1, 1), false)
	f.Add([]byte(`{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"0a","spanId":"0b","name":"n","startTimeUnixNano":"1","attributes":[{"key":"mlflow.chat.tokenUsage","value":{"stringValue":"{\"input_tokens\": 1e999}"}},{"key":"d","value":{"doubleValue":"NaN"}}],"events":[{"attributes":[{"key":"n","value":{"doubleValue":"Infinity"}}]}],"links":[{"traceId":"0c","spanId":"0d"}]}]}]}]}`), true)
	f.Add([]byte(`{"resource_spans":[{"scope_spans":[{"spans":[{"trace_id":"ff","span_id":"ff","parent_span_id":"00","start_time_unix_nano":18446744073709551615}]}]}]}`), true)
	b := newBackend(f, sqldb.DurabilityOff)
	f.Fuzz(func(t *testing.T, body []byte, isJSON bool) {
		r := httptest.NewRequest(http.MethodPost, "/v1/traces", bytes.NewReader(body))
		r.Header.Set("Content-Type", "application/x-protobuf")
		if isJSON {
			r.Header.Set("Content-Type", "application/json")
		}
		r.Header.Set("X-Mlflow-Experiment-Id", "0")
		w := httptest.NewRecorder()
		b.handler.ServeHTTP(w, r)
		if w.Code >= 500 {
			t.Fatalf("got %d %s", w.Code, w.Body)
		}
		if w.Code != http.StatusOK {
			return
		}
		page, err := b.store.SearchTraces(t.Context(), registry.TraceQuery{ExperimentIDs: []string{"0"}, MaxResults: registry.MaxTracePage})
		if err != nil {
			t.Fatal(err)
		}
		for _, info := range page.Items {
			trace, err := b.store.Trace(t.Context(), info.TraceID, true)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := json.Marshal(trace); err != nil {
				t.Fatalf("%s: %v", info.TraceID, err)
			}
		}
		if _, _, err := b.store.DeleteTraces(t.Context(), registry.TraceDeletion{ExperimentID: "0", MaxTimestamp: new(int64(1<<63 - 1))}); err != nil {
			t.Fatal(err)
		}
	})
}

// BenchmarkExport is one request of 10 traces with 10 spans each.
func BenchmarkExport(b *testing.B) {
	be := newBackend(b, sqldb.DurabilityNormal)
	bodies := make([][]byte, 50)
	for i := range bodies {
		bodies[i] = export(b, 10*i, 10, 9)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if w := be.export(bodies[i%len(bodies)], ""); w.Code != http.StatusOK {
			b.Fatal(w.Body)
		}
	}
}

// BenchmarkSearchTraces is a page of 100 of 2,000 traces, by a filter on spans and by none.
func BenchmarkSearchTraces(b *testing.B) {
	be := newBackend(b, sqldb.DurabilityOff)
	for i := range 20 {
		if w := be.export(export(b, 100*i, 100, 4), ""); w.Code != http.StatusOK {
			b.Fatal(w.Body)
		}
	}
	for _, filter := range []string{"", "span.name = 'child'", "span.attributes.model LIKE '%m%'", "status RLIKE '^O' AND timestamp > 0", "tags.none = 'x'"} {
		b.Run("filter="+filter, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := be.store.SearchTraces(b.Context(), registry.TraceQuery{ExperimentIDs: []string{"0"}, Filter: filter, MaxResults: 100}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
