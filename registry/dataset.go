package registry

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
)

// Dataset is the data a run read. Schema and Profile are JSON text.
type Dataset struct {
	Name       string  `json:"name"`
	Digest     string  `json:"digest"`
	SourceType string  `json:"source_type"`
	Source     string  `json:"source"`
	Schema     *string `json:"schema,omitempty"`
	Profile    *string `json:"profile,omitempty"`
}

// DatasetInput is a dataset as one run read it. The tag mlflow.data.context says what for ("train").
type DatasetInput struct {
	Tags    []KeyValue `json:"tags,omitempty"`
	Dataset Dataset    `json:"dataset"`
}

// ModelInput is a logged model that a run read.
type ModelInput struct {
	ModelID string `json:"model_id"`
}

// ModelOutput is a logged model that a run wrote at a step.
type ModelOutput struct {
	ModelID string `json:"model_id"`
	Step    int64  `json:"step"`
}

func validateDatasetInput(d DatasetInput) error {
	schema, profile := "", ""
	if d.Dataset.Schema != nil {
		schema = *d.Dataset.Schema
	}
	if d.Dataset.Profile != nil {
		profile = *d.Dataset.Profile
	}
	err := errors.Join(
		checkLength(d.Dataset.Name, "name", 500), checkLength(d.Dataset.Digest, "digest", 36), checkLength(d.Dataset.Source, "source", 65535),
		checkLength(schema, "schema", 1048575), checkLength(profile, "profile", 16777215))
	for _, t := range d.Tags {
		err = errors.Join(err, checkLength(t.Key, "key", 255), checkLength(t.Value, "value", 500))
	}
	return first(err)
}

// first unwraps a joined error to its first part, so that the client sees one message.
func first(err error) error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return err
}

// LogInputs attaches datasets and logged models to an active run. A dataset is known by experiment, name and digest: the first one
// wins, and attaching it again changes nothing.
func (s *Store) LogInputs(ctx context.Context, runID string, datasets []DatasetInput, models []ModelInput) error {
	for _, d := range datasets {
		if err := validateDatasetInput(d); err != nil {
			return err
		}
	}
	return s.writeActiveRun(ctx, runID, func(tx querier, rid int64) error {
		for _, d := range datasets {
			if key := twice(d.Tags); key != "" {
				return Errorf(BadRequest, "The tag '%s' of the dataset '%s' is given twice.", key, d.Dataset.Name)
			}
			if err := logDataset(ctx, tx, rid, d); err != nil {
				return err
			}
		}
		for _, m := range models {
			if _, err := linkModel(ctx, tx, rid, "input", m.ModelID, 0); err != nil {
				return err
			}
		}
		return nil
	})
}

// LogOutputs attaches logged models to an active run as what it wrote.
func (s *Store) LogOutputs(ctx context.Context, runID string, models []ModelOutput) error {
	return s.writeActiveRun(ctx, runID, func(tx querier, rid int64) error {
		for _, m := range models {
			fresh, err := linkModel(ctx, tx, rid, "output", m.ModelID, m.Step)
			if err == nil && !fresh {
				err = Errorf(BadRequest, "The logged model '%s' is an output of the run '%s' already.", m.ModelID, runID)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// linkModel links a logged model to a run, and tells whether it was not linked before.
func linkModel(ctx context.Context, tx querier, rid int64, direction, modelID string, step int64) (bool, error) {
	return affected(tx.ExecContext(ctx, "INSERT INTO run_models (rid, direction, model_id, step) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
		rid, direction, modelID, step))
}

func logDataset(ctx context.Context, tx querier, rid int64, d DatasetInput) error {
	if _, err := tx.ExecContext(ctx, `INSERT INTO datasets (eid, name, digest, source_type, source, schema, profile)
		SELECT eid, ?, ?, ?, ?, ?, ? FROM runs WHERE rid = ? ON CONFLICT DO NOTHING`,
		d.Dataset.Name, d.Dataset.Digest, d.Dataset.SourceType, d.Dataset.Source, d.Dataset.Schema, d.Dataset.Profile, rid); err != nil {
		return err
	}
	tags := d.Tags
	if tags == nil {
		tags = []KeyValue{}
	}
	text, err := json.Marshal(tags)
	if err != nil {
		return err
	}
	var usedFor any
	for _, t := range tags {
		if t.Key == TagDataContext {
			usedFor = t.Value
		}
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO run_datasets (rid, did, tags, context)
		SELECT r.rid, d.did, ?, ? FROM runs r JOIN datasets d ON d.eid = r.eid
		WHERE r.rid = ? AND d.name = ? AND d.digest = ? ON CONFLICT DO NOTHING`, string(text), usedFor, rid, d.Dataset.Name, d.Dataset.Digest)
	return err
}

// loadDatasets adds the datasets that runs read.
func loadDatasets(ctx context.Context, q querier, rids []any, index map[int64]*Run) error {
	return inChunks(rids, func(in string, args []any) error {
		_, err := queryRows(ctx, q, func(rows *sql.Rows) (_ struct{}, err error) {
			var rid int64
			var d DatasetInput
			var tags string
			if err := rows.Scan(&rid, &d.Dataset.Name, &d.Dataset.Digest, &d.Dataset.SourceType, &d.Dataset.Source, &d.Dataset.Schema, &d.Dataset.Profile, &tags); err != nil {
				return struct{}{}, err
			}
			r := index[rid]
			err = json.Unmarshal([]byte(tags), &d.Tags)
			r.Inputs.DatasetInputs = append(r.Inputs.DatasetInputs, d)
			return struct{}{}, err
		}, `SELECT i.rid, d.name, d.digest, d.source_type, d.source, d.schema, d.profile, i.tags
			FROM run_datasets i JOIN datasets d ON d.did = i.did WHERE i.rid IN `+in+" ORDER BY i.rid, d.did", args...)
		return err
	})
}
