package rest

import (
	"context"
	"strconv"

	"github.com/prinzbox/prinzbox/registry"
)

// traceMetricsRequest: experiment ids, view, metric and aggregations are required; a data point per time bucket and dimensions comes back.
type traceMetricsRequest struct {
	ExperimentIDs []string `json:"experiment_ids" req:"true"`
	ViewType      enum     `json:"view_type" req:"true"`
	Metric        string   `json:"metric_name" req:"true"`
	Aggregations  []struct {
		Type       enum     `json:"aggregation_type"`
		Percentile *float64 `json:"percentile_value"`
	} `json:"aggregations" req:"true"`
	Dimensions []string `json:"dimensions"`
	Filters    []string `json:"filters"`
	Interval   int64    `json:"time_interval_seconds"`
	Start      *int64   `json:"start_time_ms"`
	End        *int64   `json:"end_time_ms"`
	MaxResults *int     `json:"max_results"`
}

type traceMetricsResponse struct {
	Points []registry.MetricDataPoint `json:"data_points,omitempty"`
}

// enumName is an enumeration's name, of its name or its number, which begin at 1; an unknown one is the first, as protocol buffers have it.
func enumName(e enum, names ...string) string {
	for i, name := range names {
		if string(e) == name || string(e) == strconv.Itoa(i+1) {
			return name
		}
	}
	return names[0]
}

func (a *API) traceMetrics(ctx context.Context, r *traceMetricsRequest) (traceMetricsResponse, error) {
	q := registry.TraceMetricsQuery{
		ExperimentIDs: r.ExperimentIDs, View: enumName(r.ViewType, "TRACES", "SPANS", "ASSESSMENTS"), Metric: r.Metric, Dimensions: r.Dimensions,
		Filters: r.Filters, Interval: r.Interval, Start: r.Start, End: r.End, Max: orDefault(r.MaxResults, 1000),
	}
	for _, agg := range r.Aggregations {
		q.Aggregations = append(q.Aggregations, registry.MetricAggregation{
			Type: enumName(agg.Type, "COUNT", "SUM", "AVG", "PERCENTILE", "MIN", "MAX"), Percentile: agg.Percentile,
		})
	}
	points, err := a.TraceMetrics(ctx, q)
	return traceMetricsResponse{points}, err
}
