package registry_test

import (
	"errors"
	"math"
	"testing"

	"github.com/prinzbox/prinzbox/registry"
)

func nan() float64 { return math.NaN() }

// isUserError tells whether an error is one that a client may see: a panic, or an error of the database, is neither.
func isUserError(err error) bool {
	var e *registry.Error
	return err == nil || errors.As(err, &e) && e.Code.HTTPStatus() < 500
}

// FuzzSearch: no filter, order or page token makes a search panic or fail in the database, in any of the search languages.
func FuzzSearch(f *testing.F) {
	for _, s := range [][3]string{
		{"metrics.m > 1 AND params.`p q` = 'x' and tags.t LIKE '%a'", "metrics.m DESC", ""},
		{"attributes.run_name ILIKE \"x\" AND run_id IN ('a', 'b')", "`Run Name`", "eyJvZmZzZXQiOiAyfQ=="},
		{"datasets.name = 'd' AND datasets.context != 'x'", "tags.t", "eyJvZmZzZXQiOiAxZTMwfQ=="},
		{"tags.t IS NULL AND params.p IS NOT NULL", "params.p", "eyJvZmZzZXQiOiAtMX0="},
		{"name NOT IN ('a') AND creation_time >= 5", "name DESC", "bnVsbA=="},
		{"version_number <= 3 AND source_path != 's'", "version_number", "W10="},
		{"status = 'FINISHED' AND start_time < 9223372036854775808", "start_time", "!!!"},
		{"a = 'it''s' AND b = \"x\\\"y\" -- z", "\"a\".b", "eyJ4IjogMX0="},
		{"(metrics.m > 1) OR 1 = 1; DROP TABLE runs", "metrics.m, x", ""},
		{"metrics.m = -1e400 AND metrics.m < .5 AND metrics.m = 0x1p-2", "attributes.end_time asc", "eyJvZmZzZXQiOiA5MjIzMzcyMDM2ODU0Nzc1ODA3fQ=="},
		{"tags.\x00 = '\xff'", "tags.\x00", "\x00"},
		{"name IN () AND name IN ((('a')))", "", "eyJvZmZzZXQiOiAiMiJ9"},
		{"trace.status = 'OK' AND span.name LIKE 'x' AND feedback.f > 1 AND tags.t RLIKE '('", "timestamp_ms", ""},
	} {
		f.Add(s[0], s[1], s[2])
	}
	store, _ := openStore(f)
	run, err := store.CreateRun(f.Context(), registry.NewRun{ExperimentID: "0", Tags: []registry.KeyValue{{Key: "t", Value: "v"}}})
	if err != nil {
		f.Fatal(err)
	}
	if err := store.LogMetric(f.Context(), run.Info.RunID, registry.Metric{Key: "m", Value: 1, Timestamp: 1}); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, filter, order, token string) {
		ctx := t.Context()
		q := registry.Query{Filter: filter, MaxResults: 2, PageToken: token}
		if order != "" {
			q.OrderBy = []string{order}
		}
		_, errs := store.SearchRuns(ctx, []string{"0"}, q)
		check := func(what string, err error) {
			if !isUserError(err) {
				t.Errorf("%s: %v", what, err)
			}
		}
		check("runs", errs)
		_, err := store.SearchRuns(ctx, []string{"0", "1"}, q)
		check("runs of two experiments", err)
		_, err = store.SearchExperiments(ctx, q)
		check("experiments", err)
		_, err = store.SearchRegisteredModels(ctx, q)
		check("registered models", err)
		_, err = store.SearchModelVersions(ctx, q)
		check("model versions", err)
		lq := registry.LoggedModelQuery{ExperimentIDs: []string{"0"}, Filter: filter, MaxResults: 2, PageToken: token}
		_, err = store.SearchLoggedModels(ctx, lq)
		check("logged models", err)
		lq.OrderBy, lq.Datasets = []registry.LoggedModelOrder{{FieldName: order}}, []registry.DatasetFilter{{Name: order}}
		_, err = store.SearchLoggedModels(ctx, lq)
		check("logged models by order and dataset", err)
		_, err = store.MetricHistory(ctx, run.Info.RunID, "m", 1, token)
		check("history", err)
	})
}
