package sklearn

import (
	"github.com/prinzbox/prinzbox/serving/pyobj"
)

// loadDummy reads the estimators that do not look at their input.
func loadDummy(_ *loader, e *estimator, _ int) (*model, error) {
	if n := e.integer("n_outputs_", 1); n != 1 {
		e.fail("several outputs are not supported")
	}
	if e.name == "DummyRegressor" {
		e.option("strategy", "mean", "median", "quantile", "constant")
		v := e.number("constant_")
		m := regressor(e, func(b *builder, _ []int) ([]int, error) { return []int{b.constant(v)}, nil })
		return m, e.err
	}
	m := classifier(e, readLabels(e, "classes_"))
	prior, _ := e.array("class_prior_")
	strategy := e.option("strategy", "prior", "most_frequent", "constant", "stratified", "uniform", "warn")
	if e.err != nil {
		return nil, e.err
	}
	n := m.classes.len()
	if len(prior) != n {
		e.fail("class_prior_ has %d values for %d classes", len(prior), n)
		return nil, e.err
	}
	best := 0
	for k, p := range prior {
		if p > prior[best] {
			best = k
		}
	}
	proba := make([]float64, n)
	switch strategy {
	case "prior":
		copy(proba, prior)
	case "most_frequent":
		proba[best] = 1
	case "constant":
		v, _ := e.get("constant")
		if items, err := e.values(v); err == nil && len(items) == 1 {
			v = items[0]
		}
		if best = m.classes.find(pyobj.Scalar(v)); best < 0 {
			e.fail("option constant=%s is not one of the classes", describe(v))
			return nil, e.err
		}
		proba[best] = 1
	default:
		e.fail("option strategy='%s' is not supported: it answers at random", strategy)
	}
	m.fns[predict] = func(b *builder, _ []int) ([]int, error) { return []int{b.constant(float64(best))}, nil }
	m.fns[predictProba] = func(b *builder, _ []int) ([]int, error) {
		out := b.add(n)
		b.do(func(r *registers) error {
			for k, reg := range out {
				r.num[reg] = proba[k]
			}
			return nil
		})
		return out, nil
	}
	return m, e.err
}

// loadPartialLeastSquares reads a regression on latent variables, which is linear after all.
func loadPartialLeastSquares(_ *loader, e *estimator, _ int) (*model, error) {
	mean, _ := e.array("_x_mean")
	width := len(mean)
	in := readFeatures(e, width, false)
	scaled := e.old(5) // older ones divide by the standard deviation first
	var deviation []float64
	if scaled {
		deviation = e.vector("_x_std", width)
	}
	attr := "coef_"
	if e.has("_coef_") {
		attr = "_coef_"
	}
	coef, rows, cols := e.table(attr)
	shift, _ := e.array(interceptOf(e))
	if e.err != nil {
		return nil, e.err
	}
	// Before 1.3 the coefficients have a column for each output; at(k, i) is that of output k, feature i.
	at := func(k, i int) float64 { return coef[k*cols+i] }
	outputs := rows
	if cols != width || e.old(1) {
		outputs = cols
		at = func(k, i int) float64 { return coef[i*cols+k] }
		if rows != width {
			e.fail("coef_ has shape (%d, %d) for %d features", rows, cols, width)
			return nil, e.err
		}
	}
	if len(shift) != outputs {
		e.fail("intercept_ has %d values for %d outputs", len(shift), outputs)
		return nil, e.err
	}
	m := regressor(e, func(b *builder, regs []int) ([]int, error) {
		first, err := in.of(b, regs)
		if err != nil {
			return nil, err
		}
		out := b.add(outputs)
		b.do(func(r *registers) error {
			for k, reg := range out {
				sum := 0.0
				for i := range width {
					v := r.num[first+i] - mean[i]
					if scaled {
						v /= deviation[i]
					}
					sum += v * at(k, i)
				}
				r.num[reg] = sum + shift[k]
			}
			return nil
		})
		return out, nil
	})
	m.matrix = !e.flag("_predict_1d", false)
	return m, e.err
}

func interceptOf(e *estimator) string {
	if e.has("intercept_") {
		return "intercept_"
	}
	return "_y_mean"
}
