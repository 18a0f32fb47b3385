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

func artifactDirURL(runID, path string) templ.SafeURL {
	return filesView{tree: tree{page: runURL(runID)}}.url(path, "")
}

func loggedModelURL(id string) templ.SafeURL {
	return templ.SafeURL("/logged-models/" + url.PathEscape(id))
}

func traceURL(id string) templ.SafeURL { return templ.SafeURL("/traces/" + url.PathEscape(id)) }

func promptURL(name string) templ.SafeURL { return templ.SafeURL("/prompts/" + url.PathEscape(name)) }

func datasetURL(id string) templ.SafeURL { return templ.SafeURL("/datasets/" + url.PathEscape(id)) }

func bucketURL(bucket string) templ.SafeURL { return templ.SafeURL("/s3/" + url.PathEscape(bucket)) }

// folderURL is the page of a prefix; after is the last name of the page before.
func folderURL(bucket, prefix, after string) templ.SafeURL {
	return bucketURL(bucket) + query("prefix", prefix, "after", after)
}

// objectURL is the page of an object, or of one of its versions.
func objectURL(bucket, key, version string) templ.SafeURL {
	return bucketURL(bucket) + "/object" + query("key", key, "version", version)
}

// query writes pairs of names and values behind an address; those without a value are left out.
func query(pairs ...string) templ.SafeURL {
	q := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	if len(q) == 0 {
		return ""
	}
	return templ.SafeURL("?" + q.Encode())
}

// downloadURL is MLflow's own route for a run's file.
func downloadURL(runID, path string) templ.SafeURL {
	return templ.SafeURL("/get-artifact?" + url.Values{"run_id": {runID}, "path": {path}}.Encode())
}

// scoringPath is the route of one version, in Databricks' form.
func scoringPath(name, version string) string {
	return "/model/" + url.PathEscape(name) + "/" + url.PathEscape(version) + "/invocations"
}
