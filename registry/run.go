package registry

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/prinzbox/prinzbox/registry/sqldb"
)

// Run is MLflow's Run message. The arrays of Data are written even when empty: 3.17.2 leaves them out, but 1.x clients
// insist on them and newer ones accept them (contract/behaviours.md, section 13).
type Run struct {
	Info    RunInfo     `json:"info"`
	Data    RunData     `json:"data"`
	Inputs  RunInputs   `json:"inputs"`
	Outputs *RunOutputs `json:"outputs,omitempty"`
}

// RunInfo is a run's own fields. Times are milliseconds since 1970; EndTime is nil while the run is going on.
type RunInfo struct {
	RunUUID        string `json:"run_uuid"`
	ExperimentID   string `json:"experiment_id"`
	RunName        string `json:"run_name"`
	UserID         string `json:"user_id"`
	Status         string `json:"status"`
	StartTime      int64  `json:"start_time"`
	EndTime        *int64 `json:"end_time,omitempty"`
	ArtifactURI    string `json:"artifact_uri"`
	LifecycleStage string `json:"lifecycle_stage"`
	RunID          string `json:"run_id"`
}

// RunData holds a run's latest metrics, its params and its tags, each ordered by key.
type RunData struct {
	Metrics []Metric   `json:"metrics"`
	Params  []KeyValue `json:"params"`
	Tags    []KeyValue `json:"tags"`
}

// RunInputs are the datasets and logged models a run read.
type RunInputs struct {
	DatasetInputs []DatasetInput `json:"dataset_inputs,omitempty"`
	ModelInputs   []ModelInput   `json:"model_inputs,omitempty"`
}

// RunOutputs are the logged models a run wrote.
type RunOutputs struct {
	ModelOutputs []ModelOutput `json:"model_outputs,omitempty"`
}

// Run states, as they stand in RunInfo.Status.
const (
	RunRunning   = "RUNNING"
	RunScheduled = "SCHEDULED"
	RunFinished  = "FINISHED"
	RunFailed    = "FAILED"
	RunKilled    = "KILLED"
)

// runStatuses lists the states by their numbers in MLflow's protocol, which start at 1.
var runStatuses = []string{RunRunning, RunScheduled, RunFinished, RunFailed, RunKilled}

// ParseRunStatus reads a state by name or number.
func ParseRunStatus(s string) (string, bool) {
	for i, name := range runStatuses {
		if s == name || s == strconv.Itoa(i+1) {
			return name, true
		}
	}
	return "", false
}

// Tags that the store gives a meaning.
const (
	TagRunName      = "mlflow.runName"
	TagModelHistory = "mlflow.log-model.history"
	TagUser         = "mlflow.user"
	TagSourceName   = "mlflow.source.name"
	TagSourceType   = "mlflow.source.type"
	TagNote         = "mlflow.note.content"
	TagParentRun    = "mlflow.parentRunId"
	TagDataContext  = "mlflow.data.context"
)

// NewRun is what CreateRun needs. Name may come as the tag mlflow.runName instead; without either the run gets a
// random name. RunID is for callers that need a certain id; empty means a new one.
type NewRun struct {
	ExperimentID string
	RunID        string
	UserID       string
	Name         string
	StartTime    int64
	Tags         []KeyValue
}

// CreateRun makes a run in state RUNNING in an active experiment.
func (s *Store) CreateRun(ctx context.Context, n NewRun) (Run, error) {
	if n.ExperimentID == "" {
		return Run{}, Errorf(BadRequest, "Missing value for required parameter 'experiment_id'.")
	}
	// MLflow checks no keys and cuts no values here.
	if key := twice(n.Tags); key != "" {
		return Run{}, Errorf(BadRequest, "The tag '%s' is given twice.", key)
	}
	tags := slices.Clip(n.Tags)
	named := false
	for _, t := range tags {
		if t.Key != TagRunName {
			continue
		}
		named = true
		if n.Name != "" && n.Name != t.Value {
			return Run{}, Invalidf("Both 'run_name' argument and 'mlflow.runName' tag are specified, but with different values (run_name='%s', mlflow.runName='%s').", n.Name, t.Value)
		}
		n.Name = t.Value
	}
	if n.Name == "" {
		n.Name = name(s.cfg.NewID())
	}
	if !named {
		tags = append(tags, KeyValue{TagRunName, n.Name})
	}
	id := n.RunID
	if id == "" {
		id = s.cfg.NewID()
	}
	var info RunInfo
	err := s.writeActiveExperiment(ctx, n.ExperimentID, func(tx querier, eid int64) error {
		var location string
		if err := tx.QueryRowContext(ctx, "SELECT artifact_location FROM experiments WHERE eid = ?", eid).Scan(&location); err != nil {
			return err
		}
		info = RunInfo{
			RunUUID: id, RunID: id, ExperimentID: strconv.FormatInt(eid, 10), RunName: n.Name, UserID: n.UserID, Status: RunRunning,
			StartTime: n.StartTime, ArtifactURI: joinURI(location, id, "artifacts"), LifecycleStage: StageActive,
		}
		var rid int64
		if err := tx.QueryRowContext(ctx, `INSERT INTO runs (run_id, eid, name, user_id, status, start_time, artifact_uri)
			VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING rid`,
			id, eid, n.Name, n.UserID, RunRunning, n.StartTime, info.ArtifactURI).Scan(&rid); err != nil {
			return err
		}
		for _, t := range tags {
			if err := setTag(ctx, tx, rid, t); err != nil {
				return err
			}
		}
		return nil
	})
	return Run{Info: info, Data: RunData{Metrics: []Metric{}, Params: []KeyValue{}, Tags: tags}}, err
}

const runColumns = "r.rid, r.run_id, r.eid, r.name, r.user_id, r.status, r.start_time, r.end_time, r.artifact_uri, r.lifecycle_stage"

// runRow is a run with its inner key.
type runRow struct {
	rid  int64
	info RunInfo
}

func scanRun(row interface{ Scan(...any) error }) (r runRow, err error) {
	var eid int64
	i := &r.info
	err = row.Scan(&r.rid, &i.RunID, &eid, &i.RunName, &i.UserID, &i.Status, &i.StartTime, &i.EndTime, &i.ArtifactURI, &i.LifecycleStage)
	i.RunUUID, i.ExperimentID = i.RunID, strconv.FormatInt(eid, 10)
	return r, err
}

// readRun is scanRun for Each.
func readRun(row *sqldb.Row) runRow {
	r := runRow{rid: row.Int(0), info: RunInfo{
		RunID: row.Text(1), ExperimentID: strconv.FormatInt(row.Int(2), 10), RunName: row.Text(3), UserID: row.Text(4), Status: row.Text(5),
		StartTime: row.Int(6), ArtifactURI: row.Text(8), LifecycleStage: row.Text(9),
	}}
	if !row.Null(7) {
		end := row.Int(7)
		r.info.EndTime = &end
	}
	r.info.RunUUID = r.info.RunID
	return r
}

// Run gives one run whole, deleted ones included. RESOURCE_DOES_NOT_EXIST when there is none.
func (s *Store) Run(ctx context.Context, id string) (Run, error) {
	rows, err := eachOf(ctx, s.db, readRun, "SELECT "+runColumns+" FROM runs r WHERE r.run_id = ?", id)
	if err != nil {
		return Run{}, err
	}
	if len(rows) == 0 {
		return Run{}, NotFoundf("Run with id=%s not found", id)
	}
	runs, err := s.loadRuns(ctx, rows)
	if err != nil {
		return Run{}, err
	}
	return runs[0], nil
}

// What a row of loadRuns' query is.
const (
	rowParam = iota
	rowTag
	rowMetric
	rowInput
	rowOutput
	rowDataset
)

// loadRuns adds data, inputs and outputs to rows. Half of many rows is read beside the other half: a search waits for nothing longer.
func (s *Store) loadRuns(ctx context.Context, rows []runRow) ([]Run, error) {
	const many = 32 // from here on a second goroutine takes less time than it saves
	runs := make([]Run, len(rows))
	if len(rows) < many {
		return runs, s.loadRunData(ctx, rows, runs)
	}
	half := len(rows) / 2
	var second error
	var loading sync.WaitGroup
	loading.Go(func() { second = s.loadRunData(ctx, rows[half:], runs[half:]) })
	err := s.loadRunData(ctx, rows[:half], runs[:half])
	loading.Wait()
	if err == nil {
		err = second
	}
	return runs, err
}

// loadRunData fills the runs of rows. One query per chunk of runs brings all that is a key and a value, so that the parts of
// a run are of one moment; datasets are asked for only where there are some.
func (s *Store) loadRunData(ctx context.Context, rows []runRow, runs []Run) error {
	index := make(map[int64]*Run, len(rows))
	rids := make([]any, len(rows))
	for i, r := range rows {
		runs[i] = Run{Info: r.info, Data: RunData{Metrics: []Metric{}, Params: []KeyValue{}, Tags: []KeyValue{}}, Outputs: &RunOutputs{}}
		index[r.rid], rids[i] = &runs[i], r.rid
	}
	var withDatasets []any
	var pairs slab[KeyValue]
	var metrics slab[Metric]
	err := inChunks(rids, func(_ string, args []any) error {
		// Each arm walks a primary key, so its rows come in order; to say so in SQL would make SQLite sort all of them once more.
		const from = " FROM want w CROSS JOIN "
		query := "WITH want(rid) AS (VALUES " + strings.TrimSuffix(strings.Repeat("(?),", len(args)), ",") + ")" +
			" SELECT 0, x.rid, x.key, x.value, 0, 0, 0" + from + "params x ON x.rid = w.rid" +
			" UNION ALL SELECT 1, x.rid, x.key, x.value, 0, 0, 0" + from + "tags x ON x.rid = w.rid" +
			" UNION ALL SELECT 2, x.rid, x.key, x.value, x.is_nan, x.timestamp, x.step" + from + "latest_metrics x ON x.rid = w.rid" +
			" UNION ALL SELECT CASE x.direction WHEN 'input' THEN 3 ELSE 4 END, x.rid, x.model_id, 0, 0, 0, x.step" + from + "run_models x ON x.rid = w.rid" +
			" UNION ALL SELECT 5, x.rid, '', 0, 0, 0, x.did" + from + "run_datasets x ON x.rid = w.rid"
		var r *Run // rows of one run and kind follow each other
		var lastID, lastKind int64
		return s.db.Each(ctx, func(row *sqldb.Row) error {
			kind, rid := row.Int(0), row.Int(1)
			first := r == nil || rid != lastID || kind != lastKind
			if first {
				r, lastID, lastKind = index[rid], rid, kind
			}
			switch kind {
			case rowParam:
				r.Data.Params = pairs.add(first, KeyValue{row.Text(2), row.Text(3)})
			case rowTag:
				r.Data.Tags = pairs.add(first, KeyValue{row.Text(2), row.Text(3)})
			case rowMetric:
				r.Data.Metrics = metrics.add(first, Metric{
					Key: row.Text(2), Value: Float(row.Float(3)).orNaN(row.Int(4) != 0), Timestamp: row.Int(5), Step: row.Int(6),
				})
			case rowInput:
				r.Inputs.ModelInputs = append(r.Inputs.ModelInputs, ModelInput{row.Text(2)})
			case rowOutput:
				r.Outputs.ModelOutputs = append(r.Outputs.ModelOutputs, ModelOutput{row.Text(2), row.Int(6)})
			case rowDataset:
				if first {
					withDatasets = append(withDatasets, rid)
				}
			}
			return nil
		}, query, args...)
	})
	if err == nil {
		err = loadDatasets(ctx, s.db.Read(), withDatasets, index)
	}
	for i := range runs {
		if outputs := runs[i].Outputs.ModelOutputs; len(outputs) > 1 { // the key holds them by id, MLflow gives them by step
			slices.SortStableFunc(outputs, func(a, b ModelOutput) int { return cmp.Compare(a.Step, b.Step) })
		}
	}
	return err
}

// slab is one array for the lists of many runs, which come one after the other.
type slab[T any] struct {
	all   []T
	start int // of the list under way
}

// add puts a value at the end of the list under way, or begins the next list with it, and gives that list.
func (s *slab[T]) add(first bool, v T) []T {
	if first {
		s.start = len(s.all)
	}
	s.all = append(s.all, v)
	return s.all[s.start:len(s.all):len(s.all)]
}

// inChunks calls fn with "(?,?,…)" and its values, a few hundred at a time. Full chunks share one statement text; the last is padded to a
// power of two with NULLs, which match nothing, so that few texts exist.
func inChunks(values []any, fn func(in string, args []any) error) error {
	const chunk = 256
	for len(values) > 0 {
		n := min(chunk, len(values))
		args := values[:n:n]
		size := 1
		for size < n {
			size *= 2
		}
		for len(args) < size {
			args = append(args, nil)
		}
		if err := fn("("+placeholders(size)+")", args); err != nil {
			return err
		}
		values = values[n:]
	}
	return nil
}

// RunUpdate is a partial update: nil means "leave it".
type RunUpdate struct {
	Status  *string
	EndTime *int64
	Name    *string
}

// UpdateRun changes an active run and returns its info. An empty name changes nothing.
func (s *Store) UpdateRun(ctx context.Context, id string, u RunUpdate) (RunInfo, error) {
	var info RunInfo
	err := s.writeActiveRun(ctx, id, func(tx querier, rid int64) error {
		if u.Name != nil && *u.Name != "" {
			if err := setTag(ctx, tx, rid, KeyValue{TagRunName, *u.Name}); err != nil {
				return err
			}
		}
		if u.Status != nil {
			if _, err := tx.ExecContext(ctx, "UPDATE runs SET status = ? WHERE rid = ?", *u.Status, rid); err != nil {
				return err
			}
		}
		if u.EndTime != nil {
			// 0 is no time: MLflow takes it for "none".
			if _, err := tx.ExecContext(ctx, "UPDATE runs SET end_time = nullif(?, 0) WHERE rid = ?", *u.EndTime, rid); err != nil {
				return err
			}
		}
		row, err := scanRun(tx.QueryRowContext(ctx, "SELECT "+runColumns+" FROM runs r WHERE r.rid = ?", rid))
		info = row.info
		return err
	})
	return info, err
}

// DeleteRun marks a run deleted; doing it twice is fine.
func (s *Store) DeleteRun(ctx context.Context, id string) error {
	return s.setRunStage(ctx, id, StageDeleted, s.now())
}

// RestoreRun makes a deleted run active; doing it twice is fine.
func (s *Store) RestoreRun(ctx context.Context, id string) error {
	return s.setRunStage(ctx, id, StageActive, nil)
}

func (s *Store) setRunStage(ctx context.Context, id, stage string, deleted any) error {
	return s.db.Write(ctx, func(tx querier) error {
		ok, err := affected(tx.ExecContext(ctx, "UPDATE runs SET lifecycle_stage = ?, deleted_time = ? WHERE run_id = ?", stage, deleted, id))
		if err == nil && !ok {
			err = NotFoundf("Run with id=%s not found", id)
		}
		return err
	})
}

// SetTag sets a tag of an active run. The tag mlflow.runName renames the run.
func (s *Store) SetTag(ctx context.Context, id string, tag KeyValue) error {
	tags, err := s.validateTags([]KeyValue{tag})
	if err != nil {
		return err
	}
	return s.writeActiveRun(ctx, id, func(tx querier, rid int64) error { return setTag(ctx, tx, rid, tags[0]) })
}

func setTag(ctx context.Context, tx querier, rid int64, t KeyValue) error {
	if t.Key == TagRunName {
		if t.Value == "" {
			return nil // a run keeps its name
		}
		if _, err := tx.ExecContext(ctx, "UPDATE runs SET name = ? WHERE rid = ?", t.Value, rid); err != nil {
			return err
		}
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO tags (rid, key, value) VALUES (?, ?, ?)
		ON CONFLICT (rid, key) DO UPDATE SET value = excluded.value`, rid, t.Key, t.Value)
	return err
}

// DeleteTag removes a tag of an active run; RESOURCE_DOES_NOT_EXIST when it has none of that key.
func (s *Store) DeleteTag(ctx context.Context, id, key string) error {
	return s.writeActiveRun(ctx, id, func(tx querier, rid int64) error {
		ok, err := affected(tx.ExecContext(ctx, "DELETE FROM tags WHERE rid = ? AND key = ?", rid, key))
		if err == nil && !ok {
			err = NotFoundf("No tag with name: %s in run with id %s", key, id)
		}
		return err
	})
}

// writeActiveRun runs fn on a run that exists and is not deleted.
func (s *Store) writeActiveRun(ctx context.Context, id string, fn func(tx querier, rid int64) error) error {
	return s.db.Write(ctx, func(tx querier) error {
		run, err := activeRun(ctx, tx, id)
		if err != nil {
			return err
		}
		return fn(tx, run.rid)
	})
}

// activeRunKey is the inner key of a run, and of its experiment.
type activeRunKey struct{ rid, eid int64 }

func activeRun(ctx context.Context, tx querier, id string) (run activeRunKey, err error) {
	var stage string
	err = tx.QueryRowContext(ctx, "SELECT rid, eid, lifecycle_stage FROM runs WHERE run_id = ?", id).Scan(&run.rid, &run.eid, &stage)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return run, NotFoundf("Run with id=%s not found", id)
	case err != nil:
		return run, err
	case stage != StageActive:
		return run, Invalidf("The run %s must be in the 'active' state. Current state is %s.", id, stage)
	}
	return run, nil
}

// twice gives the key that more than one tag has, or "".
func twice(tags []KeyValue) string {
	const few = 16 // so many are compared faster than hashed
	if len(tags) > few {
		seen := make(map[string]bool, len(tags))
		for _, t := range tags {
			if seen[t.Key] {
				return t.Key
			}
			seen[t.Key] = true
		}
		return ""
	}
	for i, t := range tags {
		for _, earlier := range tags[:i] {
			if earlier.Key == t.Key {
				return t.Key
			}
		}
	}
	return ""
}

// lastWins drops all but the last tag of each key, keeping the order.
func lastWins(tags []KeyValue) []KeyValue {
	last := make(map[string]int, len(tags))
	for i, t := range tags {
		last[t.Key] = i
	}
	if len(last) == len(tags) {
		return tags
	}
	out := make([]KeyValue, 0, len(last))
	for i, t := range tags {
		if last[t.Key] == i {
			out = append(out, t)
		}
	}
	return out
}

// pyList is how Python prints a list of strings, for messages that do.
func pyList(items []string) string {
	quoted := make([]string, len(items))
	for i, item := range items {
		quoted[i] = pyQuote(item)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// pyQuote is how Python prints a string, in double quotes only if it holds a single one and no double ones.
func pyQuote(s string) string {
	quote := byte('\'')
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		quote = '"'
	}
	out := []byte{quote}
	for _, r := range s {
		switch {
		case r == rune(quote) || r == '\\':
			out = append(out, '\\', byte(r))
		case r == '\n':
			out = append(out, `\n`...)
		case r == '\r':
			out = append(out, `\r`...)
		case r == '\t':
			out = append(out, `\t`...)
		case r < ' ' || r == 0x7f:
			out = fmt.Appendf(out, `\x%02x`, r)
		default:
			out = utf8.AppendRune(out, r)
		}
	}
	return string(append(out, quote))
}

// AppendModelHistory adds an entry (a JSON object) to the list in the tag mlflow.log-model.history.
func (s *Store) AppendModelHistory(ctx context.Context, runID string, entry json.RawMessage) error {
	return s.writeActiveRun(ctx, runID, func(tx querier, rid int64) error {
		var text string
		err := tx.QueryRowContext(ctx, "SELECT value FROM tags WHERE rid = ? AND key = ?", rid, TagModelHistory).Scan(&text)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		var list []json.RawMessage
		if text != "" {
			if err := json.Unmarshal([]byte(text), &list); err != nil {
				return Invalidf("The tag %s of run %s is not a JSON list.", TagModelHistory, runID)
			}
		}
		list = append(list, entry)
		out := make([]string, len(list))
		for i, e := range list {
			out[i] = string(e)
		}
		return setTag(ctx, tx, rid, KeyValue{TagModelHistory, "[" + strings.Join(out, ", ") + "]"})
	})
}
