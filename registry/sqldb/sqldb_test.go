package sqldb_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/prinzbox/prinzbox/registry/sqldb"
)

func open(t testing.TB, file string) *sqldb.DB {
	t.Helper()
	db, err := sqldb.Open(context.Background(), file, sqldb.DurabilityNormal)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func exec(query string, args ...any) func(sqldb.Querier) error {
	return func(tx sqldb.Querier) error {
		_, err := tx.ExecContext(context.Background(), query, args...)
		return err
	}
}

func count(t *testing.T, db *sqldb.DB) int {
	t.Helper()
	var n int
	if err := db.Read().QueryRowContext(t.Context(), "SELECT count(*) FROM t").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// Writes that share a commit fail alone: those that succeed stay, those that fail leave nothing.
func TestGroupCommitIsolatesFailures(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "a b%c?.db"))
	if err := db.Write(t.Context(), exec("CREATE TABLE t (n INTEGER PRIMARY KEY)")); err != nil {
		t.Fatal(err)
	}
	bad := errors.New("bad")
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			err := db.Write(t.Context(), func(tx sqldb.Querier) error {
				if err := exec("INSERT INTO t VALUES (?)", i)(tx); err != nil {
					return err
				}
				switch i % 10 {
				case 3:
					return bad
				case 7:
					panic("oh")
				}
				return nil
			})
			switch {
			case i%10 == 3 && !errors.Is(err, bad),
				i%10 == 7 && (err == nil || !strings.Contains(err.Error(), "oh")),
				i%10 != 3 && i%10 != 7 && err != nil:
				t.Errorf("write %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	if n := count(t, db); n != 160 {
		t.Errorf("%d rows, want 160", n)
	}
}

func TestWriteAfterCloseAndCancelled(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "x.db"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := db.Write(ctx, exec("CREATE TABLE t (n)")); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := db.Write(t.Context(), exec("SELECT 1")); !errors.Is(err, sqldb.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
}

// More statements than the cache holds, from many goroutines: an evicted statement is never closed under a caller.
func TestStatementCacheEviction(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "x.db"))
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 700 {
				var n int
				q := fmt.Sprintf("SELECT %d + 0 -- %d", i, g%2)
				if err := db.Read().QueryRowContext(t.Context(), q).Scan(&n); err != nil || n != i {
					t.Errorf("%s: %d, %v", q, n, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// More readers than connections, with statements that are new to some: nobody waits for a connection while keeping the
// cache from the one who holds it.
func TestManyReadersOfNewStatements(t *testing.T) {
	for range 30 {
		db := open(t, filepath.Join(t.TempDir(), "x.db"))
		var wg sync.WaitGroup
		for g := range 16 {
			wg.Go(func() {
				for i := range 20 {
					var n int
					if err := db.Read().QueryRowContext(t.Context(), fmt.Sprintf("SELECT %d", (i+g)%20)).Scan(&n); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
	}
}

func TestMigrate(t *testing.T) {
	file := filepath.Join(t.TempDir(), "x.db")
	db := open(t, file)
	one := fstest.MapFS{"0001_t.sql": {Data: []byte("CREATE TABLE t (n INTEGER); INSERT INTO t VALUES (1);")}}
	two := fstest.MapFS{"0001_t.sql": one["0001_t.sql"], "0002_more.sql": {Data: []byte("INSERT INTO t VALUES (2)")}}
	for _, fs := range []fstest.MapFS{one, one, two, two} {
		if err := db.Migrate(t.Context(), "x", fs); err != nil {
			t.Fatal(err)
		}
	}
	if n := count(t, db); n != 2 {
		t.Errorf("%d rows, want 2", n)
	}
	var newer *sqldb.NewerSchemaError
	if err := db.Migrate(t.Context(), "x", one); !errors.As(err, &newer) {
		t.Errorf("older program: %v", err)
	}
	broken := fstest.MapFS{"0001_t.sql": {Data: []byte("CREATE TABLE u (n); BROKEN")}}
	if err := db.Migrate(t.Context(), "y", broken); err == nil {
		t.Error("a broken migration passed")
	}
	if err := db.Write(t.Context(), exec("SELECT * FROM u")); err == nil {
		t.Error("a broken migration left its table")
	}
	gap := fstest.MapFS{"0002_t.sql": {Data: []byte("SELECT 1")}}
	if err := db.Migrate(t.Context(), "z", gap); err == nil {
		t.Error("a gap in the numbers passed")
	}
}

func BenchmarkWrite(b *testing.B) {
	db := open(b, filepath.Join(b.TempDir(), "x.db"))
	if err := db.Write(b.Context(), exec("CREATE TABLE t (n INTEGER PRIMARY KEY)")); err != nil {
		b.Fatal(err)
	}
	n := 0
	for b.Loop() {
		n++
		if err := db.Write(b.Context(), exec("INSERT INTO t VALUES (?)", n)); err != nil {
			b.Fatal(err)
		}
	}
}

// TestLogStaysSmall writes four times what the log may hold, without a pause in which it could begin anew by itself.
func TestLogStaysSmall(t *testing.T) {
	file := filepath.Join(t.TempDir(), "x.db")
	db := open(t, file)
	if err := db.Write(t.Context(), exec("CREATE TABLE t (n INTEGER PRIMARY KEY, text TEXT)")); err != nil {
		t.Fatal(err)
	}
	const pageSize, most = 4096, 8000 // as sqldb has them
	text := strings.Repeat("x", 16*pageSize)
	for i := range 4 * most / 16 {
		if err := db.Write(t.Context(), exec("INSERT OR REPLACE INTO t VALUES (1, ?)", fmt.Sprint(i, text))); err != nil {
			t.Fatal(err)
		}
	}
	info, err := os.Stat(file + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	if limit := int64(2 * most * pageSize); info.Size() > limit {
		t.Errorf("the log has %d bytes, more than %d", info.Size(), limit)
	}
	t.Logf("%.1f MiB", float64(info.Size())/(1<<20))
}
