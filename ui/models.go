package ui

import (
	"net/http"
	"slices"
	"strings"

	"github.com/a-h/templ"

	"github.com/prinzbox/prinzbox/registry"
)

type modelsView struct {
	list  listing
	cards []modelCard
}

func (u *UI) models(r *http.Request) (view, error) {
	l := parseListing(r)
	found, err := u.cfg.Store.SearchRegisteredModels(r.Context(), l.query())
	status, err := inPlace(&l, err)
	if err != nil {
		return view{}, err
	}
	l.next = found.NextPageToken
	cards, err := u.modelCards(r.Context(), found.Items, false)
	if err != nil {
		return view{}, err
	}
	return view{title: "Models", section: "models", status: status, body: modelsPage(modelsView{list: l, cards: cards})}, nil
}

type modelView struct {
	model            registry.RegisteredModel
	created, changed moment
	list             listing
	versions         []versionLine
	current          string
}

type versionLine struct {
	registry.ModelVersion
	created, changed moment
	tags             []registry.KeyValue
}

func (u *UI) model(r *http.Request) (view, error) {
	ctx := r.Context()
	m, err := u.cfg.Store.RegisteredModel(ctx, r.PathValue("name"))
	if err != nil {
		return view{}, err
	}
	v := modelView{model: m, created: u.when(m.Created), changed: u.when(m.LastUpdated), list: parseListing(r)}
	var found registry.Page[registry.ModelVersion]
	if filter, ok := nameFilter(m.Name); ok {
		found, err = u.cfg.Store.SearchModelVersions(ctx, registry.Query{
			Filter: filter, OrderBy: []string{"version_number DESC"}, MaxResults: v.list.max, PageToken: v.list.token,
		})
	} else {
		found.Items, err = u.cfg.Store.LatestVersions(ctx, m.Name, nil)
		slices.Reverse(found.Items)
	}
	status, err := inPlace(&v.list, err)
	if err != nil {
		return view{}, err
	}
	v.list.next = found.NextPageToken
	for _, version := range found.Items {
		// A search leaves the aliases out (contract/behaviours.md, section 8); the model has them all.
		version.Aliases = nil
		for _, a := range m.Aliases {
			if a.Version == version.Version {
				version.Aliases = append(version.Aliases, a.Alias)
			}
		}
		v.versions = append(v.versions, versionLine{ModelVersion: version, created: u.when(version.Created), changed: u.when(version.LastUpdated), tags: userTags(version.Tags)})
	}
	if current, err := u.cfg.Store.CurrentModelVersion(ctx, m.Name); err == nil {
		v.current = current.Version
	} else if !registry.IsCode(err, registry.ResourceDoesNotExist) {
		return view{}, err
	}
	return view{title: m.Name, section: "models", status: status, body: modelPage(v)}, nil
}

// nameFilter is the filter that finds one model; a name with both kinds of quotes has none.
func nameFilter(name string) (string, bool) {
	switch {
	case !strings.Contains(name, "'"):
		return "name = '" + name + "'", true
	case !strings.Contains(name, `"`):
		return `name = "` + name + `"`, true
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
	files            templ.SafeURL // of the version, when they lie in its run
}

func (u *UI) version(r *http.Request) (view, error) {
	v, err := u.describeVersion(r)
	if err != nil {
		return view{}, err
	}
	return versionViewOf(v), nil
}

func versionViewOf(v versionView) view {
	return view{title: v.version.Name + ", version " + v.version.Version, section: "models", body: versionPage(v)}
}

func (u *UI) describeVersion(r *http.Request) (versionView, error) {
	ctx := r.Context()
	version, err := u.cfg.Store.ModelVersion(ctx, r.PathValue("name"), r.PathValue("version"))
	if err != nil {
		return versionView{}, err
	}
	v := versionView{version: version, created: u.when(version.Created), changed: u.when(version.LastUpdated), served: u.cfg.Scoring != nil}
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
	return v, nil
}
