package lightgbm_test

import (
	"archive/zip"
	"encoding/json"
	"errors"
	"io"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prinzbox/prinzbox/serving/frame"
	"github.com/prinzbox/prinzbox/serving/lightgbm"
	"github.com/prinzbox/prinzbox/serving/pyobj"
	"github.com/prinzbox/prinzbox/serving/trees"
)

// fixture is one case of testdata/make_boosting.py.
type fixture struct {
	Name     string          `json:"name"`
	Files    []string        `json:"files"`
	Class    string          `json:"model_class"`
	Body     json.RawMessage `json:"body"`
	Kind     string          `json:"kind"`
	Expected []any           `json:"expected"`
	Error    string          `json:"error"`
	Refused  string          `json:"refused"`
}

// archive is one release's fixtures: its cases and files by name.
type archive struct {
	name  string
	cases []fixture
	files map[string][]byte
}

func archives(t testing.TB) []archive {
	t.Helper()
	paths, err := filepath.Glob("../testdata/lightgbm-*.zip")
	if err != nil || len(paths) < 4 {
		t.Fatalf("fixtures: %v %v", paths, err)
	}
	var all []archive
	for _, path := range paths {
		r, err := zip.OpenReader(path)
		if err != nil {
			t.Fatal(err)
		}
		a := archive{name: strings.TrimSuffix(filepath.Base(path), ".zip"), files: map[string][]byte{}}
		for _, f := range r.File {
			rc, err := f.Open()
			if err != nil {
				t.Fatal(err)
			}
			if a.files[f.Name], err = io.ReadAll(rc); err != nil {
				t.Fatal(err)
			}
			rc.Close()
		}
		r.Close()
		var set struct{ Cases []fixture }
		if err := json.Unmarshal(a.files["cases.json"], &set); err != nil {
			t.Fatal(err)
		}
		a.cases = set.Cases
		all = append(all, a)
	}
	return all
}

// load reads a model file as its name tells.
func load(data []byte, name string) (*lightgbm.Model, error) {
	var graph pyobj.Value
	var err error
	switch filepath.Ext(name) {
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
	worst, files := 0.0, 0
	for _, a := range archives(t) {
		for _, c := range a.cases {
			for _, file := range c.Files {
				t.Run(a.name+"/"+file, func(t *testing.T) {
					files++
					model, err := load(a.files[file], file)
					if c.Refused != "" {
						var un *trees.UnsupportedError
						if !errors.As(err, &un) || !strings.Contains(err.Error(), c.Refused) {
							t.Fatalf("error %v, want one that names %q", err, c.Refused)
						}
						return
					}
					if err != nil {
						t.Fatal(err)
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
					if c.Error != "" {
						var input *frame.PredictError
						if !errors.As(err, &input) {
							t.Fatalf("error %v, want LightGBM's %q", err, c.Error)
						}
						return
					}
					if err != nil {
						t.Fatal(err)
					}
					worst = max(worst, compare(t, got, c))
				})
			}
		}
	}
	t.Logf("%d answers, worst difference %g", files, worst)
}

// compare checks labels exactly and numbers to 1e-9 of their size, and returns the greatest difference.
func compare(t *testing.T, got *frame.Result, c fixture) float64 {
	t.Helper()
	var flat []any
	width := 0
	for _, row := range c.Expected {
		if cells, ok := row.([]any); ok {
			width = len(cells)
			flat = append(flat, cells...)
			continue
		}
		flat = append(flat, row)
	}
	kind := map[frame.Kind]string{frame.Float: "float", frame.Int: "int", frame.String: "string", frame.Bool: "bool"}[got.Kind]
	if got.Len() != len(flat) || got.Width != width || kind != c.Kind {
		t.Errorf("%d %s values of width %d, want %d %s of width %d", got.Len(), kind, got.Width, len(flat), c.Kind, width)
		return 0
	}
	worst := 0.0
	for i, want := range flat {
		switch got.Kind {
		case frame.String:
			if got.Strings[i] != want {
				t.Errorf("label %d is %q, want %q", i, got.Strings[i], want)
			}
		case frame.Bool:
			if got.Bools[i] != want {
				t.Errorf("label %d is %v, want %v", i, got.Bools[i], want)
			}
		case frame.Int:
			if float64(got.Ints[i]) != want {
				t.Errorf("label %d is %d, want %v", i, got.Ints[i], want)
			}
		default:
			number, ok := want.(float64)
			diff := math.Abs(got.Floats[i]-number) / math.Max(1, math.Abs(number))
			if !ok || !(diff <= 1e-9) {
				t.Errorf("value %d is %v, want %v", i, got.Floats[i], want)
			}
			worst = max(worst, diff)
		}
	}
	return worst
}
