package prinzbox_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prinzbox/prinzbox/prinzbox"
	"github.com/prinzbox/prinzbox/registry"
)

// A model directory that lies in the folder is registered before the environment is ready; one that is dropped there, or changed, soon after. What is
// registered stays so over a restart.
func TestModelFolder(t *testing.T) {
	folder, data := t.TempDir(), t.TempDir()
	drop := func(name string) {
		t.Helper()
		if err := os.CopyFS(filepath.Join(folder, name), os.DirFS("../serving/testdata/served/elasticnet")); err != nil {
			t.Fatal(err)
		}
	}
	drop("wine")
	for _, no := range []string{"notes.txt", ".hidden"} {
		if err := os.WriteFile(filepath.Join(folder, no), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	start := func() *prinzbox.Env {
		t.Helper()
		env, err := prinzbox.Open(t.Context(), prinzbox.Config{Data: data, Models: folder})
		if err != nil {
			t.Fatal(err)
		}
		return env
	}
	score := func(env *prinzbox.Env, name string) (string, bool) {
		body, err := os.Open("../serving/testdata/served/elasticnet/serving_input_example.json")
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.Post(env.TrackingURI()+"/"+name+"/invocations", "application/json", body)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		return string(text), err == nil && resp.StatusCode == http.StatusOK && strings.Contains(string(text), "predictions")
	}
	eventually := func(what string, ok func() bool) {
		t.Helper()
		for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(50 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("never: " + what)
			}
		}
	}
	versions := func(env *prinzbox.Env, name string) int {
		page, err := env.Store().SearchModelVersions(t.Context(), registry.Query{Filter: fmt.Sprintf("name = '%s'", name), MaxResults: 100})
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range page.Items { // Prinz asks for each
			if _, err := env.Store().Run(t.Context(), v.RunID); err != nil {
				t.Error(err)
			}
		}
		return len(page.Items)
	}

	env := start()
	if answer, ok := score(env, "wine"); !ok {
		t.Fatalf("at once: %s", answer)
	}
	drop("late")
	eventually("late answers", func() bool { _, ok := score(env, "late"); return ok })
	if err := os.WriteFile(filepath.Join(folder, "wine", "note"), []byte("changed"), 0o600); err != nil {
		t.Fatal(err)
	}
	eventually("a second version of wine", func() bool { return versions(env, "wine") == 2 })
	if err := env.Close(); err != nil {
		t.Fatal(err)
	}

	env = start()
	defer env.Close() //nolint:errcheck // a temporary folder
	if w, l := versions(env, "wine"), versions(env, "late"); w != 2 || l != 1 {
		t.Errorf("after a restart: %d and %d versions, want 2 and 1", w, l)
	}
}

func TestModelFolderThatIsNone(t *testing.T) {
	_, err := prinzbox.Open(t.Context(), prinzbox.Config{Models: filepath.Join(t.TempDir(), "nope")})
	if err == nil || !strings.Contains(err.Error(), "--models") {
		t.Errorf("got %v", err)
	}
}
