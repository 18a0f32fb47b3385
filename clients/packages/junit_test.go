package packages_test

import (
	"encoding/xml"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prinzbox/prinzbox/clients/venv"
)

// reactor builds the extension and the example in one run of Maven, so that the example has this very jar and the user's own Maven folder gets none.
const reactor = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>com.github.prinzbox</groupId>
  <artifactId>junit-and-example</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <modules><module>extension</module><module>example</module></modules>
</project>
`

// The jar passes its own tests, and serves a project that tests with JUnit 5.
func TestJUnit(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: runs Maven")
	}
	program, err := filepath.Abs(binary(t))
	if err != nil {
		t.Fatal(err)
	}
	unlock := venv.Maven(t)
	defer unlock()
	dir := t.TempDir()
	for name, source := range map[string]string{"extension": filepath.Join("..", "junit"), "example": filepath.Join(root(), "examples", "junit")} {
		if err := os.CopyFS(filepath.Join(dir, name), os.DirFS(source)); err != nil {
			t.Fatal(err)
		}
		// What a developer has built there is not what is tested.
		if err := os.RemoveAll(filepath.Join(dir, name, "target")); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "pom.xml"), []byte(reactor), 0o644); err != nil {
		t.Fatal(err)
	}
	must(t, dir, []string{"PRINZBOX_BINARY=" + program}, "mvn", "-q", "-B", "package")
	if _, err := os.Stat(filepath.Join(dir, "extension", "target", "prinzbox-junit-0.1.0.jar")); err != nil {
		t.Error(err)
	}
	for name, want := range map[string]int{"extension": 12, "example": 6} {
		if got := passed(t, filepath.Join(dir, name)); got != want {
			t.Errorf("%s: %d tests passed, want %d", name, got, want)
		}
	}
	// Without a program, tests say what to do.
	out, err := in(t, dir, []string{"PRINZBOX_BINARY=missing"}, "mvn", "-q", "-B", "-o", "package", "-pl", "extension", "-Dtest=PrinzboxExtensionOptionsTest")
	const message = "missing: there is no such file; option binary, property prinzbox.binary and PRINZBOX_BINARY name the program prinzbox"
	if err == nil || !strings.Contains(out, message) {
		t.Errorf("a missing program: %v\n%s", err, out)
	}
}

// passed is how many tests of a Maven project passed, by Surefire's reports.
func passed(t *testing.T, project string) int {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(project, "target", "surefire-reports", "TEST-*.xml"))
	if err != nil {
		t.Fatal(err)
	}
	sum := 0
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		// Surefire's own sum leaves out tests beside a nested class.
		var suite struct {
			Cases []struct {
				Errors   []struct{} `xml:"error"`
				Failures []struct{} `xml:"failure"`
				Skipped  []struct{} `xml:"skipped"`
			} `xml:"testcase"`
		}
		if err := xml.Unmarshal(data, &suite); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for _, c := range suite.Cases {
			if len(c.Errors)+len(c.Failures)+len(c.Skipped) == 0 {
				sum++
			}
		}
	}
	return sum
}
