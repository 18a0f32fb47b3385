// Package frame holds the tables that a scoring request carries: columns with pandas' inferred types, the
// decoders of MLflow's request formats, the casts and checks of a model signature with MLflow's messages,
// and the encoding of predictions.
package frame

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Kind is a column's type as pandas would infer it.
type Kind uint8

// The kinds of a column.
const (
	Empty  Kind = iota // no value but null so far
	Int                // Column.Ints
	Float              // Column.Floats, NaN for null
	Bool               // Column.Bools
	String             // Column.Strings, Column.Null for null
	Object             // Column.Objects: nil, bool, int64, float64, string, []any, Members
)

// Column is one column; which of its slices holds the values is told by Kind.
type Column struct {
	Name string
	// Positional tells that the column has no name: Name is its number.
	Positional bool

	Kind    Kind
	Ints    []int64
	Floats  []float64
	Bools   []bool
	Strings []string
	Objects []any
	// Null marks the missing values of a String column; nil when there are none.
	Null []bool
}

// Frame is a table. Columns all have Rows values.
type Frame struct {
	Rows    int
	Columns []Column
	// Array tells that the data came as an array without column names: a model sees a numpy array, not
	// a DataFrame.
	Array bool
	// scalars tells that the data was a list of scalars, one column.
	scalars bool
	// filled counts the values that were missing in the request.
	filled int
	// expected is how many columns were announced before the data; 0 when that is not known.
	expected int
	// first is the room for the first number of each column, in one piece: most requests have one row.
	first []float64
}

// Vector tells that the data was a list of scalars: a one-dimensional array when Array is set.
func (f *Frame) Vector() bool { return f.scalars }

// Column finds a column by name; nil when there is none. The last of equally named ones wins.
func (f *Frame) Column(name string) *Column {
	for i := len(f.Columns) - 1; i >= 0; i-- {
		if f.Columns[i].Name == name && !f.Columns[i].Positional {
			return &f.Columns[i]
		}
	}
	return nil
}

// Label is the column's name as Python prints it inside a list.
func (c *Column) Label() string {
	if c.Positional {
		return c.Name
	}
	return PyRepr(c.Name)
}

// Len is the number of values.
func (c *Column) Len() int {
	switch c.Kind {
	case Int:
		return len(c.Ints)
	case Float, Empty:
		return len(c.Floats)
	case Bool:
		return len(c.Bools)
	case String:
		return len(c.Strings)
	}
	return len(c.Objects)
}

// At returns a value: nil, bool, int64, float64, string, []any or Members.
func (c *Column) At(i int) any {
	switch c.Kind {
	case Int:
		return c.Ints[i]
	case Float:
		return c.Floats[i]
	case Bool:
		return c.Bools[i]
	case String:
		if c.Null != nil && c.Null[i] {
			return nil
		}
		return c.Strings[i]
	case Object:
		return c.Objects[i]
	}
	return nil
}

// DType names the type as pandas 2 does, for messages.
func (c *Column) DType() string {
	switch c.Kind {
	case Int:
		return "int64"
	case Float:
		return "float64"
	case Bool:
		return "bool"
	}
	return "object"
}

// An Empty column counts its nulls as NaNs in Floats, so that a number may follow at no cost.

func (c *Column) appendNull() {
	switch c.Kind {
	case Empty, Float:
		c.Floats = append(c.Floats, math.NaN())
	case Int:
		c.toFloat()
		c.Floats = append(c.Floats, math.NaN())
	case String:
		if c.Null == nil {
			c.Null = make([]bool, len(c.Strings), cap(c.Strings))
		}
		c.Strings = append(c.Strings, "")
		c.Null = append(c.Null, true)
	default:
		c.toObject()
		c.Objects = append(c.Objects, nil)
	}
}

func (c *Column) appendInt(v int64) {
	switch c.Kind {
	case Empty:
		if len(c.Floats) == 0 {
			c.Kind = Int
			c.Ints = append(c.Ints, v)
			return
		}
		c.Kind = Float
		c.Floats = append(c.Floats, float64(v))
	case Int:
		c.Ints = append(c.Ints, v)
	case Float:
		c.Floats = append(c.Floats, float64(v))
	default:
		c.toObject()
		c.Objects = append(c.Objects, v)
	}
}

func (c *Column) appendFloat(v float64) {
	switch c.Kind {
	case Empty:
		c.Kind = Float
		c.Floats = append(c.Floats, v)
	case Float:
		c.Floats = append(c.Floats, v)
	case Int:
		c.toFloat()
		c.Floats = append(c.Floats, v)
	default:
		c.toObject()
		c.Objects = append(c.Objects, v)
	}
}

func (c *Column) appendString(v string) {
	switch c.Kind {
	case Empty:
		c.Kind = String
		if n := len(c.Floats); n > 0 {
			c.Strings = make([]string, n, n+1)
			c.Null = make([]bool, n, n+1)
			for i := range c.Null {
				c.Null[i] = true
			}
		}
		c.Floats = nil
		c.appendString(v)
	case String:
		c.Strings = append(c.Strings, v)
		if c.Null != nil {
			c.Null = append(c.Null, false)
		}
	default:
		c.toObject()
		c.Objects = append(c.Objects, v)
	}
}

func (c *Column) appendBool(v bool) {
	switch {
	case c.Kind == Empty && len(c.Floats) == 0:
		c.Kind = Bool
		c.Bools = append(c.Bools, v)
	case c.Kind == Bool:
		c.Bools = append(c.Bools, v)
	default:
		c.toObject()
		c.Objects = append(c.Objects, v)
	}
}

func (c *Column) append(v any) {
	switch v := v.(type) {
	case nil:
		c.appendNull()
	case bool:
		c.appendBool(v)
	case int64:
		c.appendInt(v)
	case float64:
		c.appendFloat(v)
	case string:
		c.appendString(v)
	default:
		c.toObject()
		c.Objects = append(c.Objects, v)
	}
}

func (c *Column) toFloat() {
	c.Floats = make([]float64, len(c.Ints), cap(c.Ints)+1)
	for i, v := range c.Ints {
		c.Floats[i] = float64(v)
	}
	c.Kind, c.Ints = Float, nil
}

func (c *Column) toObject() {
	if c.Kind == Object {
		return
	}
	n := c.Len()
	objects := make([]any, n, n+1)
	for i := range objects {
		objects[i] = c.At(i)
	}
	c.Kind, c.Objects = Object, objects
	c.Ints, c.Floats, c.Bools, c.Strings, c.Null = nil, nil, nil, nil, nil
}

// Members is a JSON object with its keys in order.
type Members []Member

// Member is one key of a JSON object.
type Member struct {
	Key   string
	Value any
}

// Get returns the last value of a key.
func (m Members) Get(key string) (any, bool) {
	for _, v := range slices.Backward(m) {
		if v.Key == key {
			return v.Value, true
		}
	}
	return nil, false
}

// PyRepr prints a decoded JSON value as Python's repr does.
func PyRepr(v any) string {
	switch v := v.(type) {
	case nil:
		return "None"
	case bool:
		if v {
			return "True"
		}
		return "False"
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return string(AppendFloat(nil, v, true))
	case string:
		return quotePy(v)
	case []any:
		parts := make([]string, len(v))
		for i, c := range v {
			parts[i] = PyRepr(c)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case Members:
		parts := make([]string, len(v))
		for i, m := range v {
			parts[i] = PyRepr(m.Key) + ": " + PyRepr(m.Value)
		}
		return "{" + strings.Join(parts, ", ") + "}"
	}
	return fmt.Sprint(v)
}

func quotePy(s string) string {
	quote := byte('\'')
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		quote = '"'
	}
	var b strings.Builder
	b.WriteByte(quote)
	for _, r := range s {
		switch {
		case r == rune(quote) || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < 0x20 || r == 0x7f:
			fmt.Fprintf(&b, `\x%02x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte(quote)
	return b.String()
}

// pyType names a decoded value's Python type.
func pyType(v any) string {
	switch v.(type) {
	case nil:
		return "NoneType"
	case bool:
		return "bool"
	case int64:
		return "int"
	case float64:
		return "float"
	case string:
		return "str"
	case []any:
		return "list"
	}
	return "dict"
}

// AppendFloat appends a float as Python prints it: shortest digits that read back the same, ".0" on whole
// numbers, an exponent below 1e-4 and from 1e16 on. NaN and infinities are JSON's bare tokens of
// Python's json.dumps, or repr's nan and inf.
func AppendFloat(b []byte, f float64, repr bool) []byte {
	switch {
	case math.IsNaN(f):
		if repr {
			return append(b, "nan"...)
		}
		return append(b, "NaN"...)
	case math.IsInf(f, 0):
		if f < 0 {
			b = append(b, '-')
		}
		if repr {
			return append(b, "inf"...)
		}
		return append(b, "Infinity"...)
	}
	if a := math.Abs(f); a != 0 && (a < 1e-4 || a >= 1e16) {
		return strconv.AppendFloat(b, f, 'e', -1, 64)
	}
	n := len(b)
	b = strconv.AppendFloat(b, f, 'f', -1, 64)
	if slices.Contains(b[n:], '.') {
		return b
	}
	return append(b, ".0"...)
}
