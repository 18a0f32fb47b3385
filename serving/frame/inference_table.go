package frame

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Content types of V2 requests.
const (
	ContentPandas = "pd"   // each input is a column
	ContentNumpy  = "np"   // the one input is an array
	ContentDict   = "dict" // each input is an array with a name
)

// InferenceContent is the content type that MLServer gives requests for a model by its signature; empty without one.
func InferenceContent(schema *Schema) string {
	switch {
	case schema == nil || len(schema.Fields) == 0:
		return ""
	case !schema.Tensor:
		return ContentPandas
	case schema.Named():
		return ContentDict
	}
	return ContentNumpy
}

// Inference tells how MLServer's metadata describes the i-th field of a signature.
func (field *Field) Inference(i int, prefix string) (name, datatype, contentType string) {
	if name = field.Name; name == "" {
		name = prefix + strconv.Itoa(i)
	}
	switch field.Type {
	case Boolean:
		return name, "BOOL", "np"
	case Integer:
		return name, "INT32", "np"
	case Long:
		return name, "INT64", "np"
	case Float32:
		return name, "FP32", "np"
	case Double:
		return name, "FP64", "np"
	case Text:
		return name, "BYTES", "str"
	case Binary:
		return name, "BYTES", "base64"
	case Datetime:
		return name, "BYTES", "datetime"
	case Tensor:
		datatype = strings.ToUpper(field.DType)
		if rest, ok := strings.CutPrefix(datatype, "FLOAT"); ok {
			datatype = "FP" + rest
		}
		if !isDatatype(datatype) {
			datatype = "BYTES"
		}
		return name, datatype, "np"
	}
	return name, "BYTES", "pd_json"
}

// ContentError is a request whose inputs cannot be read in the way that its content type says.
type ContentError struct{ Message string }

func (e *ContentError) Error() string { return e.Message }

func contentErrorf(format string, args ...any) error {
	return &ContentError{fmt.Sprintf(format, args...)}
}

// BytesError is an input of raw bytes or dates, which no engine here takes.
type BytesError struct{ Input, ContentType string }

func (e *BytesError) Error() string {
	return fmt.Sprintf("Input %s has the content type %s, which is not scored without Python.", PyRepr(e.Input), e.ContentType)
}

// Table brings the inputs into the form that the model gets, checked as strictly as mlflow's predict does in
// Python: the data types must fit the signature's without loss. schema is nil for a model without signature. Errors are
// *ContentError, *BytesError, or *SchemaError with the whole message.
func (r *Inference) Table(schema *Schema) (*Frame, error) {
	content := r.ContentType
	if content == "" {
		content = InferenceContent(schema)
	}
	f := &Frame{}
	switch content {
	case ContentPandas, ContentDict:
		if err := r.columns(f); err != nil {
			return nil, err
		}
	case ContentNumpy:
		if len(r.Inputs) != 1 {
			return nil, contentErrorf("There was an error encoding / decoding the payload: The 'np' codec only supports a single input tensor (%d were received)", len(r.Inputs))
		}
		if err := r.Inputs[0].array(f); err != nil {
			return nil, err
		}
	case "":
		return nil, contentErrorf(`The model has no signature that says how to read the inputs: send the request parameter {"content_type": "pd"} for columns, or "np" for one array.`)
	default:
		return nil, contentErrorf(`The request's content type %s is not supported (supported: pd, np).`, PyRepr(content))
	}
	if schema == nil || len(schema.Fields) == 0 {
		return f, nil
	}
	table, err := r.enforce(f, schema)
	if schemaError, ok := errors.AsType[*SchemaError](err); ok {
		err = &SchemaError{fmt.Sprintf("Failed to enforce schema of data '%s' with schema '%s'. Error: %s", f, schema, schemaError.Message)}
	}
	return table, err
}

// enforce checks a table against a signature.
func (r *Inference) enforce(f *Frame, schema *Schema) (*Frame, error) {
	if schema.Tensor {
		if f.Array && !schema.Named() {
			if dtype, want := r.Inputs[0].dtype(), schema.Fields[0].DType; dtype != want && (!isText(dtype) || !isText(want)) {
				return nil, schemaErrorf("dtype of input %s does not match expected dtype %s", dtype, want)
			}
		} else if err := f.cast(schema); err != nil {
			return nil, &SchemaError{err.Error()}
		}
		return f.enforceTensor(schema)
	}
	out, err := f.enforce(schema)
	if err != nil {
		return nil, err
	}
	for i := range out.Columns {
		c := &out.Columns[i]
		field := &schema.Fields[0]
		for j := range schema.Fields {
			if schema.Named() && schema.Fields[j].Name == c.Name || !schema.Named() && j == i {
				field = &schema.Fields[j]
			}
		}
		dtype := ""
		for j := range r.Inputs {
			if f.Array || r.Inputs[j].Name == c.Name {
				dtype = r.Inputs[j].dtype()
			}
		}
		if err := c.fit(field.Type, dtype); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func isText(dtype string) bool {
	return dtype == "str" || dtype == "object" || strings.HasPrefix(dtype, "<U")
}

// dtype is numpy's name of the input's data type.
func (in *InferenceInput) dtype() string {
	switch d := in.Datatype; {
	case d == "BOOL":
		return "bool"
	case d == "BYTES":
		return "str"
	case strings.HasPrefix(d, "FP"):
		return "float" + d[2:]
	default:
		return strings.ToLower(d)
	}
}

// kind and size are those of a numpy type: f8 for float64.
func kindOf(dtype string) (kind byte, size int) {
	digits := strings.TrimLeft(dtype, "abcdefghijklmnopqrstuvwxyz")
	for _, d := range digits {
		size = size*10 + int(d-'0')
	}
	if dtype == "bool" {
		return 'b', 1
	}
	return dtype[0], size / 8
}

// fit casts a column of a numpy type to a signature's type where MLflow's _enforce_mlflow_datatype does.
func (c *Column) fit(t Type, dtype string) error {
	want := t.numpyName()
	if t == Text {
		if dtype == "str" {
			return nil
		}
		want = "<U0"
	}
	from, to := byte(0), byte(0)
	var size, room int
	if dtype != "str" {
		from, size = kindOf(dtype)
	}
	if t != Text && want != "object" {
		to, room = kindOf(strings.TrimSuffix(want, "[ns]"))
	}
	fits := from == to && size <= room && from != 0 || from == 'u' && to == 'i' && size < room ||
		(from == 'i' || from == 'u') && want == "float64" && size <= 6
	if !fits && dtype == "int64" && to == 'f' {
		fits = true
		for _, v := range c.Ints {
			fits = fits && (v == 0 || v == 1)
		}
	}
	if !fits {
		return schemaErrorf("Incompatible input types for column %s. Can not safely convert %s to %s.", c.Name, dtype, want)
	}
	if err := c.cast(t); err != nil {
		return &SchemaError{err.Error()}
	}
	return nil
}

// columns makes each input a column.
func (r *Inference) columns(f *Frame) error {
	for i := range r.Inputs {
		in := &r.Inputs[i]
		c, err := in.column()
		if err != nil {
			return err
		}
		if in.ContentType != "str" && len(in.Shape) > 0 && product(in.Shape) != in.Shape[0] {
			return contentErrorf("Input %s has the shape %s: an input of content type pd is one column, of shape (N,) or (N, 1).", PyRepr(in.Name), PyTuple(in.Shape))
		}
		if n := c.Len(); i == 0 {
			f.Rows = n
		} else if n != f.Rows {
			return contentErrorf("Input %s has %d values, input %s has %d: all inputs need the same number of rows.", PyRepr(in.Name), n, PyRepr(r.Inputs[0].Name), f.Rows)
		}
		if f.Column(in.Name) != nil {
			return contentErrorf("Input %s comes twice.", PyRepr(in.Name))
		}
		f.Columns = append(f.Columns, *c)
	}
	return nil
}

func product(shape []int) int {
	n := 1
	for _, d := range shape {
		if d < 0 || d > 1<<31 || n > 1<<31 {
			return -1
		}
		n *= d
	}
	return n
}

// column is the input's values, cast to its data type.
func (in *InferenceInput) column() (*Column, error) {
	c := in.values
	c.Name = in.Name
	switch {
	case in.ragged:
		return nil, contentErrorf("Input %s: its lists have different lengths.", PyRepr(in.Name))
	case in.Datatype == "BYTES" && (in.ContentType == "base64" || in.ContentType == "datetime" || in.ContentType == "pd_json"):
		return nil, &BytesError{in.Name, in.ContentType}
	case product(in.Shape) != c.Len():
		return nil, contentErrorf("Input %s: cannot reshape array of size %d into shape %s", PyRepr(in.Name), c.Len(), strings.ReplaceAll(PyTuple(in.Shape), " ", ""))
	}
	if err := c.castDatatype(in.Datatype); err != nil {
		if py, ok := errors.AsType[*pyError](err); ok {
			err = errors.New(py.message)
		}
		return nil, contentErrorf("Input %s is no %s: %v", PyRepr(in.Name), in.Datatype, err)
	}
	return &c, nil
}

// wholes are the ranges of the whole-number types.
var wholes = map[string]struct{ least, most float64 }{
	"UINT8": {0, math.MaxUint8}, "UINT16": {0, math.MaxUint16}, "UINT32": {0, math.MaxUint32}, "UINT64": {0, math.MaxInt64},
	"INT8": {math.MinInt8, math.MaxInt8}, "INT16": {math.MinInt16, math.MaxInt16}, "INT32": {math.MinInt32, math.MaxInt32}, "INT64": {math.MinInt64, math.MaxInt64},
}

// castDatatype is numpy.array(data, dtype).
func (c *Column) castDatatype(datatype string) error {
	switch datatype {
	case "FP64":
		return c.castFloat(false)
	case "FP32":
		return c.castFloat(true)
	case "FP16":
		err := c.castFloat(true)
		for i, v := range c.Floats {
			c.Floats[i] = half(v)
		}
		return err
	case "BOOL":
		return c.castBool()
	case "BYTES":
		for i := range c.Len() {
			switch v := c.At(i).(type) {
			case nil, string:
			default:
				return typeError("%s is no text", PyRepr(v))
			}
		}
		if c.Kind != String { // nothing, or nulls only
			n := c.Len()
			*c = Column{Name: c.Name, Kind: String, Strings: make([]string, n), Null: make([]bool, n)}
			for i := range c.Null {
				c.Null[i] = true
			}
		}
		return nil
	}
	limits := wholes[datatype]
	for i := range c.Len() {
		if f, ok := c.At(i).(float64); ok && (math.Abs(f) >= 1<<63 || math.Trunc(f) < limits.least || math.Trunc(f) > limits.most) {
			return &pyError{"OverflowError", "Python number " + PyRepr(f) + " out of bounds for " + strings.ToLower(datatype)}
		}
	}
	if err := c.castInt(false); err != nil {
		return err
	}
	for _, v := range c.Ints {
		if float64(v) < limits.least || float64(v) > limits.most {
			return &pyError{"OverflowError", fmt.Sprintf("Python integer %d out of bounds for %s", v, strings.ToLower(datatype))}
		}
	}
	return nil
}

// half rounds to float16, to even.
func half(v float64) float64 {
	a := math.Abs(v)
	switch {
	case math.IsNaN(v) || a == 0 || math.IsInf(v, 0):
		return v
	case a >= 65520:
		return math.Copysign(math.Inf(1), v)
	}
	_, exp := math.Frexp(a)
	unit := math.Ldexp(1, max(exp, -13)-11)
	return math.RoundToEven(v/unit) * unit
}

// array makes the input an array of one or two dimensions.
func (in *InferenceInput) array(f *Frame) error {
	if len(in.Shape) < 1 || len(in.Shape) > 2 {
		return contentErrorf("Input %s has the shape %s: arrays of one or two dimensions are scored.", PyRepr(in.Name), PyTuple(in.Shape))
	}
	c, err := in.column()
	if err != nil {
		return err
	}
	width := 1
	if len(in.Shape) == 2 {
		width = in.Shape[1]
	}
	f.Array, f.Rows = true, in.Shape[0]
	if width == 0 || f.Rows == 0 {
		f.Rows = 0
		return nil
	}
	f.Columns = make([]Column, width)
	for j := range f.Columns {
		part := &f.Columns[j]
		part.Name, part.Positional, part.Kind = fmt.Sprint(j), true, c.Kind
		switch c.Kind {
		case Int:
			part.Ints = strided(c.Ints, j, width)
		case Float:
			part.Floats = strided(c.Floats, j, width)
		case Bool:
			part.Bools = strided(c.Bools, j, width)
		default:
			part.Strings = strided(c.Strings, j, width)
			if c.Null != nil {
				part.Null = strided(c.Null, j, width)
			}
		}
	}
	return nil
}

func strided[T any](all []T, from, step int) []T {
	out := make([]T, 0, len(all)/step)
	for i := from; i < len(all); i += step {
		out = append(out, all[i])
	}
	return out
}
