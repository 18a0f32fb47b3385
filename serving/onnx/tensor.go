package onnx

import (
	"encoding/binary"
	"fmt"
	"math"
)

// dtype is ONNX's TensorProto.DataType.
type dtype int32

const (
	f32  dtype = 1
	u8   dtype = 2
	i8   dtype = 3
	u16  dtype = 4
	i16  dtype = 5
	i32  dtype = 6
	i64  dtype = 7
	str  dtype = 8
	flag dtype = 9
	f64  dtype = 11
	u32  dtype = 12
	u64  dtype = 13
)

func (d dtype) float() bool { return d == f32 || d == f64 }

func (d dtype) integer() bool {
	switch d {
	case u8, i8, u16, i16, i32, i64, u32, u64:
		return true
	}
	return false
}

func (d dtype) String() string {
	if name, ok := map[dtype]string{f32: "float", u8: "uint8", i8: "int8", u16: "uint16", i16: "int16", i32: "int32", i64: "int64", str: "string", flag: "bool", f64: "double", u32: "uint32", u64: "uint64"}[d]; ok {
		return name
	}
	return fmt.Sprintf("type %d", int32(d))
}

// tensor is an array in row order. Floats of both sizes are float64, float32 ones rounded after each operation; integers and booleans are int64.
type tensor struct {
	dtype dtype
	shape []int
	f     []float64
	i     []int64
	s     []string
	// maps is the answer of ZipMap: the tensor holds the values, one row per map.
	keys *tensor
}

func newTensor(d dtype, shape []int) *tensor {
	t := &tensor{dtype: d, shape: append([]int{}, shape...)}
	n := count(shape)
	switch {
	case d.float():
		t.f = make([]float64, n)
	case d == str:
		t.s = make([]string, n)
	default:
		t.i = make([]int64, n)
	}
	return t
}

func count(shape []int) int {
	n := 1
	for _, s := range shape {
		n *= s
	}
	return n
}

func (t *tensor) len() int { return count(t.shape) }

// at moves one element from another tensor of the same type.
func (t *tensor) put(i int, from *tensor, j int) {
	switch {
	case t.f != nil:
		t.f[i] = from.f[j]
	case t.s != nil:
		t.s[i] = from.s[j]
	default:
		t.i[i] = from.i[j]
	}
}

// floats gives the numbers of a tensor.
func (t *tensor) floats() []float64 {
	if t.f != nil || t.i == nil {
		return t.f
	}
	out := make([]float64, len(t.i))
	for i, v := range t.i {
		out[i] = float64(v)
	}
	return out
}

// round makes what was computed in float64 a number of the tensor's type.
func (t *tensor) round() *tensor {
	if t.dtype == f32 {
		for i, v := range t.f {
			t.f[i] = float64(float32(v))
		}
	}
	return t
}

// wrap makes an integer one of the type's range, as a conversion in C does.
func (d dtype) wrap(v int64) int64 {
	switch d {
	case u8:
		return int64(uint8(v))
	case i8:
		return int64(int8(v))
	case u16:
		return int64(uint16(v))
	case i16:
		return int64(int16(v))
	case i32:
		return int64(int32(v))
	case u32:
		return int64(uint32(v))
	}
	return v
}

// maxElements bounds every tensor, so that a small file cannot ask for much memory.
const maxElements = 1 << 25

func checkShape(shape []int) error {
	n := 1
	for _, s := range shape {
		if s < 0 {
			return fmt.Errorf("a shape of %v", shape)
		}
		if s != 0 && n > maxElements/s {
			return fmt.Errorf("a tensor of shape %v is too large", shape)
		}
		n *= s
	}
	return nil
}

// tensor reads a constant of the model.
func (p *tensorProto) tensor() (*tensor, error) {
	if p.external != nil {
		return nil, unsupported("a constant in a file of its own within an attribute (%s)", p.name)
	}
	shape := make([]int, len(p.dims))
	for i, d := range p.dims {
		shape[i] = int(d)
	}
	if err := checkShape(shape); err != nil {
		return nil, err
	}
	d := dtype(p.dtype)
	n := count(shape)
	// The data must be there before memory is taken for it.
	have := max(len(p.floats), len(p.ints32), len(p.ints64), len(p.doubles), len(p.strings))
	size := map[dtype]int{f32: 4, f64: 8, i64: 8, i32: 4, i16: 2, i8: 1, u8: 1, u16: 2, u32: 4, u64: 8, flag: 1}[d]
	if len(p.raw) > 0 && size > 0 {
		have = len(p.raw) / size
	}
	if have < n || size == 0 && d != str {
		return nil, fmt.Errorf("constant %s: %d values of %v for shape %v", p.name, have, d, shape)
	}
	t := newTensor(d, shape)
	switch {
	case d == str:
		for i := range t.s {
			t.s[i] = string(p.strings[i])
		}
	case len(p.raw) > 0:
		for i := range n {
			t.raw(i, p.raw[i*size:])
		}
	case d == f32 && len(p.floats) >= n:
		for i := range t.f {
			t.f[i] = float64(p.floats[i])
		}
	case d == f64 && len(p.doubles) >= n:
		copy(t.f, p.doubles)
	case d == i64 && len(p.ints64) >= n, d == u64 && len(p.ints64) >= n:
		copy(t.i, p.ints64)
	case d.integer() && len(p.ints32) >= n, d == flag && len(p.ints32) >= n:
		copy(t.i, p.ints32)
	case d == u32 && len(p.ints64) >= n:
		copy(t.i, p.ints64)
	default:
		return nil, fmt.Errorf("constant %s has no data of type %v", p.name, d)
	}
	return t, nil
}

func (t *tensor) raw(i int, b []byte) {
	switch t.dtype {
	case f32:
		t.f[i] = float64(math.Float32frombits(binary.LittleEndian.Uint32(b)))
	case f64:
		t.f[i] = math.Float64frombits(binary.LittleEndian.Uint64(b))
	case i64, u64:
		t.i[i] = int64(binary.LittleEndian.Uint64(b))
	case i32, u32:
		t.i[i] = t.dtype.wrap(int64(binary.LittleEndian.Uint32(b)))
	case i16, u16:
		t.i[i] = t.dtype.wrap(int64(binary.LittleEndian.Uint16(b)))
	case flag:
		if b[0] != 0 {
			t.i[i] = 1
		}
	default:
		t.i[i] = t.dtype.wrap(int64(b[0]))
	}
}

// axis makes a negative axis a positive one.
func axisOf(axis int64, rank int) (int, error) {
	if axis < 0 {
		axis += int64(rank)
	}
	if axis < 0 || axis >= int64(max(rank, 1)) {
		return 0, fmt.Errorf("axis %d of %d dimensions", axis, rank)
	}
	return int(axis), nil
}

// broadcast gives the shape that two shapes have together.
func broadcast(a, b []int) ([]int, error) {
	out := make([]int, max(len(a), len(b)))
	for i := range out {
		x, y := 1, 1
		if k := i - (len(out) - len(a)); k >= 0 {
			x = a[k]
		}
		if k := i - (len(out) - len(b)); k >= 0 {
			y = b[k]
		}
		switch {
		case x == y || y == 1:
			out[i] = x
		case x == 1:
			out[i] = y
		default:
			return nil, fmt.Errorf("shapes %v and %v do not go together", a, b)
		}
	}
	return out, checkShape(out)
}

// places gives, for each element of an array of shape out, the place in an array of shape in that stands for it. nil when they are the same.
func places(in, out []int) []int {
	if equalShape(in, out) {
		return nil
	}
	strides := make([]int, len(out)) // of in, 0 where it is repeated
	step := 1
	for i := len(out) - 1; i >= 0; i-- {
		if k := i - (len(out) - len(in)); k >= 0 {
			if in[k] != 1 {
				strides[i] = step
			}
			step *= in[k]
		}
	}
	at := make([]int, count(out))
	index := make([]int, len(out))
	place := 0
	for n := range at {
		at[n] = place
		for d := len(out) - 1; d >= 0; d-- {
			index[d]++
			place += strides[d]
			if index[d] < out[d] {
				break
			}
			place -= strides[d] * out[d]
			index[d] = 0
		}
	}
	return at
}

func equalShape(a, b []int) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func at(places []int, i int) int {
	if places == nil {
		return i
	}
	return places[i]
}
