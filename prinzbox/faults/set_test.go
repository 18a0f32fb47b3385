package faults_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prinzbox/prinzbox/prinzbox/calls"
	"github.com/prinzbox/prinzbox/prinzbox/faults"
)

// fires tells on which of n calls a rule fires, as 1 and 0.
func fires(s *faults.Set, c *calls.Call, n int) string {
	var b strings.Builder
	for range n {
		if s.Plan(c) != nil {
			b.WriteByte('1')
		} else {
			b.WriteByte('0')
		}
	}
	return b.String()
}

func TestWhen(t *testing.T) {
	for _, c := range []struct {
		when faults.When
		want string
	}{
		{faults.When{}, "11111111"},
		{faults.When{First: 3}, "11100000"},
		{faults.When{Nth: 3}, "00100000"},
		{faults.When{Every: 3}, "00100100"},
		{faults.When{Skip: 2}, "00111111"},
		{faults.When{Skip: 2, First: 1}, "00100000"},
		{faults.When{Skip: 1, Every: 2, First: 4}, "00101000"},
		{faults.When{Probability: 1}, "11111111"},
	} {
		var s faults.Set
		if _, err := s.Add(faults.Rule{When: c.when, Reset: true}); err != nil {
			t.Fatal(err)
		}
		if got := fires(&s, &calls.Call{Kind: calls.MLflow}, 8); got != c.want {
			t.Errorf("%+v fires on %s, not %s", c.when, got, c.want)
		}
		r := s.Rules()[0]
		if r.Matched != 8 || r.Fired != int64(strings.Count(c.want, "1")) {
			t.Errorf("%+v: matched %d, fired %d", c.when, r.Matched, r.Fired)
		}
	}
}

func TestMatch(t *testing.T) {
	call := &calls.Call{Kind: calls.S3, Method: "GET", Path: "/mlflow/a/b", Operation: "GetObject", Bucket: "mlflow", Key: "a/b", Client: "Boto3/1.0"}
	for _, c := range []struct {
		match faults.Match
		want  bool
	}{
		{faults.Match{}, true},
		{faults.Match{Kind: calls.S3}, true},
		{faults.Match{Kind: calls.MLflow}, false},
		{faults.Match{Method: "get"}, true},
		{faults.Match{Method: "PUT"}, false},
		{faults.Match{Path: "/mlflow/*"}, true},
		{faults.Match{Path: "/mlflow"}, false},
		{faults.Match{Operation: "Get*"}, true},
		{faults.Match{Operation: "Put*"}, false},
		{faults.Match{Bucket: "mlflow", Key: "*b"}, true},
		{faults.Match{Bucket: "other"}, false},
		{faults.Match{Model: "m"}, false},
		{faults.Match{Client: "Boto3*"}, true},
	} {
		var s faults.Set
		if _, err := s.Add(faults.Rule{Match: c.match, Reset: true}); err != nil {
			t.Fatal(err)
		}
		if got := s.Plan(call) != nil; got != c.want {
			t.Errorf("%+v: %v", c.match, got)
		}
	}
	var s faults.Set
	if _, err := s.Add(faults.Rule{Reset: true}); err != nil {
		t.Fatal(err)
	}
	if s.Plan(&calls.Call{Kind: calls.Control}) != nil || s.Plan(&calls.Call{Kind: calls.GUI}) != nil {
		t.Error("a rule for everything locks out whoever would remove it")
	}
}

// Chance from a seed is the same each time, and as likely as it says; latencies are spread as they say.
func TestChance(t *testing.T) {
	draw := func(seed uint64) string {
		var s faults.Set
		s.Seed(seed)
		if _, err := s.Add(faults.Rule{When: faults.When{Probability: 0.3}, Reset: true}); err != nil {
			t.Fatal(err)
		}
		return fires(&s, &calls.Call{}, 2000)
	}
	if first, again := draw(1), draw(1); first != again || first == draw(2) {
		t.Error("a seed gives one sequence, another seed another")
	}
	if n := strings.Count(draw(1), "1"); n < 540 || n > 660 {
		t.Errorf("of 2000, %d fired at 0.3", n)
	}
	for _, c := range []struct {
		latency       faults.Latency
		low, high, at float64 // bounds of all, and the median, in ms
	}{
		{faults.Latency{MS: 20}, 20, 20, 20},
		{faults.Latency{Kind: "uniform", MinMS: 10, MaxMS: 30}, 10, 30, 20},
		{faults.Latency{Kind: "normal", MeanMS: 100, StdDevMS: 10}, 40, 160, 100},
		{faults.Latency{Kind: "normal", MeanMS: 1, StdDevMS: 100}, 0, 1000, 1},
		{faults.Latency{Kind: "lognormal", MedianMS: 50, Sigma: 0.5}, 1, 1000, 50},
	} {
		var s faults.Set
		if _, err := s.Add(faults.Rule{Latency: &c.latency}); err != nil {
			t.Fatal(err)
		}
		var all []float64
		for range 2001 {
			all = append(all, float64(s.Plan(&calls.Call{}).Latency)/float64(time.Millisecond))
		}
		slices.Sort(all)
		if all[0] < c.low || all[2000] > c.high || math.Abs(all[1000]-c.at) > max(c.at*0.1, 10) {
			t.Errorf("%+v: from %v to %v, median %v", c.latency, all[0], all[2000], all[1000])
		}
	}
}

func TestRulesOfASet(t *testing.T) {
	var s faults.Set
	a, err := s.Add(faults.Rule{Latency: &faults.Latency{MS: 10}})
	if err != nil || a.ID == "" {
		t.Fatal(a, err)
	}
	if _, err := s.Add(faults.Rule{ID: "b", Latency: &faults.Latency{MS: 5}, Error: &faults.Error{Status: 503}}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Add(faults.Rule{ID: "b", Reset: true}); err == nil {
		t.Error("two rules have one id")
	}
	if _, err := s.Add(faults.Rule{ID: "c", Reset: true}); err != nil {
		t.Fatal(err)
	}
	p := s.Plan(&calls.Call{})
	if p.Latency != 15*time.Millisecond || p.Error == nil || p.Reset || p.Rules != a.ID+", b, c" {
		t.Errorf("%+v", p)
	}
	if _, err := s.Replace([]faults.Rule{{ID: "x", Reset: true}, {}}); err == nil || len(s.Rules()) != 3 {
		t.Error("a wrong rule changed something", err)
	}
	if !s.Remove("b") || s.Remove("b") || len(s.Rules()) != 2 {
		t.Error(s.Rules())
	}
	s.Clear()
	if s.Plan(&calls.Call{}) != nil {
		t.Error("cleared rules fire")
	}
}

func TestRateLimit(t *testing.T) {
	var s faults.Set
	if _, err := s.Add(faults.Rule{RateLimit: &faults.RateLimit{Calls: 2, PerMS: 100}}); err != nil {
		t.Fatal(err)
	}
	call := &calls.Call{Kind: calls.MLflow}
	if got := fires(&s, call, 4); got != "0011" {
		t.Error(got)
	}
	p := s.Plan(call)
	if p == nil || !p.Limited || p.Error.Status != 429 || p.Error.RetryAfterS != 1 {
		t.Errorf("%+v", p)
	}
	time.Sleep(110 * time.Millisecond)
	if s.Plan(call) != nil {
		t.Error("a new window begins with none")
	}
}

func BenchmarkPlan(b *testing.B) {
	call := &calls.Call{Kind: calls.MLflow, Method: "POST", Path: "/api/2.0/mlflow/runs/log-metric", Operation: "runs/log-metric"}
	for _, n := range []int{0, 1, 20} {
		b.Run(fmt.Sprintf("%d rules", n), func(b *testing.B) {
			var s faults.Set
			for range n {
				if _, err := s.Add(faults.Rule{Match: faults.Match{Operation: "runs/create"}, Reset: true}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportAllocs()
			for b.Loop() {
				s.Plan(call)
			}
		})
	}
}
