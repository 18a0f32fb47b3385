package serving

import (
	"context"
	"errors"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/prinzbox/prinzbox/registry"
	"github.com/prinzbox/prinzbox/serving/frame"
	"github.com/prinzbox/prinzbox/serving/pyobj"
	"github.com/prinzbox/prinzbox/serving/trees"
)

// engineModel is an engine behind a signature.
type engineModel struct {
	predict   func(context.Context, *frame.Frame) (*frame.Result, error)
	signature *Signature
}

func (m *engineModel) Signature() *Signature { return m.signature }

func (m *engineModel) Predict(ctx context.Context, table *frame.Frame) (*frame.Result, error) {
	return m.predict(ctx, table)
}

// fileFlavor is the settings of the flavors that name one file: xgboost, lightgbm, catboost, statsmodels and onnx.
type fileFlavor struct {
	Data string `yaml:"data"`
	// Class is absent in MLflow before 1.22 (xgboost) and 1.23 (lightgbm), which only knew boosters.
	Class string `yaml:"model_class"`
	// Format is how a scikit-learn wrapper of LightGBM was pickled; absent before MLflow 3.
	Format string `yaml:"serialization_format"`
}

// readEngineFile reads the flavor's settings and the file that they name.
func readEngineFile(ctx context.Context, objects Objects, uri, name string, node yaml.Node, signature *Signature, l *Loaded) (flavor fileFlavor, data []byte, err error) {
	if err := node.Decode(&flavor); err != nil {
		return flavor, nil, registry.Invalidf("The %s flavor of the model at %s is not understood: %v", name, uri, err)
	}
	path := flavor.Data
	if path == "" || outside(path) {
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

// engineError tells what the engine does not do from what is broken.
func engineError(uri, path string, err error) error {
	if _, ok := errors.AsType[*trees.UnsupportedError](err); ok {
		return registry.Errorf(registry.NotImplemented, "The model at %s is not scored without Python: %v.", uri, err)
	}
	return registry.Invalidf("The model file %s at %s cannot be read: %v", path, uri, err)
}

// outside tells whether a path that an MLmodel file names leads out of the model's directory.
func outside(path string) bool {
	return strings.HasPrefix(path, "/") || strings.Contains("/"+path+"/", "/../")
}

// readObject reads a Python object; known is false for a serialization_format that is not read here.
func readObject(format string, data []byte) (graph pyobj.Value, known bool, err error) {
	limits := pyobj.Limits{Bytes: maxModel}
	switch format {
	case "skops":
		graph, err = pyobj.ReadSkops(data, limits)
	case "pickle", "cloudpickle", "":
		graph, err = pyobj.ReadPickle(data, limits)
	default:
		return nil, false, nil
	}
	return graph, true, err
}
