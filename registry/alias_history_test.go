package registry_test

import (
	"slices"
	"testing"

	"github.com/prinzbox/prinzbox/registry"
)

// Each move of an alias is kept, and nothing that is no move: how it was set, moved, taken away and lost with its version.
func TestAliasHistory(t *testing.T) {
	t.Parallel()
	store, _ := openStore(t)
	ctx := t.Context()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"m", "other"} {
		_, err := store.CreateRegisteredModel(ctx, registry.NewRegisteredModel{Name: name})
		check(err)
		for range 2 {
			_, err := store.CreateModelVersion(ctx, registry.NewModelVersion{Name: name, Source: "s3://b/x"})
			check(err)
		}
	}
	check(store.SetAlias(ctx, "m", "champion", "1"))
	check(store.SetAlias(ctx, "m", "champion", "1")) // no move
	check(store.SetAlias(ctx, "m", "champion", "2"))
	check(store.DeleteAlias(ctx, "m", "never-set"))
	check(store.DeleteAlias(ctx, "m", "champion"))
	check(store.SetAlias(registry.WithAccess(ctx, &registry.Access{User: registry.User{Username: "ada", IsAdmin: true}}), "m", "champion", "1"))
	check(store.SetAlias(ctx, "m", "beta", "1"))
	check(store.DeleteModelVersion(ctx, "m", "1"))
	moves := func(name string, limit int) (out [][3]string) {
		t.Helper()
		list, err := store.AliasHistory(ctx, name, limit)
		check(err)
		for _, c := range list {
			if c.Time <= 0 {
				t.Errorf("%+v has no time", c)
			}
			out = append(out, [3]string{c.Alias, c.Version, c.By})
		}
		return out
	}
	want := [][3]string{{"champion", "", ""}, {"beta", "", ""}, {"beta", "1", ""}, {"champion", "1", "ada"}, {"champion", "", ""}, {"champion", "2", ""}, {"champion", "1", ""}}
	if got := moves("m", 100); !slices.Equal(got, want) {
		t.Errorf("moves %v, want %v", got, want)
	}
	if got := moves("m", 2); !slices.Equal(got, want[:2]) {
		t.Errorf("the last two moves are %v, want %v", got, want[:2])
	}
	if got := moves("other", 100); got != nil {
		t.Errorf("another model has the moves %v", got)
	}
	_, err := store.RenameRegisteredModel(ctx, "m", "renamed")
	check(err)
	if got := moves("renamed", 100); !slices.Equal(got, want) {
		t.Errorf("after renaming: %v", got)
	}
	check(store.DeleteRegisteredModel(ctx, "renamed"))
	if _, err := store.AliasHistory(ctx, "renamed", 100); !registry.IsCode(err, registry.ResourceDoesNotExist) {
		t.Errorf("of a deleted model: %v", err)
	}
	_, err = store.CreateRegisteredModel(ctx, registry.NewRegisteredModel{Name: "renamed"})
	check(err)
	if got := moves("renamed", 100); got != nil {
		t.Errorf("a new model of the same name inherits %v", got)
	}
}
