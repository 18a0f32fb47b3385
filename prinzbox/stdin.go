package prinzbox

import (
	"context"
	"io"
)

// whileOpen gives a context that ends with its parent, or when nothing more can be read from a pipe. Systems close the pipes of a process that
// ends, however it ends, so whoever holds the other end need not be able to say goodbye.
func whileOpen(parent context.Context, pipe io.Reader) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(parent)
	go func() {
		_, _ = io.Copy(io.Discard, pipe) // whatever ends it
		cancel()
	}()
	return ctx, cancel
}
