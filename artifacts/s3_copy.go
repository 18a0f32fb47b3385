package artifacts

import (
	"encoding/xml"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

type copyXML struct {
	XMLName            xml.Name
	Xmlns              string `xml:"xmlns,attr"`
	LastModified, ETag string
	checksumXML
	ChecksumType string `xml:",omitempty"`
}

// copySource reads x-amz-copy-source: BUCKET/KEY, percent-encoded, perhaps with a leading slash and ?versionId=ID.
func (c *call) copySource() (bucket, key, version string, err error) {
	text, version, versioned := strings.Cut(c.r.Header.Get("X-Amz-Copy-Source"), "?versionId=")
	if versioned && !validVersion(version) {
		return "", "", "", &Error{codeInvalidArgument, "Invalid version id specified"}
	}
	text, err = url.PathUnescape(text)
	bucket, key, _ = strings.Cut(strings.TrimPrefix(text, "/"), "/")
	if err != nil || bucket == "" || key == "" {
		return "", "", "", &Error{codeInvalidArgument, "Copy Source must mention the source bucket and key: sourcebucket/sourcekey, URL-encoded."}
	}
	err = c.withKey(bucket, key, version, func(k string) error {
		info, err := c.store.StatVersion(c.ctx, bucket, k, version)
		if err == nil {
			key = k
			err = c.sourceConditions().checkSource(info)
		}
		return copySourceError(err)
	})
	return bucket, key, version, err
}

func (c *call) sourceConditions() Conditions { return conditionsOf(c.r.Header, copySourcePrefix) }

// copyObject serves CopyObject.
func (c *call) copyObject() error {
	bucket, key, version, err := c.copySource()
	if err != nil {
		return err
	}
	h := c.r.Header
	o := CopyOptions{SourceVersion: version, Source: c.sourceConditions(), Target: c.write, Redirect: h.Get(redirectHeader)}
	headers, metadata, tags, class, err := describedObject(h)
	if err != nil {
		return err
	}
	o.StorageClass = class
	switch directive := h.Get("X-Amz-Metadata-Directive"); directive {
	case "", "COPY":
		changes := version != "" || h.Get("X-Amz-Storage-Class") != "" || o.Redirect != ""
		if bucket == c.bucket && key == c.key && !changes {
			return &Error{codeInvalidRequest, "This copy request is illegal because it is trying to copy an object to itself without changing " +
				"the object's metadata, storage class or website redirect location: set x-amz-metadata-directive to REPLACE."}
		}
	case "REPLACE":
		o.Replace, o.Headers, o.Metadata = true, headers, metadata
	default:
		return &Error{codeInvalidArgument, "Unknown metadata directive " + directive + ": use COPY or REPLACE."}
	}
	switch directive := h.Get("X-Amz-Tagging-Directive"); directive {
	case "", "COPY":
	case "REPLACE":
		o.ReplaceTags, o.Tags = true, tags
	default:
		return &Error{codeInvalidArgument, "Unknown tagging directive " + directive + ": use COPY or REPLACE."}
	}
	if name := h.Get("X-Amz-Checksum-Algorithm"); name != "" {
		if o.Checksum, _, err = uploadChecksum(http.Header{"X-Amz-Checksum-Algorithm": {name}}); err != nil {
			return err
		}
	}
	if o.ACL, err = aclOf(h); err != nil {
		return err
	}
	info, source, err := c.store.Copy(c.ctx, bucket, key, c.bucket, c.key, o)
	if err != nil {
		return err
	}
	c.tellVersion(info.Version)
	c.tellSource(source)
	_, kind := info.checksumKind()
	return c.writeXML(copyXML{
		xml.Name{Local: "CopyObjectResult"},
		s3Namespace, formatTime(info.Modified), `"` + info.ETag + `"`,
		newChecksumXML(info.ChecksumType, info.Checksum), kind,
	})
}

// tellSource names the version that was copied.
func (c *call) tellSource(source ObjectInfo) {
	if c.versionedBucket(source.Bucket) {
		c.w.Header().Set("X-Amz-Copy-Source-Version-Id", source.Version)
	}
}

// copyPart serves UploadPartCopy.
func (c *call) copyPart() error {
	query := url.Values(c.query)
	number, err := strconv.Atoi(query.Get("partNumber"))
	if err != nil {
		return &Error{codeInvalidArgument, "partNumber must be an integer between 1 and 10000."}
	}
	upload, err := c.store.Upload(c.ctx, c.bucket, c.key, query.Get("uploadId"))
	if err != nil {
		return err
	}
	bucket, key, version, err := c.copySource()
	if err != nil {
		return err
	}
	r, err := c.store.OpenVersion(c.ctx, bucket, key, version)
	if err != nil {
		return copySourceError(err)
	}
	defer func() { _ = r.Close() }()
	if err := c.sourceConditions().checkSource(r.ObjectInfo); err != nil {
		return err
	}
	start, length := int64(0), r.Size
	if header := c.r.Header.Get("X-Amz-Copy-Source-Range"); header != "" {
		span := parseSpan(header)
		if span == nil || span.first < 0 || span.last < 0 || span.last >= r.Size {
			return &Error{codeInvalidArgument, "The x-amz-copy-source-range value must be of the form bytes=first-last, within the source object."}
		}
		if start, length, err = span.of(r.Size); err != nil {
			return err
		}
	}
	if _, err := r.Seek(start, io.SeekStart); err != nil {
		return err
	}
	p, err := c.store.PutPart(c.ctx, c.bucket, c.key, upload.ID, number, io.LimitReader(r, length), Expect{Size: length, Checksum: upload.Checksum})
	if err != nil {
		return err
	}
	c.tellSource(r.ObjectInfo)
	return c.writeXML(copyXML{
		xml.Name{Local: "CopyPartResult"},
		s3Namespace, formatTime(p.Modified), `"` + p.ETag + `"`,
		newChecksumXML(p.ChecksumType, p.Checksum), "",
	})
}
