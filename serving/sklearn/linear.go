package sklearn

import (
	"fmt"
	"math"
	"strings"
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
	if len(coef) == 0 {
		e.fail("attribute coef_ has shape %v", shape)
		return nil, e.err
	}
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

// scores gives the registers of X @ coef.T + intercept.
func (m *linear) scores(b *builder, in []int) ([]int, error) {
	first, err := m.input(b, in)
	if err != nil {
		return nil, err
	}
	out := b.add(m.outputs)
	b.do(func(r *registers) error {
		x := r.num[first : first+m.width]
		for k := range m.outputs {
			r.num[out[k]] = m.dot(x, k)
		}
		return nil
	})
	return out, nil
}

func loadLinear(_ *loader, e *estimator, _ int) (*model, error) {
	m, err := readLinear(e)
	if err != nil {
		return nil, err
	}
	f := m.scores
	if hasLogLink(e) {
		f = func(b *builder, in []int) ([]int, error) {
			out, err := m.scores(b, in)
			if err != nil {
				return nil, err
			}
			return b.each(out, exp), nil
		}
	}
	p := regressor(e, f)
	p.matrix = m.matrix
	return p, e.err
}

// hasLogLink tells whether a generalized linear model predicts the exponential of its scores.
func hasLogLink(e *estimator) bool {
	switch e.name {
	case "PoissonRegressor", "GammaRegressor":
		return true
	case "TweedieRegressor":
		switch e.option("link", "auto", "identity", "log") {
		case "auto":
			return e.number("power") > 0
		case "log":
			return true
		}
	}
	return false
}

// loadRansac reads the estimator that was fitted to the inliers.
func loadRansac(l *loader, e *estimator, depth int) (*model, error) {
	v, ok := e.get("estimator_")
	if !ok {
		e.missing("estimator_")
		return nil, e.err
	}
	return l.model(v, depth+1)
}

// link is how a linear classifier makes probabilities of its scores.
type link uint8

const (
	noProba link = iota
	logistic
	oneVsRest
	softmax
	softmaxOfTwo
	modifiedHuber
)

func loadLinearClassifier(_ *loader, e *estimator, _ int) (*model, error) {
	m, err := readLinear(e)
	if err != nil {
		return nil, err
	}
	c := classifier(e, nil)
	if strings.HasPrefix(e.name, "RidgeClassifier") {
		// They keep their classes one level deeper.
		if binarizer := e.object("_label_binarizer"); binarizer != nil {
			c.classes = readLabels(binarizer, "classes_")
			binarizer.option("y_type_", "multiclass", "binary")
			e.err = binarizer.err
		}
	} else {
		c.classes = readLabels(e, "classes_")
	}
	if e.err != nil {
		return nil, e.err
	}
	n := c.classes.len()
	if (n != 2 || m.outputs != 1) && (n <= 2 || m.outputs != n) {
		e.fail("coef_ has %d rows for %d classes (several outputs are not supported)", m.outputs, n)
		return nil, e.err
	}
	c.fns[decisionFunction] = m.scores
	if m.outputs == 1 {
		c.above(decisionFunction, 0)
	} else {
		c.mostOf(decisionFunction)
	}
	how := noProba
	switch e.name {
	case "LogisticRegression", "LogisticRegressionCV":
		how = logisticLink(e, n)
	case "LinearDiscriminantAnalysis":
		how, c.noZeros = softmax, true
		if n == 2 {
			how = logistic
		}
		if e.has("scalings_") && e.option("solver", "svd", "eigen", "lsqr") != "lsqr" {
			project, err := readDiscriminantTransform(e, m)
			if err != nil {
				return nil, err
			}
			c.fns[transform] = project
		}
	case "SGDClassifier":
		switch e.option("loss", "hinge", "log_loss", "log", "modified_huber", "squared_hinge", "perceptron", "squared_error", "squared_loss",
			"huber", "epsilon_insensitive", "squared_epsilon_insensitive") {
		case "log_loss", "log":
			how = oneVsRest
			if n == 2 {
				how = logistic
			}
		case "modified_huber":
			how = modifiedHuber
		}
	}
	if how != noProba {
		c.fns[predictProba] = func(b *builder, in []int) ([]int, error) {
			scores, err := m.scores(b, in)
			if err != nil {
				return nil, err
			}
			return linearProba(b, scores, how), nil
		}
	}
	return c, e.err
}

// linearProba makes probabilities of a linear classifier's scores.
func linearProba(b *builder, scores []int, how link) []int {
	n := max(2, len(scores))
	out := b.add(n)
	first := scores[0]
	b.do(func(r *registers) error {
		p := r.num[out[0] : out[0]+n]
		s := r.num[first : first+len(scores)]
		switch how {
		case softmaxOfTwo:
			p[0], p[1] = -s[0], s[0]
			softMax(p)
		case softmax:
			copy(p, s)
			softMax(p)
		case logistic:
			p[1] = expit(s[0])
			p[0] = 1 - p[1]
		case modifiedHuber:
			huberProba(s, p)
		default:
			sum := 0.0
			for k, v := range s {
				p[k] = expit(v)
				sum += p[k]
			}
			for k := range p {
				p[k] /= sum
			}
		}
		return nil
	})
	return out
}

// huberProba is SGDClassifier.predict_proba of the loss modified_huber.
func huberProba(s, p []float64) {
	squeeze := func(v float64) float64 { return (math.Min(math.Max(v, -1), 1) + 1) / 2 }
	if len(s) == 1 {
		p[1] = squeeze(s[0])
		p[0] = 1 - p[1]
		return
	}
	sum := 0.0
	for k, v := range s {
		p[k] = squeeze(v)
		sum += p[k]
	}
	if sum == 0 { // every class is refused: all are as likely
		for k := range p {
			p[k] = 1
		}
		sum = float64(len(p))
	}
	for k := range p {
		p[k] /= sum
	}
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
	case mode == "ovr" || mode == "auto" && (solver == "liblinear" || solver == "newton-cholesky" && e.old(6)):
		return oneVsRest
	}
	return softmax
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
		if b.names[i] == "" {
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
