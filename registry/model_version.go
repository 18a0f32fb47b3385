package registry

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/prinzbox/prinzbox/registry/sqldb"
)

// ModelVersion is MLflow's ModelVersion message; times are milliseconds since 1970. Aliases is filled only where MLflow
// does (contract/behaviours.md, section 8).
type ModelVersion struct {
	Name         string     `json:"name"`
	Version      string     `json:"version"`
	Created      int64      `json:"creation_timestamp"`
	LastUpdated  int64      `json:"last_updated_timestamp"`
	CurrentStage string     `json:"current_stage"`
	Description  *string    `json:"description,omitempty"`
	Source       string     `json:"source"`
	RunID        string     `json:"run_id"`
	Status       string     `json:"status"`
	Tags         []KeyValue `json:"tags,omitempty"`
	RunLink      string     `json:"run_link"`
	Aliases      []string   `json:"aliases,omitempty"`

	// StorageLocation is where the version's files are: Source, but for a models:/ source what that leads to.
	StorageLocation string `json:"-"`
}

func (v ModelVersion) number() int {
	n, _ := strconv.Atoi(v.Version) // made by strconv in readModelVersion
	return n
}

// VersionReady is the status of every version: this server has no registration that takes time.
const VersionReady = "READY"

// Stages in the order that MLflow lists them.
var modelStages = []string{"None", "Staging", "Production", "Archived"}

// ParseModelStage reads a stage in any case.
func ParseModelStage(stage string) (string, error) {
	for _, s := range modelStages {
		if strings.EqualFold(s, stage) {
			return s, nil
		}
	}
	return "", Invalidf("Invalid Model Version stage: %s. Value must be one of %s.", stage, strings.Join(modelStages, ", "))
}

// NewModelVersion is what CreateModelVersion needs. A nil Description stays "".
type NewModelVersion struct {
	Name        string
	Source      string
	RunID       string
	RunLink     string
	Description string
	ModelID     string
	Tags        []KeyValue
}

// CreateModelVersion registers a version; its number is the highest ever given plus one. The source is checked as MLflow does: a local or proxied
// source must lie below the artifacts of the run (or logged model) that the request names.
func (s *Store) CreateModelVersion(ctx context.Context, n NewModelVersion) (ModelVersion, error) {
	if strings.TrimSpace(n.Name) == "" {
		return ModelVersion{}, missing("name")
	}
	for _, t := range n.Tags {
		if err := validateRegistryTag(t); err != nil {
			return ModelVersion{}, err
		}
	}
	location, runID, err := s.resolveSource(ctx, &n)
	if err != nil {
		return ModelVersion{}, err
	}
	var number int64
	err = s.tellRegisteredModel(ctx, n.Name, func(tx querier, mid int64) (news notice, err error) {
		if err := tx.QueryRowContext(ctx, "UPDATE registered_models SET last_version = last_version + 1 WHERE mid = ? RETURNING last_version", mid).Scan(&number); err != nil {
			return news, err
		}
		now := s.now()
		var vid int64
		if err := tx.QueryRowContext(ctx, `INSERT INTO model_versions
			(mid, version, creation_timestamp, last_updated_timestamp, description, source, storage_location, run_id, run_link, status)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING vid`,
			mid, number, now, now, n.Description, n.Source, location, runID, n.RunLink, VersionReady).Scan(&vid); err != nil {
			return news, err
		}
		for _, t := range n.Tags {
			if err := setModelVersionTag(ctx, tx, vid, t); err != nil {
				return news, err
			}
		}
		if n.ModelID != "" {
			if err := appendModelVersion(ctx, tx, n.ModelID, n.Name, number); err != nil {
				return news, err
			}
		}
		if err := s.touchModel(ctx, tx, mid); err != nil {
			return news, err
		}
		return s.versionCreated(ctx, tx, n, strconv.FormatInt(number, 10), runID)
	})
	if err != nil {
		return ModelVersion{}, err
	}
	return s.ModelVersion(ctx, n.Name, strconv.FormatInt(number, 10))
}

const modelVersionColumns = `v.vid, m.name, v.version, v.creation_timestamp, v.last_updated_timestamp, v.current_stage, v.description, v.source,
	v.storage_location, v.run_id, v.status, v.run_link`

type modelVersionRow struct {
	vid     int64
	version ModelVersion
}

func readModelVersion(r *sqldb.Row) modelVersionRow {
	return modelVersionRow{vid: r.Int(0), version: ModelVersion{
		Name: r.Text(1), Version: strconv.FormatInt(r.Int(2), 10), Created: r.Int(3), LastUpdated: r.Int(4), CurrentStage: r.Text(5),
		Description: optionalText(r, 6), Source: r.Text(7), StorageLocation: r.Text(8), RunID: r.Text(9), Status: r.Text(10), RunLink: r.Text(11),
	}}
}

func parseVersion(version string) (int64, error) {
	n, err := strconv.ParseInt(strings.TrimSpace(version), 10, 64)
	if err != nil {
		return 0, Invalidf("Parameter 'version' must be an integer, got '%s'.", version)
	}
	return n, nil
}

func noModelVersion(name string, version any) error {
	return NotFoundf("Model Version (name=%s, version=%v) not found", name, version)
}

// ModelVersion gives one version with its tags and aliases.
func (s *Store) ModelVersion(ctx context.Context, name, version string) (ModelVersion, error) {
	number, err := parseVersion(version)
	if err != nil {
		return ModelVersion{}, err
	}
	return s.modelVersionWhere(ctx, noModelVersion(name, version), "m.name = ? AND v.version = ?", name, number)
}

// CurrentModelVersion gives the version that Prinz calls the latest: the one with the greatest time of change
// (facts/prinz.md), on a tie the one with the greater number.
func (s *Store) CurrentModelVersion(ctx context.Context, name string) (ModelVersion, error) {
	if _, err := modelKey(ctx, s.db.Read(), name); err != nil {
		return ModelVersion{}, err
	}
	return s.modelVersionWhere(ctx, NotFoundf("Registered Model with name=%s has no versions", name),
		"m.name = ? ORDER BY v.last_updated_timestamp DESC, v.version DESC LIMIT 1", name)
}

// ModelVersionByAlias gives the version behind an alias; "latest" is the greatest number. An unknown alias is INVALID_PARAMETER_VALUE.
func (s *Store) ModelVersionByAlias(ctx context.Context, name, alias string) (ModelVersion, error) {
	mid, err := modelKey(ctx, s.db.Read(), name)
	if err != nil {
		return ModelVersion{}, err
	}
	if err := validateAliasName(alias); err != nil {
		return ModelVersion{}, err
	}
	if strings.EqualFold(alias, "latest") {
		return s.modelVersionWhere(ctx, NotFoundf("Latest version not found for model %s.", name), "v.mid = ? ORDER BY v.version DESC LIMIT 1", mid)
	}
	return s.modelVersionWhere(ctx, Invalidf("Registered model alias %s not found.", alias),
		"v.mid = ? AND v.version = (SELECT a.version FROM aliases a WHERE a.mid = v.mid AND a.alias = ?)", mid, alias)
}

func (s *Store) modelVersionWhere(ctx context.Context, missing error, where string, args ...any) (ModelVersion, error) {
	versions, err := eachOf(ctx, s.db, readModelVersion, "SELECT "+modelVersionColumns+
		" FROM model_versions v JOIN registered_models m ON m.mid = v.mid WHERE "+where, args...)
	if err != nil {
		return ModelVersion{}, err
	}
	if len(versions) == 0 {
		return ModelVersion{}, missing
	}
	if err := s.loadModelVersionTags(ctx, versions); err != nil {
		return ModelVersion{}, err
	}
	v := &versions[0]
	v.version.Aliases, err = eachOf(ctx, s.db, func(r *sqldb.Row) string { return r.Text(0) },
		"SELECT a.alias FROM aliases a JOIN model_versions v ON v.mid = a.mid AND v.version = a.version WHERE v.vid = ? ORDER BY a.alias", v.vid)
	return v.version, err
}

// loadModelVersionTags adds the tags of versions, with one query per chunk of them.
func (s *Store) loadModelVersionTags(ctx context.Context, versions []modelVersionRow) error {
	index := make(map[int64]*modelVersionRow, len(versions))
	vids := make([]any, len(versions))
	for i := range versions {
		index[versions[i].vid], vids[i] = &versions[i], versions[i].vid
	}
	return inChunks(vids, func(in string, args []any) error {
		return s.db.Each(ctx, func(r *sqldb.Row) error {
			v := &index[r.Int(0)].version
			v.Tags = append(v.Tags, KeyValue{r.Text(1), r.Text(2)})
			return nil
		}, "SELECT vid, key, value FROM model_version_tags WHERE vid IN "+in+" ORDER BY vid, key", args...)
	})
}

// latestVersions gives, for each model by its inner key, the newest version of each stage, ordered by stage name. Each stage is one look into
// an index, however many versions there are.
func (s *Store) latestVersions(ctx context.Context, mids []any) (map[int64][]ModelVersion, error) {
	var rows []modelVersionRow
	var of []int64 // the models of rows
	err := inChunks(mids, func(in string, args []any) error {
		return s.db.Each(ctx, func(r *sqldb.Row) error {
			rows, of = append(rows, readModelVersion(r)), append(of, r.Int(12))
			return nil
		}, "SELECT "+modelVersionColumns+`, v.mid FROM registered_models m
			JOIN (SELECT 'None' AS stage UNION ALL SELECT 'Staging' UNION ALL SELECT 'Production' UNION ALL SELECT 'Archived') s
			JOIN model_versions v ON v.mid = m.mid
				AND v.version = (SELECT max(w.version) FROM model_versions w WHERE w.mid = m.mid AND w.current_stage = s.stage)
			WHERE m.mid IN `+in+" ORDER BY v.mid, v.current_stage", args...)
	})
	if err != nil {
		return nil, err
	}
	if err := s.loadModelVersionTags(ctx, rows); err != nil {
		return nil, err
	}
	out := make(map[int64][]ModelVersion, len(mids))
	for i, mid := range of {
		out[mid] = append(out[mid], rows[i].version)
	}
	return out, nil
}

// LatestVersions gives the newest version of each of the stages (in any case; none means all), ordered by number, with aliases.
func (s *Store) LatestVersions(ctx context.Context, name string, stages []string) ([]ModelVersion, error) {
	mid, err := modelKey(ctx, s.db.Read(), name)
	if err != nil {
		return nil, err
	}
	var want []string
	for _, stage := range stages {
		canonical, err := ParseModelStage(stage)
		if err != nil {
			return nil, err
		}
		want = append(want, canonical)
	}
	latest, err := s.latestVersions(ctx, []any{mid})
	if err != nil {
		return nil, err
	}
	versions := slices.DeleteFunc(latest[mid], func(v ModelVersion) bool { return want != nil && !slices.Contains(want, v.CurrentStage) })
	slices.SortFunc(versions, func(a, b ModelVersion) int { return a.number() - b.number() })
	for i := range versions {
		full, err := s.ModelVersion(ctx, name, versions[i].Version)
		if err != nil {
			return nil, err
		}
		versions[i] = full
	}
	return versions, nil
}

type versionKey struct{ mid, vid, number int64 }

func (s *Store) writeModelVersion(ctx context.Context, name, version string, fn func(tx querier, v versionKey) error) error {
	number, err := parseVersion(version)
	if err != nil {
		return err
	}
	return s.writeModels(ctx, func(tx querier) error {
		v := versionKey{number: number}
		err := tx.QueryRowContext(ctx, `SELECT v.mid, v.vid FROM model_versions v JOIN registered_models m ON m.mid = v.mid
			WHERE m.name = ? AND v.version = ?`, name, number).Scan(&v.mid, &v.vid)
		if errors.Is(err, sql.ErrNoRows) {
			return noModelVersion(name, version)
		} else if err != nil {
			return err
		}
		return fn(tx, v)
	})
}

// UpdateModelVersion sets the description; nil clears it.
func (s *Store) UpdateModelVersion(ctx context.Context, name, version string, description *string) (ModelVersion, error) {
	return s.changeModelVersion(ctx, name, version, func(tx querier, v versionKey, now int64) error { // the model counts as unchanged, as in MLflow
		_, err := tx.ExecContext(ctx, "UPDATE model_versions SET description = ?, last_updated_timestamp = ? WHERE vid = ?", description, now, v.vid)
		return err
	})
}

// TransitionModelVersion moves a version to a stage. archiveExisting moves the others of that stage to Archived, which only Staging and
// Production allow.
func (s *Store) TransitionModelVersion(ctx context.Context, name, version, stage string, archiveExisting bool) (ModelVersion, error) {
	to, err := ParseModelStage(stage)
	if err != nil {
		return ModelVersion{}, err
	}
	if archiveExisting && to != "Staging" && to != "Production" {
		// MLflow says INTERNAL_ERROR, a 500, which its clients retry for minutes.
		return ModelVersion{}, Invalidf("Model version transition cannot archive existing model versions because '%s' is not an Active stage. Valid stages are ['Staging', 'Production']", to)
	}
	return s.changeModelVersion(ctx, name, version, func(tx querier, v versionKey, now int64) error {
		if archiveExisting {
			if _, err := tx.ExecContext(ctx, `UPDATE model_versions SET current_stage = 'Archived', last_updated_timestamp = ?
				WHERE mid = ? AND current_stage = ? AND vid <> ?`, now, v.mid, to, v.vid); err != nil {
				return err
			}
		}
		if _, err := tx.ExecContext(ctx, "UPDATE model_versions SET current_stage = ?, last_updated_timestamp = ? WHERE vid = ?", to, now, v.vid); err != nil {
			return err
		}
		return s.touchModel(ctx, tx, v.mid)
	})
}

func (s *Store) changeModelVersion(ctx context.Context, name, version string, fn func(tx querier, v versionKey, now int64) error) (ModelVersion, error) {
	err := s.writeModelVersion(ctx, name, version, func(tx querier, v versionKey) error {
		return fn(tx, v, s.now())
	})
	if err != nil {
		return ModelVersion{}, err
	}
	return s.ModelVersion(ctx, name, version)
}

// DeleteModelVersion removes a version with its tags and aliases. Its number is not used again.
func (s *Store) DeleteModelVersion(ctx context.Context, name, version string) error {
	return s.writeModelVersion(ctx, name, version, func(tx querier, v versionKey) error {
		if err := s.noteNoVersion(ctx, tx, v); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "DELETE FROM model_versions WHERE vid = ?", v.vid); err != nil {
			return err
		}
		return s.touchModel(ctx, tx, v.mid)
	})
}

// SetModelVersionTag sets a tag of a version.
func (s *Store) SetModelVersionTag(ctx context.Context, name, version string, tag KeyValue) error {
	if err := validateRegistryTag(tag); err != nil {
		return err
	}
	return s.tellModelVersion(ctx, name, version, func(tx querier, v versionKey) (notice, error) {
		if err := setModelVersionTag(ctx, tx, v.vid, tag); err != nil {
			return notice{}, err
		}
		return s.modelOrPrompt(ctx, tx, v.mid, "MODEL_VERSION_TAG", "PROMPT_VERSION_TAG", "SET",
			text("name", name), text("version", version), text("key", tag.Key), text("value", tag.Value))
	})
}

func setModelVersionTag(ctx context.Context, tx querier, vid int64, tag KeyValue) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO model_version_tags (vid, key, value) VALUES (?, ?, ?)
		ON CONFLICT (vid, key) DO UPDATE SET value = excluded.value`, vid, tag.Key, tag.Value)
	return err
}

// DeleteModelVersionTag removes a tag of a version; none of that key is fine.
func (s *Store) DeleteModelVersionTag(ctx context.Context, name, version, key string) error {
	return s.tellModelVersion(ctx, name, version, func(tx querier, v versionKey) (notice, error) {
		if _, err := tx.ExecContext(ctx, "DELETE FROM model_version_tags WHERE vid = ? AND key = ?", v.vid, key); err != nil {
			return notice{}, err
		}
		return s.modelOrPrompt(ctx, tx, v.mid, "MODEL_VERSION_TAG", "PROMPT_VERSION_TAG", "DELETED",
			text("name", name), text("version", version), text("key", key))
	})
}

// tellModelVersion is writeModelVersion for a change that webhooks hear of.
func (s *Store) tellModelVersion(ctx context.Context, name, version string, fn func(tx querier, v versionKey) (notice, error)) error {
	var news notice
	err := s.writeModelVersion(ctx, name, version, func(tx querier, v versionKey) (err error) {
		news, err = fn(tx, v)
		return err
	})
	if err == nil {
		s.send(news)
	}
	return err
}

// appendModelVersion notes a new version in the tag of the logged model it was made from.
func appendModelVersion(ctx context.Context, tx querier, modelID, name string, number int64) error {
	var lid int64
	var have sql.NullString
	err := tx.QueryRowContext(ctx, `SELECT m.lid, t.value FROM logged_models m LEFT JOIN logged_model_tags t ON t.lid = m.lid AND t.key = '`+TagModelVersions+`'
		WHERE m.model_id = ?`, modelID).Scan(&lid, &have)
	if err != nil {
		return err
	}
	entry := fmt.Sprintf(`{"name": %s, "version": %d}`, quoteJSON(name), number)
	list := strings.TrimSpace(have.String)
	if inner, ok := strings.CutPrefix(list, "["); ok && strings.TrimSpace(strings.TrimSuffix(inner, "]")) != "" {
		list = strings.TrimSuffix(list, "]") + ", " + entry + "]"
	} else {
		list = "[" + entry + "]"
	}
	return setLoggedModelTags(ctx, tx, lid, []KeyValue{{TagModelVersions, list}})
}
