package frame

import (
	"errors"
	"slices"
)

// checkNested checks the cells of a column of a nested type.
func (field *Field) checkNested(c *Column) error {
	for i := range c.Len() {
		if err := field.nested.enforce(c.At(i), field.Required); err != nil {
			return err
		}
	}
	return nil
}

// castNested checks a column of inputs or instances, where MLflow makes numpy arrays of lists.
func (field *Field) castNested(c *Column) error {
	if field.nested == nil {
		return nil
	}
	if err := field.checkNested(c); err != nil || field.nested.kind != arrayType && field.nested.kind != vectorType {
		return err
	}
	for i := range c.Len() {
		list, ok := c.At(i).([]any)
		if !ok { // an array of no dimension, which MLflow looks into again
			return schemaErrorf("len() of unsized object")
		}
		if field.nested.items.scalar() { // of one type by now
			continue
		}
		if shape, even := common(list); !even {
			return valueError("setting an array element with a sequence. The requested array has an inhomogeneous shape after %d dimensions. The detected shape was %s + inhomogeneous part.",
				len(shape), PyTuple(shape))
		}
	}
	return nil
}

// common is the shape that all of nested lists have, and whether that is all there is.
func common(list []any) (shape []int, even bool) {
	shape, even = []int{len(list)}, true
	var inner []int
	for i, item := range list {
		var s []int
		if sub, ok := item.([]any); ok {
			var whole bool
			s, whole = common(sub)
			even = even && whole
		}
		if i == 0 {
			inner = s
			continue
		}
		same := 0
		for same < min(len(s), len(inner)) && s[same] == inner[same] {
			same++
		}
		even = even && same == max(len(s), len(inner))
		inner = inner[:same]
	}
	return append(shape, inner...), even
}

// enforceNested is MLflow's second look at nested columns: it refuses what the first one made of arrays of floats.
func (f *Frame) enforceNested(schema *Schema) error {
	for i := range schema.Fields {
		field := &schema.Fields[i]
		if field.nested == nil || !field.nested.narrows() {
			continue
		}
		c := f.Column(field.Name)
		if field.Name == "" {
			c = &f.Columns[i]
		}
		if c == nil {
			continue
		}
		if py, ok := errors.AsType[*pyError](field.checkNested(c)); ok {
			return &SchemaError{py.message}
		}
	}
	return nil
}

// nestedType is the type of a column, nil when it is one of scalars.
func (s *Schema) nestedType(column string) *nested {
	if s == nil {
		return nil
	}
	for i := range s.Fields {
		if s.Fields[i].Name == column {
			return s.Fields[i].nested
		}
	}
	return nil
}

// oneRow tells whether an object of inputs is one row: MLflow takes it so when there are columns of arrays or objects.
func (s *Schema) oneRow() bool {
	return s != nil && slices.ContainsFunc(s.Fields, func(f Field) bool { return f.Type == arrayType || f.Type == objectType || f.Type == vectorType })
}
