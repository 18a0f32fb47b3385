package xgboost

import (
	"github.com/prinzbox/prinzbox/serving/frame"
	"github.com/prinzbox/prinzbox/serving/pyobj"
	"github.com/prinzbox/prinzbox/serving/trees"
)

// Part is an estimator of XGBoost inside one of scikit-learn, which scores row by row.
type Part struct{ m *Model }

// NewPart reads a pickled estimator that gets its rows from scikit-learn. Errors are as those of New.
func NewPart(v pyobj.Value) (*Part, error) {
	m, err := FromObject(v)
	if err != nil {
		return nil, err
	}
	switch {
	case m.codes != nil:
		return nil, trees.Unsupportedf("%s with categories of text inside an estimator of scikit-learn is not supported", m.Class)
	case m.classifier && (m.choose || m.task == "binary:hinge" || m.task == "binary:logitraw"):
		return nil, trees.Unsupportedf("%s has no probabilities with the objective %s", m.Class, m.task)
	case m.classifier && m.outputs > 1 && m.classes == 2:
		return nil, trees.Unsupportedf("%s of several labels inside an estimator of scikit-learn is not supported", m.Class)
	case m.classifier && m.labels != nil && m.labels.len() != max(m.outputs, 2):
		return nil, trees.Unsupportedf("%s has %d classes for %d outputs", m.Class, m.labels.len(), m.outputs)
	}
	return &Part{m}, nil
}

// Check tells whether the model takes rows of so many columns; names are nil for an array.
func (p *Part) Check(columns int, names []string) error {
	f := &frame.Frame{Array: names == nil, Columns: make([]frame.Column, columns)}
	for i := range f.Columns {
		f.Columns[i].Kind = frame.Float
		if names != nil {
			f.Columns[i].Name = names[i]
		}
	}
	if _, err := p.m.table(f); err != nil {
		return err
	}
	if columns < p.m.features {
		return trees.InputErrorf("ValueError", "Feature shape mismatch, expected: %d, got %d", p.m.features, columns)
	}
	return nil
}

// Classes are those of a classifier, nil for others.
func (p *Part) Classes() []any {
	if !p.m.classifier {
		return nil
	}
	classes := make([]any, p.Outputs())
	for i := range classes {
		switch l := p.m.labels; {
		case l == nil:
			classes[i] = int64(i)
		case l.kind == frame.String:
			classes[i] = l.strings[i]
		case l.kind == frame.Float:
			classes[i] = l.floats[i]
		default:
			classes[i] = l.ints[i]
		}
	}
	return classes
}

// Outputs is how many values Row gives.
func (p *Part) Outputs() int {
	if p.m.classifier {
		return max(p.m.outputs, 2)
	}
	return p.m.outputs
}

// SparseMissing is true: XGBoost takes what a sparse matrix does not hold as missing.
func (p *Part) SparseMissing() bool { return true }

// Row gives the probabilities of a classifier, and the prediction of others; it alters x.
func (p *Part) Row(out, x []float64) error {
	if err := p.m.see(x); err != nil {
		return err
	}
	var few [8]float32
	margins := few[:]
	if p.m.outputs > len(few) {
		margins = make([]float32, p.m.outputs)
	}
	margins = margins[:p.m.outputs]
	p.m.margins(margins, x, len(x), 1)
	switch {
	case p.m.choose: // no classifier
		out[0] = float64(greatest(margins))
		return nil
	default:
		p.m.transform(margins, 1)
	}
	if p.m.classifier && p.m.outputs == 1 {
		out[0], out[1] = float64(1-margins[0]), float64(margins[0])
		return nil
	}
	for i, v := range margins {
		out[i] = float64(v)
	}
	return nil
}
