package rest

import (
	"context"
	"strings"

	"github.com/prinzbox/prinzbox/registry"
)

type loggedModelResponse struct {
	Model registry.LoggedModel `json:"model"`
}

type createLoggedModelRequest struct {
	ExperimentID string          `json:"experiment_id" req:"true"`
	Name         string          `json:"name"`
	ModelType    string          `json:"model_type"`
	SourceRunID  string          `json:"source_run_id"`
	Params       []looseKeyValue `json:"params"`
	Tags         []looseKeyValue `json:"tags"`
}

func (a *API) createLoggedModel(ctx context.Context, r *createLoggedModelRequest) (loggedModelResponse, error) {
	m, err := a.CreateLoggedModel(ctx, registry.NewLoggedModel{
		ExperimentID: r.ExperimentID, Name: r.Name, ModelType: r.ModelType, SourceRunID: r.SourceRunID, Params: loosePairs(r.Params), Tags: loosePairs(r.Tags),
	})
	return loggedModelResponse{m}, err
}

type getLoggedModelRequest struct {
	ModelID      string `path:"p1"`
	AllowDeleted string `json:"allow_deleted"` // not of the protocol: anything but "true" is false
}

func (a *API) getLoggedModel(ctx context.Context, r *getLoggedModelRequest) (loggedModelResponse, error) {
	m, err := a.LoggedModel(ctx, r.ModelID, strings.EqualFold(r.AllowDeleted, "true"))
	return loggedModelResponse{m}, err
}

type finalizeLoggedModelRequest struct {
	ModelID string `json:"model_id" req:"true"`
	Status  enum   `json:"status" req:"true"`
}

func (a *API) finalizeLoggedModel(ctx context.Context, r *finalizeLoggedModelRequest) (loggedModelResponse, error) {
	status, ok := registry.ParseLoggedModelStatus(string(r.Status))
	if !ok {
		return loggedModelResponse{}, missingValue("status") // an unknown name counts as absent
	}
	m, err := a.FinalizeLoggedModel(ctx, r.ModelID, status)
	return loggedModelResponse{m}, err
}

type loggedModelID struct {
	ModelID string `path:"p1"`
}

func (a *API) deleteLoggedModel(ctx context.Context, r *loggedModelID) error {
	return a.DeleteLoggedModel(ctx, r.ModelID)
}

type searchLoggedModelsRequest struct {
	ExperimentIDs []string `json:"experiment_ids" req:"true"`
	Filter        string   `json:"filter"`
	Datasets      []struct {
		Name   string `json:"dataset_name"`
		Digest string `json:"dataset_digest"`
	} `json:"datasets"`
	MaxResults *int `json:"max_results"`
	OrderBy    []struct {
		FieldName     string `json:"field_name"`
		Ascending     *bool  `json:"ascending"`
		DatasetName   string `json:"dataset_name"`
		DatasetDigest string `json:"dataset_digest"`
	} `json:"order_by"`
	PageToken string `json:"page_token"`
}

type loggedModelsResponse struct {
	Models        []registry.LoggedModel `json:"models,omitempty"`
	NextPageToken string                 `json:"next_page_token,omitempty"`
}

func (a *API) searchLoggedModels(ctx context.Context, r *searchLoggedModelsRequest) (loggedModelsResponse, error) {
	q := registry.LoggedModelQuery{
		ExperimentIDs: r.ExperimentIDs, Filter: r.Filter, MaxResults: orDefault(r.MaxResults, 50), PageToken: r.PageToken,
	}
	for _, o := range r.OrderBy {
		q.OrderBy = append(q.OrderBy, registry.LoggedModelOrder(o))
	}
	for _, d := range r.Datasets {
		q.Datasets = append(q.Datasets, registry.DatasetFilter(d))
	}
	page, err := a.SearchLoggedModels(ctx, q)
	return loggedModelsResponse{page.Items, page.NextPageToken}, err
}

type loggedModelTagsRequest struct {
	ModelID string          `path:"p1"`
	Tags    []looseKeyValue `json:"tags"`
}

func (a *API) setLoggedModelTags(ctx context.Context, r *loggedModelTagsRequest) error {
	return a.SetLoggedModelTags(ctx, r.ModelID, loosePairs(r.Tags))
}

type loggedModelTag struct {
	ModelID string `path:"p1"`
	Key     string `path:"p2"`
}

func (a *API) deleteLoggedModelTag(ctx context.Context, r *loggedModelTag) error {
	return a.DeleteLoggedModelTag(ctx, r.ModelID, r.Key)
}

type loggedModelParamsRequest struct {
	ModelID string          `json:"model_id" req:"true"`
	Params  []looseKeyValue `json:"params"`
}

func (a *API) logLoggedModelParams(ctx context.Context, r *loggedModelParamsRequest) error {
	return a.LogLoggedModelParams(ctx, r.ModelID, loosePairs(r.Params))
}

type loggedModelArtifactsRequest struct {
	ModelID string `path:"p1"`
	Path    string `json:"artifact_directory_path"`
}

func (a *API) listLoggedModelArtifacts(ctx context.Context, r *loggedModelArtifactsRequest) (filesResponse, error) {
	path, err := a.cfg.Artifacts.CleanPath(r.Path)
	if err != nil {
		return filesResponse{}, err
	}
	m, err := a.LoggedModel(ctx, r.ModelID, false)
	if err != nil {
		return filesResponse{}, err
	}
	return a.files(ctx, m.Info.ArtifactURI, path)
}
