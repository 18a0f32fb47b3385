package sklearn_test

import (
	"archive/zip"
	"encoding/json"
	"errors"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/prinzbox/prinzbox/serving/frame"
	"github.com/prinzbox/prinzbox/serving/pyobj"
	"github.com/prinzbox/prinzbox/serving/sklearn"
)

// estimatorCase is one model of testdata/make_estimators.py.
type estimatorCase struct {
	Name    string            `json:"name"`
	Files   []string          `json:"files"`
	Body    json.RawMessage   `json:"body"`
	Answers map[string]answer `json:"answers"`
	// Tolerance is how far numbers may be away, for their size.
	Tolerance float64 `json:"tolerance"`
	Fn        string  `json:"fn"`
	Refused   string  `json:"refused"`
}

// answer is a numpy array: its kind letter, shape, and values in row order; numbers that JSON has no
// literal for are text.
type answer struct {
	Kind   string `json:"kind"`
	Shape  []int  `json:"shape"`
	Values []any  `json:"values"`
}

// estimatorSet is one zip of make_estimators.py.
type estimatorSet struct {
	Sklearn string          `json:"sklearn"`
	Cases   []estimatorCase `json:"cases"`
	files   map[string][]byte
}

func readSet(t testing.TB, path string) *estimatorSet {
	t.Helper()
	archive, err := zip.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = archive.Close() }()
	set := &estimatorSet{files: map[string][]byte{}}
	for _, f := range archive.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if set.files[f.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
		_ = r.Close()
	}
	if err := json.Unmarshal(set.files["cases.json"], set); err != nil {
		t.Fatal(err)
	}
	return set
}

func (s *estimatorSet) graph(t testing.TB, file string) pyobj.Value {
	t.Helper()
	open := pyobj.ReadPickle
	if strings.HasSuffix(file, ".skops") {
		open = pyobj.ReadSkops
	}
	v, err := open(s.files[file], pyobj.Limits{})
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return v
}

// TestEstimators compares every estimator, in every method, with scikit-learn's own answers.
func TestEstimators(t *testing.T) {
	paths, err := filepath.Glob("../testdata/estimators-*.zip")
	if err != nil || len(paths) < 4 {
		t.Fatalf("fixtures: %v %v", paths, err)
	}
	worst, answers := 0.0, 0
	for _, path := range paths {
		set := readSet(t, path)
		for _, c := range set.Cases {
			for _, file := range c.Files {
				t.Run(set.Sklearn+"/"+file, func(t *testing.T) {
					graph := set.graph(t, file)
					if c.Refused != "" {
						_, err := sklearn.New(graph, c.Fn, nil)
						var un *sklearn.UnsupportedError
						if !errors.As(err, &un) || !strings.Contains(err.Error(), c.Refused) {
							t.Errorf("error %v, want one that names %q", err, c.Refused)
						}
						return
					}
					table := decode(t, c.Body)
					for fn, want := range c.Answers {
						model, err := sklearn.New(graph, fn, nil)
						if err != nil {
							t.Errorf("%s: %v", fn, err)
							continue
						}
						got, err := model.Predict(table)
						if err != nil {
							t.Errorf("%s: %v", fn, err)
							continue
						}
						answers++
						worst = max(worst, agree(t, fn, got, want, c.Tolerance))
					}
				})
			}
		}
	}
	t.Logf("%d answers, worst difference %g", answers, worst)
}

func decode(t testing.TB, body []byte) *frame.Frame {
	t.Helper()
	request, err := frame.DecodeJSON(body, "")
	if err != nil {
		t.Fatal(err)
	}
	table, err := request.Table(nil)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// agree checks kind, shape and values, labels exactly and numbers to the tolerance for their size, and returns the
// greatest difference.
func agree(t *testing.T, fn string, got *frame.Result, want answer, tolerance float64) float64 {
	t.Helper()
	kind := map[string]frame.Kind{"f": frame.Float, "i": frame.Int, "b": frame.Bool, "U": frame.String, "u": frame.Int}[want.Kind]
	if fn == "transform" { // its number type is nothing that an answer shows
		kind = frame.Float
	}
	shape := []int{got.Len()}
	if got.Width > 0 {
		shape = []int{got.Len() / got.Width, got.Width}
	}
	if got.Kind != kind || !slices.Equal(shape, want.Shape) {
		t.Errorf("%s: kind %v shape %v, want %v %v", fn, got.Kind, shape, want.Kind, want.Shape)
		return 0
	}
	worst, shown := 0.0, 0
	for i, w := range want.Values {
		var have any
		switch got.Kind {
		case frame.Float:
			have = got.Floats[i]
		case frame.Int:
			have = float64(got.Ints[i])
		case frame.Bool:
			have = got.Bools[i]
		default:
			have = got.Strings[i]
		}
		if f, ok := have.(float64); ok {
			switch {
			case math.IsNaN(f):
				have = "NaN"
			case math.IsInf(f, 1):
				have = "Infinity"
			case math.IsInf(f, -1):
				have = "-Infinity"
			}
		}
		if b, ok := w.(bool); ok && fn == "transform" {
			w = map[bool]float64{true: 1}[b]
		}
		a, ok1 := have.(float64)
		b, ok2 := w.(float64)
		if ok1 && ok2 && got.Kind == frame.Float {
			diff := math.Abs(a-b) / math.Max(1, math.Abs(b))
			if tolerance < 1e-8 {
				worst = max(worst, diff)
			}
			if diff <= tolerance {
				continue
			}
		} else if have == w {
			continue
		}
		if shown++; shown <= 3 {
			t.Errorf("%s: value %d is %v, want %v", fn, i, have, w)
		}
	}
	return worst
}

// TestConcurrent holds that goroutines share a model without sharing a row: each scores single rows and
// gets what one request with all of them gets.
func TestConcurrent(t *testing.T) {
	set := readSet(t, "../testdata/estimators-1.9.1.zip")
	for i, c := range set.Cases {
		fn := "predict"
		if _, ok := c.Answers[fn]; !ok {
			fn = "transform"
		}
		if c.Refused != "" || i%3 != 0 {
			continue
		}
		model, err := sklearn.New(set.graph(t, c.Name+".pkl"), fn, nil)
		if err != nil {
			t.Fatal(err)
		}
		all, err := model.Predict(decode(t, c.Body))
		if err != nil {
			t.Fatal(err)
		}
		var body struct {
			Inputs []any `json:"inputs"`
			Split  struct {
				Columns []string `json:"columns"`
				Data    []any    `json:"data"`
			} `json:"dataframe_split"`
		}
		if err := json.Unmarshal(c.Body, &body); err != nil {
			t.Fatal(err)
		}
		rows := max(len(body.Inputs), len(body.Split.Data))
		var group sync.WaitGroup
		for row := range rows {
			one := map[string]any{}
			if body.Inputs != nil {
				one["inputs"] = body.Inputs[row : row+1]
			} else {
				one["dataframe_split"] = map[string]any{"columns": body.Split.Columns, "data": body.Split.Data[row : row+1]}
			}
			text, _ := json.Marshal(one)
			table := decode(t, text)
			group.Go(func() {
				got, err := model.Predict(table)
				if err != nil {
					t.Errorf("%s, row %d: %v", c.Name, row, err)
					return
				}
				width := max(all.Width, 1)
				for k := range width {
					at := row*width + k
					var a, b any
					switch all.Kind {
					case frame.Float:
						a, b = math.Float64bits(got.Floats[k]), math.Float64bits(all.Floats[at])
					case frame.Int:
						a, b = got.Ints[k], all.Ints[at]
					case frame.Bool:
						a, b = got.Bools[k], all.Bools[at]
					default:
						a, b = got.Strings[k], all.Strings[at]
					}
					if a != b {
						t.Errorf("%s, row %d, value %d: %v alone, %v among others", c.Name, row, k, a, b)
					}
				}
			})
		}
		group.Wait()
	}
}
