package rest

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Persona is an MLflow server whose calls are all that the API then has. It cannot be changed.
type Persona struct {
	// Name is what chooses it: 1.13, 1.30, 2 or 3. Version is that server's, as its /version says, where it has one (from 2 on).
	Name, Version string
	generation    int
	mux           *http.ServeMux
}

// The generations of servers: their places in generations.
const (
	of113 = iota
	of130
	of2
	of3
)

var generations = []Persona{{Name: "1.13", Version: "1.13.1"}, {Name: "1.30", Version: "1.30.1"}, {Name: "2", Version: "2.22.5"}, {Name: "3", Version: "3.17.2"}}

// AutoPersona is the name of no persona: the request decides.
const AutoPersona = "auto"

// FindPersona gives the persona of a name; nil for "auto" and "".
func FindPersona(name string) (*Persona, error) {
	if name == "" || name == AutoPersona {
		return nil, nil //nolint:nilnil // no persona is one
	}
	for i := range generations {
		if generations[i].Name == name {
			return personas()[i], nil
		}
	}
	return nil, fmt.Errorf("persona %.40q: use auto, 1.13, 1.30, 2 or 3", name)
}

// personas are made when one is first asked for.
var personas = sync.OnceValue(func() []*Persona {
	all := make([]*Persona, len(generations))
	for i := range generations {
		p := generations[i]
		p.generation, p.mux = i, http.NewServeMux()
		for _, row := range personaRows() {
			method, path, _ := strings.Cut(row, " ")
			if l := lifetimeOf(method, path); l.since <= i && i <= l.until {
				p.mux.Handle(method+" "+muxPath(path), http.NotFoundHandler())
			}
		}
		all[i] = &p
	}
	return all
})

// muxPath names the wildcards of a path as net/http takes them.
func muxPath(path string) string {
	parts := strings.Split(path, "/")
	for i, part := range parts {
		if strings.HasPrefix(part, "{") && !strings.HasSuffix(part, "...}") {
			parts[i] = "{p" + strconv.Itoa(i) + "}"
		}
	}
	return strings.Join(parts, "/")
}

// personaRows are all calls that a persona decides about: "METHOD /path".
func personaRows() []string {
	rows := slices.Clone(personaOutside)
	for _, e := range append(slices.Clone(table), authTable...) {
		for _, prefix := range e.prefixes() {
			rows = append(rows, e.method+" "+prefix+e.path)
		}
	}
	for _, n := range notYet {
		rows = append(rows, n.method+" /api/"+n.version+n.path, n.method+" /ajax-api/"+n.version+n.path)
	}
	slices.Sort(rows)
	return slices.Compact(rows)
}

// personaOutside are calls outside the table.
var personaOutside = []string{
	"GET /version", "GET /graphql", "POST /graphql", "POST /v1/traces", "GET /get-artifact", "GET /model-versions/get-artifact",
	"GET /ajax-api/2.0/mlflow/get-trace-artifact", "GET /ajax-api/3.0/mlflow/get-trace-artifact",
}

// lifetime is the first and the last generation that has a call.
type lifetime struct{ since, until int }

// lifetimes are those of calls of version 2.0 that are not of all generations, by method and path or by a path's beginning. What they say is
// held against answers of the servers themselves (testdata/persona).
var lifetimes = []struct {
	method, path string
	lifetime
}{
	{"", "/mlflow/experiments/list", lifetime{of113, of130}},
	{"", "/mlflow/registered-models/list", lifetime{of113, of130}},
	{"", "/mlflow/experiments/search-datasets", lifetime{of2, of3}},
	{"", "/mlflow/experiments/search", lifetime{of130, of3}},
	{"", "/mlflow/experiments/delete-experiment-tag", lifetime{of3, of3}},
	{"", "/mlflow/runs/log-inputs", lifetime{of2, of3}},
	{"", "/mlflow/runs/outputs", lifetime{of3, of3}},
	{"", "/mlflow/runs/create-promptlab-run", lifetime{of2, of3}},
	{"", "/mlflow/metrics/get-history-bulk", lifetime{of2, of3}},
	{"", "/mlflow/artifacts/presigned", lifetime{of3, of3}},
	{"", "/mlflow/logged-models", lifetime{of3, of3}},
	{"POST", "/mlflow/registered-models/get-latest-versions", lifetime{of130, of3}},
	{"", "/mlflow/registered-models/alias", lifetime{of2, of3}},
	{"", "/mlflow/webhooks", lifetime{of3, of3}},
	{"", "/mlflow/upload-artifact", lifetime{of2, of3}},
	{"", "/mlflow/gateway-proxy", lifetime{of2, of3}},
	{"", "/mlflow/get-trace-artifact", lifetime{of2, of3}},
	{"", "/mlflow/traces/link", lifetime{of3, of3}},
	{"", "/mlflow/traces", lifetime{of2, of3}},
	{"", "/mlflow/users", lifetime{of2, of3}},
	{"", "/mlflow/get-online-trace-details", lifetime{of3, of3}},
	{"", "/mlflow/unified-traces", lifetime{of3, of3}},
}

// notInPreview are calls that 1.x servers had on the plain paths only.
var notInPreview = []string{" /mlflow/experiments/get-by-name", " /mlflow/experiments/search", "POST /mlflow/registered-models/get-latest-versions"}

func lifetimeOf(method, path string) lifetime {
	switch {
	case path == "/version" || path == "/graphql":
		return lifetime{of2, of3}
	case path == "/v1/traces" || strings.Contains(path, "api/3.0/"):
		return lifetime{of3, of3}
	}
	l := lifetime{of113, of3}
	i := strings.Index(path, "/mlflow/")
	if i < 0 {
		return l
	}
	call := path[i:]
	for _, x := range lifetimes {
		if strings.HasPrefix(call, x.path) && (x.method == "" || x.method == method) {
			l = x.lifetime
			break
		}
	}
	if strings.HasSuffix(path[:i], "/preview") {
		l.until = min(l.until, of130)
		for _, x := range notInPreview {
			if x == " "+call || x == method+" "+call {
				l.until = -1
			}
		}
	}
	return l
}

// decides tells whether a path is one of MLflow's that differ between servers.
func decides(path string) bool {
	switch path {
	case "/version", "/graphql", "/v1/traces", "/get-artifact", "/model-versions/get-artifact":
		return true
	}
	rest, ok := strings.CutPrefix(strings.TrimPrefix(path, "/ajax-api"), "/api")
	if !ok && !strings.HasPrefix(path, "/ajax-api/") {
		return false
	}
	return strings.HasPrefix(rest, "/2.0/mlflow/") || strings.HasPrefix(rest, "/3.0/") || strings.HasPrefix(rest, "/2.0/preview/")
}

// Serve answers a request as the server of the persona: calls that it does not have as it answers them, and all others by next.
func (p *Persona) Serve(w http.ResponseWriter, r *http.Request, next http.Handler) {
	path := r.URL.Path
	proxy := strings.Contains(path, "api/2.0/mlflow-artifacts/") && strings.Index(path, "api/2.0/mlflow-artifacts/") <= len("/ajax-")
	switch {
	case proxy && p.generation == of113:
		refuse(w, http.StatusNotFound)
		return
	case proxy || !decides(path):
		next.ServeHTTP(w, r)
		return
	}
	var allowed []string
	for _, method := range []string{http.MethodDelete, http.MethodGet, http.MethodHead, http.MethodPatch, http.MethodPost, http.MethodPut} {
		if _, pattern := p.mux.Handler(&http.Request{Method: method, URL: r.URL, Host: r.Host}); pattern != "" {
			allowed = append(allowed, method)
		}
	}
	switch {
	case allowed == nil:
		refuse(w, http.StatusNotFound)
	case r.Method != http.MethodOptions && !slices.Contains(allowed, r.Method):
		w.Header().Set("Allow", strings.Join(append(allowed, http.MethodOptions), ", "))
		refuse(w, http.StatusMethodNotAllowed)
	case path == "/version":
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, p.Version) // a client that went away
	default:
		next.ServeHTTP(w, p.onItsPaths(r))
	}
}

// onItsPaths moves a call of 1.13 to the preview path, whose answers have 64-bit integers as text, and one of 1.30 away from it: that server
// wrote numbers on both.
func (p *Persona) onItsPaths(r *http.Request) *http.Request {
	from, to := "/2.0/mlflow/", "/2.0/preview/mlflow/"
	if p.generation != of113 {
		from, to = to, from
	}
	if !strings.Contains(r.URL.Path, from) {
		return r
	}
	moved, u := *r, *r.URL
	u.Path, u.RawPath = strings.Replace(u.Path, from, to, 1), strings.Replace(u.RawPath, from, to, 1)
	moved.URL = &u
	return &moved
}

// refuse answers as Flask does in all of MLflow's servers.
func refuse(w http.ResponseWriter, status int) {
	title, text := "Not Found", "The requested URL was not found on the server. If you entered the URL manually please check your spelling and try again."
	if status == http.StatusMethodNotAllowed {
		title, text = "Method Not Allowed", "The method is not allowed for the requested URL."
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, "<!doctype html>\n<html lang=en>\n<title>%d %s</title>\n<h1>%s</h1>\n<p>%s</p>\n", status, title, title, text)
}
