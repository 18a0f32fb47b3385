package artifacts_test

import (
	"fmt"
	"strings"
	"testing"
)

// tagging makes a document of key, value pairs.
func tagging(pairs ...string) []byte {
	var b strings.Builder
	for i := 0; i+1 < len(pairs); i += 2 {
		b.WriteString("<Tag><Key>" + pairs[i] + "</Key><Value>" + pairs[i+1] + "</Value></Tag>")
	}
	return []byte("<Tagging><TagSet>" + b.String() + "</TagSet></Tagging>")
}

func numbered(n int) []byte {
	var pairs []string
	for i := range n {
		pairs = append(pairs, fmt.Sprint("k", i), "v")
	}
	return tagging(pairs...)
}

func TestS3ObjectTagging(t *testing.T) {
	s := newS3(t)
	s.want(200, "", "PUT", "/mlflow/k", []byte("v"), "X-Amz-Meta-A", "1", "X-Amz-Tagging", "a=1&b+c=%C3%A4/")
	s.want(200, "<TagSet><Tag><Key>a</Key><Value>1</Value></Tag><Tag><Key>b c</Key><Value>ä/</Value></Tag></TagSet>", "GET", "/mlflow/k?tagging", nil)
	for _, method := range []string{"GET", "HEAD"} {
		s.want(200, "", method, "/mlflow/k", nil).check(t, method, "X-Amz-Tagging-Count", "2", "X-Amz-Meta-A", "1")
	}
	s.want(200, "", "PUT", "/mlflow/k?tagging", tagging("x", "y"))
	s.want(200, "v", "GET", "/mlflow/k", nil).check(t, "replaced", "X-Amz-Tagging-Count", "1", "X-Amz-Meta-A", "1")
	s.want(200, "<TagSet><Tag><Key>x</Key><Value>y</Value></Tag></TagSet>", "GET", "/mlflow/k?tagging", nil)

	// Refused tags change nothing.
	long := strings.Repeat("ä", 129)
	for _, c := range []struct {
		document []byte
		code     string
	}{
		{numbered(11), "BadRequest"},
		{tagging(long, "v"), "The TagKey you have provided is invalid"},
		{tagging("", "v"), "The TagKey you have provided is invalid"},
		{tagging("k", long+long), "The TagValue you have provided is invalid"},
		{tagging("k!", "v"), "InvalidTag"},
		{tagging("k", "a&lt;b"), "InvalidTag"},
		{tagging("aws:x", "v"), "System tags cannot be added/updated by requester"},
		{tagging("k", "1", "k", "2"), "Cannot provide multiple Tags with the same key"},
		{[]byte("<Tagging>"), "MalformedXML"},
		{[]byte("<Other/>"), "MalformedXML"},
	} {
		s.want(400, c.code, "PUT", "/mlflow/k?tagging", c.document)
	}
	for _, c := range []struct{ header, code string }{
		{"a=1&a=2", "InvalidArgument"},
		{"a=%zz", "InvalidArgument"},
		{"aws:a=1", "InvalidTag"},
		{"a=%3C", "InvalidTag"},
		{"a=1&b=&c=&d=&e=&f=&g=&h=&i=&j=&k=", "BadRequest"},
	} {
		s.want(400, c.code, "PUT", "/mlflow/k", []byte("w"), "X-Amz-Tagging", c.header)
		s.want(400, c.code, "POST", "/mlflow/k?uploads", nil, "X-Amz-Tagging", c.header)
	}
	s.want(200, "v", "GET", "/mlflow/k", nil).check(t, "unchanged", "X-Amz-Tagging-Count", "1")
	s.want(200, "", "PUT", "/mlflow/k?tagging", numbered(10))
	s.want(200, "", "PUT", "/mlflow/k?tagging", tagging(strings.Repeat("ä", 128), strings.Repeat("ß", 256)))

	// A copy takes the tags along, unless told otherwise.
	s.want(200, "", "PUT", "/mlflow/k?tagging", tagging("x", "y"))
	s.want(200, "", "PUT", "/mlflow/c1", nil, "X-Amz-Copy-Source", "/mlflow/k", "X-Amz-Tagging", "ignored=1")
	s.want(200, "<Key>x</Key>", "GET", "/mlflow/c1?tagging", nil)
	s.want(200, "", "PUT", "/mlflow/c2", nil, "X-Amz-Copy-Source", "/mlflow/k", "X-Amz-Tagging-Directive", "REPLACE", "X-Amz-Tagging", "new=1")
	s.want(200, "<TagSet><Tag><Key>new</Key>", "GET", "/mlflow/c2?tagging", nil)
	s.want(200, "", "PUT", "/mlflow/c2", nil, "X-Amz-Copy-Source", "/mlflow/k", "X-Amz-Tagging-Directive", "REPLACE")
	s.want(200, "<TagSet></TagSet>", "GET", "/mlflow/c2?tagging", nil)
	s.want(400, "InvalidArgument", "PUT", "/mlflow/c2", nil, "X-Amz-Copy-Source", "/mlflow/k", "X-Amz-Tagging-Directive", "MERGE")

	s.want(204, "", "DELETE", "/mlflow/k?tagging", nil)
	s.want(200, "<TagSet></TagSet>", "GET", "/mlflow/k?tagging", nil)
	s.want(200, "v", "GET", "/mlflow/k", nil).check(t, "deleted", "X-Amz-Tagging-Count", "")
	for _, method := range []string{"GET", "PUT", "DELETE"} {
		s.want(404, "NoSuchKey", method, "/mlflow/none?tagging", tagging())
		s.want(404, "NoSuchBucket", method, "/nowhere/k?tagging", tagging())
	}
	// An overwrite has the tags of its own request only.
	s.want(200, "", "PUT", "/mlflow/k?tagging", tagging("x", "y"))
	s.want(200, "", "PUT", "/mlflow/k", []byte("w"))
	s.want(200, "<TagSet></TagSet>", "GET", "/mlflow/k?tagging", nil)
}

// Each version has tags of its own.
func TestS3VersionTagging(t *testing.T) {
	s := newS3(t)
	s.want(200, "", "PUT", "/mlflow?versioning", []byte(enabled))
	one := version(s.do("PUT", "/mlflow/k", []byte("1"), "X-Amz-Tagging", "n=one"))
	two := version(s.do("PUT", "/mlflow/k", []byte("2")))
	s.want(200, "one", "GET", "/mlflow/k?tagging&versionId="+one, nil).check(t, "one", "X-Amz-Version-Id", one)
	s.want(200, "<TagSet></TagSet>", "GET", "/mlflow/k?tagging", nil).check(t, "two", "X-Amz-Version-Id", two)
	s.want(200, "", "PUT", "/mlflow/k?tagging&versionId="+one, tagging("n", "first")).check(t, "put", "X-Amz-Version-Id", one)
	s.want(200, "first", "GET", "/mlflow/k?tagging&versionId="+one, nil)
	s.want(200, "1", "GET", "/mlflow/k?versionId="+one, nil).check(t, "count", "X-Amz-Tagging-Count", "1")
	s.want(204, "", "DELETE", "/mlflow/k?versionId="+two, nil)
	s.want(200, "first", "GET", "/mlflow/k?tagging", nil).check(t, "brought back", "X-Amz-Version-Id", one)
	s.want(204, "", "DELETE", "/mlflow/k?tagging&versionId="+one, nil).check(t, "delete", "X-Amz-Version-Id", one)
	s.want(404, "NoSuchVersion", "GET", "/mlflow/k?tagging&versionId="+two, nil)
	marker := version(s.do("DELETE", "/mlflow/k", nil))
	s.want(405, "MethodNotAllowed", "PUT", "/mlflow/k?tagging&versionId="+marker, tagging("a", "b"))
	s.want(404, "NoSuchKey", "GET", "/mlflow/k?tagging", nil)
}

func TestS3BucketTagging(t *testing.T) {
	s := newS3(t)
	s.want(404, "NoSuchTagSet", "GET", "/mlflow?tagging", nil)
	s.want(204, "", "PUT", "/mlflow?tagging", tagging("team", "ml", "cost", "1"))
	s.want(200, "<TagSet><Tag><Key>team</Key><Value>ml</Value></Tag><Tag><Key>cost</Key>", "GET", "/mlflow?tagging", nil)
	s.want(204, "", "PUT", "/mlflow?tagging", numbered(50))
	s.want(400, "BadRequest", "PUT", "/mlflow?tagging", numbered(51))
	s.want(400, "InvalidTag", "PUT", "/mlflow?tagging", tagging("a", "1", "a", "2"))
	s.want(200, "<Key>k49</Key>", "GET", "/mlflow?tagging", nil)
	s.want(204, "", "DELETE", "/mlflow?tagging", nil)
	s.want(404, "NoSuchTagSet", "GET", "/mlflow?tagging", nil)
	for _, method := range []string{"GET", "PUT", "DELETE"} {
		s.want(404, "NoSuchBucket", method, "/nowhere?tagging", tagging("a", "b"))
	}
}
