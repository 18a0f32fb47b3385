package artifacts

import (
	"io"
	"net/http"
	"net/url"
	"strconv"
)

// overrides are the query parameters of GET and HEAD that set a header of the answer.
var overrides = map[string]string{
	"response-cache-control":       "Cache-Control",
	"response-content-disposition": "Content-Disposition",
	"response-content-encoding":    "Content-Encoding",
	"response-content-language":    "Content-Language",
	"response-content-type":        "Content-Type",
	"response-expires":             "Expires",
}

// getObject serves GetObject.
func (c *call) getObject() error {
	var r *ObjectReader
	err := c.withKey(c.bucket, c.key, c.version, func(key string) (err error) {
		r, err = c.store.OpenVersion(c.ctx, c.bucket, key, c.version)
		return err
	})
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }()
	start, length, err := c.describe(&r.ObjectInfo)
	if err != nil {
		return err
	}
	if c.span == nil {
		_, err = r.WriteTo(c.w)
		return err
	}
	if _, err := r.Seek(start, io.SeekStart); err != nil {
		return err
	}
	_, err = io.Copy(c.w, &io.LimitedReader{R: r.source, N: length}) // the file itself, so that the kernel can send it
	return err
}

// headObject serves HeadObject.
func (c *call) headObject() error {
	var info ObjectInfo
	err := c.withKey(c.bucket, c.key, c.version, func(key string) (err error) {
		info, err = c.store.StatVersion(c.ctx, c.bucket, key, c.version)
		return err
	})
	if err == nil {
		_, _, err = c.describe(&info)
	}
	return err
}

// describe checks the conditions and sends the status and the headers of an object that is read, or of the range of it that was asked for.
func (c *call) describe(info *ObjectInfo) (start, length int64, err error) {
	c.info = info
	if err := c.read.check(*info); err != nil {
		return 0, 0, err
	}
	if c.partNumber > 0 {
		if err := c.selectPart(*info); err != nil {
			c.info = nil
			return 0, 0, err
		}
	}
	h, status := c.w.Header(), http.StatusOK
	length = info.Size
	if c.span != nil {
		if start, length, err = c.span.of(info.Size); err != nil {
			c.info = nil
			return 0, 0, err
		}
		status = http.StatusPartialContent
		h["Content-Range"] = []string{"bytes " + strconv.FormatInt(start, 10) + "-" + strconv.FormatInt(start+length-1, 10) + "/" + strconv.FormatInt(info.Size, 10)}
	}
	h["Content-Type"] = []string{"binary/octet-stream"}
	for name, value := range info.Headers {
		h.Set(name, value)
	}
	if len(c.query) > 0 {
		for name, header := range overrides {
			if value := url.Values(c.query).Get(name); value != "" {
				h.Set(header, value)
			}
		}
	}
	h["Accept-Ranges"] = []string{"bytes"}
	h["Content-Length"] = []string{strconv.FormatInt(length, 10)}
	c.w.WriteHeader(status)
	return start, length, nil
}

// putObject serves PutObject.
func (c *call) putObject() error {
	o := PutOptions{Expect: c.body.Expect, Conditions: c.write}
	var err error
	if o.Headers, o.Metadata, o.Tags, o.StorageClass, err = describedObject(c.headers); err != nil {
		return err
	}
	info, err := c.store.Put(c.ctx, c.bucket, c.key, c.body, o)
	if err == nil {
		c.info = &info
	}
	return err
}
