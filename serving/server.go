package serving

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/prinzbox/prinzbox/registry"
)

// Catalog finds registered versions.
type Catalog interface {
	// Resolve finds a version of a model. selector is "" for the current version (the one with the
	// greatest last_updated_timestamp), a version number, a stage in any case, an alias, or the
	// model's own name, which Prinz's Databricks strategy sends and which means the current version.
	// A name or version that is not there is a *registry.Error of RESOURCE_DOES_NOT_EXIST.
	Resolve(ctx context.Context, name, selector string) (Version, error)
}

// changing is a Catalog that can tell when its answers may have changed; then they are remembered until
// that happens.
type changing interface{ Generation() uint64 }

// Version is a registered model version.
type Version struct {
	Name   string
	Number string
	// Source is the URI of the model directory.
	Source string
	RunID  string
	// Updated is last_updated_timestamp in milliseconds.
	Updated int64
}

// Config is what a Server needs. Catalog and Objects are required.
type Config struct {
	Catalog Catalog
	Objects Objects
	// Log gets failures that are the server's own; nil discards them.
	Log *slog.Logger
	// MaxBody is the greatest request body in bytes (default 64 MiB).
	MaxBody int64
	// Version is what the /version routes answer (default 3.17.2, the MLflow release that is followed).
	Version string
	// Fallback loads what no engine here scores; nil means that such models are refused.
	Fallback Fallback
	// CacheSize is the number of models kept loaded (default 256).
	CacheSize int
}

// Server scores registered models over HTTP.
type Server struct {
	cfg      Config
	cache    *cache
	changing changing
	resolved atomic.Pointer[resolutions]
	buffers  sync.Pool
}

// resolutions are the answers of the catalog at one generation.
type resolutions struct {
	generation uint64
	mu         sync.RWMutex
	versions   map[route]Version
}

// New makes a server; nothing is loaded before the first request.
func New(cfg Config) *Server {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.MaxBody <= 0 {
		cfg.MaxBody = 64 << 20
	}
	if cfg.Version == "" {
		cfg.Version = "3.17.2"
	}
	if cfg.CacheSize <= 0 {
		cfg.CacheSize = 256
	}
	s := &Server{cfg: cfg, cache: newCache(cfg.Objects, cfg.Fallback, cfg.CacheSize)}
	s.changing, _ = cfg.Catalog.(changing)
	s.buffers.New = func() any { return new(bytes.Buffer) }
	return s
}

// maxRemembered bounds the resolutions of one generation.
const maxRemembered = 10_000

func (s *Server) resolve(ctx context.Context, name, selector string) (Version, error) {
	if s.changing == nil {
		return s.cfg.Catalog.Resolve(ctx, name, selector)
	}
	generation := s.changing.Generation()
	known := s.resolved.Load()
	if known == nil || known.generation != generation {
		known = &resolutions{generation: generation, versions: map[route]Version{}}
		s.resolved.Store(known)
	}
	key := route{name: name, selector: selector}
	known.mu.RLock()
	v, ok := known.versions[key]
	known.mu.RUnlock()
	if ok {
		return v, nil
	}
	v, err := s.cfg.Catalog.Resolve(ctx, name, selector)
	if err != nil {
		return v, err
	}
	known.mu.Lock()
	if len(known.versions) < maxRemembered {
		known.versions[key] = v
	}
	known.mu.Unlock()
	return v, nil
}

// load finds and loads a version.
func (s *Server) load(ctx context.Context, name, selector string) (Version, *Loaded, error) {
	v, err := s.resolve(ctx, name, selector)
	if err != nil {
		return v, nil, err
	}
	if v.Source == "" {
		return v, nil, registry.NotFoundf("Model version %s/%s has no source.", v.Name, v.Number)
	}
	l, err := s.cache.get(ctx, v.Source)
	return v, l, err
}

// ServeHTTP answers the scoring routes; see [Server.Match].
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	at, ok := parseRoute(r.URL.EscapedPath())
	if !ok {
		s.write(w, http.StatusNotFound, jsonType, []byte(`{"detail":"Not Found"}`))
		return
	}
	if at.action == "invocations" {
		if r.Method != http.MethodPost {
			s.notAllowed(w, "POST")
			return
		}
		s.invocations(w, r, at)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		s.notAllowed(w, "GET")
		return
	}
	_, _, err := s.load(r.Context(), at.name, at.selector)
	switch {
	case err != nil:
		body, status := s.failure(err)
		s.write(w, status, jsonType, body)
	case at.action == "version":
		s.write(w, http.StatusOK, jsonType, []byte(s.cfg.Version))
	default:
		s.write(w, http.StatusOK, jsonType, []byte("\n"))
	}
}

const (
	jsonType = "application/json"
	textType = "text/plain; charset=utf-8"
)

func (s *Server) notAllowed(w http.ResponseWriter, allow string) {
	w.Header().Set("Allow", allow)
	s.write(w, http.StatusMethodNotAllowed, jsonType, []byte(`{"detail":"Method Not Allowed"}`))
}

func (s *Server) write(w http.ResponseWriter, status int, contentType string, body []byte) {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that went away is no concern of ours
}

func (s *Server) invocations(w http.ResponseWriter, r *http.Request, at route) {
	_, model, err := s.load(r.Context(), at.name, at.selector)
	if err != nil {
		body, status := s.failure(err)
		s.write(w, status, jsonType, body)
		return
	}
	buf := s.buffers.Get().(*bytes.Buffer)
	buf.Reset()
	defer func() {
		if buf.Cap() <= 1<<20 {
			s.buffers.Put(buf)
		}
	}()
	if err := s.read(buf, r); err != nil {
		if _, ok := errors.AsType[*tooLargeError](err); ok {
			w.Header().Set("Connection", "close")
			body, _ := s.failure(registry.Invalidf("%v", err))
			s.write(w, http.StatusRequestEntityTooLarge, jsonType, body)
			return
		}
		body, status := s.failure(registry.Errorf(registry.BadRequest, "The request body could not be read: %v", err))
		s.write(w, status, jsonType, body)
		return
	}
	a := s.score(r.Context(), model, buf.Bytes(), r.Header.Get("Content-Type"))
	s.write(w, a.status, a.contentType, a.body)
}

type tooLargeError struct{ limit int64 }

func (e *tooLargeError) Error() string {
	return "The request body is larger than the limit of " + strconv.FormatInt(e.limit, 10) + " bytes. Send fewer rows at a time."
}

func (s *Server) read(buf *bytes.Buffer, r *http.Request) error {
	limit := s.cfg.MaxBody
	if r.ContentLength > limit {
		return &tooLargeError{limit}
	}
	if r.ContentLength > 0 {
		buf.Grow(int(r.ContentLength) + bytes.MinRead)
	}
	n, err := buf.ReadFrom(io.LimitReader(r.Body, limit+1))
	if err == nil && n > limit {
		err = &tooLargeError{limit}
	}
	return err
}
