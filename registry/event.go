package registry

import (
	"context"
	"database/sql"
	"slices"
	"strings"

	"github.com/prinzbox/prinzbox/registry/pyjson"
)

// Event is something that happened in the model registry and that a webhook may want to know. Data is the payload as MLflow sends it
// (contract/asserted.md, section 13).
type Event struct {
	WebhookEvent
	Data pyjson.Value
}

// Subscriber is an active webhook that wants an event, with its secret in clear. Err is [ErrSecret] when the secret cannot be read:
// nothing may be sent then.
type Subscriber struct {
	Webhook
	Secret string
	Err    error
}

// notice is an event on its way: made in the transaction, sent when that is committed.
type notice struct {
	event Event
	to    []Subscriber
}

// notice makes the notice of an event in the transaction of the change, so that who gets it is decided with the change.
func (s *Store) notice(ctx context.Context, tx querier, entity, action string, data ...pyjson.Member) (n notice, err error) {
	if s.cfg.Deliver == nil {
		return n, nil
	}
	n.event = Event{WebhookEvent{entity, action}, pyjson.OfMembers(data...)}
	rows, err := queryRows(ctx, tx, func(rows *sql.Rows) (webhookRow, error) { return scanWebhook(rows) },
		"SELECT "+webhookColumns+` FROM webhook_events e JOIN webhooks w ON w.wid = e.wid
		WHERE e.entity = ? AND e.action = ? AND w.status = 'ACTIVE' ORDER BY w.creation_timestamp DESC, w.wid DESC`, entity, action)
	for _, row := range rows {
		secret, err := s.openSecret(row.secret)
		n.to = append(n.to, Subscriber{Webhook: row.webhook, Secret: secret, Err: err})
	}
	return n, err
}

// send hands a committed notice over.
func (s *Store) send(n notice) {
	if len(n.to) > 0 {
		s.cfg.Deliver(n.event, n.to)
	}
}

// SubscriberOf is a webhook with its secret, for a test of it.
func (s *Store) SubscriberOf(ctx context.Context, id string) (Subscriber, error) {
	row, err := webhookByID(ctx, s.db.Read(), id)
	if err != nil {
		return Subscriber{}, err
	}
	secret, err := s.openSecret(row.secret)
	return Subscriber{Webhook: row.webhook, Secret: secret, Err: err}, nil
}

// SubscribersAt lists the webhooks, disabled ones too, whose URL is one of those wanted, with their secrets.
func (s *Store) SubscribersAt(ctx context.Context, wanted func(url string) bool) (out []Subscriber, err error) {
	rows, err := queryRows(ctx, s.db.Read(), func(rows *sql.Rows) (webhookRow, error) { return scanWebhook(rows) },
		"SELECT "+webhookColumns+" FROM webhooks w ORDER BY w.wid")
	for _, row := range rows {
		if wanted(row.webhook.URL) {
			secret, err := s.openSecret(row.secret)
			out = append(out, Subscriber{Webhook: row.webhook, Secret: secret, Err: err})
		}
	}
	return out, err
}

func text(key, value string) pyjson.Member { return pyjson.Member{Key: key, Value: pyjson.Of(value)} }

// orNull is a text member, null when the text is empty.
func orNull(key, value string) pyjson.Member {
	if value == "" {
		return pyjson.Member{Key: key}
	}
	return text(key, value)
}

// tagsMember is the member "tags" without those that only mark prompts. Of tags with the same key the last counts.
func tagsMember(tags []KeyValue, without ...string) pyjson.Member {
	var members []pyjson.Member
	for _, t := range tags {
		if !slices.Contains(without, t.Key) {
			members = append(members, text(t.Key, t.Value))
		}
	}
	return pyjson.Member{Key: "tags", Value: pyjson.OfMembers().Update(members...)}
}

// Tags of prompts and their versions, beside TagIsPrompt.
const (
	tagPromptText = "mlflow.prompt.text"
	tagPromptType = "_mlflow_prompt_type"
)

func (s *Store) modelCreated(ctx context.Context, tx querier, n NewRegisteredModel) (notice, error) {
	description := ""
	if n.Description != nil {
		description = *n.Description
	}
	if isPrompt(n.Tags) {
		return s.notice(ctx, tx, "PROMPT", "CREATED", text("name", n.Name), tagsMember(n.Tags, TagIsPrompt, tagPromptType), text("description", description))
	}
	return s.notice(ctx, tx, "REGISTERED_MODEL", "CREATED", text("name", n.Name), tagsMember(n.Tags), text("description", description))
}

func (s *Store) versionCreated(ctx context.Context, tx querier, n NewModelVersion, version, runID string) (notice, error) {
	if isPrompt(n.Tags) {
		template := pyjson.Member{Key: "template"}
		for _, t := range n.Tags {
			if t.Key == tagPromptText {
				template.Value = pyjson.Of(t.Value)
			}
		}
		return s.notice(ctx, tx, "PROMPT_VERSION", "CREATED", text("name", n.Name), text("version", version), template,
			tagsMember(n.Tags, TagIsPrompt, tagPromptType, tagPromptText), orNull("description", n.Description))
	}
	return s.notice(ctx, tx, "MODEL_VERSION", "CREATED", text("name", n.Name), text("version", version), text("source", n.Source),
		orNull("run_id", runID), tagsMember(n.Tags), orNull("description", n.Description))
}

// modelOrPrompt makes a notice for what a change touched: a prompt or a model. An empty entity means that there is no event for it.
func (s *Store) modelOrPrompt(ctx context.Context, tx querier, mid int64, model, prompt, action string, data ...pyjson.Member) (notice, error) {
	if s.cfg.Deliver == nil {
		return notice{}, nil
	}
	marked, err := markedPrompt(ctx, tx, mid)
	if err != nil {
		return notice{}, err
	}
	entity := model
	if marked {
		entity = prompt
	}
	if entity == "" {
		return notice{}, nil
	}
	return s.notice(ctx, tx, entity, action, data...)
}

// ExampleData is the payload of an event that MLflow sends when a webhook is tested.
func ExampleData(e WebhookEvent) pyjson.Value {
	key, value := text("key", "example_key"), text("value", "example_value")
	tags := tagsMember([]KeyValue{{"example_key", "example_value"}})
	version, alias := text("version", "1"), text("alias", "example_alias")
	noun := "model"
	if strings.HasPrefix(e.Entity, "PROMPT") {
		noun = "prompt"
	}
	name := text("name", "example_"+noun)
	description := func(what string) pyjson.Member { return text("description", "An example "+what) }
	switch e.Entity {
	case "REGISTERED_MODEL":
		return pyjson.OfMembers(name, tags, description("registered model"))
	case "MODEL_VERSION":
		return pyjson.OfMembers(name, version, text("source", "models:/123"), text("run_id", "abcd1234abcd5678"), tags, description("model version"))
	case "PROMPT":
		return pyjson.OfMembers(name, tags, description("prompt"))
	case "PROMPT_VERSION":
		return pyjson.OfMembers(name, version, text("template", "Hello {{name}}!"), tags, description("prompt version"))
	case "MODEL_VERSION_ALIAS", "PROMPT_ALIAS":
		if e.Action == "DELETED" {
			return pyjson.OfMembers(name, alias)
		}
		return pyjson.OfMembers(name, alias, version)
	case "BUDGET_POLICY":
		return budgetExample()
	}
	// The tags of a model version, a prompt and a prompt version.
	members := []pyjson.Member{name}
	if e.Entity != "PROMPT_TAG" {
		members = append(members, version)
	}
	members = append(members, key)
	if e.Action == "SET" {
		members = append(members, value)
	}
	return pyjson.OfMembers(members...)
}

// budgetExample is for an event of MLflow's LLM gateway, which this server has not: webhooks may be subscribed to it and tested.
func budgetExample() pyjson.Value {
	v, err := pyjson.Parse(`{"budget_policy_id": "bp-abc123", "budget_unit": "USD", "budget_amount": 100.0, "current_spend": 105.5, "duration_unit": "MONTHS",
		"duration_value": 1, "target_scope": "ENDPOINT", "workspace": "default", "target_value": "ep-abc123", "window_start": 1704067200000}`)
	if err != nil {
		panic(err) // the text is above
	}
	return v
}
