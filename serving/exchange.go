package serving

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/prinzbox/prinzbox/registry"
)

// dialect is a protocol in which a model is asked over HTTP.
type dialect interface {
	// score answers a request body.
	score(ctx context.Context, t *target, model *Loaded, body []byte, contentType string) answer
	// refuse answers an error, unresolved the error of a name or version.
	refuse(err error) answer
	unresolved(err error) answer
	// tooLarge answers a body above the limit.
	tooLarge() answer
}

// mlflow is the protocol of MLflow's scoring server, in the shapes of 1.x, 2.x and 3.x.
type mlflow struct{ s *Server }

func (d mlflow) score(ctx context.Context, _ *target, model *Loaded, body []byte, contentType string) answer {
	return d.s.score(ctx, model, body, contentType)
}

func (d mlflow) refuse(err error) answer { return d.s.refuse(err) }

func (d mlflow) unresolved(err error) answer { return d.s.refuse(err) }

func (d mlflow) tooLarge() answer {
	a := d.s.refuse(registry.Invalidf("%v", &tooLargeError{d.s.cfg.MaxBody}))
	a.status = http.StatusRequestEntityTooLarge
	return a
}

// exchange answers a request with a body: choose the version, load it, read, score, answer, count.
func (s *Server) exchange(w http.ResponseWriter, r *http.Request, at route, d dialect) {
	ctx := r.Context()
	began := beganAt(ctx)
	id := func() string { return s.requestID(w, r) }
	c, err := s.resolve(ctx, at.name, at.selector)
	if err != nil {
		a := d.unresolved(err)
		s.write(w, a.status, a.contentType, a.body)
		s.unresolved(at.name, err, id(), a, time.Since(began))
		return
	}
	sticky := ""
	if c.upTo != nil {
		sticky = r.Header.Get(StickyHeader)
	}
	t := c.pick(s.cfg.Random, sticky)
	w.Header()[VersionHeader] = t.counters.header
	model, err := s.model(ctx, t)
	if err != nil {
		s.finish(w, t, id, d.refuse(err), began)
		return
	}
	if up, ok := model.Model.(*upstream); ok && c.shadow == nil {
		if _, isMLflow := d.(mlflow); isMLflow {
			// Nothing here needs the bodies: they stream.
			r.Header.Set("X-Request-Id", id())
			up.pass(w, r, at.action, func(a answer) { s.observe(t, id, a, time.Since(began)) })
			return
		}
	}
	buf := s.buffers.Get().(*bytes.Buffer)
	buf.Reset()
	defer func() {
		if buf.Cap() <= 1<<20 {
			s.buffers.Put(buf)
		}
	}()
	if err := s.read(buf, r); err != nil {
		if _, ok := errors.AsType[*tooLargeError](err); ok {
			w.Header().Set("Connection", "close")
			s.finish(w, t, id, d.tooLarge(), began)
			return
		}
		s.finish(w, t, id, d.refuse(registry.Errorf(registry.BadRequest, "The request body could not be read: %v", err)), began)
		return
	}
	contentType := r.Header.Get("Content-Type")
	a := d.score(ctx, t, model, buf.Bytes(), contentType)
	s.finish(w, t, id, a, began)
	if c.shadow != nil && c.shadow.counters != t.counters {
		s.shadows.offer(shadowed{c.shadow, d, slices.Clone(buf.Bytes()), contentType, a, id()})
	}
}

// finish answers and counts.
func (s *Server) finish(w http.ResponseWriter, t *target, id func() string, a answer, began time.Time) {
	s.write(w, a.status, a.contentType, a.body)
	s.observe(t, id, a, time.Since(began))
}

// observe counts an answer and remembers a failure.
func (s *Server) observe(t *target, id func() string, a answer, took time.Duration) {
	t.counters.observe(a.status, a.rows, took)
	if a.status < 200 || a.status > 299 { // 0 is a broken connection
		f := Failure{Time: s.cfg.Clock(), RequestID: id(), Model: t.Name, Version: t.Number}
		f.describe(a)
		s.failures.add(f)
	}
}

// unresolved counts a request that met no version. Names of models that are not there are not kept: anybody
// can make up any number of them.
func (s *Server) unresolved(name string, err error, id string, a answer, took time.Duration) {
	if _, ok := errors.AsType[*settingError](err); !ok {
		name = ""
	}
	s.metrics.of(name, "").observe(a.status, 0, took)
	f := Failure{Time: s.cfg.Clock(), RequestID: id, Model: name}
	f.describe(a)
	s.failures.add(f)
}

// requestID is the id under which a request is known: what stands in the answer already, what the client
// sent, or a new one; it goes into the answer's header unless that is written.
func (s *Server) requestID(w http.ResponseWriter, r *http.Request) string {
	if id := w.Header().Get("X-Request-Id"); id != "" {
		return id
	}
	id := r.Header.Get("X-Request-Id")
	if id == "" || len(id) > 100 {
		id = s.cfg.NewID()
	}
	w.Header().Set("X-Request-Id", id)
	return id
}

type tooLargeError struct{ limit int64 }

func (e *tooLargeError) Error() string {
	return "The request body is larger than the limit of " + strconv.FormatInt(e.limit, 10) + " bytes. Send fewer rows at a time."
}

func (s *Server) read(buf *bytes.Buffer, r *http.Request) error {
	limit := s.cfg.MaxBody
	if r.ContentLength > limit {
		return &tooLargeError{limit}
	}
	if r.ContentLength > 0 {
		buf.Grow(int(r.ContentLength) + bytes.MinRead)
	}
	n, err := buf.ReadFrom(io.LimitReader(r.Body, limit+1))
	if err == nil && n > limit {
		err = &tooLargeError{limit}
	}
	return err
}
