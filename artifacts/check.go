package artifacts

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"sync"
	"time"
)

// Disks forget and files get overwritten by other programs, so bytes are compared with their hash on the way to a reader. Hashing all of them
// every time would halve the speed of large files, which else the kernel sends by itself. Hence a file is hashed at the first full read after
// a start, after its time has changed, and once a day; in between it is sent as it is. What was just written counts as read. Parts of a
// file are sent unhashed: `prinzbox verify` reads everything.

// checkLife is how long a file that was found good is taken for good.
const checkLife = 24 * time.Hour

// maxChecks bounds what is remembered of files.
const maxChecks = 1 << 14

// checks remembers which files were compared with their hash.
type checks struct {
	mu    sync.Mutex
	files map[string]check
}

type check struct {
	modified time.Time // the file's
	at       time.Time
	bad      bool
}

func (c *checks) get(file string, info os.FileInfo) (k check, known bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k, known = c.files[file]
	return k, known && k.modified.Equal(info.ModTime()) && (k.bad || time.Since(k.at) < checkLife)
}

func (c *checks) put(file string, modified time.Time, bad bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.files == nil {
		c.files = map[string]check{}
	}
	if len(c.files) >= maxChecks {
		clear(c.files)
	}
	c.files[file] = check{modified: modified, at: time.Now(), bad: bad}
}

func (c *checks) forget(file string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.files, file)
}

// errDamaged says that bytes are not those that were stored.
func errDamaged(what string) error {
	return &Error{codeInternal, "The stored bytes of this object are damaged (" + what + "): store it again from a copy, or delete it. 'prinzbox verify' lists all that is damaged."}
}

// openBlob opens a blob file that should have a size and a SHA-256. Errors: errStale for one that is not there.
func (s *Store) openBlob(file string, size int64, sum []byte) (source, error) {
	f, err := os.Open(s.blobPath(file))
	if errors.Is(err, os.ErrNotExist) {
		return nil, errStale
	}
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil {
		k, known := s.checks.get(file, info)
		switch {
		case known && k.bad:
			err = errDamaged("file " + file)
		case info.Size() != size:
			err = s.damaged(file, info.ModTime(), fmt.Sprintf("file %s has %d bytes of %d", file, info.Size(), size))
		case known || sum == nil:
			return f, nil
		default:
			return &checked{File: f, store: s, name: file, size: size, sum: sum, modified: info.ModTime(), hash: sha256.New()}, nil
		}
	}
	_ = f.Close()
	return nil, err
}

// damaged notes and logs damage.
func (s *Store) damaged(file string, modified time.Time, what string) error {
	s.log.Error("artifacts: stored bytes are damaged; 'prinzbox verify' tells which objects they belong to", "file", file, "problem", what)
	s.checks.put(file, modified, true)
	return errDamaged(what)
}

// checkInline compares the bytes in a row with their hash.
func (s *Store) checkInline(data, sum []byte) error {
	if data == nil || sum == nil {
		return nil
	}
	if got := sha256.Sum256(data); !bytes.Equal(got[:], sum) {
		s.log.Error("artifacts: bytes in the database are damaged; 'prinzbox verify' tells which objects they belong to")
		return errDamaged("bytes in the database")
	}
	return nil
}

// checked reads a file whose hash it knows. Whoever reads it from the first byte to the last gets an error instead of the last bytes if they
// are not what was stored.
type checked struct {
	*os.File
	store    *Store
	name     string
	size     int64
	sum      []byte
	modified time.Time

	// pos is where the next byte is read, hashed how many from the first on went into hash.
	pos, hashed int64
	hash        hash.Hash
}

// Read implements io.Reader.
func (c *checked) Read(p []byte) (int, error) {
	if c.pos == 0 && c.hashed != 0 {
		c.hash.Reset()
		c.hashed = 0
	}
	hashing := c.hashed == c.pos && c.pos < c.size
	n, err := c.File.Read(p)
	c.pos += int64(n)
	if !hashing {
		return n, err
	}
	c.hash.Write(p[:n])
	if c.hashed += int64(n); c.hashed < c.size {
		return n, err
	}
	if c.hashed > c.size || !bytes.Equal(c.hash.Sum(nil), c.sum) {
		return 0, c.store.damaged(c.name, c.modified, "file "+c.name)
	}
	c.store.checks.put(c.name, c.modified, false)
	return n, err
}

// Seek implements io.Seeker.
func (c *checked) Seek(offset int64, whence int) (int64, error) {
	pos, err := c.File.Seek(offset, whence)
	if err == nil {
		c.pos = pos
	}
	return pos, err
}

// WriteTo hides the file's own, which would let the kernel send it unseen.
func (c *checked) WriteTo(w io.Writer) (total int64, err error) {
	pooled := buffers.Get().(*[]byte)
	defer buffers.Put(pooled)
	for {
		n, err := c.Read(*pooled)
		if n > 0 {
			written, werr := w.Write((*pooled)[:n])
			total += int64(written)
			if werr != nil {
				return total, werr
			}
		}
		if errors.Is(err, io.EOF) {
			return total, nil
		}
		if err != nil {
			return total, err
		}
	}
}
