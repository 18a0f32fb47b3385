package xgboost

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"
)

// The format that Booster.save_model wrote before XGBoost 2.1 for names that end neither in .json nor in
// .ubj, so also for the model.xgb of MLflow 1.x and 2.x: C structures of little-endian words as they stood
// in memory, texts and vectors behind a length of 8 bytes.

const (
	learnerWords = 34 // LearnerModelParamLegacy: 136 bytes
	forestWords  = 40 // GBTreeModelParam: 160 bytes
	linearWords  = 34 // GBLinearModelParam: 136 bytes
	treeWords    = 37 // TreeParam: 148 bytes
	nodeWords    = 5
	statWords    = 4
)

type cursor struct {
	data []byte
	err  error
}

func (c *cursor) bytes(n uint64) []byte {
	if c.err == nil && n > uint64(len(c.data)) {
		c.err = fmt.Errorf("a length of %d goes over the end of the file", n)
	}
	if c.err != nil {
		return nil
	}
	b := c.data[:n]
	c.data = c.data[n:]
	return b
}

// words reads n words of 4 bytes; after an error they are all zero.
func (c *cursor) words(n int) []uint32 {
	b := c.bytes(4 * uint64(n))
	if c.err != nil {
		n = min(n, learnerWords+forestWords)
		return make([]uint32, n)
	}
	out := make([]uint32, n)
	for i := range out {
		out[i] = binary.LittleEndian.Uint32(b[4*i:])
	}
	return out
}

func (c *cursor) length() uint64 {
	b := c.bytes(8)
	if c.err != nil {
		return 0
	}
	return binary.LittleEndian.Uint64(b)
}

func (c *cursor) text() string { return string(c.bytes(c.length())) }

func (c *cursor) floats() []float32 {
	n := c.length()
	if n > uint64(len(c.data))/4 {
		c.bytes(math.MaxUint64)
		return nil
	}
	out := make([]float32, n)
	for i, w := range c.words(int(n)) {
		out[i] = math.Float32frombits(w)
	}
	return out
}

var errBinary = errors.New("it is neither JSON nor UBJSON nor XGBoost's old binary format")

// decodeBinary reads the old binary format.
func decodeBinary(data []byte) (*document, error) {
	if bytes.HasPrefix(data, []byte("bs64")) {
		return nil, errors.New("it is base64 text of XGBoost's old binary format; save it again with Booster.save_model")
	}
	c := &cursor{data: bytes.TrimPrefix(data, []byte("binf"))}
	param := c.words(learnerWords)
	if c.err != nil {
		return nil, errBinary
	}
	doc := &document{Version: []int32{int32(param[5]), int32(param[6]), 0}}
	l := &doc.Learner
	l.Param.BaseScore = strconv.FormatFloat(float64(math.Float32frombits(param[0])), 'g', -1, 32)
	l.Param.NumFeature = strconv.FormatUint(uint64(param[1]), 10)
	l.Param.NumClass = strconv.Itoa(int(int32(param[2])))
	if param[7] != 0 {
		l.Param.NumTarget = strconv.FormatUint(uint64(param[7]), 10)
	}
	hasAttributes := param[3] != 0
	l.Objective.Name = c.text()
	l.Booster.Name = c.text()
	if c.err != nil {
		return nil, errBinary
	}
	switch l.Booster.Name {
	case "gbtree":
		c.forest(&l.Booster.Model)
	case "dart":
		inner := &booster{Name: "gbtree"}
		c.forest(&inner.Model)
		l.Booster.GBTree = inner
		// The weights are there only when there are trees.
		if len(inner.Model.Trees) > 0 {
			l.Booster.WeightDrop = c.floats()
		}
	case "gblinear":
		c.words(linearWords)
		l.Booster.Model.Weights = c.floats()
	default:
		return nil, errBinary
	}
	if hasAttributes && c.err == nil {
		n := c.length()
		l.Attributes = map[string]string{}
		for i := uint64(0); i < n && c.err == nil; i++ {
			key := c.text()
			l.Attributes[key] = c.text()
		}
	}
	return doc, c.err
}

func (c *cursor) forest(m *boosterModel) {
	param := c.words(forestWords)
	trees := int32(param[0])
	if param[7] > 1 {
		c.err = errors.New("trees with vectors in their leaves are not supported")
	}
	if trees < 0 || uint64(trees) > uint64(len(c.data))/(4*treeWords) {
		c.bytes(math.MaxUint64)
	}
	if c.err != nil {
		return
	}
	// num_parallel_tree stands here from 1.0 on; before it was the number of roots, always 1.
	m.Param.NumParallelTree = strconv.FormatUint(uint64(max(param[1], 1)), 10)
	for range trees {
		m.Trees = append(m.Trees, c.tree())
		if c.err != nil {
			return
		}
	}
	for _, group := range c.words(int(trees)) {
		m.TreeInfo = append(m.TreeInfo, int32(group))
	}
}

func (c *cursor) tree() tree {
	param := c.words(treeWords)
	var t tree
	n := uint64(param[1])
	if n > uint64(len(c.data))/(4*(nodeWords+statWords)) {
		c.bytes(math.MaxUint64)
	}
	if c.err == nil && (param[0] != 1 || param[5] > 1) {
		c.err = errors.New("trees with several roots or with vectors in their leaves are not supported")
	}
	if c.err != nil {
		return t
	}
	nodes := c.words(int(n) * nodeWords)
	c.words(int(n) * statWords)
	for i := range int(n) {
		node := nodes[i*nodeWords : (i+1)*nodeWords]
		t.LeftChildren = append(t.LeftChildren, int32(node[1]))
		t.RightChildren = append(t.RightChildren, int32(node[2]))
		t.SplitIndices = append(t.SplitIndices, int32(node[3]&(1<<31-1)))
		t.DefaultLeft = append(t.DefaultLeft, node[3]>>31 != 0)
		t.SplitConditions = append(t.SplitConditions, real(math.Float32frombits(node[4])))
	}
	return t
}
