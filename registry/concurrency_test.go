package registry_test

import (
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prinzbox/prinzbox/registry"
	"github.com/prinzbox/prinzbox/registry/sqldb"
)

func openStore(t testing.TB) (*registry.Store, *sqldb.DB) {
	t.Helper()
	db, err := sqldb.Open(t.Context(), filepath.Join(t.TempDir(), "prinzbox.db"), sqldb.DurabilityOff)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	var ids atomic.Int64
	store, err := registry.Open(t.Context(), registry.Config{
		DB: db, Clock: time.Now, NewID: func() string { return fmt.Sprintf("%032x", ids.Add(1)) }, ArtifactRoot: "mlflow-artifacts:",
	})
	if err != nil {
		t.Fatal(err)
	}
	return store, db
}

// Many writers and readers at once: nothing fails, nothing that was acknowledged is lost, versions are numbered without gaps.
func TestParallelUse(t *testing.T) {
	store, _ := openStore(t)
	ctx := t.Context()
	if _, err := store.CreateRegisteredModel(ctx, registry.NewRegisteredModel{Name: "m"}); err != nil {
		t.Fatal(err)
	}
	shared, err := store.CreateRun(ctx, registry.NewRun{ExperimentID: "0", Name: "shared"})
	if err != nil {
		t.Fatal(err)
	}
	const writers, each = 8, 25
	var wg sync.WaitGroup
	check := func(err error) {
		if err != nil {
			t.Error(err)
		}
	}
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				run, err := store.CreateRun(ctx, registry.NewRun{ExperimentID: "0", StartTime: int64(w*each + i)})
				check(err)
				check(store.LogBatch(ctx, run.Info.RunID, registry.Batch{
					Metrics: []registry.Metric{{Key: "m", Value: registry.Float(i), Timestamp: 1}}, Params: []registry.KeyValue{{Key: "p", Value: "v"}},
				}))
				check(store.LogMetric(ctx, shared.Info.RunID, registry.Metric{Key: "loss", Value: registry.Float(w), Timestamp: int64(i), Step: int64(i)}))
				_, err = store.CreateModelVersion(ctx, registry.NewModelVersion{Name: "m", Source: "s3://b/x"})
				check(err)
				_, err = store.SearchRuns(ctx, []string{"0"}, registry.Query{Filter: "metrics.m >= 0", OrderBy: []string{"metrics.m DESC"}, MaxResults: 10})
				check(err)
				_, err = store.Run(ctx, run.Info.RunID)
				check(err)
			}
		})
	}
	wg.Wait()
	page, err := store.SearchRuns(ctx, []string{"0"}, registry.Query{Filter: "metrics.m >= 0 AND params.p = 'v'", MaxResults: 1000})
	if err != nil || len(page.Items) != writers*each {
		t.Errorf("%d runs, want %d; %v", len(page.Items), writers*each, err)
	}
	history, err := store.MetricHistory(ctx, shared.Info.RunID, "loss", 0, "")
	if err != nil || len(history.Items) != writers*each {
		t.Errorf("%d points, want %d; %v", len(history.Items), writers*each, err)
	}
	v, err := store.ModelVersionByAlias(ctx, "m", "latest")
	if err != nil || v.Version != fmt.Sprint(writers*each) {
		t.Errorf("the last version is %s, want %d; %v", v.Version, writers*each, err)
	}
}

// Pages by a metric go through its values, then NaN, then the runs without it, each run once, whatever the size of a page.
func TestPagesByMetricAreComplete(t *testing.T) {
	store, _ := openStore(t)
	ctx := t.Context()
	for i := range 23 {
		run, err := store.CreateRun(ctx, registry.NewRun{ExperimentID: "0", Name: fmt.Sprintf("run-%02d", i), StartTime: int64(i % 5)})
		if err != nil {
			t.Fatal(err)
		}
		m := registry.Metric{Key: "m", Value: registry.Float(i % 4), Timestamp: 1}
		switch {
		case i%7 == 0:
			continue
		case i%5 == 0:
			m.Value = registry.Float(nan())
		}
		if err := store.LogMetric(ctx, run.Info.RunID, m); err != nil {
			t.Fatal(err)
		}
	}
	walk := func(size int, order, filter string) (names []string) {
		q := registry.Query{OrderBy: []string{order}, Filter: filter, MaxResults: size}
		for {
			page, err := store.SearchRuns(ctx, []string{"0"}, q)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range page.Items {
				names = append(names, r.Info.RunName)
			}
			if q.PageToken = page.NextPageToken; q.PageToken == "" {
				return names
			}
			if len(page.Items) != size || len(names) > 100 {
				t.Fatalf("size %d: a page of %d runs has a token", size, len(page.Items))
			}
		}
	}
	for _, order := range []string{"metrics.m", "metrics.m DESC"} {
		for _, filter := range []string{"", "metrics.m != 2", "metrics.m > 0", "attributes.run_name LIKE 'run-1%'"} {
			want := walk(1000, order, filter)
			for _, size := range []int{1, 2, 3, 7, 22, 23, 24} {
				if got := walk(size, order, filter); fmt.Sprint(got) != fmt.Sprint(want) {
					t.Errorf("%s, %q, pages of %d:\n got %v\nwant %v", order, filter, size, got, want)
				}
			}
			if filter == "" && len(want) != 23 {
				t.Errorf("%s: %d runs, want 23", order, len(want))
			}
		}
	}
}
