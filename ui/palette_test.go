package ui_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/prinzbox/prinzbox/registry"
)

// The palette finds runs by a part of their names, whatever is typed.
func TestPaletteFindsRuns(t *testing.T) {
	h, _, _ := wine(t)
	h.run("0", `it's "<odd>"`, now, registry.Batch{})
	ask := func(q string) string {
		t.Helper()
		status, text := h.get("/palette-runs.json?" + url.Values{"q": {q}}.Encode())
		if status != 200 {
			t.Errorf("%q: status %d %s", q, status, text)
		}
		return text
	}
	contains(t, ask("INE-0.8"), `"name":"wine-0.84"`, `"kind":"Run of Test experiment 1"`, `"url":"/runs/`)
	contains(t, ask("it's"), `<odd>`)
	for _, nothing := range []string{"no such run", `' OR 1 = 1 --`, `'"`, `\`} {
		if text := ask(nothing); text != "[]" {
			t.Errorf("%q finds %s", nothing, text)
		}
	}
}

func TestPaletteInBrowser(t *testing.T) {
	h, _, _ := wine(t)
	b := openBrowser(t)
	open := func() {
		b.open(h.server.URL + "/models")
		b.do(chromedp.KeyEvent("k", chromedp.KeyModifiers(kb.ModifierCtrl)))
		b.until(`document.querySelectorAll("#palette-list [role=option]").length > 4`)
	}
	open()
	b.keys("wine-0.84")
	b.until(`[...document.querySelectorAll("#palette-list [role=option]")].some((e) => e.textContent.includes("Run of Test experiment 1"))`)
	b.keys(kb.Enter)
	b.until(`location.pathname.startsWith("/runs/") && document.title.startsWith("wine-0.84")`)
	open()
	b.keys("change colours" + kb.Enter)
	b.until(`document.documentElement.dataset.theme === "light" && !document.getElementById("palette").open`)
	// The focus stays in the dialog, and comes back.
	open()
	for range 4 {
		b.keys(kb.Tab)
		if where := b.text(`document.activeElement === document.body || document.getElementById("palette").contains(document.activeElement)`); where != "true" {
			t.Errorf("the focus leaves the dialog: %s", b.text("document.activeElement.outerHTML"))
		}
	}
	b.keys(kb.Escape)
	b.until(`!document.getElementById("palette").open`)
	b.noErrors("palette")
}

// The home page tells what happened in the registry and what to try first.
func TestActivityAndTour(t *testing.T) {
	h, _, _ := wine(t)
	h.do(h.store.SetAlias(t.Context(), "MLF-FraudDetection-3", "best", "1"))
	h.do(h.store.DeleteAlias(t.Context(), "MLF-FraudDetection-3", "best"))
	_, page := h.get("/")
	contains(t, page, "First steps", "Move a slider", wineVersion[:len(wineVersion)-1]+`2#try`, "alias best taken away", "alias champion pointed at", ">MLF-Torch 1</a>", "MLFLOW_TRACKING_URI="+h.server.URL+"\nMLFLOW_S3")
	empty := newHouse(t)
	_, page = empty.get("/")
	contains(t, page, "Log a run", "Nothing yet.")
	if strings.Contains(page, "Move a slider") {
		t.Error("the tour leads to a model that is not there")
	}
}
