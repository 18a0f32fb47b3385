package artifacts

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"
)

// VerifyConfig says what to verify.
type VerifyConfig struct {
	// DB is the store's database, only read; Dir its folder.
	DB  Querier
	Dir string
	// Found is told of every damage, Progress now and then of how far it is: bytes read, of all. They are never called at the same time. nil: nobody.
	Found    func(Damage)
	Progress func(read, total int64)
}

// Damage is one thing that is not as it should be.
type Damage struct {
	// Problem is for people, for example "the bytes are not those that were stored".
	Problem string `json:"problem"`
	// File is the file concerned, relative to the store's folder; empty for bytes in the database.
	File string `json:"file,omitempty"`
	// Objects are those that cannot be read in full any more.
	Objects []DamagedObject `json:"objects"`
}

// DamagedObject names an object, a version of one, or a part of an upload under way.
type DamagedObject struct {
	Bucket  string `json:"bucket"`
	Key     string `json:"key"`
	Version string `json:"version,omitempty"`
	Upload  string `json:"upload_id,omitempty"`
	Part    int    `json:"part_number,omitempty"`
}

// VerifyReport is what Verify found in sum.
type VerifyReport struct {
	// Contents and Bytes were read and compared.
	Contents int   `json:"contents"`
	Bytes    int64 `json:"bytes"`
	Damaged  int   `json:"damaged"`
	// Orphans are files that nothing names, with their bytes: harmless, the next start removes them.
	Orphans     int   `json:"orphans"`
	OrphanBytes int64 `json:"orphan_bytes"`
}

// verifyAge is how old a file that nothing names must be to count as an orphan: a younger one may belong to a server at work.
const verifyAge = 10 * time.Minute

// verifyPage is how many contents are looked up at once.
const verifyPage = 256

// Verify reads all that a store holds and compares it with the sizes and hashes that were stored. A server may be at work on it meanwhile: what
// is deleted while it is looked at counts as fine. Damage is in the report, not an error.
func Verify(ctx context.Context, c VerifyConfig) (VerifyReport, error) {
	v := &verifier{VerifyConfig: c, store: &Store{dir: c.Dir}}
	if err := v.DB.QueryRowContext(ctx, "SELECT COALESCE(SUM(size), 0) FROM artifact_contents WHERE sha256 IS NOT NULL").Scan(&v.total); err != nil {
		return v.report, err
	}
	if err := v.contents(ctx); err != nil {
		return v.report, err
	}
	if err := v.joined(ctx); err != nil {
		return v.report, err
	}
	return v.report, v.orphans(ctx)
}

type verifier struct {
	VerifyConfig
	store *Store

	mu     sync.Mutex
	total  int64
	report VerifyReport
}

// stored is one content as its row has it.
type stored struct {
	id, size int64
	file     sql.NullString
	data     []byte
	sum      []byte
}

// contents reads all bytes, several files at a time.
func (v *verifier) contents(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	work := make(chan stored)
	var workers sync.WaitGroup
	for range min(4, runtime.GOMAXPROCS(0)) {
		workers.Go(func() {
			for c := range work {
				if err := v.content(ctx, c); err != nil {
					cancel(err)
				}
			}
		})
	}
	err := v.each(ctx, func(c stored) error {
		select {
		case work <- c:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	})
	close(work)
	workers.Wait()
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// each goes through the contents that have bytes of their own.
func (v *verifier) each(ctx context.Context, do func(stored) error) error {
	var page []stored
	for after := int64(-1); ; after = page[len(page)-1].id {
		page = nil
		err := v.query(ctx, func(rows *sql.Rows) error {
			var c stored
			err := rows.Scan(&c.id, &c.size, &c.file, &c.data, &c.sum)
			page = append(page, c)
			return err
		}, "SELECT id, size, file, data, sha256 FROM artifact_contents WHERE id > ? AND sha256 IS NOT NULL ORDER BY id LIMIT ?", after, verifyPage)
		if err != nil || len(page) == 0 {
			return err
		}
		for _, c := range page {
			if err := do(c); err != nil {
				return err
			}
		}
	}
}

// query calls do for every row.
func (v *verifier) query(ctx context.Context, do func(*sql.Rows) error, query string, args ...any) error {
	rows, err := v.DB.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close() //nolint:errcheck // Err tells
	for rows.Next() {
		if err := do(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// content compares one content.
func (v *verifier) content(ctx context.Context, c stored) error {
	problem, file := "", ""
	if c.file.Valid {
		path := v.store.blobPath(c.file.String)
		file, _ = filepath.Rel(v.Dir, path) // below it by construction
		var err error
		if problem, err = v.file(ctx, path, c); err != nil {
			return err
		}
	} else {
		got := sha256.Sum256(c.data)
		switch {
		case int64(len(c.data)) != c.size:
			problem = fmt.Sprintf("the database holds %d bytes where %d were stored", len(c.data), c.size)
		case !bytes.Equal(got[:], c.sum):
			problem = "the bytes in the database are not those that were stored"
		}
		v.add(c.size)
	}
	v.mu.Lock()
	v.report.Contents++
	v.mu.Unlock()
	if problem == "" {
		return nil
	}
	return v.found(ctx, c.id, problem, file)
}

// file compares a file and says what is wrong with it. An error ends the whole.
func (v *verifier) file(ctx context.Context, path string, c stored) (problem string, err error) {
	f, err := os.Open(path)
	if err != nil {
		v.add(c.size)
		if errors.Is(err, fs.ErrNotExist) {
			return "the file is missing", nil
		}
		return "the file cannot be read: " + err.Error(), nil
	}
	defer f.Close() //nolint:errcheck // only read
	pooled := buffers.Get().(*[]byte)
	defer buffers.Put(pooled)
	h := sha256.New()
	var size int64
	for {
		if ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
		n, err := f.Read(*pooled)
		h.Write((*pooled)[:n])
		size += int64(n)
		v.add(int64(n))
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return "the file cannot be read: " + err.Error(), nil
		}
	}
	switch {
	case size != c.size:
		return fmt.Sprintf("the file has %d bytes where %d were stored", size, c.size), nil
	case !bytes.Equal(h.Sum(nil), c.sum):
		return "the bytes are not those that were stored", nil
	}
	return "", nil
}

func (v *verifier) add(n int64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.report.Bytes += n
	if v.Progress != nil {
		v.Progress(v.report.Bytes, max(v.total, v.report.Bytes))
	}
}

// joined sees that multipart objects have all their parts, and that every object has the size of its content.
func (v *verifier) joined(ctx context.Context) error {
	var ids []int64
	err := v.query(ctx, func(rows *sql.Rows) error {
		var id int64
		err := rows.Scan(&id)
		ids = append(ids, id)
		return err
	}, `SELECT id FROM artifact_contents c WHERE sha256 IS NULL AND size != (SELECT COALESCE(SUM(p.size), 0)
		FROM artifact_segments s JOIN artifact_contents p ON p.id = s.content WHERE s.joined = c.id)
		UNION SELECT content FROM artifact_objects o LEFT JOIN artifact_contents c ON c.id = o.content WHERE c.size IS NOT o.size
		UNION SELECT content FROM artifact_versions o LEFT JOIN artifact_contents c ON c.id = o.content WHERE o.content IS NOT NULL AND c.size IS NOT o.size
		UNION SELECT content FROM artifact_parts o LEFT JOIN artifact_contents c ON c.id = o.content WHERE c.size IS NOT o.size`)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if err := v.found(ctx, id, "the database holds not all of it", ""); err != nil {
			return err
		}
	}
	return nil
}

// found tells of a damaged content, unless it has been deleted since.
func (v *verifier) found(ctx context.Context, id int64, problem, file string) error {
	d := Damage{Problem: problem, File: file}
	err := v.query(ctx, func(rows *sql.Rows) error {
		var o DamagedObject
		var key []byte
		err := rows.Scan(&o.Bucket, &key, &o.Version, &o.Upload, &o.Part)
		o.Key = string(key)
		d.Objects = append(d.Objects, o)
		return err
	}, `WITH hit(id) AS (SELECT ?1 UNION SELECT joined FROM artifact_segments WHERE content = ?1)
		SELECT bucket, key, CASE version WHEN 'null' THEN '' ELSE version END, '', 0 FROM artifact_objects WHERE content IN hit
		UNION ALL SELECT bucket, key, version, '', 0 FROM artifact_versions WHERE content IN hit
		UNION ALL SELECT u.bucket, u.key, '', u.id, p.number FROM artifact_parts p JOIN artifact_uploads u ON u.id = p.upload WHERE p.content IN hit
		ORDER BY 1, 2, 3, 4, 5`, id)
	if err != nil {
		return err
	}
	if len(d.Objects) == 0 { // deleted meanwhile, or never of use
		return nil
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.report.Damaged++
	if v.Found != nil {
		v.Found(d)
	}
	return nil
}

// orphans counts the files that no row names.
func (v *verifier) orphans(ctx context.Context) error {
	for _, part := range []string{tempDir, blobDir} {
		err := filepath.WalkDir(filepath.Join(v.Dir, part), func(path string, d fs.DirEntry, err error) error {
			switch {
			case errors.Is(err, fs.ErrNotExist): // removed meanwhile, or never made
				return nil
			case err != nil:
				return err
			case ctx.Err() != nil:
				return ctx.Err()
			case d.IsDir():
				return nil
			}
			if part == blobDir {
				var one int
				err := v.DB.QueryRowContext(ctx, "SELECT 1 FROM artifact_contents WHERE file = ?", d.Name()).Scan(&one)
				if !errors.Is(err, sql.ErrNoRows) {
					return err
				}
			}
			if info, err := d.Info(); err == nil && time.Since(info.ModTime()) > verifyAge {
				v.report.Orphans++
				v.report.OrphanBytes += info.Size()
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
