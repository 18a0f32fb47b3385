package faults

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prinzbox/prinzbox/prinzbox/calls"
)

// MaxRules bounds a set.
const MaxRules = 1000

// Set is the rules of an environment, in order. All methods are safe for concurrent use. The zero Set has none, and its chance has seed 0.
type Set struct {
	// any is what a call without rules costs: one load.
	any atomic.Bool

	mu    sync.Mutex
	rules []*rule
	next  int
	seed  uint64
	rand  *rand.Rand
}

type rule struct {
	Rule
	// windowEnd and inWindow count the calls for a rate limit.
	windowEnd time.Time
	inWindow  int
}

// Add adds a rule behind the others and gives it as it is kept, with its id. The error is a [FieldError].
func (s *Set) Add(r Rule) (Rule, error) {
	added, err := s.change(false, []Rule{r})
	if err != nil {
		return Rule{}, err
	}
	return added[0], nil
}

// Replace puts rules in place of all that there are. On an error, which is a [FieldError], nothing changes.
func (s *Set) Replace(rules []Rule) ([]Rule, error) { return s.change(true, rules) }

func (s *Set) change(replace bool, rules []Rule) ([]Rule, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []*rule
	if !replace {
		all = slices.Clone(s.rules)
	}
	if len(all)+len(rules) > MaxRules {
		return nil, wrong("rule", "there are at most %d: remove some", MaxRules)
	}
	added := make([]Rule, 0, len(rules))
	for i := range rules {
		r := rules[i]
		if err := r.Check(); err != nil {
			return nil, err
		}
		if r.ID == "" {
			s.next++
			r.ID = fmt.Sprintf("fault-%d", s.next)
		}
		if slices.ContainsFunc(all, func(have *rule) bool { return have.ID == r.ID }) {
			return nil, wrong("id", "there is a rule %q already: remove it, or choose another id", r.ID)
		}
		r.Matched, r.Fired = 0, 0
		all = append(all, &rule{Rule: r})
		added = append(added, r)
	}
	s.rules = all
	s.any.Store(len(all) > 0)
	return added, nil
}

// Rules lists the rules with their counts.
func (s *Set) Rules() []Rule {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]Rule, 0, len(s.rules))
	for _, r := range s.rules {
		list = append(list, r.Rule)
	}
	return list
}

// Remove removes a rule and tells whether there was one.
func (s *Set) Remove(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.rules)
	s.rules = slices.DeleteFunc(slices.Clone(s.rules), func(r *rule) bool { return r.ID == id })
	s.any.Store(len(s.rules) > 0)
	return len(s.rules) < n
}

// Clear removes all rules and begins chance anew from its seed.
func (s *Set) Clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rules, s.rand, s.next = nil, nil, 0
	s.any.Store(false)
}

// Reset is Clear with seed 0.
func (s *Set) Reset() {
	s.Clear()
	s.Seed(0)
}

// Seed begins chance anew from a number.
func (s *Set) Seed(seed uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seed, s.rand = seed, nil
}

// SeedNow is the number that chance began from.
func (s *Set) SeedNow() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seed
}

// Plan is what happens to one call.
type Plan struct {
	// Rules names the rules that fired, as "id, id".
	Rules   string
	Latency time.Duration
	// Error answers instead of the environment; RetryAfter is told with it where it is not 0.
	Error *Error
	// Limited says that the error is a rate limit's.
	Limited bool
	Reset   bool
	// BytesPerSecond slows the body where it is not 0. TruncateAfter cuts it where it is not negative.
	BytesPerSecond, TruncateAfter int64
}

// Plan tells what happens to a call; nil where nothing does. Of several rules that fire, latencies add up, and otherwise the first counts.
func (s *Set) Plan(c *calls.Call) *Plan {
	if !s.any.Load() {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var p *Plan
	var names []string
	for _, r := range s.rules {
		if !r.Match.matches(c) {
			continue
		}
		r.Matched++
		if !r.When.holds(r.Matched, s.chance) {
			continue
		}
		limited := false
		if r.RateLimit != nil {
			if limited = r.limits(time.Now()); !limited && r.Latency == nil && r.Error == nil && !r.Reset && r.Body == nil {
				continue // below the rate nothing happens
			}
		}
		r.Fired++
		if p == nil {
			p = &Plan{TruncateAfter: -1}
		}
		names = append(names, r.ID)
		p.add(r, limited, c.Kind, s.source())
	}
	if p != nil {
		p.Latency = min(p.Latency, maxDelay)
		p.Rules = strings.Join(names, ", ")
	}
	return p
}

func (p *Plan) add(r *rule, limited bool, kind calls.Kind, chance random) {
	if r.Latency != nil {
		p.Latency += r.Latency.sample(chance)
	}
	if p.Error == nil && !p.Reset {
		switch {
		case limited:
			p.Limited, p.Error = true, r.refusal(kind, time.Now())
		case r.Error != nil:
			p.Error = r.Error
		case r.Reset:
			p.Reset = true
		}
	}
	if b := r.Body; b != nil {
		if p.BytesPerSecond == 0 {
			p.BytesPerSecond = b.BytesPerSecond
		}
		if b.TruncateAfter != nil && p.TruncateAfter < 0 {
			p.TruncateAfter = *b.TruncateAfter
		}
	}
}

func (m *Match) matches(c *calls.Call) bool {
	// A rule for everything leaves the control API and the pages alone: nobody could remove it.
	if m.Kind == "" && (c.Kind == calls.Control || c.Kind == calls.GUI) {
		return false
	}
	return (m.Kind == "" || m.Kind == c.Kind) && (m.Method == "" || strings.EqualFold(m.Method, c.Method)) &&
		globs(m.Path, c.Path) && globs(m.Operation, c.Operation) && globs(m.Model, c.Model) && globs(m.Bucket, c.Bucket) && globs(m.Key, c.Key) && globs(m.Client, c.Client)
}

func globs(pattern, text string) bool { return pattern == "" || calls.Glob(pattern, text) }

// holds tells whether a rule fires on its n-th call.
func (w *When) holds(n int64, chance func() float64) bool {
	n -= w.Skip
	switch {
	case n < 1,
		w.First > 0 && n > w.First,
		w.Nth > 0 && n != w.Nth,
		w.Every > 0 && n%w.Every != 0:
		return false
	}
	return w.Probability == 0 || chance() < w.Probability
}

// limits counts a call and tells whether it is above the rate.
func (r *rule) limits(now time.Time) bool {
	if !now.Before(r.windowEnd) {
		r.windowEnd, r.inWindow = now.Add(time.Duration(r.RateLimit.PerMS*float64(time.Millisecond))), 0
	}
	r.inWindow++
	return r.inWindow > r.RateLimit.Calls
}

func (r *rule) refusal(kind calls.Kind, now time.Time) *Error {
	e := &Error{Status: r.RateLimit.Status, Message: fmt.Sprintf("Too many calls: %d may pass in %v ms.", r.RateLimit.Calls, r.RateLimit.PerMS)}
	if e.Status == 0 {
		e.Status = 429
		if kind == calls.S3 {
			e.Status = 503
		}
	}
	switch {
	case kind == calls.S3:
		e.Code = "SlowDown"
	case e.Status == 429:
		e.Code = "REQUEST_LIMIT_EXCEEDED"
	default:
		e.Code = "TEMPORARILY_UNAVAILABLE"
	}
	e.RetryAfterS = max(1, int((r.windowEnd.Sub(now)+time.Second-1)/time.Second))
	return e
}

func (s *Set) source() *rand.Rand {
	if s.rand == nil {
		s.rand = rand.New(rand.NewPCG(s.seed, 0x5052494e5a)) //nolint:gosec // it is meant to be foreseen
	}
	return s.rand
}

func (s *Set) chance() float64 { return s.source().Float64() }
