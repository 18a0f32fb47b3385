package sqldb

import (
	"context"
	"database/sql"
	"sync"
)

// preparer is a *sql.DB or a *sql.Conn.
type preparer interface {
	Querier
	PrepareContext(ctx context.Context, query string) (*sql.Stmt, error)
}

// cached prepares each statement once. The cache is bounded; all values are bound, never part of the text, so it holds every statement
// of the program and the shapes of searches in use.
type cached struct {
	on preparer

	// mu is never held while a statement runs or is prepared: that may wait for a connection, whose holder may wait here.
	mu    sync.Mutex
	stmts map[string]*statement
}

// statement counts the callers that are about to start it, so that an evicted one is not closed under them. Rows still
// being read keep it open themselves.
type statement struct {
	*sql.Stmt
	callers int
	evicted bool
}

const maxStatements = 512

func newCached(on preparer) *cached {
	return &cached{on: on, stmts: map[string]*statement{}}
}

// with calls fn with the prepared statement of a text.
func (c *cached) with(ctx context.Context, query string, fn func(*sql.Stmt)) error {
	s, err := c.acquire(ctx, query)
	if err != nil {
		return err
	}
	defer c.release(s)
	fn(s.Stmt)
	return nil
}

func (c *cached) acquire(ctx context.Context, query string) (*statement, error) {
	if s := c.find(query); s != nil {
		return s, nil
	}
	// Prepared for the pool's life, not for this request's.
	prepared, err := c.on.PrepareContext(context.WithoutCancel(ctx), query)
	if err != nil {
		return nil, err
	}
	s, unused := c.add(query, prepared)
	if unused != nil {
		_ = unused.Close() //nolint:sqlclosecheck // not the statement that is returned
	}
	return s, nil
}

func (c *cached) find(query string) *statement {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.stmts[query]
	if s != nil {
		s.callers++
	}
	return s
}

// add makes a statement known and returns one to close, if any: the given one when another caller was faster, or one that
// gives way to it.
func (c *cached) add(query string, prepared *sql.Stmt) (s *statement, unused *sql.Stmt) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.stmts[query]; s != nil {
		s.callers++
		return s, prepared
	}
	if len(c.stmts) >= maxStatements {
		for q, old := range c.stmts { // any one: map order is random enough
			delete(c.stmts, q)
			if old.evicted = true; old.callers == 0 {
				unused = old.Stmt
			}
			break
		}
	}
	s = &statement{Stmt: prepared, callers: 1}
	c.stmts[query] = s
	return s, unused
}

func (c *cached) release(s *statement) {
	c.mu.Lock()
	s.callers--
	unused := s.evicted && s.callers == 0
	c.mu.Unlock()
	if unused {
		_ = s.Close()
	}
}

func (c *cached) close() {
	c.mu.Lock()
	stmts := c.stmts
	c.stmts = map[string]*statement{}
	c.mu.Unlock()
	for _, s := range stmts {
		_ = s.Close()
	}
}

func (c *cached) ExecContext(ctx context.Context, query string, args ...any) (res sql.Result, err error) {
	if perr := c.with(ctx, query, func(s *sql.Stmt) { res, err = s.ExecContext(ctx, args...) }); perr != nil {
		return nil, perr
	}
	return res, err
}

func (c *cached) QueryContext(ctx context.Context, query string, args ...any) (rows *sql.Rows, err error) {
	if perr := c.with(ctx, query, func(s *sql.Stmt) { rows, err = s.QueryContext(ctx, args...) }); perr != nil { //nolint:rowserrcheck,sqlclosecheck // the caller reads and closes them
		return nil, perr
	}
	return rows, err
}

func (c *cached) QueryRowContext(ctx context.Context, query string, args ...any) (row *sql.Row) {
	if err := c.with(ctx, query, func(s *sql.Stmt) { row = s.QueryRowContext(ctx, args...) }); err != nil {
		return c.on.QueryRowContext(ctx, query, args...) // a row that carries the error
	}
	return row
}

// uncancelled keeps a caller's context from interrupting a statement. In a write SQLite would roll back the whole transaction,
// which other writes share; in a short read two goroutines would have to watch the context.
type uncancelled struct{ q Querier }

func (u uncancelled) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	return u.q.ExecContext(context.WithoutCancel(ctx), query, args...)
}

func (u uncancelled) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return u.q.QueryContext(context.WithoutCancel(ctx), query, args...)
}

func (u uncancelled) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	return u.q.QueryRowContext(context.WithoutCancel(ctx), query, args...)
}
