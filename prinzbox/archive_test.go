package prinzbox_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prinzbox/prinzbox/prinzbox"
)

func TestExportAndImport(t *testing.T) {
	t.Parallel()
	env := prinzbox.Start(t)
	createModel(t, env.TrackingURI(), "mine")
	putArtifact(t, env.TrackingURI(), "x.bin", "1")
	putArtifact(t, env.TrackingURI(), "y.bin", "2")
	var file bytes.Buffer
	if err := env.Export(t.Context(), &file); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d bytes", file.Len())
	want := models(t, env.TrackingURI())
	other := prinzbox.Start(t, func(c *prinzbox.Config) { c.Seed = false })
	ns := env.ForTest(t)
	for _, e := range []interface {
		Import(r io.Reader) error
		TrackingURI() string
	}{importer{t, env}, importer{t, other}, importer{t, ns}} {
		createModel(t, e.TrackingURI(), "gone")
		putArtifact(t, e.TrackingURI(), "x.bin", "3")
		if err := e.Import(bytes.NewReader(file.Bytes())); err != nil {
			t.Fatal(err)
		}
		if got := models(t, e.TrackingURI()); got != want {
			t.Errorf("models %s, want %s", got, want)
		}
		if a, b := artifact(t, e.TrackingURI(), "x.bin"), artifact(t, e.TrackingURI(), "y.bin"); a != "1" || b != "2" {
			t.Errorf("artifacts %q %q", a, b)
		}
		if a := call(t, "POST", e.TrackingURI()+"/MLF-FraudDetection-3/invocations", fraudBody("F", "800.0")); a.body != "[1]" {
			t.Errorf("scoring: %d %s", a.status, a.body)
		}
	}
}

type importer struct {
	t   *testing.T
	env interface {
		TrackingURI() string
	}
}

func (i importer) TrackingURI() string { return i.env.TrackingURI() }

func (i importer) Import(r io.Reader) error {
	switch e := i.env.(type) {
	case *prinzbox.Env:
		return e.Import(i.t.Context(), r)
	case *prinzbox.Namespace:
		return e.Import(i.t.Context(), r)
	}
	panic("no environment")
}

// entry is a file of an archive that a test makes or changes.
type entry struct{ name, text string }

func archive(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		if err := w.WriteHeader(&tar.Header{Name: e.name, Size: int64(len(e.text)), Mode: 0o600, Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, e.text); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func unpack(t testing.TB, file []byte) (entries []entry) {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	r := tar.NewReader(z)
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return entries
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, entry{h.Name, string(text)})
	}
}

// What is no export, or a damaged one, is told and changes nothing.
func TestImportOfBadFiles(t *testing.T) {
	t.Parallel()
	env := prinzbox.Start(t)
	var file bytes.Buffer
	if err := env.Export(t.Context(), &file); err != nil {
		t.Fatal(err)
	}
	good := unpack(t, file.Bytes())
	if len(good) != 3 || good[0].name != "prinzbox.json" || good[1].name != "prinzbox.db" || !strings.HasPrefix(good[2].name, "blobs/blobs/") {
		t.Fatalf("an export has %d files", len(good))
	}
	damaged := []byte(good[1].text)
	copy(damaged[8192:], bytes.Repeat([]byte{0xff}, 8192))
	createModel(t, env.TrackingURI(), "mine")
	want := models(t, env.TrackingURI())
	for name, c := range map[string]struct {
		file []byte
		want string
	}{
		"nothing":        {nil, "no export"},
		"text":           {[]byte("hello"), "no export"},
		"gzip of text":   {[]byte{0x1f, 0x8b, 1, 2, 3}, "gzip"},
		"cut short":      {file.Bytes()[:file.Len()/2], "cut short"},
		"cut in a file":  {archive(t, good...)[:100_000], "prinzbox.db"},
		"another tar":    {archive(t, entry{"README", "hello"}), "does not begin with prinzbox.json"},
		"no database":    {archive(t, good[0], good[2]), "no prinzbox.db"},
		"a climber":      {archive(t, good[0], good[1], entry{"blobs/blobs/../../../evil", "x"}), "evil"},
		"twice":          {archive(t, good[0], good[1], good[1]), "prinzbox.db"},
		"a later format": {archive(t, entry{"prinzbox.json", `{"format": 99, "program": "9.9"}`}, good[1], good[2]), "9.9"},
		"bad JSON":       {archive(t, entry{"prinzbox.json", `{`}, good[1], good[2]), "prinzbox.json"},
		"no SQLite":      {archive(t, good[0], entry{"prinzbox.db", strings.Repeat("no database ", 1000)}, good[2]), "database"},
		"damaged SQLite": {archive(t, good[0], entry{"prinzbox.db", string(damaged)}, good[2]), "damaged"},
		"a missing file": {archive(t, good[0], good[1]), "not in the archive"},
		"a short file":   {archive(t, good[0], good[1], entry{good[2].name, "short"}), "another size"},
	} {
		var bad *prinzbox.ImportError
		if err := env.Import(t.Context(), bytes.NewReader(c.file)); !errors.As(err, &bad) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if got := models(t, env.TrackingURI()); got != want {
		t.Errorf("models %s, want %s", got, want)
	}
	if err := env.Import(t.Context(), bytes.NewReader(archive(t, good...))); err != nil {
		t.Errorf("an export that somebody has unzipped: %v", err)
	}
}

// A fresh environment begins with an export, one that has a state keeps it, and a bad file leaves nothing behind.
func TestStartWithAnExport(t *testing.T) {
	t.Parallel()
	env := prinzbox.Start(t)
	createModel(t, env.TrackingURI(), "mine")
	putArtifact(t, env.TrackingURI(), "x.bin", "1")
	var made bytes.Buffer
	if err := env.Export(t.Context(), &made); err != nil {
		t.Fatal(err)
	}
	want := models(t, env.TrackingURI())
	file := filepath.Join(t.TempDir(), "state.tar.gz")
	if err := os.WriteFile(file, made.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	data := t.TempDir()
	for _, name := range []string{file, "not looked at"} {
		env, err := prinzbox.Open(t.Context(), prinzbox.Config{Data: data, Import: name, Seed: true, Durability: "off"})
		if err != nil {
			t.Fatal(err)
		}
		if got := models(t, env.TrackingURI()); got != want {
			t.Errorf("models %s, want %s", got, want)
		}
		if got := artifact(t, env.TrackingURI(), "x.bin"); got != "1" {
			t.Errorf("artifact %q", got)
		}
		if got := env.Ready().Seeded; len(got) == 0 {
			t.Errorf("seeded: %q", got)
		}
		if err := env.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(file, made.Bytes()[:made.Len()/2], 0o600); err != nil {
		t.Fatal(err)
	}
	data = t.TempDir()
	for _, name := range []string{file, filepath.Join(data, "missing")} {
		if _, err := prinzbox.Open(t.Context(), prinzbox.Config{Data: data, Import: name}); err == nil || !strings.HasPrefix(err.Error(), "--import: ") {
			t.Errorf("%s: %v", name, err)
		}
		for _, left := range []string{"prinzbox.db", "blobs"} {
			if _, err := os.Stat(filepath.Join(data, left)); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("%s is left: %v", left, err)
			}
		}
	}
}

// A database with a few bytes changed is refused, or is one that answers: nothing between, and no panic.
func TestImportOfChangedDatabases(t *testing.T) {
	t.Parallel()
	env := prinzbox.Start(t, func(c *prinzbox.Config) { c.Seed = false })
	var file bytes.Buffer
	if err := env.Export(t.Context(), &file); err != nil {
		t.Fatal(err)
	}
	good := unpack(t, file.Bytes())
	random := rand.New(rand.NewPCG(1, 2))
	refused := 0
	for i := range 30 {
		database := []byte(good[1].text)
		for range 1 + i%8 {
			database[random.IntN(len(database)/(1+i%3*20))] = byte(random.IntN(256))
		}
		var bad *prinzbox.ImportError
		switch err := env.Import(t.Context(), bytes.NewReader(archive(t, good[0], entry{"prinzbox.db", string(database)}))); {
		case errors.As(err, &bad):
			refused++
		case err != nil:
			t.Errorf("change %d: %T %v", i, err, err)
		}
		if a := call(t, "GET", env.TrackingURI()+"/health", ""); a.status != 200 {
			t.Fatalf("change %d: health %d", i, a.status)
		}
	}
	if refused == 0 {
		t.Error("none was refused")
	}
}
