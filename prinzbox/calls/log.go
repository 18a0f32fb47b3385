package calls

import (
	"context"
	"sync"
)

// Defaults of a log.
const (
	DefaultEntries = 10_000
	DefaultBytes   = 16 << 20
	DefaultBody    = 8 << 10
)

// Config bounds a log.
type Config struct {
	// Entries and Bytes are how many calls, and how much memory, are kept; the oldest give way. 0 means the defaults; Entries below 0 keeps none.
	Entries int
	Bytes   int64
	// Body is how many bytes of each body of text are kept; 0 means [DefaultBody], below 0 none.
	Body int
	// Hosts are the names, without port, below which an S3 bucket can stand.
	Hosts []string
	// Secrets are texts that are never kept, wherever they stand.
	Secrets []string
}

// A page that looks at something again and again must not push clients' calls out: those of the GUI have a twentieth of the entries, or a hundred,
// and a sixteenth of the memory to themselves.
const (
	pageEntries    = 20
	minPageEntries = 100
	pageBytes      = 16
)

// Log keeps the newest calls. All methods are safe for concurrent use.
type Log struct {
	cfg     Config
	secrets [][]byte

	mu sync.Mutex
	// clients' calls and the pages' own are kept apart, and numbered together.
	clients, pages ring
	number         int64 // of the newest call
	wakes          map[chan struct{}]bool
}

// New makes a log.
func New(c Config) *Log {
	if c.Entries == 0 {
		c.Entries = DefaultEntries
	}
	if c.Bytes == 0 {
		c.Bytes = DefaultBytes
	}
	if c.Body == 0 {
		c.Body = DefaultBody
	}
	l := &Log{
		cfg:     c,
		clients: ring{entries: c.Entries, limit: c.Bytes},
		pages:   ring{entries: min(c.Entries, max(c.Entries/pageEntries, minPageEntries)), limit: c.Bytes / pageBytes},
	}
	for _, s := range c.Secrets {
		if len(s) >= 6 { // shorter ones stand in any text
			l.secrets = append(l.secrets, []byte(s))
		}
	}
	return l
}

// Stats are the figures of a log.
type Stats struct {
	// Kept calls of clients take Bytes of memory; Total came since the start, of which Dropped gave way to later ones. Pages counts the GUI's own
	// calls that are kept beside them.
	Kept    int   `json:"kept"`
	Bytes   int64 `json:"bytes"`
	Total   int64 `json:"total"`
	Dropped int64 `json:"dropped"`
	Pages   int   `json:"pages"`
	// MaxEntries, MaxBytes and MaxBody are the bounds.
	MaxEntries int   `json:"max_entries"`
	MaxBytes   int64 `json:"max_bytes"`
	MaxBody    int   `json:"max_body"`
}

// Stats gives the figures of now.
func (l *Log) Stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	return Stats{
		Kept: l.clients.count, Bytes: l.clients.bytes, Total: l.clients.total, Dropped: l.clients.gone, Pages: l.pages.count,
		MaxEntries: max(l.cfg.Entries, 0), MaxBytes: l.cfg.Bytes, MaxBody: max(l.cfg.Body, 0),
	}
}

// add keeps a call and numbers it.
func (l *Log) add(c *Call) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.number++
	c.Number = l.number
	if c.Kind == GUI {
		l.pages.add(c)
	} else {
		l.clients.add(c)
	}
	for wake := range l.wakes {
		select {
		case wake <- struct{}{}:
		default: // it has not yet looked at the last one
		}
	}
}

// calls gives what is kept, the oldest first.
func (l *Log) calls(after int64) []*Call {
	l.mu.Lock()
	defer l.mu.Unlock()
	return merge(l.clients.since(after), l.pages.since(after))
}

// Last is the number of the newest call; 0 where none came.
func (l *Log) Last() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.number
}

// Get gives a call by its number.
func (l *Log) Get(number int64) (Call, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.clients.get(number)
	if c == nil {
		c = l.pages.get(number)
	}
	if c == nil {
		return Call{}, false
	}
	return *c, true
}

// Clear forgets all calls. Numbers go on.
func (l *Log) Clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.clients.clear()
	l.pages.clear()
}

// Subscribe gives a channel that gets something whenever calls have come since it was read; cancel ends that.
func (l *Log) Subscribe() (wake <-chan struct{}, cancel func()) {
	c := make(chan struct{}, 1)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.wakes == nil {
		l.wakes = map[chan struct{}]bool{}
	}
	l.wakes[c] = true
	return c, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.wakes, c)
	}
}

// Tail hands out calls that match as they come, those behind number after first, until the context ends (nil) or do gives an error. The query's
// After, Before, Limit and Newest are not looked at.
func (l *Log) Tail(ctx context.Context, after int64, q Query, do func(Call) error) error {
	wake, cancel := l.Subscribe()
	defer cancel()
	for {
		for _, c := range l.calls(after) {
			after = c.Number
			if q.Matches(c) {
				if err := do(*c); err != nil {
					return err
				}
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-wake:
		}
	}
}

// Wait waits until at least n kept calls match, and tells how many do; the error is the context's.
func (l *Log) Wait(ctx context.Context, n int, q Query) (int, error) {
	wake, cancel := l.Subscribe()
	defer cancel()
	for {
		if have := l.Count(q); have >= n {
			return have, nil
		}
		select {
		case <-ctx.Done():
			return l.Count(q), ctx.Err()
		case <-wake:
		}
	}
}
