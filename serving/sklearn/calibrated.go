package sklearn

import (
	"math"
	"sort"

	"github.com/prinzbox/prinzbox/serving/pyobj"
)

func loadCalibrated(l *loader, e *estimator, depth int) (*model, error) {
	m := classifier(e, readLabels(e, "classes_"))
	list := e.list("calibrated_classifiers_")
	if e.err == nil && len(list) == 0 {
		e.fail("attribute calibrated_classifiers_ is empty")
	}
	if e.err != nil {
		return nil, e.err
	}
	var parts []compute
	for _, v := range list {
		p, err := loadCalibratedPart(l, v, m.classes, depth+1)
		if err != nil {
			return nil, err
		}
		parts = append(parts, p)
	}
	m.fns[predictProba] = func(b *builder, in []int) ([]int, error) {
		all := make([][]int, len(parts))
		for i, p := range parts {
			var err error
			if all[i], err = p(b, in); err != nil {
				return nil, err
			}
		}
		return meanOf(b, all, nil)
	}
	m.mostOf(predictProba)
	return m, nil
}

// loadCalibratedPart reads a classifier with a calibrator for each class.
func loadCalibratedPart(l *loader, v pyobj.Value, classes *labels, depth int) (compute, error) {
	e, err := l.open(v, depth)
	if err != nil {
		return nil, err
	}
	attr := "estimator"
	if !e.has(attr) {
		attr = "base_estimator"
	}
	inner, ok := e.get(attr)
	if !ok {
		e.missing("estimator")
		return nil, e.err
	}
	p, err := l.model(inner, depth+1)
	if err != nil {
		return nil, err
	}
	fn := decisionFunction
	if !p.has(fn) {
		fn = predictProba
	}
	n := classes.len()
	if p.classes == nil || !p.has(fn) || n < 2 {
		e.fail("part %s has neither decision_function nor predict_proba", p.name)
		return nil, e.err
	}
	if p.classes.kind != classes.kind {
		e.fail("part %s has other classes", p.name)
		return nil, e.err
	}
	attr = "calibrators"
	if !e.has(attr) {
		attr = "calibrators_"
	}
	list := e.list(attr)
	kind := e.option("method", "sigmoid", "isotonic")
	if e.err != nil {
		return nil, e.err
	}
	var curves []func(float64) float64
	for _, v := range list {
		c, err := e.part(v)
		if err != nil {
			return nil, err
		}
		var curve func(float64) float64
		switch {
		case kind == "sigmoid" && c.name == "_SigmoidCalibration":
			slope, shift := c.number("a_"), c.number("b_")
			curve = func(v float64) float64 { return expit(-(slope*v + shift)) }
		case kind == "isotonic" && c.name == "IsotonicRegression":
			curve = readIsotonic(c)
		default:
			c.fail("is not supported as a calibrator of method %s", kind)
		}
		if c.err != nil {
			return nil, c.err
		}
		curves = append(curves, curve)
	}
	at := make([]int, len(curves))
	switch {
	case n == 2 && len(curves) == 1 && p.classes.same(classes):
		at[0] = 1
	case n > 2 && len(curves) == p.classes.len():
		for i := range at {
			if at[i] = classes.find(p.classes.value(i)); at[i] < 0 {
				e.fail("part %s has other classes", p.name)
			}
		}
	default:
		e.fail("%d calibrators for %d classes", len(curves), n)
	}
	if e.err != nil {
		return nil, e.err
	}
	return func(b *builder, in []int) ([]int, error) {
		scores, err := p.regs(b, in, fn)
		if err != nil {
			return nil, err
		}
		if n == 2 {
			scores = scores[len(scores)-1:]
		}
		if len(scores) != len(curves) {
			return nil, valueError("%s gives %d scores for %d calibrators", p.name, len(scores), len(curves))
		}
		out := b.add(n)
		b.do(func(r *registers) error {
			q := r.num[out[0] : out[0]+n]
			clear(q)
			sum := 0.0
			for i, s := range scores {
				q[at[i]] = curves[i](r.num[s])
				sum += q[at[i]]
			}
			for k := range q {
				switch {
				case n == 2 && k == 0:
					q[0] = 1 - q[1]
				case n > 2 && sum == 0:
					q[k] = 1 / float64(n)
				case n > 2:
					q[k] /= sum
				}
				if q[k] > 1 && q[k] <= 1+1e-5 {
					q[k] = 1
				}
			}
			return nil
		})
		return out, nil
	}, nil
}

// interpolate is the line through points at x, which must be in the interval they span.
func interpolate(x, y []float64, v float64) float64 {
	if len(x) == 1 {
		return y[0]
	}
	// scipy's interp1d looks for the place with numpy.searchsorted (from the left).
	hi := min(max(sort.SearchFloat64s(x, v), 1), len(x)-1)
	lo := hi - 1
	slope := (y[hi] - y[lo]) / (x[hi] - x[lo])
	return slope*(v-x[lo]) + y[lo]
}

// readIsotonic reads the line of an isotonic regression.
func readIsotonic(e *estimator) func(float64) float64 {
	x, shape := e.array("X_thresholds_")
	y, _ := e.array("y_thresholds_")
	mode := e.option("out_of_bounds", "nan", "clip", "raise")
	low, high := e.number("X_min_"), e.number("X_max_")
	if e.err == nil && (len(shape) != 1 || len(x) != len(y) || len(x) == 0 || !sort.Float64sAreSorted(x)) {
		e.fail("attribute X_thresholds_ is not understood")
	}
	if e.err != nil {
		return nil
	}
	if mode == "raise" {
		e.fail("option out_of_bounds='raise' is not supported (supported: nan, clip)")
	}
	return func(v float64) float64 {
		if mode == "clip" {
			v = math.Min(math.Max(v, low), high)
		}
		if len(x) > 1 && !(v >= x[0] && v <= x[len(x)-1]) {
			return math.NaN()
		}
		return interpolate(x, y, v)
	}
}

func loadIsotonic(_ *loader, e *estimator, _ int) (*model, error) {
	f := readIsotonic(e)
	if e.err != nil {
		return nil, e.err
	}
	in := &features{name: e.name, names: e.strings("feature_names_in_"), width: 1}
	return regressor(e, func(b *builder, regs []int) ([]int, error) {
		vector := b.vector
		b.vector = false // a vector of numbers is welcome
		first, err := in.of(b, regs)
		b.vector = vector
		if err != nil {
			return nil, err
		}
		return b.each([]int{first}, f), nil
	}), e.err
}
