package sklearn

import (
	"math"
	"slices"
	"sort"

	"github.com/prinzbox/prinzbox/serving/pyobj"
)

func loadNormalizer(_ *loader, e *estimator, _ int) (transformer, error) {
	in := readFeatures(e, -2, false)
	kind := e.option("norm", "l2", "l1", "max")
	return transformFunc(func(b *builder, regs []int) ([]int, error) {
		first, err := in.any(b, regs)
		if err != nil {
			return nil, err
		}
		n := len(regs)
		out := b.add(n)
		b.do(func(r *registers) error {
			x := r.num[first : first+n]
			norm := rowNorm(x, kind)
			if norm < 10*epsilon { // so small a row stays as it is
				norm = 1
			}
			for i, v := range x {
				r.num[out[i]] = v / norm
			}
			return nil
		})
		return out, nil
	}), e.err
}

// rowNorm is the length of a row.
func rowNorm(x []float64, kind string) float64 {
	norm := 0.0
	for _, v := range x {
		switch kind {
		case "l1":
			norm += math.Abs(v)
		case "l2":
			norm += v * v
		default:
			norm = math.Max(norm, math.Abs(v))
		}
	}
	if kind == "l2" {
		norm = math.Sqrt(norm)
	}
	return norm
}

func loadBinarizer(_ *loader, e *estimator, _ int) (transformer, error) {
	in := readFeatures(e, -2, false)
	threshold := e.number("threshold")
	return transformFunc(func(b *builder, regs []int) ([]int, error) {
		first, err := in.any(b, regs)
		if err != nil {
			return nil, err
		}
		return b.each(places(first, len(regs)), func(v float64) float64 {
			if v > threshold {
				return 1
			}
			return 0
		}), nil
	}), e.err
}

// maxTerms bounds the columns that polynomial features make.
const maxTerms = 1 << 20

func loadPolynomial(_ *loader, e *estimator, _ int) (transformer, error) {
	in := readFeatures(e, -1, false)
	low, high := 0, 0
	if v, ok := e.get("degree"); ok {
		if pair, err := e.values(v); err == nil && len(pair) == 2 {
			a, ok1 := pyobj.Int(pair[0])
			z, ok2 := pyobj.Int(pair[1])
			if !ok1 || !ok2 || a < 0 || z < a {
				e.fail("option degree is not understood")
			}
			low, high = a, z
		} else {
			high = e.integer("degree", 2)
		}
	}
	only := e.flag("interaction_only", false)
	bias := e.flag("include_bias", true)
	if e.err != nil {
		return nil, e.err
	}
	// A term is the product of an earlier term and a column.
	type term struct{ before, column int }
	var terms []term
	var out []int
	type open struct{ at, last int }
	level := []open{{-1, 0}}
	for degree := 1; degree <= high && len(level) > 0; degree++ {
		var next []open
		for _, o := range level {
			start := o.last
			if only && o.at >= 0 {
				start++
			}
			for c := start; c < in.width; c++ {
				if len(terms) >= maxTerms {
					return nil, unsupported("PolynomialFeatures: more than %d columns", maxTerms)
				}
				terms = append(terms, term{o.at, c})
				next = append(next, open{len(terms) - 1, c})
			}
		}
		if degree >= low {
			for _, o := range next {
				out = append(out, o.at)
			}
		}
		level = next
	}
	return transformFunc(func(b *builder, regs []int) ([]int, error) {
		first, err := in.of(b, regs)
		if err != nil {
			return nil, err
		}
		all := b.add(len(terms))
		b.do(func(r *registers) error {
			for i, t := range terms {
				v := r.num[first+t.column]
				if t.before >= 0 {
					v *= r.num[all[t.before]]
				}
				r.num[all[i]] = v
			}
			return nil
		})
		var made []int
		if bias {
			made = append(made, b.constant(1))
		}
		for _, t := range out {
			made = append(made, all[t])
		}
		return made, nil
	}), nil
}

func loadBins(_ *loader, e *estimator, _ int) (transformer, error) {
	edges := e.list("bin_edges_")
	in := readFeatures(e, len(edges), false)
	if v, _ := e.get("dtype"); v != nil {
		if c, ok := v.(*pyobj.Class); !ok || c.Name != "float64" {
			e.fail("option dtype=%s is not supported (supported: float64)", describe(v))
		}
	}
	encode := e.option("encode", "onehot", "onehot-dense", "ordinal")
	old := e.old(1)
	if e.err != nil {
		return nil, e.err
	}
	bins := make([][]float64, len(edges))
	width := 0
	starts := make([]int, len(edges))
	for i, v := range edges {
		f, _, err := e.numbersOf(v)
		if err != nil || len(f) < 2 || !sort.Float64sAreSorted(f) {
			e.fail("attribute bin_edges_ is not understood")
			return nil, e.err
		}
		bins[i] = f
		starts[i] = width
		width += len(f) - 1
	}
	place := func(v float64, edges []float64) int {
		n := len(edges) - 1
		if old { // with some tolerance at the edges
			v += 1e-8 + 1e-5*math.Abs(v)
			return min(sort.Search(n, func(i int) bool { return edges[1+i] > v }), n-1)
		}
		return sort.Search(n-1, func(i int) bool { return edges[1+i] > v })
	}
	return transformFunc(func(b *builder, regs []int) ([]int, error) {
		first, err := in.of(b, regs)
		if err != nil {
			return nil, err
		}
		if encode == "ordinal" {
			out := b.add(in.width)
			b.do(func(r *registers) error {
				for i, edges := range bins {
					r.num[out[i]] = float64(place(r.num[first+i], edges))
				}
				return nil
			})
			return out, nil
		}
		out := b.add(width)
		b.do(func(r *registers) error {
			for _, reg := range out {
				r.num[reg] = 0
			}
			for i, edges := range bins {
				r.num[out[starts[i]+place(r.num[first+i], edges)]] = 1
			}
			return nil
		})
		return out, nil
	}), nil
}

// loadProjection reads the decompositions that multiply by a matrix.
func loadProjection(_ *loader, e *estimator, _ int) (transformer, error) {
	components, rows, width := e.table("components_")
	in := readFeatures(e, width, false)
	if e.err != nil {
		return nil, e.err
	}
	var center, scale []float64
	switch e.name {
	case "PCA", "IncrementalPCA":
		if e.has("mean_") {
			center = e.vector("mean_", width)
		}
		if e.flag("whiten", false) {
			scale = e.vector("explained_variance_", rows)
			for i := range scale {
				scale[i] = math.Max(math.Sqrt(scale[i]), spacing)
			}
		}
	case "FastICA":
		if v, _ := e.get("whiten"); v != false {
			center = e.vector("mean_", width)
		}
	}
	if e.err != nil {
		return nil, e.err
	}
	return transformFunc(func(b *builder, regs []int) ([]int, error) {
		first, err := in.of(b, regs)
		if err != nil {
			return nil, err
		}
		out := b.add(rows)
		b.do(func(r *registers) error {
			x := r.num[first : first+width]
			for k := range rows {
				c := components[k*width : (k+1)*width]
				sum := 0.0
				for i, v := range x {
					if center != nil {
						v -= center[i]
					}
					sum += v * c[i]
				}
				if scale != nil {
					sum /= scale[k]
				}
				r.num[out[k]] = sum
			}
			return nil
		})
		return out, nil
	}), nil
}

// loadSelector reads the transformers that keep some of the columns.
func loadSelector(_ *loader, e *estimator, _ int) (transformer, error) {
	keep := supportOf(e)
	if e.err != nil {
		return nil, e.err
	}
	in := readFeatures(e, len(keep), true)
	in.infinite = true
	var kept []int
	for i, k := range keep {
		if k {
			kept = append(kept, i)
		}
	}
	return transformFunc(func(b *builder, regs []int) ([]int, error) {
		if b.vector {
			return nil, oneDimensional()
		}
		if err := b.checkNames(in.names, regs); err != nil {
			return nil, err
		}
		if len(regs) != len(keep) {
			return nil, valueError("X has %d features, but %s is expecting %d features as input.", len(regs), e.name, len(keep))
		}
		out := make([]int, len(kept))
		for i, k := range kept {
			out[i] = regs[k]
		}
		return out, nil
	}), e.err
}

// supportOf tells which columns a selector keeps.
func supportOf(e *estimator) []bool {
	switch e.name {
	case "RFE", "RFECV", "SequentialFeatureSelector":
		f, _ := e.array("support_")
		return choose(f, func(_ int, v float64) bool { return v != 0 })
	case "VarianceThreshold":
		threshold := e.number("threshold")
		f, _ := e.array("variances_")
		return choose(f, func(_ int, v float64) bool { return v > threshold })
	case "SelectFromModel":
		return importantOf(e)
	case "SelectKBest":
		f, _ := e.array("scores_")
		return kBest(e, f, "k")
	case "SelectPercentile":
		f, _ := e.array("scores_")
		return percentile(e, f, "percentile")
	case "SelectFpr", "SelectFdr", "SelectFwe":
		f, _ := e.array("pvalues_")
		return byChance(e, f, e.name, "alpha")
	}
	switch mode := e.option("mode", "percentile", "k_best", "fpr", "fdr", "fwe"); mode {
	case "percentile":
		f, _ := e.array("scores_")
		return percentile(e, f, "param")
	case "k_best":
		f, _ := e.array("scores_")
		return kBest(e, f, "param")
	default:
		f, _ := e.array("pvalues_")
		return byChance(e, f, map[string]string{"fpr": "SelectFpr", "fdr": "SelectFdr", "fwe": "SelectFwe"}[mode], "param")
	}
}

func choose(f []float64, keep func(i int, v float64) bool) []bool {
	out := make([]bool, len(f))
	for i, v := range f {
		out[i] = keep(i, v)
	}
	return out
}

// clean puts NaN scores last.
func clean(f []float64) []float64 {
	out := slices.Clone(f)
	for i, v := range out {
		if v != v {
			out[i] = -math.MaxFloat64
		}
	}
	return out
}

func kBest(e *estimator, f []float64, attr string) []bool {
	if v, _ := e.get(attr); v == "all" {
		return choose(f, func(int, float64) bool { return true })
	}
	k := e.integer(attr, 10)
	f = clean(f)
	order := places(0, len(f))
	sort.SliceStable(order, func(i, j int) bool { return f[order[i]] < f[order[j]] })
	out := make([]bool, len(f))
	for _, i := range order[max(0, len(order)-k):] {
		out[i] = true
	}
	return out
}

func percentile(e *estimator, f []float64, attr string) []bool {
	percent := e.number(attr)
	out := make([]bool, len(f))
	if !(percent >= 0 && percent <= 100) {
		e.fail("option %s=%v is no percentage", attr, percent)
	}
	switch {
	case e.err != nil || len(f) == 0 || percent == 0:
		return out
	case percent == 100:
		return choose(f, func(int, float64) bool { return true })
	}
	f = clean(f)
	sorted := slices.Clone(f)
	slices.Sort(sorted)
	// numpy.percentile: the line between the two nearest.
	at := (100 - percent) / 100 * float64(len(f)-1)
	low := min(max(int(math.Floor(at)), 0), len(f)-1)
	high := min(low+1, len(f)-1)
	t := at - float64(low)
	d := sorted[high] - sorted[low]
	threshold := sorted[low] + d*t
	if t >= 0.5 {
		threshold = sorted[high] - d*(1-t)
	}
	kept := 0
	for i, v := range f {
		if v > threshold {
			out[i] = true
			kept++
		}
	}
	most := int(float64(len(f)) * percent / 100)
	for i, v := range f {
		if v == threshold && kept < most {
			out[i] = true
			kept++
		}
	}
	return out
}

func byChance(e *estimator, p []float64, kind, attr string) []bool {
	alpha := e.number(attr)
	n := float64(len(p))
	switch kind {
	case "SelectFwe":
		alpha /= n
	case "SelectFdr":
		sorted := slices.DeleteFunc(slices.Clone(p), func(v float64) bool { return v != v }) // numpy sorts them last, where they say nothing
		slices.Sort(sorted)
		limit := math.NaN()
		for i, v := range sorted {
			if v <= alpha/n*float64(i+1) {
				limit = v
			}
		}
		return choose(p, func(_ int, v float64) bool { return v <= limit })
	}
	return choose(p, func(_ int, v float64) bool { return v < alpha })
}
