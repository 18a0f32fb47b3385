package prinzbox

import (
	"context"
)

// TB is what Start needs of a test; *testing.T, *testing.B and *testing.F are some.
type TB interface {
	Helper()
	Fatalf(format string, args ...any)
	Errorf(format string, args ...any)
	Cleanup(func())
	TempDir() string
}

// Start gives a test a whole running environment, seeded, on free ports of loopback, in a temporary directory. It is ready on return and
// closed when the test ends. Options change the configuration before it opens.
func Start(t TB, options ...func(*Config)) *Env {
	t.Helper()
	cfg := Config{Data: t.TempDir(), Seed: true, Durability: "off"}
	for _, o := range options {
		o(&cfg)
	}
	env, err := Open(context.Background(), cfg)
	if err != nil {
		t.Fatalf("prinzbox: %v", err)
	}
	t.Cleanup(func() {
		if err := env.Close(); err != nil {
			t.Errorf("prinzbox: close: %v", err)
		}
	})
	return env
}
