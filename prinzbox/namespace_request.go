package prinzbox

import (
	"encoding/base64"
	"encoding/xml"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/prinzbox/prinzbox/registry"
	"github.com/prinzbox/prinzbox/registry/rest"
)

// The ways in which a request says which namespace it is for. Each is what some unmodified client can send.
const (
	// NamespaceHeader is for whoever can set a header.
	NamespaceHeader = "X-Prinzbox-Namespace"
	// namespacePrefix is for MLFLOW_TRACKING_URI=http://HOST:5000/ns/NAME, and for the static values.
	namespacePrefix = "/ns/"
	// namespaceLabel is for hosts, NAME.ns.HOST, and S3 access keys, KEY.ns.NAME.
	namespaceLabel = ".ns."
	// namespaceCredential is for MLFLOW_TRACKING_TOKEN=ns:NAME, and for user "ns" with the name as password.
	namespaceCredential = "ns:"
)

// route tells which space a request is for, and gives the request as that space should see it. Without any of the signs above it costs a look
// at each.
func (e *Env) route(listener int, r *http.Request) (*space, *http.Request, error) {
	name := ""
	agree := true
	say := func(said string) {
		if name != "" && said != name {
			agree = false
		}
		name = said
	}
	if values := r.Header[NamespaceHeader]; len(values) > 0 {
		say(values[0])
	}
	if said, _, ok := namespaceOfHost(r.Host); ok {
		say(said)
	}
	if name != "" && !e.namespaced {
		return nil, r, namespaceErrorf("There are no namespaces here: start the server with --namespaces on, or on a loopback address.")
	}
	if !e.namespaced {
		return e.space, r, nil
	}
	if listener == onS3 {
		if said, ok := namespaceOfKey(accessKeyOf(r)); ok {
			say(said)
		}
	} else if strings.HasPrefix(r.URL.Path, namespacePrefix) {
		said, _, _ := strings.Cut(r.URL.Path[len(namespacePrefix):], "/")
		if isName(said) {
			say(said)
			r = withoutPrefix(r, said)
		}
	}
	if listener == onMain && e.cfg.Auth.AppName == "" {
		if said, ok := namespaceOfCredential(r.Header.Get("Authorization")); ok {
			say(said)
		}
	}
	switch {
	case !agree:
		return nil, r, namespaceErrorf("The request names two namespaces: host, path, credential and %s must agree.", NamespaceHeader)
	case name == "":
		return e.space, r, nil
	}
	s, err := e.namespace(name)
	return s, r, err
}

// enterFor gives the world that answers a request, which stays until leave, and the request as it should see it.
func (e *Env) enterFor(listener int, r *http.Request) (*world, *http.Request, error) {
	for {
		s, routed, err := e.route(listener, r)
		if err != nil {
			return nil, r, err
		}
		if s.name != "" {
			s.used.Store(time.Now().UnixMilli())
		}
		w, err := s.enter(r.Context())
		if err == nil || s.name == "" || !errors.Is(err, errClosed) || e.closed.Load() {
			return w, routed, err
		}
		// The namespace has just been deleted: another one takes its place.
	}
}

// namespaceOfHost reads NAME.ns.HOST, or BUCKET.NAME.ns.HOST. The base is HOST, as it came.
func namespaceOfHost(host string) (name, base string, ok bool) {
	name, base, ok = strings.Cut(host, namespaceLabel)
	if !ok {
		return "", host, false
	}
	name = strings.ToLower(name)
	if dot := strings.LastIndexByte(name, '.'); dot >= 0 {
		name = name[dot+1:]
	}
	return name, base, true
}

// namespaceOfKey reads KEY.ns.NAME.
func namespaceOfKey(accessKey string) (string, bool) {
	i := strings.LastIndex(accessKey, namespaceLabel)
	if i < 0 {
		return "", false
	}
	return accessKey[i+len(namespaceLabel):], true
}

// accessKeyOf is the access key that a request to the S3 store is signed with, in header or query.
func accessKeyOf(r *http.Request) string {
	authorization := r.Header.Get("Authorization")
	if _, after, ok := strings.Cut(authorization, "Credential="); ok {
		key, _, _ := strings.Cut(after, "/")
		return key
	}
	if after, ok := strings.CutPrefix(authorization, "AWS "); ok { // version 2
		key, _, _ := strings.Cut(after, ":")
		return key
	}
	for _, parameter := range []string{"X-Amz-Credential=", "AWSAccessKeyId="} {
		if _, after, ok := strings.Cut(r.URL.RawQuery, parameter); ok {
			value, _, _ := strings.Cut(after, "&")
			if value, err := url.QueryUnescape(value); err == nil {
				key, _, _ := strings.Cut(value, "/")
				return key
			}
		}
	}
	return ""
}

// namespaceOfCredential reads the bearer token ns:NAME, or user "ns" with the name as password.
func namespaceOfCredential(authorization string) (string, bool) {
	scheme, value, ok := strings.Cut(authorization, " ")
	if !ok {
		return "", false
	}
	switch {
	case strings.EqualFold(scheme, "Bearer"):
		return strings.CutPrefix(value, namespaceCredential)
	case strings.EqualFold(scheme, "Basic"):
		decoded, err := base64.StdEncoding.DecodeString(value)
		if err != nil {
			return "", false
		}
		return strings.CutPrefix(string(decoded), namespaceCredential)
	}
	return "", false
}

// withoutPrefix is the request without /ns/NAME in its path.
func withoutPrefix(r *http.Request, name string) *http.Request {
	prefix := namespacePrefix + name
	u := *r.URL
	u.Path = strings.TrimPrefix(u.Path, prefix)
	u.RawPath = strings.TrimPrefix(u.RawPath, prefix) // a name needs no escapes
	if u.Path == "" {
		u.Path = "/"
	}
	stripped := *r
	stripped.URL = &u
	return &stripped
}

// toHost leads a browser from /ns/NAME/ to NAME.ns.HOST, since the links of the pages begin at the root. It tells whether it answered.
func (e *Env) toHost(w http.ResponseWriter, r *http.Request, s *space, original *http.Request) bool {
	if s.name == "" || r.URL == original.URL || r.Method != http.MethodGet && r.Method != http.MethodHead ||
		!strings.Contains(r.Header.Get("Accept"), "text/html") || isAPI(r.URL.Path) || strings.HasPrefix(r.URL.Path, mlflowUIPath) {
		return false
	}
	host, port, err := net.SplitHostPort(r.Host)
	if err != nil {
		host, port = r.Host, ""
	}
	if isLoopback(host) {
		host = "localhost"
	}
	if net.ParseIP(host) != nil {
		http.Error(w, "The pages of a namespace need a host name: open this server by a name instead of an address, then "+s.name+".ns.NAME-OF-THE-SERVER.", http.StatusNotFound)
		return true
	}
	target := *r.URL
	target.Scheme, target.Host = e.cfg.TLS.scheme(), s.name+namespaceLabel+host
	if port != "" {
		target.Host += ":" + port
	}
	http.Redirect(w, r, target.String(), http.StatusTemporaryRedirect)
	return true
}

// writeRouteError answers a request whose namespace cannot be had.
func (e *Env) writeRouteError(w http.ResponseWriter, listener int, err error) {
	var refused *NamespaceError
	switch {
	case errors.Is(err, errClosed):
		http.Error(w, "The server is stopping.", http.StatusServiceUnavailable)
	case !errors.As(err, &refused):
		e.cfg.Log.Error("namespace not opened", "error", err)
		rest.WriteErrorStatus(w, http.StatusInternalServerError, registry.InternalError, "The namespace could not be opened; the server's log has the details.")
	case listener == onS3:
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(http.StatusBadRequest)
		_ = xml.NewEncoder(w).Encode(struct { // a client that went away
			XMLName xml.Name `xml:"Error"`
			Code    string
			Message string
		}{Code: "InvalidRequest", Message: refused.Message})
	default:
		rest.WriteErrorStatus(w, http.StatusBadRequest, registry.InvalidParameterValue, refused.Message)
	}
}

// in gives the addresses and keys of a namespace.
func (r Ready) in(name string) Ready {
	if name == "" {
		return r
	}
	prefix := namespacePrefix + name
	r.TrackingURI += prefix
	r.GUIURL = r.TrackingURI + "/"
	r.StaticURL += prefix
	r.AccessKey += namespaceLabel + name
	if r.MLflowUIURL != "" {
		r.MLflowUIURL = r.TrackingURI + mlflowUIPath + "/"
	}
	return r
}

// ownKey is an access key without the namespace in it.
func (e *world) ownKey(accessKey string) string {
	if e.space.name == "" {
		return accessKey
	}
	return strings.TrimSuffix(accessKey, namespaceLabel+e.space.name)
}

// ownPath is a path at this server without the namespace in it.
func (e *world) ownPath(path string) string {
	if e.space.name == "" {
		return path
	}
	return strings.TrimPrefix(path, namespacePrefix+e.space.name)
}
