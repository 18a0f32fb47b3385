package artifacts

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// Greatest sizes that S3 allows, in bytes.
const (
	maxKeySize      = 1024
	maxMetadataSize = 2048
)

// ObjectInfo describes an object.
type ObjectInfo struct {
	Bucket, Key string
	// Size in bytes.
	Size int64
	// ETag without quotes: the MD5 in hex, or md5-of-md5s-N for a multipart object.
	ETag string
	// Modified is in UTC, to the millisecond.
	Modified time.Time
	// ChecksumType is crc32, crc32c, crc64nvme, sha1, sha256, or empty if the uploader sent none; Checksum is its value as S3
	// writes it: base64, with -N when it is of the parts' checksums.
	ChecksumType, Checksum string
	// Headers are those of Content-Type, Content-Encoding, Content-Disposition, Content-Language, Cache-Control and
	// Expires that were stored; Metadata is x-amz-meta-* without that prefix, in lower case. They must not be changed.
	Headers, Metadata map[string]string

	content int64
}

// Conditions make an operation depend on the object that is there. ETags are given with or without quotes; "*" is any object.
type Conditions struct {
	// IfMatch wants one of these ETags (a header value: a comma-separated list).
	IfMatch string
	// IfNoneMatch wants none of these.
	IfNoneMatch string
}

// PutOptions say how to store an object.
type PutOptions struct {
	// Expect is verified; the zero value's Size 0 means an empty body, -1 is an unknown size.
	Expect
	Conditions
	// Headers and Metadata are stored as they are and replace those of an object that was there.
	Headers, Metadata map[string]string
}

// Put stores an object: completely, or not at all. It replaces one that was there. Errors: NoSuchBucket, KeyTooLongError,
// MetadataTooLarge, IncompleteBody, BadDigest, XAmzContentSHA256Mismatch, PreconditionFailed, NoSuchKey (for IfMatch).
func (s *Store) Put(ctx context.Context, bucket, key string, body io.Reader, o PutOptions) (ObjectInfo, error) {
	if err := s.checkTarget(ctx, bucket, key, o.Metadata); err != nil {
		return ObjectInfo{}, err
	}
	b, err := s.receive(body, o.Expect)
	if err != nil {
		return ObjectInfo{}, err
	}
	info := ObjectInfo{
		Bucket: bucket, Key: key, Size: b.size, ETag: hexOf(b.md5),
		ChecksumType: o.Checksum, Checksum: b.checksum, Headers: o.Headers, Metadata: o.Metadata,
	}
	var g garbage
	err = s.write(ctx, func(tx Querier) error {
		old, err := s.target(ctx, tx, bucket, key, o.Conditions)
		if err != nil {
			return err
		}
		if info.content, err = insertContent(ctx, tx, b); err != nil {
			return err
		}
		g, err = s.setObject(ctx, tx, &info, old)
		return err
	})
	if err != nil {
		s.discard(b)
		return ObjectInfo{}, err
	}
	s.collect(g)
	return info, nil
}

// checkTarget refuses what cannot be stored before any byte of it is read.
func (s *Store) checkTarget(ctx context.Context, bucket, key string, metadata map[string]string) error {
	if key == "" {
		return &Error{codeInvalidArgument, "The object key is empty."}
	}
	if len(key) > maxKeySize {
		return &Error{codeKeyTooLong, fmt.Sprintf("The key has %d bytes; %d are allowed.", len(key), maxKeySize)}
	}
	size := 0
	for k, v := range metadata {
		size += len(k) + len(v)
	}
	if size > maxMetadataSize {
		return &Error{codeMetadataTooLarge, fmt.Sprintf("The user metadata has %d bytes; %d are allowed.", size, maxMetadataSize)}
	}
	if ok, err := s.BucketExists(ctx, bucket); err != nil {
		return err
	} else if !ok {
		return noSuchBucket(bucket)
	}
	return nil
}

// target reads, inside the transaction, the content that a key holds now (0 for none), and checks the conditions.
func (s *Store) target(ctx context.Context, tx Querier, bucket, key string, c Conditions) (content int64, err error) {
	var old sql.NullInt64
	var etag sql.NullString
	err = tx.QueryRowContext(ctx, `SELECT o.content, o.etag FROM artifact_buckets b
		LEFT JOIN artifact_objects o ON o.bucket = b.name AND o.key = ? WHERE b.name = ?`, []byte(key), bucket).Scan(&old, &etag)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, noSuchBucket(bucket)
	}
	if err != nil {
		return 0, err
	}
	if c.IfMatch != "" {
		if !old.Valid {
			return 0, noSuchKey(key)
		}
		if !matchETag(c.IfMatch, etag.String) {
			return 0, preconditionFailed("If-Match")
		}
	}
	if c.IfNoneMatch != "" && old.Valid && matchETag(c.IfNoneMatch, etag.String) {
		return 0, preconditionFailed("If-None-Match")
	}
	return old.Int64, nil
}

func preconditionFailed(condition string) *Error {
	return &Error{codePreconditionFailed, "At least one of the pre-conditions you specified did not hold: " + condition}
}

// matchETag tells whether a header's list of ETags holds one.
func matchETag(list, etag string) bool {
	for item := range strings.SplitSeq(list, ",") {
		item = strings.Trim(strings.TrimPrefix(strings.TrimSpace(item), "W/"), `"`)
		if item == "*" || item == etag {
			return true
		}
	}
	return false
}

// setObject points a key at a content and releases the one it held.
func (s *Store) setObject(ctx context.Context, tx Querier, info *ObjectInfo, old int64) (garbage, error) {
	modified := s.now()
	info.Modified = time.UnixMilli(modified).UTC()
	_, err := tx.ExecContext(ctx, `INSERT INTO artifact_objects
		(bucket, key, content, size, etag, modified, sum_type, sum, headers, metadata) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (bucket, key) DO UPDATE SET content = excluded.content, size = excluded.size, etag = excluded.etag,
		modified = excluded.modified, sum_type = excluded.sum_type, sum = excluded.sum,
		headers = excluded.headers, metadata = excluded.metadata`,
		info.Bucket, []byte(info.Key), info.content, info.Size, info.ETag, modified, info.ChecksumType, info.Checksum,
		encodeMap(info.Headers), encodeMap(info.Metadata))
	if err != nil || old == 0 {
		return garbage{}, err
	}
	return release(ctx, tx, old)
}

// Stat describes an object. Errors: NoSuchBucket, NoSuchKey.
func (s *Store) Stat(ctx context.Context, bucket, key string) (ObjectInfo, error) {
	found, err := s.row(ctx, bucket, key)
	return found.info, err
}

func stat(ctx context.Context, q Querier, bucket, key string) (ObjectInfo, error) {
	info := ObjectInfo{Bucket: bucket, Key: key}
	var modified int64
	var headers, metadata string
	err := q.QueryRowContext(ctx, `SELECT content, size, etag, modified, sum_type, sum, headers, metadata
		FROM artifact_objects WHERE bucket = ? AND key = ?`, bucket, []byte(key)).
		Scan(&info.content, &info.Size, &info.ETag, &modified, &info.ChecksumType, &info.Checksum, &headers, &metadata)
	if err != nil {
		return ObjectInfo{}, missing(ctx, q, err, bucket, key)
	}
	info.decode(modified, headers, metadata)
	return info, nil
}

func (info *ObjectInfo) decode(modified int64, headers, metadata string) {
	info.Modified = time.UnixMilli(modified).UTC()
	info.Headers, info.Metadata = decodeMap(headers), decodeMap(metadata)
}

// missing turns "no rows" into the error that says what is missing.
func missing(ctx context.Context, q Querier, err error, bucket, key string) error {
	if !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	if ok, err := bucketExists(ctx, q, bucket); err != nil {
		return err
	} else if !ok {
		return noSuchBucket(bucket)
	}
	return noSuchKey(key)
}

// Delete removes an object; one that is not there is no error. Errors: NoSuchBucket.
func (s *Store) Delete(ctx context.Context, bucket string, keys ...string) error {
	if ok, err := s.BucketExists(ctx, bucket); err != nil {
		return err
	} else if !ok {
		return noSuchBucket(bucket)
	}
	var all []garbage
	err := s.write(ctx, func(tx Querier) error {
		for _, key := range keys {
			var content int64
			err := tx.QueryRowContext(ctx, "DELETE FROM artifact_objects WHERE bucket = ? AND key = ? RETURNING content", bucket, []byte(key)).Scan(&content)
			if errors.Is(err, sql.ErrNoRows) {
				continue
			}
			if err != nil {
				return err
			}
			g, err := release(ctx, tx, content)
			if err != nil {
				return err
			}
			all = append(all, g)
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.collect(all...)
	return nil
}

// DeletePrefix removes all objects whose key begins with a prefix, some hundred at a time. Errors: NoSuchBucket.
func (s *Store) DeletePrefix(ctx context.Context, bucket, prefix string) error {
	for {
		page, err := s.List(ctx, bucket, ListOptions{Prefix: prefix, Max: 500})
		if err != nil || len(page.Objects) == 0 {
			return err
		}
		keys := make([]string, len(page.Objects))
		for i, o := range page.Objects {
			keys[i] = o.Key
		}
		if err := s.Delete(ctx, bucket, keys...); err != nil || !page.Truncated {
			return err
		}
	}
}

// CopyOptions say how a copy differs from its source.
type CopyOptions struct {
	// Source conditions, then those on the target.
	Source, Target Conditions
	// ACL is the canned ACL of the copy; the source's does not go with it.
	ACL string
	// Replace takes Headers and Metadata instead of the source's.
	Replace           bool
	Headers, Metadata map[string]string
}

// Copy makes an object with the content of another. No bytes are copied: the two share them.
// Errors: NoSuchBucket, NoSuchKey, PreconditionFailed.
func (s *Store) Copy(ctx context.Context, fromBucket, fromKey, bucket, key string, o CopyOptions) (ObjectInfo, error) {
	if err := s.checkTarget(ctx, bucket, key, o.Metadata); err != nil {
		return ObjectInfo{}, err
	}
	var info ObjectInfo
	var g garbage
	err := s.write(ctx, func(tx Querier) error {
		var err error
		if info, err = stat(ctx, tx, fromBucket, fromKey); err != nil {
			return err
		}
		if err := o.Source.check(info); err != nil {
			return err
		}
		old, err := s.target(ctx, tx, bucket, key, o.Target)
		if err != nil {
			return err
		}
		info.Bucket, info.Key = bucket, key
		if o.Replace {
			info.Headers, info.Metadata = o.Headers, o.Metadata
		}
		info.Headers = withACL(info.Headers, o.ACL)
		if _, err := tx.ExecContext(ctx, "UPDATE artifact_contents SET refs = refs + 1 WHERE id = ?", info.content); err != nil {
			return err
		}
		g, err = s.setObject(ctx, tx, &info, old)
		return err
	})
	if err != nil {
		return ObjectInfo{}, err
	}
	s.collect(g)
	return info, nil
}

// check applies the conditions to an object that exists.
func (c Conditions) check(info ObjectInfo) error {
	if c.IfMatch != "" && !matchETag(c.IfMatch, info.ETag) {
		return preconditionFailed("If-Match")
	}
	if c.IfNoneMatch != "" && matchETag(c.IfNoneMatch, info.ETag) {
		return preconditionFailed("If-None-Match")
	}
	return nil
}

func encodeMap(m map[string]string) string {
	if len(m) == 0 {
		return ""
	}
	b, _ := json.Marshal(m) // strings always encode
	return string(b)
}

func decodeMap(s string) map[string]string {
	if s == "" {
		return nil
	}
	var m map[string]string
	_ = json.Unmarshal([]byte(s), &m) // written by encodeMap
	return m
}
