package ui

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/a-h/templ"

	"github.com/prinzbox/prinzbox/registry"
)

// owner is what a key belongs to: an experiment, run, logged model, trace or model version.
type owner struct {
	kind, name string
	url        templ.SafeURL
}

// owners finds what the keys of a bucket belong to. The names of folders hold ids; what an id leads to must say that its artifacts lie there.
type owners struct {
	ui     *UI
	store  *Objects
	bucket string
	// known holds the answers of this page.
	known map[string]*owned
}

// owned is an owner with the model versions made of it.
type owned struct {
	owner
	versions []versionOwned
}

// versionOwned is a model version and where its files lie.
type versionOwned struct {
	owner
	uri string
}

func (u *UI) newOwners(o *Objects, bucket string) *owners {
	return &owners{ui: u, store: o, bucket: bucket, known: map[string]*owned{}}
}

// of finds all that a key belongs to, the widest first, and the model versions whose files it is one of.
func (o *owners) of(ctx context.Context, key string) (list []owner, _ error) {
	for at := 0; ; {
		n := strings.IndexByte(key[at:], '/')
		if n < 0 {
			break
		}
		at += n + 1
		here, err := o.find(ctx, key[:at])
		if err != nil {
			return nil, err
		}
		if here != nil {
			list = append(list, here.owner)
			for _, v := range here.versions {
				if o.lies(v.uri, key) {
					list = append(list, v.owner)
				}
			}
		}
	}
	if len(list) > 0 || key == "" {
		return list, nil
	}
	return o.sources(ctx, key)
}

// named is what the last part of a folder's name is the id of.
func (o *owners) named(ctx context.Context, folder string) ([]owner, error) {
	here, err := o.find(ctx, folder)
	if here == nil {
		return nil, err
	}
	list := []owner{here.owner}
	for _, v := range here.versions {
		list = append(list, v.owner)
	}
	return list, nil
}

// lies tells whether a key is a file, or the folder, of what lies at a URI.
func (o *owners) lies(uri, key string) bool {
	bucket, place, ok := o.store.locate(uri)
	return ok && bucket == o.bucket && strings.HasPrefix(key, place+"/")
}

// find looks up the id that the last part of a folder's name may be; nil when it is none, or nobody's with files there, or hidden from the user.
func (o *owners) find(ctx context.Context, folder string) (*owned, error) {
	if here, ok := o.known[folder]; ok {
		return here, nil
	}
	id := strings.TrimSuffix(strings.TrimPrefix(folder, parentOf(folder)), "/")
	here, uri, err := o.lookUp(ctx, id)
	if registry.IsCode(err, registry.ResourceDoesNotExist) {
		err = nil
	}
	if err != nil {
		return nil, err
	}
	if here != nil {
		bucket, place, ok := o.store.locate(uri)
		// Its files lie in this folder, or below it: a run's in <id>/artifacts.
		if place += "/"; !ok || bucket != o.bucket || !strings.HasPrefix(place, folder) {
			here = nil
		}
	}
	o.known[folder] = here
	return here, nil
}

// lookUp finds what has an id, and the URI of its artifacts.
func (o *owners) lookUp(ctx context.Context, id string) (*owned, string, error) {
	u := o.ui
	switch {
	case isHexID(id):
		run, err := u.cfg.Store.Run(ctx, id)
		if err != nil || !may(ctx, run.Info.ExperimentID, registry.ActionRead) {
			return nil, "", err
		}
		here := &owned{owner: owner{"Run", run.Info.RunName, runURL(id)}}
		versions, err := u.versionsOfRun(ctx, id)
		for _, v := range versions {
			if strings.HasPrefix(v.StorageLocation, run.Info.ArtifactURI+"/") {
				here.versions = append(here.versions, versionOwned{versionOwner(v.Name, v.Version), v.StorageLocation})
			}
		}
		return here, run.Info.ArtifactURI, err
	case strings.HasPrefix(id, "m-") && isHexID(id[2:]):
		m, err := u.cfg.Store.LoggedModel(ctx, id, true)
		if err != nil || !mayIn(ctx, registry.OnLoggedModel, m.Info.ExperimentID, registry.ActionRead) {
			return nil, "", err
		}
		here := &owned{owner: owner{"Logged model", m.Info.Name, loggedModelURL(id)}}
		for _, v := range registeredFrom(m.Info.Tags) {
			here.versions = append(here.versions, versionOwned{versionOwner(v.Name, v.Version.String()), m.Info.ArtifactURI})
		}
		return here, m.Info.ArtifactURI, nil
	case strings.HasPrefix(id, "tr-"):
		t, err := u.cfg.Store.TraceInfo(ctx, id)
		if err != nil || !mayIn(ctx, registry.OnTrace, t.Location.Experiment.ExperimentID, registry.ActionRead) {
			return nil, "", err
		}
		return &owned{owner: owner{"Trace", traceName(t), traceURL(id)}}, t.Tags[registry.TagArtifactLocation], nil
	case id != "" && len(id) <= 19 && strings.Trim(id, "0123456789") == "":
		e, err := u.cfg.Store.Experiment(ctx, id)
		if err != nil || !may(ctx, id, registry.ActionRead) {
			return nil, "", err
		}
		return &owned{owner: owner{"Experiment", e.Name, experimentURL(id)}}, e.ArtifactLocation, nil
	}
	return nil, "", nil
}

// maxSources is how many of a key's folders, from the innermost on, are looked for among the sources of versions.
const maxSources = 6

// sources finds versions that were registered by an S3 URI of this bucket, not from a run.
func (o *owners) sources(ctx context.Context, key string) (list []owner, _ error) {
	folder := folderOf(key)
	for range maxSources {
		uri := strings.TrimSuffix("s3://"+o.bucket+"/"+folder, "/")
		if strings.Contains(uri, "'") {
			return list, nil // it cannot be written in a filter
		}
		found, err := o.ui.cfg.Store.SearchModelVersions(ctx, registry.Query{Filter: "source_path = '" + uri + "'", MaxResults: 20})
		if err != nil {
			return nil, err
		}
		for _, v := range found.Items {
			list = append(list, versionOwner(v.Name, v.Version))
		}
		if folder == "" {
			break
		}
		folder = parentOf(folder)
	}
	return list, nil
}

func versionOwner(name, version string) owner {
	return owner{"Model", name + " " + version, versionURL(name, version)}
}

// registration is an entry of [registry.TagModelVersions].
type registration struct {
	Name    string      `json:"name"`
	Version json.Number `json:"version"`
}

// registeredFrom are the versions that were registered from a logged model, by its tags. Clients write a version down more than once.
func registeredFrom(tags []registry.KeyValue) (list []registration) {
	var all []registration
	if json.Unmarshal([]byte(tagValue(tags, registry.TagModelVersions)), &all) != nil {
		return nil // the tag is the client's; it may hold anything
	}
	for _, r := range all {
		if !slices.Contains(list, r) {
			list = append(list, r)
		}
	}
	return list
}

func isHexID(s string) bool {
	return len(s) == 32 && strings.Trim(s, "0123456789abcdef") == ""
}
