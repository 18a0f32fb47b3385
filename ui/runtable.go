package ui

import (
	"net/http"
	"slices"
	"sort"
	"strings"

	"github.com/a-h/templ"

	"github.com/prinzbox/prinzbox/registry"
)

// defaultColumns is how many metrics, and how many params, a table shows before the user chooses.
const defaultColumns = 8

// maxColumns bounds a table, since its size is rows times columns.
const maxColumns = 60

type experimentView struct {
	experiment registry.Experiment
	created    moment
	note       string
	list       listing
	columns    []column
	choices    []column
	hidden     int // columns that exist but are not shown
	rows       []runLine
	baseline   *runLine // shown above the others
	hints      []string
	mayChange  bool
	mayDelete  bool
	back       string // this page's address, without what has just been done
	done       string // what has just been done, in words
	compareAll templ.SafeURL
}

// column is one metric or param of a runs table.
type column struct {
	kind, key string // kind is "metrics", "params" or "tags"
	wanted    bool   // by the user, or by default
	shown     bool   // wanted, and not hidden for being equal everywhere
	first     bool   // of its kind, beside another
}

func (c column) id() string { return c.kind + "." + c.key }

// sortKey is the column in MLflow's filter language; empty when it cannot be written there.
func (c column) sortKey() string {
	switch {
	case !strings.Contains(c.key, "`"):
		return c.kind + ".`" + c.key + "`"
	case !strings.Contains(c.key, `"`):
		return c.kind + `."` + c.key + `"`
	}
	return ""
}

// runLine is one row of a runs table.
type runLine struct {
	id, name, status, experimentID, experiment, user, source string
	deleted                                                  bool
	started                                                  moment
	lasted                                                   string
	cells                                                    []cell
}

// cell is a value as shown, with the exact text behind it.
type cell struct {
	text, title string
	number      bool
	delta       string // the distance from the baseline's metric
}

func (u *UI) runLine(run registry.Run) runLine {
	i := run.Info
	return runLine{
		id: i.RunID, name: i.RunName, status: i.Status, experimentID: i.ExperimentID, user: i.UserID, source: tagValue(run.Data.Tags, registry.TagSourceName),
		deleted: i.LifecycleStage == registry.StageDeleted, started: u.when(i.StartTime), lasted: lasted(i.StartTime, i.EndTime),
	}
}

func (u *UI) experiment(r *http.Request) (view, error) {
	ctx := r.Context()
	e, err := u.cfg.Store.Experiment(ctx, r.PathValue("id"))
	if err != nil {
		return view{}, err
	}
	l := parseListing(r)
	l.canChooseLifetime = true
	found, err := u.cfg.Store.SearchRuns(ctx, []string{e.ID}, l.query())
	status, err := inPlace(&l, err)
	if err != nil {
		return view{}, err
	}
	l.next = found.NextPageToken
	v := experimentView{experiment: e, created: u.when(e.CreationTime), note: tagValue(e.Tags, registry.TagNote), list: l}
	v.choices = chooseColumns(found.Items, l)
	for _, c := range v.choices {
		if c.shown {
			v.columns = append(v.columns, c)
		} else {
			v.hidden++
		}
	}
	slices.SortStableFunc(v.columns, func(a, b column) int { return slices.Index(l.columns, a.id()) - slices.Index(l.columns, b.id()) })
	for i := range v.columns {
		v.columns[i].first = i > 0 && v.columns[i-1].kind != v.columns[i].kind
	}
	v.rows = make([]runLine, len(found.Items))
	for i, run := range found.Items {
		v.rows[i] = u.runLine(run)
		v.rows[i].cells = cells(run, v.columns)
	}
	if err := v.pin(u, ctx); err != nil {
		return view{}, err
	}
	v.hints = hints(found.Items)
	v.mayChange, v.mayDelete = may(ctx, e.ID, registry.ActionUpdate), may(ctx, e.ID, registry.ActionDelete)
	q := r.URL.Query()
	v.done = doneText(q.Get("done"), q.Get("n"))
	q.Del("done")
	q.Del("n")
	v.back = l.path + "?" + q.Encode()
	v.compareAll = templ.SafeURL("/compare?" + compareQuery(e.ID, l).Encode())
	return view{title: e.Name, section: "experiments", status: status, scripts: []string{"swap.js", "runs.js", "complete.js"}, body: experimentPage(v)}, nil
}

// columnIDs are the shown columns in their order.
func (v experimentView) columnIDs() []string {
	ids := make([]string, len(v.columns))
	for i, c := range v.columns {
		ids[i] = c.id()
	}
	return ids
}

// movedURL is the same table with column i one place to the left (-1) or to the right (1).
func (v experimentView) movedURL(i, by int) templ.SafeURL {
	ids := v.columnIDs()
	ids[i], ids[i+by] = ids[i+by], ids[i]
	return v.list.url(func(l *listing) { l.columns, l.token = ids, v.list.token })
}

// chooseColumns is the union of the keys of all runs, metrics first, each marked when it is to be shown.
func chooseColumns(runs []registry.Run, l listing) []column {
	metrics, params, tags := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for i := range runs {
		for _, m := range runs[i].Data.Metrics {
			metrics[m.Key] = true
		}
		for _, p := range runs[i].Data.Params {
			params[p.Key] = true
		}
		for _, t := range runs[i].Data.Tags {
			if !strings.HasPrefix(t.Key, "mlflow.") || slices.Contains(shownTags, t.Key) {
				tags[t.Key] = true
			}
		}
	}
	var out []column
	for _, set := range []struct {
		kind string
		keys map[string]bool
	}{{"metrics", metrics}, {"params", params}, {"tags", tags}} {
		keys := make([]string, 0, len(set.keys))
		for k := range set.keys {
			keys = append(keys, k)
		}
		sort.Strings(keys)
		shown := 0
		for _, k := range keys {
			c := column{kind: set.kind, key: k}
			if len(l.columns) > 0 {
				c.wanted = slices.Contains(l.columns, c.id())
			} else {
				c.wanted = set.kind != "tags" && !strings.HasPrefix(k, systemPrefix) && shown < defaultColumns
			}
			c.shown = c.wanted && (!l.differ || len(runs) < 2 || !constant(runs, c))
			if c.shown {
				shown++
			}
			out = append(out, c)
		}
	}
	total := 0
	for i := range out {
		if out[i].shown {
			total++
			out[i].shown = total <= maxColumns
		}
	}
	return out
}

// shownTags are those of MLflow's own tags that may be a column.
var shownTags = []string{registry.TagSourceName, registry.TagUser, registry.TagParentRun, "mlflow.source.git.commit", "mlflow.source.type"}

// constant tells whether all runs show the same in a column.
func constant(runs []registry.Run, c column) bool {
	first := value(runs[0], c)
	for _, r := range runs[1:] {
		if value(r, c) != first {
			return false
		}
	}
	return true
}

func cells(run registry.Run, columns []column) []cell {
	out := make([]cell, len(columns))
	for i, c := range columns {
		out[i] = value(run, c)
	}
	return out
}

// value finds a run's value for a column; the store orders metrics and params by key.
func value(run registry.Run, c column) cell {
	if c.kind == "metrics" {
		list := run.Data.Metrics
		i := sort.Search(len(list), func(i int) bool { return list[i].Key >= c.key })
		if i == len(list) || list[i].Key != c.key {
			return cell{}
		}
		return cell{text: number(list[i].Value), title: fullNumber(list[i].Value), number: true}
	}
	list := run.Data.Params
	if c.kind == "tags" {
		list = run.Data.Tags
	}
	i := sort.Search(len(list), func(i int) bool { return list[i].Key >= c.key })
	if i == len(list) || list[i].Key != c.key {
		return cell{}
	}
	const longest = 60
	text := list[i].Value
	if len([]rune(text)) > longest {
		return cell{text: string([]rune(text)[:longest]) + "…", title: text}
	}
	return cell{text: text}
}

// hints are filters that would find something on this page, to teach the language.
func hints(runs []registry.Run) (out []string) {
	for _, r := range runs {
		if len(r.Data.Metrics) == 0 {
			continue
		}
		m := r.Data.Metrics[0]
		if key := (column{kind: "metrics", key: m.Key}).sortKey(); key != "" {
			out = append(out, key+" <= "+number(m.Value))
		}
		if len(r.Data.Params) > 0 && !strings.Contains(r.Data.Params[0].Value, "'") && len(r.Data.Params[0].Value) < 30 {
			p := r.Data.Params[0]
			if key := (column{kind: "params", key: p.Key}).sortKey(); key != "" {
				out = append(out, key+" = '"+p.Value+"'")
			}
		}
		break
	}
	if len(runs) > 0 {
		out = append(out, "attributes.status = 'FINISHED'")
	}
	return out
}

// statusWord is a run's state as people say it.
func statusWord(status string) string {
	switch status {
	case "":
		return "Unknown"
	case "OK":
		return status
	}
	return status[:1] + strings.ReplaceAll(strings.ToLower(status[1:]), "_", " ")
}
