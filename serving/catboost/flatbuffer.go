package catboost

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// reader reads a FlatBuffer that may be hostile: every place is checked against the bytes there are, and no
// more bytes of vectors are read than the buffer has, so that a small file whose vectors lie on each other
// does not grow. The first error stays; what is read after it is zero.
type reader struct {
	data   []byte
	budget int
	err    error
}

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf(format, args...)
	}
}

var errOutside = errors.New("it is cut: a place is outside of it")

// span is the bytes from a place on; nil when they are not all there.
func (r *reader) span(at, size int) []byte {
	if r.err != nil {
		return nil
	}
	if at < 0 || size < 0 || at > len(r.data)-size {
		r.err = errOutside
		return nil
	}
	return r.data[at : at+size]
}

func (r *reader) uint32(at int) int {
	if b := r.span(at, 4); b != nil {
		return int(binary.LittleEndian.Uint32(b))
	}
	return 0
}

// table is a FlatBuffer table: fields by number, each of which may be absent.
type table struct {
	r      *reader
	at     int
	size   int
	fields []byte // two bytes each: the field's place in the table, or 0
}

// root is the table that a buffer holds.
func (r *reader) root() table { return r.table(r.uint32(0)) }

func (r *reader) table(at int) table {
	back := int(int32(uint32(r.uint32(at))))
	head := r.span(at-back, 4)
	if head == nil {
		return table{r: r}
	}
	length, size := int(binary.LittleEndian.Uint16(head)), int(binary.LittleEndian.Uint16(head[2:]))
	if length < 4 || length%2 != 0 || size < 4 {
		r.fail("a table's head is broken")
		return table{r: r}
	}
	r.span(at, size)
	return table{r: r, at: at, size: size, fields: r.span(at-back+4, length-4)}
}

// field is the bytes of a field of that size, nil when it is absent.
func (t table) field(number, size int) []byte {
	if t.r.err != nil || 2*number+2 > len(t.fields) {
		return nil
	}
	place := int(binary.LittleEndian.Uint16(t.fields[2*number:]))
	if place == 0 {
		return nil
	}
	if place+size > t.size {
		t.r.err = errOutside
		return nil
	}
	return t.r.span(t.at+place, size)
}

// beyond tells whether a field of this number or a greater one is set: one of a later format.
func (t table) beyond(number int) bool {
	for i := 2 * number; i+1 < len(t.fields); i++ {
		if t.fields[i] != 0 {
			return true
		}
	}
	return false
}

func (t table) int32(number, absent int) int {
	if b := t.field(number, 4); b != nil {
		return int(int32(binary.LittleEndian.Uint32(b)))
	}
	return absent
}

func (t table) byte(number int, absent byte) byte {
	if b := t.field(number, 1); b != nil {
		return b[0]
	}
	return absent
}

func (t table) float64(number int, absent float64) float64 {
	if b := t.field(number, 8); b != nil {
		return math.Float64frombits(binary.LittleEndian.Uint64(b))
	}
	return absent
}

// follow is the place that a field points to.
func (t table) follow(number int) (at int, ok bool) {
	b := t.field(number, 4)
	if b == nil {
		return 0, false
	}
	return t.at + int(binary.LittleEndian.Uint16(t.fields[2*number:])) + int(binary.LittleEndian.Uint32(b)), true
}

// table is a field that is a table itself.
func (t table) table(number int) (table, bool) {
	at, ok := t.follow(number)
	if !ok {
		return table{}, false
	}
	return t.r.table(at), t.r.err == nil
}

// vector is the bytes of a field's elements of that size, and where they begin.
func (t table) vector(number, size int) (elements []byte, at int) {
	at, ok := t.follow(number)
	if !ok {
		return nil, 0
	}
	count := t.r.uint32(at)
	if count > t.r.budget/size {
		t.r.err = errOutside
		return nil, 0
	}
	t.r.budget -= count * size
	return t.r.span(at+4, count*size), at + 4
}

func (t table) text(number int) string {
	b, _ := t.vector(number, 1)
	return string(b)
}

// each calls a function with the place that each of a field's pointers leads to.
func (t table) each(number int, do func(at int)) {
	pointers, at := t.vector(number, 4)
	for i := 0; i+4 <= len(pointers) && t.r.err == nil; i += 4 {
		do(at + i + int(binary.LittleEndian.Uint32(pointers[i:])))
	}
}

// tables calls a function with each table of a field that holds some.
func (t table) tables(number int, do func(table)) {
	t.each(number, func(at int) {
		if item := t.r.table(at); t.r.err == nil {
			do(item)
		}
	})
}

// length is how many pointers, or elements of four bytes, a field has.
func (t table) length(number int) int {
	elements, _ := t.vector(number, 4)
	return len(elements) / 4
}

func (t table) int32s(number int) []int {
	b, _ := t.vector(number, 4)
	out := make([]int, len(b)/4)
	for i := range out {
		out[i] = int(int32(binary.LittleEndian.Uint32(b[4*i:])))
	}
	return out
}

// float32s are numbers of single precision, exactly as float64.
func (t table) float32s(number int) []float64 {
	b, _ := t.vector(number, 4)
	out := make([]float64, len(b)/4)
	for i := range out {
		out[i] = float64(math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:])))
	}
	return out
}

func (t table) float64s(number int) []float64 {
	b, _ := t.vector(number, 8)
	out := make([]float64, len(b)/8)
	for i := range out {
		out[i] = math.Float64frombits(binary.LittleEndian.Uint64(b[8*i:]))
	}
	return out
}
