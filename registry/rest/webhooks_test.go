package rest_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/prinzbox/prinzbox/registry"
	"github.com/prinzbox/prinzbox/registry/rest"
	"github.com/prinzbox/prinzbox/registry/sqldb"
)

// delivered is one request that a receiver got.
type delivered struct {
	header http.Header
	body   string
	at     time.Time
}

// receiver is a webhook's other end: it answers with the statuses in turn, then with 200.
type receiver struct {
	*httptest.Server
	mu       sync.Mutex
	got      []delivered
	statuses []int
	after    string // a Retry-After
}

func newReceiver(t *testing.T, statuses ...int) *receiver {
	t.Helper()
	r := &receiver{statuses: statuses}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			t.Error(err)
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.got = append(r.got, delivered{req.Header.Clone(), string(body), time.Now()})
		if len(r.statuses) > 0 {
			w.Header().Set("Retry-After", r.after)
			w.WriteHeader(r.statuses[0])
			r.statuses = r.statuses[1:]
		}
		_, _ = io.WriteString(w, "thanks")
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) deliveries() []delivered {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]delivered(nil), r.got...)
}

// hooked is an API whose webhooks may call this machine.
type hooked struct {
	store *registry.Store
	hooks *rest.Webhooks
	url   string
}

func newHooked(t *testing.T, c rest.WebhooksConfig) hooked {
	t.Helper()
	gin.SetMode(gin.ReleaseMode)
	db, err := sqldb.Open(t.Context(), filepath.Join(t.TempDir(), "prinzbox.db"), sqldb.DurabilityOff)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	c.Schemes, c.AllowPrivate = []string{"http", "https"}, true
	if c.Backoff == 0 {
		c.Backoff = time.Millisecond
	}
	h := hooked{hooks: rest.NewWebhooks(c)}
	t.Cleanup(func() { h.hooks.Close(context.Background()) })
	if h.store, err = registry.Open(t.Context(), registry.Config{DB: db, Clock: time.Now, NewID: newID, ArtifactRoot: "mlflow-artifacts:", Deliver: h.hooks.Deliver}); err != nil {
		t.Fatal(err)
	}
	r := gin.New()
	rest.New(rest.Config{Store: h.store, Log: slog.New(slog.DiscardHandler), MaxBody: 1 << 20, Webhooks: h.hooks}).Mount(r)
	srv := httptest.NewServer(r)
	t.Cleanup(srv.Close)
	h.url = srv.URL
	return h
}

// do makes a call of /api/2.0/mlflow and reads the answer, which must be 200.
func (h hooked) do(t *testing.T, method, path, body string) map[string]any {
	t.Helper()
	status, _, answer := call(t, request{method: method, path: "/api/2.0/mlflow/" + path, body: body}, h.url)
	var v map[string]any
	if err := json.Unmarshal(answer, &v); err != nil || status != 200 {
		t.Fatalf("%s %s: %d %s", method, path, status, answer)
	}
	return v
}

func (h hooked) webhook(t *testing.T, url, extra string, events ...string) string {
	t.Helper()
	var list []string
	for _, e := range events {
		entity, action, _ := strings.Cut(e, ".")
		list = append(list, fmt.Sprintf(`{"entity": %q, "action": %q}`, entity, action))
	}
	v := h.do(t, "POST", "webhooks", fmt.Sprintf(`{"name": "w", "url": %q, "events": [%s]%s}`, url, strings.Join(list, ","), extra))
	return v["webhook"].(map[string]any)["webhook_id"].(string)
}

// settle waits until nothing is being delivered any more.
func (h hooked) settle() { h.hooks.Close(context.Background()) }

var allEvents = []string{
	"REGISTERED_MODEL.CREATED", "MODEL_VERSION.CREATED", "MODEL_VERSION_TAG.SET", "MODEL_VERSION_TAG.DELETED", "MODEL_VERSION_ALIAS.CREATED",
	"MODEL_VERSION_ALIAS.DELETED", "PROMPT.CREATED", "PROMPT_VERSION.CREATED", "PROMPT_TAG.SET", "PROMPT_TAG.DELETED", "PROMPT_VERSION_TAG.SET",
	"PROMPT_VERSION_TAG.DELETED", "PROMPT_ALIAS.CREATED", "PROMPT_ALIAS.DELETED",
}

// The payloads are those that MLflow 3.17.2 sent to the same calls.
func TestWebhookPayloads(t *testing.T) {
	h := newHooked(t, rest.WebhooksConfig{})
	r := newReceiver(t)
	h.webhook(t, r.URL, `, "secret": "hush"`, allEvents...)
	const prompt = `{"key": "mlflow.prompt.is_prompt", "value": "true"}`
	for _, c := range []struct{ method, path, body, event, data string }{
		{
			"POST", "registered-models/create", `{"name": "m", "tags": [{"key": "a", "value": "b"}]}`, "registered_model.created",
			`{"name": "m", "tags": {"a": "b"}, "description": ""}`,
		},
		{
			"POST", "model-versions/create", `{"name": "m", "source": "s3://x/y", "tags": [{"key": "t", "value": "é"}]}`, "model_version.created",
			`{"name": "m", "version": "1", "source": "s3://x/y", "run_id": null, "tags": {"t": "\u00e9"}, "description": null}`,
		},
		{
			"POST", "model-versions/set-tag", `{"name": "m", "version": "1", "key": "k", "value": "v"}`, "model_version_tag.set",
			`{"name": "m", "version": "1", "key": "k", "value": "v"}`,
		},
		{"DELETE", "model-versions/delete-tag", `{"name": "m", "version": "1", "key": "k"}`, "model_version_tag.deleted", `{"name": "m", "version": "1", "key": "k"}`},
		{"POST", "registered-models/set-tag", `{"name": "m", "key": "k", "value": "v"}`, "", ""},
		{"DELETE", "registered-models/delete-tag", `{"name": "m", "key": "k"}`, "", ""},
		{
			"POST", "registered-models/alias", `{"name": "m", "alias": "champ", "version": "1"}`, "model_version_alias.created",
			`{"name": "m", "alias": "champ", "version": "1"}`,
		},
		{"DELETE", "registered-models/alias", `{"name": "m", "alias": "champ"}`, "model_version_alias.deleted", `{"name": "m", "alias": "champ"}`},
		{
			"POST", "registered-models/create", `{"name": "p", "description": "d", "tags": [` + prompt + `, {"key": "x", "value": "y"}]}`, "prompt.created",
			`{"name": "p", "tags": {"x": "y"}, "description": "d"}`,
		},
		{
			"POST", "model-versions/create", `{"name": "p", "source": "dummy-source", "description": "first", "tags": [` + prompt +
				`, {"key": "mlflow.prompt.text", "value": "Hi {{x}}"}, {"key": "_mlflow_prompt_type", "value": "text"}]}`, "prompt_version.created",
			`{"name": "p", "version": "1", "template": "Hi {{x}}", "tags": {}, "description": "first"}`,
		},
		{"POST", "registered-models/set-tag", `{"name": "p", "key": "k", "value": "v"}`, "prompt_tag.set", `{"name": "p", "key": "k", "value": "v"}`},
		{"DELETE", "registered-models/delete-tag", `{"name": "p", "key": "k"}`, "prompt_tag.deleted", `{"name": "p", "key": "k"}`},
		{
			"POST", "model-versions/set-tag", `{"name": "p", "version": "1", "key": "k", "value": "v"}`, "prompt_version_tag.set",
			`{"name": "p", "version": "1", "key": "k", "value": "v"}`,
		},
		{
			"DELETE", "model-versions/delete-tag", `{"name": "p", "version": "1", "key": "k"}`, "prompt_version_tag.deleted",
			`{"name": "p", "version": "1", "key": "k"}`,
		},
		{"POST", "registered-models/alias", `{"name": "p", "alias": "live", "version": "1"}`, "prompt_alias.created", `{"name": "p", "alias": "live", "version": "1"}`},
		{"DELETE", "registered-models/alias", `{"name": "p", "alias": "live"}`, "prompt_alias.deleted", `{"name": "p", "alias": "live"}`},
	} {
		before := len(r.deliveries())
		h.do(t, c.method, c.path, c.body)
		if c.event == "" {
			continue // a delivery would show as a wrong one to the next call
		}
		for deadline := time.Now().Add(10 * time.Second); len(r.deliveries()) == before; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%s %s: nothing delivered", c.path, c.body)
			}
		}
		got := r.deliveries()[before]
		entity, action, _ := strings.Cut(c.event, ".")
		want := `{"entity": "` + entity + `", "action": "` + action + `", "timestamp": "TIME", "data": ` + c.data + `}`
		body := regexp.MustCompile(`"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?\+00:00"`).ReplaceAllString(got.body, `"TIME"`)
		if body != want {
			t.Errorf("%s %s\n got %s\nwant %s", c.path, c.body, body, want)
		}
		checkSignature(t, got, "hush")
	}
	h.settle()
	if n := len(r.deliveries()); n != 14 {
		t.Errorf("%d deliveries, want 14", n)
	}
}

func checkSignature(t *testing.T, d delivered, secret string) {
	t.Helper()
	id, at := d.header.Get("X-MLflow-Delivery-Id"), d.header.Get("X-MLflow-Timestamp")
	if !regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`).MatchString(id) || !regexp.MustCompile(`^\d{10}$`).MatchString(at) {
		t.Errorf("delivery id %q, timestamp %q", id, at)
	}
	mac := hmac.New(sha256.New, []byte(secret))
	_, _ = io.WriteString(mac, id+"."+at+"."+d.body)
	if want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)); d.header.Get("X-MLflow-Signature") != want {
		t.Errorf("signature %q, want %q", d.header.Get("X-MLflow-Signature"), want)
	}
	if d.header.Get("Content-Type") != "application/json" {
		t.Errorf("content type %q", d.header.Get("Content-Type"))
	}
}

func TestWebhookRetries(t *testing.T) {
	two := 2
	for _, c := range []struct {
		name     string
		statuses []int
		attempts int
		success  bool
	}{
		{"success at once", nil, 1, true},
		{"no retry of a user's mistake", []int{400, 400}, 1, false},
		{"no retry of a redirect's end", []int{404}, 1, false},
		{"all that are retried", []int{429, 503}, 3, true},
		{"500 and 502", []int{500, 502}, 3, true},
		{"given up", []int{504, 504, 504, 504}, 3, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHooked(t, rest.WebhooksConfig{Retries: &two})
			r := newReceiver(t, c.statuses...)
			id := h.webhook(t, r.URL, "", "REGISTERED_MODEL.CREATED")
			result := h.do(t, "POST", "webhooks/"+id+"/test", "{}")["result"].(map[string]any)
			got := r.deliveries()
			if len(got) != c.attempts || result["success"] != c.success || result["response_body"] != "thanks" || result["error_message"] != nil {
				t.Fatalf("%d attempts, %v", len(got), result)
			}
			for _, d := range got {
				if d.header.Get("X-MLflow-Signature") != "" {
					t.Error("signed without a secret")
				}
				if d.header.Get("X-MLflow-Delivery-Id") != got[0].header.Get("X-MLflow-Delivery-Id") || d.body != got[0].body {
					t.Error("attempts of one delivery differ")
				}
			}
		})
	}
}

func TestWebhookHonoursRetryAfter(t *testing.T) {
	h := newHooked(t, rest.WebhooksConfig{})
	r := newReceiver(t, 429)
	r.after = "1"
	id := h.webhook(t, r.URL, "", "REGISTERED_MODEL.CREATED")
	h.do(t, "POST", "webhooks/"+id+"/test", "{}")
	got := r.deliveries()
	if len(got) != 2 {
		t.Fatalf("%d attempts", len(got))
	}
	if wait := got[1].at.Sub(got[0].at); wait < 900*time.Millisecond {
		t.Errorf("the second attempt came after %v, not after the second that was asked for", wait)
	}
}

func TestDisabledAndDeletedWebhooksHearNothing(t *testing.T) {
	h := newHooked(t, rest.WebhooksConfig{})
	r := newReceiver(t)
	h.webhook(t, r.URL+"/disabled", `, "status": "DISABLED"`, "REGISTERED_MODEL.CREATED")
	other := h.webhook(t, r.URL+"/other", "", "MODEL_VERSION.CREATED")
	gone := h.webhook(t, r.URL+"/gone", "", "REGISTERED_MODEL.CREATED")
	h.do(t, "DELETE", "webhooks/"+gone, "")
	h.do(t, "POST", "registered-models/create", `{"name": "m"}`)
	// A refused change is no event either.
	status, _, _ := call(t, request{method: "POST", path: "/api/2.0/mlflow/registered-models/create", body: `{"name": "m"}`}, h.url)
	if status != 400 {
		t.Fatalf("a second model of the name: %d", status)
	}
	h.do(t, "PATCH", "webhooks/"+other, `{"events": [{"entity": "REGISTERED_MODEL", "action": "CREATED"}]}`)
	h.do(t, "POST", "registered-models/create", `{"name": "m2"}`)
	h.settle()
	if got := r.deliveries(); len(got) != 1 || !strings.Contains(got[0].body, `"m2"`) {
		t.Errorf("delivered: %v", got)
	}
}

// A caller does not wait for a receiver, and Close does not wait for its next attempt.
func TestDeliveryIsAsynchronous(t *testing.T) {
	hold := make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		<-hold
		w.Header().Set("Retry-After", "600")
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	defer slow.Close()
	h := newHooked(t, rest.WebhooksConfig{})
	h.webhook(t, slow.URL, "", "REGISTERED_MODEL.CREATED")
	for i := range 20 {
		h.do(t, "POST", "registered-models/create", fmt.Sprintf(`{"name": "m%d"}`, i))
	}
	close(hold)
	start := time.Now()
	h.settle()
	if took := time.Since(start); took > 30*time.Second {
		t.Errorf("Close took %v", took)
	}
}

func TestWebhookAddresses(t *testing.T) {
	w := rest.NewWebhooks(rest.WebhooksConfig{})
	defer w.Close(t.Context())
	for url, want := range map[string]string{
		"https://8.8.8.8/hook":              "",
		"https://[2606:4700::1111]/":        "",
		"http://8.8.8.8/":                   "Invalid webhook URL scheme: 'http'. Allowed schemes are: https.",
		"https://":                          "Webhook URL must include a hostname: 'https://'",
		"https://127.0.0.1/":                "Webhook URL must not resolve to a non-public IP address. '127.0.0.1' resolves to 127.0.0.1.",
		"https://10.1.2.3/":                 "Webhook URL must not resolve to a non-public IP address. '10.1.2.3' resolves to 10.1.2.3.",
		"https://169.254.169.254/":          "Webhook URL must not resolve to a non-public IP address. '169.254.169.254' resolves to 169.254.169.254.",
		"https://100.64.0.1/":               "Webhook URL must not resolve to a non-public IP address. '100.64.0.1' resolves to 100.64.0.1.",
		"https://[::1]/":                    "Webhook URL must not resolve to a non-public IP address. '::1' resolves to ::1.",
		"https://[fd00::1]/":                "Webhook URL must not resolve to a non-public IP address. 'fd00::1' resolves to fd00::1.",
		"https://[::ffff:10.0.0.1]/":        "Webhook URL must not resolve to a non-public IP address. '::ffff:10.0.0.1' resolves to ::ffff:a00:1.",
		"https://[64:ff9b::127.0.0.1]/":     "Webhook URL must not resolve to a non-public IP address. '64:ff9b::127.0.0.1' resolves to 64:ff9b::7f00:1.",
		"https://[2002:a00:1::]/":           "Webhook URL must not resolve to a non-public IP address. '2002:a00:1::' resolves to 2002:a00:1::.",
		"https://no-such-host.invalid/hook": "Cannot resolve Webhook URL hostname 'no-such-host.invalid': ",
	} {
		err := w.Check(t.Context(), url)
		var user *registry.Error
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: %v", url, err)
		case want != "" && (!errors.As(err, &user) || !strings.HasPrefix(user.Message, want)):
			t.Errorf("%s\n got %v\nwant %s", url, err, want)
		}
	}
}

func TestSecretsAreEncryptedAndNeverShown(t *testing.T) {
	dir := t.TempDir()
	open := func(key string) (*registry.Store, *sqldb.DB) {
		db, err := sqldb.Open(t.Context(), filepath.Join(dir, "prinzbox.db"), sqldb.DurabilityOff)
		if err != nil {
			t.Fatal(err)
		}
		s, err := registry.Open(t.Context(), registry.Config{DB: db, Clock: time.Now, NewID: newID, SecretKey: []byte(key)})
		if err != nil {
			t.Fatal(err)
		}
		return s, db
	}
	const key = "0123456789abcdef0123456789abcdef"
	s, db := open(key)
	w, err := s.CreateWebhook(t.Context(), registry.NewWebhook{
		Name: "w", URL: "https://8.8.8.8/", Secret: "hush hush",
		Events: []registry.WebhookEvent{{Entity: "PROMPT", Action: "CREATED"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	var stored []byte
	if err := db.Read().QueryRowContext(t.Context(), "SELECT secret FROM webhooks").Scan(&stored); err != nil || strings.Contains(string(stored), "hush") || len(stored) < 9 {
		t.Errorf("stored as %q, %v", stored, err)
	}
	if text, err := json.Marshal(w); err != nil || strings.Contains(string(text), "hush") {
		t.Errorf("%s %v", text, err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	s, db = open(key)
	if sub, err := s.SubscriberOf(t.Context(), w.ID); err != nil || sub.Err != nil || sub.Secret != "hush hush" {
		t.Errorf("after a restart: %+v, %v", sub, err)
	}
	_ = db.Close()
	s, db = open(strings.ToUpper(key))
	if sub, err := s.SubscriberOf(t.Context(), w.ID); err != nil || !errors.Is(sub.Err, registry.ErrSecret) || sub.Secret != "" {
		t.Errorf("with another key: %+v, %v", sub, err)
	}
	_ = db.Close()
}
