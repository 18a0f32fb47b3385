package sklearn

import (
	"math"
	"slices"
)

func loadAdaBoost(l *loader, e *estimator, depth int) (*model, error) {
	parts, err := l.models(e, "estimators_", depth)
	if err != nil {
		return nil, err
	}
	weights, _ := e.array("estimator_weights_")
	if e.err != nil {
		return nil, e.err
	}
	if len(weights) < len(parts) {
		e.fail("estimator_weights_ has %d values for %d estimators", len(weights), len(parts))
		return nil, e.err
	}
	// Boosting that ends early leaves weights of 0 behind, which scikit-learn's sums hold as well.
	all := weights
	weights = weights[:len(parts)]
	in := readFeatures(e, -1, false)
	if e.name == "AdaBoostRegressor" {
		return regressor(e, func(b *builder, regs []int) ([]int, error) { return weightedMedian(b, in, parts, weights, regs) }), e.err
	}
	m := classifier(e, readLabels(e, "classes_"))
	if e.err != nil {
		return nil, e.err
	}
	total := 0.0
	for _, w := range all {
		total += w
	}
	boost := &adaBoost{in: in, parts: parts, weights: weights, total: total, n: m.classes.len(), old: e.old(3)}
	boost.real = e.option("algorithm", "SAMME", "SAMME.R", "deprecated") == "SAMME.R"
	for _, p := range parts {
		if p.classes == nil || p.classes.kind != m.classes.kind || boost.real && p.classes.len() != boost.n || boost.real && !p.has(predictProba) {
			e.fail("part %s has other classes, or no predict_proba", p.name)
			return nil, e.err
		}
		place := make([]float64, p.classes.len())
		for i := range place {
			place[i] = float64(m.classes.find(p.classes.value(i)))
		}
		boost.places = append(boost.places, place)
	}
	if boost.n < 2 {
		e.fail("a single class is not supported")
		return nil, e.err
	}
	m.fns[decisionFunction] = boost.decide
	m.fns[predictProba] = boost.proba
	if boost.n == 2 {
		m.above(decisionFunction, 0)
	} else {
		m.mostOf(decisionFunction)
	}
	return m, e.err
}

type adaBoost struct {
	in      *features
	parts   []*model
	places  [][]float64 // of each part's classes in the ensemble's
	weights []float64
	total   float64
	n       int
	real    bool // SAMME.R
	old     bool // of a release whose SAMME gives nothing to the other classes
}

// votes adds up what the parts say for each class.
func (a *adaBoost) votes(b *builder, in []int) ([]int, error) {
	first, err := a.in.of(b, in)
	if err != nil {
		return nil, err
	}
	x := places(first, a.in.width)
	fn := predict
	if a.real {
		fn = predictProba
	}
	said, err := predictions(b, a.parts, x, fn)
	if err != nil {
		return nil, err
	}
	out := b.add(a.n)
	n := float64(a.n)
	b.do(func(r *registers) error {
		sum := r.num[out[0] : out[0]+a.n]
		clear(sum)
		for i, regs := range said {
			if a.real {
				mean := 0.0
				for _, reg := range regs {
					mean += ln(math.Max(r.num[reg], 2.220446049250313e-16))
				}
				mean /= n
				for k, reg := range regs {
					sum[k] += (n - 1) * (ln(math.Max(r.num[reg], 2.220446049250313e-16)) - mean)
				}
				continue
			}
			class := int(a.places[i][int(r.num[regs[0]])])
			for k := range sum {
				switch {
				case k == class:
					sum[k] += a.weights[i]
				case !a.old:
					sum[k] -= a.weights[i] / (n - 1)
				}
			}
		}
		for k := range sum {
			sum[k] /= a.total
		}
		return nil
	})
	return out, nil
}

func (a *adaBoost) decide(b *builder, in []int) ([]int, error) {
	sum, err := a.votes(b, in)
	if err != nil || a.n > 2 {
		return sum, err
	}
	out := b.add(1)
	b.do(func(r *registers) error {
		r.num[out[0]] = r.num[sum[1]] - r.num[sum[0]]
		return nil
	})
	return out, nil
}

func (a *adaBoost) proba(b *builder, in []int) ([]int, error) {
	d, err := a.decide(b, in)
	if err != nil {
		return nil, err
	}
	if a.n > 2 {
		return b.sharpen(b.each(d, func(v float64) float64 { return v / float64(a.n-1) })), nil
	}
	both := b.add(2)
	b.do(func(r *registers) error {
		r.num[both[0]], r.num[both[1]] = -r.num[d[0]]/2, r.num[d[0]]/2
		return nil
	})
	return b.sharpen(both), nil
}

// weightedMedian is AdaBoostRegressor.predict.
func weightedMedian(b *builder, in *features, parts []*model, weights []float64, regs []int) ([]int, error) {
	first, err := in.of(b, regs)
	if err != nil {
		return nil, err
	}
	said, err := predictions(b, parts, places(first, in.width), predict)
	if err != nil {
		return nil, err
	}
	out := b.add(1)
	order := b.add(len(parts))
	b.do(func(r *registers) error {
		by := r.num[order[0] : order[0]+len(parts)]
		total := 0.0
		for i, w := range weights {
			by[i] = float64(i)
			total += w
		}
		slices.SortStableFunc(by, func(i, k float64) int {
			x, y := r.num[said[int(i)][0]], r.num[said[int(k)][0]]
			switch {
			case x < y:
				return -1
			case x > y:
				return 1
			}
			return 0
		})
		total = 0
		for _, i := range by {
			total += weights[int(i)]
		}
		sum := 0.0
		for _, i := range by {
			if sum += weights[int(i)]; sum >= 0.5*total {
				r.num[out[0]] = r.num[said[int(i)][0]]
				return nil
			}
		}
		r.num[out[0]] = r.num[said[int(by[0])][0]]
		return nil
	})
	return out, nil
}
