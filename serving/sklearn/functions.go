package sklearn

import (
	"math"
	"strings"

	"github.com/prinzbox/prinzbox/serving/pyobj"
)

// numpyFunction is a numpy or scipy function of one number by its name; nil when it is not known here.
// Functions that treat whole numbers in their own way (reciprocal) are not in the list.
func numpyFunction(name string) func(float64) float64 {
	switch name {
	case "log":
		return ln
	case "log1p":
		return math.Log1p
	case "log2":
		return math.Log2
	case "log10":
		return math.Log10
	case "exp":
		return exp
	case "exp2":
		return math.Exp2
	case "expm1":
		return math.Expm1
	case "sqrt":
		return math.Sqrt
	case "cbrt":
		return math.Cbrt
	case "square":
		return func(v float64) float64 { return v * v }
	case "absolute", "abs", "fabs":
		return math.Abs
	case "negative":
		return func(v float64) float64 { return -v }
	case "sign":
		return func(v float64) float64 {
			switch {
			case v > 0:
				return 1
			case v < 0:
				return -1
			}
			return v
		}
	case "sin":
		return math.Sin
	case "cos":
		return math.Cos
	case "tan":
		return math.Tan
	case "arcsin":
		return math.Asin
	case "arccos":
		return math.Acos
	case "arctan":
		return math.Atan
	case "sinh":
		return math.Sinh
	case "cosh":
		return math.Cosh
	case "tanh":
		return math.Tanh
	case "arcsinh":
		return math.Asinh
	case "arccosh":
		return math.Acosh
	case "arctanh":
		return math.Atanh
	case "floor":
		return math.Floor
	case "ceil":
		return math.Ceil
	case "trunc":
		return math.Trunc
	case "rint":
		return math.RoundToEven
	case "deg2rad", "radians":
		return func(v float64) float64 { return v * (math.Pi / 180) }
	case "rad2deg", "degrees":
		return func(v float64) float64 { return v * (180 / math.Pi) }
	case "nan_to_num":
		return func(v float64) float64 {
			switch {
			case v != v:
				return 0
			case math.IsInf(v, 1):
				return math.MaxFloat64
			case math.IsInf(v, -1):
				return -math.MaxFloat64
			}
			return v
		}
	}
	return nil
}

// functionOf reads an option that is a function of numpy, or of scipy.special.
func functionOf(e *estimator, attr string) func(float64) float64 {
	v, _ := e.get(attr)
	if o, ok := v.(*pyobj.Object); ok && o.Class.Name == "_ufunc_reconstruct" && len(o.Args) == 2 {
		// As numpy before 1.18 pickled them.
		module, _ := o.Args[0].(string)
		name, _ := o.Args[1].(string)
		v = &pyobj.Class{Module: module, Name: name}
	}
	c, ok := v.(*pyobj.Class)
	if !ok {
		e.fail("option %s=%s is not supported: only functions of numpy are", attr, describe(v))
		return nil
	}
	module, _, _ := strings.Cut(c.Module, ".")
	if f := numpyFunction(c.Name); module == "numpy" && f != nil {
		return f
	}
	if strings.HasPrefix(c.Module, "scipy.special") {
		switch c.Name {
		case "logit":
			return func(v float64) float64 { return ln(v / (1 - v)) }
		case "expit":
			return expit
		}
	}
	e.fail("option %s=%s is not supported", attr, c)
	return nil
}

// noArguments refuses arguments for a function.
func noArguments(e *estimator, attr string) {
	if v, _ := e.get(attr); v != nil {
		if d, ok := v.(*pyobj.Dict); !ok || len(d.Entries) > 0 {
			e.fail("option %s is not supported", attr)
		}
	}
}

// loadFunction takes the identity and functions of numpy: any other function is code, and code is not run.
func loadFunction(l *loader, e *estimator, _ int) (transformer, error) {
	noArguments(e, "kw_args")
	if l.checks > 0 && onlyChecks(e) {
		return chain(nil), e.err
	}
	var f func(float64) float64
	if e.has("func") {
		f = functionOf(e, "func")
	}
	names := e.strings("feature_names_in_")
	validate := e.flag("validate", false)
	return transformFunc(func(b *builder, in []int) ([]int, error) {
		if err := b.checkNames(names, in); err != nil {
			return nil, err
		}
		if validate {
			first, err := b.matrix(in, len(in), "FunctionTransformer", false)
			if err != nil {
				return nil, err
			}
			in = places(first, len(in))
		}
		if f == nil {
			return in, nil
		}
		out := b.each(b.numbers(in), f)
		if !validate { // a DataFrame stays one
			for k, i := range in {
				b.names[out[k]] = b.names[i]
			}
		}
		return out, nil
	}), e.err
}

// onlyChecks tells whether a function is scikit-learn's own check_array.
func onlyChecks(e *estimator) bool {
	v, _ := e.get("func")
	o, ok := v.(*pyobj.Object)
	if !ok || len(o.Args) == 0 {
		return false
	}
	c, ok := o.Args[0].(*pyobj.Class)
	return ok && c.Name == "check_array"
}

// inverse goes back from what a transformer made.
type inverse func(b *builder, regs []int) ([]int, error)

// loadInverse reads how a transformer of targets goes back.
func loadInverse(e *estimator, attr string) (inverse, error) {
	t := e.object(attr)
	if t == nil {
		return nil, e.err
	}
	var back inverse
	switch t.name {
	case "FunctionTransformer":
		noArguments(t, "inv_kw_args")
		back = func(_ *builder, regs []int) ([]int, error) { return regs, nil }
		if t.has("inverse_func") {
			f := functionOf(t, "inverse_func")
			back = func(b *builder, regs []int) ([]int, error) { return b.each(regs, f), nil }
		}
	case "StandardScaler", "MinMaxScaler", "MaxAbsScaler", "RobustScaler":
		s := readScaler(t)
		back = s.inverse
	case "PowerTransformer":
		p := readPower(t)
		back = p.inverse
	case "QuantileTransformer":
		q := readQuantile(t)
		back = q.inverse
	default:
		t.fail("as transformer of a target is not supported")
	}
	return back, t.err
}

// inverse undoes the scaler.
func (s *scaler) inverse(b *builder, regs []int) ([]int, error) {
	if len(regs) != s.width {
		return nil, valueError("%s: %d targets, want %d", s.name, len(regs), s.width)
	}
	out := b.add(len(regs))
	b.do(func(r *registers) error {
		for i, reg := range regs {
			v := r.num[reg]
			if s.add != nil {
				v = (v - s.add[i]) / s.mul[i]
			}
			if s.div != nil {
				v *= s.div[i]
			}
			if s.sub != nil {
				v += s.sub[i]
			}
			r.num[out[i]] = v
		}
		return nil
	})
	return out, nil
}
