package rest_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/prinzbox/prinzbox/registry"
	"github.com/prinzbox/prinzbox/registry/sqldb"
)

// do sends a request to the API without a network between, and fails on anything but 200.
func (b *backend) do(t testing.TB, method, path, body string) []byte {
	r := httptest.NewRequestWithContext(t.Context(), method, "/api/2.0/"+path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	w := httptest.NewRecorder()
	b.handler.ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		t.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
	}
	return w.Body.Bytes()
}

// fillRuns makes runs, each with ten metrics, five params and two tags, and gives the id of one.
func (b *backend) fillRuns(t testing.TB, experiment string, n int) string {
	t.Helper()
	var wg sync.WaitGroup
	const writers = 16
	ids := make([]string, n)
	for w := range writers {
		wg.Go(func() {
			for i := w; i < n; i += writers {
				run, err := b.store.CreateRun(context.Background(), registry.NewRun{ExperimentID: experiment, Name: fmt.Sprint("run-", i), StartTime: int64(i)})
				if err != nil {
					t.Error(err)
					return
				}
				ids[i] = run.Info.RunID
				batch := registry.Batch{Tags: []registry.KeyValue{{Key: "team", Value: "blue"}}}
				for k := range 10 {
					batch.Metrics = append(batch.Metrics, registry.Metric{Key: fmt.Sprint("m", k), Value: registry.Float(float64((i*7919+k)%n) / float64(n)), Timestamp: 1})
				}
				for k := range 5 {
					batch.Params = append(batch.Params, registry.KeyValue{Key: fmt.Sprint("p", k), Value: fmt.Sprint((i + k) % 4)})
				}
				if err := b.store.LogBatch(context.Background(), run.Info.RunID, batch); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	return ids[n/2]
}

func BenchmarkLogMetric(b *testing.B) {
	back := newBackend(b, sqldb.DurabilityNormal)
	run := back.fillRuns(b, "0", 1)
	step := 0
	for b.Loop() {
		step++
		back.do(b, "POST", "mlflow/runs/log-metric", fmt.Sprintf(`{"run_id":"%s","run_uuid":"%s","key":"loss","value":%d.5,"timestamp":1700000000000,"step":%d}`, run, run, step, step))
	}
}

func BenchmarkLogBatch1000(b *testing.B) {
	back := newBackend(b, sqldb.DurabilityNormal)
	run := back.fillRuns(b, "0", 1)
	step := 0
	for b.Loop() {
		var body bytes.Buffer
		fmt.Fprintf(&body, `{"run_id":"%s","metrics":[`, run)
		for i := range 1000 {
			if i > 0 {
				body.WriteByte(',')
			}
			step++
			fmt.Fprintf(&body, `{"key":"m%d","value":%d.25,"timestamp":1700000000000,"step":%d}`, i%10, step, step)
		}
		body.WriteString(`]}`)
		back.do(b, "POST", "mlflow/runs/log-batch", body.String())
	}
	b.ReportMetric(float64(b.N)*1000/b.Elapsed().Seconds(), "rows/s")
}

func BenchmarkGetRun(b *testing.B) {
	back := newBackend(b, sqldb.DurabilityOff)
	run := back.fillRuns(b, "0", 100)
	for b.Loop() {
		back.do(b, "GET", "mlflow/runs/get?run_id="+run, "")
	}
}

// BenchmarkSearchRuns is a page of 100 runs, filtered by a metric and a param. Its time should hardly grow with the number of runs.
func BenchmarkSearchRuns(b *testing.B) {
	for _, n := range []int{2000, 20000} {
		back := newBackend(b, sqldb.DurabilityOff)
		back.fillRuns(b, "0", n)
		const body = `{"experiment_ids":["0"],"filter":"metrics.m1 > 0.2 AND params.p1 = '1'","max_results":100,"order_by":[%s]}`
		for name, order := range map[string]string{"metric": `"metrics.m1 DESC"`, "metric ASC": `"metrics.m1"`, "other metric": `"metrics.m2 DESC"`, "start": ``, "metric, name": `"metrics.m1 DESC","run_name"`} {
			b.Run(fmt.Sprintf("%d/%s", n, name), func(b *testing.B) {
				for b.Loop() {
					back.do(b, "POST", "mlflow/runs/search", fmt.Sprintf(body, order))
				}
			})
		}
	}
}

func BenchmarkGetHistory50000(b *testing.B) {
	back := newBackend(b, sqldb.DurabilityOff)
	run := back.fillRuns(b, "0", 1)
	for i := range 50 {
		points := make([]registry.Metric, 1000)
		for k := range points {
			points[k] = registry.Metric{Key: "loss", Value: registry.Float(i*1000 + k), Timestamp: int64(1000*i + k), Step: int64(1000*i + k)}
		}
		if err := back.store.LogBatch(b.Context(), run, registry.Batch{Metrics: points}); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		back.do(b, "GET", "mlflow/metrics/get-history?metric_key=loss&run_id="+run, "")
	}
}

// BenchmarkVersions is a page of 100 of a model's 10,000 versions, and the model itself.
func BenchmarkVersions(b *testing.B) {
	back := newBackend(b, sqldb.DurabilityOff)
	back.do(b, "POST", "mlflow/registered-models/create", `{"name": "m"}`)
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range 10_000 / 16 {
				if _, err := back.store.CreateModelVersion(context.Background(), registry.NewModelVersion{Name: "m", Source: "s3://b/k"}); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	for name, path := range map[string]string{
		"search": "mlflow/model-versions/search?max_results=100&filter=name%3D%27m%27",
		"newest": "mlflow/model-versions/search?max_results=1&filter=name%3D%27m%27&order_by=version_number%20DESC",
		"get":    "mlflow/registered-models/get?name=m",
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				back.do(b, "GET", path, "")
			}
		})
	}
}

// BenchmarkCreateRun is a new run and, in a second call, its five params, five metrics and three tags.
func BenchmarkCreateRun(b *testing.B) {
	back := newBackend(b, sqldb.DurabilityNormal)
	var values [3][]string
	for i := range 5 {
		values[0] = append(values[0], fmt.Sprintf(`{"key":"k%d","value":"%d"}`, i, i))
		values[1] = append(values[1], fmt.Sprintf(`{"key":"loss%d","value":%d.5,"timestamp":1700000000000,"step":%d}`, i, i, i))
	}
	values[2] = values[0][:3]
	data := fmt.Sprintf(`"params":[%s],"metrics":[%s],"tags":[%s]}`, strings.Join(values[0], ","), strings.Join(values[1], ","), strings.Join(values[2], ","))
	for b.Loop() {
		made := back.do(b, "POST", "mlflow/runs/create", `{"experiment_id":"0","start_time":1700000000000}`)
		_, id, _ := bytes.Cut(made, []byte(`"run_id":"`))
		back.do(b, "POST", "mlflow/runs/log-batch", `{"run_id":"`+string(id[:32])+`",`+data)
	}
}
