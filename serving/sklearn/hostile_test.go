package sklearn_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/prinzbox/prinzbox/serving/frame"
	"github.com/prinzbox/prinzbox/serving/pyobj"
	"github.com/prinzbox/prinzbox/serving/sklearn"
)

var allMethods = []string{"predict", "predict_proba", "predict_log_proba", "predict_joint_log_proba", "decision_function", "score_samples", "transform"}

// spoiler changes one value of an object graph as a hostile file might.
type spoiler struct {
	rng  *rand.Rand
	done string
}

// spots lists the places whose values can be changed.
func (s *spoiler) spots(v pyobj.Value, spots *[]func()) {
	set := func(what string, p *pyobj.Value) {
		old := *p
		*spots = append(*spots, func() {
			*p = s.other(old)
			s.done = fmt.Sprintf("%s: %s becomes %s", what, pyobj.TypeName(old), show(*p))
		})
		s.spots(old, spots)
	}
	switch v := v.(type) {
	case *pyobj.List:
		*spots = append(*spots, func() { v.Items = s.shorten(v.Items) })
		for i := range v.Items {
			set("list "+strconv.Itoa(i), &v.Items[i])
		}
	case *pyobj.Tuple:
		*spots = append(*spots, func() { v.Items = s.shorten(v.Items) })
		for i := range v.Items {
			set("tuple "+strconv.Itoa(i), &v.Items[i])
		}
	case *pyobj.Dict:
		for i := range v.Entries {
			key, _ := v.Entries[i].Key.(string)
			set(key, &v.Entries[i].Value)
			if len(v.Entries) > 1 {
				*spots = append(*spots, func() {
					v.Entries[i].Value = v.Entries[s.rng.IntN(len(v.Entries))].Value
					s.done = key + " becomes another attribute"
				})
			}
		}
	case *pyobj.Object:
		for i := range v.Args {
			set("argument", &v.Args[i])
		}
		s.spots(v.State, spots)
	case *pyobj.Array:
		*spots = append(*spots, func() { s.array(v) }, func() { s.array(v) }, func() { s.array(v) })
		for i := range v.Objects {
			set("object "+strconv.Itoa(i), &v.Objects[i])
		}
	}
}

func show(v pyobj.Value) string {
	switch v.(type) {
	case nil, bool, int64, float64, string:
		return fmt.Sprint(v)
	}
	return pyobj.TypeName(v)
}

func (s *spoiler) shorten(items []pyobj.Value) []pyobj.Value {
	s.done = "a list is cut or repeated"
	if len(items) == 0 || s.rng.IntN(2) == 0 {
		return append(slices.Clip(items), items...)
	}
	return items[:s.rng.IntN(len(items))]
}

// other gives another value than v.
func (s *spoiler) other(v pyobj.Value) pyobj.Value {
	if n, ok := v.(int64); ok && s.rng.IntN(3) > 0 {
		return n + int64(s.rng.IntN(5)-2)
	}
	options := []pyobj.Value{
		nil, true, false, int64(0), int64(-1), int64(1), int64(1000), int64(math.MaxInt64), 0.0, -1.5, math.NaN(), math.Inf(1), 1e300, "", "predict", "auto",
		&pyobj.List{}, &pyobj.Tuple{}, &pyobj.Dict{}, &pyobj.Class{Module: "numpy", Name: "log"},
		&pyobj.Array{DType: &pyobj.DType{Kind: 'f', Size: 8}, Shape: []int{0}},
		&pyobj.Array{DType: &pyobj.DType{Kind: 'f', Size: 8}, Shape: []int{1, 1}, Data: make([]byte, 8)},
		&pyobj.Array{DType: &pyobj.DType{Kind: 'f', Size: 8}, Shape: []int{0, 5}},
		&pyobj.Array{DType: &pyobj.DType{Kind: 'f', Size: 8}, Shape: []int{2, 2}, Data: make([]byte, 32)},
		&pyobj.Array{DType: &pyobj.DType{Kind: 'i', Size: 8}, Shape: []int{3}, Data: make([]byte, 24)},
	}
	return options[s.rng.IntN(len(options))]
}

// array changes an array's data or, with the same number of elements, its shape.
func (s *spoiler) array(a *pyobj.Array) {
	switch s.rng.IntN(4) {
	case 0:
		s.done = "an array is flat"
		a.Shape = []int{a.Len()}
	case 1:
		s.done = "an array is turned"
		if len(a.Shape) > 1 {
			a.Shape = append([]int{a.Shape[len(a.Shape)-1]}, a.Shape[:len(a.Shape)-1]...)
		} else {
			a.Shape = []int{1, a.Len()}
		}
	case 2:
		if n := a.Len(); n > 1 && a.Objects == nil && len(a.Data) > 0 {
			s.done = "an array is cut"
			a.Shape, a.Data = []int{n / 2}, a.Data[:n/2*a.DType.Size]
		}
	default:
		s.done = "an array has other numbers"
		if len(a.Data) == 0 {
			return
		}
		a.Data = append([]byte(nil), a.Data...)
		for range 1 + s.rng.IntN(4) {
			at := s.rng.IntN(len(a.Data))
			a.Data[at] = [...]byte{0, 1, 2, 127, 128, 255}[s.rng.IntN(6)]
		}
	}
}

// TestHostile holds that a model whose attributes were tampered with is refused or scores, and never
// panics. SKLEARN_HOSTILE is how often each model is changed, for a longer
// search, and SKLEARN_RELEASE the fixtures.
func TestHostile(t *testing.T) {
	times := 6
	if n, err := strconv.Atoi(os.Getenv("SKLEARN_HOSTILE")); err == nil {
		times = n
	}
	release := "1.5.2"
	if v := os.Getenv("SKLEARN_RELEASE"); v != "" {
		release = v
	}
	set := readSet(t, "../testdata/estimators-"+release+".zip")
	loaded, refused := 0, 0
	for i, c := range set.Cases {
		if c.Refused != "" {
			continue
		}
		file := c.Name + ".pkl"
		table := decode(t, c.Body)
		for n := range times {
			s := &spoiler{rng: rand.New(rand.NewPCG(uint64(i), uint64(n)))}
			graph := set.graph(t, file)
			var spots []func()
			s.spots(graph, &spots)
			spots[s.rng.IntN(len(spots))]()
			for _, fn := range allMethods {
				if scoreSpoiled(t, fmt.Sprintf("%s, change %d (%s), %s", c.Name, n, s.done, fn), graph, fn, table) {
					loaded++
				} else {
					refused++
				}
			}
		}
	}
	if loaded == 0 || refused == 0 {
		t.Errorf("%d loaded, %d refused: the changes do not reach what matters", loaded, refused)
	}
	t.Logf("%d loaded, %d refused", loaded, refused)
}

func scoreSpoiled(t *testing.T, what string, graph pyobj.Value, fn string, table *frame.Frame) (loaded bool) {
	defer func() {
		if p := recover(); p != nil {
			t.Errorf("%s: %v\n%s", what, p, stack())
		}
	}()
	m, err := sklearn.New(graph, fn, nil)
	if err != nil {
		return false
	}
	r, err := m.Predict(table)
	if err == nil && fn != "transform" && r.Len() < table.Rows {
		t.Errorf("%s: %d values for %d rows", what, r.Len(), table.Rows)
	}
	return true
}

// stack is the engine's part of the stack of a panic.
func stack() string {
	var lines []string
	for line := range strings.Lines(string(debug.Stack())) {
		if strings.Contains(line, "serving/sklearn/") && !strings.Contains(line, "_test.go") {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return strings.Join(lines[:min(4, len(lines))], "\n")
}
