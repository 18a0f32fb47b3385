package rest

import (
	"bytes"
	"context"
	"net/http"
	"path"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/prinzbox/prinzbox/registry"
)

// traceInfo is TraceInfoV3 as clients send it.
type traceInfo struct {
	TraceID           string              `json:"trace_id"`
	ClientRequestID   *string             `json:"client_request_id"`
	Location          traceLocation       `json:"trace_location"`
	RequestPreview    *string             `json:"request_preview"`
	ResponsePreview   *string             `json:"response_preview"`
	RequestTime       string              `json:"request_time"`
	ExecutionDuration string              `json:"execution_duration"`
	State             enum                `json:"state"`
	Metadata          map[string]string   `json:"trace_metadata"`
	Assessments       []assessmentRequest `json:"assessments"`
	Tags              map[string]string   `json:"tags"`
}

type traceLocation struct {
	Type       enum `json:"type"`
	Experiment *struct {
		ExperimentID string `json:"experiment_id"`
	} `json:"mlflow_experiment"`
}

// experiment gives the experiment of a location. The type must say that it is one, as MLflow insists in its own words.
func (l traceLocation) experiment() (string, error) {
	if l.Experiment == nil {
		return "", nil
	}
	types := []string{"TRACE_LOCATION_TYPE_UNSPECIFIED", "MLFLOW_EXPERIMENT", "INFERENCE_TABLE", "UC_SCHEMA", "UC_TABLE_PREFIX"}
	is := types[0]
	for i, name := range types {
		if string(l.Type) == name || string(l.Type) == strconv.Itoa(i) {
			is = name
		}
	}
	if is != types[1] {
		return "", registry.Invalidf("Trace location type TraceLocationType.%s does not match the provided location MlflowExperimentLocation(experiment_id='%s').", is, l.Experiment.ExperimentID)
	}
	return l.Experiment.ExperimentID, nil
}

type startTraceRequest struct {
	Trace *struct {
		Info traceInfo `json:"trace_info"`
	} `json:"trace" req:"true"`
}

type traceResponse struct {
	Trace registry.Trace `json:"trace"`
}

func (a *API) startTrace(ctx context.Context, r *startTraceRequest) (traceResponse, error) {
	in := &r.Trace.Info
	state, _ := registry.ParseTraceState(string(in.State)) // an unknown name counts as absent
	info := registry.TraceInfo{
		TraceID: in.TraceID, ClientRequestID: in.ClientRequestID, RequestPreview: in.RequestPreview, ResponsePreview: in.ResponsePreview,
		State: state, Metadata: in.Metadata, Tags: in.Tags,
	}
	var err error
	if info.Location.Experiment.ExperimentID, err = in.Location.experiment(); err != nil {
		return traceResponse{}, err
	}
	if in.RequestTime != "" {
		if info.RequestTime, err = registry.ParseTimestamp(in.RequestTime, "trace.trace_info.request_time"); err != nil {
			return traceResponse{}, err
		}
	}
	if in.ExecutionDuration != "" {
		d, err := registry.ParseDuration(in.ExecutionDuration, "trace.trace_info.execution_duration")
		if err != nil {
			return traceResponse{}, err
		}
		info.ExecutionDuration = &d
	}
	for i := range in.Assessments {
		assessment, err := in.Assessments[i].assessment("trace.trace_info.assessments[" + strconv.Itoa(i) + "]")
		if err != nil {
			return traceResponse{}, err
		}
		info.Assessments = append(info.Assessments, assessment)
	}
	info, err = a.StartTrace(ctx, info)
	return traceResponse{registry.Trace{Info: info}}, err
}

type traceID struct {
	TraceID string `path:"p1"`
}

func (a *API) getTraceInfo(ctx context.Context, r *traceID) (traceResponse, error) {
	info, err := a.TraceInfo(ctx, r.TraceID)
	return traceResponse{registry.Trace{Info: info}}, err
}

type getTraceRequest struct {
	TraceID      string `json:"trace_id" req:"true"`
	AllowPartial bool   `json:"allow_partial"`
}

// spansPatience is how long a trace is waited for whose spans are still on their way: its client exports them beside the call that ends the trace.
const spansPatience = 2 * time.Second

func (a *API) getTrace(ctx context.Context, r *getTraceRequest) (traceResponse, error) {
	for deadline := time.Now().Add(spansPatience); ; {
		t, err := a.Trace(ctx, r.TraceID, r.AllowPartial)
		if err == nil || !registry.IsCode(err, registry.ResourceDoesNotExist) || t.Info.TraceID == "" || !t.Info.SpansHere() || time.Now().After(deadline) {
			return traceResponse{t}, err
		}
		select {
		case <-ctx.Done():
			return traceResponse{}, ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// Lists that must be there, but may be empty, are pointers.

type traceIDsRequest struct {
	TraceIDs      *[]string `json:"trace_ids" req:"true"`
	ExperimentIDs []string  `json:"experiment_ids"`
}

type tracesResponse struct {
	Traces []registry.Trace `json:"traces,omitempty"`
}

func (a *API) getTraces(ctx context.Context, r *traceIDsRequest) (tracesResponse, error) {
	traces, err := a.Traces(ctx, *r.TraceIDs, r.ExperimentIDs)
	return tracesResponse{traces}, err
}

type traceInfosResponse struct {
	Infos []registry.TraceInfo `json:"trace_infos,omitempty"`
}

func (a *API) getTraceInfos(ctx context.Context, r *traceIDsRequest) (traceInfosResponse, error) {
	infos, err := a.TraceInfos(ctx, *r.TraceIDs, r.ExperimentIDs)
	return traceInfosResponse{infos}, err
}

type searchTracesRequest struct {
	Locations  *[]traceLocation `json:"locations" req:"true"`
	Filter     string           `json:"filter"`
	MaxResults *int             `json:"max_results"`
	OrderBy    []string         `json:"order_by"`
	PageToken  string           `json:"page_token"`
}

type searchTracesResponse struct {
	Traces        []registry.TraceInfo `json:"traces,omitempty"`
	NextPageToken string               `json:"next_page_token,omitempty"`
}

// tracePage checks a page size; over the limit MLflow words it as it does for a wrong type; quote is how a number is quoted where it came from.
func tracePage(n *int, quote string) (int, error) {
	size := orDefault(n, 100)
	if size > registry.MaxTracePage {
		return 0, wrongType("max_results", []byte(quote+strconv.Itoa(size)+quote))
	}
	return size, nil
}

func (a *API) searchTraces(ctx context.Context, r *searchTracesRequest) (searchTracesResponse, error) {
	size, err := tracePage(r.MaxResults, "")
	if err != nil {
		return searchTracesResponse{}, err
	}
	q := registry.TraceQuery{Filter: r.Filter, OrderBy: r.OrderBy, MaxResults: size, PageToken: r.PageToken}
	for _, l := range *r.Locations {
		if l.Experiment != nil {
			q.ExperimentIDs = append(q.ExperimentIDs, l.Experiment.ExperimentID)
		}
	}
	page, err := a.SearchTraces(ctx, q)
	return searchTracesResponse{page.Items, page.NextPageToken}, err
}

type traceTagRequest struct {
	TraceID string `path:"p1"`
	Key     string `json:"key" req:"true"`
	Value   string `json:"value"`
}

func (a *API) setTraceTag(ctx context.Context, r *traceTagRequest) error {
	return a.SetTraceTag(ctx, r.TraceID, registry.KeyValue{Key: r.Key, Value: r.Value})
}

func (a *API) deleteTraceTag(ctx context.Context, r *traceTagRequest) error {
	return a.DeleteTraceTag(ctx, r.TraceID, r.Key)
}

type deleteTracesRequest struct {
	ExperimentID string   `json:"experiment_id" req:"true"`
	MaxTimestamp *int64   `json:"max_timestamp_millis"`
	MaxTraces    *int     `json:"max_traces"`
	RequestIDs   []string `json:"request_ids"`
}

type deleteTracesResponse struct {
	Deleted int64 `json:"traces_deleted"`
}

func (a *API) deleteTraces(ctx context.Context, r *deleteTracesRequest) (deleteTracesResponse, error) {
	n, files, err := a.DeleteTraces(ctx, registry.TraceDeletion{ExperimentID: r.ExperimentID, IDs: r.RequestIDs, MaxTimestamp: r.MaxTimestamp, MaxTraces: r.MaxTraces})
	// The rows are gone: what follows must not stop half-way because the client left, and an error of it could not be repaired by asking again.
	ctx = context.WithoutCancel(ctx)
	for _, location := range files {
		if err := a.cfg.Artifacts.Delete(ctx, location); err != nil {
			a.cfg.Log.Warn("artifacts of a deleted trace not removed", "location", location, "error", err)
		}
	}
	return deleteTracesResponse{n}, err
}

type linkTracesRequest struct {
	TraceIDs *[]string `json:"trace_ids" req:"true"`
	RunID    string    `json:"run_id" req:"true"`
}

func (a *API) linkTraces(ctx context.Context, r *linkTracesRequest) error {
	return a.LinkTracesToRun(ctx, *r.TraceIDs, r.RunID)
}

type linkPromptsRequest struct {
	TraceID string `json:"trace_id" req:"true"`
	Prompts *[]struct {
		Name    string `json:"name" req:"true"`
		Version string `json:"version" req:"true"`
	} `json:"prompt_versions" req:"true"`
}

func (a *API) linkPrompts(ctx context.Context, r *linkPromptsRequest) error {
	prompts := make([]registry.PromptVersion, len(*r.Prompts))
	for i, p := range *r.Prompts {
		if n, err := strconv.Atoi(p.Version); err != nil || n < 1 {
			return registry.Invalidf("Invalid value \"%s\" for parameter 'prompt_versions[%d].version' supplied: it must be a positive integer.", p.Version, i)
		}
		prompts[i] = registry.PromptVersion(p)
	}
	return a.LinkPrompts(ctx, r.TraceID, prompts)
}

const spansFile = "traces.json"

// getTraceArtifact downloads the spans of a trace, or one of its attachments.
func (a *API) getTraceArtifact(c *gin.Context) {
	id, name := c.Query("request_id"), c.Query("path")
	if id == "" {
		a.fail(c, registry.Errorf(registry.BadRequest, `Request must include the "request_id" query parameter.`))
		return
	}
	info, file, err := a.SpansFile(c.Request.Context(), id)
	if err != nil {
		a.fail(c, err)
		return
	}
	if name == "" && info.SpansHere() {
		h := c.Writer.Header()
		h.Set("Content-Type", "text/plain; charset=utf-8")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Content-Disposition", "attachment; filename="+spansFile)
		http.ServeContent(c.Writer, c.Request, "", time.Time{}, bytes.NewReader(file))
		return
	}
	dir := ""
	if name == "" {
		name = spansFile
	} else if name, err = a.cfg.Artifacts.CleanPath(name); err != nil {
		a.fail(c, err)
		return
	} else {
		dir = path.Join("attachments", path.Dir(name))
	}
	location := info.Tags[registry.TagArtifactLocation]
	files, err := a.cfg.Artifacts.List(c.Request.Context(), location, dir)
	if err != nil {
		a.fail(c, err)
		return
	}
	wanted := path.Join(dir, path.Base(name))
	for _, f := range files {
		if f.Path == wanted && !f.IsDir {
			a.download(c, location, wanted)
			return
		}
	}
	a.fail(c, registry.Errorf(registry.NotFound, "Trace data not found for path=%s", name))
}
