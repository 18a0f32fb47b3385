package prinzbox_test

import (
	"os"
	"path/filepath"
	"testing"
)

// The standard input of a process ends with whoever holds its other end.
func TestExitWithStdin(t *testing.T) {
	t.Parallel()
	temp := t.TempDir()
	cmd := command(t, []string{"TMPDIR=" + temp}, append([]string{"serve", "--ephemeral", "--exit-with-stdin"}, freePorts...)...)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	p := begin(t, cmd)
	if a := call(t, "GET", p.ready.TrackingURI+"/health", ""); a.status != 200 {
		t.Errorf("while it is open: %d", a.status)
	}
	if err := stdin.Close(); err != nil {
		t.Fatal(err)
	}
	if code, _ := p.wait(t); code != 0 {
		t.Errorf("exit code %d; stderr:\n%s", code, p.stderr.String())
	}
	if left, err := filepath.Glob(filepath.Join(temp, "*")); err != nil || len(left) > 0 {
		t.Errorf("left in the temporary folder: %v, %v", left, err)
	}
	// One that has ended before anything began.
	if code, out, _ := runCommand(t, nil, append([]string{"serve", "--ephemeral", "--exit-with-stdin"}, freePorts...)...); code != 0 {
		t.Errorf("with %s: exit code %d, %q", os.DevNull, code, out)
	}
	// Without the flag it is of no interest.
	if p := serve(t, nil, append([]string{"serve", "--ephemeral"}, freePorts...)...); call(t, "GET", p.ready.TrackingURI+"/health", "").status != 200 {
		t.Error("it has stopped")
	}
}
