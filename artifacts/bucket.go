package artifacts

import (
	"context"
	"database/sql"
	"errors"
	"net"
	"slices"
	"strings"
	"time"
)

// BucketInfo describes a bucket.
type BucketInfo struct {
	Name    string
	Created time.Time
}

// reservedPrefixes and reservedSuffixes are those that AWS keeps from the names of general purpose buckets.
var (
	reservedPrefixes = []string{"xn--", "sthree-", "amzn-s3-demo-"}
	reservedSuffixes = []string{"-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"}
)

// validBucketName knows S3's rules for general purpose buckets.
func validBucketName(name string) bool {
	edge := func(c byte) bool { return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' }
	if len(name) < 3 || len(name) > 63 || !edge(name[0]) || !edge(name[len(name)-1]) || strings.Contains(name, "..") || net.ParseIP(name) != nil {
		return false
	}
	if strings.IndexFunc(name, func(r rune) bool { return r > 'z' || !edge(byte(r)) && r != '.' && r != '-' }) >= 0 {
		return false
	}
	return !slices.ContainsFunc(reservedPrefixes, func(s string) bool { return strings.HasPrefix(name, s) }) &&
		!slices.ContainsFunc(reservedSuffixes, func(s string) bool { return strings.HasSuffix(name, s) })
}

// CreateBucket makes an empty bucket. One that exists is BucketAlreadyOwnedByYou, unless existsOK is set. A name that S3
// does not allow is InvalidBucketName.
func (s *Store) CreateBucket(ctx context.Context, name string, existsOK bool) error {
	if !validBucketName(name) {
		return &Error{codeInvalidBucketName, "The bucket name " + name + " is not valid: use 3 to 63 of a-z, 0-9, '-' and '.', beginning and ending with a letter or digit, " +
			"no two dots in a row, no IP address, and none of AWS's reserved beginnings (" + strings.Join(reservedPrefixes, " ") + ") and ends (" + strings.Join(reservedSuffixes, " ") + ")."}
	}
	if existsOK { // mostly it does: no write needed
		if ok, err := s.BucketExists(ctx, name); ok || err != nil {
			return err
		}
	}
	err := s.write(ctx, func(tx Querier) error {
		res, err := tx.ExecContext(ctx, "INSERT INTO artifact_buckets (name, created) VALUES (?, ?) ON CONFLICT (name) DO NOTHING", name, s.now())
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 1 || existsOK {
			return err
		}
		return &Error{codeBucketExists, "The bucket " + name + " exists already and is yours."}
	})
	s.settings.forget()
	return err
}

// BucketExists tells whether there is such a bucket.
func (s *Store) BucketExists(ctx context.Context, name string) (bool, error) {
	return bucketExists(ctx, s.db.Read(), name)
}

// needBucket is NoSuchBucket if there is no such bucket.
func (s *Store) needBucket(ctx context.Context, name string) error {
	b, err := s.settingsOf(ctx, name)
	if err == nil && !b.exists {
		err = noSuchBucket(name)
	}
	return err
}

func bucketExists(ctx context.Context, q Querier, name string) (bool, error) {
	var one int
	err := q.QueryRowContext(ctx, "SELECT 1 FROM artifact_buckets WHERE name = ?", name).Scan(&one)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// DeleteBucket removes a bucket that holds neither objects, nor versions or delete markers, nor uploads under way; else it is
// BucketNotEmpty.
func (s *Store) DeleteBucket(ctx context.Context, name string) error {
	err := s.write(ctx, func(tx Querier) error {
		if ok, err := bucketExists(ctx, tx, name); err != nil {
			return err
		} else if !ok {
			return noSuchBucket(name)
		}
		var used bool
		err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM artifact_objects WHERE bucket = ?)
			OR EXISTS (SELECT 1 FROM artifact_versions WHERE bucket = ?)
			OR EXISTS (SELECT 1 FROM artifact_uploads WHERE bucket = ?)`, name, name, name).Scan(&used)
		if err != nil {
			return err
		}
		if used {
			return &Error{codeBucketNotEmpty, "The bucket you tried to delete is not empty: delete its objects, all versions of them, and abort its uploads first."}
		}
		_, err = tx.ExecContext(ctx, "DELETE FROM artifact_buckets WHERE name = ?", name)
		return err
	})
	s.settings.forget()
	return err
}

// ListBuckets lists all buckets by name.
func (s *Store) ListBuckets(ctx context.Context) ([]BucketInfo, error) {
	rows, err := s.db.Read().QueryContext(ctx, "SELECT name, created FROM artifact_buckets ORDER BY name")
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var buckets []BucketInfo
	for rows.Next() {
		var b BucketInfo
		var created int64
		if err := rows.Scan(&b.Name, &created); err != nil {
			return nil, err
		}
		b.Created = time.UnixMilli(created).UTC()
		buckets = append(buckets, b)
	}
	return buckets, rows.Err()
}
