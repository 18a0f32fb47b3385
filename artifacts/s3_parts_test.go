package artifacts_test

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"net/http"
	"strings"
	"testing"

	"github.com/prinzbox/prinzbox/artifacts"
)

// sums are the checksums of S3, made by the standard library.
var sums = map[string]func() hash.Hash{
	"CRC32":     func() hash.Hash { return crc32.NewIEEE() },
	"CRC32C":    func() hash.Hash { return crc32.New(crc32.MakeTable(crc32.Castagnoli)) },
	"CRC64NVME": func() hash.Hash { return crc64.New(crc64.MakeTable(0x9a6c9329ac4bc9b5)) },
	"SHA1":      sha1.New,
	"SHA256":    sha256.New,
}

func sumOf(algorithm string, data ...[]byte) string {
	h := sums[algorithm]()
	for _, d := range data {
		h.Write(d)
	}
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

// ofSums is the checksum of the parts' checksums.
func ofSums(algorithm string, parts [][]byte) string {
	h := sums[algorithm]()
	for _, p := range parts {
		b, _ := base64.StdEncoding.DecodeString(sumOf(algorithm, p))
		h.Write(b)
	}
	return fmt.Sprintf("%s-%d", base64.StdEncoding.EncodeToString(h.Sum(nil)), len(parts))
}

// begin starts an upload and gives the target of its requests.
func (s *s3Test) begin(key string, headers ...string) string {
	s.Helper()
	return "/mlflow/" + key + "?uploadId=" + between(s.want(200, "UploadId", "POST", "/mlflow/"+key+"?uploads", nil, headers...).body, "<UploadId>", "<")
}

// completion is the document for parts numbered from 1, or as said; sums may be nil.
func completion(etags []string, algorithm string, sums []string, numbers ...int) []byte {
	var b strings.Builder
	for i, etag := range etags {
		n := i + 1
		if len(numbers) > 0 {
			n = numbers[i]
		}
		fmt.Fprintf(&b, "<Part><PartNumber>%d</PartNumber><ETag>%s</ETag>", n, etag)
		if sums != nil {
			fmt.Fprintf(&b, "<Checksum%s>%s</Checksum%[1]s>", algorithm, sums[i])
		}
		b.WriteString("</Part>")
	}
	return []byte("<CompleteMultipartUpload>" + b.String() + "</CompleteMultipartUpload>")
}

func TestS3MultipartChecksums(t *testing.T) {
	s := newS3(t)
	parts := [][]byte{noise(5<<20, 1), noise(5<<20, 2), noise(1234, 3)}
	whole := bytes.Join(parts, nil)
	for _, c := range []struct{ algorithm, ask, kind string }{
		{"CRC32", "", "COMPOSITE"},
		{"CRC32", "FULL_OBJECT", "FULL_OBJECT"},
		{"CRC32C", "COMPOSITE", "COMPOSITE"},
		{"CRC32C", "FULL_OBJECT", "FULL_OBJECT"},
		{"CRC64NVME", "", "FULL_OBJECT"},
		{"SHA1", "", "COMPOSITE"},
		{"SHA256", "COMPOSITE", "COMPOSITE"},
	} {
		name := c.algorithm + c.ask
		headers := []string{"X-Amz-Checksum-Algorithm", c.algorithm}
		if c.ask != "" {
			headers = append(headers, "X-Amz-Checksum-Type", c.ask)
		}
		a := s.want(200, "", "POST", "/mlflow/"+name+"?uploads", nil, headers...)
		a.check(t, name, "X-Amz-Checksum-Algorithm", c.algorithm, "X-Amz-Checksum-Type", c.kind)
		target := "/mlflow/" + name + "?uploadId=" + between(a.body, "<UploadId>", "<")
		want := ofSums(c.algorithm, parts)
		if c.kind == "FULL_OBJECT" {
			want = sumOf(c.algorithm, whole)
		}
		var etags, partSums []string
		for i, p := range parts {
			h := []string{"X-Amz-Checksum-" + c.algorithm, sumOf(c.algorithm, p)}
			if i == 1 {
				h = nil // the server computes what a client does not send
			}
			a := s.want(200, "", "PUT", fmt.Sprintf("%s&partNumber=%d", target, i+1), p, h...)
			a.check(t, name, "X-Amz-Checksum-"+c.algorithm, sumOf(c.algorithm, p))
			etags, partSums = append(etags, a.header.Get("ETag")), append(partSums, sumOf(c.algorithm, p))
		}
		other := map[bool]string{true: "SHA256", false: "CRC32"}[c.algorithm != "SHA256"]
		s.want(400, "Checksum Type mismatch", "PUT", target+"&partNumber=4", parts[2], "X-Amz-Checksum-"+other, sumOf(other, parts[2]))
		a = s.want(200, "<ChecksumAlgorithm>"+c.algorithm+"</ChecksumAlgorithm><ChecksumType>"+c.kind, "GET", target, nil)
		for _, sum := range partSums {
			if !strings.Contains(a.body, "<Checksum"+c.algorithm+">"+sum) {
				t.Errorf("%s: no part with %s: %s", name, sum, a.body)
			}
		}
		s.want(200, "<ChecksumType>"+c.kind, "GET", "/mlflow?uploads&prefix="+name, nil)
		wrong := append([]string{partSums[1]}, partSums[1:]...)
		s.want(400, "InvalidPart", "POST", target, completion(etags, c.algorithm, wrong))
		s.want(400, "BadDigest", "POST", target, completion(etags, c.algorithm, partSums), "X-Amz-Checksum-"+c.algorithm, sumOf(c.algorithm, []byte("other")))
		opposite := map[string]string{"COMPOSITE": "FULL_OBJECT", "FULL_OBJECT": "COMPOSITE"}[c.kind]
		s.want(400, "checksum mode", "POST", target, completion(etags, c.algorithm, partSums), "X-Amz-Checksum-Type", opposite)
		s.want(400, "x-amz-mp-object-size", "POST", target, completion(etags, c.algorithm, partSums), "X-Amz-Mp-Object-Size", "7")
		a = s.want(200, "<ChecksumType>"+c.kind, "POST", target, completion(etags, c.algorithm, partSums),
			"X-Amz-Checksum-"+c.algorithm, want, "X-Amz-Checksum-Type", c.kind, "X-Amz-Mp-Object-Size", fmt.Sprint(len(whole)))
		if got := between(a.body, "<Checksum"+c.algorithm+">", "<"); got != want {
			t.Errorf("%s: complete gives %s, want %s", name, got, want)
		}
		s.want(200, "", "HEAD", "/mlflow/"+name, nil, "X-Amz-Checksum-Mode", "ENABLED").
			check(t, name, "X-Amz-Checksum-"+c.algorithm, want, "X-Amz-Checksum-Type", c.kind)
		s.want(200, "", "HEAD", "/mlflow/"+name, nil).check(t, name, "X-Amz-Checksum-"+c.algorithm, "", "X-Amz-Checksum-Type", "")
		s.want(200, "<ChecksumAlgorithm>"+c.algorithm+"</ChecksumAlgorithm><ChecksumType>"+c.kind, "GET", "/mlflow?list-type=2&prefix="+name, nil)
		bare, _, _ := strings.Cut(want, "-")
		a = s.want(200, "<Checksum><Checksum"+c.algorithm+">"+bare+"</Checksum"+c.algorithm+"><ChecksumType>"+c.kind, "GET", "/mlflow/"+name+"?attributes", nil,
			"X-Amz-Object-Attributes", "Checksum,ObjectParts")
		if strings.Count(a.body, "<Part>") != 3 || !strings.Contains(a.body, "<PartsCount>3<") || !strings.Contains(a.body, "<Checksum"+c.algorithm+">"+partSums[1]) {
			t.Error(a.body)
		}
		// A part is read by its number, with its own checksum.
		a = s.want(206, "", "GET", "/mlflow/"+name+"?partNumber=3", nil, "X-Amz-Checksum-Mode", "ENABLED")
		a.check(t, name, "X-Amz-Checksum-"+c.algorithm, partSums[2], "X-Amz-Mp-Parts-Count", "3",
			"Content-Range", fmt.Sprintf("bytes %d-%d/%d", 10<<20, len(whole)-1, len(whole)))
		if a.body != string(parts[2]) {
			t.Errorf("%s: %d bytes of part 3", name, len(a.body))
		}
	}
	for _, headers := range [][]string{
		{"X-Amz-Checksum-Algorithm", "MD4"},
		{"X-Amz-Checksum-Type", "FULL_OBJECT"},
		{"X-Amz-Checksum-Algorithm", "SHA1", "X-Amz-Checksum-Type", "FULL_OBJECT"},
		{"X-Amz-Checksum-Algorithm", "CRC64NVME", "X-Amz-Checksum-Type", "COMPOSITE"},
		{"X-Amz-Checksum-Algorithm", "CRC32", "X-Amz-Checksum-Type", "HALF"},
	} {
		s.want(400, "InvalidRequest", "POST", "/mlflow/k?uploads", nil, headers...)
	}
}

func TestS3Parts(t *testing.T) {
	s := newS3(t)
	first, second := noise(5<<20, 1), noise(10, 2)
	target := s.begin("k", "X-Amz-Storage-Class", "STANDARD_IA", "X-Amz-Tagging", "a=b", "X-Amz-Website-Redirect-Location", "/else")
	put := func(number int, data []byte) string {
		return s.want(200, "", "PUT", fmt.Sprintf("%s&partNumber=%d", target, number), data).header.Get("ETag")
	}
	etags := []string{put(2, first), put(5, second)}
	put(7, second)

	a := s.want(200, "<StorageClass>STANDARD_IA", "GET", target+"&max-parts=0", nil)
	if strings.Contains(a.body, "<Part>") || !strings.Contains(a.body, "<IsTruncated>false") || !strings.Contains(a.body, "<MaxParts>0<") {
		t.Error(a.body)
	}
	marker, numbers := "0", ""
	for range 3 {
		a := s.want(200, "ListPartsResult", "GET", target+"&max-parts=1&part-number-marker="+marker, nil)
		numbers += between(a.body, "<PartNumber>", "<") + between(a.body, "<IsTruncated>", "<") + " "
		marker = between(a.body, "<NextPartNumberMarker>", "<")
	}
	if numbers != "2true 5true 7false " {
		t.Error(numbers)
	}
	for _, query := range []string{"&max-parts=-1", "&max-parts=x", "&part-number-marker=x"} {
		s.want(400, "InvalidArgument", "GET", target+query, nil)
	}

	document := completion(etags, "", nil, 2, 5)
	done := s.want(200, "<Location>"+s.url+"/mlflow/k</Location>", "POST", target, document)
	// The answer may get lost: the same request gives the same answer, another does not.
	if again := s.want(200, "", "POST", target, document); again.body != done.body {
		t.Errorf("%s\n%s", again.body, done.body)
	}
	s.want(200, "", "POST", target, document, "If-None-Match", "*")
	s.want(404, "NoSuchUpload", "POST", target, completion(etags[:1], "", nil, 2))
	s.want(404, "NoSuchUpload", "POST", strings.Replace(target, "/k?", "/other?", 1), document)
	s.want(404, "NoSuchUpload", "GET", target, nil)
	s.want(404, "NoSuchUpload", "DELETE", target, nil)

	a = s.want(200, "", "GET", "/mlflow/k", nil)
	a.check(t, "object", "X-Amz-Storage-Class", "STANDARD_IA", "X-Amz-Tagging-Count", "1", "X-Amz-Website-Redirect-Location", "/else", "X-Amz-Mp-Parts-Count", "")
	if a.body != string(first)+string(second) {
		t.Error("other bytes")
	}
	for _, c := range []struct {
		number, status int
		body           []byte
		crange         string
	}{
		{2, 206, first, "bytes 0-5242879/5242890"}, {5, 206, second, "bytes 5242880-5242889/5242890"}, {1, 416, nil, ""}, {7, 416, nil, ""},
	} {
		for _, method := range []string{"GET", "HEAD"} {
			a := s.want(c.status, "", method, fmt.Sprint("/mlflow/k?partNumber=", c.number), nil)
			if c.status == 206 {
				a.check(t, fmt.Sprint(method, c.number), "Content-Range", c.crange, "X-Amz-Mp-Parts-Count", "2", "Content-Length", fmt.Sprint(len(c.body)))
				if method == "GET" && a.body != string(c.body) {
					t.Errorf("part %d: %d bytes", c.number, len(a.body))
				}
			} else if method == "GET" && !strings.Contains(a.body, "InvalidPartNumber") {
				t.Error(a.body)
			}
		}
	}
	s.want(400, "Cannot specify both Range header and partNumber", "GET", "/mlflow/k?partNumber=2", nil, "Range", "bytes=0-1")
	s.want(400, "InvalidArgument", "GET", "/mlflow/k?partNumber=0", nil)
	s.want(412, "", "GET", "/mlflow/k?partNumber=2", nil, "If-Match", `"x"`)
	// What was put at once is one part.
	s.want(200, "", "PUT", "/mlflow/whole", []byte("abc"), "X-Amz-Checksum-Crc32", "NSRBwg==")
	s.want(206, "abc", "GET", "/mlflow/whole?partNumber=1", nil, "X-Amz-Checksum-Mode", "ENABLED").
		check(t, "whole", "Content-Range", "bytes 0-2/3", "X-Amz-Mp-Parts-Count", "", "X-Amz-Checksum-Crc32", "NSRBwg==")
	s.want(416, "InvalidPartNumber", "GET", "/mlflow/whole?partNumber=2", nil)
	s.want(200, "", "PUT", "/mlflow/empty", nil)
	s.want(200, "", "GET", "/mlflow/empty?partNumber=1", nil)
	// A copy shares its source's parts.
	s.want(200, "", "PUT", "/mlflow/copy", nil, "X-Amz-Copy-Source", "/mlflow/k")
	s.want(206, string(second), "GET", "/mlflow/copy?partNumber=5", nil).check(t, "copy", "X-Amz-Storage-Class", "", "X-Amz-Website-Redirect-Location", "", "X-Amz-Tagging-Count", "1")
	// A completed upload makes a version.
	s.want(200, "", "PUT", "/mlflow?versioning", []byte(enabled))
	target = s.begin("k")
	etag := put(1, second)
	a = s.want(200, "", "POST", target, completion([]string{etag}, "", nil), "If-Match", "*")
	v := version(a)
	if len(v) != 32 || version(s.want(200, "", "POST", target, completion([]string{etag}, "", nil))) != v {
		t.Error(v)
	}
	s.want(200, string(second), "GET", "/mlflow/k", nil).check(t, "version", "X-Amz-Version-Id", v)
	s.want(206, string(second), "GET", "/mlflow/k?versionId=null&partNumber=5", nil)
}

func TestS3ListUploads(t *testing.T) {
	s := newS3(t)
	var ids []string
	for _, key := range []string{"a", "a", "d/1", "d/2", "e f"} {
		ids = append(ids, between(s.begin(strings.ReplaceAll(key, " ", "%20"))+"&", "uploadId=", "&"))
	}
	if ids[0] > ids[1] {
		ids[0], ids[1] = ids[1], ids[0]
	}
	for _, c := range []struct{ query, want string }{
		{"", "a a d/1 d/2 e f false"},
		{"&prefix=d/", "d/1 d/2 false"},
		{"&delimiter=/", "a a e f [d/] false"},
		{"&delimiter=/&max-uploads=3", "a a [d/] true"},
		{"&delimiter=/&key-marker=d/", "e f false"},
		{"&key-marker=a", "d/1 d/2 e f false"},
		{"&key-marker=a&upload-id-marker=" + ids[0], "a d/1 d/2 e f false"},
		{"&upload-id-marker=" + ids[0], "a a d/1 d/2 e f false"},
		{"&max-uploads=1", "a true"},
		{"&max-uploads=0", "false"},
		{"&encoding-type=url&prefix=e", "e%20f false"},
	} {
		a := s.want(200, "ListMultipartUploadsResult", "GET", "/mlflow?uploads"+c.query, nil)
		got := ""
		for item := range strings.SplitSeq(a.body, "<Upload>") {
			if key := between(item, "<Key>", "<"); key != "" {
				got += key + " "
			}
		}
		if p := between(a.body, "<CommonPrefixes><Prefix>", "<"); p != "" {
			got += "[" + p + "] "
		}
		if got += between(a.body, "<IsTruncated>", "<"); got != c.want {
			t.Errorf("%s: %s, want %s", c.query, got, c.want)
		}
	}
	a := s.want(200, "", "GET", "/mlflow?uploads&max-uploads=1", nil)
	if between(a.body, "<NextKeyMarker>", "<") != "a" || between(a.body, "<NextUploadIdMarker>", "<") != ids[0] {
		t.Error(a.body)
	}
	s.want(400, "InvalidArgument", "GET", "/mlflow?uploads&max-uploads=x", nil)
	s.want(404, "NoSuchBucket", "GET", "/nowhere?uploads", nil)
}

func TestS3Attributes(t *testing.T) {
	s := newS3(t)
	s.want(200, "", "PUT", "/mlflow/k", []byte("123456789"), "X-Amz-Checksum-Crc32c", "4waSgw==", "X-Amz-Storage-Class", "GLACIER_IR")
	a := s.want(200, "GetObjectAttributesResponse", "GET", "/mlflow/k?attributes", nil, "X-Amz-Object-Attributes", "ETag,Checksum,ObjectParts,StorageClass", "X-Amz-Object-Attributes", "ObjectSize")
	for _, want := range []string{
		"<ETag>25f9e794323b453885f5181f1b624d0b</ETag>", "<Checksum><ChecksumCRC32C>4waSgw==</ChecksumCRC32C><ChecksumType>FULL_OBJECT</ChecksumType></Checksum>",
		"<StorageClass>GLACIER_IR</StorageClass>", "<ObjectSize>9</ObjectSize>",
	} {
		if !strings.Contains(a.body, want) {
			t.Errorf("no %s in %s", want, a.body)
		}
	}
	if strings.Contains(a.body, "ObjectParts") || a.header.Get("Last-Modified") == "" {
		t.Error(a.body)
	}
	if a := s.want(200, "<ObjectSize>9<", "GET", "/mlflow/k?attributes", nil, "X-Amz-Object-Attributes", "ObjectSize"); strings.Contains(a.body, "ETag") {
		t.Error(a.body)
	}
	s.want(400, "InvalidRequest", "GET", "/mlflow/k?attributes", nil)
	s.want(400, "InvalidArgument", "GET", "/mlflow/k?attributes", nil, "X-Amz-Object-Attributes", "Colour")
	s.want(400, "InvalidArgument", "GET", "/mlflow/k?attributes", nil, "X-Amz-Object-Attributes", "ETag", "X-Amz-Max-Parts", "x")
	s.want(404, "NoSuchKey", "GET", "/mlflow/none?attributes", nil, "X-Amz-Object-Attributes", "ETag")
	// Parts are paged.
	target := s.begin("parts", "X-Amz-Checksum-Algorithm", "CRC32")
	var etags []string
	for i, data := range [][]byte{noise(5<<20, 1), noise(5<<20, 2), []byte("x")} {
		etags = append(etags, s.want(200, "", "PUT", fmt.Sprintf("%s&partNumber=%d", target, i+1), data).header.Get("ETag"))
	}
	s.want(200, "", "POST", target, completion(etags, "", nil))
	a = s.want(200, "", "GET", "/mlflow/parts?attributes", nil, "X-Amz-Object-Attributes", "ObjectParts", "X-Amz-Max-Parts", "1", "X-Amz-Part-Number-Marker", "1")
	for _, want := range []string{
		"<PartsCount>3</PartsCount><PartNumberMarker>1</PartNumberMarker><NextPartNumberMarker>2</NextPartNumberMarker><MaxParts>1</MaxParts><IsTruncated>true</IsTruncated>",
		"<Part><PartNumber>2</PartNumber><Size>5242880</Size><ChecksumCRC32>",
	} {
		if !strings.Contains(a.body, want) {
			t.Errorf("no %s in %s", want, a.body)
		}
	}
	// Versions and delete markers.
	s.want(200, "", "PUT", "/mlflow?versioning", []byte(enabled))
	v := version(s.do("PUT", "/mlflow/k", []byte("12")))
	s.want(200, "<ObjectSize>2<", "GET", "/mlflow/k?attributes&versionId="+v, nil, "X-Amz-Object-Attributes", "ObjectSize").check(t, "version", "X-Amz-Version-Id", v)
	s.want(200, "<ObjectSize>9<", "GET", "/mlflow/k?attributes&versionId=null", nil, "X-Amz-Object-Attributes", "ObjectSize")
	s.want(204, "", "DELETE", "/mlflow/k", nil)
	s.want(404, "NoSuchKey", "GET", "/mlflow/k?attributes", nil, "X-Amz-Object-Attributes", "ObjectSize").check(t, "marker", "X-Amz-Delete-Marker", "true")
}

func TestS3SystemMetadata(t *testing.T) {
	s := newS3(t)
	given := []string{
		"Cache-Control", "max-age=1", "Content-Disposition", `attachment; filename="ä"`, "Content-Encoding", "gzip", "Content-Language", "de",
		"Expires", "Thu, 01 Dec 2094 16:00:00 GMT", "Content-Type", "text/x", "X-Amz-Website-Redirect-Location", "https://example.org/", "X-Amz-Storage-Class", "ONEZONE_IA",
	}
	s.want(200, "", "PUT", "/mlflow/k", []byte("v"), given...)
	for _, method := range []string{"GET", "HEAD"} {
		s.want(200, "", method, "/mlflow/k", nil, "Accept-Encoding", "identity").check(t, method, given...)
	}
	s.want(200, "<StorageClass>ONEZONE_IA<", "GET", "/mlflow?list-type=2", nil)
	s.want(200, "<StorageClass>ONEZONE_IA<", "GET", "/mlflow?versions", nil)
	// Overrides of a signed request.
	override := map[string]string{
		"cache-control": "no-store", "content-disposition": "inline", "content-encoding": "identity", "content-language": "fr",
		"expires": "Fri, 02 Dec 2094 16:00:00 GMT", "content-type": "text/y",
	}
	query := ""
	for name, value := range override {
		query += "&response-" + name + "=" + strings.ReplaceAll(strings.ReplaceAll(value, " ", "%20"), ",", "%2C")
	}
	for _, method := range []string{"GET", "HEAD"} {
		a := s.want(200, "", method, "/mlflow/k?"+query[1:], nil)
		for name, value := range override {
			a.check(t, method, name, value)
		}
	}
	r, err := http.NewRequest("GET", s.url+"/mlflow/k?response-content-type=text/y", nil)
	if err != nil {
		t.Fatal(err)
	}
	if a := s.send(r); a.status != 403 {
		t.Errorf("anonymous override: %d %s", a.status, a.body)
	}
	for _, c := range []struct{ name, value, code string }{
		{"X-Amz-Storage-Class", "GOLD", "InvalidStorageClass"},
		{"X-Amz-Website-Redirect-Location", "else", "InvalidRedirectLocation"},
		{"X-Amz-Meta-A", strings.Repeat("m", 2048), "MetadataTooLarge"},
	} {
		s.want(400, c.code, "PUT", "/mlflow/k", []byte("w"), c.name, c.value)
		s.want(400, c.code, "POST", "/mlflow/k?uploads", nil, c.name, c.value)
		s.want(400, c.code, "PUT", "/mlflow/c", nil, "X-Amz-Copy-Source", "/mlflow/k", "X-Amz-Metadata-Directive", "REPLACE", c.name, c.value)
	}
	s.want(200, "", "PUT", "/mlflow/fits", []byte("w"), "X-Amz-Meta-A", strings.Repeat("m", 2047))
	s.want(200, "v", "GET", "/mlflow/k", nil, "Accept-Encoding", "identity")
	// What a copy takes along, and what it does not.
	s.want(200, "", "PUT", "/mlflow/c", nil, "X-Amz-Copy-Source", "/mlflow/k")
	s.want(200, "", "HEAD", "/mlflow/c", nil, "Accept-Encoding", "identity").
		check(t, "copy", append(given[:12:12], "X-Amz-Website-Redirect-Location", "", "X-Amz-Storage-Class", "")...)
	s.want(200, "", "PUT", "/mlflow/c", nil, "X-Amz-Copy-Source", "/mlflow/c", "X-Amz-Storage-Class", "STANDARD_IA")
	s.want(200, "", "HEAD", "/mlflow/c", nil).check(t, "self copy", "Cache-Control", "max-age=1", "X-Amz-Storage-Class", "STANDARD_IA")
	// A copy may have another checksum than its source.
	a := s.want(200, "<ChecksumSHA256>"+sumOf("SHA256", []byte("v")), "PUT", "/mlflow/c", nil, "X-Amz-Copy-Source", "/mlflow/k", "X-Amz-Checksum-Algorithm", "SHA256")
	if !strings.Contains(a.body, "<ChecksumType>FULL_OBJECT") {
		t.Error(a.body)
	}
	s.want(200, "", "HEAD", "/mlflow/c", nil, "X-Amz-Checksum-Mode", "ENABLED").check(t, "sum", "X-Amz-Checksum-Sha256", sumOf("SHA256", []byte("v")))
	s.want(400, "KeyTooLongError", "GET", "/mlflow/"+strings.Repeat("k", 1025), nil)
	s.want(400, "KeyTooLongError", "DELETE", "/mlflow/"+strings.Repeat("k", 1025), nil)
}

func TestS3Defaults(t *testing.T) {
	s := newS3(t)
	for resource, want := range map[string]string{
		"requestPayment": "200 <Payer>BucketOwner</Payer>", "logging": "200 <BucketLoggingStatus", "notification": "200 <NotificationConfiguration",
		"accelerate": "200 <AccelerateConfiguration", "location": "200 <LocationConstraint",
		"encryption": "404 ServerSideEncryptionConfigurationNotFoundError", "publicAccessBlock": "404 NoSuchPublicAccessBlockConfiguration",
		"object-lock": "404 ObjectLockConfigurationNotFoundError", "lifecycle": "404 NoSuchLifecycleConfiguration", "website": "404 NoSuchWebsiteConfiguration",
		"replication": "404 ReplicationConfigurationNotFoundError", "ownershipControls": "404 OwnershipControlsNotFoundError",
	} {
		var status int
		_, text, _ := strings.Cut(want, " ")
		_, _ = fmt.Sscan(want, &status)
		s.want(status, text, "GET", "/mlflow?"+resource, nil)
		s.want(404, "<BucketName>nowhere</BucketName>", "GET", "/nowhere?"+resource, nil)
		if resource != "location" {
			s.want(501, "NotImplemented", "PUT", "/mlflow?"+resource, []byte("<x/>"))
		}
	}
}

// Objects that were joined before parts had numbers have them counted from 1.
func TestPartsWithoutNumbers(t *testing.T) {
	dir := t.TempDir()
	db := openDB(t, dir)
	store := openStore(t, db, dir)
	if err := store.CreateBucket(t.Context(), "mlflow", false); err != nil {
		t.Fatal(err)
	}
	id, err := store.CreateUpload(t.Context(), "mlflow", "k", artifacts.UploadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var named []artifacts.PartInfo
	for _, number := range []int{3, 9} {
		p, err := store.PutPart(t.Context(), "mlflow", "k", id, number, bytes.NewReader(noise(5<<20, byte(number))), artifacts.Expect{Size: -1})
		if err != nil {
			t.Fatal(err)
		}
		named = append(named, p)
	}
	info, err := store.CompleteUpload(t.Context(), "mlflow", "k", id, named, artifacts.CompleteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Write(t.Context(), func(tx artifacts.Querier) error {
		_, err := tx.ExecContext(t.Context(), "UPDATE artifact_segments SET number = 0")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	parts, err := store.PartsOf(t.Context(), info)
	if err != nil || len(parts) != 2 || parts[0].Number != 1 || parts[1].Number != 2 || parts[1].Start != 5<<20 {
		t.Errorf("%+v, %v", parts, err)
	}
}
