package prinzbox

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/prinzbox/prinzbox/artifacts"
	"github.com/prinzbox/prinzbox/registry/rest"
	"github.com/prinzbox/prinzbox/serving/python"
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
	python  *python.Fallback // nil when Python is off
	// stopPrewarm ends the start of Python; nil when there is none.
	stopPrewarm context.CancelFunc

	// images are those that no other environment shares; ownImages says that all are.
	images    imageCache
	ownImages bool
	// fraudDataGone says that the table of payments was not read when it could be.
	fraudDataGone bool

	// named are the namespaces; namespaced says whether there may be any.
	named      namespaces
	namespaced bool

	// madeUp says that this start made the admin's password.
	madeUp bool

	// closing is closed when Close begins, stopped when the listeners are closed.
	closing, stopped chan struct{}

	*space // the environment's own

	// router makes the routes once for all worlds.
	router    func() http.Handler
	listeners []net.Listener
	servers   []*http.Server
	serving   sync.WaitGroup
	closeOnce sync.Once
	closeErr  error
}

// Open starts an environment and returns when everything answers and the seed is done. The caller closes it. Errors are one line that says
// what to do.
func Open(ctx context.Context, c Config) (env *Env, err error) {
	e := &Env{cfg: c.withDefaults(), started: time.Now(), ownImages: c.imagesAreOwn(), closing: make(chan struct{}), stopped: make(chan struct{})}
	e.space = &space{env: e}
	e.router = sync.OnceValue(e.cfg.newRouter)
	if err = e.cfg.Auth.check(); err != nil {
		return nil, err
	}
	if err = e.cfg.TLS.check(); err != nil {
		return nil, err
	}
	if _, err = rest.FindPersona(e.cfg.Persona); err != nil {
		return nil, err
	}
	if err = e.cfg.checkNamespaces(); err != nil {
		return nil, err
	}
	e.namespaced = e.cfg.namespaced()
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
	e.openPython()
	w, err := e.openHome(ctx)
	if err != nil {
		return nil, err
	}
	if err = e.findNamespaces(); err != nil {
		return nil, err
	}
	if err = w.tellOfBothBuckets(ctx); err != nil {
		return nil, err
	}
	if err = w.watchModels(ctx); err != nil {
		return nil, err
	}
	e.serve()
	return e, e.dir.writeReady(w.ready.withoutPassword())
}

// openHome opens the environment's own state, or makes it.
func (e *Env) openHome(ctx context.Context) (_ *world, err error) {
	s := e.space
	s.root = e.dir.path
	dir, err := find(s.root)
	if err != nil {
		return nil, err
	}
	if s.dir = dir; !e.dir.temporary {
		if err := tidy(s.root, dir); err != nil {
			return nil, err
		}
	}
	there, err := hasState(dir)
	if err != nil {
		return nil, err
	}
	o := opening{seed: e.cfg.Seed}
	switch {
	case there && e.cfg.Import != "":
		e.cfg.Log.Warn("--import is not used: there is a state already; remove it, or use prinzbox import", "data", dir)
	case there:
	case e.cfg.Import != "":
		if o.seeded, err = e.importHome(ctx, dir); err != nil {
			return nil, fmt.Errorf("--%w", err)
		}
		o.seed = false
		defer func() {
			if err != nil { // the next start would take it for a state of its own
				err = errors.Join(err, removeState(dir))
			}
		}()
	default:
		m, err := e.image(ctx, e.cfg.start())
		if err != nil {
			return nil, err
		}
		if err := m.lay(dir); err != nil {
			return nil, fmt.Errorf("cannot use the data directory %s (--data): %w", dir, err)
		}
		o = opening{fresh: true, seeded: m.seeded}
	}
	w, err := e.openWorld(ctx, s, dir, o)
	if err != nil {
		return nil, err
	}
	e.cfg.Auth = w.cfg.Auth
	e.fraudDataGone, e.cfg.FraudData = e.cfg.FraudData != nil, nil
	s.current.Store(w)
	return w, nil
}

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
		close(e.closing)
		ctx, cancel := context.WithTimeout(context.Background(), closePatience)
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
		if e.stopPrewarm != nil {
			e.stopPrewarm()
		}
		if e.servers == nil {
			for _, l := range e.listeners {
				_ = l.Close()
			}
		}
		close(e.stopped)
		e.serving.Wait()
		errs = append(errs, e.end(ctx), e.endNamespaces(ctx))
		e.serving.Wait() // for what the end of a namespace waits for
		if e.python != nil {
			errs = append(errs, e.python.Close())
		}
		if e.dir != nil {
			errs = append(errs, e.dir.close())
		}
		e.closeErr = errors.Join(errs...)
	})
	return e.closeErr
}
