package sklearn

import (
	"math"

	"github.com/prinzbox/prinzbox/serving/frame"
)

// method is a scikit-learn method that scores.
type method string

const (
	predict          method = "predict"
	predictProba     method = "predict_proba"
	predictLogProba  method = "predict_log_proba"
	jointLogProba    method = "predict_joint_log_proba"
	decisionFunction method = "decision_function"
	scoreSamples     method = "score_samples"
	transform        method = "transform"
)

// compute adds the operations of one method to a plan and says which registers hold what it gives.
type compute func(b *builder, in []int) ([]int, error)

// model is a fitted estimator: its methods by name.
type model struct {
	name string
	// classes are those of a classifier: predict then gives places in them.
	classes *labels
	// outputs are the classes of each output of a multi-output classifier; nil stands for numbers.
	outputs []*labels
	// matrix tells that predict is two-dimensional.
	matrix bool
	// ints tells that predict gives whole numbers.
	ints bool
	// noLog tells that there is no predict_log_proba although there is predict_proba.
	noLog bool
	// noZeros tells that predict_log_proba takes the smallest normal number for a probability of 0, as linear discriminant analysis does.
	noZeros bool
	fns     map[method]compute
}

// smallestNormal and epsilon are what numpy.finfo says of a float64.
const (
	smallestNormal = 0x1p-1022
	epsilon        = 0x1p-52
)

func (m *model) has(fn method) bool {
	if m.fns[fn] != nil {
		return true
	}
	return fn == predictLogProba && m.fns[predictProba] != nil && !m.noLog
}

// regs compiles a method to plain number registers; predict of a classifier gives places in its classes.
func (m *model) regs(b *builder, in []int, fn method) ([]int, error) {
	if f := m.fns[fn]; f != nil {
		return f(b, in)
	}
	if !m.has(fn) {
		return nil, &InputError{Kind: "AttributeError", Message: m.name + " has no " + string(fn)}
	}
	p, err := m.fns[predictProba](b, in)
	if err != nil {
		return nil, err
	}
	out := b.add(len(p))
	b.do(func(r *registers) error {
		for k, i := range p {
			v := r.num[i]
			if v == 0 && m.noZeros {
				v = smallestNormal
			}
			r.num[out[k]] = ln(v)
		}
		return nil
	})
	return out, nil
}

// compile compiles a method for an answer.
func (m *model) compile(b *builder, in []int, fn method) (*output, error) {
	regs, err := m.regs(b, in, fn)
	if err != nil {
		return nil, err
	}
	o := &output{regs: regs, kind: frame.Float}
	switch fn {
	case predict:
		if m.matrix {
			o.width = len(regs)
		}
		o.outputs = m.outputs
		if m.classes != nil {
			o.outputs = make([]*labels, len(regs))
			for i := range o.outputs {
				o.outputs[i] = m.classes
			}
		}
		if m.ints {
			o.kind = frame.Int
		}
		if o.outputs != nil {
			o.kind = o.outputs[0].kind
		}
	case decisionFunction, scoreSamples:
		if len(regs) != 1 {
			o.width = len(regs)
		}
	default:
		o.width = len(regs)
	}
	return o, nil
}

// output is how registers become an answer.
type output struct {
	regs    []int
	width   int // 0 for one dimension
	kind    frame.Kind
	outputs []*labels
}

func (o *output) result(rows int) *frame.Result {
	n := rows * len(o.regs)
	r := &frame.Result{Kind: o.kind, Width: o.width}
	switch o.kind {
	case frame.Float:
		r.Floats = make([]float64, n)
	case frame.Int:
		r.Ints = make([]int64, n)
	case frame.Bool:
		r.Bools = make([]bool, n)
	default:
		r.Strings = make([]string, n)
	}
	return r
}

func (o *output) put(r *registers, row int, out *frame.Result) {
	at := row * len(o.regs)
	for k, reg := range o.regs {
		v := r.num[reg]
		switch {
		case o.outputs != nil:
			o.outputs[k].put(out, at+k, int(v))
		case o.kind == frame.Int:
			out.Ints[at+k] = int64(v)
		default:
			out.Floats[at+k] = v
		}
	}
}

// regressor makes a model that predicts numbers.
func regressor(e *estimator, f compute) *model {
	return &model{name: e.name, fns: map[method]compute{predict: f}}
}

// classifier makes a model without methods.
func classifier(e *estimator, classes *labels) *model {
	return &model{name: e.name, classes: classes, fns: map[method]compute{}}
}

// mostOf makes predict the class whose value of a method is greatest; the first one of equals.
func (m *model) mostOf(fn method) {
	m.fns[predict] = func(b *builder, in []int) ([]int, error) {
		p, err := m.fns[fn](b, in)
		if err != nil {
			return nil, err
		}
		return b.argMax(p), nil
	}
}

// above makes predict the second of two classes where a method's single value is greater than a threshold.
func (m *model) above(fn method, threshold float64) {
	m.fns[predict] = func(b *builder, in []int) ([]int, error) {
		p, err := m.fns[fn](b, in)
		if err != nil {
			return nil, err
		}
		return b.greater(p[len(p)-1], threshold), nil
	}
}

// argMax gives the place of the greatest of registers as numpy.argmax does: the first of equals, and NaN
// is the greatest of all.
func (b *builder) argMax(p []int) []int {
	out := b.add(1)
	b.do(func(r *registers) error {
		best, at := math.Inf(-1), 0
		for k, i := range p {
			v := r.num[i]
			if v != v {
				at = k
				break
			}
			if v > best || k == 0 {
				best, at = v, k
			}
		}
		r.num[out[0]] = float64(at)
		return nil
	})
	return out
}

// greater gives 1 where a register is greater than a threshold, else 0.
func (b *builder) greater(i int, threshold float64) []int {
	out := b.add(1)
	b.do(func(r *registers) error {
		r.num[out[0]] = 0
		if r.num[i] > threshold {
			r.num[out[0]] = 1
		}
		return nil
	})
	return out
}

// constant gives a register that holds a number.
func (b *builder) constant(v float64) int {
	out := b.add(1)[0]
	b.do(func(r *registers) error {
		r.num[out] = v
		return nil
	})
	return out
}

// side puts registers side by side, unless they are.
func (b *builder) side(in []int) []int {
	for k, i := range in {
		if i != in[0]+k {
			out := b.add(len(in))
			b.ops = append(b.ops, &gather{in, out[0]})
			return out
		}
	}
	return in
}

// then is a method that makes something of what another one gives.
func then(first compute, next func(b *builder, in []int) []int) compute {
	return func(b *builder, in []int) ([]int, error) {
		out, err := first(b, in)
		if err != nil {
			return nil, err
		}
		return next(b, out), nil
	}
}

// each gives registers that hold a function of others, one by one.
func (b *builder) each(in []int, f func(float64) float64) []int {
	out := b.add(len(in))
	b.do(func(r *registers) error {
		for k, i := range in {
			r.num[out[k]] = f(r.num[i])
		}
		return nil
	})
	return out
}

// places lists n registers from the first.
func places(first, n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = first + i
	}
	return out
}

// pair gives the probabilities 1-p and p.
func (b *builder) pair(p int) []int {
	out := b.add(2)
	b.do(func(r *registers) error {
		r.num[out[0]], r.num[out[1]] = 1-r.num[p], r.num[p]
		return nil
	})
	return out
}

// sharpen gives the softmax of registers.
func (b *builder) sharpen(in []int) []int {
	out := b.add(len(in))
	b.do(func(r *registers) error {
		p := r.num[out[0] : out[0]+len(in)]
		for k, i := range in {
			p[k] = r.num[i]
		}
		softMax(p)
		return nil
	})
	return out
}

// logSharpen gives the logarithm of the softmax of registers.
func (b *builder) logSharpen(in []int) []int {
	out := b.add(len(in))
	b.do(func(r *registers) error {
		top, sum := r.expSum(in)
		for k, i := range in {
			r.num[out[k]] = r.num[i] - top - ln(sum)
		}
		return nil
	})
	return out
}

// expSum gives the greatest of some registers, and the sum of their exponentials over that of the greatest.
func (r *registers) expSum(in []int) (top, sum float64) {
	top = math.Inf(-1)
	for _, i := range in {
		top = max(top, r.num[i])
	}
	for _, i := range in {
		sum += exp(r.num[i] - top)
	}
	return top, sum
}
