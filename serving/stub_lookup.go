package serving

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/prinzbox/prinzbox/registry"
	"github.com/prinzbox/prinzbox/serving/frame"
)

// compile reads the table.
func (l *StubLookup) compile(signature *Signature) (func(*frame.Frame) (any, error), error) {
	if len(l.Key) == 0 {
		return nil, errors.New("lookup.key is empty: name the columns that are looked up")
	}
	request, err := frame.DecodeCSV([]byte(l.CSV), signature.Inputs)
	if err != nil {
		return nil, fmt.Errorf("lookup.csv: %w", err)
	}
	table := request.Frame
	keys, err := lookupColumns(table, l.Key)
	if err != nil {
		return nil, fmt.Errorf("lookup.csv has no column %w", err)
	}
	var values []*frame.Column
	for i := range table.Columns {
		if !slices.Contains(l.Key, table.Columns[i].Name) {
			values = append(values, &table.Columns[i])
		}
	}
	if len(values) == 0 {
		return nil, errors.New("lookup.csv has no column beside those of lookup.key, so nothing to answer")
	}
	found := make(map[string]any, table.Rows)
	for row := range table.Rows {
		value := values[0].At(row)
		if len(values) > 1 {
			cells := make(frame.Members, len(values))
			for i, c := range values {
				cells[i] = frame.Member{Key: c.Name, Value: c.At(row)}
			}
			value = cells
		}
		key := lookupKey(keys, row)
		if _, twice := found[key]; twice {
			return nil, fmt.Errorf("lookup.csv has two rows for %s", lookupText(l.Key, keys, row))
		}
		found[key] = value
	}
	longest := len(l.Default)
	for _, v := range found {
		longest = max(longest, len(frame.PyRepr(v)))
	}
	var otherwise any
	if l.Default != nil {
		if otherwise, err = stubValue("lookup.default", l.Default); err != nil {
			return nil, err
		}
	}
	return func(table *frame.Frame) (any, error) {
		if err := checkStubAnswer(table.Rows, longest*table.Rows); err != nil {
			return nil, err
		}
		keys, err := lookupColumns(table, l.Key)
		if err != nil {
			return nil, registry.Errorf(registry.BadRequest, "The stub looks rows up by a column that the data lacks: %v", err)
		}
		out := make([]any, table.Rows)
		for row := range out {
			v, ok := found[lookupKey(keys, row)]
			if !ok && l.Default == nil {
				return nil, registry.Errorf(registry.BadRequest, "The stub's table has no row for %s, and no default.", lookupText(l.Key, keys, row))
			}
			if !ok {
				v = otherwise
			}
			out[row] = v
		}
		return out, nil
	}, nil
}

func lookupColumns(table *frame.Frame, names []string) ([]*frame.Column, error) {
	out := make([]*frame.Column, len(names))
	for i, name := range names {
		if out[i] = table.Column(name); out[i] == nil {
			return nil, errors.New(frame.PyRepr(name))
		}
	}
	return out, nil
}

// lookupKey is the same for the same values, 1 and 1.0 included.
func lookupKey(columns []*frame.Column, row int) string {
	var b bytes.Buffer
	for _, c := range columns {
		v := c.At(row)
		if f, ok := toFloat(v); ok {
			v = f
		}
		b.WriteString(frame.PyRepr(v))
		b.WriteByte(0)
	}
	return b.String()
}

func lookupText(names []string, columns []*frame.Column, row int) string {
	parts := make([]string, len(names))
	for i, name := range names {
		parts[i] = name + "=" + frame.PyRepr(columns[i].At(row))
	}
	return strings.Join(parts, ", ")
}
