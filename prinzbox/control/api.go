package control

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"

	"github.com/prinzbox/prinzbox/prinzbox/calls"
	"github.com/prinzbox/prinzbox/prinzbox/faults"
	"github.com/prinzbox/prinzbox/registry"
	"github.com/prinzbox/prinzbox/registry/rest"
)

// Prefix is where the API lives.
const Prefix = "/api/prinzbox"

// Environment is what the API controls: an environment, or a namespace of one.
type Environment interface {
	Status(ctx context.Context) (Status, error)
	// Reset goes to a fresh state, "empty" or "seeded"; "" is the one that the environment began with. It clears calls and faults and puts clock
	// and ids back.
	Reset(ctx context.Context, to string) error
	// Seed makes the samples that are not there, and names all that were asked for.
	Seed(ctx context.Context, of Samples) ([]string, error)
	Snapshots(ctx context.Context) ([]Snapshot, error)
	Snapshot(ctx context.Context, name string) error
	Restore(ctx context.Context, name string) error
	DeleteSnapshot(ctx context.Context, name string) error
	Export(ctx context.Context, to io.Writer) error
	Import(ctx context.Context, from io.Reader) error

	// GC removes what is deleted for good, with its artifacts.
	GC(ctx context.Context, of Garbage) (Collected, error)
	// Verify compares all stored bytes with their hashes. Damage is no error.
	Verify(ctx context.Context) (Verified, error)

	Calls() *calls.Log
	Faults() *faults.Set
	Clock() *Clock
	IDs() *IDs
	// Persona is the MLflow server whose calls are all that there are, by name; SetPersona changes it.
	Persona() string
	SetPersona(name string) error
	// Target is where calls are sent again.
	Target() *calls.Target

	// Routes lists the models with what chooses their versions, or only those that have a setting.
	Routes(ctx context.Context, set bool) ([]Route, error)
	SetRoute(ctx context.Context, model string, to RouteSettings) (Route, error)
	// Stubs lists the versions that answer as a stub says.
	Stubs(ctx context.Context) ([]Stub, error)
	// Stub registers a version of a model that answers as a stub says, which is JSON.
	Stub(ctx context.Context, model string, stub json.RawMessage) (version string, err error)

	Namespaces(ctx context.Context) ([]Namespace, error)
	MakeNamespace(ctx context.Context, name string) (Namespace, error)
	// DeleteNamespace tells whether there was one.
	DeleteNamespace(ctx context.Context, name string) (bool, error)
}

// Config is what the API needs.
type Config struct {
	Environment Environment
	// Off says why the API is off; empty means on.
	Off string
	// Token, where it is not empty, is asked for in every request.
	Token string
	// Admin tells whether a request comes from an admin; nil where nobody is asked for a password.
	Admin func(r *http.Request) bool
	// Version is the program's.
	Version string
	// Done is closed when the server stops; nil never is.
	Done <-chan struct{}
}

// API answers requests below [Prefix].
type API struct {
	cfg    Config
	mux    *http.ServeMux
	routes []route
}

// New makes the API.
func New(c Config) *API {
	a := &API{cfg: c, mux: http.NewServeMux()}
	a.routes = a.table()
	for _, r := range a.routes {
		a.mux.HandleFunc(r.method+" "+Prefix+r.path, r.serve)
	}
	a.mux.HandleFunc(Prefix+"/", a.unknown)
	return a
}

// TokenHeader carries the token where the Authorization header is for something else.
const TokenHeader = "X-Prinzbox-Token" //nolint:gosec // the header's name, no token

// ServeHTTP answers a request, if its sender may ask.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	if err := a.admit(r); err != nil {
		if registry.IsCode(err, registry.Unauthenticated) {
			w.Header().Set("WWW-Authenticate", `Bearer realm="prinzbox"`)
		}
		rest.WriteError(w, err)
		return
	}
	a.mux.ServeHTTP(w, r)
}

func (a *API) admit(r *http.Request) error {
	if a.cfg.Off != "" {
		return registry.Errorf(registry.PermissionDenied, "The control API is off: %s.", a.cfg.Off)
	}
	if a.cfg.Token != "" {
		token := r.Header.Get(TokenHeader)
		if bearer, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok && token == "" {
			token = bearer
		}
		have, want := sha256.Sum256([]byte(token)), sha256.Sum256([]byte(a.cfg.Token))
		if subtle.ConstantTimeCompare(have[:], want[:]) != 1 {
			return registry.Errorf(registry.Unauthenticated, "The control API asks for the token that the server was started with (--control-token): send it as 'Authorization: Bearer TOKEN' or '%s: TOKEN'.", TokenHeader)
		}
	}
	if a.cfg.Admin != nil && !a.cfg.Admin(r) {
		return registry.Errorf(registry.PermissionDenied, "The control API is for admins only.")
	}
	// A page elsewhere can send forms and plain text without asking; it cannot send JSON, nor this header's other values.
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		if r.Header.Get("Sec-Fetch-Site") == "cross-site" {
			return registry.Errorf(registry.PermissionDenied, "Pages of other sites may not control the environment.")
		}
	}
	return nil
}

// unknown answers for paths and methods that are none.
func (a *API) unknown(w http.ResponseWriter, r *http.Request) {
	var allowed []string
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete} {
		if _, pattern := a.mux.Handler(&http.Request{Method: method, URL: r.URL, Host: r.Host}); pattern != Prefix+"/" && pattern != "" {
			allowed = append(allowed, method)
		}
	}
	if len(allowed) > 0 {
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		rest.WriteErrorStatus(w, http.StatusMethodNotAllowed, registry.EndpointNotFound, fmt.Sprintf("%s %s: use %s.", r.Method, r.URL.Path, strings.Join(allowed, " or ")))
		return
	}
	rest.WriteError(w, registry.Errorf(registry.EndpointNotFound, "There is no %s %s; %s/openapi.json lists what there is.", r.Method, r.URL.Path, Prefix))
}

// maxBody bounds the bodies of calls, but for imports and sessions.
const maxBody = 1 << 20

// maxSession bounds a session that is sent again.
const maxSession = 64 << 20

// none is no body, and an answer that says nothing.
type none struct{}

// route is one operation: how it is reached, what it takes and gives, and what does it.
type route struct {
	method, path, summary string
	params                []param
	in, out               reflect.Type // nil where there is none, or no JSON
	inType, outType       string       // media types, where it is no JSON
	example               any          // of the body
	serve                 http.HandlerFunc
}

// param is a parameter in the query.
type param struct {
	name, kind, doc string
}

// op makes a route of a function.
func op[In, Out any](method, path, summary string, example *In, f func(r *http.Request, in In) (Out, error)) route {
	t := route{method: method, path: path, summary: summary, in: reflect.TypeFor[In](), out: reflect.TypeFor[Out]()}
	if t.in == reflect.TypeFor[none]() {
		t.in = nil
	}
	if example != nil {
		t.example = *example
	}
	t.serve = func(w http.ResponseWriter, r *http.Request) {
		var in In
		if t.in != nil {
			if err := decode(w, r, &in); err != nil {
				rest.WriteError(w, err)
				return
			}
		}
		out, err := f(r, in)
		if err != nil {
			rest.WriteError(w, explain(err))
			return
		}
		writeJSON(w, out)
	}
	return t
}

// with adds parameters.
func (t route) with(params ...param) route {
	t.params = append(t.params, params...)
	return t
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v) // a client that went away
}

// decode reads a body of JSON; none at all is an empty object.
func decode(w http.ResponseWriter, r *http.Request, to any) error {
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return registry.Invalidf("The body has more than %d bytes.", maxBody)
		}
		return registry.Invalidf("The body could not be read: %v", err)
	}
	if len(strings.TrimSpace(string(text))) == 0 {
		return nil
	}
	mediaType, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	if mediaType = strings.TrimSpace(strings.ToLower(mediaType)); mediaType != "application/json" {
		return registry.Invalidf("Content-Type %.60q: send the body as application/json.", mediaType)
	}
	dec := json.NewDecoder(strings.NewReader(string(text)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(to); err != nil {
		return badBody(err, to)
	}
	if dec.More() {
		return registry.Invalidf("The body has more than one JSON value.")
	}
	return nil
}

func badBody(err error, to any) error {
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && e.Field != "" {
		return registry.Invalidf("%s: it is a JSON %s, and should be a %s.", e.Field, e.Value, typeName(e.Type))
	}
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return registry.Invalidf("%.60s: there is no such field; there are: %s.", name, strings.Join(fieldNames(reflect.TypeOf(to)), ", "))
	}
	return registry.Invalidf("The body is not the JSON that it should be: %v.", err)
}

func typeName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Struct, reflect.Map:
		return "object"
	case reflect.Slice:
		return "list"
	case reflect.Bool:
		return "boolean"
	case reflect.String:
		return "string"
	case reflect.Float64:
		return "number"
	}
	return "whole number"
}

// fieldNames are the names of an object's fields; of a list, those of its elements.
func fieldNames(t reflect.Type) []string {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	var names []string
	if t.Kind() == reflect.Struct {
		for f := range t.Fields() {
			if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" && name != "-" {
				names = append(names, name)
			}
		}
	}
	return names
}

// UserError is a mistake of whoever asked; its text says what is wrong and what to do.
type UserError struct {
	// Missing says that what was named is not there.
	Missing bool
	Err     error
}

func (e *UserError) Error() string { return e.Err.Error() }

// Unwrap gives the cause.
func (e *UserError) Unwrap() error { return e.Err }

// invalid makes a mistake of the asker of an error.
func invalid(err error) error {
	if err == nil {
		return nil
	}
	return &UserError{Err: err}
}

// explain turns an error into one with MLflow's codes.
func explain(err error) error {
	if _, ok := errors.AsType[*registry.Error](err); ok {
		return err
	}
	if e, ok := errors.AsType[*UserError](err); ok {
		if e.Missing {
			return registry.NotFoundf("%s", sentence(e.Error()))
		}
		return registry.Invalidf("%s", sentence(e.Error()))
	}
	if field, ok := errors.AsType[*faults.FieldError](err); ok {
		return registry.Invalidf("%s", sentence(field.Error()))
	}
	if not, ok := errors.AsType[*calls.NotReplayableError](err); ok {
		return registry.Invalidf("%s", sentence(not.Error()))
	}
	return err
}

// sentence is a message as the API's others are.
func sentence(text string) string {
	if text == "" || strings.HasSuffix(text, ".") {
		return text
	}
	return text + "."
}
