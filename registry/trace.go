package registry

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"maps"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Trace states, as they stand in TraceInfo.State.
const (
	TraceUnspecified = "STATE_UNSPECIFIED"
	TraceOK          = "OK"
	TraceError       = "ERROR"
	TraceInProgress  = "IN_PROGRESS"
)

// traceStates lists the states by their numbers in MLflow's protocol, which start at 0.
var traceStates = []string{TraceUnspecified, TraceOK, TraceError, TraceInProgress}

// ParseTraceState reads a state by name or number.
func ParseTraceState(s string) (string, bool) {
	for i, name := range traceStates {
		if s == name || s == strconv.Itoa(i) {
			return name, true
		}
	}
	return TraceUnspecified, false
}

// Tags and metadata of traces that the store gives a meaning.
const (
	TagTraceName        = "mlflow.traceName"
	TagArtifactLocation = "mlflow.artifactLocation"
	TagSpansLocation    = "mlflow.trace.spansLocation"
	TagArchiveLocation  = "mlflow.trace.archiveLocation"
	TagArchivalFailure  = "mlflow.trace.archivalFailure"

	MetaFinalized  = "mlflow.trace.infoFinalized"
	MetaTokenUsage = "mlflow.trace.tokenUsage"
	MetaCost       = "mlflow.trace.cost"
	MetaSession    = "mlflow.trace.session"
	MetaTraceUser  = "mlflow.trace.user"
	MetaSourceRun  = "mlflow.sourceRun"
	MetaModelID    = "mlflow.modelId"
	MetaSizeStats  = "mlflow.trace.sizeStats"

	// spansHere is the value of TagSpansLocation of a trace whose spans are rows of this store.
	spansHere = "TRACKING_STORE"
)

// Limits in characters of what answers show (contract/endpoints.md, section 3).
const (
	maxTraceMetadataShown = 250
	maxTraceTagShown      = 4096
	maxTraceKeyShown      = 250
	maxPreview            = 1000
)

// TraceInfo is MLflow's TraceInfoV3 message.
type TraceInfo struct {
	TraceID           string            `json:"trace_id"`
	ClientRequestID   *string           `json:"client_request_id,omitempty"`
	Location          TraceLocation     `json:"trace_location"`
	RequestPreview    *string           `json:"request_preview,omitempty"`
	ResponsePreview   *string           `json:"response_preview,omitempty"`
	RequestTime       Timestamp         `json:"request_time"`
	ExecutionDuration *Duration         `json:"execution_duration,omitempty"`
	State             string            `json:"state"`
	Metadata          map[string]string `json:"trace_metadata,omitempty"`
	Assessments       []Assessment      `json:"assessments,omitempty"`
	Tags              map[string]string `json:"tags,omitempty"`
}

// TraceLocation says where a trace belongs; here always an experiment.
type TraceLocation struct {
	Type       string          `json:"type"`
	Experiment TraceExperiment `json:"mlflow_experiment"`
}

// TraceExperiment names an experiment.
type TraceExperiment struct {
	ExperimentID string `json:"experiment_id"`
}

// Timestamp is milliseconds since 1970; its JSON is protobuf's: RFC 3339 in UTC with three decimals, or none.
type Timestamp int64

// MarshalJSON implements json.Marshaler.
func (t Timestamp) MarshalJSON() ([]byte, error) {
	layout := "2006-01-02T15:04:05Z"
	if t%1000 != 0 {
		layout = "2006-01-02T15:04:05.000Z"
	}
	return strconv.AppendQuote(nil, time.UnixMilli(int64(t)).UTC().Format(layout)), nil
}

// ParseTimestamp reads protobuf's JSON form of a time, cut to milliseconds.
func ParseTimestamp(text, field string) (Timestamp, error) {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return 0, Invalidf("Invalid value %s for parameter '%s' supplied: it must be a time such as \"2025-01-31T12:00:00.000Z\".", quoteJSON(text), field)
	}
	return Timestamp(t.UnixMilli()), nil
}

// Duration is milliseconds; its JSON is protobuf's: seconds with three decimals, or none, and an s.
type Duration int64

// MarshalJSON implements json.Marshaler.
func (d Duration) MarshalJSON() ([]byte, error) {
	b := []byte{'"'}
	if d < 0 {
		b, d = append(b, '-'), -d
	}
	b = strconv.AppendInt(b, int64(d)/1000, 10)
	if ms := int64(d) % 1000; ms != 0 {
		b = append(b, '.', byte('0'+ms/100), byte('0'+ms/10%10), byte('0'+ms%10))
	}
	return append(b, 's', '"'), nil
}

// ParseDuration reads protobuf's JSON form of a duration, cut to milliseconds.
func ParseDuration(text, field string) (Duration, error) {
	bad := Invalidf("Invalid value %s for parameter '%s' supplied: it must be a duration in seconds such as \"1.5s\".", quoteJSON(text), field)
	number, ok := strings.CutSuffix(text, "s")
	if !ok || strings.ContainsAny(number, "hmnuµ") {
		return 0, bad
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, bad
	}
	return Duration(d.Milliseconds()), nil
}

// StartTrace makes a trace, or completes one that exists (from its spans, or an earlier call): tags, metadata and assessments are added,
// the rest is replaced. The experiment must be active.
func (s *Store) StartTrace(ctx context.Context, t TraceInfo) (TraceInfo, error) {
	switch {
	case t.TraceID == "":
		return TraceInfo{}, missing("trace.trace_info.trace_id")
	case t.Location.Experiment.ExperimentID == "":
		return TraceInfo{}, missing("trace.trace_info.trace_location.mlflow_experiment.experiment_id")
	case utf8.RuneCountInString(t.TraceID) > maxKey:
		return TraceInfo{}, tooLong("trace.trace_info.trace_id", maxKey)
	}
	if err := validateTraceTexts(t.Tags, t.Metadata); err != nil {
		return TraceInfo{}, err
	}
	for i := range t.Assessments {
		t.Assessments[i].TraceID = t.TraceID
		if err := s.completeAssessment(&t.Assessments[i]); err != nil {
			return TraceInfo{}, err
		}
	}
	err := s.writeActiveExperiment(ctx, t.Location.Experiment.ExperimentID, func(tx querier, eid int64) error {
		tid, err := upsertTrace(ctx, tx, eid, t)
		if err != nil {
			return err
		}
		if err := setTraceTags(ctx, tx, tid, t.Tags); err != nil {
			return err
		}
		if err := setTraceLocation(ctx, tx, tid, eid, t.TraceID); err != nil {
			return err
		}
		if err := setTraceMetadata(ctx, tx, tid, t.Metadata); err != nil {
			return err
		}
		if err := setTraceMetadata(ctx, tx, tid, map[string]string{MetaFinalized: "true"}); err != nil {
			return err
		}
		for _, a := range t.Assessments {
			if err := insertAssessment(ctx, tx, tid, a, true); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return TraceInfo{}, err
	}
	return s.TraceInfo(ctx, t.TraceID)
}

func upsertTrace(ctx context.Context, tx querier, eid int64, t TraceInfo) (tid int64, err error) {
	err = tx.QueryRowContext(ctx, `INSERT INTO traces (trace_id, eid, timestamp_ms, execution_time_ms, status, client_request_id, request_preview, response_preview)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (trace_id) DO UPDATE SET eid = excluded.eid, timestamp_ms = excluded.timestamp_ms, execution_time_ms = excluded.execution_time_ms,
			status = excluded.status, client_request_id = excluded.client_request_id,
			request_preview = coalesce(excluded.request_preview, request_preview), response_preview = coalesce(excluded.response_preview, response_preview)
		RETURNING tid`,
		t.TraceID, eid, int64(t.RequestTime), (*int64)(t.ExecutionDuration), t.State, t.ClientRequestID, t.RequestPreview, t.ResponsePreview).Scan(&tid)
	return tid, err
}

// validateTraceTexts checks what MLflow checks of the tags and metadata of a new trace.
func validateTraceTexts(tags, metadata map[string]string) error {
	if err := checkLength(tags[TagTraceName], "Trace name", maxTraceTagShown); err != nil {
		return err
	}
	return checkLength(metadata[MetaSession], "Session ID", maxTraceMetadataShown)
}

func setTraceTags(ctx context.Context, tx querier, tid int64, tags map[string]string) error {
	return setTracePairs(ctx, tx, `INSERT INTO trace_tags (tid, key, value) VALUES (?, ?, ?) ON CONFLICT (tid, key) DO UPDATE SET value = excluded.value`, tid, tags)
}

// setTraceMetadata writes metadata; sums of tokens and costs are brought into MLflow's form, and left out when they have none.
func setTraceMetadata(ctx context.Context, tx querier, tid int64, metadata map[string]string) error {
	clean := metadata
	for _, sum := range sums {
		if text, ok := metadata[sum.metadata]; ok {
			clean = make(map[string]string, len(metadata))
			maps.Copy(clean, metadata)
			metadata = clean
			if totals := sum.parse([]byte(text)); len(totals) > 0 {
				clean[sum.metadata] = sum.format(totals)
			} else {
				delete(clean, sum.metadata)
			}
		}
	}
	return setTracePairs(ctx, tx, `INSERT INTO trace_metadata (tid, key, value) VALUES (?, ?, ?) ON CONFLICT (tid, key) DO UPDATE SET value = excluded.value`, tid, clean)
}

func setTracePairs(ctx context.Context, tx querier, query string, tid int64, pairs map[string]string) error {
	for k, v := range pairs {
		if _, err := tx.ExecContext(ctx, query, tid, k, v); err != nil {
			return err
		}
	}
	return nil
}

// setTraceLocation writes the tag that says where the trace's files are.
func setTraceLocation(ctx context.Context, tx querier, tid, eid int64, traceID string) error {
	var location string
	if err := tx.QueryRowContext(ctx, "SELECT artifact_location FROM experiments WHERE eid = ?", eid).Scan(&location); err != nil {
		return err
	}
	return setTraceTags(ctx, tx, tid, map[string]string{TagArtifactLocation: joinURI(location, "traces", traceID, "artifacts")})
}

const traceColumns = `t.tid, t.trace_id, t.eid, t.timestamp_ms, t.execution_time_ms, t.status, t.client_request_id, t.request_preview, t.response_preview`

type traceRow struct {
	tid  int64
	info TraceInfo
}

func scanTrace(row interface{ Scan(...any) error }) (r traceRow, err error) {
	i := &r.info
	var eid int64
	err = row.Scan(&r.tid, &i.TraceID, &eid, &i.RequestTime, &i.ExecutionDuration, &i.State, &i.ClientRequestID, &i.RequestPreview, &i.ResponsePreview)
	i.Location = TraceLocation{"MLFLOW_EXPERIMENT", TraceExperiment{strconv.FormatInt(eid, 10)}}
	return r, err
}

func noTrace(id string) error { return NotFoundf("Trace with ID '%s' not found.", id) }

// TraceInfo gives one trace without its spans. RESOURCE_DOES_NOT_EXIST when there is none.
func (s *Store) TraceInfo(ctx context.Context, id string) (TraceInfo, error) {
	q := s.db.Read()
	row, err := scanTrace(q.QueryRowContext(ctx, "SELECT "+traceColumns+" FROM traces t WHERE t.trace_id = ?", id))
	if errors.Is(err, sql.ErrNoRows) {
		return TraceInfo{}, noTrace(id)
	} else if err != nil {
		return TraceInfo{}, err
	}
	infos, err := loadTraces(ctx, q, []traceRow{row})
	if err != nil {
		return TraceInfo{}, err
	}
	return infos[0], nil
}

// TraceInfos gives the traces of some ids that exist, in the order asked for, each once and in the place where it was asked for last. With experiments, only what is in those.
func (s *Store) TraceInfos(ctx context.Context, ids, experimentIDs []string) ([]TraceInfo, error) {
	q := s.db.Read()
	rows, err := traceRows(ctx, q, ids, experimentIDs)
	if err != nil {
		return nil, err
	}
	return loadTraces(ctx, q, rows)
}

func traceRows(ctx context.Context, q querier, ids, experimentIDs []string) ([]traceRow, error) {
	list, err := json.Marshal(ids)
	if err != nil {
		return nil, err
	}
	query := "SELECT " + traceColumns + " FROM traces t JOIN (SELECT value, max(key) AS place FROM " + elements + " GROUP BY value) w ON w.value = t.trace_id"
	args := []any{string(list)}
	if experimentIDs != nil {
		eids, err := parseExperimentIDs(experimentIDs)
		if err != nil {
			return nil, err
		}
		query += " WHERE t.eid " + inList
		args = append(args, jsonInts(eids))
	}
	return queryRows(ctx, q, func(rows *sql.Rows) (traceRow, error) { return scanTrace(rows) }, query+" ORDER BY w.place", args...)
}

func parseExperimentIDs(ids []string) ([]any, error) {
	eids := make([]any, len(ids))
	for i, id := range ids {
		eid, err := parseExperimentID(id)
		if err != nil {
			return nil, err
		}
		eids[i] = eid
	}
	return eids, nil
}

// loadTraces adds tags, metadata and assessments. It asks once per kind and chunk, not per trace.
func loadTraces(ctx context.Context, q querier, rows []traceRow) ([]TraceInfo, error) {
	infos := make([]TraceInfo, len(rows))
	index := make(map[int64]*TraceInfo, len(rows))
	tids := make([]any, len(rows))
	for i, r := range rows {
		infos[i] = r.info
		index[r.tid], tids[i] = &infos[i], r.tid
	}
	pairs := func(table string, limit int, into func(*TraceInfo) *map[string]string) error {
		return inChunks(tids, func(in string, args []any) error {
			_, err := queryRows(ctx, q, func(rows *sql.Rows) (struct{}, error) {
				var tid int64
				var kv KeyValue
				if err := rows.Scan(&tid, &kv.Key, &kv.Value); err != nil {
					return struct{}{}, err
				}
				m := into(index[tid])
				if *m == nil {
					*m = map[string]string{}
				}
				(*m)[firstRunes(kv.Key, maxTraceKeyShown)] = firstRunes(kv.Value, limit)
				return struct{}{}, nil
			}, "SELECT tid, key, value FROM "+table+" WHERE tid IN "+in, args...)
			return err
		})
	}
	err := errors.Join(
		pairs("trace_tags", maxTraceTagShown, func(t *TraceInfo) *map[string]string { return &t.Tags }),
		pairs("trace_metadata", maxTraceMetadataShown, func(t *TraceInfo) *map[string]string { return &t.Metadata }),
		inChunks(tids, func(in string, args []any) error {
			list, err := queryRows(ctx, q, func(rows *sql.Rows) (assessmentRow, error) { return scanAssessment(rows) },
				"SELECT "+assessmentColumns+" FROM assessments a JOIN traces t ON t.tid = a.tid WHERE a.tid IN "+in+" ORDER BY a.created_ms, a.aid", args...)
			for _, a := range list {
				info := index[a.tid]
				info.Assessments = append(info.Assessments, a.assessment)
			}
			return err
		}),
	)
	return infos, err
}

// firstRunes cuts a text to n characters.
func firstRunes(text string, n int) string {
	if len(text) <= n {
		return text
	}
	for i := range text {
		if n == 0 {
			return text[:i]
		}
		n--
	}
	return text
}
