package filter

import (
	"strings"
	"testing"
)

// What SQLite cannot take must be refused before it is asked: its refusal would be an answer 500, which MLflow's clients retry.
func TestSizesAreBounded(t *testing.T) {
	t.Parallel()
	g := &Grammar{
		Prefixes:   map[string]Kind{"tags": Tag, "attributes": Attribute},
		Attributes: map[string]Attr{"run_id": {List: true}, "run_name": {}},
	}
	for name, text := range map[string]string{
		"comparisons": strings.Repeat("tags.a = 'x' AND ", maxComparisons) + "tags.a = 'x'",
		"list":        "attributes.run_id IN (" + strings.Repeat("'a',", maxListed) + "'a')",
		"lists":       strings.Repeat("attributes.run_id IN ("+strings.Repeat("'a',", 999)+"'a') AND ", maxListed/1000) + "attributes.run_id IN ('a')",
		"pattern":     "attributes.run_name LIKE '" + strings.Repeat("a", maxPattern+1) + "'",
		"ILIKE":       "tags.a ILIKE '" + strings.Repeat("a", maxPattern+1) + "'",
		"brackets":    "attributes.run_id IN " + strings.Repeat("(", 100_000) + "'a'" + strings.Repeat(")", 100_000),
	} {
		if cs, err := g.Parse(text); err == nil {
			t.Errorf("%s: %d comparisons were taken", name, len(cs))
		} else if len(err.Error()) > 300 {
			t.Errorf("%s: an error of %d bytes", name, len(err.Error()))
		}
	}
	for name, text := range map[string]string{
		"comparisons": strings.Repeat("tags.a = 'x' AND ", maxComparisons-1) + "tags.a = 'x'",
		"list":        "attributes.run_id IN (" + strings.Repeat("'a',", maxListed-1) + "'a')",
		"pattern":     "attributes.run_name LIKE '" + strings.Repeat("a", maxPattern) + "'",
	} {
		if _, err := g.Parse(text); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	clauses := make([]string, maxOrders+1)
	for i := range clauses {
		clauses[i] = "tags.t" + strings.Repeat("x", i)
	}
	if _, err := g.ParseOrder(clauses); err == nil {
		t.Errorf("%d orders were taken", len(clauses))
	}
	if _, err := g.ParseOrder(clauses[1:]); err != nil {
		t.Error(err)
	}
}
