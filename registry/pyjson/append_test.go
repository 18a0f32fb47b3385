package pyjson_test

import (
	"encoding/json"
	"testing"

	"github.com/prinzbox/prinzbox/registry/pyjson"
)

// The wanted texts are what Python prints.
func TestFormat(t *testing.T) {
	for _, c := range []struct {
		in      string
		numbers pyjson.Numbers
		want    string
	}{
		{
			`{"b":1,"a":[1,2.50,-0.0,1e3,1e-7,1e22,true,null],"é":"\u00e9\n\u0001\u007f\u2028\"\\/"}`, pyjson.AsWritten,
			"{\"b\": 1, \"a\": [1, 2.5, -0.0, 1000.0, 1e-07, 1e+22, true, null], \"é\": \"é\\n\\u0001\x7f\u2028\\\"\\\\/\"}",
		},
		{`[1, 12345678901234567890, {}]`, pyjson.AsWritten, `[1, 12345678901234567890, {}]`},
		{`[1, 12345678901234567890, []]`, pyjson.Floats, `[1.0, 1.2345678901234567e+19, []]`},
		{` "x" `, pyjson.AsWritten, `"x"`},
	} {
		got, err := pyjson.Format([]byte(c.in), c.numbers)
		if err != nil || string(got) != c.want {
			t.Errorf("%s: got %s, %v; want %s", c.in, got, err, c.want)
		}
	}
	for _, bad := range []string{"", "{", "[1,]", "1 2", `{"a"}`, "nope"} {
		if got, err := pyjson.Format([]byte(bad), pyjson.AsWritten); err == nil {
			t.Errorf("%q: got %s, want an error", bad, got)
		}
	}
}

func TestAppendBytes(t *testing.T) {
	for in, want := range map[string]string{"\x01\x02": `"b'\\x01\\x02'"`, "a'b": `"b\"a'b\""`, `a'"b`: `"b'a\\'\"b'"`, "\n\\\xff~": `"b'\\n\\\\\\xff~'"`} {
		if got := string(pyjson.AppendBytes(nil, []byte(in))); got != want {
			t.Errorf("%q: got %s, want %s", in, got, want)
		}
	}
}

// Whatever is valid JSON stays the same value.
func FuzzFormat(f *testing.F) {
	f.Add(`{"a": [1, 2.5, "x\u0000", null, true]}`)
	f.Fuzz(func(t *testing.T, in string) {
		out, err := pyjson.Format([]byte(in), pyjson.AsWritten)
		if err != nil {
			return
		}
		again, err := pyjson.Format(out, pyjson.AsWritten)
		if err != nil && json.Valid(out) || err == nil && string(again) != string(out) {
			t.Errorf("%q became %s, then %s (%v)", in, out, again, err)
		}
	})
}
