// Package statsmodels scores linear statsmodels results as mlflow.pyfunc does, from pickles read by package
// pyobj: a linear combination of the columns, and for generalized models the inverse of a link.
package statsmodels

import (
	"fmt"
	"slices"

	"github.com/prinzbox/prinzbox/serving/pyobj"
	"github.com/prinzbox/prinzbox/serving/trees"
)

// Model is a loaded model; it may be used by many goroutines.
type Model struct {
	// Class is the Python class of the model, such as "OLS".
	Class string

	params []float64
	link   link
	// leading tells that a table may have fewer columns, which count with the first params.
	leading bool
	// removed tells that the data of training is not in the file, which predict looks at for a list of numbers.
	removed bool
}

// classes are the models whose predict is the inverse of a link of exog @ params. A nil link is that of the
// model's family.
var classes = map[string]func(*pyobj.Object) (link, error){
	"statsmodels.regression.linear_model.OLS":             straight,
	"statsmodels.regression.linear_model.WLS":             straight,
	"statsmodels.regression.linear_model.GLS":             straight,
	"statsmodels.regression.linear_model.GLSAR":           straight,
	"statsmodels.regression.quantile_regression.QuantReg": straight,
	"statsmodels.robust.robust_linear_model.RLM":          straight,
	"statsmodels.discrete.discrete_model.Logit":           fixed(logit),
	"statsmodels.discrete.discrete_model.Probit":          fixed(probit),
	"statsmodels.discrete.discrete_model.Poisson":         fixed(exponent),
	"statsmodels.genmod.generalized_linear_model.GLM":     familyLink,
}

// New reads pickled results. An error is a *trees.UnsupportedError when they are of a kind that this engine
// does not know; any other is a broken file.
func New(graph pyobj.Value) (*Model, error) {
	results, ok := graph.(*pyobj.Object)
	if !ok {
		return nil, trees.Unsupportedf("the model is a %s, want results of statsmodels", pyobj.TypeName(graph))
	}
	if wrapped, ok := results.Attr("_results"); ok {
		if results, ok = wrapped.(*pyobj.Object); !ok {
			return nil, fmt.Errorf("the results are a %s", pyobj.TypeName(wrapped))
		}
	}
	v, _ := results.Attr("model")
	model, ok := v.(*pyobj.Object)
	if !ok {
		return nil, trees.Unsupportedf("%s without a model is not supported", results.Class)
	}
	newLink, ok := classes[model.Class.String()]
	if !ok || !slices.Contains(resultClasses, results.Class.String()) {
		return nil, trees.Unsupportedf("%s of %s is not supported", results.Class, model.Class)
	}
	if _, ok := model.Attr("formula"); ok {
		return nil, trees.Unsupportedf("a model made from a formula is not supported")
	}
	exog, _ := model.Attr("exog")
	m := &Model{Class: model.Class.Name, removed: exog == nil, leading: model.Class.Name == "Poisson"}
	var err error
	if m.link, err = newLink(model); err != nil {
		return nil, err
	}
	m.params, err = readParams(results)
	return m, err
}

// resultClasses are the results that predict as their model does, with all their params.
var resultClasses = []string{
	"statsmodels.regression.linear_model.OLSResults",
	"statsmodels.regression.linear_model.RegressionResults",
	"statsmodels.regression.quantile_regression.QuantRegResults",
	"statsmodels.robust.robust_linear_model.RLMResults",
	"statsmodels.base.elastic_net.RegularizedResults",
	"statsmodels.genmod.generalized_linear_model.GLMResults",
	"statsmodels.discrete.discrete_model.LogitResults",
	"statsmodels.discrete.discrete_model.ProbitResults",
	"statsmodels.discrete.discrete_model.PoissonResults",
	"statsmodels.discrete.discrete_model.L1BinaryResults",
	"statsmodels.discrete.discrete_model.L1PoissonResults",
}

func readParams(results *pyobj.Object) ([]float64, error) {
	v, _ := results.Attr("params")
	array, ok := v.(*pyobj.Array)
	if !ok {
		return nil, trees.Unsupportedf("params of type %s are not supported", pyobj.TypeName(v))
	}
	if len(array.Shape) != 1 || array.Shape[0] == 0 {
		return nil, trees.Unsupportedf("params of shape %v are not supported", array.Shape)
	}
	items, err := array.Values()
	if err != nil {
		return nil, fmt.Errorf("its params are not understood: %w", err)
	}
	params := make([]float64, len(items))
	for i, item := range items {
		if params[i], ok = pyobj.Scalar(item).(float64); !ok {
			return nil, trees.Unsupportedf("params of type %s are not supported", pyobj.TypeName(item))
		}
	}
	return params, nil
}
