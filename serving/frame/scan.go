package frame

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
	"unsafe"
)

// scanner reads JSON as Python's json.loads does: NaN, Infinity and -Infinity are numbers, a repeated key
// keeps its last value, lone surrogate escapes pass. It goes over the bytes once and writes numbers
// straight into columns, which is why it stands here instead of a library: the libraries at hand refuse
// NaN, cannot tell 1 from 1.0 without a second look, and cost a token for each cell. It is fuzzed against
// encoding/json.
type scanner struct {
	data []byte
	pos  int
}

// maxDepth is how deep JSON may nest; Python stops near 1,000.
const maxDepth = 200

// SyntaxError is broken JSON; Message and Offset are those of Python's JSONDecodeError.
type SyntaxError struct {
	Message string
	Offset  int
	text    []byte
}

// Error is the text of Python's JSONDecodeError.
func (e *SyntaxError) Error() string {
	line, column, char := 1, 1, 0
	for i := 0; i < e.Offset && i < len(e.text); {
		_, n := utf8.DecodeRune(e.text[i:])
		if e.text[i] == '\n' {
			line, column = line+1, 0
		}
		i += n
		column++
		char++
	}
	return fmt.Sprintf("%s: line %d column %d (char %d)", e.Message, line, column, char)
}

func (s *scanner) fail(message string, at int) error {
	return &SyntaxError{message, at, s.data}
}

func (s *scanner) blank() {
	for s.pos < len(s.data) {
		switch s.data[s.pos] {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return
		}
	}
}

// peek skips blanks and returns the next byte, 0 at the end.
func (s *scanner) peek() byte {
	s.blank()
	if s.pos < len(s.data) {
		return s.data[s.pos]
	}
	return 0
}

func (s *scanner) end() error {
	if s.blank(); s.pos < len(s.data) {
		return s.fail("Extra data", s.pos)
	}
	return nil
}

// object calls member for each key, which must consume the value.
func (s *scanner) object(member func(key string) error) error {
	s.pos++ // {
	if s.peek() == '}' {
		s.pos++
		return nil
	}
	for {
		if s.peek() != '"' {
			return s.fail("Expecting property name enclosed in double quotes", s.pos)
		}
		key, err := s.text()
		if err != nil {
			return err
		}
		if s.peek() != ':' {
			return s.fail("Expecting ':' delimiter", s.pos)
		}
		s.pos++
		s.blank()
		if err := member(key); err != nil {
			return err
		}
		switch s.peek() {
		case ',':
			s.pos++
		case '}':
			s.pos++
			return nil
		default:
			return s.fail("Expecting ',' delimiter", s.pos)
		}
	}
}

// array calls item before each element, which must consume it.
func (s *scanner) array(item func(i int) error) error {
	s.pos++ // [
	if s.peek() == ']' {
		s.pos++
		return nil
	}
	for i := 0; ; i++ {
		s.blank()
		if err := item(i); err != nil {
			return err
		}
		switch s.peek() {
		case ',':
			s.pos++
		case ']':
			s.pos++
			return nil
		default:
			return s.fail("Expecting ',' delimiter", s.pos)
		}
	}
}

// value reads any value: nil, bool, int64, float64, string, []any or Members.
func (s *scanner) value(depth int) (any, error) {
	if depth > maxDepth {
		return nil, s.fail("Nested too deep", s.pos)
	}
	switch s.peek() {
	case '{':
		m := Members{}
		err := s.object(func(key string) error {
			v, err := s.value(depth + 1)
			m = append(m, Member{key, v})
			return err
		})
		return m, err
	case '[':
		list := []any{}
		err := s.array(func(int) error {
			v, err := s.value(depth + 1)
			list = append(list, v)
			return err
		})
		return list, err
	case '"':
		return s.text()
	case 't', 'f', 'n', 'N', 'I':
		return s.word()
	}
	if s.pos+1 < len(s.data) && s.data[s.pos] == '-' && s.data[s.pos+1] == 'I' {
		return s.word()
	}
	n, err := s.number()
	if err != nil {
		return nil, err
	}
	if n.whole {
		return n.i, nil
	}
	return n.f, nil
}

func (s *scanner) word() (any, error) {
	for _, w := range words {
		if end := s.pos + len(w.text); end <= len(s.data) && string(s.data[s.pos:end]) == w.text {
			s.pos = end
			return w.value, nil
		}
	}
	return nil, s.fail("Expecting value", s.pos)
}

// words are the literals of JSON and the three that Python adds.
var words = [...]struct {
	text  string
	value any
}{{"null", nil}, {"true", true}, {"false", false}, {"NaN", math.NaN()}, {"Infinity", math.Inf(1)}, {"-Infinity", math.Inf(-1)}}

// number is a JSON number: a whole one that fits int64, or a float.
type number struct {
	whole bool
	i     int64
	f     float64
}

var pow10 = [...]float64{1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22}

// number reads a number. Up to 15 digits with a power of ten up to 22 are exact in one multiplication or
// division of float64; the rest goes to strconv.
func (s *scanner) number() (number, error) {
	start := s.pos
	data := s.data
	i := start
	neg := i < len(data) && data[i] == '-'
	if neg {
		i++
	}
	first := i
	var mantissa uint64
	digits := 0
	for ; i < len(data) && data[i]-'0' <= 9; i++ {
		if digits < 19 {
			mantissa = mantissa*10 + uint64(data[i]-'0')
		}
		digits++
	}
	if digits == 0 {
		return number{}, s.fail("Expecting value", start)
	}
	if data[first] == '0' && digits > 1 {
		// Python reads the 0 and then finds extra text.
		s.pos = first + 1
		return number{whole: true}, nil
	}
	scale, float := 0, false
	if i+1 < len(data) && data[i] == '.' && data[i+1]-'0' <= 9 {
		float = true
		for i++; i < len(data) && data[i]-'0' <= 9; i++ {
			if digits < 19 {
				mantissa = mantissa*10 + uint64(data[i]-'0')
			}
			digits++
			scale--
		}
	}
	if i < len(data) && data[i]|0x20 == 'e' {
		j, minus := i+1, false
		if j < len(data) && (data[j] == '+' || data[j] == '-') {
			minus = data[j] == '-'
			j++
		}
		if j < len(data) && data[j]-'0' <= 9 {
			float = true
			exp := 0
			for ; j < len(data) && data[j]-'0' <= 9; j++ {
				if exp < 100_000 {
					exp = exp*10 + int(data[j]-'0')
				}
			}
			if minus {
				exp = -exp
			}
			scale += exp
			i = j
		}
	}
	s.pos = i
	if !float && digits <= 18 {
		n := int64(mantissa)
		if neg {
			n = -n
		}
		return number{whole: true, i: n}, nil
	}
	if float && digits <= 15 && scale >= -22 && scale <= 22 {
		f := float64(mantissa)
		if scale < 0 {
			f /= pow10[-scale]
		} else {
			f *= pow10[scale]
		}
		if neg {
			f = -f
		}
		return number{f: f}, nil
	}
	text := unsafe.String(&data[start], i-start)
	if !float {
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return number{whole: true, i: n}, nil
		}
	}
	// An overflow gives an infinity, as in Python.
	f, _ := strconv.ParseFloat(text, 64)
	return number{f: f}, nil
}

// labels reads what names columns: a list of plain strings as []string, which share their memory, all else as [scanner.value] does.
func (s *scanner) labels(depth int) (any, error) {
	start := s.pos
	if s.peek() != '[' {
		return s.value(depth)
	}
	first := s.pos
	length := bytes.IndexByte(s.data[first:], ']') + 1 // or less, where a bracket stands within a name
	if length == 0 {
		return s.value(depth)
	}
	names, shared := make([]string, 0, fewColumns), ""
	err := s.array(func(int) error {
		if s.peek() != '"' {
			return errNested
		}
		at := s.pos + 1
		for i := at; i < len(s.data) && s.data[i] >= 0x20 && s.data[i] != '\\'; i++ {
			if s.data[i] != '"' {
				continue
			}
			if shared == "" {
				shared = string(s.data[first : first+length])
			}
			s.pos = i + 1
			if i-first > length {
				names = append(names, string(s.data[at:i]))
			} else {
				names = append(names, shared[at-first:i-first])
			}
			return nil
		}
		return errNested
	})
	if err != nil { // its value tells what is wrong, if anything is
		s.pos = start
		return s.value(depth)
	}
	return names, nil
}

// text reads a string; the scanner stands at its quote.
func (s *scanner) text() (string, error) {
	start := s.pos
	for i := start + 1; i < len(s.data); i++ {
		switch c := s.data[i]; {
		case c == '"':
			s.pos = i + 1
			return string(s.data[start+1 : i]), nil
		case c == '\\':
			return s.escaped(start, i)
		case c < 0x20:
			return "", s.fail("Invalid control character at", i)
		}
	}
	return "", s.fail("Unterminated string starting at", start)
}

func (s *scanner) escaped(start, i int) (string, error) {
	out := append([]byte(nil), s.data[start+1:i]...)
	for i < len(s.data) {
		c := s.data[i]
		switch {
		case c == '"':
			s.pos = i + 1
			return string(out), nil
		case c < 0x20:
			return "", s.fail("Invalid control character at", i)
		case c != '\\':
			out = append(out, c)
			i++
			continue
		}
		if i+1 >= len(s.data) {
			break
		}
		switch e := s.data[i+1]; e {
		case '"', '\\', '/':
			out = append(out, e)
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'u':
			r, ok := s.hex(i + 2)
			if !ok {
				return "", s.fail("Invalid \\uXXXX escape", i+1)
			}
			if utf16.IsSurrogate(r) && i+7 < len(s.data) && s.data[i+6] == '\\' && s.data[i+7] == 'u' {
				if low, ok := s.hex(i + 8); ok {
					if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
						r = pair
						i += 6
					}
				}
			}
			out = utf8.AppendRune(out, r) // a lone surrogate becomes U+FFFD
			i += 4
		default:
			return "", s.fail("Invalid \\escape", i)
		}
		i += 2
	}
	return "", s.fail("Unterminated string starting at", start)
}

func (s *scanner) hex(at int) (rune, bool) {
	if at+4 > len(s.data) {
		return 0, false
	}
	var r rune
	for _, c := range s.data[at : at+4] {
		switch {
		case c-'0' <= 9:
			r = r<<4 | rune(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			r = r<<4 | rune(c|0x20-'a'+10)
		default:
			return 0, false
		}
	}
	return r, true
}
