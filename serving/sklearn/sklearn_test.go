package sklearn_test

import (
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prinzbox/prinzbox/serving/frame"
	"github.com/prinzbox/prinzbox/serving/pyobj"
	"github.com/prinzbox/prinzbox/serving/sklearn"
)

// fixture is one model of testdata/make_fixtures.py.
type fixture struct {
	Name     string          `json:"name"`
	Fn       string          `json:"fn"`
	Files    []string        `json:"files"`
	Body     json.RawMessage `json:"body"`
	Expected any             `json:"expected"`
	Refused  string          `json:"refused"`
}

func fixtures(t *testing.T) map[string][]fixture {
	t.Helper()
	files, err := filepath.Glob("../testdata/sklearn-*/cases.json")
	if err != nil || len(files) < 3 {
		t.Fatalf("fixtures: %v %v", files, err)
	}
	all := map[string][]fixture{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var set struct{ Cases []fixture }
		if err := json.Unmarshal(text, &set); err != nil {
			t.Fatal(err)
		}
		all[filepath.Dir(file)] = set.Cases
	}
	return all
}

func read(t *testing.T, path string) pyobj.Value {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var v pyobj.Value
	if strings.HasSuffix(path, ".skops") {
		v, err = pyobj.ReadSkops(data, pyobj.Limits{})
	} else {
		v, err = pyobj.ReadPickle(data, pyobj.Limits{})
	}
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return v
}

// TestFixtures compares every model file with scikit-learn's own answers.
func TestFixtures(t *testing.T) {
	worst := 0.0
	files := 0
	for dir, cases := range fixtures(t) {
		for _, c := range cases {
			t.Run(filepath.Base(dir)+"/"+c.Name+"/"+c.Fn, func(t *testing.T) {
				for _, file := range c.Files {
					files++
					model, err := sklearn.New(read(t, filepath.Join(dir, file)), c.Fn, nil)
					if c.Refused != "" {
						var un *sklearn.UnsupportedError
						if !errors.As(err, &un) || !strings.Contains(err.Error(), c.Refused) {
							t.Errorf("%s: error %v, want one that names %q", file, err, c.Refused)
						}
						continue
					}
					if err != nil {
						t.Errorf("%s: %v", file, err)
						continue
					}
					request, err := frame.DecodeJSON(c.Body, "")
					if err != nil {
						t.Fatal(err)
					}
					table, err := request.Table(nil)
					if err != nil {
						t.Fatal(err)
					}
					got, err := model.Predict(table)
					if err != nil {
						t.Errorf("%s: %v", file, err)
						continue
					}
					worst = max(worst, compare(t, file, got, c.Expected))
				}
			})
		}
	}
	t.Logf("%d files, worst difference %g", files, worst)
}

// compare checks labels exactly and numbers to 1e-9 of their size, and returns the greatest difference.
func compare(t *testing.T, file string, got *frame.Result, expected any) float64 {
	t.Helper()
	var flat []any
	width := 0
	for _, row := range expected.([]any) {
		if cells, ok := row.([]any); ok {
			width = len(cells)
			flat = append(flat, cells...)
			continue
		}
		flat = append(flat, row)
	}
	if got.Len() != len(flat) || got.Width != width {
		t.Errorf("%s: %d values of width %d, want %d of width %d", file, got.Len(), got.Width, len(flat), width)
		return 0
	}
	worst := 0.0
	for i, want := range flat {
		switch want := want.(type) {
		case string:
			if got.Kind != frame.String || got.Strings[i] != want {
				t.Errorf("%s: label %d differs from %q", file, i, want)
			}
		case bool:
			if got.Kind != frame.Bool || got.Bools[i] != want {
				t.Errorf("%s: label %d differs from %v", file, i, want)
			}
		case float64:
			if got.Kind == frame.Int {
				if float64(got.Ints[i]) != want {
					t.Errorf("%s: label %d is %d, want %v", file, i, got.Ints[i], want)
				}
				continue
			}
			diff := math.Abs(got.Floats[i]-want) / math.Max(1, math.Abs(want))
			if !(diff <= 1e-9) {
				t.Errorf("%s: value %d is %v, want %v", file, i, got.Floats[i], want)
			}
			worst = max(worst, diff)
		}
	}
	return worst
}
