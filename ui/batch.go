package ui

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prinzbox/prinzbox/registry"
)

const (
	// maxBatch is the greatest CSV in bytes, maxEcho what of it is shown again in the form.
	maxBatch = 16 << 20
	maxEcho  = 64 << 10
	// batchRows is how many answers the page shows; a download has them all.
	batchRows = 200
)

// batchForm scores a table.
type batchForm struct {
	action string
	csv    string
	result *batchResult
}

// batchResult is the answer to a table: its rows with the predictions behind them.
type batchResult struct {
	status  int
	took    string
	problem string
	header  []string
	inputs  int // columns of header that came with the table
	rows    [][]string
	total   int
}

// newBatchForm starts with the columns and the rows of the input example, so that there is something to change.
func newBatchForm(name, version string, about Model, examples map[string][]string) batchForm {
	f := batchForm{action: string(versionURL(name, version)) + "/batch#batch"}
	var header []string
	rows := 0
	for _, field := range about.Inputs {
		if field.Name == "" {
			return f
		}
		header = append(header, field.Name)
		rows = max(rows, len(examples[field.Name]))
	}
	if len(header) == 0 {
		return f
	}
	table := [][]string{header}
	for n := range min(rows, 10) {
		row := make([]string, len(header))
		for i, field := range about.Inputs {
			if values := examples[field.Name]; n < len(values) {
				row[i] = literal(values[n], kindOf(field.Type))
			}
		}
		table = append(table, row)
	}
	f.csv = csvText(table)
	return f
}

func csvText(table [][]string) string {
	var b strings.Builder
	w := csv.NewWriter(&b)
	_ = w.WriteAll(table) // a strings.Builder takes everything
	return b.String()
}

// readBatch reads the form: a file, or else the text.
func readBatch(w http.ResponseWriter, r *http.Request) (text string, download bool, err error) {
	tooLarge := registry.Invalidf("The form could not be read; a table may have at most %d MiB. Send more to the scoring route itself.", maxBatch>>20)
	r.Body = http.MaxBytesReader(w, r.Body, maxBatch+1<<20)
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "multipart/form-data" {
		if err := r.ParseForm(); err != nil {
			return "", false, tooLarge
		}
	} else if err := r.ParseMultipartForm(maxBatch); err != nil {
		return "", false, tooLarge
	}
	download = r.PostForm.Get("do") == "download"
	text = strings.ReplaceAll(r.PostForm.Get("csv"), "\r\n", "\n")
	file, _, err := r.FormFile("file")
	if err != nil { // no file was chosen, or the form has no place for one
		return text, download, nil
	}
	defer func() { _ = file.Close() }() // it was only read
	data, err := io.ReadAll(file)
	if err != nil {
		return "", false, tooLarge
	}
	if len(data) > 0 {
		text = string(data)
	}
	return text, download, nil
}

// batch scores a table and shows the answers, or sends them as a file.
func (u *UI) batch(w http.ResponseWriter, r *http.Request) {
	v, err := u.scoreBatch(w, r)
	if err != nil {
		u.write(w, r, u.errorView(r, err))
		return
	}
	result := v.form.batch.result
	if result.problem == "" && r.PostForm.Get("do") == "download" {
		name := strings.Map(func(c rune) rune {
			if strings.ContainsRune(`/\"%`, c) || c < ' ' {
				return '_'
			}
			return c
		}, v.version.Name) + "-" + v.version.Version + "-predictions.csv"
		body := csvText(append([][]string{result.header}, result.rows...))
		w.Header().Set("Content-Type", "text/csv; charset=utf-8")
		w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": name}))
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		w.WriteHeader(http.StatusOK)
		_, _ = io.WriteString(w, body) // nobody is left to tell when the browser has gone
		return
	}
	result.rows = result.rows[:min(len(result.rows), batchRows)]
	page := versionViewOf(v)
	if result.problem != "" {
		page.status = http.StatusBadRequest
	}
	u.write(w, r, page)
}

func (u *UI) scoreBatch(w http.ResponseWriter, r *http.Request) (versionView, error) {
	text, _, err := readBatch(w, r)
	if err != nil {
		return versionView{}, err
	}
	v, err := u.describeVersion(r)
	if err != nil {
		return versionView{}, err
	}
	if u.cfg.Scoring == nil {
		return versionView{}, registry.NotFoundf("This environment serves no models.")
	}
	form := &v.form.batch
	if form.csv = text; len(text) > maxEcho {
		form.csv = ""
	}
	form.result = &batchResult{}
	if form.result.problem = form.result.read(text); form.result.problem != "" {
		return v, nil
	}
	start := time.Now()
	answer, status := u.cfg.Scoring.Score(r.Context(), v.version.Name, v.version.Version, []byte(text), "text/csv")
	form.result.status, form.result.took = status, tookText(time.Since(start))
	v.form.spanSliders(*form.result)
	form.result.problem = form.result.join(answer)
	return v, nil
}

// read takes the table apart, and says what is wrong with it.
func (b *batchResult) read(text string) (problem string) {
	if strings.TrimSpace(text) == "" {
		return "There is no table: choose a file, or paste CSV with a header line."
	}
	if len(text) > maxBatch {
		return "A table may have at most " + strconv.Itoa(maxBatch>>20) + " MiB here. Send more to the scoring route itself."
	}
	reader := csv.NewReader(strings.NewReader(strings.TrimPrefix(text, "\ufeff")))
	table, err := reader.ReadAll()
	switch {
	case errors.Is(err, csv.ErrFieldCount):
		return "Every line needs as many values as the header: " + err.Error() + "."
	case err != nil:
		return "This is not CSV: " + err.Error() + "."
	case len(table) < 2:
		return "The table has a header, but no rows."
	}
	b.header, b.rows, b.inputs, b.total = table[0], table[1:], len(table[0]), len(table)-1
	return ""
}

// spanSliders makes the sliders of the form as wide as the table's numbers.
func (f *tryForm) spanSliders(b batchResult) {
	for i := range f.fields {
		at := slices.Index(b.header, f.fields[i].name)
		if at < 0 {
			continue
		}
		values := make([]string, len(b.rows))
		for n, row := range b.rows {
			values[n] = row[at]
		}
		if s := newSlider(f.fields[i].kind, values); s != nil {
			f.fields[i].slider = s
		}
	}
}

// join puts the predictions behind the rows; it gives the message of an answer that has none.
func (b *batchResult) join(answer []byte) (problem string) {
	var body struct {
		Predictions []json.RawMessage `json:"predictions"`
		Message     string            `json:"message"`
	}
	if json.Unmarshal(answer, &body) != nil || b.status != http.StatusOK {
		if body.Message == "" {
			body.Message = shorten(string(answer), 500)
		}
		return body.Message
	}
	if len(body.Predictions) != len(b.rows) {
		return "The model answered with " + countText(len(body.Predictions), "prediction", false) + " to " + countText(len(b.rows), "row", false) + "."
	}
	names := predictionColumns(body.Predictions)
	for i, p := range body.Predictions {
		b.rows[i] = append(b.rows[i], predictionCells(p, names)...)
	}
	if names == nil {
		names = []string{"prediction"}
	}
	b.header = append(b.header, names...)
	return ""
}

// predictionColumns are the columns of predictions that are objects, in the order of the first; nil for any others.
func predictionColumns(list []json.RawMessage) (names []string) {
	if len(list) == 0 {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(list[0]))
	if start, err := d.Token(); err != nil || start != json.Delim('{') {
		return nil
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil
		}
		var skip json.RawMessage
		if d.Decode(&skip) != nil {
			return nil
		}
		names = append(names, key.(string)) // keys of JSON objects are texts
	}
	return names
}

func predictionCells(p json.RawMessage, names []string) []string {
	if names == nil {
		return []string{literal(string(p), kindText)}
	}
	var values map[string]json.RawMessage
	_ = json.Unmarshal(p, &values) // what is no object has no values
	cells := make([]string, len(names))
	for i, name := range names {
		cells[i] = literal(string(values[name]), kindText)
	}
	return cells
}

// batchAgain is where a reloaded answer leads.
func (u *UI) batchAgain(r *http.Request) (view, error) {
	return view{location: string(versionURL(r.PathValue("name"), r.PathValue("version"))) + "#batch"}, nil
}
