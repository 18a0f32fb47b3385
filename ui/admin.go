package ui

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/prinzbox/prinzbox/registry"
)

// adminView is the page of everything that an environment can be told to do.
type adminView struct {
	status     adminStatus
	snapshots  []snapshot
	namespaces []namespace
	webhooks   []webhook
	received   []delivery
	env        Environment
	problem    string
	done       string
}

// adminStatus is how the environment is, as the API tells it.
type adminStatus struct {
	Version    string    `json:"version"`
	MLflow     string    `json:"mlflow_version"`
	PID        int       `json:"pid"`
	Namespace  string    `json:"namespace"`
	Started    time.Time `json:"started"`
	DataDir    string    `json:"data_dir"`
	Seeded     []string  `json:"seeded"`
	Faults     int       `json:"faults"`
	Calls      int       `json:"calls"`
	Namespaces int       `json:"namespaces"`
	Clock      struct {
		Now  time.Time `json:"now"`
		Mode string    `json:"mode"`
	} `json:"clock"`
	IDs struct {
		Mode string `json:"mode"`
		Seed uint64 `json:"seed"`
	} `json:"ids"`
}

func (s adminStatus) facts() (list []keyValue) {
	where := s.DataDir
	if where == "" {
		where = "nowhere: it is forgotten when the process ends"
	}
	ids := "random"
	if s.IDs.Mode == "seeded" {
		ids = "from the seed " + itoa64(int64(s.IDs.Seed)) //nolint:gosec // shown only
	}
	list = []keyValue{
		{Key: "Version", Value: s.Version + ", answering as MLflow " + s.MLflow},
		{Key: "Process", Value: itoa(s.PID) + ", since " + s.Started.UTC().Format("2006-01-02 15:04:05 UTC")},
		{Key: "Kept in", Value: where},
		{Key: "New ids", Value: ids},
	}
	if s.Namespace != "" {
		list = append(list, keyValue{Key: "Namespace", Value: s.Namespace})
	}
	return list
}

type snapshot struct {
	Name    string `json:"name"`
	Created int64  `json:"created"`
	Bytes   int64  `json:"database_bytes"`
	when    moment
}

type namespace struct {
	Name        string `json:"name"`
	Awake       bool   `json:"awake"`
	Used        int64  `json:"last_used"`
	TrackingURI string `json:"tracking_uri"`
	when        moment
}

type webhook struct {
	ID     string `json:"webhook_id"`
	Name   string `json:"name"`
	URL    string `json:"url"`
	Status string `json:"status"`
	Events []struct {
		Entity string `json:"entity"`
		Action string `json:"action"`
	} `json:"events"`
}

func (w webhook) events() string {
	var list []string
	for _, e := range w.Events {
		list = append(list, strings.ToLower(e.Entity+"."+e.Action))
	}
	return strings.Join(list, ", ")
}

// delivery is what the environment's own receiver of webhooks got.
type delivery struct {
	Number    int64           `json:"number"`
	At        time.Time       `json:"at"`
	Path      string          `json:"path"`
	Webhook   string          `json:"webhook"`
	Signature string          `json:"signature"`
	Body      json.RawMessage `json:"body"`
	Text      string          `json:"text"`
}

func (d delivery) content() string {
	if len(d.Body) > 0 {
		return readable(d.Body)
	}
	return d.Text
}

// shownDeliveries is how many of the newest deliveries the page shows.
const shownDeliveries = 10

// admin shows the page. What some environments do not have is left out.
func (u *UI) admin(r *http.Request) (view, error) { return u.adminPage(r, "") }

func (u *UI) adminPage(r *http.Request, problem string) (view, error) {
	v := adminView{problem: problem, env: u.cfg.Environment()}
	var (
		snapshots  struct{ Snapshots []snapshot }
		namespaces struct{ Namespaces []namespace }
		webhooks   struct{ Webhooks []webhook }
		received   struct{ Deliveries []delivery }
	)
	for path, out := range map[string]any{"/status": &v.status, "/snapshots": &snapshots, "/namespaces": &namespaces} {
		if err := u.command(r, http.MethodGet, apiPrefix+path, nil, out); err != nil {
			return view{}, err
		}
	}
	if err := u.command(r, http.MethodGet, mlflowPrefix+"/webhooks", nil, &webhooks); err != nil {
		return view{}, err
	}
	if err := u.command(r, http.MethodGet, apiPrefix+"/webhooks/received", nil, &received); err != nil && !registry.IsCode(err, registry.EndpointNotFound) {
		return view{}, err
	}
	v.snapshots, v.namespaces, v.webhooks, v.received = snapshots.Snapshots, namespaces.Namespaces, webhooks.Webhooks, received.Deliveries
	v.received = v.received[:min(len(v.received), shownDeliveries)]
	for i := range v.snapshots {
		v.snapshots[i].when = u.when(v.snapshots[i].Created)
	}
	for i := range v.namespaces {
		v.namespaces[i].when = u.when(v.namespaces[i].Used)
	}
	v.done = adminDone[r.URL.Query().Get("done")]
	out := view{title: "Admin", section: "admin", body: adminPage(v)}
	if problem != "" {
		out.status = http.StatusBadRequest
	}
	return out, nil
}

// adminDone words what a form has done.
var adminDone = map[string]string{
	"seed": "The sample models are there.", "reset": "This is a fresh state.", "snapshot": "The snapshot is kept.", "restore": "This is the state of the snapshot.",
	"delete-snapshot": "The snapshot is gone.", "freeze": "The clock stands.", "advance": "The clock has moved.", "real": "The clock is the machine's again.",
	"namespace": "The namespace is there.", "delete-namespace": "The namespace is gone.", "webhook": "The webhook was called: its receiver answered well.",
	"import": "This is the imported state.",
}

// adminQuestions are what is asked before something is lost.
var adminQuestions = map[string]struct{ title, text, button string }{
	"reset":            {"Reset to a fresh state?", "Everything that is here goes: runs, models, files, traces, calls and faults; the clock is the machine's again. Snapshots stay.", "Reset"},
	"restore":          {"Restore a snapshot?", "Everything that was done since the snapshot is lost.", "Restore"},
	"delete-snapshot":  {"Delete a snapshot?", "The state that it keeps is lost.", "Delete"},
	"delete-namespace": {"Delete a namespace?", "Everything in it is lost.", "Delete"},
}

// confirmAdmin asks.
func (u *UI) confirmAdmin(r *http.Request) (view, error) {
	q := r.URL.Query()
	ask, ok := adminQuestions[q.Get("do")]
	if !ok {
		return view{}, registry.NotFoundf("There is nothing to confirm about %.40q.", q.Get("do"))
	}
	return view{title: ask.title, section: "admin", body: adminQuestion(ask.title, ask.text, ask.button, q.Get("do"), q.Get("name"))}, nil
}

// changeAdmin does one thing.
func (u *UI) changeAdmin(r *http.Request) (view, error) {
	r.Body = http.MaxBytesReader(nil, r.Body, maxForm)
	do, name := r.FormValue("do"), strings.TrimSpace(r.FormValue("name"))
	segment := url.PathEscape(name)
	if name == "" && (strings.Contains(do, "snapshot") || strings.Contains(do, "namespace") || do == "restore" || do == "webhook") {
		return u.adminPage(r, "name: give a name of lower-case letters, digits and inner dashes.")
	}
	var err error
	switch do {
	case "seed":
		want := map[string]any{}
		if names := strings.FieldsFunc(r.FormValue("models"), func(c rune) bool { return c == ',' || c == ' ' }); len(names) > 0 {
			want["models"] = names
		}
		if text := strings.TrimSpace(r.FormValue("number")); text != "" {
			n, bad := strconv.ParseInt(text, 10, 64)
			if bad != nil {
				return u.adminPage(r, "number: write a whole number, or nothing for the samples as they always are.")
			}
			want["seed"] = n
		}
		err = u.command(r, http.MethodPost, apiPrefix+"/seed", want, nil)
	case "reset":
		err = u.command(r, http.MethodPost, apiPrefix+"/reset", map[string]string{"to": name}, nil)
	case "snapshot":
		err = u.command(r, http.MethodPut, apiPrefix+"/snapshots/"+segment, nil, nil)
	case "restore":
		err = u.command(r, http.MethodPost, apiPrefix+"/snapshots/"+segment+"/restore", nil, nil)
	case "delete-snapshot":
		err = u.command(r, http.MethodDelete, apiPrefix+"/snapshots/"+segment, nil, nil)
	case "freeze":
		at := strings.TrimSpace(r.FormValue("at"))
		if at == "" {
			at = "now"
		}
		err = u.command(r, http.MethodPut, apiPrefix+"/clock", map[string]any{"freeze": at}, nil)
	case "advance":
		d, bad := time.ParseDuration(strings.TrimSpace(r.FormValue("by")))
		if bad != nil {
			return u.adminPage(r, "by: write a duration as 90s, 15m or 24h.")
		}
		err = u.command(r, http.MethodPut, apiPrefix+"/clock", map[string]any{"advance_ms": float64(d) / float64(time.Millisecond)}, nil)
	case "real":
		err = u.command(r, http.MethodDelete, apiPrefix+"/clock", nil, nil)
	case "namespace":
		err = u.command(r, http.MethodPut, apiPrefix+"/namespaces/"+segment, nil, nil)
	case "delete-namespace":
		err = u.command(r, http.MethodDelete, apiPrefix+"/namespaces/"+segment, nil, nil)
	case "webhook":
		err = u.testWebhook(r, segment)
	default:
		err = registry.Invalidf("do: %.40q: there is no such thing to do.", do)
	}
	if message, ok := isUserError(err); ok {
		return u.adminPage(r, message)
	}
	if err != nil {
		return view{}, err
	}
	return view{location: "/admin?done=" + do}, nil
}

// testWebhook calls a webhook with an example.
func (u *UI) testWebhook(r *http.Request, id string) error {
	var got struct {
		Result struct {
			Success bool   `json:"success"`
			Status  int    `json:"response_status"`
			Body    string `json:"response_body"`
			Error   string `json:"error_message"`
		} `json:"result"`
	}
	if err := u.command(r, http.MethodPost, mlflowPrefix+"/webhooks/"+id+"/test", struct{}{}, &got); err != nil {
		return err
	}
	if w := got.Result; !w.Success {
		if w.Error == "" {
			w.Error = "it answered " + itoa(w.Status) + " " + shorten(w.Body, 200)
		}
		return registry.Invalidf("The webhook was called in vain: %s", w.Error)
	}
	return nil
}

// importState replaces everything by the file of a form.
func (u *UI) importState(r *http.Request) (view, error) {
	parts, err := r.MultipartReader()
	if err != nil {
		return view{}, registry.Invalidf("The form must come as multipart/form-data with a file in the field \"file\".")
	}
	for {
		part, err := parts.NextRawPart()
		if err != nil {
			return u.adminPage(r, "file: choose a file that an export gave.")
		}
		if part.FormName() != "file" || part.FileName() == "" {
			continue
		}
		q, err := apiRequest(r, http.MethodPost, apiPrefix+"/import", part)
		if err != nil {
			return view{}, err
		}
		q.Header.Set("Content-Type", "application/gzip")
		err = u.answer(q, nil)
		if message, ok := isUserError(err); ok {
			return u.adminPage(r, message)
		}
		return view{location: "/admin?done=import"}, err
	}
}
