package prinzbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/prinzbox/prinzbox/artifacts"
	"github.com/prinzbox/prinzbox/prinzbox/control"
	"github.com/prinzbox/prinzbox/registry"
	"github.com/prinzbox/prinzbox/registry/rest"
	"github.com/prinzbox/prinzbox/registry/sqldb"
	"github.com/prinzbox/prinzbox/seed"
	"github.com/prinzbox/prinzbox/serving"
	"github.com/prinzbox/prinzbox/ui"
)

// The listeners of an environment, in the order in which they are opened.
const (
	onMain = iota
	onS3
	onStatic
	listenerCount
)

// world is one state of an environment and everything that serves it: database, blobs, registry, scoring, users and the handlers of the
// three listeners. Reset and restore replace a world by another; a request stays in the world in which it began.
type world struct {
	env   *Env
	space *space
	// cfg is the process's configuration; a world may have settings of its own.
	cfg Config
	// dir is the folder of its database and blobs.
	dir   string
	ready Ready

	db    *sqldb.DB
	blobs *artifacts.Store
	store *registry.Store
	hooks *rest.Webhooks
	// receiver is nil where it is off.
	receiver *receiver
	files    *files
	scoring  *serving.Server
	// auth is nil where nobody is asked for a password.
	auth *registry.Auth

	// api and proxy answer routes of the environment's router; gui is made when somebody looks.
	api      *rest.API
	proxy    http.Handler
	gui      func() http.Handler
	handlers [listenerCount]http.Handler

	// stop ends what runs in the background.
	stop       []context.CancelFunc
	background sync.WaitGroup
	requests   lease
}

// lease counts the requests within a world, so that it is closed behind the last one.
type lease struct {
	count atomic.Int64
	once  sync.Once
	free  chan struct{}
}

// leaseEnded is added to the count when nobody may come in any more.
const leaseEnded = math.MinInt64 / 2

// take tells whether the caller is in; then give lets it out.
func (l *lease) take() bool {
	if l.count.Add(1) > 0 {
		return true
	}
	l.give()
	return false
}

func (l *lease) give() {
	if l.count.Add(-1) == leaseEnded {
		l.once.Do(func() { close(l.free) })
	}
}

// end lets nobody in any more. The channel is closed when everybody is out. It is called once.
func (l *lease) end() <-chan struct{} {
	if l.count.Add(leaseEnded) == leaseEnded {
		l.once.Do(func() { close(l.free) })
	}
	return l.free
}

// endIfFree lets nobody in any more, unless somebody is in.
func (l *lease) endIfFree() bool { return l.count.CompareAndSwap(0, leaseEnded) }

// opening is what is known of a state that is opened.
type opening struct {
	// seed makes the samples that are not there.
	seed bool
	// fresh says that this process made the state, of its own settings: there is nothing to check. seeded are the samples in it.
	fresh  bool
	seeded []string
	// clean says that a process has left nothing half done in it.
	clean bool
}

// openWorld opens the state in a folder, or makes an empty one.
func (e *Env) openWorld(ctx context.Context, s *space, dir string, o opening) (_ *world, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	// What is opened serves all who come, not only who came first.
	ctx = context.WithoutCancel(ctx)
	w := &world{env: e, space: s, cfg: e.cfg, dir: dir, requests: lease{free: make(chan struct{})}}
	w.cfg.Clock, w.cfg.NewID = s.Clock().Now, s.IDs().New
	defer func() {
		if err != nil {
			_ = w.close(ctx) // the first error is the one that counts
		}
	}()
	if err = w.openStores(ctx, o); err != nil {
		return nil, explain(e.dir.path, err)
	}
	if err = w.openAuth(ctx, o.fresh); err != nil {
		return nil, err
	}
	w.ready = w.cfg.ready().in(s.name)
	if o.seeded != nil {
		w.ready.Seeded = o.seeded
	}
	if w.cfg.TLS.SelfSigned {
		w.ready.CABundle = caBundle(e.dir.path)
	}
	w.scoring = serving.New(serving.Config{
		Catalog: catalog{w.store}, Objects: modelFiles{w.files}, Log: w.cfg.Log, MaxBody: w.cfg.MaxBody, Version: MLflowVersion, Release: Version,
		Fallback: e.pythonFallback(), Clock: w.cfg.Clock, NewID: w.cfg.NewID, Random: w.cfg.Random,
		CurrentAlias: w.cfg.CurrentAlias, UpstreamHosts: w.cfg.UpstreamHosts,
	})
	if o.seed {
		if err = w.seed(ctx); err != nil {
			return nil, err
		}
	}
	w.handlers = [...]http.Handler{onMain: w.mainHandler(), onS3: w.s3Handler(), onStatic: http.HandlerFunc(serveStatic)}
	return w, nil
}

// close ends a world that nobody is in. Its files stay.
func (e *world) close(ctx context.Context) error {
	for _, stop := range e.stop {
		stop()
	}
	e.background.Wait()
	var errs []error
	if e.scoring != nil {
		errs = append(errs, e.scoring.Close())
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
	return errors.Join(errs...)
}

func (e *world) openStores(ctx context.Context, o opening) (err error) {
	c := e.cfg
	if e.db, err = openDB(ctx, e.dir, c.Durability); err != nil {
		return err
	}
	if !o.fresh {
		if err = e.db.Migrate(ctx, "artifacts", artifacts.Migrations()); err != nil {
			return err
		}
	}
	e.blobs, err = artifacts.Open(ctx, artifacts.Config{
		DB: e.db, Dir: blobsIn(e.dir), Clock: c.Clock, NewID: c.NewID, Log: c.Log, Sync: c.Durability == sqldb.DurabilityFull, Clean: o.fresh || o.clean,
	})
	if err != nil {
		return err
	}
	if !o.fresh { // they are there
		if err = e.makeBuckets(ctx); err != nil {
			return err
		}
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
	e.store, err = registry.Open(ctx, registry.Config{
		DB: e.db, Clock: c.Clock, NewID: c.NewID, ArtifactRoot: c.DefaultArtifactRoot, CustomScorers: c.CustomScorers,
		SecretKey: e.env.webhookKey, Deliver: e.hooks.Deliver, AllowHost: e.env.proxies.Allows,
	})
	if err != nil {
		return err
	}
	remote := e.env.remote
	repo, err := proxyRepo(c, e.blobs, remote)
	if err != nil {
		return err
	}
	e.files = &files{
		store:  e.blobs,
		server: artifacts.NewFileServer(e.proxyConfig()),
		locator: &artifacts.Locator{
			Store: e.blobs, Remote: remote, Proxy: repo, OwnHost: e.ownHost, Proxies: e.env.proxies, AllowLocal: e.allowLocal,
		},
		elsewhere: remote != nil || len(c.ArtifactHosts)+len(c.ArtifactSchemes) > 0, started: e.env.started,
		onDisk: localRoot(c.ArtifactsDestination) != "" || localRoot(c.DefaultArtifactRoot) != "",
	}
	return nil
}

// makeBuckets makes the default bucket, and those that artifact locations name.
func (e *world) makeBuckets(ctx context.Context) error {
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
func (e *world) ownHost(host string) bool {
	name, port, err := net.SplitHostPort(host)
	if err != nil {
		return false
	}
	if port != fmt.Sprint(e.cfg.Port) {
		return false
	}
	if namespace, base, ok := namespaceOfHost(name); ok && namespace == e.space.name {
		name = base
	}
	ip := net.ParseIP(name)
	return name == "localhost" || name == e.cfg.Host || ip != nil && ip.IsLoopback()
}

// allowLocal permits reading artifacts from a folder only below an artifact root that the owner named on the command line: any other
// path in a location is a client's, and would hand out the server's own files.
func (e *world) allowLocal(dir string) bool {
	for _, root := range []string{e.cfg.DefaultArtifactRoot, e.cfg.ArtifactsDestination} {
		if root := localRoot(root); root != "" && within(dir, root) {
			return true
		}
	}
	return false
}

func (e *world) seed(ctx context.Context) (err error) {
	e.ready.Seeded, err = e.trainSamples(ctx, control.Samples{})
	return err
}

// trainSamples makes the chosen samples that are not there, and names those.
func (e *world) trainSamples(ctx context.Context, of control.Samples) ([]string, error) {
	return seed.Run(ctx, seed.Config{
		Store: e.store,
		Put: func(ctx context.Context, uri string, data []byte) error {
			return e.files.put(ctx, uri, bytes.NewReader(data), int64(len(data)))
		},
		Clock: e.cfg.Clock, Progress: e.cfg.Progress, FraudData: e.cfg.FraudData,
		Models: of.Models, Seed: of.Seed,
	})
}

func (e *world) s3Handler() http.Handler {
	return artifacts.NewS3(e.blobs, artifacts.S3Config{
		Keys: e.s3Secret, Allow: e.s3Allow, Origins: e.s3Origin,
		Region: e.cfg.Region, Hosts: e.cfg.bucketHosts(e.space.name), Log: e.cfg.Log,
	})
}

func (e *world) proxyConfig() artifacts.ProxyConfig {
	return artifacts.ProxyConfig{
		Log: e.cfg.Log, Signer: presigner{e}.signer,
		WriteError: func(w http.ResponseWriter, status int, code, message string) {
			rest.WriteErrorStatus(w, status, registry.Code(code), message)
		},
	}
}

// userEnvironment is what the GUI tells users who are no admins: not the keys that open everything.
func (e *world) userEnvironment() ui.Environment {
	env := e.environment()
	env.AccessKey, env.SecretKey, env.DataDir = "your user name", "ask GET /api/2.0/prinzbox/s3-key", ""
	env.S3Keys = nil
	return env
}

func (e *world) environment() ui.Environment {
	r := e.ready
	env := ui.Environment{
		Version: Version, Started: e.env.started, TrackingURI: r.TrackingURI, S3Endpoint: r.S3Endpoint, StaticURL: r.StaticURL,
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
	for _, k := range e.env.S3Keys()[1:] {
		env.S3Keys = append(env.S3Keys, ui.S3Key{Name: k.AccessKey, ReadOnly: k.ReadOnly})
	}
	if r.DataDir != nil {
		env.DataDir = *r.DataDir
	}
	return env
}

func (e *world) checkStore(ctx context.Context) error {
	_, err := e.store.Experiment(ctx, "0")
	if registry.IsCode(err, registry.ResourceDoesNotExist) {
		err = nil
	}
	return err
}

func (e *world) checkBucket(ctx context.Context) error {
	_, err := e.blobs.BucketExists(ctx, e.cfg.Bucket)
	return err
}
