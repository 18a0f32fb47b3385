package rest

import (
	"bytes"
	"net/http"
	"net/url"
	"strings"
)

// local is the handler of a URL that this process answers itself, or nil.
func (w *Webhooks) local(u *url.URL) http.Handler {
	if w.cfg.Local == nil {
		return nil
	}
	return w.cfg.Local(u)
}

// serveLocal hands a delivery to a handler as if it had come by HTTP.
func serveLocal(h http.Handler, req *http.Request) (status int, answer string) {
	sent := req.Header
	req.Header = http.Header{}
	for name, values := range sent { // as a server reads them: MLflow's spelling is not Go's
		req.Header[http.CanonicalHeaderKey(name)] = values
	}
	a := &localAnswer{header: http.Header{}}
	h.ServeHTTP(a, req)
	if a.status == 0 {
		a.status = http.StatusOK
	}
	return a.status, strings.ToValidUTF8(a.body.String(), "\uFFFD")
}

// localAnswer keeps what a handler answers, as much as is read of any answer.
type localAnswer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *localAnswer) Header() http.Header { return a.header }

func (a *localAnswer) WriteHeader(status int) {
	if a.status == 0 && status >= 200 {
		a.status = status
	}
}

func (a *localAnswer) Write(b []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	a.body.Write(b[:min(len(b), maxAnswer-a.body.Len())])
	return len(b), nil
}
