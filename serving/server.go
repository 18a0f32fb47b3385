package serving

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	mathrand "math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Catalog finds registered versions.
type Catalog interface {
	// Resolve finds a version of a model. selector is "" for the current version (the one with the
	// greatest last_updated_timestamp), a version number, a stage in any case, an alias, or the
	// model's own name, which Prinz's Databricks strategy sends and which means the current version.
	// A name or version that is not there is a *registry.Error of RESOURCE_DOES_NOT_EXIST.
	Resolve(ctx context.Context, name, selector string) (Version, error)
	// Tags are those of the registered model. A name that is not there is a *registry.Error of RESOURCE_DOES_NOT_EXIST.
	Tags(ctx context.Context, name string) (map[string]string, error)
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
	// Tags are those of the version.
	Tags map[string]string
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
	// Release is this program's version, which /v2 answers.
	Release string
	// Fallback loads what no engine here scores; nil means that such models are refused.
	Fallback Fallback
	// CacheSize is the number of models kept loaded (default 256).
	CacheSize int
	// CurrentAlias is an alias that, where a model has it, is the current version of it; empty for none. [TagCurrent] wins over it.
	CurrentAlias string
	// UpstreamHosts are the hosts, as HOST or HOST:PORT, beside this machine's own that [TagUpstream] may lead to.
	UpstreamHosts []string
	// UpstreamTimeout is how long such a server may take to begin its answer (default 60 s, as MLflow's own server).
	UpstreamTimeout time.Duration
	// Clock gives the time of failures, NewID an id for requests that bring none, Random numbers in [0, 1) for splits. The default
	// is the real time, and chance. They are called by many goroutines.
	Clock  func() time.Time
	NewID  func() string
	Random func() float64
}

// Server scores registered models over HTTP.
type Server struct {
	cfg      Config
	cache    *cache
	changing changing
	resolved atomic.Pointer[resolutions]
	buffers  sync.Pool
	metrics  metrics
	failures failures
	shadows  shadows
	stubs    stubs
	upstream upstreams
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
	if cfg.UpstreamTimeout <= 0 {
		cfg.UpstreamTimeout = time.Minute
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.NewID == nil {
		cfg.NewID = func() string {
			var b [16]byte
			_, _ = rand.Read(b[:]) // never fails
			return hex.EncodeToString(b[:])
		}
	}
	if cfg.Random == nil {
		cfg.Random = mathrand.Float64
	}
	s := &Server{cfg: cfg, cache: newCache(cfg.Objects, cfg.Fallback, cfg.CacheSize)}
	s.changing, _ = cfg.Catalog.(changing)
	s.buffers.New = func() any { return new(bytes.Buffer) }
	s.shadows.open(s)
	s.upstream.open(cfg)
	return s
}

// Close drops the copies that wait for shadow versions, lets the one under way end, and closes connections to upstream servers.
func (s *Server) Close() error {
	s.shadows.close()
	s.upstream.close()
	return nil
}

// ServeHTTP answers the scoring routes; see [Server.Match].
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if path := r.URL.EscapedPath(); isV2(path) {
		s.serveV2(w, r, path)
		return
	}
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
		s.exchange(w, r, at, mlflow{s})
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		s.notAllowed(w, "GET")
		return
	}
	t, model, err := s.load(r.Context(), at.name, at.selector)
	if t != nil {
		w.Header()[VersionHeader] = t.counters.header
	}
	if err == nil {
		if up, ok := model.Model.(*upstream); ok {
			up.pass(w, r, at.action, func(answer) {})
			return
		}
	}
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

// load finds and loads the version that a request without a body gets: of a split the first.
func (s *Server) load(ctx context.Context, name, selector string) (*target, *Loaded, error) {
	c, err := s.resolve(ctx, name, selector)
	if err != nil {
		return nil, nil, err
	}
	t := c.targets[0]
	l, err := s.model(ctx, t)
	return t, l, err
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
	writeAnswer(w, answer{status: status, contentType: contentType, body: body})
}
