package artifacts

import (
	"encoding/xml"
	"errors"
	"net/http"
)

// maxBatch is how many keys one request may delete.
const maxBatch = 1000

// deleteObject serves DeleteObject.
func (c *call) deleteObject() error {
	results, err := c.store.DeleteObjects(c.ctx, c.bucket, DeleteRequest{Key: c.key, Version: c.version, IfMatch: c.headers.Get("If-Match")})
	if err != nil {
		return err
	}
	if results[0].Err != nil {
		return results[0].Err
	}
	c.tellVersion(results[0].Version)
	if results[0].DeleteMarker {
		c.w.Header().Set("X-Amz-Delete-Marker", "true")
	}
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}

type batchXML struct {
	XMLName xml.Name `xml:"Delete"`
	Quiet   bool
	Objects []struct {
		Key       string
		VersionID *string `xml:"VersionId"`
		ETag      string
		// Of directory buckets only.
		LastModifiedTime, Size *string
	} `xml:"Object"`
}

type deletedXML struct {
	XMLName               xml.Name `xml:"Deleted"`
	Key                   string
	VersionID             string `xml:"VersionId,omitempty"`
	DeleteMarker          bool   `xml:",omitempty"`
	DeleteMarkerVersionID string `xml:"DeleteMarkerVersionId,omitempty"`
}

type undeletedXML struct {
	XMLName   xml.Name `xml:"Error"`
	Key       string
	VersionID string `xml:"VersionId,omitempty"`
	Code      string
	Message   string
}

// deleteBatch serves DeleteObjects. Each key is judged by itself.
func (c *call) deleteBatch() error {
	document, err := c.body.readDocument()
	if err != nil {
		return err
	}
	var in batchXML
	if err := unmarshalXML(document, &in); err != nil {
		return err
	}
	if len(in.Objects) == 0 || len(in.Objects) > maxBatch {
		return &Error{codeMalformedXML, "The XML you provided was not well-formed or did not validate against our published schema: a delete request names 1 to 1000 objects."}
	}
	var requests []DeleteRequest
	var failed []undeletedXML
	refuse := func(r DeleteRequest, err error) error {
		e, ok := errors.AsType[*Error](err)
		if !ok {
			return err
		}
		failed = append(failed, undeletedXML{Key: r.Key, VersionID: r.Version, Code: e.Code, Message: e.Message})
		return nil
	}
	for _, o := range in.Objects {
		r := DeleteRequest{Key: o.Key, IfMatch: o.ETag}
		switch {
		case o.Key == "":
			return &Error{codeMalformedXML, "The XML you provided was not well-formed or did not validate against our published schema: an object without Key."}
		case o.LastModifiedTime != nil || o.Size != nil:
			return &Error{codeNotImplemented, "LastModifiedTime and Size are conditions of directory buckets only; nothing was deleted."}
		case o.VersionID != nil:
			r.Version = *o.VersionID
		}
		err := c.mayDelete(r.Key, r.Version)
		if err == nil && len(r.Key) > maxKeySize {
			err = keyTooLong(r.Key)
		}
		if err == nil {
			requests = append(requests, r)
		} else if err := refuse(r, err); err != nil {
			return err
		}
	}
	results, err := c.store.DeleteObjects(c.ctx, c.bucket, requests...)
	if err != nil {
		return err
	}
	out := struct {
		XMLName xml.Name `xml:"DeleteResult"`
		Xmlns   string   `xml:"xmlns,attr"`
		Deleted []deletedXML
		Failed  []undeletedXML
	}{Xmlns: s3Namespace}
	for i, r := range requests {
		if results[i].Err != nil {
			if err := refuse(r, results[i].Err); err != nil {
				return err
			}
		} else if !in.Quiet {
			d := deletedXML{Key: r.Key, VersionID: r.Version, DeleteMarker: results[i].DeleteMarker}
			if d.DeleteMarker {
				d.DeleteMarkerVersionID = results[i].Version
			}
			out.Deleted = append(out.Deleted, d)
		}
	}
	out.Failed = failed
	return c.writeXML(out)
}
