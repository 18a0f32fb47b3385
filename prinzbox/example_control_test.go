package prinzbox_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/prinzbox/prinzbox/prinzbox"
	"github.com/prinzbox/prinzbox/prinzbox/calls"
	"github.com/prinzbox/prinzbox/prinzbox/faults"
)

// A test that a program repeats what failed: the first call is answered 503, and the log tells what came.
func ExampleEnv_faults() {
	env, err := prinzbox.Open(context.Background(), prinzbox.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = env.Close() }() // its end is not the example
	_, err = env.Faults().Add(faults.Rule{Match: faults.Match{Operation: "runs/create"}, When: faults.When{First: 1}, Error: &faults.Error{Status: 503}})
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 2 { // the program under test
		resp, err := http.Post(env.TrackingURI()+"/api/2.0/mlflow/runs/create", "application/json", strings.NewReader(`{"experiment_id": "0"}`))
		if err != nil {
			fmt.Println(err)
			return
		}
		_ = resp.Body.Close()
	}
	tried, err := env.Calls().Wait(context.Background(), 2, calls.Query{Operation: "runs/create"})
	fmt.Println(tried, err, env.Calls().Count(calls.Query{Operation: "runs/create", MinStatus: 200, MaxStatus: 200}))
	// Output: 2 <nil> 1
}

// A stopped clock and ids from a seed make the same answers in each run.
func ExampleEnv_clock() {
	env, err := prinzbox.Open(context.Background(), prinzbox.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = env.Close() }() // its end is not the example
	if err := env.Clock().Freeze(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)); err != nil {
		fmt.Println(err)
		return
	}
	env.IDs().Seed(1)
	fmt.Println(env.Clock().Now().Format(time.RFC3339), len(env.IDs().New()))
	// Output: 2026-01-02T03:04:05Z 32
}
