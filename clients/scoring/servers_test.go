//go:build linux

package scoring_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prinzbox/prinzbox/clients/venv"
)

// server is a scoring server in a process of its own.
type server struct {
	name string
	url  string // of the route
	pid  int
	took time.Duration // to its first answer
}

var client = &http.Client{Timeout: time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: 16, DisableCompression: true}}

func post(url string, body []byte) (int, []byte, error) {
	r, err := client.Post(url, "application/json", bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	return r.StatusCode, text, err
}

// free is a port that nobody uses; the server takes it over.
func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // only its number counts
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// launch starts a server and waits until it scores a row.
func launch(t *testing.T, name, url string, env []string, args ...string) *server {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	cmd.Dir = t.TempDir()
	cmd.Env = venv.Environ(append(env, "HOME="+cmd.Dir, "MLFLOW_DISABLE_TELEMETRY=true", "DO_NOT_TRACK=true", "PATH="+filepath.Dir(args[0])+":"+os.Getenv("PATH"))...)
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = log, log
	began := time.Now()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); _ = cmd.Wait(); _ = log.Close() }) // it was told to end
	for time.Since(began) < 2*time.Minute {
		if status, _, err := post(url, rows(1)); err == nil && status == http.StatusOK {
			return &server{name, url, cmd.Process.Pid, time.Since(began)}
		}
		time.Sleep(20 * time.Millisecond)
	}
	text, _ := os.ReadFile(log.Name())
	t.Fatalf("%s does not answer; it wrote:\n%s", name, text)
	return nil
}

func get(t *testing.T, url string) []byte {
	t.Helper()
	r, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d %.200s %v", url, r.StatusCode, text, err)
	}
	return text
}

func number(port string) int {
	n, _ := strconv.Atoi(port) // free made it
	return n
}

func write(t *testing.T, file string, v any) {
	t.Helper()
	text, err := json.Marshal(v)
	if err == nil {
		err = os.WriteFile(file, text, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// fetch copies the wine model's directory from prinzbox.
func fetch(t *testing.T, base string) string {
	t.Helper()
	var v struct {
		Version struct{ Source string } `json:"model_version"`
	}
	if err := json.Unmarshal(get(t, base+"/api/2.0/mlflow/model-versions/get?name="+wine+"&version=1"), &v); err != nil {
		t.Fatal(err)
	}
	at := strings.TrimPrefix(v.Version.Source, "s3://mlflow/")
	var list struct {
		Files []struct {
			Path string `json:"path"`
		} `json:"files"`
	}
	if err := json.Unmarshal(get(t, base+"/api/2.0/mlflow-artifacts/artifacts?path="+at), &list); err != nil || len(list.Files) == 0 {
		t.Fatalf("no files in %s: %v", at, err)
	}
	dir := t.TempDir()
	for _, f := range list.Files {
		name := filepath.Base(f.Path)
		if err := os.WriteFile(filepath.Join(dir, name), get(t, base+"/api/2.0/mlflow-artifacts/artifacts/"+at+"/"+name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// forest logs forests with MLflow's client and gives the median time to the first answer.
func forest(t *testing.T, python, base string, rounds int) time.Duration {
	t.Helper()
	script, err := filepath.Abs("testdata/forest.py")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), python, "-W", "ignore", script, base, strconv.Itoa(rounds))
	cmd.Dir = t.TempDir()
	cmd.Env = venv.Environ("HOME="+cmd.Dir, "MLFLOW_DISABLE_TELEMETRY=true", "DO_NOT_TRACK=true", "GIT_PYTHON_REFRESH=quiet")
	var log bytes.Buffer
	cmd.Stderr = &log
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, log.Bytes())
	}
	var times []float64
	for line := range strings.Lines(string(out)) {
		if rest, ok := strings.CutPrefix(line, "forest_ms "); ok {
			v, err := strconv.ParseFloat(strings.TrimSpace(rest), 64)
			if err != nil {
				t.Fatal(err)
			}
			times = append(times, v)
		}
	}
	if len(times) != rounds {
		t.Fatalf("%d of %d forests: %s", len(times), rounds, out)
	}
	slices.Sort(times)
	return time.Duration(times[len(times)/2] * float64(time.Millisecond))
}

// hundred registers and asks 100 copies of the model.
func hundred(t *testing.T, base, dir string) {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	send := func(method, url string, body []byte) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		a, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer a.Body.Close()
		if text, _ := io.ReadAll(a.Body); a.StatusCode != http.StatusOK {
			t.Fatalf("%s: %d %.300s", url, a.StatusCode, text)
		}
	}
	for i := range 100 {
		name := fmt.Sprintf("copy-%d", i)
		for _, f := range files {
			text, err := os.ReadFile(filepath.Join(dir, f.Name()))
			if err != nil {
				t.Fatal(err)
			}
			send("PUT", base+"/api/2.0/mlflow-artifacts/artifacts/copies/"+name+"/"+f.Name(), text)
		}
		send("POST", base+"/api/2.0/mlflow/registered-models/create", []byte(`{"name":"`+name+`"}`))
		send("POST", base+"/api/2.0/mlflow/model-versions/create", []byte(`{"name":"`+name+`","source":"s3://mlflow/copies/`+name+`"}`))
		send("POST", base+"/"+name+"/invocations", rows(1))
	}
}
