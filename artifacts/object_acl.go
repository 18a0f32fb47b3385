package artifacts

import (
	"context"
	"maps"
)

// withACL gives stored headers another canned ACL; "" is private. The map that was given stays as it is.
func withACL(headers map[string]string, acl string) map[string]string {
	return withHeader(headers, aclHeader, acl)
}

// withHeader gives stored headers another value of one; "" removes it.
func withHeader(headers map[string]string, name, value string) map[string]string {
	if headers[name] == value {
		return headers
	}
	headers = maps.Clone(headers)
	if headers == nil {
		headers = map[string]string{}
	}
	if delete(headers, name); value != "" {
		headers[name] = value
	}
	return headers
}

// SetObjectACL sets the canned ACL of an object, or of one version of it ("" for the current one), and tells which version that was.
// Errors: those of [Store.StatVersion], InvalidArgument, NotImplemented.
func (s *Store) SetObjectACL(ctx context.Context, bucket, key, version, acl string) (ObjectInfo, error) {
	acl, err := cannedACL(acl)
	if err != nil {
		return ObjectInfo{}, err
	}
	return s.updateVersion(ctx, bucket, key, version, "headers", func(info ObjectInfo) string {
		return encodeMap(withACL(info.Headers, acl))
	})
}
