package artifacts_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"
)

const (
	enabled   = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
	suspended = "<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>"
)

// header checks a header of an answer; "" is one that must not be there.
func (a answer) check(t *testing.T, name string, headers ...string) {
	t.Helper()
	for i := 0; i+1 < len(headers); i += 2 {
		if got, ok := a.header[http.CanonicalHeaderKey(headers[i])]; headers[i+1] == "" && ok || headers[i+1] != "" && !ok || ok && got[0] != headers[i+1] {
			t.Errorf("%s: %s is %q, want %q", name, headers[i], got, headers[i+1])
		}
	}
}

func version(a answer) string { return a.header.Get("X-Amz-Version-Id") }

func TestS3Versioning(t *testing.T) {
	s := newS3(t)
	a := s.want(200, "<VersioningConfiguration", "GET", "/mlflow?versioning", nil)
	if strings.Contains(a.body, "Status") {
		t.Error(a.body)
	}
	a = s.want(200, "", "PUT", "/mlflow/k", []byte("before"))
	a.check(t, "unversioned put", "X-Amz-Version-Id", "")
	s.want(200, "before", "GET", "/mlflow/k", nil).check(t, "unversioned get", "X-Amz-Version-Id", "")
	s.want(200, "before", "GET", "/mlflow/k?versionId=null", nil)
	for _, c := range []struct{ document, code string }{
		{"", "MalformedXML"},
		{"<VersioningConfiguration></VersioningConfiguration>", "IllegalVersioningConfigurationException"},
		{"<VersioningConfiguration><Status>On</Status></VersioningConfiguration>", "IllegalVersioningConfigurationException"},
	} {
		s.want(400, c.code, "PUT", "/mlflow?versioning", []byte(c.document))
	}
	s.want(501, "MFA", "PUT", "/mlflow?versioning", []byte("<VersioningConfiguration><Status>Enabled</Status><MfaDelete>Enabled</MfaDelete></VersioningConfiguration>"))
	s.want(404, "NoSuchBucket", "PUT", "/nowhere?versioning", []byte(enabled))
	s.want(200, "", "PUT", "/mlflow?versioning", []byte(enabled))
	s.want(200, "<Status>Enabled</Status>", "GET", "/mlflow?versioning", nil)
	s.want(200, "before", "GET", "/mlflow/k", nil).check(t, "null version", "X-Amz-Version-Id", "null")

	one := version(s.want(200, "", "PUT", "/mlflow/k", []byte("one"), "X-Amz-Meta-N", "1"))
	two := version(s.want(200, "", "PUT", "/mlflow/k", []byte("two"), "X-Amz-Meta-N", "2"))
	if one == "" || two == "" || one == two {
		t.Fatal(one, two)
	}
	s.want(200, "two", "GET", "/mlflow/k", nil).check(t, "current", "X-Amz-Version-Id", two, "X-Amz-Meta-N", "2")
	s.want(200, "one", "GET", "/mlflow/k?versionId="+one, nil).check(t, "older", "X-Amz-Version-Id", one, "X-Amz-Meta-N", "1")
	s.want(200, "before", "GET", "/mlflow/k?versionId=null", nil).check(t, "null", "X-Amz-Version-Id", "null", "X-Amz-Meta-N", "")
	s.want(206, "ne", "GET", "/mlflow/k?versionId="+one, nil, "Range", "bytes=1-")
	s.want(200, "", "HEAD", "/mlflow/k?versionId="+one, nil).check(t, "head", "X-Amz-Version-Id", one, "Content-Length", "3", "X-Amz-Meta-N", "1")
	s.want(200, "one", "GET", "/mlflow/k?versionId="+one+"&response-content-type=text/y", nil).check(t, "override", "Content-Type", "text/y")

	unknown := strings.Repeat("0", 32)
	s.want(404, "<VersionId>"+unknown, "GET", "/mlflow/k?versionId="+unknown, nil)
	s.want(404, "NoSuchVersion", "GET", "/mlflow/other?versionId="+one, nil)
	s.want(400, "Invalid version id specified", "GET", "/mlflow/k?versionId=rubbish", nil)
	s.want(400, "Version id cannot be the empty string", "GET", "/mlflow/k?versionId=", nil)
	s.want(404, "NoSuchBucket", "GET", "/nowhere/k?versionId="+one, nil)

	// A delete hides, and brings back when it is deleted itself.
	a = s.want(204, "", "DELETE", "/mlflow/k", nil)
	a.check(t, "delete", "X-Amz-Delete-Marker", "true")
	marker := version(a)
	for _, method := range []string{"GET", "HEAD"} {
		s.want(404, "", method, "/mlflow/k", nil).check(t, method, "X-Amz-Delete-Marker", "true", "X-Amz-Version-Id", marker)
		s.want(405, "", method, "/mlflow/k?versionId="+marker, nil).
			check(t, method+" marker", "X-Amz-Delete-Marker", "true", "X-Amz-Version-Id", marker, "Allow", "DELETE")
	}
	s.want(404, "<Key>k</Key>", "GET", "/mlflow/k", nil)
	s.want(200, "two", "GET", "/mlflow/k?versionId="+two, nil).check(t, "below marker", "X-Amz-Delete-Marker", "")
	s.want(409, "BucketNotEmpty", "DELETE", "/mlflow", nil)
	if a := s.want(200, "", "GET", "/mlflow?list-type=2", nil); strings.Contains(a.body, "<Key>") {
		t.Error(a.body)
	}
	s.want(404, "NoSuchKey", "PUT", "/mlflow/c", nil, "X-Amz-Copy-Source", "/mlflow/k")
	s.want(400, "InvalidRequest", "PUT", "/mlflow/c", nil, "X-Amz-Copy-Source", "/mlflow/k?versionId="+marker)
	s.want(204, "", "DELETE", "/mlflow/k?versionId="+marker, nil).check(t, "delete marker", "X-Amz-Delete-Marker", "true", "X-Amz-Version-Id", marker)
	s.want(200, "two", "GET", "/mlflow/k", nil)
	// Deleting the current version brings back the one before.
	s.want(204, "", "DELETE", "/mlflow/k?versionId="+two, nil).check(t, "delete version", "X-Amz-Delete-Marker", "", "X-Amz-Version-Id", two)
	s.want(200, "one", "GET", "/mlflow/k", nil).check(t, "brought back", "X-Amz-Version-Id", one)
	s.want(204, "", "DELETE", "/mlflow/k?versionId="+two, nil)
	s.want(204, "", "DELETE", "/mlflow/never", nil).check(t, "never there", "X-Amz-Delete-Marker", "true")

	// An old version is restored by copying it over itself.
	a = s.want(200, "CopyObjectResult", "PUT", "/mlflow/k", nil, "X-Amz-Copy-Source", "/mlflow/k?versionId=null")
	a.check(t, "copy", "X-Amz-Copy-Source-Version-Id", "null")
	if v := version(a); v == "" || v == "null" || v == one {
		t.Error(v)
	}
	s.want(200, "before", "GET", "/mlflow/k", nil)

	// Suspended, what is stored replaces the null version only.
	s.want(200, "", "PUT", "/mlflow?versioning", []byte(suspended))
	s.want(200, "", "PUT", "/mlflow/k", []byte("null 1")).check(t, "suspended", "X-Amz-Version-Id", "null")
	s.want(200, "", "PUT", "/mlflow/k", []byte("null 2"))
	s.want(200, "null 2", "GET", "/mlflow/k", nil).check(t, "suspended get", "X-Amz-Version-Id", "null")
	s.want(200, "one", "GET", "/mlflow/k?versionId="+one, nil)
	a = s.want(200, "", "GET", "/mlflow?versions&prefix=k", nil)
	if n := strings.Count(a.body, "<Version>"); n != 3 { // null, the copy, one
		t.Errorf("%d versions: %s", n, a.body)
	}
	s.want(204, "", "DELETE", "/mlflow/k", nil).check(t, "suspended delete", "X-Amz-Version-Id", "null", "X-Amz-Delete-Marker", "true")
	s.want(405, "", "GET", "/mlflow/k?versionId=null", nil)
	s.want(200, "one", "GET", "/mlflow/k?versionId="+one, nil)
}

var entries = regexp.MustCompile(`<(Version|DeleteMarker|CommonPrefixes)>.*?<(?:Key|Prefix)>(.*?)</(?:Key|Prefix)>(?:<VersionId>(.*?)</VersionId><IsLatest>(.*?)</IsLatest>)?`)

func TestS3ListVersions(t *testing.T) {
	s := newS3(t)
	s.want(200, "", "PUT", "/mlflow/a%20b", []byte("null"))
	s.want(200, "", "PUT", "/mlflow?versioning", []byte(enabled))
	one := version(s.do("PUT", "/mlflow/a%20b", []byte("one")))
	gone := version(s.do("DELETE", "/mlflow/a%20b", nil))
	for _, key := range []string{"d/1", "d/2", "e", "e"} {
		s.want(200, "", "PUT", "/mlflow/"+key, []byte(key))
	}
	list := func(query string) (string, answer) {
		a := s.want(200, "ListVersionsResult", "GET", "/mlflow?versions"+query, nil)
		var b strings.Builder
		for _, m := range entries.FindAllStringSubmatch(a.body, -1) {
			id := m[3]
			for name, known := range map[string]string{"one": one, "gone": gone} {
				if id == known {
					id = name
				}
			}
			if len(id) == 32 {
				id = "?"
			}
			fmt.Fprintf(&b, "%s %s %s %s, ", m[1][:1], m[2], id, m[4])
		}
		return b.String(), a
	}
	for _, c := range []struct{ query, want, truncated string }{
		{"", "D a b gone true, V a b one false, V a b null false, V d/1 ? true, V d/2 ? true, V e ? true, V e ? false, ", "false"},
		{"&encoding-type=url", "D a%20b gone true, V a%20b one false, V a%20b null false, V d/1 ? true, V d/2 ? true, V e ? true, V e ? false, ", "false"},
		{"&prefix=d/", "V d/1 ? true, V d/2 ? true, ", "false"},
		{"&delimiter=/&prefix=d", "C d/  , ", "false"},
		{"&delimiter=/&max-keys=4", "D a b gone true, V a b one false, V a b null false, C d/  , ", "true"},
		{"&max-keys=2", "D a b gone true, V a b one false, ", "true"},
		{"&max-keys=0", "", "false"},
		{"&key-marker=a%20b&version-id-marker=" + one, "V a b null false, V d/1 ? true, V d/2 ? true, V e ? true, V e ? false, ", "false"},
		{"&key-marker=a%20b&version-id-marker=null", "V d/1 ? true, V d/2 ? true, V e ? true, V e ? false, ", "false"},
		{"&key-marker=a%20b", "V d/1 ? true, V d/2 ? true, V e ? true, V e ? false, ", "false"},
		{"&key-marker=d/1&max-keys=1", "V d/2 ? true, ", "true"},
		{"&key-marker=d/&delimiter=/", "V e ? true, V e ? false, ", "false"},
	} {
		got, a := list(c.query)
		if got != c.want || between(a.body, "<IsTruncated>", "<") != c.truncated {
			t.Errorf("%s: %s%s\nwant %s", c.query, got, between(a.body, "<IsTruncated>", "<"), c.want)
		}
	}
	_, a := list("&max-keys=2")
	if between(a.body, "<NextKeyMarker>", "<") != "a b" || between(a.body, "<NextVersionIdMarker>", "<") != one {
		t.Error(a.body)
	}
	for _, query := range []string{"&version-id-marker=" + one, "&key-marker=k&version-id-marker=", "&key-marker=k&version-id-marker=x", "&max-keys=-1", "&encoding-type=x"} {
		s.want(400, "InvalidArgument", "GET", "/mlflow?versions"+query, nil)
	}
	s.want(404, "NoSuchBucket", "GET", "/nowhere?versions", nil)
}

func TestS3DeleteMany(t *testing.T) {
	s := newS3(t)
	etag := s.do("PUT", "/mlflow/a", []byte("a")).header.Get("ETag")
	s.want(200, "", "PUT", "/mlflow/b", []byte("b"))
	batch := func(objects string) answer {
		s.Helper()
		return s.want(200, "DeleteResult", "POST", "/mlflow?delete", []byte("<Delete>"+objects+"</Delete>"))
	}
	a := batch("<Object><Key>a</Key><ETag>wrong</ETag></Object><Object><Key>none</Key></Object><Object><Key>absent</Key><ETag>*</ETag></Object><Object><Key>b</Key><VersionId>x</VersionId></Object>")
	for _, want := range []string{
		"<Deleted><Key>none</Key></Deleted>", "<Error><Key>a</Key><Code>PreconditionFailed</Code>", "<Error><Key>absent</Key><Code>NoSuchKey</Code>",
		"<Error><Key>b</Key><VersionId>x</VersionId><Code>InvalidArgument</Code>",
	} {
		if !strings.Contains(a.body, want) {
			t.Errorf("%s is not in %s", want, a.body)
		}
	}
	s.want(200, "a", "GET", "/mlflow/a", nil)
	if a := batch("<Quiet>true</Quiet><Object><Key>a</Key><ETag>" + strings.ReplaceAll(etag, `"`, "&quot;") + "</ETag></Object>"); strings.Contains(a.body, "<Key>") {
		t.Error(a.body)
	}
	s.want(404, "NoSuchKey", "GET", "/mlflow/a", nil)
	// With versions, markers are told apart from versions.
	s.want(200, "", "PUT", "/mlflow?versioning", []byte(enabled))
	b2 := version(s.do("PUT", "/mlflow/b", []byte("b2")))
	a = batch("<Object><Key>b</Key></Object>")
	marker := between(a.body, "<DeleteMarkerVersionId>", "<")
	if !strings.Contains(a.body, "<Deleted><Key>b</Key><DeleteMarker>true</DeleteMarker><DeleteMarkerVersionId>") || len(marker) != 32 {
		t.Error(a.body)
	}
	a = batch("<Object><Key>b</Key><VersionId>" + marker + "</VersionId></Object><Object><Key>b</Key><VersionId>" + b2 + "</VersionId></Object>")
	for _, want := range []string{
		"<Key>b</Key><VersionId>" + marker + "</VersionId><DeleteMarker>true</DeleteMarker><DeleteMarkerVersionId>" + marker + "<",
		"<Deleted><Key>b</Key><VersionId>" + b2 + "</VersionId></Deleted>",
	} {
		if !strings.Contains(a.body, want) {
			t.Errorf("%s is not in %s", want, a.body)
		}
	}
	s.want(200, "b", "GET", "/mlflow/b", nil).check(t, "left", "X-Amz-Version-Id", "null")
	many := strings.Repeat("<Object><Key>k</Key></Object>", 1001)
	for _, document := range []string{"<Delete></Delete>", "<Delete>" + many + "</Delete>", "<Delete><Object></Object></Delete>", "<Other/>"} {
		s.want(400, "MalformedXML", "POST", "/mlflow?delete", []byte(document))
	}
	a = batch("<Object><Key>" + strings.Repeat("k", 1025) + "</Key></Object><Object><Key>b</Key></Object>")
	if !strings.Contains(a.body, "<Code>KeyTooLongError</Code>") || !strings.Contains(a.body, "<DeleteMarkerVersionId>") {
		t.Error(a.body)
	}
	s.want(501, "NotImplemented", "POST", "/mlflow?delete", []byte("<Delete><Object><Key>b</Key><Size>1</Size></Object></Delete>"))
}

func TestS3ConditionalDelete(t *testing.T) {
	s := newS3(t)
	etag := s.do("PUT", "/mlflow/k", []byte("v")).header.Get("ETag")
	s.want(412, "PreconditionFailed", "DELETE", "/mlflow/k", nil, "If-Match", `"other"`)
	s.want(200, "v", "GET", "/mlflow/k", nil)
	s.want(204, "", "DELETE", "/mlflow/k", nil, "If-Match", etag)
	s.want(404, "NoSuchKey", "DELETE", "/mlflow/k", nil, "If-Match", etag)
	s.want(404, "NoSuchKey", "DELETE", "/mlflow/k", nil, "If-Match", "*")
	s.want(200, "", "PUT", "/mlflow/k", []byte("v"))
	s.want(204, "", "DELETE", "/mlflow/k", nil, "If-Match", "*")
	s.want(200, "", "PUT", "/mlflow?versioning", []byte(enabled))
	s.want(200, "", "PUT", "/mlflow/k", []byte("v"))
	s.want(204, "", "DELETE", "/mlflow/k", nil, "If-Match", etag)
	s.want(412, "PreconditionFailed", "DELETE", "/mlflow/k", nil, "If-Match", "*") // a delete marker is there
}

func TestS3CopyConditions(t *testing.T) {
	s := newS3(t)
	etag := s.do("PUT", "/mlflow/src", []byte("v")).header.Get("ETag")
	past, future := time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat), time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)
	const source = "X-Amz-Copy-Source-If-"
	for _, c := range []struct {
		status  int
		headers []string
	}{
		{200, []string{source + "Match", etag}},
		{412, []string{source + "Match", `"x"`}},
		{200, []string{source + "None-Match", `"x"`}},
		{412, []string{source + "None-Match", etag}},
		{200, []string{source + "Modified-Since", past}},
		{412, []string{source + "Modified-Since", future}},
		{200, []string{source + "Unmodified-Since", future}},
		{412, []string{source + "Unmodified-Since", past}},
		{200, []string{source + "Match", etag, source + "Unmodified-Since", past}},
		{412, []string{source + "None-Match", etag, source + "Modified-Since", past}},
	} {
		headers := append([]string{"X-Amz-Copy-Source", "/mlflow/src"}, c.headers...)
		s.want(c.status, "", "PUT", "/mlflow/dst", nil, headers...)
		id := between(s.want(200, "", "POST", "/mlflow/up?uploads", nil).body, "<UploadId>", "<")
		s.want(c.status, "", "PUT", "/mlflow/up?partNumber=1&uploadId="+id, nil, headers...)
	}
	s.want(412, "PreconditionFailed", "PUT", "/mlflow/dst", nil, "X-Amz-Copy-Source", "/mlflow/src", "If-None-Match", "*")
	s.want(412, "PreconditionFailed", "PUT", "/mlflow/dst", nil, "X-Amz-Copy-Source", "/mlflow/src", "If-Match", `"x"`)
	s.want(200, "", "PUT", "/mlflow/dst", nil, "X-Amz-Copy-Source", "/mlflow/src", "If-Match", etag)
	s.want(404, "NoSuchKey", "PUT", "/mlflow/none", nil, "X-Amz-Copy-Source", "/mlflow/src", "If-Match", etag)
}

// The ACL of a version lets in whom it names, and nobody is told of other versions.
func TestS3VersionACL(t *testing.T) {
	s := newS3(t)
	s.want(200, "", "PUT", "/mlflow?versioning", []byte(enabled))
	open := version(s.do("PUT", "/mlflow/k", []byte("open"), "X-Amz-Acl", "public-read"))
	closed := version(s.do("PUT", "/mlflow/k", []byte("closed")))
	for _, c := range []struct {
		query, body string
		status      int
	}{
		{"", "AccessDenied", 403},
		{"?versionId=" + open, "open", 200},
		{"?versionId=" + closed, "AccessDenied", 403},
		{"?versionId=" + strings.Repeat("0", 32), "AccessDenied", 403},
		{"?versionId=null", "AccessDenied", 403},
	} {
		if a := s.send(s.request("GET", "/mlflow/k"+c.query, nil)); a.status != c.status || !strings.Contains(a.body, c.body) {
			t.Errorf("%s: %d %s", c.query, a.status, a.body)
		}
	}
	s.want(200, "AllUsers", "GET", "/mlflow/k?acl&versionId="+open, nil).check(t, "acl", "X-Amz-Version-Id", open)
	s.want(200, "", "PUT", "/mlflow/k?acl&versionId="+open, nil, "X-Amz-Acl", "private").check(t, "put acl", "X-Amz-Version-Id", open)
	if a := s.send(s.request("GET", "/mlflow/k?versionId="+open, nil)); a.status != 403 {
		t.Errorf("%d %s", a.status, a.body)
	}
	marker := version(s.do("DELETE", "/mlflow/k", nil))
	a := s.send(s.request("GET", "/mlflow/k", nil))
	a.check(t, "hidden marker", "X-Amz-Delete-Marker", "", "X-Amz-Version-Id", "")
	if a.status != 403 {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := s.send(s.request("GET", "/mlflow/k?versionId="+marker, nil)); a.status != 403 {
		t.Errorf("%d %s", a.status, a.body)
	}
}
