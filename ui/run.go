package ui

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/a-h/templ"

	"github.com/prinzbox/prinzbox/registry"
)

type runView struct {
	run        registry.Run
	line       runLine
	experiment registry.Experiment
	ended      moment
	note       string
	noteHTML   templ.Component
	parent     string
	plot       plotting
	reset      templ.SafeURL // the page without a zoom
	keep       []keyValue    // fields of the address that the form of the charts keeps
	charts     []chart
	system     []chart // of the machine that the run ran on
	versions   []registry.ModelVersion
	models     []modelUse
	files      filesView
	tags       []registry.KeyValue
	systemTags []registry.KeyValue
	mayChange  bool
	live       bool
	points     string
	stored     templ.SafeURL // the artifacts in the S3 store
	traces     templ.SafeURL // "" without any
}

// modelUse is a logged model that a run read or wrote.
type modelUse struct {
	id, name, kind, status, use string
	step                        int64
}

func (u *UI) run(r *http.Request) (view, error) {
	ctx, q := r.Context(), r.URL.Query()
	run, err := u.cfg.Store.Run(ctx, r.PathValue("id"))
	if err != nil {
		return view{}, err
	}
	e, err := u.cfg.Store.Experiment(ctx, run.Info.ExperimentID)
	if err != nil {
		return view{}, err
	}
	v := runView{
		run: run, line: u.runLine(run), experiment: e, note: tagValue(run.Data.Tags, registry.TagNote), parent: tagValue(run.Data.Tags, registry.TagParentRun),
		plot: parsePlotting(q), live: run.Info.Status == registry.RunRunning, points: pointsURL([]string{run.Info.RunID}),
		mayChange: may(ctx, run.Info.ExperimentID, registry.ActionUpdate),
	}
	if v.note != "" {
		v.noteHTML = u.markdown.html(v.note, 2)
	}
	if run.Info.EndTime != nil {
		v.ended = u.when(*run.Info.EndTime)
	}
	for _, t := range run.Data.Tags {
		if strings.HasPrefix(t.Key, "mlflow.") {
			v.systemTags = append(v.systemTags, t)
		} else {
			v.tags = append(v.tags, t)
		}
	}
	if v.charts, v.system, err = u.charts(ctx, run, v.plot); err != nil {
		return view{}, err
	}
	if v.versions, err = u.versionsOfRun(ctx, run.Info.RunID); err != nil {
		return view{}, err
	}
	if v.models, err = u.modelsOfRun(ctx, run); err != nil {
		return view{}, err
	}
	v.files, v.stored = u.files(ctx, treeOfRun(run.Info), q), u.storedAt(run.Info.ArtifactURI, true)
	if v.traces, err = u.tracesOfRun(ctx, run.Info); err != nil {
		return view{}, err
	}
	v.reset, v.keep = v.addresses(q)
	return view{title: run.Info.RunName, section: "experiments", scripts: []string{"swap.js", "plot.js"}, body: runPage(v)}, nil
}

// addresses are of the same page: without a zoom, and the fields that say which files are open.
func (v runView) addresses(q url.Values) (reset templ.SafeURL, keep []keyValue) {
	all := url.Values{}
	for _, key := range []string{"path", "file"} {
		if text := q.Get(key); text != "" {
			all.Set(key, text)
			keep = append(keep, keyValue{Key: key, Value: text})
		}
	}
	v.plot.whole().set(all)
	reset = runURL(v.run.Info.RunID)
	if len(all) > 0 {
		reset += templ.SafeURL("?" + all.Encode())
	}
	return reset, keep
}

func (u *UI) versionsOfRun(ctx context.Context, runID string) ([]registry.ModelVersion, error) {
	if strings.ContainsAny(runID, `'"`) {
		return nil, nil // such an id cannot be written in a filter
	}
	found, err := u.cfg.Store.SearchModelVersions(ctx, registry.Query{Filter: "run_id = '" + runID + "'", MaxResults: 100})
	return found.Items, err
}

// maxModels is how many logged models of a run are looked up.
const maxModels = 50

// modelsOfRun are the logged models that a run read and wrote. One that is gone is still named.
func (u *UI) modelsOfRun(ctx context.Context, run registry.Run) (out []modelUse, _ error) {
	for _, m := range run.Inputs.ModelInputs {
		out = append(out, modelUse{id: m.ModelID, use: "read"})
	}
	if run.Outputs != nil {
		for _, m := range run.Outputs.ModelOutputs {
			out = append(out, modelUse{id: m.ModelID, use: "written", step: m.Step})
		}
	}
	for i := range out {
		if i == maxModels {
			break
		}
		m, err := u.cfg.Store.LoggedModel(ctx, out[i].id, true)
		switch {
		case registry.IsCode(err, registry.ResourceDoesNotExist):
			out[i].status = "GONE"
		case err != nil:
			return nil, err
		case may(ctx, m.Info.ExperimentID, registry.ActionRead):
			out[i].name, out[i].kind, out[i].status = m.Info.Name, m.Info.ModelType, strings.TrimPrefix(m.Info.Status, "LOGGED_MODEL_")
		}
	}
	return out, nil
}

// changeRun does what a form of the run's page asks for, and leads back to it.
func (u *UI) changeRun(r *http.Request) (view, error) {
	ctx, id := r.Context(), r.PathValue("id")
	run, err := u.cfg.Store.Run(ctx, id)
	if err != nil {
		return view{}, err
	}
	action := registry.ActionUpdate
	if do := r.FormValue("do"); do == "delete" || do == "restore" {
		action = registry.ActionDelete
	}
	if !may(ctx, run.Info.ExperimentID, action) {
		return view{}, registry.Errorf(registry.PermissionDenied, "You may read this run, but not change it.")
	}
	back := runURL(id)
	switch do := r.FormValue("do"); do {
	case "note":
		err = u.cfg.Store.SetTag(ctx, id, registry.KeyValue{Key: registry.TagNote, Value: strings.ReplaceAll(r.FormValue("note"), "\r\n", "\n")})
	case "name":
		name := r.FormValue("name")
		_, err = u.cfg.Store.UpdateRun(ctx, id, registry.RunUpdate{Name: &name})
	case "tag":
		err = u.cfg.Store.SetTag(ctx, id, registry.KeyValue{Key: r.FormValue("key"), Value: r.FormValue("value")})
		back += "#tags"
	case "untag":
		err = u.cfg.Store.DeleteTag(ctx, id, r.FormValue("key"))
		back += "#tags"
	case "delete":
		err = u.cfg.Store.DeleteRun(ctx, id)
	case "restore":
		err = u.cfg.Store.RestoreRun(ctx, id)
	default:
		err = registry.Invalidf("do: write note, name, tag, untag, delete or restore, not %s.", quoted(shorten(do, 40)))
	}
	return view{location: string(back)}, err
}
