package prinzbox_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gofrs/flock"

	"github.com/prinzbox/prinzbox/prinzbox"
)

// The real clients run in virtual environments that the tests make themselves, once per set of pins, in the user's cache folder. Their
// versions stand in testdata/clients/requirements-<MLflow>.txt.

// pythons lists the Python versions that the pinned packages install on.
var pythons = map[string][]string{
	"1.30.1": {"3.11"},
	"2.22.5": {"3.11", "3.12", "3.13"},
	"3.17.2": {"3.11", "3.12", "3.13"},
}

// withoutPython skips a test on a machine that has no Python; where everything must be tested it fails instead.
func withoutPython(t *testing.T, format string, args ...any) {
	t.Helper()
	message := fmt.Sprintf(format, args...)
	if os.Getenv("CI") == "true" {
		t.Fatal(message)
	}
	t.Skip(message)
}

// findPython is a Python that can make virtual environments, of one of the versions. PRINZBOX_TEST_PYTHON names another one.
func findPython(t *testing.T, versions []string) (file, version string) {
	t.Helper()
	candidates := []string{os.Getenv("PRINZBOX_TEST_PYTHON")}
	for _, v := range versions {
		candidates = append(candidates, "python"+v)
	}
	for _, name := range append(candidates, "python3", "python") {
		if name == "" {
			continue
		}
		out, err := exec.CommandContext(t.Context(), name, "-c", "import sys, venv, ensurepip; print('%d.%d' % sys.version_info[:2])").Output()
		if v := strings.TrimSpace(string(out)); err == nil && slices.Contains(versions, v) {
			return name, v
		}
	}
	withoutPython(t, "needs Python %s with its venv module: install it (Debian: apt-get install python%s-venv), or name one in PRINZBOX_TEST_PYTHON",
		strings.Join(versions, " or "), versions[0])
	return "", ""
}

// virtualenv is the Python of the virtual environment that holds an MLflow release, made if need be.
func virtualenv(t *testing.T, mlflow string) string {
	t.Helper()
	requirements, err := filepath.Abs(filepath.Join("testdata", "clients", "requirements-"+mlflow+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	pins, err := os.ReadFile(requirements)
	if err != nil {
		t.Fatal(err)
	}
	system, version := findPython(t, pythons[mlflow])
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(append(pins, version...))
	dir := filepath.Join(cache, "prinzbox-test", fmt.Sprintf("mlflow-%s-%x", mlflow, sum[:8]))
	python := filepath.Join(dir, "bin", "python")
	if runtime.GOOS == "windows" {
		python = filepath.Join(dir, "Scripts", "python.exe")
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	lock := flock.New(dir + ".lock") // several test runs may start at once
	if err := lock.Lock(); err != nil {
		t.Fatal(err)
	}
	defer lock.Unlock() //nolint:errcheck // it ends with the process too
	complete := filepath.Join(dir, "complete")
	if _, err := os.Stat(complete); err == nil {
		return python
	}
	start := time.Now()
	t.Logf("making a virtual environment with MLflow %s in %s, once; it takes a minute or two", mlflow, dir)
	if err := os.RemoveAll(dir); err != nil { // what an interrupted run left
		t.Fatal(err)
	}
	ctx := t.Context()
	if deadline, ok := t.Deadline(); ok { // a clear word instead of go test's panic
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-30*time.Second))
		defer cancel()
	}
	for _, step := range [][]string{
		{system, "-m", "venv", dir},
		// Every package is pinned, so there is nothing to resolve; compiling waits for the first import.
		{python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "--no-compile", "--no-deps", "-r", requirements},
	} {
		if out, err := exec.CommandContext(ctx, step[0], step[1:]...).CombinedOutput(); err != nil {
			if ctx.Err() != nil {
				t.Fatal("go test's time limit came while a virtual environment was being made: this once, run with -timeout 30m")
			}
			t.Fatalf("%s: %v\n%s", strings.Join(step, " "), err, out)
		}
	}
	if err := os.WriteFile(complete, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	t.Logf("made in %.0f s", time.Since(start).Seconds())
	return python
}

// script runs testdata/clients/<name>.py with the variables that `prinzbox env` prints. A script ends with an assertion error, or well.
func script(t *testing.T, python, name string, env *prinzbox.Env, extraEnv ...string) {
	t.Helper()
	file, err := filepath.Abs(filepath.Join("testdata", "clients", name+".py"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, python, "-W", "ignore", file)
	cmd.Dir = t.TempDir()
	// A home of its own: no credentials of the user are read. One retry: what fails once is a failure.
	cmd.Env = cleanEnviron("HOME="+cmd.Dir, "MLFLOW_HTTP_REQUEST_MAX_RETRIES=1", "GIT_PYTHON_REFRESH=quiet", "MLFLOW_DISABLE_TELEMETRY=true", "DO_NOT_TRACK=true")
	for _, v := range env.Ready().Env() {
		cmd.Env = append(cmd.Env, v.Name+"="+v.Value)
	}
	cmd.Env = append(cmd.Env, extraEnv...)
	start := time.Now()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%s: %v\n%s", name, err, out)
		return
	}
	t.Logf("%s: %.1f s", name, time.Since(start).Seconds())
}
