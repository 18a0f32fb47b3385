package artifacts

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"time"
)

// CopyOptions say what to copy and how the copy differs from its source.
type CopyOptions struct {
	// SourceVersion is the version to copy; "" is the current one.
	SourceVersion string
	// Source conditions, then those on the target.
	Source, Target Conditions
	// ACL is the canned ACL of the copy; the source's does not go with it. StorageClass neither.
	ACL          string
	StorageClass string
	// Redirect is where a website would send who asks for the copy; the source's does not go with it.
	Redirect string
	// Replace takes Headers and Metadata instead of the source's.
	Replace           bool
	Headers, Metadata map[string]string
	// ReplaceTags takes Tags instead of the source's.
	ReplaceTags bool
	Tags        []Tag
	// Checksum is the algorithm that the copy shall have, or "" for the source's.
	Checksum string
}

// Copy makes an object with the content of another; it returns the source too, as it was. No bytes are copied: the two share them.
// Errors: NoSuchBucket, NoSuchKey, NoSuchVersion, InvalidRequest (a delete marker), PreconditionFailed.
func (s *Store) Copy(ctx context.Context, fromBucket, fromKey, bucket, key string, o CopyOptions) (info, source ObjectInfo, err error) {
	if err := s.checkTarget(ctx, bucket, key, o.Metadata); err != nil {
		return ObjectInfo{}, ObjectInfo{}, err
	}
	for {
		// The checksum is computed before the transaction, which others wait for.
		content, sum, err := s.copyChecksum(ctx, fromBucket, fromKey, o)
		if err != nil {
			return ObjectInfo{}, ObjectInfo{}, err
		}
		var g garbage
		changed := false
		err = s.write(ctx, func(tx Querier) (err error) {
			if source, err = statVersion(ctx, tx, fromBucket, fromKey, o.SourceVersion); err != nil {
				return copySourceError(err)
			}
			if err := o.Source.checkSource(source); err != nil {
				return err
			}
			if changed = sum != "" && source.content != content; changed {
				return nil
			}
			old, err := s.target(ctx, tx, bucket, key, o.Target)
			if err != nil {
				return err
			}
			info = o.copyOf(source, sum)
			info.Bucket, info.Key = bucket, key
			if _, err := tx.ExecContext(ctx, "UPDATE artifact_contents SET refs = refs + 1 WHERE id = ?", info.content); err != nil {
				return err
			}
			g, err = s.setObject(ctx, tx, &info, old)
			return err
		})
		if err != nil {
			return ObjectInfo{}, ObjectInfo{}, err
		}
		if !changed {
			s.collect(g)
			return info, source, nil
		}
	}
}

// copyOf describes the copy of an object; sum is its checksum, if that was computed anew.
func (o CopyOptions) copyOf(source ObjectInfo, sum string) ObjectInfo {
	info := source
	info.StorageClass = o.StorageClass
	if sum != "" {
		info.ChecksumType, info.Checksum = o.Checksum, sum
	}
	if o.Replace {
		info.Headers, info.Metadata = o.Headers, o.Metadata
	}
	info.Headers = withHeader(withACL(info.Headers, o.ACL), redirectHeader, o.Redirect)
	if o.ReplaceTags {
		info.Tags = o.Tags
	}
	return info
}

// copyChecksum computes the checksum that a copy asks for, if the source has another; it tells of which content.
func (s *Store) copyChecksum(ctx context.Context, bucket, key string, o CopyOptions) (content int64, sum string, err error) {
	h := newChecksum(o.Checksum)
	if h == nil {
		return 0, "", nil
	}
	r, err := s.OpenVersion(ctx, bucket, key, o.SourceVersion)
	if err != nil {
		return 0, "", copySourceError(err)
	}
	defer func() { _ = r.Close() }()
	if r.ChecksumType == o.Checksum {
		return 0, "", nil
	}
	if _, err := io.Copy(h, r); err != nil {
		return 0, "", err
	}
	return r.content, base64.StdEncoding.EncodeToString(h.Sum(nil)), nil
}

// copySourceError spells what is wrong with a source as S3 does.
func copySourceError(err error) error {
	if isCode(err, codeMethodNotAllowed) {
		return &Error{codeInvalidRequest, "The source of a copy request may not specifically refer to a delete marker by version id."}
	}
	return err
}

// check applies the conditions to an object that exists, in HTTP's order of precedence. A failed If-None-Match or If-Modified-Since is
// NotModified.
func (c Conditions) check(info ObjectInfo) error {
	modified := info.Modified.Truncate(time.Second) // as Last-Modified shows it
	if c.IfMatch != "" {
		if !matchETag(c.IfMatch, info.ETag) {
			return preconditionFailed("If-Match")
		}
	} else if !c.IfUnmodifiedSince.IsZero() && modified.After(c.IfUnmodifiedSince) {
		return preconditionFailed("If-Unmodified-Since")
	}
	if c.IfNoneMatch != "" {
		if matchETag(c.IfNoneMatch, info.ETag) {
			return &Error{codeNotModified, "Not Modified"}
		}
	} else if !c.IfModifiedSince.IsZero() && !modified.After(c.IfModifiedSince) {
		return &Error{codeNotModified, "Not Modified"}
	}
	return nil
}

// copySourcePrefix begins the headers of conditions on the source of a copy, as S3's errors spell them.
const copySourcePrefix = "x-amz-copy-source-"

// checkSource is check for the source of a copy, where there is no 304.
func (c Conditions) checkSource(info ObjectInfo) error {
	err := c.check(info)
	if isCode(err, codeNotModified) {
		err = preconditionFailed("If-Modified-Since")
		if c.IfNoneMatch != "" {
			err = preconditionFailed("If-None-Match")
		}
	}
	if failed, ok := errors.AsType[*refusal](err); ok {
		return preconditionFailed(copySourcePrefix + failed.condition)
	}
	return err
}
