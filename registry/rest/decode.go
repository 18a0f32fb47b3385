package rest

import (
	"bytes"
	"errors"
	"io"
	"math"
	"reflect"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/prinzbox/prinzbox/registry"
)

// decoder reads a JSON body into a request struct as leniently as MLflow does, without a copy of the body's tree.
type decoder struct {
	dec *jsontext.Decoder
	// ownNames means that required fields of the request itself must come under their own names, not in camelCase.
	ownNames bool
}

// body decodes a whole body. A body that is no JSON object counts as an empty one, so that required fields are reported first; then notJSON says what was
// wrong. A body that is a JSON string is decoded once more, for old clients that encode twice.
func (d decoder) body(p *plan, v reflect.Value, body []byte) (notJSON, err error) {
	switch d.dec.PeekKind() {
	case '{':
		err = d.object(p, v, true)
	case '"':
		tok, terr := d.dec.ReadToken()
		if terr != nil {
			return terr, nil
		}
		inner := []byte(tok.String())
		again := decoder{dec: jsontext.NewDecoder(bytes.NewReader(inner), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)), ownNames: d.ownNames}
		if again.dec.PeekKind() != '{' {
			return errors.New("it is a JSON string"), nil
		}
		err = again.object(p, v, true)
		d = again
	default:
		if _, terr := d.dec.ReadValue(); terr != nil && errors.Is(terr, io.EOF) && len(bytes.TrimSpace(body)) == 0 {
			return nil, nil // no body at all is an empty request
		} else if terr != nil {
			return terr, nil
		}
		return errors.New("it is a JSON array, number or literal"), nil
	}
	if bad, ok := errors.AsType[*badField](err); ok {
		return nil, bad.invalid()
	}
	if _, ok := errors.AsType[*registry.Error](err); ok {
		return nil, err
	}
	if err == nil {
		if _, terr := d.dec.ReadToken(); terr == nil || !errors.Is(terr, io.EOF) {
			err = errors.New("something follows the JSON object")
		}
	}
	if err != nil {
		v.SetZero()
		return err, nil
	}
	return nil, nil
}

func (d decoder) object(p *plan, v reflect.Value, top bool) error {
	if _, err := d.dec.ReadToken(); err != nil {
		return err
	}
	var seen [64]string // by field, the spelling it came under
	for d.dec.PeekKind() != '}' {
		tok, err := d.dec.ReadToken()
		if err != nil {
			return err
		}
		name := tok.String()
		n, ok := p.names[name]
		if !ok {
			if err := d.dec.SkipValue(); err != nil {
				return err
			}
			continue
		}
		f := p.fields[n]
		if seen[n] != "" && seen[n] != name && (name == camel(f.name) || seen[n] == camel(f.name)) {
			return registry.Invalidf("Request specifies both '%s' and '%s'; provide only one of them.", f.name, camel(f.name))
		}
		older := name == f.alias && seen[n] == f.name
		if !older && d.dec.PeekKind() != 'n' {
			seen[n] = name
		}
		if older || d.ownNames && top && f.onlyCamel(name) {
			if err := d.dec.SkipValue(); err != nil {
				return err
			}
			continue
		}
		if err := d.value(v.Field(f.index)); err != nil {
			return under(err, f.name)
		}
	}
	_, err := d.dec.ReadToken()
	return err
}

// badField is a field that is missing, or whose value has the wrong type. Its path is put together on the way out, so that a good
// request pays nothing for it.
type badField struct {
	path string
	raw  jsontext.Value // nil: missing
}

func (e *badField) Error() string { return "bad value at " + e.path }

// invalid is MLflow's error for it.
func (e *badField) invalid() error {
	if e.raw == nil {
		return missingValue(e.path)
	}
	return wrongType(e.path, e.raw)
}

// under puts a field's name or a "[index]" before the path of a bad field.
func under(err error, name string) error {
	if bad, ok := errors.AsType[*badField](err); ok {
		switch {
		case bad.path == "":
			bad.path = name
		case bad.path[0] == '[':
			bad.path = name + bad.path
		default:
			bad.path = name + "." + bad.path
		}
	}
	return err
}

// maxEnum is above the numbers of every enumeration of MLflow's protocol but below what a typo makes of one.
const maxEnum = 10

func (d decoder) value(v reflect.Value) error {
	kind := d.dec.PeekKind()
	if kind == 'n' {
		return d.dec.SkipValue() // null is the same as absent
	}
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	if v.Type() == rawJSONType {
		raw, err := d.dec.ReadValue()
		v.SetBytes(raw.Clone())
		return err
	}
	switch v.Kind() {
	case reflect.String:
		if kind == '"' {
			tok, err := d.dec.ReadToken()
			if err != nil {
				return err
			}
			v.SetString(tok.String())
			return nil
		}
		if kind == '0' && v.Type() == enumType {
			raw, err := d.dec.ReadValue()
			if n, ok := parseInt(string(raw)); err == nil && (!ok || n < 0 || n > maxEnum) {
				return &badField{raw: raw.Clone()}
			}
			v.SetString(string(raw))
			return err
		}
	case reflect.Int64, reflect.Int, reflect.Float64:
		if kind == '"' || kind == '0' {
			return d.number(v)
		}
	case reflect.Bool:
		if kind == 't' || kind == 'f' {
			_, err := d.dec.ReadToken()
			v.SetBool(kind == 't')
			return err
		}
	case reflect.Slice:
		if kind == '[' {
			return d.list(v)
		}
	case reflect.Struct:
		if kind == '{' {
			return d.object(planOf(v.Type()), v, false)
		}
	case reflect.Map:
		if kind == '{' {
			return d.texts(v)
		}
	}
	raw, err := d.dec.ReadValue()
	if err != nil {
		return err
	}
	return &badField{raw: raw.Clone()}
}

func (d decoder) number(v reflect.Value) error {
	raw, err := d.dec.ReadValue()
	if err != nil {
		return err
	}
	text := string(raw)
	if raw.Kind() == '"' {
		if text, err = strconv.Unquote(text); err != nil {
			return &badField{raw: raw.Clone()}
		}
	}
	if v.Kind() != reflect.Float64 {
		n, ok := parseInt(text)
		if !ok {
			return &badField{raw: raw.Clone()}
		}
		v.SetInt(n)
		return nil
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil && !math.IsInf(f, 0) {
		return &badField{raw: raw.Clone()}
	}
	v.SetFloat(f)
	return nil
}

func (d decoder) list(v reflect.Value) error {
	if v.Type().Elem().Kind() == reflect.String {
		return d.strings(v)
	}
	if _, err := d.dec.ReadToken(); err != nil {
		return err
	}
	v.Set(reflect.MakeSlice(v.Type(), 0, 0))
	for i := 0; d.dec.PeekKind() != ']'; i++ {
		if i == v.Cap() {
			v.Grow(max(4, v.Cap()))
		}
		v.SetLen(i + 1)
		v.Index(i).SetZero()
		if err := d.value(v.Index(i)); err != nil {
			return under(err, "["+strconv.Itoa(i)+"]")
		}
	}
	_, err := d.dec.ReadToken()
	return err
}

// strings reads a list of texts. An item of another type is an error about the whole list, as in MLflow.
func (d decoder) strings(v reflect.Value) error {
	raw, err := d.dec.ReadValue()
	if err != nil {
		return err
	}
	raw = raw.Clone()
	items := jsontext.NewDecoder(bytes.NewReader(raw), jsontext.AllowInvalidUTF8(true))
	if _, err := items.ReadToken(); err != nil {
		return err
	}
	list := []string{}
	for items.PeekKind() != ']' {
		tok, err := items.ReadToken()
		if err != nil {
			return err
		}
		if tok.Kind() != '"' {
			return &badField{raw: raw}
		}
		list = append(list, tok.String())
	}
	v.Set(reflect.ValueOf(list).Convert(v.Type()))
	return nil
}

func (d decoder) texts(v reflect.Value) error {
	if _, err := d.dec.ReadToken(); err != nil {
		return err
	}
	v.Set(reflect.MakeMap(v.Type()))
	for d.dec.PeekKind() != '}' {
		key, err := d.dec.ReadToken()
		if err != nil {
			return err
		}
		name := key.String()
		item := reflect.New(v.Type().Elem()).Elem()
		if err := d.value(item); err != nil {
			return under(err, name)
		}
		v.SetMapIndex(reflect.ValueOf(name), item)
	}
	_, err := d.dec.ReadToken()
	return err
}
