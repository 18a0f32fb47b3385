package lightgbm

import (
	"fmt"

	"github.com/prinzbox/prinzbox/serving/frame"
	"github.com/prinzbox/prinzbox/serving/pyobj"
	"github.com/prinzbox/prinzbox/serving/trees"
)

// labels are the classes of a classifier; all have one type.
type labels struct {
	kind   frame.Kind
	values []any // int64, float64, bool or string
}

// readLabels reads the classes of LGBMClassifier's label encoder.
func readLabels(o *pyobj.Object) (*labels, error) {
	v, _ := o.Attr("_le")
	encoder, ok := v.(*pyobj.Object)
	if !ok || encoder.Class.Name != "LabelEncoder" && encoder.Class.Name != "_LGBMLabelEncoder" {
		return nil, fmt.Errorf("the classifier is not fitted: it has no label encoder")
	}
	v, _ = encoder.Attr("classes_")
	array, ok := v.(*pyobj.Array)
	if !ok || len(array.Shape) != 1 || array.Shape[0] == 0 {
		return nil, fmt.Errorf("the label encoder has no classes")
	}
	items, err := array.Values()
	if err != nil {
		return nil, fmt.Errorf("the classes are not understood: %w", err)
	}
	l := &labels{}
	for i, item := range items {
		value := pyobj.Scalar(item)
		var kind frame.Kind
		switch value.(type) {
		case int64:
			kind = frame.Int
		case float64:
			kind = frame.Float
		case bool:
			kind = frame.Bool
		case string:
			kind = frame.String
		default:
			return nil, trees.Unsupportedf("classes of type %s are not supported", pyobj.TypeName(item))
		}
		if i > 0 && kind != l.kind {
			return nil, trees.Unsupportedf("classes of several types are not supported")
		}
		l.kind = kind
		l.values = append(l.values, value)
	}
	return l, nil
}

// result makes the answer of the classes' places.
func (l *labels) result(places []int) (*frame.Result, error) {
	out := &frame.Result{Kind: l.kind}
	for _, p := range places {
		if p >= len(l.values) {
			return nil, trees.InputErrorf("ValueError", "y contains previously unseen labels: [%d]", p)
		}
		switch v := l.values[p].(type) {
		case int64:
			out.Ints = append(out.Ints, v)
		case float64:
			out.Floats = append(out.Floats, v)
		case bool:
			out.Bools = append(out.Bools, v)
		case string:
			out.Strings = append(out.Strings, v)
		}
	}
	return out, nil
}
