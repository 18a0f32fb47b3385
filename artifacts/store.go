// Package artifacts keeps the files of an environment and serves them: a store of buckets and objects (rows in
// SQLite, bytes in files), an S3 server in front of it, and MLflow's artifact proxy over the same objects.
package artifacts

import (
	"context"
	"crypto/rand"
	"database/sql"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations are the store's tables, for the database's migration runner.
func Migrations() fs.FS {
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil { // only an invalid name can do that
		panic(err)
	}
	return sub
}

// Querier runs statements: a write transaction, or the readers.
type Querier = interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// DB is the database that the store keeps its rows in, already migrated with [Migrations].
type DB interface {
	// Write runs fn in a transaction and returns when that is committed or rolled back.
	Write(ctx context.Context, fn func(tx Querier) error) error
	// Read gives the readers, which see every write that has returned.
	Read() Querier
}

// Config is what a store needs.
type Config struct {
	DB DB
	// Dir holds the blob files. It is created if missing, and belongs to one store at a time.
	Dir string
	// Clock and NewID (32 lowercase hex digits) default to the real ones.
	Clock func() time.Time
	NewID func() string
	// Log defaults to no log.
	Log *slog.Logger
	// Sync makes every write wait for the disk, so that it survives a power cut. Without it, a write survives the
	// death of the process.
	Sync bool
	// Clean says that no earlier run can have left anything behind: then nobody looks for it.
	Clean bool
	// MinPartSize is the smallest part of a multipart upload but the last, in bytes. It defaults to S3's 5 MiB.
	MinPartSize int64
}

// Store is a set of buckets with objects. It is safe for concurrent use.
type Store struct {
	db      DB
	dir     string
	clock   func() time.Time
	newID   func() string
	log     *slog.Logger
	sync    bool
	minPart int64

	// epoch begins the names of the files that this run of the store wrote, so that the sweep of older runs'
	// leftovers never meets a file whose row is about to be committed.
	epoch string
	pins  pins
	rows  rowCache
	// checks tells which files need no hashing.
	checks checks
	// settings are those of buckets.
	settings settingsCache

	generation atomic.Uint64
	stop       context.CancelFunc
	background sync.WaitGroup
}

const (
	tempDir = "tmp"
	blobDir = "blobs"
)

// Open opens the store and begins, in the background, to remove what a killed process left behind.
func Open(ctx context.Context, c Config) (*Store, error) {
	if c.DB == nil || c.Dir == "" {
		return nil, errors.New("artifacts: Config needs DB and Dir")
	}
	s := &Store{
		db: roomyDB{c.DB}, dir: c.Dir, clock: c.Clock, newID: c.NewID, log: c.Log, sync: c.Sync, minPart: c.MinPartSize,
		epoch: randomHex(4),
		pins:  pins{held: map[int64]*pin{}},
	}
	if s.clock == nil {
		s.clock = time.Now
	}
	if s.newID == nil {
		s.newID = func() string { return randomHex(16) }
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.minPart == 0 {
		s.minPart = 5 << 20
	}
	for _, dir := range []string{tempDir, blobDir} {
		if err := os.MkdirAll(filepath.Join(c.Dir, dir), 0o700); err != nil {
			return nil, fmt.Errorf("artifacts: %w", err)
		}
	}
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = stop
	if c.Clean {
		return s, nil
	}
	s.background.Go(func() {
		if err := s.sweep(run); err != nil && run.Err() == nil {
			s.log.Warn("artifacts: removing leftovers of an earlier run failed", "error", err)
		}
	})
	return s, nil
}

// Close stops the sweep and waits for it. The database stays open: it is the caller's.
func (s *Store) Close() error {
	s.stop()
	s.background.Wait()
	return nil
}

// Generation counts the committed changes of objects and buckets: while it stays the same, so does everything that
// was read from the store after it was asked for. It starts anew with each Open.
func (s *Store) Generation() uint64 { return s.generation.Load() }

// write runs a transaction that changes what readers see.
func (s *Store) write(ctx context.Context, fn func(tx Querier) error) error {
	err := s.db.Write(ctx, fn)
	if err == nil {
		s.generation.Add(1)
	}
	return err
}

// now is the clock to the millisecond. The last digit is never zero: gofakes3 drops trailing zeros of a fraction
// and the MinIO Java client 8.0.0 wants exactly three digits.
func (s *Store) now() int64 {
	ms := s.clock().UnixMilli()
	if ms%10 == 0 {
		ms++
	}
	return ms
}

func randomHex(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}
