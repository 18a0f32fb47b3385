package packages_test

import (
	"archive/zip"
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"maps"
	"net/textproto"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/prinzbox/prinzbox/clients/venv"
)

// wheels are the platforms of the wheels, and machines as pip names them: those that take the wheel, and those that do not.
var wheels = map[string]struct{ takes, refuses []string }{
	"linux-amd64": {
		[]string{"manylinux1_x86_64", "manylinux2014_x86_64", "manylinux_2_5_x86_64", "musllinux_1_1_x86_64"}, []string{"manylinux2014_aarch64", "win_amd64", "macosx_14_0_x86_64"},
	},
	"linux-arm64":   {[]string{"manylinux2014_aarch64", "manylinux_2_17_aarch64", "musllinux_1_1_aarch64"}, []string{"manylinux2014_x86_64", "macosx_14_0_arm64"}},
	"darwin-amd64":  {[]string{"macosx_12_0_x86_64", "macosx_15_0_x86_64"}, []string{"macosx_11_0_x86_64", "macosx_14_0_arm64"}},
	"darwin-arm64":  {[]string{"macosx_12_0_arm64", "macosx_26_0_arm64"}, []string{"macosx_11_0_arm64", "macosx_14_0_x86_64"}},
	"windows-amd64": {[]string{"win_amd64"}, []string{"win_arm64", "manylinux2014_x86_64"}},
	"windows-arm64": {[]string{"win_arm64"}, []string{"win_amd64"}},
}

// What can be told of a wheel without the machine that it is for: another file stands for its program.
func TestWheels(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: a Python with pip is got from the network")
	}
	python := venv.Python(t, "pytest-9.2.0")
	other := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(other, bytes.Repeat([]byte("program"), 10_000), 0o600); err != nil { // whose mode is not that of the wheel's
		t.Fatal(err)
	}
	for platform, machines := range wheels {
		t.Run(platform, func(t *testing.T) {
			t.Parallel()
			build := func() string {
				return strings.TrimSpace(must(t, ".", nil, python, filepath.Join("..", "pytest", "build_wheel.py"), "--binary", other, "--platform", platform,
					"--version", "1.2.3", "--out", t.TempDir()))
			}
			file := build()
			first, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if second, err := os.ReadFile(build()); err != nil || !bytes.Equal(first, second) {
				t.Errorf("the same program gives other bytes, or %v", err)
			}
			checkWheel(t, filepath.Base(file), first, platform)
			takes := func(machine string) error {
				_, err := in(t, ".", nil, python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--dry-run", "--no-index", "--no-deps",
					"--only-binary", ":all:", "--platform", machine, "--target", t.TempDir(), file)
				return err
			}
			for _, machine := range machines.takes {
				if err := takes(machine); err != nil {
					t.Errorf("%s does not take it: %v", machine, err)
				}
			}
			for _, machine := range machines.refuses {
				if takes(machine) == nil {
					t.Errorf("%s takes it", machine)
				}
			}
		})
	}
}

// checkWheel holds a wheel against the rules of its format (packaging.python.org, binary distribution format).
func checkWheel(t *testing.T, name string, data []byte, platform string) {
	t.Helper()
	r, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	program := "prinzbox/bin/prinzbox"
	if strings.HasPrefix(platform, "windows") {
		program += ".exe"
	}
	for _, f := range r.File {
		in, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		files[f.Name] = string(text)
		want := os.FileMode(0o644)
		if f.Name == program {
			want = 0o755
		}
		if got := f.Mode(); got != want {
			t.Errorf("%s has mode %v", f.Name, got)
		}
	}
	const info = "prinzbox-1.2.3.dist-info/"
	want := []string{
		"prinzbox/__init__.py", "prinzbox/__main__.py", "prinzbox/_environment.py", "prinzbox/_process.py", "prinzbox/plugin.py", "prinzbox/py.typed", program,
		info + "LICENSE", info + "METADATA", info + "RECORD", info + "WHEEL", info + "entry_points.txt",
	}
	slices.Sort(want)
	if got := slices.Sorted(maps.Keys(files)); !slices.Equal(got, want) {
		t.Errorf("files %q, not %q", got, want)
	}

	var record strings.Builder
	for _, f := range r.File { // in the archive's order
		if f.Name == info+"RECORD" {
			fmt.Fprintf(&record, "%s,,\n", f.Name)
			continue
		}
		sum := sha256.Sum256([]byte(files[f.Name]))
		fmt.Fprintf(&record, "%s,sha256=%s,%d\n", f.Name, base64.RawURLEncoding.EncodeToString(sum[:]), len(files[f.Name]))
	}
	if files[info+"RECORD"] != record.String() {
		t.Errorf("RECORD\n%s, not\n%s", files[info+"RECORD"], record.String())
	}

	header := func(name string) textproto.MIMEHeader {
		t.Helper()
		h, err := textproto.NewReader(bufio.NewReader(strings.NewReader(files[info+name] + "\n"))).ReadMIMEHeader()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return h
	}
	m := header("METADATA")
	for key, value := range map[string]string{
		"Metadata-Version": "2.1", "Name": "prinzbox", "Version": "1.2.3", "License": "Apache-2.0", "Requires-Python": ">=3.8", "Provides-Extra": "pytest",
		"Description-Content-Type": "text/markdown",
	} {
		if got := m.Values(key); len(got) != 1 || got[0] != value {
			t.Errorf("METADATA: %s is %q", key, got)
		}
	}
	if _, readme, _ := strings.Cut(files[info+"METADATA"], "\n\n"); !strings.HasPrefix(readme, "# ") {
		t.Errorf("METADATA has no readme: %.80q", readme)
	}
	if got, err := os.ReadFile(filepath.Join(root(), "LICENSE")); err != nil || files[info+"LICENSE"] != string(got) {
		t.Errorf("LICENSE: %v", err)
	}
	if !strings.Contains(files[info+"entry_points.txt"], "[console_scripts]\nprinzbox = prinzbox.__main__:main\n") {
		t.Errorf("entry_points.txt: %s", files[info+"entry_points.txt"])
	}

	w := header("WHEEL")
	if w.Get("Wheel-Version") != "1.0" || w.Get("Root-Is-Purelib") != "false" {
		t.Errorf("WHEEL: %v", w)
	}
	tags, ok := strings.CutSuffix(strings.TrimPrefix(name, "prinzbox-1.2.3-py3-none-"), ".whl")
	var expanded []string
	for tag := range strings.SplitSeq(tags, ".") {
		expanded = append(expanded, "py3-none-"+tag)
	}
	if got := w.Values("Tag"); !ok || !slices.Equal(got, expanded) {
		t.Errorf("%s: the tags in it are %q", name, got)
	}
}
