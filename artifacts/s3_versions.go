package artifacts

import (
	"encoding/xml"
	"net/url"
)

// versioned tells whether the bucket of the request has, or had, versioning. Only then do answers name versions.
func (c *call) versioned() bool { return c.versionedBucket(c.bucket) }

func (c *call) versionedBucket(bucket string) bool {
	settings, err := c.store.settingsOf(c.ctx, bucket)
	return err == nil && settings.versioning != VersioningOff
}

// tellVersion names the version that the answer is about.
func (c *call) tellVersion(id string) {
	if id != "" && c.versioned() {
		c.w.Header().Set("X-Amz-Version-Id", id)
	}
}

type versioningXML struct {
	XMLName   xml.Name `xml:"VersioningConfiguration"`
	Xmlns     string   `xml:"xmlns,attr,omitempty"`
	Status    string   `xml:",omitempty"`
	MfaDelete string   `xml:",omitempty"`
}

// getVersioning serves GetBucketVersioning.
func (c *call) getVersioning() error {
	state, err := c.store.BucketVersioning(c.ctx, c.bucket)
	if err != nil {
		return err
	}
	return c.writeXML(versioningXML{Xmlns: s3Namespace, Status: string(state)})
}

// putVersioning serves PutBucketVersioning.
func (c *call) putVersioning() error {
	document, err := c.body.readDocument()
	if err != nil {
		return err
	}
	var doc versioningXML
	if err := unmarshalXML(document, &doc); err != nil {
		return err
	}
	if doc.MfaDelete == "Enabled" || c.headers.Get("X-Amz-Mfa") != "" {
		return &Error{codeNotImplemented, "MFA delete is not implemented here; nothing was changed."}
	}
	return c.store.SetBucketVersioning(c.ctx, c.bucket, Versioning(doc.Status))
}

type versionsXML struct {
	XMLName             xml.Name `xml:"ListVersionsResult"`
	Xmlns               string   `xml:"xmlns,attr"`
	Name                string
	Prefix              string
	KeyMarker           string
	VersionIDMarker     string `xml:"VersionIdMarker"`
	NextKeyMarker       string `xml:",omitempty"`
	NextVersionIDMarker string `xml:"NextVersionIdMarker,omitempty"`
	MaxKeys             int
	Delimiter           string `xml:",omitempty"`
	EncodingType        string `xml:",omitempty"`
	IsTruncated         bool
	Versions            []versionXML // Version and DeleteMarker, in one order
	CommonPrefixes      []prefixXML
}

type versionXML struct {
	XMLName           xml.Name
	Key               string
	VersionID         string `xml:"VersionId"`
	IsLatest          bool
	LastModified      string
	ETag              string `xml:",omitempty"`
	ChecksumAlgorithm string `xml:",omitempty"`
	ChecksumType      string `xml:",omitempty"`
	Size              *int64
	StorageClass      string `xml:",omitempty"`
	Owner             ownerXML
}

// listVersions serves ListObjectVersions.
func (c *call) listVersions() error {
	q := url.Values(c.query)
	o := VersionsOptions{Prefix: q.Get("prefix"), Delimiter: q.Get("delimiter"), AfterKey: q.Get("key-marker"), AfterVersion: q.Get("version-id-marker")}
	var err error
	if o.Max, err = pageSize(q, "max-keys"); err != nil {
		return err
	}
	doc := versionsXML{Xmlns: s3Namespace, Name: c.bucket, MaxKeys: o.Max}
	encode, err := encoding(q, &doc.EncodingType)
	if err != nil {
		return err
	}
	if q.Has("version-id-marker") {
		switch {
		case o.AfterVersion == "":
			return &Error{codeInvalidArgument, "A version-id marker cannot be empty."}
		case o.AfterKey == "":
			return &Error{codeInvalidArgument, "A version-id marker cannot be specified without a key marker."}
		case !validVersion(o.AfterVersion):
			return &Error{codeInvalidArgument, "Invalid version id specified"}
		}
	}
	page, err := c.store.ListVersions(c.ctx, c.bucket, o)
	if err != nil {
		return err
	}
	doc.Prefix, doc.Delimiter = encode(o.Prefix), encode(o.Delimiter)
	doc.KeyMarker, doc.VersionIDMarker = encode(o.AfterKey), o.AfterVersion
	if doc.IsTruncated = page.Truncated; page.Truncated {
		doc.NextKeyMarker, doc.NextVersionIDMarker = encode(page.LastKey), page.LastVersion
	}
	for _, v := range page.Versions {
		item := versionXML{
			XMLName: xml.Name{Local: "DeleteMarker"}, Key: encode(v.Key), VersionID: v.Version, IsLatest: v.Latest,
			LastModified: formatTime(v.Modified), Owner: ownerXML{ownerID, ownerName},
		}
		if !v.DeleteMarker {
			item.XMLName.Local = "Version"
			item.ETag, item.Size, item.StorageClass = `"`+v.ETag+`"`, &v.Size, className(v.StorageClass)
			item.ChecksumAlgorithm, item.ChecksumType = v.checksumKind()
		}
		doc.Versions = append(doc.Versions, item)
	}
	for _, p := range page.Prefixes {
		doc.CommonPrefixes = append(doc.CommonPrefixes, prefixXML{encode(p)})
	}
	return c.writeXML(doc)
}
