package artifacts

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"sync"
)

// ObjectReader reads one object as it was when opened: a later overwrite or delete does not touch it. It must be closed.
type ObjectReader struct {
	ObjectInfo
	source
	release func()
}

// source is what an object's bytes are read from: bytes.Reader, os.File or segments.
type source interface {
	io.Reader
	io.Seeker
}

// Close ends the reading.
func (r *ObjectReader) Close() error {
	var err error
	if c, ok := r.source.(io.Closer); ok {
		err = c.Close()
	}
	r.release()
	return err
}

// WriteTo sends the rest of the object. It hands the file itself to io.Copy, so that the kernel can send it.
func (r *ObjectReader) WriteTo(w io.Writer) (int64, error) { return io.Copy(w, r.source) }

// Seek implements io.Seeker. Whoever begins in the middle reads a part, whose hash nobody knows: the kernel may send it.
func (r *ObjectReader) Seek(offset int64, whence int) (int64, error) {
	pos, err := r.source.Seek(offset, whence)
	if c, ok := r.source.(*checked); ok && err == nil && pos > 0 && pos < r.Size {
		r.source = c.File
	}
	return pos, err
}

// errStale says that a row was replaced, and its files removed, between being read and being opened.
var errStale = errors.New("stale row")

// Open opens an object. Errors: NoSuchBucket, NoSuchKey.
func (s *Store) Open(ctx context.Context, bucket, key string) (*ObjectReader, error) {
	return s.OpenVersion(ctx, bucket, key, "")
}

// OpenVersion opens one version of an object: an id, "null", or "" for the current one. Errors: those of [Store.StatVersion].
func (s *Store) OpenVersion(ctx context.Context, bucket, key, version string) (*ObjectReader, error) {
	for try := 0; ; try++ {
		r, err := s.open(ctx, bucket, key, version)
		if !errors.Is(err, errStale) {
			return r, err
		}
		if try == 100 {
			return nil, fmt.Errorf("artifacts: the bytes of %s/%s are missing: %w", bucket, key, err)
		}
	}
}

func (s *Store) open(ctx context.Context, bucket, key, version string) (*ObjectReader, error) {
	read := s.row
	if version != "" {
		read = func(ctx context.Context, bucket, key string) (row, error) {
			return s.versionRow(ctx, bucket, key, version)
		}
	}
	found, err := read(ctx, bucket, key)
	if err != nil {
		return nil, err
	}
	r := &ObjectReader{ObjectInfo: found.info}
	if r.source, r.release, err = s.openContent(ctx, r.content, found); err != nil {
		return nil, err
	}
	return r, nil
}

// row reads the row of an object's current version, or remembers it.
func (s *Store) row(ctx context.Context, bucket, key string) (row, error) {
	generation, name := s.Generation(), objectName{bucket, key}
	if found, ok := s.rows.get(generation, name); ok {
		return found, nil
	}
	q := s.db.Read()
	found := row{info: ObjectInfo{Bucket: bucket, Key: key}}
	var stored storedObject
	err := q.QueryRowContext(ctx, `SELECT content, o.size, etag, modified, sum_type, sum, headers, metadata, version, tags, class, c.file, c.data, c.sha256
		FROM artifact_objects o JOIN artifact_contents c ON c.id = o.content WHERE o.bucket = ? AND o.key = ?`, bucket, []byte(key)).
		Scan(append(stored.columns(&found.info), &found.file, &found.data, &found.sum)...)
	if err != nil {
		err = missing(ctx, q, err, bucket, key)
		if settings, serr := s.settingsOf(ctx, bucket); serr == nil && settings.versioning == VersioningOff {
			return row{}, err
		}
		return row{}, newestMarker(ctx, q, err, bucket, key)
	}
	stored.decode(&found.info)
	if err := s.checkInline(found.data, found.sum); err != nil {
		return row{}, err
	}
	s.rows.put(generation, name, found)
	return found, nil
}

// versionRow reads the row of a version. A content that is gone when it is looked for makes it errStale.
func (s *Store) versionRow(ctx context.Context, bucket, key, version string) (row, error) {
	info, err := s.StatVersion(ctx, bucket, key, version)
	if err != nil {
		return row{}, err
	}
	found := row{info: info}
	err = s.db.Read().QueryRowContext(ctx, "SELECT file, data, sha256 FROM artifact_contents WHERE id = ?", info.content).Scan(&found.file, &found.data, &found.sum)
	if errors.Is(err, sql.ErrNoRows) {
		err = errStale
	}
	if err == nil {
		err = s.checkInline(found.data, found.sum)
	}
	return found, err
}

// openContent opens the bytes of a content, holding its files in place until release is called.
func (s *Store) openContent(ctx context.Context, id int64, found row) (_ source, release func(), _ error) {
	if found.data != nil || found.info.Size == 0 {
		return bytes.NewReader(found.data), func() {}, nil
	}
	if !s.pins.hold(id) {
		return nil, nil, errStale
	}
	release = sync.OnceFunc(func() {
		for _, f := range s.pins.drop(id) {
			s.unlink(f)
		}
	})
	src, err := s.openHeld(ctx, id, found)
	if err != nil {
		release()
		return nil, nil, err
	}
	return src, release, nil
}

func (s *Store) openHeld(ctx context.Context, id int64, found row) (source, error) {
	if found.file.Valid {
		return s.openBlob(found.file.String, found.info.Size, found.sum)
	}
	rows, err := s.db.Read().QueryContext(ctx, `SELECT c.size, c.file, c.data, c.sha256 FROM artifact_segments s
		JOIN artifact_contents c ON c.id = s.content WHERE s.joined = ? ORDER BY s.seq`, id)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	joined := &segments{store: s}
	var total int64
	for rows.Next() {
		var g segment
		var file sql.NullString
		if err := rows.Scan(&g.size, &file, &g.data, &g.sum); err != nil {
			return nil, err
		}
		if err := s.checkInline(g.data, g.sum); err != nil {
			return nil, err
		}
		g.start, g.file = total, file.String
		total += g.size
		if g.size > 0 {
			joined.list = append(joined.list, g)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	if total != found.info.Size { // the rows went away in between
		return nil, errStale
	}
	joined.size = total
	return joined, joined.seekTo(0)
}

// segments reads joined contents as one, with one file open at a time.
type segments struct {
	store *Store
	list  []segment
	size  int64

	pos     int64
	at      int // index of the open segment; len(list) at the end
	current source
}

type segment struct {
	start, size int64
	file        string
	data, sum   []byte
}

func (s *segments) Read(p []byte) (int, error) {
	for {
		if s.pos >= s.size || s.at >= len(s.list) {
			return 0, io.EOF
		}
		if s.current == nil {
			if err := s.seekTo(s.pos); err != nil {
				return 0, err
			}
		}
		n, err := s.current.Read(p)
		s.pos += int64(n)
		if n > 0 || (err != nil && !errors.Is(err, io.EOF)) {
			return n, notEOF(err)
		}
		if errors.Is(err, io.EOF) {
			if s.pos < s.list[s.at].start+s.list[s.at].size {
				return 0, io.ErrUnexpectedEOF // the file is shorter than its row says
			}
			s.closeCurrent()
			s.at++
		}
	}
}

func notEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

func (s *segments) Seek(offset int64, whence int) (int64, error) {
	pos, err := seekPosition(s.pos, s.size, offset, whence)
	if err != nil {
		return 0, err
	}
	s.closeCurrent()
	s.pos, s.at = pos, 0
	return pos, nil
}

// seekPosition is where a Seek leads in what has size bytes and stands at pos.
func seekPosition(pos, size, offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += pos
	case io.SeekEnd:
		offset += size
	}
	if offset < 0 {
		return 0, errors.New("seek before the start")
	}
	return offset, nil
}

// WriteTo sends the rest segment by segment, each by io.Copy from its file.
func (s *segments) WriteTo(w io.Writer) (total int64, err error) {
	for s.pos < s.size {
		if err := s.seekTo(s.pos); err != nil {
			return total, err
		}
		n, err := io.Copy(w, s.current)
		s.pos += n
		total += n
		if err != nil {
			return total, err
		}
		if n == 0 || s.pos < s.list[s.at].start+s.list[s.at].size {
			return total, io.ErrUnexpectedEOF
		}
	}
	return total, nil
}

// seekTo opens the segment that holds a position.
func (s *segments) seekTo(pos int64) error {
	s.closeCurrent()
	s.pos = pos
	for s.at = 0; s.at < len(s.list); s.at++ {
		g := s.list[s.at]
		if pos >= g.start+g.size {
			continue
		}
		if g.data != nil {
			s.current = bytes.NewReader(g.data)
		} else {
			f, err := s.store.openBlob(g.file, g.size, g.sum)
			if err != nil {
				return err
			}
			s.current = f
		}
		_, err := s.current.Seek(pos-g.start, io.SeekStart)
		if c, ok := s.current.(*checked); ok && pos > g.start {
			s.current = c.File
		}
		return err
	}
	return nil
}

func (s *segments) closeCurrent() {
	if c, ok := s.current.(io.Closer); ok {
		_ = c.Close()
	}
	s.current = nil
}

func (s *segments) Close() error {
	s.closeCurrent()
	return nil
}
