package sklearn

import (
	"github.com/prinzbox/prinzbox/serving/pyobj"
)

// scaler is the family that shifts and scales each column. The order of the steps is scikit-learn's, so
// that the last digit agrees: sub, div, then mul, add, then clip.
type scaler struct {
	name               string
	names              []string
	width              int
	sub, div, mul, add []float64
	clip               *[2]float64
}

func loadScaler(_ *loader, e *estimator, _ int) (transformer, error) {
	s := readScaler(e)
	return s, e.err
}

func readScaler(e *estimator) *scaler {
	s := &scaler{name: e.name, names: e.strings("feature_names_in_")}
	first := "scale_"
	switch e.name {
	case "StandardScaler":
		if !e.has("scale_") {
			first = "mean_"
		}
	case "RobustScaler":
		if !e.has("scale_") {
			first = "center_"
		}
	}
	width := -1
	if e.has(first) {
		_, shape := e.array(first)
		if len(shape) == 1 {
			width = shape[0]
		}
	}
	s.width = e.features(width)
	if s.width < 0 {
		e.missing("n_features_in_")
	}
	if e.err != nil {
		return s
	}
	switch e.name {
	case "StandardScaler":
		if e.flag("with_mean", true) {
			s.sub = e.vector("mean_", s.width)
		}
		if e.flag("with_std", true) {
			s.div = e.vector("scale_", s.width)
		}
	case "RobustScaler":
		if e.flag("with_centering", true) {
			s.sub = e.vector("center_", s.width)
		}
		if e.flag("with_scaling", true) {
			s.div = e.vector("scale_", s.width)
		}
	case "MaxAbsScaler":
		s.div = e.vector("scale_", s.width)
		if e.flag("clip", false) {
			s.clip = &[2]float64{-1, 1}
		}
	case "MinMaxScaler":
		s.mul = e.vector("scale_", s.width)
		s.add = e.vector("min_", s.width)
		if e.flag("clip", false) {
			v, _ := e.get("feature_range")
			bounds, err := e.values(v)
			if err == nil && len(bounds) == 2 {
				low, ok1 := pyobj.Float(bounds[0])
				high, ok2 := pyobj.Float(bounds[1])
				if ok1 && ok2 {
					s.clip = &[2]float64{low, high}
				}
			}
			if s.clip == nil {
				e.fail("option feature_range is not understood")
			}
		}
	}
	return s
}

func (s *scaler) compile(b *builder, in []int) ([]int, error) {
	if err := b.checkNames(s.names, in); err != nil {
		return nil, err
	}
	first, err := b.matrix(in, s.width, s.name, true)
	if err != nil {
		return nil, err
	}
	out := b.add(s.width)
	if s.width > 0 {
		b.ops = append(b.ops, &scale{s, first, out[0]})
	}
	return out, nil
}

type scale struct {
	*scaler
	in, out int
}

func (s *scale) run(r *registers) error {
	for i := range s.width {
		v := r.num[s.in+i]
		if s.sub != nil {
			v -= s.sub[i]
		}
		if s.div != nil {
			v /= s.div[i]
		}
		if s.mul != nil {
			// The conversion forbids a fused multiply-add, which would differ in the last digit.
			v = float64(v*s.mul[i]) + s.add[i]
		}
		if s.clip != nil {
			if v < s.clip[0] {
				v = s.clip[0]
			} else if v > s.clip[1] {
				v = s.clip[1]
			}
		}
		r.num[s.out+i] = v
	}
	return nil
}
