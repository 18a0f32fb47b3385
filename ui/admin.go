package ui

import (
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
	routes     []route
	stubs      []stubVersion
	unshown    int // how many routes and stubs the page leaves out
	persona    string
	env        Environment
	// host is the host of the pages, without a namespace before it.
	host string
	adminSaid
}

// adminSaid is what a form has brought about.
type adminSaid struct {
	problem, done string
	collected     *collected
	verified      *verified
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
		Now    time.Time `json:"now"`
		Mode   string    `json:"mode"`
		TickMS float64   `json:"tick_ms"`
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
		ids = "from the seed " + plainUint(s.IDs.Seed)
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

// shownDeliveries is how many of the newest deliveries the page shows.
const shownDeliveries = 10

// shownRoutes is how many routes, and how many stubs, the page shows.
const shownRoutes = 50

// admin shows the page. What some environments do not have is left out.
func (u *UI) admin(r *http.Request) (view, error) {
	return u.adminPage(r, adminSaid{done: adminDone[r.URL.Query().Get("done")]})
}

// adminProblem shows the page with what was wrong in a form.
func (u *UI) adminProblem(r *http.Request, problem string) (view, error) {
	return u.adminPage(r, adminSaid{problem: problem})
}

func (u *UI) adminPage(r *http.Request, said adminSaid) (view, error) {
	v := adminView{adminSaid: said, env: u.cfg.Environment(), host: ownHost(r.Host)}
	var (
		snapshots  struct{ Snapshots []snapshot }
		namespaces struct{ Namespaces []namespace }
		webhooks   struct{ Webhooks []webhook }
		received   struct{ Deliveries []delivery }
		routes     struct{ Routes []route }
		stubs      struct{ Stubs []stubVersion }
		persona    struct{ Persona string }
	)
	for path, out := range map[string]any{
		"/status": &v.status, "/snapshots": &snapshots, "/namespaces": &namespaces, "/routes?set=true": &routes, "/stubs": &stubs, "/persona": &persona,
	} {
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
	v.routes, v.stubs, v.persona = routes.Routes[:min(len(routes.Routes), shownRoutes)], stubs.Stubs[:min(len(stubs.Stubs), shownRoutes)], persona.Persona
	v.unshown = len(routes.Routes) + len(stubs.Stubs) - len(v.routes) - len(v.stubs)
	out := view{title: "Admin", section: "admin", body: adminPage(v)}
	if v.problem != "" {
		out.status = http.StatusBadRequest
	}
	return out, nil
}

// adminDone words what a form has done.
var adminDone = map[string]string{
	"seed": "The sample models are there.", "reset": "This is a fresh state.", "snapshot": "The snapshot is kept.", "restore": "This is the state of the snapshot.",
	"delete-snapshot": "The snapshot is gone.", "freeze": "The clock stands.", "advance": "The clock has moved.", "real": "The clock is the machine's again.",
	"namespace": "The namespace is there.", "delete-namespace": "The namespace is gone.", "webhook": "The webhook was called: its receiver answered well.",
	"import": "This is the imported state.", "set": "The clock goes on from there.", "tick": "The clock stands, and ticks.", "ids": "New ids follow from the seed.",
	"random-ids": "New ids are random.", "persona": "Clients meet that server now.", "new-webhook": "The webhook is there.", "delete-webhook": "The webhook is gone.",
	"forget": "The deliveries are forgotten.",
}

// adminQuestions are what is asked before something is lost.
var adminQuestions = map[string]struct{ title, text, button string }{
	"reset":            {"Reset to a fresh state?", "Everything that is here goes: runs, models, files, traces, calls and faults; the clock is the machine's again. Snapshots stay.", "Reset"},
	"restore":          {"Restore a snapshot?", "Everything that was done since the snapshot is lost.", "Restore"},
	"delete-snapshot":  {"Delete a snapshot?", "The state that it keeps is lost.", "Delete"},
	"delete-namespace": {"Delete a namespace?", "Everything in it is lost.", "Delete"},
	"delete-webhook":   {"Delete a webhook?", "Its address is called no more.", "Delete"},
}

// confirmAdmin asks.
func (u *UI) confirmAdmin(r *http.Request) (view, error) {
	q := r.URL.Query()
	if q.Get("do") == "gc" {
		return u.confirmGC(r)
	}
	ask, ok := adminQuestions[q.Get("do")]
	if !ok {
		return view{}, registry.NotFoundf("There is nothing to confirm about %.40q.", q.Get("do"))
	}
	return view{title: ask.title, section: "admin", body: adminQuestion(ask.title, ask.text, ask.button, []keyValue{{Key: "do", Value: q.Get("do")}, {Key: "name", Value: q.Get("name")}}, q.Get("name"))}, nil
}

// changeAdmin does one thing.
func (u *UI) changeAdmin(r *http.Request) (view, error) {
	r.Body = http.MaxBytesReader(nil, r.Body, maxForm)
	do, name := r.FormValue("do"), strings.TrimSpace(r.FormValue("name"))
	segment := url.PathEscape(name)
	if name == "" && (strings.Contains(do, "snapshot") || strings.Contains(do, "namespace") || do == "restore" || strings.Contains(do, "webhook")) {
		return u.adminProblem(r, "name: give a name of lower-case letters, digits and inner dashes.")
	}
	var err error
	switch do {
	case "seed":
		want := map[string]any{}
		if names := idsOf(r.FormValue("models")); len(names) > 0 {
			want["models"] = names
		}
		if text := strings.TrimSpace(r.FormValue("number")); text != "" {
			n, bad := strconv.ParseUint(text, 10, 64)
			if bad != nil {
				return u.adminProblem(r, "number: write a whole number from 0 on, or nothing for the samples as they always are.")
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
	case "freeze", "set", "advance", "tick", "real":
		err = u.changeClock(r, do)
	case "ids":
		n, bad := strconv.ParseUint(strings.TrimSpace(r.FormValue("seed")), 10, 64)
		if bad != nil {
			return u.adminProblem(r, "seed: write a whole number from 0 on.")
		}
		err = u.command(r, http.MethodPut, apiPrefix+"/ids", map[string]uint64{"seed": n}, nil)
	case "random-ids":
		err = u.command(r, http.MethodDelete, apiPrefix+"/ids", nil, nil)
	case "persona":
		err = u.command(r, http.MethodPut, apiPrefix+"/persona", map[string]string{"persona": r.FormValue("persona")}, nil)
	case "gc":
		return u.collect(r)
	case "verify":
		return u.verify(r)
	case "namespace":
		err = u.command(r, http.MethodPut, apiPrefix+"/namespaces/"+segment, nil, nil)
	case "delete-namespace":
		err = u.command(r, http.MethodDelete, apiPrefix+"/namespaces/"+segment, nil, nil)
	case "webhook":
		err = u.testWebhook(r, segment)
	case "new-webhook":
		err = u.makeWebhook(r, name)
	case "delete-webhook":
		err = u.command(r, http.MethodDelete, mlflowPrefix+"/webhooks/"+segment, nil, nil)
	case "forget":
		err = u.command(r, http.MethodDelete, apiPrefix+"/webhooks/received", nil, nil)
	default:
		err = registry.Invalidf("do: %.40q: there is no such thing to do.", do)
	}
	if message, ok := isUserError(err); ok {
		return u.adminProblem(r, message)
	}
	if err != nil {
		return view{}, err
	}
	return view{location: "/admin?done=" + do}, nil
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
			return u.adminProblem(r, "file: choose a file that an export gave.")
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
			return u.adminProblem(r, message)
		}
		return view{location: "/admin?done=import"}, err
	}
}
