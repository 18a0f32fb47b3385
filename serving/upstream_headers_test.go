package serving_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/prinzbox/prinzbox/serving"
)

// Headers that are between a client and this server go no further, and neither do its credentials; what the model's server may need does.
func TestUpstreamHeaders(t *testing.T) {
	var got http.Header
	theirs := other(t, func(w http.ResponseWriter, r *http.Request) {
		got = r.Header.Clone()
		w.Header().Set("Connection", "X-Inner")
		w.Header().Set("X-Inner", "1")
		w.Header().Set("X-Outer", "2")
		_, _ = w.Write([]byte("{}"))
	})
	_, url := serve(t, serving.Config{Catalog: single(upstreamVersion("1", theirs))})
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/m/invocations", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	request.Header = http.Header{
		"Content-Type": {"application/json"}, "X-Trace": {"here"}, "Connection": {"X-Private, Upgrade"}, "X-Private": {"1"}, "Upgrade": {"websocket"}, "Te": {"gzip"},
		"Proxy-Authorization": {"Basic eDp5"}, "Authorization": {"Basic eDp5"}, "Cookie": {"a=b"}, "Keep-Alive": {"timeout=5"}, "X-Request-Id": {"seen"},
	}
	answer, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if text, err := io.ReadAll(answer.Body); err != nil || answer.StatusCode != 200 || string(text) != "{}" || answer.Header.Get("X-Inner") != "" || answer.Header.Get("X-Outer") != "2" {
		t.Errorf("%d %s %v", answer.StatusCode, text, answer.Header)
	}
	for _, name := range []string{"Connection", "X-Private", "Upgrade", "Te", "Proxy-Authorization", "Authorization", "Cookie", "Keep-Alive"} {
		if v, ok := got[name]; ok {
			t.Errorf("the server was sent %s: %q", name, v)
		}
	}
	if got.Get("X-Trace") != "here" || got.Get("X-Request-Id") != "seen" || got.Get("X-Prinzbox-Hops") != "1" || got.Get("Content-Type") != "application/json" {
		t.Errorf("the server was sent %v", got)
	}
}
