package prinzbox

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Webhooks is how webhooks of the model registry are called. The zero value is MLflow's way: https and public addresses only, 30 seconds,
// 3 retries, 10 deliveries at once. The command reads MLflow's variables, which the fields name. MLFLOW_WEBHOOK_CACHE_TTL has no
// counterpart: a new webhook is called from the next event on.
type Webhooks struct {
	// Schemes that URLs may have, MLFLOW_WEBHOOK_ALLOWED_SCHEMES.
	Schemes []string
	// AllowPrivate lets them reach addresses that are not public, such as a receiver on this machine, MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS.
	AllowPrivate bool
	// Timeout of a request, MLFLOW_WEBHOOK_REQUEST_TIMEOUT (whole seconds).
	Timeout time.Duration
	// Retries after a failure, MLFLOW_WEBHOOK_REQUEST_MAX_RETRIES; nil means 3.
	Retries *int
	// Workers is how many deliveries run at once, MLFLOW_WEBHOOK_DELIVERY_MAX_WORKERS.
	Workers int
	// Receiver switches on the environment's own receiver at [ReceivePath], PRINZBOX_WEBHOOK_RECEIVER; nil means on loopback only.
	Receiver *bool
	// SecretKey encrypts secrets at rest: 32 bytes in URL-safe base64, MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY. Empty means one that is
	// made once and kept in the data folder.
	SecretKey string
}

// webhooksFromEnvironment reads MLflow's variables.
func webhooksFromEnvironment(getenv func(string) string) (w Webhooks, err error) {
	number := func(name string, least int) (int, bool) {
		text := getenv(name)
		if text == "" {
			return 0, false
		}
		n, bad := strconv.Atoi(strings.TrimSpace(text))
		if (bad != nil || n < least) && err == nil {
			err = fmt.Errorf("environment variable %s: %q is no number from %d on", name, text, least)
		}
		return n, true
	}
	if text := getenv("MLFLOW_WEBHOOK_ALLOWED_SCHEMES"); text != "" {
		for scheme := range strings.SplitSeq(text, ",") {
			w.Schemes = append(w.Schemes, strings.TrimSpace(scheme))
		}
	}
	flag := func(name string) *bool {
		switch text := getenv(name); strings.ToLower(text) {
		case "":
			return nil
		case "true", "1", "false", "0":
			on := text == "1" || strings.EqualFold(text, "true")
			return &on
		default:
			err = fmt.Errorf("environment variable %s: %q is neither true nor false", name, text)
			return nil
		}
	}
	if on := flag("MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS"); on != nil {
		w.AllowPrivate = *on
	}
	w.Receiver = flag("PRINZBOX_WEBHOOK_RECEIVER")
	if n, ok := number("MLFLOW_WEBHOOK_REQUEST_TIMEOUT", 1); ok {
		w.Timeout = time.Duration(n) * time.Second
	}
	if n, ok := number("MLFLOW_WEBHOOK_REQUEST_MAX_RETRIES", 0); ok {
		w.Retries = &n
	}
	if n, ok := number("MLFLOW_WEBHOOK_DELIVERY_MAX_WORKERS", 1); ok {
		w.Workers = n
	}
	w.SecretKey = getenv("MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY")
	return w, err
}

const webhookKeyFile = "webhook.key"

// webhookKey is the key given, or the data folder's own, which is made at first use.
func (d *dataDir) webhookKey(given string) ([]byte, error) {
	if given != "" {
		key, err := parseWebhookKey(given)
		if err != nil {
			err = fmt.Errorf("MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY: %w", err)
		}
		return key, err
	}
	file := filepath.Join(d.path, webhookKeyFile)
	text, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		var key [32]byte
		_, _ = rand.Read(key[:]) // never fails (crypto/rand)
		text = []byte(base64.URLEncoding.EncodeToString(key[:]) + "\n")
		err = os.WriteFile(file, text, 0o600)
	}
	if err != nil {
		return nil, err
	}
	key, err := parseWebhookKey(string(text))
	if err != nil {
		err = fmt.Errorf("%s: %w; remove the file to get a new key, and set the secrets of webhooks anew", file, err)
	}
	return key, err
}

func parseWebhookKey(text string) ([]byte, error) {
	key, err := base64.URLEncoding.DecodeString(strings.TrimSpace(text))
	if err != nil || len(key) != 32 {
		return nil, errors.New("a key is 32 bytes in URL-safe base64")
	}
	return key, nil
}
