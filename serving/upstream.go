package serving

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/prinzbox/prinzbox/registry"
	"github.com/prinzbox/prinzbox/serving/frame"
)

// TagUpstream is a version's tag that names a running scoring server, as http://HOST:PORT[/PATH]: requests for the version go there. Such
// a version is registered with the source [UpstreamSource], or any other one, which is not looked at.
const (
	TagUpstream    = "prinzbox.upstream"
	UpstreamSource = "upstream:"
)

// UpstreamFlag is the command line's flag that allows other hosts; messages name it.
const UpstreamFlag = "--allow-upstream-hosts"

// Bounds of upstream servers.
const (
	maxHops     = 4               // of requests that go from one prinzbox to the next
	checkTime   = 2 * time.Second // of a look at a server's health
	maxUpstream = 64 << 20        // of an answer that is not streamed, in bytes
)

// hopsHeader counts the servers like this one that a request has passed.
const hopsHeader = "X-Prinzbox-Hops"

// tagged is the model that a version's tags make; nil without an error for a version with files.
func (s *Server) tagged(v Version) (*Loaded, error) {
	stub, up := strings.TrimSpace(v.Tags[TagStub]), strings.TrimSpace(v.Tags[TagUpstream])
	switch {
	case stub != "" && up != "":
		return nil, registry.Invalidf("Version %s of registered model '%s' has the tags %s and %s: delete one of them.", v.Number, v.Name, TagStub, TagUpstream)
	case stub != "":
		return s.stubs.of(v, stub)
	case up != "":
		return s.upstream.of(v, up)
	case v.Source == StubSource:
		return nil, registry.Invalidf("Version %s of registered model '%s' has the source %s, but no tag %s that says what it answers.", v.Number, v.Name, StubSource, TagStub)
	case v.Source == UpstreamSource:
		return nil, registry.Invalidf("Version %s of registered model '%s' has the source %s, but no tag %s with the address of its server.", v.Number, v.Name, UpstreamSource, TagUpstream)
	}
	return nil, nil //nolint:nilnil // most versions are neither
}

// upstreams speaks to other scoring servers.
type upstreams struct {
	allowed []string
	client  *http.Client
	timeout time.Duration
	log     *log.Logger
}

func (u *upstreams) open(c Config) {
	u.allowed, u.timeout = c.UpstreamHosts, c.UpstreamTimeout
	u.log = slog.NewLogLogger(c.Log.Handler(), slog.LevelWarn)
	dialer := &net.Dialer{Timeout: 10 * time.Second}
	own := &net.Dialer{Timeout: 10 * time.Second, ControlContext: onlyLoopback}
	u.client = &http.Client{
		Transport: &http.Transport{
			DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				if u.named(address) {
					return dialer.DialContext(ctx, network, address)
				}
				return own.DialContext(ctx, network, address)
			},
			TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: u.timeout, MaxIdleConnsPerHost: 32, IdleConnTimeout: 90 * time.Second,
			DisableCompression: true, // bytes go through as they are
		},
		// Where an answer leads is the client's to follow; following it here would leave the hosts that are allowed.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func (u *upstreams) close() { u.client.CloseIdleConnections() }

// named tells whether the owner allowed an address, HOST:PORT.
func (u *upstreams) named(address string) bool {
	host, port, err := net.SplitHostPort(address)
	return err == nil && slices.ContainsFunc(u.allowed, func(a string) bool {
		if h, p, err := net.SplitHostPort(a); err == nil {
			return strings.EqualFold(h, host) && p == port
		}
		return strings.EqualFold(strings.Trim(a, "[]"), host)
	})
}

// onlyLoopback refuses addresses elsewhere, whatever name led there.
func onlyLoopback(_ context.Context, _, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil || !at.Addr().Unmap().IsLoopback() {
		return fmt.Errorf("%s is not this machine", address)
	}
	return nil
}

// of makes the model that stands for a server.
func (u *upstreams) of(v Version, text string) (*Loaded, error) {
	base, err := url.Parse(text)
	bad := func(format string, args ...any) error {
		return registry.Invalidf("Tag %s of version %s of registered model '%s' is '%s': %s", TagUpstream, v.Number, v.Name, text, fmt.Sprintf(format, args...))
	}
	switch {
	case err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Hostname() == "" || base.Opaque != "":
		return nil, bad("write http://HOST:PORT or https://HOST:PORT, with a path if the server has one.")
	case base.User != nil:
		return nil, bad("a user name and password cannot stand in it; tags are no secrets.")
	case base.RawQuery != "" || base.Fragment != "" || base.ForceQuery:
		return nil, bad("a query or fragment cannot stand in it.")
	}
	port := base.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[base.Scheme]
	}
	if !u.named(net.JoinHostPort(base.Hostname(), port)) {
		ip, err := netip.ParseAddr(base.Hostname())
		if !strings.EqualFold(base.Hostname(), "localhost") && (err != nil || !ip.Unmap().IsLoopback()) {
			return nil, bad("its host is not this machine, and the server's owner did not allow it with %s %s.", UpstreamFlag, base.Host)
		}
	}
	base.Path = strings.TrimRight(base.Path, "/")
	base.RawPath = ""
	model := &upstream{base: base, of: u}
	return &Loaded{Model: model, Flavor: "upstream", Estimator: base.Host}, nil
}

// upstream is a model that another server scores.
type upstream struct {
	base *url.URL
	of   *upstreams
}

// Signature is empty: the server checks its data itself.
func (m *upstream) Signature() *Signature { return &Signature{} }

// Predict is there for [Model]; tables are never handed to an upstream.
func (m *upstream) Predict(context.Context, *frame.Frame) (*frame.Result, error) {
	return nil, registry.Errorf(registry.NotImplemented, "The version is scored by %s, which only takes MLflow's protocol here: POST to its /invocations route.", m.base)
}

// problem is an error of reaching the server, as an answer in MLflow's shape.
func (m *upstream) problem(err error) answer {
	status, code, what := http.StatusBadGateway, "BAD_GATEWAY", "does not answer"
	if timeout, ok := errors.AsType[net.Error](err); errors.Is(err, context.DeadlineExceeded) || ok && timeout.Timeout() {
		status, code, what = http.StatusGatewayTimeout, string(registry.DeadlineExceeded), "did not answer within "+m.of.timeout.String()
	}
	if inner, ok := errors.AsType[*url.Error](err); ok {
		err = inner.Err
	}
	e := answerError{status, registry.ErrorBody{
		Code: registry.Code(code), Message: fmt.Sprintf("The scoring server %s of tag %s %s: %v", m.base, TagUpstream, what, err),
	}}
	return e.answer()
}

// tooFar refuses a request that has passed too many servers like this one.
func tooFar(h http.Header) error {
	if hops, _ := strconv.Atoi(h.Get(hopsHeader)); hops >= maxHops {
		return fmt.Errorf("the request came back here through %d servers: tags %s make a circle", hops, TagUpstream)
	}
	return nil
}

// outgoing makes headers and address of a request to the server.
func (m *upstream) outgoing(h http.Header, action string, to *url.URL) {
	hops, _ := strconv.Atoi(h.Get(hopsHeader))
	// What opens this server is no business of the other one.
	h.Del("Authorization")
	h.Del("Cookie")
	h.Set(hopsHeader, strconv.Itoa(hops+1))
	*to = *m.base
	to.Path += "/" + action
}

// pass sends a request on and its answer back, both as they come; a failure to reach the server is answered too. done hears what was
// answered, with the beginning of the body of an error; it is called even if the connection has to be broken off.
func (m *upstream) pass(w http.ResponseWriter, r *http.Request, action string, done func(answer)) {
	var a answer
	defer func() {
		// ReverseProxy panics to break the connection when the server's answer breaks off.
		p := recover()
		if p != nil {
			a.status, a.body = http.StatusBadGateway, []byte("The scoring server's answer broke off.")
		}
		done(a)
		if p != nil {
			panic(p)
		}
	}()
	if r.Header.Get("X-Request-Id") == "" {
		r.Header.Set("X-Request-Id", w.Header().Get("X-Request-Id"))
	}
	if err := tooFar(r.Header); err != nil {
		a = m.problem(err)
		writeAnswer(w, a)
		return
	}
	proxy := httputil.ReverseProxy{
		Transport:     m.of.client.Transport,
		FlushInterval: -1, // answers may be streams
		ErrorLog:      m.of.log,
		Rewrite: func(p *httputil.ProxyRequest) {
			m.outgoing(p.Out.Header, action, p.Out.URL)
			p.Out.Host = ""
			p.Out.Header.Del("Connection") // what came in to change the protocol stays here
			p.Out.Header.Del("Upgrade")
		},
		ModifyResponse: func(answered *http.Response) error {
			a.status = answered.StatusCode
			for name := range w.Header() { // ours are there
				answered.Header.Del(name)
			}
			if a.status > 299 { // kept for the list of failures
				head, err := io.ReadAll(io.LimitReader(answered.Body, 4*failureLength))
				a.body = head
				answered.Body = struct {
					io.Reader
					io.Closer
				}{io.MultiReader(bytes.NewReader(head), failing(answered.Body, err)), answered.Body}
			}
			return nil
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			if a = m.problem(err); r.Context().Err() == nil {
				writeAnswer(w, a)
			} else {
				a.status = registry.Cancelled.HTTPStatus() // the client's doing, not the server's
			}
		},
	}
	proxy.ServeHTTP(w, r)
}

// failing is r, or the error that reading it met.
func failing(r io.Reader, err error) io.Reader {
	if err == nil {
		return r
	}
	return errorReader{err}
}

type errorReader struct{ err error }

func (e errorReader) Read([]byte) (int, error) { return 0, e.err }

// Invoke asks the server where the answer is needed as a whole.
func (m *upstream) Invoke(ctx context.Context, body []byte, contentType string) (status int, answerType string, text []byte) {
	ctx, cancel := context.WithTimeout(ctx, m.of.timeout)
	defer cancel()
	a := m.ask(ctx, http.MethodPost, "invocations", body, contentType)
	return a.status, a.contentType, a.body
}

func (m *upstream) ask(ctx context.Context, method, action string, body []byte, contentType string) answer {
	r, err := http.NewRequestWithContext(ctx, method, m.base.String(), bytes.NewReader(body))
	if err != nil {
		return m.problem(err)
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	m.outgoing(r.Header, action, r.URL)
	answered, err := m.of.client.Do(r)
	if err != nil {
		return m.problem(err)
	}
	defer answered.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answered.Body, maxUpstream+1))
	if err == nil && len(text) > maxUpstream {
		err = fmt.Errorf("its answer has more than %d bytes", maxUpstream)
	}
	if err != nil {
		return m.problem(err)
	}
	return answer{status: answered.StatusCode, contentType: answered.Header.Get("Content-Type"), body: text}
}

// check looks whether the server is well; "" when it is.
func (m *upstream) check(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	a := m.ask(ctx, http.MethodGet, "ping", nil, "")
	if a.status >= 200 && a.status <= 299 {
		return ""
	}
	var e registry.ErrorBody
	if json.Unmarshal(a.body, &e) == nil && e.Message != "" {
		return e.Message
	}
	return fmt.Sprintf("%s answers %d on /ping.", m.base, a.status)
}

func writeAnswer(w http.ResponseWriter, a answer) {
	h := w.Header()
	if a.contentType != "" {
		h.Set("Content-Type", a.contentType)
	}
	h.Set("Content-Length", strconv.Itoa(len(a.body)))
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body) // a client that went away is no concern of ours
}
