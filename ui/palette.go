package ui

import (
	"net/http"

	"github.com/prinzbox/prinzbox/registry"
)

// paletteEntries bounds how many models, and how many experiments, the palette offers.
const paletteEntries = 500

// entry is one place that the palette leads to.
type entry struct {
	Kind string `json:"kind"`
	Name string `json:"name"`
	URL  string `json:"url"`
}

// palette lists the places of this environment for the script.
func (u *UI) palette(w http.ResponseWriter, r *http.Request) {
	entries := []entry{{"Page", "Home", "/"}, {"Page", "Experiments", "/experiments"}, {"Page", "Models", "/models"}}
	models, err := u.cfg.Store.SearchRegisteredModels(r.Context(), registry.Query{MaxResults: paletteEntries})
	if err == nil {
		for _, m := range models.Items {
			entries = append(entries, entry{"Model", m.Name, string(modelURL(m.Name))})
		}
		var experiments registry.Page[registry.Experiment]
		experiments, err = u.cfg.Store.SearchExperiments(r.Context(), registry.Query{MaxResults: paletteEntries})
		for _, e := range experiments.Items {
			entries = append(entries, entry{"Experiment", e.Name, string(experimentURL(e.ID))})
		}
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-cache")
	var body any = entries
	status := http.StatusOK
	if err != nil {
		u.cfg.Log.Error("palette failed", "error", err)
		b := registry.Body(err)
		body, status = b, b.Code.HTTPStatus()
	}
	data, err := encodeJSON(body)
	if err != nil {
		data, status = []byte("{}"), http.StatusInternalServerError
	}
	w.WriteHeader(status)
	_, _ = w.Write(data) // nobody is left to tell when the browser has gone
}
