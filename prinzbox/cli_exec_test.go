package prinzbox_test

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prinzbox/prinzbox/clients/venv"
	"github.com/prinzbox/prinzbox/prinzbox"
)

func needShell(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("needs a POSIX shell, sh")
	}
}

// The child's exit code is passed on, as a shell would give it.
func TestExecExitCodes(t *testing.T) {
	needShell(t)
	t.Parallel()
	for _, tc := range []struct {
		args []string
		code int
	}{
		{[]string{"sh", "-c", "exit 0"}, 0},
		{[]string{"sh", "-c", "exit 7"}, 7},
		{[]string{"sh", "-c", "kill -KILL $$"}, 128 + 9},
		{[]string{"sh", "-c", "kill -TERM $$"}, 128 + 15},
		{[]string{"no-such-command-anywhere"}, 127},
		{[]string{"/no/such/file"}, 127},
		{[]string{"/"}, 126},
	} {
		code, stdout, stderr := runCommand(t, nil, append([]string{"exec", "--no-seed", "--"}, tc.args...)...)
		if code != tc.code || stdout != "" {
			t.Errorf("%q: exit code %d, want %d; stdout %q, stderr %q", tc.args, code, tc.code, stdout, stderr)
		}
		if tc.code == 127 && (strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, tc.args[0])) {
			t.Errorf("%q: stderr %q", tc.args, stderr)
		}
	}
}

// The child finds a seeded environment in its variables and has standard input and output to itself.
func TestExecEnvironment(t *testing.T) {
	needShell(t)
	t.Parallel()
	cmd := command(t, nil, "exec", "--", "sh", "-c", `cat; echo "$MLFLOW_TRACKING_URI|$MLFLOW_S3_ENDPOINT_URL|$AWS_ACCESS_KEY_ID|$AWS_SECRET_ACCESS_KEY|$AWS_DEFAULT_REGION|$PRINZBOX_STATIC_URL"; read -r end`)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	var out, log safeBuffer
	cmd.Stdout, cmd.Stderr = &out, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := stdin.Write([]byte("passed on\n")); err != nil {
		t.Fatal(err)
	}
	if err := stdin.Close(); err != nil {
		t.Fatal(err)
	}
	err = cmd.Wait()
	text, ok := strings.CutPrefix(out.String(), "passed on\n")
	parts := strings.Split(strings.TrimSpace(text), "|")
	// `read` at the end of input answers 1.
	if !ok || len(parts) != 6 || !strings.HasPrefix(parts[0], "http://127.0.0.1:") || !strings.HasPrefix(parts[1], "http://127.0.0.1:") ||
		parts[2] != "mlflow-key" || parts[3] != "mlflow-secret" || parts[4] != "us-east-1" || !strings.HasPrefix(parts[5], "http://") {
		t.Errorf("child said %q (%v); stderr %s", out.String(), err, log.String())
	}
	if strings.Contains(out.String(), `"ready"`) {
		t.Errorf("the ready line stands in the child's output: %q", out.String())
	}
}

// What one command leaves the next one finds, whatever the exit code.
func TestExecExportsAndImports(t *testing.T) {
	needShell(t)
	t.Parallel()
	file := filepath.Join(t.TempDir(), "state.tar.gz")
	if code, _, stderr := runCommand(t, nil, "exec", "--export-on-exit", file, "--", "sh", "-c", "exit 7"); code != 7 {
		t.Fatalf("exit code %d, stderr %s", code, stderr)
	}
	again := file + "2"
	if code, _, stderr := runCommand(t, []string{"PRINZBOX_IMPORT=" + file}, "exec", "--no-seed", "--export-on-exit", again, "--", "sh", "-c", "true"); code != 0 {
		t.Fatalf("exit code %d, stderr %s", code, stderr)
	}
	env := prinzbox.Start(t, func(c *prinzbox.Config) { c.Import = again })
	if got := models(t, env.TrackingURI()); !strings.Contains(got, "MLF-FraudDetection-3") {
		t.Errorf("models: %s", got)
	}
	for where, code := range map[string]int{"true": 1, "exit 7": 7} {
		if got, _, stderr := runCommand(t, nil, "exec", "--no-seed", "--export-on-exit", t.TempDir(), "--", "sh", "-c", where); got != code || !strings.Contains(stderr, "--export-on-exit") {
			t.Errorf("%s, and a folder to write to: exit code %d, stderr %s", where, got, stderr)
		}
	}
}

// While the child runs everything answers; a signal to prinzbox reaches the child, and prinzbox ends after it.
func TestExecForwardsSignals(t *testing.T) {
	needShell(t)
	t.Parallel()
	cmd := command(t, nil, "exec", "--", "sh", "-c", `trap 'echo caught; exit 3' TERM; echo "$MLFLOW_TRACKING_URI"; while :; do sleep 0.05; done`)
	var out, log safeBuffer
	cmd.Stdout, cmd.Stderr = &out, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var uri string
	for deadline := time.Now().Add(30 * time.Second); uri == ""; time.Sleep(5 * time.Millisecond) {
		if line, _, ok := strings.Cut(out.String(), "\n"); ok {
			uri = line
		}
		if time.Now().After(deadline) {
			t.Fatalf("the child did not start: %s", log.String())
		}
	}
	if a := call(t, "POST", uri+"/MLF-FraudDetection-3/invocations", fraudBody("F", "800.0")); a.body != "[1]" {
		t.Errorf("scoring: %d %s", a.status, a.body)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // the exit code is read from the state
	if code := cmd.ProcessState.ExitCode(); code != 3 || !strings.HasSuffix(out.String(), "caught\n") {
		t.Errorf("exit code %d, output %q, stderr %s", code, out.String(), log.String())
	}
	if _, err := try(t, "GET", uri+"/health", ""); err == nil {
		t.Error("the environment outlived its child")
	}
}

func TestEnvCommand(t *testing.T) {
	needShell(t)
	t.Parallel()
	data := t.TempDir()
	const secret = `it's $HOME "x" \n` + "`id`"
	p := serve(t, []string{"PRINZBOX_SECRET_KEY=" + secret}, append([]string{"serve", "--no-seed", "--data", data}, freePorts...)...)

	code, stdout, stderr := runCommand(t, nil, "env", "--data", data, "-o", "json")
	if code != 0 || stdout != p.line || stderr != "" {
		t.Errorf("env -o json of a running environment: exit code %d, %q, %q; the ready line was %q", code, stdout, stderr, p.line)
	}
	_, exports, _ := runCommand(t, nil, "env", "--data", data)
	shell := exec.CommandContext(t.Context(), "sh", "-c", `eval "$EXPORTS"; printf '%s|%s|%s' "$AWS_SECRET_ACCESS_KEY" "$MLFLOW_TRACKING_URI" "$AWS_ACCESS_KEY_ID"`)
	shell.Env = venv.Environ("EXPORTS=" + exports)
	got, err := shell.Output()
	if want := secret + "|" + p.ready.TrackingURI + "|mlflow-key"; err != nil || string(got) != want {
		t.Errorf("a shell read %q, want %q (%v)", got, want, err)
	}

	if code, _ := p.stop(t, syscall.SIGTERM); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	code, stdout, stderr = runCommand(t, nil, "env", "--data", data, "-o", "json", "--port", "5999")
	var r prinzbox.Ready
	if err := json.Unmarshal([]byte(stdout), &r); err != nil {
		t.Fatalf("%v: %q", err, stdout)
	}
	if code != 0 || r.Ready || r.TrackingURI != "http://127.0.0.1:5999" || !strings.Contains(stderr, "nothing runs in") {
		t.Errorf("env of an environment that does not run: exit code %d, %s, stderr %q", code, stdout, stderr)
	}
	code, stdout, stderr = runCommand(t, nil, append([]string{"env", "--data", data}, freePorts...)...)
	if code != 1 || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, "port") {
		t.Errorf("env with unknown ports: exit code %d, %q, %q", code, stdout, stderr)
	}

	// After a kill -9 the ready line is still in the folder, but nothing runs there.
	p = serve(t, nil, append([]string{"serve", "--no-seed", "--data", data}, freePorts...)...)
	p.kill(t)
	code, stdout, stderr = runCommand(t, nil, "env", "--data", data, "-o", "json")
	if code != 0 || !strings.Contains(stdout, `"ready":false`) || !strings.Contains(stderr, "nothing runs in") {
		t.Errorf("env after a kill: exit code %d, %s, stderr %q", code, stdout, stderr)
	}
}
