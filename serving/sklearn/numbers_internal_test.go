package sklearn

import (
	"math"
	"testing"
)

// TestNumbersAtTheEdge compares with numpy's own answers.
func TestNumbersAtTheEdge(t *testing.T) {
	for v, want := range map[float64]float64{
		1.7168e-308: -708.6557465492717, 1e-310: -713.801378828154, 5e-324: -744.4400719213812, 2.3e-308: -708.363299519231, 1: 0,
	} {
		if got := ln(v); math.Abs(got-want) > 1e-12 {
			t.Errorf("ln(%g) = %v, want %v", v, got, want)
		}
	}
	for v, want := range map[float64]float64{709.5: 1.3549863193146328e308, 709.78: 1.7928227943945155e308, 1: math.E, 710: math.Inf(1)} {
		if got := exp(v); got != want && math.Abs(got/want-1) > 1e-13 {
			t.Errorf("exp(%g) = %v, want %v", v, got, want)
		}
	}
	if got, want := expit(-709.7), 6.04235438695844e-309; math.Abs(got/want-1) > 1e-13 {
		t.Errorf("expit(-709.7) = %v, want %v", got, want)
	}
}
