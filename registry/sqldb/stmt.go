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

	// mu is held for reading while a statement starts, so that an evicted one is never closed under a caller. Rows
	// still being read keep their statement open themselves.
	mu    sync.RWMutex
	stmts map[string]*sql.Stmt
}

const maxStatements = 512

func newCached(on preparer) *cached {
	return &cached{on: on, stmts: map[string]*sql.Stmt{}}
}

// with calls fn with the prepared statement of a text.
func (c *cached) with(ctx context.Context, query string, fn func(*sql.Stmt)) error {
	c.mu.RLock()
	s, ok := c.stmts[query]
	if ok {
		defer c.mu.RUnlock()
		fn(s)
		return nil
	}
	c.mu.RUnlock()
	// Prepared for the pool's life, not for this request's.
	s, err := c.on.PrepareContext(context.WithoutCancel(ctx), query)
	if err != nil {
		return err
	}
	fn(s)
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.stmts[query]; ok { // another caller was faster
		return s.Close()
	}
	if len(c.stmts) >= maxStatements {
		for q, old := range c.stmts { // any one: map order is random enough
			delete(c.stmts, q)
			_ = old.Close()
			break
		}
	}
	c.stmts[query] = s
	return nil
}

func (c *cached) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.stmts {
		_ = s.Close()
	}
	clear(c.stmts)
}

func (c *cached) ExecContext(ctx context.Context, query string, args ...any) (res sql.Result, err error) {
	if perr := c.with(ctx, query, func(s *sql.Stmt) { res, err = s.ExecContext(ctx, args...) }); perr != nil {
		return nil, perr
	}
	return res, err
}

func (c *cached) QueryContext(ctx context.Context, query string, args ...any) (rows *sql.Rows, err error) {
	if perr := c.with(ctx, query, func(s *sql.Stmt) { rows, err = s.QueryContext(ctx, args...) }); perr != nil {
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

// uncancelled keeps a caller's context from interrupting a statement: SQLite would roll back the whole transaction, which
// other writes share.
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
