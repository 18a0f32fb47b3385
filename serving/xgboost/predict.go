package xgboost

import (
	"context"
	"math"
	"slices"
	"strings"

	"github.com/prinzbox/prinzbox/serving/frame"
	"github.com/prinzbox/prinzbox/serving/trees"
)

// Predict scores the rows of a table as model.predict of the Python class does. Errors are
// *frame.PredictError, or that of a context which ended.
func (m *Model) Predict(ctx context.Context, f *frame.Frame) (*frame.Result, error) {
	f, err := m.table(f)
	if err != nil {
		return nil, err
	}
	margins, err := trees.Values[float32](f.Rows, m.outputs)
	if err != nil {
		return nil, err
	}
	width := max(m.features, len(f.Columns))
	block := trees.Block(f.Rows, width)
	x := make([]float64, block*width)
	for first := 0; first < f.Rows; first += block {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		rows := min(block, f.Rows-first)
		if err := m.fill(x, width, f, first, rows); err != nil {
			return nil, err
		}
		m.margins(margins[first*m.outputs:(first+rows)*m.outputs], x, width, rows)
	}
	return m.result(margins, f.Rows)
}

// table checks the columns of a table against those of the model.
func (m *Model) table(f *frame.Frame) (*frame.Frame, error) {
	if m.ranker && m.version[0] >= 2 && !f.Array {
		// The ranker takes a column of query ids off.
		if at := slices.IndexFunc(f.Columns, func(c frame.Column) bool { return c.Name == "qid" && !c.Positional }); at >= 0 {
			f = &frame.Frame{Rows: f.Rows, Columns: slices.Delete(slices.Clone(f.Columns), at, at+1)}
		}
	}
	for i := range f.Columns {
		c := &f.Columns[i]
		if f.Array || c.Kind == frame.Float || c.Kind == frame.Int || c.Kind == frame.Bool {
			continue
		}
		if c.Kind == frame.String && i < len(m.codes) && m.codes[i].texts != nil {
			continue
		}
		return nil, trees.InputErrorf("ValueError", "DataFrame.dtypes for data must be int, float, bool or category. Invalid columns: %s: %s", c.Name, c.DType())
	}
	if err := m.checkNames(f); err != nil {
		return nil, err
	}
	// A wrapper wants as many columns as the model has. A booster takes missing ones at the end as missing
	// values.
	if len(f.Columns) > m.features && m.version[0] >= 1 || m.inPlace() && len(f.Columns) != m.features {
		return nil, trees.InputErrorf("ValueError", "Feature shape mismatch, expected: %d, got %d", m.features, len(f.Columns))
	}
	return m.encode(f)
}

// checkNames is Booster._validate_features.
func (m *Model) checkNames(f *frame.Frame) error {
	if m.names == nil || m.inPlace() && m.before(1, 7) {
		return nil
	}
	if f.Array {
		if m.inPlace() {
			return nil
		}
		return trees.InputErrorf("ValueError", "data did not contain feature names, but the following fields are expected: %s", strings.Join(m.names, ", "))
	}
	given := make([]string, len(f.Columns))
	for i := range given {
		given[i] = f.Columns[i].Name
	}
	if slices.Equal(given, m.names) {
		return nil
	}
	message := "feature_names mismatch: " + pyList(m.names) + " " + pyList(given)
	if missing := without(m.names, given); missing != "" {
		message += "\nexpected " + missing + " in input data"
	}
	if extra := without(given, m.names); extra != "" {
		message += "\ntraining data did not have the following fields: " + extra
	}
	return trees.InputErrorf("ValueError", "%s", message)
}

// inPlace tells that predict reads the data without making a DMatrix of it, which checks less.
func (m *Model) inPlace() bool { return m.on && m.weights == nil && !m.before(1, 4) }

func without(names, others []string) string {
	var out []string
	for _, name := range names {
		if !slices.Contains(others, name) {
			out = append(out, name)
		}
	}
	return strings.Join(out, ", ")
}

func pyList(names []string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = frame.PyRepr(name)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// fill copies rows into x as XGBoost sees them: float32, NaN where a value is missing.
func (m *Model) fill(x []float64, width int, f *frame.Frame, first, rows int) error {
	if bad, ok := trees.Fill(x, width, f, first, rows); !ok {
		return trees.InputErrorf("ValueError", "could not convert column %s to float", f.Columns[bad].Label())
	}
	for r := range rows {
		row := x[r*width : (r+1)*width]
		for i := len(f.Columns); i < width; i++ {
			row[i] = math.NaN()
		}
		if err := m.see(row); err != nil {
			return err
		}
	}
	return nil
}

// see makes of a row what XGBoost makes of it.
func (m *Model) see(row []float64) error {
	checked := !m.inPlace() && !m.before(1, 4)
	for i, v := range row {
		v = float64(float32(v))
		if checked && math.IsInf(v, 0) {
			return trees.InputErrorf("XGBoostError", "Check failed: valid: Input data contains `inf` or a value too large, while `missing` is not set to `inf`")
		}
		if v == float64(m.missing) && m.on {
			v = math.NaN()
		}
		row[i] = v
	}
	for i, categorical := range m.category {
		if categorical && row[i] > -1 && row[i] < 0 {
			row[i] = -1 // no category; package trees would round it to 0
		}
	}
	return nil
}

// margins adds up the trees, or the linear terms, of rows.
func (m *Model) margins(out []float32, x []float64, width, rows int) {
	if m.weights != nil {
		m.linear(out, x, width, rows)
		return
	}
	for r := range rows {
		copy(out[r*m.outputs:(r+1)*m.outputs], m.start)
	}
	for t := range m.last {
		at := int(m.groups[t])
		if m.drop != nil {
			w := m.drop[t]
			for r := range rows {
				out[r*m.outputs+at] += w * float32(m.ensemble.Value(t, x[r*width:(r+1)*width]))
			}
			continue
		}
		for r := range rows {
			out[r*m.outputs+at] += float32(m.ensemble.Value(t, x[r*width:(r+1)*width]))
		}
	}
}

func (m *Model) linear(out []float32, x []float64, width, rows int) {
	for r := range rows {
		for k := range m.outputs {
			sum := m.weights[m.features*m.outputs+k] + m.start[k]
			for i, v := range x[r*width : r*width+m.features] {
				if v == v {
					sum += float32(float32(v) * m.weights[i*m.outputs+k])
				}
			}
			out[r*m.outputs+k] = sum
		}
	}
}

// result turns margins into what predict returns.
func (m *Model) result(margins []float32, rows int) (*frame.Result, error) {
	width := m.outputs
	if m.choose {
		for r := range rows {
			margins[r] = float32(greatest(margins[r*width : (r+1)*width]))
		}
		margins, width = margins[:rows], 1
	} else {
		m.transform(margins, rows)
	}
	if m.classifier {
		return m.classify(margins, width, rows)
	}
	out := &frame.Result{Kind: frame.Float, Floats: make([]float64, len(margins))}
	if width > 1 {
		out.Width = width
	}
	for i, v := range margins {
		out.Floats[i] = float64(v)
	}
	return out, nil
}

// transform turns the margins of rows into values of the objective.
func (m *Model) transform(margins []float32, rows int) {
	width := m.outputs
	switch {
	case m.softmax:
		for r := range rows {
			softmax(margins[r*width : (r+1)*width])
		}
	case m.link != nil:
		for i, v := range margins {
			margins[i] = m.link(v)
		}
	}
}

// classify is XGBClassifier.predict after the booster's.
func (m *Model) classify(p []float32, width, rows int) (*frame.Result, error) {
	places := make([]int64, rows)
	switch {
	case width > 1 && m.classes != 2:
		for r := range places {
			places[r] = int64(greatest(p[r*width : (r+1)*width]))
		}
	case width > 1: // several labels, each with its own column
		out := &frame.Result{Kind: frame.Float, Width: width, Floats: make([]float64, len(p))}
		for i, v := range p {
			if v > 0.5 {
				out.Floats[i] = 1
			}
		}
		return out, nil
	case m.choose:
		for r := range places {
			places[r] = int64(p[r])
		}
	default:
		for r := range places {
			if p[r] > 0.5 {
				places[r] = 1
			}
		}
	}
	if m.labels != nil {
		return m.labels.give(places)
	}
	return &frame.Result{Kind: frame.Int, Ints: places}, nil
}
