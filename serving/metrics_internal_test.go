package serving

import (
	"math"
	"testing"
	"time"
)

func TestRecent(t *testing.T) {
	var r recent
	now := time.Unix(1_700_000_000, 0)
	for i := range 120 { // one a second, every tenth fails
		r.add(now.Add(time.Duration(i)*time.Second), i%10 != 0, 10*time.Millisecond)
	}
	end := now.Add(119 * time.Second)
	list, all := r.spans(end)
	if all != 60 || len(list) != 12 {
		t.Errorf("%d in the last minute, in %d spans", all, len(list))
	}
	for i, s := range list {
		if s.Requests != 5 || s.Errors != uint64(1-i%2) || math.Abs(s.Seconds-0.05) > 1e-9 {
			t.Errorf("span %d: %+v", i, s)
		}
	}
	list, all = r.spans(end.Add(30 * time.Second))
	if all != 30 || list[11] != (Span{}) || list[0].Requests != 5 {
		t.Errorf("%d half a minute later: %+v", all, list)
	}
	if _, all := r.spans(end.Add(2 * time.Minute)); all != 0 {
		t.Errorf("%d two minutes later, want 0", all)
	}
}

func TestQuantile(t *testing.T) {
	var c counters
	if q := c.quantile(0.5); q != 0 {
		t.Errorf("without answers %v", q)
	}
	for range 90 {
		c.observe(200, 1, 200*time.Microsecond) // between 0.1 and 0.25 ms
	}
	for range 10 {
		c.observe(500, 0, 40*time.Millisecond) // between 25 and 50 ms
	}
	if q := c.quantile(0.5); q <= 0.0001 || q > 0.00025 {
		t.Errorf("p50 %v", q)
	}
	if q := c.quantile(0.95); math.Abs(q-0.0375) > 1e-9 {
		t.Errorf("p95 %v, want 0.0375", q)
	}
	c.observe(200, 1, time.Hour)
	if q := c.quantile(1); q != 60 {
		t.Errorf("beyond the greatest bound: %v, want 60", q)
	}
}
