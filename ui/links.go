package ui

import (
	"net/url"

	"github.com/a-h/templ"
)

func experimentURL(id string) templ.SafeURL {
	return templ.SafeURL("/experiments/" + url.PathEscape(id))
}

func runURL(id string) templ.SafeURL { return templ.SafeURL("/runs/" + url.PathEscape(id)) }

func modelURL(name string) templ.SafeURL { return templ.SafeURL("/models/" + url.PathEscape(name)) }

func versionURL(name, version string) templ.SafeURL {
	return modelURL(name) + templ.SafeURL("/versions/"+url.PathEscape(version))
}

func artifactDirURL(runID, path string) templ.SafeURL { return filesView{runID: runID}.url(path, "") }

// downloadURL is MLflow's own route for a run's file.
func downloadURL(runID, path string) templ.SafeURL {
	return templ.SafeURL("/get-artifact?" + url.Values{"run_id": {runID}, "path": {path}}.Encode())
}

// scoringPath is the route of one version, in Databricks' form.
func scoringPath(name, version string) string {
	return "/model/" + url.PathEscape(name) + "/" + url.PathEscape(version) + "/invocations"
}
