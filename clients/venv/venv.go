// Package venv runs real Python clients for tests, in virtual environments that it makes itself: once per set of pinned packages, in the user's
// cache folder. Maven, for the clients of the JVM, has its lock there.
package venv

import (
	"context"
	"crypto/sha256"
	"embed"
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

//go:embed requirements-*.txt
var requirements embed.FS

// pythons lists the Python versions that the pinned packages install on.
var pythons = map[string][]string{
	"1.30.1": {"3.11"},
	"2.22.5": {"3.11", "3.12", "3.13"},
	"3.17.2": {"3.11", "3.12", "3.13"},

	"boosting-3.17.2":   {"3.11", "3.12", "3.13"}, // MLflow with XGBoost and LightGBM
	"fasttrackml-0.6.0": {"3.11", "3.12", "3.13"}, // a peer to measure: a Go program in a wheel
	"mlserver-1.7.1":    {"3.11"},                 // a peer to measure scoring with, and MLflow beside it
	"moto-5.2.5":        {"3.11", "3.12", "3.13"}, // an S3 server that is not ours
	"pytest-9.2.0":      {"3.11", "3.12", "3.13"}, // what uses our plugin
	"s3-clients":        {"3.11", "3.12", "3.13"}, // minio-py, s3fs, awscli, rclone, DuckDB
}

// Missing skips a test on a machine that lacks what it needs; where everything must be tested (CI=true) it fails instead. The message says how
// to get it.
func Missing(t *testing.T, format string, args ...any) {
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
	Missing(t, "needs Python %s with its venv module: install it (Debian: apt-get install python%s-venv), or name one in PRINZBOX_TEST_PYTHON",
		strings.Join(versions, " or "), versions[0])
	return "", ""
}

// Python is the Python of the virtual environment that holds an MLflow release (3.17.2, 2.22.5 or 1.30.1), made if need be.
func Python(t *testing.T, mlflow string) string {
	t.Helper()
	pins, err := requirements.ReadFile("requirements-" + mlflow + ".txt")
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
	pinned := filepath.Join(t.TempDir(), "requirements.txt")
	if err := os.WriteFile(pinned, pins, 0o644); err != nil {
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
		{python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "--no-compile", "--no-deps", "-r", pinned},
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

// Script runs a Python file against an environment and fails the test unless it ends well. The variables that `prinzbox env` prints are set. It
// returns what the script wrote to standard output.
func Script(t *testing.T, python, file string, env *prinzbox.Env, extraEnv ...string) []byte {
	t.Helper()
	file, err := filepath.Abs(file)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, python, "-W", "ignore", file)
	cmd.Dir = t.TempDir()
	// A home of its own: no credentials of the user are read. One retry: what fails once is a failure.
	cmd.Env = Environ("HOME="+cmd.Dir, "MLFLOW_HTTP_REQUEST_MAX_RETRIES=1", "GIT_PYTHON_REFRESH=quiet", "MLFLOW_DISABLE_TELEMETRY=true", "DO_NOT_TRACK=true")
	for _, v := range env.Ready().Env() {
		cmd.Env = append(cmd.Env, v.Name+"="+v.Value)
	}
	cmd.Env = append(cmd.Env, extraEnv...)
	var log strings.Builder
	cmd.Stderr = &log
	start := time.Now()
	out, err := cmd.Output()
	if err != nil {
		t.Errorf("%s: %v\n%s%s", filepath.Base(file), err, out, log.String())
		return nil
	}
	t.Logf("%s: %.1f s", filepath.Base(file), time.Since(start).Seconds())
	return out
}

// Environ is this process's environment without what the program and its clients read from it, and with extra.
func Environ(extra ...string) []string {
	var out []string
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); !strings.HasPrefix(name, "PRINZBOX_") && !strings.HasPrefix(name, "MLFLOW_") &&
			!strings.HasPrefix(name, "MINIO_") && !strings.HasPrefix(name, "AWS_") {
			out = append(out, v)
		}
	}
	return append(out, extra...)
}
