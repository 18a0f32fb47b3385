package registry

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
)

// GCOptions choose what is removed for good. Without ids, everything deleted goes; with ids, exactly those, which must be deleted
// already. OlderThan is milliseconds since the deletion.
type GCOptions struct {
	RunIDs, ExperimentIDs, LoggedModelIDs []string
	OlderThan                             int64
}

// Garbage is one entity that can be removed for good, with where its artifacts are.
type Garbage struct {
	Kind     string // "run", "experiment" or "logged model"
	ID       string
	Location string
}

// garbageKind is how one kind of entity is found and removed.
type garbageKind struct {
	name, table, key, id, location, deleted string
}

// In the order of removal: an experiment takes its runs and models with it, so what they have on disk goes first.
var garbageKinds = []garbageKind{
	{"logged model", "logged_models", "lid", "model_id", "artifact_uri", "last_updated_timestamp"},
	{"run", "runs", "rid", "run_id", "artifact_uri", "coalesce(deleted_time, 0)"},
	{"experiment", "experiments", "eid", "CAST(eid AS TEXT)", "artifact_location", "last_update_time"},
}

// FindGarbage lists what the options choose: logged models, runs, then experiments, as `mlflow gc` does. An id that is unknown is
// RESOURCE_DOES_NOT_EXIST; one that is not deleted, or not long enough, INVALID_PARAMETER_VALUE.
func (s *Store) FindGarbage(ctx context.Context, o GCOptions) ([]Garbage, error) {
	chosen := o.RunIDs != nil || o.ExperimentIDs != nil || o.LoggedModelIDs != nil
	before := s.now() - o.OlderThan
	var out []Garbage
	for _, k := range garbageKinds {
		ids := map[string][]string{"run": o.RunIDs, "experiment": o.ExperimentIDs, "logged model": o.LoggedModelIDs}[k.name]
		scan := func(rows *sql.Rows) (Garbage, error) {
			g := Garbage{Kind: k.name}
			err := rows.Scan(&g.ID, &g.Location)
			return g, err
		}
		if !chosen {
			all, err := queryRows(ctx, s.db.Read(), scan, fmt.Sprintf("SELECT %s, %s FROM %s WHERE lifecycle_stage = ? AND %s <= ? ORDER BY %s",
				k.id, k.location, k.table, k.deleted, k.key), StageDeleted, before)
			if err != nil {
				return nil, err
			}
			out = append(out, all...)
			continue
		}
		for _, id := range ids {
			g, err := s.chosenGarbage(ctx, k, id, before)
			if err != nil {
				return nil, err
			}
			if k.name == "experiment" {
				inside, err := s.insideExperiment(ctx, id)
				if err != nil {
					return nil, err
				}
				out = append(out, inside...)
			}
			out = append(out, g)
		}
	}
	return out, nil
}

func (s *Store) chosenGarbage(ctx context.Context, k garbageKind, id string, before int64) (Garbage, error) {
	g := Garbage{Kind: k.name, ID: id}
	type row struct {
		stage   string
		deleted int64
	}
	rows, err := queryRows(ctx, s.db.Read(), func(rows *sql.Rows) (r row, err error) {
		err = rows.Scan(&g.Location, &r.stage, &r.deleted)
		return r, err
	}, fmt.Sprintf("SELECT %s, lifecycle_stage, %s FROM %s WHERE %s = ?", k.location, k.deleted, k.table, k.id), id)
	switch {
	case err != nil:
		return g, err
	case len(rows) == 0:
		return g, NotFoundf("There is no %s with id %s", k.name, id)
	case rows[0].stage != StageDeleted:
		return g, Invalidf("%s %s is not in `deleted` lifecycle stage. Only what is in `deleted` lifecycle stage can be deleted for good.", k.name, id)
	case rows[0].deleted > before:
		return g, Invalidf("%s %s is not older than the required age. It was deleted %s ms ago.", k.name, id, strconv.FormatInt(s.now()-rows[0].deleted, 10))
	}
	return g, nil
}

// insideExperiment lists the runs and logged models that go with an experiment.
func (s *Store) insideExperiment(ctx context.Context, id string) ([]Garbage, error) {
	eid, err := parseExperimentID(id)
	if err != nil {
		return nil, err
	}
	var out []Garbage
	for _, k := range garbageKinds[:2] {
		inside, err := queryRows(ctx, s.db.Read(), func(rows *sql.Rows) (Garbage, error) {
			g := Garbage{Kind: k.name}
			err := rows.Scan(&g.ID, &g.Location)
			return g, err
		}, fmt.Sprintf("SELECT %s, %s FROM %s WHERE eid = ? ORDER BY %s", k.id, k.location, k.table, k.key), eid)
		if err != nil {
			return nil, err
		}
		out = append(out, inside...)
	}
	return out, nil
}

// RemoveGarbage removes an entity with all that hangs on it. Its artifacts are the caller's to remove, before this.
func (s *Store) RemoveGarbage(ctx context.Context, g Garbage) error {
	defer s.grants.Add(1)
	for _, k := range garbageKinds {
		if k.name != g.Kind {
			continue
		}
		return s.db.Write(ctx, func(tx querier) error {
			if _, err := tx.ExecContext(ctx, fmt.Sprintf("DELETE FROM %s WHERE %s = ?", k.table, k.id), g.ID); err != nil || k.name != "experiment" {
				return err
			}
			// The id may be given again; who could read this experiment shall not read the next.
			_, err := tx.ExecContext(ctx, `DELETE FROM role_permissions WHERE resource_type = 'experiment' AND resource_pattern = ?
				OR resource_type = 'scorer' AND resource_pattern LIKE ? || '/%'`, g.ID, g.ID)
			return err
		})
	}
	return fmt.Errorf("unknown kind of garbage %q", g.Kind)
}
