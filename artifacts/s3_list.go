package artifacts

import (
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// s3Time is how S3 writes times in XML, always with three digits of the fraction.
const s3Time = "2006-01-02T15:04:05.000Z"

// ownerID and ownerName are gofakes3's, so that every answer names the same owner.
const (
	ownerID   = "fe7272ea58be830e56fe1663b10fafef"
	ownerName = "GoFakeS3"
)

type ownerXML struct{ ID, DisplayName string }

type listXML struct {
	XMLName               xml.Name `xml:"ListBucketResult"`
	Xmlns                 string   `xml:"xmlns,attr"`
	Name                  string
	Prefix                string
	Marker                *string // v1
	NextMarker            string  `xml:",omitempty"` // v1
	StartAfter            string  `xml:",omitempty"` // v2
	ContinuationToken     string  `xml:",omitempty"` // v2
	NextContinuationToken string  `xml:",omitempty"` // v2
	KeyCount              *int    // v2
	MaxKeys               int
	Delimiter             string `xml:",omitempty"`
	EncodingType          string `xml:",omitempty"`
	IsTruncated           bool
	Contents              []listItemXML
	CommonPrefixes        []prefixXML
}

type listItemXML struct {
	Key, LastModified, ETag string
	ChecksumAlgorithm       string `xml:",omitempty"`
	ChecksumType            string `xml:",omitempty"`
	Size                    int64
	StorageClass            string
	Owner                   *ownerXML
}

type prefixXML struct{ Prefix string }

// listObjects serves ListObjects and ListObjectsV2.
func (c *call) listObjects() error {
	q := url.Values(c.query)
	v2 := q.Get("list-type") == "2"
	if t := q.Get("list-type"); t != "" && !v2 {
		return &Error{codeInvalidArgument, "Invalid list-type: " + t + ". The newest is 2."}
	}
	o := ListOptions{Prefix: q.Get("prefix"), Delimiter: q.Get("delimiter")}
	var err error
	if o.Max, err = pageSize(q, "max-keys"); err != nil {
		return err
	}
	doc := listXML{Xmlns: s3Namespace, Name: c.bucket, MaxKeys: o.Max}
	encode, err := encoding(q, &doc.EncodingType)
	if err != nil {
		return err
	}
	if v2 {
		o.After = q.Get("start-after")
		doc.StartAfter = encode(o.After)
		if token := q.Get("continuation-token"); token != "" {
			after, err := base64.RawURLEncoding.DecodeString(token)
			if err != nil {
				return &Error{codeInvalidArgument, "The continuation token provided is incorrect: pass on NextContinuationToken as it came."}
			}
			o.After, doc.ContinuationToken = string(after), token
		} else if q.Has("continuation-token") {
			return &Error{codeInvalidArgument, "The continuation token provided is incorrect: it is empty."}
		}
	} else {
		o.After = q.Get("marker")
		marker := encode(o.After)
		doc.Marker = &marker
	}
	page, err := c.store.List(c.ctx, c.bucket, o)
	if err != nil {
		return err
	}
	doc.Prefix, doc.Delimiter, doc.IsTruncated = encode(o.Prefix), encode(o.Delimiter), page.Truncated
	if v2 {
		count := len(page.Objects) + len(page.Prefixes)
		doc.KeyCount = &count
	}
	if page.Truncated {
		if v2 {
			doc.NextContinuationToken = base64.RawURLEncoding.EncodeToString([]byte(page.Last))
		} else if o.Delimiter != "" {
			doc.NextMarker = encode(page.Last)
		}
	}
	var owner *ownerXML
	if !v2 || q.Get("fetch-owner") == "true" {
		owner = &ownerXML{ownerID, ownerName}
	}
	doc.Contents = make([]listItemXML, len(page.Objects))
	for i, info := range page.Objects {
		item := listItemXML{
			Key: encode(info.Key), LastModified: formatTime(info.Modified), ETag: `"` + info.ETag + `"`,
			Size: info.Size, StorageClass: className(info.StorageClass), Owner: owner,
		}
		item.ChecksumAlgorithm, item.ChecksumType = info.checksumKind()
		doc.Contents[i] = item
	}
	for _, p := range page.Prefixes {
		doc.CommonPrefixes = append(doc.CommonPrefixes, prefixXML{encode(p)})
	}
	return c.writeXML(doc)
}

// pageSize reads how many entries a page may hold: 1000 at most, and unless said otherwise.
func pageSize(q url.Values, name string) (int, error) {
	n, err := wholeNumber(name, q.Get(name), 1000)
	return min(n, 1000), err
}

// wholeNumber reads a parameter or header that is a number; one that is absent has a default.
func wholeNumber(name, text string, absent int) (int, error) {
	if text == "" {
		return absent, nil
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil || n < 0 {
		return 0, &Error{codeInvalidArgument, name + " must be an integer between 0 and 2147483647, not " + text}
	}
	return int(n), nil
}

// encoding gives the function that spells keys in an answer as encoding-type asks, and says so in the answer.
func encoding(q url.Values, told *string) (func(string) string, error) {
	switch *told = q.Get("encoding-type"); *told {
	case "":
		return func(s string) string { return s }, nil
	case "url":
		return encodeKey, nil
	}
	return nil, &Error{codeInvalidArgument, "Invalid encoding-type: " + *told + ". Use url."}
}

// encodeKey is the url encoding of keys in listings: all but unreserved characters and slashes. A space is %20, which every
// decoder takes for one.
func encodeKey(s string) string {
	var b strings.Builder
	for i := range len(s) {
		switch ch := s[i]; {
		case 'a' <= ch && ch <= 'z', 'A' <= ch && ch <= 'Z', '0' <= ch && ch <= '9', strings.IndexByte("-_.~/*", ch) >= 0:
			b.WriteByte(ch)
		default:
			fmt.Fprintf(&b, "%%%02X", ch)
		}
	}
	return b.String()
}

// getLocation serves GetBucketLocation; us-east-1 is written as nothing.
func (c *call) getLocation() error {
	if err := c.store.needBucket(c.ctx, c.bucket); err != nil {
		return err
	}
	doc := struct {
		XMLName xml.Name `xml:"LocationConstraint"`
		Xmlns   string   `xml:"xmlns,attr"`
		Region  string   `xml:",chardata"`
	}{Xmlns: s3Namespace}
	if c.server.region != "us-east-1" {
		doc.Region = c.server.region
	}
	return c.writeXML(doc)
}

func formatTime(t time.Time) string { return t.UTC().Format(s3Time) }
