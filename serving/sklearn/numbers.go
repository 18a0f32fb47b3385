package sklearn

import "math"

// ln is math.Log, right for subnormal numbers too: on amd64 math.Log takes them for about 1e-308.
func ln(v float64) float64 {
	if v > 0 && v < 0x1p-1022 {
		return math.Log(v*0x1p54) - 54*math.Ln2
	}
	return math.Log(v)
}

// exp is math.Exp, which on amd64 is infinite from 709.5 on already.
func exp(v float64) float64 {
	if v > 709 && v < 710 {
		half := math.Exp(v / 2)
		return half * half
	}
	return math.Exp(v)
}

func expit(x float64) float64 { return 1 / (1 + exp(-x)) }

func softMax(p []float64) {
	top := math.Inf(-1)
	for _, v := range p {
		top = max(top, v)
	}
	sum := 0.0
	for i, v := range p {
		p[i] = math.Exp(v - top)
		sum += p[i]
	}
	for i := range p {
		p[i] /= sum
	}
}
