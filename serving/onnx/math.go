package onnx

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// errTypes says that an operator got values of a type that it does not take.
var errTypes = errors.New("it does not take values of this type")

var mathOperators = map[string]func(n *node) (kernel, error){
	"Add": binary2(func(a, b float64) float64 { return a + b }, func(a, b int64) int64 { return a + b }),
	"Sub": binary2(func(a, b float64) float64 { return a - b }, func(a, b int64) int64 { return a - b }),
	"Mul": binary2(func(a, b float64) float64 { return a * b }, func(a, b int64) int64 { return a * b }),
	"Div": binary2(func(a, b float64) float64 { return a / b }, func(a, b int64) int64 {
		if b == 0 {
			return 0
		}
		return a / b
	}),
	"Pow": binary2(math.Pow, func(a, b int64) int64 { return int64(math.Pow(float64(a), float64(b))) }),
	"Mod": buildMod,
	"Max": fold(math.Max, func(a, b int64) int64 { return max(a, b) }),
	"Min": fold(math.Min, func(a, b int64) int64 { return min(a, b) }),
	"Sum": fold(func(a, b float64) float64 { return a + b }, nil),

	"Equal":          compare(func(c int) bool { return c == 0 }),
	"Less":           compare(func(c int) bool { return c == -1 }),
	"LessOrEqual":    compare(func(c int) bool { return c == -1 || c == 0 }),
	"Greater":        compare(func(c int) bool { return c == 1 }),
	"GreaterOrEqual": compare(func(c int) bool { return c == 1 || c == 0 }),
	"And":            logical(func(a, b bool) bool { return a && b }),
	"Or":             logical(func(a, b bool) bool { return a || b }),
	"Xor":            logical(func(a, b bool) bool { return a != b }),
	"Not":            buildNot,
	"Where":          buildWhere,

	"Abs":         unary(math.Abs, func(v int64) int64 { return max(v, -v) }),
	"Neg":         unary(func(v float64) float64 { return -v }, func(v int64) int64 { return -v }),
	"Sign":        unary(sign, func(v int64) int64 { return int64(sign(float64(v))) }),
	"Sqrt":        unary(math.Sqrt, nil),
	"Exp":         unary(math.Exp, nil),
	"Log":         unary(math.Log, nil),
	"Floor":       unary(math.Floor, nil),
	"Ceil":        unary(math.Ceil, nil),
	"Round":       unary(math.RoundToEven, nil),
	"Reciprocal":  unary(func(v float64) float64 { return 1 / v }, nil),
	"Sigmoid":     unary(sigmoid, nil),
	"Tanh":        unary(math.Tanh, nil),
	"Relu":        unary(func(v float64) float64 { return math.Max(v, 0) }, func(v int64) int64 { return max(v, 0) }),
	"Softplus":    unary(func(v float64) float64 { return math.Max(v, 0) + math.Log1p(math.Exp(-math.Abs(v))) }, nil),
	"Erf":         unary(math.Erf, nil),
	"Sin":         unary(math.Sin, nil),
	"Cos":         unary(math.Cos, nil),
	"LeakyRelu":   buildLeakyRelu,
	"Elu":         buildElu,
	"HardSigmoid": buildHardSigmoid,
	"Clip":        buildClip,
	"IsNaN":       buildIs(math.IsNaN),
	"IsInf":       buildIsInf,
	"Cast":        buildCast,
	"MatMul":      buildMatMul,
	"Gemm":        buildGemm,
	"Softmax":     buildSoftmax(false),
	"LogSoftmax":  buildSoftmax(true),
}

func sign(v float64) float64 {
	switch {
	case v > 0:
		return 1
	case v < 0:
		return -1
	}
	return v
}

func sigmoid(v float64) float64 {
	if v >= 0 {
		return 1 / (1 + math.Exp(-v))
	}
	e := math.Exp(v)
	return e / (1 + e)
}

// binary2 is an operator of two arrays; without ints it takes none.
func binary2(floats func(a, b float64) float64, ints func(a, b int64) int64) func(n *node) (kernel, error) {
	return func(n *node) (kernel, error) {
		return one(func(in []*tensor) (*tensor, error) { return apply2(in[0], in[1], floats, ints) }), need(n, 2)
	}
}

func apply2(a, b *tensor, floats func(a, b float64) float64, ints func(a, b int64) int64) (*tensor, error) {
	shape, err := broadcast(a.shape, b.shape)
	if err != nil {
		return nil, err
	}
	pa, pb := places(a.shape, shape), places(b.shape, shape)
	out := newTensor(a.dtype, shape)
	switch {
	case a.dtype == str || b.dtype == str:
		return nil, errTypes
	case a.dtype.float():
		x, y := a.f, b.floats()
		for i := range out.f {
			out.f[i] = floats(x[at(pa, i)], y[at(pb, i)])
		}
	case ints == nil || !b.dtype.integer() && b.dtype != flag:
		return nil, errTypes
	default:
		for i := range out.i {
			out.i[i] = a.dtype.wrap(ints(a.i[at(pa, i)], b.i[at(pb, i)]))
		}
	}
	return out.round(), nil
}

func buildMod(n *node) (kernel, error) {
	fmod := n.int("fmod", 0) != 0
	return one(func(in []*tensor) (*tensor, error) {
		return apply2(in[0], in[1], math.Mod, func(a, b int64) int64 {
			if b == 0 {
				return 0
			}
			m := a % b
			if !fmod && m != 0 && (m < 0) != (b < 0) {
				m += b
			}
			return m
		})
	}), need(n, 2)
}

func fold(floats func(a, b float64) float64, ints func(a, b int64) int64) func(n *node) (kernel, error) {
	return func(n *node) (kernel, error) {
		return one(func(in []*tensor) (*tensor, error) {
			out := in[0]
			for _, t := range in[1:] {
				var err error
				if out, err = apply2(out, t, floats, ints); err != nil {
					return nil, err
				}
			}
			return out, nil
		}), need(n, max(1, len(n.inputs)))
	}
}

// compare is a comparison; ok gets -1, 0, 1, or 2 where one is NaN.
func compare(ok func(c int) bool) func(n *node) (kernel, error) {
	return func(n *node) (kernel, error) {
		return one(func(in []*tensor) (*tensor, error) {
			a, b := in[0], in[1]
			shape, err := broadcast(a.shape, b.shape)
			if err != nil {
				return nil, err
			}
			if (a.dtype == str) != (b.dtype == str) {
				return nil, errTypes
			}
			pa, pb := places(a.shape, shape), places(b.shape, shape)
			out := newTensor(flag, shape)
			fa, fb := a.f, b.f
			if a.dtype.float() != b.dtype.float() {
				fa, fb = a.floats(), b.floats()
			}
			for i := range out.i {
				x, y := at(pa, i), at(pb, i)
				var c int
				switch {
				case a.dtype == str:
					c = strings.Compare(a.s[x], b.s[y])
				case fa != nil && fb != nil:
					c = order(fa[x], fb[y])
				default:
					c = int(sign(float64(a.i[x] - b.i[y])))
				}
				if ok(c) {
					out.i[i] = 1
				}
			}
			return out, nil
		}), need(n, 2)
	}
}

func order(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	case a == b:
		return 0
	}
	return 2
}

func logical(fn func(a, b bool) bool) func(n *node) (kernel, error) {
	return func(n *node) (kernel, error) {
		return one(func(in []*tensor) (*tensor, error) {
			if in[0].dtype != flag || in[1].dtype != flag {
				return nil, errTypes
			}
			return apply2(in[0], in[1], nil, func(a, b int64) int64 {
				if fn(a != 0, b != 0) {
					return 1
				}
				return 0
			})
		}), need(n, 2)
	}
}

func buildNot(n *node) (kernel, error) {
	return one(func(in []*tensor) (*tensor, error) {
		if in[0].dtype != flag {
			return nil, errTypes
		}
		out := newTensor(flag, in[0].shape)
		for i, v := range in[0].i {
			out.i[i] = 1 - v
		}
		return out, nil
	}), need(n, 1)
}

func buildWhere(n *node) (kernel, error) {
	return one(func(in []*tensor) (*tensor, error) {
		c, a, b := in[0], in[1], in[2]
		if c.dtype != flag || a.dtype != b.dtype {
			return nil, errTypes
		}
		shape, err := broadcast(a.shape, b.shape)
		if err != nil {
			return nil, err
		}
		if shape, err = broadcast(c.shape, shape); err != nil {
			return nil, err
		}
		pc, pa, pb := places(c.shape, shape), places(a.shape, shape), places(b.shape, shape)
		out := newTensor(a.dtype, shape)
		for i := range out.len() {
			if c.i[at(pc, i)] != 0 {
				out.put(i, a, at(pa, i))
			} else {
				out.put(i, b, at(pb, i))
			}
		}
		return out, nil
	}), need(n, 3)
}

func unary(floats func(float64) float64, ints func(int64) int64) func(n *node) (kernel, error) {
	return func(n *node) (kernel, error) {
		return one(func(in []*tensor) (*tensor, error) { return apply1(in[0], floats, ints) }), need(n, 1)
	}
}

func apply1(a *tensor, floats func(float64) float64, ints func(int64) int64) (*tensor, error) {
	out := newTensor(a.dtype, a.shape)
	switch {
	case a.dtype.float():
		for i, v := range a.f {
			out.f[i] = floats(v)
		}
	case a.dtype.integer() && ints != nil:
		for i, v := range a.i {
			out.i[i] = a.dtype.wrap(ints(v))
		}
	default:
		return nil, errTypes
	}
	return out.round(), nil
}

func buildLeakyRelu(n *node) (kernel, error) {
	alpha := n.float("alpha", float64(float32(0.01)))
	return unary(func(v float64) float64 {
		if v < 0 {
			return alpha * v
		}
		return v
	}, nil)(n)
}

func buildElu(n *node) (kernel, error) {
	alpha := n.float("alpha", 1)
	return unary(func(v float64) float64 {
		if v < 0 {
			return alpha * math.Expm1(v)
		}
		return v
	}, nil)(n)
}

func buildHardSigmoid(n *node) (kernel, error) {
	alpha, beta := n.float("alpha", float64(float32(0.2))), n.float("beta", 0.5)
	return unary(func(v float64) float64 { return math.Max(0, math.Min(1, alpha*v+beta)) }, nil)(n)
}

func buildClip(n *node) (kernel, error) {
	low, high := math.Inf(-1), math.Inf(1)
	if n.opset < 11 {
		low, high = n.float("min", low), n.float("max", high)
	}
	return one(func(in []*tensor) (*tensor, error) {
		low, high := low, high
		for i, bound := range []*float64{&low, &high} {
			if len(in) > i+1 && in[i+1] != nil {
				if in[i+1].len() != 1 {
					return nil, errors.New("a bound is no single number")
				}
				*bound = in[i+1].floats()[0]
			}
		}
		return apply1(in[0], func(v float64) float64 {
			if v < low {
				return low
			}
			if v > high {
				return high
			}
			return v
		}, func(v int64) int64 {
			if float64(v) < low {
				return int64(low)
			}
			if float64(v) > high {
				return int64(high)
			}
			return v
		})
	}), need(n, 1)
}

func buildIs(fn func(float64) bool) func(n *node) (kernel, error) {
	return func(n *node) (kernel, error) {
		return one(func(in []*tensor) (*tensor, error) {
			if !in[0].dtype.float() {
				return nil, errTypes
			}
			out := newTensor(flag, in[0].shape)
			for i, v := range in[0].f {
				if fn(v) {
					out.i[i] = 1
				}
			}
			return out, nil
		}), need(n, 1)
	}
}

func buildIsInf(n *node) (kernel, error) {
	negative, positive := n.int("detect_negative", 1) != 0, n.int("detect_positive", 1) != 0
	return buildIs(func(v float64) bool { return math.IsInf(v, 1) && positive || math.IsInf(v, -1) && negative })(n)
}

func buildCast(n *node) (kernel, error) {
	to := dtype(n.int("to", 0))
	n.attr("saturate") // for float8 only
	if !to.float() && !to.integer() && to != flag && to != str {
		return nil, unsupported("a cast to %v", to)
	}
	return one(func(in []*tensor) (*tensor, error) { return cast(in[0], to) }), need(n, 1)
}

func cast(a *tensor, to dtype) (*tensor, error) {
	if a.dtype == to {
		return a, nil
	}
	out := newTensor(to, a.shape)
	for i := range out.len() {
		switch {
		case to == str:
			out.s[i] = a.print(i)
		case a.dtype == str:
			if err := out.parse(i, a.s[i]); err != nil {
				return nil, err
			}
		case to.float() && a.dtype.float():
			out.f[i] = a.f[i]
		case to.float():
			out.f[i] = float64(a.i[i])
		case to == flag && a.dtype.float():
			if a.f[i] != 0 {
				out.i[i] = 1
			}
		case to == flag:
			if a.i[i] != 0 {
				out.i[i] = 1
			}
		case a.dtype.float():
			out.i[i] = to.wrap(int64(a.f[i]))
		default:
			out.i[i] = to.wrap(a.i[i])
		}
	}
	return out.round(), nil
}

// print writes an element as ONNX Runtime casts it to text.
func (t *tensor) print(i int) string {
	switch t.dtype {
	case f32:
		return strconv.FormatFloat(t.f[i], 'g', 8, 32)
	case f64:
		return strconv.FormatFloat(t.f[i], 'g', 17, 64)
	case flag:
		return strconv.FormatInt(t.i[i], 10)
	}
	return strconv.FormatInt(t.i[i], 10)
}

func (t *tensor) parse(i int, text string) error {
	var err error
	if t.f != nil {
		t.f[i], err = strconv.ParseFloat(text, 64)
	} else {
		t.i[i], err = strconv.ParseInt(text, 10, 64)
	}
	if err != nil {
		return fmt.Errorf("%q is no number", text)
	}
	return nil
}

func buildMatMul(n *node) (kernel, error) {
	return one(func(in []*tensor) (*tensor, error) { return matMul(in[0], in[1]) }), need(n, 2)
}

// matMul multiplies stacks of matrices, as numpy's matmul does.
func matMul(a, b *tensor) (*tensor, error) {
	if a.dtype == str || b.dtype == str || a.dtype.float() != b.dtype.float() {
		return nil, errTypes
	}
	sa, sb := a.shape, b.shape
	if len(sa) == 0 || len(sb) == 0 {
		return nil, errors.New("a single number has no rows")
	}
	var cut []int // dimensions of the result to leave out
	if len(sa) == 1 {
		sa = []int{1, sa[0]}
		cut = append(cut, 2)
	}
	if len(sb) == 1 {
		sb = []int{sb[0], 1}
		cut = append(cut, 1)
	}
	rows, inner, columns := sa[len(sa)-2], sa[len(sa)-1], sb[len(sb)-1]
	if sb[len(sb)-2] != inner {
		return nil, fmt.Errorf("shapes %v and %v cannot be multiplied", a.shape, b.shape)
	}
	stack, err := broadcast(sa[:len(sa)-2], sb[:len(sb)-2])
	if err != nil {
		return nil, err
	}
	shape := append(append([]int{}, stack...), rows, columns)
	if err := checkShape(shape); err != nil {
		return nil, err
	}
	if inner > 0 && count(shape) > maxWork*16/inner {
		return nil, errWork
	}
	pa, pb := places(sa[:len(sa)-2], stack), places(sb[:len(sb)-2], stack)
	x, y := a.floats(), b.floats()
	out := newTensor(a.dtype, shape)
	result := out.f
	if result == nil {
		result = make([]float64, out.len())
	}
	for m := range count(stack) {
		ax, bx := x[at(pa, m)*rows*inner:], y[at(pb, m)*inner*columns:]
		to := result[m*rows*columns:]
		for r := range rows {
			row := to[r*columns : (r+1)*columns]
			for k := range inner {
				v := ax[r*inner+k]
				for c, w := range bx[k*columns : (k+1)*columns] {
					row[c] += v * w
				}
			}
		}
	}
	for i := range out.i {
		out.i[i] = out.dtype.wrap(int64(result[i]))
	}
	switch {
	case len(cut) == 2:
		out.shape = stack
	case len(cut) == 1 && cut[0] == 2:
		out.shape = append(append([]int{}, stack...), columns)
	case len(cut) == 1:
		out.shape = append(append([]int{}, stack...), rows)
	}
	return out.round(), nil
}

func buildGemm(n *node) (kernel, error) {
	alpha, beta := n.float("alpha", 1), n.float("beta", 1)
	ta, tb := n.int("transA", 0) != 0, n.int("transB", 0) != 0
	return one(func(in []*tensor) (*tensor, error) {
		a, b := in[0], in[1]
		if len(a.shape) != 2 || len(b.shape) != 2 || !a.dtype.float() || !b.dtype.float() {
			return nil, errTypes
		}
		if ta {
			a = transpose(a, []int{1, 0})
		}
		if tb {
			b = transpose(b, []int{1, 0})
		}
		out, err := matMul(a, b)
		if err != nil {
			return nil, err
		}
		if alpha != 1 {
			for i := range out.f {
				out.f[i] *= alpha
			}
			out.round()
		}
		if len(in) < 3 || in[2] == nil {
			return out, nil
		}
		return apply2(out, in[2], func(x, y float64) float64 { return x + beta*y }, nil)
	}), need(n, 2)
}

func buildSoftmax(logarithm bool) func(n *node) (kernel, error) {
	return func(n *node) (kernel, error) {
		old := n.opset < 13
		def := int64(-1)
		if old {
			def = 1
		}
		axis := n.int("axis", def)
		return one(func(in []*tensor) (*tensor, error) {
			t := in[0]
			if !t.dtype.float() {
				return nil, errTypes
			}
			a, err := axisOf(axis, len(t.shape))
			if err != nil {
				return nil, err
			}
			outer, size, inner := count(t.shape[:a]), t.shape[a], count(t.shape[a+1:])
			if old { // everything from the axis on is one row
				size, inner = size*inner, 1
			}
			out := newTensor(t.dtype, t.shape)
			for o := range outer {
				for k := range inner {
					softmax(t.f, out.f, o*size*inner+k, inner, size, logarithm)
				}
			}
			return out.round(), nil
		}), need(n, 1)
	}
}

func softmax(in, out []float64, from, step, size int, logarithm bool) {
	top := math.Inf(-1)
	for i := range size {
		top = math.Max(top, in[from+i*step])
	}
	sum := 0.0
	for i := range size {
		sum += math.Exp(in[from+i*step] - top)
	}
	for i := range size {
		v := in[from+i*step] - top
		if logarithm {
			out[from+i*step] = v - math.Log(sum)
		} else {
			out[from+i*step] = math.Exp(v) / sum
		}
	}
}
