package artifacts

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"sync"
)

// inlineSize is the greatest size of a content that is kept in its row: for a few KiB, a file costs more than
// the row does (create, rename, and two fsyncs when asked to survive a power cut).
const inlineSize = 4 << 10

// Expect is what a body must turn out to be.
type Expect struct {
	// Size in bytes, or -1 if unknown.
	Size int64
	// MD5 and SHA256 are raw digests; nil for unknown.
	MD5, SHA256 []byte
	// Checksum is the algorithm (crc32, crc32c, crc64nvme, sha1, sha256) to compute and keep, or "".
	Checksum string
	// ChecksumValue gives the expected checksum in base64, or "". It is asked after the body's end, since it may come in a trailer.
	ChecksumValue func() string
}

// blob is a body that has been received and verified, but that no row names yet.
type blob struct {
	size     int64
	md5      []byte
	sha256   []byte
	checksum string // base64, or ""
	// standard is the checksum of [defaultChecksum], base64.
	standard string
	file     string // name below the blob directory, or "" when inline
	data     []byte
}

// buffers are for copying bodies.
var buffers = sync.Pool{New: func() any { b := make([]byte, 256<<10); return &b }}

// receive reads a body to its end into a row-sized buffer or a file, verifying it. Its file is in its final place, and
// on disk if the store syncs; the caller commits it or calls discard.
func (s *Store) receive(body io.Reader, want Expect) (_ *blob, err error) {
	b := &blob{}
	md, sh := md5.New(), sha256.New()
	beside := []hash.Hash{md}
	standard := newChecksum(defaultChecksum)
	beside = append(beside, standard)
	var sum hash.Hash
	switch want.Checksum {
	case "sha256":
		sum = sh
	case defaultChecksum:
		sum = standard
	default:
		if sum = newChecksum(want.Checksum); sum != nil {
			beside = append(beside, sum)
		}
	}

	var file *os.File
	defer func() {
		if err != nil && file != nil {
			_ = file.Close()
			_ = os.Remove(file.Name())
		}
	}()
	// MD5 takes longer than all the rest together: it runs beside the writing of its buffer and the filling of the other.
	buf, other := buffers.Get().(*[]byte), (*[]byte)(nil)
	var hashing sync.WaitGroup
	defer func() {
		hashing.Wait()
		buffers.Put(buf)
		if other != nil {
			buffers.Put(other)
		}
	}()
	filled := 0
	flush := func() error {
		hashing.Wait()
		chunk := (*buf)[:filled]
		hashing.Go(func() {
			for _, h := range beside {
				h.Write(chunk)
			}
		})
		sh.Write(chunk)
		_, err := file.Write(chunk)
		filled = 0
		return err
	}
	for {
		n, rerr := body.Read((*buf)[filled:])
		filled += n
		b.size += int64(n)
		if rerr == io.EOF {
			break
		}
		if rerr != nil {
			return nil, bodyError(rerr)
		}
		if want.Size >= 0 && b.size > want.Size {
			break // the size check below says so
		}
		if filled == len(*buf) {
			if file == nil {
				if file, err = s.createTemp(); err != nil {
					return nil, err
				}
			}
			if err := flush(); err != nil {
				return nil, diskError(err)
			}
			if other == nil {
				other = buffers.Get().(*[]byte)
			}
			buf, other = other, buf
		}
	}
	if want.Size >= 0 && b.size != want.Size {
		return nil, &Error{codeIncompleteBody, fmt.Sprintf("The body has %d bytes where %d were announced.", b.size, want.Size)}
	}
	if b.size <= inlineSize {
		for _, h := range append(beside, sh) {
			h.Write((*buf)[:filled])
		}
		b.data = bytes.Clone((*buf)[:filled])
		if b.data == nil {
			b.data = []byte{}
		}
	} else {
		if file == nil {
			if file, err = s.createTemp(); err != nil {
				return nil, err
			}
		}
		if err := flush(); err != nil {
			return nil, diskError(err)
		}
	}
	hashing.Wait()
	b.md5, b.sha256 = md.Sum(nil), sh.Sum(nil)
	b.standard = base64.StdEncoding.EncodeToString(standard.Sum(nil))
	if err := b.verify(want, sum); err != nil {
		return nil, err
	}
	if file != nil {
		b.file, err = s.keep(file)
	}
	return b, err
}

func (b *blob) verify(want Expect, sum hash.Hash) error {
	if want.MD5 != nil && !bytes.Equal(want.MD5, b.md5) {
		return &Error{codeBadDigest, "The Content-MD5 you specified did not match what was received."}
	}
	if want.SHA256 != nil && !bytes.Equal(want.SHA256, b.sha256) {
		return &Error{codeSHA256Mismatch, "The provided x-amz-content-sha256 header does not match what was computed."}
	}
	if sum == nil {
		return nil
	}
	b.checksum = base64.StdEncoding.EncodeToString(sum.Sum(nil))
	if want.ChecksumValue == nil {
		return nil
	}
	switch v := want.ChecksumValue(); {
	case v == "", v == b.checksum:
		return nil
	case !validChecksum(want.Checksum, v):
		return &Error{codeInvalidRequest, "Value for x-amz-checksum-" + want.Checksum + " header is invalid."}
	default:
		return &Error{codeBadDigest, "The " + want.Checksum + " you specified did not match what was received."}
	}
}

func (s *Store) createTemp() (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(s.dir, tempDir, s.epoch+"-"+randomHex(16)), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	return f, diskError(err)
}

// keep closes a finished temporary file and moves it among the blobs.
func (s *Store) keep(file *os.File) (name string, err error) {
	if s.sync {
		if err := file.Sync(); err != nil {
			return "", diskError(err)
		}
	}
	info, err := file.Stat()
	if err == nil {
		err = file.Close()
	}
	if err != nil {
		return "", diskError(err)
	}
	name = filepath.Base(file.Name())
	target := s.blobPath(name)
	err = os.Rename(file.Name(), target)
	if errors.Is(err, os.ErrNotExist) { // the first of its folder
		if err = os.MkdirAll(filepath.Dir(target), 0o700); err == nil {
			err = os.Rename(file.Name(), target)
		}
		if err == nil && s.sync {
			err = syncDir(filepath.Join(s.dir, blobDir))
		}
	}
	if err == nil && s.sync {
		err = syncDir(filepath.Dir(target))
	}
	if err == nil {
		s.checks.put(name, info.ModTime(), false)
	}
	return name, diskError(err)
}

// blobPath spreads the files over 256 folders by their last two digits, which are random.
func (s *Store) blobPath(name string) string {
	return filepath.Join(s.dir, blobDir, name[len(name)-2:], name)
}

// discard removes a blob that came to nothing.
func (s *Store) discard(b *blob) {
	if b.file != "" {
		s.unlink(b.file)
	}
}

// unlink removes a blob file. A failure is no harm: the next start's sweep tries again.
func (s *Store) unlink(name string) {
	s.checks.forget(name)
	if err := os.Remove(s.blobPath(name)); err != nil && !errors.Is(err, os.ErrNotExist) {
		s.log.Warn("artifacts: cannot remove a blob file; the next start will", "file", name, "error", err)
	}
}

// insertContent makes the content row of a blob, with one reference.
func insertContent(ctx context.Context, tx Querier, b *blob) (id int64, err error) {
	var file any
	if b.file != "" {
		file = b.file
	}
	res, err := tx.ExecContext(ctx, "INSERT INTO artifact_contents (refs, size, sha256, file, data) VALUES (1, ?, ?, ?, ?)",
		b.size, b.sha256, file, b.data)
	if err != nil {
		return 0, err
	}
	return res.LastInsertId()
}

// garbage is a content whose row is gone, with its files, to be removed after the commit.
type garbage struct {
	content int64
	files   []string
}

// release takes one reference from a content, and deletes it if that was the last. It returns the files to remove
// after the commit.
func release(ctx context.Context, tx Querier, id int64) (g garbage, err error) {
	g.content = id
	// Mostly it was the last reference, to a content that is not joined of others: one statement does.
	var file sql.NullString
	err = tx.QueryRowContext(ctx, "DELETE FROM artifact_contents WHERE id = ? AND refs = 1 AND (file IS NOT NULL OR data IS NOT NULL) RETURNING file", id).Scan(&file)
	if err == nil && file.Valid {
		g.files = []string{file.String}
	}
	if !errors.Is(err, sql.ErrNoRows) {
		return g, err
	}
	var refs int64
	if err := tx.QueryRowContext(ctx, "SELECT refs FROM artifact_contents WHERE id = ?", id).Scan(&refs); err != nil {
		return g, fmt.Errorf("release content %d: %w", id, err)
	}
	if refs > 1 {
		_, err = tx.ExecContext(ctx, "UPDATE artifact_contents SET refs = refs - 1 WHERE id = ?", id)
		return g, err
	}
	joined, err := segmentIDs(ctx, tx, id)
	if err != nil {
		return g, err
	}
	if _, err := tx.ExecContext(ctx, "DELETE FROM artifact_segments WHERE joined = ?", id); err != nil {
		return g, err
	}
	for _, segment := range joined {
		sub, err := release(ctx, tx, segment)
		if err != nil {
			return g, err
		}
		g.files = append(g.files, sub.files...)
	}
	_, err = tx.ExecContext(ctx, "DELETE FROM artifact_contents WHERE id = ?", id)
	return g, err
}

func segmentIDs(ctx context.Context, q Querier, joined int64) ([]int64, error) {
	rows, err := q.QueryContext(ctx, "SELECT content FROM artifact_segments WHERE joined = ? ORDER BY seq", joined)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var ids []int64
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}

// collect removes the files of deleted contents, or leaves that to the last reader of each.
func (s *Store) collect(all ...garbage) {
	for _, g := range all {
		if len(g.files) > 0 && !s.pins.leave(g) {
			for _, file := range g.files {
				s.unlink(file)
			}
			s.pins.removed(g.content)
		}
	}
}

// bodyError tells a body that broke off from one that the sender's own fault ended.
func bodyError(err error) error {
	var e *Error
	switch {
	case errors.As(err, &e):
		return e
	case errors.Is(err, io.ErrUnexpectedEOF):
		return &Error{codeIncompleteBody, "The body ended before the announced number of bytes."}
	}
	return fmt.Errorf("read body: %w", err)
}

func hexOf(b []byte) string { return hex.EncodeToString(b) }
