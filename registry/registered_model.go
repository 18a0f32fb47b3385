package registry

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"

	"github.com/prinzbox/prinzbox/registry/sqldb"
)

// RegisteredModel is MLflow's RegisteredModel message; times are milliseconds since 1970. LatestVersions holds the newest
// version of each stage that has one.
type RegisteredModel struct {
	Name           string         `json:"name"`
	Created        int64          `json:"creation_timestamp"`
	LastUpdated    int64          `json:"last_updated_timestamp"`
	Description    *string        `json:"description,omitempty"` // never "": MLflow leaves that out
	LatestVersions []ModelVersion `json:"latest_versions,omitempty"`
	Tags           []KeyValue     `json:"tags,omitempty"`
	Aliases        []Alias        `json:"aliases,omitempty"`
}

// Alias is a movable name for a version.
type Alias struct {
	Alias   string `json:"alias"`
	Version string `json:"version"`
}

// TagIsPrompt with the value "true" marks a registered model, or a version, as a prompt.
const TagIsPrompt = "mlflow.prompt.is_prompt"

func isPrompt(tags []KeyValue) bool {
	return slices.ContainsFunc(tags, func(t KeyValue) bool { return t.Key == TagIsPrompt && strings.EqualFold(t.Value, "true") })
}

// NewRegisteredModel is what CreateRegisteredModel needs; a nil Description stays unset.
type NewRegisteredModel struct {
	Name        string
	Description *string
	Tags        []KeyValue
}

// CreateRegisteredModel makes a registered model. RESOURCE_ALREADY_EXISTS when the name is taken.
func (s *Store) CreateRegisteredModel(ctx context.Context, n NewRegisteredModel) (RegisteredModel, error) {
	if err := validateModelName(n.Name, "name"); err != nil {
		return RegisteredModel{}, err
	}
	for _, t := range n.Tags {
		if err := validateRegistryTag(t); err != nil {
			return RegisteredModel{}, err
		}
	}
	var news notice
	defer s.grants.Add(1)
	err := s.writeModels(ctx, func(tx querier) (err error) {
		if err := modelNameFree(ctx, tx, n.Name, isPrompt(n.Tags)); err != nil {
			return err
		}
		kind := OnModel
		if isPrompt(n.Tags) {
			kind = OnPrompt
		}
		if err := s.own(ctx, tx, kind, n.Name); err != nil {
			return err
		}
		now := s.now()
		var mid int64
		if err := tx.QueryRowContext(ctx, `INSERT INTO registered_models (name, description, creation_timestamp, last_updated_timestamp)
			VALUES (?, nullif(?, ''), ?, ?) RETURNING mid`, n.Name, n.Description, now, now).Scan(&mid); err != nil {
			return err
		}
		for _, t := range n.Tags {
			if err := setRegisteredModelTag(ctx, tx, mid, t); err != nil {
				return err
			}
		}
		news, err = s.modelCreated(ctx, tx, n)
		return err
	})
	if err != nil {
		return RegisteredModel{}, err
	}
	s.send(news)
	return s.RegisteredModel(ctx, n.Name)
}

// modelNameFree says which kind of entry holds the name, since models and prompts share their names.
func modelNameFree(ctx context.Context, q querier, name string, wantPrompt bool) error {
	var prompt sql.NullString
	err := q.QueryRowContext(ctx, `SELECT t.value FROM registered_models m
		LEFT JOIN registered_model_tags t ON t.mid = m.mid AND t.key = '`+TagIsPrompt+`' WHERE m.name = ?`, name).Scan(&prompt)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	} else if err != nil {
		return err
	}
	kinds := map[bool]string{false: "registered model", true: "prompt"}
	titles := map[bool]string{false: "Registered Model", true: "Prompt"}
	isPrompt := strings.EqualFold(prompt.String, "true")
	if isPrompt != wantPrompt {
		return Errorf(ResourceAlreadyExists, "Tried to create a %s with name '%s', but the name is already taken by a %s. MLflow does not allow creating a model and a prompt with the same name.",
			kinds[wantPrompt], name, kinds[isPrompt])
	}
	return Errorf(ResourceAlreadyExists, "%s (name=%s) already exists.", titles[isPrompt], name)
}

const registeredModelColumns = "m.mid, m.name, m.creation_timestamp, m.last_updated_timestamp, m.description"

type registeredModelRow struct {
	mid   int64
	model RegisteredModel
}

func readRegisteredModel(r *sqldb.Row) registeredModelRow {
	return registeredModelRow{r.Int(0), RegisteredModel{Name: r.Text(1), Created: r.Int(2), LastUpdated: r.Int(3), Description: optionalText(r, 4)}}
}

func noRegisteredModel(name string) error {
	return NotFoundf("Registered Model with name=%s not found", name)
}

// RegisteredModel gives one registered model with its latest versions, tags and aliases.
func (s *Store) RegisteredModel(ctx context.Context, name string) (RegisteredModel, error) {
	if err := validateModelName(name, "name"); err != nil {
		return RegisteredModel{}, err
	}
	rows, err := eachOf(ctx, s.db, readRegisteredModel, "SELECT "+registeredModelColumns+" FROM registered_models m WHERE m.name = ?", name)
	if err != nil {
		return RegisteredModel{}, err
	}
	if len(rows) == 0 {
		return RegisteredModel{}, noRegisteredModel(name)
	}
	models, err := s.loadRegisteredModels(ctx, rows)
	if err != nil {
		return RegisteredModel{}, err
	}
	// get orders the latest versions by number, search by stage (contract/behaviours.md, section 8).
	slices.SortFunc(models[0].LatestVersions, func(a, b ModelVersion) int { return a.number() - b.number() })
	return models[0], nil
}

// loadRegisteredModels adds tags, aliases and latest versions to models, with a query of each kind per chunk of them.
func (s *Store) loadRegisteredModels(ctx context.Context, models []registeredModelRow) ([]RegisteredModel, error) {
	index := make(map[int64]*RegisteredModel, len(models))
	mids := make([]any, len(models))
	out := make([]RegisteredModel, len(models))
	for i, m := range models {
		out[i] = m.model
		index[m.mid], mids[i] = &out[i], m.mid
	}
	err := inChunks(mids, func(in string, args []any) error {
		return s.db.Each(ctx, func(r *sqldb.Row) error {
			if m := index[r.Int(0)]; r.Int(1) == 1 {
				m.Aliases = append(m.Aliases, Alias{r.Text(2), r.Text(4)})
			} else {
				m.Tags = append(m.Tags, KeyValue{r.Text(2), r.Text(3)})
			}
			return nil
		}, "SELECT mid, 0, key, value, 0 FROM registered_model_tags WHERE mid IN "+in+
			" UNION ALL SELECT mid, 1, alias, '', version FROM aliases WHERE mid IN "+in+" ORDER BY 1, 2, 3", append(slices.Clip(args), args...)...)
	})
	if err != nil {
		return nil, err
	}
	latest, err := s.latestVersions(ctx, mids)
	for mid, versions := range latest {
		index[mid].LatestVersions = versions
	}
	return out, err
}

// UpdateRegisteredModel sets the description; nil clears it.
func (s *Store) UpdateRegisteredModel(ctx context.Context, name string, description *string) (RegisteredModel, error) {
	return s.changeRegisteredModel(ctx, name, name, func(tx querier, mid int64) error {
		_, err := tx.ExecContext(ctx, "UPDATE registered_models SET description = nullif(?, '') WHERE mid = ?", description, mid)
		return err
	})
}

// RenameRegisteredModel renames a model; versions, tags and aliases follow. Onto itself is fine.
func (s *Store) RenameRegisteredModel(ctx context.Context, name, newName string) (RegisteredModel, error) {
	if err := validateModelName(newName, "new_name"); err != nil {
		return RegisteredModel{}, err
	}
	defer s.grants.Add(1)
	return s.changeRegisteredModel(ctx, name, newName, func(tx querier, mid int64) error {
		if newName != name {
			err := modelNameFree(ctx, tx, newName, false)
			if IsCode(err, ResourceAlreadyExists) {
				err = Errorf(ResourceAlreadyExists, "Registered Model (name=%s) already exists. Error: names of registered models and prompts are unique.", newName)
			}
			if err != nil {
				return err
			}
		}
		if _, err := tx.ExecContext(ctx, "UPDATE registered_models SET name = ? WHERE mid = ?", newName, mid); err != nil {
			return err
		}
		if err := renameGrants(ctx, tx, name, newName); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "UPDATE model_versions SET last_updated_timestamp = ? WHERE mid = ?", s.now(), mid)
		return err
	})
}

// changeRegisteredModel runs fn and moves the model's time of change.
func (s *Store) changeRegisteredModel(ctx context.Context, name, newName string, fn func(tx querier, mid int64) error) (RegisteredModel, error) {
	err := s.writeRegisteredModel(ctx, name, func(tx querier, mid int64) error {
		if err := fn(tx, mid); err != nil {
			return err
		}
		return s.touchModel(ctx, tx, mid)
	})
	if err != nil {
		return RegisteredModel{}, err
	}
	return s.RegisteredModel(ctx, newName)
}

func (s *Store) touchModel(ctx context.Context, tx querier, mid int64) error {
	_, err := tx.ExecContext(ctx, "UPDATE registered_models SET last_updated_timestamp = ? WHERE mid = ?", s.now(), mid)
	return err
}

// DeleteRegisteredModel removes a model for good, with versions, tags, aliases and its users' permissions.
func (s *Store) DeleteRegisteredModel(ctx context.Context, name string) error {
	defer s.grants.Add(1)
	return s.writeRegisteredModel(ctx, name, func(tx querier, mid int64) error {
		if _, err := tx.ExecContext(ctx, "DELETE FROM registered_models WHERE mid = ?", mid); err != nil {
			return err
		}
		return disown(ctx, tx, name, OnModel, OnPrompt)
	})
}

// SetRegisteredModelTag sets a tag.
func (s *Store) SetRegisteredModelTag(ctx context.Context, name string, tag KeyValue) error {
	if err := validateRegistryTag(tag); err != nil {
		return err
	}
	return s.tellRegisteredModel(ctx, name, func(tx querier, mid int64) (notice, error) {
		if err := setRegisteredModelTag(ctx, tx, mid, tag); err != nil {
			return notice{}, err
		}
		return s.modelOrPrompt(ctx, tx, mid, "", "PROMPT_TAG", "SET", text("name", name), text("key", tag.Key), text("value", tag.Value))
	})
}

func setRegisteredModelTag(ctx context.Context, tx querier, mid int64, tag KeyValue) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO registered_model_tags (mid, key, value) VALUES (?, ?, ?)
		ON CONFLICT (mid, key) DO UPDATE SET value = excluded.value`, mid, tag.Key, tag.Value)
	return err
}

// DeleteRegisteredModelTag removes a tag; none of that key is fine.
func (s *Store) DeleteRegisteredModelTag(ctx context.Context, name, key string) error {
	if err := validateKey(key, "key", "key"); err != nil {
		return err
	}
	return s.tellRegisteredModel(ctx, name, func(tx querier, mid int64) (notice, error) {
		if _, err := tx.ExecContext(ctx, "DELETE FROM registered_model_tags WHERE mid = ? AND key = ?", mid, key); err != nil {
			return notice{}, err
		}
		return s.modelOrPrompt(ctx, tx, mid, "", "PROMPT_TAG", "DELETED", text("name", name), text("key", key))
	})
}

// SetAlias points an alias at a version; an alias that is elsewhere moves.
func (s *Store) SetAlias(ctx context.Context, name, alias, version string) error {
	if err := validateAlias(alias); err != nil {
		return err
	}
	return s.tellModelVersion(ctx, name, version, func(tx querier, v versionKey) (notice, error) {
		if err := s.noteAlias(ctx, tx, v, alias); err != nil {
			return notice{}, err
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO aliases (mid, alias, version) VALUES (?, ?, ?)
			ON CONFLICT (mid, alias) DO UPDATE SET version = excluded.version`, v.mid, alias, v.number); err != nil {
			return notice{}, err
		}
		return s.modelOrPrompt(ctx, tx, v.mid, "MODEL_VERSION_ALIAS", "PROMPT_ALIAS", "CREATED", text("name", name), text("alias", alias), text("version", version))
	})
}

// DeleteAlias removes an alias; an unknown one is fine.
func (s *Store) DeleteAlias(ctx context.Context, name, alias string) error {
	if err := validateAliasName(alias); err != nil {
		return err
	}
	return s.tellRegisteredModel(ctx, name, func(tx querier, mid int64) (notice, error) {
		if err := s.noteNoAlias(ctx, tx, mid, alias); err != nil {
			return notice{}, err
		}
		if _, err := tx.ExecContext(ctx, "DELETE FROM aliases WHERE mid = ? AND alias = ?", mid, alias); err != nil {
			return notice{}, err
		}
		return s.modelOrPrompt(ctx, tx, mid, "MODEL_VERSION_ALIAS", "PROMPT_ALIAS", "DELETED", text("name", name), text("alias", alias))
	})
}

// tellRegisteredModel is writeRegisteredModel for a change that webhooks hear of.
func (s *Store) tellRegisteredModel(ctx context.Context, name string, fn func(tx querier, mid int64) (notice, error)) error {
	var news notice
	err := s.writeRegisteredModel(ctx, name, func(tx querier, mid int64) (err error) {
		news, err = fn(tx, mid)
		return err
	})
	if err == nil {
		s.send(news)
	}
	return err
}

func (s *Store) writeRegisteredModel(ctx context.Context, name string, fn func(tx querier, mid int64) error) error {
	return s.writeModels(ctx, func(tx querier) error {
		mid, err := modelKey(ctx, tx, name)
		if err != nil {
			return err
		}
		return fn(tx, mid)
	})
}

// markedPrompt tells whether a registered model is a prompt.
func markedPrompt(ctx context.Context, q querier, mid int64) (is bool, err error) {
	err = q.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM registered_model_tags WHERE mid = ? AND key = '"+TagIsPrompt+"' AND lower(value) = 'true')", mid).Scan(&is)
	return is, err
}

func modelKey(ctx context.Context, q querier, name string) (mid int64, err error) {
	err = q.QueryRowContext(ctx, "SELECT mid FROM registered_models WHERE name = ?", name).Scan(&mid)
	if errors.Is(err, sql.ErrNoRows) {
		err = noRegisteredModel(name)
	}
	return mid, err
}
