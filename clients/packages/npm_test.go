package packages_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prinzbox/prinzbox/clients/venv"
)

// The npm package, packed as it would be published with this machine's program in it, serves a project that tests with vitest.
func TestVitest(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: installs npm packages")
	}
	if _, err := exec.LookPath("npm"); err != nil {
		venv.Missing(t, "needs npm: install Node.js 18 or later (Debian: apt-get install nodejs npm)")
	}
	source := filepath.Join(t.TempDir(), "npm")
	if err := os.CopyFS(source, os.DirFS(filepath.Join("..", "npm"))); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(binary(t))
	if err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(source, "bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(bin, name()), data, 0o755); err != nil {
		t.Fatal(err)
	}
	dir := example(t, "vitest")
	must(t, source, nil, "npm", "pack", "--silent", "--pack-destination", dir)
	must(t, dir, nil, "npm", "install", "--silent", "--no-audit", "--no-fund", "--no-package-lock", "--save-dev", "./prinzbox-0.1.0.tgz")
	out := must(t, dir, []string{"NO_COLOR=1"}, "npm", "test")
	if !strings.Contains(out, "3 passed (3)") {
		t.Errorf("want 3 passed:\n%s", out)
	}
	// Without an import statement, and with the command.
	const script = `
const { start } = require('prinzbox');
start({ seed: false }).then(async (box) => {
  const env = box.namespace();
  await env.snapshot('empty');
  const headers = { 'Content-Type': 'application/json' };
  await fetch(env.trackingUri + '/api/2.0/mlflow/experiments/create', { method: 'POST', headers, body: '{"name": "mine"}' });
  await env.assertCalled({ operation: 'experiments/create' }, 1);
  await env.assertCalled({ path: '*/create' }, 2).catch((error) => console.log(error.message));
  console.log(JSON.stringify(await env.keys()));
  console.log(JSON.stringify((await env.status()).seeded), env.trackingUri.startsWith(box.trackingUri + '/ns/'));
  await env.delete();
  await box.stop();
  await fetch(box.trackingUri).then(() => console.log('still there'), () => console.log('ended'));
  await start({ args: ['--no-such-flag'] }).catch((error) => console.log(/no-such-flag/.test(error.message)));
});`
	const want = `wanted 2 calls with {"path":"*/create"}, got 1; the last calls:
  POST /api/2.0/mlflow/experiments/create -> 200
[]
[] true
ended
true
`
	if got := must(t, dir, nil, "node", "-e", script); got != want {
		t.Errorf("a script says %q", got)
	}
	orphan(t, dir, "node", "-e", `
require('prinzbox').start().then(async (box) => {
  require('fs').writeSync(1, box.trackingUri + '\n');
  await box.status();
  process.kill(process.pid, 'SIGKILL');
});`)
	if got := must(t, dir, nil, filepath.Join("node_modules", ".bin", "prinzbox"), "version"); !strings.HasPrefix(got, "prinzbox ") {
		t.Errorf("prinzbox version says %q", got)
	}
}
