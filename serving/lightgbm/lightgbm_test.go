package lightgbm_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prinzbox/prinzbox/serving/lightgbm"
	"github.com/prinzbox/prinzbox/serving/pyobj"
	"github.com/prinzbox/prinzbox/serving/trees"
	"github.com/prinzbox/prinzbox/serving/trees/treestest"
)

// load reads a model file as its name tells.
func load(file string, data []byte, _ string) (treestest.Engine, error) {
	var graph pyobj.Value
	var err error
	switch filepath.Ext(file) {
	case ".lgb":
		return lightgbm.New(data)
	case ".skops":
		graph, err = pyobj.ReadSkops(data, pyobj.Limits{})
	default:
		graph, err = pyobj.ReadPickle(data, pyobj.Limits{})
	}
	if err != nil {
		return nil, err
	}
	return lightgbm.FromObject(graph)
}

// TestFixtures compares every model file with LightGBM's own answers.
func TestFixtures(t *testing.T) {
	treestest.Run(t, treestest.Archives(t, "lightgbm", 4), 1e-9, load)
}

// TestRefused holds that what is not understood is named, apart from what is broken.
func TestRefused(t *testing.T) {
	all := treestest.Archives(t, "lightgbm", 4)
	good := string(treestest.File(t, all, "lightgbm-4.7.0", "binary.lgb"))
	for name, c := range map[string]struct {
		from, to  string
		supported bool // the file is broken then
		want      string
	}{
		"objective":      {"objective=binary sigmoid:1", "objective=other", false, "the objective other"},
		"option":         {"objective=binary sigmoid:1", "objective=binary sigmoid:1 root", false, "the option root"},
		"version":        {"version=v4", "version=v5", false, "version=v5"},
		"first line":     {"tree\n", "wood\n", true, "the line 'tree'"},
		"classes":        {"num_class=1", "num_class=3", true, "for 3 classes"},
		"iterations":     {"num_tree_per_iteration=1", "num_tree_per_iteration=0", true, "num_tree_per_iteration"},
		"feature":        {"max_feature_idx=3", "max_feature_idx=0", true, "feature"},
		"leaves":         {"num_leaves=8", "num_leaves=9", true, "leaf_value has 8 values"},
		"links":          {"left_child=1", "left_child=0", true, "do not make a tree"},
		"missing values": {"decision_type=2", "decision_type=14", true, "decision_type"},
		"number":         {"leaf_value=", "leaf_value=x", true, "leaf_value"},
		"twice":          {"num_class=1", "num_class=1\nnum_class=1", true, "twice"},
		"cut":            {"end of trees", "", true, "cut"},
		"categories":     {"pandas_categorical:[]", "pandas_categorical:[[[1]]]", false, "pandas_categorical"},
		"broken json":    {"pandas_categorical:[]", "pandas_categorical:[", true, "pandas_categorical"},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(good, c.from, c.to, 1)
			if text == good {
				t.Fatalf("the file has no %s", c.from)
			}
			_, err := lightgbm.New([]byte(text))
			_, unsupported := errors.AsType[*trees.UnsupportedError](err)
			if err == nil || unsupported == c.supported || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v (unsupported %v), want one with %q", err, unsupported, c.want)
			}
		})
	}
}

// FuzzModel holds that a broken or hostile model file is refused or scores, and never panics. Run it with
// -fuzzminimizetime 5x: otherwise the fuzzer spends most of its time shrinking what it found.
func FuzzModel(f *testing.F) {
	all := treestest.Archives(f, "lightgbm", 4)
	var seeds [][]byte
	for _, s := range [][2]string{
		{"lightgbm-2.3.1", "multiclass.lgb"},
		{"lightgbm-3.3.5", "categories.lgb"},
		{"lightgbm-3.3.5", "classifier_bool.pkl"},
		{"lightgbm-4.3.0", "rf.lgb"},
		{"lightgbm-4.7.0", "linear_missing.lgb"},
		{"lightgbm-4.7.0", "words.lgb"},
		{"lightgbm-4.7.0", "classifier_words.pkl"},
	} {
		seeds = append(seeds, treestest.File(f, all, s[0], s[1]))
	}
	treestest.Fuzz(f, seeds, func(data []byte) (engines []treestest.Engine) {
		for _, file := range []string{"model.lgb", "model.pkl"} {
			if m, err := load(file, data, ""); err == nil {
				engines = append(engines, m)
			}
		}
		return engines
	})
}
