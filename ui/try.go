package ui

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prinzbox/prinzbox/registry"
)

// maxForm bounds what a try-it form may send.
const maxForm = 1 << 20

// tryForm is the form that scores a version. Fields are named by position ("f0", "p0"), since a column may be called anything.
type tryForm struct {
	name, version string
	action        string // the page's own route, for browsers without JavaScript
	path          string // the scoring route, for the script
	explain       string // the route of the contributions; empty when the answers cannot be explained
	fields        []tryField
	params        []tryField
	raw           string // the body of the raw form
	showRaw       bool   // the raw form is the one to use
	others        []string
	beside        string // the version that answers too; empty for none
	codes         []code
	result        *tryResult
	besideResult  *tryResult
	explained     *explanation
	batch         batchForm
}

// Kinds of fields; the script builds a body by the same names.
const (
	kindNumber  = "number"  // a float
	kindInteger = "integer" // kept digit by digit: a long does not fit JavaScript's numbers
	kindBoolean = "boolean"
	kindText    = "text"
	kindJSON    = "json" // arrays, objects, maps
)

// tryField is one input of the form.
type tryField struct {
	id, name, typ, kind, value string
	optional                   bool
	problem                    string
	slider                     *slider
}

// label is what the user reads; an unnamed column has its position.
func (f tryField) label() string {
	if f.name != "" {
		return f.name
	}
	n, _ := strconv.Atoi(f.id[1:]) // made by strconv in newFields
	return "column " + strconv.Itoa(n)
}

// tryResult is an answer of the scoring route.
type tryResult struct {
	version  string
	status   int
	took     string
	headline string
	answer   string
}

func (r tryResult) ok() bool { return r.status == http.StatusOK }

func newTryForm(name, version, base string, about Model) tryForm {
	f := tryForm{name: name, version: version, action: string(versionURL(name, version)) + "/try#try", path: scoringPath(name, version)}
	f.codes = newCodes(base + f.path)
	if !tensors(about) {
		examples := exampleColumns(about)
		f.fields = newFields("f", about.Inputs, examples)
		f.params = newFields("p", about.Params, nil)
		f.batch = newBatchForm(name, version, about, examples)
		if explainable(about) {
			f.explain = string(versionURL(name, version)) + "/explain"
		}
	}
	f.showRaw = len(f.fields) == 0
	if body, err := exampleBody(about); err == nil {
		f.raw = indent(body)
	}
	f.setCodes()
	return f
}

func tensors(about Model) bool {
	for _, f := range about.Inputs {
		if f.Shape != nil {
			return true
		}
	}
	return false
}

func newFields(prefix string, fields []Field, examples map[string][]string) []tryField {
	out := make([]tryField, len(fields))
	for i, f := range fields {
		t := tryField{id: prefix + strconv.Itoa(i), name: f.Name, typ: f.Type, kind: kindOf(f.Type), optional: f.Optional}
		if values := examples[f.Name]; len(values) > 0 {
			t.value = literal(values[0], t.kind)
			t.slider = newSlider(t.kind, values)
		} else if f.Default != nil {
			t.value = literal(string(f.Default), t.kind)
		}
		out[i] = t
	}
	return out
}

func kindOf(typ string) string {
	switch typ {
	case "double", "float":
		return kindNumber
	case "integer", "long":
		return kindInteger
	case "boolean":
		return kindBoolean
	case "string", "datetime", "binary":
		return kindText
	}
	return kindJSON
}

// setCodes writes the programs that do what the form does. A form that is not filled in has none yet.
func (f *tryForm) setCodes() {
	body := f.raw
	if !f.showRaw {
		built, ok := f.body()
		if !ok {
			return
		}
		body = built
	}
	for i := range f.codes {
		f.codes[i].set(body)
	}
}

// body is the request that the fields describe. Fields that cannot be read are marked, and there is no body.
func (f *tryForm) body() (body string, ok bool) {
	ok = true
	var names, values, params []string
	for i := range f.fields {
		field := &f.fields[i]
		if field.optional && field.value == "" {
			continue
		}
		v, problem := field.json()
		if problem != "" {
			field.problem, ok = problem, false
			continue
		}
		names, values = append(names, quote(field.name)), append(values, v)
	}
	for i := range f.params {
		field := &f.params[i]
		if field.value == "" {
			continue
		}
		v, problem := field.json()
		if problem != "" {
			field.problem, ok = problem, false
			continue
		}
		params = append(params, quote(field.name)+":"+v)
	}
	columns := `"columns":[` + strings.Join(names, ",") + `],`
	if len(f.fields) > 0 && f.fields[0].name == "" {
		columns = "" // unnamed columns go by position
	}
	body = `{"dataframe_split":{` + columns + `"data":[[` + strings.Join(values, ",") + `]]}`
	if len(params) > 0 {
		body += `,"params":{` + strings.Join(params, ",") + `}`
	}
	return body + "}", ok
}

// json is the field's value in a request, or what is wrong with it. An empty one that is no text is null.
func (f tryField) json() (value, problem string) {
	text := strings.TrimSpace(f.value)
	if f.kind == kindText {
		return quote(f.value), ""
	}
	if text == "" {
		return "null", ""
	}
	switch f.kind {
	case kindNumber:
		n, err := strconv.ParseFloat(text, 64)
		if err != nil || strings.ContainsAny(text, "_xXnN") {
			return "", "Not a number: write it like 7.4 or 1e-3."
		}
		return floatJSON(n), ""
	case kindInteger:
		if strings.Trim(strings.TrimPrefix(text, "-"), "0123456789") != "" || text == "-" {
			return "", "Not a whole number: write it like 42."
		}
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return "", "This number does not fit 64 bits."
		}
		return strconv.FormatInt(n, 10), ""
	case kindBoolean:
		if text != "true" && text != "false" {
			return "", "Not a boolean: write true or false."
		}
		return text, ""
	}
	compact, err := compactJSON(text)
	if err != nil {
		return "", "Not JSON: " + err.Error() + "."
	}
	return compact, ""
}

// try scores the form of a browser without JavaScript and shows the page with the answer.
func (u *UI) try(r *http.Request) (view, error) {
	r.Body = http.MaxBytesReader(nil, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		return view{}, registry.Invalidf("The form could not be read; it may hold at most %d bytes.", maxForm)
	}
	v, err := u.describeVersion(r)
	if err != nil {
		return view{}, err
	}
	if u.cfg.Scoring == nil {
		return view{}, registry.NotFoundf("This environment serves no models.")
	}
	var body string
	if r.PostForm.Has("raw") {
		v.form.showRaw = true
		v.form.raw = strings.ReplaceAll(r.PostForm.Get("raw"), "\r\n", "\n")
		body = v.form.raw
	} else {
		for _, fields := range [][]tryField{v.form.fields, v.form.params} {
			for i := range fields {
				fields[i].value = strings.ReplaceAll(r.PostForm.Get(fields[i].id), "\r\n", "\n")
			}
		}
		built, ok := v.form.body()
		if !ok {
			page := versionViewOf(v)
			page.status = http.StatusBadRequest
			return page, nil
		}
		body = built
	}
	v.form.setCodes()
	v.form.result = u.ask(r, v.version.Name, v.version.Version, body)
	if other := r.PostForm.Get("beside"); slices.Contains(v.form.others, other) {
		v.form.beside, v.form.besideResult = other, u.ask(r, v.version.Name, other, body)
	}
	if e := u.explain(r.Context(), v.version.Name, v.version.Version, v.about, []byte(body)); e != nil && v.form.result.ok() {
		v.form.explained = e
	}
	return versionViewOf(v), nil
}

// answerExample starts the form with the answer to what stands in it, where that costs nothing to find out.
func (u *UI) answerExample(r *http.Request, v *versionView) {
	if !v.served || v.about.Problem != "" || !v.about.Native || v.about.InputExample == nil || v.form.showRaw {
		return
	}
	body, ok := v.form.body()
	if !ok {
		return
	}
	v.form.result = askWith(r, u.cfg.Scoring.Probe, v.version.Name, v.version.Version, body)
	if v.form.result.ok() {
		v.form.explained = u.explain(r.Context(), v.version.Name, v.version.Version, v.about, []byte(body))
	}
}

// ask scores a body for a page.
func (u *UI) ask(r *http.Request, name, version, body string) *tryResult {
	return askWith(r, u.cfg.Scoring.Score, name, version, body)
}

func askWith(r *http.Request, score func(ctx context.Context, name, selector string, body []byte, contentType string) ([]byte, int), name, version, body string) *tryResult {
	start := time.Now()
	answer, status := score(r.Context(), name, version, []byte(body), "application/json")
	return &tryResult{version: version, status: status, took: tookText(time.Since(start)), headline: headline(answer), answer: indent(answer)}
}

func tookText(d time.Duration) string {
	return strconv.FormatFloat(float64(d.Microseconds())/1000, 'f', 2, 64) + " ms"
}

// tryAgain is where a reloaded or copied address of an answer leads.
func (u *UI) tryAgain(r *http.Request) (view, error) {
	return view{location: string(versionURL(r.PathValue("name"), r.PathValue("version"))) + "#try"}, nil
}
