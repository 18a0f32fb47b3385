package ui

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/a-h/templ"

	"github.com/prinzbox/prinzbox/registry"
)

// listing is the state of a searchable list. All of it stands in the page's address.
type listing struct {
	path              string
	filter            string
	order             string
	view              string
	max               int
	token             string
	next              string
	columns           []string   // chosen by the user; none means the default
	baseline          string     // a run that the others are measured against
	differ            bool       // hide columns that hold the same value in every row
	words             *listWords // complete the filter; nil where nothing does, or the script asks for them
	problem           string     // of the filter, order or token, in MLflow's words
	canChooseLifetime bool
}

const (
	pageRows    = 100
	maxPageRows = 1000
)

// rowChoices are the sizes of pages that are offered, and the present one.
func rowChoices(now int) []int {
	sizes := []int{25, pageRows, 250, maxPageRows}
	if !slices.Contains(sizes, now) {
		sizes = append(sizes, now)
		slices.Sort(sizes)
	}
	return sizes
}

// parseListing reads the state. Values that no control of the page makes fall back to the default.
func parseListing(r *http.Request) listing {
	q := r.URL.Query()
	l := listing{
		path: r.URL.EscapedPath(), filter: strings.TrimSpace(q.Get("filter")), order: q.Get("order_by"), view: q.Get("view"), token: q.Get("page_token"),
		max: pageRows, columns: inOrder(q["col"], q["before"]), differ: q.Get("differ") == "1",
		baseline: q.Get("baseline"),
	}
	if n, err := strconv.Atoi(q.Get("max")); err == nil && n > 0 {
		l.max = min(n, maxPageRows)
	}
	if l.view != "deleted" && l.view != "all" {
		l.view = "active"
	}
	return l
}

// inOrder keeps columns in the order that they had before; new ones follow.
func inOrder(columns, before []string) []string {
	if len(before) == 0 {
		return columns
	}
	place := func(c string) int {
		if i := slices.Index(before, c); i >= 0 {
			return i
		}
		return len(before)
	}
	out := slices.Clone(columns)
	slices.SortStableFunc(out, func(a, b string) int { return place(a) - place(b) })
	return out
}

func (l listing) query() registry.Query {
	q := registry.Query{Filter: l.filter, MaxResults: l.max, PageToken: l.token, View: registry.ViewActiveOnly}
	if l.order != "" {
		q.OrderBy = []string{l.order}
	}
	switch l.view {
	case "deleted":
		q.View = registry.ViewDeletedOnly
	case "all":
		q.View = registry.ViewAll
	}
	return q
}

// url is the address of the same list with a change.
func (l listing) url(change func(*listing)) templ.SafeURL {
	l.token = ""
	change(&l)
	q := url.Values{}
	set := func(key, value, normal string) {
		if value != normal {
			q.Set(key, value)
		}
	}
	set("filter", l.filter, "")
	set("order_by", l.order, "")
	set("view", l.view, "active")
	set("max", strconv.Itoa(l.max), strconv.Itoa(pageRows))
	set("page_token", l.token, "")
	set("baseline", l.baseline, "")
	if l.differ {
		q.Set("differ", "1")
	}
	for _, c := range l.columns {
		q.Add("col", c)
	}
	if len(q) == 0 {
		return templ.SafeURL(l.path)
	}
	return templ.SafeURL(l.path + "?" + q.Encode())
}

func (l listing) nextURL() templ.SafeURL { return l.url(func(n *listing) { n.token = l.next }) }

func (l listing) firstURL() templ.SafeURL { return l.url(func(*listing) {}) }

func (l listing) filterURL(filter string) templ.SafeURL {
	return l.url(func(n *listing) { n.filter = filter })
}

// sorted is "ascending", "descending" or "" for a sort key.
func (l listing) sorted(key string) string {
	have, direction := l.order, "ASC"
	for _, d := range []string{"ASC", "DESC"} {
		if cut, ok := strings.CutSuffix(have, " "+d); ok {
			have, direction = cut, d
			break
		}
	}
	switch {
	case key == "" || have != key:
		return ""
	case direction == "ASC":
		return "ascending"
	}
	return "descending"
}

// sortURL turns the order of a column round; a first click shows the greatest first.
func (l listing) sortURL(key string) templ.SafeURL {
	return l.url(func(n *listing) {
		n.order = key + " DESC"
		if l.sorted(key) == "descending" {
			n.order = key + " ASC"
		}
	})
}

type experimentsView struct {
	list listing
	rows []experimentLine
}

type experimentLine struct {
	registry.Experiment
	created, changed moment
	note             string
}

func (u *UI) experiments(r *http.Request) (view, error) {
	l := parseListing(r)
	l.canChooseLifetime = true
	v := experimentsView{}
	found, err := u.cfg.Store.SearchExperiments(r.Context(), l.query())
	status, err := inPlace(&l, err)
	if err != nil {
		return view{}, err
	}
	l.next = found.NextPageToken
	for _, e := range found.Items {
		v.rows = append(v.rows, experimentLine{Experiment: e, created: u.when(e.CreationTime), changed: u.when(e.LastUpdateTime), note: tagValue(e.Tags, registry.TagNote)})
	}
	v.list = l
	return view{title: "Experiments", section: "experiments", status: status, body: experimentsPage(v)}, nil
}

// inPlace moves a user's error to the list it belongs to.
func inPlace(l *listing, err error) (status int, _ error) {
	if message, ok := isUserError(err); ok {
		l.problem = message
		return http.StatusBadRequest, nil
	}
	return http.StatusOK, err
}
