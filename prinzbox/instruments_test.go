package prinzbox_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/prinzbox/prinzbox/prinzbox"
	"github.com/prinzbox/prinzbox/prinzbox/calls"
	"github.com/prinzbox/prinzbox/prinzbox/faults"
	"github.com/prinzbox/prinzbox/serving"
)

// raw sends a request and gives the status, 0 where the connection broke, and the body as far as it came.
func raw(t testing.TB, method, url, contentType, body string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, string(text)
	}
	return resp.StatusCode, string(text)
}

func createRun(t testing.TB, uri string) string {
	t.Helper()
	status, body := raw(t, "POST", uri+"/api/2.0/mlflow/runs/create", "application/json", `{"experiment_id": "0", "run_name": "one"}`)
	if status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	_, after, _ := strings.Cut(body, `"run_id"`)
	_, after, _ = strings.Cut(after, `"`)
	id, _, _ := strings.Cut(after, `"`)
	return id
}

func TestAnEnvironmentKeepsItsCalls(t *testing.T) {
	t.Parallel()
	env := prinzbox.Start(t)
	run := createRun(t, env.TrackingURI())
	if n := env.Calls().Count(calls.Query{Operation: "runs/create", Contains: run}); n != 1 {
		t.Errorf("run %s was created %d times", run, n)
	}
	raw(t, "GET", env.StaticURL()+"/static/int", "", "")
	raw(t, "GET", env.S3Endpoint()+"/mlflow/some/key", "", "")
	status, body := raw(t, "POST", env.TrackingURI()+"/model/fraud_detection_sample/invocations", "application/json", `{"dataframe_records": [{}]}`)
	for _, q := range []calls.Query{
		{Kinds: []calls.Kind{calls.Static}, Path: "/static/int", MinStatus: 200, MaxStatus: 200},
		{Operation: "GetObject", Bucket: "mlflow", Key: "some/*", MinStatus: 403, MaxStatus: 403},
		{Kinds: []calls.Kind{calls.Scoring}, Operation: "invocations", Model: "fraud_*", MinStatus: status, MaxStatus: status},
	} {
		if n := env.Calls().Count(q); n != 1 {
			t.Errorf("%+v: %d (%s)", q, n, body)
		}
	}
	for _, c := range env.Calls().Find(calls.Query{}).Calls {
		if bytes.Contains(c.ResponseBody, []byte(prinzbox.DefaultSecretKey)) {
			t.Errorf("%s %s holds the secret key", c.Method, c.Path)
		}
	}

	ns, err := env.Namespace(t.Context(), "other")
	if err != nil {
		t.Fatal(err)
	}
	defer ns.Close()
	before := env.Calls().Stats().Total
	createRun(t, ns.TrackingURI())
	if n := ns.Calls().Count(calls.Query{Operation: "runs/create"}); n != 1 || env.Calls().Stats().Total != before {
		t.Errorf("the namespace has %d calls, the environment %d more", n, env.Calls().Stats().Total-before)
	}
	if err := env.Reset(t.Context(), prinzbox.Seeded); err != nil {
		t.Fatal(err)
	}
	if n := env.Calls().Count(calls.Query{}); n != 0 {
		t.Errorf("%d calls are there after a reset", n)
	}
}

func TestFaultsOfAnEnvironment(t *testing.T) {
	t.Parallel()
	env := prinzbox.Start(t, func(c *prinzbox.Config) { c.Seed = false })
	cut, nothing := int64(5), int64(0)
	api, s3 := env.TrackingURI()+"/api/2.0/mlflow/experiments/get?experiment_id=0", env.S3Endpoint()+"/mlflow/k"
	for _, c := range []struct {
		name      string
		rule      faults.Rule
		url       string
		status    int
		contains  string
		header    string
		atLeastMS int
	}{
		{"MLflow error", faults.Rule{Error: &faults.Error{Code: "TEMPORARILY_UNAVAILABLE", Message: "gone fishing"}}, api, 503, `"gone fishing"`, "", 0},
		{"MLflow status", faults.Rule{Error: &faults.Error{Status: 404}}, api, 404, `"RESOURCE_DOES_NOT_EXIST"`, "", 0},
		{"S3 error", faults.Rule{Match: faults.Match{Kind: calls.S3}, Error: &faults.Error{Status: 503, RetryAfterS: 3}}, s3, 503, "<Code>SlowDown</Code>", "3", 0},
		{"scoring error", faults.Rule{Match: faults.Match{Model: "wine"}, Error: &faults.Error{}}, env.TrackingURI() + "/wine/invocations", 500, `"INTERNAL_ERROR"`, "", 0},
		{"static error", faults.Rule{Error: &faults.Error{Status: 500, Message: "no"}}, env.StaticURL() + "/static/int", 500, "no", "", 0},
		{"another operation", faults.Rule{Match: faults.Match{Operation: "runs/*"}, Error: &faults.Error{}}, api, 200, `"experiment"`, "", 0},
		{"connection reset", faults.Rule{Reset: true}, api, 0, "", "", 0},
		{"S3 reset", faults.Rule{Reset: true}, s3, 0, "", "", 0},
		{"latency", faults.Rule{Latency: &faults.Latency{MS: 60}}, api, 200, `"experiment"`, "", 60},
		{"truncated", faults.Rule{Body: &faults.Body{TruncateAfter: &cut}}, api, 0, `{"exp`, "", 0},
		{"truncated at once", faults.Rule{Body: &faults.Body{TruncateAfter: &nothing}}, api, 0, "", "", 0},
		{"slow", faults.Rule{Body: &faults.Body{BytesPerSecond: 2000}}, api, 200, `"experiment"`, "", 60},
		{"rate", faults.Rule{RateLimit: &faults.RateLimit{Calls: 0, PerMS: 5000}}, api, 429, `"REQUEST_LIMIT_EXCEEDED"`, "5", 0},
		{"S3 rate", faults.Rule{RateLimit: &faults.RateLimit{Calls: 0, PerMS: 1000}}, s3, 503, "SlowDown", "1", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			env.Faults().Clear()
			c.rule.ID = "it"
			if _, err := env.Faults().Add(c.rule); err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			status, body := raw(t, "GET", c.url, "", "")
			if status != c.status || status != 0 && !strings.Contains(body, c.contains) {
				t.Errorf("%d %s", status, body)
			}
			if took := time.Since(start); took < time.Duration(c.atLeastMS)*time.Millisecond {
				t.Errorf("it took %v", took)
			}
			fired := int64(1)
			if c.name == "another operation" {
				fired = 0
			}
			if got := env.Faults().Rules()[0]; got.Fired != fired {
				t.Errorf("it fired %d times", got.Fired)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			if n, err := env.Calls().Wait(ctx, int(fired), calls.Query{Faulty: true}); n < int(fired) {
				t.Errorf("%d calls were noted as changed: %v", n, err)
			}
			env.Calls().Clear()
		})
	}
	env.Faults().Clear()
	if status, _ := raw(t, "GET", api, "", ""); status != 200 {
		t.Errorf("without rules: %d", status)
	}
}

// A cut body arrives as far as it goes, also where the handler breaks the connection as soon as it cannot write.
func TestACutObject(t *testing.T) {
	t.Parallel()
	env := prinzbox.Start(t, func(c *prinzbox.Config) { c.Seed = false })
	text := strings.Repeat("0123456789", 10_000)
	client := s3Client(t, env.Ready())
	if _, err := client.PutObject(t.Context(), "mlflow", "k", strings.NewReader(text), int64(len(text)), minio.PutObjectOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, n := range []int64{0, 7, 70_000} {
		if _, err := env.Faults().Replace([]faults.Rule{{Match: faults.Match{Key: "k"}, Body: &faults.Body{TruncateAfter: &n}}}); err != nil {
			t.Fatal(err)
		}
		signed, err := client.PresignedGetObject(t.Context(), "mlflow", "k", time.Minute, nil)
		if err != nil {
			t.Fatal(err)
		}
		if status, body := raw(t, "GET", signed.String(), "", ""); status != 0 || body != text[:n] {
			t.Errorf("cut after %d: %d, %d bytes: %.100s", n, status, len(body), body)
		}
	}
}

// Whatever rules say, the control API can lift them.
func TestRulesCanBeLifted(t *testing.T) {
	t.Parallel()
	env := prinzbox.Start(t, func(c *prinzbox.Config) { c.Seed = false })
	for _, uri := range []string{env.TrackingURI(), env.TrackingURI() + "/ns/other"} {
		ctl(t, uri, "POST", "/faults", `{"match": {"kind": "control"}, "reset": true}`, 200)
		if status, text := raw(t, "GET", uri+prinzbox.ControlPrefix+"/status", "", ""); status != 0 {
			t.Errorf("a rule for the control API: %d %s", status, text)
		}
		ctl(t, uri, "DELETE", "/faults", "", 200)
		ctl(t, uri, "GET", "/status", "", 200)
		ctl(t, uri, "POST", "/faults", `{"id": "a", "match": {"path": "*", "kind": "control"}, "error": {"status": 500}}`, 200)
		ctl(t, uri, "DELETE", "/faults/a", "", 200)
		ctl(t, uri, "POST", "/faults", `{"match": {"kind": "control"}, "error": {"status": 500}}`, 200)
		ctl(t, uri, "POST", "/reset", `{}`, 200)
		ctl(t, uri, "GET", "/status", "", 200)
	}
}

func TestClockAndIDsOfAnEnvironment(t *testing.T) {
	t.Parallel()
	env := prinzbox.Start(t, func(c *prinzbox.Config) { c.Seed = false })
	at := time.UnixMilli(1_600_000_000_000)
	if err := env.Clock().Freeze(at); err != nil {
		t.Fatal(err)
	}
	env.IDs().Seed(7)
	first := createRun(t, env.TrackingURI())
	run, err := env.Store().Run(t.Context(), first)
	if err != nil || run.Info.StartTime != 0 && run.Info.StartTime != at.UnixMilli() {
		t.Errorf("%+v %v", run.Info, err)
	}
	status, body := raw(t, "POST", env.TrackingURI()+"/api/2.0/mlflow/registered-models/create", "application/json", `{"name": "m"}`)
	if status != 200 || !strings.Contains(body, "1600000000000") {
		t.Errorf("a model made at a frozen time: %d %s", status, body)
	}
	if err := env.Reset(t.Context(), prinzbox.Empty); err != nil {
		t.Fatal(err)
	}
	if s := env.Clock().State(); s.Mode != "real" {
		t.Errorf("after a reset the clock is %+v", s)
	}
	if second := createRun(t, env.TrackingURI()); second == first {
		t.Error("after a reset ids are still seeded")
	}
	env.IDs().Seed(7)
	if again := createRun(t, env.TrackingURI()); again != first {
		t.Errorf("the first id of seed 7 is %s, then %s", first, again)
	}
}

// TestFaultsCountForTheModel: what a model's page and /metrics tell of it is what its clients get, a rule's answers too.
func TestFaultsCountForTheModel(t *testing.T) {
	t.Parallel()
	env := prinzbox.Start(t, func(c *prinzbox.Config) { c.Seed = false })
	for range 2 {
		if _, err := env.Stub(t.Context(), "m", serving.Stub{Answer: json.RawMessage("1")}); err != nil {
			t.Fatal(err)
		}
	}
	m, old, v2 := env.TrackingURI()+"/m/invocations", env.TrackingURI()+"/model/m/1/invocations", env.TrackingURI()+"/v2/models/m/infer"
	for _, c := range []struct {
		name, url, version string
		rule               faults.Rule
		status             int
		seconds            float64
	}{
		{"none", m, "2", faults.Rule{Match: faults.Match{Kind: calls.S3}, Reset: true}, 200, 0},
		{"error", m, "2", faults.Rule{Error: &faults.Error{Status: 503}}, 503, 0},
		{"error of another version", old, "1", faults.Rule{Error: &faults.Error{Status: 429}}, 429, 0},
		{"error of V2", v2, "2", faults.Rule{Error: &faults.Error{Status: 501}}, 501, 0},
		{"reset", m, "2", faults.Rule{Reset: true}, 0, 0},
		{"latency", m, "2", faults.Rule{Latency: &faults.Latency{MS: 80}}, 200, .08},
		{"late error", m, "2", faults.Rule{Latency: &faults.Latency{MS: 80}, Error: &faults.Error{Status: 500}}, 500, .08},
		{"slow", old, "1", faults.Rule{Body: &faults.Body{BytesPerSecond: 100}}, 200, .1},
		{"of a model that is not there", env.TrackingURI() + "/other/invocations", "", faults.Rule{Error: &faults.Error{Status: 504}}, 504, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			count := func() (n uint64, seconds float64) {
				for _, s := range env.Scoring().Stats() {
					if s.Version == c.version {
						return s.Requests[c.status], s.Seconds
					}
				}
				return 0, 0
			}
			env.Faults().Clear()
			if _, err := env.Faults().Add(c.rule); err != nil {
				t.Fatal(err)
			}
			before, spent := count()
			raw(t, "POST", c.url, "application/json", `{"dataframe_records": [{"a": 1}]}`)
			// A broken connection is counted, and then noted, behind what the client sees of it.
			name := "m"
			if c.version == "" {
				name = ""
			}
			noted := func() bool {
				f := env.Scoring().Failures(name)
				n, _ := count()
				return n > before && (c.status == 200 || len(f) > 0 && f[0].Status == c.status)
			}
			for deadline := time.Now().Add(10 * time.Second); !noted() && time.Now().Before(deadline); {
				time.Sleep(time.Millisecond)
			}
			n, seconds := count()
			if n != before+1 {
				t.Errorf("%d answers of status %d, %d before: %+v", n, c.status, before, env.Scoring().Stats())
			}
			if seconds-spent < c.seconds {
				t.Errorf("it counts as %v s", seconds-spent)
			}
			if c.status == 200 {
				return
			}
			if f := env.Scoring().Failures(name); len(f) == 0 || f[0].Status != c.status || f[0].Version != c.version || !strings.Contains(f[0].Message, "fault-1") || f[0].RequestID == "" {
				t.Errorf("%+v", f)
			}
		})
	}
	env.Faults().Clear()
	if _, err := env.Faults().Add(faults.Rule{Error: &faults.Error{Status: 500}}); err != nil {
		t.Fatal(err)
	}
	all := len(env.Scoring().Failures("m"))
	raw(t, "GET", env.TrackingURI()+"/m/ping", "", "")
	if n := len(env.Scoring().Failures("m")); n != all {
		t.Errorf("a ping counts as %d answers", n-all)
	}
	if _, text := raw(t, "GET", env.TrackingURI()+"/metrics", "", ""); strings.Contains(text, `prinzbox_scoring_requests_total`) {
		t.Error("the rule for all leaves /metrics alone")
	}
	env.Faults().Clear()
	if _, text := raw(t, "GET", env.TrackingURI()+"/metrics", "", ""); !strings.Contains(text, `prinzbox_scoring_requests_total{model="m",version="2",code="503"} 1`) {
		t.Error("/metrics lacks the answer of a rule")
	}
}
