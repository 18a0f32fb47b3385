package mlflowui_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/prinzbox/prinzbox/clients/venv"
	"github.com/prinzbox/prinzbox/prinzbox"
)

// stockPage is a page of MLflow's own UI, and texts of its data that it must come to show.
type stockPage struct {
	name, hash string
	want       []string
}

// TestStockUI opens the pages of MLflow's own UI, from an unmodified wheel, in a real browser. A page passes when it shows its data, and no
// request of it failed, and nothing stands on the console.
func TestStockUI(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: a browser takes a minute")
	}
	b := openStockUI(t)
	var ids struct {
		Experiment string   `json:"experiment"`
		Runs       []string `json:"runs"`
		Model      string   `json:"model_id"`
		Version    string   `json:"version"`
	}
	b.fill("stockui", &ids)
	quoted := func(v any) string {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return url.QueryEscape(string(text))
	}
	experiment, run := "/experiments/"+ids.Experiment, "/experiments/"+ids.Experiment+"/runs/"+ids.Runs[0]
	b.pages([]stockPage{
		{"experiments", "/experiments", []string{"stock-ui", "Default"}},
		{"runs", experiment + "/runs", []string{"run-0", "run-2", "wine"}},
		{"charts", experiment + "/runs?compareRunsMode=CHART", []string{"run-0", "loss", "rmse", "Model metrics"}},
		{"artifact tables", experiment + "/runs?compareRunsMode=ARTIFACT", []string{"q1", "a1"}},
		{"logged models", experiment + "/models", []string{"doubler", "run-0"}},
		{"logged model", experiment + "/models/" + ids.Model, []string{"doubler", ids.Model, "rmse"}},
		{"logged model's files", experiment + "/models/" + ids.Model + "/artifacts", []string{"MLmodel", "python_model.pkl"}},
		{"prompts of the experiment", experiment + "/prompts", []string{"greeting"}},
		{"run", run, []string{"run-0", ids.Runs[0], "saga", "rmse", "tasting", "wine"}},
		{"run's metrics", run + "/model-metrics", []string{"loss", "rmse", "r2"}},
		{"run's artifacts", run + "/artifacts", []string{"folder", "notes.md", "table.json", "wine.csv"}},
		{"run's Markdown", run + "/artifacts/notes.md", []string{"A run."}},
		{"run's CSV", run + "/artifacts/wine.csv", []string{"alcohol", "9.8"}},
		{"run's table", run + "/artifacts/table.json", []string{"q1", "a1"}},
		{"compare runs", "/compare-runs?runs=" + quoted(ids.Runs) + "&experiments=" + quoted([]string{ids.Experiment}), []string{"Comparing 3 Runs", ids.Runs[2], "run-1"}},
		{
			"metric", "/metric/loss?runs=" + quoted(ids.Runs) + "&metric=%22loss%22&experiments=" + quoted([]string{ids.Experiment}) + "&plot_metric_keys=" + quoted([]string{"loss"}),
			[]string{"loss", "run-0"},
		},
		{"models", "/models", []string{"doubler"}},
		{"model", "/models/doubler", []string{"Doubles", "champion", "approved"}},
		{"version", "/models/doubler/versions/" + ids.Version, []string{"Version " + ids.Version, "approved", "champion", "Inputs (2)"}},
		{"compare versions", "/compare-model-versions?name=%22doubler%22&runs=" + quoted(map[string]string{"1": ids.Runs[0], "2": ids.Runs[0]}), []string{"Comparing 2 Versions", "run-0"}},
		{"prompts", "/prompts", []string{"greeting", "Version 2"}},
		{"prompt", "/prompts/greeting", []string{"Good day", "politer", "Version 1"}},
		{"MCP servers", "/mcp-registry", []string{"MCP"}},
		{"settings", "/settings", []string{"Settings"}},
	})
}

// stockBrowser is a headless Chromium that notes every failed request and every error of the console.
type stockBrowser struct {
	*testing.T
	ctx context.Context
	env *prinzbox.Env
	// python has MLflow, whose UI the environment serves.
	python string

	mu      sync.Mutex
	pending map[network.RequestID]string
	last    time.Time // when a request began or ended
	errors  []string
}

func openStockUI(t *testing.T) *stockBrowser {
	t.Helper()
	chromium := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			chromium = p
			break
		}
	}
	if chromium == "" {
		venv.Missing(t, "no Chromium on PATH; get it with: apt-get install chromium")
	}
	b := &stockBrowser{T: t, python: venv.Python(t, "3.17.2"), pending: map[network.RequestID]string{}}
	t.Setenv("VIRTUAL_ENV", filepath.Dir(filepath.Dir(b.python))) // what "auto" looks at first
	b.env = prinzbox.Start(t, func(c *prinzbox.Config) { c.Seed, c.MLflowUI = false, "auto" })

	profile, err := os.MkdirTemp("", "prinzbox-chromium-") //nolint:usetesting // the browser may write a moment longer, and a TempDir that cannot be removed fails the test
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(profile) })
	ctx, stop := chromedp.NewExecAllocator(context.Background(), append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]),
		chromedp.ExecPath(chromium), chromedp.UserDataDir(profile), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true), chromedp.WSURLReadTimeout(2*time.Minute))...)
	t.Cleanup(stop)
	ctx, stopTab := chromedp.NewContext(ctx)
	t.Cleanup(stopTab)
	b.ctx = ctx
	if err := chromedp.Listen(ctx, b.note); err != nil {
		t.Fatal(err)
	}
	b.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		if _, err := cdp.Call(ctx, t, log.Enable, cdp.Empty{}); err != nil {
			return err
		}
		_, err := cdp.Call(ctx, t, network.Enable, network.EnableParams{})
		return err
	}), chromedp.EmulateViewport(1600, 1200))
	return b
}

func (b *stockBrowser) do(actions ...chromedp.Action[chromedp.Void]) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, time.Minute)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		b.Fatal(err)
	}
}

// isProbe tells the one request that fails on MLflow's own server as well: the UI learns from its 404 that nobody logs in here.
func isProbe(address string) bool {
	return strings.HasSuffix(address, "/ajax-api/2.0/mlflow/users/current")
}

func (b *stockBrowser) note(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	problem := ""
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		// The end of a worker's own script is told to the worker alone.
		if !strings.HasSuffix(e.Request.URL, ".worker.js") {
			b.pending[e.RequestID], b.last = e.Request.Method+" "+e.Request.URL, time.Now()
		}
	case *network.EventResponseReceived:
		if r := e.Response; r.Status >= 400 && !isProbe(r.URL) {
			problem = fmt.Sprintf("%s %s: status %d", b.pending[e.RequestID], r.URL, r.Status)
		}
	case *network.EventLoadingFinished:
		delete(b.pending, e.RequestID)
		b.last = time.Now()
	case *network.EventLoadingFailed:
		// What a page gives up itself, when it is left or when it has a newer question, is no failure of the server.
		if !e.Canceled && e.ErrorText != "net::ERR_ABORTED" {
			problem = b.pending[e.RequestID] + ": " + e.ErrorText
		}
		delete(b.pending, e.RequestID)
		b.last = time.Now()
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError && !isProbe(e.Entry.URL) {
			problem = "console: " + e.Entry.Text + " " + e.Entry.URL
		}
	case *runtime.EventExceptionThrown:
		problem = "exception: " + e.ExceptionDetails.Text
		if e.ExceptionDetails.Exception != nil {
			problem += " " + e.ExceptionDetails.Exception.Description
		}
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError {
			text, _ := json.Marshal(e.Args)
			problem = "console.error: " + string(text)
		}
	}
	// Chromium's own remark about a layout that took two rounds; it comes with MLflow's server too.
	if problem != "" && !strings.Contains(problem, "ResizeObserver loop") {
		b.errors = append(b.errors, problem)
	}
}

// fill runs testdata/<name>.py against the environment and reads the JSON object that it prints last.
func (b *stockBrowser) fill(name string, ids any) {
	b.Helper()
	out := venv.Script(b.T, b.python, "testdata/"+name+".py", b.env)
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), ids); err != nil {
		b.Fatalf("%s: %v\n%s", name, err, out)
	}
}

func (b *stockBrowser) pages(list []stockPage) {
	for _, p := range list {
		b.Run(p.name, func(t *testing.T) { b.open(t, p) })
	}
}

// open loads a page afresh, waits for its data and for the last request to end, and checks what was noted.
func (b *stockBrowser) open(t *testing.T, p stockPage) {
	b.do(chromedp.Navigate("about:blank")) // a change of the hash alone would keep the document
	b.mu.Lock()
	b.errors, b.pending = nil, map[network.RequestID]string{}
	b.mu.Unlock()
	b.do(chromedp.Navigate(b.env.Ready().MLflowUIURL + "#" + p.hash))

	const patience, quiet = 30 * time.Second, 500 * time.Millisecond
	text, missing := "", p.want
	for start := time.Now(); time.Since(start) < patience; time.Sleep(50 * time.Millisecond) {
		got, err := chromedp.Run(b.ctx, chromedp.Evaluate[string]("document.body.innerText"))
		if err != nil {
			continue // between two documents
		}
		text = got
		if missing = slices.DeleteFunc(slices.Clone(p.want), func(want string) bool { return strings.Contains(text, want) }); len(missing) > 0 {
			continue
		}
		b.mu.Lock()
		done := len(b.pending) == 0 && time.Since(b.last) > quiet
		b.mu.Unlock()
		if done {
			break
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range b.errors {
		t.Error(e)
	}
	for _, request := range b.pending {
		t.Errorf("%s: no answer", request)
	}
	if len(missing) > 0 {
		t.Errorf("the page does not show %q. It says:\n%s", missing, text)
	}
}

// TestStockUITraces is TestStockUI for the pages of traces, sessions, assessments and evaluation datasets.
func TestStockUITraces(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: a browser takes a minute")
	}
	b := openStockUI(t)
	var ids struct {
		Experiment string `json:"experiment"`
		Run        string `json:"run"`
		Trace      string `json:"trace"`
		Dataset    string `json:"dataset"`
	}
	b.fill("stockui_genai", &ids)
	experiment := "/experiments/" + ids.Experiment
	b.pages([]stockPage{
		{"home", "/", []string{"stock-ui"}},
		{"usage", experiment + "/overview/usage", []string{"Traces", "Latency", "AVG (", "Cost Breakdown"}},
		{"quality", experiment + "/overview/quality", []string{"Quality Summary", "correct"}},
		{"tool calls", experiment + "/overview/tool-calls", []string{"Total Tool Calls", "search", "100.00%"}},
		{"experiment", experiment, []string{"stock-ui"}},
		{"traces", experiment + "/traces", []string{"the answer to three", "session-1", "topic: wine", "3 of 3"}},
		{"trace", experiment + "/traces?selectedEvaluationId=" + ids.Trace, []string{"look up", "the answer to three", "correct", "True", "topic: wine"}},
		{"trace by its address", experiment + "/traces/" + ids.Trace, []string{"look up", "the answer to three"}},
		{"sessions", experiment + "/chat-sessions", []string{"View Sessions in Traces tab"}},
		{"session", experiment + "/chat-sessions/session-1", []string{"session-1", "three"}},
		{"datasets", experiment + "/datasets", []string{"questions"}},
		{"dataset", experiment + "/datasets/" + ids.Dataset, []string{"questions", "one"}},
		{"evaluation runs", experiment + "/evaluation-runs", []string{"Evaluation runs"}},
		{"judges", experiment + "/judges", []string{"Judges", "stock-ui"}},
		{"run's traces", experiment + "/runs/" + ids.Run + "/traces", []string{"the answer to one", "session-1"}},
		{"webhooks", "/settings/webhooks", []string{"Webhooks"}},
	})
}
