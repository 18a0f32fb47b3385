package onnx

import (
	"errors"
	"fmt"
	"math"
)

// mode is how a tree's node compares.
type mode uint8

const (
	leaf mode = iota
	leq
	lt
	geq
	gt
	eq
	neq
	member
)

var modes = map[string]mode{"LEAF": leaf, "BRANCH_LEQ": leq, "BRANCH_LT": lt, "BRANCH_GTE": geq, "BRANCH_GT": gt, "BRANCH_EQ": eq, "BRANCH_NEQ": neq}

// treeNode is a node in its place; yes and no are places, of a leaf the first and the end of its weights.
type treeNode struct {
	mode    mode
	missing bool // NaN goes to yes
	feature int32
	yes, no int32
	value   float64
	members map[float64]bool
}

// weight is what a leaf adds to a target.
type weight struct {
	target int32
	value  float64
}

// forest is an ensemble of trees.
type forest struct {
	nodes   []treeNode
	roots   []int32
	weights []weight
	columns int // at least so many
	targets int
}

// walk gives the weights of the leaf that a row comes to.
func (f *forest) walk(root int32, row []float64) []weight {
	n := &f.nodes[root]
	for n.mode != leaf {
		v := row[n.feature]
		var yes bool
		switch {
		case v != v && n.missing:
			yes = true
		case n.mode == leq:
			yes = v <= n.value
		case n.mode == lt:
			yes = v < n.value
		case n.mode == geq:
			yes = v >= n.value
		case n.mode == gt:
			yes = v > n.value
		case n.mode == eq:
			yes = v == n.value
		case n.mode == neq:
			yes = v != n.value
		default:
			yes = n.members[v]
		}
		if yes {
			n = &f.nodes[n.yes]
		} else {
			n = &f.nodes[n.no]
		}
	}
	return f.weights[n.yes:n.no]
}

type nodeKey struct{ tree, node int64 }

// readForest reads the lists of the operators before version 5. what is "target" or "class".
func readForest(n *node, what string, targets int) (*forest, error) {
	trees, ids, features := n.ints("nodes_treeids"), n.ints("nodes_nodeids"), n.ints("nodes_featureids")
	yes, no, tracks := n.ints("nodes_truenodeids"), n.ints("nodes_falsenodeids"), n.ints("nodes_missing_value_tracks_true")
	names := n.strings("nodes_modes")
	n.attr("nodes_hitrates")
	n.attr("nodes_hitrates_as_tensor")
	values, err := n.floats("nodes_values")
	if err != nil {
		return nil, err
	}
	weightTrees, weightNodes, weightIDs := n.ints(what+"_treeids"), n.ints(what+"_nodeids"), n.ints(what+"_ids")
	weights, err := n.floats(what + "_weights")
	if err != nil {
		return nil, err
	}
	size := len(ids)
	for _, l := range []int{len(trees), len(features), len(yes), len(no), len(names), len(values)} {
		if l != size {
			return nil, errors.New("its lists of nodes differ in length")
		}
	}
	if len(tracks) != 0 && len(tracks) != size || size == 0 || size > maxElements {
		return nil, errors.New("its lists of nodes differ in length")
	}
	for _, l := range []int{len(weightTrees), len(weightNodes), len(weights)} {
		if l != len(weightIDs) {
			return nil, errors.New("its lists of weights differ in length")
		}
	}
	f := &forest{targets: targets}
	place := make(map[nodeKey]int32, size)
	for i := range ids {
		key := nodeKey{trees[i], ids[i]}
		if _, ok := place[key]; ok {
			return nil, fmt.Errorf("node %d of tree %d is there twice", ids[i], trees[i])
		}
		place[key] = int32(i)
	}
	byLeaf := map[int32][]weight{}
	for i, id := range weightIDs {
		at, ok := place[nodeKey{weightTrees[i], weightNodes[i]}]
		if !ok || id < 0 || id >= int64(targets) {
			return nil, fmt.Errorf("a weight for node %d of tree %d, target %d", weightNodes[i], weightTrees[i], id)
		}
		byLeaf[at] = append(byLeaf[at], weight{int32(id), weights[i]})
	}
	child := make([]bool, size)
	for i := range ids {
		m, ok := modes[names[i]]
		if !ok {
			return nil, unsupported("the node mode %s", names[i])
		}
		t := treeNode{mode: m, value: values[i], missing: len(tracks) > 0 && tracks[i] != 0}
		if m == leaf {
			t.yes = int32(len(f.weights))
			f.weights = append(f.weights, byLeaf[int32(i)]...)
			t.no = int32(len(f.weights))
			f.nodes = append(f.nodes, t)
			continue
		}
		if features[i] < 0 || features[i] >= maxElements {
			return nil, fmt.Errorf("feature %d", features[i])
		}
		t.feature = int32(features[i])
		f.columns = max(f.columns, int(features[i])+1)
		for k, id := range []int64{yes[i], no[i]} {
			at, ok := place[nodeKey{trees[i], id}]
			if !ok || child[at] {
				return nil, fmt.Errorf("the links of tree %d make no tree at node %d", trees[i], id)
			}
			child[at] = true
			if k == 0 {
				t.yes = at
			} else {
				t.no = at
			}
		}
		f.nodes = append(f.nodes, t)
	}
	for i := range f.nodes {
		if !child[i] && (i == 0 || trees[i] != trees[i-1]) {
			f.roots = append(f.roots, int32(i))
		}
	}
	return f, f.check(child)
}

// check makes sure that every walk ends: each node has at most one parent, so it does unless nodes go in a circle, which no root reaches.
func (f *forest) check(child []bool) error {
	roots := 0
	for _, c := range child {
		if !c {
			roots++
		}
	}
	if roots != len(f.roots) || roots == 0 {
		return errors.New("its nodes do not make trees")
	}
	return nil
}

// sum adds what the trees say of a row. how is an aggregate_function.
func (f *forest) sum(row, out []float64, seen []bool, how string) {
	for i := range out {
		out[i], seen[i] = 0, false
	}
	for _, root := range f.roots {
		for _, w := range f.walk(root, row) {
			switch {
			case !seen[w.target]:
				out[w.target], seen[w.target] = w.value, true
			case how == "MIN":
				out[w.target] = math.Min(out[w.target], w.value)
			case how == "MAX":
				out[w.target] = math.Max(out[w.target], w.value)
			default:
				out[w.target] += w.value
			}
		}
	}
	if how == "AVERAGE" {
		for i := range out {
			out[i] /= float64(len(f.roots))
		}
	}
}

func aggregate(n *node) (string, error) {
	how := n.text("aggregate_function", "SUM")
	switch how {
	case "SUM", "AVERAGE", "MIN", "MAX":
		return how, nil
	}
	return "", unsupported("aggregate_function %s", how)
}

func (f *forest) regress(how string, base []float64, post func([]float64)) kernel {
	return one(func(in []*tensor) (*tensor, error) {
		values, rows, columns, err := numbers(in[0])
		if err != nil {
			return nil, err
		}
		if columns < f.columns {
			return nil, fmt.Errorf("%d columns, %d are needed", columns, f.columns)
		}
		d := f32
		if in[0].dtype == f64 {
			d = f64
		}
		out := newTensor(d, []int{rows, f.targets})
		seen := make([]bool, f.targets)
		for r := range rows {
			scores := out.f[r*f.targets : (r+1)*f.targets]
			f.sum(values[r*columns:(r+1)*columns], scores, seen, how)
			for i := range base {
				if seen[i] { // a target that no leaf spoke of stays 0
					scores[i] += base[i]
				}
			}
			post(scores)
		}
		return out.round(), nil
	})
}

func buildTreeRegressor(n *node) (kernel, error) {
	targets := int(n.int("n_targets", 1))
	if targets < 1 || targets > maxElements {
		return nil, errors.New("no targets")
	}
	f, err := readForest(n, "target", targets)
	if err != nil {
		return nil, err
	}
	how, err := aggregate(n)
	if err != nil {
		return nil, err
	}
	base, err := n.floats("base_values")
	if err != nil {
		return nil, err
	}
	if len(base) != 0 && len(base) != targets {
		return nil, errors.New("its base values do not fit its targets")
	}
	post, err := transform(n.text("post_transform", "NONE"))
	return f.regress(how, base, post), errors.Join(err, need(n, 1))
}

func buildTreeClassifier(n *node) (kernel, error) {
	c, err := readClasses(n, "classlabels_int64s")
	if err != nil {
		return nil, err
	}
	k := c.labels.len()
	f, err := readForest(n, "class", k)
	if err != nil {
		return nil, err
	}
	base, err := n.floats("base_values")
	if err != nil {
		return nil, err
	}
	if len(base) != 0 && len(base) != k && (k != 2 || len(base) != 1) {
		return nil, errors.New("its base values do not fit its classes")
	}
	// Two classes, but weights for one of them only: the other's score follows.
	single, positive := k == 2, true
	for _, w := range f.weights {
		single = single && w.target == f.weights[0].target
		positive = positive && w.value >= 0
	}
	return func(in []*tensor) ([]*tensor, error) {
		values, rows, columns, err := numbers(in[0])
		if err != nil {
			return nil, err
		}
		if columns < f.columns {
			return nil, fmt.Errorf("%d columns, %d are needed", columns, f.columns)
		}
		labels, out := newTensor(c.labels.dtype, []int{rows}), newTensor(f32, []int{rows, k})
		seen := make([]bool, k)
		for r := range rows {
			scores := out.f[r*k : (r+1)*k]
			f.sum(values[r*columns:(r+1)*columns], scores, seen, "SUM")
			if !single {
				for i := range base {
					scores[i] += base[i]
				}
				labels.put(r, c.labels, argmax(scores))
				c.post(scores)
				continue
			}
			v := scores[0] + scores[1] // one of them is 0
			if len(base) > 0 {
				v += base[len(base)-1]
			}
			v = float64(float32(v))
			if positive {
				label := 0
				if v > 0.5 {
					label = 1
				}
				labels.put(r, c.labels, label)
				one := []float64{v}
				c.post(one)
				scores[0], scores[1] = 1-one[0], one[0]
				continue
			}
			label, both := c.binary(v)
			labels.put(r, c.labels, label)
			copy(scores, both)
		}
		return []*tensor{labels, out.round()}, nil
	}, need(n, 1)
}

// buildTreeEnsemble is version 5's operator: leaves have lists of their own.
func buildTreeEnsemble(n *node) (kernel, error) {
	targets := int(n.int("n_targets", 1))
	if targets < 1 || targets > maxElements {
		return nil, errors.New("no targets")
	}
	tensorAttr := func(name string) ([]float64, []int64, error) {
		a := n.attr(name)
		if a == nil || a.t == nil {
			return nil, nil, nil
		}
		t, err := a.t.tensor()
		if err != nil {
			return nil, nil, err
		}
		return t.floats(), t.i, nil
	}
	splits, _, err := tensorAttr("nodes_splits")
	if err != nil {
		return nil, err
	}
	_, kinds, err := tensorAttr("nodes_modes")
	if err != nil {
		return nil, err
	}
	leafWeights, _, err := tensorAttr("leaf_weights")
	if err != nil {
		return nil, err
	}
	members, _, err := tensorAttr("membership_values")
	if err != nil {
		return nil, err
	}
	n.attr("nodes_hitrates")
	features, yes, no := n.ints("nodes_featureids"), n.ints("nodes_truenodeids"), n.ints("nodes_falsenodeids")
	yesLeaf, noLeaf, tracks := n.ints("nodes_trueleafs"), n.ints("nodes_falseleafs"), n.ints("nodes_missing_value_tracks_true")
	roots, leafTargets := n.ints("tree_roots"), n.ints("leaf_targetids")
	size := len(features)
	if len(splits) != size || len(kinds) != size || len(yes) != size || len(no) != size || len(yesLeaf) != size || len(noLeaf) != size ||
		len(tracks) != 0 && len(tracks) != size || len(leafTargets) != len(leafWeights) || len(roots) == 0 {
		return nil, errors.New("its lists differ in length")
	}
	f := &forest{targets: targets, nodes: make([]treeNode, size, size+len(leafWeights))}
	for i, w := range leafWeights {
		if leafTargets[i] < 0 || leafTargets[i] >= int64(targets) {
			return nil, fmt.Errorf("a leaf of target %d", leafTargets[i])
		}
		f.weights = append(f.weights, weight{int32(leafTargets[i]), w})
		f.nodes = append(f.nodes, treeNode{mode: leaf, yes: int32(i), no: int32(i + 1)})
	}
	child := make([]bool, len(f.nodes))
	sets := splitMembers(members)
	for i := range size {
		order := []mode{leq, lt, geq, gt, eq, neq, member}
		if kinds[i] < 0 || kinds[i] >= int64(len(order)) || features[i] < 0 || features[i] >= maxElements {
			return nil, fmt.Errorf("node %d has mode %d and feature %d", i, kinds[i], features[i])
		}
		t := treeNode{mode: order[kinds[i]], feature: int32(features[i]), value: splits[i], missing: len(tracks) > 0 && tracks[i] != 0}
		if t.mode == member {
			if len(sets) == 0 {
				return nil, errors.New("a set of members is missing")
			}
			t.members, sets = sets[0], sets[1:]
		}
		f.columns = max(f.columns, int(features[i])+1)
		for k, link := range [][2]int64{{yes[i], yesLeaf[i]}, {no[i], noLeaf[i]}} {
			at := link[0]
			if link[1] != 0 {
				at += int64(size)
			}
			if at < 0 || link[0] < 0 || at >= int64(len(f.nodes)) || link[1] == 0 && at >= int64(size) || child[at] {
				return nil, fmt.Errorf("its links make no tree at node %d", i)
			}
			child[at] = true
			if k == 0 {
				t.yes = int32(at)
			} else {
				t.no = int32(at)
			}
		}
		f.nodes[i] = t
	}
	for _, r := range roots {
		// A tree of one leaf is written as a node whose two branches are that leaf; such a root has been refused above.
		if r < 0 || r >= int64(size) || child[r] {
			return nil, fmt.Errorf("root %d", r)
		}
		f.roots = append(f.roots, int32(r))
	}
	names := []string{"AVERAGE", "SUM", "MIN", "MAX"}
	how := n.int("aggregate_function", 1)
	posts := []string{"NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT"}
	post := n.int("post_transform", 0)
	if how < 0 || how >= int64(len(names)) || post < 0 || post >= int64(len(posts)) {
		return nil, unsupported("aggregate_function %d with post_transform %d", how, post)
	}
	fn, err := transform(posts[post])
	return f.regress(names[how], nil, fn), errors.Join(err, need(n, 1))
}

// splitMembers cuts the list of sets at its NaNs.
func splitMembers(values []float64) []map[float64]bool {
	var sets []map[float64]bool
	set := map[float64]bool{}
	for _, v := range values {
		if math.IsNaN(v) {
			sets = append(sets, set)
			set = map[float64]bool{}
			continue
		}
		set[v] = true
	}
	if len(set) > 0 {
		sets = append(sets, set)
	}
	return sets
}
