package sklearn

import (
	"math"
)

// loadClusters reads the models that give the number of the nearest center.
func loadClusters(_ *loader, e *estimator, _ int) (*model, error) {
	centers, n, width := e.table("cluster_centers_")
	in := readFeatures(e, width, false)
	if e.err == nil && n == 0 {
		e.fail("cluster_centers_ is empty")
	}
	if e.err != nil {
		return nil, e.err
	}
	norms := squares(centers, n, width)
	m := &model{name: e.name, ints: true, fns: map[method]compute{}}
	squared := func(b *builder, regs []int) ([]int, error) {
		first, err := in.of(b, regs)
		if err != nil {
			return nil, err
		}
		out := b.add(n)
		b.do(func(r *registers) error {
			x := r.num[first : first+width]
			own := 0.0
			for _, v := range x {
				own += v * v
			}
			for k, reg := range out {
				r.num[reg] = math.Max(0, own-2*dot(x, centers[k*width:])+norms[k])
			}
			return nil
		})
		return out, nil
	}
	m.fns[predict] = func(b *builder, regs []int) ([]int, error) {
		first, err := in.of(b, regs)
		if err != nil {
			return nil, err
		}
		out := b.add(1)
		b.do(func(r *registers) error {
			x := r.num[first : first+width]
			best, at := math.Inf(1), 0
			for k := range n {
				// |x|² is the same for all centers.
				if d := norms[k] - 2*dot(x, centers[k*width:]); d < best {
					best, at = d, k
				}
			}
			r.num[out[0]] = float64(at)
			return nil
		})
		return out, nil
	}
	if e.name != "MeanShift" {
		m.fns[transform] = then(squared, func(b *builder, d []int) []int { return b.each(d, math.Sqrt) })
	}
	return m, e.err
}

func dot(x, y []float64) float64 {
	sum := 0.0
	y = y[:len(x)]
	for i, v := range x {
		sum += v * y[i]
	}
	return sum
}

// squares are the squared lengths of rows.
func squares(f []float64, rows, width int) []float64 {
	out := make([]float64, rows)
	for i := range out {
		out[i] = dot(f[i*width:(i+1)*width], f[i*width:])
	}
	return out
}

// loadNearestCentroid reads the classifier of the nearest center.
func loadNearestCentroid(_ *loader, e *estimator, _ int) (*model, error) {
	m := classifier(e, readLabels(e, "classes_"))
	centers, n, width := e.table("centroids_")
	in := readFeatures(e, width, false)
	euclidean := e.option("metric", "euclidean", "manhattan") == "euclidean"
	if e.err == nil && n != m.classes.len() {
		e.fail("centroids_ has %d rows for %d classes", n, m.classes.len())
	}
	if e.has("class_prior_") {
		for _, p := range e.vector("class_prior_", n) {
			if math.Abs(p-1/float64(n)) > 1e-8+1e-5/float64(n) {
				e.fail("option priors other than uniform is not supported")
			}
		}
	}
	if e.err != nil {
		return nil, e.err
	}
	distance := metric{"manhattan", 1}
	if euclidean {
		distance = metric{"euclidean", 2}
	}
	m.fns[predict] = func(b *builder, regs []int) ([]int, error) {
		first, err := in.of(b, regs)
		if err != nil {
			return nil, err
		}
		near := b.add(n)
		b.do(func(r *registers) error {
			for k, reg := range near {
				r.num[reg] = -distance.reduced(r.num[first:first+width], centers[k*width:(k+1)*width])
			}
			return nil
		})
		return b.argMax(near), nil
	}
	return m, e.err
}

// loadMixture reads a Gaussian mixture.
func loadMixture(_ *loader, e *estimator, _ int) (*model, error) {
	kind := e.option("covariance_type", "full", "tied", "diag", "spherical")
	means, n, width := e.table("means_")
	weights := e.vector("weights_", n)
	factor, shape := e.array("precisions_cholesky_")
	in := readFeatures(e, width, false)
	if e.err != nil {
		return nil, e.err
	}
	want := map[string]int{"full": n * width * width, "tied": width * width, "diag": n * width, "spherical": n}[kind]
	if len(factor) != want || n == 0 {
		e.fail("precisions_cholesky_ has shape %v", shape)
		return nil, e.err
	}
	// at gives one component's factor at row i, column j.
	at := func(k, i, j int) float64 {
		switch kind {
		case "full":
			return factor[(k*width+i)*width+j]
		case "tied":
			return factor[i*width+j]
		case "diag":
			if i == j {
				return factor[k*width+i]
			}
			return 0
		}
		if i == j {
			return factor[k]
		}
		return 0
	}
	constant := make([]float64, n)
	for k := range constant {
		det := 0.0
		for i := range width {
			det += ln(at(k, i, i))
		}
		constant[k] = -0.5*float64(width)*ln(2*math.Pi) + det + ln(weights[k])
	}
	joint := func(b *builder, regs []int) ([]int, error) {
		first, err := in.of(b, regs)
		if err != nil {
			return nil, err
		}
		out := b.add(n)
		b.do(func(r *registers) error {
			for k, reg := range out {
				sum := 0.0
				for j := range width {
					v := 0.0
					for i := range width {
						if f := at(k, i, j); f != 0 {
							v += (r.num[first+i] - means[k*width+i]) * f
						}
					}
					sum += v * v
				}
				r.num[reg] = constant[k] - 0.5*sum
			}
			return nil
		})
		return out, nil
	}
	m := &model{name: e.name, ints: true, fns: map[method]compute{}}
	m.fns[predict] = then(joint, (*builder).argMax)
	m.fns[predictProba] = then(joint, func(b *builder, s []int) []int { return b.each(b.logSharpen(s), exp) })
	m.fns[scoreSamples] = func(b *builder, regs []int) ([]int, error) {
		s, err := joint(b, regs)
		if err != nil {
			return nil, err
		}
		out := b.add(1)
		b.do(func(r *registers) error {
			top, sum := r.expSum(s)
			r.num[out[0]] = top + ln(sum)
			return nil
		})
		return out, nil
	}
	return m, e.err
}

// loadEnvelope reads an outlier detector by the Mahalanobis distance.
func loadEnvelope(_ *loader, e *estimator, _ int) (*model, error) {
	precision, n, width := e.table("precision_")
	center := e.vector("location_", n)
	offset := e.number("offset_")
	in := readFeatures(e, width, false)
	if e.err == nil && n != width {
		e.fail("precision_ has shape (%d, %d)", n, width)
	}
	if e.err != nil {
		return nil, e.err
	}
	return outlierModel(e, func(b *builder, regs []int) ([]int, error) {
		first, err := in.of(b, regs)
		if err != nil {
			return nil, err
		}
		out := b.add(1)
		b.do(func(r *registers) error {
			sum := 0.0
			for i := range n {
				for k := range n {
					sum += (r.num[first+i] - center[i]) * precision[i*n+k] * (r.num[first+k] - center[k])
				}
			}
			r.num[out[0]] = -sum
			return nil
		})
		return out, nil
	}, offset), nil
}
