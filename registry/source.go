package registry

import (
	"context"
	"net/url"
	"path"
	"path/filepath"
	"strings"
)

// promptSources are the sources that MLflow's clients give prompt versions, which have no files.
var promptSources = map[string]bool{"dummy-source": true, "prompt-template": true}

// taggedSources are the sources of versions without files, whose tags say what scores them: prinzbox.stub and prinzbox.upstream.
var taggedSources = map[string]bool{"stub:": true, "upstream:": true}

func badSource(source, why string) error {
	return Invalidf("Invalid model version source: '%s'. %s", source, why)
}

func wrongOwner(source, field string) error {
	return badSource(source, "The "+field+" request parameter must identify the resource that contains the source.")
}

// resolveSource checks the source of a new version and tells where its files are and which run it comes from. The rules keep one
// user from registering files that belong to nobody's run, or to the server (contract/behaviours.md, section 8).
func (s *Store) resolveSource(ctx context.Context, n *NewModelVersion) (location, runID string, err error) {
	if n.Source == "" {
		return "", "", missing("source")
	}
	if isPrompt(n.Tags) {
		if !promptSources[n.Source] {
			return "", "", Invalidf("Invalid prompt source: '%s'. Prompt sources must use an MLflow placeholder.", n.Source)
		}
		return n.Source, n.RunID, nil
	}
	if taggedSources[n.Source] {
		return n.Source, n.RunID, nil
	}
	scheme := uriScheme(n.Source)
	if err := s.refuseHost("source", n.Source); err != nil {
		return "", "", err
	}
	owner, field, err := s.sourceOwner(ctx, *n)
	if err != nil {
		return "", "", err
	}
	if scheme == "" || scheme == "file" {
		if owner.unknown {
			return "", "", wrongOwner(n.Source, field)
		}
		if owner.root == "" || !within(localPath(n.Source), localPath(owner.root)) {
			shown := n.Source
			if owner.root != "" && localPath(shown) != "" {
				shown, _ = filepath.Abs(localPath(shown)) // MLflow shows where it leads
			}
			return "", "", badSource(shown, "To use a local path as a model version source, the "+field+
				" request parameter has to be specified and the local path has to be contained within the artifact directory of the run specified by the "+field+".")
		}
		return n.Source, owner.runID, nil
	}
	if hasRelativeParts(n.Source) || !sourceSchemes[scheme] {
		return "", "", badSource(n.Source, "If supplying a source as an http, https, local file path, ftp, objectstore, or mlflow-artifacts uri, "+
			"an absolute path must be provided without relative path references present. Please provide an absolute path.")
	}
	switch scheme {
	case "runs":
		id, rest, _ := strings.Cut(strings.TrimPrefix(n.Source, "runs:/"), "/")
		if n.RunID == "" || id != n.RunID || n.ModelID != "" {
			return "", "", wrongOwner(n.Source, field)
		}
		return joinURI(owner.root, rest), owner.runID, nil
	case "models":
		return s.resolveModelSource(ctx, n)
	case "mlflow-artifacts":
		if !uriWithin(n.Source, owner.root) {
			return "", "", wrongOwner(n.Source, field)
		}
	}
	return n.Source, owner.runID, nil
}

// sourceOwner is the run or logged model that a request names: its artifact root and the run it stands for.
type sourceOwner struct {
	root, runID string
	unknown     bool // there is no such run
}

// sourceSchemes are those that MLflow has a reader for.
var sourceSchemes = map[string]bool{
	"s3": true, "r2": true, "b2": true, "gs": true, "wasbs": true, "ftp": true, "sftp": true, "dbfs": true, "hdfs": true, "viewfs": true,
	"runs": true, "models": true, "http": true, "https": true, "mlflow-artifacts": true, "abfss": true,
}

func (s *Store) sourceOwner(ctx context.Context, n NewModelVersion) (o sourceOwner, field string, err error) {
	o.runID = n.RunID
	if n.ModelID != "" {
		m, err := s.LoggedModel(ctx, n.ModelID, false)
		if err != nil {
			return o, "model_id", err
		}
		if o.runID == "" {
			o.runID = m.Info.SourceRunID
		}
		o.root = m.Info.ArtifactURI
		return o, "model_id", nil
	}
	if n.RunID == "" {
		return o, "run_id", nil
	}
	run, err := s.Run(ctx, n.RunID)
	switch {
	case IsCode(err, ResourceDoesNotExist):
		// A remote source may come with the id of a run that lives elsewhere.
		o.unknown = true
		return o, "run_id", nil
	case err != nil:
		return o, "run_id", err
	}
	o.root = run.Info.ArtifactURI
	return o, "run_id", nil
}

// resolveModelSource follows models:/m-<id>, models:/name/<version or stage>, models:/name@alias.
// A version found by another name than its number is written by that into n.Source.
func (s *Store) resolveModelSource(ctx context.Context, n *NewModelVersion) (location, runID string, err error) {
	ref := strings.Trim(strings.TrimPrefix(n.Source, "models:"), "/")
	if strings.HasPrefix(ref, "m-") && !strings.ContainsAny(ref, "/@") {
		if ref != n.ModelID {
			return "", "", wrongOwner(n.Source, "model_id")
		}
		m, err := s.LoggedModel(ctx, ref, false)
		if err != nil {
			return "", "", err
		}
		runID := n.RunID
		if runID == "" {
			runID = m.Info.SourceRunID
		}
		return m.Info.ArtifactURI, runID, nil
	}
	name, selector, ok := strings.Cut(ref, "/")
	if !ok {
		name, selector, ok = strings.Cut(ref, "@")
	}
	if !ok || name == "" || selector == "" {
		return "", "", wrongOwner(n.Source, "model_id")
	}
	find := s.SelectModelVersion
	if strings.Contains(ref, "@") {
		find = s.ModelVersionByAlias
	} else if strings.EqualFold(selector, "latest") {
		find = s.ModelVersionByAlias
	}
	mid, err := modelKey(ctx, s.db.Read(), name)
	if err != nil {
		return "", "", err
	}
	if prompt, err := markedPrompt(ctx, s.db.Read(), mid); err != nil {
		return "", "", err
	} else if prompt {
		return "", "", badSource(n.Source, "Prompt versions cannot be used as model version sources.")
	}
	v, err := find(ctx, name, selector)
	if err != nil {
		return "", "", err
	}
	if n.RunID != "" && n.RunID != v.RunID {
		return "", "", badSource(n.Source, "The run_id and model_id request parameters must match the referenced model version.")
	}
	n.Source = "models:/" + v.Name + "/" + v.Version
	return v.StorageLocation, v.RunID, nil
}

// SelectModelVersion finds a version by what may stand behind a model's name: a number, a stage in any case, or an alias. Empty, or the
// model's own name (Prinz's Databricks strategy puts it there), means the current one.
func (s *Store) SelectModelVersion(ctx context.Context, name, selector string) (ModelVersion, error) {
	if selector == "" || selector == name {
		return s.CurrentModelVersion(ctx, name)
	}
	if _, err := parseVersion(selector); err == nil {
		return s.ModelVersion(ctx, name, selector)
	}
	if stage, err := ParseModelStage(selector); err == nil {
		versions, err := s.LatestVersions(ctx, name, []string{stage})
		if err != nil {
			return ModelVersion{}, err
		}
		if len(versions) > 0 {
			return versions[0], nil
		}
		// "production" is a usual alias too.
		v, err := s.ModelVersionByAlias(ctx, name, selector)
		if IsCode(err, InvalidParameterValue) {
			err = NotFoundf("Registered Model with name=%s has no version in stage %s", name, stage)
		}
		return v, err
	}
	v, err := s.ModelVersionByAlias(ctx, name, selector)
	if IsCode(err, InvalidParameterValue) {
		err = NotFoundf("Registered Model with name=%s has no version, stage or alias '%s'", name, selector)
	}
	return v, err
}

func uriScheme(uri string) string {
	scheme, _, ok := strings.Cut(uri, ":")
	if !ok || len(scheme) < 2 || strings.ContainsAny(scheme, "/\\") {
		return ""
	}
	return strings.ToLower(scheme)
}

// localPath is the cleaned path of a plain path or file: URI; "" when it is neither, or names another host.
func localPath(uri string) string {
	switch uriScheme(uri) {
	case "":
		return path.Clean(uri)
	case "file":
		u, err := url.Parse(uri)
		if err != nil || (u.Host != "" && u.Host != "localhost") {
			return ""
		}
		if u.Path == "" {
			return path.Clean(u.Opaque)
		}
		return path.Clean(u.Path)
	}
	return ""
}

func within(p, root string) bool {
	return root != "" && p != "" && (p == root || strings.HasPrefix(p, strings.TrimSuffix(root, "/")+"/"))
}

// maxDecodings is how often a URI may be percent-encoded: each round reads all of it, and a hostile one could need as many rounds as it
// has characters.
const maxDecodings = 32

// unquoteAll decodes percent signs again and again until nothing changes; not ok when there is no end to that.
func unquoteAll(s string) (plain string, ok bool) {
	for range maxDecodings {
		u, err := url.PathUnescape(s)
		if err != nil || u == s {
			return s, true
		}
		s = u
	}
	return s, false
}

// hasRelativeParts tells whether a remote source climbs, in plain text or percent-encoded some times or without end, or hides a NUL.
func hasRelativeParts(source string) bool {
	plain, ok := unquoteAll(source)
	if !ok || strings.ContainsRune(plain, 0) {
		return true
	}
	for part := range strings.SplitSeq(plain, "/") {
		if part == ".." {
			return true
		}
	}
	return strings.Contains(plain, "/./")
}

func uriWithin(source, root string) bool {
	plainSource, okA := unquoteAll(source)
	plainRoot, okB := unquoteAll(root)
	a, errA := url.Parse(plainSource)
	b, errB := url.Parse(plainRoot)
	return okA && okB && errA == nil && errB == nil && a.Scheme == b.Scheme && a.Host == b.Host && within(path.Clean(a.Path), path.Clean(b.Path))
}
