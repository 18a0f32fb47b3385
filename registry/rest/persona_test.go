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

// BenchmarkPersona is what the choice costs each request: of no persona one look at whether there is one (prinzbox does that), of one these.
func BenchmarkPersona(b *testing.B) {
	next := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	p, err := FindPersona("2")
	if err != nil {
		b.Fatal(err)
	}
	for name, path := range map[string]string{
		"fixed": "/api/2.0/mlflow/runs/log-metric", "wildcard": "/api/2.0/mlflow-artifacts/artifacts/1/run/artifacts/model/MLmodel", "foreign": "/models/wine",
	} {
		b.Run(name, func(b *testing.B) {
			method := http.MethodGet
			if name == "fixed" {
				method = http.MethodPost
			}
			r, w := httptest.NewRequest(method, path, nil), httptest.NewRecorder()
			b.ReportAllocs()
			for b.Loop() {
				p.Serve(w, r, next)
			}
			if w.Code != http.StatusOK {
				b.Fatal(w.Code)
			}
		})
	}
}
