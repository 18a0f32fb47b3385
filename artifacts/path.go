package artifacts

import (
	"fmt"
	"path"
	"strconv"
	"strings"
)

// maxDecodings is how often a path may be percent-encoded: each round reads all of it, and a hostile one could need as many
// rounds as it has characters.
const maxDecodings = 32

// CleanPath checks an artifact path that a client sent, as MLflow 3.17.2 does: it is percent-decoded again and again until it stays the
// same, and refused with an error that wraps [ErrInvalidPath] if it then holds '#' or a ".." segment, begins with '/' or a
// drive letter, or is an absolute file: URI. Control characters are escaped again. The result has no "." segments and no double or
// trailing slashes; "" is the root.
func CleanPath(raw string) (string, error) {
	p := raw
	invalid := func(why string) (string, error) {
		return "", fmt.Errorf("%w: %q %s", ErrInvalidPath, raw, why)
	}
	rounds := 0
	for decoded := unquote(p); decoded != p; decoded = unquote(p) {
		p = decoded
		if rounds++; rounds == maxDecodings {
			return invalid("is percent-encoded over and over")
		}
	}
	switch {
	case strings.Contains(p, "#"):
		return invalid("holds a '#'")
	case strings.HasPrefix(p, "/"), len(p) > 1 && p[1] == ':' && isLetter(p[0]):
		return invalid("is absolute")
	case len(p) >= 6 && strings.EqualFold(p[:6], "file:/"):
		return invalid("is a file URI")
	}
	for segment := range strings.SplitSeq(p, "/") {
		if segment == ".." {
			return invalid(`holds a ".." segment`)
		}
	}
	if p = path.Clean(escapeControls(p)); p == "." {
		p = ""
	}
	return p, nil
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

func escapeControls(p string) string {
	if strings.IndexFunc(p, isControl) < 0 {
		return p
	}
	var b strings.Builder
	for _, r := range p {
		if isControl(r) {
			fmt.Fprintf(&b, "%%%02X", r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

func isControl(r rune) bool { return r < 0x20 || r == 0x7f }

// unquote decodes percent escapes. What is not one stands for itself, and what is then not UTF-8 becomes U+FFFD, as
// with Python's urllib.parse.unquote.
func unquote(p string) string {
	if !strings.Contains(p, "%") {
		return p
	}
	b := make([]byte, 0, len(p))
	for i := 0; i < len(p); i++ {
		if p[i] == '%' && i+2 < len(p) {
			if c, err := strconv.ParseUint(p[i+1:i+3], 16, 8); err == nil {
				b = append(b, byte(c))
				i += 2
				continue
			}
		}
		b = append(b, p[i])
	}
	return strings.ToValidUTF8(string(b), "\uFFFD")
}
