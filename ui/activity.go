package ui

import (
	"cmp"
	"context"
	"slices"

	"github.com/a-h/templ"

	"github.com/prinzbox/prinzbox/registry"
)

// activity is something that happened in the model registry.
type activity struct {
	at   int64
	when moment
	what string
	name string
	url  templ.SafeURL
}

// registryActivity is what happened last: versions that were registered, and aliases that moved, of the models on the home page.
func (u *UI) registryActivity(ctx context.Context, models []modelCard) (list []activity, _ error) {
	found, err := u.cfg.Store.SearchModelVersions(ctx, registry.Query{OrderBy: []string{"creation_timestamp DESC"}, MaxResults: homeRuns})
	if err != nil {
		return nil, err
	}
	for _, v := range found.Items {
		list = append(list, activity{at: v.Created, what: "registered", name: v.Name + " " + v.Version, url: versionURL(v.Name, v.Version)})
	}
	for _, m := range models {
		moves, err := u.cfg.Store.AliasHistory(ctx, m.name, homeRuns)
		if registry.IsCode(err, registry.ResourceDoesNotExist) {
			continue // it went while the page was made
		}
		if err != nil {
			return nil, err
		}
		for _, c := range moves {
			a := activity{at: c.Time, what: "alias " + c.Alias + " taken away", name: m.name, url: modelURL(m.name) + "#aliases"}
			if c.Version != "" {
				a.what, a.name = "alias "+c.Alias+" pointed at", m.name+" "+c.Version
			}
			list = append(list, a)
		}
	}
	slices.SortStableFunc(list, func(a, b activity) int { return cmp.Compare(b.at, a.at) })
	list = list[:min(len(list), homeRuns)]
	for i := range list {
		list[i].when = u.when(list[i].at)
	}
	return list, nil
}

// tourStep is one of the first things to try.
type tourStep struct {
	title, text string
	url         templ.SafeURL
}

// tourSteps lead through a demonstration, as far as this environment has what they need.
func tourSteps(v homeView) (steps []tourStep) {
	var first *modelCard
	for i, m := range v.models {
		if m.sample != nil {
			first = &v.models[i]
			break
		}
	}
	if first != nil {
		steps = append(steps,
			tourStep{"Move a slider", "of " + first.name + ": the answer and each number's share in it follow.", versionURL(first.name, first.version) + "#try"},
			tourStep{"Give it a second version", "from another run, or as a stub that needs no training.", modelURL(first.name) + "#more"},
			tourStep{"Point an alias at it", "and ask again: the same request, a new answer, no restart. The history leads back.", modelURL(first.name) + "#aliases"},
			tourStep{"Share the requests", "between two versions, or let one get copies as a shadow.", modelURL(first.name) + "#routes"},
		)
	}
	steps = append(steps, tourStep{"Log a run", "with the client settings below; the table fills while it runs.", "/experiments"})
	if v.env.S3Endpoint != "" {
		steps = append(steps, tourStep{"Look at the files", "of runs and models in the S3 store.", "/s3"})
	}
	return append(steps, tourStep{"Press ⌘K or Ctrl K", "to get anywhere, and ? for the other keys.", "#main"})
}
