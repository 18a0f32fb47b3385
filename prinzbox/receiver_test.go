package prinzbox_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prinzbox/prinzbox/prinzbox"
	"github.com/prinzbox/prinzbox/registry"
)

// ask sends a request and gives the answer.
func ask(t *testing.T, method, url, body string, header ...string) (status int, answer string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// hook makes a webhook for new models.
func hook(t *testing.T, env *prinzbox.Env, name, url, secret string) (status int, answer string) {
	t.Helper()
	body, err := json.Marshal(map[string]any{"name": name, "url": url, "secret": secret, "events": []map[string]string{{"entity": "REGISTERED_MODEL", "action": "CREATED"}}})
	if err != nil {
		t.Fatal(err)
	}
	return ask(t, "POST", env.TrackingURI()+"/api/2.0/mlflow/webhooks", string(body))
}

// received waits for the receiver to hold n deliveries and gives them as its list does, the newest first.
func received(t *testing.T, env *prinzbox.Env, n int) []prinzbox.Received {
	t.Helper()
	for start := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		status, answer := ask(t, "GET", env.TrackingURI()+prinzbox.ReceivedPath, "")
		var list struct {
			Deliveries []prinzbox.Received `json:"deliveries"`
		}
		if err := json.Unmarshal([]byte(answer), &list); err != nil || status != http.StatusOK {
			t.Fatalf("%d %s: %v", status, answer, err)
		}
		if len(list.Deliveries) >= n || time.Since(start) > 20*time.Second {
			if len(list.Deliveries) != n {
				t.Fatalf("%d deliveries, want %d: %+v", len(list.Deliveries), n, list.Deliveries)
			}
			return list.Deliveries
		}
	}
}

// Webhooks reach the environment's own receiver, which tells whether their signatures are right.
func TestWebhookReceiver(t *testing.T) {
	env := prinzbox.Start(t, func(c *prinzbox.Config) { c.Seed = false })
	receive := env.TrackingURI() + prinzbox.ReceivePath
	for name, url := range map[string]string{"signed": receive + "/signed", "plain": strings.Replace(receive, "127.0.0.1", "localhost", 1)} {
		secret := ""
		if name == "signed" {
			secret = "s3cret"
		}
		if status, answer := hook(t, env, name, url, secret); status != http.StatusOK {
			t.Fatalf("%s: %d %s", name, status, answer)
		}
	}
	if status, answer := ask(t, "POST", env.TrackingURI()+"/api/2.0/mlflow/registered-models/create", `{"name": "m", "description": "größer"}`); status != http.StatusOK {
		t.Fatal(answer)
	}
	for _, d := range received(t, env, 2) {
		want := map[string]string{"signed": "valid /signed", "plain": "absent "}[d.Webhook]
		if got := d.Signature + " " + d.Path; got != want || d.DeliveryID == "" || !strings.Contains(string(d.Body), `"entity": "registered_model"`) && !strings.Contains(string(d.Body), `"entity":"registered_model"`) {
			t.Errorf("%s: %q, want %q: %+v %s", d.Webhook, got, want, d, d.Body)
		}
	}

	// What comes by HTTP is judged the same way.
	if status, answer := ask(t, "POST", receive+"/signed", `{"forged": true}`, "X-MLflow-Signature", "v1,AAAA", "X-MLflow-Delivery-Id", "d", "X-MLflow-Timestamp", "1"); status != http.StatusOK || !strings.Contains(answer, `"invalid"`) {
		t.Errorf("a forged delivery: %d %s", status, answer)
	}
	if status, _ := ask(t, "POST", receive, "no \x00 JSON \xff"); status != http.StatusOK {
		t.Errorf("a body that is no JSON: %d", status)
	}
	list := received(t, env, 4)
	if list[0].Text != "no \x00 JSON \uFFFD" || list[1].Signature != "invalid" || list[1].Number != 3 {
		t.Errorf("%+v", list[:2])
	}
	if status, answer := ask(t, "POST", receive, strings.Repeat("x", 1<<20+1)); status != http.StatusRequestEntityTooLarge || !strings.Contains(answer, "1048576") {
		t.Errorf("a huge body: %d %s", status, answer)
	}

	// It keeps the newest only.
	for i := range 120 {
		if status, _ := ask(t, "POST", receive, fmt.Sprint(i)); status != http.StatusOK {
			t.Fatal(status)
		}
	}
	if list := received(t, env, 100); string(list[0].Body) != "119" || string(list[99].Body) != "20" {
		t.Errorf("newest %s, oldest %s", list[0].Body, list[99].Body)
	}
	for range 12 {
		ask(t, "POST", receive, `"`+strings.Repeat("x", 1<<20-10)+`"`)
	}
	if n := len(env.Received()); n != 8 {
		t.Errorf("%d large deliveries are kept", n)
	}
	if status, answer := ask(t, "DELETE", env.TrackingURI()+prinzbox.ReceivedPath, ""); status != http.StatusOK {
		t.Errorf("DELETE: %d %s", status, answer)
	}
	received(t, env, 0)

	// Nothing else of this machine is within a webhook's reach.
	for _, url := range []string{
		env.TrackingURI() + "/api/2.0/mlflow/experiments/create", env.S3Endpoint() + prinzbox.ReceivePath, env.TrackingURI() + prinzbox.ReceivePath + "d",
		"http://user@" + strings.TrimPrefix(receive, "http://"), "http://10.0.0.1" + prinzbox.ReceivePath, env.TrackingURI() + prinzbox.ReceivedPath,
	} {
		if status, answer := hook(t, env, "x", url, ""); status != http.StatusBadRequest || !strings.Contains(answer, "Invalid webhook URL scheme") {
			t.Errorf("%s: %d %s", url, status, answer)
		}
	}
}

// A test of a webhook shows the receiver's answer; a stale delivery is told from a right one.
func TestWebhookReceiverTestCall(t *testing.T) {
	now := time.UnixMilli(1_700_000_000_000)
	env := prinzbox.Start(t, func(c *prinzbox.Config) { c.Seed = false; c.Clock = func() time.Time { return now } })
	_, answer := hook(t, env, "signed", env.TrackingURI()+prinzbox.ReceivePath, "s3cret")
	var made struct{ Webhook registry.Webhook }
	if err := json.Unmarshal([]byte(answer), &made); err != nil {
		t.Fatal(err, answer)
	}
	_, answer = ask(t, "POST", env.TrackingURI()+"/api/2.0/mlflow/webhooks/"+made.Webhook.ID+"/test", "{}")
	if !strings.Contains(answer, `"success":true`) || !strings.Contains(answer, `\"signature\":\"valid\"`) {
		t.Error(answer)
	}
	if d := received(t, env, 1)[0]; d.Webhook != "signed" || !d.At.Equal(now) || !bytes.Contains(d.Body, []byte("example_model")) {
		t.Errorf("%+v %s", d, d.Body)
	}
}

// Beyond loopback there is no receiver unless it is asked for.
func TestWebhookReceiverOff(t *testing.T) {
	yes, no := true, false
	for name, tc := range map[string]struct {
		host string
		on   *bool
		want int
	}{
		"loopback": {"127.0.0.1", nil, http.StatusOK}, "loopback, off": {"127.0.0.1", &no, http.StatusNotFound},
		"all": {"0.0.0.0", nil, http.StatusNotFound}, "all, on": {"0.0.0.0", &yes, http.StatusOK},
	} {
		env := prinzbox.Start(t, func(c *prinzbox.Config) { c.Seed, c.Host, c.Webhooks.Receiver = false, tc.host, tc.on })
		if status, answer := ask(t, "GET", env.TrackingURI()+prinzbox.ReceivedPath, ""); status != tc.want {
			t.Errorf("%s: %d %s", name, status, answer)
		}
		if status, _ := hook(t, env, "x", env.TrackingURI()+prinzbox.ReceivePath, ""); (status == http.StatusOK) != (tc.want == http.StatusOK) {
			t.Errorf("%s: a webhook to it: %d", name, status)
		}
	}
}

// With users, only admins read what came; deliveries need no password.
func TestWebhookReceiverAuth(t *testing.T) {
	env := prinzbox.Start(t, func(c *prinzbox.Config) {
		c.Seed, c.Auth = false, prinzbox.Auth{AppName: prinzbox.BasicAuth, AdminUsername: "root", AdminPassword: "correct horse battery"}
	})
	a := asker{t, env.TrackingURI()}
	a.must(200, "root:correct horse battery", "POST", "/api/2.0/mlflow/users/create", map[string]any{"username": "ann", "password": "another long password"})
	a.must(200, "root:correct horse battery", "POST", "/api/2.0/mlflow/webhooks", map[string]any{
		"name": "w", "url": env.TrackingURI() + prinzbox.ReceivePath, "events": []any{map[string]any{"entity": "REGISTERED_MODEL", "action": "CREATED"}},
	})
	a.must(200, "ann:another long password", "POST", "/api/2.0/mlflow/registered-models/create", map[string]any{"name": "m"})
	for start := time.Now(); len(env.Received()) == 0 && time.Since(start) < 10*time.Second; time.Sleep(5 * time.Millisecond) {
	}
	if got := env.Received(); len(got) != 1 || got[0].Webhook != "w" {
		t.Errorf("%+v", got)
	}
	a.must(200, "root:correct horse battery", "GET", prinzbox.ReceivedPath, nil)
	a.must(403, "ann:another long password", "GET", prinzbox.ReceivedPath, nil)
	a.must(403, "ann:another long password", "DELETE", prinzbox.ReceivedPath, nil)
	a.must(401, "", "GET", prinzbox.ReceivedPath, nil)
}
