// Package python scores what the engines in Go do not: it runs a Python interpreter that has MLflow, forks one worker process per model from it, and passes
// request bodies through to MLflow's own scoring code.
package python

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/prinzbox/prinzbox/registry"
	"github.com/prinzbox/prinzbox/serving"
	"github.com/prinzbox/prinzbox/serving/frame"
)

// Modes of Config.Interpreter beside a path.
const (
	Auto = "auto"
	Off  = "off"
)

// Config is how the fallback finds Python.
type Config struct {
	// Interpreter is the path of a Python that has mlflow, or Auto: the active virtual environment's, else the python3 of PATH.
	Interpreter string
	// Install allows environments to be made from a model's own requirements, with uv if it is there, else with venv and pip, where Interpreter has no
	// mlflow. It needs a network.
	Install bool
	// Dir is a folder of the environment's own, for copies of models and for environments.
	Dir string
	// List gives the files below a model's URI as paths with slashes, from the objects that the server has.
	List func(ctx context.Context, objects serving.Objects, uri string) ([]string, error)
	// Timeout bounds one request (default 60 s, MLFLOW_SCORING_SERVER_REQUEST_TIMEOUT's); a worker that exceeds it is ended.
	Timeout time.Duration
	// Workers is the number of models that keep a process (default 8); the one not asked for longest gives way.
	Workers int
	// Log gets what workers write.
	Log *slog.Logger
	// Clock is the time that back-off goes by; nil means time.Now.
	Clock func() time.Time
}

// Fallback is a [serving.Fallback]. It may be used by many goroutines.
type Fallback struct {
	cfg Config

	mu      sync.Mutex
	parents map[string]*parent // by interpreter
	models  []*model           // with a worker, the last used last
	closed  bool

	install sync.Mutex // held while an environment is made
}

// New makes a fallback; no process is started before the first model, or Prewarm.
func New(cfg Config) *Fallback {
	if cfg.Interpreter == "" {
		cfg.Interpreter = Auto
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = time.Minute
	}
	if cfg.Workers <= 0 {
		cfg.Workers = 8
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	return &Fallback{cfg: cfg, parents: map[string]*parent{}}
}

// Prewarm starts the interpreter, so that the first model need not wait for the import of MLflow. It returns when that is done.
func (f *Fallback) Prewarm(ctx context.Context) error {
	python, err := f.find(ctx)
	if err != nil {
		return err
	}
	p, err := f.parent(python)
	if err != nil {
		return err
	}
	return p.wait(ctx)
}

// Close ends all processes and removes the copies of models.
func (f *Fallback) Close() error {
	f.mu.Lock()
	f.closed = true
	parents := f.parents
	f.parents = map[string]*parent{}
	f.mu.Unlock()
	for _, p := range parents {
		p.stop()
	}
	return os.RemoveAll(f.modelsDir())
}

func (f *Fallback) modelsDir() string { return filepath.Join(f.cfg.Dir, "models") }

// Load makes a model that a Python worker scores. reason is why no engine in Go does. Errors are *registry.Error; NOT_IMPLEMENTED when there is
// no Python for it, or when Python cannot load it.
func (f *Fallback) Load(ctx context.Context, objects serving.Objects, uri string, meta serving.Meta, reason error) (*serving.Loaded, error) {
	why := strings.TrimSuffix(registry.Body(reason).Message, ".")
	if !meta.PythonFunction {
		return nil, registry.Errorf(registry.NotImplemented, "%s. It has no python_function flavor, so Python cannot score it either.", why)
	}
	below := objects
	if w, ok := objects.(interface{ Unwrap() serving.Objects }); ok {
		below = w.Unwrap()
	}
	files, err := f.cfg.List(ctx, below, uri)
	if err != nil {
		return nil, err
	}
	dir, err := f.copy(ctx, objects, uri, files)
	if err != nil {
		return nil, err
	}
	python, err := f.interpreter(ctx, dir)
	if err != nil {
		return nil, errors.Join(registry.Errorf(registry.NotImplemented, "%s. %v", why, err), os.RemoveAll(dir))
	}
	m := &model{fallback: f, python: python, dir: dir, uri: uri, signature: meta.Signature}
	if err := m.start(ctx); err != nil {
		_ = os.RemoveAll(dir)
		if ctx.Err() != nil {
			return nil, registry.Errorf(registry.TemporarilyUnavailable, "%s was still loading the model at %s after %v.", python, uri, f.cfg.Timeout)
		}
		return nil, registry.Errorf(registry.NotImplemented, "%s. %s could not load it: %v. The log has the whole trace; requirements.txt beside the model says what it needs.", why, python, err)
	}
	return &serving.Loaded{Model: m, Flavor: "python_function", Estimator: meta.Loader, Files: files}, nil
}

// copy writes a model's files to a folder of their own.
func (f *Fallback) copy(ctx context.Context, objects serving.Objects, uri string, files []string) (dir string, err error) {
	if err := os.MkdirAll(f.modelsDir(), 0o700); err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(uri))
	dir, err = os.MkdirTemp(f.modelsDir(), hex.EncodeToString(sum[:6])+"-")
	if err != nil {
		return "", err
	}
	for _, name := range files {
		if err := copyFile(ctx, objects, uri, name, dir); err != nil {
			return "", errors.Join(err, os.RemoveAll(dir))
		}
	}
	return dir, nil
}

func copyFile(ctx context.Context, objects serving.Objects, uri, name, dir string) error {
	if !filepath.IsLocal(filepath.FromSlash(name)) || path.Clean(name) != name {
		return registry.Invalidf("The model at %s has a file named %q, which cannot be a file's path.", uri, name)
	}
	r, _, err := objects.Open(ctx, uri, name)
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }() // read-only
	to := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	w, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(w, r)
	if err = errors.Join(err, w.Close()); err != nil {
		return fmt.Errorf("copying %s of the model at %s: %w", name, uri, err)
	}
	return nil
}

// parent gives the running interpreter at a path, and starts it if it is not there.
func (f *Fallback) parent(python string) (*parent, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil, errClosed
	}
	if p := f.parents[python]; p != nil && !p.ended() {
		return p, nil
	}
	p, err := startParent(python, f.cfg.Dir, f.cfg.Log)
	if err != nil {
		return nil, err
	}
	f.parents[python] = p
	return p, nil
}

var errClosed = errors.New("the server is closing")

// used moves a model to the end of those with a worker, and ends the worker of the first when there are too many.
func (f *Fallback) used(m *model) {
	f.mu.Lock()
	f.forgetLocked(m)
	f.models = append(f.models, m)
	var give *model
	if len(f.models) > f.cfg.Workers {
		give = f.models[0]
		f.models = f.models[1:]
	}
	f.mu.Unlock()
	if give != nil {
		give.rest()
	}
}

func (f *Fallback) forgetLocked(m *model) {
	for i, other := range f.models {
		if other == m {
			f.models = append(f.models[:i:i], f.models[i+1:]...)
			return
		}
	}
}

var _ interface {
	serving.Model
	serving.Raw
	io.Closer
} = (*model)(nil)

// Predict is not how a worker is asked: it takes whole bodies.
func (m *model) Predict(context.Context, *frame.Frame) (*frame.Result, error) {
	return nil, registry.Errorf(registry.NotImplemented, "A model that Python scores takes request bodies.")
}
