package artifacts

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// scope is what a path names.
type scope int

const (
	onService scope = iota
	onBucket
	onObject
)

// operation is a request that is served. What is in no row is answered with NotImplemented before anything is touched: stock
// gofakes3 would take PUT key?tagging for PUT key.
type operation struct {
	method string
	scope  scope
	// resource is the query parameter that selects the operation, or "".
	resource string
	// params are the other query parameters it knows, beside those of signatures.
	params string
	// copy selects the operation by the header x-amz-copy-source.
	copy bool
	// payload is set when the body is an object's or part's bytes; others are small documents.
	payload bool
	// serve is our own handler; without one, gofakes3 serves it over our backend.
	serve func(*call) error
}

const (
	listParams     = "list-type prefix delimiter marker max-keys encoding-type continuation-token start-after fetch-owner"
	responseParams = "response-content-type response-content-language response-expires response-cache-control response-content-disposition response-content-encoding"
)

// operations are looked through in order; a row with a resource stands before those without.
func operations() []operation {
	return []operation{
		{method: http.MethodGet, scope: onService, params: "prefix"},

		{method: http.MethodGet, scope: onBucket, resource: "location", serve: (*call).getLocation},
		{method: http.MethodGet, scope: onBucket, resource: "uploads", params: "prefix delimiter encoding-type key-marker upload-id-marker max-uploads", serve: (*call).listUploads},
		{method: http.MethodGet, scope: onBucket, resource: "versions", params: "prefix delimiter encoding-type key-marker version-id-marker max-keys", serve: (*call).listVersions},
		{method: http.MethodGet, scope: onBucket, resource: "versioning", serve: (*call).getVersioning},
		{method: http.MethodPut, scope: onBucket, resource: "versioning", serve: (*call).putVersioning},
		{method: http.MethodGet, scope: onBucket, resource: "tagging", serve: (*call).getBucketTags},
		{method: http.MethodPut, scope: onBucket, resource: "tagging", serve: (*call).putBucketTags},
		{method: http.MethodDelete, scope: onBucket, resource: "tagging", serve: (*call).deleteBucketTags},
		{method: http.MethodGet, scope: onBucket, params: listParams, serve: (*call).listObjects},
		{method: http.MethodHead, scope: onBucket},
		{method: http.MethodPut, scope: onBucket, serve: (*call).createBucket},
		{method: http.MethodDelete, scope: onBucket},
		{method: http.MethodPost, scope: onBucket, resource: "delete", serve: (*call).deleteBatch},

		{method: http.MethodGet, scope: onObject, resource: "uploadId", params: "part-number-marker max-parts", serve: (*call).listParts},
		{method: http.MethodGet, scope: onObject, resource: "tagging", params: "versionId", serve: (*call).getObjectTags},
		{method: http.MethodGet, scope: onObject, resource: "attributes", params: "versionId", serve: (*call).getAttributes},
		{method: http.MethodGet, scope: onObject, params: responseParams + " versionId partNumber", serve: (*call).getObject},
		{method: http.MethodHead, scope: onObject, params: responseParams + " versionId partNumber", serve: (*call).headObject},
		{method: http.MethodPut, scope: onObject, resource: "tagging", params: "versionId", serve: (*call).putObjectTags},
		{method: http.MethodPut, scope: onObject, resource: "uploadId", params: "partNumber", copy: true, serve: (*call).copyPart},
		{method: http.MethodPut, scope: onObject, resource: "uploadId", params: "partNumber", payload: true, serve: (*call).putPart},
		{method: http.MethodPut, scope: onObject, copy: true, serve: (*call).copyObject},
		{method: http.MethodPut, scope: onObject, payload: true, serve: (*call).putObject},
		{method: http.MethodDelete, scope: onObject, resource: "uploadId", serve: (*call).abortUpload},
		{method: http.MethodDelete, scope: onObject, resource: "tagging", params: "versionId", serve: (*call).deleteObjectTags},
		{method: http.MethodDelete, scope: onObject, params: "versionId", serve: (*call).deleteObject},
		{method: http.MethodPost, scope: onObject, resource: "uploads", serve: (*call).createUpload},
		{method: http.MethodPost, scope: onObject, resource: "uploadId", serve: (*call).completeUpload},
	}
}

var served = slices.Concat(accessOperations(), defaultOperations(), operations())

// operation finds the row of the request.
func (c *call) operation() (operation, error) {
	level := onObject
	switch {
	case c.bucket == "":
		level = onService
	case c.key == "":
		level = onBucket
	}
	copying := c.r.Header.Get("X-Amz-Copy-Source") != ""
	methodKnown := false
	for _, op := range served {
		if op.method != c.r.Method || op.scope != level {
			continue
		}
		methodKnown = true
		if op.copy && !copying {
			continue
		}
		if op.resource != "" {
			if _, ok := c.query[op.resource]; !ok {
				continue
			}
		}
		if err := op.checkQuery(c.query); err != nil {
			return op, err
		}
		return op, nil
	}
	if !methodKnown && c.r.Method != http.MethodPost {
		return operation{}, &Error{codeMethodNotAllowed, "The specified method is not allowed against this resource."}
	}
	return operation{}, &Error{codeNotImplemented, "This S3 operation is not implemented here; nothing was changed."}
}

func (op operation) checkQuery(query map[string][]string) error {
	for name, values := range query {
		switch {
		case name == op.resource, name == "x-id", strings.HasPrefix(name, "X-Amz-"):
		case !containsField(op.params, name):
			return &Error{codeNotImplemented, "The query parameter " + name + " is not implemented here; nothing was changed."}
		case name == "versionId" && values[0] == "":
			return &Error{codeInvalidArgument, "Version id cannot be the empty string"}
		case name == "versionId" && !validVersion(values[0]):
			return &Error{codeInvalidArgument, "Invalid version id specified"}
		case name == "partNumber":
			if n, err := strconv.Atoi(values[0]); err != nil || n < 1 || n > maxPartNumber {
				return &Error{codeInvalidArgument, "Part number must be an integer between 1 and 10000, inclusive."}
			}
		}
	}
	return nil
}

func containsField(fields, name string) bool {
	for f := range strings.FieldsSeq(fields) {
		if f == name {
			return true
		}
	}
	return false
}

// checkHeaders refuses headers that ask for what would not be done.
func (c *call) checkHeaders() error {
	for name, values := range c.r.Header {
		if !strings.HasPrefix(name, "X-Amz-") {
			continue
		}
		value := values[0]
		refused := false
		switch {
		case name == aclHeader || grantHeaders[name] != "":
			if _, err := aclOf(c.r.Header); err != nil {
				return err
			}
		case name == "X-Amz-Tagging":
			if _, err := parseTags(value); err != nil {
				return err
			}
		case name == "X-Amz-Storage-Class":
			if _, err := storageClass(value); err != nil {
				return err
			}
		case name == redirectHeader:
			if err := checkRedirect(value); err != nil {
				return err
			}
		case name == "X-Amz-Write-Offset-Bytes", name == "X-Amz-If-Match-Last-Modified-Time", name == "X-Amz-If-Match-Size",
			name == "X-Amz-Bucket-Object-Lock-Enabled" && !strings.EqualFold(value, "false"),
			strings.HasPrefix(name, "X-Amz-Server-Side-Encryption"),
			strings.HasPrefix(name, "X-Amz-Copy-Source-Server-Side-Encryption"),
			strings.HasPrefix(name, "X-Amz-Object-Lock-"):
			refused = true
		}
		if refused {
			return &Error{codeNotImplemented, "The header " + strings.ToLower(name) + " is not implemented here; nothing was changed."}
		}
	}
	return nil
}
