package serving_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prinzbox/prinzbox/registry"
	"github.com/prinzbox/prinzbox/serving"
)

func upstreamVersion(number, address string) serving.Version {
	return serving.Version{Name: "m", Number: number, Source: serving.UpstreamSource, Tags: map[string]string{serving.TagUpstream: address}}
}

func single(versions ...serving.Version) *registered {
	return &registered{versions: map[string][]serving.Version{"m": versions}, tags: map[string]map[string]string{}, aliases: map[string]int{}}
}

// other is a scoring server elsewhere.
func other(t testing.TB, handler http.HandlerFunc) string {
	t.Helper()
	h := httptest.NewServer(handler)
	t.Cleanup(h.Close)
	return h.URL
}

// TestUpstream proxies all routes, both ways as they are.
func TestUpstream(t *testing.T) {
	url := other(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Theirs", "1")
		w.Header().Set("X-Request-Id", "theirs")
		if r.Header.Get("Authorization") != "" || r.Header.Get("Cookie") != "" {
			t.Errorf("credentials were passed on: %v", r.Header)
		}
		switch r.URL.Path {
		case "/at/invocations":
			w.Header().Set("Content-Type", "application/json")
			if string(body) == "bad" {
				w.WriteHeader(http.StatusBadRequest)
				_, _ = io.WriteString(w, `{"error_code": "BAD_REQUEST", "message": "theirs"}`)
				return
			}
			_, _ = fmt.Fprintf(w, `{"predictions": [%d], "type": %q, "id": %q}`, len(body), r.Header.Get("Content-Type"), r.Header.Get("X-Request-Id"))
		case "/at/ping", "/at/health":
			_, _ = io.WriteString(w, "\n")
		case "/at/version":
			_, _ = io.WriteString(w, "9.9")
		default:
			t.Errorf("path %s", r.URL.Path)
		}
	})
	s, own := serve(t, serving.Config{Catalog: single(upstreamVersion("1", url+"/at/"))})
	request, _ := http.NewRequest(http.MethodPost, own+"/m/invocations?q=1", strings.NewReader("12345"))
	for name, value := range map[string]string{"Content-Type": "text/odd", "Authorization": "Basic x", "Cookie": "a=b", "X-Request-Id": "mine"} {
		request.Header.Set(name, value)
	}
	a, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	text, _ := io.ReadAll(a.Body)
	a.Body.Close()
	if string(text) != `{"predictions": [5], "type": "text/odd", "id": "mine"}` || a.Header.Get("X-Theirs") != "1" || a.Header.Get(serving.VersionHeader) != "1" || len(a.Header.Values("X-Request-Id")) != 1 || a.Header.Get("X-Request-Id") != "mine" {
		t.Errorf("%s %v", text, a.Header)
	}
	if status, kind, answer := post(t, own+"/model/m/1/invocations", "application/json", "bad"); status != 400 || kind != "application/json" || answer != `{"error_code": "BAD_REQUEST", "message": "theirs"}` {
		t.Errorf("%d %s %s", status, kind, answer)
	}
	// What happened is noted once the answer is out: a client may be a moment ahead.
	eventually(t, "the failure is noted", func() bool { return len(s.Failures("m")) > 0 })
	if f := s.Failures("m"); len(f) != 1 || f[0].Message != "theirs" || f[0].Code != "BAD_REQUEST" {
		t.Errorf("%+v", f)
	}
	for action, want := range map[string]string{"ping": "\n", "health": "\n", "version": "9.9"} {
		r, err := http.Get(own + "/m/" + action)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(r.Body)
		r.Body.Close()
		if r.StatusCode != 200 || string(text) != want {
			t.Errorf("%s: %d %q", action, r.StatusCode, text)
		}
	}
	if info, err := s.Describe(t.Context(), "m", ""); err != nil || info.Problem != "" || info.Upstream != url+"/at" || info.Flavor != "upstream" {
		t.Errorf("%+v %v", info, err)
	}
	eventually(t, "both answers are counted", func() bool { v := s.Stats(); return len(v) == 1 && v[0].Requests[200] > 0 && v[0].Requests[400] > 0 })
	stats := s.Stats()
	if len(stats) != 1 || stats[0].Requests[200] != 1 || stats[0].Requests[400] != 1 {
		t.Errorf("%+v", stats)
	}
	if body, status := s.Score(t.Context(), "m", "", []byte("1234"), "a/b"); status != 200 || !strings.Contains(string(body), "[4]") {
		t.Errorf("%d %s", status, body)
	}
}

// TestUpstreamStreams passes an answer on while it is being written.
func TestUpstreamStreams(t *testing.T) {
	more := make(chan struct{})
	url := other(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "data: 1\n\n")
		_ = http.NewResponseController(w).Flush()
		<-more
		_, _ = io.WriteString(w, "data: 2\n\n")
	})
	_, own := serve(t, serving.Config{Catalog: single(upstreamVersion("1", url))})
	r, err := http.Post(own+"/m/invocations", "application/json", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b := bufio.NewReader(r.Body)
	if line, err := b.ReadString('\n'); err != nil || line != "data: 1\n" {
		t.Errorf("%q %v", line, err)
	}
	close(more)
	if rest, err := io.ReadAll(b); err != nil || string(rest) != "\ndata: 2\n\n" {
		t.Errorf("%q %v", rest, err)
	}
}

// TestUpstreamProblems gives each trouble of reaching the server a status and a message in MLflow's shape.
func TestUpstreamProblems(t *testing.T) {
	slow := other(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		select {
		case <-r.Context().Done():
		case <-time.After(5 * time.Second):
		}
	})
	gone := httptest.NewServer(nil)
	gone.Close()
	redirects := other(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://192.0.2.1/", http.StatusFound)
	})
	sick := other(t, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "sick", http.StatusServiceUnavailable) })
	breaks := other(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "half")
	})
	own := ""
	for _, c := range []struct {
		address, reason string
		status          int
		allow           string
	}{
		{gone.URL, "does not answer", 502, ""},
		{slow, "did not answer within 200ms", 504, ""},
		{sick, "sick", 503, ""},
		{"SELF", "make a circle", 502, ""},
		{"http://192.0.2.1:5001", "its host is not this machine, and the server's owner did not allow it with --allow-upstream-hosts 192.0.2.1:5001", 400, "192.0.2.1:5002"},
		{"http://example.com", "--allow-upstream-hosts", 400, ""},
		{"http://169.254.169.254/latest", "--allow-upstream-hosts", 400, ""},
		{"http://[::ffff:10.0.0.1]:80", "--allow-upstream-hosts", 400, ""},
		{"http://0.0.0.0:5000", "--allow-upstream-hosts", 400, ""},
		{"ftp://localhost", "write http://HOST:PORT", 400, ""},
		{"localhost:5000", "write http://HOST:PORT", 400, ""},
		{"http://", "write http://HOST:PORT", 400, ""},
		{"http://u:p@localhost:1", "tags are no secrets", 400, ""},
		{"http://localhost:1?x=1", "query or fragment", 400, ""},
		{"http://localhost:1/#x", "query or fragment", 400, ""},
		{"http://\x01", "write http://HOST:PORT", 400, ""},
	} {
		r := single(upstreamVersion("1", c.address))
		config := serving.Config{Catalog: r}
		if c.address == slow {
			config.UpstreamTimeout = 200 * time.Millisecond
		}
		if c.allow != "" {
			config.UpstreamHosts = []string{c.allow}
		}
		var s *serving.Server
		s, own = serve(t, config)
		if c.address == "SELF" {
			r.change(func() { r.versions["m"] = []serving.Version{upstreamVersion("1", own+"/m")} })
		}
		status, kind, answer := post(t, own+"/m/invocations", "application/json", "{}")
		if status != c.status || !strings.Contains(answer, c.reason) {
			t.Errorf("%s: %d %s %s", c.address, status, kind, answer)
		}
		var e registry.ErrorBody
		if err := json.Unmarshal([]byte(answer), &e); status != 503 && (err != nil || e.Code == "" || kind != "application/json") {
			t.Errorf("%s: %s %s", c.address, kind, answer)
		}
		if info, err := s.Describe(t.Context(), "m", ""); err != nil || info.Problem == "" {
			t.Errorf("%s: %+v %v", c.address, info, err)
		}
	}
	_, own = serve(t, serving.Config{Catalog: single(upstreamVersion("1", redirects))})
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.Post(own+"/m/invocations", "application/json", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusFound {
		t.Errorf("a redirect was followed: %d", answer.StatusCode)
	}
	s, own := serve(t, serving.Config{Catalog: single(upstreamVersion("1", breaks))})
	if r, err := http.Post(own+"/m/invocations", "application/json", strings.NewReader("{}")); err == nil {
		if text, err := io.ReadAll(r.Body); err == nil {
			t.Errorf("half an answer looks whole: %q", text)
		}
		r.Body.Close()
	}
	eventually(t, "the broken answer is counted", func() bool { f := s.Failures("m"); return len(f) == 1 && f[0].Status == 502 })
}

// TestUpstreamAllowed lets the owner name hosts; a name that is not allowed may not lead elsewhere either.
func TestUpstreamAllowed(t *testing.T) {
	// 192.0.2.0/24 is nobody's: the dial fails, which tells that it was tried.
	_, own := serve(t, serving.Config{Catalog: single(upstreamVersion("1", "http://192.0.2.1:5001")), UpstreamHosts: []string{"192.0.2.1"}, UpstreamTimeout: 100 * time.Millisecond})
	client := http.Client{Timeout: 15 * time.Second}
	r, err := client.Post(own+"/m/invocations", "application/json", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if text, _ := io.ReadAll(r.Body); r.StatusCode != 502 && r.StatusCode != 504 {
		t.Errorf("%d %s", r.StatusCode, text)
	}
}

// TestUpstreamV2AndShadow asks an upstream through the V2 protocol, has it shadowed, and has it be a shadow.
func TestUpstreamV2AndShadow(t *testing.T) {
	var seen atomic.Value
	url := other(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		seen.Store(string(body))
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"predictions": [1]}`)
	})
	r := single(stub("m", 1, `{"answer": 1}`), upstreamVersion("2", url))
	s, own := serve(t, serving.Config{Catalog: r})
	const body = `{"id":"x","parameters":{"content_type":"pd","n":1},"inputs":[{"name":"a","shape":[1],"datatype":"FP64","data":[1]},{"name":"s","shape":[1],"datatype":"BYTES","data":["x"]}]}`
	status, _, answer := post(t, own+"/v2/models/m/versions/2/infer", "application/json", body)
	if status != 200 || answer != `{"model_name":"m","model_version":"2","id":"x","parameters":{"content_type":"np"},"outputs":[{"name":"output-1","shape":[1,1],"datatype":"INT64","parameters":{"content_type":"np"},"data":[1]}]}` {
		t.Errorf("%d %s", status, answer)
	}
	if got := seen.Load(); got != `{"dataframe_split":{"columns":["a","s"],"data":[[1.0,"x"]]},"params":{"n":1}}` {
		t.Errorf("%v", got)
	}
	for _, tags := range []map[string]string{{serving.TagCurrent: "1", serving.TagShadow: "2"}, {serving.TagCurrent: "2", serving.TagShadow: "1"}} {
		r.change(func() { r.tags["m"] = tags })
		if status, answer, version := ask(t, own+"/m/invocations"); status != 200 || answer != `{"predictions": [1]}` || version != tags[serving.TagCurrent] {
			t.Errorf("%d %s of version %s", status, answer, version)
		}
		eventually(t, "shadow "+tags[serving.TagShadow], func() bool {
			for _, v := range s.Stats() {
				if v.Version == tags[serving.TagShadow] {
					return v.Shadows["agree"] == 1
				}
			}
			return false
		})
	}
}
