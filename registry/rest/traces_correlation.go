package rest

import (
	"context"

	"github.com/prinzbox/prinzbox/registry"
)

type correlationRequest struct {
	ExperimentIDs *[]string `json:"experiment_ids" req:"true"`
	Filter1       string    `json:"filter_string1" req:"true"`
	Filter2       string    `json:"filter_string2" req:"true"`
	Base          string    `json:"base_filter"`
}

func (a *API) correlateTraces(ctx context.Context, r *correlationRequest) (registry.Correlation, error) {
	return a.CorrelateTraces(ctx, *r.ExperimentIDs, r.Filter1, r.Filter2, r.Base)
}
