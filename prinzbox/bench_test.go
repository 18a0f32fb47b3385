package prinzbox_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prinzbox/prinzbox/prinzbox"
)

// Each figure is measured beside its peer, in one run on one machine: compare those two. The p50 counts, since means follow the noise.

// measure times f and reports the median.
func measure(b *testing.B, f func(i int) error) {
	b.Helper()
	for i := range 20 { // what is made at the first call is not what is measured
		if err := f(-1 - i); err != nil {
			b.Fatal(err)
		}
	}
	took := make([]time.Duration, 0, b.N)
	for i := 0; b.Loop(); i++ {
		start := time.Now()
		if err := f(i); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Nanoseconds()), "p50-ns")
}

// requests sends over one kept connection and expects status 200.
func requests(b *testing.B, method, url string, body func(i int) string, want string) func(i int) error {
	b.Helper()
	transport := &http.Transport{DisableCompression: true}
	b.Cleanup(transport.CloseIdleConnections)
	return func(i int) error {
		var r io.Reader
		if body != nil {
			r = strings.NewReader(body(i))
		}
		req, err := http.NewRequestWithContext(b.Context(), method, url, r)
		if err != nil {
			return err
		}
		req.Header.Set("Content-Type", "application/json")
		resp, err := transport.RoundTrip(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err == nil && (resp.StatusCode != 200 || !strings.Contains(string(text), want)) {
			err = fmt.Errorf("%s: %d %s", url, resp.StatusCode, text)
		}
		return err
	}
}

// peer is a plain net/http server on loopback.
func peer(b *testing.B, h http.HandlerFunc) string {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	s := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
	go s.Serve(l)                       //nolint:errcheck // ends with Close
	b.Cleanup(func() { _ = s.Close() }) // nothing is under way
	return "http://" + l.Addr().String()
}

func empty(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }

// From the start of the program to the ready line.
func BenchmarkStart(b *testing.B) {
	file := binary(b)
	start := func(args ...string) (time.Duration, int, func()) {
		cmd := command(b, nil, slices.Concat([]string{"serve"}, freePorts, args)...)
		cmd.Path = file
		out, err := cmd.StdoutPipe()
		if err != nil {
			b.Fatal(err)
		}
		begin := time.Now()
		if err := cmd.Start(); err != nil {
			b.Fatal(err)
		}
		line, err := bufio.NewReader(out).ReadString('\n')
		took := time.Since(begin)
		if err != nil || !strings.HasPrefix(line, `{"ready":true`) {
			b.Fatalf("ready line %q, %v", line, err)
		}
		return took, cmd.Process.Pid, func() {
			if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
				b.Fatal(err)
			}
			_ = cmd.Wait() // tests look at exit codes
		}
	}
	median := func(b *testing.B, took []time.Duration) {
		slices.Sort(took)
		b.ReportMetric(float64(took[len(took)/2].Nanoseconds()), "p50-ns")
	}
	b.Run("fresh", func(b *testing.B) {
		var took []time.Duration
		var rss float64
		for b.Loop() {
			t, pid, stop := start("--data", b.TempDir())
			took = append(took, t)
			time.Sleep(300 * time.Millisecond) // idle
			rss = max(rss, resident(pid))
			stop()
		}
		median(b, took)
		if rss > 0 {
			b.ReportMetric(rss, "idle-MiB")
		}
	})
	b.Run("existing", func(b *testing.B) {
		data := b.TempDir()
		_, _, stop := start("--data", data)
		stop()
		var took []time.Duration
		for b.Loop() {
			t, _, stop := start("--data", data)
			took = append(took, t)
			stop()
		}
		median(b, took)
	})
	b.Run("ephemeral", func(b *testing.B) {
		var took []time.Duration
		for b.Loop() {
			t, _, stop := start("--ephemeral")
			took = append(took, t)
			stop()
		}
		median(b, took)
	})
}

// resident is a process's resident memory in MiB; 0 where there is no /proc.
func resident(pid int) float64 {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, _ := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			return kib / 1024
		}
	}
	return 0
}

// normal is an environment whose writes survive a kill, as the command's do.
func normal(b *testing.B) *prinzbox.Env {
	b.Helper()
	return prinzbox.Start(b, func(c *prinzbox.Config) { c.Durability = "normal" })
}

func BenchmarkLogMetric(b *testing.B) {
	b.Run("empty GET (peer)", func(b *testing.B) { measure(b, requests(b, "GET", peer(b, empty), nil, "")) })
	b.Run("prinzbox", func(b *testing.B) {
		env := normal(b)
		_, run := newRun(b, env, "bench")
		measure(b, requests(b, "POST", env.TrackingURI()+"/api/2.0/mlflow/runs/log-metric", func(i int) string {
			return fmt.Sprintf(`{"run_id": "%s", "key": "loss", "value": 0.5, "timestamp": 1700000000000, "step": %d}`, run, i)
		}, "{}"))
	})
}

func BenchmarkGetRun(b *testing.B) {
	b.Run("empty GET (peer)", func(b *testing.B) { measure(b, requests(b, "GET", peer(b, empty), nil, "")) })
	b.Run("prinzbox", func(b *testing.B) {
		env := normal(b)
		v := prinzModels(b, env)[sampleModels[0]]
		measure(b, requests(b, "GET", env.TrackingURI()+"/api/2.0/mlflow/runs/get?run_id="+v.RunID, nil, "rmse"))
	})
}

func BenchmarkListModels(b *testing.B) {
	b.Run("empty GET (peer)", func(b *testing.B) { measure(b, requests(b, "GET", peer(b, empty), nil, "")) })
	b.Run("prinzbox", func(b *testing.B) {
		env := normal(b)
		measure(b, requests(b, "GET", env.TrackingURI()+"/api/2.0/preview/mlflow/registered-models/list", nil, "MLF-"))
	})
}

// One wine, beside a handler that decodes the same JSON and sums the row.
func BenchmarkScoreOne(b *testing.B) {
	body := wineBody("0.415")
	send := func(int) string { return body }
	b.Run("decode and sum (peer)", func(b *testing.B) {
		url := peer(b, func(w http.ResponseWriter, r *http.Request) {
			var in struct {
				Columns []string    `json:"columns"`
				Data    [][]float64 `json:"data"`
			}
			if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			sums := make([]float64, len(in.Data))
			for i, row := range in.Data {
				for _, v := range row {
					sums[i] += v
				}
			}
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(sums) // a client that went away
		})
		measure(b, requests(b, "POST", url, send, "4.5"))
	})
	b.Run("prinzbox", func(b *testing.B) {
		env := normal(b)
		measure(b, requests(b, "POST", env.TrackingURI()+"/MLF-ElasticnetWineModel-1/invocations", send, "[4.6280747990022935]"))
	})
}
