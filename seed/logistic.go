package seed

import (
	"errors"
	"math"
)

// design is the table that the logistic regression is fitted on, kept sparse: column 0 holds a number, all other
// columns are one-hot, so a row is a number and the columns that are 1.
type design struct {
	width   int       // columns, without the intercept
	number  []float64 // column 0
	perRow  int       // how many one-hot columns are 1 in each row
	hot     []int32   // perRow ascending column numbers for each row
	classes []bool    // the answers
}

// fitLogistic minimises the logistic loss plus |w|²/2 (scikit-learn's C=1; the intercept is free) by Newton's method
// with step halving, to the limit of float64. It returns the weights of the columns and the intercept.
func fitLogistic(d *design) (weights []float64, intercept float64, iterations int, err error) {
	const rounds = 100
	size := d.width + 1
	w := make([]float64, size) // the intercept is the last
	step := make([]float64, size)
	gradient := make([]float64, size)
	hessian := make([]float64, size*size)
	best := math.Inf(1)
	for iterations = 1; iterations <= rounds; iterations++ {
		loss := d.derive(w, gradient, hessian)
		if loss > best+float64(1e-12*math.Abs(best)) {
			for i := range w { // too far: go back half of the way
				step[i] = float64(step[i] / 2)
				w[i] += step[i]
			}
			continue
		}
		best = loss
		copy(step, gradient)
		if !solve(hessian, step) {
			return nil, 0, 0, errors.New("logistic regression: the Hessian is not positive definite")
		}
		largest := 0.0
		for i, s := range step {
			w[i] -= s
			largest = math.Max(largest, math.Abs(s))
		}
		// Newton's error is squared by each step: after one this small nothing is left above rounding.
		if largest < 1e-9 {
			return w[:d.width], w[d.width], iterations, nil
		}
	}
	return nil, 0, 0, errors.New("logistic regression: Newton's method did not converge in 100 rounds")
}

// derive returns the objective at w and fills in its gradient and the lower half of its Hessian.
func (d *design) derive(w, gradient, hessian []float64) float64 {
	clear(gradient)
	clear(hessian)
	size := d.width + 1
	last := d.width
	// The sum of many log(1+exp(-|margin|)) is the logarithm of a product, which is much cheaper.
	loss, product := 0.0, 1.0
	for i, x := range d.number {
		hot := d.hot[i*d.perRow : (i+1)*d.perRow]
		margin := w[last] + float64(x*w[0])
		for _, c := range hot {
			margin += w[c]
		}
		p, factor := sigmoid(margin)
		if product *= factor; product > 1e200 {
			loss += log(product)
			product = 1
		}
		g := p
		if d.classes[i] {
			g = p - 1
			loss += math.Max(-margin, 0)
		} else {
			loss += math.Max(margin, 0)
		}
		gradient[0] += float64(g * x)
		gradient[last] += g

		h := float64(p * (1 - p))
		hx := float64(h * x)
		hessian[0] += float64(hx * x)
		bottom := hessian[last*size : last*size+size]
		bottom[0] += hx
		bottom[last] += h
		for k, c := range hot {
			gradient[c] += g
			bottom[c] += h
			row := hessian[int(c)*size : int(c)*size+size]
			row[0] += hx
			for _, b := range hot[:k+1] {
				row[b] += h
			}
		}
	}
	loss += log(product)
	for j, v := range w[:last] {
		loss += float64(0.5 * v * v)
		gradient[j] += v
		hessian[j*size+j]++
	}
	return loss
}

// sigmoid returns 1/(1+exp(-m)) and 1+exp(-|m|), neither of which overflows.
func sigmoid(m float64) (p, factor float64) {
	e := exp(-math.Abs(m))
	if m >= 0 {
		return 1 / (1 + e), 1 + e
	}
	return e / (1 + e), 1 + e
}

// solve replaces b by the solution x of Ax = b, A symmetric positive definite with only its lower half read; A is
// overwritten by its Cholesky factor. It reports false when A is not positive definite.
func solve(a, b []float64) bool {
	n := len(b)
	for j := range n {
		rowJ := a[j*n : j*n+n]
		pivot := rowJ[j] - dot(rowJ[:j], rowJ[:j])
		if !(pivot > 0) {
			return false
		}
		pivot = math.Sqrt(pivot)
		rowJ[j] = pivot
		for i := j + 1; i < n; i++ {
			rowI := a[i*n : i*n+n]
			rowI[j] = (rowI[j] - dot(rowI[:j], rowJ[:j])) / pivot
		}
	}
	for i := range n {
		b[i] = (b[i] - dot(a[i*n:i*n+i], b[:i])) / a[i*n+i]
	}
	for i := n - 1; i >= 0; i-- {
		for k := i + 1; k < n; k++ {
			b[i] -= float64(a[k*n+i] * b[k])
		}
		b[i] /= a[i*n+i]
	}
	return true
}
