package registry

import (
	"context"
	"database/sql"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/prinzbox/prinzbox/registry/filter"
	"github.com/prinzbox/prinzbox/registry/sqldb"
)

// asInvalid turns the filter package's errors into MLflow's.
func asInvalid(err error) error {
	if fe, ok := errors.AsType[*filter.Error](err); ok {
		return Invalidf("%s", fe.Message)
	}
	return err
}

// selection is a search under way: the parts of one SELECT. Texts are the program's own, values are bound.
type selection struct {
	columns  string
	from     string
	fromArgs []any
	where    []string
	args     []any
	order    []string
	// orderArgs belong to order expressions that bind a key.
	orderArgs []any
}

func (sel *selection) and(cond string, args ...any) {
	if cond != "" {
		sel.where = append(sel.where, cond)
		sel.args = append(sel.args, args...)
	}
}

// filterBy adds a filter text.
func (sel *selection) filterBy(g *filter.Grammar, cols *filter.Columns, text string) error {
	cs, err := g.Parse(text)
	if err != nil {
		return asInvalid(err)
	}
	sel.comparisons(cols, cs)
	return nil
}

func (sel *selection) comparisons(cols *filter.Columns, cs []filter.Comparison) {
	where, args := cols.Compile(cs)
	sel.and(where, args...)
}

func direction(desc bool) string {
	if desc {
		return " DESC"
	}
	return " ASC"
}

// view adds the lifecycle condition.
func (sel *selection) view(column string, v ViewType) {
	switch v {
	case ViewDeletedOnly:
		sel.and(column+" = ?", StageDeleted)
	case ViewAll:
		sel.and(column+" IN (?, ?)", StageActive, StageDeleted)
	default:
		sel.and(column+" = ?", StageActive)
	}
}

// text is the search without its order, and the values of that.
func (sel *selection) text(columns string) (query string, args []any) {
	query = "SELECT " + columns + " FROM " + sel.from
	if len(sel.where) > 0 {
		query += " WHERE " + strings.Join(sel.where, " AND ")
	}
	args = make([]any, 0, len(sel.fromArgs)+len(sel.args)+len(sel.orderArgs)+2)
	return query, append(append(args, sel.fromArgs...), sel.args...)
}

// page is the search with its order, for some of the rows.
func (sel *selection) page(limit, offset int) (query string, args []any) {
	query, args = sel.text(sel.columns)
	query += " ORDER BY " + strings.Join(sel.order, ", ") + " LIMIT ? OFFSET ?"
	return query, append(append(args, sel.orderArgs...), limit, offset)
}

// runSelection reads one page.
func runSelection[T any](ctx context.Context, q querier, sel *selection, scan func(*sql.Rows) (T, error), max int, token string) (Page[T], error) {
	offset, err := parsePageToken(token)
	if err != nil {
		return Page[T]{}, err
	}
	query, args := sel.page(max+1, offset)
	items, err := queryRows(ctx, q, scan, query, args...)
	return pageOf(items, max, offset), err
}

// eachSelection is runSelection for searches that need no function of our own in SQL.
func eachSelection[T any](ctx context.Context, db *sqldb.DB, sel *selection, read func(*sqldb.Row) T, max int, token string) (Page[T], error) {
	offset, err := parsePageToken(token)
	if err != nil {
		return Page[T]{}, err
	}
	query, args := sel.page(max+1, offset)
	items, err := eachOf(ctx, db, read, query, args...)
	return pageOf(items, max, offset), err
}

// maxResults checks a page size as MLflow does for experiments and runs.
func maxResults(n, limit int) error {
	switch {
	case n <= 0:
		return Invalidf("Invalid value %d for parameter 'max_results' supplied. It must be a positive integer", n)
	case n > limit:
		return Invalidf("Invalid value %d for parameter 'max_results' supplied. It must be at most %d", n, limit)
	}
	return nil
}

// MaxPage is the largest page of experiments/search and runs/search.
const MaxPage = 50000

var attributePrefixes = map[string]filter.Kind{"attribute": filter.Attribute, "attributes": filter.Attribute, "attr": filter.Attribute}

func prefixes(sets ...map[string]filter.Kind) map[string]filter.Kind {
	out := map[string]filter.Kind{}
	for _, s := range sets {
		maps.Copy(out, s)
	}
	return out
}

var tagPrefixes = map[string]filter.Kind{"tag": filter.Tag, "tags": filter.Tag}

// registryPrefixes are those that the searches of experiments, registered models and versions know.
var registryPrefixes = prefixes(map[string]filter.Kind{"attribute": filter.Attribute}, tagPrefixes)

var experimentGrammar = filter.Grammar{
	Dialect:  filter.Experiments,
	Prefixes: registryPrefixes,
	Attributes: map[string]filter.Attr{
		"name": {}, "experiment_id": {List: true, Equality: true},
		"creation_time": {Numeric: true}, "last_update_time": {Numeric: true},
	},
	NullKinds: []filter.Kind{filter.Tag},
}

var experimentColumnsOf = filter.Columns{
	Attributes: map[string]string{
		"name": "e.name", "experiment_id": "CAST(e.eid AS TEXT)", "creation_time": "e.creation_time", "last_update_time": "e.last_update_time",
	},
	Rows: map[filter.Kind]string{filter.Tag: "SELECT 1 FROM experiment_tags x WHERE x.eid = e.eid AND x.key = ?"},
}

// SearchExperiments gives a page of experiments, the newest first unless OrderBy says otherwise.
func (s *Store) SearchExperiments(ctx context.Context, q Query) (Page[Experiment], error) {
	if err := maxResults(q.MaxResults, MaxPage); err != nil {
		return Page[Experiment]{}, err
	}
	sel := &selection{columns: "e.eid, e.name, e.artifact_location, e.lifecycle_stage, e.last_update_time, e.creation_time", from: "experiments e"}
	sel.view("e.lifecycle_stage", q.View)
	sel.readableExperiments(ctx, "e.eid")
	if err := sel.filterBy(&experimentGrammar, &experimentColumnsOf, q.Filter); err != nil {
		return Page[Experiment]{}, err
	}
	orders, err := experimentGrammar.ParseOrder(q.OrderBy)
	if err != nil {
		return Page[Experiment]{}, asInvalid(err)
	}
	for _, o := range orders {
		if o.Kind != filter.Attribute {
			return Page[Experiment]{}, Invalidf("Invalid order_by entity: %s", o.Kind)
		}
		column := experimentColumnsOf.Attributes[o.Key]
		if o.Key == "experiment_id" {
			column = "e.eid"
		}
		sel.order = append(sel.order, column+direction(o.Desc))
	}
	if len(orders) == 0 {
		sel.order = []string{"e.creation_time DESC", "e.eid ASC"}
	} else {
		sel.order = append(sel.order, "e.eid DESC")
	}
	page, err := runSelection(ctx, s.db.Read(), sel, func(rows *sql.Rows) (Experiment, error) { return scanExperiment(rows) }, q.MaxResults, q.PageToken)
	if err != nil {
		return page, err
	}
	return page, loadExperimentTags(ctx, s.db.Read(), page.Items)
}

// MaxModelPage is the largest page of registered-models/search.
const MaxModelPage = 1000

var registeredModelGrammar = filter.Grammar{
	Dialect:    filter.Models,
	Prefixes:   registryPrefixes,
	Attributes: map[string]filter.Attr{"name": {List: true}, "timestamp": {Name: "last_updated_timestamp", OrderOnly: true}, "last_updated_timestamp": {OrderOnly: true}},
}

var registeredModelColumnsOf = filter.Columns{
	Attributes: map[string]string{"name": "m.name", "last_updated_timestamp": "m.last_updated_timestamp"},
	Rows:       map[filter.Kind]string{filter.Tag: "SELECT 1 FROM registered_model_tags x WHERE x.mid = m.mid AND x.key = ?"},
}

// promptClause takes the prompt tag out of a filter. Searches hide prompts unless the filter asks for them, and "is no prompt" holds
// also for entries without the tag (contract/behaviours.md, section 8). The first clause on the tag decides; if that asks for prompts,
// the filter is taken as it stands.
func promptClause(cs []filter.Comparison, isPrompt string) (rest []filter.Comparison, cond string) {
	onTag := func(c filter.Comparison) bool { return c.Kind == filter.Tag && c.Key == TagIsPrompt }
	if i := slices.IndexFunc(cs, onTag); i >= 0 {
		value, _ := cs[i].Value.(string)
		if cs[i].Op == "=" && strings.EqualFold(value, "true") || cs[i].Op == "!=" && strings.EqualFold(value, "false") {
			return cs, ""
		}
	}
	return slices.DeleteFunc(slices.Clone(cs), onTag), "NOT " + isPrompt
}

// SearchRegisteredModels gives a page of registered models, by name unless OrderBy says otherwise. Prompts are left out unless asked
// for.
func (s *Store) SearchRegisteredModels(ctx context.Context, q Query) (Page[RegisteredModel], error) {
	if q.MaxResults < 1 || q.MaxResults > MaxModelPage {
		return Page[RegisteredModel]{}, Invalidf("Invalid value for request parameter max_results. It must be between 1 and %d, but got value %d", MaxModelPage, q.MaxResults)
	}
	sel := &selection{columns: registeredModelColumns, from: "registered_models m"}
	cs, err := registeredModelGrammar.Parse(q.Filter)
	if err != nil {
		return Page[RegisteredModel]{}, asInvalid(err)
	}
	cs, prompts := promptClause(cs, "EXISTS (SELECT 1 FROM registered_model_tags x WHERE x.mid = m.mid AND x.key = '"+TagIsPrompt+"' AND x.value = 'true')")
	sel.and(prompts)
	sel.readableModels(ctx)
	sel.comparisons(&registeredModelColumnsOf, cs)
	orders, err := registeredModelGrammar.ParseOrder(q.OrderBy)
	if err != nil {
		return Page[RegisteredModel]{}, asInvalid(err)
	}
	for _, o := range orders {
		if o.Kind != filter.Attribute {
			return Page[RegisteredModel]{}, Invalidf("Invalid order by key '%s' specified. Valid keys are '{'name', 'timestamp'}'", o.Key)
		}
		sel.order = append(sel.order, registeredModelColumnsOf.Attributes[o.Key]+direction(o.Desc))
	}
	sel.order = append(sel.order, "m.name ASC")
	rows, err := eachSelection(ctx, s.db, sel, readRegisteredModel, q.MaxResults, q.PageToken)
	if err != nil {
		return Page[RegisteredModel]{}, err
	}
	models, err := s.loadRegisteredModels(ctx, rows.Items)
	return Page[RegisteredModel]{Items: models, NextPageToken: rows.NextPageToken}, err
}

var modelVersionGrammar = filter.Grammar{
	Dialect:  filter.Versions,
	Prefixes: registryPrefixes,
	Attributes: map[string]filter.Attr{
		"name": {List: true}, "run_id": {List: true, FilterOnly: true}, "source_path": {FilterOnly: true}, "version_number": {Numeric: true},
		"creation_timestamp": {OrderOnly: true}, "last_updated_timestamp": {OrderOnly: true},
	},
}

var modelVersionColumnsOf = filter.Columns{
	Attributes: map[string]string{
		"name": "m.name", "run_id": "v.run_id", "source_path": "v.source", "version_number": "v.version",
		"creation_timestamp": "v.creation_timestamp", "last_updated_timestamp": "v.last_updated_timestamp",
	},
	Rows: map[filter.Kind]string{filter.Tag: "SELECT 1 FROM model_version_tags x WHERE x.vid = v.vid AND x.key = ?"},
}

// MaxVersionPage is the largest page of model-versions/search.
const MaxVersionPage = 200_000

// SearchModelVersions gives a page of versions, the last changed first unless OrderBy says otherwise. Prompts are left out unless asked for.
func (s *Store) SearchModelVersions(ctx context.Context, q Query) (Page[ModelVersion], error) {
	switch {
	case q.MaxResults < 1:
		return Page[ModelVersion]{}, Invalidf("Invalid value for max_results. It must be a positive integer, but got %d", q.MaxResults)
	case q.MaxResults > MaxVersionPage:
		return Page[ModelVersion]{}, Invalidf("Invalid value for request parameter max_results. It must be at most %d, but got value %d", MaxVersionPage, q.MaxResults)
	}
	sel := &selection{columns: modelVersionColumns, from: "model_versions v JOIN registered_models m ON m.mid = v.mid"}
	cs, err := modelVersionGrammar.Parse(q.Filter)
	if err != nil {
		return Page[ModelVersion]{}, asInvalid(err)
	}
	cs, prompts := promptClause(cs, "v.mid IN (SELECT w.mid FROM model_version_tags x JOIN model_versions w ON w.vid = x.vid WHERE x.key = '"+TagIsPrompt+"' AND x.value = 'true')")
	sel.and(prompts)
	sel.readableModels(ctx, Need{Type: OnModelVersion}, Need{Type: OnPromptVer})
	sel.comparisons(&modelVersionColumnsOf, cs)
	orders, err := modelVersionGrammar.ParseOrder(q.OrderBy)
	if err != nil {
		return Page[ModelVersion]{}, asInvalid(err)
	}
	for _, o := range orders {
		if o.Kind != filter.Attribute {
			return Page[ModelVersion]{}, Invalidf("Invalid order by key '%s' specified. Valid keys are {'creation_timestamp', 'last_updated_timestamp', 'name', 'version_number'}", o.Key)
		}
		sel.order = append(sel.order, modelVersionColumnsOf.Attributes[o.Key]+direction(o.Desc))
	}
	if len(orders) == 0 {
		sel.order = []string{"v.last_updated_timestamp DESC"}
	}
	sel.order = append(sel.order, "m.name ASC", "v.version DESC")
	rows, err := eachSelection(ctx, s.db, sel, readModelVersion, q.MaxResults, q.PageToken)
	if err != nil {
		return Page[ModelVersion]{}, err
	}
	if err := s.loadModelVersionTags(ctx, rows.Items); err != nil {
		return Page[ModelVersion]{}, err
	}
	out := Page[ModelVersion]{NextPageToken: rows.NextPageToken, Items: make([]ModelVersion, len(rows.Items))}
	for i, r := range rows.Items {
		out.Items[i] = r.version
	}
	return out, nil
}
