// Package sklearn scores fitted scikit-learn estimators read by package pyobj, without Python. An
// estimator becomes a plan: a list of operations over a row of registers, so that a row is scored with no
// allocation and no interface between columns. Options that are not fully understood are refused at load.
package sklearn

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/prinzbox/prinzbox/serving/frame"
	"github.com/prinzbox/prinzbox/serving/pyobj"
)

// Model is a compiled estimator; it may be used by many goroutines.
type Model struct {
	// Class is the outer estimator's class name.
	Class string
	// Steps are the class names of the estimators inside, in reading order.
	Steps []string

	root *model
	fn   method
	plan atomic.Pointer[plan]
}

// New compiles an estimator for one of its methods: predict (or ""), predict_proba, predict_log_proba,
// predict_joint_log_proba, decision_function, score_samples or transform. foreign reads estimators of other libraries inside it; nil when
// there are none. Errors are *UnsupportedError, or foreign's.
func New(v pyobj.Value, fn string, foreign ForeignLoader) (*Model, error) {
	m := method(fn)
	switch m {
	case "":
		m = predict
	case predict, predictProba, predictLogProba, jointLogProba, decisionFunction, scoreSamples, transform:
	default:
		return nil, unsupported("predict_fn %s is not supported (supported: predict, predict_proba, predict_log_proba, predict_joint_log_proba, decision_function, score_samples, transform)", fn)
	}
	l := &loader{budget: budget{maxElements}, foreign: foreign}
	root, err := l.top(v, m)
	if err != nil {
		return nil, err
	}
	if !root.has(m) {
		return nil, unsupported("%s has no %s", l.steps[0], m)
	}
	return &Model{Class: l.steps[0], Steps: l.steps, root: root, fn: m}, nil
}

// InputError is data that scikit-learn would raise an error about; Kind is the Python exception.
type InputError = frame.PredictError

func valueError(format string, args ...any) error {
	return &InputError{Kind: "ValueError", Message: fmt.Sprintf(format, args...)}
}

// transformer is a fitted estimator that makes features of features. compile adds its operations to a
// plan and says which registers hold its output.
type transformer interface {
	compile(b *builder, in []int) (out []int, err error)
}

// op computes registers from registers.
type op interface {
	run(r *registers) error
}

// registers are the values of one row. A register of a text column holds text where isText is set, and
// otherwise a number in num, NaN when missing.
type registers struct {
	num    []float64
	text   []string
	isText []bool
}

// builder collects a plan for one shape of input.
type builder struct {
	ops    []op
	texts  []bool   // whether a register may hold text
	names  []string // of the columns of a DataFrame; empty ones for arrays
	inputs int
	// vector tells that the input is a one-dimensional array.
	vector bool
	// checked are the matrices that were found finite already.
	checked map[checkedMatrix]bool
}

type checkedMatrix struct {
	first, n int
	allowNaN bool
}

// do adds an operation.
func (b *builder) do(o opFunc) { b.ops = append(b.ops, o) }

// opFunc is an operation made of a function. It keeps no state: many goroutines run it.
type opFunc func(r *registers) error

func (f opFunc) run(r *registers) error { return f(r) }

// add makes n number registers that stand side by side.
func (b *builder) add(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = len(b.texts)
		b.texts = append(b.texts, false)
		b.names = append(b.names, "")
	}
	return out
}

// numbers makes sure that registers hold numbers: text is parsed as Python's float() does.
func (b *builder) numbers(in []int) []int {
	if !slices.ContainsFunc(in, func(i int) bool { return b.texts[i] }) {
		return in
	}
	out := b.add(len(in))
	b.ops = append(b.ops, &parse{in, out[0]})
	return out
}

// matrix gives the registers as numbers side by side, checked to be finite (or only not infinite when
// allowNaN is set), as scikit-learn's check_array does.
func (b *builder) matrix(in []int, want int, name string, allowNaN bool) (int, error) {
	first, err := b.loose(in, want, name)
	if err != nil {
		return 0, err
	}
	strict, loose := checkedMatrix{first, want, false}, checkedMatrix{first, want, true}
	if want > 0 && !b.checked[strict] && (!allowNaN || !b.checked[loose]) {
		b.ops = append(b.ops, &finite{first, want, name, allowNaN})
		if b.checked == nil {
			b.checked = map[checkedMatrix]bool{}
		}
		b.checked[checkedMatrix{first, want, allowNaN}] = true
	}
	return first, nil
}

// loose gives the registers as numbers side by side, whatever they are.
func (b *builder) loose(in []int, want int, name string) (int, error) {
	if b.vector {
		return 0, oneDimensional()
	}
	if len(in) != want {
		return 0, valueError("X has %d features, but %s is expecting %d features as input.", len(in), name, want)
	}
	if in = b.side(b.numbers(in)); len(in) == 0 {
		return 0, nil
	}
	return in[0], nil
}

// oneDimensional is what scikit-learn says to a list of scalars.
func oneDimensional() error {
	return valueError("Expected 2D array, got 1D array instead.\nReshape your data either using array.reshape(-1, 1) if your data has a single feature or array.reshape(1, -1) if it contains a single sample.")
}

type parse struct {
	in  []int
	out int
}

func (p *parse) run(r *registers) error {
	for k, i := range p.in {
		v := r.num[i]
		if r.isText != nil && r.isText[i] {
			f, ok := frame.ParsePyFloat(r.text[i])
			if !ok {
				return valueError("could not convert string to float: %s", frame.PyRepr(r.text[i]))
			}
			v = f
		}
		r.num[p.out+k] = v
	}
	return nil
}

type gather struct {
	in  []int
	out int
}

func (g *gather) run(r *registers) error {
	for k, i := range g.in {
		r.num[g.out+k] = r.num[i]
	}
	return nil
}

type finite struct {
	in, n    int
	name     string
	allowNaN bool
}

func (f *finite) run(r *registers) error {
	// A sum is finite unless a member is not (or it overflows, which the slow path sorts out).
	sum := 0.0
	for _, v := range r.num[f.in : f.in+f.n] {
		sum += v
	}
	if sum-sum == 0 {
		return nil
	}
	for _, v := range r.num[f.in : f.in+f.n] {
		if math.IsInf(v, 0) {
			return valueError("Input X contains infinity or a value too large for dtype('float64').")
		}
		if v != v && !f.allowNaN {
			return valueError("Input X contains NaN.\n%s does not accept missing values encoded as NaN natively.", f.name)
		}
	}
	return nil
}

// plan is what a shape of input compiles to.
type plan struct {
	shape  []column
	names  bool
	vector bool
	ops    []op
	out    *output
	size   int
	texts  bool
	pool   sync.Pool
}

// column is what a plan depends on of an input column.
type column struct {
	name string
	text bool
}

func isText(c *frame.Column) bool { return c.Kind == frame.String || c.Kind == frame.Object }

func (p *plan) fits(f *frame.Frame) bool {
	if len(p.shape) != len(f.Columns) || p.names == f.Array || p.vector != isVector(f) {
		return false
	}
	for i := range f.Columns {
		if p.shape[i].text != isText(&f.Columns[i]) || p.shape[i].name != f.Columns[i].Name {
			return false
		}
	}
	return true
}

// isVector tells whether a model sees a one-dimensional numpy array.
func isVector(f *frame.Frame) bool { return f.Array && f.Vector() }

// Predict scores the rows of a table. Errors are *InputError.
func (m *Model) Predict(f *frame.Frame) (*frame.Result, error) {
	p := m.plan.Load()
	if p == nil || !p.fits(f) {
		var err error
		if p, err = m.compile(f); err != nil {
			return nil, err
		}
		m.plan.Store(p)
	}
	if f.Rows == 0 {
		return nil, valueError("Found array with 0 sample(s) (shape=(0, %d)) while a minimum of 1 is required by %s.", len(f.Columns), m.Class)
	}
	return p.run(f)
}

func (m *Model) compile(f *frame.Frame) (*plan, error) {
	b := &builder{inputs: len(f.Columns), vector: isVector(f)}
	p := &plan{names: !f.Array, vector: b.vector}
	in := make([]int, len(f.Columns))
	for i := range f.Columns {
		c := &f.Columns[i]
		p.shape = append(p.shape, column{strings.Clone(c.Name), isText(c)})
		name := ""
		if !f.Array && !c.Positional {
			name = p.shape[i].name
		}
		b.names = append(b.names, name)
		b.texts = append(b.texts, isText(c))
		in[i] = i
	}
	var err error
	if p.out, err = m.root.compile(b, in, m.fn); err != nil {
		return nil, err
	}
	for _, reg := range p.out.regs {
		if b.texts[reg] {
			return nil, valueError("%s gives text, which is not answered without Python", m.Class)
		}
	}
	p.ops, p.size = b.ops, len(b.texts)
	p.texts = slices.Contains(b.texts, true)
	p.pool.New = func() any {
		r := &registers{num: make([]float64, p.size)}
		if p.texts {
			r.text, r.isText = make([]string, p.size), make([]bool, p.size)
		}
		return r
	}
	return p, nil
}

func (p *plan) run(f *frame.Frame) (*frame.Result, error) {
	r := p.pool.Get().(*registers)
	defer p.pool.Put(r)
	out := p.out.result(f.Rows)
	plain, regs := out.Kind == frame.Float && p.out.outputs == nil, p.out.regs
	for row := range f.Rows {
		for i := range f.Columns {
			if err := r.load(&f.Columns[i], i, row); err != nil {
				return nil, err
			}
		}
		for _, o := range p.ops {
			if err := o.run(r); err != nil {
				return nil, err
			}
		}
		if plain {
			for k, reg := range regs {
				out.Floats[row*len(regs)+k] = r.num[reg]
			}
			continue
		}
		p.out.put(r, row, out)
	}
	return out, nil
}

// load puts a cell into register i.
func (r *registers) load(c *frame.Column, i, row int) error {
	switch c.Kind {
	case frame.Float, frame.Empty:
		r.num[i] = c.Floats[row]
	case frame.Int:
		r.num[i] = float64(c.Ints[row])
	case frame.Bool:
		r.num[i] = 0
		if c.Bools[row] {
			r.num[i] = 1
		}
	case frame.String:
		if c.Null != nil && c.Null[row] {
			r.isText[i], r.num[i] = false, math.NaN()
		} else {
			r.isText[i], r.text[i] = true, c.Strings[row]
		}
	default:
		r.isText[i] = false
		switch v := c.Objects[row].(type) {
		case nil:
			r.num[i] = math.NaN()
		case bool:
			r.num[i] = 0
			if v {
				r.num[i] = 1
			}
		case int64:
			r.num[i] = float64(v)
		case float64:
			r.num[i] = v
		case string:
			r.isText[i], r.text[i] = true, v
		default:
			return &InputError{Kind: "TypeError", Message: fmt.Sprintf("column %s holds a list or dictionary, want numbers or text", c.Label())}
		}
	}
	return nil
}
