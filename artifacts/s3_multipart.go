package artifacts

import (
	"encoding/xml"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// checksumXML holds a checksum in the element of its algorithm.
type checksumXML struct {
	ChecksumCRC32     string `xml:",omitempty"`
	ChecksumCRC32C    string `xml:",omitempty"`
	ChecksumCRC64NVME string `xml:",omitempty"`
	ChecksumSHA1      string `xml:",omitempty"`
	ChecksumSHA256    string `xml:",omitempty"`
}

func newChecksumXML(algorithm, value string) checksumXML {
	var c checksumXML
	switch algorithm {
	case "crc32":
		c.ChecksumCRC32 = value
	case "crc32c":
		c.ChecksumCRC32C = value
	case "crc64nvme":
		c.ChecksumCRC64NVME = value
	case "sha1":
		c.ChecksumSHA1 = value
	case "sha256":
		c.ChecksumSHA256 = value
	}
	return c
}

// value is the checksum with its algorithm; both are empty if there is none.
func (c checksumXML) value() (algorithm, value string) {
	switch {
	case c.ChecksumCRC32 != "":
		return "crc32", c.ChecksumCRC32
	case c.ChecksumCRC32C != "":
		return "crc32c", c.ChecksumCRC32C
	case c.ChecksumCRC64NVME != "":
		return "crc64nvme", c.ChecksumCRC64NVME
	case c.ChecksumSHA1 != "":
		return "sha1", c.ChecksumSHA1
	case c.ChecksumSHA256 != "":
		return "sha256", c.ChecksumSHA256
	}
	return "", ""
}

// checksumKind spells algorithm and type of an object's checksum; both are empty if it has none.
func (info ObjectInfo) checksumKind() (algorithm, kind string) {
	switch {
	case info.ChecksumType == "" || info.Checksum == "":
		return "", ""
	case strings.Contains(info.Checksum, "-"):
		return strings.ToUpper(info.ChecksumType), checksumComposite
	}
	return strings.ToUpper(info.ChecksumType), checksumFull
}

// createUpload serves CreateMultipartUpload.
func (c *call) createUpload() error {
	var o UploadOptions
	var err error
	if o.Checksum, o.FullObject, err = uploadChecksum(c.headers); err != nil {
		return err
	}
	if o.Headers, o.Metadata, o.Tags, o.StorageClass, err = describedObject(c.headers); err != nil {
		return err
	}
	id, err := c.store.CreateUpload(c.ctx, c.bucket, c.key, o)
	if err != nil {
		return err
	}
	if o.Checksum != "" {
		c.w.Header().Set("X-Amz-Checksum-Algorithm", strings.ToUpper(o.Checksum))
		c.w.Header().Set("X-Amz-Checksum-Type", UploadInfo{UploadOptions: o}.checksumType())
	}
	return c.writeXML(struct {
		XMLName     xml.Name `xml:"InitiateMultipartUploadResult"`
		Xmlns       string   `xml:"xmlns,attr"`
		Bucket, Key string
		UploadID    string `xml:"UploadId"`
	}{Xmlns: s3Namespace, Bucket: c.bucket, Key: c.key, UploadID: id})
}

// uploadChecksum reads which checksum an upload shall have.
func uploadChecksum(h http.Header) (algorithm string, full bool, err error) {
	name, kind := h.Get("X-Amz-Checksum-Algorithm"), strings.ToUpper(h.Get("X-Amz-Checksum-Type"))
	algorithm = checksumName(name)
	switch {
	case name != "" && algorithm == "":
		return "", false, &Error{codeInvalidRequest, "Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]"}
	case kind != "" && kind != checksumFull && kind != checksumComposite:
		return "", false, &Error{codeInvalidRequest, "Value for x-amz-checksum-type header is invalid: use COMPOSITE or FULL_OBJECT."}
	case kind != "" && name == "":
		return "", false, &Error{codeInvalidRequest, "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header."}
	case kind == checksumFull && strings.HasPrefix(algorithm, "sha"), kind == checksumComposite && algorithm == "crc64nvme":
		return "", false, &Error{codeInvalidRequest, "The " + kind + " checksum type cannot be used with the " + algorithm + " checksum algorithm."}
	}
	return algorithm, kind == checksumFull || algorithm == "crc64nvme", nil
}

// putPart serves UploadPart.
func (c *call) putPart() error {
	q := url.Values(c.query)
	number, err := strconv.Atoi(q.Get("partNumber"))
	if err != nil {
		return &Error{codeInvalidArgument, "partNumber must be an integer between 1 and 10000."}
	}
	p, err := c.store.PutPart(c.ctx, c.bucket, c.key, q.Get("uploadId"), number, c.body, c.body.Expect)
	if err == nil {
		c.info = &ObjectInfo{ETag: p.ETag, ChecksumType: p.ChecksumType, Checksum: p.Checksum}
	}
	return err
}

// abortUpload serves AbortMultipartUpload.
func (c *call) abortUpload() error {
	if err := c.store.AbortUpload(c.ctx, c.bucket, c.key, url.Values(c.query).Get("uploadId")); err != nil {
		return err
	}
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}

type completeXML struct {
	XMLName xml.Name `xml:"CompleteMultipartUpload"`
	Parts   []struct {
		PartNumber int
		ETag       string
		checksumXML
	} `xml:"Part"`
}

// completeUpload serves CompleteMultipartUpload.
func (c *call) completeUpload() error {
	c.body.Checksum, c.body.ChecksumValue = "", nil // the header's checksum is the object's, not this document's
	document, err := c.body.readDocument()
	if err != nil {
		return err
	}
	var in completeXML
	if err := unmarshalXML(document, &in); err != nil {
		return err
	}
	parts := make([]PartInfo, len(in.Parts))
	for i, p := range in.Parts {
		parts[i] = PartInfo{Number: p.PartNumber, ETag: p.ETag}
		parts[i].ChecksumType, parts[i].Checksum = p.value()
	}
	o := CompleteOptions{Conditions: c.write, ChecksumType: strings.ToUpper(c.headers.Get("X-Amz-Checksum-Type"))}
	if text := c.headers.Get("X-Amz-Mp-Object-Size"); text != "" {
		size, err := strconv.ParseInt(text, 10, 64)
		if err != nil || size < 0 {
			return &Error{codeInvalidRequest, "Value for x-amz-mp-object-size header is invalid: it is a number of bytes."}
		}
		o.Size = &size
	}
	algorithm, value, err := declaredChecksum(c.headers)
	if err != nil {
		return err
	}
	if value != nil {
		o.Checksum, o.Algorithm = value(), algorithm
	}
	info, err := c.store.CompleteUpload(c.ctx, c.bucket, c.key, url.Values(c.query).Get("uploadId"), parts, o)
	if err != nil {
		return err
	}
	c.tellVersion(info.Version)
	_, kind := info.checksumKind()
	return c.writeXML(struct {
		XMLName                     xml.Name `xml:"CompleteMultipartUploadResult"`
		Xmlns                       string   `xml:"xmlns,attr"`
		Location, Bucket, Key, ETag string
		checksumXML
		ChecksumType string `xml:",omitempty"`
	}{
		Xmlns: s3Namespace, Location: c.location(), Bucket: c.bucket, Key: c.key, ETag: `"` + info.ETag + `"`,
		checksumXML: newChecksumXML(info.ChecksumType, info.Checksum), ChecksumType: kind,
	})
}

// location is the address of the object, as the client would ask for it.
func (c *call) location() string {
	at := url.URL{Scheme: "http", Host: c.r.Host, Path: "/" + c.key}
	if c.r.TLS != nil {
		at.Scheme = "https"
	}
	if c.hostBucket == "" {
		at.Path = "/" + c.bucket + at.Path
	}
	at.RawPath = escapePath(at.Path)
	return at.String()
}

type partsXML struct {
	XMLName              xml.Name `xml:"ListPartsResult"`
	Xmlns                string   `xml:"xmlns,attr"`
	Bucket, Key          string
	UploadID             string `xml:"UploadId"`
	Initiator, Owner     ownerXML
	StorageClass         string
	PartNumberMarker     int
	NextPartNumberMarker int
	MaxParts             int
	IsTruncated          bool
	ChecksumAlgorithm    string `xml:",omitempty"`
	ChecksumType         string `xml:",omitempty"`
	Parts                []partXML
}

type partXML struct {
	XMLName      xml.Name `xml:"Part"`
	PartNumber   int
	LastModified string
	ETag         string
	Size         int64
	checksumXML
}

// listParts serves ListParts.
func (c *call) listParts() error {
	q := url.Values(c.query)
	most, err := pageSize(q, "max-parts")
	if err != nil {
		return err
	}
	after, err := wholeNumber("part-number-marker", q.Get("part-number-marker"), 0)
	if err != nil {
		return err
	}
	u, err := c.store.Upload(c.ctx, c.bucket, c.key, q.Get("uploadId"))
	if err != nil {
		return err
	}
	var parts []PartInfo
	doc := partsXML{
		Xmlns: s3Namespace, Bucket: c.bucket, Key: c.key, UploadID: u.ID, Initiator: ownerXML{ownerID, ownerName}, Owner: ownerXML{ownerID, ownerName},
		StorageClass: className(u.StorageClass), PartNumberMarker: after, NextPartNumberMarker: after, MaxParts: most,
	}
	if most > 0 {
		if parts, doc.IsTruncated, err = c.store.ListParts(c.ctx, c.bucket, c.key, u.ID, after, most); err != nil {
			return err
		}
	}
	if u.Checksum == "" {
		u.Checksum, u.FullObject = defaultChecksum, true
	}
	doc.ChecksumAlgorithm, doc.ChecksumType = strings.ToUpper(u.Checksum), u.checksumType()
	for _, p := range parts {
		doc.Parts = append(doc.Parts, partXML{
			PartNumber: p.Number, LastModified: formatTime(p.Modified), ETag: `"` + p.ETag + `"`, Size: p.Size,
			checksumXML: newChecksumXML(p.ChecksumType, p.Checksum),
		})
		doc.NextPartNumberMarker = p.Number
	}
	return c.writeXML(doc)
}

type uploadsXML struct {
	XMLName            xml.Name `xml:"ListMultipartUploadsResult"`
	Xmlns              string   `xml:"xmlns,attr"`
	Bucket             string
	KeyMarker          string
	UploadIDMarker     string `xml:"UploadIdMarker"`
	NextKeyMarker      string `xml:",omitempty"`
	NextUploadIDMarker string `xml:"NextUploadIdMarker,omitempty"`
	Prefix             string
	Delimiter          string `xml:",omitempty"`
	EncodingType       string `xml:",omitempty"`
	MaxUploads         int
	IsTruncated        bool
	Uploads            []uploadXML
	CommonPrefixes     []prefixXML
}

type uploadXML struct {
	XMLName           xml.Name `xml:"Upload"`
	Key               string
	UploadID          string `xml:"UploadId"`
	Initiator, Owner  ownerXML
	StorageClass      string
	Initiated         string
	ChecksumAlgorithm string `xml:",omitempty"`
	ChecksumType      string `xml:",omitempty"`
}

// listUploads serves ListMultipartUploads.
func (c *call) listUploads() error {
	q := url.Values(c.query)
	o := UploadsOptions{Prefix: q.Get("prefix"), Delimiter: q.Get("delimiter"), AfterKey: q.Get("key-marker"), AfterID: q.Get("upload-id-marker")}
	var err error
	if o.Max, err = pageSize(q, "max-uploads"); err != nil {
		return err
	}
	doc := uploadsXML{Xmlns: s3Namespace, Bucket: c.bucket, MaxUploads: o.Max, UploadIDMarker: o.AfterID}
	encode, err := encoding(q, &doc.EncodingType)
	if err != nil {
		return err
	}
	if o.AfterKey == "" {
		o.AfterID = "" // as on AWS, an id alone does not count
	}
	page, err := c.store.ListUploads(c.ctx, c.bucket, o)
	if err != nil {
		return err
	}
	doc.KeyMarker, doc.Prefix, doc.Delimiter = encode(o.AfterKey), encode(o.Prefix), encode(o.Delimiter)
	if doc.IsTruncated = page.Truncated; page.Truncated {
		doc.NextKeyMarker, doc.NextUploadIDMarker = encode(page.LastKey), page.LastID
	}
	for _, u := range page.Uploads {
		item := uploadXML{
			Key: encode(u.Key), UploadID: u.ID, Initiated: formatTime(u.Started), StorageClass: className(u.StorageClass),
			Initiator: ownerXML{ownerID, ownerName}, Owner: ownerXML{ownerID, ownerName},
		}
		if u.Checksum != "" {
			item.ChecksumAlgorithm, item.ChecksumType = strings.ToUpper(u.Checksum), u.checksumType()
		}
		doc.Uploads = append(doc.Uploads, item)
	}
	for _, p := range page.Prefixes {
		doc.CommonPrefixes = append(doc.CommonPrefixes, prefixXML{encode(p)})
	}
	return c.writeXML(doc)
}
