package seed

import (
	"errors"
	"math"
)

// ElasticNet is a linear model with an elastic-net penalty, as scikit-learn's estimator of that name:
// it minimises |y - Xw - b|²/(2n) + alpha*l1Ratio*|w|₁ + alpha*(1-l1Ratio)*|w|²/2.
type ElasticNet struct {
	Alpha, L1Ratio float64
	Coef           []float64 // one for each column
	Intercept      float64
	Iterations     int     // rounds of coordinate descent that were needed
	DualGap        float64 // at the end, divided by the number of rows as scikit-learn reports it
}

// Stopping values of scikit-learn's ElasticNet.
const (
	enetTolerance  = 1e-4
	enetIterations = 1000
)

// fitElasticNet fits the model by scikit-learn's cyclic coordinate descent: columns are centred, the coordinates are
// visited in order, and once no coordinate moves much the duality gap decides. columns[j][i] is row i of column j;
// alpha must be positive.
func fitElasticNet(columns [][]float64, y []float64, alpha, l1Ratio float64) (*ElasticNet, error) {
	if !(alpha > 0) || !(l1Ratio >= 0 && l1Ratio <= 1) {
		return nil, errors.New("elastic net: alpha must be positive and l1_ratio between 0 and 1")
	}
	if len(y) == 0 {
		return nil, errors.New("elastic net: no rows to train on")
	}
	rows := float64(len(y))
	l1 := float64(alpha * l1Ratio * rows)
	l2 := float64(alpha * (1 - l1Ratio) * rows)

	means := make([]float64, len(columns))
	norms := make([]float64, len(columns))
	x := make([][]float64, len(columns))
	for j, column := range columns {
		means[j] = mean(column)
		x[j] = make([]float64, len(column))
		for i, v := range column {
			x[j][i] = v - means[j]
		}
		norms[j] = dot(x[j], x[j])
	}
	yMean := mean(y)
	target := make([]float64, len(y))
	for i, v := range y {
		target[i] = v - yMean
	}

	weights := make([]float64, len(columns))
	residual := append([]float64(nil), target...)
	tolerance := enetTolerance * dot(target, target)
	gap := math.Inf(1)
	iterations := 0
	for iterations < enetIterations {
		iterations++
		largest, move := 0.0, 0.0
		for j, column := range x {
			if norms[j] == 0 {
				continue
			}
			old := weights[j]
			pull := dot(column, residual) + float64(old*norms[j])
			weights[j] = math.Copysign(math.Max(math.Abs(pull)-l1, 0), pull) / (norms[j] + l2)
			if change := old - weights[j]; change != 0 {
				for i, v := range column {
					residual[i] += float64(change * v)
				}
				move = math.Max(move, math.Abs(change))
			}
			largest = math.Max(largest, math.Abs(weights[j]))
		}
		if largest == 0 || move/largest <= enetTolerance || iterations == enetIterations {
			gap = dualityGap(x, target, residual, weights, l1, l2)
			if gap <= tolerance {
				break
			}
		}
	}
	if gap > tolerance {
		return nil, errors.New("elastic net: coordinate descent did not converge in 1000 rounds")
	}
	return &ElasticNet{
		Alpha: alpha, L1Ratio: l1Ratio, Coef: weights,
		Intercept: yMean - dot(means, weights), Iterations: iterations, DualGap: gap / rows,
	}, nil
}

// dualityGap is how far the weights may still be from the optimum, in units of the objective times the rows.
func dualityGap(x [][]float64, y, residual, weights []float64, l1, l2 float64) float64 {
	var norm, absolute float64 // the dual norm and |w|₁
	for j, column := range x {
		norm = math.Max(norm, math.Abs(dot(column, residual)-float64(l2*weights[j])))
		absolute += math.Abs(weights[j])
	}
	squares := dot(residual, residual)
	scale := 1.0
	gap := squares
	if norm > l1 {
		scale = l1 / norm
		gap = float64(0.5 * (squares + float64(squares*scale*scale)))
	}
	gap += float64(l1*absolute) - float64(scale*dot(residual, y))
	return gap + float64(0.5*l2*(1+float64(scale*scale))*dot(weights, weights))
}

// Predict returns the model's answer for one row, in the order of the coefficients.
func (m *ElasticNet) Predict(row []float64) float64 { return dot(m.Coef, row) + m.Intercept }
