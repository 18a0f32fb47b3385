package rest

import (
	"context"

	"github.com/prinzbox/prinzbox/registry"
)

// These calls feed the charts and tables of MLflow's own UI.

type bulkHistoryRequest struct {
	RunIDs     []string `json:"run_id"`
	MetricKey  string   `json:"metric_key"`
	MaxResults *int     `json:"max_results"`
}

// bulkMetric is a point as the bulk calls write it. NaN is the text "NaN": MLflow's bare token is no JSON.
type bulkMetric struct {
	Key       string         `json:"key"`
	Value     registry.Float `json:"value"`
	Timestamp int64          `json:"timestamp"`
	Step      int64          `json:"step"`
	RunID     string         `json:"run_id"`
}

// bulkHistoryResponse keeps its list even when empty, unlike other answers (contract/asserted.md, section 16).
type bulkHistoryResponse struct {
	Metrics []bulkMetric `json:"metrics"`
}

func bulkMetrics(points []registry.Metric) bulkHistoryResponse {
	out := bulkHistoryResponse{Metrics: make([]bulkMetric, len(points))}
	for i, m := range points {
		out.Metrics[i] = bulkMetric{m.Key, m.Value, m.Timestamp, m.Step, m.RunID}
	}
	return out
}

func (a *API) bulkMetricHistory(ctx context.Context, r *bulkHistoryRequest) (bulkHistoryResponse, error) {
	points, err := a.BulkMetricHistory(ctx, r.RunIDs, r.MetricKey, orDefault(r.MaxResults, registry.MaxBulkPoints))
	return bulkMetrics(points), err
}

type sampledHistoryRequest struct {
	RunIDs     []string `json:"run_ids" req:"true"`
	MetricKey  string   `json:"metric_key" req:"true"`
	StartStep  *int64   `json:"start_step"`
	EndStep    *int64   `json:"end_step"`
	MaxResults *int     `json:"max_results"`
}

type sampledHistoryResponse struct {
	Metrics []bulkMetric `json:"metrics,omitempty"`
}

func (a *API) sampledMetricHistory(ctx context.Context, r *sampledHistoryRequest) (sampledHistoryResponse, error) {
	var steps *registry.Steps
	if r.StartStep != nil && r.EndStep != nil {
		steps = &registry.Steps{Start: *r.StartStep, End: *r.EndStep}
	} else if r.StartStep != nil || r.EndStep != nil {
		return sampledHistoryResponse{}, registry.Invalidf("If either start step or end step are specified, both must be specified.")
	}
	points, err := a.SampledMetricHistory(ctx, r.RunIDs, r.MetricKey, steps, orDefault(r.MaxResults, registry.MaxBulkPerRun))
	return sampledHistoryResponse(bulkMetrics(points)), err
}

type searchDatasetsRequest struct {
	ExperimentIDs []string `json:"experiment_ids"`
}

type searchDatasetsResponse struct {
	Summaries []registry.DatasetSummary `json:"dataset_summaries,omitempty"`
}

func (a *API) searchDatasets(ctx context.Context, r *searchDatasetsRequest) (searchDatasetsResponse, error) {
	summaries, err := a.SearchDatasets(ctx, r.ExperimentIDs)
	return searchDatasetsResponse{summaries}, err
}
