package packages_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// The feature has what the dev container specification asks for, and its script installs the program.
func TestDevcontainer(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: builds the program")
	}
	if runtime.GOOS == "windows" {
		t.Skip("dev containers are Linux")
	}
	feature := filepath.Join("..", "devcontainer")
	data, err := os.ReadFile(filepath.Join(feature, "devcontainer-feature.json"))
	if err != nil {
		t.Fatal(err)
	}
	var description struct {
		ID      string `json:"id"`
		Version string `json:"version"`
		Name    string `json:"name"`
		Options map[string]struct {
			Type    string `json:"type"`
			Default string `json:"default"`
		} `json:"options"`
	}
	if err := json.Unmarshal(data, &description); err != nil {
		t.Fatal(err)
	}
	version := description.Options["version"]
	if description.ID != "prinzbox" || description.Name == "" || strings.Count(description.Version, ".") != 2 || version.Type != "string" || version.Default == "" {
		t.Errorf("fields are missing: %+v", description)
	}
	script, err := filepath.Abs(filepath.Join(feature, "install.sh"))
	if err != nil {
		t.Fatal(err)
	}
	prefix := filepath.Join(t.TempDir(), "usr local")
	out := must(t, t.TempDir(), []string{"PREFIX=" + prefix, "PRINZBOX_BINARY=" + binary(t)}, script)
	if !strings.HasPrefix(out, "prinzbox ") {
		t.Errorf("install.sh says %q", out)
	}
	if got := must(t, prefix, nil, filepath.Join(prefix, "bin", name()), "version"); got != out {
		t.Errorf("the installed program says %q, want %q", got, out)
	}
	// Where there is neither a program nor Go it says so. The path has only what the script itself needs.
	tools := t.TempDir()
	for _, tool := range []string{"sh", "mkdir"} {
		file, err := exec.LookPath(tool)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(file, filepath.Join(tools, tool)); err != nil {
			t.Fatal(err)
		}
	}
	out, err = in(t, t.TempDir(), []string{"PREFIX=" + prefix, "PRINZBOX_BINARY=", "PATH=" + tools}, filepath.Join(tools, "sh"), script)
	if err == nil || !strings.Contains(out, "name a program in PRINZBOX_BINARY") {
		t.Errorf("without Go: %v\n%s", err, out)
	}
}
