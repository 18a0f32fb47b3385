package artifacts

import (
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// maxDocument is the greatest XML body: 10,000 parts with checksums, or 1,000 keys of 1 KiB, take less.
const maxDocument = 8 << 20

const emptySHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// body is a request's body: decoded from aws-chunked, and what it must turn out to be.
type body struct {
	io.Reader
	Expect
}

// openBody prepares the decoding and verification of the body.
func (c *call) openBody(id identity, op operation) error {
	h := c.r.Header
	b := body{Reader: c.r.Body, Expect: Expect{Size: c.r.ContentLength}}
	var err error
	if b.MD5, err = contentMD5(h); err != nil {
		return err
	}
	if b.Checksum, b.ChecksumValue, err = declaredChecksum(h); err != nil {
		return err
	}
	switch payload := h.Get("X-Amz-Content-Sha256"); payload {
	case "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", "STREAMING-UNSIGNED-PAYLOAD-TRAILER":
		if b.Size, err = strconv.ParseInt(h.Get("X-Amz-Decoded-Content-Length"), 10, 64); err != nil || b.Size < 0 {
			return &Error{codeMissingLength, "You must provide the x-amz-decoded-content-length HTTP header: a number of bytes."}
		}
		chunks := newChunkReader(c.r.Body)
		if payload != "STREAMING-UNSIGNED-PAYLOAD-TRAILER" {
			if id.presigned || id.version != 4 {
				return &Error{codeInvalidRequest, "Only a request that is signed with Version 4 in its headers can have a signed chunked body."}
			}
			chunks.signer = newChunkSigner(id)
		}
		if trailer := h.Get("X-Amz-Trailer"); trailer != "" {
			name := strings.ToLower(strings.TrimSpace(trailer))
			algorithm := checksumName(strings.TrimPrefix(name, "x-amz-checksum-"))
			if algorithm == "" {
				return &Error{codeInvalidRequest, "The value of the x-amz-trailer header is not the name of a checksum header: " + trailer}
			}
			chunks.trailerName = name
			b.Checksum, b.ChecksumValue = algorithm, func() string { return chunks.trailer }
		}
		b.Reader = chunks
	case "UNSIGNED-PAYLOAD":
	case "":
		if !id.presigned && id.version == 4 {
			// The signature was checked over the hash of the empty body, so that is what it covers.
			b.SHA256, _ = hex.DecodeString(emptySHA256)
		}
	default:
		if b.SHA256, err = hex.DecodeString(payload); err != nil || len(b.SHA256) != sha256.Size {
			return &Error{codeInvalidArgument, "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, " +
				"STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER, STREAMING-UNSIGNED-PAYLOAD-TRAILER, or a valid sha256 value."}
		}
	}
	if op.payload && b.Size < 0 {
		return &Error{codeMissingLength, "You must provide the Content-Length HTTP header."}
	}
	c.body = b
	return nil
}

func contentMD5(h http.Header) ([]byte, error) {
	values, ok := h["Content-Md5"]
	if !ok {
		return nil, nil
	}
	sum, err := base64.StdEncoding.DecodeString(values[0])
	if err != nil || len(sum) != md5.Size {
		return nil, &Error{codeInvalidDigest, "The Content-MD5 you specified is not valid: it is the base64 of 16 bytes."}
	}
	return sum, nil
}

// declaredChecksum reads x-amz-checksum-NAME: value, or x-amz-sdk-checksum-algorithm alone.
func declaredChecksum(h http.Header) (algorithm string, value func() string, err error) {
	for name, values := range h {
		rest, ok := strings.CutPrefix(name, checksumHeader)
		if !ok {
			continue
		}
		a := checksumName(rest)
		if a == "" {
			continue // -mode, -type, -algorithm
		}
		if algorithm != "" {
			return "", nil, &Error{codeInvalidRequest, "Expecting a single x-amz-checksum- header. Multiple checksum types are not allowed."}
		}
		v := values[0]
		algorithm, value = a, func() string { return v }
	}
	if algorithm == "" {
		algorithm = checksumName(h.Get("X-Amz-Sdk-Checksum-Algorithm"))
	}
	return algorithm, value, nil
}

// give sets the body that gofakes3 sees: whole and verified.
func (b *body) give(r *http.Request) error {
	r.TransferEncoding = nil
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		r.Body, r.ContentLength = http.NoBody, 0
		return nil
	}
	document, err := b.readDocument()
	if err != nil {
		return err
	}
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(document)), int64(len(document))
	r.Header.Set("Content-Length", strconv.Itoa(len(document)))
	return nil
}

// readDocument reads and verifies a small body.
func (b *body) readDocument() ([]byte, error) {
	document, err := io.ReadAll(io.LimitReader(b.Reader, maxDocument+1))
	if err != nil {
		return nil, bodyError(err)
	}
	if len(document) > maxDocument {
		return nil, &Error{codeEntityTooLarge, "The XML document is too large."}
	}
	if b.Size >= 0 && int64(len(document)) != b.Size {
		return nil, &Error{codeIncompleteBody, "The body has another length than was announced."}
	}
	md, sh := md5.Sum(document), sha256.Sum256(document)
	sum := newChecksum(b.Checksum)
	if sum != nil {
		sum.Write(document)
	}
	got := blob{md5: md[:], sha256: sh[:]}
	return document, got.verify(b.Expect, sum)
}
