package venv

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/gofrs/flock"
)

// Maven tells that a test needs Maven and a JDK, and keeps all other tests from Maven's own folder, which Maven does not guard, until unlock is
// called. The folder prinzbox-test of the user's cache is there then.
func Maven(t *testing.T) (unlock func()) {
	t.Helper()
	for _, tool := range []string{"mvn", "javac"} {
		if _, err := exec.LookPath(tool); err != nil {
			Missing(t, "needs %s: install Maven and a JDK of version 11 or later (Debian: apt-get install maven default-jdk-headless)", tool)
		}
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(cache, "prinzbox-test")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	lock := flock.New(filepath.Join(dir, "maven.lock"))
	if err := lock.Lock(); err != nil {
		t.Fatal(err)
	}
	return func() { _ = lock.Unlock() } // it ends with the process too
}
