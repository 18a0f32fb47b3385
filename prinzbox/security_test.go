package prinzbox

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestGuard(t *testing.T) {
	g := guard{hosts: []string{"mlflow.example.com", "*.test.example.com"}, origins: []string{"https://ui.example.com", "https://*.dev.example.com"}, own: "box.example.com"}
	h := g.wrap(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	for _, c := range []struct {
		method, path, host, origin string
		status                     int
		cors                       bool
	}{
		{"GET", "/api/x", "localhost:5000", "", 418, false},
		{"GET", "/api/x", "127.0.0.1", "", 418, false},
		{"GET", "/api/x", "[::1]:5000", "", 418, false},
		{"GET", "/api/x", "192.168.1.7:5000", "", 418, false},
		{"GET", "/api/x", "box.example.com", "", 418, false},
		{"GET", "/api/x", "MLflow.example.com:80", "", 418, false},
		{"GET", "/api/x", "a.test.example.com", "", 418, false},
		{"GET", "/api/x", "evil.example", "", 403, false},
		{"GET", "/api/x", "localhost.evil.example", "", 403, false},
		{"GET", "/api/x", "8.8.8.8", "", 403, false},
		{"GET", "/health", "evil.example", "", 418, false},
		{"POST", "/api/x", "localhost", "http://localhost:3000", 418, true},
		{"POST", "/api/x", "localhost", "http://127.0.0.1:3000", 418, true},
		{"POST", "/api/x", "mlflow.example.com", "http://mlflow.example.com", 418, true},
		{"POST", "/api/x", "localhost", "https://ui.example.com", 418, true},
		{"POST", "/api/x", "localhost", "https://a.dev.example.com", 418, true},
		{"POST", "/api/x", "localhost", "https://evil.example", 403, false},
		{"POST", "/api/x", "localhost", "null", 403, false},
		{"GET", "/api/x", "localhost", "https://evil.example", 418, false},
		{"POST", "/m/invocations", "localhost", "https://localhost.evil.example", 403, false},
	} {
		r := httptest.NewRequest(c.method, c.path, nil)
		r.Host = c.host
		if c.origin != "" {
			r.Header.Set("Origin", c.origin)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		cors := w.Header().Get("Access-Control-Allow-Origin") == c.origin && c.origin != ""
		if w.Code != c.status || cors != c.cors {
			t.Errorf("%s %s Host %s Origin %s: %d, cors %v; want %d, %v", c.method, c.path, c.host, c.origin, w.Code, cors, c.status, c.cors)
		}
	}
	r := httptest.NewRequest("OPTIONS", "/api/x", nil)
	r.Host = "localhost"
	r.Header.Set("Origin", "http://localhost:3000")
	r.Header.Set("Access-Control-Request-Method", "POST")
	r.Header.Set("Access-Control-Request-Headers", "content-type")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != 204 || w.Header().Get("Access-Control-Allow-Headers") != "content-type" {
		t.Errorf("preflight: %d %v", w.Code, w.Header())
	}
}
