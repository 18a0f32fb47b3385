package sklearn

import (
	"math"
)

// loadBayes reads the naive Bayes family: each gives every class a joint log likelihood.
func loadBayes(_ *loader, e *estimator, _ int) (*model, error) {
	m := classifier(e, readLabels(e, "classes_"))
	if e.err != nil {
		return nil, e.err
	}
	n := m.classes.len()
	var joint compute
	switch e.name {
	case "GaussianNB":
		joint = gaussianBayes(e, n)
	case "CategoricalNB":
		joint = categoricalBayes(e, n)
	default:
		joint = countBayes(e, n)
	}
	if e.err != nil {
		return nil, e.err
	}
	m.fns[predict] = then(joint, (*builder).argMax)
	m.fns[predictLogProba] = then(joint, (*builder).logSharpen)
	m.fns[predictProba] = func(b *builder, in []int) ([]int, error) {
		s, err := m.fns[predictLogProba](b, in)
		if err != nil {
			return nil, err
		}
		return b.each(s, exp), nil
	}
	if !e.old(2) { // the method came with 1.2
		m.fns[jointLogProba] = joint
	}
	return m, nil
}

func gaussianBayes(e *estimator, n int) compute {
	mean, rows, width := e.table("theta_")
	attr := "var_"
	if !e.has(attr) {
		attr = "sigma_" // before 1.0
	}
	variance, rows2, width2 := e.table(attr)
	prior := e.vector("class_prior_", n)
	if e.err == nil && (rows != n || rows2 != n || width2 != width) {
		e.fail("theta_ has %d rows for %d classes", rows, n)
	}
	in := readFeatures(e, width, false)
	if e.err != nil {
		return nil
	}
	constant := make([]float64, n)
	for k := range constant {
		sum := 0.0
		for _, v := range variance[k*width : (k+1)*width] {
			sum += ln(2 * math.Pi * v)
		}
		constant[k] = ln(prior[k]) - 0.5*sum
	}
	return func(b *builder, regs []int) ([]int, error) {
		first, err := in.of(b, regs)
		if err != nil {
			return nil, err
		}
		out := b.add(n)
		b.do(func(r *registers) error {
			for k, reg := range out {
				sum := 0.0
				for i := range width {
					d := r.num[first+i] - mean[k*width+i]
					sum += d * d / variance[k*width+i]
				}
				r.num[reg] = constant[k] - 0.5*sum
			}
			return nil
		})
		return out, nil
	}
}

// countBayes is linear in the features, which are counts (or made 0 and 1).
func countBayes(e *estimator, n int) compute {
	weights, rows, width := e.table("feature_log_prob_")
	in := readFeatures(e, width, false)
	// Two classes may share one row in MultinomialNB of old releases.
	if e.err == nil && rows != n {
		e.fail("feature_log_prob_ has %d rows for %d classes", rows, n)
	}
	prior := make([]float64, n)
	if e.err != nil {
		return nil
	}
	binarize, threshold := false, 0.0
	positive := e.name != "BernoulliNB"
	switch e.name {
	case "BernoulliNB":
		prior = e.vector("class_log_prior_", n)
		if binarize = e.has("binarize"); binarize {
			threshold = e.number("binarize")
		}
		if e.err != nil {
			return nil
		}
		// x log p + (1-x) log(1-p), where only the first half depends on x.
		for k := range n {
			for i := range width {
				no := ln(1 - exp(weights[k*width+i]))
				weights[k*width+i] -= no
				prior[k] += no
			}
		}
	case "MultinomialNB":
		prior = e.vector("class_log_prior_", n)
	case "ComplementNB":
		if n == 1 {
			prior = e.vector("class_log_prior_", n)
		}
	}
	if e.err != nil {
		return nil
	}
	name := e.name
	return func(b *builder, regs []int) ([]int, error) {
		first, err := in.of(b, regs)
		if err != nil {
			return nil, err
		}
		out := b.add(n)
		b.do(func(r *registers) error {
			for k, reg := range out {
				sum := 0.0
				for i, w := range weights[k*width : (k+1)*width] {
					v := r.num[first+i]
					if binarize {
						if v > threshold {
							sum += w
						}
						continue
					}
					if positive && v < 0 {
						return valueError("Negative values in data passed to %s (input X).", name)
					}
					sum += v * w
				}
				r.num[reg] = sum + prior[k]
			}
			return nil
		})
		return out, nil
	}
}

func categoricalBayes(e *estimator, n int) compute {
	list := e.list("feature_log_prob_")
	prior := e.vector("class_log_prior_", n)
	in := readFeatures(e, len(list), false)
	if e.err != nil {
		return nil
	}
	tables, counts := make([][]float64, len(list)), make([]int, len(list))
	for i, v := range list {
		f, shape, err := e.numbersOf(v)
		if err != nil || len(shape) != 2 || shape[0] != n {
			e.fail("attribute feature_log_prob_ is not understood")
			return nil
		}
		tables[i], counts[i] = f, shape[1]
	}
	return func(b *builder, regs []int) ([]int, error) {
		first, err := in.of(b, regs)
		if err != nil {
			return nil, err
		}
		out := b.add(n)
		b.do(func(r *registers) error {
			for k, reg := range out {
				r.num[reg] = prior[k]
			}
			for i, t := range tables {
				v := r.num[first+i]
				if v < 0 {
					return valueError("Negative values in data passed to CategoricalNB (input X).")
				}
				c := math.Trunc(v)
				if c >= float64(counts[i]) {
					return &InputError{Kind: "IndexError", Message: "a category of CategoricalNB is out of bounds: it was not seen in fit"}
				}
				for k, reg := range out {
					r.num[reg] += t[k*counts[i]+int(c)]
				}
			}
			return nil
		})
		return out, nil
	}
}
