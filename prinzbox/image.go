package prinzbox

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/prinzbox/prinzbox/artifacts"
)

// State is a state that an environment can begin with.
type State string

const (
	// Seeded has the sample models.
	Seeded State = "seeded"
	// Empty has the experiment Default and the buckets, as a fresh MLflow server.
	Empty State = "empty"
)

// ParseState reads "seeded" or "empty".
func ParseState(text string) (State, error) {
	if s := State(text); s == Seeded || s == Empty {
		return s, nil
	}
	return "", fmt.Errorf("state %q: use %s or %s", text, Seeded, Empty)
}

// start is the state that a fresh environment has.
func (c Config) start() State {
	if c.Seed {
		return Seeded
	}
	return Empty
}

// image is a fresh state in memory: half a megabyte. To write it down takes a fraction of the time of migrations and training.
type image struct {
	database []byte
	blobs    map[string][]byte // by slashed path below the folder of blobs
	seeded   []string
}

// lay writes the state into a folder that has none. The database comes last and at once: with it the state is there.
func (m *image) lay(dir string) error {
	for name, data := range m.blobs {
		file := filepath.Join(blobsIn(dir), filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(file, data, 0o600); err != nil {
			return err
		}
	}
	return replaceFile(filepath.Join(dir, databaseFile), m.database)
}

// imageKey is all that an image depends on which processes can share. Clocks, ids, users and tables of payments belong to one environment.
type imageKey struct {
	state                     State
	bucket, root, destination string
}

// imageCache makes each image once.
type imageCache struct {
	mu     sync.Mutex
	images map[imageKey]*image
}

// maxImages bounds the images kept: a process rarely has more than two kinds of environments.
const maxImages = 8

func (c *imageCache) get(key imageKey, build func() (*image, error)) (*image, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if m := c.images[key]; m != nil {
		return m, nil
	}
	m, err := build()
	if err != nil {
		return nil, err
	}
	if c.images == nil || len(c.images) >= maxImages {
		c.images = map[imageKey]*image{}
	}
	c.images[key] = m
	return m, nil
}

// processImages are those that differ from one environment to the next by nothing. They are values that do not change: environments that share
// them know nothing of each other.
var processImages imageCache

// image is a state of this environment, made when first asked for.
func (e *Env) image(ctx context.Context, state State) (*image, error) {
	key := imageKey{state: state, bucket: e.cfg.Bucket, root: e.cfg.DefaultArtifactRoot, destination: e.cfg.ArtifactsDestination}
	if e.cfg.Auth.AppName != "" && e.cfg.Auth.AdminPassword == "" && e.world() != nil {
		return nil, errAdminPassword
	}
	build := func() (*image, error) { return e.buildImage(ctx, state) }
	if e.ownImages {
		return e.images.get(key, build)
	}
	return processImages.get(key, build)
}

// imagesAreOwn tells whether images depend on more than [imageKey] says.
func (c Config) imagesAreOwn() bool {
	return c.Clock != nil || c.NewID != nil || c.FraudData != nil || c.Auth.AppName != "" || c.Remote.Endpoint != "" ||
		localRoot(c.ArtifactsDestination) != "" || localRoot(c.DefaultArtifactRoot) != ""
}

var errFraudData = errors.New("the table of payments could only be read at the start, when the samples were there already: reset to empty, or start with a new data directory")

// errAdminPassword is a [NamespaceError], since a request may be what asks for a fresh state.
var errAdminPassword = namespaceErrorf("a fresh state needs the admin's password, to make him anew: start the server with --admin-password")

// buildImage makes a state the long way, in a folder of its own.
func (e *Env) buildImage(ctx context.Context, state State) (_ *image, err error) {
	if state == Seeded && e.fraudDataGone {
		return nil, errFraudData
	}
	dir, err := os.MkdirTemp("", "prinzbox-image-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	w, err := e.openWorld(ctx, &space{env: e}, dir, opening{seed: state == Seeded})
	if err != nil {
		return nil, err
	}
	if e.cfg.Auth.AdminPassword == "" {
		e.cfg.Auth = w.cfg.Auth // with a password that was made up
	}
	m := &image{seeded: w.ready.Seeded, blobs: map[string][]byte{}}
	if err := w.close(ctx); err != nil {
		return nil, err
	}
	if m.database, err = os.ReadFile(filepath.Join(dir, databaseFile)); err != nil {
		return nil, err
	}
	names, err := artifacts.BlobFiles(blobsIn(dir))
	for _, name := range names {
		if m.blobs[name], err = os.ReadFile(filepath.Join(blobsIn(dir), filepath.FromSlash(name))); err != nil {
			return nil, err
		}
	}
	return m, err
}

// hasState tells whether a folder holds a state.
func hasState(dir string) (bool, error) {
	_, err := os.Stat(filepath.Join(dir, databaseFile))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// removeState removes a state from a folder that holds other things too.
func removeState(dir string) error {
	var errs []error
	for _, suffix := range []string{"", "-wal", "-shm", ".tmp"} {
		if err := os.Remove(filepath.Join(dir, databaseFile+suffix)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(append(errs, os.RemoveAll(blobsIn(dir)))...)
}

// isName tells whether a text can name a snapshot or a namespace: a file or a host may be called so.
func isName(text string) bool {
	return len(text) > 0 && len(text) <= 63 && text[0] != '-' && text[len(text)-1] != '-' &&
		strings.Trim(text, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}
