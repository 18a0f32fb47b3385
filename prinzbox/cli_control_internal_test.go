package prinzbox

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The commands do what the control API does, to the environment that runs in a data folder.
func TestControlCommands(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	env := Start(t, func(c *Config) { c.Data = data })
	dir := t.TempDir()
	archive, session := filepath.Join(dir, "a.tar.gz"), filepath.Join(dir, "s.json")
	cli := func(want int, says string, args ...string) string {
		t.Helper()
		var stdout, stderr bytes.Buffer
		code := run(t.Context(), append(args, "--data", data), strings.NewReader(""), &stdout, &stderr)
		if code != want || !strings.Contains(stdout.String()+stderr.String(), says) {
			t.Errorf("%v: exit code %d, not %d: %s%s", args, code, want, &stdout, &stderr)
		}
		return stdout.String()
	}
	cli(0, env.TrackingURI(), "status")
	var status struct {
		PID int `json:"pid"`
	}
	if text := cli(0, "", "status", "-o", "json"); json.Unmarshal([]byte(text), &status) != nil || status.PID != os.Getpid() {
		t.Error(text)
	}
	cli(0, "kept", "snapshot", "one")
	cli(0, "one", "snapshot")
	cli(0, "", "export", archive)
	cli(0, "reset", "reset", "empty")
	cli(0, "imported", "import", archive)
	cli(0, "restored", "restore", "one")
	cli(0, "removed", "snapshot", "--delete", "one")
	cli(1, "no snapshot", "restore", "one")
	cli(1, "empty or seeded", "reset", "full")
	cli(2, "prinzbox restore", "restore")

	cli(0, "frozen", "clock", "freeze", "2026-01-02T03:04:05Z")
	cli(0, "2026-01-03T03:04:05Z", "clock", "advance", "24h")
	cli(2, "90s", "clock", "advance", "24")
	cli(0, "real", "clock", "real")
	cli(0, "seeded", "ids", "seed", "3")
	cli(0, "random", "ids", "random")

	cli(0, "f1", "faults", "add", `{"id": "f1", "match": {"operation": "runs/*"}, "error": {"status": 503}}`)
	resp, err := http.Post(env.TrackingURI()+"/api/2.0/mlflow/runs/create", "application/json", strings.NewReader(`{"experiment_id": "0"}`))
	if err != nil || resp.StatusCode != 503 {
		t.Error(resp, err)
	}
	defer resp.Body.Close()
	cli(0, "503", "faults")
	cli(1, "does nothing", "faults", "add", `{}`)
	cli(2, "no JSON", "faults", "add", `{`)
	cli(0, "removed", "faults", "remove", "f1")
	cli(0, "no faults", "faults", "clear")

	cli(0, "1", "calls", "count", "--operation", "runs/create", "--status", "5xx")
	cli(0, "/runs/create", "calls", "--kind", "mlflow")
	cli(1, "kind", "calls", "--kind", "nothing")
	cli(0, "curl -sS -X 'POST'", "calls", "curl")
	cli(0, `"1.2"`, "calls", "har")
	text := cli(0, "prinzbox_session", "calls", "session")
	if err := os.WriteFile(session, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cli(1, "different", "calls", "replay", session) // it was a fault that answered 503
	cli(0, "no calls", "calls", "clear")

	cli(0, "/ns/mine", "namespaces", "make", "mine")
	cli(0, "mine", "namespaces")
	cli(0, "namespace", "status", "--namespace", "mine")
	cli(0, "deleted", "namespaces", "delete", "mine")
	cli(0, "MLF-FraudDetection-3", "routes")

	data = t.TempDir()
	cli(1, "nothing runs", "status")
	cli(0, "version", "status", "--url", env.TrackingURI())
	cli(2, "http://HOST:PORT", "status", "--url", "localhost")
	cli(2, "text or json", "status", "-o", "xml")
}
