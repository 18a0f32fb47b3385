package artifacts

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Tag is a pair that users hang on an object or a bucket.
type Tag struct{ Key, Value string }

// How many tags S3 allows, and how long they may be, in characters.
const (
	maxObjectTags  = 10
	maxBucketTags  = 50
	maxTagKeyLen   = 128
	maxTagValueLen = 256
)

// checkTags refuses what S3 does not allow. Errors: InvalidTag, BadRequest (too many).
func checkTags(tags []Tag, most int, kind string) error {
	if len(tags) > most {
		return &Error{"BadRequest", fmt.Sprintf("%s tags cannot be greater than %d", kind, most)}
	}
	seen := map[string]bool{}
	for _, t := range tags {
		switch {
		case t.Key == "", utf8.RuneCountInString(t.Key) > maxTagKeyLen, !tagText(t.Key):
			return &Error{codeInvalidTag, fmt.Sprintf("The TagKey you have provided is invalid: it is 1 to %d letters, digits, spaces or _.:/=+-@", maxTagKeyLen)}
		case utf8.RuneCountInString(t.Value) > maxTagValueLen, !tagText(t.Value):
			return &Error{codeInvalidTag, fmt.Sprintf("The TagValue you have provided is invalid: it is at most %d letters, digits, spaces or _.:/=+-@", maxTagValueLen)}
		case strings.HasPrefix(strings.ToLower(t.Key), "aws:"):
			return &Error{codeInvalidTag, "System tags cannot be added/updated by requester"}
		case seen[t.Key]:
			return &Error{codeInvalidTag, "Cannot provide multiple Tags with the same key"}
		}
		seen[t.Key] = true
	}
	return nil
}

// tagText tells whether a text has only characters that AWS allows in tags.
func tagText(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if !unicode.In(r, unicode.L, unicode.N, unicode.Z) && !strings.ContainsRune("_.:/=+-@", r) {
			return false
		}
	}
	return true
}

// parseTags reads the header x-amz-tagging: a URL's query. Errors: InvalidArgument, and those of [checkTags].
func parseTags(header string) ([]Tag, error) {
	var tags []Tag
	for pair := range strings.SplitSeq(header, "&") {
		if pair == "" {
			continue
		}
		key, value, _ := strings.Cut(pair, "=")
		var t Tag
		var kerr, verr error
		t.Key, kerr = url.QueryUnescape(key)
		t.Value, verr = url.QueryUnescape(value)
		if kerr != nil || verr != nil {
			return nil, badTagging()
		}
		for _, other := range tags {
			if other.Key == t.Key {
				return nil, badTagging()
			}
		}
		tags = append(tags, t)
	}
	return tags, checkTags(tags, maxObjectTags, "Object")
}

func badTagging() *Error {
	return &Error{codeInvalidArgument, "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates."}
}

// encodeTags is the form in which tags are stored.
func encodeTags(tags []Tag) string {
	var b strings.Builder
	for i, t := range tags {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(url.QueryEscape(t.Key) + "=" + url.QueryEscape(t.Value))
	}
	return b.String()
}

func decodeTags(text string) []Tag {
	if text == "" {
		return nil
	}
	var tags []Tag
	for pair := range strings.SplitSeq(text, "&") {
		key, value, _ := strings.Cut(pair, "=")
		var t Tag
		t.Key, _ = url.QueryUnescape(key) // written by encodeTags
		t.Value, _ = url.QueryUnescape(value)
		tags = append(tags, t)
	}
	return tags
}

// SetTags replaces the tags of an object, or of one version of it ("" for the current one), and tells which version that was; no tags
// remove them. Errors: those of [Store.StatVersion], InvalidTag, BadRequest (more than 10).
func (s *Store) SetTags(ctx context.Context, bucket, key, version string, tags []Tag) (ObjectInfo, error) {
	if err := checkTags(tags, maxObjectTags, "Object"); err != nil {
		return ObjectInfo{}, err
	}
	info, err := s.updateVersion(ctx, bucket, key, version, "tags", func(ObjectInfo) string { return encodeTags(tags) })
	info.Tags = tags
	return info, err
}

// updateVersion sets one column of a version of an object ("" for the current one) to a value that may depend on what is there.
func (s *Store) updateVersion(ctx context.Context, bucket, key, version, column string, value func(ObjectInfo) string) (info ObjectInfo, err error) {
	err = s.write(ctx, func(tx Querier) (err error) {
		if info, err = statVersion(ctx, tx, bucket, key, version); err != nil {
			return err
		}
		for _, table := range []string{"artifact_objects", "artifact_versions"} {
			_, err = tx.ExecContext(ctx, "UPDATE "+table+" SET "+column+" = ? WHERE bucket = ? AND key = ? AND version = ?",
				value(info), bucket, []byte(key), info.Version)
			if err != nil {
				return err
			}
		}
		return nil
	})
	return info, err
}

// BucketTags are the tags of a bucket. Errors: NoSuchBucket, NoSuchTagSet if there are none.
func (s *Store) BucketTags(ctx context.Context, bucket string) ([]Tag, error) {
	text, err := s.setting(ctx, bucket, settingTags, &Error{"NoSuchTagSet", "The TagSet does not exist"})
	return decodeTags(text), err
}

// SetBucketTags replaces the tags of a bucket; no tags remove them. Errors: NoSuchBucket, InvalidTag, BadRequest (more than 50).
func (s *Store) SetBucketTags(ctx context.Context, bucket string, tags []Tag) error {
	if err := checkTags(tags, maxBucketTags, "Bucket"); err != nil {
		return err
	}
	return s.set(ctx, bucket, settingTags, encodeTags(tags))
}
