package prinzbox

import (
	"context"
	"path"

	"github.com/prinzbox/prinzbox/serving"
	"github.com/prinzbox/prinzbox/serving/python"
)

// pythonFallback scores what the engines in Go do not; nil when Python is off.
func (e *world) pythonFallback() serving.Fallback {
	if e.cfg.Python == "" || e.cfg.Python == python.Off {
		return nil
	}
	e.python = python.New(python.Config{
		Interpreter: e.cfg.Python, Install: e.cfg.PythonInstall, Dir: e.env.pythonDir(), Log: e.cfg.Log,
		List: func(ctx context.Context, uri string) ([]string, error) { return e.files.tree(ctx, uri, "") },
	})
	if e.cfg.Python != python.Auto { // it was asked for: the first model should not wait for it
		ctx, cancel := context.WithCancel(context.Background())
		e.stop = append(e.stop, cancel)
		e.background.Go(func() {
			if err := e.python.Prewarm(ctx); err != nil && ctx.Err() == nil {
				e.cfg.Log.Warn("Python is not ready", "error", err)
			}
		})
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
