package onnx

import (
	"errors"
	"fmt"
)

// buildScan runs a graph once per row of its scan inputs, as converters write distances of all rows to all others. State goes from one round to the next;
// what else the graph yields is put together.
func buildScan(n *node) (kernel, error) {
	a := n.attr("body")
	if a == nil || a.graph == nil {
		return nil, errors.New("it has no body")
	}
	scans := int(n.int("num_scan_inputs", 0))
	for _, name := range []string{"scan_input_axes", "scan_output_axes", "scan_input_directions", "scan_output_directions"} {
		for _, v := range n.ints(name) {
			if v != 0 {
				return nil, unsupported("%s other than 0", name)
			}
		}
	}
	captured := a.graph.free(n.outer)
	g, err := compile(a.graph, n.domains, captured, n.depth+1)
	if err != nil {
		return nil, err
	}
	states := len(n.inputs) - scans
	if scans < 1 || states < 0 || len(g.inputs) != len(n.inputs)+len(captured) || len(g.outputs) != len(n.outputs) || len(g.outputs) < states {
		return nil, errors.New("its body does not fit its inputs and outputs")
	}
	// What the body reads from outside comes as more inputs of the node.
	n.inputs = append(n.inputs, captured...)
	n.nested = func(in []*tensor, work *int) ([]*tensor, error) {
		for _, t := range in {
			if t == nil {
				return nil, errTypes
			}
		}
		if len(in[states].shape) == 0 {
			return nil, errTypes
		}
		rounds := in[states].shape[0]
		feeds := make([]*tensor, len(g.inputs))
		copy(feeds, in[:states])
		copy(feeds[states+scans:], in[states+scans:])
		rows := make([][]*tensor, len(g.outputs)-states)
		for r := range rounds {
			if *work--; *work < 0 {
				return nil, errWork
			}
			for k := range scans {
				t := in[states+k]
				if len(t.shape) == 0 || t.shape[0] != rounds {
					return nil, fmt.Errorf("its inputs have %d and %v rows", rounds, t.shape)
				}
				feeds[states+k] = reshaped(slice(t, 0, r, 1, 1), t.shape[1:])
			}
			outs, err := g.run(feeds, work)
			if err != nil {
				return nil, err
			}
			copy(feeds, outs[:states])
			for k, t := range outs[states:] {
				rows[k] = append(rows[k], t)
			}
		}
		out := append([]*tensor{}, feeds[:states]...)
		for _, list := range rows {
			t, err := stack(list)
			if err != nil {
				return nil, err
			}
			out = append(out, t)
		}
		return out, nil
	}
	return nil, nil
}

// free lists the names that a graph reads and does not compute, as far as they are known outside.
func (p *graphProto) free(outer func(string) bool) []string {
	own := map[string]bool{"": true}
	for _, t := range p.tensors {
		own[t.name] = true
	}
	for _, in := range p.inputs {
		own[in.name] = true
	}
	var out []string
	take := func(name string) {
		if !own[name] && outer(name) {
			own[name] = true
			out = append(out, name)
		}
	}
	for _, n := range p.nodes {
		for _, name := range n.inputs {
			take(name)
		}
		for _, a := range n.attrs {
			if a.graph != nil {
				for _, name := range a.graph.free(func(name string) bool { return !own[name] && outer(name) }) {
					take(name)
				}
			}
		}
		for _, name := range n.outputs {
			own[name] = true
		}
	}
	return out
}

// stack puts arrays of one shape above each other.
func stack(list []*tensor) (*tensor, error) {
	if len(list) == 0 {
		return newTensor(f32, []int{0}), nil
	}
	shape := append([]int{len(list)}, list[0].shape...)
	if err := checkShape(shape); err != nil {
		return nil, err
	}
	out := newTensor(list[0].dtype, shape)
	size := list[0].len()
	for r, t := range list {
		if t.dtype != out.dtype || !equalShape(t.shape, shape[1:]) {
			return nil, fmt.Errorf("a round yields %v, the first one %v", t.shape, shape[1:])
		}
		for i := range size {
			out.put(r*size+i, t, i)
		}
	}
	return out, nil
}
