package prinzbox

import (
	"cmp"
	"encoding/xml"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prinzbox/prinzbox/prinzbox/calls"
	"github.com/prinzbox/prinzbox/prinzbox/control"
	"github.com/prinzbox/prinzbox/prinzbox/faults"
	"github.com/prinzbox/prinzbox/registry"
	"github.com/prinzbox/prinzbox/registry/rest"
	"github.com/prinzbox/prinzbox/serving"
)

// instruments are what a test looks at and turns: they belong to a space, and stay when its world is replaced or sleeps.
type instruments struct {
	once   sync.Once
	calls  *calls.Log
	faults faults.Set
	clock  *control.Clock
	ids    *control.IDs
	// persona is nil where the request decides; first is the one of the start.
	persona atomic.Pointer[rest.Persona]
	first   *rest.Persona
}

// Bounds of a namespace's request log, of which a process may have a thousand.
const (
	namespaceCalls     = 2000
	namespaceCallBytes = 1 << 20
)

// instruments are made when first asked for.
func (s *space) instruments() *instruments {
	i := &s.tools
	i.once.Do(func() {
		c := s.env.cfg
		i.clock, i.ids = control.NewClock(c.Clock), control.NewIDs(c.NewID)
		log := calls.Config{Entries: c.Calls.Entries, Bytes: c.Calls.Bytes, Body: c.Calls.Body, Hosts: c.bucketHosts(s.name), Secrets: c.secrets()}
		if s.name != "" {
			if log.Entries >= 0 {
				log.Entries = min(cmp.Or(log.Entries, namespaceCalls), namespaceCalls)
			}
			log.Bytes = min(cmp.Or(log.Bytes, namespaceCallBytes), namespaceCallBytes)
		}
		i.first, _ = rest.FindPersona(c.Persona) // Open has looked
		i.persona.Store(i.first)
		i.calls = calls.New(log)
	})
	return i
}

// reset puts them back to what they are at first.
func (i *instruments) reset() {
	i.calls.Clear()
	i.faults.Reset()
	i.clock.Reset()
	i.ids.Reset()
	i.persona.Store(i.first)
}

// CallLog bounds the request log; the zero value is 10,000 calls, 16 MiB, and 8 KiB of each body of text. Namespaces keep at most 2,000 calls
// and 1 MiB each.
type CallLog struct {
	// Entries below 0 turns the log off; Body below 0 keeps no bodies.
	Entries int
	Bytes   int64
	Body    int
}

// Calls is the log of what was asked here, and answered.
func (s *space) Calls() *calls.Log { return s.instruments().calls }

// Faults are the rules by which calls fail here; there are none at first.
func (s *space) Faults() *faults.Set { return &s.instruments().faults }

// Clock is the time here, which can be stopped and moved. Durations, timeouts, signatures of S3 and the expiry of presigned URLs follow the
// machine's clock, whatever this one says.
func (s *space) Clock() *control.Clock { return s.instruments().clock }

// IDs is where new ids here come from, which can be a seed. Ids of requests, in X-Request-Id, stay random.
func (s *space) IDs() *control.IDs { return s.instruments().ids }

// Persona is the name of the MLflow server whose calls are all that there are here; "auto" means all.
func (s *space) Persona() string {
	if p := s.instruments().persona.Load(); p != nil {
		return p.Name
	}
	return rest.AutoPersona
}

// mlflowVersion is the MLflow server that answers here.
func (s *space) mlflowVersion() string {
	if p := s.instruments().persona.Load(); p != nil {
		return p.Version
	}
	return MLflowVersion
}

// asPersona answers by the calls of the persona alone, where there is one.
func (s *space) asPersona(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p := s.tools.persona.Load(); p != nil {
			p.Serve(w, r, next)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// SetPersona changes it, to auto, 1.13, 1.30, 2 or 3, until the next Reset.
func (s *space) SetPersona(name string) error {
	p, err := rest.FindPersona(name)
	if err == nil {
		s.instruments().persona.Store(p)
	}
	return err
}

// bucketHosts are the names, without port, below which a bucket can stand.
func (c Config) bucketHosts(namespace string) []string {
	hosts := []string{"localhost", c.Host}
	if u, err := url.Parse(c.S3PublicURL); err == nil && u.Hostname() != "" {
		hosts = append(hosts, u.Hostname())
	}
	if namespace == "" {
		return hosts
	}
	below := make([]string, 0, 2*len(hosts)) // before the others: BUCKET.NAME.ns.localhost is below localhost, too
	for _, host := range hosts {
		below = append(below, namespace+namespaceLabel+host)
	}
	return append(below, hosts...)
}

// secrets are what the request log never keeps.
func (c Config) secrets() []string {
	all := []string{c.SecretKey, c.Auth.AdminPassword, c.Remote.SecretKey, c.Webhooks.SecretKey, c.ControlToken}
	for _, k := range c.S3Keys {
		all = append(all, k.Secret)
	}
	return all
}

// listeners in the words of the request log.
var listenersOfCalls = [...]calls.Listener{onMain: calls.OnMain, onS3: calls.OnS3, onStatic: calls.OnStatic}

// maxUnread is how much is read of a body that nobody wants: as much as net/http itself reads for a connection to stay open.
const maxUnread = 256 << 10

// serveWith answers by a world, as the faults say.
func (e *Env) serveWith(w *world, index int, c *calls.Call, x *calls.Exchange, r *http.Request) {
	next := w.handlers[index]
	var plan *faults.Plan
	if c.Kind != calls.Control || !liftsFaults(r.URL.Path) {
		plan = w.space.tools.faults.Plan(c)
	}
	if plan == nil {
		next.ServeHTTP(x, r)
		return
	}
	x.Faulty(plan.Rules)
	if plan.Error != nil || plan.Reset { // nobody else reads what was sent, which the log should have
		_, _ = io.CopyN(io.Discard, r.Body, maxUnread) // what cannot be read is not kept
	}
	answer := next.ServeHTTP
	if c.Kind == calls.Scoring {
		// A model's counts are of what its clients see, whoever made it so.
		began, reached := time.Now(), false
		answer = func(out http.ResponseWriter, r *http.Request) {
			reached = true
			next.ServeHTTP(out, r.WithContext(serving.Since(r.Context(), began)))
		}
		defer func() {
			if !reached {
				w.scoring.Instead(r, x.Header(), x.Status(), "fault rule "+plan.Rules, time.Since(began))
			}
		}()
	}
	plan.Apply(x, r, e.closing, func(out http.ResponseWriter, f faults.Error) { writeFault(out, c.Kind, r.URL.Path, f) }, answer)
}

// liftsFaults tells whether a call of the control API ends what rules do: no rule may keep it from that.
func liftsFaults(path string) bool {
	rest, ok := strings.CutPrefix(path, ControlPrefix)
	return ok && (rest == "/reset" || rest == "/faults" || strings.HasPrefix(rest, "/faults/"))
}

// writeFault answers as the protocol has it.
func writeFault(w http.ResponseWriter, kind calls.Kind, path string, f faults.Error) {
	status := f.Status
	code := registry.Code(f.Code)
	if status == 0 && kind != calls.S3 && f.Code != "" {
		status = code.HTTPStatus()
	}
	status = cmp.Or(status, http.StatusInternalServerError)
	if f.RetryAfterS > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(f.RetryAfterS))
	}
	message := cmp.Or(f.Message, "A fault rule answers in place of the server.")
	switch kind {
	case calls.S3:
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, xml.Header) // a client that went away
		_ = xml.NewEncoder(w).Encode(struct {
			XMLName                            xml.Name `xml:"Error"`
			Code, Message, Resource, RequestId string
		}{Code: cmp.Or(f.Code, s3Code(status)), Message: message, Resource: path, RequestId: w.Header().Get("X-Request-Id")})
	case calls.Static:
		http.Error(w, message, status)
	default:
		if code == "" {
			code = codeOf(status)
		}
		rest.WriteErrorStatus(w, status, code, message)
	}
}

// codeOf is an MLflow code for a status.
func codeOf(status int) registry.Code {
	for _, code := range []registry.Code{
		registry.InvalidParameterValue, registry.Unauthenticated, registry.PermissionDenied, registry.ResourceDoesNotExist, registry.ResourceConflict,
		registry.RequestLimitExceeded, registry.NotImplemented, registry.TemporarilyUnavailable, registry.DeadlineExceeded,
	} {
		if code.HTTPStatus() == status {
			return code
		}
	}
	if status < 500 {
		return registry.BadRequest
	}
	return registry.InternalError
}

// s3Code is an S3 code for a status.
func s3Code(status int) string {
	switch status {
	case 400:
		return "InvalidRequest"
	case 403:
		return "AccessDenied"
	case 404:
		return "NoSuchKey"
	case 409:
		return "OperationAborted"
	case 412:
		return "PreconditionFailed"
	case 501:
		return "NotImplemented"
	case 429, 503:
		return "SlowDown"
	}
	if status < 500 {
		return "InvalidRequest"
	}
	return "InternalError"
}
