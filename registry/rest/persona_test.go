package rest

import (
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
)

// The files are what record.py got of the servers themselves.
func TestPersonasHaveTheCallsOfTheirServers(t *testing.T) {
	for _, name := range []string{"1.13", "1.30", "2", "3"} {
		p, err := FindPersona(name)
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile("testdata/persona/" + p.Version + ".txt")
		if err != nil {
			t.Fatal(err)
		}
		seen := 0
		for line := range strings.Lines(string(text)) {
			f := strings.Fields(line)
			seen++
			if strings.Contains(line, "mlflow-artifacts") && name != "1.13" {
				continue // the proxy's own calls
			}
			got := "served"
			rec := httptest.NewRecorder()
			p.Serve(rec, httptest.NewRequest(f[0], strings.NewReplacer("{", "", "}", "").Replace(f[1]), nil), http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
			switch rec.Code {
			case http.StatusNotFound:
				got = "absent"
			case http.StatusMethodNotAllowed:
				got = "method"
			}
			if got != f[2] {
				t.Errorf("%s: %s %s is %s, not %s", name, f[0], f[1], got, f[2])
			}
		}
		if seen < 500 {
			t.Errorf("%s: %d calls", name, seen)
		}
	}
	if _, err := FindPersona("4"); err == nil {
		t.Error("there is no persona 4")
	}
}
