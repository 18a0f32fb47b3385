package registry

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
)

// parsePageToken reads a token: base64 of {"offset": N}. Empty means the first page.
func parsePageToken(token string) (offset int, err error) {
	if token == "" {
		return 0, nil
	}
	raw, err := base64.StdEncoding.DecodeString(token)
	if err != nil {
		return 0, Invalidf("Invalid page token, could not base64-decode")
	}
	var parsed map[string]any
	if err := json.Unmarshal(raw, &parsed); err != nil {
		return 0, Invalidf("Invalid page token, decoded value=b%s", strconv.Quote(string(raw)))
	}
	n, ok := parsed["offset"].(float64)
	if !ok || n <= 0 || n != float64(int(n)) {
		return 0, Invalidf("Invalid page token, parsed value=%s", raw)
	}
	return int(n), nil
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
