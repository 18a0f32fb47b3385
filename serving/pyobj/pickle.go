package pyobj

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"unicode/utf8"
)

// ReadPickle reads one pickle of protocol 0 to 5. Errors say at which byte and why; they wrap ErrUnsafe
// when the file is over a limit or contains itself.
func ReadPickle(data []byte, lim Limits) (Value, error) {
	lim = lim.orDefault()
	if int64(len(data)) > lim.Bytes {
		return nil, refusef("the pickle has %d bytes, the limit is %d", len(data), lim.Bytes)
	}
	u := &unpickler{data: data, lim: lim, memo: map[int]Value{}}
	root, err := u.run()
	if err != nil {
		return nil, fmt.Errorf("pickle, byte %d: %w", u.pos, err)
	}
	if err := checkGraph(root, lim); err != nil {
		return nil, fmt.Errorf("pickle: %w", err)
	}
	return root, nil
}

type unpickler struct {
	data  []byte
	pos   int
	lim   Limits
	stack []Value
	marks []int
	memo  map[int]Value
	nodes int64
}

func (u *unpickler) take(n int64) ([]byte, error) {
	if n < 0 || n > int64(len(u.data)-u.pos) {
		return nil, fmt.Errorf("a length of %d goes over the end of the file", n)
	}
	b := u.data[u.pos : u.pos+int(n)]
	u.pos += int(n)
	return b, nil
}

func (u *unpickler) line() (string, error) {
	i := bytes.IndexByte(u.data[u.pos:], '\n')
	if i < 0 {
		return "", fmt.Errorf("a line goes over the end of the file")
	}
	s := string(u.data[u.pos : u.pos+i])
	u.pos += i + 1
	return s, nil
}

// number reads a little-endian unsigned length of n bytes.
func (u *unpickler) number(n int64) (int64, error) {
	b, err := u.take(n)
	if err != nil {
		return 0, err
	}
	var v uint64
	for i, c := range b {
		v |= uint64(c) << (8 * i)
	}
	if v > math.MaxInt64 {
		return 0, fmt.Errorf("a length of %d goes over the end of the file", v)
	}
	return int64(v), nil
}

func (u *unpickler) sized(n int64) ([]byte, error) {
	length, err := u.number(n)
	if err != nil {
		return nil, err
	}
	return u.take(length)
}

func (u *unpickler) push(v Value) error {
	u.nodes++
	if u.nodes > u.lim.Nodes {
		return refusef("more than %d values", u.lim.Nodes)
	}
	u.stack = append(u.stack, v)
	return nil
}

// floor is the lowest stack index that may be popped: just above the newest mark.
func (u *unpickler) floor() int {
	if len(u.marks) == 0 {
		return 0
	}
	return u.marks[len(u.marks)-1]
}

func (u *unpickler) pop() (Value, error) {
	if len(u.stack) <= u.floor() {
		return nil, fmt.Errorf("the stack is empty")
	}
	v := u.stack[len(u.stack)-1]
	u.stack = u.stack[:len(u.stack)-1]
	return v, nil
}

func (u *unpickler) top() (Value, error) {
	if len(u.stack) <= u.floor() {
		return nil, fmt.Errorf("the stack is empty")
	}
	return u.stack[len(u.stack)-1], nil
}

// popMark returns the values above the newest mark.
func (u *unpickler) popMark() ([]Value, error) {
	if len(u.marks) == 0 {
		return nil, fmt.Errorf("no mark on the stack")
	}
	at := u.marks[len(u.marks)-1]
	u.marks = u.marks[:len(u.marks)-1]
	items := append([]Value(nil), u.stack[at:]...)
	u.stack = u.stack[:at]
	return items, nil
}

func (u *unpickler) pops(n int) ([]Value, error) {
	if len(u.stack)-u.floor() < n {
		return nil, fmt.Errorf("the stack is empty")
	}
	at := len(u.stack) - n
	items := append([]Value(nil), u.stack[at:]...)
	u.stack = u.stack[:at]
	return items, nil
}

func (u *unpickler) run() (Value, error) {
	for {
		if u.pos >= len(u.data) {
			return nil, fmt.Errorf("the file ends before the pickle's end")
		}
		op := u.data[u.pos]
		u.pos++
		if op == '.' {
			return u.pop()
		}
		if err := u.step(op); err != nil {
			return nil, err
		}
	}
}

func (u *unpickler) step(op byte) error {
	switch op {
	case 0x80: // PROTO
		b, err := u.take(1)
		if err == nil && b[0] > 5 {
			err = fmt.Errorf("pickle protocol %d is not known", b[0])
		}
		return err
	case 0x95: // FRAME: only a hint for buffering, its length is checked all the same
		n, err := u.number(8)
		if err == nil && n > int64(len(u.data)-u.pos) {
			err = fmt.Errorf("a frame of %d bytes goes over the end of the file", n)
		}
		return err
	case '(':
		u.marks = append(u.marks, len(u.stack))
		u.nodes++
		return nil
	case '0': // POP
		if n := len(u.marks); n > 0 && len(u.stack) == u.marks[n-1] {
			u.marks = u.marks[:n-1]
			return nil
		}
		_, err := u.pop()
		return err
	case '1': // POP_MARK
		_, err := u.popMark()
		return err
	case '2': // DUP
		v, err := u.top()
		if err != nil {
			return err
		}
		return u.push(v)
	case 'P', 'Q':
		return fmt.Errorf("persistent ids are not supported")
	case 0x82, 0x83, 0x84:
		return fmt.Errorf("extension codes are not supported")
	case 0x97, 0x98:
		return fmt.Errorf("out-of-band buffers are not supported")
	}
	for _, group := range []func(byte) (bool, error){u.stepScalar, u.stepContainer, u.stepMemo, u.stepObject} {
		if done, err := group(op); done || err != nil {
			return err
		}
	}
	return fmt.Errorf("opcode 0x%02x is not known", op)
}

// stepScalar handles the opcodes of numbers, strings and bytes.
func (u *unpickler) stepScalar(op byte) (bool, error) {
	var v Value
	var b []byte
	var err error
	switch op {
	case 'N':
		v = nil
	case 0x88:
		v = true
	case 0x89:
		v = false
	case 'K':
		var n int64
		n, err = u.number(1)
		v = n
	case 'M':
		var n int64
		n, err = u.number(2)
		v = n
	case 'J':
		var n int64
		n, err = u.number(4)
		v = int64(int32(uint32(n)))
	case 0x8a, 0x8b: // LONG1, LONG4
		width := int64(1)
		if op == 0x8b {
			width = 4
		}
		if b, err = u.sized(width); err == nil {
			v, err = littleInt(b)
		}
	case 'I', 'L':
		v, err = u.decimal(op)
	case 'F':
		var s string
		if s, err = u.line(); err == nil {
			v, err = strconv.ParseFloat(s, 64)
		}
	case 'G':
		if b, err = u.take(8); err == nil {
			v = math.Float64frombits(binary.BigEndian.Uint64(b))
		}
	case 'X', 0x8c, 0x8d: // BINUNICODE, SHORT_BINUNICODE, BINUNICODE8
		if b, err = u.sized(lengthWidth(op)); err == nil {
			v, err = text(b)
		}
	case 'V':
		var s string
		if s, err = u.line(); err == nil {
			v, err = rawUnicode(s)
		}
	case 'S':
		var s string
		if s, err = u.line(); err == nil {
			v, err = quoted(s)
		}
	case 'T', 'U': // BINSTRING, SHORT_BINSTRING: Python 2 text
		if b, err = u.sized(lengthWidth(op)); err == nil {
			v = latin1(b)
		}
	case 'B', 'C', 0x8e, 0x96: // BINBYTES, SHORT_BINBYTES, BINBYTES8, BYTEARRAY8
		if b, err = u.sized(lengthWidth(op)); err == nil {
			v = Bytes(b)
		}
	default:
		return false, nil
	}
	if err != nil {
		return true, err
	}
	return true, u.push(v)
}

// lengthWidth is how many bytes the length after a string or bytes opcode takes.
func lengthWidth(op byte) int64 {
	switch op {
	case 'U', 'C', 0x8c:
		return 1
	case 0x8d, 0x8e, 0x96:
		return 8
	}
	return 4
}

func (u *unpickler) decimal(op byte) (Value, error) {
	s, err := u.line()
	if err != nil {
		return nil, err
	}
	if op == 'I' && s == "01" {
		return true, nil
	}
	if op == 'I' && s == "00" {
		return false, nil
	}
	if n := len(s); op == 'L' && n > 0 && s[n-1] == 'L' {
		s = s[:n-1]
	}
	if i, err := strconv.ParseInt(s, 10, 64); err == nil {
		return i, nil
	}
	if len(s) > 10_000 {
		return nil, refusef("an integer of %d digits", len(s))
	}
	i, ok := new(big.Int).SetString(s, 10)
	if !ok {
		return nil, fmt.Errorf("%.40q is no integer", s)
	}
	return i, nil
}

func littleInt(b []byte) (Value, error) {
	if len(b) <= 8 {
		var x uint64
		for i, c := range b {
			x |= uint64(c) << (8 * i)
		}
		if len(b) == 0 {
			return int64(0), nil
		}
		shift := uint(64 - 8*len(b))
		return int64(x<<shift) >> shift, nil
	}
	if len(b) > 1<<16 {
		return nil, refusef("an integer of %d bytes", len(b))
	}
	be := make([]byte, len(b))
	for i, c := range b {
		be[len(b)-1-i] = c
	}
	n := new(big.Int).SetBytes(be)
	if be[0]&0x80 != 0 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
	return n, nil
}

func text(b []byte) (Value, error) {
	// Python may pickle lone surrogates; they become the replacement character, which equals no real text.
	if !utf8.Valid(b) {
		return string(bytes.ToValidUTF8(b, []byte("\uFFFD"))), nil
	}
	return string(b), nil
}

func latin1(b []byte) string {
	out := make([]byte, 0, len(b))
	for _, c := range b {
		out = utf8.AppendRune(out, rune(c))
	}
	return string(out)
}

// rawUnicode decodes the raw-unicode-escape text of protocol 0.
func rawUnicode(s string) (Value, error) {
	var out []byte
	for i := 0; i < len(s); {
		n := 0
		if s[i] == '\\' && i+1 < len(s) {
			switch s[i+1] {
			case 'u':
				n = 4
			case 'U':
				n = 8
			}
		}
		if n == 0 {
			out = utf8.AppendRune(out, rune(s[i]))
			i++
			continue
		}
		if i+2+n > len(s) {
			return nil, fmt.Errorf("a unicode escape is cut short")
		}
		r, err := strconv.ParseUint(s[i+2:i+2+n], 16, 32)
		if err != nil {
			return nil, fmt.Errorf("a unicode escape is not hexadecimal")
		}
		out = utf8.AppendRune(out, rune(r))
		i += 2 + n
	}
	return string(out), nil
}

// quoted decodes the repr-like text of protocol 0's STRING.
func quoted(s string) (Value, error) {
	if len(s) < 2 || s[0] != s[len(s)-1] || (s[0] != '\'' && s[0] != '"') {
		return nil, fmt.Errorf("a string is not quoted")
	}
	quote, body := s[0], s[1:len(s)-1]
	var out []byte
	for body != "" {
		r, multibyte, tail, err := strconv.UnquoteChar(body, quote)
		if err != nil {
			// Python's repr escapes only one kind of quote; take the character as it stands.
			out, body = append(out, body[0]), body[1:]
			continue
		}
		_ = multibyte
		out, body = utf8.AppendRune(out, r), tail
	}
	return string(out), nil
}
