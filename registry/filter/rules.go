package filter

import (
	"regexp"
	"slices"
	"strings"
)

// Kinds that only searches of traces know.
const (
	Metadata    Kind = "request_metadata"
	Span        Kind = "span"
	Feedback    Kind = "feedback"
	Expectation Kind = "expectation"
	Issue       Kind = "issue"
)

// Rule says what comparisons of one kind may be, for grammars that are not the common one.
type Rule struct {
	// Ops are the operators. Those in Numbers take a number, IN and NOT IN a list, the others a text.
	Ops, Numbers []string
	// Named shows the key in the message about an operator, as "<Named>.<key> comparator …"; empty shows none.
	Named string
	// Check says what is wrong with a key; ops are its own operators, nil for those of the kind.
	Check func(key string) (ops []string, err error)
}

// maxPattern is how long the pattern of a LIKE may be; SQLite takes no longer one.
const maxPattern = 50000

// maxComparisons bounds a filter, as SQLite bounds the depth of an expression.
const maxComparisons = 500

// maxListed bounds the values of a filter's lists together; SQLite binds 32,766 in a statement.
const maxListed = 30_000

// maxNesting bounds the brackets around a list.
const maxNesting = 32

// maxOrders bounds the clauses of order_by: each on a metric, param or tag is a join, of which SQLite takes 64.
const maxOrders = 50

// ruled reads a comparison of a grammar that has rules.
func (g *Grammar) ruled(c Comparison, v token) (Comparison, error) {
	switch c.Op {
	case "IS NULL", "IS NOT NULL":
		return c, g.ruledNull(c)
	case "IN", "NOT IN":
		values, err := parseList(v.text)
		if err != nil {
			return c, err
		}
		c.Value = values
		return c, g.ruledList(c)
	}
	r := g.Rules[c.Kind]
	ops, numbers := r.Ops, r.Numbers
	if c.Kind == Attribute {
		if g.Attributes[c.Key].Numeric {
			ops, numbers = numericOps, numericOps
		} else if v.kind == tokNumber {
			return c, errorf("Only the '%s' attributes support comparison with numeric values.", pySet(g.numeric()))
		}
	}
	if r.Check != nil {
		own, err := r.Check(c.Key)
		if err != nil {
			return c, err
		}
		if own != nil {
			ops = own
		}
	}
	wantsNumber := slices.Contains(numbers, c.Op)
	switch {
	case v.kind == tokString && !wantsNumber, v.kind == tokNumber && wantsNumber:
	case wantsNumber && c.Kind == Attribute:
		return c, errorf("Expected numeric value type for numeric attribute: %s. Found %s", c.Key, v.text)
	case wantsNumber:
		return c, errorf("Expected a numeric value for %s when using comparator '%s'. Got value %s", c.Kind, c.Op, v.text)
	case v.kind == tokName || v.kind == tokBad:
		return c, errorf("Parameter value is either not quoted or unidentified quote types used for string value %s. Use either single or double quotes.", v.text)
	default:
		return c, errorf("Expected a quoted string value for %s (e.g. 'my-value'). Got value %s", c.Kind, v.text)
	}
	if err := g.allowed(c, r, ops); err != nil {
		return c, err
	}
	if wantsNumber {
		var err error
		c.Value, err = parseNumber(v.text, c.Kind != Attribute)
		return c, err
	}
	text := unquote(v.text)
	c.Value = text
	switch c.Op {
	case "RLIKE":
		if _, err := regexp.Compile(text); err != nil {
			return c, errorf("Invalid regular expression '%s' in filter: %s", text, strings.TrimPrefix(err.Error(), "error parsing regexp: "))
		}
	case "LIKE", "ILIKE":
		if len(text) > maxPattern {
			return c, errorf("The pattern of %s is longer than %d bytes.", c.Op, maxPattern)
		}
	}
	return c, nil
}

// ruledNull checks IS NULL and IS NOT NULL.
func (g *Grammar) ruledNull(c Comparison) error {
	r := g.Rules[c.Kind]
	ops := r.Ops
	if r.Check != nil {
		own, err := r.Check(c.Key)
		if err != nil {
			return err
		}
		if own != nil {
			ops = own
		}
	}
	return g.allowed(c, r, ops)
}

// ruledList checks IN and NOT IN.
func (g *Grammar) ruledList(c Comparison) error {
	if c.Kind == Attribute && !g.Attributes[c.Key].List {
		var names []string
		for name, a := range g.Attributes {
			if a.List {
				names = append(names, name)
			}
		}
		slices.Sort(names)
		return errorf("Only attributes in %s supports comparison with a list of quoted string values.", pySet(names))
	}
	if c.Kind == Metadata || c.Kind == Feedback || c.Kind == Expectation || c.Kind == Issue {
		values, _ := c.Value.([]string)
		return errorf("Expected a quoted string value for %s (e.g. 'my-value'). Got value ('%s')", c.Kind, strings.Join(values, "', '"))
	}
	return g.ruledNull(c)
}

func (g *Grammar) allowed(c Comparison, r Rule, ops []string) error {
	switch {
	case slices.Contains(ops, c.Op):
		return nil
	case r.Named != "":
		return errorf("%s.%s comparator '%s' not one of '%s'", r.Named, c.Key, c.Op, pySet(ops))
	}
	message := "Invalid comparator '%s' not one of '%s'"
	if c.Kind == Tag || c.Kind == Attribute && g.Attributes[c.Key].Numeric && !slices.Contains(stringOps, c.Op) {
		message = "Invalid comparator '%s' not one of '%s" // MLflow leaves the quote open
	}
	return errorf(message, c.Op, pySet(ops))
}

func (g *Grammar) numeric() []string {
	var out []string
	for name, a := range g.Attributes {
		if a.Numeric {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}
