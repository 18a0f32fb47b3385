package packages_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prinzbox/prinzbox/clients/measure"
	"github.com/prinzbox/prinzbox/clients/venv"
	"github.com/prinzbox/prinzbox/prinzbox"
)

// figure is a row: what was measured, beside what is wanted of it.
type figure struct {
	what, unit     string
	value, atMost  float64
	usual, atLeast float64 // the same with MLflow's own server, and how many times faster is wanted
}

func (f figure) line() string {
	number := func(v float64) string {
		return strconv.FormatFloat(v, 'f', max(0, 2-int(math.Log10(max(v, 1)))), 64) + " " + f.unit
	}
	usual, times, wanted, reached := "", "", "", ""
	ok := true
	if f.usual > 0 {
		usual, times = number(f.usual), fmt.Sprintf("%.0fx", f.usual/f.value)
	}
	if f.atLeast > 0 {
		wanted, ok = fmt.Sprintf("%.0fx", f.atLeast), f.usual >= f.atLeast*f.value
	}
	if f.atMost > 0 {
		wanted, ok = "at most "+number(f.atMost), f.value <= f.atMost
	}
	if wanted != "" {
		reached = map[bool]string{true: "yes", false: "no"}[ok]
	}
	return "| " + strings.Join([]string{f.what, usual, number(f.value), times, wanted, reached}, " | ") + " |\n"
}

// firstStart, in the environment of this test program, has it start one environment and print the milliseconds.
const firstStart = "PACKAGES_FIRST_START"

// TestFirstStart is a process of its own for TestFigures.
func TestFirstStart(t *testing.T) {
	if os.Getenv(firstStart) == "" {
		t.Skip("a part of TestFigures")
	}
	begin := time.Now()
	prinzbox.Start(t)
	fmt.Printf("%d us\n", time.Since(begin).Microseconds()) //nolint:forbidigo // TestFigures reads it
}

// TestFigures prints a Markdown table of what tests wait for. PRINZBOX_FIGURES=1 measures in full, in less than four minutes on an idle machine;
// PRINZBOX_FIGURES=20 does a twentieth of the work, to see that all runs.
func TestFigures(t *testing.T) {
	scale, err := strconv.Atoi(os.Getenv("PRINZBOX_FIGURES"))
	if err != nil || scale < 1 {
		t.Skip("a measurement, not a test: set PRINZBOX_FIGURES=1")
	}
	python := installed(t, venv.Python(t, "3.17.2"))
	usual, _ := inPytest(t, python, "usual", 1+max(1, 3/scale))
	usual = usual[1:] // it has left Python's bytecode to the others
	anew, _ := inPytest(t, python, "anew", max(1, 20/scale))
	isolated, all := inPytest(t, python, "isolated", max(2, 100/scale))
	rows := []figure{
		{what: "pytest: start, one run logged, stop; mean", unit: "ms", usual: mean(usual), value: mean(anew), atLeast: 30},
		{what: "pytest: one more isolated test with a run, p50", unit: "ms", usual: mean(usual), value: median(isolated[1:]), atLeast: 30},
		{what: fmt.Sprintf("pytest: %d isolated tests with a run each, the whole command", len(isolated)), unit: "s", value: all.Seconds(), atMost: 15},
	}
	rows = append(rows, inGo(t, scale)...)
	rows = append(rows, figure{what: "memory of an idle namespace that was asked once", unit: "MiB", value: namespaceMemory(t, max(10, 200/scale)), atMost: 2})
	table := "\n| what | `mlflow server` | prinzbox | times faster | wanted | reached |\n|---|---|---|---|---|---|\n"
	for _, r := range rows {
		table += r.line()
	}
	if scale > 1 {
		table += fmt.Sprintf("\nNot a measurement: 1/%d of the work.\n", scale)
	}
	fmt.Print(table) //nolint:forbidigo // the table is what this is run for
}

// inPytest runs a file of testdata/figures with so many tests, and gives each one's milliseconds, and how long the command took.
func inPytest(t *testing.T, python, file string, number int) (each []float64, all time.Duration) {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", "figures"))); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	must(t, dir, []string{"NUMBER=" + strconv.Itoa(number), "PYTHONDONTWRITEBYTECODE="}, python, "-m", "pytest", "-q", "-p", "no:cacheprovider", file+".py")
	all = time.Since(begin)
	text, err := os.ReadFile(filepath.Join(dir, "durations.json"))
	if err == nil {
		err = json.Unmarshal(text, &each)
	}
	if err != nil || len(each) != number {
		t.Fatalf("%s: %d of %d tests, %v", file, len(each), number, err)
	}
	for i := range each {
		each[i] *= 1000
	}
	return each, all
}

func mean(list []float64) float64 {
	sum := 0.0
	for _, v := range list {
		sum += v
	}
	return sum / float64(len(list))
}

func median(list []float64) float64 {
	list = slices.Sorted(slices.Values(list))
	return list[len(list)/2]
}

// test is a test whose name nobody prints, and which ends when it is told.
type test struct {
	testing.TB
	ends []func()
}

func (t *test) Cleanup(f func()) { t.ends = append(t.ends, f) }

func (t *test) end() {
	for _, f := range slices.Backward(t.ends) {
		f()
	}
}

// inGo is what tests in Go wait for.
func inGo(t *testing.T, scale int) []figure {
	t.Helper()
	var first []float64
	for range max(1, 9/scale) {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestFirstStart$", "-test.v")
		cmd.Env = append(os.Environ(), firstStart+"=1")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		for line := range strings.Lines(string(out)) {
			if text, ok := strings.CutSuffix(line, " us\n"); ok {
				us, err := strconv.ParseFloat(text, 64)
				if err != nil {
					t.Fatal(err)
				}
				first = append(first, us/1000)
			}
		}
	}
	if len(first) == 0 {
		t.Fatal("no first start was measured")
	}
	n := max(5, 100/scale)
	env := prinzbox.Start(t)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	timed := func(f func(t *test)) float64 {
		begin := time.Now()
		for range n {
			one := &test{TB: t}
			f(one)
			one.end()
		}
		return time.Since(begin).Seconds()
	}
	isolated := timed(func(t *test) { logRun(t, env.ForTest(t).TrackingURI()) })
	started := timed(func(t *test) { logRun(t, prinzbox.Start(t).TrackingURI()) })
	later := measure.Median(n, func(int) {
		env, err := prinzbox.Open(t.Context(), prinzbox.Config{Seed: true, Durability: "off"})
		must(err)
		t.Cleanup(func() { _ = env.Close() }) // only the starts are measured
	})
	must(env.Snapshot(t.Context(), "seeded"))
	reset := measure.Median(n, func(int) { must(env.Reset(t.Context(), prinzbox.Seeded)) })
	restore := measure.Median(n, func(int) { must(env.Restore(t.Context(), "seeded")) })
	made := measure.Median(n, func(i int) {
		ns, err := env.Namespace(t.Context(), "made-"+strconv.Itoa(i))
		must(err)
		t.Cleanup(func() { _ = ns.Delete() })
	})
	return []figure{
		{what: fmt.Sprintf("Go: %d isolated tests (`ForTest`) with a run each", n), unit: "s", value: isolated, atMost: 5},
		{what: fmt.Sprintf("Go: %d tests with a `Start(t)` and a run each", n), unit: "s", value: started},
		{what: "Go: first `Start(t)` of a process, p50", unit: "ms", value: median(first), atMost: 200},
		{what: "Go: later `Start(t)`, p50", unit: "ms", value: later, atMost: 25},
		{what: "reset, p50", unit: "ms", value: reset, atMost: 10},
		{what: "restore, p50", unit: "ms", value: restore, atMost: 10},
		{what: "a new namespace, p50", unit: "ms", value: made, atMost: 5},
	}
}

// logRun is what the tests in Python do: a run with a param and a metric, which is read again.
func logRun(t testing.TB, uri string) {
	t.Helper()
	const api = "/api/2.0/mlflow/runs/"
	text := ask(t, "POST", uri+api+"create", `{"experiment_id": "0", "start_time": 1700000000000}`)
	var made struct {
		Run struct {
			Info struct {
				ID string `json:"run_id"`
			} `json:"info"`
		} `json:"run"`
	}
	if err := json.Unmarshal(text, &made); err != nil {
		t.Fatal(err)
	}
	id := made.Run.Info.ID
	ask(t, "POST", uri+api+"log-parameter", `{"run_id": "`+id+`", "key": "rate", "value": "0.5"}`)
	ask(t, "POST", uri+api+"log-metric", `{"run_id": "`+id+`", "key": "loss", "value": 0.25, "timestamp": 1700000000000}`)
	ask(t, "POST", uri+api+"update", `{"run_id": "`+id+`", "status": "FINISHED", "end_time": 1700000000001}`)
	if text := ask(t, "GET", uri+api+"get?run_id="+id, ""); !bytes.Contains(text, []byte("0.25")) {
		t.Fatalf("%s", text)
	}
}

func ask(t testing.TB, method, url, body string) []byte {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s %s: %d %s %v", method, url, resp.StatusCode, text, err)
	}
	return text
}

// namespaceMemory is what each of many namespaces adds to the resident memory of a process, garbage and all; 0 where the system does not tell.
func namespaceMemory(t *testing.T, many int) float64 {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	cmd := exec.CommandContext(ctx, binary(t), "serve", "--ephemeral", "--port", "0", "--s3-port", "0", "--static-port", "0", "--log-level", "error")
	cmd.Env = venv.Environ()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { cancel(); _ = cmd.Wait() }() // it was told to end
	var ready prinzbox.Ready
	if err := json.NewDecoder(out).Decode(&ready); err != nil {
		t.Fatal(err)
	}
	search := func(i int) {
		ask(t, "GET", ready.TrackingURI+"/ns/m"+strconv.Itoa(i)+"/api/2.0/mlflow/registered-models/search", "")
	}
	for i := range 10 { // what is made once is not what is measured
		search(-i)
	}
	before := measure.Resident(cmd.Process.Pid)
	for i := range many {
		search(i + 1)
	}
	time.Sleep(3 * time.Second)
	return (measure.Resident(cmd.Process.Pid) - before) / float64(many)
}
