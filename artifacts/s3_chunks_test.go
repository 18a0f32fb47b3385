package artifacts

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/iotest"
)

func testSigner() *chunkSigner {
	return newChunkSigner(identity{secret: "secret", scope: "20260101/us-east-1/s3/aws4_request", date: "20260101T000000Z", seed: "seed"})
}

// chunked encodes data as a client does that signs.
func chunked(data []byte, size int, trailer string) []byte {
	s := testSigner()
	var b bytes.Buffer
	write := func(chunk []byte) {
		s.chunk.Write(chunk)
		s.verifyChunk("") // moves the chain on
		fmt.Fprintf(&b, "%x;chunk-signature=%s\r\n", len(chunk), s.last)
		b.Write(chunk)
		if len(chunk) > 0 || trailer == "" {
			b.WriteString("\r\n")
		}
	}
	for rest := data; len(rest) > 0; rest = rest[min(size, len(rest)):] {
		write(rest[:min(size, len(rest))])
	}
	write(nil)
	if trailer != "" {
		sum := sha256.Sum256([]byte(trailer + "\n"))
		text := "AWS4-HMAC-SHA256-TRAILER\n" + s.date + "\n" + s.scope + "\n" + s.last + "\n" + hex.EncodeToString(sum[:])
		b.WriteString(trailer + "\n\r\nx-amz-trailer-signature:" + hex.EncodeToString(hmacSHA256(s.key, text)) + "\r\n\r\n")
	}
	return b.Bytes()
}

func decode(in io.Reader, signed bool, trailer string) (string, string, error) {
	r := newChunkReader(in)
	if signed {
		r.signer = testSigner()
	}
	r.trailerName = trailer
	b, err := io.ReadAll(r)
	return string(b), r.trailer, err
}

func TestSignedChunks(t *testing.T) {
	data := []byte(strings.Repeat("0123456789", 5000))
	for _, size := range []int{1000, 65536, 50000} {
		for _, trailer := range []string{"", "x-amz-checksum-crc32:AAAAAA=="} {
			name, value, _ := strings.Cut(trailer, ":")
			in := chunked(data, size, trailer)
			for _, reader := range []io.Reader{bytes.NewReader(in), iotest.HalfReader(bytes.NewReader(in)), iotest.DataErrReader(bytes.NewReader(in))} {
				got, v, err := decode(reader, true, name)
				if err != nil || got != string(data) || v != value {
					t.Errorf("size %d trailer %q: %d bytes, %q, %v", size, trailer, len(got), v, err)
				}
			}
			// Whatever bit is flipped, wherever the body is cut, the end is never io.EOF.
			for i := 0; i < len(in); i += 97 {
				bad := bytes.Clone(in)
				bad[i] ^= 1
				if got, v, err := decode(bytes.NewReader(bad), true, name); err == nil && (got != string(data) || v != value) {
					t.Fatalf("size %d: byte %d flipped, unnoticed", size, i)
				}
				if _, _, err := decode(bytes.NewReader(in[:i]), true, name); err == nil {
					t.Fatalf("size %d: cut at %d, unnoticed", size, i)
				}
			}
		}
	}
}

func TestUnsignedChunks(t *testing.T) {
	const name = "x-amz-checksum-crc32"
	for in, want := range map[string]string{
		"3\r\nabc\r\n0\r\nx-amz-checksum-crc32:v\r\n\r\n":                       "abc v",
		"3\r\nabc\r\n2\r\nde\r\n0\r\nX-Amz-Checksum-Crc32: v\r\n\r\n":           "abcde v",
		"A\r\n0123456789\r\n0\r\nx-amz-checksum-crc32:v\n":                      "0123456789 v",
		"0\r\nx-amz-checksum-crc32:v\r\n\r\n":                                   " v",
		"3\r\nabcd\r\n0\r\nx-amz-checksum-crc32:v\r\n\r\n":                      "error longer than its size",
		"4\r\nabc\r\n0\r\nx-amz-checksum-crc32:v\r\n\r\n":                       "error longer than its size",
		"3\r\nabc\r\n0\r\n\r\n":                                                 "error lacks",
		"3\r\nabc\r\n0\r\nother:v\r\n\r\n":                                      "error something else",
		"3\r\nabc\r\n0\r\nx-amz-checksum-crc32:v\r\nx-amz-checksum-crc32:w\r\n": "error something else",
		"3\r\nabc\r\n":             "error unexpected EOF",
		"-3\r\nabc\r\n":            "error hexadecimal",
		"+3\r\nabc\r\n":            "error hexadecimal",
		"\r\n":                     "error hexadecimal",
		"fffffffffffffffff\r\n":    "error hexadecimal",
		strings.Repeat("0", 70000): "error too long",
		"0\r\n" + strings.Repeat("x", maxTrailer+1): "error too long",
		"":                        "error unexpected EOF",
		"7fffffffffffffff\r\nabc": "error unexpected EOF",
		"3\r\nabc\r\n0\r\nx-amz-checksum-crc32:v\r\n\r\n3\r\nabc\r\n0\r\n\r\n": "error something else",
	} {
		got, value, err := decode(strings.NewReader(in), false, name)
		got += " " + value
		if err != nil {
			got = "error " + err.Error()
		}
		if part, isErr := strings.CutPrefix(want, "error "); got != want && (!isErr || err == nil || !strings.Contains(got, part)) {
			t.Errorf("%.60q: %q, want %q", in, got, want)
		}
	}
}

func FuzzChunks(f *testing.F) {
	f.Add(chunked([]byte("abc"), 2, ""), true)
	f.Add(chunked([]byte("abc"), 2, "x-amz-checksum-crc32:AAAAAA=="), true)
	f.Add([]byte("3\r\nabc\r\n0\r\nx-amz-checksum-crc32:v\r\n\r\n"), false)
	f.Fuzz(func(t *testing.T, in []byte, signed bool) {
		got, _, err := decode(bytes.NewReader(in), signed, "x-amz-checksum-crc32")
		if len(got) > len(in) {
			t.Errorf("%d bytes became %d, %v", len(in), len(got), err)
		}
	})
}

// No Authorization header or query passes without the secret, and none panics.
func FuzzAuthenticate(f *testing.F) {
	f.Add("AWS4-HMAC-SHA256 Credential=mlflow-key/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=00", "")
	f.Add("", "X-Amz-Signature=00&X-Amz-Credential=mlflow-key/20260101/us-east-1/s3/aws4_request&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-SignedHeaders=host&X-Amz-Date=20260101T000000Z")
	f.Add("AWS a:b", "")
	f.Add("", "AWSAccessKeyId=mlflow-key&Expires=99999999999&Signature=AAAAAAAAAAAAAAAAAAAAAAAAAAA%3D&versionId=x")
	f.Fuzz(func(t *testing.T, header, query string) {
		r := httptest.NewRequest(http.MethodGet, "/mlflow/k", nil)
		r.URL.RawQuery = query
		if header != "" {
			r.Header.Set("Authorization", header)
		}
		q, _ := url.ParseQuery(query)
		if id, err := authenticate(r, q, "", func(string) (string, bool) { return "unguessable 7f1c", true }); err == nil && (!id.anonymous() || header != "") {
			t.Errorf("%q %q passed", header, query)
		}
	})
}
