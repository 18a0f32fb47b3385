package control_test

import (
	"regexp"
	"testing"
	"time"

	"github.com/prinzbox/prinzbox/prinzbox/control"
)

func TestClock(t *testing.T) {
	base := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	now := base
	at := base.AddDate(-1, 0, 0)
	for _, c := range []struct {
		name string
		do   func(c *control.Clock) error
		want []time.Duration // from base, for three looks, each of which comes a second later than the one before
		mode string
	}{
		{"real", func(*control.Clock) error { return nil }, []time.Duration{0, time.Second, 2 * time.Second}, "real"},
		{"frozen", func(c *control.Clock) error { return c.Freeze(base.Add(time.Hour)) }, []time.Duration{time.Hour, time.Hour, time.Hour}, "frozen"},
		{"set", func(c *control.Clock) error { return c.Set(base.Add(time.Hour)) }, []time.Duration{time.Hour, time.Hour + time.Second, time.Hour + 2*time.Second}, "moved"},
		{"advanced", func(c *control.Clock) error { return c.Advance(-time.Hour) }, []time.Duration{-time.Hour, -time.Hour + time.Second, -time.Hour + 2*time.Second}, "moved"},
		{"frozen and advanced", func(c *control.Clock) error { _ = c.Freeze(base); return c.Advance(time.Minute) }, []time.Duration{time.Minute, time.Minute, time.Minute}, "frozen"},
		{"ticking", func(c *control.Clock) error { return c.Tick(time.Millisecond) }, []time.Duration{0, time.Millisecond, 2 * time.Millisecond}, "frozen"},
		{"reset", func(c *control.Clock) error { _ = c.Freeze(at); c.Reset(); return nil }, []time.Duration{0, time.Second, 2 * time.Second}, "real"},
	} {
		now = base
		clock := control.NewClock(func() time.Time { return now })
		if err := c.do(clock); err != nil {
			t.Fatal(c.name, err)
		}
		for i, want := range c.want {
			if got := clock.Now().Sub(base); got != want {
				t.Errorf("%s: look %d is %v, not %v", c.name, i, got, want)
			}
			now = now.Add(time.Second)
		}
		if s := clock.State(); s.Mode != c.mode {
			t.Errorf("%s: %+v", c.name, s)
		}
	}
	clock := control.NewClock(nil)
	for name, err := range map[string]error{"before 1970": clock.Freeze(time.UnixMilli(-1)), "after 9999": clock.Set(time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)), "far": clock.Advance(-1 << 62), "back": clock.Tick(-1)} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestIDs(t *testing.T) {
	ids := control.NewIDs(func() string { return "random" })
	if ids.New() != "random" {
		t.Error("ids are random at first")
	}
	form := regexp.MustCompile(`^[0-9a-f]{12}4[0-9a-f]{3}[89ab][0-9a-f]{15}$`)
	draw := func(seed uint64) (all [1000]string) {
		ids.Seed(seed)
		for i := range all {
			all[i] = ids.New()
		}
		return all
	}
	one := draw(1)
	if one != draw(1) || one == draw(2) {
		t.Error("a seed gives one sequence, another seed another")
	}
	seen := map[string]bool{}
	for _, id := range one {
		if !form.MatchString(id) || seen[id] {
			t.Fatalf("%s", id)
		}
		seen[id] = true
	}
	if s := ids.State(); s.Mode != "seeded" || s.Given != 1000 {
		t.Errorf("%+v", s)
	}
	ids.Reset()
	if ids.New() != "random" {
		t.Error("ids are random again")
	}
}
