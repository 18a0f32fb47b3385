package registry

import (
	"errors"
	"fmt"
)

// Code is one of MLflow's error codes, as it stands in the error_code field of an answer.
type Code string

// MLflow's error codes. The HTTP status of each is in [Code.HTTPStatus].
const (
	InvalidParameterValue  Code = "INVALID_PARAMETER_VALUE"
	BadRequest             Code = "BAD_REQUEST"
	ResourceAlreadyExists  Code = "RESOURCE_ALREADY_EXISTS"
	ResourceDoesNotExist   Code = "RESOURCE_DOES_NOT_EXIST"
	NotFound               Code = "NOT_FOUND"
	EndpointNotFound       Code = "ENDPOINT_NOT_FOUND"
	Unauthenticated        Code = "UNAUTHENTICATED"
	CustomerUnauthorized   Code = "CUSTOMER_UNAUTHORIZED"
	PermissionDenied       Code = "PERMISSION_DENIED"
	AlreadyExists          Code = "ALREADY_EXISTS"
	ResourceConflict       Code = "RESOURCE_CONFLICT"
	Aborted                Code = "ABORTED"
	RequestLimitExceeded   Code = "REQUEST_LIMIT_EXCEEDED"
	ResourceExhausted      Code = "RESOURCE_EXHAUSTED"
	Cancelled              Code = "CANCELLED"
	InternalError          Code = "INTERNAL_ERROR"
	InvalidState           Code = "INVALID_STATE"
	DataLoss               Code = "DATA_LOSS"
	NotImplemented         Code = "NOT_IMPLEMENTED"
	TemporarilyUnavailable Code = "TEMPORARILY_UNAVAILABLE"
	DeadlineExceeded       Code = "DEADLINE_EXCEEDED"
)

// codeInfo is what MLflow 3.17.2 sends with a code beside the message
// (contract/behaviours.md, section 2).
type codeInfo struct {
	status   int
	sqlState string
	class    string
}

var codes = map[Code]codeInfo{
	InvalidParameterValue:  {400, "KAM00", "INVALID_PARAMETER_VALUE"},
	BadRequest:             {400, "KAM00", "INVALID_PARAMETER_VALUE"},
	ResourceAlreadyExists:  {400, "KAM00", "RESOURCE_ALREADY_EXISTS"},
	ResourceDoesNotExist:   {404, "KAM00", "RESOURCE_NOT_FOUND"},
	NotFound:               {404, "KAM00", "RESOURCE_NOT_FOUND"},
	EndpointNotFound:       {404, "KAM00", "RESOURCE_NOT_FOUND"},
	Unauthenticated:        {401, "", ""},
	CustomerUnauthorized:   {401, "", ""},
	PermissionDenied:       {403, "KAM00", ""},
	AlreadyExists:          {409, "", ""},
	ResourceConflict:       {409, "", ""},
	Aborted:                {409, "", ""},
	RequestLimitExceeded:   {429, "", ""},
	ResourceExhausted:      {429, "", ""},
	Cancelled:              {499, "", ""},
	InternalError:          {500, "XXM00", "CLIENT_INTERNAL_ERROR"},
	InvalidState:           {500, "XXM00", "CLIENT_INTERNAL_ERROR"},
	DataLoss:               {500, "XXM00", "CLIENT_INTERNAL_ERROR"},
	NotImplemented:         {501, "", ""},
	TemporarilyUnavailable: {503, "XXM00", ""},
	DeadlineExceeded:       {504, "", ""},
}

// HTTPStatus is the status that MLflow answers a code with; 500 for a code it does not know.
func (c Code) HTTPStatus() int {
	if info, ok := codes[c]; ok {
		return info.status
	}
	return 500
}

// Error is an error that a client may see: one of MLflow's codes and a message. Every operation of
// this repository returns its user errors as *Error; anything else is an internal error.
type Error struct {
	Code    Code
	Message string

	// SQLState and Class overrule the code's own sqlstate and error_class when set, as for
	// SCHEMA_ENFORCEMENT_FAILED.
	SQLState string
	Class    string
}

// Errorf makes an *Error as an error value.
func Errorf(code Code, format string, args ...any) error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Invalidf is Errorf with INVALID_PARAMETER_VALUE, by far the most frequent code.
func Invalidf(format string, args ...any) error {
	return &Error{Code: InvalidParameterValue, Message: fmt.Sprintf(format, args...)}
}

// NotFoundf is Errorf with RESOURCE_DOES_NOT_EXIST.
func NotFoundf(format string, args ...any) error {
	return &Error{Code: ResourceDoesNotExist, Message: fmt.Sprintf(format, args...)}
}

func (e *Error) Error() string { return string(e.Code) + ": " + e.Message }

// ErrorBody is the JSON body of every error answer (contract/behaviours.md, section 2).
type ErrorBody struct {
	Code     Code   `json:"error_code"`
	Message  string `json:"message"`
	SQLState string `json:"sqlstate,omitempty"`
	Class    string `json:"error_class,omitempty"`
}

// Body is what the client sees of an error. An error that is no *Error is an INTERNAL_ERROR; its text is
// not shown, since it may hold paths or SQL: log it.
func Body(err error) ErrorBody {
	var e *Error
	if !errors.As(err, &e) {
		e = &Error{Code: InternalError, Message: "Internal server error; the server's log has the details."}
	}
	info := codes[e.Code]
	body := ErrorBody{Code: e.Code, Message: e.Message, SQLState: info.sqlState, Class: info.class}
	if e.SQLState != "" {
		body.SQLState = e.SQLState
	}
	if e.Class != "" {
		body.Class = e.Class
	}
	return body
}

// IsCode tells whether err is, or wraps, an *Error with that code.
func IsCode(err error, code Code) bool {
	var e *Error
	return errors.As(err, &e) && e.Code == code
}
