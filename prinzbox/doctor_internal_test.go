package prinzbox

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gofrs/flock"
)

// TestDoctorFinds has a row for each thing that doctor can find.
func TestDoctorFinds(t *testing.T) {
	t.Parallel()
	up := func(d *doctor) {
		d.running = func(string) (Ready, bool) { return d.config.withDefaults().ready(), true }
	}
	env := func(pairs ...string) func(*doctor) {
		return func(d *doctor) {
			d.getenv = func(name string) string {
				for i := 0; i+1 < len(pairs); i += 2 {
					if pairs[i] == name {
						return pairs[i+1]
					}
				}
				return ""
			}
		}
	}
	busy := func(who, goos string) func(*doctor) {
		return func(d *doctor) {
			d.listen = func(_ context.Context, address string) error {
				if strings.HasSuffix(address, ":5000") {
					return &os.SyscallError{Syscall: "bind", Err: syscall.EADDRINUSE}
				}
				return nil
			}
			d.holder = func(context.Context, string) string { return who }
			d.goos = goos
		}
	}
	for _, c := range []struct {
		name, check, level, found, fix string
		set                            func(d *doctor)
	}{
		{"nothing wrong", "data", levelOK, "the first start makes it", "", func(*doctor) {}},
		{"free ports", "ports", levelOK, "port 9000, for S3, is free", "", func(*doctor) {}},
		{"busy port", "ports", levelProblem, "port 5000, for MLflow, is taken by an MLflow server 2.22.0", "--port", busy("an MLflow server 2.22.0", "linux")},
		{"AirPlay", "ports", levelProblem, "AirPlay Receiver", "System Settings", busy("a server that calls itself AirTunes/775.3.1", "darwin")},
		{"somebody", "ports", levelProblem, "another program", "--port", busy("", "linux")},
		{"low port", "ports", levelProblem, "cannot be used", "--host", func(d *doctor) { d.listen = func(context.Context, string) error { return syscall.EACCES } }},
		{"running", "data", levelOK, "prinzbox runs in", "", up},
		{"killed", "data", levelWarning, "it was killed", "removes it", func(d *doctor) {
			if err := writeReadyFile(filepath.Join(made(t, d), readyFile), d.config.withDefaults().ready()); err != nil {
				t.Error(err)
			}
		}},
		{"locked", "data", levelProblem, "is locked", "--data", func(d *doctor) {
			lock := flock.New(filepath.Join(made(t, d), lockFile))
			if ok, err := lock.TryLock(); !ok || err != nil {
				t.Error(ok, err)
			}
			t.Cleanup(func() { _ = lock.Unlock() })
		}},
		{"a file", "data", levelProblem, "is a file", "--data", func(d *doctor) { write(t, d.config.Data, "x") }},
		{"other files", "data", levelWarning, "other files", "--data", func(d *doctor) { write(t, filepath.Join(made(t, d), "notes.txt"), "x") }},
		{"broken pointer", "data", levelProblem, pointerFile, "backup", func(d *doctor) { write(t, filepath.Join(made(t, d), pointerFile), "nonsense") }},
		{"nothing kept", "data", levelOK, "--ephemeral", "", func(d *doctor) { d.config.Data = "" }},
		{"no variables", "environment", levelOK, "no variable", "", func(*doctor) {}},
		{"elsewhere", "environment", levelWarning, "MLFLOW_TRACKING_URI is https://xxxxx@example.org: clients go there", "unset", env("MLFLOW_TRACKING_URI", "https://u:p@example.org")},
		{"another port", "environment", levelWarning, "MLFLOW_S3_ENDPOINT_URL", "unset", env("MLFLOW_S3_ENDPOINT_URL", "http://127.0.0.1:9999")},
		{"a namespace", "environment", levelOK, "no variable", "", env("MLFLOW_TRACKING_URI", "http://localhost:5000/ns/a")},
		{"proxy", "environment", levelWarning, "HTTP_PROXY", "NO_PROXY", env("HTTP_PROXY", "http://proxy:3128")},
		{"no proxy", "environment", levelOK, "no variable", "", env("HTTP_PROXY", "http://proxy:3128", "NO_PROXY", "localhost,127.0.0.1")},
		{"token for passwords", "environment", levelWarning, "MLFLOW_TRACKING_TOKEN", "MLFLOW_TRACKING_USERNAME", func(d *doctor) {
			d.config.Auth = Auth{AppName: BasicAuth, AdminUsername: "admin"}
			env("MLFLOW_TRACKING_TOKEN", "x")(d)
		}},
		{"no keys", "keys", levelOK, "is not set", "", func(*doctor) {}},
		{"right keys", "keys", levelOK, "open the store", "", env("AWS_ACCESS_KEY_ID", "mlflow-key", "AWS_SECRET_ACCESS_KEY", "mlflow-secret")},
		{"namespace's keys", "keys", levelOK, "open the store", "", env("AWS_ACCESS_KEY_ID", "mlflow-key.ns.a", "AWS_SECRET_ACCESS_KEY", "mlflow-secret")},
		{"half", "keys", levelProblem, "only one", "prinzbox env", env("AWS_ACCESS_KEY_ID", "mlflow-key")},
		{"wrong key", "keys", levelProblem, "AKIA1, the store's key is mlflow-key", "prinzbox env", env("AWS_ACCESS_KEY_ID", "AKIA1", "AWS_SECRET_ACCESS_KEY", "x")},
		{"wrong secret", "keys", levelProblem, "not the secret", "prinzbox env", env("AWS_ACCESS_KEY_ID", "mlflow-key", "AWS_SECRET_ACCESS_KEY", "other-secret")},
		{"session token", "keys", levelWarning, "AWS_SESSION_TOKEN", "unset", env("AWS_ACCESS_KEY_ID", "mlflow-key", "AWS_SECRET_ACCESS_KEY", "mlflow-secret", "AWS_SESSION_TOKEN", "t")},
		{"profile", "keys", levelWarning, "AWS_PROFILE", "prinzbox env", env("AWS_PROFILE", "work")},
		{"clock", "clock", levelOK, "agree", "", up},
		{"skew", "clock", levelProblem, "1h0m0s off", "set the clock", func(d *doctor) {
			up(d)
			d.now = func() time.Time { return time.Unix(3600, 0) }
		}},
		{"little skew", "clock", levelWarning, "2m0s off", "set the clock", func(d *doctor) {
			up(d)
			d.now = func() time.Time { return time.Unix(120, 0) }
		}},
		{"no answer", "clock", levelProblem, "does not answer", "log", func(d *doctor) {
			up(d)
			d.serverTime = func(context.Context, Ready) (time.Time, error) { return time.Time{}, errors.New("refused") }
		}},
		{"python", "python", levelOK, "mlflow 3.17.2", "", func(d *doctor) { d.config.Python = "auto" }},
		{"python off", "python", levelOK, "off", "", func(*doctor) {}},
		{"no python", "python", levelWarning, "no Python with mlflow", "--python", func(d *doctor) {
			d.config.Python = "auto"
			d.python = func(context.Context, string) (string, error) { return "", errors.New("not found") }
		}},
		{"wrong python", "python", levelProblem, "/nowhere", "interpreter", func(d *doctor) {
			d.config.Python = "/nowhere"
			d.python = func(context.Context, string) (string, error) { return "", errors.New("not found") }
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := &doctor{
				config: Config{Port: 5000, S3Port: 9000, StaticPort: 4242, Data: filepath.Join(t.TempDir(), "data")}, getenv: func(string) string { return "" }, running: running,
				listen: func(context.Context, string) error { return nil }, now: func() time.Time { return time.Unix(0, 0) }, goos: "linux",
				serverTime: func(context.Context, Ready) (time.Time, error) { return time.Unix(0, 0), nil },
				python:     func(context.Context, string) (string, error) { return "3.17.2", nil },
			}
			c.set(d)
			found := d.examine(t.Context())
			for _, f := range found {
				if f.Check == c.check && f.Level == c.level && strings.Contains(f.Found, c.found) && strings.Contains(f.Fix, c.fix) {
					if (f.Level == levelOK) != (f.Fix == "") {
						t.Errorf("what is well needs no fix, and what is not does: %+v", f)
					}
					return
				}
			}
			t.Errorf("no %s of %s with %q and %q in %+v", c.level, c.check, c.found, c.fix, found)
		})
	}
}

// made makes the data folder.
func made(t *testing.T, d *doctor) string {
	t.Helper()
	if err := os.MkdirAll(d.config.Data, 0o700); err != nil {
		t.Fatal(err)
	}
	return d.config.Data
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// The real machine: an environment that runs, and its ports as another one would find them.
func TestDoctorOnAMachine(t *testing.T) {
	t.Parallel()
	env := Start(t, func(c *Config) { c.Seed = false })
	if got, err := timeOf(t.Context(), env.Ready()); err != nil || time.Since(got).Abs() > time.Minute {
		t.Errorf("%v %v", got, err)
	}
	d := newDoctor(Config{Port: env.cfg.Port, Data: t.TempDir()})
	d.getenv = func(string) string { return "" }
	for _, f := range d.examine(t.Context()) {
		if f.Check == "ports" && f.Level == levelProblem && strings.Contains(f.Found, "another prinzbox") {
			return
		}
	}
	t.Error("the busy port was not found")
}
