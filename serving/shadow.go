package serving

import (
	"context"
	"encoding/json"
	"math"
	"runtime/debug"
	"sync"
)

// Bounds of the copies that wait for shadow versions.
const (
	maxShadows     = 256      // requests
	maxShadowBytes = 32 << 20 // of their bodies and answers together
)

// shadowResults are what can become of a copy, as it is counted. The first two are those of rows too.
var shadowResults = [...]string{"agree", "differ", "error", "dropped"}

const (
	shadowAgrees = iota
	shadowDiffers
	shadowFailed
	shadowDropped
)

// shadowed is a copy of a request, with the answer that the client got.
type shadowed struct {
	target      *target
	dialect     dialect
	body        []byte
	contentType string
	answer      answer
	id          string
}

func (c *shadowed) size() int { return len(c.body) + len(c.answer.body) }

// shadows is the queue of copies. One goroutine works on it while there are any, so that shadows never take
// more than one core from the requests that clients wait for.
type shadows struct {
	server *Server
	ctx    context.Context //nolint:containedctx // ends with the server
	cancel context.CancelFunc

	mu      sync.Mutex
	queue   []shadowed
	bytes   int
	working bool
	done    sync.WaitGroup
}

func (q *shadows) open(s *Server) {
	q.server = s
	q.ctx, q.cancel = context.WithCancel(context.Background())
}

func (q *shadows) close() {
	q.mu.Lock()
	q.cancel()
	q.queue = nil
	q.mu.Unlock()
	q.done.Wait()
}

// offer takes a copy, or drops it when too many wait.
func (q *shadows) offer(c shadowed) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.ctx.Err() != nil || len(q.queue) >= maxShadows || q.bytes+c.size() > maxShadowBytes {
		c.target.counters.shadows[shadowDropped].Add(1)
		return
	}
	q.queue = append(q.queue, c)
	q.bytes += c.size()
	if !q.working {
		q.working = true
		q.done.Go(q.work)
	}
}

func (q *shadows) work() {
	for {
		q.mu.Lock()
		if len(q.queue) == 0 || q.ctx.Err() != nil {
			q.working, q.queue, q.bytes = false, nil, 0
			q.mu.Unlock()
			return
		}
		c := q.queue[0]
		q.queue = q.queue[1:]
		q.bytes -= c.size()
		q.mu.Unlock()
		q.server.scoreShadow(q.ctx, &c)
	}
}

// recoverShadow keeps an engine's panic from ending the process: behind no request, nobody else catches it.
func (s *Server) recoverShadow(c *shadowed) {
	p := recover()
	if p == nil {
		return
	}
	s.cfg.Log.Error("panic in a shadow", "id", c.id, "model", c.target.Name, "version", c.target.Number, "panic", p, "stack", string(debug.Stack()))
	c.target.counters.shadows[shadowFailed].Add(1)
}

// scoreShadow asks the shadow version and compares.
func (s *Server) scoreShadow(ctx context.Context, c *shadowed) {
	defer s.recoverShadow(c)
	ctx, cancel := context.WithTimeout(ctx, s.cfg.UpstreamTimeout)
	defer cancel()
	var a answer
	if model, err := s.model(ctx, c.target); err != nil {
		a = c.dialect.refuse(err)
	} else {
		a = c.dialect.score(ctx, c.target, model, c.body, c.contentType)
	}
	if ctx.Err() != nil && s.shadows.ctx.Err() != nil {
		return // the server closes
	}
	counters := c.target.counters
	// An answer that the client got as an error says nothing about agreement unless the shadow's is one too.
	switch failed, wasFailed := a.status > 299, c.answer.status > 299; {
	case failed && wasFailed:
		counters.shadows[shadowAgrees].Add(1)
	case failed:
		f := Failure{Time: s.cfg.Clock(), RequestID: c.id, Model: c.target.Name, Version: c.target.Number, Shadow: true}
		f.describe(a)
		s.failures.add(f)
		counters.shadows[shadowFailed].Add(1)
	case wasFailed:
		counters.shadows[shadowDiffers].Add(1)
	default:
		same, different := compareAnswers(c.answer.body, a.body)
		counters.shadowRows[shadowAgrees].Add(uint64(same))
		counters.shadowRows[shadowDiffers].Add(uint64(different))
		if different == 0 {
			counters.shadows[shadowAgrees].Add(1)
		} else {
			counters.shadows[shadowDiffers].Add(1)
		}
	}
}

// compareAnswers counts the rows of two answers that are the same and those that are not. Numbers are the same within a millionth of
// their size; what is no list of rows counts as one.
func compareAnswers(a, b []byte) (same, different int) {
	x, okX := rowsOf(a)
	y, okY := rowsOf(b)
	if !okX || !okY || len(x) != len(y) {
		if string(a) == string(b) {
			return 1, 0
		}
		return 0, max(1, len(x), len(y))
	}
	for i := range x {
		if alike(x[i], y[i]) {
			same++
		} else {
			different++
		}
	}
	return same, different
}

// rowsOf finds the list of predictions in an answer of any dialect.
func rowsOf(text []byte) ([]any, bool) {
	var v any
	if json.Unmarshal(text, &v) != nil {
		return nil, false
	}
	if m, ok := v.(map[string]any); ok {
		if p, ok := m["predictions"]; ok {
			v = p
		} else if outputs, ok := m["outputs"].([]any); ok && len(outputs) == 1 { // V2
			first, _ := outputs[0].(map[string]any)
			v = first["data"]
		}
	}
	list, ok := v.([]any)
	return list, ok
}

func alike(a, b any) bool {
	switch x := a.(type) {
	case float64:
		y, ok := b.(float64)
		return ok && math.Abs(x-y) <= 1e-6*max(math.Abs(x), math.Abs(y))
	case []any:
		y, ok := b.([]any)
		if !ok || len(x) != len(y) {
			return false
		}
		for i := range x {
			if !alike(x[i], y[i]) {
				return false
			}
		}
		return true
	case map[string]any:
		y, ok := b.(map[string]any)
		if !ok || len(x) != len(y) {
			return false
		}
		for k := range x {
			other, ok := y[k]
			if !ok || !alike(x[k], other) {
				return false
			}
		}
		return true
	}
	return a == b
}
