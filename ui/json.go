package ui

import (
	"net/http"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/prinzbox/prinzbox/registry"
)

// writeJSON answers the script: with a body, or with an error as MLflow's API words it.
func (u *UI) writeJSON(w http.ResponseWriter, r *http.Request, body any, err error) {
	status := http.StatusOK
	if err != nil {
		b := registry.Body(err)
		if body, status = b, b.Code.HTTPStatus(); status >= http.StatusInternalServerError && r.Context().Err() == nil {
			u.cfg.Log.Error("no answer for the script", "path", r.URL.Path, "error", err)
		}
	}
	data, err := encodeJSON(body)
	if err != nil {
		u.cfg.Log.Error("answer not encoded", "path", r.URL.Path, "error", err)
		data, status = []byte("{}"), http.StatusInternalServerError
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-cache")
	u.gzip.send(w, r, status, data)
}

// readable lays a JSON value out for people: indented when it is long, with the characters that Python's encoder writes as escapes. What is no
// JSON stays as it is.
func readable(raw []byte) string {
	const wide = 100
	lenient := jsontext.AllowDuplicateNames(true)
	short, err := jsontext.AppendFormat(nil, raw, lenient, jsontext.AllowInvalidUTF8(true))
	if err != nil || len(short) <= wide {
		if err != nil {
			short = raw
		}
		return string(short)
	}
	long, err := jsontext.AppendFormat(nil, raw, lenient, jsontext.AllowInvalidUTF8(true), jsontext.WithIndent("  "))
	if err != nil {
		return string(raw)
	}
	return string(long)
}
