package sklearn

import (
	"math"

	"github.com/prinzbox/prinzbox/serving/pyobj"
)

// histNode is a node of a histogram-based boosting tree; a leaf has feature -1 and its value in threshold.
type histNode struct {
	threshold   float64
	feature     int32
	left, right int32
	bits        int32 // 1 + place in forest.bits of the categories that go left; 0 for a number
	missingLeft bool
}

// bitset is one bit for each of 256 categories.
type bitset [8]uint32

func (s *bitset) has(c uint8) bool { return s[c>>5]>>(c&31)&1 != 0 }

// hist is histogram-based gradient boosting.
type hist struct {
	in       *features
	before   transformer // puts categorical columns first, as numbers; nil when there is none
	start    []float64
	nodes    []histNode
	roots    []int32
	bits     []bitset
	known    []bitset // the categories seen in fit, by column
	negative bool     // whether negative categories are missing values, from scikit-learn 1.2 on
}

func loadHist(l *loader, e *estimator, depth int) (*model, error) {
	h := &hist{in: readFeatures(e, -1, true), negative: !e.old(2)}
	h.in.infinite = true
	width := h.in.width
	if e.err != nil {
		return nil, e.err
	}
	if e.has("_preprocessor") {
		v, _ := e.get("_preprocessor")
		t, err := l.histColumns(v, depth+1)
		if err != nil {
			return nil, err
		}
		h.before = t
	}
	h.start, _ = e.array("_baseline_prediction")
	h.readKnown(e)
	rounds := e.list("_predictors")
	if e.err != nil {
		return nil, e.err
	}
	n := len(h.start)
	for _, round := range rounds {
		trees, err := e.values(round)
		if err != nil || len(trees) != n {
			e.fail("attribute _predictors is not understood")
			return nil, e.err
		}
		for _, tree := range trees {
			h.add(e, tree, width)
			if e.err != nil {
				return nil, e.err
			}
		}
	}
	if n == 0 || e.integer("n_trees_per_iteration_", n) != n {
		e.fail("attribute _baseline_prediction has %d values", n)
		return nil, e.err
	}
	if e.name == "HistGradientBoostingRegressor" {
		log := false
		switch e.option("loss", "squared_error", "least_squares", "absolute_error", "least_absolute_deviation", "quantile", "poisson", "gamma") {
		case "poisson", "gamma":
			log = true
		}
		if n != 1 {
			e.fail("attribute _baseline_prediction has %d values", n)
		}
		return regressor(e, func(b *builder, in []int) ([]int, error) {
			raw, err := h.raw(b, in)
			if err == nil && log {
				raw = b.each(raw, exp)
			}
			return raw, err
		}), e.err
	}
	e.option("loss", "log_loss", "auto", "binary_crossentropy", "categorical_crossentropy")
	m := classifier(e, readLabels(e, "classes_"))
	if e.err == nil && m.classes.len() != n && (m.classes.len() != 2 || n != 1) {
		e.fail("_baseline_prediction has %d values for %d classes", n, m.classes.len())
	}
	m.noLog = true
	m.fns[decisionFunction] = h.raw
	m.fns[predictProba] = func(b *builder, in []int) ([]int, error) {
		raw, err := h.raw(b, in)
		if err != nil {
			return nil, err
		}
		if n > 1 {
			return b.sharpen(raw), nil
		}
		return b.pair(b.each(raw, expit)[0]), nil
	}
	m.mostOf(predictProba)
	return m, e.err
}

// histColumns reads the ColumnTransformer that encodes categories. Its part for numbers is a function that
// only checks them.
func (l *loader) histColumns(v pyobj.Value, depth int) (transformer, error) {
	e, err := l.open(v, depth)
	if err != nil {
		return nil, err
	}
	if e.name != "ColumnTransformer" {
		return nil, unsupported("HistGradientBoosting: _preprocessor is a %s", e.obj.Class)
	}
	l.checks++
	defer func() { l.checks-- }()
	return loadColumnTransformer(l, e, depth)
}

// readKnown reads which categories fit saw.
func (h *hist) readKnown(e *estimator) {
	mapper := e.object("_bin_mapper")
	if mapper == nil {
		return
	}
	if !mapper.has("is_categorical_") {
		return
	}
	is, _ := mapper.array("is_categorical_")
	bins := mapper.list("bin_thresholds_")
	if mapper.err != nil || len(is) != h.in.width || len(bins) != h.in.width {
		e.fail("attribute _bin_mapper is not understood")
		return
	}
	h.known = make([]bitset, len(is))
	for i := range is {
		if is[i] == 0 {
			continue
		}
		cats, _, err := e.numbersOf(bins[i])
		places, ok := wholeNumbers(cats, 256)
		if err != nil || !ok {
			e.fail("attribute _bin_mapper holds categories that are not understood")
			return
		}
		for _, c := range places {
			h.known[i][c>>5] |= 1 << (c & 31)
		}
	}
}

// add reads one TreePredictor. Links must point forward, so that every walk ends.
func (h *hist) add(e *estimator, tree pyobj.Value, width int) {
	o, ok := tree.(*pyobj.Object)
	if !ok || o.Class.Name != "TreePredictor" {
		e.fail("attribute _predictors holds %s", pyobj.TypeName(tree))
		return
	}
	p := &estimator{name: e.name, obj: o, budget: e.budget}
	v, _ := p.get("nodes")
	a, ok := v.(*pyobj.Array)
	if !ok || len(a.Shape) != 1 || a.Len() == 0 {
		e.fail("the nodes of a tree are not understood")
		return
	}
	member := func(name string) []float64 {
		m, err := a.Member(name)
		if err != nil {
			p.fail("a tree: %v", err)
		}
		return m
	}
	n := a.Len()
	if !e.spend(10 * n) {
		return
	}
	values, feature, missing := member("value"), member("feature_idx"), member("missing_go_to_left")
	left, right, leaf := member("left"), member("right"), member("is_leaf")
	threshold := []float64(nil)
	if a.HasMember("num_threshold") {
		threshold = member("num_threshold")
	} else {
		threshold = member("threshold")
	}
	categorical, place := make([]float64, n), make([]float64, n)
	if a.HasMember("is_categorical") {
		categorical, place = member("is_categorical"), member("bitset_idx")
	}
	if e.err = p.err; e.err != nil {
		return
	}
	base, sets := len(h.nodes), len(h.bits)
	if p.has("raw_left_cat_bitsets") {
		words, rows, cols := p.table("raw_left_cat_bitsets")
		if p.err != nil || rows > 0 && cols != len(bitset{}) {
			e.fail("the categories of a tree are not understood")
			return
		}
		for i := range rows {
			var s bitset
			for k := range s {
				s[k] = uint32(words[i*cols+k])
			}
			h.bits = append(h.bits, s)
		}
	}
	if base+n > maxNodes || len(h.bits) > maxNodes {
		e.fail("the trees have too many nodes")
		return
	}
	h.roots = append(h.roots, int32(base))
	for i := range n {
		if leaf[i] != 0 {
			h.nodes = append(h.nodes, histNode{feature: -1, threshold: values[i]})
			continue
		}
		if !(left[i] > float64(i) && right[i] > float64(i) && left[i] < float64(n) && right[i] < float64(n) && feature[i] >= 0 && feature[i] < float64(width)) {
			e.fail("node %d of a tree points outside it", i)
			return
		}
		node := histNode{
			threshold: threshold[i], feature: int32(feature[i]), left: int32(base) + int32(left[i]), right: int32(base) + int32(right[i]),
			missingLeft: missing[i] != 0,
		}
		if categorical[i] != 0 {
			if h.known == nil || !(place[i] < float64(len(h.bits)-sets)) {
				e.fail("node %d of a tree has no categories", i)
				return
			}
			node.bits = int32(sets) + int32(place[i]) + 1
		}
		h.nodes = append(h.nodes, node)
	}
}

func (h *hist) walk(root int32, x []float64) float64 {
	n := &h.nodes[root]
	for n.feature >= 0 {
		v := x[n.feature]
		left := v <= n.threshold
		switch {
		case v != v:
			left = n.missingLeft
		case n.bits != 0:
			left = h.category(n, v)
		}
		if left {
			n = &h.nodes[n.left]
		} else {
			n = &h.nodes[n.right]
		}
	}
	return n.threshold
}

// category tells whether a category goes left. Its number is cut to 8 bits as scikit-learn's C code does.
func (h *hist) category(n *histNode, v float64) bool {
	if v < 0 && h.negative {
		return n.missingLeft
	}
	c := uint8(0)
	if math.Abs(v) < 1<<31 {
		c = uint8(int32(v))
	}
	if h.bits[n.bits-1].has(c) {
		return true
	}
	if h.known[n.feature].has(c) {
		return false
	}
	return n.missingLeft
}

// raw adds the rounds up.
func (h *hist) raw(b *builder, in []int) ([]int, error) {
	var err error
	if h.before != nil {
		if err := b.checkNames(h.in.names, in); err != nil {
			return nil, err
		}
		if in, err = h.before.compile(b, in); err != nil {
			return nil, err
		}
	}
	first, err := h.in.of(b, in)
	if err != nil {
		return nil, err
	}
	n := len(h.start)
	out := b.add(n)
	b.do(func(r *registers) error {
		raw := r.num[out[0] : out[0]+n]
		copy(raw, h.start)
		x := r.num[first : first+h.in.width]
		if n == 1 {
			sum := raw[0]
			for _, root := range h.roots {
				sum += h.walk(root, x)
			}
			raw[0] = sum
			return nil
		}
		for i, root := range h.roots {
			raw[i%n] += h.walk(root, x)
		}
		return nil
	})
	return out, nil
}
