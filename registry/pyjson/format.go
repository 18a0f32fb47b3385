package pyjson

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// JSON is the value as json.dumps writes it: one line, ", " and ": " between, everything beyond ASCII escaped.
func (v Value) JSON() string { return string(v.append(nil, false)) }

// Sorted is JSON with the members of every object sorted by key, as json.dumps(sort_keys=True) writes it.
func (v Value) Sorted() string { return string(v.append(nil, true)) }

func (v Value) append(b []byte, sorted bool) []byte {
	switch v.kind {
	case Null:
		return append(b, "null"...)
	case String:
		return appendString(b, v.text)
	case Array:
		b = append(b, '[')
		for i, item := range v.items {
			if i > 0 {
				b = append(b, ", "...)
			}
			b = item.append(b, sorted)
		}
		return append(b, ']')
	case Object:
		members := v.members
		if sorted {
			members = slices.SortedFunc(slices.Values(members), func(a, b Member) int { return strings.Compare(a.Key, b.Key) })
		}
		b = append(b, '{')
		for i, m := range members {
			if i > 0 {
				b = append(b, ", "...)
			}
			b = appendString(b, m.Key)
			b = append(b, ": "...)
			b = m.Value.append(b, sorted)
		}
		return append(b, '}')
	}
	return append(b, v.text...)
}

var shortEscapes = map[rune]string{'"': `\"`, '\\': `\\`, '\b': `\b`, '\f': `\f`, '\n': `\n`, '\r': `\r`, '\t': `\t`}

func appendString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	unit := func(r rune) {
		b = append(b, '\\', 'u', hex[r>>12&15], hex[r>>8&15], hex[r>>4&15], hex[r&15])
	}
	b = append(b, '"')
	for _, r := range s {
		switch short, ok := shortEscapes[r]; {
		case ok:
			b = append(b, short...)
		case r >= ' ' && r <= '~':
			b = append(b, byte(r))
		case r > 0xFFFF:
			r -= 0x10000
			unit(0xD800 + r>>10)
			unit(0xDC00 + r&0x3FF)
		default:
			unit(r)
		}
	}
	return append(b, '"')
}

// formatFloat is Python's repr of a float, or its JSON word.
func formatFloat(f float64) string {
	switch {
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	}
	text := strconv.FormatFloat(f, 'e', -1, 64)
	mantissa, exponent, _ := strings.Cut(text, "e")
	if n, _ := strconv.Atoi(exponent); n < -4 || n >= 16 {
		return mantissa + "e" + exponent
	}
	text = strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(text, ".") {
		text += ".0"
	}
	return text
}

// Python is the value as Python's str writes what json.loads made of it.
func (v Value) Python() string {
	if v.kind == String {
		return v.text
	}
	return v.repr()
}

func (v Value) repr() string {
	switch v.kind {
	case Null:
		return "None"
	case Bool:
		return map[string]string{"true": "True", "false": "False"}[v.text]
	case Float:
		switch v.text {
		case "NaN":
			return "nan"
		case "Infinity":
			return "inf"
		case "-Infinity":
			return "-inf"
		}
	case String:
		return Repr(v.text)
	case Array:
		parts := make([]string, len(v.items))
		for i, item := range v.items {
			parts[i] = item.repr()
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case Object:
		parts := make([]string, len(v.members))
		for i, m := range v.members {
			parts[i] = Repr(m.Key) + ": " + m.Value.repr()
		}
		return "{" + strings.Join(parts, ", ") + "}"
	}
	return v.text
}

// Repr is Python's repr of a string: in single quotes unless it holds one and no double one.
func Repr(s string) string {
	quote := "'"
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		quote = `"`
	}
	var b strings.Builder
	b.WriteString(quote)
	for _, r := range s {
		switch {
		case string(r) == quote || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case strconv.IsPrint(r):
			b.WriteRune(r)
		case r < 0x100:
			b.WriteString(`\x` + hexDigits(r, 2))
		case r < 0x10000:
			b.WriteString(`\u` + hexDigits(r, 4))
		default:
			b.WriteString(`\U` + hexDigits(r, 8))
		}
	}
	b.WriteString(quote)
	return b.String()
}

func hexDigits(r rune, width int) string {
	text := strconv.FormatInt(int64(r), 16)
	return strings.Repeat("0", width-len(text)) + text
}
