package prinzbox_test

import (
	"bytes"
	endian "encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/minio/minio-go/v7"
)

// stream gives bytes without end that differ from block to block, and tells whether others are the same.
type stream struct {
	block []byte
	pos   int64
}

const streamBlock = 1 << 20

func newStream() *stream { return &stream{block: content(7, streamBlock)} }

// next is what comes next, at most n bytes.
func (s *stream) next(n int) []byte {
	endian.LittleEndian.PutUint64(s.block, uint64(s.pos/streamBlock))
	b := s.block[s.pos%streamBlock:]
	b = b[:min(n, len(b))]
	s.pos += int64(len(b))
	return b
}

// Read implements io.Reader.
func (s *stream) Read(p []byte) (int, error) { return copy(p, s.next(len(p))), nil }

// Write implements io.Writer: what is written must be what comes next.
func (s *stream) Write(p []byte) (int, error) {
	for left := p; len(left) > 0; {
		at := s.pos
		b := s.next(len(left))
		if !bytes.Equal(b, left[:len(b)]) {
			return 0, fmt.Errorf("other bytes than were sent, from %d on", at)
		}
		left = left[len(b):]
	}
	return len(p), nil
}

var peakLine = regexp.MustCompile(`VmHWM:\s+(\d+) kB`)

// peak is the most memory that a process has had in MiB, since the last forgetPeak.
func peak(t *testing.T, pid int) float64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Skip("no /proc here:", err)
	}
	m := peakLine.FindSubmatch(text)
	if m == nil {
		t.Skip("no peak of memory in /proc")
	}
	kb, _ := strconv.ParseFloat(string(m[1]), 64) // digits
	return kb / 1024
}

func forgetPeak(t *testing.T, pid int) {
	t.Helper()
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0o600); err != nil {
		t.Skip("the peak of memory cannot be forgotten:", err)
	}
}

// What goes through is never held: uploads and downloads by S3 and by the artifact proxy, to the own store and to another one, need no more
// than 64 MiB above what the idle server has. PRINZBOX_STREAM_MIB is how much to send, 512 if not set.
func TestStreamsNeedNoMemory(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector's own memory would be measured")
	}
	size := int64(512 << 20)
	if testing.Short() {
		size = 128 << 20
	}
	if n, err := strconv.ParseInt(os.Getenv("PRINZBOX_STREAM_MIB"), 10, 64); err == nil {
		size = n << 20
	}
	args := append([]string{"serve", "--no-seed", "--data", t.TempDir()}, freePorts...)
	p := serve(t, nil, args...)
	far := serve(t, []string{"AWS_ACCESS_KEY_ID=" + p.ready.AccessKey, "AWS_SECRET_ACCESS_KEY=" + p.ready.SecretKey},
		append([]string{"serve", "--no-seed", "--data", t.TempDir(), "--artifacts-destination", "s3://mlflow/far", "--s3-endpoint", p.ready.S3Endpoint}, freePorts...)...)
	s3 := s3Client(t, p.ready)
	ctx := t.Context()
	slow := &http.Client{}
	proxied := func(method, at string, body io.Reader) (*http.Response, error) {
		req, err := http.NewRequestWithContext(ctx, method, at, body)
		if err != nil {
			return nil, err
		}
		if body != nil {
			req.ContentLength = size
		}
		resp, err := slow.Do(req)
		if err == nil && resp.StatusCode != http.StatusOK {
			text, _ := io.ReadAll(resp.Body)
			err = errors.Join(fmt.Errorf("%d %s", resp.StatusCode, text), resp.Body.Close())
		}
		return resp, err
	}
	upload := func(uri string) func() error {
		return func() error {
			resp, err := proxied("PUT", uri, io.LimitReader(newStream(), size))
			if err != nil {
				return err
			}
			return resp.Body.Close()
		}
	}
	compare := func(r io.ReadCloser) error {
		n, err := io.Copy(newStream(), r)
		if err == nil && n != size {
			err = fmt.Errorf("%d bytes of %d", n, size)
		}
		return errors.Join(err, r.Close())
	}
	download := func(uri string) func() error {
		return func() error {
			resp, err := proxied("GET", uri, nil)
			if err != nil {
				return err
			}
			return compare(resp.Body)
		}
	}
	artifact := "/api/2.0/mlflow-artifacts/artifacts/streamed"
	steps := []struct {
		name string
		of   *process
		do   func() error
	}{
		{"S3 upload in parts", p, func() error {
			_, err := s3.PutObject(ctx, "mlflow", "parts", io.LimitReader(newStream(), size), size, minio.PutObjectOptions{PartSize: 16 << 20})
			return err
		}},
		{"S3 download", p, func() error {
			o, _, _, err := minio.Core{Client: s3}.GetObject(ctx, "mlflow", "parts", minio.GetObjectOptions{})
			if err != nil {
				return err
			}
			return compare(o)
		}},
		{"proxy upload", p, upload(p.ready.TrackingURI + artifact)},
		{"proxy download", p, download(p.ready.TrackingURI + artifact)},
		{"upload to another store", far, upload(far.ready.TrackingURI + artifact)},
		{"download from another store", far, download(far.ready.TrackingURI + artifact)},
	}
	idle := map[*process]float64{p: resident(p.cmd.Process.Pid), far: resident(far.cmd.Process.Pid)}
	var table []string
	for _, step := range steps {
		pid := step.of.cmd.Process.Pid
		forgetPeak(t, pid)
		if err := step.do(); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		above := peak(t, pid) - idle[step.of]
		table = append(table, fmt.Sprintf("%s: %.0f MiB", step.name, above))
		if above > 64 {
			t.Errorf("%s of %d MiB took %.0f MiB above the idle %.0f MiB", step.name, size>>20, above, idle[step.of])
		}
	}
	t.Logf("memory above idle for %d MiB: %s", size>>20, strings.Join(table, ", "))
}
