package artifacts_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prinzbox/prinzbox/artifacts"
)

func put(t testing.TB, s *artifacts.Store, key string, data []byte) artifacts.ObjectInfo {
	t.Helper()
	info, err := s.Put(t.Context(), "mlflow", key, bytes.NewReader(data), artifacts.PutOptions{Expect: artifacts.Expect{Size: int64(len(data))}})
	if err != nil {
		t.Fatal(err)
	}
	return info
}

func get(t testing.TB, s *artifacts.Store, key string) []byte {
	t.Helper()
	r, err := s.Open(t.Context(), "mlflow", key)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// files lists the files of a store's folders.
func files(t testing.TB, dir string) []string {
	t.Helper()
	var names []string
	for _, sub := range []string{"tmp", "blobs"} {
		err := filepath.WalkDir(filepath.Join(dir, sub), func(p string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				names = append(names, p)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return names
}

// broken gives some bytes, then an error.
type broken struct {
	n   int
	err error
}

func (b *broken) Read(p []byte) (int, error) {
	if b.n == 0 {
		return 0, b.err
	}
	n := min(len(p), b.n)
	b.n -= n
	return n, nil
}

// An upload that breaks off, or is not what was announced, leaves the old object and no bytes.
func TestInterruptedPut(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, openDB(t, dir), dir)
	if err := s.CreateBucket(t.Context(), "mlflow", false); err != nil {
		t.Fatal(err)
	}
	old := noise(300_000, 1)
	put(t, s, "k", old)
	lost := errors.New("connection lost")
	for name, c := range map[string]struct {
		body io.Reader
		want artifacts.Expect
		code string
	}{
		"small cut":  {&broken{100, io.ErrUnexpectedEOF}, artifacts.Expect{Size: 1000}, "IncompleteBody"},
		"large cut":  {&broken{900_000, io.ErrUnexpectedEOF}, artifacts.Expect{Size: 1_000_000}, "IncompleteBody"},
		"lost":       {&broken{900_000, lost}, artifacts.Expect{Size: -1}, "connection lost"},
		"too short":  {strings.NewReader("abc"), artifacts.Expect{Size: 4}, "IncompleteBody"},
		"too long":   {bytes.NewReader(noise(900_000, 3)), artifacts.Expect{Size: 800_000}, "IncompleteBody"},
		"wrong md5":  {bytes.NewReader(noise(900_000, 3)), artifacts.Expect{Size: -1, MD5: make([]byte, 16)}, "BadDigest"},
		"wrong sha":  {bytes.NewReader(noise(10, 3)), artifacts.Expect{Size: -1, SHA256: make([]byte, 32)}, "XAmzContentSHA256Mismatch"},
		"wrong crc":  {bytes.NewReader(noise(900_000, 3)), artifacts.Expect{Size: -1, Checksum: "crc32", ChecksumValue: func() string { return "AAAAAA==" }}, "BadDigest"},
		"no crc":     {bytes.NewReader(noise(900_000, 3)), artifacts.Expect{Size: -1, Checksum: "crc32", ChecksumValue: func() string { return "?" }}, "InvalidRequest"},
		"never read": {&broken{0, lost}, artifacts.Expect{Size: 5}, "connection lost"},
	} {
		_, err := s.Put(t.Context(), "mlflow", "k", c.body, artifacts.PutOptions{Expect: c.want})
		if err == nil || !strings.Contains(err.Error(), c.code) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if !bytes.Equal(get(t, s, "k"), old) {
		t.Error("the old object is gone")
	}
	if f := files(t, dir); len(f) != 1 {
		t.Errorf("files left: %q", f)
	}
}

// Overwriting and deleting leave no bytes behind, and do not disturb who is reading.
func TestReadersKeepWhatTheyOpened(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, openDB(t, dir), dir)
	ctx := t.Context()
	if err := s.CreateBucket(ctx, "mlflow", false); err != nil {
		t.Fatal(err)
	}
	one, two := noise(100_000, 1), noise(200_000, 2)
	put(t, s, "k", one)
	// The same bytes joined of two parts, one of them small enough for its row.
	id, err := s.CreateUpload(ctx, "mlflow", "joined", artifacts.UploadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	big := noise(5<<20, 5)
	var parts []artifacts.PartInfo
	for i, b := range [][]byte{big, one[:10]} {
		p, err := s.PutPart(ctx, "mlflow", "joined", id, i+1, bytes.NewReader(b), artifacts.Expect{Size: -1})
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, p)
	}
	if _, err := s.CompleteUpload(ctx, "mlflow", "joined", id, parts, artifacts.CompleteOptions{}); err != nil {
		t.Fatal(err)
	}
	want := map[string][]byte{"k": one, "joined": append(bytes.Clone(big), one[:10]...)}
	readers := map[string]*artifacts.ObjectReader{}
	for key := range want {
		if readers[key], err = s.Open(ctx, "mlflow", key); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := s.Copy(ctx, "mlflow", "k", "mlflow", "copy", artifacts.CopyOptions{}); err != nil {
		t.Fatal(err)
	}
	put(t, s, "k", two)
	if err := s.Delete(ctx, "mlflow", "joined"); err != nil {
		t.Fatal(err)
	}
	for key, r := range readers {
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, want[key]) {
			t.Errorf("%s: %d bytes, %v", key, len(got), err)
		}
		if n, err := r.Seek(-5, io.SeekEnd); err != nil || n != int64(len(want[key])-5) {
			t.Error(n, err)
		}
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, want[key][len(want[key])-5:]) {
			t.Errorf("%s: end %v, %v", key, got, err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
	if !bytes.Equal(get(t, s, "copy"), one) || !bytes.Equal(get(t, s, "k"), two) {
		t.Error("copy or new object is wrong")
	}
	if f := files(t, dir); len(f) != 2 { // copy and k
		t.Errorf("files: %q", f)
	}
	if err := s.DeletePrefix(ctx, "mlflow", ""); err != nil {
		t.Fatal(err)
	}
	if f := files(t, dir); len(f) != 0 {
		t.Errorf("files: %q", f)
	}
	if err := s.DeleteBucket(ctx, "mlflow"); err != nil {
		t.Error(err)
	}
}

// Many hands on one key: every read gives one of the whole contents, never a mixture.
func TestConcurrentOneKey(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, openDB(t, dir), dir)
	ctx := t.Context()
	if err := s.CreateBucket(ctx, "mlflow", false); err != nil {
		t.Fatal(err)
	}
	content := func(i int) []byte { return bytes.Repeat([]byte{byte('a' + i)}, 3000+i*20_000) }
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for range 40 {
				put(t, s, "k", content(i))
			}
		})
	}
	wg.Go(func() {
		for range 40 {
			if err := s.Delete(ctx, "mlflow", "k"); err != nil {
				t.Error(err)
			}
		}
	})
	for range 2 {
		wg.Go(func() {
			for range 150 {
				r, err := s.Open(ctx, "mlflow", "k")
				if errors.Is(err, artifacts.ErrNotFound) {
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				got, err := io.ReadAll(r)
				if err != nil || len(got) == 0 || !bytes.Equal(got, content(int(got[0]-'a'))) || int64(len(got)) != r.Size {
					t.Errorf("%d bytes, %v", len(got), err)
				}
				_ = r.Close()
			}
		})
	}
	wg.Wait()
	if err := s.Delete(ctx, "mlflow", "k"); err != nil {
		t.Fatal(err)
	}
	if f := files(t, dir); len(f) != 0 {
		t.Errorf("files left: %q", f)
	}
}

// The sweep removes what no row names, and old uploads; it leaves the rest.
func TestSweep(t *testing.T) {
	dir := t.TempDir()
	db := openDB(t, dir)
	ctx := t.Context()
	s := openStore(t, db, dir)
	if err := s.CreateBucket(ctx, "mlflow", false); err != nil {
		t.Fatal(err)
	}
	data := noise(50_000, 1)
	put(t, s, "k", data)
	id, err := s.CreateUpload(ctx, "mlflow", "u", artifacts.UploadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.PutPart(ctx, "mlflow", "u", id, 1, bytes.NewReader(data), artifacts.Expect{Size: -1}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	kept := len(files(t, dir))
	for _, name := range []string{"tmp/11111111-a", "blobs/ab/11111111-00000000000000000000000000000bab"} {
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	settle := func(clock func() time.Time) *artifacts.Store {
		s, err := artifacts.Open(ctx, artifacts.Config{DB: db, Dir: dir, Clock: clock})
		if err != nil {
			t.Fatal(err)
		}
		for range 500 {
			if time.Sleep(2 * time.Millisecond); len(files(t, dir)) == kept {
				break
			}
		}
		return s
	}
	s = settle(time.Now)
	if n := len(files(t, dir)); n != kept || kept != 2 {
		t.Errorf("%d files, want %d: %q", n, kept, files(t, dir))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	kept = 1
	s = settle(func() time.Time { return time.Now().Add(30 * 24 * time.Hour) })
	if !bytes.Equal(get(t, s, "k"), data) || len(files(t, dir)) != 1 {
		t.Errorf("files %q", files(t, dir))
	}
	if _, err := s.Upload(ctx, "mlflow", "u", id); !errors.Is(err, artifacts.ErrNotFound) {
		t.Errorf("old upload: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestGeneration(t *testing.T) {
	s := newStore(t)
	before := s.Generation()
	get := func() uint64 {
		n := s.Generation()
		defer func() { before = n }()
		return n - before
	}
	put(t, s, "k", []byte("v"))
	if get() == 0 {
		t.Error("put does not count")
	}
	if _, err := s.Stat(t.Context(), "mlflow", "k"); err != nil || get() != 0 {
		t.Error("stat counts", err)
	}
	if _, err := s.Put(t.Context(), "mlflow", "k", strings.NewReader("w"), artifacts.PutOptions{Expect: artifacts.Expect{Size: 1}, Conditions: artifacts.Conditions{IfNoneMatch: "*"}}); err == nil || get() != 0 {
		t.Error("a refused put counts", err)
	}
	if err := s.Delete(t.Context(), "mlflow", "k"); err != nil || get() == 0 {
		t.Error("delete does not count", err)
	}
}

func TestStoreSync(t *testing.T) {
	dir := t.TempDir()
	s, err := artifacts.Open(t.Context(), artifacts.Config{DB: openDB(t, dir), Dir: dir, Sync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	if err := s.CreateBucket(t.Context(), "mlflow", true); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		data := noise(10_000, byte(i))
		put(t, s, fmt.Sprint(i), data)
		if !bytes.Equal(get(t, s, fmt.Sprint(i)), data) {
			t.Error(i)
		}
	}
}
