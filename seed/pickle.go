package seed

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
)

// This file writes Python pickles, protocol 4 (Python 3.4 and later), of the few kinds of values that fitted
// scikit-learn estimators hold: None, bool, int, float, string, [pyTuple], [pyList], [pyDict], [pyGlobal], [pyCall],
// [pyObject], and numpy arrays as []float64, []int32 and []string. Arrays are spelled numpy.core.multiarray, which numpy 1
// needs and numpy 2 keeps, without a warning, for just this purpose.

type (
	pyTuple  []any
	pyList   []any
	pyDict   []pyItem
	pyItem   struct{ key, value any }
	pyGlobal struct{ module, name string }
	// pyCall is what a callable returns for its arguments, with its state set when state is not nil.
	pyCall struct {
		function pyGlobal
		args     pyTuple
		state    any
	}
	// pyObject is an instance made without __init__, with these attributes.
	pyObject struct {
		class pyGlobal
		attrs pyDict
	}
	// pyMatrix is a two-dimensional array of one row.
	pyMatrix []float64
)

// Opcodes of the pickle protocol.
const (
	opProto           = 0x80
	opStop            = '.'
	opNone            = 'N'
	opTrue            = 0x88
	opFalse           = 0x89
	opBinInt          = 'J'
	opBinInt1         = 'K'
	opBinFloat        = 'G'
	opShortBinUnicode = 0x8c
	opBinUnicode      = 'X'
	opShortBinBytes   = 'C'
	opBinBytes        = 'B'
	opMark            = '('
	opTuple           = 't'
	opEmptyTuple      = ')'
	opEmptyList       = ']'
	opAppends         = 'e'
	opEmptyDict       = '}'
	opSetItems        = 'u'
	opStackGlobal     = 0x93
	opReduce          = 'R'
	opNewObj          = 0x81
	opBuild           = 'b'
)

// pickle returns the bytes of v. It panics on a kind of value it does not know, which only a mistake in this package
// can bring about.
func pickle(v any) []byte {
	w := &pickler{}
	w.WriteByte(opProto)
	w.WriteByte(4)
	w.value(v)
	w.WriteByte(opStop)
	return w.Bytes()
}

type pickler struct{ bytes.Buffer }

func (w *pickler) value(v any) {
	switch v := v.(type) {
	case nil:
		w.WriteByte(opNone)
	case bool:
		if v {
			w.WriteByte(opTrue)
		} else {
			w.WriteByte(opFalse)
		}
	case int:
		w.integer(v)
	case float64:
		w.WriteByte(opBinFloat)
		w.Write(binary.BigEndian.AppendUint64(nil, math.Float64bits(v)))
	case string:
		w.counted(opShortBinUnicode, opBinUnicode, v)
	case []byte:
		w.counted(opShortBinBytes, opBinBytes, string(v))
	case pyTuple:
		w.tuple(v)
	case pyList:
		w.WriteByte(opEmptyList)
		if len(v) > 0 {
			w.WriteByte(opMark)
			for _, e := range v {
				w.value(e)
			}
			w.WriteByte(opAppends)
		}
	case pyDict:
		w.dict(v)
	case pyGlobal:
		w.value(v.module)
		w.value(v.name)
		w.WriteByte(opStackGlobal)
	case pyCall:
		w.value(v.function)
		w.tuple(v.args)
		w.WriteByte(opReduce)
		if v.state != nil {
			w.value(v.state)
			w.WriteByte(opBuild)
		}
	case pyObject:
		w.value(v.class)
		w.WriteByte(opEmptyTuple)
		w.WriteByte(opNewObj)
		w.dict(v.attrs)
		w.WriteByte(opBuild)
	case []float64:
		w.array(pyTuple{len(v)}, dtype("f8"), floatBytes(v))
	case pyMatrix:
		w.array(pyTuple{1, len(v)}, dtype("f8"), floatBytes(v))
	case []int32:
		var data []byte
		for _, e := range v {
			data = binary.LittleEndian.AppendUint32(data, uint32(e))
		}
		w.array(pyTuple{len(v)}, dtype("i4"), data)
	case []string:
		w.array(pyTuple{len(v)}, dtype("O8"), objects(v))
	default:
		panic(fmt.Sprintf("seed: no pickle for a %T", v))
	}
}

func (w *pickler) integer(v int) {
	switch {
	case v >= 0 && v < 1<<8:
		w.WriteByte(opBinInt1)
		w.WriteByte(byte(v))
	case v == int(int32(v)):
		w.WriteByte(opBinInt)
		w.Write(binary.LittleEndian.AppendUint32(nil, uint32(v)))
	default:
		panic("seed: an integer beyond 32 bits")
	}
}

func (w *pickler) counted(short, long byte, s string) {
	if len(s) < 1<<8 {
		w.WriteByte(short)
		w.WriteByte(byte(len(s)))
	} else {
		w.WriteByte(long)
		w.Write(binary.LittleEndian.AppendUint32(nil, uint32(len(s))))
	}
	w.WriteString(s)
}

func (w *pickler) tuple(t pyTuple) {
	if len(t) == 0 {
		w.WriteByte(opEmptyTuple)
		return
	}
	w.WriteByte(opMark)
	for _, e := range t {
		w.value(e)
	}
	w.WriteByte(opTuple)
}

func (w *pickler) dict(d pyDict) {
	w.WriteByte(opEmptyDict)
	if len(d) == 0 {
		return
	}
	w.WriteByte(opMark)
	for _, item := range d {
		w.value(item.key)
		w.value(item.value)
	}
	w.WriteByte(opSetItems)
}

// array writes a numpy array in C order: an empty one, then its state.
func (w *pickler) array(shape pyTuple, kind pyCall, data any) {
	w.value(pyCall{
		function: pyGlobal{"numpy.core.multiarray", "_reconstruct"},
		args:     pyTuple{pyGlobal{"numpy", "ndarray"}, pyTuple{0}, []byte("b")},
		state:    pyTuple{1, shape, kind, false, data},
	})
}

// dtype is numpy's description of an array's elements: f8 and i4 in little-endian order, O8 for Python objects.
func dtype(code string) pyCall {
	state := pyTuple{3, "<", nil, nil, nil, -1, -1, 0}
	if code == "O8" {
		state = pyTuple{3, "|", nil, nil, nil, -1, -1, 63}
	}
	return pyCall{function: pyGlobal{"numpy", "dtype"}, args: pyTuple{code, false, true}, state: state}
}

func floatBytes(v []float64) []byte {
	data := make([]byte, 0, 8*len(v))
	for _, e := range v {
		data = binary.LittleEndian.AppendUint64(data, math.Float64bits(e))
	}
	return data
}

func objects(v []string) pyList {
	list := make(pyList, len(v))
	for i, s := range v {
		list[i] = s
	}
	return list
}
