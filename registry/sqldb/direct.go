package sqldb

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"unsafe"

	"modernc.org/libc"
	"modernc.org/libc/sys/types"
	sqlite3 "modernc.org/sqlite/lib"
)

// Row is the current row of [DB.Each]. Columns count from 0; a value is converted as SQLite converts it.
type Row struct {
	tls  *libc.TLS
	stmt uintptr
}

// Int is a column as an integer; 0 for NULL.
func (r *Row) Int(column int) int64 {
	return sqlite3.Xsqlite3_column_int64(r.tls, r.stmt, int32(column))
}

// Float is a column as a number; 0 for NULL.
func (r *Row) Float(column int) float64 {
	return sqlite3.Xsqlite3_column_double(r.tls, r.stmt, int32(column))
}

// Text is a column as text; "" for NULL.
func (r *Row) Text(column int) string {
	text := sqlite3.Xsqlite3_column_text(r.tls, r.stmt, int32(column))
	if text == 0 {
		return ""
	}
	return string(libc.GoBytes(text, int(sqlite3.Xsqlite3_column_bytes(r.tls, r.stmt, int32(column)))))
}

// Null tells whether a column is NULL.
func (r *Row) Null(column int) bool {
	return sqlite3.Xsqlite3_column_type(r.tls, r.stmt, int32(column)) == sqlite3.SQLITE_NULL
}

// Each runs a query and calls fn with each row. It is for the reads that an API call waits for: it asks SQLite itself, without
// database/sql and the driver's locks between, which takes half the time or less. Args are int, int64, bool, float64, string or nil. The row is gone when
// fn returns, and fn must not call Each. An error of fn ends the query. A context that can end interrupts it.
//
// The functions that this package registers (REGEXP) are not known here: those searches go through Scan.
func (db *DB) Each(ctx context.Context, fn func(*Row) error, query string, args ...any) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c, err := db.direct.get()
	if err != nil {
		return err
	}
	defer db.direct.put(c)
	if ctx.Done() != nil {
		interrupted := make(chan struct{})
		stop := context.AfterFunc(ctx, func() {
			defer close(interrupted)
			sqlite3.Xsqlite3_interrupt(c.tls, c.db)
		})
		defer func() {
			if !stop() {
				<-interrupted // a late one would hit the connection's next query
			}
		}()
	}
	err = c.each(fn, query, args)
	if cerr := ctx.Err(); err != nil && cerr != nil {
		return cerr
	}
	return err
}

// directPool opens connections when they are first needed. The one used last goes out first: its page cache is the warmest.
type directPool struct {
	uri  string
	free chan struct{} // one token for each connection that may go out; closed by close

	mu   sync.Mutex
	idle []*directConn
}

func newDirectPool(uri string) *directPool {
	p := &directPool{uri: uri, free: make(chan struct{}, readerCount)}
	for range readerCount {
		p.free <- struct{}{}
	}
	return p
}

func (p *directPool) get() (*directConn, error) {
	if _, ok := <-p.free; !ok {
		return nil, ErrClosed
	}
	p.mu.Lock()
	if n := len(p.idle); n > 0 {
		c := p.idle[n-1]
		p.idle = p.idle[:n-1]
		p.mu.Unlock()
		return c, nil
	}
	p.mu.Unlock()
	c, err := openDirect(p.uri)
	if err != nil {
		p.free <- struct{}{}
	}
	return c, err
}

func (p *directPool) put(c *directConn) {
	p.mu.Lock()
	p.idle = append(p.idle, c)
	p.mu.Unlock()
	p.free <- struct{}{}
}

// close waits for the reads under way.
func (p *directPool) close() (err error) {
	for range readerCount {
		<-p.free
	}
	close(p.free)
	for _, c := range p.idle {
		err = errors.Join(err, c.close())
	}
	return err
}

// directConn is a connection of our own, for one caller at a time, so that SQLite needs no locks within it.
type directConn struct {
	tls   *libc.TLS
	db    uintptr
	stmts map[string]uintptr
	// scratch holds the bound texts of the query under way.
	scratch     uintptr
	scratchSize int
}

func openDirect(uri string) (*directConn, error) {
	c := &directConn{tls: libc.NewTLS(), stmts: map[string]uintptr{}}
	name, err := libc.CString(uri)
	if err != nil {
		return nil, err
	}
	defer libc.Xfree(c.tls, name)
	handle := libc.Xmalloc(c.tls, pointerSize)
	defer libc.Xfree(c.tls, handle)
	rc := sqlite3.Xsqlite3_open_v2(c.tls, name, handle, sqlite3.SQLITE_OPEN_READWRITE|sqlite3.SQLITE_OPEN_NOMUTEX|sqlite3.SQLITE_OPEN_URI, 0)
	c.db = load(handle)
	if rc != sqlite3.SQLITE_OK {
		return nil, errors.Join(c.err(rc), c.close())
	}
	for _, p := range slices.Concat(commonPragmas, readPragmas) {
		if err := c.each(func(*Row) error { return nil }, "PRAGMA "+p, nil); err != nil {
			return nil, errors.Join(err, c.close())
		}
	}
	return c, nil
}

func (c *directConn) close() error {
	for _, s := range c.stmts {
		sqlite3.Xsqlite3_finalize(c.tls, s)
	}
	var err error
	if rc := sqlite3.Xsqlite3_close_v2(c.tls, c.db); rc != sqlite3.SQLITE_OK {
		err = c.err(rc)
	}
	if c.scratch != 0 {
		libc.Xfree(c.tls, c.scratch)
	}
	c.tls.Close()
	return err
}

func (c *directConn) err(rc int32) error {
	return fmt.Errorf("sqlite: %s (%d)", libc.GoString(sqlite3.Xsqlite3_errmsg(c.tls, c.db)), rc)
}

func (c *directConn) each(fn func(*Row) error, query string, args []any) (err error) {
	stmt, err := c.prepare(query)
	if err != nil {
		return fmt.Errorf("%w in %s", err, query)
	}
	// Reset also when fn panics: a statement left half-way would hold back the log's checkpoint.
	defer sqlite3.Xsqlite3_reset(c.tls, stmt)
	if err := c.bind(stmt, args); err != nil {
		return err
	}
	row := &Row{c.tls, stmt}
	for {
		switch rc := sqlite3.Xsqlite3_step(c.tls, stmt); rc {
		case sqlite3.SQLITE_ROW:
			if err := fn(row); err != nil {
				return err
			}
		case sqlite3.SQLITE_DONE:
			return nil
		default:
			return c.err(rc)
		}
	}
}

func (c *directConn) prepare(query string) (uintptr, error) {
	if s := c.stmts[query]; s != 0 {
		return s, nil
	}
	text, err := libc.CString(query)
	if err != nil {
		return 0, err
	}
	defer libc.Xfree(c.tls, text)
	out := libc.Xmalloc(c.tls, pointerSize)
	defer libc.Xfree(c.tls, out)
	if rc := sqlite3.Xsqlite3_prepare_v3(c.tls, c.db, text, -1, sqlite3.SQLITE_PREPARE_PERSISTENT, out, 0); rc != sqlite3.SQLITE_OK {
		return 0, c.err(rc)
	}
	if len(c.stmts) >= maxStatements/readerCount {
		for q, s := range c.stmts { // any one: map order is random enough
			delete(c.stmts, q)
			sqlite3.Xsqlite3_finalize(c.tls, s)
			break
		}
	}
	s := load(out)
	c.stmts[query] = s
	return s, nil
}

func (c *directConn) bind(stmt uintptr, args []any) error {
	size := 0
	for _, a := range args {
		if s, ok := a.(string); ok {
			size += len(s) + 1 // one more, so that an empty text has an address too
		}
	}
	if size > c.scratchSize {
		if c.scratch != 0 {
			libc.Xfree(c.tls, c.scratch)
		}
		c.scratchSize = max(size, 4096)
		c.scratch = libc.Xmalloc(c.tls, types.Size_t(c.scratchSize))
	}
	used := 0
	for i, a := range args {
		n := int32(i + 1)
		var rc int32
		switch v := a.(type) {
		case int64:
			rc = sqlite3.Xsqlite3_bind_int64(c.tls, stmt, n, v)
		case int:
			rc = sqlite3.Xsqlite3_bind_int64(c.tls, stmt, n, int64(v))
		case bool:
			if v {
				rc = sqlite3.Xsqlite3_bind_int64(c.tls, stmt, n, 1)
			} else {
				rc = sqlite3.Xsqlite3_bind_int64(c.tls, stmt, n, 0)
			}
		case float64:
			rc = sqlite3.Xsqlite3_bind_double(c.tls, stmt, n, v)
		case string:
			at := c.scratch + uintptr(used)
			used += copy(libc.GoBytes(at, len(v)), v) + 1
			rc = sqlite3.Xsqlite3_bind_text(c.tls, stmt, n, at, int32(len(v)), sqliteStatic)
		case nil:
			rc = sqlite3.Xsqlite3_bind_null(c.tls, stmt, n)
		default:
			return fmt.Errorf("sqldb: argument %d is a %T", n, a)
		}
		if rc != sqlite3.SQLITE_OK {
			return c.err(rc)
		}
	}
	return nil
}

const (
	sqliteStatic = 0 // SQLite need not copy a text: it stays until the statement is reset
	busyMillis   = 10000
	pointerSize  = types.Size_t(unsafe.Sizeof(uintptr(0)))
)

// load reads the pointer that SQLite left at an address.
func load(at uintptr) uintptr {
	return *(*uintptr)(unsafe.Pointer(unsafe.SliceData(libc.GoBytes(at, int(pointerSize)))))
}
