package sklearn

import (
	"math"
	"strings"

	"github.com/prinzbox/prinzbox/serving/pyobj"
)

// node is a node of a decision tree; a leaf has feature -1 and its value's place in left.
type node struct {
	threshold   float64
	feature     int32
	left, right int32
	missingLeft bool
}

// maxNodes bounds the nodes of all trees of an ensemble.
const maxNodes = 1 << 24

// forest is a set of trees over the same features. Leaves hold width values for each of the outputs.
type forest struct {
	in      *features
	width   int
	outputs int
	nodes   []node
	roots   []int32
	values  []float64
	// samples are the numbers of training rows of each leaf and depths the nodes above it, by the leaf's
	// place among all; only for isolation forests.
	samples []float64
	depths  []float64
}

// add reads the Tree of a fitted decision tree. Links must point forward, so that every walk ends. places,
// when not nil, are the columns that the tree sees.
func (f *forest) add(e *estimator, columns []int) {
	v, _ := e.get("tree_")
	t, ok := v.(*pyobj.Object)
	if !ok || t.Class.Name != "Tree" || len(t.Args) != 3 {
		e.fail("attribute tree_ is not understood: the tree is not fitted")
		return
	}
	outputs, ok := pyobj.Int(t.Args[2])
	if !ok || outputs < 1 || outputs > maxFeatures {
		e.fail("attribute tree_ is not understood")
		return
	}
	inner := &estimator{name: e.name, obj: t, budget: e.budget}
	nodesValue, _ := inner.get("nodes")
	nodes, ok1 := nodesValue.(*pyobj.Array)
	valuesValue, _ := inner.get("values")
	values, ok2 := valuesValue.(*pyobj.Array)
	if !ok1 || !ok2 || len(nodes.Shape) != 1 || len(values.Shape) != 3 || values.Shape[0] != nodes.Shape[0] || values.Shape[1] != outputs || nodes.Shape[0] == 0 {
		e.fail("attribute tree_ is not understood")
		return
	}
	n, width := nodes.Shape[0], values.Shape[2]
	if !e.spend(7*n + values.Len()) {
		return
	}
	if f.width == 0 {
		f.width, f.outputs = width, outputs
	}
	if width != f.width || width == 0 || outputs != f.outputs {
		e.fail("the trees differ in their number of outputs")
		return
	}
	member := func(name string) []float64 {
		m, err := nodes.Member(name)
		if err != nil {
			inner.fail("tree_: %v", err)
		}
		return m
	}
	left, right, feature, threshold := member("left_child"), member("right_child"), member("feature"), member("threshold")
	samples := member("n_node_samples")
	var missing []float64
	if nodes.HasMember("missing_go_to_left") {
		missing = member("missing_go_to_left")
	} else {
		f.in.allowNaN = false
	}
	leaves, err := values.Floats()
	if err != nil {
		inner.fail("tree_: %v", err)
	}
	if inner.err != nil {
		e.err = inner.err
		return
	}
	base, size := len(f.nodes), width*outputs
	if base+n > maxNodes || len(f.values)+n*size > math.MaxInt32 {
		e.fail("the trees have too many nodes")
		return
	}
	seen := f.in.width
	if columns != nil {
		seen = len(columns)
	}
	depth := make([]float64, n)
	f.roots = append(f.roots, int32(base))
	for i := range n {
		if left[i] < 0 { // a leaf
			f.nodes = append(f.nodes, node{feature: -1, left: int32(len(f.values))})
			f.values = append(f.values, leaves[i*size:(i+1)*size]...)
			f.samples = append(f.samples, samples[i])
			f.depths = append(f.depths, depth[i])
			continue
		}
		if !(left[i] > float64(i) && right[i] > float64(i) && left[i] < float64(n) && right[i] < float64(n) && feature[i] >= 0 && feature[i] < float64(seen)) {
			e.fail("node %d of a tree points outside it", i)
			return
		}
		column := int32(feature[i])
		if columns != nil {
			column = int32(columns[column])
		}
		depth[int(left[i])], depth[int(right[i])] = depth[i]+1, depth[i]+1
		f.nodes = append(f.nodes, node{
			threshold: threshold[i], feature: column, left: int32(base) + int32(left[i]), right: int32(base) + int32(right[i]),
			missingLeft: missing != nil && missing[i] != 0,
		})
	}
}

// walk goes down one tree and returns the place of the leaf's values; x holds float32 values, as
// scikit-learn casts its input.
func (f *forest) walk(root int32, x []float64) int32 {
	n := &f.nodes[root]
	for n.feature >= 0 {
		v := x[n.feature]
		if v <= n.threshold || v != v && n.missingLeft {
			n = &f.nodes[n.left]
		} else {
			n = &f.nodes[n.right]
		}
	}
	return n.left
}

func (f *forest) leaf(root int32, x []float64) []float64 {
	at := f.walk(root, x)
	return f.values[at : int(at)+f.width*f.outputs]
}

// single rounds a row to float32.
type single struct{ in, out, n int }

func (s *single) run(r *registers) error {
	for i := range s.n {
		v := float64(float32(r.num[s.in+i]))
		if math.IsInf(v, 0) {
			return valueError("Input X contains infinity or a value too large for dtype('float32').")
		}
		r.num[s.out+i] = v
	}
	return nil
}

// input checks the input and rounds it as trees see it.
func (f *forest) input(b *builder, in []int) (int, error) {
	first, err := f.in.of(b, in)
	if err != nil || f.in.width == 0 {
		return first, err
	}
	out := b.add(f.in.width)
	b.ops = append(b.ops, &single{first, out[0], f.in.width})
	return out[0], nil
}

func newForest(e *estimator) *forest {
	f := &forest{in: &features{name: e.name, names: e.strings("feature_names_in_"), allowNaN: true}}
	f.in.width = e.features(-1)
	if f.in.width < 0 {
		for _, attr := range []string{"n_features_", "_n_features"} {
			if e.has(attr) {
				f.in.width = e.integer(attr, -1)
			}
		}
	}
	if f.in.width < 0 || f.in.width > maxFeatures {
		e.missing("n_features_in_")
	}
	return f
}

// readForest reads the trees of a tree, forest or boosting estimator in order; boosting gives the number
// of trees a round.
func readForest(e *estimator) (f *forest, perRound int) {
	f = newForest(e)
	if e.err != nil {
		return f, 1
	}
	switch e.name {
	case "DecisionTreeRegressor", "DecisionTreeClassifier", "ExtraTreeRegressor", "ExtraTreeClassifier":
		f.in.allowNaN = takesNaN(e)
		f.add(e, nil)
		return f, 1
	}
	v, ok := e.get("estimators_")
	if !ok {
		e.missing("estimators_")
		return f, 1
	}
	perRound = 1
	if a, ok := v.(*pyobj.Array); ok && len(a.Shape) == 2 {
		perRound = a.Shape[1]
	}
	trees, err := e.values(v)
	if err != nil || len(trees) == 0 {
		e.fail("attribute estimators_ is not understood")
		return f, perRound
	}
	for _, tree := range trees {
		f.addTree(e, tree, nil)
		if e.err != nil {
			return f, perRound
		}
	}
	if strings.HasPrefix(e.name, "GradientBoosting") {
		f.in.allowNaN = false
	}
	return f, perRound
}

// addTree reads one tree estimator of an ensemble.
func (f *forest) addTree(e *estimator, tree pyobj.Value, columns []int) {
	te, err := e.part(tree)
	if err != nil {
		e.err = err
		return
	}
	switch te.name {
	case "DecisionTreeRegressor", "DecisionTreeClassifier", "ExtraTreeRegressor", "ExtraTreeClassifier":
	default:
		e.fail("estimators_ holds a %s", te.obj.Class)
		return
	}
	f.in.allowNaN = f.in.allowNaN && takesNaN(te)
	f.add(te, columns)
	e.err = te.err
}

// takesNaN tells whether a tree accepts missing values in predict: from scikit-learn 1.3 on for the best
// splitter, from 1.6 on for the random one, and not for every criterion.
func takesNaN(e *estimator) bool {
	criterion, _ := e.get("criterion")
	switch criterion {
	case "gini", "entropy", "log_loss", "squared_error", "friedman_mse", "poisson":
	default:
		return false
	}
	splitter, _ := e.get("splitter")
	switch splitter {
	case "best":
		return true // releases before 1.3 have no missing_go_to_left, which forest.add looks at
	case "random":
		return e.version != 0 && !e.old(6)
	}
	return false
}

func loadTreeRegressor(_ *loader, e *estimator, _ int) (*model, error) {
	f, _ := readForest(e)
	if e.err == nil && f.width != 1 {
		e.fail("the trees have %d values for each output", f.width)
	}
	m := regressor(e, f.mean)
	m.matrix = f.outputs > 1
	return m, e.err
}

// mean gives the mean of the leaves' values over all trees.
func (f *forest) mean(b *builder, in []int) ([]int, error) {
	first, err := f.input(b, in)
	if err != nil {
		return nil, err
	}
	size := f.width * f.outputs
	out := b.add(size)
	b.do(func(r *registers) error {
		x := r.num[first : first+f.in.width]
		if size == 1 {
			sum := 0.0
			for _, root := range f.roots {
				sum += f.values[f.walk(root, x)]
			}
			r.num[out[0]] = sum / float64(len(f.roots))
			return nil
		}
		p := r.num[out[0] : out[0]+size]
		clear(p)
		for _, root := range f.roots {
			for k, v := range f.leaf(root, x) {
				p[k] += v
			}
		}
		for k := range p {
			p[k] /= float64(len(f.roots))
		}
		return nil
	})
	return out, nil
}

func loadTreeClassifier(_ *loader, e *estimator, _ int) (*model, error) {
	f, _ := readForest(e)
	if e.err != nil {
		return nil, e.err
	}
	m := classifier(e, nil)
	if f.outputs == 1 {
		m.classes = readLabels(e, "classes_")
		m.outputs = nil
		if e.err == nil && f.width != m.classes.len() {
			e.fail("the trees have %d values for %d classes", f.width, m.classes.len())
		}
	} else {
		list := e.list("classes_")
		if e.err == nil && len(list) != f.outputs {
			e.fail("classes_ has %d lists for %d outputs", len(list), f.outputs)
		}
		for _, v := range list {
			m.outputs = append(m.outputs, labelsOf(e, "classes_", v))
		}
		if e.err == nil {
			checkOutputs(e, m.outputs)
		}
		for _, l := range m.outputs {
			if e.err == nil && l.len() > f.width {
				e.fail("the trees have %d values for %d classes", f.width, l.len())
			}
		}
		m.matrix = true
	}
	if e.err != nil {
		return nil, e.err
	}
	f.normalize()
	if m.outputs == nil {
		m.fns[predictProba] = f.mean
		m.mostOf(predictProba)
		return m, nil
	}
	m.fns[predict] = func(b *builder, in []int) ([]int, error) {
		p, err := f.mean(b, in)
		if err != nil {
			return nil, err
		}
		var out []int
		for k, l := range m.outputs {
			out = append(out, b.argMax(p[k*f.width:k*f.width+l.len()])...)
		}
		return out, nil
	}
	return m, nil
}

// checkOutputs refuses classes of several outputs that are not of one type: numpy would convert them.
func checkOutputs(e *estimator, outputs []*labels) {
	for _, l := range outputs {
		if l.kind != outputs[0].kind {
			e.fail("outputs with classes of different types are not supported")
		}
	}
}

// normalize makes fractions of leaves: releases before 1.3 keep weighted counts in them.
func (f *forest) normalize() {
	for i := 0; i < len(f.values); i += f.width {
		leaf, sum := f.values[i:i+f.width], 0.0
		for _, v := range leaf {
			sum += v
		}
		if math.Abs(sum-1) > 1e-6 && sum != 0 {
			for k := range leaf {
				leaf[k] /= sum
			}
		}
	}
}
