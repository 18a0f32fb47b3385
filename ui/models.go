package ui

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/a-h/templ"

	"github.com/prinzbox/prinzbox/registry"
	"github.com/prinzbox/prinzbox/serving"
)

func (u *UI) modelRoutes(mux *http.ServeMux) {
	const version = "/models/{name}/versions/{version}"
	mux.HandleFunc("GET /palette-runs.json", u.findRunsByName)
	mux.HandleFunc("POST "+version+"/explain", u.explainRow)
	mux.HandleFunc("POST "+version+"/batch", u.batch)
	for pattern, p := range map[string]page{
		"GET /models":               u.models,
		"POST /models":              u.changeModels,
		"GET /models/{name}":        u.model,
		"POST /models/{name}":       u.changeModel,
		"GET " + version:            u.version,
		"POST " + version:           u.changeModel,
		"POST " + version + "/try":  u.try,
		"GET " + version + "/try":   u.tryAgain,
		"GET " + version + "/batch": u.batchAgain,
	} {
		mux.HandleFunc(pattern, u.show(p))
	}
}

type modelsView struct {
	list  listing
	cards []modelCard
	stub  stubForm
	// mayMake tells that the user may register models here.
	mayMake bool
}

func (u *UI) models(r *http.Request) (view, error) {
	return u.modelsWith(r, newStubForm("/models"))
}

func (u *UI) modelsWith(r *http.Request, stub stubForm) (view, error) {
	l := parseListing(r)
	found, err := u.cfg.Store.SearchRegisteredModels(r.Context(), l.query())
	status, err := inPlace(&l, err)
	if err != nil {
		return view{}, err
	}
	l.next = found.NextPageToken
	l.words = newListWords([]string{"name"}, nil)
	for _, m := range found.Items {
		l.words.item(m.Name, userTags(m.Tags))
	}
	cards, err := u.modelCards(r.Context(), found.Items, false)
	if err != nil {
		return view{}, err
	}
	if stub.problem != "" {
		status = http.StatusBadRequest
	}
	return view{title: "Models", section: "models", status: status, scripts: []string{"complete.js"}, body: modelsPage(modelsView{list: l, cards: cards, stub: stub, mayMake: mayMakeModels(r.Context())})}, nil
}

// nameFilter is the filter that finds one model; a name with both kinds of quotes has none.
func nameFilter(name string) (string, bool) {
	text, ok := quotedText(name)
	return "name = " + text, ok
}

// quotedText is a text in MLflow's filter language; one with both kinds of quotes cannot be written there.
func quotedText(s string) (string, bool) {
	switch {
	case !strings.Contains(s, "'"):
		return "'" + s + "'", true
	case !strings.Contains(s, `"`):
		return `"` + s + `"`, true
	}
	return "", false
}

type versionView struct {
	version          registry.ModelVersion
	created, changed moment
	current          bool
	run              *registry.Run
	about            Model
	served           bool
	state            servingState
	form             tryForm
	stages           []string
	stub             *stubForm // of a version that is a stub
	mayChange        bool
	mayDelete        bool
	done             string
	files            templ.SafeURL // of the version, when they lie in its run
}

func (u *UI) version(r *http.Request) (view, error) {
	v, err := u.describeVersion(r)
	if err != nil {
		return view{}, err
	}
	v.done = modelDone[r.URL.Query().Get("done")]
	u.answerExample(r, &v)
	return versionViewOf(v), nil
}

func versionViewOf(v versionView) view {
	return view{title: v.version.Name + ", version " + v.version.Version, section: "models", scripts: []string{"swap.js", "try.js"}, body: versionPage(v)}
}

func (u *UI) describeVersion(r *http.Request) (versionView, error) {
	ctx := r.Context()
	version, err := u.cfg.Store.ModelVersion(ctx, r.PathValue("name"), r.PathValue("version"))
	if err != nil {
		return versionView{}, err
	}
	v := versionView{
		version: version, created: u.when(version.Created), changed: u.when(version.LastUpdated), served: u.cfg.Scoring != nil, stages: modelStages,
		mayChange: mayModel(ctx, version.Name, registry.ActionUpdate), mayDelete: mayModel(ctx, version.Name, registry.ActionDelete),
	}
	if text := tagValue(version.Tags, serving.TagStub); text != "" {
		stub := newStubForm(string(versionURL(version.Name, version.Version)))
		stub.text, stub.change = indent([]byte(text)), true
		v.stub = &stub
	}
	if current, err := u.cfg.Store.CurrentModelVersion(ctx, version.Name); err == nil {
		v.current = current.Version == version.Version
	}
	if version.RunID != "" {
		run, err := u.cfg.Store.Run(ctx, version.RunID)
		switch {
		case err == nil:
			v.run = &run
			if path, ok := strings.CutPrefix(version.StorageLocation, run.Info.ArtifactURI+"/"); ok {
				v.files = artifactDirURL(run.Info.RunID, path)
			}
		case !registry.IsCode(err, registry.ResourceDoesNotExist): // a run may be gone for good
			return versionView{}, err
		}
	}
	if v.served {
		var err error
		v.about, err = u.cfg.Scoring.Describe(ctx, version.Name, version.Version)
		v.state = stateOf(v.about, err)
		if err != nil {
			v.about.Problem = v.state.problem
		}
	}
	v.form = newTryForm(version.Name, version.Version, u.cfg.Environment().TrackingURI, v.about)
	if v.form.others, err = u.otherVersions(ctx, version.Name, version.Version); err != nil {
		return versionView{}, err
	}
	if other := r.URL.Query().Get("beside"); slices.Contains(v.form.others, other) {
		v.form.beside = other
	}
	return v, nil
}

// besideVersions is how many versions can be chosen to stand beside another one.
const besideVersions = 50

// otherVersions are the newest versions of a model, without one.
func (u *UI) otherVersions(ctx context.Context, name, version string) (others []string, _ error) {
	found, err := u.versionsOf(ctx, name, listing{max: besideVersions})
	for _, v := range found.Items {
		if v.Version != version {
			others = append(others, v.Version)
		}
	}
	return others, err
}

// versionsOf is a page of a model's versions, the newest first.
func (u *UI) versionsOf(ctx context.Context, name string, l listing) (found registry.Page[registry.ModelVersion], err error) {
	if filter, ok := nameFilter(name); ok {
		return u.cfg.Store.SearchModelVersions(ctx, registry.Query{
			Filter: filter, OrderBy: []string{"version_number DESC"}, MaxResults: l.max, PageToken: l.token,
		})
	}
	found.Items, err = u.cfg.Store.LatestVersions(ctx, name, nil)
	slices.Reverse(found.Items)
	return found, err
}
