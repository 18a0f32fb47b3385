package registry

import (
	"context"
	"database/sql"
	"errors"
	"strconv"
	"strings"
)

// Experiment is MLflow's Experiment message (contract/endpoints.md, message shapes).
type Experiment struct {
	ID               string     `json:"experiment_id"`
	Name             string     `json:"name"`
	ArtifactLocation string     `json:"artifact_location"`
	LifecycleStage   string     `json:"lifecycle_stage"`
	LastUpdateTime   int64      `json:"last_update_time"`
	CreationTime     int64      `json:"creation_time"`
	Tags             []KeyValue `json:"tags,omitempty"`
	Workspace        string     `json:"workspace"`
}

// NewExperiment is what CreateExperiment needs. An empty ArtifactLocation means "<artifact root>/<id>".
type NewExperiment struct {
	Name             string
	ArtifactLocation string
	Tags             []KeyValue
}

// defaultWorkspace is the one workspace there is; 3.17.2 writes it into experiments.
const defaultWorkspace = "default"

// parseExperimentID reads an id; MLflow's ids are integers as text.
func parseExperimentID(id string) (int64, error) {
	n, err := strconv.ParseInt(strings.TrimSpace(id), 10, 64)
	if err != nil {
		return 0, Invalidf("Invalid experiment ID '%s'. Experiment ID must be a valid integer.", id)
	}
	return n, nil
}

// CreateExperiment makes an experiment and returns its id. RESOURCE_ALREADY_EXISTS when the name is taken, also by a deleted
// experiment.
func (s *Store) CreateExperiment(ctx context.Context, e NewExperiment) (string, error) {
	if err := validateExperimentName(e.Name); err != nil {
		return "", err
	}
	for _, t := range e.Tags {
		if err := validateExperimentTag(t); err != nil {
			return "", err
		}
	}
	if key := twice(e.Tags); key != "" {
		// MLflow takes every conflict here for one of names, and clients know the code.
		return "", Errorf(ResourceAlreadyExists, "Experiment(name=%s) already exists. Error: the tag '%s' is given twice.", e.Name, key)
	}
	location := e.ArtifactLocation
	if location != "" {
		var err error
		if location, err = s.resolveArtifactLocation(location); err != nil {
			return "", err
		}
	}
	var eid int64
	defer s.grants.Add(1)
	err := s.db.Write(ctx, func(tx querier) error {
		if err := experimentNameFree(ctx, tx, e.Name); err != nil {
			return err
		}
		now := s.now()
		if err := tx.QueryRowContext(ctx, `INSERT INTO experiments (name, artifact_location, creation_time, last_update_time)
			VALUES (?, ?, ?, ?) RETURNING eid`, e.Name, location, now, now).Scan(&eid); err != nil {
			return err
		}
		if location == "" {
			if _, err := tx.ExecContext(ctx, "UPDATE experiments SET artifact_location = ? WHERE eid = ?",
				joinURI(s.cfg.ArtifactRoot, strconv.FormatInt(eid, 10)), eid); err != nil {
				return err
			}
		}
		for _, t := range e.Tags {
			if err := setExperimentTag(ctx, tx, eid, t); err != nil {
				return err
			}
		}
		return s.own(ctx, tx, OnExperiment, strconv.FormatInt(eid, 10))
	})
	return strconv.FormatInt(eid, 10), err
}

func experimentNameFree(ctx context.Context, q querier, name string) error {
	var stage string
	switch err := q.QueryRowContext(ctx, "SELECT lifecycle_stage FROM experiments WHERE name = ?", name).Scan(&stage); {
	case errors.Is(err, sql.ErrNoRows):
		return nil
	case err != nil:
		return err
	case stage == StageDeleted:
		return Errorf(ResourceAlreadyExists, "Experiment(name=%s) already exists. Error: a deleted experiment has that name; restore it, or delete it for good.", name)
	}
	return Errorf(ResourceAlreadyExists, "Experiment(name=%s) already exists. Error: experiment names are unique.", name)
}

const experimentColumns = "eid, name, artifact_location, lifecycle_stage, last_update_time, creation_time"

func scanExperiment(row interface{ Scan(...any) error }) (e Experiment, err error) {
	var eid int64
	err = row.Scan(&eid, &e.Name, &e.ArtifactLocation, &e.LifecycleStage, &e.LastUpdateTime, &e.CreationTime)
	e.ID, e.Workspace = strconv.FormatInt(eid, 10), defaultWorkspace
	return e, err
}

// Experiment gives one experiment, deleted ones included. RESOURCE_DOES_NOT_EXIST when there is none.
func (s *Store) Experiment(ctx context.Context, id string) (Experiment, error) {
	eid, err := parseExperimentID(id)
	if err != nil {
		return Experiment{}, err
	}
	return s.experimentWhere(ctx, NotFoundf("No Experiment with id=%s exists", id), "eid = ?", eid)
}

// ExperimentByName gives the experiment with exactly that name, deleted ones included.
func (s *Store) ExperimentByName(ctx context.Context, name string) (Experiment, error) {
	return s.experimentWhere(ctx, NotFoundf("Could not find experiment with name '%s'", name), "name = ?", name)
}

func (s *Store) experimentWhere(ctx context.Context, missing error, where string, arg any) (Experiment, error) {
	q := s.db.Read()
	e, err := scanExperiment(q.QueryRowContext(ctx, "SELECT "+experimentColumns+" FROM experiments WHERE "+where, arg))
	if errors.Is(err, sql.ErrNoRows) {
		return e, missing
	} else if err != nil {
		return e, err
	}
	es := []Experiment{e}
	err = loadExperimentTags(ctx, q, es)
	return es[0], err
}

func loadExperimentTags(ctx context.Context, q querier, es []Experiment) error {
	for i := range es {
		tags, err := queryRows(ctx, q, scanKeyValue, "SELECT key, value FROM experiment_tags WHERE eid = ? ORDER BY key", es[i].ID)
		if err != nil {
			return err
		}
		es[i].Tags = tags
	}
	return nil
}

// RenameExperiment gives an active experiment another name.
func (s *Store) RenameExperiment(ctx context.Context, id, name string) error {
	if err := validateExperimentName(name); err != nil {
		return err
	}
	return s.writeExperiment(ctx, id, func(tx querier, eid int64, stage string) error {
		if stage != StageActive {
			// MLflow says INVALID_STATE, a 500, which its clients retry for minutes.
			return Invalidf("Cannot rename a non-active experiment.")
		}
		var have string
		if err := tx.QueryRowContext(ctx, "SELECT name FROM experiments WHERE eid = ?", eid).Scan(&have); err != nil {
			return err
		}
		if have != name {
			err := experimentNameFree(ctx, tx, name)
			if IsCode(err, ResourceAlreadyExists) {
				err = Errorf(BadRequest, "Experiment(name=%s) already exists.", name) // another code than create's, as in MLflow
			}
			if err != nil {
				return err
			}
		}
		_, err := tx.ExecContext(ctx, "UPDATE experiments SET name = ?, last_update_time = ? WHERE eid = ?", name, s.now(), eid)
		return err
	})
}

// DeleteExperiment marks an active experiment and all its runs deleted.
func (s *Store) DeleteExperiment(ctx context.Context, id string) error {
	return s.setExperimentStage(ctx, id, StageActive, StageDeleted)
}

// RestoreExperiment makes a deleted experiment and all its runs active, also runs that were deleted before it.
func (s *Store) RestoreExperiment(ctx context.Context, id string) error {
	return s.setExperimentStage(ctx, id, StageDeleted, StageActive)
}

func (s *Store) setExperimentStage(ctx context.Context, id, from, to string) error {
	return s.writeExperiment(ctx, id, func(tx querier, eid int64, stage string) error {
		if stage != from {
			return NotFoundf("No Experiment with id=%s exists", id)
		}
		now := s.now()
		if _, err := tx.ExecContext(ctx, "UPDATE experiments SET lifecycle_stage = ?, last_update_time = ? WHERE eid = ?", to, now, eid); err != nil {
			return err
		}
		var deleted any
		if to == StageDeleted {
			deleted = now
		}
		_, err := tx.ExecContext(ctx, "UPDATE runs SET lifecycle_stage = ?, deleted_time = ? WHERE eid = ?", to, deleted, eid)
		return err
	})
}

// SetExperimentTag sets a tag of an active experiment.
func (s *Store) SetExperimentTag(ctx context.Context, id string, tag KeyValue) error {
	if err := validateExperimentTag(tag); err != nil {
		return err
	}
	return s.writeActiveExperiment(ctx, id, func(tx querier, eid int64) error { return setExperimentTag(ctx, tx, eid, tag) })
}

func setExperimentTag(ctx context.Context, tx querier, eid int64, tag KeyValue) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO experiment_tags (eid, key, value) VALUES (?, ?, ?)
		ON CONFLICT (eid, key) DO UPDATE SET value = excluded.value`, eid, tag.Key, tag.Value)
	return err
}

// DeleteExperimentTag removes a tag; RESOURCE_DOES_NOT_EXIST when the experiment has none of that key.
func (s *Store) DeleteExperimentTag(ctx context.Context, id, key string) error {
	return s.writeActiveExperiment(ctx, id, func(tx querier, eid int64) error {
		ok, err := affected(tx.ExecContext(ctx, "DELETE FROM experiment_tags WHERE eid = ? AND key = ?", eid, key))
		if err == nil && !ok {
			err = NotFoundf("No tag with name: %s in experiment with id %s", key, id)
		}
		return err
	})
}

// writeExperiment runs fn on an experiment that exists.
func (s *Store) writeExperiment(ctx context.Context, id string, fn func(tx querier, eid int64, stage string) error) error {
	eid, err := parseExperimentID(id)
	if err != nil {
		return err
	}
	return s.db.Write(ctx, func(tx querier) error {
		var stage string
		err := tx.QueryRowContext(ctx, "SELECT lifecycle_stage FROM experiments WHERE eid = ?", eid).Scan(&stage)
		if errors.Is(err, sql.ErrNoRows) {
			return NotFoundf("No Experiment with id=%s exists", id)
		} else if err != nil {
			return err
		}
		return fn(tx, eid, stage)
	})
}

func (s *Store) writeActiveExperiment(ctx context.Context, id string, fn func(tx querier, eid int64) error) error {
	return s.writeExperiment(ctx, id, func(tx querier, eid int64, stage string) error {
		if stage != StageActive {
			return Invalidf("The experiment %s must be in the 'active' state. Current state is %s.", id, stage)
		}
		return fn(tx, eid)
	})
}
