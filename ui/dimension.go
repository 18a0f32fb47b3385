package ui

import (
	"math"
	"slices"
	"strconv"

	"github.com/prinzbox/prinzbox/registry"
)

// maxCategories is how many different texts a param may have to be an axis.
const maxCategories = 40

// dimension is a param or a metric of several runs as an axis: numbers, or texts in their order.
type dimension struct {
	column
	values     []float64 // of each run; NaN where it has none. Texts are their place in categories.
	categories []string
	low, high  float64
	differs    bool
}

// dimensions are the columns that can be axes: metrics, params that are numbers in all runs, and params with few different texts.
func dimensions(runs []registry.Run, columns []column) (out []dimension) {
	for _, c := range columns {
		d := dimension{column: c, values: make([]float64, len(runs)), low: math.Inf(1), high: math.Inf(-1)}
		texts := make([]string, len(runs))
		numeric := true
		for i, run := range runs {
			d.values[i] = math.NaN()
			if c.kind == "metrics" {
				if x, ok := latest(run, c.key); ok {
					d.values[i] = x
				}
				continue
			}
			cell := value(run, c)
			if texts[i] = cell.text; cell.title != "" {
				texts[i] = cell.title
			}
			if texts[i] == "" {
				continue
			}
			x, err := strconv.ParseFloat(texts[i], 64)
			if err != nil || math.IsInf(x, 0) {
				numeric = false
			} else {
				d.values[i] = x
			}
		}
		if !numeric {
			if d.categories = categories(texts); len(d.categories) > maxCategories {
				continue
			}
			for i, text := range texts {
				d.values[i] = math.NaN()
				if n, ok := slices.BinarySearch(d.categories, text); ok && text != "" {
					d.values[i] = float64(n)
				}
			}
		}
		for _, x := range d.values {
			if !math.IsNaN(x) {
				d.low, d.high = min(d.low, x), max(d.high, x)
			}
		}
		if d.low > d.high {
			continue // no run has a value
		}
		d.differs = d.low != d.high
		out = append(out, d)
	}
	return out
}

func categories(texts []string) (out []string) {
	for _, text := range texts {
		if text != "" {
			out = append(out, text)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// at is where a run lies on the axis, from 0 to 1; ok is false when it has no value.
func (d dimension) at(run int) (place float64, ok bool) {
	x := d.values[run]
	return ratio(x, d.low, d.high), !math.IsNaN(x)
}

// text is a run's value as people read it.
func (d dimension) text(run int) string {
	x := d.values[run]
	switch {
	case math.IsNaN(x):
		return "none"
	case d.categories != nil:
		return shorten(d.categories[int(x)], 40)
	}
	return shortFloat(x)
}

// ticks are the texts along the axis, from its low end, with their places.
func (d dimension) ticks() (texts []string, places []float64) {
	if d.categories != nil {
		step := 1 + len(d.categories)/12
		for i := 0; i < len(d.categories); i += step {
			texts, places = append(texts, shorten(d.categories[i], 16)), append(places, ratio(float64(i), d.low, d.high))
		}
		return texts, places
	}
	if d.low == d.high {
		return []string{shortFloat(d.low)}, []float64{0.5}
	}
	return []string{shortFloat(d.low), shortFloat(d.low/2 + d.high/2), shortFloat(d.high)}, []float64{0, 0.5, 1}
}

// dimensionOf finds an axis by the id of its column.
func dimensionOf(list []dimension, id string) (dimension, bool) {
	i := slices.IndexFunc(list, func(d dimension) bool { return d.id() == id })
	if i < 0 {
		return dimension{}, false
	}
	return list[i], true
}
