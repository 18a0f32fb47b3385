package artifacts

import (
	"context"
	"database/sql"
	"sync"
)

// The kinds of settings of a bucket.
const (
	settingPolicy = "policy"
	settingCORS   = "cors"
	settingACL    = "acl"
	settingTags   = "tags"
	// settingVersioning is read by its name in SQL as well.
	settingVersioning = "versioning"
)

// bucketSettings are those of one bucket, read. They are shared and never changed.
type bucketSettings struct {
	// exists is set if there is such a bucket.
	exists bool
	policy *policy
	cors   []corsRule
	acl    string // canned; empty for private
	// versioning is the state of the bucket.
	versioning Versioning
	// text holds the settings as they were put.
	text map[string]string
}

// maxCachedSettings bounds the cache, since whoever asks for buckets that do not exist fills it too.
const maxCachedSettings = 1024

// settingsCache keeps the settings of buckets at hand: every request is judged by them.
type settingsCache struct {
	mu sync.RWMutex
	// changes counts the writes, so that what was read before one is not remembered after it.
	changes uint64
	buckets map[string]*bucketSettings
}

func (c *settingsCache) get(bucket string) (found *bucketSettings, changes uint64) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.buckets[bucket], c.changes
}

func (c *settingsCache) put(bucket string, s *bucketSettings, changes uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if changes != c.changes {
		return
	}
	if c.buckets == nil || len(c.buckets) >= maxCachedSettings {
		c.buckets = map[string]*bucketSettings{}
	}
	c.buckets[bucket] = s
}

// forget is called after every commit that changes settings, makes a bucket or deletes one, before its writer is answered.
func (c *settingsCache) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.changes++
	c.buckets = nil
}

// settingsOf reads the settings of a bucket. One that does not exist has none.
func (s *Store) settingsOf(ctx context.Context, bucket string) (*bucketSettings, error) {
	found, changes := s.settings.get(bucket)
	if found != nil {
		return found, nil
	}
	rows, err := s.db.Read().QueryContext(ctx, `SELECT v.kind, v.value FROM artifact_buckets b
		LEFT JOIN artifact_bucket_settings v ON v.bucket = b.name WHERE b.name = ?`, bucket)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	b := &bucketSettings{text: map[string]string{}}
	for rows.Next() {
		var kind, value sql.NullString
		if err := rows.Scan(&kind, &value); err != nil {
			return nil, err
		}
		b.exists = true
		if !kind.Valid {
			continue // a bucket with no settings
		}
		if err := b.read(bucket, kind.String, value.String); err != nil {
			return nil, err
		}
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	s.settings.put(bucket, b, changes)
	return b, nil
}

// read takes a setting in. The same function checks one that is put, so what is kept can be read.
func (b *bucketSettings) read(bucket, kind, value string) (err error) {
	b.text[kind] = value
	switch kind {
	case settingPolicy:
		b.policy, err = parsePolicy([]byte(value), bucket)
	case settingCORS:
		b.cors, err = parseCORS([]byte(value))
	case settingACL:
		b.acl = value
	case settingVersioning:
		b.versioning = Versioning(value)
	}
	return err
}

// set keeps a setting of a bucket; an empty value removes it. Errors: NoSuchBucket, and those of what is put.
func (s *Store) set(ctx context.Context, bucket, kind, value string) error {
	if value != "" {
		b := bucketSettings{text: map[string]string{}}
		if err := b.read(bucket, kind, value); err != nil {
			return err
		}
	}
	err := s.write(ctx, func(tx Querier) error {
		if ok, err := bucketExists(ctx, tx, bucket); err != nil {
			return err
		} else if !ok {
			return noSuchBucket(bucket)
		}
		if value == "" {
			_, err := tx.ExecContext(ctx, "DELETE FROM artifact_bucket_settings WHERE bucket = ? AND kind = ?", bucket, kind)
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO artifact_bucket_settings (bucket, kind, value) VALUES (?, ?, ?)
			ON CONFLICT (bucket, kind) DO UPDATE SET value = excluded.value`, bucket, kind, value)
		return err
	})
	s.settings.forget() // after a failed commit too: nobody knows what it left
	return err
}

// setting reads one setting. One that was never put is an error of the given code. Errors: NoSuchBucket too.
func (s *Store) setting(ctx context.Context, bucket, kind string, none *Error) (string, error) {
	b, err := s.settingsOf(ctx, bucket)
	if err != nil {
		return "", err
	}
	if text, ok := b.text[kind]; ok {
		return text, nil
	}
	if err := s.needBucket(ctx, bucket); err != nil {
		return "", err
	}
	return "", none
}

// BucketPolicy is the policy of a bucket as it was put. Errors: NoSuchBucket, NoSuchBucketPolicy.
func (s *Store) BucketPolicy(ctx context.Context, bucket string) (string, error) {
	return s.setting(ctx, bucket, settingPolicy, &Error{"NoSuchBucketPolicy", "The bucket policy does not exist"})
}

// SetBucketPolicy sets the policy of a bucket (AWS's JSON); an empty one removes it. Errors: NoSuchBucket, and MalformedPolicy, which names
// what is wrong or not understood.
func (s *Store) SetBucketPolicy(ctx context.Context, bucket, policy string) error {
	return s.set(ctx, bucket, settingPolicy, policy)
}

// BucketCORS is the CORS configuration of a bucket as it was put. Errors: NoSuchBucket, NoSuchCORSConfiguration.
func (s *Store) BucketCORS(ctx context.Context, bucket string) (string, error) {
	return s.setting(ctx, bucket, settingCORS, &Error{"NoSuchCORSConfiguration", "The CORS configuration does not exist"})
}

// SetBucketCORS sets the CORS configuration of a bucket (AWS's XML); an empty one removes it. Errors: NoSuchBucket, MalformedXML,
// InvalidRequest.
func (s *Store) SetBucketCORS(ctx context.Context, bucket, document string) error {
	return s.set(ctx, bucket, settingCORS, document)
}

// BucketACL is the canned ACL of a bucket: private, public-read, public-read-write or authenticated-read. Errors: NoSuchBucket.
func (s *Store) BucketACL(ctx context.Context, bucket string) (string, error) {
	acl, err := s.setting(ctx, bucket, settingACL, &Error{"", ""})
	if isCode(err, "") {
		return aclPrivate, nil
	}
	return acl, err
}

// SetBucketACL sets the canned ACL of a bucket. Errors: NoSuchBucket, InvalidArgument, NotImplemented.
func (s *Store) SetBucketACL(ctx context.Context, bucket, acl string) error {
	acl, err := cannedACL(acl)
	if err != nil {
		return err
	}
	return s.set(ctx, bucket, settingACL, acl)
}
