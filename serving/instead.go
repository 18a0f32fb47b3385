package serving

import (
	"context"
	"net/http"
	"time"
)

// beganKey is the context's key for when a request began.
type beganKey struct{}

// Since says that a request began before it comes here, as one that was held up on its way did: its duration counts from then.
func Since(ctx context.Context, began time.Time) context.Context {
	return context.WithValue(ctx, beganKey{}, began)
}

func beganAt(ctx context.Context) time.Time {
	if t, ok := ctx.Value(beganKey{}).(time.Time); ok {
		return t
	}
	return time.Now()
}

// Instead counts a request for predictions that something before this server has answered in its place, with the version that would have
// answered: clients make no difference between the two. Status 0 says that the connection was broken; why is kept among the failures. The header
// is that of the answer, with its X-Request-Id. Requests that are none for predictions are not counted.
func (s *Server) Instead(r *http.Request, header http.Header, status int, why string, took time.Duration) {
	path := r.URL.EscapedPath()
	at, ok := parseRoute(path)
	if isV2(path) {
		at, ok = parseV2(path)
	}
	if !ok || r.Method != http.MethodPost || at.action != "invocations" && at.action != "infer" {
		return
	}
	a := answer{status: status, body: []byte(why)}
	ctx := context.WithoutCancel(r.Context()) // who waited in vain has gone
	c, err := s.resolve(ctx, at.name, at.selector)
	if err != nil {
		s.unresolved(at.name, err, header.Get("X-Request-Id"), a, took)
		return
	}
	sticky := ""
	if c.upTo != nil {
		sticky = r.Header.Get(StickyHeader)
	}
	s.observe(c.pick(s.cfg.Random, sticky), func() string { return header.Get("X-Request-Id") }, a, took)
}
