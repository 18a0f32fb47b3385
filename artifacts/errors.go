package artifacts

import (
	"errors"
	"fmt"
	"net/http"
)

// Error is an error that a client may see: one of S3's error codes with a message. The store returns every user
// error as *Error; anything else is an internal error.
type Error struct {
	// Code is S3's, for example NoSuchKey.
	Code string
	// Message is for people.
	Message string
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }

// Is tells errors.Is that the NoSuch… codes are [ErrNotFound].
func (e *Error) Is(target error) bool {
	switch e.Code {
	case codeNoSuchKey, codeNoSuchBucket, codeNoSuchUpload, codeNoSuchVersion:
		return target == ErrNotFound
	}
	return false
}

// HTTPStatus is the status that S3 answers the error with.
func (e *Error) HTTPStatus() int {
	if status, ok := statuses[e.Code]; ok {
		return status
	}
	return http.StatusBadRequest
}

var (
	// ErrNotFound is, for errors.Is, a path, key, bucket or upload that does not exist.
	ErrNotFound = errors.New("no such artifact")
	// ErrIsDirectory is returned by [Repo.Open] for a path that names a directory.
	ErrIsDirectory = errors.New("the artifact path is a directory, not a file")
	// ErrInvalidPath is returned for a path that could lead out of its repository, or names no file.
	ErrInvalidPath = errors.New("invalid artifact path")
)

// The codes this package returns, as S3 spells them.
const (
	codeAccessDenied       = "AccessDenied"
	codeBadDigest          = "BadDigest"
	codeBucketExists       = "BucketAlreadyOwnedByYou"
	codeBucketNotEmpty     = "BucketNotEmpty"
	codeEntityTooLarge     = "EntityTooLarge"
	codeEntityTooSmall     = "EntityTooSmall"
	codeIncompleteBody     = "IncompleteBody"
	codeInternal           = "InternalError"
	codeInvalidArgument    = "InvalidArgument"
	codeInvalidBucketName  = "InvalidBucketName"
	codeInvalidDigest      = "InvalidDigest"
	codeInvalidPart        = "InvalidPart"
	codeInvalidPartOrder   = "InvalidPartOrder"
	codeInvalidRange       = "InvalidRange"
	codeInvalidRequest     = "InvalidRequest"
	codeInvalidTag         = "InvalidTag"
	codeKeyTooLong         = "KeyTooLongError"
	codeMalformedXML       = "MalformedXML"
	codeMetadataTooLarge   = "MetadataTooLarge"
	codeMethodNotAllowed   = "MethodNotAllowed"
	codeMissingLength      = "MissingContentLength"
	codeNoSuchBucket       = "NoSuchBucket"
	codeNoSuchKey          = "NoSuchKey"
	codeNoSuchUpload       = "NoSuchUpload"
	codeNoSuchVersion      = "NoSuchVersion"
	codeNotImplemented     = "NotImplemented"
	codeNotModified        = "NotModified"
	codePreconditionFailed = "PreconditionFailed"
	codeSHA256Mismatch     = "XAmzContentSHA256Mismatch"
	// codeRemoteUnavailable is our own: another store or server does not answer, or fails.
	codeRemoteUnavailable = "RemoteUnavailable"
	codeSignature         = "SignatureDoesNotMatch"
)

// statuses holds the codes whose status is not 400.
var statuses = map[string]int{
	codeAccessDenied:       http.StatusForbidden,
	codeBucketExists:       http.StatusConflict,
	codeBucketNotEmpty:     http.StatusConflict,
	codeInternal:           http.StatusInternalServerError,
	codeInvalidRange:       http.StatusRequestedRangeNotSatisfiable,
	codeMethodNotAllowed:   http.StatusMethodNotAllowed,
	codeMissingLength:      http.StatusLengthRequired,
	codeNoSuchBucket:       http.StatusNotFound,
	codeNoSuchKey:          http.StatusNotFound,
	codeNoSuchUpload:       http.StatusNotFound,
	codeNoSuchVersion:      http.StatusNotFound,
	codeNotImplemented:     http.StatusNotImplemented,
	codeNotModified:        http.StatusNotModified,
	codePreconditionFailed: http.StatusPreconditionFailed,
	codeRemoteUnavailable:  http.StatusServiceUnavailable,
	codeSignature:          http.StatusForbidden,
	"InvalidAccessKeyId":   http.StatusForbidden,
	"RequestTimeTooSkewed": http.StatusForbidden,
	"AccessForbidden":      http.StatusForbidden,
	"InsufficientStorage":  http.StatusInsufficientStorage,

	"InvalidPartNumber": http.StatusRequestedRangeNotSatisfiable,
	"NoSuchTagSet":      http.StatusNotFound,

	"NoSuchLifecycleConfiguration":                   http.StatusNotFound,
	"NoSuchPublicAccessBlockConfiguration":           http.StatusNotFound,
	"NoSuchWebsiteConfiguration":                     http.StatusNotFound,
	"ObjectLockConfigurationNotFoundError":           http.StatusNotFound,
	"OwnershipControlsNotFoundError":                 http.StatusNotFound,
	"ReplicationConfigurationNotFoundError":          http.StatusNotFound,
	"ServerSideEncryptionConfigurationNotFoundError": http.StatusNotFound,

	"NoSuchBucketPolicy":      http.StatusNotFound,
	"NoSuchCORSConfiguration": http.StatusNotFound,
}

// refusal is an error of which S3's document tells more than code and message.
type refusal struct {
	err *Error
	// condition is the header that did not hold.
	condition string
	// asked is the range that an object of size bytes has not.
	asked string
	size  int64
}

func (e *refusal) Error() string { return e.err.Error() }
func (e *refusal) Unwrap() error { return e.err }

func noSuchBucket(bucket string) *Error {
	return &Error{codeNoSuchBucket, "The specified bucket does not exist: " + bucket}
}

func noSuchKey(key string) *Error {
	return &Error{codeNoSuchKey, "The specified key does not exist: " + key}
}

func keyTooLong(key string) *Error {
	return &Error{codeKeyTooLong, fmt.Sprintf("Your key is too long: it has %d bytes; %d are allowed.", len(key), maxKeySize)}
}

func isCode(err error, code string) bool {
	var e *Error
	return errors.As(err, &e) && e.Code == code
}
