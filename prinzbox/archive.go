package prinzbox

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"time"

	"github.com/prinzbox/prinzbox/artifacts"
	"github.com/prinzbox/prinzbox/prinzbox/archive"
	"github.com/prinzbox/prinzbox/registry/sqldb"
)

// Export writes everything that is kept as it is now, as one file for [Env.Import]. Writes go on meanwhile, but for the moment of the snapshot that is
// written. Secrets of webhooks and of users' S3 keys stay encrypted with this environment's key, so another one cannot use them.
func (s *space) Export(ctx context.Context, to io.Writer) error {
	w, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer w.leave()
	dir, err := os.MkdirTemp(s.env.dir.path, "export-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }() // the next start removes it otherwise
	if err := w.copyTo(ctx, dir); err != nil {
		return fmt.Errorf("export: %w", err)
	}
	names, err := artifacts.BlobFiles(blobsIn(dir))
	if err != nil {
		return err
	}
	compressed := gzip.NewWriter(to)
	file := tar.NewWriter(compressed)
	add := func(name, from string) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		f, err := os.Open(from)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }() // read-only
		info, err := f.Stat()
		if err != nil {
			return err
		}
		h := &tar.Header{Name: name, Mode: 0o600, Size: info.Size(), ModTime: time.Now(), Typeflag: tar.TypeReg}
		if err := file.WriteHeader(h); err != nil {
			return err
		}
		_, err = io.Copy(file, f)
		return err
	}
	for _, name := range []string{stateInfoFile, databaseFile} {
		if err := add(name, filepath.Join(dir, name)); err != nil {
			return fmt.Errorf("export: %w", err)
		}
	}
	for _, name := range names {
		if err := add(archive.Blobs+name, filepath.Join(blobsIn(dir), filepath.FromSlash(name))); err != nil {
			return fmt.Errorf("export: %w", err)
		}
	}
	if err := errors.Join(file.Close(), compressed.Close()); err != nil {
		return fmt.Errorf("export: %w", err)
	}
	return nil
}

// ImportError says what is wrong with a file that should be imported.
type ImportError struct{ Reason string }

func (e *ImportError) Error() string { return "import: " + e.Reason }

// Import replaces everything by what [Env.Export] wrote, as [Env.Reset] does. A file that is not one, or damaged, is an *ImportError and
// changes nothing.
func (s *space) Import(ctx context.Context, from io.Reader) error {
	err := s.replace(ctx, func(dir string) (opening, error) {
		info, err := readArchive(ctx, from, dir)
		if err != nil {
			return opening{}, err
		}
		if err := checkState(ctx, dir); err != nil {
			return opening{}, err
		}
		return opening{seeded: info.Seeded}, nil
	})
	if newer, ok := errors.AsType[*sqldb.NewerSchemaError](err); ok {
		return &ImportError{newer.Error() + "; import it with that version"}
	}
	return err
}

// importHome lays the state of Config.Import into a folder that has none, and names the samples that were in it.
func (e *Env) importHome(ctx context.Context, dir string) (seeded []string, err error) {
	from, err := os.Open(e.cfg.Import)
	if err != nil {
		return nil, &ImportError{err.Error()}
	}
	defer func() { _ = from.Close() }() // read-only
	info, err := readArchive(ctx, from, dir)
	if err == nil {
		err = checkState(ctx, dir)
	}
	if err != nil {
		return nil, errors.Join(err, removeState(dir))
	}
	return info.Seeded, nil
}

// readArchive unpacks an archive into a folder that is empty.
func readArchive(ctx context.Context, from io.Reader, dir string) (info stateInfo, err error) {
	rules := archive.Rules{IsBlob: artifacts.IsBlobFile, Info: func(text []byte) error {
		if err := json.Unmarshal(text, &info); err != nil {
			return err
		}
		return info.check()
	}}
	err = rules.Unpack(ctx, from, dir)
	if bad, ok := errors.AsType[*archive.Error](err); ok {
		err = &ImportError{bad.Reason}
	}
	return info, err
}

// checkState refuses what is no sound database of this program or an older one, with all its files: better now than in some request.
func checkState(ctx context.Context, dir string) error {
	db, err := sqldb.Open(ctx, filepath.Join(dir, databaseFile), sqldb.DurabilityOff)
	if err != nil {
		return &ImportError{"its database cannot be opened: " + err.Error()}
	}
	var found string
	err = db.Read().QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&found)
	if err == nil && found != "ok" {
		err = errors.New(found)
	}
	if err == nil {
		var tables int
		err = db.Read().QueryRowContext(ctx, "SELECT count(*) FROM schema_versions WHERE component IN ('registry', 'artifacts')").Scan(&tables)
		if err == nil && tables != 2 {
			err = errors.New("tables are missing")
		}
	}
	if err == nil {
		err = checkFiles(ctx, db, dir)
	}
	if err = errors.Join(err, db.Close()); err != nil {
		return &ImportError{"its database is damaged, or not one of prinzbox: " + err.Error()}
	}
	return nil
}

// checkFiles looks for the files that the database names.
func checkFiles(ctx context.Context, db *sqldb.DB, dir string) (err error) {
	names, err := artifacts.BlobFiles(blobsIn(dir))
	if err != nil {
		return err
	}
	sizes := map[string]int64{}
	for _, name := range names {
		info, err := os.Stat(filepath.Join(blobsIn(dir), filepath.FromSlash(name)))
		if err != nil {
			return err
		}
		sizes[path.Base(name)] = info.Size()
	}
	rows, err := db.Scan().QueryContext(ctx, "SELECT file, size FROM artifact_contents WHERE file IS NOT NULL")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var name string
		var size int64
		if err := rows.Scan(&name, &size); err != nil {
			return err
		}
		if have, ok := sizes[name]; !ok || have != size {
			return fmt.Errorf("the file of an object, %.100q, is not in the archive, or has another size", name)
		}
	}
	return rows.Err()
}
