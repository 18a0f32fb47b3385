package calls

import (
	"net/http"
	"net/url"
	"strings"
)

// Listener is where a call came in.
type Listener int

// The listeners of an environment.
const (
	OnMain Listener = iota
	OnS3
	OnStatic
)

// controlPrefix is where calls about the environment itself live.
const controlPrefix = "/api/prinzbox/"

// classify finds out what a call is for.
func (c *Call) classify(on Listener, r *http.Request, hosts []string) {
	switch on {
	case OnS3:
		c.Kind = S3
		c.classifyS3(r, hosts)
	case OnStatic:
		c.Kind, c.Operation = Static, strings.TrimPrefix(c.Path, "/")
	default:
		c.classifyMain(r.Method)
	}
}

func (c *Call) classifyMain(method string) {
	path := c.Path
	switch path {
	case "/health", "/version", "/metrics", "/graphql", "/get-artifact", "/v1/traces", "/model-versions/get-artifact", "/ajax-api/2.0/mlflow/get-artifact":
		c.Kind, c.Operation = MLflow, strings.TrimPrefix(path, "/")
		if i := strings.Index(c.Operation, "mlflow/"); i >= 0 {
			c.Operation = c.Operation[i+len("mlflow/"):]
		}
		return
	}
	if strings.HasPrefix(path, controlPrefix) {
		c.Kind, c.Operation = Control, path[len(controlPrefix):]
		return
	}
	if rest, ok := strings.CutPrefix(path, "/ajax-api/"); ok {
		c.classifyAPI(rest, method)
		return
	}
	if rest, ok := strings.CutPrefix(path, "/api/"); ok {
		c.classifyAPI(rest, method)
		return
	}
	if c.classifyScoring(path, method) {
		return
	}
	c.Kind = GUI
}

// classifyAPI reads what follows /api/: a version, an area, an operation.
func (c *Call) classifyAPI(rest, method string) {
	c.Kind = MLflow
	_, op, _ := strings.Cut(rest, "/")
	if after, ok := strings.CutPrefix(op, "preview/"); ok {
		op = after
	}
	if path, ok := strings.CutPrefix(op, "mlflow-artifacts/"); ok {
		c.classifyArtifact(path, method)
		return
	}
	c.Operation = strings.TrimPrefix(op, "mlflow/")
}

func (c *Call) classifyArtifact(path, method string) {
	area, key, _ := strings.Cut(path, "/")
	if area != "artifacts" {
		c.Operation = "artifacts/" + area
		if _, after, ok := strings.Cut(key, "/"); ok {
			c.Key = unescape(after)
		}
		return
	}
	c.Key = unescape(key)
	switch {
	case method == http.MethodPut || method == http.MethodPost:
		c.Operation = "artifacts/upload"
	case method == http.MethodDelete:
		c.Operation = "artifacts/delete"
	case key == "":
		c.Operation = "artifacts/list"
	default:
		c.Operation = "artifacts/download"
	}
}

// classifyScoring knows the forms of scoring routes: /model/NAME/VERSION/ACTION, /model/NAME/ACTION, /NAME/ACTION and /v2/….
func (c *Call) classifyScoring(path, method string) bool {
	if path == "/v2" || strings.HasPrefix(path, "/v2/") {
		c.Kind, c.Operation = Scoring, "v2"
		rest, ok := strings.CutPrefix(path, "/v2/models/")
		if !ok {
			return true
		}
		name, rest, _ := strings.Cut(rest, "/")
		c.Model = unescape(name)
		if after, ok := strings.CutPrefix(rest, "versions/"); ok {
			version, after, _ := strings.Cut(after, "/")
			c.Version, rest = unescape(version), after
		}
		c.Operation = "metadata"
		if rest != "" {
			c.Operation = rest
		}
		return true
	}
	slash := strings.LastIndexByte(path, '/')
	if slash <= 0 {
		return false
	}
	action := path[slash+1:]
	switch action {
	case "invocations", "ping", "health", "version":
	default:
		return false
	}
	if method == http.MethodGet && strings.HasPrefix(path, "/models/") {
		return false // a page of the GUI
	}
	names := path[1:slash]
	if rest, ok := strings.CutPrefix(names, "model/"); ok {
		name, version, _ := strings.Cut(rest, "/")
		if strings.Contains(version, "/") {
			return false
		}
		c.Model, c.Version = unescape(name), unescape(version)
	} else {
		if strings.Contains(names, "/") {
			return false
		}
		c.Model = unescape(names)
	}
	c.Kind, c.Operation = Scoring, action
	return true
}

func unescape(text string) string {
	if strings.IndexByte(text, '%') < 0 {
		return text
	}
	if plain, err := url.PathUnescape(text); err == nil {
		return plain
	}
	return text
}

// classifyS3 reads bucket, key and operation. Hosts are the names below which a bucket can stand.
func (c *Call) classifyS3(r *http.Request, hosts []string) {
	path := strings.TrimPrefix(c.Path, "/")
	if bucket := bucketOfHost(r.Host, hosts); bucket != "" {
		c.Bucket, c.Key = bucket, unescape(path)
	} else {
		bucket, key, _ := strings.Cut(path, "/")
		c.Bucket, c.Key = unescape(bucket), unescape(key)
	}
	c.Operation = c.s3Operation(r)
}

func bucketOfHost(host string, hosts []string) string {
	if i := strings.LastIndexByte(host, ':'); i >= 0 && strings.IndexByte(host[i:], ']') < 0 {
		host = host[:i]
	}
	for _, base := range hosts {
		if bucket, ok := strings.CutSuffix(host, base); ok && len(bucket) > 1 && bucket[len(bucket)-1] == '.' {
			return bucket[:len(bucket)-1]
		}
	}
	return ""
}

// subresource is the name that a parameter gives to the operation of a request, if it makes another one of it.
func subresource(name string) string {
	switch name {
	case "acl":
		return "Acl"
	case "attributes":
		return "Attributes"
	case "cors":
		return "Cors"
	case "delete":
		return "delete"
	case "encryption":
		return "Encryption"
	case "legal-hold":
		return "LegalHold"
	case "lifecycle":
		return "LifecycleConfiguration"
	case "location":
		return "Location"
	case "logging":
		return "Logging"
	case "notification":
		return "NotificationConfiguration"
	case "object-lock":
		return "ObjectLockConfiguration"
	case "ownershipControls":
		return "OwnershipControls"
	case "policy":
		return "Policy"
	case "policyStatus":
		return "PolicyStatus"
	case "publicAccessBlock":
		return "PublicAccessBlock"
	case "replication":
		return "Replication"
	case "requestPayment":
		return "RequestPayment"
	case "restore":
		return "restore"
	case "retention":
		return "Retention"
	case "select":
		return "select"
	case "tagging":
		return "Tagging"
	case "uploads":
		return "uploads"
	case "versioning":
		return "Versioning"
	case "versions":
		return "versions"
	case "website":
		return "Website"
	}
	return ""
}

func (c *Call) s3Operation(r *http.Request) string {
	sub, upload, part, v2 := "", false, false, false
	for rest := r.URL.RawQuery; rest != ""; {
		var item string
		item, rest, _ = strings.Cut(rest, "&")
		name, value, _ := strings.Cut(item, "=")
		switch name {
		case "uploadId":
			upload = true
		case "partNumber":
			part = true
		case "list-type":
			v2 = value == "2"
		default:
			if s := subresource(name); s != "" && sub == "" {
				sub = s
			}
		}
	}
	method := r.Method
	if c.Bucket == "" {
		if method == http.MethodGet {
			return "ListBuckets"
		}
		return ""
	}
	verb := verbOf(method)
	if c.Key == "" {
		switch {
		case method == http.MethodHead:
			return "HeadBucket"
		case method == http.MethodPost && sub == "delete":
			return "DeleteObjects"
		case method == http.MethodPost:
			return "PostObject"
		case method == http.MethodGet && sub == "uploads":
			return "ListMultipartUploads"
		case method == http.MethodGet && sub == "versions":
			return "ListObjectVersions"
		case sub != "" && verb != "":
			return verb + "Bucket" + sub
		case method == http.MethodGet && v2:
			return "ListObjectsV2"
		case method == http.MethodGet:
			return "ListObjects"
		case method == http.MethodPut:
			return "CreateBucket"
		case method == http.MethodDelete:
			return "DeleteBucket"
		}
		return ""
	}
	copied := r.Header.Get("X-Amz-Copy-Source") != ""
	switch {
	case method == http.MethodHead:
		return "HeadObject"
	case method == http.MethodPost && sub == "uploads":
		return "CreateMultipartUpload"
	case method == http.MethodPost && upload:
		return "CompleteMultipartUpload"
	case method == http.MethodPost && sub == "select":
		return "SelectObjectContent"
	case method == http.MethodPost && sub == "restore":
		return "RestoreObject"
	case method == http.MethodPut && upload && copied:
		return "UploadPartCopy"
	case method == http.MethodPut && upload && part:
		return "UploadPart"
	case method == http.MethodGet && upload:
		return "ListParts"
	case method == http.MethodDelete && upload:
		return "AbortMultipartUpload"
	case sub != "" && verb != "":
		return verb + "Object" + sub
	case method == http.MethodPut && copied:
		return "CopyObject"
	case method == http.MethodGet:
		return "GetObject"
	case method == http.MethodPut:
		return "PutObject"
	case method == http.MethodDelete:
		return "DeleteObject"
	}
	return ""
}

func verbOf(method string) string {
	switch method {
	case http.MethodGet:
		return "Get"
	case http.MethodPut:
		return "Put"
	case http.MethodDelete:
		return "Delete"
	}
	return ""
}
