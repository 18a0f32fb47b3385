package artifacts

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/rclone/gofakes3/signature"
)

// identity is what a verified signature says.
type identity struct {
	accessKey, secret string
	// version is 4 or 2, or 0 for a request that carries no signature.
	version int
	// scope is DATE/REGION/s3/aws4_request, date the request's time as signed, seed its signature: what the signatures of a
	// chunked body build on.
	scope, date, seed string
	presigned         bool
}

func (id identity) anonymous() bool { return id.version == 0 }

// authenticate verifies the request's signature, in headers or query, over path and host as they were sent. One that carries none is
// anonymous. The parameters of Version 2 are taken out of the query, those of Version 4 have names of their own.
func authenticate(r *http.Request, query url.Values, hostBucket string, keys func(string) (string, bool)) (identity, error) {
	authorization := r.Header.Get("Authorization")
	switch {
	case isV2(authorization, query):
		id, err := authenticateV2(r, query, hostBucket, keys, time.Now())
		for _, name := range []string{"AWSAccessKeyId", "Signature", "Expires"} {
			query.Del(name)
		}
		return id, err
	case authorization == "" && !query.Has("X-Amz-Signature") && !query.Has("X-Amz-Algorithm") && !query.Has("X-Amz-Credential"):
		return identity{}, nil
	}
	id := identity{version: 4}
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
		id.date = query.Get("X-Amz-Date")
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
