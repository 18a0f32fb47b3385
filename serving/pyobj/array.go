package pyobj

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// DType is a numpy element type.
type DType struct {
	// Kind is numpy's kind letter: b bool, i int, u uint, f float, c complex, S bytes, U text, O object,
	// V structure or raw bytes, M and m times.
	Kind byte
	// Size is the bytes of one element; 8 for objects.
	Size int
	// Big tells that elements are big-endian.
	Big bool
	// Fields are the members of a structure.
	Fields []Field
}

// Field is a member of a structured DType.
type Field struct {
	Name   string
	Offset int
	Type   *DType
}

// clone copies a type, so that an array's own type cannot change under it when the file goes on to alter
// the shared one. Structures inside structures lose their members.
func (d *DType) clone() *DType {
	c := *d
	c.Fields = nil
	for _, f := range d.Fields {
		sub := *f.Type
		sub.Fields = nil
		if f.Offset+sub.Size <= d.Size {
			c.Fields = append(c.Fields, Field{f.Name, f.Offset, &sub})
		}
	}
	return &c
}

// String is the type's name as numpy prints it, for messages.
func (d *DType) String() string {
	switch d.Kind {
	case 'b':
		return "bool"
	case 'O':
		return "object"
	case 'i':
		return "int" + strconv.Itoa(d.Size*8)
	case 'u':
		return "uint" + strconv.Itoa(d.Size*8)
	case 'f':
		return "float" + strconv.Itoa(d.Size*8)
	case 'c':
		return "complex" + strconv.Itoa(d.Size*8)
	case 'U':
		return "<U" + strconv.Itoa(d.Size/4)
	}
	return "|" + string(d.Kind) + strconv.Itoa(d.Size)
}

// Array is a numpy array or, with an empty Shape, a numpy scalar.
type Array struct {
	DType *DType
	Shape []int
	// Data holds the elements of every type but object, in the order given by Fortran.
	Data []byte
	// Objects holds the elements of an object array.
	Objects []Value
	// Fortran tells that the first index varies fastest.
	Fortran bool
}

// Len is the number of elements.
func (a *Array) Len() int {
	n := 1
	for _, s := range a.Shape {
		n *= s
	}
	return n
}

// maxOfEmpty is the greatest dimension of an array that has no elements, which no data bounds.
const maxOfEmpty = 1 << 16

// elements checks a shape and returns its number of elements.
func elements(shape []int, size int, have int64) (int, error) {
	if len(shape) > 32 {
		return 0, fmt.Errorf("array of %d dimensions: numpy has at most 32", len(shape))
	}
	if have == 0 && slices.Contains(shape, 0) && !slices.ContainsFunc(shape, func(s int) bool { return s < 0 || s > maxOfEmpty }) {
		return 0, nil
	}
	n := int64(1)
	for _, s := range shape {
		if s < 0 || int64(s) > have+1 {
			return 0, fmt.Errorf("array of shape %v does not fit its %d bytes", shape, have)
		}
		n *= int64(s)
		if n > have+1 {
			return 0, fmt.Errorf("array of shape %v does not fit its %d bytes", shape, have)
		}
	}
	if n*int64(size) != have {
		return 0, fmt.Errorf("array of shape %v and %d bytes an element needs %d bytes, has %d", shape, size, n*int64(size), have)
	}
	return int(n), nil
}

// ParseDType reads a type string such as "<f8", "|b1", "<U12" or "O8".
func ParseDType(s string) (*DType, error) {
	text := s
	d := &DType{}
	if text != "" && strings.ContainsRune("<>|=", rune(text[0])) {
		d.Big = text[0] == '>'
		text = text[1:]
	}
	if text == "" {
		return nil, fmt.Errorf("numpy dtype %q is not understood", s)
	}
	d.Kind = text[0]
	if d.Kind == '?' {
		d.Kind, text = 'b', "b1"
	}
	digits := text[1:]
	if i := strings.IndexByte(digits, '['); i >= 0 { // M8[ns]
		digits = digits[:i]
	}
	size := 0
	if digits != "" {
		n, err := strconv.Atoi(digits)
		if err != nil || n < 0 || n > 1<<28 {
			return nil, fmt.Errorf("numpy dtype %q is not understood", s)
		}
		size = n
	}
	ok := false
	switch d.Kind {
	case 'b':
		ok = size == 1
	case 'i', 'u':
		ok = size == 1 || size == 2 || size == 4 || size == 8
	case 'f':
		ok = size == 2 || size == 4 || size == 8
	case 'c':
		ok = size == 8 || size == 16
	case 'M', 'm':
		ok = size == 8
	case 'S', 'V':
		ok = true
	case 'U':
		size *= 4
		ok = true
	case 'O':
		size, ok = 8, true
	}
	if !ok {
		return nil, fmt.Errorf("numpy dtype %q is not understood", s)
	}
	d.Size = size
	return d, nil
}

func (d *DType) order() binary.ByteOrder {
	if d.Big {
		return binary.BigEndian
	}
	return binary.LittleEndian
}

// index maps the i-th element in C order to its place in Data.
func (a *Array) index(i int) int {
	if !a.Fortran || len(a.Shape) < 2 {
		return i
	}
	place, stride := 0, a.Len()
	// Peel indexes off from the last dimension, which varies fastest in C order and slowest in Fortran's.
	for _, v := range slices.Backward(a.Shape) {
		stride /= v
		place += (i % v) * stride
		i /= v
	}
	return place
}

// Floats returns the elements in C order as float64; numbers and bools only.
func (a *Array) Floats() ([]float64, error) {
	if a.DType.Kind == 'O' {
		out := make([]float64, len(a.Objects))
		for i := range out {
			f, ok := Float(a.Objects[a.index(i)])
			if !ok {
				return nil, fmt.Errorf("array element is %s, want a number", TypeName(a.Objects[a.index(i)]))
			}
			out[i] = f
		}
		return out, nil
	}
	if !strings.ContainsRune("biuf", rune(a.DType.Kind)) {
		return nil, fmt.Errorf("array of %s, want numbers", a.DType)
	}
	return a.DType.floats(a.Data, a.DType.Size, 0, a.Len(), a.index), nil
}

// Member returns one number field of a structured array as float64.
func (a *Array) Member(name string) ([]float64, error) {
	for _, f := range a.DType.Fields {
		if f.Name == name {
			if !strings.ContainsRune("biuf", rune(f.Type.Kind)) {
				return nil, fmt.Errorf("field %s is of %s, want numbers", name, f.Type)
			}
			return f.Type.floats(a.Data, a.DType.Size, f.Offset, a.Len(), a.index), nil
		}
	}
	return nil, fmt.Errorf("array has no field %q", name)
}

// HasMember tells whether a structured array has a field.
func (a *Array) HasMember(name string) bool {
	for _, f := range a.DType.Fields {
		if f.Name == name {
			return true
		}
	}
	return false
}

func (d *DType) floats(data []byte, stride, offset, n int, index func(int) int) []float64 {
	out := make([]float64, n)
	for i := range out {
		at := index(i)*stride + offset
		out[i] = d.float(data[at : at+d.Size])
	}
	return out
}

func (d *DType) float(b []byte) float64 {
	if d.Kind == 'f' {
		switch d.Size {
		case 2:
			return half(d.order().Uint16(b))
		case 4:
			return float64(math.Float32frombits(d.order().Uint32(b)))
		}
		return math.Float64frombits(d.order().Uint64(b))
	}
	if d.Kind == 'u' && d.Size == 8 {
		return float64(d.order().Uint64(b))
	}
	return float64(d.int(b))
}

func (d *DType) int(b []byte) int64 {
	var u uint64
	switch d.Size {
	case 1:
		u = uint64(b[0])
	case 2:
		u = uint64(d.order().Uint16(b))
	case 4:
		u = uint64(d.order().Uint32(b))
	default:
		u = d.order().Uint64(b)
	}
	if d.Kind == 'i' || d.Kind == 'm' || d.Kind == 'M' {
		shift := uint(64 - 8*d.Size)
		return int64(u<<shift) >> shift
	}
	return int64(u)
}

// half converts an IEEE 754 half float.
func half(u uint16) float64 {
	sign := 1.0
	if u&0x8000 != 0 {
		sign = -1
	}
	exp, frac := int(u>>10)&31, float64(u&0x3ff)
	switch exp {
	case 0:
		return sign * math.Ldexp(frac, -24)
	case 31:
		if frac != 0 {
			return math.NaN()
		}
		return math.Inf(int(sign))
	}
	return sign * math.Ldexp(1+frac/1024, exp-15)
}

// Values returns the elements in C order as Python values: numbers, bools, strings or the objects.
func (a *Array) Values() ([]Value, error) {
	out := make([]Value, a.Len())
	for i := range out {
		at := a.index(i)
		if a.DType.Kind == 'O' {
			out[i] = a.Objects[at]
			continue
		}
		b := a.Data[at*a.DType.Size : (at+1)*a.DType.Size]
		switch a.DType.Kind {
		case 'b':
			out[i] = b[0] != 0
		case 'i', 'M', 'm':
			out[i] = a.DType.int(b)
		case 'u':
			u := a.DType.int(b)
			if a.DType.Size == 8 && u < 0 {
				out[i] = new(big.Int).SetUint64(uint64(u))
			} else {
				out[i] = u
			}
		case 'f':
			out[i] = a.DType.float(b)
		case 'U':
			out[i] = a.DType.text(b)
		case 'S':
			out[i] = Bytes(strings.TrimRight(string(b), "\x00"))
		default:
			return nil, fmt.Errorf("array of %s is not understood", a.DType)
		}
	}
	return out, nil
}

func (d *DType) text(b []byte) string {
	var out []byte
	for ; len(b) >= 4; b = b[4:] {
		out = utf8.AppendRune(out, rune(d.order().Uint32(b)))
	}
	return strings.TrimRight(string(out), "\x00")
}

// Float converts a Python number, or a numpy array of one number, to float64.
func Float(v Value) (float64, bool) {
	switch v := v.(type) {
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	case int64:
		return float64(v), true
	case *big.Int:
		f, _ := new(big.Float).SetInt(v).Float64()
		return f, true
	case float64:
		return v, true
	case *Array:
		if v.Len() == 1 {
			if f, err := v.Floats(); err == nil {
				return f[0], true
			}
		}
	}
	return 0, false
}

// Scalar returns the Python value inside a numpy scalar; any other value is returned as it is.
func Scalar(v Value) Value {
	a, ok := v.(*Array)
	if !ok || len(a.Shape) != 0 {
		return v
	}
	items, err := a.Values()
	if err != nil || len(items) != 1 {
		return v
	}
	return items[0]
}
