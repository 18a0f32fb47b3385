package python

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// interpreter gives the Python for the model in a folder.
func (f *Fallback) interpreter(ctx context.Context, dir string) (string, error) {
	python, err := f.find(ctx)
	if err == nil {
		return python, nil
	}
	if !f.cfg.Install {
		return "", fmt.Errorf("%w; --python-install lets prinzbox make an environment from the model's requirements.txt", err)
	}
	return f.make(ctx, dir)
}

// find gives a Python that has mlflow.
func (f *Fallback) find(ctx context.Context) (string, error) {
	if runtime.GOOS == "windows" {
		return "", errors.New("python workers need fork, which Windows does not have")
	}
	if f.cfg.Interpreter == Off {
		return "", errors.New("python is switched off (--python off)")
	}
	if f.cfg.Interpreter != Auto {
		if err := hasMLflow(ctx, f.cfg.Interpreter); err != nil {
			return "", fmt.Errorf("--python %s: %w", f.cfg.Interpreter, err)
		}
		return f.cfg.Interpreter, nil
	}
	var candidates []string
	for _, env := range []string{"VIRTUAL_ENV", "CONDA_PREFIX"} {
		if dir := os.Getenv(env); dir != "" {
			candidates = append(candidates, filepath.Join(dir, "bin", "python"))
		}
	}
	for _, name := range []string{"python3", "python"} {
		if p, err := exec.LookPath(name); err == nil {
			candidates = append(candidates, p)
		}
	}
	for _, p := range candidates {
		if hasMLflow(ctx, p) == nil {
			return p, nil
		}
	}
	return "", errors.New("no Python with mlflow was found; activate its virtual environment, or name it by --python PATH")
}

// hasMLflow looks for the package without importing it, which takes seconds.
func hasMLflow(ctx context.Context, python string) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, python, "-c", "import importlib.metadata as m; m.version('mlflow'); m.version('pandas')").CombinedOutput()
	if err != nil {
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		return fmt.Errorf("it has no mlflow (%w: %s)", err, lines[len(lines)-1])
	}
	return nil
}

// installTimeout bounds the making of an environment: torch and its like are gigabytes.
const installTimeout = 15 * time.Minute

// make makes an environment from a model's requirements, or finds the one that was made from the same.
func (f *Fallback) make(ctx context.Context, dir string) (string, error) {
	requirements, err := os.ReadFile(filepath.Join(dir, "requirements.txt"))
	if err != nil {
		return "", errors.New("the model has no requirements.txt to make an environment from")
	}
	sum := sha256.Sum256(requirements)
	env := filepath.Join(f.cfg.Dir, "envs", hex.EncodeToString(sum[:8]))
	python := filepath.Join(env, "bin", "python")
	done := filepath.Join(env, "prinzbox-ready")
	f.install.Lock() // one at a time: they are heavy, and two models may want the same
	defer f.install.Unlock()
	if _, err := os.Stat(done); err == nil {
		return python, nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), installTimeout)
	defer cancel()
	if err := os.RemoveAll(env); err != nil {
		return "", err
	}
	var steps [][]string
	file := filepath.Join(dir, "requirements.txt")
	if uv, err := exec.LookPath("uv"); err == nil {
		steps = [][]string{{uv, "venv", env}, {uv, "pip", "install", "--python", python, "-r", file, "mlflow", "pandas"}}
	} else {
		base := f.cfg.Interpreter
		if base == Auto {
			base = "python3"
		}
		steps = [][]string{{base, "-m", "venv", env}, {python, "-m", "pip", "install", "-q", "-r", file, "mlflow", "pandas"}}
	}
	for _, step := range steps {
		f.cfg.Log.Info("making a Python environment", "command", strings.Join(step, " "))
		if out, err := exec.CommandContext(ctx, step[0], step[1:]...).CombinedOutput(); err != nil {
			text := strings.TrimSpace(string(out))
			return "", fmt.Errorf("%s failed: %w: %s", strings.Join(step[:2], " "), err, text[max(0, len(text)-500):])
		}
	}
	return python, os.WriteFile(done, nil, 0o600)
}
