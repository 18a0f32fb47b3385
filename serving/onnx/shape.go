package onnx

import (
	"errors"
	"fmt"
)

var shapeOperators = map[string]func(n *node) (kernel, error){
	"Identity": func(n *node) (kernel, error) {
		return one(func(in []*tensor) (*tensor, error) { return in[0], nil }), need(n, 1)
	},
	"Dropout":         buildDropout,
	"Constant":        buildConstant,
	"ConstantOfShape": buildConstantOfShape,
	"Shape":           buildShape,
	"Size":            buildSize,
	"Reshape":         buildReshape,
	"Flatten":         buildFlatten,
	"Squeeze":         buildSqueeze,
	"Unsqueeze":       buildUnsqueeze,
	"Transpose":       buildTranspose,
	"Concat":          buildConcat,
	"Split":           buildSplit,
	"Slice":           buildSlice,
	"Gather":          buildGather,
	"GatherElements":  buildGatherElements,
	"Expand":          buildExpand,
	"Tile":            buildTile,
	"Range":           buildRange,
	"OneHot":          buildOneHot,
}

func buildDropout(n *node) (kernel, error) {
	n.float("ratio", 0) // it is not used when scoring
	n.int("seed", 0)
	return one(func(in []*tensor) (*tensor, error) { return in[0], nil }), need(n, 1)
}

func buildConstant(n *node) (kernel, error) {
	var t *tensor
	for _, name := range []string{"value", "value_float", "value_int", "value_string", "value_floats", "value_ints", "value_strings"} {
		a := n.attr(name)
		if a == nil {
			continue
		}
		var err error
		switch name {
		case "value":
			if a.t == nil {
				return nil, errors.New("it has no value")
			}
			t, err = a.t.tensor()
		case "value_float":
			t = &tensor{dtype: f32, shape: []int{}, f: []float64{float64(a.f)}}
		case "value_int":
			t = &tensor{dtype: i64, shape: []int{}, i: []int64{a.i}}
		case "value_string":
			t = &tensor{dtype: str, shape: []int{}, s: []string{string(a.s)}}
		case "value_floats":
			t = newTensor(f32, []int{len(a.floats)})
			for i, v := range a.floats {
				t.f[i] = float64(v)
			}
		case "value_ints":
			t = &tensor{dtype: i64, shape: []int{len(a.ints)}, i: a.ints}
		default:
			t = newTensor(str, []int{len(a.strings)})
			for i, v := range a.strings {
				t.s[i] = string(v)
			}
		}
		if err != nil {
			return nil, err
		}
	}
	if t == nil {
		return nil, errors.New("it has no value")
	}
	return one(func([]*tensor) (*tensor, error) { return t, nil }), nil
}

// sizes reads a list of dimensions from a tensor.
func sizes(t *tensor) ([]int, error) {
	if t.i == nil && t.len() > 0 || len(t.shape) > 1 {
		return nil, errTypes
	}
	if len(t.i) > maxRank {
		return nil, fmt.Errorf("%d dimensions", len(t.i))
	}
	out := make([]int, len(t.i))
	for i, v := range t.i {
		out[i] = int(v)
	}
	return out, nil
}

func buildConstantOfShape(n *node) (kernel, error) {
	value := &tensor{dtype: f32, shape: []int{1}, f: []float64{0}}
	if a := n.attr("value"); a != nil && a.t != nil {
		var err error
		if value, err = a.t.tensor(); err != nil || value.len() != 1 {
			return nil, errors.Join(err, errTypes)
		}
	}
	return one(func(in []*tensor) (*tensor, error) {
		shape, err := sizes(in[0])
		if err == nil {
			err = checkShape(shape)
		}
		if err != nil {
			return nil, err
		}
		out := newTensor(value.dtype, shape)
		for i := range out.len() {
			out.put(i, value, 0)
		}
		return out, nil
	}), need(n, 1)
}

func ints64(values []int) *tensor {
	t := newTensor(i64, []int{len(values)})
	for i, v := range values {
		t.i[i] = int64(v)
	}
	return t
}

func buildShape(n *node) (kernel, error) {
	start, end := n.int("start", 0), n.int("end", 1<<31)
	return one(func(in []*tensor) (*tensor, error) {
		rank := int64(len(in[0].shape))
		clamp := func(v int64) int64 {
			if v < 0 {
				v += rank
			}
			return min(max(v, 0), rank)
		}
		from, to := clamp(start), clamp(end)
		return ints64(in[0].shape[from:max(from, to)]), nil
	}), need(n, 1)
}

func buildSize(n *node) (kernel, error) {
	return one(func(in []*tensor) (*tensor, error) {
		return &tensor{dtype: i64, shape: []int{}, i: []int64{int64(in[0].len())}}, nil
	}), need(n, 1)
}

// reshaped is a tensor with the same elements in another shape.
func reshaped(t *tensor, shape []int) *tensor {
	out := *t
	out.shape = shape
	return &out
}

func buildReshape(n *node) (kernel, error) {
	fixed, allowZero := n.ints("shape"), n.int("allowzero", 0) != 0
	return one(func(in []*tensor) (*tensor, error) {
		t, want := in[0], fixed
		if len(in) > 1 && in[1] != nil {
			want = in[1].i
		}
		if len(want) > maxRank {
			return nil, fmt.Errorf("%d dimensions", len(want))
		}
		shape := make([]int, len(want))
		free, known := -1, 1
		for i, d := range want {
			switch {
			case d == 0 && !allowZero:
				if i >= len(t.shape) {
					return nil, fmt.Errorf("dimension %d of %v is to be kept", i, t.shape)
				}
				shape[i] = t.shape[i]
			case d == -1 && free < 0:
				free = i
				continue
			case d < 0 || d > maxElements:
				return nil, fmt.Errorf("a shape of %v", want)
			default:
				shape[i] = int(d)
			}
			if known *= shape[i]; known > maxElements {
				return nil, fmt.Errorf("a shape of %v", want)
			}
		}
		if free >= 0 {
			if known == 0 || t.len()%known != 0 {
				return nil, fmt.Errorf("%v does not fit %v", t.shape, want)
			}
			shape[free] = t.len() / known
		}
		if count(shape) != t.len() {
			return nil, fmt.Errorf("%v does not fit %v", t.shape, want)
		}
		return reshaped(t, shape), nil
	}), need(n, 1)
}

func buildFlatten(n *node) (kernel, error) {
	axis := n.int("axis", 1)
	return one(func(in []*tensor) (*tensor, error) {
		a := int(axis)
		if a < 0 {
			a += len(in[0].shape)
		}
		if a < 0 || a > len(in[0].shape) {
			return nil, fmt.Errorf("axis %d of %v", axis, in[0].shape)
		}
		return reshaped(in[0], []int{count(in[0].shape[:a]), count(in[0].shape[a:])}), nil
	}), need(n, 1)
}

// axesOf gives the axes of an operator that has them as an attribute in old operator sets and as an input in newer ones. nil means all or none.
func axesOf(fixed []int64, in []*tensor, place int) []int64 {
	if len(in) > place && in[place] != nil {
		return in[place].i
	}
	return fixed
}

func buildSqueeze(n *node) (kernel, error) {
	fixed := n.ints("axes")
	return one(func(in []*tensor) (*tensor, error) {
		t := in[0]
		drop := make([]bool, len(t.shape))
		axes := axesOf(fixed, in, 1)
		for _, axis := range axes {
			a, err := axisOf(axis, len(t.shape))
			if err != nil || t.shape[a] != 1 {
				return nil, fmt.Errorf("axis %d of %v", axis, t.shape)
			}
			drop[a] = true
		}
		shape := []int{}
		for i, s := range t.shape {
			if !drop[i] && (len(axes) > 0 || s != 1) {
				shape = append(shape, s)
			}
		}
		return reshaped(t, shape), nil
	}), need(n, 1)
}

func buildUnsqueeze(n *node) (kernel, error) {
	fixed := n.ints("axes")
	return one(func(in []*tensor) (*tensor, error) {
		axes := axesOf(fixed, in, 1)
		rank := len(in[0].shape) + len(axes)
		if rank > maxRank {
			return nil, fmt.Errorf("%d dimensions", rank)
		}
		shape := make([]int, rank)
		for _, axis := range axes {
			a, err := axisOf(axis, rank)
			if err != nil || shape[a] != 0 {
				return nil, fmt.Errorf("axes %v", axes)
			}
			shape[a] = 1
		}
		k := 0
		added := map[int]bool{}
		for _, axis := range axes {
			a, _ := axisOf(axis, rank) // checked above
			added[a] = true
		}
		for i := range shape {
			if !added[i] {
				shape[i] = in[0].shape[k]
				k++
			}
		}
		return reshaped(in[0], shape), nil
	}), need(n, 1)
}

func transpose(t *tensor, perm []int) *tensor {
	shape := make([]int, len(perm))
	strides := make([]int, len(perm))
	own := make([]int, len(perm)) // strides of t
	step := 1
	for i := len(t.shape) - 1; i >= 0; i-- {
		own[i] = step
		step *= t.shape[i]
	}
	for i, p := range perm {
		shape[i], strides[i] = t.shape[p], own[p]
	}
	out := newTensor(t.dtype, shape)
	index := make([]int, len(shape))
	place := 0
	for i := range out.len() {
		out.put(i, t, place)
		for d := len(shape) - 1; d >= 0; d-- {
			index[d]++
			place += strides[d]
			if index[d] < shape[d] {
				break
			}
			place -= strides[d] * shape[d]
			index[d] = 0
		}
	}
	return out
}

func buildTranspose(n *node) (kernel, error) {
	fixed := n.ints("perm")
	return one(func(in []*tensor) (*tensor, error) {
		rank := len(in[0].shape)
		perm := make([]int, rank)
		seen := make([]bool, rank)
		for i := range perm {
			perm[i] = rank - 1 - i
			if fixed != nil {
				if len(fixed) != rank || fixed[i] < 0 || fixed[i] >= int64(rank) || seen[fixed[i]] {
					return nil, fmt.Errorf("perm %v of %v", fixed, in[0].shape)
				}
				perm[i] = int(fixed[i])
				seen[perm[i]] = true
			}
		}
		return transpose(in[0], perm), nil
	}), need(n, 1)
}

func buildConcat(n *node) (kernel, error) {
	axis := n.int("axis", 1)
	return one(func(in []*tensor) (*tensor, error) {
		a, err := axisOf(axis, len(in[0].shape))
		if err != nil {
			return nil, err
		}
		shape := append([]int{}, in[0].shape...)
		shape[a] = 0
		for _, t := range in {
			if t.dtype != in[0].dtype || len(t.shape) != len(shape) {
				return nil, errTypes
			}
			for i, s := range t.shape {
				if i != a && s != shape[i] {
					return nil, fmt.Errorf("shapes %v and %v do not go together", in[0].shape, t.shape)
				}
			}
			shape[a] += t.shape[a]
		}
		if err := checkShape(shape); err != nil {
			return nil, err
		}
		out := newTensor(in[0].dtype, shape)
		outer, row := count(shape[:a]), count(shape[a:])
		offset := 0
		for _, t := range in {
			size := count(t.shape[a:])
			for o := range outer {
				for i := range size {
					out.put(o*row+offset+i, t, o*size+i)
				}
			}
			offset += size
		}
		return out, nil
	}), need(n, max(1, len(n.inputs)))
}

func buildSplit(n *node) (kernel, error) {
	axis, fixed, parts := n.int("axis", 0), n.ints("split"), n.int("num_outputs", int64(len(n.outputs)))
	if parts != int64(len(n.outputs)) {
		return nil, fmt.Errorf("%d parts for %d outputs", parts, len(n.outputs))
	}
	return func(in []*tensor) ([]*tensor, error) {
		t := in[0]
		a, err := axisOf(axis, len(t.shape))
		if err != nil || len(t.shape) == 0 {
			return nil, errors.Join(err, errTypes)
		}
		split := axesOf(fixed, in, 1)
		if split == nil {
			each := (int64(t.shape[a]) + parts - 1) / parts
			for left := int64(t.shape[a]); int64(len(split)) < parts; left -= each {
				split = append(split, max(0, min(each, left)))
			}
		}
		var out []*tensor
		from := 0
		for _, size := range split {
			if size < 0 || from+int(size) > t.shape[a] {
				return nil, fmt.Errorf("parts %v of %v", split, t.shape)
			}
			out = append(out, slice(t, a, from, int(size), 1))
			from += int(size)
		}
		return out, nil
	}, need(n, 1)
}

// slice takes some places of one axis: size of them from start on, each step from the one before.
func slice(t *tensor, axis, start, size, step int) *tensor {
	shape := append([]int{}, t.shape...)
	shape[axis] = size
	out := newTensor(t.dtype, shape)
	inner := count(t.shape[axis+1:])
	for o := range count(t.shape[:axis]) {
		for k := range size {
			for i := range inner {
				out.put((o*size+k)*inner+i, t, (o*t.shape[axis]+start+k*step)*inner+i)
			}
		}
	}
	return out
}

func buildSlice(n *node) (kernel, error) {
	starts, ends, fixed := n.ints("starts"), n.ints("ends"), n.ints("axes")
	return one(func(in []*tensor) (*tensor, error) {
		t := in[0]
		starts, ends := axesOf(starts, in, 1), axesOf(ends, in, 2)
		axes, steps := axesOf(fixed, in, 3), axesOf(nil, in, 4)
		if len(starts) != len(ends) || axes != nil && len(axes) != len(starts) || steps != nil && len(steps) != len(starts) {
			return nil, errors.New("starts, ends, axes and steps differ in length")
		}
		for i := range starts {
			axis, step := int64(i), int64(1)
			if axes != nil {
				axis = axes[i]
			}
			if steps != nil {
				step = steps[i]
			}
			a, err := axisOf(axis, len(t.shape))
			if err != nil {
				return nil, err
			}
			if step == 0 {
				return nil, errors.New("a step of 0")
			}
			start, size := bounds(starts[i], ends[i], step, int64(t.shape[a]))
			t = slice(t, a, start, size, int(step))
		}
		return t, nil
	}), need(n, 1)
}

// bounds is Python's slice.indices, as a start and a number of places.
func bounds(start, end, step, length int64) (from, size int) {
	low, high := int64(0), length
	if step < 0 {
		low, high = -1, length-1
	}
	clamp := func(v int64) int64 {
		if v < 0 {
			v = max(v, -length-1) + length
		}
		return min(max(v, low), high)
	}
	s, e := clamp(start), clamp(end)
	switch {
	case step > 0 && e > s:
		return int(s), int((e - s + step - 1) / step)
	case step < 0 && e < s:
		return int(s), int((s - e - step - 1) / -step)
	}
	return 0, 0
}

func buildGather(n *node) (kernel, error) {
	axis := n.int("axis", 0)
	return one(func(in []*tensor) (*tensor, error) {
		t, index := in[0], in[1]
		a, err := axisOf(axis, len(t.shape))
		if err != nil || index.i == nil && index.len() > 0 {
			return nil, errors.Join(err, errTypes)
		}
		shape := append(append(append([]int{}, t.shape[:a]...), index.shape...), t.shape[a+1:]...)
		if err := checkShape(shape); err != nil {
			return nil, err
		}
		out := newTensor(t.dtype, shape)
		inner, many := count(t.shape[a+1:]), index.len()
		for o := range count(t.shape[:a]) {
			for k, v := range index.i {
				p, err := axisOf(v, t.shape[a])
				if err != nil || t.shape[a] == 0 {
					return nil, fmt.Errorf("index %d of %d", v, t.shape[a])
				}
				for i := range inner {
					out.put((o*many+k)*inner+i, t, (o*t.shape[a]+p)*inner+i)
				}
			}
		}
		return out, nil
	}), need(n, 2)
}

func buildGatherElements(n *node) (kernel, error) {
	axis := n.int("axis", 0)
	return one(func(in []*tensor) (*tensor, error) {
		t, index := in[0], in[1]
		a, err := axisOf(axis, len(t.shape))
		if err != nil || len(index.shape) != len(t.shape) || index.i == nil && index.len() > 0 {
			return nil, errors.Join(err, errTypes)
		}
		out := newTensor(t.dtype, index.shape)
		at := make([]int, len(index.shape))
		for i := range out.len() {
			place := 0
			for d, x := range at {
				if d == a {
					if x, err = axisOf(index.i[i], t.shape[d]); err != nil {
						return nil, err
					}
				}
				if x >= t.shape[d] {
					return nil, fmt.Errorf("shapes %v and %v do not go together", t.shape, index.shape)
				}
				place = place*t.shape[d] + x
			}
			out.put(i, t, place)
			for d := len(at) - 1; d >= 0; d-- {
				if at[d]++; at[d] < index.shape[d] {
					break
				}
				at[d] = 0
			}
		}
		return out, nil
	}), need(n, 2)
}

func expand(t *tensor, shape []int) *tensor {
	p := places(t.shape, shape)
	if p == nil {
		return t
	}
	out := newTensor(t.dtype, shape)
	for i, from := range p {
		out.put(i, t, from)
	}
	return out
}

func buildExpand(n *node) (kernel, error) {
	return one(func(in []*tensor) (*tensor, error) {
		want, err := sizes(in[1])
		if err != nil {
			return nil, err
		}
		shape, err := broadcast(in[0].shape, want)
		if err != nil {
			return nil, err
		}
		return expand(in[0], shape), nil
	}), need(n, 2)
}

func buildTile(n *node) (kernel, error) {
	return one(func(in []*tensor) (*tensor, error) {
		repeats, err := sizes(in[1])
		if err != nil || len(repeats) != len(in[0].shape) {
			return nil, errors.Join(err, errTypes)
		}
		// Each axis becomes two, the first of which is repeated.
		var flat, wide, shape []int
		for i, r := range repeats {
			flat = append(flat, 1, in[0].shape[i])
			wide = append(wide, r, in[0].shape[i])
			shape = append(shape, r*in[0].shape[i])
		}
		if err := checkShape(wide); err != nil {
			return nil, err
		}
		return reshaped(expand(reshaped(in[0], flat), wide), shape), nil
	}), need(n, 2)
}

func buildRange(n *node) (kernel, error) {
	return one(func(in []*tensor) (*tensor, error) {
		var v [3]float64
		for i := range v {
			if in[i].len() != 1 || in[i].dtype == str {
				return nil, errTypes
			}
			v[i] = in[i].floats()[0]
		}
		size := 0
		for x := v[0]; v[2] > 0 && x < v[1] || v[2] < 0 && x > v[1]; x += v[2] {
			if size++; size > maxElements {
				return nil, errors.New("a range that is too long")
			}
		}
		out := newTensor(in[0].dtype, []int{size})
		for i := range size {
			x := v[0] + float64(i)*v[2]
			if out.f != nil {
				out.f[i] = x
			} else {
				out.i[i] = int64(x)
			}
		}
		return out.round(), nil
	}), need(n, 3)
}

func buildOneHot(n *node) (kernel, error) {
	axis := n.int("axis", -1)
	return one(func(in []*tensor) (*tensor, error) {
		index, depths, values := in[0], in[1], in[2]
		if depths.len() != 1 || values.len() != 2 || index.dtype == str || depths.dtype == str {
			return nil, errTypes
		}
		depth := int(depths.floats()[0])
		a, err := axisOf(axis, len(index.shape)+1)
		if err != nil || depth < 1 {
			return nil, errors.Join(err, errTypes)
		}
		shape := append(append(append([]int{}, index.shape[:a]...), depth), index.shape[a:]...)
		if err := checkShape(shape); err != nil {
			return nil, err
		}
		out := newTensor(values.dtype, shape)
		for i := range out.len() {
			out.put(i, values, 0)
		}
		inner := count(index.shape[a:])
		for i, v := range index.floats() {
			k := int(v)
			if k < 0 {
				k += depth
			}
			if k >= 0 && k < depth {
				out.put((i/inner*depth+k)*inner+i%inner, values, 1)
			}
		}
		return out, nil
	}), need(n, 3)
}
