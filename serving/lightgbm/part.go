package lightgbm

import (
	"github.com/prinzbox/prinzbox/serving/pyobj"
	"github.com/prinzbox/prinzbox/serving/trees"
)

// Part is an estimator of LightGBM inside one of scikit-learn, which scores row by row.
type Part struct {
	m *Model
	// decides tells that the classifier has a decision_function.
	decides bool
}

// NewPart reads a pickled estimator that gets its rows from scikit-learn. Errors are as those of New.
func NewPart(v pyobj.Value) (*Part, error) {
	m, err := FromObject(v)
	if err != nil {
		return nil, err
	}
	switch {
	case len(m.categorical) > 0:
		return nil, trees.Unsupportedf("%s with the categories of a data frame inside an estimator of scikit-learn is not supported", m.Class)
	case m.labels != nil && len(m.labels.values) != max(m.outputs, 2):
		return nil, trees.Unsupportedf("%s has %d classes for %d outputs", m.Class, len(m.labels.values), m.outputs)
	}
	// LightGBM 4.7 gave its classifier a decision_function, and this attribute.
	o, _ := v.(*pyobj.Object)
	_, newer := o.Attr("_fitted_with_feature_names")
	return &Part{m, newer && m.labels != nil}, nil
}

// Check tells whether the model takes rows of so many columns. LightGBM itself looks at no names.
func (p *Part) Check(columns int, _ []string) error {
	return p.m.fits(columns)
}

// Classes are those of a classifier, nil for others.
func (p *Part) Classes() []any {
	if p.m.labels == nil {
		return nil
	}
	return p.m.labels.values
}

// Outputs is how many values Row gives.
func (p *Part) Outputs() int {
	if p.m.labels != nil {
		return max(p.m.outputs, 2)
	}
	return p.m.outputs
}

// SparseMissing is false: LightGBM takes what a sparse matrix does not hold as 0.
func (p *Part) SparseMissing() bool { return false }

// Row gives the probabilities of a classifier, and the prediction of others; it alters x.
func (p *Part) Row(out, x []float64) error {
	see(x, false)
	clear(out)
	p.m.score(out[:p.m.outputs], x, 1)
	if p.m.labels != nil && p.m.outputs == 1 {
		out[0], out[1] = 1-out[0], out[0]
	}
	return nil
}

// Decisions is how many values Decide gives; 0 when the class has no decision_function.
func (p *Part) Decisions() int {
	if !p.decides {
		return 0
	}
	return p.m.outputs
}

// Decide gives the raw scores; it alters x.
func (p *Part) Decide(out, x []float64) error {
	see(x, false)
	clear(out)
	p.m.sum(out, x, 1)
	return nil
}
