package artifacts

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// nullVersion is the id of a version that was stored while its bucket was not, or no longer, versioned. A key has at most one.
const nullVersion = "null"

// Versioning is the state of a bucket.
type Versioning string

const (
	// VersioningOff is the state of a bucket that was never versioned. No bucket goes back to it.
	VersioningOff Versioning = ""
	// VersioningEnabled keeps every version that was stored.
	VersioningEnabled Versioning = "Enabled"
	// VersioningSuspended keeps the versions there are; what is stored from now on replaces the null version only.
	VersioningSuspended Versioning = "Suspended"
)

// BucketVersioning tells the state of a bucket. Errors: NoSuchBucket.
func (s *Store) BucketVersioning(ctx context.Context, bucket string) (Versioning, error) {
	state, err := s.setting(ctx, bucket, settingVersioning, &Error{"", ""})
	if isCode(err, "") {
		return VersioningOff, nil
	}
	return Versioning(state), err
}

// SetBucketVersioning enables or suspends versioning. Errors: NoSuchBucket, IllegalVersioningConfigurationException for another state.
func (s *Store) SetBucketVersioning(ctx context.Context, bucket string, state Versioning) error {
	if state != VersioningEnabled && state != VersioningSuspended {
		return &Error{"IllegalVersioningConfigurationException", "The versioning configuration needs a Status: Enabled or Suspended."}
	}
	return s.set(ctx, bucket, settingVersioning, string(state))
}

// versioningOf reads the state of a bucket inside a transaction. Errors: NoSuchBucket.
func versioningOf(ctx context.Context, q Querier, bucket string) (Versioning, error) {
	var state sql.NullString
	err := q.QueryRowContext(ctx, `SELECT v.value FROM artifact_buckets b
		LEFT JOIN artifact_bucket_settings v ON v.bucket = b.name AND v.kind = 'versioning' WHERE b.name = ?`, bucket).Scan(&state)
	if errors.Is(err, sql.ErrNoRows) {
		return "", noSuchBucket(bucket)
	}
	return Versioning(state.String), err
}

// validVersion tells whether a text has the form of a version id.
func validVersion(id string) bool {
	if id == nullVersion {
		return true
	}
	for i := range len(id) {
		if c := id[i]; (c < '0' || c > '9') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return len(id) == 32
}

// noSuchVersion is the error for a version that is not there.
func noSuchVersion(version string) *Error {
	return &Error{codeNoSuchVersion, "The specified version does not exist: " + version}
}

// markerError is the refusal of a request that met a delete marker.
type markerError struct {
	err error
	// marker has Key, Version and Modified.
	marker ObjectInfo
}

func (e *markerError) Error() string { return e.err.Error() }
func (e *markerError) Unwrap() error { return e.err }

// newestMarker turns "no such key" into an error that tells of the delete marker, if that is why.
func newestMarker(ctx context.Context, q Querier, err error, bucket, key string) error {
	if !isCode(err, codeNoSuchKey) {
		return err
	}
	marker := ObjectInfo{Bucket: bucket, Key: key}
	var modified int64
	merr := q.QueryRowContext(ctx, "SELECT version, modified FROM artifact_versions WHERE bucket = ? AND key = ? ORDER BY seq DESC LIMIT 1",
		bucket, []byte(key)).Scan(&marker.Version, &modified)
	if errors.Is(merr, sql.ErrNoRows) {
		return err
	}
	if merr != nil {
		return merr
	}
	marker.Modified = fromMillis(modified)
	return &markerError{err, marker}
}

// objectColumns are those that [scanObject] reads; artifact_objects and artifact_versions both have them.
const objectColumns = "content, size, etag, modified, sum_type, sum, headers, metadata, version, tags, class"

// storedObject holds the columns of an object that need decoding.
type storedObject struct {
	content                 sql.NullInt64 // null for a delete marker
	modified                int64
	headers, metadata, tags string
}

// columns are where a row of objectColumns goes.
func (o *storedObject) columns(info *ObjectInfo) []any {
	return []any{
		&o.content, &info.Size, &info.ETag, &o.modified, &info.ChecksumType, &info.Checksum, &o.headers, &o.metadata,
		&info.Version, &o.tags, &info.StorageClass,
	}
}

func (o *storedObject) decode(info *ObjectInfo) {
	info.content, info.Modified = o.content.Int64, fromMillis(o.modified)
	info.Headers, info.Metadata, info.Tags = decodeMap(o.headers), decodeMap(o.metadata), decodeTags(o.tags)
}

// statVersion describes one version of an object; "" is the current one. Errors: NoSuchBucket, NoSuchKey, NoSuchVersion,
// MethodNotAllowed for a delete marker.
func statVersion(ctx context.Context, q Querier, bucket, key, version string) (ObjectInfo, error) {
	info := ObjectInfo{Bucket: bucket, Key: key}
	var stored storedObject
	if version == "" {
		err := q.QueryRowContext(ctx, "SELECT "+objectColumns+" FROM artifact_objects WHERE bucket = ? AND key = ?", bucket, []byte(key)).
			Scan(stored.columns(&info)...)
		if err != nil {
			return ObjectInfo{}, newestMarker(ctx, q, missing(ctx, q, err, bucket, key), bucket, key)
		}
		stored.decode(&info)
		return info, nil
	}
	if !validVersion(version) {
		return ObjectInfo{}, &Error{codeInvalidArgument, "Invalid version id specified"}
	}
	err := q.QueryRowContext(ctx, "SELECT "+objectColumns+" FROM artifact_objects WHERE bucket = ?1 AND key = ?2 AND version = ?3 UNION ALL SELECT "+
		objectColumns+" FROM artifact_versions WHERE bucket = ?1 AND key = ?2 AND version = ?3", bucket, []byte(key), version).
		Scan(stored.columns(&info)...)
	if err != nil {
		if err = missing(ctx, q, err, bucket, key); isCode(err, codeNoSuchKey) {
			err = noSuchVersion(version)
		}
		return ObjectInfo{}, err
	}
	stored.decode(&info)
	if !stored.content.Valid {
		return ObjectInfo{}, &markerError{&Error{codeMethodNotAllowed, "The specified version is a delete marker: it can only be deleted."}, info}
	}
	return info, nil
}

// archive puts the current version of a key among the older ones; its row in artifact_objects is the caller's to replace or delete.
func archive(ctx context.Context, tx Querier, bucket, key string) error {
	_, err := tx.ExecContext(ctx, "INSERT INTO artifact_versions (bucket, key, seq, "+objectColumns+") SELECT bucket, key, "+nextSeq+", "+
		objectColumns+" FROM artifact_objects WHERE bucket = ?1 AND key = ?2", bucket, []byte(key))
	return err
}

// nextSeq is the seq of a version of the key ?2 in the bucket ?1 that is newer than all others in artifact_versions.
const nextSeq = "(SELECT COALESCE(MAX(seq), 0) + 1 FROM artifact_versions WHERE bucket = ?1 AND key = ?2)"

// removed is a version, or delete marker, whose row was deleted.
type removed struct {
	found, marker bool
	garbage       garbage
}

// dropArchived deletes a version that is not current.
func dropArchived(ctx context.Context, tx Querier, bucket, key, version string) (removed, error) {
	var content sql.NullInt64
	err := tx.QueryRowContext(ctx, "DELETE FROM artifact_versions WHERE bucket = ? AND key = ? AND version = ? RETURNING content",
		bucket, []byte(key), version).Scan(&content)
	if errors.Is(err, sql.ErrNoRows) {
		return removed{}, nil
	}
	if err != nil {
		return removed{}, err
	}
	r := removed{found: true, marker: !content.Valid}
	if content.Valid {
		r.garbage, err = release(ctx, tx, content.Int64)
	}
	return r, err
}

// dropCurrent deletes the current version of a key, if it is the given one ("" for whichever it is).
func dropCurrent(ctx context.Context, tx Querier, bucket, key, version string) (removed, error) {
	var content int64
	err := tx.QueryRowContext(ctx, "DELETE FROM artifact_objects WHERE bucket = ?1 AND key = ?2 AND (?3 = '' OR version = ?3) RETURNING content",
		bucket, []byte(key), version).Scan(&content)
	if errors.Is(err, sql.ErrNoRows) {
		return removed{}, nil
	}
	if err != nil {
		return removed{}, err
	}
	g, err := release(ctx, tx, content)
	return removed{found: true, garbage: g}, err
}

// promote makes the newest version of a key that has no current one current, unless that is a delete marker.
func promote(ctx context.Context, tx Querier, bucket, key string) error {
	const newest = `artifact_versions WHERE bucket = ?1 AND key = ?2 AND content IS NOT NULL
		AND seq = (SELECT MAX(seq) FROM artifact_versions WHERE bucket = ?1 AND key = ?2)
		AND NOT EXISTS (SELECT 1 FROM artifact_objects WHERE bucket = ?1 AND key = ?2)`
	res, err := tx.ExecContext(ctx, "INSERT INTO artifact_objects (bucket, key, "+objectColumns+") SELECT bucket, key, "+objectColumns+" FROM "+newest,
		bucket, []byte(key))
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return err
	}
	_, err = tx.ExecContext(ctx, "DELETE FROM artifact_versions WHERE bucket = ?1 AND key = ?2 AND seq = (SELECT MAX(seq) FROM artifact_versions WHERE bucket = ?1 AND key = ?2)",
		bucket, []byte(key))
	return err
}

// addMarker makes a delete marker the newest version of a key.
func (s *Store) addMarker(ctx context.Context, tx Querier, bucket, key, version string) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO artifact_versions
		(bucket, key, seq, version, content, size, etag, modified, sum_type, sum, headers, metadata, tags, class)
		VALUES (?1, ?2, `+nextSeq+`, ?3, NULL, 0, '', ?4, '', '', '', '', '', '')`, bucket, []byte(key), version, s.now())
	if err != nil {
		return fmt.Errorf("add delete marker: %w", err)
	}
	return nil
}
