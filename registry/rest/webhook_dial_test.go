package rest

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// What a name resolves to when it is called counts, not what it did when it was checked: the connection itself is refused, also after
// a redirect, and nothing is tried again.
func TestConnectionsToPrivateAddressesAreRefused(t *testing.T) {
	called := 0
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { called++ }))
	defer srv.Close()
	w := NewWebhooks(WebhooksConfig{Schemes: []string{"http"}})
	defer w.Close(t.Context())
	_, _, _, err := w.attempt(t.Context(), srv.URL, http.Header{}, []byte("{}"))
	var blocked errNotPublic
	if !errors.As(err, &blocked) || called != 0 {
		t.Errorf("%v, called %d times", err, called)
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"": -1, "soon": -1, "-3": -1, "0": 0, " 7 ": 7 * time.Second, "99999999999": 6 * time.Hour,
		"Fri, 02 Jan 2026 03:05:05 GMT": time.Minute, "Fri, 02 Jan 2026 03:00:05 GMT": 0, "Fri, 02 Jan 2099 03:00:05 GMT": 6 * time.Hour,
	} {
		if got := retryAfter(text, now); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

func TestBackoff(t *testing.T) {
	w := NewWebhooks(WebhooksConfig{})
	defer w.Close(t.Context())
	for attempt, least := range []time.Duration{0, 2, 4, 8, 16, 32, 60, 60} {
		got := w.backoff(attempt)
		if most := least*time.Second + time.Second; got < least*time.Second || got > most || got > time.Minute {
			t.Errorf("after attempt %d: %v", attempt, got)
		}
	}
}
