package artifacts

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/rclone/gofakes3/signature"
)

// identity is what a verified signature says.
type identity struct {
	accessKey, secret string
	// scope is DATE/REGION/s3/aws4_request, date the request's time as signed, seed its signature: what the signatures of a
	// chunked body build on.
	scope, date, seed string
	presigned         bool
}

// authenticate verifies the request's Signature Version 4, in headers or query, over path and host as they were sent.
func authenticate(r *http.Request, query url.Values, keys func(string) (string, bool)) (identity, error) {
	authorization := r.Header.Get("Authorization")
	switch {
	case strings.HasPrefix(authorization, "AWS "), authorization == "" && query.Has("AWSAccessKeyId") && query.Has("Signature"):
		return identity{}, &Error{codeInvalidRequest, "Signature Version 2 is not supported: sign with Version 4. In boto3, s3fs and other " +
			`botocore clients: Config(signature_version="s3v4"), or MLflow's default; other clients: set the signature version to v4 (AWS4-HMAC-SHA256).`}
	case authorization == "" && !query.Has("X-Amz-Signature"):
		return identity{}, &Error{codeAccessDenied, "Access Denied: the request carries no signature. Set the access key and the secret key."}
	}
	var id identity
	code := signature.V4SignVerifyWithLookup(r, func(accessKey string) (string, bool) {
		secret, ok := keys(accessKey)
		id.accessKey, id.secret = accessKey, secret
		return secret, ok
	})
	if code != signature.ErrNone {
		return identity{}, authError(code)
	}
	if id.presigned = authorization == ""; id.presigned {
		_, id.scope, _ = strings.Cut(query.Get("X-Amz-Credential"), "/")
		return id, nil
	}
	for field := range strings.SplitSeq(strings.TrimPrefix(authorization, "AWS4-HMAC-SHA256"), ",") {
		switch name, value, _ := strings.Cut(strings.TrimSpace(field), "="); name {
		case "Credential":
			id.scope = strings.TrimPrefix(value, id.accessKey+"/")
		case "Signature":
			id.seed = value
		}
	}
	id.date = r.Header.Get("X-Amz-Date")
	return id, nil
}

// authError gives the verifier's codes the spelling and status of S3's.
func authError(code signature.ErrorCode) error {
	e := signature.GetAPIError(code)
	switch e.Code {
	case "AuthorizationQueryParameterserror", "AuthorizationParameterserror", "MissingFields":
		return &Error{"AuthorizationHeaderMalformed", "The authorization header or query is malformed: " + e.Description}
	case "UnsupportedAlgorithm":
		return &Error{codeInvalidRequest, "The authorization mechanism is not supported: use AWS4-HMAC-SHA256."}
	case "":
		return &Error{codeAccessDenied, "Access Denied"}
	}
	if e.HTTPStatusCode == http.StatusForbidden && statuses[e.Code] != http.StatusForbidden {
		return &Error{codeAccessDenied, e.Description}
	}
	return &Error{e.Code, e.Description}
}
