package rest

import (
	"context"

	"github.com/prinzbox/prinzbox/registry"
)

type createExperimentRequest struct {
	Name             string          `json:"name" req:"true"`
	ArtifactLocation string          `json:"artifact_location"`
	Tags             []looseKeyValue `json:"tags"`
}

type experimentID struct {
	ExperimentID string `json:"experiment_id" req:"true"`
}

type experimentIDResponse struct {
	ExperimentID string `json:"experiment_id"`
}

func (a *API) createExperiment(ctx context.Context, r *createExperimentRequest) (experimentIDResponse, error) {
	id, err := a.CreateExperiment(ctx, registry.NewExperiment{Name: r.Name, ArtifactLocation: r.ArtifactLocation, Tags: loosePairs(r.Tags)})
	return experimentIDResponse{id}, err
}

type experimentResponse struct {
	Experiment registry.Experiment `json:"experiment"`
}

func (a *API) getExperiment(ctx context.Context, r *experimentID) (experimentResponse, error) {
	e, err := a.Experiment(ctx, r.ExperimentID)
	return experimentResponse{e}, err
}

func (a *API) getExperimentByName(ctx context.Context, r *struct {
	Name string `json:"experiment_name" req:"true"`
},
) (experimentResponse, error) {
	e, err := a.ExperimentByName(ctx, r.Name)
	return experimentResponse{e}, err
}

type searchExperimentsRequest struct {
	MaxResults int      `json:"max_results"`
	PageToken  string   `json:"page_token"`
	Filter     string   `json:"filter"`
	OrderBy    []string `json:"order_by"`
	ViewType   enum     `json:"view_type"`
}

type experimentsResponse struct {
	Experiments   []registry.Experiment `json:"experiments,omitempty"`
	NextPageToken string                `json:"next_page_token,omitempty"`
}

func (a *API) searchExperiments(ctx context.Context, r *searchExperimentsRequest) (experimentsResponse, error) {
	page, err := a.SearchExperiments(ctx, registry.Query{
		Filter: r.Filter, OrderBy: r.OrderBy, MaxResults: r.MaxResults, PageToken: r.PageToken, View: registry.ParseViewType(string(r.ViewType)),
	})
	return experimentsResponse{page.Items, page.NextPageToken}, err
}

// listExperiments is the 1.x call: ordered by id, all of them unless max_results says otherwise.
func (a *API) listExperiments(ctx context.Context, r *searchExperimentsRequest) (experimentsResponse, error) {
	if r.MaxResults == 0 {
		r.MaxResults = registry.MaxPage
	}
	r.Filter, r.OrderBy = "", []string{"experiment_id ASC"}
	return a.searchExperiments(ctx, r)
}

type updateExperimentRequest struct {
	ExperimentID string `json:"experiment_id" req:"true"`
	NewName      string `json:"new_name" req:"true"`
}

func (a *API) updateExperiment(ctx context.Context, r *updateExperimentRequest) error {
	return a.RenameExperiment(ctx, r.ExperimentID, r.NewName)
}

func (a *API) deleteExperiment(ctx context.Context, r *experimentID) error {
	return a.DeleteExperiment(ctx, r.ExperimentID)
}

func (a *API) restoreExperiment(ctx context.Context, r *experimentID) error {
	return a.RestoreExperiment(ctx, r.ExperimentID)
}

type experimentTag struct {
	ExperimentID string `json:"experiment_id" req:"true"`
	Key          string `json:"key" req:"true"`
	Value        string `json:"value"`
}

func (a *API) setExperimentTag(ctx context.Context, r *experimentTag) error {
	return a.SetExperimentTag(ctx, r.ExperimentID, registry.KeyValue{Key: r.Key, Value: r.Value})
}

func (a *API) deleteExperimentTag(ctx context.Context, r *experimentTag) error {
	return a.DeleteExperimentTag(ctx, r.ExperimentID, r.Key)
}
