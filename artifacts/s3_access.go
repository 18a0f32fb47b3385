package artifacts

import (
	"context"
	"encoding/xml"
	"io"
	"net/http"
)

// accessOperations are those that say who may do what with a bucket or an object.
func accessOperations() []operation {
	list := []operation{
		{method: http.MethodGet, scope: onBucket, resource: "policyStatus", serve: (*call).getPolicyStatus},
		{method: http.MethodGet, scope: onBucket, resource: "acl", serve: (*call).getACL},
		{method: http.MethodPut, scope: onBucket, resource: "acl", serve: (*call).putACL},
		{method: http.MethodGet, scope: onObject, resource: "acl", params: "versionId", serve: (*call).getACL},
		{method: http.MethodPut, scope: onObject, resource: "acl", params: "versionId", serve: (*call).putACL},
	}
	for _, s := range []bucketSetting{
		{"policy", "application/json", (*Store).BucketPolicy, (*Store).SetBucketPolicy, http.StatusNoContent},
		{"cors", "application/xml", (*Store).BucketCORS, (*Store).SetBucketCORS, http.StatusOK},
	} {
		list = append(list,
			operation{method: http.MethodGet, scope: onBucket, resource: s.resource, serve: s.get},
			operation{method: http.MethodPut, scope: onBucket, resource: s.resource, serve: s.put},
			operation{method: http.MethodDelete, scope: onBucket, resource: s.resource, serve: s.remove})
	}
	return list
}

// getPolicyStatus serves GET ?policyStatus.
func (c *call) getPolicyStatus() error {
	if _, err := c.store.BucketPolicy(c.ctx, c.bucket); err != nil {
		return err
	}
	settings, err := c.store.settingsOf(c.ctx, c.bucket)
	if err != nil {
		return err
	}
	return c.writeXML(struct {
		XMLName  xml.Name `xml:"PolicyStatus"`
		Xmlns    string   `xml:"xmlns,attr"`
		IsPublic bool
	}{Xmlns: s3Namespace, IsPublic: settings.policy != nil && settings.policy.public()})
}

// bucketSetting is a document of a bucket that is put, read and deleted as a whole.
type bucketSetting struct {
	resource, contentType string
	read                  func(s *Store, ctx context.Context, bucket string) (string, error)
	write                 func(s *Store, ctx context.Context, bucket, document string) error
	status                int // of a PUT that went well
}

func (s bucketSetting) get(c *call) error {
	text, err := s.read(c.store, c.ctx, c.bucket)
	if err != nil {
		return err
	}
	c.w.Header().Set("Content-Type", s.contentType)
	_, err = io.WriteString(c.w, text)
	return err
}

func (s bucketSetting) put(c *call) error {
	document, err := c.body.readDocument()
	if err != nil {
		return err
	}
	if len(document) == 0 {
		return &Error{"MissingRequestBodyError", "Request body is empty."}
	}
	if err := s.write(c.store, c.ctx, c.bucket, string(document)); err != nil {
		return err
	}
	c.w.WriteHeader(s.status)
	return nil
}

func (s bucketSetting) remove(c *call) error {
	// A bucket that is not there is an error; a setting that is not there is none.
	if err := s.write(c.store, c.ctx, c.bucket, ""); err != nil {
		return err
	}
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}
