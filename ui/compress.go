package ui

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// compressFrom is the length in bytes below which an answer fits a packet or two anyway.
const compressFrom = 1024

// compressors are kept, since each has tables of some hundred KiB.
type compressors struct{ pool sync.Pool }

// send writes an answer, compressed when the browser takes that. Everything else of its head must be set.
func (c *compressors) send(w http.ResponseWriter, r *http.Request, status int, body []byte) {
	h := w.Header()
	h.Add("Vary", "Accept-Encoding")
	if len(body) >= compressFrom && takesGzip(r) {
		var buf bytes.Buffer
		z, ok := c.pool.Get().(*gzip.Writer)
		if !ok {
			z, _ = gzip.NewWriterLevel(nil, gzip.BestSpeed) // the level is one of those that there are
		}
		z.Reset(&buf)
		_, _ = z.Write(body) // a buffer takes everything
		_ = z.Close()
		c.pool.Put(z)
		h.Set("Content-Encoding", "gzip")
		body = buf.Bytes()
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // nobody is left to tell when the browser has gone
}

// takesGzip reads Accept-Encoding.
func takesGzip(r *http.Request) bool {
	for part := range strings.SplitSeq(strings.Join(r.Header.Values("Accept-Encoding"), ","), ",") {
		name, weight, _ := strings.Cut(part, ";")
		if name = strings.TrimSpace(name); name != "gzip" && name != "*" {
			continue
		}
		_, q, _ := strings.Cut(weight, "=")
		if v, err := strconv.ParseFloat(strings.TrimSpace(q), 64); err != nil || v > 0 {
			return true
		}
	}
	return false
}

// best compresses once what is sent often.
func best(data []byte) []byte {
	var buf bytes.Buffer
	z, _ := gzip.NewWriterLevel(&buf, gzip.BestCompression) // the level is one of those that there are
	_, _ = z.Write(data)                                    // a buffer takes everything
	_ = z.Close()
	return buf.Bytes()
}
