package prinzbox_test

import (
	"context"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/prinzbox/prinzbox/prinzbox"
)

// Environments are values: those of parallel tests know nothing of each other.
func TestParallelEnvironments(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"one", "two"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := prinzbox.Start(t, func(c *prinzbox.Config) { c.SecretKey = "secret-of-" + name })
			if a := call(t, "POST", env.TrackingURI()+"/api/2.0/mlflow/registered-models/create", `{"name": "only-`+name+`"}`); a.status != 200 {
				t.Errorf("%d %s", a.status, a.body)
			}
			for _, other := range []string{"one", "two"} {
				a := call(t, "GET", env.TrackingURI()+"/api/2.0/mlflow/registered-models/get?name=only-"+other, "")
				if found := a.status == 200; found != (name == other) {
					t.Errorf("environment %s, model of %s: %d", name, other, a.status)
				}
				m := minioJavaOf(env.Ready())
				m.secretKey = "secret-of-" + other
				if a, err := m.get(t.Context(), "/mlflow", "/mlflow", "location="); err != nil || (a.status == 200) != (name == other) {
					t.Errorf("environment %s, keys of %s: %d %v", name, other, a.status, err)
				}
			}
			if a := call(t, "POST", env.TrackingURI()+"/MLF-FraudDetection-3/invocations", fraudBody("F", "800.0")); a.body != "[1]" {
				t.Errorf("%d %s", a.status, a.body)
			}
		})
	}
}

// A closed environment leaves no goroutine, no listener and no file. Not parallel: it counts the goroutines of the process.
func TestCloseLeavesNothing(t *testing.T) {
	client.CloseIdleConnections()
	before := goleak.IgnoreCurrent()
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	env, err := prinzbox.Open(t.Context(), prinzbox.Config{Seed: true})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if a := call(t, "POST", env.TrackingURI()+"/MLF-FraudDetection-3/invocations", fraudBody("F", "800.0")); a.body != "[1]" {
			t.Errorf("%d %s", a.status, a.body)
		}
		if a, err := minioJavaOf(env.Ready()).get(t.Context(), "/mlflow", "/mlflow", "location="); err != nil || a.status != 200 {
			t.Errorf("%d %v", a.status, err)
		}
		if a := call(t, "GET", env.Ready().GUIURL, ""); a.status != 200 {
			t.Errorf("%d", a.status)
		}
	}
	start := time.Now()
	for range 2 { // twice is fine
		if err := env.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("closing took %v although nothing was under way", took)
	}
	for _, url := range []string{env.TrackingURI(), env.S3Endpoint(), env.StaticURL()} {
		if _, err := try(t, "GET", url, ""); err == nil {
			t.Errorf("%s still answers", url)
		}
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
		t.Errorf("left in the temporary folder: %v, %v", left, err)
	}
	client.CloseIdleConnections()
	goleak.VerifyNone(t, before)
}

// Closing from several goroutines at once is fine too, and all of them wait for the end.
func TestCloseTogether(t *testing.T) {
	t.Parallel()
	env, err := prinzbox.Open(t.Context(), prinzbox.Config{})
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			if err := env.Close(); err != nil {
				t.Error(err)
			}
			if _, err := try(t, "GET", env.TrackingURI()+"/health", ""); err == nil {
				t.Error("it answers after Close")
			}
		})
	}
	group.Wait()
}

// Open's errors leave nothing behind either: the same folder and the same ports open afterwards.
func TestOpenErrors(t *testing.T) {
	data := t.TempDir()
	first, err := prinzbox.Open(t.Context(), prinzbox.Config{Data: data})
	if err != nil {
		t.Fatal(err)
	}
	before := goleak.IgnoreCurrent()
	port := 0
	for _, c := range first.TrackingURI()[strings.LastIndexByte(first.TrackingURI(), ':')+1:] {
		port = port*10 + int(c-'0')
	}
	for name, tc := range map[string]struct {
		config prinzbox.Config
		says   string
	}{
		"folder in use":    {prinzbox.Config{Data: data}, "in use by another prinzbox"},
		"busy port":        {prinzbox.Config{S3Port: port}, "--s3-port"},
		"no such address":  {prinzbox.Config{Host: "203.0.113.1"}, "--host"},
		"no destination":   {prinzbox.Config{ArtifactsDestination: "s3://"}, "--artifacts-destination"},
		"no fraud data":    {prinzbox.Config{Seed: true, FraudData: strings.NewReader("not,a,table\n1,2,3\n")}, "fraud"},
		"impossible names": {prinzbox.Config{Bucket: "No_Bucket"}, "No_Bucket"},
	} {
		env, err := prinzbox.Open(t.Context(), tc.config)
		if err == nil || !strings.Contains(strings.ToLower(err.Error()), strings.ToLower(tc.says)) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v; want one line with %q", name, err, tc.says)
		}
		if env != nil {
			t.Errorf("%s: an environment beside the error", name)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := prinzbox.Open(ctx, prinzbox.Config{Seed: true}); err == nil {
		t.Error("opened although the context had ended")
	}
	goleak.VerifyNone(t, before)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := prinzbox.Open(t.Context(), prinzbox.Config{Data: data, Port: port})
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}
