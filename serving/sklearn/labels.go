package sklearn

import (
	"github.com/prinzbox/prinzbox/serving/frame"
	"github.com/prinzbox/prinzbox/serving/pyobj"
)

// labels are a classifier's classes, of one type.
type labels struct {
	kind    frame.Kind
	floats  []float64
	ints    []int64
	bools   []bool
	strings []string
}

// wholeLabels are classes that scikit-learn itself names by numbers.
func wholeLabels(values ...int64) *labels { return &labels{kind: frame.Int, ints: values} }

func readLabels(e *estimator, attr string) *labels {
	v, ok := e.get(attr)
	if !ok {
		e.missing(attr)
		return nil
	}
	return labelsOf(e, attr, v)
}

func labelsOf(e *estimator, attr string, v pyobj.Value) *labels {
	items, err := e.values(v)
	if err != nil || len(items) == 0 {
		e.fail("attribute %s is not understood", attr)
		return nil
	}
	l := &labels{}
	for _, item := range items {
		kind := frame.Object
		switch c := pyobj.Scalar(item).(type) {
		case int64:
			kind, l.ints = frame.Int, append(l.ints, c)
		case float64:
			kind, l.floats = frame.Float, append(l.floats, c)
		case bool:
			kind, l.bools = frame.Bool, append(l.bools, c)
		case string:
			kind, l.strings = frame.String, append(l.strings, c)
		}
		if kind == frame.Object || l.kind != frame.Empty && l.kind != kind {
			e.fail("attribute %s holds %s", attr, pyobj.TypeName(item))
			return nil
		}
		l.kind = kind
	}
	return l
}

func (l *labels) len() int {
	return len(l.floats) + len(l.ints) + len(l.bools) + len(l.strings)
}

// same tells whether two classifiers have the same classes.
func (l *labels) same(o *labels) bool {
	if l.kind != o.kind || l.len() != o.len() {
		return false
	}
	for i := range l.len() {
		if l.value(i) != o.value(i) {
			return false
		}
	}
	return true
}

// find gives the place of a value of another classifier's classes, -1 when it is not there.
func (l *labels) find(v any) int {
	for i := range l.len() {
		if l.value(i) == v {
			return i
		}
	}
	return -1
}

func (l *labels) value(i int) any {
	switch l.kind {
	case frame.Float:
		return l.floats[i]
	case frame.Int:
		return l.ints[i]
	case frame.Bool:
		return l.bools[i]
	}
	return l.strings[i]
}

// number is a class as a number, for a step that computes with it.
func (l *labels) number(i int) (float64, bool) {
	switch l.kind {
	case frame.Float:
		return l.floats[i], true
	case frame.Int:
		return float64(l.ints[i]), true
	case frame.Bool:
		if l.bools[i] {
			return 1, true
		}
		return 0, true
	}
	return 0, false
}

// numbers are the classes as numbers; nil when they are text.
func (l *labels) numbers() []float64 {
	out := make([]float64, l.len())
	for i := range out {
		v, ok := l.number(i)
		if !ok {
			return nil
		}
		out[i] = v
	}
	return out
}

// put writes a class; a place out of range, which only a broken model gives, is the first class.
func (l *labels) put(out *frame.Result, at, class int) {
	if class < 0 || class >= l.len() {
		class = 0
	}
	switch l.kind {
	case frame.Float:
		out.Floats[at] = l.floats[class]
	case frame.Int:
		out.Ints[at] = l.ints[class]
	case frame.Bool:
		out.Bools[at] = l.bools[class]
	default:
		out.Strings[at] = l.strings[class]
	}
}
