package serving_test

import (
	"strings"
	"testing"

	"github.com/prinzbox/prinzbox/serving"
)

// Stubs take signatures with the column types that only Python models have: tests of clients need such models too.
func TestStubColumns(t *testing.T) {
	r := answering(0)
	r.versions["m"] = []serving.Version{stub("m", 1, `{"answer": 1, "inputs": [{"name": "at", "type": "datetime"}, {"name": "raw", "type": "binary"},
		{"name": "tags", "type": "array", "items": {"type": "string"}}, {"name": "who", "type": "object", "properties": {"age": {"type": "long"}}},
		{"name": "map", "type": "map", "values": {"type": "double"}, "required": false}, {"name": "any", "type": "any", "required": false}]}`)}
	_, url := serve(t, serving.Config{Catalog: r})
	const good = `{"dataframe_records": [{"at": "2020-01-01T00:00:00", "raw": "aGk=", "tags": ["a"], "who": {"age": 3}, "map": {"x": 1.5}, "any": [1, "b"]}]}`
	for _, c := range []struct {
		change [2]string
		status int
		says   string
	}{
		{[2]string{}, 200, `{"predictions": [1]}`},
		{[2]string{`"tags": ["a"], `, ""}, 400, "Model is missing inputs ['tags']"},
		{[2]string{"2020-01-01T00:00:00", "soon"}, 400, "Failed to convert column at to type 'datetime64[ns]'"},
		{[2]string{"2020-01-01T00:00:00", "2020-01-01T00:00:00Z"}, 400, "timezone-naive"},
		{[2]string{`["a"]`, `"a"`}, 400, "Failed to convert column tags to type 'Array(string)'. Error: 'MlflowException('Expected data to be list or numpy array, got str')'"},
		{[2]string{`{"age": 3}`, `{"age": 3.5}`}, 400, "Failed to enforce schema for key `age`. Expected type long, received type float"},
		{[2]string{`{"x": 1.5}`, `{"x": "y"}`}, 400, "Failed to enforce schema of data `y` with dtype `double`"},
		{[2]string{`[1, "b"]`, `null`}, 200, `{"predictions": [1]}`},
	} {
		status, _, body := post(t, url+"/m/invocations", "application/json", strings.Replace(good, c.change[0], c.change[1], 1))
		if status != c.status || !strings.Contains(body, c.says) {
			t.Errorf("%q: %d %s", c.change, status, body)
		}
	}
}
