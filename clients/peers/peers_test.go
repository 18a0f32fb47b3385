//go:build linux

// Package peers_test measures prinzbox beside MLflow and FastTrackML: each started fresh, one after the other, with the same requests.
package peers_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/prinzbox/prinzbox/clients/measure"
	"github.com/prinzbox/prinzbox/clients/venv"
)

// sut is a server under test, in a process of its own.
type sut struct {
	t    *testing.T
	name string
	url  string
	pid  int
	http *http.Client
	rows map[string]float64
}

// start runs a server in a fresh folder and waits for its first answer.
func start(t *testing.T, name string, args func(port string) []string) *sut {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	_ = l.Close() // the server takes it over
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	line := args(port)
	cmd := exec.CommandContext(ctx, line[0], line[1:]...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	cmd.Dir = t.TempDir()
	cmd.Env = venv.Environ("HOME="+cmd.Dir, "MLFLOW_DISABLE_TELEMETRY=true", "DO_NOT_TRACK=true", "PATH="+filepath.Dir(line[0])+":"+os.Getenv("PATH"))
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); _ = cmd.Wait(); _ = log.Close() }) // it was told to end
	s := &sut{t: t, name: name, url: "http://127.0.0.1:" + port, pid: cmd.Process.Pid, rows: map[string]float64{}, http: &http.Client{
		Timeout: 5 * time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: 16, DisableCompression: true, DialContext: dialQuick},
	}}
	for deadline := time.Now().Add(90 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		if _, err := s.try("GET", "/api/2.0/mlflow/experiments/get?experiment_id=0", nil); err == nil {
			return s
		}
		if time.Now().After(deadline) {
			text, _ := os.ReadFile(log.Name())
			t.Fatalf("%s does not answer; it wrote:\n%s", name, text)
		}
	}
}

// quickConn acknowledges what it gets at once. A server that sends an answer in two pieces would otherwise wait 40 ms for the kernel's delayed
// acknowledgement in every request, which says nothing about its speed.
type quickConn struct{ *net.TCPConn }

func dialQuick(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	q := quickConn{c.(*net.TCPConn)}
	q.acknowledge()
	return q, nil
}

func (c quickConn) acknowledge() {
	if raw, err := c.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { _ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_QUICKACK, 1) }) // else it is only slower
	}
}

func (c quickConn) Read(b []byte) (int, error) {
	n, err := c.TCPConn.Read(b)
	c.acknowledge()
	return n, err
}

func (s *sut) try(method, path string, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := s.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s %s: %d %.300s", method, path, resp.StatusCode, text)
	}
	return text, err
}

func (s *sut) ask(method, path string, body []byte) []byte {
	s.t.Helper()
	text, err := s.try(method, path, body)
	if err != nil {
		s.t.Fatalf("%s: %v", s.name, err)
	}
	return text
}

func (s *sut) get(path string) []byte {
	s.t.Helper()
	return s.ask("GET", "/api/2.0/mlflow/"+path, nil)
}

// Pages are looked through as text: a client's JSON decoder takes longer than some of the servers, and says nothing about them.
var nextToken = regexp.MustCompile(`"next_page_token": ?"([^"]*)"`)

// tokenOf is the token of the next page, which stands at the start or the end of one.
func tokenOf(page []byte) string {
	for _, part := range [][]byte{page[:min(len(page), 300)], page[max(0, len(page)-300):]} {
		if found := nextToken.FindSubmatch(part); found != nil {
			return string(found[1])
		}
	}
	return ""
}

// text is a body as JSON.
func (s *sut) text(body any) []byte {
	s.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		s.t.Fatal(err)
	}
	return text
}

// post sends a body, which is JSON already if it is []byte.
func (s *sut) post(path string, body any, out ...any) {
	s.t.Helper()
	in, ok := body.([]byte)
	if !ok {
		in = s.text(body)
	}
	text, err := s.try("POST", "/api/2.0/mlflow/"+path, in)
	for _, o := range out {
		if err == nil {
			err = json.Unmarshal(text, o)
		}
	}
	if err != nil {
		s.t.Fatalf("%s: %v", s.name, err)
	}
}

type object = map[string]any

func (s *sut) newRun(experiment string) string {
	s.t.Helper()
	var made struct {
		Run struct {
			Info struct {
				ID string `json:"run_id"`
			} `json:"info"`
		} `json:"run"`
	}
	s.post("runs/create", object{"experiment_id": experiment, "start_time": time.Now().UnixMilli()}, &made)
	return made.Run.Info.ID
}

func (s *sut) newExperiment(name string) string {
	s.t.Helper()
	var made struct {
		ID string `json:"experiment_id"`
	}
	s.post("experiments/create", object{"name": name}, &made)
	return made.ID
}

func seconds(f func()) float64 {
	begin := time.Now()
	f()
	return time.Since(begin).Seconds()
}

func metrics(from, n int) []object {
	out := make([]object, n)
	for i := range out {
		out[i] = object{"key": "loss", "value": float64(from+i) / 7, "timestamp": 1700000000000 + from + i, "step": from + i}
	}
	return out
}

func fourMetrics(of int) []object {
	out := make([]object, 4)
	for i := range out {
		out[i] = object{"key": "m" + strconv.Itoa(i), "value": float64(of) / 3, "timestamp": 1700000000000, "step": i}
	}
	return out
}

func pairs(n int) []object {
	out := make([]object, n)
	for i := range out {
		out[i] = object{"key": "k" + strconv.Itoa(i), "value": strconv.Itoa(i)}
	}
	return out
}

func (s *sut) tracking(scale int) {
	t := s.t
	experiment := s.newExperiment("peers")
	run := s.newRun(experiment)
	one := func(run string, i int) {
		s.post("runs/log-metric", fmt.Appendf(nil, `{"run_id": %q, "key": "one", "value": 0.5, "timestamp": 1700000000000, "step": %d}`, run, i))
	}
	for i := range 20 {
		one(run, -1-i)
	}
	s.rows["log-metric p50, ms"] = measure.Median(max(20, 500/scale), func(i int) { one(run, i) })
	batches := max(1, 50/scale)
	batchRun := s.newRun(experiment)
	bodies := make([][]byte, batches) // made before the clock starts: a client's JSON is not the server's
	for i := range bodies {
		bodies[i] = s.text(object{"run_id": batchRun, "metrics": metrics(i*1000, 1000)})
	}
	took := seconds(func() {
		for _, body := range bodies {
			s.post("runs/log-batch", body)
		}
	})
	s.rows["log-batch of 1,000, rows/s"] = float64(batches*1000) / took
	s.rows["get-history of all points, ms"] = measure.Median(3, func(int) {
		if text := s.get("metrics/get-history?metric_key=loss&max_results=50000&run_id=" + batchRun); bytes.Count(text, []byte(`"loss"`)) != batches*1000 {
			t.Fatalf("%s: get-history has %d points", s.name, bytes.Count(text, []byte(`"loss"`)))
		}
	})

	acknowledged := make([]int, 8)
	crowd := s.newRun(experiment)
	window := max(500*time.Millisecond, 5*time.Second/time.Duration(scale))
	var all sync.WaitGroup
	for c := range acknowledged {
		all.Go(func() {
			for end := time.Now().Add(window); time.Now().Before(end); acknowledged[c]++ {
				body := fmt.Sprintf(`{"run_id": %q, "key": "c%d", "value": 1, "timestamp": 1700000000000, "step": %d}`, crowd, c, acknowledged[c])
				if _, err := s.try("POST", "/api/2.0/mlflow/runs/log-metric", []byte(body)); err != nil {
					t.Errorf("%s: %v", s.name, err)
					return
				}
			}
		})
	}
	all.Wait()
	total := 0
	for c, n := range acknowledged {
		key := "c" + strconv.Itoa(c)
		if kept := bytes.Count(s.get("metrics/get-history?metric_key="+key+"&max_results=50000&run_id="+crowd), []byte(`"`+key+`"`)); kept < n {
			t.Errorf("%s: %d of %d acknowledged metrics kept", s.name, kept, n)
		}
		total += n
	}
	s.rows["log-metric, 8 clients, /s"] = float64(total) / window.Seconds()

	n := max(10, 100/scale)
	s.rows["create run + 5 params, 5 metrics, 3 tags, /s"] = float64(n) / seconds(func() {
		for range n {
			id := s.newRun(experiment)
			s.post("runs/log-batch", object{"run_id": id, "params": pairs(5), "metrics": metrics(0, 5), "tags": pairs(3)})
		}
	})
}

func (s *sut) search(runs int, label string) {
	experiment := s.newExperiment("search " + label)
	for i := range runs { // five params, five metrics and three tags each
		s.post("runs/log-batch", object{
			"run_id": s.newRun(experiment), "params": append(pairs(4), object{"key": "kind", "value": "k" + strconv.Itoa(i%4)}),
			"metrics": append(fourMetrics(i), object{"key": "score", "value": i * 7919 % runs, "timestamp": 1700000000000, "step": 0}), "tags": pairs(3),
		})
	}
	query := object{"experiment_ids": []string{experiment}, "filter": "metrics.score > 10 and params.kind = 'k1'", "order_by": []string{"metrics.score DESC"}, "max_results": 100}
	s.rows["runs/search, page of 100, at "+label+" runs p50, ms"] = measure.Median(20, func(int) { s.post("runs/search", query) })
	found := 0
	took := seconds(func() {
		for token := ""; ; {
			page := s.ask("POST", "/api/2.0/mlflow/runs/search", s.text(object{"experiment_ids": []string{experiment}, "max_results": 1000, "page_token": token}))
			found += bytes.Count(page, []byte(`"lifecycle_stage"`))
			if token = tokenOf(page); token == "" {
				return
			}
		}
	})
	if found != runs {
		s.t.Errorf("%s: the walk found %d of %d runs", s.name, found, runs)
	}
	s.rows["walk of "+label+" runs by 1,000, ms"] = took * 1000
}

func (s *sut) registry(versions int, label string) {
	name := "model-" + label
	s.post("registered-models/create", object{"name": name})
	run := s.newRun("0")
	for range versions {
		s.post("model-versions/create", object{"name": name, "source": "runs:/" + run + "/model", "run_id": run})
	}
	s.rows["registered-models/get at "+label+" versions p50, ms"] = measure.Median(50, func(int) { s.get("registered-models/get?name=" + name) })
	s.rows["model-versions/search at "+label+" versions p50, ms"] = measure.Median(50, func(int) { s.get("model-versions/search?max_results=100&filter=name%3D%27" + name + "%27") })
}

// drain reads a file and keeps nothing of it.
func (s *sut) drain(path string) (int64, error) {
	req, err := http.NewRequestWithContext(s.t.Context(), "GET", s.url+path, nil)
	if err != nil {
		return 0, err
	}
	resp, err := s.http.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	var n int64
	for buffer := make([]byte, 256<<10); ; {
		k, err := resp.Body.Read(buffer)
		n += int64(k)
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}

func (s *sut) proxy(mib int) {
	body := bytes.Repeat([]byte("0123456789abcdef"), mib<<16)
	const path = "/api/2.0/mlflow-artifacts/artifacts/peers/big"
	s.rows["artifact proxy PUT, MB/s"] = float64(len(body)) / 1e3 / measure.Median(3, func(int) {
		if _, err := s.try("PUT", path, body); err != nil {
			s.t.Fatalf("%s: %v", s.name, err)
		}
	})
	s.rows["artifact proxy GET, MB/s"] = float64(len(body)) / 1e3 / measure.Median(3, func(int) {
		if n, err := s.drain(path); err != nil || n != int64(len(body)) {
			s.t.Fatalf("%s: %d bytes, %v", s.name, n, err)
		}
	})
}

// TestPeers prints a Markdown table. PRINZBOX_PEERS=1 measures in full, in about eight minutes on an idle machine; PRINZBOX_PEERS=50 does a
// fiftieth of the work, to see that all runs.
func TestPeers(t *testing.T) {
	scale, err := strconv.Atoi(os.Getenv("PRINZBOX_PEERS"))
	if err != nil || scale < 1 {
		t.Skip("a measurement, not a test: set PRINZBOX_PEERS=1")
	}
	binary := filepath.Join(t.TempDir(), "prinzbox")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "../..").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	mlflow := filepath.Dir(venv.Python(t, "3.17.2"))
	fast := filepath.Dir(venv.Python(t, "fasttrackml-0.6.0"))
	box := func(durability string) func(port string) []string {
		return func(port string) []string {
			return []string{binary, "serve", "--port", port, "--s3-port", "0", "--static-port", "0", "--data", t.TempDir(), "--durability", durability}
		}
	}
	columns := []string{"MLflow 3.17.2", "FastTrackML 0.6.0", "prinzbox", "prinzbox --durability full"}
	commands := map[string]func(port string) []string{
		columns[0]: func(port string) []string {
			return []string{filepath.Join(mlflow, "mlflow"), "server", "--host", "127.0.0.1", "--port", port, "--workers", "1", "--backend-store-uri", "sqlite:///mlflow.db", "--serve-artifacts", "--artifacts-destination", "./artifacts"}
		},
		columns[1]: func(port string) []string {
			return []string{filepath.Join(fast, "fml"), "server", "--listen-address", "127.0.0.1:" + port}
		},
		columns[2]: box("normal"),
		columns[3]: box("full"),
	}
	results := map[string]map[string]float64{}
	var order []string
	for _, name := range columns {
		t.Run(name, func(t *testing.T) {
			s := start(t, name, commands[name])
			time.Sleep(time.Second)
			s.rows["memory idle, MiB"] = measure.Resident(s.pid)
			s.tracking(scale)
			if name != columns[3] { // it differs in what a write costs
				s.search(max(20, 2000/scale), "2,000")
				if name != columns[1] { // it has neither
					s.registry(max(10, 600/scale), "600")
					s.proxy(64)
				}
			}
			s.rows["memory after, MiB"] = measure.Resident(s.pid)
			if name == columns[2] {
				s.search(max(40, 20000/scale), "20,000")
				s.registry(max(20, 10000/scale), "10,000")
				s.rows["memory after all of it, MiB"] = measure.Resident(s.pid)
			}
			results[name] = s.rows
		})
	}
	for _, rows := range results {
		for row := range rows {
			if !slices.Contains(order, row) {
				order = append(order, row)
			}
		}
	}
	slices.Sort(order)
	table := "\n| work | " + strings.Join(columns, " | ") + " |\n|---" + strings.Repeat("|---", len(columns)) + "|\n"
	for _, row := range order {
		table += "| " + row
		for _, c := range columns {
			cell := "-"
			if v, ok := results[c][row]; ok {
				cell = strconv.FormatFloat(v, 'f', 2, 64)
			}
			table += " | " + cell
		}
		table += " |\n"
	}
	if scale > 1 {
		table += fmt.Sprintf("\nNot a measurement: 1/%d of the work.\n", scale)
	}
	fmt.Print(table) //nolint:forbidigo // the table is what this is run for
}
