package registry

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/prinzbox/prinzbox/registry/pyjson"
)

// Scorer is one version of a scorer: MLflow's Scorer message. The experiment id is a number here, unlike everywhere else; Created is
// milliseconds since 1970.
type Scorer struct {
	ExperimentID int64  `json:"experiment_id"`
	Name         string `json:"scorer_name"`
	Version      int64  `json:"scorer_version"`
	Serialized   string `json:"serialized_scorer"`
	Created      int64  `json:"creation_time"`
	ID           string `json:"scorer_id"`
}

// customScorer is MLflow's refusal of scorers that carry Python code.
const customScorer = `Custom scorer registration (using @scorer decorator) is disabled by default outside of Databricks tracking environments due to security concerns. Custom scorers require arbitrary code execution during deserialization.

To use custom scorers:
1. Configure MLflow to use a Databricks tracking URI, or
2. Manage your custom scorer code in a source code repository (e.g., GitHub) and import it directly, or
3. On a self-managed MLflow server (or local environment) that you trust to run the scorer's code, set the MLFLOW_SERVER_ENABLE_CUSTOM_SCORERS environment variable to true, or
4. Use built-in scorers or make_judge() scorers instead.`

// validateScorer checks what MLflow checks of a serialized scorer.
func (s *Store) validateScorer(serialized string) error {
	v, err := pyjson.Parse(serialized)
	if err != nil {
		return Invalidf("serialized_scorer must be valid JSON")
	}
	if v.Kind() != pyjson.Object {
		return Invalidf("serialized_scorer must be the JSON text of an object")
	}
	if hasCode(v) && !s.cfg.CustomScorers {
		return Invalidf("%s", customScorer)
	}
	if err := validateThirdParty(v); err != nil {
		return err
	}
	model, ok := scorerModel(v)
	switch {
	case !ok || model.Kind() == pyjson.Null:
		return nil
	case model.Kind() != pyjson.String:
		return Invalidf("Scorer model must be a string, got %s.", pythonType(model))
	case strings.TrimSpace(model.Text()) == "":
		return Invalidf("Scorer model cannot be empty or contain only whitespace.")
	}
	if endpoint, ok := strings.CutPrefix(model.Text(), "gateway:/"); ok {
		return NotFoundf("GatewayEndpoint not found (name='%s')", strings.TrimPrefix(endpoint, "/"))
	}
	return nil
}

// pythonType is the name of a value's Python type, as messages have it.
func pythonType(v pyjson.Value) string {
	return map[pyjson.Kind]string{
		pyjson.Null: "NoneType", pyjson.Bool: "bool", pyjson.Int: "int", pyjson.Float: "float",
		pyjson.String: "str", pyjson.Array: "list", pyjson.Object: "dict",
	}[v.Kind()]
}

// hasCode tells whether Python code is in a serialized scorer, or in one inside it.
func hasCode(v pyjson.Value) bool {
	if code, ok := v.Get("call_source"); ok && code.Kind() != pyjson.Null {
		return true
	}
	return slices.ContainsFunc(v.Members(), func(m pyjson.Member) bool { return hasCode(m.Value) }) || slices.ContainsFunc(v.Items(), hasCode)
}

// scorerModel finds the model that a scorer asks.
func scorerModel(v pyjson.Value) (pyjson.Value, bool) {
	for _, part := range []string{"instructions_judge_pydantic_data", "builtin_scorer_pydantic_data"} {
		if data, _ := v.Get(part); data.True() {
			return data.Get("model")
		}
	}
	if data, _ := v.Get("memory_augmented_judge_data"); data.True() {
		base, _ := data.Get("base_judge")
		return scorerModel(base)
	}
	data, _ := v.Get("third_party_scorer_data")
	return data.Get("model")
}

// destinations are options that choose where a scorer's LLM client sends requests.
var destinations = []string{"api_base", "base_url", "custom_llm_provider", "fallbacks", "model_list"}

func validateThirdParty(v pyjson.Value) error {
	if data, ok := v.Get("third_party_scorer_data"); ok && data.Kind() == pyjson.Object {
		kwargs, _ := data.Get("kwargs")
		if kwargs.Kind() != pyjson.Null && kwargs.Kind() != pyjson.Object {
			return Invalidf("third_party_scorer_data.kwargs must be a JSON object, got %s.", pythonType(kwargs))
		}
		var found []string
		for _, key := range destinations {
			if hasKey(kwargs, key) {
				found = append(found, pyjson.Repr(key))
			}
		}
		if found != nil {
			return Invalidf("third_party_scorer_data.kwargs must not contain %s: these options choose where the scorer's LLM client sends requests. Configure the judge endpoint on the server instead, for example through a gateway endpoint ('gateway:/<name>') or the provider's environment variables.",
				strings.Join(found, ", "))
		}
	}
	for _, m := range v.Members() {
		if err := validateThirdParty(m.Value); err != nil {
			return err
		}
	}
	for _, item := range v.Items() {
		if err := validateThirdParty(item); err != nil {
			return err
		}
	}
	return nil
}

// hasKey looks for a key at any depth; a list of two whose first is a text can be read as a member too.
func hasKey(v pyjson.Value, key string) bool {
	if _, ok := v.Get(key); ok {
		return true
	}
	if slices.ContainsFunc(v.Members(), func(m pyjson.Member) bool { return hasKey(m.Value, key) }) {
		return true
	}
	return slices.ContainsFunc(v.Items(), func(item pyjson.Value) bool {
		pair := item.Items()
		return len(pair) == 2 && pair[0].Text() == key || hasKey(item, key)
	})
}

// RegisterScorer makes a version of a scorer in an active experiment, and the scorer when it is new. Numbers are the highest there is
// plus one.
func (s *Store) RegisterScorer(ctx context.Context, experimentID, name, serialized string) (Scorer, error) {
	if err := s.validateScorer(serialized); err != nil {
		return Scorer{}, err
	}
	if strings.TrimSpace(name) == "" {
		return Scorer{}, Invalidf("Scorer name cannot be empty or contain only whitespace.")
	}
	sc := Scorer{Name: name, Serialized: serialized}
	defer s.grants.Add(1)
	err := s.writeActiveExperiment(ctx, experimentID, func(tx querier, eid int64) error {
		sc.ExperimentID, sc.Created = eid, s.now()
		var sid int64
		if err := tx.QueryRowContext(ctx, `INSERT INTO scorers (scorer_id, eid, name) VALUES (?, ?, ?)
			ON CONFLICT (eid, name) DO UPDATE SET name = excluded.name RETURNING sid, scorer_id`, dashed(s.cfg.NewID()), eid, name).Scan(&sid, &sc.ID); err != nil {
			return err
		}
		if err := tx.QueryRowContext(ctx, `INSERT INTO scorer_versions (sid, version, serialized, creation_time)
			SELECT ?, coalesce(max(version), 0) + 1, ?, ? FROM scorer_versions WHERE sid = ? RETURNING version`, sid, serialized, sc.Created, sid).Scan(&sc.Version); err != nil {
			return err
		}
		return s.own(ctx, tx, OnScorer, ScorerResource(strconv.FormatInt(eid, 10), name))
	})
	return sc, err
}

// dashed writes 32 hex digits as a UUID.
func dashed(id string) string {
	return id[:8] + "-" + id[8:12] + "-" + id[12:16] + "-" + id[16:20] + "-" + id[20:]
}

const selectScorers = `SELECT c.eid, c.name, v.version, v.serialized, v.creation_time, c.scorer_id FROM scorers c JOIN scorer_versions v ON v.sid = c.sid `

func scanScorer(row interface{ Scan(...any) error }) (c Scorer, err error) {
	err = row.Scan(&c.ExperimentID, &c.Name, &c.Version, &c.Serialized, &c.Created, &c.ID)
	return c, err
}

// scorersWhere lists scorers. MLflow's lists show the JSON as Python writes it, its single answers as it came.
func (s *Store) scorersWhere(ctx context.Context, where string, args ...any) ([]Scorer, error) {
	list, err := queryRows(ctx, s.db.Read(), func(rows *sql.Rows) (Scorer, error) {
		c, err := scanScorer(rows)
		if err != nil {
			return c, err
		}
		v, err := pyjson.Parse(c.Serialized)
		c.Serialized = v.JSON()
		return c, err
	}, selectScorers+where, args...)
	return readableScorers(ctx, list), err
}

const latestScorers = " AND v.version = (SELECT max(w.version) FROM scorer_versions w WHERE w.sid = c.sid) ORDER BY c.eid, c.name"

// Scorers lists the newest version of each scorer of an active experiment, by name.
func (s *Store) Scorers(ctx context.Context, experimentID string) ([]Scorer, error) {
	eid, err := s.activeExperiment(ctx, experimentID)
	if err != nil {
		return nil, err
	}
	return s.scorersWhere(ctx, "WHERE c.eid = ?"+latestScorers, eid)
}

// ScorersOf lists the newest version of each scorer of several experiments, ordered by experiment and name; nil means all experiments.
// Experiments that are deleted or unknown have none.
func (s *Store) ScorersOf(ctx context.Context, experimentIDs []string) ([]Scorer, error) {
	where := "WHERE c.eid IN (SELECT eid FROM experiments WHERE lifecycle_stage = 'active')"
	if experimentIDs == nil {
		return s.scorersWhere(ctx, where+latestScorers)
	}
	args := make([]any, len(experimentIDs))
	for i, id := range experimentIDs {
		if id == "" {
			return nil, Invalidf("Invalid experiment ID: ''")
		}
		eid, err := parseExperimentID(id)
		if err != nil {
			return nil, err
		}
		args[i] = eid
	}
	return s.scorersWhere(ctx, where+" AND c.eid IN ("+placeholders(len(args))+")"+latestScorers, args...)
}

// activeExperiment checks that an experiment is there and active.
func (s *Store) activeExperiment(ctx context.Context, id string) (eid int64, err error) {
	e, err := s.Experiment(ctx, id)
	if err != nil {
		return 0, err
	}
	if e.LifecycleStage != StageActive {
		return 0, Invalidf("The experiment %s must be in the 'active' state. Current state is %s.", id, e.LifecycleStage)
	}
	return parseExperimentID(id)
}

func noScorer(experimentID, name string, version *int64) error {
	if version != nil {
		return NotFoundf("Scorer with name '%s' and version %d not found for experiment %s.", name, *version, experimentID)
	}
	return NotFoundf("Scorer with name '%s' not found for experiment %s.", name, experimentID)
}

// ScorerVersions lists all versions of a scorer, ascending.
func (s *Store) ScorerVersions(ctx context.Context, experimentID, name string) ([]Scorer, error) {
	eid, err := s.activeExperiment(ctx, experimentID)
	if err != nil {
		return nil, err
	}
	out, err := s.scorersWhere(ctx, "WHERE c.eid = ? AND c.name = ? ORDER BY v.version", eid, name)
	if err == nil && len(out) == 0 {
		err = noScorer(experimentID, name, nil)
	}
	return out, err
}

// Scorer gives a version of a scorer, nil the newest.
func (s *Store) Scorer(ctx context.Context, experimentID, name string, version *int64) (Scorer, error) {
	eid, err := s.activeExperiment(ctx, experimentID)
	if err != nil {
		return Scorer{}, err
	}
	q := s.db.Read()
	var any int
	err = q.QueryRowContext(ctx, "SELECT 1 FROM scorers WHERE eid = ? AND name = ?", eid, name).Scan(&any)
	if errors.Is(err, sql.ErrNoRows) {
		return Scorer{}, noScorer(experimentID, name, nil)
	} else if err != nil {
		return Scorer{}, err
	}
	c, err := scanScorer(q.QueryRowContext(ctx, selectScorers+"WHERE c.eid = ? AND c.name = ? AND (? IS NULL OR v.version = ?) ORDER BY v.version DESC LIMIT 1",
		eid, name, version, version))
	if errors.Is(err, sql.ErrNoRows) {
		err = noScorer(experimentID, name, version)
	}
	return c, err
}

// DeleteScorer removes one version of a scorer, or with nil the scorer. A scorer whose last version goes keeps its id.
func (s *Store) DeleteScorer(ctx context.Context, experimentID, name string, version *int64) error {
	defer s.grants.Add(1)
	return s.writeActiveExperiment(ctx, experimentID, func(tx querier, eid int64) error {
		var sid, versions int64
		err := tx.QueryRowContext(ctx, `SELECT c.sid, (SELECT count(*) FROM scorer_versions v WHERE v.sid = c.sid)
			FROM scorers c WHERE c.eid = ? AND c.name = ?`, eid, name).Scan(&sid, &versions)
		if errors.Is(err, sql.ErrNoRows) || err == nil && version == nil && versions == 0 {
			return noScorer(experimentID, name, nil)
		} else if err != nil {
			return err
		}
		if version == nil {
			if _, err := tx.ExecContext(ctx, "DELETE FROM scorers WHERE sid = ?", sid); err != nil {
				return err
			}
			return disown(ctx, tx, ScorerResource(strconv.FormatInt(eid, 10), name), OnScorer)
		}
		ok, err := affected(tx.ExecContext(ctx, "DELETE FROM scorer_versions WHERE sid = ? AND version = ?", sid, *version))
		if err == nil && !ok {
			err = noScorer(experimentID, name, version)
		}
		return err
	})
}
