package frame

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// String prints a table much as pandas or numpy print theirs, for MLflow's messages: at most 10 rows, 20
// columns and 40 characters a cell, since the text goes back to the client.
func (f *Frame) String() string {
	if f.Array {
		return f.arrayString()
	}
	if len(f.Columns) == 0 || f.Rows == 0 {
		names := make([]string, min(len(f.Columns), 20))
		for i := range names {
			names[i] = f.Columns[i].Name
		}
		return fmt.Sprintf("Empty DataFrame\nColumns: [%s]\nIndex: []", strings.Join(names, ", "))
	}
	rows := min(f.Rows, 10)
	lines := make([]strings.Builder, rows+1)
	width := len(strconv.Itoa(rows - 1))
	for i := range lines {
		label := ""
		if i > 0 {
			label = strconv.Itoa(i - 1)
		}
		fmt.Fprintf(&lines[i], "%-*s", width, label)
	}
	for j := range f.Columns {
		if j == 20 {
			for i := range lines {
				lines[i].WriteString("  ...")
			}
			break
		}
		c := &f.Columns[j]
		cells := []string{clip(c.Name)}
		for i := range rows {
			cells = append(cells, clip(displayCell(c.At(i))))
		}
		width := 0
		for _, cell := range cells {
			width = max(width, utf8.RuneCountInString(cell))
		}
		for i, cell := range cells {
			lines[i].WriteString(strings.Repeat(" ", width+2-utf8.RuneCountInString(cell)))
			lines[i].WriteString(cell)
		}
	}
	text := make([]string, len(lines))
	for i := range lines {
		text[i] = lines[i].String()
	}
	out := strings.Join(text, "\n")
	if rows < f.Rows || len(f.Columns) > 20 {
		out += fmt.Sprintf("\n...\n\n[%d rows x %d columns]", f.Rows, len(f.Columns))
	}
	return out
}

func clip(s string) string {
	if utf8.RuneCountInString(s) <= 40 {
		return s
	}
	r := []rune(s)
	return string(r[:37]) + "..."
}

func displayCell(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case float64:
		if v != v {
			return "NaN"
		}
	}
	return PyRepr(v)
}

func (f *Frame) arrayString() string {
	rows := min(f.Rows, 10)
	lines := make([]string, 0, rows)
	for i := range rows {
		var cells []string
		for j := range f.Columns {
			if j == 20 {
				cells = append(cells, "...")
				break
			}
			cell := clip(PyRepr(f.Columns[j].At(i)))
			if f.Columns[j].Kind == Float {
				cell = trimPoint(cell)
			}
			cells = append(cells, cell)
		}
		lines = append(lines, "["+strings.Join(cells, " ")+"]")
	}
	if rows < f.Rows {
		lines = append(lines, "...")
	}
	return "[" + strings.Join(lines, "\n ") + "]"
}

// Data prints what a request held, as MLflow repeats it in messages.
func (r *Request) Data() string {
	if r.Frame != nil {
		return r.Frame.String()
	}
	if m, ok := r.Value.(Members); ok && r.converted != nil {
		parts := make([]string, len(r.converted.Columns))
		for i := range r.converted.Columns {
			c := &r.converted.Columns[i]
			v, _ := m.Get(c.Name)
			_, list := v.([]any)
			parts[i] = PyRepr(c.Name) + ": " + c.numpyRepr(list)
		}
		return "{" + strings.Join(parts, ", ") + "}"
	}
	text := PyRepr(r.Value)
	if utf8.RuneCountInString(text) > 2000 {
		text = string([]rune(text)[:2000]) + "…"
	}
	return text
}

// numpyRepr prints a column as numpy's repr does: array([1., 2.]), or np.float64(1.0) for a scalar.
func (c *Column) numpyRepr(list bool) string {
	if !list && c.Len() == 1 {
		if c.Kind == Float || c.Kind == Int {
			return "np." + c.DType() + "(" + PyRepr(c.At(0)) + ")"
		}
		return PyRepr(c.At(0))
	}
	var cells []string
	for i := range min(c.Len(), 20) {
		cell := PyRepr(c.At(i))
		if c.Kind == Float {
			cell = trimPoint(cell)
		}
		cells = append(cells, clip(cell))
	}
	if c.Len() > 20 {
		cells = append(cells, "...")
	}
	return "array([" + strings.Join(cells, ", ") + "])"
}

// trimPoint turns 1.0 into numpy's 1.
func trimPoint(s string) string {
	if strings.HasSuffix(s, ".0") {
		return s[:len(s)-1]
	}
	return s
}
