package prinzbox

import (
	"bytes"
	"net/http"
	"os"
	"runtime"
	"runtime/metrics"
	"strconv"
	"strings"
	"time"

	"github.com/prinzbox/prinzbox/registry/rest"
)

// serveMetrics answers /metrics in Prometheus' text format: the process, and scoring by model version. A user sees the models that he may score.
func (e *world) serveMetrics(w http.ResponseWriter, r *http.Request) {
	var b bytes.Buffer
	e.processMetrics(&b)
	var visible func(string) bool
	if e.auth != nil {
		visible = func(model string) bool {
			ok, err := rest.MayScore(r.Context(), e.auth, model)
			return ok && err == nil
		}
	}
	_ = e.scoring.WriteMetrics(&b, visible) // a buffer takes everything
	h := w.Header()
	h.Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(b.Len()))
	_, _ = w.Write(b.Bytes()) // a client that went away
}

// processMetrics writes what Prometheus' own client libraries say of a process, under their names.
func (e *world) processMetrics(b *bytes.Buffer) {
	gauge := func(name, kind, help string, value float64) {
		b.WriteString("# HELP " + name + " " + help + "\n# TYPE " + name + " " + kind + "\n" + name + " " + strconv.FormatFloat(value, 'g', -1, 64) + "\n")
	}
	b.WriteString("# HELP prinzbox_build_info The program's version and that of the MLflow which it follows.\n# TYPE prinzbox_build_info gauge\n" +
		`prinzbox_build_info{version="` + Version + `",mlflow="` + MLflowVersion + `",go="` + runtime.Version() + `"} 1` + "\n")
	gauge("prinzbox_uptime_seconds", "gauge", "Time since the environment began to start.", time.Since(e.env.started).Seconds())
	gauge("process_start_time_seconds", "gauge", "When the environment began to start, in seconds since 1970.", float64(e.env.started.UnixMilli())/1000)
	samples := []metrics.Sample{
		{Name: "/sched/goroutines:goroutines"}, {Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/total:bytes"}, {Name: "/gc/cycles/total:gc-cycles"},
	}
	metrics.Read(samples)
	for i, m := range []struct{ name, kind, help string }{
		{"go_goroutines", "gauge", "Goroutines that exist."},
		{"go_memstats_heap_alloc_bytes", "gauge", "Bytes of objects on the heap."},
		{"go_memstats_sys_bytes", "gauge", "Bytes obtained from the system by Go."},
		{"go_gc_cycles_total", "counter", "Garbage collections."},
	} {
		if samples[i].Value.Kind() == metrics.KindUint64 {
			gauge(m.name, m.kind, m.help, float64(samples[i].Value.Uint64()))
		}
	}
	if resident, ok := residentMemory(); ok {
		gauge("process_resident_memory_bytes", "gauge", "Resident memory.", float64(resident))
	}
}

// residentMemory is the process's resident memory in bytes, where the system tells it in /proc.
func residentMemory() (int64, bool) {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, false
	}
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0, false
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	return pages * int64(os.Getpagesize()), err == nil
}
