package python

import (
	"bufio"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

//go:embed worker.py
var worker []byte

// order is what the parent process is told, event what it and its children tell.
type order struct {
	ID     int    `json:"id"`
	Model  string `json:"model"`
	Socket string `json:"socket"`
}

type event struct {
	ID      int    `json:"id"`
	Started string `json:"started"`
	PID     int    `json:"pid"`
	Ready   bool   `json:"ready"`
	Error   string `json:"error"`
	Exited  int    `json:"exited"`
}

// parent is an interpreter that has imported MLflow and forks a worker per model.
type parent struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
	log   *slog.Logger
	dir   string        // of the sockets; short, since a socket's path must be
	up    chan struct{} // closed when MLflow is imported
	done  chan struct{} // closed when the process has ended

	mu      sync.Mutex
	last    int
	waiting map[int]*worked
	running map[int]*worked // by pid
	tail    []string        // what it wrote last
}

// worked is a worker process.
type worked struct {
	pid    int
	socket string
	ready  chan error    // gets one value
	gone   chan struct{} // closed when it has ended
	// unwanted means that nobody waits for it any more.
	unwanted bool
}

func startParent(python, dir string, log *slog.Logger) (*parent, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	script := filepath.Join(dir, "worker.py")
	if err := os.WriteFile(script, worker, 0o600); err != nil {
		return nil, err
	}
	events, theirs, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer func() { _ = theirs.Close() }() // the child has its own
	sockets, err := os.MkdirTemp("", "prinzbox-py-")
	if err != nil {
		return nil, errors.Join(err, events.Close())
	}
	cmd := exec.Command(python, "-u", script) //nolint:noctx // it outlives the request that starts it; stop ends it
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.Env = append(os.Environ(), "MLFLOW_DISABLE_TELEMETRY=true", "DO_NOT_TRACK=true", "PYTHONWARNINGS=ignore")
	ownGroup(cmd)
	p := &parent{
		cmd: cmd, log: log, dir: sockets, up: make(chan struct{}), done: make(chan struct{}),
		waiting: map[int]*worked{}, running: map[int]*worked{},
	}
	output, input := io.Pipe()
	cmd.Stdout, cmd.Stderr = input, input
	if p.stdin, err = cmd.StdinPipe(); err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return nil, errors.Join(err, events.Close(), os.RemoveAll(sockets))
	}
	go p.copyLog(output)
	go p.listen(events)
	go func() {
		_ = cmd.Wait() // how it ended stands in its log
		_ = input.Close()
		killGroup(cmd)
		p.end()
	}()
	return p, nil
}

// end tells all who wait that the process is gone.
func (p *parent) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.done)
	for _, w := range p.waiting {
		w.ready <- errors.New("the Python process ended; it wrote: " + strings.Join(p.tail, " | "))
	}
	for _, w := range p.running {
		close(w.gone)
	}
	p.waiting, p.running = nil, nil
	_ = os.RemoveAll(p.dir)
}

func (p *parent) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

func (p *parent) stop() {
	_ = p.stdin.Close() // tells it to end its group
	killGroup(p.cmd)
	<-p.done
}

const tailLines = 20

func (p *parent) copyLog(r io.Reader) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		p.log.Info("python", "line", lines.Text())
		p.mu.Lock()
		if p.tail = append(p.tail, lines.Text()); len(p.tail) > tailLines {
			p.tail = p.tail[1:]
		}
		p.mu.Unlock()
	}
	_, _ = io.Copy(io.Discard, r) // a line beyond all measure must not block the process
}

func (p *parent) listen(events io.ReadCloser) {
	defer func() { _ = events.Close() }()
	dec := json.NewDecoder(events)
	for {
		var e event
		if err := dec.Decode(&e); err != nil {
			return
		}
		p.handle(e)
	}
}

func (p *parent) handle(e event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch w := p.waiting[e.ID]; {
	case e.Started != "":
		p.log.Info("python is ready", "mlflow", e.Started, "interpreter", p.cmd.Path)
		close(p.up)
	case e.Exited != 0:
		if w := p.running[e.Exited]; w != nil {
			delete(p.running, e.Exited)
			close(w.gone)
			for id, other := range p.waiting {
				if other == w {
					delete(p.waiting, id)
					w.ready <- errors.New("its process ended while it loaded; it wrote: " + strings.Join(p.tail, " | "))
				}
			}
		}
	case w == nil:
	case e.PID != 0:
		w.pid = e.PID
		p.running[e.PID] = w
		if w.unwanted {
			p.killLocked(w)
		}
	case e.Ready, e.Error != "":
		delete(p.waiting, e.ID)
		if e.Ready {
			w.ready <- nil
		} else {
			w.ready <- errors.New(e.Error)
		}
	}
}

// wait waits until MLflow is imported.
func (p *parent) wait(ctx context.Context) error {
	select {
	case <-p.up:
		return nil
	case <-p.done:
		p.mu.Lock()
		defer p.mu.Unlock()
		return fmt.Errorf("%s ended; it wrote: %s", p.cmd.Path, strings.Join(p.tail, " | "))
	case <-ctx.Done():
		return ctx.Err()
	}
}

// fork starts a worker for the model in a folder and waits until it has loaded it.
func (p *parent) fork(ctx context.Context, model string) (*worked, error) {
	if err := p.wait(ctx); err != nil {
		return nil, err
	}
	w := &worked{ready: make(chan error, 1), gone: make(chan struct{})}
	p.mu.Lock()
	if p.waiting == nil {
		p.mu.Unlock()
		return nil, errClosed
	}
	p.last++
	o := order{p.last, model, filepath.Join(p.dir, fmt.Sprint(p.last))}
	w.socket = o.Socket
	p.waiting[o.ID] = w
	text, err := json.Marshal(o)
	if err == nil {
		_, err = p.stdin.Write(append(text, '\n'))
	}
	p.mu.Unlock()
	if err != nil {
		return nil, err
	}
	select {
	case err := <-w.ready:
		return w, err
	case <-ctx.Done():
		p.kill(w)
		return nil, ctx.Err()
	}
}

// kill ends a worker.
func (p *parent) kill(w *worked) {
	p.mu.Lock()
	defer p.mu.Unlock()
	w.unwanted = true
	p.killLocked(w)
}

func (p *parent) killLocked(w *worked) {
	if w.pid != 0 && p.running[w.pid] == w { // else the number may be another's by now
		if proc, err := os.FindProcess(w.pid); err == nil {
			_ = proc.Kill() // it may have ended just now
		}
	}
}
