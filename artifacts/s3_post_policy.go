package artifacts

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// postPolicy is the document that permits a browser's upload.
type postPolicy struct {
	expires          time.Time
	conditions       []postCondition
	minSize, maxSize int64
}

// postCondition wants a field to be equal to a value, or to begin with it.
type postCondition struct {
	field, value string
	prefix       bool
	text         string // as it stands in the document
}

func invalidPostPolicy(format string, args ...any) *Error {
	return &Error{"InvalidPolicyDocument", "Invalid Policy: " + fmt.Sprintf(format, args...)}
}

// deniedByPostPolicy is AWS's answer to a form that its policy does not permit.
func deniedByPostPolicy(format string, args ...any) *Error {
	return &Error{codeAccessDenied, "Invalid according to Policy: " + fmt.Sprintf(format, args...)}
}

// parsePostPolicy reads a policy document as it stands in the form: JSON in base64. Errors: InvalidPolicyDocument.
func parsePostPolicy(encoded string) (*postPolicy, error) {
	text, err := decodeBase64(encoded)
	if err != nil {
		return nil, invalidPostPolicy("it is not base64.")
	}
	var doc struct {
		Expiration *string            `json:"expiration"`
		Conditions *[]json.RawMessage `json:"conditions"`
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&doc); err != nil {
		return nil, invalidPostPolicy("Invalid JSON: %s", err)
	}
	switch {
	case doc.Expiration == nil:
		return nil, invalidPostPolicy("Policy missing expiration.")
	case doc.Conditions == nil:
		return nil, invalidPostPolicy("Policy missing conditions.")
	}
	p := &postPolicy{maxSize: maxPostFile}
	if p.expires, err = time.Parse(time.RFC3339, *doc.Expiration); err != nil {
		return nil, invalidPostPolicy("Invalid 'expiration' value: '%s'", *doc.Expiration)
	}
	for _, raw := range *doc.Conditions {
		if err := p.add(raw); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// decodeBase64 takes line breaks, which encoders for mail make.
func decodeBase64(text string) ([]byte, error) {
	return base64.StdEncoding.DecodeString(strings.NewReplacer("\r", "", "\n", "", " ", "").Replace(text))
}

// add reads one condition: {"FIELD": "VALUE"}, ["eq" or "starts-with", "$FIELD", "VALUE"] or ["content-length-range", MIN, MAX].
func (p *postPolicy) add(raw json.RawMessage) error {
	var compact bytes.Buffer
	_ = json.Compact(&compact, raw) // it was decoded already
	text := compact.String()
	var pairs map[string]string
	if json.Unmarshal(raw, &pairs) == nil && len(pairs) > 0 {
		for field, value := range pairs {
			p.conditions = append(p.conditions, postCondition{field: strings.ToLower(field), value: value, text: text})
		}
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var list []any
	if err := d.Decode(&list); err != nil || len(list) != 3 {
		return invalidPostPolicy("Invalid Condition: %s", text)
	}
	kind, _ := list[0].(string)
	switch kind = strings.ToLower(kind); kind {
	case "eq", "starts-with":
		field, ok := list[1].(string)
		value, valueOK := list[2].(string)
		name, dollar := strings.CutPrefix(field, "$")
		if !ok || !valueOK || !dollar {
			return invalidPostPolicy("Invalid Condition: %s", text)
		}
		p.conditions = append(p.conditions, postCondition{strings.ToLower(name), value, kind == "starts-with", text})
	case "content-length-range":
		least, err := strconv.ParseInt(fmt.Sprint(list[1]), 10, 64)
		most, err2 := strconv.ParseInt(fmt.Sprint(list[2]), 10, 64)
		if err != nil || err2 != nil || least < 0 || most < least {
			return invalidPostPolicy("Invalid content-length-range: %s", text)
		}
		p.minSize, p.maxSize = max(p.minSize, least), min(p.maxSize, most)
	default:
		return invalidPostPolicy("Invalid Condition: %s", text)
	}
	return nil
}

// check holds a form against the policy. Every field must stand in a condition, else whoever fills in the form could add what the
// signer did not think of.
func (p *postPolicy) check(fields map[string]string, bucket string, now time.Time) error {
	if now.After(p.expires) {
		return deniedByPostPolicy("Policy expired.")
	}
	covered := map[string]bool{}
	for _, c := range p.conditions {
		covered[c.field] = true
		value, ok := fields[c.field]
		if c.field == "bucket" {
			value, ok = bucket, true
		}
		if !c.holds(value) || !ok && c.value != "" {
			return deniedByPostPolicy("Policy Condition failed: %s", c.text)
		}
	}
	for _, name := range sortedFields(fields) {
		switch name {
		case "policy", "signature", "awsaccesskeyid", "x-amz-signature":
			continue
		}
		if !covered[name] && !strings.HasPrefix(name, "x-ignore-") {
			return deniedByPostPolicy("Extra input fields: %s", name)
		}
	}
	return nil
}

func (c postCondition) holds(value string) bool {
	if !c.prefix {
		return value == c.value
	}
	if c.field == "content-type" && strings.Contains(value, ",") {
		for item := range strings.SplitSeq(value, ",") {
			if !strings.HasPrefix(strings.TrimSpace(item), c.value) {
				return false
			}
		}
		return true
	}
	return strings.HasPrefix(value, c.value)
}

// authenticate verifies the signature of the form's policy, of Version 4 or 2. A form without a policy is anonymous.
func (f *postForm) authenticate(keys func(string) (string, bool)) (identity, error) {
	missing := func(name string) error {
		return &Error{codeInvalidArgument, "Bucket POST must contain a field named '" + name + "'.  If it is specified, please check the order of the fields."}
	}
	policy, signed := f.fields["policy"]
	if !signed {
		for _, name := range []string{"x-amz-signature", "x-amz-credential", "signature", "awsaccesskeyid"} {
			if f.fields[name] != "" {
				return identity{}, missing("policy")
			}
		}
		return identity{}, nil
	}
	var id identity
	var got, want []byte
	var err error
	if f.fields["awsaccesskeyid"] != "" {
		id = identity{accessKey: f.fields["awsaccesskeyid"], version: 2}
		var ok bool
		if id.secret, ok = keys(id.accessKey); !ok {
			return identity{}, unknownKey()
		}
		got, err = decodeBase64(f.fields["signature"])
		h := hmac.New(sha1.New, []byte(id.secret))
		_, _ = h.Write([]byte(policy))
		want = h.Sum(nil)
	} else {
		for _, name := range []string{"x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-signature"} {
			if f.fields[name] == "" {
				return identity{}, missing(name)
			}
		}
		if a := f.fields["x-amz-algorithm"]; a != "AWS4-HMAC-SHA256" {
			return identity{}, &Error{codeInvalidArgument, "X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256\", not " + a}
		}
		id = identity{version: 4, date: f.fields["x-amz-date"]}
		parts := strings.Split(f.fields["x-amz-credential"], "/")
		n := len(parts) - 4
		t, terr := time.Parse("20060102T150405Z", id.date)
		if n < 1 || terr != nil || parts[n] != t.Format("20060102") || parts[n+2] != "s3" || parts[n+3] != "aws4_request" {
			return identity{}, &Error{codeInvalidArgument, "Error parsing the X-Amz-Credential or X-Amz-Date field; the credential should be of the form " +
				"ACCESS-KEY/YYYYMMDD/REGION/s3/aws4_request, of the day of X-Amz-Date, which is of the form YYYYMMDD'T'HHMMSS'Z'."}
		}
		id.accessKey, id.scope = strings.Join(parts[:n], "/"), strings.Join(parts[n:], "/")
		var ok bool
		if id.secret, ok = keys(id.accessKey); !ok {
			return identity{}, unknownKey()
		}
		got, err = hex.DecodeString(f.fields["x-amz-signature"])
		want = hmacSHA256(signingKey(id.secret, id.scope), policy)
	}
	if err != nil || !hmac.Equal(got, want) {
		return identity{}, &Error{codeSignature, "The request signature we calculated does not match the signature you provided. Check your key and signing method."}
	}
	return id, nil
}

func unknownKey() *Error {
	return &Error{"InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records."}
}
