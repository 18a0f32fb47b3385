package artifacts

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxSkew is how far a request's time may be from ours, as on AWS.
const maxSkew = 15 * time.Minute

// signedByV2 are the query parameters that belong to what Signature Version 2 signs, as AWS's "signing and authenticating REST requests" and
// botocore have them. Others are not covered by the signature.
const signedByV2 = "accelerate acl analytics cors defaultObjectAcl delete inventory lifecycle location logging metrics notification " +
	"object-lock partNumber policy replication requestPayment restore select select-type storageClass tagging torrent uploadId uploads versionId " +
	"versioning versions website " + responseParams

// isV2 tells a request that is signed with Version 2.
func isV2(authorization string, query url.Values) bool {
	return strings.HasPrefix(authorization, "AWS ") || authorization == "" && query.Has("AWSAccessKeyId")
}

// authenticateV2 verifies Signature Version 2, in the Authorization header or in the query, over the path as it was sent. The bucket
// is the one that the host names, empty for path style: its name is part of what is signed.
func authenticateV2(r *http.Request, query url.Values, hostBucket string, keys func(string) (string, bool), now time.Time) (identity, error) {
	id := identity{version: 2}
	var signature, date string
	if authorization := r.Header.Get("Authorization"); authorization != "" {
		var ok bool
		if id.accessKey, signature, ok = strings.Cut(strings.TrimPrefix(authorization, "AWS "), ":"); !ok {
			return id, &Error{codeInvalidArgument, "Authorization header is invalid: Version 2 has the form AWS ACCESS-KEY:SIGNATURE. Better sign with Version 4."}
		}
		sent := r.Header.Get("X-Amz-Date")
		if sent == "" {
			sent = r.Header.Get("Date")
			date = sent
		}
		t, err := parseHTTPTime(sent)
		if err != nil {
			return id, &Error{codeAccessDenied, "AWS authentication requires a valid Date or x-amz-date header"}
		}
		if skew := now.Sub(t); skew > maxSkew || skew < -maxSkew {
			return id, &Error{"RequestTimeTooSkewed", "The difference between the request time and the current time is too large."}
		}
	} else {
		id.presigned = true
		liftHeaders(r.Header, query)
		id.accessKey, signature, date = query.Get("AWSAccessKeyId"), query.Get("Signature"), query.Get("Expires")
		if signature == "" || date == "" {
			return id, &Error{codeAccessDenied, "Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters"}
		}
		expires, err := strconv.ParseInt(date, 10, 64)
		if err != nil {
			return id, &Error{codeAccessDenied, "Invalid date (should be seconds since epoch): " + date}
		}
		if now.Unix() > expires {
			return id, &Error{codeAccessDenied, "Request has expired"}
		}
	}
	secret, ok := keys(id.accessKey)
	if !ok {
		return id, unknownKey()
	}
	id.secret = secret
	// In a URL, a + that was not encoded arrives as a space; base64 has none.
	got, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(signature, " ", "+"))
	if err != nil || !hmac.Equal(got, signatureV2(r, query, hostBucket, secret, date)) {
		return id, &Error{codeSignature, "The request signature we calculated does not match the signature you provided. Check your key and signing method."}
	}
	return id, nil
}

// liftHeaders makes headers of those that stand in the query: botocore puts there what it signed as headers, the token of a session too. A
// header that was sent counts more; the signature is over the headers either way.
func liftHeaders(h http.Header, query url.Values) {
	for name, values := range query {
		if lower := strings.ToLower(name); lower == name && (strings.HasPrefix(name, "x-amz-") || name == "content-type" || name == "content-md5") {
			if key := http.CanonicalHeaderKey(name); h.Get(key) == "" {
				h[key] = values
			}
			delete(query, name)
		}
	}
}

// signatureV2 is the HMAC-SHA1 of the method, four headers, the x-amz- headers, and the resource with its signed parameters.
func signatureV2(r *http.Request, query url.Values, hostBucket, secret, date string) []byte {
	h := hmac.New(sha1.New, []byte(secret))
	_, _ = fmt.Fprintf(h, "%s\n%s\n%s\n%s\n", r.Method, r.Header.Get("Content-Md5"), r.Header.Get("Content-Type"), date) // a hash takes all
	headers := map[string]string{}
	for name, values := range r.Header {
		name = strings.ToLower(name)
		if strings.HasPrefix(name, "x-amz-") {
			trimmed := make([]string, len(values))
			for i, v := range values {
				trimmed[i] = strings.TrimSpace(v)
			}
			headers[name] = strings.Join(trimmed, ",")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		_, _ = h.Write([]byte(name + ":" + headers[name] + "\n"))
	}
	path := r.URL.EscapedPath()
	if hostBucket != "" {
		path = "/" + hostBucket + path
	}
	_, _ = h.Write([]byte(path))
	separator := "?"
	for _, name := range slices.Sorted(maps.Keys(query)) {
		if !containsField(signedByV2, name) {
			continue
		}
		for _, value := range query[name] {
			text := separator + name
			if value != "" {
				text += "=" + value
			}
			_, _ = h.Write([]byte(text))
			separator = "&"
		}
	}
	return h.Sum(nil)
}

// checkV2 refuses an operation that a signature of Version 2 does not cover: a URL for reading an object must not serve to read its attributes.
func (id identity) checkV2(op operation) error {
	if id.version == 2 && op.resource != "" && !containsField(signedByV2, op.resource) {
		return &Error{codeInvalidRequest, "Signature Version 2 does not cover ?" + op.resource + ": sign with Version 4 (AWS4-HMAC-SHA256); in boto3, " +
			`s3fs and other botocore clients: Config(signature_version="s3v4").`}
	}
	return nil
}

// parseHTTPTime reads a Date header. Clients of Version 2 write RFC 1123 with a zone of numbers too.
func parseHTTPTime(text string) (time.Time, error) {
	if t, err := http.ParseTime(text); err == nil {
		return t, nil
	}
	return time.Parse(time.RFC1123Z, text)
}
