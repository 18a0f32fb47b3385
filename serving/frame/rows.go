package frame

import (
	"errors"
	"fmt"
	"strconv"
)

// maxFilled bounds the missing values that a frame is filled up with, in cells: a body of rows that share no
// columns would otherwise take the square of its size in memory.
const maxFilled = 4 << 20

// sparseError ends the decoding of a body that maxFilled refuses.
type sparseError struct{ *InputError }

func tooSparse() error {
	return &sparseError{&InputError{fmt.Sprintf("Invalid input. The rows leave more than %d values out, since they have different columns or lengths: send rows of the same columns, or fewer at a time.", maxFilled)}}
}

// fill appends missing values to a column.
func (f *Frame) fill(c *Column, n int) error {
	if f.filled += n; f.filled > maxFilled {
		return tooSparse()
	}
	for range n {
		c.appendNull()
	}
	return nil
}

// table reads the data of a split. The first error is about the table, the second about the JSON.
func (s *scanner) table(f *Frame) (problem, syntax error) {
	if s.peek() != '[' {
		v, err := s.value(2)
		return fmt.Errorf("data is of type %s, want a list of rows", pyType(v)), err
	}
	start := s.pos
	err := s.rows(f, false)
	if errors.Is(err, errNested) {
		// Not rows: pandas takes a list of scalars as one column.
		s.pos = start
		v, err := s.value(2)
		if err != nil {
			return nil, err
		}
		*f = Frame{scalars: true, Columns: []Column{{Name: "0", Positional: true}}}
		for _, item := range v.([]any) {
			if _, ok := item.([]any); ok {
				return errors.New("data mixes rows and values"), nil
			}
			if _, ok := item.(Members); ok {
				return errors.New("data holds dictionaries; send them as dataframe_records"), nil
			}
			f.Columns[0].append(item)
			f.Rows++
		}
		return nil, nil
	}
	return nil, err
}

// rows reads a list of lists of scalars. strict refuses deeper values and uneven rows with errNested;
// otherwise they become objects and missing values as in pandas.
func (s *scanner) rows(f *Frame, strict bool) error {
	err := s.array(func(i int) error {
		if s.peek() != '[' {
			return errNested
		}
		start, width := s.pos, 0
		err := s.array(func(j int) error {
			width++
			if j >= len(f.Columns) {
				if strict && i > 0 {
					return errNested
				}
				if err := f.addColumn(i); err != nil {
					return err
				}
			}
			return s.cell(&f.Columns[j], strict)
		})
		if err != nil {
			return err
		}
		f.Rows++
		if width < len(f.Columns) {
			if strict {
				return errNested
			}
			for j := width; j < len(f.Columns); j++ {
				if err := f.fill(&f.Columns[j], 1); err != nil {
					return err
				}
			}
		}
		if i == 0 {
			f.reserve((len(s.data)-s.pos)/(s.pos-start+1) + 2)
		}
		return nil
	})
	return err
}

// addColumn adds a column to a frame that has some rows already.
func (f *Frame) addColumn(rows int) error {
	at := len(f.Columns)
	if f.Columns == nil {
		n := f.expected
		if n == 0 {
			n = fewColumns
		}
		f.Columns, f.first = make([]Column, 0, n), make([]float64, n)
	}
	c := Column{Name: strconv.Itoa(at), Positional: true}
	if at < len(f.first) {
		c.Floats = f.first[at : at : at+1]
	}
	f.Columns = append(f.Columns, c)
	return f.fill(&f.Columns[len(f.Columns)-1], rows)
}

// reserve makes room for n rows in number columns at once.
func (f *Frame) reserve(n int) {
	if n <= 2 {
		return
	}
	ints, floats := 0, 0
	for i := range f.Columns {
		switch f.Columns[i].Kind {
		case Int:
			ints++
		case Float:
			floats++
		}
	}
	wholes, reals := make([]int64, ints*n), make([]float64, floats*n)
	for i := range f.Columns {
		switch c := &f.Columns[i]; c.Kind {
		case Int:
			c.Ints, wholes = append(wholes[:0:n], c.Ints...), wholes[n:]
		case Float:
			c.Floats, reals = append(reals[:0:n], c.Floats...), reals[n:]
		}
	}
}

// cell reads one value into a column.
func (s *scanner) cell(c *Column, strict bool) error {
	switch b := s.peek(); b {
	case '"':
		t, err := s.text()
		if err == nil {
			c.appendString(t)
		}
		return err
	case 't', 'f', 'n', 'N', 'I', '[', '{':
		if strict && (b == '[' || b == '{') {
			return errNested
		}
		v, err := s.value(3)
		if err == nil {
			c.append(v)
		}
		return err
	case '-':
		if s.pos+1 < len(s.data) && s.data[s.pos+1] == 'I' {
			v, err := s.word()
			if err == nil {
				c.append(v)
			}
			return err
		}
	}
	n, err := s.number()
	switch {
	case err != nil:
		return err
	case n.whole:
		c.appendInt(n.i)
	default:
		c.appendFloat(n.f)
	}
	return nil
}

// records reads a list of dictionaries, or of rows, into columns in order of appearance.
func (s *scanner) records(f *Frame) error {
	start := s.pos
	if s.pos++; s.peek() != '{' && s.peek() != ']' {
		s.pos = start
		problem, err := s.table(f)
		if err == nil && problem != nil {
			err = badInput("Provided dataframe_records field is not a valid dataframe representation in 'records' format. Error: '%v'", problem)
		}
		return err
	}
	s.pos = start
	places := map[string]int{}
	var wrong any
	bad := false
	err := s.array(func(i int) error {
		if s.peek() != '{' {
			v, err := s.value(2)
			wrong, bad = v, true
			return err
		}
		next := 0
		err := s.object(func(key string) error {
			at := next
			if at >= len(f.Columns) || f.Columns[at].Name != key {
				place, ok := places[key]
				if !ok {
					place = len(f.Columns)
					places[key] = place
					if err := f.addColumn(i); err != nil {
						return err
					}
					c := &f.Columns[place]
					c.Name, c.Positional = key, false
				}
				at = place
			}
			next = at + 1
			c := &f.Columns[at]
			if c.Len() > i { // a repeated key: its last value counts
				return s.replaceLast(c)
			}
			return s.cell(c, false)
		})
		if err != nil {
			return err
		}
		f.Rows++
		for j := range f.Columns {
			if f.Columns[j].Len() < f.Rows {
				if err := f.fill(&f.Columns[j], 1); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err == nil && bad {
		err = badInput("Provided dataframe_records field is not a valid dataframe representation in 'records' format. Error: 'a record is of type %s, want a dictionary'", pyType(wrong))
	}
	return err
}

func (s *scanner) replaceLast(c *Column) error {
	v, err := s.value(3)
	if err != nil {
		return err
	}
	c.toObject()
	objects := c.Objects
	objects[len(objects)-1] = v
	*c = Column{Name: c.Name, Positional: c.Positional}
	for _, o := range objects {
		c.append(o)
	}
	return nil
}
