package prinzbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/prinzbox/prinzbox/registry"
	"github.com/prinzbox/prinzbox/registry/rest"
)

// ControlPrefix is where calls about the environment itself live. No model's scoring route can begin so: paths under /api/ are never taken
// for a model's name.
const ControlPrefix = "/api/prinzbox"

// Paths of the webhook receiver.
const (
	ReceivePath  = ControlPrefix + "/webhooks/receive"  // POST: a delivery; more may follow the path, to tell webhooks apart
	ReceivedPath = ControlPrefix + "/webhooks/received" // GET: what came, the newest first; DELETE: forget it
)

// What the receiver keeps at most: the newest deliveries, in number and in bytes of their bodies.
const (
	maxReceived      = 100
	maxReceivedBytes = 8 << 20
	maxDelivery      = 1 << 20
)

// Received is a webhook delivery that the environment's own receiver got.
type Received struct {
	Number     int64           `json:"number"` // 1, 2, 3 … since the start
	At         time.Time       `json:"at"`
	Path       string          `json:"path"`              // behind ReceivePath: "" or "/…"
	Webhook    string          `json:"webhook,omitempty"` // the name of the webhook that sent it, where its signature or its being the only one there tells
	Signature  string          `json:"signature"`         // "valid", "absent", "invalid", "stale"
	DeliveryID string          `json:"delivery_id"`
	Timestamp  string          `json:"timestamp"`      // unix seconds, as sent
	Body       json.RawMessage `json:"body,omitempty"` // where it is JSON
	Text       string          `json:"text,omitempty"` // where it is not

	size int
}

// receiver is a webhook's other end inside the environment, for demos and tests. Deliveries to it go from hand to hand, so that neither https
// nor a public address is asked of its URL.
type receiver struct {
	env *world

	mu    sync.Mutex
	list  []Received // the oldest first
	bytes int
	count int64
}

// receives tells whether there is a receiver: by default on loopback only, since whoever reaches it reads what models are called.
func (c Config) receives() bool {
	if c.Webhooks.Receiver != nil {
		return *c.Webhooks.Receiver
	}
	return isLoopback(c.Host) || c.Host == "localhost"
}

// own tells whether a URL leads to the receiver, by any of the environment's names.
func (r *receiver) own(u *url.URL) bool {
	scheme, host, _ := strings.Cut(r.env.ready.TrackingURI, "://")
	host, _, _ = strings.Cut(host, "/")
	path := r.env.ownPath(u.Path)
	return u.User == nil && u.Scheme == scheme && (u.Host == host || r.env.ownHost(u.Host)) && (path == ReceivePath || strings.HasPrefix(path, ReceivePath+"/"))
}

// local is [rest.WebhooksConfig]'s Local.
func (r *receiver) local(u *url.URL) http.Handler {
	if !r.own(u) {
		return nil
	}
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if r.env.space.name != "" && strings.HasPrefix(req.URL.Path, namespacePrefix) {
			req = withoutPrefix(req, r.env.space.name)
		}
		r.receive(w, req)
	})
}

// admin lets only admins pass where there are users: deliveries tell of all models.
func (r *receiver) admin(w http.ResponseWriter, req *http.Request, next http.HandlerFunc) {
	if who := registry.AccessOf(req.Context()); r.env.auth != nil && (who == nil || !who.User.IsAdmin) {
		rest.WriteDenied(w)
		return
	}
	next(w, req)
}

func (r *receiver) receive(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, maxDelivery))
	if err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			rest.WriteErrorStatus(w, http.StatusRequestEntityTooLarge, registry.InvalidParameterValue, fmt.Sprintf("A delivery has at most %d bytes here.", maxDelivery))
			return
		}
		rest.WriteError(w, registry.Invalidf("The body could not be read: %v", err))
		return
	}
	got := Received{
		At: r.env.cfg.Clock().UTC(), Path: strings.TrimPrefix(req.URL.Path, ReceivePath), size: len(body),
		DeliveryID: cutText(req.Header.Get("X-MLflow-Delivery-Id")), Timestamp: cutText(req.Header.Get("X-MLflow-Timestamp")),
	}
	if json.Valid(body) {
		got.Body = body
	} else {
		got.Text = strings.ToValidUTF8(string(body), "\uFFFD")
	}
	senders, err := r.env.store.SubscribersAt(req.Context(), func(text string) bool {
		u, err := url.Parse(text)
		return err == nil && r.own(u) && r.env.ownPath(u.Path) == req.URL.Path
	})
	if err != nil {
		rest.WriteError(w, err)
		return
	}
	got.Signature, got.Webhook = judge(senders, req.Header, body, got.At)
	r.keep(&got)
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"number": got.Number, "signature": got.Signature}) // a client that went away
}

// judge finds the sender whose secret made the signature.
func judge(senders []registry.Subscriber, header http.Header, body []byte, now time.Time) (signature, name string) {
	signature = "absent"
	for _, s := range senders {
		if s.Err != nil || s.Secret == "" {
			continue
		}
		switch err := rest.VerifyDelivery(s.Secret, header, body, now); {
		case err == nil:
			return "valid", s.Name
		case errors.Is(err, rest.ErrStale):
			signature, name = "stale", s.Name
		}
	}
	if header.Get("X-MLflow-Signature") != "" && signature == "absent" {
		return "invalid", ""
	}
	if signature == "absent" && len(senders) == 1 {
		name = senders[0].Name
	}
	return signature, name
}

func cutText(s string) string { return s[:min(len(s), 100)] }

func (r *receiver) keep(got *Received) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.count++
	got.Number = r.count
	r.list = append(r.list, *got)
	r.bytes += got.size
	drop := 0
	for len(r.list)-drop > maxReceived || r.bytes > maxReceivedBytes {
		r.bytes -= r.list[drop].size
		drop++
	}
	r.list = append(r.list[:0:0], r.list[drop:]...)
}

// Received lists the webhook deliveries that the environment's own receiver (POST to [ReceivePath]) got, the oldest first: the newest hundred.
func (s *space) Received() []Received {
	return s.world().receiver.received()
}

func (r *receiver) received() []Received {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Received(nil), r.list...)
}

func (r *receiver) show(w http.ResponseWriter, _ *http.Request) {
	list := r.received()
	out := struct {
		Deliveries []Received `json:"deliveries"`
	}{make([]Received, 0, len(list))}
	for i := range list {
		out.Deliveries = append(out.Deliveries, list[len(list)-1-i])
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(out) // a client that went away
}

func (r *receiver) forget(w http.ResponseWriter, _ *http.Request) {
	r.mu.Lock()
	r.list, r.bytes = nil, 0
	r.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, "{}\n") // a client that went away
}
