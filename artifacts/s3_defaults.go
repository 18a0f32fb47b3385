package artifacts

import (
	"encoding/xml"
	"net/http"
)

// defaultOperations answer what S3 answers of a bucket on which nothing of the kind was ever set: here nothing can be set. Requests that
// would set something are in no row, and so NotImplemented.
func defaultOperations() []operation {
	none := func(code, message string) func(*call) error {
		return func(*call) error { return &Error{code, message} }
	}
	type named struct {
		XMLName xml.Name
		Xmlns   string `xml:"xmlns,attr"`
		Payer   string `xml:",omitempty"`
	}
	doc := func(name, payer string) func(*call) error {
		return func(c *call) error { return c.writeXML(named{xml.Name{Local: name}, s3Namespace, payer}) }
	}
	answers := []struct {
		resource string
		serve    func(*call) error
	}{
		{"accelerate", doc("AccelerateConfiguration", "")},
		{"encryption", none("ServerSideEncryptionConfigurationNotFoundError", "The server side encryption configuration was not found")},
		{"lifecycle", none("NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist")},
		{"logging", doc("BucketLoggingStatus", "")},
		{"notification", doc("NotificationConfiguration", "")},
		{"object-lock", none("ObjectLockConfigurationNotFoundError", "Object Lock configuration does not exist for this bucket")},
		{"ownershipControls", none("OwnershipControlsNotFoundError", "The bucket ownership controls were not found")},
		{"publicAccessBlock", none("NoSuchPublicAccessBlockConfiguration", "The public access block configuration was not found")},
		{"replication", none("ReplicationConfigurationNotFoundError", "The replication configuration was not found")},
		{"requestPayment", doc("RequestPaymentConfiguration", "BucketOwner")},
		{"website", none("NoSuchWebsiteConfiguration", "The specified bucket does not have a website configuration")},
	}
	list := make([]operation, len(answers))
	for i, a := range answers {
		list[i] = operation{method: http.MethodGet, scope: onBucket, resource: a.resource, serve: func(c *call) error {
			if err := c.store.needBucket(c.ctx, c.bucket); err != nil {
				return err
			}
			return a.serve(c)
		}}
	}
	return list
}
