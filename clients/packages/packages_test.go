// Package packages_test builds what users of other languages install (wheel, npm package, jar) and runs the projects of examples with it.
package packages_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prinzbox/prinzbox/clients/venv"
)

var program struct {
	once sync.Once
	dir  string
	err  error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if program.dir != "" {
		_ = os.RemoveAll(program.dir)
	}
	os.Exit(code)
}

// binary is the program as it is shipped: static.
func binary(t *testing.T) string {
	t.Helper()
	program.once.Do(func() {
		//nolint:usetesting // all tests share it; TestMain removes it
		if program.dir, program.err = os.MkdirTemp("", "prinzbox-packages-"); program.err != nil {
			return
		}
		cmd := exec.Command("go", "build", "-trimpath", "-o", filepath.Join(program.dir, name()), ".")
		cmd.Dir = root()
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		cmd.Stderr = os.Stderr
		program.err = cmd.Run()
	})
	if program.err != nil {
		t.Fatal(program.err)
	}
	return filepath.Join(program.dir, name())
}

func name() string {
	if runtime.GOOS == "windows" {
		return "prinzbox.exe"
	}
	return "prinzbox"
}

func root() string { return filepath.Join("..", "..") }

// in runs a command in a folder and gives what it wrote to both outputs.
func in(t *testing.T, dir string, extraEnv []string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir = dir
	cmd.Env = venv.Environ(append([]string{"MLFLOW_DISABLE_TELEMETRY=true", "DO_NOT_TRACK=true", "GIT_PYTHON_REFRESH=quiet", "PYTHONDONTWRITEBYTECODE=1"}, extraEnv...)...)
	start := time.Now()
	out, err := cmd.CombinedOutput()
	t.Logf("%s: %.1f s", strings.Join(args, " "), time.Since(start).Seconds())
	return string(out), err
}

// must is in, for commands that end well.
func must(t *testing.T, dir string, extraEnv []string, args ...string) string {
	t.Helper()
	out, err := in(t, dir, extraEnv, args...)
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// example copies a project of examples, as a user would.
func example(t *testing.T, name string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(root(), "examples", name))); err != nil {
		t.Fatal(err)
	}
	return dir
}

// wheel makes the wheel of this machine.
func wheel(t *testing.T, python, out string) string {
	t.Helper()
	platform := runtime.GOOS + "-" + runtime.GOARCH
	made := must(t, ".", nil, python, filepath.Join("..", "pytest", "build_wheel.py"), "--binary", binary(t), "--platform", platform, "--version", "0.1.0", "--out", out)
	return strings.TrimSpace(made)
}

// installed is the Python of a new virtual environment with the wheel and pytest, and with what the other environments hold.
func installed(t *testing.T, others ...string) string {
	t.Helper()
	first := venv.Python(t, "pytest-9.2.0")
	dir := t.TempDir()
	must(t, dir, nil, first, "-m", "venv", "--without-pip", dir)
	python := filepath.Join(dir, "bin", "python")
	if runtime.GOOS == "windows" {
		python = filepath.Join(dir, "Scripts", "python.exe")
	}
	const site = "import sysconfig; print(sysconfig.get_path('purelib'))"
	var paths strings.Builder
	for _, other := range append([]string{first}, others...) {
		paths.WriteString(must(t, dir, nil, other, "-c", site))
	}
	own := strings.TrimSpace(must(t, dir, nil, python, "-c", site))
	if err := os.WriteFile(filepath.Join(own, "others.pth"), []byte(paths.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	must(t, dir, nil, python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index", "--no-deps", wheel(t, first, t.TempDir()))
	return python
}

func TestPytest(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: real clients take a minute")
	}
	python := installed(t, venv.Python(t, "3.17.2"))
	t.Run("example", func(t *testing.T) {
		out := must(t, example(t, "pytest"), nil, python, "-m", "pytest", "-q")
		if !strings.Contains(out, "7 passed") {
			t.Errorf("want 7 passed:\n%s", out)
		}
	})
	t.Run("example on four workers", func(t *testing.T) {
		out := must(t, example(t, "pytest"), nil, python, "-m", "pytest", "-q", "-n", "4")
		if !strings.Contains(out, "7 passed") {
			t.Errorf("want 7 passed:\n%s", out)
		}
	})
	t.Run("state of MLflow", func(t *testing.T) {
		dir := t.TempDir()
		if err := os.CopyFS(dir, os.DirFS("testdata")); err != nil {
			t.Fatal(err)
		}
		out := must(t, dir, []string{"MLFLOW_TRACKING_URI=http://127.0.0.1:1/elsewhere", "AWS_PROFILE=nobody"}, python, "-m", "pytest", "-q", "state.py")
		if !strings.Contains(out, "9 passed") {
			t.Errorf("want 9 passed:\n%s", out)
		}
	})
}

// The plugin needs nothing but pytest, and says what is wrong.
func TestPytestAlone(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: makes virtual environments")
	}
	python := installed(t)
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata")); err != nil {
		t.Fatal(err)
	}
	out := must(t, dir, nil, python, "-m", "pytest", "-q", "alone.py")
	if !strings.Contains(out, "100 passed") {
		t.Errorf("want 100 passed:\n%s", out)
	}
	out, err := in(t, dir, nil, python, "-m", "pytest", "-q", "-k", "test_alone and 99", "alone.py", "--prinzbox-binary", "missing")
	if err == nil || !strings.Contains(out, "missing: there is no such file; --prinzbox-binary") {
		t.Errorf("a missing program: %v\n%s", err, out)
	}
	out, err = in(t, dir, nil, python, "-m", "pytest", "-q", "-k", "test_alone and 99", "alone.py", "--prinzbox-binary", python)
	if err == nil || !strings.Contains(out, "was not ready") {
		t.Errorf("another program: %v\n%s", err, out)
	}
	orphan(t, dir, python, "-m", "pytest", "-q", "-s", "killed.py")
	// The command of the wheel is the program.
	command := filepath.Join(filepath.Dir(python), name())
	if got := must(t, dir, nil, command, "version"); !strings.HasPrefix(got, "prinzbox ") {
		t.Errorf("prinzbox version says %q", got)
	}
}

// orphan runs what starts a server, prints its address and is killed, and waits until the server and its temporary folder are gone.
func orphan(t *testing.T, dir string, args ...string) {
	t.Helper()
	if runtime.GOOS == "windows" {
		return // there is no SIGKILL
	}
	temp := t.TempDir()
	out, err := in(t, dir, []string{"TMPDIR=" + temp}, args...)
	var ended *exec.ExitError
	if !errors.As(err, &ended) || !strings.HasPrefix(out, "http://") {
		t.Fatalf("what is killed: %v\n%s", err, out)
	}
	url := strings.TrimSpace(out) + "/health"
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		req, err := http.NewRequestWithContext(t.Context(), "GET", url, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err == nil {
			_ = resp.Body.Close()
		}
		left, _ := filepath.Glob(filepath.Join(temp, "prinzbox-*"))
		if err != nil && len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("ten seconds after it was killed the server answers (%v), or left %v", err, left)
		}
	}
}

func TestWheelIsReproducible(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: makes virtual environments")
	}
	python := venv.Python(t, "pytest-9.2.0")
	var made [2][]byte
	for i := range made {
		data, err := os.ReadFile(wheel(t, python, t.TempDir()))
		if err != nil {
			t.Fatal(err)
		}
		made[i] = data
	}
	if !bytes.Equal(made[0], made[1]) {
		t.Error("two wheels of one program differ")
	}
}
