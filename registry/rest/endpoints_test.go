package rest

import (
	"os"
	"strings"
	"testing"
)

// Every call of MLflow's protocol services is served here, stands in notYet with a reason, or belongs to the artifact proxy; and nothing is served that
// MLflow does not have, but for what old clients need and what the UI alone calls. To add a call: its row in table.go.
func TestEveryEndpointIsServedOrSaidNotToBe(t *testing.T) {
	text, err := os.ReadFile("testdata/endpoints.txt")
	if err != nil {
		t.Fatal(err)
	}
	// Names in braces differ between the lists; their places count.
	id := func(method, version, path string) string {
		parts := strings.Split(path, "/")
		for i, p := range parts {
			if strings.HasPrefix(p, "{") {
				parts[i] = "{}"
			}
		}
		return method + " " + version + " " + strings.Join(parts, "/")
	}
	served, refused := map[string]entry{}, map[string]bool{}
	for _, e := range table {
		key := id(e.method, e.version, e.path)
		if _, twice := served[key]; twice {
			t.Errorf("%s stands in the table twice", key)
		}
		served[key] = e
	}
	for _, n := range notYet {
		key := id(n.method, n.version, n.path)
		if refused[key] {
			t.Errorf("%s stands in notYet twice", key)
		}
		if refused[key] = true; n.reason == "" {
			t.Errorf("%s stands in notYet without a reason", key)
		}
		if _, both := served[key]; both {
			t.Errorf("%s is served and stands in notYet", key)
		}
	}
	listed := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "#") || strings.TrimSpace(line) == "" {
			continue
		}
		f := strings.Fields(line)
		if len(f) != 4 {
			t.Fatalf("endpoints.txt: %q has not four fields", line)
		}
		key := id(f[1], f[2], f[3])
		listed[key] = true
		_, ok := served[key]
		if proxied := strings.HasPrefix(f[3], "/mlflow-artifacts/"); !ok && !refused[key] && !proxied {
			t.Errorf("%s is neither served nor in notYet", key)
		}
	}
	if len(listed) < 187 {
		t.Errorf("endpoints.txt has %d endpoints, MLflow 3.17.2 has 187", len(listed))
	}
	for key, e := range served {
		if !listed[key] && !e.old && !e.ajax && !outsideServices[key] {
			t.Errorf("%s is served, but MLflow does not have it: mark it old, or take it out", key)
		}
	}
	for key := range refused {
		if !listed[key] {
			t.Errorf("%s stands in notYet, but MLflow does not have it", key)
		}
	}
}

// outsideServices are calls that MLflow has outside its protocol services (contract/endpoints.md, section 9).
var outsideServices = map[string]bool{
	"GET 3.0 /mlflow/server-info":            true,
	"GET 3.0 /mlflow/mcp-servers":            true,
	"GET 3.0 /mlflow/mcp-servers/endpoints":  true,
	"GET 3.0 /mlflow/scorers/online-configs": true,
}
