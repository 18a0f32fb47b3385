package rest

import (
	"context"
	"fmt"

	"github.com/prinzbox/prinzbox/registry"
)

type webhookEvent struct {
	Entity enum `json:"entity"`
	Action enum `json:"action"`
}

func (e webhookEvent) parse(at string) (registry.WebhookEvent, error) {
	switch {
	case e.Entity == "":
		return registry.WebhookEvent{}, missingValue(at + ".entity")
	case e.Action == "":
		return registry.WebhookEvent{}, missingValue(at + ".action")
	}
	return registry.ParseWebhookEvent(string(e.Entity), string(e.Action), at)
}

func parseEvents(events []webhookEvent) ([]registry.WebhookEvent, error) {
	var out []registry.WebhookEvent
	for i, e := range events {
		parsed, err := e.parse(fmt.Sprintf("events[%d]", i))
		if err != nil {
			return nil, err
		}
		out = append(out, parsed)
	}
	return out, nil
}

type webhookResponse struct {
	Webhook registry.Webhook `json:"webhook"`
}

type createWebhookRequest struct {
	Name        string          `json:"name" req:"true"`
	URL         string          `json:"url" req:"true"`
	Events      *[]webhookEvent `json:"events" req:"true"`
	Description string          `json:"description"`
	Secret      string          `json:"secret"`
	Status      enum            `json:"status"`
}

func (a *API) createWebhook(ctx context.Context, r *createWebhookRequest) (webhookResponse, error) {
	events, err := parseEvents(*r.Events)
	if err != nil {
		return webhookResponse{}, err
	}
	if err := registry.ValidateWebhookName(r.Name); err != nil {
		return webhookResponse{}, err
	}
	if err := a.cfg.Webhooks.Check(ctx, r.URL); err != nil {
		return webhookResponse{}, err
	}
	w, err := a.CreateWebhook(ctx, registry.NewWebhook{
		Name: r.Name, Description: r.Description, URL: r.URL, Events: events, Secret: r.Secret, Status: registry.ParseWebhookStatus(string(r.Status)),
	})
	return webhookResponse{w}, err
}

type listWebhooksRequest struct {
	MaxResults int    `json:"max_results"`
	PageToken  string `json:"page_token"`
}

type webhooksResponse struct {
	Webhooks      []registry.Webhook `json:"webhooks,omitempty"`
	NextPageToken string             `json:"next_page_token,omitempty"`
}

func (a *API) listWebhooks(ctx context.Context, r *listWebhooksRequest) (webhooksResponse, error) {
	page, err := a.Webhooks(ctx, r.MaxResults, r.PageToken)
	return webhooksResponse{page.Items, page.NextPageToken}, err
}

type webhookID struct {
	ID string `path:"p1"`
}

func (a *API) getWebhook(ctx context.Context, r *webhookID) (webhookResponse, error) {
	w, err := a.Webhook(ctx, r.ID)
	return webhookResponse{w}, err
}

type updateWebhookRequest struct {
	ID          string         `path:"p1"`
	Name        string         `json:"name"`
	URL         string         `json:"url"`
	Events      []webhookEvent `json:"events"`
	Description *string        `json:"description"`
	Secret      *string        `json:"secret"`
	Status      enum           `json:"status"`
}

func (a *API) updateWebhook(ctx context.Context, r *updateWebhookRequest) (webhookResponse, error) {
	events, err := parseEvents(r.Events)
	if err != nil {
		return webhookResponse{}, err
	}
	if r.URL != "" {
		// What is wrong with id and name comes first, and looking up a host takes its time.
		if _, err := a.Webhook(ctx, r.ID); err != nil {
			return webhookResponse{}, err
		}
		if r.Name != "" {
			if err := registry.ValidateWebhookName(r.Name); err != nil {
				return webhookResponse{}, err
			}
		}
		if err := a.cfg.Webhooks.Check(ctx, r.URL); err != nil {
			return webhookResponse{}, err
		}
	}
	w, err := a.UpdateWebhook(ctx, r.ID, registry.WebhookChange{
		Name: r.Name, Description: r.Description, URL: r.URL, Events: events, Secret: r.Secret, Status: registry.ParseWebhookStatus(string(r.Status)),
	})
	return webhookResponse{w}, err
}

func (a *API) deleteWebhook(ctx context.Context, r *webhookID) error {
	return a.DeleteWebhook(ctx, r.ID)
}

type testWebhookRequest struct {
	ID    string        `path:"p1"`
	Event *webhookEvent `json:"event"`
}

type testWebhookResponse struct {
	Result WebhookResult `json:"result"`
}

func (a *API) testWebhook(ctx context.Context, r *testWebhookRequest) (testWebhookResponse, error) {
	var event *registry.WebhookEvent
	if r.Event != nil {
		parsed, err := r.Event.parse("event")
		if err != nil {
			return testWebhookResponse{}, err
		}
		event = &parsed
	}
	to, err := a.SubscriberOf(ctx, r.ID)
	if err != nil {
		return testWebhookResponse{}, err
	}
	if event == nil {
		event = &to.Events[0]
	}
	return testWebhookResponse{a.cfg.Webhooks.Test(ctx, *event, to)}, nil
}
