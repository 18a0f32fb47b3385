package artifacts

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// PresignOptions say which request a URL permits.
type PresignOptions struct {
	// Method is GET, PUT, HEAD or DELETE.
	Method string
	// Endpoint is the S3 server's base URL, for example http://localhost:9000.
	Endpoint          string
	Bucket, Key       string
	AccessKey, Secret string
	// Region defaults to us-east-1.
	Region string
	// Expires is rounded down to seconds; S3 takes 1 s to 7 days.
	Expires time.Duration
	// Now is when the life begins.
	Now time.Time
	// Query holds further parameters, for example response-content-disposition.
	Query url.Values
}

// Presign makes a URL that carries its own signature (Version 4), in path style.
func Presign(o PresignOptions) (string, error) {
	u, err := url.Parse(o.Endpoint)
	if err != nil {
		return "", err
	}
	if o.Region == "" {
		o.Region = "us-east-1"
	}
	date := o.Now.UTC().Format("20060102T150405Z")
	scope := date[:8] + "/" + o.Region + "/s3/aws4_request"
	q := url.Values{}
	maps.Copy(q, o.Query)
	q.Set("X-Amz-Algorithm", "AWS4-HMAC-SHA256")
	q.Set("X-Amz-Credential", o.AccessKey+"/"+scope)
	q.Set("X-Amz-Date", date)
	q.Set("X-Amz-Expires", strconv.FormatInt(int64(o.Expires/time.Second), 10))
	q.Set("X-Amz-SignedHeaders", "host")
	u.Path = "/" + o.Bucket + "/" + o.Key
	u.RawPath = escapePath(u.Path)
	u.RawQuery = canonicalQuery(q)
	canonical := sha256.Sum256([]byte(o.Method + "\n" + u.RawPath + "\n" + u.RawQuery + "\nhost:" + u.Host + "\n\nhost\nUNSIGNED-PAYLOAD"))
	text := "AWS4-HMAC-SHA256\n" + date + "\n" + scope + "\n" + hex.EncodeToString(canonical[:])
	u.RawQuery += "&X-Amz-Signature=" + hex.EncodeToString(hmacSHA256(signingKey(o.Secret, scope), text))
	return u.String(), nil
}

// escapePath percent-encodes all but unreserved characters and slashes, as Signature Version 4 wants it.
func escapePath(path string) string {
	return strings.ReplaceAll(encodeKey(path), "*", "%2A")
}

// canonicalQuery sorts and encodes a query as Signature Version 4 wants it.
func canonicalQuery(q url.Values) string { return strings.ReplaceAll(q.Encode(), "+", "%20") }
