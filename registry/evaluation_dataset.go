package registry

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"strconv"

	"github.com/prinzbox/prinzbox/registry/filter"
	"github.com/prinzbox/prinzbox/registry/pyjson"
)

// EvaluationDataset is MLflow's Dataset message of the evaluation API; times are milliseconds since 1970. Tags, Schema and Profile are
// JSON texts. ExperimentIDs stands only in the answer to create (contract/endpoints.md, message shapes).
type EvaluationDataset struct {
	ID            string   `json:"dataset_id"`
	Name          string   `json:"name"`
	Tags          string   `json:"tags"`
	Schema        *string  `json:"schema,omitempty"`
	Profile       *string  `json:"profile,omitempty"`
	Digest        string   `json:"digest"`
	Created       int64    `json:"created_time"`
	LastUpdated   int64    `json:"last_update_time"`
	CreatedBy     *string  `json:"created_by,omitempty"`
	LastUpdatedBy *string  `json:"last_updated_by,omitempty"`
	ExperimentIDs []string `json:"experiment_ids,omitempty"`
}

// NewEvaluationDataset is what CreateEvaluationDataset needs. Tags is the JSON text of an object, or empty.
type NewEvaluationDataset struct {
	Name          string
	Tags          string
	ExperimentIDs []string
}

// tagUser names the user who did something; clients set it.
const tagUser = "mlflow.user"

// jsonObject reads a request's text that must be a JSON object.
func jsonObject(text, field string) (pyjson.Value, error) {
	v, err := pyjson.Parse(text)
	if err != nil {
		return v, Invalidf("Invalid value for parameter '%s' supplied: it is not JSON: %v", field, err)
	}
	if v.Kind() != pyjson.Object {
		return v, Invalidf("Invalid value for parameter '%s' supplied: it must be the JSON text of an object, such as '{\"key\": \"value\"}'.", field)
	}
	return v, nil
}

// tagText is a tag's value as MLflow stores it: Python's str of it, or nothing for null.
func tagText(v pyjson.Value) *string {
	if v.Kind() == pyjson.Null {
		return nil
	}
	text := v.Python()
	return &text
}

func datasetDigest(name string, updated int64) string {
	sum := sha256.Sum256([]byte(name + ":" + strconv.FormatInt(updated, 10)))
	return hex.EncodeToString(sum[:4])
}

// CreateEvaluationDataset makes a dataset without records. Experiments need not exist, as in MLflow.
func (s *Store) CreateEvaluationDataset(ctx context.Context, n NewEvaluationDataset) (EvaluationDataset, error) {
	tags := pyjson.OfMembers()
	if n.Tags != "" {
		var err error
		if tags, err = jsonObject(n.Tags, "tags"); err != nil {
			return EvaluationDataset{}, err
		}
	}
	id := "d-" + s.cfg.NewID()
	err := s.db.Write(ctx, func(tx querier) error {
		now := s.now()
		var user *string
		if v, ok := tags.Get(tagUser); ok {
			user = tagText(v)
		}
		var edid int64
		if err := tx.QueryRowContext(ctx, `INSERT INTO evaluation_datasets (dataset_id, name, digest, created_time, last_update_time, created_by, last_updated_by)
			VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING edid`, id, n.Name, datasetDigest(n.Name, now), now, now, user, user).Scan(&edid); err != nil {
			return err
		}
		for _, t := range tags.Members() {
			if err := setDatasetTag(ctx, tx, edid, t); err != nil {
				return err
			}
		}
		return linkExperiments(ctx, tx, edid, n.ExperimentIDs)
	})
	if err != nil {
		return EvaluationDataset{}, err
	}
	d, err := s.EvaluationDataset(ctx, id)
	d.ExperimentIDs = n.ExperimentIDs
	return d, err
}

func setDatasetTag(ctx context.Context, tx querier, edid int64, tag pyjson.Member) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO evaluation_dataset_tags (edid, key, value) VALUES (?, ?, ?)
		ON CONFLICT (edid, key) DO UPDATE SET value = excluded.value`, edid, tag.Key, tagText(tag.Value))
	return err
}

func linkExperiments(ctx context.Context, tx querier, edid int64, experimentIDs []string) error {
	for _, id := range experimentIDs {
		if _, err := tx.ExecContext(ctx, "INSERT INTO evaluation_dataset_experiments (edid, experiment_id) VALUES (?, ?) ON CONFLICT DO NOTHING", edid, id); err != nil {
			return err
		}
	}
	return nil
}

const evaluationDatasetColumns = `d.edid, d.dataset_id, d.name, d.schema, d.profile, d.digest, d.created_time, d.last_update_time, d.created_by, d.last_updated_by`

type evaluationDatasetRow struct {
	edid    int64
	dataset EvaluationDataset
}

func scanEvaluationDataset(row interface{ Scan(...any) error }) (r evaluationDatasetRow, err error) {
	d := &r.dataset
	err = row.Scan(&r.edid, &d.ID, &d.Name, &d.Schema, &d.Profile, &d.Digest, &d.Created, &d.LastUpdated, &d.CreatedBy, &d.LastUpdatedBy)
	return r, err
}

func loadDatasetTags(ctx context.Context, q querier, r *evaluationDatasetRow) error {
	members, err := queryRows(ctx, q, func(rows *sql.Rows) (m pyjson.Member, err error) {
		var value *string
		err = rows.Scan(&m.Key, &value)
		if value != nil {
			m.Value = pyjson.Of(*value)
		}
		return m, err
	}, "SELECT key, value FROM evaluation_dataset_tags WHERE edid = ? ORDER BY rowid", r.edid)
	r.dataset.Tags = pyjson.OfMembers(members...).JSON()
	return err
}

func (s *Store) evaluationDataset(ctx context.Context, q querier, id string, missing error) (evaluationDatasetRow, error) {
	row, err := scanEvaluationDataset(q.QueryRowContext(ctx, "SELECT "+evaluationDatasetColumns+" FROM evaluation_datasets d WHERE d.dataset_id = ?", id))
	if errors.Is(err, sql.ErrNoRows) {
		return row, missing
	} else if err != nil {
		return row, err
	}
	return row, loadDatasetTags(ctx, q, &row)
}

func noEvaluationDataset(id string) error {
	return NotFoundf("Evaluation dataset with id '%s' not found", id)
}

// EvaluationDataset gives one dataset without its records. RESOURCE_DOES_NOT_EXIST when there is none.
func (s *Store) EvaluationDataset(ctx context.Context, id string) (EvaluationDataset, error) {
	row, err := s.evaluationDataset(ctx, s.db.Read(), id, noEvaluationDataset(id))
	return row.dataset, err
}

// DeleteEvaluationDataset removes a dataset with its records; an unknown one is fine.
func (s *Store) DeleteEvaluationDataset(ctx context.Context, id string) error {
	return s.db.Write(ctx, func(tx querier) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM evaluation_datasets WHERE dataset_id = ?", id)
		return err
	})
}

var evaluationDatasetGrammar = filter.Grammar{
	Prefixes: map[string]filter.Kind{"tags": filter.Tag},
	Attributes: map[string]filter.Attr{
		"name": {List: true}, "created_by": {FilterOnly: true}, "last_updated_by": {FilterOnly: true},
		"created_time": {Numeric: true}, "last_update_time": {Numeric: true},
	},
	Words: &filter.Words{
		Clause: "Invalid clause(s) in filter string: %s",
		Entity: "Invalid identifier token '%s' specified",
		Key:    "Invalid attribute key '%s' specified. Valid keys are: %s",
		Text:   "Expected a quoted string value for attributes. Got value %s",
		TagOp:  "Invalid comparator for tag: %s",
		NotIn:  "List values for 'name' are only supported with the IN comparator.",
	},
	StringOrder: true,
}

var evaluationDatasetColumnsOf = filter.Columns{
	Attributes: map[string]string{
		"name": "d.name", "created_by": "d.created_by", "last_updated_by": "d.last_updated_by",
		"created_time": "d.created_time", "last_update_time": "d.last_update_time",
	},
	Rows: map[filter.Kind]string{filter.Tag: "SELECT 1 FROM evaluation_dataset_tags x WHERE x.edid = d.edid AND x.key = ?"},
}

// SearchEvaluationDatasets gives a page of datasets linked to any of the experiments (none means all), the newest first unless OrderBy
// says otherwise.
func (s *Store) SearchEvaluationDatasets(ctx context.Context, experimentIDs []string, q Query) (Page[EvaluationDataset], error) {
	if err := maxResults(q.MaxResults, MaxPage); err != nil {
		return Page[EvaluationDataset]{}, err
	}
	sel := &selection{columns: evaluationDatasetColumns, from: "evaluation_datasets d"}
	cs, err := evaluationDatasetGrammar.Parse(q.Filter)
	if err != nil {
		return Page[EvaluationDataset]{}, asInvalid(err)
	}
	for _, c := range cs {
		if f, ok := c.Value.(float64); ok {
			return Page[EvaluationDataset]{}, Invalidf("Invalid value for numeric attribute '%s': '%s'", c.Key, strconv.FormatFloat(f, 'g', -1, 64))
		}
	}
	sel.comparisons(&evaluationDatasetColumnsOf, cs)
	if len(experimentIDs) > 0 {
		args := make([]any, len(experimentIDs))
		for i, id := range experimentIDs {
			args[i] = id
		}
		sel.and("EXISTS (SELECT 1 FROM evaluation_dataset_experiments x WHERE x.edid = d.edid AND x.experiment_id IN ("+placeholders(len(args))+"))", args...)
	}
	for _, clause := range q.OrderBy {
		// One at a time: naming a column twice is no error here.
		orders, err := evaluationDatasetGrammar.ParseOrder([]string{clause})
		if err != nil {
			return Page[EvaluationDataset]{}, asInvalid(err)
		}
		if orders[0].Kind != filter.Attribute {
			return Page[EvaluationDataset]{}, Invalidf("Invalid order_by entity: %s", orders[0].Kind)
		}
		sel.order = append(sel.order, evaluationDatasetColumnsOf.Attributes[orders[0].Key]+direction(orders[0].Desc))
	}
	if len(q.OrderBy) == 0 {
		sel.order = []string{"d.created_time DESC"}
	}
	sel.order = append(sel.order, "d.dataset_id DESC")
	rd := s.db.Read()
	rows, err := runSelection(ctx, rd, sel, func(rows *sql.Rows) (evaluationDatasetRow, error) { return scanEvaluationDataset(rows) }, q.MaxResults, q.PageToken)
	if err != nil {
		return Page[EvaluationDataset]{}, err
	}
	out := Page[EvaluationDataset]{NextPageToken: rows.NextPageToken, Items: make([]EvaluationDataset, len(rows.Items))}
	for i := range rows.Items {
		if err := loadDatasetTags(ctx, rd, &rows.Items[i]); err != nil {
			return out, err
		}
		out.Items[i] = rows.Items[i].dataset
	}
	return out, nil
}

// SetEvaluationDatasetTags sets the members of a JSON object as tags; a null member changes nothing.
func (s *Store) SetEvaluationDatasetTags(ctx context.Context, id, tags string) error {
	parsed, err := jsonObject(tags, "tags")
	if err != nil {
		return err
	}
	return s.writeEvaluationDataset(ctx, id, NotFoundf("Could not find evaluation dataset with ID %s", id), func(tx querier, edid int64) error {
		for _, t := range parsed.Members() {
			if t.Value.Kind() == pyjson.Null {
				continue
			}
			if err := setDatasetTag(ctx, tx, edid, t); err != nil {
				return err
			}
		}
		return nil
	})
}

// DeleteEvaluationDatasetTag removes a tag; no such tag, or dataset, is fine.
func (s *Store) DeleteEvaluationDatasetTag(ctx context.Context, id, key string) error {
	return s.db.Write(ctx, func(tx querier) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM evaluation_dataset_tags
			WHERE key = ? AND edid = (SELECT edid FROM evaluation_datasets WHERE dataset_id = ?)`, key, id)
		return err
	})
}

func (s *Store) writeEvaluationDataset(ctx context.Context, id string, missing error, fn func(tx querier, edid int64) error) error {
	return s.db.Write(ctx, func(tx querier) error {
		var edid int64
		err := tx.QueryRowContext(ctx, "SELECT edid FROM evaluation_datasets WHERE dataset_id = ?", id).Scan(&edid)
		if errors.Is(err, sql.ErrNoRows) {
			return missing
		} else if err != nil {
			return err
		}
		return fn(tx, edid)
	})
}

// EvaluationDatasetExperiments lists the experiments that a dataset is linked to, in the order they were; none for an unknown dataset.
func (s *Store) EvaluationDatasetExperiments(ctx context.Context, id string) ([]string, error) {
	return queryRows(ctx, s.db.Read(), func(rows *sql.Rows) (id string, err error) {
		err = rows.Scan(&id)
		return id, err
	}, `SELECT x.experiment_id FROM evaluation_dataset_experiments x JOIN evaluation_datasets d ON d.edid = x.edid WHERE d.dataset_id = ? ORDER BY x.rowid`, id)
}

// AddDatasetToExperiments links a dataset to experiments, which must exist; links that are there are fine.
func (s *Store) AddDatasetToExperiments(ctx context.Context, id string, experimentIDs []string) (EvaluationDataset, error) {
	return s.changeDatasetExperiments(ctx, id, func(tx querier, edid int64) (bool, error) {
		for _, eid := range experimentIDs {
			var n int
			if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM experiments WHERE CAST(eid AS TEXT) = ?", eid).Scan(&n); err != nil {
				return false, err
			}
			if n == 0 {
				return false, NotFoundf("No Experiment with id=%s", eid)
			}
		}
		return true, linkExperiments(ctx, tx, edid, experimentIDs)
	})
}

// RemoveDatasetFromExperiments takes links away; links that are not there are fine.
func (s *Store) RemoveDatasetFromExperiments(ctx context.Context, id string, experimentIDs []string) (EvaluationDataset, error) {
	return s.changeDatasetExperiments(ctx, id, func(tx querier, edid int64) (changed bool, err error) {
		for _, eid := range experimentIDs {
			ok, err := affected(tx.ExecContext(ctx, "DELETE FROM evaluation_dataset_experiments WHERE edid = ? AND experiment_id = ?", edid, eid))
			if err != nil {
				return false, err
			}
			changed = changed || ok
		}
		return changed, nil
	})
}

func (s *Store) changeDatasetExperiments(ctx context.Context, id string, fn func(tx querier, edid int64) (bool, error)) (EvaluationDataset, error) {
	err := s.writeEvaluationDataset(ctx, id, NotFoundf("Dataset '%s' not found", id), func(tx querier, edid int64) error {
		changed, err := fn(tx, edid)
		if err != nil || !changed {
			return err
		}
		_, err = tx.ExecContext(ctx, "UPDATE evaluation_datasets SET last_update_time = ? WHERE edid = ?", s.now(), edid)
		return err
	})
	if err != nil {
		return EvaluationDataset{}, err
	}
	return s.EvaluationDataset(ctx, id)
}
