package prinzbox_test

import (
	"encoding/json"
	"html"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/prinzbox/prinzbox/prinzbox"
	"github.com/prinzbox/prinzbox/prinzbox/faults"
	"github.com/prinzbox/prinzbox/serving"
)

// form sends a form of the GUI as a browser does that follows where it leads.
func form(t *testing.T, address string, values url.Values, header ...string) (status int, page string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader(values.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

const hostile = `<script>alert(1)</script>'"`

func TestCallPages(t *testing.T) {
	t.Parallel()
	env := prinzbox.Start(t)
	uri := env.TrackingURI()
	raw(t, "POST", uri+"/api/2.0/mlflow/experiments/create", "application/json", `{"name": "<script>alert(1)</script>"}`)
	raw(t, "GET", uri+"/api/2.0/mlflow/runs/get?run_id="+url.QueryEscape(hostile), "", "")
	raw(t, "PUT", env.S3Endpoint()+"/mlflow/key", "application/octet-stream", "\x00\x01\x02")

	_, page := raw(t, "GET", uri+"/calls", "", "")
	for _, want := range []string{"experiments/create", "PutObject", "404", `data-tail="/calls/tail"`} {
		if !strings.Contains(page, want) {
			t.Errorf("the log lacks %q", want)
		}
	}
	if strings.Contains(page, "<script>alert") || strings.Contains(page, `href="/calls/4"`) {
		t.Error("hostile text, or the pages' own call, stands in the log")
	}
	for query, want := range map[string]string{
		"?status=404": "1 call match", "?kind=s3": "1 call match", "?path=experiments": "1 call match", "?min_ms=1000000": "No call is like this", "?operation=runs": "1 call match",
	} {
		if _, page := raw(t, "GET", uri+"/calls"+query, "", ""); !strings.Contains(page, want) {
			t.Errorf("%s: no %q", query, want)
		}
	}
	for query, want := range map[string]string{"?status=many": "status", "?min_ms=slow": "min_ms"} {
		if status, page := raw(t, "GET", uri+"/calls"+query, "", ""); status != 400 || !strings.Contains(page, want) {
			t.Errorf("%s: %d", query, status)
		}
	}
	_, page = raw(t, "GET", uri+"/calls/1", "", "")
	for _, want := range []string{"{&#34;name&#34;: &#34;&lt;script&gt;alert(1)&lt;/script&gt;&#34;}", "experiment_id", "curl", "$"} {
		if !strings.Contains(page, want) {
			t.Errorf("the call lacks %q", want)
		}
	}
	if strings.Contains(page, "<script>alert") {
		t.Error("hostile text in a call")
	}
	if _, page = raw(t, "GET", uri+"/calls/3", "", ""); !strings.Contains(page, "The body was not kept") {
		t.Error("a body of bytes is not told")
	}
	if status, page := form(t, uri+"/calls/2/replay", nil); status != 200 || !strings.Contains(page, "The same status, 404") {
		t.Errorf("replay: %d %s", status, page)
	}
	if status, page := form(t, uri+"/calls/1/replay", nil); status != 200 || !strings.Contains(page, "Status 400; the first time it was 200") {
		t.Errorf("replay: %d %s", status, page)
	}
	if status, text := raw(t, "GET", uri+"/calls/har?status=404", "", ""); status != 200 || !strings.Contains(text, `"status":404`) || strings.Contains(text, `"status":200`) {
		t.Errorf("HAR: %d %.300s", status, text)
	}
	if status, _ := raw(t, "GET", uri+"/calls/many", "", ""); status != 404 {
		t.Errorf("no number: %d", status)
	}
	if status, page := form(t, uri+"/calls", nil, "Sec-Fetch-Site", "cross-site"); status != 403 || env.Calls().Stats().Kept == 0 {
		t.Errorf("a form of another site: %d %.200s", status, page)
	}
	if status, page := form(t, uri+"/calls", nil); status != 200 || !strings.Contains(page, "The log is empty") || !strings.Contains(page, "Nothing was asked yet") {
		t.Errorf("clear: %d %s", status, page)
	}
}

func TestFaultPages(t *testing.T) {
	t.Parallel()
	env := prinzbox.Start(t)
	uri := env.TrackingURI()
	if _, page := raw(t, "GET", uri+"/faults", "", ""); !strings.Contains(page, "No faults:") {
		t.Error("an empty page does not teach")
	}
	status, page := form(t, uri+"/faults", url.Values{"do": {"add"}, "kind": {"mlflow"}, "operation": {"experiments/search"}, "error": {"503"}, "retry_after_s": {"7"}, "nth": {"2"}})
	if status != 200 || !strings.Contains(page, "error 503") || !strings.Contains(page, "number 2 only") {
		t.Errorf("add: %d %s", status, page)
	}
	for i, want := range []int{200, 503, 200} {
		if got, _ := raw(t, "GET", uri+"/api/2.0/mlflow/experiments/search?max_results=1", "", ""); got != want {
			t.Errorf("call %d: %d, not %d", i, got, want)
		}
	}
	if _, page = raw(t, "GET", uri+"/faults", "", ""); !strings.Contains(page, "1 of 3") {
		t.Error("the counts are not told")
	}
	rule := env.Faults().Rules()[0]
	if _, page = raw(t, "GET", uri+"/calls?faulty=true", "", ""); !strings.Contains(page, rule.ID) {
		t.Error("the log does not name the fault")
	}
	for name, values := range map[string]url.Values{
		"kind":           {"kind": {"gui"}, "error": {"500"}},
		"latency_ms":     {"kind": {"s3"}, "latency_ms": {hostile}},
		"nth":            {"kind": {"s3"}, "reset": {"true"}, "nth": {"1.5"}},
		"error":          {"kind": {"s3"}, "error": {"200"}},
		"truncate_after": {"kind": {"s3"}, "truncate_after": {"-1"}},
	} {
		values.Set("do", "add")
		status, page := form(t, uri+"/faults", values)
		if status != 400 || !strings.Contains(page, name) || strings.Contains(page, "<script>alert") {
			t.Errorf("%s: %d %s", name, status, page)
		}
	}
	form(t, uri+"/faults", url.Values{"do": {"add"}, "kind": {"scoring"}, "model": {hostile}, "latency_ms": {"1"}, "stddev_ms": {"1"}, "bytes_per_second": {"1000"}, "truncate_after": {"0"}, "rate_calls": {"1"}})
	if all := env.Faults().Rules(); len(all) != 2 || all[1].Latency == nil || all[1].Latency.Kind != "normal" || all[1].Body == nil || *all[1].Body.TruncateAfter != 0 || all[1].RateLimit.PerMS != 1000 {
		t.Errorf("%+v", all)
	}
	if _, page = raw(t, "GET", uri+"/faults", "", ""); strings.Contains(page, "<script>alert") {
		t.Error("hostile text")
	}
	form(t, uri+"/faults", url.Values{"do": {"remove"}, "id": {rule.ID}})
	if n := len(env.Faults().Rules()); n != 1 {
		t.Errorf("%d rules", n)
	}
	form(t, uri+"/faults", url.Values{"do": {"clear"}})
	for n, want := range map[string]string{"2": "each 2nd", "3": "each 3rd", "4": "each 4th", "11": "each 11th", "21": "each 21st", "112": "each 112th"} {
		_, page := form(t, uri+"/faults", url.Values{"do": {"add"}, "kind": {"s3"}, "error": {"503"}, "every": {n}})
		if !strings.Contains(page, want) {
			t.Errorf("every %s is not %q", n, want)
		}
	}
	form(t, uri+"/faults", url.Values{"do": {"clear"}})
	if n := len(env.Faults().Rules()); n != 0 {
		t.Errorf("%d rules", n)
	}
	if _, err := env.Faults().Add(faults.Rule{ID: hostile, Reset: true, Match: faults.Match{Kind: "s3"}}); err == nil {
		if _, page = raw(t, "GET", uri+"/faults", "", ""); strings.Contains(page, "<script>alert") {
			t.Error("a hostile id")
		}
	}
}

func TestAdminPage(t *testing.T) {
	t.Parallel()
	env := prinzbox.Start(t)
	uri := env.TrackingURI()
	do := func(want string, pairs ...string) {
		t.Helper()
		values := url.Values{}
		for i := 0; i < len(pairs); i += 2 {
			values.Set(pairs[i], pairs[i+1])
		}
		status, page := form(t, uri+"/admin", values)
		if !strings.Contains(html.UnescapeString(page), want) || status >= 500 {
			t.Errorf("%v: %d, no %q in %s", pairs, status, want, page)
		}
	}
	run := createRun(t, uri)
	do("The snapshot is kept.", "do", "snapshot", "name", "one")
	do("lower-case letters", "do", "snapshot", "name", hostile)
	do("This is a fresh state.", "do", "reset", "name", "empty")
	if n := len(ctl(t, uri, "GET", "/status", "", 200)["seeded"].([]any)); n != 0 {
		t.Errorf("%d sample models", n)
	}
	do("whole number", "do", "seed", "number", "one")
	do("The sample models are there.", "do", "seed", "models", "MLF-FraudDetection-3")
	if n := len(ctl(t, uri, "GET", "/status", "", 200)["seeded"].([]any)); n != 1 {
		t.Errorf("%d sample models", n)
	}
	do("models", "do", "seed", "models", hostile)
	do("The sample models are there.", "do", "seed")
	do("This is the state of the snapshot.", "do", "restore", "name", "one")
	if _, err := env.Store().Run(t.Context(), run); err != nil {
		t.Error(err)
	}
	do("no snapshot", "do", "restore", "name", "two")
	do("The snapshot is gone.", "do", "delete-snapshot", "name", "one")
	do("The clock stands.", "do", "freeze", "at", "2026-01-02T15:04:05Z")
	do("The clock has moved.", "do", "advance", "by", "24h")
	if _, page := raw(t, "GET", uri+"/admin", "", ""); !strings.Contains(page, "2026-01-03 15:04:05.000 UTC") {
		t.Error("the clock is not told")
	}
	do("write a time as", "do", "freeze", "at", "noon")
	do("by: write", "do", "advance", "by", "soon")
	do("The clock stands, and ticks.", "do", "tick", "by", "5ms")
	do("The clock goes on from there.", "do", "set", "at", "2027-01-02T15:04:05Z")
	if now := env.Clock().Now(); now.Year() != 2027 {
		t.Errorf("the clock says %v", now)
	}
	do("machine's", "do", "real")
	do("follow from the seed 18446744073709551615", "do", "ids", "seed", "18446744073709551615")
	if s := env.IDs().State(); s.Seed != 1<<64-1 {
		t.Errorf("%+v", s)
	}
	do("seed: write", "do", "ids", "seed", "-1")
	do("New ids are random.", "do", "random-ids")
	do("Clients meet that server now.", "do", "persona", "persona", "2")
	if p := env.Persona(); p != "2" {
		t.Errorf("persona %s", p)
	}
	do("persona", "do", "persona", "persona", hostile)
	do("Clients meet", "do", "persona", "persona", "auto")
	do("number: write", "do", "seed", "number", "-1")
	do("The sample models are there.", "do", "seed", "models", "MLF-FraudDetection-3", "number", "18446744073709551615")
	do("The namespace is there.", "do", "namespace", "name", "left")
	do("The namespace is gone.", "do", "delete-namespace", "name", "left")
	do("no such thing", "do", hostile)
	_, answer := raw(t, "POST", uri+"/api/2.0/mlflow/webhooks", "application/json",
		`{"name": "here", "url": "`+uri+prinzbox.ReceivePath+`", "events": [{"entity": "REGISTERED_MODEL", "action": "CREATED"}]}`)
	_, id, _ := strings.Cut(answer, `"webhook_id":"`)
	id, _, _ = strings.Cut(strings.ReplaceAll(id, " ", ""), `"`)
	do("Delivery 1", "do", "webhook", "name", id)
	do("The webhook is there.", "do", "new-webhook", "name", "made-here", "event", "registered_model.created")
	do("The webhook is there.", "do", "new-webhook", "name", "elsewhere", "event", "prompt.created", "url", "https://93.184.216.34/h", "secret", "abcdefgh")
	do("NOTHING", "do", "new-webhook", "name", "no", "event", "nothing.such")
	do("The deliveries are forgotten.", "do", "forget")
	do("The webhook is gone.", "do", "delete-webhook", "name", id)
	if _, page := raw(t, "GET", uri+"/admin", "", ""); !strings.Contains(page, "made-here") || !strings.Contains(page, "https://93.184.216.34/h") || strings.Contains(page, "Delivery 1") || strings.Contains(page, env.Ready().SecretKey) {
		t.Errorf("webhooks and keys: %s", page)
	}
	if _, err := env.Stub(t.Context(), "told", serving.Stub{Answer: json.RawMessage(`"<script>alert(1)</script>"`)}); err != nil {
		t.Fatal(err)
	}
	ctl(t, uri, "PUT", "/routes/told", `{"current": "1"}`, 200)
	if _, page := raw(t, "GET", uri+"/admin", "", ""); !strings.Contains(page, "told 1") || !strings.Contains(page, "current 1") || strings.Contains(page, "<script>alert") {
		t.Errorf("routes and stubs: %s", page)
	}
	if status, page := raw(t, "GET", uri+"/admin/confirm?do=restore&name="+url.QueryEscape(hostile), "", ""); status != 200 || strings.Contains(page, "<script>alert") {
		t.Errorf("question: %d", status)
	}
	if status, _ := form(t, uri+"/admin", url.Values{"do": {"reset"}, "name": {"empty"}}, "Sec-Fetch-Site", "cross-site"); status != 403 {
		t.Errorf("a form of another site: %d", status)
	}
}

func TestAdminPageAsksForToken(t *testing.T) {
	t.Parallel()
	env := prinzbox.Start(t, func(c *prinzbox.Config) { c.ControlToken = "open sesame; \"please\"" })
	uri := env.TrackingURI()
	for _, path := range []string{"/calls", "/faults", "/admin"} {
		if status, page := raw(t, "GET", uri+path, "", ""); status != 401 || !strings.Contains(page, "--control-token") || strings.Contains(page, "sesame") {
			t.Errorf("%s: %d", path, status)
		}
	}
	if status, _ := raw(t, "GET", uri+"/calls/har", "", ""); status != 401 {
		t.Errorf("har: %d", status)
	}
	for token, want := range map[string]int{`open sesame; "please"`: 200, "open": 401, "a\r\nb": 401} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, uri+"/admin", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.AddCookie(&http.Cookie{Name: "prinzbox_token", Value: url.QueryEscape(token)}) //nolint:gosec // a request's cookie
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode != want {
			t.Errorf("%q: %d, not %d", token, resp.StatusCode, want)
		}
		if err := resp.Body.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestOperatorBrowser watches calls, makes them fail and goes back, in a real browser.
func TestOperatorBrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: a browser takes a while")
	}
	env := prinzbox.Start(t)
	uri := env.TrackingURI()
	b := openDemo(t, uri)
	search := func() int {
		t.Helper()
		status, _ := raw(t, "GET", uri+"/api/2.0/mlflow/experiments/search?max_results=1", "", "")
		return status
	}
	search()
	b.Open(uri + "/calls")
	b.Until(`document.querySelectorAll(".calls tbody tr").length === 1 && !document.querySelector("[data-pause]").hidden`)
	search()
	b.Until(`document.querySelectorAll(".calls tbody tr").length === 2`)
	b.Click("[data-pause]")
	search()
	b.Until(`document.querySelector("[data-pause]").textContent === "Resume"`)
	if n := b.Text(`document.querySelectorAll(".calls tbody tr").length`); n != "2" {
		t.Errorf("paused, and %s calls", n)
	}
	b.Click("[data-pause]")
	b.Until(`document.querySelectorAll(".calls tbody tr").length === 3`)

	// From a call to a fault, by the keyboard.
	b.Do(chromedp.Focus(chromedp.CSS(".calls tbody a")), chromedp.KeyEvent(kb.Enter))
	b.Until(`document.title.startsWith("Call ") && document.readyState === "complete"`)
	b.follow("Make calls like this fail…")
	b.Do(chromedp.Focus(chromedp.CSS("[name=error]")), chromedp.KeyEvent("503"+kb.Enter))
	b.Until(`document.querySelector(".done")?.textContent === "The fault is at work."`)
	if status := search(); status != 503 {
		t.Errorf("status %d under the fault", status)
	}
	b.Until(`document.querySelector("[data-region=faults] tbody").textContent.includes("1 of 1")`)
	b.follow("Remove")
	if status := search(); status != 200 {
		t.Errorf("status %d without the fault", status)
	}
	b.Open(uri + "/admin")
	b.follow("Reset to the samples…")
	b.follow("Reset")
	b.Until(`document.querySelector(".done")?.textContent === "This is a fresh state."`)

	if len(b.said) != 0 {
		t.Errorf("the browser says: %q", b.said)
	}
}
