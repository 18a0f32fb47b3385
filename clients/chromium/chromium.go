// Package chromium starts a headless Chromium for tests.
package chromium

import (
	"context"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// Open starts a Chromium found on PATH and gives the context of an empty tab, which ends with the test. Without one the test is skipped, but
// never in CI. It loads nothing by itself from the network.
func Open(t testing.TB) context.Context {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			path = p
			break
		}
	}
	if path == "" {
		const how = "no Chromium on PATH; get it with: apt-get install chromium"
		if os.Getenv("CI") == "true" {
			t.Fatal(how)
		}
		t.Skip(how)
	}
	profile, err := os.MkdirTemp("", "prinzbox-chromium-") //nolint:usetesting // the browser may write a moment longer, and a TempDir that cannot be removed fails the test
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(profile) }) // the browser may still be writing its last bytes
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]),
		chromedp.ExecPath(path), chromedp.UserDataDir(profile), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true), chromedp.WSURLReadTimeout(2*time.Minute))
	ctx, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	ctx, stopTab := chromedp.NewContext(ctx)
	t.Cleanup(stopTab)
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(1280, 900)); err != nil { // the browser lives as long as the context of its first action
		t.Fatal(err)
	}
	return ctx
}

// Page drives one tab. Its methods fail the test when the browser does.
type Page struct {
	testing.TB
	Ctx context.Context
}

// Do runs actions, for a minute at most.
func (p *Page) Do(actions ...chromedp.Action[chromedp.Void]) {
	p.Helper()
	ctx, cancel := context.WithTimeout(p.Ctx, time.Minute)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		p.Fatal(err)
	}
}

// Text is an expression of the page as a string.
func (p *Page) Text(js string) string {
	p.Helper()
	out, err := chromedp.Run(p.Ctx, chromedp.Evaluate[string]("String("+js+")"))
	if err != nil {
		p.Fatalf("%s: %v", js, err)
	}
	return out
}

// Until waits for an expression to hold. It asks from outside, since the pages' policy forbids to build functions of text.
func (p *Page) Until(js string) {
	p.Helper()
	var err error
	for start := time.Now(); time.Since(start) < 20*time.Second; time.Sleep(10 * time.Millisecond) {
		var ok bool
		if ok, err = chromedp.Run(p.Ctx, chromedp.Evaluate[bool]("!!("+js+")")); err == nil && ok {
			return
		}
	}
	p.Fatalf("%s does not become true (%v)", js, err)
}

// Open goes to an address.
func (p *Page) Open(url string) {
	p.Helper()
	p.Do(chromedp.Navigate(url))
}

// Click presses what a selector finds.
func (p *Page) Click(selector string) {
	p.Helper()
	p.Do(chromedp.Click(chromedp.CSS(selector)))
}
