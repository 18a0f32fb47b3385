package prinzbox

import (
	"context"
	"path"
	"path/filepath"

	"github.com/prinzbox/prinzbox/serving"
	"github.com/prinzbox/prinzbox/serving/python"
)

// openPython prepares what scores the models that the engines in Go do not: the interpreters serve all worlds, each model is its world's own.
func (e *Env) openPython() {
	if e.cfg.Python == "" || e.cfg.Python == python.Off {
		return
	}
	e.python = python.New(python.Config{
		Interpreter: e.cfg.Python, Install: e.cfg.PythonInstall, Dir: filepath.Join(e.dir.path, "python"), Log: e.cfg.Log,
		List: func(ctx context.Context, objects serving.Objects, uri string) ([]string, error) {
			return objects.(modelFiles).tree(ctx, uri, "")
		},
	})
	if e.cfg.Python != python.Auto { // it was asked for: the first model should not wait for it
		ctx, cancel := context.WithCancel(context.Background())
		e.stopPrewarm = cancel
		e.serving.Go(func() {
			if err := e.python.Prewarm(ctx); err != nil && ctx.Err() == nil {
				e.cfg.Log.Warn("Python is not ready", "error", err)
			}
		})
	}
}

// pythonFallback is a nil interface when Python is off.
func (e *Env) pythonFallback() serving.Fallback {
	if e.python == nil {
		return nil
	}
	return e.python
}

// tree lists all files below a location.
func (f *files) tree(ctx context.Context, location, dir string) (names []string, err error) {
	infos, err := f.list(ctx, location, dir)
	if err != nil {
		return nil, err
	}
	for _, info := range infos {
		name := path.Join(dir, info.Name)
		if !info.IsDir {
			names = append(names, name)
			continue
		}
		below, err := f.tree(ctx, location, name)
		if err != nil {
			return nil, err
		}
		names = append(names, below...)
	}
	return names, nil
}
