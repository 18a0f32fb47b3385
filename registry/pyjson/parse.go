// Package pyjson reads and writes JSON as Python's json module does, for the values that MLflow keeps as JSON text: members stay in
// the order in which they came, NaN and the infinities are numbers, integers keep every digit, and 1 is not 1.0.
package pyjson

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Kind tells what a value is.
type Kind int

// The kinds, in Python's distinction: Int and Float are different.
const (
	Null Kind = iota
	Bool
	Int
	Float
	String
	Array
	Object
)

// Value is one JSON value. The zero Value is null.
type Value struct {
	kind    Kind
	text    string // of a string its contents, of a number or bool its JSON text as Python writes it
	items   []Value
	members []Member
}

// Member is one entry of an object.
type Member struct {
	Key   string
	Value Value
}

// Kind tells what the value is.
func (v Value) Kind() Kind { return v.kind }

// Text is the contents of a string, "" for anything else.
func (v Value) Text() string {
	if v.kind != String {
		return ""
	}
	return v.text
}

// Items are the items of an array.
func (v Value) Items() []Value { return v.items }

// Members are the members of an object, in order.
func (v Value) Members() []Member { return v.members }

// Get is a member of an object; false when there is none, or the value is no object.
func (v Value) Get(key string) (Value, bool) {
	for _, m := range v.members {
		if m.Key == key {
			return m.Value, true
		}
	}
	return Value{}, false
}

// Update is the object with members set one after another, as Python's dict.update has it: in their old places, or at the end. The
// receiver stays as it is.
func (v Value) Update(members ...Member) Value { return v.merge(members, true) }

// Complete is the object with those of the members added that it lacks.
func (v Value) Complete(members ...Member) Value { return v.merge(members, false) }

func (v Value) merge(members []Member, overwrite bool) Value {
	out := Value{kind: Object, members: append([]Member(nil), v.members...)}
	where := make(map[string]int, len(out.members)+len(members))
	for i, m := range out.members {
		where[m.Key] = i
	}
	for _, m := range members {
		i, ok := where[m.Key]
		switch {
		case !ok:
			where[m.Key] = len(out.members)
			out.members = append(out.members, m)
		case overwrite:
			out.members[i].Value = m.Value
		}
	}
	return out
}

// Of makes a string value.
func Of(text string) Value { return Value{kind: String, text: text} }

// OfInt makes an integer value.
func OfInt(n int64) Value { return Value{kind: Int, text: strconv.FormatInt(n, 10)} }

// OfMembers makes an object. Keys must differ.
func OfMembers(members ...Member) Value { return Value{kind: Object, members: members} }

// OfItems makes an array.
func OfItems(items ...Value) Value { return Value{kind: Array, items: items} }

// True tells whether Python takes the value for true: not null, false, zero or empty.
func (v Value) True() bool {
	switch v.kind {
	case Null:
		return false
	case Bool:
		return v.text == "true"
	case Int:
		return v.text != "0"
	case Float:
		return v.text != "0.0" && v.text != "-0.0"
	case String:
		return v.text != ""
	case Array:
		return len(v.items) > 0
	}
	return len(v.members) > 0
}

// maxDepth bounds nesting, so that no input uses up the stack.
const maxDepth = 500

// Parse reads a text as json.loads does. Of members with the same key the last value counts.
func Parse(text string) (Value, error) {
	p := parser{text: text}
	v, err := p.value(0)
	if err == nil {
		p.space()
		if p.at < len(text) {
			err = errors.New("something follows the value")
		}
	}
	if err != nil {
		return Value{}, fmt.Errorf("at character %d: %w", utf8.RuneCountInString(text[:min(p.at, len(text))]), err)
	}
	return v, nil
}

type parser struct {
	text string
	at   int
}

func (p *parser) space() {
	for p.at < len(p.text) && strings.IndexByte(" \t\n\r", p.text[p.at]) >= 0 {
		p.at++
	}
}

// next skips blanks and looks at the next byte; 0 is the end.
func (p *parser) next() byte {
	p.space()
	if p.at == len(p.text) {
		return 0
	}
	return p.text[p.at]
}

// words are the values that are written as words; -Infinity is among the numbers.
var words = []struct {
	text  string
	value Value
}{
	{"null", Value{}},
	{"true", Value{kind: Bool, text: "true"}},
	{"false", Value{kind: Bool, text: "false"}},
	{"NaN", Value{kind: Float, text: "NaN"}},
	{"Infinity", Value{kind: Float, text: "Infinity"}},
	{"-Infinity", Value{kind: Float, text: "-Infinity"}},
}

func (p *parser) value(depth int) (Value, error) {
	if depth > maxDepth {
		return Value{}, fmt.Errorf("nested deeper than %d levels", maxDepth)
	}
	switch c := p.next(); c {
	case 0:
		return Value{}, errors.New("a value is missing")
	case '"':
		text, err := p.quoted()
		return Value{kind: String, text: text}, err
	case '{':
		return p.object(depth)
	case '[':
		return p.array(depth)
	}
	rest := p.text[p.at:]
	for _, w := range words {
		if strings.HasPrefix(rest, w.text) {
			p.at += len(w.text)
			return w.value, nil
		}
	}
	return p.number()
}

func (p *parser) object(depth int) (Value, error) {
	p.at++
	v := Value{kind: Object}
	where := map[string]int{}
	if p.next() == '}' {
		p.at++
		return v, nil
	}
	for {
		if p.next() != '"' {
			return v, errors.New("a property name in double quotes is missing")
		}
		key, err := p.quoted()
		if err != nil {
			return v, err
		}
		if p.next() != ':' {
			return v, errors.New("':' is missing")
		}
		p.at++
		member, err := p.value(depth + 1)
		if err != nil {
			return v, err
		}
		if i, ok := where[key]; ok {
			v.members[i].Value = member
		} else {
			where[key] = len(v.members)
			v.members = append(v.members, Member{key, member})
		}
		switch p.next() {
		case ',':
			p.at++
		case '}':
			p.at++
			return v, nil
		default:
			return v, errors.New("',' or '}' is missing")
		}
	}
}

func (p *parser) array(depth int) (Value, error) {
	p.at++
	v := Value{kind: Array}
	if p.next() == ']' {
		p.at++
		return v, nil
	}
	for {
		item, err := p.value(depth + 1)
		if err != nil {
			return v, err
		}
		v.items = append(v.items, item)
		switch p.next() {
		case ',':
			p.at++
		case ']':
			p.at++
			return v, nil
		default:
			return v, errors.New("',' or ']' is missing")
		}
	}
}

var escapes = map[byte]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// quoted reads a string from its opening quote on. A lone surrogate becomes U+FFFD.
func (p *parser) quoted() (string, error) {
	p.at++
	var b strings.Builder
	for p.at < len(p.text) {
		c := p.text[p.at]
		switch {
		case c == '"':
			p.at++
			return strings.ToValidUTF8(b.String(), "\uFFFD"), nil
		case c < ' ':
			return "", errors.New("a control character in a string")
		case c != '\\':
			b.WriteByte(c)
			p.at++
		case p.at+1 < len(p.text) && p.text[p.at+1] == 'u':
			r, err := p.unicode()
			if err != nil {
				return "", err
			}
			if utf16.IsSurrogate(r) {
				before := p.at
				r2, err := rune(0), error(nil)
				if strings.HasPrefix(p.text[p.at:], `\u`) {
					r2, err = p.unicode()
				}
				if both := utf16.DecodeRune(r, r2); err == nil && both != utf8.RuneError {
					r = both
				} else {
					p.at = before
				}
			}
			b.WriteRune(r)
		default:
			if p.at+1 == len(p.text) || escapes[p.text[p.at+1]] == 0 {
				return "", errors.New("an unknown escape in a string")
			}
			b.WriteByte(escapes[p.text[p.at+1]])
			p.at += 2
		}
	}
	return "", errors.New("a string has no end")
}

// unicode reads \uXXXX.
func (p *parser) unicode() (rune, error) {
	if p.at+6 > len(p.text) {
		return 0, errors.New(`four hex digits must follow \u`)
	}
	n, err := strconv.ParseUint(p.text[p.at+2:p.at+6], 16, 16)
	if err != nil {
		return 0, errors.New(`four hex digits must follow \u`)
	}
	p.at += 6
	return rune(n), nil
}

func (p *parser) digits() bool {
	start := p.at
	for p.at < len(p.text) && p.text[p.at] >= '0' && p.text[p.at] <= '9' {
		p.at++
	}
	return p.at > start
}

func (p *parser) number() (Value, error) {
	start := p.at
	if p.text[p.at] == '-' {
		p.at++
	}
	first := p.at
	if !p.digits() || p.at-first > 1 && p.text[first] == '0' {
		p.at = start
		return Value{}, errors.New("a value is missing")
	}
	float := false
	if end := p.at; end < len(p.text) && p.text[end] == '.' {
		p.at++
		if float = p.digits(); !float {
			return Value{}, errors.New("digits must follow a decimal point")
		}
	}
	if p.at < len(p.text) && (p.text[p.at] == 'e' || p.text[p.at] == 'E') {
		p.at++
		if p.at < len(p.text) && (p.text[p.at] == '+' || p.text[p.at] == '-') {
			p.at++
		}
		if float = p.digits(); !float {
			return Value{}, errors.New("digits must follow an exponent's e")
		}
	}
	text := p.text[start:p.at]
	if !float {
		if text == "-0" {
			text = "0"
		}
		return Value{kind: Int, text: text}, nil
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil && !math.IsInf(f, 0) {
		return Value{}, err
	}
	return Value{kind: Float, text: formatFloat(f)}, nil
}
