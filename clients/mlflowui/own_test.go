package mlflowui_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/prinzbox/prinzbox/clients/chromium"
)

const ownRuns = 10_000

// TestOwnFigures measures our own pages with 10,000 runs, without MLflow beside them: the largest paint, and the longest frame while a table
// is scrolled and filtered. It takes less than two minutes:
//
//	PRINZBOX_FIGURES=own go test -count=1 -v -run TestOwnFigures ./clients/mlflowui
func TestOwnFigures(t *testing.T) {
	if os.Getenv("PRINZBOX_FIGURES") != "own" {
		t.Skip("a measurement, not a test: set PRINZBOX_FIGURES=own")
	}
	box := startBox(t)
	if box.fill(t, ownRuns); t.Failed() {
		t.FailNow()
	}
	tab := startTab(t)
	last := fmt.Sprintf("run-%04d", ownRuns-1)
	var table strings.Builder
	fmt.Fprintf(&table, "\n%d runs; medians of 5 visits\n| page | cache | usable, ms | largest paint, ms | KiB |\n|---|---|---|---|---|\n", ownRuns)
	for _, p := range []struct {
		name, url string
		want      []string
	}{
		{"home", box.url + "/", []string{"figures"}},
		{"runs table", box.runs(box), []string{last}},
		{"runs table, a filter", box.runs(box) + "?filter=run_name+LIKE+%27run-00%25%27", []string{"run-0002"}},
		{"runs table, 1,000 rows", box.runs(box) + "?max=1000", []string{last, fmt.Sprintf("run-%04d", ownRuns-1000)}},
		{"run", box.run1(box), []string{last, "rmse", "alpha"}},
		{"model", box.model(box), []string{"Version " + strconv.Itoa(figureVersions), "champion"}},
	} {
		var visits [2][]opened // with an empty cache, with a full one
		for range 5 {
			visits[0] = append(visits[0], visit(tab, p.url, p.want, true))
			visits[1] = append(visits[1], visit(tab, p.url, p.want, false))
		}
		for i, cache := range []string{"empty", "full"} {
			of := medianOf(visits[i])
			fmt.Fprintf(&table, "| %s | %s | %.0f | %.0f | %.0f |\n", p.name, cache, of.usable, of.lcp, of.bytes/1024)
		}
	}
	table.WriteString("\n| what | longest frame, ms |\n|---|---|\n")
	for _, rows := range []string{"100", "1000"} {
		tab.Open(box.runs(box) + "?max=" + rows)
		tab.Until(`document.querySelector("table.runs tbody tr")`)
		frames(tab, &table, rows+" rows: scroll to the end and back", func() {
			tab.Text(`(() => {
				const table = document.querySelector(".scroll.tall"), end = table.scrollHeight - table.clientHeight, start = performance.now();
				const step = () => {
					const part = (performance.now() - start) / 1500;
					table.scrollTop = end * (part < 0.5 ? 2 * part : 2 - 2 * part);
					if (part < 1) requestAnimationFrame(step); else document.body.dataset.scrolled = "yes";
				};
				requestAnimationFrame(step);
			})()`)
			tab.Until(`document.body.dataset.scrolled`)
		})
		frames(tab, &table, rows+" rows: type a filter", func() {
			tab.Do(chromedp.Focus(chromedp.CSS("#filter")), chromedp.KeyEvent("params.depth = '1' and metrics.rmse < 1"))
		})
	}
	t.Log(table.String())
}

// frames notes the longest time between two frames of the page while something is done.
func frames(tab *chromium.Page, table *strings.Builder, name string, do func()) {
	tab.Helper()
	tab.Text(`(() => {
		let last = 0;
		window.longest = 0;
		const look = (now) => { if (last) window.longest = Math.max(window.longest, now - last); last = now; requestAnimationFrame(look); };
		requestAnimationFrame(look);
	})()`)
	do()
	fmt.Fprintf(table, "| %s | %s |\n", name, tab.Text(`Math.round(window.longest)`))
}
