package ui

import (
	"context"
	"net/url"
	"strings"

	"github.com/prinzbox/prinzbox/registry"
)

// may tells whether the asking user may act on the runs of an experiment, by the rule of MLflow's calls about runs.
func may(ctx context.Context, experimentID string, action registry.Action) bool {
	return mayIn(ctx, registry.OnRun, experimentID, action)
}

// mayIn is may for what else is in an experiment: traces, logged models.
func mayIn(ctx context.Context, kind, experimentID string, action registry.Action) bool {
	who := registry.AccessOf(ctx)
	return who == nil || who.Allows(
		registry.Need{Type: registry.OnExperiment, ID: experimentID, Action: registry.ActionRead},
		registry.Need{Type: kind, Action: action, Else: []registry.Need{{Type: registry.OnExperiment, ID: experimentID, Action: action}}},
	)
}

func denied() error {
	return registry.Errorf(registry.PermissionDenied, "You may not see this. Ask who manages this environment for the permission.")
}

// runIDs reads the runs that an address names: run=A&run=B, or run=A,B. Each stands once.
func runIDs(q url.Values) (ids []string) {
	seen := map[string]bool{}
	for _, v := range q["run"] {
		for id := range strings.SplitSeq(v, ",") {
			if id != "" && !seen[id] {
				seen[id] = true
				ids = append(ids, id)
			}
		}
	}
	return ids
}

// runsByID reads runs in the order of their ids. missing are those that are not there, or that the user may not read.
func (u *UI) runsByID(ctx context.Context, ids []string) (runs []registry.Run, missing []string, err error) {
	found := make(map[string]registry.Run, len(ids))
	for i, id := range ids {
		if _, ok := found[id]; ok {
			continue
		}
		run, err := u.cfg.Store.Run(ctx, id)
		if registry.IsCode(err, registry.ResourceDoesNotExist) || err == nil && !may(ctx, run.Info.ExperimentID, registry.ActionRead) {
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		found[id] = run
		if rest := ids[i+1:]; len(rest) > 0 { // most often they are of one experiment: then one search finds them
			if err := u.findRuns(ctx, run.Info.ExperimentID, rest, found); err != nil {
				return nil, nil, err
			}
		}
	}
	for _, id := range ids {
		if run, ok := found[id]; ok {
			runs = append(runs, run)
		} else {
			missing = append(missing, id)
		}
	}
	return runs, missing, nil
}

func (u *UI) findRuns(ctx context.Context, experimentID string, ids []string, found map[string]registry.Run) error {
	var list strings.Builder
	n := 0
	for _, id := range ids {
		if _, ok := found[id]; ok || registry.ValidateRunID(id) != nil {
			continue
		}
		if n++; n > 1 {
			list.WriteString(",")
		}
		list.WriteString("'" + id + "'")
	}
	if n == 0 {
		return nil
	}
	page, err := u.cfg.Store.SearchRuns(ctx, []string{experimentID}, registry.Query{Filter: "attributes.run_id IN (" + list.String() + ")", MaxResults: n, View: registry.ViewAll})
	for _, run := range page.Items {
		found[run.Info.RunID] = run
	}
	return err
}
