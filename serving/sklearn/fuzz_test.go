package sklearn_test

import (
	"strings"
	"testing"

	"github.com/prinzbox/prinzbox/serving/frame"
	"github.com/prinzbox/prinzbox/serving/pyobj"
	"github.com/prinzbox/prinzbox/serving/sklearn"
)

// FuzzModel holds that a broken or hostile model file is refused or scores, and never panics. Run it with
// -fuzzminimizetime 5x: otherwise the fuzzer spends most of its time shrinking what it found.
func FuzzModel(f *testing.F) {
	for _, release := range []string{"1.0.2", "1.9.1"} {
		set := readSet(f, "../testdata/estimators-"+release+".zip")
		for name, text := range set.files {
			if strings.HasSuffix(name, ".pkl") && len(text) < 4000 {
				f.Add(text)
			}
		}
	}
	table := func(body string) *frame.Frame {
		r, err := frame.DecodeJSON([]byte(body), "")
		if err != nil {
			f.Fatal(err)
		}
		table, err := r.Table(nil)
		if err != nil {
			f.Fatal(err)
		}
		return table
	}
	tables := []*frame.Frame{
		table(`{"dataframe_split":{"columns":["age","gender","category","amount"],"data":[["4",null,"es_food",800.0],[5,"F",true,null]]}}`),
		table(`{"dataframe_split":{"columns":["a","b","c","d"],"data":[[1,2,-3,4.5],[0.1,null,7,1e9]]}}`),
		table(`{"inputs":[[1,2,3,4],[4,5,6.5,-1]]}`),
		table(`{"inputs":["the cat sat", "", "dogs İ 日本"]}`),
		table(`{"dataframe_split":{"data":[[1],["x"]]}}`),
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		graph, err := pyobj.ReadPickle(text, pyobj.Limits{Nodes: 100_000})
		if err != nil {
			return
		}
		for _, fn := range allMethods {
			m, err := sklearn.New(graph, fn, nil)
			if err != nil {
				continue
			}
			for _, table := range tables {
				if r, err := m.Predict(table); err == nil && fn != "transform" && r.Len() < table.Rows {
					t.Fatalf("%d values for %d rows", r.Len(), table.Rows)
				}
			}
		}
	})
}
