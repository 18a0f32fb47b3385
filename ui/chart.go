package ui

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/prinzbox/prinzbox/registry"
)

// Chart geometry in user units; the style sheet scales the picture.
const (
	chartWidth  = 320.0
	chartHeight = 120.0
	chartPad    = 6.0
)

// chart is the history of one metric, ready to draw.
type chart struct {
	key             string
	axis            string // "step", or "time" when all steps are equal
	line            string // points of an SVG polyline
	lastX, lastY    string
	low, high, last registry.Float
	firstAt, lastAt string
	points          int
	cut             bool // the history is longer than what was read
}

// newChart scales a history of at least two points. More points than columns of pixels are thinned so that the least and
// greatest of each column stay: a peak is never lost.
func newChart(key string, history []registry.Metric, cut bool) chart {
	c := chart{key: key, axis: "step", points: len(history), cut: cut, low: registry.Float(math.NaN()), high: registry.Float(math.NaN())}
	at := func(m registry.Metric) float64 { return float64(m.Step) }
	lowX, highX := span2(history, at)
	if lowX == highX {
		c.axis = "time"
		start := history[0].Timestamp
		at = func(m registry.Metric) float64 { return float64(m.Timestamp-start) / 1000 }
		lowX, highX = span2(history, at)
	}
	// Steps may have been logged out of order.
	history = slices.Clone(history)
	slices.SortStableFunc(history, func(a, b registry.Metric) int { return cmp.Compare(at(a), at(b)) })
	low, high := math.Inf(1), math.Inf(-1)
	for _, m := range history {
		if v := float64(m.Value); !math.IsNaN(v) {
			low, high = min(low, v), max(high, v)
		}
	}
	c.last = history[len(history)-1].Value
	c.firstAt, c.lastAt = strconv.FormatFloat(lowX, 'g', 6, 64), strconv.FormatFloat(highX, 'g', 6, 64)
	if low > high {
		return c // nothing but NaN
	}
	c.low, c.high = registry.Float(low), registry.Float(high)
	x := func(m registry.Metric) float64 {
		return chartPad + (chartWidth-2*chartPad)*ratio(at(m), lowX, highX)
	}
	y := func(m registry.Metric) float64 {
		return chartHeight - chartPad - (chartHeight-2*chartPad)*ratio(float64(m.Value), low, high)
	}
	var b strings.Builder
	put := func(m registry.Metric) {
		c.lastX, c.lastY = coordinate(x(m)), coordinate(y(m))
		b.WriteString(c.lastX + "," + c.lastY + " ")
	}
	for _, m := range thin(history, x) {
		put(m)
	}
	c.line = strings.TrimSuffix(b.String(), " ")
	return c
}

// ratio is where v lies between low and high, without overflow for the greatest floats; the middle when they are equal.
func ratio(v, low, high float64) float64 {
	if low == high {
		return 0.5
	}
	return (v/2 - low/2) / (high/2 - low/2)
}

func span2(history []registry.Metric, at func(registry.Metric) float64) (low, high float64) {
	low, high = math.Inf(1), math.Inf(-1)
	for _, m := range history {
		low, high = min(low, at(m)), max(high, at(m))
	}
	return low, high
}

func coordinate(v float64) string { return strconv.FormatFloat(v, 'f', 1, 64) }

// thin keeps the first, least, greatest and last point of each unit of width, in their order, and drops NaN.
func thin(history []registry.Metric, x func(registry.Metric) float64) (out []registry.Metric) {
	for start := 0; start < len(history); {
		column := math.Floor(x(history[start]))
		end := start
		least, greatest := -1, -1
		first, last := -1, -1
		for ; end < len(history) && math.Floor(x(history[end])) == column; end++ {
			if math.IsNaN(float64(history[end].Value)) {
				continue
			}
			if first < 0 {
				first, least, greatest = end, end, end
			}
			last = end
			if history[end].Value < history[least].Value {
				least = end
			}
			if history[end].Value > history[greatest].Value {
				greatest = end
			}
		}
		before := -1
		for _, i := range []int{first, min(least, greatest), max(least, greatest), last} {
			if i > before {
				out = append(out, history[i])
				before = i
			}
		}
		start = end
	}
	return out
}
