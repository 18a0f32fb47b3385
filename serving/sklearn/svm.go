package sklearn

import (
	"math"

	"github.com/prinzbox/prinzbox/serving/libsvm"
)

// kernel is libsvm's measure of likeness.
type kernel struct {
	kind         string
	gamma, coef0 float64
	degree       int
}

func readKernel(e *estimator) kernel {
	k := kernel{kind: e.option("kernel", "rbf", "linear", "poly", "sigmoid")}
	if k.kind != "linear" {
		k.gamma = e.number("_gamma")
	}
	if k.kind == "poly" || k.kind == "sigmoid" {
		k.coef0 = e.number("coef0")
	}
	if k.kind == "poly" {
		k.degree = e.integer("degree", 3)
	}
	return k
}

func (k *kernel) of(x, y []float64) float64 {
	y = y[:len(x)]
	sum := 0.0
	if k.kind == "rbf" {
		for i, v := range x {
			d := v - y[i]
			sum += d * d
		}
		return exp(-k.gamma * sum)
	}
	for i, v := range x {
		sum += v * y[i]
	}
	switch k.kind {
	case "poly":
		return power(k.gamma*sum+k.coef0, k.degree)
	case "sigmoid":
		return math.Tanh(k.gamma*sum + k.coef0)
	}
	return sum
}

// power is libsvm's powi.
func power(base float64, times int) float64 {
	out, factor := 1.0, base
	for t := times; t > 0; t /= 2 {
		if t%2 == 1 {
			out *= factor
		}
		factor *= factor
	}
	return out
}

// machine is a support vector machine.
type machine struct {
	kernel    kernel
	in        *features
	vectors   []float64
	rows      int
	intercept []float64
}

func readMachine(e *estimator, intercept string) *machine {
	m := &machine{kernel: readKernel(e)}
	e.only("_sparse", false)
	width := 0
	m.vectors, m.rows, width = e.table("support_vectors_")
	m.in = readFeatures(e, width, false)
	m.intercept, _ = e.array(intercept)
	return m
}

// kernels fills in the likeness of a row to every support vector.
func (m *machine) kernels(b *builder, in []int) (first int, err error) {
	x, err := m.in.of(b, in)
	if err != nil {
		return 0, err
	}
	w := m.in.width
	out := b.add(max(1, m.rows))
	b.do(func(r *registers) error {
		row := r.num[x : x+w]
		for i := range m.rows {
			r.num[out[0]+i] = m.kernel.of(row, m.vectors[i*w:(i+1)*w])
		}
		return nil
	})
	return out[0], nil
}

// loadSVR reads the machines with one value: regression and the one-class machine.
func loadSVR(_ *loader, e *estimator, _ int) (*model, error) {
	dual, intercept := "_dual_coef_", "_intercept_"
	m := readMachine(e, intercept)
	coef, rows, cols := e.table(dual)
	if e.err != nil {
		return nil, e.err
	}
	if rows != 1 || cols != m.rows || len(m.intercept) != 1 {
		e.fail("_dual_coef_ has %d columns for %d support vectors", cols, m.rows)
		return nil, e.err
	}
	value := func(b *builder, in []int) ([]int, error) {
		k, err := m.kernels(b, in)
		if err != nil {
			return nil, err
		}
		out := b.add(1)
		b.do(func(r *registers) error {
			sum := 0.0
			for i, c := range coef {
				sum += c * r.num[k+i]
			}
			r.num[out[0]] = sum + m.intercept[0]
			return nil
		})
		return out, nil
	}
	if e.name != "OneClassSVM" {
		return regressor(e, value), e.err
	}
	p := classifier(e, wholeLabels(-1, 1))
	offset := e.number("offset_")
	p.fns[decisionFunction] = value
	p.above(decisionFunction, 0)
	p.fns[scoreSamples] = then(value, func(b *builder, d []int) []int { return b.each(d, func(v float64) float64 { return v + offset }) })
	return p, e.err
}

// loadSVC reads the classifiers: one machine for each pair of classes, over shared support vectors.
func loadSVC(_ *loader, e *estimator, _ int) (*model, error) {
	m := readMachine(e, "_intercept_")
	p := classifier(e, readLabels(e, "classes_"))
	coef, rows, cols := e.table("_dual_coef_")
	counts := "_n_support"
	if !e.has(counts) {
		counts = "n_support_"
	}
	support := e.whole(counts, m.rows+1)
	shape := e.option("decision_function_shape", "ovr", "ovo")
	breakTies := e.flag("break_ties", false)
	if e.err != nil {
		return nil, e.err
	}
	n := p.classes.len()
	pairs := n * (n - 1) / 2
	total := 0
	for _, c := range support {
		total += c
	}
	if n < 2 || rows != n-1 || cols != m.rows || len(m.intercept) != pairs || len(support) != n || total != m.rows {
		e.fail("the support vectors do not fit %d classes", n)
		return nil, e.err
	}
	s := &classMachine{machine: m, n: n, coef: coef, start: make([]int, n+1)}
	for i, c := range support {
		s.start[i+1] = s.start[i] + c
	}
	p.fns[decisionFunction] = func(b *builder, in []int) ([]int, error) {
		d, err := s.pairs(b, in)
		if err != nil {
			return nil, err
		}
		if n == 2 {
			return b.each(d, func(v float64) float64 { return -v }), nil
		}
		if shape == "ovo" {
			return d, nil
		}
		said := b.each(d, func(v float64) float64 {
			if v < 0 {
				return 1
			}
			return 0
		})
		return ovrDecision(b, said, b.each(d, func(v float64) float64 { return -v }), n), nil
	}
	if shape == "ovo" && breakTies {
		e.fail("option break_ties=True needs decision_function_shape='ovr'")
	}
	if breakTies && n > 2 {
		p.mostOf(decisionFunction)
	} else {
		p.fns[predict] = s.vote
	}
	if e.has("probability") {
		// "deprecated" stands for False.
		if text, _ := e.obj.Attr("probability"); text != "deprecated" && e.flag("probability", false) {
			probA, probB := "_probA", "_probB"
			if !e.has(probA) {
				probA, probB = "probA_", "probB_"
			}
			s.probA, s.probB = e.vector(probA, pairs), e.vector(probB, pairs)
			p.fns[predictProba] = s.proba
		}
	}
	return p, e.err
}

type classMachine struct {
	*machine
	n            int
	coef         []float64
	start        []int // where each class's support vectors begin
	probA, probB []float64
}

// pairs gives libsvm's decision value of every pair of classes: positive for the first one.
func (s *classMachine) pairs(b *builder, in []int) ([]int, error) {
	k, err := s.kernels(b, in)
	if err != nil {
		return nil, err
	}
	out := b.add(s.n * (s.n - 1) / 2)
	b.do(func(r *registers) error {
		p := 0
		for i := range s.n {
			for j := i + 1; j < s.n; j++ {
				sum := 0.0
				for v := s.start[i]; v < s.start[i+1]; v++ {
					sum += s.coef[(j-1)*s.rows+v] * r.num[k+v]
				}
				for v := s.start[j]; v < s.start[j+1]; v++ {
					sum += s.coef[i*s.rows+v] * r.num[k+v]
				}
				r.num[out[p]] = sum + s.intercept[p]
				p++
			}
		}
		return nil
	})
	return out, nil
}

// vote gives the class that wins most pairs; the first of equals.
func (s *classMachine) vote(b *builder, in []int) ([]int, error) {
	d, err := s.pairs(b, in)
	if err != nil {
		return nil, err
	}
	votes := b.add(s.n)
	b.do(func(r *registers) error {
		count := r.num[votes[0] : votes[0]+s.n]
		clear(count)
		p := 0
		for i := range s.n {
			for j := i + 1; j < s.n; j++ {
				if r.num[d[p]] > 0 {
					count[i]++
				} else {
					count[j]++
				}
				p++
			}
		}
		return nil
	})
	return b.argMax(votes), nil
}

// proba couples the pairs' probabilities, by Wu, Lin and Weng's second method, as libsvm does.
func (s *classMachine) proba(b *builder, in []int) ([]int, error) {
	d, err := s.pairs(b, in)
	if err != nil {
		return nil, err
	}
	n := s.n
	out := b.add(n)
	scratch := b.add(2*n*n + n)[0]
	b.do(func(r *registers) error {
		pair := r.num[scratch : scratch+n*n]
		p := 0
		for i := range n {
			for j := i + 1; j < n; j++ {
				const least = 1e-7
				v := math.Min(math.Max(sigmoid(r.num[d[p]], s.probA[p], s.probB[p]), least), 1-least)
				pair[i*n+j], pair[j*n+i] = v, 1-v
				p++
			}
		}
		libsvm.Couple(n, pair, r.num[scratch+n*n:scratch+2*n*n], r.num[scratch+2*n*n:scratch+2*n*n+n], r.num[out[0]:out[0]+n])
		return nil
	})
	return out, nil
}

// sigmoid is Platt's, without overflow.
func sigmoid(v, a, b float64) float64 {
	f := v*a + b
	if f >= 0 {
		return exp(-f) / (1 + exp(-f))
	}
	return 1 / (1 + exp(f))
}
