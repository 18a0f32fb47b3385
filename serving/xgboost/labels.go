package xgboost

import (
	"fmt"

	"github.com/prinzbox/prinzbox/serving/frame"
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

func (l *labels) len() int { return max(len(l.strings), len(l.ints)) }

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
