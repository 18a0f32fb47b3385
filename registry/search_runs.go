package registry

import (
	"context"
	"fmt"

	"github.com/prinzbox/prinzbox/registry/filter"
)

var metricParamPrefixes = map[string]filter.Kind{
	"metric": filter.Metric, "metrics": filter.Metric,
	"parameter": filter.Param, "parameters": filter.Param, "param": filter.Param, "params": filter.Param,
}

var runGrammar = filter.Grammar{
	Prefixes: prefixes(attributePrefixes, tagPrefixes, metricParamPrefixes,
		map[string]filter.Kind{"run": filter.Attribute, "dataset": filter.Dataset, "datasets": filter.Dataset}),
	Dialect: filter.Runs,
	Attributes: map[string]filter.Attr{
		"run_id": {List: true}, "run_name": {}, "status": {}, "artifact_uri": {}, "user_id": {},
		"run name": {Name: "run_name", FilterOnly: true}, "Run name": {Name: "run_name", FilterOnly: true}, "Run Name": {Name: "run_name", FilterOnly: true},
		"start_time": {Numeric: true}, "end_time": {Numeric: true},
		"created": {Name: "start_time", Numeric: true}, "Created": {Name: "start_time", Numeric: true},
	},
	NullKinds:   []filter.Kind{filter.Param, filter.Tag},
	ListKinds:   []filter.Kind{filter.Dataset},
	DatasetKeys: []string{"context", "digest", "name"},
}

// rowsOfRun finds a metric, param or tag of the run that a column holds.
func rowsOfRun(rid string) map[filter.Kind]string {
	return map[filter.Kind]string{
		filter.Metric: "SELECT 1 FROM latest_metrics x WHERE x.rid = " + rid + " AND x.key = ?",
		filter.Param:  "SELECT 1 FROM params x WHERE x.rid = " + rid + " AND x.key = ?",
		filter.Tag:    "SELECT 1 FROM tags x WHERE x.rid = " + rid + " AND x.key = ?",
	}
}

const runDatasetRows = "SELECT 1 FROM run_datasets i JOIN datasets d ON d.did = i.did WHERE i.rid = r.rid AND "

var runColumnsOf = filter.Columns{
	Attributes: map[string]string{
		"run_id": "r.run_id", "status": "r.status", "artifact_uri": "r.artifact_uri", "user_id": "r.user_id",
		"start_time": "r.start_time", "end_time": "r.end_time",
		// MLflow looks at the tag, which can be deleted while the name stays.
		"run_name": "(SELECT n.value FROM tags n WHERE n.rid = r.rid AND n.key = '" + TagRunName + "')",
	},
	Rows: rowsOfRun("r.rid"),
	Datasets: map[string][2]string{
		"name": {runDatasetRows, "d.name"}, "digest": {runDatasetRows, "d.digest"}, "context": {runDatasetRows, "i.context"},
	},
}

// SearchRuns gives a page of the runs of some experiments, the newest first unless OrderBy says otherwise. No or unknown experiments
// are an empty page.
func (s *Store) SearchRuns(ctx context.Context, experimentIDs []string, q Query) (Page[Run], error) {
	if err := maxResults(q.MaxResults, MaxPage); err != nil {
		return Page[Run]{}, err
	}
	experimentIDs = readableExperiments(ctx, experimentIDs, Need{Type: OnRun})
	sel := &selection{columns: runColumns, from: "runs r"}
	eids := make([]any, len(experimentIDs))
	for i, id := range experimentIDs {
		eid, err := parseExperimentID(id)
		if err != nil {
			return Page[Run]{}, err
		}
		eids[i] = eid
	}
	cs, err := runGrammar.Parse(q.Filter)
	if err != nil {
		return Page[Run]{}, asInvalid(err)
	}
	orders, err := runGrammar.ParseOrder(q.OrderBy)
	if err != nil {
		return Page[Run]{}, asInvalid(err)
	}
	offset, err := parsePageToken(q.PageToken)
	if err != nil {
		return Page[Run]{}, err
	}
	switch {
	case len(eids) == 0:
		return Page[Run]{}, nil
	case len(eids) == 1 && len(orders) > 0 && orders[0].Kind == filter.Metric:
		rows, err := s.runsByMetric(ctx, eids[0], cs, orders, q, offset)
		if err != nil {
			return Page[Run]{}, err
		}
		runs, err := s.loadRuns(ctx, rows.Items)
		return Page[Run]{Items: runs, NextPageToken: rows.NextPageToken}, err
	case len(eids) == 1:
		sel.and("r.eid = ?", eids[0])
	default:
		// One value that holds all ids: no limit on their number, and one statement text for all.
		sel.and("r.eid "+inList, jsonInts(eids))
	}
	sel.view("r.lifecycle_stage", q.View)
	sel.comparisons(&runColumnsOf, cs)
	sel.orderRuns(orders)
	rows, err := s.runRows(ctx, sel, q.MaxResults+1, offset)
	if err != nil {
		return Page[Run]{}, err
	}
	page := pageOf(rows, q.MaxResults, offset)
	runs, err := s.loadRuns(ctx, page.Items)
	return Page[Run]{Items: runs, NextPageToken: page.NextPageToken}, err
}

// orderRuns adds an order: what the clauses say, missing values last in both directions and NaN just before them, then the newest first,
// then by run id.
func (sel *selection) orderRuns(orders []filter.Order) {
	byStart := false
	for i, o := range orders {
		t := fmt.Sprintf("o%d", i)
		switch o.Kind {
		case filter.Attribute:
			column := runColumnsOf.Attributes[o.Key]
			if o.Key == "run_name" {
				column = "r.name"
			}
			if o.Key == "end_time" { // the only one that can be missing
				sel.order = append(sel.order, column+" IS NULL")
			}
			byStart = byStart || o.Key == "start_time"
			sel.order = append(sel.order, column+direction(o.Desc))
		case filter.Metric:
			sel.from += " LEFT JOIN latest_metrics " + t + " ON " + t + ".rid = r.rid AND " + t + ".key = ?"
			sel.fromArgs = append(sel.fromArgs, o.Key)
			sel.order = append(sel.order, t+".rid IS NULL", t+".is_nan", t+".value"+direction(o.Desc))
		default:
			table := map[filter.Kind]string{filter.Param: "params", filter.Tag: "tags"}[o.Kind]
			sel.from += " LEFT JOIN " + table + " " + t + " ON " + t + ".rid = r.rid AND " + t + ".key = ?"
			sel.fromArgs = append(sel.fromArgs, o.Key)
			sel.order = append(sel.order, t+".rid IS NULL", t+".value"+direction(o.Desc))
		}
	}
	if !byStart {
		sel.order = append(sel.order, "r.start_time DESC")
	}
	sel.order = append(sel.order, "r.run_id ASC")
}
