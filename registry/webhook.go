package registry

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/prinzbox/prinzbox/registry/pyjson"
)

// Webhook is MLflow's Webhook message; times are milliseconds since 1970. The secret is never part of it.
type Webhook struct {
	ID          string         `json:"webhook_id"`
	Name        string         `json:"name"`
	Description string         `json:"description,omitempty"`
	URL         string         `json:"url"`
	Events      []WebhookEvent `json:"events"`
	Status      string         `json:"status"`
	Created     int64          `json:"creation_timestamp"`
	LastUpdated int64          `json:"last_updated_timestamp"`
}

// WebhookEvent names a kind of event in the words of the wire: REGISTERED_MODEL and CREATED.
type WebhookEvent struct {
	Entity string `json:"entity"`
	Action string `json:"action"`
}

// States of a webhook. A disabled one gets nothing but tests.
const (
	WebhookActive   = "ACTIVE"
	WebhookDisabled = "DISABLED"
)

// webhookEntities lists the entities by their numbers in MLflow's protocol, which start at 1, with the actions that each has.
var webhookEntities = []struct {
	name    string
	actions []string
}{
	{"REGISTERED_MODEL", []string{"CREATED"}},
	{"MODEL_VERSION", []string{"CREATED"}},
	{"MODEL_VERSION_TAG", []string{"DELETED", "SET"}},
	{"MODEL_VERSION_ALIAS", []string{"CREATED", "DELETED"}},
	{"PROMPT", []string{"CREATED"}},
	{"PROMPT_VERSION", []string{"CREATED"}},
	{"PROMPT_TAG", []string{"DELETED", "SET"}},
	{"PROMPT_VERSION_TAG", []string{"DELETED", "SET"}},
	{"PROMPT_ALIAS", []string{"CREATED", "DELETED"}},
	{"BUDGET_POLICY", []string{"EXCEEDED"}},
}

var webhookActions = []string{"CREATED", "UPDATED", "DELETED", "SET", "EXCEEDED"}

// ParseWebhookEvent reads an event whose parts are names or numbers of MLflow's protocol. at is its path in the request.
func ParseWebhookEvent(entity, action, at string) (WebhookEvent, error) {
	var names []string
	var valid []string
	for i, e := range webhookEntities {
		names = append(names, e.name)
		if entity == e.name || entity == fmt.Sprint(i+1) {
			entity, valid = e.name, e.actions
		}
	}
	if valid == nil {
		return WebhookEvent{}, Invalidf("Invalid value %s for parameter '%s.entity' supplied: use one of %s", quoteJSON(entity), at, strings.Join(names, ", "))
	}
	for i, name := range webhookActions {
		if action == fmt.Sprint(i+1) {
			action = name
		}
	}
	switch {
	case slices.Contains(valid, action):
		return WebhookEvent{entity, action}, nil
	case slices.Contains(webhookActions, action):
		return WebhookEvent{}, Invalidf("Invalid action '%s' for entity '%s'. Valid actions are: %s", strings.ToLower(action), strings.ToLower(entity), strings.ToLower(pyList(valid)))
	}
	return WebhookEvent{}, Invalidf("Invalid value %s for parameter '%s.action' supplied: use one of %s", quoteJSON(action), at, strings.Join(valid, ", "))
}

// ParseWebhookStatus reads a state by name or number; anything else is "", as MLflow ignores it.
func ParseWebhookStatus(s string) string {
	switch s {
	case WebhookActive, "1":
		return WebhookActive
	case WebhookDisabled, "2":
		return WebhookDisabled
	}
	return ""
}

var webhookName = regexp.MustCompile(`^(?i)[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$`)

// ValidateWebhookName checks a name: 1 to 63 letters, digits, dots, underscores and hyphens, a letter or digit at both ends.
func ValidateWebhookName(name string) error {
	if !webhookName.MatchString(name) {
		return Invalidf("Webhook name %s is invalid. It must start and end with a letter or digit, be less than 63 characters long, and contain only letters, digits, dots (.), underscores (_), and hyphens (-).", pyjson.Repr(name))
	}
	return nil
}

// NewWebhook is what CreateWebhook needs. An empty Status is ACTIVE, an empty Secret none. The caller has checked the URL: what may be
// called is for whoever calls it to say.
type NewWebhook struct {
	Name        string
	Description string
	URL         string
	Events      []WebhookEvent
	Secret      string
	Status      string
}

// CreateWebhook makes a webhook.
func (s *Store) CreateWebhook(ctx context.Context, n NewWebhook) (Webhook, error) {
	if err := ValidateWebhookName(n.Name); err != nil {
		return Webhook{}, err
	}
	if len(n.Events) == 0 {
		return Webhook{}, Invalidf("Webhook events must be a non-empty list of WebhookEvent objects: [].")
	}
	secret, err := s.sealSecret(n.Secret)
	if err != nil {
		return Webhook{}, err
	}
	if n.Status == "" {
		n.Status = WebhookActive
	}
	id := dashed(s.cfg.NewID())
	err = s.db.Write(ctx, func(tx querier) error {
		now := s.now()
		var wid int64
		if err := tx.QueryRowContext(ctx, `INSERT INTO webhooks (webhook_id, name, description, url, status, secret, creation_timestamp, last_updated_timestamp)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING wid`, id, n.Name, n.Description, n.URL, n.Status, secret, now, now).Scan(&wid); err != nil {
			return err
		}
		return setWebhookEvents(ctx, tx, wid, n.Events)
	})
	if err != nil {
		return Webhook{}, err
	}
	return s.Webhook(ctx, id)
}

func setWebhookEvents(ctx context.Context, tx querier, wid int64, events []WebhookEvent) error {
	for _, e := range events {
		if _, err := tx.ExecContext(ctx, "INSERT INTO webhook_events (wid, entity, action) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", wid, e.Entity, e.Action); err != nil {
			return err
		}
	}
	return nil
}

const webhookColumns = `w.wid, w.webhook_id, w.name, w.description, w.url, w.status, w.secret, w.creation_timestamp, w.last_updated_timestamp`

type webhookRow struct {
	wid     int64
	secret  []byte
	webhook Webhook
}

func scanWebhook(row interface{ Scan(...any) error }) (r webhookRow, err error) {
	w := &r.webhook
	err = row.Scan(&r.wid, &w.ID, &w.Name, &w.Description, &w.URL, &w.Status, &r.secret, &w.Created, &w.LastUpdated)
	return r, err
}

func loadWebhookEvents(ctx context.Context, q querier, r *webhookRow) (err error) {
	r.webhook.Events, err = queryRows(ctx, q, func(rows *sql.Rows) (e WebhookEvent, err error) {
		err = rows.Scan(&e.Entity, &e.Action)
		return e, err
	}, "SELECT entity, action FROM webhook_events WHERE wid = ? ORDER BY entity, action", r.wid)
	return err
}

func webhookByID(ctx context.Context, q querier, id string) (webhookRow, error) {
	row, err := scanWebhook(q.QueryRowContext(ctx, "SELECT "+webhookColumns+" FROM webhooks w WHERE w.webhook_id = ?", id))
	if errors.Is(err, sql.ErrNoRows) {
		return row, NotFoundf("Webhook with ID %s not found.", id)
	} else if err != nil {
		return row, err
	}
	return row, loadWebhookEvents(ctx, q, &row)
}

// Webhook gives one webhook.
func (s *Store) Webhook(ctx context.Context, id string) (Webhook, error) {
	row, err := webhookByID(ctx, s.db.Read(), id)
	return row.webhook, err
}

// Webhooks gives a page of webhooks, the newest first. max 0 means 100, 1000 is the most.
func (s *Store) Webhooks(ctx context.Context, max int, token string) (Page[Webhook], error) {
	if max == 0 {
		max = 100
	}
	if max < 1 || max > 1000 {
		return Page[Webhook]{}, Invalidf("max_results must be between 1 and 1000.")
	}
	sel := &selection{columns: webhookColumns, from: "webhooks w", order: []string{"w.creation_timestamp DESC", "w.wid DESC"}}
	q := s.db.Read()
	rows, err := runSelection(ctx, q, sel, func(rows *sql.Rows) (webhookRow, error) { return scanWebhook(rows) }, max, token)
	if err != nil {
		return Page[Webhook]{}, err
	}
	out := Page[Webhook]{NextPageToken: rows.NextPageToken, Items: make([]Webhook, len(rows.Items))}
	for i := range rows.Items {
		if err := loadWebhookEvents(ctx, q, &rows.Items[i]); err != nil {
			return out, err
		}
		out.Items[i] = rows.Items[i].webhook
	}
	return out, nil
}

// WebhookChange is what UpdateWebhook changes: nil and empty fields stay as they are, but an empty Description or Secret that is given
// takes it away.
type WebhookChange struct {
	Name        string
	Description *string
	URL         string
	Events      []WebhookEvent
	Secret      *string
	Status      string
}

// UpdateWebhook changes a webhook. The caller has checked the URL.
func (s *Store) UpdateWebhook(ctx context.Context, id string, c WebhookChange) (Webhook, error) {
	set := "last_updated_timestamp = ?"
	args := []any{s.now()}
	column := func(name string, value any) {
		set += ", " + name + " = ?"
		args = append(args, value)
	}
	for _, f := range []struct{ name, value string }{{"name", c.Name}, {"url", c.URL}, {"status", c.Status}} {
		if f.value != "" {
			column(f.name, f.value)
		}
	}
	if c.Description != nil {
		column("description", *c.Description)
	}
	if c.Secret != nil {
		secret, err := s.sealSecret(*c.Secret)
		if err != nil {
			return Webhook{}, err
		}
		column("secret", secret)
	}
	err := s.db.Write(ctx, func(tx querier) error {
		row, err := webhookByID(ctx, tx, id)
		if err == nil && c.Name != "" {
			err = ValidateWebhookName(c.Name)
		}
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "UPDATE webhooks SET "+set+" WHERE wid = ?", append(slices.Clip(args), row.wid)...); err != nil || c.Events == nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "DELETE FROM webhook_events WHERE wid = ?", row.wid); err != nil {
			return err
		}
		return setWebhookEvents(ctx, tx, row.wid, c.Events)
	})
	if err != nil {
		return Webhook{}, err
	}
	return s.Webhook(ctx, id)
}

// DeleteWebhook removes a webhook for good, its secret with it.
func (s *Store) DeleteWebhook(ctx context.Context, id string) error {
	return s.db.Write(ctx, func(tx querier) error {
		ok, err := affected(tx.ExecContext(ctx, "DELETE FROM webhooks WHERE webhook_id = ?", id))
		if err == nil && !ok {
			err = NotFoundf("Webhook with ID %s not found.", id)
		}
		return err
	})
}
