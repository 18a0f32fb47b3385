package frame

import "unicode/utf8"

// Result is a prediction: a numpy array of one or two dimensions. Exactly one of the slices is used, told
// by Kind (Float, Int, Bool or String).
type Result struct {
	Kind Kind
	// Width is the columns of a two-dimensional array in row order; 0 for one dimension.
	Width   int
	Floats  []float64
	Ints    []int64
	Bools   []bool
	Strings []string

	// Outputs, when not nil, is what the model answers instead of one array: a DataFrame with these columns if Records, else a dictionary of arrays.
	Outputs []Output
	Records bool

	// Values, when not nil, is what the model answers instead: any JSON value as [DecodeValue] gives it, such as a list of rows.
	Values *any
}

// Len is the number of single values.
func (r *Result) Len() int {
	if r.Values != nil {
		list, _ := (*r.Values).([]any)
		return len(list)
	}
	if r.Outputs != nil {
		n := 0
		for i := range r.Outputs {
			n += r.Outputs[i].Values.Len()
		}
		return n
	}
	switch r.Kind {
	case Float:
		return len(r.Floats)
	case Int:
		return len(r.Ints)
	case Bool:
		return len(r.Bools)
	}
	return len(r.Strings)
}

// AppendJSON appends the answer of a scoring request: MLflow 2.x's and 3.x's {"predictions": [1.0, 2.0]}
// with Python's blanks, or with legacy the bare array of 1.x without blanks, as Prinz's environment
// answered.
func (r *Result) AppendJSON(b []byte, legacy bool) []byte {
	comma := ", "
	if legacy {
		comma = ","
	} else {
		b = append(b, `{"predictions": `...)
	}
	if r.Outputs != nil || r.Values != nil {
		colon := ": "
		if legacy {
			colon = ":"
		}
		if r.Values != nil {
			b = appendAny(b, *r.Values, comma, colon)
		} else {
			b = appendNamed(b, r.Outputs, r.Records, comma, colon)
		}
		if !legacy {
			b = append(b, '}')
		}
		return b
	}
	b = append(b, '[')
	n := r.Len()
	for i := range n {
		if i > 0 {
			b = append(b, comma...)
		}
		if r.Width > 0 && i%r.Width == 0 {
			b = append(b, '[')
		}
		b = r.appendValue(b, i)
		if r.Width > 0 && i%r.Width == r.Width-1 {
			b = append(b, ']')
		}
	}
	b = append(b, ']')
	if !legacy {
		b = append(b, '}')
	}
	return b
}

// appendString writes JSON text in ASCII, as Python's json.dumps does.
func appendString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	escape := func(u uint16) {
		b = append(b, '\\', 'u', hex[u>>12], hex[u>>8&15], hex[u>>4&15], hex[u&15])
	}
	b = append(b, '"')
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		i += n
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r == '\n':
			b = append(b, '\\', 'n')
		case r == '\r':
			b = append(b, '\\', 'r')
		case r == '\t':
			b = append(b, '\\', 't')
		case r == '\b':
			b = append(b, '\\', 'b')
		case r == '\f':
			b = append(b, '\\', 'f')
		case r >= 0x20 && r < 0x7f:
			b = append(b, byte(r))
		case r > 0xffff:
			r -= 0x10000
			escape(uint16(0xd800 + r>>10))
			escape(uint16(0xdc00 + r&0x3ff))
		default:
			escape(uint16(r))
		}
	}
	return append(b, '"')
}
