package rest

import (
	"context"
	"sort"

	"github.com/prinzbox/prinzbox/registry"
)

// traceInfoV2 is the TraceInfo message of 2.x clients. Times are milliseconds.
type traceInfoV2 struct {
	RequestID     string              `json:"request_id"`
	ExperimentID  string              `json:"experiment_id"`
	Timestamp     int64               `json:"timestamp_ms"`
	ExecutionTime int64               `json:"execution_time_ms"`
	Status        string              `json:"status"`
	Metadata      []registry.KeyValue `json:"request_metadata,omitempty"`
	Tags          []registry.KeyValue `json:"tags,omitempty"`
}

type traceInfoV2Response struct {
	Info traceInfoV2 `json:"trace_info"`
}

func asV2(t registry.TraceInfo) traceInfoV2 {
	v := traceInfoV2{
		RequestID: t.TraceID, ExperimentID: t.Location.Experiment.ExperimentID, Timestamp: int64(t.RequestTime), Status: t.State,
		Metadata: sortedPairs(t.Metadata), Tags: sortedPairs(t.Tags),
	}
	if t.ExecutionDuration != nil {
		v.ExecutionTime = int64(*t.ExecutionDuration)
	}
	if v.Status == registry.TraceUnspecified {
		v.Status = "TRACE_STATUS_UNSPECIFIED"
	}
	return v
}

func sortedPairs(m map[string]string) []registry.KeyValue {
	out := make([]registry.KeyValue, 0, len(m))
	for k, v := range m {
		out = append(out, registry.KeyValue{Key: k, Value: v})
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Key < out[j].Key })
	return out
}

func texts(list []keyValue) map[string]string {
	m := make(map[string]string, len(list))
	for _, kv := range list {
		m[kv.Key] = kv.Value
	}
	return m
}

type startTraceV2Request struct {
	ExperimentID string     `json:"experiment_id"`
	Timestamp    int64      `json:"timestamp_ms"`
	Metadata     []keyValue `json:"request_metadata"`
	Tags         []keyValue `json:"tags"`
}

func (a *API) startTraceV2(ctx context.Context, r *startTraceV2Request) (traceInfoV2Response, error) {
	info, err := a.StartTraceV2(ctx, registry.NewTraceV2{ExperimentID: r.ExperimentID, Timestamp: r.Timestamp, Metadata: texts(r.Metadata), Tags: texts(r.Tags)})
	return traceInfoV2Response{asV2(info)}, err
}

type endTraceV2Request struct {
	RequestID string     `path:"p1"`
	Timestamp int64      `json:"timestamp_ms"`
	Status    enum       `json:"status"`
	Metadata  []keyValue `json:"request_metadata"`
	Tags      []keyValue `json:"tags"`
}

func (a *API) endTraceV2(ctx context.Context, r *endTraceV2Request) (traceInfoV2Response, error) {
	state, ok := registry.ParseTraceState(string(r.Status))
	if !ok || state == registry.TraceUnspecified {
		return traceInfoV2Response{}, registry.Invalidf("Invalid value \"%s\" for parameter 'status' supplied: it must be OK, ERROR or IN_PROGRESS.", r.Status)
	}
	info, err := a.EndTraceV2(ctx, r.RequestID, r.Timestamp, state, texts(r.Metadata), texts(r.Tags))
	return traceInfoV2Response{asV2(info)}, err
}

func (a *API) getTraceInfoV2(ctx context.Context, r *traceID) (traceInfoV2Response, error) {
	info, err := a.TraceInfo(ctx, r.TraceID)
	return traceInfoV2Response{asV2(info)}, err
}

type searchTracesV2Request struct {
	ExperimentIDs []string `json:"experiment_ids" req:"true"`
	Filter        string   `json:"filter"`
	MaxResults    *int     `json:"max_results"`
	OrderBy       []string `json:"order_by"`
	PageToken     string   `json:"page_token"`
}

type searchTracesV2Response struct {
	Traces        []traceInfoV2 `json:"traces,omitempty"`
	NextPageToken string        `json:"next_page_token,omitempty"`
}

func (a *API) searchTracesV2(ctx context.Context, r *searchTracesV2Request) (searchTracesV2Response, error) {
	size, err := tracePage(r.MaxResults, `"`)
	if err != nil {
		return searchTracesV2Response{}, err
	}
	page, err := a.SearchTraces(ctx, registry.TraceQuery{ExperimentIDs: r.ExperimentIDs, Filter: r.Filter, OrderBy: r.OrderBy, MaxResults: size, PageToken: r.PageToken})
	out := searchTracesV2Response{NextPageToken: page.NextPageToken}
	for _, t := range page.Items {
		out.Traces = append(out.Traces, asV2(t))
	}
	return out, err
}
