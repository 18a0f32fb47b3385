package prinzbox

import (
	"io"
	"net/http"
	"strconv"
)

// staticValues are what Prinz's proxy samples fetch (facts/prinz.md): each body is parsed as JSON, so the quotes of "F" belong to it.
var staticValues = map[string]string{
	"/static/int":     "42\n",
	"/static/double":  "42.42\n",
	"/static/boolean": "true\n",
	"/static/string":  "\"F\"\n",
}

func serveStatic(w http.ResponseWriter, r *http.Request) {
	value, ok := staticValues[r.URL.Path]
	switch {
	case !ok:
		http.Error(w, "There are /static/int, /static/double, /static/boolean and /static/string.", http.StatusNotFound)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "Static values can only be read.", http.StatusMethodNotAllowed)
	default:
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("Content-Length", strconv.Itoa(len(value)))
		_, _ = io.WriteString(w, value) // a client that went away
	}
}
