package pyobj

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
)

// ReadNPY reads numpy's .npy format, versions 1 to 3. Object arrays are refused: they hold a pickle.
func ReadNPY(data []byte) (*Array, error) {
	if len(data) < 10 || !bytes.HasPrefix(data, []byte("\x93NUMPY")) {
		return nil, fmt.Errorf("npy: no such file")
	}
	var header []byte
	switch version := data[6]; version {
	case 1:
		n := int(binary.LittleEndian.Uint16(data[8:]))
		if n > len(data)-10 {
			return nil, fmt.Errorf("npy: the header goes over the end of the file")
		}
		header, data = data[10:10+n], data[10+n:]
	case 2, 3:
		if len(data) < 12 {
			return nil, fmt.Errorf("npy: the header goes over the end of the file")
		}
		n := int64(binary.LittleEndian.Uint32(data[8:]))
		if n > int64(len(data)-12) {
			return nil, fmt.Errorf("npy: the header goes over the end of the file")
		}
		header, data = data[12:12+n], data[12+n:]
	default:
		return nil, fmt.Errorf("npy: version %d is not known", version)
	}
	if len(header) > 1<<20 {
		return nil, refusef("npy: a header of %d bytes", len(header))
	}
	p := literal{text: string(header)}
	v, err := p.value(0)
	if err != nil {
		return nil, fmt.Errorf("npy: header: %w", err)
	}
	d, ok := v.(*Dict)
	if !ok {
		return nil, fmt.Errorf("npy: the header is no dict")
	}
	descr, _ := d.Get("descr")
	dtype, err := descrType(descr)
	if err != nil {
		return nil, fmt.Errorf("npy: %w", err)
	}
	dims, _ := d.Get("shape")
	shape, err := shapeOf(dims)
	if err != nil {
		return nil, fmt.Errorf("npy: %w", err)
	}
	fortran, _ := d.Get("fortran_order")
	order, _ := fortran.(bool)
	if dtype.Kind == 'O' {
		return nil, fmt.Errorf("npy: object arrays are not supported")
	}
	a, err := newArray(dtype, shape, order, Bytes(data))
	if err != nil {
		return nil, fmt.Errorf("npy: %w", err)
	}
	return a, nil
}

// descrType reads a type string, or the list of (name, type) of a structure; padding has an empty name.
func descrType(v Value) (*DType, error) {
	switch v := v.(type) {
	case string:
		return ParseDType(v)
	case *List:
		d := &DType{Kind: 'V'}
		for _, item := range v.Items {
			t, ok := item.(*Tuple)
			if !ok || len(t.Items) != 2 {
				return nil, fmt.Errorf("a member of the structure is not understood")
			}
			name, _ := t.Items[0].(string)
			text, ok := t.Items[1].(string)
			if !ok {
				return nil, fmt.Errorf("member %q of the structure is not understood", name)
			}
			sub, err := ParseDType(text)
			if err != nil {
				return nil, err
			}
			if sub.Kind == 'O' {
				return nil, fmt.Errorf("member %q is an object", name)
			}
			if name != "" {
				d.Fields = append(d.Fields, Field{name, d.Size, sub})
			}
			d.Size += sub.Size
		}
		return d, nil
	}
	return nil, fmt.Errorf("the type is %s", TypeName(v))
}

// literal parses the small part of Python's literals that a header holds.
type literal struct {
	text string
	pos  int
}

func (p *literal) blank() {
	for p.pos < len(p.text) && strings.IndexByte(" \t\r\n\x00", p.text[p.pos]) >= 0 {
		p.pos++
	}
}

func (p *literal) accept(c byte) bool {
	p.blank()
	if p.pos < len(p.text) && p.text[p.pos] == c {
		p.pos++
		return true
	}
	return false
}

func (p *literal) value(depth int) (Value, error) {
	if depth > 8 {
		return nil, refusef("too deep")
	}
	p.blank()
	if p.pos >= len(p.text) {
		return nil, fmt.Errorf("it ends early")
	}
	switch c := p.text[p.pos]; c {
	case '{':
		p.pos++
		d := &Dict{}
		for !p.accept('}') {
			k, err := p.value(depth + 1)
			if err != nil {
				return nil, err
			}
			if !p.accept(':') {
				return nil, fmt.Errorf("':' is missing")
			}
			v, err := p.value(depth + 1)
			if err != nil {
				return nil, err
			}
			d.Entries = append(d.Entries, Entry{k, v})
			if !p.accept(',') {
				if !p.accept('}') {
					return nil, fmt.Errorf("'}' is missing")
				}
				break
			}
		}
		return d, nil
	case '(', '[':
		p.pos++
		closing := byte(')')
		if c == '[' {
			closing = ']'
		}
		var items []Value
		for !p.accept(closing) {
			v, err := p.value(depth + 1)
			if err != nil {
				return nil, err
			}
			items = append(items, v)
			if !p.accept(',') {
				if !p.accept(closing) {
					return nil, fmt.Errorf("'%c' is missing", closing)
				}
				break
			}
		}
		if c == '[' {
			return &List{Items: items}, nil
		}
		return &Tuple{Items: items}, nil
	case '\'', '"':
		end := strings.IndexByte(p.text[p.pos+1:], c)
		if end < 0 {
			return nil, fmt.Errorf("a string has no end")
		}
		s := p.text[p.pos+1 : p.pos+1+end]
		p.pos += end + 2
		return s, nil
	}
	start := p.pos
	for p.pos < len(p.text) && strings.IndexByte(",:)]} \t\r\n", p.text[p.pos]) < 0 {
		p.pos++
	}
	switch word := p.text[start:p.pos]; word {
	case "True":
		return true, nil
	case "False":
		return false, nil
	case "None":
		return nil, nil
	default:
		n, err := strconv.ParseInt(strings.TrimSuffix(word, "L"), 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%.40q is not understood", word)
		}
		return n, nil
	}
}
