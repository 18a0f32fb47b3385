package ui_test

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/prinzbox/prinzbox/registry"
	"github.com/prinzbox/prinzbox/serving"
	"github.com/prinzbox/prinzbox/ui"
)

const wineModel = "/models/MLF-ElasticnetWineModel-1"

// asked sends a form as a browser does, without following redirects: status, where it leads, page.
func (h *house) asked(path string, form url.Values) (status int, leads, page string) {
	h.t.Helper()
	client := &http.Client{Transport: h.server.Client().Transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	r := must[*http.Request](h.t)(http.NewRequestWithContext(h.t.Context(), http.MethodPost, h.server.URL+path, strings.NewReader(form.Encode())))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp := must[*http.Response](h.t)(client.Do(r))
	body := must[[]byte](h.t)(io.ReadAll(resp.Body))
	h.do(resp.Body.Close())
	return resp.StatusCode, resp.Header.Get("Location"), string(body)
}

// reader is a user who may read everything and change nothing.
func (h *house) reader() *registry.Access {
	h.t.Helper()
	must[registry.User](h.t)(h.store.CreateUser(h.t.Context(), "reader", "a long password", false))
	return must[*registry.Access](h.t)(registry.NewAuth(h.store, registry.PermissionRead).Access(h.t.Context(), "reader"))
}

var hiddenFields = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)"`)

// Each change that others notice is asked about first, and the page that asks sends all that it needs.
func TestChangesAreConfirmed(t *testing.T) {
	h, _, _ := wine(t)
	ctx := t.Context()
	model := func() registry.RegisteredModel {
		return must[registry.RegisteredModel](t)(h.store.RegisteredModel(ctx, "MLF-ElasticnetWineModel-1"))
	}
	for _, c := range []struct {
		path     string
		form     url.Values
		question string
		leads    string
		holds    func() bool
	}{
		{
			wineModel,
			url.Values{"do": {"alias"}, "alias": {"champion"}, "version": {"2"}},
			"Now they get version 1.", wineModel + "?done=alias#aliases",
			func() bool { return model().Aliases[0].Version == "2" },
		},
		{
			wineModel + "/versions/1",
			url.Values{"do": {"alias"}, "alias": {"old"}, "version": {"2"}},
			"Point old at version 1?", wineModel + "/versions/1?done=alias#aliases",
			func() bool {
				return len(model().Aliases) == 2 && model().Aliases[1] == registry.Alias{Alias: "old", Version: "1"}
			},
		},
		{
			wineModel,
			url.Values{"do": {"unalias"}, "alias": {"old"}},
			"find nothing any more", wineModel + "?done=unalias#aliases",
			func() bool { return len(model().Aliases) == 1 },
		},
		{
			wineModel + "/versions/2",
			url.Values{"do": {"stage"}, "stage": {"Production"}, "archive": {"1"}},
			"Other versions in that stage are archived.", wineModel + "/versions/2?done=stage",
			func() bool {
				return must[registry.ModelVersion](t)(h.store.ModelVersion(ctx, "MLF-ElasticnetWineModel-1", "2")).CurrentStage == "Production"
			},
		},
		{
			wineModel + "/versions/1",
			url.Values{"do": {"delete-version"}},
			"goes for good", wineModel + "?done=delete-version",
			func() bool {
				_, err := h.store.ModelVersion(ctx, "MLF-ElasticnetWineModel-1", "1")
				return registry.IsCode(err, registry.ResourceDoesNotExist)
			},
		},
		{
			wineModel,
			url.Values{"do": {"delete-model"}},
			"Files and runs stay.", "/models",
			func() bool {
				_, err := h.store.RegisteredModel(ctx, "MLF-ElasticnetWineModel-1")
				return registry.IsCode(err, registry.ResourceDoesNotExist)
			},
		},
	} {
		if c.holds() {
			t.Fatalf("%v: is so before", c.form)
		}
		status, _, page := h.asked(c.path, c.form)
		if status != http.StatusOK || !strings.Contains(page, c.question) || c.holds() {
			t.Errorf("%v: status %d, was not asked about: %.2000s", c.form, status, page)
		}
		again := url.Values{}
		_, page, _ = strings.Cut(page, "<main")
		for _, m := range hiddenFields.FindAllStringSubmatch(page, -1) {
			if m[1] != "back" {
				again.Add(m[1], m[2])
			}
		}
		status, leads, _ := h.asked(c.path, again)
		if status != http.StatusSeeOther || leads != c.leads || !c.holds() {
			t.Errorf("%v: status %d, leads to %q, want %q", again, status, leads, c.leads)
		}
		if !strings.HasPrefix(leads, "/models?") && leads != "/models" {
			if _, page := h.get(leads); !strings.Contains(page, `class="done" role="status"`) {
				t.Errorf("%s does not say what was done", leads)
			}
		}
	}
}

// The history shows where an alias was, and leads back.
func TestAliasHistoryIsShown(t *testing.T) {
	h, _, _ := wine(t)
	h.do(h.store.SetAlias(t.Context(), "MLF-ElasticnetWineModel-1", "champion", "2"))
	h.do(h.store.SetAlias(t.Context(), "MLF-ElasticnetWineModel-1", "gone", "2"))
	h.do(h.store.DeleteAlias(t.Context(), "MLF-ElasticnetWineModel-1", "gone"))
	_, page := h.get(wineModel)
	contains(t, page, "History", "taken away", `champion</span> back to 1…`, `gone</span> back to 2…`)
	if strings.Contains(page, `champion</span> back to 2…`) {
		t.Error("the alias can be pointed where it is")
	}
}

func TestRoutes(t *testing.T) {
	h, _, _ := wine(t)
	_, page := h.get(wineModel)
	contains(t, page, "Requests that name no version go to", ">version 2</a>")
	form := url.Values{"do": {"route"}, serving.TagSplit: {"1=90,champion=<b>"}, serving.TagShadow: {"9"}, serving.TagCurrent: {"2"}}
	status, _, page := h.asked(wineModel, form)
	if status != http.StatusBadRequest {
		t.Errorf("status %d, want 400", status)
	}
	contains(t, page, "write versions and their weights as", `value="1=90,champion=&lt;b&gt;"`, "has no version, stage or alias", `name="prinzbox.current" value="2"`)
	if m := must[registry.RegisteredModel](t)(h.store.RegisteredModel(t.Context(), "MLF-ElasticnetWineModel-1")); len(m.Tags) != 0 {
		t.Errorf("one of the tags was wrong, and others are set: %v", m.Tags)
	}
	form.Set(serving.TagSplit, "1=90,2=10")
	form.Set(serving.TagShadow, "champion")
	if status, leads, _ := h.asked(wineModel, form); status != http.StatusSeeOther || leads != wineModel+"?done=route#routes" {
		t.Errorf("status %d, leads to %q", status, leads)
	}
	_, page = h.get(wineModel)
	contains(t, page, "(90 %)", "(10 %)", "gets copies as a shadow")
	if status, _, _ := h.asked(wineModel, url.Values{"do": {"route"}}); status != http.StatusSeeOther {
		t.Errorf("emptied: status %d", status)
	}
	if m := must[registry.RegisteredModel](t)(h.store.RegisteredModel(t.Context(), "MLF-ElasticnetWineModel-1")); len(m.Tags) != 0 {
		t.Errorf("emptied, and there is %v", m.Tags)
	}
	// A tag that another client has set to nonsense is told, and the page still stands.
	h.do(h.store.SetRegisteredModelTag(t.Context(), "MLF-ElasticnetWineModel-1", registry.KeyValue{Key: serving.TagCurrent, Value: "<script>"}))
	status, page = h.get(wineModel)
	if status != http.StatusOK || strings.Contains(page, "<script>") {
		t.Errorf("status %d", status)
	}
	contains(t, page, "Tag prinzbox.current of registered model")
}

func TestStubs(t *testing.T) {
	h, _, _ := wine(t)
	status, leads, _ := h.asked("/models", url.Values{"do": {"stub"}, "name": {"new one"}, "stub": {`{"answer": 1.5}`}})
	if status != http.StatusSeeOther || leads != "/models/new%20one/versions/1?done=stub" {
		t.Errorf("status %d, leads to %q", status, leads)
	}
	_, page := h.get(leads)
	contains(t, page, "The stub answers from now on.", ">stub</span>", "{&#34;answer&#34;:1.5}", "This version is no model")
	status, leads, _ = h.asked("/models/new%20one", url.Values{"do": {"stub"}, "stub": {`{"expression": "x + 1"}`}})
	if status != http.StatusSeeOther || leads != "/models/new%20one/versions/2?done=stub" {
		t.Errorf("status %d, leads to %q", status, leads)
	}
	status, leads, _ = h.asked("/models/new%20one/versions/2", url.Values{"do": {"stub"}, "stub": {`{"expression": "x + 2"}`}})
	if tags := must[registry.ModelVersion](t)(h.store.ModelVersion(t.Context(), "new one", "2")).Tags; status != http.StatusSeeOther || tags[0].Value != `{"expression":"x + 2"}` {
		t.Errorf("status %d, leads to %q, tags %v", status, leads, tags)
	}
	for path, bad := range map[string]url.Values{
		"/models":                      {"do": {"stub"}, "name": {"another"}, "stub": {`{"answer": 1, "expression": "<b>"}`}},
		"/models?x":                    {"do": {"stub"}, "name": {"new one"}, "stub": {`{"answer": 1}`}},
		"/models?y":                    {"do": {"stub"}, "name": {"a/b"}, "stub": {`{"answer": 1}`}},
		"/models/new%20one":            {"do": {"stub"}, "stub": {`{"answre": 1}`}},
		"/models/new%20one/versions/2": {"do": {"stub"}, "stub": {`<b>`}},
	} {
		status, _, page := h.asked(path, bad)
		if status != http.StatusBadRequest || !strings.Contains(page, `class="problem" role="alert"`) || strings.Contains(page, "<b>") {
			t.Errorf("%s with %v: status %d", path, bad, status)
		}
	}
	if _, err := h.store.RegisteredModel(t.Context(), "another"); !registry.IsCode(err, registry.ResourceDoesNotExist) {
		t.Errorf("a model was made of a stub that is none: %v", err)
	}
}

// schemas answers Describe with another signature for each version.
type schemas struct {
	*linear
	inputs map[string][]ui.Field
}

func (s schemas) Describe(_ context.Context, _, version string) (ui.Model, error) {
	return ui.Model{Native: true, Inputs: s.inputs[version]}, nil
}

// tardy describes a model only when the caller's patience is over.
type tardy struct{ *linear }

func (s tardy) Describe(ctx context.Context, _, _ string) (ui.Model, error) {
	<-ctx.Done()
	return ui.Model{}, ctx.Err()
}

// A model that is long in loading is shown as such; it neither keeps the page nor fails it.
func TestSlowModel(t *testing.T) {
	h, _, runID := wine(t)
	h.register("MLF-Second", "", runID)
	h.serve(tardy{h.model})
	for _, path := range []string{"/", "/models"} {
		status, page := h.get(path)
		if status != http.StatusOK {
			t.Errorf("%s: status %d", path, status)
		}
		contains(t, page, "still being loaded", "MLF-Second")
	}
}

func TestSchemaDiff(t *testing.T) {
	h, _, runID := wine(t)
	h.register("MLF-ElasticnetWineModel-1", "", runID)
	h.serve(schemas{h.model, map[string][]ui.Field{
		"1": {{Name: "a", Type: "double"}, {Name: "b", Type: "long"}, {Name: "old", Type: "string"}},
		"2": {{Name: "a", Type: "double"}, {Name: "b", Type: "double"}, {Name: "<new>", Type: "string", Optional: true}},
		"3": {{Name: "a", Type: "double"}, {Name: "b", Type: "double"}, {Name: "<new>", Type: "string", Optional: true}},
	}})
	_, page := h.get(wineModel)
	contains(t, page, "Version 2 and version 3 take and give the same.")
	_, page = h.get(wineModel + "?from=1&to=2")
	contains(t, page, "3 changes from version 1 to version 2.", `class="diff-changed"`, `class="diff-added"`, `class="diff-removed"`, "&lt;new&gt;", "string, optional")
	if status, _ := h.get(wineModel + "?from=x&to=77"); status >= 500 {
		t.Errorf("versions that are none: status %d", status)
	}
}

func TestCountsOfCalls(t *testing.T) {
	h, _, _ := wine(t)
	_, page := h.get(wineModel)
	contains(t, page, "Not asked since the start.")
	for range 3 { // the real server's counts; it has no files of this version, so each call fails
		h.model.Server.Score(t.Context(), "MLF-ElasticnetWineModel-1", "1", []byte(`{}`), "application/json")
	}
	_, page = h.get(wineModel)
	contains(t, page, "Last minute", `<td class="num">3</td><td class="num">3</td><td class="num problem">3</td>`, "Last errors", "There are no files.", "95 of 100 within",
		"The last minute: 3 answers, 3 errors, on average ", `class="wrong"`)
	_, page = h.get("/models")
	contains(t, page, `<td class="num">3</td>`)
}

// Readers see no forms, and their forms are refused.
func TestReadersChangeNoModel(t *testing.T) {
	h, _, _ := wine(t)
	h.as(h.reader())
	_, page := h.get(wineModel)
	if strings.Contains(page, `name="do"`) {
		t.Error("a reader is offered changes")
	}
	for _, form := range []url.Values{
		{"do": {"alias"}, "alias": {"x"}, "version": {"1"}, "sure": {"1"}},
		{"do": {"unalias"}, "alias": {"champion"}, "sure": {"1"}},
		{"do": {"delete-model"}, "sure": {"1"}},
		{"do": {"route"}, serving.TagCurrent: {"1"}},
		{"do": {"stub"}, "stub": {`{"answer": 1}`}},
		{"do": {"describe"}, "description": {"x"}},
	} {
		if status, _, _ := h.asked(wineModel, form); status != http.StatusForbidden {
			t.Errorf("%v: status %d, want 403", form, status)
		}
	}
	if status, _, _ := h.asked("/models", url.Values{"do": {"stub"}, "name": {"x"}, "stub": {`{"answer": 1}`}}); status != http.StatusForbidden {
		t.Errorf("a new model: status %d, want 403", status)
	}
}

// A version is registered of a run's files; what is wrong with the form stands in it.
func TestVersionFromRun(t *testing.T) {
	h, _, runID := wine(t)
	run := must[registry.Run](t)(h.store.Run(t.Context(), runID))
	status, leads, _ := h.asked(wineModel, url.Values{"do": {"version"}, "run": {runID}, "path": {"/model/"}})
	if status != http.StatusSeeOther || leads != wineModel+"/versions/3?done=version" {
		t.Errorf("status %d, leads to %q", status, leads)
	}
	if v := must[registry.ModelVersion](t)(h.store.ModelVersion(t.Context(), "MLF-ElasticnetWineModel-1", "3")); v.Source != run.Info.ArtifactURI+"/model" || v.RunID != runID {
		t.Errorf("%+v", v)
	}
	for _, bad := range []url.Values{
		{"run": {"<b>"}, "path": {"model"}}, {"run": {""}, "path": {"model"}}, {"run": {runID}, "path": {"../../etc"}}, {"run": {runID}, "path": {""}},
	} {
		bad.Set("do", "version")
		status, _, page := h.asked(wineModel, bad)
		if status != http.StatusBadRequest || !strings.Contains(page, `class="problem" role="alert"`) || strings.Contains(page, "<b>") {
			t.Errorf("%v: status %d", bad, status)
		}
	}
}
