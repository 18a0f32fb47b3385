package ui

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/prinzbox/prinzbox/registry"
)

// The pages of calls, faults and administration do nothing of their own: they send what a user asks for to the environment's API, which other
// programs use too, and show what it answers. So it alone decides who may do what.

// apiPrefix is where the API about the environment itself lives, and mlflowPrefix MLflow's.
const (
	apiPrefix    = "/api/prinzbox"
	mlflowPrefix = "/api/2.0/mlflow"
)

// The API's token, where the server was started with one, is typed in once and kept in a cookie that no script reads.
const (
	tokenCookie = "prinzbox_token"
	tokenHeader = "X-Prinzbox-Token" //nolint:gosec // the header's name, no token
)

// operatorRoutes are the pages of calls, faults and administration.
func (u *UI) operatorRoutes(mux *http.ServeMux) {
	if u.cfg.API == nil {
		return
	}
	for pattern, to := range map[string]string{"GET /calls/har": "/calls/har", "GET /calls/session": "/calls/session", "GET /calls/tail": "/calls/tail", "GET /admin/export": "/export"} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { u.pass(w, r, to) })
	}
	for pattern, p := range map[string]page{
		"GET /calls":                  u.calls,
		"POST /calls":                 u.clearCalls,
		"GET /calls/{number}":         u.call,
		"POST /calls/{number}/replay": u.replayCall,
		"GET /faults":                 u.faults,
		"POST /faults":                u.changeFaults,
		"GET /admin":                  u.admin,
		"GET /admin/confirm":          u.confirmAdmin,
		"POST /admin":                 u.changeAdmin,
		"POST /admin/import":          u.importState,
	} {
		mux.HandleFunc(pattern, u.show(u.withToken(p)))
	}
	mux.HandleFunc("POST /admin/token", u.setToken)
}

// withToken asks for the API's token where it is missing.
func (u *UI) withToken(p page) page {
	return func(r *http.Request) (view, error) {
		v, err := p(r)
		if registry.IsCode(err, registry.Unauthenticated) {
			back := r.URL.RequestURI()
			if r.Method != http.MethodGet {
				back = "/admin"
			}
			_, cookieErr := r.Cookie(tokenCookie)
			return view{title: "Token", section: "admin", status: http.StatusUnauthorized, body: tokenPage(back, cookieErr == nil)}, nil
		}
		return v, err
	}
}

// setToken keeps the token that a user has typed in, until the browser is closed.
func (u *UI) setToken(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 4096)
	http.SetCookie(w, &http.Cookie{
		Name: tokenCookie, Value: url.QueryEscape(strings.TrimSpace(r.FormValue("token"))), Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: r.TLS != nil,
	})
	http.Redirect(w, r, localPath(r.FormValue("back")), http.StatusSeeOther)
}

// apiRequest is a request to the API in the name of the user who sent r.
func apiRequest(r *http.Request, method, path string, body io.Reader) (*http.Request, error) {
	if body == nil {
		body = http.NoBody
	}
	q, err := http.NewRequestWithContext(r.Context(), method, path, body)
	if err != nil {
		return nil, err
	}
	q.Host, q.RemoteAddr, q.TLS = r.Host, r.RemoteAddr, r.TLS
	if c, err := r.Cookie(tokenCookie); err == nil {
		if token, err := url.QueryUnescape(c.Value); err == nil {
			q.Header.Set(tokenHeader, token)
		}
	}
	return q, nil
}

// recorder keeps an answer of the API.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *recorder) Header() http.Header { return a.header }

func (a *recorder) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
}

func (a *recorder) Write(b []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(b)
}

// command sends a call to the API and reads its answer into out, which is a value for JSON, a *string for text, or nil. in is sent as JSON unless it
// is nil. What the API refuses is a *registry.Error.
func (u *UI) command(r *http.Request, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(text)
	}
	q, err := apiRequest(r, method, path, body)
	if err != nil {
		return err
	}
	if in != nil {
		q.Header.Set("Content-Type", "application/json")
	}
	return u.answer(q, out)
}

func (u *UI) answer(q *http.Request, out any) error {
	a := &recorder{header: http.Header{}}
	u.cfg.API.ServeHTTP(a, q)
	if a.status >= http.StatusBadRequest {
		var refused struct {
			Code    registry.Code `json:"error_code"`
			Message string        `json:"message"`
		}
		if err := json.Unmarshal(a.body.Bytes(), &refused); err != nil || refused.Code == "" {
			return errors.New("the API answers " + http.StatusText(a.status) + ": " + shorten(a.body.String(), 200))
		}
		return registry.Errorf(refused.Code, "%s", refused.Message)
	}
	switch out := out.(type) {
	case nil:
		return nil
	case *string:
		*out = a.body.String()
		return nil
	}
	return json.Unmarshal(a.body.Bytes(), out)
}

// pass lets the API answer a download or a tail itself.
func (u *UI) pass(w http.ResponseWriter, r *http.Request, path string) {
	query := r.URL.Query()
	if strings.HasPrefix(path, "/calls/") {
		query = parseCallFilter(r.URL.Query()).api()
		if after := r.URL.Query().Get("after"); after != "" {
			query.Set("after", after)
		}
	}
	q, err := apiRequest(r, http.MethodGet, apiPrefix+path+"?"+query.Encode(), nil)
	if err != nil {
		u.write(w, r, u.errorView(r, err))
		return
	}
	if id := r.Header.Get("Last-Event-ID"); id != "" {
		q.Header.Set("Last-Event-ID", id)
	}
	u.cfg.API.ServeHTTP(w, q)
}
