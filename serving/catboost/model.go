// Package catboost scores CatBoost models as mlflow.pyfunc does, from the files of CatBoost.save_model
// (format cbm): a FlatBuffer of trees over numeric and one-hot categorical features.
package catboost

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/prinzbox/prinzbox/serving/trees"
)

// Model is a loaded model; it may be used by many goroutines.
type Model struct {
	// Class is the Python class of the model, such as "CatBoostClassifier".
	Class string

	outputs int
	features
	oblivious []oblivious
	leaves    []float64       // of all oblivious trees: outputs values for each leaf
	uneven    *trees.Ensemble // trees that are not symmetric; nil when all are
	values    []float64       // of the leaves of uneven: outputs values for each leaf, by its number
	scale     float64
	bias      []float64
	answer
}

// oblivious is a tree whose nodes of one depth all ask the same question: the answers are the bits of the
// leaf's number.
type oblivious struct {
	splits []split
	leaf   int // the first of its leaves
}

// split asks whether a cell is greater than a border.
type split struct {
	cell   int32
	border float64 // finite, and not -0
}

// Bounds of what a hostile file may ask for.
const (
	maxOutputs = 1 << 16
	maxDepth   = 30
)

// New reads a file of CatBoost.save_model for an object of the Python class that the model's flavor names.
// An error is a *trees.UnsupportedError when the file asks for what this engine does not know; any other is
// a broken file.
func New(data []byte, class string) (*Model, error) {
	core, rest, err := body(data)
	if err != nil {
		return nil, err
	}
	r := &reader{data: core, budget: len(core)}
	root := r.root()
	// The spelling is CatBoost's.
	if version := root.text(0); r.err == nil && version != "FlabuffersModel_v1" {
		return nil, trees.Unsupportedf("the format %q of CatBoost's file is not supported", version)
	}
	m := &Model{Class: class}
	if ensemble, ok := root.table(1); ok {
		err = m.readTrees(ensemble)
	} else {
		r.fail("it has no trees")
	}
	info := map[string]string{}
	root.tables(2, func(t table) { info[t.text(0)] = t.text(1) })
	parts, later := root.length(3), root.beyond(4)
	switch {
	case err != nil:
		return nil, err
	case r.err != nil:
		return nil, r.err
	case parts > 0 || later:
		return nil, trees.Unsupportedf("a part of the file beside the trees (statistics of categories, text or embeddings) is not supported")
	case rest > 0:
		return nil, fmt.Errorf("%d bytes follow the model", rest)
	}
	m.answer, err = newAnswer(class, info, m.outputs)
	return m, err
}

// body is the FlatBuffer of a file, and how many bytes follow it.
func body(data []byte) (core []byte, rest int, err error) {
	if len(data) < 8 || string(data[:4]) != "CBM1" {
		return nil, 0, fmt.Errorf("it is no CatBoost file (CBM1)")
	}
	size := uint64(binary.LittleEndian.Uint32(data[4:]))
	data = data[8:]
	if size == math.MaxUint32 && len(data) >= 8 { // longer ones follow as 64 bits
		size, data = binary.LittleEndian.Uint64(data), data[8:]
	}
	if size > uint64(len(data)) {
		return nil, 0, fmt.Errorf("it is cut: the model has %d bytes, want %d", len(data), size)
	}
	return data[:size], len(data) - int(size), nil
}

// readTrees reads the table TModelTrees. Its fields, by number: 0 outputs, 1 splits, 2 sizes, 3 starts,
// 4 categorical, 5 float, 6 one-hot and 7 statistical features, 8 values and 9 weights of leaves, 10 steps
// and 11 leaves of uneven trees, 12 text and 13 estimated features, 14 scale, 15 and 16 bias, 17 the splits
// once more in the form of CatBoost's evaluator, 18 embeddings.
func (m *Model) readTrees(t table) error {
	for _, f := range []struct {
		number int
		name   string
	}{{7, "statistics of categorical features (CTR)"}, {12, "text features"}, {13, "features made of text or embeddings"}, {18, "embedding features"}} {
		if t.length(f.number) > 0 {
			return trees.Unsupportedf("%s are not supported", f.name)
		}
	}
	if t.beyond(19) {
		return trees.Unsupportedf("the file has fields of a later format")
	}
	m.outputs = t.int32(0, 0)
	if t.r.err == nil && (m.outputs < 1 || m.outputs > maxOutputs) {
		return fmt.Errorf("it has %d outputs, want 1 to %d", m.outputs, maxOutputs)
	}
	questions, err := m.readFeatures(t)
	if err != nil {
		return err
	}
	if err := m.readScale(t); err != nil {
		return err
	}
	shape := shape{
		splits: t.int32s(1), sizes: t.int32s(2), starts: t.int32s(3),
		leaves: t.float64s(8), steps: t.int32s(10), leafOf: t.int32s(11),
	}
	if t.r.err != nil {
		return t.r.err
	}
	if err := shape.start(); err != nil {
		return err
	}
	if len(shape.steps) == 0 && len(shape.leafOf) == 0 {
		return m.addOblivious(shape, questions)
	}
	return m.addUneven(shape, questions)
}

// shape is the trees of a file as they stand there.
type shape struct {
	splits, sizes, starts []int
	leaves                []float64
	steps, leafOf         []int
}

// start fills in where the trees begin, which the file may leave out.
func (s *shape) start() error {
	at := 0
	var starts []int
	for i, size := range s.sizes {
		if size < 0 || size > len(s.splits)-at {
			return fmt.Errorf("tree %d has %d splits, %d are left", i, size, len(s.splits)-at)
		}
		starts = append(starts, at)
		at += size
	}
	if at != len(s.splits) {
		return fmt.Errorf("the trees have %d of %d splits", at, len(s.splits))
	}
	if len(s.starts) > 0 && !slices.Equal(s.starts, starts) {
		return fmt.Errorf("the trees do not follow each other")
	}
	s.starts = starts
	return nil
}

func (m *Model) readScale(t table) error {
	m.scale = t.float64(14, 1)
	bias := t.float64(15, 0)
	m.bias = t.float64s(16)
	if len(m.bias) == 0 && (m.outputs == 1 || bias == 0) {
		m.bias = make([]float64, m.outputs)
		m.bias[0] = bias
	}
	if t.r.err == nil && len(m.bias) != m.outputs {
		return fmt.Errorf("its bias has %d values for %d outputs", max(len(m.bias), 1), m.outputs)
	}
	for _, v := range append([]float64{m.scale}, m.bias...) {
		if v-v != 0 {
			return fmt.Errorf("its scale or bias is %v", v)
		}
	}
	return nil
}

func (m *Model) addOblivious(s shape, questions []split) error {
	used := 0
	for i, size := range s.sizes {
		if size > maxDepth || m.outputs<<size > len(s.leaves)-used {
			return fmt.Errorf("tree %d has %d splits, too many for its leaves", i, size)
		}
		tree := oblivious{leaf: used, splits: make([]split, size)}
		for k, place := range s.splits[s.starts[i] : s.starts[i]+size] {
			if place < 0 || place >= len(questions) {
				return fmt.Errorf("tree %d asks question %d of %d", i, place, len(questions))
			}
			tree.splits[k] = questions[place]
		}
		used += m.outputs << size
		m.oblivious = append(m.oblivious, tree)
	}
	if used != len(s.leaves) {
		return fmt.Errorf("the trees have %d of %d values of leaves", used, len(s.leaves))
	}
	m.leaves = s.leaves
	return nil
}

// addUneven reads trees whose nodes have each a split and steps to the nodes on its left and right. A step
// of 0 ends at the node, whose leaf is then the answer.
func (m *Model) addUneven(s shape, questions []split) error {
	if len(s.steps) != len(s.splits) || len(s.leafOf) != len(s.splits) {
		return fmt.Errorf("%d splits have %d steps and %d leaves", len(s.splits), len(s.steps), len(s.leafOf))
	}
	m.uneven = &trees.Ensemble{}
	for i, size := range s.sizes {
		start := s.starts[i]
		nodes := make([]trees.Node, size, 2*size)
		// leaf makes node k's leaf a node of its own, or stands it in k's place.
		values := map[int]int{}
		leaf := func(k, place int) (int, error) {
			value := int(uint32(s.leafOf[start+k]))
			if value > len(s.leaves)-m.outputs {
				return 0, fmt.Errorf("node %d of tree %d has leaf %d, there are %d values", k, i, value, len(s.leaves))
			}
			values[place] = value
			return place, nil
		}
		for k := range size {
			// A step is two numbers of 16 bits.
			left, right := s.steps[start+k]&0xffff, s.steps[start+k]>>16&0xffff
			if left == 0 && right == 0 {
				nodes[k].Leaf = true
				if _, err := leaf(k, k); err != nil {
					return err
				}
				continue
			}
			place := s.splits[start+k]
			if place < 0 || place >= len(questions) {
				return fmt.Errorf("tree %d asks question %d of %d", i, place, len(questions))
			}
			n := trees.Node{Feature: int(questions[place].cell), Threshold: questions[place].border, MissingLeft: true, Left: k + left, Right: k + right}
			for _, side := range []*int{&n.Left, &n.Right} {
				if *side == k {
					nodes = append(nodes, trees.Node{Leaf: true})
					var err error
					if *side, err = leaf(k, len(nodes)-1); err != nil {
						return err
					}
				} else if *side >= size {
					return fmt.Errorf("node %d of tree %d steps out of it", k, i)
				}
			}
			nodes[k] = n
		}
		err := m.uneven.Add(nodes, m.width, func(place int) {
			at := values[place]
			m.values = append(m.values, s.leaves[at:at+m.outputs]...)
		})
		if err != nil {
			return fmt.Errorf("tree %d is not understood: %w", i, err)
		}
	}
	return nil
}
