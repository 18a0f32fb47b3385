package workers_test

import (
	"testing"

	"github.com/prinzbox/prinzbox/clients/venv"
	"github.com/prinzbox/prinzbox/prinzbox"
)

// What a client logs answers a second later, also when no engine in Go knows it; a new version is served by the next request.
func TestLoggedByAClient(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: Python takes a while")
	}
	interpreter := venv.Python(t, "3.17.2")
	env := prinzbox.Start(t, func(c *prinzbox.Config) { c.Seed, c.Python = false, interpreter })
	venv.Script(t, interpreter, "testdata/served.py", env)
}
