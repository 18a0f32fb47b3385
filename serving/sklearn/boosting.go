package sklearn

import (
	"math"
)

// rounds is gradient boosting's start and step.
type rounds struct {
	*forest
	rate  float64
	start []float64
	init  *model // instead of start
	// how the init estimator's predictions become a start
	initFn   method
	initLink func(p, out []float64)
}

func loadBoosting(l *loader, e *estimator, depth int) (*model, error) {
	f, perRound := readForest(e)
	if e.err == nil && (f.width != 1 || f.outputs != 1) {
		e.fail("the trees have several values")
	}
	if e.err != nil {
		return nil, e.err
	}
	s := &rounds{forest: f, rate: e.number("learning_rate"), start: make([]float64, perRound)}
	if e.name == "GradientBoostingRegressor" {
		e.option("loss", "squared_error", "ls", "absolute_error", "lad", "huber", "quantile")
		if perRound != 1 {
			e.fail("estimators_ has %d trees a round", perRound)
		}
		if err := s.readInit(l, e, depth, predict, func(p, out []float64) { copy(out, p) }); err != nil {
			return nil, err
		}
		return regressor(e, s.raw), e.err
	}
	m := classifier(e, readLabels(e, "classes_"))
	if e.err != nil {
		return nil, e.err
	}
	n := m.classes.len()
	if perRound != n && (n != 2 || perRound != 1) {
		e.fail("estimators_ has %d trees a round for %d classes", perRound, n)
		return nil, e.err
	}
	scale := 1.0
	if e.option("loss", "log_loss", "deviance", "exponential") == "exponential" {
		scale = 2
		if perRound != 1 {
			e.fail("the loss exponential has %d trees a round", perRound)
		}
	}
	centered := !e.old(4)
	eps := spacing
	if e.old(8) {
		eps = 1.1920928955078125e-07 // of float32
	}
	err := s.readInit(l, e, depth, predictProba, func(p, out []float64) { priorScores(p, out, eps, scale, centered) })
	if err != nil {
		return nil, err
	}
	m.fns[decisionFunction] = s.raw
	m.fns[predictProba] = func(b *builder, in []int) ([]int, error) {
		raw, err := s.raw(b, in)
		if err != nil {
			return nil, err
		}
		if perRound > 1 {
			return b.sharpen(raw), nil
		}
		return b.pair(b.each(raw, func(v float64) float64 { return expit(scale * v) })[0]), nil
	}
	m.mostOf(predictProba)
	if perRound == 1 && (!e.old(4) || scale == 2) {
		m.fns[predict] = func(b *builder, in []int) ([]int, error) {
			raw, err := s.raw(b, in)
			if err != nil {
				return nil, err
			}
			out := b.add(1)
			b.do(func(r *registers) error {
				r.num[out[0]] = 0
				if r.num[raw[0]] >= 0 {
					r.num[out[0]] = 1
				}
				return nil
			})
			return out, nil
		}
	}
	return m, e.err
}

// priorScores makes raw scores of the first estimator's probabilities, which are kept eps away from 0 and 1.
func priorScores(p, out []float64, eps, scale float64, centered bool) {
	clip := func(v float64) float64 { return math.Min(math.Max(v, eps), 1-eps) }
	if len(out) == 1 {
		v := clip(p[1])
		out[0] = ln(v/(1-v)) / scale
		return
	}
	mean := 0.0
	for k, v := range p {
		out[k] = ln(clip(v))
		mean += out[k] / float64(len(p))
	}
	if centered {
		for k := range out {
			out[k] -= mean
		}
	}
}

// readInit reads the estimator whose predictions boosting starts from.
func (s *rounds) readInit(l *loader, e *estimator, depth int, fn method, link func(p, out []float64)) error {
	v, ok := e.get("init_")
	if !ok {
		e.missing("init_")
		return e.err
	}
	if text, ok := v.(string); ok && text == "zero" {
		return nil
	}
	init, err := l.model(v, depth+1)
	if err != nil {
		return err
	}
	if !init.has(fn) {
		e.fail("option init=%s has no %s", init.name, fn)
		return e.err
	}
	s.init, s.initFn, s.initLink = init, fn, link
	return nil
}

// raw adds the rounds up.
func (s *rounds) raw(b *builder, in []int) ([]int, error) {
	first, err := s.input(b, in)
	if err != nil {
		return nil, err
	}
	n := len(s.start)
	out := b.add(n)
	var start []int
	if s.init != nil {
		// The init estimator gets the rounded values as well.
		if start, err = s.init.regs(b, places(first, s.in.width), s.initFn); err != nil {
			return nil, err
		}
		want := n
		if s.initFn == predictProba && n == 1 {
			want = 2
		}
		if len(start) != want {
			return nil, valueError("%s: the init estimator gives %d values, want %d", s.in.name, len(start), want)
		}
		start = b.side(start)
	}
	b.do(func(r *registers) error {
		raw := r.num[out[0] : out[0]+n]
		if start != nil {
			s.initLink(r.num[start[0]:start[0]+len(start)], raw)
		} else {
			clear(raw)
		}
		x := r.num[first : first+s.in.width]
		if n == 1 {
			sum := raw[0]
			for _, root := range s.roots {
				// The conversion forbids a fused multiply-add.
				sum += float64(s.rate * s.values[s.walk(root, x)])
			}
			raw[0] = sum
			return nil
		}
		for i, root := range s.roots {
			raw[i%n] += float64(s.rate * s.values[s.walk(root, x)])
		}
		return nil
	})
	return out, nil
}
