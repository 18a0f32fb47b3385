package registry

import (
	"errors"
	"strings"
	"testing"
)

// FuzzTraceMetricFilter: every text is a comparison whose value is bound, or MLflow's error.
func FuzzTraceMetricFilter(f *testing.F) {
	for _, seed := range []string{"trace.status = 'OK'", "trace.tag.`a.b` = \"x\"", "trace.metadata.'k'='v'", "assessment.type =", "span.name ! 'x'", "`= = ='", "trace.status LIKE 'a' b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		parsed, err := parseTraceMetricFilter(text)
		var user *Error
		if err != nil {
			if !errors.As(err, &user) || user.Code != InvalidParameterValue {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		for _, view := range []string{"TRACES", "SPANS", "ASSESSMENTS"} {
			clause, args, err := parsed.sql(view)
			if err == nil && (clause == "" || strings.Count(clause, "?") != len(args)) {
				t.Fatalf("%q: %q with %d values", text, clause, len(args))
			}
		}
	})
}
