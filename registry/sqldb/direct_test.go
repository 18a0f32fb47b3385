package sqldb_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prinzbox/prinzbox/registry/sqldb"
)

func TestEachGivesWhatWasBound(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "a b%c.db"))
	long := strings.Repeat("ü", 70000)
	for range 2 { // the second time from the statement cache
		n := 0
		err := db.Each(t.Context(), func(r *sqldb.Row) error {
			n++
			if r.Int(0) != math.MinInt64 || r.Int(1) != 7 || r.Float(2) != 0.1 || r.Text(3) != "a\x00b" || r.Text(4) != "" || !r.Null(5) || r.Null(4) || r.Int(6) != 1 || r.Text(7) != long {
				t.Errorf("row: %d %d %v %q %q %v %d", r.Int(0), r.Int(1), r.Float(2), r.Text(3), r.Text(4), r.Null(5), r.Int(6))
			}
			return nil
		}, "SELECT ?, ?, ?, ?, ?, ?, ?, ?", int64(math.MinInt64), 7, 0.1, "a\x00b", "", nil, true, long)
		if err != nil || n != 1 {
			t.Fatalf("%d rows, %v", n, err)
		}
	}
	if err := db.Each(t.Context(), nil, "SELECT ?", struct{}{}); err == nil {
		t.Error("an argument of no known type passed")
	}
	if err := db.Each(t.Context(), nil, "SELEC 1"); err == nil || !strings.Contains(err.Error(), "syntax error") {
		t.Errorf("bad SQL: %v", err)
	}
	if err := db.Each(t.Context(), func(*sqldb.Row) error { return nil }, "CREATE TABLE nope (n)"); err == nil {
		t.Error("a reader wrote")
	}
}

// A read after a write that has returned sees it; the end of a callback ends the query and frees the statement.
func TestEachSeesWrites(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "x.db"))
	if err := db.Write(t.Context(), exec("CREATE TABLE t (n INTEGER)")); err != nil {
		t.Fatal(err)
	}
	stop := errors.New("stop")
	for i := range 300 {
		if err := db.Write(t.Context(), exec("INSERT INTO t VALUES (?)", i)); err != nil {
			t.Fatal(err)
		}
		rows := 0
		if err := db.Each(t.Context(), func(*sqldb.Row) error { rows++; return nil }, "SELECT n FROM t"); err != nil || rows != i+1 {
			t.Fatalf("%d rows after %d writes, %v", rows, i+1, err)
		}
		if err := db.Each(t.Context(), func(*sqldb.Row) error { return stop }, "SELECT n FROM t"); !errors.Is(err, stop) {
			t.Fatal(err)
		}
	}
	func() {
		defer func() { _ = recover() }()
		_ = db.Each(t.Context(), func(*sqldb.Row) error { panic("oh") }, "SELECT n FROM t")
	}()
	if n := count(t, db); n != 300 {
		t.Errorf("%d rows", n)
	}
}

func TestEachManyCallers(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "x.db"))
	var wg sync.WaitGroup
	for g := range 16 {
		wg.Go(func() {
			for i := range 400 { // more texts than the cache holds
				want := fmt.Sprint(g, "-", i)
				err := db.Each(t.Context(), func(r *sqldb.Row) error {
					if r.Text(0) != want || r.Int(1) != int64(i%300) {
						return fmt.Errorf("%q, %d", r.Text(0), r.Int(1))
					}
					return nil
				}, fmt.Sprintf("SELECT ?, %d", i%300), want)
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestEachEndsWithItsContext(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "x.db"))
	const endless = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT count(*) FROM c"
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	begin := time.Now()
	if err := db.Each(ctx, func(*sqldb.Row) error { return nil }, endless); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
	for range 8 { // no connection keeps the interruption
		if err := db.Each(t.Context(), func(*sqldb.Row) error { return nil }, "SELECT 1"); err != nil {
			t.Error(err)
		}
	}
	closed, err := sqldb.Open(t.Context(), filepath.Join(t.TempDir(), "y.db"), sqldb.DurabilityOff)
	if err != nil {
		t.Fatal(err)
	}
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	if err := closed.Each(t.Context(), nil, "SELECT 1"); !errors.Is(err, sqldb.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
}

func BenchmarkRead1000(b *testing.B) {
	db := open(b, filepath.Join(b.TempDir(), "x.db"))
	if err := db.Write(b.Context(), exec("CREATE TABLE t (n INTEGER PRIMARY KEY, k TEXT, v TEXT)")); err != nil {
		b.Fatal(err)
	}
	if err := db.Write(b.Context(), exec("INSERT INTO t (k, v) WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 1000) SELECT 'key' || n, 'value' || n FROM c")); err != nil {
		b.Fatal(err)
	}
	b.Run("Each", func(b *testing.B) {
		for b.Loop() {
			_ = db.Each(b.Context(), func(r *sqldb.Row) error { _, _, _ = r.Int(0), r.Text(1), r.Text(2); return nil }, "SELECT n, k, v FROM t")
		}
	})
	b.Run("database/sql", func(b *testing.B) {
		for b.Loop() {
			rows, err := db.Read().QueryContext(b.Context(), "SELECT n, k, v FROM t")
			if err != nil {
				b.Fatal(err)
			}
			for rows.Next() {
				var n int64
				var k, v string
				if err := rows.Scan(&n, &k, &v); err != nil {
					b.Fatal(err)
				}
			}
			if err := errors.Join(rows.Err(), rows.Close()); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// The end of one caller's context never interrupts the query of the next one on the same connection.
func TestEachInterruptsItsOwnQueryOnly(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "x.db"))
	const query = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 300) SELECT count(*) FROM c"
	nothing := func(*sqldb.Row) error { return nil }
	rounds := 1500
	if testing.Short() { // the race detector makes each take twenty times as long
		rounds = 75
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range rounds {
				ctx, cancel := context.WithCancel(t.Context())
				go cancel()
				_ = db.Each(ctx, nothing, query) // it may end early
			}
		})
		wg.Go(func() {
			for range rounds {
				if err := db.Each(t.Context(), nothing, query); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}
