package frame

// DecodeValue reads one JSON value as Python does: nil, bool, int64, float64, string, []any or Members. Errors are *SyntaxError.
func DecodeValue(data []byte) (any, error) {
	s := &scanner{data: data}
	v, err := s.value(0)
	if err == nil {
		err = s.end()
	}
	return v, err
}

// appendAny appends a decoded value as JSON; comma and colon are what stands between.
func appendAny(b []byte, v any, comma, colon string) []byte {
	switch v := v.(type) {
	case nil:
		return append(b, "null"...)
	case bool:
		if v {
			return append(b, "true"...)
		}
		return append(b, "false"...)
	case int64:
		r := Result{Kind: Int, Ints: []int64{v}}
		return r.appendValue(b, 0)
	case float64:
		return AppendFloat(b, v, false)
	case string:
		return appendString(b, v)
	case []any:
		b = append(b, '[')
		for i, item := range v {
			if i > 0 {
				b = append(b, comma...)
			}
			b = appendAny(b, item, comma, colon)
		}
		return append(b, ']')
	case Members:
		b = append(b, '{')
		for i, m := range v {
			if i > 0 {
				b = append(b, comma...)
			}
			b = append(appendString(b, m.Key), colon...)
			b = appendAny(b, m.Value, comma, colon)
		}
		return append(b, '}')
	}
	return append(b, "null"...)
}

// ColumnsOf is a table of rows as pandas makes it: of dictionaries a column for each key, of values one column,
// of lists a column for each place. ok is false when the rows are of different shapes.
func ColumnsOf(rows []any) (columns []Column, ok bool) {
	form, first := byte(0), byte(0)
	for i, row := range rows {
		cells := Members{{Value: row}}
		form = 'v'
		switch row := row.(type) {
		case Members:
			cells, form = row, 'm'
		case []any:
			cells, form = make(Members, len(row)), 'l'
			for j, v := range row {
				cells[j].Value = v
			}
		}
		if i == 0 {
			first = form
			columns = make([]Column, len(cells))
			for j, m := range cells {
				columns[j].Name = m.Key
			}
		}
		if form != first || len(cells) != len(columns) {
			return nil, false
		}
		for j, m := range cells {
			if m.Key != columns[j].Name {
				return nil, false
			}
			columns[j].append(m.Value)
		}
	}
	return columns, true
}
