package ui

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/prinzbox/prinzbox/registry"
	"github.com/prinzbox/prinzbox/serving"
)

const (
	// homeModels and homeRuns bound what the home page lists; the rest is one click away.
	homeModels = 12
	homeRuns   = 8
	// allExperiments bounds the experiments whose runs a page searches together.
	allExperiments = 1000
	// checkTime bounds what a health check or a sample prediction may delay the home page.
	checkTime = 500 * time.Millisecond
)

type homeView struct {
	env      Environment
	started  moment
	services []serviceState
	settings []setting
	models   []modelCard
	more     bool
	runs     []runLine
	registry []activity
	tour     []tourStep
	touring  bool // the tour is open at first
}

type serviceState struct {
	Service
	problem string
}

// modelCard is a registered model with the state of the version that is served by name.
type modelCard struct {
	name, description string
	version           string
	aliases           []registry.Alias
	state             servingState
	sample            *sample
	changed           moment
	upstream          string // the server that scores it
	stub              bool
	minute            uint64 // calls of the last minute
}

// servingState says in a word whether a version answers.
type servingState struct {
	word, problem string
}

// sample is an answer to the model's own input example.
type sample struct {
	headline string
	took     time.Duration
}

func (u *UI) home(r *http.Request) (view, error) {
	ctx := r.Context()
	v := homeView{env: u.cfg.Environment()}
	v.started = u.when(v.env.Started.UnixMilli())
	v.services = checkServices(ctx, v.env.Services)
	models, err := u.cfg.Store.SearchRegisteredModels(ctx, registry.Query{MaxResults: homeModels})
	if err != nil {
		return view{}, err
	}
	v.more = models.NextPageToken != ""
	if v.models, err = u.modelCards(ctx, models.Items, true); err != nil {
		return view{}, err
	}
	if v.runs, err = u.recentRuns(ctx); err != nil {
		return view{}, err
	}
	if v.registry, err = u.registryActivity(ctx, v.models); err != nil {
		return view{}, err
	}
	v.tour = tourSteps(v)
	v.touring = len(v.runs) < homeRuns
	v.settings = clientSettings(v.env, v.models)
	return view{title: "Home", section: "home", body: homePage(v)}, nil
}

func checkServices(ctx context.Context, services []Service) []serviceState {
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	states := make([]serviceState, len(services))
	var wg sync.WaitGroup
	for i, s := range services {
		states[i].Service = s
		if s.Check != nil {
			wg.Go(func() {
				if err := s.Check(ctx); err != nil {
					states[i].problem = err.Error()
				}
			})
		}
	}
	wg.Wait()
	return states
}

// modelCards describes registered models; with samples, native ones answer their own input example.
func (u *UI) modelCards(ctx context.Context, models []registry.RegisteredModel, samples bool) ([]modelCard, error) {
	// What a model takes to load must not keep the page, and a slow model must not fail it: the time is for scoring alone.
	patient, cancel := context.WithTimeout(ctx, 4*checkTime)
	defer cancel()
	cards := make([]modelCard, len(models))
	minutes := u.perMinute()
	for i, m := range models {
		c := &cards[i]
		*c = modelCard{name: m.Name, description: text(m.Description), aliases: m.Aliases, changed: u.when(m.LastUpdated), minute: minutes[m.Name]}
		current, err := u.cfg.Store.CurrentModelVersion(ctx, m.Name)
		switch {
		case registry.IsCode(err, registry.ResourceDoesNotExist):
			c.state = servingState{word: "no version"}
			continue
		case err != nil:
			return nil, err
		}
		c.version = current.Version
		if u.cfg.Scoring == nil {
			c.state = servingState{word: "not served"}
			continue
		}
		about, err := u.cfg.Scoring.Describe(patient, m.Name, current.Version)
		c.state, c.upstream, c.stub = stateOf(about, err), about.Upstream, tagValue(current.Tags, serving.TagStub) != ""
		if samples && c.state.word == "ready" && about.Native && about.InputExample != nil {
			c.sample = u.sample(patient, m.Name, current.Version, about)
		}
	}
	return cards, nil
}

func stateOf(about Model, err error) servingState {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return servingState{"loading", "The model is still being loaded; look again in a moment."}
	case err != nil:
		return servingState{"problem", registry.Body(err).Message}
	case about.Problem != "":
		return servingState{"problem", about.Problem}
	}
	return servingState{word: "ready"}
}

// sample scores the first row of the input example; nil when the model refuses it.
func (u *UI) sample(ctx context.Context, name, version string, about Model) *sample {
	body, err := firstRowBody(about)
	if err != nil {
		return nil
	}
	start := time.Now() // a duration, so the environment's clock, which may stand still, does not serve
	answer, status := u.cfg.Scoring.Probe(ctx, name, version, body, "application/json")
	took := time.Since(start)
	if status != http.StatusOK {
		return nil
	}
	return &sample{headline: headline(answer), took: took}
}

// recentRuns are the newest runs of all active experiments.
func (u *UI) recentRuns(ctx context.Context) ([]runLine, error) {
	experiments, err := u.cfg.Store.SearchExperiments(ctx, registry.Query{MaxResults: allExperiments})
	if err != nil {
		return nil, err
	}
	names := make(map[string]string, len(experiments.Items))
	ids := make([]string, len(experiments.Items))
	for i, e := range experiments.Items {
		ids[i], names[e.ID] = e.ID, e.Name
	}
	if len(ids) == 0 {
		return nil, nil
	}
	runs, err := u.cfg.Store.SearchRuns(ctx, ids, registry.Query{MaxResults: homeRuns})
	if err != nil {
		return nil, err
	}
	lines := make([]runLine, len(runs.Items))
	for i, run := range runs.Items {
		lines[i] = u.runLine(run)
		lines[i].experiment = names[run.Info.ExperimentID]
	}
	return lines, nil
}
