package xgboost_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prinzbox/prinzbox/serving/pyobj"
	"github.com/prinzbox/prinzbox/serving/trees"
	"github.com/prinzbox/prinzbox/serving/trees/treestest"
	"github.com/prinzbox/prinzbox/serving/xgboost"
)

// TestFixtures compares every model file with XGBoost's own answers.
func TestFixtures(t *testing.T) {
	treestest.Run(t, treestest.Archives(t, "xgboost", 5), 1e-6, func(file string, data []byte, class string) (treestest.Engine, error) {
		var graph pyobj.Value
		var err error
		switch filepath.Ext(file) {
		case ".pkl":
			graph, err = pyobj.ReadPickle(data, pyobj.Limits{})
		case ".skops":
			graph, err = pyobj.ReadSkops(data, pyobj.Limits{})
		default:
			return xgboost.New(data, class)
		}
		if err != nil {
			return nil, err
		}
		return xgboost.FromObject(graph)
	})
}

// TestRefused holds that what is not understood is named, apart from what is broken.
func TestRefused(t *testing.T) {
	all := treestest.Archives(t, "xgboost", 5)
	good := string(treestest.File(t, all, "xgboost-3.2.0", "binary.json"))
	for name, c := range map[string]struct {
		from, to  string
		class     string
		supported bool // the file is broken then
		want      string
	}{
		"objective":    {`"binary:logistic"`, `"binary:other"`, "", false, "the objective binary:other"},
		"booster":      {`"gbtree"`, `"gbother"`, "", false, "the booster gbother"},
		"class":        {"", "", "xgboost.dask.DaskXGBClassifier", false, "DaskXGBClassifier"},
		"module":       {"", "", "mine.XGBClassifier", false, "mine.XGBClassifier"},
		"release":      {`"version":[3,2,0]`, `"version":[4,0,0]`, "", false, "XGBoost 4.0"},
		"features":     {`"num_feature":"4","num_target"`, `"num_feature":"3","num_target"`, "", true, "feature_names"},
		"split":        {`"num_feature":"4","num_target"`, `"num_feature":"-4","num_target"`, "", true, "num_feature"},
		"base score":   {`"base_score":"[5E-1]"`, `"base_score":"[2E0]"`, "", true, "base_score"},
		"base scores":  {`"base_score":"[5E-1]"`, `"base_score":"[5E-1,5E-1]"`, "", true, "base_score"},
		"children":     {`"left_children":[1,`, `"left_children":[0,`, "", true, "do not make a tree"},
		"lengths":      {`"left_children":[1,`, `"left_children":[`, "", true, "differ in length"},
		"tree info":    {`"tree_info":[0,`, `"tree_info":[1,`, "", true, "output 1 of 1"},
		"trees":        {`"tree_info":[0,`, `"tree_info":[`, "", true, "tree_info"},
		"cut":          {`}`, ``, "", true, "JSON"},
		"another file": {good, `{"a":1}`, "", true, "version"},
	} {
		t.Run(name, func(t *testing.T) {
			text := good
			if c.from != "" {
				if text = strings.Replace(good, c.from, c.to, 1); text == good {
					t.Fatalf("the file has no %s", c.from)
				}
			}
			_, err := xgboost.New([]byte(text), c.class)
			_, unsupported := errors.AsType[*trees.UnsupportedError](err)
			if err == nil || unsupported == c.supported || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v (unsupported %v), want one with %q", err, unsupported, c.want)
			}
		})
	}
}

// TestCut holds that a file which ends early is an error, whatever its format.
func TestCut(t *testing.T) {
	all := treestest.Archives(t, "xgboost", 5)
	for _, f := range [][2]string{{"xgboost-1.7.6", "binary.xgb"}, {"xgboost-1.7.6", "dart.xgb"}, {"xgboost-1.7.6", "binary.ubj"}, {"xgboost-3.2.0", "binary.json"}} {
		data := treestest.File(t, all, f[0], f[1])
		for n := 0; n < len(data)/2; n += 1 + n/20 {
			if _, err := xgboost.New(data[:n], ""); err == nil {
				t.Errorf("%s cut to %d of %d bytes loads", f[1], n, len(data))
			}
		}
	}
}

// FuzzModel holds that a broken or hostile model file is refused or scores, and never panics. Run it with
// -fuzzminimizetime 5x: otherwise the fuzzer spends most of its time shrinking what it found.
func FuzzModel(f *testing.F) {
	all := treestest.Archives(f, "xgboost", 5)
	var seeds [][]byte
	for _, s := range [][2]string{
		{"xgboost-0.90", "binary.xgb"},
		{"xgboost-1.5.2", "dart_three.json"},
		{"xgboost-1.5.2", "classifier_words.json"},
		{"xgboost-1.7.6", "categories.json"},
		{"xgboost-1.7.6", "linear_three.xgb"},
		{"xgboost-2.1.4", "boosted_forest.ubj"},
		{"xgboost-3.2.0", "classifier_categories.ubj"},
		{"xgboost-3.2.0", "softmax.ubj"},
		{"xgboost-1.5.2", "pickled_words.pkl"},
		{"xgboost-2.1.4", "pickled_array.pkl"},
	} {
		seeds = append(seeds, treestest.File(f, all, s[0], s[1]))
	}
	treestest.Fuzz(f, seeds, func(data []byte) (engines []treestest.Engine) {
		for _, class := range []string{"xgboost.core.Booster", "xgboost.sklearn.XGBClassifier"} {
			if m, err := xgboost.New(data, class); err == nil {
				engines = append(engines, m)
			}
		}
		if graph, err := pyobj.ReadPickle(data, pyobj.Limits{Nodes: 100_000}); err == nil {
			if m, err := xgboost.FromObject(graph); err == nil {
				engines = append(engines, m)
			}
		}
		return engines
	})
}
