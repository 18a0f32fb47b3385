package filter

import (
	"fmt"
	"math"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// Kind is what an identifier names.
type Kind string

// Kinds, by MLflow's words for them in messages.
const (
	Attribute Kind = "attribute"
	Metric    Kind = "metric"
	Param     Kind = "parameter"
	Tag       Kind = "tag"
	Dataset   Kind = "dataset"
)

// Attr is one attribute that a search knows.
type Attr struct {
	Name    string // its own name, when it has several
	Numeric bool
	List    bool // takes IN and NOT IN
	// Order alone means that order_by knows it but filters do not; Filter alone the reverse.
	OrderOnly, FilterOnly bool
}

// Grammar is the search language of one kind of entity.
type Grammar struct {
	// Prefixes maps "metrics", "metric", … to kinds; an identifier without prefix is an attribute.
	Prefixes map[string]Kind
	// Entities is how MLflow's message lists the kinds.
	Entities   string
	Attributes map[string]Attr
	// NullKinds take IS NULL and IS NOT NULL.
	NullKinds []Kind
	// ListKinds take IN and NOT IN, beside the attributes that say so.
	ListKinds []Kind
	// DatasetKeys are the keys of kind Dataset.
	DatasetKeys []string
	// StringOrder lets string attributes take < <= > >= too.
	StringOrder bool
	// Words are messages of this grammar's own; nil means the usual ones.
	Words *Words
	// Rules, when set, says what comparisons of each kind may be, in place of NullKinds, ListKinds and the common operators.
	Rules map[Kind]Rule
}

// Words are the formats of messages in which one search of MLflow differs from the others.
type Words struct {
	Clause string // a place where no clause goes on: the text there
	Entity string // an unknown prefix
	Key    string // an unknown attribute: it, and the set of those known
	Text   string // an attribute that wants a quoted string: what it got
	TagOp  string // an operator that tags do not take
	NotIn  string // NOT IN, where only IN is taken
}

// Comparison is one clause. Value is a string, a float64, an int64, a []string for IN, or nil for IS NULL.
type Comparison struct {
	Kind  Kind
	Key   string
	Op    string // = != < <= > >= LIKE ILIKE IN "NOT IN" "IS NULL" "IS NOT NULL"
	Value any
}

var (
	stringOps  = []string{"=", "!=", "LIKE", "ILIKE"}
	numericOps = []string{"=", "!=", "<", "<=", ">", ">="}
)

// Parse reads a filter. An empty text has no comparisons. Errors are *Error.
func (g *Grammar) Parse(text string) ([]Comparison, error) {
	if text == "" {
		return nil, nil
	}
	if strings.TrimSpace(text) == "" {
		return nil, errorf("Invalid filter '%s'. Could not be parsed.", text)
	}
	p := &parser{g: g, text: text, toks: lex(text)}
	var out []Comparison
	for {
		c, err := p.comparison()
		if err != nil {
			return nil, err
		}
		out = append(out, c)
		if p.g.Rules != nil && len(out) > maxComparisons {
			return nil, errorf("The filter has more than %d comparisons.", maxComparisons)
		}
		switch t := p.next(); {
		case t.kind == tokEnd:
			return out, nil
		case t.text == ";" && p.peek().kind != tokEnd:
			return nil, errorf("Search filter contained multiple expression '%s'. Provide AND-ed expression list.", text)
		case !t.word("and"):
			return nil, p.invalid(t)
		}
	}
}

type parser struct {
	g    *Grammar
	text string
	toks []token
	i    int
}

func (p *parser) peek() token { return p.toks[p.i] }

func (p *parser) next() token {
	t := p.toks[p.i]
	if t.kind != tokEnd {
		p.i++
	}
	return t
}

// invalid is the error for a place where no clause goes on; it shows the token there.
func (p *parser) invalid(t token) error {
	text := t.text
	if t.kind == tokEnd {
		text = strings.TrimSpace(p.text)
	}
	if p.g.Words != nil {
		return errorf(p.g.Words.Clause, text)
	}
	return errorf("Invalid clause(s) in filter string: '%s'", text)
}

func (p *parser) comparison() (c Comparison, err error) {
	id := p.next()
	// A quoted key may stand alone, as in "run name" = 'x'; sqlparse, which MLflow uses, reads '…' as a value only.
	if id.kind != tokName && (id.kind != tokString || id.text[0] != '"') {
		return c, p.invalid(id)
	}
	op := p.next()
	switch {
	case op.word("is"):
		return p.isNull(id, op)
	case op.word("not"):
		if in := p.next(); !in.word("in") {
			return c, p.invalid(in)
		}
		return p.list(id, "NOT IN")
	case op.word("in"):
		return p.list(id, "IN")
	case op.word("like"), op.word("ilike"), op.word("rlike") && p.g.Rules != nil:
		op.text = strings.ToUpper(op.text)
	case op.kind != tokOp || strings.Contains("(),", op.text):
		return c, p.invalid(op)
	}
	if c.Kind, c.Key, err = p.g.identifier(id.text, false); err != nil {
		return c, err
	}
	c.Op = op.text
	v := p.next()
	if v.kind == tokEnd || v.kind == tokOp {
		return c, p.invalid(v)
	}
	return p.value(c, v)
}

func (p *parser) isNull(id, is token) (c Comparison, err error) {
	c.Op = "IS NULL"
	t := p.next()
	if t.word("not") {
		c.Op = "IS NOT NULL"
		t = p.next()
	}
	if !t.word("null") {
		return c, p.invalid(is)
	}
	if c.Kind, c.Key, err = p.g.identifier(id.text, false); err != nil {
		return c, err
	}
	if p.g.Words != nil && c.Kind == Tag {
		return c, errorf(p.g.Words.TagOp, c.Op)
	}
	if p.g.Rules != nil {
		return c, p.g.ruledNull(c)
	}
	if !slices.Contains(p.g.NullKinds, c.Kind) {
		return c, errorf("IS NULL / IS NOT NULL is only supported for tags and params, not for '%s' '%s'", c.Kind, c.Key)
	}
	return c, nil
}

func (p *parser) list(id token, op string) (c Comparison, err error) {
	if t := p.next(); t.text != "(" {
		return c, p.invalid(t)
	}
	const prefix = "While parsing a list in the query, expected "
	var values []string
	for comma := true; ; {
		t := p.next()
		switch {
		case t.kind == tokEnd:
			return c, p.invalid(t)
		case t.text == ")" && t.kind == tokOp:
			if len(values) == 0 {
				return c, errorf("%sa non-empty list of string values, but got empty list", prefix)
			}
			if c.Kind, c.Key, err = p.g.identifier(id.text, false); err != nil {
				return c, err
			}
			c.Op, c.Value = op, values
			return c, p.g.listAllowed(c)
		case t.text == "," && t.kind == tokOp:
			if comma {
				return c, errorf("%sa non-empty list of string values, but got ill-formed list.", prefix)
			}
			comma = true
		case t.kind != tokString:
			return c, errorf("%sstring value, punctuation, or whitespace, but got different type in list: %s", prefix, t.text)
		case !comma:
			return c, errorf("%sa non-empty list of string values, but got ill-formed list.", prefix)
		default:
			comma = false
			values = append(values, unquote(t.text))
		}
	}
}

func (g *Grammar) listAllowed(c Comparison) error {
	if g.Rules != nil {
		return g.ruledList(c)
	}
	if slices.Contains(g.ListKinds, c.Kind) {
		return nil
	}
	if c.Kind != Attribute {
		if g.Words != nil {
			return errorf("Expected a quoted string value for %s (e.g. 'my-value'). Got value ('%s')", c.Kind, strings.Join(c.Value.([]string), "', '"))
		}
		return errorf("Invalid comparator '%s' not one of '%s'", c.Op, pySet(stringOps))
	}
	var lists []string
	for name, a := range g.Attributes {
		if a.List {
			lists = append(lists, name)
		}
	}
	if slices.Contains(lists, c.Key) {
		if g.Words != nil && c.Op == "NOT IN" {
			return errorf("%s", g.Words.NotIn)
		}
		return nil
	}
	sort.Strings(lists)
	return errorf("Only ['%s'] attributes support comparison with a list of quoted string values.", strings.Join(lists, "', '"))
}

// value checks the operator and reads the value that kind and key want.
func (p *parser) value(c Comparison, v token) (Comparison, error) {
	if p.g.Rules != nil {
		return p.ruled(c, v)
	}
	numeric := c.Kind == Metric || c.Kind == Attribute && p.g.Attributes[c.Key].Numeric
	if numeric {
		if v.kind != tokNumber {
			if c.Kind == Metric {
				return c, errorf("Expected numeric value type for metric. Found %s", v.text)
			}
			return c, errorf("Expected numeric value type for numeric attribute: %s. Found %s", c.Key, v.text)
		}
		if !slices.Contains(numericOps, c.Op) {
			return c, errorf("Invalid comparator '%s' not one of '%s'", c.Op, pySet(numericOps))
		}
		var err error
		c.Value, err = parseNumber(v.text, c.Kind == Metric)
		return c, err
	}
	if v.kind != tokString {
		if v.kind == tokName || v.kind == tokBad {
			return c, errorf("Parameter value is either not quoted or unidentified quote types used for string value %s. Use either single or double quotes.", v.text)
		}
		if p.g.Words != nil && c.Kind == Attribute {
			return c, errorf(p.g.Words.Text, v.text)
		}
		return c, errorf("Expected a quoted string value for %s (e.g. 'my-value'). Got value %s", c.Kind, v.text)
	}
	if ordered := p.g.StringOrder && c.Kind == Attribute && slices.Contains(numericOps, c.Op); !ordered && !slices.Contains(stringOps, c.Op) {
		if p.g.Words != nil && c.Kind == Tag {
			return c, errorf(p.g.Words.TagOp, c.Op)
		}
		return c, errorf("Invalid comparator '%s' not one of '%s'", c.Op, pySet(stringOps))
	}
	c.Value = unquote(v.text)
	return c, nil
}

func parseNumber(text string, float bool) (any, error) {
	if !float {
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return n, nil
		}
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil && !math.IsInf(f, 0) {
		return nil, errorf("Expected numeric value type. Found %s", text)
	}
	return f, nil
}

// identifier splits "entity.key" and checks both.
func (g *Grammar) identifier(text string, order bool) (Kind, string, error) {
	prefix, key, dotted := cutIdentifier(text)
	if !dotted {
		prefix, key = string(Attribute), text
	}
	kind, ok := g.Prefixes[unquote(prefix)]
	if !ok && dotted {
		if g.Words != nil {
			return "", "", errorf(g.Words.Entity, unquote(prefix))
		}
		return "", "", errorf("Invalid entity type '%s'. Valid values are %s", unquote(prefix), g.Entities)
	} else if !ok {
		kind = Attribute
	}
	key = unquote(key)
	switch kind {
	case Attribute:
		a, ok := g.Attributes[key]
		if !ok || a.OrderOnly && !order || a.FilterOnly && order {
			if g.Words != nil {
				return "", "", errorf(g.Words.Key, key, pySet(g.keys(order)))
			}
			return "", "", errorf("Invalid attribute key '%s' specified. Valid keys are '%s'", key, pySet(g.keys(order)))
		}
		if a.Name != "" {
			key = a.Name
		}
	case Dataset:
		if order {
			return "", "", errorf("Invalid identifier type '%s'", kind)
		}
		if !slices.Contains(g.DatasetKeys, key) {
			return "", "", errorf("Invalid dataset key '%s' specified. Valid keys are '%s'", key, pySet(g.DatasetKeys))
		}
	}
	return kind, key, nil
}

// cutIdentifier splits at the first dot that is not quoted.
func cutIdentifier(text string) (prefix, key string, dotted bool) {
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '`', '"':
			i = quoted(text, i) - 1
		case '.':
			return text[:i], text[i+1:], true
		}
	}
	return "", "", false
}

func (g *Grammar) keys(order bool) []string {
	var out []string
	for name, a := range g.Attributes {
		if !(a.OrderOnly && !order || a.FilterOnly && order) {
			out = append(out, name)
		}
	}
	sort.Strings(out)
	return out
}

// pySet prints names as Python prints a set of strings.
func pySet(names []string) string {
	return fmt.Sprintf("{'%s'}", strings.Join(names, "', '"))
}
