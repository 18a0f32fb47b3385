package statsmodels

import (
	"context"

	"github.com/prinzbox/prinzbox/serving/frame"
	"github.com/prinzbox/prinzbox/serving/trees"
)

// Predict scores the rows of a table as predict of the results does: columns count by their place, not their
// name. A data frame is answered with a column named 0, as MLflow writes a pandas Series; an array with an array.
// Errors are *frame.PredictError, or that of a context which ended.
func (m *Model) Predict(ctx context.Context, f *frame.Frame) (*frame.Result, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := m.check(f); err != nil {
		return nil, err
	}
	if f.Array && f.Vector() {
		if m.removed {
			return nil, trees.InputErrorf("AttributeError", "'NoneType' object has no attribute 'ndim'")
		}
		if len(m.params) > 1 { // one row
			return m.vector(f)
		}
	}
	if !m.fits(len(f.Columns)) {
		return nil, m.misfit(f.Rows, len(f.Columns))
	}
	sums := make([]float64, f.Rows)
	for j := range f.Columns {
		add(sums, &f.Columns[j], m.params[j])
	}
	return m.result(sums, !f.Array), nil
}

func (m *Model) fits(columns int) bool {
	return columns == len(m.params) || m.leading && columns < len(m.params)
}

// misfit is numpy's error about a table of another width.
func (m *Model) misfit(rows, columns int) error {
	return trees.InputErrorf("ValueError", "shapes (%d,%d) and (%d,) not aligned: %d (dim 1) != %d (dim 0)", rows, columns, len(m.params), columns, len(m.params))
}

// check refuses cells that numpy cannot multiply.
func (m *Model) check(f *frame.Frame) error {
	bools := 0
	for i := range f.Columns {
		c := &f.Columns[i]
		switch c.Kind {
		case frame.Int:
		case frame.Bool:
			bools++
		case frame.Float:
			if f.Array { // a null makes an array of objects of it
				for _, v := range c.Floats {
					if v != v {
						return trees.InputErrorf("TypeError", "unsupported operand type(s) for *: 'NoneType' and 'float'")
					}
				}
			}
		default:
			return trees.InputErrorf("TypeError", "column %s is not numeric", c.Label())
		}
	}
	if bools > 0 && bools < len(f.Columns) && !f.Array && !m.link.generic {
		return trees.InputErrorf("TypeError", "columns of booleans and of numbers make a table of objects, which the link cannot be applied to")
	}
	return nil
}

func (m *Model) vector(f *frame.Frame) (*frame.Result, error) {
	if !m.fits(f.Rows) {
		return nil, m.misfit(1, f.Rows)
	}
	cells := make([]float64, f.Rows)
	add(cells, &f.Columns[0], 1)
	sum := 0.0
	for i, v := range cells {
		sum += float64(v * m.params[i])
	}
	return m.result([]float64{sum}, false), nil
}

// add adds a column of numbers times a factor.
func add(sums []float64, c *frame.Column, factor float64) {
	switch c.Kind {
	case frame.Int:
		for i, v := range c.Ints {
			sums[i] += float64(float64(v) * factor)
		}
	case frame.Bool:
		for i, v := range c.Bools {
			one := 0.0
			if v {
				one = 1
			}
			sums[i] += float64(one * factor) // infinite params make NaN of 0
		}
	default:
		for i, v := range c.Floats {
			sums[i] += float64(v * factor)
		}
	}
}

func (m *Model) result(sums []float64, named bool) *frame.Result {
	if m.link.inverse != nil {
		for i, v := range sums {
			sums[i] = m.link.inverse(v)
		}
	}
	out := &frame.Result{Kind: frame.Float, Floats: sums}
	if !named {
		return out
	}
	return &frame.Result{Outputs: []frame.Output{{Name: "0", Values: *out}}, Records: true}
}
