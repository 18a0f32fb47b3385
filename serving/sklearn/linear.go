package sklearn

import (
	"fmt"
	"math"

	"github.com/prinzbox/prinzbox/serving/frame"
	"github.com/prinzbox/prinzbox/serving/pyobj"
)

// linear is X @ coef.T + intercept, of one or many outputs.
type linear struct {
	name      string
	names     []string
	width     int
	coef      []float64 // outputs rows of width
	intercept []float64
	outputs   int
	matrix    bool // two-dimensional coef: predictions are too
}

func readLinear(e *estimator) (*linear, error) {
	m := &linear{name: e.name, names: e.strings("feature_names_in_")}
	coef, shape := e.array("coef_")
	if e.err != nil {
		return nil, e.err
	}
	switch len(shape) {
	case 1:
		m.outputs, m.width = 1, shape[0]
	case 2:
		m.outputs, m.width, m.matrix = shape[0], shape[1], true
	default:
		e.fail("attribute coef_ has shape %v", shape)
		return nil, e.err
	}
	m.coef = coef
	if n := e.features(m.width); n != m.width {
		e.fail("coef_ has %d columns, n_features_in_ is %d", m.width, n)
	}
	intercept, _ := e.array("intercept_")
	if len(intercept) == 1 && m.outputs != 1 { // fit_intercept=False leaves a scalar 0
		one := intercept[0]
		intercept = make([]float64, m.outputs)
		for i := range intercept {
			intercept[i] = one
		}
	}
	if e.err == nil && len(intercept) != m.outputs {
		e.fail("intercept_ has %d values for %d outputs", len(intercept), m.outputs)
	}
	m.intercept = intercept
	return m, e.err
}

// dot gives output k for the row at x.
func (m *linear) dot(x []float64, k int) float64 {
	coef := m.coef[k*m.width : (k+1)*m.width]
	x = x[:len(coef)]
	sum := 0.0
	for i, c := range coef {
		sum += c * x[i]
	}
	return sum + m.intercept[k]
}

// input checks names and width and returns the first of the registers that hold the row.
func (m *linear) input(b *builder, in []int) (int, error) {
	if err := b.checkNames(m.names, in); err != nil {
		return 0, err
	}
	return b.matrix(in, m.width, m.name, false)
}

type linearRegressor struct{ *linear }

func loadLinear(_ *loader, e *estimator, _ int) (predictor, error) {
	m, err := readLinear(e)
	if err != nil {
		return nil, err
	}
	return &linearRegressor{m}, nil
}

func (m *linearRegressor) result(n int, _ bool) *frame.Result {
	r := &frame.Result{Kind: frame.Float, Floats: make([]float64, n*m.outputs)}
	if m.matrix {
		r.Width = m.outputs
	}
	return r
}

func (m *linearRegressor) compile(b *builder, in []int, _ bool) (scorer, error) {
	first, err := m.input(b, in)
	return &linearScorer{m.linear, first}, err
}

type linearScorer struct {
	*linear
	in int
}

func (s *linearScorer) score(r *registers, row int, out *frame.Result) error {
	x := r.num[s.in : s.in+s.width]
	for k := range s.outputs {
		out.Floats[row*s.outputs+k] = s.dot(x, k)
	}
	return nil
}

// labels are a classifier's classes, of one type.
type labels struct {
	kind    frame.Kind
	floats  []float64
	ints    []int64
	bools   []bool
	strings []string
}

func readLabels(e *estimator, attr string) *labels {
	v, ok := e.get(attr)
	if !ok {
		e.missing(attr)
		return nil
	}
	items, err := values(v)
	if err != nil || len(items) == 0 {
		e.fail("attribute %s is not understood (multi-output classifiers are not supported)", attr)
		return nil
	}
	l := &labels{}
	for _, item := range items {
		kind := frame.Object
		switch c := pyobj.Scalar(item).(type) {
		case int64:
			kind, l.ints = frame.Int, append(l.ints, c)
		case float64:
			kind, l.floats = frame.Float, append(l.floats, c)
		case bool:
			kind, l.bools = frame.Bool, append(l.bools, c)
		case string:
			kind, l.strings = frame.String, append(l.strings, c)
		}
		if kind == frame.Object || l.kind != frame.Empty && l.kind != kind {
			e.fail("attribute %s holds %s", attr, pyobj.TypeName(item))
			return nil
		}
		l.kind = kind
	}
	return l
}

func (l *labels) len() int {
	return len(l.floats) + len(l.ints) + len(l.bools) + len(l.strings)
}

func (l *labels) result(n int) *frame.Result {
	r := &frame.Result{Kind: l.kind}
	switch l.kind {
	case frame.Float:
		r.Floats = make([]float64, n)
	case frame.Int:
		r.Ints = make([]int64, n)
	case frame.Bool:
		r.Bools = make([]bool, n)
	default:
		r.Strings = make([]string, n)
	}
	return r
}

func (l *labels) put(out *frame.Result, row, class int) {
	switch l.kind {
	case frame.Float:
		out.Floats[row] = l.floats[class]
	case frame.Int:
		out.Ints[row] = l.ints[class]
	case frame.Bool:
		out.Bools[row] = l.bools[class]
	default:
		out.Strings[row] = l.strings[class]
	}
}

// proba makes the result of predict_proba.
func (l *labels) proba(n int) *frame.Result {
	return &frame.Result{Kind: frame.Float, Width: l.len(), Floats: make([]float64, n*l.len())}
}

// link is how a linear classifier makes probabilities of its scores.
type link uint8

const (
	noProba link = iota
	logistic
	oneVsRest
	softmax
	softmaxOfTwo
)

type linearClassifier struct {
	*linear
	labels *labels
	link   link
}

type probableClassifier struct{ *linearClassifier }

func (probableClassifier) prober() {}

func loadLinearClassifier(_ *loader, e *estimator, _ int) (predictor, error) {
	m, err := readLinear(e)
	if err != nil {
		return nil, err
	}
	c := &linearClassifier{linear: m, labels: readLabels(e, "classes_")}
	if e.err != nil {
		return nil, e.err
	}
	n := c.labels.len()
	if (n != 2 || m.outputs != 1) && (n <= 2 || m.outputs != n) {
		e.fail("coef_ has %d rows for %d classes", m.outputs, n)
		return nil, e.err
	}
	switch e.name {
	case "LogisticRegression", "LogisticRegressionCV":
		c.link = logisticLink(e, n)
		return probableClassifier{c}, e.err
	}
	return c, e.err
}

// logisticLink follows LogisticRegression.predict_proba over the releases: multi_class came to an end in
// 1.8; "auto" meant one-vs-rest for two classes or the solver liblinear.
func logisticLink(e *estimator, classes int) link {
	mode := "auto"
	if v, ok := e.get("multi_class"); ok {
		s, isText := v.(string)
		switch {
		case !isText:
			e.fail("option multi_class=%s is not supported", describe(v))
		case s == "ovr" || s == "multinomial":
			mode = s
		case s == "auto" || s == "deprecated" || s == "warn":
		default:
			e.fail("option multi_class=%s is not supported", describe(v))
		}
	}
	solver := e.option("solver", "lbfgs", "liblinear", "newton-cg", "newton-cholesky", "sag", "saga", "warn")
	switch {
	case classes == 2 && mode == "multinomial":
		return softmaxOfTwo
	case classes == 2:
		return logistic
	case mode == "ovr" || mode == "auto" && solver == "liblinear":
		return oneVsRest
	}
	return softmax
}

func (c *linearClassifier) result(n int, proba bool) *frame.Result {
	if proba {
		return c.labels.proba(n)
	}
	return c.labels.result(n)
}

func (c *linearClassifier) compile(b *builder, in []int, proba bool) (scorer, error) {
	first, err := c.input(b, in)
	if proba {
		return &probaScorer{c, first}, err
	}
	return &classScorer{c, first}, err
}

type classScorer struct {
	*linearClassifier
	in int
}

func (s *classScorer) score(r *registers, row int, out *frame.Result) error {
	x := r.num[s.in : s.in+s.width]
	class := 0
	if s.outputs == 1 {
		if s.dot(x, 0) > 0 {
			class = 1
		}
	} else {
		best := math.Inf(-1)
		for k := range s.outputs {
			if v := s.dot(x, k); v > best {
				best, class = v, k
			}
		}
	}
	s.labels.put(out, row, class)
	return nil
}

type probaScorer struct {
	*linearClassifier
	in int
}

func (s *probaScorer) score(r *registers, row int, out *frame.Result) error {
	x := r.num[s.in : s.in+s.width]
	n := s.labels.len()
	p := out.Floats[row*n : (row+1)*n]
	if n == 2 {
		d := s.dot(x, 0)
		if s.link == softmaxOfTwo {
			p[0], p[1] = -d, d
			softMax(p)
			return nil
		}
		p[1] = expit(d)
		p[0] = 1 - p[1]
		return nil
	}
	sum := 0.0
	for k := range p {
		p[k] = s.dot(x, k)
		if s.link == oneVsRest {
			p[k] = expit(p[k])
			sum += p[k]
		}
	}
	if s.link == softmax {
		softMax(p)
		return nil
	}
	for k := range p {
		p[k] /= sum
	}
	return nil
}

func expit(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

func softMax(p []float64) {
	top := math.Inf(-1)
	for _, v := range p {
		top = max(top, v)
	}
	sum := 0.0
	for i, v := range p {
		p[i] = math.Exp(v - top)
		sum += p[i]
	}
	for i := range p {
		p[i] /= sum
	}
}

// checkNames is scikit-learn's check of column names against those of the fit; it applies when the
// estimator gets input columns that all have names.
func (b *builder) checkNames(want []string, in []int) error {
	if want == nil {
		return nil
	}
	same := len(want) == len(in)
	got := map[string]bool{}
	for k, i := range in {
		if i >= b.inputs || b.names[i] == "" {
			return nil
		}
		got[b.names[i]] = true
		same = same && b.names[i] == want[k]
	}
	if same {
		return nil
	}
	message := "The feature names should match those that were passed during fit.\n"
	known := map[string]bool{}
	missing, unseen := "", ""
	for _, n := range want {
		known[n] = true
		if !got[n] {
			missing += fmt.Sprintf("- %s\n", n)
		}
	}
	for _, i := range in {
		if !known[b.names[i]] {
			unseen += fmt.Sprintf("- %s\n", b.names[i])
		}
	}
	if unseen != "" {
		message += "Feature names unseen at fit time:\n" + unseen
	}
	if missing != "" {
		message += "Feature names seen at fit time, yet now missing:\n" + missing
	}
	if missing == "" && unseen == "" {
		message += "Feature names must be in the same order as they were in fit.\n"
	}
	return valueError("%s", message)
}
