package serving_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prinzbox/prinzbox/serving"
)

// stubbed serves stubs as models "0", "1", ….
func stubbed(t testing.TB, texts ...string) string {
	t.Helper()
	r := &registered{versions: map[string][]serving.Version{}}
	for i, text := range texts {
		name := fmt.Sprint(i)
		r.versions[name] = []serving.Version{stub(name, 1, text)}
	}
	_, url := serve(t, serving.Config{Catalog: r})
	return url
}

// TestStubs asks stubs of all kinds.
func TestStubs(t *testing.T) {
	const (
		ab     = `"inputs": [{"name": "a", "type": "double"}, {"name": "b", "type": "string"}]`
		lookup = `"lookup": {"csv": "b,a,y\nx,1,0.5\nx,2.0,1\n", "key": ["a", "b"]`
		split  = `{"dataframe_split": {"columns": ["a", "b"], "data": [[1, "x"], [2, "x"]]}}`
	)
	for _, c := range []struct {
		stub, body string
		status     int
		answer     string
	}{
		{`{"answer": 1.0}`, split, 200, `{"predictions": [1.0, 1.0]}`},
		{`{"answer": 1}`, `{"columns":["a"],"data":[[1],[2],[3]]}`, 200, `[1,1,1]`},
		{`{"answer": {"label": "good", "p": [0.25, 0.75]}}`, `{"inputs": [[1]]}`, 200, `{"predictions": [{"label": "good", "p": [0.25, 0.75]}]}`},
		{`{"answer": null}`, `{"inputs": [[1]]}`, 200, `{"predictions": [null]}`},
		{`{"answers": [1, 2.5, "x"]}`, `{"inputs": [[1],[1],[1],[1]]}`, 200, `{"predictions": [1, 2.5, "x", 1]}`},
		{`{"predictions": {"a": [1], "ü": null}}`, `{"inputs": [[1],[1]]}`, 200, `{"predictions": {"a": [1], "\u00fc": null}}`},
		{`{` + ab + `, "answer": 1}`, `{"dataframe_split": {"columns": ["a"], "data": [[1]]}}`, 400, `Model is missing inputs ['b'].`},
		{`{` + ab + `, "answer": 1}`, `{"dataframe_split": {"columns": ["a", "b"], "data": [["x", "y"]]}}`, 400, `Failed to convert column a`},
		{`{"answer": 1, "params": [{"name": "n", "type": "long", "default": 3, "shape": null}]}`, `{"inputs": [[1]], "params": {"n": "x"}}`, 400, `Invalid parameters found`},
		{`{"inputs": "[{\"name\": \"a\", \"type\": \"double\"}]", "answer": 1}`, `{"inputs": {"a": [1]}}`, 200, `{"predictions": [1]}`},

		{`{` + ab + `, ` + lookup + `}}`, split, 200, `{"predictions": [0.5, 1.0]}`},
		{`{` + lookup + `}}`, split, 200, `{"predictions": [0.5, 1.0]}`},
		{`{` + lookup + `, "default": -1}}`, `{"dataframe_split": {"columns": ["a", "b"], "data": [[1, "z"], [1.0, "x"], [null, null]]}}`, 200, `{"predictions": [-1, 0.5, -1]}`},
		{`{` + lookup + `}}`, `{"dataframe_split": {"columns": ["a", "b"], "data": [[3, "x"]]}}`, 400, `The stub's table has no row for a=3, b='x', and no default.`},
		{`{` + lookup + `}}`, `{"dataframe_split": {"columns": ["a"], "data": [[3]]}}`, 400, `a column that the data lacks: 'b'`},
		{`{"lookup": {"csv": "k,y,z\n1,2,x\n", "key": ["k"]}}`, `{"dataframe_records": [{"k": 1}]}`, 200, `{"predictions": [{"y": 2, "z": "x"}]}`},

		{`{"expression": "a * 2 + 1"}`, `{"inputs": {"a": [1, 2.5]}}`, 200, `{"predictions": [3.0, 6.0]}`},
		{"{\"expression\": \"round(`fixed acidity` / 3, 2)\"}", `{"dataframe_records": [{"fixed acidity": 1}]}`, 200, `{"predictions": [0.33]}`},
		{`{"expression": {"y": "a ** 2", "label": "'big' if a > 1 else 'small'"}}`, `{"inputs": {"a": [1, 2]}}`, 200, `{"predictions": [{"y": 1, "label": "small"}, {"y": 4, "label": "big"}]}`},
		{`{"expression": "a // b"}`, `{"inputs": {"a": [1], "b": [0]}}`, 400, `ZeroDivisionError`},
		{`{"expression": "a + 1"}`, `{"inputs": {"a": ["x"]}}`, 400, `TypeError`},
		{`{"expression": "c"}`, `{"inputs": {"a": [1]}}`, 400, `the data has no column 'c'`},

		{`{"error": {"status": 503, "message": "busy"}}`, `no json at all`, 503, `{"error_code":"TEMPORARILY_UNAVAILABLE","message":"busy","sqlstate":"XXM00"}`},
		{`{"error": {"status": 418, "code": "TEAPOT"}}`, `{}`, 418, `{"error_code":"TEAPOT","message":"The stub answers with an error."}`},
		{`{"error": {"status": 404}}`, `{}`, 404, `RESOURCE_DOES_NOT_EXIST`},

		// What is no stub.
		{`x`, `{}`, 400, `Tag prinzbox.stub of version 1 of registered model 'm' is no stub: it is not understood`},
		{`{"answer": 1} {}`, `{}`, 400, `there is more behind its JSON`},
		{`{}`, `{}`, 400, `none of answer, answers, predictions, lookup, expression and error`},
		{`{"anwser": 1}`, `{}`, 400, `unknown field \"anwser\"`},
		{`{"answer": 1, "expression": "a"}`, `{}`, 400, `it has answer and expression: write one of them`},
		{`{"answer": 1, "error": {"status": 500}}`, `{}`, 400, `or an error.rate below 1`},
		{`{"error": {"status": 500, "rate": 0.5}}`, `{}`, 400, `add an answer`},
		{`{"error": {"status": 200}}`, `{}`, 400, `error.status is 200`},
		{`{"error": {"status": 500, "rate": 2}}`, `{}`, 400, `error.rate`},
		{`{"answers": []}`, `{}`, 400, `answers is empty`},
		{`{"answer": 1, "inputs": [{"name": 1}]}`, `{}`, 400, `inputs: the signature is no list of columns`},
		{`{"answer": 1, "latency": "5 minutes"}`, `{}`, 400, `no duration from 0s to 60s`},
		{`{"answer": 1, "latency": {"min": "2s", "max": "1s"}}`, `{}`, 400, `max is less than min`},
		{`{"answer": 1, "latency": {"most": "2s"}}`, `{}`, 400, `there is no \"most\"`},
		{`{"answer": 1, "latency": 5}`, `{}`, 400, `write \"50ms\"`},
		{`{"lookup": {"csv": "", "key": ["a"]}}`, `{}`, 400, `No columns to parse`},
		{`{"lookup": {"csv": "a,b\n1,2\n", "key": []}}`, `{}`, 400, `lookup.key is empty`},
		{`{"lookup": {"csv": "a,b\n1,2\n", "key": ["c"]}}`, `{}`, 400, `lookup.csv has no column 'c'`},
		{`{"lookup": {"csv": "a\n1\n", "key": ["a"]}}`, `{}`, 400, `no column beside those of lookup.key`},
		{`{"lookup": {"csv": "a,b\n1,2\n1,3\n", "key": ["a"]}}`, `{}`, 400, `two rows for a=1`},
		{`{"expression": "a +"}`, `{}`, 400, `it ends too early`},
		{`{"expression": {"y": 1}}`, `{}`, 400, `expression.y: a formula is a text`},
		{`{"expression": {}}`, `{}`, 400, `write a formula`},
	} {
		r := &registered{versions: map[string][]serving.Version{"m": {stub("m", 1, c.stub)}}}
		s, url := serve(t, serving.Config{Catalog: r})
		status, kind, answer := post(t, url+"/m/invocations", "application/json", c.body)
		if status != c.status || kind != "application/json" || !strings.Contains(answer, c.answer) {
			t.Errorf("%s %s:\n got %d %s %s\nwant %d %s", c.stub, c.body, status, kind, answer, c.status, c.answer)
		}
		info, err := s.Describe(t.Context(), "m", "")
		bad := strings.Contains(answer, serving.TagStub)
		if err != nil || info.Native == bad || bad != (info.Problem != "") {
			t.Errorf("%s: %+v %v", c.stub, info, err)
		}
	}
}

// TestStubWithoutTag tells what is missing.
func TestStubWithoutTag(t *testing.T) {
	for _, source := range []string{serving.StubSource, serving.UpstreamSource} {
		r := &registered{versions: map[string][]serving.Version{"m": {{Name: "m", Number: "1", Source: source}}}}
		_, url := serve(t, serving.Config{Catalog: r})
		if status, answer, _ := ask(t, url+"/m/invocations"); status != 400 || !strings.Contains(answer, "no tag prinzbox."+strings.TrimSuffix(source, ":")) {
			t.Errorf("%s: %d %s", source, status, answer)
		}
	}
	r := &registered{versions: map[string][]serving.Version{"m": {{Name: "m", Number: "1", Source: "s3://b/x", Tags: map[string]string{serving.TagStub: `{"answer": 1}`, serving.TagUpstream: "http://127.0.0.1:1"}}}}}
	_, url := serve(t, serving.Config{Catalog: r})
	if status, answer, _ := ask(t, url+"/m/invocations"); status != 400 || !strings.Contains(answer, "delete one of them") {
		t.Errorf("%d %s", status, answer)
	}
}

// TestStubChance holds that latency and error rates are kept, and that a seed gives the same sequence, whatever else changes.
func TestStubChance(t *testing.T) {
	run := func(disturb bool) (failed int, sequence string) {
		r := &registered{versions: map[string][]serving.Version{"m": {stub("m", 1, `{"answer": 1, "error": {"status": 500, "rate": 0.25}, "seed": 7}`)}}}
		_, url := serve(t, serving.Config{Catalog: r})
		for i := range 200 {
			if disturb && i%10 == 0 {
				r.change(func() {})
			}
			status, _, _ := ask(t, url+"/m/invocations")
			if status == 500 {
				failed++
			}
			sequence += fmt.Sprint(status, " ")
		}
		return failed, sequence
	}
	n, first := run(false)
	_, second := run(true)
	if n < 30 || n > 75 || first != second {
		t.Errorf("%d of 200 failed; the sequences are the same: %v", n, first == second)
	}
	for latency, least := range map[string]time.Duration{`"30ms"`: 30 * time.Millisecond, `{"min": "20ms", "max": "25ms"}`: 20 * time.Millisecond, `{"mean": "60ms", "deviation": "1ms"}`: 50 * time.Millisecond} {
		url := stubbed(t, `{"answer": 1, "latency": `+latency+`}`)
		began := time.Now()
		if status, answer, _ := ask(t, url+"/0/invocations"); status != 200 {
			t.Errorf("%d %s", status, answer)
		}
		if took := time.Since(began); took < least || took > least+5*time.Second {
			t.Errorf("latency %s took %v", latency, took)
		}
	}
}

// TestStubCheck makes stubs in Go.
func TestStubCheck(t *testing.T) {
	s := serving.Stub{Answer: json.RawMessage("1"), Latency: &serving.StubLatency{Min: time.Millisecond, Max: 2 * time.Millisecond}}
	if err := s.Check(); err != nil {
		t.Error(err)
	}
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var again serving.Stub
	if err := json.Unmarshal(text, &again); err != nil || *again.Latency != *s.Latency {
		t.Errorf("%s: %+v %v", text, again.Latency, err)
	}
	if err := (&serving.Stub{}).Check(); err == nil {
		t.Error("an empty stub passes")
	}
}

// TestStubIsBounded refuses answers that would fill the memory.
func TestStubIsBounded(t *testing.T) {
	long := strings.Repeat("x", 4000)
	rows := `{"inputs": [[1]` + strings.Repeat(",[1]", 20_000) + `]}`
	for i, text := range []string{`{"answer": "` + long + `"}`, `{"expression": "'` + long + `'"}`, `{"lookup": {"csv": "0,y\n1,` + long + `\n", "key": ["0"], "default": 1}, "inputs": [{"name": "0", "type": "long"}]}`} {
		url := stubbed(t, text)
		status, _, answer := post(t, url+"/0/invocations", "application/json", rows)
		if status != 400 || !strings.Contains(answer, "is larger than the limit of 67108864 bytes") {
			t.Errorf("%d: %d %.200s", i, status, answer)
		}
	}
}

// FuzzStub compiles any text as a stub and asks it.
func FuzzStub(f *testing.F) {
	for _, seed := range []string{
		`{"answer": 1.0, "inputs": [{"name": "a", "type": "double"}]}`, `{"lookup": {"csv": "a,y\n1,2\n", "key": ["a"]}}`,
		`{"expression": "1 if a > 2 and not (a == 3) else -a ** 2 // 3 % 5"}`, `{"expression": "round(min(a, 3.5e2), 1) + len('x') * float('1')"}`,
		`{"expression": "((((((a))))))"}`, "{\"expression\": \"`a` + str(a)\"}", `{"error": {"status": 500, "rate": 0.5}, "answers": [[1], {"x": 2}]}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "latency") {
			return // waits
		}
		r := &registered{versions: map[string][]serving.Version{"m": {stub("m", 1, text)}}}
		s := serving.New(serving.Config{Catalog: r, Objects: &folder{root: t.TempDir()}})
		defer func() { _ = s.Close() }() // never fails
		body, status := s.Score(t.Context(), "m", "", []byte(`{"inputs": {"a": [1, 2.5, null]}}`), "application/json")
		if status == 500 && !strings.Contains(text, "error") {
			t.Errorf("%q: %s", text, body)
		}
	})
}
