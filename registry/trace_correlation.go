package registry

import (
	"context"
	"math"
	"strings"
)

// Correlation tells how much two filters of traces go together: how many traces of the base each finds, how many both, and from that the
// normalised pointwise mutual information, from -1 (never together) to 1 (always). It is nil where it means nothing, as when a filter finds none.
// Smoothed adds half a trace to every case, which tempers small numbers.
type Correlation struct {
	NPMI     *Float `json:"npmi,omitempty"`
	Smoothed *Float `json:"npmi_smoothed,omitempty"`
	Count1   int64  `json:"filter1_count"`
	Count2   int64  `json:"filter2_count"`
	Joint    int64  `json:"joint_count"`
	Total    int64  `json:"total_count"`
}

// CorrelateTraces compares two filters over the traces of some experiments that a base filter finds.
func (s *Store) CorrelateTraces(ctx context.Context, experimentIDs []string, filter1, filter2, base string) (Correlation, error) {
	eids, err := parseExperimentIDs(experimentIDs)
	if err != nil {
		return Correlation{}, err
	}
	var c Correlation
	for _, count := range []struct {
		into    *int64
		filters []string
	}{
		{&c.Total, []string{base}}, {&c.Count1, []string{base, filter1}}, {&c.Count2, []string{base, filter2}}, {&c.Joint, []string{base, filter1, filter2}},
	} {
		sel := &selection{}
		for _, text := range count.filters {
			if err := selectTraces(sel, eids, text); err != nil {
				return Correlation{}, err
			}
		}
		if err := s.db.Read().QueryRowContext(ctx, "SELECT count(*) FROM traces t WHERE "+strings.Join(sel.where, " AND "), sel.args...).Scan(count.into); err != nil {
			return Correlation{}, err
		}
	}
	c.measure()
	return c, nil
}

// measure fills in the two measures from the counts.
func (c *Correlation) measure() {
	both, only1, only2 := c.Joint, c.Count1-c.Joint, c.Count2-c.Joint
	neither := c.Total - c.Count1 - c.Count2 + c.Joint
	if c.Count1 == 0 || c.Count2 == 0 || min(both, only1, only2, neither) < 0 { // negative when traces came in between the counts
		return
	}
	const halfATrace = 0.5
	c.NPMI = npmi(both, only1, only2, neither, 0)
	if both == 0 {
		c.NPMI = new(Float(-1))
	}
	c.Smoothed = npmi(both, only1, only2, neither, halfATrace)
}

func npmi(both, only1, only2, neither int64, smoothing float64) *Float {
	n11, n10, n01, n00 := float64(both)+smoothing, float64(only1)+smoothing, float64(only2)+smoothing, float64(neither)+smoothing
	if n11 == 0 {
		return nil
	}
	if only1 == 0 && only2 == 0 && neither == 0 {
		return new(Float(1))
	}
	log11, logN := math.Log(n11), math.Log(n11+n10+n01+n00)
	value := (log11 + logN - (math.Log(n11+n10) + math.Log(n11+n01))) / -(log11 - logN)
	return new(Float(max(-1, min(1, value))))
}
