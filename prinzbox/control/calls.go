package control

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prinzbox/prinzbox/prinzbox/calls"
	"github.com/prinzbox/prinzbox/registry"
	"github.com/prinzbox/prinzbox/registry/rest"
)

// queryParams are the parameters that choose calls.
func queryParams() []param {
	docs := map[string]string{
		"kind": "mlflow, s3, scoring, static, gui or control; several with commas", "operation": "as runs/create or GetObject; * stands for anything", "method": "the HTTP method",
		"path": "the path; * stands for anything", "model": "the model scored; * stands for anything", "version": "the version that answered", "bucket": "the S3 bucket",
		"key": "the S3 key, or the artifact's path; * stands for anything", "client": "the User-Agent; * stands for anything", "request_id": "the X-Request-Id",
		"contains": "a text in path, query or bodies, whatever its case", "status": "404, 4xx or 400-499", "since": "came at this time or later", "until": "came before this time",
		"min_ms": "took so long at least", "faulty": "true: a fault rule changed it", "after": "has a greater number", "before": "has a smaller number",
		"limit": fmt.Sprintf("how many at most, %d when left out, %d at most", calls.DefaultLimit, calls.MaxLimit), "order": "newest (first) or oldest",
	}
	list := make([]param, 0, len(docs))
	for _, name := range calls.Parameters() {
		kind := "string"
		switch name {
		case "after", "before", "limit":
			kind = "integer"
		case "min_ms":
			kind = "number"
		case "faulty":
			kind = "boolean"
		}
		list = append(list, param{name, kind, docs[name]})
	}
	return list
}

func query(r *http.Request) (calls.Query, error) {
	q, err := calls.ParseQuery(r.URL.Query())
	return q, invalid(err)
}

type countAnswer struct {
	Count int `json:"count"`
}

type keysAnswer struct {
	Keys []string `json:"keys"`
}

func (a *API) callRoutes() []route {
	log := a.cfg.Environment.Calls
	get, post := http.MethodGet, http.MethodPost
	raw := func(path, summary, mediaType string, serve func(w http.ResponseWriter, r *http.Request, q calls.Query)) route {
		return route{method: get, path: path, summary: summary, outType: mediaType, serve: func(w http.ResponseWriter, r *http.Request) {
			q, err := query(r)
			if err != nil {
				rest.WriteError(w, explain(err))
				return
			}
			serve(w, r, q)
		}}.with(queryParams()...)
	}
	return []route{
		op(get, "/calls", "The calls that match", nil, func(r *http.Request, _ none) (calls.Page, error) {
			q, err := query(r)
			if err != nil {
				return calls.Page{}, err
			}
			return log().Find(q), nil
		}).with(queryParams()...),
		op(http.MethodDelete, "/calls", "Forget all calls; numbers go on", nil, func(*http.Request, none) (none, error) {
			log().Clear()
			return none{}, nil
		}),
		op(get, "/calls/count", "How many calls match", nil, func(r *http.Request, _ none) (countAnswer, error) {
			q, err := query(r)
			if err != nil {
				return countAnswer{}, err
			}
			return countAnswer{log().Count(q)}, nil
		}).with(queryParams()...),
		op(get, "/calls/keys", "The S3 keys, as BUCKET/KEY, of the calls that match, each once", nil, func(r *http.Request, _ none) (keysAnswer, error) {
			q, err := query(r)
			if err != nil {
				return keysAnswer{}, err
			}
			return keysAnswer{log().Keys(q)}, nil
		}).with(queryParams()...),
		op(get, "/calls/stats", "What the request log holds, and its bounds", nil, func(*http.Request, none) (calls.Stats, error) { return log().Stats(), nil }),
		raw("/calls/tail", "The calls that match as they come, as server-sent events; after a number, or the Last-Event-ID, those since too", "text/event-stream", a.tail),
		raw("/calls/har", "The calls that match as an HTTP Archive (HAR 1.2)", "application/json", func(w http.ResponseWriter, _ *http.Request, q calls.Query) {
			w.Header().Set("Content-Disposition", `attachment; filename="prinzbox.har"`)
			writeJSON(w, calls.NewHAR(a.cfg.Version, chosen(log(), q)))
		}),
		raw("/calls/curl", "The calls that match as curl commands, with variables for addresses and secrets", "text/plain", func(w http.ResponseWriter, _ *http.Request, q calls.Query) {
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			for _, c := range chosen(log(), q) {
				_, _ = io.WriteString(w, c.Curl()+"\n") // a client that went away
			}
		}),
		raw("/calls/session", "The calls that match as a recorded session, to be sent again elsewhere", "application/json", func(w http.ResponseWriter, _ *http.Request, q calls.Query) {
			w.Header().Set("Content-Disposition", `attachment; filename="prinzbox-session.json"`)
			writeJSON(w, calls.Session{Format: calls.SessionFormat, Program: a.cfg.Version, Calls: chosen(log(), q)})
		}),
		a.replaySession(),
		op(get, "/calls/{number}", "One call", nil, func(r *http.Request, _ none) (calls.Call, error) { return a.call(r) }),
		op(post, "/calls/{number}/replay", "Send a call to the environment again", nil, func(r *http.Request, _ none) (calls.Replayed, error) {
			c, err := a.call(r)
			if err != nil {
				return calls.Replayed{}, err
			}
			return a.cfg.Environment.Target().Replay(r.Context(), &c)
		}),
	}
}

// chosen are the calls that a query chooses, the oldest first unless it asks for the newest, all that are kept unless it has a limit.
func chosen(l *calls.Log, q calls.Query) []calls.Call {
	if q.Limit == 0 {
		q.Limit = calls.MaxLimit
	}
	page := l.Find(q).Calls
	if !q.Oldest {
		for i, j := 0, len(page)-1; i < j; i, j = i+1, j-1 {
			page[i], page[j] = page[j], page[i]
		}
	}
	return page
}

func (a *API) call(r *http.Request) (calls.Call, error) {
	number, err := strconv.ParseInt(r.PathValue("number"), 10, 64)
	if err != nil {
		return calls.Call{}, registry.Invalidf("number: %.40q: give the number of a call.", r.PathValue("number"))
	}
	c, ok := a.cfg.Environment.Calls().Get(number)
	if !ok {
		return c, registry.NotFoundf("The request log has no call %d: it never had, or it gave way to later ones.", number)
	}
	return c, nil
}

// keepAlive is how often a quiet tail says that it lives.
const keepAlive = 15 * time.Second

// tail sends calls as events until the client goes.
func (a *API) tail(w http.ResponseWriter, r *http.Request, q calls.Query) {
	log := a.cfg.Environment.Calls()
	after := q.After
	if id, err := strconv.ParseInt(r.Header.Get("Last-Event-ID"), 10, 64); err == nil {
		after = id
	} else if after == 0 {
		after = log.Last()
	}
	control := http.NewResponseController(w)
	w.Header().Set("Content-Type", "text/event-stream")
	w.WriteHeader(http.StatusOK)
	_, _ = io.WriteString(w, ": calls as they come\n\n") // a client that went away
	_ = control.Flush()
	wake, cancel := log.Subscribe()
	defer cancel()
	tick := time.NewTicker(keepAlive)
	defer tick.Stop()
	for {
		q.After, q.Before, q.Oldest, q.Limit = after, 0, true, calls.MaxLimit
		if last := log.Last(); last > after {
			for _, c := range log.Find(q).Calls {
				text, err := json.Marshal(c)
				if err != nil {
					return
				}
				if _, err := fmt.Fprintf(w, "id: %d\nevent: call\ndata: %s\n\n", c.Number, text); err != nil {
					return
				}
			}
			after = last
			if control.Flush() != nil {
				return
			}
		}
		select {
		case <-r.Context().Done():
			return
		case <-a.cfg.Done:
			return
		case <-wake:
		case <-tick.C:
			if _, err := io.WriteString(w, ": still here\n\n"); err != nil || control.Flush() != nil {
				return
			}
		}
	}
}

// replaySession sends a recorded session to the environment.
func (a *API) replaySession() route {
	return route{
		method: http.MethodPost, path: "/calls/session/replay", summary: "Send a recorded session to the environment and compare the statuses", in: typeOf[calls.Session](), out: typeOf[calls.Comparison](),
		serve: func(w http.ResponseWriter, r *http.Request) {
			if mediaType := strings.ToLower(r.Header.Get("Content-Type")); !strings.HasPrefix(mediaType, "application/json") {
				rest.WriteError(w, registry.Invalidf("Content-Type %.60q: send the session as application/json.", mediaType))
				return
			}
			s, err := calls.ReadSession(http.MaxBytesReader(w, r.Body, maxSession))
			if err != nil {
				rest.WriteError(w, explain(invalid(err)))
				return
			}
			done, err := a.cfg.Environment.Target().ReplaySession(r.Context(), s)
			if err != nil {
				rest.WriteError(w, explain(err))
				return
			}
			writeJSON(w, done)
		},
	}
}
