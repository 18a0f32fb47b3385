package ui_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/prinzbox/prinzbox/clients/chromium"
	"github.com/prinzbox/prinzbox/registry"
)

// browser is a headless Chromium that notes every error of the console.
type browser struct {
	t   testing.TB
	ctx context.Context

	mu     sync.Mutex
	errors []string
}

// openBrowser starts a Chromium found on PATH. Without one the test is skipped, but never in CI.
func openBrowser(t testing.TB) *browser {
	t.Helper()
	ctx := chromium.Open(t)
	b := &browser{t: t, ctx: ctx}
	if err := chromedp.Listen(ctx, b.note); err != nil {
		t.Fatal(err)
	}
	b.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, log.Enable, cdp.Empty{})
		return err
	}), chromedp.EmulateViewport(1280, 900))
	return b
}

// note keeps what a developer would see in red or yellow.
func (b *browser) note(event any) {
	text := ""
	switch e := event.(type) {
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning {
			text = e.Entry.Text + " " + e.Entry.URL
		}
	case *runtime.EventExceptionThrown:
		text = "exception: " + e.ExceptionDetails.Text
		if e.ExceptionDetails.Exception != nil {
			text += " " + e.ExceptionDetails.Exception.Description
		}
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError {
			text = "console.error"
		}
	}
	if text != "" {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.errors = append(b.errors, text)
	}
}

// page is the tab, for the test that runs now.
func (b *browser) page() *chromium.Page { return &chromium.Page{TB: b.t, Ctx: b.ctx} }

func (b *browser) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	b.page().Do(actions...)
}

// noErrors fails on what the console said since the last call.
func (b *browser) noErrors(where string) {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range b.errors {
		b.t.Errorf("%s: the console says: %s", where, e)
	}
	b.errors = nil
}

// text is an expression of the page as a string.
func (b *browser) text(js string) string {
	b.t.Helper()
	return b.page().Text(js)
}

// until waits for an expression to hold.
func (b *browser) until(js string) {
	b.t.Helper()
	b.page().Until(js)
}

// keys types on whatever has the focus.
func (b *browser) keys(text string) {
	b.t.Helper()
	b.do(chromedp.KeyEvent(text))
}

// press is one key as a keyboard sends it: the character follows from the key, so a page can keep it back.
func (b *browser) press(text, code string) {
	b.t.Helper()
	b.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, down := cdp.Call(ctx, t, input.DispatchKeyEvent, input.DispatchKeyEventParams{Type: kb.KeyDown, Key: text, Code: code, Text: text, UnmodifiedText: text})
		_, up := cdp.Call(ctx, t, input.DispatchKeyEvent, input.DispatchKeyEventParams{Type: kb.KeyUp, Key: text, Code: code})
		return errors.Join(down, up)
	}))
}

func (b *browser) open(url string) {
	b.t.Helper()
	b.do(chromedp.Navigate(url))
}

func (b *browser) focus(selector string) {
	b.t.Helper()
	b.do(chromedp.Focus(chromedp.CSS(selector)))
}

func (b *browser) click(selector string) {
	b.t.Helper()
	b.do(chromedp.Click(chromedp.CSS(selector)))
}

// size is the window's, in pixels.
func (b *browser) size(width, height int64) {
	b.t.Helper()
	b.do(chromedp.EmulateViewport(width, height))
}

// system sets the colours that the system asks for: "light", "dark" or "".
func (b *browser) system(theme string) {
	b.t.Helper()
	b.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: theme}}})
		return err
	}))
}

// script turns JavaScript on or off for the pages that are opened from now on.
func (b *browser) script(on bool) {
	b.t.Helper()
	b.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !on})
		return err
	}))
}

func TestBrowser(t *testing.T) {
	h, experiment, runID := wine(t)
	b := openBrowser(t)
	version := "/models/MLF-ElasticnetWineModel-1/versions/1"

	// Every page opens without a word on the console, fits the window and a phone, and has no control without a name.
	pages := []string{"/", "/experiments", "/experiments/" + experiment, "/runs/" + runID, "/models", "/models/MLF-ElasticnetWineModel-1", version}
	for _, path := range pages {
		for _, width := range []int64{1280, 360} {
			b.size(width, 800)
			b.open(h.server.URL + path)
			if over := b.text("document.documentElement.scrollWidth - innerWidth"); strings.HasPrefix(over, "-") == false && over != "0" {
				t.Errorf("%s at %d: %s pixels too wide", path, width, over)
			}
		}
		if nameless := b.text(`[...document.querySelectorAll("a, button, input:not([type=hidden]), select, textarea")]
			.filter((e) => !(e.labels?.length || e.textContent.trim() || e.getAttribute("aria-label"))).map((e) => e.outerHTML).join()`); nameless != "" {
			t.Errorf("%s: controls without a name: %s", path, nameless)
		}
		if twice := b.text(`[...document.querySelectorAll("[id]")].map((e) => e.id).filter((id, i, all) => all.indexOf(id) !== i).join()`); twice != "" {
			t.Errorf("%s: ids used twice: %s", path, twice)
		}
		if levels := b.text(`[...document.querySelectorAll("main h1, main h2, main h3")].map((e) => +e.tagName[1]).some((n, i, all) => i > 0 && n > all[i-1] + 1)`); levels != "false" {
			t.Errorf("%s: a heading level is left out", path)
		}
		b.noErrors(path)
	}
	b.size(1280, 900)

	t.Run("try it by keyboard", func(t *testing.T) {
		b.t = t
		b.open(h.server.URL + version)
		b.focus("#f0")
		b.keys(kb.End + strings.Repeat(kb.Backspace, 3) + "8.40" + kb.Enter)
		b.until(`document.querySelector("[data-headline]").textContent === "70.5438"`)
		if took := b.text(`document.querySelector("[data-took]").textContent`); !strings.HasPrefix(took, "200 in ") {
			t.Errorf("took: %s", took)
		}
		byScript, curl := h.model.last.Load(), b.text(`document.getElementById("curl").textContent`)
		// The form without the script must send the very same bytes and show the same command.
		b.text(`document.querySelector("[data-fields]").submit()`)
		b.until(`location.pathname.endsWith("/try") && document.readyState === "complete"`)
		if got := h.model.last.Load(); got != byScript {
			t.Errorf("without script:\n%s\nwith script:\n%s", got, byScript)
		}
		if got := b.text(`document.getElementById("curl").textContent`); got != curl {
			t.Errorf("without script:\n%s\nwith script:\n%s", got, curl)
		}
		if got := b.text(`document.querySelector("[data-headline]").textContent.trim()`); got != "70.5438" {
			t.Errorf("without script the answer is %s", got)
		}
		b.noErrors("try")
		// A mistake is marked where it is, and nothing is sent.
		h.model.last.Store("")
		b.open(h.server.URL + version)
		b.focus("#f2")
		b.keys("x" + kb.Enter)
		b.until(`document.getElementById("f2").getAttribute("aria-invalid") === "true"`)
		if id := b.text(`document.activeElement.id`); id != "f2" || h.model.last.Load() != "" {
			t.Errorf("focus on %q, sent %q", id, h.model.last.Load())
		}
		b.noErrors("mistake")
	})

	t.Run("theme", func(t *testing.T) {
		b.t = t
		b.system("light")
		b.open(h.server.URL + "/models")
		paper := func() string { return b.text("getComputedStyle(document.body).backgroundColor") }
		light := paper()
		b.focus("[data-theme-form] button")
		b.keys(kb.Enter)
		b.until(`document.documentElement.dataset.theme === "light"`)
		b.keys("t")
		b.until(`document.documentElement.dataset.theme === "dark"`)
		dark := paper()
		if light == dark {
			t.Errorf("dark is as light: %s", light)
		}
		b.open(h.server.URL + "/experiments")
		if paper() != dark {
			t.Error("the choice is not remembered")
		}
		b.keys("t")
		b.until(`document.documentElement.dataset.theme === ""`)
		if paper() != light {
			t.Error("back to the system's colours, which are light here")
		}
		b.system("dark")
		if paper() != dark {
			t.Error("the system's dark is not followed")
		}
		b.system("")
		b.noErrors("theme")
	})

	t.Run("keys", func(t *testing.T) {
		b.t = t
		b.open(h.server.URL + "/experiments/" + experiment)
		b.press("/", "Slash")
		b.until(`document.activeElement.id === "filter"`)
		if typed := b.text(`document.getElementById("filter").value`); typed != "" {
			t.Errorf("the key itself was typed: %q", typed)
		}
		b.keys("metrics.rmse < 0.75" + kb.Enter)
		b.until(`location.search.includes("filter=metrics.rmse") && document.readyState === "complete"`)
		if rows := b.text(`document.querySelectorAll(".runs tbody tr").length`); rows != "1" {
			t.Errorf("%s runs, want 1", rows)
		}
		b.keys(kb.Escape + "?")
		b.until(`document.getElementById("help").open`)
		b.keys(kb.Escape)
		b.until(`!document.getElementById("help").open`)
		b.do(chromedp.KeyEvent("k", chromedp.KeyModifiers(kb.ModifierCtrl)))
		b.until(`document.querySelectorAll("#palette-list [role=option]").length > 4`)
		b.keys("fraud" + kb.Enter)
		b.until(`location.pathname === "/models/MLF-FraudDetection-3" && document.readyState === "complete"`)
		b.keys("ge")
		b.until(`location.pathname === "/experiments" && document.readyState === "complete"`)
		b.noErrors("keys")
	})

	t.Run("links of MLflow's own UI", func(t *testing.T) {
		b.t = t
		for hash, path := range map[string]string{
			"#/experiments/" + experiment + "/runs/" + runID: "/runs/" + runID,
			"#/experiments/" + experiment + "?searchFilter=": "/experiments/" + experiment,
			"#/models/MLF-FraudDetection-3/versions/1":       "/models/MLF-FraudDetection-3/versions/1",
			"#/models": "/models",
		} {
			b.open("about:blank") // a hash alone is no new page
			b.do(chromedp.Navigate(h.server.URL + "/" + hash))
			b.until(`location.pathname === "` + path + `" && document.readyState === "complete"`)
		}
		b.noErrors("links")
	})

	t.Run("copy", func(t *testing.T) {
		b.t = t
		b.open(h.server.URL + "/")
		b.click("[data-copy=set-shell]")
		b.until(`document.querySelector("[data-copy=set-shell]").textContent === "Copied"`)
		b.noErrors("copy")
	})

	t.Run("without script", func(t *testing.T) {
		b.t = t
		b.script(false)
		b.open(h.server.URL + version)
		h.model.last.Store("")
		b.click(".fields button.main")
		b.do(chromedp.WaitReady(chromedp.CSS(`option[value=""][selected]`))) // the page of the answer, as of the form
		var answer string
		var err error
		for range 50 { // the page may change under the question
			answer, err = chromedp.Run(b.ctx, chromedp.TextContent(chromedp.CSS("[data-headline]:not(:empty)")))
			if err == nil && h.model.last.Load() != "" {
				break
			}
			time.Sleep(20 * time.Millisecond)
		}
		if err != nil || strings.TrimSpace(answer) != "69.5438" || h.model.last.Load() == "" {
			t.Errorf("the answer is %q (%v), want 69.5438, to %q", answer, err, h.model.last.Load())
		}
		b.click("[data-theme-form] button")
		b.do(chromedp.WaitReady(chromedp.CSS(`html[data-theme="light"]`)))
		b.script(true)
		b.noErrors("without script")
	})
}

// TestScreenshots writes a picture of every page, in both themes and at phone width, to the folder that
// PRINZBOX_SCREENSHOTS names.
func TestScreenshots(t *testing.T) {
	folder := os.Getenv("PRINZBOX_SCREENSHOTS")
	if folder == "" {
		t.Skip("PRINZBOX_SCREENSHOTS names no folder")
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	h, experiment, runID := wine(t)
	b := openBrowser(t)
	version := "/models/MLF-ElasticnetWineModel-1/versions/1"
	empty := must[string](t)(h.store.CreateExperiment(t.Context(), registry.NewExperiment{Name: "Nothing yet"}))
	fill(h, 150)
	running := must[registry.Run](t)(h.store.CreateRun(t.Context(), registry.NewRun{ExperimentID: "0", Name: "still-going", StartTime: now.UnixMilli() - 5000}))
	h.do(h.store.LogParam(t.Context(), running.Info.RunID, registry.KeyValue{Key: "a param with quite a long name/and a slash", Value: strings.Repeat("a long value ", 20)}))
	failed, end := registry.RunFailed, now.UnixMilli()
	bad := h.run("0", "broken-and-with-a-name-that-goes-on-and-on-and-on-for-a-while", now.Add(-4*time.Second), registry.Batch{})
	must[registry.RunInfo](t)(h.store.UpdateRun(t.Context(), bad, registry.RunUpdate{Status: &failed, EndTime: &end}))
	long := strings.Repeat("A model with a long name & <tags> ", 5)
	h.register(long, strings.Repeat("A description that says much. ", 30), runID)
	score := func() {
		b.text(`(() => { const s = document.querySelector("[data-slides=f10]"); s.value = 12; s.dispatchEvent(new Event("input", { bubbles: true })); })()`)
		b.until(`document.querySelector("[data-answer-of=own] [data-headline]").textContent.startsWith("72.1")`)
	}
	type shot struct {
		name, path string
		then       func()
	}
	shots := []shot{
		{"home", "/", nil},
		{"experiments", "/experiments", nil},
		{"experiment", "/experiments/" + experiment + "?order_by=metrics.%60rmse%60+DESC", nil},
		{"experiment-error", "/experiments/" + experiment + "?filter=metrics.rmse+%3C%3C+1", nil},
		{"experiment-columns", "/experiments/" + experiment, func() { b.click(".picker summary") }},
		{"run", "/runs/" + runID + "?path=model&file=model/MLmodel", nil},
		{"models", "/models", nil},
		{"model", "/models/MLF-ElasticnetWineModel-1", nil},
		{"version", version, score},
		{"empty", "/experiments/" + empty, nil},
		{"busy", "/experiments/0", nil},
		{"long", "/models/" + url.PathEscape(long) + "/versions/1", nil},
		{"mistake", version, func() {
			b.focus("#f1")
			b.keys("x" + kb.Enter)
		}},
		{"help", "/models", func() { b.press("?", "Slash") }},
		{"missing", "/nowhere", nil},
		{"palette", "/models", func() {
			b.do(chromedp.KeyEvent("k", chromedp.KeyModifiers(kb.ModifierCtrl)))
			b.until(`document.querySelectorAll("#palette-list [role=option]").length > 4`)
		}},
		{"question", wineModel, func() {
			b.text(`document.querySelector("button[value=delete-model]").click()`)
			b.until(`document.title.startsWith("Delete MLF") && document.readyState === "complete"`)
		}},
		{"table", version, func() {
			b.text(`document.querySelector("form.batch button").click()`)
			b.until(`document.querySelector(".predicted") && document.readyState === "complete"`)
		}},
	}
	h.do(h.store.SetAlias(t.Context(), "MLF-ElasticnetWineModel-1", "champion", "2"))
	for range 3 {
		h.model.Server.Score(t.Context(), "MLF-ElasticnetWineModel-1", "1", []byte(`{}`), "application/json")
	}
	for i, path := range allPages(h) {
		if !slices.ContainsFunc(shots, func(s shot) bool { return s.path == path }) {
			shots = append(shots, shot{fmt.Sprintf("walk-%02d-%s", i, strings.Trim(regexp.MustCompile(`[^a-z]+`).ReplaceAllString(path, "-"), "-")), path, nil})
		}
	}
	for _, p := range shots {
		for _, theme := range []string{"light", "dark"} {
			for width, kind := range map[int64]string{1280: "wide", 390: "phone"} {
				b.size(width, 844)
				b.system(theme)
				b.open(h.server.URL + p.path)
				if p.then != nil {
					p.then()
				}
				png, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(folder, p.name+"-"+theme+"-"+kind+".png"), png, 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}
