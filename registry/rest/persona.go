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
	// methods are those of each path; wildcards knows the paths with a part that is not fixed.
	methods   map[string][]string
	wildcards *http.ServeMux
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
		p.generation, p.methods, p.wildcards = i, map[string][]string{}, http.NewServeMux()
		for _, row := range personaRows() {
			method, path, _ := strings.Cut(row, " ")
			switch l := lifetimeOf(method, path); {
			case i < l.since || l.until < i:
			case strings.Contains(path, "{"):
				p.wildcards.Handle(method+" "+muxPath(path), http.NotFoundHandler())
			default:
				p.methods[path] = append(p.methods[path], method)
				if method == http.MethodGet {
					p.methods[path] = append(p.methods[path], http.MethodHead)
				}
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
	for _, api := range []string{"/api", "/ajax-api"} {
		proxy := api + "/2.0/mlflow-artifacts/"
		rows = append(rows, "GET "+proxy+"artifacts", "GET "+proxy+"artifacts/{path...}", "PUT "+proxy+"artifacts/{path...}", "DELETE "+proxy+"artifacts/{path...}",
			"POST "+proxy+"mpu/create/{path...}", "POST "+proxy+"mpu/complete/{path...}", "POST "+proxy+"mpu/abort/{path...}", "GET "+proxy+"presigned/{path...}")
	}
	slices.Sort(rows)
	return slices.Compact(rows)
}

// personaOutside are calls outside the table, beside the artifact proxy's.
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
	case strings.Contains(path, "/mlflow-artifacts/presigned/"):
		return lifetime{of3, of3}
	case strings.Contains(path, "/mlflow-artifacts/mpu/"):
		return lifetime{of2, of3}
	case strings.Contains(path, "/mlflow-artifacts/"):
		return lifetime{of130, of3}
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

// decides tells whether a path is one of MLflow's API. Those of prinzbox itself are the same for all personas.
func decides(path string) bool {
	switch path {
	case "/version", "/graphql", "/v1/traces", "/get-artifact", "/model-versions/get-artifact":
		return true
	}
	return strings.HasPrefix(path, "/ajax-api/") || strings.HasPrefix(path, "/api/") && !strings.HasPrefix(path, ownPrefix)
}

// ownPrefix is where prinzbox's own API is.
const ownPrefix = "/api/prinzbox/"

// has tells whether the server has a call.
func (p *Persona) has(r *http.Request) bool {
	if slices.Contains(p.methods[r.URL.Path], r.Method) {
		return true
	}
	_, pattern := p.wildcards.Handler(r)
	return pattern != ""
}

// allowed are the methods of a path, none where the server has no such path.
func (p *Persona) allowed(r *http.Request) []string {
	var methods []string
	asked := http.Request{URL: r.URL, Host: r.Host}
	for _, asked.Method = range []string{http.MethodDelete, http.MethodGet, http.MethodHead, http.MethodPatch, http.MethodPost, http.MethodPut} {
		if p.has(&asked) {
			methods = append(methods, asked.Method)
		}
	}
	if methods != nil {
		methods = append(methods, http.MethodOptions)
	}
	slices.Sort(methods)
	return methods
}

// Serve answers a request as the server of the persona: calls that it does not have as it answers them, and all others by next. Whoever
// asks for passwords does so before: the servers do, too.
func (p *Persona) Serve(w http.ResponseWriter, r *http.Request, next http.Handler) {
	path := r.URL.Path
	switch {
	case !decides(path):
		next.ServeHTTP(w, r)
	case !p.has(r):
		p.refuse(w, r)
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

// refuse answers what the server has no call for as Flask does in all of MLflow's servers.
func (p *Persona) refuse(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	status, title, text := http.StatusNotFound, "Not Found", "The requested URL was not found on the server. If you entered the URL manually please check your spelling and try again."
	// Of the traces' path Flask knows nothing.
	if methods := p.allowed(r); methods != nil && r.URL.Path != "/v1/traces" {
		h.Set("Allow", strings.Join(methods, ", "))
		if r.Method == http.MethodOptions {
			if p.generation == of3 && (strings.HasPrefix(r.URL.Path, "/api/") || strings.HasPrefix(r.URL.Path, "/ajax-api/")) {
				w.WriteHeader(http.StatusNoContent) // since 3 MLflow answers those of its API itself
			}
			return
		}
		status, title, text = http.StatusMethodNotAllowed, "Method Not Allowed", "The method is not allowed for the requested URL."
	}
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, "<!doctype html>\n<html lang=en>\n<title>%d %s</title>\n<h1>%s</h1>\n<p>%s</p>\n", status, title, title, text)
}
