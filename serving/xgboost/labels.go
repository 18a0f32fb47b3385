package xgboost

import (
	"fmt"

	"github.com/prinzbox/prinzbox/serving/frame"
	"github.com/prinzbox/prinzbox/serving/pyobj"
	"github.com/prinzbox/prinzbox/serving/trees"
)

// labels are the classes that XGBoost's own label encoder gives back (releases before 1.6); numpy gave
// them all one type.
type labels struct {
	kind    frame.Kind
	ints    []int64
	floats  []float64
	strings []string
}

func newLabels(classes []any) (*labels, error) {
	l := &labels{kind: frame.Int}
	for _, c := range classes {
		switch c := c.(type) {
		case string:
			l.strings = append(l.strings, c)
		case float64:
			l.floats = append(l.floats, c)
			l.ints = append(l.ints, int64(c))
			if c != float64(int64(c)) {
				l.kind = frame.Float
			}
		default:
			return nil, fmt.Errorf("the label encoder holds %v, want text or numbers", c)
		}
	}
	if len(l.strings) > 0 {
		l.kind = frame.String
	}
	if len(classes) == 0 || len(l.strings) > 0 && len(l.floats) > 0 {
		return nil, fmt.Errorf("the label encoder's %d classes are not of one type", len(classes))
	}
	return l, nil
}

// pickledLabels reads the classes of a pickled label encoder: text, or numbers of one type.
func pickledLabels(classes []pyobj.Value) (*labels, error) {
	l := &labels{}
	for i, c := range classes {
		var kind frame.Kind
		switch c := c.(type) {
		case string:
			kind = frame.String
			l.strings = append(l.strings, c)
		case int64:
			kind = frame.Int
			l.ints = append(l.ints, c)
		case float64:
			kind = frame.Float
			l.floats = append(l.floats, c)
		default:
			return nil, trees.Unsupportedf("classes of type %s are not supported", pyobj.TypeName(c))
		}
		if i > 0 && kind != l.kind {
			return nil, trees.Unsupportedf("classes of several types are not supported")
		}
		l.kind = kind
	}
	return l, nil
}

func (l *labels) len() int { return max(len(l.strings), len(l.ints), len(l.floats)) }

// give turns places into labels.
func (l *labels) give(places []int64) (*frame.Result, error) {
	out := &frame.Result{Kind: l.kind}
	for _, p := range places {
		if p < 0 || int(p) >= l.len() {
			return nil, fmt.Errorf("class %d of %d", p, l.len())
		}
		switch l.kind {
		case frame.String:
			out.Strings = append(out.Strings, l.strings[p])
		case frame.Float:
			out.Floats = append(out.Floats, l.floats[p])
		default:
			out.Ints = append(out.Ints, l.ints[p])
		}
	}
	return out, nil
}
