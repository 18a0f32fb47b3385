// Package ui is the environment's GUI: pages rendered on the server, one style sheet and one small script, all embedded.
// Every page can be read without JavaScript; the script adds copying, scoring in place, the palette and keys.
package ui

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/a-h/templ"

	"github.com/prinzbox/prinzbox/registry"
)

// Config is what the GUI needs from its environment.
type Config struct {
	Store *registry.Store
	// Scoring answers the try-it forms; nil means that this environment serves no models.
	Scoring Scoring
	// Artifacts reads the files of runs; nil means that they cannot be shown.
	Artifacts Artifacts
	// Objects is the S3 store of the pages of buckets; nil means that there is none.
	Objects *Objects
	// Environment is asked on each request, since addresses are known only when the listeners are open.
	Environment func() Environment
	Clock       func() time.Time
	// API answers requests below /api/ as the environment itself does, for the user of the request's context: the pages of calls, faults and
	// administration are made of it. nil leaves them out.
	API http.Handler
	// Log gets errors that a user may not see; nil means slog's default.
	Log *slog.Logger
}

// UI is the GUI of one environment. It answers every path that it is given: an unknown one gets a page that says so,
// so it can be mounted as the fallback of a router.
type UI struct {
	cfg    Config
	assets assets
	gzip   compressors
	// markdown lays out notes.
	markdown markdown
	handler  http.Handler
}

// New makes the GUI.
func New(cfg Config) *UI {
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	u := &UI{cfg: cfg, assets: newAssets(), markdown: newMarkdown()}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /assets/{hash}/{file}", u.assets.serve)
	mux.HandleFunc("POST /theme", setTheme)
	mux.HandleFunc("GET /palette.json", u.palette)
	mux.HandleFunc("GET /points.json", u.points)
	mux.HandleFunc("GET /experiments/{id}/words.json", u.words)
	mux.HandleFunc("GET /runs/{id}/view", u.viewFile)
	mux.HandleFunc("GET /runs/{id}/zip", u.zipFolder)
	u.modelRoutes(mux)
	u.objectRoutes(mux)
	u.traceRoutes(mux)
	u.promptRoutes(mux)
	u.datasetRoutes(mux)
	u.loggedModelRoutes(mux)
	u.operatorRoutes(mux)
	for pattern, p := range map[string]page{
		"GET /{$}":                    u.home,
		"GET /experiments":            u.experiments,
		"GET /experiments/{id}":       u.experiment,
		"POST /experiments/{id}/runs": u.changeRuns,
		"GET /runs/{id}":              u.run,
		"POST /runs/{id}":             u.changeRun,
		"GET /runs/{id}/chart":        u.runChart,
		"GET /compare":                u.compare,
		"/":                           u.noPage,
	} {
		mux.HandleFunc(pattern, u.show(p))
	}
	u.handler = secure(u.forbidden, mux)
	return u
}

// ServeHTTP answers a request of a browser.
func (u *UI) ServeHTTP(w http.ResponseWriter, r *http.Request) { u.handler.ServeHTTP(w, r) }

// page makes one page of a request. A *registry.Error becomes an error page with its status and message.
type page func(r *http.Request) (view, error)

// view is a page before the frame is put around it.
type view struct {
	title string
	// section is the entry of the navigation that the page belongs to: "home", "experiments", "models", "traces", "prompts", "datasets", "s3", "calls", "faults" or "admin".
	section string
	// status is 200 when zero.
	status int
	// location redirects there instead of showing anything.
	location string
	// scripts are assets that the page needs beside app.js.
	scripts []string
	body    templ.Component
}

// frame is what every page has around its body.
type frame struct {
	title, section, theme, version, back string
	scripts                              []string
	assets                               assets
	// operates tells that there are pages of calls, faults and administration.
	operates bool
}

// show renders the page whole before the first byte is sent, so that a failure is never half a page.
func (u *UI) show(p page) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v, err := p(r)
		if err != nil {
			v = u.errorView(r, err)
		}
		u.write(w, r, v)
	}
}

func (u *UI) write(w http.ResponseWriter, r *http.Request, v view) {
	if v.location != "" {
		http.Redirect(w, r, v.location, http.StatusSeeOther)
		return
	}
	if v.status == 0 {
		v.status = http.StatusOK
	}
	f := frame{title: v.title, section: v.section, theme: theme(r), version: u.cfg.Environment().Version, back: r.URL.RequestURI(), scripts: v.scripts, assets: u.assets, operates: u.cfg.API != nil}
	var buf bytes.Buffer
	if err := layout(f, v.body).Render(r.Context(), &buf); err != nil {
		u.cfg.Log.Error("page not rendered", "path", r.URL.Path, "error", err)
		http.Error(w, "The page could not be rendered; the server's log has the details.", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-cache")
	u.gzip.send(w, r, v.status, buf.Bytes())
}

// errorView is the page for an error. What is not for users' eyes goes to the log.
func (u *UI) errorView(r *http.Request, err error) view {
	body := registry.Body(err)
	status := body.Code.HTTPStatus()
	var known *registry.Error
	switch {
	case errors.As(err, &known):
	case errors.Is(err, context.Canceled):
		status = 499
	default:
		u.cfg.Log.Error("page failed", "path", r.URL.Path, "error", err)
	}
	return view{title: http.StatusText(status), status: status, body: errorPage(status, body.Message)}
}

func (u *UI) noPage(r *http.Request) (view, error) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return view{}, registry.Errorf(registry.EndpointNotFound, "There is no endpoint %s %s.", r.Method, r.URL.Path)
	}
	return view{}, registry.Errorf(registry.EndpointNotFound, "There is no page at %s.", r.URL.Path)
}

// forbidden answers a form that another site has sent.
func (u *UI) forbidden(w http.ResponseWriter, r *http.Request) {
	err := registry.Errorf(registry.PermissionDenied, "This form was sent from another site. Open the page here and send it again.")
	u.write(w, r, u.errorView(r, err))
}

// isUserError tells whether an error belongs beside the field that caused it.
func isUserError(err error) (message string, ok bool) {
	var e *registry.Error
	if errors.As(err, &e) && e.Code.HTTPStatus() == http.StatusBadRequest {
		return e.Message, true
	}
	return "", false
}
