package ui

import (
	"net/url"
	"strings"

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

func artifactDirURL(runID, path string) templ.SafeURL {
	return runURL(runID) + templ.SafeURL("?"+url.Values{"path": {path}}.Encode()+"#artifacts")
}

func artifactFileURL(runID, path string) templ.SafeURL {
	dir := ""
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		dir = path[:i]
	}
	return runURL(runID) + templ.SafeURL("?"+url.Values{"path": {dir}, "file": {path}}.Encode()+"#artifacts")
}

// downloadURL is MLflow's own route for a run's file.
func downloadURL(runID, path string) templ.SafeURL {
	return templ.SafeURL("/get-artifact?" + url.Values{"run_id": {runID}, "path": {path}}.Encode())
}

// scoringPath is the route of one version, in Databricks' form.
func scoringPath(name, version string) string {
	return "/model/" + url.PathEscape(name) + "/" + url.PathEscape(version) + "/invocations"
}
