package prinzbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"

	"github.com/prinzbox/prinzbox/prinzbox/archive"
	"github.com/prinzbox/prinzbox/registry/sqldb"
)

// dataDir is the folder that holds an environment's state: the SQLite file, the blobs, a lock, and while the environment runs its ready line.
type dataDir struct {
	path      string
	temporary bool
	lock      *flock.Flock
}

// Files in the data folder.
const (
	readyFile = "ready.json"
	lockFile  = "lock"
	// databaseFile is the SQLite file.
	databaseFile = archive.DatabaseFile
)

// openDataDir makes the folder if need be, for this user alone, and locks it. An empty path means a temporary folder.
func openDataDir(ctx context.Context, path string) (*dataDir, error) {
	if path == "" {
		tmp, err := os.MkdirTemp("", "prinzbox-")
		return &dataDir{path: tmp, temporary: true}, err
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(abs, 0o700); err != nil {
		return nil, fmt.Errorf("cannot use the data directory %s (--data): %w", path, err)
	}
	d := &dataDir{path: abs, lock: flock.New(filepath.Join(abs, lockFile))}
	// A moment's patience: `prinzbox env` holds the lock while it looks whether anybody else does.
	ctx, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
	defer cancel()
	ok, err := d.lock.TryLockContext(ctx, 20*time.Millisecond)
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return nil, fmt.Errorf("cannot lock the data directory %s (--data): %w", path, err)
	}
	if !ok {
		who := ""
		if r, err := readReady(abs); err == nil {
			who = fmt.Sprintf(" (pid %d, %s)", r.PID, r.TrackingURI)
		}
		return nil, fmt.Errorf("the data directory %s is in use by another prinzbox%s: stop that, or choose another directory with --data", path, who)
	}
	_ = os.Remove(filepath.Join(abs, readyFile)) // of a process that was killed
	return d, nil
}

// openDB opens the database in a folder of state.
func openDB(ctx context.Context, dir string, durability sqldb.Durability) (*sqldb.DB, error) {
	db, err := sqldb.Open(ctx, filepath.Join(dir, databaseFile), durability)
	if err != nil {
		return nil, fmt.Errorf("cannot open the data directory %s (--data): %w", dir, err)
	}
	return db, nil
}

// explain adds what to do to an error about the data in a folder.
func explain(dir string, err error) error {
	if newer, ok := errors.AsType[*sqldb.NewerSchemaError](err); ok {
		return fmt.Errorf("cannot use the data directory %s: %w; run that newer version, or choose another directory with --data", dir, newer)
	}
	return err
}

func (d *dataDir) writeReady(r Ready) error {
	if d.temporary {
		return nil
	}
	return writeReadyFile(filepath.Join(d.path, readyFile), r)
}

// writeReadyFile appears complete or not at all, so that whoever waits for it can read it at once.
func writeReadyFile(file string, r Ready) error {
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	tmp := file + ".tmp"
	if err := os.WriteFile(tmp, append(text, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, file)
}

func readReady(dir string) (r Ready, err error) {
	text, err := os.ReadFile(filepath.Join(dir, readyFile))
	if err != nil {
		return r, err
	}
	err = json.Unmarshal(text, &r)
	return r, err
}

// running is the ready line of the environment that runs in a folder, if one does. The file alone does not tell: a killed process leaves it.
func running(dir string) (Ready, bool) {
	r, err := readReady(dir)
	if err != nil {
		return r, false
	}
	lock := flock.New(filepath.Join(dir, lockFile))
	if free, err := lock.TryLock(); free || err != nil {
		_ = lock.Unlock() // it was held to look
		return r, false
	}
	return r, true
}

func (d *dataDir) close() error {
	if d.temporary {
		return os.RemoveAll(d.path)
	}
	err := os.Remove(filepath.Join(d.path, readyFile))
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	return errors.Join(err, d.lock.Unlock())
}

// blobsIn is the folder of the blobs in a folder of state.
func blobsIn(dir string) string { return filepath.Join(dir, "blobs") }
