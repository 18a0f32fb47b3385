package prinzbox

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/prinzbox/prinzbox/artifacts"
	"github.com/prinzbox/prinzbox/prinzbox/calls"
	"github.com/prinzbox/prinzbox/prinzbox/control"
	"github.com/prinzbox/prinzbox/registry"
	"github.com/prinzbox/prinzbox/seed"
	"github.com/prinzbox/prinzbox/serving"
)

// isControl tells whether a path is the control API's. The webhook receiver beside it has rules of its own.
func isControl(path string) bool {
	return strings.HasPrefix(path, ControlPrefix+"/") && !strings.HasPrefix(path, ControlPrefix+"/webhooks/")
}

// control is the API that controls the space of this world.
func (e *world) control() http.Handler {
	c := control.Config{Environment: controlled{e.space}, Token: e.cfg.ControlToken, Version: Version, Done: e.env.closing}
	if e.cfg.ControlToken == "" && !isLoopback(e.cfg.Host) && e.cfg.Host != "localhost" {
		c.Off = "the server listens on more than loopback; start it with --control-token to turn it on"
	}
	if e.auth != nil {
		c.Admin = func(r *http.Request) bool {
			who := registry.AccessOf(r.Context())
			return who != nil && who.User.IsAdmin
		}
	}
	return control.New(c)
}

// controlled is a space as the control API sees it.
type controlled struct{ *space }

// user makes an error of whoever asked of those that are.
func user(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*NoSnapshotError](err); ok {
		return &control.UserError{Missing: true, Err: err}
	}
	for _, mistake := range []func() bool{
		func() bool { _, ok := errors.AsType[*NamespaceError](err); return ok },
		func() bool { _, ok := errors.AsType[*ImportError](err); return ok },
	} {
		if mistake() {
			return &control.UserError{Err: err}
		}
	}
	return err
}

// Status implements [control.Environment].
func (c controlled) Status(ctx context.Context) (control.Status, error) {
	e := c.env
	w, err := c.enter(ctx)
	if err != nil {
		return control.Status{}, err
	}
	defer w.leave()
	seeded, err := w.samples(ctx)
	if err != nil {
		return control.Status{}, err
	}
	r := w.ready
	s := control.Status{
		Version: Version, MLflow: c.mlflowVersion(), PID: os.Getpid(), Namespace: c.name, Started: e.started.UTC(), UptimeS: time.Since(e.started).Seconds(),
		TrackingURI: r.TrackingURI, S3Endpoint: r.S3Endpoint, StaticURL: r.StaticURL, Bucket: r.Bucket, Seeded: seeded,
		Clock: c.Clock().State(), IDs: c.IDs().State(), Faults: len(c.Faults().Rules()), Calls: c.Calls().Stats().Kept, Namespaces: len(e.Namespaces()),
	}
	if r.DataDir != nil {
		s.DataDir = *r.DataDir
	}
	return s, nil
}

// samples names the sample models that are registered.
func (e *world) samples(ctx context.Context) ([]string, error) {
	names := []string{}
	all := []string{}
	for _, wine := range seed.Wines() {
		all = append(all, wine.Name)
	}
	for _, name := range append(all, seed.FraudName) {
		_, err := e.store.RegisteredModel(ctx, name)
		switch {
		case err == nil:
			names = append(names, name)
		case !registry.IsCode(err, registry.ResourceDoesNotExist):
			return nil, err
		}
	}
	return names, nil
}

// Reset implements [control.Environment].
func (c controlled) Reset(ctx context.Context, to string) error {
	if to == "" {
		to = string(c.env.cfg.start())
	}
	if c.env.cfg.Auth.AppName != "" && c.env.cfg.Auth.AdminPassword == "" || to == string(Seeded) && c.env.fraudDataGone {
		err := c.space.Reset(ctx, State(to))
		if err != nil {
			err = &control.UserError{Err: err} // what was not said at the start cannot be said now
		}
		return err
	}
	return c.space.Reset(ctx, State(to))
}

// Seed implements [control.Environment].
func (c controlled) Seed(ctx context.Context, of control.Samples) ([]string, error) {
	w, err := c.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer w.leave()
	names, err := w.trainSamples(context.WithoutCancel(ctx), of)
	return names, user(err)
}

// Snapshots implements [control.Environment].
func (c controlled) Snapshots(context.Context) ([]control.Snapshot, error) {
	list, err := c.space.Snapshots()
	out := make([]control.Snapshot, 0, len(list))
	for _, s := range list {
		out = append(out, control.Snapshot(s))
	}
	return out, err
}

// Snapshot implements [control.Environment].
func (c controlled) Snapshot(ctx context.Context, name string) error {
	if !isName(name) {
		return &control.UserError{Err: fmt.Errorf("name %.80q: a name has up to 63 lower-case letters, digits and inner dashes", name)}
	}
	return c.space.Snapshot(ctx, name)
}

// Restore implements [control.Environment].
func (c controlled) Restore(ctx context.Context, name string) error {
	return user(c.space.Restore(ctx, name))
}

// DeleteSnapshot implements [control.Environment].
func (c controlled) DeleteSnapshot(_ context.Context, name string) error {
	return user(c.space.DeleteSnapshot(name))
}

// Import implements [control.Environment].
func (c controlled) Import(ctx context.Context, from io.Reader) error {
	return user(c.space.Import(ctx, from))
}

// Target implements [control.Environment].
func (c controlled) Target() *calls.Target {
	w := c.world()
	r := w.ready
	transport := &http.Transport{DisableKeepAlives: true}
	if c.env.tls != nil {
		transport.TLSClientConfig = &tls.Config{InsecureSkipVerify: true} //nolint:gosec // it speaks to itself, on this machine
	}
	return &calls.Target{
		MLflow: r.TrackingURI, S3: r.S3Endpoint, Static: r.StaticURL, Prepare: r.credentials(),
		Client: &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}
}

// credentials sign requests for the environment of a ready line.
func (r Ready) credentials() func(q *http.Request, kind calls.Kind, body []byte) error {
	return func(q *http.Request, kind calls.Kind, _ []byte) error {
		if kind != calls.S3 {
			if r.TrackingPassword != "" {
				q.SetBasicAuth(r.TrackingUsername, r.TrackingPassword)
			}
			return nil
		}
		bucket, key, _ := strings.Cut(strings.TrimPrefix(q.URL.Path, "/"), "/")
		signed, err := artifacts.Presign(artifacts.PresignOptions{
			Method: q.Method, Endpoint: r.S3Endpoint, Bucket: bucket, Key: key, AccessKey: r.AccessKey, Secret: r.SecretKey, Region: r.Region,
			Expires: time.Minute, Now: time.Now(), Query: q.URL.Query(),
		})
		if err != nil {
			return err
		}
		q.URL, err = q.URL.Parse(signed)
		return err
	}
}

// Routes implements [control.Environment].
func (c controlled) Routes(ctx context.Context, set bool) ([]control.Route, error) {
	w, err := c.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer w.leave()
	list := []control.Route{}
	for token := ""; ; {
		page, err := w.store.SearchRegisteredModels(ctx, registry.Query{MaxResults: registry.MaxModelPage, PageToken: token})
		if err != nil {
			return nil, err
		}
		for i := range page.Items {
			m := &page.Items[i]
			if !set || slices.ContainsFunc(m.Tags, func(t registry.KeyValue) bool {
				return t.Key == serving.TagCurrent || t.Key == serving.TagSplit || t.Key == serving.TagShadow
			}) {
				list = append(list, w.route(ctx, m))
			}
		}
		if token = page.NextPageToken; token == "" {
			return list, nil
		}
	}
}

// route tells which version of a model answers.
func (e *world) route(ctx context.Context, m *registry.RegisteredModel) control.Route {
	r := control.Route{Model: m.Name}
	for _, t := range m.Tags {
		switch t.Key {
		case serving.TagCurrent:
			r.Current = &t.Value
		case serving.TagSplit:
			r.Split = &t.Value
		case serving.TagShadow:
			r.Shadow = &t.Value
		}
	}
	if _, err := e.scoring.Routing(ctx, m.Name); err != nil && !registry.IsCode(err, registry.ResourceDoesNotExist) {
		r.Problem = registry.Body(err).Message
	}
	return r
}

// SetRoute implements [control.Environment].
func (c controlled) SetRoute(ctx context.Context, model string, to control.RouteSettings) (control.Route, error) {
	w, err := c.enter(ctx)
	if err != nil {
		return control.Route{}, err
	}
	defer w.leave()
	settings := []struct {
		tag   string
		value *string
	}{{serving.TagCurrent, to.Current}, {serving.TagSplit, to.Split}, {serving.TagShadow, to.Shadow}}
	m, err := w.store.RegisteredModel(ctx, model)
	if err != nil {
		return control.Route{}, err
	}
	for _, s := range settings { // all are looked at before any is set
		if s.value != nil && *s.value != "" {
			if err := w.scoring.CheckRouting(ctx, model, s.tag, *s.value); err != nil {
				return control.Route{}, err
			}
		}
	}
	for _, s := range settings {
		switch {
		case s.value == nil:
			continue
		case *s.value != "":
			err = w.store.SetRegisteredModelTag(ctx, model, registry.KeyValue{Key: s.tag, Value: *s.value})
		default:
			err = w.store.DeleteRegisteredModelTag(ctx, model, s.tag)
			if registry.IsCode(err, registry.ResourceDoesNotExist) {
				err = nil
			}
		}
		if err != nil {
			return control.Route{}, err
		}
	}
	if m, err = w.store.RegisteredModel(ctx, model); err != nil {
		return control.Route{}, err
	}
	return w.route(ctx, &m), nil
}

// Stubs implements [control.Environment].
func (c controlled) Stubs(ctx context.Context) ([]control.Stub, error) {
	w, err := c.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer w.leave()
	list := []control.Stub{}
	for token := ""; ; {
		page, err := w.store.SearchModelVersions(ctx, registry.Query{Filter: "tags.`" + serving.TagStub + "` LIKE '%'", OrderBy: []string{"name", "version_number"}, MaxResults: 1000, PageToken: token})
		if err != nil {
			return nil, err
		}
		for _, v := range page.Items {
			for _, t := range v.Tags {
				if t.Key == serving.TagStub && json.Valid([]byte(t.Value)) {
					list = append(list, control.Stub{Model: v.Name, Version: v.Version, Stub: json.RawMessage(t.Value)})
				}
			}
		}
		if token = page.NextPageToken; token == "" {
			return list, nil
		}
	}
}

// Stub implements [control.Environment].
func (c controlled) Stub(ctx context.Context, model string, text json.RawMessage) (string, error) {
	var stub serving.Stub
	dec := json.NewDecoder(strings.NewReader(string(text)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&stub); err != nil {
		return "", &control.UserError{Err: fmt.Errorf("the stub is not as docs/scoring.md has it: %w", err)}
	}
	if err := stub.Check(); err != nil {
		return "", &control.UserError{Err: fmt.Errorf("the stub: %w", err)}
	}
	return c.space.Stub(ctx, model, stub)
}

// Namespaces implements [control.Environment].
func (c controlled) Namespaces(context.Context) ([]control.Namespace, error) {
	list := []control.Namespace{}
	for _, n := range c.env.Namespaces() {
		list = append(list, control.Namespace(n))
	}
	return list, nil
}

// MakeNamespace implements [control.Environment].
func (c controlled) MakeNamespace(ctx context.Context, name string) (control.Namespace, error) {
	if !c.env.namespaced {
		return control.Namespace{}, &control.UserError{Err: errors.New("there are no namespaces here: start the server with --namespaces on, or on a loopback address")}
	}
	n, err := c.env.Namespace(ctx, name)
	if err != nil {
		return control.Namespace{}, user(err)
	}
	defer n.Close()
	return control.Namespace{Name: name, Awake: true, Used: n.used.Load(), TrackingURI: n.TrackingURI()}, nil
}

// DeleteNamespace implements [control.Environment].
func (c controlled) DeleteNamespace(_ context.Context, name string) (bool, error) {
	return c.env.DeleteNamespace(name)
}
