package registry

import (
	"context"

	"github.com/prinzbox/prinzbox/registry/filter"
)

// runsByMetric is a page of the runs of one experiment, ordered by a metric first. Runs with a value come in the order of the index
// latest_metrics_by_value, then those with NaN, then those without the metric, in both directions; so a page costs what it shows, not a sort of
// all runs.
func (s *Store) runsByMetric(ctx context.Context, eid any, cs []filter.Comparison, orders []filter.Order, q Query, offset int) (Page[runRow], error) {
	key, want := orders[0].Key, q.MaxResults+1
	var rows []runRow
	passed := 0 // rows of the parts so far
	for _, part := range []metricPart{withValue, withNaN, without} {
		sel := part.selection(eid, key, orders[0].Desc, cs)
		if sel == nil {
			continue
		}
		sel.view("r.lifecycle_stage", q.View)
		sel.orderRuns(orders[1:])
		skip := max(0, offset-passed)
		more, err := s.runRows(ctx, sel, want-len(rows), skip)
		if err != nil {
			return Page[runRow]{}, err
		}
		if rows = append(rows, more...); len(rows) == want {
			break
		}
		if len(more) > 0 || skip == 0 {
			passed += skip + len(more)
			continue
		}
		n, err := sel.count(ctx, s.db.Scan())
		if err != nil {
			return Page[runRow]{}, err
		}
		passed += n
	}
	return pageOf(rows, q.MaxResults, offset), nil
}

// metricPart is a part of the runs, by what they have of a metric.
type metricPart int

const (
	withValue metricPart = iota
	withNaN
	without
)

// orderedRunColumns asks for params, metrics and tags by the index's own run, so that SQLite need not fetch the run first.
var orderedRunColumns = filter.Columns{Attributes: runColumnsOf.Attributes, Datasets: runColumnsOf.Datasets, Rows: rowsOfRun("o.rid")}

// selection is the search of a part, nil if the filter leaves none of it. The filter's conditions on the metric itself become
// conditions on the index.
func (part metricPart) selection(eid any, key string, desc bool, cs []filter.Comparison) *selection {
	if part == without {
		sel := &selection{columns: runColumns, from: "runs r"}
		sel.and("r.eid = ?", eid)
		sel.and("NOT EXISTS (SELECT 1 FROM latest_metrics x WHERE x.rid = r.rid AND x.key = ?)", key)
		for _, c := range cs {
			if c.Kind == filter.Metric && c.Key == key {
				return nil
			}
		}
		sel.comparisons(&runColumnsOf, cs)
		return sel
	}
	// CROSS JOIN keeps SQLite from starting at the runs; to other databases it is a join like any.
	sel := &selection{columns: runColumns, from: "latest_metrics o CROSS JOIN runs r"}
	sel.and("r.rid = o.rid")
	sel.and("o.eid = ?", eid)
	sel.and("o.key = ?", key)
	sel.and("o.is_nan = ?", int(part)) // 0 or 1
	for _, c := range cs {
		switch {
		case c.Kind != filter.Metric || c.Key != key:
			sel.comparisons(&orderedRunColumns, []filter.Comparison{c})
		case part == withValue:
			sel.and("o.value "+c.Op+" ?", c.Value)
		case c.Op != "!=": // nothing else holds for NaN
			return nil
		}
	}
	if part == withValue {
		sel.order = []string{"o.value" + direction(desc)}
	}
	return sel
}

// runRows reads some of the runs of a selection.
func (s *Store) runRows(ctx context.Context, sel *selection, limit, offset int) ([]runRow, error) {
	query, args := sel.page(limit, offset)
	return eachOf(ctx, s.db, readRun, query, args...)
}

func (sel *selection) count(ctx context.Context, q querier) (n int, err error) {
	query, args := sel.text("count(*)")
	err = q.QueryRowContext(ctx, query, args...).Scan(&n)
	return n, err
}
