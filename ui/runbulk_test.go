package ui_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/prinzbox/prinzbox/registry"
)

func TestChangeManyRuns(t *testing.T) {
	h, experiment, _ := wine(t)
	ctx := t.Context()
	runs := must[registry.Page[registry.Run]](t)(h.store.SearchRuns(ctx, []string{experiment}, registry.Query{MaxResults: 10}))
	var ids []string
	for _, r := range runs.Items {
		ids = append(ids, r.Info.RunID)
	}
	other := h.run("0", "other", now, registry.Batch{})
	send := func(want int, form url.Values, header ...string) string {
		t.Helper()
		status, page := h.post("/experiments/"+experiment+"/runs", form.Encode(), header...)
		if status != want {
			t.Errorf("%v: status %d, want %d", form, status, want)
		}
		return page
	}
	stage := func(id string) string {
		return must[registry.Run](t)(h.store.Run(ctx, id)).Info.LifecycleStage
	}
	for name, form := range map[string]url.Values{
		"of another experiment": {"do": {"delete"}, "run": {ids[0], other}}, "nothing ticked": {"do": {"delete"}}, "no such thing": {"do": {"burn"}, "run": ids},
		"a bad key": {"do": {"tag"}, "run": ids, "key": {""}, "value": {"x"}},
	} {
		t.Run(name, func(t *testing.T) { send(http.StatusBadRequest, form) })
	}
	send(http.StatusNotFound, url.Values{"do": {"delete"}, "run": {ids[0], strings.Repeat("9", 32)}})
	send(http.StatusForbidden, url.Values{"do": {"delete"}, "run": ids}, "Sec-Fetch-Site", "cross-site")
	if got := stage(ids[0]) + stage(other); got != "activeactive" {
		t.Fatalf("a refused form has changed runs: %s", got)
	}
	page := send(http.StatusOK, url.Values{"do": {"delete"}, "run": ids[:2], "back": {"/experiments/" + experiment + "?filter=metrics.rmse+%3C+1"}})
	contains(t, page, "2 runs deleted.", `value="metrics.rmse &lt; 1"`)
	if stage(ids[0]) != registry.StageDeleted || stage(ids[1]) != registry.StageDeleted || stage(ids[2]) != registry.StageActive {
		t.Error("not the ticked runs are deleted")
	}
	contains(t, send(http.StatusOK, url.Values{"do": {"restore"}, "run": ids[:2], "back": {"//evil.example/"}}), "2 runs restored.", "Test experiment 1")
	contains(t, send(http.StatusOK, url.Values{"do": {"tag"}, "run": ids, "key": {"kept"}, "value": {hostile}}), "4 runs tagged.")
	status, page := h.get("/experiments/" + experiment + "?col=tags.kept")
	if status != 200 || strings.Contains(page, "<script>") || strings.Count(page, "&lt;script&gt;") < 4 {
		t.Error("the tag is no column, or not escaped")
	}
	// An address cannot make the page say what has not happened.
	if _, page := h.get("/experiments/" + experiment + "?done=" + url.QueryEscape("stolen<b>") + "&n=3"); strings.Contains(page, `class="done"`) {
		t.Error("the page repeats what the address says")
	}
}

func TestChangeRun(t *testing.T) {
	h, experiment, _ := wine(t)
	ctx := t.Context()
	id := h.run(experiment, "changing", now, registry.Batch{})
	for _, c := range []struct {
		form   url.Values
		status int
		want   string
	}{
		{url.Values{"do": {"note"}, "note": {"# Title\r\n\r\n<b>x</b> [y](javascript:alert(1))"}}, 200, "<h2>Title</h2>"},
		{url.Values{"do": {"tag"}, "key": {"team"}, "value": {"cellar"}}, 200, "cellar"},
		{url.Values{"do": {"name"}, "name": {"changed"}}, 200, "<h1>changed"},
		{url.Values{"do": {"untag"}, "key": {"team"}}, 200, "None set."},
		{url.Values{"do": {"untag"}, "key": {"team"}}, 404, "No tag with name: team"},
		{url.Values{"do": {"tag"}, "key": {"a\x00b"}, "value": {"x"}}, 400, "Invalid"},
		{url.Values{"do": {"delete"}}, 200, "Restore this run"},
		{url.Values{"do": {"restore"}}, 200, "Delete this run"},
		{url.Values{"do": {"x"}}, 400, "write note, name, tag, untag, delete or restore"},
	} {
		status, page := h.post("/runs/"+id, c.form.Encode())
		if status != c.status || !strings.Contains(page, c.want) || strings.Contains(page, "<b>") || strings.Contains(page, `href="javascript`) {
			t.Errorf("%v: status %d; no %q, or not tame", c.form, status, c.want)
		}
	}
	if status, _ := h.post("/runs/"+id, "do=delete", "Origin", "http://evil.example"); status != http.StatusForbidden {
		t.Errorf("a form of another site: status %d", status)
	}
	if got := must[registry.Run](t)(h.store.Run(ctx, id)).Info; got.RunName != "changed" || got.LifecycleStage != registry.StageActive {
		t.Errorf("%+v", got)
	}
}

// Who may read an experiment, but not change it, is offered no change and cannot make one.
func TestReadersChangeNothing(t *testing.T) {
	h, experiment, runID := wine(t)
	auth := registry.NewAuth(h.store, registry.PermissionRead)
	must[registry.User](t)(h.store.CreateUser(t.Context(), "reader", "a long password", false))
	access := must[*registry.Access](t)(auth.Access(t.Context(), "reader"))
	h.as(access)
	_, page := h.get("/runs/" + runID)
	if strings.Contains(page, `value="delete"`) || strings.Contains(page, "note-edit") {
		t.Error("a reader is offered changes")
	}
	for path, form := range map[string]url.Values{
		"/runs/" + runID: {"do": {"note"}, "note": {"x"}}, "/experiments/" + experiment + "/runs": {"do": {"delete"}, "run": {runID}},
	} {
		if status, _ := h.post(path, form.Encode()); status != http.StatusForbidden {
			t.Errorf("POST %s: status %d, want 403", path, status)
		}
	}
	// Without a grant and with no default, nothing is shown.
	h.as(must[*registry.Access](t)(registry.NewAuth(h.store, registry.NoPermissions).Access(t.Context(), "reader")))
	if status, page := h.get("/compare?run=" + runID); status != 200 || !strings.Contains(page, "1 run not found, or not yours") {
		t.Errorf("compare: %d", status)
	}
	if status, page := h.get("/compare?experiment=" + experiment); status != http.StatusForbidden {
		t.Errorf("compare an experiment: %d %.100s", status, page)
	}
	if _, text := h.get("/points.json?key=loss&run=" + runID); text != `{"series":[]}` {
		t.Errorf("points: %.200s", text)
	}
}
