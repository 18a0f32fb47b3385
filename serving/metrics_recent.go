package serving

import (
	"sync/atomic"
	"time"
)

// recentSlot is how long answers are counted together, recentSlots how many such spans make the last minute.
const (
	recentSlot  = 5 * time.Second
	recentSlots = int64(time.Minute / recentSlot)
)

// recent counts the answers of the last minute, to a slot's length. It is for people to look at: an answer that comes in the very moment in
// which a slot begins may be missed.
type recent struct {
	slots [recentSlots]struct{ at, n, bad, nanos atomic.Int64 }
}

// add counts an answer given at a time.
func (r *recent) add(now time.Time, ok bool, took time.Duration) {
	at := now.UnixNano() / int64(recentSlot)
	slot := &r.slots[at%recentSlots]
	if old := slot.at.Load(); old != at && slot.at.CompareAndSwap(old, at) {
		slot.n.Store(0)
		slot.bad.Store(0)
		slot.nanos.Store(0)
	}
	slot.n.Add(1)
	slot.nanos.Add(int64(took))
	if !ok {
		slot.bad.Add(1)
	}
}

// Span is what was counted in one of the twelve spans of five seconds that make the last minute.
type Span struct {
	Requests, Errors uint64
	// Seconds is the time spent in all of them together.
	Seconds float64
}

// spans are those of the minute before a time, the oldest first; all is their sum.
func (r *recent) spans(now time.Time) (list []Span, all uint64) {
	last := now.UnixNano() / int64(recentSlot)
	list = make([]Span, recentSlots)
	for i := range list {
		at := last - recentSlots + 1 + int64(i)
		slot := &r.slots[at%recentSlots]
		if slot.at.Load() == at {
			list[i] = Span{uint64(slot.n.Load()), uint64(slot.bad.Load()), float64(slot.nanos.Load()) / 1e9}
			all += list[i].Requests
		}
	}
	return list, all
}

// quantile estimates the time within which a share of the answers was given, in seconds, from the histogram: evenly spread within a bucket, as
// Prometheus does it. It is 0 without answers, and never above the greatest bound.
func (c *counters) quantile(share float64) float64 {
	var counts [len(latencies) + 1]float64
	total := 0.0
	for i := range c.buckets {
		counts[i] = float64(c.buckets[i].Load())
		total += counts[i]
	}
	rank, below, low := share*total, 0.0, 0.0
	for i, n := range counts {
		if i == len(latencies) {
			break
		}
		if n > 0 && below+n >= rank {
			return low + (latencies[i]-low)*(rank-below)/n
		}
		below, low = below+n, latencies[i]
	}
	if total == 0 {
		return 0
	}
	return low
}
