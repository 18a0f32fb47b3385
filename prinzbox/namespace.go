package prinzbox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// Bounds of namespaces, where the configuration has none.
const (
	DefaultMaxNamespaces = 1000
	DefaultNamespaceIdle = 2 * time.Minute
	// maxAwake bounds the namespaces that are open at a time; the one not asked for longest gives way. Those that are held, or that answer
	// right now, do not.
	maxAwake = 256
)

// Namespace is an environment of its own within the process of another one: made at first use in the state that a fresh environment has, asked
// for by the same addresses (docs/isolation.md says how), and unknown to all others. A Namespace keeps it in memory until Close.
type Namespace struct {
	*space
	release sync.Once
}

// NamespaceInfo describes a namespace.
type NamespaceInfo struct {
	Name string `json:"name"`
	// Awake tells whether it is open; others are on disk until somebody asks for them.
	Awake bool `json:"awake"`
	// Used is when it was asked for last, in milliseconds since 1970; 0 means before this start.
	Used        int64  `json:"last_used"`
	TrackingURI string `json:"tracking_uri"`
}

// namespaces are the spaces by name.
type namespaces struct {
	mu     sync.RWMutex
	spaces map[string]*space
	reaper sync.Once
	// room is held by whoever looks for room for one more that wakes; waking are those that have it and are not open yet.
	room   sync.Mutex
	waking int
}

const namespacesDir = "namespaces"

// NamespaceError says why a request's namespace cannot be had.
type NamespaceError struct{ Message string }

func (e *NamespaceError) Error() string { return e.Message }

func namespaceErrorf(format string, args ...any) error {
	return &NamespaceError{fmt.Sprintf(format, args...)}
}

// namespaced tells whether requests may choose namespaces: by default where there is the control API, since whoever may ask makes them.
func (c Config) namespaced() bool {
	if c.Namespaces != nil {
		return *c.Namespaces
	}
	return c.hasOwnFiles() && (isLoopback(c.Host) || c.Host == "localhost" || c.ControlToken != "")
}

func (c Config) checkNamespaces() error {
	if c.Namespaces != nil && *c.Namespaces && !c.hasOwnFiles() {
		return errors.New("--namespaces needs artifacts in the environment's own store: leave out --s3-endpoint, and folders as artifact root or destination")
	}
	return nil
}

// hasOwnFiles tells whether all artifacts are in the environment's own store, without which namespaces would meet elsewhere.
func (c Config) hasOwnFiles() bool {
	return c.Remote.Endpoint == "" && localRoot(c.ArtifactsDestination) == "" && localRoot(c.DefaultArtifactRoot) == ""
}

// namespace gives the space of a name, made if need be, asleep or not.
func (e *Env) namespace(name string) (*space, error) {
	n := &e.named
	n.mu.RLock()
	s := n.spaces[name]
	n.mu.RUnlock()
	if s != nil {
		return s, nil
	}
	if !isName(name) {
		return nil, namespaceErrorf("namespace %.80q: a name has up to 63 lower-case letters, digits and inner dashes", name)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if s := n.spaces[name]; s != nil {
		return s, nil
	}
	if e.closed.Load() {
		return nil, errClosed
	}
	if len(n.spaces) >= e.cfg.MaxNamespaces {
		return nil, namespaceErrorf("namespace %s: there are %d already (--max-namespaces): delete some", name, len(n.spaces))
	}
	s = &space{env: e, name: name, root: filepath.Join(e.dir.path, namespacesDir, name)}
	s.used.Store(time.Now().UnixMilli())
	if n.spaces == nil {
		n.spaces = map[string]*space{}
	}
	n.spaces[name] = s
	n.reaper.Do(func() { e.serving.Go(e.reap) })
	return s, nil
}

// Namespace gives the namespace of a name (up to 63 lower-case letters, digits and inner dashes), made if it is not there yet. The caller
// closes it, which leaves it as it is; Delete removes it.
func (e *Env) Namespace(ctx context.Context, name string) (*Namespace, error) {
	for {
		s, err := e.namespace(name)
		if err != nil {
			return nil, err
		}
		s.pins.Add(1)
		w, err := s.enter(ctx)
		if err == nil {
			w.leave()
			return &Namespace{space: s}, nil
		}
		s.pins.Add(-1)
		if !errors.Is(err, errClosed) || e.closed.Load() {
			return nil, err
		}
		// It has just been deleted: another one takes its place.
	}
}

// ForTest gives a test a namespace of its own, which is deleted when the test ends. It takes a few milliseconds, where Start takes some ten,
// and the tests of a process share its ports.
func (e *Env) ForTest(t TB) *Namespace {
	t.Helper()
	ns, err := e.Namespace(context.Background(), "test-"+newID())
	if err != nil {
		t.Fatalf("prinzbox: %v", err)
	}
	t.Cleanup(func() {
		if err := ns.Delete(); err != nil {
			t.Errorf("prinzbox: delete namespace: %v", err)
		}
	})
	return ns
}

// Name is the namespace's name.
func (n *Namespace) Name() string { return n.name }

// Close lets the namespace sleep when nobody asks for it. It stays as it is.
func (n *Namespace) Close() {
	n.release.Do(func() { n.pins.Add(-1) })
}

// Delete removes the namespace with all that is in it. Requests under way end; later ones make a new one.
func (n *Namespace) Delete() error {
	n.Close()
	return n.env.forget(n.space)
}

// Namespaces lists the namespaces by name.
func (e *Env) Namespaces() []NamespaceInfo {
	e.named.mu.RLock()
	defer e.named.mu.RUnlock()
	list := make([]NamespaceInfo, 0, len(e.named.spaces))
	for _, s := range e.named.spaces {
		list = append(list, NamespaceInfo{
			Name: s.name, Awake: s.current.Load() != nil, Used: s.used.Load(), TrackingURI: e.TrackingURI() + namespacePrefix + s.name,
		})
	}
	slices.SortFunc(list, func(a, b NamespaceInfo) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

// DeleteNamespace removes a namespace with all that is in it, and tells whether there was one.
func (e *Env) DeleteNamespace(name string) (bool, error) {
	e.named.mu.RLock()
	s := e.named.spaces[name]
	e.named.mu.RUnlock()
	if s == nil {
		return false, nil
	}
	return true, e.forget(s)
}

// forget removes a namespace.
func (e *Env) forget(s *space) error {
	e.named.mu.Lock()
	if e.named.spaces[s.name] != s {
		e.named.mu.Unlock()
		return nil // somebody was faster
	}
	delete(e.named.spaces, s.name)
	// Without the pointer a restart knows nothing of it.
	err := os.Remove(filepath.Join(s.root, pointerFile))
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	err = errors.Join(err, os.RemoveAll(filepath.Join(s.root, snapshotsDir)))
	e.named.mu.Unlock()

	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed.Store(true)
	s.retire(s.current.Load(), s.dir)
	e.serving.Go(func() {
		s.retiring.Wait()
		e.named.mu.Lock()
		defer e.named.mu.Unlock()
		if e.named.spaces[s.name] == nil {
			e.logError("the namespace's folder was not removed", os.RemoveAll(s.root))
		}
	})
	return err
}

// findNamespaces learns of the namespaces that a data folder holds.
func (e *Env) findNamespaces() error {
	entries, err := os.ReadDir(filepath.Join(e.dir.path, namespacesDir))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	e.named.mu.Lock()
	defer e.named.mu.Unlock()
	for _, entry := range entries {
		root := filepath.Join(e.dir.path, namespacesDir, entry.Name())
		dir, err := find(root)
		if err != nil {
			return fmt.Errorf("namespace %s: %w; remove %s to go on without it", entry.Name(), err, root)
		}
		if dir == root || !isName(entry.Name()) { // its making, or its end, was cut short
			if err := os.RemoveAll(root); err != nil {
				return err
			}
			continue
		}
		if err := tidy(root, dir); err != nil {
			return err
		}
		s := &space{env: e, name: entry.Name(), root: root, dir: dir}
		if e.named.spaces == nil {
			e.named.spaces = map[string]*space{}
			e.named.reaper.Do(func() { e.serving.Go(e.reap) })
		}
		e.named.spaces[s.name] = s
	}
	return nil
}

// awake lists the namespaces that are open, the one asked for longest ago first.
func (e *Env) awake() []*space {
	e.named.mu.RLock()
	defer e.named.mu.RUnlock()
	var list []*space
	for _, s := range e.named.spaces {
		if s.current.Load() != nil {
			list = append(list, s)
		}
	}
	slices.SortFunc(list, func(a, b *space) int { return cmp.Compare(a.used.Load(), b.used.Load()) })
	return list
}

// makeRoom puts to sleep what is too much with one more that wakes. The caller, who holds no space's lock, calls ready when that one is open.
func (e *Env) makeRoom() (ready func()) {
	n := &e.named
	n.room.Lock()
	defer n.room.Unlock()
	list := e.awake()
	over := len(list) + n.waking + 1 - maxAwake
	for _, s := range list {
		if over <= 0 {
			break
		}
		slept, err := s.sleep(context.Background())
		if err != nil {
			e.cfg.Log.Error("a namespace was not closed in order", "namespace", s.name, "error", err)
		}
		if slept {
			over--
		}
	}
	n.waking++
	return func() {
		n.room.Lock()
		n.waking--
		n.room.Unlock()
	}
}

// reap puts to sleep what nobody asks for.
func (e *Env) reap() {
	tick := time.NewTicker(max(min(e.cfg.NamespaceIdle/4, time.Second), time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-e.stopped:
			return
		case <-tick.C:
		}
		list := e.awake()
		before := time.Now().Add(-e.cfg.NamespaceIdle).UnixMilli()
		for i, s := range list {
			if s.used.Load() >= before && len(list)-i <= maxAwake {
				break
			}
			if _, err := s.sleep(context.Background()); err != nil {
				e.cfg.Log.Error("a namespace was not closed in order", "namespace", s.name, "error", err)
			}
		}
	}
}

// endNamespaces closes all of them.
func (e *Env) endNamespaces(ctx context.Context) error {
	e.named.mu.RLock()
	spaces := make([]*space, 0, len(e.named.spaces))
	for _, s := range e.named.spaces {
		spaces = append(spaces, s)
	}
	e.named.mu.RUnlock()
	var errs []error
	for _, s := range spaces {
		errs = append(errs, s.end(ctx))
	}
	return errors.Join(errs...)
}
