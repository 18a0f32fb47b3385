package archive_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prinzbox/prinzbox/prinzbox/archive"
)

var rules = archive.Rules{
	Info: func(text []byte) error {
		if string(text) != "{}" {
			return errors.New("it is not {}")
		}
		return nil
	},
	IsBlob: func(path string) bool { return path == "blobs/ab/ab" || path == "blobs/cd/cd" },
}

// pack makes an archive of name and text in turn.
func pack(t testing.TB, parts ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for i := 0; i+1 < len(parts); i += 2 {
		if err := w.WriteHeader(&tar.Header{Name: parts[i], Size: int64(len(parts[i+1])), Mode: 0o600, Typeflag: tar.TypeReg}); err != nil {
			t.Skip(err) // no tar file has such a name
		}
		if _, err := io.WriteString(w, parts[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zip(t testing.TB, plain []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(plain); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// unpack unpacks into a folder within another one and gives what is there then, by slashed path. Whatever the input: an error is an *Error, and
// nothing is written but what may be in an export.
func unpack(t testing.TB, base string, data []byte) (map[string]string, error) {
	t.Helper()
	dir := filepath.Join(base, "in")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	err := rules.Unpack(t.Context(), bytes.NewReader(data), dir)
	var bad *archive.Error
	if err != nil && !errors.As(err, &bad) {
		t.Errorf("%T %v", err, err)
	}
	files := map[string]string{}
	if werr := filepath.WalkDir(base, func(file string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, file)
		if err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		if blob, ok := strings.CutPrefix(name, archive.Blobs); name != archive.DatabaseFile && (!ok || !rules.IsBlob(blob)) {
			t.Errorf("%q was written", name)
		}
		text, err := os.ReadFile(file)
		files[name] = string(text)
		return err
	}); werr != nil {
		t.Fatal(werr)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if _, ok := files[archive.DatabaseFile]; err == nil && !ok {
		t.Error("no database, and no error")
	}
	return files, err
}

func TestUnpack(t *testing.T) {
	parts := []string{"prinzbox.json", "{}", "prinzbox.db", "data", "blobs/blobs/ab/ab", "one", "blobs/blobs/cd/cd", ""}
	plain := pack(t, parts...)
	for name, data := range map[string][]byte{"plain": plain, "gzip": zip(t, plain)} {
		files, err := unpack(t, t.TempDir(), data)
		if err != nil || len(files) != 3 || files["prinzbox.db"] != "data" || files["blobs/blobs/ab/ab"] != "one" {
			t.Errorf("%s: %v %v", name, files, err)
		}
	}
	for want, data := range map[string][]byte{
		"no export":                         nil,
		"gzip":                              {0x1f, 0x8b, 1},
		"cut short":                         plain[:1538],
		"does not begin with prinzbox.json": pack(t, parts[2:]...),
		"no prinzbox.db":                    pack(t, parts[:2]...),
		"prinzbox.json: it is not {}":       pack(t, "prinzbox.json", "["),
		`holds "../evil"`:                   pack(t, append(parts, "../evil", "x")...),
		`holds "blobs/../evil"`:             pack(t, append(parts, "blobs/../evil", "x")...),
		`holds "prinzbox.db"`:               pack(t, append(parts, "prinzbox.db", "x")...),
		`holds "prinzbox.json"`:             pack(t, append(parts, "prinzbox.json", "{}")...),
	} {
		if _, err := unpack(t, t.TempDir(), data); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if err := rules.Unpack(ended, bytes.NewReader(plain), t.TempDir()); !errors.Is(err, context.Canceled) {
		t.Errorf("an ended context: %v", err)
	}
}

// FuzzUnpack is about the bytes.
func FuzzUnpack(f *testing.F) {
	plain := pack(f, "prinzbox.json", "{}", "prinzbox.db", "data", "blobs/blobs/ab/ab", "one")
	f.Add(plain)
	f.Add(zip(f, plain))
	f.Add(plain[:1600])
	base := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte) { _, _ = unpack(t, base, data) })
}

// FuzzEntries is about the names: of a tar file whose checksums are right.
func FuzzEntries(f *testing.F) {
	f.Add("prinzbox.db", "data", "blobs/blobs/ab/ab", "one")
	f.Add("blobs/../prinzbox.db", "", "../prinzbox.json", "{}")
	f.Add("/prinzbox.db", "x", "prinzbox.db/", "")
	f.Add("blobs/blobs/ab/ab/x", "x", "blobs", "x")
	base := f.TempDir()
	f.Fuzz(func(t *testing.T, name1, text1, name2, text2 string) {
		files, err := unpack(t, base, pack(t, "prinzbox.json", "{}", name1, text1, name2, text2))
		if err == nil && (files[name1] != text1 || files[name2] != text2) {
			t.Errorf("%q %q: %v", name1, name2, files)
		}
	})
}
