package serving

import (
	"container/list"
	"context"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prinzbox/prinzbox/registry"
)

// loadTimeout bounds one load, whoever waits for it.
const loadTimeout = 2 * time.Minute

// cache holds loaded models by their URI. A model is loaded once however many requests ask for it, is
// compared with its files only when the store says that something changed, and goes when it was not
// asked for longest.
type cache struct {
	objects  Objects
	fallback Fallback // may be nil
	limit    int

	mu      sync.Mutex
	entries map[string]*list.Element // of *entry
	order   *list.List               // most recent first
}

// entry is a model, or the error of loading it. Its lock is held while it is loaded or checked.
type entry struct {
	uri   string
	state atomic.Pointer[state]
	mu    sync.Mutex
	// gone tells that the cache let go of it, maybe while it was being loaded.
	gone atomic.Bool
}

// state is what was last known of a model; it is never altered.
type state struct {
	generation uint64
	etags      []string // of loaded.Files
	loaded     *Loaded
	err        error
}

func newCache(objects Objects, fallback Fallback, limit int) *cache {
	return &cache{objects: objects, fallback: fallback, limit: limit, entries: map[string]*list.Element{}, order: list.New()}
}

func (c *cache) get(ctx context.Context, uri string) (*Loaded, error) {
	e := c.entry(uri)
	generation := c.objects.Generation()
	s := e.state.Load()
	if s == nil || s.generation != generation {
		s = c.refresh(ctx, e)
	}
	return s.loaded, s.err
}

func (c *cache) entry(uri string) *entry {
	c.mu.Lock()
	defer c.mu.Unlock()
	if el, ok := c.entries[uri]; ok {
		c.order.MoveToFront(el)
		return el.Value.(*entry)
	}
	e := &entry{uri: uri}
	c.entries[uri] = c.order.PushFront(e)
	for len(c.entries) > c.limit {
		last := c.order.Back()
		gone := c.order.Remove(last).(*entry)
		delete(c.entries, gone.uri)
		gone.gone.Store(true)
		gone.state.Load().close()
	}
	return e
}

// len is the number of models, and of errors of loading some.
func (c *cache) len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.entries)
}

func (c *cache) refresh(ctx context.Context, e *entry) *state {
	e.mu.Lock()
	defer e.mu.Unlock()
	// The generation is read before the files: a change in between is found by the next request.
	generation := c.objects.Generation()
	old := e.state.Load()
	if old != nil && old.generation == generation {
		return old
	}
	// A load is shared, so it must not end with the request that began it.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), loadTimeout)
	defer cancel()
	s := &state{generation: generation}
	if old != nil && old.err == nil && c.unchanged(ctx, e.uri, old) {
		s.etags, s.loaded = old.etags, old.loaded
		e.state.Store(s)
		return s
	}
	s.loaded, s.err = Load(ctx, &noting{Objects: c.objects, etags: &s.etags}, e.uri)
	if c.fallback != nil && registry.IsCode(s.err, registry.NotImplemented) {
		if ctx.Value(noFallback{}) != nil {
			return &state{err: s.err} // not remembered: the next request may want the fallback
		}
		s.etags = nil
		s.loaded, s.err = loadFallback(ctx, c.fallback, c.objects, &noting{Objects: c.objects, etags: &s.etags}, e.uri, s.err)
	}
	if s.err != nil {
		s.loaded = nil
	}
	e.state.Store(s)
	old.close()
	if e.gone.Load() {
		s.close()
	}
	return s
}

// noFallback is the key of a context whose caller only wants to know about a model: no process is started for that.
type noFallback struct{}

// closeDelay is how long a replaced model may still be asked by requests that got it just before.
const closeDelay = 5 * time.Second

// close frees what a model holds beside memory, a little later.
func (s *state) close() {
	if s == nil || s.loaded == nil {
		return
	}
	if c, ok := s.loaded.Model.(io.Closer); ok {
		time.AfterFunc(closeDelay, func() { _ = c.Close() }) // what it leaves behind goes with the environment
	}
}

func (c *cache) unchanged(ctx context.Context, uri string, s *state) bool {
	if len(s.etags) != len(s.loaded.Files) {
		return false
	}
	for i, path := range s.loaded.Files {
		etag, err := c.objects.ETag(ctx, uri, path)
		if err != nil || etag != s.etags[i] {
			return false
		}
	}
	return true
}
