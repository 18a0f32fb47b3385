package artifacts

import (
	"database/sql"
	"sync"
)

// maxCachedRows bounds the cache; with contents of inlineSize that is 2 MiB.
const maxCachedRows = 512

// row is what Open reads of an object: its description, and where its bytes are.
type row struct {
	info ObjectInfo
	file sql.NullString
	data []byte
	sum  []byte // SHA-256; nil when joined
}

// rowCache remembers the rows of objects read since the last change of anything. The generation is counted up after a commit and before
// the writer is answered, so whoever has been told of a change does not see what was before it.
type rowCache struct {
	mu         sync.Mutex
	generation uint64
	rows       map[objectName]row
}

type objectName struct{ bucket, key string }

func (c *rowCache) get(generation uint64, name objectName) (row, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.generation != generation {
		return row{}, false
	}
	r, ok := c.rows[name]
	return r, ok
}

// put remembers a row that was read after the given generation was asked for.
func (c *rowCache) put(generation uint64, name objectName, r row) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if generation < c.generation {
		return
	}
	if generation > c.generation || len(c.rows) >= maxCachedRows {
		c.generation = generation
		clear(c.rows)
	}
	if c.rows == nil {
		c.rows = map[objectName]row{}
	}
	c.rows[name] = r
}
