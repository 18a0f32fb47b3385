package calls_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/prinzbox/prinzbox/prinzbox/calls"
)

// A call's curl line, run by a shell, asks for the same again.
func TestCurlAsksTheSame(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("there is no curl")
	}
	l := calls.New(calls.Config{})
	base := serve(t, l, calls.OnMain, echo)
	for _, c := range []struct{ method, path, contentType, body, sent string }{
		{"GET", "/api/2.0/mlflow/runs/get?run_id=a%20b&x='", "", "", ""},
		{"POST", "/api/2.0/mlflow/runs/create", "application/json", `{"name": "it's $HOME \\ \"q\" %"}`, ""},
		{"POST", "/api/2.0/mlflow/users/create", "application/json", `{"password": "geheim"}`, `{"password": "from-env"}`},
		{"PUT", "/a;b/c", "text/plain", "two\nlines", ""},
		{"POST", "/empty", "", "", ""},
	} {
		l.Clear()
		send(t, c.method, base+c.path, c.contentType, c.body)
		first := l.Find(calls.Query{}).Calls[0]
		shell := exec.CommandContext(t.Context(), "sh", "-c", first.Curl())
		shell.Env = append(shell.Environ(), "MLFLOW_TRACKING_URI="+base, "SECRET=from-env", "no_proxy=*")
		out, err := shell.CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v %s", first.Curl(), err, out)
			continue
		}
		again := l.Find(calls.Query{}).Calls[0]
		if again.Number == first.Number || again.Method != first.Method || again.Path != first.Path || again.Query != first.Query || again.RequestType != first.RequestType && c.contentType != "" {
			t.Errorf("%s became %+v", first.Curl(), again)
		}
		want := c.body
		if c.sent != "" {
			want = c.sent
		}
		if string(out) != want {
			t.Errorf("%s sent %s", first.Curl(), out)
		}
	}
}

func TestHAR(t *testing.T) {
	l := calls.New(calls.Config{Body: 20})
	base := serve(t, l, calls.OnMain, echo)
	send(t, "POST", base+"/api/2.0/mlflow/runs/create?a=b%20c&token=x", "application/json", `{"name": "long enough to be cut"}`, "Authorization", "Basic abc")
	text, err := json.Marshal(calls.NewHAR("1.0", l.Find(calls.Query{}).Calls))
	if err != nil {
		t.Fatal(err)
	}
	var har struct {
		Log struct {
			Version string
			Entries []struct {
				StartedDateTime time.Time
				Request         struct {
					URL         string
					QueryString []struct{ Name, Value string }
					PostData    struct{ Text, Comment, MimeType string }
					BodySize    int
				}
				Response struct{ Status int }
			}
		}
	}
	if err := json.Unmarshal(text, &har); err != nil {
		t.Fatal(err)
	}
	e := har.Log.Entries[0]
	if har.Log.Version != "1.2" || e.Request.URL != base+"/api/2.0/mlflow/runs/create?a=b%20c&token=$SECRET" || e.Request.QueryString[0].Value != "b c" || e.Response.Status != 201 ||
		e.Request.PostData.Comment == "" || e.Request.BodySize != 33 || time.Since(e.StartedDateTime) > time.Minute || strings.Contains(string(text), "abc") {
		t.Errorf("%s", text)
	}
}

// A session goes to another server, whose ids take the place of the recorded ones; what cannot be sent is skipped and told.
func TestSession(t *testing.T) {
	server := func(id string, status int) (*httptest.Server, *calls.Log) {
		l := calls.New(calls.Config{})
		base := serve(t, l, calls.OnMain, func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			w.Header().Set("Content-Type", "application/json")
			switch {
			case strings.HasSuffix(r.URL.Path, "create"):
				_, _ = fmt.Fprintf(w, `{"run": {"info": {"run_id": %q}}}`, id)
			case strings.Contains(r.URL.Path+r.URL.RawQuery+string(body), id):
				w.WriteHeader(status)
			default:
				w.WriteHeader(http.StatusNotFound)
			}
		})
		return &httptest.Server{URL: base}, l
	}
	old, now := strings.Repeat("a1", 16), strings.Repeat("b2", 16)
	a, recorded := server(old, 200)
	send(t, "POST", a.URL+"/api/2.0/mlflow/runs/create", "application/json", `{}`)
	send(t, "GET", a.URL+"/api/2.0/mlflow/runs/get?run_id="+old, "", "")
	send(t, "POST", a.URL+"/api/2.0/mlflow/runs/log-metric", "application/json", `{"run_id": "`+old+`"}`)
	send(t, "POST", a.URL+"/api/2.0/mlflow/users/create", "application/json", `{"password": "geheim"}`)
	send(t, "POST", a.URL+"/api/2.0/mlflow/binary", "application/octet-stream", "\x00\x01")
	text, err := json.Marshal(calls.Session{Format: calls.SessionFormat, Calls: recorded.Find(calls.Query{Oldest: true}).Calls})
	if err != nil {
		t.Fatal(err)
	}
	session, err := calls.ReadSession(strings.NewReader(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	for status, same := range map[int]int{200: 3, 418: 1} {
		b, _ := server(now, status)
		target := calls.Target{MLflow: b.URL}
		got, err := target.ReplaySession(t.Context(), session)
		if err != nil || got.Same != same || got.Other != 3-same || got.Skipped != 2 || len(got.Calls) != 5 {
			t.Errorf("%d: %+v %v", status, got, err)
		}
	}
	for _, bad := range []string{"", "{}", `{"prinzbox_session": 1, "calls": [{}]}`, `{"prinzbox_session": 1, "calls": [{"kind": "mlflow", "method": "GET", "path": "x"}]}`} {
		if _, err := calls.ReadSession(strings.NewReader(bad)); err == nil {
			t.Errorf("%q is taken for a session", bad)
		}
	}
}
