// Package sqldb opens the one SQLite file of an environment: one writer that commits concurrent writes
// together, a pool of readers, cached statements, and migrations.
package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"

	_ "modernc.org/sqlite" // registers the driver "sqlite"
)

// Durability says what a committed write survives.
type Durability string

const (
	// DurabilityNormal survives the death of the process, also by kill -9, but not always a power cut.
	DurabilityNormal Durability = "normal"
	// DurabilityFull survives a power cut: every commit waits for the disk.
	DurabilityFull Durability = "full"
	// DurabilityOff is for environments that keep nothing.
	DurabilityOff Durability = "off"
)

// Querier runs statements: a write transaction, or the readers. It is an alias of a plain interface type, so that
// packages that must not import this one can declare the same.
type Querier = interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// DB is one SQLite file. It is safe for concurrent use.
type DB struct {
	file    string
	readers *cached
	read    *sql.DB
	write   *sql.DB
	conn    *sql.Conn
	writer  *cached
	direct  *directPool
	// checkpoints is nil where nothing waits for the disk.
	checkpoints *checkpointer
	commits     int // of the writer

	mu     sync.Mutex
	idle   *sync.Cond // signalled when busy ends
	busy   bool       // a caller is at the writer
	closed bool
	queue  []*job // writes that wait meanwhile
}

// ErrClosed is returned by writes after Close.
var ErrClosed = errors.New("sqldb: database is closed")

const (
	readerCount = 4
	// maxBatch bounds how many writes share a commit, so that the first one does not wait too long.
	maxBatch = 256
)

var (
	commonPragmas = []string{"busy_timeout(" + strconv.Itoa(busyMillis) + ")", "foreign_keys(1)", "case_sensitive_like(1)", "temp_store(memory)"}
	readPragmas   = []string{"query_only(1)", "cache_size(-4096)"}
)

// Open opens or creates the file. The caller closes it.
func Open(ctx context.Context, file string, durability Durability) (*DB, error) {
	switch durability {
	case DurabilityNormal, DurabilityFull, DurabilityOff:
	case "":
		durability = DurabilityNormal
	default:
		return nil, fmt.Errorf("unknown durability %q: use normal, full or off", durability)
	}
	uri := fileURI(file)
	dsn := func(pragmas ...string) string {
		q := url.Values{}
		for _, p := range slices.Concat(pragmas, commonPragmas) {
			q.Add("_pragma", p)
		}
		q.Set("_txlock", "immediate")
		return uri + "?" + q.Encode()
	}
	db := &DB{file: file}
	db.idle = sync.NewCond(&db.mu)
	var err error
	// page_size before journal_mode: it cannot change once the file is in WAL mode.
	pragmas := []string{"journal_mode(wal)", "synchronous(" + string(durability) + ")", "cache_size(-8192)"}
	if durability != DurabilityOff { // there is a disk to wait for
		pragmas = append(pragmas, writerPragma)
	}
	if db.write, err = sql.Open("sqlite", dsn(pragmas...)); err != nil {
		return nil, err
	}
	db.write.SetMaxOpenConns(1)
	if db.conn, err = db.write.Conn(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", file, err), db.write.Close())
	}
	if db.read, err = sql.Open("sqlite", dsn(readPragmas...)); err != nil {
		return nil, errors.Join(err, db.conn.Close(), db.write.Close())
	}
	db.read.SetMaxOpenConns(readerCount)
	db.read.SetMaxIdleConns(readerCount)
	db.writer = newCached(db.conn)
	db.readers = newCached(db.read)
	db.direct = newDirectPool(uri)
	if durability != DurabilityOff {
		db.checkpoints = newCheckpointer(uri)
	}
	return db, nil
}

// Read gives the readers, for short queries. They see every write that has returned. A context that ends does not interrupt a statement:
// watching it costs more than such a query does. For queries that may take long there is Scan.
func (db *DB) Read() Querier { return uncancelled{db.readers} }

// Scan gives the readers for queries that may take long: they end with their context.
func (db *DB) Scan() Querier { return db.readers }

// Close waits for the writes under way, refuses later ones, and closes the file.
func (db *DB) Close() error {
	db.mu.Lock()
	if db.closed {
		db.mu.Unlock()
		return nil
	}
	db.closed = true
	for db.busy {
		db.idle.Wait()
	}
	db.mu.Unlock()
	db.checkpoints.close()
	err := db.direct.close()
	db.readers.close()
	err = errors.Join(err, db.read.Close())
	// A tidy end: fold the log into the file, so that a backup is one file.
	_, cerr := db.conn.ExecContext(context.Background(), "PRAGMA wal_checkpoint(TRUNCATE)")
	db.writer.close()
	return errors.Join(err, cerr, db.conn.Close(), db.write.Close())
}

// Migrate brings the tables of one component (a package that keeps rows here) up to date. Its migrations are the
// files NNNN_name.sql of the folder, applied in order, each once. A file that a newer program has migrated further
// is a *NewerSchemaError.
func (db *DB) Migrate(ctx context.Context, component string, migrations fs.FS) error {
	names, err := fs.Glob(migrations, "*.sql")
	if err != nil {
		return err
	}
	type step struct {
		version int
		sql     string
	}
	steps := make([]step, 0, len(names))
	for i, name := range names { // Glob sorts
		digits, _, _ := strings.Cut(path.Base(name), "_")
		version, err := strconv.Atoi(digits)
		if err != nil || version != i+1 {
			return fmt.Errorf("migration %s of %s: its number should be %04d", name, component, i+1)
		}
		text, err := fs.ReadFile(migrations, name)
		if err != nil {
			return err
		}
		steps = append(steps, step{version, string(text)})
	}
	return db.Write(ctx, func(tx Querier) error {
		if _, err := tx.ExecContext(ctx, "CREATE TABLE IF NOT EXISTS schema_versions (component TEXT PRIMARY KEY, version INTEGER NOT NULL)"); err != nil {
			return err
		}
		var have int
		err := tx.QueryRowContext(ctx, "SELECT version FROM schema_versions WHERE component = ?", component).Scan(&have)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if have > len(steps) {
			return &NewerSchemaError{Component: component, Have: have, Known: len(steps)}
		}
		for _, s := range steps[have:] {
			if _, err := db.conn.ExecContext(ctx, s.sql); err != nil {
				return fmt.Errorf("migrate %s to version %d: %w", component, s.version, err)
			}
		}
		if have == len(steps) {
			return nil
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO schema_versions (component, version) VALUES (?, ?)
			ON CONFLICT (component) DO UPDATE SET version = excluded.version`, component, len(steps))
		return err
	})
}

// NewerSchemaError says that the file was written by a newer program.
type NewerSchemaError struct {
	Component   string
	Have, Known int
}

func (e *NewerSchemaError) Error() string {
	return fmt.Sprintf("the data was written by a newer prinzbox (%s schema %d, this one knows %d)", e.Component, e.Have, e.Known)
}
