package xgboost

import (
	"fmt"
	"math"
	"strings"

	"github.com/prinzbox/prinzbox/serving/pyobj"
	"github.com/prinzbox/prinzbox/serving/trees"
)

// FromObject reads a pickled scikit-learn wrapper, as mlflow.sklearn logs it. Errors are as those of New.
func FromObject(v pyobj.Value) (*Model, error) {
	o, ok := v.(*pyobj.Object)
	if !ok || o.Class.Module != "xgboost" && !strings.HasPrefix(o.Class.Module, "xgboost.") {
		return nil, trees.Unsupportedf("the model is a %s, want an estimator of xgboost", pyobj.TypeName(v))
	}
	w, ok := classNames[o.Class.Name]
	if !ok || !w.on {
		return nil, trees.Unsupportedf("the class %s is not supported", o.Class)
	}
	v, _ = o.Attr("_Booster")
	b, ok := v.(*pyobj.Object)
	if !ok {
		return nil, fmt.Errorf("the estimator %s is not fitted: it has no _Booster", o.Class.Name)
	}
	v, _ = b.Attr("handle")
	handle, ok := v.(pyobj.Bytes)
	if !ok {
		return nil, fmt.Errorf("the booster of %s holds no model: its handle is %s", o.Class.Name, pyobj.TypeName(v))
	}
	doc, err := decode(handle)
	if err != nil {
		return nil, err
	}
	if doc.Version[0] < 1 {
		return nil, trees.Unsupportedf("pickles of XGBoost before 1.0 are not supported; save the model with mlflow.xgboost")
	}
	// The wrapper itself tells what a model file keeps in this attribute.
	delete(doc.Learner.Attributes, "scikit_learn")
	m := &Model{Class: o.Class.Name, wrapper: w}
	if err := m.build(doc); err != nil {
		return nil, err
	}
	return m, m.readObject(o)
}

// readObject takes what predict looks at over from the Python object.
func (m *Model) readObject(o *pyobj.Object) error {
	if v, ok := o.Attr("missing"); ok && v != nil {
		missing, ok := pyobj.Float(v)
		if !ok {
			return trees.Unsupportedf("missing=%s of %s is not supported", pyobj.TypeName(v), m.Class)
		}
		m.missing = float32(missing)
	} else if ok {
		m.missing = float32(math.NaN())
	}
	if v, _ := o.Attr("objective"); v != nil {
		if _, isText := v.(string); !isText {
			return trees.Unsupportedf("a custom objective (%s) is not supported in a scikit-learn wrapper", pyobj.TypeName(v))
		}
	}
	v, _ := o.Attr("_le")
	encoder, ok := v.(*pyobj.Object)
	if !ok || !m.classifier {
		return nil
	}
	v, _ = encoder.Attr("classes_")
	array, ok := v.(*pyobj.Array)
	if !ok {
		return fmt.Errorf("the label encoder has no classes")
	}
	items, err := array.Values()
	if err != nil {
		return fmt.Errorf("the label encoder's classes are not understood: %w", err)
	}
	for i, item := range items {
		items[i] = pyobj.Scalar(item)
	}
	m.labels, err = pickledLabels(items)
	return err
}
