package prinzbox

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/prinzbox/prinzbox/prinzbox/calls"
	"github.com/prinzbox/prinzbox/registry"
)

// Runs gives the active runs of all experiments that a filter of MLflow's language lets through, the newest first; "" lets all.
func (s *space) Runs(ctx context.Context, filter string) ([]registry.Run, error) {
	w, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer w.leave()
	var ids []string
	for query := (registry.Query{MaxResults: registry.MaxPage}); ; {
		page, err := w.store.SearchExperiments(ctx, query)
		if err != nil {
			return nil, err
		}
		for _, e := range page.Items {
			ids = append(ids, e.ID)
		}
		if query.PageToken = page.NextPageToken; query.PageToken == "" {
			break
		}
	}
	var runs []registry.Run
	for query := (registry.Query{Filter: filter, MaxResults: registry.MaxPage}); ; {
		page, err := w.store.SearchRuns(ctx, ids, query)
		if err != nil {
			return nil, err
		}
		runs = append(runs, page.Items...)
		if query.PageToken = page.NextPageToken; query.PageToken == "" {
			return runs, nil
		}
	}
}

// LogModel registers a model directory (a folder with an MLmodel file, as mlflow's save_model writes it) as a new version, which answers at once,
// and gives the version's number. The model is made if it is not there; files that one of its newest versions from a folder has already make none.
func (s *space) LogModel(ctx context.Context, name, dir string) (version string, err error) {
	if !isModelDir(dir) {
		return "", fmt.Errorf("%s has no file MLmodel: name a model directory", dir)
	}
	w, err := s.enter(ctx)
	if err != nil {
		return "", err
	}
	defer w.leave()
	files, _, err := listModelFiles(filepath.Clean(dir))
	if err != nil {
		return "", err
	}
	version, _, err = w.registerModel(ctx, name, dir, files)
	return version, err
}

// AssertCalls fails the test unless exactly n kept calls match. A call is kept before its client has the whole answer; for one that comes later,
// from a client that nobody waited for, see [calls.Log.Wait].
func (s *space) AssertCalls(t TB, n int, q calls.Query) {
	t.Helper()
	have := s.Calls().Count(q)
	if have == n {
		return
	}
	var last strings.Builder
	for _, c := range s.Calls().Find(calls.Query{Limit: 10}).Calls {
		fmt.Fprintf(&last, "\n  %s %s %d", c.Method, c.Path, c.Status)
	}
	t.Errorf("prinzbox: %d calls match where %d should; the last calls of all:%s", have, n, &last)
}
