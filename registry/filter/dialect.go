package filter

import (
	"fmt"
	"strings"
)

// Dialect chooses the messages of a search language. Each of MLflow's searches has its own parser with its own words for the same mistakes, and clients match
// on them.
type Dialect int

// Words are the formats of messages in which a search differs from all dialects.
type Words struct {
	Clause string // a place where no clause goes on: the text there
	Entity string // an unknown prefix
	Key    string // an unknown attribute: it, and the set of those known
	Text   string // an attribute that wants a quoted string: what it got
	TagOp  string // an operator that tags do not take
	NotIn  string // NOT IN, where only IN is taken
}

// The dialects: runs, experiments, registered models, model versions, logged models.
const (
	Runs Dialect = iota
	Experiments
	Models
	Versions
	LoggedModels
)

func (d Dialect) blank(text string) error {
	if d == LoggedModels {
		return errorf("Invalid filter string: %s. Expected a single SQL expression.", pyQuote(text))
	}
	return errorf("Invalid filter '%s'. Could not be parsed.", text)
}

func (d Dialect) severalStatements(text string) error {
	if d == LoggedModels {
		return errorf("Invalid filter string: %s. Expected a single SQL expression.", pyQuote(text))
	}
	return errorf("Search filter contained multiple expression %s. Provide AND-ed expression list.", pyQuote(text))
}

// badClauses is the error for tokens that belong to no comparison.
func (d Dialect) badClauses(g *Grammar, text string, bad []string) error {
	switch {
	case g.Words != nil:
		return errorf(g.Words.Clause, strings.Join(bad, ", "))
	case d == Runs:
		return errorf("Invalid clause(s) in filter string: '%s'", strings.Join(bad, "', '"))
	case d == LoggedModels:
		return errorf("Invalid filter string: %s. Expected a list of comparisons separated by 'AND' (e.g. 'metrics.loss > 0.1 AND params.lr = 0.01').", pyQuote(text))
	}
	return errorf("Invalid clause(s) in filter string: %s", strings.Join(bad, ", "))
}

func (d Dialect) noNull(g *Grammar, c clause, compared Comparison) error {
	if g.Words != nil && compared.Kind == Tag {
		return errorf(g.Words.TagOp, c.op)
	}
	switch d {
	case Runs:
		return errorf("IS NULL / IS NOT NULL is only supported for tags and params, not for '%s' '%s'", compared.Kind, compared.Key)
	case Experiments:
		return errorf("IS NULL / IS NOT NULL is only supported for tags, not for attribute '%s'", compared.Key)
	case LoggedModels:
		return errorf("Invalid comparison: %s%s. Expected a comparison with 3 tokens.", c.left.text, c.op)
	}
	return errorf("IS NULL / IS NOT NULL is not supported here: '%s'", c.left.text) // MLflow answers HTML 500
}

func (d Dialect) notNumeric(g *Grammar, c Comparison, v token) error {
	found := v.text
	switch {
	case d == Versions && v.kind == tokParens:
		return errorf("Only %s attributes support comparison with a list of quoted string values.", pyList(g.lists()))
	case d == LoggedModels:
		return errorf("Expected a number for %s. Found %s", pluralKey(c), found) // MLflow answers 500
	case c.Kind == Metric:
		return errorf("Expected numeric value type for metric. Found %s", found)
	case d == Versions:
		return errorf("Expected a number for attribute '%s'. Got value %s", c.Key, found)
	}
	return errorf("Expected numeric value type for numeric attribute: %s. Found %s", c.Key, found)
}

func (d Dialect) notString(g *Grammar, c Comparison, found string) error {
	switch {
	case g.Words != nil && c.Kind == Attribute:
		return errorf(g.Words.Text, found)
	case c.Kind == Param, c.Kind == Tag, c.Kind == Metric:
		return errorf("Expected a quoted string value for %s (e.g. 'my-value'). Got value %s", c.Kind, found)
	case c.Kind == Dataset:
		return errorf("Expected a quoted string value for dataset attributes. Got value %s", found)
	case d == Models, d == Versions:
		return errorf("Expected a quoted string value or a list of quoted string values for attributes. Got value %s", found)
	}
	return errorf("Expected a quoted string value for attributes. Got value %s", found)
}

// earlyOperator refuses an operator before the value is looked at, which only one of the languages does.
func (d Dialect) earlyOperator(g *Grammar, c Comparison) error {
	if d != LoggedModels {
		return nil
	}
	ops := "('=', '!=', 'LIKE', 'ILIKE', 'IN', 'NOT IN')"
	if g.isNumeric(c) {
		ops = "('<', '<=', '>', '>=', '=', '!=')"
	}
	if strings.Contains(ops, "'"+c.Op+"'") {
		return nil
	}
	return errorf("Invalid comparison operator for %s: '%s'. Expected one of %s.", pluralKey(c), c.Op, ops)
}

// pluralKey is how the search of logged models writes an identifier.
func pluralKey(c Comparison) string {
	key := c.Key
	if c.Kind == Attribute && strings.HasSuffix(key, "_timestamp") {
		key += "_ms"
	}
	return fmt.Sprintf("%s.%s", map[Kind]string{Attribute: "attributes", Metric: "metrics", Param: "params", Tag: "tags"}[c.Kind], key)
}

const (
	stringSet  = "{'!=', '=', 'ILIKE', 'IN', 'LIKE', 'NOT IN'}"
	nullSet    = "{'!=', '=', 'ILIKE', 'IS NOT NULL', 'IS NULL', 'LIKE'}"
	numericSet = "{'!=', '<', '<=', '=', '>', '>='}"
)

// badOperator is the error for an operator that does not go with what it compares. Where a quote stays open, it does so in MLflow.
func (d Dialect) badOperator(g *Grammar, c Comparison) error {
	switch {
	case g.Words != nil && c.Kind == Tag:
		return errorf(g.Words.TagOp, c.Op)
	case g.Words != nil && c.Op == "NOT IN":
		return errorf("%s", g.Words.NotIn)
	case d == Runs && c.Kind == Metric:
		return errorf("Invalid comparator '%s' not one of '%s", c.Op, numericSet)
	case d == Runs && c.Kind == Tag:
		return errorf("Invalid comparator '%s' not one of '%s", c.Op, nullSet)
	case d == Runs && c.Kind == Param:
		return errorf("Invalid comparator '%s' not one of '%s'", c.Op, nullSet)
	case d == Runs && (c.Kind == Dataset || g.isNumeric(c)):
		return errorf("Invalid comparator '%s' not one of '%s", c.Op, stringSet)
	case d == Runs, d == Experiments && c.Kind == Attribute && !g.Attributes[c.Key].Equality:
		return errorf("Invalid comparator '%s' not one of '%s'", c.Op, stringSet)
	case d == Experiments && c.Kind == Attribute:
		return errorf("Invalid comparator for %s: %s", c.Key, c.Op)
	}
	if d == Versions && g.isNumeric(c) {
		return errorf("Invalid comparator for attribute %s: %s", c.Key, c.Op)
	}
	return errorf("Invalid comparator for %s: %s", c.Kind, c.Op)
}

func (d Dialect) badEntity(g *Grammar, prefix string) error {
	switch {
	case g.Words != nil:
		return errorf(g.Words.Entity, prefix)
	case g.Entities != "":
		return errorf("Invalid entity type '%s'. Valid values are %s", prefix, g.Entities)
	case d == Runs:
		return errorf("Invalid entity type '%s'. Valid values are ['metric', 'parameter', 'tag', 'attribute', 'dataset']", prefix)
	case d == LoggedModels:
		return errorf("Invalid entity type: '%s'. Expected one of ['attributes', 'metrics', 'params', 'tags'].", prefix)
	}
	return errorf("Invalid entity type '%s'. Valid entity types are ('attribute', 'tag', 'tags')", prefix)
}

func (d Dialect) badAttribute(g *Grammar, asWritten, key string, order bool) error {
	if d == Models && order {
		return errorf("Invalid order by key '%s' specified. Valid keys are '{'name', 'timestamp'}'", asWritten)
	}
	if g.Words != nil {
		return errorf(g.Words.Key, key, pySet(g.keys(order)))
	}
	return errorf("Invalid attribute key '%s' specified. Valid keys are '%s'", key, pySet(g.keys(order)))
}

// quotesPrefix tells whether "entity" of "entity.key" may stand in backticks.
func (d Dialect) quotesPrefix() bool { return d == Runs }

// bareAttributes tells whether the names of attributes must stand without quotes.
func (d Dialect) bareAttributes() bool { return d == Models || d == Versions }
