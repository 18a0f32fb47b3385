//go:build linux

// Package scoring_test measures scoring beside `mlflow models serve` and MLServer: the same model, the same requests.
package scoring_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prinzbox/prinzbox/clients/venv"
)

const wine = "MLF-ElasticnetWineModel-1"

// server is a scoring server in a process of its own; pid is 0 for the handler in this one.
type server struct {
	name string
	url  string // of the route
	pid  int
	took time.Duration // to its first answer
}

var client = &http.Client{Timeout: time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: 16, DisableCompression: true}}

func post(url string, body []byte) (int, []byte, error) {
	r, err := client.Post(url, "application/json", bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	return r.StatusCode, text, err
}

// free is a port that nobody uses; the server takes it over.
func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // only its number counts
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// launch starts a server and waits until it scores a row.
func launch(t *testing.T, name, url string, env []string, args ...string) *server {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	cmd.Dir = t.TempDir()
	cmd.Env = venv.Environ(append(env, "HOME="+cmd.Dir, "MLFLOW_DISABLE_TELEMETRY=true", "DO_NOT_TRACK=true", "PATH="+filepath.Dir(args[0])+":"+os.Getenv("PATH"))...)
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = log, log
	began := time.Now()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); _ = cmd.Wait(); _ = log.Close() }) // it was told to end
	for time.Since(began) < 2*time.Minute {
		if status, _, err := post(url, rows(1)); err == nil && status == http.StatusOK {
			return &server{name, url, cmd.Process.Pid, time.Since(began)}
		}
		time.Sleep(20 * time.Millisecond)
	}
	text, _ := os.ReadFile(log.Name())
	t.Fatalf("%s does not answer; it wrote:\n%s", name, text)
	return nil
}

var columns = []string{
	"fixed acidity", "volatile acidity", "citric acid", "residual sugar", "chlorides", "free sulfur dioxide",
	"total sulfur dioxide", "density", "pH", "sulphates", "alcohol",
}

// rows is a request of n wines.
func rows(n int) []byte {
	data := make([][]float64, n)
	for i := range data {
		data[i] = make([]float64, len(columns))
		for j := range columns {
			data[i][j] = float64(415+i*11+j) / 1000
		}
	}
	body, _ := json.Marshal(map[string]any{"dataframe_split": map[string]any{"columns": columns, "data": data}}) // numbers always encode
	return body
}

// v2Rows is the same in the V2 protocol.
func v2Rows(n int) []byte {
	inputs := make([]map[string]any, len(columns))
	for j, name := range columns {
		data := make([]float64, n)
		for i := range data {
			data[i] = float64(415+i*11+j) / 1000
		}
		inputs[j] = map[string]any{"name": name, "shape": []int{n, 1}, "datatype": "FP64", "data": data}
	}
	body, _ := json.Marshal(map[string]any{"inputs": inputs})
	return body
}

// decodeAndSum is a handler that only decodes the JSON and sums it.
func decodeAndSum(w http.ResponseWriter, r *http.Request) {
	text, _ := io.ReadAll(r.Body)
	var body struct {
		Split struct {
			Columns []string    `json:"columns"`
			Data    [][]float64 `json:"data"`
		} `json:"dataframe_split"`
	}
	if err := json.Unmarshal(text, &body); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	sums := make([]float64, len(body.Split.Data))
	for i, row := range body.Split.Data {
		for _, v := range row {
			sums[i] += v
		}
	}
	answer, _ := json.Marshal(map[string]any{"predictions": sums})
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(answer)
}

// figure is times of requests of some clients at once.
type figure struct {
	times []time.Duration
	whole time.Duration
}

func (f figure) quantile(q float64) time.Duration { return f.times[int(q*float64(len(f.times)-1))] }

// ask sends n requests from some clients and checks that all are answered the same.
func ask(t *testing.T, s *server, body []byte, clients, n int) figure {
	t.Helper()
	n = max(n/clients, 2)
	var f figure
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
	f.whole = time.Since(began)
	slices.Sort(f.times)
	if len(f.times) == 0 {
		t.FailNow()
	}
	return f
}

// resident is the memory of a process and its children, in MiB.
func resident(pid int) float64 {
	status, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	sum := 0.0
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, _ := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			sum = kib / 1024
		}
	}
	children, _ := filepath.Glob("/proc/" + strconv.Itoa(pid) + "/task/*/children")
	for _, file := range children {
		list, _ := os.ReadFile(file)
		for child := range strings.FieldsSeq(string(list)) {
			if id, err := strconv.Atoi(child); err == nil {
				sum += resident(id)
			}
		}
	}
	return sum
}

func get(t *testing.T, url string) []byte {
	t.Helper()
	r, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d %.200s %v", url, r.StatusCode, text, err)
	}
	return text
}

// TestFigures prints the table. PRINZBOX_FIGURES is 1 for the whole work, 50 for a fiftieth of it.
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
	port := free(t)
	base := "http://127.0.0.1:" + port
	box := launch(t, "prinzbox", base+"/"+wine+"/invocations", nil, program, "serve", "--ephemeral", "--port", port, "--s3-port", "0", "--static-port", "0", "--python", "off")
	model := fetch(t, base)

	port = free(t)
	mlflow := launch(t, "mlflow models serve", "http://127.0.0.1:"+port+"/invocations", nil, filepath.Join(bin, "mlflow"), "models", "serve", "-m", model, "--env-manager", "local", "-p", port)
	folder := t.TempDir()
	port = free(t)
	write(t, filepath.Join(folder, "settings.json"), map[string]any{"http_port": number(port), "grpc_port": number(free(t)), "metrics_port": number(free(t)), "parallel_workers": 0})
	write(t, filepath.Join(folder, "model-settings.json"), map[string]any{"name": "wine", "implementation": "mlserver_mlflow.MLflowRuntime", "parameters": map[string]any{"uri": model}})
	mlserver := launch(t, "MLServer", "http://127.0.0.1:"+port+"/invocations", nil, filepath.Join(bin, "mlserver"), "start", folder)
	handler := httptest.NewServer(http.HandlerFunc(decodeAndSum))
	defer handler.Close()
	plain := &server{name: "decode and sum", url: handler.URL}

	servers := []*server{mlflow, mlserver, plain, box}
	_, want, _ := post(box.url, rows(3))
	for _, s := range servers[:2] {
		if _, got, _ := post(s.url, rows(3)); !same(got, want) {
			t.Fatalf("%s answers %s, prinzbox %s", s.name, got, want)
		}
	}
	var table strings.Builder
	line := func(what string, cell func(s *server) string) {
		fmt.Fprintf(&table, "| %s |", what)
		for _, s := range servers {
			fmt.Fprintf(&table, " %s |", cell(s))
		}
		table.WriteByte('\n')
	}
	table.WriteString("| work | mlflow models serve | MLServer | decode and sum | prinzbox |\n|---|---|---|---|---|\n")
	p50 := func(body []byte, n int) func(*server) string {
		return func(s *server) string {
			if s == mlflow || s == mlserver {
				n := max(n/10, 20) // they take long
				return ms(ask(t, s, body, 1, n).quantile(0.5))
			}
			return ms(ask(t, s, body, 1, n).quantile(0.5))
		}
	}
	eight := func(body []byte, n int) func(*server) string {
		return func(s *server) string {
			n := n
			if s == mlflow || s == mlserver {
				n = max(n/10, 80)
			}
			f := ask(t, s, body, 8, n)
			return fmt.Sprintf("%.0f /s, p99 %s", float64(len(f.times))/f.whole.Seconds(), ms(f.quantile(0.99)))
		}
	}
	for _, s := range servers {
		ask(t, s, rows(1), 1, 20) // all are warm
	}
	line("one row, p50", p50(rows(1), 5000/part))
	line("one row, 8 clients", eight(rows(1), 20000/part))
	line("1,000 rows, p50", p50(rows(1000), 500/part))
	line("1,000 rows, 8 clients", eight(rows(1000), 2000/part))
	line("start to first answer", func(s *server) string {
		if s.pid == 0 {
			return "-"
		}
		return ms(s.took)
	})
	line("memory", func(s *server) string {
		if s.pid == 0 {
			return "-"
		}
		return fmt.Sprintf("%.0f MiB", resident(s.pid))
	})
	for _, s := range []*server{mlserver, box} {
		s.url = strings.TrimSuffix(s.url, "/invocations") + "/v2/models/wine/infer"
	}
	box.url = base + "/v2/models/" + wine + "/infer"
	servers = []*server{mlserver, box}
	for _, n := range []int{1, 1000} {
		for _, s := range servers {
			fmt.Fprintf(&table, "\nV2, %d rows, p50: %s %s", n, s.name, p50(v2Rows(n), 500/part)(s))
		}
	}
	fmt.Fprintf(&table, "\nlog_model of a 100-tree forest returning to the first correct answer: %s", forest(t, python, base, max(5/part, 1)))
	before := resident(box.pid)
	hundred(t, base, model)
	fmt.Fprintf(&table, "\n100 more small models loaded: prinzbox %.0f MiB in all, %.0f before\n", resident(box.pid), before)
	t.Logf("\n%s", table.String())
}

func ms(d time.Duration) string {
	if d >= time.Second {
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return fmt.Sprintf("%.3g ms", float64(d)/1e6)
}

func number(port string) int {
	n, _ := strconv.Atoi(port) // free made it
	return n
}

func write(t *testing.T, file string, v any) {
	t.Helper()
	text, err := json.Marshal(v)
	if err == nil {
		err = os.WriteFile(file, text, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
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

// fetch copies the wine model's directory from prinzbox.
func fetch(t *testing.T, base string) string {
	t.Helper()
	var v struct {
		Version struct{ Source string } `json:"model_version"`
	}
	if err := json.Unmarshal(get(t, base+"/api/2.0/mlflow/model-versions/get?name="+wine+"&version=1"), &v); err != nil {
		t.Fatal(err)
	}
	at := strings.TrimPrefix(v.Version.Source, "s3://mlflow/")
	var list struct {
		Files []struct {
			Path string `json:"path"`
		} `json:"files"`
	}
	if err := json.Unmarshal(get(t, base+"/api/2.0/mlflow-artifacts/artifacts?path="+at), &list); err != nil || len(list.Files) == 0 {
		t.Fatalf("no files in %s: %v", at, err)
	}
	dir := t.TempDir()
	for _, f := range list.Files {
		name := filepath.Base(f.Path)
		if err := os.WriteFile(filepath.Join(dir, name), get(t, base+"/api/2.0/mlflow-artifacts/artifacts/"+at+"/"+name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// forest logs forests with MLflow's client and gives the median time to the first answer.
func forest(t *testing.T, python, base string, rounds int) string {
	t.Helper()
	script, err := filepath.Abs("testdata/forest.py")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), python, "-W", "ignore", script, base, strconv.Itoa(rounds))
	cmd.Dir = t.TempDir()
	cmd.Env = venv.Environ("HOME="+cmd.Dir, "MLFLOW_DISABLE_TELEMETRY=true", "DO_NOT_TRACK=true", "GIT_PYTHON_REFRESH=quiet")
	var log bytes.Buffer
	cmd.Stderr = &log
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, log.Bytes())
	}
	var times []float64
	for line := range strings.Lines(string(out)) {
		if rest, ok := strings.CutPrefix(line, "forest_ms "); ok {
			v, err := strconv.ParseFloat(strings.TrimSpace(rest), 64)
			if err != nil {
				t.Fatal(err)
			}
			times = append(times, v)
		}
	}
	if len(times) != rounds {
		t.Fatalf("%d of %d forests: %s", len(times), rounds, out)
	}
	slices.Sort(times)
	return fmt.Sprintf("%.1f ms", times[len(times)/2])
}

// hundred registers and asks 100 copies of the model.
func hundred(t *testing.T, base, dir string) {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	send := func(method, url string, body []byte) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		a, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer a.Body.Close()
		if text, _ := io.ReadAll(a.Body); a.StatusCode != http.StatusOK {
			t.Fatalf("%s: %d %.300s", url, a.StatusCode, text)
		}
	}
	for i := range 100 {
		name := fmt.Sprintf("copy-%d", i)
		for _, f := range files {
			text, err := os.ReadFile(filepath.Join(dir, f.Name()))
			if err != nil {
				t.Fatal(err)
			}
			send("PUT", base+"/api/2.0/mlflow-artifacts/artifacts/copies/"+name+"/"+f.Name(), text)
		}
		send("POST", base+"/api/2.0/mlflow/registered-models/create", []byte(`{"name":"`+name+`"}`))
		send("POST", base+"/api/2.0/mlflow/model-versions/create", []byte(`{"name":"`+name+`","source":"s3://mlflow/copies/`+name+`"}`))
		send("POST", base+"/"+name+"/invocations", rows(1))
	}
}
