package ui

import (
	"net/http"

	"github.com/prinzbox/prinzbox/registry"
)

// paletteEntries bounds how many models, prompts and experiments the palette offers.
const paletteEntries = 500

// entry is one place that the palette leads to.
type entry struct {
	Kind string `json:"kind"`
	Name string `json:"name"`
	URL  string `json:"url"`
}

// palette lists the places of this environment for the script.
func (u *UI) palette(w http.ResponseWriter, r *http.Request) {
	entries := []entry{{"Page", "Home", "/"}, {"Page", "Experiments", "/experiments"}, {"Page", "Models", "/models"}, {"Page", "Traces", "/traces"}, {"Page", "Prompts", "/prompts"}, {"Page", "Datasets", "/datasets"}, {"Page", "S3", "/s3"}}
	if u.cfg.API != nil {
		entries = append(entries, entry{"Page", "Calls (request log)", "/calls"}, entry{"Page", "Faults", "/faults"}, entry{"Page", "Admin (seed, reset, snapshots)", "/admin"},
			entry{"Page", "Admin: clock", "/admin#time"}, entry{"Page", "Admin: ids and persona", "/admin#ids"}, entry{"Page", "Admin: remove for good, verify", "/admin#upkeep"},
			entry{"Page", "Admin: export, import", "/admin#files"}, entry{"Page", "Admin: namespaces", "/admin#spaces"}, entry{"Page", "Admin: S3 keys", "/admin#keys-of-s3"},
			entry{"Page", "Admin: routes and stubs", "/admin#routes"}, entry{"Page", "Admin: webhooks", "/admin#hooks"})
	}
	models, err := u.cfg.Store.SearchRegisteredModels(r.Context(), registry.Query{MaxResults: paletteEntries})
	if err == nil {
		for _, m := range models.Items {
			entries = append(entries, entry{"Model", m.Name, string(modelURL(m.Name))})
		}
		var prompts registry.Page[registry.RegisteredModel]
		if prompts, err = u.cfg.Store.SearchRegisteredModels(r.Context(), registry.Query{Filter: onlyPrompts, MaxResults: paletteEntries}); err != nil {
			u.writeJSON(w, r, nil, err)
			return
		}
		for _, p := range prompts.Items {
			entries = append(entries, entry{"Prompt", p.Name, string(promptURL(p.Name))})
		}
		var experiments registry.Page[registry.Experiment]
		experiments, err = u.cfg.Store.SearchExperiments(r.Context(), registry.Query{MaxResults: paletteEntries})
		for _, e := range experiments.Items {
			entries = append(entries, entry{"Experiment", e.Name, string(experimentURL(e.ID))})
		}
	}
	u.writeJSON(w, r, entries, err)
}
