package artifacts

import (
	"context"
	"errors"
)

// DeleteRequest names what is to be deleted.
type DeleteRequest struct {
	Key string
	// Version is an id, "null", or "" for the object as it is now: in a bucket with versioning that only gets a delete marker.
	Version string
	// IfMatch deletes only if the current version has this ETag, or, for "*", if there is one; "" is no condition.
	IfMatch string
}

// DeleteResult tells what became of a request.
type DeleteResult struct {
	// Version is that of the version deleted, or of the delete marker made; empty in a bucket without versioning.
	Version string
	// DeleteMarker is set when a delete marker was made, or was what was deleted.
	DeleteMarker bool
	// Err says why nothing was deleted: PreconditionFailed, NoSuchKey (for IfMatch), InvalidArgument (for Version).
	Err error
}

// DeleteObjects deletes objects or versions of them, all in one transaction; results are in the order of the requests. What is not
// there is no error. Errors: NoSuchBucket.
func (s *Store) DeleteObjects(ctx context.Context, bucket string, requests ...DeleteRequest) ([]DeleteResult, error) {
	var results []DeleteResult
	var all []garbage
	err := s.write(ctx, func(tx Querier) error {
		results, all = make([]DeleteResult, len(requests)), nil
		state, err := versioningOf(ctx, tx, bucket)
		if err != nil {
			return err
		}
		for i, r := range requests {
			g, err := s.deleteOne(ctx, tx, bucket, state, r, &results[i])
			if _, refused := errors.AsType[*Error](err); refused {
				results[i].Err = err
			} else if err != nil {
				return err
			}
			all = append(all, g)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	s.collect(all...)
	return results, nil
}

// deleteOne serves one request. It returns an *Error before it has changed anything, or not at all.
func (s *Store) deleteOne(ctx context.Context, tx Querier, bucket string, state Versioning, r DeleteRequest, result *DeleteResult) (garbage, error) {
	if r.IfMatch != "" {
		if err := checkDelete(ctx, tx, bucket, r); err != nil {
			return garbage{}, err
		}
	}
	switch {
	case r.Version != "":
		return deleteVersion(ctx, tx, bucket, state, r, result)
	case state == VersioningOff:
		gone, err := dropCurrent(ctx, tx, bucket, r.Key, "")
		return gone.garbage, err
	}
	return s.markDeleted(ctx, tx, bucket, state, r.Key, result)
}

func checkDelete(ctx context.Context, tx Querier, bucket string, r DeleteRequest) error {
	info, err := statVersion(ctx, tx, bucket, r.Key, "")
	if _, ok := errors.AsType[*markerError](err); ok {
		return preconditionFailed("If-Match") // it exists, as a delete marker
	}
	if err == nil && !matchETag(r.IfMatch, info.ETag) {
		err = preconditionFailed("If-Match")
	}
	return err
}

// deleteVersion deletes one version for good.
func deleteVersion(ctx context.Context, tx Querier, bucket string, state Versioning, r DeleteRequest, result *DeleteResult) (garbage, error) {
	if !validVersion(r.Version) {
		return garbage{}, &Error{codeInvalidArgument, "Invalid version id specified"}
	}
	gone, err := dropCurrent(ctx, tx, bucket, r.Key, r.Version)
	if err != nil || state == VersioningOff {
		return gone.garbage, err
	}
	if !gone.found {
		if gone, err = dropArchived(ctx, tx, bucket, r.Key, r.Version); err != nil {
			return garbage{}, err
		}
	}
	result.Version, result.DeleteMarker = r.Version, gone.marker
	return gone.garbage, promote(ctx, tx, bucket, r.Key)
}

// markDeleted puts a delete marker over the versions of a key. Suspended, it takes the place of the null version.
func (s *Store) markDeleted(ctx context.Context, tx Querier, bucket string, state Versioning, key string, result *DeleteResult) (garbage, error) {
	var gone removed
	result.Version, result.DeleteMarker = nullVersion, true
	if state == VersioningEnabled {
		result.Version = s.newID()
	} else {
		var err error
		if gone, err = dropCurrent(ctx, tx, bucket, key, nullVersion); err == nil && !gone.found {
			gone, err = dropArchived(ctx, tx, bucket, key, nullVersion)
		}
		if err != nil {
			return garbage{}, err
		}
	}
	if err := archive(ctx, tx, bucket, key); err != nil {
		return garbage{}, err
	}
	if _, err := tx.ExecContext(ctx, "DELETE FROM artifact_objects WHERE bucket = ? AND key = ?", bucket, []byte(key)); err != nil {
		return garbage{}, err
	}
	return gone.garbage, s.addMarker(ctx, tx, bucket, key, result.Version)
}

// Delete removes objects as S3's DELETE without a version does; one that is not there is no error. Errors: NoSuchBucket.
func (s *Store) Delete(ctx context.Context, bucket string, keys ...string) error {
	requests := make([]DeleteRequest, len(keys))
	for i, key := range keys {
		requests[i].Key = key
	}
	_, err := s.DeleteObjects(ctx, bucket, requests...)
	return err
}

// DeletePrefix removes, as [Store.Delete] does, all objects whose key begins with a prefix, some hundred at a time. Errors: NoSuchBucket.
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
