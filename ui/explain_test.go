package ui_test

import (
	"html"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/prinzbox/prinzbox/ui"
)

const wineVersion = "/models/MLF-ElasticnetWineModel-1/versions/1"

// A linear model's answer is taken apart exactly; of any other model each share is what one number changes against the example.
func TestShares(t *testing.T) {
	h, _, _ := wine(t)
	h.model.fields = []ui.Field{{Name: "a", Type: "double"}, {Name: "b <b>", Type: "long"}, {Name: "c", Type: "string"}}
	h.model.example = []byte(`{"columns": ["a", "b <b>", "c"], "data": [[1, 1, "x"]]}`)
	ask := func(body string) string {
		t.Helper()
		status, text := h.post(wineVersion+"/explain", body, "Content-Type", "application/json")
		if status != http.StatusOK {
			t.Errorf("status %d: %s", status, text)
		}
		return text
	}
	row := `{"dataframe_split":{"columns":["a","b <b>","c"],"data":[[2.5,-4,"x"]]}}`
	contains(t, ask(row), "linear in these: 0 and the shares add up to -1.5", "+2.5", ">-4<", "b &lt;b&gt;", `class="share minus" x="0.0" y="1" width="100.0"`, `x="100.0" y="1" width="62.5"`)
	h.model.bend = true // (2.5 - 4)^2 = 2.25; with a = 1: 9, with b = 1: 12.25; the example: 4
	contains(t, ask(row), "whose answer is 4.", "-6.75", ">-10<")
	for _, nothing := range []string{
		`{"inputs": [1]}`, `not JSON`, `{"dataframe_split":{"columns":["a"],"data":[[1],[2]]}}`, `{"dataframe_split":{"columns":["a"],"data":[[1,2]]}}`,
		`{"dataframe_split":{"columns":["c"],"data":[["x"]]}}`, `{"dataframe_split":{"columns":["unknown"],"data":[[1]]}}`,
	} {
		if text := ask(nothing); text != "" {
			t.Errorf("%s is explained: %s", nothing, text)
		}
	}
	if status, _ := h.post(wineVersion+"/explain", row, "Sec-Fetch-Site", "cross-site"); status != http.StatusForbidden {
		t.Errorf("from another site: status %d", status)
	}
}

// Without the script the page shows the shares, the second version and how far it is.
func TestBesideWithoutScript(t *testing.T) {
	h, _, _ := wine(t)
	form := url.Values{"beside": {"2"}}
	for i := range wineColumns {
		form.Set("f"+string(rune('0'+i%10)), "1")
	}
	form.Set("f10", "1")
	status, page := h.post(wineVersion+"/try", form.Encode())
	if status != http.StatusOK {
		t.Fatalf("status %d", status)
	}
	contains(t, page, "11.0000", "22.0000", "Version 2 answers +11 beside version 1.", "linear in these: 0 and the shares add up to 11.", `<option value="2" data-path="/model/MLF-ElasticnetWineModel-1/2/invocations" selected>`)
	form.Set("beside", "99")
	if _, page = h.post(wineVersion+"/try", form.Encode()); strings.Contains(page, "Version 99") {
		t.Error("a version that is not there stands beside")
	}
}

// Sliders span what the example shows; what is typed may lie outside.
func TestSliders(t *testing.T) {
	h, _, _ := wine(t)
	h.model.fields = []ui.Field{{Name: "x", Type: "double"}, {Name: "n", Type: "long"}, {Name: "s", Type: "string"}, {Name: "z", Type: "double"}}
	for example, wants := range map[string][]string{
		`{"columns": ["x", "n", "s", "z"], "data": [[7.4, 11, "7", 0]]}`:                        {`min="0.0" max="14.8" step="0.1"`, `min="0" max="22" step="1"`, `min="0.000" max="1.000" step="0.005"`},
		`{"columns": ["x", "n", "s", "z"], "data": [[-1, -20, "7", 1], [1, 20, "8", 3]]}`:       {`min="-1.50" max="1.50" step="0.02"`, `min="-30" max="30" step="1"`, `min="0.50" max="3.50" step="0.02"`},
		`{"dataframe_records": [{"x": 1e-7, "n": 0}]}`:                                          {`min="0.000000000" max="0.000000200" step="0.000000001"`, `min="0" max="1" step="1"`},
		`{"columns": ["x", "n", "s", "z"], "data": [["red", 11, "7", null], [null, 1e300, 1]]}`: {`min="0" max="22" step="1"`},
	} {
		h.model.example = []byte(example)
		status, page := h.get(wineVersion)
		if status != 200 {
			t.Errorf("%s: status %d", example, status)
		}
		page = strings.Join(strings.Fields(page), " ")
		contains(t, page, wants...)
		if n := strings.Count(page, `type="range"`); n != len(wants) {
			t.Errorf("%s: %d sliders, want %d", example, n, len(wants))
		}
	}
}

// The programs hold the body as each language writes it.
func TestCodes(t *testing.T) {
	h, _, runID := wine(t)
	h.model.fields = []ui.Field{{Name: `it's "x"`, Type: "double"}}
	h.model.example = []byte(`{"columns": ["it's \"x\""], "data": [[1.5]]}`)
	h.register("codes", "", runID)
	_, page := h.get("/models/codes/versions/1")
	body := `{"dataframe_split":{"columns":["it's \"x\""],"data":[[1.5]]}}`
	literal := `"{\"dataframe_split\":{\"columns\":[\"it's \\\"x\\\"\"],\"data\":[[1.5]]}}"`
	contains(t, page,
		html.EscapeString("-d '"+strings.ReplaceAll(body, "'", `'\''`)+"'"),
		html.EscapeString("data="+literal+".encode(),"), html.EscapeString("body := "+literal), html.EscapeString("val body = "+literal),
		html.EscapeString(`http.Post("`+h.server.URL+`/model/codes/1/invocations", "application/json"`))
}

// multipartForm is what a browser sends of a form with a file.
func (h *house) postFile(path string, fields map[string]string, file string) (int, string, http.Header) {
	h.t.Helper()
	var body strings.Builder
	w := multipart.NewWriter(&body)
	for k, v := range fields {
		h.do(w.WriteField(k, v))
	}
	part := must[io.Writer](h.t)(w.CreateFormFile("file", "wine.csv"))
	must[int](h.t)(io.WriteString(part, file))
	h.do(w.Close())
	r := must[*http.Request](h.t)(http.NewRequestWithContext(h.t.Context(), http.MethodPost, h.server.URL+path, strings.NewReader(body.String())))
	r.Header.Set("Content-Type", w.FormDataContentType())
	resp := must[*http.Response](h.t)(h.server.Client().Do(r))
	text := must[[]byte](h.t)(io.ReadAll(resp.Body))
	h.do(resp.Body.Close())
	return resp.StatusCode, string(text), resp.Header
}

func TestBatch(t *testing.T) {
	h, _, _ := wine(t)
	header := strings.Join(wineColumns, ",")
	row := "1,1,1,1,1,1,1,1,1,1,"
	_, page := h.get(wineVersion)
	contains(t, page, "Score a table", header+"\n7.4,0.7,0,1.9,0.076,11,34,0.9978,3.51,0.56,9.4\n")

	status, page := h.post(wineVersion+"/batch", url.Values{"csv": {header + "\r\n" + row + "1\r\n" + row + "2\r\n"}}.Encode())
	if status != http.StatusOK {
		t.Errorf("status %d", status)
	}
	contains(t, page, "2 rows in ", `<td class="predicted">11.0000</td>`, `<td class="predicted">12.0000</td>`, `class="predicted">prediction</th>`)

	// The form's sliders span the numbers of the table.
	_, page = h.post(wineVersion+"/batch", url.Values{"csv": {header + "\n" + strings.Repeat("1,", 10) + "9\n" + strings.Repeat("1,", 10) + "13\n"}}.Encode())
	contains(t, strings.Join(strings.Fields(page), " "), `data-slides="f10" min="8.00" max="14.00"`)

	// A file wins over the text, and a download has all rows.
	many := header + "\n" + strings.Repeat(row+"3\n", 1000)
	status, page, _ = h.postFile(wineVersion+"/batch", map[string]string{"csv": "ignored", "do": "show"}, many)
	if status != http.StatusOK {
		t.Errorf("status %d", status)
	}
	contains(t, page, "1000 rows in ", "the first 200 are shown")
	status, text, head := h.postFile(wineVersion+"/batch", map[string]string{"do": "download"}, many)
	if lines := strings.Split(strings.TrimSpace(text), "\n"); status != http.StatusOK || len(lines) != 1001 || lines[0] != header+",prediction" || lines[1000] != row+"3,13.0000" {
		t.Errorf("the download: status %d, %d lines: %.300s", status, len(lines), text)
	}
	if d := head.Get("Content-Disposition"); d != "attachment; filename=MLF-ElasticnetWineModel-1-1-predictions.csv" {
		t.Errorf("Content-Disposition %q", d)
	}

	for csv, want := range map[string]string{
		"":                          "There is no table",
		header:                      "no rows",
		header + "\n1,2\n":          "as many values as the header",
		"a,\"b\n1,2\n":              "This is not CSV",
		"<b>a</b>\n1\n":             "Model is missing inputs &lt;script&gt;.",
		strings.Repeat("x", 17<<20): "at most 16 MiB",
	} {
		status, page := h.post(wineVersion+"/batch", url.Values{"csv": {csv}}.Encode())
		if status != http.StatusBadRequest {
			t.Errorf("%.40q: status %d, want 400", csv, status)
		}
		contains(t, page, want)
		if strings.Contains(page, "<script>.") || strings.Contains(page, "<b>a") {
			t.Errorf("%.40q is not escaped", csv)
		}
	}
	if status, page := h.get(wineVersion + "/batch"); status != http.StatusOK || !strings.Contains(page, "Score a table") {
		t.Errorf("a reloaded answer: status %d", status)
	}
	if status, _ := h.post("/models/none/versions/1/batch", "csv=a%0A1"); status != http.StatusNotFound {
		t.Errorf("an unknown model: status %d", status)
	}
}
