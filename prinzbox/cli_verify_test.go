package prinzbox_test

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/prinzbox/prinzbox/artifacts"
)

// verify tells damage by its exit code, in words and as JSON, beside a running server and without one.
func TestVerifyCommand(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	if code, _, stderr := runCommand(t, nil, "verify", "--data", data); code != 1 || !strings.Contains(stderr, "there is no data in "+data) {
		t.Errorf("no folder: %d %s", code, stderr)
	}
	if _, err := os.Stat(data); err == nil {
		t.Error("verify made the folder")
	}
	if code, _, stderr := runCommand(t, nil, "verify", "--ephemeral"); code != 2 || !strings.Contains(stderr, "needs a data folder") {
		t.Errorf("ephemeral: %d %s", code, stderr)
	}
	p := serve(t, nil, append([]string{"serve", "--no-seed", "--data", data}, freePorts...)...)
	s3 := s3Client(t, p.ready)
	for key, size := range map[string]int{"models/a b": 300_000, "small": 100} {
		if _, err := s3.PutObject(t.Context(), "mlflow", key, bytes.NewReader(content(1, size)), int64(size), minio.PutObjectOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	check := func(name string, wantCode int, wantText string, wantOK bool, damage int) {
		t.Helper()
		code, stdout, stderr := runCommand(t, nil, "verify", "--data", data)
		if code != wantCode || !strings.Contains(stdout, wantText) || stderr != "" {
			t.Errorf("%s: %d %s %s", name, code, stdout, stderr)
		}
		var report struct {
			OK       bool
			Contents int
			Bytes    int64
			Damage   []artifacts.Damage
		}
		code, stdout, stderr = runCommand(t, nil, "verify", "--data", data, "--json")
		if err := json.Unmarshal([]byte(stdout), &report); err != nil || code != wantCode || report.OK != wantOK || report.Contents != 2 || len(report.Damage) != damage {
			t.Errorf("%s: %d %s %s", name, code, stdout, stderr)
		}
		if damage > 0 && (len(report.Damage[0].Objects) != 1 || report.Damage[0].Objects[0].Key != "models/a b" || report.Damage[0].File == "") {
			t.Errorf("%s: %+v", name, report.Damage)
		}
	}
	check("while the server runs", 0, "2 contents, 293.1 KiB: all as they were stored\n", true, 0)
	err := filepath.WalkDir(filepath.Join(data, "blobs", "blobs"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		return os.WriteFile(path, make([]byte, 300_000), 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
	want := "s3://mlflow/models/a b: the bytes are not those that were stored (blobs/"
	check("damaged, while the server runs", 1, want, false, 1)
	if got, err := s3.GetObject(t.Context(), "mlflow", "models/a b", minio.GetObjectOptions{}); err == nil {
		if n, err := new(bytes.Buffer).ReadFrom(got); err == nil {
			t.Errorf("%d damaged bytes were served", n)
		}
	}
	// The log comes through a pipe: it may be a moment behind the answer.
	for end := time.Now().Add(10 * time.Second); !strings.Contains(p.stderr.String(), "damaged"); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the log tells nothing:\n%s", p.stderr.String())
		}
	}
	if code, _ := p.stop(t, syscall.SIGTERM); code != 0 {
		t.Errorf("stopped with %d", code)
	}
	check("damaged", 1, want, false, 1)
	check("damaged", 1, "2 contents, 293.1 KiB: 1 damaged\n", false, 1)
}
