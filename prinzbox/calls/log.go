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

// Log keeps the newest calls. All methods are safe for concurrent use.
type Log struct {
	cfg     Config
	secrets [][]byte

	mu     sync.Mutex
	ring   []*Call // in a circle; first is the oldest
	first  int
	count  int
	bytes  int64
	number int64 // of the newest call
	gone   int64 // how many have given way
	wakes  map[chan struct{}]bool
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
	l := &Log{cfg: c}
	for _, s := range c.Secrets {
		if len(s) >= 6 { // shorter ones stand in any text
			l.secrets = append(l.secrets, []byte(s))
		}
	}
	return l
}

// Stats are the figures of a log.
type Stats struct {
	// Kept calls take Bytes of memory; Total came since the start, of which Dropped gave way to later ones.
	Kept    int   `json:"kept"`
	Bytes   int64 `json:"bytes"`
	Total   int64 `json:"total"`
	Dropped int64 `json:"dropped"`
	// MaxEntries, MaxBytes and MaxBody are the bounds.
	MaxEntries int   `json:"max_entries"`
	MaxBytes   int64 `json:"max_bytes"`
	MaxBody    int   `json:"max_body"`
}

// Stats gives the figures of now.
func (l *Log) Stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	return Stats{Kept: l.count, Bytes: l.bytes, Total: l.number, Dropped: l.gone, MaxEntries: max(l.cfg.Entries, 0), MaxBytes: l.cfg.Bytes, MaxBody: max(l.cfg.Body, 0)}
}

// add keeps a call and numbers it.
func (l *Log) add(c *Call) {
	size := c.bytes()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.number++
	c.Number = l.number
	for l.count > 0 && (l.count >= l.cfg.Entries || l.bytes+size > l.cfg.Bytes) {
		l.drop()
	}
	if l.count == len(l.ring) {
		l.grow()
	}
	l.ring[(l.first+l.count)%len(l.ring)] = c
	l.count++
	l.bytes += size
	for wake := range l.wakes {
		select {
		case wake <- struct{}{}:
		default: // it has not yet looked at the last one
		}
	}
}

func (l *Log) drop() {
	l.bytes -= l.ring[l.first].bytes()
	l.ring[l.first] = nil
	l.first = (l.first + 1) % len(l.ring)
	l.count--
	l.gone++
}

func (l *Log) grow() {
	ring := make([]*Call, min(max(2*len(l.ring), 64), l.cfg.Entries))
	for i := range l.count {
		ring[i] = l.ring[(l.first+i)%len(l.ring)]
	}
	l.ring, l.first = ring, 0
}

// calls gives what is kept, the oldest first.
func (l *Log) calls(after int64) []*Call {
	l.mu.Lock()
	defer l.mu.Unlock()
	from := 0
	if l.count > 0 && after > 0 { // numbers have no gaps between the oldest and the newest
		from = int(max(min(after-l.ring[l.first].Number+1, int64(l.count)), 0))
	}
	list := make([]*Call, 0, l.count-from)
	for i := from; i < l.count; i++ {
		list = append(list, l.ring[(l.first+i)%len(l.ring)])
	}
	return list
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
	if l.count == 0 {
		return Call{}, false
	}
	i := number - l.ring[l.first].Number
	if i < 0 || i >= int64(l.count) {
		return Call{}, false
	}
	return *l.ring[(l.first+int(i))%len(l.ring)], true
}

// Clear forgets all calls. Numbers go on.
func (l *Log) Clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ring, l.first, l.count, l.bytes, l.gone = nil, 0, 0, 0, 0
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
