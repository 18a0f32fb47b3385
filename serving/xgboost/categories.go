package xgboost

import (
	"fmt"
	"math"
	"slices"

	"github.com/prinzbox/prinzbox/serving/frame"
	"github.com/prinzbox/prinzbox/serving/trees"
)

// codes are the places of one feature's categories in training; both are nil when it has none.
type codes struct {
	texts   map[string]float64
	numbers map[float64]float64
}

// readCategories reads the categories that a data frame had in training (XGBoost 3.1 on), so that a
// request's text gets the same codes.
func (m *Model) readCategories(c *catalog) error {
	if c == nil || len(c.Enc) == 0 {
		return nil
	}
	if len(c.Enc) != m.features {
		return fmt.Errorf("cats has %d features of %d", len(c.Enc), m.features)
	}
	all, text := make([]codes, m.features), false
	for i := range c.Enc {
		texts, err := c.Enc[i].texts()
		if err != nil {
			return fmt.Errorf("the categories of feature %d are not understood: %w", i, err)
		}
		if texts != nil {
			text = true
			all[i].texts = map[string]float64{}
			for code, t := range texts {
				all[i].texts[t] = float64(code)
			}
		} else if c.Enc[i].Type != nil {
			all[i].numbers = map[float64]float64{}
			for code, v := range c.Enc[i].Values {
				all[i].numbers[v] = float64(code)
			}
		}
	}
	if text {
		m.codes = all
	}
	return nil
}

// encode turns the categories of a table into the codes of training. In a table without text numbers are
// codes already, as in a data frame without categories.
func (m *Model) encode(f *frame.Frame) (*frame.Frame, error) {
	isText := func(c frame.Column) bool { return c.Kind == frame.String }
	if m.codes == nil || f.Array || !slices.ContainsFunc(f.Columns, isText) {
		return f, nil
	}
	out := &frame.Frame{Rows: f.Rows, Columns: slices.Clone(f.Columns)}
	for i := range out.Columns {
		c := &out.Columns[i]
		if i >= len(m.codes) || m.codes[i].texts == nil && m.codes[i].numbers == nil {
			continue
		}
		values := make([]float64, f.Rows)
		for r := range values {
			var ok bool
			switch v := c.At(r).(type) {
			case nil:
				values[r], ok = math.NaN(), true
			case string:
				values[r], ok = m.codes[i].texts[v]
			case int64:
				values[r], ok = m.codes[i].numbers[float64(v)]
			case float64:
				values[r], ok = m.codes[i].numbers[v]
				if v != v {
					values[r], ok = v, true
				}
			}
			if !ok {
				return nil, trees.InputErrorf("ValueError", "Found a category not in the training set for the %dth (0-based) column: `%v`", i, c.At(r))
			}
		}
		*c = frame.Column{Name: c.Name, Positional: c.Positional, Kind: frame.Float, Floats: values}
	}
	return out, nil
}
