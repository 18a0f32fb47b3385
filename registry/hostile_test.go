package registry_test

import (
	"strings"
	"testing"
	"time"

	"github.com/prinzbox/prinzbox/registry"
)

// Requests whose cost would grow with the square of their size end in time.
func TestLongRequestsEndInTime(t *testing.T) {
	t.Parallel()
	store, _ := openStore(t)
	start := time.Now()
	ids := make([]string, 200_000)
	for i := range ids {
		ids[i] = "0"
	}
	if _, err := store.SearchRuns(t.Context(), ids, registry.Query{MaxResults: 10}); err != nil {
		t.Error(err)
	}
	if _, err := store.CreateRegisteredModel(t.Context(), registry.NewRegisteredModel{Name: "m"}); err != nil {
		t.Fatal(err)
	}
	_, err := store.CreateModelVersion(t.Context(), registry.NewModelVersion{Name: "m", Source: "s3://b/%25" + strings.Repeat("25", 100_000)})
	if !registry.IsCode(err, registry.InvalidParameterValue) {
		t.Errorf("a source encoded without end: %v", err)
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("took %v", took)
	}
}

// "production" is a usual alias, and a stage: the stage has the first say, the alias is found all the same.
func TestAliasNamedLikeAStage(t *testing.T) {
	t.Parallel()
	store, _ := openStore(t)
	ctx := t.Context()
	if _, err := store.CreateRegisteredModel(ctx, registry.NewRegisteredModel{Name: "m"}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := store.CreateModelVersion(ctx, registry.NewModelVersion{Name: "m", Source: "s3://b/x"}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := store.SelectModelVersion(ctx, "m", "production"); !registry.IsCode(err, registry.ResourceDoesNotExist) {
		t.Errorf("neither stage nor alias: %v", err)
	}
	if err := store.SetAlias(ctx, "m", "production", "1"); err != nil {
		t.Fatal(err)
	}
	if v, err := store.SelectModelVersion(ctx, "m", "production"); err != nil || v.Version != "1" {
		t.Errorf("alias: version %q, %v", v.Version, err)
	}
	if _, err := store.TransitionModelVersion(ctx, "m", "2", "Production", false); err != nil {
		t.Fatal(err)
	}
	if v, err := store.SelectModelVersion(ctx, "m", "production"); err != nil || v.Version != "2" {
		t.Errorf("stage: version %q, %v", v.Version, err)
	}
}
