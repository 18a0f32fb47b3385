package artifacts_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/prinzbox/prinzbox/artifacts"
)

func TestLinkFiles(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	if err := artifacts.LinkFiles(filepath.Join(from, "nowhere"), to); err != nil {
		t.Errorf("a store without files: %v", err)
	}
	names := []string{"blobs/ab/0011-22ab", "blobs/ab/77ab", "blobs/cd/cd"}
	for _, name := range names {
		file := filepath.Join(from, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := artifacts.LinkFiles(from, to); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(from); err != nil {
		t.Fatal(err)
	}
	got, err := artifacts.BlobFiles(to)
	if err != nil || len(got) != len(names) {
		t.Fatalf("%v %v", got, err)
	}
	for i, name := range got {
		if text, err := os.ReadFile(filepath.Join(to, filepath.FromSlash(name))); err != nil || string(text) != names[i] || name != names[i] {
			t.Errorf("%s: %q %v", name, text, err)
		}
		if !artifacts.IsBlobFile(name) {
			t.Errorf("%s is none", name)
		}
	}
	for _, name := range []string{"", "blobs", "blobs/ab", "blobs/ab/", "blobs/ab/b", "blobs/ab/cd", "blobs/../../etc/passwd", "/blobs/ab/ab", "blobs/ab/../ab", "tmp/ab/ab", "blobs/ab/ab/ab", "blobs/AB/AB"} {
		if artifacts.IsBlobFile(name) {
			t.Errorf("%q is one", name)
		}
	}
}
