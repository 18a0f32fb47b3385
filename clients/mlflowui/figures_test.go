package mlflowui_test

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
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/prinzbox/prinzbox/clients/chromium"
	"github.com/prinzbox/prinzbox/clients/venv"
)

const (
	figureRuns     = 110
	figureVersions = 20
	// figureTimes is how often each page is opened with an empty cache, and again with a full one.
	figureTimes = 3
)

// rival is a server with the same data, and how its own pages are addressed.
type rival struct {
	name, url         string
	experiment, run   string
	runs, run1, model func(r *rival) string
}

// opened is what one visit of a page took, in milliseconds from the start of the navigation.
type opened struct {
	usable, lcp float64
	bytes       float64
}

// TestFigures measures how long pages take to become usable, beside MLflow's own server and UI with the same data: all texts that a reader came
// for are there. It prints a table.
func TestFigures(t *testing.T) {
	if v := os.Getenv("PRINZBOX_FIGURES"); v == "" || v == "own" {
		t.Skip("a measurement, not a test: set PRINZBOX_FIGURES=1")
	}
	mlflow := filepath.Join(filepath.Dir(venv.Python(t, "3.17.2")), "mlflow")
	rivals := []*rival{
		{
			name:  "MLflow 3.17.2",
			runs:  func(r *rival) string { return r.url + "/#/experiments/" + r.experiment + "/runs" },
			run1:  func(r *rival) string { return r.url + "/#/experiments/" + r.experiment + "/runs/" + r.run },
			model: func(r *rival) string { return r.url + "/#/models/figures" },
			url: startServer(t, mlflow, func(port string) []string {
				return []string{"server", "--host", "127.0.0.1", "--port", port, "--workers", "1", "--backend-store-uri", "sqlite:///mlflow.db"}
			}),
		},
		startBox(t),
	}
	for _, r := range rivals {
		start := time.Now()
		if r.fill(t, figureRuns); t.Failed() {
			t.FailNow()
		}
		t.Logf("%s was filled in %v", r.name, time.Since(start).Round(time.Millisecond))
	}
	tab := startTab(t)
	start := time.Now()
	last := fmt.Sprintf("run-%04d", figureRuns-1)
	var table strings.Builder
	fmt.Fprintf(&table, "\n%d runs, %d versions; medians of %d visits, ms\n| page | cache | MLflow usable | prinzbox usable | times faster | MLflow LCP | prinzbox LCP | MLflow KiB | prinzbox KiB |\n|---|---|---|---|---|---|---|---|---|\n", figureRuns, figureVersions, figureTimes)
	for _, p := range []struct {
		name string
		url  func(r *rival) string
		want []string
	}{
		{"runs table", func(r *rival) string { return r.runs(r) }, []string{last, fmt.Sprintf("run-%04d", figureRuns-10)}},
		{"run", func(r *rival) string { return r.run1(r) }, []string{last, "rmse", "alpha"}},
		{"model", func(r *rival) string { return r.model(r) }, []string{"Version " + strconv.Itoa(figureVersions), "champion"}},
	} {
		var visits [2][2][]opened // by rival, then cold and warm
		for range figureTimes {
			for i, r := range rivals { // in turn, so that the machine's moods meet both
				visits[i][0] = append(visits[i][0], visit(tab, p.url(r), p.want, true))
				visits[i][1] = append(visits[i][1], visit(tab, p.url(r), p.want, false))
			}
		}
		for warm, cache := range []string{"empty", "full"} {
			m, b := medianOf(visits[0][warm]), medianOf(visits[1][warm])
			fmt.Fprintf(&table, "| %s | %s | %.0f | %.0f | %.1f | %.0f | %.0f | %.0f | %.0f |\n", p.name, cache, m.usable, b.usable, m.usable/b.usable, m.lcp, b.lcp, m.bytes/1024, b.bytes/1024)
		}
	}
	t.Logf("all visits took %v%s", time.Since(start).Round(time.Second), table.String())
}

// startBox builds the program and starts it without a model or a run.
func startBox(t *testing.T) *rival {
	t.Helper()
	box := filepath.Join(t.TempDir(), "prinzbox")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", box, "../..").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return &rival{
		name:  "prinzbox",
		runs:  func(r *rival) string { return r.url + "/experiments/" + r.experiment },
		run1:  func(r *rival) string { return r.url + "/runs/" + r.run },
		model: func(r *rival) string { return r.url + "/models/figures" },
		url: startServer(t, box, func(port string) []string {
			return []string{"serve", "--port", port, "--s3-port", "0", "--static-port", "0", "--data", t.TempDir()}
		}),
	}
}

// startTab opens a browser's tab that reports of its network.
func startTab(t *testing.T) *chromium.Page {
	t.Helper()
	tab := &chromium.Page{TB: t, Ctx: chromium.Open(t)}
	tab.Do(chromedp.EmulateViewport(1280, 900), chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, network.Enable, network.EnableParams{})
		return err
	}))
	return tab
}

// medianOf takes each figure by itself.
func medianOf(list []opened) opened {
	middle := func(of func(o opened) float64) float64 {
		values := make([]float64, len(list))
		for i, o := range list {
			values[i] = of(o)
		}
		slices.Sort(values)
		return values[len(values)/2]
	}
	return opened{middle(func(o opened) float64 { return o.usable }), middle(func(o opened) float64 { return o.lcp }), middle(func(o opened) float64 { return o.bytes })}
}

// watch runs before the page's own scripts: it notes when all wanted texts are on the page, and the largest paint.
const watch = `(() => {
	window.figures = { usable: 0, lcp: 0 };
	new PerformanceObserver((list) => { for (const e of list.getEntries()) window.figures.lcp = e.startTime; }).observe({ type: "largest-contentful-paint", buffered: true });
	const look = () => {
		const text = document.body ? document.body.innerText : "";
		if (document.readyState !== "loading" && %s.every((w) => text.includes(w))) window.figures.usable = performance.now();
		else requestAnimationFrame(look);
	};
	requestAnimationFrame(look);
})();`

// visit opens a page in a tab that showed nothing.
func visit(tab *chromium.Page, url string, want []string, cold bool) opened {
	tab.Helper()
	texts, err := json.Marshal(want)
	if err != nil {
		tab.Fatal(err)
	}
	var id page.ScriptIdentifier
	tab.Open("about:blank")
	tab.Do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		if cold {
			if _, err := cdp.Call(ctx, t, network.ClearBrowserCache, cdp.Empty{}); err != nil {
				return err
			}
		}
		added, err := cdp.Call(ctx, t, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: fmt.Sprintf(watch, texts)})
		id = added.Identifier
		return err
	}))
	tab.Open(url)
	tab.Until(`window.figures && window.figures.usable`)
	time.Sleep(300 * time.Millisecond) // a larger paint may follow
	tab.Do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, page.RemoveScriptToEvaluateOnNewDocument, page.RemoveScriptToEvaluateOnNewDocumentParams{Identifier: id})
		return err
	}))
	number := func(js string) float64 {
		v, err := strconv.ParseFloat(tab.Text(js), 64)
		if err != nil {
			tab.Fatal(err)
		}
		return v
	}
	return opened{
		number(`window.figures.usable`), number(`window.figures.lcp`),
		number(`[...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")].reduce((sum, e) => sum + e.transferSize, 0)`),
	}
}

// startServer runs a server in a fresh folder until it answers.
func startServer(t *testing.T, program string, args func(port string) []string) (url string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	_ = l.Close() // the server takes it over
	ctx, stop := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, program, args(port)...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	cmd.Dir = t.TempDir()
	cmd.Env = venv.Environ("HOME="+cmd.Dir, "MLFLOW_DISABLE_TELEMETRY=true", "DO_NOT_TRACK=true", "PATH="+filepath.Dir(program)+":"+os.Getenv("PATH"))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(); _ = cmd.Wait() }) // it was told to end
	url = "http://127.0.0.1:" + port
	for deadline := time.Now().Add(90 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		if _, err := ask(t, url, "GET", "experiments/get?experiment_id=0", nil); err == nil {
			return url
		} else if time.Now().After(deadline) {
			t.Fatalf("%s does not answer: %v", program, err)
		}
	}
}

func ask(t *testing.T, url, method, path string, body any) (answer []byte, err error) {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(t.Context(), method, url+"/api/2.0/mlflow/"+path, bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	answer, err = io.ReadAll(resp.Body)
	_ = resp.Body.Close() // it was read
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s %s: %d %.300s", method, path, resp.StatusCode, answer)
	}
	return answer, err
}

// fill gives a server the runs and the model, over its API.
func (r *rival) fill(t *testing.T, runs int) {
	t.Helper()
	type object = map[string]any
	post := func(path string, body any) []byte {
		answer, err := ask(t, r.url, "POST", path, body)
		if err != nil {
			t.Error(err)
		}
		return answer
	}
	var made struct {
		Experiment string `json:"experiment_id"`
	}
	if err := json.Unmarshal(post("experiments/create", object{"name": "figures"}), &made); err != nil {
		t.Fatal(err)
	}
	r.experiment = made.Experiment
	begin := time.Now().Add(-time.Hour).UnixMilli()
	work := make(chan int)
	var mu sync.Mutex
	var source string
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range work {
				at := begin + int64(i)*1000
				var run struct {
					Run struct {
						Info struct {
							ID   string `json:"run_id"`
							Root string `json:"artifact_uri"`
						} `json:"info"`
					} `json:"run"`
				}
				if err := json.Unmarshal(post("runs/create", object{"experiment_id": r.experiment, "run_name": fmt.Sprintf("run-%04d", i), "start_time": at}), &run); err != nil {
					t.Error(err)
					continue
				}
				var metrics, params []object
				for n, key := range []string{"rmse", "mae", "r2", "loss"} {
					metrics = append(metrics, object{"key": key, "value": float64(i*n) / float64(runs), "timestamp": at, "step": 0})
					params = append(params, object{"key": []string{"alpha", "depth", "l1_ratio", "seed"}[n], "value": strconv.Itoa(i % (n + 2))})
				}
				post("runs/log-batch", object{"run_id": run.Run.Info.ID, "metrics": metrics, "params": params})
				post("runs/update", object{"run_id": run.Run.Info.ID, "status": "FINISHED", "end_time": at + 500})
				if i == runs-1 {
					mu.Lock()
					r.run, source = run.Run.Info.ID, run.Run.Info.Root+"/model"
					mu.Unlock()
				}
			}
		})
	}
	for i := range runs {
		work <- i
	}
	close(work)
	wg.Wait()
	post("registered-models/create", object{"name": "figures"})
	for range figureVersions {
		post("model-versions/create", object{"name": "figures", "source": source, "run_id": r.run})
	}
	post("registered-models/alias", object{"name": "figures", "alias": "champion", "version": "3"})
}
