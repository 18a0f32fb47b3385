package serving

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/prinzbox/prinzbox/serving/frame"
)

// stubExpression compiles one formula, or several with names.
func stubExpression(text json.RawMessage) (func(*frame.Frame) (any, error), error) {
	v, err := stubValue("expression", text)
	if err != nil {
		return nil, err
	}
	formulas, named := v.(frame.Members)
	if !named {
		formulas = frame.Members{{Key: "", Value: v}}
	}
	if len(formulas) == 0 || len(formulas) > 100 {
		return nil, errors.New("expression: write a formula, or an object of up to 100 of them")
	}
	compiled := make([]*expression, len(formulas))
	for i, f := range formulas {
		at := "expression"
		if named {
			at += "." + f.Key
		}
		text, ok := f.Value.(string)
		if !ok {
			return nil, fmt.Errorf("%s: a formula is a text", at)
		}
		if compiled[i], err = compileExpression(text); err != nil {
			return nil, fmt.Errorf("%s %q: %w", at, text, err)
		}
	}
	return func(table *frame.Frame) (any, error) {
		columns := make([][]any, len(compiled))
		for i, e := range compiled {
			if columns[i], err = e.rows(table); err != nil {
				return nil, err
			}
		}
		if !named {
			return columns[0], nil
		}
		out := make([]any, table.Rows)
		for row := range out {
			cells := make(frame.Members, len(formulas))
			for i, f := range formulas {
				cells[i] = frame.Member{Key: f.Key, Value: columns[i][row]}
			}
			out[row] = cells
		}
		return out, nil
	}, nil
}

// rows computes the formula of each row.
func (e *expression) rows(table *frame.Frame) ([]any, error) {
	columns := make([]*frame.Column, len(e.names))
	for i, name := range e.names {
		if columns[i] = table.Column(name); columns[i] == nil {
			return nil, &frame.PredictError{Kind: "NameError", Message: "the data has no column " + frame.PyRepr(name)}
		}
	}
	row := make([]any, len(columns))
	out := make([]any, table.Rows)
	size := 0
	for i := range out {
		for j, c := range columns {
			row[j] = c.At(i)
		}
		v, err := e.root(row)
		if err != nil {
			return nil, err
		}
		if text, ok := v.(string); ok {
			size += len(text)
		}
		if err := checkStubAnswer(table.Rows, size); err != nil {
			return nil, err
		}
		out[i] = v
	}
	return out, nil
}
