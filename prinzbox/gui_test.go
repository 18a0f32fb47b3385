package prinzbox_test

import (
	"html"
	"regexp"
	"strings"
	"testing"

	"github.com/prinzbox/prinzbox/prinzbox"
)

var links = regexp.MustCompile(`(?:href|src)="([^"]+)"`)

// Every link of the GUI leads somewhere, in the environment as it is composed: pages, assets, and files that open in place.
func TestGUIHasNoDeadLinks(t *testing.T) {
	t.Parallel()
	env := prinzbox.Start(t)
	seen := map[string]bool{"/": true}
	pages := 0
	for queue := []string{"/"}; len(queue) > 0 && len(seen) < 400; queue = queue[1:] {
		a := call(t, "GET", env.TrackingURI()+queue[0], "", "Accept", "text/html")
		if a.status >= 400 {
			t.Errorf("GET %s: %d %s", queue[0], a.status, a.body)
			continue
		}
		if location := a.header.Get("Location"); location != "" {
			a.body = `href="` + location + `"`
		} else if !strings.HasPrefix(a.header.Get("Content-Type"), "text/html") {
			continue
		}
		pages++
		for _, m := range links.FindAllStringSubmatch(a.body, -1) {
			link, _, _ := strings.Cut(html.UnescapeString(m[1]), "#")
			link = strings.TrimPrefix(link, env.TrackingURI())
			if strings.HasPrefix(link, "/") && !strings.HasPrefix(link, "//") && !seen[link] {
				seen[link] = true
				queue = append(queue, link)
			}
		}
	}
	if pages < 10 {
		t.Errorf("only %d pages were found: %v", pages, seen)
	}
	t.Logf("%d pages, %d links", pages, len(seen))
}
