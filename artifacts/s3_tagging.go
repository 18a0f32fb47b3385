package artifacts

import (
	"encoding/xml"
	"net/http"
)

type taggingXML struct {
	XMLName xml.Name `xml:"Tagging"`
	Xmlns   string   `xml:"xmlns,attr,omitempty"`
	Tags    struct {
		Tag []Tag
	} `xml:"TagSet"`
}

// readTags reads the document of PUT ?tagging.
func (c *call) readTags() ([]Tag, error) {
	document, err := c.body.readDocument()
	if err != nil {
		return nil, err
	}
	var doc taggingXML
	if err := unmarshalXML(document, &doc); err != nil {
		return nil, err
	}
	return doc.Tags.Tag, nil
}

func (c *call) writeTags(tags []Tag) error {
	doc := taggingXML{Xmlns: s3Namespace}
	doc.Tags.Tag = tags
	return c.writeXML(doc)
}

func (c *call) getBucketTags() error {
	tags, err := c.store.BucketTags(c.ctx, c.bucket)
	if err != nil {
		return err
	}
	return c.writeTags(tags)
}

func (c *call) putBucketTags() error {
	tags, err := c.readTags()
	if err != nil {
		return err
	}
	if err := c.store.SetBucketTags(c.ctx, c.bucket, tags); err != nil {
		return err
	}
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}

func (c *call) deleteBucketTags() error {
	if err := c.store.SetBucketTags(c.ctx, c.bucket, nil); err != nil {
		return err
	}
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}

func (c *call) getObjectTags() error {
	info, err := c.store.StatVersion(c.ctx, c.bucket, c.key, c.version)
	if err != nil {
		return err
	}
	c.tellVersion(info.Version)
	return c.writeTags(info.Tags)
}

func (c *call) putObjectTags() error {
	tags, err := c.readTags()
	if err != nil {
		return err
	}
	info, err := c.store.SetTags(c.ctx, c.bucket, c.key, c.version, tags)
	if err != nil {
		return err
	}
	c.tellVersion(info.Version)
	return nil
}

func (c *call) deleteObjectTags() error {
	info, err := c.store.SetTags(c.ctx, c.bucket, c.key, c.version, nil)
	if err != nil {
		return err
	}
	c.tellVersion(info.Version)
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}
