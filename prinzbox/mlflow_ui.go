package prinzbox

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"time"
)

// mlflowUIPath is where MLflow's own UI stands; / is prinzbox's.
const mlflowUIPath = "/mlflow-ui"

// mlflowUI serves MLflow's own React UI from the folder of an installed MLflow (mlflow/server/js/build). Its addresses are all relative, so
// below the prefix lie its files and every call that it makes, which go to next with the prefix cut off.
type mlflowUI struct {
	dir  fs.FS
	next http.Handler
}

// findMLflowUI is the folder of MLflow's UI that a setting names: itself, or for "auto" that of the MLflow in the active Python.
func findMLflowUI(ctx context.Context, setting string) (dir string, err error) {
	if dir = setting; setting == "auto" {
		if dir, err = installedMLflowUI(ctx); err != nil {
			return "", err
		}
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return "", fmt.Errorf("--mlflow-ui: %w", err)
	}
	if info, err := os.Stat(filepath.Join(dir, "index.html")); err != nil || !info.Mode().IsRegular() {
		return "", fmt.Errorf("--mlflow-ui %s: there is no index.html in it; name the folder mlflow/server/js/build of an installed MLflow, or auto", dir)
	}
	return dir, nil
}

// findSpec prints the folder of the mlflow package without importing it, which would take seconds. The current folder is left out: what is
// called mlflow there is not installed.
const findSpec = `import sys
sys.path = [p for p in sys.path if p]
from importlib.util import find_spec
spec = find_spec("mlflow")
print(spec.submodule_search_locations[0] if spec and spec.submodule_search_locations else "")`

// installedMLflowUI asks the active Python for its MLflow.
func installedMLflowUI(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	names := []string{"python3", "python"}
	if venv := os.Getenv("VIRTUAL_ENV"); venv != "" { // active, even where PATH does not say so
		names = append([]string{filepath.Join(venv, "bin", "python"), filepath.Join(venv, "Scripts", "python.exe")}, names...)
	}
	for _, name := range names {
		out, err := exec.CommandContext(ctx, name, "-c", findSpec).Output()
		if err != nil {
			if !errors.Is(err, exec.ErrNotFound) && !errors.Is(err, fs.ErrNotExist) {
				return "", fmt.Errorf("--mlflow-ui auto: %s: %w", name, err)
			}
			continue
		}
		if dir := strings.TrimSpace(string(out)); dir != "" {
			return filepath.Join(dir, "server", "js", "build"), nil
		}
		return "", fmt.Errorf("--mlflow-ui auto: %s has no MLflow: pip install mlflow, or name the folder mlflow/server/js/build of another Python", name)
	}
	return "", errors.New("--mlflow-ui auto: no python3 on PATH: name the folder mlflow/server/js/build of an installed MLflow")
}

// wrap puts the UI in front of everything else on the port.
func (u *mlflowUI) wrap(next http.Handler) http.Handler {
	u.next = next
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch rest, ok := strings.CutPrefix(r.URL.Path, mlflowUIPath); {
		case !ok, rest != "" && rest[0] != '/':
			next.ServeHTTP(w, r)
		case rest == "":
			// Without the slash its relative addresses would lead elsewhere.
			target := mlflowUIPath + "/"
			if r.URL.RawQuery != "" {
				target += "?" + r.URL.RawQuery
			}
			http.Redirect(w, r, target, http.StatusPermanentRedirect)
		default:
			u.serve(w, r, rest)
		}
	})
}

func (u *mlflowUI) serve(w http.ResponseWriter, r *http.Request, rest string) {
	file, static := strings.CutPrefix(rest, "/static-files/")
	switch {
	case rest == "/" || rest == "/index.html":
		w.Header().Set("Cache-Control", "no-cache") // it names the files of one release
		u.file(w, r, "index.html")
	case static:
		// As MLflow does: the names hold a hash of the content.
		w.Header().Set("Cache-Control", "public, max-age=2419200")
		u.file(w, r, file)
	case isAPI(rest), rest == "/graphql", rest == "/get-artifact", rest == "/model-versions/get-artifact", rest == "/version", rest == "/health":
		http.StripPrefix(mlflowUIPath, u.next).ServeHTTP(w, r)
	default:
		http.NotFound(w, r)
	}
}

func (u *mlflowUI) file(w http.ResponseWriter, r *http.Request, name string) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "Method Not Allowed", http.StatusMethodNotAllowed)
		return
	}
	info, err := fs.Stat(u.dir, path.Clean(name))
	if err != nil || !info.Mode().IsRegular() { // no listing of folders
		w.Header().Del("Cache-Control")
		http.NotFound(w, r)
		return
	}
	if strings.HasSuffix(name, ".js") {
		w.Header().Set("Content-Type", "text/javascript; charset=utf-8") // Windows' registry may say otherwise
	}
	// Not http.ServeFileFS: that redirects index.html to ./
	f, err := u.dir.Open(path.Clean(name))
	if err != nil {
		http.NotFound(w, r)
		return
	}
	defer f.Close() //nolint:errcheck // only read
	if seeker, ok := f.(interface {
		fs.File
		Seek(offset int64, whence int) (int64, error)
	}); ok {
		http.ServeContent(w, r, path.Base(name), info.ModTime(), seeker)
	}
}
