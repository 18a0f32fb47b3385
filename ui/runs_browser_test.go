package ui_test

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/prinzbox/prinzbox/registry"
)

const noteText = "# Elastic net\n\nTrained on **red wine**; see [the paper](https://example.org/wine) and `train.py`.\n\n| step | done |\n|:--|--:|\n| split | yes |\n| fit | yes |\n\n- [x] checked\n- [ ] published\n"

const reportPage = `<!DOCTYPE html><h1 id="title">Report</h1><p>Made by a run.</p>
<script>document.getElementById("title").textContent = "Report of " + 6 * 7;
parent.postMessage(document.body.innerText, "*");
try { parent.document.title = "stolen"; } catch (e) { document.body.append("kept apart"); }
fetch("/palette.json").then(() => document.body.append("reached"), () => document.body.append(", no network"));</script>`

// training makes a run that a person would look at: notes, histories of several shapes, files of every kind, a data set and a model.
func training(h *house, experiment, name string, seed int, status string) string {
	h.t.Helper()
	ctx := h.t.Context()
	r := must[registry.Run](h.t)(h.store.CreateRun(ctx, registry.NewRun{ExperimentID: experiment, Name: name, UserID: "ada", StartTime: now.Add(-40 * time.Minute).UnixMilli()}))
	id := r.Info.RunID
	rate := []float64{0.01, 0.03, 0.1}[seed%3]
	h.do(h.store.LogBatch(ctx, id, registry.Batch{
		Params: []registry.KeyValue{
			{Key: "learning_rate", Value: fmt.Sprint(rate)}, {Key: "depth", Value: fmt.Sprint(3 + seed%4)}, {Key: "booster", Value: []string{"gbtree", "dart"}[seed%2]}, {Key: "objective", Value: "reg:squarederror"},
		},
		Tags: []registry.KeyValue{{Key: registry.TagNote, Value: noteText}, {Key: registry.TagSourceName, Value: "train.py"}, {Key: "team", Value: "cellar"}},
	}))
	var metrics []registry.Metric
	for step := range int64(600) {
		at := now.Add(-40*time.Minute + time.Duration(step)*3*time.Second).UnixMilli()
		x := float64(step)
		loss := 2*math.Exp(-x*rate/12) + 0.08 + 0.05*math.Sin(x*1.7+float64(seed))*math.Cos(x*0.9)
		metrics = append(metrics,
			registry.Metric{Key: "loss", Step: step, Timestamp: at, Value: registry.Float(loss)},
			registry.Metric{Key: "val_loss", Step: step, Timestamp: at, Value: registry.Float(loss*1.2 + x/6000)})
		if step%10 == 0 {
			metrics = append(metrics, registry.Metric{Key: "accuracy", Step: step, Timestamp: at, Value: registry.Float(1 - loss/3)},
				registry.Metric{Key: "system/cpu_utilization_percentage", Step: step, Timestamp: at, Value: registry.Float(50 + 30*math.Sin(x/40))})
		}
	}
	metrics = append(metrics, registry.Metric{Key: "rmse", Value: registry.Float(0.7 + float64(seed)/50), Timestamp: now.UnixMilli()})
	for len(metrics) > 0 {
		n := min(len(metrics), 900)
		h.do(h.store.LogBatch(ctx, id, registry.Batch{Metrics: metrics[:n]}))
		metrics = metrics[n:]
	}
	schema, profile := `{"mlflow_colspec": [{"name": "pH", "type": "double"}]}`, `{"num_rows": 1599}`
	h.do(h.store.LogInputs(ctx, id, []registry.DatasetInput{{
		Tags:    []registry.KeyValue{{Key: "mlflow.data.context", Value: "training"}},
		Dataset: registry.Dataset{Name: "winequality-red", Digest: "5b1f5a4c", SourceType: "http", Source: "{}", Schema: &schema, Profile: &profile},
	}}, nil))
	m := must[registry.LoggedModel](h.t)(h.store.CreateLoggedModel(ctx, registry.NewLoggedModel{ExperimentID: experiment, Name: "wine-net", ModelType: "sklearn", SourceRunID: id}))
	h.do(h.store.LogOutputs(ctx, id, []registry.ModelOutput{{ModelID: m.Info.ModelID, Step: 599}}))
	if status != registry.RunRunning {
		end := now.Add(-9 * time.Minute).UnixMilli()
		must[registry.RunInfo](h.t)(h.store.UpdateRun(ctx, id, registry.RunUpdate{Status: &status, EndTime: &end}))
	}
	root := r.Info.ArtifactURI + "/"
	h.files[root+"plots/residuals.png"] = picture(h.t)
	h.files[root+"report.html"] = reportPage
	h.files[root+"predictions.csv"] = "id,quality,predicted\n1,5,5.21\n2,6,5.94\n3,\"7\",6.5\n"
	h.files[root+"table.json"] = `{"columns": ["question", "answer"], "data": [["How sour?", "pH 3.5"], ["How strong?", 9.4]]}`
	h.files[root+"config.json"] = `{"depth":3,"stages":[{"name":"split","seed":42},{"name":"fit","seed":7}],"objective":"reg:squarederror","nested":{"a":{"b":[1,2,3]}}}`
	h.files[root+"NOTES.md"] = noteText
	h.files[root+"model/MLmodel"] = "flavors:\n  python_function:\n    loader_module: mlflow.sklearn\n    python_version: 3.11.9\n  sklearn:\n    sklearn_version: 1.9.1\nmlflow_version: 3.17.2\nmodel_uuid: 5d3c\nsignature:\n  inputs: '[{\"type\": \"double\", \"name\": \"pH\"}]'\n  outputs: '[{\"type\": \"double\"}]'\n"
	h.files[root+"model/model.pkl"] = "\x80\x04\x95\x00\x00"
	return id
}

func picture(t testing.TB) string {
	img := image.NewRGBA(image.Rect(0, 0, 320, 200))
	for x := range 320 {
		for y := range 200 {
			img.Set(x, y, color.RGBA{uint8(x / 2), uint8(y), 160, 255})
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestRunInBrowser(t *testing.T) {
	h, experiment, _ := wine(t)
	id := training(h, experiment, "boosted", 0, registry.RunRunning)
	b := openBrowser(t)
	page := h.server.URL + "/runs/" + id
	chart := func(key string) string { return `document.querySelector('[data-chart][data-key="` + key + `"]')` }
	loss := chart("loss")

	t.Run("axes, scale and smoothing", func(t *testing.T) {
		b.t = t
		b.open(page)
		before := b.text(loss + `.querySelector("polyline").getAttribute("points")`)
		b.text(`(() => { const s = document.querySelector("[name=y]"); s.value = "log"; s.dispatchEvent(new Event("input", { bubbles: true })); })()`)
		b.until(`location.search.includes("y=log") && ` + loss + `.querySelector("polyline").getAttribute("points") !== ` + "`" + before + "`")
		b.text(`(() => { const s = document.querySelector("[name=smooth]"); s.value = "0.9"; s.dispatchEvent(new Event("input", { bubbles: true })); })()`)
		b.until(`location.search.includes("smooth=0.9") && ` + loss + `.querySelectorAll("polyline").length === 2`)
		b.text(`(() => { const s = document.querySelector("[name=x]"); s.value = "time"; s.dispatchEvent(new Event("input", { bubbles: true })); })()`)
		b.until(`location.search.includes("x=time") && ` + loss + `.dataset.axis === "time"`)
		// The address alone makes the same charts.
		shown := b.text(loss + `.querySelector("svg").innerHTML`)
		b.open(b.text("location.href"))
		if got := b.text(loss + `.querySelector("svg").innerHTML`); got != shown {
			t.Error("the address does not make the same chart")
		}
		b.noErrors("axes")
	})

	t.Run("a zoom stays while data arrives", func(t *testing.T) {
		b.t = t
		b.open(page)
		b.text(loss + `.scrollIntoView({ block: "center" })`)
		box := func(of string) float64 {
			var v float64
			if _, err := fmt.Sscan(b.text(loss+`.querySelector("[data-canvas]").getBoundingClientRect().`+of), &v); err != nil {
				t.Fatal(err)
			}
			return v
		}
		left, top, width := box("left"), box("top"), box("width")
		b.drag(left+width*0.25, left+width*0.5, top+40)
		b.until(`location.search.includes("from=") && ` + loss + `.dataset.x0 !== "0"`)
		x0, x1 := b.text(loss+".dataset.x0"), b.text(loss+".dataset.x1")
		if x0 < "100" || x0 > "200" || x1 < "250" || x1 > "350" {
			t.Errorf("zoomed to %s – %s, want about 150 – 300", x0, x1)
		}
		h.do(h.store.LogBatch(t.Context(), id, registry.Batch{Metrics: []registry.Metric{
			{Key: "loss", Step: 200, Timestamp: now.UnixMilli(), Value: 9}, {Key: "loss", Step: 700, Timestamp: now.UnixMilli(), Value: 0.5},
		}}))
		b.until(loss + `.dataset.y1 === "9"`)
		if b.text(loss+".dataset.x0") != x0 || b.text(loss+".dataset.x1") != x1 {
			t.Error("data that arrived has moved the zoom")
		}
		// Keys read values off and show all of it again.
		b.text(loss + `.querySelector("[data-canvas]").focus()`)
		b.keys(kb.ArrowRight + kb.ArrowRight)
		b.until(loss + `.querySelector(".read-off")?.textContent.startsWith("step ")`)
		b.keys("-")
		b.until(`!location.search.includes("from=") && ` + loss + `.dataset.x1 === "700"`)
		b.noErrors("zoom")
	})

	t.Run("metrics of the machine come when they are opened", func(t *testing.T) {
		b.t = t
		b.open(page)
		b.click("details.more summary")
		b.until(chart("system/cpu_utilization_percentage") + `.querySelector("polyline")`)
		b.noErrors("system metrics")
	})

	t.Run("files", func(t *testing.T) {
		b.t = t
		b.open(page)
		b.text(`[...document.querySelectorAll(".files a")].find((a) => a.textContent === "predictions.csv").click()`)
		b.until(`document.querySelectorAll(".preview .cells tbody tr").length === 3`)
		b.focus(`[id="file-predictions.csv"]`)
		b.keys(kb.ArrowDown)
		b.until(`document.activeElement.id === "file-report.html"`)
		b.keys(kb.Enter)
		b.until(`document.querySelector("iframe.framed")`)
		b.text(`(() => { addEventListener("message", (e) => { window.heard = e.origin + " " + e.data; }); document.querySelector("iframe.framed").scrollIntoView(); })()`)
		b.until(`window.heard?.startsWith("null Report of 42")`)
		b.open(page + "?path=plots&file=plots/residuals.png")
		b.until(`document.querySelector("img.picture").naturalWidth === 320`)
		b.noErrors("files")
		// The frame runs, but it reaches neither the page around it nor the network.
		b.open(page + "/view?path=report.html")
		b.until(`document.body.innerText.includes("no network")`)
		if got := b.text("document.body.innerText"); !strings.Contains(got, "Report of 42") || strings.Contains(got, "reached") {
			t.Errorf("the report says %s", got)
		}
		b.mu.Lock()
		b.errors = nil // the browser has said what it refused
		b.mu.Unlock()
	})

	t.Run("a note is kept", func(t *testing.T) {
		b.t = t
		b.open(page)
		b.click(".edit summary")
		b.text(`document.getElementById("note-edit").value = "*Better* than before"`)
		b.click(".edit button")
		b.until(`document.querySelector(".note-text em")?.textContent === "Better" && document.readyState === "complete"`)
		b.noErrors("note")
	})
}

func TestRunsTableInBrowser(t *testing.T) {
	h, experiment, _ := wine(t)
	b := openBrowser(t)
	page := h.server.URL + "/experiments/" + experiment
	rows := func() string { return b.text(`document.querySelectorAll(".runs tbody tr").length`) }

	t.Run("completion", func(t *testing.T) {
		b.t = t
		b.open(page)
		b.focus("#filter")
		offered := func(first string) {
			t.Helper()
			b.until(`document.querySelector("#filter-words li")?.textContent === ` + fmt.Sprintf("%q", first))
		}
		b.keys("rm")
		offered("metrics.rmse")
		b.keys(kb.ArrowDown + kb.Tab) // a driven browser submits on Enter even where the key is taken
		offered("=")
		b.keys("<")
		offered("<=")
		b.keys(" 0.76 ")
		offered("AND")
		b.keys(kb.Tab)
		offered("metrics.loss")
		b.keys("params.al" + kb.Tab + "= ")
		offered("'0.1'")
		b.keys("'0.8")
		offered("'0.84'")
		b.keys(kb.Tab)
		if got := b.text(`document.getElementById("filter").value`); got != "metrics.rmse < 0.76 AND params.alpha = '0.84' " {
			t.Errorf("completed to %q", got)
		}
		b.keys(kb.Enter)
		b.until(`location.search.includes("filter=") && document.querySelectorAll(".runs tbody tr").length === 1`)
		b.noErrors("completion")
	})

	t.Run("columns change places", func(t *testing.T) {
		b.t = t
		b.open(page)
		heads := func() string {
			return b.text(`[...document.querySelectorAll(".runs thead th")].slice(5).map((e) => e.textContent.trim()).join()`)
		}
		was := strings.Split(heads(), ",")
		b.click(".picker summary")
		b.click(`.order li:nth-child(2) a[aria-label$="left"]`)
		want := strings.Join(append([]string{was[1], was[0]}, was[2:]...), ",")
		b.until(`location.search.includes("col=") && [...document.querySelectorAll(".runs thead th")].slice(5).map((e) => e.textContent.trim()).join() === "` + want + `"`)
		// The choice of columns keeps their order.
		b.until(`document.querySelector(".picker").open`)
		b.text(`document.querySelector(".picker form input[value='params.alpha']").click()`)
		b.text(`document.querySelector(".picker form").requestSubmit()`)
		b.until(`[...document.querySelectorAll(".runs thead th")].slice(5).map((e) => e.textContent.trim()).join() === "` + strings.Replace(want, ",alpha", "", 1) + `"`)
		b.noErrors("columns")
	})

	t.Run("an error stands in place", func(t *testing.T) {
		b.t = t
		b.open(page)
		b.focus("#filter")
		b.keys("metrics.rmse << 1" + kb.Escape + kb.Enter)
		b.text(`document.querySelector("form.filter").requestSubmit()`)
		b.until(`document.getElementById("filter").getAttribute("aria-invalid") === "true" && document.getElementById("filter-problem")?.textContent.includes("nvalid")`)
		b.text(`(() => { document.getElementById("filter").value = "metrics.rmse < 1"; document.querySelector("form.filter").requestSubmit(); })()`)
		b.until(`!document.getElementById("filter").hasAttribute("aria-invalid") && !document.getElementById("filter-problem")`)
		b.mu.Lock()
		b.errors = nil // the console tells of the 400
		b.mu.Unlock()
	})

	t.Run("live rows keep what is ticked", func(t *testing.T) {
		b.t = t
		b.open(page)
		b.click(".runs tbody tr:nth-child(2) input[name=run]")
		b.until(`document.querySelector("[data-ticked]").textContent === "1 ticked"`)
		training(h, experiment, "arrived", 0, registry.RunRunning)
		b.until(`document.querySelectorAll(".runs tbody tr").length === 5`)
		if got := b.text(`[...document.querySelectorAll("input[name=run]:checked")].length + " " + document.querySelector("[data-ticked]").textContent`); got != "1 1 ticked" {
			t.Errorf("ticked: %s", got)
		}
		b.noErrors("live")
	})

	t.Run("baseline", func(t *testing.T) {
		b.t = t
		b.open(page + "?col=metrics.rmse")
		b.text(`document.querySelector('.base[aria-label="baseline: measure the others against wine-0.42"]').click()`)
		b.until(`document.querySelector(".baseline tr th")?.textContent.includes("wine-0.42")`)
		b.until(`[...document.querySelectorAll(".delta")].some((e) => e.textContent === "+0.01 (1.3%)")`)
		b.noErrors("baseline")
	})

	t.Run("delete, restore, tag, compare", func(t *testing.T) {
		b.t = t
		b.open(page + "?filter=params.alpha+%21%3D+%270.42%27+and+metrics.rmse+%3C+1")
		b.until(`document.querySelector("[data-needs='2']").disabled`)
		b.click("[data-all]")
		n := rows()
		b.click(".bulk button[value=delete]")
		b.until(`document.querySelector(".done")?.textContent.startsWith("` + n + ` runs deleted.") && document.readyState === "complete"`)
		b.open(page + "?view=deleted")
		if got := rows(); got != n {
			t.Errorf("%s deleted runs, want %s", got, n)
		}
		b.click("[data-all]")
		b.click(".bulk button[value=restore]")
		b.until(`document.querySelector(".done")?.textContent.startsWith("` + n + ` runs restored.") && document.readyState === "complete"`)
		b.open(page)
		b.click("[data-all]")
		b.click(".bulk .picker summary")
		b.focus("#bulk-key")
		b.keys("kept" + kb.Tab + "yes" + kb.Enter)
		b.until(`document.querySelector(".done")?.textContent.includes("runs tagged.") && document.readyState === "complete"`)
		b.open(page + "?filter=tags.kept+%3D+%27yes%27")
		b.click("[data-all]")
		b.click(".bulk button[formaction='/compare']")
		b.until(`location.pathname === "/compare" && document.querySelector("h1").textContent.includes("5 runs compared")`)
		b.noErrors("bulk")
	})
}

func TestCompareInBrowser(t *testing.T) {
	h, experiment, _ := wine(t)
	var ids []string
	for i := range 20 {
		ids = append(ids, training(h, experiment, fmt.Sprintf("boosted-%d", i), i, registry.RunFinished))
	}
	b := openBrowser(t)
	b.open(h.server.URL + compareURL(ids, ""))
	b.text(`document.getElementById("charts").scrollIntoView()`)
	b.until(`document.querySelectorAll("[data-chart] polyline").length === 20`)
	b.text(`(() => { const s = document.querySelector("[name=metric]"); s.value = "val_loss"; s.dispatchEvent(new Event("input", { bubbles: true })); })()`)
	b.until(`location.search.includes("metric=val_loss") && document.querySelector('[data-chart][data-key="val_loss"] polyline')`)
	// Dragging along an axis keeps the runs that pass there, and leads to their comparison.
	b.text(`document.querySelector("[data-parallel]").scrollIntoView({ block: "center" })`)
	b.text(`(() => {
		const axis = document.querySelectorAll("[data-parallel] line.axis")[0];
		const box = axis.getBoundingClientRect();
		const at = (type, y) => new PointerEvent(type, { clientX: box.left, clientY: y, bubbles: true, cancelable: true, pointerType: "mouse" });
		axis.dispatchEvent(at("pointerdown", box.top - 5));
		axis.dispatchEvent(at("pointermove", box.top + box.height / 2));
		axis.dispatchEvent(at("pointerup", box.top + box.height / 2));
	})()`)
	b.until(`document.querySelectorAll(".thread.off").length === 10`)
	b.click("[data-brushed] a")
	b.until(`document.querySelector("h1").textContent.includes("10 runs compared") && document.readyState === "complete"`)
	for _, width := range []int64{1280, 360} {
		b.size(width, 800)
		b.open(h.server.URL + compareURL(ids[:3], ""))
		if over := b.text("document.documentElement.scrollWidth - innerWidth"); !strings.HasPrefix(over, "-") && over != "0" {
			t.Errorf("at %d: %s pixels too wide", width, over)
		}
	}
	b.noErrors("compare")
}

// Without the script charts are drawn, files are shown, runs are compared and changed.
func TestRunsWithoutScript(t *testing.T) {
	h, experiment, _ := wine(t)
	id := training(h, experiment, "boosted", 0, registry.RunFinished)
	b := openBrowser(t)
	b.script(false)
	seen := func(selector string) {
		t.Helper()
		b.do(chromedp.WaitReady(chromedp.CSS(selector)))
	}
	b.open(h.server.URL + "/runs/" + id + "?smooth=0.5&file=predictions.csv")
	b.focus(".plot-bar [name=y]")
	b.keys("l" + kb.ArrowDown)
	b.click(".plot-bar button")
	seen(`[data-key="loss"][data-log] polyline.faint`)
	seen(".preview .cells td.num")
	b.open(h.server.URL + "/experiments/" + experiment)
	b.click(".runs tbody tr:nth-child(1) input")
	b.click(".runs tbody tr:nth-child(2) input")
	b.click(".bulk button[formaction='/compare']")
	seen(".compare .differs")
	seen(".wide [data-chart] polyline")
	b.open(h.server.URL + "/experiments/" + experiment)
	b.click(".runs tbody tr:nth-child(1) input")
	b.click(".bulk button[value=delete]")
	seen(".done")
	if stage := must[registry.Run](t)(h.store.Run(t.Context(), id)).Info.LifecycleStage; stage != registry.StageDeleted {
		t.Errorf("the run is %s", stage)
	}
	b.noErrors("without script")
}

// drag moves the pressed mouse from one place to another.
func (b *browser) drag(x0, x1, y float64) {
	b.t.Helper()
	b.text(fmt.Sprintf(`(() => {
		const at = (type, x) => new PointerEvent(type, { clientX: x, clientY: %[3]f, bubbles: true, cancelable: true, pointerType: "mouse" });
		const target = document.elementFromPoint(%[1]f, %[3]f);
		target.dispatchEvent(at("pointerdown", %[1]f));
		for (let i = 1; i < 8; i++) target.dispatchEvent(at("pointermove", %[1]f + (%[2]f - %[1]f) * i / 8));
		target.dispatchEvent(at("pointerup", %[2]f));
	})()`, x0, x1, y))
}

// shot is a page to be pictured.
type shot struct {
	name, path string
	then       func()
}

// shoot writes pictures of pages in both themes and at phone width.
func (b *browser) shoot(base, folder string, shots []shot) {
	b.t.Helper()
	if err := os.MkdirAll(folder, 0o755); err != nil {
		b.t.Fatal(err)
	}
	for _, s := range shots {
		for _, theme := range []string{"light", "dark"} {
			for width, kind := range map[int64]string{1280: "wide", 390: "phone"} {
				b.size(width, 844)
				b.system(theme)
				b.open(base + s.path)
				if s.then != nil {
					s.then()
				}
				data, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
				if err != nil {
					b.t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(folder, s.name+"-"+theme+"-"+kind+".png"), data, 0o600); err != nil {
					b.t.Fatal(err)
				}
			}
		}
	}
}

// TestRunScreenshots writes pictures of the pages about runs to the folder that PRINZBOX_SCREENSHOTS names.
func TestRunScreenshots(t *testing.T) {
	folder := os.Getenv("PRINZBOX_SCREENSHOTS")
	if folder == "" {
		t.Skip("PRINZBOX_SCREENSHOTS names no folder")
	}
	h, experiment, _ := wine(t)
	var ids []string
	for i := range 12 {
		ids = append(ids, training(h, experiment, fmt.Sprintf("boosted-%d", i), i, registry.RunFinished))
	}
	page := "/runs/" + ids[0]
	b := openBrowser(t)
	b.shoot(h.server.URL, folder, []shot{
		{"run-full", page, nil},
		{"run-smooth", page + "?smooth=0.9&y=log&x=relative&path=&file=predictions.csv", func() {
			b.text(`document.querySelector("[data-canvas]").focus()`)
			b.keys(kb.ArrowRight + kb.End + kb.ArrowLeft)
			b.until(`document.querySelector(".read-off")`)
		}},
		{"run-model", page + "?path=model&file=model/MLmodel", nil},
		{"run-html", page + "?file=report.html", nil},
		{"run-picture", page + "?path=plots&file=plots/residuals.png", nil},
		{"chart", page + "/chart?key=loss", nil},
		{"runs", "/experiments/" + experiment + "?baseline=" + ids[0], func() {
			b.click("[data-all]")
			b.until(`document.querySelector("[data-ticked]").textContent !== ""`)
		}},
		{"runs-complete", "/experiments/" + experiment, func() {
			b.focus("#filter")
			b.keys("loss")
			b.until(`!document.getElementById("filter-words").hidden`)
		}},
		{"compare", compareURL(ids[:4], "&smooth=0.6"), func() {
			b.text(`document.querySelector("[data-canvas]").focus()`)
			b.keys(kb.ArrowRight + kb.ArrowDown)
			b.until(`document.querySelector(".read-off")`)
		}},
		{"compare-many", compareURL(ids, "&flip=1"), func() {
			b.text(`document.getElementById("charts").scrollIntoView()`)
			b.until(`document.querySelectorAll("[data-chart] polyline").length === 12`)
		}},
	})
}
