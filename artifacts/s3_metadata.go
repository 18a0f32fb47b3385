package artifacts

import (
	"net/http"
	"strings"
)

// redirectHeader keeps where a website would send who asks for the object, among the stored headers.
const redirectHeader = "X-Amz-Website-Redirect-Location"

// systemHeaders are stored and given back as they came.
var systemHeaders = []string{"Content-Type", "Content-Disposition", "Content-Language", "Cache-Control", "Expires", redirectHeader}

// describedObject picks from a request what is kept with an object beside its bytes.
func describedObject(h http.Header) (headers, metadata map[string]string, tags []Tag, class string, err error) {
	if tags, err = parseTags(h.Get("X-Amz-Tagging")); err != nil {
		return nil, nil, nil, "", err
	}
	if class, err = storageClass(h.Get("X-Amz-Storage-Class")); err != nil {
		return nil, nil, nil, "", err
	}
	headers, metadata = storedHeaders(h)
	return headers, metadata, tags, class, nil
}

// storedHeaders picks from a request the headers that are kept with an object.
func storedHeaders(h http.Header) (headers, metadata map[string]string) {
	headers, metadata = map[string]string{}, map[string]string{}
	for _, name := range systemHeaders {
		if v := h.Get(name); v != "" {
			headers[name] = v
		}
	}
	// aws-chunked is how the body travelled, not what it is.
	var encodings []string
	for e := range strings.SplitSeq(strings.Join(h.Values("Content-Encoding"), ","), ",") {
		if e = strings.TrimSpace(e); e != "" && !strings.EqualFold(e, "aws-chunked") {
			encodings = append(encodings, e)
		}
	}
	if len(encodings) > 0 {
		headers["Content-Encoding"] = strings.Join(encodings, ",")
	}
	if acl, err := aclOf(h); err == nil && acl != "" { // checkHeaders has refused wrong ones
		headers[aclHeader] = acl
	}
	for name, values := range h {
		if rest, ok := strings.CutPrefix(name, "X-Amz-Meta-"); ok {
			metadata[strings.ToLower(rest)] = strings.Join(values, ",")
		}
	}
	return headers, metadata
}

// storageClass checks the value of x-amz-storage-class. STANDARD is "".
func storageClass(value string) (string, error) {
	switch value {
	case "", "STANDARD":
		return "", nil
	case "REDUCED_REDUNDANCY", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR":
		return value, nil
	case "GLACIER", "DEEP_ARCHIVE", "OUTPOSTS", "SNOW", "EXPRESS_ONEZONE", "FSX_OPENZFS", "FSX_ONTAP":
		return "", &Error{codeNotImplemented, "The storage class " + value + " is not implemented here: its objects are not read as others are. Nothing was changed."}
	}
	return "", &Error{"InvalidStorageClass", "The storage class you specified is not valid: " + value + ". Use STANDARD, STANDARD_IA, ONEZONE_IA, " +
		"INTELLIGENT_TIERING, REDUCED_REDUNDANCY or GLACIER_IR."}
}

// className spells a storage class in an answer.
func className(class string) string {
	if class == "" {
		return "STANDARD"
	}
	return class
}

// checkRedirect checks the value of x-amz-website-redirect-location.
func checkRedirect(value string) error {
	for _, start := range []string{"/", "http://", "https://"} {
		if strings.HasPrefix(value, start) && len(value) <= 2048 {
			return nil
		}
	}
	return &Error{"InvalidRedirectLocation", "The website redirect location must have a prefix of 'http://' or 'https://' or '/', and 2048 bytes at most."}
}
