package pyjson_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/prinzbox/prinzbox/registry/pyjson"
)

// The expected texts are what Python 3.11 prints for json.dumps(json.loads(x)), with sort_keys, and str(json.loads(x)).
func TestAsPythonWritesIt(t *testing.T) {
	for _, c := range []struct{ in, dumps, sorted, str string }{
		{`null`, `null`, `null`, `None`},
		{` true `, `true`, `true`, `True`},
		{`-0`, `0`, `0`, `0`},
		{`12345678901234567890123`, `12345678901234567890123`, `12345678901234567890123`, `12345678901234567890123`},
		{`1.0`, `1.0`, `1.0`, `1.0`},
		{`1e2`, `100.0`, `100.0`, `100.0`},
		{`-0.0`, `-0.0`, `-0.0`, `-0.0`},
		{`1e16`, `1e+16`, `1e+16`, `1e+16`},
		{`123456789012345.6`, `123456789012345.6`, `123456789012345.6`, `123456789012345.6`},
		{`1e-5`, `1e-05`, `1e-05`, `1e-05`},
		{`0.0001`, `0.0001`, `0.0001`, `0.0001`},
		{`1e400`, `Infinity`, `Infinity`, `inf`},
		{`[NaN, Infinity, -Infinity]`, `[NaN, Infinity, -Infinity]`, `[NaN, Infinity, -Infinity]`, `[nan, inf, -inf]`},
		{`{"b":1,"a":[ ],"b":2}`, `{"b": 2, "a": []}`, `{"a": [], "b": 2}`, `{'b': 2, 'a': []}`},
		{`"é\u00e9\ud83d\ude00\"\\\/\n"`, `"\u00e9\u00e9\ud83d\ude00\"\\/\n"`, `"\u00e9\u00e9\ud83d\ude00\"\\/\n"`, "éé😀\"\\/\n"},
		{
			`["it's", "a \"b\"", "both ' and \"", "\t\u0001"]`, `["it's", "a \"b\"", "both ' and \"", "\t\u0001"]`, `["it's", "a \"b\"", "both ' and \"", "\t\u0001"]`,
			`["it's", 'a "b"', 'both \' and "', '\t\x01']`,
		},
		{`"` + "\u007f" + `"`, `"\u007f"`, `"\u007f"`, "\u007f"},
	} {
		v, err := pyjson.Parse(c.in)
		if err != nil {
			t.Errorf("%s: %v", c.in, err)
			continue
		}
		if v.JSON() != c.dumps || v.Sorted() != c.sorted || v.Python() != c.str {
			t.Errorf("%s\n got %s | %s | %s\nwant %s | %s | %s", c.in, v.JSON(), v.Sorted(), v.Python(), c.dumps, c.sorted, c.str)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, in := range []string{``, ` `, `{`, `[1`, `[1,]`, `{"a"}`, `{"a":}`, `{a:1}`, `{'a':1}`, `1 2`, `01`, `-`, `1.`, `.5`, `1e`, `"a`, "\"a\nb\"", `"\x"`, `"\u12"`, `nul`, `+1`, `{"a":1,}`} {
		if v, err := pyjson.Parse(in); err == nil {
			t.Errorf("%q was read as %s", in, v.JSON())
		}
	}
	deep := strings.Repeat("[", 100_000)
	if _, err := pyjson.Parse(deep + strings.Repeat("]", 100_000)); err == nil {
		t.Error("100,000 levels were read")
	}
}

func TestUpdateKeepsTheOrder(t *testing.T) {
	old, _ := pyjson.Parse(`{"a": 1, "b": 2}`)
	with, _ := pyjson.Parse(`{"c": 3, "a": 4}`)
	if got := old.Update(with.Members()...).JSON(); got != `{"a": 4, "b": 2, "c": 3}` {
		t.Error(got)
	}
	if got := old.Complete(with.Members()...).JSON(); got != `{"a": 1, "b": 2, "c": 3}` {
		t.Error(got)
	}
	if old.JSON() != `{"a": 1, "b": 2}` {
		t.Error("the receiver changed: " + old.JSON())
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{`[{"inputs": {"q": "é", "n": 1.50}, "outputs": null}]`, `[NaN, -Infinity, 1e400]`, `"\ud800\udc00\ud800"`, `{"a":{"a":{}}}`, `-0`, `1e-5`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, err := pyjson.Parse(s)
		if err != nil {
			return
		}
		text := v.JSON()
		again, err := pyjson.Parse(text)
		if err != nil || again.JSON() != text || again.Sorted() != v.Sorted() || again.Python() != v.Python() {
			t.Fatalf("%q -> %s -> %s %v", s, text, again.JSON(), err)
		}
		if !strings.Contains(text, "NaN") && !strings.Contains(text, "Infinity") && !json.Valid([]byte(text)) {
			t.Fatalf("%q -> %s, which is not JSON", s, text)
		}
	})
}
