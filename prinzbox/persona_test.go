package prinzbox_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/prinzbox/prinzbox/prinzbox"
)

func TestPersona(t *testing.T) {
	env := prinzbox.Start(t, func(c *prinzbox.Config) { c.Persona = "2" })
	ask := func(method, path, body string) (int, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, env.TrackingURI()+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(text)
	}
	const experiment, set = "/api/2.0/mlflow/experiments/get?experiment_id=0", "/api/prinzbox/persona"
	for _, c := range []struct {
		persona, method, path string
		status                int
		contains              string
	}{
		{"", "GET", "/version", 200, "2.22.5"},
		{"", "POST", "/api/2.0/mlflow/logged-models/search", 404, "<h1>Not Found</h1>"},
		{"", "GET", "/ns/other/version", 200, "2.22.5"},
		{"1.13", "GET", "/version", 404, "<h1>Not Found</h1>"},
		{"1.13", "GET", experiment, 200, `"creation_time":"`},
		{"1.30", "GET", strings.Replace(experiment, "2.0", "2.0/preview", 1), 200, `"creation_time":1`},
		{"3", "GET", "/api/2.0/mlflow/experiments/list", 404, "<h1>Not Found</h1>"},
		{"auto", "GET", "/version", 200, prinzbox.MLflowVersion},
		{"auto", "GET", "/api/2.0/mlflow/experiments/list", 200, `"experiments"`},
	} {
		if c.persona != "" {
			if status, text := ask("PUT", set, `{"persona": "`+c.persona+`"}`); status != 200 {
				t.Fatal(status, text)
			}
		}
		if status, text := ask(c.method, c.path, ""); status != c.status || !strings.Contains(text, c.contains) {
			t.Errorf("%s: %s %s: %d %.200s", c.persona, c.method, c.path, status, text)
		}
		if c.contains == "2.22.5" || c.contains == prinzbox.MLflowVersion {
			if _, text := ask("GET", "/api/prinzbox/status", ""); !strings.Contains(text, `"mlflow_version":"`+c.contains+`"`) {
				t.Errorf("%s: status: %s", c.persona, text)
			}
		}
	}
	if status, text := ask("PUT", set, `{"persona": "4"}`); status != 400 || !strings.Contains(text, "1.13, 1.30, 2 or 3") {
		t.Errorf("%d %s", status, text)
	}
	if err := env.Reset(t.Context(), prinzbox.Empty); err != nil || env.Persona() != "2" {
		t.Errorf("after a reset: %s, %v", env.Persona(), err)
	}
}
