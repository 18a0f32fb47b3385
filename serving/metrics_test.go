package serving_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prinzbox/prinzbox/serving"
)

// TestMetrics counts requests, rows, errors and latencies, and reads them as Prometheus does.
func TestMetrics(t *testing.T) {
	r := answering(1)
	r.versions["q\"\\\n"] = []serving.Version{stub("q\"\\\n", 1, `{"answer": 1}`)}
	s, url := serve(t, serving.Config{Catalog: r})
	post(t, url+"/m/invocations", "application/json", `{"inputs":[[1],[2],[3]]}`)
	post(t, url+"/model/m/1/invocations", "application/json", `{"inputs":[[1]]}`)
	post(t, url+"/m/invocations", "application/json", `nojson`)
	post(t, url+"/model/m/9/invocations", "application/json", `{}`)
	post(t, url+"/nobody/invocations", "application/json", `{}`)
	post(t, url+"/q%22%5C%0A/invocations", "application/json", `{"inputs":[[1]]}`)
	if body, status := s.Score(t.Context(), "m", "", []byte(`{"inputs":[[1]]}`), "application/json"); status != 200 {
		t.Errorf("%d %s", status, body)
	}
	var b strings.Builder
	if err := s.WriteMetrics(&b, nil); err != nil {
		t.Fatal(err)
	}
	samples := exposition(t, b.String())
	for name, want := range map[string]string{
		`prinzbox_scoring_requests_total{model="m",version="1",code="200"}`:         "3",
		`prinzbox_scoring_requests_total{model="m",version="1",code="400"}`:         "1",
		`prinzbox_scoring_requests_total{model="",version="",code="404"}`:           "2",
		`prinzbox_scoring_requests_total{model="q\"\\\n",version="1",code="200"}`:   "1",
		`prinzbox_scoring_errors_total{model="m",version="1"}`:                      "1",
		`prinzbox_scoring_rows_total{model="m",version="1"}`:                        "5",
		`prinzbox_scoring_duration_seconds_bucket{model="m",version="1",le="+Inf"}`: "4",
		`prinzbox_scoring_duration_seconds_bucket{model="m",version="1",le="60"}`:   "4",
		`prinzbox_scoring_duration_seconds_count{model="m",version="1"}`:            "4",
	} {
		if samples[name] != want || want == "" {
			t.Errorf("%s is %s, want %s", name, samples[name], want)
		}
	}
	b.Reset()
	if err := s.WriteMetrics(&b, func(string) bool { return false }); err != nil || strings.Contains(b.String(), `model="m"`) {
		t.Errorf("%v %s", err, b.String())
	}
}

// exposition reads Prometheus' text format strictly: each sample's family is declared before it, and none comes twice.
func exposition(t *testing.T, text string) map[string]string {
	t.Helper()
	out, kinds := map[string]string{}, map[string]string{}
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if rest, ok := strings.CutPrefix(line, "# TYPE "); ok {
			name, kind, _ := strings.Cut(rest, " ")
			kinds[name] = kind
			continue
		}
		if strings.HasPrefix(line, "# HELP ") {
			continue
		}
		at := strings.LastIndexByte(line, ' ')
		if at < 0 {
			t.Errorf("no sample: %q", line)
			continue
		}
		family, _, _ := strings.Cut(line, "{")
		family, _, _ = strings.Cut(family, " ")
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			if base := strings.TrimSuffix(family, suffix); kinds[base] == "histogram" {
				family = base
			}
		}
		if _, twice := out[line[:at]]; twice || kinds[family] == "" {
			t.Errorf("%q: twice %v, kind %q", line, twice, kinds[family])
		}
		out[line[:at]] = line[at+1:]
	}
	return out
}

// TestFailures remembers the last failures of a model, with the ids that answers carry.
func TestFailures(t *testing.T) {
	r := answering(1)
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	s, url := serve(t, serving.Config{Catalog: r, Clock: func() time.Time { return now }, NewID: func() string { return "made" }})
	for i := range 25 {
		request, _ := http.NewRequest(http.MethodPost, url+"/m/invocations", strings.NewReader("no json "+strings.Repeat("x", 1000)))
		if i != 24 {
			request.Header.Set("X-Request-Id", fmt.Sprint("id-", i))
		}
		a, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		a.Body.Close()
	}
	eventually(t, "the last failure is noted", func() bool { f := s.Failures("m"); return len(f) > 0 && f[0].RequestID == "made" })
	got := s.Failures("m")
	if len(got) != 20 || got[0].RequestID != "made" || got[1].RequestID != "id-23" || got[19].RequestID != "id-5" {
		t.Fatalf("%d failures, %+v", len(got), got[0])
	}
	if f := got[0]; f.Status != 400 || f.Code != "BAD_REQUEST" || !f.Time.Equal(now) || f.Model != "m" || f.Version != "1" || len([]rune(f.Message)) != 500 {
		t.Errorf("%+v", f)
	}
	post(t, url+"/nobody/invocations", "application/json", "{}")
	eventually(t, "a name that is not there is noted", func() bool { return len(s.Failures("")) > 0 })
	if got := s.Failures(""); len(got) != 1 || got[0].Status != 404 {
		t.Errorf("%+v", got)
	}
	if got := s.Failures("nobody"); got != nil {
		t.Errorf("a name that is not there is remembered: %+v", got)
	}
}
