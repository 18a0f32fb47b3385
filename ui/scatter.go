package ui

import (
	"slices"
	"strconv"
	"strings"
)

// scatter shows each run as a point over two axes.
type scatter struct {
	x, y    dimension
	xs, ys  [3]string
	points  []scatterPoint
	without int // runs that have no value on one of the axes
}

type scatterPoint struct {
	id, class, path, text string
}

// newScatter draws over the axes named, or over a param and a metric that differ. nil means that there is nothing to draw.
func newScatter(list []dimension, runs []runLine, x, y string) *scatter {
	if len(list) < 2 || len(runs) < 2 {
		return nil
	}
	s := &scatter{}
	var ok bool
	if s.x, ok = dimensionOf(list, x); !ok {
		s.x = firstDimension(list, "params", "")
	}
	if s.y, ok = dimensionOf(list, y); !ok {
		s.y = firstDimension(list, "metrics", s.x.id())
	}
	s.xs, s.ys = s.x.ends(), s.y.ends()
	for i, run := range runs {
		px, ok1 := s.x.at(i)
		py, ok2 := s.y.at(i)
		if !ok1 || !ok2 {
			s.without++
			continue
		}
		b := appendPlace([]byte("M"), chartPad+(chartWidth-2*chartPad)*px, chartHeight-chartPad-(chartHeight-2*chartPad)*py)
		s.points = append(s.points, scatterPoint{
			id: run.id, class: strings.TrimPrefix(seriesClass(i), "line "), path: strings.ReplaceAll(string(b), ",", " ") + "h0.01",
			text: run.name + ": " + s.x.key + " " + s.x.text(i) + ", " + s.y.key + " " + s.y.text(i),
		})
	}
	return s
}

// firstDimension is the first axis of a kind that differs and is not the one already taken; else any other one.
func firstDimension(list []dimension, kind, taken string) dimension {
	for _, match := range []func(dimension) bool{
		func(d dimension) bool { return d.kind == kind && d.differs && d.categories == nil },
		func(d dimension) bool { return d.differs },
		func(dimension) bool { return true },
	} {
		if i := slices.IndexFunc(list, func(d dimension) bool { return d.id() != taken && match(d) }); i >= 0 {
			return list[i]
		}
	}
	return list[0]
}

// ends are three texts along an axis: its beginning, middle and end.
func (d dimension) ends() [3]string {
	if d.categories != nil {
		first, last := shorten(d.categories[0], 24), shorten(d.categories[len(d.categories)-1], 24)
		if len(d.categories) == 1 {
			return [3]string{"", first, ""}
		}
		return [3]string{first, "", last}
	}
	return yTexts(false, d.low, d.high)
}

// parallel shows each run as a line over many axes.
type parallel struct {
	axes          []parallelAxis
	lines         []parallelLine
	width, height string
	choices       []dimension
	by            string // what the colours tell
	without       int
}

type parallelAxis struct {
	id, name string
	x        string
	ticks    []parallelTick
}

type parallelTick struct{ text, y string }

type parallelLine struct {
	id, name, class, points, text string
}

const (
	// maxAxes bounds the axes of parallel coordinates.
	maxAxes = 10
	// defaultAxes is how many there are before the user chooses.
	defaultAxes    = 6
	parallelStep   = 170.0
	parallelMargin = 70.0
	parallelTop    = 34.0
	parallelHeight = 250.0
	// shades is how many colours the style sheet has from low to high.
	shades = 5
)

// newParallel draws over the axes named, or over params and metrics that differ. nil means that there are not two.
func newParallel(list []dimension, runs []runLine, wanted []string) *parallel {
	if len(runs) < 2 {
		return nil
	}
	var axes []dimension
	for _, id := range wanted {
		if d, ok := dimensionOf(list, id); ok && len(axes) < maxAxes {
			axes = append(axes, d)
		}
	}
	if len(axes) < 2 {
		axes = nil
		for _, kind := range []string{"params", "metrics"} {
			n := 0
			for _, d := range list {
				if d.kind == kind && d.differs && n < defaultAxes/2 && !strings.HasPrefix(d.key, systemPrefix) {
					axes, n = append(axes, d), n+1
				}
			}
		}
	}
	if len(axes) < 2 {
		return nil
	}
	p := &parallel{choices: list, width: coordinate(2*parallelMargin + parallelStep*float64(len(axes)-1)), height: coordinate(parallelTop + parallelHeight + 20)}
	y := func(place float64) float64 { return parallelTop + parallelHeight*(1-place) }
	for i, d := range axes {
		a := parallelAxis{id: d.id(), name: d.key, x: coordinate(parallelMargin + parallelStep*float64(i))}
		texts, places := d.ticks()
		for n := range texts {
			a.ticks = append(a.ticks, parallelTick{texts[n], coordinate(y(places[n]))})
		}
		p.axes = append(p.axes, a)
	}
	last := axes[len(axes)-1]
	p.by = last.key
	for i, run := range runs {
		var b []byte
		text, whole := run.name, true
		for n, d := range axes {
			place, ok := d.at(i)
			whole = whole && ok
			if n > 0 {
				b = append(b, ' ')
			}
			b = appendPlace(b, parallelMargin+parallelStep*float64(n), y(place))
			text += "\n" + d.key + ": " + d.text(i)
		}
		if !whole {
			p.without++
			continue
		}
		place, _ := last.at(i)
		p.lines = append(p.lines, parallelLine{id: run.id, name: run.name, class: "shade" + strconv.Itoa(min(shades-1, int(place*shades))), points: string(b), text: text})
	}
	return p
}

func coordinate(v float64) string { return string(appendTenths(nil, v)) }

func (p *parallel) has(d dimension) bool {
	return slices.ContainsFunc(p.axes, func(a parallelAxis) bool { return a.id == d.id() })
}
