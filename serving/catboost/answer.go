package catboost

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/prinzbox/prinzbox/serving/frame"
	"github.com/prinzbox/prinzbox/serving/trees"
)

// answer is what predict of a class makes of the sums of the trees.
type answer struct {
	kind   answerKind
	border float64 // of a classifier's one sum
	labels labels
}

type answerKind uint8

const (
	raw       answerKind = iota
	exponent             // of Poisson and Tweedie
	deviation            // of RMSEWithUncertainty: the mean and the variance
	oneClass             // of two, by one sum
	bestClass            // the greatest sum
	manyClass            // 0 or 1 for each sum
)

// labels are the classes; all have one type.
type labels struct {
	kind    frame.Kind
	ints    []int64
	floats  []float64
	bools   []bool
	strings []string
}

// newAnswer reads the file's notes on its training.
func newAnswer(class string, info map[string]string, outputs int) (answer, error) {
	loss, err := lossOf(info)
	if err != nil {
		return answer{}, err
	}
	switch class {
	case "CatBoost", "CatBoostRanker":
		return answer{}, plainOutputs(info, outputs)
	case "CatBoostRegressor":
		switch {
		case strings.HasPrefix(loss, "Poisson"), strings.HasPrefix(loss, "Tweedie"):
			if outputs != 1 {
				return answer{}, fmt.Errorf("the loss %s has %d outputs", loss, outputs)
			}
			return answer{kind: exponent}, nil
		case loss == "RMSEWithUncertainty":
			if outputs != 2 {
				return answer{}, fmt.Errorf("the loss %s has %d outputs", loss, outputs)
			}
			return answer{kind: deviation}, nil
		}
		return answer{}, plainOutputs(info, outputs)
	case "CatBoostClassifier":
		return newClassifier(loss, info, outputs)
	}
	return answer{}, trees.Unsupportedf("the class %q is not supported (supported: CatBoost, CatBoostClassifier, CatBoostRegressor, CatBoostRanker)", class)
}

// lossOf is the name of the loss that was trained; "" when the file does not tell, as with sums of models.
func lossOf(info map[string]string) (string, error) {
	type loss struct {
		Type string `json:"type"`
	}
	var params struct {
		Loss loss `json:"loss_function"`
	}
	if text := info["params"]; text != "" {
		if err := json.Unmarshal([]byte(text), &params); err != nil {
			return "", fmt.Errorf("its params are not understood: %w", err)
		}
	}
	if text := info["loss_function"]; text != "" && params.Loss.Type == "" {
		if err := json.Unmarshal([]byte(text), &params.Loss); err != nil {
			return "", fmt.Errorf("its loss_function is not understood: %w", err)
		}
	}
	return params.Loss.Type, nil
}

// classParams are the file's notes on its classes.
type classParams struct {
	Count  int               `json:"classes_count"`
	Names  []json.RawMessage `json:"class_names"`
	Places []int             `json:"class_to_label"`
	Type   string            `json:"class_label_type"`
}

func readClasses(info map[string]string) (c classParams, known bool, err error) {
	text, known := info["class_params"]
	if !known {
		return c, false, nil
	}
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return c, true, fmt.Errorf("its class_params are not understood: %w", err)
	}
	for i, place := range c.Places {
		if place != i {
			return c, true, trees.Unsupportedf("classes in another order than their labels are not supported")
		}
	}
	return c, true, nil
}

// plainOutputs refuses sums that predict would answer among others: CatBoost adds classes that training did
// not see.
func plainOutputs(info map[string]string, outputs int) error {
	c, known, err := readClasses(info)
	if err != nil || !known || outputs == 1 {
		return err
	}
	if n := max(len(c.Names), c.Count, len(c.Places)); n != outputs {
		return trees.Unsupportedf("%d classes of %d outputs are not supported", n, outputs)
	}
	return nil
}

func newClassifier(loss string, info map[string]string, outputs int) (answer, error) {
	a := answer{}
	threshold := info["binclass_probability_threshold"]
	switch loss {
	case "Logloss", "CrossEntropy", "Focal":
		a.kind = oneClass
		if outputs != 1 {
			return a, fmt.Errorf("the loss %s has %d outputs", loss, outputs)
		}
	case "MultiClass", "MultiClassOneVsAll":
		a.kind = bestClass
		if outputs == 1 {
			return a, trees.Unsupportedf("the loss %s with one class is not supported", loss)
		}
	case "MultiLogloss", "MultiCrossEntropy":
		a.kind = manyClass
		if outputs == 1 {
			return a, trees.Unsupportedf("the loss %s with one label is not supported", loss)
		}
	default:
		return a, trees.Unsupportedf("the loss %q of a classifier is not supported", loss)
	}
	if threshold != "" {
		p, err := strconv.ParseFloat(threshold, 64)
		switch {
		case a.kind != oneClass:
			return a, trees.Unsupportedf("a probability threshold of several classes is not supported")
		case err != nil || !(p > 0 && p < 1):
			return a, fmt.Errorf("its probability threshold is %q", threshold)
		}
		a.border = -math.Log(1/p - 1)
	}
	if a.kind == manyClass {
		return a, nil
	}
	c, known, err := readClasses(info)
	if err != nil {
		return a, err
	}
	want := max(outputs, 2)
	if !known || len(c.Places) != want || len(c.Names) > 0 && len(c.Names) != want {
		return a, trees.Unsupportedf("%d labels of %d classes are not supported", len(c.Names), want)
	}
	a.labels, err = c.labels()
	return a, err
}

func (c *classParams) labels() (labels, error) {
	if len(c.Names) == 0 {
		l := labels{kind: frame.Int}
		for i := range c.Places {
			l.ints = append(l.ints, int64(i))
		}
		return l, nil
	}
	l := labels{}
	var err error
	for _, name := range c.Names {
		switch c.Type {
		case "Integer":
			var v int64
			err = json.Unmarshal(name, &v)
			l.kind, l.ints = frame.Int, append(l.ints, v)
		case "Float":
			var v float64
			err = json.Unmarshal(name, &v)
			l.kind, l.floats = frame.Float, append(l.floats, v)
		case "Boolean":
			var v bool
			err = json.Unmarshal(name, &v)
			l.kind, l.bools = frame.Bool, append(l.bools, v)
		case "String":
			var v string
			err = json.Unmarshal(name, &v)
			l.kind, l.strings = frame.String, append(l.strings, v)
		default:
			return l, trees.Unsupportedf("labels of type %q are not supported", c.Type)
		}
		if err != nil {
			return l, fmt.Errorf("its label %s is not of type %s", name, c.Type)
		}
	}
	return l, nil
}

// pick makes the answer of the classes' places.
func (l *labels) pick(places []int, width int) *frame.Result {
	out := &frame.Result{Kind: l.kind, Width: width}
	for _, p := range places {
		switch l.kind {
		case frame.Int:
			out.Ints = append(out.Ints, l.ints[p])
		case frame.Float:
			out.Floats = append(out.Floats, l.floats[p])
		case frame.Bool:
			out.Bools = append(out.Bools, l.bools[p])
		default:
			out.Strings = append(out.Strings, l.strings[p])
		}
	}
	return out
}

// result turns the sums of rows into what predict returns.
func (a *answer) result(sums []float64, outputs int) *frame.Result {
	switch a.kind {
	case oneClass:
		places := make([]int, len(sums))
		for i, v := range sums {
			if v > a.border {
				places[i] = 1
			}
		}
		return a.labels.pick(places, 0)
	case bestClass:
		places := make([]int, len(sums)/outputs)
		for i := range places {
			row := sums[i*outputs : (i+1)*outputs]
			for k, v := range row {
				if v > row[places[i]] {
					places[i] = k
				}
			}
		}
		return a.labels.pick(places, 1)
	case manyClass:
		out := &frame.Result{Kind: frame.Int, Width: outputs, Ints: make([]int64, len(sums))}
		for i, v := range sums {
			if v > 0 {
				out.Ints[i] = 1
			}
		}
		return out
	case exponent:
		for i, v := range sums {
			sums[i] = math.Exp(v)
		}
	case deviation:
		for i := 1; i < len(sums); i += 2 {
			sums[i] = math.Exp(2 * sums[i])
		}
	}
	out := &frame.Result{Kind: frame.Float, Floats: sums}
	if outputs > 1 {
		out.Width = outputs
	}
	return out
}
