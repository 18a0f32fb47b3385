package registry

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strings"

	"github.com/prinzbox/prinzbox/registry/pyjson"
)

// Float is a float64 that MLflow's JSON can carry: NaN is the text "NaN". Infinities do not occur in answers: the store
// clamps them to the largest float, as MLflow does.
type Float float64

// MarshalJSON writes NaN and infinities as text.
func (f Float) MarshalJSON() ([]byte, error) { return f.AppendJSON(make([]byte, 0, 24)), nil }

// AppendJSON appends what MarshalJSON writes.
func (f Float) AppendJSON(b []byte) []byte {
	v := float64(f)
	switch {
	case math.IsNaN(v):
		return append(b, `"NaN"`...)
	case math.IsInf(v, 1):
		return append(b, `"Infinity"`...)
	case math.IsInf(v, -1):
		return append(b, `"-Infinity"`...)
	}
	return pyjson.AppendFloat(b, v)
}

func (f Float) orNaN(nan bool) Float {
	if nan {
		return Float(math.NaN())
	}
	return f
}

// Metric is one point. Timestamp is milliseconds since 1970, not negative; Step may be anything. The fields after Step name the logged
// model and the dataset that a 3.x client measured, and are empty otherwise.
type Metric struct {
	Key           string `json:"key"`
	Value         Float  `json:"value"`
	Timestamp     int64  `json:"timestamp"`
	Step          int64  `json:"step"`
	DatasetName   string `json:"dataset_name,omitempty"`
	DatasetDigest string `json:"dataset_digest,omitempty"`
	ModelID       string `json:"model_id,omitempty"`
	RunID         string `json:"run_id,omitempty"`
}

// stored is how a value stands in a row: NaN as 0 with a mark, infinities clamped.
func (f Float) stored() (value float64, nan bool) {
	switch v := float64(f); {
	case math.IsNaN(v):
		return 0, true
	case math.IsInf(v, 1):
		return math.MaxFloat64, false
	case math.IsInf(v, -1):
		return -math.MaxFloat64, false
	default:
		return v, false
	}
}

// Batch is what LogBatch writes at once, all or nothing.
type Batch struct {
	Metrics []Metric
	Params  []KeyValue
	Tags    []KeyValue
}

// Limits of one batch (contract/behaviours.md, section 3).
const (
	MaxBatchMetrics = 1000
	MaxBatchParams  = 100
	MaxBatchTags    = 100
	MaxBatchTotal   = 1000
)

// LogBatch writes metrics, params and tags to an active run, in one transaction.
func (s *Store) LogBatch(ctx context.Context, runID string, b Batch) error {
	b, err := s.validateBatch(b)
	if err != nil {
		return err
	}
	return s.logBatch(ctx, runID, b)
}

func (s *Store) logBatch(ctx context.Context, runID string, b Batch) error {
	return s.db.Write(ctx, func(tx querier) error { return writeBatch(ctx, tx, runID, b) })
}

func writeBatch(ctx context.Context, tx querier, runID string, b Batch) error {
	run, err := activeRun(ctx, tx, runID)
	if err != nil {
		return err
	}
	if err := logParams(ctx, tx, run.rid, runID, b.Params); err != nil {
		return err
	}
	if len(b.Metrics) > 0 {
		if err := logMetrics(ctx, tx, run, runID, b.Metrics); err != nil {
			return err
		}
	}
	for _, t := range b.Tags {
		if err := setTag(ctx, tx, run.rid, t); err != nil {
			return err
		}
	}
	return nil
}

// LogMetric writes one point to an active run. A point that is there already is no error.
func (s *Store) LogMetric(ctx context.Context, runID string, m Metric) error {
	if err := validateMetric(&m, -1); err != nil {
		return err
	}
	if m.ModelID != "" {
		return s.logBatch(ctx, runID, Batch{Metrics: []Metric{m}})
	}
	// The call that training loops make most often: two statements that look the run up themselves. One that finds nothing to insert (no such
	// run, a deleted one, a point that is there) leaves the rest to the batch.
	const active = " FROM runs r WHERE r.run_id = ? AND r.lifecycle_stage = '" + StageActive + "'"
	value, nan := m.Value.stored()
	return s.db.Write(ctx, func(tx querier) error {
		ok, err := affected(tx.ExecContext(ctx, "INSERT INTO metrics (rid, key, timestamp, step, value, is_nan) SELECT r.rid, ?, ?, ?, ?, ?"+active+" ON CONFLICT DO NOTHING",
			m.Key, m.Timestamp, m.Step, value, nan, runID))
		if err != nil {
			return err
		}
		if !ok {
			return writeBatch(ctx, tx, runID, Batch{Metrics: []Metric{m}})
		}
		_, err = tx.ExecContext(ctx, "INSERT INTO latest_metrics AS l (rid, eid, key, value, is_nan, step, timestamp) SELECT r.rid, r.eid, ?, ?, ?, ?, ?"+active+showsGreatest,
			m.Key, value, nan, m.Step, m.Timestamp, runID)
		return err
	})
}

// LogParam writes a param. Params are write-once: the same value again is fine, another is an error.
func (s *Store) LogParam(ctx context.Context, runID string, p KeyValue) error {
	params, err := s.validateParams([]KeyValue{p}, func(int, string) string { return "key" })
	if err != nil {
		return err
	}
	return s.writeActiveRun(ctx, runID, func(tx querier, rid int64) error {
		changed, err := insertParams(ctx, tx, rid, params)
		if err != nil || len(changed) == 0 {
			return err
		}
		return Invalidf("Changing param values is not allowed. Param with key='%s' was already logged with value='%s' for run ID='%s'. Attempted logging new value '%s'.",
			p.Key, changed[0].old, runID, params[0].Value)
	})
}

// storedPoint is a metric as it stands in a row.
type storedPoint struct {
	*Metric
	value float64
	nan   bool
}

// above tells whether a point shows rather than another: the greatest (step, timestamp, value) does; on a full tie the earlier one stays.
func (p storedPoint) above(q storedPoint) bool {
	return cmp.Or(cmp.Compare(p.Step, q.Step), cmp.Compare(p.Timestamp, q.Timestamp), cmp.Compare(p.value, q.value)) > 0
}

// showsGreatest ends an insert into latest_metrics l: storedPoint.above in SQL.
const showsGreatest = ` ON CONFLICT (rid, key) DO UPDATE SET value = excluded.value, is_nan = excluded.is_nan, step = excluded.step, timestamp = excluded.timestamp
	WHERE (excluded.step, excluded.timestamp, excluded.value) > (l.step, l.timestamp, l.value)`

func logMetrics(ctx context.Context, tx querier, run activeRunKey, runID string, metrics []Metric) error {
	points := make([]storedPoint, len(metrics))
	latest := make([]storedPoint, 0, 16) // of each key, in the order of their first points
	at := make(map[string]int, 16)
	for i := range metrics {
		m := &metrics[i]
		v, nan := m.Value.stored()
		points[i] = storedPoint{m, v, nan}
		if k, ok := at[m.Key]; !ok {
			at[m.Key] = len(latest)
			latest = append(latest, points[i])
		} else if points[i].above(latest[k]) {
			latest[k] = points[i]
		}
	}
	// In the order of the primary key, so that one walk down the tree serves the next point as well.
	slices.SortFunc(points, func(p, q storedPoint) int {
		return cmp.Or(strings.Compare(p.Key, q.Key), cmp.Compare(p.Timestamp, q.Timestamp), cmp.Compare(p.Step, q.Step), cmp.Compare(p.value, q.value))
	})
	err := insertRows(ctx, tx, "INSERT INTO metrics (rid, key, timestamp, step, value, is_nan) VALUES ", " ON CONFLICT DO NOTHING", 6, points,
		func(args []any, p storedPoint) []any {
			return append(args, run.rid, p.Key, p.Timestamp, p.Step, p.value, p.nan)
		})
	if err != nil {
		return err
	}
	err = insertRows(ctx, tx, "INSERT INTO latest_metrics AS l (rid, key, value, is_nan, step, timestamp, eid) VALUES ", showsGreatest, 7, latest,
		func(args []any, p storedPoint) []any {
			return append(args, run.rid, p.Key, p.value, p.nan, p.Step, p.Timestamp, run.eid)
		})
	if err != nil {
		return err
	}
	for _, m := range metrics {
		if m.ModelID != "" {
			if err := logModelMetric(ctx, tx, runID, m); err != nil {
				return err
			}
		}
	}
	return nil
}

// insertRows inserts many rows by statements of 64, 8 or 1 of them, so that few texts exist.
func insertRows[T any](ctx context.Context, tx querier, before, after string, columns int, rows []T, values func(args []any, row T) []any) error {
	row := "(" + placeholders(columns) + ")"
	args := make([]any, 0, min(len(rows), 64)*columns)
	for len(rows) > 0 {
		n := 1
		for _, size := range []int{64, 8} {
			if len(rows) >= size {
				n = size
				break
			}
		}
		args = args[:0]
		for _, r := range rows[:n] {
			args = values(args, r)
		}
		rows = rows[n:]
		if _, err := tx.ExecContext(ctx, before+strings.Repeat(row+",", n-1)+row+after, args...); err != nil {
			return err
		}
	}
	return nil
}

func logParams(ctx context.Context, tx querier, rid int64, runID string, params []KeyValue) error {
	changed, err := insertParams(ctx, tx, rid, params)
	if err != nil || len(changed) == 0 {
		return err
	}
	var text strings.Builder
	for i, c := range changed {
		if i > 0 {
			text.WriteString(", ")
		}
		text.WriteString("{'key': " + pyQuote(c.key) + ", 'old_value': " + pyQuote(c.old) + ", 'new_value': " + pyQuote(c.new) + "}")
	}
	return Invalidf("Changing param values is not allowed. Params were already logged='[%s]' for run ID='%s'.", text.String(), runID)
}

type changedParam struct{ key, old, new string }

// insertParams writes params and returns those that stand there with another value.
func insertParams(ctx context.Context, tx querier, rid int64, params []KeyValue) (changed []changedParam, err error) {
	for _, p := range params {
		ok, err := affected(tx.ExecContext(ctx, "INSERT INTO params (rid, key, value) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", rid, p.Key, p.Value))
		if err != nil {
			return nil, err
		}
		if ok {
			continue
		}
		var old string
		if err := tx.QueryRowContext(ctx, "SELECT value FROM params WHERE rid = ? AND key = ?", rid, p.Key).Scan(&old); err != nil {
			return nil, err
		}
		if old != p.Value {
			changed = append(changed, changedParam{p.Key, old, p.Value})
		}
	}
	return changed, nil
}

// MetricHistory gives the points of one metric of one run, ordered by timestamp, step, value. max 0 means all. An
// unknown run or key is an empty page.
func (s *Store) MetricHistory(ctx context.Context, runID, key string, max int, pageToken string) (Page[Metric], error) {
	offset, err := parsePageToken(pageToken)
	if err != nil {
		return Page[Metric]{}, err
	}
	limit := -1
	if max > 0 {
		limit = max + 1
	}
	var points []Metric
	err = s.eachPoint(ctx, runID, key, limit, offset, func(p Point) {
		if len(points) == cap(points) { // append would grow a long list by a quarter each time
			points = slices.Grow(points, 64+len(points))
		}
		points = append(points, Metric{Key: key, Value: Float(p.Value), Timestamp: p.Timestamp, Step: p.Step})
	})
	return pageOf(points, max, offset), err
}
