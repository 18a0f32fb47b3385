package rest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"sync"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/prinzbox/prinzbox/registry"
)

// A request type is a plain struct. Tags of its fields:
//
//	json:"run_id"        the wire name; the camelCase spelling is accepted too
//	req:"true"           absent, null or "" is "Missing value for required parameter"
//	alias:"run_uuid"     an older name of the same field; it counts only where the name itself is absent
//	path:"model_id"      taken from the path
//
// Pointers mark fields whose absence matters.

// enum is a field of an enumeration: its name, or its number as text.
type enum string

var enumType = reflect.TypeFor[enum]()

type field struct {
	name     string
	alias    string
	index    int
	required bool
}

// onlyCamel tells whether a spelling does not count: a required field must come under its own name, as in MLflow.
func (f field) onlyCamel(spelling string) bool {
	return f.required && spelling != f.name && spelling == camel(f.name)
}

type plan struct {
	fields []field
	// names maps every accepted spelling to a field.
	names map[string]int
	path  map[string]int
}

var plans sync.Map // reflect.Type -> *plan; types are fixed, so this is a memo, not state

func planOf(t reflect.Type) *plan {
	if p, ok := plans.Load(t); ok {
		return p.(*plan)
	}
	p := &plan{names: map[string]int{}, path: map[string]int{}}
	for i := range t.NumField() {
		f := t.Field(i)
		if name := f.Tag.Get("path"); name != "" {
			p.path[name] = i
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" || name == "-" {
			continue
		}
		n := len(p.fields)
		alias := f.Tag.Get("alias")
		p.fields = append(p.fields, field{name: name, alias: alias, index: i, required: f.Tag.Get("req") == "true"})
		for _, spelling := range []string{name, camel(name), alias} {
			if spelling != "" {
				p.names[spelling] = n
			}
		}
	}
	got, _ := plans.LoadOrStore(t, p)
	return got.(*plan)
}

func camel(snake string) string {
	parts := strings.Split(snake, "_")
	for i, p := range parts[1:] {
		if p != "" {
			parts[i+1] = strings.ToUpper(p[:1]) + p[1:]
		}
	}
	return strings.Join(parts, "")
}

const seeDocs = " See the API docs for more information about request parameters."

func missingValue(path string) error {
	return registry.Invalidf("Missing value for required parameter '%s'.%s", path, seeDocs)
}

// bind fills *req from a request: from the query of a GET, else from the JSON body (contract/behaviours.md, section 1).
func bind(r *http.Request, pathValue func(string) string, req any, maxBody int64) error {
	v := reflect.ValueOf(req).Elem()
	if v.Kind() != reflect.Struct {
		return fmt.Errorf("request type %s is no struct", v.Type())
	}
	p := planOf(v.Type())
	var notJSON error
	if reads(r) && (r.URL.RawQuery != "" || r.ContentLength == 0) {
		query, err := url.ParseQuery(r.URL.RawQuery)
		if err != nil {
			return registry.Invalidf("The query string is malformed: %v", err)
		}
		if err := bindQuery(p, v, query); err != nil {
			return err
		}
	} else {
		if err := checkContentType(r, len(p.fields)); err != nil {
			return err
		}
		body, err := readBody(r, maxBody)
		if err != nil {
			return err
		}
		d := decoder{dec: jsontext.NewDecoder(bytes.NewReader(body), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)), ownNames: true}
		if notJSON, err = d.body(p, v, body); err != nil {
			return err
		}
	}
	for name, i := range p.path {
		v.Field(i).SetString(pathValue(name))
	}
	if bad := p.required(v); bad != nil {
		return bad.invalid()
	}
	if notJSON != nil {
		return registry.Invalidf("The request body is not a JSON object: %v", notJSON)
	}
	return nil
}

func checkContentType(r *http.Request, fields int) error {
	if reads(r) || r.Method == http.MethodDelete {
		return nil // whatever body there is, is read as JSON
	}
	header := r.Header.Get("Content-Type")
	if header == "" {
		if fields == 0 {
			return nil
		}
		return registry.Invalidf("Bad Request. Content-Type header is missing.")
	}
	// ParseMediaType makes it lower case; MLflow takes no other than this spelling.
	if media, _, err := mime.ParseMediaType(header); err != nil || media != "application/json" || !strings.HasPrefix(strings.TrimSpace(header), media) {
		return registry.Invalidf("Bad Request. Content-Type must be one of ['application/json'].")
	}
	return nil
}

// errTooLarge is answered with 413; its body is MLflow's.
var errTooLarge = errors.New("request body too large")

func readBody(r *http.Request, limit int64) ([]byte, error) {
	if r.ContentLength > limit {
		return nil, errTooLarge
	}
	var buf bytes.Buffer
	if r.ContentLength > 0 {
		buf.Grow(int(r.ContentLength) + bytes.MinRead)
	}
	n, err := buf.ReadFrom(io.LimitReader(r.Body, limit+1))
	if err != nil {
		return nil, registry.Invalidf("The request body could not be read: %v", err)
	}
	if n > limit {
		return nil, errTooLarge
	}
	return buf.Bytes(), nil
}

// required finds the first required field that is missing.
func (p *plan) required(v reflect.Value) *badField {
	for _, f := range p.fields {
		fv := v.Field(f.index)
		if f.required && empty(fv) {
			return &badField{path: f.name}
		}
		for fv.Kind() == reflect.Pointer && !fv.IsNil() {
			fv = fv.Elem()
		}
		switch {
		case fv.Kind() == reflect.Struct:
			if bad := planOf(fv.Type()).required(fv); bad != nil {
				_ = under(bad, f.name)
				return bad
			}
		case fv.Kind() == reflect.Slice && fv.Type().Elem().Kind() == reflect.Struct:
			inner := planOf(fv.Type().Elem())
			for i := range fv.Len() {
				if bad := inner.required(fv.Index(i)); bad != nil {
					_ = under(bad, f.name+"["+strconv.Itoa(i)+"]")
					return bad
				}
			}
		}
	}
	return nil
}

func empty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.String:
		return v.Len() == 0
	case reflect.Slice, reflect.Map: // an empty list is a value
		return v.IsNil()
	case reflect.Pointer:
		return v.IsNil() || v.Elem().Kind() == reflect.String && v.Elem().Len() == 0
	}
	return false
}

func bindQuery(p *plan, v reflect.Value, query url.Values) error {
	for name, values := range query {
		n, ok := p.names[name]
		if !ok || len(values) == 0 {
			continue
		}
		f := p.fields[n]
		if f.onlyCamel(name) || name == f.alias && query.Has(f.name) {
			continue
		}
		if err := setText(v.Field(f.index), values, f.name); err != nil {
			return err
		}
	}
	return nil
}

// setText sets a field from the texts of a query.
func setText(v reflect.Value, values []string, name string) error {
	text := values[0]
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		return setText(v.Elem(), values, name)
	case reflect.String:
		v.SetString(text)
	case reflect.Slice:
		if v.Type().Elem().Kind() != reflect.String {
			return wrongType(name, jsontext.Value(strconv.Quote(text)))
		}
		list := reflect.MakeSlice(v.Type(), len(values), len(values))
		for i, s := range values {
			list.Index(i).SetString(s)
		}
		v.Set(list)
	case reflect.Int64, reflect.Int:
		n, ok := parseInt(text)
		if !ok {
			return wrongType(name, jsontext.Value(strconv.Quote(text)))
		}
		v.SetInt(n)
	case reflect.Bool:
		switch strings.ToLower(text) {
		case "true", "false":
			v.SetBool(strings.EqualFold(text, "true"))
		default:
			return registry.Invalidf("Invalid boolean value: %s, must be 'true' or 'false'.", text)
		}
	case reflect.Float64:
		f, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return wrongType(name, jsontext.Value(strconv.Quote(text)))
		}
		v.SetFloat(f)
	default:
		return wrongType(name, jsontext.Value(strconv.Quote(text)))
	}
	return nil
}

// parseInt reads an integer, also written as an integral float.
func parseInt(text string) (int64, bool) {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n, true
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || f != float64(int64(f)) || f >= 1<<63 || f < -1<<63 {
		return 0, false
	}
	return int64(f), true
}

// wrongType is MLflow's message for a value of the wrong type; it names the Python type.
func wrongType(path string, raw jsontext.Value) error {
	python := map[jsontext.Kind]string{'"': "str", '{': "dict", '[': "list", 't': "bool", 'f': "bool", 'n': "NoneType", '0': "int"}[raw.Kind()]
	if python == "int" && bytes.ContainsAny(raw, ".eE") {
		python = "float"
	}
	if raw.Kind() == '{' || raw.Kind() == '[' {
		_ = raw.Compact() // it was read as one value, so it is valid
	}
	const limit = 200
	if len(raw) > limit {
		raw = append(raw[:limit:limit], "..."...)
	}
	return registry.Invalidf("Invalid value %s for parameter '%s' supplied:  Hint: Value was of type '%s'.%s", raw, path, python, seeDocs)
}
