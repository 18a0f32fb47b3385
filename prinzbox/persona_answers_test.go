package prinzbox_test

import (
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/prinzbox/prinzbox/prinzbox"
)

// The files are what answers.py got of the servers themselves; here prinzbox answers the same.
func TestPersonaAnswers(t *testing.T) {
	t.Parallel()
	env := prinzbox.Start(t)
	for persona, version := range map[string]string{"1.13": "1.13.1", "1.30": "1.30.1", "2": "2.22.5", "3": prinzbox.MLflowVersion} {
		t.Run(persona, func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile("../registry/rest/testdata/persona/" + version + "-answers.txt")
			if err != nil {
				t.Fatal(err)
			}
			ns := env.ForTest(t)
			if err := ns.SetPersona(persona); err != nil {
				t.Fatal(err)
			}
			uri := ns.TrackingURI()
			send := func(method, path, body string) answer {
				if body == "" && (method == "POST" || method == "PUT" || method == "PATCH") {
					body = "{}"
				}
				return call(t, method, uri+path, body)
			}
			values := personaValues(t, send)
			lines := 0
			for line := range strings.Lines(string(text)) {
				lines++
				f := strings.Fields(line)
				switch f[0] {
				case "ask":
					if got := told(send(f[1], f[2], "")); got != strings.Join(f[3:], " ") {
						t.Errorf("%s %s: %s, not %s", f[1], f[2], got, strings.Join(f[3:], " "))
					}
				case "error":
					body := strings.Join(f[6:], " ")
					a := send(f[4], f[5], body)
					if want := `"error_code":"` + f[3] + `"`; strconv.Itoa(a.status) != f[1] || !strings.Contains(strings.ReplaceAll(a.body, " ", ""), want) {
						t.Errorf("%s %s %s: %d %s, not %s %s", f[4], f[5], body, a.status, a.body, f[1], f[3])
					}
				case "int64":
					body := ""
					if f[1] == "POST" {
						body = values.Replace(`{"experiment_ids": ["$E"]}`)
					}
					a := send(f[1], values.Replace(f[2]), body)
					got := strconv.Itoa(a.status)
					if a.status == http.StatusOK {
						got = formOf(t, a.body, f[3])
					}
					if got != f[4] {
						t.Errorf("%s %s: %s is %s, not %s", f[1], f[2], f[3], got, f[4])
					}
				default:
					t.Fatalf("line %q", line)
				}
			}
			if lines < 70 {
				t.Errorf("%d lines", lines)
			}
		})
	}
}

// personaValues makes what answers.py makes, and gives what its placeholders stand for.
func personaValues(t *testing.T, send func(method, path, body string) answer) *strings.Replacer {
	t.Helper()
	const api = "/api/2.0/mlflow"
	made := func(path, body string, into any) {
		t.Helper()
		a := send("POST", api+path, body)
		if a.status != http.StatusOK {
			t.Fatalf("%s: %d %s", path, a.status, a.body)
		}
		if err := json.Unmarshal([]byte(a.body), into); err != nil {
			t.Fatal(err)
		}
	}
	var experiment struct {
		ID string `json:"experiment_id"`
	}
	made("/experiments/create", `{"name": "e"}`, &experiment)
	var run struct {
		Run struct {
			Info struct {
				ID string `json:"run_id"`
			} `json:"info"`
		} `json:"run"`
	}
	made("/runs/create", `{"experiment_id": "`+experiment.ID+`", "start_time": 1600000000000}`, &run)
	id := run.Run.Info.ID
	var ignored any
	made("/runs/log-metric", `{"run_id": "`+id+`", "key": "k", "value": 1.5, "timestamp": 1600000000001, "step": 3}`, &ignored)
	made("/runs/update", `{"run_id": "`+id+`", "status": "FINISHED", "end_time": 1600000000002}`, &ignored)
	made("/registered-models/create", `{"name": "m"}`, &ignored)
	return strings.NewReplacer("$E", experiment.ID, "$R", id)
}

// told is an answer in answers.py's words.
func told(a answer) string {
	kind, _, err := mime.ParseMediaType(a.header.Get("Content-Type"))
	if err != nil {
		kind = "-"
	}
	allow := "-"
	if text := a.header.Get("Allow"); text != "" {
		methods := strings.Split(strings.ReplaceAll(text, " ", ""), ",")
		slices.Sort(methods)
		allow = strings.Join(methods, ",")
	}
	return fmt.Sprintf("%d %s %s", a.status, kind, allow)
}

// formOf tells how a number of 64 bits is written.
func formOf(t *testing.T, body, path string) string {
	t.Helper()
	var value any
	if err := json.Unmarshal([]byte(body), &value); err != nil {
		t.Fatal(err)
	}
	for part := range strings.SplitSeq(path, ".") {
		switch v := value.(type) {
		case map[string]any:
			value = v[part]
		case []any:
			if i, err := strconv.Atoi(part); err == nil && i < len(v) {
				value = v[i]
			}
		}
	}
	switch value.(type) {
	case string:
		return "text"
	case float64:
		return "number"
	}
	return fmt.Sprintf("%T", value)
}

// As in MLflow's own app, who is nobody learns nothing of the calls there are.
func TestPersonaAsksForPasswordsFirst(t *testing.T) {
	t.Parallel()
	env := prinzbox.Start(t, func(c *prinzbox.Config) {
		c.Persona, c.Auth = "2", prinzbox.Auth{AppName: prinzbox.BasicAuth, AdminPassword: "password1234"}
	})
	for _, c := range []struct {
		method, path     string
		nobody, somebody int
	}{
		{"GET", "/api/2.0/mlflow/nothing", 401, 404},
		{"GET", "/api/nothing", 401, 404},
		{"POST", "/api/2.0/mlflow/logged-models/search", 401, 404},
		{"GET", "/api/2.0/mlflow/experiments/create", 401, 405},
		{"OPTIONS", "/api/2.0/mlflow/experiments/create", 401, 200},
		{"GET", "/api/2.0/mlflow/experiments/get?experiment_id=0", 401, 200},
		{"GET", "/version", 200, 200},
	} {
		for status, header := range map[int][]string{c.nobody: nil, c.somebody: {"Authorization", "Basic YWRtaW46cGFzc3dvcmQxMjM0"}} {
			if c.nobody == c.somebody {
				header = nil
			}
			if a := namespaceRequest(t, c.method, env.TrackingURI()+c.path, "", "", header...); a.status != status {
				t.Errorf("%s %s %v: %d, not %d", c.method, c.path, header, a.status, status)
			}
		}
	}
}
