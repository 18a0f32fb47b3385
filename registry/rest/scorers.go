package rest

import (
	"context"
	"strconv"

	"github.com/prinzbox/prinzbox/registry"
)

type registerScorerRequest struct {
	ExperimentID string `json:"experiment_id" req:"true"`
	Name         string `json:"name" req:"true"`
	Serialized   string `json:"serialized_scorer" req:"true"`
}

// registerScorerResponse has names and types of its own; here the experiment id is a text.
type registerScorerResponse struct {
	Version      int64  `json:"version"`
	ID           string `json:"scorer_id"`
	ExperimentID string `json:"experiment_id"`
	Name         string `json:"name"`
	Serialized   string `json:"serialized_scorer"`
	Created      int64  `json:"creation_time"`
}

func (a *API) registerScorer(ctx context.Context, r *registerScorerRequest) (registerScorerResponse, error) {
	c, err := a.RegisterScorer(ctx, r.ExperimentID, r.Name, r.Serialized)
	return registerScorerResponse{c.Version, c.ID, strconv.FormatInt(c.ExperimentID, 10), c.Name, c.Serialized, c.Created}, err
}

type listScorersRequest struct {
	ExperimentID  string    `json:"experiment_id"`
	ExperimentIDs *[]string `json:"experiment_ids"`
}

type scorersResponse struct {
	Scorers []registry.Scorer `json:"scorers,omitempty"`
}

func (a *API) listScorers(ctx context.Context, r *listScorersRequest) (resp scorersResponse, err error) {
	switch {
	case r.ExperimentID != "" && r.ExperimentIDs != nil:
		err = registry.Invalidf("Cannot specify both 'experiment_id' and 'experiment_ids'. Use 'experiment_ids' to scope the query to multiple experiments, or 'experiment_id' to scope it to a single experiment.")
	case r.ExperimentID != "":
		resp.Scorers, err = a.Scorers(ctx, r.ExperimentID)
	case r.ExperimentIDs != nil:
		resp.Scorers, err = a.ScorersOf(ctx, *r.ExperimentIDs)
	default:
		resp.Scorers, err = a.ScorersOf(ctx, nil)
	}
	return resp, err
}

type scorerName struct {
	ExperimentID string `json:"experiment_id" req:"true"`
	Name         string `json:"name" req:"true"`
}

func (a *API) listScorerVersions(ctx context.Context, r *scorerName) (scorersResponse, error) {
	list, err := a.ScorerVersions(ctx, r.ExperimentID, r.Name)
	return scorersResponse{list}, err
}

type scorerVersion struct {
	ExperimentID string `json:"experiment_id" req:"true"`
	Name         string `json:"name" req:"true"`
	Version      *int64 `json:"version"`
}

type scorerResponse struct {
	Scorer registry.Scorer `json:"scorer"`
}

func (a *API) getScorer(ctx context.Context, r *scorerVersion) (scorerResponse, error) {
	c, err := a.Scorer(ctx, r.ExperimentID, r.Name, r.Version)
	return scorerResponse{c}, err
}

func (a *API) deleteScorer(ctx context.Context, r *scorerVersion) error {
	return a.DeleteScorer(ctx, r.ExperimentID, r.Name, r.Version)
}
