package registry

import (
	"context"

	"github.com/prinzbox/prinzbox/registry/sqldb"
)

// Point is one value of a metric, without its names. NaN is a value too.
type Point struct {
	Value           float64
	Timestamp, Step int64
}

// EachPoint calls fn with the points of one metric of one run, ordered by timestamp, step, value; max 0 means all. It holds none of them, so
// that a history of any length can be drawn. fn must not call the store. An unknown run or key has no points.
func (s *Store) EachPoint(ctx context.Context, runID, key string, max int, fn func(Point)) error {
	limit := -1
	if max > 0 {
		limit = max
	}
	return s.eachPoint(ctx, runID, key, limit, 0, fn)
}

// eachPoint is EachPoint from an offset on; a negative limit means all.
func (s *Store) eachPoint(ctx context.Context, runID, key string, limit, offset int, fn func(Point)) error {
	return s.db.Each(ctx, func(r *sqldb.Row) error {
		fn(Point{Value: float64(Float(r.Float(0)).orNaN(r.Int(1) != 0)), Timestamp: r.Int(2), Step: r.Int(3)})
		return nil
	}, `SELECT m.value, m.is_nan, m.timestamp, m.step FROM runs r JOIN metrics m ON m.rid = r.rid
		WHERE r.run_id = ? AND m.key = ? ORDER BY m.timestamp, m.step, m.value LIMIT ? OFFSET ?`, runID, key, limit, offset)
}
