package registry

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/prinzbox/prinzbox/registry/pyjson"
)

// newRecord is one record of an upsert, checked.
type newRecord struct {
	inputs, outputs, expectations, tags, source pyjson.Value
	hasOutputs                                  bool
	hash                                        [sha256.Size]byte
}

// recordSources are the kinds of source, in the order of MLflow's message.
var recordSources = []string{"UNSPECIFIED", "TRACE", "HUMAN", "DOCUMENT", "CODE"}

// parseRecords reads the records of an upsert: a JSON list of objects.
func parseRecords(text string) ([]newRecord, error) {
	list, err := pyjson.Parse(text)
	if err != nil {
		return nil, Invalidf("Invalid value for parameter 'records' supplied: it is not JSON: %v", err)
	}
	if list.Kind() != pyjson.Array && (list.Kind() != pyjson.Object || list.True()) {
		return nil, Invalidf("Invalid value for parameter 'records' supplied: it must be the JSON text of a list of records.")
	}
	out := make([]newRecord, len(list.Items()))
	for i, item := range list.Items() {
		if out[i], err = parseRecord(item, fmt.Sprintf("records[%d]", i)); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func parseRecord(v pyjson.Value, path string) (r newRecord, err error) {
	if v.Kind() != pyjson.Object {
		return r, Invalidf("Invalid value for parameter '%s' supplied: a record must be an object with the member 'inputs'.", path)
	}
	// An absent member counts as {} for inputs and outputs and as null for the rest; a null is allowed for all but inputs.
	member := func(name string, absent pyjson.Value, nullable bool) pyjson.Value {
		m, ok := v.Get(name)
		switch {
		case !ok:
			return absent
		case m.Kind() != pyjson.Object && (m.Kind() != pyjson.Null || !nullable) && err == nil:
			err = Invalidf("Invalid value for parameter '%s.%s' supplied: it must be an object.", path, name)
		}
		return m
	}
	none := pyjson.OfMembers()
	r.inputs = member("inputs", none, false)
	r.expectations = member("expectations", pyjson.Value{}, true)
	r.tags = member("tags", pyjson.Value{}, true)
	source := member("source", pyjson.Value{}, true)
	if err != nil {
		return r, err
	}
	r.outputs = none
	if outputs, ok := v.Get("outputs"); ok {
		r.outputs, r.hasOutputs = outputs, true
	}
	if source.True() {
		if r.source, err = parseSource(source, path+".source"); err != nil {
			return r, err
		}
	}
	r.hash = sha256.Sum256([]byte(r.inputs.Sorted()))
	return r, nil
}

func parseSource(v pyjson.Value, path string) (pyjson.Value, error) {
	for _, m := range v.Members() {
		if m.Key != "source_type" && m.Key != "source_data" {
			return v, Invalidf("Invalid value for parameter '%s' supplied: there is no member '%s'; it has source_type and source_data.", path, m.Key)
		}
	}
	kind, ok := v.Get("source_type")
	if !ok || kind.Kind() != pyjson.String {
		return v, Invalidf("Missing value for required parameter '%s.source_type'.", path)
	}
	name := strings.ToUpper(kind.Text())
	if !slices.Contains(recordSources, name) {
		return v, Invalidf("Invalid dataset record source type: %s. Valid source types: %s", name, pyList(recordSources))
	}
	data, _ := v.Get("source_data")
	switch data.Kind() {
	case pyjson.Null:
		data = pyjson.OfMembers()
	case pyjson.Object:
	default:
		return v, Invalidf("Invalid value for parameter '%s.source_data' supplied: it must be an object.", path)
	}
	return pyjson.OfMembers(pyjson.Member{Key: "source_type", Value: pyjson.Of(name)}, pyjson.Member{Key: "source_data", Value: data}), nil
}

// user is who writes the record, by its tag.
func (r newRecord) user() *string {
	if v, ok := r.tags.Get(tagUser); ok {
		return tagText(v)
	}
	return nil
}

// UpsertRecords writes records, given as the JSON text of a list. A record with the same inputs as one that is there is merged into it:
// outputs replace, expectations and tags are set by key. Schema, profile and digest of the dataset follow. It tells how many were new.
func (s *Store) UpsertRecords(ctx context.Context, datasetID, records string) (inserted, updated int, err error) {
	list, err := parseRecords(records)
	if err != nil {
		return 0, 0, err
	}
	if len(list) == 0 {
		if _, err := s.EvaluationDataset(ctx, datasetID); IsCode(err, ResourceDoesNotExist) {
			return 0, 0, nil // as MLflow has it: nothing to write, nothing to miss
		}
	}
	err = s.writeEvaluationDataset(ctx, datasetID, noEvaluationDataset(datasetID), func(tx querier, edid int64) error {
		inserted, updated = 0, 0
		now := s.now()
		var by *string
		for _, r := range list {
			if user := r.user(); user != nil {
				by = user
			}
			isNew, err := s.upsertRecord(ctx, tx, edid, r, now)
			if err != nil {
				return err
			}
			if isNew {
				inserted++
			} else {
				updated++
			}
		}
		return touchDataset(ctx, tx, edid, list, by, now)
	})
	return inserted, updated, err
}

// dumps is what stands in a column for a value: NULL for null.
func dumps(v pyjson.Value) any {
	if v.Kind() == pyjson.Null {
		return nil
	}
	return v.JSON()
}

// loads reads a column that dumps wrote.
func loads(text *string) (pyjson.Value, error) {
	if text == nil {
		return pyjson.Value{}, nil
	}
	return pyjson.Parse(*text)
}

func (s *Store) upsertRecord(ctx context.Context, tx querier, edid int64, r newRecord, now int64) (isNew bool, err error) {
	var drid int64
	var expectations, tags *string
	err = tx.QueryRowContext(ctx, "SELECT drid, expectations, tags FROM evaluation_dataset_records WHERE edid = ? AND input_hash = ?", edid, r.hash[:]).
		Scan(&drid, &expectations, &tags)
	if errors.Is(err, sql.ErrNoRows) {
		_, err = tx.ExecContext(ctx, `INSERT INTO evaluation_dataset_records
			(record_id, edid, input_hash, inputs, outputs, expectations, tags, source, created_time, last_update_time, created_by, last_updated_by)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, "dr-"+s.cfg.NewID(), edid, r.hash[:], r.inputs.JSON(), dumps(r.outputs), dumps(r.expectations),
			dumps(r.tags), dumps(r.source), now, now, r.user(), r.user())
		return true, err
	} else if err != nil {
		return false, err
	}
	set := "last_update_time = ?"
	args := []any{s.now()}
	column := func(name string, value any) {
		set += ", " + name + " = ?"
		args = append(args, value)
	}
	if r.hasOutputs {
		column("outputs", dumps(r.outputs))
	}
	for _, merge := range []struct {
		name string
		old  *string
		with pyjson.Value
	}{{"expectations", expectations, r.expectations}, {"tags", tags, r.tags}} {
		if !merge.with.True() {
			continue
		}
		old, err := loads(merge.old)
		if err != nil {
			return false, err
		}
		column(merge.name, old.Update(merge.with.Members()...).JSON())
	}
	if user := r.user(); user != nil {
		column("last_updated_by", *user)
	}
	_, err = tx.ExecContext(ctx, "UPDATE evaluation_dataset_records SET "+set+" WHERE drid = ?", append(args, drid)...)
	return false, err
}

// touchDataset brings schema, profile, digest and time of a dataset up to date after an upsert.
func touchDataset(ctx context.Context, tx querier, edid int64, records []newRecord, by *string, now int64) error {
	var name string
	var oldSchema, oldProfile *string
	var count int64
	if err := tx.QueryRowContext(ctx, `SELECT name, schema, profile, (SELECT count(*) FROM evaluation_dataset_records r WHERE r.edid = d.edid)
		FROM evaluation_datasets d WHERE edid = ?`, edid).Scan(&name, &oldSchema, &oldProfile, &count); err != nil {
		return err
	}
	schema, err := loads(oldSchema)
	if err != nil {
		return err
	}
	if len(records) > 0 {
		schema = extendSchema(schema, records)
	}
	profile := oldProfile
	if count > 0 {
		profile = profileOf(count)
	}
	_, err = tx.ExecContext(ctx, "UPDATE evaluation_datasets SET schema = ?, profile = ?, digest = ?, last_update_time = ?, last_updated_by = ? WHERE edid = ?",
		dumps(schema), profile, datasetDigest(name, now), now, by, edid)
	return err
}

func profileOf(count int64) *string {
	text := pyjson.OfMembers(pyjson.Member{Key: "num_records", Value: pyjson.OfInt(count)}).JSON()
	return &text
}

// extendSchema adds the fields of records to a schema. The first type seen for a field stays.
func extendSchema(schema pyjson.Value, records []newRecord) pyjson.Value {
	if !schema.True() {
		schema = pyjson.OfMembers(pyjson.Member{Key: "inputs", Value: pyjson.OfMembers()}, pyjson.Member{Key: "outputs", Value: pyjson.OfMembers()},
			pyjson.Member{Key: "expectations", Value: pyjson.OfMembers()}, pyjson.Member{Key: "version", Value: pyjson.Of("1.0")})
	}
	outputs, _ := schema.Get("outputs")
	// All fields first, then one merge: a merge for each record would take the square of their number.
	var inputTypes, outputTypes, expectationTypes []pyjson.Member
	add := func(to *[]pyjson.Member, fields pyjson.Value) {
		for _, m := range fields.Members() {
			*to = append(*to, pyjson.Member{Key: m.Key, Value: pyjson.Of(typeName(m.Value))})
		}
	}
	for _, r := range records {
		add(&inputTypes, r.inputs)
		add(&expectationTypes, r.expectations)
		switch {
		case !r.hasOutputs || outputs.Kind() != pyjson.Object || r.outputs.Kind() == pyjson.Null:
			// Outputs that once were no object have one type for all of them.
		case r.outputs.Kind() == pyjson.Object:
			add(&outputTypes, r.outputs)
		case !outputs.True() && outputTypes == nil:
			outputs = pyjson.Of(typeName(r.outputs))
		}
	}
	if outputs.Kind() == pyjson.Object {
		outputs = outputs.Complete(outputTypes...)
	}
	inputs, _ := schema.Get("inputs")
	expectations, _ := schema.Get("expectations")
	return schema.Update(pyjson.Member{Key: "inputs", Value: inputs.Complete(inputTypes...)}, pyjson.Member{Key: "outputs", Value: outputs},
		pyjson.Member{Key: "expectations", Value: expectations.Complete(expectationTypes...)})
}

func typeName(v pyjson.Value) string {
	return map[pyjson.Kind]string{
		pyjson.Null: "null", pyjson.Bool: "boolean", pyjson.Int: "integer", pyjson.Float: "float",
		pyjson.String: "string", pyjson.Array: "array", pyjson.Object: "object",
	}[v.Kind()]
}

// DefaultRecordPage is the page size of Records when none is asked for.
const DefaultRecordPage = 1000

// Records gives a page of a dataset's records as the JSON text of a list, ordered by time of creation and id; an unknown dataset has
// none. max 0 means DefaultRecordPage.
func (s *Store) Records(ctx context.Context, datasetID string, max int, token string) (records, nextToken string, err error) {
	switch {
	case max < 0:
		return "", "", Invalidf("Invalid value %d for parameter 'max_results' supplied. It must be a positive integer", max)
	case max == 0:
		max = DefaultRecordPage
	}
	created, after, offset, err := parseRecordToken(token)
	if err != nil {
		return "", "", err
	}
	type row struct {
		id      string
		created int64
		value   pyjson.Value
	}
	rows, err := queryRows(ctx, s.db.Read(), func(rows *sql.Rows) (r row, err error) {
		r.id, r.created, r.value, err = scanRecord(rows, datasetID)
		return r, err
	}, `SELECT r.record_id, r.inputs, r.outputs, r.expectations, r.tags, r.source, r.created_time, r.last_update_time, r.created_by, r.last_updated_by
		FROM evaluation_dataset_records r WHERE r.edid = (SELECT edid FROM evaluation_datasets WHERE dataset_id = ?)
		AND (r.created_time, r.record_id) > (?, ?) ORDER BY r.created_time, r.record_id LIMIT ? OFFSET ?`,
		datasetID, created, after, min(max, 1<<30)+1, offset)
	if err != nil {
		return "", "", err
	}
	if len(rows) > max {
		rows = rows[:max]
		last := rows[max-1]
		nextToken = base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "%d:%s", last.created, last.id))
	}
	items := make([]pyjson.Value, len(rows))
	for i, r := range rows {
		items[i] = r.value
	}
	return pyjson.OfItems(items...).JSON(), nextToken, nil
}

// parseRecordToken reads a page token: base64 of "<created time>:<record id>", or a bare offset as older clients have it.
func parseRecordToken(token string) (created int64, id string, offset int, err error) {
	if token == "" {
		return -1, "", 0, nil
	}
	if raw, err := base64.StdEncoding.DecodeString(token); err == nil {
		time, id, ok := strings.Cut(string(raw), ":")
		if n, err := strconv.ParseInt(time, 10, 64); err == nil && ok {
			return n, id, 0, nil
		}
	}
	if offset, err = strconv.Atoi(token); err != nil || offset < 0 {
		return 0, "", 0, Invalidf("Invalid page token '%s': take the next_page_token of the page before.", token)
	}
	return -1, "", offset, nil
}

// scanRecord reads a row into MLflow's DatasetRecord, in the order of its fields.
func scanRecord(rows *sql.Rows, datasetID string) (id string, created int64, record pyjson.Value, err error) {
	var inputs, outputs, expectations, tags, source, createdBy, updatedBy *string
	var updated int64
	if err = rows.Scan(&id, &inputs, &outputs, &expectations, &tags, &source, &created, &updated, &createdBy, &updatedBy); err != nil {
		return id, created, record, err
	}
	var members []pyjson.Member
	add := func(key string, v pyjson.Value) { members = append(members, pyjson.Member{Key: key, Value: v}) }
	load := func(key string, text *string) (v pyjson.Value) {
		if text == nil || err != nil {
			return v
		}
		if v, err = pyjson.Parse(*text); v.Kind() != pyjson.Null {
			add(key, v)
		}
		return v
	}
	add("dataset_record_id", pyjson.Of(id))
	add("dataset_id", pyjson.Of(datasetID))
	load("inputs", inputs)
	load("expectations", expectations)
	if tags == nil {
		add("tags", pyjson.OfMembers())
	} else {
		load("tags", tags)
	}
	if src := load("source", source); src.Kind() == pyjson.Object {
		kind, _ := src.Get("source_type")
		data, _ := src.Get("source_data")
		key := "source_id"
		if kind.Text() == "TRACE" {
			key = "trace_id"
		}
		if v, ok := data.Get(key); ok && v.Kind() != pyjson.Null {
			add("source_id", pyjson.Of(v.Python()))
		}
		add("source_type", kind)
	}
	add("created_time", pyjson.OfInt(created))
	add("last_update_time", pyjson.OfInt(updated))
	if createdBy != nil {
		add("created_by", pyjson.Of(*createdBy))
	}
	if updatedBy != nil {
		add("last_updated_by", pyjson.Of(*updatedBy))
	}
	load("outputs", outputs)
	return id, created, pyjson.OfMembers(members...), err
}

// DeleteRecords removes records of a dataset and tells how many there were. The profile follows; the digest does not, as in MLflow.
func (s *Store) DeleteRecords(ctx context.Context, datasetID string, recordIDs []string) (deleted int, err error) {
	missing := errors.New("no such dataset")
	err = s.writeEvaluationDataset(ctx, datasetID, missing, func(tx querier, edid int64) error {
		deleted = 0
		for _, id := range recordIDs {
			ok, err := affected(tx.ExecContext(ctx, "DELETE FROM evaluation_dataset_records WHERE edid = ? AND record_id = ?", edid, id))
			if err != nil {
				return err
			}
			if ok {
				deleted++
			}
		}
		if deleted == 0 {
			return nil
		}
		var count int64
		if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM evaluation_dataset_records WHERE edid = ?", edid).Scan(&count); err != nil {
			return err
		}
		profile := "null"
		if count > 0 {
			profile = *profileOf(count)
		}
		_, err := tx.ExecContext(ctx, "UPDATE evaluation_datasets SET profile = ? WHERE edid = ?", profile, edid)
		return err
	})
	if errors.Is(err, missing) {
		return 0, nil
	}
	return deleted, err
}
