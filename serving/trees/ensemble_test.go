package trees_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/prinzbox/prinzbox/serving/frame"
	"github.com/prinzbox/prinzbox/serving/trees"
)

func leaf(v float64) trees.Node { return trees.Node{Leaf: true, Value: v} }

// one makes a tree of one split with the leaves 1 (left) and 2 (right).
func one(t *testing.T, split trees.Node) *trees.Ensemble {
	t.Helper()
	split.Left, split.Right = 2, 1
	e := &trees.Ensemble{}
	if err := e.Add([]trees.Node{split, leaf(2), leaf(1)}, 1, nil); err != nil {
		t.Fatal(err)
	}
	return e
}

func TestWhereValuesGo(t *testing.T) {
	const left, right = 1, 2
	inf, nan := math.Inf(1), math.NaN()
	two := trees.Below(2)
	type want map[float64]float64
	for name, c := range map[string]struct {
		split   trees.Node
		want    want
		missing float64
	}{
		"up to the threshold":  {trees.Node{Threshold: 2}, want{2: left, math.Nextafter(2, 3): right, -inf: left, inf: right, math.MaxFloat64: right, -math.MaxFloat64: left}, right},
		"below the threshold":  {trees.Node{Threshold: two, MissingLeft: true}, want{2: right, float64(math.Nextafter32(2, 1)): left, inf: right, -inf: left}, left},
		"below zero":           {trees.Node{Threshold: trees.Below(0)}, want{0: right, math.Copysign(0, -1): right, -math.SmallestNonzeroFloat32: left}, right},
		"below nothing":        {trees.Node{Threshold: trees.Below(float32(-inf)), MissingLeft: true}, want{0: right, -inf: right, inf: right}, left},
		"infinite threshold":   {trees.Node{Threshold: inf}, want{inf: left, 0: left}, right},
		"lowest threshold":     {trees.Node{Threshold: -inf}, want{-inf: left, 0: right}, right},
		"huge threshold":       {trees.Node{Threshold: -math.MaxFloat64}, want{math.MaxFloat64: right, -math.MaxFloat64: left}, right},
		"zero is missing":      {trees.Node{Threshold: 5, ZeroMissing: true}, want{0: right, 1e-36: right, -1e-36: right, 1e-34: left, 6: right}, right},
		"zero is missing left": {trees.Node{Threshold: -5, ZeroMissing: true, MissingLeft: true}, want{0: left, 1e-34: right, -6: left}, left},
		"categories":           {trees.Node{Categories: []uint32{1<<3 | 1, 1 << 31}}, want{0: left, 3: left, 3.9: left, -0.5: left, -1: right, 4: right, 63: left, 64: right, 1e300: right, inf: right, -inf: right}, right},
		"strangers missing":    {trees.Node{Categories: []uint32{2}, MissingLeft: true, StrayMissing: true}, want{1: left, 0: right, 32: left, -3: left}, left},
		"no categories":        {trees.Node{Categories: []uint32{}, MissingLeft: true}, want{0: right, 1: right}, left},
	} {
		t.Run(name, func(t *testing.T) {
			e := one(t, c.split)
			for v, want := range c.want {
				if got := e.Value(0, []float64{v}); got != want {
					t.Errorf("%v goes to %v, want %v", v, got, want)
				}
			}
			if got := e.Value(0, []float64{nan}); got != c.missing {
				t.Errorf("NaN goes to %v, want %v", got, c.missing)
			}
		})
	}
}

// TestWalk holds the walk against a plain one over random trees and values.
func TestWalk(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	const features = 4
	e := &trees.Ensemble{}
	var plain [][]trees.Node
	numbers := 0
	for range 30 {
		tree := []trees.Node{leaf(0)}
		for range r.IntN(40) { // split a leaf
			at := r.IntN(len(tree))
			if !tree[at].Leaf {
				continue
			}
			tree[at] = trees.Node{Feature: r.IntN(features), Threshold: float64(r.IntN(9)), MissingLeft: r.IntN(2) == 0, Left: len(tree), Right: len(tree) + 1}
			tree = append(tree, leaf(r.NormFloat64()), leaf(r.NormFloat64()))
		}
		var order []int
		if err := e.Add(tree, features, func(place int) { order = append(order, place) }); err != nil {
			t.Fatal(err)
		}
		for i, place := range order {
			tree[place].Feature = numbers + i // the leaf's number
		}
		numbers += len(order)
		plain = append(plain, tree)
	}
	if e.Len() != 30 || e.Leaves() != numbers {
		t.Fatalf("%d trees with %d leaves, want 30 with %d", e.Len(), e.Leaves(), numbers)
	}
	for range 2000 {
		x := make([]float64, features)
		for i := range x {
			x[i] = float64(r.IntN(10))
			if r.IntN(5) == 0 {
				x[i] = math.NaN()
			}
		}
		for k, tree := range plain {
			n := &tree[0]
			for !n.Leaf {
				if v := x[n.Feature]; v <= n.Threshold || v != v && n.MissingLeft {
					n = &tree[n.Left]
				} else {
					n = &tree[n.Right]
				}
			}
			if value, number := e.Leaf(k, x); value != n.Value || number != n.Feature {
				t.Fatalf("tree %d gives %v (leaf %d) for %v, want %v (leaf %d)", k, value, number, x, n.Value, n.Feature)
			}
		}
	}
}

func TestBrokenTrees(t *testing.T) {
	for name, c := range map[string]struct {
		tree []trees.Node
		want string
	}{
		"empty":           {nil, "no nodes"},
		"itself":          {[]trees.Node{{Left: 0, Right: 0}}, "do not make a tree"},
		"a shared leaf":   {[]trees.Node{{Left: 1, Right: 1}, leaf(1)}, "do not make a tree"},
		"back to the top": {[]trees.Node{{Left: 1, Right: 2}, leaf(1), {Left: 0, Right: 1}}, "do not make a tree"},
		"outside":         {[]trees.Node{{Left: 1, Right: 2}, leaf(1)}, "do not make a tree"},
		"negative":        {[]trees.Node{{Left: -1, Right: 1}, leaf(1)}, "do not make a tree"},
		"feature":         {[]trees.Node{{Feature: 1, Left: 1, Right: 2}, leaf(1), leaf(2)}, "feature 1 of 1"},
	} {
		t.Run(name, func(t *testing.T) {
			err := (&trees.Ensemble{}).Add(c.tree, 1, nil)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
}

func TestValuesAreBounded(t *testing.T) {
	if v, err := trees.Values[float32](3, 2); err != nil || len(v) != 6 {
		t.Errorf("%v %v", v, err)
	}
	var input *frame.PredictError
	if _, err := trees.Values[float32](1<<20, 1<<16); !errors.As(err, &input) {
		t.Errorf("error %v, want a *frame.PredictError", err)
	}
}
