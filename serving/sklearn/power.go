package sklearn

import (
	"math"
	"sort"
)

// power transforms each column by Yeo and Johnson's or Box and Cox's formula.
type powers struct {
	in      *features
	lambdas []float64
	boxCox  bool
	scaler  *scaler // nil when standardize is off
}

func readPower(e *estimator) *powers {
	lambdas, _ := e.array("lambdas_")
	p := &powers{lambdas: lambdas, boxCox: e.option("method", "yeo-johnson", "box-cox") == "box-cox", in: readFeatures(e, len(lambdas), true)}
	if e.flag("standardize", true) {
		s := e.object("_scaler")
		if s == nil {
			return p
		}
		if s.name != "StandardScaler" {
			e.fail("attribute _scaler is a %s", s.name)
			return p
		}
		p.scaler = readScaler(s)
		if e.err == nil {
			e.err = s.err
		}
		if p.scaler.names = nil; e.err == nil && p.scaler.width != len(lambdas) {
			e.fail("attribute _scaler has %d columns, want %d", p.scaler.width, len(lambdas))
		}
	}
	return p
}

func loadPower(_ *loader, e *estimator, _ int) (transformer, error) {
	p := readPower(e)
	return p, e.err
}

func (p *powers) compile(b *builder, in []int) ([]int, error) {
	first, err := p.in.of(b, in)
	if err != nil {
		return nil, err
	}
	out := b.add(p.in.width)
	b.do(func(r *registers) error {
		for i, lambda := range p.lambdas {
			v := r.num[first+i]
			if p.boxCox {
				if v <= 0 {
					return valueError("The Box-Cox transformation can only be applied to strictly positive data")
				}
				v = boxCox(v, lambda)
			} else {
				v = yeoJohnson(v, lambda)
			}
			r.num[out[i]] = v
		}
		return nil
	})
	if p.scaler != nil {
		return p.scaler.compile(b, out)
	}
	return out, nil
}

const spacing = 2.220446049250313e-16 // numpy.spacing(1)

func boxCox(v, lambda float64) float64 {
	if math.Abs(lambda) < 1e-19 {
		return ln(v)
	}
	return math.Expm1(lambda*ln(v)) / lambda
}

func yeoJohnson(v, lambda float64) float64 {
	switch {
	case v != v:
		return v
	case v >= 0 && math.Abs(lambda) < spacing:
		return math.Log1p(v)
	case v >= 0:
		return math.Expm1(lambda*math.Log1p(v)) / lambda
	case math.Abs(lambda-2) > spacing:
		return -math.Expm1((2-lambda)*math.Log1p(-v)) / (2 - lambda)
	}
	return -math.Log1p(-v)
}

func (p *powers) inverse(b *builder, regs []int) ([]int, error) {
	if len(regs) != len(p.lambdas) {
		return nil, valueError("PowerTransformer: %d targets, want %d", len(regs), len(p.lambdas))
	}
	if p.scaler != nil {
		var err error
		if regs, err = p.scaler.inverse(b, regs); err != nil {
			return nil, err
		}
	}
	out := b.add(len(regs))
	b.do(func(r *registers) error {
		for i, reg := range regs {
			lambda, v := p.lambdas[i], r.num[reg]
			switch {
			case p.boxCox && lambda == 0:
				v = exp(v)
			case p.boxCox:
				v = exp(math.Log1p(lambda*v) / lambda)
			case v >= 0 && math.Abs(lambda) < spacing:
				v = math.Expm1(v)
			case v >= 0:
				v = math.Pow(v*lambda+1, 1/lambda) - 1
			case math.Abs(lambda-2) > spacing:
				v = 1 - math.Pow(-(2-lambda)*v+1, 1/(2-lambda))
			default:
				v = -math.Expm1(-v)
			}
			r.num[out[i]] = v
		}
		return nil
	})
	return out, nil
}

// quantiles maps each column to a uniform or normal distribution.
type quantiles struct {
	in         *features
	columns    [][]float64 // the quantiles of each column
	references []float64
	normal     bool
}

func readQuantile(e *estimator) *quantiles {
	table, rows, cols := e.table("quantiles_")
	q := &quantiles{in: readFeatures(e, cols, true), normal: e.option("output_distribution", "uniform", "normal") == "normal"}
	q.references = e.vector("references_", rows)
	if e.err != nil {
		return q
	}
	if rows == 0 || !sort.Float64sAreSorted(q.references) {
		e.fail("attribute references_ is not understood")
		return q
	}
	for k := range cols {
		column := make([]float64, rows)
		for i := range column {
			column[i] = table[i*cols+k]
		}
		q.columns = append(q.columns, column)
	}
	return q
}

func loadQuantile(_ *loader, e *estimator, _ int) (transformer, error) {
	q := readQuantile(e)
	return q, e.err
}

func (q *quantiles) compile(b *builder, in []int) ([]int, error) {
	first, err := q.in.of(b, in)
	if err != nil {
		return nil, err
	}
	out := b.add(q.in.width)
	b.do(func(r *registers) error {
		for i, column := range q.columns {
			r.num[out[i]] = q.forward(r.num[first+i], column)
		}
		return nil
	})
	return out, nil
}

const bound = 1e-7 // scikit-learn's BOUNDS_THRESHOLD

func (q *quantiles) forward(v float64, column []float64) float64 {
	if v != v {
		return v
	}
	low, high := column[0], column[len(column)-1]
	margin := 0.0
	if q.normal {
		margin = bound
	}
	below, above := v-margin < low, v+margin > high
	if !q.normal {
		below, above = v == low, v == high
	}
	// Up and down, and the mean of both, for the sake of equal quantiles.
	out := 0.5 * (linear1(v, column, q.references) - linearDown(v, column, q.references))
	if above {
		out = 1
	}
	if below {
		out = 0
	}
	if q.normal {
		least := normalQuantile(bound - spacing)
		out = math.Min(math.Max(normalQuantile(out), least), normalQuantile(1-(bound-spacing)))
	}
	return out
}

func (q *quantiles) inverse(b *builder, regs []int) ([]int, error) {
	if len(regs) != len(q.columns) {
		return nil, valueError("QuantileTransformer: %d targets, want %d", len(regs), len(q.columns))
	}
	out := b.add(len(regs))
	b.do(func(r *registers) error {
		for i, reg := range regs {
			v, column := r.num[reg], q.columns[i]
			low, high := v == 0, v == 1
			if q.normal {
				v = 0.5 * math.Erfc(-v/math.Sqrt2)
				low, high = v-bound < 0, v+bound > 1
			}
			switch {
			case low:
				v = column[0]
			case high:
				v = column[len(column)-1]
			default:
				v = linear1(v, q.references, column)
			}
			r.num[out[i]] = v
		}
		return nil
	})
	return out, nil
}

// linear1 is numpy.interp.
func linear1(v float64, x, y []float64) float64 {
	n := len(x)
	j := sort.Search(n, func(i int) bool { return x[i] > v }) - 1
	switch {
	case v != v:
		return v
	case j < 0:
		return y[0]
	case j >= n-1:
		return y[n-1]
	case x[j] == v:
		return y[j]
	}
	slope := (y[j+1] - y[j]) / (x[j+1] - x[j])
	return float64(slope*(v-x[j])) + y[j]
}

// linearDown is numpy.interp(-v, -x reversed, -y reversed).
func linearDown(v float64, x, y []float64) float64 {
	n := len(x)
	// The least i with x[i] >= v stands for the greatest place that is not above.
	j := sort.Search(n, func(i int) bool { return x[i] >= v })
	switch {
	case j == n:
		return -y[n-1]
	case j == 0:
		return -y[0]
	case x[j] == v:
		return -y[j]
	}
	slope := (-y[j-1] + y[j]) / (-x[j-1] + x[j])
	return float64(slope*(-v+x[j])) - y[j]
}

// normalQuantile is the quantile function of the normal distribution.
func normalQuantile(p float64) float64 {
	switch {
	case p <= 0:
		return math.Inf(-1)
	case p >= 1:
		return math.Inf(1)
	case p > 0.5:
		return -normalQuantile(1 - p)
	}
	x := -math.Sqrt2 * math.Erfinv(1-2*p)
	// 1-2p loses digits of a small p: two of Newton's steps bring them back.
	for range 2 {
		density := exp(-x*x/2) / math.Sqrt(2*math.Pi)
		x -= (0.5*math.Erfc(-x/math.Sqrt2) - p) / density
	}
	return x
}
