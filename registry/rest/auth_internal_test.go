package rest

import (
	"strings"
	"testing"

	"github.com/prinzbox/prinzbox/registry"
)

// Every call has its rule, and every rule its call.
func TestEveryCallHasARule(t *testing.T) {
	known := map[string]bool{}
	for _, e := range table {
		known[e.key()] = true
		if rules[e.key()] == nil {
			t.Errorf("%s has no rule in auth_table.go: only admins may call it", e.key())
		}
	}
	for _, e := range authTable {
		known[e.key()] = true
		if authRules[e.key()] == nil {
			t.Errorf("%s has no rule in authRules", e.key())
		}
	}
	for _, n := range notYet {
		known[n.method+" "+n.version+" "+n.path] = true
	}
	for key := range rules {
		if !known[key] {
			t.Errorf("the rule of %s belongs to no call", key)
		}
	}
	for key := range authRules {
		if !known[key] {
			t.Errorf("the rule of %s belongs to no call", key)
		}
	}
	for field, key := range graphQLRules {
		if rules[key] == nil || graphQLOps[field] == nil {
			t.Errorf("GraphQL field %s: no rule %s", field, key)
		}
	}
	for field := range graphQLOps {
		if graphQLRules[field] == "" {
			t.Errorf("GraphQL field %s has no rule", field)
		}
	}
}

func TestModelsURI(t *testing.T) {
	for _, c := range []struct{ source, name, model string }{
		{"models:/a/1", "a", ""},
		{"models:/a@champion", "a", ""},
		{"models:/m-0123", "", "m-0123"},
		{"models:/a/b/c", "a", ""},
		{"runs:/x/y", "", ""},
		{"s3://b/k", "", ""},
		{"", "", ""},
		{"models:/%61/1", "a", ""},
	} {
		if name, model, _ := modelsURI(c.source); name != c.name || model != c.model {
			t.Errorf("%s: %q, %q", c.source, name, model)
		}
	}
}

func TestNobodyTouchesArtifactsUnasked(t *testing.T) {
	for p := range strings.FieldsSeq("1 1/x 0/models/m x") {
		if MayTouchArtifact(nil, p, registry.ActionRead) {
			t.Errorf("%s is open", p)
		}
	}
}
