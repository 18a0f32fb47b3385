package prinzbox_test

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/prinzbox/prinzbox/clients/chromium"
)

// demoBrowser notes what a demonstration must not have: requests to elsewhere, and words on the console.
type demoBrowser struct {
	chromium.Page
	host string

	mu   sync.Mutex
	said []string
}

func openDemo(t *testing.T, address string) *demoBrowser {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	b := &demoBrowser{Page: chromium.Page{TB: t, Ctx: chromium.Open(t)}, host: u.Host}
	if err := chromedp.Listen(b.Ctx, b.note); err != nil {
		t.Fatal(err)
	}
	b.Do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		if _, err := cdp.Call(ctx, t, log.Enable, cdp.Empty{}); err != nil {
			return err
		}
		_, err := cdp.Call(ctx, t, network.Enable, network.EnableParams{})
		return err
	}), chromedp.EmulateViewport(1280, 900))
	return b
}

func (b *demoBrowser) note(event any) {
	said := ""
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		if u, err := url.Parse(e.Request.URL); err == nil && u.Host != b.host && u.Scheme != "about" && u.Scheme != "data" {
			said = "a request to " + e.Request.URL
		}
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning {
			said = "the console says: " + e.Entry.Text + " " + e.Entry.URL
		}
	case *runtime.EventExceptionThrown:
		said = "an exception: " + e.ExceptionDetails.Text
	}
	if said != "" {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.said = append(b.said, said)
	}
}

// follow presses a link or button by its text, and waits for the page that comes.
func (b *demoBrowser) follow(text string) {
	b.Helper()
	b.Text(fmt.Sprintf(`(() => {
		window.before = true;
		const all = [...document.querySelectorAll("a, button, summary")].filter((e) => e.textContent.trim().replace(/\s+/g, " ") === %q);
		if (all.length !== 1) throw new Error(all.length + " have the text " + %q);
		all[0].click();
	})()`, text, text))
	b.Until(`!window.before && document.readyState === "complete"`)
}

func (b *demoBrowser) number(selector string) float64 {
	b.Helper()
	v, err := strconv.ParseFloat(b.Text(`document.querySelector("`+selector+`").textContent`), 64)
	if err != nil {
		b.Fatal(err)
	}
	return v
}

// TestDemo is the demonstration of three minutes, with the real program, a real browser and no network beside.
func TestDemo(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: a browser takes a while")
	}
	start := time.Now()
	p := serve(t, nil, append([]string{"serve", "--ephemeral"}, freePorts...)...)
	b := openDemo(t, p.ready.TrackingURI)
	const model, row = "MLF-ElasticnetWineModel-1", `{"dataframe_split":{"columns":["fixed acidity","volatile acidity","citric acid","residual sugar","chlorides",` +
		`"free sulfur dioxide","total sulfur dioxide","density","pH","sulphates","alcohol"],"data":[[7.4,0.7,0,1.9,0.076,11,34,0.9978,3.51,0.56,9.4]]}}`
	ask := func() string {
		t.Helper()
		a := call(t, "POST", p.ready.TrackingURI+"/model/"+model+"/champion/invocations", row, "Content-Type", "application/json")
		if a.status != 200 {
			t.Fatalf("the client gets %d %s", a.status, a.body)
		}
		return a.body
	}

	// Everything is green.
	b.Open(p.ready.GUIURL)
	if bad, all := b.Text(`document.querySelectorAll(".services .dot-bad").length`), b.Text(`document.querySelectorAll(".services li").length`); bad != "0" || all != "3" {
		t.Errorf("%s of %s services are not healthy", bad, all)
	}

	// A slider moves, and with it the answer and the shares. The keyboard will do.
	b.follow("Move a slider")
	b.Until(`location.pathname.endsWith("/versions/1") && document.querySelector(".shares")`)
	const alcohol = `[...document.querySelectorAll(".shares tr")].find((e) => e.textContent.includes("alcohol"))`
	answer, width := b.number("[data-answer-of=own] [data-headline]"), b.Text(alcohol+`.querySelector(".share").getAttribute("width")`)
	share := b.Text(alcohol + `.querySelector(".num").textContent`)
	b.Do(chromedp.Focus(chromedp.CSS("[data-slides=f10]")))
	b.Do(chromedp.KeyEvent(strings.Repeat(kb.ArrowRight, 100)))
	b.Until(alcohol + `.querySelector(".num").textContent !== "` + share + `" && Number(document.querySelector("#f10").value) > 11`)
	b.Until(`Number(document.querySelector("[data-answer-of=own] [data-headline]").textContent) > ` + strconv.FormatFloat(answer+0.1, 'g', -1, 64))
	// The last answer belongs to the last place of the slider, and the shares add up to it.
	b.Until(`document.getElementById("curl").textContent.includes(document.querySelector("#f10").value)`)
	b.Until(`Math.abs([...document.querySelectorAll(".shares .num")].reduce((sum, e) => sum + Number(e.textContent), Number(/in these: (\S+) /.exec(document.querySelector(".shares caption").textContent)[1]))
		- Number(document.querySelector("[data-answer-of=own] [data-headline]").textContent)) < 0.005`)
	if moved := b.number("[data-answer-of=own] [data-headline]"); math.IsNaN(moved) || width == "" {
		t.Errorf("answer %v, width %q", moved, width)
	}

	// A second version, of another run.
	b.follow("Home")
	b.follow("Give it a second version")
	run := b.Text(`[...document.querySelectorAll("#source-runs option")].find((e) => e.textContent.includes("elasticnet-wine-2")).value`)
	b.Text(`[...document.querySelectorAll("summary")].find((e) => e.textContent.trim() === "Add a version from a run").click()`)
	b.Do(chromedp.Focus(chromedp.CSS("#source-run")))
	b.Do(chromedp.KeyEvent(run))
	b.follow("Register the version")
	b.Until(`location.pathname.endsWith("/versions/2") && document.querySelector(".done") && document.querySelector("[data-answer-of=own] [data-headline]").textContent`)

	// The alias moves: the same request, a new answer, no restart.
	before := ask()
	b.Open(p.ready.TrackingURI + "/models/" + model)
	b.Do(chromedp.Focus(chromedp.CSS("#alias")))
	b.Do(chromedp.KeyEvent("champion"))
	b.Text(`document.getElementById("alias-version").value = "2"`)
	b.follow("Move…")
	if said := b.Text(`document.querySelector("main").textContent`); !strings.Contains(said, "Now they get version 1.") {
		t.Errorf("the question is: %s", said)
	}
	b.follow("Point it there")
	after := ask()
	if after == before {
		t.Errorf("version 2 answers as version 1: %s", after)
	}
	// The counts move while the page is open.
	seen := b.Text(`document.querySelector(".traffic tbody").textContent`)
	for range 5 {
		ask()
	}
	b.Until(`document.querySelector(".traffic tbody").textContent !== ` + strconv.Quote(seen))
	// And back, from the history.
	b.follow("champion back to 1…")
	b.follow("Point it there")
	if again := ask(); again != before {
		t.Errorf("back at version 1 the answer is %s, was %s", again, before)
	}

	demoFaults(t, b, p.ready.TrackingURI, model, row)

	// In the dark, on a phone, without a mouse.
	b.Text(`document.activeElement.blur()`)
	b.Do(chromedp.KeyEvent("t"), chromedp.KeyEvent("t"))
	b.Until(`document.documentElement.dataset.theme === "dark"`)
	b.Do(chromedp.EmulateViewport(390, 844))
	b.Open(p.ready.GUIURL)
	if over := b.Text(`document.documentElement.scrollWidth - innerWidth`); over != "0" && !strings.HasPrefix(over, "-") {
		t.Errorf("the home page is %s pixels wider than a phone", over)
	}
	if took := time.Since(start); took > 3*time.Minute {
		t.Errorf("the demonstration took %v", took)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range b.said {
		t.Error(s)
	}
}

// demoFaults makes scoring half a second late and one in ten of its answers an error, all with the browser; the model's page shows what the clients
// get. Then everything goes back to the samples.
func demoFaults(t *testing.T, b *demoBrowser, uri, model, row string) {
	t.Helper()
	const calls = 40
	b.Open(uri + "/faults")
	for _, example := range []string{"Scoring is half a second late", "One in ten predictions fails"} {
		b.follow(example)
		b.follow("Add the fault")
		b.Until(`document.querySelector(".done")?.textContent === "The fault is at work."`)
	}
	page := uri + "/models/" + model
	b.Open(page)
	const cell = `[...document.querySelectorAll(".traffic tbody tr")].find((e) => e.textContent.includes("Version 1")).querySelectorAll("td")[%d].textContent`
	errors := b.Text(fmt.Sprintf(cell, 2))
	var failed atomic.Int64
	var all sync.WaitGroup
	for range calls {
		all.Go(func() {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, uri+"/model/"+model+"/champion/invocations", strings.NewReader(row))
			if err != nil {
				t.Error(err)
				return
			}
			r.Header.Set("Content-Type", "application/json")
			answer, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Error(err)
				return
			}
			if answer.StatusCode != http.StatusOK {
				failed.Add(1)
			}
			if err := answer.Body.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := failed.Load(); n < 1 || n > calls/2 {
		t.Fatalf("%d of %d calls failed", n, calls)
	}
	// The page has not been loaded again.
	b.Until(fmt.Sprintf(cell, 2) + ` === "` + strconv.FormatInt(failed.Load(), 10) + `"`)
	b.Until(`parseFloat(` + fmt.Sprintf(cell, 4) + `) >= 500 || ` + fmt.Sprintf(cell, 4) + `.endsWith(" s")`)
	b.Until(`[...document.querySelectorAll(".minute rect.wrong")].some((e) => e.getAttribute("height") > 0)`)
	b.Until(`document.querySelector(".failures").textContent.includes("fault-2")`)
	if errors != "0" {
		t.Errorf("there were %s errors before", errors)
	}
	b.Open(uri + "/admin")
	b.follow("Reset to the samples…")
	b.follow("Reset")
	b.Until(`document.querySelector(".done")?.textContent === "This is a fresh state."`)
	b.Open(page)
	b.Until(`document.querySelector(".empty") && !document.querySelector(".traffic tbody")`)
	if a := call(t, "POST", uri+"/"+model+"/invocations", row, "Content-Type", "application/json"); a.status != 200 {
		t.Errorf("when all is reset the client gets %d %s", a.status, a.body)
	}
}
