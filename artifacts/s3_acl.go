package artifacts

import (
	"bytes"
	"encoding/xml"
	"errors"
	"maps"
	"net/http"
	"strings"
)

// The canned ACLs that mean something where everything has one owner. The others, bucket-owner-…, say that the owner of the bucket may
// use what he owns: they are private.
const (
	aclPrivate           = "private"
	aclPublicRead        = "public-read"
	aclPublicReadWrite   = "public-read-write"
	aclAuthenticatedRead = "authenticated-read"
)

// aclHeader keeps an object's ACL among its headers, so that it changes with the object, in the same row; private ones have none.
const aclHeader = "X-Amz-Acl"

const (
	allUsers           = "http://acs.amazonaws.com/groups/global/AllUsers"
	authenticatedUsers = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers"
)

// cannedACL checks the value of x-amz-acl. Private, and what is private here, is "".
func cannedACL(value string) (string, error) {
	switch value {
	case "", aclPrivate, "bucket-owner-read", "bucket-owner-full-control":
		return "", nil
	case aclPublicRead, aclPublicReadWrite, aclAuthenticatedRead:
		return value, nil
	case "aws-exec-read", "log-delivery-write":
		return "", &Error{codeNotImplemented, "The canned ACL " + value + " is not implemented here; nothing was changed."}
	}
	return "", &Error{codeInvalidArgument, "Invalid x-amz-acl: " + value + ". Use private, public-read, public-read-write, authenticated-read, " +
		"bucket-owner-read or bucket-owner-full-control."}
}

// grant is one line of an ACL that lets in others than the owner.
type grant struct{ group, permission string }

// cannedGrants are those of a canned ACL.
func cannedGrants(acl string) []grant {
	switch acl {
	case aclPublicRead:
		return []grant{{allUsers, "READ"}}
	case aclPublicReadWrite:
		return []grant{{allUsers, "READ"}, {allUsers, "WRITE"}}
	case aclAuthenticatedRead:
		return []grant{{authenticatedUsers, "READ"}}
	}
	return nil
}

// cannedOf finds the canned ACL that has exactly these grants.
func cannedOf(grants []grant) (string, error) {
	have := map[grant]bool{}
	for _, g := range grants {
		have[g] = true
	}
	for _, acl := range []string{"", aclPublicRead, aclPublicReadWrite, aclAuthenticatedRead} {
		want := map[grant]bool{}
		for _, g := range cannedGrants(acl) {
			want[g] = true
		}
		if maps.Equal(have, want) {
			return acl, nil
		}
	}
	return "", &Error{codeNotImplemented, "Only ACLs that a canned ACL can express are implemented here: private, public-read, public-read-write " +
		"and authenticated-read. Use a bucket policy for others. Nothing was changed."}
}

// grantHeaders are the headers that grant a permission each.
var grantHeaders = map[string]string{
	"X-Amz-Grant-Read": "READ", "X-Amz-Grant-Write": "WRITE", "X-Amz-Grant-Read-Acp": "READ_ACP", "X-Amz-Grant-Write-Acp": "WRITE_ACP",
	"X-Amz-Grant-Full-Control": "FULL_CONTROL",
}

func grantHeader(h http.Header) bool {
	for name := range grantHeaders {
		if h.Get(name) != "" {
			return true
		}
	}
	return false
}

// aclOf reads the ACL that the headers of a request ask for: a canned one, or grants that are the same as one.
func aclOf(h http.Header) (string, error) {
	if !grantHeader(h) {
		return cannedACL(h.Get(aclHeader))
	}
	if h.Get(aclHeader) != "" {
		return "", &Error{codeInvalidRequest, "Specifying both Canned ACLs and Header Grants is not allowed"}
	}
	var grants []grant
	for name, permission := range grantHeaders {
		if h.Get(name) == "" {
			continue
		}
		for item := range strings.SplitSeq(h.Get(name), ",") {
			kind, who, ok := strings.Cut(strings.TrimSpace(item), "=")
			who = strings.Trim(who, `"`)
			switch {
			case !ok:
				return "", &Error{codeInvalidArgument, `Invalid ` + strings.ToLower(name) + `: write id="…" or uri="…", separated by commas.`}
			case strings.EqualFold(kind, "id") && who == ownerID:
				// who owns everything has it anyway
			case strings.EqualFold(kind, "uri"):
				grants = append(grants, grant{who, permission})
			default:
				grants = append(grants, grant{item, permission}) // nobody here, and so in no canned ACL
			}
		}
	}
	return cannedOf(grants)
}

// aclXML is an AccessControlPolicy as it is read.
type aclXML struct {
	XMLName xml.Name `xml:"AccessControlPolicy"`
	Owner   ownerXML
	Grants  []struct {
		Grantee struct {
			ID, URI, EmailAddress string
		}
		Permission string
	} `xml:"AccessControlList>Grant"`
}

// parseACL reads the document of PUT ?acl.
func parseACL(document []byte) (string, error) {
	var doc aclXML
	if err := unmarshalXML(document, &doc); err != nil {
		return "", err
	}
	if doc.Owner.ID != "" && doc.Owner.ID != ownerID {
		return "", &Error{codeAccessDenied, "The owner of an ACL cannot be changed: it is " + ownerID + "."}
	}
	var grants []grant
	for _, g := range doc.Grants {
		switch g.Permission {
		case "READ", "WRITE", "READ_ACP", "WRITE_ACP", "FULL_CONTROL":
		default:
			return "", &Error{"MalformedACLError", "The XML you provided was not well-formed or did not validate against our published schema: the permission " + g.Permission}
		}
		switch {
		case g.Grantee.ID == ownerID:
		case g.Grantee.URI != "":
			grants = append(grants, grant{g.Grantee.URI, g.Permission})
		case g.Grantee.ID != "" || g.Grantee.EmailAddress != "":
			grants = append(grants, grant{g.Grantee.ID + g.Grantee.EmailAddress, g.Permission})
		default:
			return "", &Error{"MalformedACLError", "The XML you provided was not well-formed or did not validate against our published schema: a grantee without ID or URI"}
		}
	}
	return cannedOf(grants)
}

// unmarshalXML reads a whole document; what is not one is MalformedXML.
func unmarshalXML(document []byte, v any) error {
	d := xml.NewDecoder(bytes.NewReader(document))
	if err := d.Decode(v); err != nil {
		return &Error{codeMalformedXML, "The XML you provided was not well-formed or did not validate against our published schema: " + err.Error()}
	}
	return nil
}

// aclAllows asks the ACLs of bucket and object, which let in everybody or all keys.
func (c *call) aclAllows(settings *bucketSettings, w want) (bool, error) {
	lets := func(acl, permission string) bool {
		for _, g := range cannedGrants(acl) {
			if g.permission == permission && (g.group == allUsers || !c.id.anonymous()) {
				return true
			}
		}
		return false
	}
	switch w.action {
	case "listbucket", "listbucketversions", "listbucketmultipartuploads":
		return lets(settings.acl, "READ"), nil
	case "putobject", "deleteobject":
		return lets(settings.acl, "WRITE"), nil
	case "getobject", "getobjectversion":
		info, err := c.store.StatVersion(c.ctx, w.bucket, w.key, w.version)
		if _, ok := errors.AsType[*Error](err); ok {
			// What is not there may be looked for by whom the list is open to.
			return isCode(err, codeNoSuchKey) && lets(settings.acl, "READ"), nil
		}
		if err != nil {
			return false, err
		}
		return lets(info.Headers[aclHeader], "READ"), nil
	}
	return false, nil
}

// getACL serves GET ?acl of buckets and objects.
func (c *call) getACL() error {
	var acl string
	if c.key == "" {
		var err error
		if acl, err = c.store.BucketACL(c.ctx, c.bucket); err != nil {
			return err
		}
	} else {
		info, err := c.store.StatVersion(c.ctx, c.bucket, c.key, c.version)
		if err != nil {
			return err
		}
		c.tellVersion(info.Version)
		acl = info.Headers[aclHeader]
	}
	type grantee struct {
		Xsi         string `xml:"xmlns:xsi,attr"`
		Type        string `xml:"xsi:type,attr"`
		ID          string `xml:",omitempty"`
		DisplayName string `xml:",omitempty"`
		URI         string `xml:",omitempty"`
	}
	type grantXML struct {
		Grantee    grantee
		Permission string
	}
	const xsi = "http://www.w3.org/2001/XMLSchema-instance"
	list := []grantXML{{grantee{xsi, "CanonicalUser", ownerID, ownerName, ""}, "FULL_CONTROL"}}
	for _, g := range cannedGrants(acl) {
		list = append(list, grantXML{grantee{xsi, "Group", "", "", g.group}, g.permission})
	}
	return c.writeXML(struct {
		XMLName xml.Name `xml:"AccessControlPolicy"`
		Xmlns   string   `xml:"xmlns,attr"`
		Owner   ownerXML
		List    []grantXML `xml:"AccessControlList>Grant"`
	}{Xmlns: s3Namespace, Owner: ownerXML{ownerID, ownerName}, List: list})
}

// putACL serves PUT ?acl of buckets and objects, by header or by document.
func (c *call) putACL() error {
	acl, err := aclOf(c.headers)
	if err != nil {
		return err
	}
	document, err := c.body.readDocument()
	if err != nil {
		return err
	}
	byHeader := c.headers.Get(aclHeader) != "" || grantHeader(c.headers)
	switch {
	case byHeader && len(document) > 0:
		return &Error{"UnexpectedContent", "This request does not support content: an ACL stands in headers or in a document."}
	case !byHeader && len(document) == 0:
		return &Error{"MissingSecurityHeader", "Your request was missing a required header: send x-amz-acl, or an AccessControlPolicy document."}
	case !byHeader:
		if acl, err = parseACL(document); err != nil {
			return err
		}
	}
	if c.key == "" {
		return c.store.set(c.ctx, c.bucket, settingACL, acl)
	}
	info, err := c.store.SetObjectACL(c.ctx, c.bucket, c.key, c.version, acl)
	if err == nil {
		c.tellVersion(info.Version)
	}
	return err
}
