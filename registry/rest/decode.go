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
		err = d.object(p, v, "")
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
		err = again.object(p, v, "")
		d = again
	default:
		if _, terr := d.dec.ReadValue(); terr != nil && errors.Is(terr, io.EOF) && len(bytes.TrimSpace(body)) == 0 {
			return nil, nil // no body at all is an empty request
		} else if terr != nil {
			return terr, nil
		}
		return errors.New("it is a JSON array, number or literal"), nil
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

func (d decoder) object(p *plan, v reflect.Value, path string) error {
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
		seen[n] = name
		if d.ownNames && path == "" && f.onlyCamel(name) {
			if err := d.dec.SkipValue(); err != nil {
				return err
			}
			continue
		}
		if err := d.value(v.Field(f.index), join(path, f.name)); err != nil {
			return err
		}
	}
	_, err := d.dec.ReadToken()
	return err
}

// maxEnum is above the numbers of every enumeration of MLflow's protocol but below what a typo makes of one.
const maxEnum = 10

func (d decoder) value(v reflect.Value, path string) error {
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
				return wrongType(path, raw.Clone())
			}
			v.SetString(string(raw))
			return err
		}
	case reflect.Int64, reflect.Int, reflect.Float64:
		if kind == '"' || kind == '0' {
			return d.number(v, path)
		}
	case reflect.Bool:
		if kind == 't' || kind == 'f' {
			_, err := d.dec.ReadToken()
			v.SetBool(kind == 't')
			return err
		}
	case reflect.Slice:
		if kind == '[' {
			return d.list(v, path)
		}
	case reflect.Struct:
		if kind == '{' {
			return d.object(planOf(v.Type()), v, path)
		}
	case reflect.Map:
		if kind == '{' {
			return d.texts(v, path)
		}
	}
	raw, err := d.dec.ReadValue()
	if err != nil {
		return err
	}
	return wrongType(path, raw.Clone())
}

func (d decoder) number(v reflect.Value, path string) error {
	raw, err := d.dec.ReadValue()
	if err != nil {
		return err
	}
	text := string(raw)
	if raw.Kind() == '"' {
		if text, err = strconv.Unquote(text); err != nil {
			return wrongType(path, raw.Clone())
		}
	}
	if v.Kind() != reflect.Float64 {
		n, ok := parseInt(text)
		if !ok {
			return wrongType(path, raw.Clone())
		}
		v.SetInt(n)
		return nil
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil && !math.IsInf(f, 0) {
		return wrongType(path, raw.Clone())
	}
	v.SetFloat(f)
	return nil
}

func (d decoder) list(v reflect.Value, path string) error {
	if v.Type().Elem().Kind() == reflect.String {
		return d.strings(v, path)
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
		if err := d.value(v.Index(i), path+"["+strconv.Itoa(i)+"]"); err != nil {
			return err
		}
	}
	_, err := d.dec.ReadToken()
	return err
}

// strings reads a list of texts. An item of another type is an error about the whole list, as in MLflow.
func (d decoder) strings(v reflect.Value, path string) error {
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
			return wrongType(path, raw)
		}
		list = append(list, tok.String())
	}
	v.Set(reflect.ValueOf(list).Convert(v.Type()))
	return nil
}

func (d decoder) texts(v reflect.Value, path string) error {
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
		if err := d.value(item, join(path, name)); err != nil {
			return err
		}
		v.SetMapIndex(reflect.ValueOf(name), item)
	}
	_, err := d.dec.ReadToken()
	return err
}
