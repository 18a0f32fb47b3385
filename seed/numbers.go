package seed

import "math"

// The trainers must give the same bits on every processor. Two things of Go stand in the way: a compiler may fuse
// x*y + z into one rounding where the processor can (arm64 does, amd64 does not), and math.Exp and math.Log are
// assembly on some processors only. So every product that is added to something is wrapped in a conversion, which the
// language defines as a rounding, and exp and log are written out here.

const (
	ln2High = 6.93147180369123816490e-01 // the upper 33 bits of ln 2, so that k*ln2High is exact for small k
	ln2Low  = 1.90821492927058770002e-10
)

// Factorials, for the series of exp.
const (
	f4  = 24.0
	f5  = f4 * 5
	f6  = f5 * 6
	f7  = f6 * 7
	f8  = f7 * 8
	f9  = f8 * 9
	f10 = f9 * 10
	f11 = f10 * 11
	f12 = f11 * 12
	f13 = f12 * 13
	f14 = f13 * 14
)

// exp returns e**x to within two units in the last place.
func exp(x float64) float64 {
	switch {
	case math.IsNaN(x):
		return x
	case x > 709:
		return math.Inf(1)
	case x < -745:
		return 0
	}
	k := math.Floor(float64(x*math.Log2E) + 0.5)
	r := x - float64(k*ln2High)
	r -= float64(k * ln2Low)
	// |r| <= 0.35, where the Taylor series is exact to the last bit after 14 terms.
	sum := 1.0 / f14
	sum = float64(r*sum) + 1.0/f13
	sum = float64(r*sum) + 1.0/f12
	sum = float64(r*sum) + 1.0/f11
	sum = float64(r*sum) + 1.0/f10
	sum = float64(r*sum) + 1.0/f9
	sum = float64(r*sum) + 1.0/f8
	sum = float64(r*sum) + 1.0/f7
	sum = float64(r*sum) + 1.0/f6
	sum = float64(r*sum) + 1.0/f5
	sum = float64(r*sum) + 1.0/f4
	sum = float64(r*sum) + 1.0/6
	sum = float64(r*sum) + 1.0/2
	sum = float64(r*sum) + 1
	sum = float64(r*sum) + 1
	return math.Ldexp(sum, int(k))
}

// log returns the natural logarithm of a positive x to within two units in the last place.
func log(x float64) float64 {
	if !(x > 0) || math.IsInf(x, 1) {
		return math.Log(x) // the special values are the same everywhere
	}
	f, k := math.Frexp(x)
	if f < math.Sqrt2/2 {
		f, k = f*2, k-1
	}
	s := (f - 1) / (f + 1)
	square := s * s
	// |s| < 0.172: 2 artanh(s) by its series.
	sum := 1.0 / 23
	sum = float64(square*sum) + 1.0/21
	sum = float64(square*sum) + 1.0/19
	sum = float64(square*sum) + 1.0/17
	sum = float64(square*sum) + 1.0/15
	sum = float64(square*sum) + 1.0/13
	sum = float64(square*sum) + 1.0/11
	sum = float64(square*sum) + 1.0/9
	sum = float64(square*sum) + 1.0/7
	sum = float64(square*sum) + 1.0/5
	sum = float64(square*sum) + 1.0/3
	sum = float64(square*sum) + 1
	e := float64(k)
	return float64(e*ln2High) + (float64(2*s*sum) + float64(e*ln2Low))
}

// dot returns the sum of a[i]*b[i]. Four running sums keep the processor busy and the error small.
func dot(a, b []float64) float64 {
	b = b[:len(a)]
	var s0, s1, s2, s3 float64
	i := 0
	for ; i+4 <= len(a); i += 4 {
		s0 += float64(a[i] * b[i])
		s1 += float64(a[i+1] * b[i+1])
		s2 += float64(a[i+2] * b[i+2])
		s3 += float64(a[i+3] * b[i+3])
	}
	for ; i < len(a); i++ {
		s0 += float64(a[i] * b[i])
	}
	return (s0 + s1) + (s2 + s3)
}

// mean returns the arithmetic mean of a, which must not be empty.
func mean(a []float64) float64 {
	var s0, s1, s2, s3 float64
	i := 0
	for ; i+4 <= len(a); i += 4 {
		s0, s1, s2, s3 = s0+a[i], s1+a[i+1], s2+a[i+2], s3+a[i+3]
	}
	for ; i < len(a); i++ {
		s0 += a[i]
	}
	return ((s0 + s1) + (s2 + s3)) / float64(len(a))
}
