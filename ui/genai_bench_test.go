package ui_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prinzbox/prinzbox/artifacts"
	"github.com/prinzbox/prinzbox/registry"
	"github.com/prinzbox/prinzbox/ui"
)

// fillTraces makes traces of four spans each in an experiment, with previews, tokens and one assessment.
func fillTraces(h *house, experiment string, traces int) {
	h.t.Helper()
	inParallel(h, traces, func(ctx context.Context, i int) error {
		id := fmt.Sprintf("tr-%032x", i)
		took, preview := registry.Duration(i%900), `{"question": "How is wine aged, and for how long?"}`
		_, err := h.store.StartTrace(ctx, registry.TraceInfo{
			TraceID: id, Location: at(experiment), RequestTime: registry.Timestamp(now.UnixMilli() - int64(i)), ExecutionDuration: &took, State: registry.TraceOK,
			RequestPreview: &preview, ResponsePreview: &preview, Tags: map[string]string{registry.TagTraceName: fmt.Sprint("answer-", i%7), "team": "wine"},
			Metadata:    map[string]string{registry.MetaTokenUsage: `{"input_tokens":120,"output_tokens":30,"total_tokens":150}`, registry.MetaSession: fmt.Sprint("s", i%50)},
			Assessments: []registry.Assessment{{Name: "correct", Feedback: &registry.Feedback{Value: []byte("true")}, Source: registry.AssessmentSource{Type: "HUMAN", ID: "ada"}, Valid: true}},
		})
		return err
	})
}

// inParallel does n things, many at a time, since the store commits waiting writes together.
func inParallel(h *house, n int, do func(ctx context.Context, i int) error) {
	h.t.Helper()
	work, done := make(chan int), make(chan error)
	const writers = 64
	for range writers {
		go func() {
			var err error
			for i := range work {
				if err == nil {
					err = do(context.Background(), i)
				}
			}
			done <- err
		}()
	}
	for i := range n {
		work <- i
	}
	close(work)
	for range writers {
		h.do(<-done)
	}
}

// serveEach measures the server's time for pages.
func serveEach(b *testing.B, handler http.Handler, pages map[string]string) {
	b.Helper()
	for name, path := range pages {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				w := httptest.NewRecorder()
				handler.ServeHTTP(w, httptest.NewRequestWithContext(b.Context(), http.MethodGet, path, nil))
				if w.Code != http.StatusOK {
					b.Fatal(w.Code, w.Body)
				}
				b.ReportMetric(float64(w.Body.Len())/1024, "KiB")
			}
		})
	}
}

// BenchmarkTraces is the server's time for pages about 10,000 traces in 20 experiments. The budget is 20 ms.
func BenchmarkTraces(b *testing.B) {
	h := newHouse(b)
	for i := range 20 {
		e := must[string](b)(h.store.CreateExperiment(b.Context(), registry.NewExperiment{Name: fmt.Sprint("e", i)}))
		if i == 0 {
			fillTraces(h, e, 10_000)
		}
	}
	// One trace of 1,000 spans.
	var spans []registry.NewSpan
	for i := range 1000 {
		parent := byte('a')
		if i == 0 {
			parent = 0
		}
		s := newSpan('Z', 'a', parent, fmt.Sprint("step ", i), "CHAIN", 0, time.Duration(i)*time.Millisecond, "mlflow.spanInputs", `{"question":"How is wine aged?"}`, "mlflow.spanOutputs", `"In oak."`)
		if i > 0 {
			s.SpanID = []byte(fmt.Sprintf("%08d", i))
		}
		spans = append(spans, s)
	}
	must[[]string](b)(h.store.LogSpans(b.Context(), "1", spans))
	gui := ui.New(ui.Config{Store: h.store, Environment: h.environment, Clock: func() time.Time { return now }})
	serveEach(b, gui, map[string]string{
		"all": "/traces", "of-experiment": "/experiments/1/traces", "filtered": "/traces?filter=trace.execution_time_ms+%3E+800+and+trace.name+%3D+%27answer-3%27",
		"slowest": "/traces?order_by=attributes.execution_time_ms+DESC", "trace-of-1000-spans": "/traces/" + traceID('Z'),
	})
}

// BenchmarkBucket is the server's time for pages of a bucket with 100,000 keys of 5,000 runs. The budget is 20 ms.
func BenchmarkBucket(b *testing.B) {
	s := newStorehouse(b)
	const runs, files = 5000, 20
	inParallel(s.house, runs, func(_ context.Context, i int) error { return fillOne(s.house, i) })
	found := must[registry.Page[registry.Run]](b)(s.store.SearchRuns(b.Context(), []string{"0"}, registry.Query{MaxResults: runs}))
	inParallel(s.house, runs*files, func(ctx context.Context, i int) error {
		key := fmt.Sprintf("0/%s/artifacts/plots/%02d.png", found.Items[i/files].Info.RunID, i%files)
		_, err := s.objects.Put(ctx, "mlflow", key, strings.NewReader("x"), artifacts.PutOptions{Expect: artifacts.Expect{Size: 1}})
		return err
	})
	run := found.Items[runs/2].Info.RunID
	serveEach(b, s.pages.Load(), map[string]string{
		"runs": "/s3/mlflow?prefix=0/", "runs-later": "/s3/mlflow?prefix=0/&after=0/" + run + "/", "files": "/s3/mlflow?prefix=0/" + run + "/artifacts/plots/",
		"object": "/s3/mlflow/object?key=0/" + run + "/artifacts/plots/07.png", "confirm": "/s3/mlflow/delete?prefix=0/",
	})
}
