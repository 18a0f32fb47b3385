package sklearn

import (
	"math"

	"github.com/prinzbox/prinzbox/serving/frame"
	"github.com/prinzbox/prinzbox/serving/pyobj"
)

// Foreign is a fitted estimator of another library that stands inside one of scikit-learn. It may be used by many goroutines.
type Foreign interface {
	// Check tells whether it takes rows of so many columns. names are those of a DataFrame; nil for an array.
	Check(columns int, names []string) error
	// Classes are the classes of a classifier, each an int64, float64, bool or string; nil for others.
	Classes() []any
	// Outputs is how many values Row gives.
	Outputs() int
	// Row gives a classifier's probability of each class, and what others predict, for a row, which it may alter.
	Row(out, x []float64) error
	// SparseMissing tells that it takes what a sparse matrix does not hold as missing, not as 0.
	SparseMissing() bool
}

// decider is a Foreign classifier with a decision_function.
type decider interface {
	// Decisions is how many values Decide gives; 0 when there is no decision_function after all.
	Decisions() int
	// Decide gives the decision_function of a row, which it may alter.
	Decide(out, x []float64) error
}

// ForeignLoader reads an object of another library; ok is false when it knows nothing of it.
type ForeignLoader func(o *pyobj.Object) (f Foreign, ok bool, err error)

// adopt makes a model of a foreign estimator.
func (l *loader) adopt(name string, f Foreign) (*model, error) {
	if len(l.steps) > maxSteps {
		return nil, unsupported("the model holds more than %d estimators", maxSteps)
	}
	l.steps = append(l.steps, name)
	absent := f.SparseMissing() && l.sparse == sparse
	if f.SparseMissing() && l.sparse == unknown {
		return nil, unsupported("%s takes what a sparse matrix does not hold as missing; whether it gets one from the steps before it is not known", name)
	}
	run := func(b *builder, in []int) ([]int, error) { return b.adopted(in, f, f.Outputs(), f.Row, absent) }
	m := &model{name: name, fns: map[method]compute{predict: run}}
	classes := f.Classes()
	if classes == nil {
		m.matrix = f.Outputs() > 1
		return m, nil
	}
	m.classes = &labels{}
	for _, c := range classes {
		kind := frame.Empty
		switch c := c.(type) {
		case int64:
			kind, m.classes.ints = frame.Int, append(m.classes.ints, c)
		case float64:
			kind, m.classes.floats = frame.Float, append(m.classes.floats, c)
		case bool:
			kind, m.classes.bools = frame.Bool, append(m.classes.bools, c)
		case string:
			kind, m.classes.strings = frame.String, append(m.classes.strings, c)
		}
		if kind == frame.Empty || m.classes.kind != frame.Empty && m.classes.kind != kind {
			return nil, unsupported("%s has classes of several types", name)
		}
		m.classes.kind = kind
	}
	if m.classes.len() != f.Outputs() || f.Outputs() < 2 {
		return nil, unsupported("%s has %d outputs for %d classes", name, f.Outputs(), m.classes.len())
	}
	m.noLog = true
	m.fns[predictProba] = run
	m.mostOf(predictProba)
	if d, ok := f.(decider); ok && d.Decisions() > 0 {
		m.fns[decisionFunction] = func(b *builder, in []int) ([]int, error) {
			return b.adopted(in, f, d.Decisions(), d.Decide, absent)
		}
	}
	return m, nil
}

// adopted adds the scoring of a foreign estimator to a plan. absent tells that zeros are not there for it.
func (b *builder) adopted(in []int, f Foreign, outputs int, run func(out, x []float64) error, absent bool) ([]int, error) {
	if b.vector {
		return nil, oneDimensional()
	}
	var names []string
	for _, i := range in {
		if b.names[i] != "" {
			names = append(names, b.names[i])
		}
	}
	if len(names) != len(in) {
		names = nil
	}
	if err := f.Check(len(in), names); err != nil {
		return nil, err
	}
	in = b.numbers(in)
	row, out := b.add(len(in)), b.add(outputs)
	b.do(func(r *registers) error {
		if len(row) == 0 {
			return run(r.num[out[0]:out[0]+len(out)], nil)
		}
		x := r.num[row[0] : row[0]+len(row)]
		for k, i := range in {
			if x[k] = r.num[i]; absent && x[k] == 0 {
				x[k] = math.NaN()
			}
		}
		return run(r.num[out[0]:out[0]+len(out)], x)
	})
	return out, nil
}

// sparsity is whether scikit-learn hands a matrix on as a sparse one, which most libraries read as any other, but not all.
type sparsity uint8

const (
	dense sparsity = iota
	sparse
	unknown
)

// after tells what a transformer makes of a matrix. Sparse matrices of the transformers named here hold no zeros.
func (s sparsity) after(v pyobj.Value, depth int) sparsity {
	o, ok := v.(*pyobj.Object)
	if !ok || depth > 40 {
		return s // "passthrough" or None
	}
	flag := func(name string, otherwise bool) bool {
		v, _ := o.Attr(name)
		if b, ok := pyobj.Scalar(v).(bool); ok {
			return b
		}
		return otherwise
	}
	switch o.Class.Name {
	case "OneHotEncoder":
		if flag("sparse_output", flag("sparse", true)) {
			return sparse
		}
		return dense
	case "KBinsDiscretizer":
		if v, _ := o.Attr("encode"); v == "onehot" {
			return sparse
		}
		return dense
	case "ColumnTransformer":
		if !flag("sparse_output_", true) {
			return dense
		}
		v, _ := o.Attr("transformers_")
		if s.union(v, depth) == unknown {
			return unknown
		}
		return sparse
	case "FeatureUnion":
		v, _ := o.Attr("transformer_list")
		return s.union(v, depth)
	case "Pipeline":
		v, _ := o.Attr("steps")
		for _, step := range parts(v) {
			s = s.after(step, depth+1)
		}
		return s
	case "CountVectorizer", "TfidfVectorizer", "TfidfTransformer":
		return sparse
	case "HashingVectorizer": // words that cancel each other out leave a zero behind
		return unknown
	case "PCA", "IncrementalPCA", "TruncatedSVD", "FastICA", "KNNImputer", "PowerTransformer", "OrdinalEncoder", "TargetEncoder":
		return dense
	case "MaxAbsScaler", "Normalizer", "StandardScaler", "RobustScaler", // a sparse one is only divided
		"GenericUnivariateSelect", "SelectFdr", "SelectFpr", "SelectFwe", "SelectKBest", "SelectPercentile",
		"VarianceThreshold", "SelectFromModel":
		return s
	}
	if s == dense && transformerNamed(o.Class.Name) != nil {
		return dense
	}
	return unknown
}

// union tells what matrices side by side make: a sparse one if any of them is.
func (s sparsity) union(list pyobj.Value, depth int) sparsity {
	out := dense
	for _, part := range parts(list) {
		if text, ok := part.(string); ok && text == "drop" {
			continue
		}
		switch s.after(part, depth+1) {
		case unknown:
			return unknown
		case sparse:
			out = sparse
		}
	}
	return out
}

// parts are the estimators of a list of (name, estimator).
func parts(v pyobj.Value) []pyobj.Value {
	list, _ := v.(*pyobj.List)
	if list == nil {
		return nil
	}
	var out []pyobj.Value
	for _, item := range list.Items {
		if pair, ok := item.(*pyobj.Tuple); ok && len(pair.Items) >= 2 {
			out = append(out, pair.Items[1])
		} else if pair, ok := item.(*pyobj.List); ok && len(pair.Items) >= 2 {
			out = append(out, pair.Items[1])
		}
	}
	return out
}
