// Package treestest reads the fixtures of the boosting libraries (testdata/make_boosting.py) and holds
// engines against them.
package treestest

import (
	"archive/zip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prinzbox/prinzbox/serving/frame"
	"github.com/prinzbox/prinzbox/serving/trees"
)

// Case is one question to a model and the library's own answer.
type Case struct {
	Name string `json:"name"`
	// Files hold the same model.
	Files []string `json:"files"`
	Class string   `json:"model_class"`
	// Body is a scoring request; Expected what predict answered, of a kind float, int, bool or string.
	Body     json.RawMessage `json:"body"`
	Kind     string          `json:"kind"`
	Expected []any           `json:"expected"`
	// Error is what predict raised instead.
	Error string `json:"error"`
	// Refused is a word of the reason for which the model must not load; empty when it must.
	Refused string `json:"refused"`
}

// Archive is one release's cases, and files by name.
type Archive struct {
	Name  string
	Cases []Case
	Files map[string][]byte
}

// Archives reads the fixtures of a library, at least want releases.
func Archives(t testing.TB, library string, want int) []Archive {
	t.Helper()
	paths, err := filepath.Glob("../testdata/" + library + "-*.zip")
	if err != nil || len(paths) < want {
		t.Fatalf("fixtures of %s: %v %v, want %d releases", library, paths, err, want)
	}
	var all []Archive
	for _, path := range paths {
		a := Archive{Name: strings.TrimSuffix(filepath.Base(path), ".zip"), Files: map[string][]byte{}}
		if err := a.read(path); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		all = append(all, a)
	}
	return all
}

func (a *Archive) read(path string) error {
	r, err := zip.OpenReader(path)
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }() // only read
	for _, f := range r.File {
		rc, err := f.Open()
		if err != nil {
			return err
		}
		data, err := io.ReadAll(rc)
		if err != nil {
			return err
		}
		a.Files[f.Name] = data
		if err := rc.Close(); err != nil {
			return err
		}
	}
	return json.Unmarshal(a.Files["cases.json"], &struct{ Cases *[]Case }{&a.Cases})
}

// Engine is a loaded model.
type Engine interface {
	Predict(context.Context, *frame.Frame) (*frame.Result, error)
}

// Run asks the models of all cases, loaded by load, and compares: labels exactly, numbers to tolerance of
// their size.
func Run(t *testing.T, archives []Archive, tolerance float64, load func(file string, data []byte, class string) (Engine, error)) {
	t.Helper()
	worst, answers := 0.0, 0
	for _, a := range archives {
		for _, c := range a.Cases {
			for _, file := range c.Files {
				t.Run(a.Name+"/"+file, func(t *testing.T) {
					answers++
					model, err := load(file, a.Files[file], c.Class)
					if c.Refused != "" {
						if _, ok := errors.AsType[*trees.UnsupportedError](err); !ok || !strings.Contains(err.Error(), c.Refused) {
							t.Fatalf("error %v, want one that names %q", err, c.Refused)
						}
						return
					}
					if err != nil {
						t.Fatal(err)
					}
					worst = max(worst, c.ask(t, model, tolerance))
				})
			}
		}
	}
	t.Logf("%d answers, worst difference %g", answers, worst)
}

func (c *Case) ask(t *testing.T, model Engine, tolerance float64) float64 {
	t.Helper()
	request, err := frame.DecodeJSON(c.Body, "")
	if err != nil {
		t.Fatal(err)
	}
	table, err := request.Table(nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := model.Predict(t.Context(), table)
	if c.Error != "" {
		if _, ok := errors.AsType[*frame.PredictError](err); !ok {
			t.Fatalf("error %v, want the library's %q", err, c.Error)
		}
		return 0
	}
	if err != nil {
		t.Fatal(err)
	}
	return c.compare(t, got, tolerance)
}

// compare returns the greatest difference.
func (c *Case) compare(t *testing.T, got *frame.Result, tolerance float64) float64 {
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
		var value any
		switch got.Kind {
		case frame.String:
			value = got.Strings[i]
		case frame.Bool:
			value = got.Bools[i]
		case frame.Int:
			value = float64(got.Ints[i])
		default:
			number, ok := want.(float64)
			diff := math.Abs(got.Floats[i]-number) / math.Max(1, math.Abs(number))
			if !ok || !(diff <= tolerance) {
				t.Errorf("value %d is %v, want %v", i, got.Floats[i], want)
			}
			worst = max(worst, diff)
			continue
		}
		if value != want {
			t.Errorf("label %d is %v, want %v", i, value, want)
		}
	}
	return worst
}

// File returns a file of a release.
func File(t testing.TB, archives []Archive, release, file string) []byte {
	t.Helper()
	for _, a := range archives {
		if a.Name == release && len(a.Files[file]) > 0 {
			return a.Files[file]
		}
	}
	t.Fatalf("%s has no file %s", release, file)
	return nil
}

// Uniform is a table of numbers from 0 to 1.
func Uniform(rows, columns int, random func() float64) *frame.Frame {
	table := &frame.Frame{Rows: rows, Array: true, Columns: make([]frame.Column, columns)}
	for i := range table.Columns {
		c := frame.Column{Kind: frame.Float, Floats: make([]float64, rows)}
		for k := range c.Floats {
			c.Floats[k] = random()
		}
		table.Columns[i] = c
	}
	return table
}

// Fuzz loads what the fuzzer makes of the seeds, and holds that a model which loads scores or refuses odd
// tables without a panic.
func Fuzz(f *testing.F, seeds [][]byte, load func(data []byte) []Engine) {
	for _, seed := range seeds {
		f.Add(seed)
	}
	var tables []*frame.Frame
	for _, body := range []string{
		`{"dataframe_split":{"columns":["a","b","c","d"],"data":[[1,2,"x",10],[null,-0.5,null,30],[3,1e30,"?",7]]}}`,
		`{"dataframe_split":{"columns":["a","b","c","d"],"data":[[1,2.5,3,4],[null,-0.5,64,1e9]]}}`,
		`{"inputs":[[1,2,3,4],[4,5,null,6.5]]}`,
		`{"dataframe_split":{"data":[[1],["x"]]}}`,
	} {
		r, err := frame.DecodeJSON([]byte(body), "")
		if err != nil {
			f.Fatal(err)
		}
		table, err := r.Table(nil)
		if err != nil {
			f.Fatal(err)
		}
		tables = append(tables, table)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, m := range load(data) {
			for _, table := range tables {
				if r, err := m.Predict(t.Context(), table); err == nil && r.Len() < table.Rows {
					t.Fatalf("%d values for %d rows", r.Len(), table.Rows)
				}
			}
		}
	})
}
