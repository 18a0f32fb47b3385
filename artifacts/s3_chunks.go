package artifacts

import (
	"bufio"
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"strconv"
	"strings"
)

// maxTrailer bounds what may follow the last chunk, maxChunkLine a chunk's first line, in bytes.
const (
	maxTrailer   = 16 << 10
	maxChunkLine = 1 << 10
)

// chunkReader decodes a body in aws-chunked encoding: chunks with a size in hex and, if signed, a signature each, then
// perhaps a trailer with a checksum, itself signed. Data is handed on before its chunk's signature is known to be right: a
// reader must not use what it read unless the end comes as io.EOF.
type chunkReader struct {
	in     *bufio.Reader
	signer *chunkSigner // nil when unsigned
	// trailerName is the announced trailer, trailer its value once the end was reached.
	trailerName, trailer string

	left      int64  // of the current chunk
	signature string // of the current chunk
	begun     bool
	err       error
}

func newChunkReader(r io.Reader) *chunkReader {
	return &chunkReader{in: bufio.NewReaderSize(r, 64<<10)}
}

func (r *chunkReader) Read(p []byte) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	if len(p) == 0 {
		return 0, nil
	}
	for r.left == 0 {
		if r.err = r.nextChunk(); r.err != nil {
			return 0, r.err
		}
	}
	n, err := r.in.Read(p[:min(int64(len(p)), r.left)])
	r.left -= int64(n)
	if r.signer != nil {
		r.signer.chunk.Write(p[:n])
	}
	if err == io.EOF {
		r.err = io.ErrUnexpectedEOF
		return n, r.err
	}
	r.err = err
	return n, err
}

// nextChunk ends the chunk before and reads the first line of the next. After the last one it returns io.EOF.
func (r *chunkReader) nextChunk() error {
	if r.begun {
		if err := r.endChunk(); err != nil {
			return err
		}
		if end, err := r.in.Peek(2); err != nil {
			return unexpected(err)
		} else if string(end) != "\r\n" {
			return badChunk("a chunk is longer than its size")
		}
		_, _ = r.in.Discard(2) // just peeked at
	}
	r.begun = true
	line, err := r.in.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) || len(line) > maxChunkLine {
		return badChunk("a chunk's first line is too long")
	}
	if err != nil {
		return unexpected(err)
	}
	size, extension, _ := strings.Cut(strings.TrimRight(string(line), "\r\n"), ";")
	if r.left, err = strconv.ParseInt(size, 16, 64); err != nil || r.left < 0 || size[0] == '+' || size[0] == '-' {
		return badChunk("a chunk's size is not a hexadecimal number")
	}
	if r.signer != nil {
		var ok bool
		if r.signature, ok = strings.CutPrefix(extension, "chunk-signature="); !ok {
			return badChunk("a chunk has no signature")
		}
	}
	if r.left > 0 {
		return nil
	}
	if err := r.endChunk(); err != nil {
		return err
	}
	return r.readTrailer()
}

func (r *chunkReader) endChunk() error {
	if r.signer == nil || r.signer.verifyChunk(r.signature) {
		return nil
	}
	return &Error{codeSignature, "The signature of a chunk of the body does not match the one that was computed."}
}

// readTrailer reads what follows the last chunk. Clients differ in where they put line ends.
func (r *chunkReader) readTrailer() error {
	rest, err := io.ReadAll(io.LimitReader(r.in, maxTrailer+1))
	if err != nil {
		return unexpected(err)
	}
	if len(rest) > maxTrailer {
		return badChunk("the trailer is too long")
	}
	var signed bytes.Buffer
	signature := ""
	for line := range strings.Lines(string(rest)) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		name, value, ok := strings.Cut(line, ":")
		name, value = strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(value)
		switch {
		case ok && name == "x-amz-trailer-signature":
			signature = value
		case ok && name == r.trailerName && r.trailer == "" && value != "":
			r.trailer = value
			signed.WriteString(name + ":" + value + "\n")
		default:
			return &Error{"MalformedTrailerError", "The request's trailer holds something else than the header that x-amz-trailer announces."}
		}
	}
	if r.trailerName != "" {
		if r.trailer == "" {
			return &Error{"MalformedTrailerError", "The request's trailer lacks the header that x-amz-trailer announces."}
		}
		if r.signer != nil && !r.signer.verifyTrailer(signed.Bytes(), signature) {
			return &Error{codeSignature, "The signature of the body's trailer does not match the one that was computed."}
		}
	}
	return io.EOF
}

func badChunk(what string) *Error {
	return &Error{codeIncompleteBody, "The body is not in the aws-chunked encoding that its headers announce: " + what + "."}
}

func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// chunkSigner computes the chain of chunk signatures, which begins with the request's own.
type chunkSigner struct {
	key               []byte
	date, scope, last string
	chunk             hash.Hash // of the current chunk's data
}

func newChunkSigner(id identity) *chunkSigner {
	return &chunkSigner{key: signingKey(id.secret, id.scope), date: id.date, scope: id.scope, last: id.seed, chunk: sha256.New()}
}

func (s *chunkSigner) verifyChunk(signature string) bool {
	text := "AWS4-HMAC-SHA256-PAYLOAD\n" + s.date + "\n" + s.scope + "\n" + s.last + "\n" + emptySHA256 + "\n" + hex.EncodeToString(s.chunk.Sum(nil))
	s.chunk.Reset()
	s.last = hex.EncodeToString(hmacSHA256(s.key, text))
	return subtle.ConstantTimeCompare([]byte(s.last), []byte(signature)) == 1
}

func (s *chunkSigner) verifyTrailer(trailer []byte, signature string) bool {
	sum := sha256.Sum256(trailer)
	text := "AWS4-HMAC-SHA256-TRAILER\n" + s.date + "\n" + s.scope + "\n" + s.last + "\n" + hex.EncodeToString(sum[:])
	return subtle.ConstantTimeCompare([]byte(hex.EncodeToString(hmacSHA256(s.key, text))), []byte(signature)) == 1
}

// signingKey derives the key of a scope DATE/REGION/s3/aws4_request.
func signingKey(secret, scope string) []byte {
	key := []byte("AWS4" + secret)
	for part := range strings.SplitSeq(scope, "/") {
		key = hmacSHA256(key, part)
	}
	return key
}

func hmacSHA256(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}
