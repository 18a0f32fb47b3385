package registry

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
)

// parsePageToken reads a token: base64 of {"offset": N}. Empty means the first page.
func parsePageToken(token string) (offset int, err error) {
	if token == "" {
		return 0, nil
	}
	raw, err := decodeBase64(token)
	if err != nil {
		return 0, Invalidf("Invalid page token, could not base64-decode")
	}
	var parsed any
	if err := json.Unmarshal(raw, &parsed); err != nil {
		return 0, Invalidf("Invalid page token, decoded value=%s", pyBytes(raw))
	}
	fields, ok := parsed.(map[string]any)
	if !ok {
		return 0, Invalidf("Invalid page token, parsed value=%s", raw)
	}
	switch n := fields["offset"].(type) {
	case float64:
		if n >= 1 && n < 1<<53 {
			return int(n), nil
		}
	case string:
		if i, ok := parseOffset(n); ok {
			return i, nil
		}
	}
	shown, _ := json.Marshal(fields) // it came from JSON
	text := strings.NewReplacer(`"`, "'", ":", ": ", ",", ", ").Replace(string(shown))
	return 0, Invalidf("Invalid page token, parsed value=%s", text)
}

func parseOffset(s string) (n int, ok bool) {
	_, err := fmt.Sscanf(s, "%d", &n)
	return n, err == nil && n > 0
}

// decodeBase64 reads base64 as Python does: what is not of the alphabet is left out.
func decodeBase64(text string) ([]byte, error) {
	kept := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '+', r == '/', r == '=':
			return r
		}
		return -1
	}, text)
	return base64.StdEncoding.DecodeString(kept)
}

// pyBytes is how Python prints bytes.
func pyBytes(b []byte) string {
	quote := byte('\'')
	if strings.Contains(string(b), "'") && !strings.Contains(string(b), `"`) {
		quote = '"'
	}
	out := []byte{'b', quote}
	for _, c := range b {
		switch {
		case c == quote || c == '\\':
			out = append(out, '\\', c)
		case c == '\n':
			out = append(out, `\n`...)
		case c == '\r':
			out = append(out, `\r`...)
		case c == '\t':
			out = append(out, `\t`...)
		case c < ' ' || c >= 0x7f:
			out = fmt.Appendf(out, `\x%02x`, c)
		default:
			out = append(out, c)
		}
	}
	return string(append(out, quote))
}

func makePageToken(offset int) string {
	return base64.StdEncoding.EncodeToString(fmt.Appendf(nil, `{"offset": %d}`, offset))
}

// pageOf cuts items, of which one more than max was asked for, into a page. max 0 means no limit.
func pageOf[T any](items []T, max, offset int) Page[T] {
	if max > 0 && len(items) > max {
		return Page[T]{Items: items[:max], NextPageToken: makePageToken(offset + max)}
	}
	return Page[T]{Items: items}
}
