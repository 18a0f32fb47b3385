package serving

import (
	"context"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/prinzbox/prinzbox/registry"
	"github.com/prinzbox/prinzbox/serving/catboost"
	"github.com/prinzbox/prinzbox/serving/lightgbm"
	"github.com/prinzbox/prinzbox/serving/pyobj"
	"github.com/prinzbox/prinzbox/serving/sklearn"
	"github.com/prinzbox/prinzbox/serving/trees"
	"github.com/prinzbox/prinzbox/serving/xgboost"
)

// boostingLibrary is the library of an object, if it is one of those with an engine here.
func boostingLibrary(o *pyobj.Object) string {
	switch library, _, _ := strings.Cut(o.Class.Module, "."); library {
	case "xgboost", "lightgbm", "catboost":
		return library
	}
	return ""
}

// boostingObject reads an estimator of XGBoost, LightGBM or CatBoost that was logged with the sklearn flavor, for predict; ok is
// false when the object is of another library.
func boostingObject(graph pyobj.Value, fn string) (m *engineModel, class string, ok bool, err error) {
	o, isObject := graph.(*pyobj.Object)
	if !isObject || fn != "" && fn != "predict" {
		return nil, "", false, nil
	}
	switch boostingLibrary(o) {
	case "xgboost":
		engine, err := xgboost.FromObject(graph)
		if err != nil {
			return nil, "", true, err
		}
		return &engineModel{predict: engine.Predict}, engine.Class, true, nil
	case "lightgbm":
		engine, err := lightgbm.FromObject(graph)
		if err != nil {
			return nil, "", true, err
		}
		return &engineModel{predict: engine.Predict}, engine.Class, true, nil
	case "catboost":
		engine, err := catboost.FromObject(graph)
		if err != nil {
			return nil, "", true, err
		}
		return &engineModel{predict: engine.Predict}, engine.Class, true, nil
	}
	return nil, "", false, nil
}

// boostingPart reads an estimator of XGBoost or LightGBM that stands inside one of scikit-learn.
func boostingPart(o *pyobj.Object) (sklearn.Foreign, bool, error) {
	switch boostingLibrary(o) {
	case "xgboost":
		p, err := xgboost.NewPart(o)
		return p, true, err
	case "lightgbm":
		p, err := lightgbm.NewPart(o)
		return p, true, err
	}
	return nil, false, nil
}

// predictArguments of XGBoost change what predict answers when a request's params, or their defaults, name
// them.
var predictArguments = []string{
	"output_margin", "pred_leaf", "pred_contribs", "approx_contribs", "pred_interactions", "validate_features",
	"training", "iteration_range", "ntree_limit", "strict_shape", "base_margin",
}

func loadXGBoost(ctx context.Context, objects Objects, uri string, _ *mlmodel, node yaml.Node, signature *Signature, l *Loaded) error {
	flavor, data, err := readEngineFile(ctx, objects, uri, "xgboost", node, signature, l)
	if err != nil {
		return err
	}
	if signature.Params != nil {
		for _, p := range signature.Params.Params {
			if slices.Contains(predictArguments, p.Name) {
				return registry.Errorf(registry.NotImplemented, "The model at %s is not scored without Python: the param %s is handed to XGBoost's predict.", uri, p.Name)
			}
		}
	}
	engine, err := xgboost.New(data, flavor.Class)
	if err != nil {
		return engineError(uri, flavor.Data, err)
	}
	l.Estimator = engine.Class
	l.Model = &engineModel{engine.Predict, signature}
	return nil
}

func loadLightGBM(ctx context.Context, objects Objects, uri string, _ *mlmodel, node yaml.Node, signature *Signature, l *Loaded) error {
	flavor, data, err := readEngineFile(ctx, objects, uri, "lightgbm", node, signature, l)
	if err != nil {
		return err
	}
	engine, err := newLightGBM(flavor, data)
	if err != nil {
		return engineError(uri, flavor.Data, err)
	}
	l.Estimator = engine.Class
	l.Model = &engineModel{engine.Predict, signature}
	return nil
}

func newLightGBM(flavor fileFlavor, data []byte) (*lightgbm.Model, error) {
	if flavor.Class == "" || flavor.Class == "lightgbm.basic.Booster" {
		return lightgbm.New(data)
	}
	graph, known, err := readObject(flavor.Format, data)
	if !known {
		return nil, trees.Unsupportedf("serialization_format %s is not supported (supported: pickle, cloudpickle, skops)", flavor.Format)
	}
	if err != nil {
		return nil, err
	}
	return lightgbm.FromObject(graph)
}
