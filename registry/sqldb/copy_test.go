package sqldb_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/prinzbox/prinzbox/registry/sqldb"
)

// A copy holds the writes that returned before it, in order and without gaps, while others write and a reader holds back the log's checkpoint.
func TestCopyUnderLoad(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "x.db"))
	if err := db.Write(t.Context(), exec("CREATE TABLE t (n INTEGER)")); err != nil {
		t.Fatal(err)
	}
	rows, err := db.Scan().QueryContext(t.Context(), "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 3) SELECT c.n FROM c LEFT JOIN t USING (n)")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close() //nolint:errcheck // its error is looked at below
	rows.Next()
	ctx, stop := context.WithCancel(t.Context())
	var writers sync.WaitGroup
	for range 4 {
		writers.Go(func() {
			for ctx.Err() == nil {
				if err := db.Write(t.Context(), exec("INSERT INTO t SELECT coalesce(max(n), 0) + 1 FROM t")); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 10 {
		before := count(t, db)
		file := filepath.Join(t.TempDir(), "copy.db")
		nothing := errors.New("nobody writes now")
		if err := db.Copy(t.Context(), file, func() error {
			if a, b := count(t, db), count(t, db); a != b || a < before {
				t.Errorf("%d rows, then %d, during the copy; %d before it", a, b, before)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(file + "-wal"); err == nil {
			t.Error("the copy has a log beside it")
		}
		c := open(t, file)
		var n, last int
		if err := c.Read().QueryRowContext(t.Context(), "SELECT count(*), coalesce(max(n), 0) FROM t").Scan(&n, &last); err != nil || n != last || n < before {
			t.Errorf("%d rows up to %d, %d before the copy; %v", n, last, before, err)
		}
		if err := db.Copy(t.Context(), file+"2", func() error { return nothing }); !errors.Is(err, nothing) {
			t.Errorf("the error of what belongs to it: %v", err)
		}
		if _, err := os.Stat(file + "2"); err == nil {
			t.Error("a copy that failed is there")
		}
	}
	stop()
	writers.Wait()
	if err := rows.Close(); err != nil {
		t.Error(err)
	}
}

func TestCopyOfAClosedDatabase(t *testing.T) {
	db, err := sqldb.Open(t.Context(), filepath.Join(t.TempDir(), "x.db"), sqldb.DurabilityOff)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := db.Copy(t.Context(), filepath.Join(t.TempDir(), "y.db"), nil); !errors.Is(err, sqldb.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
}
