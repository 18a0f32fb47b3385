package prinzbox_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prinzbox/prinzbox/prinzbox"
)

// The commands do what the control API does, to the environment that runs in a data folder.
func TestControlCommands(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	env := prinzbox.Start(t, func(c *prinzbox.Config) { c.Data = data })
	at := []string{"PRINZBOX_DATA=" + data}
	dir := t.TempDir()
	archive, session := filepath.Join(dir, "a.tar.gz"), filepath.Join(dir, "s.json")
	run := func(want int, says string, args ...string) string {
		t.Helper()
		code, stdout, stderr := runCommand(t, at, args...)
		if code != want || !strings.Contains(stdout+stderr, says) {
			t.Errorf("%v: exit code %d, not %d: %s%s", args, code, want, stdout, stderr)
		}
		return stdout
	}
	run(0, env.TrackingURI(), "status")
	var status struct {
		PID int `json:"pid"`
	}
	if text := run(0, "", "status", "-o", "json"); json.Unmarshal([]byte(text), &status) != nil || status.PID != os.Getpid() {
		t.Error(text)
	}
	run(0, "kept", "snapshot", "one")
	run(0, "one", "snapshot")
	run(0, "", "export", archive)
	run(0, "reset", "reset", "empty")
	run(0, "imported", "import", archive)
	run(0, "restored", "restore", "one")
	run(0, "removed", "snapshot", "--delete", "one")
	run(1, "no snapshot", "restore", "one")
	run(1, "empty or seeded", "reset", "full")
	run(2, "prinzbox restore", "restore")

	run(0, "frozen", "clock", "freeze", "2026-01-02T03:04:05Z")
	run(0, "2026-01-03T03:04:05Z", "clock", "advance", "24h")
	run(2, "90s", "clock", "advance", "24")
	run(0, "real", "clock", "real")
	run(0, "seeded", "ids", "seed", "3")
	run(0, "random", "ids", "random")

	run(0, "f1", "faults", "add", `{"id": "f1", "match": {"operation": "runs/*"}, "error": {"status": 503}}`)
	if code, _ := raw(t, "POST", env.TrackingURI()+"/api/2.0/mlflow/runs/create", "application/json", `{"experiment_id": "0"}`); code != 503 {
		t.Error(code)
	}
	run(0, "503", "faults")
	run(1, "does nothing", "faults", "add", `{}`)
	run(2, "no JSON", "faults", "add", `{`)
	run(0, "removed", "faults", "remove", "f1")
	run(0, "no faults", "faults", "clear")

	run(0, "1", "calls", "count", "--operation", "runs/create", "--status", "5xx")
	run(0, "/runs/create", "calls", "--kind", "mlflow")
	run(1, "kind", "calls", "--kind", "nothing")
	run(0, "curl -sS -X 'POST'", "calls", "curl")
	run(0, `"1.2"`, "calls", "har")
	text := run(0, "prinzbox_session", "calls", "session")
	if err := os.WriteFile(session, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	run(1, "different", "calls", "replay", session) // it was a fault that answered 503
	run(0, "no calls", "calls", "clear")

	run(0, "/ns/mine", "namespaces", "make", "mine")
	run(0, "mine", "namespaces")
	run(0, "namespace", "status", "--namespace", "mine")
	run(0, "deleted", "namespaces", "delete", "mine")
	run(0, "MLF-FraudDetection-3", "routes")

	at = []string{"PRINZBOX_DATA=" + t.TempDir()}
	run(1, "nothing runs", "status")
	run(0, "version", "status", "--url", env.TrackingURI())
	run(2, "http://HOST:PORT", "status", "--url", "localhost")
	run(2, "text or json", "status", "-o", "xml")
}
