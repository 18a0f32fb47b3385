package artifacts

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// remoteIdle is how long the other side may take for the next bytes of a file.
const remoteIdle = time.Minute

// remoteResumes is how often in a row a transfer that broke off is taken up again without a single byte having come.
const remoteResumes = 2

// remoteFile reads a file of another server as it is asked for: seeking costs nothing until the next Read, and a transfer that breaks off is
// taken up where it was. It gives exactly size bytes or an error.
type remoteFile struct {
	ctx  context.Context
	size int64
	// open begins a transfer at an offset.
	open func(ctx context.Context, from int64) (io.ReadCloser, error)
	// once is set where a transfer cannot be taken up, since nothing would tell that the file has changed.
	once bool
	// fail is told of a transfer that broke off for good; nil: nobody.
	fail func(error)

	pos int64
	// body is the transfer under way, at the offset at; nil if there is none.
	body   io.ReadCloser
	at     int64
	cancel context.CancelFunc
	timer  *time.Timer
	failed int
}

func (f *remoteFile) Read(p []byte) (int, error) {
	if f.pos >= f.size {
		return 0, io.EOF
	}
	if len(p) == 0 {
		return 0, nil
	}
	if left := f.size - f.pos; int64(len(p)) > left {
		p = p[:left]
	}
	for {
		n, err := f.read(p)
		f.pos += int64(n)
		f.at += int64(n)
		if n > 0 {
			f.failed = 0
			return n, nil // an error comes again
		}
		if err == nil {
			continue
		}
		f.drop()
		var refused *Error
		if f.failed++; f.failed > remoteResumes || f.once || f.ctx.Err() != nil || errors.As(err, &refused) || errors.Is(err, ErrNotFound) {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			err = fmt.Errorf("read from another server, at byte %d of %d: %w", f.pos, f.size, err)
			if f.fail != nil {
				f.fail(err)
			}
			return 0, err
		}
	}
}

func (f *remoteFile) read(p []byte) (int, error) {
	if f.body != nil && f.at != f.pos {
		f.drop()
	}
	if f.body == nil {
		ctx, cancel := context.WithCancel(f.ctx)
		body, err := f.open(ctx, f.pos)
		if err != nil {
			cancel()
			return 0, err
		}
		f.body, f.at, f.cancel = body, f.pos, cancel
		f.timer = time.AfterFunc(remoteIdle, cancel)
	}
	f.timer.Reset(remoteIdle)
	n, err := f.body.Read(p)
	f.timer.Stop()
	return n, err
}

// drop ends the transfer under way.
func (f *remoteFile) drop() {
	if f.body != nil {
		f.timer.Stop()
		f.cancel()
		_ = f.body.Close()
		f.body = nil
	}
}

// Seek implements io.Seeker.
func (f *remoteFile) Seek(offset int64, whence int) (int64, error) {
	pos, err := seekPosition(f.pos, f.size, offset, whence)
	if err == nil {
		f.pos = pos
	}
	return pos, err
}

// Close implements io.Closer.
func (f *remoteFile) Close() error {
	f.drop()
	return nil
}

// isLoopbackHost tells HOST or HOST:PORT of this machine's loopback.
func isLoopbackHost(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
