package artifacts

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
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
	// ChecksumType is crc32, crc32c, crc64nvme, sha1 or sha256: the uploader's, or crc64nvme if that named none; empty for objects of older
	// releases. Checksum is its value as S3 writes it: base64, with -N when it is of the parts' checksums.
	ChecksumType, Checksum string
	// Headers are those of Content-Type, Content-Encoding, Content-Disposition, Content-Language, Cache-Control and
	// Expires that were stored; Metadata is x-amz-meta-* without that prefix, in lower case. They must not be changed.
	Headers, Metadata map[string]string
	// Tags are those of this version. They must not be changed.
	Tags []Tag
	// StorageClass is the one that the uploader named; empty for STANDARD. All are stored alike.
	StorageClass string
	// Version is the id of this version: "null" for one that was stored while the bucket was not versioned.
	Version string

	content int64
}

// Parts is how many parts the object was uploaded in; 0 if not as a multipart upload.
func (info ObjectInfo) Parts() int {
	_, count, _ := strings.Cut(info.ETag, "-")
	n, _ := strconv.Atoi(count)
	return n
}

// Conditions make an operation depend on the object that is there. ETags are given with or without quotes; "*" is any object.
type Conditions struct {
	// IfMatch wants one of these ETags (a header value: a comma-separated list).
	IfMatch string
	// IfNoneMatch wants none of these.
	IfNoneMatch string
	// IfModifiedSince and IfUnmodifiedSince count, to the second, where an object is read: not for what is overwritten. Beside
	// IfNoneMatch and IfMatch, respectively, they do not count.
	IfModifiedSince, IfUnmodifiedSince time.Time
}

// PutOptions say how to store an object.
type PutOptions struct {
	// Expect is verified; the zero value's Size 0 means an empty body, -1 is an unknown size.
	Expect
	Conditions
	// Headers, Metadata, Tags and StorageClass are stored as they are and replace those of an object that was there.
	Headers, Metadata map[string]string
	Tags              []Tag
	StorageClass      string
}

// Put stores an object: completely, or not at all. It replaces one that was there. Errors: NoSuchBucket, KeyTooLongError,
// MetadataTooLarge, IncompleteBody, BadDigest, XAmzContentSHA256Mismatch, PreconditionFailed, NoSuchKey (for IfMatch).
func (s *Store) Put(ctx context.Context, bucket, key string, body io.Reader, o PutOptions) (ObjectInfo, error) {
	if err := s.checkTarget(ctx, bucket, key, o.Metadata); err != nil {
		return ObjectInfo{}, err
	}
	if o.Checksum == "" {
		o.Checksum = defaultChecksum
	}
	b, err := s.receive(body, o.Expect)
	if err != nil {
		return ObjectInfo{}, err
	}
	info := ObjectInfo{
		Bucket: bucket, Key: key, Size: b.size, ETag: hexOf(b.md5),
		ChecksumType: o.Checksum, Checksum: b.checksum, Headers: o.Headers, Metadata: o.Metadata,
		Tags: o.Tags, StorageClass: o.StorageClass,
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
		return keyTooLong(key)
	}
	size := 0
	for k, v := range metadata {
		size += len(k) + len(v)
	}
	if size > maxMetadataSize {
		return &Error{codeMetadataTooLarge, fmt.Sprintf("The user metadata has %d bytes; %d are allowed.", size, maxMetadataSize)}
	}
	if err := s.needBucket(ctx, bucket); err != nil {
		return err
	}
	return nil
}

// target is what a write finds at its key.
type target struct {
	versioning Versioning
	// exists is set when there is a current version; the rest describes it.
	exists        bool
	content       int64
	etag, version string
}

// target reads, inside the transaction, what a key holds now, and checks the conditions.
func (s *Store) target(ctx context.Context, tx Querier, bucket, key string, c Conditions) (target, error) {
	var content sql.NullInt64
	var etag, version, versioning sql.NullString
	err := tx.QueryRowContext(ctx, `SELECT o.content, o.etag, o.version, v.value FROM artifact_buckets b
		LEFT JOIN artifact_objects o ON o.bucket = b.name AND o.key = ?
		LEFT JOIN artifact_bucket_settings v ON v.bucket = b.name AND v.kind = 'versioning' WHERE b.name = ?`, []byte(key), bucket).
		Scan(&content, &etag, &version, &versioning)
	if errors.Is(err, sql.ErrNoRows) {
		return target{}, noSuchBucket(bucket)
	}
	if err != nil {
		return target{}, err
	}
	t := target{Versioning(versioning.String), content.Valid, content.Int64, etag.String, version.String}
	if c.IfMatch != "" {
		if !t.exists {
			return t, noSuchKey(key)
		}
		if !matchETag(c.IfMatch, t.etag) {
			return t, preconditionFailed("If-Match")
		}
	}
	if c.IfNoneMatch != "" && t.exists && matchETag(c.IfNoneMatch, t.etag) {
		return t, preconditionFailed("If-None-Match")
	}
	return t, nil
}

func preconditionFailed(condition string) error {
	return &refusal{err: &Error{codePreconditionFailed, "At least one of the pre-conditions you specified did not hold: " + condition}, condition: condition}
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

// setObject makes a content the current version of a key. What was current stays as an older version, or is released.
func (s *Store) setObject(ctx context.Context, tx Querier, info *ObjectInfo, old target) (g garbage, err error) {
	modified := s.now()
	info.Modified, info.Version = fromMillis(modified), nullVersion
	if old.versioning == VersioningEnabled {
		info.Version = s.newID()
	}
	replaces := old.exists && old.version == info.Version
	if old.exists && !replaces {
		if err := archive(ctx, tx, info.Bucket, info.Key); err != nil {
			return g, err
		}
	}
	if old.versioning == VersioningSuspended && !replaces {
		gone, err := dropArchived(ctx, tx, info.Bucket, info.Key, nullVersion)
		if err != nil {
			return g, err
		}
		g = gone.garbage
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO artifact_objects
		(bucket, key, content, size, etag, modified, sum_type, sum, headers, metadata, version, tags, class)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (bucket, key) DO UPDATE SET content = excluded.content, size = excluded.size, etag = excluded.etag,
		modified = excluded.modified, sum_type = excluded.sum_type, sum = excluded.sum, headers = excluded.headers,
		metadata = excluded.metadata, version = excluded.version, tags = excluded.tags, class = excluded.class`,
		info.Bucket, []byte(info.Key), info.content, info.Size, info.ETag, modified, info.ChecksumType, info.Checksum,
		encodeMap(info.Headers), encodeMap(info.Metadata), info.Version, encodeTags(info.Tags), info.StorageClass)
	if err != nil || !replaces {
		return g, err
	}
	return release(ctx, tx, old.content)
}

// Stat describes an object. Errors: NoSuchBucket, NoSuchKey.
func (s *Store) Stat(ctx context.Context, bucket, key string) (ObjectInfo, error) {
	found, err := s.row(ctx, bucket, key)
	return found.info, err
}

// StatVersion describes one version of an object: an id, "null", or "" for the current one. Errors: NoSuchBucket, NoSuchKey,
// NoSuchVersion, InvalidArgument (for what is no id), MethodNotAllowed for a delete marker.
func (s *Store) StatVersion(ctx context.Context, bucket, key, version string) (ObjectInfo, error) {
	if version == "" {
		return s.Stat(ctx, bucket, key)
	}
	return statVersion(ctx, s.db.Read(), bucket, key, version)
}

func fromMillis(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

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
