package rest

import (
	"bytes"
	"encoding/json"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"sync"

	"github.com/prinzbox/prinzbox/registry"
)

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// maxKeptBuffer is the largest buffer, in bytes, that waits for the next answer.
const maxKeptBuffer = 1 << 20

// writeJSON answers with a value as JSON.
func writeJSON(w http.ResponseWriter, status int, v any) {
	buf := buffers.Get().(*bytes.Buffer)
	defer func() {
		if buf.Cap() <= maxKeptBuffer {
			buffers.Put(buf)
		}
	}()
	buf.Reset()
	if a, ok := v.(appender); ok {
		text := a.appendJSON(buf.AvailableBuffer())
		*buf = *bytes.NewBuffer(text) // it keeps what has grown
		write(w, status, text)
		return
	}
	enc := json.NewEncoder(buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		status = http.StatusInternalServerError
		buf.Reset()
		_ = enc.Encode(registry.Body(err))
	}
	write(w, status, buf.Bytes())
}

func write(w http.ResponseWriter, status int, body []byte) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that went away
}

// WriteError answers with an error as MLflow does: status, code and message. It is the one place where errors become answers.
func WriteError(w http.ResponseWriter, err error) {
	body := registry.Body(err)
	writeJSON(w, body.Code.HTTPStatus(), body)
}

// WriteErrorStatus is WriteError for an answer whose status is not that of its code, such as 413.
func WriteErrorStatus(w http.ResponseWriter, status int, code registry.Code, message string) {
	writeJSON(w, status, registry.Body(registry.Errorf(code, "%s", message)))
}

// legacyJSON encodes an answer for the /preview/ paths, whose clients (MLflow 1.x up to about 1.20) want every int64 as text and every
// list present (contract/behaviours.md, section 13).
func legacyJSON(v any) []byte { return append(appendLegacy(nil, reflect.ValueOf(v)), '\n') }

func appendLegacy(b []byte, v reflect.Value) []byte {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return append(b, "null"...)
		}
		return appendLegacy(b, v.Elem())
	case reflect.Int64, reflect.Int:
		b = append(b, '"')
		b = strconv.AppendInt(b, v.Int(), 10)
		return append(b, '"')
	case reflect.Slice:
		b = append(b, '[')
		for i := range v.Len() {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendLegacy(b, v.Index(i))
		}
		return append(b, ']')
	case reflect.Struct:
		b = append(b, '{')
		first := true
		b = appendLegacyFields(b, v, &first)
		return append(b, '}')
	}
	text, err := json.Marshal(v.Interface())
	if err != nil {
		return append(b, "null"...)
	}
	return append(b, text...)
}

func appendLegacyFields(b []byte, v reflect.Value, first *bool) []byte {
	t := v.Type()
	for i := range t.NumField() {
		name, options, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		f := v.Field(i)
		if t.Field(i).Anonymous && name == "" {
			b = appendLegacyFields(b, f, first)
			continue
		}
		if name == "-" || name == "" || options == "omitempty" && f.Kind() != reflect.Slice && f.IsZero() {
			continue
		}
		if !*first {
			b = append(b, ',')
		}
		*first = false
		b = strconv.AppendQuote(b, name)
		b = append(b, ':')
		b = appendLegacy(b, f)
	}
	return b
}
