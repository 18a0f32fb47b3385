package registry

import (
	"context"
	"database/sql"
	"errors"
	"strconv"
	"strings"
)

// LoggedModel is a model that a 3.x client logged, with or without registering it.
type LoggedModel struct {
	Info LoggedModelInfo `json:"info"`
	Data LoggedModelData `json:"data"`
}

// LoggedModelInfo holds a logged model's own fields; times are milliseconds since 1970.
type LoggedModelInfo struct {
	ModelID       string     `json:"model_id"`
	ExperimentID  string     `json:"experiment_id"`
	Name          string     `json:"name"`
	Created       int64      `json:"creation_timestamp_ms"`
	LastUpdated   int64      `json:"last_updated_timestamp_ms"`
	ArtifactURI   string     `json:"artifact_uri"`
	Status        string     `json:"status"`
	ModelType     string     `json:"model_type"`
	SourceRunID   string     `json:"source_run_id"`
	StatusMessage string     `json:"status_message,omitempty"`
	Tags          []KeyValue `json:"tags,omitempty"`
}

// LoggedModelData holds params and every metric point that was measured on the model.
type LoggedModelData struct {
	Params  []KeyValue `json:"params,omitempty"`
	Metrics []Metric   `json:"metrics,omitempty"`
}

// loggedModelStatuses lists the states by their numbers in MLflow's protocol, which start at 1.
var loggedModelStatuses = []string{"LOGGED_MODEL_PENDING", "LOGGED_MODEL_READY", "LOGGED_MODEL_UPLOAD_FAILED"}

// ParseLoggedModelStatus reads a state by name or number.
func ParseLoggedModelStatus(s string) (number int, ok bool) {
	for i, name := range loggedModelStatuses {
		if s == name || s == strconv.Itoa(i+1) {
			return i + 1, true
		}
	}
	return 0, false
}

// TagModelVersions is the tag of a logged model that lists the versions registered from it, as JSON.
const TagModelVersions = "mlflow.modelVersions"

// NewLoggedModel is what CreateLoggedModel needs.
type NewLoggedModel struct {
	ExperimentID string
	Name         string
	ModelType    string
	SourceRunID  string
	Params       []KeyValue
	Tags         []KeyValue
}

func validateLoggedModelName(name string) error {
	if strings.ContainsAny(name, `/:.%"'`) {
		return Invalidf(`Invalid model name (%s) provided. Model name must be a non-empty string and cannot contain the following characters: ('/', ':', '.', '%%', '"', "'")`, pyQuote(name))
	}
	return nil
}

// CreateLoggedModel makes a logged model in state LOGGED_MODEL_PENDING in an active experiment. MLflow checks neither keys nor lengths of its
// params and tags.
func (s *Store) CreateLoggedModel(ctx context.Context, n NewLoggedModel) (LoggedModel, error) {
	if err := validateLoggedModelName(n.Name); err != nil {
		return LoggedModel{}, err
	}
	if key := twice(n.Tags); key != "" {
		return LoggedModel{}, Errorf(BadRequest, "The tag '%s' is given twice.", key)
	}
	if n.Name == "" {
		n.Name = name(s.cfg.NewID())
	}
	id := "m-" + s.cfg.NewID()
	err := s.writeActiveExperiment(ctx, n.ExperimentID, func(tx querier, eid int64) error {
		var location string
		if err := tx.QueryRowContext(ctx, "SELECT artifact_location FROM experiments WHERE eid = ?", eid).Scan(&location); err != nil {
			return err
		}
		now := s.now()
		var lid int64
		if err := tx.QueryRowContext(ctx, `INSERT INTO logged_models
			(model_id, eid, name, artifact_uri, status, model_type, source_run_id, creation_timestamp, last_updated_timestamp)
			VALUES (?, ?, ?, ?, 1, ?, ?, ?, ?) RETURNING lid`,
			id, eid, n.Name, joinURI(location, "models", id, "artifacts"), n.ModelType, n.SourceRunID, now, now).Scan(&lid); err != nil {
			return err
		}
		if err := insertLoggedModelParams(ctx, tx, lid, n.Params); err != nil {
			return err
		}
		return setLoggedModelTags(ctx, tx, lid, n.Tags)
	})
	if err != nil {
		return LoggedModel{}, err
	}
	return s.LoggedModel(ctx, id, false)
}

func insertLoggedModelParams(ctx context.Context, tx querier, lid int64, params []KeyValue) error {
	for _, p := range params {
		ok, err := affected(tx.ExecContext(ctx, "INSERT INTO logged_model_params (lid, key, value) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", lid, p.Key, p.Value))
		if err == nil && !ok {
			err = Errorf(BadRequest, "Params of a logged model are written once, and it has a param '%s' already.", p.Key)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func setLoggedModelTags(ctx context.Context, tx querier, lid int64, tags []KeyValue) error {
	for _, t := range tags {
		if _, err := tx.ExecContext(ctx, `INSERT INTO logged_model_tags (lid, key, value) VALUES (?, ?, ?)
			ON CONFLICT (lid, key) DO UPDATE SET value = excluded.value`, lid, t.Key, t.Value); err != nil {
			return err
		}
	}
	return nil
}

const loggedModelColumns = `m.lid, m.model_id, m.eid, m.name, m.creation_timestamp, m.last_updated_timestamp, m.artifact_uri, m.status, m.model_type,
	m.source_run_id`

type loggedModelRow struct {
	lid   int64
	model LoggedModel
}

func scanLoggedModel(row interface{ Scan(...any) error }) (r loggedModelRow, err error) {
	i := &r.model.Info
	var eid int64
	var status int
	err = row.Scan(&r.lid, &i.ModelID, &eid, &i.Name, &i.Created, &i.LastUpdated, &i.ArtifactURI, &status, &i.ModelType, &i.SourceRunID)
	i.ExperimentID = strconv.FormatInt(eid, 10)
	if status > 0 && status <= len(loggedModelStatuses) {
		i.Status = loggedModelStatuses[status-1]
	}
	return r, err
}

func noLoggedModel(id string) error { return NotFoundf("Logged model with ID '%s' not found.", id) }

// LoggedModel gives one logged model whole; deleted ones only if asked for.
func (s *Store) LoggedModel(ctx context.Context, id string, allowDeleted bool) (LoggedModel, error) {
	q := s.db.Read()
	row, err := scanLoggedModel(q.QueryRowContext(ctx, "SELECT "+loggedModelColumns+" FROM logged_models m WHERE m.model_id = ? AND (m.lifecycle_stage = 'active' OR ?)", id, allowDeleted))
	if errors.Is(err, sql.ErrNoRows) {
		return LoggedModel{}, noLoggedModel(id)
	} else if err != nil {
		return LoggedModel{}, err
	}
	models, err := loadLoggedModels(ctx, q, []loggedModelRow{row})
	if err != nil {
		return LoggedModel{}, err
	}
	return models[0], nil
}

func loadLoggedModels(ctx context.Context, q querier, rows []loggedModelRow) ([]LoggedModel, error) {
	out := make([]LoggedModel, len(rows))
	for i, r := range rows {
		out[i] = r.model
		var err error
		if out[i].Info.Tags, err = queryRows(ctx, q, scanKeyValue, "SELECT key, value FROM logged_model_tags WHERE lid = ? ORDER BY key", r.lid); err != nil {
			return nil, err
		}
		if out[i].Data.Params, err = queryRows(ctx, q, scanKeyValue, "SELECT key, value FROM logged_model_params WHERE lid = ? ORDER BY key", r.lid); err != nil {
			return nil, err
		}
		out[i].Data.Metrics, err = queryRows(ctx, q, func(rows *sql.Rows) (Metric, error) {
			m := Metric{ModelID: r.model.Info.ModelID}
			var nan bool
			err := rows.Scan(&m.Key, &m.Value, &nan, &m.Timestamp, &m.Step, &m.RunID, &m.DatasetName, &m.DatasetDigest)
			m.Value = m.Value.orNaN(nan)
			return m, err
		}, `SELECT key, value, is_nan, timestamp, step, run_id, dataset_name, dataset_digest FROM logged_model_metrics WHERE lid = ?
			ORDER BY key, timestamp, step, value`, r.lid)
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// writeLoggedModel runs fn on a logged model, deleted or not: MLflow lets a client finish one that was deleted meanwhile.
func (s *Store) writeLoggedModel(ctx context.Context, id string, fn func(tx querier, lid int64) error) error {
	return s.db.Write(ctx, func(tx querier) error {
		var lid int64
		err := tx.QueryRowContext(ctx, "SELECT lid FROM logged_models WHERE model_id = ?", id).Scan(&lid)
		if errors.Is(err, sql.ErrNoRows) {
			return noLoggedModel(id)
		} else if err != nil {
			return err
		}
		return fn(tx, lid)
	})
}

// FinalizeLoggedModel sets the status (a number of MLflow's protocol).
func (s *Store) FinalizeLoggedModel(ctx context.Context, id string, status int) (LoggedModel, error) {
	err := s.writeLoggedModel(ctx, id, func(tx querier, lid int64) error {
		_, err := tx.ExecContext(ctx, "UPDATE logged_models SET status = ?, last_updated_timestamp = ? WHERE lid = ?", status, s.now(), lid)
		return err
	})
	if err != nil {
		return LoggedModel{}, err
	}
	return s.LoggedModel(ctx, id, true)
}

// DeleteLoggedModel marks a logged model deleted.
func (s *Store) DeleteLoggedModel(ctx context.Context, id string) error {
	return s.writeLoggedModel(ctx, id, func(tx querier, lid int64) error {
		_, err := tx.ExecContext(ctx, "UPDATE logged_models SET lifecycle_stage = 'deleted', last_updated_timestamp = ? WHERE lid = ?", s.now(), lid)
		return err
	})
}

// SetLoggedModelTags sets tags of a logged model.
func (s *Store) SetLoggedModelTags(ctx context.Context, id string, tags []KeyValue) error {
	return s.writeLoggedModel(ctx, id, func(tx querier, lid int64) error { return setLoggedModelTags(ctx, tx, lid, tags) })
}

// DeleteLoggedModelTag removes a tag; RESOURCE_DOES_NOT_EXIST when there is none of that key.
func (s *Store) DeleteLoggedModelTag(ctx context.Context, id, key string) error {
	return s.writeLoggedModel(ctx, id, func(tx querier, lid int64) error {
		ok, err := affected(tx.ExecContext(ctx, "DELETE FROM logged_model_tags WHERE lid = ? AND key = ?", lid, key))
		if err == nil && !ok {
			err = NotFoundf("No tag with key '%s' found for model with ID '%s'.", key, id)
		}
		return err
	})
}

// LogLoggedModelParams adds params to a logged model.
func (s *Store) LogLoggedModelParams(ctx context.Context, id string, params []KeyValue) error {
	return s.writeLoggedModel(ctx, id, func(tx querier, lid int64) error { return insertLoggedModelParams(ctx, tx, lid, params) })
}

// logModelMetric stores a run's point on the logged model it measures. A model that is not there is a BAD_REQUEST.
func logModelMetric(ctx context.Context, tx querier, runID string, m Metric) error {
	v, nan := m.Value.stored()
	var there bool
	if err := tx.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM logged_models WHERE model_id = ?)", m.ModelID).Scan(&there); err != nil {
		return err
	}
	if !there {
		return Errorf(BadRequest, "There is no logged model with ID '%s'.", m.ModelID)
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO logged_model_metrics (lid, key, timestamp, step, value, is_nan, run_id, dataset_name, dataset_digest)
		SELECT lid, ?, ?, ?, ?, ?, ?, ?, ? FROM logged_models WHERE model_id = ? ON CONFLICT DO NOTHING`,
		m.Key, m.Timestamp, m.Step, v, nan, runID, m.DatasetName, m.DatasetDigest, m.ModelID)
	return err
}
