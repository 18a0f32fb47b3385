package prinzbox

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/prinzbox/prinzbox/artifacts"
	"github.com/prinzbox/prinzbox/registry/sqldb"
)

// An archive is a tar file, compressed with gzip: prinzbox.json first, which tells its format, then prinzbox.db, an SQLite database, and the files
// of large objects as blobs/…; a state is all of it or nothing.
const (
	archiveBlobs = "blobs/"
	// maxStateInfo bounds prinzbox.json.
	maxStateInfo = 1 << 20
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
	archive := tar.NewWriter(compressed)
	add := func(name, file string) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		f, err := os.Open(file)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }() // read-only
		info, err := f.Stat()
		if err != nil {
			return err
		}
		h := &tar.Header{Name: name, Mode: 0o600, Size: info.Size(), ModTime: time.Now(), Typeflag: tar.TypeReg}
		if err := archive.WriteHeader(h); err != nil {
			return err
		}
		_, err = io.Copy(archive, f)
		return err
	}
	for _, name := range []string{stateInfoFile, databaseFile} {
		if err := add(name, filepath.Join(dir, name)); err != nil {
			return fmt.Errorf("export: %w", err)
		}
	}
	for _, name := range names {
		if err := add(archiveBlobs+name, filepath.Join(blobsIn(dir), filepath.FromSlash(name))); err != nil {
			return fmt.Errorf("export: %w", err)
		}
	}
	if err := errors.Join(archive.Close(), compressed.Close()); err != nil {
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

// readArchive unpacks an archive into a folder that is empty.
func readArchive(ctx context.Context, from io.Reader, dir string) (info stateInfo, err error) {
	bad := func(format string, args ...any) (stateInfo, error) {
		return info, &ImportError{fmt.Sprintf(format, args...)}
	}
	buffered := bufio.NewReader(from)
	var plain io.Reader = buffered
	if magic, _ := buffered.Peek(2); len(magic) == 2 && magic[0] == 0x1f && magic[1] == 0x8b {
		unzipped, err := gzip.NewReader(buffered)
		if err != nil {
			return bad("it begins as gzip does, but: %v", err)
		}
		plain = unzipped
	}
	archive := tar.NewReader(plain)
	seen := map[string]bool{}
	for {
		h, err := archive.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return bad("it is no export of prinzbox, or is cut short: %v", err)
		}
		if err := ctx.Err(); err != nil {
			return info, err
		}
		if h.Typeflag != tar.TypeReg || seen[h.Name] {
			return bad("it holds %.100q, which no export does", h.Name)
		}
		if seen[h.Name] = true; len(seen) == 1 && h.Name != stateInfoFile {
			return bad("it does not begin with %s: it is no export of prinzbox", stateInfoFile)
		}
		if h.Name == stateInfoFile {
			text, err := io.ReadAll(io.LimitReader(archive, maxStateInfo))
			if err == nil {
				err = json.Unmarshal(text, &info)
			}
			if err == nil {
				err = info.check()
			}
			if err != nil {
				return bad("%s: %v", stateInfoFile, err)
			}
			continue
		}
		name := h.Name
		if blob, ok := strings.CutPrefix(name, archiveBlobs); name != databaseFile && (!ok || !artifacts.IsBlobFile(blob)) {
			return bad("it holds %.100q, which no export does", name)
		}
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			return info, err
		}
		source := &sourceReader{r: archive}
		if err := writeNew(file, source); err != nil {
			if source.err != nil && !errors.Is(source.err, io.EOF) {
				return bad("%s is cut short or damaged: %v", name, source.err)
			}
			return info, err
		}
	}
	if !seen[stateInfoFile] || !seen[databaseFile] {
		return bad("it holds no %s: it is no export of prinzbox", databaseFile)
	}
	return info, nil
}

// sourceReader remembers how reading ended, to tell a bad source from a full disk.
type sourceReader struct {
	r   io.Reader
	err error
}

func (c *sourceReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	if err != nil {
		c.err = err
	}
	return n, err
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
