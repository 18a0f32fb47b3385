// Package filter is the search language of MLflow: comparisons joined by AND, and order_by clauses. It reads a text into
// comparisons under the grammar of one kind of entity, and compiles those to SQL in which every value is bound.
package filter

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Error is a mistake in a filter or an order_by clause, in MLflow's words.
type Error struct{ Message string }

func (e *Error) Error() string { return e.Message }

func errorf(format string, args ...any) error { return &Error{fmt.Sprintf(format, args...)} }

type tokenKind int

const (
	tokEnd    tokenKind = iota
	tokName             // an identifier or word; may hold dots and quoted parts
	tokString           // '…' or "…"
	tokNumber
	tokCompare // = != < <= > >= == <> and LIKE, ILIKE, NOT LIKE …
	tokParens  // ( … ), balanced
	tokMath    // an expression such as 1 + 1 or a/b, which no filter takes
	tokClause  // a whole comparison, standing where one side of another should
	tokOp      // , + - * / % ||
	tokBad
)

type token struct {
	kind tokenKind
	text string // as written
	pos  int
}

// word tells whether the token is that keyword, in any case.
func (t token) word(w string) bool { return t.kind == tokName && strings.EqualFold(t.text, w) }

func isWord(r rune) bool { return r == '_' || r == '@' || unicode.IsLetter(r) || unicode.IsDigit(r) }

// lex splits a text into tokens; the last is tokEnd. Anything unknown becomes a tokBad, so that messages can show it.
func lex(text string) []token {
	var out []token
	i := 0
	for i < len(text) {
		r, size := utf8.DecodeRuneInString(text[i:])
		start := i
		switch {
		case unicode.IsSpace(r):
			i += size
			continue
		case r == '\'':
			kind := tokString
			if i = quoted(text, i); i > len(text) {
				i, kind = start+size, tokBad // a quote that never closes stands alone, as sqlparse has it
			}
			out = append(out, token{kind, text[start:i], start})
			continue
		case r == '"':
			kind := tokString
			switch i = quoted(text, i); {
			case i > len(text):
				i, kind = start+size, tokBad
			case i < len(text) && text[i] == '.': // "entity".key
				i, kind = name(text, i), tokName
			}
			out = append(out, token{kind, text[start:i], start})
			continue
		case r == '`':
			kind := tokName
			if quoted(text, i) > len(text) {
				i, kind = start+size, tokBad
			} else {
				i = name(text, i)
			}
			out = append(out, token{kind, text[start:i], start})
			continue
		case unicode.IsDigit(r), (r == '-' || r == '.') && i+1 < len(text) && (text[i+1] >= '0' && text[i+1] <= '9' || text[i+1] == '.'):
			i = number(text, i)
			if i < len(text) { // 1abc is no number
				if r, _ := utf8.DecodeRuneInString(text[i:]); isWord(r) {
					i = name(text, i)
					out = append(out, token{tokBad, text[start:i], start})
					continue
				}
			}
			out = append(out, token{tokNumber, text[start:i], start})
			continue
		case isWord(r):
			i = name(text, i)
			out = append(out, token{tokName, text[start:i], start})
			continue
		case strings.ContainsRune("=!<>", r):
			i++
			for i < len(text) && strings.IndexByte("=<>", text[i]) >= 0 {
				i++
			}
			kind := tokCompare
			switch text[start:i] {
			case "=", "!=", "<", "<=", ">", ">=", "==", "<>":
			default:
				kind = tokBad
			}
			out = append(out, token{kind, text[start:i], start})
			continue
		case r == '(':
			if end := balanced(text, i); end > 0 {
				i = end
				out = append(out, token{tokParens, text[start:i], start})
				continue
			}
		case strings.HasPrefix(text[i:], "--"):
			i = len(text)
			if end := strings.IndexByte(text[start:], '\n'); end >= 0 {
				i = start + end
			}
			out = append(out, token{tokBad, text[start:i], start})
			continue
		case strings.HasPrefix(text[i:], "/*"):
			i = len(text)
			if end := strings.Index(text[start:], "*/"); end >= 0 {
				i = start + end + 2
			}
			out = append(out, token{tokBad, text[start:i], start})
			continue
		case strings.HasPrefix(text[i:], "||"):
			i += 2
			out = append(out, token{tokOp, "||", start})
			continue
		case strings.ContainsRune(",+-*/%", r):
			i += size
			out = append(out, token{tokOp, text[start:i], start})
			continue
		}
		i += size
		out = append(out, token{tokBad, text[start:i], start})
	}
	return append(out, token{tokEnd, "", len(text)})
}

// balanced gives the index behind the parenthesis that closes the one at i, 0 when none does.
func balanced(text string, i int) int {
	depth := 0
	for i < len(text) {
		switch text[i] {
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return i + 1
			}
		case '\'', '"', '`':
			i = quoted(text, i)
			continue
		}
		i++
	}
	return 0
}

// quoted gives the index behind a quoted part that starts at i, or one behind the end of the text when the quote stays open.
func quoted(text string, i int) int {
	q := text[i]
	for i++; i < len(text); i++ {
		switch {
		case text[i] == '\\' && q != '`' && i+1 < len(text):
			i++ // whatever follows is no end; the backslash stays in the value
		case text[i] == q && q == '\'' && i+1 < len(text) && text[i+1] == q:
			i++ // a doubled quote belongs to the value, doubled
		case text[i] == q:
			return i + 1
		}
	}
	return len(text) + 1
}

// name gives the index behind an identifier: words and quoted parts joined by dots.
func name(text string, i int) int {
	for i < len(text) {
		r, size := utf8.DecodeRuneInString(text[i:])
		switch {
		case isWord(r) || r == '.':
			i += size
		case r == '`', (r == '"' || r == '\'') && i > 0 && text[i-1] == '.':
			i = min(quoted(text, i), len(text))
		default:
			return i
		}
	}
	return i
}

func number(text string, i int) int {
	if text[i] == '-' {
		i++
	}
	digits := func() {
		for i < len(text) && text[i] >= '0' && text[i] <= '9' {
			i++
		}
	}
	digits()
	if i < len(text) && text[i] == '.' {
		i++
		digits()
	}
	if i+1 < len(text) && (text[i] == 'e' || text[i] == 'E') {
		j := i + 1
		if text[j] == '+' || text[j] == '-' {
			j++
		}
		if j < len(text) && text[j] >= '0' && text[j] <= '9' {
			i = j
			digits()
		}
	}
	return i
}

// unquote takes backticks or quotes from around an identifier or value.
func unquote(s string) string {
	if len(s) >= 2 && s[0] == s[len(s)-1] && strings.IndexByte("`'\"", s[0]) >= 0 {
		return s[1 : len(s)-1]
	}
	return s
}
