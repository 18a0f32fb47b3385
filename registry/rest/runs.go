package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/prinzbox/prinzbox/registry"
)

// keyValue is a tag or param as requests carry it.
type keyValue struct {
	Key   string `json:"key" req:"true"`
	Value string `json:"value"`
}

// looseKeyValue is a tag or param whose key MLflow does not ask for: the store decides what an empty one means.
type looseKeyValue struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

func loosePairs(in []looseKeyValue) []registry.KeyValue {
	out := make([]registry.KeyValue, len(in))
	for i, p := range in {
		out[i] = registry.KeyValue(p)
	}
	return out
}

func pairs(in []keyValue) []registry.KeyValue {
	out := make([]registry.KeyValue, len(in))
	for i, p := range in {
		out[i] = registry.KeyValue(p)
	}
	return out
}

type runID struct {
	RunID string `json:"run_id" req:"true" alias:"run_uuid"`
}

type runResponse struct {
	Run registry.Run `json:"run"`
}

type createRunRequest struct {
	ExperimentID string          `json:"experiment_id"`
	UserID       string          `json:"user_id"`
	RunName      string          `json:"run_name"`
	StartTime    int64           `json:"start_time"`
	Tags         []looseKeyValue `json:"tags"`
}

func (a *API) createRun(ctx context.Context, r *createRunRequest) (runResponse, error) {
	run, err := a.CreateRun(ctx, registry.NewRun{
		ExperimentID: r.ExperimentID, UserID: r.UserID, Name: r.RunName, StartTime: r.StartTime, Tags: loosePairs(r.Tags),
	})
	return runResponse{run}, err
}

func (a *API) getRun(ctx context.Context, r *runID) (runResponse, error) {
	run, err := a.Run(ctx, r.RunID)
	return runResponse{run}, err
}

type updateRunRequest struct {
	RunID   string  `json:"run_id" req:"true" alias:"run_uuid"`
	Status  enum    `json:"status"`
	EndTime *int64  `json:"end_time"`
	RunName *string `json:"run_name"`
}

type updateRunResponse struct {
	RunInfo registry.RunInfo `json:"run_info"`
}

func (a *API) updateRun(ctx context.Context, r *updateRunRequest) (updateRunResponse, error) {
	u := registry.RunUpdate{EndTime: r.EndTime, Name: r.RunName}
	// An unknown status is the same as none (contract/behaviours.md, section 1).
	if status, ok := registry.ParseRunStatus(string(r.Status)); ok {
		u.Status = &status
	}
	info, err := a.UpdateRun(ctx, r.RunID, u)
	return updateRunResponse{info}, err
}

func (a *API) deleteRun(ctx context.Context, r *runID) error  { return a.DeleteRun(ctx, r.RunID) }
func (a *API) restoreRun(ctx context.Context, r *runID) error { return a.RestoreRun(ctx, r.RunID) }

type searchRunsRequest struct {
	ExperimentIDs []string `json:"experiment_ids"`
	Filter        string   `json:"filter"`
	RunViewType   enum     `json:"run_view_type"`
	MaxResults    *int     `json:"max_results"`
	OrderBy       []string `json:"order_by"`
	PageToken     string   `json:"page_token"`
}

type searchRunsResponse struct {
	Runs          []registry.Run `json:"runs,omitempty"`
	NextPageToken string         `json:"next_page_token,omitempty"`
}

// orDefault is *n, or the default when the request had none.
func orDefault(n *int, def int) int {
	if n == nil {
		return def
	}
	return *n
}

func (a *API) searchRuns(ctx context.Context, r *searchRunsRequest) (searchRunsResponse, error) {
	if err := atMost(r.MaxResults, registry.MaxPage, "int"); err != nil {
		return searchRunsResponse{}, err
	}
	page, err := a.SearchRuns(ctx, r.ExperimentIDs, registry.Query{
		Filter: r.Filter, OrderBy: r.OrderBy, MaxResults: orDefault(r.MaxResults, 1000), PageToken: r.PageToken,
		View: registry.ParseViewType(string(r.RunViewType)),
	})
	for i := range page.Items {
		page.Items[i].Inputs.ModelInputs = nil // as MLflow: runs/get alone shows them
	}
	return searchRunsResponse{page.Items, page.NextPageToken}, err
}

// metric is a point as requests carry it. Value and Timestamp are pointers because 0 counts as given.
type metric struct {
	Key           string   `json:"key" req:"true"`
	Value         *float64 `json:"value" req:"true"`
	Timestamp     *int64   `json:"timestamp" req:"true"`
	Step          int64    `json:"step"`
	ModelID       string   `json:"model_id"`
	DatasetName   string   `json:"dataset_name"`
	DatasetDigest string   `json:"dataset_digest"`
}

func (m metric) point() registry.Metric {
	return registry.Metric{
		Key: m.Key, Value: registry.Float(*m.Value), Timestamp: *m.Timestamp, Step: m.Step,
		ModelID: m.ModelID, DatasetName: m.DatasetName, DatasetDigest: m.DatasetDigest,
	}
}

type logMetricRequest struct {
	RunID         string   `json:"run_id" req:"true" alias:"run_uuid"`
	Key           string   `json:"key" req:"true"`
	Value         *float64 `json:"value" req:"true"`
	Timestamp     *int64   `json:"timestamp" req:"true"`
	Step          int64    `json:"step"`
	ModelID       string   `json:"model_id"`
	DatasetName   string   `json:"dataset_name"`
	DatasetDigest string   `json:"dataset_digest"`
}

func (a *API) logMetric(ctx context.Context, r *logMetricRequest) error {
	return a.LogMetric(ctx, r.RunID, metric{r.Key, r.Value, r.Timestamp, r.Step, r.ModelID, r.DatasetName, r.DatasetDigest}.point())
}

type runKeyValue struct {
	RunID string `json:"run_id" req:"true" alias:"run_uuid"`
	Key   string `json:"key" req:"true"`
	Value string `json:"value"`
}

func (a *API) logParameter(ctx context.Context, r *runKeyValue) error {
	return a.LogParam(ctx, r.RunID, registry.KeyValue{Key: r.Key, Value: r.Value})
}

func (a *API) setTag(ctx context.Context, r *runKeyValue) error {
	return a.SetTag(ctx, r.RunID, registry.KeyValue{Key: r.Key, Value: r.Value})
}

func (a *API) deleteTag(ctx context.Context, r *runKeyValue) error {
	return a.DeleteTag(ctx, r.RunID, r.Key)
}

type logBatchRequest struct {
	RunID   string     `json:"run_id" req:"true"`
	Metrics []metric   `json:"metrics"`
	Params  []keyValue `json:"params"`
	Tags    []keyValue `json:"tags"`
}

func (a *API) logBatch(ctx context.Context, r *logBatchRequest) error {
	if err := registry.ValidateRunID(r.RunID); err != nil {
		return err
	}
	b := registry.Batch{Metrics: make([]registry.Metric, len(r.Metrics)), Params: pairs(r.Params), Tags: pairs(r.Tags)}
	for i, m := range r.Metrics {
		b.Metrics[i] = m.point()
	}
	return a.LogBatch(ctx, r.RunID, b)
}

type logModelRequest struct {
	RunID     string `json:"run_id" req:"true"`
	ModelJSON string `json:"model_json" req:"true"`
}

// logModel appends to the tag mlflow.log-model.history, as 1.x and 2.x clients ask on each log_model.
func (a *API) logModel(ctx context.Context, r *logModelRequest) error {
	var m map[string]json.RawMessage
	if err := json.Unmarshal([]byte(r.ModelJSON), &m); err != nil {
		return registry.Invalidf("Malformed model info. \n %s \n is not a valid JSON.", r.ModelJSON)
	}
	var missing []string
	for _, f := range []string{"artifact_path", "flavors", "run_id", "utc_time_created"} {
		if _, ok := m[f]; !ok {
			missing = append(missing, f)
		}
	}
	if missing != nil {
		return registry.Invalidf("Model json is missing mandatory fields: {'%s'}", strings.Join(missing, "', '"))
	}
	flavors, err := withoutConfig(m["flavors"])
	if err != nil {
		return registry.Invalidf("Malformed model info. \n %s \n is not a valid JSON.", r.ModelJSON)
	}
	id, ok := m["model_uuid"]
	if !ok {
		id = json.RawMessage("null")
	}
	return a.AppendModelHistory(ctx, r.RunID, modelHistory(m["run_id"], m["artifact_path"], m["utc_time_created"], id, flavors))
}

// modelHistory is an entry of the tag mlflow.log-model.history, of JSON values. It is written as Python writes it, since the tag can be
// compared as text.
func modelHistory(run, path, created, id, flavors []byte) []byte {
	return fmt.Appendf(nil, `{"run_id": %s, "artifact_path": %s, "utc_time_created": %s, "model_uuid": %s, "flavors": %s}`, run, path, created, id, flavors)
}

// withoutConfig is an object of flavors without their members "config", in Python's spelling; all else keeps its order, as in MLflow.
func withoutConfig(flavors []byte) ([]byte, error) {
	var text bytes.Buffer
	in := jsontext.NewDecoder(bytes.NewReader(flavors), jsontext.AllowDuplicateNames(true))
	out := jsontext.NewEncoder(&text, jsontext.AllowDuplicateNames(true), jsontext.SpaceAfterColon(true), jsontext.SpaceAfterComma(true))
	err := copyObject(in, out, func(flavor string) error {
		if err := out.WriteToken(jsontext.String(flavor)); err != nil {
			return err
		}
		return copyObject(in, out, func(member string) error {
			value, err := in.ReadValue()
			if err != nil || member == "config" {
				return err
			}
			return errors.Join(out.WriteToken(jsontext.String(member)), out.WriteValue(value))
		})
	})
	return bytes.TrimSuffix(text.Bytes(), []byte("\n")), err
}

// copyObject copies the braces of an object; member is called behind each name.
func copyObject(in *jsontext.Decoder, out *jsontext.Encoder, member func(name string) error) error {
	if kind := in.PeekKind(); kind != '{' {
		return fmt.Errorf("it is %s, not an object", kind)
	}
	tok, err := in.ReadToken()
	for ; err == nil; tok, err = in.ReadToken() {
		if tok.Kind() == '"' {
			err = member(tok.String())
		} else if err = out.WriteToken(tok); tok.Kind() == '}' {
			return err
		}
		if err != nil {
			return err
		}
	}
	return err
}

type datasetInput struct {
	Tags    []looseKeyValue `json:"tags"`
	Dataset struct {
		Name       string  `json:"name"`
		Digest     string  `json:"digest"`
		SourceType string  `json:"source_type"`
		Source     string  `json:"source"`
		Schema     *string `json:"schema"`
		Profile    *string `json:"profile"`
	} `json:"dataset"`
}

type modelRef struct {
	ModelID string `json:"model_id" req:"true"`
	Step    int64  `json:"step"`
}

type logInputsRequest struct {
	RunID    string         `json:"run_id" req:"true"`
	Datasets []datasetInput `json:"datasets"`
	Models   []modelRef     `json:"models"`
}

func (a *API) logInputs(ctx context.Context, r *logInputsRequest) error {
	if err := registry.ValidateRunID(r.RunID); err != nil {
		return err
	}
	datasets := make([]registry.DatasetInput, len(r.Datasets))
	for i, d := range r.Datasets {
		datasets[i] = registry.DatasetInput{Tags: loosePairs(d.Tags), Dataset: registry.Dataset(d.Dataset)}
	}
	models := make([]registry.ModelInput, len(r.Models))
	for i, m := range r.Models {
		models[i] = registry.ModelInput{ModelID: m.ModelID}
	}
	return a.LogInputs(ctx, r.RunID, datasets, models)
}

type logOutputsRequest struct {
	RunID  string     `json:"run_id" req:"true"`
	Models []modelRef `json:"models" req:"true"`
}

func (a *API) logOutputs(ctx context.Context, r *logOutputsRequest) error {
	models := make([]registry.ModelOutput, len(r.Models))
	for i, m := range r.Models {
		models[i] = registry.ModelOutput(m)
	}
	return a.LogOutputs(ctx, r.RunID, models)
}

type metricHistoryRequest struct {
	RunID      string `json:"run_id" req:"true" alias:"run_uuid"`
	MetricKey  string `json:"metric_key" req:"true"`
	PageToken  string `json:"page_token"`
	MaxResults *int   `json:"max_results"`
}

type metricHistoryResponse struct {
	Metrics       []registry.Metric `json:"metrics,omitempty"`
	NextPageToken string            `json:"next_page_token,omitempty"`
}

func (a *API) metricHistory(ctx context.Context, r *metricHistoryRequest) (metricHistoryResponse, error) {
	limit := orDefault(r.MaxResults, 0)
	if r.MaxResults != nil && limit <= 0 {
		return metricHistoryResponse{}, registry.Invalidf("Invalid value %d for parameter 'max_results' supplied. It must be a positive integer.", limit)
	}
	page, err := a.MetricHistory(ctx, r.RunID, r.MetricKey, limit, r.PageToken)
	return metricHistoryResponse{page.Items, page.NextPageToken}, err
}

type listArtifactsRequest struct {
	RunID     string `json:"run_id" req:"true" alias:"run_uuid"`
	Path      string `json:"path"`
	PageToken string `json:"page_token"`
}

type filesResponse struct {
	RootURI string `json:"root_uri"`
	Files   []File `json:"files,omitempty"`
}

func (a *API) listArtifacts(ctx context.Context, r *listArtifactsRequest) (filesResponse, error) {
	path, err := a.cfg.Artifacts.CleanPath(r.Path)
	if err != nil {
		return filesResponse{}, err
	}
	run, err := a.Run(ctx, r.RunID)
	if err != nil {
		return filesResponse{}, err
	}
	return a.filesBelow(ctx, run.Info.ArtifactURI, path, r.Path)
}

// filesBelow lists a path of a run, and gives the paths as MLflow does: behind the path as it was asked for, even where that is not clean.
func (a *API) filesBelow(ctx context.Context, location, path, asked string) (filesResponse, error) {
	resp, err := a.files(ctx, location, path)
	if asked != path && asked != "" {
		if !strings.HasSuffix(asked, "/") {
			asked += "/"
		}
		for i, f := range resp.Files {
			resp.Files[i].Path = asked + strings.TrimPrefix(strings.TrimPrefix(f.Path, path), "/")
		}
	}
	return resp, err
}

func (a *API) files(ctx context.Context, location, path string) (filesResponse, error) {
	files, err := a.cfg.Artifacts.List(ctx, location, path)
	var user *registry.Error
	if err != nil && !errors.As(err, &user) && ctx.Err() == nil {
		a.cfg.Log.Warn("listing artifacts", "location", location, "error", err)
	}
	return filesResponse{location, slices.Clip(files)}, err
}
