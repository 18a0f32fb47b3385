// Package xgboost scores XGBoost models from the files that Booster.save_model writes, as mlflow.pyfunc
// does: boosters and the scikit-learn wrappers, trees, DART and linear boosters, in XGBoost's float32.
package xgboost

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/prinzbox/prinzbox/serving/trees"
)

// Model is a loaded model; it may be used by many goroutines.
type Model struct {
	// Class is the Python class that MLflow makes of the file, such as "XGBClassifier".
	Class string

	version  [2]int
	names    []string // nil when the file has none
	features int
	outputs  int
	task     string
	objective
	start []float32 // margins before the first tree, one an output

	ensemble *trees.Ensemble
	groups   []int32   // the output of each tree
	drop     []float32 // the weight of each tree; nil but for DART
	last     int       // trees that count
	weights  []float32 // gblinear's; nil for trees
	category []bool    // features with categorical splits
	words    int       // of categories read so far
	codes    []codes   // of each feature; nil when no feature has text
	wrapper
}

// wrapper is what the scikit-learn wrappers add.
type wrapper struct {
	on         bool // false for a Booster
	classifier bool
	ranker     bool
	classes    int
	missing    float32 // a value that is missing too; NaN when there is none
	labels     *labels // XGBoost before 1.6; nil when labels are numbers from 0 on
}

// classNames are the classes of Python that the engine knows, by what they are.
var classNames = map[string]wrapper{
	"Booster":         {},
	"XGBModel":        {on: true},
	"XGBRegressor":    {on: true},
	"XGBRFRegressor":  {on: true},
	"XGBRanker":       {on: true, ranker: true},
	"XGBClassifier":   {on: true, classifier: true},
	"XGBRFClassifier": {on: true, classifier: true},
}

// New reads a model file: JSON, UBJSON or the old binary format, told apart by their first bytes. class is
// model_class of MLflow's xgboost flavor, such as "xgboost.sklearn.XGBClassifier"; empty means a Booster,
// as in MLflow before 1.22. An error is a *trees.UnsupportedError when the file asks for what this engine
// does not know; any other is a broken file.
func New(data []byte, class string) (*Model, error) {
	name := "Booster"
	if class != "" {
		module, after, _ := strings.Cut(class, ".")
		name = after[strings.LastIndexByte(after, '.')+1:]
		if module != "xgboost" {
			return nil, trees.Unsupportedf("the class %s is not one of xgboost", class)
		}
	}
	w, ok := classNames[name]
	if !ok {
		return nil, trees.Unsupportedf("the class %s is not supported", class)
	}
	doc, err := decode(data)
	if err != nil {
		return nil, err
	}
	m := &Model{Class: name, wrapper: w}
	return m, m.build(doc)
}

// Limits of what a hostile file may ask for.
const (
	maxOutputs = 1 << 16
	maxTrees   = 1 << 20
	maxObjects = 4 << 20 // a tree has two
	maxWords   = 1 << 25 // of categories, 32 a word
)

func (m *Model) build(doc *document) error {
	l := &doc.Learner
	for i := range min(2, len(doc.Version)) {
		m.version[i] = int(doc.Version[i])
	}
	if m.version[0] > 3 {
		return trees.Unsupportedf("XGBoost %d.%d is not known yet (known: up to 3)", m.version[0], m.version[1])
	}
	var err error
	if m.features, err = count("num_feature", l.Param.NumFeature, 0, trees.MaxFeatures); err != nil {
		return err
	}
	classes, err := count("num_class", l.Param.NumClass, 0, maxOutputs)
	if err != nil {
		return err
	}
	targets, err := count("num_target", l.Param.NumTarget, 1, maxOutputs)
	if err != nil {
		return err
	}
	m.outputs = max(classes, targets, 1)
	if len(l.FeatureNames) > 0 {
		if len(l.FeatureNames) != m.features {
			return fmt.Errorf("it has %d feature_names for %d features", len(l.FeatureNames), m.features)
		}
		m.names = l.FeatureNames
	}
	m.task = l.Objective.Name
	if m.objective, err = newObjective(m.task); err != nil {
		return err
	}
	if m.softmax && classes < 1 {
		return fmt.Errorf("the objective %s has %d classes", m.task, classes)
	}
	if err := m.readStart(l); err != nil {
		return err
	}
	m.classes = max(classes, 2)
	if m.on {
		if err := m.readWrapper(l.Attributes["scikit_learn"]); err != nil {
			return err
		}
	}
	b := &l.Booster
	switch b.Name {
	case "gbtree":
	case "dart":
		if b.GBTree == nil {
			return fmt.Errorf("the booster dart has no gbtree")
		}
		if len(b.WeightDrop) != len(b.GBTree.Model.Trees) {
			return fmt.Errorf("weight_drop has %d values for %d trees", len(b.WeightDrop), len(b.GBTree.Model.Trees))
		}
		m.drop = b.WeightDrop
		b = b.GBTree
	case "gblinear":
		m.weights = b.Model.Weights
		if len(m.weights) != (m.features+1)*m.outputs {
			return fmt.Errorf("gblinear has %d weights for %d features and %d outputs", len(m.weights), m.features, m.outputs)
		}
		// Seen in 3.2: the first base score counts for all outputs.
		for i := range m.start {
			m.start[i] = m.start[0]
		}
		return nil
	default:
		return trees.Unsupportedf("the booster %s is not supported", b.Name)
	}
	if err := m.readTrees(&b.Model); err != nil {
		return err
	}
	return m.readLast(l.Attributes, &b.Model)
}

// before tells whether the file is of a release before major.minor.
func (m *Model) before(major, minor int) bool {
	return m.version[0] < major || m.version[0] == major && m.version[1] < minor
}

// readStart reads base_score, which files before 1.0 hold as a margin already.
func (m *Model) readStart(l *learner) error {
	scores, err := baseScores(l.Param.BaseScore)
	if err != nil {
		return err
	}
	if len(scores) != 1 && len(scores) != m.outputs {
		return fmt.Errorf("base_score has %d values for %d outputs", len(scores), m.outputs)
	}
	m.start = make([]float32, m.outputs)
	for i := range m.start {
		v := scores[i%len(scores)]
		if m.objective.start != nil && m.version[0] >= 1 {
			v = m.objective.start(v)
		}
		if v-v != 0 {
			return fmt.Errorf("base_score %s does not fit the objective %s", l.Param.BaseScore, m.task)
		}
		m.start[i] = v
	}
	return nil
}

// readWrapper reads what the wrappers of XGBoost 1.x keep of themselves in an attribute; later ones take
// all from the booster.
func (m *Model) readWrapper(text string) error {
	m.missing = float32(math.NaN())
	if text == "" || m.version[0] >= 2 {
		return nil
	}
	var meta struct {
		Missing *float64 `json:"missing"`
		Encoder *struct {
			Classes []any `json:"classes_"`
		} `json:"_le"`
	}
	// Python writes bare NaN and Infinity.
	for _, word := range []string{": -Infinity", ": Infinity", ": NaN"} {
		text = strings.ReplaceAll(text, word, ": null")
	}
	if err := json.Unmarshal([]byte(text), &meta); err != nil {
		return fmt.Errorf("the attribute scikit_learn is not understood: %w", err)
	}
	if meta.Missing != nil {
		m.missing = float32(*meta.Missing)
	}
	if meta.Encoder != nil && m.classifier {
		var err error
		if m.labels, err = newLabels(meta.Encoder.Classes); err != nil {
			return err
		}
	}
	return nil
}

func (m *Model) readTrees(b *boosterModel) error {
	if len(b.Trees) > maxTrees || len(b.TreeInfo) != len(b.Trees) {
		return fmt.Errorf("tree_info has %d values for %d trees", len(b.TreeInfo), len(b.Trees))
	}
	m.ensemble, m.groups = &trees.Ensemble{}, b.TreeInfo
	m.category = make([]bool, m.features)
	for i := range b.Trees {
		if g := b.TreeInfo[i]; g < 0 || int(g) >= m.outputs {
			return fmt.Errorf("tree %d belongs to output %d of %d", i, g, m.outputs)
		}
		nodes, err := m.nodes(&b.Trees[i])
		if err == nil {
			err = m.ensemble.Add(nodes, m.features, nil)
		}
		if err != nil {
			return fmt.Errorf("tree %d is not understood: %w", i, err)
		}
	}
	return m.readCategories(b.Cats)
}

// nodes brings a tree into the form that package trees walks.
func (m *Model) nodes(t *tree) ([]trees.Node, error) {
	if size, err := count("size_leaf_vector", t.Param.SizeLeafVector, 1, maxOutputs); err != nil {
		return nil, err
	} else if size > 1 {
		return nil, trees.Unsupportedf("multi_strategy=multi_output_tree (leaves of %d outputs) is not supported", size)
	}
	n := len(t.LeftChildren)
	if len(t.RightChildren) != n || len(t.DefaultLeft) != n || len(t.SplitConditions) != n || len(t.SplitIndices) != n || len(t.SplitType) > 0 && len(t.SplitType) != n {
		return nil, fmt.Errorf("its arrays differ in length")
	}
	categories, err := m.sets(t)
	if err != nil {
		return nil, err
	}
	nodes := make([]trees.Node, n)
	for i := range nodes {
		out := &nodes[i]
		out.Left, out.Right = int(t.LeftChildren[i]), int(t.RightChildren[i])
		if out.Left == -1 {
			out.Leaf, out.Value = true, float64(t.SplitConditions[i])
			continue
		}
		out.Feature = int(t.SplitIndices[i])
		out.MissingLeft = bool(t.DefaultLeft[i])
		if len(t.SplitType) == 0 || t.SplitType[i] == 0 {
			out.Threshold = trees.Below(float32(t.SplitConditions[i]))
			continue
		}
		if t.SplitType[i] != 1 {
			return nil, fmt.Errorf("node %d has the split_type %d", i, t.SplitType[i])
		}
		// Categories of the set go right in XGBoost and left in package trees.
		bits, ok := categories[int32(i)]
		if !ok {
			return nil, fmt.Errorf("node %d has no categories", i)
		}
		out.Categories = bits
		out.StrayMissing = m.before(1, 7)
		out.Left, out.Right = out.Right, out.Left
		out.MissingLeft = !out.MissingLeft
		if out.Feature >= 0 && out.Feature < m.features {
			m.category[out.Feature] = true
		}
	}
	return nodes, nil
}

// maxCategory is the greatest category that XGBoost takes, for which a float32 counts exactly.
const maxCategory = 1 << 24

// sets reads the categories of a tree's nodes as bits.
func (m *Model) sets(t *tree) (map[int32][]uint32, error) {
	if len(t.CategoriesSegments) != len(t.CategoriesNodes) || len(t.CategoriesSizes) != len(t.CategoriesNodes) {
		return nil, fmt.Errorf("its arrays of categories differ in length")
	}
	out := map[int32][]uint32{}
	for i, node := range t.CategoriesNodes {
		from, size := t.CategoriesSegments[i], t.CategoriesSizes[i]
		if from < 0 || size < 0 || from > int64(len(t.Categories)) || size > int64(len(t.Categories))-from {
			return nil, fmt.Errorf("the categories of node %d go over their end", node)
		}
		set := t.Categories[from : from+size]
		bits := []uint32{}
		if len(set) > 0 {
			if slices.Min(set) < 0 || slices.Max(set) >= maxCategory {
				return nil, fmt.Errorf("node %d has a category out of range", node)
			}
			n := int(slices.Max(set))/32 + 1
			if m.words += n; m.words > maxWords {
				return nil, fmt.Errorf("the sets of categories are too many")
			}
			bits = make([]uint32, n)
		}
		for _, c := range set {
			bits[c/32] |= 1 << (c % 32)
		}
		out[node] = bits
	}
	return out, nil
}

// readLast finds how many trees count: all in a Booster, and up to the best iteration in the wrappers.
func (m *Model) readLast(attributes map[string]string, b *boosterModel) error {
	m.last = len(b.Trees)
	text, ok := attributes["best_iteration"]
	if !m.on || !ok {
		return nil
	}
	best, err := count("best_iteration", text, 0, maxTrees)
	if err != nil {
		return err
	}
	if n := len(b.IterationIndptr); n > 0 {
		if best+1 < n {
			m.last = int(b.IterationIndptr[best+1])
		}
	} else {
		parallel, err := count("num_parallel_tree", b.Param.NumParallelTree, 1, maxTrees)
		if err != nil {
			return err
		}
		m.last = min(m.last, (best+1)*max(parallel, 1)*m.outputs)
	}
	if m.last < 0 || m.last > len(b.Trees) {
		return fmt.Errorf("best_iteration %d has %d of %d trees", best, m.last, len(b.Trees))
	}
	return nil
}
