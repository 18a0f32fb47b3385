package ui

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/a-h/templ"

	"github.com/prinzbox/prinzbox/registry"
)

// tree is where the files of a run or of a logged model lie, and the pages about them.
type tree struct {
	// page is the address of what the files belong to; root is their artifact URI.
	page templ.SafeURL
	root string
	// name is what an archive of all files is called; made is the time in milliseconds that its files get.
	name string
	made int64
	// file is the route that downloads one of the files.
	file func(path string) templ.SafeURL
}

func treeOfRun(run registry.RunInfo) tree {
	return tree{
		page: runURL(run.RunID), root: run.ArtifactURI, name: run.RunName, made: run.StartTime,
		file: func(path string) templ.SafeURL { return downloadURL(run.RunID, path) },
	}
}

func treeOfModel(m registry.LoggedModelInfo) tree {
	return tree{
		page: loggedModelURL(m.ModelID), root: m.ArtifactURI, name: m.Name, made: m.Created,
		file: func(path string) templ.SafeURL {
			return templ.SafeURL("/ajax-api/2.0/mlflow/logged-models/" + url.PathEscape(m.ModelID) + "/artifacts/files?" +
				url.Values{"artifact_file_path": {path}}.Encode())
		},
	}
}

// treeOf finds the tree that an address below /runs or /logged-models speaks of.
func (u *UI) treeOf(r *http.Request) (tree, error) {
	if strings.HasPrefix(r.URL.Path, "/runs/") {
		run, err := u.cfg.Store.Run(r.Context(), r.PathValue("id"))
		return treeOfRun(run.Info), err
	}
	m, err := u.readLoggedModel(r.Context(), r.PathValue("id"))
	return treeOfModel(m.Info), err
}

func (t tree) zipURL(dir string) templ.SafeURL {
	return t.page + templ.SafeURL("/zip?"+url.Values{"path": {dir}}.Encode())
}

// inPlaceURL is a file that a browser shows itself; see [UI.viewFile].
func (t tree) inPlaceURL(file string) string {
	return string(t.page) + "/view?" + url.Values{"path": {file}}.Encode()
}

func (t tree) modified() time.Time { return time.UnixMilli(t.made) }

// readLoggedModel reads a logged model, deleted ones too, for whoever may read it.
func (u *UI) readLoggedModel(ctx context.Context, id string) (registry.LoggedModel, error) {
	m, err := u.cfg.Store.LoggedModel(ctx, id, true)
	if err == nil && !mayIn(ctx, registry.OnLoggedModel, m.Info.ExperimentID, registry.ActionRead) {
		return registry.LoggedModel{}, denied()
	}
	return m, err
}
