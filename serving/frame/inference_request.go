package frame

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Inference is a request of the V2 protocol (KServe's Open Inference Protocol) as MLServer 1.7.1 reads it.
type Inference struct {
	// ID is empty when the request has none.
	ID string
	// ContentType is the request's own content type: pd, np, dict or empty.
	ContentType string
	// Params are the request's other parameters, without its headers.
	Params Members
	Inputs []InferenceInput
}

// InferenceInput is one tensor of a request.
type InferenceInput struct {
	Name     string
	Datatype string // BOOL, UINT8 … FP64, BYTES
	Shape    []int
	// ContentType is np, str, base64, datetime, pd_json, hg_jpeg or whatever else was sent; empty when there was none.
	ContentType string

	values Column // flat
	nested []int  // the shape of the lists that held the values; nil for a single value
	ragged bool
}

// Detail is one thing that is wrong with the form of a request, as MLServer's framework (pydantic) tells it with status 422.
type Detail struct {
	Type string         `json:"type"`
	Loc  []any          `json:"loc"`
	Msg  string         `json:"msg"`
	In   any            `json:"input"`
	Ctx  map[string]any `json:"ctx,omitempty"`
}

// FormError is a request that has not the form of an inference request.
type FormError struct{ Details []Detail }

func (e *FormError) Error() string {
	parts := make([]string, len(e.Details))
	for i, d := range e.Details {
		parts[i] = fmt.Sprint(d.Loc) + " " + d.Msg
	}
	return strings.Join(parts, "; ")
}

// maxDetails bounds what a FormError lists.
const maxDetails = 20

// inference collects what a request holds and what is wrong with it.
type inference struct {
	*scanner
	req     Inference
	details []Detail
}

func (p *inference) wrong(kind, msg string, input any, loc ...any) {
	if len(p.details) < maxDetails {
		p.details = append(p.details, Detail{Type: kind, Loc: append([]any{"body"}, loc...), Msg: msg, In: echo(input)})
	}
}

// echo is a value as a detail repeats it, cut where it is long.
func echo(v any) any {
	switch v := v.(type) {
	case []any:
		if len(v) > 10 {
			v = v[:10]
		}
		out := make([]any, len(v))
		for i := range v {
			out[i] = echo(v[i])
		}
		return out
	case Members:
		out := map[string]any{}
		for i, m := range v {
			if i == 10 {
				break
			}
			out[m.Key] = echo(m.Value)
		}
		return out
	case string:
		if len(v) > 200 {
			return strings.ToValidUTF8(v[:200], "") + "…"
		}
	case float64:
		if v != v || v > 1e308 || v < -1e308 {
			return PyRepr(v)
		}
	}
	return v
}

// DecodeInference reads a request body. Errors are *FormError.
func DecodeInference(data []byte) (*Inference, error) {
	p := &inference{scanner: &scanner{data: data}}
	if len(data) == 0 {
		p.wrong("missing", "Field required", nil)
		return nil, &FormError{p.details}
	}
	err := error(nil)
	switch {
	case !utf8.Valid(data):
		err = p.fail("the body is no UTF-8", 0)
	case p.peek() != '{':
		var v any
		if v, err = p.value(0); err == nil {
			p.wrong("model_attributes_type", "Input should be a valid dictionary or object to extract fields from", v)
		}
	default:
		err = p.body()
	}
	if err == nil {
		err = p.end()
	}
	if syntax, ok := errors.AsType[*SyntaxError](err); ok {
		p.details = []Detail{{Type: "json_invalid", Loc: []any{"body", syntax.Offset}, Msg: "JSON decode error", In: map[string]any{}, Ctx: map[string]any{"error": syntax.Error()}}}
	} else if err != nil {
		return nil, err
	}
	if p.details != nil {
		return nil, &FormError{p.details}
	}
	return &p.req, nil
}

func (p *inference) body() error {
	hasInputs := false
	var rest Members
	err := p.object(func(key string) error {
		switch key {
		case "inputs":
			hasInputs = true
			p.req.Inputs = nil
			if p.peek() != '[' {
				v, err := p.value(1)
				p.wrong("list_type", "Input should be a valid list", v, "inputs")
				return err
			}
			return p.array(func(i int) error { return p.input(i) })
		case "id":
			v, err := p.value(1)
			p.req.ID = p.text(v, "id")
			return err
		case "parameters":
			v, err := p.value(1)
			p.req.ContentType, p.req.Params = p.parameters(v, "parameters")
			return err
		}
		v, err := p.value(1)
		rest = append(rest, Member{key, v})
		return err
	})
	if err == nil && !hasInputs {
		p.wrong("missing", "Field required", rest, "inputs")
	}
	return err
}

// text checks an optional text.
func (p *inference) text(v any, loc ...any) string {
	s, ok := v.(string)
	if !ok && v != nil {
		p.wrong("string_type", "Input should be a valid string", v, loc...)
	}
	return s
}

// parameters splits a parameters object. MLServer hands the headers in it to nobody but its own middleware.
func (p *inference) parameters(v any, loc ...any) (contentType string, rest Members) {
	m, ok := v.(Members)
	if !ok {
		if v != nil {
			p.wrong("model_attributes_type", "Input should be a valid dictionary or object to extract fields from", v, loc...)
		}
		return "", nil
	}
	for _, member := range m {
		switch member.Key {
		case "content_type":
			contentType = p.text(member.Value, append(loc, "content_type")...)
		case "headers":
		default:
			rest = append(rest, member)
		}
	}
	return contentType, rest
}

var datatypes = []string{"BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64", "FP16", "FP32", "FP64", "BYTES"}

const datatypeList = "'BOOL', 'UINT8', 'UINT16', 'UINT32', 'UINT64', 'INT8', 'INT16', 'INT32', 'INT64', 'FP16', 'FP32', 'FP64' or 'BYTES'"

func (p *inference) input(i int) error {
	if p.peek() != '{' {
		v, err := p.value(2)
		p.wrong("model_attributes_type", "Input should be a valid dictionary or object to extract fields from", v, "inputs", i)
		return err
	}
	var in InferenceInput
	var has struct{ name, shape, datatype, data bool }
	var rest Members
	err := p.object(func(key string) error {
		if key == "data" {
			has.data = true
			in.values, in.nested, in.ragged = Column{}, nil, false
			return p.tensor(&in, 0)
		}
		v, err := p.value(2)
		if err != nil {
			return err
		}
		rest = append(rest, Member{key, v})
		switch key {
		case "name":
			has.name = true
			if v == nil {
				p.wrong("string_type", "Input should be a valid string", v, "inputs", i, "name")
			}
			in.Name = p.text(v, "inputs", i, "name")
		case "shape":
			has.shape = true
			in.Shape = p.shape(v, i)
		case "datatype":
			has.datatype = true
			in.Datatype, _ = v.(string)
			if !isDatatype(in.Datatype) {
				p.wrong("enum", "Input should be "+datatypeList, v, "inputs", i, "datatype")
				if len(p.details) > 0 {
					p.details[len(p.details)-1].Ctx = map[string]any{"expected": datatypeList}
				}
			}
		case "parameters":
			in.ContentType, _ = p.parameters(v, "inputs", i, "parameters")
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, field := range []struct {
		name string
		has  bool
	}{{"name", has.name}, {"shape", has.shape}, {"datatype", has.datatype}, {"data", has.data}} {
		if !field.has {
			p.wrong("missing", "Field required", rest, "inputs", i, field.name)
		}
	}
	p.req.Inputs = append(p.req.Inputs, in)
	return nil
}

func isDatatype(name string) bool { return slices.Contains(datatypes, name) }

func (p *inference) shape(v any, i int) []int {
	list, ok := v.([]any)
	if !ok {
		p.wrong("list_type", "Input should be a valid list", v, "inputs", i, "shape")
		return nil
	}
	out := make([]int, len(list))
	for j, item := range list {
		switch n := item.(type) {
		case int64:
			out[j] = int(n)
		case float64:
			if n == float64(int(n)) {
				out[j] = int(n)
				continue
			}
			p.wrong("int_from_float", "Input should be a valid integer, got a number with a fractional part", item, "inputs", i, "shape", j)
		default:
			p.wrong("int_type", "Input should be a valid integer", item, "inputs", i, "shape", j)
		}
	}
	return out
}

// tensor reads data, nested or flat, into one column.
func (p *inference) tensor(in *InferenceInput, depth int) error {
	if p.peek() != '[' {
		return p.cell(&in.values, false)
	}
	if depth > 16 {
		return p.fail("Nested too deep", p.pos)
	}
	start, began, n := p.pos, in.values.Len(), 0
	if len(in.nested) <= depth {
		in.nested = append(in.nested, -1)
	}
	err := p.array(func(i int) error {
		n++
		inner := p.peek() == '['
		if inner != (len(in.nested) > depth+1) && (in.values.Len() > began || i > 0) {
			in.ragged = true
		}
		if err := p.tensor(in, depth+1); err != nil {
			return err
		}
		if i == 0 && !inner && depth == 0 {
			in.values.reserve((len(p.data)-p.pos)/(p.pos-start+1) + 2)
		}
		return nil
	})
	if in.nested[depth] >= 0 && in.nested[depth] != n {
		in.ragged = true
	}
	in.nested[depth] = n
	return err
}

// reserve makes room for n values at most, as far as the column's kind is known.
func (c *Column) reserve(n int) {
	n = min(n, 1<<20)
	switch c.Kind {
	case Int:
		c.Ints = append(make([]int64, 0, n), c.Ints...)
	case Float:
		c.Floats = append(make([]float64, 0, n), c.Floats...)
	case String:
		c.Strings = append(make([]string, 0, n), c.Strings...)
	}
}
