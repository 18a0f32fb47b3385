// Package onnx evaluates ONNX models of classical machine learning: the operators of ai.onnx.ml and the base operators that converters from
// scikit-learn and boosting libraries emit. What it does not fully understand is an error when the model is loaded.
package onnx

import (
	"errors"
	"fmt"
	"maps"
	"strconv"
)

// kernel computes a node's outputs. An input that is left out is nil.
type kernel func(in []*tensor) ([]*tensor, error)

// nested is the kernel of a node with a graph inside.
type nested func(in []*tensor, work *int) ([]*tensor, error)

// step is a node in its place: where its inputs come from and its outputs go.
type step struct {
	name    string
	run     kernel
	nested  nested // in place of run
	in, out []int  // -1 for none
}

// graph is a model ready to run.
type graph struct {
	steps     []step
	constants map[int]*tensor
	slots     int
	inputs    []input
	outputs   []output
	last      []int // by slot, the step after which it is not needed
}

type input struct {
	name  string
	dtype dtype
	shape []int // -1 where it is free
	ranks bool  // a shape is declared
	slot  int
}

type output struct {
	name string
	slot int
}

// node is what an operator's builder sees.
type node struct {
	*nodeProto
	opset   int64
	domains map[string]int64
	// outer tells whether a name is computed outside, for graphs within a node; depth is how deep those lie in each other.
	outer func(name string) bool
	depth int
	// nested is set by the builder of an operator with a graph inside.
	nested nested
}

func (n *node) attr(name string) *attrProto {
	a := n.attrs[name]
	if a != nil {
		a.used = true
	}
	return a
}

func (n *node) int(name string, def int64) int64 {
	if a := n.attr(name); a != nil {
		return a.i
	}
	return def
}

func (n *node) float(name string, def float64) float64 {
	if a := n.attr(name); a != nil {
		return float64(a.f)
	}
	return def
}

func (n *node) text(name, def string) string {
	if a := n.attr(name); a != nil {
		return string(a.s)
	}
	return def
}

func (n *node) ints(name string) []int64 {
	if a := n.attr(name); a != nil {
		return a.ints
	}
	return nil
}

// floats is a list of numbers, also if it stands in a tensor (name_as_tensor), as models of doubles have it.
func (n *node) floats(name string) ([]float64, error) {
	if a := n.attr(name); a != nil {
		out := make([]float64, len(a.floats))
		for i, v := range a.floats {
			out[i] = float64(v)
		}
		return out, nil
	}
	if a := n.attr(name + "_as_tensor"); a != nil && a.t != nil {
		t, err := a.t.tensor()
		if err != nil {
			return nil, err
		}
		return t.floats(), nil
	}
	return nil, nil
}

func (n *node) strings(name string) []string {
	a := n.attr(name)
	if a == nil {
		return nil
	}
	out := make([]string, len(a.strings))
	for i, s := range a.strings {
		out[i] = string(s)
	}
	return out
}

// has tells whether an optional input is given.
func (n *node) has(i int) bool { return i < len(n.inputs) && n.inputs[i] != "" }

const (
	maxModelNodes = 100_000
	maxRank       = 16
	maxDepth      = 3
)

const mlDomain = "ai.onnx.ml"

// load reads a model. open gives the files beside it that hold large constants.
func load(data []byte, open func(name string) ([]byte, error)) (*graph, error) {
	m, err := parseModel(data)
	if err != nil {
		return nil, err
	}
	if err := fetch(m.graph.tensors, open); err != nil {
		return nil, err
	}
	for domain := range m.domains {
		if domain != "" && domain != "ai.onnx" && domain != mlDomain && usesDomain(m.graph, domain) {
			return nil, unsupported("the operator set %s", domain)
		}
	}
	return compile(m.graph, m.domains, nil, 0)
}

// fetch brings constants in from files of their own.
func fetch(tensors []*tensorProto, open func(name string) ([]byte, error)) error {
	files := map[string][]byte{}
	for _, t := range tensors {
		if t.external == nil {
			continue
		}
		name := t.external["location"]
		data, ok := files[name]
		if !ok {
			var err error
			if data, err = open(name); err != nil {
				return err
			}
			files[name] = data
		}
		offset, length := 0, len(data)
		for key, to := range map[string]*int{"offset": &offset, "length": &length} {
			if text := t.external[key]; text != "" {
				n, err := strconv.Atoi(text)
				if err != nil || n < 0 || n > len(data) {
					return fmt.Errorf("constant %s: %s %q of %d bytes", t.name, key, text, len(data))
				}
				*to = n
			}
		}
		if t.external["length"] == "" {
			length -= offset
		}
		if length < 0 || offset+length > len(data) {
			return fmt.Errorf("constant %s lies outside its file", t.name)
		}
		t.raw, t.external = data[offset:offset+length], nil
	}
	return nil
}

// compile makes a graph ready to run. captured are names of values outside that it may read; they become its last inputs.
func compile(p *graphProto, domains map[string]int64, captured []string, depth int) (*graph, error) {
	if len(p.nodes) > maxModelNodes {
		return nil, fmt.Errorf("it has %d nodes, the limit is %d", len(p.nodes), maxModelNodes)
	}
	if depth > maxDepth {
		return nil, unsupported("graphs in graphs in graphs")
	}
	g := &graph{constants: map[int]*tensor{}}
	names := map[string]int{}
	slot := func(name string) (int, error) {
		if _, ok := names[name]; ok {
			return 0, fmt.Errorf("%s is computed twice", name)
		}
		names[name] = g.slots
		g.slots++
		return names[name], nil
	}
	for _, t := range p.tensors {
		value, err := t.tensor()
		if err != nil {
			return nil, err
		}
		s, err := slot(t.name)
		if err != nil {
			return nil, err
		}
		g.constants[s] = value
	}
	for _, in := range p.inputs {
		if s, ok := names[in.name]; ok && g.constants[s] != nil {
			continue // older models list their constants among the inputs
		}
		s, err := slot(in.name)
		if err != nil {
			return nil, err
		}
		d := dtype(in.dtype)
		if depth > 0 {
			g.inputs = append(g.inputs, input{name: in.name, slot: s})
			continue
		}
		if !d.float() && !d.integer() && d != str && d != flag {
			return nil, unsupported("input %s of type %v", in.name, d)
		}
		g.inputs = append(g.inputs, input{in.name, d, in.shape, in.ranks, s})
	}
	if len(g.inputs) == 0 {
		return nil, errors.New("it has no inputs")
	}
	for _, name := range captured {
		if _, ok := names[name]; ok {
			continue // its own value hides the one outside
		}
		s, err := slot(name)
		if err != nil {
			return nil, err
		}
		g.inputs = append(g.inputs, input{name: name, slot: s})
	}
	for _, n := range p.nodes {
		if err := g.add(n, domains, names, slot, depth); err != nil {
			return nil, err
		}
	}
	for _, out := range p.outputs {
		s, ok := names[out.name]
		if !ok {
			return nil, fmt.Errorf("nothing computes the output %s", out.name)
		}
		g.outputs = append(g.outputs, output{out.name, s})
	}
	if len(g.outputs) == 0 {
		return nil, errors.New("it has no outputs")
	}
	g.last = make([]int, g.slots)
	for i, st := range g.steps {
		for _, s := range st.in {
			if s >= 0 {
				g.last[s] = i
			}
		}
	}
	for _, out := range g.outputs {
		g.last[out.slot] = len(g.steps)
	}
	return g, nil
}

func usesDomain(g *graphProto, domain string) bool {
	for _, n := range g.nodes {
		if n.domain == domain {
			return true
		}
	}
	return false
}

func (g *graph) add(p *nodeProto, domains map[string]int64, names map[string]int, slot func(string) (int, error), depth int) error {
	key := p.op
	if p.domain == mlDomain {
		key = "ml." + key
	}
	build, ok := operators[key]
	if !ok {
		return unsupported("the operator %s", key)
	}
	opset := domains[p.domain]
	if p.domain == "" && opset == 0 {
		opset = domains["ai.onnx"]
	}
	inner := &node{nodeProto: p, opset: opset, domains: domains, depth: depth, outer: func(name string) bool { _, ok := names[name]; return ok }}
	run, err := build(inner)
	if err != nil {
		return fmt.Errorf("operator %s (%s): %w", p.op, p.name, err)
	}
	for name, a := range p.attrs {
		if !a.used {
			return unsupported("the attribute %s of the operator %s", name, key)
		}
	}
	st := step{name: p.op + " " + p.name, run: run, nested: inner.nested}
	for _, name := range p.inputs {
		s := -1
		if name != "" {
			var ok bool
			if s, ok = names[name]; !ok {
				return fmt.Errorf("operator %s (%s) reads %s before it is computed", p.op, p.name, name)
			}
		}
		st.in = append(st.in, s)
	}
	for _, name := range p.outputs {
		s := -1
		if name != "" {
			if s, err = slot(name); err != nil {
				return err
			}
		}
		st.out = append(st.out, s)
	}
	g.steps = append(g.steps, st)
	return nil
}

// maxWork bounds what one request may compute, in elements.
const maxWork = 1 << 29

var errWork = errors.New("it takes too much work for one request")

// run computes the outputs from the inputs, in the order of g.inputs. work is how many elements may still be computed.
func (g *graph) run(in []*tensor, work *int) ([]*tensor, error) {
	values := make([]*tensor, g.slots)
	for s, t := range g.constants {
		values[s] = t
	}
	for i, t := range in {
		values[g.inputs[i].slot] = t
	}
	for i := range g.steps {
		st := &g.steps[i]
		args := make([]*tensor, len(st.in))
		for k, s := range st.in {
			if s >= 0 {
				if args[k] = values[s]; args[k] == nil {
					return nil, fmt.Errorf("%s: an input was not computed", st.name)
				}
				if args[k].keys != nil {
					return nil, fmt.Errorf("%s: its input is a list of maps", st.name)
				}
			}
		}
		var outs []*tensor
		var err error
		if st.nested != nil {
			outs, err = st.nested(args, work)
		} else {
			outs, err = st.run(args)
		}
		for _, t := range outs {
			if t != nil {
				*work -= t.len() + 1
			}
		}
		if *work < 0 {
			return nil, errWork
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", st.name, err)
		}
		for k, s := range st.out {
			if s < 0 {
				continue
			}
			if k >= len(outs) {
				return nil, fmt.Errorf("%s: it has no output %d", st.name, k)
			}
			values[s] = outs[k]
		}
		for _, s := range st.in {
			if s >= 0 && g.last[s] == i {
				values[s] = nil
			}
		}
	}
	out := make([]*tensor, len(g.outputs))
	for i, o := range g.outputs {
		if out[i] = values[o.slot]; out[i] == nil {
			return nil, fmt.Errorf("the output %s was not computed", o.name)
		}
	}
	return out, nil
}

// one is a kernel of one output.
func one(fn func(in []*tensor) (*tensor, error)) kernel {
	return func(in []*tensor) ([]*tensor, error) {
		t, err := fn(in)
		return []*tensor{t}, err
	}
}

// need checks that a node has enough inputs.
func need(n *node, inputs int) error {
	for i := range inputs {
		if !n.has(i) {
			return fmt.Errorf("it needs %d inputs", inputs)
		}
	}
	return nil
}

// operators builds the kernel of each operator; those of ai.onnx.ml begin with "ml.".
var operators map[string]func(n *node) (kernel, error)

func init() {
	operators = map[string]func(n *node) (kernel, error){}
	for _, set := range []map[string]func(n *node) (kernel, error){mathOperators, shapeOperators, reduceOperators, mlOperators, modelOperators, {"Scan": buildScan}} {
		maps.Copy(operators, set)
	}
}
