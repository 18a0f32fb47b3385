package catboost_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"github.com/prinzbox/prinzbox/serving/catboost"
	"github.com/prinzbox/prinzbox/serving/trees"
	"github.com/prinzbox/prinzbox/serving/trees/treestest"
)

func load(_ string, data []byte, class string) (treestest.Engine, error) {
	return catboost.New(data, class)
}

// TestFixtures compares every model file with CatBoost's own answers (testdata/make_catboost.py).
func TestFixtures(t *testing.T) {
	treestest.Run(t, treestest.Archives(t, "catboost", 4), 1e-9, load)
}

// TestRefused holds that what is not understood is named, apart from what is broken.
func TestRefused(t *testing.T) {
	all := treestest.Archives(t, "catboost", 4)
	for name, c := range map[string]struct {
		file, class string
		from, to    string
		supported   bool // the file is broken then
		want        string
	}{
		"class":       {"regressor.cb", "Mine", "", "", false, "the class \"Mine\""},
		"no class":    {"regressor.cb", "", "", "", false, "the class \"\""},
		"regression":  {"regressor.cb", "CatBoostClassifier", "", "", false, "the loss \"RMSE\" of a classifier"},
		"own loss":    {"own_loss.cb", "CatBoostClassifier", "", "", false, "of a classifier"},
		"magic":       {"regressor.cb", "CatBoost", "CBM1", "CBM2", true, "CBM1"},
		"version":     {"regressor.cb", "CatBoost", "FlabuffersModel_v1", "FlabuffersModel_v2", false, "FlabuffersModel_v2"},
		"label type":  {"classifier_words.cb", "CatBoostClassifier", `"class_label_type":"String"`, `"class_label_type":"Strong"`, false, "Strong"},
		"labels":      {"classifier_words.cb", "CatBoostClassifier", `["high","low","mid"],"class_to_label"`, `["high",      "mid"],"class_to_label"`, false, "2 labels of 3"},
		"label":       {"classifier_words.cb", "CatBoostClassifier", `["high","low","mid"],"class_to_label"`, `["high",12345 ,"md"],"class_to_label"`, true, "label 12345"},
		"places":      {"classifier_words.cb", "CatBoostClassifier", `"class_to_label":[0,1,2]`, `"class_to_label":[1,0,2]`, false, "another order"},
		"notes":       {"classifier_words.cb", "CatBoostClassifier", `"class_to_label":[0,1,2]`, `"class_to_label":[0,1,2}`, true, "class_params"},
		"params":      {"regressor.cb", "CatBoost", `{"detailed_profile"`, `["detailed_profile"`, true, "params"},
		"raw classes": {"classifier_count.cb", "CatBoost", "", "", false, "5 classes of 3"},
		"threshold":   {"threshold.cb", "CatBoostClassifier", "\x03\x00\x00\x000.8\x00", "\x03\x00\x00\x001.8\x00", true, "threshold"},
	} {
		t.Run(name, func(t *testing.T) {
			good := treestest.File(t, all, "catboost-1.2", c.file)
			data := bytes.Replace(good, []byte(c.from), []byte(c.to), 1)
			if len(data) != len(good) || c.from != "" && bytes.Equal(data, good) {
				t.Fatalf("the file has no %s of this length", c.from)
			}
			_, err := catboost.New(data, c.class)
			_, unsupported := errors.AsType[*trees.UnsupportedError](err)
			if err == nil || unsupported == c.supported || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v (unsupported %v), want one with %q", err, unsupported, c.want)
			}
		})
	}
}

// TestCut holds that a file that ends early, or goes on, is broken.
func TestCut(t *testing.T) {
	good := treestest.File(t, treestest.Archives(t, "catboost", 4), "catboost-1.2", "one_tree.cb")
	for _, n := range []int{0, 3, 4, 7, 8, 12, 40, len(good) / 2, len(good) - 1} {
		if m, err := catboost.New(good[:n], "CatBoost"); err == nil {
			t.Errorf("%d of %d bytes make a model %v", n, len(good), m.Class)
		}
		if n < 12 {
			continue
		}
		// The same with a head that tells the truth.
		cut := bytes.Clone(good[:n])
		binary.LittleEndian.PutUint32(cut[4:], uint32(n-8))
		if m, err := catboost.New(cut, "CatBoost"); err == nil {
			t.Errorf("%d of %d bytes make a model %v", n, len(good), m.Class)
		}
	}
	if _, err := catboost.New(append(bytes.Clone(good), 0), "CatBoost"); err == nil {
		t.Error("a byte after the model is not seen")
	}
}

// FuzzModel holds that a broken or hostile model file is refused or scores, and never panics. Run it with
// -fuzzminimizetime 5x: otherwise the fuzzer spends most of its time shrinking what it found.
func FuzzModel(f *testing.F) {
	all := treestest.Archives(f, "catboost", 4)
	var seeds [][]byte
	for _, s := range [][2]string{
		{"catboost-1.0.6", "one_tree.cb"},
		{"catboost-1.0.6", "classifier_three.cb"},
		{"catboost-1.2", "loss_rmsewithuncertainty.cb"},
		{"catboost-1.2", "words_two.cb"},
		{"catboost-1.2.10", "lossguide.cb"},
		{"catboost-1.2.10", "gaps_max.cb"},
		{"catboost-1.2.10", "multi_logloss.cb"},
	} {
		seeds = append(seeds, treestest.File(f, all, s[0], s[1]))
	}
	treestest.Fuzz(f, seeds, func(data []byte) (engines []treestest.Engine) {
		for _, class := range []string{"CatBoost", "CatBoostRegressor", "CatBoostClassifier"} {
			if m, err := catboost.New(data, class); err == nil {
				engines = append(engines, m)
			}
		}
		return engines
	})
}
