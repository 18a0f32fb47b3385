package frame

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// cast brings the columns of a DataFrame to the signature's types, as MLflow's
// cast_df_types_according_to_schema does with pandas' astype. Columns that the signature does not name
// keep their inferred types.
func (f *Frame) cast(schema *Schema) error {
	for i, field := range schema.Fields {
		var c *Column
		switch {
		case schema.Named():
			if i < len(f.Columns) && f.Columns[i].Name == field.Name && !f.Columns[i].Positional {
				c = &f.Columns[i]
			} else {
				c = f.Column(field.Name)
			}
		case schema.Tensor:
			for j := range f.Columns {
				if err := f.Columns[j].castTensor(field.DType); err != nil {
					return conversionError(&f.Columns[j], field.DType, err)
				}
			}
			return nil
		case i < len(f.Columns):
			c = &f.Columns[i]
		}
		if c == nil {
			continue
		}
		var err error
		kind := field.Type.numpyName()
		switch {
		case field.Type == Tensor:
			kind = field.DType
			err = c.castTensor(field.DType)
		case field.nested != nil:
			kind = field.nested.String()
			err = field.checkNested(c)
		default:
			err = c.cast(field.Type)
		}
		if err != nil {
			return conversionError(c, kind, err)
		}
	}
	return nil
}

// conversionError is MlflowFailedTypeConversion.
func conversionError(c *Column, kind string, err error) error {
	return badInput("Data is not compatible with model signature. Failed to convert column %s to type '%s'. Error: '%v'", c.Name, kind, err)
}

// pyError is a Python exception; it prints as repr(exception) does.
type pyError struct{ kind, message string }

func (e *pyError) Error() string { return e.kind + "(" + PyRepr(e.message) + ")" }

func valueError(format string, args ...any) error {
	return &pyError{"ValueError", fmt.Sprintf(format, args...)}
}

func typeError(format string, args ...any) error {
	return &pyError{"TypeError", fmt.Sprintf(format, args...)}
}

// castTensor casts to a tensor's element type.
func (c *Column) castTensor(dtype string) error {
	switch dtype {
	case "float64", "float16":
		return c.cast(Double)
	case "float32":
		return c.cast(Float32)
	case "int64", "uint64", "uint32":
		return c.cast(Long)
	case "int32", "int16", "int8", "uint8", "uint16":
		return c.cast(Integer)
	case "bool":
		return c.cast(Boolean)
	case "object", "str":
		return nil
	}
	return fmt.Errorf("tensor type %s is not supported", dtype)
}

func (c *Column) cast(t Type) error {
	switch t {
	case Double:
		return c.castFloat(false)
	case Float32:
		return c.castFloat(true)
	case Integer:
		return c.castInt(true)
	case Long:
		return c.castInt(false)
	case Boolean:
		return c.castBool()
	case Binary:
		return c.castBinary()
	case Datetime:
		return c.castDatetime()
	}
	return nil // strings stay what they are, so do nested types
}

func (c *Column) castFloat(single bool) error {
	switch c.Kind {
	case Float, Empty:
		c.Kind = Float
	case Int:
		c.toFloat()
	default:
		out := make([]float64, c.Len())
		for i := range out {
			v, err := pyFloat(c.At(i))
			if err != nil {
				return err
			}
			out[i] = v
		}
		*c = Column{Name: c.Name, Positional: c.Positional, Kind: Float, Floats: out}
	}
	if single {
		for i, v := range c.Floats {
			c.Floats[i] = float64(float32(v))
		}
	}
	return nil
}

func pyFloat(v any) (float64, error) {
	switch v := v.(type) {
	case nil:
		return math.NaN(), nil
	case bool:
		if v {
			return 1, nil
		}
		return 0, nil
	case int64:
		return float64(v), nil
	case float64:
		return v, nil
	case string:
		if f, ok := ParsePyFloat(v); ok {
			return f, nil
		}
		return 0, valueError("could not convert string to float: %s", PyRepr(v))
	}
	return 0, typeError("float() argument must be a string or a real number, not '%s'", pyType(v))
}

// ParsePyFloat reads a number as Python's float() does: blanks around it, underscores between digits,
// nan, inf and infinity in any case; no hexadecimal.
func ParsePyFloat(s string) (float64, bool) {
	s = strings.TrimSpace(s)
	if strings.ContainsAny(s, "xXpP") {
		return 0, false
	}
	if strings.Contains(s, "_") {
		for i := range len(s) {
			if s[i] == '_' && (i == 0 || i == len(s)-1 || s[i-1]-'0' > 9 || s[i+1]-'0' > 9) {
				return 0, false
			}
		}
		s = strings.ReplaceAll(s, "_", "")
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0, false
	}
	return f, true
}

func (c *Column) castInt(narrow bool) error {
	out := make([]int64, c.Len())
	for i := range out {
		v := c.At(i)
		if c.Kind == Float {
			f := c.Floats[i]
			if math.IsNaN(f) || math.IsInf(f, 0) {
				return &pyError{"IntCastingNaNError", "Cannot convert non-finite values (NA or inf) to integer. Replace or remove non-finite values or cast to an integer type that supports these values (e.g. 'Int64')"}
			}
			out[i] = int64(f)
		} else {
			n, err := pyInt(v)
			if err != nil {
				return err
			}
			out[i] = n
		}
		if narrow {
			out[i] = int64(int32(out[i])) // pandas wraps silently
		}
	}
	*c = Column{Name: c.Name, Positional: c.Positional, Kind: Int, Ints: out}
	return nil
}

func pyInt(v any) (int64, error) {
	switch v := v.(type) {
	case bool:
		if v {
			return 1, nil
		}
		return 0, nil
	case int64:
		return v, nil
	case float64:
		if math.IsNaN(v) {
			return 0, valueError("cannot convert float NaN to integer")
		}
		if math.IsInf(v, 0) || math.Abs(v) >= 1<<63 {
			return 0, &pyError{"OverflowError", "Python int too large to convert to C long"}
		}
		return int64(v), nil
	case string:
		n, err := strconv.ParseInt(strings.TrimSpace(v), 10, 64)
		if err != nil {
			return 0, valueError("invalid literal for int() with base 10: %s", PyRepr(v))
		}
		return n, nil
	}
	return 0, typeError("int() argument must be a string, a bytes-like object or a real number, not '%s'", pyType(v))
}

func (c *Column) castBool() error {
	if c.Kind == Bool {
		return nil
	}
	out := make([]bool, c.Len())
	for i := range out {
		switch v := c.At(i).(type) {
		case nil:
			out[i] = c.Kind == Float
		case bool:
			out[i] = v
		case int64:
			out[i] = v != 0
		case float64:
			out[i] = v != 0
		case string:
			out[i] = v != ""
		default:
			out[i] = true
		}
	}
	*c = Column{Name: c.Name, Positional: c.Positional, Kind: Bool, Bools: out}
	return nil
}

func (c *Column) castBinary() error {
	for i := range c.Len() {
		text, ok := c.At(i).(string)
		if !ok {
			return typeError("encoding without a string argument")
		}
		decoded, err := decodeBase64(text)
		if err != nil {
			return err
		}
		c.Strings[i] = decoded
	}
	return nil
}

// decodeBase64 drops what is no base64, as Python's decodebytes does.
func decodeBase64(s string) (string, error) {
	keep := func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '+' || r == '/' {
			return r
		}
		return -1
	}
	s = strings.Map(keep, s)
	if len(s)%4 == 1 {
		return "", &pyError{"Error", "Incorrect padding"}
	}
	b, err := base64.RawStdEncoding.DecodeString(s)
	if err != nil {
		return "", &pyError{"Error", "Incorrect padding"}
	}
	return string(b), nil
}

var isoForms = []string{"2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", "2006-01-02"}

// castDatetime turns ISO text into nanoseconds since 1970.
func (c *Column) castDatetime() error {
	out := make([]int64, c.Len())
	for i := range out {
		switch v := c.At(i).(type) {
		case int64:
			out[i] = v
		case string:
			parsed := false
			for _, form := range isoForms {
				if t, err := time.Parse(form, v); err == nil {
					out[i], parsed = t.UnixNano(), true
					break
				}
			}
			if !parsed {
				if _, err := time.Parse(time.RFC3339, v); err == nil {
					return errors.New("Please ensure that the input data of datetime column only contains timezone-naive datetime objects.") //nolint:staticcheck // MLflow's words
				}
				return valueError("%s is no ISO date and time", PyRepr(v))
			}
		default:
			return typeError("<class '%s'> is not convertible to datetime", pyType(v))
		}
	}
	*c = Column{Name: c.Name, Positional: c.Positional, Kind: Int, Ints: out}
	return nil
}
