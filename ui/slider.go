package ui

import (
	"math"
	"strconv"
)

// sliderSteps is about how many places a slider has.
const sliderSteps = 200

// slider is the range in which a number is moved. The field beside it takes any number.
type slider struct{ low, high, step string }

// newSlider makes a range of the values of a column in the input example: a quarter wider than they are, or, of a single value, from zero to
// its double. It is nil for what is no number.
func newSlider(kind string, values []string) *slider {
	if kind != kindNumber && kind != kindInteger {
		return nil
	}
	low, high := math.Inf(1), math.Inf(-1)
	for _, v := range values {
		x, err := strconv.ParseFloat(v, 64)
		if err != nil || math.Abs(x) > 1e12 {
			continue
		}
		low, high = min(low, x), max(high, x)
	}
	switch {
	case low > high:
		return nil
	case low < high:
		margin := (high - low) / 4
		if low >= 0 {
			low = max(0, low-margin)
		} else {
			low -= margin
		}
		high += margin
	case low == 0:
		high = 1
	case low > 0:
		low, high = 0, 2*high
	default:
		low, high = 2*low, 0
	}
	step := niceStep((high - low) / sliderSteps)
	if kind == kindInteger {
		step = max(1, step)
	}
	low, high = math.Floor(low/step+1e-9)*step, math.Ceil(high/step-1e-9)*step
	decimals := max(0, int(-math.Floor(math.Log10(step)+1e-9)))
	text := func(v float64) string { return strconv.FormatFloat(v, 'f', decimals, 64) }
	return &slider{text(low), text(high), text(step)}
}

// niceStep is 1, 2 or 5 times a power of ten, and not below x.
func niceStep(x float64) float64 {
	unit := math.Pow(10, math.Floor(math.Log10(x)))
	for _, m := range []float64{1, 2, 5} {
		if m*unit >= x*(1-1e-9) {
			return m * unit
		}
	}
	return 10 * unit
}
