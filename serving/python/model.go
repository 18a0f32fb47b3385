package python

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/prinzbox/prinzbox/registry"
	"github.com/prinzbox/prinzbox/serving"
)

// model is a model directory and the worker that scores it, while there is one.
type model struct {
	fallback  *Fallback
	python    string
	dir       string // our copy
	uri       string
	signature *serving.Signature

	mu     sync.Mutex // held while a worker starts
	worker *running
	closed bool
	// failures in a row, and when the next start is allowed
	failures int
	after    time.Time
}

// running is a worker with its connections. The lock of its model guards users and retired.
type running struct {
	*worked
	parent  *parent
	client  *http.Client
	users   int
	retired bool // ends with its last user
}

func (w *running) end() {
	w.client.CloseIdleConnections()
	w.parent.kill(w.worked)
}

// Signature is what the model's MLmodel file says.
func (m *model) Signature() *serving.Signature { return m.signature }

// start makes sure that a worker runs.
func (m *model) start(ctx context.Context) error {
	w, err := m.get(ctx)
	if err == nil {
		m.release(w)
	}
	return err
}

func (m *model) release(w *running) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if w.users--; w.users == 0 && w.retired {
		w.end()
	}
}

// get gives the worker until release, and starts one when it is the first time, when it has ended, or when it was sent to rest. Failures are repeated after
// growing pauses only.
func (m *model) get(ctx context.Context) (*running, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, errClosed
	}
	if m.worker != nil {
		select {
		case <-m.worker.gone:
			m.worker.client.CloseIdleConnections()
			m.worker = nil
			m.failed()
		default:
			m.worker.users++
			return m.worker, nil
		}
	}
	now := m.fallback.cfg.Clock()
	if now.Before(m.after) {
		return nil, &restingError{m.after.Sub(now)}
	}
	p, err := m.fallback.parent(m.python)
	if err != nil {
		return nil, err
	}
	w, err := p.fork(ctx, m.dir)
	if err != nil {
		m.failed()
		return nil, err
	}
	socket := w.socket
	m.worker = &running{worked: w, parent: p, users: 1, client: &http.Client{Transport: &http.Transport{
		MaxIdleConnsPerHost: 16, DisableCompression: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		},
	}}}
	return m.worker, nil
}

// drop ends a worker that gave no answer: it is dying, or it may hang for good.
func (m *model) drop(w *running) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.worker == w {
		m.worker = nil
		m.failed()
	}
	w.end()
}

// failed notes that a worker ended or did not start. After the first time another may start at once.
func (m *model) failed() {
	if m.failures++; m.failures > 1 {
		m.after = m.fallback.cfg.Clock().Add(min(time.Second<<min(m.failures-2, 5), 30*time.Second))
	}
}

type restingError struct{ left time.Duration }

func (e *restingError) Error() string {
	return "its Python process ended; the next start is in " + e.left.Round(100*time.Millisecond).String()
}

// rest ends the worker when its requests are answered; the next request starts another.
func (m *model) rest() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if w := m.worker; w != nil {
		m.worker = nil
		if w.retired = true; w.users == 0 {
			w.end()
		}
	}
}

// Close ends the worker when its requests are answered, and removes the copy.
func (m *model) Close() error {
	f := m.fallback
	f.mu.Lock()
	f.forgetLocked(m)
	f.mu.Unlock()
	m.mu.Lock()
	m.closed = true
	m.mu.Unlock()
	m.rest()
	return os.RemoveAll(m.dir)
}

const jsonType = "application/json"

// Invoke passes a request body to the worker and its answer back.
func (m *model) Invoke(ctx context.Context, body []byte, contentType string) (status int, answerType string, answer []byte) {
	ctx, cancel := context.WithTimeout(ctx, m.fallback.cfg.Timeout)
	defer cancel()
	w, err := m.get(ctx)
	if err != nil {
		return failure(registry.Errorf(registry.TemporarilyUnavailable, "The model at %s is not answering: %v.", m.uri, err))
	}
	defer m.release(w)
	m.fallback.used(m)
	status, answerType, answer, err = w.post(ctx, body, contentType)
	if err == nil {
		m.mu.Lock()
		m.failures = 0
		m.mu.Unlock()
		return status, answerType, answer
	}
	if errors.Is(ctx.Err(), context.Canceled) { // the client went away; the worker is well
		return failure(registry.Errorf(registry.Cancelled, "The client ended the request."))
	}
	m.drop(w)
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return http.StatusGatewayTimeout, jsonType, []byte(`{"detail":"Request processing time exceeded limit"}`)
	}
	return failure(registry.Errorf(registry.TemporarilyUnavailable, "The Python process of the model at %s gave no answer: %v. It starts again with the next request.", m.uri, err))
}

// maxAnswer bounds what is taken from a worker, in bytes.
const maxAnswer = 1 << 30

func (w *running) post(ctx context.Context, body []byte, contentType string) (status int, answerType string, answer []byte, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://worker/invocations", bytes.NewReader(body))
	if err != nil {
		return 0, "", nil, err
	}
	r.Header.Set("Content-Type", contentType)
	resp, err := w.client.Do(r)
	if err != nil {
		return 0, "", nil, err
	}
	defer func() { _ = resp.Body.Close() }() // read to its end
	answer, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	return resp.StatusCode, resp.Header.Get("Content-Type"), answer, err
}

func failure(err error) (status int, contentType string, body []byte) {
	b := registry.Body(err)
	body, _ = json.Marshal(b) // plain texts always encode
	return b.Code.HTTPStatus(), jsonType, body
}
