package pyobj

import (
	"fmt"
	"math/big"
	"strings"
)

// construct makes the value of a known constructor; every other class becomes an Object.
func construct(class *Class, args []Value) (Value, error) {
	module := strings.Replace(class.Module, "numpy._core", "numpy.core", 1)
	switch module + "." + class.Name {
	case "numpy.core.multiarray._reconstruct", "numpy._reconstruct":
		return &Array{DType: &DType{Kind: 'b', Size: 1}, Shape: []int{0}}, nil
	case "numpy.ndarray":
		return constructArray(args)
	case "numpy.core.multiarray.scalar":
		return constructScalar(args)
	case "numpy.core.numeric._frombuffer":
		return fromBuffer(args)
	case "numpy.dtype":
		if len(args) == 0 {
			return nil, fmt.Errorf("no type")
		}
		return constructDType(args[0])
	case "copy_reg._reconstructor", "copyreg._reconstructor":
		if len(args) > 0 {
			if c, ok := args[0].(*Class); ok {
				return construct(c, nil)
			}
		}
		return nil, fmt.Errorf("no class")
	case "copyreg.__newobj__", "copy_reg.__newobj__":
		if len(args) > 0 {
			if c, ok := args[0].(*Class); ok {
				return construct(c, args[1:])
			}
		}
		return nil, fmt.Errorf("no class")
	case "collections.OrderedDict", "builtins.dict", "__builtin__.dict":
		if len(args) == 0 {
			return &Dict{}, nil
		}
		return dictOf(args[0])
	case "collections.defaultdict":
		return &Dict{}, nil
	case "builtins.list", "__builtin__.list", "builtins.set", "__builtin__.set", "builtins.frozenset", "__builtin__.frozenset", "builtins.tuple":
		items, err := sequence(args)
		if err != nil {
			return nil, err
		}
		switch class.Name {
		case "list":
			return &List{Items: items}, nil
		case "tuple":
			return &Tuple{Items: items}, nil
		}
		return &Set{Items: items}, nil
	case "_codecs.encode":
		// Protocols 0 to 2 write bytes as latin-1 text.
		if len(args) > 0 {
			if s, ok := args[0].(string); ok {
				return encodeLatin1(s)
			}
		}
		return nil, fmt.Errorf("no text")
	case "builtins.bytearray", "__builtin__.bytearray", "builtins.bytes", "__builtin__.bytes":
		if len(args) == 0 {
			return Bytes{}, nil
		}
		if b, ok := args[0].(Bytes); ok {
			return b, nil
		}
	}
	return &Object{Class: class, Args: args}, nil
}

func sequence(args []Value) ([]Value, error) {
	if len(args) == 0 {
		return nil, nil
	}
	switch s := args[0].(type) {
	case *List:
		return append([]Value(nil), s.Items...), nil
	case *Tuple:
		return append([]Value(nil), s.Items...), nil
	case *Set:
		return append([]Value(nil), s.Items...), nil
	}
	return nil, fmt.Errorf("made from %s", TypeName(args[0]))
}

func dictOf(v Value) (Value, error) {
	switch v := v.(type) {
	case *Dict:
		return &Dict{Entries: append([]Entry(nil), v.Entries...)}, nil
	case *List:
		d := &Dict{}
		for _, item := range v.Items {
			pair, err := sequence([]Value{item})
			if err != nil || len(pair) != 2 {
				return nil, fmt.Errorf("a dict is made from %s", TypeName(item))
			}
			d.Entries = append(d.Entries, Entry{pair[0], pair[1]})
		}
		return d, nil
	}
	return nil, fmt.Errorf("a dict is made from %s", TypeName(v))
}

func encodeLatin1(s string) (Value, error) {
	out := make(Bytes, 0, len(s))
	for _, r := range s {
		if r > 255 {
			return nil, fmt.Errorf("character %q is not latin-1", r)
		}
		out = append(out, byte(r))
	}
	return out, nil
}

func constructDType(v Value) (Value, error) {
	switch v := v.(type) {
	case string:
		return ParseDType(v)
	case *DType:
		return v, nil
	case *Class:
		if d, ok := builtinDTypes[v.Name]; ok {
			return ParseDType(d)
		}
		return nil, fmt.Errorf("type %s is not understood", v)
	}
	return nil, fmt.Errorf("made from %s", TypeName(v))
}

// builtinDTypes are the classes that stand for an element type (numpy.dtype(numpy.float64)).
var builtinDTypes = map[string]string{
	"float64": "<f8", "float32": "<f4", "float16": "<f2", "float": "<f8", "int64": "<i8", "int32": "<i4", "int16": "<i2",
	"int8": "|i1", "uint8": "|u1", "uint16": "<u2", "uint32": "<u4", "uint64": "<u8", "int": "<i8", "bool_": "|b1",
	"bool": "|b1", "object_": "|O", "object": "|O", "intp": "<i8",
}

// build applies the BUILD opcode.
func build(target, state Value) error {
	switch t := target.(type) {
	case *Array:
		return t.build(state)
	case *DType:
		return t.build(state)
	case *Object:
		t.State = state
		return nil
	case *Dict, *List, *Set:
		// A subclass's attributes; OrderedDict has none that matter.
		return nil
	}
	return fmt.Errorf("state cannot be set on %s", TypeName(target))
}

// build reads dtype's state: (version, order, subdtype, names, fields, itemsize, alignment, flags…).
func (d *DType) build(state Value) error {
	t, ok := state.(*Tuple)
	if !ok || len(t.Items) < 8 {
		return fmt.Errorf("numpy.dtype: the state is not understood")
	}
	if order, ok := t.Items[1].(string); ok {
		d.Big = order == ">"
	}
	if t.Items[2] != nil {
		return fmt.Errorf("numpy.dtype: sub-array types are not supported")
	}
	size, ok := t.Items[5].(int64)
	if !ok || size < -1 || size > 1<<28 {
		return fmt.Errorf("numpy.dtype: item size is not understood")
	}
	if size > 0 && (d.Kind == 'V' || d.Kind == 'S' || d.Kind == 'U') {
		d.Size = int(size)
	}
	names, ok := t.Items[3].(*Tuple)
	if !ok {
		return nil
	}
	fields, ok := t.Items[4].(*Dict)
	if !ok {
		return fmt.Errorf("numpy.dtype: a structure without fields")
	}
	d.Fields = nil
	for _, n := range names.Items {
		name, _ := n.(string)
		v, _ := fields.Get(name)
		f, ok := v.(*Tuple)
		if !ok || len(f.Items) < 2 {
			return fmt.Errorf("numpy.dtype: field %q is not understood", name)
		}
		sub, ok1 := f.Items[0].(*DType)
		offset, ok2 := f.Items[1].(int64)
		if !ok1 || !ok2 || sub == d || offset < 0 || offset+int64(sub.Size) > int64(d.Size) {
			return fmt.Errorf("numpy.dtype: field %q is not understood", name)
		}
		d.Fields = append(d.Fields, Field{name, int(offset), sub})
	}
	return nil
}

// build reads ndarray's state: (version, shape, dtype, fortran, data).
func (a *Array) build(state Value) error {
	t, ok := state.(*Tuple)
	if !ok || len(t.Items) != 5 {
		return fmt.Errorf("numpy.ndarray: the state is not understood")
	}
	dtype, ok := t.Items[2].(*DType)
	if !ok {
		return fmt.Errorf("numpy.ndarray: the dtype is %s", TypeName(t.Items[2]))
	}
	shape, err := shapeOf(t.Items[1])
	if err != nil {
		return err
	}
	fortran, _ := t.Items[3].(bool)
	made, err := newArray(dtype, shape, fortran, t.Items[4])
	if err != nil {
		return err
	}
	*a = *made
	return nil
}

func newArray(dtype *DType, shape []int, fortran bool, data Value) (*Array, error) {
	a := &Array{DType: dtype.clone(), Shape: shape, Fortran: fortran}
	switch data := data.(type) {
	case *List:
		if dtype.Kind != 'O' {
			return nil, fmt.Errorf("numpy.ndarray: a list of objects for type %s", dtype)
		}
		if _, err := elements(shape, 1, int64(len(data.Items))); err != nil {
			return nil, err
		}
		a.Objects = data.Items
	case Bytes:
		if dtype.Kind == 'O' {
			return nil, fmt.Errorf("numpy.ndarray: raw bytes for type object")
		}
		if dtype.Size == 0 {
			return nil, fmt.Errorf("numpy.ndarray: elements of no size")
		}
		if _, err := elements(shape, dtype.Size, int64(len(data))); err != nil {
			return nil, fmt.Errorf("numpy.ndarray: %w", err)
		}
		a.Data = data
	case string:
		b, err := encodeLatin1(data)
		if err != nil {
			return nil, err
		}
		return newArray(dtype, shape, fortran, b)
	default:
		return nil, fmt.Errorf("numpy.ndarray: the data is %s", TypeName(data))
	}
	return a, nil
}

func shapeOf(v Value) ([]int, error) {
	items, err := sequence([]Value{v})
	if err != nil {
		if n, ok := v.(int64); ok {
			items = []Value{n}
		} else {
			return nil, fmt.Errorf("numpy.ndarray: the shape is %s", TypeName(v))
		}
	}
	shape := make([]int, len(items))
	for i, s := range items {
		n, ok := s.(int64)
		if !ok || n < 0 || n > 1<<40 {
			return nil, fmt.Errorf("numpy.ndarray: the shape is not understood")
		}
		shape[i] = int(n)
	}
	return shape, nil
}

// constructArray is numpy.ndarray(shape, dtype, buffer), as joblib and protocol 5 may write it.
func constructArray(args []Value) (Value, error) {
	if len(args) == 0 {
		return &Array{DType: &DType{Kind: 'b', Size: 1}, Shape: []int{0}}, nil
	}
	if len(args) < 3 {
		return nil, fmt.Errorf("an array without data")
	}
	shape, err := shapeOf(args[0])
	if err != nil {
		return nil, err
	}
	d, err := constructDType(args[1])
	if err != nil {
		return nil, err
	}
	return newArray(d.(*DType), shape, false, args[2])
}

// fromBuffer is protocol 5's _frombuffer(buffer, dtype, shape, order).
func fromBuffer(args []Value) (Value, error) {
	if len(args) < 4 {
		return nil, fmt.Errorf("arguments are not understood")
	}
	dtype, ok := args[1].(*DType)
	if !ok {
		return nil, fmt.Errorf("the dtype is %s", TypeName(args[1]))
	}
	shape, err := shapeOf(args[2])
	if err != nil {
		return nil, err
	}
	order, _ := args[3].(string)
	return newArray(dtype, shape, order == "F", args[0])
}

// constructScalar is multiarray.scalar(dtype, bytes).
func constructScalar(args []Value) (Value, error) {
	if len(args) < 2 {
		return nil, fmt.Errorf("arguments are not understood")
	}
	dtype, ok := args[0].(*DType)
	if !ok {
		return nil, fmt.Errorf("the dtype is %s", TypeName(args[0]))
	}
	if dtype.Kind == 'O' {
		return args[1], nil
	}
	return newArray(dtype, nil, false, args[1])
}

// Int converts a Python integer (or an integral float) that fits an int.
func Int(v Value) (int, bool) {
	switch v := Scalar(v).(type) {
	case int64:
		return int(v), true
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	case *big.Int:
		return 0, false
	case float64:
		if v == float64(int(v)) {
			return int(v), true
		}
	}
	return 0, false
}
