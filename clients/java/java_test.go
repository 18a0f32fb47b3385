// Package java_test runs MLflow's Java client, and the S3 client that Prinz uses, against prinzbox. Maven fetches them once, into the user's
// cache folder.
package java_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prinzbox/prinzbox/clients/venv"
	"github.com/prinzbox/prinzbox/prinzbox"
)

// libraries is the folder of jars that a profile of testdata/pom.xml names, filled if need be.
func libraries(t *testing.T, profile string) string {
	t.Helper()
	unlock := venv.Maven(t)
	defer unlock()
	pom, err := filepath.Abs(filepath.Join("testdata", "pom.xml"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(pom)
	if err != nil {
		t.Fatal(err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(cache, "prinzbox-test", fmt.Sprintf("java-%s-%x", profile, sha256.Sum256(text))[:len("java-")+len(profile)+17])
	complete := filepath.Join(dir, "complete")
	if _, err := os.Stat(complete); err == nil {
		return dir
	}
	start := time.Now()
	t.Logf("fetching the jars of %s into %s, once", profile, dir)
	if err := os.RemoveAll(dir); err != nil { // what an interrupted run left
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "mvn", "-q", "-B", "-f", pom, "-P", profile, "dependency:copy-dependencies", "-DincludeScope=runtime", "-DoutputDirectory="+dir)
	cmd.Dir = t.TempDir()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(cmd.Args, " "), err, out)
	}
	if err := os.WriteFile(complete, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	t.Logf("fetched in %.0f s", time.Since(start).Seconds())
	return dir
}

// run compiles testdata/<name>.java, and what it uses, and runs it with the variables that `prinzbox env` prints. A program ends with an
// error, or well.
func run(t *testing.T, profile, name string, env *prinzbox.Env, extraEnv ...string) {
	t.Helper()
	jars := filepath.Join(libraries(t, profile), "*")
	sources, err := filepath.Abs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	classes := t.TempDir()
	start := time.Now()
	for _, args := range [][]string{
		{"javac", "-encoding", "UTF-8", "-proc:none", "-cp", jars, "-sourcepath", sources, "-d", classes, filepath.Join(sources, name+".java")},
		{"java", "-Dfile.encoding=UTF-8", "-cp", classes + string(filepath.ListSeparator) + jars, name},
	} {
		cmd := exec.CommandContext(ctx, args[0], args[1:]...)
		cmd.Dir = classes
		cmd.Env = venv.Environ("MLFLOW_TRACKING_URI=" + env.TrackingURI())
		for _, v := range env.Ready().Env() {
			cmd.Env = append(cmd.Env, v.Name+"="+v.Value)
		}
		cmd.Env = append(cmd.Env, extraEnv...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s %s: %v\n%s", args[0], name, err, out)
		}
	}
	t.Logf("%s with %s: %.1f s", name, profile, time.Since(start).Seconds())
}

// The unmodified Java clients of two generations, the newest of each that Maven Central has for everybody, do their daily work.
func TestMLflowJavaClients(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: real clients take a minute")
	}
	env := prinzbox.Start(t, func(c *prinzbox.Config) { c.Seed = false })
	t.Run("2.17.2", func(t *testing.T) { run(t, "mlflow-2.17.2", "Generation2", env) })
	t.Run("1.22.0", func(t *testing.T) { run(t, "mlflow-1.22.0", "Generation1", env) })
}

// Prinz's S3 client reads a sample model's MLmodel, under a key that begins with a slash.
func TestMinIOJavaClient(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: real clients take a minute")
	}
	env := prinzbox.Start(t)
	req, err := http.NewRequestWithContext(t.Context(), "GET", env.TrackingURI()+"/api/2.0/preview/mlflow/registered-models/list", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var list struct {
		Models []struct {
			Latest []struct {
				Source string `json:"source"`
			} `json:"latest_versions"`
		} `json:"registered_models"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&list); err != nil {
		t.Fatal(err)
	}
	if len(list.Models) == 0 || len(list.Models[0].Latest) == 0 {
		t.Fatalf("no sample models: %+v", list)
	}
	key, ok := strings.CutPrefix(list.Models[0].Latest[0].Source, "s3://mlflow/")
	if !ok {
		t.Fatalf("source %q is not in the bucket", list.Models[0].Latest[0].Source)
	}
	run(t, "minio-8.0.0", "Objects", env, "OBJECT_KEY="+key+"/MLmodel")
}
