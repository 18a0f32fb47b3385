package ui

import (
	"context"
	"math"
	"net/http"
	"net/url"
	"slices"
	"sort"
	"strings"

	"github.com/a-h/templ"

	"github.com/prinzbox/prinzbox/registry"
)

const (
	// maxCompared bounds a comparison.
	maxCompared = 500
	// comparedColumns is how many runs stand beside each other; more stand below each other.
	comparedColumns = 12
	// comparedRows bounds the params, and the metrics, of a comparison.
	comparedRows = 400
	// comparedPoints is how many points a comparison reads before its page is shown; a chart of more is fetched afterwards.
	comparedPoints = 10_000
	// comparedHistory bounds one run's share of a chart.
	comparedHistory = 1_000_000
)

// compareView is a comparison. All of its state stands in the address.
type compareView struct {
	query      url.Values // of the address
	runs       []registry.Run
	lines      []runLine
	missing    int
	more       bool // there are more runs than are compared
	experiment *registry.Experiment
	plot       plotting
	all        bool // show what is the same in all runs too
	flip       bool // runs as rows
	groups     []compareGroup
	metrics    []string // those that may be drawn
	metric     string   // the one that is drawn
	chart      *chart
	points     string
	dimensions []dimension
	scatter    *scatter
	parallel   *parallel
	live       bool
}

// compareGroup is the params or the metrics of a comparison.
type compareGroup struct {
	kind, name string
	rows       []compareRow
	equal      int // rows that are the same in all runs, and are left out
	cut        int // rows that are too many
}

type compareRow struct {
	key     string
	cells   []cell
	differs bool
	best    [2]int // the runs with the least and the greatest metric, or -1
}

func (u *UI) compare(r *http.Request) (view, error) {
	ctx, q := r.Context(), url.Values{}
	for _, key := range []string{"run", "experiment", "filter", "order_by", "view", "all", "flip", "metric", "sx", "sy", "dim", "x", "y", "smooth", "from", "to", "draw"} {
		if values := r.URL.Query()[key]; len(values) > 0 {
			q[key] = values
		}
	}
	v := compareView{query: q, plot: parsePlotting(q), all: q.Get("all") == "1", metric: q.Get("metric")}
	l := listing{}
	status, err := v.find(u, ctx, &l)
	if err != nil {
		return view{}, err
	}
	v.flip = len(v.runs) > comparedColumns
	if f := q.Get("flip"); f != "" {
		v.flip = f == "1"
	}
	if e, err := u.sameExperiment(ctx, v.runs); err != nil {
		return view{}, err
	} else if e != nil {
		v.experiment = e
	}
	ids := make([]string, len(v.runs))
	for i, run := range v.runs {
		ids[i] = run.Info.RunID
		v.lines = append(v.lines, u.runLine(run))
		v.live = v.live || run.Info.Status == registry.RunRunning
	}
	v.points = pointsURL(ids)
	columns := chooseColumns(v.runs, listing{})
	v.group(columns)
	v.dimensions = dimensions(v.runs, columns)
	v.scatter = newScatter(v.dimensions, v.lines, q.Get("sx"), q.Get("sy"))
	v.parallel = newParallel(v.dimensions, v.lines, q["dim"])
	if err := v.draw(u, ctx); err != nil {
		return view{}, err
	}
	return view{title: "Compare runs", section: "experiments", status: status, scripts: []string{"swap.js", "plot.js", "compare.js"}, body: comparePage(v, l)}, nil
}

// find reads the runs: those named, or those that a filter of an experiment finds.
func (v *compareView) find(u *UI, ctx context.Context, l *listing) (status int, err error) {
	if id := v.query.Get("experiment"); id != "" {
		if !may(ctx, id, registry.ActionRead) {
			return 0, registry.Errorf(registry.PermissionDenied, "You may not read this experiment.")
		}
		l.filter, l.order, l.view, l.max = v.query.Get("filter"), v.query.Get("order_by"), v.query.Get("view"), maxCompared
		found, err := u.cfg.Store.SearchRuns(ctx, []string{id}, l.query())
		v.runs, v.more = found.Items, found.NextPageToken != ""
		return inPlace(l, err)
	}
	ids := runIDs(v.query)
	if v.more = len(ids) > maxCompared; v.more {
		ids = ids[:maxCompared]
	}
	var missing []string
	v.runs, missing, err = u.runsByID(ctx, ids)
	v.missing = len(missing)
	return http.StatusOK, err
}

// sameExperiment is the experiment of all runs; nil when they are of several.
func (u *UI) sameExperiment(ctx context.Context, runs []registry.Run) (*registry.Experiment, error) {
	if len(runs) == 0 || slices.ContainsFunc(runs, func(r registry.Run) bool { return r.Info.ExperimentID != runs[0].Info.ExperimentID }) {
		return nil, nil
	}
	e, err := u.cfg.Store.Experiment(ctx, runs[0].Info.ExperimentID)
	return &e, err
}

// group makes the rows of the table.
func (v *compareView) group(columns []column) {
	for _, g := range []compareGroup{{kind: "params", name: "Params"}, {kind: "metrics", name: "Metrics"}} {
		for _, c := range columns {
			if c.kind != g.kind {
				continue
			}
			row := compareRow{key: c.key, cells: make([]cell, len(v.runs)), best: [2]int{-1, -1}}
			for i, run := range v.runs {
				row.cells[i] = value(run, c)
				row.differs = row.differs || row.cells[i] != row.cells[0]
			}
			if !row.differs && !v.all && len(v.runs) > 1 {
				g.equal++
				continue
			}
			if len(g.rows) == comparedRows {
				g.cut++
				continue
			}
			if g.kind == "metrics" && row.differs {
				row.best = extremes(v.runs, c.key)
			}
			g.rows = append(g.rows, row)
		}
		v.groups = append(v.groups, g)
	}
}

func extremes(runs []registry.Run, key string) [2]int {
	least, greatest := -1, -1
	var low, high float64
	for i, run := range runs {
		x, ok := latest(run, key)
		if !ok || math.IsNaN(x) {
			continue
		}
		if least < 0 || x < low {
			least, low = i, x
		}
		if greatest < 0 || x > high {
			greatest, high = i, x
		}
	}
	return [2]int{least, greatest}
}

// latest is a run's last value of a metric; the store orders metrics by key.
func latest(run registry.Run, key string) (float64, bool) {
	list := run.Data.Metrics
	i := sort.Search(len(list), func(i int) bool { return list[i].Key >= key })
	if i == len(list) || list[i].Key != key {
		return 0, false
	}
	return float64(list[i].Value), true
}

// draw makes the chart of one metric of all runs.
func (v *compareView) draw(u *UI, ctx context.Context) error {
	history, seen := map[string]bool{}, map[string]bool{}
	for _, run := range v.runs {
		for _, m := range run.Data.Metrics {
			history[m.Key] = history[m.Key] || m.Step != 0
			if !seen[m.Key] {
				seen[m.Key] = true
				v.metrics = append(v.metrics, m.Key)
			}
		}
	}
	slices.Sort(v.metrics)
	if !seen[v.metric] {
		v.metric = ""
		for _, key := range v.metrics {
			if history[key] && (v.metric == "" || strings.HasPrefix(v.metric, systemPrefix) && !strings.HasPrefix(key, systemPrefix)) {
				v.metric = key
			}
		}
		if v.metric == "" {
			return nil // no metric has more than one point
		}
	}
	whole := v.query.Get("draw") == "1"
	left := comparedPoints
	var sources []source
	axis := v.plot.axis
	for _, run := range v.runs {
		limit := left
		if whole {
			limit = comparedHistory
		}
		if _, ok := latest(run, v.metric); !ok {
			sources = append(sources, source{run.Info.RunID, run.Info.RunName, newSketch(v.plot)})
			continue
		}
		s, a, more, err := u.readSource(ctx, run.Info.RunID, run.Info.RunName, v.metric, v.plot, limit)
		if err != nil {
			return err
		}
		if left -= s.sketch.all; !whole && (more || left <= 0) {
			v.chart = &chart{id: "chart", key: v.metric, deferred: true, url: string(v.url(func(q url.Values) { q.Set("draw", "1") }))}
			return nil
		}
		if axis == "" || a == axisStep {
			axis = a
		}
		sources = append(sources, s)
	}
	c := newChart("chart", v.metric, axis, v.plot, sources)
	v.chart = &c
	return nil
}

// url is the address of the same comparison with a change.
func (v compareView) url(change func(url.Values)) templ.SafeURL {
	q := url.Values{}
	for key, values := range v.query {
		if key != "draw" {
			q[key] = slices.Clone(values)
		}
	}
	change(q)
	return templ.SafeURL("/compare?" + q.Encode())
}

// without is the comparison without one run.
func (v compareView) without(id string) templ.SafeURL {
	ids := make([]string, 0, len(v.runs))
	for _, run := range v.runs {
		if run.Info.RunID != id {
			ids = append(ids, run.Info.RunID)
		}
	}
	return v.url(func(q url.Values) {
		clearSource(q)
		q.Set("run", strings.Join(ids, ","))
	})
}

// fields are the parts of the address that a form must keep, without those that it sets itself.
func (v compareView) fields(own ...string) (out []keyValue) {
	keys := make([]string, 0, len(v.query))
	for key := range v.query {
		if key != "draw" && !slices.Contains(own, key) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	for _, key := range keys {
		for _, value := range v.query[key] {
			out = append(out, keyValue{Key: key, Value: value})
		}
	}
	return out
}

// clearSource takes out of an address what says which runs are compared.
func clearSource(q url.Values) {
	for _, key := range []string{"run", "experiment", "filter", "order_by", "view"} {
		q.Del(key)
	}
}
