package training_test

import (
	"encoding/json"
	"testing"

	"github.com/prinzbox/prinzbox/examples/go"
	"github.com/prinzbox/prinzbox/prinzbox"
	"github.com/prinzbox/prinzbox/prinzbox/calls"
	"github.com/prinzbox/prinzbox/prinzbox/faults"
	"github.com/prinzbox/prinzbox/serving"
)

func TestLog(t *testing.T) {
	env := prinzbox.Start(t)
	id, err := training.Tracker{URL: env.TrackingURI()}.Log(t.Context(), "accuracy", 0.9)
	if err != nil {
		t.Fatal(err)
	}
	runs, err := env.Runs(t.Context(), "metrics.accuracy > 0.8 and attributes.run_id = '"+id+"'")
	if err != nil || len(runs) != 1 || runs[0].Info.RunID != id {
		t.Errorf("runs %v, %v", runs, err)
	}
	env.AssertCalls(t, 1, calls.Query{Operation: "runs/create"})
}

// The tests of one environment share its process; each namespace is an environment by itself.
func TestBusyServer(t *testing.T) {
	env := prinzbox.Start(t)
	for name, busy := range map[string]int64{"once": 1, "twice": 2} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ns := env.ForTest(t)
			rule := faults.Rule{Match: faults.Match{Operation: "runs/create"}, When: faults.When{First: busy}, Error: &faults.Error{Status: 503}}
			if _, err := ns.Faults().Add(rule); err != nil {
				t.Fatal(err)
			}
			if _, err := (training.Tracker{URL: ns.TrackingURI()}).Log(t.Context(), "accuracy", 0.9); err != nil {
				t.Error(err)
			}
			ns.AssertCalls(t, int(busy)+1, calls.Query{Operation: "runs/create"})
		})
	}
}

func TestAsk(t *testing.T) {
	env := prinzbox.Start(t)
	if _, err := env.Stub(t.Context(), "price", serving.Stub{Expression: json.RawMessage(`"size * 2.5"`)}); err != nil {
		t.Fatal(err)
	}
	price, err := training.Tracker{URL: env.TrackingURI()}.Ask(t.Context(), "price", map[string]any{"size": 4})
	if err != nil || price != 10 {
		t.Errorf("price %v, %v", price, err)
	}
}
