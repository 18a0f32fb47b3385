package artifacts_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prinzbox/prinzbox/artifacts"
)

// multipartTest is a proxy before a real S3 server.
type multipartTest struct {
	*s3Test
	proxy string
}

func newMultipart(t *testing.T, repo func(*artifacts.Store) artifacts.Repo, reachable bool) multipartTest {
	t.Helper()
	s := newS3(t)
	srv := httptest.NewServer(artifacts.NewProxy(repo(s.store), artifacts.ProxyConfig{Signer: func(*http.Request) (artifacts.Signer, bool) {
		return artifacts.Signer{Endpoint: s.url, AccessKey: accessKey, Secret: secretKey, Clock: time.Now}, reachable
	}}))
	t.Cleanup(srv.Close)
	return multipartTest{s, srv.URL}
}

// plain sends an unsigned request, as a client with nothing but a URL does.
func (m multipartTest) plain(method, target, body string) (int, string, http.Header) {
	m.Helper()
	req, err := http.NewRequest(method, target, strings.NewReader(body))
	if err != nil {
		m.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		m.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		m.Fatal(err)
	}
	return resp.StatusCode, string(b), resp.Header
}

type created struct {
	UploadID    string `json:"upload_id"`
	Credentials []struct {
		URL        string `json:"url"`
		PartNumber int    `json:"part_number"`
	} `json:"credentials"`
}

func (m multipartTest) create(dir, path string, parts int) created {
	m.Helper()
	body, _ := json.Marshal(map[string]any{"path": path, "num_parts": parts})
	status, text, _ := m.plain("POST", m.proxy+"/mpu/create/"+dir, string(body))
	var c created
	if err := json.Unmarshal([]byte(text), &c); err != nil || status != 200 || len(c.Credentials) != parts || c.UploadID == "" {
		m.Fatalf("create: %d %s (%v)", status, text, err)
	}
	return c
}

func TestMultipartUpload(t *testing.T) {
	for name, prefix := range map[string]string{"bucket": "", "prefix": "a/b"} {
		t.Run(name, func(t *testing.T) {
			m := newMultipart(t, func(s *artifacts.Store) artifacts.Repo { return artifacts.NewBucketRepo(s, "mlflow", prefix) }, true)
			dir, file := "1/run/artifacts/some dir", "größe 5% + x.bin"
			c := m.create(url.PathEscape("1/run/artifacts/some dir"), "/home/me/"+file, 2)
			data := []string{string(noise(5<<20, 1)), "the end"}
			type part struct {
				Number int    `json:"part_number"`
				ETag   string `json:"etag"`
				URL    string `json:"url"`
			}
			var parts []part
			for i, cred := range c.Credentials {
				status, text, header := m.plain("PUT", cred.URL, data[i])
				if status != 200 || cred.PartNumber != i+1 {
					t.Fatalf("part %d: %d %s", cred.PartNumber, status, text)
				}
				parts = append(parts, part{cred.PartNumber, header.Get("ETag"), cred.URL})
			}
			body, _ := json.Marshal(map[string]any{"path": file, "upload_id": c.UploadID, "parts": parts})
			if status, text, _ := m.plain("POST", m.proxy+"/mpu/complete/"+url.PathEscape(dir), string(body)); status != 200 || text != "{}\n" {
				t.Fatalf("complete: %d %s", status, text)
			}
			target := m.proxy + "/artifacts/" + url.PathEscape(dir+"/"+file)
			if status, text, _ := m.plain("GET", target, ""); status != 200 || text != data[0]+data[1] {
				t.Fatalf("the file: %d, %d bytes", status, len(text))
			}

			// The same file by a URL of its own.
			status, text, _ := m.plain("GET", m.proxy+"/presigned/"+url.PathEscape(dir+"/"+file), "")
			var got struct {
				URL     string            `json:"url"`
				Headers map[string]string `json:"headers"`
				Size    int               `json:"file_size"`
			}
			if err := json.Unmarshal([]byte(text), &got); err != nil || status != 200 || got.Size != len(data[0])+len(data[1]) || got.Headers == nil {
				t.Fatalf("presigned: %d %s", status, text)
			}
			status, text, header := m.plain("GET", got.URL, "")
			if status != 200 || text != data[0]+data[1] || !strings.HasPrefix(header.Get("Content-Disposition"), "attachment; filename=") {
				t.Errorf("presigned GET: %d, %d bytes, %v", status, len(text), header)
			}
			// It permits this one request and no other.
			for _, other := range []struct{ method, url string }{
				{"DELETE", got.URL}, {"GET", strings.Replace(got.URL, "x.bin", "y.bin", 1)}, {"GET", strings.Replace(got.URL, "X-Amz-Expires=300", "X-Amz-Expires=3000", 1)},
			} {
				if status, _, _ := m.plain(other.method, other.url, ""); status != 403 {
					t.Errorf("%s %s: %d, want 403", other.method, other.url, status)
				}
			}
		})
	}
}

func TestMultipartAbort(t *testing.T) {
	m := newMultipart(t, func(s *artifacts.Store) artifacts.Repo { return artifacts.NewBucketRepo(s, "mlflow", "") }, true)
	c := m.create("d", "f.bin", 1)
	body := fmt.Sprintf(`{"path": "f.bin", "upload_id": %q}`, c.UploadID)
	if status, text, _ := m.plain("POST", m.proxy+"/mpu/abort/d", body); status != 200 || text != "{}\n" {
		t.Errorf("abort: %d %s", status, text)
	}
	if status, _, _ := m.plain("PUT", c.Credentials[0].URL, "x"); status != 404 {
		t.Errorf("a part of an aborted upload: %d", status)
	}
	if status, text, _ := m.plain("POST", m.proxy+"/mpu/abort/d", body); status != 404 {
		t.Errorf("abort again: %d %s", status, text)
	}
}

func TestMultipartMistakes(t *testing.T) {
	m := newMultipart(t, func(s *artifacts.Store) artifacts.Repo { return artifacts.NewBucketRepo(s, "mlflow", "") }, true)
	for _, c := range []struct {
		method, target, body string
		status               int
		want                 string
	}{
		{"POST", "/mpu/create/d", "", 400, "JSON object"},
		{"POST", "/mpu/create/d", "[]", 400, "JSON object"},
		{"POST", "/mpu/create/d", `{"num_parts": 1}`, 400, "'path'"},
		{"POST", "/mpu/create/d", `{"path": "..", "num_parts": 1}`, 400, "'path'"},
		{"POST", "/mpu/create/d", `{"path": "a/", "num_parts": 1}`, 400, "'path'"},
		{"POST", "/mpu/create/d", `{"path": "f"}`, 400, "num_parts"},
		{"POST", "/mpu/create/d", `{"path": "f", "num_parts": 0}`, 400, "num_parts"},
		{"POST", "/mpu/create/d", `{"path": "f", "num_parts": 10001}`, 400, "num_parts"},
		{"POST", "/mpu/create/d", `{"path": "f", "num_parts": 1e99}`, 400, "num_parts"},
		{"POST", "/mpu/create/d", `{"path": "f", "num_parts": "2"}`, 200, `"part_number":2`},
		{"POST", "/mpu/create/..%2fd", `{"path": "f", "num_parts": 1}`, 400, "Invalid path"},
		{"POST", "/mpu/complete/d", `{"path": "f", "upload_id": "x"}`, 400, "'parts'"},
		{"POST", "/mpu/complete/d", `{"path": "f", "upload_id": "x", "parts": [{"part_number": 1, "etag": "y"}]}`, 404, "upload"},
		{"POST", "/mpu/else/d", `{"path": "f"}`, 404, "/mpu/create"},
		{"GET", "/presigned/none", "", 404, "RESOURCE_DOES_NOT_EXIST"},
		{"GET", "/presigned/..%2fx", "", 400, "Invalid path"},
		{"GET", "/presigned/", "", 400, "directory"},
	} {
		if status, text, _ := m.plain(c.method, m.proxy+c.target, c.body); status != c.status || !strings.Contains(text, c.want) {
			t.Errorf("%s %s %s: %d %s\nwant %d with %q", c.method, c.target, c.body, status, text, c.status, c.want)
		}
	}
	// A Windows client sends its own path; elsewhere a backslash is a letter like any other.
	for path, want := range map[string]string{`C:\data\f.bin`: "/mlflow/d/f.bin?", `\\host\share\g.bin`: "/mlflow/d/g.bin?", `a\b.bin`: `/mlflow/d/a%5Cb.bin?`} {
		if c := m.create("d", path, 1); !strings.Contains(c.Credentials[0].URL, want) {
			t.Errorf("%s: %s, want %s", path, c.Credentials[0].URL, want)
		}
	}
}

func TestMultipartUnsupported(t *testing.T) {
	dir := t.TempDir()
	folder := func(*artifacts.Store) artifacts.Repo { return artifacts.NewDirRepo(filepath.Join(dir, "x"), false) }
	bucket := func(s *artifacts.Store) artifacts.Repo { return artifacts.NewBucketRepo(s, "mlflow", "") }
	for name, m := range map[string]multipartTest{"folder": newMultipart(t, folder, true), "unreachable": newMultipart(t, bucket, false)} {
		status, text, _ := m.plain("POST", m.proxy+"/mpu/create/d", `{"path": "f", "num_parts": 1}`)
		if status != 501 || !strings.Contains(text, `"Multipart upload is not supported for the current artifact repository"`) {
			t.Errorf("%s: create: %d %s", name, status, text)
		}
		status, text, _ = m.plain("GET", m.proxy+"/presigned/d/f", "")
		if status != 501 || !strings.Contains(text, `"Multipart download is not supported for the current artifact repository"`) {
			t.Errorf("%s: presigned: %d %s", name, status, text)
		}
	}
}
