package sklearn

import (
	"math"
	"sort"
)

// neighborImputer fills a missing value with the mean of that column over the nearest rows that have it.
type neighborImputer struct {
	in         *features
	missing    float64
	points     []float64
	has        []bool // whether points has a value there
	rows       int
	valid      []bool // columns that had any value in fit
	means      []float64
	k          int
	byDistance bool
	keepEmpty  bool
	flags      []int
}

func loadNeighborImputer(_ *loader, e *estimator, _ int) (transformer, error) {
	e.option("metric", "nan_euclidean")
	m := &neighborImputer{missing: math.NaN(), k: e.integer("n_neighbors", 5)}
	m.byDistance = e.option("weights", "uniform", "distance") == "distance"
	m.keepEmpty = e.flag("keep_empty_features", false)
	if e.has("missing_values") {
		m.missing = e.number("missing_values")
	}
	points, rows, width := e.table("_fit_X")
	m.points, m.rows = points, rows
	m.in = readFeatures(e, width, m.missing != m.missing)
	mask, _ := e.array("_mask_fit_X")
	if e.err == nil && (len(mask) != len(points) || m.k < 1) {
		e.fail("attribute _mask_fit_X is not understood")
	}
	if e.err != nil {
		return nil, e.err
	}
	m.has, m.means, m.valid = make([]bool, len(points)), make([]float64, width), make([]bool, width)
	for c := range width {
		count := 0.0
		for i := range rows {
			if m.has[i*width+c] = mask[i*width+c] == 0; m.has[i*width+c] {
				m.means[c] += points[i*width+c]
				count++
			}
		}
		if count > 0 {
			m.valid[c] = true
			m.means[c] /= count
		}
	}
	if e.flag("add_indicator", false) {
		m.flags = readIndicator(e, width)
	}
	return m, e.err
}

func (m *neighborImputer) compile(b *builder, in []int) ([]int, error) {
	first, err := m.in.of(b, in)
	if err != nil {
		return nil, err
	}
	out := b.add(m.in.width)
	b.do(func(r *registers) error {
		x, y := r.num[first:first+m.in.width], r.num[out[0]:out[0]+m.in.width]
		copy(y, x)
		var distances []float64 // only rows with a missing value pay for it
		for c, v := range x {
			if !m.isMissing(v) {
				continue
			}
			if distances == nil {
				distances = m.distances(x)
			}
			y[c] = m.fill(c, distances)
		}
		return nil
	})
	var kept []int
	for c, reg := range out {
		if m.valid[c] || m.keepEmpty {
			kept = append(kept, reg)
		}
	}
	if m.flags != nil {
		kept = append(kept, isMissing(b, places(first, m.in.width), m.flags, m.missing)...)
	}
	return kept, nil
}

func (m *neighborImputer) isMissing(v float64) bool {
	return v == m.missing || v != v && m.missing != m.missing
}

// distances are those to the rows of the fit over the columns that both have; NaN where there is none.
func (m *neighborImputer) distances(x []float64) []float64 {
	out := make([]float64, m.rows)
	w := m.in.width
	for i := range out {
		sum, both := 0.0, 0.0
		for c, v := range x {
			if m.isMissing(v) || !m.has[i*w+c] {
				continue
			}
			d := v - m.points[i*w+c]
			sum += d * d
			both++
		}
		out[i] = math.Sqrt(sum / both * float64(w))
	}
	return out
}

func (m *neighborImputer) fill(c int, distances []float64) float64 {
	if !m.valid[c] {
		return 0
	}
	var donors []int
	known := false
	for i, d := range distances {
		if m.has[i*m.in.width+c] {
			donors = append(donors, i)
			known = known || d == d
		}
	}
	if !known {
		return m.means[c]
	}
	sort.SliceStable(donors, func(i, k int) bool {
		a, b := distances[donors[i]], distances[donors[k]]
		return a < b || a == a && b != b
	})
	donors = donors[:min(m.k, len(donors))]
	exact := distances[donors[0]] == 0
	sum, total := 0.0, 0.0
	for _, i := range donors {
		d, weight := distances[i], 1.0
		switch {
		case d != d:
			weight = 0
		case m.byDistance && exact:
			weight = 0
			if d == 0 {
				weight = 1
			}
		case m.byDistance:
			weight = 1 / d
		}
		sum += weight * m.points[i*m.in.width+c]
		total += weight
	}
	return sum / total
}
