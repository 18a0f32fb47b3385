package ui

import (
	"context"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/prinzbox/prinzbox/registry"
)

// pin reads the baseline and measures the other runs against it. One that is gone is forgotten.
func (v *experimentView) pin(u *UI, ctx context.Context) error {
	if v.list.baseline == "" {
		return nil
	}
	runs, _, err := u.runsByID(ctx, []string{v.list.baseline})
	if err != nil {
		return err
	}
	if len(runs) == 0 {
		v.list.baseline = ""
		return nil
	}
	line := u.runLine(runs[0])
	line.cells = cells(runs[0], v.columns)
	v.baseline = &line
	for i, row := range v.rows {
		if row.id == line.id {
			continue
		}
		for n, c := range v.columns {
			if c.kind == "metrics" {
				v.rows[i].cells[n].delta = delta(row.cells[n].title, line.cells[n].title)
			}
		}
	}
	return nil
}

// delta is how far a metric is from the baseline's, with the share of it.
func delta(value, base string) string {
	x, err1 := strconv.ParseFloat(value, 64)
	b, err2 := strconv.ParseFloat(base, 64)
	d := x - b
	if err1 != nil || err2 != nil || math.IsNaN(d) || math.IsInf(d, 0) {
		return ""
	}
	if d == 0 {
		return "="
	}
	text := strconv.FormatFloat(d, 'g', 3, 64)
	if d > 0 {
		text = "+" + text
	}
	if share := d / math.Abs(b) * 100; b != 0 && math.Abs(share) < 1000 {
		text += " (" + strconv.FormatFloat(share, 'f', 1, 64) + "%)"
	}
	return text
}

// compareQuery is the address of a comparison of all runs of a list.
func compareQuery(experimentID string, l listing) url.Values {
	q := url.Values{"experiment": {experimentID}}
	if l.filter != "" {
		q.Set("filter", l.filter)
	}
	if l.order != "" {
		q.Set("order_by", l.order)
	}
	if l.view != "active" {
		q.Set("view", l.view)
	}
	return q
}

// changeRuns does one thing to all runs that are ticked, and leads back to the list.
func (u *UI) changeRuns(r *http.Request) (view, error) {
	ctx, do := r.Context(), r.FormValue("do")
	e, err := u.cfg.Store.Experiment(ctx, r.PathValue("id"))
	if err != nil {
		return view{}, err
	}
	var change func(id string) error
	action, done := registry.ActionDelete, "deleted"
	switch do {
	case "delete":
		change = func(id string) error { return u.cfg.Store.DeleteRun(ctx, id) }
	case "restore":
		change, done = func(id string) error { return u.cfg.Store.RestoreRun(ctx, id) }, "restored"
	case "tag":
		tag := registry.KeyValue{Key: r.FormValue("key"), Value: r.FormValue("value")}
		change, action, done = func(id string) error { return u.cfg.Store.SetTag(ctx, id, tag) }, registry.ActionUpdate, "tagged"
	default:
		return view{}, registry.Invalidf("do: write delete, restore or tag, not %s.", quoted(shorten(do, 40)))
	}
	if !may(ctx, e.ID, action) {
		return view{}, registry.Errorf(registry.PermissionDenied, "You may read the runs of this experiment, but not change them.")
	}
	ids := runIDs(r.Form)
	switch {
	case len(ids) == 0:
		return view{}, registry.Invalidf("run: tick the runs first.")
	case len(ids) > maxPageRows:
		return view{}, registry.Invalidf("run: at most %d runs at once, not %d.", maxPageRows, len(ids))
	}
	runs, missing, err := u.runsByID(ctx, ids)
	if err != nil {
		return view{}, err
	}
	if len(missing) > 0 {
		return view{}, registry.NotFoundf("Run %s is not there any more; nothing was changed.", quoted(missing[0]))
	}
	for _, run := range runs { // all are checked before the first is changed
		if run.Info.ExperimentID != e.ID {
			return view{}, registry.Invalidf("run: %s is not of this experiment; nothing was changed.", run.Info.RunID)
		}
	}
	for _, run := range runs {
		if err := change(run.Info.RunID); err != nil {
			return view{}, err
		}
	}
	back, err := url.Parse(localPath(r.FormValue("back")))
	if err != nil || back.Path == "/" {
		back = &url.URL{Path: string(experimentURL(e.ID))}
	}
	q := back.Query()
	q.Set("done", done)
	q.Set("n", strconv.Itoa(len(runs)))
	back.RawQuery = q.Encode()
	return view{location: back.String()}, nil
}

// doneText tells what changeRuns has done. Only its own words are repeated: an address cannot make the page say anything else.
func doneText(done, n string) string {
	count, err := strconv.Atoi(n)
	if err != nil || count < 1 || count > maxPageRows || !slices.Contains([]string{"deleted", "restored", "tagged"}, done) {
		return ""
	}
	return countText(count, "run", false) + " " + done + "."
}

const (
	// wordRuns is how many of the newest runs are looked at for the words of a filter.
	wordRuns = 200
	// wordKeys and wordValues bound the words.
	wordKeys   = 400
	wordValues = 20
)

// words gives the script what to complete filters of an experiment's runs with.
func (u *UI) words(w http.ResponseWriter, r *http.Request) {
	found, err := u.cfg.Store.SearchRuns(r.Context(), []string{r.PathValue("id")}, registry.Query{MaxResults: wordRuns, View: registry.ViewAll})
	metrics, params, tags := map[string][]string{}, map[string][]string{}, map[string][]string{}
	for _, run := range found.Items {
		for _, m := range run.Data.Metrics {
			if len(metrics) < wordKeys {
				metrics[m.Key] = nil
			}
		}
		addWords(params, run.Data.Params)
		addWords(tags, run.Data.Tags)
	}
	words := newListWords(nil, nil)
	words.keys("metrics", metrics)
	words.Numbers = append(words.Numbers, words.Names...)
	words.keys("params", params)
	for _, a := range []string{"run_name", "status", "start_time", "end_time", "user_id", "run_id", "artifact_uri"} {
		words.Names = append(words.Names, "attributes."+a)
		if strings.HasSuffix(a, "_time") {
			words.Numbers = append(words.Numbers, a, "attributes."+a)
		}
	}
	words.keys("tags", tags)
	status := []string{"RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED"}
	words.Values["status"], words.Values["attributes.status"] = status, status
	u.writeJSON(w, r, words, err)
}

func addWords(words map[string][]string, pairs []registry.KeyValue) {
	for _, p := range pairs {
		values, ok := words[p.Key]
		if ok || len(words) < wordKeys {
			words[p.Key] = addWord(values, p.Value)
		}
	}
}
