// Package libsvm is the part of libsvm that scikit-learn's and ONNX's support vector machines have in common.
package libsvm

import "math"

// Couple finds the probabilities p of n classes that fit those of the pairs best, as libsvm's multiclass_probability does. pair[i*n+j] is the
// probability of class i against class j; q (n*n values) and qp (n) are scratch.
func Couple(n int, pair, q, qp, p []float64) {
	for t := range n {
		p[t] = 1 / float64(n)
		q[t*n+t] = 0
		for j := range t {
			q[t*n+t] += pair[j*n+t] * pair[j*n+t]
			q[t*n+j] = q[j*n+t]
		}
		for j := t + 1; j < n; j++ {
			q[t*n+t] += pair[j*n+t] * pair[j*n+t]
			q[t*n+j] = -pair[j*n+t] * pair[t*n+j]
		}
	}
	eps := 0.005 / float64(n)
	for range max(100, n) {
		pqp := 0.0
		for t := range n {
			qp[t] = 0
			for j := range n {
				qp[t] += q[t*n+j] * p[j]
			}
			pqp += p[t] * qp[t]
		}
		worst := 0.0
		for t := range n {
			worst = math.Max(worst, math.Abs(qp[t]-pqp))
		}
		if worst < eps {
			return
		}
		for t := range n {
			diff := (-qp[t] + pqp) / q[t*n+t]
			p[t] += diff
			pqp = (pqp + diff*(diff*q[t*n+t]+2*qp[t])) / (1 + diff) / (1 + diff)
			for j := range n {
				qp[j] = (qp[j] + diff*q[t*n+j]) / (1 + diff)
				p[j] /= 1 + diff
			}
		}
	}
}
