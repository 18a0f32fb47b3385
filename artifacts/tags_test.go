package artifacts

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// Tags that are taken come back as they were; others are refused as the client's fault.
func FuzzTags(f *testing.F) {
	for _, text := range []string{"", "a=b", "a=1&b=2", "a+b=%C3%A4", "a", "=x", "a=b=c", "&&", "%", "a=%3C", "aws:x=1", strings.Repeat("k", 200) + "=1", "\xff=1"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		tags, err := parseTags(text)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.HTTPStatus() != 400 {
				t.Errorf("%q: %v", text, err)
			}
			return
		}
		if got := decodeTags(encodeTags(tags)); !slices.Equal(got, tags) || len(tags) > maxObjectTags {
			t.Errorf("%q: %q, then %q", text, tags, got)
		}
	})
}
