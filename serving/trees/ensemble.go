// Package trees evaluates ensembles of binary decision trees, whichever library grew them. The libraries
// differ in how they compare, in where a missing value goes and in what they do with a category; a reader
// says so node by node, and one loop walks them all.
package trees

import (
	"fmt"
	"math"
)

// Node is one node as a reader gives it; the first of a tree is its root.
type Node struct {
	// Leaf marks an end; Value is then the leaf's value, and the fields below do not count.
	Leaf  bool
	Value float64

	// Feature is the column that is looked at.
	Feature int
	// Threshold sends numbers up to and with itself to Left, others to Right. See Below for a library that
	// sends only smaller ones.
	Threshold float64
	// Categories, when not nil, are the bits of the categories that go to Left; other ones go to Right.
	Categories []uint32
	// MissingLeft tells where NaN goes.
	MissingLeft bool
	// ZeroMissing tells that zero (up to 1e-35 either way) is a missing value too.
	ZeroMissing bool
	// StrayMissing tells that a value that cannot be one of the categories (negative, or beyond their
	// bits) goes where NaN goes; otherwise it goes to Right.
	StrayMissing bool
	// Left and Right are places in the tree.
	Left, Right int
}

// Below turns the threshold of a library that compares float32 x < t into that of Node: the greatest
// float32 below t.
func Below(t float32) float64 {
	if math.IsInf(float64(t), -1) || t != t {
		return math.NaN() // nothing is below it
	}
	return float64(math.Nextafter32(t, float32(math.Inf(-1))))
}

// node is a node in its final place. Trees stand in depth-first order, so Left is always the next one.
type node struct {
	threshold float64 // the value of a leaf
	feature   int32   // with flags; negative for a leaf
	right     int32   // of a leaf: its number among all leaves
}

// Flags of node.feature.
const (
	missingLeft  = 1 << 30
	special      = 1 << 29 // look at the flags below, or at categories
	categorical  = 1 << 28
	strayMissing = 1 << 27
	zeroMissing  = 1 << 26
	// MaxFeatures is the greatest number of columns of an ensemble.
	MaxFeatures = 1 << 24
)

// maxNodes bounds an ensemble, so that a place fits an int32 with room to spare.
const maxNodes = 1 << 28

// Ensemble is a list of trees over the same columns.
type Ensemble struct {
	nodes  []node
	roots  []int32
	bits   []uint32
	leaves int32
}

// Len is the number of trees.
func (e *Ensemble) Len() int { return len(e.roots) }

// Leaves is the number of leaves of all trees so far. A tree's leaves are numbered as they stand in
// depth-first order, left before right.
func (e *Ensemble) Leaves() int { return int(e.leaves) }

// Add appends a tree. Every node may be reached once at most, so that every walk ends; nodes that are not
// reached at all are left out. reached, when not nil, is called with the place of each leaf in the order
// of its number.
func (e *Ensemble) Add(tree []Node, features int, reached func(place int)) error {
	if len(tree) == 0 {
		return fmt.Errorf("it has no nodes")
	}
	if features > MaxFeatures {
		return fmt.Errorf("%d features are over the limit of %d", features, MaxFeatures)
	}
	if len(e.nodes)+len(tree) > maxNodes {
		return fmt.Errorf("the trees have more than %d nodes", maxNodes)
	}
	root := int32(len(e.nodes))
	seen := make([]bool, len(tree))
	// A right child's place is written into its parent when it is known; parent is -1 for left ones.
	type todo struct {
		place  int
		parent int32
	}
	stack := []todo{{0, -1}}
	for len(stack) > 0 {
		next := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if next.place < 0 || next.place >= len(tree) || seen[next.place] {
			return fmt.Errorf("its links do not make a tree at node %d", next.place)
		}
		seen[next.place] = true
		n := &tree[next.place]
		at := int32(len(e.nodes))
		if next.parent >= 0 {
			e.nodes[next.parent].right = at
		}
		if n.Leaf {
			if reached != nil {
				reached(next.place)
			}
			e.nodes = append(e.nodes, node{threshold: n.Value, feature: -1, right: e.leaves})
			e.leaves++
			continue
		}
		if n.Feature < 0 || n.Feature >= features {
			return fmt.Errorf("node %d looks at feature %d of %d", next.place, n.Feature, features)
		}
		out := node{threshold: n.Threshold, feature: int32(n.Feature)}
		if n.MissingLeft {
			out.feature |= missingLeft
		}
		switch {
		case n.Categories != nil:
			out.feature |= special | categorical
			if n.StrayMissing {
				out.feature |= strayMissing
			}
			if len(e.bits)+len(n.Categories) > maxNodes {
				return fmt.Errorf("the trees have more than %d words of categories", maxNodes)
			}
			out.threshold = math.Float64frombits(uint64(len(e.bits))<<32 | uint64(len(n.Categories)))
			e.bits = append(e.bits, n.Categories...)
		case n.ZeroMissing:
			out.feature |= special | zeroMissing
		case n.Threshold-n.Threshold != 0: // the difference to it may be none
			out.feature |= special
		}
		e.nodes = append(e.nodes, out)
		stack = append(stack, todo{n.Right, at}, todo{n.Left, -1})
	}
	e.roots = append(e.roots, root)
	return nil
}

// Value walks one tree and returns its leaf's value. x must have a value for every feature.
func (e *Ensemble) Value(tree int, x []float64) float64 {
	return e.nodes[e.walk(e.roots[tree], x)].threshold
}

// Leaf walks one tree and returns its leaf's value and number.
func (e *Ensemble) Leaf(tree int, x []float64) (float64, int) {
	n := &e.nodes[e.walk(e.roots[tree], x)]
	return n.threshold, int(n.right)
}

func (e *Ensemble) walk(i int32, x []float64) int32 {
	for {
		n := &e.nodes[i]
		if n.feature < 0 {
			return i
		}
		v := x[n.feature&(MaxFeatures-1)]
		if v != v || n.feature&special != 0 {
			if e.specially(n, v) {
				i++
			} else {
				i = n.right
			}
			continue
		}
		// A tree is made of branches that cannot be guessed, so there is none here: the sign of the
		// difference, all ones when v is beyond the threshold, picks one of the two places.
		beyond := int32(int64(math.Float64bits(n.threshold-v)) >> 63)
		i++
		i ^= (i ^ n.right) & beyond
	}
}

// zero is LightGBM's kZeroThreshold, a float32.
const zero = float64(float32(1e-35))

// specially decides where a missing value goes, and a value at a node of categories or of missing zeros.
func (e *Ensemble) specially(n *node, v float64) bool {
	whenMissing := n.feature&missingLeft != 0
	if v != v {
		return whenMissing
	}
	if n.feature&categorical == 0 {
		if n.feature&zeroMissing != 0 && v >= -zero && v <= zero {
			return whenMissing
		}
		return v <= n.threshold
	}
	place := math.Float64bits(n.threshold)
	bits := e.bits[place>>32 : place>>32+place&math.MaxUint32]
	if v <= -1 || v >= float64(len(bits)*32) {
		return whenMissing && n.feature&strayMissing != 0
	}
	c := int(v)
	return bits[c>>5]>>(c&31)&1 != 0
}
