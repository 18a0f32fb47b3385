package onnx

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/prinzbox/prinzbox/serving/trees"
)

// The messages of onnx.proto that a model for scoring has, as far as they matter here. Field numbers are ONNX's.

type modelProto struct {
	graph   *graphProto
	domains map[string]int64 // opset by domain
}

type graphProto struct {
	nodes   []*nodeProto
	tensors []*tensorProto // initializers
	inputs  []valueInfo
	outputs []valueInfo
}

type nodeProto struct {
	name, op, domain string
	inputs, outputs  []string
	attrs            map[string]*attrProto
}

type attrProto struct {
	name    string
	f       float32
	i       int64
	s       []byte
	t       *tensorProto
	floats  []float32
	ints    []int64
	strings [][]byte
	graph   *graphProto
	used    bool
}

type tensorProto struct {
	name     string
	dims     []int64
	dtype    int32
	floats   []float32
	ints32   []int64
	strings  [][]byte
	ints64   []int64
	doubles  []float64
	raw      []byte
	external map[string]string // where the data is, if in a file of its own
}

type valueInfo struct {
	name  string
	dtype int32 // 0: no tensor
	shape []int // -1 where it is free; nil when nothing is said
	ranks bool  // a shape is given
}

var errTruncated = errors.New("the file is cut off or no ONNX model")

// fields calls fn with each field of a message. number is the field's, v its value if it is a number, b its bytes otherwise.
func fields(b []byte, fn func(number protowire.Number, kind protowire.Type, v uint64, b []byte) error) error {
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return errTruncated
		}
		b = b[n:]
		var v uint64
		var bytes []byte
		switch kind {
		case protowire.VarintType:
			v, n = protowire.ConsumeVarint(b)
		case protowire.Fixed32Type:
			var v32 uint32
			v32, n = protowire.ConsumeFixed32(b)
			v = uint64(v32)
		case protowire.Fixed64Type:
			v, n = protowire.ConsumeFixed64(b)
		case protowire.BytesType:
			bytes, n = protowire.ConsumeBytes(b)
		default:
			n = protowire.ConsumeFieldValue(number, kind, b)
		}
		if n < 0 {
			return errTruncated
		}
		if err := fn(number, kind, v, bytes); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

// varints appends a repeated integer field, packed or not.
func varints(to []int64, kind protowire.Type, v uint64, b []byte) ([]int64, error) {
	if kind != protowire.BytesType {
		return append(to, int64(v)), nil
	}
	for len(b) > 0 {
		v, n := protowire.ConsumeVarint(b)
		if n < 0 {
			return nil, errTruncated
		}
		to, b = append(to, int64(v)), b[n:]
	}
	return to, nil
}

func floats32(to []float32, kind protowire.Type, v uint64, b []byte) ([]float32, error) {
	if kind != protowire.BytesType {
		return append(to, math.Float32frombits(uint32(v))), nil
	}
	if len(b)%4 != 0 {
		return nil, errTruncated
	}
	for ; len(b) > 0; b = b[4:] {
		to = append(to, math.Float32frombits(binary.LittleEndian.Uint32(b)))
	}
	return to, nil
}

func floats64(to []float64, kind protowire.Type, v uint64, b []byte) ([]float64, error) {
	if kind != protowire.BytesType {
		return append(to, math.Float64frombits(v)), nil
	}
	if len(b)%8 != 0 {
		return nil, errTruncated
	}
	for ; len(b) > 0; b = b[8:] {
		to = append(to, math.Float64frombits(binary.LittleEndian.Uint64(b)))
	}
	return to, nil
}

func parseModel(b []byte) (*modelProto, error) {
	m := &modelProto{domains: map[string]int64{}}
	err := fields(b, func(number protowire.Number, _ protowire.Type, _ uint64, b []byte) (err error) {
		switch number {
		case 7:
			m.graph, err = parseGraph(b)
		case 8:
			var domain string
			var version int64
			err = fields(b, func(number protowire.Number, _ protowire.Type, v uint64, b []byte) error {
				switch number {
				case 1:
					domain = string(b)
				case 2:
					version = int64(v)
				}
				return nil
			})
			m.domains[domain] = version
		case 25:
			return unsupported("functions defined in the model")
		}
		return err
	})
	if err == nil && m.graph == nil {
		err = errTruncated
	}
	return m, err
}

func parseGraph(b []byte) (*graphProto, error) {
	g := &graphProto{}
	return g, fields(b, func(number protowire.Number, _ protowire.Type, _ uint64, b []byte) error {
		switch number {
		case 1:
			n, err := parseNode(b)
			g.nodes = append(g.nodes, n)
			return err
		case 5:
			t, err := parseTensor(b)
			g.tensors = append(g.tensors, t)
			return err
		case 11, 12:
			v, err := parseValueInfo(b)
			if number == 11 {
				g.inputs = append(g.inputs, v)
			} else {
				g.outputs = append(g.outputs, v)
			}
			return err
		case 15:
			return unsupported("sparse initializers")
		}
		return nil
	})
}

func parseNode(b []byte) (*nodeProto, error) {
	n := &nodeProto{attrs: map[string]*attrProto{}}
	return n, fields(b, func(number protowire.Number, _ protowire.Type, _ uint64, b []byte) error {
		switch number {
		case 1:
			n.inputs = append(n.inputs, string(b))
		case 2:
			n.outputs = append(n.outputs, string(b))
		case 3:
			n.name = string(b)
		case 4:
			n.op = string(b)
		case 5:
			a, err := parseAttr(b)
			if err != nil {
				return err
			}
			n.attrs[a.name] = a
		case 7:
			n.domain = string(b)
		}
		return nil
	})
}

func parseAttr(b []byte) (*attrProto, error) {
	a := &attrProto{}
	return a, fields(b, func(number protowire.Number, kind protowire.Type, v uint64, b []byte) (err error) {
		switch number {
		case 1:
			a.name = string(b)
		case 2:
			a.f = math.Float32frombits(uint32(v))
		case 3:
			a.i = int64(v)
		case 4:
			a.s = b
		case 5:
			a.t, err = parseTensor(b)
		case 6:
			a.graph, err = parseGraph(b)
		case 7:
			a.floats, err = floats32(a.floats, kind, v, b)
		case 8:
			a.ints, err = varints(a.ints, kind, v, b)
		case 9:
			a.strings = append(a.strings, b)
		}
		return err
	})
}

func parseTensor(b []byte) (*tensorProto, error) {
	t := &tensorProto{}
	return t, fields(b, func(number protowire.Number, kind protowire.Type, v uint64, b []byte) (err error) {
		switch number {
		case 1:
			t.dims, err = varints(t.dims, kind, v, b)
		case 2:
			t.dtype = int32(v)
		case 4:
			t.floats, err = floats32(t.floats, kind, v, b)
		case 5:
			t.ints32, err = varints(t.ints32, kind, v, b)
		case 6:
			t.strings = append(t.strings, b)
		case 7:
			t.ints64, err = varints(t.ints64, kind, v, b)
		case 8:
			t.name = string(b)
		case 9:
			t.raw = b
		case 10:
			t.doubles, err = floats64(t.doubles, kind, v, b)
		case 13:
			var key, value string
			err = fields(b, func(number protowire.Number, _ protowire.Type, _ uint64, b []byte) error {
				switch number {
				case 1:
					key = string(b)
				case 2:
					value = string(b)
				}
				return nil
			})
			if t.external == nil {
				t.external = map[string]string{}
			}
			t.external[key] = value
		}
		return err
	})
}

func parseValueInfo(b []byte) (valueInfo, error) {
	var v valueInfo
	return v, fields(b, func(number protowire.Number, _ protowire.Type, _ uint64, b []byte) error {
		switch number {
		case 1:
			v.name = string(b)
		case 2: // type
			return fields(b, func(number protowire.Number, _ protowire.Type, _ uint64, b []byte) error {
				if number != 1 {
					return nil // a sequence or a map: only outputs have those
				}
				return fields(b, v.tensorType)
			})
		}
		return nil
	})
}

func (v *valueInfo) tensorType(number protowire.Number, _ protowire.Type, value uint64, b []byte) error {
	switch number {
	case 1:
		v.dtype = int32(value)
	case 2: // shape
		v.ranks = true
		return fields(b, func(_ protowire.Number, _ protowire.Type, _ uint64, b []byte) error {
			size := -1
			err := fields(b, func(number protowire.Number, _ protowire.Type, n uint64, _ []byte) error {
				if number == 1 {
					size = int(int64(n))
				}
				return nil
			})
			v.shape = append(v.shape, size)
			return err
		})
	}
	return nil
}

// unsupported is an error about what this engine does not do.
func unsupported(format string, args ...any) error {
	return trees.Unsupportedf("%s is not supported", fmt.Sprintf(format, args...))
}
