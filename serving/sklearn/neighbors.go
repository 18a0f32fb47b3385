package sklearn

import (
	"math"

	"github.com/prinzbox/prinzbox/serving/pyobj"
)

// metric is a distance in its reduced form, which orders as the distance does and is cheaper.
type metric struct {
	name string
	p    float64
}

func readMetric(e *estimator) metric {
	m := metric{name: e.option("effective_metric_", "euclidean", "manhattan", "minkowski", "chebyshev", "l1", "l2", "cityblock")}
	params := e.metricParams()
	switch m.name {
	case "euclidean", "l2":
		m = metric{"euclidean", 2}
	case "manhattan", "l1", "cityblock":
		m = metric{"manhattan", 1}
	case "chebyshev":
		m.p = math.Inf(1)
	case "minkowski":
		var ok bool
		if m.p, ok = params["p"]; !ok || !(m.p > 0) {
			e.fail("option metric_params is not understood")
		}
	}
	for name := range params {
		if name != "p" {
			e.fail("option metric_params with %s is not supported", name)
		}
	}
	return m
}

// metricParams reads effective_metric_params_, whose None values stand for nothing.
func (e *estimator) metricParams() map[string]float64 {
	out := map[string]float64{}
	v, _ := e.get("effective_metric_params_")
	d, _ := v.(*pyobj.Dict)
	if d == nil {
		return out
	}
	for _, entry := range d.Entries {
		name, ok := entry.Key.(string)
		if ok && entry.Value == nil {
			continue
		}
		f, isNumber := pyobj.Float(entry.Value)
		if !ok || !isNumber {
			e.fail("option metric_params holds %s", pyobj.TypeName(entry.Value))
		}
		out[name] = f
	}
	return out
}

// reduced is the reduced distance.
func (m metric) reduced(x, y []float64) float64 {
	sum := 0.0
	y = y[:len(x)]
	switch m.name {
	case "euclidean":
		for i, v := range x {
			d := v - y[i]
			sum += d * d
		}
	case "manhattan":
		for i, v := range x {
			sum += math.Abs(v - y[i])
		}
	case "chebyshev":
		for i, v := range x {
			sum = math.Max(sum, math.Abs(v-y[i]))
		}
	default:
		for i, v := range x {
			sum += math.Pow(math.Abs(v-y[i]), m.p)
		}
	}
	return sum
}

// distance is the distance of a reduced one.
func (m metric) distance(reduced float64) float64 {
	switch m.name {
	case "euclidean":
		return math.Sqrt(reduced)
	case "manhattan", "chebyshev":
		return reduced
	}
	return math.Pow(reduced, 1/m.p)
}

func (m metric) reduce(distance float64) float64 {
	switch m.name {
	case "euclidean":
		return distance * distance
	case "manhattan", "chebyshev":
		return distance
	}
	return math.Pow(distance, m.p)
}

// neighbors is a table of points that can be asked for the nearest ones.
//
// By brute force scikit-learn takes the euclidean distance from a matrix product, which leaves that of equal
// points at the size of its rounding, some 1e-7. With weights='distance' such a row's prediction is as exact
// as that, in scikit-learn as here, and may differ between the two.
type neighbors struct {
	metric metric
	k      int
	points []float64
	rows   int
	width  int
	norms  []float64 // of the points, for the euclidean distance by brute force
	tree   *pointTree
}

// find puts the reduced distances of the k nearest points into d and their places into at, nearest first.
func (n *neighbors) find(x, d, at []float64) {
	h := &nearest{d, at}
	for i := range d {
		d[i], at[i] = math.Inf(1), 0
	}
	switch {
	case n.tree != nil:
		n.tree.query(n, h, x, 0, n.tree.least(n, 0, x))
	case n.norms != nil:
		// As scikit-learn does it, by |x|² + |y|² - 2xy.
		own := 0.0
		for _, v := range x {
			own += v * v
		}
		for i := range n.rows {
			y := n.points[i*n.width : (i+1)*n.width]
			dot := 0.0
			for k, v := range x {
				dot += v * y[k]
			}
			h.push(math.Max(0, -2*dot+own+n.norms[i]), i)
		}
	default:
		for i := range n.rows {
			h.push(n.metric.reduced(x, n.points[i*n.width:(i+1)*n.width]), i)
		}
	}
	h.sort()
}

// nearest is the heap of the nearest points so far, the farthest one at its root. It keeps the first of
// equals, and which one leaves is told by its layout: the same as scikit-learn's, so that ties end alike.
type nearest struct{ d, at []float64 }

func (h *nearest) push(v float64, place int) {
	if v >= h.d[0] {
		return
	}
	i := 0
	for {
		left, right := 2*i+1, 2*i+2
		child := left
		if left >= len(h.d) {
			break
		}
		if right < len(h.d) && h.d[left] < h.d[right] {
			child = right
		}
		if h.d[child] <= v {
			break
		}
		h.d[i], h.at[i] = h.d[child], h.at[child]
		i = child
	}
	h.d[i], h.at[i] = v, float64(place)
}

// sort orders by distance; k is small.
func (h *nearest) sort() {
	for i := 1; i < len(h.d); i++ {
		v, at := h.d[i], h.at[i]
		k := i
		for ; k > 0 && h.d[k-1] > v; k-- {
			h.d[k], h.at[k] = h.d[k-1], h.at[k-1]
		}
		h.d[k], h.at[k] = v, at
	}
}

// pointTree is a KD tree or ball tree over points.
type pointTree struct {
	ball       bool
	order      []int
	start, end []int
	leaf       []bool
	radius     []float64
	bounds     []float64 // low and high corners, or centers, of nodes
}

// query is scikit-learn's depth-first search, nearer child first.
func (t *pointTree) query(n *neighbors, h *nearest, x []float64, node int, least float64) {
	if least > h.d[0] {
		return
	}
	if t.leaf[node] {
		for _, i := range t.order[t.start[node]:t.end[node]] {
			h.push(n.metric.reduced(x, n.points[i*n.width:(i+1)*n.width]), i)
		}
		return
	}
	left, right := 2*node+1, 2*node+2
	a, b := t.least(n, left, x), t.least(n, right, x)
	if a <= b {
		t.query(n, h, x, left, a)
		t.query(n, h, x, right, b)
		return
	}
	t.query(n, h, x, right, b)
	t.query(n, h, x, left, a)
}

// least is a lower bound of the reduced distance from x to the points of a node.
func (t *pointTree) least(n *neighbors, node int, x []float64) float64 {
	w := n.width
	if t.ball {
		d := n.metric.distance(n.metric.reduced(x, t.bounds[node*w:(node+1)*w]))
		return n.metric.reduce(math.Max(0, d-t.radius[node]))
	}
	low := t.bounds[node*w : (node+1)*w]
	high := t.bounds[(len(t.start)+node)*w : (len(t.start)+node+1)*w]
	sum := 0.0
	for i, v := range x {
		d := math.Max(low[i]-v, 0) + math.Max(v-high[i], 0)
		switch n.metric.name {
		case "euclidean":
			sum += d * d
		case "manhattan":
			sum += d
		case "chebyshev":
			sum = math.Max(sum, d)
		default:
			sum += math.Pow(d, n.metric.p)
		}
	}
	return sum
}

// readNeighbors reads the points that an estimator was fitted to.
func readNeighbors(e *estimator) *neighbors {
	n := &neighbors{metric: readMetric(e), k: e.integer("n_neighbors", 5)}
	n.points, n.rows, n.width = e.table("_fit_X")
	if e.err == nil && (n.k < 1 || n.k > n.rows) {
		e.fail("n_neighbors is %d for %d points", n.k, n.rows)
	}
	switch e.option("_fit_method", "brute", "kd_tree", "ball_tree") {
	case "brute":
		if e.old(1) {
			// The order among equal distances is then that of numpy.argpartition.
			e.fail("option algorithm='brute' of scikit-learn before 1.1 is not supported (supported: kd_tree, ball_tree)")
		}
		if v, _ := e.get("_fit_X"); e.err == nil && v.(*pyobj.Array).DType.String() != "float64" {
			// It is so in newer ones as well when the points are of another type than the rows.
			e.fail("option algorithm='brute' with points of type %s is not supported (supported: float64)", v.(*pyobj.Array).DType)
		}
		if n.metric.name == "euclidean" && e.err == nil {
			n.norms = make([]float64, n.rows)
			for i := range n.norms {
				for _, v := range n.points[i*n.width : (i+1)*n.width] {
					n.norms[i] += v * v
				}
			}
		}
	case "kd_tree":
		n.tree = readTree(e, n, false)
	default:
		n.tree = readTree(e, n, true)
	}
	return n
}

func readTree(e *estimator, n *neighbors, ball bool) *pointTree {
	v, _ := e.get("_tree")
	o, ok := v.(*pyobj.Object)
	if !ok || e.err != nil {
		e.fail("attribute _tree is not understood")
		return nil
	}
	state, ok := o.State.(*pyobj.Tuple)
	if !ok || len(state.Items) < 12 {
		e.fail("attribute _tree is not understood")
		return nil
	}
	points, shape, err1 := e.numbersOf(state.Items[0])
	order, _, err2 := e.numbersOf(state.Items[1])
	nodes, ok := state.Items[2].(*pyobj.Array)
	bounds, corners, err3 := e.numbersOf(state.Items[3])
	if err1 != nil || err2 != nil || err3 != nil || !ok || len(shape) != 2 || shape[0] != n.rows || shape[1] != n.width || len(corners) != 3 {
		e.fail("attribute _tree is not understood")
		return nil
	}
	n.points = points
	t := &pointTree{ball: ball, bounds: bounds}
	t.order, ok = wholeNumbers(order, n.rows)
	count := nodes.Len()
	want := 2
	if ball {
		want = 1
	}
	if !ok || len(t.order) != n.rows || corners[0] != want || corners[1] != count || corners[2] != n.width || count == 0 {
		e.fail("attribute _tree is not understood")
		return nil
	}
	member := func(name string) []float64 {
		m, err := nodes.Member(name)
		if err != nil {
			e.fail("attribute _tree: %v", err)
		}
		return m
	}
	leaf := member("is_leaf")
	start, end := member("idx_start"), member("idx_end")
	t.radius = member("radius")
	if e.err != nil {
		return nil
	}
	var ok1, ok2 bool
	t.start, ok1 = wholeNumbers(start, n.rows+1)
	t.end, ok2 = wholeNumbers(end, n.rows+1)
	if !ok1 || !ok2 {
		e.fail("attribute _tree is not understood")
		return nil
	}
	t.leaf = make([]bool, count)
	for i := range t.leaf {
		t.leaf[i] = leaf[i] != 0
		if t.start[i] > t.end[i] || !t.leaf[i] && 2*i+2 >= count {
			e.fail("attribute _tree is not understood")
			return nil
		}
	}
	return t
}

// loadNeighbors reads a nearest-neighbors classifier or regressor.
func loadNeighbors(_ *loader, e *estimator, _ int) (*model, error) {
	e.only("metric_params")
	byDistance := e.option("weights", "uniform", "distance") == "distance"
	n := readNeighbors(e)
	target, shape := e.array("_y")
	if e.err != nil {
		return nil, e.err
	}
	in := readFeatures(e, n.width, false)
	outputs, matrix := 1, false
	if len(shape) == 2 {
		outputs, matrix = shape[1], true
	}
	if len(shape) == 0 || shape[0] != n.rows || outputs == 0 {
		e.fail("_y has shape %v for %d points", shape, n.rows)
		return nil, e.err
	}
	// ask compiles the search; weights are 1 unless they go by distance.
	ask := func(b *builder, regs []int, f func(at, weights []float64, r *registers)) error {
		first, err := in.of(b, regs)
		if err != nil {
			return err
		}
		scratch := b.add(2 * n.k)[0]
		b.do(func(r *registers) error {
			d, at := r.num[scratch:scratch+n.k], r.num[scratch+n.k:scratch+2*n.k]
			n.find(r.num[first:first+n.width], d, at)
			if byDistance {
				n.weigh(d)
			} else {
				for i := range d {
					d[i] = 1
				}
			}
			f(at, d, r)
			return nil
		})
		return nil
	}
	if e.name == "KNeighborsRegressor" {
		m := regressor(e, func(b *builder, regs []int) ([]int, error) {
			out := b.add(outputs)
			return out, ask(b, regs, func(at, weights []float64, r *registers) {
				for k, reg := range out {
					sum, total := 0.0, 0.0
					for i, place := range at {
						sum += weights[i] * target[int(place)*outputs+k]
						total += weights[i]
					}
					r.num[reg] = sum / total
				}
			})
		})
		m.matrix = matrix
		return m, e.err
	}
	m := classifier(e, nil)
	var all []*labels
	if e.flag("outputs_2d_", false) {
		for _, v := range e.list("classes_") {
			all = append(all, labelsOf(e, "classes_", v))
		}
	} else {
		all = []*labels{readLabels(e, "classes_")}
	}
	if e.err != nil {
		return nil, e.err
	}
	if len(all) != outputs {
		e.fail("classes_ has %d lists for %d outputs", len(all), outputs)
		return nil, e.err
	}
	checkOutputs(e, all)
	for i, v := range target {
		if c := all[i%outputs].len(); !(v >= 0 && v < float64(c)) {
			e.fail("_y holds %v for %d classes", v, c)
			return nil, e.err
		}
	}
	probas := func(b *builder, regs []int) ([][]int, error) {
		out := make([][]int, outputs)
		for k, l := range all {
			out[k] = b.add(l.len())
		}
		return out, ask(b, regs, func(at, weights []float64, r *registers) {
			for k, p := range out {
				for _, reg := range p {
					r.num[reg] = 0
				}
				total := 0.0
				for i, place := range at {
					r.num[p[int(target[int(place)*outputs+k])]] += weights[i]
					total += weights[i]
				}
				for _, reg := range p {
					r.num[reg] /= total
				}
			}
		})
	}
	m.fns[predict] = func(b *builder, regs []int) ([]int, error) {
		p, err := probas(b, regs)
		if err != nil {
			return nil, err
		}
		var out []int
		for _, regs := range p {
			out = append(out, b.argMax(regs)...)
		}
		return out, nil
	}
	if !matrix {
		m.classes = all[0]
		m.fns[predictProba] = func(b *builder, regs []int) ([]int, error) {
			p, err := probas(b, regs)
			if err != nil {
				return nil, err
			}
			return p[0], nil
		}
		return m, e.err
	}
	m.outputs, m.matrix = all, true
	return m, e.err
}

// weigh turns reduced distances into weights: one over the distance; points at no distance count alone.
func (n *neighbors) weigh(d []float64) {
	zero := false
	for i := range d {
		d[i] = 1 / n.metric.distance(d[i])
		zero = zero || math.IsInf(d[i], 0)
	}
	if !zero {
		return
	}
	for i := range d {
		if math.IsInf(d[i], 0) {
			d[i] = 1
		} else {
			d[i] = 0
		}
	}
}
