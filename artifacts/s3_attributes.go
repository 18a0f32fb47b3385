package artifacts

import (
	"encoding/xml"
	"net/http"
	"strconv"
	"strings"
)

// selectPart makes the answer that of one part of the object, as a range of it.
func (c *call) selectPart(info ObjectInfo) error {
	parts, err := c.store.PartsOf(c.ctx, info)
	if err != nil {
		return err
	}
	if len(parts) == 0 { // an object that was put at once is one part
		parts = []Part{{Number: 1, Size: info.Size, ChecksumType: info.ChecksumType, Checksum: info.Checksum}}
	}
	for _, p := range parts {
		if p.Number != c.partNumber {
			continue
		}
		if p.Size > 0 {
			c.span = &span{p.Start, p.Start + p.Size - 1}
		}
		c.part = &p
		if n := info.Parts(); n > 0 {
			c.w.Header().Set("X-Amz-Mp-Parts-Count", strconv.Itoa(n))
		}
		return nil
	}
	return &Error{"InvalidPartNumber", "The requested partnumber is not satisfiable"}
}

type attributesXML struct {
	XMLName      xml.Name        `xml:"GetObjectAttributesResponse"`
	Xmlns        string          `xml:"xmlns,attr"`
	ETag         string          `xml:",omitempty"`
	Checksum     *objectChecksum `xml:",omitempty"`
	ObjectParts  *objectPartsXML `xml:",omitempty"`
	StorageClass string          `xml:",omitempty"`
	ObjectSize   *int64          `xml:",omitempty"`
}

type objectChecksum struct {
	checksumXML
	ChecksumType string
}

type objectPartsXML struct {
	PartsCount           int
	PartNumberMarker     int
	NextPartNumberMarker int
	MaxParts             int
	IsTruncated          bool
	Parts                []objectPartXML
}

type objectPartXML struct {
	XMLName    xml.Name `xml:"Part"`
	PartNumber int
	Size       int64
	checksumXML
}

// getAttributes serves GetObjectAttributes.
func (c *call) getAttributes() error {
	wanted := map[string]bool{}
	for name := range strings.SplitSeq(strings.Join(c.headers.Values("X-Amz-Object-Attributes"), ","), ",") {
		switch name = strings.TrimSpace(name); name {
		case "":
		case "ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize":
			wanted[name] = true
		default:
			return &Error{codeInvalidArgument, "Invalid attribute name specified: " + name + ". Use ETag, Checksum, ObjectParts, StorageClass or ObjectSize."}
		}
	}
	if len(wanted) == 0 {
		return &Error{codeInvalidRequest, "The x-amz-object-attributes header specifying the attributes to be retrieved is either missing or empty"}
	}
	most, err := wholeNumber("x-amz-max-parts", c.headers.Get("X-Amz-Max-Parts"), 1000)
	if err != nil {
		return err
	}
	after, err := wholeNumber("x-amz-part-number-marker", c.headers.Get("X-Amz-Part-Number-Marker"), 0)
	if err != nil {
		return err
	}
	info, err := c.store.StatVersion(c.ctx, c.bucket, c.key, c.version)
	if err != nil {
		return err
	}
	if err := c.read.check(info); err != nil {
		return err
	}
	c.tellVersion(info.Version)
	c.w.Header().Set("Last-Modified", info.Modified.Format(http.TimeFormat))
	doc := attributesXML{Xmlns: s3Namespace}
	if wanted["ETag"] {
		doc.ETag = info.ETag // without quotes, as on AWS
	}
	if _, kind := info.checksumKind(); wanted["Checksum"] && kind != "" {
		doc.Checksum = &objectChecksum{newChecksumXML(info.ChecksumType, bareChecksum(info.Checksum)), kind}
	}
	if wanted["StorageClass"] {
		doc.StorageClass = className(info.StorageClass)
	}
	if wanted["ObjectSize"] {
		doc.ObjectSize = &info.Size
	}
	if wanted["ObjectParts"] && info.Parts() > 0 {
		if doc.ObjectParts, err = c.objectParts(info, after, min(most, 1000)); err != nil {
			return err
		}
	}
	return c.writeXML(doc)
}

// objectParts lists the parts numbered above after. As on AWS, those without checksum are only counted.
func (c *call) objectParts(info ObjectInfo, after, most int) (*objectPartsXML, error) {
	parts, err := c.store.PartsOf(c.ctx, info)
	if err != nil {
		return nil, err
	}
	doc := &objectPartsXML{PartsCount: len(parts), PartNumberMarker: after, NextPartNumberMarker: after, MaxParts: most}
	for _, p := range parts {
		if p.Number <= after || p.Checksum == "" || p.ChecksumType != info.ChecksumType {
			continue
		}
		if len(doc.Parts) == most {
			doc.IsTruncated = most > 0
			break
		}
		doc.Parts = append(doc.Parts, objectPartXML{PartNumber: p.Number, Size: p.Size, checksumXML: newChecksumXML(p.ChecksumType, p.Checksum)})
		doc.NextPartNumberMarker = p.Number
	}
	return doc, nil
}
