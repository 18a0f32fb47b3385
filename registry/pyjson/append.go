package pyjson

// This file writes JSON texts as json.dumps(ensure_ascii=False) does, without a tree: MLflow stores spans so, and its searches look into the text.

import (
	"bytes"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// AppendString appends a string with quotes.
func AppendString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && size == 1 { // no UTF-8: U+FFFD, as JSON must be UTF-8
				b = append(append(b, s[start:i]...), "\uFFFD"...)
				start = i + 1
			}
			i += size
			continue
		}
		if c >= ' ' && c != '"' && c != '\\' {
			i++
			continue
		}
		b = append(b, s[start:i]...)
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, `\n`...)
		case '\r':
			b = append(b, `\r`...)
		case '\t':
			b = append(b, `\t`...)
		case '\b':
			b = append(b, `\b`...)
		case '\f':
			b = append(b, `\f`...)
		default:
			b = append(b, `\u00`...)
			b = append(b, hex[c>>4], hex[c&15])
		}
		i++
		start = i
	}
	return append(append(b, s[start:]...), '"')
}

// AppendFloat appends a float: the shortest text that reads back the same, with a point or an exponent. NaN and the infinities are written as
// Python writes them, which is no JSON.
func AppendFloat(b []byte, v float64) []byte {
	switch {
	case math.IsNaN(v):
		return append(b, "NaN"...)
	case math.IsInf(v, 1):
		return append(b, "Infinity"...)
	case math.IsInf(v, -1):
		return append(b, "-Infinity"...)
	}
	if abs := math.Abs(v); abs != 0 && (abs < 1e-4 || abs >= 1e16) {
		return strconv.AppendFloat(b, v, 'e', -1, 64)
	}
	n := len(b)
	b = strconv.AppendFloat(b, v, 'f', -1, 64)
	if bytes.IndexByte(b[n:], '.') < 0 {
		b = append(b, ".0"...)
	}
	return b
}

// AppendBytes appends the text of a Python bytes value, such as "b'\x01'": MLflow writes what JSON has no type for by its str().
func AppendBytes(b []byte, raw []byte) []byte {
	quote := byte('\'')
	if bytes.IndexByte(raw, '\'') >= 0 && bytes.IndexByte(raw, '"') < 0 {
		quote = '"'
	}
	const hex = "0123456789abcdef"
	text := []byte{'b', quote}
	for _, c := range raw {
		switch {
		case c == quote || c == '\\':
			text = append(text, '\\', c)
		case c == '\n':
			text = append(text, `\n`...)
		case c == '\r':
			text = append(text, `\r`...)
		case c == '\t':
			text = append(text, `\t`...)
		case c < ' ' || c >= 0x7f:
			text = append(text, '\\', 'x', hex[c>>4], hex[c&15])
		default:
			text = append(text, c)
		}
	}
	return AppendString(b, string(append(text, quote)))
}

// Numbers says how numbers of a text are written.
type Numbers int

const (
	// AsWritten keeps integers integers and writes other numbers as floats.
	AsWritten Numbers = iota
	// Floats writes every number as a float, as a text that went through a protobuf Value.
	Floats
)

// Format writes a JSON text anew in Python's spelling, members in their order. A text that is no JSON is an error.
func Format(text []byte, numbers Numbers) ([]byte, error) {
	dec := NewDecoder(text)
	out, err := appendValue(make([]byte, 0, len(text)+len(text)/8), dec, numbers)
	if err != nil {
		return nil, err
	}
	return out, End(dec)
}

// NewDecoder reads a JSON text; duplicate names are allowed, the caller takes the last.
func NewDecoder(text []byte) *jsontext.Decoder {
	return jsontext.NewDecoder(bytes.NewReader(text), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
}

// End is an error when something follows.
func End(dec *jsontext.Decoder) error {
	if rest := bytes.TrimSpace(dec.UnreadBuffer()); len(rest) > 0 {
		return &TrailingError{}
	}
	return nil
}

// TrailingError says that something follows a JSON value.
type TrailingError struct{}

func (*TrailingError) Error() string { return "something follows the JSON value" }

func appendValue(b []byte, dec *jsontext.Decoder, numbers Numbers) ([]byte, error) {
	tok, err := dec.ReadToken()
	if err != nil {
		return b, err
	}
	switch tok.Kind() {
	case '"':
		return AppendString(b, tok.String()), nil
	case '0':
		text := tok.String()
		if numbers == AsWritten && !strings.ContainsAny(text, ".eE") {
			return append(b, text...), nil
		}
		f, err := strconv.ParseFloat(text, 64)
		if err != nil && !math.IsInf(f, 0) {
			return b, err
		}
		return AppendFloat(b, f), nil
	case '{':
		b = append(b, '{')
		for first := true; dec.PeekKind() != '}'; first = false {
			if !first {
				b = append(b, ", "...)
			}
			name, err := dec.ReadToken()
			if err != nil {
				return b, err
			}
			b = append(AppendString(b, name.String()), ": "...)
			if b, err = appendValue(b, dec, numbers); err != nil {
				return b, err
			}
		}
		_, err := dec.ReadToken()
		return append(b, '}'), err
	case '[':
		b = append(b, '[')
		for first := true; dec.PeekKind() != ']'; first = false {
			if !first {
				b = append(b, ", "...)
			}
			if b, err = appendValue(b, dec, numbers); err != nil {
				return b, err
			}
		}
		_, err := dec.ReadToken()
		return append(b, ']'), err
	}
	return append(b, tok.String()...), nil // true, false, null
}
