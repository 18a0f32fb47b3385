package frame

import "strconv"

// Output is one named output of a model that answers with several, or with a DataFrame.
type Output struct {
	Name string
	// Shape of an array in row order, or the number of maps.
	Shape []int
	// Values holds the array flat, or the maps' values, map after map in the order of Keys.
	Values Result
	// Keys makes the output a list of maps; nil for an array.
	Keys []string
}

// items is the number of rows that the output gives a DataFrame, flattened.
func (o *Output) items() int {
	if o.Keys != nil {
		return o.Values.Len() / len(o.Keys)
	}
	return o.Values.Len()
}

// appendNamed appends outputs as JSON: with records a list of one object per row, else an object of arrays. All outputs of records have the
// same number of items. comma and colon are what stands between.
func appendNamed(b []byte, outputs []Output, records bool, comma, colon string) []byte {
	if !records {
		b = append(b, '{')
		for i := range outputs {
			if i > 0 {
				b = append(b, comma...)
			}
			b = append(appendString(b, outputs[i].Name), colon...)
			b, _ = outputs[i].appendArray(b, outputs[i].Shape, 0, comma, colon)
		}
		return append(b, '}')
	}
	b = append(b, '[')
	for row := range outputs[0].items() {
		if row > 0 {
			b = append(b, comma...)
		}
		b = append(b, '{')
		for i := range outputs {
			if i > 0 {
				b = append(b, comma...)
			}
			b = append(appendString(b, outputs[i].Name), colon...)
			b = outputs[i].appendItem(b, row, comma, colon)
		}
		b = append(b, '}')
	}
	return append(b, ']')
}

// appendArray appends nested lists and returns the place behind what it took.
func (o *Output) appendArray(b []byte, shape []int, at int, comma, colon string) ([]byte, int) {
	if len(shape) == 0 {
		return o.appendItem(b, at, comma, colon), at + 1
	}
	b = append(b, '[')
	for i := range shape[0] {
		if i > 0 {
			b = append(b, comma...)
		}
		b, at = o.appendArray(b, shape[1:], at, comma, colon)
	}
	return append(b, ']'), at
}

func (o *Output) appendItem(b []byte, i int, comma, colon string) []byte {
	if o.Keys == nil {
		return o.Values.appendValue(b, i)
	}
	b = append(b, '{')
	for k, key := range o.Keys {
		if k > 0 {
			b = append(b, comma...)
		}
		b = append(appendString(b, key), colon...)
		b = o.Values.appendValue(b, i*len(o.Keys)+k)
	}
	return append(b, '}')
}

func (r *Result) appendValue(b []byte, i int) []byte {
	switch r.Kind {
	case Float:
		return AppendFloat(b, r.Floats[i], false)
	case Int:
		return strconv.AppendInt(b, r.Ints[i], 10)
	case Bool:
		return strconv.AppendBool(b, r.Bools[i])
	}
	return appendString(b, r.Strings[i])
}
