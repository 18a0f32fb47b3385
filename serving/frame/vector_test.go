package frame_test

import (
	"strings"
	"testing"

	"github.com/prinzbox/prinzbox/serving/frame"
)

// TestVector holds that a signature of a one-dimensional tensor, as MLflow infers it of a list of texts,
// takes a list of scalars and a DataFrame of one column, as MLflow's server does.
func TestVector(t *testing.T) {
	schema, err := frame.ParseSchema(`[{"type": "tensor", "tensor-spec": {"dtype": "str", "shape": [-1]}}]`)
	if err != nil {
		t.Fatal(err)
	}
	for body, want := range map[string]string{
		`{"inputs":["a b","c"]}`: "",
		`{"dataframe_split":{"columns":["x"],"data":[["a b"],["c"]]}}`:           "",
		`{"inputs":[["a b"],["c"]]}`:                                             "Shape of input (2, 1) does not match expected shape (-1,).",
		`{"dataframe_split":{"columns":["x","y"],"data":[["a b",1],["c","d"]]}}`: "the input shape must be of the structure",
	} {
		request, err := frame.DecodeJSON([]byte(body), "")
		if err != nil {
			t.Fatal(err)
		}
		table, err := request.Table(schema)
		if want != "" {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: error %v, want %s", body, err, want)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", body, err)
			continue
		}
		if !table.Array || !table.Vector() || table.Rows != 2 {
			t.Errorf("%s: %+v", body, table)
		}
	}
}
