package ui

import (
	"context"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/a-h/templ"

	"github.com/prinzbox/prinzbox/registry"
)

const (
	// maxCharts and maxPoints bound what a run page draws itself; the rest is fetched chart by chart.
	maxCharts = 24
	maxPoints = 20_000
	// tableRows bounds the table of points below a chart.
	tableRows = 200
	// systemPrefix begins the names of metrics of the machine.
	systemPrefix = "system/"
)

// chartView is one metric of a run alone.
type chartView struct {
	run        registry.Run
	experiment string
	chart      chart
	plot       plotting
	rows       []point
	live       bool
	points     string
	reset      templ.SafeURL
}

// charts draws the metrics that have a history. A metric with one point is told whole by the table.
func (u *UI) charts(ctx context.Context, run registry.Run, p plotting) (own, system []chart, err error) {
	left, drawn := maxPoints, 0
	for i, m := range run.Data.Metrics {
		id, link := "chart-"+strconv.Itoa(i), chartURL(run.Info.RunID, m.Key, p)
		later := chart{id: id, key: m.Key, url: link, deferred: true}
		if strings.HasPrefix(m.Key, systemPrefix) {
			system = append(system, later)
			continue
		}
		if drawn == maxCharts || left <= 0 {
			if m.Step != 0 {
				own = append(own, later)
			}
			continue
		}
		s, axis, more, err := u.readSource(ctx, run.Info.RunID, run.Info.RunName, m.Key, p, left)
		if err != nil {
			return nil, nil, err
		}
		if more {
			left /= 2 // it has cost that much to find out
			own = append(own, later)
			continue
		}
		left -= s.sketch.all
		if s.sketch.all < 2 {
			continue
		}
		c := newChart(id, m.Key, axis, p, []source{s})
		c.url = link
		own = append(own, c)
		drawn++
	}
	return own, system, nil
}

// runChart is the page of one metric's history, however long.
func (u *UI) runChart(r *http.Request) (view, error) {
	ctx := r.Context()
	run, err := u.cfg.Store.Run(ctx, r.PathValue("id"))
	if err != nil {
		return view{}, err
	}
	e, err := u.cfg.Store.Experiment(ctx, run.Info.ExperimentID)
	if err != nil {
		return view{}, err
	}
	key, p := r.URL.Query().Get("key"), parsePlotting(r.URL.Query())
	s, axis, _, err := u.readSource(ctx, run.Info.RunID, run.Info.RunName, key, p, 0)
	if err != nil {
		return view{}, err
	}
	if s.sketch.all == 0 {
		return view{}, registry.NotFoundf("Run %s has no metric %s.", run.Info.RunID, quoted(key))
	}
	v := chartView{
		run: run, experiment: e.Name, plot: p, live: run.Info.Status == registry.RunRunning, points: pointsURL([]string{run.Info.RunID}),
		reset: templ.SafeURL(chartURL(run.Info.RunID, key, p.whole())),
	}
	v.rows = evenly(s.sketch.points, tableRows)
	v.chart = newChart("chart", key, axis, p, []source{s})
	return view{title: key + " of " + run.Info.RunName, section: "experiments", scripts: []string{"swap.js", "plot.js"}, body: chartPage(v)}, nil
}

// evenly copies at most n of the points, the first and the last among them.
func evenly(points []point, n int) []point {
	if len(points) <= n {
		return append([]point(nil), points...)
	}
	out := make([]point, n)
	for i := range out {
		out[i] = points[i*(len(points)-1)/(n-1)]
	}
	return out
}

// maxPointRuns bounds one request for points.
const maxPointRuns = 500

// pointLine is one run's points as the script gets them. Values are text where JSON has no number for them.
type pointLine struct {
	Run  string           `json:"run"`
	Name string           `json:"name"`
	X    []int64          `json:"x"`
	V    []registry.Float `json:"v"`
}

// points gives the points that a chart draws, for the script to read off.
func (u *UI) points(w http.ResponseWriter, r *http.Request) {
	lines, err := u.pointLines(r)
	u.writeJSON(w, r, map[string]any{"series": lines}, err)
}

func (u *UI) pointLines(r *http.Request) ([]pointLine, error) {
	q := r.URL.Query()
	p := parsePlotting(q)
	p.smooth = 0
	ids := runIDs(q)
	if len(ids) > maxPointRuns {
		return nil, registry.Invalidf("run: at most %d runs at once, not %d.", maxPointRuns, len(ids))
	}
	runs, _, err := u.runsByID(r.Context(), ids)
	if err != nil {
		return nil, err
	}
	lines := make([]pointLine, 0, len(runs))
	for _, run := range runs {
		s, _, _, err := u.readSource(r.Context(), run.Info.RunID, run.Info.RunName, q.Get("key"), p, 0)
		if err != nil {
			return nil, err
		}
		line := pointLine{Run: run.Info.RunID, Name: run.Info.RunName, X: make([]int64, 0, len(s.sketch.points)), V: make([]registry.Float, 0, len(s.sketch.points))}
		for _, pt := range s.sketch.points {
			line.X, line.V = append(line.X, pt.x), append(line.V, registry.Float(pt.v))
		}
		lines = append(lines, line)
	}
	return lines, nil
}

func chartURL(runID, key string, p plotting) string {
	q := url.Values{"key": {key}}
	p.set(q)
	return string(runURL(runID)) + "/chart?" + q.Encode()
}

func pointsURL(ids []string) string {
	return "/points.json?" + url.Values{"run": {strings.Join(ids, ",")}}.Encode()
}

// whole is the same without the zoom.
func (p plotting) whole() plotting {
	p.from, p.to = nil, nil
	return p
}

func floatText(v float64) string {
	if math.IsNaN(v) {
		return "NaN"
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}

func axisName(axis string) string {
	switch axis {
	case axisRelative:
		return "Time since the start"
	case axisTime:
		return "Time (UTC)"
	}
	return "Step"
}

// liveAttrs marks what the script fetches again while somebody looks.
func liveAttrs(live bool) templ.Attributes {
	if !live {
		return nil
	}
	return templ.Attributes{"data-live": true}
}
