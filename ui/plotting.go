package ui

import (
	"net/url"
	"strconv"
)

// The axes of a chart.
const (
	axisStep     = "step"
	axisRelative = "relative"
	axisTime     = "time"
)

// plotting is how the charts of a page are drawn. All of it stands in the page's address.
type plotting struct {
	axis   string // "" is the step, or the time since the first point where all steps are equal
	log    bool
	smooth float64 // weight of what came before, 0 to 0.99
	// from and to are what the charts are zoomed to, in units of the axis: steps, or milliseconds. nil means all.
	from, to *int64
}

// maxSmooth is the strongest smoothing that still moves.
const maxSmooth = 0.99

// parsePlotting reads the state. Values that no control of the page makes fall back to the default.
func parsePlotting(q url.Values) plotting {
	p := plotting{log: q.Get("y") == "log"}
	switch x := q.Get("x"); x {
	case axisStep, axisRelative, axisTime:
		p.axis = x
	}
	if w, err := strconv.ParseFloat(q.Get("smooth"), 64); err == nil && w > 0 {
		p.smooth = min(w, maxSmooth)
	}
	from, err1 := strconv.ParseInt(q.Get("from"), 10, 64)
	to, err2 := strconv.ParseInt(q.Get("to"), 10, 64)
	if err1 == nil && err2 == nil && from < to {
		p.from, p.to = &from, &to
	}
	return p
}

// set puts the state into an address.
func (p plotting) set(q url.Values) {
	for _, key := range []string{"x", "y", "smooth", "from", "to"} {
		q.Del(key)
	}
	if p.axis != "" {
		q.Set("x", p.axis)
	}
	if p.log {
		q.Set("y", "log")
	}
	if p.smooth > 0 {
		q.Set("smooth", p.smoothText())
	}
	if p.from != nil {
		q.Set("from", strconv.FormatInt(*p.from, 10))
		q.Set("to", strconv.FormatInt(*p.to, 10))
	}
}

func (p plotting) smoothText() string { return strconv.FormatFloat(p.smooth, 'g', 3, 64) }
