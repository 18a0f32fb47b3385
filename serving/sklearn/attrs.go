package sklearn

import (
	"fmt"
	"slices"
	"strings"

	"github.com/prinzbox/prinzbox/serving/pyobj"
)

// UnsupportedError names an estimator, option or file form that this engine does not fully understand. It
// is an error at load, so that a model never answers with a silent guess.
type UnsupportedError struct{ What string }

func (e *UnsupportedError) Error() string { return e.What }

func unsupported(format string, args ...any) error {
	return &UnsupportedError{fmt.Sprintf(format, args...)}
}

// estimator reads the attributes of one fitted estimator. The first problem sticks in err, so that a
// reader may ask for all it wants and look once.
type estimator struct {
	name string // the class without module: ElasticNet
	obj  *pyobj.Object
	err  error
}

func newEstimator(v pyobj.Value) (*estimator, error) {
	o, ok := v.(*pyobj.Object)
	if !ok {
		return nil, unsupported("the model is a %s, want a scikit-learn estimator", pyobj.TypeName(v))
	}
	if o.Class.Module != "sklearn" && !strings.HasPrefix(o.Class.Module, "sklearn.") {
		return nil, unsupported("the class %s is not one of scikit-learn", o.Class)
	}
	return &estimator{name: o.Class.Name, obj: o}, nil
}

func (e *estimator) fail(format string, args ...any) {
	if e.err == nil {
		e.err = unsupported("%s: %s", e.name, fmt.Sprintf(format, args...))
	}
}

func (e *estimator) get(attr string) (pyobj.Value, bool) { return e.obj.Attr(attr) }

// has tells whether an attribute is there and not None.
func (e *estimator) has(attr string) bool {
	v, ok := e.get(attr)
	return ok && v != nil
}

// option reads a text option that must be one of allowed; the first is taken when the attribute is
// absent (a release that did not have it yet).
func (e *estimator) option(attr string, allowed ...string) string {
	v, ok := e.get(attr)
	if !ok {
		return allowed[0]
	}
	s, ok := pyobj.Scalar(v).(string)
	if !ok || !slices.Contains(allowed, s) {
		e.fail("option %s=%s is not supported (supported: %s)", attr, describe(v), strings.Join(allowed, ", "))
	}
	return s
}

// flag reads a bool option.
func (e *estimator) flag(attr string, byDefault bool) bool {
	v, ok := e.get(attr)
	if !ok {
		return byDefault
	}
	switch b := pyobj.Scalar(v).(type) {
	case bool:
		return b
	case int64:
		if b == 0 || b == 1 {
			return b == 1
		}
	}
	e.fail("option %s=%s is not supported (supported: True, False)", attr, describe(v))
	return false
}

// only refuses the estimator unless the attribute is absent, None, or equals one of the plain values.
func (e *estimator) only(attr string, allowed ...pyobj.Value) {
	v, ok := e.get(attr)
	if !ok || v == nil {
		return
	}
	if plain := pyobj.Scalar(v); isPlain(plain) && slices.Contains(allowed, plain) {
		return
	}
	e.fail("option %s=%s is not supported", attr, describe(v))
}

func isPlain(v any) bool {
	switch v.(type) {
	case bool, int64, float64, string:
		return true
	}
	return false
}

// number reads a number.
func (e *estimator) number(attr string) float64 {
	v, ok := e.get(attr)
	if f, isNumber := pyobj.Float(v); ok && isNumber {
		return f
	}
	if !ok {
		e.missing(attr)
	} else {
		e.fail("attribute %s is %s, want a number", attr, pyobj.TypeName(v))
	}
	return 0
}

func (e *estimator) missing(attr string) {
	e.fail("attribute %s is missing: the estimator is not fitted, or of a scikit-learn release that is not known", attr)
}

// array reads a numpy array of numbers with its shape.
func (e *estimator) array(attr string) ([]float64, []int) {
	v, ok := e.get(attr)
	if !ok {
		e.missing(attr)
		return nil, nil
	}
	a, ok := v.(*pyobj.Array)
	if !ok {
		if f, isNumber := pyobj.Float(v); isNumber {
			return []float64{f}, nil
		}
		e.fail("attribute %s is %s, want an array of numbers", attr, pyobj.TypeName(v))
		return nil, nil
	}
	f, err := a.Floats()
	if err != nil {
		e.fail("attribute %s: %v", attr, err)
	}
	return f, a.Shape
}

// vector reads a one-dimensional array of n numbers.
func (e *estimator) vector(attr string, n int) []float64 {
	f, shape := e.array(attr)
	if e.err == nil && (len(shape) != 1 || len(f) != n) {
		e.fail("attribute %s has shape %v, want (%d,)", attr, shape, n)
	}
	return f
}

// strings reads an array or list of text; nil when it is absent.
func (e *estimator) strings(attr string) []string {
	v, ok := e.get(attr)
	if !ok || v == nil {
		return nil
	}
	items, err := values(v)
	if err != nil {
		e.fail("attribute %s: %v", attr, err)
		return nil
	}
	out := make([]string, len(items))
	for i, item := range items {
		s, ok := pyobj.Scalar(item).(string)
		if !ok {
			e.fail("attribute %s holds %s, want text", attr, pyobj.TypeName(item))
			return nil
		}
		out[i] = s
	}
	return out
}

// features reads n_features_in_; older releases lack it, then the fallback counts.
func (e *estimator) features(fallback int) int {
	v, ok := e.get("n_features_in_")
	if !ok {
		return fallback
	}
	n, ok := pyobj.Int(v)
	if !ok || n < 0 || n > maxFeatures {
		e.fail("attribute n_features_in_ is %s", describe(v))
	}
	return n
}

// maxFeatures keeps a hostile file from asking for endless columns.
const maxFeatures = 1 << 24

// values lists the items of a list, tuple or array.
func values(v pyobj.Value) ([]pyobj.Value, error) {
	switch v := v.(type) {
	case *pyobj.List:
		return v.Items, nil
	case *pyobj.Tuple:
		return v.Items, nil
	case *pyobj.Array:
		return v.Values()
	}
	return nil, fmt.Errorf("%s, want a list", pyobj.TypeName(v))
}

// describe prints an option's value for a message.
func describe(v pyobj.Value) string {
	switch p := pyobj.Scalar(v).(type) {
	case nil:
		return "None"
	case bool:
		if p {
			return "True"
		}
		return "False"
	case string:
		return "'" + p + "'"
	case int64, float64:
		return fmt.Sprint(p)
	}
	return "<" + pyobj.TypeName(v) + ">"
}
