package sqldb

import "strconv"

const (
	// checkpointFrames is how many pages may wait in the log before they are folded into the file. SQLite's own number.
	checkpointFrames = 1000
	// writerFrames is when the writer does it itself, since it never paused long enough for the checkpointer to catch up: until the whole log
	// is in the file, it cannot begin anew and grows.
	writerFrames = 8 * checkpointFrames
	// checkpointEvery is how many commits pass between two looks at the log.
	checkpointEvery = 16
)

// writerPragma belongs to databases that have a checkpointer.
var writerPragma = "wal_autocheckpoint(" + strconv.Itoa(writerFrames) + ")"

// checkpointer folds the log into the file beside the writes. Left to the writer, that is two waits for the disk in the middle of some call,
// a third of the time of short writes.
type checkpointer struct {
	uri  string
	wake chan struct{}
	done chan struct{}
}

func newCheckpointer(uri string) *checkpointer {
	c := &checkpointer{uri: uri, wake: make(chan struct{}, 1), done: make(chan struct{})}
	go c.run()
	return c
}

// committed is told how many commits there were.
func (c *checkpointer) committed(commits int) {
	if c == nil || commits%checkpointEvery != 0 {
		return
	}
	select {
	case c.wake <- struct{}{}:
	default: // it has not come to the last one yet
	}
}

func (c *checkpointer) close() {
	if c != nil {
		close(c.wake)
		<-c.done
	}
}

// run ends when it can do nothing: the writer's own checkpoints remain, and tell what is wrong.
func (c *checkpointer) run() {
	defer close(c.done)
	var conn *directConn
	for range c.wake {
		if conn == nil {
			var err error
			if conn, err = openDirect(c.uri); err != nil {
				return
			}
			defer conn.close() //nolint:errcheck // it holds nothing
		}
		var pages, folded int64
		if err := conn.each(func(row *Row) error { // the first column tells whether it was busy
			pages, folded = row.Int(1), row.Int(2)
			return nil
		}, "PRAGMA wal_checkpoint(NOOP)", nil); err != nil {
			return
		}
		if pages-folded < checkpointFrames || pages >= writerFrames { // there can be only one: now it is the writer's turn
			continue
		}
		if err := conn.each(func(*Row) error { return nil }, "PRAGMA wal_checkpoint(PASSIVE)", nil); err != nil {
			return
		}
	}
}
