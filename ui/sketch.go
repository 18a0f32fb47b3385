package ui

import (
	"cmp"
	"context"
	"math"
	"slices"

	"github.com/prinzbox/prinzbox/registry"
)

const (
	// sketchPoints is how many points of a metric are held at most while its history is read.
	sketchPoints = 2048
	// sketchBuckets is into how many parts the axis is cut then. Each part keeps up to four points.
	sketchBuckets = 256
)

// point is a value at a place of the axis: a step, or milliseconds. smooth is the moving average there.
type point struct {
	x         int64
	v, smooth float64
}

// sketch is the course of one metric in few points. Its memory does not grow with the history: when there are too many points, those
// remain that are first, least, greatest and last in their part of the axis. So a peak is never lost, however short.
type sketch struct {
	in       plotting
	average  average
	points   []point
	unsorted bool
	all      int // points of the history
	total    int // those in the range asked for
	first    registry.Point
	last     registry.Point
	low, top int64 // of the axis
}

// readSketch reads a history. more tells that there are more points than max; 0 means that all are read.
func (u *UI) readSketch(ctx context.Context, runID, key string, p plotting, max int) (s *sketch, more bool, err error) {
	s = newSketch(p)
	limit := 0
	if max > 0 {
		limit = max + 1
	}
	err = u.cfg.Store.EachPoint(ctx, runID, key, limit, s.take)
	s.sort()
	return s, max > 0 && s.all > max, err
}

func newSketch(p plotting) *sketch { return &sketch{in: p, average: average{weight: p.smooth}} }

// take adds a point of the history, in the order of time.
func (s *sketch) take(m registry.Point) {
	if s.all++; s.all == 1 {
		s.first = m
	}
	s.last = m
	x := m.Step
	switch s.in.axis {
	case axisTime:
		x = m.Timestamp
	case axisRelative:
		x = m.Timestamp - s.first.Timestamp
	}
	s.add(point{x: x, v: m.Value, smooth: s.average.add(m.Value)})
}

func (s *sketch) add(p point) {
	if s.in.from != nil && p.x < *s.in.from || s.in.to != nil && p.x > *s.in.to {
		return
	}
	if s.total == 0 {
		s.low, s.top = p.x, p.x
	}
	s.total++
	s.low, s.top = min(s.low, p.x), max(s.top, p.x)
	if math.IsNaN(p.v) {
		return
	}
	if n := len(s.points); n > 0 && p.x < s.points[n-1].x {
		s.unsorted = true // steps may be logged in any order
	}
	if s.points == nil {
		s.points = make([]point, 0, 128)
	}
	s.points = append(s.points, p)
	if len(s.points) == sketchPoints {
		s.sort()
		low := uint64(s.points[0].x)
		width := (uint64(s.points[len(s.points)-1].x)-low)/sketchBuckets + 1 // unsigned, since steps may lie further apart than an int64 tells
		s.points = thin(s.points, func(p point) uint64 { return (uint64(p.x) - low) / width })
	}
}

func (s *sketch) sort() {
	if s.unsorted {
		slices.SortStableFunc(s.points, func(a, b point) int { return cmp.Compare(a.x, b.x) })
		s.unsorted = false
	}
}

// thin keeps, in place, the first, least, greatest and last point of each bucket in their order. points are ordered by bucket.
func thin(points []point, bucket func(point) uint64) []point {
	out := points[:0]
	for start := 0; start < len(points); {
		b := bucket(points[start])
		end, least, greatest := start+1, start, start
		for ; end < len(points) && bucket(points[end]) == b; end++ {
			if points[end].v < points[least].v {
				least = end
			}
			if points[end].v > points[greatest].v {
				greatest = end
			}
		}
		before := -1
		kept := [4]point{}
		n := 0
		for _, i := range [4]int{start, min(least, greatest), max(least, greatest), end - 1} {
			if i > before {
				kept[n] = points[i]
				n++
				before = i
			}
		}
		out = append(out, kept[:n]...)
		start = end
	}
	return out
}

// average is an exponential moving average without the pull of its start.
type average struct {
	weight, sum, share float64
}

func (a *average) add(v float64) float64 {
	if a.weight == 0 || math.IsNaN(v) {
		return v
	}
	a.sum = a.weight*a.sum + (1-a.weight)*v
	a.share = a.weight*a.share + (1 - a.weight)
	return a.sum / a.share
}
