package prinzbox_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prinzbox/prinzbox/prinzbox"
)

// What the whole test run shares: the built program and one running environment, each made when first asked for.
var (
	scratch string

	builtBinary = sync.OnceValues(func() (string, error) {
		file := filepath.Join(scratch, "prinzbox.exe")
		args := []string{"build", "-o", file}
		if raceDetector {
			args = append(args, "-race")
		}
		out, err := exec.Command("go", append(args, "..")...).CombinedOutput()
		if err != nil {
			err = fmt.Errorf("go build: %w\n%s", err, out)
		}
		return file, err
	})

	sharedOnce sync.Once
	sharedEnv  *prinzbox.Env
	sharedErr  error
)

func TestMain(m *testing.M) {
	os.Exit(func() int {
		var err error
		if scratch, err = os.MkdirTemp("", "prinzbox-test-"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(scratch) //nolint:errcheck // nothing to do about it
		code := m.Run()
		if sharedEnv != nil {
			if err := sharedEnv.Close(); err != nil {
				fmt.Fprintln(os.Stderr, "closing the shared environment:", err)
				return 1
			}
		}
		return code
	}())
}

// binary is the program, built once per test run.
func binary(t testing.TB) string {
	t.Helper()
	file, err := builtBinary()
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// shared is one seeded environment for all tests that leave alone what others read: they use names of their own.
func shared(t testing.TB) *prinzbox.Env {
	t.Helper()
	sharedOnce.Do(func() {
		sharedEnv, sharedErr = prinzbox.Open(t.Context(), prinzbox.Config{Data: filepath.Join(scratch, "shared"), Seed: true, Durability: "off"})
	})
	if sharedErr != nil {
		t.Fatal(sharedErr)
	}
	return sharedEnv
}

// client gives up after a while, so that a hang is a failure with a name.
var client = &http.Client{
	Timeout:       30 * time.Second,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	Transport:     &http.Transport{MaxIdleConnsPerHost: 32, DisableCompression: true},
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
}

// call sends a request with header pairs and reads the whole answer. A body without a Content-Type of its own is JSON.
func call(t testing.TB, method, url, body string, header ...string) answer {
	t.Helper()
	a, err := try(t, method, url, body, header...)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	return a
}

func try(t testing.TB, method, url, body string, header ...string) (answer, error) {
	var r io.Reader
	if body != "" {
		r = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, url, r)
	if err != nil {
		return answer{}, err
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	return do(req)
}

func do(req *http.Request) (answer, error) {
	resp, err := client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, string(text)}, err
}
