package prinzbox

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"
)

// endpoint is one of the ports that an environment listens on.
type endpoint struct {
	name string // what answers there
	flag string // what moves it
	port int
	// usual is what is likely to hold the port, by default port.
	usual map[int]string
}

func (c Config) endpoints() (main, s3, static endpoint) {
	return endpoint{"MLflow", "--port", c.Port, map[int]string{5000: "macOS AirPlay Receiver, or another MLflow server"}},
		endpoint{"S3", "--s3-port", c.S3Port, map[int]string{9000: "MinIO, or another S3 server"}},
		endpoint{"the static values", "--static-port", c.StaticPort, map[int]string{4242: "another prinzbox"}}
}

// listen opens a port. A busy one is an error of one line that says what to do.
func (e endpoint) listen(ctx context.Context, host string) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(e.port)))
	switch {
	case err == nil:
		return l, nil
	case errors.Is(err, syscall.EADDRINUSE):
		likely := e.usual[e.port]
		if likely == "" {
			likely = "another program"
		}
		return nil, fmt.Errorf("port %d, for %s, is in use (likely by %s): stop that, or choose another port with %s (0 takes a free one)", e.port, e.name, likely, e.flag)
	case errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("port %d, for %s, needs rights that this user does not have: choose one above 1023 with %s", e.port, e.name, e.flag)
	}
	return nil, fmt.Errorf("cannot listen on %s port %d for %s (%s, --host): %w", host, e.port, e.name, e.flag, err)
}
