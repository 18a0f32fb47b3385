package frame

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Type is a column type of a model signature.
type Type string

// The scalar types of MLflow's signatures.
const (
	Boolean  Type = "boolean"
	Integer  Type = "integer"
	Long     Type = "long"
	Float32  Type = "float"
	Double   Type = "double"
	Text     Type = "string"
	Binary   Type = "binary"
	Datetime Type = "datetime"
	Tensor   Type = "tensor"
)

// numpyName is the pandas type that MLflow casts a column to, for messages.
func (t Type) numpyName() string {
	switch t {
	case Boolean:
		return "bool"
	case Integer:
		return "int32"
	case Long:
		return "int64"
	case Float32:
		return "float32"
	case Double:
		return "float64"
	case Datetime:
		return "datetime64[ns]"
	}
	return "object"
}

// Field is one input or output of a signature.
type Field struct {
	// Name is empty for an unnamed column.
	Name string `json:"name,omitempty"`
	// Type is "tensor" for tensors, and one of array, object, map, any, sparkml_vector for nested columns.
	Type Type `json:"type"`
	// Required is true unless the signature says otherwise.
	Required bool `json:"required"`
	// DType and Shape describe a tensor; -1 is any size.
	DType string `json:"dtype,omitempty"`
	Shape []int  `json:"shape,omitempty"`

	nested *nested // of the types array, object, map, any and sparkml_vector
}

// Schema is the inputs or outputs of a signature.
type Schema struct {
	Fields []Field
	// Tensor tells that the fields are tensors, not columns.
	Tensor bool
}

// Named tells whether the fields have names.
func (s *Schema) Named() bool { return len(s.Fields) > 0 && s.Fields[0].Name != "" }

// ParseSchema reads the JSON text of a signature's inputs or outputs.
func ParseSchema(text string) (*Schema, error) {
	var columns []json.RawMessage
	if err := json.Unmarshal([]byte(text), &columns); err != nil {
		return nil, fmt.Errorf("the signature is no list of columns: %w", err)
	}
	var raw []struct {
		Name     *string         `json:"name"`
		Type     Type            `json:"type"`
		Required *bool           `json:"required"`
		Optional *bool           `json:"optional"`
		Spec     json.RawMessage `json:"tensor-spec"`
	}
	if err := json.Unmarshal([]byte(text), &raw); err != nil {
		return nil, fmt.Errorf("the signature is no list of columns: %w", err)
	}
	s := &Schema{}
	for i, r := range raw {
		f := Field{Type: r.Type, Required: true}
		if r.Name != nil {
			f.Name = *r.Name
		}
		if r.Required != nil {
			f.Required = *r.Required
		} else if r.Optional != nil {
			f.Required = !*r.Optional
		}
		if f.Type == Tensor {
			var spec struct {
				DType string `json:"dtype"`
				Shape []int  `json:"shape"`
			}
			if err := json.Unmarshal(r.Spec, &spec); err != nil {
				return nil, fmt.Errorf("the tensor-spec of input %d is not understood: %w", i, err)
			}
			f.DType, f.Shape, s.Tensor = spec.DType, spec.Shape, true
		}
		var err error
		if f.nested, err = parseNested(columns[i]); err != nil {
			return nil, fmt.Errorf("the type of input %d is not understood: %w", i, err)
		}
		s.Fields = append(s.Fields, f)
	}
	for i, f := range s.Fields {
		if (f.Type == Tensor) != s.Tensor {
			return nil, fmt.Errorf("the signature mixes tensors and columns")
		}
		if (f.Name != "") != s.Named() {
			return nil, fmt.Errorf("the signature mixes named and unnamed inputs")
		}
		for _, other := range s.Fields[:i] {
			if f.Name != "" && other.Name == f.Name {
				return nil, fmt.Errorf("the signature names %q twice", f.Name)
			}
		}
	}
	return s, nil
}

// String is the schema as MLflow prints it in messages.
func (s *Schema) String() string {
	parts := make([]string, len(s.Fields))
	for i, f := range s.Fields {
		text := f.typeName()
		switch {
		case f.Type == Tensor:
			text = fmt.Sprintf("Tensor(%s, %s)", PyRepr(f.DType), PyTuple(f.Shape))
		case f.Required:
			text += " (required)"
		default:
			text += " (optional)"
		}
		if f.Name != "" {
			text = PyRepr(f.Name) + ": " + text
		}
		parts[i] = text
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

// typeName is the type of a column as MLflow prints it.
func (f *Field) typeName() string {
	if f.nested != nil {
		return f.nested.String()
	}
	return string(f.Type)
}

// PyTuple prints a shape as Python does: (3,) for one number.
func PyTuple(shape []int) string {
	parts := make([]string, len(shape))
	for i, n := range shape {
		parts[i] = strconv.Itoa(n)
	}
	if len(parts) == 1 {
		return "(" + parts[0] + ",)"
	}
	return "(" + strings.Join(parts, ", ") + ")"
}

// SchemaError is data that does not fit a signature. Its text is MLflow's, without the frame and schema
// that the server puts around it.
type SchemaError struct{ Message string }

func (e *SchemaError) Error() string { return e.Message }

func schemaErrorf(format string, args ...any) error {
	return &SchemaError{fmt.Sprintf(format, args...)}
}

// Table brings a request's data into the form that the model gets: cast to the signature's types, checked
// and put in the signature's order. schema is nil for a model without signature. Errors are *InputError
// when a value cannot be cast, *SchemaError when the signature is not met.
func (r *Request) Table(schema *Schema) (*Frame, error) {
	f := r.Frame
	if r.Format == Inputs || r.Format == Instances {
		var err error
		if f, err = r.convert(schema); err != nil {
			return nil, err
		}
	} else if schema != nil {
		if err := f.cast(schema); err != nil {
			return nil, err
		}
	}
	if schema == nil || len(schema.Fields) == 0 {
		return f, nil
	}
	return f.enforce(schema)
}

// enforce is MLflow's _enforce_schema after the cast.
func (f *Frame) enforce(schema *Schema) (*Frame, error) {
	if schema.Tensor {
		return f.enforceTensor(schema)
	}
	if !schema.Named() {
		if len(f.Columns) < len(schema.Fields) {
			return nil, schemaErrorf("Model inference is missing inputs. The model signature declares %d inputs  but the provided value only has %d inputs. "+
				"Note: the inputs were not named in the signature so we can only verify their count.", len(schema.Fields), len(f.Columns))
		}
		if err := f.enforceNested(schema); err != nil {
			return nil, err
		}
		return &Frame{Rows: f.Rows, Columns: f.Columns[:len(schema.Fields)]}, nil
	}
	if err := f.missing(schema); err != nil {
		return nil, err
	}
	if err := f.enforceNested(schema); err != nil {
		return nil, err
	}
	if f.fits(schema) {
		return f, nil
	}
	ordered := &Frame{Rows: f.Rows, Columns: make([]Column, 0, len(schema.Fields))}
	for i := range schema.Fields {
		if i < len(f.Columns) && f.Columns[i].Name == schema.Fields[i].Name && !f.Columns[i].Positional {
			ordered.Columns = append(ordered.Columns, f.Columns[i])
		} else if c := f.Column(schema.Fields[i].Name); c != nil {
			ordered.Columns = append(ordered.Columns, *c)
		}
	}
	return ordered, nil
}

// fits tells whether the columns are those of the schema, in order.
func (f *Frame) fits(schema *Schema) bool {
	if f.Array || f.scalars || len(f.Columns) != len(schema.Fields) {
		return false
	}
	for i := range f.Columns {
		if c := &f.Columns[i]; c.Positional || c.Name != schema.Fields[i].Name {
			return false
		}
	}
	return true
}

func (f *Frame) missing(schema *Schema) error {
	var missing []string
	for i, field := range schema.Fields {
		if i < len(f.Columns) && f.Columns[i].Name == field.Name && !f.Columns[i].Positional {
			continue
		}
		if field.Required && f.Column(field.Name) == nil {
			missing = append(missing, PyRepr(field.Name))
		}
	}
	if missing == nil {
		return nil
	}
	message := "Model is missing inputs [" + strings.Join(missing, ", ") + "]."
	var extra []string
	for i := range f.Columns {
		c := &f.Columns[i]
		known := !c.Positional && slices.ContainsFunc(schema.Fields, func(field Field) bool { return field.Name == c.Name })
		if !known {
			extra = append(extra, c.Label())
		}
	}
	if extra != nil {
		message += " Note that there were extra inputs: [" + strings.Join(extra, ", ") + "]."
	}
	return &SchemaError{message}
}

// enforceTensor is MLflow's _enforce_tensor_schema for one tensor of rank 1 or 2, the shapes that a table
// can hold; for named tensors of shape (-1,) or (-1, 1) each column is one.
func (f *Frame) enforceTensor(schema *Schema) (*Frame, error) {
	if schema.Named() {
		if err := f.missing(schema); err != nil {
			return nil, err
		}
		out := &Frame{Rows: f.Rows}
		for _, field := range schema.Fields {
			c := f.Column(field.Name)
			if c == nil {
				continue
			}
			if len(field.Shape) > 2 || len(field.Shape) == 0 || field.Shape[0] != -1 || len(field.Shape) == 2 && field.Shape[1] != 1 {
				return nil, schemaErrorf("The input pandas dataframe column '%s' contains scalar values, which requires the shape to be (-1,) or (-1, 1), but got tensor spec shape of %s.", field.Name, PyTuple(field.Shape))
			}
			out.Columns = append(out.Columns, *c)
		}
		return out, nil
	}
	field := schema.Fields[0]
	if f.Rows == 0 || len(f.Columns) == 0 {
		if f.Array {
			return nil, schemaErrorf("Shape of input (0,) does not match expected shape %s.", PyTuple(field.Shape))
		}
		return nil, schemaErrorf("Input DataFrame is empty.")
	}
	if len(field.Shape) == 1 && (field.Shape[0] == -1 || field.Shape[0] == f.Rows) && (f.Array && f.scalars || !f.Array && len(f.Columns) == 1) {
		// A list of scalars, and a DataFrame of one column, are one-dimensional arrays.
		out := *f
		out.Array, out.scalars = true, true
		return &out, nil
	}
	shape := []int{f.Rows, len(f.Columns)}
	if f.Array && f.scalars {
		shape = shape[:1]
	}
	fits := len(shape) == 2 && len(field.Shape) == 2 && (field.Shape[0] == -1 || field.Shape[0] == f.Rows) && (field.Shape[1] == -1 || field.Shape[1] == len(f.Columns))
	if !f.Array && !fits && len(f.Columns) > 1 {
		return nil, schemaErrorf("This model contains a model signature with an unnamed input. Since the input data is a pandas DataFrame containing multiple columns, "+
			"the input shape must be of the structure (-1, number_of_dataframe_columns). Instead, the input DataFrame passed had %d columns and an input shape of %s "+
			"with all values within the DataFrame of scalar type. Please adjust the passed in DataFrame to match the expected structure", len(f.Columns), PyTuple(field.Shape))
	}
	if !fits {
		return nil, schemaErrorf("Shape of input %s does not match expected shape %s.", PyTuple(shape), PyTuple(field.Shape))
	}
	out := *f
	out.Array = true
	return &out, nil
}
