package artifacts

import (
	"encoding/xml"
	"io"
	"net/url"
	"strconv"
	"strings"
)

type copyXML struct {
	XMLName            xml.Name
	Xmlns              string `xml:"xmlns,attr"`
	LastModified, ETag string
}

// copySource reads x-amz-copy-source: BUCKET/KEY, percent-encoded, perhaps with a leading slash and ?versionId=null.
func (c *call) copySource() (bucket, key string, err error) {
	text, version, _ := strings.Cut(c.r.Header.Get("X-Amz-Copy-Source"), "?versionId=")
	if version != "" && version != "null" {
		return "", "", &Error{codeInvalidArgument, "Invalid version id specified: versioning is not implemented here, the only version is null."}
	}
	text, err = url.PathUnescape(text)
	bucket, key, _ = strings.Cut(strings.TrimPrefix(text, "/"), "/")
	if err != nil || bucket == "" || key == "" {
		return "", "", &Error{codeInvalidArgument, "Copy Source must mention the source bucket and key: sourcebucket/sourcekey, URL-encoded."}
	}
	err = c.withKey(key, func(k string) error {
		info, err := c.store.Stat(c.ctx, bucket, k)
		if err == nil {
			key = k
			err = c.sourceConditions().check(info)
		}
		if isCode(err, codeNotModified) { // there is no 304 for a copy
			err = preconditionFailed("x-amz-copy-source-if-none-match or -if-modified-since")
		}
		return err
	})
	return bucket, key, err
}

func (c *call) sourceConditions() readConditions {
	return readConditionsOf(c.r.Header, "X-Amz-Copy-Source-")
}

// copyObject serves CopyObject.
func (c *call) copyObject() error {
	bucket, key, err := c.copySource()
	if err != nil {
		return err
	}
	o := CopyOptions{Source: c.sourceConditions().Conditions, Target: c.write}
	switch directive := c.r.Header.Get("X-Amz-Metadata-Directive"); directive {
	case "", "COPY":
		if bucket == c.bucket && key == c.key {
			return &Error{codeInvalidRequest, "This copy request is illegal because it is trying to copy an object to itself without changing " +
				"the object's metadata: set x-amz-metadata-directive to REPLACE."}
		}
	case "REPLACE":
		o.Replace = true
		o.Headers, o.Metadata = storedHeaders(c.r.Header)
	default:
		return &Error{codeInvalidArgument, "Unknown metadata directive " + directive + ": use COPY or REPLACE."}
	}
	if o.ACL, err = aclOf(c.r.Header); err != nil {
		return err
	}
	info, err := c.store.Copy(c.ctx, bucket, key, c.bucket, c.key, o)
	if err != nil {
		return err
	}
	return c.writeXML(copyXML{xml.Name{Local: "CopyObjectResult"}, s3Namespace, formatTime(info.Modified), `"` + info.ETag + `"`})
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
	bucket, key, err := c.copySource()
	if err != nil {
		return err
	}
	r, err := c.store.Open(c.ctx, bucket, key)
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }()
	if err := c.sourceConditions().check(r.ObjectInfo); err != nil {
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
	return c.writeXML(copyXML{xml.Name{Local: "CopyPartResult"}, s3Namespace, formatTime(p.Modified), `"` + p.ETag + `"`})
}
