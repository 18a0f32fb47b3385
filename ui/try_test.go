package ui_test

import (
	"html"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/prinzbox/prinzbox/ui"
)

func TestTryWithoutScript(t *testing.T) {
	h, _, _ := wine(t)
	path := "/models/MLF-ElasticnetWineModel-1/versions/2/try"
	form := url.Values{}
	for i := range wineColumns {
		form.Set("f"+string(rune('0'+i%10)), "1.50")
	}
	form.Set("f10", "1e-3")
	status, page := h.post(path, form.Encode())
	if status != http.StatusOK {
		t.Fatalf("status %d", status)
	}
	contains(t, page, "30.0020", "200 in ", `value="1e-3"`, "curl -X POST")
	want := `{"dataframe_split":{"columns":["fixed acidity","volatile acidity","citric acid","residual sugar","chlorides","free sulfur dioxide",` +
		`"total sulfur dioxide","density","pH","sulphates","alcohol"],"data":[[1.5,1.5,1.5,1.5,1.5,1.5,1.5,1.5,1.5,1.5,0.001]]}}`
	if got := h.model.last.Load(); got != want {
		t.Errorf("sent\n%s, want\n%s", got, want)
	}
	contains(t, page, html.EscapeString(want))

	form.Set("f3", "many")
	status, page = h.post(path, form.Encode())
	if status != http.StatusBadRequest {
		t.Errorf("a bad number: status %d, want 400", status)
	}
	contains(t, page, "Not a number: write it like 7.4 or 1e-3.", `value="many"`, `aria-invalid="true"`)

	status, page = h.post(path, url.Values{"raw": {`{"nonsense": 1}`}}.Encode())
	if status != http.StatusOK {
		t.Errorf("status %d", status)
	}
	contains(t, page, "400 in ", "neither dataframe_split nor inputs")
	if status, _ := h.post(path, "raw="+strings.Repeat("x", 2<<20)); status != http.StatusBadRequest {
		t.Errorf("a body too large: status %d, want 400", status)
	}
	if status, _ := h.post("/models/none/versions/1/try", "f0=1"); status != http.StatusNotFound {
		t.Errorf("an unknown model: status %d, want 404", status)
	}
	if status, page := h.get(path); status != http.StatusOK || !strings.Contains(page, "Try it") {
		t.Errorf("a reloaded answer: status %d, want the version's page", status)
	}
}

// Each type of a signature becomes a field, and the field becomes JSON of that type.
func TestFieldsOfAllTypes(t *testing.T) {
	h, _, runID := wine(t)
	h.model.fields = []ui.Field{
		{Name: "d", Type: "double"},
		{Name: "l", Type: "long"},
		{Name: "b", Type: "boolean"},
		{Name: `s"<'`, Type: "string"},
		{Name: "a", Type: "Array(double)"},
		{Name: "o", Type: "double", Optional: true},
	}
	h.register("all", "", runID)
	path := "/models/all/versions/1"
	status, page := h.get(path)
	if status != 200 {
		t.Fatalf("status %d", status)
	}
	contains(t, page, `inputmode="decimal"`, `inputmode="numeric"`, `<option value="true"`, "<textarea id=\"f4\"", ", optional")
	send := func(values ...string) string {
		form := url.Values{}
		for i, v := range values {
			form.Set("f"+string(rune('0'+i)), v)
		}
		h.model.last.Store("")
		_, _ = h.post(path+"/try", form.Encode())
		return h.model.last.Load().(string)
	}
	for _, c := range []struct{ got, want string }{
		{send("1e21", "9223372036854775807", "true", "it's <ok>", "[1, 2]", ""), `{"dataframe_split":{"columns":["d","l","b","s\"<'","a"],"data":[[1e+21,9223372036854775807,true,"it's <ok>",[1,2]]]}}`},
		{send("", "", "", "", "", "0.50"), `{"dataframe_split":{"columns":["d","l","b","s\"<'","a","o"],"data":[[null,null,null,"",null,0.5]]}}`},
		{send("1", "1.5", "true", "", ""), ""},
		{send("1", "9223372036854775808", "true", "", ""), ""},
		{send("0x10", "1", "true", "", ""), ""},
		{send("NaN", "1", "true", "", ""), ""},
		{send("1", "1", "yes", "", ""), ""},
		{send("1", "1", "true", "", "[1"), ""},
	} {
		if c.got != c.want {
			t.Errorf("sent %s, want %s", c.got, c.want)
		}
	}
}

// Whatever form the input example was kept in, the form starts with its first row.
func TestInputExamples(t *testing.T) {
	h, _, runID := wine(t)
	h.register("ex", "", runID)
	h.model.fields = []ui.Field{{Name: "x", Type: "double"}, {Name: "y", Type: "string"}}
	for _, example := range []string{
		`{"columns": ["x", "y"], "data": [[1.25, "red"], [2, "white"]]}`,
		`{"dataframe_split": {"columns": ["y", "x"], "data": [["red", 1.25]]}}`,
		`{"dataframe_split": {"data": [[1.25, "red"]]}}`,
		`{"dataframe_records": [{"x": 1.25, "y": "red"}]}`,
		`{"inputs": {"x": [1.25], "y": ["red"]}}`, `{"inputs": {"x": 1.25, "y": "red"}}`, `{"instances": [{"x": 1.25, "y": "red"}]}`,
	} {
		h.model.example = []byte(example)
		_, page := h.get("/models/ex/versions/1")
		if !strings.Contains(page, `value="1.25"`) || !strings.Contains(page, `value="red"`) {
			t.Errorf("%s does not fill the form", example)
		}
	}
	for _, example := range []string{`[]`, `{}`, `{"columns": 1, "data": 2}`, `{"dataframe_split": 3}`, `{"inputs": []}`, `not JSON`, `null`, `{"columns":["x"],"data":[[]]}`} {
		h.model.example = []byte(example)
		if status, _ := h.get("/models/ex/versions/1"); status != 200 {
			t.Errorf("%s: status %d", example, status)
		}
		if status, _ := h.get("/"); status != 200 {
			t.Errorf("%s: home status %d", example, status)
		}
	}
	h.model.fields = []ui.Field{{Type: "float64", Shape: []int{-1, 3}}}
	h.model.example = []byte(`{"inputs": [1, 2, 3]}`)
	_, page := h.get("/models/ex/versions/1")
	contains(t, page, "There is no column signature", "float64 (-1, 3)", html.EscapeString(`{"inputs":[1,2,3]}`))
}
