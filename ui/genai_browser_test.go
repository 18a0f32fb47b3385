package ui_test

import (
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// choose puts a file into a form as a user's file dialog does.
func (b *browser) choose(selector, file string) {
	b.t.Helper()
	b.do(chromedp.SetUploadFiles(chromedp.CSS(selector), []string{file}))
}

func TestBrowserOfBucketsAndTraces(t *testing.T) {
	h, experiment, runID := wine(t)
	traced, _, model, dataset := genai(h)
	s := stock(h)
	s.shelve(experiment, runID)
	b := openBrowser(t)
	trace := "/traces/" + traceID('A')

	// Every page opens without a word on the console, fits the window and a phone, and no id is used twice.
	for _, path := range []string{
		"/s3", "/s3/mlflow", "/s3/mlflow?prefix=batch/", "/s3/keep-none", "/s3/keeps-versions/object?key=notes.md&link=1h", "/s3/mlflow/object?key=batch/part-000.csv",
		"/s3/mlflow/delete?prefix=batch/", "/traces", "/experiments/" + traced + "/traces", trace, trace + "?span=" + url.QueryEscape(span("d")), "/prompts", "/prompts/helper",
		"/prompts/helper?version=2&with=1", "/prompts/chatty", "/datasets", "/datasets/" + dataset, "/experiments/" + traced + "/models", "/logged-models/" + model, "/traces?filter=foo",
	} {
		for _, width := range []int64{1280, 360} {
			b.size(width, 800)
			b.open(h.server.URL + path)
			if over := b.text("document.documentElement.scrollWidth - innerWidth"); !strings.HasPrefix(over, "-") && over != "0" {
				t.Errorf("%s at %d: %s pixels too wide", path, width, over)
			}
		}
		if twice := b.text(`[...document.querySelectorAll("[id]")].map((e) => e.id).filter((id, i, all) => all.indexOf(id) !== i).join()`); twice != "" {
			t.Errorf("%s: ids used twice: %s", path, twice)
		}
		if path == "/s3/keep-none" || path == "/traces?filter=foo" { // the browser notes the status itself
			b.errors = nil
		}
		b.noErrors(path)
	}
	b.size(1280, 900)

	t.Run("walk a bucket and put a file into it", func(t *testing.T) {
		b.t = t
		b.open(h.server.URL + "/s3/mlflow")
		b.text(`[...document.querySelectorAll("tbody a")].find((a) => a.textContent === "batch/").focus()`)
		b.keys(kb.Enter)
		b.until(`document.querySelectorAll(".keys-table tbody tr").length === 100 && document.readyState === "complete"`)
		b.click(`[rel=next]`)
		b.until(`document.querySelectorAll(".keys-table tbody tr").length === 30 && document.readyState === "complete"`)
		file := filepath.Join(t.TempDir(), "report 1.csv")
		if err := os.WriteFile(file, []byte("a,b\n1,2\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		b.choose("#upload-files", file)
		b.click(".upload button")
		b.until(`document.querySelector(".done")?.textContent === "1 file stored." && document.readyState === "complete"`)
		b.open(h.server.URL + "/s3/mlflow/object?key=batch/report+1.csv")
		if got := b.text(`document.querySelector(".cells th").textContent`); got != "a" {
			t.Errorf("the preview's first column is %q", got)
		}
		b.click(".button.danger")
		b.until(`document.title.startsWith("Delete batch/report 1.csv") && document.readyState === "complete"`)
		b.click("button.danger")
		b.until(`document.querySelector(".done")?.textContent === "1 key deleted." && document.readyState === "complete"`)
		b.noErrors("bucket")
	})

	t.Run("open spans", func(t *testing.T) {
		b.t = t
		b.open(h.server.URL + trace)
		b.text(`document.body.dataset.same = "page"`)
		b.focus(".spans tbody tr:first-child a")
		b.keys(kb.ArrowDown + kb.ArrowDown + kb.Enter)
		b.until(`document.querySelector("#span h2").textContent.startsWith("look up")`)
		if b.text(`document.body.dataset.same`) != "page" || !strings.Contains(b.text(`location.search`), "span=") {
			t.Error("the page was loaded anew, or its address does not say which span is open")
		}
		if got := b.text(`document.querySelector(".chosen a").textContent`); got != "look up" {
			t.Errorf("chosen is %q", got)
		}
		if got := b.text(`document.activeElement.textContent`); got != "look up" {
			t.Errorf("the focus is on %q", got)
		}
		b.text(`history.back()`)
		b.until(`document.querySelector("#span h2").textContent.trim().startsWith("answer")`)
		b.noErrors("spans")
	})

	t.Run("filter, and keys of the new places", func(t *testing.T) {
		b.t = t
		b.open(h.server.URL + "/traces")
		b.press("/", "Slash")
		b.keys("trace.status = 'ERROR'" + kb.Enter)
		b.until(`document.querySelectorAll(".traces tbody tr").length === 1`)
		b.focus("main")
		for key, path := range map[string]string{"t": "/traces", "p": "/prompts", "d": "/datasets", "s": "/s3"} {
			b.keys("g" + key)
			b.until(`location.pathname === "` + path + `" && document.readyState === "complete"`)
		}
		b.noErrors("keys")
		for hash, path := range map[string]string{
			"#/experiments/" + traced + "/traces?selectedEvaluationId=" + traceID('A'): trace, "#/experiments/" + traced + "/traces": "/experiments/" + traced + "/traces",
			"#/experiments/" + traced + "/models/" + model: "/logged-models/" + model, "#/prompts/helper": "/prompts/helper",
		} {
			b.open("about:blank") // a hash alone is no new page
			b.open(h.server.URL + "/" + hash)
			b.until(`location.pathname === "` + path + `" && document.readyState === "complete"`)
		}
	})

	t.Run("completion", func(t *testing.T) {
		b.t = t
		for _, c := range []struct{ path, keys, first string }{
			{"/traces", "trace.st", "trace.status"},
			{"/traces", "trace.status = ", "'OK'"},
			{"/traces", "trace.execution_time_ms <", "<="},
			{"/traces", "span.type = 'RET", "'RETRIEVER'"},
			{"/prompts", "na", "name"},
			{"/datasets", "last_upd", "last_updated_by"},
			{"/models", "name LI", "LIKE"},
		} {
			b.open(h.server.URL + c.path)
			b.focus("#filter")
			b.keys(c.keys)
			b.until(`document.querySelector("#filter-words li")?.textContent === ` + strconv.Quote(c.first))
		}
		b.noErrors("completion")
	})
	t.Run("without script", func(t *testing.T) {
		b.t = t
		b.script(false)
		b.open(h.server.URL + trace)
		b.click(`.spans tbody tr:nth-child(4) a`)
		b.do(chromedp.WaitVisible(chromedp.CSS(".turn.mine")))
		b.open(h.server.URL + "/s3/keeps-versions/object?key=notes.md")
		b.click(`form[aria-label="Make a link"] button`)
		b.do(chromedp.WaitVisible(chromedp.CSS("#link")))
		b.script(true)
		b.noErrors("without script")
	})
}

// TestScreenshotsOfBucketsAndTraces writes pictures as TestScreenshots does.
func TestScreenshotsOfBucketsAndTraces(t *testing.T) {
	folder := os.Getenv("PRINZBOX_SCREENSHOTS")
	if folder == "" {
		t.Skip("PRINZBOX_SCREENSHOTS names no folder")
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	h, experiment, runID := wine(t)
	traced, _, model, dataset := genai(h)
	stock(h).shelve(experiment, runID)
	b := openBrowser(t)
	trace := "/traces/" + traceID('A')
	for name, path := range map[string]string{
		"buckets": "/s3", "bucket": "/s3/mlflow?prefix=" + experiment + "/", "object": "/s3/keeps-versions/object?key=notes.md&link=1d", "delete": "/s3/mlflow/delete?prefix=batch/",
		"traces": "/traces", "trace": trace, "span": trace + "?span=" + url.QueryEscape(span("d")), "chat": trace + "?span=" + url.QueryEscape(span("c")),
		"prompts": "/prompts", "prompt": "/prompts/helper", "diff": "/prompts/helper?version=2&with=1", "datasets": "/datasets", "dataset": "/datasets/" + dataset,
		"logged-models": "/experiments/" + traced + "/models", "logged-model": "/logged-models/" + model + "?path=&file=MLmodel", "no-traces": "/experiments/0/traces",
	} {
		for _, theme := range []string{"light", "dark"} {
			for width, kind := range map[int64]string{1280: "wide", 390: "phone"} {
				b.size(width, 844)
				b.system(theme)
				b.open(h.server.URL + path)
				png, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(folder, name+"-"+theme+"-"+kind+".png"), png, 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}
