package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/go-json-experiment/json/jsontext"
	"go.yaml.in/yaml/v3"

	"github.com/prinzbox/prinzbox/registry"
)

// anyText is a value of any JSON type as Python's str gives it.
type anyText string

// UnmarshalJSON implements json.Unmarshaler.
func (t *anyText) UnmarshalJSON(b []byte) error {
	switch string(b) {
	case "true":
		*t = "True"
	case "false":
		*t = "False"
	case "null":
		*t = "None"
	default:
		if b[0] != '"' {
			*t = anyText(b)
			return nil
		}
		return json.Unmarshal(b, (*string)(t))
	}
	return nil
}

type labParam struct {
	Key   string  `json:"key"`
	Value anyText `json:"value"`
}

type promptLabRequest struct {
	ExperimentID     string              `json:"experiment_id"`
	RunName          string              `json:"run_name"`
	Tags             []registry.KeyValue `json:"tags"`
	Template         string              `json:"prompt_template"`
	PromptParams     []labParam          `json:"prompt_parameters"`
	ModelRoute       string              `json:"model_route"`
	ModelParams      []labParam          `json:"model_parameters"`
	ModelInput       string              `json:"model_input"`
	ModelOutput      json.RawMessage     `json:"model_output"`
	ModelOutputParam []labParam          `json:"model_output_parameters"`
	Version          string              `json:"mlflow_version"`
	UserID           *string             `json:"user_id"`
	StartTime        *int64              `json:"start_time"`
}

func (r *promptLabRequest) check() error {
	for _, f := range []struct {
		name  string
		given bool
	}{
		{"experiment_id", r.ExperimentID != ""},
		{"prompt_template", r.Template != ""},
		{"prompt_parameters", len(r.PromptParams) > 0},
		{"model_route", r.ModelRoute != ""},
		{"model_input", r.ModelInput != ""},
		{"mlflow_version", r.Version != ""},
	} {
		if !f.given {
			return registry.Invalidf("CreatePromptlabRun request must specify %s.", f.name)
		}
	}
	for _, list := range [][]labParam{r.PromptParams, r.ModelParams, r.ModelOutputParam} {
		if slices.ContainsFunc(list, func(p labParam) bool { return p.Key == "" }) {
			return registry.Invalidf("CreatePromptlabRun request: every parameter needs a key.")
		}
	}
	return nil
}

// createPromptLabRun records what a user tried in the UI's prompt lab as a run, with its table of answers and a model directory that calls the
// same route (contract/endpoints.md, section 9).
func (a *API) createPromptLabRun(c *gin.Context, _ bool) {
	run, err := a.promptLabRun(c.Request)
	if err != nil {
		a.fail(c, err)
		return
	}
	writeJSON(c.Writer, http.StatusOK, runResponse{run})
}

func (a *API) promptLabRun(r *http.Request) (registry.Run, error) {
	if err := checkContentType(r, 1); err != nil {
		return registry.Run{}, err
	}
	body, err := readBody(r, a.cfg.MaxBody)
	if err != nil {
		return registry.Run{}, err
	}
	var req promptLabRequest
	if err := json.Unmarshal(body, &req); err != nil {
		return registry.Run{}, registry.Invalidf("The request body is not as the prompt lab sends it: %v", err)
	}
	if err := req.check(); err != nil {
		return registry.Run{}, err
	}
	if err := a.permitted(r.Context(), "POST 2.0 /mlflow/runs/create-promptlab-run", &req); err != nil {
		return registry.Run{}, err
	}
	user, now := "unknown", time.Now()
	if req.UserID != nil {
		user = *req.UserID
	}
	start := now.UnixMilli()
	if req.StartTime != nil {
		start = *req.StartTime
	}
	ctx := r.Context()
	run, err := a.CreateRun(ctx, registry.NewRun{ExperimentID: req.ExperimentID, UserID: user, Name: req.RunName, StartTime: start, Tags: req.Tags})
	if err != nil {
		return run, err
	}
	status, _ := registry.ParseRunStatus("FINISHED")
	if err := a.fillPromptLabRun(ctx, run.Info, &req, now); err != nil {
		// As MLflow does: what went wrong afterwards shows in the run's state.
		a.cfg.Log.Warn("prompt lab run", "run", run.Info.RunID, "error", err)
		status, _ = registry.ParseRunStatus("FAILED")
	}
	end := time.Now().UnixMilli()
	if _, err := a.UpdateRun(ctx, run.Info.RunID, registry.RunUpdate{Status: &status, EndTime: &end}); err != nil {
		return run, err
	}
	return a.Run(ctx, run.Info.RunID)
}

func (a *API) fillPromptLabRun(ctx context.Context, info registry.RunInfo, req *promptLabRequest, now time.Time) error {
	batch := registry.Batch{Tags: []registry.KeyValue{
		{Key: "mlflow.loggedArtifacts", Value: `[{"path": "eval_results_table.json", "type": "table"}]`},
		{Key: "mlflow.runSourceType", Value: "PROMPT_ENGINEERING"},
	}}
	for _, p := range req.ModelParams {
		batch.Params = append(batch.Params, registry.KeyValue{Key: p.Key, Value: string(p.Value)})
	}
	batch.Params = append(batch.Params, registry.KeyValue{Key: "model_route", Value: req.ModelRoute}, registry.KeyValue{Key: "prompt_template", Value: req.Template})
	if err := a.LogBatch(ctx, info.RunID, batch); err != nil {
		return err
	}
	model := labModel{id: strings.ReplaceAll(info.RunID, "-", ""), run: info.RunID, version: a.cfg.Version, created: now.UTC().Format("2006-01-02 15:04:05.000000")}
	quote := func(text string) []byte { return strconv.AppendQuote(nil, text) } // they are of letters, digits, blanks, "-", ":" and "."
	entry := modelHistory(quote(model.run), quote("model"), quote(model.created), quote(model.id), []byte("{}"))
	if err := a.AppendModelHistory(ctx, info.RunID, entry); err != nil {
		return err
	}
	files, err := model.files(req)
	if err != nil {
		return err
	}
	for _, f := range files {
		if err := a.cfg.Artifacts.Put(ctx, info.ArtifactURI, f.path, bytes.NewReader(f.data), int64(len(f.data))); err != nil {
			return err
		}
	}
	return nil
}

// labModel is a model directory that asks a route of a gateway.
type labModel struct{ id, run, version, created string }

type labFile struct {
	path string
	data []byte
}

// labPython is a Python that MLflow 3.17.2 runs on: the environment files must name one, and there is none here.
const labPython = "3.11.7"

// files are those that mlflow.prompt.promptlab_model of 3.17.2 writes and loads.
func (m labModel) files(req *promptLabRequest) (files []labFile, err error) {
	type column struct {
		Type     string `json:"type"`
		Name     string `json:"name"`
		Required bool   `json:"required"`
	}
	inputs, values := make([]column, len(req.PromptParams)), make([]string, len(req.PromptParams))
	names, row := make([]any, 0, len(req.PromptParams)+3), make([]any, 0, len(req.PromptParams)+3)
	for i, p := range req.PromptParams {
		inputs[i], values[i] = column{"string", p.Key, true}, string(p.Value)
		names, row = append(names, p.Key), append(row, p.Value)
	}
	output := req.ModelOutput
	if len(output) == 0 {
		output = json.RawMessage("null")
	}
	names, row = append(names, "prompt", "output"), append(row, req.ModelInput, output)
	for _, p := range req.ModelOutputParam {
		names, row = append(names, p.Key), append(row, p.Value)
	}
	texts := func(params []labParam) map[string]string {
		out := map[string]string{}
		for _, p := range params {
			out[p.Key] = string(p.Value)
		}
		return out
	}
	add := func(name string, data []byte, e error) {
		files = append(files, labFile{name, data})
		if err == nil {
			err = e
		}
	}
	asJSON := func(v any) string {
		b, e := plainJSON(v)
		if err == nil {
			err = e
		}
		return string(b)
	}
	table := jsontext.Value(asJSON(map[string]any{"columns": names, "data": []any{row}}))
	_ = table.Format(jsontext.SpaceAfterColon(true), jsontext.SpaceAfterComma(true)) // it is JSON: it was just made
	add("eval_results_table.json", table, nil)
	example := asJSON(map[string]any{"inputs": values})
	add("model/input_example.json", []byte(example), nil)
	add("model/serving_input_example.json", []byte(asJSON(map[string]any{"inputs": map[string]any{"inputs": values}})), nil)
	requirement := "mlflow[gateway]==" + m.version
	add("model/requirements.txt", []byte(requirement), nil)
	conda, e := yaml.Marshal(map[string]any{
		"channels": []string{"conda-forge"}, "name": "mlflow-env", "dependencies": []any{"python=" + labPython, "pip", map[string]any{"pip": []string{requirement}}},
	})
	add("model/conda.yaml", conda, e)
	python, e := yaml.Marshal(map[string]any{
		"python": labPython, "build_dependencies": []string{"pip", "setuptools", "wheel"}, "dependencies": []string{"-r requirements.txt"},
	})
	add("model/python_env.yaml", python, e)
	parameters, e := yaml.Marshal(map[string]any{
		"model_parameters": texts(req.ModelParams), "model_route": req.ModelRoute, "prompt_parameters": texts(req.PromptParams), "prompt_template": req.Template,
	})
	add("model/parameters.yaml", parameters, e)
	doc, e := yaml.Marshal(map[string]any{
		"artifact_path": "model",
		"flavors": map[string]any{"python_function": map[string]any{
			"env":           map[string]any{"conda": "conda.yaml", "virtualenv": "python_env.yaml"},
			"loader_module": "mlflow.prompt.promptlab_model", "parameters_path": "parameters.yaml", "python_version": labPython,
		}},
		"is_signature_from_type_hint": false, "mlflow_version": m.version, "model_id": nil, "model_uuid": m.id, "prompts": nil, "run_id": m.run,
		"saved_input_example_info": map[string]any{"artifact_path": "input_example.json", "serving_input_path": "serving_input_example.json", "type": "json_object"},
		"signature":                map[string]any{"inputs": asJSON(inputs), "outputs": asJSON([]column{{"string", "output", true}}), "params": nil},
		"type_hint_from_example":   false, "utc_time_created": m.created,
	})
	add("model/MLmodel", doc, e)
	return files, err
}

// plainJSON is JSON with <, > and & as themselves.
func plainJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimRight(b.Bytes(), "\n"), err
}
