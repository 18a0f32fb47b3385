package onnx

import (
	"archive/zip"
	"encoding/json"
	"io/fs"
	"math"
	"os"
	"strings"
	"testing"
	"time"
)

// fixtures opens the models and answers that testdata/make_onnx.py makes.
func fixtures(t testing.TB) *zip.ReadCloser {
	t.Helper()
	z, err := zip.OpenReader("../testdata/onnx.zip")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = z.Close() })
	return z
}

// array is a tensor as the fixtures hold it.
type array struct {
	Name   string          `json:"name"`
	Shape  []int           `json:"shape"`
	Type   string          `json:"type"`
	Values []any           `json:"values"`
	Maps   [][][2]any      `json:"maps"`
	Raw    json.RawMessage `json:"-"`
}

func number(v any) float64 {
	switch v := v.(type) {
	case float64:
		return v
	case string:
		return map[string]float64{"NaN": math.NaN(), "inf": math.Inf(1), "-inf": math.Inf(-1)}[v]
	}
	return math.NaN()
}

func (a *array) tensor(in input) *tensor {
	t := newTensor(in.dtype, a.Shape)
	for i, v := range a.Values {
		switch {
		case t.s != nil:
			t.s[i] = v.(string)
		case t.f != nil:
			t.f[i] = number(v)
		default:
			t.i[i] = int64(number(v))
		}
	}
	return t.round()
}

type fixture struct {
	Inputs    map[string]*array `json:"inputs"`
	Outputs   []*array          `json:"outputs"`
	Tolerance float64           `json:"tolerance"`
}

func readFixture(t testing.TB, z fs.FS, name string) (*graph, *fixture, error) {
	t.Helper()
	text, err := fs.ReadFile(z, name+".json")
	if err != nil {
		t.Fatal(err)
	}
	var f fixture
	if err := json.Unmarshal(text, &f); err != nil {
		t.Fatal(err)
	}
	data, err := fs.ReadFile(z, name+".onnx")
	if err != nil {
		t.Fatal(err)
	}
	g, err := load(data, nil)
	return g, &f, err
}

func (f *fixture) feeds(g *graph) []*tensor {
	var feeds []*tensor
	for _, in := range g.inputs {
		feeds = append(feeds, f.Inputs[in.name].tensor(in))
	}
	return feeds
}

// Answers are those of ONNX Runtime (testdata/make_onnx.py).
func TestFixtures(t *testing.T) {
	z := fixtures(t)
	files, err := fs.Glob(z, "*.onnx")
	if err != nil || len(files) < 150 {
		t.Fatalf("%d fixtures, %v", len(files), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(file, ".onnx")
		t.Run(name, func(t *testing.T) {
			g, f, err := readFixture(t, z, name)
			if err != nil {
				t.Fatal(err)
			}
			work := maxWork
			outs, err := g.run(f.feeds(g), &work)
			if err != nil {
				t.Fatal(err)
			}
			for i, want := range f.Outputs {
				want.compare(t, outs[i], f.Tolerance)
			}
		})
	}
}

func (a *array) compare(t *testing.T, got *tensor, tolerance float64) {
	t.Helper()
	if a.Maps != nil {
		if got.keys == nil || got.shape[0] != len(a.Maps) {
			t.Fatalf("%s: no maps", a.Name)
		}
		k := got.keys.len()
		for r, m := range a.Maps {
			for c, pair := range m {
				if got.keys.label(c) != pair[0] || math.Abs(got.f[r*k+c]-number(pair[1])) > tolerance {
					t.Fatalf("%s, row %d: %s %v, want %v", a.Name, r, got.keys.label(c), got.f[r*k+c], pair)
				}
			}
		}
		return
	}
	if !equalShape(got.shape, a.Shape) {
		t.Fatalf("%s: shape %v, want %v", a.Name, got.shape, a.Shape)
	}
	for i, v := range a.Values {
		switch {
		case got.s != nil:
			if got.s[i] != v {
				t.Fatalf("%s[%d]: %q, want %q", a.Name, i, got.s[i], v)
			}
		case got.f != nil:
			want := number(v)
			if math.IsNaN(want) && math.IsNaN(got.f[i]) || want == got.f[i] {
				continue
			}
			if !(math.Abs(got.f[i]-want) <= tolerance*math.Max(1, math.Abs(want))) {
				t.Fatalf("%s[%d]: %v, want %v", a.Name, i, got.f[i], want)
			}
		default:
			if float64(got.i[i]) != number(v) {
				t.Fatalf("%s[%d]: %d, want %v", a.Name, i, got.i[i], v)
			}
		}
	}
}

// A hostile model is an error, never a panic, and takes bounded time and memory.
func FuzzLoad(f *testing.F) {
	z := fixtures(f)
	for _, name := range []string{"logistic3", "knn3", "op_slice", "op_topk", "forest2", "svc3_proba", "fraud_zipmap", "op_matmul_stack", "op_label_encoder", "op_trees_branch_eq"} {
		data, err := fs.ReadFile(z, name+".onnx")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		began := time.Now()
		defer func() {
			if took := time.Since(began); took > 2*time.Second {
				t.Errorf("%d bytes took %v", len(data), took)
			}
		}()
		g, err := load(data, func(string) ([]byte, error) { return nil, os.ErrNotExist })
		if err != nil {
			return
		}
		feeds := make([]*tensor, len(g.inputs))
		for i, in := range g.inputs {
			shape := []int{2, 3}
			if in.ranks && len(in.shape) < maxRank {
				shape = shape[:0]
				for _, s := range in.shape {
					shape = append(shape, min(max(s, 1), 4))
				}
			}
			if checkShape(shape) != nil {
				return
			}
			feeds[i] = newTensor(in.dtype, shape)
		}
		work := 1 << 20
		_, _ = g.run(feeds, &work) // an error is fine
	})
}

func BenchmarkRun(b *testing.B) {
	for _, name := range []string{"linear", "forest3", "fraud"} {
		b.Run(name, func(b *testing.B) {
			g, f, err := readFixture(b, fixtures(b), name)
			if err != nil {
				b.Fatal(err)
			}
			feeds := f.feeds(g)
			for b.Loop() {
				work := maxWork
				if _, err := g.run(feeds, &work); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
