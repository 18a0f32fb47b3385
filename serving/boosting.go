package serving

import (
	"context"
	"errors"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/prinzbox/prinzbox/registry"
	"github.com/prinzbox/prinzbox/serving/frame"
	"github.com/prinzbox/prinzbox/serving/lightgbm"
	"github.com/prinzbox/prinzbox/serving/pyobj"
	"github.com/prinzbox/prinzbox/serving/trees"
	"github.com/prinzbox/prinzbox/serving/xgboost"
)

// boostingFlavor is the settings of the xgboost and lightgbm flavors.
type boostingFlavor struct {
	Data string `yaml:"data"`
	// Class is absent in MLflow before 1.22 (xgboost) and 1.23 (lightgbm), which only knew boosters.
	Class string `yaml:"model_class"`
	// Format is how a scikit-learn wrapper of LightGBM was pickled; absent before MLflow 3.
	Format string `yaml:"serialization_format"`
}

// boostingModel is an engine behind a signature.
type boostingModel struct {
	predict   func(context.Context, *frame.Frame) (*frame.Result, error)
	signature *Signature
}

func (m *boostingModel) Signature() *Signature { return m.signature }

func (m *boostingModel) Predict(ctx context.Context, table *frame.Frame) (*frame.Result, error) {
	return m.predict(ctx, table)
}

// boostingObject reads an estimator of XGBoost or LightGBM that was logged with the sklearn flavor; ok is
// false when the object is of another library.
func boostingObject(graph pyobj.Value, fn string) (m *boostingModel, class string, ok bool, err error) {
	o, isObject := graph.(*pyobj.Object)
	if !isObject {
		return nil, "", false, nil
	}
	library, _, _ := strings.Cut(o.Class.Module, ".")
	if library != "xgboost" && library != "lightgbm" {
		return nil, "", false, nil
	}
	if fn != "" && fn != "predict" {
		return nil, "", true, trees.Unsupportedf("predict_fn %s of %s is not supported (supported: predict)", fn, o.Class)
	}
	if library == "xgboost" {
		engine, err := xgboost.FromObject(graph)
		if err != nil {
			return nil, "", true, err
		}
		return &boostingModel{predict: engine.Predict}, engine.Class, true, nil
	}
	engine, err := lightgbm.FromObject(graph)
	if err != nil {
		return nil, "", true, err
	}
	return &boostingModel{predict: engine.Predict}, engine.Class, true, nil
}

// readBoosting reads the flavor's settings and the file that they name.
func readBoosting(ctx context.Context, objects Objects, uri, name string, node yaml.Node, signature *Signature, l *Loaded) (flavor boostingFlavor, data []byte, err error) {
	if err := node.Decode(&flavor); err != nil {
		return flavor, nil, registry.Invalidf("The %s flavor of the model at %s is not understood: %v", name, uri, err)
	}
	path := flavor.Data
	if path == "" || strings.HasPrefix(path, "/") || strings.Contains("/"+path+"/", "/../") {
		return flavor, nil, registry.Invalidf("The %s flavor of the model at %s names no file in its directory: data is %q", name, uri, path)
	}
	if err := signature.native(); err != nil {
		return flavor, nil, err
	}
	if data, err = readFile(ctx, objects, uri, path, maxModel); err != nil {
		return flavor, nil, err
	}
	l.Flavor, l.Files = name, append(l.Files, path)
	return flavor, data, nil
}

// boostingError tells what the engine does not do from what is broken.
func boostingError(uri, path string, err error) error {
	if _, ok := errors.AsType[*trees.UnsupportedError](err); ok {
		return registry.Errorf(registry.NotImplemented, "The model at %s is not scored without Python: %v.", uri, err)
	}
	return registry.Invalidf("The model file %s at %s cannot be read: %v", path, uri, err)
}

// predictArguments of XGBoost change what predict answers when a request's params, or their defaults, name
// them.
var predictArguments = []string{
	"output_margin", "pred_leaf", "pred_contribs", "approx_contribs", "pred_interactions", "validate_features",
	"training", "iteration_range", "ntree_limit", "strict_shape", "base_margin",
}

func loadXGBoost(ctx context.Context, objects Objects, uri string, _ *mlmodel, node yaml.Node, signature *Signature, l *Loaded) error {
	flavor, data, err := readBoosting(ctx, objects, uri, "xgboost", node, signature, l)
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
		return boostingError(uri, flavor.Data, err)
	}
	l.Estimator = engine.Class
	l.Model = &boostingModel{engine.Predict, signature}
	return nil
}

func loadLightGBM(ctx context.Context, objects Objects, uri string, _ *mlmodel, node yaml.Node, signature *Signature, l *Loaded) error {
	flavor, data, err := readBoosting(ctx, objects, uri, "lightgbm", node, signature, l)
	if err != nil {
		return err
	}
	engine, err := newLightGBM(flavor, data)
	if err != nil {
		return boostingError(uri, flavor.Data, err)
	}
	l.Estimator = engine.Class
	l.Model = &boostingModel{engine.Predict, signature}
	return nil
}

func newLightGBM(flavor boostingFlavor, data []byte) (*lightgbm.Model, error) {
	if flavor.Class == "" || flavor.Class == "lightgbm.basic.Booster" {
		return lightgbm.New(data)
	}
	limits := pyobj.Limits{Bytes: maxModel}
	var graph pyobj.Value
	var err error
	switch flavor.Format {
	case "skops":
		graph, err = pyobj.ReadSkops(data, limits)
	case "pickle", "cloudpickle", "":
		graph, err = pyobj.ReadPickle(data, limits)
	default:
		return nil, trees.Unsupportedf("serialization_format %s is not supported (supported: pickle, cloudpickle, skops)", flavor.Format)
	}
	if err != nil {
		return nil, err
	}
	return lightgbm.FromObject(graph)
}
