package registry

import (
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/prinzbox/prinzbox/registry/filter"
)

var loggedModelGrammar = filter.Grammar{
	Prefixes: prefixes(map[string]filter.Kind{"attribute": filter.Attribute, "attributes": filter.Attribute}, tagPrefixes, metricParamPrefixes),
	Entities: "['attributes', 'metrics', 'params', 'tags']",
	Attributes: map[string]filter.Attr{
		"name": {List: true}, "model_id": {List: true}, "model_type": {List: true}, "source_run_id": {List: true}, "status": {List: true},
		"creation_timestamp": {Numeric: true}, "creation_time": {Name: "creation_timestamp", Numeric: true}, "last_updated_timestamp": {Numeric: true},
	},
	ListKinds: []filter.Kind{filter.Param, filter.Tag},
}

var loggedModelColumnsOf = filter.Columns{
	Attributes: map[string]string{
		"name": "m.name", "model_id": "m.model_id", "model_type": "m.model_type", "source_run_id": "m.source_run_id", "status": "m.status",
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

// loggedModelToken is a page token; it knows the request it belongs to.
type loggedModelToken struct {
	ExperimentIDs []string           `json:"experiment_ids"`
	Filter        string             `json:"filter_string"`
	OrderBy       []LoggedModelOrder `json:"order_by"`
	Offset        int                `json:"offset"`
}

// SearchLoggedModels gives a page of the logged models of some experiments, the newest first unless order says otherwise.
func (s *Store) SearchLoggedModels(ctx context.Context, experimentIDs []string, text string, order []LoggedModelOrder, max int, pageToken string) (Page[LoggedModel], error) {
	if max < 1 {
		return Page[LoggedModel]{}, Invalidf("Invalid value %d for parameter 'max_results' supplied. It must be a positive integer", max)
	}
	token := loggedModelToken{ExperimentIDs: experimentIDs, Filter: text, OrderBy: order}
	offset, err := token.read(pageToken)
	if err != nil {
		return Page[LoggedModel]{}, err
	}
	eids := make([]any, len(experimentIDs))
	for i, id := range experimentIDs {
		if eids[i], err = parseExperimentID(id); err != nil {
			return Page[LoggedModel]{}, err
		}
	}
	sel := &selection{columns: loggedModelColumns, from: "logged_models m"}
	sel.and("m.eid IN (SELECT value FROM json_each(?))", jsonInts(eids))
	sel.and("m.lifecycle_stage = ?", StageActive)
	if err := sel.filterBy(&loggedModelGrammar, &loggedModelColumnsOf, text); err != nil {
		return Page[LoggedModel]{}, err
	}
	if err := orderLoggedModels(sel, order); err != nil {
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

func orderLoggedModels(sel *selection, order []LoggedModelOrder) error {
	for _, o := range order {
		parsed, err := loggedModelGrammar.ParseOrder([]string{o.FieldName})
		if err != nil {
			return asInvalid(err)
		}
		desc := o.Ascending != nil && !*o.Ascending
		switch f := parsed[0]; f.Kind {
		case filter.Attribute:
			sel.order = append(sel.order, loggedModelColumnsOf.Attributes[f.Key]+direction(desc))
		case filter.Metric:
			// The newest value over all datasets, or on the one asked for.
			value := "(SELECT x.value FROM logged_model_metrics x WHERE x.lid = m.lid AND x.key = ? AND (? = '' OR x.dataset_name = ?) AND (? = '' OR x.dataset_digest = ?) ORDER BY x.timestamp DESC, x.step DESC, x.value DESC LIMIT 1)"
			args := []any{f.Key, o.DatasetName, o.DatasetName, o.DatasetDigest, o.DatasetDigest}
			sel.order = append(sel.order, value+" IS NULL", value+direction(desc))
			sel.orderArgs = append(append(sel.orderArgs, args...), args...)
		default:
			return Invalidf("Invalid order by field name: '%s'. Only attributes and metrics can be ordered by.", o.FieldName)
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
func (t loggedModelToken) read(text string) (int, error) {
	if text == "" {
		return 0, nil
	}
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return 0, Invalidf("Invalid page token, could not base64-decode")
	}
	var have loggedModelToken
	if err := json.Unmarshal(raw, &have); err != nil || have.Offset < 0 {
		return 0, Invalidf("Invalid page token, decoded value=b%q", raw)
	}
	if !slices.Equal(have.ExperimentIDs, t.ExperimentIDs) {
		return 0, Invalidf("Experiment IDs in the page token do not match the requested experiment IDs. Expected: %s. Found: %s", pyList(t.ExperimentIDs), pyList(have.ExperimentIDs))
	}
	if have.Filter != t.Filter {
		return 0, Invalidf("Filter string in the page token does not match the requested filter string. Expected: %s. Found: %s", t.Filter, have.Filter)
	}
	a, _ := json.Marshal(have.OrderBy)
	b, _ := json.Marshal(t.OrderBy)
	if string(a) != string(b) && fmt.Sprint(len(have.OrderBy), len(t.OrderBy)) != "0 0" {
		return 0, Invalidf("Order by in the page token does not match the requested order by. Expected: %s. Found: %s", b, a)
	}
	return have.Offset, nil
}
