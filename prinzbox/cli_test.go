package prinzbox_test

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prinzbox/prinzbox/prinzbox"
)

var sampleModels = []string{"MLF-ElasticnetWineModel-1", "MLF-ElasticnetWineModel-2", "MLF-FraudDetection-3"}

// Standard output holds the ready line and nothing else, and everything answers from that moment.
func TestReadyLine(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "ready.json")
	p := serve(t, nil, append([]string{"--ephemeral", "--ready-file", file}, freePorts...)...)
	for url, want := range map[string]int{
		p.ready.TrackingURI + "/health":                          200,
		p.ready.TrackingURI + "/version":                         200,
		p.ready.GUIURL:                                           200,
		p.ready.S3Endpoint + "/mlflow":                           403,
		p.ready.StaticURL + "/static/int":                        200,
		p.ready.TrackingURI + "/MLF-FraudDetection-3/ping":       200,
		p.ready.TrackingURI + "/MLF-ElasticnetWineModel-1/ping":  200,
		p.ready.TrackingURI + "/MLF-ElasticnetWineModel-2/ping":  200,
		p.ready.TrackingURI + "/api/2.0/mlflow/experiments/list": 200,
	} {
		for _, method := range []string{"GET", "HEAD"} { // a container's health check may be wget --spider
			if a := call(t, method, url, ""); a.status != want {
				t.Errorf("%s %s: %d, want %d: %.300s", method, url, a.status, want, a.body)
			}
		}
	}

	var keys map[string]any
	if err := json.Unmarshal([]byte(p.line), &keys); err != nil {
		t.Fatal(err)
	}
	want := []string{"access_key", "bucket", "data_dir", "gui_url", "pid", "ready", "region", "s3_endpoint", "secret_key", "seeded", "static_url", "tracking_uri", "version"}
	if got := slices.Sorted(maps.Keys(keys)); !slices.Equal(got, want) {
		t.Errorf("keys %q, want %q", got, want)
	}
	if keys["data_dir"] != nil || keys["ready"] != true || keys["pid"] != float64(p.cmd.Process.Pid) {
		t.Errorf("ready line %s", p.line)
	}
	r := p.ready
	if r.Bucket != "mlflow" || r.AccessKey != "mlflow-key" || r.SecretKey != "mlflow-secret" || r.Region != "us-east-1" || !slices.Equal(r.Seeded, sampleModels) {
		t.Errorf("ready line %s", p.line)
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != p.line {
		t.Errorf("--ready-file holds %q, %v; stdout had %q", text, err, p.line)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("--ready-file holds the secret key, so only its owner may read it: %v, %v", info.Mode(), err)
	}
	code, more := p.stop(t, syscall.SIGTERM)
	if code != 0 || more != "" {
		t.Errorf("after SIGTERM: exit code %d, more on stdout: %q", code, more)
	}
	if _, err := os.Stat(file); !os.IsNotExist(err) {
		t.Errorf("--ready-file is still there although nothing is ready: %v", err)
	}
}

func TestSignalsStopCleanly(t *testing.T) {
	t.Parallel()
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(sig.String(), func(t *testing.T) {
			t.Parallel()
			temp := t.TempDir()
			p := serve(t, []string{"TMPDIR=" + temp}, append([]string{"serve", "--ephemeral", "--no-seed"}, freePorts...)...)
			if code, _ := p.stop(t, sig); code != 0 {
				t.Errorf("exit code %d; stderr:\n%s", code, p.stderr.String())
			}
			if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
				t.Errorf("left in the temporary folder: %v, %v", left, err)
			}
		})
	}
}

// A signal during start-up is obeyed as well: exit code 0 and no ready line.
func TestSignalDuringStart(t *testing.T) {
	t.Parallel()
	temp := t.TempDir()
	cmd := command(t, []string{"TMPDIR=" + temp}, append([]string{"serve", "--ephemeral"}, freePorts...)...)
	var out, log safeBuffer
	cmd.Stdout, cmd.Stderr = &out, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	// The temporary folder shows that signals are caught from here on.
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		if made, _ := os.ReadDir(temp); len(made) > 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("it did not begin to start")
		}
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v; stderr:\n%s", err, log.String())
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
		t.Errorf("left in the temporary folder: %v, %v", left, err)
	}
}

// A request that has begun is answered; new ones are refused.
func TestSIGTERMDrains(t *testing.T) {
	t.Parallel()
	p := serve(t, nil, append([]string{"--ephemeral", "--no-seed"}, freePorts...)...)
	body, write := io.Pipe()
	req, err := http.NewRequestWithContext(t.Context(), "POST", p.ready.TrackingURI+"/api/2.0/mlflow/experiments/create", body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	answers := make(chan answer, 1)
	go func() {
		a, err := do(req)
		if err != nil {
			a.body = err.Error()
		}
		answers <- a
	}()
	if _, err := io.WriteString(write, `{"name": `); err != nil { // returns when the client has sent it
		t.Fatal(err)
	}
	time.Sleep(100 * time.Millisecond) // until the server has read the head
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if conn, err := net.Dial("tcp", strings.TrimPrefix(p.ready.TrackingURI, "http://")); err != nil {
			break
		} else if err := conn.Close(); err != nil {
			t.Fatal(err)
		}
		if time.Now().After(deadline) {
			t.Fatal("ten seconds after SIGTERM it still takes connections")
		}
	}
	if _, err := io.WriteString(write, `"drained"}`); err != nil {
		t.Fatal(err)
	}
	if err := write.Close(); err != nil {
		t.Fatal(err)
	}
	if a := <-answers; a.status != 200 || !strings.Contains(a.body, "experiment_id") {
		t.Errorf("the request under way got %d %s", a.status, a.body)
	}
	if code, _ := p.wait(t); code != 0 {
		t.Errorf("exit code %d; stderr:\n%s", code, p.stderr.String())
	}
}

func TestBusyPort(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // nothing was sent
	port := strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
	for _, flag := range []string{"--port", "--s3-port", "--static-port"} {
		args := append([]string{"serve", "--ephemeral", "--no-seed"}, freePorts...)
		code, stdout, stderr := runCommand(t, nil, append(args, flag, port)...)
		if code != 1 || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, "port "+port) || !strings.Contains(stderr, flag+" ") {
			t.Errorf("%s: exit code %d, stdout %q, stderr %q", flag, code, stdout, stderr)
		}
	}
}

func TestUsageMistakes(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		env, args []string
		say       string
	}{
		{args: []string{"frobnicate"}, say: "frobnicate"},
		{args: []string{"serve", "more"}, say: "more"},
		{args: []string{"--no-such-flag"}, say: "no-such-flag"},
		{args: []string{"serve", "--port", "many"}, say: "port"},
		{args: []string{"serve", "--port", "70000"}, say: "--port 70000"},
		{args: []string{"serve", "--s3-port", "-1"}, say: "--s3-port -1"},
		{args: []string{"serve", "--durability", "hope"}, say: "--durability hope"},
		{args: []string{"serve", "--log-level", "loud"}, say: "--log-level loud"},
		{args: []string{"serve", "--data", ""}, say: "--data"},
		{args: []string{"serve", "--ephemeral", "--data", "here"}, say: "use one of them"},
		{args: []string{"serve", "--secret-key", ""}, say: "--secret-key"},
		{args: []string{"serve", "--default-artifact-root", "s3://"}, say: "s3://BUCKET"},
		{args: []string{"serve", "--artifacts-destination", "s3://"}, say: "s3://BUCKET"},
		{args: []string{"serve", "--fraud-data", "no-such.csv", "--ephemeral"}, say: "--fraud-data"},
		{args: []string{"exec"}, say: "exec needs a command"},
		{args: []string{"env", "-o", "yaml"}, say: "-o yaml"},
		{args: []string{"version", "please"}, say: "please"},
		{env: []string{"PRINZBOX_PORT=many"}, args: []string{"serve"}, say: "PRINZBOX_PORT"},
		{env: []string{"MLFLOW_PORT=x"}, args: []string{"serve"}, say: "MLFLOW_PORT"},
	} {
		code, stdout, stderr := runCommand(t, tc.env, tc.args...)
		if code != 2 || stdout != "" || !strings.Contains(stderr, tc.say) || !strings.Contains(stderr, "--help") {
			t.Errorf("%q %q: exit code %d, stdout %q, stderr %q", tc.env, tc.args, code, stdout, stderr)
		}
	}
}

func TestVersionAndHelp(t *testing.T) {
	t.Parallel()
	code, stdout, _ := runCommand(t, nil, "version")
	if want := fmt.Sprintf("prinzbox %s (MLflow %s)\n", prinzbox.Version, prinzbox.MLflowVersion); code != 0 || stdout != want {
		t.Errorf("version: exit code %d, %q", code, stdout)
	}
	for _, args := range [][]string{{"--help"}, {"serve", "--help"}} {
		code, stdout, _ = runCommand(t, nil, args...)
		for _, flag := range []string{"--host", "--port", "--s3-port", "--static-port", "--data", "--ephemeral", "--no-seed", "--default-artifact-root", "--artifacts-destination", "--ready-file"} {
			if code != 0 || !strings.Contains(stdout, flag) {
				t.Errorf("%q: exit code %d, no %s in\n%s", args, code, flag, stdout)
			}
		}
	}
}

// Flags have environment twins; a flag wins over PRINZBOX_…, which wins over MLflow's name.
func TestEnvironmentTwins(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name      string
		env, args []string
		port      string
	}{
		{"own name", []string{"PRINZBOX_PORT=41001"}, nil, "41001"},
		{"MLflow's name", []string{"MLFLOW_PORT=41002"}, nil, "41002"},
		{"own name first", []string{"MLFLOW_PORT=41002", "PRINZBOX_PORT=41001"}, nil, "41001"},
		{"flag first", []string{"MLFLOW_PORT=41002", "PRINZBOX_PORT=41001"}, []string{"--port", "41003"}, "41003"},
		{"empty is unset", []string{"PRINZBOX_PORT=", "MLFLOW_PORT="}, nil, "5000"},
	} {
		code, stdout, stderr := runCommand(t, tc.env, append([]string{"env"}, tc.args...)...)
		if want := "export MLFLOW_TRACKING_URI=http://127.0.0.1:" + tc.port + "\n"; code != 0 || !strings.Contains(stdout, want) {
			t.Errorf("%s: exit code %d, stdout %q, stderr %q", tc.name, code, stdout, stderr)
		}
	}
	all := []string{
		"PRINZBOX_HOST=127.0.0.1", "PRINZBOX_S3_PORT=0", "PRINZBOX_STATIC_PORT=0", "PRINZBOX_PORT=0", "PRINZBOX_EPHEMERAL=true", "PRINZBOX_NO_SEED=true",
		"MINIO_ROOT_USER=minio-user", "MINIO_ROOT_PASSWORD=minio-password", "MINIO_REGION=eu-west-1", "PRINZBOX_BUCKET=other-bucket",
		"MLFLOW_DEFAULT_ARTIFACT_ROOT=s3://other-bucket/x",
	}
	p := serve(t, all)
	if r := p.ready; r.AccessKey != "minio-user" || r.SecretKey != "minio-password" || r.Region != "eu-west-1" || r.Bucket != "other-bucket" || r.DataDir != nil || len(r.Seeded) > 0 {
		t.Errorf("ready line %s", p.line)
	}
	a := call(t, "POST", p.ready.TrackingURI+"/api/2.0/mlflow/experiments/create", `{"name": "e"}`)
	a = call(t, "GET", p.ready.TrackingURI+"/api/2.0/mlflow/experiments/get-by-name?experiment_name=e", a.body)
	if !strings.Contains(a.body, `"s3://other-bucket/x/`) {
		t.Errorf("experiment: %s", a.body)
	}
}
