package catboost

import (
	"context"
	"math"

	"github.com/prinzbox/prinzbox/serving/frame"
	"github.com/prinzbox/prinzbox/serving/trees"
)

// Predict scores the rows of a table as predict of the Python class does. Errors are *frame.PredictError,
// or that of a context which ended.
func (m *Model) Predict(ctx context.Context, f *frame.Frame) (*frame.Result, error) {
	if f.Array && f.Vector() {
		return m.predictOne(ctx, f)
	}
	from, err := m.fit(f)
	if err != nil {
		return nil, err
	}
	sums, err := trees.Values[float64](f.Rows, m.outputs)
	if err != nil {
		return nil, err
	}
	block := trees.Block(f.Rows, m.width)
	x, places := make([]float64, block*m.width), make([]uint32, block)
	for first := 0; first < f.Rows; first += block {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		rows := min(block, f.Rows-first)
		if err := m.cells(x, f, from, first, rows); err != nil {
			return nil, err
		}
		m.sum(sums[first*m.outputs:(first+rows)*m.outputs], x, places[:rows])
	}
	return m.result(sums, m.outputs), nil
}

// predictOne scores a list of numbers, which is one row for CatBoost. Its prediction stands alone.
func (m *Model) predictOne(ctx context.Context, f *frame.Frame) (*frame.Result, error) {
	if len(m.categorical) > 0 {
		return nil, trees.InputErrorf("CatBoostError", "A list of values is one row for CatBoost. Send a data frame, with the names of the columns.")
	}
	row := &frame.Frame{Rows: 1, Array: true, Columns: make([]frame.Column, f.Rows)}
	for i := range row.Columns {
		row.Columns[i] = frame.Column{Kind: frame.Object, Objects: []any{f.Columns[0].At(i)}}
	}
	r, err := m.Predict(ctx, row)
	if err != nil {
		return nil, err
	}
	var values []any
	for i := range r.Len() {
		switch r.Kind {
		case frame.Int:
			values = append(values, r.Ints[i])
		case frame.Bool:
			values = append(values, r.Bools[i])
		case frame.String:
			values = append(values, r.Strings[i])
		default:
			values = append(values, r.Floats[i])
		}
	}
	var answer any = values
	if r.Width == 0 {
		answer = values[0]
	}
	return &frame.Result{Values: &answer}, nil
}

// sum adds up the trees of rows of cells. places is room for a number of each row.
func (m *Model) sum(out, x []float64, places []uint32) {
	rows := len(places)
	for i := range m.oblivious {
		tree := &m.oblivious[i]
		clear(places)
		for k, s := range tree.splits {
			column := x[int(s.cell)*rows:][:rows]
			for r, v := range column {
				// The sign of the difference: a branch that cannot be guessed costs more.
				places[r] |= uint32(math.Float64bits(s.border-v)>>63) << (k & 31)
			}
		}
		leaves := m.leaves[tree.leaf:]
		if m.outputs == 1 {
			for r, leaf := range places {
				out[r] += leaves[leaf]
			}
			continue
		}
		for r, leaf := range places {
			add(out[r*m.outputs:(r+1)*m.outputs], leaves[int(leaf)*m.outputs:])
		}
	}
	if m.uneven != nil {
		for t := range m.uneven.Len() {
			for r := range rows {
				_, leaf := m.uneven.Leaf(t, x[r*m.width:(r+1)*m.width])
				add(out[r*m.outputs:(r+1)*m.outputs], m.values[leaf*m.outputs:])
			}
		}
	}
	for i, v := range out {
		out[i] = float64(m.scale*v) + m.bias[i%m.outputs]
	}
}

func add(out, values []float64) {
	for i := range out {
		out[i] += values[i]
	}
}

// cells turns rows of a table into cells: column by column for symmetric trees, which look at a column of all rows
// at a time, and row by row for others. from are the columns of the numeric features, then those of the
// categorical ones; CatBoost reads the other columns too, and refuses what is no number there.
func (m *Model) cells(x []float64, f *frame.Frame, from []int, first, rows int) error {
	clear(x[:rows*m.width])
	down, beside := 1, rows // from a cell to that of the next row, and to the next cell of its row
	if m.uneven != nil {
		down, beside = m.width, 1
	}
	category := m.columns()
	for j := range f.Columns {
		isCategory := len(category) > 0 && category[0] == j
		if isCategory {
			category = category[1:]
		}
		if c := &f.Columns[j]; isCategory || c.Kind == frame.String || c.Kind == frame.Object {
			for r := range rows {
				v := c.At(first + r)
				if isCategory {
					if _, err := text(v, j, first+r); err != nil {
						return err
					}
				} else if _, ok := number(v); !ok {
					return badNumber(v, j, first+r)
				}
			}
		}
	}
	for k := range m.numeric {
		n := &m.numeric[k]
		c := &f.Columns[from[k]]
		for r := range rows {
			var v float64
			switch c.Kind {
			case frame.Float, frame.Empty:
				v = float64(float32(c.Floats[first+r]))
			case frame.Int:
				v = float64(float32(c.Ints[first+r]))
			default:
				v, _ = number(c.At(first + r))
			}
			if v != v { // beyond all borders, or below them as every comparison with it is false
				v = n.missing
			}
			x[r*down+k*beside] = v
		}
	}
	for k := range m.categorical {
		c := &f.Columns[from[len(m.numeric)+k]]
		for r := range rows {
			category, err := text(c.At(first+r), from[len(m.numeric)+k], first+r)
			if err != nil {
				return err
			}
			if cell, ok := m.categorical[k].cells[hash(category)]; ok {
				x[r*down+cell*beside] = 1
			}
		}
	}
	return nil
}
