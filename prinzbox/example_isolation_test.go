package prinzbox_test

import (
	"context"
	"fmt"

	"github.com/prinzbox/prinzbox/prinzbox"
	"github.com/prinzbox/prinzbox/registry"
)

// A snapshot is a state to come back to as often as it takes.
func ExampleEnv_Restore() {
	ctx := context.Background()
	env, err := prinzbox.Open(ctx, prinzbox.Config{Seed: true})
	if err != nil {
		panic(err)
	}
	defer env.Close() //nolint:errcheck // the example is over

	if err := env.Snapshot(ctx, "before"); err != nil {
		panic(err)
	}
	for range 3 {
		if _, err := env.Store().CreateRegisteredModel(ctx, registry.NewRegisteredModel{Name: "mine"}); err != nil {
			panic(err)
		}
		if err := env.Restore(ctx, "before"); err != nil {
			panic(err)
		}
	}
	_, err = env.Store().RegisteredModel(ctx, "mine")
	fmt.Println(registry.IsCode(err, registry.ResourceDoesNotExist))
	// Output: true
}

func ExampleEnv_Reset() {
	ctx := context.Background()
	env, err := prinzbox.Open(ctx, prinzbox.Config{Seed: true})
	if err != nil {
		panic(err)
	}
	defer env.Close() //nolint:errcheck // the example is over

	if err := env.Reset(ctx, prinzbox.Empty); err != nil {
		panic(err)
	}
	fmt.Println(env.Ready().Seeded)
	if err := env.Reset(ctx, prinzbox.Seeded); err != nil {
		panic(err)
	}
	fmt.Println(env.Ready().Seeded)
	// Output:
	// []
	// [MLF-ElasticnetWineModel-1 MLF-ElasticnetWineModel-2 MLF-FraudDetection-3]
}

// Two namespaces have the same names and know nothing of each other.
func ExampleEnv_Namespace() {
	ctx := context.Background()
	env, err := prinzbox.Open(ctx, prinzbox.Config{Seed: true})
	if err != nil {
		panic(err)
	}
	defer env.Close() //nolint:errcheck // the example is over

	for _, name := range []string{"alice", "bob"} {
		ns, err := env.Namespace(ctx, name)
		if err != nil {
			panic(err)
		}
		defer ns.Close()
		id, err := ns.Store().CreateExperiment(ctx, registry.NewExperiment{Name: "mine"})
		if err != nil {
			panic(err)
		}
		fmt.Println(ns.Name(), id, ns.Ready().AccessKey)
	}
	// Output:
	// alice 4 mlflow-key.ns.alice
	// bob 4 mlflow-key.ns.bob
}
