package faults

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"time"
)

// Apply lets happen what a plan says, around a handler. refuse writes an error in the form of the protocol; done ends waiting early, when the
// server stops. A broken connection is a panic with [http.ErrAbortHandler], as net/http has it.
func (p *Plan) Apply(w http.ResponseWriter, r *http.Request, done <-chan struct{}, refuse func(http.ResponseWriter, Error), next func(http.ResponseWriter, *http.Request)) {
	if p.Latency > 0 && !wait(r.Context(), done, p.Latency) {
		panic(http.ErrAbortHandler) // the client has gone, or the server stops
	}
	if p.Reset {
		reset(w)
	}
	body := &shaped{ResponseWriter: w, plan: p, ctx: r.Context(), done: done}
	if p.BytesPerSecond == 0 && p.TruncateAfter < 0 {
		body = nil
	} else {
		w = body
	}
	if p.Error != nil {
		refuse(w, *p.Error)
	} else {
		next(w, r)
	}
	if body != nil && body.cut {
		panic(http.ErrAbortHandler)
	}
}

// reset ends the connection with a TCP reset, or, of HTTP/2, the stream.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil { // HTTP/2 has many calls on a connection
		panic(http.ErrAbortHandler)
	}
	raw := conn
	if secure, ok := conn.(*tls.Conn); ok {
		raw = secure.NetConn()
	}
	if tcp, ok := raw.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // closing sends a reset; where it does not, the client sees the end all the same
	}
	_ = raw.Close()
	panic(http.ErrAbortHandler)
}

// wait tells whether the time has gone by.
func wait(ctx context.Context, done <-chan struct{}, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
	case <-done:
	}
	return false
}

// shaped is an answer whose body is slowed or cut.
type shaped struct {
	http.ResponseWriter
	plan    *Plan
	ctx     context.Context //nolint:containedctx // the writer's methods get none, and must end with the request
	done    <-chan struct{}
	written int64
	cut     bool
}

// step is how often a slowed body moves.
const step = 50 * time.Millisecond

// Write passes on as much as the plan lets through, as fast as it does.
func (s *shaped) Write(b []byte) (int, error) {
	if s.cut {
		return 0, io.ErrClosedPipe
	}
	left := b
	if n := s.plan.TruncateAfter; n >= 0 && s.written+int64(len(b)) > n {
		left, s.cut = b[:n-s.written], true
	}
	passed := 0
	for len(left) > 0 {
		part := left
		if rate := s.plan.BytesPerSecond; rate > 0 {
			size := max(rate*int64(step)/int64(time.Second), 1)
			part = left[:min(int64(len(left)), size)]
			if !wait(s.ctx, s.done, time.Duration(float64(len(part))/float64(rate)*float64(time.Second))) {
				return passed, context.Canceled
			}
		}
		n, err := s.ResponseWriter.Write(part)
		passed += n
		s.written += int64(n)
		if err != nil {
			return passed, err
		}
		if s.plan.BytesPerSecond > 0 {
			s.Flush()
		}
		left = left[len(part):]
	}
	if s.cut {
		s.Flush() // before a handler that cannot write breaks the connection
		return passed, io.ErrClosedPipe
	}
	return len(b), nil
}

// Flush sends what is there.
func (s *shaped) Flush() { _ = http.NewResponseController(s.ResponseWriter).Flush() } // the end sends it otherwise

// Unwrap lets http.ResponseController reach the real writer.
func (s *shaped) Unwrap() http.ResponseWriter { return s.ResponseWriter }
