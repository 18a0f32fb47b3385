package artifacts

import (
	"context"
	"strings"
)

// ListOptions select a page of a listing.
type ListOptions struct {
	// Prefix is what the keys begin with.
	Prefix string
	// Delimiter rolls keys up to the first one behind the prefix into a common prefix.
	Delimiter string
	// After is the last key or common prefix of the page before, or any key: the page begins behind it.
	After string
	// Max is how many keys and common prefixes the page may hold. 0 is none.
	Max int
}

// ListPage is a page of a listing.
type ListPage struct {
	// Objects and Prefixes are each in the order of their bytes. The objects have no Headers, Metadata, Tags and Version.
	Objects  []ObjectInfo
	Prefixes []string
	// Truncated tells that there are more; Last is then the After of the next page.
	Truncated bool
	Last      string
}

// scanAhead is how many rows of one common prefix are read over before a range jump is cheaper.
const scanAhead = 32

// List lists objects by key. Common prefixes are skipped by jumps, so the cost depends on the size of the page, not on
// that of the bucket. Errors: NoSuchBucket.
func (s *Store) List(ctx context.Context, bucket string, o ListOptions) (ListPage, error) {
	var page ListPage
	if err := s.needBucket(ctx, bucket); err != nil {
		return page, err
	}
	if o.Max <= 0 {
		return page, nil
	}
	from := o.Prefix // inclusive
	if o.After >= from && o.After != "" {
		from = o.After + "\x00"
		if p, ok := commonPrefix(o.After, o); ok && p == o.After {
			from = successor(p)
			if from == "" {
				return page, nil
			}
		}
	}
	end := successor(o.Prefix)
	for from != "" || o.Prefix == "" {
		next, err := s.listRun(ctx, bucket, from, end, o, &page)
		if err != nil || next == "" {
			return page, err
		}
		from = next
	}
	return page, nil
}

// listRun reads one range of rows onto the page. It returns where to go on, or "" when the page is complete.
func (s *Store) listRun(ctx context.Context, bucket, from, end string, o ListOptions, page *ListPage) (string, error) {
	query := "SELECT key, size, etag, modified, sum_type, sum, class FROM artifact_objects WHERE bucket = ? AND key >= ?"
	args := []any{bucket, []byte(from)}
	if end != "" {
		query += " AND key < ?"
		args = append(args, []byte(end))
	}
	rows, err := s.db.Read().QueryContext(ctx, query+" ORDER BY key", args...)
	if err != nil {
		return "", err
	}
	defer func() { _ = rows.Close() }()
	passed := 0
	for rows.Next() {
		info := ObjectInfo{Bucket: bucket}
		var key []byte
		var modified int64
		if err := rows.Scan(&key, &info.Size, &info.ETag, &modified, &info.ChecksumType, &info.Checksum, &info.StorageClass); err != nil {
			return "", err
		}
		info.Key = string(key)
		info.Modified = fromMillis(modified)
		prefix, rolled := commonPrefix(info.Key, o)
		if rolled && len(page.Prefixes) > 0 && page.Prefixes[len(page.Prefixes)-1] == prefix {
			if passed++; passed > scanAhead {
				return successor(prefix), nil
			}
			continue
		}
		if len(page.Objects)+len(page.Prefixes) == o.Max {
			page.Truncated = true
			return "", nil
		}
		passed = 0
		if rolled {
			page.Prefixes = append(page.Prefixes, prefix)
			page.Last = prefix
		} else {
			page.Objects = append(page.Objects, info)
			page.Last = info.Key
		}
	}
	return "", rows.Err()
}

// commonPrefix gives the common prefix that a key is rolled up into, if it is.
func commonPrefix(key string, o ListOptions) (string, bool) {
	if o.Delimiter == "" || !strings.HasPrefix(key, o.Prefix) {
		return "", false
	}
	i := strings.Index(key[len(o.Prefix):], o.Delimiter)
	if i < 0 {
		return "", false
	}
	return key[:len(o.Prefix)+i+len(o.Delimiter)], true
}

// successor is the least string greater than all that begin with a prefix, or "" if there is none.
func successor(prefix string) string {
	b := []byte(prefix)
	for i := len(b) - 1; i >= 0; i-- {
		if b[i] < 0xff {
			b[i]++
			return string(b[:i+1])
		}
	}
	return ""
}
