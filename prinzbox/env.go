package prinzbox

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prinzbox/prinzbox/artifacts"
	"github.com/prinzbox/prinzbox/registry"
)

// Env is a running environment: the listeners, and the world that answers there.
type Env struct {
	cfg     Config
	started time.Time
	dir     *dataDir
	// s3Keys are the keys beside the environment's own; tls is nil for plain http.
	s3Keys     map[string]S3Key
	tls        *tls.Config
	webhookKey []byte
	// remote is nil without another S3 store.
	remote  *artifacts.Remote
	proxies *artifacts.Proxies

	home space

	listeners []net.Listener
	servers   []*http.Server
	serving   sync.WaitGroup
	closeOnce sync.Once
	closeErr  error
}

// space is a place for one world after the other.
type space struct {
	current atomic.Pointer[world]
	// closed is set before the last world ends.
	closed atomic.Bool
}

// enter gives the world of now, which stays until leave. It is nil when the space is closed.
func (s *space) enter() *world {
	for {
		if w := s.current.Load(); w.requests.take() {
			return w
		}
		if s.closed.Load() {
			return nil
		}
		// The world has just been replaced: there is a new one.
	}
}

func (e *world) leave() { e.requests.give() }

// errClosed is the answer of an environment that has been closed.
var errClosed = errors.New("the environment is closed")

// world is the world of now.
func (e *Env) world() *world { return e.home.current.Load() }

// Open starts an environment and returns when everything answers and the seed is done. The caller closes it. Errors are one line that says
// what to do.
func Open(ctx context.Context, c Config) (env *Env, err error) {
	e := &Env{cfg: c.withDefaults(), started: time.Now()}
	if err = e.cfg.Auth.check(); err != nil {
		return nil, err
	}
	if err = e.cfg.TLS.check(); err != nil {
		return nil, err
	}
	if e.s3Keys, err = e.cfg.s3Keys(); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = e.Close() // the first error is the one that counts
		}
	}()
	if e.dir, err = openDataDir(ctx, e.cfg.Data); err != nil {
		return nil, err
	}
	if e.cfg.Data != "" {
		e.cfg.Data = e.dir.path
	}
	if e.cfg.MLflowUI != "" {
		if e.cfg.MLflowUI, err = findMLflowUI(ctx, e.cfg.MLflowUI); err != nil {
			return nil, err
		}
	}
	if e.tls, err = e.openTLS(); err != nil {
		return nil, err
	}
	// Ports first: the likeliest trouble, and cheap to find.
	if err = e.listen(ctx); err != nil {
		return nil, err
	}
	if e.webhookKey, err = e.dir.webhookKey(e.cfg.Webhooks.SecretKey); err != nil {
		return nil, err
	}
	if e.proxies, err = artifacts.NewProxies(e.cfg.ArtifactHosts, e.cfg.ArtifactSchemes); err != nil {
		return nil, fmt.Errorf("--allow-artifact-hosts: %w", err)
	}
	if e.remote, err = e.openRemote(ctx); err != nil {
		return nil, err
	}
	w, err := e.openWorld(ctx, e.dir.path)
	if err != nil {
		return nil, err
	}
	e.home.current.Store(w)
	if err = w.tellOfBothBuckets(ctx); err != nil {
		return nil, err
	}
	if err = w.watchModels(ctx); err != nil {
		return nil, err
	}
	e.serve()
	return e, e.dir.writeReady(w.ready.withoutPassword())
}

// pythonDir holds the environments that Python models are run in.
func (e *Env) pythonDir() string { return filepath.Join(e.dir.path, "python") }

// listen opens the three ports. Requests that come early wait until serve.
func (e *Env) listen(ctx context.Context) error {
	main, s3, static := e.cfg.endpoints()
	for _, at := range []struct {
		endpoint
		port *int
	}{{main, &e.cfg.Port}, {s3, &e.cfg.S3Port}, {static, &e.cfg.StaticPort}} {
		l, err := at.listen(ctx, e.cfg.Host)
		if err != nil {
			return err
		}
		e.listeners = append(e.listeners, l)
		*at.port = l.Addr().(*net.TCPAddr).Port
	}
	return nil
}

func (e *Env) serve() {
	names := [...]string{onMain: "mlflow", onS3: "s3", onStatic: "static"}
	for i, l := range e.listeners {
		s := &http.Server{
			Handler: e.chain(names[i], i), ReadHeaderTimeout: 30 * time.Second, IdleTimeout: 10 * time.Minute,
			TLSConfig: e.tls.Clone(), ErrorLog: slog.NewLogLogger(e.cfg.Log.Handler(), slog.LevelWarn),
		}
		e.servers = append(e.servers, s)
		e.serving.Go(func() {
			serve := s.Serve
			if e.tls != nil {
				serve = func(l net.Listener) error { return s.ServeTLS(l, "", "") }
			}
			if err := serve(l); !errors.Is(err, http.ErrServerClosed) {
				e.cfg.Log.Error("listener ended", "address", l.Addr().String(), "error", err)
			}
		})
	}
}

// Close lets the requests under way end (for at most ten seconds), stops everything and removes what was temporary.
func (e *Env) Close() error {
	e.closeOnce.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		var errs []error
		var stopping sync.WaitGroup
		for _, s := range e.servers {
			stopping.Go(func() {
				if s.Shutdown(ctx) != nil {
					_ = s.Close() // whoever is left has had his time
				}
			})
		}
		stopping.Wait()
		if e.servers == nil {
			for _, l := range e.listeners {
				_ = l.Close()
			}
		}
		e.serving.Wait()
		if w := e.world(); w != nil {
			e.home.closed.Store(true)
			select {
			case <-w.requests.end():
			case <-ctx.Done(): // their connections are closed
			}
			errs = append(errs, w.close(ctx))
		}
		if e.dir != nil {
			errs = append(errs, e.dir.close())
		}
		e.closeErr = errors.Join(errs...)
	})
	return e.closeErr
}

// Ready is the ready line of the environment.
func (e *Env) Ready() Ready { return e.world().ready }

// TrackingURI is the address for MLFLOW_TRACKING_URI, without a slash at the end.
func (e *Env) TrackingURI() string { return e.world().ready.TrackingURI }

// S3Endpoint is the address of the S3 store.
func (e *Env) S3Endpoint() string { return e.world().ready.S3Endpoint }

// StaticURL is the address of the static values.
func (e *Env) StaticURL() string { return e.world().ready.StaticURL }

// Store is the environment's registry, for direct use in the same process.
func (e *Env) Store() *registry.Store { return e.world().store }

// Objects is the environment's S3 store, for direct use in the same process.
func (e *Env) Objects() *artifacts.Store { return e.world().blobs }
