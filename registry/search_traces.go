package registry

import (
	"context"
	"database/sql"
	"fmt"
	"regexp"
	"strings"

	"github.com/prinzbox/prinzbox/registry/filter"
	"github.com/prinzbox/prinzbox/registry/pyjson"
)

// MaxTracePage is the largest page of traces/search.
const MaxTracePage = 500

var (
	textOps     = []string{"!=", "=", "LIKE", "ILIKE", "RLIKE"}
	nullableOps = append([]string{"IS NULL", "IS NOT NULL"}, textOps...)
	listOps     = append([]string{"IN", "NOT IN"}, textOps...)
	likeOps     = []string{"LIKE", "ILIKE"}
	lessOps     = []string{"<", "<=", ">", ">="}
	assessedOps = append(append([]string{}, lessOps...), nullableOps...)
)

var traceGrammar = filter.Grammar{
	Prefixes: map[string]filter.Kind{
		"tag": filter.Tag, "tags": filter.Tag, "attribute": filter.Attribute, "attributes": filter.Attribute, "trace": filter.Attribute,
		"metadata": filter.Metadata, "request_metadata": filter.Metadata, "span": filter.Span, "feedback": filter.Feedback,
		"expectation": filter.Expectation, "issue": filter.Issue,
	},
	Entities: "{'attribute', 'attributes', 'expectation', 'feedback', 'issue', 'metadata', 'request_metadata', 'span', 'tag', 'tags', 'trace'}",
	Attributes: map[string]filter.Attr{
		"request_id": {List: true}, "status": {List: true}, "client_request_id": {List: true, FilterOnly: true},
		"name": {List: true}, "run_id": {List: true}, "prompt": {FilterOnly: true}, "text": {FilterOnly: true}, "experiment_id": {OrderOnly: true},
		"timestamp": {Name: "timestamp_ms", Numeric: true}, "timestamp_ms": {Numeric: true},
		"execution_time": {Name: "execution_time_ms", Numeric: true}, "execution_time_ms": {Numeric: true},
		"end_time": {Name: "end_time_ms", Numeric: true}, "end_time_ms": {Numeric: true},
	},
	Rules: map[filter.Kind]filter.Rule{
		filter.Attribute: {Ops: listOps, Check: func(key string) ([]string, error) {
			switch key {
			case "name", "run_id", "prompt": // kept as tags and metadata
				return nullableOps, nil
			case "text":
				return likeOps, nil
			}
			return nil, nil
		}},
		filter.Tag:         {Ops: nullableOps},
		filter.Metadata:    {Ops: nullableOps},
		filter.Span:        {Ops: listOps, Named: "span", Check: checkSpanKey},
		filter.Feedback:    {Ops: assessedOps, Numbers: lessOps, Named: "assessment", Check: checkAssessmentKey},
		filter.Expectation: {Ops: assessedOps, Numbers: lessOps, Named: "assessment", Check: checkAssessmentKey},
		filter.Issue: {Ops: []string{"="}, Named: "issue", Check: func(key string) ([]string, error) {
			if key != "id" {
				return nil, &filter.Error{Message: fmt.Sprintf("Invalid issue attribute '%s'. Supported attributes: id", key)}
			}
			return nil, nil
		}},
	},
}

const spanAttributePrefix = "attributes."

func checkSpanKey(key string) ([]string, error) {
	name, isAttribute := strings.CutPrefix(key, spanAttributePrefix)
	switch {
	case isAttribute && strings.Trim(name, "`") == "":
		return nil, &filter.Error{Message: "Span attribute name cannot be empty after 'attributes.'"}
	case isAttribute, key == "name", key == "status", key == "type":
		return nil, nil
	case key == "content":
		return likeOps, nil
	}
	return nil, &filter.Error{Message: fmt.Sprintf("Invalid span attribute '%s'. Supported attributes: name, status, type, attributes.<attribute_name>.", key)}
}

func checkAssessmentKey(key string) ([]string, error) {
	if key == "" {
		return nil, &filter.Error{Message: "Assessment field name cannot be empty"}
	}
	return nil, nil
}

var traceColumnsOf = filter.Columns{
	Attributes: map[string]string{
		"request_id": "t.trace_id", "client_request_id": "t.client_request_id", "status": "t.status", "experiment_id": "t.eid",
		"timestamp_ms": "t.timestamp_ms", "execution_time_ms": "t.execution_time_ms", "end_time_ms": "(t.timestamp_ms + coalesce(t.execution_time_ms, 0))",
	},
	Rows: map[filter.Kind]string{
		filter.Tag:      "SELECT 1 FROM trace_tags x WHERE x.tid = t.tid AND x.key = ?",
		filter.Metadata: "SELECT 1 FROM trace_metadata x WHERE x.tid = t.tid AND x.key = ?",
	},
}

// TraceQuery is a search of traces. No experiments find nothing.
type TraceQuery struct {
	ExperimentIDs []string
	Filter        string
	OrderBy       []string
	MaxResults    int
	PageToken     string
}

// SearchTraces gives a page of traces without spans, the newest first unless OrderBy says otherwise. A full page has a token even when nothing follows, as
// MLflow has it.
func (s *Store) SearchTraces(ctx context.Context, q TraceQuery) (Page[TraceInfo], error) {
	if err := maxResults(q.MaxResults, MaxTracePage); err != nil {
		return Page[TraceInfo]{}, err
	}
	eids, err := parseExperimentIDs(q.ExperimentIDs)
	if err != nil {
		return Page[TraceInfo]{}, err
	}
	sel := &selection{columns: traceColumns, from: "traces t"}
	if err := selectTraces(sel, eids, q.Filter); err != nil {
		return Page[TraceInfo]{}, err
	}
	if err := orderTraces(sel, q.OrderBy); err != nil {
		return Page[TraceInfo]{}, err
	}
	offset, err := parsePageToken(q.PageToken)
	if err != nil || len(eids) == 0 {
		return Page[TraceInfo]{}, err
	}
	rd := s.db.Read()
	rows, err := runSelection(ctx, rd, sel, func(rows *sql.Rows) (traceRow, error) { return scanTrace(rows) }, q.MaxResults, q.PageToken)
	if err != nil {
		return Page[TraceInfo]{}, err
	}
	if len(rows.Items) == q.MaxResults {
		rows.NextPageToken = makePageToken(offset + q.MaxResults)
	}
	infos, err := loadTraces(ctx, rd, rows.Items)
	return Page[TraceInfo]{Items: infos, NextPageToken: rows.NextPageToken}, err
}

// selectTraces adds the conditions of experiments and a filter.
func selectTraces(sel *selection, eids []any, text string) error {
	cs, err := traceGrammar.Parse(text)
	if err != nil {
		return asInvalid(err)
	}
	scope := jsonInts(eids)
	if len(eids) == 1 {
		sel.and("t.eid = ?", eids[0])
	} else {
		sel.and("t.eid "+inList, scope)
	}
	var spans []string
	var spanArgs []any
	for _, c := range cs {
		var args []any
		var cond string
		switch {
		case c.Kind == filter.Span || c.Kind == filter.Attribute && c.Key == "text":
			if cond, err = spanCondition(c, &spanArgs); err != nil {
				return err
			}
			spans = append(spans, cond)
			continue
		case c.Kind == filter.Feedback, c.Kind == filter.Expectation:
			cond = assessmentCondition(c, scope, &args)
		case c.Kind == filter.Issue:
			cond = "EXISTS (SELECT 1 FROM assessments a WHERE a.tid = t.tid AND a.kind = 'issue' AND a.name = ?)"
			args = []any{c.Value}
		default:
			if cond, err = traceCondition(c, &args); err != nil {
				return err
			}
		}
		sel.and(cond, args...)
	}
	if spans != nil { // one span must meet them all
		sel.and("EXISTS (SELECT 1 FROM spans s WHERE s.tid = t.tid AND "+strings.Join(spans, " AND ")+")", spanArgs...)
	}
	return nil
}

// traceCondition is a comparison of what a trace itself has; some attributes are kept as tags and metadata.
func traceCondition(c filter.Comparison, args *[]any) (string, error) {
	if c.Kind == filter.Attribute {
		switch c.Key {
		case "name":
			c.Kind, c.Key = filter.Tag, TagTraceName
		case "run_id":
			c.Kind, c.Key = filter.Metadata, MetaSourceRun
		case "prompt":
			return promptCondition(c, args)
		}
	}
	if c.Kind == filter.Metadata && (c.Key == MetaTokenUsage || c.Key == MetaCost) && strings.HasSuffix(c.Op, "LIKE") {
		return "", Invalidf("Comparator '%s' is not supported for reserved metadata '%s'. Only '=', '!=', 'IS NULL', and 'IS NOT NULL' are supported.", c.Op, c.Key)
	}
	cond, values := traceColumnsOf.Compile([]filter.Comparison{c})
	*args = append(*args, values...)
	if c.Kind == filter.Metadata && c.Key == MetaSourceRun && c.Op == "=" {
		cond = "(" + cond + " OR EXISTS (SELECT 1 FROM trace_runs r WHERE r.tid = t.tid AND r.run_id = ?))"
		*args = append(*args, c.Value)
	}
	return cond, nil
}

func promptCondition(c filter.Comparison, args *[]any) (string, error) {
	value, _ := c.Value.(string)
	switch {
	case c.Op != "=":
		return "", Invalidf("Invalid comparator '%s' for prompts filter. Only '=' is supported with format: prompt = \"name/version\"", c.Op)
	case strings.Count(value, "/") != 1:
		return "", Invalidf("Invalid prompts filter value '%s'. Expected format: prompt = \"name/version\"", value)
	}
	*args = append(*args, value)
	return "EXISTS (SELECT 1 FROM trace_prompts p WHERE p.tid = t.tid AND p.prompt = ?)", nil
}

// spanCondition is a comparison of a span s. LIKE and RLIKE of an attribute look into the span's text behind the attribute's name, as MLflow's do; its =
// and IN compare the value, which MLflow's never match.
func spanCondition(c filter.Comparison, args *[]any) (string, error) {
	name, isAttribute := strings.CutPrefix(c.Key, spanAttributePrefix)
	if c.Kind == filter.Attribute || c.Key == "content" {
		return filter.Compare("s.content", c, args), nil
	}
	if !isAttribute {
		return filter.Compare("s."+c.Key, c, args), nil
	}
	name = strings.Trim(name, "`")
	key := string(pyjson.AppendString(nil, name))
	value, _ := c.Value.(string)
	switch c.Op {
	case "LIKE", "ILIKE":
		c.Value = "%" + key + value + "%"
		return filter.Compare("s.content", c, args), nil
	case "RLIKE":
		pattern := regexp.QuoteMeta(key+": ") + `"\\"`
		if rest, anchored := strings.CutPrefix(value, "^"); anchored {
			value = rest
		} else {
			pattern += ".*"
		}
		if rest, anchored := strings.CutSuffix(value, "$"); anchored {
			value = rest + `\\"`
		}
		c.Value = pattern + value
		if _, err := regexp.Compile(pattern + value); err != nil {
			return "", Invalidf("Invalid regular expression in filter on span.%s: %v", c.Key, err)
		}
		return filter.Compare("s.content", c, args), nil
	}
	*args = append(*args, name)
	values, isList := c.Value.([]string)
	if !isList {
		values = []string{value}
	}
	var both []string // the value is JSON: 5 is 5, a text has quotes
	for _, v := range values {
		both = append(both, v, string(pyjson.AppendString(nil, v)))
	}
	op := "IN"
	if c.Op == "!=" || c.Op == "NOT IN" {
		op = "NOT IN"
	}
	return "EXISTS (SELECT 1 FROM " + membersOf("s.content", "attributes") + " e WHERE e.key = ? AND " + filter.Compare("e.value", filter.Comparison{Op: op, Value: both}, args) + ")", nil
}

// assessmentCondition is a comparison of a valid assessment. One of a session, told by its metadata, counts for every trace of that session.
func assessmentCondition(c filter.Comparison, scope string, args *[]any) string {
	match := "a.kind = ? AND a.name = ? AND a.valid = 1"
	values := []any{string(c.Kind), c.Key}
	not := ""
	switch c.Op {
	case "IS NULL":
		not = "NOT "
	case "IS NOT NULL":
	case "=", "!=":
		text, _ := c.Value.(string)
		in := " AND a.value IN (?, ?)"
		if c.Op == "!=" {
			in = " AND a.value NOT IN (?, ?)"
		}
		match += in
		values = append(values, text, string(pyjson.AppendString(nil, text)))
	case "<", "<=", ">", ">=":
		match += " AND " + filter.Compare("a.number", c, &values)
	default:
		match += " AND " + filter.Compare("a.value", c, &values)
	}
	*args = append(append(append(*args, values...), values...), scope)
	const session = "'" + MetaSession + "'"
	return not + `(t.tid IN (SELECT a.tid FROM assessments a WHERE ` + match + `) OR t.tid IN (SELECT m.tid FROM trace_metadata m WHERE m.key = ` + session + ` AND m.value IN
		(SELECT n.value FROM assessments a JOIN trace_metadata n ON n.tid = a.tid AND n.key = ` + session + ` JOIN traces o ON o.tid = a.tid
			WHERE ` + match + ` AND o.eid ` + inList + ` AND instr(a.metadata, '"` + MetaSession + `":') > 0)))`
}

// orderTraces adds the order: what the clauses say, missing values last in both directions, then the newest first, then by id.
func orderTraces(sel *selection, clauses []string) error {
	orders, err := traceGrammar.ParseOrder(clauses)
	if err != nil {
		return asInvalid(err)
	}
	for i, o := range orders {
		if o.Kind == filter.Attribute {
			switch o.Key {
			case "name":
				o.Kind, o.Key = filter.Tag, TagTraceName
			case "run_id":
				o.Kind, o.Key = filter.Metadata, MetaSourceRun
			}
		}
		table := "trace_tags"
		switch o.Kind {
		case filter.Attribute:
			column := traceColumnsOf.Attributes[o.Key]
			if o.Key == "execution_time_ms" { // the only one that can be missing
				sel.order = append(sel.order, column+" IS NULL")
			}
			sel.order = append(sel.order, column+direction(o.Desc))
			continue
		case filter.Tag:
		case filter.Metadata:
			if o.Key == MetaTokenUsage || o.Key == MetaCost {
				return Invalidf("Ordering by reserved metadata '%s' is not supported because it is represented by multiple columns.", o.Key)
			}
			table = "trace_metadata"
		default:
			return Invalidf("Invalid identifier type '%s'", o.Kind)
		}
		t := fmt.Sprintf("o%d", i)
		sel.from += " LEFT JOIN " + table + " " + t + " ON " + t + ".tid = t.tid AND " + t + ".key = ?"
		sel.fromArgs = append(sel.fromArgs, o.Key)
		sel.order = append(sel.order, t+".value IS NULL", t+".value"+direction(o.Desc))
	}
	sel.order = append(sel.order, "t.timestamp_ms DESC", "t.trace_id ASC")
	return nil
}
