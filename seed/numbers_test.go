package seed

import (
	"math"
	"testing"
)

func TestExpLogAgreeWithMath(t *testing.T) {
	random := &splitMix{state: 1}
	close := func(got, want float64) bool { return math.Abs(got-want) <= 1e-15*math.Abs(want) || got == want }
	for range 200_000 {
		x := (random.float() - 0.5) * 1400
		if got, want := exp(x), math.Exp(x); !close(got, want) && want > 1e-300 {
			t.Fatalf("exp(%v) = %v, math says %v", x, got, want)
		}
		y := math.Exp(x / 3)
		if got, want := log(y), math.Log(y); !close(got, want) {
			t.Fatalf("log(%v) = %v, math says %v", y, got, want)
		}
		near := 1 + (random.float()-0.5)/8
		if got, want := log(near), math.Log(near); !close(got, want) {
			t.Fatalf("log(%v) = %v, math says %v", near, got, want)
		}
	}
	for _, x := range []float64{0, 1, -1, 709.5, -746, 710, math.Inf(1), math.Inf(-1)} {
		if got, want := exp(x), math.Exp(x); !close(got, want) && math.Abs(x) < 709 {
			t.Errorf("exp(%v) = %v, math says %v", x, got, want)
		}
		if got, want := log(x), math.Log(x); got != want && !(math.IsNaN(got) && math.IsNaN(want)) && !close(got, want) {
			t.Errorf("log(%v) = %v, math says %v", x, got, want)
		}
	}
	if !math.IsNaN(exp(math.NaN())) {
		t.Error("exp(NaN) is a number")
	}
}
