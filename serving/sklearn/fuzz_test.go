package sklearn_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/prinzbox/prinzbox/serving/frame"
	"github.com/prinzbox/prinzbox/serving/pyobj"
	"github.com/prinzbox/prinzbox/serving/sklearn"
)

// FuzzModel holds that a broken or hostile model file is refused or scores, and never panics. Run it with
// -fuzzminimizetime 5x: otherwise the fuzzer spends most of its time shrinking what it found.
func FuzzModel(f *testing.F) {
	for _, name := range []string{"elasticnet", "fraud", "impute_text", "columns_remainder", "ordinal", "tree", "tree_classifier", "logistic_three", "onehot_drop", "scale_minmax_clip"} {
		text, err := os.ReadFile(filepath.Join("../testdata/sklearn-1.2.2", name+".pkl"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	table := func(body string) *frame.Frame {
		r, err := frame.DecodeJSON([]byte(body), "")
		if err != nil {
			f.Fatal(err)
		}
		return r.Frame
	}
	tables := []*frame.Frame{
		table(`{"dataframe_split":{"columns":["age","gender","category","amount"],"data":[["4",null,"es_food",800.0],[5,"F",true,null]]}}`),
		table(`{"inputs":[[1,2,3],[4,5,6.5]]}`),
		table(`{"inputs":[[1,2,3,4,5,6,7,8,9,10,11]]}`),
		table(`{"dataframe_split":{"data":[[1],["x"]]}}`),
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		graph, err := pyobj.ReadPickle(text, pyobj.Limits{Nodes: 100_000})
		if err != nil {
			return
		}
		for _, fn := range []string{"predict", "predict_proba"} {
			m, err := sklearn.New(graph, fn)
			if err != nil {
				continue
			}
			for _, table := range tables {
				if r, err := m.Predict(table); err == nil && r.Len() < table.Rows {
					t.Fatalf("%d values for %d rows", r.Len(), table.Rows)
				}
			}
		}
	})
}
