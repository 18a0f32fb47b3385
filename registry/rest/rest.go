// Package rest is MLflow over HTTP: one table of routes, one generic adapter that binds a request, calls an operation and writes its
// answer, and thin operations per noun over the registry.
package rest

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/prinzbox/prinzbox/registry"
	"github.com/prinzbox/prinzbox/registry/sqldb"
)

// Artifacts is what the API needs of the place where artifacts are.
type Artifacts interface {
	// List gives one level of the directory path below an artifact location, sorted by path. A directory that is not there, or a
	// file, is an empty list.
	List(ctx context.Context, location, path string) ([]File, error)
	// Serve answers with one file below an artifact location.
	Serve(w http.ResponseWriter, r *http.Request, location, path string)
	// Put stores one file below an artifact location, completely or not at all. size is in bytes, or -1 if unknown.
	Put(ctx context.Context, location, path string, r io.Reader, size int64) error
	// Delete removes all that is at or below an artifact location. Where there is nothing is no error.
	Delete(ctx context.Context, location string) error
	// CleanPath checks a path that a client sent; MLflow's "Invalid path" if it climbs.
	CleanPath(path string) (string, error)
}

// File is MLflow's FileInfo message; Path is relative to the artifact location. Size is bytes, left out for directories and empty files.
type File struct {
	Path  string `json:"path"`
	IsDir bool   `json:"is_dir"`
	Size  int64  `json:"file_size,omitempty"`
}

// Config is what the API needs.
type Config struct {
	Store     *registry.Store
	Artifacts Artifacts
	// Presigner may be nil: then there are no presigned URLs.
	Presigner Presigner
	Log       *slog.Logger
	// Version is the MLflow version that /version answers; clients decide by it what they may call.
	Version string
	// MaxBody is the largest JSON body in bytes.
	MaxBody int64
	// Auth is asked what each caller may do; the caller's [registry.Access] must be in the request's context. nil means that everybody may do
	// everything, and that there are no users.
	Auth *registry.Auth
	// ArtifactPath gives the path below the environment's artifact root that a URI leads to, if it does: users must not get at each other's
	// files by naming them as their own. May be nil.
	ArtifactPath func(uri string) (path string, ok bool)
	// Webhooks checks and tests webhooks; the store's Deliver should be its Deliver. nil means one of the API's own.
	Webhooks *Webhooks
}

// API answers MLflow's REST calls.
type API struct {
	cfg Config
	*registry.Store
}

// New makes an API.
func New(cfg Config) *API {
	if cfg.Webhooks == nil {
		cfg.Webhooks = NewWebhooks(WebhooksConfig{Log: cfg.Log})
	}
	return &API{cfg: cfg, Store: cfg.Store}
}

// operation is one call of the table, ready to be routed.
type operation func(a *API, c *gin.Context, legacy bool)

// rpc adapts an operation: bind, call, encode, error.
func rpc[Req, Resp any](fn func(a *API, ctx context.Context, req *Req) (Resp, error)) operation {
	return func(a *API, c *gin.Context, legacy bool) {
		var req Req
		if err := bind(c.Request, c.Param, &req, a.cfg.MaxBody); err != nil {
			a.fail(c, err)
			return
		}
		if !a.allowed(c, &req) {
			return
		}
		resp, err := fn(a, c.Request.Context(), &req)
		if err != nil {
			a.fail(c, err)
			return
		}
		a.redact(c.Request.Context(), &resp)
		if legacy {
			write(c.Writer, http.StatusOK, legacyJSON(resp))
			return
		}
		writeJSON(c.Writer, http.StatusOK, resp)
	}
}

// do adapts an operation whose answer is {}.
func do[Req any](fn func(a *API, ctx context.Context, req *Req) error) operation {
	return rpc(func(a *API, ctx context.Context, req *Req) (struct{}, error) { return struct{}{}, fn(a, ctx, req) })
}

func (a *API) fail(c *gin.Context, err error) {
	if errors.Is(err, errTooLarge) {
		// Close: the rest of the body is not worth reading.
		c.Header("Connection", "close")
		WriteErrorStatus(c.Writer, http.StatusRequestEntityTooLarge, registry.InvalidParameterValue,
			"The request body is larger than this server takes; split the request, or upload files as artifacts.")
		return
	}
	if errors.Is(err, errDenied) {
		WriteDenied(c.Writer)
		return
	}
	if text, ok := errors.AsType[textError](err); ok {
		writeText(c.Writer, http.StatusBadRequest, string(text))
		return
	}
	if sqldb.IsDuplicate(err) {
		a.cfg.Log.Warn("an id was given twice", "method", c.Request.Method, "path", c.Request.URL.Path, "error", err)
		err = registry.Errorf(registry.ResourceAlreadyExists, "The id that this would get is there already: ids of a seed that was set twice without a reset between come twice.")
	}
	var user *registry.Error
	if !errors.As(err, &user) && c.Request.Context().Err() == nil {
		a.cfg.Log.Error("internal error", "method", c.Request.Method, "path", c.Request.URL.Path, "error", err)
	}
	WriteError(c.Writer, err)
}

// Mount adds every route to a gin engine. What answers GET answers HEAD too, as probes (wget --spider, curl -I) ask; net/http leaves the body out.
func (a *API) Mount(engine gin.IRouter) {
	Mount(engine, a.cfg.Auth != nil, func(*http.Request) *API { return a })
}

// Mount adds the routes of many APIs to one gin engine, since making the hundreds of routes takes longer than making an API: of gives the one that
// answers a request. All of them have users, or none has.
func Mount(engine gin.IRouter, users bool, of func(*http.Request) *API) {
	r := withHead{engine}
	for _, e := range served(users) {
		op := guarded(e)
		for _, prefix := range e.prefixes() {
			legacy := strings.Contains(prefix, "/preview")
			r.Handle(e.method, prefix+ginPath(e.path), func(c *gin.Context) { op(of(c.Request), c, legacy) })
		}
	}
	for _, n := range notYet {
		for _, prefix := range []string{"/api/" + n.version, "/ajax-api/" + n.version} {
			r.Handle(n.method, prefix+ginPath(n.path), func(c *gin.Context) {
				WriteError(c.Writer, registry.Errorf(registry.NotImplemented, "%s %s is not served: %s", n.method, n.path, n.reason))
			})
		}
	}
	add := func(method, path string, handle func(*API, *gin.Context)) {
		r.Handle(method, path, func(c *gin.Context) { handle(of(c.Request), c) })
	}
	add(http.MethodGet, "/version", func(a *API, c *gin.Context) { c.String(http.StatusOK, a.cfg.Version) })
	add(http.MethodGet, "/graphql", (*API).serveGraphQL)
	add(http.MethodPost, "/graphql", (*API).serveGraphQL)
	add(http.MethodPost, "/v1/traces", before(exportRule, (*API).exportTraces))
	for _, version := range []string{"2.0", "3.0"} {
		add(http.MethodGet, "/ajax-api/"+version+"/mlflow/get-trace-artifact", before(traceArtifact, (*API).getTraceArtifact))
	}
	add(http.MethodGet, "/get-artifact", before(artifactOfRun(registry.ActionRead), (*API).getArtifact))
	add(http.MethodGet, "/model-versions/get-artifact", before(readVersion, (*API).getVersionArtifact))
}

// withHead adds to each route of GET one of HEAD.
type withHead struct{ r gin.IRouter }

func (h withHead) Handle(method, path string, handler gin.HandlerFunc) {
	h.r.Handle(method, path, handler)
	if method == http.MethodGet {
		h.r.Handle(http.MethodHead, path, handler)
	}
}

// reads tells whether a request is a GET, or a HEAD, which asks the same.
func reads(r *http.Request) bool { return r.Method == http.MethodGet || r.Method == http.MethodHead }

// ginPath writes {x} as gin's :p1, :p2 …: gin wants one name for a place in a path, MLflow has several.
func ginPath(path string) string {
	parts := strings.Split(path, "/")
	n := 0
	for i, p := range parts {
		if !strings.HasPrefix(p, "{") {
			continue
		}
		n++
		mark := ":"
		if strings.HasSuffix(p, "...}") {
			mark = "*"
		}
		parts[i] = mark + "p" + string(rune('0'+n))
	}
	return strings.Join(parts, "/")
}
