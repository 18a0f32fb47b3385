package ui

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"math"
	"net/http"
	"slices"
	"strconv"

	"github.com/prinzbox/prinzbox/registry"
)

// maxExplained is the most columns whose shares are worked out.
const maxExplained = 200

// explanation is what each number of a row does to the answer. It is measured, not read from the model: the row is scored again with one
// number after the other put back to its base, so it is right for whatever stands before a linear model, such as a scaler.
type explanation struct {
	// additive tells that the shares and the base add up to the answer, as with a linear model: the base of all numbers is then zero.
	// Otherwise the base is the input example, and each share is what that one number changes.
	additive     bool
	base, answer float64
	bars         []bar
}

// bar is the share of one column. left and width place it in a picture from 0 to 200, whose middle is nothing.
type bar struct {
	name        string
	value       float64
	left, width string
}

// explainable tells whether a row of a model has numbers to take apart.
func explainable(about Model) bool {
	n := 0
	for _, f := range about.Inputs {
		if k := kindOf(f.Type); f.Name != "" && (k == kindNumber || k == kindInteger) {
			n++
		}
	}
	return n > 0 && n <= maxExplained && about.Native
}

// explain takes an answer apart; nil when the body is not one row, or the model does not answer with one number for it.
func (u *UI) explain(ctx context.Context, name, version string, about Model, body []byte) *explanation {
	if u.cfg.Scoring == nil || !explainable(about) {
		return nil
	}
	var request struct {
		Split struct {
			Columns []string            `json:"columns"`
			Data    [][]json.RawMessage `json:"data"`
		} `json:"dataframe_split"`
		Params json.RawMessage `json:"params,omitempty"`
	}
	if json.Unmarshal(body, &request) != nil || len(request.Split.Data) != 1 || len(request.Split.Data[0]) != len(request.Split.Columns) {
		return nil
	}
	columns, row := request.Split.Columns, request.Split.Data[0]
	var numbers []int // places of the row
	for i, c := range columns {
		at := slices.IndexFunc(about.Inputs, func(f Field) bool { return f.Name == c })
		if at < 0 {
			continue
		}
		_, err := strconv.ParseFloat(string(row[i]), 64)
		if k := kindOf(about.Inputs[at].Type); err == nil && (k == kindNumber || k == kindInteger) {
			numbers = append(numbers, i)
		}
	}
	if len(numbers) == 0 {
		return nil
	}
	measure := func(base func(i int) json.RawMessage) (answer, ground float64, without []float64, ok bool) {
		all := slices.Clone(row)
		data := [][]json.RawMessage{row, all}
		for _, i := range numbers {
			all[i] = base(i)
			one := slices.Clone(row)
			one[i] = base(i)
			data = append(data, one)
		}
		split := map[string]any{"columns": columns, "data": data}
		question := map[string]any{"dataframe_split": split}
		if request.Params != nil {
			question["params"] = request.Params
		}
		body, err := encodeJSON(question)
		if err != nil {
			return 0, 0, nil, false
		}
		answers, ok := u.numbers(ctx, name, version, body, len(data))
		if !ok {
			return 0, 0, nil, false
		}
		return answers[0], answers[1], answers[2:], true
	}
	e := &explanation{}
	answer, ground, without, ok := measure(func(int) json.RawMessage { return json.RawMessage("0") })
	if !ok {
		return nil
	}
	sum, scale := ground, math.Abs(ground)+math.Abs(answer)
	for _, w := range without {
		sum += answer - w
		scale += math.Abs(answer - w)
	}
	e.additive = math.Abs(sum-answer) <= 1e-6*scale+1e-12
	if !e.additive {
		examples := exampleColumns(about)
		answer, ground, without, ok = measure(func(i int) json.RawMessage {
			if values := examples[columns[i]]; len(values) > 0 {
				return json.RawMessage(values[0])
			}
			return row[i]
		})
		if !ok || len(examples) == 0 {
			return nil
		}
	}
	e.answer, e.base = answer, ground
	greatest := 0.0
	for _, w := range without {
		greatest = max(greatest, math.Abs(answer-w))
	}
	for n, i := range numbers {
		b := bar{name: columns[i], value: answer - without[n]}
		if math.Abs(b.value) < 1e-9*scale {
			b.value = 0 // what is left of rounding
		}
		length := 100 * ratio(math.Abs(b.value), 0, greatest)
		if greatest == 0 {
			length = 0
		}
		left := 100.0
		if b.value < 0 {
			left -= length
		}
		b.left, b.width = strconv.FormatFloat(left, 'f', 1, 64), strconv.FormatFloat(length, 'f', 1, 64)
		e.bars = append(e.bars, b)
	}
	return e
}

// numbers scores a body of n rows that a model answers with a number each.
func (u *UI) numbers(ctx context.Context, name, version string, body []byte, n int) ([]float64, bool) {
	text, status := u.cfg.Scoring.Probe(ctx, name, version, body, "application/json")
	if status != http.StatusOK {
		return nil, false
	}
	var answer struct {
		Predictions []float64 `json:"predictions"`
	}
	if json.Unmarshal(text, &answer) != nil || len(answer.Predictions) != n {
		return nil, false
	}
	return answer.Predictions, true
}

// explainRow answers the script with the shares as a piece of the page; an empty one when there are none.
func (u *UI) explainRow(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxForm))
	if err != nil {
		u.writeJSON(w, r, nil, registry.Invalidf("The row could not be read; it may have at most %d bytes.", maxForm))
		return
	}
	name, version := r.PathValue("name"), r.PathValue("version")
	var e *explanation
	if u.cfg.Scoring != nil {
		about, err := u.cfg.Scoring.Describe(r.Context(), name, version)
		if err != nil {
			u.writeJSON(w, r, nil, err)
			return
		}
		e = u.explain(r.Context(), name, version, about, body)
	}
	var buf bytes.Buffer
	if e != nil {
		if err := explained(*e).Render(r.Context(), &buf); err != nil {
			u.writeJSON(w, r, nil, err)
			return
		}
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	u.gzip.send(w, r, http.StatusOK, buf.Bytes())
}
