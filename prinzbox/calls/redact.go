package calls

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
)

// Secret stands in place of a secret.
const Secret = "$SECRET"

// isSecretName tells whether what is called so is a secret: a JSON field, a form field, a query parameter.
func isSecretName(name string) bool {
	name = strings.ToLower(strings.NewReplacer("-", "", "_", "").Replace(name))
	switch name {
	case "token", "accesstoken", "refreshtoken", "idtoken", "sessiontoken", "authtoken", "controltoken", "xamzsecuritytoken", "xamzsignature", "xamzcredential", "signature",
		"awsaccesskeyid", "apikey", "authorization", "credential", "credentials", "privatekey":
		return true
	}
	return strings.Contains(name, "password") || strings.Contains(name, "secret") || strings.Contains(name, "passwd")
}

// mayHoldSecret is the quick look that most texts end with: parts of the names above, in which case and dashes do not matter.
func mayHoldSecret(b []byte) bool {
	for _, part := range [...]string{"assw", "ASSW", "ecret", "ECRET", "oken", "OKEN", "ignature", "redential", "ccessKeyI", "pi_key", "pi-key", "piKey", "PI_KEY", "uthorization", "rivate", `\u`} {
		if bytes.Contains(b, []byte(part)) {
			return true
		}
	}
	return false
}

// redactQuery puts $SECRET in place of the values of secret parameters; a form's body is a query, too.
func redactQuery(query string) string {
	if query == "" || !mayHoldSecret([]byte(query)) && !strings.Contains(query, "%") {
		return query
	}
	var out strings.Builder
	changed := false
	for i, item := range strings.Split(query, "&") {
		if i > 0 {
			out.WriteByte('&')
		}
		name, _, has := strings.Cut(item, "=")
		plain, err := url.QueryUnescape(name)
		if err != nil {
			plain = name
		}
		if has && isSecretName(plain) {
			out.WriteString(name + "=" + Secret)
			changed = true
			continue
		}
		out.WriteString(item)
	}
	if !changed {
		return query
	}
	return out.String()
}

// redactBody takes the secrets out of a body: values of fields with such names, credentials in URLs, and the values that the log was told. It
// works on cut bodies, too.
func redactBody(body []byte, mediaType string, known [][]byte) []byte {
	if len(body) == 0 {
		return body
	}
	for _, secret := range known {
		if bytes.Contains(body, secret) {
			body = bytes.ReplaceAll(body, secret, []byte(Secret))
		}
	}
	if strings.HasPrefix(mediaType, "application/x-www-form-urlencoded") {
		return []byte(redactQuery(string(body)))
	}
	if !mayHoldSecret(body) {
		return body
	}
	if strings.Contains(mediaType, "xml") {
		return redactURLs(redactElements(body))
	}
	return redactURLs(redactJSON(body))
}

// redactJSON replaces the values of secret fields. It reads JSON as far as it is there: a cut text ends anywhere.
func redactJSON(b []byte) []byte {
	var out []byte
	done := 0 // up to where b is in out
	for i := 0; i < len(b); {
		if b[i] != '"' {
			i++
			continue
		}
		end := endOfString(b, i)
		name := b[i:min(end, len(b))]
		i = end
		at := skipSpace(b, end)
		if at >= len(b) || b[at] != ':' {
			continue
		}
		var field string
		if json.Unmarshal(name, &field) != nil || !isSecretName(field) {
			i = at + 1
			continue
		}
		start := skipSpace(b, at+1)
		end = endOfValue(b, start)
		if value := b[start:min(end, len(b))]; len(value) == 0 || bytes.Equal(value, []byte("null")) {
			i = end
			continue
		}
		out = append(append(out, b[done:start]...), `"`+Secret+`"`...)
		done, i = min(end, len(b)), end
	}
	if out == nil {
		return b
	}
	return append(out, b[done:]...)
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\t' || b[i] == '\r') {
		i++
	}
	return i
}

// endOfString is behind the closing quote of the string that begins at i.
func endOfString(b []byte, i int) int {
	for i++; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(b)
}

// endOfValue is behind the JSON value that begins at i.
func endOfValue(b []byte, i int) int {
	depth := 0
	for i < len(b) {
		switch b[i] {
		case '"':
			i = endOfString(b, i)
			if depth == 0 {
				return i
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return i
			}
			if depth--; depth == 0 {
				return i + 1
			}
		case ',':
			if depth == 0 {
				return i
			}
		}
		i++
	}
	return len(b)
}

// redactElements replaces the contents of XML elements such as SecretAccessKey.
func redactElements(b []byte) []byte {
	for _, name := range []string{"SecretAccessKey", "SessionToken", "Signature"} {
		from := 0
		for {
			start := bytes.Index(b[from:], []byte("<"+name+">"))
			if start < 0 {
				break
			}
			start += from + len(name) + 2
			end := bytes.IndexByte(b[start:], '<')
			if end < 0 {
				end = len(b) - start
			}
			b = append(append(append([]byte(nil), b[:start]...), Secret...), b[start+end:]...)
			from = start + len(Secret)
		}
	}
	return b
}

// redactURLs replaces the credentials of presigned URLs wherever they stand in a text.
func redactURLs(b []byte) []byte {
	for _, name := range []string{"X-Amz-Signature=", "X-Amz-Credential=", "X-Amz-Security-Token=", "AWSAccessKeyId=", "Signature="} {
		from := 0
		for {
			start := bytes.Index(b[from:], []byte(name))
			if start < 0 {
				break
			}
			start += from + len(name)
			end := bytes.IndexAny(b[start:], "&\\\"'<> \n\r\t")
			if end < 0 {
				end = len(b) - start
			}
			if bytes.HasPrefix(b[start:], []byte(Secret)) {
				from = start + len(Secret)
				continue
			}
			b = append(append(append([]byte(nil), b[:start]...), Secret...), b[start+end:]...)
			from = start + len(Secret)
		}
	}
	return b
}

// maxHeaders and maxHeader bound what is kept of a request's headers.
const (
	maxHeaders = 16
	maxHeader  = 512
)

// keptHeaders are the headers that change what is answered. The list says what is kept, not what is left out, so that no secret slips in.
func keptHeaders(h http.Header) []Header {
	var kept []Header
	for name, values := range h {
		if len(values) == 0 || !keepsHeader(name) || len(kept) == maxHeaders {
			continue
		}
		value := values[0]
		if name == "Accept" && value == "*/*" {
			continue
		}
		kept = append(kept, Header{name, value[:min(len(value), maxHeader)]})
	}
	return kept
}

func keepsHeader(name string) bool {
	if len(name) < 2 {
		return false
	}
	switch name[0] {
	case 'A':
		return name == "Accept"
	case 'C':
		return name == "Content-Encoding" || name == "Content-Md5" || name == "Content-Disposition" || name == "Cache-Control"
	case 'I':
		return strings.HasPrefix(name, "If-")
	case 'O':
		return name == "Origin"
	case 'R':
		return name == "Range"
	case 'T':
		return name == "Traceparent"
	case 'X':
		switch name {
		case "X-Amz-Copy-Source", "X-Amz-Copy-Source-Range", "X-Amz-Acl", "X-Amz-Tagging", "X-Amz-Storage-Class", "X-Amz-Metadata-Directive",
			"X-Amz-Tagging-Directive", "X-Amz-Checksum-Algorithm", "X-Amz-Checksum-Mode", "X-Amz-Decoded-Content-Length", "X-Mlflow-Experiment-Id", "X-Prinzbox-Sticky":
			return true
		}
	}
	return false
}
