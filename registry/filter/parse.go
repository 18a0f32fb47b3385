package filter

import (
	"errors"
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
	// Equality means that only = and != and lists apply, not LIKE.
	Equality bool
	// OrderOnly means that order_by knows it but filters do not; FilterOnly the reverse.
	OrderOnly, FilterOnly bool
}

// Grammar is the search language of one kind of entity.
type Grammar struct {
	// Dialect chooses the messages; Words, if any, overrule it.
	Dialect Dialect
	Words   *Words
	// Prefixes maps "metrics", "metric", … to kinds; an identifier without prefix is an attribute.
	Prefixes   map[string]Kind
	Attributes map[string]Attr
	// NullKinds take IS NULL and IS NOT NULL.
	NullKinds []Kind
	// ListKinds take IN and NOT IN, beside the attributes that say so.
	ListKinds []Kind
	// DatasetKeys are the keys of kind Dataset.
	DatasetKeys []string
	// StringOrder lets string attributes take < <= > >= too.
	StringOrder bool
	// Entities is how the message about an unknown prefix lists the kinds, where Words do not say it.
	Entities string
	// Rules, when set, says what comparisons of each kind may be, in place of NullKinds, ListKinds and the common operators.
	Rules map[Kind]Rule
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
		return nil, g.Dialect.blank(text)
	}
	if first, rest, ok := cutStatement(text); ok && strings.TrimSpace(rest) != "" {
		return nil, g.Dialect.severalStatements(text)
	} else if ok {
		text = first + ";"
	}
	clauses, bad := group(text)
	if bad != nil {
		return nil, g.Dialect.badClauses(g, text, bad)
	}
	if len(clauses) > maxComparisons {
		return nil, errorf("The filter has more than %d comparisons.", maxComparisons)
	}
	var out []Comparison
	listed := 0
	for _, c := range clauses {
		compared, err := g.comparison(c)
		if err != nil {
			return nil, err
		}
		switch v := compared.Value.(type) {
		case []string:
			if listed += len(v); listed > maxListed {
				return nil, errorf("The filter's lists have more than %d values in all.", maxListed)
			}
		case string:
			if strings.HasSuffix(compared.Op, "LIKE") && len(v) > maxPattern {
				return nil, errorf("The pattern of %s %s has %d bytes; it may have %d.", compared.Key, compared.Op, len(v), maxPattern)
			}
		}
		out = append(out, compared)
	}
	return out, nil
}

// cutStatement splits at the first semicolon that is not quoted.
func cutStatement(text string) (first, rest string, found bool) {
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\'', '"', '`':
			i = quoted(text, i) - 1
		case ';':
			return text[:i], text[i+1:], true
		}
	}
	return text, "", false
}

// clause is a comparison as written: two sides and an operator between; IS NULL has no right side.
type clause struct {
	left  token
	op    string
	right token
}

// group finds the comparisons in a text, as sqlparse does, on which MLflow builds: AND between them is optional. bad are the tokens that belong to none.
func group(text string) (clauses []clause, bad []string) {
	toks := join(lex(text), text)
	for i := 0; toks[i].kind != tokEnd; {
		t := toks[i]
		at := func(n int) token { return toks[min(i+n, len(toks)-1)] }
		switch {
		case t.word("and"):
			i++
		case t.operand() && at(1).kind == tokCompare && at(2).operand():
			c := clause{t, strings.ToUpper(at(1).text), at(2)}
			i += 3
			for toks[i].kind == tokCompare && at(1).operand() { // a > b > c
				left := token{tokClause, text[c.left.pos : c.right.pos+len(c.right.text)], c.left.pos}
				c = clause{left, strings.ToUpper(toks[i].text), at(1)}
				i += 2
			}
			clauses = append(clauses, c)
			if toks[i].text == "," && toks[i].kind == tokOp { // sqlparse makes one list of "a = 1, b = 2"
				end := len(strings.TrimRight(text, " \t\r\n"))
				return nil, append(bad, text[c.left.pos:end])
			}
		case t.identifier() && at(1).word("in") && at(2).kind == tokParens:
			clauses = append(clauses, clause{t, "IN", at(2)})
			i += 3
		case t.identifier() && at(1).word("not") && at(2).word("in") && at(3).kind == tokParens:
			clauses = append(clauses, clause{t, "NOT IN", at(3)})
			i += 4
		case t.identifier() && at(1).word("is") && at(2).word("null"):
			clauses = append(clauses, clause{left: t, op: "IS NULL"})
			i += 3
		case t.identifier() && at(1).word("is") && at(2).word("not null"):
			clauses = append(clauses, clause{left: t, op: "IS NOT NULL"})
			i += 3
		case t.kind == tokName && at(1).kind == tokName && !at(1).keyword() && !t.keyword() && at(2).kind != tokCompare: // "a b": b is taken for an alias of a
			bad = append(bad, text[t.pos:at(1).pos+len(at(1).text)])
			i += 2
		default:
			bad = append(bad, t.text)
			i++
		}
	}
	return clauses, bad
}

// join makes one token of NOT NULL, of NOT LIKE, and of an expression.
func join(toks []token, text string) []token {
	var out []token
	for i := 0; i < len(toks); i++ {
		t := toks[i]
		next := toks[min(i+1, len(toks)-1)]
		span := func(kind tokenKind, last token) token {
			return token{kind, text[t.pos : last.pos+len(last.text)], t.pos}
		}
		switch {
		case t.word("not") && next.word("null"):
			t = span(tokName, next)
			i++
		case t.word("not") && (next.word("like") || next.word("ilike")):
			t = span(tokCompare, next)
			i++
		case t.word("like"), t.word("ilike"), t.word("rlike"):
			t.kind = tokCompare
		case t.operand() && !t.keyword():
			for i+2 < len(toks) && toks[i+1].kind == tokOp && toks[i+1].text != "," && toks[i+2].operand() {
				t = span(tokMath, toks[i+2])
				i += 2
			}
			// "a -1": the lexer took the sign for the number's
			for i+1 < len(toks) && toks[i+1].kind == tokNumber && strings.HasPrefix(toks[i+1].text, "-") {
				t = span(tokMath, toks[i+1])
				i++
			}
		}
		out = append(out, t)
	}
	return out
}

func (t token) identifier() bool {
	return t.kind == tokName && !t.keyword() || t.kind == tokString && t.text[0] == '"'
}

func (t token) operand() bool {
	switch t.kind {
	case tokName:
		return !t.keyword()
	case tokString, tokNumber, tokParens, tokMath:
		return true
	}
	return false
}

func (t token) keyword() bool {
	return slices.ContainsFunc([]string{"and", "or", "not", "in", "is", "null", "not null", "between", "like", "ilike", "asc", "desc"}, t.word)
}

func (g *Grammar) comparison(c clause) (out Comparison, err error) {
	if !c.left.identifier() {
		return out, errorf("Invalid comparison clause. Expected 'Identifier' found '%s'", c.left.text)
	}
	if out.Kind, out.Key, err = g.identifier(c.left.text, false); err != nil {
		return out, err
	}
	out.Op = c.op
	if g.Rules != nil {
		return g.ruled(out, c.right)
	}
	if c.op == "IS NULL" || c.op == "IS NOT NULL" {
		if !slices.Contains(g.NullKinds, out.Kind) {
			return out, g.Dialect.noNull(g, c, out)
		}
		return out, nil
	}
	if err := g.Dialect.earlyOperator(g, out); err != nil {
		return out, err
	}
	if out.Value, err = g.value(out, c.right); err != nil {
		return out, err
	}
	if !g.takes(out) {
		return out, g.Dialect.badOperator(g, out)
	}
	return out, nil
}

func (g *Grammar) isNumeric(c Comparison) bool {
	return c.Kind == Metric || c.Kind == Attribute && g.Attributes[c.Key].Numeric
}

// takes tells whether an operator goes with what stands left of it.
func (g *Grammar) takes(c Comparison) bool {
	if g.isNumeric(c) {
		return slices.Contains(numericOps, c.Op)
	}
	switch c.Op {
	case "IN", "NOT IN":
		_, ok := c.Value.([]string)
		return ok && (c.Op == "IN" || g.Words == nil)
	}
	if g.StringOrder && c.Kind == Attribute && slices.Contains(numericOps, c.Op) {
		return true
	}
	if _, isList := c.Value.([]string); isList || !slices.Contains(stringOps, c.Op) {
		return false
	}
	return c.Op == "=" || c.Op == "!=" || !g.Attributes[c.Key].Equality || c.Kind != Attribute
}

// value reads the right side as kind and key want it.
func (g *Grammar) value(c Comparison, v token) (any, error) {
	if g.Dialect == LoggedModels {
		return g.bareValue(c, v)
	}
	if g.isNumeric(c) {
		if g.Dialect == Versions && v.kind == tokString && slices.Contains(numericOps, c.Op) {
			v.kind, v.text = tokNumber, unquote(v.text) // version_number = '1'
		}
		if g.Dialect == Versions && !slices.Contains(numericOps, c.Op) && v.kind != tokParens {
			return nil, g.Dialect.badOperator(g, c)
		}
		if v.kind != tokNumber {
			return nil, g.Dialect.notNumeric(g, c, v)
		}
		return attributeOrMetric(g, c, v)
	}
	switch {
	case v.kind == tokString:
		return unquote(v.text), nil
	case v.kind == tokName:
		return nil, errorf("Parameter value is either not quoted or unidentified quote types used for string value %s. Use either single or double quotes.", v.text)
	case v.kind == tokParens && (c.Kind == Attribute || c.Kind == Dataset):
		if c.Kind == Attribute && !g.Attributes[c.Key].List {
			return nil, errorf("Only %s attributes support comparison with a list of quoted string values.", pyList(g.lists()))
		}
		return parseList(v.text)
	}
	if g.Dialect == Versions && c.Kind == Attribute && v.kind == tokNumber {
		return nil, errorf("Only the '{'creation_timestamp', 'last_updated_timestamp', 'version_number'}' attributes support comparison with numeric values.")
	}
	return nil, g.Dialect.notString(g, c, v.text)
}

// bareValue reads a value as the search of logged models does: single quotes are optional, double ones belong to the value.
func (g *Grammar) bareValue(c Comparison, v token) (any, error) {
	if g.isNumeric(c) {
		f, err := strconv.ParseFloat(v.text, 64)
		if err != nil && !math.IsInf(f, 0) {
			return nil, g.Dialect.notNumeric(g, c, v)
		}
		return f, nil
	}
	if v.kind == tokParens {
		list, err := parseList(v.text)
		if errors.Is(err, errEmptyList) {
			return []string{}, nil
		}
		return list, err
	}
	return strings.Trim(v.text, "'"), nil
}

func (g *Grammar) lists() []string {
	var out []string
	for name, a := range g.Attributes {
		if a.List {
			out = append(out, name)
		}
	}
	sort.Strings(out)
	return out
}

var errEmptyList = errorf("While parsing a list in the query, expected a non-empty list of string values, but got empty list")

// parseList reads ('a', "b"): what Python reads as a string or a tuple of strings.
func parseList(text string) ([]string, error) {
	const ill = "While parsing a list in the query, expected a non-empty list of string values, but got ill-formed list."
	inner := text[1 : len(text)-1]
	for depth := 0; strings.HasPrefix(strings.TrimSpace(inner), "("); depth++ { // (('a'))
		inner = strings.TrimSpace(inner)
		if depth == maxNesting || balanced(inner, 0) != len(inner) {
			return nil, errorf(ill)
		}
		inner = inner[1 : len(inner)-1]
	}
	var values, shown []string
	strange, fresh := false, true
	for _, t := range lex(inner) {
		switch {
		case t.kind == tokEnd:
		case t.kind == tokOp && t.text == ",":
			if fresh {
				return nil, errorf(ill)
			}
			fresh = true
		case t.kind == tokString && fresh:
			values, fresh = append(values, unquote(t.text)), false
			shown = append(shown, pyQuote(unquote(t.text)))
		case t.kind == tokString: // 'a' 'b' is one string in Python
			values[len(values)-1] += unquote(t.text)
		case t.kind == tokNumber && fresh:
			values, shown, strange, fresh = append(values, t.text), append(shown, t.text), true, false
		default:
			return nil, errorf(ill)
		}
	}
	if len(values) == 0 {
		return nil, errEmptyList
	}
	if strange {
		tuple := strings.Join(shown, ", ")
		if len(shown) == 1 {
			tuple += ","
		}
		return nil, errorf("While parsing a list in the query, expected string value, punctuation, or whitespace, but got different type in list: (%s)", tuple)
	}
	return values, nil
}

// parseNumber reads a number; float keeps integers as floats too.
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

// attributeOrMetric reads the number that an attribute or a metric is compared with.
func attributeOrMetric(g *Grammar, c Comparison, v token) (any, error) {
	if c.Kind != Metric {
		if n, err := strconv.ParseInt(v.text, 10, 64); err == nil {
			return n, nil
		}
		switch g.Dialect {
		case Experiments:
			return nil, errorf("Invalid value for numeric attribute '%s': '%s'", c.Key, v.text)
		case Versions:
			return nil, errorf("Invalid value for numeric attribute '%s': %s", c.Key, v.text)
		}
	}
	f, err := strconv.ParseFloat(v.text, 64)
	if err != nil && !math.IsInf(f, 0) {
		return nil, g.Dialect.notNumeric(g, c, v)
	}
	return f, nil
}

// identifier splits "entity.key" and checks both.
func (g *Grammar) identifier(text string, order bool) (Kind, string, error) {
	prefix, key, dotted := cutIdentifier(text)
	if !dotted {
		prefix, key = "attribute", text
	}
	if g.Dialect.quotesPrefix() {
		prefix = trimQuotes(prefix, "`")
	}
	kind, ok := g.Prefixes[prefix]
	if !ok && dotted {
		return "", "", g.Dialect.badEntity(g, prefix)
	} else if !ok {
		kind = Attribute
	}
	asWritten := key
	switch {
	case kind == Attribute && g.Dialect.bareAttributes() && !order:
	case g.Dialect == LoggedModels:
		key = strings.Trim(key, "`")
	default:
		key = unquote(key)
	}
	switch kind {
	case Attribute:
		a, ok := g.Attributes[key]
		if !ok || a.OrderOnly && !order || a.FilterOnly && order {
			return "", "", g.Dialect.badAttribute(g, asWritten, key, order)
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
		if (!a.OrderOnly || order) && (!a.FilterOnly || !order) {
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

func pyList(names []string) string {
	return fmt.Sprintf("['%s']", strings.Join(names, "', '"))
}

// pyQuote prints a string as Python does, for texts without control characters.
func pyQuote(s string) string {
	s = strings.ReplaceAll(s, `\`, `\\`)
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		return `"` + s + `"`
	}
	return "'" + strings.ReplaceAll(s, "'", `\'`) + "'"
}

func trimQuotes(s, quotes string) string {
	if len(s) >= 2 && s[0] == s[len(s)-1] && strings.IndexByte(quotes, s[0]) >= 0 {
		return s[1 : len(s)-1]
	}
	return s
}
