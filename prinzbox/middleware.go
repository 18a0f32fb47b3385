package prinzbox

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"
)

// chain is what a listener calls: it finds the world that answers, and puts around its handler what all of them share: a request id, recovery
// from a panic, and a line in the debug log.
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
		rec := &recorder{ResponseWriter: out}
		defer func() {
			if p := recover(); p != nil {
				if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
					panic(p)
				}
				log.Error("panic", "id", id, "method", r.Method, "path", r.URL.Path, "panic", p, "stack", string(debug.Stack()))
				if rec.status == 0 {
					http.Error(rec, `{"error_code": "INTERNAL_ERROR", "message": "Internal server error; the server's log has the details."}`, http.StatusInternalServerError)
				}
			}
			if log.Enabled(r.Context(), slog.LevelDebug) {
				log.Debug("request", "id", id, "method", r.Method, "uri", r.RequestURI, "status", rec.status, "bytes", rec.bytes, "took", time.Since(start))
			}
		}()
		w, routed, err := e.enterFor(index, r)
		if err != nil {
			e.writeRouteError(rec, index, err)
			return
		}
		defer w.leave()
		if index == onMain && e.toHost(rec, routed, w.space, r) {
			return
		}
		w.handlers[index].ServeHTTP(rec, routed)
	})
}

// recorder notes what was answered.
type recorder struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 && status >= 200 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	n, err := r.ResponseWriter.Write(b)
	r.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController and ReadFrom reach the real writer.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// ReadFrom keeps the kernel's file-to-socket copy within reach of large downloads.
func (r *recorder) ReadFrom(src io.Reader) (int64, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	n, err := io.Copy(r.ResponseWriter, src)
	r.bytes += n
	return n, err
}
