package lightgbm

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/prinzbox/prinzbox/serving/trees"
)

// section is the keys of the head or of one tree; a key without '=' has an empty value.
type section map[string]string

// sections cuts the text of Booster.save_model into its head, its trees and the line of
// pandas_categorical, which is empty when absent.
func sections(data []byte) (head section, blocks []section, categorical string, err error) {
	text := string(data)
	if i := strings.LastIndex(text, "\npandas_categorical:"); i >= 0 {
		categorical, _, _ = strings.Cut(text[i+len("\npandas_categorical:"):], "\n")
	}
	text, _, ended := strings.Cut(text, "\nend of trees")
	if first, _, _ := strings.Cut(text, "\n"); strings.TrimSpace(first) != "tree" {
		return nil, nil, "", errors.New("it does not begin with the line 'tree': not a file of Booster.save_model")
	}
	current := section{}
	head = current
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		key, value, _ := strings.Cut(line, "=")
		switch key {
		case "":
			continue
		case "Tree":
			current = section{}
			blocks = append(blocks, current)
			continue
		}
		if _, twice := current[key]; twice {
			return nil, nil, "", fmt.Errorf("the key %.40q stands twice in one block", key)
		}
		current[key] = value
	}
	// Files of LightGBM before 2.2 end with the last tree; those after say where trees end, so that a cut
	// file is found out.
	if !ended && head["version"] != "" && head["version"] != "v2" {
		return nil, nil, "", errors.New("the file is cut: 'end of trees' is missing")
	}
	return head, blocks, categorical, nil
}

// integer reads a key that must be a number from 0 to limit.
func (s section) integer(key string, limit int) (int, error) {
	n, err := strconv.Atoi(strings.TrimSpace(s[key]))
	if err != nil || n < 0 || n > limit {
		return 0, fmt.Errorf("%s is %.40q", key, s[key])
	}
	return n, nil
}

// integers reads n whole numbers.
func (s section) integers(key string, n int) ([]int64, error) {
	words := strings.Fields(s[key])
	if len(words) != n {
		return nil, fmt.Errorf("%s has %d values, want %d", key, len(words), n)
	}
	out := make([]int64, n)
	for i, w := range words {
		v, err := strconv.ParseInt(w, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%s holds %.40q", key, w)
		}
		out[i] = v
	}
	return out, nil
}

// floats reads n numbers.
func (s section) floats(key string, n int) ([]float64, error) {
	words := strings.Fields(s[key])
	if len(words) != n {
		return nil, fmt.Errorf("%s has %d values, want %d", key, len(words), n)
	}
	out := make([]float64, n)
	for i, w := range words {
		v, err := strconv.ParseFloat(w, 64)
		if err != nil && !errors.Is(err, strconv.ErrRange) {
			return nil, fmt.Errorf("%s holds %.40q", key, w)
		}
		out[i] = v
	}
	return out, nil
}

// linear is the linear model of one leaf.
type linear struct {
	constant float64
	features []int32
	factors  []float64
}

// Bits of decision_type.
const (
	isCategorical = 1
	defaultLeft   = 2
)

// maxLeaves bounds a tree; LightGBM's own limit is 131072.
const maxLeaves = 1 << 24

// addTree reads one tree. Its inner nodes come first, its leaves after them.
func (m *Model) addTree(s section) error {
	leaves, err := s.integer("num_leaves", maxLeaves)
	if err != nil {
		return err
	}
	if leaves < 1 {
		return fmt.Errorf("it has no leaves")
	}
	inner := leaves - 1
	values, err := s.floats("leaf_value", leaves)
	if err != nil {
		return err
	}
	nodes := make([]trees.Node, inner+leaves)
	for i, v := range values {
		nodes[inner+i] = trees.Node{Leaf: true, Value: v}
	}
	if inner > 0 {
		if err := s.inner(nodes[:inner]); err != nil {
			return err
		}
	}
	isLinear := strings.TrimSpace(s["is_linear"]) == "1"
	var fits []linear
	if isLinear {
		if fits, err = s.linears(leaves, m.features); err != nil {
			return err
		}
		if m.linear == nil {
			m.linear = make([]*linear, m.ensemble.Leaves())
		}
	}
	return m.ensemble.Add(nodes, m.features, func(place int) {
		switch {
		case isLinear:
			m.linear = append(m.linear, &fits[place-inner])
		case m.linear != nil:
			m.linear = append(m.linear, nil)
		}
	})
}

// inner reads the nodes that split.
func (s section) inner(nodes []trees.Node) error {
	n := len(nodes)
	var lists [4][]int64
	for i, key := range []string{"split_feature", "decision_type", "left_child", "right_child"} {
		var err error
		if lists[i], err = s.integers(key, n); err != nil {
			return err
		}
	}
	thresholds, err := s.floats("threshold", n)
	if err != nil {
		return err
	}
	sets, err := s.categories()
	if err != nil {
		return err
	}
	// A child below zero is the complement of a leaf's number.
	child := func(c int64) int {
		if c < -maxLeaves || c > maxLeaves {
			return -1
		}
		if c < 0 {
			return n + int(^c)
		}
		return int(c)
	}
	for i := range nodes {
		out := &nodes[i]
		kind := lists[1][i]
		if lists[0][i] < 0 || lists[0][i] > trees.MaxFeatures {
			return fmt.Errorf("split_feature holds %d", lists[0][i])
		}
		out.Feature, out.Threshold = int(lists[0][i]), thresholds[i]
		out.Left, out.Right = child(lists[2][i]), child(lists[3][i])
		if kind&isCategorical != 0 {
			place := int(thresholds[i])
			if float64(place) != thresholds[i] || place < 0 || place >= len(sets) {
				return fmt.Errorf("node %d has no categories", i)
			}
			out.Categories = sets[place]
			continue // missing values and strangers go right
		}
		if math.IsNaN(out.Threshold) {
			return fmt.Errorf("the threshold of node %d is no number", i)
		}
		toLeft := kind&defaultLeft != 0
		switch kind >> 2 {
		case 0: // NaN is zero
			out.MissingLeft = 0 <= out.Threshold
		case 1: // NaN and zero are missing
			out.MissingLeft, out.ZeroMissing = toLeft, true
		case 2: // NaN is missing
			out.MissingLeft = toLeft
		default:
			return fmt.Errorf("decision_type holds %d", kind)
		}
	}
	return nil
}

// categories reads the sets of categories of a tree as bits.
func (s section) categories() ([][]uint32, error) {
	n := 0
	if s["num_cat"] != "" {
		var err error
		if n, err = s.integer("num_cat", maxLeaves); err != nil || n == 0 {
			return nil, err
		}
	}
	if n == 0 {
		return nil, nil
	}
	boundaries, err := s.integers("cat_boundaries", n+1)
	if err != nil {
		return nil, err
	}
	words, err := s.integers("cat_threshold", len(strings.Fields(s["cat_threshold"])))
	if err != nil {
		return nil, err
	}
	out := make([][]uint32, n)
	for i := range out {
		from, to := boundaries[i], boundaries[i+1]
		if from < 0 || to < from || to > int64(len(words)) {
			return nil, errors.New("cat_boundaries are out of order")
		}
		out[i] = make([]uint32, to-from)
		for k := range out[i] {
			w := words[from+int64(k)]
			if w < 0 || w > math.MaxUint32 {
				return nil, fmt.Errorf("cat_threshold holds %d", w)
			}
			out[i][k] = uint32(w)
		}
	}
	return out, nil
}

// linears reads the linear models of a tree's leaves.
func (s section) linears(leaves, features int) ([]linear, error) {
	constants, err := s.floats("leaf_const", leaves)
	if err != nil {
		return nil, err
	}
	counts, err := s.integers("num_features", leaves)
	if err != nil {
		return nil, err
	}
	total := int64(0)
	for _, c := range counts {
		if c < 0 || c > int64(features) {
			return nil, fmt.Errorf("num_features holds %d", c)
		}
		total += c
	}
	if total > int64(len(s["leaf_features"])) {
		return nil, fmt.Errorf("leaf_features has fewer values than num_features says")
	}
	places, err := s.integers("leaf_features", int(total))
	if err != nil {
		return nil, err
	}
	factors, err := s.floats("leaf_coeff", int(total))
	if err != nil {
		return nil, err
	}
	out := make([]linear, leaves)
	at := 0
	for i := range out {
		out[i].constant = constants[i]
		for range counts[i] {
			if places[at] < 0 || places[at] >= int64(features) {
				return nil, fmt.Errorf("leaf_features holds %d of %d", places[at], features)
			}
			out[i].features = append(out[i].features, int32(places[at]))
			out[i].factors = append(out[i].factors, factors[at])
			at++
		}
	}
	return out, nil
}

// parseCategorical reads the categories of the data frame of training: null, or a list for each column.
func parseCategorical(text string) ([]map[any]float64, error) {
	if text == "" {
		return nil, nil
	}
	var lists [][]any
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	if err := d.Decode(&lists); err != nil {
		return nil, fmt.Errorf("pandas_categorical is not understood: %w", err)
	}
	out := make([]map[any]float64, len(lists))
	for i, list := range lists {
		out[i] = make(map[any]float64, len(list))
		for code, v := range list {
			switch v.(type) {
			case string, float64, bool:
			default:
				return nil, trees.Unsupportedf("pandas_categorical holds %v, want text, numbers or bools", v)
			}
			out[i][v] = float64(code)
		}
	}
	return out, nil
}
