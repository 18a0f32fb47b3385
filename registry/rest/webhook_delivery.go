package rest

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prinzbox/prinzbox/registry"
	"github.com/prinzbox/prinzbox/registry/pyjson"
)

// WebhooksConfig is how webhooks are called. The zero value is MLflow's way, with the names of its settings:
type WebhooksConfig struct {
	// Schemes of URLs, MLFLOW_WEBHOOK_ALLOWED_SCHEMES; nil means https.
	Schemes []string
	// AllowPrivate lets webhooks reach addresses that are not public, MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS.
	AllowPrivate bool
	// Timeout of one attempt, MLFLOW_WEBHOOK_REQUEST_TIMEOUT; 0 means 30 seconds.
	Timeout time.Duration
	// Retries after a first failure, MLFLOW_WEBHOOK_REQUEST_MAX_RETRIES; nil means 3.
	Retries *int
	// Local gives the handler of a URL that this process answers itself, nil for all others. Such a URL may have any scheme and address: no
	// connection is made. May be nil.
	Local func(u *url.URL) http.Handler
	// Workers is how many deliveries run at once, MLFLOW_WEBHOOK_DELIVERY_MAX_WORKERS; 0 means 10.
	Workers int
	// Backoff is the unit of the waits between attempts, which are 0, 2, 4 … units and a random part of one; 0 means a second.
	Backoff time.Duration

	Log   *slog.Logger
	Clock func() time.Time
	// NewID gives 32 lowercase hex digits, for delivery ids.
	NewID func() string
}

// maxQueue bounds the deliveries that wait. MLflow's queue has no bound; this one drops what is too much and says so.
const maxQueue = 10_000

// Webhooks delivers events to webhooks. It is safe for concurrent use.
type Webhooks struct {
	cfg     WebhooksConfig
	client  *http.Client
	workers chan struct{}
	stop    context.CancelFunc
	ctx     context.Context // of all deliveries
	closing chan struct{}   // closed when nobody shall wait for another attempt any more

	mu      sync.Mutex
	closed  bool
	waiting int
	running sync.WaitGroup
}

// NewWebhooks makes a deliverer. Nothing runs until there is something to deliver; Close ends it.
func NewWebhooks(c WebhooksConfig) *Webhooks {
	if c.Schemes == nil {
		c.Schemes = []string{"https"}
	}
	if c.Timeout == 0 {
		c.Timeout = 30 * time.Second
	}
	if c.Retries == nil {
		c.Retries = new(int)
		*c.Retries = 3
	}
	if c.Workers == 0 {
		c.Workers = 10
	}
	if c.Backoff == 0 {
		c.Backoff = time.Second
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	w := &Webhooks{cfg: c, workers: make(chan struct{}, c.Workers), closing: make(chan struct{})}
	w.ctx, w.stop = context.WithCancel(context.Background())
	dialer := &net.Dialer{Timeout: c.Timeout, Control: w.control}
	w.client = &http.Client{
		// No proxy: it would be the one whose address is checked.
		Transport: &http.Transport{DialContext: dialer.DialContext, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 2, IdleConnTimeout: time.Minute},
	}
	return w
}

// Deliver sends an event to webhooks, each by itself, and returns at once. It is [registry.Config]'s Deliver.
func (w *Webhooks) Deliver(e registry.Event, to []registry.Subscriber) {
	for _, sub := range to {
		if sub.Err != nil {
			w.cfg.Log.Error("webhook not called", "webhook", sub.Name, "event", eventName(e.WebhookEvent), "error", sub.Err)
			continue
		}
		w.mu.Lock()
		if w.closed || w.waiting >= maxQueue {
			w.mu.Unlock()
			w.cfg.Log.Error("webhook not called: too many deliveries wait, or the server ends", "webhook", sub.Name, "event", eventName(e.WebhookEvent))
			continue
		}
		w.waiting++
		w.running.Add(1)
		w.mu.Unlock()
		go w.deliver(e, sub)
	}
}

func eventName(e registry.WebhookEvent) string { return strings.ToLower(e.Entity + "." + e.Action) }

func (w *Webhooks) deliver(e registry.Event, to registry.Subscriber) {
	defer w.running.Done()
	w.workers <- struct{}{}
	defer func() {
		<-w.workers
		w.mu.Lock()
		w.waiting--
		w.mu.Unlock()
	}()
	status, _, err := w.post(w.ctx, e, to)
	switch {
	case err != nil:
		w.cfg.Log.Error("webhook failed", "webhook", to.Name, "url", to.URL, "event", eventName(e.WebhookEvent), "error", err)
	case status >= 400:
		w.cfg.Log.Error("webhook refused", "webhook", to.Name, "url", to.URL, "event", eventName(e.WebhookEvent), "status", status)
	default:
		w.cfg.Log.Debug("webhook called", "webhook", to.Name, "event", eventName(e.WebhookEvent), "status", status)
	}
}

// Close lets deliveries under way end until ctx is done; those that wait for another attempt get none.
func (w *Webhooks) Close(ctx context.Context) {
	w.mu.Lock()
	if !w.closed {
		close(w.closing)
	}
	w.closed = true
	w.mu.Unlock()
	done := make(chan struct{})
	go func() {
		w.running.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
		w.stop()
		<-done
	}
	w.stop()
	w.client.CloseIdleConnections()
}

// WebhookResult is MLflow's WebhookTestResult message.
type WebhookResult struct {
	Success bool    `json:"success"`
	Status  int     `json:"response_status,omitempty"`
	Body    *string `json:"response_body,omitempty"`
	Error   string  `json:"error_message,omitempty"`
}

// Test sends an example of an event and tells what came of it.
func (w *Webhooks) Test(ctx context.Context, event registry.WebhookEvent, to registry.Subscriber) WebhookResult {
	err := to.Err
	if err == nil {
		var status int
		var body string
		if status, body, err = w.post(ctx, registry.Event{WebhookEvent: event, Data: registry.ExampleData(event)}, to); err == nil {
			return WebhookResult{Success: status < 400, Status: status, Body: &body}
		}
	}
	if user, ok := errors.AsType[*registry.Error](err); ok {
		return WebhookResult{Error: "Failed to test webhook: " + user.Message}
	}
	return WebhookResult{Error: "Failed to test webhook: " + err.Error()}
}

// isoTime writes a time as Python's isoformat does.
func isoTime(t time.Time) string {
	layout := "2006-01-02T15:04:05.000000+00:00"
	if t.Nanosecond()/1000 == 0 {
		layout = "2006-01-02T15:04:05+00:00"
	}
	return t.UTC().Format(layout)
}

func sign(secret, deliveryID, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	_, _ = fmt.Fprintf(mac, "%s.%s.%s", deliveryID, timestamp, body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// retried are the statuses after which MLflow tries again.
var retried = []int{429, 500, 502, 503, 504}

// post delivers one event to one webhook, with retries. All attempts have the same id, time and signature.
func (w *Webhooks) post(ctx context.Context, e registry.Event, to registry.Subscriber) (status int, answer string, err error) {
	if err := w.Check(ctx, to.URL); err != nil {
		return 0, "", err
	}
	now := w.cfg.Clock()
	member := func(key, value string) pyjson.Member { return pyjson.Member{Key: key, Value: pyjson.Of(value)} }
	body := []byte(pyjson.OfMembers(member("entity", strings.ToLower(e.Entity)), member("action", strings.ToLower(e.Action)),
		member("timestamp", isoTime(now)), pyjson.Member{Key: "data", Value: e.Data}).JSON())
	id := w.deliveryID()
	timestamp := strconv.FormatInt(now.Unix(), 10)
	header := http.Header{}
	header.Set("Content-Type", "application/json")
	header.Set("User-Agent", "prinzbox")
	header["X-MLflow-Delivery-Id"] = []string{id} // MLflow's spelling, for receivers that look at it
	header["X-MLflow-Timestamp"] = []string{timestamp}
	if to.Secret != "" {
		header["X-MLflow-Signature"] = []string{sign(to.Secret, id, timestamp, body)}
	}
	for attempt := 0; ; attempt++ {
		var after time.Duration
		status, answer, after, err = w.attempt(ctx, to.URL, header, body)
		var blocked errNotPublic
		switch {
		case errors.As(err, &blocked), err == nil && !slices.Contains(retried, status), attempt >= *w.cfg.Retries:
			return status, answer, err
		}
		if after < 0 {
			after = w.backoff(attempt)
		}
		timer := time.NewTimer(after)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return status, answer, errors.Join(err, context.Cause(ctx))
		case <-w.closing:
			timer.Stop()
			return status, answer, errors.Join(err, errors.New("given up after this attempt: the server ends"))
		}
	}
}

func (w *Webhooks) deliveryID() string {
	var b [16]byte
	text := ""
	if w.cfg.NewID != nil {
		text = w.cfg.NewID()
	} else {
		_, _ = rand.Read(b[:]) // never fails
		text = fmt.Sprintf("%x", b)
	}
	return text[:8] + "-" + text[8:12] + "-" + text[12:16] + "-" + text[16:20] + "-" + text[20:]
}

// backoff is the wait after an attempt, as urllib3 has it under MLflow's settings.
func (w *Webhooks) backoff(attempt int) time.Duration {
	if attempt == 0 {
		return 0
	}
	const most = 60
	wait := w.cfg.Backoff << min(attempt, 6)
	jitter, err := rand.Int(rand.Reader, big.NewInt(int64(w.cfg.Backoff)))
	if err == nil {
		wait += time.Duration(jitter.Int64())
	}
	return min(wait, most*w.cfg.Backoff)
}

// maxAnswer is how much of an answer is read.
const maxAnswer = 1 << 20

// attempt makes one request. after is what the answer's Retry-After asks for, negative when it asks nothing.
func (w *Webhooks) attempt(ctx context.Context, target string, header http.Header, body []byte) (status int, answer string, after time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, w.cfg.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		return 0, "", -1, err
	}
	req.Header = header.Clone()
	if h := w.local(req.URL); h != nil {
		status, answer := serveLocal(h, req)
		return status, answer, -1, nil
	}
	resp, err := w.client.Do(req)
	if err != nil {
		return 0, "", -1, err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	return resp.StatusCode, strings.ToValidUTF8(string(text), "\uFFFD"), retryAfter(resp.Header.Get("Retry-After"), w.cfg.Clock()), err
}

// retryAfter reads the header: seconds or a date. It is taken up to six hours, as urllib3 does.
func retryAfter(text string, now time.Time) time.Duration {
	const most = 6 * time.Hour
	if seconds, err := strconv.Atoi(strings.TrimSpace(text)); err == nil && seconds >= 0 {
		return min(time.Duration(min(seconds, int(most/time.Second)))*time.Second, most)
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return -1
	}
	return max(0, min(at.Sub(now), most))
}
