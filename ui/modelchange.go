package ui

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/a-h/templ"

	"github.com/prinzbox/prinzbox/registry"
	"github.com/prinzbox/prinzbox/serving"
)

// modelStages in the order that MLflow lists them.
var modelStages = []string{"None", "Staging", "Production", "Archived"}

// modelDone is what a page says after a change. An address cannot make it say anything else.
var modelDone = map[string]string{
	"alias": "The alias was moved.", "unalias": "The alias was taken away.", "stage": "The stage was changed.", "delete-version": "The version was deleted.",
	"version": "The version was registered.", "route": "The routes were changed; the next request follows them.", "stub": "The stub answers from now on.", "describe": "The description was changed.",
}

// mayModel tells whether the asking user may do something to a model and its versions.
func mayModel(ctx context.Context, name string, action registry.Action) bool {
	who := registry.AccessOf(ctx)
	if who == nil {
		return true
	}
	on := registry.Need{Type: registry.OnModel, ID: name, Action: action}
	return who.Allows(on, registry.Need{Type: registry.OnModelVersion, Action: action, Else: []registry.Need{on}})
}

// mayMakeModels tells whether the asking user may register models here. The API makes a user the owner of what he creates; this page does not,
// so among users it is for admins.
func mayMakeModels(ctx context.Context) bool {
	who := registry.AccessOf(ctx)
	return who == nil || who.Admin()
}

// confirmView asks before something that others notice. It holds the form that was sent, so that it works without a script.
type confirmView struct {
	title, text, button string
	danger              bool
	action, back        templ.SafeURL
	fields              []keyValue
}

// confirm is the page that asks; ok is false when the user was asked already.
func confirm(r *http.Request, v confirmView) (page view, ask bool) {
	if r.PostForm.Get("sure") == "1" {
		return view{}, false
	}
	for key, values := range r.PostForm {
		for _, value := range values {
			v.fields = append(v.fields, keyValue{Key: key, Value: value})
		}
	}
	slices.SortFunc(v.fields, func(a, b keyValue) int { return strings.Compare(a.Key, b.Key) })
	v.action = templ.SafeURL(r.URL.EscapedPath())
	return view{title: v.title, section: "models", body: confirmPage(v)}, true
}

// changeModel does one thing to a model or a version of it, and leads back to the page.
func (u *UI) changeModel(r *http.Request) (view, error) {
	ctx, name, version := r.Context(), r.PathValue("name"), r.PathValue("version")
	r.Body = http.MaxBytesReader(nil, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		return view{}, registry.Invalidf("The form could not be read; it may hold at most %d bytes.", maxForm)
	}
	m, err := u.cfg.Store.RegisteredModel(ctx, name)
	if err != nil {
		return view{}, err
	}
	do := r.PostForm.Get("do")
	action := registry.ActionUpdate
	if do == "unalias" || strings.HasPrefix(do, "delete") {
		action = registry.ActionDelete
	}
	if !mayModel(ctx, name, action) {
		return view{}, registry.Errorf(registry.PermissionDenied, "You may read this model, but not change it.")
	}
	back := modelURL(name)
	if version != "" {
		back = versionURL(name, version)
	} else {
		version = strings.TrimSpace(r.PostForm.Get("version"))
	}
	anchor := ""
	switch do {
	case "alias", "unalias":
		page, err := u.changeAlias(r, m, version, back)
		if page.body != nil || err != nil {
			return page, err
		}
		anchor = "#aliases"
	case "stage":
		stage, archive := r.PostForm.Get("stage"), r.PostForm.Get("archive") == "1"
		text := "Version " + version + " of " + name + " goes to the stage " + stage + "."
		if archive {
			text += " Other versions in that stage are archived."
		}
		if page, ask := confirm(r, confirmView{title: "Change the stage?", text: text, button: "Change the stage", back: back}); ask {
			return page, nil
		}
		_, err = u.cfg.Store.TransitionModelVersion(ctx, name, version, stage, archive)
	case "delete-version":
		if page, ask := confirm(r, confirmView{
			title: "Delete version " + version + "?", button: "Delete the version", danger: true, back: back,
			text: "Version " + version + " of " + name + " goes for good, with its tags and aliases. Its files and its run stay; its number is not used again.",
		}); ask {
			return page, nil
		}
		err, back = u.cfg.Store.DeleteModelVersion(ctx, name, version), modelURL(name)
	case "delete-model":
		if page, ask := confirm(r, confirmView{
			title: "Delete " + name + "?", button: "Delete the model", danger: true, back: back,
			text: "The registered model goes for good, with all its versions, tags and aliases. Files and runs stay.",
		}); ask {
			return page, nil
		}
		return view{location: "/models"}, u.cfg.Store.DeleteRegisteredModel(ctx, name)
	case "route":
		page, err := u.changeRoutes(r, m)
		if page.body != nil || err != nil {
			return page, err
		}
		anchor = "#routes"
	case "stub":
		return u.changeStub(r, name, r.PathValue("version"))
	case "version":
		return u.addVersion(r, name)
	case "describe":
		text := strings.ReplaceAll(r.PostForm.Get("description"), "\r\n", "\n")
		if version == "" {
			_, err = u.cfg.Store.UpdateRegisteredModel(ctx, name, &text)
		} else {
			_, err = u.cfg.Store.UpdateModelVersion(ctx, name, version, &text)
		}
	default:
		err = registry.Invalidf("do: write alias, unalias, stage, delete-version, delete-model, route, stub, version or describe, not %s.", quoted(shorten(do, 40)))
	}
	return view{location: string(back) + "?done=" + url.QueryEscape(do) + anchor}, err
}

// changeAlias moves an alias or takes it away; a page is what the user must see first.
func (u *UI) changeAlias(r *http.Request, m registry.RegisteredModel, version string, back templ.SafeURL) (view, error) {
	ctx := r.Context()
	alias := strings.TrimSpace(r.PostForm.Get("alias"))
	now := ""
	for _, a := range m.Aliases {
		if a.Alias == alias {
			now = a.Version
		}
	}
	if r.PostForm.Get("do") == "unalias" {
		page, ask := confirm(r, confirmView{
			title: "Take " + alias + " away?", button: "Take the alias away", danger: true, back: back,
			text: "Clients that ask for " + m.Name + "@" + alias + " find nothing any more.",
		})
		if ask {
			return page, nil
		}
		return view{}, u.cfg.Store.DeleteAlias(ctx, m.Name, alias)
	}
	if now != version && alias != "" {
		text := "Clients that ask for " + m.Name + "@" + alias + " get version " + version + " from the next request on."
		if now != "" {
			text += " Now they get version " + now + "."
		}
		if page, ask := confirm(r, confirmView{title: "Point " + alias + " at version " + version + "?", text: text, button: "Point it there", back: back}); ask {
			return page, nil
		}
	}
	err := u.cfg.Store.SetAlias(ctx, m.Name, alias, version)
	message, isUser := isUserError(err)
	if !isUser || r.PathValue("version") != "" {
		return view{}, err
	}
	v, err := u.describeModel(r)
	if err != nil {
		return view{}, err
	}
	v.alias = aliasForm{alias, version, message}
	return modelViewOf(v), nil
}

// changeRoutes sets the tags of routing, after all of them were found good; a page is the form with what is wrong.
func (u *UI) changeRoutes(r *http.Request, m registry.RegisteredModel) (view, error) {
	if u.cfg.Scoring == nil {
		return view{}, registry.NotFoundf("This environment serves no models.")
	}
	ctx := r.Context()
	fields, bad := routeFields(m.Tags), false
	before := slices.Clone(fields)
	for i := range fields {
		f := &fields[i]
		f.value = strings.TrimSpace(r.PostForm.Get(f.tag))
		if err := u.cfg.Scoring.CheckRouting(ctx, m.Name, f.tag, f.value); err != nil {
			message, isUser := isUserError(err)
			if !isUser {
				return view{}, err
			}
			f.problem, bad = message, true
		}
	}
	if bad {
		v, err := u.describeModel(r)
		if err != nil {
			return view{}, err
		}
		v.routes = fields
		return modelViewOf(v), nil
	}
	for i, f := range fields {
		var err error
		switch f.value {
		case before[i].value:
		case "":
			err = u.cfg.Store.DeleteRegisteredModelTag(ctx, m.Name, f.tag)
		default:
			err = u.cfg.Store.SetRegisteredModelTag(ctx, m.Name, registry.KeyValue{Key: f.tag, Value: f.value})
		}
		if err != nil {
			return view{}, err
		}
	}
	return view{}, nil
}

// addVersion registers the model directory of a run, as mlflow.register_model("runs:/ID/PATH", name) does.
func (u *UI) addVersion(r *http.Request, name string) (view, error) {
	ctx := r.Context()
	id, path := strings.TrimSpace(r.PostForm.Get("run")), strings.Trim(strings.TrimSpace(r.PostForm.Get("path")), "/")
	problem := ""
	run, err := u.cfg.Store.Run(ctx, id)
	switch {
	case err == nil && !may(ctx, run.Info.ExperimentID, registry.ActionRead):
		return view{}, registry.Errorf(registry.PermissionDenied, "You may not read that run.")
	case registry.IsCode(err, registry.ResourceDoesNotExist):
		problem = "There is no run with this id."
	case err == nil && (path == "" || !goodPath(path)):
		problem = badPath(path)
	case err == nil:
		var v registry.ModelVersion
		v, err = u.cfg.Store.CreateModelVersion(ctx, registry.NewModelVersion{Name: name, Source: run.Info.ArtifactURI + "/" + path, RunID: id})
		if err == nil {
			return view{location: string(versionURL(v.Name, v.Version)) + "?done=version"}, nil
		}
	}
	if message, ok := isUserError(err); ok {
		problem = message
	}
	if problem == "" {
		return view{}, err
	}
	v, err := u.describeModel(r)
	if err != nil {
		return view{}, err
	}
	v.source = sourceForm{id, path, problem}
	return modelViewOf(v), nil
}

// stubForm makes a version that answers without a model.
type stubForm struct {
	action  string
	name    string // of the model; asked for when the action is /models
	text    string
	problem string
	change  bool // of a version that is there
}

func newStubForm(action string) stubForm {
	return stubForm{action: action, text: "{\n  \"answer\": 1.5,\n  \"inputs\": [{\"name\": \"x\", \"type\": \"double\"}]\n}"}
}

// changeStub makes a new stub version, or changes what one answers.
func (u *UI) changeStub(r *http.Request, name, version string) (view, error) {
	ctx := r.Context()
	text := strings.TrimSpace(strings.ReplaceAll(r.PostForm.Get("stub"), "\r\n", "\n"))
	if err := serving.CheckStub(text); err != nil {
		return u.badStub(r, name, version, text, "This is no stub: "+err.Error()+".")
	}
	if compact, err := compactJSON(text); err == nil {
		text = compact // the length of a tag is bounded
	}
	tag := registry.KeyValue{Key: serving.TagStub, Value: text}
	if version != "" {
		if err := u.cfg.Store.SetModelVersionTag(ctx, name, version, tag); err != nil {
			if message, ok := isUserError(err); ok {
				return u.badStub(r, name, version, text, message)
			}
			return view{}, err
		}
		return view{location: string(versionURL(name, version)) + "?done=stub"}, nil
	}
	v, err := u.cfg.Store.CreateModelVersion(ctx, registry.NewModelVersion{Name: name, Source: serving.StubSource, Tags: []registry.KeyValue{tag}})
	if message, ok := isUserError(err); ok {
		return u.badStub(r, name, version, text, message)
	}
	return view{location: string(versionURL(v.Name, v.Version)) + "?done=stub"}, err
}

// badStub is the page with the stub and what is wrong with it.
func (u *UI) badStub(r *http.Request, name, version, text, problem string) (view, error) {
	switch {
	case r.PathValue("name") == "":
		stub := newStubForm("/models")
		stub.name, stub.text, stub.problem = name, text, problem
		return u.modelsWith(r, stub)
	case version != "":
		v, err := u.describeVersion(r)
		if err != nil {
			return view{}, err
		}
		stub := newStubForm(string(versionURL(name, version)))
		stub.text, stub.problem, stub.change = text, problem, true
		v.stub = &stub
		page := versionViewOf(v)
		page.status = http.StatusBadRequest
		return page, nil
	}
	v, err := u.describeModel(r)
	if err != nil {
		return view{}, err
	}
	v.stub.text, v.stub.problem = text, problem
	return modelViewOf(v), nil
}

// changeModels makes a model that is a stub.
func (u *UI) changeModels(r *http.Request) (view, error) {
	ctx := r.Context()
	r.Body = http.MaxBytesReader(nil, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		return view{}, registry.Invalidf("The form could not be read; it may hold at most %d bytes.", maxForm)
	}
	name, text := strings.TrimSpace(r.PostForm.Get("name")), r.PostForm.Get("stub")
	if do := r.PostForm.Get("do"); do != "stub" {
		return view{}, registry.Invalidf("do: write stub, not %s.", quoted(shorten(do, 40)))
	}
	if !mayMakeModels(ctx) {
		return view{}, registry.Errorf(registry.PermissionDenied, "Only admins make models here; use the API to make one of your own.")
	}
	if err := serving.CheckStub(text); err != nil {
		return u.badStub(r, name, "", text, "This is no stub: "+err.Error()+".")
	}
	_, err := u.cfg.Store.CreateRegisteredModel(ctx, registry.NewRegisteredModel{Name: name})
	if registry.IsCode(err, registry.ResourceAlreadyExists) {
		return u.badStub(r, name, "", text, "There is a model of this name. Add the stub as a version on its page.")
	}
	if message, ok := isUserError(err); ok {
		return u.badStub(r, name, "", text, message)
	}
	if err != nil {
		return view{}, err
	}
	return u.changeStub(r, name, "")
}
