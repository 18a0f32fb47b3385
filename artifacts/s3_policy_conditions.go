package artifacts

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// conditionKeys are the condition keys that have a value here, in lower case (AWS compares them so). The second field tells
// whether a fixed value of the key keeps the public out, as AWS's "meaning of public" has it.
var conditionKeys = map[string]bool{
	"aws:sourceip": true, "aws:username": true, "aws:userid": true,
	"aws:securetransport": false, "aws:useragent": false, "aws:referer": false, "aws:currenttime": false, "aws:epochtime": false,
	"s3:prefix": false, "s3:delimiter": false, "s3:max-keys": false, "s3:versionid": false,
	"s3:authtype": false, "s3:signatureversion": false, "s3:signatureage": false, "s3:tlsversion": false,
	"s3:x-amz-acl": false, "s3:x-amz-copy-source": false, "s3:x-amz-metadata-directive": false, "s3:x-amz-storage-class": false,
	"s3:x-amz-content-sha256": false, "s3:x-amz-server-side-encryption": false, "s3:x-amz-grant-read": false, "s3:x-amz-grant-write": false,
	"s3:x-amz-grant-read-acp": false, "s3:x-amz-grant-write-acp": false, "s3:x-amz-grant-full-control": false,
	"s3:if-match": false, "s3:if-none-match": false,
}

// conditionKey gives the spelling that the program uses for a key, if it knows it.
func conditionKey(name string) (string, bool) {
	key := strings.ToLower(name)
	_, ok := conditionKeys[key]
	return key, ok
}

// condition is one operator on one key.
type condition struct {
	key string
	// compare holds one test for each listed value; one must hold, or none for a negated operator.
	compare []func(text string, value func(string) (string, bool)) bool
	negated bool
	// ifExists holds when the request has no value for the key.
	ifExists bool
	// null is set for the operator Null, which asks whether there is a value: absent is what it wants.
	null, absent bool
	// wide is set when a value is a pattern or network that takes (almost) everybody.
	wide bool
}

// operator makes the test for one value of a policy.
type operator func(c *condition, value string, variables bool) (func(text string, value func(string) (string, bool)) bool, error)

// operators by their names without Not and IfExists.
var operators = map[string]operator{
	"StringEquals":             stringOperator(func(s string) string { return s }),
	"StringEqualsIgnoreCase":   stringOperator(strings.ToLower),
	"StringLike":               likeOperator,
	"ArnEquals":                likeOperator,
	"ArnLike":                  likeOperator,
	"Bool":                     stringOperator(strings.ToLower),
	"IpAddress":                ipOperator,
	"NumericEquals":            numberOperator(func(a, b float64) bool { return a == b }),
	"NumericLessThan":          numberOperator(func(a, b float64) bool { return a < b }),
	"NumericLessThanEquals":    numberOperator(func(a, b float64) bool { return a <= b }),
	"NumericGreaterThan":       numberOperator(func(a, b float64) bool { return a > b }),
	"NumericGreaterThanEquals": numberOperator(func(a, b float64) bool { return a >= b }),
	"DateEquals":               dateOperator(func(c int) bool { return c == 0 }),
	"DateLessThan":             dateOperator(func(c int) bool { return c < 0 }),
	"DateLessThanEquals":       dateOperator(func(c int) bool { return c <= 0 }),
	"DateGreaterThan":          dateOperator(func(c int) bool { return c > 0 }),
	"DateGreaterThanEquals":    dateOperator(func(c int) bool { return c >= 0 }),
}

// negations are the operators that hold when no value does.
var negations = map[string]string{
	"StringNotEquals": "StringEquals", "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase", "StringNotLike": "StringLike",
	"ArnNotEquals": "ArnEquals", "ArnNotLike": "ArnLike", "NotIpAddress": "IpAddress",
	"NumericNotEquals": "NumericEquals", "DateNotEquals": "DateEquals",
}

// parseConditions reads {"OPERATOR": {"KEY": value or values}}. All of them must hold.
func parseConditions(raw json.RawMessage, variables bool) ([]condition, error) {
	byOperator, err := members(raw, "Condition")
	if err != nil {
		return nil, err
	}
	var list []condition
	for _, o := range byOperator {
		keys, err := members(o.value, "Condition "+o.name)
		if err != nil {
			return nil, err
		}
		for _, k := range keys {
			c, err := parseCondition(o.name, k, variables)
			if err != nil {
				return nil, err
			}
			list = append(list, c)
		}
	}
	return list, nil
}

func parseCondition(name string, m member, variables bool) (condition, error) {
	key, ok := conditionKey(m.name)
	if !ok {
		return condition{}, malformedPolicy("Policy has an invalid condition key: %s is not known here.", m.name)
	}
	c := condition{key: key}
	values, err := texts(m.value, "Condition "+name+" "+m.name, true)
	if err != nil {
		return c, err
	}
	if name == "Null" {
		c.null = true
		if c.absent, err = strconv.ParseBool(strings.ToLower(values[0])); err != nil || len(values) != 1 {
			return c, malformedPolicy("Condition Null %s must be true or false.", m.name)
		}
		return c, nil
	}
	base, ifExists := strings.CutSuffix(name, "IfExists")
	c.ifExists = ifExists
	if positive, ok := negations[base]; ok {
		base, c.negated = positive, true
	}
	op, ok := operators[base]
	if !ok {
		return c, malformedPolicy("Invalid Condition type : %s", name)
	}
	for _, v := range values {
		compare, err := op(&c, v, variables)
		if err != nil {
			return c, malformedPolicy("Condition %s %s: %s", name, m.name, err)
		}
		c.compare = append(c.compare, compare)
	}
	return c, nil
}

func (c *condition) holds(value func(string) (string, bool)) bool {
	text, ok := value(c.key)
	switch {
	case c.null:
		return ok != c.absent
	case !ok:
		return c.ifExists || c.negated
	}
	for _, compare := range c.compare {
		if compare(text, value) {
			return !c.negated
		}
	}
	return c.negated
}

// narrows tells whether the condition keeps the public out.
func (c *condition) narrows() bool {
	return conditionKeys[c.key] && !c.negated && !c.null && !c.ifExists && !c.wide
}

func stringOperator(fold func(string) string) operator {
	return func(_ *condition, pattern string, variables bool) (func(string, func(string) (string, bool)) bool, error) {
		if !variables || !strings.Contains(pattern, "${") {
			want := fold(pattern)
			return func(text string, _ func(string) (string, bool)) bool { return fold(text) == want }, nil
		}
		g, err := newGlob(pattern, true)
		return func(text string, value func(string) (string, bool)) bool {
			want, ok := g.literally(value)
			return ok && fold(text) == fold(want)
		}, err
	}
}

func likeOperator(c *condition, pattern string, variables bool) (func(string, func(string) (string, bool)) bool, error) {
	c.wide = c.wide || strings.ContainsAny(pattern, "*?")
	g, err := newGlob(pattern, variables)
	return g.match, err
}

func ipOperator(c *condition, text string, _ bool) (func(string, func(string) (string, bool)) bool, error) {
	if !strings.Contains(text, "/") {
		ip, err := netip.ParseAddr(text)
		if err != nil {
			return nil, fmt.Errorf("%q is no IP address", text)
		}
		text += "/" + strconv.Itoa(ip.BitLen())
	}
	network, err := netip.ParsePrefix(text)
	if err != nil {
		return nil, fmt.Errorf("%q is no network: write ADDRESS/BITS", text)
	}
	c.wide = c.wide || network.Bits() < 8
	return func(text string, _ func(string) (string, bool)) bool {
		ip, err := netip.ParseAddr(text)
		return err == nil && network.Contains(ip.Unmap())
	}, nil
}

func numberOperator(holds func(a, b float64) bool) operator {
	return func(_ *condition, value string, _ bool) (func(string, func(string) (string, bool)) bool, error) {
		want, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return nil, fmt.Errorf("%q is no number", value)
		}
		return func(text string, _ func(string) (string, bool)) bool {
			n, err := strconv.ParseFloat(text, 64)
			return err == nil && holds(n, want)
		}, nil
	}
}

func dateOperator(holds func(order int) bool) operator {
	return func(_ *condition, value string, _ bool) (func(string, func(string) (string, bool)) bool, error) {
		want, err := parsePolicyTime(value)
		if err != nil {
			return nil, fmt.Errorf("%q is no time: write 2006-01-02T15:04:05Z, or seconds since 1970", value)
		}
		return func(text string, _ func(string) (string, bool)) bool {
			t, err := parsePolicyTime(text)
			return err == nil && holds(t.Compare(want))
		}, nil
	}
}

func parsePolicyTime(text string) (time.Time, error) {
	if seconds, err := strconv.ParseInt(text, 10, 64); err == nil {
		return time.Unix(seconds, 0), nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04Z07:00", "2006-01-02"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("no time: %s", text)
}
