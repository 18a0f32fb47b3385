package artifacts

import (
	"context"
	"database/sql"
	"errors"
)

// VersionsOptions select a page of the versions of a bucket.
type VersionsOptions struct {
	// Prefix and Delimiter are as in [ListOptions].
	Prefix, Delimiter string
	// AfterKey and AfterVersion are where the page before ended. A key alone stands for all its versions. A version that was deleted
	// meanwhile makes the page begin with the first that is left of its key.
	AfterKey, AfterVersion string
	// Max is how many versions, delete markers and common prefixes the page may hold. 0 is none.
	Max int
}

// VersionInfo describes a version of an object, or a delete marker.
type VersionInfo struct {
	// ObjectInfo has no Headers, Metadata and Tags; a delete marker has only Bucket, Key, Version and Modified.
	ObjectInfo
	// Latest is set for what the key shows now.
	Latest bool
	// DeleteMarker is set for what hides the versions before it.
	DeleteMarker bool
}

// VersionsPage is a page of the versions of a bucket.
type VersionsPage struct {
	// Versions are in the order of their keys, those of a key from the newest to the oldest.
	Versions []VersionInfo
	Prefixes []string
	// Truncated tells that there are more; LastKey and LastVersion are then the AfterKey and AfterVersion of the next page.
	Truncated            bool
	LastKey, LastVersion string
}

const versionColumns = "key, content, size, etag, modified, sum_type, sum, version, class"

// ListVersions lists the versions of objects. In a bucket without versioning those are its objects, with version "null".
// Errors: NoSuchBucket.
func (s *Store) ListVersions(ctx context.Context, bucket string, o VersionsOptions) (VersionsPage, error) {
	l := versionLister{store: s, bucket: bucket, o: o, rolling: ListOptions{Prefix: o.Prefix, Delimiter: o.Delimiter}}
	if err := s.needBucket(ctx, bucket); err != nil {
		return l.page, err
	}
	if o.Max <= 0 {
		return l.page, nil
	}
	from := o.Prefix // inclusive
	if o.AfterKey >= from && o.AfterKey != "" {
		from = o.AfterKey + "\x00"
		if o.AfterVersion != "" {
			found, err := l.restOfKey(ctx)
			if err != nil || l.page.Truncated {
				return l.page, err
			}
			if !found {
				from = o.AfterKey
			}
		} else if p, ok := commonPrefix(o.AfterKey, l.rolling); ok && p == o.AfterKey {
			if from = successor(p); from == "" {
				return l.page, nil
			}
		}
	}
	end := successor(o.Prefix)
	for from != "" || o.Prefix == "" {
		next, err := l.run(ctx, from, end)
		if err != nil || next == "" {
			return l.page, err
		}
		from = next
	}
	return l.page, nil
}

// versionLister fills a page.
type versionLister struct {
	store   *Store
	bucket  string
	o       VersionsOptions
	rolling ListOptions
	page    VersionsPage
	// seen is the key of the last version met: the first of a key is its latest.
	seen   string
	met    bool
	passed int
}

// restOfKey lists the versions of AfterKey that are older than AfterVersion; it is not found if that is gone.
func (l *versionLister) restOfKey(ctx context.Context) (found bool, err error) {
	q := l.store.db.Read()
	var seq int64
	err = q.QueryRowContext(ctx, `SELECT seq FROM artifact_versions WHERE bucket = ?1 AND key = ?2 AND version = ?3
		UNION ALL SELECT 9223372036854775807 FROM artifact_objects WHERE bucket = ?1 AND key = ?2 AND version = ?3`,
		l.bucket, []byte(l.o.AfterKey), l.o.AfterVersion).Scan(&seq)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	l.seen, l.met = l.o.AfterKey, true
	_, err = l.read(ctx, "SELECT "+versionColumns+" FROM artifact_versions WHERE bucket = ? AND key = ? AND seq < ? ORDER BY seq DESC",
		l.bucket, []byte(l.o.AfterKey), seq)
	return true, err
}

// run lists the versions of a range of keys. It returns where to go on, or "" when the page is complete.
func (l *versionLister) run(ctx context.Context, from, end string) (string, error) {
	where := "WHERE bucket = ?1 AND key >= ?2"
	args := []any{l.bucket, []byte(from)}
	if end != "" {
		where += " AND key < ?3"
		args = append(args, []byte(end))
	}
	return l.read(ctx, "SELECT "+versionColumns+", 9223372036854775807 AS seq FROM artifact_objects "+where+
		" UNION ALL SELECT "+versionColumns+", seq FROM artifact_versions "+where+" ORDER BY key, seq DESC", args...)
}

func (l *versionLister) read(ctx context.Context, query string, args ...any) (string, error) {
	rows, err := l.store.db.Read().QueryContext(ctx, query, args...)
	if err != nil {
		return "", err
	}
	defer func() { _ = rows.Close() }()
	columns, err := rows.Columns()
	if err != nil {
		return "", err
	}
	for rows.Next() {
		v := VersionInfo{ObjectInfo: ObjectInfo{Bucket: l.bucket}}
		var key []byte
		var content sql.NullInt64
		var modified, seq int64
		into := []any{&key, &content, &v.Size, &v.ETag, &modified, &v.ChecksumType, &v.Checksum, &v.Version, &v.StorageClass, &seq}
		if err := rows.Scan(into[:len(columns)]...); err != nil {
			return "", err
		}
		v.Key, v.Modified, v.DeleteMarker = string(key), fromMillis(modified), !content.Valid
		if next, done := l.add(v); done {
			return next, nil
		}
	}
	return "", rows.Err()
}

// add puts a version onto the page, unless that is full or the version belongs to a common prefix on it. When done, next is where to
// go on, or "" for the page's end.
func (l *versionLister) add(v VersionInfo) (next string, done bool) {
	v.Latest = !l.met || l.seen != v.Key
	l.seen, l.met = v.Key, true
	prefix, rolled := commonPrefix(v.Key, l.rolling)
	if rolled && len(l.page.Prefixes) > 0 && l.page.Prefixes[len(l.page.Prefixes)-1] == prefix {
		l.passed++
		return successor(prefix), l.passed > scanAhead
	}
	if len(l.page.Versions)+len(l.page.Prefixes) == l.o.Max {
		l.page.Truncated = true
		return "", true
	}
	l.passed = 0
	if rolled {
		l.page.Prefixes = append(l.page.Prefixes, prefix)
		l.page.LastKey, l.page.LastVersion = prefix, ""
	} else {
		l.page.Versions = append(l.page.Versions, v)
		l.page.LastKey, l.page.LastVersion = v.Key, v.Version
	}
	return "", false
}
