package registry

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/prinzbox/prinzbox/registry/pyjson"
)

// Assessment is MLflow's Assessment message: what somebody or something says of a trace. Exactly one of Feedback, Expectation and Issue is set.
type Assessment struct {
	ID          string            `json:"assessment_id"`
	Name        string            `json:"assessment_name"`
	TraceID     string            `json:"trace_id"`
	SpanID      string            `json:"span_id,omitempty"`
	Source      AssessmentSource  `json:"source"`
	CreateTime  Timestamp         `json:"create_time"`
	UpdateTime  Timestamp         `json:"last_update_time"`
	Feedback    *Feedback         `json:"feedback,omitempty"`
	Expectation *Expectation      `json:"expectation,omitempty"`
	Issue       *IssueReference   `json:"issue,omitempty"`
	Rationale   *string           `json:"rationale,omitempty"`
	Metadata    map[string]string `json:"metadata,omitempty"`
	Overrides   string            `json:"overrides,omitempty"`
	Valid       bool              `json:"valid"`
}

// AssessmentSource says who assesses.
type AssessmentSource struct {
	Type string `json:"source_type"`
	ID   string `json:"source_id,omitempty"`
}

// assessmentSources lists the kinds of sources by their numbers in MLflow's protocol, which start at 0.
var assessmentSources = []string{"SOURCE_TYPE_UNSPECIFIED", "HUMAN", "LLM_JUDGE", "CODE"}

// ParseAssessmentSource reads a kind of source by name or number; anything unknown is SOURCE_TYPE_UNSPECIFIED, as MLflow has it.
func ParseAssessmentSource(s string) string {
	if slices.Contains(assessmentSources, s) {
		return s
	}
	if n, err := strconv.Atoi(s); err == nil && n > 0 && n < len(assessmentSources) {
		return assessmentSources[n]
	}
	if s == "AI_JUDGE" { // its name in MLflow 2
		return assessmentSources[2]
	}
	return assessmentSources[0]
}

// Feedback is a judgement. Value is any JSON; numbers are floats, as they go through protobuf.
type Feedback struct {
	Value json.RawMessage  `json:"value,omitempty"`
	Error *AssessmentError `json:"error,omitempty"`
}

// AssessmentError says why there is no judgement.
type AssessmentError struct {
	Code       string `json:"error_code"`
	Message    string `json:"error_message,omitempty"`
	StackTrace string `json:"stack_trace,omitempty"`
}

// Expectation is the answer that would be right. Value is any JSON; lists and objects go over the wire as a text.
type Expectation struct {
	Value      json.RawMessage  `json:"value,omitempty"`
	Serialized *SerializedValue `json:"serialized_value,omitempty"`
}

// SerializedValue is a JSON text in a field of its own.
type SerializedValue struct {
	Format string `json:"serialization_format"`
	Value  string `json:"value"`
}

const serializedJSON = "JSON_FORMAT"

// IssueReference points to an issue, whose id is the assessment's name.
type IssueReference struct {
	Name string `json:"issue_name"`
}

// Kinds of assessments, as filters name them.
const (
	kindFeedback    = "feedback"
	kindExpectation = "expectation"
	kindIssue       = "issue"
)

// stackTraceCut is how MLflow marks a stack trace that it cut to its last 1000 characters.
const stackTraceCut = "[Stack trace is truncated]\n...\n"

// jsonValue brings a value into the form it is stored in.
func jsonValue(raw json.RawMessage, numbers pyjson.Numbers, field string) (json.RawMessage, error) {
	if len(raw) == 0 {
		return json.RawMessage("null"), nil
	}
	out, err := pyjson.Format(raw, numbers)
	if err != nil {
		return nil, Invalidf("Invalid value for parameter '%s' supplied: it must be JSON (%v).", field, err)
	}
	if strings.Contains(string(out), "Infinity") && !json.Valid(out) {
		return nil, Invalidf("Invalid value for parameter '%s' supplied: its numbers must fit into a double.", field)
	}
	return out, nil
}

// value gives an assessment's kind, its value as stored, and what is wrong with it.
func (a *Assessment) value() (kind string, value json.RawMessage, err error) {
	switch {
	case a.Expectation != nil:
		if v := a.Expectation.Serialized; v != nil {
			if v.Format != serializedJSON {
				return "", nil, Invalidf("Unknown serialization format: %s. Only JSON_FORMAT is supported.", v.Format)
			}
			value, err = jsonValue(json.RawMessage(v.Value), pyjson.AsWritten, "assessment.expectation.serialized_value.value")
		} else {
			value, err = jsonValue(a.Expectation.Value, pyjson.Floats, "assessment.expectation.value")
		}
		if err == nil && string(value) == "null" {
			err = Invalidf("The `value` field must be specified.")
		}
		return kindExpectation, value, err
	case a.Feedback != nil:
		value, err = jsonValue(a.Feedback.Value, pyjson.Floats, "assessment.feedback.value")
		if e := a.Feedback.Error; e != nil {
			if trace := []rune(e.StackTrace); len(trace) > 1000 {
				e.StackTrace = stackTraceCut + string(trace[len(trace)-1000+len(stackTraceCut):])
			}
		}
		return kindFeedback, value, err
	case a.Issue != nil:
		value, err = json.Marshal(a.Issue)
		return kindIssue, value, err
	}
	return "", nil, Invalidf("Unknown assessment type: None")
}

// completeAssessment fills in what the client may leave out.
func (s *Store) completeAssessment(a *Assessment) error {
	if _, _, err := a.value(); err != nil {
		return err
	}
	if err := checkLength(a.Name, "assessment.assessment_name", maxKey); err != nil {
		return err
	}
	if a.ID == "" {
		a.ID = "a-" + s.cfg.NewID()
	}
	now := Timestamp(s.now())
	if a.CreateTime == 0 {
		a.CreateTime = now
	}
	if a.UpdateTime == 0 {
		a.UpdateTime = now
	}
	a.Source.Type = ParseAssessmentSource(a.Source.Type)
	a.Valid = true
	return nil
}

// CreateAssessment adds an assessment to a trace. One that it overrides is no longer valid.
func (s *Store) CreateAssessment(ctx context.Context, a Assessment) (Assessment, error) {
	if err := s.completeAssessment(&a); err != nil {
		return Assessment{}, err
	}
	err := s.writeTrace(ctx, a.TraceID, func(tx querier, tid int64) error {
		if a.Overrides != "" {
			ok, err := affected(tx.ExecContext(ctx, "UPDATE assessments SET valid = 0 WHERE tid = ? AND assessment_id = ?", tid, a.Overrides))
			if err == nil && !ok {
				err = noAssessment(a.Overrides, a.TraceID)
			}
			if err != nil {
				return err
			}
		}
		return insertAssessment(ctx, tx, tid, a, false)
	})
	if err != nil {
		return Assessment{}, err
	}
	return s.Assessment(ctx, a.TraceID, a.ID)
}

func noAssessment(id, traceID string) error {
	return NotFoundf("Assessment with ID '%s' not found for trace '%s'", id, traceID)
}

// insertAssessment writes a complete assessment. An id that is taken is an error, unless replace is set and it is the same trace's.
func insertAssessment(ctx context.Context, tx querier, tid int64, a Assessment, replace bool) error {
	kind, value, err := a.value()
	if err != nil {
		return err
	}
	var failure, metadata any
	if a.Feedback != nil && a.Feedback.Error != nil {
		if failure, err = jsonText(a.Feedback.Error); err != nil {
			return err
		}
	}
	if len(a.Metadata) > 0 {
		if metadata, err = jsonText(a.Metadata); err != nil {
			return err
		}
	}
	query := `INSERT INTO assessments (assessment_id, tid, kind, name, value, number, error, source_type, source_id, span_id, rationale, overrides, valid, metadata, created_ms, updated_ms)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, nullif(?, ''), nullif(?, ''), ?, nullif(?, ''), ?, ?, ?, ?) ON CONFLICT (assessment_id) DO `
	if replace {
		query += `UPDATE SET kind = excluded.kind, name = excluded.name, value = excluded.value, number = excluded.number, error = excluded.error,
			source_type = excluded.source_type, source_id = excluded.source_id, span_id = excluded.span_id, rationale = excluded.rationale,
			overrides = excluded.overrides, valid = excluded.valid, metadata = excluded.metadata, created_ms = excluded.created_ms,
			updated_ms = excluded.updated_ms WHERE tid = excluded.tid`
	} else {
		query += "NOTHING"
	}
	ok, err := affected(tx.ExecContext(ctx, query, a.ID, tid, kind, a.Name, string(value), number(value), failure, a.Source.Type, a.Source.ID, a.SpanID,
		a.Rationale, a.Overrides, a.Valid, metadata, int64(a.CreateTime), int64(a.UpdateTime)))
	if err == nil && !ok {
		err = Errorf(ResourceAlreadyExists, "There is an assessment with ID '%s' already; leave assessment_id out to get a new one.", a.ID)
	}
	return err
}

func jsonText(v any) (string, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return "", err
	}
	out, err := pyjson.Format(raw, pyjson.AsWritten)
	return string(out), err
}

// number gives the value for comparisons with < and >: only a finite number has one.
func number(value json.RawMessage) any {
	f, err := strconv.ParseFloat(string(value), 64)
	if err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
		return nil
	}
	return f
}

const assessmentColumns = `a.tid, t.trace_id, a.assessment_id, a.kind, a.name, a.value, coalesce(a.error, ''), a.source_type, coalesce(a.source_id, ''), coalesce(a.span_id, ''),
	a.rationale, coalesce(a.overrides, ''), a.valid, coalesce(a.metadata, ''), a.created_ms, a.updated_ms`

type assessmentRow struct {
	tid        int64
	assessment Assessment
}

func scanAssessment(row interface{ Scan(...any) error }) (r assessmentRow, err error) {
	a := &r.assessment
	var kind, value, failure, metadata string
	if err := row.Scan(&r.tid, &a.TraceID, &a.ID, &kind, &a.Name, &value, &failure, &a.Source.Type, &a.Source.ID, &a.SpanID, &a.Rationale, &a.Overrides,
		&a.Valid, &metadata, &a.CreateTime, &a.UpdateTime); err != nil {
		return r, err
	}
	if metadata != "" {
		if err := json.Unmarshal([]byte(metadata), &a.Metadata); err != nil {
			return r, err
		}
	}
	switch kind {
	case kindFeedback:
		a.Feedback = &Feedback{Value: json.RawMessage(value)}
		if failure != "" {
			a.Feedback.Error = &AssessmentError{}
			err = json.Unmarshal([]byte(failure), a.Feedback.Error)
		}
	case kindExpectation:
		a.Expectation = &Expectation{}
		if strings.HasPrefix(value, "{") || strings.HasPrefix(value, "[") {
			// On the wire the text is ASCII; it is stored as it reads, so that filters find it.
			v, err := pyjson.Parse(value)
			if err != nil {
				return r, err
			}
			a.Expectation.Serialized = &SerializedValue{serializedJSON, v.JSON()}
		} else {
			a.Expectation.Value = json.RawMessage(asDouble(value))
		}
	default:
		a.Issue = &IssueReference{}
		err = json.Unmarshal([]byte(value), a.Issue)
	}
	return r, err
}

// asDouble writes a number that came as part of a text as protobuf's Value does.
func asDouble(value string) string {
	if n := number(json.RawMessage(value)); n != nil {
		return string(pyjson.AppendFloat(nil, n.(float64)))
	}
	return value
}

// Assessment gives one assessment of a trace, valid or not.
func (s *Store) Assessment(ctx context.Context, traceID, id string) (Assessment, error) {
	return assessment(ctx, s.db.Read(), traceID, id)
}

func assessment(ctx context.Context, q querier, traceID, id string) (Assessment, error) {
	row, err := scanAssessment(q.QueryRowContext(ctx, "SELECT "+assessmentColumns+" FROM assessments a JOIN traces t ON t.tid = a.tid WHERE t.trace_id = ? AND a.assessment_id = ?", traceID, id))
	if !errors.Is(err, sql.ErrNoRows) {
		return row.assessment, err
	}
	var any int
	if err := q.QueryRowContext(ctx, "SELECT count(*) FROM traces WHERE trace_id = ?", traceID).Scan(&any); err != nil {
		return Assessment{}, err
	}
	if any == 0 {
		return Assessment{}, NotFoundf("Trace with request_id '%s' not found", traceID)
	}
	return Assessment{}, noAssessment(id, traceID)
}

// AssessmentUpdate is a partial update: nil means "leave it". Metadata is added to what there is.
type AssessmentUpdate struct {
	Name, Rationale *string
	Feedback        *Feedback
	Expectation     *Expectation
	Metadata        map[string]string
}

// UpdateAssessment changes an assessment; its kind, source, span and validity stay.
func (s *Store) UpdateAssessment(ctx context.Context, traceID, id string, u AssessmentUpdate) (Assessment, error) {
	err := s.db.Write(ctx, func(tx querier) error {
		a, err := assessment(ctx, tx, traceID, id)
		if err != nil {
			return err
		}
		switch {
		case u.Expectation != nil && u.Feedback != nil:
			return Invalidf("Cannot specify both `expectation` and `feedback` parameters.")
		case u.Expectation != nil && a.Expectation == nil:
			return Invalidf("Cannot update expectation value on a Feedback assessment.")
		case u.Feedback != nil && a.Feedback == nil:
			return Invalidf("Cannot update feedback value on an Expectation assessment.")
		case u.Expectation != nil:
			a.Expectation = u.Expectation
		case u.Feedback != nil:
			a.Feedback = u.Feedback
		}
		if u.Name != nil {
			if err := checkLength(*u.Name, "assessment.assessment_name", maxKey); err != nil {
				return err
			}
			a.Name = *u.Name
		}
		if u.Rationale != nil && a.Expectation == nil { // MLflow's expectations have none
			a.Rationale = u.Rationale
		}
		if a.Metadata == nil {
			a.Metadata = u.Metadata
		} else {
			maps.Copy(a.Metadata, u.Metadata)
		}
		a.UpdateTime = Timestamp(s.now())
		var tid int64
		if err := tx.QueryRowContext(ctx, "SELECT tid FROM traces WHERE trace_id = ?", traceID).Scan(&tid); err != nil {
			return err
		}
		return insertAssessment(ctx, tx, tid, a, true)
	})
	if err != nil {
		return Assessment{}, err
	}
	return s.Assessment(ctx, traceID, id)
}

// DeleteAssessment removes an assessment; what it overrode is valid again. One that is not there is no error.
func (s *Store) DeleteAssessment(ctx context.Context, traceID, id string) error {
	return s.db.Write(ctx, func(tx querier) error {
		_, err := tx.ExecContext(ctx, `UPDATE assessments SET valid = 1 WHERE assessment_id IN
			(SELECT a.overrides FROM assessments a JOIN traces t ON t.tid = a.tid WHERE t.trace_id = ? AND a.assessment_id = ?)`, traceID, id)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "DELETE FROM assessments WHERE assessment_id = ? AND tid = (SELECT tid FROM traces WHERE trace_id = ?)", id, traceID)
		return err
	})
}
