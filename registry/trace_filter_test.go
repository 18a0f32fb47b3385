package registry_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prinzbox/prinzbox/registry"
	"github.com/prinzbox/prinzbox/registry/sqldb"
)

func traceStore(t testing.TB) *registry.Store {
	t.Helper()
	db, err := sqldb.Open(t.Context(), filepath.Join(t.TempDir(), "traces.db"), sqldb.DurabilityOff)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	n := 0
	s, err := registry.Open(t.Context(), registry.Config{DB: db, Clock: time.Now, ArtifactRoot: "mlflow-artifacts:", NewID: func() string {
		n++
		return strings.Repeat("0", 31) + string(rune('a'+n%6))
	}})
	if err != nil {
		t.Fatal(err)
	}
	info := registry.TraceInfo{TraceID: "tr-1", State: registry.TraceOK, Tags: map[string]string{"a": "b"}, Metadata: map[string]string{"mlflow.trace.session": "s"}}
	info.Location.Experiment.ExperimentID = "0"
	if _, err := s.StartTrace(t.Context(), info); err != nil {
		t.Fatal(err)
	}
	return s
}

// A filter and an order find traces or are the caller's mistake; the database never sees one it cannot read.
func FuzzTraceFilter(f *testing.F) {
	for _, seed := range [][2]string{
		{"span.attributes.`a\"b` LIKE '%x%' AND feedback.x > 1e3", "tags.x DESC"},
		{"trace.text ILIKE 'é'", "timestamp"},
		{"run_id = 'x' AND prompt = 'a/b'", "name"},
		{"span.attributes.x RLIKE '^a|b$' AND span.name IN ('a', 'b')", "metadata.k"},
		{"expectation.e IS NULL AND issue.id = 'i'", "end_time"},
		{"tags.a RLIKE '[' ", ""},
	} {
		f.Add(seed[0], seed[1])
	}
	s := traceStore(f)
	f.Fuzz(func(t *testing.T, filter, order string) {
		q := registry.TraceQuery{ExperimentIDs: []string{"0", "1"}, Filter: filter, MaxResults: 10}
		if order != "" {
			q.OrderBy = []string{order}
		}
		_, err := s.SearchTraces(t.Context(), q)
		var user *registry.Error
		if err != nil && (!errors.As(err, &user) || user.Code.HTTPStatus() >= 500) {
			t.Errorf("%q, ordered by %q: %v", filter, order, err)
		}
	})
}

// What would break the database's own limits is refused before.
func TestTraceFilterLimits(t *testing.T) {
	s := traceStore(t)
	for name, filter := range map[string]string{
		"a pattern too long":       "trace.text LIKE '" + strings.Repeat("x", 60_000) + "'",
		"too many comparisons":     strings.Repeat("status = 'OK' AND ", 2000) + "status = 'OK'",
		"a repeat Go cannot count": "tags.a RLIKE 'x{5000}'",
	} {
		_, err := s.SearchTraces(t.Context(), registry.TraceQuery{ExperimentIDs: []string{"0"}, Filter: filter, MaxResults: 10})
		if !registry.IsCode(err, registry.InvalidParameterValue) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	for name, filter := range map[string]string{
		"many comparisons": strings.Repeat("tags.a = 'b' AND ", 99) + "status = 'OK'",
		"a long list":      "request_id IN ('tr-1'" + strings.Repeat(", 'x'", 20_000) + ")",
	} {
		page, err := s.SearchTraces(t.Context(), registry.TraceQuery{ExperimentIDs: []string{"0"}, Filter: filter, MaxResults: 10})
		if err != nil || len(page.Items) != 1 {
			t.Errorf("%s: %d found, %v", name, len(page.Items), err)
		}
	}
}

// A span with the same numbers as its child stands for it; a loop of parents and a parent that never came are roots.
func TestTokensAreAddedUpOnce(t *testing.T) {
	usage := func(n string) []registry.SpanAttribute {
		if n == "" {
			return nil
		}
		return []registry.SpanAttribute{{Key: "mlflow.chat.tokenUsage", JSON: `{"input_tokens": ` + n + `, "output_tokens": 0, "total_tokens": ` + n + `}`}}
	}
	for name, c := range map[string]struct {
		spans [][3]string // id, parent, tokens
		want  string
	}{
		"siblings":        {[][3]string{{"r", "", ""}, {"a", "r", "1"}, {"b", "r", "2"}}, "3"},
		"parent and kid":  {[][3]string{{"r", "", "5"}, {"a", "r", "1"}, {"b", "a", "2"}}, "5"},
		"through a gap":   {[][3]string{{"r", "", "5"}, {"a", "r", ""}, {"b", "a", "2"}}, "5"},
		"parent not here": {[][3]string{{"a", "x", "1"}, {"b", "y", "2"}}, "3"},
		"its own parent":  {[][3]string{{"a", "a", "1"}}, "1"},
	} {
		t.Run(name, func(t *testing.T) {
			s := traceStore(t)
			for _, sp := range c.spans { // one call each: the sum is over what is stored
				n := registry.NewSpan{TraceID: []byte{1}, SpanID: []byte(sp[0]), ParentID: []byte(sp[1]), Start: 1e9, End: 2e9, Status: registry.SpanOK, Attributes: usage(sp[2])}
				if _, err := s.LogSpans(t.Context(), "0", []registry.NewSpan{n}); err != nil {
					t.Fatal(err)
				}
			}
			info, err := s.TraceInfo(t.Context(), "tr-00000000000000000000000000000001")
			if err != nil {
				t.Fatal(err)
			}
			want := `{"input_tokens": ` + c.want + `, "output_tokens": 0, "total_tokens": ` + c.want + `}`
			if got := info.Metadata[registry.MetaTokenUsage]; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}
