package sklearn

import (
	"math"
	"slices"

	"github.com/prinzbox/prinzbox/serving/pyobj"
)

// readDiscriminantTransform reads the projection of a linear discriminant analysis.
func readDiscriminantTransform(e *estimator, m *linear) (compute, error) {
	scalings, rows, cols := e.table("scalings_")
	if e.err == nil && rows != m.width {
		e.fail("scalings_ has %d rows, want %d", rows, m.width)
	}
	var center []float64
	if e.option("solver", "svd", "eigen") == "svd" {
		center = e.vector("xbar_", m.width)
	}
	keep := min(e.integer("_max_components", cols), cols)
	if e.err != nil {
		return nil, e.err
	}
	return func(b *builder, in []int) ([]int, error) {
		first, err := m.input(b, in)
		if err != nil {
			return nil, err
		}
		out := b.add(keep)
		b.do(func(r *registers) error {
			for k := range out {
				sum := 0.0
				for i := range m.width {
					v := r.num[first+i]
					if center != nil {
						v -= center[i]
					}
					sum += v * scalings[i*cols+k]
				}
				r.num[out[k]] = sum
			}
			return nil
		})
		return out, nil
	}, nil
}

// quadratic is one class of a quadratic discriminant analysis.
type quadratic struct {
	mean, rotation, scaling []float64 // without scaling it is in the rotation already
	rank                    int
	constant                float64
}

// single rounds the rotation with its scaling as numpy does when the fit was in float32.
func (q *quadratic) single() {
	q.rotation = slices.Clone(q.rotation)
	for i, v := range q.rotation {
		q.rotation[i] = float64(float32(v) * float32(math.Pow(q.scaling[i%q.rank], -0.5)))
	}
	sum := float32(0)
	for _, s := range q.scaling {
		sum += float32(math.Log(s))
	}
	q.scaling = nil
	q.constant = float64(sum)
}

func loadQuadratic(_ *loader, e *estimator, _ int) (*model, error) {
	c := classifier(e, readLabels(e, "classes_"))
	means, n, width := e.table("means_")
	priors, _ := e.array("priors_")
	rotations, scalings := e.list("rotations_"), e.list("scalings_")
	if e.err != nil {
		return nil, e.err
	}
	if c.classes.len() != n || len(priors) != n || len(rotations) != n || len(scalings) != n || n < 2 {
		e.fail("means_, priors_, rotations_ and scalings_ do not fit the %d classes", c.classes.len())
		return nil, e.err
	}
	parts := make([]quadratic, n)
	for k := range parts {
		q := &parts[k]
		q.mean = means[k*width : (k+1)*width]
		rotation, shape, err1 := e.numbersOf(rotations[k])
		scaling, _, err2 := e.numbersOf(scalings[k])
		if err1 != nil || err2 != nil || len(shape) != 2 || shape[0] != width || shape[1] != len(scaling) {
			e.fail("rotations_ and scalings_ of class %d are not understood", k)
			return nil, e.err
		}
		q.rotation, q.scaling, q.rank = rotation, scaling, len(scaling)
		if a, ok := scalings[k].(*pyobj.Array); ok && a.DType.String() == "float32" {
			q.single()
		}
		for _, s := range q.scaling {
			q.constant += ln(s)
		}
		q.constant = -0.5*q.constant + ln(priors[k])
	}
	in := readFeatures(e, width, false)
	joint := func(b *builder, regs []int) ([]int, error) {
		first, err := in.of(b, regs)
		if err != nil {
			return nil, err
		}
		out := b.add(n)
		b.do(func(r *registers) error {
			x := r.num[first : first+width]
			for k := range parts {
				r.num[out[k]] = parts[k].score(x)
			}
			return nil
		})
		return out, nil
	}
	if !e.old(6) { // older ones take the logarithm of what may be 0
		c.fns[predictLogProba] = then(joint, (*builder).logSharpen)
	}
	c.fns[decisionFunction] = joint
	if n == 2 {
		c.fns[decisionFunction] = func(b *builder, regs []int) ([]int, error) {
			s, err := joint(b, regs)
			if err != nil {
				return nil, err
			}
			out := b.add(1)
			b.do(func(r *registers) error {
				r.num[out[0]] = r.num[s[1]] - r.num[s[0]]
				return nil
			})
			return out, nil
		}
	}
	c.fns[predict] = then(joint, (*builder).argMax)
	c.fns[predictProba] = then(joint, (*builder).sharpen)
	return c, e.err
}

func (q *quadratic) score(x []float64) float64 {
	norm := 0.0
	for k := range q.rank {
		sum := 0.0
		for i, v := range x {
			sum += (v - q.mean[i]) * q.rotation[i*q.rank+k]
		}
		if q.scaling != nil {
			sum /= math.Sqrt(q.scaling[k])
		}
		norm += sum * sum
	}
	return -0.5*norm + q.constant
}
