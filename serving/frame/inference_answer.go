package frame

import (
	"errors"
	"math"
	"slices"
	"strconv"
	"unicode/utf8"
)

// AppendInference appends the answer of a V2 request as MLServer gives it: {"model_name":…,"outputs":[…]}. A numpy array is the one output
// "output-1", a DataFrame has an output for each column, a dictionary one for each array. outputs, which may be nil, is the
// signature's; it tells 32-bit types from 64-bit ones.
func (r *Result) AppendInference(b []byte, model, version, id string, outputs *Schema) ([]byte, error) {
	b = appendText(append(b, `{"model_name":`...), model)
	b = appendText(append(b, `,"model_version":`...), version)
	b = appendText(append(b, `,"id":`...), id)
	switch {
	case r.Values != nil:
		list, ok := (*r.Values).([]any)
		if !ok {
			return nil, errors.New("the model's answer is no list of rows, which the V2 protocol has no form for")
		}
		columns, ok := ColumnsOf(list)
		if !ok {
			return nil, errors.New("the rows of the model's answer have different shapes, which the V2 protocol has no form for")
		}
		if len(list) > 0 {
			if _, named := list[0].(Members); named {
				return appendColumns(b, columns, outputs), nil
			}
		}
		array := Result{Width: len(columns)}
		if len(list) > 0 {
			if _, rows := list[0].([]any); !rows {
				array.Width = 0
			}
		}
		if err := array.fill(columns, len(list)); err != nil {
			return nil, err
		}
		return array.appendOne(b, outputs), nil
	case r.Outputs != nil && r.Records:
		columns := make([]Column, len(r.Outputs))
		for i := range r.Outputs {
			columns[i] = r.Outputs[i].column()
		}
		return appendColumns(b, columns, outputs), nil
	case r.Outputs != nil:
		b = append(b, `,"parameters":{"content_type":"dict"},"outputs":[`...)
		for i := range r.Outputs {
			o := &r.Outputs[i]
			if o.Keys != nil {
				return nil, errors.New("output " + PyRepr(o.Name) + " is a list of dictionaries, which the V2 protocol has no form for")
			}
			if i > 0 {
				b = append(b, ',')
			}
			b = o.Values.appendOutput(b, o.Name, o.Shape, "np", outputs)
		}
		return append(b, "]}"...), nil
	}
	return r.appendOne(b, outputs), nil
}

// appendOne is the answer with a single array.
func (r *Result) appendOne(b []byte, outputs *Schema) []byte {
	b = append(b, `,"parameters":{"content_type":"np"},"outputs":[`...)
	shape := []int{r.Len()}
	if r.Width > 0 {
		shape = []int{r.Len() / r.Width, r.Width}
	}
	return append(r.appendOutput(b, "output-1", shape, "np", outputs), "]}"...)
}

func appendColumns(b []byte, columns []Column, outputs *Schema) []byte {
	b = append(b, `,"parameters":{"content_type":"pd"},"outputs":[`...)
	for i := range columns {
		if i > 0 {
			b = append(b, ',')
		}
		c := &columns[i]
		values, content := Result{Kind: c.Kind, Floats: c.Floats, Ints: c.Ints, Bools: c.Bools, Strings: c.Strings}, ""
		switch {
		case c.Kind == Empty:
			values.Kind = Float
		case c.Kind == String && c.Null == nil:
			content = "str"
		case c.Kind == String || c.Kind == Object:
			// pandas' columns of mixed values go as the JSON of each.
			content = "pd_json"
			values.Kind, values.Strings = String, make([]string, c.Len())
			for i := range values.Strings {
				values.Strings[i] = string(appendAny(nil, c.At(i), ",", ":"))
			}
		}
		b = values.appendOutput(b, c.Name, []int{c.Len()}, content, outputs)
	}
	return append(b, "]}"...)
}

// column is the output as a column of a DataFrame.
func (o *Output) column() Column {
	v := &o.Values
	c := Column{Name: o.Name, Kind: v.Kind, Floats: v.Floats, Ints: v.Ints, Bools: v.Bools, Strings: v.Strings}
	if o.Keys == nil {
		return c
	}
	c = Column{Name: o.Name, Kind: Object, Objects: make([]any, o.items())}
	for i := range c.Objects {
		m := make(Members, len(o.Keys))
		for k, key := range o.Keys {
			m[k] = Member{key, v.at(i*len(o.Keys) + k)}
		}
		c.Objects[i] = m
	}
	return c
}

func (r *Result) at(i int) any {
	switch r.Kind {
	case Float:
		return r.Floats[i]
	case Int:
		return r.Ints[i]
	case Bool:
		return r.Bools[i]
	}
	return r.Strings[i]
}

// fill takes the values of n rows, row after row, as numpy joins them.
func (r *Result) fill(columns []Column, n int) error {
	var all Column
	for i := range n {
		for j := range columns {
			all.append(columns[j].At(i))
		}
	}
	switch all.Kind {
	case Empty:
		all.Kind = Float
	case Object:
		return errors.New("the model's answer mixes types, which the V2 protocol has no form for")
	}
	r.Kind, r.Floats, r.Ints, r.Bools, r.Strings = all.Kind, all.Floats, all.Ints, all.Bools, all.Strings
	return nil
}

// datatype is the V2 type of an output; the signature, where it agrees, tells how wide it is.
func (r *Result) datatype(name string, outputs *Schema) string {
	var declared string
	if outputs != nil {
		for i := range outputs.Fields {
			if f := &outputs.Fields[i]; f.Name == name || len(outputs.Fields) == 1 {
				if declared = f.DType; declared == "" {
					declared = f.Type.numpyName()
				}
			}
		}
	}
	switch r.Kind {
	case Float, Empty:
		if declared == "float32" {
			return "FP32"
		}
		return "FP64"
	case Int:
		if declared == "int32" {
			return "INT32"
		}
		return "INT64"
	case Bool:
		return "BOOL"
	}
	return "BYTES"
}

func (r *Result) appendOutput(b []byte, name string, shape []int, content string, outputs *Schema) []byte {
	b = append(appendText(append(b, `{"name":`...), name), `,"shape":[`...)
	if len(shape) == 1 {
		shape = append(slices.Clip(shape), 1)
	}
	for i, n := range shape {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, int64(n), 10)
	}
	b = append(b, `],"datatype":"`...)
	b = append(append(b, r.datatype(name, outputs)...), '"')
	if content != "" {
		b = append(append(append(b, `,"parameters":{"content_type":"`...), content...), `"}`...)
	}
	b = append(b, `,"data":[`...)
	for i := range r.Len() {
		if i > 0 {
			b = append(b, ',')
		}
		switch r.Kind {
		case Float, Empty:
			b = appendJSONFloat(b, r.Floats[i])
		case String:
			b = appendText(b, r.Strings[i])
		default:
			b = r.appendValue(b, i)
		}
	}
	return append(b, "]}"...)
}

// appendJSONFloat appends a float in strict JSON: what is no number is null.
func appendJSONFloat(b []byte, f float64) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return append(b, "null"...)
	}
	return AppendFloat(b, f, false)
}

// appendText writes JSON text in UTF-8.
func appendText(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r == '\n':
			b = append(b, '\\', 'n')
		case r == '\r':
			b = append(b, '\\', 'r')
		case r == '\t':
			b = append(b, '\\', 't')
		case r < 0x20:
			b = append(b, '\\', 'u', '0', '0', hex[r>>4], hex[r&15])
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return append(b, '"')
}

// AppendSplit appends the request in MLflow's own protocol, for what takes only that: columns as dataframe_split, an array as inputs.
func (r *Inference) AppendSplit(b []byte, schema *Schema) ([]byte, error) {
	content := r.ContentType
	if content == "" {
		content = InferenceContent(schema)
	}
	if content == ContentNumpy {
		f := &Frame{}
		if len(r.Inputs) != 1 {
			_, err := r.Table(nil)
			return nil, err
		}
		if err := r.Inputs[0].array(f); err != nil {
			return nil, err
		}
		b = appendRows(append(b, `{"inputs":`...), f, len(r.Inputs[0].Shape) == 1)
		return r.appendParams(b), nil
	}
	if content == ContentDict {
		b = append(b, `{"inputs":{`...)
		for i := range r.Inputs {
			in := &r.Inputs[i]
			if i > 0 {
				b = append(b, ',')
			}
			c, err := in.column()
			if err != nil {
				return nil, err
			}
			b, _ = appendNested(append(appendText(b, in.Name), ':'), c, in.Shape, 0)
		}
		return r.appendParams(append(b, '}')), nil
	}
	f := &Frame{}
	plain := *r
	plain.Inputs = slices.Clone(r.Inputs)
	for i := range plain.Inputs { // texts of bytes and dates are texts there too
		if plain.Inputs[i].Datatype == "BYTES" {
			plain.Inputs[i].ContentType = "str"
		}
	}
	if err := plain.columns(f); err != nil {
		return nil, err
	}
	b = append(b, `{"dataframe_split":{"columns":[`...)
	for i := range f.Columns {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendText(b, f.Columns[i].Name)
	}
	b = append(appendRows(append(b, `],"data":`...), f, false), '}')
	return r.appendParams(b), nil
}

func (r *Inference) appendParams(b []byte) []byte {
	if len(r.Params) > 0 {
		b = appendAny(append(b, `,"params":`...), r.Params, ",", ":")
	}
	return append(b, '}')
}

func appendRows(b []byte, f *Frame, flat bool) []byte {
	b = append(b, '[')
	for i := range f.Rows {
		if i > 0 {
			b = append(b, ',')
		}
		if !flat {
			b = append(b, '[')
		}
		for j := range f.Columns {
			if j > 0 {
				b = append(b, ',')
			}
			b = appendAny(b, f.Columns[j].At(i), ",", ":")
		}
		if !flat {
			b = append(b, ']')
		}
	}
	return append(b, ']')
}

// appendNested appends a column in the shape of an array and returns the place behind what it took.
func appendNested(b []byte, c *Column, shape []int, at int) ([]byte, int) {
	if len(shape) == 0 {
		return appendAny(b, c.At(at), ",", ":"), at + 1
	}
	b = append(b, '[')
	for i := range shape[0] {
		if i > 0 {
			b = append(b, ',')
		}
		b, at = appendNested(b, c, shape[1:], at)
	}
	return append(b, ']'), at
}
