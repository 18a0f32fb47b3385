package serving

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/prinzbox/prinzbox/serving/frame"
)

// truth is Python's bool().
func truth(v any) bool {
	switch v := v.(type) {
	case nil:
		return false
	case bool:
		return v
	case int64:
		return v != 0
	case float64:
		return v != 0
	case string:
		return v != ""
	}
	return true
}

// toFloat reads a number; booleans count.
func toFloat(v any) (float64, bool) {
	switch v := v.(type) {
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	case int64:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}

// toInt reads a whole number that is no float; booleans count.
func toInt(v any) (int64, bool) {
	switch v := v.(type) {
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	case int64:
		return v, true
	}
	return 0, false
}

func compare(operator string, a, b any) (any, error) {
	x, okX := toFloat(a)
	y, okY := toFloat(b)
	s, isText := a.(string)
	t, isTextToo := b.(string)
	var order int
	switch {
	case okX && okY:
		if math.IsNaN(x) || math.IsNaN(y) {
			return operator == "!=", nil
		}
		order = cmp.Compare(x, y)
	case isText && isTextToo:
		order = strings.Compare(s, t)
	case operator == "==":
		return a == nil && b == nil, nil
	case operator == "!=":
		return a != nil || b != nil, nil
	default:
		return nil, pyTypeError("'%s' not supported between %s and %s", operator, frame.PyRepr(a), frame.PyRepr(b))
	}
	switch operator {
	case "<":
		return order < 0, nil
	case "<=":
		return order <= 0, nil
	case ">":
		return order > 0, nil
	case ">=":
		return order >= 0, nil
	case "==":
		return order == 0, nil
	}
	return order != 0, nil
}

// exact is the limit up to which a float64 holds every whole number.
const exact = 1 << 53

func arithmetic(operator string, a, b any) (any, error) {
	if s, ok := a.(string); ok && operator == "+" {
		if t, ok := b.(string); ok {
			if len(s)+len(t) > maxExpressionText {
				return nil, &frame.PredictError{Kind: "MemoryError", Message: fmt.Sprintf("a text is longer than %d bytes", maxExpressionText)}
			}
			return s + t, nil
		}
	}
	x, okX := toFloat(a)
	y, okY := toFloat(b)
	if !okX || !okY {
		return nil, pyTypeError("unsupported operand type(s) for %s: %s and %s", operator, frame.PyRepr(a), frame.PyRepr(b))
	}
	i, wholeA := toInt(a)
	j, wholeB := toInt(b)
	whole := wholeA && wholeB
	var f float64
	switch operator {
	case "+":
		if f = x + y; whole && math.Abs(f) < exact {
			return i + j, nil
		}
	case "-":
		if f = x - y; whole && math.Abs(f) < exact {
			return i - j, nil
		}
	case "*":
		if f = x * y; whole && math.Abs(f) < exact {
			return i * j, nil
		}
	case "/":
		f = x / y // zero gives infinities and nan, as in numpy
	case "//", "%":
		return divide(operator, x, y, whole)
	case "**":
		if f = math.Pow(x, y); whole && y >= 0 && math.Abs(f) < exact {
			return int64(f), nil
		}
	}
	return f, nil
}

// divide is Python's floor division and its remainder, which has the sign of the divisor.
func divide(operator string, x, y float64, whole bool) (any, error) {
	if y == 0 {
		return nil, &frame.PredictError{Kind: "ZeroDivisionError", Message: "division by zero"}
	}
	f := math.Floor(x / y)
	if operator == "%" {
		f = math.Mod(x, y)
		if f != 0 && (f < 0) != (y < 0) {
			f += y
		}
	}
	if whole && math.Abs(f) < exact {
		return int64(f), nil
	}
	return f, nil
}

// function is what an expression may call.
type function struct {
	least, most int
	apply       func(args []any) (any, error)
}

func (f function) arguments() string {
	if f.least == f.most {
		return fmt.Sprintf("%d argument", f.least)
	}
	return fmt.Sprintf("%d to %d arguments", f.least, f.most)
}

func functionNames() string { return strings.Join(slices.Sorted(maps.Keys(functions)), ", ") }

var functions = map[string]function{
	"abs":   {1, 1, func(a []any) (any, error) { return magnitude(a[0]) }},
	"ceil":  {1, 1, rounding(math.Ceil)},
	"exp":   {1, 1, real(math.Exp)},
	"floor": {1, 1, rounding(math.Floor)},
	"log":   {1, 1, real(math.Log)},
	"log10": {1, 1, real(math.Log10)},
	"sqrt":  {1, 1, real(math.Sqrt)},
	"sin":   {1, 1, real(math.Sin)},
	"cos":   {1, 1, real(math.Cos)},
	"tanh":  {1, 1, real(math.Tanh)},
	"min":   {1, 20, func(a []any) (any, error) { return extreme("<", a) }},
	"max":   {1, 20, func(a []any) (any, error) { return extreme(">", a) }},
	"round": {1, 2, roundTo},
	"int":   {1, 1, func(a []any) (any, error) { return whole(a[0]) }},
	"float": {1, 1, func(a []any) (any, error) { return number(a[0]) }},
	"str":   {1, 1, func(a []any) (any, error) { return plain(a[0]), nil }},
	"bool":  {1, 1, func(a []any) (any, error) { return truth(a[0]), nil }},
	"len": {1, 1, func(a []any) (any, error) {
		if s, ok := a[0].(string); ok {
			return int64(len([]rune(s))), nil
		}
		return nil, pyTypeError("object %s has no len()", frame.PyRepr(a[0]))
	}},
	"isnull": {1, 1, func(a []any) (any, error) {
		f, ok := a[0].(float64)
		return a[0] == nil || ok && math.IsNaN(f), nil
	}},
}

func real(f func(float64) float64) func([]any) (any, error) {
	return func(a []any) (any, error) {
		x, ok := toFloat(a[0])
		if !ok {
			return nil, pyTypeError("must be real number, not %s", frame.PyRepr(a[0]))
		}
		return f(x), nil
	}
}

func rounding(f func(float64) float64) func([]any) (any, error) {
	return func(a []any) (any, error) {
		v, err := real(f)(a)
		if err != nil {
			return nil, err
		}
		return whole(v)
	}
}

func magnitude(v any) (any, error) {
	if i, ok := toInt(v); ok && i > math.MinInt64 {
		return max(i, -i), nil
	}
	return real(math.Abs)([]any{v})
}

func extreme(operator string, args []any) (any, error) {
	best := args[0]
	for _, v := range args[1:] {
		better, err := compare(operator, v, best)
		if err != nil {
			return nil, err
		}
		if truth(better) {
			best = v
		}
	}
	return best, nil
}

// roundTo is Python's round(): half to even.
func roundTo(args []any) (any, error) {
	x, ok := toFloat(args[0])
	if !ok {
		return nil, pyTypeError("%s cannot be rounded", frame.PyRepr(args[0]))
	}
	if len(args) == 1 {
		return whole(math.RoundToEven(x))
	}
	places, ok := toInt(args[1])
	if !ok || places < -300 || places > 300 {
		return nil, pyTypeError("round() takes a number of digits from -300 to 300, not %s", frame.PyRepr(args[1]))
	}
	scale := math.Pow(10, float64(places))
	if y := math.RoundToEven(x*scale) / scale; !math.IsNaN(y) && !math.IsInf(y, 0) {
		return y, nil
	}
	return x, nil
}

// whole is Python's int().
func whole(v any) (any, error) {
	if s, ok := v.(string); ok {
		f, ok := frame.ParsePyFloat(s)
		if !ok || f != math.Trunc(f) {
			return nil, &frame.PredictError{Kind: "ValueError", Message: "invalid literal for int() with base 10: " + frame.PyRepr(s)}
		}
		v = f
	}
	if i, ok := toInt(v); ok {
		return i, nil
	}
	f, ok := toFloat(v)
	if !ok {
		return nil, pyTypeError("int() argument must be a string or a real number, not %s", frame.PyRepr(v))
	}
	if math.IsNaN(f) || math.Abs(f) >= 1<<63 {
		return nil, &frame.PredictError{Kind: "ValueError", Message: "cannot convert " + frame.PyRepr(f) + " to integer"}
	}
	return int64(f), nil
}

// number is Python's float().
func number(v any) (any, error) {
	if s, ok := v.(string); ok {
		if f, ok := frame.ParsePyFloat(s); ok {
			return f, nil
		}
		return nil, &frame.PredictError{Kind: "ValueError", Message: "could not convert string to float: " + frame.PyRepr(s)}
	}
	if f, ok := toFloat(v); ok {
		return f, nil
	}
	return nil, pyTypeError("float() argument must be a string or a real number, not %s", frame.PyRepr(v))
}

// plain is Python's str().
func plain(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	return frame.PyRepr(v)
}
