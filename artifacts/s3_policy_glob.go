package artifacts

import (
	"fmt"
	"strings"
)

// glob is a pattern in which * stands for any text and ? for any one character (byte), and ${key} for the value of a condition key.
type glob struct {
	parts    []globPart
	variable bool
}

// globPart is a literal byte, a wildcard, or a variable.
type globPart struct {
	kind     globKind
	literal  byte
	variable string
}

type globKind byte

const (
	globLiteral globKind = iota
	globAny              // *
	globOne              // ?
	globVariable
)

// newPlainGlob reads a pattern without variables.
func newPlainGlob(text string) glob {
	g, _ := newGlob(text, false) // only variables can be wrong
	return g
}

// newGlob reads a pattern. ${*}, ${?} and ${$} are those characters themselves.
func newGlob(text string, variables bool) (glob, error) {
	var g glob
	for i := 0; i < len(text); i++ {
		switch ch := text[i]; {
		case variables && strings.HasPrefix(text[i:], "${"):
			end := strings.IndexByte(text[i:], '}')
			if end < 0 {
				return g, fmt.Errorf("a ${ without }")
			}
			name := text[i+2 : i+end]
			i += end
			if name == "*" || name == "?" || name == "$" {
				g.parts = append(g.parts, globPart{literal: name[0]})
				continue
			}
			key, ok := conditionKey(name)
			if !ok {
				return g, fmt.Errorf("the policy variable ${%s} is not known here", name)
			}
			g.variable = true
			g.parts = append(g.parts, globPart{kind: globVariable, variable: key})
		case ch == '*':
			if n := len(g.parts); n == 0 || g.parts[n-1].kind != globAny {
				g.parts = append(g.parts, globPart{kind: globAny})
			}
		case ch == '?':
			g.parts = append(g.parts, globPart{kind: globOne})
		default:
			g.parts = append(g.parts, globPart{literal: ch})
		}
	}
	return g, nil
}

// literally is the pattern as a text that stands for itself, with variables filled in.
func (g glob) literally(value func(string) (string, bool)) (string, bool) {
	var b strings.Builder
	for _, p := range g.parts {
		switch p.kind {
		case globAny:
			b.WriteByte('*')
		case globOne:
			b.WriteByte('?')
		case globLiteral:
			b.WriteByte(p.literal)
		case globVariable:
			v, ok := value(p.variable)
			if !ok {
				return "", false
			}
			b.WriteString(v)
		}
	}
	return b.String(), true
}

// match compares the whole text. A pattern with a variable that has no value matches nothing.
func (g glob) match(text string, value func(string) (string, bool)) bool {
	parts := g.parts
	if g.variable {
		parts = nil
		for _, p := range g.parts {
			if p.kind != globVariable {
				parts = append(parts, p)
				continue
			}
			v, ok := value(p.variable)
			if !ok {
				return false
			}
			for i := range len(v) {
				parts = append(parts, globPart{literal: v[i]}) // a * in a value is no wildcard
			}
		}
	}
	at, star, mark := 0, -1, 0
	for i := 0; i < len(text); {
		switch {
		case at < len(parts) && parts[at].kind == globAny:
			star, mark = at, i
			at++
		case at < len(parts) && (parts[at].kind == globOne || parts[at].literal == text[i]):
			at++
			i++
		case star >= 0: // let the last * take one more
			mark++
			at, i = star+1, mark
		default:
			return false
		}
	}
	for at < len(parts) && parts[at].kind == globAny {
		at++
	}
	return at == len(parts)
}

func matchAny(list []glob, text string, value func(string) (string, bool)) bool {
	for _, g := range list {
		if g.match(text, value) {
			return true
		}
	}
	return false
}
