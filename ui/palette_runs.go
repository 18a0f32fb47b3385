package ui

import (
	"net/http"
	"strings"

	"github.com/prinzbox/prinzbox/registry"
)

// paletteRuns bounds how many runs of a name the palette offers.
const paletteRuns = 12

// findRunsByName gives the palette the runs whose names hold q, the newest first.
func (u *UI) findRunsByName(w http.ResponseWriter, r *http.Request) {
	runs, err := u.runsNamed(r, strings.TrimSpace(r.URL.Query().Get("q")))
	u.writeJSON(w, r, runs, err)
}

func (u *UI) runsNamed(r *http.Request, q string) ([]entry, error) {
	entries := []entry{}
	text, ok := quotedText("%" + q + "%")
	if !ok || q == "" {
		return entries, nil
	}
	experiments, err := u.cfg.Store.SearchExperiments(r.Context(), registry.Query{MaxResults: allExperiments})
	if err != nil || len(experiments.Items) == 0 {
		return entries, err
	}
	ids, names := make([]string, len(experiments.Items)), map[string]string{}
	for i, e := range experiments.Items {
		ids[i], names[e.ID] = e.ID, e.Name
	}
	runs, err := u.cfg.Store.SearchRuns(r.Context(), ids, registry.Query{Filter: "attributes.run_name ILIKE " + text, MaxResults: paletteRuns})
	for _, run := range runs.Items {
		entries = append(entries, entry{"Run of " + shorten(names[run.Info.ExperimentID], 40), run.Info.RunName, string(runURL(run.Info.RunID))})
	}
	return entries, err
}
