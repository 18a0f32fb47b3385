package registry

import (
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/prinzbox/prinzbox/registry/filter"
)

var loggedModelGrammar = filter.Grammar{
	Dialect:  filter.LoggedModels,
	Prefixes: map[string]filter.Kind{"attributes": filter.Attribute, "metrics": filter.Metric, "params": filter.Param, "tags": filter.Tag},
	Attributes: map[string]filter.Attr{
		"name": {List: true}, "model_id": {List: true}, "model_type": {List: true}, "source_run_id": {List: true}, "status": {List: true},
		"creation_timestamp": {Numeric: true}, "creation_time": {Name: "creation_timestamp", Numeric: true}, "last_updated_timestamp": {Numeric: true},
		"creation_timestamp_ms": {Name: "creation_timestamp", Numeric: true}, "last_updated_timestamp_ms": {Name: "last_updated_timestamp", Numeric: true},
		"experiment_id": {List: true},
	},
	ListKinds: []filter.Kind{filter.Param, filter.Tag},
}

var loggedModelColumnsOf = filter.Columns{
	Attributes: map[string]string{
		"name": "m.name", "model_id": "m.model_id", "model_type": "m.model_type", "source_run_id": "m.source_run_id", "status": "m.status", "experiment_id": "m.eid",
		"creation_timestamp": "m.creation_timestamp", "last_updated_timestamp": "m.last_updated_timestamp",
	},
	Rows: map[filter.Kind]string{
		filter.Metric: "SELECT 1 FROM logged_model_metrics x WHERE x.lid = m.lid AND x.key = ?",
		filter.Param:  "SELECT 1 FROM logged_model_params x WHERE x.lid = m.lid AND x.key = ?",
		filter.Tag:    "SELECT 1 FROM logged_model_tags x WHERE x.lid = m.lid AND x.key = ?",
	},
}

// LoggedModelOrder is one order_by entry of a logged-models search. Ascending nil means true. With a dataset, a metric is the one measured on it.
type LoggedModelOrder struct {
	FieldName     string `json:"field_name"`
	Ascending     *bool  `json:"ascending,omitempty"`
	DatasetName   string `json:"dataset_name,omitempty"`
	DatasetDigest string `json:"dataset_digest,omitempty"`
}

// DatasetFilter narrows the metrics that a search of logged models looks at to those measured on a dataset; an empty Digest means any.
type DatasetFilter struct{ Name, Digest string }

// LoggedModelQuery is a search of logged models.
type LoggedModelQuery struct {
	ExperimentIDs []string
	Filter        string
	Datasets      []DatasetFilter
	OrderBy       []LoggedModelOrder
	MaxResults    int
	PageToken     string
}

// loggedModelToken is a page token; it knows the request it belongs to. Filter and OrderBy are null when the request had none.
type loggedModelToken struct {
	ExperimentIDs []string                `json:"experiment_ids"`
	Filter        *string                 `json:"filter_string"`
	OrderBy       []loggedModelTokenOrder `json:"order_by"`
	Offset        int                     `json:"offset"`
}

type loggedModelTokenOrder struct {
	FieldName     string  `json:"field_name"`
	Ascending     bool    `json:"ascending"`
	DatasetName   *string `json:"dataset_name"`
	DatasetDigest *string `json:"dataset_digest"`
}

func newLoggedModelToken(q LoggedModelQuery) loggedModelToken {
	orNull := func(s string) *string {
		if s == "" {
			return nil
		}
		return &s
	}
	t := loggedModelToken{ExperimentIDs: q.ExperimentIDs, Filter: orNull(q.Filter)}
	for _, o := range q.OrderBy {
		t.OrderBy = append(t.OrderBy, loggedModelTokenOrder{o.FieldName, o.Ascending == nil || *o.Ascending, orNull(o.DatasetName), orNull(o.DatasetDigest)})
	}
	return t
}

// SearchLoggedModels gives a page of the logged models of some experiments, the newest first unless OrderBy says otherwise.
func (s *Store) SearchLoggedModels(ctx context.Context, q LoggedModelQuery) (Page[LoggedModel], error) {
	max := q.MaxResults
	if max < 1 {
		return Page[LoggedModel]{}, Invalidf("Invalid value %d for parameter 'max_results' supplied. It must be a positive integer", max)
	}
	for _, d := range q.Datasets {
		if d.Name == "" {
			return Page[LoggedModel]{}, Invalidf("`dataset_name` in the `datasets` clause must be specified.")
		}
	}
	token := newLoggedModelToken(q)
	offset, err := token.read(q.PageToken)
	if err != nil {
		return Page[LoggedModel]{}, err
	}
	q.ExperimentIDs = readableExperiments(ctx, q.ExperimentIDs, Need{Type: OnLoggedModel})
	eids := make([]any, len(q.ExperimentIDs))
	for i, id := range q.ExperimentIDs {
		if eids[i], err = parseExperimentID(id); err != nil {
			return Page[LoggedModel]{}, err
		}
	}
	sel := &selection{columns: loggedModelColumns, from: "logged_models m"}
	sel.and("m.eid "+inList, jsonInts(eids))
	sel.and("m.lifecycle_stage = ?", StageActive)
	cs, err := loggedModelGrammar.Parse(q.Filter)
	if err != nil {
		return Page[LoggedModel]{}, asInvalid(err)
	}
	sel.loggedModels(cs, q.Datasets)
	if err := orderLoggedModels(sel, q.OrderBy); err != nil {
		return Page[LoggedModel]{}, err
	}
	inner := ""
	if offset > 0 {
		inner = makePageToken(offset)
	}
	rd := s.db.Scan()
	rows, err := runSelection(ctx, rd, sel, func(rows *sql.Rows) (loggedModelRow, error) { return scanLoggedModel(rows) }, max, inner)
	if err != nil {
		return Page[LoggedModel]{}, err
	}
	models, err := loadLoggedModels(ctx, rd, rows.Items)
	page := Page[LoggedModel]{Items: models}
	if rows.NextPageToken != "" {
		token.Offset = offset + max
		page.NextPageToken = token.String()
	}
	return page, err
}

// loggedModels adds the conditions of a filter; with datasets, its metrics are those measured on one of them.
func (sel *selection) loggedModels(cs []filter.Comparison, datasets []DatasetFilter) {
	if len(datasets) == 0 {
		sel.comparisons(&loggedModelColumnsOf, cs)
		return
	}
	// One value holds all datasets, so that the text of the search does not depend on their number.
	pairs, _ := json.Marshal(datasets) // strings always encode
	on := " AND EXISTS (SELECT 1 FROM " + elements + " d WHERE " + member("d.value", "Name") + " = x.dataset_name AND " + member("d.value", "Digest") + " IN ('', x.dataset_digest))"
	onDatasets := loggedModelColumnsOf
	onDatasets.Rows = maps.Clone(onDatasets.Rows)
	onDatasets.Rows[filter.Metric] += on
	measured := false
	for _, c := range cs {
		where, args := onDatasets.Compile([]filter.Comparison{c})
		if c.Kind == filter.Metric {
			measured = true
			args = slices.Insert(args, 1, any(string(pairs))) // behind the key
		}
		sel.and(where, args...)
	}
	if !measured {
		sel.and("EXISTS (SELECT 1 FROM logged_model_metrics x WHERE x.lid = m.lid"+on+")", string(pairs))
	}
}

func orderLoggedModels(sel *selection, order []LoggedModelOrder) error {
	for _, o := range order {
		desc := o.Ascending != nil && !*o.Ascending
		prefix, key, dotted := strings.Cut(o.FieldName, ".")
		a, known := loggedModelGrammar.Attributes[o.FieldName]
		switch {
		case known && !dotted:
			name := o.FieldName
			if a.Name != "" {
				name = a.Name
			}
			sel.order = append(sel.order, loggedModelColumnsOf.Attributes[name]+direction(desc))
		case !dotted:
			return &Error{Code: InvalidParameterValue, Message: "Invalid order by field name: " + o.FieldName, SQLState: "KAM04", Class: "ATTRIBUTE_NOT_FOUND"}
		case prefix == "metrics":
			// The newest value over all datasets, or on the one asked for.
			value := "(SELECT x.value FROM logged_model_metrics x WHERE x.lid = m.lid AND x.key = ? AND (? = '' OR x.dataset_name = ?) AND (? = '' OR x.dataset_digest = ?) ORDER BY x.timestamp DESC, x.step DESC, x.run_id LIMIT 1)"
			args := []any{key, o.DatasetName, o.DatasetName, o.DatasetDigest, o.DatasetDigest}
			sel.order = append(sel.order, value+" IS NULL", value+direction(desc))
			sel.orderArgs = append(append(sel.orderArgs, args...), args...)
		default:
			return Invalidf("Invalid order by field name: %s. Only metrics are supported.", o.FieldName)
		}
	}
	sel.order = append(sel.order, "m.creation_timestamp DESC", "m.model_id ASC")
	return nil
}

func (t loggedModelToken) String() string {
	b, _ := json.Marshal(t) // strings and numbers always encode
	return base64.StdEncoding.EncodeToString(b)
}

// read takes the offset out of a token that must belong to the request t.
func (t loggedModelToken) read(token string) (int, error) {
	if token == "" {
		return 0, nil
	}
	raw, err := base64.StdEncoding.DecodeString(token)
	if err != nil {
		return 0, Invalidf("Invalid page token, could not base64-decode")
	}
	var have loggedModelToken
	if err := json.Unmarshal(raw, &have); err != nil || have.Offset < 0 {
		return 0, Invalidf("Invalid page token, decoded value=b%q", raw)
	}
	if !slices.Equal(have.ExperimentIDs, t.ExperimentIDs) {
		return 0, Invalidf("Experiment IDs in the page token do not match the requested experiment IDs. Expected: %s. Found: %s", pyList(t.ExperimentIDs), orNone(have.ExperimentIDs != nil, pyList(have.ExperimentIDs)))
	}
	if orEmpty(have.Filter) != orEmpty(t.Filter) {
		return 0, Invalidf("Filter string in the page token does not match the requested filter string. Expected: %s. Found: %s",
			orNone(t.Filter != nil, orEmpty(t.Filter)), orNone(have.Filter != nil, orEmpty(have.Filter)))
	}
	if a, b := pyOrder(have.OrderBy), pyOrder(t.OrderBy); a != b {
		return 0, Invalidf("Order by in the page token does not match the requested order by. Expected: %s. Found: %s", b, a)
	}
	return have.Offset, nil
}

func orEmpty(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func orNone(there bool, s string) string {
	if !there {
		return "None"
	}
	return s
}

// pyOrder is how Python prints a token's order.
func pyOrder(order []loggedModelTokenOrder) string {
	if len(order) == 0 {
		return "None"
	}
	items := make([]string, len(order))
	quote := func(s *string) string { return orNone(s != nil, pyQuote(orEmpty(s))) }
	for i, o := range order {
		ascending := "False"
		if o.Ascending {
			ascending = "True"
		}
		items[i] = fmt.Sprintf("{'field_name': %s, 'ascending': %s, 'dataset_name': %s, 'dataset_digest': %s}", pyQuote(o.FieldName), ascending, quote(o.DatasetName), quote(o.DatasetDigest))
	}
	return "[" + strings.Join(items, ", ") + "]"
}
