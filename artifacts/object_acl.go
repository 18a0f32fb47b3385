package artifacts

import (
	"context"
	"maps"
)

// withACL gives stored headers another canned ACL; "" is private. The map that was given stays as it is.
func withACL(headers map[string]string, acl string) map[string]string {
	if headers[aclHeader] == acl {
		return headers
	}
	headers = maps.Clone(headers)
	if headers == nil {
		headers = map[string]string{}
	}
	if delete(headers, aclHeader); acl != "" {
		headers[aclHeader] = acl
	}
	return headers
}

// SetObjectACL sets the canned ACL of an object. Errors: NoSuchBucket, NoSuchKey, InvalidArgument, NotImplemented.
func (s *Store) SetObjectACL(ctx context.Context, bucket, key, acl string) error {
	acl, err := cannedACL(acl)
	if err != nil {
		return err
	}
	return s.write(ctx, func(tx Querier) error {
		info, err := stat(ctx, tx, bucket, key)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "UPDATE artifact_objects SET headers = ? WHERE bucket = ? AND key = ?",
			encodeMap(withACL(info.Headers, acl)), bucket, []byte(key))
		return err
	})
}
