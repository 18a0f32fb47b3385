package ui

import (
	"bytes"
	"encoding/json"
	"errors"
)

// exampleBody turns an input example, in any of the forms that MLflow's clients have kept it, into a request.
func exampleBody(about Model) ([]byte, error) {
	if about.InputExample == nil {
		return nil, errors.New("no input example")
	}
	var top map[string]json.RawMessage
	if err := json.Unmarshal(about.InputExample, &top); err == nil {
		for _, form := range []string{"dataframe_split", "dataframe_records", "inputs", "instances"} {
			if _, ok := top[form]; ok {
				return about.InputExample, nil
			}
		}
		if _, ok := top["data"]; ok {
			delete(top, "index")
			return encodeJSON(map[string]any{"dataframe_split": top})
		}
	}
	if !json.Valid(about.InputExample) {
		return nil, errors.New("the input example is not JSON")
	}
	return encodeJSON(map[string]any{"inputs": json.RawMessage(about.InputExample)})
}

// firstRowBody is a request with the first row of an input example, or with all of an example that has no columns.
func firstRowBody(about Model) ([]byte, error) {
	values := exampleColumns(about)
	var columns []string
	var row []json.RawMessage
	for _, f := range about.Inputs {
		if of := values[f.Name]; len(of) > 0 {
			columns, row = append(columns, f.Name), append(row, json.RawMessage(of[0]))
		}
	}
	if len(columns) == 0 {
		return exampleBody(about)
	}
	return encodeJSON(map[string]any{"dataframe_split": map[string]any{"columns": columns, "data": [][]json.RawMessage{row}}})
}

// maxExampleRows is how many rows of an input example tell the ranges of its columns.
const maxExampleRows = 1000

// exampleColumns are the values of an input example by column, each as JSON, in the order of the rows. A form that it does not know gives no
// columns, and the user an empty form.
func exampleColumns(about Model) map[string][]string {
	var top map[string]json.RawMessage
	if json.Unmarshal(about.InputExample, &top) != nil {
		return nil
	}
	if split, ok := top["dataframe_split"]; ok {
		top = nil
		if json.Unmarshal(split, &top) != nil {
			return nil
		}
	}
	for _, form := range []string{"dataframe_records", "inputs", "instances"} {
		if data, ok := top[form]; ok {
			return recordColumns(data)
		}
	}
	var columns []string
	var data [][]json.RawMessage
	if json.Unmarshal(top["data"], &data) != nil || len(data) == 0 {
		return nil
	}
	if json.Unmarshal(top["columns"], &columns) != nil {
		for _, f := range about.Inputs {
			columns = append(columns, f.Name)
		}
	}
	out := map[string][]string{}
	for _, row := range data[:min(len(data), maxExampleRows)] {
		for i, c := range columns {
			if i < len(row) {
				out[c] = append(out[c], string(row[i]))
			}
		}
	}
	return out
}

// recordColumns reads [{"a": 1}] and {"a": [1]} and {"a": 1}.
func recordColumns(data json.RawMessage) map[string][]string {
	out := map[string][]string{}
	var records []map[string]json.RawMessage
	if json.Unmarshal(data, &records) == nil {
		for _, record := range records[:min(len(records), maxExampleRows)] {
			for k, v := range record {
				out[k] = append(out[k], string(v))
			}
		}
		return out
	}
	var columns map[string]json.RawMessage
	if json.Unmarshal(data, &columns) == nil {
		for k, v := range columns {
			var list []json.RawMessage
			if json.Unmarshal(v, &list) != nil || len(list) == 0 {
				list = []json.RawMessage{v}
			}
			for _, v := range list[:min(len(list), maxExampleRows)] {
				out[k] = append(out[k], string(v))
			}
		}
	}
	return out
}

// literal shows a JSON value in a field of a kind.
func literal(value, kind string) string {
	if value == "null" {
		return ""
	}
	var s string
	if kind != kindJSON && json.Unmarshal([]byte(value), &s) == nil {
		return s
	}
	return value
}

// headline is the one value of an answer that holds only one; empty otherwise.
func headline(answer []byte) string {
	var top map[string]json.RawMessage
	if json.Unmarshal(answer, &top) == nil {
		answer = top["predictions"]
	}
	var list []json.RawMessage
	if json.Unmarshal(answer, &list) != nil || len(list) != 1 {
		return ""
	}
	var value any
	if json.Unmarshal(list[0], &value) != nil {
		return ""
	}
	switch v := value.(type) {
	case string:
		return v
	case float64, bool:
		return string(list[0])
	}
	return ""
}

// encodeJSON is json.Marshal without escapes for HTML, as curl users write it.
func encodeJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

func quote(s string) string {
	b, _ := encodeJSON(s) // a string always encodes
	return string(b)
}

// floatJSON writes a float as JavaScript's JSON.stringify does; so does encoding/json.
func floatJSON(f float64) string {
	b, err := json.Marshal(f)
	if err != nil {
		return "null" // infinite, as JavaScript has it
	}
	return string(b)
}

func compactJSON(text string) (string, error) {
	var b bytes.Buffer
	if err := json.Compact(&b, []byte(text)); err != nil {
		return "", err
	}
	return b.String(), nil
}

// indent makes JSON readable, keeping rows of numbers on one line; what is not JSON stays.
func indent(data []byte) string {
	var b bytes.Buffer
	if json.Indent(&b, data, "", "  ") != nil {
		return string(data)
	}
	const wide = 100
	if b.Len() <= wide {
		var c bytes.Buffer
		if json.Compact(&c, data) == nil {
			return c.String()
		}
	}
	return b.String()
}
