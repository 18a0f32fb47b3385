package ui

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/prinzbox/prinzbox/registry"
)

type webhook struct {
	ID     string `json:"webhook_id"`
	Name   string `json:"name"`
	URL    string `json:"url"`
	Status string `json:"status"`
	Events []struct {
		Entity string `json:"entity"`
		Action string `json:"action"`
	} `json:"events"`
}

func (w webhook) events() string {
	var list []string
	for _, e := range w.Events {
		list = append(list, strings.ToLower(e.Entity+"."+e.Action))
	}
	return strings.Join(list, ", ")
}

// delivery is what the environment's own receiver of webhooks got.
type delivery struct {
	Number    int64           `json:"number"`
	At        time.Time       `json:"at"`
	Path      string          `json:"path"`
	Webhook   string          `json:"webhook"`
	Signature string          `json:"signature"`
	Body      json.RawMessage `json:"body"`
	Text      string          `json:"text"`
}

func (d delivery) content() string {
	if len(d.Body) > 0 {
		return readable(d.Body)
	}
	return d.Text
}

// webhookEvents are what a form offers to be told of.
var webhookEvents = []string{
	"registered_model.created", "model_version.created", "model_version_tag.set", "model_version_tag.deleted", "model_version_alias.created", "model_version_alias.deleted",
	"prompt.created", "prompt_version.created",
}

// makeWebhook makes one of a form; without an address it calls the environment's own receiver.
func (u *UI) makeWebhook(r *http.Request, name string) error {
	address := strings.TrimSpace(r.FormValue("url"))
	if address == "" {
		address = u.cfg.Environment().TrackingURI + apiPrefix + "/webhooks/receive"
	}
	type event struct {
		Entity string `json:"entity"`
		Action string `json:"action"`
	}
	entity, action, _ := strings.Cut(strings.ToUpper(r.FormValue("event")), ".")
	in := map[string]any{"name": name, "url": address, "events": []event{{entity, action}}}
	if secret := r.FormValue("secret"); secret != "" {
		in["secret"] = secret
	}
	return u.command(r, http.MethodPost, mlflowPrefix+"/webhooks", in, nil)
}

// testWebhook calls a webhook with an example.
func (u *UI) testWebhook(r *http.Request, id string) error {
	var got struct {
		Result struct {
			Success bool   `json:"success"`
			Status  int    `json:"response_status"`
			Body    string `json:"response_body"`
			Error   string `json:"error_message"`
		} `json:"result"`
	}
	if err := u.command(r, http.MethodPost, mlflowPrefix+"/webhooks/"+id+"/test", struct{}{}, &got); err != nil {
		return err
	}
	if w := got.Result; !w.Success {
		if w.Error == "" {
			w.Error = "it answered " + itoa(w.Status) + " " + shorten(w.Body, 200)
		}
		return registry.Invalidf("The webhook was called in vain: %s", w.Error)
	}
	return nil
}
