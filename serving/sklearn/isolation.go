package sklearn

import "math"

// pathLength is the mean number of nodes on the way to a leaf that holds n rows, in a random tree.
func pathLength(n float64) float64 {
	const eulerGamma = 0.57721566490153286060651209008240243104215933593992
	switch {
	case n <= 1:
		return 0
	case n <= 2:
		return 1
	}
	return 2*(ln(n-1)+eulerGamma) - 2*(n-1)/n
}

func loadIsolation(_ *loader, e *estimator, _ int) (*model, error) {
	f := newForest(e)
	if e.old(6) {
		f.in.allowNaN = false
	}
	trees, columns := e.list("estimators_"), e.list("estimators_features_")
	if e.err == nil && (len(trees) == 0 || len(trees) != len(columns)) {
		e.fail("estimators_features_ has %d lists for %d trees", len(columns), len(trees))
	}
	for i, tree := range trees {
		if e.err != nil {
			return nil, e.err
		}
		at, _, err := e.numbersOf(columns[i])
		places, ok := wholeNumbers(at, f.in.width)
		if err != nil || !ok {
			e.fail("attribute estimators_features_ is not understood")
			break
		}
		f.addTree(e, tree, places)
	}
	offset := e.number("offset_")
	rows := 0.0
	if e.has("_max_samples") {
		rows = e.number("_max_samples")
	} else {
		rows = e.number("max_samples_")
	}
	if e.err != nil {
		return nil, e.err
	}
	if f.width != 1 || f.outputs != 1 {
		e.fail("the trees have several values")
		return nil, e.err
	}
	// The leaf's place among all is its place in values, as each has one.
	paths := f.depths
	for i, n := range f.samples {
		paths[i] += pathLength(n)
	}
	whole := pathLength(rows) * float64(len(f.roots))
	score := func(b *builder, in []int) ([]int, error) {
		first, err := f.input(b, in)
		if err != nil {
			return nil, err
		}
		out := b.add(1)
		b.do(func(r *registers) error {
			x := r.num[first : first+f.in.width]
			sum := 0.0
			for _, root := range f.roots {
				sum += paths[f.walk(root, x)]
			}
			mean := 1.0
			if whole != 0 {
				mean = sum / whole
			}
			r.num[out[0]] = -math.Exp2(-mean)
			return nil
		})
		return out, nil
	}
	return outlierModel(e, score, offset), nil
}

// outlierModel makes the methods of an outlier detector from its scores: a row whose score is below the
// offset is an outlier, -1.
func outlierModel(e *estimator, score compute, offset float64) *model {
	m := classifier(e, wholeLabels(-1, 1))
	m.fns[scoreSamples] = score
	m.fns[decisionFunction] = then(score, func(b *builder, s []int) []int { return b.each(s, func(v float64) float64 { return v - offset }) })
	m.fns[predict] = func(b *builder, in []int) ([]int, error) {
		s, err := m.fns[decisionFunction](b, in)
		if err != nil {
			return nil, err
		}
		return b.each(s, func(v float64) float64 {
			if v < 0 {
				return 0
			}
			return 1
		}), nil
	}
	return m
}
