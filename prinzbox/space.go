package prinzbox

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prinzbox/prinzbox/artifacts"
	"github.com/prinzbox/prinzbox/registry"
	"github.com/prinzbox/prinzbox/registry/sqldb"
	"github.com/prinzbox/prinzbox/serving"
)

// space is a place for one world after the other: the environment's own, or a namespace. Its methods are those of [Env] and [Namespace].
//
// Its folder holds the first world of the environment itself, or a file "current" that names the folder of the world of now, below "worlds";
// whatever else is there is left over. So a world is replaced by one rename, and a killed process leaves the one or the other.
type space struct {
	env  *Env
	name string // "" is the environment's own
	root string

	current atomic.Pointer[world] // nil while the space is asleep
	// dir is the folder of the world of now.
	dir string
	// closed is set before the last world ends.
	closed atomic.Bool
	// mu is held by whoever replaces, wakes or ends the world, or changes the snapshots.
	mu sync.Mutex
	// used is when a request came last, in milliseconds since 1970; who pins a space keeps it awake.
	used  atomic.Int64
	pins  atomic.Int64
	tools instruments
	// retiring are the worlds that wait for their last request.
	retiring sync.WaitGroup
}

// errClosed is the answer of an environment or a namespace that is closed.
var errClosed = errors.New("the environment is closed")

const (
	pointerFile = "current"
	worldsDir   = "worlds"
)

// enter gives the world of now, which stays until leave.
func (s *space) enter(ctx context.Context) (*world, error) {
	for {
		w := s.current.Load()
		if w != nil && w.requests.take() {
			return w, nil
		}
		if s.closed.Load() {
			return nil, errClosed
		}
		if w == nil {
			if err := s.wake(ctx); err != nil {
				return nil, err
			}
		}
		// Otherwise the world has just been replaced: there is a new one.
	}
}

func (e *world) leave() { e.requests.give() }

// world is the world of now, of a space that does not sleep.
func (s *space) world() *world { return s.current.Load() }

// wake opens the state of a space that has no world, or a fresh one.
func (s *space) wake(ctx context.Context) error {
	if s.name != "" {
		defer s.env.makeRoom()()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed.Load():
		return errClosed
	case s.current.Load() != nil:
		return nil // somebody was faster
	}
	o := opening{}
	if s.dir == "" {
		m, err := s.env.image(ctx, s.env.cfg.start())
		if err != nil {
			return err
		}
		dir := s.newDir()
		if err := errors.Join(os.MkdirAll(dir, 0o700), m.lay(dir)); err != nil {
			return errors.Join(err, os.RemoveAll(dir))
		}
		o = opening{fresh: true, seeded: m.seeded}
		if err := s.point(dir); err != nil {
			return errors.Join(err, os.RemoveAll(dir))
		}
		s.dir = dir
	}
	w, err := s.env.openWorld(ctx, s, s.dir, o)
	if err != nil {
		return err
	}
	s.current.Store(w)
	return nil
}

// sleep closes the world of a space where nobody is, and tells whether it did.
func (s *space) sleep(ctx context.Context) (bool, error) {
	if !s.mu.TryLock() {
		return false, nil // somebody resets it, say
	}
	defer s.mu.Unlock()
	w := s.current.Load()
	if w == nil || s.pins.Load() > 0 || !w.mayRest() || !w.requests.endIfFree() {
		return false, nil
	}
	s.current.Store(nil)
	return true, w.close(ctx)
}

// mayRest tells whether a world keeps nothing that is in memory alone.
func (e *world) mayRest() bool { return len(e.receiver.received()) == 0 }

func (s *space) newDir() string { return filepath.Join(s.root, worldsDir, newID()) }

// replace makes a new world of the state that lay puts into a folder, and lets it answer from now on. Requests under way end in the old one,
// which is then removed. When it fails, the old world stays.
func (s *space) replace(ctx context.Context, lay func(dir string) (opening, error)) (err error) {
	ctx = context.WithoutCancel(ctx) // half a reset helps nobody
	if s.name != "" && s.current.Load() == nil {
		defer s.env.makeRoom()()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed.Load() {
		return errClosed
	}
	dir := s.newDir()
	var w *world
	defer func() {
		if err != nil {
			if w != nil {
				err = errors.Join(err, w.close(ctx))
			}
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	o, err := lay(dir)
	if err != nil {
		return err
	}
	if w, err = s.env.openWorld(ctx, s, dir, o); err != nil {
		return err
	}
	if s.name == "" {
		if err = w.watchModels(ctx); err != nil {
			return err
		}
	}
	if err = s.point(dir); err != nil {
		return err
	}
	old, oldDir := s.current.Swap(w), s.dir
	s.dir = dir
	s.retire(old, oldDir)
	return nil
}

// retire closes a world behind its last request and removes its folder.
func (s *space) retire(w *world, dir string) {
	if w == nil {
		s.env.logError("the state before was not removed", s.removeWorld(dir))
		return
	}
	free := w.requests.end()
	s.retiring.Go(func() {
		ctx := context.Background()
		select {
		case <-free:
		case <-s.env.stopped:
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, closePatience)
			defer cancel()
		}
		s.env.logError("the state before was not closed", w.close(ctx))
		s.env.logError("the state before was not removed", s.removeWorld(dir))
	})
}

func (s *space) removeWorld(dir string) error {
	switch dir {
	case "":
		return nil
	case s.root:
		return removeState(dir)
	}
	return os.RemoveAll(dir)
}

// point makes a folder the one that a restart opens.
func (s *space) point(dir string) error {
	if s.env.dir.temporary {
		return nil
	}
	name, err := filepath.Rel(s.root, dir)
	if err != nil {
		return err
	}
	full := s.env.cfg.Durability == sqldb.DurabilityFull
	if full {
		if err := syncTree(dir); err != nil {
			return err
		}
	}
	if err := replaceFile(filepath.Join(s.root, pointerFile), []byte(filepath.ToSlash(name)+"\n")); err != nil {
		return err
	}
	if full {
		return syncPaths(filepath.Join(s.root, pointerFile), s.root, filepath.Dir(dir))
	}
	return nil
}

// find gives the folder of the world of now below the folder of a space: root itself where no file tells otherwise.
func find(root string) (dir string, err error) {
	text, err := os.ReadFile(filepath.Join(root, pointerFile))
	if errors.Is(err, fs.ErrNotExist) {
		return root, nil
	}
	if err != nil {
		return "", err
	}
	id, ok := strings.CutPrefix(strings.TrimSpace(string(text)), worldsDir+"/")
	if !ok || !isName(id) {
		return "", fmt.Errorf("%s should name a folder below %s", filepath.Join(root, pointerFile), worldsDir)
	}
	dir = filepath.Join(root, worldsDir, id)
	if has, err := hasState(dir); err != nil || !has {
		return "", errors.Join(fmt.Errorf("%s names %s, where no database is", filepath.Join(root, pointerFile), dir), err)
	}
	return dir, nil
}

// tidy removes what a killed process left in the folder of a space, beside the world of now.
func tidy(root, dir string) error {
	var errs []error
	if dir != root {
		errs = append(errs, removeState(root))
	}
	worlds, err := os.ReadDir(filepath.Join(root, worldsDir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		errs = append(errs, err)
	}
	for _, w := range worlds {
		if other := filepath.Join(root, worldsDir, w.Name()); other != dir {
			errs = append(errs, os.RemoveAll(other))
		}
	}
	exports, err := filepath.Glob(filepath.Join(root, "export-*"))
	if err != nil {
		errs = append(errs, err)
	}
	for _, export := range exports {
		errs = append(errs, os.RemoveAll(export))
	}
	return errors.Join(append(errs, tidySnapshots(root))...)
}

// end closes the space; its state stays where it is kept.
func (s *space) end(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed.Store(true)
	var err error
	if w := s.current.Load(); w != nil {
		select {
		case <-w.requests.end():
		case <-ctx.Done(): // their connections are closed
		}
		err = w.close(ctx)
	}
	s.retiring.Wait()
	return err
}

// Reset replaces everything by a fresh state, forgets the request log and the fault rules, and puts clock and ids back. Requests under way still see the old one, later ones the new one. What [Env.Store] and the like
// have given before is of the old one, and closed.
//
// Files that are not in the environment's own store (--artifacts-destination, --s3-endpoint) stay as they are.
func (s *space) Reset(ctx context.Context, to State) error {
	if _, err := ParseState(string(to)); err != nil {
		return err
	}
	m, err := s.env.image(context.WithoutCancel(ctx), to)
	if err != nil {
		return fmt.Errorf("reset: %w", err)
	}
	s.instruments().reset()
	err = s.replace(ctx, func(dir string) (opening, error) { return opening{fresh: true, seeded: m.seeded}, m.lay(dir) })
	if err != nil {
		return fmt.Errorf("reset: %w", err)
	}
	return nil
}

// Ready is the ready line of the environment.
func (s *space) Ready() Ready { return s.world().ready }

// TrackingURI is the address for MLFLOW_TRACKING_URI, without a slash at the end.
func (s *space) TrackingURI() string { return s.world().ready.TrackingURI }

// S3Endpoint is the address of the S3 store.
func (s *space) S3Endpoint() string { return s.world().ready.S3Endpoint }

// StaticURL is the address of the static values.
func (s *space) StaticURL() string { return s.world().ready.StaticURL }

// Store is the environment's registry, for direct use in the same process, until the next Reset, Restore or Import.
func (s *space) Store() *registry.Store { return s.world().store }

// Objects is the environment's S3 store, for direct use in the same process, until the next Reset, Restore or Import.
func (s *space) Objects() *artifacts.Store { return s.world().blobs }

// Scoring is the environment's scoring server, for its counts and last failures, until the next Reset, Restore or Import.
func (s *space) Scoring() *serving.Server { return s.world().scoring }

func (e *Env) logError(what string, err error) {
	if err != nil {
		e.cfg.Log.Error(what, "error", err)
	}
}

// closePatience is how long requests under way may take when an environment closes.
const closePatience = 10 * time.Second

// syncTree waits until the files and folders below a folder are on disk.
func syncTree(dir string) error {
	return filepath.WalkDir(dir, func(p string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return syncPaths(p)
	})
}

// syncPaths waits until files and folders are on disk. Windows keeps folders safe by itself.
func syncPaths(paths ...string) error {
	for _, p := range paths {
		info, err := os.Stat(p)
		if err != nil {
			return err
		}
		how := os.O_RDWR
		if info.IsDir() {
			if runtime.GOOS == "windows" {
				continue
			}
			how = os.O_RDONLY
		}
		f, err := os.OpenFile(p, how, 0)
		if err != nil {
			return err
		}
		if err := errors.Join(f.Sync(), f.Close()); err != nil {
			return err
		}
	}
	return nil
}
