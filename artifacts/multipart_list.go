package artifacts

import (
	"context"
)

// UploadsOptions select a page of a bucket's uploads.
type UploadsOptions struct {
	Prefix, Delimiter string
	// AfterKey and AfterID are where the page before ended: a common prefix, or a key and an id. A key alone stands for all its uploads.
	AfterKey, AfterID string
	// Max is how many uploads and common prefixes the page may hold. 0 is none.
	Max int
}

// UploadsPage is a page of a bucket's uploads.
type UploadsPage struct {
	// Uploads are in the order of key and id, without Headers, Metadata and Tags.
	Uploads  []UploadInfo
	Prefixes []string
	// Truncated tells that there are more; LastKey and LastID are then the AfterKey and AfterID of the next page.
	Truncated       bool
	LastKey, LastID string
}

// ListUploads lists the uploads of a bucket that are under way. Errors: NoSuchBucket.
func (s *Store) ListUploads(ctx context.Context, bucket string, o UploadsOptions) (UploadsPage, error) {
	var page UploadsPage
	if err := s.needBucket(ctx, bucket); err != nil {
		return page, err
	}
	if o.Max <= 0 {
		return page, nil
	}
	query := "SELECT id, key, started, sum_type, sum_full, class FROM artifact_uploads WHERE bucket = ? AND key >= ?"
	args := []any{bucket, []byte(o.Prefix)}
	if end := successor(o.Prefix); end != "" {
		query += " AND key < ?"
		args = append(args, []byte(end))
	}
	switch {
	case o.AfterKey != "" && o.AfterID != "":
		query += " AND (key > ? OR key = ? AND id > ?)"
		args = append(args, []byte(o.AfterKey), []byte(o.AfterKey), o.AfterID)
	case o.AfterKey != "":
		query += " AND key > ?"
		args = append(args, []byte(o.AfterKey))
	}
	rows, err := s.db.Read().QueryContext(ctx, query+" ORDER BY key, id", args...)
	if err != nil {
		return page, err
	}
	defer func() { _ = rows.Close() }()
	rolling := ListOptions{Prefix: o.Prefix, Delimiter: o.Delimiter}
	for rows.Next() {
		u := UploadInfo{Bucket: bucket}
		var key []byte
		var started int64
		if err := rows.Scan(&u.ID, &key, &started, &u.Checksum, &u.FullObject, &u.StorageClass); err != nil {
			return page, err
		}
		u.Key, u.Started = string(key), fromMillis(started)
		prefix, rolled := commonPrefix(u.Key, rolling)
		if rolled && (prefix == page.LastKey || o.AfterID == "" && prefix == o.AfterKey) {
			continue // on this page or the one before
		}
		if len(page.Uploads)+len(page.Prefixes) == o.Max {
			page.Truncated = true
			return page, nil
		}
		if rolled {
			page.Prefixes = append(page.Prefixes, prefix)
			page.LastKey, page.LastID = prefix, ""
		} else {
			page.Uploads = append(page.Uploads, u)
			page.LastKey, page.LastID = u.Key, u.ID
		}
	}
	return page, rows.Err()
}

// Part is a part of an object that was uploaded in parts.
type Part struct {
	Number int
	// Start is the offset within the object; both in bytes.
	Start, Size int64
	// ChecksumType and Checksum are those the part was uploaded with, or empty.
	ChecksumType, Checksum string
}

// PartsOf lists the parts that an object was uploaded in, in their order; none if it was not uploaded in parts, or is gone.
func (s *Store) PartsOf(ctx context.Context, info ObjectInfo) ([]Part, error) {
	if info.Parts() == 0 {
		return nil, nil
	}
	rows, err := s.db.Read().QueryContext(ctx, `SELECT CASE s.number WHEN 0 THEN s.seq + 1 ELSE s.number END, c.size, s.sum_type, s.sum
		FROM artifact_segments s JOIN artifact_contents c ON c.id = s.content WHERE s.joined = ? ORDER BY s.seq`, info.content)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var parts []Part
	var start int64
	for rows.Next() {
		p := Part{Start: start}
		if err := rows.Scan(&p.Number, &p.Size, &p.ChecksumType, &p.Checksum); err != nil {
			return nil, err
		}
		start += p.Size
		parts = append(parts, p)
	}
	return parts, rows.Err()
}
