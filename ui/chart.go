package ui

import (
	"context"
	"math"
	"strconv"
	"time"

	"github.com/prinzbox/prinzbox/registry"
)

// Chart geometry in user units; the style sheet scales the picture.
const (
	chartWidth  = 320.0
	chartHeight = 120.0
	chartPad    = 6.0
	// chartColumn is the width that is drawn with four points at most.
	chartColumn = 2.0
)

// chart is one metric of one or more runs, ready to draw.
type chart struct {
	id, key string
	axis    string
	log     bool
	series  []series
	// xs and ys are the texts at the beginning, the middle and the end of the axes.
	xs, ys          [3]string
	x0, x1          int64
	low, high, last registry.Float
	points          int
	left            int // points that a logarithmic axis cannot show
	// url shows this chart alone; deferred charts are not drawn yet, but fetched from there.
	url      string
	deferred bool
}

// series is one line of a chart.
type series struct {
	runID, name, class string
	line               string // points of an SVG polyline
	smooth             string // of the moving average, or ""
}

// source is one run's history of a chart's metric.
type source struct {
	runID, name string
	sketch      *sketch
}

// readSource reads a history with the axis that suits it. more tells that it is longer than max.
func (u *UI) readSource(ctx context.Context, runID, name, key string, p plotting, max int) (s source, axis string, more bool, err error) {
	sketch, more, err := u.readSketch(ctx, runID, key, p, max)
	axis = p.axis
	if axis == "" {
		axis = axisStep
		if err == nil && !more && sketch.total > 1 && sketch.low == sketch.top && sketch.first.Timestamp != sketch.last.Timestamp {
			p.axis, axis = axisRelative, axisRelative
			sketch, more, err = u.readSketch(ctx, runID, key, p, max)
		}
	}
	return source{runID, name, sketch}, axis, more, err
}

// newChart scales histories to one picture.
func newChart(id, key, axis string, p plotting, sources []source) chart {
	c := chart{id: id, key: key, axis: axis, log: p.log, x0: math.MaxInt64, x1: math.MinInt64, low: registry.Float(math.NaN()), high: registry.Float(math.NaN())}
	low, high := math.Inf(1), math.Inf(-1)
	for _, s := range sources {
		if s.sketch.total == 0 {
			continue
		}
		c.points += s.sketch.total
		c.last = registry.Float(s.sketch.last.Value)
		c.x0, c.x1 = min(c.x0, s.sketch.low), max(c.x1, s.sketch.top)
		for _, pt := range s.sketch.points {
			if p.log && pt.v <= 0 {
				c.left++
				continue
			}
			low, high = min(low, pt.v), max(high, pt.v)
		}
	}
	if p.from != nil { // a zoom stays when data arrives
		c.x0, c.x1 = *p.from, *p.to
	}
	if low > high || c.x0 > c.x1 {
		return c // nothing but NaN, or nothing at all
	}
	c.low, c.high = registry.Float(low), registry.Float(high)
	c.xs, c.ys = xTexts(axis, c.x0, c.x1), yTexts(p.log, low, high)
	scale := func(v float64) float64 { return ratio(v, low, high) }
	if p.log {
		bottom, top := math.Log(low), math.Log(high)
		scale = func(v float64) float64 { return ratio(math.Log(v), bottom, top) }
	}
	y := func(v float64) float64 { return chartHeight - chartPad - (chartHeight-2*chartPad)*scale(v) }
	x := func(x int64) float64 {
		if c.x0 == c.x1 {
			return chartWidth / 2
		}
		return chartPad + (chartWidth-2*chartPad)*(float64(uint64(x)-uint64(c.x0))/float64(uint64(c.x1)-uint64(c.x0)))
	}
	for i, s := range sources {
		points := s.sketch.points
		if p.log {
			points = positive(points)
		}
		points = thin(points, func(pt point) uint64 { return uint64(x(pt.x) / chartColumn) })
		if len(points) == 0 {
			continue
		}
		out := series{runID: s.runID, name: s.name, class: seriesClass(i)}
		out.line = polyline(points, func(pt point) (float64, float64) { return x(pt.x), y(pt.v) })
		if p.smooth > 0 {
			out.smooth = polyline(points, func(pt point) (float64, float64) { return x(pt.x), y(pt.smooth) })
		}
		c.series = append(c.series, out)
	}
	return c
}

func positive(points []point) (out []point) {
	for _, p := range points {
		if p.v > 0 {
			if p.smooth <= 0 {
				p.smooth = p.v
			}
			out = append(out, p)
		}
	}
	return out
}

// polyline writes the points of an SVG polyline. A lone point becomes a short line, which can be seen.
func polyline(points []point, place func(point) (x, y float64)) string {
	b := make([]byte, 0, 12*len(points))
	for i, p := range points {
		x, y := place(p)
		if len(points) == 1 {
			b = appendPlace(b, x-1, y)
			b = append(b, ' ')
			x++
		}
		if i > 0 {
			b = append(b, ' ')
		}
		b = appendPlace(b, x, y)
	}
	return string(b)
}

func appendPlace(b []byte, x, y float64) []byte {
	b = appendTenths(b, x)
	b = append(b, ',')
	return appendTenths(b, y)
}

// appendTenths writes a coordinate, which is a small positive number, with one decimal.
func appendTenths(b []byte, v float64) []byte {
	n := int64(v*10 + 0.5)
	b = strconv.AppendInt(b, n/10, 10)
	if n%10 != 0 {
		b = append(b, '.', byte('0'+n%10))
	}
	return b
}

// ratio is where v lies between low and high, without overflow for the greatest floats; the middle when they are equal. A smoothed value may
// lie a rounding error outside.
func ratio(v, low, high float64) float64 {
	if low == high {
		return 0.5
	}
	return min(1, max(0, (v/2-low/2)/(high/2-low/2)))
}

// seriesColours is how many colours the style sheet has for lines; after that they repeat, dashed.
const seriesColours = 8

func seriesClass(i int) string {
	class := "line s" + strconv.Itoa(i%seriesColours)
	if dash := i / seriesColours % 3; dash > 0 {
		class += " dash" + strconv.Itoa(dash)
	}
	return class
}

func yTexts(log bool, low, high float64) [3]string {
	middle := low/2 + high/2
	if log {
		middle = math.Exp((math.Log(low) + math.Log(high)) / 2)
	}
	if low == high {
		return [3]string{"", shortFloat(low), ""}
	}
	return [3]string{shortFloat(low), shortFloat(middle), shortFloat(high)}
}

// shortFloat is a number for an axis: four digits.
func shortFloat(v float64) string {
	if a := math.Abs(v); a >= 1e5 && a < 1e15 || a >= 1 && a < 1e5 && v == math.Trunc(v) {
		switch {
		case a >= 1e9:
			return strconv.FormatFloat(v/1e9, 'g', 4, 64) + "G"
		case a >= 1e6:
			return strconv.FormatFloat(v/1e6, 'g', 4, 64) + "M"
		case a >= 1e5:
			return strconv.FormatFloat(v/1e3, 'g', 4, 64) + "k"
		}
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return strconv.FormatFloat(v, 'g', 4, 64)
}

func xTexts(axis string, from, to int64) [3]string {
	middle := from + int64((uint64(to)-uint64(from))/2)
	if from == to {
		return [3]string{"", xText(axis, from, 0), ""}
	}
	length := time.Duration(min(uint64(to)-uint64(from), uint64(math.MaxInt64/time.Millisecond))) * time.Millisecond
	return [3]string{xText(axis, from, length), xText(axis, middle, length), xText(axis, to, length)}
}

// xText is a place of an axis that is length long.
func xText(axis string, x int64, length time.Duration) string {
	switch axis {
	case axisRelative:
		if x < 0 || x > int64(math.MaxInt64/time.Millisecond) {
			return strconv.FormatInt(x, 10) + " ms"
		}
		return span(time.Duration(x) * time.Millisecond)
	case axisTime:
		t := time.UnixMilli(x).UTC()
		switch {
		case length >= 72*time.Hour:
			return t.Format("2 Jan 2006")
		case length >= 2*time.Hour:
			return t.Format("2 Jan 15:04")
		case length >= 3*time.Second:
			return t.Format("15:04:05")
		}
		return t.Format("15:04:05.000")
	}
	return strconv.FormatInt(x, 10)
}
