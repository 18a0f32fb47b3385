package lightgbm

import (
	"context"
	"math"
	"slices"
	"strings"

	"github.com/prinzbox/prinzbox/serving/frame"
	"github.com/prinzbox/prinzbox/serving/trees"
)

// Predict scores the rows of a table as predict of the Python class does. Errors are *frame.PredictError,
// or that of a context which ended.
func (m *Model) Predict(ctx context.Context, f *frame.Frame) (*frame.Result, error) {
	if f.Rows == 0 {
		return nil, trees.InputErrorf("ValueError", "Input data must be 2 dimensional and non empty.")
	}
	f, err := m.table(f)
	if err != nil {
		return nil, err
	}
	if err := m.fits(len(f.Columns)); err != nil {
		return nil, err
	}
	single := m.singles(f)
	scores, err := trees.Values[float64](f.Rows, m.outputs)
	if err != nil {
		return nil, err
	}
	block := trees.Block(f.Rows, m.features)
	x := make([]float64, block*m.features)
	for first := 0; first < f.Rows; first += block {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		rows := min(block, f.Rows-first)
		if bad, ok := trees.Fill(x, m.features, f, first, rows); !ok {
			return nil, trees.InputErrorf("ValueError", "could not convert column %s to float", f.Columns[bad].Label())
		}
		see(x, single)
		m.score(scores[first*m.outputs:(first+rows)*m.outputs], x, rows)
	}
	return m.result(scores, f.Rows)
}

// fits refuses rows of another width than in training.
func (m *Model) fits(columns int) error {
	if columns != m.features {
		return trees.InputErrorf("LightGBMError", "The number of features in data (%d) is not the same as it was in training data (%d).\n"+
			"You can set ``predict_disable_shape_check=true`` to discard this error, but please be aware what you are doing.", columns, m.features)
	}
	return nil
}

// see makes of numbers what LightGBM makes of them; single tells that they come as float32.
func see(x []float64, single bool) {
	for i, v := range x {
		if single {
			v = float64(float32(v))
		}
		if v >= -zero && v <= zero {
			v = 0
		}
		x[i] = v
	}
}

// zero is LightGBM's kZeroThreshold: what is not beyond it is not stored, and so is zero.
const zero = float64(float32(1e-35))

// singles tells whether the library makes float32 of the data on its way: it does with arrays that are
// not of floats, and before 4.0 also with data frames without floats.
func (m *Model) singles(f *frame.Frame) bool {
	if !f.Array && m.format == "v4" {
		return false
	}
	return !slices.ContainsFunc(f.Columns, func(c frame.Column) bool { return c.Kind == frame.Float })
}

// table checks the types of a data frame and turns its categories into the codes of training.
func (m *Model) table(f *frame.Frame) (*frame.Frame, error) {
	if f.Array {
		return f, nil
	}
	if len(m.categorical) > 0 {
		var err error
		if f, err = m.encode(f); err != nil {
			return nil, err
		}
	}
	var bad []string
	for i := range f.Columns {
		c := &f.Columns[i]
		if c.Kind != frame.Float && c.Kind != frame.Int && c.Kind != frame.Bool {
			bad = append(bad, c.Name+": "+c.DType())
		}
	}
	if bad != nil {
		return nil, trees.InputErrorf("ValueError", "pandas dtypes must be int, float or bool.\nFields with bad pandas dtypes: %s", strings.Join(bad, ", "))
	}
	return f, nil
}

// encode finds the columns of the categories of training: the file's categorical features, or, when they
// do not tell, the columns of text.
func (m *Model) encode(f *frame.Frame) (*frame.Frame, error) {
	places := m.places
	if places == nil {
		for i := range f.Columns {
			if f.Columns[i].Kind == frame.String {
				places = append(places, i)
			}
		}
	}
	if len(places) != len(m.categorical) || places[len(places)-1] >= len(f.Columns) {
		return nil, trees.InputErrorf("ValueError", "train and valid dataset categorical_feature do not match.")
	}
	out := &frame.Frame{Rows: f.Rows, Columns: slices.Clone(f.Columns)}
	for k, place := range places {
		c := &out.Columns[place]
		codes := make([]float64, f.Rows)
		for r := range codes {
			codes[r] = math.NaN() // so is what training did not see
			v := c.At(r)
			switch i := v.(type) {
			case []any, frame.Members: // no keys of a map
				continue
			case int64:
				v = float64(i)
			}
			if code, ok := m.categorical[k][v]; ok {
				codes[r] = code
			}
		}
		*c = frame.Column{Name: c.Name, Positional: c.Positional, Kind: frame.Float, Floats: codes}
	}
	return out, nil
}

// score makes predictions of rows.
func (m *Model) score(out, x []float64, rows int) {
	m.sum(out, x, rows)
	for r := range rows {
		m.apply(out[r*m.outputs : (r+1)*m.outputs])
	}
}

// sum adds up the trees of rows.
func (m *Model) sum(out, x []float64, rows int) {
	n := m.features
	for t := range m.last {
		at := t % m.outputs
		for r := range rows {
			row := x[r*n : (r+1)*n]
			if m.linear == nil {
				out[r*m.outputs+at] += m.ensemble.Value(t, row)
				continue
			}
			out[r*m.outputs+at] += m.leaf(t, row)
		}
	}
	if m.average && m.last > 0 {
		for i := range out[:rows*m.outputs] {
			out[i] /= float64(m.last / m.outputs)
		}
	}
}

// leaf is a leaf's linear model, or its value when a number that the model needs is missing.
func (m *Model) leaf(tree int, row []float64) float64 {
	value, place := m.ensemble.Leaf(tree, row)
	fit := m.linear[place]
	if fit == nil {
		return value
	}
	sum := fit.constant
	for i, feature := range fit.features {
		if row[feature] != row[feature] {
			return value
		}
		sum += float64(fit.factors[i] * row[feature])
	}
	return sum
}

// result is what predict returns: scores, or the labels of a classifier.
func (m *Model) result(scores []float64, rows int) (*frame.Result, error) {
	if m.labels == nil {
		out := &frame.Result{Kind: frame.Float, Floats: scores}
		if m.outputs > 1 {
			out.Width = m.outputs
		}
		return out, nil
	}
	places := make([]int, rows)
	for r := range places {
		if m.outputs == 1 { // argmax of (1-p, p)
			if p := scores[r]; p > 1-p {
				places[r] = 1
			}
			continue
		}
		row := scores[r*m.outputs : (r+1)*m.outputs]
		for k, v := range row {
			if v > row[places[r]] {
				places[r] = k
			}
		}
	}
	return m.labels.result(places)
}
