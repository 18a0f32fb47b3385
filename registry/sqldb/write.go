package sqldb

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
)

type job struct {
	ctx  context.Context
	fn   func(tx Querier) error
	err  error
	done chan struct{}
	// alone is run instead of fn, outside a transaction, while nobody writes.
	alone func() error
}

// Write runs fn in a write transaction and returns when that is committed, or has been rolled back because fn returned an error.
// Writes that wait at the same time share one commit; each still fails alone. fn must touch nothing but tx, and must not
// call Write. A context that ends before fn starts cancels the write; later it has no effect, since the
// transaction is shared.
func (db *DB) Write(ctx context.Context, fn func(tx Querier) error) error {
	return db.do(&job{ctx: ctx, fn: fn, done: make(chan struct{})})
}

// exclusively runs fn while nobody writes.
func (db *DB) exclusively(ctx context.Context, fn func() error) error {
	return db.do(&job{ctx: ctx, alone: fn, done: make(chan struct{})})
}

func (db *DB) do(j *job) error {
	db.mu.Lock()
	switch {
	case db.closed:
		db.mu.Unlock()
		return ErrClosed
	case db.busy:
		db.queue = append(db.queue, j)
		db.mu.Unlock()
		<-j.done
		return j.err
	}
	db.busy = true
	db.mu.Unlock()
	// Nobody writes: this caller does it itself, which saves the way to another goroutine and back.
	db.commit(j)
	db.passOn()
	return j.err
}

// passOn ends a turn at the writer: who waits gets the next one.
func (db *DB) passOn() {
	db.mu.Lock()
	defer db.mu.Unlock()
	if len(db.queue) == 0 {
		db.busy = false
		db.idle.Broadcast()
		return
	}
	next := db.queue[0]
	db.queue = db.queue[1:]
	go func() {
		db.commit(next)
		db.passOn()
	}()
}

// take gives the next write that waits and may share a transaction, or nil.
func (db *DB) take() *job {
	db.mu.Lock()
	defer db.mu.Unlock()
	if len(db.queue) == 0 || db.queue[0].alone != nil {
		return nil
	}
	j := db.queue[0]
	db.queue = db.queue[1:]
	return j
}

// commit runs the first write and those that wait behind it in one transaction.
func (db *DB) commit(first *job) {
	ctx := context.Background()
	batch := make([]*job, 0, 8)
	finish := func(err error) {
		for _, j := range batch {
			if j.err == nil {
				j.err = err
			}
			close(j.done)
		}
	}
	if first.alone != nil {
		batch = append(batch, first)
		finish(db.run(first))
		return
	}
	if _, err := db.writer.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		batch = append(batch, first)
		finish(fmt.Errorf("begin: %w", err))
		return
	}
	batch = append(batch, first)
	if first.err = db.run(first); first.err != nil {
		// Nothing else is in the transaction yet: the cheap way out.
		_, err := db.writer.ExecContext(ctx, "ROLLBACK")
		first.err = errors.Join(first.err, err)
		finish(nil)
		return
	}
	var broken error
	for len(batch) < maxBatch && broken == nil {
		j := db.take()
		if j == nil {
			break
		}
		batch = append(batch, j)
		broken = db.runSaved(ctx, j)
	}
	if broken != nil {
		_, err := db.writer.ExecContext(ctx, "ROLLBACK")
		finish(errors.Join(broken, err))
		return
	}
	if _, err := db.writer.ExecContext(ctx, "COMMIT"); err != nil {
		_, rollback := db.writer.ExecContext(ctx, "ROLLBACK")
		finish(errors.Join(fmt.Errorf("commit: %w", err), rollback))
		return
	}
	db.commits++
	db.checkpoints.committed(db.commits)
	finish(nil)
}

// runSaved runs a write so that its failure leaves the others of the transaction alone. The error it returns means that
// the whole transaction is lost; the write's own error is in the job.
func (db *DB) runSaved(ctx context.Context, j *job) error {
	if _, err := db.writer.ExecContext(ctx, "SAVEPOINT w"); err != nil {
		return err
	}
	if j.err = db.run(j); j.err != nil {
		if _, err := db.writer.ExecContext(ctx, "ROLLBACK TO w"); err != nil {
			return err
		}
	}
	_, err := db.writer.ExecContext(ctx, "RELEASE w")
	return err
}

func (db *DB) run(j *job) (err error) {
	if err := j.ctx.Err(); err != nil {
		return err
	}
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic in a write: %v\n%s", r, debug.Stack())
		}
	}()
	if j.alone != nil {
		return j.alone()
	}
	return j.fn(uncancelled{db.writer})
}
