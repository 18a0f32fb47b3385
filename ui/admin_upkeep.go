package ui

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"

	"github.com/prinzbox/prinzbox/registry"
)

// route is what chooses the versions of a model, as the API tells it.
type route struct {
	Model   string  `json:"model"`
	Current *string `json:"current"`
	Split   *string `json:"split"`
	Shadow  *string `json:"shadow"`
	Problem string  `json:"problem"`
}

func (r route) settings() string {
	var list []string
	for _, s := range []struct {
		name  string
		value *string
	}{{"current ", r.Current}, {"split ", r.Split}, {"shadow ", r.Shadow}} {
		if s.value != nil {
			list = append(list, s.name+shorten(*s.value, 200))
		}
	}
	return strings.Join(list, ", ")
}

// stubVersion is a version that answers as told, as the API tells it.
type stubVersion struct {
	Model   string          `json:"model"`
	Version string          `json:"version"`
	Stub    json.RawMessage `json:"stub"`
}

// collected is what a removal for good took, or would take.
type collected struct {
	Runs         int `json:"runs"`
	Experiments  int `json:"experiments"`
	LoggedModels int `json:"logged_models"`
	Removed      []struct {
		Kind string `json:"kind"`
		ID   string `json:"id"`
		Left string `json:"artifacts_left"`
	} `json:"removed"`
}

func (c collected) counts() string {
	return countText(c.Runs, "run", false) + ", " + countText(c.Experiments, "experiment", false) + ", " + countText(c.LoggedModels, "logged model", false)
}

// left counts those whose artifacts stay.
func (c collected) left() (n int) {
	for _, r := range c.Removed {
		if r.Left != "" {
			n++
		}
	}
	return n
}

// verified is what a comparison of all bytes with their hashes found.
type verified struct {
	OK          bool  `json:"ok"`
	Contents    int   `json:"contents"`
	Bytes       int64 `json:"bytes"`
	Damaged     int   `json:"damaged"`
	Orphans     int   `json:"orphans"`
	OrphanBytes int64 `json:"orphan_bytes"`
	Damage      []struct {
		Problem string `json:"problem"`
		Objects []struct {
			Bucket string `json:"bucket"`
			Key    string `json:"key"`
		} `json:"objects"`
	} `json:"damage"`
}

func (v verified) text() string {
	text := countText(v.Contents, "content", false) + ", " + bytesText(v.Bytes) + ": "
	if v.OK {
		text += "all as they were stored"
	} else {
		text += itoa(v.Damaged) + " damaged"
	}
	if v.Orphans > 0 {
		text += "; " + countText(v.Orphans, "file", false) + " (" + bytesText(v.OrphanBytes) + ") that nothing names, which the next start removes"
	}
	return text + "."
}

// garbageFields are the fields of the form that removes for good.
var garbageFields = []struct{ name, label, hint string }{
	{"older_than", "Deleted at least … ago", "30d, 2d8h"}, {"run_ids", "Only runs", "ids"}, {"experiment_ids", "Only experiments", "ids"}, {"logged_model_ids", "Only logged models", "ids"},
}

// garbage reads what a form chooses.
func garbage(r *http.Request) map[string]any {
	of := map[string]any{}
	for _, f := range garbageFields {
		text := strings.TrimSpace(r.FormValue(f.name))
		switch {
		case text == "":
		case f.name == "older_than":
			of[f.name] = text
		default:
			of[f.name] = idsOf(text)
		}
	}
	return of
}

// idsOf are what stands between commas and spaces.
func idsOf(text string) []string {
	return strings.FieldsFunc(text, func(c rune) bool { return c == ',' || c == ' ' })
}

// confirmGC asks, with what would go.
func (u *UI) confirmGC(r *http.Request) (view, error) {
	of := garbage(r)
	of["dry_run"] = true
	var would collected
	err := u.command(r, http.MethodPost, apiPrefix+"/gc", of, &would)
	if message, ok := isUserError(err); ok {
		return u.adminProblem(r, message)
	}
	if err != nil {
		return view{}, err
	}
	if len(would.Removed) == 0 {
		return u.adminPage(r, adminSaid{done: "Nothing is deleted that could be removed for good."})
	}
	fields := []keyValue{{Key: "do", Value: "gc"}}
	for _, f := range garbageFields {
		if value := strings.TrimSpace(r.FormValue(f.name)); value != "" {
			fields = append(fields, keyValue{Key: f.name, Value: value})
		}
	}
	const title = "Remove for good?"
	return view{title: title, section: "admin", body: adminQuestion(title, "They are deleted already; now they go with their artifacts, and nothing brings them back.", "Remove", fields, would.counts())}, nil
}

// collect removes for good, and tells what.
func (u *UI) collect(r *http.Request) (view, error) {
	var got collected
	err := u.command(r, http.MethodPost, apiPrefix+"/gc", garbage(r), &got)
	return u.adminResult(r, adminSaid{collected: &got}, err)
}

// verify compares all bytes with their hashes, and tells what came of it.
func (u *UI) verify(r *http.Request) (view, error) {
	var got verified
	err := u.command(r, http.MethodPost, apiPrefix+"/verify", nil, &got)
	return u.adminResult(r, adminSaid{verified: &got}, err)
}

// adminResult shows the page with a result, or with what was wrong.
func (u *UI) adminResult(r *http.Request, said adminSaid, err error) (view, error) {
	if message, ok := isUserError(err); ok {
		return u.adminProblem(r, message)
	}
	if err != nil {
		return view{}, err
	}
	return u.adminPage(r, said)
}

// changeClock does one thing to the clock.
func (u *UI) changeClock(r *http.Request, do string) error {
	at, by := strings.TrimSpace(r.FormValue("at")), strings.TrimSpace(r.FormValue("by"))
	change := map[string]any{}
	switch do {
	case "real":
		return u.command(r, http.MethodDelete, apiPrefix+"/clock", nil, nil)
	case "freeze", "set":
		if at == "" {
			at = "now"
		}
		change[do] = at
	default: // advance, tick
		d, err := time.ParseDuration(by)
		if err != nil {
			return registry.Invalidf("by: write a duration as 90s, 15m or 24h.")
		}
		change[do+"_ms"] = float64(d) / float64(time.Millisecond)
	}
	return u.command(r, http.MethodPut, apiPrefix+"/clock", change, nil)
}

// namespaceLabel stands between the name of a namespace and the server's in a host.
const namespaceLabel = ".ns."

// ownHost is the host of a request, without a namespace before it.
func ownHost(host string) string {
	if _, own, ok := strings.Cut(host, namespaceLabel); ok {
		return own
	}
	return host
}

// namespaceURL leads to the pages of a namespace, which have a host of their own: the server sends a browser there. The scheme stays.
func namespaceURL(host, name string) templ.SafeURL {
	return templ.SafeURL("//" + host + "/ns/" + name + "/")
}

// personas are the MLflow servers that clients can meet.
var personas = [][2]string{
	{"auto", "MLflow of all versions"}, {"1.13", "MLflow 1.13"}, {"1.30", "MLflow 1.30"}, {"2", "MLflow 2"}, {"3", "MLflow 3"},
}

func plainUint(n uint64) string { return strconv.FormatUint(n, 10) }
