package frame

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Format is one of the ways to write a table in a request body.
type Format uint8

// The formats of a request.
const (
	Split     Format = iota // dataframe_split, or columns and data at top level (1.x)
	Records                 // dataframe_records, or a list at top level (1.x)
	Inputs                  // inputs
	Instances               // instances
	CSV                     // text/csv
)

// Request is a decoded request body.
type Request struct {
	Format Format
	// Legacy tells that the body has the shape of MLflow 1.x, whose answers are bare arrays.
	Legacy bool
	// Frame is the table of Split, Records and CSV, and of an Inputs or Instances list of plain rows.
	Frame *Frame
	// Value is what Inputs or Instances hold when that is no list of rows: a scalar, Members, a list of
	// Members, or deeper lists.
	Value any
	// Params is the value beside the data; HasParams tells that there was one.
	Params    any
	HasParams bool

	// converted is a dictionary of columns after its conversion, for messages.
	converted *Frame
}

// InputError is a body that MLflow's server answers with 400 BAD_REQUEST. Its text is the whole message.
type InputError struct{ Message string }

func (e *InputError) Error() string { return e.Message }

func badInput(format string, args ...any) error {
	return &InputError{"Invalid input. " + fmt.Sprintf(format, args...)}
}

// The fixed texts of MLflow 3.17.2's scoring server (mlflow/pyfunc/scoring_server). The four names stand
// in a Python set there, so their order changes from process to process.
const (
	requiredFormat = "The input must be a JSON dictionary with exactly one of the input fields {'dataframe_split', 'dataframe_records', 'instances', 'inputs'}"

	ProtocolChange = "IMPORTANT: The MLflow Model scoring protocol has changed in MLflow version 2.0. If you are" +
		" seeing this error, you are likely using an outdated scoring request format. To resolve the" +
		" error, either update your request format or adjust your MLflow Model's requirements file to" +
		" specify an older version of MLflow (for example, change the 'mlflow' requirement specifier" +
		" to 'mlflow==1.30.0'). If you are making a request using the MLflow client" +
		" (e.g. via `mlflow.pyfunc.spark_udf()`), upgrade your MLflow client to a version >= 2.0 in" +
		" order to use the new request format. For more information about the updated MLflow" +
		" Model scoring protocol in MLflow 2.0, see" +
		" https://mlflow.org/docs/latest/models.html#deploy-mlflow-models."
)

// errNested tells that a list of rows holds lists in its rows, or no rows.
var errNested = errors.New("not a list of rows")

// body is what stood in a top-level dictionary.
type body struct {
	fields  []string // which of the four names, in order
	req     Request
	problem error // of the one field that counts
	columns any
	data    *Frame
	legacy  bool
	dataErr error
}

// DecodeJSON decodes a request of type application/json. format is the content type's format parameter,
// "pandas-split" or "pandas-records" in MLflow 1.x, else "". Errors are *InputError.
func DecodeJSON(data []byte, format string) (*Request, error) {
	if !utf8.Valid(data) {
		return nil, badInput("Ensure that input is a valid JSON formatted string. Error: 'UnicodeDecodeError'\nInput: \n%s\n", excerpt(data))
	}
	s := &scanner{data: data}
	switch c := s.peek(); c {
	case '[':
		req := &Request{Format: Records, Legacy: true, Frame: &Frame{}}
		err := s.records(req.Frame)
		if err == nil {
			err = s.end()
		}
		return req, asInput(err, data)
	case '{':
	default:
		v, err := s.value(0)
		if err == nil {
			err = s.end()
		}
		if err != nil {
			return nil, asInput(err, data)
		}
		return nil, badInput("%s. Received unexpected input type '<class '%s'>.", requiredFormat, pyType(v))
	}
	var b body
	err := s.object(func(key string) error { return b.member(s, key) })
	if err == nil {
		err = s.end()
	}
	if err != nil {
		return nil, asInput(err, data)
	}
	if len(b.fields) == 0 && b.legacy {
		return b.legacySplit(format)
	}
	if len(b.fields) != 1 {
		quoted := make([]string, len(b.fields))
		for i, f := range b.fields {
			quoted[i] = PyRepr(f)
		}
		return nil, &InputError{fmt.Sprintf("%s. Received dictionary with input fields: [%s]. %s", requiredFormat, strings.Join(quoted, ", "), ProtocolChange)}
	}
	if b.problem != nil {
		return nil, b.problem
	}
	b.req.Legacy = format != ""
	return &b.req, nil
}

// asInput turns broken JSON into MLflow's message; other errors pass.
func asInput(err error, data []byte) error {
	if syntax, ok := errors.AsType[*SyntaxError](err); ok {
		return badInput("Ensure that input is a valid JSON formatted string. Error: 'JSONDecodeError(%s)'\nInput: \nb%s\n", PyRepr(syntax.Error()), PyRepr(excerpt(data)))
	}
	return err
}

// excerpt keeps a message short where MLflow repeats the whole body.
func excerpt(data []byte) string {
	if len(data) > 2000 {
		return strings.ToValidUTF8(string(data[:2000]), "\uFFFD") + "…"
	}
	return strings.ToValidUTF8(string(data), "\uFFFD")
}

func (b *body) field(name string) {
	if slices.Contains(b.fields, name) {
		return
	}
	b.fields = append(b.fields, name)
}

func (b *body) member(s *scanner, key string) error {
	switch key {
	case "dataframe_split":
		b.field(key)
		b.req.Format, b.req.Frame, b.problem = Split, nil, nil
		return b.split(s)
	case "dataframe_records":
		b.field(key)
		b.req.Format, b.req.Frame, b.problem = Records, &Frame{}, nil
		if c := s.peek(); c != '[' {
			v, err := s.value(1)
			kind := "dictionary"
			if c != '{' {
				kind = "type <class '" + pyType(v) + "'>"
			}
			b.problem = badInput("Dataframe records format must be a list of records. Got %s.", kind)
			return err
		}
		err := s.records(b.req.Frame)
		syntaxError := &SyntaxError{}
		if errors.As(err, &syntaxError) {
			b.problem, err = err, nil
		}
		return err
	case "inputs", "instances":
		b.field(key)
		b.req.Format, b.req.Frame, b.req.Value, b.problem = Inputs, nil, nil, nil
		if key == "instances" {
			b.req.Format = Instances
		}
		return b.array(s)
	case "params":
		v, err := s.value(1)
		b.req.Params, b.req.HasParams = v, v != nil
		return err
	case "columns":
		b.legacy = true
		v, err := s.labels(1)
		b.columns = v
		return err
	case "data":
		b.legacy = true
		b.data = &Frame{expected: labelled(b.columns)}
		var err error
		b.dataErr, err = s.table(b.data)
		return err
	}
	_, err := s.value(1)
	return err
}

// array reads inputs or instances: rows of scalars straight into a Frame, all else as a value.
func (b *body) array(s *scanner) error {
	start := s.pos
	if s.peek() == '[' {
		f := &Frame{Array: true}
		err := s.rows(f, true)
		if err == nil {
			b.req.Frame = f
			return nil
		}
		if !errors.Is(err, errNested) {
			return err
		}
		s.pos = start
	}
	v, err := s.value(1)
	b.req.Value = v
	return err
}

// split reads the value of dataframe_split.
func (b *body) split(s *scanner) error {
	if c := s.peek(); c != '{' {
		v, err := s.value(1)
		kind := "list"
		if c != '[' {
			kind = "type <class '" + pyType(v) + "'>"
		}
		b.problem = badInput("Dataframe split format must be a dictionary. Got %s.", kind)
		return err
	}
	var columns any
	f := &Frame{}
	var keys []string
	hasData, extra := false, false
	err := s.object(func(key string) error {
		keys = append(keys, key)
		var err error
		switch key {
		case "data":
			hasData = true
			*f = Frame{expected: labelled(columns)}
			b.problem, err = s.table(f)
		case "columns":
			columns, err = s.labels(2)
		case "index":
			_, err = s.value(2)
		default:
			extra = true
			_, err = s.value(2)
		}
		return err
	})
	if err != nil {
		return err
	}
	if !hasData || extra {
		got := "set()"
		if len(keys) > 0 {
			for i, key := range keys {
				keys[i] = PyRepr(key)
			}
			got = "{" + strings.Join(keys, ", ") + "}"
		}
		b.problem = badInput("Dataframe split format must have 'data' field and optionally 'columns' and 'index' fields. Got %s.'", got)
		return nil
	}
	if b.problem == nil {
		b.problem = f.name(columns)
	}
	if b.problem != nil {
		b.problem = badInput("Provided dataframe_split field is not a valid dataframe representation in 'split' format. Error: '%v'", b.problem)
		return nil
	}
	b.req.Frame = f
	return nil
}

// legacySplit ends the decoding of columns and data at top level, MLflow 1.x's default.
func (b *body) legacySplit(format string) (*Request, error) {
	orient := "split"
	if format == "pandas-records" {
		orient = "records"
	}
	err := b.dataErr
	switch {
	case orient == "records":
		err = errors.New("the body is a dictionary, want a list of records")
	case b.data == nil:
		err = errors.New("the field 'data' is missing")
	case err == nil:
		err = b.data.name(b.columns)
	}
	if err != nil {
		return nil, LegacyFrameError(orient, err)
	}
	b.req.Format, b.req.Legacy, b.req.Frame = Split, true, b.data
	return &b.req, nil
}

// LegacyFrameError is MLflow 1.x's message about a body that is no DataFrame; 1.x hides the cause in a
// stack trace, here it follows the message as in 2.x.
func LegacyFrameError(orient string, cause error) error {
	return &InputError{fmt.Sprintf("Failed to parse input as a Pandas DataFrame. Ensure that the input is a valid JSON-formatted Pandas DataFrame with the `%[1]s` orient"+
		" produced using the `pandas.DataFrame.to_json(..., orient='%[1]s')` method. Error: '%[2]v'", orient, cause)}
}

// name gives the columns their names; columns is the decoded value of the columns field, see [scanner.labels], nil for none.
func (f *Frame) name(columns any) error {
	if columns == nil {
		return nil
	}
	texts, plain := columns.([]string)
	values, ok := columns.([]any)
	if !plain && !ok {
		return fmt.Errorf("columns is of type %s, want a list", pyType(columns))
	}
	n := max(len(texts), len(values))
	if f.Rows == 0 && len(f.Columns) == 0 {
		f.Columns = make([]Column, n)
	}
	if n != len(f.Columns) {
		if f.scalars {
			return fmt.Errorf("Shape of passed values is (%d, 1), indices imply (%d, %d)", f.Rows, f.Rows, n) //nolint:staticcheck // pandas' words
		}
		return fmt.Errorf("%d columns passed, passed data had %d columns", n, len(f.Columns))
	}
	for i := range f.Columns {
		c := &f.Columns[i]
		if plain {
			c.Name, c.Positional = texts[i], false
		} else if text, ok := values[i].(string); ok {
			c.Name, c.Positional = text, false
		} else {
			c.Name, c.Positional = PyRepr(values[i]), true
		}
	}
	return f.distinct()
}

// labelled is how many columns a decoded columns field names, within bounds.
func labelled(columns any) int {
	names, _ := columns.([]string)
	return min(len(names), 1000)
}

// fewColumns is how many columns are compared with each other sooner than a map is made of them.
const fewColumns = 16

// distinct refuses two columns of one name.
func (f *Frame) distinct() error {
	type label struct {
		name       string
		positional bool
	}
	var seen map[label]bool
	if len(f.Columns) > fewColumns {
		seen = make(map[label]bool, len(f.Columns))
	}
	for i := range f.Columns {
		c := &f.Columns[i]
		twice := false
		if seen == nil {
			for j := range i {
				twice = twice || f.Columns[j].Name == c.Name && f.Columns[j].Positional == c.Positional
			}
		} else {
			l := label{c.Name, c.Positional}
			twice = seen[l]
			seen[l] = true
		}
		if twice {
			return fmt.Errorf("column %s appears twice", c.Label())
		}
	}
	return nil
}
