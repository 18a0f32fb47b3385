package control

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/prinzbox/prinzbox/prinzbox/calls"
	"github.com/prinzbox/prinzbox/prinzbox/faults"
	"github.com/prinzbox/prinzbox/registry"
	"github.com/prinzbox/prinzbox/registry/rest"
)

// table is all operations of the API.
func (a *API) table() []route {
	e := a.cfg.Environment
	get, post, put, del := http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete
	routes := []route{
		op(get, "/status", "How the environment is", nil, func(r *http.Request, _ none) (Status, error) { return e.Status(r.Context()) }),
		op(get, "/ready", "Whether everything answers: it does, once this does", nil, func(*http.Request, none) (readyAnswer, error) { return readyAnswer{true}, nil }),

		op(post, "/reset", "Go to a fresh state; clear calls and faults, and put clock and ids back", &resetRequest{To: "seeded"}, func(r *http.Request, in resetRequest) (none, error) {
			switch in.To {
			case "", "empty", "seeded":
				return none{}, e.Reset(r.Context(), in.To)
			}
			return none{}, registry.Invalidf("to: %.40q: use empty or seeded, or leave it out for the state that the environment began with.", in.To)
		}),
		op(post, "/seed", "Make the sample models that are not there: all, or those named", &Samples{Models: []string{"MLF-FraudDetection-3"}, Seed: 7}, func(r *http.Request, in Samples) (seedAnswer, error) {
			names, err := e.Seed(r.Context(), in)
			return seedAnswer{names}, err
		}),
		op(get, "/snapshots", "List the snapshots", nil, func(r *http.Request, _ none) (snapshotList, error) {
			list, err := e.Snapshots(r.Context())
			return snapshotList{list}, err
		}),
		op(put, "/snapshots/{name}", "Keep the state of now under a name", nil, func(r *http.Request, _ none) (none, error) {
			return none{}, e.Snapshot(r.Context(), r.PathValue("name"))
		}),
		op(post, "/snapshots/{name}/restore", "Go back to a snapshot", nil, func(r *http.Request, _ none) (none, error) {
			return none{}, e.Restore(r.Context(), r.PathValue("name"))
		}),
		op(del, "/snapshots/{name}", "Remove a snapshot", nil, func(r *http.Request, _ none) (none, error) {
			return none{}, e.DeleteSnapshot(r.Context(), r.PathValue("name"))
		}),
		a.export(), a.imports(),
		op(post, "/gc", "Remove deleted runs, experiments and logged models for good, with their artifacts: all, or those named", &Garbage{OlderThan: "30d"}, func(r *http.Request, in Garbage) (Collected, error) {
			return e.GC(r.Context(), in)
		}),
		op(post, "/verify", "Compare all stored bytes with their hashes", nil, func(r *http.Request, _ none) (Verified, error) { return e.Verify(r.Context()) }),

		op(get, "/clock", "What the clock says", nil, func(*http.Request, none) (ClockState, error) { return e.Clock().State(), nil }),
		op(put, "/clock", "Stop the clock, set it, move it, let it tick", &clockRequest{Freeze: "2026-01-02T15:04:05Z", TickMS: new(1.0)}, func(_ *http.Request, in clockRequest) (ClockState, error) {
			err := in.apply(e.Clock())
			return e.Clock().State(), err
		}),
		op(del, "/clock", "Go back to the clock of the machine", nil, func(*http.Request, none) (ClockState, error) {
			e.Clock().Reset()
			return e.Clock().State(), nil
		}),
		op(get, "/ids", "Where new ids come from", nil, func(*http.Request, none) (IDState, error) { return e.IDs().State(), nil }),
		op(put, "/ids", "Take new ids from a seed, from its first one on", &idsRequest{Seed: new(uint64(1))}, func(_ *http.Request, in idsRequest) (IDState, error) {
			if in.Seed == nil {
				return IDState{}, registry.Invalidf("seed: give a whole number, 0 or more.")
			}
			e.IDs().Seed(*in.Seed)
			return e.IDs().State(), nil
		}),
		op(del, "/ids", "Make ids random again", nil, func(*http.Request, none) (IDState, error) {
			e.IDs().Reset()
			return e.IDs().State(), nil
		}),

		op(get, "/persona", "Which MLflow server's calls there are", nil, func(*http.Request, none) (personaState, error) { return personaState{e.Persona()}, nil }),
		op(put, "/persona", "Have the calls of MLflow 1.13, 1.30, 2 or 3 only, or (auto) all", &personaState{Persona: "2"}, func(_ *http.Request, in personaState) (personaState, error) {
			if err := e.SetPersona(in.Persona); err != nil {
				return personaState{}, registry.Invalidf("persona: %v.", err)
			}
			return personaState{e.Persona()}, nil
		}),

		op(get, "/routes", "Which versions of the models answer", nil, func(r *http.Request, _ none) (routeList, error) {
			list, err := e.Routes(r.Context(), r.URL.Query().Get("set") == "true")
			return routeList{list}, err
		}).with(param{"set", "boolean", "true: only models that have a setting"}),
		op(put, "/routes/{model}", "Set which version of a model answers, by its tags", &RouteSettings{Current: new("1"), Split: new(""), Shadow: new("")}, func(r *http.Request, in RouteSettings) (Route, error) {
			return e.SetRoute(r.Context(), r.PathValue("model"), in)
		}),
		op(get, "/stubs", "List the versions that answer as a stub says", nil, func(r *http.Request, _ none) (stubList, error) {
			list, err := e.Stubs(r.Context())
			return stubList{list}, err
		}),
		op(post, "/stubs/{model}", "Register a version that answers as a stub says (docs/scoring.md)", &stubExample, func(r *http.Request, in json.RawMessage) (stubAnswer, error) {
			version, err := e.Stub(r.Context(), r.PathValue("model"), in)
			return stubAnswer{r.PathValue("model"), version}, err
		}),

		op(get, "/namespaces", "List the namespaces", nil, func(r *http.Request, _ none) (namespaceList, error) {
			list, err := e.Namespaces(r.Context())
			return namespaceList{list}, err
		}),
		op(put, "/namespaces/{name}", "Make a namespace, if it is not there", nil, func(r *http.Request, _ none) (Namespace, error) {
			return e.MakeNamespace(r.Context(), r.PathValue("name"))
		}),
		op(del, "/namespaces/{name}", "Remove a namespace with all that is in it", nil, func(r *http.Request, _ none) (none, error) {
			found, err := e.DeleteNamespace(r.Context(), r.PathValue("name"))
			if err == nil && !found {
				err = registry.NotFoundf("There is no namespace %q.", r.PathValue("name"))
			}
			return none{}, err
		}),
	}
	routes = append(routes, a.faultRoutes()...)
	routes = append(routes, a.callRoutes()...)
	return append(routes, route{method: get, path: "/openapi.json", summary: "This document", out: nil, outType: "application/json", serve: a.serveOpenAPI})
}

type readyAnswer struct {
	Ready bool `json:"ready"`
}

type resetRequest struct {
	To string `json:"to"`
}

type personaState struct {
	Persona string `json:"persona"`
}

type seedAnswer struct {
	Seeded []string `json:"seeded"`
}

type snapshotList struct {
	Snapshots []Snapshot `json:"snapshots"`
}

type routeList struct {
	Routes []Route `json:"routes"`
}

type namespaceList struct {
	Namespaces []Namespace `json:"namespaces"`
}

type stubList struct {
	Stubs []Stub `json:"stubs"`
}

type stubAnswer struct {
	Model   string `json:"model"`
	Version string `json:"version"`
}

var stubExample = json.RawMessage(`{"inputs": [{"name": "a", "type": "double"}], "expression": "2 * a"}`)

type idsRequest struct {
	Seed *uint64 `json:"seed"`
}

// clockRequest changes a clock: what is given, in the order of the fields.
type clockRequest struct {
	// Freeze stops it at a time, or "now"; Set lets it go on from one. Times are as 2026-01-02T15:04:05Z, or milliseconds since 1970.
	Freeze string `json:"freeze,omitempty"`
	Set    string `json:"set,omitempty"`
	// AdvanceMS moves it. TickMS moves it at each look.
	AdvanceMS *float64 `json:"advance_ms,omitempty"`
	TickMS    *float64 `json:"tick_ms,omitempty"`
}

func (in *clockRequest) apply(c *Clock) error {
	if in.Freeze != "" && in.Set != "" {
		return registry.Invalidf("freeze, set: give one of them: a clock stands or goes.")
	}
	if in.Freeze == "" && in.Set == "" && in.AdvanceMS == nil && in.TickMS == nil {
		return registry.Invalidf("Give freeze, set, advance_ms or tick_ms.")
	}
	if in.Set != "" && in.TickMS != nil && *in.TickMS != 0 {
		return registry.Invalidf("tick_ms: a clock that goes does not tick; give freeze instead of set.")
	}
	for field, ms := range map[string]*float64{"advance_ms": in.AdvanceMS, "tick_ms": in.TickMS} {
		if ms != nil && !(*ms >= -9e12 && *ms <= 9e12) {
			return registry.Invalidf("%s: %v milliseconds are more than a clock goes.", field, *ms)
		}
	}
	for field, text := range map[string]string{"freeze": in.Freeze, "set": in.Set} {
		if text == "" {
			continue
		}
		at, err := parseTime(text, c.State().Now)
		if err != nil {
			return registry.Invalidf("%s: %v", field, err)
		}
		change := c.Freeze
		if field == "set" {
			change = c.Set
		}
		if err := change(at); err != nil {
			return registry.Invalidf("%s: %v.", field, err)
		}
	}
	if in.AdvanceMS != nil {
		if err := c.Advance(time.Duration(*in.AdvanceMS * float64(time.Millisecond))); err != nil {
			return registry.Invalidf("advance_ms: %v.", err)
		}
	}
	if in.TickMS != nil {
		if err := c.Tick(time.Duration(*in.TickMS * float64(time.Millisecond))); err != nil {
			return registry.Invalidf("tick_ms: %v.", err)
		}
	}
	return nil
}

// parseTime reads "now", a time as RFC 3339 has it, or milliseconds since 1970.
func parseTime(text string, now time.Time) (time.Time, error) {
	if text == "now" {
		return now, nil
	}
	if ms, err := strconv.ParseInt(text, 10, 64); err == nil {
		return time.UnixMilli(ms), nil
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return t, fmt.Errorf("%.40q: write a time as 2026-01-02T15:04:05Z, milliseconds since 1970, or now", text)
	}
	return t, nil
}

// export gives a whole state as a file.
func (a *API) export() route {
	return route{
		method: http.MethodGet, path: "/export", summary: "Everything that is kept, as one file", outType: "application/gzip",
		serve: func(w http.ResponseWriter, r *http.Request) {
			out := &late{ResponseWriter: w}
			w.Header().Set("Content-Type", "application/gzip")
			w.Header().Set("Content-Disposition", `attachment; filename="prinzbox.tar.gz"`)
			if err := a.cfg.Environment.Export(r.Context(), out); err != nil {
				if !out.begun {
					w.Header().Del("Content-Disposition")
					rest.WriteError(w, explain(err))
					return
				}
				panic(http.ErrAbortHandler) // half a file must not look whole
			}
		},
	}
}

// late knows whether the answer has begun.
type late struct {
	http.ResponseWriter
	begun bool
}

func (l *late) Write(b []byte) (int, error) {
	l.begun = true
	return l.ResponseWriter.Write(b)
}

// imports replaces a whole state by a file.
func (a *API) imports() route {
	return route{
		method: http.MethodPost, path: "/import", summary: "Replace everything by what an export gave", inType: "application/gzip", out: typeOf[none](),
		serve: func(w http.ResponseWriter, r *http.Request) {
			if err := a.cfg.Environment.Import(r.Context(), r.Body); err != nil {
				rest.WriteError(w, explain(err))
				return
			}
			writeJSON(w, none{})
		},
	}
}

func (a *API) faultRoutes() []route {
	set := a.cfg.Environment.Faults
	example := faults.Rule{
		ID: "slow-runs", Match: faults.Match{Kind: calls.MLflow, Operation: "runs/*"}, When: faults.When{Probability: 0.1},
		Latency: &faults.Latency{Kind: "normal", MeanMS: 500, StdDevMS: 100},
	}
	return []route{
		op(http.MethodGet, "/faults", "The fault rules, with counts", nil, func(*http.Request, none) (faultList, error) {
			return faultList{Seed: new(set().SeedNow()), Faults: set().Rules()}, nil
		}),
		op(http.MethodPost, "/faults", "Add a fault rule behind the others", &example, func(_ *http.Request, in faults.Rule) (faults.Rule, error) { return set().Add(in) }),
		op(http.MethodPut, "/faults", "Put fault rules in place of all that there are; with a seed, chance begins from it", &faultList{Seed: new(uint64(1)), Faults: []faults.Rule{example}}, func(_ *http.Request, in faultList) (faultList, error) {
			added, err := set().Replace(in.Faults)
			if err == nil && in.Seed != nil {
				set().Seed(*in.Seed)
			}
			return faultList{new(set().SeedNow()), added}, err
		}),
		op(http.MethodDelete, "/faults", "Remove all fault rules", nil, func(*http.Request, none) (none, error) {
			set().Clear()
			return none{}, nil
		}),
		op(http.MethodDelete, "/faults/{id}", "Remove a fault rule", nil, func(r *http.Request, _ none) (none, error) {
			if !set().Remove(r.PathValue("id")) {
				return none{}, registry.NotFoundf("There is no fault rule %q.", r.PathValue("id"))
			}
			return none{}, nil
		}),
	}
}

type faultList struct {
	Seed   *uint64       `json:"seed"`
	Faults []faults.Rule `json:"faults"`
}
