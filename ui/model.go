package ui

import (
	"cmp"
	"context"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prinzbox/prinzbox/registry"
	"github.com/prinzbox/prinzbox/serving"
)

const (
	// versionMetrics is how many metrics of the source runs stand beside the versions.
	versionMetrics = 6
	// aliasMoves is how many moves of aliases are shown.
	aliasMoves = 50
	// shownFailures is how many failed requests are shown.
	shownFailures = 5
)

type modelView struct {
	model            registry.RegisteredModel
	created, changed moment
	list             listing
	versions         []versionLine
	metrics          []string
	current          string
	numbers          []string // of the newest versions, to choose from
	traffic          *traffic // nil where nothing is served
	routes           []routeField
	history          []aliasMove
	diff             *schemaDiff
	stub             stubForm
	alias            aliasForm
	source           sourceForm
	recent           []runLine // to choose a source from
	mayChange        bool
	mayDelete        bool
	done             string
}

type versionLine struct {
	registry.ModelVersion
	created, changed moment
	tags             []registry.KeyValue
	run              string // name of the source run; empty when it is gone
	metrics          []metricCell
	stub             bool
}

// metricCell is a metric of a version's source run; text is empty where it has none.
type metricCell struct{ text, full string }

// aliasMove is a line of the history of aliases.
type aliasMove struct {
	registry.AliasChange
	at moment
	// back tells that the alias can be pointed there again: it is elsewhere now, and the version still exists.
	back bool
}

// aliasForm points an alias at a version.
type aliasForm struct{ alias, version, problem string }

// sourceForm makes a version of a run's files.
type sourceForm struct{ run, path, problem string }

// routeField is one of the tags that say who answers requests that name no version.
type routeField struct{ id, tag, label, hint, value, problem string }

func (u *UI) model(r *http.Request) (view, error) {
	v, err := u.describeModel(r)
	if err != nil {
		return view{}, err
	}
	v.done = modelDone[r.URL.Query().Get("done")]
	return modelViewOf(v), nil
}

func modelViewOf(v modelView) view {
	page := view{title: v.model.Name, section: "models", scripts: []string{"swap.js"}, body: modelPage(v)}
	problems := []string{v.list.problem, v.stub.problem, v.alias.problem, v.source.problem}
	if v.diff != nil {
		problems = append(problems, v.diff.problem)
	}
	for _, f := range v.routes {
		problems = append(problems, f.problem)
	}
	if strings.Join(problems, "") != "" {
		page.status = http.StatusBadRequest
	}
	return page
}

func (u *UI) describeModel(r *http.Request) (modelView, error) {
	ctx := r.Context()
	m, err := u.cfg.Store.RegisteredModel(ctx, r.PathValue("name"))
	if err != nil {
		return modelView{}, err
	}
	v := modelView{
		model: m, created: u.when(m.Created), changed: u.when(m.LastUpdated), list: parseListing(r), stub: newStubForm(string(modelURL(m.Name))), routes: routeFields(m.Tags),
		source:    sourceForm{path: "model"},
		mayChange: mayModel(ctx, m.Name, registry.ActionUpdate), mayDelete: mayModel(ctx, m.Name, registry.ActionDelete),
	}
	found, err := u.versionsOf(ctx, m.Name, v.list)
	if _, err = inPlace(&v.list, err); err != nil {
		return modelView{}, err
	}
	v.list.next = found.NextPageToken
	for _, version := range found.Items {
		// A search leaves the aliases out (contract/behaviours.md, section 8); the model has them all.
		version.Aliases = nil
		for _, a := range m.Aliases {
			if a.Version == version.Version {
				version.Aliases = append(version.Aliases, a.Alias)
			}
		}
		v.versions = append(v.versions, versionLine{
			ModelVersion: version, created: u.when(version.Created), changed: u.when(version.LastUpdated),
			tags: slices.DeleteFunc(userTags(version.Tags), isOwnTag), stub: tagValue(version.Tags, serving.TagStub) != "",
		})
	}
	if v.metrics, err = u.versionMetrics(ctx, v.versions); err != nil {
		return modelView{}, err
	}
	if v.list.token == "" {
		for _, version := range found.Items[:min(len(found.Items), besideVersions)] {
			v.numbers = append(v.numbers, version.Version)
		}
	} else if v.numbers, err = u.otherVersions(ctx, m.Name, ""); err != nil {
		return modelView{}, err
	}
	if current, err := u.cfg.Store.CurrentModelVersion(ctx, m.Name); err == nil {
		v.current = current.Version
	} else if !registry.IsCode(err, registry.ResourceDoesNotExist) {
		return modelView{}, err
	}
	if v.history, err = u.aliasMoves(ctx, m, v.numbers); err != nil {
		return modelView{}, err
	}
	if v.mayChange {
		if v.recent, err = u.recentRuns(ctx); err != nil {
			return modelView{}, err
		}
	}
	if u.cfg.Scoring != nil {
		v.traffic = u.traffic(ctx, m.Name)
		if len(v.numbers) > 1 {
			v.diff = u.schemaDiff(ctx, m.Name, v.numbers, r.URL.Query().Get("from"), r.URL.Query().Get("to"))
		}
	}
	return v, nil
}

// isOwnTag tells what the page shows in a place of its own.
func isOwnTag(t registry.KeyValue) bool {
	return slices.Contains([]string{serving.TagStub, serving.TagCurrent, serving.TagSplit, serving.TagShadow}, t.Key)
}

// versionMetrics fills in the metrics of the source runs. Those that most runs have come first.
func (u *UI) versionMetrics(ctx context.Context, versions []versionLine) (keys []string, _ error) {
	var ids []string
	for _, v := range versions {
		if v.RunID != "" {
			ids = append(ids, v.RunID)
		}
	}
	runs, _, err := u.runsByID(ctx, ids)
	if err != nil {
		return nil, err
	}
	byID := map[string]registry.Run{}
	counts := map[string]int{}
	for _, run := range runs {
		if _, twice := byID[run.Info.RunID]; twice {
			continue
		}
		byID[run.Info.RunID] = run
		for _, m := range run.Data.Metrics {
			counts[m.Key]++
		}
	}
	keys = slices.SortedFunc(maps.Keys(counts), func(a, b string) int { return cmp.Or(counts[b]-counts[a], cmp.Compare(a, b)) })
	keys = keys[:min(len(keys), versionMetrics)]
	for i := range versions {
		run, ok := byID[versions[i].RunID]
		if !ok {
			continue
		}
		versions[i].run = run.Info.RunName
		versions[i].metrics = make([]metricCell, len(keys))
		for n, key := range keys {
			for _, m := range run.Data.Metrics {
				if m.Key == key {
					versions[i].metrics[n] = metricCell{number(m.Value), fullNumber(m.Value)}
				}
			}
		}
	}
	return keys, nil
}

func (u *UI) aliasMoves(ctx context.Context, m registry.RegisteredModel, numbers []string) (moves []aliasMove, _ error) {
	history, err := u.cfg.Store.AliasHistory(ctx, m.Name, aliasMoves)
	for _, c := range history {
		move := aliasMove{AliasChange: c, at: u.when(c.Time)}
		move.back = c.Version != "" && slices.Contains(numbers, c.Version) && !slices.Contains(m.Aliases, registry.Alias{Alias: c.Alias, Version: c.Version})
		moves = append(moves, move)
	}
	return moves, err
}

// routeFields are the tags with what they hold now.
func routeFields(tags []registry.KeyValue) []routeField {
	fields := []routeField{
		{id: "route-current", tag: serving.TagCurrent, label: "Current version", hint: "A number, stage or alias. Empty: the version that was changed last, as Prinz has it."},
		{id: "route-split", tag: serving.TagSplit, label: "Split", hint: "Versions and their weights, as 1=90,champion=10. Wins over the current version."},
		{id: "route-shadow", tag: serving.TagShadow, label: "Shadow", hint: "A version that gets a copy of each request; its answers are compared, and never sent."},
	}
	for i := range fields {
		fields[i].value = tagValue(tags, fields[i].tag)
	}
	return fields
}

// traffic is who answers requests that name no version, and what was counted of all versions.
type traffic struct {
	problem  string // of the tags that say who answers
	shares   []share
	shadow   string
	lines    []trafficLine
	minute   minuteChart
	failures []failureLine
}

type share struct{ version, part string }

func shareText(s share, of int) string {
	if of == 1 {
		return "version " + s.version
	}
	return "version " + s.version + " (" + s.part + ")"
}

// trafficLine is what was counted of one version.
type trafficLine struct {
	version            string
	minute, all        uint64
	errors             uint64
	median, p95        string
	agree, differ, bad uint64 // copies that it got as a shadow
	shadow             bool
}

type failureLine struct {
	serving.Failure
	at moment
}

// status is the answer's; a broken connection has none.
func (f failureLine) status() string {
	if f.Status == 0 {
		return "none"
	}
	return itoa(f.Status)
}

func (u *UI) traffic(ctx context.Context, name string) *traffic {
	t := &traffic{}
	routing, err := u.cfg.Scoring.Routing(ctx, name)
	switch {
	case err == nil:
		for _, s := range routing.Shares {
			t.shares = append(t.shares, share{s.Version, strconv.FormatFloat(100*s.Weight, 'g', 4, 64) + " %"})
		}
		t.shadow = routing.Shadow
	case !registry.IsCode(err, registry.ResourceDoesNotExist): // a model without versions has nothing to say
		t.problem = u.problemOf(err)
	}
	for _, s := range u.cfg.Scoring.Stats() {
		if s.Model == name && s.Version != "" {
			t.lines = append(t.lines, newTrafficLine(s))
			t.minute.add(s.Minute)
		}
	}
	t.minute.draw()
	for _, f := range u.cfg.Scoring.Failures(name) {
		if len(t.failures) < shownFailures {
			t.failures = append(t.failures, failureLine{f, u.when(f.Time.UnixMilli())})
		}
	}
	return t
}

func newTrafficLine(s serving.VersionStats) trafficLine {
	l := trafficLine{version: s.Version, minute: s.LastMinute}
	for status, n := range s.Requests {
		l.all += n
		if status < 200 || status > 299 {
			l.errors += n
		}
	}
	if l.all > 0 {
		seconds := func(v float64) string { return latencyText(time.Duration(v * float64(time.Second))) }
		l.median, l.p95 = seconds(s.Median), seconds(s.P95)
	}
	l.agree, l.differ, l.bad = s.Shadows["agree"], s.Shadows["differ"], s.Shadows["error"]+s.Shadows["dropped"]
	l.shadow = l.agree+l.differ+l.bad > 0
	return l
}

// perMinute counts the calls of the last minute by model.
func (u *UI) perMinute() map[string]uint64 {
	counts := map[string]uint64{}
	if u.cfg.Scoring != nil {
		for _, s := range u.cfg.Scoring.Stats() {
			counts[s.Model] += s.LastMinute
		}
	}
	return counts
}
