package ui_test

import (
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/prinzbox/prinzbox/registry"
	"github.com/prinzbox/prinzbox/ui"
)

func compareURL(ids []string, more string) string {
	return "/compare?run=" + strings.Join(ids, ",") + more
}

func TestCompare(t *testing.T) {
	h, experiment, _ := wine(t)
	runs := must[registry.Page[registry.Run]](t)(h.store.SearchRuns(t.Context(), []string{experiment}, registry.Query{MaxResults: 10, OrderBy: []string{"attributes.start_time ASC"}}))
	var ids []string
	for _, r := range runs.Items {
		ids = append(ids, r.Info.RunID)
	}
	elsewhere := h.run("0", "elsewhere", now, registry.Batch{Params: []registry.KeyValue{{Key: "only here", Value: "x"}}})
	for name, c := range map[string]struct {
		path      string
		status    int
		has, lack []string
	}{
		"what differs":        {compareURL(ids, ""), 200, []string{"4 runs compared", ">alpha<", "0.84", "2 params the same", ">rmse<", "1 metric the same", "<polyline", "Test experiment 1"}, []string{">l1_ratio<", ">mae<"}},
		"all":                 {compareURL(ids, "&all=1"), 200, []string{">l1_ratio<", ">mae<"}, nil},
		"runs as rows":        {compareURL(ids, "&flip=1"), 200, []string{"a row for each run", ">alpha<"}, []string{">l1_ratio<"}},
		"by filter":           {"/compare?experiment=" + experiment + "&filter=" + url.QueryEscape("metrics.rmse < 0.76"), 200, []string{"2 runs compared", "wine-0.84"}, []string{"wine-0.9<"}},
		"bad filter":          {"/compare?experiment=" + experiment + "&filter=nonsense", 400, []string{"Invalid clause(s)"}, nil},
		"one is missing":      {compareURL(append([]string{strings.Repeat("9", 32)}, ids[:2]...), ""), 200, []string{"2 runs compared", "1 run not found"}, nil},
		"two experiments":     {compareURL([]string{elsewhere, ids[0]}, ""), 200, []string{"2 runs compared", "only here", ">l1_ratio<"}, []string{"Test experiment 1"}},
		"nothing":             {"/compare", 200, []string{"Nothing to compare here"}, nil},
		"one run":             {compareURL(ids[:1], ""), 200, []string{"1 run compared", ">l1_ratio<"}, nil},
		"the same twice":      {compareURL([]string{ids[0], ids[0], ids[1]}, ""), 200, []string{"2 runs compared"}, nil},
		"another metric":      {compareURL(ids, "&metric=rmse"), 200, []string{"rmse over step"}, nil},
		"axes of the scatter": {compareURL(ids, "&sx=metrics.mae&sy=metrics.r2"), 200, []string{"r2 over mae of 4 runs"}, nil},
		"axes":                {compareURL(ids, "&dim=params.alpha&dim=metrics.r2"), 200, []string{"Colours go with r2"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			status, page := h.get(c.path)
			if status != c.status {
				t.Errorf("status %d, want %d", status, c.status)
			}
			_, table, _ := strings.Cut(page, "<main")
			contains(t, table, c.has...)
			if _, only, ok := strings.Cut(table, "<table"); ok {
				only, _, _ = strings.Cut(only, "</table>")
				for _, not := range c.lack {
					if strings.Contains(only, not) {
						t.Errorf("the table has %q", not)
					}
				}
			}
		})
	}
	if status, text := h.get("/points.json?key=loss&run=" + strings.Join(ids[:2], ",")); status != 200 || strings.Count(text, `"name":"wine-`) != 2 || !strings.Contains(text, `"x":[0,1,2,`) {
		t.Errorf("points: %d %.200s", status, text)
	}
	if status, text := h.get("/points.json?key=loss&run=" + strings.Repeat("x,", 3) + strings.Repeat("9", 32)); status != 200 || text != `{"series":[]}` {
		t.Errorf("points of no run: %d %.200s", status, text)
	}
}

// A comparison too large to draw at once leaves the chart out, with the address where it is drawn.
func TestCompareManyRuns(t *testing.T) {
	h := newHouse(t)
	ids := histories(h, 30, 500)
	_, page := h.get(compareURL(ids, ""))
	_, link, ok := strings.Cut(page, `data-defer="`)
	link, _, _ = strings.Cut(link, `"`)
	if !ok || strings.Count(page, "<polyline class=\"line") != 0 || !strings.Contains(page, "a row for each run") {
		t.Fatalf("the chart is not left for later: %.300s", page)
	}
	_, page = h.get(html.UnescapeString(link))
	if n := strings.Count(page, `<polyline class="line`); n != 30 {
		t.Errorf("%d lines, want 30", n)
	}
}

func TestHostileComparison(t *testing.T) {
	h := newHouse(t)
	var ids []string
	for i := range 3 {
		ids = append(ids, h.run("0", hostile, now, registry.Batch{
			Params:  []registry.KeyValue{{Key: "p", Value: fmt.Sprint(hostile, i)}, {Key: "n", Value: []string{"NaN", "Inf", "-1e400"}[i]}},
			Metrics: []registry.Metric{{Key: "m/" + strings.Repeat("x", 40), Value: registry.Float(i)}, {Key: "m/" + strings.Repeat("x", 40), Value: 2, Step: 5}},
		}))
	}
	for _, path := range []string{compareURL(ids, ""), compareURL(ids, "&flip=1&all=1"), compareURL(ids, "&dim="+url.QueryEscape(hostile)+"&sx="+url.QueryEscape(hostile)+"&metric="+url.QueryEscape(hostile)), "/compare?run=" + url.QueryEscape(hostile)} {
		status, page := h.get(path)
		if status != 200 || strings.Contains(page, "<script>") || strings.Contains(page, "<img") {
			t.Errorf("%s: status %d, or not escaped", path, status)
		}
	}
}

// histories makes runs with one metric of many points.
func histories(h *house, runs, points int) (ids []string) {
	h.t.Helper()
	for i := range runs {
		batch := registry.Batch{Params: []registry.KeyValue{{Key: "alpha", Value: fmt.Sprintf("0.%d", i%10)}, {Key: "solver", Value: []string{"sag", "saga"}[i%2]}}}
		for step := range int64(points) {
			batch.Metrics = append(batch.Metrics, registry.Metric{Key: "loss", Step: step, Timestamp: now.UnixMilli() + step, Value: registry.Float(float64((step*int64(i+3))%101) / 101)})
		}
		ids = append(ids, h.run("0", fmt.Sprintf("many-%03d", i), now.Add(-time.Duration(i)*time.Minute), batch))
	}
	return ids
}

// BenchmarkCompare is the server's time for comparisons of runs of 1,000 points each, and for the chart that is fetched afterwards.
func BenchmarkCompare(b *testing.B) {
	h := newHouse(b)
	ids := histories(h, 200, 1000)
	gui := ui.New(ui.Config{Store: h.store, Environment: h.environment, Clock: func() time.Time { return now }})
	for name, path := range map[string]string{"5": compareURL(ids[:5], ""), "100": compareURL(ids[:100], ""), "200": compareURL(ids, ""), "100-chart": compareURL(ids[:100], "&draw=1")} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				w := httptest.NewRecorder()
				gui.ServeHTTP(w, httptest.NewRequestWithContext(b.Context(), http.MethodGet, path, nil))
				if w.Code != http.StatusOK {
					b.Fatal(w.Code)
				}
				b.ReportMetric(float64(w.Body.Len())/1024, "KiB")
			}
		})
	}
}
