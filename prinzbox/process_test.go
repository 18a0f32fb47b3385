package prinzbox_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/prinzbox/prinzbox/clients/venv"
	"github.com/prinzbox/prinzbox/prinzbox"
)

// freePorts is what keeps a process off everybody else's ports.
var freePorts = []string{"--port", "0", "--s3-port", "0", "--static-port", "0"}

// command is the program, to be run in an empty folder.
func command(t testing.TB, extraEnv []string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary(t), args...)
	cmd.Env = venv.Environ(extraEnv...)
	cmd.Dir = t.TempDir()
	return cmd
}

// runCommand runs the program to its end.
func runCommand(t testing.TB, extraEnv []string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	cmd := command(t, extraEnv, args...)
	var o, e bytes.Buffer
	cmd.Stdout, cmd.Stderr = &o, &e
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), o.String(), e.String()
}

// process is a running program that has printed its ready line.
type process struct {
	cmd   *exec.Cmd
	line  string // the ready line
	ready prinzbox.Ready

	stderr safeBuffer
	mu     sync.Mutex
	more   bytes.Buffer // stdout after the ready line
	ended  chan struct{}
}

// safeBuffer is a buffer that one goroutine writes while another reads.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// serve starts the program with `serve` or whatever args begin with, and waits for its ready line.
func serve(t testing.TB, extraEnv []string, args ...string) *process {
	t.Helper()
	return begin(t, command(t, extraEnv, args...))
}

// begin starts a command that ends in the program, and waits for its ready line.
func begin(t testing.TB, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{cmd: cmd, ended: make(chan struct{})}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.cmd.Stderr = &p.stderr
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.kill(t) })
	lines := make(chan string, 1)
	go func() {
		defer close(p.ended)
		r := bufio.NewReader(stdout)
		line, _ := r.ReadString('\n')
		lines <- line
		rest, _ := io.ReadAll(r)
		p.mu.Lock()
		p.more.Write(rest)
		p.mu.Unlock()
		_ = p.cmd.Wait() // the exit code is read from the state
	}()
	select {
	case p.line = <-lines:
	case <-time.After(time.Minute):
		t.Fatalf("no ready line after a minute; stderr:\n%s", p.stderr.String())
	}
	if err := json.Unmarshal([]byte(p.line), &p.ready); err != nil {
		<-p.ended
		t.Fatalf("ready line %q: %v; stderr:\n%s", p.line, err, p.stderr.String())
	}
	return p
}

// stop sends a signal and returns the exit code and what came on stdout after the ready line.
func (p *process) stop(t testing.TB, sig os.Signal) (int, string) {
	t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
	return p.wait(t)
}

func (p *process) wait(t testing.TB) (int, string) {
	t.Helper()
	select {
	case <-p.ended:
	case <-time.After(30 * time.Second):
		t.Fatalf("still running 30 s after it was told to stop; stderr:\n%s", p.stderr.String())
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cmd.ProcessState.ExitCode(), p.more.String()
}

// kill ends the process as a power switch would; it may have ended before.
func (p *process) kill(t testing.TB) {
	t.Helper()
	_ = p.cmd.Process.Signal(syscall.SIGKILL)
	<-p.ended
}
