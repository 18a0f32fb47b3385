package registry

import "strings"

// traceMetricFilter is one comparison of a metrics query: trace.status = 'OK', trace.tag.team = 'a', span.name = 'x', assessment.type = 'feedback'.
type traceMetricFilter struct{ view, entity, key, value string }

// traceMetricEntities tell of each view's entities whether they need a key; in MLflow's order.
var traceMetricEntities = map[string][]struct {
	name  string
	keyed bool
}{
	"trace":      {{"status", false}, {"tag", true}, {"metadata", true}},
	"span":       {{"name", false}, {"status", false}, {"type", false}},
	"assessment": {{"name", false}, {"type", false}},
}

// parseTraceMetricFilter reads one comparison; the words of its errors are MLflow's.
func parseTraceMetricFilter(text string) (f traceMetricFilter, err error) {
	rest := strings.TrimSpace(text)
	if rest == "" {
		return f, Invalidf("Invalid filter: '%s'. Expected one filter clause.", text)
	}
	// The identifier ends where an operator or a blank stands outside quotes.
	end, quote := len(rest), byte(0)
	for i := 0; i < len(rest) && end == len(rest); i++ {
		switch c := rest[i]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '`' || c == '"' || c == '\'':
			quote = c
		case strings.IndexByte(" \t\r\n=!<>", c) >= 0:
			end = i
		}
	}
	identifier := rest[:end]
	rest = strings.TrimSpace(rest[end:])
	operator := rest[:len(rest)-len(strings.TrimLeft(rest, "=!<>"))]
	if operator == "" {
		operator, _, _ = strings.Cut(rest, " ") // a word, or nothing
	}
	rest = strings.TrimSpace(rest[len(operator):])
	if operator == "" || rest == "" {
		return f, Invalidf("Invalid clause(s) in filter string: %s", text)
	}
	if err := f.identify(identifier); err != nil {
		return f, err
	}
	if operator != "=" {
		return f, Invalidf("Invalid comparator: '%s', only '=' operator is supported", operator)
	}
	if rest[0] != '\'' && rest[0] != '"' {
		return f, Invalidf("Expected a quoted string value for %s value (e.g. 'my-value'). Got value %s", f.entity, rest)
	}
	value, after, closed := strings.Cut(rest[1:], rest[:1])
	if !closed || strings.TrimSpace(after) != "" {
		word, _, _ := strings.Cut(strings.TrimSpace(after), " ")
		return f, Invalidf("Invalid clause(s) in filter string: %s", word)
	}
	f.value = value
	return f, nil
}

func (f *traceMetricFilter) identify(identifier string) error {
	parts := strings.SplitN(identifier, ".", 3)
	if len(parts) < 2 {
		return Invalidf("Invalid identifier '%s'. Columns should be specified as 'trace.<key>', 'span.<key>', 'assessment.<key>'.", identifier)
	}
	f.view, f.entity = strings.Trim(parts[0], "`"), parts[1]
	entities, ok := traceMetricEntities[f.view]
	if !ok {
		return Invalidf("Invalid view type '%s'. Valid values are dict_keys(['trace', 'span', 'assessment'])", f.view)
	}
	var names []string
	for _, e := range entities {
		names = append(names, e.name)
		switch {
		case e.name != f.entity:
		case e.keyed && len(parts) < 3:
			return Invalidf("Filtering by %s requires a key, e.g. '%s.%s.<key> = <value>'", f.entity, f.view, f.entity)
		case !e.keyed && len(parts) == 3:
			return Invalidf("Filtering by %s does not require a key, use '%s.%s' instead", f.entity, f.view, f.entity)
		default:
			if e.keyed {
				f.key = strings.Trim(strings.Trim(parts[2], `'"`), "`")
			}
			return nil
		}
	}
	return Invalidf("Invalid entity '%s' specified for view type '%s'. Valid entities are %s", f.entity, f.view, pyList(names))
}

// sql is the condition on the rows of a view, and its values.
func (f traceMetricFilter) sql(view string) (string, []any, error) {
	switch f.view {
	case "span":
		if view != "SPANS" {
			return "", nil, Invalidf("Filtering by span is only supported for SPANS view type, got %s", view)
		}
		return map[string]string{"name": "p.name = ?", "status": "p.status = ?", "type": "p.type = ?"}[f.entity], []any{f.value}, nil
	case "assessment":
		if view != "ASSESSMENTS" {
			return "", nil, Invalidf("Filtering by assessment is only supported for ASSESSMENTS view type, got %s", view)
		}
		return map[string]string{"name": "a.name = ?", "type": "a.kind = ?"}[f.entity], []any{f.value}, nil
	}
	switch f.entity {
	case "status":
		return "t.status = ?", []any{f.value}, nil
	case "tag":
		return "EXISTS (SELECT 1 FROM trace_tags x WHERE x.tid = t.tid AND x.key = ? AND x.value = ?)", []any{f.key, f.value}, nil
	}
	clause := "EXISTS (SELECT 1 FROM trace_metadata x WHERE x.tid = t.tid AND x.key = ? AND x.value = ?)"
	args := []any{f.key, f.value}
	if f.key == "mlflow.sourceRun" { // traces that were linked to a run afterwards belong to it as well
		clause = "(" + clause + " OR EXISTS (SELECT 1 FROM trace_runs x WHERE x.tid = t.tid AND x.run_id = ?))"
		args = append(args, f.value)
	}
	return clause, args, nil
}
