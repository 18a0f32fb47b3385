package artifacts

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"hash"
	"hash/crc32"
	"strings"

	"github.com/minio/crc64nvme"
)

// checksumHeader begins the headers that carry an object's checksum.
const checksumHeader = "X-Amz-Checksum-"

// How the checksum of an object is made: of its bytes, or of the checksums of its parts.
const (
	checksumFull      = "FULL_OBJECT"
	checksumComposite = "COMPOSITE"
)

// defaultChecksum is what S3 computes of an object whose uploader names no checksum. Its instructions in today's processors make that cost
// next to nothing beside the hashes.
const defaultChecksum = "crc64nvme"

// newChecksum makes the hash of one of S3's algorithms (crc32, crc32c, crc64nvme, sha1, sha256), or nil for
// another name.
func newChecksum(algorithm string) hash.Hash {
	switch algorithm {
	case "crc32":
		return crc32.NewIEEE()
	case "crc32c":
		return crc32.New(crc32.MakeTable(crc32.Castagnoli))
	case "crc64nvme":
		return crc64nvme.New()
	case "sha1":
		return sha1.New()
	case "sha256":
		return sha256.New()
	}
	return nil
}

// checksumName gives the algorithm that a header x-amz-checksum-NAME or a value such as CRC32 speaks of, or "".
func checksumName(s string) string {
	s = strings.ToLower(s)
	switch s {
	case "crc32", "crc32c", "crc64nvme", "sha1", "sha256":
		return s
	}
	return ""
}

// validChecksum tells whether a value has the form of the algorithm's checksum.
func validChecksum(algorithm, value string) bool {
	b, err := base64.StdEncoding.DecodeString(value)
	return err == nil && len(b) == newChecksum(algorithm).Size()
}

// combineChecksums computes the CRC of a concatenation from those of its two halves; sums are big endian.
// It is the usual method: the first CRC is carried over the second's zeros by squaring a matrix over GF(2).
func combineChecksums(algorithm string, first, second []byte, secondLen int64) []byte {
	var poly uint64
	bits := 32
	switch algorithm {
	case "crc32":
		poly = crc32.IEEE
	case "crc32c":
		poly = crc32.Castagnoli
	case "crc64nvme":
		poly, bits = crc64nvme.NVME, 64
	default:
		return nil
	}
	a, b := bigEndian(first), bigEndian(second)
	// The matrix that advances a CRC by one zero bit; column i is the image of bit i.
	matrix := make([]uint64, bits)
	matrix[0] = poly
	for i := 1; i < bits; i++ {
		matrix[i] = 1 << (i - 1)
	}
	square := func() {
		next := make([]uint64, bits)
		for i, column := range matrix {
			next[i] = apply(matrix, column)
		}
		matrix = next
	}
	square()
	square() // four bits
	for n := secondLen; n > 0; n >>= 1 {
		square() // a byte, then two, then four …
		if n&1 != 0 {
			a = apply(matrix, a)
		}
	}
	sum := a ^ b
	out := make([]byte, bits/8)
	for i := range out {
		out[i] = byte(sum >> (bits - 8 - 8*i))
	}
	return out
}

func apply(matrix []uint64, vector uint64) uint64 {
	var sum uint64
	for i := 0; vector != 0; i, vector = i+1, vector>>1 {
		if vector&1 != 0 {
			sum ^= matrix[i]
		}
	}
	return sum
}

func bigEndian(b []byte) uint64 {
	var n uint64
	for _, c := range b {
		n = n<<8 | uint64(c)
	}
	return n
}
