// Package lightgbm scores LightGBM models as mlflow.pyfunc does: boosters from the text of
// Booster.save_model, and the scikit-learn wrappers from pickles and skops files read by package pyobj.
package lightgbm

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/prinzbox/prinzbox/serving/pyobj"
	"github.com/prinzbox/prinzbox/serving/trees"
)

// Model is a loaded model; it may be used by many goroutines.
type Model struct {
	// Class is the Python class of the model, such as "LGBMClassifier".
	Class string

	format   string // v2, v3 or v4
	features int
	outputs  int // also the trees of an iteration
	last     int // trees that count
	average  bool
	objective
	ensemble *trees.Ensemble
	linear   []*linear // by leaf; nil when no leaf has a linear model

	categorical []map[any]float64 // codes of the categories of the data frame of training
	places      []int             // the columns of categorical; nil when the file does not tell
	labels      *labels           // of a classifier
}

// New reads the text of Booster.save_model. An error is a *trees.UnsupportedError when the file asks for
// what this engine does not know; any other is a broken file.
func New(data []byte) (*Model, error) {
	m := &Model{Class: "Booster", ensemble: &trees.Ensemble{}}
	head, blocks, categorical, err := sections(data)
	if err != nil {
		return nil, err
	}
	if err := m.readHead(head); err != nil {
		return nil, err
	}
	if len(blocks)%m.outputs != 0 {
		return nil, fmt.Errorf("%d trees do not make iterations of %d", len(blocks), m.outputs)
	}
	for i, b := range blocks {
		if err := m.addTree(b); err != nil {
			return nil, fmt.Errorf("tree %d is not understood: %w", i, err)
		}
	}
	m.last = len(blocks)
	if m.categorical, err = parseCategorical(categorical); err != nil {
		return nil, err
	}
	if len(m.categorical) != len(m.places) {
		m.places = nil
	}
	return m, nil
}

// maxOutputs bounds the outputs that a hostile file may ask for.
const maxOutputs = 1 << 16

func (m *Model) readHead(head section) error {
	switch m.format = head["version"]; m.format {
	case "v2", "v3", "v4":
	default:
		return trees.Unsupportedf("version=%s of LightGBM's text is not supported (supported: v2, v3, v4)", m.format)
	}
	last, err := head.integer("max_feature_idx", trees.MaxFeatures-1)
	if err != nil {
		return err
	}
	m.features = last + 1
	if m.outputs, err = head.integer("num_tree_per_iteration", maxOutputs); err != nil {
		return err
	}
	classes, err := head.integer("num_class", maxOutputs)
	if err != nil {
		return err
	}
	if m.outputs < 1 || classes != m.outputs && classes > 1 {
		return fmt.Errorf("num_tree_per_iteration is %d for %d classes", m.outputs, classes)
	}
	_, m.average = head["average_output"]
	for i, info := range strings.Fields(head["feature_infos"]) {
		if info != "none" && !strings.HasPrefix(info, "[") {
			m.places = append(m.places, i)
		}
	}
	m.objective, err = newObjective(head["objective"], m.outputs)
	return err
}

// predictParams are parameters of the scikit-learn wrappers that change what predict answers.
var predictParams = []string{
	"pred_early_stop", "predict_raw_score", "is_predict_raw_score", "predict_rawscore", "raw_score",
	"predict_leaf_index", "is_predict_leaf_index", "leaf_index", "predict_contrib", "is_predict_contrib", "contrib",
	"start_iteration_predict", "num_iteration_predict", "predict_disable_shape_check",
}

// FromObject reads a pickled scikit-learn wrapper: LGBMModel, LGBMRegressor, LGBMClassifier or LGBMRanker.
// Errors are as those of New.
func FromObject(v pyobj.Value) (*Model, error) {
	o, ok := v.(*pyobj.Object)
	if !ok {
		return nil, trees.Unsupportedf("the model is a %s, want a LightGBM estimator", pyobj.TypeName(v))
	}
	if o.Class.Module != "lightgbm.sklearn" && o.Class.Module != "lightgbm" {
		return nil, trees.Unsupportedf("the class %s is not one of lightgbm", o.Class)
	}
	switch o.Class.Name {
	case "LGBMModel", "LGBMRegressor", "LGBMClassifier", "LGBMRanker":
	default:
		return nil, trees.Unsupportedf("the class %s is not supported", o.Class)
	}
	v, _ = o.Attr("_Booster")
	b, ok := v.(*pyobj.Object)
	if !ok || b.Class.Name != "Booster" {
		return nil, fmt.Errorf("the estimator %s is not fitted: it has no _Booster", o.Class.Name)
	}
	text, ok := b.Attr("_handle")
	if !ok {
		text, _ = b.Attr("handle") // its name before LightGBM 4
	}
	model, ok := text.(string)
	if !ok {
		return nil, fmt.Errorf("the booster of %s holds no model text", o.Class.Name)
	}
	if err := checkParams(o); err != nil {
		return nil, err
	}
	m, err := New([]byte(model))
	if err != nil {
		return nil, err
	}
	m.Class = o.Class.Name
	if v, ok := b.Attr("best_iteration"); ok && v != nil {
		best, ok := pyobj.Int(v)
		if !ok {
			return nil, fmt.Errorf("best_iteration is %s", pyobj.TypeName(v))
		}
		if best > 0 && best < m.last/m.outputs {
			m.last = best * m.outputs
		}
	}
	if m.Class == "LGBMClassifier" {
		m.labels, err = readLabels(o)
	}
	return m, err
}

// checkParams refuses what a wrapper would hand on to predict and what is not done here.
func checkParams(o *pyobj.Object) error {
	if v, _ := o.Attr("_objective"); v != nil {
		if _, isText := v.(string); !isText {
			return trees.Unsupportedf("a custom objective (%s) is not supported in a scikit-learn wrapper", pyobj.TypeName(v))
		}
	}
	v, _ := o.Attr("_other_params")
	params, ok := v.(*pyobj.Dict)
	if !ok {
		return nil
	}
	for _, e := range params.Entries {
		name, _ := e.Key.(string)
		if slices.Contains(predictParams, name) && e.Value != false && e.Value != nil {
			return trees.Unsupportedf("the parameter %s of %s is not supported", name, o.Class.Name)
		}
	}
	return nil
}

// newObjective reads the objective's line, such as "binary sigmoid:1".
func newObjective(text string, outputs int) (objective, error) {
	words := strings.Fields(text)
	if len(words) == 0 { // an objective of the user's own: raw scores
		return objective{}, nil
	}
	o, ok := objectives[words[0]]
	if !ok {
		return o, trees.Unsupportedf("the objective %s is not supported", words[0])
	}
	if o.scaled {
		o.sigmoid = 1
	}
	for _, word := range words[1:] {
		key, value, _ := strings.Cut(word, ":")
		number, err := strconv.ParseFloat(value, 64)
		switch {
		case key == "sqrt" && value == "" && o.roots:
			o.link = square
		case key == "sigmoid" && err == nil && o.scaled:
			o.sigmoid = number
		case key == "num_class" && err == nil && o.many:
			if int(number) != outputs {
				return o, fmt.Errorf("the objective %s stands in a model of %d outputs", text, outputs)
			}
		default:
			return o, trees.Unsupportedf("the option %s of the objective %s is not supported", word, words[0])
		}
	}
	return o, nil
}
