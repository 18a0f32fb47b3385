package sklearn

import (
	"slices"

	"github.com/prinzbox/prinzbox/serving/pyobj"
)

// loadMultiOutput reads one estimator for each output.
func loadMultiOutput(l *loader, e *estimator, depth int) (*model, error) {
	parts, err := l.models(e, "estimators_", depth)
	if err != nil {
		return nil, err
	}
	m := &model{name: e.name, matrix: true, fns: map[method]compute{}}
	for _, p := range parts {
		if p.matrix || e.name == "MultiOutputClassifier" && p.classes == nil || e.name == "MultiOutputRegressor" && p.classes != nil {
			e.fail("part %s is not supported", p.name)
			return nil, e.err
		}
		if p.classes != nil {
			m.outputs = append(m.outputs, p.classes)
		}
	}
	if m.outputs != nil {
		checkOutputs(e, m.outputs)
	}
	m.fns[predict] = func(b *builder, in []int) ([]int, error) {
		all, err := predictions(b, parts, in, predict)
		if err != nil {
			return nil, err
		}
		var out []int
		for _, regs := range all {
			out = append(out, regs...)
		}
		return out, nil
	}
	return m, e.err
}

// loadOutputChain reads one estimator for each output, where each sees what those before it say.
func loadOutputChain(l *loader, e *estimator, depth int) (*model, error) {
	parts, err := l.models(e, "estimators_", depth)
	if err != nil {
		return nil, err
	}
	n := len(parts)
	var order []int
	if e.has("order_") {
		v, _ := e.get("order_")
		f, _, err := e.numbersOf(v)
		var ok bool
		if order, ok = wholeNumbers(f, n); err != nil || !ok || len(order) != n {
			e.fail("attribute order_ is not understood")
		}
	} else {
		e.missing("order_")
	}
	seen := make([]bool, n)
	for _, k := range order {
		seen[k] = true
	}
	for _, s := range seen {
		if !s && e.err == nil {
			e.fail("attribute order_ is not understood")
		}
	}
	link := predict
	if e.has("chain_method_") {
		v, _ := e.get("chain_method_")
		s, _ := v.(string)
		link = method(s)
	}
	var numbers [][]float64
	for _, p := range parts {
		if e.name == "ClassifierChain" {
			if p.classes == nil || p.classes.len() != 2 || p.classes.numbers() == nil || !p.has(link) || link == transform || link == scoreSamples {
				e.fail("part %s is not supported: only two classes that are numbers", p.name)
				return nil, e.err
			}
			numbers = append(numbers, p.classes.numbers())
		} else if p.classes != nil || p.matrix {
			e.fail("part %s does not predict one number", p.name)
		}
	}
	if e.err != nil {
		return nil, e.err
	}
	in := readFeatures(e, -1, false)
	one := func(b *builder, i int, x []int, fn method) (int, error) {
		p := parts[i]
		regs, err := p.regs(b, x, fn)
		if err != nil {
			return 0, err
		}
		if fn == predict && p.classes != nil {
			classes := numbers[i]
			regs = b.each(regs, func(v float64) float64 { return classes[int(v)] })
		}
		return regs[len(regs)-1], nil // the second class of probabilities
	}
	chained := func(fn method) compute {
		return func(b *builder, regs []int) ([]int, error) {
			first, err := in.of(b, regs)
			if err != nil {
				return nil, err
			}
			x := places(first, in.width)
			out := make([]int, n)
			for i := range parts {
				said, err := one(b, i, x, link)
				if err != nil {
					return nil, err
				}
				if out[order[i]] = said; fn != link {
					if out[order[i]], err = one(b, i, x, fn); err != nil {
						return nil, err
					}
				}
				x = append(slices.Clip(x), said)
			}
			return out, nil
		}
	}
	m := &model{name: e.name, matrix: true, fns: map[method]compute{predict: chained(predict)}}
	if e.name == "ClassifierChain" {
		for _, fn := range []method{predictProba, decisionFunction} {
			all := true
			for _, p := range parts {
				all = all && p.has(fn)
			}
			if all {
				m.fns[fn] = chained(fn)
			}
		}
	}
	return m, e.err
}

// binary gives what a two-class part says for its second class: decision_function, or the probability.
func binary(b *builder, p *model, in []int) (int, error) {
	fn := predict
	if p.classes != nil {
		fn = decisionFunction
		if !p.has(fn) {
			fn = predictProba
		}
	}
	regs, err := p.regs(b, in, fn)
	if err != nil {
		return 0, err
	}
	return regs[len(regs)-1], nil
}

// binaryParts checks that parts are regressors or have two classes (or are constants).
func binaryParts(e *estimator, parts []*model) {
	for _, p := range parts {
		switch {
		case p.matrix:
			e.fail("part %s does not predict one number", p.name)
		case p.classes == nil:
		case !p.has(decisionFunction) && !p.has(predictProba):
			e.fail("part %s has neither decision_function nor predict_proba", p.name)
		case p.classes.len() != 2:
			e.fail("part %s has %d classes, want 2", p.name, p.classes.len())
		}
	}
}

func loadOneVsRest(l *loader, e *estimator, depth int) (*model, error) {
	parts, err := l.models(e, "estimators_", depth)
	if err != nil {
		return nil, err
	}
	binaryParts(e, parts)
	binarizer := e.object("label_binarizer_")
	if e.err != nil {
		return nil, e.err
	}
	classes := readLabels(binarizer, "classes_")
	kind := binarizer.option("y_type_", "multiclass", "binary", "multilabel-indicator")
	if e.err = binarizer.err; e.err != nil {
		return nil, e.err
	}
	n := len(parts)
	threshold := 0.5
	if parts[0].classes != nil && parts[0].has(decisionFunction) {
		threshold = 0
	}
	scores := func(b *builder, in []int) ([]int, error) {
		out := make([]int, n)
		for i, p := range parts {
			var err error
			if out[i], err = binary(b, p, in); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	m := classifier(e, classes)
	allHave := func(fn method) bool {
		for _, p := range parts {
			if !p.has(fn) {
				return false
			}
		}
		return true
	}
	if allHave(decisionFunction) {
		m.fns[decisionFunction] = scores
	}
	switch kind {
	case "multilabel-indicator":
		m.classes, m.matrix, m.ints = nil, true, true
		m.fns[predict] = func(b *builder, in []int) ([]int, error) {
			s, err := scores(b, in)
			if err != nil {
				return nil, err
			}
			return b.each(s, func(v float64) float64 {
				if v > threshold {
					return 1
				}
				return 0
			}), nil
		}
	case "binary":
		if n != 1 || classes.len() != 2 {
			e.fail("estimators_ has %d parts for %d classes", n, classes.len())
			return nil, e.err
		}
		m.fns[predict] = then(scores, func(b *builder, s []int) []int { return b.greater(s[0], threshold) })
	default:
		if n != classes.len() {
			e.fail("estimators_ has %d parts for %d classes", n, classes.len())
			return nil, e.err
		}
		last := e.old(8) // older ones take the last of equal scores
		m.fns[predict] = func(b *builder, in []int) ([]int, error) {
			s, err := scores(b, in)
			if err != nil || !last {
				if err != nil {
					return nil, err
				}
				return b.argMax(s), nil
			}
			return b.lastMax(s), nil
		}
	}
	if allHave(predictProba) && allClasses(parts) {
		m.fns[predictProba] = restProba(e, parts, kind == "multilabel-indicator")
	}
	return m, e.err
}

func allClasses(parts []*model) bool {
	for _, p := range parts {
		if p.classes == nil {
			return false
		}
	}
	return true
}

// lastMax is argMax that takes the last of equals.
func (b *builder) lastMax(p []int) []int {
	out := b.add(1)
	b.do(func(r *registers) error {
		at := 0
		for k, i := range p {
			if r.num[i] >= r.num[p[at]] {
				at = k
			}
		}
		r.num[out[0]] = float64(at)
		return nil
	})
	return out
}

func restProba(e *estimator, parts []*model, many bool) compute {
	n := len(parts)
	zeroStays := !e.old(7)
	return func(b *builder, in []int) ([]int, error) {
		all, err := predictions(b, parts, in, predictProba)
		if err != nil {
			return nil, err
		}
		if n == 1 && !many {
			return b.pair(all[0][1]), nil
		}
		out := b.add(n)
		b.do(func(r *registers) error {
			sum := 0.0
			for k, regs := range all {
				r.num[out[k]] = r.num[regs[1]]
				sum += r.num[regs[1]]
			}
			if many || sum == 0 && zeroStays {
				return nil
			}
			for _, k := range out {
				r.num[k] /= sum
			}
			return nil
		})
		return out, nil
	}
}

// loadConstantPredictor reads the part of a one-vs-rest classifier whose class all rows or none had.
func loadConstantPredictor(_ *loader, e *estimator, _ int) (*model, error) {
	y, _ := e.array("y_")
	if e.err == nil && (len(y) != 1 || y[0] != 0 && y[0] != 1) {
		e.fail("attribute y_ is not understood")
	}
	if e.err != nil {
		return nil, e.err
	}
	m := classifier(e, wholeLabels(0, 1))
	constant := func(b *builder, _ []int) ([]int, error) { return []int{b.constant(y[0])}, nil }
	m.fns[predict], m.fns[decisionFunction] = constant, constant
	m.fns[predictProba] = func(b *builder, _ []int) ([]int, error) { return b.pair(b.constant(y[0])), nil }
	return m, nil
}

func loadOneVsOne(l *loader, e *estimator, depth int) (*model, error) {
	e.only("pairwise_indices_")
	parts, err := l.models(e, "estimators_", depth)
	if err != nil {
		return nil, err
	}
	binaryParts(e, parts)
	m := classifier(e, readLabels(e, "classes_"))
	if e.err != nil {
		return nil, e.err
	}
	n := m.classes.len()
	if len(parts) != n*(n-1)/2 {
		e.fail("estimators_ has %d parts for %d classes", len(parts), n)
		return nil, e.err
	}
	in := readFeatures(e, -1, true)
	in.infinite = true
	m.fns[decisionFunction] = func(b *builder, regs []int) ([]int, error) {
		first, err := in.of(b, regs)
		if err != nil {
			return nil, err
		}
		x := places(first, in.width)
		said, confidence := make([]int, len(parts)), make([]int, len(parts))
		for i, p := range parts {
			regs, err := p.regs(b, x, predict)
			if err != nil {
				return nil, err
			}
			if p.classes != nil {
				classes := p.classes.numbers()
				regs = b.each(regs, func(v float64) float64 { return classes[int(v)] })
			}
			said[i] = regs[0]
			if confidence[i], err = binary(b, p, x); err != nil {
				return nil, err
			}
		}
		out := ovrDecision(b, said, confidence, n)
		if n == 2 {
			return out[1:], nil
		}
		return out, nil
	}
	for _, p := range parts {
		if p.classes != nil && p.classes.numbers() == nil {
			e.fail("part %s predicts text", p.name)
		}
	}
	if n > 2 {
		m.mostOf(decisionFunction)
		return m, e.err
	}
	threshold := 0.5
	if parts[0].classes != nil && parts[0].has(decisionFunction) {
		threshold = 0
	}
	m.above(decisionFunction, threshold)
	return m, e.err
}

// ovrDecision makes one score for each class of what the pairs say (0 for the first class, 1 for the
// second) and how sure they are: votes, and between equals the confidence.
func ovrDecision(b *builder, said, confidence []int, n int) []int {
	out, sums := b.add(n), b.add(n)
	b.do(func(r *registers) error {
		votes, sum := r.num[out[0]:out[0]+n], r.num[sums[0]:sums[0]+n]
		clear(votes)
		clear(sum)
		k := 0
		for i := range n {
			for j := i + 1; j < n; j++ {
				c := r.num[confidence[k]]
				sum[i] -= c
				sum[j] += c
				switch r.num[said[k]] {
				case 0:
					votes[i]++
				case 1:
					votes[j]++
				}
				k++
			}
		}
		for i, s := range sum {
			a := s
			if a < 0 {
				a = -a
			}
			votes[i] += s / (3 * (a + 1))
		}
		return nil
	})
	return out
}

// loadSearch reads the best estimator that a search over parameters found.
func loadSearch(l *loader, e *estimator, depth int) (*model, error) {
	v, ok := e.get("best_estimator_")
	if !ok {
		e.fail("attribute best_estimator_ is missing: the search is not fitted, or was not refitted (refit=False)")
		return nil, e.err
	}
	if o, ok := v.(*pyobj.Object); ok && o.Class.Name == "NoneType" {
		e.missing("best_estimator_")
		return nil, e.err
	}
	return l.model(v, depth+1)
}

// loadElimination reads recursive feature elimination: the estimator sees the columns that were kept.
func loadElimination(l *loader, e *estimator, depth int) (*model, error) {
	s, err := loadSelector(l, e, depth)
	if err != nil {
		return nil, err
	}
	v, ok := e.get("estimator_")
	if !ok {
		e.missing("estimator_")
		return nil, e.err
	}
	m, err := l.model(v, depth+1)
	if err != nil {
		return nil, err
	}
	m = m.after(chain{s})
	m.name = e.name
	m.fns[transform] = s.compile
	return m, nil
}

// loadTransformedTarget reads a regressor whose target was transformed for fit, and how to go back.
func loadTransformedTarget(l *loader, e *estimator, depth int) (*model, error) {
	v, ok := e.get("regressor_")
	if !ok {
		e.missing("regressor_")
		return nil, e.err
	}
	m, err := l.model(v, depth+1)
	if err != nil {
		return nil, err
	}
	if m.classes != nil || m.outputs != nil {
		e.fail("the regressor is a classifier")
		return nil, e.err
	}
	back, err := loadInverse(e, "transformer_")
	if err != nil {
		return nil, err
	}
	dimensions := e.integer("_training_dim", 1)
	out := regressor(e, func(b *builder, in []int) ([]int, error) {
		regs, err := m.regs(b, in, predict)
		if err != nil {
			return nil, err
		}
		return back(b, regs)
	})
	// A target of one column in two dimensions stays that when the regressor keeps it so.
	out.matrix = dimensions == 2
	return out, e.err
}
