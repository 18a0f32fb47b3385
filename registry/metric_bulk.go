package registry

import (
	"context"
	"database/sql"
	"errors"
	"strings"
)

// Limits of the bulk histories (contract/behaviours.md, section 6).
const (
	MaxBulkRuns          = 100
	MaxBulkPoints        = 25000
	MaxBulkPerRun        = 2500
	maxDatasetSummaries  = 1000
	maxDatasetExperiment = 20
)

func scanRunMetric(key string) func(*sql.Rows) (Metric, error) {
	return func(rows *sql.Rows) (Metric, error) {
		m := Metric{Key: key}
		var nan bool
		err := rows.Scan(&m.RunID, &m.Value, &nan, &m.Timestamp, &m.Step)
		m.Value = m.Value.orNaN(nan)
		return m, err
	}
}

// BulkMetricHistory gives the points of one metric of several runs, ordered by run id, timestamp, step and value, and cut at max in all.
func (s *Store) BulkMetricHistory(ctx context.Context, runIDs []string, key string, max int) ([]Metric, error) {
	switch {
	case len(runIDs) == 0:
		return nil, Invalidf("GetMetricHistoryBulk request must specify at least one run_id.")
	case len(runIDs) > MaxBulkRuns:
		return nil, Invalidf("GetMetricHistoryBulk request cannot specify more than %d run_ids. Received %d run_ids.", MaxBulkRuns, len(runIDs))
	case key == "":
		return nil, Invalidf("GetMetricHistoryBulk request must specify a metric_key.")
	}
	args := make([]any, 0, len(runIDs)+2)
	for _, id := range runIDs {
		args = append(args, id)
	}
	args = append(args, key, min(max, MaxBulkPoints))
	return queryRows(ctx, s.db.Read(), scanRunMetric(key), `SELECT r.run_id, m.value, m.is_nan, m.timestamp, m.step FROM runs r JOIN metrics m ON m.rid = r.rid
		WHERE r.run_id IN (`+placeholders(len(runIDs))+`) AND m.key = ? ORDER BY r.run_id, m.timestamp, m.step, m.value LIMIT ?`, args...)
}

// Steps is a range of steps, both ends included.
type Steps struct{ Start, End int64 }

// SampledMetricHistory gives at most max points of one metric per run, in the order of the runs: the points of a run, ordered by step,
// timestamp and value, are cut into max buckets of equal size, of which the first points come, and always the last point of all. steps
// nil means all.
func (s *Store) SampledMetricHistory(ctx context.Context, runIDs []string, key string, steps *Steps, max int) ([]Metric, error) {
	if len(runIDs) > MaxBulkRuns {
		return nil, Invalidf("GetMetricHistoryBulkInterval request must specify at most %d run_ids. Received %d run_ids.", MaxBulkRuns, len(runIDs))
	}
	if max < 1 || max > MaxBulkPerRun {
		return nil, Invalidf("max_results must be between 1 and %d. See the API docs for more information about request parameters.", MaxBulkPerRun)
	}
	if steps != nil && steps.Start > steps.End {
		return nil, Invalidf("end_step must be greater than start_step. Found start_step=%d and end_step=%d.", steps.Start, steps.End)
	}
	q := s.db.Read()
	var out []Metric
	for _, id := range runIDs {
		var rid int64
		err := q.QueryRowContext(ctx, "SELECT rid FROM runs WHERE run_id = ?", id).Scan(&rid)
		if errors.Is(err, sql.ErrNoRows) {
			continue
		} else if err != nil {
			return nil, err
		}
		points, err := sampleRun(ctx, q, id, rid, key, steps, max)
		if err != nil {
			return nil, err
		}
		out = append(out, points...)
	}
	return out, nil
}

func sampleRun(ctx context.Context, q querier, id string, rid int64, key string, steps *Steps, max int) ([]Metric, error) {
	where, args := "rid = ? AND key = ?", []any{rid, key}
	if steps != nil {
		where += " AND step BETWEEN ? AND ?"
		args = append(args, steps.Start, steps.End)
	}
	const order = "step, timestamp, value, is_nan"
	sampled, err := queryRows(ctx, q, scanRunMetric(key), `SELECT ?, value, is_nan, timestamp, step FROM (
			SELECT *, row_number() OVER (PARTITION BY bucket ORDER BY `+order+`) AS n FROM (
				SELECT value, is_nan, timestamp, step, ntile(?) OVER (ORDER BY `+order+`) AS bucket FROM metrics WHERE `+where+`) AS b) AS ranked
		WHERE n = 1 ORDER BY `+order, append([]any{id, max}, args...)...)
	if err != nil || len(sampled) == 0 {
		return nil, err
	}
	last, err := queryRows(ctx, q, scanRunMetric(key), `SELECT ?, value, is_nan, timestamp, step FROM metrics WHERE `+where+`
		ORDER BY `+strings.ReplaceAll(order, ",", " DESC,")+` DESC LIMIT 1`, append([]any{id}, args...)...)
	if err != nil || len(last) == 0 {
		return nil, err
	}
	end, have := last[0], sampled[len(sampled)-1]
	same := end.Step == have.Step && end.Timestamp == have.Timestamp && (end.Value == have.Value || end.Value != end.Value && have.Value != have.Value) //nolint:gocritic // NaN is the one value that differs from itself
	switch {
	case same:
	case len(sampled) >= max:
		sampled[len(sampled)-1] = end
	default:
		sampled = append(sampled, end)
	}
	return sampled, nil
}

// DatasetSummary is one dataset of an experiment in one of its uses.
type DatasetSummary struct {
	ExperimentID string `json:"experiment_id"`
	Name         string `json:"name"`
	Digest       string `json:"digest"`
	Context      string `json:"context,omitempty"`
}

// SearchDatasets lists the datasets that runs of some experiments read, at most 1,000.
func (s *Store) SearchDatasets(ctx context.Context, experimentIDs []string) ([]DatasetSummary, error) {
	switch {
	case len(experimentIDs) == 0:
		return nil, Invalidf("SearchDatasets request must specify at least one experiment_id.")
	case len(experimentIDs) > maxDatasetExperiment:
		return nil, Invalidf("SearchDatasets request cannot specify more than %d experiment_ids. Received %d experiment_ids.", maxDatasetExperiment, len(experimentIDs))
	}
	args := make([]any, 0, len(experimentIDs)+1)
	for _, id := range experimentIDs {
		eid, err := parseExperimentID(id)
		if err != nil {
			return nil, err
		}
		args = append(args, eid)
	}
	return queryRows(ctx, s.db.Read(), func(rows *sql.Rows) (d DatasetSummary, err error) {
		err = rows.Scan(&d.ExperimentID, &d.Name, &d.Digest, &d.Context)
		return d, err
	}, `SELECT DISTINCT CAST(d.eid AS TEXT), d.name, d.digest, coalesce(i.context, '') FROM datasets d JOIN run_datasets i ON i.did = d.did
		WHERE d.eid IN (`+placeholders(len(experimentIDs))+`) ORDER BY d.eid, d.name, d.digest, 4 LIMIT ?`, append(args, maxDatasetSummaries)...)
}
