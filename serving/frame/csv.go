package frame

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// csvMissing are the texts that pandas.read_csv takes for a missing value.
var csvMissing = map[string]bool{
	"": true, "#N/A": true, "#N/A N/A": true, "#NA": true, "-1.#IND": true, "-1.#QNAN": true, "-NaN": true, "-nan": true,
	"1.#IND": true, "1.#QNAN": true, "<NA>": true, "N/A": true, "NA": true, "NULL": true, "NaN": true, "None": true,
	"n/a": true, "nan": true, "null": true,
}

// DecodeCSV decodes a request of type text/csv with a header line. Columns that schema declares as text
// stay text, the rest is inferred as pandas does. Errors are *InputError.
func DecodeCSV(data []byte, schema *Schema) (*Request, error) {
	if !utf8.Valid(data) {
		return nil, badInput("Ensure that input is a valid UTF-8 encoded string. Error: 'UnicodeDecodeError'")
	}
	f, err := readCSV(data, schema)
	if err == nil && schema != nil {
		err = f.castCSV(schema)
	}
	if sparse, ok := errors.AsType[*sparseError](err); ok {
		return nil, sparse.InputError
	}
	if err != nil {
		return nil, &InputError{fmt.Sprintf("Failed to parse input as a Pandas DataFrame. Ensure that the input is a valid CSV-formatted Pandas DataFrame produced using the"+
			" `pandas.DataFrame.to_csv()` method. Error: '%v'", err)}
	}
	return &Request{Format: CSV, Frame: f}, nil
}

// castCSV casts the named columns; read_csv does it while it parses, so its errors are parse errors.
func (f *Frame) castCSV(schema *Schema) error {
	for _, field := range schema.Fields {
		c := f.Column(field.Name)
		if c == nil || field.Name == "" || field.Type == Tensor {
			continue
		}
		err := c.cast(field.Type)
		if py, ok := errors.AsType[*pyError](err); ok {
			return errors.New(py.message)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func readCSV(data []byte, schema *Schema) (*Frame, error) {
	r := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(data, []byte("\ufeff"))))
	r.FieldsPerRecord = -1
	r.ReuseRecord = true
	header, err := r.Read()
	if errors.Is(err, io.EOF) {
		return nil, errors.New("No columns to parse from file") //nolint:staticcheck // pandas' words
	}
	if err != nil {
		return nil, err
	}
	f := &Frame{Columns: make([]Column, len(header))}
	cells := make([][]string, len(header))
	for i, name := range header {
		if name == "" {
			name = "Unnamed: " + strconv.Itoa(i)
		}
		f.Columns[i].Name = name
	}
	for {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if len(record) > len(header) {
			line, _ := r.FieldPos(0)
			return nil, fmt.Errorf("Error tokenizing data. C error: Expected %d fields in line %d, saw %d\n", len(header), line, len(record)) //nolint:staticcheck // pandas' words
		}
		f.Rows++
		if f.filled += len(header) - len(record); f.filled > maxFilled {
			return nil, tooSparse()
		}
		for i := range cells {
			cell := ""
			if i < len(record) {
				cell = record[i] // a piece of one text per line, which is not reused
			}
			cells[i] = append(cells[i], cell)
		}
	}
	for i := range f.Columns {
		c := &f.Columns[i]
		text := false
		if schema != nil {
			for _, field := range schema.Fields {
				text = text || field.Name == c.Name && field.Type == Text
			}
		}
		inferCSV(c, cells[i], text)
	}
	return f, nil
}

// inferCSV gives a column the narrowest type that takes all its cells: whole numbers, numbers, True and
// False, text.
func inferCSV(c *Column, cells []string, text bool) {
	kind := Empty
	for _, cell := range cells {
		if csvMissing[cell] {
			continue
		}
		k := String
		if !text {
			trimmed := strings.TrimSpace(cell)
			if _, err := strconv.ParseInt(trimmed, 10, 64); err == nil {
				k = Int
			} else if _, ok := ParsePyFloat(trimmed); ok && !strings.Contains(trimmed, "_") {
				k = Float
			} else if lower := strings.ToLower(cell); lower == "true" || lower == "false" {
				k = Bool
			}
		}
		switch {
		case kind == Empty:
			kind = k
		case kind == Int && k == Float || kind == Float && k == Int:
			kind = Float
		case kind != k:
			kind = String
		}
		if kind == String {
			break
		}
	}
	for _, cell := range cells {
		if csvMissing[cell] {
			c.appendNull()
			continue
		}
		switch kind {
		case Int:
			n, _ := strconv.ParseInt(strings.TrimSpace(cell), 10, 64)
			c.appendInt(n)
		case Float:
			v, _ := ParsePyFloat(cell)
			c.appendFloat(v)
		case Bool:
			c.appendBool(strings.EqualFold(cell, "true"))
		default:
			c.appendString(cell)
		}
	}
}
