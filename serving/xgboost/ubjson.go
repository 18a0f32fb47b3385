package xgboost

import (
	"encoding/binary"
	"fmt"
	"math"
	"reflect"
	"strings"
)

// decodeUBJSON reads a UBJSON document (draft 12, as XGBoost writes it) into a value of the types that
// encoding/json would fill. Unknown members are skipped without being kept.
func decodeUBJSON(data []byte, into any) error {
	d := &ubjson{data: data}
	err := d.value(reflect.ValueOf(into).Elem(), 0, 0)
	if err == nil && d.pos != len(data) {
		err = fmt.Errorf("%d bytes follow its end", len(data)-d.pos)
	}
	if err != nil {
		return fmt.Errorf("its UBJSON is not understood at byte %d: %w", d.pos, err)
	}
	return nil
}

type ubjson struct {
	data    []byte
	pos     int
	objects int
}

// maxDepth of nested objects and arrays; XGBoost's own files have 8.
const maxDepth = 64

func (d *ubjson) take(n int64) ([]byte, error) {
	if n < 0 || n > int64(len(d.data)-d.pos) {
		return nil, fmt.Errorf("a length of %d goes over the end of the file", n)
	}
	b := d.data[d.pos : d.pos+int(n)]
	d.pos += int(n)
	return b, nil
}

func (d *ubjson) marker() (byte, error) {
	for {
		b, err := d.take(1)
		if err != nil {
			return 0, err
		}
		if b[0] != 'N' { // a no-op
			return b[0], nil
		}
	}
}

// width is the bytes of a number's marker; 0 for other markers.
func width(marker byte) int64 {
	switch marker {
	case 'i', 'U':
		return 1
	case 'I':
		return 2
	case 'l', 'd':
		return 4
	case 'L', 'D':
		return 8
	}
	return 0
}

// number decodes the bytes of a number; integers come in both forms.
func number(marker byte, b []byte) (int64, float64) {
	var n int64
	switch marker {
	case 'i':
		n = int64(int8(b[0]))
	case 'U':
		n = int64(b[0])
	case 'I':
		n = int64(int16(binary.BigEndian.Uint16(b)))
	case 'l':
		n = int64(int32(binary.BigEndian.Uint32(b)))
	case 'L':
		n = int64(binary.BigEndian.Uint64(b))
	case 'd':
		f := float64(math.Float32frombits(binary.BigEndian.Uint32(b)))
		return int64(f), f
	case 'D':
		f := math.Float64frombits(binary.BigEndian.Uint64(b))
		return int64(f), f
	}
	return n, float64(n)
}

// length reads a marked integer.
func (d *ubjson) length() (int64, error) {
	m, err := d.marker()
	if err != nil {
		return 0, err
	}
	if width(m) == 0 || m == 'd' || m == 'D' {
		return 0, fmt.Errorf("marker %q where a length should be", m)
	}
	b, err := d.take(width(m))
	if err != nil {
		return 0, err
	}
	n, _ := number(m, b)
	if n < 0 {
		return 0, fmt.Errorf("a length of %d", n)
	}
	return n, nil
}

func (d *ubjson) text() (string, error) {
	n, err := d.length()
	if err != nil {
		return "", err
	}
	b, err := d.take(n)
	return string(b), err
}

// value reads a value into v; v may be the zero Value to skip it. marker is 0 when it stands in the file.
func (d *ubjson) value(v reflect.Value, marker byte, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("it is nested more than %d deep", maxDepth)
	}
	if marker == 0 {
		var err error
		if marker, err = d.marker(); err != nil {
			return err
		}
	}
	if marker != 'Z' && v.IsValid() && v.Kind() == reflect.Pointer {
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		v = v.Elem()
	}
	switch marker {
	case '{':
		return d.object(v, depth)
	case '[':
		return d.array(v, depth)
	case 'S':
		s, err := d.text()
		if err == nil && v.IsValid() {
			if v.Kind() != reflect.String {
				return mismatch("text", v)
			}
			v.SetString(s)
		}
		return err
	case 'C':
		_, err := d.take(1)
		return err
	case 'Z':
		return nil
	case 'T', 'F':
		return setNumber(v, 'U', []byte{map[byte]byte{'T': 1}[marker]})
	}
	w := width(marker)
	if w == 0 {
		return fmt.Errorf("marker %q is not known", marker)
	}
	b, err := d.take(w)
	if err != nil {
		return err
	}
	return setNumber(v, marker, b)
}

func mismatch(what string, v reflect.Value) error {
	return fmt.Errorf("%s where %s should be", what, v.Type())
}

func setNumber(v reflect.Value, marker byte, b []byte) error {
	if !v.IsValid() {
		return nil
	}
	n, f := number(marker, b)
	switch v.Kind() {
	case reflect.Int32, reflect.Int64:
		if v.OverflowInt(n) || marker == 'd' || marker == 'D' {
			return mismatch(fmt.Sprint(f), v)
		}
		v.SetInt(n)
	case reflect.Float32, reflect.Float64:
		v.SetFloat(f)
	case reflect.Bool:
		v.SetBool(n != 0)
	default:
		return mismatch("a number", v)
	}
	return nil
}

// counted reads the optional type and count of a container: marker 0 and count -1 when absent.
func (d *ubjson) counted() (marker byte, n int64, err error) {
	n = -1
	if d.pos < len(d.data) && d.data[d.pos] == '$' {
		d.pos++
		b, err := d.take(1)
		if err != nil {
			return 0, 0, err
		}
		marker = b[0]
		if d.pos >= len(d.data) || d.data[d.pos] != '#' {
			return 0, 0, fmt.Errorf("a typed container without count")
		}
	}
	if d.pos < len(d.data) && d.data[d.pos] == '#' {
		d.pos++
		if n, err = d.length(); err != nil {
			return 0, 0, err
		}
		// Every item takes a byte at least, but for typed ones of no width, which nothing here needs.
		if n > int64(len(d.data)-d.pos) {
			return 0, 0, fmt.Errorf("a count of %d goes over the end of the file", n)
		}
		if marker == 'Z' || marker == 'T' || marker == 'F' || marker == 'N' {
			return 0, 0, fmt.Errorf("a container of markers %q", marker)
		}
	}
	return marker, n, nil
}

// more tells whether a container goes on after i items.
func (d *ubjson) more(i, n int64, end byte) (bool, error) {
	if n >= 0 {
		return i < n, nil
	}
	if d.pos >= len(d.data) {
		return false, fmt.Errorf("the file ends inside a container")
	}
	if d.data[d.pos] == end {
		d.pos++
		return false, nil
	}
	return true, nil
}

func (d *ubjson) object(v reflect.Value, depth int) error {
	if d.objects++; d.objects > maxObjects {
		return fmt.Errorf("it has more than %d objects", maxObjects)
	}
	marker, n, err := d.counted()
	if err != nil {
		return err
	}
	if v.IsValid() && v.Kind() != reflect.Struct && v.Kind() != reflect.Map {
		return mismatch("an object", v)
	}
	for i := int64(0); ; i++ {
		if more, err := d.more(i, n, '}'); !more || err != nil {
			return err
		}
		key, err := d.text()
		if err != nil {
			return err
		}
		var member reflect.Value
		if v.IsValid() && v.Kind() == reflect.Struct {
			member = field(v, key)
		}
		if v.IsValid() && v.Kind() == reflect.Map {
			member = reflect.New(v.Type().Elem()).Elem()
		}
		if err := d.value(member, marker, depth+1); err != nil {
			return fmt.Errorf("%.40s: %w", key, err)
		}
		if v.IsValid() && v.Kind() == reflect.Map {
			if v.IsNil() {
				v.Set(reflect.MakeMap(v.Type()))
			}
			v.SetMapIndex(reflect.ValueOf(key), member)
		}
	}
}

// field finds the field of a struct by its JSON name.
func field(v reflect.Value, key string) reflect.Value {
	t := v.Type()
	for i := range t.NumField() {
		if name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ","); name == key {
			return v.Field(i)
		}
	}
	return reflect.Value{}
}

func (d *ubjson) array(v reflect.Value, depth int) error {
	marker, n, err := d.counted()
	if err != nil {
		return err
	}
	if v.IsValid() && v.Kind() != reflect.Slice {
		return mismatch("an array", v)
	}
	if marker != 0 && width(marker) > 0 {
		return d.numbers(v, marker, n)
	}
	if v.IsValid() {
		v.SetLen(0)
	}
	for i := int64(0); ; i++ {
		if more, err := d.more(i, n, ']'); !more || err != nil {
			return err
		}
		var item reflect.Value
		if v.IsValid() {
			if v.Len() == v.Cap() {
				v.Grow(1)
			}
			v.SetLen(v.Len() + 1)
			item = v.Index(v.Len() - 1)
			item.SetZero()
			if item.Kind() == reflect.Struct { // null takes its room too
				if d.objects++; d.objects > maxObjects {
					return fmt.Errorf("it has more than %d objects", maxObjects)
				}
			}
		}
		if err := d.value(item, marker, depth+1); err != nil {
			return err
		}
	}
}

// numbers reads an array whose items all have one numeric type.
func (d *ubjson) numbers(v reflect.Value, marker byte, n int64) error {
	w := width(marker)
	if n > int64(len(d.data)) { // so that the product cannot overflow
		return fmt.Errorf("a count of %d goes over the end of the file", n)
	}
	b, err := d.take(n * w)
	if err != nil || !v.IsValid() {
		return err
	}
	v.Set(reflect.MakeSlice(v.Type(), int(n), int(n)))
	switch out := v.Interface().(type) { // the two that large files have, without reflection
	case []real:
		if marker == 'd' {
			for i := range out {
				out[i] = real(math.Float32frombits(binary.BigEndian.Uint32(b[4*i:])))
			}
			return nil
		}
	case []int32:
		if marker == 'l' {
			for i := range out {
				out[i] = int32(binary.BigEndian.Uint32(b[4*i:]))
			}
			return nil
		}
	}
	for i := range n {
		if err := setNumber(v.Index(int(i)), marker, b[i*w:(i+1)*w]); err != nil {
			return err
		}
	}
	return nil
}
