package ui_test

import (
	"compress/gzip"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// firstLoad is the most that the first page of a browser may weigh with everything that it fetches, in bytes on the wire.
const firstLoad = 150 << 10

var subresources = regexp.MustCompile(`(?:href|src)="(/assets/[^"]+)"`)

// packed asks for a path as a browser does: the bytes on the wire, and the text.
func (h *house) packed(path string) (wire int, text string) {
	h.t.Helper()
	r := must[*http.Request](h.t)(http.NewRequestWithContext(h.t.Context(), http.MethodGet, h.server.URL+path, nil))
	r.Header.Set("Accept-Encoding", "gzip, deflate, br, zstd") // set by hand, so that the client does not unpack
	resp := must[*http.Response](h.t)(h.server.Client().Do(r))
	body := must[[]byte](h.t)(io.ReadAll(resp.Body))
	h.do(resp.Body.Close())
	if resp.StatusCode != http.StatusOK {
		h.t.Errorf("%s: status %d", path, resp.StatusCode)
	}
	if !slices.Contains(resp.Header.Values("Vary"), "Accept-Encoding") {
		h.t.Errorf("%s does not vary by Accept-Encoding", path)
	}
	if resp.Header.Get("Content-Encoding") != "gzip" {
		if len(body) >= 1024 {
			h.t.Errorf("%s: %d bytes are not compressed", path, len(body))
		}
		return len(body), string(body)
	}
	z := must[*gzip.Reader](h.t)(gzip.NewReader(strings.NewReader(string(body))))
	return len(body), string(must[[]byte](h.t)(io.ReadAll(z)))
}

// The first page of a browser, with all assets, stays light, whichever page it is and however much is in it.
func TestWeight(t *testing.T) {
	h, experiment, runID := wine(t)
	fill(h, 1000)
	for _, path := range []string{
		"/", "/experiments", "/experiments/" + experiment, "/experiments/0", "/runs/" + runID, "/compare?experiment=" + experiment, "/models", wineModel, wineVersion,
	} {
		total, page := h.packed(path)
		html := total
		for _, m := range subresources.FindAllStringSubmatch(page, -1) {
			n, text := h.packed(m[1])
			total += n
			if status, plain := h.get(m[1]); status != http.StatusOK || plain != text {
				t.Errorf("%s: compressed it is another text", m[1])
			}
		}
		t.Logf("%-32s %6.1f KiB, of it the page %6.1f KiB", path, float64(total)/1024, float64(html)/1024)
		if total > firstLoad {
			t.Errorf("%s weighs %d bytes, want at most %d", path, total, firstLoad)
		}
	}
}

func TestAcceptEncoding(t *testing.T) {
	h, _, _ := wine(t)
	for accept, want := range map[string]string{
		"": "", "gzip": "gzip", "br;q=1.0, gzip;q=0.8": "gzip", "gzip;q=0": "", "identity": "", "*": "gzip", "gzip; q=0.0, *;q=0": "", "deflate, GZIP": "",
	} {
		for _, path := range []string{"/models", "/palette.json", "/assets/x/app.js"} {
			r := must[*http.Request](t)(http.NewRequestWithContext(t.Context(), http.MethodGet, h.server.URL+path, nil))
			r.Header.Set("Accept-Encoding", accept)
			if accept == "" {
				r.Header.Set("Accept-Encoding", "identity;q=1")
			}
			resp := must[*http.Response](t)(h.server.Client().Do(r))
			got := resp.Header.Get("Content-Encoding")
			h.do(resp.Body.Close())
			if path == "/palette.json" && got == "" {
				continue // it is short
			}
			if got != want {
				t.Errorf("%s with Accept-Encoding %q: Content-Encoding %q, want %q", path, accept, got, want)
			}
		}
	}
	// A part of a file is a part of the file itself.
	r := must[*http.Request](t)(http.NewRequestWithContext(t.Context(), http.MethodGet, h.server.URL+"/assets/x/app.js", nil))
	r.Header.Set("Range", "bytes=0-9")
	r.Header.Set("Accept-Encoding", "gzip")
	if status, text := h.send(r); status != http.StatusPartialContent || text != "// The pag" {
		t.Errorf("a range: %d %q", status, text)
	}
}

// The page of ten thousand runs is made within the budget, compressed.
func BenchmarkRunsPageCompressed(b *testing.B) {
	h, _, _ := wine(b)
	fill(h, 10_000)
	start := time.Now()
	n := 0
	for b.Loop() {
		h.packed("/experiments/0")
		n++
	}
	b.ReportMetric(float64(time.Since(start).Milliseconds())/float64(n), "ms/page")
}
