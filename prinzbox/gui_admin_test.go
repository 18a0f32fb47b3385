package prinzbox_test

import (
	"bytes"
	"context"
	"encoding/json"
	"html"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/prinzbox/prinzbox/prinzbox"
	"github.com/prinzbox/prinzbox/prinzbox/faults"
	"github.com/prinzbox/prinzbox/registry"
	"github.com/prinzbox/prinzbox/serving"
)

// TestUpkeepPage removes for good and verifies by the forms.
func TestUpkeepPage(t *testing.T) {
	t.Parallel()
	env := prinzbox.Start(t, func(c *prinzbox.Config) { c.Seed = false })
	uri := env.TrackingURI()
	confirm := func(query, want string) {
		t.Helper()
		if status, page := raw(t, "GET", uri+"/admin/confirm?do=gc"+query, "", ""); !strings.Contains(html.UnescapeString(page), want) || status >= 500 || strings.Contains(page, "<script>alert") {
			t.Errorf("%s: %d, no %q in %s", query, status, want, page)
		}
	}
	confirm("", "Nothing is deleted")
	var runs []string
	for range 2 {
		run := createRun(t, uri)
		if err := env.Store().DeleteRun(t.Context(), run); err != nil {
			t.Fatal(err)
		}
		runs = append(runs, run)
	}
	confirm("", "2 runs, 0 experiments, 0 logged models")
	confirm("&run_ids="+runs[0], "1 run, 0 experiments, 0 logged models")
	confirm("&older_than=1d", "Nothing is deleted")
	confirm("&older_than=soon", "older_than")
	confirm("&run_ids="+url.QueryEscape(hostile), "There is no run")
	if status, page := form(t, uri+"/admin", url.Values{"do": {"gc"}, "run_ids": {runs[0]}}); status != 200 || !strings.Contains(page, "Removed for good: 1 run, 0 experiments") || !strings.Contains(page, runs[0]) {
		t.Errorf("%d %s", status, page)
	}
	if _, err := env.Store().Run(t.Context(), runs[1]); err != nil {
		t.Error(err)
	}
	if _, err := env.Store().Run(t.Context(), runs[0]); err == nil {
		t.Error("the run is still there")
	}
	raw(t, "PUT", uri+"/api/2.0/mlflow-artifacts/artifacts/a/b.bin", "application/octet-stream", strings.Repeat("x", 100_000))
	if status, page := form(t, uri+"/admin", url.Values{"do": {"verify"}}); status != 200 || !strings.Contains(page, "1 content, 98 KiB: all as they were stored.") && !strings.Contains(page, "1 content, 97.7 KiB: all as they were stored.") {
		t.Errorf("%d %s", status, page)
	}
}

// What the palette offers of the admin page is there.
func TestPaletteLeadsToAdmin(t *testing.T) {
	t.Parallel()
	uri := prinzbox.Start(t, func(c *prinzbox.Config) { c.Seed = false }).TrackingURI()
	_, list := raw(t, "GET", uri+"/palette.json", "", "")
	_, page := raw(t, "GET", uri+"/admin", "", "")
	var entries []struct{ Name, URL string }
	if err := json.Unmarshal([]byte(list), &entries); err != nil {
		t.Fatalf("%v: %s", err, list)
	}
	found := 0
	for _, e := range entries {
		section, ok := strings.CutPrefix(e.URL, "/admin#")
		if !ok {
			continue
		}
		found++
		if !strings.Contains(page, `<h2 id="`+section+`">`) {
			t.Errorf("%s leads to %s, which is not there", e.Name, e.URL)
		}
	}
	if found < 8 {
		t.Errorf("%d places of the admin page", found)
	}
}

// TestNamespacePages opens a namespace from the admin page: its pages are those of another environment, at a host of their own, and lead back.
func TestNamespacePages(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: a browser takes a while")
	}
	env := prinzbox.Start(t, func(c *prinzbox.Config) { c.Seed = false })
	uri := env.TrackingURI()
	b := openDemo(t, uri)
	u, err := url.Parse(uri)
	if err != nil {
		t.Fatal(err)
	}
	b.Open(uri + "/admin")
	b.Do(chromedp.Focus(chromedp.CSS("[aria-label='Make a namespace'] [name=name]")), chromedp.KeyEvent("left"+kb.Enter))
	b.Until(`document.querySelector(".done")?.textContent === "The namespace is there."`)
	ns, err := env.Namespace(t.Context(), "left")
	if err != nil {
		t.Fatal(err)
	}
	defer ns.Close()
	if _, err := ns.Store().CreateExperiment(t.Context(), registry.NewExperiment{Name: "only here"}); err != nil {
		t.Fatal(err)
	}
	b.host = "left.ns.localhost:" + u.Port()
	b.said = nil
	// The way there goes by the environment's own address.
	b.follow("left")
	b.said = nil
	if at, want := b.Text(`location.href`), "http://left.ns.localhost:"+u.Port()+"/"; at != want {
		t.Fatalf("the page is at %s, not %s", at, want)
	}
	b.follow("Experiments")
	b.Until(`document.querySelector("main").textContent.includes("only here")`)
	b.follow("Admin")
	b.Do(chromedp.Focus(chromedp.CSS("[aria-label='Make a namespace'] [name=name]")), chromedp.KeyEvent("right"+kb.Enter))
	b.Until(`document.querySelector(".done")?.textContent === "The namespace is there."`)
	b.mu.Lock()
	for _, s := range b.said {
		t.Error(s)
	}
	b.mu.Unlock()
	b.follow("right")
	if at, want := b.Text(`location.href`), "http://right.ns.localhost:"+u.Port()+"/"; at != want {
		t.Fatalf("the page is at %s, not %s", at, want)
	}
	b.follow("Admin")
	b.follow("those of the environment itself")
	if at, want := b.Text(`location.host`), "localhost:"+u.Port(); at != want {
		t.Errorf("back at %s, not %s", at, want)
	}
}

// TestOperatorPages looks at the pages of calls, faults and administration with much on them: none is wider than a phone, no id is there twice,
// each field has a label. PRINZBOX_SCREENSHOTS names a folder for pictures in both themes.
func TestOperatorPages(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: a browser takes a while")
	}
	data := t.TempDir()
	env := prinzbox.Start(t, func(c *prinzbox.Config) {
		c.Data = data
		c.S3Keys = []prinzbox.S3Key{{AccessKey: "readers-key", Secret: "readers-secret", ReadOnly: true}}
	})
	uri := env.TrackingURI()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	long := strings.Repeat("long", 14)
	must(env.Snapshot(t.Context(), long))
	ns, err := env.Namespace(t.Context(), long+"-too")
	must(err)
	defer ns.Close()
	_, err = env.Stub(t.Context(), "price", serving.Stub{Answer: json.RawMessage(strconv.Quote(strings.Repeat("long answer ", 9)))})
	must(err)
	ctl(t, uri, "PUT", "/routes/price", `{"current": "1"}`, 200)
	ctl(t, uri, "PUT", "/clock", `{"freeze": "2026-01-02T15:04:05Z", "tick_ms": 1}`, 200)
	ctl(t, uri, "PUT", "/ids", `{"seed": 7}`, 200)
	form(t, uri+"/admin", url.Values{"do": {"new-webhook"}, "name": {"demo"}, "event": {"registered_model.created"}})
	must(env.Store().DeleteRun(t.Context(), createRun(t, uri)))
	raw(t, "PUT", uri+"/api/2.0/mlflow-artifacts/artifacts/"+long+"/b.bin", "application/octet-stream", strings.Repeat("x", 100_001))
	must(filepath.WalkDir(filepath.Join(data, "blobs"), func(path string, _ os.DirEntry, err error) error {
		if info, statErr := os.Stat(path); err == nil && statErr == nil && info.Size() == 100_001 {
			return os.WriteFile(path, bytes.Repeat([]byte("y"), 100_001), 0o600)
		}
		return err
	}))
	for _, rule := range []faults.Rule{
		{Match: faults.Match{Kind: "scoring", Model: "MLF-*"}, Latency: &faults.Latency{MS: 5}, When: faults.When{Probability: .1}},
		{ID: long, Match: faults.Match{Kind: "mlflow", Operation: "runs/get", Client: long}, Error: &faults.Error{Status: 503, RetryAfterS: 3}, When: faults.When{Every: 3, Skip: 2}},
		{Match: faults.Match{Kind: "mlflow", Operation: "runs/search"}, Error: &faults.Error{Status: 503}},
	} {
		_, err := env.Faults().Add(rule)
		must(err)
	}
	raw(t, "POST", uri+"/api/2.0/mlflow/runs/search", "application/json", `{"experiment_ids": ["0"]}`)
	raw(t, "POST", uri+"/price/invocations", "application/json", `{"dataframe_records": [{"a": 1}]}`)
	raw(t, "GET", uri+"/api/2.0/mlflow/runs/get?run_id="+strings.Repeat(long, 4), "", "")

	b := openDemo(t, uri)
	shots := os.Getenv("PRINZBOX_SCREENSHOTS")
	for _, p := range []struct{ name, path, press string }{
		{"calls", "/calls", ""},
		{"call", "/calls/" + strconv.FormatInt(env.Calls().Last(), 10), ""},
		{"faults", "/faults?kind=scoring&latency_ms=500", ""},
		{"admin", "/admin", ""},
		{"confirm", "/admin/confirm?do=reset&name=empty", ""},
		{"gc", "/admin/confirm?do=gc", ""},
		{"damage", "/admin", "Verify what is stored"},
	} {
		for _, theme := range []string{"light", "dark"} {
			b.Do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
				_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: theme}}})
				return err
			}))
			for width, size := range map[string]int64{"wide": 1280, "phone": 360} {
				b.Do(chromedp.EmulateViewport(size, 900))
				b.Open(uri + p.path)
				if p.press != "" {
					b.follow(p.press)
				}
				if over := b.Text("document.documentElement.scrollWidth - innerWidth"); !strings.HasPrefix(over, "-") && over != "0" {
					t.Errorf("%s at %d: %s pixels too wide", p.name, size, over)
				}
				if shots != "" {
					png, err := chromedp.Run(b.Ctx, chromedp.FullScreenshot(100))
					must(err)
					must(os.WriteFile(filepath.Join(shots, p.name+"-"+theme+"-"+width+".png"), png, 0o600))
				}
			}
		}
		if twice := b.Text(`[...document.querySelectorAll("[id]")].map((e) => e.id).filter((id, i, all) => all.indexOf(id) !== i).join()`); twice != "" {
			t.Errorf("%s: ids used twice: %s", p.name, twice)
		}
		if bare := b.Text(`[...document.querySelectorAll("main :is(input:not([type=hidden]), select)")].filter((e) => !e.labels?.length).map((e) => e.name).join()`); bare != "" {
			t.Errorf("%s: fields without labels: %s", p.name, bare)
		}
	}
	if len(b.said) != 0 {
		t.Errorf("the browser says: %q", b.said)
	}
}
