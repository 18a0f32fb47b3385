package rest

import (
	"context"

	"github.com/prinzbox/prinzbox/registry"
)

type datasetResponse struct {
	Dataset registry.EvaluationDataset `json:"dataset"`
}

type createDatasetRequest struct {
	Name          string   `json:"name" req:"true"`
	ExperimentIDs []string `json:"experiment_ids"`
	Tags          string   `json:"tags"`
}

func (a *API) createEvaluationDataset(ctx context.Context, r *createDatasetRequest) (datasetResponse, error) {
	d, err := a.CreateEvaluationDataset(ctx, registry.NewEvaluationDataset{Name: r.Name, Tags: r.Tags, ExperimentIDs: r.ExperimentIDs})
	return datasetResponse{d}, err
}

type datasetID struct {
	ID string `path:"p1"`
}

func (a *API) getEvaluationDataset(ctx context.Context, r *datasetID) (datasetResponse, error) {
	d, err := a.EvaluationDataset(ctx, r.ID)
	return datasetResponse{d}, err
}

func (a *API) deleteEvaluationDataset(ctx context.Context, r *datasetID) error {
	return a.DeleteEvaluationDataset(ctx, r.ID)
}

type searchEvaluationDatasetsRequest struct {
	ExperimentIDs []string `json:"experiment_ids"`
	Filter        string   `json:"filter_string"`
	MaxResults    *int     `json:"max_results"`
	OrderBy       []string `json:"order_by"`
	PageToken     string   `json:"page_token"`
}

type datasetsResponse struct {
	Datasets      []registry.EvaluationDataset `json:"datasets,omitempty"`
	NextPageToken string                       `json:"next_page_token,omitempty"`
}

func (a *API) searchEvaluationDatasets(ctx context.Context, r *searchEvaluationDatasetsRequest) (datasetsResponse, error) {
	page, err := a.SearchEvaluationDatasets(ctx, r.ExperimentIDs, registry.Query{
		Filter: r.Filter, OrderBy: r.OrderBy, MaxResults: orDefault(r.MaxResults, 1000), PageToken: r.PageToken,
	})
	return datasetsResponse{page.Items, page.NextPageToken}, err
}

type datasetTagsRequest struct {
	ID   string `path:"p1"`
	Tags string `json:"tags" req:"true"`
}

func (a *API) setEvaluationDatasetTags(ctx context.Context, r *datasetTagsRequest) error {
	return a.SetEvaluationDatasetTags(ctx, r.ID, r.Tags)
}

type datasetTag struct {
	ID  string `path:"p1"`
	Key string `path:"p2"`
}

func (a *API) deleteEvaluationDatasetTag(ctx context.Context, r *datasetTag) error {
	return a.DeleteEvaluationDatasetTag(ctx, r.ID, r.Key)
}

type upsertRecordsRequest struct {
	ID      string `path:"p1"`
	Records string `json:"records" req:"true"`
}

type upsertRecordsResponse struct {
	Inserted int `json:"inserted_count"`
	Updated  int `json:"updated_count"`
}

func (a *API) upsertRecords(ctx context.Context, r *upsertRecordsRequest) (upsertRecordsResponse, error) {
	inserted, updated, err := a.UpsertRecords(ctx, r.ID, r.Records)
	return upsertRecordsResponse{inserted, updated}, err
}

type recordsRequest struct {
	ID         string `path:"p1"`
	MaxResults int    `json:"max_results"`
	PageToken  string `json:"page_token"`
}

type recordsResponse struct {
	Records       string `json:"records"`
	NextPageToken string `json:"next_page_token,omitempty"`
}

func (a *API) getRecords(ctx context.Context, r *recordsRequest) (recordsResponse, error) {
	records, next, err := a.Records(ctx, r.ID, r.MaxResults, r.PageToken)
	return recordsResponse{records, next}, err
}

type deleteRecordsRequest struct {
	ID        string   `path:"p1"`
	RecordIDs []string `json:"dataset_record_ids"`
}

type deletedResponse struct {
	Deleted int `json:"deleted_count"`
}

func (a *API) deleteRecords(ctx context.Context, r *deleteRecordsRequest) (deletedResponse, error) {
	n, err := a.DeleteRecords(ctx, r.ID, r.RecordIDs)
	return deletedResponse{n}, err
}

type experimentIDsResponse struct {
	ExperimentIDs []string `json:"experiment_ids,omitempty"`
}

func (a *API) getDatasetExperiments(ctx context.Context, r *datasetID) (experimentIDsResponse, error) {
	ids, err := a.EvaluationDatasetExperiments(ctx, r.ID)
	return experimentIDsResponse{ids}, err
}

type datasetExperimentsRequest struct {
	ID            string   `path:"p1"`
	ExperimentIDs []string `json:"experiment_ids"`
}

func (a *API) addDatasetExperiments(ctx context.Context, r *datasetExperimentsRequest) (datasetResponse, error) {
	d, err := a.AddDatasetToExperiments(ctx, r.ID, r.ExperimentIDs)
	return datasetResponse{d}, err
}

func (a *API) removeDatasetExperiments(ctx context.Context, r *datasetExperimentsRequest) (datasetResponse, error) {
	d, err := a.RemoveDatasetFromExperiments(ctx, r.ID, r.ExperimentIDs)
	return datasetResponse{d}, err
}
