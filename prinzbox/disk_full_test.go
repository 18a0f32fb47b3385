package prinzbox_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/minio/minio-go/v7"
)

// smallDisks run the program with a data folder that can be filled: on a file system of 24 MiB where this user may mount one, and with files
// of at most 12 MiB.
func smallDisks(t *testing.T) map[string]func(data string) *exec.Cmd {
	t.Helper()
	run := func(before []string, script, data string) *exec.Cmd {
		cmd := command(t, nil, append([]string{"serve", "--no-seed", "--data", data}, freePorts...)...)
		args := append(append(before, "sh", "-c", script, data), cmd.Args...)
		path, err := exec.LookPath(args[0])
		if err != nil {
			t.Skip(err)
		}
		cmd.Path, cmd.Args = path, args
		return cmd
	}
	disks := map[string]func(string) *exec.Cmd{
		"limit": func(data string) *exec.Cmd { return run(nil, `ulimit -f 24576 && exec "$@"`, data) }, // blocks of 512 bytes
	}
	mount := []string{"unshare", "--user", "--map-root-user", "--mount"}
	if exec.CommandContext(t.Context(), mount[0], append(mount[1:], "mount", "-t", "tmpfs", "tmpfs", t.TempDir())...).Run() == nil { //nolint:gosec // constants
		disks["file system"] = func(data string) *exec.Cmd {
			return run(mount, `mount -t tmpfs -o size=24m tmpfs "$0" && exec "$@"`, data)
		}
	} else {
		t.Log("no file system can be mounted here: only files that grow too large are tested")
	}
	return disks
}

// A full disk refuses what does not fit, in the client's words, and keeps all that was there; when there is room again, all goes on.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	needShell(t)
	for name, disk := range smallDisks(t) {
		t.Run(name, func(t *testing.T) {
			data := t.TempDir()
			p := begin(t, disk(data))
			s3 := s3Client(t, p.ready)
			kept := map[string][]byte{}
			put := func(key string, size int) error {
				data := content(uint64(len(key)+size), size)
				_, err := s3.PutObject(t.Context(), "mlflow", key, bytes.NewReader(data), int64(size), minio.PutObjectOptions{DisableMultipart: true})
				if err == nil {
					kept[key] = data
				}
				return err
			}
			if err := put("old", 1<<20); err != nil {
				t.Fatal(err)
			}
			inside := fmt.Sprintf("/proc/%d/root%s", p.cmd.Process.Pid, data) // the mount is the process's own
			ballast := filepath.Join(inside, "ballast")
			if err := os.WriteFile(ballast, make([]byte, 2<<20), 0o600); err != nil {
				t.Fatal(err)
			}
			full := func(what string, err error) {
				t.Helper()
				e := minio.ToErrorResponse(err)
				if err == nil || e.StatusCode != 507 || e.Code != "InsufficientStorage" || !strings.Contains(e.Message, "disk") {
					t.Errorf("%s: %v", what, err)
				}
			}
			full("overwrite", put("old", 40<<20))
			full("put", put("new", 30<<20))
			if name != "limit" {
				var err error
				for i := 0; i < 100 && err == nil; i++ {
					err = put(fmt.Sprint("fill/", i), 1<<20)
				}
				full("filling", err)
				err = nil
				for i := 0; i < 10_000 && err == nil; i++ {
					err = put(fmt.Sprint("rows/", i), 4000)
				}
				full("filling with rows", err)
			}
			a := call(t, "PUT", p.ready.TrackingURI+"/api/2.0/mlflow-artifacts/artifacts/x", strings.Repeat("x", 25<<20))
			if a.status != 507 || !strings.Contains(a.body, "disk is full") {
				t.Errorf("artifact proxy: %d %s", a.status, a.body)
			}
			check := func() {
				t.Helper()
				for key, want := range kept {
					if got, _ := readKey(t, s3, key); !bytes.Equal(got, want) {
						t.Errorf("%s: %d bytes of %d", key, len(got), len(want))
					}
				}
			}
			check()
			if leftovers, err := filepath.Glob(filepath.Join(inside, "blobs/tmp/*")); err != nil || len(leftovers) != 0 {
				t.Errorf("left behind: %v, %v", leftovers, err)
			}
			if name != "limit" {
				// Without a page for the log, even a delete has to wait until somebody makes room.
				if err := s3.RemoveObject(t.Context(), "mlflow", "none", minio.RemoveObjectOptions{}); err != nil {
					full("delete", err)
				}
			}
			if err := os.Remove(ballast); err != nil {
				t.Fatal(err)
			}
			for key := range kept {
				if key != "old" {
					if err := s3.RemoveObject(t.Context(), "mlflow", key, minio.RemoveObjectOptions{}); err != nil {
						t.Fatalf("delete %s: %v", key, err)
					}
					delete(kept, key)
				}
			}
			if err := put("after", 1<<20); err != nil {
				t.Errorf("with room again: %v", err)
			}
			check()
		})
	}
}
