package ui

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/a-h/templ"
	"go.yaml.in/yaml/v3"

	"github.com/prinzbox/prinzbox/registry"
)

const (
	// previewBytes is how much of a file is read to show it; textBytes how much of it is shown as text.
	previewBytes = 512 << 10
	textBytes    = 64 << 10
	// tableColumns and previewRows bound a file that is shown as a table.
	tableColumns = 40
	previewRows  = 200
	// viewBytes bounds the pictures and HTML pages that are shown in place.
	viewBytes = 32 << 20
)

// preview is a file as a page shows it: exactly one of text, table, document, picture, frame and problem is set. Facts may stand above.
type preview struct {
	path, text string
	size       int64
	cut        bool
	table      *table
	document   templ.Component
	picture    string // addresses
	frame      string
	facts      []keyValue
	problem    string
}

// table is the beginning of a file with rows.
type table struct {
	head    []string
	rows    [][]string
	numbers []bool // columns that hold nothing but numbers
	cut     string // what is left out, in words
}

// pictures are the kinds of files that browsers draw, with their media types.
var pictures = map[string]string{
	".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif", ".webp": "image/webp", ".svg": "image/svg+xml", ".bmp": "image/bmp",
	".avif": "image/avif", ".ico": "image/x-icon",
}

func kindOfFile(file string) string { return strings.ToLower(path.Ext(file)) }

func (u *UI) preview(ctx context.Context, t tree, file string) *preview {
	body, size, err := u.cfg.Artifacts.Open(ctx, t.root, file)
	if err != nil {
		return &preview{path: file, problem: u.problemOf(err)}
	}
	defer func() { _ = body.Close() }() // it was only read
	return u.previewOf(file, body, size, t.inPlaceURL(file))
}

// previewOf shows an open file; inPlace is the address at which a browser shows it itself.
func (u *UI) previewOf(file string, body io.Reader, size int64, inPlace string) *preview {
	p := &preview{path: file, size: size}
	kind := kindOfFile(file)
	_, isPicture := pictures[kind]
	isPage := kind == ".html" || kind == ".htm"
	if (isPicture || isPage) && size > viewBytes {
		p.problem = "At " + bytesText(size) + " this is too large to show. Download the file to see it."
		return p
	}
	switch {
	case isPicture:
		p.picture = inPlace
		return p
	case isPage:
		p.frame = inPlace
		return p
	}
	data, err := io.ReadAll(io.LimitReader(body, previewBytes))
	if err != nil {
		p.problem = u.problemOf(err)
		return p
	}
	p.cut = int64(len(data)) < size
	if p.cut { // the cut may have split a character
		data = wholeCharacters(data)
	}
	if !utf8.Valid(data) || slices.Contains(data, 0) {
		p.problem = "This is not text, so there is no preview. Download the file to read it."
		return p
	}
	u.layOut(p, data)
	return p
}

func wholeCharacters(data []byte) []byte {
	for n := 0; n < utf8.UTFMax && len(data) > 0 && !utf8.Valid(data); n++ {
		data = data[:len(data)-1]
	}
	return data
}

// layOut chooses how a text is best read. A file that is not what its name says is shown as it is.
func (u *UI) layOut(p *preview, data []byte) {
	switch kind := kindOfFile(p.path); {
	case kind == ".csv" || kind == ".tsv":
		if p.table = csvTable(data, kind == ".tsv", p.cut); p.table != nil {
			return
		}
	case kind == ".json" && !p.cut:
		if p.table = splitTable(data); p.table != nil {
			return
		}
		if json.Valid(data) {
			data = []byte(indent(data))
		}
	case kind == ".md" && !p.cut && len(data) <= maxMarkdown:
		p.document = u.markdown.html(string(data), 4)
		return
	case path.Base(p.path) == "MLmodel":
		p.facts = modelFacts(data)
	}
	if len(data) > textBytes {
		data, p.cut = wholeCharacters(data[:textBytes]), true
	}
	p.text = string(data)
}

// csvTable reads rows; nil when there are none. Rows may be ragged and quotes loose, as people write them.
func csvTable(data []byte, tabs, cut bool) *table {
	r := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(data, []byte("\ufeff"))))
	r.FieldsPerRecord, r.LazyQuotes = -1, true
	if tabs {
		r.Comma = '\t'
	} else if first, _, _ := bytes.Cut(data, []byte("\n")); bytes.Count(first, []byte(";")) > bytes.Count(first, []byte(",")) {
		r.Comma = ';'
	}
	t := &table{}
	width, more := 0, cut
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil
		}
		width = max(width, len(row))
		row = slices.Clone(row[:min(len(row), tableColumns)])
		if t.head == nil {
			t.head = row
			continue
		}
		if len(t.rows) == previewRows {
			more = true
			break
		}
		t.rows = append(t.rows, row)
	}
	if t.head == nil {
		return nil
	}
	t.pad(width, more)
	return t
}

// splitTable reads what mlflow.log_table writes, {"columns": […], "data": [[…]]}; nil for any other JSON.
func splitTable(data []byte) *table {
	var split struct {
		Columns []string            `json:"columns"`
		Data    [][]json.RawMessage `json:"data"`
	}
	if json.Unmarshal(data, &split) != nil || len(split.Columns) == 0 || split.Data == nil {
		return nil
	}
	t := &table{head: split.Columns[:min(len(split.Columns), tableColumns)]}
	for _, row := range split.Data[:min(len(split.Data), previewRows)] {
		cells := make([]string, 0, len(t.head))
		for _, v := range row[:min(len(row), tableColumns)] {
			var s string
			if json.Unmarshal(v, &s) != nil {
				s = string(v)
			}
			cells = append(cells, s)
		}
		t.rows = append(t.rows, cells)
	}
	t.pad(len(split.Columns), len(split.Data) > previewRows)
	return t
}

// pad makes all rows as long as the longest, and says what is left out.
func (t *table) pad(width int, more bool) {
	wide := len(t.head)
	for _, row := range t.rows {
		wide = max(wide, len(row))
	}
	for len(t.head) < wide {
		t.head = append(t.head, "")
	}
	for i := range t.rows {
		for len(t.rows[i]) < wide {
			t.rows[i] = append(t.rows[i], "")
		}
	}
	t.numbers = make([]bool, wide)
	for i := range t.numbers {
		t.numbers[i] = len(t.rows) > 0 && !slices.ContainsFunc(t.rows, func(row []string) bool { return row[i] != "" && !isNumber(row[i]) })
	}
	if more {
		t.cut = "The first " + strconv.Itoa(len(t.rows)) + " rows. "
	}
	if width > wide {
		t.cut += "The first " + strconv.Itoa(wide) + " of " + strconv.Itoa(width) + " columns."
	}
}

// modelFacts are what people look for in an MLmodel file.
func modelFacts(data []byte) (facts []keyValue) {
	var m struct {
		Flavors   map[string]map[string]any `yaml:"flavors"`
		ModelID   string                    `yaml:"model_id"`
		UUID      string                    `yaml:"model_uuid"`
		Version   string                    `yaml:"mlflow_version"`
		Created   string                    `yaml:"utc_time_created"`
		Bytes     int64                     `yaml:"model_size_bytes"`
		Signature struct {
			Inputs, Outputs, Params string
		} `yaml:"signature"`
	}
	if yaml.Unmarshal(data, &m) != nil {
		return nil
	}
	add := func(key, value string) {
		if value != "" {
			facts = append(facts, keyValue{Key: key, Value: shorten(value, 300)})
		}
	}
	names := make([]string, 0, len(m.Flavors))
	for name := range m.Flavors {
		names = append(names, name)
	}
	slices.Sort(names)
	add("Flavors", strings.Join(names, ", "))
	if python, ok := m.Flavors["python_function"]["python_version"].(string); ok {
		add("Python", python)
	}
	add("MLflow", m.Version)
	add("Inputs", signatureText(m.Signature.Inputs))
	add("Outputs", signatureText(m.Signature.Outputs))
	add("Params", signatureText(m.Signature.Params))
	add("Model id", m.ModelID)
	add("UUID", m.UUID)
	if m.Bytes > 0 {
		add("Size", bytesText(m.Bytes))
	}
	add("Logged", m.Created)
	return facts
}

// signatureText is one part of a signature in short: "alcohol: double, pH: double".
func signatureText(part string) string {
	var fields []struct {
		Name string          `json:"name"`
		Type json.RawMessage `json:"type"`
	}
	if part == "" || part == "null" {
		return ""
	}
	if json.Unmarshal([]byte(part), &fields) != nil {
		return part
	}
	texts := make([]string, len(fields))
	for i, f := range fields {
		var kind string
		if json.Unmarshal(f.Type, &kind) != nil {
			kind = string(f.Type)
		}
		texts[i] = strings.TrimPrefix(f.Name+": "+kind, ": ")
	}
	return strings.Join(texts, ", ")
}

// sandbox is the policy of a user's file that is shown in place. It has an origin of its own, so its scripts reach nothing of this server, and
// no network: only what the file itself holds is shown.
const sandbox = "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; img-src data: blob:; " +
	"font-src data:; media-src data: blob:; frame-ancestors 'self'; form-action 'none'; base-uri 'none'"

// viewFile serves a picture or an HTML page of a run or a logged model to be seen in place.
func (u *UI) viewFile(w http.ResponseWriter, r *http.Request) {
	if err := u.sendFile(w, r); err != nil {
		u.write(w, r, u.errorView(r, err))
	}
}

func (u *UI) sendFile(w http.ResponseWriter, r *http.Request) error {
	t, err := u.treeOf(r)
	if err != nil {
		return err
	}
	file := r.URL.Query().Get("path")
	if file == "" || !goodPath(file) {
		return registry.Invalidf("%s", badPath(file))
	}
	if u.cfg.Artifacts == nil {
		return registry.Invalidf("This environment cannot read artifacts.")
	}
	return sendInPlace(w, "path", file, func() (io.ReadCloser, int64, error) { return u.cfg.Artifacts.Open(r.Context(), t.root, file) })
}

// sendInPlace serves a file to be seen in place, if it is of a kind that is; field is the parameter that names it.
func sendInPlace(w http.ResponseWriter, field, file string, open func() (io.ReadCloser, int64, error)) error {
	media, ok := pictures[kindOfFile(file)]
	switch kind := kindOfFile(file); {
	case kind == ".html" || kind == ".htm":
		media = "text/html; charset=utf-8"
	case !ok:
		return registry.Invalidf("%s: only pictures and HTML pages are shown in place; download %s instead.", field, quoted(path.Base(file)))
	}
	body, size, err := open()
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }() // it was only read
	if size > viewBytes {
		return registry.Invalidf("%s: at %s this file is too large to show; download it.", field, bytesText(size))
	}
	h := w.Header()
	h.Set("Content-Security-Policy", sandbox)
	h.Set("Content-Type", media)
	h.Set("Content-Length", strconv.FormatInt(size, 10))
	h.Set("Cache-Control", "no-cache")
	w.WriteHeader(http.StatusOK)
	_, _ = io.Copy(w, body) // nobody is left to tell when the browser has gone
	return nil
}
