package calls_test

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prinzbox/prinzbox/prinzbox/calls"
)

// TestACallIsKeptBeforeItsAnswerIsWhole has handlers that do not return before their client has looked at the log.
func TestACallIsKeptBeforeItsAnswerIsWhole(t *testing.T) {
	const size = 100_000
	body := bytes.Repeat([]byte("0123456789"), size/10)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, body, 0o600); err != nil {
		t.Fatal(err)
	}
	open := func(t *testing.T) *os.File {
		f, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = f.Close() }) // only read
		return f
	}
	for _, test := range []struct {
		name, method, mediaType string
		write                   func(t *testing.T, w http.ResponseWriter)
		want                    int // bytes
	}{
		{"at once", "GET", "text/plain", func(_ *testing.T, w http.ResponseWriter) { _, _ = w.Write(body) }, size},
		{"in pieces", "GET", "text/plain", func(_ *testing.T, w http.ResponseWriter) {
			for left := body; len(left) > 0; left = left[1000:] {
				_, _ = w.Write(left[:1000])
			}
		}, size},
		{"a file", "GET", "application/octet-stream", func(t *testing.T, w http.ResponseWriter) { _, _ = io.Copy(w, open(t)) }, size},
		{"a file of text", "GET", "text/plain", func(t *testing.T, w http.ResponseWriter) { _, _ = io.Copy(w, open(t)) }, size},
		{"a part of a file", "GET", "application/octet-stream", func(t *testing.T, w http.ResponseWriter) {
			w.Header().Set("Content-Length", "50000")
			_, _ = io.CopyN(w, open(t), 50_000)
		}, 50_000},
		{"a small part", "GET", "application/octet-stream", func(t *testing.T, w http.ResponseWriter) {
			w.Header().Set("Content-Length", "1024")
			_, _ = io.CopyN(w, open(t), 1024)
		}, 1024},
		{"nothing", "GET", "text/plain", func(_ *testing.T, w http.ResponseWriter) {
			w.Header().Set("Content-Length", "0")
			w.(http.Flusher).Flush()
		}, 0},
		{"the head alone", "HEAD", "text/plain", func(_ *testing.T, w http.ResponseWriter) { w.(http.Flusher).Flush() }, 0},
		{"no content", "GET", "text/plain", func(_ *testing.T, w http.ResponseWriter) {
			w.Header().Del("Content-Length")
			w.WriteHeader(http.StatusNoContent)
			w.(http.Flusher).Flush()
		}, 0},
		{"a connection that breaks", "POST", "", func(t *testing.T, w http.ResponseWriter) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			_ = conn.Close()
		}, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := calls.New(calls.Config{})
			looked := make(chan struct{})
			base := serve(t, l, calls.OnMain, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", test.mediaType)
				w.Header().Set("Content-Length", strconv.Itoa(size))
				test.write(t, w)
				if test.mediaType != "" { // what net/http still holds back, without the exchange's knowledge
					_ = http.NewResponseController(w.(*calls.Exchange).Unwrap()).Flush()
				}
				select {
				case <-looked:
				case <-time.After(20 * time.Second):
					t.Error("the client has not got its answer")
				}
			})
			r, err := http.NewRequestWithContext(t.Context(), test.method, base+"/api/2.0/mlflow/runs/get", http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			if resp, err := http.DefaultClient.Do(r); err == nil {
				defer resp.Body.Close()
				if got, err := io.ReadAll(resp.Body); err != nil || !bytes.Equal(got, body[:test.want]) {
					t.Errorf("%d bytes arrived, %v", len(got), err)
				}
			} else if test.mediaType != "" {
				t.Error(err)
			}
			page := l.Find(calls.Query{})
			close(looked)
			if page.Total != 1 || page.Calls[0].ResponseBytes != int64(test.want) {
				t.Fatalf("in the log: %+v", page)
			}
			if kept := page.Calls[0].ResponseBody; test.mediaType == "text/plain" && test.want > 0 && string(kept) != strings.Repeat("0123456789", 1000)[:calls.DefaultBody] {
				t.Errorf("%d bytes are kept of the body", len(kept))
			}
		})
	}
}
