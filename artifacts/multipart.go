package artifacts

import (
	"context"
	"crypto/md5"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// maxPartNumber is S3's limit.
const maxPartNumber = 10000

// UploadOptions are set when a multipart upload begins.
type UploadOptions struct {
	Headers, Metadata map[string]string
	// Checksum is the algorithm of the parts' and the object's checksum, or "". FullObject asks for that of the whole object
	// (CRCs only; crc64nvme always is) instead of that of the parts' checksums.
	Checksum   string
	FullObject bool
}

// PartInfo describes an uploaded part.
type PartInfo struct {
	Number                 int
	Size                   int64
	ETag                   string // without quotes
	Modified               time.Time
	ChecksumType, Checksum string

	content int64
}

// UploadInfo describes a multipart upload under way.
type UploadInfo struct {
	ID, Bucket, Key string
	Started         time.Time
	UploadOptions
}

// CreateUpload begins a multipart upload and returns its id. Errors: those of Put that need no body.
func (s *Store) CreateUpload(ctx context.Context, bucket, key string, o UploadOptions) (id string, err error) {
	if err := s.checkTarget(ctx, bucket, key, o.Metadata); err != nil {
		return "", err
	}
	if o.Checksum == "crc64nvme" {
		o.FullObject = true
	}
	id = s.newID()
	err = s.db.Write(ctx, func(tx Querier) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO artifact_uploads (id, bucket, key, started, sum_type, sum_full, headers, metadata)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
			id, bucket, []byte(key), s.now(), o.Checksum, o.FullObject, encodeMap(o.Headers), encodeMap(o.Metadata))
		return err
	})
	return id, err
}

// Upload describes an upload under way. Errors: NoSuchBucket, NoSuchUpload (also when it is of another key).
func (s *Store) Upload(ctx context.Context, bucket, key, id string) (UploadInfo, error) {
	return upload(ctx, s.db.Read(), bucket, key, id)
}

func upload(ctx context.Context, q Querier, bucket, key, id string) (UploadInfo, error) {
	u := UploadInfo{ID: id, Bucket: bucket, Key: key}
	var started int64
	var headers, metadata string
	err := q.QueryRowContext(ctx, `SELECT started, sum_type, sum_full, headers, metadata FROM artifact_uploads
		WHERE id = ? AND bucket = ? AND key = ?`, id, bucket, []byte(key)).Scan(&started, &u.Checksum, &u.FullObject, &headers, &metadata)
	if err != nil {
		if err = missing(ctx, q, err, bucket, key); isCode(err, codeNoSuchKey) {
			err = noSuchUpload(id)
		}
		return u, err
	}
	u.Started = time.UnixMilli(started).UTC()
	u.Headers, u.Metadata = decodeMap(headers), decodeMap(metadata)
	return u, nil
}

func noSuchUpload(id string) *Error {
	return &Error{codeNoSuchUpload, "The specified upload does not exist: it may have been completed or aborted. Upload id: " + id}
}

// PutPart stores a part, replacing one of the same number. Errors: NoSuchUpload, InvalidArgument, and those of a body.
func (s *Store) PutPart(ctx context.Context, bucket, key, id string, number int, body io.Reader, want Expect) (PartInfo, error) {
	if err := s.checkPart(ctx, bucket, key, id, number); err != nil {
		return PartInfo{}, err
	}
	b, err := s.receive(body, want)
	if err != nil {
		return PartInfo{}, err
	}
	p := PartInfo{Number: number, Size: b.size, ETag: hexOf(b.md5), ChecksumType: want.Checksum, Checksum: b.checksum}
	err = s.setPart(ctx, bucket, key, id, &p, func(tx Querier) (err error) {
		p.content, err = insertContent(ctx, tx, b)
		return err
	})
	if err != nil {
		s.discard(b)
		return PartInfo{}, err
	}
	return p, nil
}

func (s *Store) checkPart(ctx context.Context, bucket, key, id string, number int) error {
	if number < 1 || number > maxPartNumber {
		return &Error{codeInvalidArgument, fmt.Sprintf("Part number must be an integer between 1 and %d, inclusive.", maxPartNumber)}
	}
	_, err := s.Upload(ctx, bucket, key, id)
	return err
}

// setPart commits a part whose content is made by the given function in the same transaction.
func (s *Store) setPart(ctx context.Context, bucket, key, id string, p *PartInfo, content func(tx Querier) error) error {
	var g garbage
	err := s.db.Write(ctx, func(tx Querier) error {
		if _, err := upload(ctx, tx, bucket, key, id); err != nil {
			return err
		}
		if err := content(tx); err != nil {
			return err
		}
		var old sql.NullInt64
		err := tx.QueryRowContext(ctx, "SELECT content FROM artifact_parts WHERE upload = ? AND number = ?", id, p.Number).Scan(&old)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		modified := s.now()
		p.Modified = time.UnixMilli(modified).UTC()
		_, err = tx.ExecContext(ctx, `INSERT OR REPLACE INTO artifact_parts (upload, number, content, size, etag, modified, sum_type, sum)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?)`, id, p.Number, p.content, p.Size, p.ETag, modified, p.ChecksumType, p.Checksum)
		if err != nil || !old.Valid {
			return err
		}
		g, err = release(ctx, tx, old.Int64)
		return err
	})
	if err == nil {
		s.collect(g)
	}
	return err
}

// ListParts lists the parts of an upload with numbers above after, at most max of them.
func (s *Store) ListParts(ctx context.Context, bucket, key, id string, after, max int) (parts []PartInfo, truncated bool, err error) {
	if _, err := s.Upload(ctx, bucket, key, id); err != nil {
		return nil, false, err
	}
	parts, err = listParts(ctx, s.db.Read(), id, after, max+1)
	if len(parts) > max {
		parts, truncated = parts[:max], true
	}
	return parts, truncated, err
}

func listParts(ctx context.Context, q Querier, id string, after, max int) ([]PartInfo, error) {
	rows, err := q.QueryContext(ctx, `SELECT number, content, size, etag, modified, sum_type, sum FROM artifact_parts
		WHERE upload = ? AND number > ? ORDER BY number LIMIT ?`, id, after, max)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var parts []PartInfo
	for rows.Next() {
		var p PartInfo
		var modified int64
		if err := rows.Scan(&p.Number, &p.content, &p.Size, &p.ETag, &modified, &p.ChecksumType, &p.Checksum); err != nil {
			return nil, err
		}
		p.Modified = time.UnixMilli(modified).UTC()
		parts = append(parts, p)
	}
	return parts, rows.Err()
}

// ListUploads lists the uploads of a bucket by key and id, behind a key (and an id, for the same key). Errors: NoSuchBucket.
func (s *Store) ListUploads(ctx context.Context, bucket, prefix, afterKey, afterID string, max int) (uploads []UploadInfo, truncated bool, err error) {
	if ok, err := s.BucketExists(ctx, bucket); err != nil {
		return nil, false, err
	} else if !ok {
		return nil, false, noSuchBucket(bucket)
	}
	query := "SELECT id, key, started FROM artifact_uploads WHERE bucket = ? AND key >= ?"
	args := []any{bucket, []byte(prefix)}
	if end := successor(prefix); end != "" {
		query += " AND key < ?"
		args = append(args, []byte(end))
	}
	switch {
	case afterKey != "" && afterID != "":
		query += " AND (key > ? OR key = ? AND id > ?)"
		args = append(args, []byte(afterKey), []byte(afterKey), afterID)
	case afterKey != "":
		query += " AND key > ?"
		args = append(args, []byte(afterKey))
	}
	rows, err := s.db.Read().QueryContext(ctx, query+" ORDER BY key, id LIMIT ?", append(args, max+1)...)
	if err != nil {
		return nil, false, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		u := UploadInfo{Bucket: bucket}
		var key []byte
		var started int64
		if err := rows.Scan(&u.ID, &key, &started); err != nil {
			return nil, false, err
		}
		u.Key, u.Started = string(key), time.UnixMilli(started).UTC()
		uploads = append(uploads, u)
	}
	if len(uploads) > max {
		uploads, truncated = uploads[:max], true
	}
	return uploads, truncated, rows.Err()
}

// AbortUpload forgets an upload and its parts. Errors: NoSuchUpload.
func (s *Store) AbortUpload(ctx context.Context, bucket, key, id string) error {
	var g []garbage
	err := s.db.Write(ctx, func(tx Querier) error {
		if _, err := upload(ctx, tx, bucket, key, id); err != nil {
			return err
		}
		var err error
		g, err = dropUpload(ctx, tx, id)
		return err
	})
	if err == nil {
		s.collect(g...)
	}
	return err
}

// dropUpload deletes an upload's rows and releases its parts.
func dropUpload(ctx context.Context, tx Querier, id string) ([]garbage, error) {
	parts, err := listParts(ctx, tx, id, 0, maxPartNumber)
	if err != nil {
		return nil, err
	}
	if _, err := tx.ExecContext(ctx, "DELETE FROM artifact_parts WHERE upload = ?", id); err != nil {
		return nil, err
	}
	if _, err := tx.ExecContext(ctx, "DELETE FROM artifact_uploads WHERE id = ?", id); err != nil {
		return nil, err
	}
	var all []garbage
	for _, p := range parts {
		g, err := release(ctx, tx, p.content)
		if err != nil {
			return nil, err
		}
		all = append(all, g)
	}
	return all, nil
}

// CompleteOptions say what a finished upload must be.
type CompleteOptions struct {
	Conditions
	// Checksum is the expected checksum of the object in base64 (with or without -N when of the parts' checksums), or "".
	Checksum string
	// ChecksumType is FULL_OBJECT or COMPOSITE and overrules what the upload began with, or "".
	ChecksumType string
}

// CompleteUpload makes an object of the given parts, in their order; no bytes are copied. A part's ETag is given with or
// without quotes. Parts not named are dropped. Errors: NoSuchUpload, InvalidPart, InvalidPartOrder, EntityTooSmall,
// MalformedXML (no parts), BadDigest, PreconditionFailed.
func (s *Store) CompleteUpload(ctx context.Context, bucket, key, id string, named []PartInfo, o CompleteOptions) (ObjectInfo, error) {
	if len(named) == 0 {
		return ObjectInfo{}, &Error{codeMalformedXML, "The request names no parts: upload at least one and name it."}
	}
	var info ObjectInfo
	var all []garbage
	err := s.write(ctx, func(tx Querier) error {
		all = nil
		u, err := upload(ctx, tx, bucket, key, id)
		if err != nil {
			return err
		}
		have, err := listParts(ctx, tx, id, 0, maxPartNumber)
		if err != nil {
			return err
		}
		parts, err := s.chooseParts(have, named)
		if err != nil {
			return err
		}
		old, err := s.target(ctx, tx, bucket, key, o.Conditions)
		if err != nil {
			return err
		}
		info = ObjectInfo{Bucket: bucket, Key: key, Headers: u.Headers, Metadata: u.Metadata, ETag: joinETags(parts)}
		for _, p := range parts {
			info.Size += p.Size
		}
		if o.ChecksumType != "" {
			u.FullObject = o.ChecksumType == "FULL_OBJECT"
		}
		info.ChecksumType = u.Checksum
		if info.Checksum = joinChecksums(u.Checksum, u.FullObject, parts); info.Checksum == "" {
			info.ChecksumType = ""
		} else if o.Checksum != "" && bareChecksum(o.Checksum) != bareChecksum(info.Checksum) {
			return &Error{codeBadDigest, "The " + u.Checksum + " you specified did not match that of the parts."}
		}
		res, err := tx.ExecContext(ctx, "INSERT INTO artifact_contents (refs, size) VALUES (1, ?)", info.Size)
		if err != nil {
			return err
		}
		if info.content, err = res.LastInsertId(); err != nil {
			return err
		}
		for i, p := range parts {
			// The segment takes over a reference of its own; the part's goes with the upload.
			if _, err := tx.ExecContext(ctx, "UPDATE artifact_contents SET refs = refs + 1 WHERE id = ?", p.content); err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, "INSERT INTO artifact_segments (joined, seq, content) VALUES (?, ?, ?)", info.content, i, p.content); err != nil {
				return err
			}
		}
		if all, err = dropUpload(ctx, tx, id); err != nil {
			return err
		}
		g, err := s.setObject(ctx, tx, &info, old)
		all = append(all, g)
		return err
	})
	if err != nil {
		return ObjectInfo{}, err
	}
	s.collect(all...)
	return info, nil
}

// chooseParts finds the named parts among those that were uploaded.
func (s *Store) chooseParts(have, named []PartInfo) ([]PartInfo, error) {
	byNumber := make(map[int]PartInfo, len(have))
	for _, p := range have {
		byNumber[p.Number] = p
	}
	if !slices.IsSortedFunc(named, func(a, b PartInfo) int { return a.Number - b.Number }) {
		return nil, &Error{codeInvalidPartOrder, "The list of parts was not in ascending order of part numbers."}
	}
	parts := make([]PartInfo, len(named))
	for i, n := range named {
		p, ok := byNumber[n.Number]
		delete(byNumber, n.Number) // a part cannot be named twice
		if !ok || strings.Trim(n.ETag, `"`) != p.ETag || (n.Checksum != "" && p.Checksum != "" && n.Checksum != p.Checksum) {
			return nil, &Error{codeInvalidPart, fmt.Sprintf("Part %d was not uploaded, or its ETag or checksum is another.", n.Number)}
		}
		if i < len(named)-1 && p.Size < s.minPart {
			return nil, &Error{codeEntityTooSmall, fmt.Sprintf("Part %d has %d bytes; every part but the last needs at least %d.", p.Number, p.Size, s.minPart)}
		}
		parts[i] = p
	}
	return parts, nil
}

func joinETags(parts []PartInfo) string {
	h := md5.New()
	for _, p := range parts {
		b, _ := hex.DecodeString(p.ETag) // written by PutPart
		h.Write(b)
	}
	return fmt.Sprintf("%s-%d", hexOf(h.Sum(nil)), len(parts))
}

// joinChecksums computes the object's checksum from the parts', or "" if it cannot.
func joinChecksums(algorithm string, full bool, parts []PartInfo) string {
	h := newChecksum(algorithm)
	if h == nil {
		return ""
	}
	var sum []byte
	for i, p := range parts {
		b, err := base64.StdEncoding.DecodeString(p.Checksum)
		if err != nil || p.ChecksumType != algorithm || len(b) != h.Size() {
			return ""
		}
		switch {
		case !full:
			h.Write(b)
		case i == 0:
			sum = b
		default:
			if sum = combineChecksums(algorithm, sum, b, p.Size); sum == nil {
				return ""
			}
		}
	}
	if full {
		return base64.StdEncoding.EncodeToString(sum)
	}
	return fmt.Sprintf("%s-%d", base64.StdEncoding.EncodeToString(h.Sum(nil)), len(parts))
}

// bareChecksum is a checksum without the number of parts; base64 as S3 uses it has no hyphens.
func bareChecksum(s string) string {
	s, _, _ = strings.Cut(s, "-")
	return s
}
