package ui_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
)

func TestHeaders(t *testing.T) {
	h := newHouse(t)
	for _, path := range []string{"/", "/nowhere", "/palette.json", "/assets/x/style.css"} {
		resp := h.ask(path)
		policy := resp.Header.Get("Content-Security-Policy")
		if !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") || resp.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: headers %v", path, resp.Header)
		}
	}
}

func TestAssetsAreKeptByHash(t *testing.T) {
	h := newHouse(t)
	_, page := h.get("/")
	for _, file := range []string{"style.css", "app.js", "icon.svg"} {
		found := regexp.MustCompile(`/assets/[0-9a-f]{16}/` + regexp.QuoteMeta(file)).FindString(page)
		for path, cache := range map[string]string{found: "public, max-age=31536000, immutable", "/assets/0000000000000000/" + file: "no-cache"} {
			resp := h.ask(path)
			if resp.StatusCode != 200 || resp.Header.Get("Cache-Control") != cache {
				t.Errorf("%s: status %d, Cache-Control %q", path, resp.StatusCode, resp.Header.Get("Cache-Control"))
			}
		}
	}
	for _, path := range []string{"/assets/x/none.css", "/assets/x/..%2fui.go"} {
		if status, _ := h.get(path); status != http.StatusNotFound {
			t.Errorf("%s: status %d", path, status)
		}
	}
}

func TestFormsOfOtherSitesAreRefused(t *testing.T) {
	h, _, _ := wine(t)
	try := "/models/MLF-ElasticnetWineModel-1/versions/1/try"
	for _, header := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "http://evil.example"}, {"Origin", "null"}} {
		for _, path := range []string{try, "/theme"} {
			status, page := h.post(path, "f0=1", header...)
			if status != http.StatusForbidden || !strings.Contains(page, "another site") {
				t.Errorf("%s with %v: status %d", path, header, status)
			}
		}
	}
	for _, header := range [][]string{{"Sec-Fetch-Site", "same-origin"}, {"Origin", h.server.URL}, {}} {
		if status, _ := h.post(try, "raw="+`{"inputs":[1]}`, header...); status != http.StatusOK {
			t.Errorf("with %v: status %d", header, status)
		}
	}
}

func TestThemeWithoutScript(t *testing.T) {
	h := newHouse(t)
	client := h.server.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	cookie := ""
	for _, want := range []string{"light", "dark", "system", "light"} {
		r := must[*http.Request](t)(http.NewRequestWithContext(t.Context(), http.MethodPost, h.server.URL+"/theme", strings.NewReader("back=/models?filter=x")))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Cookie", cookie)
		resp := must[*http.Response](t)(client.Do(r))
		h.do(resp.Body.Close())
		if c := resp.Cookies(); resp.StatusCode != http.StatusSeeOther || len(c) != 1 || c[0].Value != want || resp.Header.Get("Location") != "/models?filter=x" {
			t.Fatalf("want %s: %d %v", want, resp.StatusCode, resp.Header)
		}
		cookie = "prinzbox_theme=" + want
	}
	r := must[*http.Request](t)(http.NewRequestWithContext(t.Context(), http.MethodGet, h.server.URL+"/", nil))
	r.Header.Set("Cookie", "prinzbox_theme=dark")
	if _, page := h.send(r); !strings.Contains(page, `data-theme="dark"`) {
		t.Error("the cookie does not choose the colours")
	}
	for _, back := range []string{"//evil.example", "https://evil.example/", `/\evil.example`, "/%0d%0aX: y", "javascript:alert(1)", ""} {
		r := must[*http.Request](t)(http.NewRequestWithContext(t.Context(), http.MethodPost, h.server.URL+"/theme", strings.NewReader("back="+back)))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		resp := must[*http.Response](t)(client.Do(r))
		h.do(resp.Body.Close())
		if to := resp.Header.Get("Location"); to != "/" {
			t.Errorf("back=%s leads to %q", back, to)
		}
	}
}
