package calls_test

import (
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/prinzbox/prinzbox/prinzbox/calls"
)

// note puts one call into a log: a page's own, or a client's.
func note(l *calls.Log, page bool) {
	path := "/api/2.0/mlflow/runs/get"
	if page {
		path = "/models"
	}
	x := calls.NewExchange(httptest.NewRecorder(), time.Now())
	x.In(l, calls.OnMain, httptest.NewRequest(http.MethodGet, path, nil), "id")
	x.WriteHeader(http.StatusOK)
	x.End()
}

// A page that polls pushes out no client's call, and can be looked at all the same.
func TestPagesPushOutNoClient(t *testing.T) {
	t.Parallel()
	l := calls.New(calls.Config{})
	for range 50 {
		note(l, false)
	}
	for range 10_000 {
		note(l, true)
	}
	for range 50 {
		note(l, false)
	}
	if n := l.Count(calls.Query{Kinds: []calls.Kind{calls.MLflow}}); n != 100 {
		t.Errorf("%d calls of clients are kept", n)
	}
	pages := l.Find(calls.Query{Kinds: []calls.Kind{calls.GUI}, Limit: 1})
	if pages.Total != 500 || pages.Calls[0].Number != 10_050 {
		t.Errorf("%d calls of pages, the last is %d", pages.Total, pages.Calls[0].Number)
	}
	if s := l.Stats(); s.Kept != 100 || s.Total != 100 || s.Dropped != 0 || s.Pages != 500 {
		t.Errorf("%+v", s)
	}
	if l.Last() != 10_100 {
		t.Errorf("the last is %d", l.Last())
	}
}

// The log is held against a plain list, at every step of a random life.
func TestLogAgainstAList(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		chance := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // it is meant to be repeated
		bound := 1 + chance.IntN(150)
		l := calls.New(calls.Config{Entries: bound})
		var clients, pages []int64
		number := int64(0)
		for range 500 {
			switch page := chance.IntN(3) == 0; {
			case chance.IntN(200) == 0:
				l.Clear()
				clients, pages = nil, nil
			default:
				note(l, page)
				number++
				if page {
					pages = append(pages, number)
				} else {
					clients = append(clients, number)
				}
			}
			clients = clients[max(0, len(clients)-bound):]
			pages = pages[max(0, len(pages)-min(bound, 100)):]
			want := slices.Concat(clients, pages)
			slices.Sort(want)
			var got []int64
			for _, c := range l.Find(calls.Query{Oldest: true, Limit: calls.MaxLimit}).Calls {
				got = append(got, c.Number)
			}
			if !slices.Equal(got, want) {
				t.Fatalf("seed %d, bound %d: %v, want %v", seed, bound, got, want)
			}
			ask := chance.Int64N(number + 2)
			if c, ok := l.Get(ask); ok != slices.Contains(want, ask) || ok && c.Number != ask {
				t.Fatalf("seed %d: call %d is %+v, %v", seed, ask, c, ok)
			}
			behind := 0
			for _, n := range want {
				if n > ask {
					behind++
				}
			}
			if n := l.Count(calls.Query{After: ask}); n != behind {
				t.Fatalf("seed %d: %d behind %d, want %d", seed, n, ask, behind)
			}
		}
	}
}
