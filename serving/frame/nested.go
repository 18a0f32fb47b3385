package frame

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// The types of columns whose cells are lists and objects.
const (
	arrayType  Type = "array"
	objectType Type = "object"
	mapType    Type = "map"
	anyType    Type = "any"
	vectorType Type = "sparkml_vector"
)

// nested is the type of a value inside a cell.
type nested struct {
	kind       Type       // one of the above, or a scalar type; into any other one nobody looks
	items      *nested    // of an array, and the values of a map
	properties []property // of an object, by name
}

type property struct {
	name     string
	kind     *nested
	required bool
}

// nestedSpec is a type as a signature holds it.
type nestedSpec struct {
	Type       Type                  `json:"type"`
	Items      *nestedSpec           `json:"items"`
	Values     *nestedSpec           `json:"values"`
	Properties map[string]nestedSpec `json:"properties"`
	Required   *bool                 `json:"required"`
}

// maxNesting bounds the types of a signature.
const maxNesting = 50

// nested is the type of a column; nil for one of scalars.
func (s *nestedSpec) nested() (*nested, error) {
	switch s.Type {
	case arrayType, objectType, mapType, anyType, vectorType:
		return s.value(0)
	}
	return nil, nil
}

func (s *nestedSpec) value(depth int) (*nested, error) {
	if depth > maxNesting {
		return nil, fmt.Errorf("it is nested more than %d deep", maxNesting)
	}
	n := &nested{kind: s.Type}
	var err error
	inner := s.Items
	switch s.Type {
	case arrayType:
	case mapType:
		inner = s.Values
	case vectorType:
		n.items = &nested{kind: Double}
		return n, nil
	case objectType:
		for name, p := range s.Properties {
			kind, err := p.value(depth + 1)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			n.properties = append(n.properties, property{name, kind, p.Required == nil || *p.Required})
		}
		slices.SortFunc(n.properties, func(a, b property) int { return strings.Compare(a.name, b.name) })
		return n, nil
	default:
		return n, nil
	}
	if inner == nil {
		return nil, fmt.Errorf("the type %s does not tell what is in it (items of an array, values of a map)", s.Type)
	}
	n.items, err = inner.value(depth + 1)
	return n, err
}

// parseNested reads a column's type.
func parseNested(column json.RawMessage) (*nested, error) {
	var spec nestedSpec
	if err := json.Unmarshal(column, &spec); err != nil {
		return nil, err
	}
	return spec.nested()
}

// String is the type as MLflow prints it.
func (n *nested) String() string {
	switch n.kind {
	case arrayType:
		return "Array(" + n.items.String() + ")"
	case mapType:
		if n.items.scalar() { // the name of an enumeration's member
			return "Map(str -> DataType." + n.items.String() + ")"
		}
		return "Map(str -> " + n.items.String() + ")"
	case anyType:
		return "Any"
	case vectorType:
		return "SparkML vector"
	case objectType:
		parts := make([]string, len(n.properties))
		for i, p := range n.properties {
			parts[i] = p.name + ": " + p.kind.String() + " (optional)"
			if p.required {
				parts[i] = p.name + ": " + p.kind.String() + " (required)"
			}
		}
		return "{" + strings.Join(parts, ", ") + "}"
	}
	return string(n.kind)
}

func (n *nested) scalar() bool {
	_, ok := numpyNames[n.kind]
	return ok
}

// narrows tells that arrays of float are inside: MLflow makes float32 of their integers, and refuses them when it
// looks a second time, as they are float64 by then.
func (n *nested) narrows() bool {
	if n.items != nil && (n.kind != mapType && n.items.kind == Float32 || n.items.narrows()) {
		return true
	}
	return slices.ContainsFunc(n.properties, func(p property) bool { return p.kind.narrows() })
}

// enforce checks a value as MLflow 3.17's _enforce_type does. Errors are *pyError; those of kind MlflowException
// are MLflow's own.
func (n *nested) enforce(v any, required bool) error {
	switch n.kind {
	case arrayType, vectorType:
		return n.enforceArray(v, required)
	case objectType:
		return n.enforceObject(v, required)
	case mapType:
		return n.enforceMap(v, required)
	}
	if n.scalar() {
		return n.enforceScalar(v, required)
	}
	return nil
}

func mlflowError(format string, args ...any) error {
	return &pyError{mlflowException, fmt.Sprintf(format, args...)}
}

const mlflowException = "MlflowException"

func (n *nested) enforceArray(v any, required bool) error {
	list, ok := v.([]any)
	if (!required || n.items.kind == anyType) && (v == nil || ok && len(list) == 0) {
		return nil
	}
	if !ok {
		return mlflowError("Expected data to be list or numpy array, got %s", pyType(v))
	}
	if n.items.scalar() {
		return enforceSeries(list, n.items.kind)
	}
	for _, item := range list {
		if err := n.items.enforce(item, required); err != nil {
			return err
		}
	}
	return nil
}

func (n *nested) enforceMap(v any, required bool) error {
	m, ok := v.(Members)
	if (!required || n.items.kind == anyType) && (v == nil || ok && len(m) == 0) {
		return nil
	}
	if !ok {
		return mlflowError("Expected data to be a dict, got %s", pyType(v))
	}
	for _, member := range m {
		if err := n.items.enforce(member.Value, required); err != nil {
			return err
		}
	}
	return nil
}

func (n *nested) enforceObject(v any, required bool) error {
	m, ok := v.(Members)
	if !required && (v == nil || ok && len(m) == 0) {
		return nil
	}
	if !ok {
		return mlflowError("Failed to enforce schema of '%s' with type '%s'. Expected data to be dictionary, got %s", pyStr(v), n, pyType(v))
	}
	var missing, unknown []string
	known := map[string]property{}
	for _, p := range n.properties {
		known[p.name] = p
		if _, ok := m.Get(p.name); p.required && !ok {
			missing = append(missing, PyRepr(p.name))
		}
	}
	for _, member := range m {
		if _, ok := known[member.Key]; !ok {
			unknown = append(unknown, PyRepr(member.Key))
		}
	}
	if missing != nil {
		return mlflowError("Missing required properties: {%s}", strings.Join(missing, ", "))
	}
	if unknown != nil {
		return mlflowError("Invalid properties not defined in the schema found: {%s}", strings.Join(unknown, ", "))
	}
	for _, member := range m {
		p := known[member.Key]
		err := p.kind.enforce(member.Value, p.required)
		if py, ok := errors.AsType[*pyError](err); ok && py.kind == mlflowException {
			return mlflowError("Failed to enforce schema for key `%s`. Expected type %s, received type %s", p.name, p.kind.kind, pyType(member.Value))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (n *nested) enforceScalar(v any, required bool) error {
	if f, ok := v.(float64); !required && (v == nil || ok && math.IsNaN(f)) {
		return nil
	}
	switch v.(type) {
	case nil, []any, Members:
		return mlflowError("Expected data to be scalar, got %s", pyType(v))
	}
	if enforceSeries([]any{v}, n.kind) != nil {
		return mlflowError("Failed to enforce schema of data `%s` with dtype `%s`", pyStr(v), n.kind)
	}
	return nil
}

// pyStr is Python's str: text stands without quotes.
func pyStr(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	return PyRepr(v)
}

// series is what pandas infers of a list.
type series struct {
	dtype   string
	missing bool
	whole   bool // every number is whole
}

func inferSeries(list []any) series {
	s := series{dtype: "object", whole: true}
	var ints, floats, bools, texts, others int
	for _, v := range list {
		switch v := v.(type) {
		case nil:
			s.missing = true
		case int64:
			ints++
		case float64:
			floats++
			s.missing = s.missing || v != v
			s.whole = s.whole && (v != v || v == math.Trunc(v))
		case bool:
			bools++
		case string:
			texts++
		default:
			others++
		}
	}
	numbers := ints + floats
	switch {
	case others > 0 || texts > 0 && numbers+bools > 0 || bools > 0 && (numbers > 0 || s.missing):
	case texts > 0:
		s.dtype = "str"
	case bools > 0:
		s.dtype = "bool"
	case ints > 0 && floats == 0 && !s.missing:
		s.dtype = "int64"
	case numbers > 0:
		s.dtype = "float64"
	}
	return s
}

// numpyNames are the types of arrays of scalars, for messages.
var numpyNames = map[Type]string{
	Boolean: "bool", Integer: "int32", Long: "int64", Float32: "float32", Double: "float64", Text: "<U0", Binary: "|S0", Datetime: "datetime64[ns]",
}

const missingHint = " Hint: the type mismatch is likely caused by missing values. " +
	"Integer columns in python can not represent missing values and are therefore encoded as floats. The best way to avoid this problem is to infer the model " +
	"schema based on a realistic data sample (training dataset) that includes missing values. Alternatively, you can declare integer columns as doubles (float64) " +
	"whenever these columns may have missing values. See `Handling Integers With Missing Values <https://www.mlflow.org/docs/latest/models.html#" +
	"handling-integers-with-missing-values>`_ for more details."

// enforceSeries is MLflow's _enforce_mlflow_datatype of a list, and numpy's conversion after it. Integers of float
// lists become floats in place.
func enforceSeries(list []any, t Type) error {
	if len(list) == 0 {
		return nil
	}
	s := inferSeries(list)
	object := s.dtype == "object"
	switch {
	case (t == Text || t == Binary) && (object || s.dtype == "str"):
		for _, v := range list {
			if _, ok := v.([]any); ok {
				return valueError("setting an array element with a sequence")
			}
		}
		return nil
	case t == Boolean && (object || s.dtype == "bool"), t == Long && s.dtype == "int64", t == Double && s.dtype == "float64":
		return nil
	case t == Datetime && object:
		return enforceDatetimes(list)
	case t == Double && object:
		return enforceNumbers(list)
	case (t == Double || t == Float32) && s.dtype == "int64" && !slices.ContainsFunc(list, func(v any) bool { return v != int64(0) && v != int64(1) }):
		if t == Float32 {
			for i, v := range list {
				n, _ := v.(int64)
				list[i] = float64(n)
			}
		}
		return nil
	}
	hint := ""
	if s.dtype == "float64" && (t == Integer || t == Long) && s.missing && s.whole {
		hint = missingHint
	}
	return mlflowError("Incompatible input types for column . Can not safely convert %s to %s.%s", s.dtype, numpyNames[t], hint)
}

// enforceDatetimes is pandas' astype of a list of several types.
func enforceDatetimes(list []any) error {
	texts := false
	for _, v := range list {
		switch v := v.(type) {
		case bool, []any, Members:
			return typeError("<class '%s'> is not convertible to datetime", pyType(v))
		case string:
			texts = true
			c := Column{Kind: String, Strings: []string{v}}
			if c.castDatetime() != nil {
				return mlflowError("Failed to convert column  from type object to DataType.datetime.")
			}
		}
	}
	if texts { // among numbers, as texts alone are no objects
		return mlflowError("Failed to convert column  from type object to DataType.datetime.")
	}
	return nil
}

// enforceNumbers is pandas' to_numeric of a list of several types.
func enforceNumbers(list []any) error {
	for i, v := range list {
		switch v := v.(type) {
		case string:
			if _, ok := ParsePyFloat(v); !ok && v != "" {
				return mlflowError("Failed to convert column  from type object to DataType.double.")
			}
		case []any:
			if len(v) > 0 {
				return typeError("Invalid object type at position %d", i)
			}
		case Members:
			if len(v) > 0 {
				return typeError("Invalid object type at position %d", i)
			}
		}
	}
	return nil
}
