package artifacts

import (
	"slices"
	"strings"
	"testing"
)

// What is wrong with a policy, or not understood, is refused by name: never kept and ignored.
func TestPolicyRefused(t *testing.T) {
	const statement = `{"Statement": [%]}`
	whole := func(s string) string { return strings.Replace(statement, "%", s, 1) }
	good := `"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"`
	for _, c := range []struct{ policy, text string }{
		{"", "valid JSON"},
		{"[]", "first byte must be '{'"},
		{`{"Statement": [}`, "valid JSON"},
		{`{}`, "Missing required field Statement"},
		{`{"Statement": []}`, "Statement is empty"},
		{`{"Statement": 7}`, "Statement must be a JSON object"},
		{`{"Version": "2020-01-01", "Statement": [{}]}`, "valid version string"},
		{`{"Foo": 1, "Statement": [{}]}`, "Unknown field Foo"},
		{`{"Statement": [{}], "Statement": [{}]}`, "Duplicate field Statement"},
		{whole(`{}`), "Missing required field Effect"},
		{whole(`{"Effect":"Maybe"}`), "Invalid effect: Maybe"},
		{whole(`{` + strings.Replace(good, `"Principal":"*",`, "", 1) + `}`), "Missing required field Principal"},
		{whole(`{` + strings.Replace(good, `"Principal":"*"`, `"Principal":"me"`, 1) + `}`), "Invalid principal"},
		{whole(`{` + strings.Replace(good, `"Principal":"*"`, `"Principal":{"Service":"x"}`, 1) + `}`), "kind Service"},
		{whole(`{` + strings.Replace(good, `"Principal":"*"`, `"Principal":{"AWS":"arn:aws:iam::123456789012:root"}`, 1) + `}`), ":root"},
		{whole(`{` + strings.Replace(good, `"Principal":"*"`, `"Principal":{"AWS":"123456789012"}`, 1) + `}`), "123456789012"},
		{whole(`{` + strings.Replace(good, `"Principal":"*"`, `"Principal":{}`, 1) + `}`), "empty"},
		{whole(`{` + strings.Replace(good, `"Principal"`, `"NotPrincipal"`, 1) + `}`), "NotPrincipal"},
		{whole(`{` + good + `,"NotAction":"s3:*"}`), "either Action or NotAction"},
		{whole(`{` + strings.Replace(good, "s3:GetObject", "s3:Frobnicate", 1) + `}`), "invalid action: s3:Frobnicate"},
		{whole(`{` + strings.Replace(good, "s3:GetObject", "ec2:Run", 1) + `}`), "invalid action: ec2:Run"},
		{whole(`{` + strings.Replace(good, "s3:GetObject", "s3:ListBucket", 1) + `}`), "does not apply to any resource"},
		{whole(`{` + strings.Replace(good, "b/*", "b", 1) + `}`), "does not apply to any resource"},
		{whole(`{` + strings.Replace(good, "b/*", "other/*", 1) + `}`), "invalid resource"},
		{whole(`{` + strings.Replace(good, "arn:aws:s3:::b/*", "*", 1) + `}`), "invalid resource"},
		{whole(`{` + good + `,"Condition":{"StringEquals":{"s3:ExistingObjectTag/a":"b"}}}`), "s3:ExistingObjectTag/a is not known"},
		{whole(`{` + good + `,"Condition":{"ForAllValues:StringEquals":{"s3:prefix":"b"}}}`), "Invalid Condition type : ForAllValues:StringEquals"},
		{whole(`{` + good + `,"Condition":{"IpAddress":{"aws:SourceIp":"1.2.3.4/99"}}}`), "no network"},
		{whole(`{` + good + `,"Condition":{"NumericLessThan":{"s3:max-keys":"many"}}}`), "no number"},
		{whole(`{` + good + `,"Condition":{"DateLessThan":{"aws:CurrentTime":"soon"}}}`), "no time"},
		{whole(`{` + good + `,"Condition":{"Null":{"s3:prefix":"perhaps"}}}`), "true or false"},
		{whole(`{` + good + `,"Condition":{"StringEquals":{"s3:prefix":[]}}}`), "empty"},
		{whole(`{` + good + `,"Condition":{"StringEquals":{"s3:prefix":{}}}}`), "string or an array"},
		{whole(`{` + good + `,"Extra":1}`), "Unknown field Extra"},
		{`{"Version":"2012-10-17","Statement":{` + strings.Replace(good, "b/*", "b/${aws:nobody}", 1) + `}}`, "${aws:nobody} is not known"},
		{`{"Id":"` + strings.Repeat("x", maxPolicy) + `"}`, "bytes"},
	} {
		_, err := parsePolicy([]byte(c.policy), "b")
		if !isCode(err, "MalformedPolicy") || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%.200s: %v; want %q", c.policy, err, c.text)
		}
	}
}

func TestPolicyJudgement(t *testing.T) {
	type ask struct {
		who, action, resource string
		values                map[string]string
		want                  verdict
	}
	for _, c := range []struct {
		name, policy string
		public       bool
		asks         []ask
	}{
		{"public read", `{"Statement":{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/pub/*"}}`, true, []ask{
			{"", "getobject", "b/pub/x/y", nil, allowed},
			{"k", "getobject", "b/pub/", nil, allowed},
			{"", "getobject", "b/private", nil, notMentioned},
			{"", "putobject", "b/pub/x", nil, notMentioned},
			{"", "getobjectversion", "b/pub/x", nil, notMentioned},
		}},
		{"deny wins", `{"Statement":[{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"s3:*","Resource":["arn:aws:s3:::b","arn:aws:s3:::b/*"]},
			{"Effect":"Deny","Principal":"*","Action":["s3:Delete*"],"Resource":"arn:aws:s3:::b/keep/?"}]}`, true, []ask{
			{"", "deleteobject", "b/keep/1", nil, denied}, {"", "deleteobject", "b/keep/12", nil, allowed}, {"", "listbucket", "b", nil, allowed},
		}},
		{"one key", `{"Statement":{"Effect":"Allow","Principal":{"AWS":["arn:aws:iam::123456789012:user/team/ann","bob"]},"Action":"*","Resource":"arn:aws:s3:::b/*"}}`, false, []ask{
			{"ann", "putobject", "b/x", nil, allowed}, {"bob", "putobject", "b/x", nil, allowed}, {"eve", "putobject", "b/x", nil, notMentioned}, {"", "putobject", "b/x", nil, notMentioned},
		}},
		{"all but", `{"Statement":{"Effect":"Deny","NotPrincipal":{"AWS":"ann"},"NotAction":"s3:Get*","NotResource":"arn:aws:s3:::b/open/*"}}`, false, []ask{
			{"ann", "putobject", "b/x", nil, notMentioned},
			{"bob", "putobject", "b/x", nil, denied},
			{"", "putobject", "b/x", nil, denied},
			{"bob", "getobject", "b/x", nil, notMentioned},
			{"bob", "putobject", "b/open/x", nil, notMentioned},
		}},
		{"network", `{"Statement":{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*","Condition":{
			"IpAddress":{"aws:SourceIp":["10.0.0.0/8","2001:db8::/32","192.168.1.7"]},"NotIpAddress":{"aws:SourceIp":"10.9.0.0/16"}}}}`, false, []ask{
			{"", "getobject", "b/x", map[string]string{"aws:sourceip": "10.1.2.3"}, allowed},
			{"", "getobject", "b/x", map[string]string{"aws:sourceip": "::ffff:10.1.2.3"}, allowed},
			{"", "getobject", "b/x", map[string]string{"aws:sourceip": "10.9.1.1"}, notMentioned},
			{"", "getobject", "b/x", map[string]string{"aws:sourceip": "2001:db8::1"}, allowed},
			{"", "getobject", "b/x", map[string]string{"aws:sourceip": "192.168.1.7"}, allowed},
			{"", "getobject", "b/x", map[string]string{"aws:sourceip": "192.168.1.8"}, notMentioned},
			{"", "getobject", "b/x", nil, notMentioned},
		}},
		{"TLS only", `{"Statement":{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::b/*","Condition":{"Bool":{"aws:SecureTransport":false}}}}`, false, []ask{
			{"k", "getobject", "b/x", map[string]string{"aws:securetransport": "false"}, denied}, {"k", "getobject", "b/x", map[string]string{"aws:securetransport": "true"}, notMentioned},
		}},
		{"home", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":["ann","bob","*ever*"]},"Action":"s3:*","Resource":"arn:aws:s3:::b/home/${aws:username}/*"},
			{"Effect":"Allow","Principal":"*","Action":"s3:ListBucket","Resource":"arn:aws:s3:::b","Condition":{"StringLike":{"s3:prefix":"home/${aws:username}/*"}}}]}`, false, nil},
		{"home", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":["ann","bob"]},"Action":"s3:*","Resource":"arn:aws:s3:::b/home/${aws:username}/${*}/*"},
			{"Effect":"Allow","Principal":"*","Action":"s3:ListBucket","Resource":"arn:aws:s3:::b","Condition":{"StringLike":{"s3:prefix":"home/${aws:username}/*"}}}]}`, true, []ask{
			{"ann", "putobject", "b/home/ann/*/x", map[string]string{"aws:username": "ann"}, allowed},
			{"ann", "putobject", "b/home/bob/*/x", map[string]string{"aws:username": "ann"}, notMentioned},
			{"ann", "putobject", "b/home/ann/y/x", map[string]string{"aws:username": "ann"}, notMentioned},
			{"bob", "listbucket", "b", map[string]string{"aws:username": "bob", "s3:prefix": "home/bob/z"}, allowed},
			{"bob", "listbucket", "b", map[string]string{"aws:username": "bob", "s3:prefix": "home/"}, notMentioned},
			{"", "listbucket", "b", map[string]string{"s3:prefix": "home//"}, notMentioned},
			{"*", "listbucket", "b", map[string]string{"aws:username": "*", "s3:prefix": "home/bob/"}, notMentioned},
		}},
		{"operators", `{"Statement":{"Effect":"Allow","Principal":"*","Action":"s3:ListBucket","Resource":"arn:aws:s3:::b","Condition":{
			"NumericLessThanEquals":{"s3:max-keys":10},"StringNotEquals":{"s3:prefix":["secret","hidden"]},"StringEqualsIfExists":{"s3:delimiter":"/"},
			"Null":{"s3:versionid":"true"},"DateGreaterThan":{"aws:CurrentTime":"2020-01-01T00:00:00Z"},"StringEqualsIgnoreCase":{"aws:referer":"HTTP://X"},
			"StringNotLike":{"aws:UserAgent":"curl*"}}}}`, true, []ask{
			{"", "listbucket", "b", map[string]string{"s3:max-keys": "10", "aws:currenttime": "2026-01-01T00:00:00Z", "aws:referer": "http://x"}, allowed},
			{"", "listbucket", "b", map[string]string{"s3:max-keys": "11", "aws:currenttime": "2026-01-01T00:00:00Z", "aws:referer": "http://x"}, notMentioned},
			{"", "listbucket", "b", map[string]string{"aws:currenttime": "2026-01-01T00:00:00Z", "aws:referer": "http://x"}, notMentioned},
			{"", "listbucket", "b", map[string]string{"s3:max-keys": "1", "s3:prefix": "hidden", "aws:currenttime": "2026-01-01T00:00:00Z", "aws:referer": "http://x"}, notMentioned},
			{"", "listbucket", "b", map[string]string{"s3:max-keys": "1", "s3:delimiter": "-", "aws:currenttime": "2026-01-01T00:00:00Z", "aws:referer": "http://x"}, notMentioned},
			{"", "listbucket", "b", map[string]string{"s3:max-keys": "1", "s3:versionid": "v", "aws:currenttime": "2026-01-01T00:00:00Z", "aws:referer": "http://x"}, notMentioned},
			{"", "listbucket", "b", map[string]string{"s3:max-keys": "1", "aws:currenttime": "2019-01-01T00:00:00Z", "aws:referer": "http://x"}, notMentioned},
			{"", "listbucket", "b", map[string]string{"s3:max-keys": "1", "aws:currenttime": "2026-01-01T00:00:00Z"}, notMentioned},
			{"", "listbucket", "b", map[string]string{"s3:max-keys": "1", "aws:currenttime": "2026-01-01T00:00:00Z", "aws:referer": "http://x", "aws:useragent": "curl/8"}, notMentioned},
		}},
	} {
		p, err := parsePolicy([]byte(c.policy), "b")
		if c.asks == nil {
			if !isCode(err, "MalformedPolicy") {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if p.public() != c.public {
			t.Errorf("%s: public %v", c.name, !c.public)
		}
		for _, a := range c.asks {
			got := p.judge(policyRequest{a.who, a.action, a.resource, func(key string) (string, bool) { v, ok := a.values[key]; return v, ok }})
			if got != a.want {
				t.Errorf("%s: %+v: got %d", c.name, a, got)
			}
		}
	}
}

// Every operation that is served is one that policies can name.
func TestEveryOperationHasAnAction(t *testing.T) {
	for _, op := range served {
		action := actionOf(op, false)
		if _, known := policyActions[action]; !known && op.scope != onService {
			t.Errorf("%s ?%s on scope %d: %q is no action of S3's; name it in s3_policy_actions.go", op.method, op.resource, op.scope, action)
		}
		if known, ok := policyActions[action]; ok && known != op.scope && action != "putobject" && action != "deleteobject" {
			t.Errorf("%s ?%s: %s is of another scope", op.method, op.resource, action)
		}
		for name := range strings.FieldsSeq(op.params) {
			if name == "versionId" {
				if _, known := policyActions[actionOf(op, true)]; !known {
					t.Errorf("%s ?%s with a version: %q is no action", op.method, op.resource, actionOf(op, true))
				}
			}
		}
	}
}

func TestGlob(t *testing.T) {
	for _, c := range []struct {
		pattern, text string
		want          bool
	}{
		{"", "", true},
		{"", "a", false},
		{"*", "", true},
		{"*", "abc", true},
		{"a*", "abc", true},
		{"a*c", "abc", true},
		{"a*c", "abcd", false},
		{"a?c", "abc", true},
		{"a?c", "ac", false},
		{"*a*b*c", "xxaxxbxxc", true},
		{"*a*b*c", "xxaxxcxxb", false},
		{"**", "x", true},
		{"a*b", "aXbXb", true},
		{strings.Repeat("*a", 50) + "b", strings.Repeat("a", 1000), false},
	} {
		if got := newPlainGlob(c.pattern).match(c.text, nil); got != c.want {
			t.Errorf("%q %q: %v", c.pattern, c.text, got)
		}
	}
}

// A policy that is taken can be judged by; one that lets nobody in lets nobody in.
func FuzzPolicy(f *testing.F) {
	f.Add(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":["ann"]},"Action":"s3:*","Resource":"arn:aws:s3:::b/${aws:username}/*",
		"Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"},"StringLikeIfExists":{"s3:prefix":["a*"]},"Null":{"s3:delimiter":true}}}]}`, "b/x")
	f.Add(`{"Statement":{"Effect":"Deny","NotPrincipal":"*","NotAction":"s3:Get*","NotResource":"arn:aws:s3:::b"}}`, "b")
	f.Fuzz(func(t *testing.T, text, resource string) {
		p, err := parsePolicy([]byte(text), "b")
		if err != nil {
			if !isCode(err, "MalformedPolicy") {
				t.Errorf("%v", err)
			}
			return
		}
		p.public()
		got := p.judge(policyRequest{"", "getobject", resource, func(string) (string, bool) { return "x", true }})
		if got == allowed && !slices.ContainsFunc(p.statements, func(s statement) bool { return s.anyone && !s.deny }) {
			t.Errorf("anonymous let in by %s", text)
		}
	})
}
