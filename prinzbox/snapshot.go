package prinzbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/prinzbox/prinzbox/artifacts"
	"github.com/prinzbox/prinzbox/prinzbox/archive"
	"github.com/prinzbox/prinzbox/registry/sqldb"
)

// SnapshotInfo describes a snapshot.
type SnapshotInfo struct {
	Name string `json:"name"`
	// Created is in milliseconds since 1970, by the machine's clock.
	Created int64 `json:"created"`
	// Bytes is the size of the database. Files of artifacts are shared with the environment and take no space of their own.
	Bytes int64 `json:"database_bytes"`
}

// stateInfo is what is written down beside a database and blobs.
type stateInfo struct {
	// Format is the version of the layout.
	Format  int      `json:"format"`
	Program string   `json:"program"`
	Created int64    `json:"created"`
	Seeded  []string `json:"seeded"`
}

const (
	stateFormat   = 1
	stateInfoFile = archive.InfoFile
	snapshotsDir  = "snapshots"
)

func newStateInfo(w *world) stateInfo {
	return stateInfo{Format: stateFormat, Program: Version, Created: time.Now().UnixMilli(), Seeded: w.ready.Seeded}
}

// check refuses what a newer program wrote.
func (i stateInfo) check() error {
	if i.Format < 1 || i.Format > stateFormat {
		return fmt.Errorf("it has format %d, this prinzbox (%s) knows %d: use the version that wrote it (%.40q)", i.Format, Version, stateFormat, i.Program)
	}
	return nil
}

// Snapshot keeps the state of now under a name (lower-case letters, digits and dashes), in place of what had the name before. Writes wait
// meanwhile: a few milliseconds, and for each GB of database about a second.
func (s *space) Snapshot(ctx context.Context, name string) error {
	if !isName(name) {
		return fmt.Errorf("snapshot %q: a name has up to 63 lower-case letters, digits and inner dashes", name)
	}
	w, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer w.leave()
	s.mu.Lock()
	defer s.mu.Unlock()
	before, err := s.findSnapshots(name)
	if err != nil {
		return err
	}
	made := filepath.Join(s.root, snapshotsDir, name+"~"+newID())
	if err := w.copyTo(ctx, made+".tmp"); err != nil {
		return fmt.Errorf("snapshot %s: %w", name, errors.Join(err, os.RemoveAll(made+".tmp")))
	}
	if err := os.Rename(made+".tmp", made); err != nil {
		return err
	}
	for _, old := range before {
		if err := os.RemoveAll(old.dir); err != nil {
			return err
		}
	}
	return nil
}

// copyTo makes a folder with the state of now.
func (e *world) copyTo(ctx context.Context, dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	err := e.db.Copy(ctx, filepath.Join(dir, databaseFile), func() error { return artifacts.LinkFiles(blobsIn(e.dir), blobsIn(dir)) })
	if err != nil {
		return err
	}
	text, err := json.Marshal(newStateInfo(e))
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, stateInfoFile), text, 0o600); err != nil {
		return err
	}
	if e.cfg.Durability == sqldb.DurabilityFull {
		return errors.Join(syncTree(dir), syncPaths(filepath.Dir(dir)))
	}
	return nil
}

// Restore goes back to a snapshot, as [Env.Reset] goes to a fresh state. The snapshot stays.
func (s *space) Restore(ctx context.Context, name string) error {
	if name == "" {
		return s.noSnapshot(name)
	}
	return s.replace(ctx, func(dir string) (opening, error) {
		found, err := s.findSnapshots(name)
		if err != nil {
			return opening{}, err
		}
		if len(found) == 0 {
			return opening{}, s.noSnapshot(name)
		}
		info, err := layCopy(found[0].dir, dir)
		if err != nil {
			return opening{}, fmt.Errorf("snapshot %s: %w", name, err)
		}
		return opening{seeded: info.Seeded, clean: true}, nil
	})
}

// NoSnapshotError says that there is no snapshot of a name.
type NoSnapshotError struct {
	Name string
	// Have are the names that there are.
	Have []string
}

func (e *NoSnapshotError) Error() string {
	if len(e.Have) == 0 {
		return fmt.Sprintf("there is no snapshot %q; there is none at all yet", e.Name)
	}
	return fmt.Sprintf("there is no snapshot %q; there are: %s", e.Name, strings.Join(e.Have, ", "))
}

func (s *space) noSnapshot(name string) error {
	all, err := s.Snapshots()
	e := &NoSnapshotError{Name: name}
	for _, i := range all {
		e.Have = append(e.Have, i.Name)
	}
	return errors.Join(e, err)
}

// layCopy puts a copy of a state into a folder that has none.
func layCopy(from, to string) (info stateInfo, err error) {
	if info, err = readStateInfo(from); err != nil {
		return info, err
	}
	if err := artifacts.LinkFiles(blobsIn(from), blobsIn(to)); err != nil {
		return info, err
	}
	in, err := os.Open(filepath.Join(from, databaseFile))
	if err != nil {
		return info, err
	}
	defer func() { _ = in.Close() }() // read-only
	return info, writeNew(filepath.Join(to, databaseFile), in)
}

func readStateInfo(dir string) (info stateInfo, err error) {
	text, err := os.ReadFile(filepath.Join(dir, stateInfoFile))
	if err != nil {
		return info, err
	}
	if err := json.Unmarshal(text, &info); err != nil {
		return info, fmt.Errorf("%s: %w", stateInfoFile, err)
	}
	return info, info.check()
}

func writeNew(file string, r io.Reader) error {
	out, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, r)
	return errors.Join(err, out.Close())
}

// Snapshots lists the snapshots by name.
func (s *space) Snapshots() ([]SnapshotInfo, error) {
	found, err := s.findSnapshots("")
	list := make([]SnapshotInfo, 0, len(found))
	for _, f := range found {
		if len(list) > 0 && list[len(list)-1].Name == f.name {
			continue // an older one, whose end was cut short
		}
		list = append(list, SnapshotInfo{Name: f.name, Created: f.created, Bytes: f.bytes})
	}
	return list, err
}

// DeleteSnapshot removes a snapshot.
func (s *space) DeleteSnapshot(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, err := s.findSnapshots(name)
	if err != nil {
		return err
	}
	if len(found) == 0 || name == "" {
		return s.noSnapshot(name)
	}
	for _, f := range found {
		if err := os.RemoveAll(f.dir); err != nil {
			return err
		}
	}
	return nil
}

type snapshotDir struct {
	name, dir      string
	created, bytes int64
}

// findSnapshots lists the snapshots of a name, or all, by name, the newest of each first.
func (s *space) findSnapshots(name string) ([]snapshotDir, error) {
	entries, err := os.ReadDir(filepath.Join(s.root, snapshotsDir))
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	var found []snapshotDir
	for _, entry := range entries {
		have, id, ok := strings.Cut(entry.Name(), "~")
		if !ok || strings.HasSuffix(id, ".tmp") || name != "" && name != have {
			continue
		}
		dir := filepath.Join(s.root, snapshotsDir, entry.Name())
		info, ierr := readStateInfo(dir)
		file, serr := os.Stat(filepath.Join(dir, databaseFile))
		if ierr != nil || serr != nil {
			continue // it is being removed
		}
		found = append(found, snapshotDir{have, dir, info.Created, file.Size()})
	}
	slices.SortFunc(found, func(a, b snapshotDir) int {
		if c := strings.Compare(a.name, b.name); c != 0 {
			return c
		}
		return int(b.created - a.created)
	})
	return found, err
}

// tidySnapshots removes snapshots whose making was cut short.
func tidySnapshots(root string) error {
	entries, err := os.ReadDir(filepath.Join(root, snapshotsDir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	errs := []error{err}
	for _, entry := range entries {
		if strings.HasSuffix(entry.Name(), ".tmp") {
			errs = append(errs, os.RemoveAll(filepath.Join(root, snapshotsDir, entry.Name())))
		}
	}
	return errors.Join(errs...)
}
