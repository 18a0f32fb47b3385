package sklearn

import (
	"math"
	"strconv"
	"strings"

	"github.com/prinzbox/prinzbox/serving/frame"
	"github.com/prinzbox/prinzbox/serving/pyobj"
)

// node is a node of a decision tree; a leaf has feature -1 and its value's place in left.
type node struct {
	threshold   float64
	feature     int32
	left, right int32
	missingLeft bool
}

// forest is a set of trees over the same features. Leaves hold width values each.
type forest struct {
	name     string
	names    []string
	features int
	width    int
	nodes    []node
	roots    []int32
	values   []float64
	allowNaN bool
}

// add reads the Tree of a fitted decision tree. Links must point forward, so that every walk ends.
func (f *forest) add(e *estimator) {
	v, _ := e.get("tree_")
	t, ok := v.(*pyobj.Object)
	if !ok || t.Class.Name != "Tree" || len(t.Args) != 3 {
		e.fail("attribute tree_ is not understood: the tree is not fitted")
		return
	}
	if n, ok := pyobj.Int(t.Args[2]); !ok || n != 1 {
		e.fail("trees of several outputs are not supported")
		return
	}
	inner := &estimator{name: e.name, obj: t}
	nodesValue, _ := inner.get("nodes")
	nodes, ok1 := nodesValue.(*pyobj.Array)
	valuesValue, _ := inner.get("values")
	values, ok2 := valuesValue.(*pyobj.Array)
	if !ok1 || !ok2 || len(nodes.Shape) != 1 || len(values.Shape) != 3 || values.Shape[0] != nodes.Shape[0] || values.Shape[1] != 1 || nodes.Shape[0] == 0 {
		e.fail("attribute tree_ is not understood")
		return
	}
	n, width := nodes.Shape[0], values.Shape[2]
	if f.width == 0 {
		f.width = width
	}
	if width != f.width || width == 0 {
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
	var missing []float64
	if nodes.HasMember("missing_go_to_left") {
		missing = member("missing_go_to_left")
	} else {
		f.allowNaN = false
	}
	leaves, err := values.Floats()
	if err != nil {
		inner.fail("tree_: %v", err)
	}
	if inner.err != nil {
		e.err = inner.err
		return
	}
	base := len(f.nodes)
	if base+n > math.MaxInt32 || len(f.values)+n*width > math.MaxInt32 {
		e.fail("the trees have too many nodes")
		return
	}
	f.roots = append(f.roots, int32(base))
	for i := range n {
		if left[i] < 0 { // a leaf
			f.nodes = append(f.nodes, node{feature: -1, left: int32(len(f.values))})
			f.values = append(f.values, leaves[i*width:(i+1)*width]...)
			continue
		}
		if !(left[i] > float64(i) && right[i] > float64(i) && left[i] < float64(n) && right[i] < float64(n) && feature[i] >= 0 && feature[i] < float64(f.features)) {
			e.fail("node %d of a tree points outside it", i)
			return
		}
		f.nodes = append(f.nodes, node{
			threshold: threshold[i], feature: int32(feature[i]), left: int32(base) + int32(left[i]), right: int32(base) + int32(right[i]),
			missingLeft: missing != nil && missing[i] != 0,
		})
	}
}

// leaf walks one tree; x holds float32 values, as scikit-learn casts its input.
func (f *forest) leaf(root int32, x []float64) []float64 {
	n := &f.nodes[root]
	for n.feature >= 0 {
		v := x[n.feature]
		if v <= n.threshold || v != v && n.missingLeft {
			n = &f.nodes[n.left]
		} else {
			n = &f.nodes[n.right]
		}
	}
	return f.values[n.left : int(n.left)+f.width]
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

func (f *forest) input(b *builder, in []int) (int, error) {
	if err := b.checkNames(f.names, in); err != nil {
		return 0, err
	}
	first, err := b.matrix(in, f.features, f.name, f.allowNaN)
	if err != nil || f.features == 0 {
		return first, err
	}
	out := b.add(f.features)
	b.ops = append(b.ops, &single{first, out[0], f.features})
	return out[0], nil
}

// readForest reads the trees of a tree, forest or boosting estimator in order; boosting gives the number
// of trees a round.
func readForest(e *estimator) (f *forest, perRound int) {
	f = &forest{name: e.name, names: e.strings("feature_names_in_"), allowNaN: true}
	f.features = e.features(-1)
	if f.features < 0 {
		for _, attr := range []string{"n_features_", "_n_features"} {
			if e.has(attr) {
				f.features = int(e.number(attr))
			}
		}
	}
	if f.features < 0 || f.features > maxFeatures {
		e.missing("n_features_in_")
		return f, 1
	}
	switch {
	case strings.HasPrefix(e.name, "DecisionTree"), strings.HasPrefix(e.name, "ExtraTree") && !strings.HasPrefix(e.name, "ExtraTrees"):
		f.allowNaN = takesNaN(e)
		f.add(e)
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
	trees, err := values(v)
	if err != nil || len(trees) == 0 {
		e.fail("attribute estimators_ is not understood")
		return f, perRound
	}
	for _, tree := range trees {
		te, err := newEstimator(tree)
		if err != nil {
			e.err = err
			return f, perRound
		}
		switch te.name {
		case "DecisionTreeRegressor", "DecisionTreeClassifier", "ExtraTreeRegressor", "ExtraTreeClassifier":
		default:
			e.fail("estimators_ holds a %s", te.obj.Class)
			return f, perRound
		}
		f.allowNaN = f.allowNaN && takesNaN(te)
		f.add(te)
		if te.err != nil {
			e.err = te.err
			return f, perRound
		}
	}
	if strings.HasPrefix(e.name, "GradientBoosting") {
		f.allowNaN = false
	}
	return f, perRound
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
		version, _ := e.get("_sklearn_version")
		text, _ := version.(string)
		major, rest, _ := strings.Cut(text, ".")
		minor, _, _ := strings.Cut(rest, ".")
		m, err := strconv.Atoi(minor)
		return major == "1" && err == nil && m >= 6
	}
	return false
}

// boost is gradient boosting's start and step.
type boost struct {
	rate  float64
	start []float64
}

func readBoost(e *estimator, outputs int) *boost {
	b := &boost{rate: e.number("learning_rate"), start: make([]float64, outputs)}
	v, _ := e.get("init_")
	init, err := newEstimator(v)
	if err != nil {
		e.fail("option init=%s is not supported", describe(v))
		return b
	}
	switch init.name {
	case "DummyRegressor":
		b.start[0] = init.number("constant_")
	case "DummyClassifier":
		init.only("strategy", "prior")
		prior, _ := init.array("class_prior_")
		if init.err != nil {
			break
		}
		const eps = 1.1920928955078125e-07 // of float32, as scikit-learn clips
		for i, p := range prior {
			prior[i] = math.Min(math.Max(p, eps), 1-eps)
		}
		switch {
		case outputs == 1 && len(prior) == 2:
			b.start[0] = math.Log(prior[1] / (1 - prior[1]))
		case outputs > 1 && len(prior) == outputs:
			for i, p := range prior {
				b.start[i] = math.Log(p)
			}
		default:
			init.fail("class_prior_ has %d values for %d trees a round", len(prior), outputs)
		}
	default:
		e.fail("option init=%s is not supported", init.obj.Class)
	}
	if e.err == nil {
		e.err = init.err
	}
	return b
}

// raw adds the rounds up into out.
func (b *boost) raw(f *forest, x, out []float64) {
	copy(out, b.start)
	for i, root := range f.roots {
		out[i%len(out)] += b.rate * f.leaf(root, x)[0]
	}
}

type treeRegressor struct {
	*forest
	boost *boost
}

func loadTreeRegressor(_ *loader, e *estimator, _ int) (predictor, error) {
	f, perRound := readForest(e)
	m := &treeRegressor{forest: f}
	if e.err == nil && f.width != 1 {
		e.fail("trees of several outputs are not supported")
	}
	if e.name == "GradientBoostingRegressor" {
		e.option("loss", "squared_error", "ls", "absolute_error", "lad", "huber", "quantile")
		if perRound != 1 {
			e.fail("estimators_ has %d trees a round", perRound)
		}
		m.boost = readBoost(e, 1)
	}
	return m, e.err
}

func (m *treeRegressor) result(n int, _ bool) *frame.Result {
	return &frame.Result{Kind: frame.Float, Floats: make([]float64, n)}
}

func (m *treeRegressor) compile(b *builder, in []int, _ bool) (scorer, error) {
	first, err := m.input(b, in)
	return &treeScorer{m, first}, err
}

type treeScorer struct {
	*treeRegressor
	in int
}

func (s *treeScorer) score(r *registers, row int, out *frame.Result) error {
	x := r.num[s.in : s.in+s.features]
	if s.boost != nil {
		s.boost.raw(s.forest, x, out.Floats[row:row+1])
		return nil
	}
	sum := 0.0
	for _, root := range s.roots {
		sum += s.leaf(root, x)[0]
	}
	out.Floats[row] = sum / float64(len(s.roots))
	return nil
}

type treeClassifier struct {
	*forest
	labels *labels
	boost  *boost
}

func (*treeClassifier) prober() {}

func loadTreeClassifier(_ *loader, e *estimator, _ int) (predictor, error) {
	m := &treeClassifier{labels: readLabels(e, "classes_")}
	if e.err != nil {
		return nil, e.err
	}
	f, perRound := readForest(e)
	m.forest = f
	if e.err != nil {
		return nil, e.err
	}
	n := m.labels.len()
	if e.name == "GradientBoostingClassifier" {
		e.option("loss", "log_loss", "deviance")
		if f.width != 1 || (perRound != n && (n != 2 || perRound != 1)) {
			e.fail("estimators_ has %d trees a round for %d classes", perRound, n)
			return nil, e.err
		}
		m.boost = readBoost(e, perRound)
		return m, e.err
	}
	if f.width != n {
		e.fail("the trees have %d outputs for %d classes", f.width, n)
		return nil, e.err
	}
	// Releases before 1.3 keep weighted counts in the leaves.
	for i := 0; i < len(f.values); i += n {
		leaf, sum := f.values[i:i+n], 0.0
		for _, v := range leaf {
			sum += v
		}
		if math.Abs(sum-1) > 1e-6 && sum != 0 {
			for k := range leaf {
				leaf[k] /= sum
			}
		}
	}
	return m, nil
}

func (m *treeClassifier) result(n int, proba bool) *frame.Result {
	if proba {
		return m.labels.proba(n)
	}
	return m.labels.result(n)
}

func (m *treeClassifier) compile(b *builder, in []int, proba bool) (scorer, error) {
	first, err := m.input(b, in)
	if err != nil {
		return nil, err
	}
	n := m.labels.len()
	return &treeClassScorer{m, first, b.add(n)[0], proba}, nil
}

type treeClassScorer struct {
	*treeClassifier
	in, scratch int
	proba       bool
}

func (s *treeClassScorer) score(r *registers, row int, out *frame.Result) error {
	x := r.num[s.in : s.in+s.features]
	n := s.labels.len()
	p := r.num[s.scratch : s.scratch+n]
	if s.proba {
		p = out.Floats[row*n : (row+1)*n]
	}
	switch {
	case s.boost == nil:
		clear(p)
		for _, root := range s.roots {
			for k, v := range s.leaf(root, x) {
				p[k] += v
			}
		}
		for k := range p {
			p[k] /= float64(len(s.roots))
		}
	case len(s.boost.start) == 1:
		s.boost.raw(s.forest, x, p[1:])
		p[1] = expit(p[1])
		p[0] = 1 - p[1]
	default:
		s.boost.raw(s.forest, x, p)
		softMax(p)
	}
	if s.proba {
		return nil
	}
	best := 0
	for k, v := range p {
		if v > p[best] {
			best = k
		}
	}
	s.labels.put(out, row, best)
	return nil
}
