// Package workers_test runs models of real MLflow releases in Python workers.
package workers_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prinzbox/prinzbox/clients/venv"
	"github.com/prinzbox/prinzbox/registry"
	"github.com/prinzbox/prinzbox/serving"
	"github.com/prinzbox/prinzbox/serving/python"
)

// folder gives the files of model directories on disk.
type folder struct{}

func (folder) Open(_ context.Context, uri, path string) (io.ReadCloser, int64, error) {
	f, err := os.Open(filepath.Join(uri, path))
	return f, -1, err
}

func (folder) ETag(context.Context, string, string) (string, error) { return "", nil }

func (folder) Generation() uint64 { return 1 }

func files(_ context.Context, _ serving.Objects, uri string) (names []string, err error) {
	err = filepath.WalkDir(uri, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(uri, p)
		names = append(names, filepath.ToSlash(name))
		return err
	})
	return names, err
}

var noEngine = registry.Errorf(registry.NotImplemented, "No engine here.")

func fallback(t *testing.T, cfg python.Config) *python.Fallback {
	t.Helper()
	cfg.Dir, cfg.List = t.TempDir(), files
	cfg.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	f := python.New(cfg)
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

// load loads a model that doubles x, and does worse for some values.
func load(t *testing.T, f *python.Fallback, interpreter string) serving.Raw {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "model")
	cmd := exec.CommandContext(t.Context(), interpreter, "testdata/doubler.py", dir)
	cmd.Env = venv.Environ()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	l, err := f.Load(t.Context(), folder{}, dir, serving.Meta{PythonFunction: true, Loader: "mlflow.pyfunc.model", Signature: &serving.Signature{}}, noEngine)
	if err != nil {
		t.Fatal(err)
	}
	return l.Model.(serving.Raw)
}

func TestProtocols(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: Python takes a while")
	}
	for _, version := range []string{"1.30.1", "2.22.5", "3.17.2"} {
		t.Run(version, func(t *testing.T) {
			interpreter := venv.Python(t, version)
			m := load(t, fallback(t, python.Config{Interpreter: interpreter}), interpreter)
			for _, c := range []struct {
				body, kind string
				status     int
				want       string // of a 200 the whole answer without blanks, else a part
			}{
				{`{"dataframe_split": {"columns": ["x"], "data": [[1], [2]]}}`, "application/json", 200, `{"predictions":[{"x":2},{"x":4}]}`},
				{`{"dataframe_records": [{"x": 3}]}`, "application/json", 200, `{"predictions":[{"x":6}]}`},
				{`{"inputs": {"x": [4]}}`, "application/json", 200, `{"predictions":[8]}`},
				{`{"columns": ["x"], "data": [[1], [2]]}`, "application/json", 200, `[{"x":2},{"x":4}]`},
				{`[{"x": 5}]`, "application/json; format=pandas-records", 200, `[{"x":10}]`},
				{"x\n4\n", "text/csv", 200, ""},
				{`nonsense`, "application/json", 400, "JSON"},
				{`{"dataframe_split": {"columns": ["x"], "data": [[13]]}}`, "application/json", 400, "unlucky"},
				{`x`, "text/plain", 415, "only supports the following content types"},
			} {
				status, _, answer := m.Invoke(t.Context(), []byte(c.body), c.kind)
				got := strings.ReplaceAll(string(answer), " ", "")
				if status != c.status || status == 200 && c.want != "" && got != c.want || status != 200 && !strings.Contains(string(answer), c.want) {
					t.Errorf("%s: %d %s, want %d %s", c.body, status, answer, c.status, c.want)
				}
			}
		})
	}
}

const (
	one   = `{"dataframe_split": {"columns": ["x"], "data": [[1]]}}`
	exits = `{"dataframe_split": {"columns": ["x"], "data": [[14]]}}`
	hangs = `{"dataframe_split": {"columns": ["x"], "data": [[15]]}}`
)

// A worker that dies or hangs costs its own request only; the next one gets a new worker, after a pause if that keeps happening.
func TestWorkersThatFail(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: Python takes a while")
	}
	interpreter := venv.Python(t, "3.17.2")
	var mu sync.Mutex
	now := time.Now()
	f := fallback(t, python.Config{Interpreter: interpreter, Timeout: 10 * time.Second, Clock: func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		return now
	}})
	m := load(t, f, interpreter)
	ask := func(body string, want int, text string) {
		t.Helper()
		if status, _, answer := m.Invoke(t.Context(), []byte(body), "application/json"); status != want || !strings.Contains(string(answer), text) {
			t.Fatalf("%s: %d %s, want %d %s", body, status, answer, want, text)
		}
	}
	ask(one, 200, "2")
	ask(exits, 503, "gave no answer")
	ask(one, 200, "2")
	ask(hangs, 504, "exceeded limit")
	ask(one, 200, "2")
	ask(exits, 503, "gave no answer")
	ask(exits, 503, "gave no answer")
	ask(one, 503, "next start is in")
	mu.Lock()
	now = now.Add(time.Minute)
	mu.Unlock()
	ask(one, 200, "2")
}

// Requests at once, from more models than may keep a process, are all answered.
func TestMoreModelsThanWorkers(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: Python takes a while")
	}
	interpreter := venv.Python(t, "3.17.2")
	f := fallback(t, python.Config{Interpreter: interpreter, Workers: 1})
	models := []serving.Raw{load(t, f, interpreter), load(t, f, interpreter)}
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			for range 5 {
				if status, _, answer := models[i%2].Invoke(t.Context(), []byte(one), "application/json"); status != 200 {
					t.Errorf("%d %s", status, answer)
				}
			}
		})
	}
	all.Wait()
}

func TestWithoutPython(t *testing.T) {
	empty := t.TempDir()
	t.Setenv("PATH", empty)
	t.Setenv("VIRTUAL_ENV", "")
	t.Setenv("CONDA_PREFIX", "")
	for interpreter, want := range map[string]string{
		python.Auto: "no Python with mlflow was found", python.Off: "--python off", filepath.Join(empty, "nope"): "it has no mlflow",
	} {
		f := fallback(t, python.Config{Interpreter: interpreter})
		_, err := f.Load(t.Context(), folder{}, empty, serving.Meta{PythonFunction: true}, noEngine)
		if !registry.IsCode(err, registry.NotImplemented) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "No engine here") || !strings.Contains(err.Error(), "--python-install") {
			t.Errorf("%s: %v", interpreter, err)
		}
	}
	f := fallback(t, python.Config{})
	if _, err := f.Load(t.Context(), folder{}, empty, serving.Meta{}, noEngine); !registry.IsCode(err, registry.NotImplemented) || !strings.Contains(err.Error(), "python_function") {
		t.Errorf("no pyfunc: %v", err)
	}
}

// A file's name cannot lead out of the model's folder.
func TestFilesThatClimb(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"../x", "/etc/passwd", "a/../../x", "a//b"} {
		f := python.New(python.Config{Dir: dir, List: func(context.Context, serving.Objects, string) ([]string, error) { return []string{name}, nil }})
		if _, err := f.Load(t.Context(), folder{}, dir, serving.Meta{PythonFunction: true}, noEngine); !registry.IsCode(err, registry.InvalidParameterValue) {
			t.Errorf("%s: %v", name, err)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
}

// A model that Python cannot load says why.
func TestBrokenModel(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: Python takes a while")
	}
	interpreter := venv.Python(t, "3.17.2")
	dir := t.TempDir()
	text := "flavors:\n  python_function:\n    loader_module: no_such_module\n    python_version: 3.11.0\n"
	if err := os.WriteFile(filepath.Join(dir, "MLmodel"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := fallback(t, python.Config{Interpreter: interpreter}).Load(t.Context(), folder{}, dir, serving.Meta{PythonFunction: true}, noEngine)
	if !registry.IsCode(err, registry.NotImplemented) || !strings.Contains(err.Error(), "no_such_module") {
		t.Errorf("got %v", err)
	}
	if _, ok := errors.AsType[*registry.Error](err); !ok {
		t.Errorf("%T", err)
	}
}
