package ui_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/gofrs/flock"
)

// axe-core is what browsers' developer tools check pages with; npm fetches it once, and only what has this hash is used.
const (
	axeVersion   = "4.14.1"
	axeIntegrity = "sha512-FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ=="
)

// axeSource is axe-core's script, from the user's cache folder. Without npm the test is skipped, but never in CI.
func axeSource(t *testing.T) string {
	t.Helper()
	npm, err := exec.LookPath("npm")
	if err != nil {
		const how = "no npm on PATH; get it with: apt-get install npm"
		if os.Getenv("CI") == "true" {
			t.Fatal(how)
		}
		t.Skip(how)
	}
	folder := filepath.Join(must[string](t)(os.UserCacheDir()), "prinzbox-test", "axe-core-"+axeVersion)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	lock := flock.New(folder + ".lock")
	if err := lock.Lock(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = lock.Unlock() }() // it ends with the process anyway
	file := filepath.Join(folder, "axe-core-"+axeVersion+".tgz")
	if _, err := os.Stat(file); errors.Is(err, os.ErrNotExist) {
		c := exec.CommandContext(t.Context(), npm, "pack", "--silent", "--pack-destination", folder, "axe-core@"+axeVersion)
		c.Dir = folder
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("npm pack: %v\n%s", err, out)
		}
	}
	data := must[[]byte](t)(os.ReadFile(file))
	sum := sha512.Sum512(data)
	if got := "sha512-" + base64.StdEncoding.EncodeToString(sum[:]); got != axeIntegrity {
		_ = os.Remove(file) // the next run fetches it again
		t.Fatalf("%s has the hash %s, want %s", file, got, axeIntegrity)
	}
	archive := tar.NewReader(must[*gzip.Reader](t)(gzip.NewReader(bytes.NewReader(data))))
	for {
		entry := must[*tar.Header](t)(archive.Next())
		if entry.Name == "package/axe.min.js" {
			return string(must[[]byte](t)(io.ReadAll(archive)))
		}
	}
}

var anchors = regexp.MustCompile(`<a [^>]*href="([^"]+)"`)

// allPages walks the GUI by its links and gives at least one page of every kind: pages differ in kind when their addresses differ in more
// than ids, or in what their queries ask for.
func allPages(h *house) (paths []string) {
	h.t.Helper()
	word := regexp.MustCompile(`^[a-z-]+$`)
	same := []string{"filter", "order_by", "max", "view", "page_token", "col", "differ", "baseline", "smooth", "log", "x"} // what changes rows, not the page
	kind := func(link string) string {
		u := must[*url.URL](h.t)(url.Parse(link))
		parts := strings.Split(u.EscapedPath(), "/")
		for i, p := range parts {
			if i > 1 && !word.MatchString(p) {
				parts[i] = "*"
			}
		}
		keys := []string{}
		for k := range u.Query() {
			if !slices.Contains(same, k) {
				keys = append(keys, k)
			}
		}
		slices.Sort(keys)
		return strings.Join(parts, "/") + "?" + strings.Join(keys, "&")
	}
	seen := map[string]bool{}
	for queue := []string{"/"}; len(queue) > 0; queue = queue[1:] {
		resp := h.ask(queue[0])
		if !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html") || resp.Header.Get("Content-Disposition") != "" || resp.StatusCode != http.StatusOK ||
			strings.Contains(resp.Header.Get("Content-Security-Policy"), "sandbox") {
			continue
		}
		_, page := h.get(queue[0])
		paths = append(paths, queue[0])
		for _, m := range anchors.FindAllStringSubmatch(page, -1) {
			link, _, _ := strings.Cut(html.UnescapeString(m[1]), "#")
			link = strings.TrimPrefix(link, h.server.URL)
			if !strings.HasPrefix(link, "/") || seen[kind(link)] {
				continue
			}
			seen[kind(link)] = true
			queue = append(queue, link)
		}
	}
	return paths
}

// TestAxe lets axe-core look at every kind of page in both themes: it finds nothing serious or critical.
func TestAxe(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: a browser takes a minute")
	}
	source := axeSource(t)
	h, experiment, runID := wine(t)
	fill(h, 30)
	genai(h)
	stock(h).shelve(experiment, runID)
	h.model.Server.Score(t.Context(), "MLF-ElasticnetWineModel-1", "1", []byte(`{}`), "application/json") // an error to show
	h.do(h.store.SetAlias(t.Context(), "MLF-ElasticnetWineModel-1", "champion", "2"))                     // a history to show
	b := openBrowser(t)
	paths := allPages(h)
	if len(paths) < 15 {
		t.Errorf("only %d pages were found: %q", len(paths), paths)
	}
	paths = append(paths, "/nowhere", "/experiments/"+experiment+"?filter=metrics.rmse+%3C%3C+1", wineModel+"?from=1&to=2")
	check := func(where string) { t.Helper(); axe(b, source, where) }
	for _, theme := range []string{"light", "dark"} {
		b.system(theme)
		for _, path := range paths {
			b.open(h.server.URL + path)
			check(fmt.Sprintf("%s (%s)", path, theme))
		}
		b.open(h.server.URL + "/models")
		b.press("?", "Slash")
		b.until(`document.getElementById("help").open`)
		check("help (" + theme + ")")
		b.open(h.server.URL + wineModel)
		b.text(`document.querySelector("button[value=delete-model]").click()`)
		b.until(`document.title.startsWith("Delete MLF") && document.readyState === "complete"`)
		check("question (" + theme + ")")
	}
	t.Logf("%d pages, each in two themes", len(paths))
}

// axe lets axe-core look at the page that is open.
func axe(b *browser, source, where string) {
	t := b.t
	t.Helper()
	if _, err := chromedp.Run(b.ctx, chromedp.Evaluate[int](source+"\n;0")); err != nil {
		t.Fatalf("%s: %v", where, err)
	}
	b.text(`(() => { window.axeSaid = ""; axe.run(document, { resultTypes: ["violations"] }).then((r) => { window.axeSaid = JSON.stringify(r.violations
			.filter((v) => v.impact === "serious" || v.impact === "critical")
			.map((v) => ({ id: v.id, help: v.help, nodes: v.nodes.slice(0, 3).map((n) => n.html.slice(0, 200) + " " + n.failureSummary) }))); }, (e) => { window.axeSaid = "axe: " + e; }); })()`)
	b.until(`window.axeSaid`)
	var violations []struct {
		ID, Help string
		Nodes    []string
	}
	said := b.text(`window.axeSaid`)
	if err := json.Unmarshal([]byte(said), &violations); err != nil {
		t.Fatalf("%s: %s", where, said)
	}
	for _, v := range violations {
		t.Errorf("%s: %s (%s)\n  %s", where, v.ID, v.Help, strings.Join(v.Nodes, "\n  "))
	}
}
