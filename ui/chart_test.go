package ui

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/prinzbox/prinzbox/registry"
)

func history(n int, value func(i int) float64) []registry.Metric {
	out := make([]registry.Metric, n)
	for i := range out {
		out[i] = registry.Metric{Step: int64(i), Timestamp: int64(i) * 10, Value: registry.Float(value(i))}
	}
	return out
}

// points reads a polyline back; every point must lie in the picture.
func points(t *testing.T, c chart) (out [][2]float64) {
	t.Helper()
	for pair := range strings.FieldsSeq(c.line) {
		xs, ys, ok := strings.Cut(pair, ",")
		x, err1 := strconv.ParseFloat(xs, 64)
		y, err2 := strconv.ParseFloat(ys, 64)
		if !ok || err1 != nil || err2 != nil || !(x >= 0 && x <= chartWidth && y >= 0 && y <= chartHeight) {
			t.Fatalf("bad point %q", pair)
		}
		out = append(out, [2]float64{x, y})
	}
	return out
}

// A peak of one point among 100,000 is drawn.
func TestChartKeepsPeaks(t *testing.T) {
	c := newChart("loss", history(100_000, func(i int) float64 {
		if i == 54_321 {
			return 100
		}
		return float64(i%7) / 10
	}), false)
	line := points(t, c)
	if len(line) > 4*320 {
		t.Errorf("%d points for 320 units of width", len(line))
	}
	top := slices.MinFunc(line, func(a, b [2]float64) int { return int(math.Copysign(1, a[1]-b[1])) })
	if top[1] != chartPad || math.Abs(top[0]-(chartPad+(chartWidth-2*chartPad)*0.54321)) > 1 {
		t.Errorf("the peak is drawn at %v", top)
	}
	if !slices.IsSortedFunc(line, func(a, b [2]float64) int { return int(math.Round(10 * (a[0] - b[0]))) }) {
		t.Error("the line runs backwards")
	}
	if c.low != 0 || c.high != 100 || c.points != 100_000 {
		t.Errorf("low %v, high %v, points %d", c.low, c.high, c.points)
	}
}

func TestChartOfOddValues(t *testing.T) {
	nan, big := math.NaN(), math.MaxFloat64
	for name, c := range map[string]struct {
		values []float64
		points int
	}{
		"constant": {[]float64{3, 3, 3}, 3}, "only NaN": {[]float64{nan, nan}, 0}, "some NaN": {[]float64{1, nan, 2}, 2}, "extremes": {[]float64{-big, 0, big}, 3},
		"first NaN": {[]float64{nan, 5}, 1},
	} {
		got := newChart("m", history(len(c.values), func(i int) float64 { return c.values[i] }), false)
		if n := len(points(t, got)); n != c.points {
			t.Errorf("%s: %d points, want %d", name, n, c.points)
		}
	}
	// Points without steps go by time; steps that come out of order are put in order.
	byTime := newChart("m", []registry.Metric{{Timestamp: 1000, Value: 1}, {Timestamp: 4000, Value: 2}}, false)
	if byTime.axis != "time" || byTime.lastAt != "3" {
		t.Errorf("axis %s to %s, want time to 3", byTime.axis, byTime.lastAt)
	}
	mixed := newChart("m", []registry.Metric{{Step: 2, Value: 2}, {Step: 0, Value: 0}, {Step: 1, Value: 1}}, false)
	if mixed.line != "6.0,114.0 160.0,60.0 314.0,6.0" {
		t.Errorf("line %s", mixed.line)
	}
	same := newChart("m", []registry.Metric{{Value: 1}, {Value: 2}}, false)
	if n := len(points(t, same)); n != 2 {
		t.Errorf("two points at one moment: %d drawn", n)
	}
}

func FuzzExample(f *testing.F) {
	for _, s := range []string{`{"columns":["a"],"data":[[1]]}`, `{"inputs":{"a":[1]}}`, `{"dataframe_split":{"data":[[null]]}}`, `[1]`, `{"predictions":[1.5]}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		about := Model{Inputs: []Field{{Name: "a", Type: "double"}, {Name: "b", Type: "string"}}, InputExample: data}
		form := newTryForm("m", "1", "http://localhost", about)
		if body, ok := form.body(); ok {
			if _, err := compactJSON(body); err != nil {
				t.Errorf("the form makes %s: %v", body, err)
			}
		}
		_ = headline(data)
		_ = indent(data)
	})
}
