package artifacts

import (
	"net/http"
	"strings"
)

// policyActions are the actions that AWS's service authorization reference gives for buckets and objects, in lower case without "s3:".
// Those of operations that are not served may stand in a policy too.
var policyActions = func() map[string]scope {
	m := map[string]scope{}
	for name := range strings.FieldsSeq(`AbortMultipartUpload BypassGovernanceRetention DeleteObject DeleteObjectTagging DeleteObjectVersion
		DeleteObjectVersionTagging GetObject GetObjectAcl GetObjectAttributes GetObjectLegalHold GetObjectRetention GetObjectTagging
		GetObjectTorrent GetObjectVersion GetObjectVersionAcl GetObjectVersionAttributes GetObjectVersionForReplication
		GetObjectVersionTagging GetObjectVersionTorrent ListMultipartUploadParts ObjectOwnerOverrideToBucketOwner PutObject PutObjectAcl
		PutObjectLegalHold PutObjectRetention PutObjectTagging PutObjectVersionAcl PutObjectVersionTagging ReplicateDelete ReplicateObject
		ReplicateTags RestoreObject`) {
		m[strings.ToLower(name)] = onObject
	}
	for name := range strings.FieldsSeq(`CreateBucket DeleteBucket DeleteBucketPolicy DeleteBucketWebsite GetAccelerateConfiguration
		GetAnalyticsConfiguration GetBucketAcl GetBucketCORS GetBucketLocation GetBucketLogging GetBucketNotification
		GetBucketObjectLockConfiguration GetBucketOwnershipControls GetBucketPolicy GetBucketPolicyStatus GetBucketPublicAccessBlock
		GetBucketRequestPayment GetBucketTagging GetBucketVersioning GetBucketWebsite GetEncryptionConfiguration
		GetIntelligentTieringConfiguration GetInventoryConfiguration GetLifecycleConfiguration GetMetricsConfiguration
		GetReplicationConfiguration ListBucket ListBucketMultipartUploads ListBucketVersions PutAccelerateConfiguration
		PutAnalyticsConfiguration PutBucketAcl PutBucketCORS PutBucketLogging PutBucketNotification PutBucketObjectLockConfiguration
		PutBucketOwnershipControls PutBucketPolicy PutBucketPublicAccessBlock PutBucketRequestPayment PutBucketTagging PutBucketVersioning
		PutBucketWebsite PutEncryptionConfiguration PutIntelligentTieringConfiguration PutInventoryConfiguration PutLifecycleConfiguration
		PutMetricsConfiguration PutReplicationConfiguration`) {
		m[strings.ToLower(name)] = onBucket
	}
	return m
}()

// bucketResources are the second parts of the actions on a bucket's subresources: Get… and Put… stand before them.
var bucketResources = map[string]string{
	"accelerate": "accelerateconfiguration", "acl": "bucketacl", "analytics": "analyticsconfiguration", "cors": "bucketcors",
	"encryption": "encryptionconfiguration", "intelligent-tiering": "intelligenttieringconfiguration", "inventory": "inventoryconfiguration",
	"lifecycle": "lifecycleconfiguration", "location": "bucketlocation", "logging": "bucketlogging", "metrics": "metricsconfiguration",
	"notification": "bucketnotification", "object-lock": "bucketobjectlockconfiguration", "ownershipControls": "bucketownershipcontrols",
	"policy": "bucketpolicy", "policyStatus": "bucketpolicystatus", "publicAccessBlock": "bucketpublicaccessblock",
	"replication": "replicationconfiguration", "requestPayment": "bucketrequestpayment", "tagging": "buckettagging",
	"versioning": "bucketversioning", "website": "bucketwebsite",
}

// objectResources are those of objects; "version" stands before them when the request names one.
var objectResources = map[string]string{
	"": "", "acl": "acl", "attributes": "attributes", "legal-hold": "legalhold", "retention": "retention", "tagging": "tagging", "torrent": "torrent",
}

// actionOf is the action that AWS asks for, in lower case without "s3:"; empty if there is none for buckets or objects.
func actionOf(op operation, versioned bool) string {
	if op.scope == onBucket {
		return bucketAction(op.method, op.resource)
	}
	if op.scope == onService {
		return "listallmybuckets"
	}
	version := ""
	if versioned {
		version = "version"
	}
	kind, known := objectResources[op.resource]
	switch {
	case op.resource == "uploadId" && op.method == http.MethodGet:
		return "listmultipartuploadparts"
	case op.resource == "uploadId" && op.method == http.MethodDelete:
		return "abortmultipartupload"
	case op.resource == "uploadId", op.resource == "uploads":
		return "putobject"
	case op.resource == "restore":
		return "restoreobject"
	case !known:
		return ""
	case op.method == http.MethodPut && op.resource == "":
		return "putobject"
	case op.method == http.MethodGet, op.method == http.MethodHead:
		return "getobject" + version + kind
	case op.method == http.MethodPut:
		return "putobject" + version + kind
	case op.method == http.MethodDelete:
		return "deleteobject" + version + kind
	}
	return ""
}

func bucketAction(method, resource string) string {
	if kind, ok := bucketResources[resource]; ok {
		switch {
		case method == http.MethodGet:
			return "get" + kind
		case method == http.MethodDelete && (resource == "policy" || resource == "website"):
			return "delete" + kind
		}
		return "put" + kind
	}
	switch method + " " + resource {
	case "GET ", "HEAD ":
		return "listbucket"
	case "GET uploads":
		return "listbucketmultipartuploads"
	case "GET versions":
		return "listbucketversions"
	case "PUT ":
		return "createbucket"
	case "DELETE ":
		return "deletebucket"
	case "POST ":
		return "putobject" // a form
	case "POST delete":
		return "deleteobject" // asked for each key
	}
	return ""
}
