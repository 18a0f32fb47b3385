package artifacts_test

import (
	"errors"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/prinzbox/prinzbox/artifacts"
)

func TestCleanPath(t *testing.T) {
	for _, c := range []struct {
		in, want string
		ok       bool
	}{
		{"", "", true},
		{".", "", true},
		{"a", "a", true},
		{"a/b.txt", "a/b.txt", true},
		{"a//b", "a/b", true},
		{"./a/./b/", "a/b", true},
		{"a%20b", "a b", true},
		{"a%2Fb", "a/b", true},
		{"a%252Fb", "a/b", true},
		{"100%", "100%", true},
		{"%zz", "%zz", true},
		{"a+b", "a+b", true},
		{"日本/é", "日本/é", true},
		{"%E6%97%A5", "日", true},
		{`a\b`, `a\b`, true},
		{"a..b/...", "a..b/...", true},
		{"a\nb", "a%0Ab", true},
		{"%FF", "\uFFFD", true},
		{"..", "", false},
		{"a/../b", "", false},
		{"%2e%2e/a", "", false},
		{"%252e%252e", "", false},
		{"%zz%2e%2e/%2e./x", "", false},
		{"a/..", "", false},
		{"/a", "", false},
		{"%2Fa", "", false},
		{"C:/a", "", false},
		{"c:a", "", false},
		{"a#b", "", false},
		{"a%23b", "", false},
		{"file:/etc", "", false},
		{"FILE:///etc", "", false},
		{"file%3A//x/y", "", false},
	} {
		got, err := artifacts.CleanPath(c.in)
		if (err == nil) != c.ok || got != c.want || err != nil && !errors.Is(err, artifacts.ErrInvalidPath) {
			t.Errorf("%q: %q, %v; want %q, %v", c.in, got, err, c.want, c.ok)
		}
	}
}

// Whatever comes in, what comes out stays below the root and is stable.
func FuzzCleanPath(f *testing.F) {
	for _, s := range []string{"a/b", "%2e%2e/x", "%25%32%65", "C:/", "\x00/%00", "a#", "%", "%%32%65%2e"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		p, err := artifacts.CleanPath(in)
		if err != nil {
			return
		}
		if strings.HasPrefix(p, "/") || p == ".." || strings.HasPrefix(p, "../") || strings.ContainsAny(p, "#\x00\n") ||
			p != "" && path.Clean(p) != p {
			t.Errorf("%q became %q", in, p)
		}
	})
}

// Decoding a path again and again must not cost the square of its length.
func TestCleanPathEncodedWithoutEnd(t *testing.T) {
	t.Parallel()
	start := time.Now()
	if _, err := artifacts.CleanPath("%25" + strings.Repeat("25", 400_000)); !errors.Is(err, artifacts.ErrInvalidPath) {
		t.Errorf("err = %v", err)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
	if p, err := artifacts.CleanPath("a%252520b"); err != nil || p != "a b" {
		t.Errorf("%q, %v", p, err)
	}
}
