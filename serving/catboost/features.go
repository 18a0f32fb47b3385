package catboost

import (
	"fmt"
	"math"
	"slices"

	"github.com/go-faster/city"

	"github.com/prinzbox/prinzbox/serving/trees"
)

// features are the columns that a model looks at. Rows are scored as cells: one for each numeric feature, and
// one for each value that a one-hot feature is compared with, which is 1 when they are equal and else 0.
type features struct {
	numeric     []numeric
	categorical []categorical
	width       int // cells of a row
}

// numeric is a feature of numbers.
type numeric struct {
	name    string // "" when the training data had no names
	column  int
	missing float64 // what a missing value counts as: infinite of either sign
}

// categorical is a feature of categories. CatBoost knows them only by a hash of 32 bits.
type categorical struct {
	name   string
	column int
	used   bool
	cells  map[uint32]int // by hash
}

// hash is what CatBoost makes of a category: the low half of CityHash64, version 1.0.
func hash(category string) uint32 { return uint32(city.CH64([]byte(category))) }

// The ways in which a numeric feature treats missing values.
const (
	missingAsIs = iota
	missingBelow
	missingAbove
)

// readFeatures returns the questions that splits ask by number: those of the numeric features' borders, then
// those of the one-hot features' values.
func (m *Model) readFeatures(t table) ([]split, error) {
	var questions []split
	var bad error
	fail := func(format string, args ...any) {
		if bad == nil {
			bad = fmt.Errorf(format, args...)
		}
	}
	t.tables(5, func(f table) { // 0 missing values, 1 place among numeric ones, 2 column, 3 borders, 4 name, 5 treatment
		treatment := f.byte(5, missingAsIs)
		borders := f.float32s(3)
		n := numeric{name: f.text(4), column: f.int32(2, -1), missing: math.Inf(-1)}
		if f.byte(0, 0) != 0 && treatment == missingAbove {
			n.missing = math.Inf(1)
		}
		switch {
		case f.beyond(6):
			bad = trees.Unsupportedf("a numeric feature has fields of a later format")
		case treatment > missingAbove:
			bad = trees.Unsupportedf("the treatment %d of missing values is not supported", treatment)
		case len(borders) == 0: // not used
			return
		case n.column < 0 || n.column >= trees.MaxFeatures:
			fail("a numeric feature is in column %d", n.column)
		case !increasing(borders):
			fail("the borders of column %d do not increase", n.column)
		}
		for _, border := range borders {
			if border == 0 {
				border = 0 // not -0
			}
			questions = append(questions, split{int32(m.width), border})
		}
		m.width++
		m.numeric = append(m.numeric, n)
	})
	places := map[int]int{}
	t.tables(4, func(f table) { // 0 place among categorical ones, 1 column, 2 name, 3 used
		c := categorical{name: f.text(2), column: f.int32(1, -1), used: f.byte(3, 1) != 0, cells: map[uint32]int{}}
		place := f.int32(0, -1)
		if _, twice := places[place]; twice || c.column < 0 || c.column >= trees.MaxFeatures {
			fail("a categorical feature is number %d in column %d", place, c.column)
		}
		if f.beyond(4) {
			bad = trees.Unsupportedf("a categorical feature has fields of a later format")
		}
		places[place] = len(m.categorical)
		m.categorical = append(m.categorical, c)
	})
	t.tables(6, func(f table) { // 0 place among categorical ones, 1 hashes, 2 texts
		place, known := places[f.int32(0, -1)]
		if f.beyond(3) {
			bad = trees.Unsupportedf("a one-hot feature has fields of a later format")
		}
		if !known {
			fail("a one-hot feature is of no categorical one")
			return
		}
		for _, value := range f.int32s(1) {
			c := &m.categorical[place]
			key := uint32(int32(value))
			if _, twice := c.cells[key]; twice {
				fail("a one-hot feature has a value twice")
			}
			c.cells[key] = m.width
			questions = append(questions, split{int32(m.width), 0.5})
			m.width++
		}
	})
	if t.r.err != nil {
		return nil, t.r.err
	}
	return questions, bad
}

// increasing tells whether each number is finite and greater than the one before.
func increasing(numbers []float64) bool {
	for i, v := range numbers {
		if v-v != 0 || i > 0 && v <= numbers[i-1] {
			return false
		}
	}
	return true
}

// columns are those of all categorical features, used or not: CatBoost reads their cells as categories.
func (f *features) columns() []int {
	var out []int
	for _, c := range f.categorical {
		out = append(out, c.column)
	}
	slices.Sort(out)
	return out
}
