// Package serving scores the models of MLflow model directories over HTTP in the dialects of MLflow 1.x,
// 2.x and 3.x, without Python.
package serving

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/prinzbox/prinzbox/registry"
	"github.com/prinzbox/prinzbox/serving/frame"
	"github.com/prinzbox/prinzbox/serving/sklearn"
)

// Objects reads the files of model directories. uri is a version's source, path a relative path with
// slashes inside it. A file that is not there is a *registry.Error of RESOURCE_DOES_NOT_EXIST.
type Objects interface {
	// Open returns a file and its size in bytes, or -1 when the size is not known.
	Open(ctx context.Context, uri, path string) (io.ReadCloser, int64, error)
	// ETag returns a text that changes whenever the file's content does.
	ETag(ctx context.Context, uri, path string) (string, error)
	// Generation changes whenever any file may have changed; a loaded model is checked against its
	// files only then.
	Generation() uint64
}

// Model is a loaded model. It may be used by many goroutines.
type Model interface {
	// Signature is the inputs, outputs and params of the model; never nil.
	Signature() *Signature
	// Predict scores a table whose columns already fit the signature. Errors about the data are
	// *frame.PredictError.
	Predict(ctx context.Context, table *frame.Frame) (*frame.Result, error)
}

// Signature is a model's declared inputs, outputs and parameters; each may be nil.
type Signature struct {
	Inputs  *frame.Schema
	Outputs *frame.Schema
	Params  *frame.ParamSchema
}

// Loaded is a model with what its MLmodel file says about it.
type Loaded struct {
	Model
	// Flavor is the flavor whose engine scores: "sklearn", "xgboost", "lightgbm", "catboost", "statsmodels" or "onnx".
	Flavor string
	// Estimator is the engine's own name of the model, such as "Pipeline".
	Estimator string
	// Files are the paths that were read, in order.
	Files []string
	// ExamplePath is the path of the input example; empty when there is none.
	ExamplePath string
}

// Limits of what is read from a model directory, in bytes.
const (
	maxMLmodel = 4 << 20
	maxModel   = 512 << 20
)

// mlmodel is the part of an MLmodel file that scoring needs.
type mlmodel struct {
	Flavors   map[string]yaml.Node `yaml:"flavors"`
	Signature *struct {
		Inputs  *string `yaml:"inputs"`
		Outputs *string `yaml:"outputs"`
		Params  *string `yaml:"params"`
	} `yaml:"signature"`
	Example *struct {
		Path string `yaml:"artifact_path"`
	} `yaml:"saved_input_example_info"`
}

// Load reads the model directory at uri. Errors are *registry.Error: RESOURCE_DOES_NOT_EXIST when a file
// is missing, NOT_IMPLEMENTED when the flavor, estimator or an option has no engine here,
// INVALID_PARAMETER_VALUE when a file is broken.
func Load(ctx context.Context, objects Objects, uri string) (*Loaded, error) {
	meta, err := loadMeta(ctx, objects, uri)
	if err != nil {
		return nil, err
	}
	l := &Loaded{Files: []string{"MLmodel"}}
	if meta.Example != nil {
		l.ExamplePath = meta.Example.Path
	}
	signature, err := meta.signature()
	if err != nil {
		return nil, err
	}
	load, node, err := meta.loader(uri)
	if err != nil {
		return nil, err
	}
	if err := load(ctx, objects, uri, meta, node, signature, l); err != nil {
		return nil, err
	}
	return l, nil
}

// loader reads a flavor's files into l.
type loader func(ctx context.Context, objects Objects, uri string, meta *mlmodel, node yaml.Node, signature *Signature, l *Loaded) error

// loader picks the engine: that of the flavor which python_function loads, or of the first flavor that has
// one.
func (m *mlmodel) loader(uri string) (loader, yaml.Node, error) {
	var pyfunc struct {
		Loader string `yaml:"loader_module"`
	}
	if node, ok := m.Flavors["python_function"]; ok {
		if err := node.Decode(&pyfunc); err != nil {
			return nil, node, registry.Invalidf("The python_function flavor of the model at %s is not understood: %v", uri, err)
		}
	}
	for _, engine := range []struct {
		flavor string
		load   loader
	}{{"sklearn", loadSklearn}, {"xgboost", loadXGBoost}, {"lightgbm", loadLightGBM}, {"catboost", loadCatBoost}, {"statsmodels", loadStatsmodels}, {"onnx", loadONNX}} {
		node, ok := m.Flavors[engine.flavor]
		if ok && (pyfunc.Loader == "" || pyfunc.Loader == "mlflow."+engine.flavor) {
			return engine.load, node, nil
		}
	}
	reason := fmt.Sprintf("has the flavors %s", m.flavors())
	if pyfunc.Loader != "" {
		reason += " and is loaded by " + pyfunc.Loader
	}
	return nil, yaml.Node{}, registry.Errorf(registry.NotImplemented, "The model at %s %s. Only sklearn, xgboost, lightgbm, catboost, statsmodels and onnx models are scored without Python.", uri, reason)
}

func loadMeta(ctx context.Context, objects Objects, uri string) (*mlmodel, error) {
	text, err := readFile(ctx, objects, uri, "MLmodel", maxMLmodel)
	if err != nil {
		return nil, err
	}
	meta, err := parseMLmodel(text)
	if err != nil {
		return nil, registry.Invalidf("The MLmodel file at %s is not understood: %v", uri, err)
	}
	return meta, nil
}

// parseMLmodel decodes the YAML. The library itself refuses documents that aliases blow up.
func parseMLmodel(text []byte) (*mlmodel, error) {
	meta := &mlmodel{}
	if err := yaml.Unmarshal(text, meta); err != nil {
		return nil, err
	}
	if len(meta.Flavors) == 0 {
		return nil, errors.New("it has no flavors")
	}
	return meta, nil
}

func (m *mlmodel) flavors() string {
	var names []string
	for name := range m.Flavors {
		names = append(names, name)
	}
	if len(names) > 20 {
		names = names[:20]
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

func (m *mlmodel) signature() (*Signature, error) {
	s := &Signature{}
	if m.Signature == nil {
		return s, nil
	}
	var err error
	read := func(what string, text *string) *frame.Schema {
		if text == nil || *text == "" || err != nil {
			return nil
		}
		schema, parseErr := frame.ParseSchema(*text)
		if parseErr != nil {
			err = registry.Invalidf("The model's signature (%s) is not understood: %v", what, parseErr)
		}
		return schema
	}
	s.Inputs = read("inputs", m.Signature.Inputs)
	s.Outputs = read("outputs", m.Signature.Outputs)
	if text := m.Signature.Params; text != nil && *text != "" && err == nil {
		var parseErr error
		if s.Params, parseErr = frame.ParseParams(*text); parseErr != nil {
			err = registry.Invalidf("The model's signature (params) is not understood: %v", parseErr)
		}
	}
	return s, err
}

// sklearnFlavor is the sklearn flavor's settings.
type sklearnFlavor struct {
	Model   string `yaml:"pickled_model"`
	Format  string `yaml:"serialization_format"`
	Version string `yaml:"sklearn_version"`
}

func loadSklearn(ctx context.Context, objects Objects, uri string, meta *mlmodel, node yaml.Node, signature *Signature, l *Loaded) error {
	var flavor sklearnFlavor
	if err := node.Decode(&flavor); err != nil {
		return registry.Invalidf("The sklearn flavor of the model at %s is not understood: %v", uri, err)
	}
	var pyfunc struct {
		Fn   string `yaml:"predict_fn"`
		Path string `yaml:"model_path"`
	}
	if node, ok := meta.Flavors["python_function"]; ok {
		if err := node.Decode(&pyfunc); err != nil {
			return registry.Invalidf("The python_function flavor of the model at %s is not understood: %v", uri, err)
		}
	}
	if err := signature.native(); err != nil {
		return err
	}
	path := flavor.Model
	if path == "" {
		path = pyfunc.Path
	}
	if path == "" {
		path = "model.pkl"
	}
	if outside(path) {
		return registry.Invalidf("The sklearn flavor of the model at %s points outside its directory: pickled_model %q", uri, path)
	}
	data, err := readFile(ctx, objects, uri, path, maxModel)
	if err != nil {
		return err
	}
	l.Files = append(l.Files, path)
	graph, known, err := readObject(flavor.Format, data)
	if !known {
		return registry.Errorf(registry.NotImplemented, "The serialization_format %s of the model at %s is not supported (supported: pickle, cloudpickle, skops).", flavor.Format, uri)
	}
	if err != nil {
		return registry.Invalidf("The model file %s at %s cannot be read: %v", path, uri, err)
	}
	if boosting, class, ok, err := boostingObject(graph, pyfunc.Fn); ok {
		if err != nil {
			return engineError(uri, path, err)
		}
		boosting.signature = signature
		l.Flavor, l.Estimator, l.Model = "sklearn", class, boosting
		return nil
	}
	engine, err := sklearn.New(graph, pyfunc.Fn, boostingPart)
	if _, ok := errors.AsType[*sklearn.UnsupportedError](err); ok {
		return registry.Errorf(registry.NotImplemented, "The model at %s is not scored without Python: %v.", uri, err)
	}
	if err != nil {
		return engineError(uri, path, err)
	}
	l.Flavor, l.Estimator = "sklearn", engine.Class
	predict := func(_ context.Context, table *frame.Frame) (*frame.Result, error) { return engine.Predict(table) }
	l.Model = &engineModel{predict, signature}
	return nil
}

// native refuses column types that only Python models use.
func (s *Signature) native() error {
	if s.Inputs == nil {
		return nil
	}
	for i, f := range s.Inputs.Fields {
		switch f.Type {
		case frame.Boolean, frame.Integer, frame.Long, frame.Float32, frame.Double, frame.Text, frame.Tensor:
		default:
			name := f.Name
			if name == "" {
				name = fmt.Sprint(i)
			}
			return registry.Errorf(registry.NotImplemented, "Input %s of the model's signature has type %s, which is not scored without Python.", name, f.Type)
		}
	}
	return nil
}

// readFile reads a whole file of at most limit bytes.
func readFile(ctx context.Context, objects Objects, uri, path string, limit int64) ([]byte, error) {
	r, size, err := objects.Open(ctx, uri, path)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	if size > limit {
		return nil, registry.Invalidf("The file %s at %s has %d bytes, the limit is %d.", path, uri, size, limit)
	}
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, fmt.Errorf("reading %s at %s: %w", path, uri, err)
	}
	if int64(len(data)) > limit {
		return nil, registry.Invalidf("The file %s at %s has more than %d bytes.", path, uri, limit)
	}
	return data, nil
}
