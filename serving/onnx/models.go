package onnx

import (
	"errors"
	"fmt"
	"math"

	"github.com/prinzbox/prinzbox/serving/libsvm"
)

var modelOperators = map[string]func(n *node) (kernel, error){
	"ml.LinearRegressor":        buildLinearRegressor,
	"ml.LinearClassifier":       buildLinearClassifier,
	"ml.SVMRegressor":           buildSVMRegressor,
	"ml.SVMClassifier":          buildSVMClassifier,
	"ml.TreeEnsembleRegressor":  buildTreeRegressor,
	"ml.TreeEnsembleClassifier": buildTreeClassifier,
	"ml.TreeEnsemble":           buildTreeEnsemble,
}

// linear is scores of rows: x times coefficients, plus intercepts.
type linear struct {
	coefficients, intercepts []float64
	targets                  int
}

func (l *linear) scores(row, out []float64) {
	for t := range out {
		sum := 0.0
		for i, v := range row {
			sum += v * l.coefficients[t*len(row)+i]
		}
		if len(l.intercepts) > 0 {
			sum += l.intercepts[t]
		}
		out[t] = float64(float32(sum))
	}
}

func readLinear(n *node, targets int) (*linear, error) {
	coefficients, err := n.floats("coefficients")
	if err != nil {
		return nil, err
	}
	intercepts, err := n.floats("intercepts")
	if err != nil {
		return nil, err
	}
	if targets < 1 || len(coefficients)%targets != 0 || len(intercepts) != 0 && len(intercepts) != targets {
		return nil, errors.New("its lists do not fit its targets")
	}
	return &linear{coefficients, intercepts, targets}, nil
}

func (l *linear) check(columns int) error {
	if columns*l.targets != len(l.coefficients) {
		return fmt.Errorf("%d columns for %d coefficients of %d targets", columns, len(l.coefficients), l.targets)
	}
	return nil
}

// numbers gives a table as floats, rounded to float32 as ONNX Runtime takes all but doubles.
func numbers(t *tensor) (values []float64, rows, columns int, err error) {
	if rows, columns, err = table(t); err != nil {
		return nil, 0, 0, err
	}
	if t.dtype == str {
		return nil, 0, 0, errTypes
	}
	return t.floats(), rows, columns, nil
}

func buildLinearRegressor(n *node) (kernel, error) {
	l, err := readLinear(n, int(n.int("targets", 1)))
	if err != nil {
		return nil, err
	}
	post, err := transform(n.text("post_transform", "NONE"))
	if err != nil {
		return nil, err
	}
	return one(func(in []*tensor) (*tensor, error) {
		values, rows, columns, err := numbers(in[0])
		if err == nil {
			err = l.check(columns)
		}
		if err != nil {
			return nil, err
		}
		out := newTensor(f32, []int{rows, l.targets})
		for r := range rows {
			scores := out.f[r*l.targets : (r+1)*l.targets]
			l.scores(values[r*columns:(r+1)*columns], scores)
			post(scores)
		}
		return out.round(), nil
	}), need(n, 1)
}

// classes is how a classifier answers: labels, and scores after a transform.
type classes struct {
	labels *tensor
	post   func([]float64)
	name   string // of the transform
}

func readClasses(n *node, numbersName string) (*classes, error) {
	c := &classes{labels: labelsOf(n.strings("classlabels_strings"), n.ints(numbersName)), name: n.text("post_transform", "NONE")}
	var err error
	c.post, err = transform(c.name)
	if c.labels.len() == 0 {
		err = errors.Join(err, errors.New("it has no labels"))
	}
	return c, err
}

// binary fills the two scores of a classifier of two classes that computes one, as ONNX Runtime's add_second_class does.
func (c *classes) binary(v float64) (label int, scores []float64) {
	switch c.name {
	case "LOGISTIC":
		p := sigmoid(v)
		scores = []float64{sigmoid(-v), p}
		if v > 0 {
			label = 1
		}
	default:
		scores = []float64{-v, v}
		if v > 0 {
			label = 1
		}
		c.post(scores)
	}
	return label, scores
}

func buildLinearClassifier(n *node) (kernel, error) {
	c, err := readClasses(n, "classlabels_ints")
	if err != nil {
		return nil, err
	}
	n.int("multi_class", 0) // a hint, which changes nothing
	intercepts, err := n.floats("intercepts")
	if err != nil {
		return nil, err
	}
	k := c.labels.len()
	scores := k
	if k == 2 && len(intercepts) == 1 {
		scores = 1
	}
	l, err := readLinear(n, scores)
	if err != nil {
		return nil, err
	}
	return func(in []*tensor) ([]*tensor, error) {
		values, rows, columns, err := numbers(in[0])
		if err == nil {
			err = l.check(columns)
		}
		if err != nil {
			return nil, err
		}
		labels, out := newTensor(c.labels.dtype, []int{rows}), newTensor(f32, []int{rows, k})
		row := make([]float64, scores)
		for r := range rows {
			l.scores(values[r*columns:(r+1)*columns], row)
			if scores == 1 {
				label, both := c.binary(row[0])
				labels.put(r, c.labels, label)
				copy(out.f[r*k:], both)
				continue
			}
			labels.put(r, c.labels, argmax(row))
			copy(out.f[r*k:], row)
			c.post(out.f[r*k : (r+1)*k])
		}
		return []*tensor{labels, out.round()}, nil
	}, need(n, 1)
}

// svm is what both SVM operators share.
type svm struct {
	kernel               string
	gamma, coef0, degree float64
	vectors              []float64
	coefficients, rho    []float64
	probA, probB         []float64
}

func readSVM(n *node) (*svm, error) {
	s := &svm{kernel: n.text("kernel_type", "LINEAR")}
	params, err := n.floats("kernel_params")
	if err != nil {
		return nil, err
	}
	if len(params) == 3 {
		s.gamma, s.coef0, s.degree = params[0], params[1], params[2]
	}
	switch s.kernel {
	case "LINEAR", "RBF", "POLY", "SIGMOID":
	default:
		return nil, unsupported("the kernel %s", s.kernel)
	}
	for name, to := range map[string]*[]float64{"support_vectors": &s.vectors, "coefficients": &s.coefficients, "rho": &s.rho, "prob_a": &s.probA, "prob_b": &s.probB} {
		if *to, err = n.floats(name); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// value is the kernel of a row and a vector.
func (s *svm) value(row, vector []float64) float64 {
	sum := 0.0
	if s.kernel == "RBF" {
		for i, v := range row {
			d := v - vector[i]
			sum += d * d
		}
		return math.Exp(-s.gamma * sum)
	}
	for i, v := range row {
		sum += v * vector[i]
	}
	switch s.kernel {
	case "POLY":
		return math.Pow(s.gamma*sum+s.coef0, s.degree)
	case "SIGMOID":
		return math.Tanh(s.gamma*sum + s.coef0)
	}
	return sum
}

func buildSVMRegressor(n *node) (kernel, error) {
	s, err := readSVM(n)
	if err != nil {
		return nil, err
	}
	supports := int(n.int("n_supports", 0))
	oneClass := n.int("one_class", 0) != 0
	post, err := transform(n.text("post_transform", "NONE"))
	if err != nil {
		return nil, err
	}
	if len(s.rho) < 1 || supports < 0 || supports > len(s.coefficients) && supports > 0 || supports > 0 && len(s.vectors)%supports != 0 {
		return nil, errors.New("its lists do not fit each other")
	}
	return one(func(in []*tensor) (*tensor, error) {
		values, rows, columns, err := numbers(in[0])
		if err != nil {
			return nil, err
		}
		width := len(s.coefficients)
		if supports > 0 {
			width = len(s.vectors) / supports
		}
		if columns != width {
			return nil, fmt.Errorf("%d columns, %d are needed", columns, width)
		}
		out := newTensor(f32, []int{rows, 1})
		for r := range rows {
			row := values[r*columns : (r+1)*columns]
			sum := s.rho[0]
			if supports == 0 {
				sum += s.value(row, s.coefficients)
			}
			for k := range supports {
				sum += s.coefficients[k] * s.value(row, s.vectors[k*width:])
			}
			out.f[r] = sum
			if oneClass {
				out.f[r] = -1
				if sum > 0 {
					out.f[r] = 1
				}
			}
			post(out.f[r : r+1])
		}
		return out.round(), nil
	}), need(n, 1)
}

func buildSVMClassifier(n *node) (kernel, error) {
	s, err := readSVM(n)
	if err != nil {
		return nil, err
	}
	c, err := readClasses(n, "classlabels_ints")
	if err != nil {
		return nil, err
	}
	perClass := n.ints("vectors_per_class")
	k := c.labels.len()
	if len(perClass) == 0 {
		return buildLinearSVC(n, s, c, k)
	}
	starts, supports := make([]int, k), 0
	if len(perClass) != k {
		return nil, errors.New("its classes differ in number")
	}
	for i, v := range perClass {
		if v < 0 || v > maxElements {
			return nil, errors.New("a class with no number of vectors")
		}
		starts[i] = supports
		supports += int(v)
	}
	pairs := k * (k - 1) / 2
	if supports == 0 || len(s.vectors)%supports != 0 || len(s.coefficients) != (k-1)*supports || len(s.rho) < pairs || len(s.probA) != 0 && (len(s.probA) != pairs || len(s.probB) != pairs) {
		return nil, errors.New("its lists do not fit each other")
	}
	width := len(s.vectors) / supports
	return func(in []*tensor) ([]*tensor, error) {
		values, rows, columns, err := numbers(in[0])
		if err != nil {
			return nil, err
		}
		if columns != width {
			return nil, fmt.Errorf("%d columns, %d are needed", columns, width)
		}
		answer := newSVMAnswer(c, rows, k, len(s.probA) > 0)
		kernels := make([]float64, supports)
		decisions := make([]float64, pairs)
		for r := range rows {
			row := values[r*columns : (r+1)*columns]
			for i := range kernels {
				kernels[i] = s.value(row, s.vectors[i*width:])
			}
			votes := make([]int, k)
			p := 0
			for i := range k {
				for j := i + 1; j < k; j++ {
					sum := s.rho[p]
					for v := range int(perClass[i]) {
						sum += s.coefficients[(j-1)*supports+starts[i]+v] * kernels[starts[i]+v]
					}
					for v := range int(perClass[j]) {
						sum += s.coefficients[i*supports+starts[j]+v] * kernels[starts[j]+v]
					}
					decisions[p] = sum
					if sum > 0 {
						votes[i]++
					} else {
						votes[j]++
					}
					p++
				}
			}
			answer.add(s, r, decisions, votes)
		}
		return answer.tensors(), nil
	}, need(n, 1)
}

// svmAnswer collects labels and scores.
type svmAnswer struct {
	c           *classes
	k           int
	probable    bool
	labels, out *tensor
}

func newSVMAnswer(c *classes, rows, k int, probable bool) *svmAnswer {
	width := k
	if !probable && k > 2 {
		width = k * (k - 1) / 2
	}
	return &svmAnswer{c, k, probable, newTensor(c.labels.dtype, []int{rows}), newTensor(f32, []int{rows, width})}
}

func (a *svmAnswer) add(s *svm, r int, decisions []float64, votes []int) {
	width := a.out.shape[1]
	a.labels.put(r, a.c.labels, argmax(votes)) // also where probabilities say otherwise, as in libsvm
	if a.probable {
		copy(a.out.f[r*width:], coupled(s, decisions, a.k))
		return
	}
	if a.k == 2 {
		copy(a.out.f[r*width:], []float64{-decisions[0], decisions[0]})
		return
	}
	copy(a.out.f[r*width:], decisions)
	a.c.post(a.out.f[r*width : (r+1)*width])
}

func (a *svmAnswer) tensors() []*tensor { return []*tensor{a.labels, a.out.round()} }

// coupled is the probabilities of the classes, from the pairwise sigmoids.
func coupled(s *svm, decisions []float64, k int) []float64 {
	pair := make([]float64, k*k)
	p := 0
	for i := range k {
		for j := i + 1; j < k; j++ {
			v := sigmoid(-(decisions[p]*s.probA[p] + s.probB[p]))
			v = math.Min(math.Max(v, 1e-7), 1-1e-7)
			pair[i*k+j], pair[j*k+i] = v, 1-v
			p++
		}
	}
	out := make([]float64, k)
	libsvm.Couple(k, pair, make([]float64, k*k), make([]float64, k), out)
	return out
}

// buildLinearSVC is an SVMClassifier without support vectors: one linear function per class.
func buildLinearSVC(n *node, s *svm, c *classes, k int) (kernel, error) {
	if len(s.probA) > 0 || s.kernel != "LINEAR" {
		return nil, unsupported("an SVM without vectors but with the kernel %s or probabilities", s.kernel)
	}
	if len(s.coefficients)%k != 0 || len(s.rho) < 1 {
		return nil, errors.New("its lists do not fit each other")
	}
	width := len(s.coefficients) / k
	return func(in []*tensor) ([]*tensor, error) {
		values, rows, columns, err := numbers(in[0])
		if err != nil {
			return nil, err
		}
		if columns != width {
			return nil, fmt.Errorf("%d columns, %d are needed", columns, width)
		}
		labels, out := newTensor(c.labels.dtype, []int{rows}), newTensor(f32, []int{rows, k})
		for r := range rows {
			scores := out.f[r*k : (r+1)*k]
			for t := range scores {
				scores[t] = s.rho[0] + s.value(values[r*columns:(r+1)*columns], s.coefficients[t*width:])
			}
			labels.put(r, c.labels, argmax(scores))
			c.post(scores)
		}
		return []*tensor{labels, out.round()}, nil
	}, need(n, 1)
}
