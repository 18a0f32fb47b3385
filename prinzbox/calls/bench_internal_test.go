package calls

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

type sink struct{ h http.Header }

func (s sink) Header() http.Header         { return s.h }
func (s sink) Write(b []byte) (int, error) { return len(b), nil }
func (s sink) WriteHeader(int)             {}

type again struct{ *strings.Reader }

func (again) Close() error { return nil }

// BenchmarkExchange is the cost that a log adds to a call, beside the copies of its bodies: the budget is 2 µs and 2 allocations.
func BenchmarkExchange(b *testing.B) {
	for _, c := range []struct {
		name         string
		body, answer string
	}{{"no bodies", "", ""}, {"log-metric", `{"run_id": "0123456789abcdef0123456789abcdef", "key": "m", "value": 0.5, "timestamp": 1700000000000, "step": 3}`, "{}"}} {
		b.Run(c.name, func(b *testing.B) {
			l := New(Config{Secrets: []string{"mlflow-secret"}})
			r := httptest.NewRequest("POST", "/api/2.0/mlflow/runs/log-metric", http.NoBody)
			r.Header = http.Header{"Content-Type": {"application/json"}, "User-Agent": {"mlflow-python-client/3.17.2"}, "Accept": {"*/*"}, "Accept-Encoding": {"gzip, deflate"}, "Connection": {"keep-alive"}, "Content-Length": {"100"}}
			r.ContentLength = int64(len(c.body))
			w := sink{http.Header{"Content-Type": {"application/json"}}}
			source := strings.NewReader("")
			var buf [512]byte
			answer := []byte(c.answer)
			body := again{source}
			b.ReportAllocs()
			for b.Loop() {
				if c.body != "" {
					source.Reset(c.body)
					r.Body = body
				}
				x := NewExchange(w, time.Now())
				x.In(l, OnMain, r, "0123456789abcdef0123456789abcdef")
				if c.body != "" {
					_, _ = r.Body.Read(buf[:])
					_, _ = x.Write(answer)
				}
				x.End()
			}
		})
	}
}
