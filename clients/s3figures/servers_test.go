//go:build linux

// Package s3figures_test measures the S3 store beside others: each started fresh, one after the other, with the same signed requests.
package s3figures_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/prinzbox/prinzbox/clients/venv"
)

// The keys that every server is given.
const accessKey, secretKey = "mlflow-key", "mlflow-secret"

// minioVersion is the last of MinIO's sources; there are no binaries of it.
const minioVersion = "v0.0.0-20260212201848-7aac2a2c5b7c"

// serveVariable makes this test's binary a server, so that it runs in a process of its own as the others do: ADDRESS serves stock gofakes3 in
// memory and, below /plain/, the file named by plainVariable.
const serveVariable, plainVariable = "S3FIGURES_SERVE", "S3FIGURES_PLAIN"

func TestMain(m *testing.M) {
	address := os.Getenv(serveVariable)
	if address == "" {
		os.Exit(m.Run())
	}
	mux := http.NewServeMux()
	mux.Handle("/", gofakes3.New(s3mem.New()).Server())
	mux.HandleFunc("/plain/", func(w http.ResponseWriter, r *http.Request) {
		f, err := os.Open(os.Getenv(plainVariable))
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		defer func() { _ = f.Close() }()
		http.ServeContent(w, r, "f.bin", time.Time{}, f)
	})
	server := &http.Server{Addr: address, Handler: mux, ReadHeaderTimeout: time.Minute}
	if err := server.ListenAndServe(); err != nil {
		_, _ = fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// command is how a server is started: it may use dir, an empty folder.
type command func(t *testing.T, address, port, dir string) (args, env []string)

// serverCommands are those of the servers, by what the table calls them; one that cannot be had is not in it, and why is logged.
func serverCommands(t *testing.T, plain string) map[string]command {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "prinzbox")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "../..").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	box := func(durability string) command {
		return func(_ *testing.T, _, port, dir string) (args, env []string) {
			return []string{binary, "serve", "--port", "0", "--s3-port", port, "--static-port", "0", "--data", dir, "--durability", durability}, nil
		}
	}
	moto := filepath.Join(filepath.Dir(venv.Python(t, "moto-5.2.5")), "moto_server")
	rclone := filepath.Join(filepath.Dir(venv.Python(t, "s3-clients")), "rclone")
	commands := map[string]command{
		motoName: func(_ *testing.T, _, port, _ string) (args, env []string) {
			return []string{moto, "-H", "127.0.0.1", "-p", port}, nil
		},
		rcloneName: func(_ *testing.T, address, _, dir string) (args, env []string) {
			return []string{rclone, "serve", "s3", "--addr", address, "--auth-key", accessKey + "," + secretKey, "--config", "none", dir}, nil
		},
		stockName: func(_ *testing.T, address, _, _ string) (args, env []string) {
			return []string{os.Args[0]}, []string{serveVariable + "=" + address, plainVariable + "=" + plain}
		},
		boxName:  box("normal"),
		fullName: box("full"),
	}
	if minio := minioBinary(t); minio != "" {
		commands[minioName] = func(_ *testing.T, address, _, dir string) (args, env []string) {
			return []string{minio, "server", dir, "--address", address, "--console-address", "127.0.0.1:0"},
				[]string{"MINIO_ROOT_USER=" + accessKey, "MINIO_ROOT_PASSWORD=" + secretKey, "MINIO_BROWSER=off", "MINIO_UPDATE=off"}
		}
	}
	return commands
}

// minioBinary builds MinIO once, into the user's cache folder; empty if that fails. It takes some minutes.
func minioBinary(t *testing.T) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(cache, "prinzbox-test", "bin", "minio-"+minioVersion)
	if _, err := os.Stat(file); err == nil {
		return file
	}
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "go", "install", "github.com/minio/minio@"+minioVersion)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOBIN="+dir, "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Logf("without MinIO: go install: %v\n%s", err, out)
		return ""
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "minio"))
	if err == nil {
		err = os.WriteFile(file, text, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// start runs a server and waits until it lists its buckets.
func start(t *testing.T, name string, how command) *sut {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close() // the server takes it over
	_, port, _ := net.SplitHostPort(address)
	args, env := how(t, address, port, t.TempDir())
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 5 * time.Second
	cmd.Dir = t.TempDir()
	cmd.Env = venv.Environ(append([]string{"HOME=" + cmd.Dir}, env...)...)
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); _ = cmd.Wait(); _ = log.Close() }) // it was told to end
	s := newSUT(t, name, "http://"+address)
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		if err = s.try(s.request("GET", "/", nil)); err == nil {
			if err = s.try(s.request("PUT", "/"+bucket, nil)); err == nil {
				return s
			}
		}
		if time.Now().After(deadline) {
			text, _ := os.ReadFile(log.Name())
			t.Fatalf("%s does not answer: %v; it wrote:\n%s", name, err, text)
		}
	}
}
