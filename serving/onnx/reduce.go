package onnx

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
)

var reduceOperators = map[string]func(n *node) (kernel, error){
	"ReduceSum":       reduce(0, func(a, v float64) float64 { return a + v }, nil),
	"ReduceSumSquare": reduce(0, func(a, v float64) float64 { return a + v*v }, nil),
	"ReduceMean":      reduce(0, func(a, v float64) float64 { return a + v }, func(a float64, n int) float64 { return a / float64(n) }),
	"ReduceL1":        reduce(0, func(a, v float64) float64 { return a + math.Abs(v) }, nil),
	"ReduceL2":        reduce(0, func(a, v float64) float64 { return a + v*v }, func(a float64, _ int) float64 { return math.Sqrt(a) }),
	"ReduceMax":       reduce(math.Inf(-1), math.Max, nil),
	"ReduceMin":       reduce(math.Inf(1), math.Min, nil),
	"ReduceProd":      reduce(1, func(a, v float64) float64 { return a * v }, nil),
	"ReduceLogSum":    reduce(0, func(a, v float64) float64 { return a + v }, func(a float64, _ int) float64 { return math.Log(a) }),
	"ReduceLogSumExp": buildLogSumExp,
	"ArgMax":          argBest(func(c int) bool { return c > 0 }),
	"ArgMin":          argBest(func(c int) bool { return c < 0 }),
	"TopK":            buildTopK,
	"CumSum":          buildCumSum,
	"LpNormalization": buildLpNormalization,
}

// groups describes a reduction: which element of the result each element goes to.
type groups struct {
	shape []int // of the result
	to    []int
	size  int // elements per group
}

func group(shape []int, axes []int64, keep bool) (*groups, error) {
	gone := make([]bool, len(shape))
	for _, axis := range axes {
		a, err := axisOf(axis, len(shape))
		if err != nil {
			return nil, err
		}
		if a < len(gone) {
			gone[a] = true
		}
	}
	g := &groups{shape: []int{}, size: 1}
	kept := make([]int, len(shape)) // with the axes that go as 1
	for i, s := range shape {
		kept[i] = s
		if gone[i] || len(axes) == 0 {
			g.size *= s
			kept[i] = 1
		}
		if keep || kept[i] == s && !gone[i] && len(axes) > 0 {
			g.shape = append(g.shape, kept[i])
		}
	}
	if g.to = places(kept, shape); g.to == nil {
		g.to = make([]int, count(shape))
		for i := range g.to {
			g.to[i] = i
		}
	}
	return g, nil
}

func reduce(start float64, step func(a, v float64) float64, end func(a float64, n int) float64) func(n *node) (kernel, error) {
	return reduceBy(func(t *tensor, g *groups) []float64 {
		sums := make([]float64, count(g.shape))
		for i := range sums {
			sums[i] = start
		}
		for i, v := range t.floats() {
			sums[g.to[i]] = step(sums[g.to[i]], v)
		}
		if end != nil {
			for i := range sums {
				sums[i] = end(sums[i], g.size)
			}
		}
		return sums
	})
}

func reduceBy(fn func(t *tensor, g *groups) []float64) func(n *node) (kernel, error) {
	return func(n *node) (kernel, error) {
		fixed, keep, noop := n.ints("axes"), n.int("keepdims", 1) != 0, n.int("noop_with_empty_axes", 0) != 0
		return one(func(in []*tensor) (*tensor, error) {
			t := in[0]
			if t.dtype == str || t.dtype == flag {
				return nil, errTypes
			}
			axes := axesOf(fixed, in, 1)
			if len(axes) == 0 && noop {
				return t, nil
			}
			g, err := group(t.shape, axes, keep)
			if err != nil {
				return nil, err
			}
			out := newTensor(t.dtype, g.shape)
			for i, v := range fn(t, g) {
				if out.f != nil {
					out.f[i] = v
				} else {
					out.i[i] = int64(v)
				}
			}
			return out.round(), nil
		}), need(n, 1)
	}
}

func buildLogSumExp(n *node) (kernel, error) {
	return reduceBy(func(t *tensor, g *groups) []float64 {
		top := make([]float64, count(g.shape))
		for i := range top {
			top[i] = math.Inf(-1)
		}
		values := t.floats()
		for i, v := range values {
			top[g.to[i]] = math.Max(top[g.to[i]], v)
		}
		sums := make([]float64, len(top))
		for i, v := range values {
			sums[g.to[i]] += math.Exp(v - top[g.to[i]])
		}
		for i := range sums {
			sums[i] = top[i] + math.Log(sums[i])
		}
		return sums
	})(n)
}

func argBest(better func(c int) bool) func(n *node) (kernel, error) {
	return func(n *node) (kernel, error) {
		axis, keep, last := n.int("axis", 0), n.int("keepdims", 1) != 0, n.int("select_last_index", 0) != 0
		return one(func(in []*tensor) (*tensor, error) {
			t := in[0]
			a, err := axisOf(axis, len(t.shape))
			if err != nil || t.dtype == str || len(t.shape) == 0 || t.shape[a] == 0 {
				return nil, errors.Join(err, errTypes)
			}
			shape := append([]int{}, t.shape...)
			shape[a] = 1
			if !keep {
				shape = append(shape[:a:a], shape[a+1:]...)
			}
			out := newTensor(i64, shape)
			size, inner, values := t.shape[a], count(t.shape[a+1:]), t.floats()
			for o := range count(t.shape[:a]) {
				for k := range inner {
					best := 0
					for j := 1; j < size; j++ {
						c := cmp.Compare(values[(o*size+j)*inner+k], values[(o*size+best)*inner+k])
						if better(c) || c == 0 && last {
							best = j
						}
					}
					out.i[o*inner+k] = int64(best)
				}
			}
			return out, nil
		}), need(n, 1)
	}
}

func buildTopK(n *node) (kernel, error) {
	axis, largest, fixed := n.int("axis", -1), n.int("largest", 1) != 0, n.int("k", 0)
	n.int("sorted", 1) // sorted output is right for unsorted as well
	return func(in []*tensor) ([]*tensor, error) {
		t, k := in[0], fixed
		if len(in) > 1 && in[1] != nil {
			if len(in[1].i) != 1 {
				return nil, errTypes
			}
			k = in[1].i[0]
		}
		a, err := axisOf(axis, len(t.shape))
		if err != nil || t.dtype == str || len(t.shape) == 0 {
			return nil, errors.Join(err, errTypes)
		}
		if k < 0 || k > int64(t.shape[a]) {
			return nil, fmt.Errorf("k is %d of %d", k, t.shape[a])
		}
		shape := append([]int{}, t.shape...)
		shape[a] = int(k)
		values, indices := newTensor(t.dtype, shape), newTensor(i64, shape)
		size, inner, numbers := t.shape[a], count(t.shape[a+1:]), t.floats()
		order := make([]int, size)
		for o := range count(t.shape[:a]) {
			for i := range inner {
				for j := range order {
					order[j] = j
				}
				slices.SortStableFunc(order, func(x, y int) int {
					c := cmp.Compare(numbers[(o*size+x)*inner+i], numbers[(o*size+y)*inner+i])
					if largest {
						return -c
					}
					return c
				})
				for j := range int(k) {
					to := (o*int(k)+j)*inner + i
					values.put(to, t, (o*size+order[j])*inner+i)
					indices.i[to] = int64(order[j])
				}
			}
		}
		return []*tensor{values, indices}, nil
	}, need(n, 1)
}

func buildCumSum(n *node) (kernel, error) {
	exclusive, reverse := n.int("exclusive", 0) != 0, n.int("reverse", 0) != 0
	return one(func(in []*tensor) (*tensor, error) {
		t := in[0]
		if t.dtype == str || len(in[1].i) != 1 {
			return nil, errTypes
		}
		a, err := axisOf(in[1].i[0], len(t.shape))
		if err != nil || len(t.shape) == 0 {
			return nil, errors.Join(err, errTypes)
		}
		out := newTensor(t.dtype, t.shape)
		size, inner, numbers := t.shape[a], count(t.shape[a+1:]), t.floats()
		for o := range count(t.shape[:a]) {
			for i := range inner {
				sum := 0.0
				for j := range size {
					if reverse {
						j = size - 1 - j
					}
					place := (o*size+j)*inner + i
					value := sum + numbers[place]
					shown := value
					if exclusive {
						shown = sum
					}
					sum = value
					if out.f != nil {
						out.f[place] = shown
					} else {
						out.i[place] = int64(shown)
					}
				}
			}
		}
		return out.round(), nil
	}), need(n, 2)
}

func buildLpNormalization(n *node) (kernel, error) {
	axis, p := n.int("axis", -1), n.int("p", 2)
	if p != 1 && p != 2 {
		return nil, unsupported("p = %d", p)
	}
	return one(func(in []*tensor) (*tensor, error) {
		t := in[0]
		if !t.dtype.float() {
			return nil, errTypes
		}
		g, err := group(t.shape, []int64{axis}, true)
		if err != nil {
			return nil, err
		}
		sums := make([]float64, count(g.shape))
		for i, v := range t.f {
			if p == 1 {
				sums[g.to[i]] += math.Abs(v)
			} else {
				sums[g.to[i]] += v * v
			}
		}
		out := newTensor(t.dtype, t.shape)
		for i, v := range t.f {
			sum := sums[g.to[i]]
			if p == 2 {
				sum = math.Sqrt(sum)
			}
			if sum != 0 {
				out.f[i] = v / sum
			}
		}
		return out.round(), nil
	}), need(n, 1)
}
