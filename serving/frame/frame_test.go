package frame_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/prinzbox/prinzbox/serving/frame"
)

// TestAppendFloat holds Python's own printing of floats (json.dumps).
func TestAppendFloat(t *testing.T) {
	for want, f := range map[string]float64{
		"5.0": 5, "-0.0": math.Copysign(0, -1), "4.6280747990022935": 4.6280747990022935, "0.0001": 1e-4, "1e-05": 1e-5, "1.5e-07": 1.5e-7,
		"1000000000000000.0": 1e15, "1e+16": 1e16, "1.2345678901234568e+17": 123456789012345678, "1e+100": 1e100, "5e-324": 5e-324,
		"NaN": math.NaN(), "Infinity": math.Inf(1), "-Infinity": math.Inf(-1), "0.1": 0.1, "123456.789": 123456.789,
	} {
		if got := string(frame.AppendFloat(nil, f, false)); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestResultJSON(t *testing.T) {
	for want, r := range map[string]*frame.Result{
		`{"predictions": [1.0, NaN]}`:                      {Kind: frame.Float, Floats: []float64{1, math.NaN()}},
		`{"predictions": [[1, 2], [3, 4]]}`:                {Kind: frame.Int, Width: 2, Ints: []int64{1, 2, 3, 4}},
		`{"predictions": [true, false]}`:                   {Kind: frame.Bool, Bools: []bool{true, false}},
		`{"predictions": ["a\"\n", "\u00fc\ud83d\ude00"]}`: {Kind: frame.String, Strings: []string{"a\"\n", "ü😀"}},
		`{"predictions": []}`:                              {Kind: frame.Float},
	} {
		if got := string(r.AppendJSON(nil, false)); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if got := string((&frame.Result{Kind: frame.Int, Ints: []int64{1, 0}}).AppendJSON(nil, true)); got != "[1,0]" {
		t.Errorf("legacy: %s", got)
	}
}

// TestKinds holds the types that pandas infers for a column.
func TestKinds(t *testing.T) {
	for data, want := range map[string]frame.Kind{
		"[[1],[2]]": frame.Int, "[[1],[2.5]]": frame.Float, "[[1.5],[2]]": frame.Float, "[[1],[null]]": frame.Float, "[[null],[1]]": frame.Float,
		`[["a"],[null]]`: frame.String, `[[null],["a"]]`: frame.String, `[[true],[false]]`: frame.Bool, `[[true],[null]]`: frame.Object,
		`[[1],["a"]]`: frame.Object, `[[null],[null]]`: frame.Empty, `[[[1]],[2]]`: frame.Object, "[[1],[true]]": frame.Object, "[[9223372036854775808]]": frame.Float,
	} {
		r, err := frame.DecodeJSON([]byte(`{"dataframe_split":{"data":`+data+`}}`), "")
		if err != nil {
			t.Errorf("%s: %v", data, err)
			continue
		}
		c := &r.Frame.Columns[0]
		if c.Kind != want || c.Len() != r.Frame.Rows {
			t.Errorf("%s: kind %d with %d values, want kind %d", data, c.Kind, c.Len(), want)
		}
	}
}

const columns = `[{"type":"boolean","name":"t"},{"type":"integer","name":"i"},{"type":"long","name":"l"},{"type":"float","name":"f"},{"type":"double","name":"d"},{"type":"string","name":"s"},{"type":"double","name":"o","required":false}]`

// TestCasts is the table of casts in MLflow's scoring protocol: the column, the JSON value, what the model gets.
func TestCasts(t *testing.T) {
	schema, err := frame.ParseSchema(columns)
	if err != nil {
		t.Fatal(err)
	}
	usual := map[string]string{"t": "true", "i": "1", "l": "1", "f": "1", "d": "1", "s": `"x"`}
	for _, c := range []struct{ column, value, want string }{
		{"d", "1", "1.0"},
		{"d", `"2.5"`, "2.5"},
		{"d", "null", "nan"},
		{"f", "0.1", "0.10000000149011612"},
		{"i", "1.5", "1"},
		{"i", "3000000000", "-1294967296"},
		{"l", "1.5", "1"},
		{"l", `"7"`, "7"},
		{"t", "1", "True"},
		{"t", `"true"`, "True"},
		{"t", "null", "False"},
		{"s", "5", "5"},
		{"s", "null", "None"},
		{"o", "2", "2.0"},
		{"d", `"abc"`, `!Failed to convert column d to type 'float64'. Error: 'ValueError("could not convert string to float: 'abc'")'`},
		{"i", "null", "!Failed to convert column i to type 'int32'"},
	} {
		var names, values []string
		for name, value := range usual {
			if name == c.column {
				continue
			}
			names, values = append(names, name), append(values, value)
		}
		names, values = append(names, c.column), append(values, c.value)
		quoted, _ := json.Marshal(names)
		r, err := frame.DecodeJSON([]byte(`{"dataframe_split":{"columns":`+string(quoted)+`,"data":[[`+strings.Join(values, ",")+`]]}}`), "")
		if err != nil {
			t.Fatal(err)
		}
		table, err := r.Table(schema)
		if strings.HasPrefix(c.want, "!") {
			if err == nil || !strings.Contains(err.Error(), c.want[1:]) {
				t.Errorf("%s=%s: error %v, want %s", c.column, c.value, err, c.want[1:])
			}
			continue
		}
		if err != nil {
			t.Errorf("%s=%s: %v", c.column, c.value, err)
			continue
		}
		if got := frame.PyRepr(table.Column(c.column).At(0)); got != c.want {
			t.Errorf("%s=%s: got %s, want %s", c.column, c.value, got, c.want)
		}
		if table.Columns[0].Name != "t" || table.Columns[5].Name != "s" {
			t.Errorf("columns are not in the signature's order")
		}
	}
}

func TestSchemaText(t *testing.T) {
	for text, want := range map[string]string{
		columns: "['t': boolean (required), 'i': integer (required), 'l': long (required), 'f': float (required), 'd': double (required), 's': string (required), 'o': double (optional)]",
		`[{"type":"tensor","tensor-spec":{"dtype":"float32","shape":[-1,2]}}]`: "[Tensor('float32', (-1, 2))]",
		`[{"type":"double"}]`: "[double (required)]",
	} {
		s, err := frame.ParseSchema(text)
		if err != nil || s.String() != want {
			t.Errorf("got %v %v, want %s", s, err, want)
		}
	}
}

func TestTensor(t *testing.T) {
	schema, err := frame.ParseSchema(`[{"type":"tensor","tensor-spec":{"dtype":"float64","shape":[-1,2]}}]`)
	if err != nil {
		t.Fatal(err)
	}
	for body, want := range map[string]string{
		`{"inputs":[[1,2],[3,4.5]]}`:           "",
		`{"dataframe_split":{"data":[[1,2]]}}`: "",
		`{"inputs":[[1,2,3]]}`:                 "Shape of input (1, 3) does not match expected shape (-1, 2).",
		`{"inputs":[[[1,2]]]}`:                 "Shape of input (1, 1, 2) does not match expected shape (-1, 2).",
		`{"inputs":[1,2]}`:                     "Shape of input (2,) does not match expected shape (-1, 2).",
		`{"dataframe_split":{"data":[]}}`:      "Input DataFrame is empty.",
		`{"inputs":[["a",2]]}`:                 "Invalid input. could not convert string to float: 'a'",
		`{"inputs":[[1,2],[3]]}`:               "Invalid input. setting an array element with a sequence. The requested array has an inhomogeneous shape after 1 dimensions. The detected shape was (2,) + inhomogeneous part.",
		`{"inputs":{"a":[1]}}`:                 "Invalid input. Failed to parse input data. This model contains an un-named  model signature which expects a single n-dimensional array or a single value as input, however, an input of type <class 'dict'> was found.",
	} {
		r, err := frame.DecodeJSON([]byte(body), "")
		if err == nil {
			_, err = r.Table(schema)
		}
		if want == "" && err != nil || want != "" && (err == nil || err.Error() != want) {
			t.Errorf("%s: %v, want %s", body, err, want)
		}
	}
}

// FuzzDecodeJSON holds that a body is taken as JSON exactly when encoding/json takes it, but for the
// numbers that only Python knows, and that nothing panics on the way to a table.
func FuzzDecodeJSON(f *testing.F) {
	for _, s := range []string{
		`{"dataframe_split":{"columns":["a","b"],"data":[[1,"x"],[null,true]]}}`, `[{"a":1,"b":[1,{"c":2}]},{"b":2,"b":3}]`, `{"inputs":{"a":[1,2.5e3]}}`,
		`{"instances":[[1,2],[3,4]]}`, `{"columns":["a"],"data":[["\ud83d\ude00\n"]]}`, `{"inputs":[[[1]]],"params":{"n":1}}`, `{"dataframe_records":[{},{"t":1}]}`, `-0.0e-0`, `[1,2]`,
	} {
		f.Add([]byte(s))
	}
	schema, err := frame.ParseSchema(columns)
	if err != nil {
		f.Fatal(err)
	}
	tensor, err := frame.ParseSchema(`[{"type":"tensor","tensor-spec":{"dtype":"float64","shape":[-1,2]}}]`)
	if err != nil {
		f.Fatal(err)
	}
	nested, err := frame.ParseSchema(`[{"type":"array","name":"a","items":{"type":"map","values":{"type":"array","items":{"type":"float"}}}},
		{"type":"object","name":"b","properties":{"c":{"type":"datetime","required":false},"d":{"type":"array","items":{"type":"double"},"required":false}}},
		{"type":"any","name":"t","required":false}]`)
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(`{"dataframe_split":{"columns":["a","b"],"data":[[[{"x":[0,1]}],{"c":null,"d":[1,"2",[]]}],[[],{}]]}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, s := range []*frame.Schema{nil, schema, tensor, nested} {
			r, err := frame.DecodeJSON(body, "")
			if err != nil {
				text := string(body)
				if json.Valid(body) && strings.Contains(err.Error(), "JSONDecodeError") && strings.Count(text, "[")+strings.Count(text, "{") < 200 {
					t.Fatalf("%q is JSON: %v", body, err)
				}
				return
			}
			if !json.Valid(body) && !strings.Contains(string(body), "NaN") && !strings.Contains(string(body), "Infinity") {
				t.Fatalf("%q is no JSON", body)
			}
			table, err := r.Table(s)
			if err != nil {
				_ = r.Data()
				continue
			}
			for i := range table.Columns {
				if table.Columns[i].Len() != table.Rows {
					t.Fatalf("%q: column %d has %d values of %d", body, i, table.Columns[i].Len(), table.Rows)
				}
			}
			_ = table.String()
		}
	})
}

func FuzzDecodeCSV(f *testing.F) {
	f.Add([]byte("t,i,s\n1,2,a\nTrue,,\"x\ny\"\n"))
	schema, err := frame.ParseSchema(columns)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := frame.DecodeCSV(body, schema)
		if err != nil {
			return
		}
		for i := range r.Frame.Columns {
			if r.Frame.Columns[i].Len() != r.Frame.Rows {
				t.Fatalf("column %d has %d values of %d", i, r.Frame.Columns[i].Len(), r.Frame.Rows)
			}
		}
	})
}
