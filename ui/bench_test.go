package ui_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/prinzbox/prinzbox/registry"
	"github.com/prinzbox/prinzbox/ui"
)

// BenchmarkExperimentPage is the server's time for a page of 100 runs. The budget is 20 ms at 10,000 runs.
func BenchmarkExperimentPage(b *testing.B) {
	for _, runs := range []int{2000, 10_000} {
		b.Run(fmt.Sprint(runs), func(b *testing.B) {
			h := newHouse(b)
			fill(h, runs)
			gui := ui.New(ui.Config{Store: h.store, Environment: h.environment, Clock: func() time.Time { return now }})
			for name, query := range map[string]string{
				"newest": "", "by-metric": "?order_by=metrics.%60rmse%60+DESC", "filtered": "?filter=metrics.rmse+%3C+0.5+and+params.alpha+%3D+%270.3%27",
			} {
				b.Run(name, func(b *testing.B) {
					b.ReportAllocs()
					for b.Loop() {
						w := httptest.NewRecorder()
						gui.ServeHTTP(w, httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/experiments/0"+query, nil))
						if w.Code != http.StatusOK {
							b.Fatal(w.Code)
						}
						b.ReportMetric(float64(w.Body.Len())/1024, "KiB")
					}
				})
			}
		})
	}
}

// fill makes runs with 6 params and 6 metrics each, many at a time, since the store commits waiting writes together.
func fill(h *house, runs int) {
	h.t.Helper()
	work := make(chan int)
	done := make(chan error)
	const writers = 64
	for range writers {
		go func() {
			var err error
			for i := range work {
				if err == nil {
					err = fillOne(h, i)
				}
			}
			done <- err
		}()
	}
	for i := range runs {
		work <- i
	}
	close(work)
	for range writers {
		h.do(<-done)
	}
}

func fillOne(h *house, i int) error {
	ctx := h.t.Context()
	r, err := h.store.CreateRun(ctx, registry.NewRun{ExperimentID: "0", Name: fmt.Sprintf("run-%05d", i), UserID: "ada", StartTime: now.UnixMilli() - int64(i)*1000})
	if err != nil {
		return err
	}
	batch := registry.Batch{Tags: []registry.KeyValue{{Key: registry.TagSourceName, Value: "train.py"}}}
	for n, key := range []string{"rmse", "r2", "mae", "loss", "auc", "f1"} {
		batch.Metrics = append(batch.Metrics, registry.Metric{Key: key, Value: registry.Float(float64((i*7919+n*131)%10_000) / 10_000), Timestamp: now.UnixMilli()})
	}
	for n, key := range []string{"alpha", "l1_ratio", "depth", "rounds", "seed", "solver"} {
		batch.Params = append(batch.Params, registry.KeyValue{Key: key, Value: fmt.Sprintf("0.%d", (i+n)%10)})
	}
	return h.store.LogBatch(ctx, r.Info.RunID, batch)
}

// BenchmarkRunPage is the server's time for a run with 12 metrics of 1,000 points each.
func BenchmarkRunPage(b *testing.B) {
	h := newHouse(b)
	var batch registry.Batch
	for n := range 12 {
		for step := range int64(1000) {
			batch.Metrics = append(batch.Metrics, registry.Metric{Key: fmt.Sprintf("metric%02d", n), Step: step, Timestamp: now.UnixMilli() + step, Value: registry.Float(step%97) / 97})
		}
	}
	id := h.run("0", "long", now, batch)
	gui := ui.New(ui.Config{Store: h.store, Scoring: h.model, Artifacts: h.files, Environment: h.environment, Clock: func() time.Time { return now }})
	b.ReportAllocs()
	for b.Loop() {
		w := httptest.NewRecorder()
		gui.ServeHTTP(w, httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/runs/"+id, nil))
		if w.Code != http.StatusOK {
			b.Fatal(w.Code)
		}
		b.ReportMetric(float64(w.Body.Len())/1024, "KiB")
	}
}

// BenchmarkHome is the server's time for the home page with 2,000 runs and three models.
func BenchmarkHome(b *testing.B) {
	h, _, _ := wine(b)
	fill(h, 2000)
	gui := ui.New(ui.Config{Store: h.store, Scoring: h.model, Environment: h.environment, Clock: func() time.Time { return now }})
	b.ReportAllocs()
	for b.Loop() {
		w := httptest.NewRecorder()
		gui.ServeHTTP(w, httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/", nil))
		if w.Code != http.StatusOK {
			b.Fatal(w.Code)
		}
	}
}
