package prinzbox

import (
	"fmt"
	"net"
	"strings"
	"testing"
)

// A busy default port is told apart by what usually holds it; macOS holds 5000 itself, which surprises everybody once.
func TestBusyPortNamesTheUsualHolder(t *testing.T) {
	t.Parallel()
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close() //nolint:errcheck // nothing was sent
	port := busy.Addr().(*net.TCPAddr).Port
	main, s3, static := DefaultConfig().endpoints()
	for _, tc := range []struct {
		e            endpoint
		port         int
		holder, flag string
	}{{main, 5000, "AirPlay", "--port"}, {s3, 9000, "MinIO", "--s3-port"}, {static, 4242, "another prinzbox", "--static-port"}} {
		if tc.e.port != tc.port {
			t.Errorf("default port %d, want %d", tc.e.port, tc.port)
		}
		e := tc.e
		e.usual = map[int]string{port: tc.e.usual[tc.port]} // what holds the default port holds the busy one here
		e.port = port
		_, err := e.listen(t.Context(), "127.0.0.1")
		if err == nil {
			t.Fatal("a busy port was opened")
		}
		for _, want := range []string{fmt.Sprint("port ", port), tc.holder, tc.flag + " "} {
			if !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%q does not say %q in one line", err, want)
			}
		}
	}
}
