package serving

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/prinzbox/prinzbox/serving/frame"
)

// Limits of expressions: their text in bytes, how deep they nest, and the texts that they make.
const (
	maxExpression      = 4096
	maxExpressionDepth = 500
	maxExpressionText  = 1 << 16
)

// expression is a compiled formula over the columns of one row. Its syntax and arithmetic are Python's, a column
// whose name is no word stands in backquotes as in pandas' eval; there is no way to loop or to reach anything
// but the row.
type expression struct {
	names []string // columns, in the order of slots
	root  node
}

// node computes a value of a row: nil, bool, int64, float64 or string.
type node func(row []any) (any, error)

// compileExpression parses a formula.
func compileExpression(text string) (*expression, error) {
	if len(text) > maxExpression {
		return nil, fmt.Errorf("it has %d bytes, the limit is %d", len(text), maxExpression)
	}
	p := &expressionParser{text: text, expr: &expression{}}
	if err := p.next(); err != nil {
		return nil, err
	}
	root, err := p.conditional()
	if err == nil && p.token != "" {
		err = p.fail("'%s' is not expected", p.token)
	}
	if err != nil {
		return nil, err
	}
	p.expr.root = root
	return p.expr, nil
}

type expressionParser struct {
	text  string
	pos   int // behind token
	at    int // where token begins
	token string
	kind  tokenKind
	depth int
	expr  *expression
}

type tokenKind uint8

const (
	symbol tokenKind = iota
	word
	column // in backquotes
	literal
	digits
)

func (p *expressionParser) fail(format string, args ...any) error {
	return fmt.Errorf("at character %d: %s", utf8.RuneCountInString(p.text[:min(p.at, len(p.text))])+1, fmt.Sprintf(format, args...))
}

// next reads a token; an empty one is the end.
func (p *expressionParser) next() error {
	for p.pos < len(p.text) && strings.IndexByte(" \t\r\n", p.text[p.pos]) >= 0 {
		p.pos++
	}
	p.at, p.token, p.kind = p.pos, "", symbol
	if p.pos >= len(p.text) {
		return nil
	}
	rest := p.text[p.pos:]
	switch c := rest[0]; {
	case c >= '0' && c <= '9' || c == '.' && len(rest) > 1 && rest[1] >= '0' && rest[1] <= '9':
		n := 0
		for n < len(rest) {
			d := rest[n]
			exponent := (d == '+' || d == '-') && n > 0 && rest[n-1]|0x20 == 'e'
			if d != '.' && !exponent && d|0x20 != 'e' && (d < '0' || d > '9') {
				break
			}
			n++
		}
		p.kind, p.token = digits, rest[:n]
	case c == '\'' || c == '"' || c == '`':
		end := strings.IndexByte(rest[1:], c)
		if end < 0 {
			return p.fail("the text that begins here does not end")
		}
		p.kind, p.token = literal, rest[:end+2]
		if c == '`' {
			p.kind = column
		}
	default:
		if n := wordLength(rest); n > 0 {
			p.kind, p.token = word, rest[:n]
			break
		}
		p.token = rest[:1]
		for _, two := range []string{"**", "//", "<=", ">=", "==", "!="} {
			if strings.HasPrefix(rest, two) {
				p.token = two
			}
		}
		if !slices.Contains([]string{"+", "-", "*", "/", "%", "<", ">", "(", ")", ",", "**", "//", "<=", ">=", "==", "!="}, p.token) {
			r, _ := utf8.DecodeRuneInString(rest)
			return p.fail("%q is not expected", r)
		}
	}
	p.pos += len(p.token)
	return nil
}

func wordLength(s string) int {
	n := 0
	for i, r := range s {
		if r != '_' && !unicode.IsLetter(r) && (i == 0 || !unicode.IsDigit(r)) {
			break
		}
		n = i + utf8.RuneLen(r)
		if r == utf8.RuneError {
			break
		}
	}
	return min(n, len(s))
}

// is tells whether the token is one of these symbols or words.
func (p *expressionParser) is(tokens ...string) bool {
	return (p.kind == symbol || p.kind == word) && p.token != "" && slices.Contains(tokens, p.token)
}

func (p *expressionParser) enter() error {
	if p.depth++; p.depth > maxExpressionDepth {
		return p.fail("it nests deeper than %d", maxExpressionDepth)
	}
	return nil
}

// conditional is "a if condition else b".
func (p *expressionParser) conditional() (node, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	then, err := p.or()
	if err != nil || !p.is("if") {
		return then, err
	}
	if err := p.next(); err != nil {
		return nil, err
	}
	condition, err := p.or()
	if err != nil {
		return nil, err
	}
	if !p.is("else") {
		return nil, p.fail("'else' is missing")
	}
	if err := p.next(); err != nil {
		return nil, err
	}
	otherwise, err := p.conditional()
	if err != nil {
		return nil, err
	}
	return func(row []any) (any, error) {
		v, err := condition(row)
		if err != nil {
			return nil, err
		}
		if truth(v) {
			return then(row)
		}
		return otherwise(row)
	}, nil
}

func (p *expressionParser) or() (node, error) { return p.logic("or", p.and, true) }

func (p *expressionParser) and() (node, error) { return p.logic("and", p.not, false) }

// logic chains operands whose first one with the truth value stop is the answer.
func (p *expressionParser) logic(operator string, operand func() (node, error), stop bool) (node, error) {
	first, err := operand()
	if err != nil {
		return nil, err
	}
	operands := []node{first}
	for p.is(operator) {
		if err := p.next(); err != nil {
			return nil, err
		}
		n, err := operand()
		if err != nil {
			return nil, err
		}
		operands = append(operands, n)
	}
	if len(operands) == 1 {
		return first, nil
	}
	return func(row []any) (v any, err error) {
		for _, n := range operands {
			if v, err = n(row); err != nil || truth(v) == stop {
				return v, err
			}
		}
		return v, nil
	}, nil
}

func (p *expressionParser) not() (node, error) {
	if !p.is("not") {
		return p.comparison()
	}
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	if err := p.next(); err != nil {
		return nil, err
	}
	n, err := p.not()
	return func(row []any) (any, error) {
		v, err := n(row)
		return !truth(v), err
	}, err
}

func (p *expressionParser) comparison() (node, error) {
	left, err := p.binary(0)
	if err != nil || !p.is("<", "<=", ">", ">=", "==", "!=") {
		return left, err
	}
	operator := p.token
	if err := p.next(); err != nil {
		return nil, err
	}
	right, err := p.binary(0)
	if err != nil {
		return nil, err
	}
	if p.is("<", "<=", ">", ">=", "==", "!=") {
		return nil, p.fail("comparisons do not chain: write 'a < b and b < c'")
	}
	return pair(left, right, func(a, b any) (any, error) { return compare(operator, a, b) }), nil
}

// pair computes both operands first.
func pair(left, right node, apply func(a, b any) (any, error)) node {
	return func(row []any) (any, error) {
		a, err := left(row)
		if err != nil {
			return nil, err
		}
		b, err := right(row)
		if err != nil {
			return nil, err
		}
		return apply(a, b)
	}
}

// levels are the binary operators by precedence.
var levels = [...][]string{{"+", "-"}, {"*", "/", "//", "%"}}

func (p *expressionParser) binary(level int) (node, error) {
	operand := p.unary
	if level+1 < len(levels) {
		operand = func() (node, error) { return p.binary(level + 1) }
	}
	left, err := operand()
	for err == nil && p.is(levels[level]...) {
		operator := p.token
		if err := p.next(); err != nil {
			return nil, err
		}
		var right node
		if right, err = operand(); err == nil {
			if err = p.enter(); err == nil { // a long chain is a deep tree
				left = pair(left, right, func(a, b any) (any, error) { return arithmetic(operator, a, b) })
				defer func() { p.depth-- }()
			}
		}
	}
	return left, err
}

func (p *expressionParser) unary() (node, error) {
	if !p.is("+", "-") {
		return p.power()
	}
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	operator := p.token
	if err := p.next(); err != nil {
		return nil, err
	}
	n, err := p.unary()
	return func(row []any) (any, error) {
		v, err := n(row)
		if err != nil {
			return nil, err
		}
		return arithmetic(operator, int64(0), v)
	}, err
}

func (p *expressionParser) power() (node, error) {
	base, err := p.atom()
	if err != nil || !p.is("**") {
		return base, err
	}
	if err := p.next(); err != nil {
		return nil, err
	}
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	exponent, err := p.unary()
	return pair(base, exponent, func(a, b any) (any, error) { return arithmetic("**", a, b) }), err
}

func constant(v any) node { return func([]any) (any, error) { return v, nil } }

func (p *expressionParser) atom() (node, error) {
	token, kind := p.token, p.kind
	switch {
	case token == "":
		return nil, p.fail("it ends too early")
	case kind == digits:
		if n, err := strconv.ParseInt(token, 10, 64); err == nil {
			return constant(n), p.next()
		}
		f, err := strconv.ParseFloat(token, 64)
		if err != nil && !math.IsInf(f, 0) {
			return nil, p.fail("%s is no number", token)
		}
		return constant(f), p.next()
	case kind == literal:
		return constant(token[1 : len(token)-1]), p.next()
	case kind == column:
		return p.name(token[1 : len(token)-1]), p.next()
	case kind == word:
		if value, ok := constants[token]; ok {
			return constant(value), p.next()
		}
		if slices.Contains([]string{"if", "else", "and", "or", "not"}, token) {
			return nil, p.fail("'%s' is not expected", token)
		}
		if err := p.next(); err != nil {
			return nil, err
		}
		if p.is("(") {
			return p.call(token)
		}
		return p.name(token), nil
	case token == "(":
		if err := p.next(); err != nil {
			return nil, err
		}
		n, err := p.conditional()
		if err != nil {
			return nil, err
		}
		if !p.is(")") {
			return nil, p.fail("')' is missing")
		}
		return n, p.next()
	}
	return nil, p.fail("'%s' is not expected", token)
}

var constants = map[string]any{
	"True": true, "False": false, "None": nil, "true": true, "false": false, "null": nil, "nan": math.NaN(), "inf": math.Inf(1),
}

// name is the value of a column.
func (p *expressionParser) name(name string) node {
	slot := slices.Index(p.expr.names, name)
	if slot < 0 {
		slot = len(p.expr.names)
		p.expr.names = append(p.expr.names, name)
	}
	return func(row []any) (any, error) { return row[slot], nil }
}

func (p *expressionParser) call(name string) (node, error) {
	f, ok := functions[name]
	if !ok {
		return nil, p.fail("there is no function %s; there are %s", name, functionNames())
	}
	if err := p.next(); err != nil {
		return nil, err
	}
	var args []node
	for !p.is(")") {
		arg, err := p.conditional()
		if err != nil {
			return nil, err
		}
		args = append(args, arg)
		if p.is(")") {
			break
		}
		if !p.is(",") {
			return nil, p.fail("',' or ')' is missing")
		}
		if err := p.next(); err != nil {
			return nil, err
		}
	}
	if len(args) < f.least || len(args) > f.most {
		return nil, p.fail("%s takes %s", name, f.arguments())
	}
	return func(row []any) (any, error) {
		values := make([]any, len(args))
		for i, arg := range args {
			v, err := arg(row)
			if err != nil {
				return nil, err
			}
			values[i] = v
		}
		return f.apply(values)
	}, p.next()
}

// pyTypeError is the exception that Python would raise.
func pyTypeError(format string, args ...any) error {
	return &frame.PredictError{Kind: "TypeError", Message: fmt.Sprintf(format, args...)}
}
