// Package moto tests artifacts in an S3 store that is not ours: moto's.
package moto

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/prinzbox/prinzbox/clients/venv"
	"github.com/prinzbox/prinzbox/prinzbox"
)

// startMoto starts moto's server, with the buckets archive and foreign, and gives its URL.
func startMoto(t *testing.T) (string, *minio.Client) {
	t.Helper()
	python := venv.Python(t, "moto-5.2.5")
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close() // moto takes no listener
	_, port, _ := net.SplitHostPort(address)
	cmd := exec.CommandContext(t.Context(), filepath.Join(filepath.Dir(python), "moto_server"), "-H", "127.0.0.1", "-p", port)
	cmd.Env = venv.Environ("HOME=" + t.TempDir())
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("moto:\n%s", log.String())
		}
	})
	c, err := minio.New(address, &minio.Options{Creds: credentials.NewStaticV4("moto-key", "moto-secret", ""), Region: "us-east-1", MaxRetries: 1})
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		if err = c.MakeBucket(t.Context(), "archive", minio.MakeBucketOptions{}); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("moto does not start: %v", err)
		}
	}
	if err := c.MakeBucket(t.Context(), "foreign", minio.MakeBucketOptions{}); err != nil {
		t.Fatal(err)
	}
	return "http://" + address, c
}

func request(t *testing.T, method, url string, body []byte) (int, string, http.Header) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.HasPrefix(body, []byte("{")) {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	return resp.StatusCode, string(b), resp.Header
}

// Artifacts in moto are put, listed, read, moved by URL and deleted as in the own store.
func TestArtifactsInMoto(t *testing.T) {
	endpoint, s3 := startMoto(t)
	env := prinzbox.Start(t, func(c *prinzbox.Config) {
		c.Seed = false
		c.ArtifactsDestination = "s3://archive/below"
		c.Remote = prinzbox.RemoteS3{Endpoint: endpoint, AccessKey: "moto-key", SecretKey: "moto-secret"}
	})
	api := env.TrackingURI() + "/api/2.0/"
	want := func(status int, text, method, url string, body []byte) string {
		t.Helper()
		got, answer, _ := request(t, method, url, body)
		if got != status || !strings.Contains(answer, text) {
			t.Fatalf("%s %s: %d %.300s; want %d with %q", method, url, got, answer, status, text)
		}
		return answer
	}
	artifacts := api + "mlflow-artifacts/artifacts/"
	large := bytes.Repeat([]byte("0123456789abcdef"), 40<<16) // 40 MiB: parts
	for name, data := range map[string][]byte{"1/r/artifacts/a.txt": []byte("hello"), "1/r/artifacts/d/large": large, "1/r/artifacts/empty": nil, "1/r/artifacts/gr%C3%B6%C3%9Fe%20+": []byte("x")} {
		want(200, "", "PUT", artifacts+name, data)
		if got := want(200, "", "GET", artifacts+name, nil); got != string(data) {
			t.Errorf("%s: %d bytes of %d", name, len(got), len(data))
		}
	}
	if o, err := s3.StatObject(t.Context(), "archive", "below/1/r/artifacts/a.txt", minio.StatObjectOptions{}); err != nil || o.Size != 5 || o.ContentType != "text/plain" {
		t.Errorf("in moto: %+v, %v", o, err)
	}
	want(200, `{"files":[{"path":"a.txt","is_dir":false,"file_size":5},{"path":"d","is_dir":true},{"path":"empty","is_dir":false},{"path":"größe +","is_dir":false,"file_size":1}]}`,
		"GET", api+"mlflow-artifacts/artifacts?path=1/r/artifacts", nil)
	want(404, "No such artifact", "GET", artifacts+"1/r/artifacts/none", nil)
	want(400, "directory", "GET", artifacts+"1/r/artifacts/d", nil)

	for _, end := range []string{"abort", "complete"} {
		var made struct {
			ID    string                 `json:"upload_id"`
			Parts []struct{ URL string } `json:"credentials"`
		}
		if err := json.Unmarshal([]byte(want(200, "upload_id", "POST", api+"mlflow-artifacts/mpu/create/1/r", []byte(`{"path": "parts.bin", "num_parts": 2}`))), &made); err != nil {
			t.Fatal(err)
		}
		var parts []string
		for i, part := range [][]byte{large[:5<<20], []byte("end")} {
			status, text, header := request(t, "PUT", made.Parts[i].URL, part)
			if status != 200 {
				t.Fatalf("part %d: %d %s", i, status, text)
			}
			parts = append(parts, fmt.Sprintf(`{"part_number": %d, "etag": %q}`, i+1, header.Get("ETag")))
		}
		want(200, "{}", "POST", api+"mlflow-artifacts/mpu/"+end+"/1/r", fmt.Appendf(nil, `{"path": "parts.bin", "upload_id": %q, "parts": [%s]}`, made.ID, strings.Join(parts, ",")))
	}
	var signed struct{ URL string }
	if err := json.Unmarshal([]byte(want(200, "url", "GET", api+"mlflow-artifacts/presigned/1/r/parts.bin", nil)), &signed); err != nil {
		t.Fatal(err)
	}
	if got := want(200, "", "GET", signed.URL, nil); got != string(large[:5<<20])+"end" {
		t.Errorf("by URL: %d bytes", len(got))
	}

	want(200, "{}", "DELETE", artifacts+"1/r/artifacts/d", nil)
	want(404, "No such artifact", "GET", artifacts+"1/r/artifacts/d/large", nil)
	want(200, "hello", "GET", artifacts+"1/r/artifacts/a.txt", nil)

	// A run on another of its buckets.
	if _, err := s3.PutObject(t.Context(), "foreign", "x/f.txt", strings.NewReader("from afar"), 9, minio.PutObjectOptions{}); err != nil {
		t.Fatal(err)
	}
	var exp struct {
		ID string `json:"experiment_id"`
	}
	if err := json.Unmarshal([]byte(want(200, "", "POST", api+"mlflow/experiments/create", []byte(`{"name": "afar", "artifact_location": "s3://foreign"}`))), &exp); err != nil {
		t.Fatal(err)
	}
	var run struct {
		Run struct {
			Info struct {
				ID string `json:"run_id"`
			} `json:"info"`
		} `json:"run"`
	}
	if err := json.Unmarshal([]byte(want(200, "", "POST", api+"mlflow/runs/create", []byte(`{"experiment_id": "`+exp.ID+`"}`))), &run); err != nil {
		t.Fatal(err)
	}
	id := run.Run.Info.ID
	if _, err := s3.PutObject(t.Context(), "foreign", id+"/artifacts/f.txt", strings.NewReader("from afar"), 9, minio.PutObjectOptions{}); err != nil {
		t.Fatal(err)
	}
	want(200, `"f.txt"`, "GET", api+"mlflow/artifacts/list?run_id="+id, nil)
	want(200, "from afar", "GET", env.TrackingURI()+"/get-artifact?path=f.txt&run_id="+id, nil)
}
