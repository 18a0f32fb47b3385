package artifacts_test

import (
	"encoding/xml"
	"fmt"
	"net/url"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/prinzbox/prinzbox/artifacts"
)

// reference lists keys the slow way.
func reference(keys []string, o artifacts.ListOptions) (objects, prefixes []string) {
	for _, k := range keys {
		rest, ok := strings.CutPrefix(k, o.Prefix)
		if !ok {
			continue
		}
		if i := strings.Index(rest, o.Delimiter); o.Delimiter != "" && i >= 0 {
			p := o.Prefix + rest[:i+len(o.Delimiter)]
			if !slices.Contains(prefixes, p) && (p > o.After) && !strings.HasPrefix(o.After, p) {
				prefixes = append(prefixes, p)
			} else if !slices.Contains(prefixes, p) && strings.HasPrefix(o.After, p) && p != o.After && k > o.After {
				prefixes = append(prefixes, p)
			}
			continue
		}
		if k > o.After {
			objects = append(objects, k)
		}
	}
	return objects, prefixes
}

func oddKeys() []string {
	keys := []string{"a", "a/", "a//", "a//b", "a/b", "a/b/c", "a/b/d", "a0", "b+c", "b%2Fc", "b c", "日本/é", "日本/è", "~", "/lead", "//lead", "x/\U0010FFFF", "x/\u007f", "\u00ff/y"}
	for c := byte(1); c < 0x7f; c++ {
		keys = append(keys, "odd/"+string(c), "byte"+string(c)+"x")
	}
	for i := range 100 {
		keys = append(keys, fmt.Sprintf("many/%02d/a", i), "deep/1/"+fmt.Sprint(i))
	}
	sort.Strings(keys)
	return slices.Compact(keys)
}

func TestListAgainstReference(t *testing.T) {
	s := newStore(t)
	ctx := t.Context()
	keys := oddKeys()
	for _, k := range keys {
		if _, err := s.Put(ctx, "mlflow", k, strings.NewReader(k), artifacts.PutOptions{Expect: artifacts.Expect{Size: -1}}); err != nil {
			t.Fatalf("%q: %v", k, err)
		}
	}
	for _, prefix := range []string{"", "a", "a/", "a//", "odd/", "many/", "deep/", "日", "none", "/", "x/", "\u00ff"} {
		for _, delimiter := range []string{"", "/", "//", "b", "/b"} {
			for _, after := range []string{"", "a/", "a/b", "many/50/", "many/50/a", "odd/a", "zzz", "deep/1/5"} {
				o := artifacts.ListOptions{Prefix: prefix, Delimiter: delimiter, After: after}
				wantObjects, wantPrefixes := reference(keys, o)
				for _, max := range []int{1, 7, 1000} {
					o := o
					o.Max = max
					var objects, prefixes []string
					for pages := 0; ; pages++ {
						page, err := s.List(ctx, "mlflow", o)
						if err != nil {
							t.Fatal(err)
						}
						if n := len(page.Objects) + len(page.Prefixes); n > max || page.Truncated && n != max || pages > len(keys) {
							t.Fatalf("%+v: page %d has %d", o, pages, n)
						}
						for _, info := range page.Objects {
							objects = append(objects, info.Key)
						}
						prefixes = append(prefixes, page.Prefixes...)
						if !page.Truncated {
							break
						}
						o.After = page.Last
					}
					if !slices.Equal(objects, wantObjects) || !slices.Equal(prefixes, wantPrefixes) {
						t.Errorf("prefix %q delimiter %q after %q max %d:\n got %q %q\nwant %q %q", prefix, delimiter, after, max, objects, prefixes, wantObjects, wantPrefixes)
					}
				}
			}
		}
	}
}

// listing is what a client reads.
type listing struct {
	Name, Prefix, Delimiter, Marker, NextMarker, NextContinuationToken, EncodingType string
	KeyCount                                                                         *int
	MaxKeys                                                                          int
	IsTruncated                                                                      bool
	Contents                                                                         []struct{ Key, ETag, LastModified, StorageClass string }
	CommonPrefixes                                                                   []struct{ Prefix string }
}

func (s *s3Test) list(query url.Values) listing {
	s.Helper()
	a := s.want(200, "<ListBucketResult", "GET", "/mlflow?"+strings.ReplaceAll(query.Encode(), "+", "%20"), nil)
	var l listing
	if err := xml.Unmarshal([]byte(a.body), &l); err != nil {
		s.Fatal(err, a.body)
	}
	return l
}

// Every odd key goes over the wire, is listed with encoding-type=url, page by page in both versions, and is read back.
func TestS3List(t *testing.T) {
	s := newS3(t)
	keys := oddKeys()
	for _, k := range keys {
		s.want(200, "", "PUT", "/mlflow/"+escape(k), []byte(k))
	}
	for _, k := range keys {
		if a := s.want(200, "", "GET", "/mlflow/"+escape(k), nil); a.body != k {
			t.Errorf("%q: %q", k, a.body)
		}
	}
	for _, version := range []string{"1", "2"} {
		q := url.Values{"max-keys": {"40"}, "encoding-type": {"url"}}
		if version == "2" {
			q.Set("list-type", "2")
		}
		var got []string
		for {
			l := s.list(q)
			for _, o := range l.Contents {
				k, err := url.PathUnescape(o.Key)
				if err != nil || o.ETag == "" || o.StorageClass != "STANDARD" {
					t.Fatal(o, err)
				}
				got = append(got, k)
			}
			if version == "2" && (l.KeyCount == nil || *l.KeyCount != len(l.Contents)) {
				t.Error("KeyCount", l.KeyCount)
			}
			if !l.IsTruncated {
				break
			}
			if version == "2" {
				q.Set("continuation-token", l.NextContinuationToken)
			} else {
				q.Set("marker", got[len(got)-1]) // no NextMarker without delimiter, as in S3
			}
		}
		if !slices.Equal(got, keys) {
			t.Errorf("version %s: %q", version, got)
		}
	}
	l := s.list(url.Values{"prefix": {"many/"}, "delimiter": {"/"}, "max-keys": {"3"}})
	if len(l.CommonPrefixes) != 3 || l.NextMarker != "many/02/" || !l.IsTruncated || l.Prefix != "many/" || l.Delimiter != "/" {
		t.Errorf("%+v", l)
	}
	l = s.list(url.Values{"list-type": {"2"}, "max-keys": {"0"}})
	if l.IsTruncated || len(l.Contents) != 0 || l.MaxKeys != 0 || l.KeyCount == nil || *l.KeyCount != 0 {
		t.Errorf("%+v", l)
	}
	l = s.list(url.Values{"list-type": {"2"}, "prefix": {"none/"}})
	if l.KeyCount == nil || *l.KeyCount != 0 || l.IsTruncated {
		t.Errorf("%+v", l)
	}
	l = s.list(url.Values{"list-type": {"2"}, "start-after": {"many/98/a"}, "prefix": {"many/"}})
	if len(l.Contents) != 1 || l.Contents[0].Key != "many/99/a" {
		t.Errorf("%+v", l)
	}
	for _, bad := range []string{"max-keys=-1", "max-keys=x", "encoding-type=x", "list-type=2&continuation-token=%21", "list-type=2&continuation-token=", "list-type=3"} {
		s.want(400, "InvalidArgument", "GET", "/mlflow?"+bad, nil)
	}
}

// escape writes a key as a client puts it into a path.
func escape(key string) string {
	var b strings.Builder
	for i := range len(key) {
		if c := key[i]; c == '/' || strings.IndexByte("-_.~", c) >= 0 || '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}
