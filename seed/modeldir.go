package seed

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/prinzbox/prinzbox/registry"
)

// What the model directories claim to be made with. The pickles follow sklearnVersion's attributes; Python clients
// warn when their own versions differ and load all the same.
const (
	mlflowVersion = "3.17.2"
	pythonVersion = "3.11.7"
	// createdAt is fixed, so that the same model gives the same bytes whenever it is trained.
	createdAt = "2022-01-01 00:00:00.000000"
	// artifactPath is the folder of the model below its run's artifacts.
	artifactPath = "model"
)

func requirements() []string {
	return []string{
		"mlflow==" + mlflowVersion, "numpy==2.4.6", "pandas==3.1.1", "scikit-learn==" + sklearnVersion, "scipy==1.17.1",
	}
}

// column is one entry of a signature in the form of MLflow 1.x, which every later release reads: 1.x stops at the key
// "required" that newer ones add, and a missing one means true.
type column struct {
	Name string `json:"name,omitempty"`
	Type string `json:"type"`
}

// directory is what differs between the model directories.
type directory struct {
	pickle  []byte
	inputs  []column
	outputs []column
	example [][]any // rows of the inputs
	uuid    string
	runID   string
}

// modelInfo is an MLmodel file, and with the same names an entry of the tag mlflow.log-model.history. Keys are in
// alphabetical order, as MLflow writes them.
type modelInfo struct {
	ArtifactPath            string         `yaml:"artifact_path" json:"artifact_path"`
	Flavors                 flavors        `yaml:"flavors" json:"flavors"`
	IsSignatureFromTypeHint bool           `yaml:"is_signature_from_type_hint" json:"is_signature_from_type_hint"`
	MLflowVersion           string         `yaml:"mlflow_version" json:"mlflow_version"`
	ModelSizeBytes          int            `yaml:"model_size_bytes" json:"model_size_bytes"`
	ModelUUID               string         `yaml:"model_uuid" json:"model_uuid"`
	Prompts                 *string        `yaml:"prompts" json:"prompts"`
	RunID                   string         `yaml:"run_id" json:"run_id"`
	SavedInputExample       savedExample   `yaml:"saved_input_example_info" json:"saved_input_example_info"`
	Signature               signatureTexts `yaml:"signature" json:"signature"`
	TypeHintFromExample     bool           `yaml:"type_hint_from_example" json:"type_hint_from_example"`
	CreatedAt               string         `yaml:"utc_time_created" json:"utc_time_created"`
}

type flavors struct {
	PythonFunction pythonFunction `yaml:"python_function" json:"python_function"`
	Sklearn        sklearnFlavor  `yaml:"sklearn" json:"sklearn"`
}

type pythonFunction struct {
	// Env is text as in MLflow 1.x, whose tools take nothing else; 2.x and 3.x take it too.
	Env           string `yaml:"env" json:"env"`
	LoaderModule  string `yaml:"loader_module" json:"loader_module"`
	ModelPath     string `yaml:"model_path" json:"model_path"`
	PredictFn     string `yaml:"predict_fn" json:"predict_fn"`
	PythonVersion string `yaml:"python_version" json:"python_version"`
}

type sklearnFlavor struct {
	Code                *string `yaml:"code" json:"code"`
	PickledModel        string  `yaml:"pickled_model" json:"pickled_model"`
	SerializationFormat string  `yaml:"serialization_format" json:"serialization_format"`
	SklearnVersion      string  `yaml:"sklearn_version" json:"sklearn_version"`
}

type savedExample struct {
	ArtifactPath     string `yaml:"artifact_path" json:"artifact_path"`
	PandasOrient     string `yaml:"pandas_orient" json:"pandas_orient"`
	ServingInputPath string `yaml:"serving_input_path" json:"serving_input_path"`
	Type             string `yaml:"type" json:"type"`
}

// signatureTexts are JSON inside of YAML.
type signatureTexts struct {
	Inputs  string `yaml:"inputs" json:"inputs"`
	Outputs string `yaml:"outputs" json:"outputs"`
}

// dataframe is pandas' "split" form.
type dataframe struct {
	Columns []string `json:"columns"`
	Data    [][]any  `json:"data"`
}

type condaEnv struct {
	Channels     []string `yaml:"channels"`
	Dependencies []any    `yaml:"dependencies"`
	Name         string   `yaml:"name"`
}

type pythonEnv struct {
	Python            string   `yaml:"python"`
	BuildDependencies []string `yaml:"build_dependencies"`
	Dependencies      []string `yaml:"dependencies"`
}

// files lays the directory out as MLflow does. It returns the files by name and the one-entry value of the run's tag
// mlflow.log-model.history.
func (d *directory) files() (files map[string][]byte, history string, err error) {
	example := dataframe{}
	for _, in := range d.inputs {
		example.Columns = append(example.Columns, in.Name)
	}
	for _, row := range d.example {
		row = slices.Clone(row)
		for i, v := range row {
			if f, ok := v.(float64); ok {
				row[i] = registry.Float(f) // 34 must stay 34.0, or pandas reads integers
			}
		}
		example.Data = append(example.Data, row)
	}
	b := &builder{}
	files = map[string][]byte{
		"model.pkl":          d.pickle,
		"requirements.txt":   bytes.TrimSuffix(b.lines(requirements()), []byte("\n")),
		"input_example.json": b.json(example),
		"serving_input_example.json": b.indented(struct {
			Split dataframe `json:"dataframe_split"`
		}{example}),
		"python_env.yaml": b.yaml(pythonEnv{
			Python:            pythonVersion,
			BuildDependencies: []string{"pip==23.2.1", "setuptools==65.5.0", "wheel"},
			Dependencies:      []string{"-r requirements.txt"},
		}),
		"conda.yaml": b.yaml(condaEnv{
			Channels: []string{"conda-forge"},
			Dependencies: []any{
				"python=" + pythonVersion, "pip<=23.2.1", map[string][]string{"pip": requirements()},
			},
			Name: "mlflow-env",
		}),
	}
	info := modelInfo{
		ArtifactPath: artifactPath,
		Flavors: flavors{
			PythonFunction: pythonFunction{
				Env: "conda.yaml", LoaderModule: "mlflow.sklearn", ModelPath: "model.pkl", PredictFn: "predict",
				PythonVersion: pythonVersion,
			},
			Sklearn: sklearnFlavor{PickledModel: "model.pkl", SerializationFormat: "pickle", SklearnVersion: sklearnVersion},
		},
		MLflowVersion: mlflowVersion,
		ModelUUID:     d.uuid,
		RunID:         d.runID,
		SavedInputExample: savedExample{
			ArtifactPath: "input_example.json", PandasOrient: "split",
			ServingInputPath: "serving_input_example.json", Type: "dataframe",
		},
		Signature: signatureTexts{Inputs: string(b.json(d.inputs)), Outputs: string(b.json(d.outputs))},
		CreatedAt: createdAt,
	}
	for _, data := range files {
		info.ModelSizeBytes += len(data)
	}
	files["MLmodel"] = b.yaml(info)
	history = string(b.json([]modelInfo{info}))
	return files, history, b.err
}

// builder makes texts and keeps the first error.
type builder struct{ err error }

func (b *builder) keep(data []byte, err error) []byte {
	if err != nil && b.err == nil {
		b.err = fmt.Errorf("seed: model directory: %w", err)
	}
	return data
}

func (b *builder) lines(lines []string) []byte {
	var out bytes.Buffer
	for _, l := range lines {
		fmt.Fprintln(&out, l)
	}
	return out.Bytes()
}

func (b *builder) yaml(v any) []byte {
	var out bytes.Buffer
	e := yaml.NewEncoder(&out)
	e.SetIndent(2)
	b.keep(nil, e.Encode(v))
	b.keep(nil, e.Close())
	return out.Bytes()
}

// json writes as Python's json.dumps does, with a blank after each colon and comma.
func (b *builder) json(v any) []byte {
	tight := b.keep(json.Marshal(v))
	out := make([]byte, 0, len(tight)+len(tight)/4)
	inText := false
	for i := 0; i < len(tight); i++ {
		c := tight[i]
		out = append(out, c)
		switch {
		case inText && c == '\\':
			i++
			out = append(out, tight[i])
		case c == '"':
			inText = !inText
		case !inText && (c == ',' || c == ':'):
			out = append(out, ' ')
		}
	}
	return out
}

func (b *builder) indented(v any) []byte { return b.keep(json.MarshalIndent(v, "", "  ")) }
