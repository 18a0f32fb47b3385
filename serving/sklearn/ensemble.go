package sklearn

import (
	"slices"

	"github.com/prinzbox/prinzbox/serving/pyobj"
)

// predictions compiles one method of many models and lists the registers of each.
func predictions(b *builder, parts []*model, in []int, fn method) ([][]int, error) {
	out := make([][]int, len(parts))
	for i, p := range parts {
		regs, err := p.regs(b, in, fn)
		if err != nil {
			return nil, err
		}
		out[i] = regs
	}
	return out, nil
}

// plainClasses are the classes of a part of an ensemble that scikit-learn fitted to places in the
// ensemble's classes.
func plainClasses(e *estimator, p *model, n int) []int {
	if p.classes == nil {
		e.fail("part %s is no classifier", p.name)
		return nil
	}
	out, ok := wholeNumbers(p.classes.numbers(), n)
	if !ok || len(out) != p.classes.len() {
		e.fail("the classes of part %s are not places in classes_", p.name)
	}
	return out
}

func loadBagging(l *loader, e *estimator, depth int) (*model, error) {
	parts, err := l.models(e, "estimators_", depth)
	if err != nil {
		return nil, err
	}
	in := readFeatures(e, -1, true)
	in.infinite = true
	columns := e.list("estimators_features_")
	if e.err == nil && len(columns) != len(parts) {
		e.fail("estimators_features_ has %d lists for %d estimators", len(columns), len(parts))
	}
	sees := make([][]int, len(parts))
	for i, c := range columns {
		if e.err != nil {
			return nil, e.err
		}
		f, _, err := e.numbersOf(c)
		at, ok := wholeNumbers(f, in.width)
		if e.err == nil && (err != nil || !ok) {
			e.fail("attribute estimators_features_ is not understood")
		}
		sees[i] = at
	}
	if e.err != nil {
		return nil, e.err
	}
	said := func(b *builder, regs []int, fn func(p *model) method) ([][]int, error) {
		first, err := in.of(b, regs)
		if err != nil {
			return nil, err
		}
		out := make([][]int, len(parts))
		for i, p := range parts {
			x := make([]int, len(sees[i]))
			for k, c := range sees[i] {
				x[k] = first + c
			}
			if out[i], err = p.regs(b, x, fn(p)); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	if e.name == "BaggingRegressor" {
		m := regressor(e, func(b *builder, regs []int) ([]int, error) {
			all, err := said(b, regs, func(*model) method { return predict })
			if err != nil {
				return nil, err
			}
			return meanOf(b, all, nil)
		})
		m.matrix = parts[0].matrix
		return m, nil
	}
	m := classifier(e, readLabels(e, "classes_"))
	if e.err != nil {
		return nil, e.err
	}
	n := m.classes.len()
	at := make([][]int, len(parts))
	for i, p := range parts {
		at[i] = plainClasses(e, p, n)
	}
	m.fns[predictProba] = func(b *builder, regs []int) ([]int, error) {
		all, err := said(b, regs, func(p *model) method {
			if p.has(predictProba) {
				return predictProba
			}
			return predict
		})
		if err != nil {
			return nil, err
		}
		out := b.add(n)
		b.do(func(r *registers) error {
			sum := r.num[out[0] : out[0]+n]
			clear(sum)
			for i, regs := range all {
				if !parts[i].has(predictProba) {
					sum[at[i][int(r.num[regs[0]])]]++
					continue
				}
				for k, reg := range regs {
					sum[at[i][k]] += r.num[reg]
				}
			}
			for k := range sum {
				sum[k] /= float64(len(all))
			}
			return nil
		})
		return out, nil
	}
	m.mostOf(predictProba)
	return m, e.err
}

// meanOf gives the mean of what several models say, with weights when not nil.
func meanOf(b *builder, all [][]int, weights []float64) ([]int, error) {
	n := len(all[0])
	for _, regs := range all {
		if len(regs) != n {
			return nil, valueError("the parts of the model give %d and %d values", n, len(regs))
		}
	}
	total := float64(len(all))
	if weights != nil {
		total = 0
		for _, w := range weights {
			total += w
		}
	}
	out := b.add(n)
	b.do(func(r *registers) error {
		for k := range n {
			sum := 0.0
			for i, regs := range all {
				v := r.num[regs[k]]
				if weights != nil {
					v *= weights[i]
				}
				sum += v
			}
			r.num[out[k]] = sum / total
		}
		return nil
	})
	return out, nil
}

// dropped tells which of an ensemble's named estimators stand aside.
func dropped(e *estimator, attr string) []bool {
	var out []bool
	for _, item := range e.list(attr) {
		pair, err := e.values(item)
		if err != nil || len(pair) != 2 {
			e.fail("attribute %s is not understood", attr)
			return nil
		}
		s, isText := pair[1].(string)
		out = append(out, pair[1] == nil || isText && s == "drop")
	}
	return out
}

func loadVoting(l *loader, e *estimator, depth int) (*model, error) {
	parts, err := l.models(e, "estimators_", depth)
	if err != nil {
		return nil, err
	}
	var weights []float64
	if e.has("weights") {
		v, _ := e.get("weights")
		all, _, err := e.numbersOf(v)
		drop := dropped(e, "estimators")
		if err != nil || len(all) != len(drop) {
			e.fail("option weights is not understood")
			return nil, e.err
		}
		for i, w := range all {
			if !drop[i] {
				weights = append(weights, w)
			}
		}
		if len(weights) != len(parts) {
			e.fail("option weights has %d values for %d estimators", len(weights), len(parts))
		}
	}
	if e.err != nil {
		return nil, e.err
	}
	mean := func(fn method) compute {
		return func(b *builder, in []int) ([]int, error) {
			all, err := predictions(b, parts, in, fn)
			if err != nil {
				return nil, err
			}
			return meanOf(b, all, weights)
		}
	}
	if e.name == "VotingRegressor" {
		for _, p := range parts {
			if p.classes != nil || p.matrix {
				e.fail("part %s does not predict one number", p.name)
			}
		}
		return regressor(e, mean(predict)), e.err
	}
	encoder := e.object("le_")
	if e.err != nil {
		return nil, e.err
	}
	m := classifier(e, readLabels(encoder, "classes_"))
	if encoder.err != nil {
		return nil, encoder.err
	}
	n := m.classes.len()
	at := make([][]int, len(parts))
	for i, p := range parts {
		at[i] = plainClasses(e, p, n)
	}
	if e.err != nil {
		return nil, e.err
	}
	if e.option("voting", "hard", "soft") == "soft" {
		for i, p := range parts {
			if !p.has(predictProba) || len(at[i]) != n || !slices.Equal(at[i], places(0, n)) {
				e.fail("part %s has no predict_proba of all classes", p.name)
			}
		}
		m.fns[predictProba] = mean(predictProba)
		m.mostOf(predictProba)
		return m, e.err
	}
	m.fns[predict] = func(b *builder, in []int) ([]int, error) {
		all, err := predictions(b, parts, in, predict)
		if err != nil {
			return nil, err
		}
		votes := b.add(n)
		b.do(func(r *registers) error {
			count := r.num[votes[0] : votes[0]+n]
			clear(count)
			for i, regs := range all {
				w := 1.0
				if weights != nil {
					w = weights[i]
				}
				count[at[i][int(r.num[regs[0]])]] += w
			}
			return nil
		})
		return b.argMax(votes), nil
	}
	return m, e.err
}

func loadStacking(l *loader, e *estimator, depth int) (*model, error) {
	parts, err := l.models(e, "estimators_", depth)
	if err != nil {
		return nil, err
	}
	v, ok := e.get("final_estimator_")
	if !ok {
		e.missing("final_estimator_")
		return nil, e.err
	}
	passthrough := e.flag("passthrough", false)
	sparse := l.sparse
	if !passthrough {
		l.sparse = dense
	}
	final, err := l.model(v, depth+1)
	l.sparse = sparse
	if err != nil {
		return nil, err
	}
	methods := e.strings("stack_method_")
	if e.err == nil && len(methods) != len(parts) {
		// Dropped estimators may keep their place.
		var kept []string
		for i, drop := range dropped(e, "estimators") {
			if !drop && i < len(methods) {
				kept = append(kept, methods[i])
			}
		}
		if methods = kept; len(methods) != len(parts) {
			e.fail("stack_method_ has %d names for %d estimators", len(methods), len(parts))
		}
	}
	out := &model{name: e.name, noLog: true, fns: map[method]compute{}}
	classes := 0
	if e.name == "StackingClassifier" {
		if v, ok := e.get("_label_encoder"); ok {
			if _, many := v.(*pyobj.List); many {
				e.fail("several outputs are not supported")
			}
		}
		out.classes = readLabels(e, "classes_")
		if e.err != nil {
			return nil, e.err
		}
		classes = out.classes.len()
		// The final estimator was fitted to places in classes_.
		if at := plainClasses(e, final, classes); e.err == nil && !slices.Equal(at, places(0, classes)) {
			e.fail("the final estimator has other classes")
		}
	} else if final.classes != nil {
		e.fail("the final estimator is a classifier")
	}
	if e.err != nil {
		return nil, e.err
	}
	var stack []compute
	for i, p := range parts {
		f, err := stacked(e, p, method(methods[i]), classes)
		if err != nil {
			return nil, err
		}
		stack = append(stack, f)
	}
	features := func(b *builder, in []int) ([]int, error) {
		var all []int
		for _, f := range stack {
			regs, err := f(b, in)
			if err != nil {
				return nil, err
			}
			all = append(all, regs...)
		}
		if passthrough {
			all = append(all, b.numbers(in)...)
		}
		return all, nil
	}
	for fn, f := range final.fns {
		if fn != predict && (fn != predictProba && fn != decisionFunction || out.classes == nil) {
			continue
		}
		out.fns[fn] = func(b *builder, in []int) ([]int, error) {
			all, err := features(b, in)
			if err != nil {
				return nil, err
			}
			return f(b, all)
		}
	}
	out.fns[transform] = features
	out.matrix = final.matrix
	return out, nil
}

// stacked is what one estimator of a stack hands on.
func stacked(e *estimator, p *model, fn method, classes int) (compute, error) {
	if !p.has(fn) {
		e.fail("part %s has no %s", p.name, fn)
		return nil, e.err
	}
	switch fn {
	case predictProba:
		if classes == 2 {
			return func(b *builder, in []int) ([]int, error) {
				regs, err := p.regs(b, in, fn)
				if err != nil {
					return nil, err
				}
				return regs[1:], nil
			}, nil
		}
	case predict:
		if p.classes != nil {
			numbers := p.classes.numbers()
			if numbers == nil {
				e.fail("part %s predicts text", p.name)
				return nil, e.err
			}
			return p.numbers(numbers), nil
		}
	case decisionFunction:
	default:
		e.fail("option stack_method=%s is not supported", fn)
		return nil, e.err
	}
	return func(b *builder, in []int) ([]int, error) { return p.regs(b, in, fn) }, nil
}

// numbers is predict of a classifier as numbers.
func (m *model) numbers(classes []float64) compute {
	return func(b *builder, in []int) ([]int, error) {
		regs, err := m.regs(b, in, predict)
		if err != nil {
			return nil, err
		}
		return b.each(regs, func(v float64) float64 { return classes[int(v)] }), nil
	}
}
