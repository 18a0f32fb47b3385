package prinzbox_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	endian "encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/prinzbox/prinzbox/prinzbox"
)

// crashRounds is how often the ordinary test kills the server; PRINZBOX_CRASH_ROUNDS asks for more.
const crashRounds = 25

// content is the body that a seed stands for. Its first bytes tell seed and length, so that a body that was read tells whether it is one.
func content(seed uint64, size int) []byte {
	b := make([]byte, size)
	var key [32]byte
	endian.LittleEndian.PutUint64(key[:], seed)
	_, _ = rand.NewChaCha8(key).Read(b) // never fails
	if size >= 16 {
		endian.LittleEndian.PutUint64(b, seed)
		endian.LittleEndian.PutUint64(b[8:], uint64(size))
	}
	return b
}

// whole tells whether a body is what its first bytes say.
func whole(b []byte) bool {
	if len(b) < 16 {
		return false
	}
	size := endian.LittleEndian.Uint64(b[8:])
	return size == uint64(len(b)) && bytes.Equal(b, content(endian.LittleEndian.Uint64(b), len(b)))
}

// absent is the hash of a key that holds nothing.
var absent = [sha256.Size]byte{}

// breaker changes keys of its own without a pause, and remembers what was acknowledged.
type breaker struct {
	id  int
	rng *rand.Rand
	s3  minio.Core
	// keys maps to the hash of what was acknowledged last.
	keys map[string][sha256.Size]byte
	// doubt maps to what the request under way at the kill would have made of keys.
	doubt map[string][sha256.Size]byte
	seed  uint64
	done  map[string]int // acknowledged operations by kind
}

func (b *breaker) body(size int) ([]byte, [sha256.Size]byte) {
	b.seed++
	data := content(b.seed<<8|uint64(b.id), size)
	return data, sha256.Sum256(data)
}

// sizes are around the limits of rows, buffers and files.
var sizes = []int{16, 4096, 4097, 50_000, 256 << 10, 256<<10 + 1, 700_000}

// work does one thing after another until the server is gone.
func (b *breaker) work(ctx context.Context) error {
	for {
		key := fmt.Sprintf("own/%d/%d", b.id, b.rng.IntN(12))
		b.doubt = map[string][sha256.Size]byte{}
		kind, err := b.step(ctx, key)
		if err != nil {
			if minio.ToErrorResponse(err).StatusCode == 0 {
				return errKilled
			}
			return fmt.Errorf("%s: %w", kind, err)
		}
		maps.Copy(b.keys, b.doubt)
		b.doubt = nil
		b.done[kind]++
	}
}

// step does one thing; doubt says what it makes of which keys.
func (b *breaker) step(ctx context.Context, key string) (kind string, err error) {
	put := func(key string, data []byte) error {
		_, err := b.s3.PutObject(ctx, "mlflow", key, bytes.NewReader(data), int64(len(data)), "", "", minio.PutObjectOptions{})
		return err
	}
	switch n := b.rng.IntN(20); {
	case n < 9:
		data, sum := b.body(sizes[b.rng.IntN(len(sizes))])
		b.doubt[key] = sum
		return "put", put(key, data)
	case n < 12:
		b.doubt[key] = absent
		return "delete", b.s3.RemoveObject(ctx, "mlflow", key, minio.RemoveObjectOptions{})
	case n < 14:
		var all []minio.ObjectInfo
		for i := range 3 {
			k := fmt.Sprintf("own/%d/%d", b.id, (b.rng.IntN(4)+4*i)%12)
			b.doubt[k] = absent
			all = append(all, minio.ObjectInfo{Key: k})
		}
		for r, rerr := range removeAll(ctx, b.s3.Client, all) {
			if rerr != nil {
				return "batch delete of " + r, rerr
			}
		}
		return "batch delete", nil
	case n < 16:
		from := fmt.Sprintf("own/%d/%d", b.id, b.rng.IntN(12))
		if b.keys[from] == absent || from == key {
			return "nothing", nil
		}
		b.doubt[key] = b.keys[from]
		_, err := b.s3.CopyObject(ctx, "mlflow", from, "mlflow", key, nil, minio.CopySrcOptions{}, minio.PutObjectOptions{})
		return "copy", err
	case n < 18:
		size := 100_000
		if b.rng.IntN(3) == 0 {
			size = 5<<20 + 100_000
		}
		data, sum := b.body(size)
		b.doubt[key] = sum
		return "multipart", b.multipart(ctx, key, data)
	default: // a key that all of them write: whatever is there, it must be whole
		data, _ := b.body(sizes[b.rng.IntN(len(sizes))])
		shared := fmt.Sprint("shared/", b.rng.IntN(3))
		if n == 18 && b.rng.IntN(2) == 0 {
			key := fmt.Sprint("v/", b.rng.IntN(3))
			if b.rng.IntN(3) == 0 {
				return "delete marker", b.s3.RemoveObject(ctx, "versioned", key, minio.RemoveObjectOptions{})
			}
			_, err := b.s3.PutObject(ctx, "versioned", key, bytes.NewReader(data), int64(len(data)), "", "", minio.PutObjectOptions{})
			return "put of a version", err
		}
		if n == 19 && b.rng.IntN(2) == 0 {
			return "delete of a shared key", b.s3.RemoveObject(ctx, "mlflow", shared, minio.RemoveObjectOptions{})
		}
		return "put of a shared key", put(shared, data)
	}
}

func removeAll(ctx context.Context, c *minio.Client, all []minio.ObjectInfo) func(func(string, error) bool) {
	return func(yield func(string, error) bool) {
		results, err := c.RemoveObjectsWithIter(ctx, "mlflow", slices.Values(all), minio.RemoveObjectsOptions{})
		if err != nil {
			yield("", err)
			return
		}
		for r := range results {
			if r.Err != nil && !yield(r.ObjectName, r.Err) {
				return
			}
		}
	}
}

func (b *breaker) multipart(ctx context.Context, key string, data []byte) error {
	id, err := b.s3.NewMultipartUpload(ctx, "mlflow", key, minio.PutObjectOptions{})
	if err != nil {
		return err
	}
	var parts []minio.CompletePart
	for n, chunk := range slices.Collect(slices.Chunk(data, 5<<20)) {
		p, err := b.s3.PutObjectPart(ctx, "mlflow", key, id, n+1, bytes.NewReader(chunk), int64(len(chunk)), minio.PutObjectPartOptions{})
		if err != nil {
			return err
		}
		parts = append(parts, minio.CompletePart{PartNumber: n + 1, ETag: p.ETag})
	}
	_, err = b.s3.CompleteMultipartUpload(ctx, "mlflow", key, id, parts, minio.PutObjectOptions{})
	return err
}

// read gives the hash of what a key holds now.
func readKey(t *testing.T, c *minio.Client, key string) ([]byte, [sha256.Size]byte) {
	t.Helper()
	o, err := c.GetObject(t.Context(), "mlflow", key, minio.GetObjectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close() //nolint:errcheck // only read
	data, err := io.ReadAll(o)
	if minio.ToErrorResponse(err).Code == "NoSuchKey" {
		return nil, absent
	}
	if err != nil {
		t.Errorf("%s: %v", key, err)
	}
	return data, sha256.Sum256(data)
}

// check compares what is there with what was acknowledged.
func (b *breaker) check(t *testing.T) {
	t.Helper()
	for key := range union(b.keys, b.doubt) {
		data, sum := readKey(t, b.s3.Client, key)
		wanted, pending := b.doubt[key]
		if sum != b.keys[key] && (!pending || sum != wanted) {
			t.Errorf("writer %d: %s holds %d bytes (whole: %v), hash %x; acknowledged %x, under way %x", b.id, key, len(data), whole(data), sum[:4], b.keys[key], wanted)
		}
		b.keys[key] = sum
	}
	b.doubt = nil
}

func union(maps ...map[string][sha256.Size]byte) map[string]bool {
	all := map[string]bool{}
	for _, m := range maps {
		for k := range m {
			all[k] = true
		}
	}
	return all
}

// checkListed sees that exactly what can be read is listed, shared keys are whole, and unfinished uploads are forgotten on request.
func checkListed(t *testing.T, c *minio.Client, breakers []*breaker) {
	t.Helper()
	want := map[string]bool{}
	for _, b := range breakers {
		for key, sum := range b.keys {
			want[key] = sum != absent
		}
	}
	for o := range c.ListObjects(t.Context(), "mlflow", minio.ListObjectsOptions{Recursive: true}) {
		switch {
		case o.Err != nil:
			t.Fatal(o.Err)
		case strings.HasPrefix(o.Key, "shared/"):
			if data, _ := readKey(t, c, o.Key); !whole(data) || int64(len(data)) != o.Size {
				t.Errorf("%s is not whole: %d bytes, listed with %d", o.Key, len(data), o.Size)
			}
		case !want[o.Key]:
			t.Errorf("%s is listed but not there", o.Key)
		}
		delete(want, o.Key)
	}
	for key, there := range want {
		if there {
			t.Errorf("%s is there but not listed", key)
		}
	}
	for u := range c.ListIncompleteUploads(t.Context(), "mlflow", "", true) {
		if u.Err != nil {
			t.Fatal(u.Err)
		}
		if err := c.RemoveIncompleteUpload(t.Context(), "mlflow", u.Key); err != nil {
			t.Error(err)
		}
	}
}

// checkVersions sees that every version is whole, and deletes them all.
func checkVersions(t *testing.T, c *minio.Client) {
	t.Helper()
	for o := range c.ListObjects(t.Context(), "versioned", minio.ListObjectsOptions{Recursive: true, WithVersions: true}) {
		if o.Err != nil {
			t.Fatal(o.Err)
		}
		if !o.IsDeleteMarker {
			r, err := c.GetObject(t.Context(), "versioned", o.Key, minio.GetObjectOptions{VersionID: o.VersionID})
			if err != nil {
				t.Fatal(err)
			}
			data, err := io.ReadAll(r)
			if _ = r.Close(); err != nil || !whole(data) || int64(len(data)) != o.Size {
				t.Errorf("version %s of %s is not whole: %d bytes, listed with %d, %v", o.VersionID, o.Key, len(data), o.Size, err)
			}
		}
		if err := c.RemoveObject(t.Context(), "versioned", o.Key, minio.RemoveObjectOptions{VersionID: o.VersionID}); err != nil {
			t.Errorf("version %s of %s: %v", o.VersionID, o.Key, err)
		}
	}
}

// checkNoOrphans waits for the sweep, and sees that it leaves exactly the files that rows name, and that every content has a use.
func checkNoOrphans(t *testing.T, data string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(data, "prinzbox.db")+"?mode=ro&_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // only read
	var files string
	if err := db.QueryRowContext(t.Context(), "SELECT json_group_object(file, size) FROM artifact_contents WHERE file IS NOT NULL").Scan(&files); err != nil {
		t.Fatal(err)
	}
	named := map[string]int64{}
	if err := json.Unmarshal([]byte(files), &named); err != nil {
		t.Fatal(err)
	}
	var orphans []string
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		orphans = orphans[:0]
		missing := len(named)
		err := filepath.WalkDir(filepath.Join(data, "blobs"), func(path string, d fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) { // swept meanwhile
				return nil
			}
			if err != nil || d.IsDir() {
				return err
			}
			info, err := d.Info()
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if size, ok := named[d.Name()]; err == nil && ok && size == info.Size() {
				missing--
			} else {
				orphans = append(orphans, path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if missing != 0 {
			t.Errorf("%d of %d files are missing or have another size", missing, len(named))
		}
		if len(orphans) == 0 || missing != 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Errorf("files that nothing names, 10 s after the start: %v", orphans)
			break
		}
	}
	var uses string // of contents, in whatever tables there are
	err = db.QueryRowContext(t.Context(), `SELECT group_concat('(SELECT count(*) FROM ' || m.name || ' WHERE content = c.id)', ' + ') FROM sqlite_master m
		JOIN pragma_table_info(m.name) i ON i.name = 'content' WHERE m.type = 'table' AND m.name LIKE 'artifact_%'`).Scan(&uses)
	if err != nil {
		t.Fatal(err)
	}
	var unused int
	err = db.QueryRowContext(t.Context(), "SELECT count(*) FROM artifact_contents c WHERE refs != "+uses).Scan(&unused)
	if err != nil || unused != 0 {
		t.Errorf("%d contents are counted wrong: they would stay for ever or go too early (%v)", unused, err)
	}
}

// A server that is killed at any moment of puts, overwrites, copies, deletes and multipart uploads has everything that it acknowledged,
// nothing that is half-written, and keeps no bytes that nothing names.
func TestCrashRounds(t *testing.T) {
	rounds := crashRounds
	if testing.Short() {
		rounds = 5
	}
	if n, err := strconv.Atoi(os.Getenv("PRINZBOX_CRASH_ROUNDS")); err == nil {
		rounds = n
	}
	seed := uint64(time.Now().UnixNano())
	if n, err := strconv.ParseUint(os.Getenv("PRINZBOX_CRASH_SEED"), 10, 64); err == nil {
		seed = n
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("PRINZBOX_CRASH_SEED=%d", seed)
		}
	})
	rng := rand.New(rand.NewPCG(seed, 0))
	data := t.TempDir()
	args := append([]string{"serve", "--no-seed", "--data", data}, freePorts...)
	p := serve(t, nil, args...)
	first := s3Client(t, p.ready)
	if err := errors.Join(first.MakeBucket(t.Context(), "versioned", minio.MakeBucketOptions{}), first.EnableVersioning(t.Context(), "versioned")); err != nil {
		t.Fatal(err)
	}
	breakers := make([]*breaker, 4)
	for i := range breakers {
		breakers[i] = &breaker{id: i, rng: rand.New(rand.NewPCG(seed, uint64(i+1))), keys: map[string][sha256.Size]byte{}, done: map[string]int{}}
	}
	for round := range rounds {
		var group sync.WaitGroup
		for _, b := range breakers {
			b.s3 = minio.Core{Client: s3Client(t, p.ready)}
			group.Go(func() {
				if err := b.work(t.Context()); !errors.Is(err, errKilled) {
					t.Errorf("writer %d: %v", b.id, err)
				}
			})
		}
		time.Sleep(time.Duration(20+rng.IntN(230)) * time.Millisecond)
		p.kill(t)
		group.Wait()
		p = serve(t, nil, args...)
		c := s3Client(t, p.ready)
		for _, b := range breakers {
			b.s3 = minio.Core{Client: c}
			b.check(t)
		}
		checkListed(t, c, breakers)
		checkVersions(t, c)
		checkNoOrphans(t, data)
		if log := p.stderr.String(); strings.Contains(log, "level=WARN") || strings.Contains(log, "level=ERROR") {
			t.Errorf("the folder was opened with complaints:\n%s", log)
		}
		if t.Failed() {
			t.Fatalf("round %d of %d", round+1, rounds)
		}
	}
	done := map[string]int{}
	for _, b := range breakers {
		for kind, n := range b.done {
			done[kind] += n
		}
	}
	t.Logf("%d kills, acknowledged: %v", rounds, done)
}

// Clients that put, read, overwrite and delete one key at once see one of the bodies, whole, or none.
func TestOneKeyIsNeverMixed(t *testing.T) {
	t.Parallel()
	env := bareEnv(t, func(c *prinzbox.Config) { c.Durability = "normal" })
	core := minio.Core{Client: s3Client(t, env.Ready())}
	end := time.Now().Add(1500 * time.Millisecond)
	var group sync.WaitGroup
	counts := make([]int, 8)
	for i := range counts {
		rng := rand.New(rand.NewPCG(1, uint64(i)))
		group.Go(func() {
			for n := uint64(0); time.Now().Before(end); n++ {
				data := content(n<<8|uint64(i), sizes[rng.IntN(len(sizes))])
				var err error
				switch i % 4 {
				case 0, 1:
					_, err = core.PutObject(t.Context(), "mlflow", "one", bytes.NewReader(data), int64(len(data)), "", "", minio.PutObjectOptions{})
				case 2:
					err = core.RemoveObject(t.Context(), "mlflow", "one", minio.RemoveObjectOptions{})
					time.Sleep(time.Millisecond)
				case 3:
					got, sum := readKey(t, core.Client, "one")
					if sum != absent && !whole(got) {
						t.Errorf("%d bytes that nobody wrote", len(got))
					}
					if sum == absent {
						continue
					}
				}
				if err != nil {
					t.Error(err)
				}
				counts[i]++
			}
		})
	}
	group.Wait()
	for i, n := range counts {
		if n == 0 {
			t.Errorf("client %d came to nothing", i)
		}
	}
}
