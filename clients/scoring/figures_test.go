//go:build linux

// Package scoring_test measures scoring beside `mlflow models serve` and MLServer: the same model, the same requests.
package scoring_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prinzbox/prinzbox/clients/measure"
	"github.com/prinzbox/prinzbox/clients/venv"
)

const wine = "MLF-ElasticnetWineModel-1"

// figure is times of requests of some clients at once.
type figure struct {
	times []time.Duration
	whole time.Duration
}

func (f figure) quantile(q float64) time.Duration { return f.times[int(q*float64(len(f.times)-1))] }

func (f figure) rate() float64 { return float64(len(f.times)) / f.whole.Seconds() }

// ask adds n requests from some clients at once, each of which must be answered.
func (f *figure) ask(t *testing.T, s *server, body []byte, clients, n int) {
	t.Helper()
	n = max(n/clients, 2)
	var mu sync.Mutex
	var all sync.WaitGroup
	began := time.Now()
	for range clients {
		all.Go(func() {
			var times []time.Duration
			for range n {
				start := time.Now()
				status, text, err := post(s.url, body)
				if err != nil || status != http.StatusOK {
					t.Errorf("%s: %d %.200s %v", s.name, status, text, err)
					return
				}
				times = append(times, time.Since(start))
			}
			mu.Lock()
			f.times = append(f.times, times...)
			mu.Unlock()
		})
	}
	all.Wait()
	f.whole += time.Since(began)
	slices.Sort(f.times)
	if len(f.times) == 0 {
		t.FailNow()
	}
}

// rounds is how often the servers take turns at each kind of work, so that a busy moment of the machine meets all of them.
const rounds = 5

// work is one kind of requests, and what is wanted of prinzbox.
type work struct {
	name    string
	body    func(n int) []byte
	rows    int
	clients int
	// n is how many requests prinzbox and the handler get; the others take long and get a tenth.
	n int
	// times is by how much prinzbox shall be better than mlflow and MLServer: in the median of one client, or in the rate of several.
	times [2]float64
	// handler is how many times as long as the handler prinzbox may take; 0 for any. p99 is the slowest that 99 of 100 answers may be.
	handler float64
	p99     time.Duration
}

// peers are the servers in the order of the table.
type peers struct{ mlflow, mlserver, handler, box *server }

// measure adds the work's line to a table.
func (p peers) measure(t *testing.T, table *strings.Builder, w work) {
	t.Helper()
	servers := []*server{p.mlflow, p.mlserver, p.handler, p.box}
	var figures [4]figure
	body := w.body(w.rows)
	for range rounds {
		for i, s := range servers {
			if s == nil {
				continue
			}
			n := w.n / rounds
			if i < 2 {
				n = max(n/10, 4*w.clients)
			}
			figures[i].ask(t, s, body, w.clients, n)
		}
	}
	fmt.Fprintf(table, "| %s |", w.name)
	for i, s := range servers {
		switch {
		case s == nil:
			table.WriteString(" - |")
		case w.clients > 1:
			fmt.Fprintf(table, " %.0f /s, p99 %s |", figures[i].rate(), ms(figures[i].quantile(0.99)))
		default:
			fmt.Fprintf(table, " %s |", ms(figures[i].quantile(0.5)))
		}
	}
	// better is how many times as good as another server prinzbox is.
	better := func(i int) float64 {
		if w.clients > 1 {
			return figures[3].rate() / figures[i].rate()
		}
		return float64(figures[i].quantile(0.5)) / float64(figures[3].quantile(0.5))
	}
	var got, want []string
	reached := true
	for i, name := range []string{"mlflow", "MLServer"} {
		if servers[i] == nil {
			continue
		}
		got = append(got, fmt.Sprintf("%.0fx %s", better(i), name))
		if w.times[i] > 0 {
			want = append(want, fmt.Sprintf("%.0fx %s", w.times[i], name))
			reached = reached && better(i) >= w.times[i]
		}
	}
	if servers[2] != nil {
		got = append(got, fmt.Sprintf("%.2f of the handler's time", 1/better(2)))
		if w.handler > 0 {
			want = append(want, fmt.Sprintf("%.2f of the handler's time", w.handler))
			reached = reached && 1/better(2) <= w.handler
		}
	}
	if w.p99 > 0 {
		want = append(want, "p99 below "+ms(w.p99))
		reached = reached && figures[3].quantile(0.99) < w.p99
	}
	fmt.Fprintf(table, " %s | %s | %s |\n", strings.Join(got, ", "), strings.Join(want, ", "), verdict(reached, len(want) > 0))
}

func verdict(reached, wanted bool) string {
	switch {
	case !wanted:
		return ""
	case reached:
		return "yes"
	}
	return "no"
}

// TestFigures prints a Markdown table beside what is wanted. PRINZBOX_FIGURES is 1 for the whole work, which takes less than four minutes on a
// machine that does nothing else, 50 for a fiftieth of it:
//
//	PRINZBOX_FIGURES=1 go test ./clients/scoring -run TestFigures -v -count 1
func TestFigures(t *testing.T) {
	part, err := strconv.Atoi(os.Getenv("PRINZBOX_FIGURES"))
	if err != nil || part < 1 {
		t.Skip("PRINZBOX_FIGURES=1 measures; it wants a machine that does nothing else")
	}
	python := venv.Python(t, "mlserver-1.7.1")
	bin := filepath.Dir(python)
	program := filepath.Join(t.TempDir(), "prinzbox")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, "../..")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var p peers
	base := "http://127.0.0.1:" + free(t)
	p.box = launch(t, "prinzbox", base+"/"+wine+"/invocations", nil, serve(program, base)...)
	model := fetch(t, base)

	port := free(t)
	p.mlflow = launch(t, "mlflow models serve", "http://127.0.0.1:"+port+"/invocations", nil, filepath.Join(bin, "mlflow"), "models", "serve", "-m", model, "--env-manager", "local", "-p", port)
	folder := t.TempDir()
	port = free(t)
	write(t, filepath.Join(folder, "settings.json"), map[string]any{"http_port": number(port), "grpc_port": number(free(t)), "metrics_port": number(free(t)), "parallel_workers": 0})
	write(t, filepath.Join(folder, "model-settings.json"), map[string]any{"name": "wine", "implementation": "mlserver_mlflow.MLflowRuntime", "parameters": map[string]any{"uri": model}})
	p.mlserver = launch(t, "MLServer", "http://127.0.0.1:"+port+"/invocations", nil, filepath.Join(bin, "mlserver"), "start", folder)
	port = free(t)
	p.handler = launch(t, "decode and sum", "http://127.0.0.1:"+port, []string{peerVariable + "=127.0.0.1:" + port}, os.Args[0])

	_, want, _ := post(p.box.url, rows(3))
	for _, s := range []*server{p.mlflow, p.mlserver} {
		if _, got, _ := post(s.url, rows(3)); !same(got, want) {
			t.Fatalf("%s answers %s, prinzbox %s", s.name, got, want)
		}
	}
	for _, s := range []*server{p.mlflow, p.mlserver, p.handler, p.box} {
		(&figure{}).ask(t, s, rows(1), 1, 20) // all are warm
	}
	var table strings.Builder
	table.WriteString("| work | mlflow models serve | MLServer | decode and sum | prinzbox | prinzbox is | wanted | reached |\n|---|---|---|---|---|---|---|---|\n")
	for _, w := range []work{
		{name: "one row, p50", body: rows, rows: 1, clients: 1, n: 5000, times: [2]float64{30, 30}, handler: 1.5},
		{name: "one row, 8 clients", body: rows, rows: 1, clients: 8, n: 20000, times: [2]float64{60, 60}, p99: 5 * time.Millisecond},
		{name: "1,000 rows, p50", body: rows, rows: 1000, clients: 1, n: 1000, times: [2]float64{12, 6}},
		{name: "1,000 rows, 8 clients", body: rows, rows: 1000, clients: 8, n: 4000, times: [2]float64{20, 7}},
	} {
		w.n /= part
		p.measure(t, &table, w)
	}
	fmt.Fprintf(&table, "| start to the first answer | %s | %s | %s | %s | | | |\n", ms(p.mlflow.took), ms(p.mlserver.took), ms(p.handler.took), ms(p.box.took))
	fmt.Fprintf(&table, "| memory with this model | %.0f MiB | %.0f MiB | %.0f MiB | %.0f MiB | | | |\n", measure.Resident(p.mlflow.pid), measure.Resident(p.mlserver.pid), measure.Resident(p.handler.pid), measure.Resident(p.box.pid))
	first := forest(t, python, base, max(5/part, 1))
	fmt.Fprintf(&table, "| a 100-tree forest: from log_model to the first correct answer | - | - | - | %s | | below 100 ms | %s |\n", ms(first), verdict(first < 100*time.Millisecond, true))
	hundred(t, base, model)
	fmt.Fprintf(&table, "| memory after all of this, 100 more small models | - | - | - | %.0f MiB | | | |\n", measure.Resident(p.box.pid))
	other := "http://127.0.0.1:" + free(t)
	box := launch(t, "prinzbox", other+"/"+wine+"/invocations", nil, serve(program, other)...)
	hundred(t, other, model)
	whole := measure.Resident(box.pid)
	fmt.Fprintf(&table, "| memory of a new process that has loaded 100 small models beside the seed's | - | - | - | %.0f MiB | | below 150 MiB | %s |\n", whole, verdict(whole < 150, true))
	p.box.url, p.mlserver.url = base+"/v2/models/"+wine+"/infer", strings.TrimSuffix(p.mlserver.url, "/invocations")+"/v2/models/wine/infer"
	p.mlflow, p.handler = nil, nil
	for _, n := range []int{1, 1000} {
		p.measure(t, &table, work{name: fmt.Sprintf("V2, rows %d, p50", n), body: v2Rows, rows: n, clients: 1, n: 1000 / part})
	}
	t.Logf("\n%s", table.String())
}

// serve is the command that brings prinzbox up at a base URL.
func serve(program, base string) []string {
	_, port, _ := strings.Cut(strings.TrimPrefix(base, "http://"), ":")
	return []string{program, "serve", "--ephemeral", "--port", port, "--s3-port", "0", "--static-port", "0", "--python", "off"}
}

func ms(d time.Duration) string {
	if d >= time.Second {
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return fmt.Sprintf("%.3g ms", float64(d)/1e6)
}

// same compares predictions to the last digits.
func same(a, b []byte) bool {
	var x, y struct{ Predictions []float64 }
	if json.Unmarshal(a, &x) != nil || json.Unmarshal(b, &y) != nil || len(x.Predictions) == 0 || len(x.Predictions) != len(y.Predictions) {
		return false
	}
	for i := range x.Predictions {
		if d := x.Predictions[i] - y.Predictions[i]; d > 1e-9 || d < -1e-9 {
			return false
		}
	}
	return true
}
