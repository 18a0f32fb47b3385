package artifacts

import (
	"net/http"
	"net/url"
	"strconv"
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
	if authorization == "" {
		if err := checkPresigned(query); err != nil {
			return identity{}, err
		}
	}
	id := identity{version: 4}
	code := signature.V4SignVerifyWithLookup(r, func(accessKey string) (string, bool) {
		secret, ok := keys(accessKey)
		id.accessKey, id.secret = accessKey, secret
		return secret, ok
	})
	if code != signature.ErrNone {
		return identity{}, authError(code, authorization == "")
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

// checkPresigned wants all parameters of a presigned URL, and a time of life of at most a week.
func checkPresigned(query url.Values) error {
	for _, name := range []string{"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature", "X-Amz-Date", "X-Amz-SignedHeaders", "X-Amz-Expires"} {
		if query.Get(name) == "" {
			return &Error{codeQueryParameters, "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters."}
		}
	}
	switch n, err := strconv.Atoi(query.Get("X-Amz-Expires")); {
	case err != nil:
		return &Error{codeQueryParameters, "X-Amz-Expires should be a number"}
	case n < 0:
		return &Error{codeQueryParameters, "X-Amz-Expires must be non-negative"}
	case n > 7*24*60*60:
		return &Error{codeQueryParameters, "X-Amz-Expires must be less than a week (in seconds) that is 604800"}
	}
	return nil
}

const codeQueryParameters = "AuthorizationQueryParametersError"

// authError gives the verifier's codes the spelling and status of S3's.
func authError(code signature.ErrorCode, presigned bool) error {
	e := signature.GetAPIError(code)
	switch e.Code {
	case "AuthorizationQueryParameterserror", "AuthorizationParameterserror", "MissingFields":
		if presigned {
			return &Error{codeQueryParameters, "The authorization query parameters are malformed: " + e.Description}
		}
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
