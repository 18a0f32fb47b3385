package sklearn

import (
	"math"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/prinzbox/prinzbox/serving/pyobj"
)

// importantOf tells which columns SelectFromModel keeps, by the coefficients or importances of its model.
func importantOf(e *estimator) []bool {
	attr := "estimator_"
	if !e.has(attr) {
		attr = "estimator" // prefit
	}
	m := e.object(attr)
	if m == nil {
		return nil
	}
	e.only("importance_getter", "auto")
	scores := importances(e, m)
	if e.err == nil {
		e.err = m.err
	}
	if e.err != nil {
		return nil
	}
	threshold := importanceThreshold(e, m, scores)
	out := make([]bool, len(scores))
	most := len(scores)
	if e.has("max_features") {
		attr := "max_features_"
		if !e.has(attr) {
			attr = "max_features"
		}
		most = min(most, e.integer(attr, most))
	}
	order := places(0, len(scores))
	sort.SliceStable(order, func(i, j int) bool { return scores[order[i]] > scores[order[j]] })
	for _, i := range order[:most] {
		out[i] = !(scores[i] < threshold)
	}
	return out
}

// importances are how much a model makes of each column.
func importances(e, m *estimator) []float64 {
	if m.has("coef_") {
		coef, shape := m.array("coef_")
		if len(shape) == 1 {
			for i, v := range coef {
				coef[i] = math.Abs(v)
			}
			return coef
		}
		if m.err != nil || len(shape) != 2 {
			m.fail("attribute coef_ has shape %v", shape)
			return nil
		}
		order := 1.0
		if e.has("norm_order") {
			order = e.number("norm_order")
		}
		if order != 1 && order != 2 {
			e.fail("option norm_order=%v is not supported (supported: 1, 2)", order)
		}
		out := make([]float64, shape[1])
		for i, v := range coef {
			if order == 2 {
				out[i%shape[1]] += v * v
			} else {
				out[i%shape[1]] += math.Abs(v)
			}
		}
		if order == 2 {
			for i := range out {
				out[i] = math.Sqrt(out[i])
			}
		}
		return out
	}
	width := m.features(-1)
	if !m.spend(width) {
		return nil
	}
	if width < 0 {
		m.missing("n_features_in_")
		return nil
	}
	switch m.name {
	case "DecisionTreeClassifier", "DecisionTreeRegressor", "ExtraTreeClassifier", "ExtraTreeRegressor":
		return treeImportances(m, width)
	case "RandomForestClassifier", "RandomForestRegressor", "ExtraTreesClassifier", "ExtraTreesRegressor":
		out := make([]float64, width)
		grown := 0.0
		for _, v := range m.list("estimators_") {
			t, err := e.part(v)
			if err != nil {
				m.err = err
				return nil
			}
			one := treeImportances(t, width)
			if m.err = t.err; m.err != nil {
				return nil
			}
			if one == nil {
				continue // a tree of a single node counts for nothing
			}
			grown++
			for i, v := range one {
				out[i] += v
			}
		}
		sum := 0.0
		for i := range out {
			if grown > 0 {
				out[i] /= grown
			}
			sum += out[i]
		}
		for i := range out {
			if sum > 0 {
				out[i] /= sum
			}
		}
		return out
	}
	e.fail("estimator=%s is not supported", m.name)
	return nil
}

// treeImportances is how much each column lowers the impurity, as fractions; nil for a tree of one node.
func treeImportances(e *estimator, width int) []float64 {
	v, _ := e.get("tree_")
	t, ok := v.(*pyobj.Object)
	if !ok {
		e.missing("tree_")
		return nil
	}
	nodes, _ := t.Attr("nodes")
	a, ok := nodes.(*pyobj.Array)
	if !ok || len(a.Shape) != 1 {
		e.fail("attribute tree_ is not understood")
		return nil
	}
	member := func(name string) []float64 {
		f, err := a.Member(name)
		if err != nil {
			e.fail("tree_: %v", err)
		}
		return f
	}
	left, right, feature := member("left_child"), member("right_child"), member("feature")
	impurity, weight := member("impurity"), member("weighted_n_node_samples")
	if e.err != nil || len(left) <= 1 {
		return nil
	}
	if !e.spend(width + 5*len(left)) {
		return nil
	}
	out := make([]float64, width)
	n := float64(len(left))
	for i, l := range left {
		if l < 0 {
			continue
		}
		if !(l < n && right[i] >= 0 && right[i] < n && feature[i] >= 0 && feature[i] < float64(width)) {
			e.fail("attribute tree_ is not understood")
			return nil
		}
		a, b := int(l), int(right[i])
		out[int(feature[i])] += weight[i]*impurity[i] - weight[a]*impurity[a] - weight[b]*impurity[b]
	}
	sum := 0.0
	for i := range out {
		out[i] /= weight[0]
		sum += out[i]
	}
	if sum > 0 {
		for i := range out {
			out[i] /= sum
		}
	}
	return out
}

// importanceThreshold is what a column's importance must reach.
func importanceThreshold(e, m *estimator, scores []float64) float64 {
	v, _ := e.get("threshold")
	if f, ok := pyobj.Float(v); ok {
		return f
	}
	text, ok := v.(string)
	if v == nil {
		text, ok = "mean", true
		penalty, _ := m.get("penalty")
		whole := func(attr string) bool {
			f, _ := m.array(attr)
			return len(f) > 0 && !slices.ContainsFunc(f, func(v float64) bool { return math.Abs(v-1) > 1e-8+1e-5 })
		}
		switch {
		case penalty == "l1", strings.Contains(m.name, "Lasso"),
			m.name == "ElasticNet" && whole("l1_ratio"), m.name == "ElasticNetCV" && whole("l1_ratio_"):
			return 1e-5
		case m.name == "LogisticRegression" && !m.old(8) && m.has("l1_ratio") && whole("l1_ratio"):
			return 1e-5
		}
	}
	factor := 1.0
	if scale, reference, both := strings.Cut(text, "*"); ok && both {
		f, err := strconv.ParseFloat(strings.TrimSpace(scale), 64)
		factor, text, ok = f, strings.TrimSpace(reference), err == nil
	}
	switch {
	case ok && text == "mean":
		sum := 0.0
		for _, v := range scores {
			sum += v
		}
		return factor * (sum / float64(len(scores)))
	case ok && text == "median" && len(scores) > 0:
		sorted := slices.Clone(scores)
		slices.Sort(sorted)
		half := len(sorted) / 2
		if len(sorted)%2 == 1 {
			return factor * sorted[half]
		}
		return factor * ((sorted[half-1] + sorted[half]) / 2)
	}
	e.fail("option threshold=%s is not supported", describe(v))
	return 0
}
