package prinzbox

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/prinzbox/prinzbox/artifacts"
	"github.com/prinzbox/prinzbox/registry"
	"github.com/prinzbox/prinzbox/registry/rest"
	"github.com/prinzbox/prinzbox/registry/sqldb"
	"github.com/prinzbox/prinzbox/seed"
	"github.com/prinzbox/prinzbox/serving"
	"github.com/prinzbox/prinzbox/serving/python"
	"github.com/prinzbox/prinzbox/ui"
)

// Env is a running environment.
type Env struct {
	cfg     Config
	started time.Time
	dir     *dataDir
	db      *sqldb.DB
	blobs   *artifacts.Store
	store   *registry.Store
	hooks   *rest.Webhooks
	// receiver is nil where it is off.
	receiver *receiver
	files    *files
	scoring  *serving.Server
	python   *python.Fallback // nil when Python is off
	// stopPrewarm ends the start of Python; nil when there is none.
	stopPrewarm context.CancelFunc
	// stopWatching ends the look at the folder of models; nil when there is none.
	stopWatching context.CancelFunc
	// auth is nil where nobody is asked for a password; madeUp says that this start made the admin's password.
	auth   *registry.Auth
	madeUp bool
	ready  Ready
	// s3Keys are the keys beside the environment's own; tls is nil for plain http.
	s3Keys map[string]S3Key
	tls    *tls.Config

	listeners []net.Listener
	servers   []*http.Server
	serving   sync.WaitGroup
	closeOnce sync.Once
	closeErr  error
}

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
	if err = e.openStores(ctx); err != nil {
		return nil, e.dir.explain(err)
	}
	if err = e.openAuth(ctx); err != nil {
		return nil, err
	}
	e.ready = e.cfg.ready()
	if e.cfg.TLS.SelfSigned {
		e.ready.CABundle = caBundle(e.dir.path)
	}
	e.scoring = serving.New(serving.Config{
		Catalog: catalog{e.store}, Objects: modelFiles{e.files}, Log: e.cfg.Log, MaxBody: e.cfg.MaxBody, Version: MLflowVersion, Release: Version,
		Fallback: e.pythonFallback(), Clock: e.cfg.Clock, NewID: e.cfg.NewID, Random: e.cfg.Random,
		CurrentAlias: e.cfg.CurrentAlias, UpstreamHosts: e.cfg.UpstreamHosts,
	})
	if err = e.seed(ctx); err != nil {
		return nil, err
	}
	if err = e.watchModels(ctx); err != nil {
		return nil, err
	}
	e.serve()
	return e, e.dir.writeReady(e.ready.withoutPassword())
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

func (e *Env) openStores(ctx context.Context) (err error) {
	c := e.cfg
	if e.db, err = e.dir.openDB(ctx, c.Durability); err != nil {
		return err
	}
	if err = e.db.Migrate(ctx, "artifacts", artifacts.Migrations()); err != nil {
		return err
	}
	e.blobs, err = artifacts.Open(ctx, artifacts.Config{
		DB: e.db, Dir: e.dir.blobs(), Clock: c.Clock, NewID: c.NewID, Log: c.Log, Sync: c.Durability == sqldb.DurabilityFull,
	})
	if err != nil {
		return err
	}
	if err = e.makeBuckets(ctx); err != nil {
		return err
	}
	key, err := e.dir.webhookKey(c.Webhooks.SecretKey)
	if err != nil {
		return err
	}
	var local func(*url.URL) http.Handler
	if c.receives() {
		e.receiver = &receiver{env: e}
		local = e.receiver.local
	}
	e.hooks = rest.NewWebhooks(rest.WebhooksConfig{
		Local:   local,
		Schemes: c.Webhooks.Schemes, AllowPrivate: c.Webhooks.AllowPrivate, Timeout: c.Webhooks.Timeout, Retries: c.Webhooks.Retries,
		Workers: c.Webhooks.Workers, Log: c.Log, Clock: c.Clock, NewID: c.NewID,
	})
	proxies, err := artifacts.NewProxies(c.ArtifactHosts, c.ArtifactSchemes)
	if err != nil {
		return fmt.Errorf("--allow-artifact-hosts: %w", err)
	}
	e.store, err = registry.Open(ctx, registry.Config{
		DB: e.db, Clock: c.Clock, NewID: c.NewID, ArtifactRoot: c.DefaultArtifactRoot, CustomScorers: c.CustomScorers,
		SecretKey: key, Deliver: e.hooks.Deliver, AllowHost: proxies.Allows,
	})
	if err != nil {
		return err
	}
	remote, err := e.openRemote(ctx)
	if err != nil {
		return err
	}
	repo, err := proxyRepo(c, e.blobs, remote)
	if err != nil {
		return err
	}
	e.files = &files{
		store:  e.blobs,
		server: artifacts.NewFileServer(e.proxyConfig()),
		locator: &artifacts.Locator{
			Store: e.blobs, Remote: remote, Proxy: repo, OwnHost: e.ownHost, Proxies: proxies, AllowLocal: e.allowLocal,
		},
		elsewhere: remote != nil || len(c.ArtifactHosts)+len(c.ArtifactSchemes) > 0, started: e.started,
		onDisk: localRoot(c.ArtifactsDestination) != "" || localRoot(c.DefaultArtifactRoot) != "",
	}
	return nil
}

// makeBuckets makes the default bucket, and those that artifact locations name.
func (e *Env) makeBuckets(ctx context.Context) error {
	names := map[string]bool{e.cfg.Bucket: true}
	if e.cfg.Seed {
		names[seed.Bucket] = true // whatever the default one is called, Prinz looks for the samples there
	}
	for _, location := range []string{e.cfg.DefaultArtifactRoot, e.cfg.ArtifactsDestination} {
		if e.cfg.Remote.Endpoint != "" {
			break // its owner makes the buckets there
		}
		if rest, ok := strings.CutPrefix(location, "s3://"); ok {
			name, _, _ := strings.Cut(rest, "/")
			names[name] = true
		}
	}
	for name := range names {
		if name == "" {
			continue // proxyRepo says what is wrong
		}
		if err := e.blobs.CreateBucket(ctx, name, true); err != nil {
			return fmt.Errorf("bucket %s: %w", name, err)
		}
	}
	return nil
}

// ownHost tells whether an address in an artifact URI is this environment.
func (e *Env) ownHost(host string) bool {
	name, port, err := net.SplitHostPort(host)
	if err != nil {
		return false
	}
	if port != fmt.Sprint(e.cfg.Port) {
		return false
	}
	ip := net.ParseIP(name)
	return name == "localhost" || name == e.cfg.Host || ip != nil && ip.IsLoopback()
}

// allowLocal permits reading artifacts from a folder only below an artifact root that the owner named on the command line: any other
// path in a location is a client's, and would hand out the server's own files.
func (e *Env) allowLocal(dir string) bool {
	for _, root := range []string{e.cfg.DefaultArtifactRoot, e.cfg.ArtifactsDestination} {
		if root := localRoot(root); root != "" && within(dir, root) {
			return true
		}
	}
	return false
}

func (e *Env) seed(ctx context.Context) error {
	if !e.cfg.Seed {
		return nil
	}
	names, err := seed.Run(ctx, seed.Config{
		Store: e.store,
		Put: func(ctx context.Context, uri string, data []byte) error {
			return e.files.put(ctx, uri, bytes.NewReader(data), int64(len(data)))
		},
		Clock: e.cfg.Clock, Progress: e.cfg.Progress, FraudData: e.cfg.FraudData,
	})
	if err != nil {
		return err
	}
	e.ready.Seeded = names
	return nil
}

func (e *Env) serve() {
	handlers := []struct {
		name    string
		handler http.Handler
	}{
		{"mlflow", e.mainHandler()},
		{"s3", e.s3Handler()},
		{"static", http.HandlerFunc(serveStatic)},
	}
	for i, l := range e.listeners {
		s := &http.Server{
			Handler: e.chain(handlers[i].name, handlers[i].handler), ReadHeaderTimeout: 30 * time.Second, IdleTimeout: 10 * time.Minute,
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
		for _, end := range []context.CancelFunc{e.stopWatching, e.stopPrewarm} {
			if end != nil {
				end()
			}
		}
		if e.servers == nil {
			for _, l := range e.listeners {
				_ = l.Close()
			}
		}
		e.serving.Wait()
		if e.scoring != nil {
			errs = append(errs, e.scoring.Close())
		}
		if e.python != nil {
			errs = append(errs, e.python.Close())
		}
		if e.hooks != nil {
			e.hooks.Close(ctx)
		}
		if e.blobs != nil {
			errs = append(errs, e.blobs.Close())
		}
		if e.db != nil {
			errs = append(errs, e.db.Close())
		}
		if e.dir != nil {
			errs = append(errs, e.dir.close())
		}
		e.closeErr = errors.Join(errs...)
	})
	return e.closeErr
}

// Ready is the ready line of the environment.
func (e *Env) Ready() Ready { return e.ready }

// TrackingURI is the address for MLFLOW_TRACKING_URI, without a slash at the end.
func (e *Env) TrackingURI() string { return e.ready.TrackingURI }

// S3Endpoint is the address of the S3 store.
func (e *Env) S3Endpoint() string { return e.ready.S3Endpoint }

// StaticURL is the address of the static values.
func (e *Env) StaticURL() string { return e.ready.StaticURL }

// Store is the environment's registry, for direct use in the same process.
func (e *Env) Store() *registry.Store { return e.store }

// Objects is the environment's S3 store, for direct use in the same process.
func (e *Env) Objects() *artifacts.Store { return e.blobs }

func (e *Env) s3Handler() http.Handler {
	hosts := []string{"localhost", e.cfg.Host}
	if u, err := url.Parse(e.cfg.S3PublicURL); err == nil && u.Hostname() != "" {
		hosts = append(hosts, u.Hostname())
	}
	return artifacts.NewS3(e.blobs, artifacts.S3Config{
		Keys: e.s3Secret, Allow: e.s3Allow, Origins: e.s3Origin,
		Region: e.cfg.Region, Hosts: hosts, Log: e.cfg.Log,
	})
}

func (e *Env) proxyConfig() artifacts.ProxyConfig {
	return artifacts.ProxyConfig{
		Log: e.cfg.Log, Signer: presigner{e}.signer,
		WriteError: func(w http.ResponseWriter, status int, code, message string) {
			rest.WriteErrorStatus(w, status, registry.Code(code), message)
		},
	}
}

// userEnvironment is what the GUI tells users who are no admins: not the keys that open everything.
func (e *Env) userEnvironment() ui.Environment {
	env := e.environment()
	env.AccessKey, env.SecretKey, env.DataDir = "your user name", "ask GET /api/2.0/prinzbox/s3-key", ""
	return env
}

func (e *Env) environment() ui.Environment {
	r := e.ready
	env := ui.Environment{
		Version: Version, Started: e.started, TrackingURI: r.TrackingURI, S3Endpoint: r.S3Endpoint, StaticURL: r.StaticURL,
		Bucket: r.Bucket, Region: r.Region, AccessKey: r.AccessKey, SecretKey: r.SecretKey,
		Services: []ui.Service{
			{Name: "MLflow", Purpose: "tracking, model registry, artifacts, scoring and this GUI", URL: r.TrackingURI, Check: e.checkStore},
			{Name: "S3", Purpose: "the object store, bucket " + r.Bucket, URL: r.S3Endpoint, Check: e.checkBucket},
			{Name: "Static values", Purpose: "what Prinz's proxy samples fetch", URL: r.StaticURL},
		},
	}
	if remote := e.files.locator.Remote; remote != nil {
		service := ui.Service{Name: "Another S3 store", Purpose: "s3: locations whose bucket is not here", URL: remote.Endpoint()}
		if bucket, ok := e.cfg.remoteBucket(); ok {
			service.Purpose = "artifacts, bucket " + bucket
			service.Check = func(ctx context.Context) error { return remote.Check(ctx, bucket) }
		}
		env.Services = append(env.Services, service)
	}
	if r.DataDir != nil {
		env.DataDir = *r.DataDir
	}
	return env
}

func (e *Env) checkStore(ctx context.Context) error {
	_, err := e.store.Experiment(ctx, "0")
	if registry.IsCode(err, registry.ResourceDoesNotExist) {
		err = nil
	}
	return err
}

func (e *Env) checkBucket(ctx context.Context) error {
	_, err := e.blobs.BucketExists(ctx, e.cfg.Bucket)
	return err
}
