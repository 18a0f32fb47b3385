package registry

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"strings"
)

// MaxTraceLinks is how many traces one call may link to a run.
const MaxTraceLinks = 100

// writeTrace runs fn on a trace that exists.
func (s *Store) writeTrace(ctx context.Context, id string, fn func(tx querier, tid int64) error) error {
	return s.db.Write(ctx, func(tx querier) error {
		var tid int64
		err := tx.QueryRowContext(ctx, "SELECT tid FROM traces WHERE trace_id = ?", id).Scan(&tid)
		if errors.Is(err, sql.ErrNoRows) {
			return noTrace(id)
		} else if err != nil {
			return err
		}
		return fn(tx, tid)
	})
}

// SetTraceTag sets a tag. Those by which the store finds spans are refused.
func (s *Store) SetTraceTag(ctx context.Context, id string, tag KeyValue) error {
	if tag.Key == TagSpansLocation || tag.Key == TagArchiveLocation || tag.Key == TagArchivalFailure {
		return Invalidf("Tag '%s' is immutable and cannot be set on a trace.", tag.Key)
	}
	if err := validateKey(tag.Key, "key", "key"); err != nil {
		return err
	}
	if tag.Key == TagTraceName {
		if err := checkLength(tag.Value, "Trace name", maxTraceTagShown); err != nil {
			return err
		}
	}
	value, err := s.cut(tag.Value, "value", maxTagValue)
	if err != nil {
		return err
	}
	err = s.writeTrace(ctx, id, func(tx querier, tid int64) error {
		return setTraceTags(ctx, tx, tid, map[string]string{tag.Key: value})
	})
	if IsCode(err, ResourceDoesNotExist) {
		err = Errorf(BadRequest, "Trace with ID '%s' not found.", id) // the code is MLflow's
	}
	return err
}

// DeleteTraceTag removes a tag; RESOURCE_DOES_NOT_EXIST when there is none of that key.
func (s *Store) DeleteTraceTag(ctx context.Context, id, key string) error {
	if key == TagSpansLocation || key == TagArchiveLocation {
		return Invalidf("Tag '%s' is immutable and cannot be deleted on a trace.", key)
	}
	return s.db.Write(ctx, func(tx querier) error {
		ok, err := affected(tx.ExecContext(ctx, "DELETE FROM trace_tags WHERE key = ? AND tid = (SELECT tid FROM traces WHERE trace_id = ?)", key, id))
		if err == nil && !ok {
			err = NotFoundf("No trace tag with key '%s' for trace with ID '%s'", key, id)
		}
		return err
	})
}

// TraceDeletion chooses traces of an experiment: those of some ids, or those that began at MaxTimestamp or before, the oldest first and at
// most MaxTraces.
type TraceDeletion struct {
	ExperimentID string
	IDs          []string
	MaxTimestamp *int64
	MaxTraces    *int
}

// DeleteTraces removes traces with their spans and assessments, and tells how many there were. files are the locations where the traces may
// have artifacts (traces.json of 2.x clients, attachments): they are the caller's to remove.
func (s *Store) DeleteTraces(ctx context.Context, d TraceDeletion) (n int64, files []string, err error) {
	switch {
	case d.MaxTimestamp == nil && len(d.IDs) == 0:
		return 0, nil, Invalidf("Either `max_timestamp_millis` or `trace_ids` must be specified.")
	case d.MaxTimestamp != nil && len(d.IDs) > 0:
		return 0, nil, Invalidf("Only one of `max_timestamp_millis` and `trace_ids` can be specified.")
	case len(d.IDs) > 0 && d.MaxTraces != nil:
		return 0, nil, Invalidf("`max_traces` can't be specified if `trace_ids` is specified.")
	case d.MaxTraces != nil && *d.MaxTraces <= 0:
		return 0, nil, Invalidf("`max_traces` must be a positive integer, received %d.", *d.MaxTraces)
	}
	eid, err := parseExperimentID(d.ExperimentID)
	if err != nil {
		return 0, nil, err
	}
	limit := -1
	if d.MaxTraces != nil {
		limit = *d.MaxTraces
	}
	query, choice := `DELETE FROM traces WHERE tid IN (SELECT tid FROM traces WHERE eid = ? AND timestamp_ms <= ? ORDER BY timestamp_ms, trace_id LIMIT ?) RETURNING trace_id`, any(nil)
	if d.MaxTimestamp != nil {
		choice = *d.MaxTimestamp
	} else {
		ids, err := json.Marshal(d.IDs)
		if err != nil {
			return 0, nil, err
		}
		query, choice = `DELETE FROM traces WHERE tid IN (SELECT tid FROM traces WHERE eid = ? AND trace_id `+inList+` LIMIT ?) RETURNING trace_id`, string(ids)
	}
	err = s.db.Write(ctx, func(tx querier) error {
		gone, err := queryRows(ctx, tx, func(rows *sql.Rows) (id string, err error) {
			err = rows.Scan(&id)
			return id, err
		}, query, eid, choice, limit)
		n, files = int64(len(gone)), nil
		if err != nil || n == 0 {
			return err
		}
		var location string
		if err := tx.QueryRowContext(ctx, "SELECT artifact_location FROM experiments WHERE eid = ?", eid).Scan(&location); err != nil {
			return err
		}
		for _, id := range gone {
			if traceFolder(id) {
				files = append(files, joinURI(location, "traces", id, "artifacts"))
			}
		}
		return nil
	})
	return n, files, err
}

// traceFolder tells whether a trace's id, which the client chose, is the name of a folder that no other trace has. The tag
// mlflow.artifactLocation is no guide for a removal: clients may set it to what is not theirs.
func traceFolder(id string) bool {
	return id != "." && id != ".." && !strings.ContainsAny(id, "/\\%?#:")
}

// LinkTracesToRun makes traces show up in searches for a run; ids of no trace are passed over.
func (s *Store) LinkTracesToRun(ctx context.Context, ids []string, runID string) error {
	if len(ids) > MaxTraceLinks {
		return Invalidf("Cannot link more than %d traces to a run in a single request. Provided %d traces.", MaxTraceLinks, len(ids))
	}
	return s.db.Write(ctx, func(tx querier) error {
		for _, id := range ids {
			if _, err := tx.ExecContext(ctx, "INSERT INTO trace_runs (tid, run_id) SELECT tid, ? FROM traces WHERE trace_id = ? ON CONFLICT DO NOTHING", runID, id); err != nil {
				return err
			}
		}
		return nil
	})
}

// PromptVersion names a version of a prompt.
type PromptVersion struct{ Name, Version string }

// LinkPrompts notes that a trace used versions of prompts.
func (s *Store) LinkPrompts(ctx context.Context, traceID string, prompts []PromptVersion) error {
	return s.writeTrace(ctx, traceID, func(tx querier, tid int64) error {
		for _, p := range prompts {
			if _, err := tx.ExecContext(ctx, "INSERT INTO trace_prompts (tid, prompt) VALUES (?, ?) ON CONFLICT DO NOTHING", tid, p.Name+"/"+p.Version); err != nil {
				return err
			}
		}
		return nil
	})
}

// NewTraceV2 is what the 2.x call that starts a trace gives.
type NewTraceV2 struct {
	ExperimentID   string
	Timestamp      int64 // milliseconds since 1970
	Metadata, Tags map[string]string
}

// StartTraceV2 makes a trace in state IN_PROGRESS with an id of the store's own: 32 hex digits, as 2.x servers gave.
func (s *Store) StartTraceV2(ctx context.Context, n NewTraceV2) (TraceInfo, error) {
	if n.ExperimentID == "" {
		return TraceInfo{}, missing("experiment_id")
	}
	if err := validateTraceTexts(n.Tags, n.Metadata); err != nil {
		return TraceInfo{}, err
	}
	id := s.cfg.NewID()
	err := s.writeActiveExperiment(ctx, n.ExperimentID, func(tx querier, eid int64) error {
		tid, err := upsertTrace(ctx, tx, eid, TraceInfo{TraceID: id, RequestTime: Timestamp(n.Timestamp), State: TraceInProgress})
		if err != nil {
			return err
		}
		return errors.Join(setTraceTags(ctx, tx, tid, n.Tags), setTraceLocation(ctx, tx, tid, eid, id), setTraceMetadata(ctx, tx, tid, n.Metadata))
	})
	if err != nil {
		return TraceInfo{}, err
	}
	return s.TraceInfo(ctx, id)
}

// EndTraceV2 ends a trace that StartTraceV2 made: end is milliseconds since 1970, metadata and tags are added.
func (s *Store) EndTraceV2(ctx context.Context, id string, end int64, state string, metadata, tags map[string]string) (TraceInfo, error) {
	if err := validateTraceTexts(tags, metadata); err != nil {
		return TraceInfo{}, err
	}
	err := s.writeTrace(ctx, id, func(tx querier, tid int64) error {
		if _, err := tx.ExecContext(ctx, "UPDATE traces SET execution_time_ms = ? - timestamp_ms, status = ? WHERE tid = ?", end, state, tid); err != nil {
			return err
		}
		return errors.Join(setTraceMetadata(ctx, tx, tid, metadata), setTraceTags(ctx, tx, tid, tags))
	})
	if err != nil {
		return TraceInfo{}, err
	}
	return s.TraceInfo(ctx, id)
}
