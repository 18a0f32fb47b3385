package prinzbox

import (
	"errors"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/prinzbox/prinzbox/prinzbox/calls"
)

// chain is what a listener calls: it finds the world that answers, and puts around its handler what all of them share: a request id, recovery
// from a panic, a line in the debug log, the request log, and faults.
func (e *Env) chain(listener string, index int) http.Handler {
	log := e.cfg.Log.With("listener", listener)
	return http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		id := r.Header.Get("X-Request-Id")
		if id == "" || len(id) > 100 {
			id = e.cfg.NewID()
		}
		h := out.Header()
		h.Set("X-Request-Id", id)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "SAMEORIGIN")
		start := time.Now()
		rec := calls.NewExchange(out, start)
		defer func() {
			defer rec.End()
			if p := recover(); p != nil {
				if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
					panic(p)
				}
				log.Error("panic", "id", id, "method", r.Method, "path", r.URL.Path, "panic", p, "stack", string(debug.Stack()))
				if rec.Status() == 0 {
					http.Error(rec, `{"error_code": "INTERNAL_ERROR", "message": "Internal server error; the server's log has the details."}`, http.StatusInternalServerError)
				}
			}
			if log.Enabled(r.Context(), slog.LevelDebug) {
				log.Debug("request", "id", id, "method", r.Method, "uri", r.RequestURI, "status", rec.Status(), "bytes", rec.Bytes(), "took", time.Since(start))
			}
		}()
		w, routed, err := e.enterFor(index, r)
		if err != nil {
			e.writeRouteError(rec, index, err)
			return
		}
		defer w.leave()
		if routed == r && r.Body != http.NoBody {
			// When the handler has returned, net/http looks at the body of its own request: that must stay the one it made, or it resets the
			// connection of a client that was refused in the middle of a long body.
			own := *r
			routed = &own
		}
		call := rec.In(w.space.Calls(), listenersOfCalls[index], routed, id)
		if call.Kind == calls.Control && !strings.HasPrefix(r.URL.Path, ReceivePath) {
			rec.Drop() // whoever looks at the log would see himself
		}
		if index == onMain && e.toHost(rec, routed, w.space, r) {
			return
		}
		e.serveWith(w, index, call, rec, routed)
	})
}
