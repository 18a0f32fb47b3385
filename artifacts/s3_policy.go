package artifacts

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
)

// maxPolicy is the greatest bucket policy in bytes, as on AWS.
const maxPolicy = 20 << 10

// resourceARN begins the names of buckets and objects in a policy.
const resourceARN = "arn:aws:s3:::"

// policy is a bucket policy that was read and understood in full.
type policy struct {
	statements []statement
}

type statement struct {
	deny bool
	// anyone is set for Principal "*"; principals are access keys otherwise.
	anyone     bool
	principals []string
	actions    []glob // in lower case, without "s3:"
	resources  []glob // without arn:aws:s3:::
	// The Not… forms apply to all but what is listed.
	notPrincipal, notAction, notResource bool
	conditions                           []condition
}

// malformedPolicy is AWS's code for a policy that is refused. What is not understood is refused too: a policy that is kept but not
// obeyed would let in whom it should keep out.
func malformedPolicy(format string, args ...any) *Error {
	return &Error{"MalformedPolicy", fmt.Sprintf(format, args...)}
}

// member is one name and value of a JSON object.
type member struct {
	name  string
	value json.RawMessage
}

// members reads a JSON object in order. A name that stands twice is an error: which of the two counts, readers disagree on.
func members(raw []byte, what string) ([]member, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, malformedPolicy("%s must be a JSON object.", what)
	}
	var list []member
	seen := map[string]bool{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, malformedPolicy("%s is not valid JSON: %s", what, err)
		}
		m := member{name: name.(string)} // the decoder gives no other names
		if err := d.Decode(&m.value); err != nil {
			return nil, malformedPolicy("%s is not valid JSON: %s", what, err)
		}
		if seen[m.name] {
			return nil, malformedPolicy("Duplicate field %s in %s", m.name, what)
		}
		seen[m.name] = true
		list = append(list, m)
	}
	if _, err := d.Token(); err != nil {
		return nil, malformedPolicy("%s is not valid JSON: %s", what, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, malformedPolicy("%s is followed by something else.", what)
	}
	return list, nil
}

// texts reads a string or an array of strings; numbers and booleans count as their text where scalars is set.
func texts(raw json.RawMessage, what string, scalars bool) ([]string, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, malformedPolicy("%s is not valid JSON: %s", what, err)
	}
	items, ok := v.([]any)
	if !ok {
		items = []any{v}
	}
	list := make([]string, 0, len(items))
	for _, item := range items {
		switch item := item.(type) {
		case string:
			list = append(list, item)
			continue
		case bool, json.Number:
			if scalars {
				list = append(list, fmt.Sprint(item))
				continue
			}
		}
		return nil, malformedPolicy("%s must be a string or an array of strings.", what)
	}
	if len(list) == 0 {
		return nil, malformedPolicy("%s is empty.", what)
	}
	return list, nil
}

// parsePolicy reads the policy of a bucket. Errors: MalformedPolicy, which names what is wrong or not understood.
func parsePolicy(text []byte, bucket string) (*policy, error) {
	if len(text) > maxPolicy {
		return nil, malformedPolicy("The policy has %d bytes; %d are allowed.", len(text), maxPolicy)
	}
	if !json.Valid(text) || bytes.TrimLeft(text, " \t\r\n")[0] != '{' {
		return nil, malformedPolicy("Policies must be valid JSON and the first byte must be '{'")
	}
	fields, err := members(text, "The policy")
	if err != nil {
		return nil, err
	}
	var statements json.RawMessage
	variables := false
	for _, f := range fields {
		switch f.name {
		case "Version":
			version, err := texts(f.value, "Version", false)
			if err != nil {
				return nil, err
			}
			switch version[0] {
			case "2012-10-17":
				variables = true
			case "2008-10-17":
			default:
				return nil, malformedPolicy("The policy must contain a valid version string: 2012-10-17 or 2008-10-17, not %s", version[0])
			}
		case "Id":
			if _, err := texts(f.value, "Id", false); err != nil {
				return nil, err
			}
		case "Statement":
			statements = f.value
		default:
			return nil, malformedPolicy("Unknown field %s", f.name)
		}
	}
	if statements == nil {
		return nil, malformedPolicy("Missing required field Statement")
	}
	list := []json.RawMessage{statements}
	if bytes.HasPrefix(statements, []byte("[")) {
		list = nil
		if err := json.Unmarshal(statements, &list); err != nil {
			return nil, malformedPolicy("Statement is not valid JSON: %s", err)
		}
	}
	if len(list) == 0 {
		return nil, malformedPolicy("Could not parse the policy: Statement is empty!")
	}
	p := &policy{}
	for _, raw := range list {
		s, err := parseStatement(raw, bucket, variables)
		if err != nil {
			return nil, err
		}
		p.statements = append(p.statements, s)
	}
	return p, nil
}

func parseStatement(raw json.RawMessage, bucket string, variables bool) (s statement, err error) {
	fields, err := members(raw, "Statement")
	if err != nil {
		return s, err
	}
	var actions, resources []string
	have := map[string]bool{}
	for _, f := range fields {
		kind := strings.TrimPrefix(f.name, "Not")
		if kind != f.name && have[kind] || have[f.name] {
			return s, malformedPolicy("A statement has either %s or Not%s.", kind, kind)
		}
		have[kind] = true
		switch f.name {
		case "Sid":
			_, err = texts(f.value, "Sid", false)
		case "Effect":
			var effect string
			if json.Unmarshal(f.value, &effect) != nil || effect != "Allow" && effect != "Deny" {
				return s, malformedPolicy("Invalid effect: %s", strings.Trim(string(f.value), `"`))
			}
			s.deny = effect == "Deny"
		case "Principal", "NotPrincipal":
			s.notPrincipal = f.name != kind
			err = s.parsePrincipal(f.value)
		case "Action", "NotAction":
			s.notAction = f.name != kind
			actions, err = texts(f.value, f.name, false)
		case "Resource", "NotResource":
			s.notResource = f.name != kind
			resources, err = texts(f.value, f.name, false)
		case "Condition":
			s.conditions, err = parseConditions(f.value, variables)
		default:
			err = malformedPolicy("Unknown field %s", f.name)
		}
		if err != nil {
			return s, err
		}
	}
	for _, name := range []string{"Effect", "Principal", "Action", "Resource"} {
		if !have[name] {
			return s, malformedPolicy("Missing required field %s", name)
		}
	}
	if s.notPrincipal && !s.deny {
		return s, malformedPolicy("NotPrincipal can be used with Effect Deny only: with Allow it would let in everybody else.")
	}
	if err := s.parseResources(resources, bucket, variables); err != nil {
		return s, err
	}
	return s, s.parseActions(actions, resources, bucket)
}

// userARN names one user; all users here are of one account, whatever its number.
var userARN = regexp.MustCompile(`^arn:aws:iam::(?:\d{12})?:user/(?:.*/)?([^/*?]+)$`)

var accountID = regexp.MustCompile(`^\d{12}$`)

func (s *statement) parsePrincipal(raw json.RawMessage) error {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		if text != "*" {
			return malformedPolicy(`Invalid principal in policy: write "*" or {"AWS": [access keys]}, not %q`, text)
		}
		s.anyone = true
		return nil
	}
	fields, err := members(raw, "Principal")
	if err != nil {
		return err
	}
	if len(fields) == 0 {
		return malformedPolicy("Invalid principal in policy: it is empty.")
	}
	for _, f := range fields {
		if f.name != "AWS" {
			return malformedPolicy("Invalid principal in policy: principals of the kind %s are not known here; use AWS.", f.name)
		}
		names, err := texts(f.value, "Principal.AWS", false)
		if err != nil {
			return err
		}
		for _, name := range names {
			if m := userARN.FindStringSubmatch(name); m != nil {
				name = m[1]
			}
			switch {
			case name == "*":
				s.anyone = true
			case name == "" || strings.HasPrefix(name, "arn:") || accountID.MatchString(name) || strings.ContainsAny(name, "*?"):
				return malformedPolicy("Invalid principal in policy: %s; write an access key, arn:aws:iam::ACCOUNT:user/ACCESS-KEY, or *. "+
					"Accounts, roles and groups are not known here.", name)
			default:
				s.principals = append(s.principals, name)
			}
		}
	}
	return nil
}

func (s *statement) parseResources(resources []string, bucket string, variables bool) error {
	for _, r := range resources {
		name, ok := strings.CutPrefix(r, resourceARN)
		of, _, _ := strings.Cut(name, "/")
		if !ok || !mayName(of, bucket) {
			return malformedPolicy("Policy has invalid resource: %s; write %s%s or %s%s/KEY, with * and ? as wildcards.", r, resourceARN, bucket, resourceARN, bucket)
		}
		g, err := newGlob(name, variables)
		if err != nil {
			return malformedPolicy("Policy has invalid resource: %s: %s", r, err)
		}
		s.resources = append(s.resources, g)
	}
	return nil
}

// mayName tells whether a pattern, up to its first slash, may be for the bucket.
func mayName(pattern, bucket string) bool {
	return newPlainGlob(pattern).match(bucket, nil)
}

// parseActions checks that each action is one of S3's, and that there is a resource that it can be about.
func (s *statement) parseActions(actions, resources []string, bucket string) error {
	onBuckets, onObjects := s.notResource, s.notResource
	for _, r := range resources {
		name := strings.TrimPrefix(r, resourceARN)
		_, _, below := strings.Cut(name, "/")
		onBuckets = onBuckets || !below && mayName(name, bucket)
		onObjects = onObjects || below || strings.HasSuffix(name, "*")
	}
	for _, a := range actions {
		name := strings.ToLower(a)
		if name != "*" {
			var ok bool
			if name, ok = strings.CutPrefix(name, "s3:"); !ok {
				return malformedPolicy("Policy has invalid action: %s; write s3:ACTION", a)
			}
		}
		g := newPlainGlob(name)
		known, applies := false, s.notAction
		for action, scope := range policyActions {
			if g.match(action, nil) {
				known = true
				applies = applies || scope == onObject && onObjects || scope != onObject && onBuckets
			}
		}
		switch {
		case !known:
			return malformedPolicy("Policy has invalid action: %s", a)
		case !applies:
			return malformedPolicy("Action does not apply to any resource(s) in statement: %s", a)
		}
		s.actions = append(s.actions, g)
	}
	return nil
}

// policyRequest is what a policy is asked about.
type policyRequest struct {
	// principal is the access key; anonymous requests have none.
	principal string
	// action is in lower case without "s3:"; resource is BUCKET or BUCKET/KEY.
	action, resource string
	// value gives the condition keys.
	value func(key string) (string, bool)
}

// verdict is what a policy says: a Deny counts more than any Allow.
type verdict int

const (
	notMentioned verdict = iota
	allowed
	denied
)

func (p *policy) judge(r policyRequest) verdict {
	v := notMentioned
	if p == nil {
		return v
	}
	for i := range p.statements {
		s := &p.statements[i]
		if !s.deny && v == allowed || !s.applies(r) {
			continue
		}
		if s.deny {
			return denied
		}
		v = allowed
	}
	return v
}

func (s *statement) applies(r policyRequest) bool {
	named := s.anyone
	for _, p := range s.principals {
		named = named || r.principal != "" && p == r.principal
	}
	if named == s.notPrincipal || matchAny(s.actions, r.action, r.value) == s.notAction || matchAny(s.resources, r.resource, r.value) == s.notResource {
		return false
	}
	for i := range s.conditions {
		if !s.conditions[i].holds(r.value) {
			return false
		}
	}
	return true
}

// public tells whether the policy lets everybody do something, wherever they come from.
func (p *policy) public() bool {
	for i := range p.statements {
		s := &p.statements[i]
		if s.deny || !s.anyone {
			continue
		}
		fixed := false
		for i := range s.conditions {
			fixed = fixed || s.conditions[i].narrows()
		}
		if !fixed {
			return true
		}
	}
	return false
}
