package frame

import (
	"errors"
	"strings"
)

// convert turns the value of inputs or instances into a table, as MLflow's parse_tf_serving_input and
// the DataFrame construction of _enforce_schema do together.
func (r *Request) convert(schema *Schema) (*Frame, error) {
	if r.Frame != nil {
		return r.convertRows(schema)
	}
	switch v := r.Value.(type) {
	case Members:
		return r.convertColumns(v, schema)
	case []any:
		if len(v) == 0 {
			return &Frame{Array: true}, nil
		}
		if _, ok := v[0].(Members); ok {
			return r.convertRecords(v, schema)
		}
		return convertList(v, schema)
	default:
		f, err := convertList([]any{v}, schema)
		if _, ok := errors.AsType[*InputError](err); ok {
			one := Schema{Fields: schema.Fields[:1]}
			return nil, badInput("Failed to convert data `%s` to type `%s` defined in the model signature.", displayCell(v), strings.Trim(one.String(), "[]"))
		}
		if err == nil {
			r.Value = f.Columns[0].At(0)
		}
		return f, err
	}
}

func notArray(kind string) error {
	return badInput("Failed to parse input data. This model contains an un-named  model signature which expects a single n-dimensional array or a single value as input, however, an input of type <class '%s'> was found.", kind)
}

// castColumn converts a column as numpy.array(data, type) does.
func (field *Field) castColumn(c *Column) error {
	var err error
	switch field.Type {
	case Tensor:
		err = c.castTensor(field.DType)
	case arrayType, objectType, mapType, anyType, vectorType:
		err = field.castNested(c)
	case Text:
		return c.stringify()
	case Integer:
		err = c.castInt(false)
		if err == nil {
			for _, v := range c.Ints {
				if v != int64(int32(v)) {
					err = valueError("Python integer %d out of bounds for int32", v)
					break
				}
			}
		}
	default:
		err = c.cast(field.Type)
	}
	if py, ok := errors.AsType[*pyError](err); ok {
		return badInput("%s", py.message)
	}
	if _, ok := errors.AsType[*SchemaError](err); ok {
		return err
	}
	if err != nil {
		return badInput("%v", err)
	}
	return nil
}

// stringify is numpy's conversion to text: a null becomes "None".
func (c *Column) stringify() error {
	if c.Kind == String && c.Null == nil {
		return nil
	}
	out := make([]string, c.Len())
	for i := range out {
		if s, ok := c.At(i).(string); ok {
			out[i] = s
			continue
		}
		out[i] = PyRepr(c.At(i))
	}
	*c = Column{Name: c.Name, Positional: c.Positional, Kind: String, Strings: out}
	return nil
}

// convertRows handles a list of rows: numpy gives all cells the first field's type.
func (r *Request) convertRows(schema *Schema) (*Frame, error) {
	f := r.Frame
	if schema == nil || len(schema.Fields) == 0 {
		return f, f.unify()
	}
	if schema.Named() && len(schema.Fields) == 1 && !schema.Tensor && len(f.Columns) != 1 {
		return nil, schemaErrorf("Incompatible input types for column %s. Can not safely convert object to %s.", schema.Fields[0].Name, schema.Fields[0].Type.numpyName())
	}
	for i := range f.Columns {
		if err := schema.Fields[0].castColumn(&f.Columns[i]); err != nil {
			return nil, err
		}
	}
	if schema.Named() && len(schema.Fields) == 1 {
		f.Columns[0].Name, f.Columns[0].Positional = schema.Fields[0].Name, false
		return f, nil
	}
	return f, nil
}

// unify gives the columns of one array one type, as numpy.array does: text when there is any.
func (f *Frame) unify() error {
	text, number := false, false
	for i := range f.Columns {
		switch f.Columns[i].Kind {
		case String, Object:
			text = true
		default:
			number = true
		}
	}
	if !text || !number {
		return nil
	}
	for i := range f.Columns {
		if err := f.Columns[i].stringify(); err != nil {
			return err
		}
	}
	return nil
}

// convertColumns handles {"a": [1, 2], "b": [3, 4]} and {"a": 1, "b": 3}.
func (r *Request) convertColumns(m Members, schema *Schema) (*Frame, error) {
	if schema != nil && len(schema.Fields) > 0 && !schema.Named() {
		return nil, notArray("dict")
	}
	f := &Frame{}
	single := schema.oneRow()
	for _, member := range m {
		if f.Column(member.Key) != nil { // a repeated key: its last value counts
			continue
		}
		v, _ := m.Get(member.Key)
		c := Column{Name: member.Key}
		items, ok := v.([]any)
		kind := schema.nestedType(member.Key)
		if !ok || single && kind != nil {
			items = []any{v}
		}
		for _, item := range items {
			if kind != nil {
				c.append(item)
				continue
			}
			if inner, ok := item.([]any); ok && len(inner) == 1 { // [[1], [2]]: shape (n, 1)
				item = inner[0]
			}
			switch item.(type) {
			case []any, Members:
				return nil, schemaErrorf("Incompatible input types for column %s. Can not safely convert object to float64.", member.Key)
			}
			c.append(item)
		}
		if schema != nil {
			for j := range schema.Fields {
				if schema.Fields[j].Name == c.Name {
					if err := schema.Fields[j].castColumn(&c); err != nil {
						return nil, err
					}
				}
			}
		}
		f.Columns = append(f.Columns, c)
	}
	r.converted = f
	for i := range f.Columns {
		n := f.Columns[i].Len()
		if i == 0 {
			f.Rows = n
		} else if n != f.Rows {
			return nil, schemaErrorf("This model contains a column-based signature, which suggests a DataFrame input. There was an error casting the input data to a DataFrame: All arrays must be of the same length")
		}
	}
	return f, nil
}

// convertRecords handles [{"a": 1}, {"a": 2}].
func (r *Request) convertRecords(list []any, schema *Schema) (*Frame, error) {
	if schema != nil && len(schema.Fields) > 0 && !schema.Named() {
		return nil, notArray("list")
	}
	f := &Frame{}
	places := map[string]int{}
	for i, item := range list {
		record, ok := item.(Members)
		if !ok {
			return nil, badInput("Ensure that the input is a valid JSON-formatted string.\nError: the list mixes dictionaries and values of type %s", pyType(item))
		}
		for _, m := range record {
			place, ok := places[m.Key]
			if !ok {
				if i > 0 && r.Format == Instances {
					return nil, badInput("The length of values for each input/column name are not the same")
				}
				if err := f.addColumn(i); err != nil {
					return nil, err
				}
				place = len(f.Columns) - 1
				places[m.Key] = place
				f.Columns[place].Name, f.Columns[place].Positional = m.Key, false
			}
			c := &f.Columns[place]
			if c.Len() > i {
				return nil, badInput("Ensure that the input is a valid JSON-formatted string.\nError: the key %s appears twice in a record", PyRepr(m.Key))
			}
			c.append(m.Value)
		}
		f.Rows++
		for j := range f.Columns {
			if f.Columns[j].Len() == f.Rows {
				continue
			}
			if r.Format == Instances {
				return nil, badInput("The length of values for each input/column name are not the same")
			}
			if err := f.fill(&f.Columns[j], 1); err != nil {
				return nil, err
			}
		}
	}
	if schema != nil {
		for i := range schema.Fields {
			if c := f.Column(schema.Fields[i].Name); c != nil {
				if err := schema.Fields[i].castColumn(c); err != nil {
					return nil, err
				}
			}
		}
	}
	return f, nil
}

// convertList handles a list of scalars (one column) and refuses deeper or uneven lists, which no engine
// here takes.
func convertList(list []any, schema *Schema) (*Frame, error) {
	f := &Frame{Array: true, scalars: true, Rows: len(list), Columns: []Column{{Name: "0", Positional: true}}}
	c := &f.Columns[0]
	shape := []int{len(list)}
	for _, item := range list {
		if _, ok := item.([]any); ok {
			if shape = depth(list); shape == nil {
				return nil, badInput("setting an array element with a sequence. The requested array has an inhomogeneous shape after 1 dimensions. The detected shape was (%d,) + inhomogeneous part.", len(list))
			}
			break
		}
		if _, ok := item.(Members); ok {
			return nil, badInput("Ensure that the input is a valid JSON-formatted string.\nError: the list mixes dictionaries and values")
		}
		c.append(item)
	}
	if len(shape) > 1 {
		if schema != nil && len(schema.Fields) > 0 && schema.Tensor {
			return nil, schemaErrorf("Shape of input %s does not match expected shape %s.", PyTuple(shape), PyTuple(schema.Fields[0].Shape))
		}
		return nil, schemaErrorf("Expected 2D array, got an array of shape %s instead.", PyTuple(shape))
	}
	if schema == nil || len(schema.Fields) == 0 {
		return f, nil
	}
	if schema.Tensor && !schema.Named() {
		if spec := schema.Fields[0].Shape; len(spec) == 1 && (spec[0] == -1 || spec[0] == len(list)) {
			return f, nil
		}
		return nil, schemaErrorf("Shape of input %s does not match expected shape %s.", PyTuple(shape), PyTuple(schema.Fields[0].Shape))
	}
	if err := schema.Fields[0].castColumn(c); err != nil {
		return nil, err
	}
	f.Array = false
	if schema.Named() && len(schema.Fields) == 1 {
		c.Name, c.Positional = schema.Fields[0].Name, false
	}
	return f, nil
}

// depth is the shape of nested lists, nil when they are uneven.
func depth(list []any) []int {
	shape := []int{len(list)}
	if len(list) == 0 {
		return shape
	}
	var inner []int
	for i, item := range list {
		sub, ok := item.([]any)
		var s []int
		if ok {
			if s = depth(sub); s == nil {
				return nil
			}
		}
		if i == 0 {
			inner = s
			continue
		}
		if len(s) != len(inner) {
			return nil
		}
		for d := range s {
			if s[d] != inner[d] {
				return nil
			}
		}
	}
	return append(shape, inner...)
}
