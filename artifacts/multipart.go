package artifacts

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"time"
)

// maxPartNumber is S3's limit.
const maxPartNumber = 10000

// UploadOptions are set when a multipart upload begins.
type UploadOptions struct {
	Headers, Metadata map[string]string
	Tags              []Tag
	StorageClass      string
	// Checksum is the algorithm of the parts' and the object's checksum; with "", a part may have any, and the object gets the crc64nvme of
	// all of it. FullObject asks for that of the whole object (CRCs only; crc64nvme always is) instead of that of the parts' checksums.
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
		_, err := tx.ExecContext(ctx, `INSERT INTO artifact_uploads (id, bucket, key, started, sum_type, sum_full, headers, metadata, tags, class)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, id, bucket, []byte(key), s.now(), o.Checksum, o.FullObject,
			encodeMap(o.Headers), encodeMap(o.Metadata), encodeTags(o.Tags), o.StorageClass)
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
	var headers, metadata, tags string
	err := q.QueryRowContext(ctx, `SELECT started, sum_type, sum_full, headers, metadata, tags, class FROM artifact_uploads
		WHERE id = ? AND bucket = ? AND key = ?`, id, bucket, []byte(key)).
		Scan(&started, &u.Checksum, &u.FullObject, &headers, &metadata, &tags, &u.StorageClass)
	if err != nil {
		if err = missing(ctx, q, err, bucket, key); isCode(err, codeNoSuchKey) {
			err = noSuchUpload(id)
		}
		return u, err
	}
	u.Started = fromMillis(started)
	u.Headers, u.Metadata, u.Tags = decodeMap(headers), decodeMap(metadata), decodeTags(tags)
	return u, nil
}

func noSuchUpload(id string) *Error {
	return &Error{codeNoSuchUpload, "The specified upload does not exist: it may have been completed or aborted. Upload id: " + id}
}

// PutPart stores a part, replacing one of the same number. Errors: NoSuchUpload, InvalidArgument, InvalidRequest (a checksum of another
// algorithm than the upload's), and those of a body.
func (s *Store) PutPart(ctx context.Context, bucket, key, id string, number int, body io.Reader, want Expect) (PartInfo, error) {
	u, err := s.checkPart(ctx, bucket, key, id, number)
	if err != nil {
		return PartInfo{}, err
	}
	switch {
	case want.Checksum == "":
		want.Checksum = u.Checksum // so that the object's can be computed
	case u.Checksum != "" && want.Checksum != u.Checksum:
		return PartInfo{}, &Error{codeInvalidRequest, fmt.Sprintf("Checksum Type mismatch occurred, expected checksum Type: %s, actual checksum Type: %s", u.Checksum, want.Checksum)}
	}
	b, err := s.receive(body, want)
	if err != nil {
		return PartInfo{}, err
	}
	p := PartInfo{Number: number, Size: b.size, ETag: hexOf(b.md5), ChecksumType: want.Checksum, Checksum: b.checksum}
	if u.Checksum == "" { // the object's is made of these
		p.ChecksumType, p.Checksum = defaultChecksum, b.standard
	}
	err = s.setPart(ctx, bucket, key, id, &p, func(tx Querier) (err error) {
		p.content, err = insertContent(ctx, tx, b)
		return err
	})
	if err != nil {
		s.discard(b)
		return PartInfo{}, err
	}
	if want.Checksum != "" { // the sender wants its own
		p.ChecksumType, p.Checksum = want.Checksum, b.checksum
	}
	return p, nil
}

func (s *Store) checkPart(ctx context.Context, bucket, key, id string, number int) (UploadInfo, error) {
	if number < 1 || number > maxPartNumber {
		return UploadInfo{}, &Error{codeInvalidArgument, fmt.Sprintf("Part number must be an integer between 1 and %d, inclusive.", maxPartNumber)}
	}
	return s.Upload(ctx, bucket, key, id)
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
