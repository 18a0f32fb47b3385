package catboost

import (
	"fmt"

	"github.com/prinzbox/prinzbox/serving/pyobj"
	"github.com/prinzbox/prinzbox/serving/trees"
)

// FromObject reads a pickled estimator, which holds the same file. Errors are as those of New.
func FromObject(v pyobj.Value) (*Model, error) {
	o, ok := v.(*pyobj.Object)
	if !ok || o.Class.Module != "catboost.core" {
		return nil, trees.Unsupportedf("the model is a %s, want an estimator of CatBoost", pyobj.TypeName(v))
	}
	file, ok := o.Attr("__model")
	if !ok {
		return nil, fmt.Errorf("the estimator %s is not fitted: it has no __model", o.Class.Name)
	}
	data, ok := file.(pyobj.Bytes)
	if !ok {
		return nil, trees.Unsupportedf("a model file of type %s is not supported", pyobj.TypeName(file))
	}
	if loss, _ := o.Attr("loss_function"); loss != nil {
		if _, isText := loss.(string); !isText {
			return nil, trees.Unsupportedf("a loss of the user's own (%s) is not supported in a pickled estimator", pyobj.TypeName(loss))
		}
	}
	return New(data, o.Class.Name)
}
