package prinzbox

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestWebhooksFromEnvironment(t *testing.T) {
	env := map[string]string{
		"MLFLOW_WEBHOOK_ALLOWED_SCHEMES": "http, https", "MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS": "True", "MLFLOW_WEBHOOK_REQUEST_TIMEOUT": "7",
		"MLFLOW_WEBHOOK_REQUEST_MAX_RETRIES": "0", "MLFLOW_WEBHOOK_DELIVERY_MAX_WORKERS": "2", "MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY": "k",
		"PRINZBOX_WEBHOOK_RECEIVER": "FALSE",
	}
	w, err := webhooksFromEnvironment(func(name string) string { return env[name] })
	if err != nil || !slices.Equal(w.Schemes, []string{"http", "https"}) || !w.AllowPrivate || w.Timeout != 7*time.Second || *w.Retries != 0 || w.Workers != 2 || w.SecretKey != "k" || *w.Receiver {
		t.Errorf("%+v, %v", w, err)
	}
	if w, err = webhooksFromEnvironment(func(string) string { return "" }); err != nil || w.Schemes != nil || w.AllowPrivate || w.Retries != nil || w.Receiver != nil {
		t.Errorf("nothing set: %+v, %v", w, err)
	}
	for name, bad := range map[string]string{
		"MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS": "maybe", "MLFLOW_WEBHOOK_REQUEST_TIMEOUT": "0", "MLFLOW_WEBHOOK_REQUEST_MAX_RETRIES": "-1",
		"MLFLOW_WEBHOOK_DELIVERY_MAX_WORKERS": "many", "PRINZBOX_WEBHOOK_RECEIVER": "on loopback",
	} {
		_, err := webhooksFromEnvironment(func(n string) string { return map[string]string{name: bad}[n] })
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s=%s: %v", name, bad, err)
		}
	}
}

func TestWebhookKey(t *testing.T) {
	d := &dataDir{path: t.TempDir()}
	first, err := d.webhookKey("")
	if err != nil || len(first) != 32 {
		t.Fatal(first, err)
	}
	if again, err := d.webhookKey(""); err != nil || !slices.Equal(first, again) {
		t.Errorf("the second time %x, %v", again, err)
	}
	file := filepath.Join(d.path, webhookKeyFile)
	if info, err := os.Stat(file); err != nil || info.Mode().Perm()&0o077 != 0 && os.PathSeparator == '/' {
		t.Errorf("%v %v", info, err)
	}
	given := base64.URLEncoding.EncodeToString([]byte("0123456789abcdef0123456789abcdef"))
	if key, err := d.webhookKey(given); err != nil || string(key) != "0123456789abcdef0123456789abcdef" {
		t.Errorf("a key given: %x, %v", key, err)
	}
	if _, err := d.webhookKey("short"); err == nil || !strings.Contains(err.Error(), "MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY") {
		t.Errorf("a bad key: %v", err)
	}
	if err := os.WriteFile(file, []byte("spoilt"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := d.webhookKey(""); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("a spoilt file: %v", err)
	}
}
