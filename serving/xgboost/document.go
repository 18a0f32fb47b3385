package xgboost

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// document is a model file in the terms of XGBoost's JSON schema; UBJSON has the same, and the old binary
// format is brought into it.
type document struct {
	Learner learner `json:"learner"`
	Version []int32 `json:"version"`
	// Model is the model of a pickled booster, which has its configuration beside it.
	Model *document `json:"Model"`
}

type learner struct {
	Attributes   map[string]string `json:"attributes"`
	FeatureNames []string          `json:"feature_names"`
	FeatureTypes []string          `json:"feature_types"`
	Booster      booster           `json:"gradient_booster"`
	Param        learnerParam      `json:"learner_model_param"`
	Objective    struct {
		Name string `json:"name"`
	} `json:"objective"`
}

type learnerParam struct {
	BaseScore  string `json:"base_score"`
	NumClass   string `json:"num_class"`
	NumFeature string `json:"num_feature"`
	NumTarget  string `json:"num_target"`
}

type booster struct {
	Name  string       `json:"name"`
	Model boosterModel `json:"model"`
	// GBTree and WeightDrop belong to DART.
	GBTree     *booster  `json:"gbtree"`
	WeightDrop []float32 `json:"weight_drop"`
}

type boosterModel struct {
	Param struct {
		NumParallelTree string `json:"num_parallel_tree"`
	} `json:"gbtree_model_param"`
	Trees           []tree   `json:"trees"`
	TreeInfo        []int32  `json:"tree_info"`
	IterationIndptr []int32  `json:"iteration_indptr"`
	Cats            *catalog `json:"cats"`
	// Weights belong to gblinear: a row of outputs for every feature, and the biases.
	Weights []float32 `json:"weights"`
}

type tree struct {
	DefaultLeft        []flag  `json:"default_left"`
	LeftChildren       []int32 `json:"left_children"`
	RightChildren      []int32 `json:"right_children"`
	SplitConditions    []real  `json:"split_conditions"`
	SplitIndices       []int32 `json:"split_indices"`
	SplitType          []int32 `json:"split_type"`
	Categories         []int32 `json:"categories"`
	CategoriesNodes    []int32 `json:"categories_nodes"`
	CategoriesSegments []int64 `json:"categories_segments"`
	CategoriesSizes    []int64 `json:"categories_sizes"`
	Param              struct {
		SizeLeafVector string `json:"size_leaf_vector"`
	} `json:"tree_param"`
}

// catalog is the categories that a data frame had in training (XGBoost 3.1 on).
type catalog struct {
	Enc []category `json:"enc"`
}

// category is one feature's categories: text as UTF-8 bytes cut by offsets, or numbers of a type, or
// nothing for a feature that is no category.
type category struct {
	Offsets []int32   `json:"offsets"`
	Values  []float64 `json:"values"`
	Type    *int32    `json:"type"`
}

// texts lists the categories of a feature that has text; nil when it has none.
func (c *category) texts() ([]string, error) {
	if c.Type != nil || len(c.Offsets) < 2 {
		return nil, nil
	}
	b := make([]byte, len(c.Values))
	for i, v := range c.Values {
		b[i] = byte(int(v)) // signed in XGBoost's own file
	}
	out := make([]string, len(c.Offsets)-1)
	for i := range out {
		from, to := c.Offsets[i], c.Offsets[i+1]
		if from < 0 || to < from || int(to) > len(b) {
			return nil, errors.New("the categories' offsets are out of order")
		}
		out[i] = string(b[from:to])
	}
	return out, nil
}

// real is a float32 that may be NaN or infinite: XGBoost 1.7 to 2.1 write such tokens into JSON, which
// quoteSpecials made text.
type real float32

func (r *real) UnmarshalJSON(text []byte) error {
	v, err := strconv.ParseFloat(strings.Trim(string(text), `"`), 32)
	if err != nil {
		return fmt.Errorf("a split condition is %.40q", text)
	}
	*r = real(v)
	return nil
}

var specials = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|-?Infinity|-?NaN`)

// quoteSpecials puts NaN and Infinity outside of text into quotes.
func quoteSpecials(text []byte) []byte {
	if !bytes.Contains(text, []byte("NaN")) && !bytes.Contains(text, []byte("Infinity")) {
		return text
	}
	return specials.ReplaceAllFunc(text, func(token []byte) []byte {
		if token[0] == '"' {
			return token
		}
		return append(append([]byte{'"'}, token...), '"')
	})
}

// flag is a bool that old releases write as one and new ones as 0 or 1.
type flag bool

func (f *flag) UnmarshalJSON(text []byte) error {
	switch string(text) {
	case "0", "false":
		*f = false
	case "1", "true":
		*f = true
	default:
		return fmt.Errorf("default_left is %.20q", text)
	}
	return nil
}

// decode reads a model file of any format.
func decode(data []byte) (*document, error) {
	if len(data) < 2 {
		return nil, errors.New("the file is empty")
	}
	doc := &document{}
	var err error
	switch {
	case data[0] == '{' && bytes.IndexByte([]byte("\" \t\r\n}"), data[1]) >= 0:
		if bytes.Count(data, []byte{'{'})+bytes.Count(data, []byte("null")) > maxObjects {
			return nil, fmt.Errorf("it has more than %d objects", maxObjects)
		}
		if err = json.Unmarshal(quoteSpecials(data), doc); err != nil {
			err = fmt.Errorf("its JSON is not understood: %w", err)
		}
	case data[0] == '{':
		err = decodeUBJSON(data, doc)
	default:
		doc, err = decodeBinary(data)
	}
	if err != nil {
		return nil, err
	}
	if doc.Model != nil {
		doc = doc.Model
	}
	if len(doc.Version) != 3 {
		return nil, errors.New("it does not tell its version: not a file of Booster.save_model")
	}
	if doc.Learner.Booster.Name == "" {
		return nil, errors.New("it has no learner with a gradient_booster: not a file of Booster.save_model")
	}
	return doc, nil
}

// count reads a number that XGBoost writes as text; absent means byDefault.
func count(name, text string, byDefault, limit int) (int, error) {
	if text == "" {
		return byDefault, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > limit {
		return 0, fmt.Errorf("%s is %.20q", name, text)
	}
	return n, nil
}

// baseScores reads "5E-1" or, from XGBoost 3.1 on, "[5E-1,1E0]".
func baseScores(text string) ([]float32, error) {
	inner, list := strings.CutPrefix(text, "[")
	if list {
		inner = strings.TrimSuffix(inner, "]")
	}
	var out []float32
	for part := range strings.SplitSeq(inner, ",") {
		v, err := strconv.ParseFloat(strings.TrimSpace(part), 32)
		if err != nil {
			return nil, fmt.Errorf("base_score is %.40q", text)
		}
		out = append(out, float32(v))
	}
	return out, nil
}
