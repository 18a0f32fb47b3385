package serving

import (
	"net/http"
	"net/url"
	"strings"
)

// route is what a request's path asks for.
type route struct {
	name     string
	selector string
	action   string
}

// parseRoute reads the forms
//
//	/model/<name>/<version|stage|alias>/<action>
//	/model/<name>/<action>
//	/<name>/<action>
//
// where action is invocations, ping, health or version. The path is taken escaped, so that a name may
// hold any character.
func parseRoute(escaped string) (route, bool) {
	slash := strings.LastIndexByte(escaped, '/')
	if slash <= 0 || escaped[0] != '/' {
		return route{}, false
	}
	r := route{action: escaped[slash+1:]}
	switch r.action {
	case "invocations", "ping", "health", "version":
	default:
		return route{}, false
	}
	parts := strings.Split(escaped[1:slash], "/")
	switch {
	case len(parts) == 1 && parts[0] != "api" && parts[0] != "ajax-api" && parts[0] != "v2":
		r.name = parts[0]
	case len(parts) == 2 && parts[0] == "model":
		r.name = parts[1]
	case len(parts) == 3 && parts[0] == "model":
		r.name, r.selector = parts[1], parts[2]
		if r.selector == "" {
			return route{}, false
		}
	default:
		return route{}, false
	}
	return r.unescaped()
}

// unescaped is a route that was cut out of an escaped path, with its name and selector as they are meant.
func (r route) unescaped() (route, bool) {
	var err error
	if r.name, err = url.PathUnescape(r.name); err != nil || r.name == "" {
		return route{}, false
	}
	if r.selector, err = url.PathUnescape(r.selector); err != nil {
		return route{}, false
	}
	return r, true
}

// Model is the name of the model that a request to a scoring route asks for.
func (s *Server) Model(r *http.Request) (name string, ok bool) {
	path := r.URL.EscapedPath()
	if isV2(path) {
		route, _ := parseV2(path)
		return route.name, route.name != ""
	}
	route, ok := parseRoute(path)
	return route.name, ok
}

// Match tells whether a request's path is a scoring route, whatever its method.
func (s *Server) Match(r *http.Request) bool {
	path := r.URL.EscapedPath()
	if isV2(path) {
		return true
	}
	_, ok := parseRoute(path)
	return ok
}
