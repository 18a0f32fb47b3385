package artifacts_test

import (
	"bufio"
	"bytes"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// awscli announces an empty body too, and waits for the 100 before it reads an answer.
func TestS3ContinueWithoutBody(t *testing.T) {
	s := newS3(t)
	s.do("PUT", "/mlflow", nil) // it may be there
	r := sign(s.request("PUT", "/mlflow/empty", nil, "Expect", "100-continue"))
	conn, err := net.DialTimeout("tcp", r.URL.Host, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // read to its end
	var text bytes.Buffer
	text.WriteString("PUT " + r.URL.RequestURI() + " HTTP/1.1\r\nHost: " + r.Host + "\r\nContent-Length: 0\r\n")
	if err := r.Header.Write(&text); err != nil {
		t.Fatal(err)
	}
	text.WriteString("\r\n")
	if _, err := conn.Write(text.Bytes()); err != nil {
		t.Fatal(err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(conn)
	line, err := in.ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "HTTP/1.1 100 ") {
		t.Fatalf("%q, %v", line, err)
	}
	if line, err = in.ReadString('\n'); err != nil || strings.TrimSpace(line) != "" {
		t.Fatalf("%q, %v", line, err)
	}
	resp, err := http.ReadResponse(in, r)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%v, %v", resp, err)
	}
	_ = resp.Body.Close()
}
