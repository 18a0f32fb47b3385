package sklearn

import (
	"fmt"
	"math"
	"slices"
	"strconv"
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
	name    string // the class without module: ElasticNet
	obj     *pyobj.Object
	version release
	err     error
	budget  *budget
}

// budget is how many array elements may still be read. A file may hold one array and refer to it a
// million times; what is read of it must stay in proportion to the file.
type budget struct{ left int64 }

// maxElements is more than the elements of any file that is let in, each read a few times.
const maxElements = 1 << 27

// spend takes elements off the budget.
func (e *estimator) spend(n int) bool {
	if e.budget == nil {
		return true
	}
	if e.budget.left -= int64(n); e.budget.left < 0 {
		e.fail("the model reads more than %d array elements", maxElements)
		return false
	}
	return true
}

// part opens an estimator inside this one.
func (e *estimator) part(v pyobj.Value) (*estimator, error) {
	p, err := newEstimator(v)
	if err != nil {
		return nil, err
	}
	if p.budget = e.budget; p.version == 0 {
		p.version = e.version
	}
	return p, nil
}

// release is a scikit-learn release, 1000 times the first number plus the second; 0 when it is not known.
type release int

// newest is the newest release whose estimators this engine knows. A newer one may mean something else by
// the same attributes.
const newest release = 1009

// old tells whether the estimator was fitted by a release before 1.minor.
func (e *estimator) old(minor release) bool { return e.version != 0 && e.version < 1000+minor }

func parseRelease(text string) (release, bool) {
	major, rest, _ := strings.Cut(text, ".")
	minor, _, _ := strings.Cut(rest, ".")
	a, err1 := strconv.Atoi(major)
	n, err2 := strconv.Atoi(minor)
	if err1 != nil || err2 != nil || a < 0 || a > 1000 || n < 0 || n > 999 {
		return 0, false
	}
	return release(1000*a + n), true
}

func newEstimator(v pyobj.Value) (*estimator, error) {
	o, ok := v.(*pyobj.Object)
	if !ok {
		return nil, unsupported("the model is a %s, want a scikit-learn estimator", pyobj.TypeName(v))
	}
	if o.Class.Module != "sklearn" && !strings.HasPrefix(o.Class.Module, "sklearn.") {
		return nil, unsupported("the class %s is not one of scikit-learn", o.Class)
	}
	e := &estimator{name: o.Class.Name, obj: o}
	if v, ok := o.Attr("_sklearn_version"); ok {
		text, _ := v.(string)
		if e.version, ok = parseRelease(text); !ok {
			return nil, unsupported("%s: the scikit-learn version %s is not understood", e.name, describe(v))
		}
		if e.version > newest {
			return nil, unsupported("%s: scikit-learn %s is newer than what is known here (up to %d.%d)", e.name, text, newest/1000, newest%1000)
		}
	}
	return e, nil
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
	if !e.spend(a.Len()) {
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
	items, err := e.values(v)
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

// object reads an attribute that holds another estimator or plain object.
func (e *estimator) object(attr string) *estimator {
	v, ok := e.get(attr)
	if !ok || v == nil {
		e.missing(attr)
		return nil
	}
	part, err := e.part(v)
	if err != nil {
		e.fail("attribute %s: %v", attr, err)
		return nil
	}
	return part
}

// table reads a two-dimensional array of numbers.
func (e *estimator) table(attr string) (f []float64, rows, cols int) {
	f, shape := e.array(attr)
	if e.err != nil {
		return nil, 0, 0
	}
	if len(shape) != 2 || shape[0] > maxFeatures || shape[1] > maxFeatures || shape[1] == 0 && shape[0] > 1 {
		e.fail("attribute %s has shape %v, want two dimensions", attr, shape)
		return nil, 0, 0
	}
	return f, shape[0], shape[1]
}

// integer reads a whole number of at least 0.
func (e *estimator) integer(attr string, byDefault int) int {
	v, ok := e.get(attr)
	if !ok || v == nil {
		return byDefault
	}
	n, ok := pyobj.Int(v)
	if !ok || n < 0 {
		e.fail("attribute %s is %s, want a whole number", attr, describe(v))
		return 0
	}
	return n
}

// whole reads an array of places below limit.
func (e *estimator) whole(attr string, limit int) []int {
	f, _ := e.array(attr)
	if e.err != nil {
		return nil
	}
	out, ok := wholeNumbers(f, limit)
	if !ok {
		e.fail("attribute %s holds a number that is no place below %d", attr, limit)
	}
	return out
}

func wholeNumbers(f []float64, limit int) ([]int, bool) {
	out := make([]int, len(f))
	for i, v := range f {
		if !(v >= 0 && v < float64(limit)) || v != math.Trunc(v) {
			return nil, false
		}
		out[i] = int(v)
	}
	return out, true
}

// list reads a list, tuple or array.
func (e *estimator) list(attr string) []pyobj.Value {
	v, ok := e.get(attr)
	if !ok {
		e.missing(attr)
		return nil
	}
	items, err := e.values(v)
	if err != nil {
		e.fail("attribute %s: %v", attr, err)
	}
	return items
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
func (e *estimator) values(v pyobj.Value) ([]pyobj.Value, error) {
	switch v := v.(type) {
	case *pyobj.List:
		return v.Items, nil
	case *pyobj.Tuple:
		return v.Items, nil
	case *pyobj.Array:
		if !e.spend(4 * v.Len()) { // a value takes more room than a number
			return nil, e.err
		}
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
