package prinzbox_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/prinzbox/prinzbox/prinzbox"
	"github.com/prinzbox/prinzbox/prinzbox/calls"
)

// ctl asks the control API and reads its answer.
func ctl(t testing.TB, uri, method, path, body string, want int) map[string]any {
	t.Helper()
	contentType := ""
	if body != "" {
		contentType = "application/json"
	}
	status, text := raw(t, method, uri+prinzbox.ControlPrefix+path, contentType, body)
	if status != want {
		t.Fatalf("%s %s: %d, not %d: %s", method, path, status, want, text)
	}
	var answer map[string]any
	if err := json.Unmarshal([]byte(text), &answer); err != nil {
		t.Fatalf("%s %s: %v in %s", method, path, err, text)
	}
	return answer
}

func TestControlAPI(t *testing.T) {
	t.Parallel()
	env := prinzbox.Start(t)
	uri := env.TrackingURI()
	if s := ctl(t, uri, "GET", "/status", "", 200); s["tracking_uri"] != uri || len(s["seeded"].([]any)) == 0 || s["clock"].(map[string]any)["mode"] != "real" {
		t.Error(s)
	}
	ctl(t, uri, "GET", "/ready", "", 200)

	t.Run("reset and snapshots", func(t *testing.T) {
		run := createRun(t, uri)
		ctl(t, uri, "PUT", "/snapshots/with-run", "", 200)
		ctl(t, uri, "POST", "/reset", `{"to": "empty"}`, 200)
		if s := ctl(t, uri, "GET", "/status", "", 200); len(s["seeded"].([]any)) != 0 || s["calls"] != 0.0 {
			t.Error(s)
		}
		if a := ctl(t, uri, "POST", "/seed", `{"models": ["MLF-FraudDetection-3"], "seed": 7}`, 200); fmt.Sprint(a["seeded"]) != "[MLF-FraudDetection-3]" {
			t.Error(a)
		}
		if s := ctl(t, uri, "GET", "/status", "", 200); len(s["seeded"].([]any)) != 1 {
			t.Error(s)
		}
		if a := ctl(t, uri, "POST", "/seed", `{"models": ["nobody"]}`, 400); !strings.Contains(fmt.Sprint(a["message"]), `no sample "nobody": use MLF-ElasticnetWineModel-1`) {
			t.Error(a)
		}
		ctl(t, uri, "POST", "/seed", "", 200)
		if s := ctl(t, uri, "GET", "/status", "", 200); len(s["seeded"].([]any)) != 3 {
			t.Error(s)
		}
		ctl(t, uri, "POST", "/snapshots/with-run/restore", "", 200)
		if _, err := env.Store().Run(t.Context(), run); err != nil {
			t.Error(err)
		}
		if list := ctl(t, uri, "GET", "/snapshots", "", 200)["snapshots"].([]any); len(list) != 1 {
			t.Error(list)
		}
		ctl(t, uri, "DELETE", "/snapshots/with-run", "", 200)
		ctl(t, uri, "POST", "/snapshots/with-run/restore", "", 404)
		ctl(t, uri, "POST", "/reset", "", 200)
	})
	t.Run("export and import", func(t *testing.T) {
		run := createRun(t, uri)
		status, file := raw(t, "GET", uri+prinzbox.ControlPrefix+"/export", "", "")
		if status != 200 {
			t.Fatal(status, file)
		}
		ctl(t, uri, "POST", "/reset", "", 200)
		if status, text := raw(t, "POST", uri+prinzbox.ControlPrefix+"/import", "application/gzip", file); status != 200 {
			t.Fatal(status, text)
		}
		if _, err := env.Store().Run(t.Context(), run); err != nil {
			t.Error(err)
		}
		if status, text := raw(t, "POST", uri+prinzbox.ControlPrefix+"/import", "application/gzip", "no archive"); status != 400 {
			t.Error(status, text)
		}
	})
	t.Run("clock", func(t *testing.T) {
		s := ctl(t, uri, "PUT", "/clock", `{"freeze": "2026-01-02T15:04:05Z", "advance_ms": 1000, "tick_ms": 5}`, 200)
		if s["mode"] != "frozen" || s["now"] != "2026-01-02T15:04:06Z" || s["tick_ms"] != 5.0 {
			t.Error(s)
		}
		if a, b := env.Clock().Now(), env.Clock().Now(); b.Sub(a).Milliseconds() != 5 {
			t.Error(a, b)
		}
		if s := ctl(t, uri, "DELETE", "/clock", "", 200); s["mode"] != "real" {
			t.Error(s)
		}
	})
	t.Run("presigned in a frozen time", func(t *testing.T) {
		ctl(t, uri, "PUT", "/clock", `{"freeze": "2020-01-02T15:04:05Z"}`, 200)
		defer ctl(t, uri, "DELETE", "/clock", "", 200)
		status, text := raw(t, "PUT", uri+"/api/2.0/mlflow-artifacts/artifacts/0/f.txt", "text/plain", "hello")
		if status != 200 {
			t.Fatal(status, text)
		}
		n := env.Calls().Last()
		if status, text = raw(t, "GET", uri+"/api/2.0/mlflow-artifacts/artifacts/0/f.txt", "", ""); status != 200 || text != "hello" {
			t.Error(status, text)
		}
		// A replay to the S3 store is presigned, too.
		raw(t, "GET", env.S3Endpoint()+"/mlflow/0/f.txt", "", "")
		c := env.Calls().Find(calls.Query{After: n, Kinds: []calls.Kind{calls.S3}}).Calls[0]
		if c.Status != 403 {
			t.Errorf("%+v", c)
		}
		if got := ctl(t, uri, "POST", fmt.Sprintf("/calls/%d/replay", c.Number), "", 200); got["status"] != 200.0 || got["body"] != "hello" || got["same"] != false {
			t.Error(got)
		}
	})
	t.Run("ids", func(t *testing.T) {
		if s := ctl(t, uri, "PUT", "/ids", `{"seed": 5}`, 200); s["mode"] != "seeded" {
			t.Error(s)
		}
		a := env.IDs().New()
		ctl(t, uri, "PUT", "/ids", `{"seed": 5}`, 200)
		if b := env.IDs().New(); a != b {
			t.Error(a, b)
		}
		for _, want := range []int{200, 400} {
			ctl(t, uri, "PUT", "/ids", `{"seed": 6}`, 200)
			status, text := raw(t, "POST", uri+"/api/2.0/mlflow/runs/create", "application/json", `{"experiment_id": "0", "run_name": "mine"}`)
			if status != want || want == 400 && !strings.Contains(text, "RESOURCE_ALREADY_EXISTS") {
				t.Errorf("%d %s", status, text)
			}
		}
		ctl(t, uri, "DELETE", "/ids", "", 200)
	})
	t.Run("faults", func(t *testing.T) {
		ctl(t, uri, "POST", "/faults", `{"id": "no-runs", "match": {"operation": "runs/*"}, "when": {"first": 1}, "error": {"status": 503}}`, 200)
		if status, _ := raw(t, "POST", uri+"/api/2.0/mlflow/runs/create", "application/json", `{"experiment_id": "0"}`); status != 503 {
			t.Error(status)
		}
		createRun(t, uri)
		rule := ctl(t, uri, "GET", "/faults", "", 200)["faults"].([]any)[0].(map[string]any)
		if rule["matched"] != 2.0 || rule["fired"] != 1.0 {
			t.Error(rule)
		}
		ctl(t, uri, "DELETE", "/faults/no-runs", "", 200)
		ctl(t, uri, "DELETE", "/faults/no-runs", "", 404)
		ctl(t, uri, "PUT", "/faults", `{"seed": 3, "faults": [{"reset": true}]}`, 200)
		ctl(t, uri, "DELETE", "/faults", "", 200)
	})
	t.Run("calls", func(t *testing.T) {
		ctl(t, uri, "DELETE", "/calls", "", 200)
		run := createRun(t, uri)
		if n := ctl(t, uri, "GET", "/calls/count?operation=runs/create&contains="+run, "", 200)["count"]; n != 1.0 {
			t.Error(n)
		}
		page := ctl(t, uri, "GET", "/calls?operation=runs/create", "", 200)
		call := page["calls"].([]any)[0].(map[string]any)
		if page["total"] != 1.0 || call["request_body"] != `{"experiment_id": "0", "run_name": "one"}` {
			t.Error(page)
		}
		number := fmt.Sprint(call["number"])
		if again := ctl(t, uri, "POST", "/calls/"+number+"/replay", "", 200); again["status"] != 200.0 || again["same"] != true {
			t.Error(again)
		}
		if n := env.Calls().Count(calls.Query{Operation: "runs/create"}); n != 2 {
			t.Errorf("%d", n)
		}
		if _, text := raw(t, "GET", uri+prinzbox.ControlPrefix+"/calls/curl?limit=1&order=oldest", "", ""); !strings.Contains(text, `"$MLFLOW_TRACKING_URI"'/api/2.0/mlflow/runs/create'`) {
			t.Error(text)
		}
		har := ctl(t, uri, "GET", "/calls/har", "", 200)["log"].(map[string]any)
		if har["version"] != "1.2" || len(har["entries"].([]any)) != 2 {
			t.Error(har)
		}
		ctl(t, uri, "GET", "/calls/12345678", "", 404)
		ctl(t, uri, "GET", "/calls?kind=foo", "", 400)
	})
	t.Run("a session elsewhere", func(t *testing.T) {
		ctl(t, uri, "DELETE", "/calls", "", 200)
		run := createRun(t, uri)
		for _, c := range [][2]string{
			{"runs/log-metric", `{"run_id": "` + run + `", "key": "m", "value": 1, "timestamp": 1}`},
			{"runs/log-parameter", `{"run_id": "` + run + `", "key": "p", "value": "v"}`},
			{"runs/log-metric", `{"run_id": "nobody", "key": "m", "value": 1, "timestamp": 1}`},
		} {
			raw(t, "POST", uri+"/api/2.0/mlflow/"+c[0], "application/json", c[1])
		}
		raw(t, "GET", uri+"/api/2.0/mlflow/runs/get?run_id="+run, "", "")
		_, session := raw(t, "GET", uri+prinzbox.ControlPrefix+"/calls/session", "", "")
		other, err := env.Namespace(t.Context(), "replayed")
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close()
		got := ctl(t, other.TrackingURI(), "POST", "/calls/session/replay", session, 200)
		if got["same"] != 5.0 || got["different"] != 0.0 || got["skipped"] != 0.0 {
			t.Error(got)
		}
		if n := other.Calls().Count(calls.Query{Contains: run}); n != 0 {
			t.Errorf("%d calls went with the run's old id", n)
		}
	})
	t.Run("tail", func(t *testing.T) {
		r, err := http.NewRequestWithContext(t.Context(), "GET", uri+prinzbox.ControlPrefix+"/calls/tail?operation=runs/create", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := (&http.Transport{}).RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		lines := bufio.NewScanner(resp.Body)
		lines.Scan() // it has begun
		createRun(t, uri)
		for lines.Scan() {
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				var c calls.Call
				if err := json.Unmarshal([]byte(data), &c); err != nil || c.Operation != "runs/create" {
					t.Errorf("%s %v", data, err)
				}
				return
			}
		}
		t.Error("the tail ended", lines.Err())
	})
	t.Run("routes and stubs", func(t *testing.T) {
		stub := ctl(t, uri, "POST", "/stubs/canned", `{"answer": 7}`, 200)
		if stub["version"] != "1" {
			t.Error(stub)
		}
		ctl(t, uri, "POST", "/stubs/canned", `{"answer": 8}`, 200)
		if r := ctl(t, uri, "PUT", "/routes/canned", `{"current": "1"}`, 200); r["current"] != "1" {
			t.Error(r)
		}
		if _, text := raw(t, "POST", uri+"/canned/invocations", "application/json", `{"inputs": [1]}`); !strings.Contains(text, "7") {
			t.Error(text)
		}
		ctl(t, uri, "PUT", "/routes/canned", `{"current": "9"}`, 400)
		ctl(t, uri, "PUT", "/routes/nobody", `{"current": "1"}`, 404)
		if r := ctl(t, uri, "PUT", "/routes/canned", `{"current": ""}`, 200); r["current"] != nil {
			t.Error(r)
		}
		if len(ctl(t, uri, "GET", "/routes", "", 200)["routes"].([]any)) == 0 {
			t.Error("no routes")
		}
	})
	t.Run("namespaces", func(t *testing.T) {
		n := ctl(t, uri, "PUT", "/namespaces/mine", "", 200)
		createRun(t, n["tracking_uri"].(string))
		if s := ctl(t, n["tracking_uri"].(string), "GET", "/status", "", 200); s["namespace"] != "mine" {
			t.Error(s)
		}
		names := ctl(t, uri, "GET", "/namespaces", "", 200)["namespaces"].([]any)
		if !slices.ContainsFunc(names, func(v any) bool { return v.(map[string]any)["name"] == "mine" }) {
			t.Error(names)
		}
		ctl(t, uri, "DELETE", "/namespaces/mine", "", 200)
		ctl(t, uri, "DELETE", "/namespaces/mine", "", 404)
		ctl(t, uri, "PUT", "/namespaces/Not-A-Name", "", 400)
	})
}

func TestControlAPINamesMistakes(t *testing.T) {
	t.Parallel()
	env := prinzbox.Start(t, func(c *prinzbox.Config) { c.Seed = false })
	for _, c := range []struct {
		method, path, body string
		status             int
		says               string
	}{
		{"POST", "/reset", `{"to": "full"}`, 400, "empty or seeded"},
		{"POST", "/reset", `{"too": "x"}`, 400, "there are: to"},
		{"POST", "/reset", `{"to": 5}`, 400, "to: it is a JSON number"},
		{"POST", "/reset", `{`, 400, "not the JSON"},
		{"POST", "/reset", `{} {}`, 400, "more than one"},
		{"PUT", "/snapshots/Bad_Name", ``, 400, "lower-case"},
		{"DELETE", "/snapshots/none", ``, 404, "no snapshot"},
		{"PUT", "/clock", ``, 400, "freeze, set, advance_ms or tick_ms"},
		{"PUT", "/clock", `{"freeze": "tomorrow"}`, 400, "freeze: "},
		{"PUT", "/clock", `{"freeze": "1900-01-01T00:00:00Z"}`, 400, "from 1970"},
		{"PUT", "/clock", `{"freeze": "now", "set": "now"}`, 400, "one of them"},
		{"PUT", "/clock", `{"set": "now", "tick_ms": 3}`, 400, "tick_ms"},
		{"PUT", "/clock", `{"tick_ms": -3}`, 400, "tick_ms"},
		{"PUT", "/clock", `{"advance_ms": 1e300}`, 400, "advance_ms"},
		{"PUT", "/ids", `{}`, 400, "seed: "},
		{"PUT", "/ids", `{"seed": -1}`, 400, "seed: "},
		{"POST", "/faults", `{}`, 400, "does nothing"},
		{"POST", "/faults", `{"reset": true, "match": {"kind": "ftp"}}`, 400, "match.kind"},
		{"POST", "/faults", `{"error": {"status": 200}}`, 400, "error.status"},
		{"POST", "/faults", `{"error": {}, "reset": true}`, 400, "reset: "},
		{"POST", "/faults", `{"latency": {"kind": "gamma"}}`, 400, "latency.kind"},
		{"POST", "/faults", `{"latency": {"ms": 1e9}}`, 400, "latency.ms"},
		{"POST", "/faults", `{"reset": true, "when": {"probability": 2}}`, 400, "when.probability"},
		{"POST", "/faults", `{"rate_limit": {"calls": 1}}`, 400, "rate_limit.per_ms"},
		{"POST", "/faults", `{"body": {}}`, 400, "bytes_per_second or truncate_after"},
		{"POST", "/stubs/m", `{"answr": 1}`, 400, "answr"},
		{"GET", "/calls?limt=3", ``, 400, "limt"},
		{"GET", "/calls/har?status=9xx", ``, 400, "status"},
		{"GET", "/calls/tail?order=x", ``, 400, "order"},
		{"GET", "/calls/abc", ``, 400, "number"},
		{"POST", "/calls/session/replay", `{"prinzbox_session": 9, "calls": []}`, 400, "prinzbox_session"},
		{"POST", "/calls/session/replay", `[]`, 400, "no recorded session"},
		{"GET", "/nothing", ``, 404, "openapi.json"},
		{"DELETE", "/status", ``, 405, "use GET"},
	} {
		t.Run(c.method+" "+c.path, func(t *testing.T) {
			answer := ctl(t, env.TrackingURI(), c.method, c.path, c.body, c.status)
			if message, _ := answer["message"].(string); answer["error_code"] == nil || !strings.Contains(message, c.says) {
				t.Errorf("%s: %v", c.body, answer)
			}
		})
	}
	if status, text := raw(t, "PUT", env.TrackingURI()+prinzbox.ControlPrefix+"/ids", "text/plain", `{"seed": 1}`); status != 400 || !strings.Contains(text, "application/json") {
		t.Errorf("a page elsewhere could send this: %d %s", status, text)
	}
}

// TestOpenAPIIsTrue walks all operations of the document and holds real answers, and the examples, against their schemas.
func TestOpenAPIIsTrue(t *testing.T) {
	t.Parallel()
	env := prinzbox.Start(t)
	uri := env.TrackingURI()
	doc := ctl(t, uri, "GET", "/openapi.json", "", 200)
	if doc["openapi"] != "3.1.0" {
		t.Fatal(doc["openapi"])
	}
	v := validator{doc["components"].(map[string]any)["schemas"].(map[string]any)}
	ctl(t, uri, "PUT", "/snapshots/name", "", 200)
	ctl(t, uri, "POST", "/stubs/model", `{"answer": 1}`, 200)
	env.Calls().Clear()
	raw(t, "GET", env.StaticURL()+"/static/int", "", "")
	number := env.Calls().Last()
	_, session := raw(t, "GET", uri+prinzbox.ControlPrefix+"/calls/session", "", "")
	ids := map[string]bool{}
	tried := 0
	// What removes comes last.
	paths := doc["paths"].(map[string]any)
	for _, method := range []string{"get", "put", "post", "delete"} {
		for path, operations := range paths {
			operation, ok := operations.(map[string]any)[method].(map[string]any)
			if !ok {
				continue
			}
			name := strings.ToUpper(method) + " " + path
			if id := operation["operationId"].(string); ids[id] || operation["summary"] == "" {
				t.Errorf("%s: operationId %s is there twice, or there is no summary", name, id)
			} else {
				ids[id] = true
			}
			if strings.HasSuffix(path, "/tail") || strings.HasSuffix(path, "/import") || strings.HasSuffix(path, "/reset") {
				continue // asked above
			}
			tried++
			target := strings.NewReplacer("{name}", "name", "{model}", "model", "{id}", "slow-runs", "{number}", fmt.Sprint(number)).Replace(path)
			body, contentType := "", ""
			if in, ok := operation["requestBody"].(map[string]any); ok {
				content := in["content"].(map[string]any)["application/json"].(map[string]any)
				contentType = "application/json"
				if content["example"] == nil {
					body = session
				} else {
					if err := v.check(content["schema"], content["example"], "example"); err != nil {
						t.Errorf("%s: %v", name, err)
					}
					text, _ := json.Marshal(content["example"])
					body = string(text)
				}
			}
			if name == "POST /api/prinzbox/faults" || name == "DELETE /api/prinzbox/faults/{id}" {
				ctl(t, uri, "DELETE", "/faults", "", 200)
				if method == "delete" {
					ctl(t, uri, "POST", "/faults", `{"id": "slow-runs", "reset": true, "match": {"path": "/none"}}`, 200)
				}
			}
			status, text := raw(t, strings.ToUpper(method), uri+target, contentType, body)
			if status != 200 {
				t.Errorf("%s %s: %d %s", name, body, status, text)
				continue
			}
			content := operation["responses"].(map[string]any)["200"].(map[string]any)["content"].(map[string]any)
			answer, isJSON := content["application/json"].(map[string]any)
			if !isJSON {
				continue
			}
			var value any
			dec := json.NewDecoder(bytes.NewReader([]byte(text)))
			if err := dec.Decode(&value); err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			if err := v.check(answer["schema"], value, "answer"); err != nil {
				t.Errorf("%s: %v in %s", name, err, text)
			}
		}
	}
	if tried < 30 {
		t.Errorf("only %d operations were tried", tried)
	}
}

// validator holds values against the schemas that the document uses.
type validator struct{ schemas map[string]any }

func (v validator) check(schema, value any, at string) error {
	s, _ := schema.(map[string]any)
	if ref, ok := s["$ref"].(string); ok {
		named, ok := v.schemas[strings.TrimPrefix(ref, "#/components/schemas/")]
		if !ok {
			return fmt.Errorf("%s: there is no %s", at, ref)
		}
		return v.check(named, value, at)
	}
	if any, ok := s["anyOf"].([]any); ok {
		var err error
		for _, one := range any {
			if err = v.check(one, value, at); err == nil {
				return nil
			}
		}
		return err
	}
	var kinds []string
	switch kind := s["type"].(type) {
	case string:
		kinds = []string{kind}
	case []any:
		for _, k := range kind {
			kinds = append(kinds, k.(string))
		}
	default:
		return nil // anything
	}
	got := "null"
	switch x := value.(type) {
	case bool:
		got = "boolean"
	case string:
		got = "string"
	case float64:
		if got = "number"; x == float64(int64(x)) && slices.Contains(kinds, "integer") {
			got = "integer"
		}
	case []any:
		got = "array"
		for i, e := range x {
			if err := v.check(s["items"], e, fmt.Sprintf("%s[%d]", at, i)); err != nil {
				return err
			}
		}
	case map[string]any:
		got = "object"
		properties, _ := s["properties"].(map[string]any)
		for name, e := range x {
			property, ok := properties[name]
			if !ok && s["additionalProperties"] == false {
				return fmt.Errorf("%s: %s is not in the schema", at, name)
			}
			if err := v.check(property, e, at+"."+name); err != nil {
				return err
			}
		}
	}
	if !slices.Contains(kinds, got) {
		return fmt.Errorf("%s: %v is of type %s, not %v (%v)", at, value, got, kinds, reflect.TypeOf(value))
	}
	return nil
}

func TestWhoMayControl(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		set     func(c *prinzbox.Config)
		headers map[string]string
		status  int
	}{
		{"loopback", func(*prinzbox.Config) {}, nil, 200},
		{"all addresses", func(c *prinzbox.Config) { c.Host = "0.0.0.0" }, nil, 403},
		{"all addresses with a token", func(c *prinzbox.Config) { c.Host, c.ControlToken = "0.0.0.0", "let-me-in" }, map[string]string{"Authorization": "Bearer let-me-in"}, 200},
		{"the other header", func(c *prinzbox.Config) { c.ControlToken = "let-me-in" }, map[string]string{"X-Prinzbox-Token": "let-me-in"}, 200},
		{"no token", func(c *prinzbox.Config) { c.ControlToken = "let-me-in" }, nil, 401},
		{"a wrong token", func(c *prinzbox.Config) { c.ControlToken = "let-me-in" }, map[string]string{"Authorization": "Bearer let-me"}, 401},
		{"no user", func(c *prinzbox.Config) {
			c.Auth = prinzbox.Auth{AppName: "basic-auth", AdminPassword: "long-enough-12"}
		}, nil, 401},
		{"an admin", func(c *prinzbox.Config) {
			c.Auth = prinzbox.Auth{AppName: "basic-auth", AdminPassword: "long-enough-12"}
		}, map[string]string{"Authorization": "Basic YWRtaW46bG9uZy1lbm91Z2gtMTI="}, 200},
		{"a user", func(c *prinzbox.Config) {
			c.Auth = prinzbox.Auth{AppName: "basic-auth", AdminPassword: "long-enough-12"}
		}, map[string]string{"Authorization": "Basic dXNlcjpsb25nLWVub3VnaC0xMg=="}, 403},
		{"a foreign host", func(*prinzbox.Config) {}, map[string]string{"Host": "evil.example"}, 403},
		{"a foreign page", func(*prinzbox.Config) {}, map[string]string{"Origin": "http://evil.example"}, 403},
		{"a foreign page without its origin", func(*prinzbox.Config) {}, map[string]string{"Sec-Fetch-Site": "cross-site"}, 403},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			env := prinzbox.Start(t, func(cfg *prinzbox.Config) { cfg.Seed = false; c.set(cfg) })
			if c.name == "a user" {
				if _, err := env.Store().CreateUser(t.Context(), "user", "long-enough-12", false); err != nil {
					t.Fatal(err)
				}
			}
			r, err := http.NewRequestWithContext(t.Context(), "PUT", env.TrackingURI()+prinzbox.ControlPrefix+"/ids", strings.NewReader(`{"seed": 1}`))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", "application/json")
			for name, value := range c.headers {
				r.Header.Set(name, value)
			}
			if host := c.headers["Host"]; host != "" {
				r.Host = host
			}
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if resp.StatusCode != c.status {
				t.Errorf("%d, not %d", resp.StatusCode, c.status)
			}
			if seeded := env.IDs().State().Mode == "seeded"; seeded != (c.status == 200) {
				t.Errorf("seeded: %v", seeded)
			}
		})
	}
}
