package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
)

// Copy writes the database as it is now into a new file, and calls also (which may be nil) before anybody writes again: whatever it looks at
// belongs to the same moment. Reads go on meanwhile, writes wait.
func (db *DB) Copy(ctx context.Context, file string, also func() error) error {
	logged := false
	err := db.exclusively(ctx, func() error {
		// The log goes into the file as far as readers let it.
		var busy, frames, moved int
		if err := db.conn.QueryRowContext(context.WithoutCancel(ctx), "PRAGMA wal_checkpoint(PASSIVE)").Scan(&busy, &frames, &moved); err != nil {
			return fmt.Errorf("checkpoint: %w", err)
		}
		if err := copyFile(db.file, file); err != nil {
			return err
		}
		if logged = busy != 0 || moved < frames; logged {
			if err := copyFile(db.file+"-wal", file+"-wal"); err != nil {
				return err
			}
		}
		if also != nil {
			return also()
		}
		return nil
	})
	if err == nil && logged {
		err = foldLog(ctx, file)
	}
	if err != nil {
		return errors.Join(err, remove(file), remove(file+"-wal"))
	}
	return nil
}

// foldLog makes a database and its log one file, as the last connection does when it closes.
func foldLog(ctx context.Context, file string) error {
	db, err := sql.Open("sqlite", fileURI(file)+"?_pragma=synchronous(off)")
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)")
	return errors.Join(err, db.Close())
}

// fileURI is a file's name as SQLite wants it.
func fileURI(file string) string { return "file:" + (&url.URL{Path: file}).EscapedPath() }

func copyFile(from, to string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }() // read-only
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

func remove(file string) error {
	if err := os.Remove(file); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
