package rest

import (
	"net/url"
	"strings"

	"github.com/prinzbox/prinzbox/registry"
)

// What each call needs, as MLflow 3.17.2's basic-auth app has it. A run, trace, logged model or assessment is judged by the grants on its own
// type, and where the user has none by those on its experiment, which he must be able to read in any case. To add a call: a row.

func need(resource, id string, action registry.Action) registry.Need {
	return registry.Need{Type: resource, ID: id, Action: action}
}

// child is what an action on something inside an experiment needs.
func child(kind, eid string, action registry.Action) []registry.Need {
	return []registry.Need{
		need(registry.OnExperiment, eid, registry.ActionRead),
		{Type: kind, Action: action, Else: []registry.Need{need(registry.OnExperiment, eid, action)}},
	}
}

// open is for calls that every user may make: they tell nothing of anybody, or show each user only what he may read.
func open(*permit) error { return nil }

// adminOnly is for calls that only admins may make; admins are asked no rule.
func adminOnly(*permit) error { return errDenied }

func onExperiment(action registry.Action) rule {
	return func(p *permit) error { return p.demand(need(registry.OnExperiment, p.text("experiment_id"), action)) }
}

func onExperiments(field string, action registry.Action) rule {
	return func(p *permit) error {
		ids := p.texts(field)
		for _, id := range ids {
			if err := p.demand(need(registry.OnExperiment, id, action)); err != nil {
				return err
			}
		}
		if len(ids) == 0 {
			return errDenied // unscoped, it would show everybody's
		}
		return nil
	}
}

func experimentByName(p *permit) error {
	e, err := p.api.ExperimentByName(p.ctx, p.text("experiment_name"))
	if err != nil {
		return err
	}
	return p.demand(need(registry.OnExperiment, e.ID, registry.ActionRead))
}

// deleteExperiment needs delete on what goes with the experiment, too.
func deleteExperiment(p *permit) error {
	eid := p.text("experiment_id")
	needs := []registry.Need{need(registry.OnExperiment, eid, registry.ActionDelete)}
	for _, tier := range []string{registry.OnRun, registry.OnTrace, registry.OnLoggedModel, registry.OnAssessment, registry.OnReviewQueue, registry.OnScorer, registry.OnScorerVer} {
		needs = append(needs, registry.Need{Type: tier, Action: registry.ActionDelete, Else: []registry.Need{need(registry.OnExperiment, eid, registry.ActionDelete)}})
	}
	return p.demand(needs...)
}

// createExperimentRule: every user may make experiments, but not one whose artifacts are somebody else's.
func createExperimentRule(p *permit) error {
	if err := p.ownFiles(p.text("artifact_location"), registry.ActionUpdate); err != nil {
		return err
	}
	return p.demand(need(registry.OnExperiment, "", registry.NotDenied))
}

// ownFiles judges a location that a request names, if it lies below this environment's artifact root: whoever could put his experiment or
// version on another's files could read them.
func (p *permit) ownFiles(location string, action registry.Action) error {
	if location == "" || p.api.cfg.ArtifactPath == nil {
		return nil
	}
	if path, ok := p.api.cfg.ArtifactPath(location); ok && !MayTouchArtifact(p.who, path, action) {
		return errDenied
	}
	return nil
}

func createIn(kind string) rule {
	return func(p *permit) error { return p.create(p.text("experiment_id"), kind) }
}

func (p *permit) create(eid, kind string) error {
	return p.demand(need(registry.OnExperiment, eid, registry.ActionUpdate), need(kind, "", registry.NotDenied))
}

func onRun(action registry.Action) rule {
	return func(p *permit) error { return p.run(p.text("run_id"), action) }
}

func (p *permit) run(id string, action registry.Action) error {
	eid, err := p.ExperimentOfRun(p.ctx, id)
	if err != nil {
		return hidden(err)
	}
	return p.demand(child(registry.OnRun, eid, action)...)
}

// logged is for what is logged to a run and, in its metrics and inputs, to logged models.
func logged(p *permit) error {
	if err := p.run(p.text("run_id"), registry.ActionUpdate); err != nil {
		return err
	}
	var models []string
	switch r := p.req.(type) {
	case *logMetricRequest:
		models = []string{r.ModelID}
	case *logBatchRequest:
		for _, m := range r.Metrics {
			models = append(models, m.ModelID)
		}
	case *logInputsRequest:
		for _, m := range r.Models {
			models = append(models, m.ModelID)
		}
	case *logOutputsRequest:
		for _, m := range r.Models {
			models = append(models, m.ModelID)
		}
	}
	last := ""
	for _, id := range models {
		if id == "" || id == last {
			continue
		}
		if err := p.loggedModel(id, registry.ActionUpdate); err != nil {
			return err
		}
		last = id
	}
	return nil
}

// artifactOfRun is for calls that know a run by either name in their query.
func artifactOfRun(action registry.Action) rule {
	return func(p *permit) error {
		id := p.query("run_id")
		if id == "" {
			id = p.query("run_uuid")
		}
		if id == "" {
			return nil // the call says what is missing
		}
		return p.run(id, action)
	}
}

func historyOfRuns(field string) rule {
	return func(p *permit) error {
		for _, id := range p.texts(field) {
			eid, err := p.ExperimentOfRun(p.ctx, id)
			if err != nil {
				return err // MLflow answers 404 here, unlike elsewhere
			}
			if err := p.demand(child(registry.OnRun, eid, registry.ActionRead)...); err != nil {
				return err
			}
		}
		return nil
	}
}

func presignUploadRule(p *permit) error {
	if id := p.text("model_id"); id != "" {
		return p.loggedModel(id, registry.ActionUpdate)
	}
	return p.run(p.text("run_id"), registry.ActionUpdate)
}

func onLoggedModel(action registry.Action) rule {
	return func(p *permit) error { return p.loggedModel(p.text("p1"), action) }
}

func (p *permit) loggedModel(id string, action registry.Action) error {
	eid, err := p.ExperimentOfLoggedModel(p.ctx, id)
	if err != nil {
		return hidden(err)
	}
	return p.demand(child(registry.OnLoggedModel, eid, action)...)
}

func createLoggedModelRule(p *permit) error {
	if err := p.create(p.text("experiment_id"), registry.OnLoggedModel); err != nil {
		return err
	}
	if run := p.text("source_run_id"); run != "" {
		return p.run(run, registry.ActionRead)
	}
	return nil
}

func versionsOf(kind string) string {
	if kind == registry.OnPrompt {
		return registry.OnPromptVer
	}
	return registry.OnModelVersion
}

// createModelRule: the tags of the request decide whether a prompt is made.
func createModelRule(p *permit) error {
	r, ok := p.req.(*createModelRequest)
	if !ok {
		return errDenied
	}
	kind := registry.OnModel
	for _, t := range r.Tags {
		if t.Key == registry.TagIsPrompt && strings.EqualFold(t.Value, "true") {
			kind = registry.OnPrompt
		}
	}
	return p.demand(need(kind, r.Name, registry.NotDenied))
}

// onModel is for calls on a registered model or prompt. One that is not there is judged as a model: who may do it learns that it is missing.
func onModel(action registry.Action) rule {
	return func(p *permit) error {
		kind, err := p.KindOfModel(p.ctx, p.text("name"))
		if registry.IsCode(err, registry.ResourceDoesNotExist) {
			kind, err = registry.OnModel, nil
		}
		if err != nil {
			return err
		}
		return p.demand(need(kind, p.text("name"), action))
	}
}

// ofModel is for calls on what a registered model holds; one that is not there is refused. needs are made for its kind and the kind of its versions.
func ofModel(needs func(model registry.Need, versions string) []registry.Need) rule {
	return func(p *permit) error {
		name := p.text("name")
		if name == "" {
			return registry.Invalidf("Request must specify name parameter")
		}
		kind, err := p.KindOfModel(p.ctx, name)
		if err != nil {
			return hidden(err)
		}
		return p.demand(needs(need(kind, name, registry.NotDenied), versionsOf(kind))...)
	}
}

func with(n registry.Need, action registry.Action) registry.Need {
	n.Action = action
	return n
}

var readVersion = ofModel(func(m registry.Need, versions string) []registry.Need {
	return []registry.Need{with(m, registry.ActionRead), need(versions, "", registry.NotDenied)}
})

func onVersion(action registry.Action) rule {
	return ofModel(func(m registry.Need, versions string) []registry.Need {
		return []registry.Need{with(m, registry.ActionRead), {Type: versions, Action: action, Else: []registry.Need{with(m, action)}}}
	})
}

func onAlias(action registry.Action) rule {
	return ofModel(func(m registry.Need, versions string) []registry.Need {
		return []registry.Need{with(m, action), {Type: versions, Action: registry.ActionRead, Else: []registry.Need{with(m, registry.ActionRead)}}}
	})
}

var deleteModelRule = ofModel(func(m registry.Need, versions string) []registry.Need {
	return []registry.Need{with(m, registry.ActionDelete), {Type: versions, Action: registry.ActionDelete, Else: []registry.Need{with(m, registry.ActionDelete)}}}
})

var addVersion = ofModel(func(m registry.Need, versions string) []registry.Need {
	return []registry.Need{with(m, registry.ActionUpdate), need(versions, "", registry.NotDenied)}
})

// createVersionRule needs read on what the version is made from, too: a version hands out its files.
func createVersionRule(p *permit) error {
	if err := addVersion(p); err != nil {
		return err
	}
	r, ok := p.req.(*createVersionRequest)
	if !ok {
		return errDenied
	}
	if name, model, ok := modelsURI(r.Source); ok && name != "" {
		kind, err := p.KindOfModel(p.ctx, name)
		if err != nil {
			return hidden(err)
		}
		return p.demand(need(kind, name, registry.ActionRead))
	} else if model != "" {
		if err := p.loggedModel(model, registry.ActionRead); err != nil {
			return err
		}
	}
	if err := p.ownFiles(r.Source, registry.ActionRead); err != nil {
		return err
	}
	if r.RunID != "" {
		if err := p.run(r.RunID, registry.ActionRead); err != nil {
			return err
		}
	}
	if r.ModelID != "" {
		return p.loggedModel(r.ModelID, registry.ActionRead)
	}
	return nil
}

// modelsURI reads models:/NAME/VERSION, models:/NAME@ALIAS and models:/m-ID.
func modelsURI(source string) (name, model string, ok bool) {
	u, err := url.Parse(source)
	if err != nil || u.Scheme != "models" {
		return "", "", false
	}
	path := strings.TrimPrefix(u.Path, "/")
	if name, _, ok := strings.Cut(path, "/"); ok {
		return name, "", true
	}
	if name, _, ok := strings.Cut(path, "@"); ok {
		return name, "", true
	}
	return "", path, true
}

func onTrace(field string, action registry.Action) rule {
	return func(p *permit) error { return p.trace(p.text(field), action) }
}

func (p *permit) trace(id string, action registry.Action) error {
	eid, err := p.ExperimentOfTrace(p.ctx, id)
	if err != nil {
		return hidden(err)
	}
	return p.demand(child(registry.OnTrace, eid, action)...)
}

func traceArtifact(p *permit) error {
	if p.query("request_id") == "" {
		return nil // the call says what is missing
	}
	return p.trace(p.query("request_id"), registry.ActionRead)
}

func onTraces(p *permit) error {
	for _, id := range p.texts("trace_ids") {
		if err := p.trace(id, registry.ActionRead); err != nil {
			return err
		}
	}
	return nil
}

func startTraceRule(p *permit) error {
	r, ok := p.req.(*startTraceRequest)
	if !ok || r.Trace.Info.Location.Experiment == nil {
		return errDenied
	}
	if len(r.Trace.Info.Assessments) > 0 {
		if err := p.demand(need(registry.OnAssessment, "", registry.NotDenied)); err != nil {
			return err
		}
	}
	return p.create(r.Trace.Info.Location.Experiment.ExperimentID, registry.OnTrace)
}

func exportRule(p *permit) error {
	if id := p.header.Get(experimentHeader); id != "" {
		return p.create(id, registry.OnTrace)
	}
	return nil // the call says what is missing
}

// searchTracesIn needs read on every experiment that is searched, and on what filter and order look into.
func (p *permit) searchTracesIn(ids []string, texts ...string) error {
	if len(ids) == 0 {
		return errDenied
	}
	text := strings.ToLower(strings.Join(texts, " "))
	tiers := []string{registry.OnTrace}
	for word, tier := range map[string]string{"feedback": registry.OnAssessment, "expectation": registry.OnAssessment, "issue": registry.OnAssessment, "run_id": registry.OnRun, "sourcerun": registry.OnRun} {
		if strings.Contains(text, word) {
			tiers = append(tiers, tier)
		}
	}
	for _, id := range ids {
		for _, tier := range tiers {
			if err := p.demand(child(tier, id, registry.ActionRead)...); err != nil {
				return err
			}
		}
	}
	return nil
}

func searchTracesRule(p *permit) error {
	ids := p.texts("experiment_ids")
	if r, ok := p.req.(*searchTracesRequest); ok && r.Locations != nil {
		for _, l := range *r.Locations {
			if l.Experiment != nil {
				ids = append(ids, l.Experiment.ExperimentID)
			}
		}
	}
	texts := append(p.texts("order_by"), p.text("filter"), p.text("filter_string1"), p.text("filter_string2"), p.text("base_filter"), p.text("view_type"))
	texts = append(texts, p.texts("filters")...)
	if strings.Contains(p.text("view_type"), "ASSESSMENT") {
		texts = append(texts, "feedback")
	}
	return p.searchTracesIn(ids, texts...)
}

func deleteTracesRule(p *permit) error {
	eid := p.text("experiment_id")
	return p.demand(need(registry.OnExperiment, eid, registry.ActionRead),
		registry.Need{Type: registry.OnTrace, Action: registry.ActionDelete, Else: []registry.Need{need(registry.OnExperiment, eid, registry.ActionDelete)}},
		registry.Need{Type: registry.OnAssessment, Action: registry.ActionDelete, Else: []registry.Need{need(registry.OnExperiment, eid, registry.ActionUpdate)}})
}

func linkTracesRule(p *permit) error {
	if err := p.run(p.text("run_id"), registry.ActionUpdate); err != nil {
		return err
	}
	return onTraces(p)
}

// onAssessment: the trace only leads to the assessment, so it needs read. inherited is what the experiment must allow who has no grant on
// assessments.
func onAssessment(action, inherited registry.Action) rule {
	return func(p *permit) error {
		eid, err := p.ExperimentOfTrace(p.ctx, p.text("p1"))
		if err != nil {
			return hidden(err)
		}
		return p.demand(append(child(registry.OnTrace, eid, registry.ActionRead),
			registry.Need{Type: registry.OnAssessment, Action: action, Else: []registry.Need{need(registry.OnExperiment, eid, inherited)}})...)
	}
}

// createAssessmentRule: either the experiment or the traces must be open for changes.
func createAssessmentRule(p *permit) error {
	eid, err := p.ExperimentOfTrace(p.ctx, p.text("p1"))
	if err != nil {
		return hidden(err)
	}
	if err := p.demand(append(child(registry.OnTrace, eid, registry.ActionRead), need(registry.OnAssessment, "", registry.NotDenied))...); err != nil {
		return err
	}
	if p.who.Allows(need(registry.OnExperiment, eid, registry.ActionUpdate)) {
		return nil
	}
	return p.demand(need(registry.OnTrace, "", registry.ActionUpdate))
}

func onDataset(action registry.Action) rule {
	return func(p *permit) error {
		ids, err := p.ExperimentsOfDataset(p.ctx, p.text("p1"))
		if err != nil {
			return err
		}
		if len(ids) == 0 {
			return errDenied
		}
		for _, id := range ids {
			if err := p.demand(need(registry.OnExperiment, id, action)); err != nil {
				return err
			}
		}
		return nil
	}
}

func addDatasetRule(p *permit) error {
	if err := onDataset(registry.ActionUpdate)(p); err != nil {
		return err
	}
	return onExperiments("experiment_ids", registry.ActionUpdate)(p)
}

func (p *permit) scorer() string {
	return registry.ScorerResource(p.text("experiment_id"), p.text("name"))
}

func registerScorerRule(p *permit) error {
	return p.demand(need(registry.OnExperiment, p.text("experiment_id"), registry.ActionUpdate),
		need(registry.OnScorer, p.scorer(), registry.NotDenied), need(registry.OnScorerVer, "", registry.NotDenied))
}

// listScorersRule: a list over all experiments shows each user what he may read.
func listScorersRule(p *permit) error {
	if p.text("experiment_id") == "" {
		return nil
	}
	return onExperiment(registry.ActionRead)(p)
}

func readScorer(p *permit) error {
	return p.demand(need(registry.OnScorer, p.scorer(), registry.ActionRead),
		registry.Need{Type: registry.OnScorerVer, Else: []registry.Need{need(registry.OnScorer, p.scorer(), registry.NotDenied)}})
}

func deleteScorerRule(p *permit) error {
	action := registry.ActionDelete
	if r, ok := p.req.(*scorerVersion); ok && r.Version != nil {
		action = registry.ActionRead // the version needs the delete
	}
	return p.demand(need(registry.OnScorer, p.scorer(), action),
		registry.Need{Type: registry.OnScorerVer, Action: registry.ActionDelete, Else: []registry.Need{need(registry.OnScorer, p.scorer(), registry.ActionDelete)}})
}
